//! What the books tell of one thing in several places is the same, whatever has moved: what a
//! subscription costs is what its rated usage comes to, usage is rated by the price sheets, and what
//! became of credit is what the ledger has.

use crate::azure_consumption_money::credit_agrees;
use crate::lives::{MONTHS, PAYING, account};
use calendar::{BillingPeriod, Day};
use domain::access::Caller;
use domain::ids::{BillingAccountId, MeterId, SubscriptionId};
use domain::places::Level;
use domain::rated::{RatedRow, RowKind};
use money::{Fixed18, Rounding};
use service::{PriceRow, PriceSheetAsked, Reckoner, SheetPrices};
use std::collections::BTreeMap;
use std::ops::Range;

/// Of every payer, on the day that it is.
pub(crate) async fn figures_agree(reckoner: &Reckoner) {
    for id in PAYING {
        let id = account(id);
        let rows = rated(reckoner, &id).await;
        subscriptions_cost_what_was_rated(reckoner, &id, &rows).await;
        credit_agrees(reckoner, &id).await;
        for month in MONTHS {
            let period = BillingPeriod::parse(month).expect("a month");
            let is_of = |row: &&RatedRow| period.interval().contains(row.service_period.start());
            let sheets = sheets(reckoner, &id, period).await;
            rows.iter().filter(is_of).for_each(|row| is_priced(row, &sheets));
        }
    }
}

/// Everything that was rated for a payer.
async fn rated(reckoner: &Reckoner, id: &BillingAccountId) -> Vec<RatedRow> {
    let period = |month| BillingPeriod::parse(month).expect("a month");
    let days = period(MONTHS[0]).start().day()..period(MONTHS[2]).end().day();
    let all = reckoner.explain_total(&Caller::Machine, id, days, &[], usize::MAX).await;
    all.expect("explained").rows.into_iter().map(|explained| explained.row).collect()
}

async fn subscriptions_cost_what_was_rated(
    reckoner: &Reckoner,
    id: &BillingAccountId,
    rows: &[RatedRow],
) {
    let today = reckoner.now().day();
    let month = BillingPeriod::of(reckoner.now());
    let cost = |of: &SubscriptionId, days: Range<Day>| {
        let own = rows.iter().filter(|row| {
            row.subscription == *of && days.contains(&row.service_period.start().day())
        });
        Fixed18::checked_sum(own.map(|row| row.cost.major)).expect("a sum")
    };
    let all = reckoner.subscriptions_at(&Caller::Machine, id, None).await.expect("a list");
    for told in reckoner.charged(&Caller::Machine, id, all).await.expect("charges") {
        let charges = told.charges.expect("the machine reads all");
        let before = month.previous().start().day()..month.start().day();
        let days = [month.start().day()..today.next(), before];
        let found = [charges.month_to_date, charges.last_month];
        for (days, found) in days.into_iter().zip(found) {
            let found = found.expect("one currency").major;
            assert_eq!(found, cost(&told.id, days.clone()), "{} {days:?}", told.id);
        }
    }
}

/// The rows of all price sheets of a payer, by meter.
async fn sheets(
    reckoner: &Reckoner,
    id: &BillingAccountId,
    period: BillingPeriod,
) -> BTreeMap<MeterId, Vec<PriceRow>> {
    let level = Level::BillingProfile;
    let profiles = reckoner.places(&Caller::Machine, id, level, None).await.expect("places");
    let mut of: Vec<_> = profiles.into_iter().map(|told| Some(told.place.key.id)).collect();
    if of.is_empty() {
        of.push(None);
    }
    let mut all: BTreeMap<MeterId, Vec<PriceRow>> = BTreeMap::new();
    for profile in of {
        let (billing_account, prices) = (id.clone(), SheetPrices::Of(period));
        let asked = PriceSheetAsked { billing_account, profile, prices };
        let sheet = reckoner.price_sheet(&Caller::Machine, &asked).await.expect("a sheet");
        for row in sheet {
            let row = row.expect("a row");
            all.entry(row.meter.id.clone()).or_default().push(row);
        }
    }
    all
}

/// What costs its price for each unit costs just what a sheet says.
fn is_priced(row: &RatedRow, sheets: &BTreeMap<MeterId, Vec<PriceRow>>) {
    let (RowKind::Usage, Some(price)) = (row.kind, row.unit_price) else { return };
    let one = Fixed18::parse("1").expect("a number");
    let told = sheets.get(&row.meter).into_iter().flatten();
    let mut told = told.filter(|told| told.during.contains(row.service_period.start()));
    let is_told = told.any(|told| told.tier.price == price && told.tier.block == one);
    assert!(is_told, "{price} for {} of {:?} stands in no sheet", row.meter, row.service_period);
    let cost = row.quantity.checked_mul(price, Fixed18::PLACES, Rounding::TowardZero);
    assert_eq!(cost.expect("a product"), row.cost.major, "{row:?}");
}
