//! Minimum, maximum, fees and counters of windows, also without usage and over several periods.

use super::*;

fn minimum(text: &str) -> impl FnOnce(&mut Price) {
    let least = n(text);
    move |price| price.minimum = Some(least)
}

#[test]
fn a_window_below_its_minimum_is_brought_up_also_without_usage() {
    check(
        vec![with(per_unit("1"), minimum("9"))],
        "02 4, 03 2",
        "* minimum 0: 0 = 3, 0 usage 0: 4 = 4, 1 usage 0: 2 = 2",
    );
    check(vec![with(per_unit("1"), minimum("9"))], "02 9", "0 usage 0: 9 = 9");
    check(vec![with(per_unit("1"), minimum("9"))], "", "* minimum 0: 0 = 9");
    check(
        vec![with(per_unit("1"), minimum("9"))],
        "02 -4",
        "* minimum 0: 0 = 13, 0 usage 0: -4 = -4",
    );
}

#[test]
fn a_window_above_its_maximum_is_brought_down() {
    let capped = || with(per_unit("1"), |price| price.maximum = Some(n("5")));
    check(vec![capped()], "02 4, 03 2", "* maximum 0: 0 = -1, 0 usage 0: 4 = 4, 1 usage 0: 2 = 2");
    check(vec![capped()], "02 5", "0 usage 0: 5 = 5");
    check(vec![capped()], "", "");
}

#[test]
fn a_window_goes_by_the_price_that_holds_at_its_end() {
    let later = |from: &str| {
        let from = t(from);
        with(per_unit("1"), move |price| {
            (price.effective_from, price.minimum) = (from, Some(n("9")));
        })
    };
    let first = || with(per_unit("1"), minimum("5"));
    check(vec![first(), later("2026-03-31T23:59:59.999999Z")], "", "* minimum 0: 0 = 9");
    check(vec![first(), later("2026-04-01")], "", "* minimum 0: 0 = 5");
    check(vec![later("2026-04-01")], "", "");
}

#[test]
fn a_daily_minimum_is_due_for_each_day_of_the_placement() {
    let daily =
        with(per_unit("1"), |price| (price.base, price.minimum) = (TierBase::Day, Some(n("2"))));
    let mut company = company(Aggregation::Sum, vec![daily]);
    let placed = placement("a", span("2026-03-30T12:00:00Z", "2026-05-01"));
    company.subscriptions = [subscription("s", vec![placed])].into();
    let rated = rated(company, &usage("31 5"));
    assert_eq!(shown(&rated), "* minimum 0: 0 = 2, 0 usage 0: 5 = 5");
    assert_eq!(rated.rows[0].service_period, span("2026-03-30T12:00:00Z", "2026-03-31"));
}

#[test]
fn a_minimum_is_owed_under_the_list_that_usage_would_be_priced_by() {
    let check = |sheet_prices: Vec<Price>, expected: &str| {
        let mut company = company(Aggregation::Sum, vec![with(per_unit("1"), minimum("9"))]);
        let sheet = list("agreed", sheet("a", None, "2026-01", None), sheet_prices);
        company.price_lists.insert(sheet.id.clone(), sheet);
        assert_eq!(shown(&rated(company, &[])), expected);
    };
    check(Vec::new(), "* minimum 0: 0 = 9");
    check(vec![price(per_unit("1"))], "");
    check(vec![with(per_unit("1"), minimum("4"))], "* minimum 0: 0 = 4");
}

#[test]
fn an_account_owes_one_minimum_for_all_its_subscriptions() {
    let shared = with(per_unit("1"), |price| {
        (price.scope, price.minimum) = (TierScope::Account, Some(n("9")));
    });
    let mut company = company(Aggregation::Sum, vec![shared]);
    let (r, r_) = subscription("r", vec![placement("a", span("2001-01-01", "2101-01-01"))]);
    company.subscriptions.insert(r, r_);
    let rated = rated(company, &usage("02 4"));
    assert_eq!(shown(&rated), "* minimum 0: 0 = 5, 0 usage 0: 4 = 4");
    assert_eq!(rated.rows[0].subscription.as_str(), "r");
}

