use super::*;
use crate::spelled::members;
use calendar::{BillingPeriod, Instant, Interval};
use domain::ids::BillingAccountId;
use domain::rated::RowKind;
use domain::usage::ChargeCategory;
use money::{Cost, Currency};
use service::{DetailCost, MeterNamed, Named};

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).expect("a number")
}

fn named(id: &str, name: &str) -> Option<Named> {
    Some(Named { id: id.to_owned(), name: name.to_owned() })
}

/// Four units of a publisher's meter, for six dollars.
fn detail(kind: DetailKind, details: &str) -> DetailTold {
    let day = Instant::parse("2026-03-02").expect("a day");
    let currency = Currency::parse("USD").expect("a currency");
    let six = Cost { major: number("6"), currency };
    let costs = DetailCost {
        unit_price: None,
        pricing: six,
        exchange: None,
        billing: six,
        amortised: six,
        list: None,
    };
    DetailTold {
        name: "row".to_owned(),
        billing_account: BillingAccountId::new("100").expect("an id"),
        period: BillingPeriod::of(day),
        day: day.day(),
        kind,
        category: ChargeCategory::Marketplace,
        coverage: Coverage::Marketplace,
        service_period: Interval::at(day),
        profile: None,
        section: None,
        customer: None,
        department: named("7", "Research"),
        enrollment_account: named("42", "Platform"),
        cost_center: "77".to_owned(),
        owner_email: Some("owner@example.org".to_owned()),
        subscription: named("prod", "Production"),
        offer: None,
        meter: Some(MeterNamed {
            id: "2core".to_owned(),
            category: "Firewalls".to_owned(),
            subcategory: String::new(),
            unit: "Hours".to_owned(),
        }),
        meter_region: String::new(),
        description: "Two cores".to_owned(),
        resource: "/subscriptions/prod/resourceGroups/rg1/providers/p/t/n".to_owned(),
        dimensions: Default::default(),
        tags: [("env".to_owned(), "prod".to_owned())].into(),
        details: Some(details.to_owned()),
        reservation: None,
        item: String::new(),
        invoice: None,
        quantity: number("4"),
        price: None,
        tier: 0,
        cost: Some(costs),
    }
}

const USED: DetailKind = DetailKind::Rated(RowKind::PassedThrough);

/// Source: `enterprise-reporting.md` section 3.6.
const MEMBERS: &str = "accountId number, accountName string, accountOwnerId string, \
    additionalInfo string, consumedQuantity number, costCenter string, departmentId number, \
    departmentName string, extendedCost number, id string, instanceId string, meterId string, \
    offerName string, orderNumber string, planName string, publisherName string, \
    resourceGroup string, resourceRate number, subscriptionGuid string, subscriptionName string, \
    tags string, unitOfMeasure string, usageEndDate string, usageStartDate string";

#[test]
fn a_charge_has_the_members_of_its_version() {
    for version in FIRST_THREE {
        let row = Row::of(*version, &detail(USED, "{}")).expect("a row").expect("its cost");
        let fee = if *version >= Version::V3 { "isRecurringCharge boolean" } else { "" };
        let mut expected: Vec<&str> =
            MEMBERS.split(", ").chain([fee]).filter(|one| !one.is_empty()).collect();
        expected.sort_unstable();
        assert_eq!(members(&row), expected.join(", "), "{version:?}");
    }
}

#[test]
fn a_charge_is_told_as_its_source_said() {
    let said = r#"{"OfferName":"Walls","planName":"Small","PublisherName":"Ajax",
        "orderNumber":"9","unitOfMeasure":"1 Hour","additionalInfo":{"seats":2}}"#;
    let row = Row::of(Version::V3, &detail(USED, said)).expect("a row").expect("its cost");
    let shown = serde_json::to_value(&row).expect("JSON");
    let check = |member: &str, expected: &str| {
        assert_eq!(shown[member].to_string(), expected, "{member}");
    };
    check("offerName", "\"Walls\"");
    check("planName", "\"Small\"");
    check("publisherName", "\"Ajax\"");
    check("orderNumber", "\"9\"");
    check("unitOfMeasure", "\"1 Hour\"");
    check("additionalInfo", r#""{\"seats\":2}""#);
    check("accountId", "42");
    check("departmentId", "7");
    check("resourceGroup", "\"rg1\"");
    check("usageStartDate", "\"2026-03-02T00:00:00Z\"");
    check("usageEndDate", "\"2026-03-02T23:59:59Z\"");
    check("consumedQuantity", "4");
    check("resourceRate", "1.5");
    check("extendedCost", "6");
    check("tags", r#""{\"env\":\"prod\"}""#);
    check("isRecurringCharge", "false");
}

#[test]
fn fees_stand_in_no_version_before_the_third() {
    let check = |kind: DetailKind, details: &str, is_fee: bool| {
        for version in FIRST_THREE {
            let row = Row::of(*version, &detail(kind, details)).expect("a row").expect("a cost");
            assert_eq!(row.is_told(*version), *version == Version::V3 || !is_fee, "{details}");
        }
    };
    check(USED, "{}", false);
    check(USED, r#"{"isRecurringCharge":"False"}"#, false);
    check(USED, r#"{"IsRecurringCharge":"True"}"#, true);
    check(USED, r#"{"isRecurringCharge":true}"#, true);
    check(DetailKind::Charge, "{}", true);
    check(DetailKind::Note, "{}", false);
}
