//! Terms of an offer in their order, against the published formula.

use super::*;
use crate::credits::{DueCharge, OpenLot, Payable, draw};
use crate::fixtures::{cents, few, lot_id, meter_id, n, period, t, usd};
use proptest::prelude::*;

fn discounts(text: &str) -> Vec<(Fixed18, Fixed18)> {
    let pair = |text: &str| {
        let (bound, fraction) = text.split_once(':').unwrap();
        (n(bound.trim()), n(fraction.trim()))
    };
    text.split(',').map(pair).collect()
}

fn commitment(from: &str, text: &str, excluded: &[&str]) -> OfferTerm {
    let excluded = excluded.iter().map(|meter| meter_id(meter)).collect();
    OfferTerm::MonetaryCommitment { effective_from: t(from), discounts: discounts(text), excluded }
}

fn credit(from: &str, amount: &str, excluded: &[&str]) -> OfferTerm {
    let excluded = excluded.iter().map(|meter| meter_id(meter)).collect();
    OfferTerm::MonetaryCredit { effective_from: t(from), credit: n(amount), excluded }
}

fn recurring(from: &str, amount: &str) -> OfferTerm {
    OfferTerm::RecurringCharge { effective_from: t(from), amount: n(amount) }
}

/// `m 10, third:k 5`: meters and what they cost.
fn costs(text: &str) -> Vec<MeterCost> {
    let cost = |text: &str| {
        let (meter, cost) = text.trim().split_once(' ').unwrap();
        let third = meter.strip_prefix("third:");
        let provider = if third.is_some() { Provider::Third } else { Provider::Own };
        MeterCost { meter: meter_id(third.unwrap_or(meter)), provider, cost: n(cost) }
    };
    text.split(',').map(cost).collect()
}

#[test]
fn discount_then_credit_then_recurring_charge() {
    let all = [
        commitment("2026-01-01", "0: 0, 500: 0.05, 1000: 0.1", &["x"]),
        credit("2026-01-01", "50", &["y"]),
        recurring("2026-01-01", "7"),
    ];
    let check = |terms: &[OfferTerm], committed: &str, text: &str, expected: &str| {
        let in_force = TermsInForce::of(terms, period("2026-03"));
        let applied = apply(&in_force, n(committed), &costs(text)).unwrap();
        let OfferApplied { discounts: _, credit_used, credit_left, recurring, total } = applied;
        let shown = format!("-{credit_used} ({credit_left}) +{recurring} = {total}");
        assert_eq!(shown, expected, "{text}");
    };
    check(&[], "0", "m 1740.80", "-0 (0) +0 = 1740.8"); // the worked example
    check(&all[1..2], "0", "m 1740.80", "-50 (0) +0 = 1690.8");
    check(&all, "499.99", "m 100", "-50 (0) +7 = 57");
    check(&all, "500", "m 100", "-50 (0) +7 = 52"); // 5 % first, then the credit
    check(&all, "1000", "m 100", "-50 (0) +7 = 47");
    check(&all, "500", "x 100", "-50 (0) +7 = 57"); // no discount on x
    check(&all, "500", "third:m 100", "-50 (0) +7 = 57"); // nor on others' services
    check(&all, "500", "y 100", "-0 (50) +7 = 102"); // no credit on y
    check(&all, "500", "m 20, y 100", "-19 (31) +7 = 102");
    check(&all, "500", "m 20", "-19 (31) +7 = 7"); // never below zero; not on the recurring charge
    check(&all, "500", "m -20", "-0 (50) +7 = -12");
}

#[test]
fn the_newest_term_that_held_when_the_period_began_holds() {
    let terms = [
        credit("2026-03-01T00:00:00.000001Z", "3", &[]),
        credit("2026-03-01", "2", &[]),
        credit("2026-01-01", "1", &[]),
    ];
    let check = |month: &str, expected: Option<&str>| {
        let found = TermsInForce::of(&terms, period(month)).credit.map(|(credit, _)| credit);
        assert_eq!(found, expected.map(n), "{month}");
    };
    check("2025-12", None);
    check("2026-01", Some("1"));
    check("2026-02", Some("1"));
    check("2026-03", Some("2"));
    check("2026-04", Some("3"));
}

#[test]
fn a_discount_is_rounded_once() {
    let terms = [commitment("2026-01-01", "0: 0.5", &[])];
    let in_force = TermsInForce::of(&terms, period("2026-03"));
    let applied = apply(&in_force, Fixed18::ZERO, &costs("m 0.000000000000000003")).unwrap();
    assert_eq!(applied.discounts, [n("-0.000000000000000002")]);
}

/// What a subscription's lines leave to pay when the credit is a lot and the discount a line.
fn left_by_lines(terms: &TermsInForce<'_>, costs: &[MeterCost], applied: &OfferApplied) -> i128 {
    let book = |major| Cost { major, currency: usd() }.book(Rounding::default()).unwrap();
    let mut charges = Vec::new();
    let mut push = |category, meter, major| {
        let line = u32::try_from(charges.len()).unwrap();
        let (at, amount) = (t("2026-03-01"), book(major));
        charges.push(DueCharge { line, at, category, meter, amount, payable: Payable::ByLots });
    };
    for (one, discount) in costs.iter().zip(&applied.discounts) {
        push(ChargeCategory::Usage, Some(one.meter.clone()), one.cost);
        push(ChargeCategory::Adjustment, Some(one.meter.clone()), *discount);
    }
    push(ChargeCategory::Purchase, None, applied.recurring);
    let lot = terms.credit_lot(lot_id("credit"), period("2026-03"), usd()).unwrap();
    let lots: Vec<OpenLot<'_>> = lot.iter().map(|lot| OpenLot { lot, left: lot.granted }).collect();
    let drawn = draw(usd(), &charges, &lots, &Exclusions::default()).unwrap();
    drawn.charges.iter().map(|charge| charge.left.minor()).sum()
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn lines_and_a_lot_come_to_the_same_as_the_formula(
        amounts in prop::collection::vec((prop::sample::select(vec!["m", "x", "y"]), 0_i64..900), 0..6),
        granted in 0_i64..2_000,
        fee in 0_i64..50,
    ) {
        // Whole dollars and whole tenths keep every line free of rounding.
        let dollars = |whole: i64| cents(whole * 100).to_cost().unwrap().major;
        let terms = [
            commitment("2026-01-01", "0: 0.1", &["x"]),
            credit("2026-01-01", &granted.to_string(), &["y"]),
            recurring("2026-01-01", &fee.to_string()),
        ];
        let terms = TermsInForce::of(&terms, period("2026-03"));
        let cost = |(meter, whole): (&str, i64)| MeterCost {
            meter: meter_id(meter),
            provider: Provider::Own,
            cost: dollars(whole),
        };
        let costs: Vec<MeterCost> = amounts.into_iter().map(cost).collect();
        let applied = apply(&terms, Fixed18::ZERO, &costs).unwrap();
        let left = left_by_lines(&terms, &costs, &applied);
        prop_assert_eq!(cents(i64::try_from(left).unwrap()).to_cost().unwrap().major, applied.total);
    }
}
