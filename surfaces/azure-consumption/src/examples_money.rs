//! The published examples of charges, credit and reservations: an answer goes through our wire
//! types and comes out with everything that it had; and what we answer is as its description says.

use crate::at::Version;
use crate::charges::{
    Charges, LegacyChargeSummaryProperties, ModernChargeSummaryProperties, Telling,
};
use crate::credits::{self, CreditSummaryProperties};
use crate::definitions::{Definitions, Example, answers, examples_of};
use crate::described::{CONSUMPTION, spot, usd};
use crate::events::{self, EventProperties};
use crate::lots::{self, LotProperties};
use crate::recommendation_details::{self, RecommendationDetails};
use crate::recommendations::{
    self, LegacyRecommendationProperties, ModernRecommendationProperties, Recommendation,
};
use crate::reservation_transactions::{self, LegacyTransaction, ModernTransaction};
use crate::reservation_usage::{self, Detail, Summary};
use crate::resource::Resource;
use calendar::{BillingPeriod, Day, Instant, Interval};
use domain::agreements::AgreementType;
use domain::balance_summaries::LotChangeKind;
use domain::catalog::{Aggregation, Meter};
use domain::credit_summaries::CreditSummary;
use domain::credits::LotKind;
use domain::ids::{BillingAccountId, LotId, MeterId, ReservationId, SubscriptionId};
use domain::ledger::Purpose;
use domain::lot_events::{LotEvent, LotEventKind};
use domain::numbering::DocumentNumber;
use domain::reservations::ReservationEvent;
use money::{Cost, Fixed18, Money};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::{
    ChargeSummary, CreditEvent, CreditTold, InstanceHours, LookBack, LotState, LotTold, Named,
    Owner, Purchaser, ReservationDay, ReservationMonth, ReservationRecommendation,
    ReservationTransaction, Utilization,
};
use std::collections::{BTreeMap, BTreeSet};

/// The operations of these types. `AggregatedCost` has none: it is never answered.
const OPERATIONS: [&str; 18] = [
    "Charges_List",
    "Credits_Get",
    "Events_List",
    "Events_ListByBillingAccount",
    "Events_ListByBillingProfile",
    "Lots_List",
    "Lots_ListByBillingAccount",
    "Lots_ListByBillingProfile",
    "ReservationRecommendationDetails_Get",
    "ReservationRecommendations_List",
    "ReservationTransactions_List",
    "ReservationTransactions_ListByBillingProfile",
    "ReservationsDetails_List",
    "ReservationsDetails_ListByReservationOrder",
    "ReservationsDetails_ListByReservationOrderAndReservation",
    "ReservationsSummaries_List",
    "ReservationsSummaries_ListByReservationOrder",
    "ReservationsSummaries_ListByReservationOrderAndReservation",
];

/// Reads a value as one of our types, and writes that.
type Again = fn(&'static Value) -> serde_json::Result<Value>;

fn again<T: Deserialize<'static> + Serialize>(value: &'static Value) -> serde_json::Result<Value> {
    serde_json::to_value(T::deserialize(value)?)
}

/// The types of answers by their definitions; of lists, those of their items.
const ANSWERS: &[(&str, Again)] = &[
    ("CreditSummary", again::<Resource<CreditSummaryProperties>>),
    ("EventSummary", again::<Resource<EventProperties>>),
    ("LegacyChargeSummary", again::<Charges<LegacyChargeSummaryProperties>>),
    ("LegacyReservationRecommendation", again::<Recommendation<LegacyRecommendationProperties>>),
    ("LotSummary", again::<Resource<LotProperties>>),
    ("ModernChargeSummary", again::<Charges<ModernChargeSummaryProperties>>),
    ("ModernReservationRecommendation", again::<Recommendation<ModernRecommendationProperties>>),
    ("ModernReservationTransaction", again::<ModernTransaction>),
    ("ReservationDetail", again::<Detail>),
    ("ReservationRecommendationDetailsModel", again::<RecommendationDetails>),
    ("ReservationSummary", again::<Summary>),
    ("ReservationTransaction", again::<LegacyTransaction>),
];

/// The members that examples have and our answers have not: they are `null` there.
const NULLS: [&str; 5] = [
    "ModernChargeSummaryProperties.billingProfileId",
    "ModernChargeSummaryProperties.invoiceSectionId",
    "ReservationDetail.tags",
    "ReservationRecommendationDetailsProperties.resourceGroup",
    "ReservationSummary.tags",
];