/// Rates January to April of a term of three periods from January, carrying counters on.
fn term(price: Price, quantities: [&str; 4]) -> Vec<String> {
    let from = period("2026-01");
    let base = TierBase::CommitmentTerm { from, periods: 3 };
    let company = company(Aggregation::Sum, vec![Price { base, ..price }]);
    let mut carried = Counters::new();
    let mut all = Vec::new();
    for (month, quantity) in (1..).zip(quantities) {
        let records = logged([record("1", &format!("2026-{month:02}-15"), quantity)]);
        let records = if quantity.is_empty() { &[][..] } else { &records };
        let at = format!("2026-{month:02}");
        let rated = of(company.clone(), "a", &at, records, &carried);
        all.push(shown(&rated));
        carried = rated.counters;
    }
    all
}

#[test]
fn a_terms_counter_is_carried_from_period_to_period_and_ends_with_it() {
    let rows = term(price(graduated("0: 3, 10: 2")), ["8", "0", "4", "8"]);
    let expected = [
        "0 usage 0: 8 = 24",
        "0 usage 0: 0 = 0",
        "0 usage 0: 2 = 6, 0 usage 1: 2 = 4",
        "0 usage 0: 8 = 24",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_terms_volume_fee_is_charged_once_and_topped_up_with_the_tier() {
    let rows = term(price(volume("0: 1+5, 10: 1+9")), ["8", "0", "4", "8"]);
    let expected = [
        "* flat 0: 0 = 5, 0 usage 0: 8 = 8",
        "0 usage 0: 0 = 0",
        "* flat 1: 0 = 4, 0 usage 1: 4 = 4",
        "* flat 0: 0 = 5, 0 usage 0: 8 = 8",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_terms_minimum_is_due_at_its_end_and_its_maximum_at_once() {
    let least = with(per_unit("1"), minimum("20"));
    let expected = [
        "0 usage 0: 8 = 8",
        "0 usage 0: 3 = 3",
        "* minimum 0: 0 = 5, 0 usage 0: 4 = 4",
        "0 usage 0: 1 = 1",
    ];
    assert_eq!(term(least, ["8", "3", "4", "1"]), expected);
    let most = with(per_unit("1"), |price| price.maximum = Some(n("10")));
    let expected = [
        "0 usage 0: 8 = 8",
        "* maximum 0: 0 = -1, 0 usage 0: 3 = 3",
        "* maximum 0: 0 = -4, 0 usage 0: 4 = 4",
        "0 usage 0: 1 = 1",
    ];
    assert_eq!(term(most, ["8", "3", "4", "1"]), expected);
}

#[test]
fn counters_are_handed_on_only_while_their_window_goes_on() {
    let month = rated(company(Aggregation::Sum, vec![price(per_unit("1"))]), &usage("02 4"));
    assert!(month.counters.is_empty());
    let base = TierBase::CommitmentTerm { from: period("2026-03"), periods: 2 };
    let term = with(per_unit("1"), |price| (price.base, price.maximum) = (base, Some(n("3"))));
    let first = rated(company(Aggregation::Sum, vec![term.clone()]), &usage("02 4"));
    let values: Vec<_> = first.counters.values().map(ToString::to_string).collect();
    assert_eq!(values, ["4", "3"]); // quantity; cost after the maximum
    let company = company(Aggregation::Sum, vec![term]);
    let second = of(company, "a", "2026-04", &[], &first.counters);
    assert!(second.counters.is_empty());
}

#[test]
fn a_day_and_a_month_that_begin_together_are_two_windows() {
    let check = |aggregation: Aggregation, story: &str, expected: &str| {
        let german = Price {
            lineage: "de".to_owned(),
            base: TierBase::Day,
            conditions: vec![Condition { dimension: Dimension::Country, value: "DE".to_owned() }],
            ..price(per_unit("1"))
        };
        let company = company(aggregation, vec![german, price(per_unit("100"))]);
        assert_eq!(shown(&rated(company, &usage(story))), expected, "{story}");
    };
    check(Aggregation::Max, "01 5 DE, 20 4", "0 usage 0: 5 = 5, 1 usage 0: 4 = 400");
    check(Aggregation::Max, "02 5 DE, 20 4", "0 usage 0: 5 = 5, 1 usage 0: 4 = 400");
    check(Aggregation::Latest, "01 5 DE, 20 4", "0 usage 0: 5 = 5, 1 usage 0: 4 = 400");
}
