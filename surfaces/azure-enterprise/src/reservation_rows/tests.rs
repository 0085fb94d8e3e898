use super::*;
use crate::spelled::members;
use calendar::{BillingPeriod, Instant, Interval};
use domain::ids::{BillingAccountId, ReservationId, SubscriptionId};
use money::{Cost, Currency};
use service::{InstanceHours, Purchaser as Bought};

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).expect("a number")
}

fn cost(text: &str) -> Cost {
    Cost { major: number(text), currency: Currency::parse("USD").expect("a currency") }
}

fn moment(text: &str) -> Instant {
    Instant::parse(text).expect("a time")
}

fn year() -> Interval {
    Interval::new(moment("2026-03-01T13:00:00Z"), moment("2029-03-01T13:00:00Z")).expect("a term")
}

fn account(id: &str) -> BillingAccountId {
    BillingAccountId::new(id).expect("an id")
}

fn hours() -> Option<MeterId> {
    Some(MeterId::new("hours").expect("an id"))
}

fn reservation() -> ReservationId {
    ReservationId::new("r1").expect("an id")
}

fn charge(event: ReservationEvent) -> ReservationTransaction {
    ReservationTransaction {
        reservation: reservation(),
        event,
        at: moment("2026-03-01T13:00:00Z"),
        quantity: number("2"),
        amount: cost("-10.5"),
        term: year(),
        meter: hours(),
        counted: None,
        region: Some("eu".to_owned()),
        bought_by: account("100"),
        held_by: account("200"),
        purchaser: Bought {
            subscription: SubscriptionId::new("prod").expect("an id"),
            subscription_name: "Production".to_owned(),
            enrollment_account: None,
            account_owner: None,
            department: None,
            profile: None,
            section: None,
            customer: None,
            cost_center: "77".to_owned(),
        },
    }
}

fn day(instances: &[(&str, &str)]) -> ReservationDay {
    let instance = |(instance, used): &(&str, &str)| InstanceHours {
        subscription: SubscriptionId::new("prod").expect("an id"),
        instance: (*instance).to_owned(),
        used: number(used),
    };
    ReservationDay {
        reservation: reservation(),
        billing_account: account("100"),
        meter: hours(),
        counted: None,
        day: moment("2026-03-02").day(),
        quantity: number("1"),
        reserved: number("24"),
        used: number("23"),
        utilization: utilization(),
        instances: instances.iter().map(instance).collect(),
    }
}

fn utilization() -> Utilization {
    Utilization { min: Fixed18::ZERO, avg: number("95.83"), max: number("100") }
}

/// Source: `enterprise-reporting.md` section 3.8, with both spellings of two members.
const CHARGED: &str = "PurchasingsubscriptionGuid string, PurchasingsubscriptionName string, \
    amount number, armSkuName string, currency string, currentEnrollment string, \
    description string, eventDate string, eventType string, purchasingEnrollment string, \
    purchasingSubscriptionGuid string, purchasingSubscriptionName string, quantity number, \
    region string, reservationOrderId string, reservationOrderName string, term string";

#[test]
fn a_charge_has_the_members_of_its_version() {
    const PURCHASER: [&str; 4] = [
        "accountName string",
        "accountOwnerEmail string",
        "costCenter string",
        "departmentName string",
    ];
    let check = |version: Version, more: &[&str]| {
        let mut expected: Vec<&str> = CHARGED.split(", ").chain(more.iter().copied()).collect();
        expected.sort_unstable();
        let told = Charge::of(version, &charge(ReservationEvent::Purchase));
        assert_eq!(members(&told), expected.join(", "), "{version:?}");
    };
    check(Version::V2, &[]);
    check(Version::V3, &PURCHASER);
    check(Version::V4, &[PURCHASER.as_slice(), &["billingFrequency string"]].concat());
}