/// What answers consist of: their items, and of what definition each is.
fn parts<'a>(known: &Definitions, name: &str, body: &'a Value) -> Vec<(String, &'a Value)> {
    let Some(item) = known.items(name) else { return vec![(name.to_owned(), body)] };
    let of_kind = |value: &Value| match value["kind"].as_str() {
        Some("legacy") => format!("Legacy{item}"),
        Some("modern") => format!("Modern{item}"),
        _ => item.to_owned(),
    };
    let items = body["value"].as_array().unwrap().iter();
    items.map(|value| (of_kind(value), value)).collect()
}

#[test]
fn an_answer_of_every_example_comes_out_of_our_types_as_it_went_in() {
    for version in Version::ALL {
        let Some(known) = Definitions::of(&CONSUMPTION, version.name()) else { return };
        let ids = BTreeSet::from(OPERATIONS);
        let (mut lost, mut used) = (BTreeSet::new(), BTreeSet::new());
        for example in &examples_of(&CONSUMPTION, version.name(), &ids).unwrap() {
            let Example { name: file, id, operation: _, told: _ } = example;
            for (name, body) in answers(example) {
                for (name, value) in parts(&known, name, body) {
                    let (of, again) = ANSWERS.iter().find(|(of, _)| *of == name).expect(id);
                    used.insert(*of);
                    let value: &'static Value = Box::leak(Box::new(value.clone()));
                    let written =
                        again(value).unwrap_or_else(|error| panic!("{version:?} {file}: {error}"));
                    let schema = json!({ "$ref": format!("#/definitions/{name}") });
                    lost.extend(known.lost(&schema, value, &written));
                }
            }
        }
        let nulls: BTreeSet<String> = NULLS.into_iter().map(str::to_owned).collect();
        assert_eq!(lost, nulls, "{version:?}: lost on the way");
        let all: BTreeSet<&str> = ANSWERS.iter().map(|(of, _)| *of).collect();
        assert_eq!(used, all, "{version:?}: types that examples have");
    }
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn day(text: &str) -> Day {
    at(text).day()
}

fn money(minor: i128) -> Money {
    Money::from_minor(minor, usd())
}

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).unwrap()
}

fn cost(text: &str) -> Cost {
    Cost { major: number(text), currency: usd() }
}

fn named(id: &str) -> Option<Named> {
    Some(Named { id: id.to_owned(), name: id.to_uppercase() })
}

fn autumn() -> Interval {
    Interval::new(at("2026-09-01"), at("2026-12-01")).unwrap()
}

const SUBSCRIPTION: &str = "7d2f1a30-0000-4000-8000-0000000000aa";
const METER: &str = "7d2f1a30-0000-4000-8000-000000000001";

fn lot() -> LotTold {
    LotTold {
        id: LotId::new("gift").unwrap(),
        kind: LotKind::Credit,
        granted: money(10_000),
        holds: autumn(),
        filled_at: Some(at("2026-09-01")),
        booked: money(4_000),
        drawn: money(1_000),
        available: money(3_000),
        state: LotState::Active,
    }
}

fn credit() -> CreditTold {
    CreditTold {
        billing_account: BillingAccountId::new("north").unwrap(),
        at: at("2026-11-18"),
        currency: usd(),
        summary: CreditSummary {
            current: money(4_000),
            adjustments: money(0),
            expired: money(0),
            charges: money(1_000),
            estimated: money(3_000),
        },
        lots: vec![lot()],
    }
}

fn event(what: LotEventKind, minor: i128, is_booked: bool) -> CreditEvent {
    let id = LotId::new("gift").unwrap();
    CreditEvent {
        name: "0123".to_owned(),
        is_booked,
        event: LotEvent {
            at: at("2026-10-01"),
            lot: id.clone(),
            kind: LotKind::Credit,
            what,
            purpose: Purpose::Grant { lot: id },
            document: None,
            amount: money(minor),
        },
        document: is_booked.then(|| DocumentNumber::parse("RKC-00000007").unwrap()),
        profile: named("ships"),
        closed: money(4_000),
    }
}

/// Everything that can happen, and the words for it.
fn events() -> Vec<(CreditEvent, &'static str, &'static str)> {
    let changed = LotEventKind::Changed;
    let all = [
        (changed(LotChangeKind::Grant), 5_000, "newCredit", "NewCredit", "PendingNewCredit"),
        (changed(LotChangeKind::Purchase), 5_000, "newCredit", "NewCredit", "PendingNewCredit"),
        (
            changed(LotChangeKind::Purchase),
            -5_000,
            "canceledCredit",
            "UnKnown",
            "PendingAdjustments",
        ),
        (changed(LotChangeKind::GivenBack), 10, "adjustments", "UnKnown", "PendingAdjustments"),
        (changed(LotChangeKind::Expiry), -10, "creditExpired", "UnKnown", "PendingExpiredCredit"),
        (
            changed(LotChangeKind::ExpiryAgain),
            -10,
            "creditExpired",
            "UnKnown",
            "PendingExpiredCredit",
        ),
        (LotEventKind::Paid, -10, "charges", "SettledCharges", "PendingCharges"),
    ];
    let both = all.into_iter().flat_map(|(what, minor, member, booked, pending)| {
        [(true, booked), (false, pending)]
            .map(|(is_booked, word)| (event(what, minor, is_booked), member, word))
    });
    both.collect()
}

