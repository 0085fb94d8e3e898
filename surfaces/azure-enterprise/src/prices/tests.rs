use super::*;
use crate::spelled::members;
use domain::catalog::{Aggregation, Meter};
use domain::ids::MeterId;
use domain::price_sheets::{SheetTier, SheetZone};
use domain::usage::Dimension;
use money::Currency;

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).expect("a number")
}

fn price(tier: u16, block: &str) -> PriceRow {
    let (period, zone) = (BillingPeriod::parse("2026-03").expect("a period"), SheetZone::Tier);
    PriceRow {
        meter: Meter {
            id: MeterId::new("hours").expect("an id"),
            name: "Hours".to_owned(),
            category: "Machines".to_owned(),
            subcategory: String::new(),
            region: String::new(),
            unit: "Hours".to_owned(),
            tags: Vec::new(),
            aggregation: Aggregation::Sum,
            names: Default::default(),
        },
        offer: None,
        conditions: Vec::new(),
        tier: SheetTier { from: Fixed18::ZERO, price: number("0.5"), block: number(block), zone },
        included: number("5"),
        list_price: None,
        base_price: None,
        currency: Currency::parse("USD").expect("a currency"),
        during: period.interval(),
        term: None,
        lineage: Some("hours".to_owned()),
        number: Some(tier),
    }
}

fn row(version: Version, price: PriceRow) -> Row {
    let enrollment = BillingAccountId::new("100").expect("an id");
    let part_number = spelled::part_number("hours", price.number.expect("a tier"));
    let period = BillingPeriod::parse("2026-03").expect("a period");
    Row::of((version, &enrollment), period, (part_number, price))
}

#[test]
fn a_price_has_the_members_of_its_version() {
    const FIRST: &str = "billingPeriodId string, currencyCode string, id string, \
        includedQuantity number, meterName string, partNumber string, unitOfMeasure string, \
        unitPrice number";
    let check = |version: Version, more: &[&str]| {
        let mut expected: Vec<&str> = FIRST.split(", ").chain(more.iter().copied()).collect();
        expected.sort_unstable();
        assert_eq!(members(&row(version, price(0, "1"))), expected.join(", "), "{version:?}");
    };
    check(Version::V1, &[]);
    check(Version::V2, &["meterId string"]);
    check(Version::V3, &["meterId string", "offerId string"]);
}

#[test]
fn each_price_is_told_apart_and_names_its_bundle() {
    let first = row(Version::V3, price(0, "1"));
    assert_eq!(first.unit_of_measure, "Hours");
    assert!(first.id.starts_with("enrollments/100/billingperiods/202603/products/"));
    assert!(first.id.ends_with("/pricesheets"));
    let bundle = row(Version::V3, price(1, "100"));
    assert_eq!(bundle.unit_of_measure, "100 Hours");
    let condition = Condition { dimension: Dimension::Location, value: "eu".to_owned() };
    let only = PriceRow { conditions: vec![condition], ..price(0, "1") };
    let only = row(Version::V3, only);
    assert_eq!(only.meter_name, "Hours (location eu)");
    let ids = [&first.id, &bundle.id, &only.id];
    let distinct: std::collections::BTreeSet<_> = ids.into_iter().collect();
    assert_eq!(distinct.len(), 3);
}
