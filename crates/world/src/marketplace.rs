//! What others sell through us, with the tax, credits and refunds that their reports hold beside.

use crate::cards::decimal;
use crate::company::{MARKETPLACE, currency, month};
use crate::ids::{Ids, MILL, PARTNER, RETAILER};
use crate::machines::Span;
use crate::records::{self, Records};
use calendar::{BillingPeriod, Interval};
use domain::ids::MeterId;
use domain::usage::ChargeCategory;
use money::{Cost, Fixed18};

/// Whose, of which subscription, what it is, and what it costs.
type Row = (&'static str, &'static str, ChargeCategory, &'static str, &'static str);

/// What comes every month, on its fifth day.
const MONTHLY: [Row; 3] = [
    (RETAILER, "analytics", ChargeCategory::Marketplace, "chart-maker", "189.5"),
    (MILL, "works", ChargeCategory::Marketplace, "mill-planner", "240.25"),
    (PARTNER, "wards", ChargeCategory::Marketplace, "rota-helper", "36"),
];

/// What the vendor of a product says of it beside its cost.
const SAID: [(&str, &str); 1] = [(
    "mill-planner",
    r#"{"publisherName": "Weirline Software", "offerName": "Mill planner", "planName": "Standard",
        "orderNumber": "WL-20417", "unitOfMeasure": "1 Month", "additionalInfo": {"seats": 25}}"#,
)];

/// What comes once: the month, and the row.
const ONCE: [(&str, Row); 6] = [
    ("2026-08", (RETAILER, "analytics", ChargeCategory::Tax, "chart-maker", "7.58")),
    ("2026-09", (RETAILER, "analytics", ChargeCategory::Credit, "goodwill", "-25")),
    ("2026-10", (RETAILER, "analytics", ChargeCategory::Refund, "chart-maker", "-12.75")),
    ("2026-10", (PARTNER, "ovens", ChargeCategory::Purchase, "shop-sign", "119")),
    ("2026-10", (MILL, "lab", ChargeCategory::Adjustment, "rounding-up", "1.005")),
    ("2026-10", (MILL, "lab", ChargeCategory::Refund, "fibre-assay", "-4.2")),
];

/// Makes all rows that were reported by now.
pub(crate) fn records(ids: &Ids, span: &Span) -> Records {
    let mut made = Records::default();
    let mut period = BillingPeriod::of(span.first.start());
    while period.start() <= span.now {
        let day = period.start().plus_seconds(4 * 86_400);
        let monthly = MONTHLY.iter();
        let once = ONCE.iter().filter(|(when, _)| month(when) == period);
        for row in monthly.chain(once.map(|(_, row)| row)) {
            let (account, subscription, category, resource, cost) = row;
            let is_product = *category == ChargeCategory::Marketplace;
            let meter = if is_product { "marketplace meter" } else { "vendor meter" };
            let meter = MeterId::new(ids.of(meter)).expect("a short plain text");
            let (account, subscription) = (ids.account(account), ids.subscription(subscription));
            let mut record = records::usage(&account, MARKETPLACE, &subscription, &meter);
            record.resource = format!("/marketplace/{resource}");
            record.quantity = Fixed18::ONE;
            record.category = *category;
            let said = SAID.iter().find(|(product, _)| product == resource);
            record.details = said.map(|(_, said)| (*said).to_owned());
            record.stated_cost = Some(Cost { major: decimal(cost), currency: currency("USD") });
            let end = day.plus_seconds(86_400);
            record.service_period = Interval::new(day, end).expect("an end after its start");
            record.reported_at = Some(end.plus_seconds(3_600));
            if record.reported_at.is_some_and(|at| at <= span.now) {
                made.push(record);
            }
        }
        period = period.next();
    }
    made
}
