//! A usage detail and its enrollment, for tests.

use calendar::{BillingPeriod, Instant, Interval};
use domain::credits::Coverage;
use domain::ids::BillingAccountId;
use domain::rated::RowKind;
use domain::usage::{ChargeCategory, Dimension};
use money::{Cost, Currency, Fixed18};
use service::{DetailCost, DetailKind, DetailTold, MeterNamed, Named};

pub(crate) fn number(digits: &str) -> Fixed18 {
    Fixed18::parse(digits).expect("a number")
}

pub(crate) fn named(id: &str, name: &str) -> Option<Named> {
    Some(Named { id: id.to_owned(), name: name.to_owned() })
}

/// What a detail costs in euros: its price of one unit, and all of it.
pub(crate) fn costs(price: Option<&str>, cost: &str) -> DetailCost {
    let cost = Cost { major: number(cost), currency: Currency::parse("EUR").expect("euros") };
    DetailCost {
        unit_price: price.map(number),
        pricing: cost,
        exchange: None,
        billing: cost,
        amortised: cost,
        list: None,
    }
}

/// Usage of a disk on the second of March 2026.
pub(crate) fn disk() -> DetailTold {
    let (day, tags) = (Instant::parse("2026-03-02").expect("a day"), [("env", "=prod")]);
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    DetailTold {
        name: "0".repeat(32),
        billing_account: enrollment(),
        period: BillingPeriod::of(day),
        day: day.day(),
        kind: DetailKind::Rated(RowKind::Usage),
        category: ChargeCategory::Usage,
        coverage: Coverage::Covered,
        service_period: Interval::at(day),
        profile: None,
        section: None,
        customer: None,
        department: named("rd", "R&D"),
        enrollment_account: named("platform", "Platform"),
        cost_center: "77".to_owned(),
        owner_email: Some("owner@example.org".to_owned()),
        subscription: named("5b0d1e9a-0000-4000-8000-000000000001", "Prod"),
        offer: named("MS-AZR-0017P", "Enterprise"),
        meter: Some(MeterNamed {
            id: "disks".to_owned(),
            category: "Storage".to_owned(),
            subcategory: "Premium".to_owned(),
            unit: "Units".to_owned(),
        }),
        meter_region: "West".to_owned(),
        description: "P10 Disks".to_owned(),
        resource: "/subscriptions/s/resourceGroups/rg1/providers/Reckoner.Disks/disks/d1".into(),
        dimensions: [(Dimension::Location, "uswest".to_owned())].into(),
        tags: tags.map(own).into(),
        details: Some(r#"{"additionalInfo":{"ImageType":"a"},"ServiceInfo2":"b"}"#.to_owned()),
        reservation: None,
        item: String::new(),
        invoice: None,
        quantity: number("0.5"),
        price: Some("p10".to_owned()),
        tier: 0,
        cost: Some(costs(Some("8.4"), "4.2")),
    }
}

pub(crate) fn enrollment() -> BillingAccountId {
    BillingAccountId::new("555001").expect("an id")
}
