//! What a price list may not hold.

use super::super::check_price_list;
use crate::catalog::{Condition, CounterChange, Price, PricingModel, TierBase, TierScope};
use crate::fixtures::{card, graduated, list, meter_id, n, package, per_unit, price, t, volume};
use crate::usage::Dimension;
use money::Rounding;

fn with(change: impl FnOnce(&mut Price)) -> Price {
    let mut price = price(per_unit("1"));
    change(&mut price);
    price
}

pub fn lineage(name: &str, from: &str, conditions: &[(Dimension, &str)]) -> Price {
    with(|price| {
        price.lineage = name.to_owned();
        price.effective_from = t(from);
        let of = |(dimension, value): &(Dimension, &str)| Condition {
            dimension: *dimension,
            value: (*value).to_owned(),
        };
        price.conditions = conditions.iter().map(of).collect();
    })
}

fn check(prices: Vec<Price>, expected: &[&str]) {
    let found = check_price_list(&list("card", card("O"), prices)).err().unwrap_or_default();
    let found: Vec<_> = found.iter().map(|problem| problem.problem.as_str()).collect();
    assert_eq!(found, expected);
}

fn model(model: PricingModel, expected: &[&str]) {
    check(vec![price(model)], expected);
}

#[test]
fn tiers_start_at_zero_and_rise() {
    model(graduated("0: 1, 5: 2, 5.5: 0"), &[]);
    model(PricingModel::Graduated { tiers: Vec::new() }, &["has no tiers"]);
    model(graduated("1: 1"), &["first tier starts at 1, not at 0"]);
    model(volume("0: 1, 5: 2, 5: 3"), &["two tiers start at 5"]);
    model(graduated("0: 1, 9: 2, 5: 3"), &["tier from 5 stands behind tier from 9"]);
}

#[test]
fn numbers_stay_where_charges_can_hold_them() {
    model(per_unit("9999999999.999999999999999999"), &[]);
    model(per_unit("10000000000"), &["price 10000000000 is not within 10000000000"]);
    model(per_unit("-10000000000"), &["price -10000000000 is not within 10000000000"]);
    let (most, beyond) = ("1000000000000000", "1000000000000000.000000000000000001");
    let refused = |name: &str| format!("{name} {beyond} is not within {most}");
    model(graduated(&format!("0: 1, {most}: 2")), &[]);
    model(graduated(&format!("0: 1, {beyond}: 2")), &[refused("tier bound").as_str()]);
    model(volume(&format!("0: 1, {beyond}: 2")), &[refused("tier bound").as_str()]);
    model(package(most, "1", Rounding::AwayFromZero), &[]);
    model(package(beyond, "1", Rounding::AwayFromZero), &[refused("package size").as_str()]);
    check(vec![with(|p| p.included = n(most))], &[]);
    check(vec![with(|p| p.included = n(beyond))], &[refused("included quantity").as_str()]);
    model(graduated("0: 1+10000000000"), &["flat fee 10000000000 is not within 10000000000"]);
    model(package("0", "1", Rounding::AwayFromZero), &["package size 0 is not above 0"]);
    model(
        package("1", "1", Rounding::HalfToEven),
        &["packages round away from zero or toward zero"],
    );
    check(vec![with(|p| p.included = n("-1"))], &["included quantity -1 is below 0"]);
    check(vec![with(|p| p.cost_places = 19)], &["cost places are 19; at most 18"]);
    check(vec![with(|p| p.minimum = Some(n("-1")))], &["minimum is below 0"]);
    let crossed = with(|p| (p.minimum, p.maximum) = (Some(n("2")), Some(n("1"))));
    check(vec![crossed], &["minimum 2 is above maximum 1"]);
    let no_term = TierBase::CommitmentTerm { from: crate::fixtures::period("2026-01"), periods: 0 };
    check(vec![with(|p| p.base = no_term)], &["commitment term has no billing periods"]);
}

#[test]
fn equally_specific_prices_that_could_hold_together_are_refused() {
    use Dimension::{Country, Network};
    let check = |one: Price, other: Price, ties: bool| {
        let found = check_price_list(&list("card", card("O"), vec![one, other]));
        assert_eq!(found.is_err(), ties, "{found:?}");
    };
    let year = "2026-01-01";
    check(lineage("x", year, &[]), lineage("y", year, &[]), true);
    check(lineage("x", year, &[]), lineage("y", year, &[(Country, "DE")]), false);
    let de = || lineage("x", year, &[(Country, "DE")]);
    check(de(), lineage("y", year, &[(Country, "DE")]), true);
    check(de(), lineage("y", year, &[(Country, "FR")]), false);
    check(de(), lineage("y", year, &[(Network, "1")]), true);
    let de1 = || lineage("x", year, &[(Country, "DE"), (Network, "1")]);
    check(de1(), lineage("y", year, &[(Country, "FR"), (Network, "1")]), false);
    check(de1(), lineage("y", year, &[(Country, "DE")]), false);
}

#[test]
fn prices_that_follow_each_other_in_time_do_not_tie() {
    let prices = |second: &str, other: &str| {
        let mut away = lineage("x", second, &[]);
        away.conditions = lineage("z", second, &[(Dimension::Country, "DE")]).conditions;
        vec![lineage("x", "2026-01-01", &[]), away, lineage("y", other, &[])]
    };
    check(prices("2026-03-01", "2026-03-01"), &[]);
    check(prices("2026-03-01", "2026-02-28"), &["ties with lineage `y` from 2026-02-28T00:00:00Z"]);
}

#[test]
fn versions_of_a_lineage_follow_each_other_and_keep_what_they_count_by() {
    let at = |from: &str| lineage("x", from, &[]);
    check(vec![at("2026-01-01"), at("2026-02-01")], &[]);
    check(
        vec![at("2026-01-01"), at("2026-01-01")],
        &["two versions hold from 2026-01-01T00:00:00Z"],
    );
    let mut other = at("2026-02-01");
    other.scope = TierScope::Account;
    let problem = "version from 2026-02-01T00:00:00Z continues a counter of another base or scope";
    check(vec![at("2026-01-01"), other.clone()], &[problem]);
    other.counter = CounterChange::Restarts;
    check(vec![at("2026-01-01"), other], &[]);
}

#[test]
fn prices_stand_under_their_meter_in_order() {
    let mut unsorted = list("card", card("O"), vec![lineage("x", "2026-01-01", &[])]);
    let earlier = lineage("x", "2025-01-01", &[]);
    unsorted.prices.get_mut(&meter_id("m")).unwrap().push(earlier);
    assert!(check_price_list(&unsorted).is_err());
    let mut astray = list("card", card("O"), Vec::new());
    astray.prices.insert(meter_id("other"), vec![lineage("x", "2026-01-01", &[])]);
    assert!(check_price_list(&astray).is_err());
}