fn charges() -> ChargeSummary {
    ChargeSummary {
        period: BillingPeriod::parse("2026-10").unwrap(),
        is_invoiced: true,
        profile: named("ships"),
        section: named("freight"),
        customer: named("bakery"),
        covered: cost("12.5"),
        separate: cost("-3"),
        marketplace: cost("0"),
    }
}

fn counted() -> Meter {
    Meter {
        id: MeterId::new(METER).unwrap(),
        name: "D2 v3".to_owned(),
        category: "Virtual Machines".to_owned(),
        subcategory: String::new(),
        region: "westus".to_owned(),
        unit: "1 Hour".to_owned(),
        tags: Vec::new(),
        aggregation: Aggregation::Sum,
        names: BTreeMap::new(),
    }
}

fn utilization() -> Utilization {
    Utilization { min: number("10"), avg: number("52.5"), max: number("100") }
}

fn reservation_day() -> ReservationDay {
    ReservationDay {
        reservation: ReservationId::new("r1").unwrap(),
        billing_account: BillingAccountId::new("north").unwrap(),
        meter: Some(MeterId::new(METER).unwrap()),
        counted: Some(counted()),
        day: day("2026-10-03"),
        quantity: number("2"),
        reserved: number("48"),
        used: number("25.2"),
        utilization: utilization(),
        instances: vec![InstanceHours {
            subscription: SubscriptionId::new(SUBSCRIPTION).unwrap(),
            instance: "/subscriptions/s/resourceGroups/fleet/virtualMachines/vm1".to_owned(),
            used: number("25.2"),
        }],
    }
}

fn reservation_month() -> ReservationMonth {
    let ReservationDay { reservation, billing_account, meter, counted, reserved, used, .. } =
        reservation_day();
    let period = BillingPeriod::parse("2026-10").unwrap();
    ReservationMonth {
        reservation,
        billing_account,
        meter,
        counted,
        period,
        reserved,
        used,
        utilization: utilization(),
    }
}

fn transaction() -> ReservationTransaction {
    let account = BillingAccountId::new("north").unwrap();
    ReservationTransaction {
        reservation: ReservationId::new("r1").unwrap(),
        event: ReservationEvent::Refund,
        at: at("2026-10-03T09:00:00Z"),
        quantity: number("2"),
        amount: cost("-21"),
        term: Interval::new(at("2026-05-10"), at("2029-05-10")).unwrap(),
        meter: Some(MeterId::new(METER).unwrap()),
        counted: Some(counted()),
        region: Some("westus".to_owned()),
        bought_by: account.clone(),
        held_by: account,
        purchaser: Purchaser {
            subscription: SubscriptionId::new(SUBSCRIPTION).unwrap(),
            subscription_name: "Ferry".to_owned(),
            enrollment_account: named("lab"),
            account_owner: Some(Owner {
                name: "Ada".to_owned(),
                email: Some("ada@north.example".to_owned()),
            }),
            department: named("research"),
            profile: named("ships"),
            section: named("freight"),
            customer: None,
            cost_center: "42".to_owned(),
        },
    }
}

fn recommendation(of: Option<&str>) -> ReservationRecommendation {
    ReservationRecommendation {
        billing_account: BillingAccountId::new("north").unwrap(),
        subscription: of.map(|id| SubscriptionId::new(id).unwrap()),
        look_back: LookBack::Last30Days,
        meter: MeterId::new(METER).unwrap(),
        counted: Some(counted()),
        region: Some("westus".to_owned()),
        conditions: Vec::new(),
        term: Interval::new(at("2026-05-10"), at("2029-05-10")).unwrap(),
        cost_without: cost("368.48"),
        cost_with: cost("216.06"),
        net_savings: cost("152.42"),
        quantity: number("1"),
        first_used: day("2026-10-20"),
    }
}

fn value(answer: impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap()
}

