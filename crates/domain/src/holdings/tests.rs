//! Where subscriptions and products may stand.

use super::*;
use crate::fixtures::places::{held, place, world};
use crate::fixtures::{placement, span, t};
use crate::ids::ResellerId;
use calendar::Interval;

fn stands(at: &str, from: &str) -> (Instant, Standing) {
    let place = (!at.is_empty()).then(|| place(at));
    (t(from), Standing { place, reseller: None })
}

fn paid(by: &str, profile: Option<&str>, during: Interval) -> Placement {
    Placement { profile: profile.map(str::to_owned), ..placement(by, during) }
}

fn faults(placements: &[Placement], steps: &[(Instant, Standing)]) -> Vec<String> {
    let mut held = held(None);
    held.standings = Timeline::new("standings", steps.iter().cloned()).unwrap();
    let billing_frequency = BillingFrequency::UsageBased;
    let holding = Holding { billing_frequency, placements, held: &held };
    check_holding(&world().places, &holding).iter().map(ToString::to_string).collect()
}

fn check(placements: &[Placement], steps: &[(Instant, Standing)], expected: &[&str]) {
    assert_eq!(faults(placements, steps), expected, "{steps:?}");
}

fn year() -> Interval {
    span("2026-01-01", "2027-01-01")
}

const YEAR: &str = "standings[2026-01-01T00:00:00Z]";

#[test]
fn holdings_stand_at_the_innermost_level_of_their_agreement() {
    let good = [
        ("mca", Some("p1"), "mca/section s1"),
        ("mpa", Some("u1"), "mpa/customer c1"),
        ("ea", None, "ea/enrollment n1"),
        ("mosp", None, ""),
        ("msg", None, "msg/messaging k3"),
        ("no-agreement", None, ""),
    ];
    for (by, profile, at) in good {
        check(&[paid(by, profile, year())], &[stands(at, "2026-01-01")], &[]);
    }
    let wrong = [
        ("mca", Some("p1"), "", "of level invoice section"),
        ("mca", Some("p1"), "mca/profile p1", "of level invoice section"),
        ("mpa", Some("u1"), "mpa/profile u1", "of level customer"),
        ("ea", None, "ea/department d1", "of level enrollment account"),
        ("mosp", None, "mca/section s1", "empty"),
        ("msg", None, "", "of level messaging account"),
    ];
    for (by, profile, at, problem) in wrong {
        let expected = format!("{YEAR}.place: must be {problem}");
        check(&[paid(by, profile, year())], &[stands(at, "2026-01-01")], &[&expected]);
    }
}

#[test]
fn payer_and_place_agree_at_every_moment() {
    check(
        &[paid("mca2", Some("q1"), year())],
        &[stands("mca/section s1", "2026-01-01")],
        &["placements[0].billing_account: is billing account `mca2`; \
           invoice section `s1` lies in `mca`"],
    );
    check(
        &[paid("mca", Some("p2"), year())],
        &[stands("mca/section s1", "2026-01-01")],
        &["placements[0].profile: is profile `p2`; invoice section `s1` lies in profile `p1`"],
    );
    check(
        &[paid("mpa", Some("eur"), year())],
        &[stands("mpa/customer c1", "2026-01-01")],
        &["placements[0].profile: is profile `eur`; customer `c1` lies in `mpa`"],
    );
    let orphan =
        format!("{YEAR}.place: invoice section `nowhere` does not exist at 2026-01-01T00:00:00Z");
    check(
        &[paid("mca", Some("p1"), year())],
        &[stands("mca/section nowhere", "2026-01-01")],
        &[&orphan],
    );
    // Both change at the same instant, or the time between is refused.
    let (before, after) = (span("2026-01-01", "2026-03-01"), span("2026-03-01", "2027-01-01"));
    let payers = [paid("mca", Some("p1"), before), paid("mca", Some("p2"), after)];
    let (first, then) =
        (stands("mca/section s1", "2026-01-01"), stands("mca/section s3", "2026-03-01"));
    check(&payers, &[first.clone(), then], &[]);
    let late = stands("mca/section s3", "2026-03-02");
    let problem =
        "placements[1].profile: is profile `p2`; invoice section `s1` lies in profile `p1`";
    check(&payers, &[first.clone(), late], &[problem]);
    // A section of the same profile cuts no placement.
    let other = stands("mca/section s2", "2026-03-01");
    check(&[paid("mca", Some("p1"), year())], &[first, other], &[]);
}

#[test]
fn placements_do_not_overlap() {
    let (before, after) = (span("2026-01-01", "2026-03-02"), span("2026-03-01", "2027-01-01"));
    check(
        &[paid("mosp", None, before), paid("mosp", None, after)],
        &[stands("", "2026-01-01")],
        &["placements[1].from: lies before 2026-03-02T00:00:00Z"],
    );
}

