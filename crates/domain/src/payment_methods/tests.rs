//! Which payment method pays, over time.

use super::PaymentMethodStanding::{Attached, Default as First, Detached};
use super::*;
use crate::fixtures::t;
use crate::timeline::Timeline;
use std::collections::BTreeMap;

type Step = (&'static str, Option<&'static str>, PaymentMethodStanding);

fn acme() -> BillingAccountId {
    BillingAccountId::new("acme").unwrap()
}

fn id(text: &str) -> PaymentMethodId {
    PaymentMethodId::new(text).unwrap()
}

fn company(methods: &[(&str, &[Step])]) -> Company {
    let timeline = |steps: &[Step]| {
        let steps = steps.iter().map(|(from, profile, standing)| {
            let profile = profile.map(|profile| PlaceId::new(profile).unwrap());
            let means = PaymentMeans::Invoice;
            (t(from), PaymentMethod { means, profile, standing: *standing })
        });
        Timeline::new("payment methods", steps).unwrap()
    };
    let methods: BTreeMap<_, _> =
        methods.iter().map(|(name, steps)| (id(name), timeline(steps))).collect();
    Company { payment_methods: BTreeMap::from([(acme(), methods)]), ..Company::default() }
}

#[test]
fn the_default_of_the_profile_pays_then_that_of_the_account() {
    let company = company(&[
        ("transfer", &[("2026-01-01", None, First)]),
        ("card", &[("2026-03-01", Some("main"), First), ("2026-06-01", Some("main"), Attached)]),
        ("old", &[("2026-01-01", None, Detached)]),
    ]);
    let check = |profile: Option<&str>, at: &str, expected: Option<&str>| {
        let profile = profile.map(|profile| PlaceId::new(profile).unwrap());
        let found = company.default_payment_method_at(&acme(), profile.as_ref(), t(at));
        assert_eq!(found.map(|(id, _)| id.as_str()), expected, "{at}");
    };
    check(None, "2025-12-31", None);
    check(None, "2026-04-01", Some("transfer"));
    check(Some("main"), "2026-02-28", Some("transfer"));
    check(Some("main"), "2026-03-01", Some("card"));
    check(Some("main"), "2026-06-01", Some("transfer"));
    check(Some("other"), "2026-04-01", Some("transfer"));
    assert_eq!(company.payment_methods_at(&acme(), t("2026-04-01")).count(), 3);
}

#[test]
fn one_default_holds_at_a_time_for_a_profile_and_for_the_account() {
    let check = |first: &[Step], second: &[Step], expected: Option<&str>| {
        let company = company(&[("a", first), ("b", second)]);
        let found = company.rival_default(&acme(), &id("a"));
        let expected = expected.map(|since| (id("b"), t(since)));
        assert_eq!(found.map(|(id, since)| (id.clone(), since)), expected);
    };
    let until = |last| [("2026-01-01", None, First), ("2026-05-01", None, last)];
    check(&until(Attached), &[("2026-05-01", None, First)], None);
    check(&until(Detached), &[("2026-04-01", None, First)], Some("2026-04-01"));
    check(&until(First), &[("2026-04-01", None, Attached)], None);
    check(&until(First), &[("2026-04-01", Some("main"), First)], None);
}

#[test]
fn of_a_card_four_digits_are_kept() {
    let month = BillingPeriod::parse("2027-05").unwrap();
    assert_eq!(Card::new("0042", month).unwrap().last_four(), "0042");
    for digits in ["", "042", "00042", "4111111111111111", "12a4", "１２３４"] {
        let error = Card::new(digits, month).unwrap_err().to_string();
        assert_eq!(error, "last_four: must be the last four digits, no more", "{digits}");
    }
}