#[test]
fn an_answer_is_as_its_description_says() {
    for version in Version::ALL {
        let Some(mut known) = Definitions::of(&CONSUMPTION, version.name()) else { return };
        known.check("CreditSummary", credits::view("/a", &credit()).unwrap());
        known.check("LotSummary", lots::view(version, "/a", &lot()).unwrap());
        for (event, _, _) in events() {
            known.check("EventSummary", events::view(version, ("/a", "/a"), &event).unwrap());
        }
        let days = day("2026-10-01")..day("2026-10-11");
        let enterprise = spot(AgreementType::Enterprise);
        let telling = Telling { spot: &enterprise, days: days.clone() };
        known.check("LegacyChargeSummary", telling.legacy(&charges()));
        let customer = spot(AgreementType::Customer);
        let telling = Telling { spot: &customer, days };
        known.check("ModernChargeSummary", telling.modern(&charges()));
        let of_day = reservation_day();
        let instance = of_day.instances.first().unwrap();
        known.check("ReservationDetail", reservation_usage::detail("/a", &of_day, (1, instance)));
        known.check("ReservationSummary", reservation_usage::daily("/a", &of_day));
        known.check("ReservationSummary", reservation_usage::monthly("/a", &reservation_month()));
        check_transactions(&mut known, version);
        check_recommendations(&mut known, version);
        known.check_left_out();
    }
}

fn check_transactions(known: &mut Definitions, version: Version) {
    let is_second = version == Version::V2021;
    let legacy = reservation_transactions::legacy("/a", &transaction(), is_second);
    known.check("LegacyReservationTransaction", legacy);
    let modern = reservation_transactions::modern(("/a/p", "/a"), &transaction());
    known.check("ModernReservationTransaction", modern);
}

/// The properties of the legacy kind are described by whose usage they cover.
fn check_recommendations(known: &mut Definitions, version: Version) {
    for of in [Some(SUBSCRIPTION), None] {
        let told = recommendation(of);
        let mut legacy = value(recommendations::legacy("/a", &told, version));
        let properties = legacy.as_object_mut().unwrap().remove("properties").unwrap();
        known.check("ReservationRecommendation", legacy);
        let described = match (version, of) {
            (Version::V2019, _) => "LegacyReservationRecommendationProperties",
            (Version::V2021, Some(_)) => "LegacySingleScopeReservationRecommendationProperties",
            (Version::V2021, None) => "LegacySharedScopeReservationRecommendationProperties",
        };
        known.check(described, properties);
        let modern = recommendations::modern("/a", &told, version);
        known.check("ModernReservationRecommendation", modern);
        let details = recommendation_details::view("/a", &told);
        known.check("ReservationRecommendationDetailsModel", details);
    }
}

#[test]
fn an_event_tells_what_it_changed_in_one_member() {
    let members = ["newCredit", "adjustments", "creditExpired", "charges", "canceledCredit"];
    for (event, member, word) in events() {
        for version in Version::ALL {
            let told = value(events::view(version, ("/a", "/a"), &event).unwrap());
            assert_eq!(told["properties"]["eventType"], word, "{event:?}");
            // The first version has no member for what is taken back.
            let is_first = version == Version::V2019 && member == "canceledCredit";
            let member = if is_first { "adjustments" } else { member };
            for one in members {
                let told = &told["properties"][one]["value"];
                let expected = if one == member { event.event.amount } else { money(0) };
                let expected = expected.to_cost().unwrap().major.to_string();
                let is_left_out = told.is_null() && one != member;
                assert!(
                    is_left_out || format!("{told}") == expected,
                    "{version:?} {one} {event:?}"
                );
            }
        }
    }
}

#[test]
fn charges_stand_below_the_place_that_they_are_grouped_by() {
    let customer = spot(AgreementType::Customer);
    let days = day("2026-10-04")..day("2026-12-01");
    let telling = Telling { spot: &customer, days };
    let check = |summary: ChargeSummary, expected: &str| {
        let told = value(telling.modern(&summary));
        let account = "/providers/Microsoft.Billing/billingAccounts/north";
        let tail = "providers/Microsoft.Consumption/charges";
        assert_eq!(told["id"], format!("{account}{expected}/{tail}/202610"));
        assert_eq!(told["properties"]["usageStart"], "2026-10-04");
        assert_eq!(told["properties"]["usageEnd"], "2026-10-31");
    };
    let none = ChargeSummary { profile: None, section: None, customer: None, ..charges() };
    check(none.clone(), "");
    check(ChargeSummary { profile: named("ships"), ..none.clone() }, "/billingProfiles/ships");
    check(
        ChargeSummary { profile: named("ships"), section: named("freight"), ..none.clone() },
        "/billingProfiles/ships/invoiceSections/freight",
    );
    check(ChargeSummary { customer: named("bakery"), ..none }, "/customers/bakery");
}
