//! Subscriptions that change their payer in the middle of a window.

use super::*;
use crate::catalog::PriceReach;

/// Subscription `s` is paid by `a` until 11 March, by `b` until 21 March, then by `a` again.
fn moving(prices: Vec<Price>) -> Company {
    let mut company = company(Aggregation::Sum, prices);
    let placements = vec![
        placement("a", span("2026-01-01", "2026-03-11")),
        placement("b", span("2026-03-11", "2026-03-21")),
        placement("a", span("2026-03-21", "2027-01-01")),
    ];
    company.subscriptions = [subscription("s", placements)].into();
    company
}

/// The same usage, as each account would send it.
fn both(prices: Vec<Price>, a: &str, b: &str) -> [Rated; 2] {
    let company = moving(prices);
    let rows = |payer: &str, story: &str| {
        let mut records = usage(story);
        records.iter_mut().for_each(|one| one.record.key.billing_account = account(payer));
        of(company.clone(), payer, "2026-03", &records, &Counters::new())
    };
    [rows("a", a), rows("b", b)]
}

fn check(prices: Vec<Price>, (a, b): (&str, &str), expected: [&str; 2]) {
    let rated = both(prices, a, b);
    assert_eq!(rated.each_ref().map(shown), expected);
}

#[test]
fn usage_belongs_to_who_pays_at_its_instant() {
    let prices = vec![price(per_unit("1"))];
    check(
        prices,
        ("10T23 1, 11 1, 21 1", "10T23 1, 11 1, 20T23 1, 21 1"),
        [
            "0 usage 0: 1 = 1, 2 usage 0: 1 = 1, 1 waits: no_subscription subscription",
            "1 usage 0: 1 = 1, 2 usage 0: 1 = 1, 0 waits: no_subscription subscription, \
         3 waits: no_subscription subscription",
        ],
    );
}

#[test]
fn an_account_that_moves_pays_the_new_regions_prices_from_then_on() {
    let mut company = company(Aggregation::Sum, vec![price(graduated("0: 1, 3: 0"))]);
    let mut reach = card("O");
    if let PriceReach::Offer { region, .. } = &mut reach {
        *region = "DE".to_owned();
    }
    let german = list("german", reach, vec![price(per_unit("2"))]);
    company.price_lists.insert(german.id.clone(), german);
    let account = company.accounts.get_mut(&account("a")).unwrap();
    account.known.put(t("2026-03-11"), known("", "DE"));
    let records = usage("10 1, 10T23 1, 11 1, 21 1");
    let rated = of(company, "a", "2026-03", &records, &Counters::new());
    let expected = "0 usage 0: 1 = 1, 1 usage 0: 1 = 1, 2 usage 0: 1 = 2, 3 usage 0: 1 = 2";
    assert_eq!(shown(&rated), expected);
}

#[test]
fn a_subscriptions_counter_starts_again_with_its_new_payer() {
    let prices = vec![price(graduated("0: 3, 10: 2"))];
    check(
        prices,
        ("05 8, 25 8", "15 8"),
        ["0 usage 0: 8 = 24, 1 usage 0: 8 = 24", "0 usage 0: 8 = 24"],
    );
}

#[test]
fn an_accounts_counter_stops_and_goes_on_from_its_own_value() {
    let shared = with(graduated("0: 3, 10: 2"), |price| price.scope = TierScope::Account);
    check(
        vec![shared],
        ("05 8, 25 8", "15 8"),
        ["0 usage 0: 8 = 24, 1 usage 0: 2 = 6, 1 usage 1: 6 = 12", "0 usage 0: 8 = 24"],
    );
}

#[test]
fn what_a_window_has_once_is_split_by_time_and_adds_up() {
    // 10, 10 and 11 of 31 days.
    let included = with(per_unit("1"), |price| price.included = n("31"));
    check(
        vec![included],
        ("05 31, 25 31", "15 31"),
        [
            "0 included 0: 10 = 0, 0 usage 0: 21 = 21, 1 included 0: 11 = 0, 1 usage 0: 20 = 20",
            "0 included 0: 10 = 0, 0 usage 0: 21 = 21",
        ],
    );
    let least =
        with(per_unit("1"), |price| (price.minimum, price.cost_places) = (Some(n("100")), 2));
    check(
        vec![least],
        ("", ""),
        ["* minimum 0: 0 = 32.26, * minimum 0: 0 = 35.48", "* minimum 0: 0 = 32.26"],
    );
    let most = with(per_unit("1"), |price| price.maximum = Some(n("31")));
    check(
        vec![most],
        ("05 31, 25 31", "15 31"),
        [
            "* maximum 0: 0 = -21, 0 usage 0: 31 = 31, * maximum 0: 0 = -20, 1 usage 0: 31 = 31",
            "* maximum 0: 0 = -21, 0 usage 0: 31 = 31",
        ],
    );
    let flat = with(graduated("0: 0+31"), |price| price.cost_places = 2);
    check(
        vec![flat],
        ("05 1, 25 1", "15 1"),
        [
            "0 usage 0: 1 = 0, 0 flat 0: 0 = 10, 1 usage 0: 1 = 0, 1 flat 0: 0 = 11",
            "0 usage 0: 1 = 0, 0 flat 0: 0 = 10",
        ],
    );
}

#[test]
fn a_reading_holds_until_the_payer_stops() {
    let mut company = moving(vec![price(per_unit("1"))]);
    company.meters = [meter("m", Aggregation::TimeWeightedAverage)].into();
    let rated = rated(company, &usage("01 31, 21 31"));
    assert_eq!(shown(&rated), "0 usage 0: 10 = 10, 1 usage 0: 11 = 11");
}

#[test]
fn who_never_paid_in_the_period_owes_nothing() {
    let least = with(per_unit("1"), |price| price.minimum = Some(n("9")));
    let company = moving(vec![least]);
    let april = of(company.clone(), "b", "2026-04", &[], &Counters::new());
    assert_eq!(shown(&april), "");
    let february = of(company, "a", "2026-02", &[], &Counters::new());
    assert_eq!(shown(&february), "* minimum 0: 0 = 9");
}
