//! Pricing: published and peers' examples, bounds, walks down, against a slow exact reference.

use super::*;
use crate::fixtures::{graduated, n, package, per_unit, tiers, volume};
use crate::rated::RowKind::{Flat, Included, Usage};
use proptest::prelude::*;

mod book;
mod check;

fn terms<'a>(model: &'a PricingModel, included: &str) -> Terms<'a> {
    let rounding = Rounding::HalfAwayFromZero;
    Terms { model, included: n(included), share: &Share::Whole, places: 18, rounding }
}

fn cut(terms: &Terms<'_>, before: &str, quantity: &str) -> Result<Vec<Slice>, MoneyError> {
    let (before, quantity) = (n(before), n(quantity));
    let window_total = before.checked_add(quantity)?;
    let mut out = Vec::new();
    slices(terms, Step { before, quantity, window_total }, &mut out)?;
    Ok(out)
}

/// Slices in short: `kind tier: quantity = cost`.
fn shown(slices: &[Slice]) -> String {
    let one = |s: &Slice| format!("{} {}: {} = {}", s.kind.name(), s.tier, s.quantity, s.cost);
    slices.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn check(model: &PricingModel, included: &str, before: &str, quantity: &str, expected: &str) {
    let slices = cut(&terms(model, included), before, quantity).unwrap();
    assert_eq!(shown(&slices), expected, "{quantity} from {before}");
}

#[test]
fn units_cost_what_they_cost() {
    check(&per_unit("0.0089"), "0", "0", "450", "usage 0: 450 = 4.005");
    check(&per_unit("0.0089"), "0", "7", "-450", "usage 0: -450 = -4.005");
    check(&per_unit("0"), "0", "0", "3", "usage 0: 3 = 0");
    check(&per_unit("5"), "0", "0", "0", "usage 0: 0 = 0");
}

#[test]
fn the_published_rate_card_example_costs_1740_80() {
    let model = graduated("0: 0.09, 10240: 0.08, 51200: 0.06");
    let slices = cut(&terms(&model, "5"), "0", "20485").unwrap();
    let expected = "included 0: 5 = 0, usage 0: 10240 = 921.6, usage 1: 10240 = 819.2";
    assert_eq!(shown(&slices), expected);
    let total = Fixed18::checked_sum(slices.iter().map(|slice| slice.cost));
    assert_eq!(total, Ok(n("1740.80")));
}

#[test]
fn tiers_change_at_their_bound_and_not_a_step_beside_it() {
    let model = graduated("0: 10, 100: 1");
    let atom = "0.000000000000000001";
    check(&model, "0", "0", "100", "usage 0: 100 = 1000");
    check(
        &model,
        "0",
        "0",
        "99.999999999999999999",
        "usage 0: 99.999999999999999999 = 999.99999999999999999",
    );
    check(
        &model,
        "0",
        "0",
        "100.000000000000000001",
        "usage 0: 100 = 1000, usage 1: 0.000000000000000001 = 0.000000000000000001",
    );
    check(&model, "0", "0", "100.5", "usage 0: 100 = 1000, usage 1: 0.5 = 0.5");
    check(
        &model,
        "0",
        "99.999999999999999999",
        atom,
        "usage 0: 0.000000000000000001 = 0.00000000000000001",
    );
    check(&model, "0", "100", atom, "usage 1: 0.000000000000000001 = 0.000000000000000001");
    check(&model, "0", "100", "0", "usage 1: 0 = 0");
    check(&model, "0", "100", "-1", "usage 0: -1 = -10");
    check(&model, "0", "101", "-2", "usage 1: -1 = -1, usage 0: -1 = -10");
}

#[test]
fn less_usage_walks_back_down_the_tiers_and_below_zero_at_the_lowest_price() {
    let model = graduated("0: 4, 10: 3, 20: 2");
    check(&model, "0", "25", "-25", "usage 2: -5 = -10, usage 1: -10 = -30, usage 0: -10 = -40");
    check(&model, "0", "5", "-8", "usage 0: -8 = -32");
    check(&model, "0", "-3", "8", "usage 0: 8 = 32");
    check(&model, "5", "20", "-20", "usage 1: -5 = -15, usage 0: -10 = -40, included 0: -5 = 0");
    check(&model, "5", "2", "-4", "included 0: -4 = 0");
    check(&model, "5", "-2", "8", "included 0: 7 = 0, usage 0: 1 = 4");
}

#[test]
fn flat_fees_are_charged_by_the_first_quantity_inside_a_tier() {
    let model = graduated("0: 0+5, 10: 1+7");
    check(&model, "0", "0", "0", "usage 0: 0 = 0");
    check(&model, "0", "0", "1", "usage 0: 1 = 0, flat 0: 0 = 5");
    check(&model, "0", "1", "9", "usage 0: 9 = 0");
    check(&model, "0", "10", "0.1", "usage 1: 0.1 = 0.1, flat 1: 0 = 7");
    check(&model, "0", "0", "11", "usage 0: 10 = 0, usage 1: 1 = 1, flat 0: 0 = 5, flat 1: 0 = 7");
    check(&model, "0", "11", "-1", "usage 1: -1 = -1, flat 1: 0 = -7");
    check(&model, "3", "0", "3", "included 0: 3 = 0");
}

#[test]
fn a_volume_total_prices_every_unit_of_the_window() {
    let model = volume("0: 10, 16: 5");
    check(&model, "0", "0", "15", "usage 0: 15 = 150");
    check(
        &model,
        "0",
        "0",
        "15.999999999999999999",
        "usage 0: 15.999999999999999999 = 159.99999999999999999",
    );
    check(&model, "0", "0", "16", "usage 1: 16 = 80");
    check(&model, "0", "10", "10", "usage 1: 10 = 50");
    check(&model, "2", "0", "17", "included 0: 2 = 0, usage 0: 15 = 150");
    check(&model, "2", "0", "18", "included 0: 2 = 0, usage 1: 16 = 80");
    check(&model, "0", "0", "-3", "usage 0: -3 = -30");
}

#[test]
fn a_volume_fee_is_that_of_the_tier_reached_and_zero_usage_pays_none() {
    let model = volume("0: 1+5, 10: 1+9");
    let fee =
        |included: &str, total: &str| volume_flat(&terms(&model, included), n(total)).unwrap();
    assert_eq!(fee("0", "0"), (0, n("0")));
    assert_eq!(fee("0", "-1"), (0, n("0")));
    assert_eq!(fee("0", "0.1"), (0, n("5")));
    assert_eq!(fee("0", "10"), (1, n("9")));
    assert_eq!(fee("3", "3"), (0, n("0")));
    assert_eq!(fee("3", "12.9"), (0, n("5")));
}

#[test]
fn packages_are_charged_whole_as_the_counter_passes_them() {
    let up = package("10", "3", Rounding::AwayFromZero);
    check(&up, "0", "0", "1", "usage 0: 1 = 3");
    check(&up, "0", "1", "9", "usage 0: 9 = 0");
    check(&up, "0", "10", "0.000000000000000001", "usage 0: 0.000000000000000001 = 3");
    check(&up, "0", "0", "25", "usage 0: 25 = 9");
    check(&up, "0", "25", "-25", "usage 0: -25 = -9");
    check(&up, "5", "0", "25", "included 0: 5 = 0, usage 0: 20 = 6");
    let down = package("10", "3", Rounding::TowardZero);
    check(&down, "0", "0", "9.9", "usage 0: 9.9 = 0");
    check(&down, "0", "9.9", "0.1", "usage 0: 0.1 = 3");
}

#[test]
fn percentages_charge_a_part_of_an_amount() {
    let model = PricingModel::Percentage { percent: n("2.9") };
    check(&model, "0", "0", "19.99", "usage 0: 19.99 = 0.57971");
    check(&model, "10", "0", "30", "included 0: 10 = 0, usage 0: 20 = 0.58");
    check(&model, "0", "0", "-100", "usage 0: -100 = -2.9");
}

#[test]
fn each_slice_is_rounded_once_by_the_prices_rule() {
    let check = |places: u32, rounding: Rounding, expected: &str| {
        let model = per_unit("0.0089");
        let terms = Terms { places, rounding, ..terms(&model, "0") };
        assert_eq!(cut(&terms, "0", "450").unwrap()[0].cost, n(expected));
    };
    check(18, Rounding::HalfAwayFromZero, "4.005");
    check(2, Rounding::HalfAwayFromZero, "4.01");
    check(2, Rounding::HalfToEven, "4");
    check(2, Rounding::AwayFromZero, "4.01");
    check(0, Rounding::TowardZero, "4");
}

#[test]
fn a_cost_at_the_limit_is_refused_and_one_step_below_is_charged() {
    let model = per_unit("1");
    let check = |quantity: &str, fits: bool| {
        assert_eq!(cut(&terms(&model, "0"), "0", quantity).is_ok(), fits, "{quantity}");
    };
    check("9999999999.999999999999999999", true);
    check("10000000000", false);
    check("-9999999999.999999999999999999", true);
    check("-10000000000", false);
    check("170141183460469231731", false);
}

#[test]
fn a_window_is_brought_up_to_its_minimum_and_down_to_its_maximum() {
    let check = |cost: &str, minimum: Option<&str>, maximum: Option<&str>, expected: &str| {
        let limits = Limits { minimum: minimum.map(n), maximum: maximum.map(n) };
        let shown = limit(n(cost), limits).unwrap();
        let shown = shown.map_or("-".to_owned(), |(kind, cost)| format!("{} {cost}", kind.name()));
        assert_eq!(shown, expected, "{cost}");
    };
    check("3", None, None, "-");
    check("3", Some("5"), None, "minimum 2");
    check("5", Some("5"), Some("9"), "-");
    check("9", Some("5"), Some("9"), "-");
    check("9.5", Some("5"), Some("9"), "maximum -0.5");
    check("-2", Some("5"), None, "minimum 7");
}

#[test]
fn shares_of_an_amount_add_up_in_steps_of_the_cost_places() {
    let check = |amount: &str, places: u32, held: &[u128], expected: &[&str]| {
        let share =
            |place| Share::Part { held: held.to_vec(), place }.of(n(amount), places).unwrap();
        let shares: Vec<_> = (0..held.len()).map(share).collect();
        assert_eq!(shares, expected.iter().map(|text| n(text)).collect::<Vec<_>>(), "{amount}");
    };
    check("100", 2, &[10, 21], &["32.26", "67.74"]);
    check("100", 0, &[1, 1, 1], &["34", "33", "33"]);
    check("0.005", 2, &[1, 1], &["0.0025", "0.0025"]);
    check("5", 18, &[1, 2], &["1.666666666666666667", "3.333333333333333333"]);
}

/// The reference walks half a unit at a time, on whole numbers, asking each half what it costs.
mod slow {
    use super::*;

    /// Cost in 10⁻¹⁸, of the halves between two counters; prices in 10⁻¹⁷ so that halves are whole.
    pub fn cost(model: &PricingModel, included: i64, from: i64, to: i64, total: i64) -> i128 {
        if to < from {
            return -cost(model, included, to, from, total);
        }
        (from..to).map(|half| one(model, included, half, total)).sum()
    }

    fn one(model: &PricingModel, included: i64, half: i64, total: i64) -> i128 {
        if included > 0 && half < included {
            return 0;
        }
        let beyond = half - included;
        match model {
            PricingModel::PerUnit { price } => price.atoms() / 2,
            PricingModel::Graduated { tiers } => {
                tier(tiers, beyond).price.atoms() / 2 + entered(tiers, beyond)
            }
            PricingModel::Volume { tiers } => tier(tiers, total - included).price.atoms() / 2,
            PricingModel::Package { size, price, rounding } => {
                let size = halves(*size);
                let begins = beyond.rem_euclid(size) == 0;
                let ends = beyond.rem_euclid(size) == size - 1;
                // Below zero a package is begun from its other end.
                let up = *rounding == Rounding::AwayFromZero;
                let charged = if up == (beyond >= 0) { begins } else { ends };
                if charged { price.atoms() } else { 0 }
            }
            PricingModel::Percentage { percent } => percent.atoms() / 200,
        }
    }

    fn entered(tiers: &[Tier], beyond: i64) -> i128 {
        tiers.iter().filter(|tier| halves(tier.from) == beyond).map(|tier| tier.flat.atoms()).sum()
    }

    fn tier(tiers: &[Tier], at: i64) -> &Tier {
        let mut found = &tiers[0];
        for tier in tiers {
            if halves(tier.from) <= at {
                found = tier;
            }
        }
        found
    }

    pub fn halves(quantity: Fixed18) -> i64 {
        i64::try_from(quantity.atoms() / 500_000_000_000_000_000).unwrap()
    }

    pub fn quantity(halves: i64) -> Fixed18 {
        Fixed18::from_atoms(i128::from(halves) * 500_000_000_000_000_000)
    }
}

fn price() -> impl Strategy<Value = Fixed18> {
    (-50_i128..5_000).prop_map(|price| Fixed18::from_atoms(price * 200_000_000_000_000))
}

fn any_tiers() -> impl Strategy<Value = Vec<Tier>> {
    let steps = prop::collection::vec((1_i64..30, price(), price()), 1..5);
    steps.prop_map(|steps| {
        let mut from = 0;
        let tier = |(place, (step, price, flat)): (usize, (i64, Fixed18, Fixed18))| {
            from += if place == 0 { 0 } else { step };
            Tier { from: slow::quantity(from), price, flat, spelled: None }
        };
        steps.into_iter().enumerate().map(tier).collect()
    })
}

fn any_model() -> impl Strategy<Value = PricingModel> {
    let rounding = prop_oneof![Just(Rounding::AwayFromZero), Just(Rounding::TowardZero)];
    prop_oneof![
        price().prop_map(|price| PricingModel::PerUnit { price }),
        any_tiers().prop_map(|tiers| PricingModel::Graduated { tiers }),
        any_tiers().prop_map(|tiers| PricingModel::Volume { tiers }),
        (1_i64..20, price(), rounding).prop_map(|(size, price, rounding)| {
            PricingModel::Package { size: slow::quantity(size), price, rounding }
        }),
        price().prop_map(|percent| PricingModel::Percentage { percent }),
    ]
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn every_model_equals_the_reference_however_usage_is_split(
        model in any_model(),
        included in prop_oneof![Just(0_i64), 1_i64..40],
        steps in prop::collection::vec(-40_i64..120, 1..8),
    ) {
        let total: i64 = steps.iter().sum();
        let terms = Terms { included: slow::quantity(included), ..terms(&model, "0") };
        let mut counter = 0;
        let mut out = Vec::new();
        for step in steps {
            let (before, quantity) = (slow::quantity(counter), slow::quantity(step));
            let window_total = slow::quantity(total);
            slices(&terms, Step { before, quantity, window_total }, &mut out).unwrap();
            let sum = |of: fn(&Slice) -> Fixed18| Fixed18::checked_sum(out.iter().map(of)).unwrap();
            prop_assert_eq!(sum(|slice| slice.quantity), quantity);
            let expected = slow::cost(&model, included, counter, counter + step, total);
            prop_assert_eq!(sum(|slice| slice.cost).atoms(), expected);
            let mut at = before;
            for slice in out.iter().filter(|slice| slice.kind != Flat) {
                prop_assert_eq!(slice.before, at);
                at = at.checked_add(slice.quantity).unwrap();
                prop_assert!(matches!(slice.kind, Included | Usage));
            }
            counter += step;
        }
    }

    #[test]
    fn cost_is_quantity_times_price_rounded_once(
        tiers in any_tiers(), before in -99_i64..99, atoms in any::<i64>(), places in 0_u32..=18,
    ) {
        let model = PricingModel::Graduated { tiers };
        let terms = Terms { places, ..terms(&model, "0") };
        let (before, quantity) = (slow::quantity(before), Fixed18::from_atoms(i128::from(atoms)));
        let mut out = Vec::new();
        slices(&terms, Step { before, quantity, window_total: quantity }, &mut out).unwrap();
        for slice in out.iter().filter(|slice| slice.kind == Usage) {
            let price = slice.unit_price.unwrap();
            let exact = slice.quantity.checked_mul(price, places, terms.rounding);
            prop_assert_eq!(exact, Ok(slice.cost));
        }
    }

    #[test]
    fn no_input_panics(
        model in any_model(), included in any::<i128>(), before in any::<i128>(),
        quantity in any::<i128>(), window_total in any::<i128>(),
    ) {
        let fixed = Fixed18::from_atoms;
        let terms = Terms { included: fixed(included), ..terms(&model, "0") };
        let (before, quantity, window_total) = (fixed(before), fixed(quantity), fixed(window_total));
        let step = Step { before, quantity, window_total };
        let _ = slices(&terms, step, &mut Vec::new());
        let _ = volume_flat(&terms, window_total);
    }
}

#[test]
fn tiers_are_written_as_tables() {
    assert_eq!(tiers("0: 1, 5: 2+3").len(), 2);
}