#[test]
fn a_charge_says_what_was_bought_and_who_has_it_now() {
    let told = Charge::of(Version::V4, &charge(ReservationEvent::Refund));
    assert_eq!(told.description, "hours eu 3 Year");
    assert_eq!((told.term.as_str(), told.event_type), ("P3Y", "Refund"));
    let moved = (told.purchasing_enrollment.as_str(), told.current_enrollment.as_str());
    assert_eq!(moved, ("100", "200"));
    assert_eq!(told.amount, ExactNumber(number("-10.5")));
    let events = [
        (ReservationEvent::Purchase, "Purchase"),
        (ReservationEvent::Cancel, "Cancel"),
        (ReservationEvent::Exchange, "Refund"),
    ];
    for (event, expected) in events {
        assert_eq!(Charge::of(Version::V2, &charge(event)).event_type, expected);
    }
}

#[test]
fn a_day_has_a_row_for_each_instance_and_one_where_nothing_was_used() {
    const MEMBERS: &str = "instanceId string, reservationId string, reservationOrderId string, \
        reservedHours number, skuName string, totalReservedQuantity number, usageDate string, \
        usedHours number";
    let rows = Detail::of(&day(&[("vm1", "20"), ("vm2", "3")]));
    assert_eq!(members(&rows[0]), MEMBERS);
    let shown = serde_json::to_string(&rows[1]).expect("JSON");
    assert!(shown.contains(r#""usageDate":"2026-03-02T00:00:00""#), "{shown}");
    assert!(shown.contains(r#""reservedHours":24.000000000000000"#), "{shown}");
    assert!(shown.contains(r#""usedHours":3.000000000000000"#), "{shown}");
    let unused = Detail::of(&day(&[]));
    assert_eq!((unused.len(), unused[0].used_hours), (1, Long(Fixed18::ZERO)));
}

#[test]
fn summaries_of_days_and_months_have_the_same_members() {
    const MEMBERS: &str = "avgUtilizationPercentage number, maxUtilizationPercentage number, \
        minUtilizationPercentage number, reservationId string, reservationOrderId string, \
        reservedHours number, skuName string, usageDate string, usedHours number";
    assert_eq!(members(&Daily::of(&day(&[]))), MEMBERS);
    let month = ReservationMonth {
        reservation: reservation(),
        billing_account: account("100"),
        meter: hours(),
        counted: None,
        period: BillingPeriod::parse("2026-03").expect("a period"),
        reserved: number("24"),
        used: number("23"),
        utilization: utilization(),
    };
    let told = Monthly::of(&month);
    assert_eq!(members(&told), MEMBERS);
    let shown = serde_json::to_string(&told).expect("JSON");
    assert!(shown.contains(r#""usageDate":"2026-03-01T00:00:00""#), "{shown}");
    assert!(shown.contains(r#""avgUtilizationPercentage":95.83"#), "{shown}");
}

#[test]
fn only_a_single_recommendation_names_its_subscription() {
    const MEMBERS: &str = "costWithNoRI number, firstUsageDate string, \
        instanceFlexibilityGroup string, instanceFlexibilityRatio number, lookBackPeriod string, \
        meterId string, netSavings number, normalizedSize string, recommendedQuantity number, \
        recommendedQuantityNormalized number, region string, resourceType string, \
        skuName string, skuProperties array, term string, totalCostWithRI number";
    let shared = ReservationRecommendation {
        billing_account: account("100"),
        subscription: None,
        look_back: LookBack::Last30Days,
        meter: MeterId::new("hours").expect("an id"),
        counted: None,
        region: None,
        conditions: Vec::new(),
        term: year(),
        cost_without: cost("20"),
        cost_with: cost("12"),
        net_savings: cost("8"),
        quantity: number("2"),
        first_used: moment("2026-03-02").day(),
    };
    let told = Recommendation::of(&shared);
    assert_eq!((members(&told).as_str(), told.look_back_period), (MEMBERS, "Last30Days"));
    let subscription = Some(SubscriptionId::new("prod").expect("an id"));
    let single = ReservationRecommendation { subscription, ..shared };
    let expected = MEMBERS.replace(", term ", ", subscriptionId string, term ");
    assert_eq!(members(&Recommendation::of(&single)), expected);
}