#[test]
fn a_reseller_is_one_of_the_customers() {
    let with = |reseller: &str| {
        let (from, mut standing) = stands("mpa/customer c1", "2026-01-01");
        standing.reseller = Some(ResellerId::new(reseller).unwrap());
        (from, standing)
    };
    let payer = [paid("mpa", Some("u1"), year())];
    check(&payer, &[with("r1")], &[]);
    let problem = format!("{YEAR}.reseller: `r9` is no reseller of customer `c1`");
    check(&payer, &[with("r9")], &[&problem]);
}

#[test]
fn the_worlds_subscriptions_have_no_faults() {
    let company = world();
    for (id, held) in &company.places.subscriptions {
        let placements = &company.subscriptions[id].placements;
        let billing_frequency = BillingFrequency::UsageBased;
        let holding = Holding { billing_frequency, placements, held };
        assert_eq!(check_holding(&company.places, &holding), [], "{id}");
    }
}

/// Support in section `s1`, renewed each year.
fn support() -> Product {
    let facts = ProductFacts {
        name: "Support".to_owned(),
        auto_renew: AutoRenew::On,
        ends_at: Some(t("2027-01-01")),
    };
    Product {
        id: ProductId::new("support").unwrap(),
        billing_frequency: BillingFrequency::Monthly,
        facts: Timeline::from(t("2026-01-01"), facts),
        placements: vec![paid("mca", Some("p1"), year())],
        held: held(Some(place("mca/section s1"))),
    }
}

#[test]
fn a_product_ends_after_it_began_and_what_is_renewed_has_an_end() {
    let check = |steps: &[(&str, AutoRenew, Option<&str>)], expected: &[&str]| {
        let steps = steps.iter().map(|(from, auto_renew, ends_at)| {
            let (name, ends_at) = (String::new(), ends_at.map(t));
            (t(from), ProductFacts { name, auto_renew: *auto_renew, ends_at })
        });
        let facts = Timeline::new("facts", steps).unwrap();
        let found = check_product(&world().places, &Product { facts, ..support() });
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    };
    use AutoRenew::{Off, On};
    check(&[("2026-01-01", On, Some("2027-01-01"))], &[]);
    check(&[("2026-01-01", Off, None)], &[]);
    // Renewed once: the next step has the next end.
    let years = [("2026-01-01", On, Some("2027-01-01")), ("2027-01-01", Off, Some("2028-01-01"))];
    check(&years, &[]);
    check(
        &[("2026-01-01", On, None)],
        &["facts[2026-01-01T00:00:00Z].ends_at: must be there, since it is renewed then"],
    );
    check(
        &[("2026-01-01", Off, None), ("2026-03-01", Off, Some("2026-03-01"))],
        &["facts[2026-03-01T00:00:00Z].ends_at: does not come after 2026-03-01T00:00:00Z"],
    );
}

#[test]
fn a_product_is_a_holding_with_its_own_payer() {
    let product = support();
    let company = world();
    assert_eq!(check_product(&company.places, &product), []);
    let mut company = company;
    company.places.products.insert(product.id.clone(), product);
    let reader = crate::company::RoleAssignment {
        principal: PrincipalId::new("p").unwrap(),
        role: crate::access::Role::BillingProfileReader,
        scope: crate::fixtures::places::scope("mca/profile p1"),
        until: calendar::Instant::MAX,
    };
    company.role_assignments = vec![reader];
    let caller = crate::access::Caller::Principal(PrincipalId::new("p").unwrap());
    let asked = crate::fixtures::places::scope("product support");
    let action = crate::access::Action::ReadProducts;
    assert!(crate::access::may(&company, &caller, action, &asked));
}

#[test]
fn what_is_not_renewed_has_expired_at_its_end() {
    let check = |auto_renew: AutoRenew, declared: HoldingState, now: &str, expected| {
        let ends_at = Some(t("2026-06-01"));
        let facts = ProductFacts { name: String::new(), auto_renew, ends_at };
        let product = Product {
            id: crate::ids::ProductId::new("p").unwrap(),
            billing_frequency: BillingFrequency::Monthly,
            facts: Timeline::from(t("2026-01-01"), facts),
            placements: Vec::new(),
            held: held(None),
        };
        assert_eq!(product.state_now(declared, t(now)), expected, "{auto_renew:?} {now}");
    };
    use HoldingState::{Active, Cancelled, Expired};
    check(AutoRenew::Off, Active, "2026-05-31", Active);
    check(AutoRenew::Off, Active, "2026-06-01", Expired);
    check(AutoRenew::Off, Cancelled, "2026-06-01", Cancelled);
    check(AutoRenew::On, Active, "2026-06-01", Active);
}
