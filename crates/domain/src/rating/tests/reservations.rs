//! What reservations cover costs nothing, fills no tiers and keeps its list price; what they do
//! not cover is priced as always, and what is left of them is lost.

use super::*;
use crate::ids::{ReservationId, SubscriptionId};
use crate::places::Place;
use crate::rated::Reserved;
use crate::reservations::{HeldReservation, Reservation, ReservationScope};
use calendar::Interval;
use money::{Cost, Currency};

/// `r 1 24`: id, quantity and price; meter `m` of the whole account on 1 March.
fn reservation(text: &str) -> Reservation {
    let [id, quantity, price] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    Reservation {
        id: ReservationId::new(id).unwrap(),
        billed_to: SubscriptionId::new("s").unwrap(),
        term: span("2026-03-01", "2026-03-02"),
        scope: ReservationScope::Account(account("a")),
        meters: vec![meter_id("m")],
        conditions: Vec::new(),
        quantity: n(quantity),
        price: Cost { major: n(price), currency: usd() },
    }
}

fn reserving(prices: Vec<Price>, reservations: Vec<Reservation>) -> Company {
    let mut company = company(Aggregation::Sum, prices);
    let hold = |bought| HeldReservation { bought, refunds: Vec::new(), end: None };
    company.reservations.insert(account("a"), reservations.into_iter().map(hold).collect());
    company
}

/// Rows as [`shown`], with what reservations have to do with them, without the hours that were lost.
fn told(rated: &Rated) -> String {
    let mut used = Rated { quarantine: rated.quarantine.clone(), ..Rated::default() };
    used.rows = rated.rows.iter().filter(|row| row.kind != RowKind::Unused).cloned().collect();
    let by = |row: &RatedRow| {
        let Some(reserved) = &row.reserved else { return String::new() };
        let Reserved { reservation, hours, amortised, list_cost, unused: _ } = &**reserved;
        let (from, until) = (hours.start().hour(), hours.end().hour());
        format!(" by {reservation} {from}..{until}, amortised {amortised}, list {list_cost}")
    };
    let row = |row: &RatedRow| {
        let one = Rated { rows: vec![row.clone()], ..Rated::default() };
        format!("{}{}", shown(&one), by(row))
    };
    let rows = used.rows.iter().map(row).collect::<Vec<_>>();
    let waits = Rated { rows: Vec::new(), ..used };
    rows.into_iter()
        .chain(Some(shown(&waits)).filter(|one| !one.is_empty()))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Usage of an hour of 1 March: `05 3`, or of several: `05-08 3`.
fn hours(story: &str) -> Vec<LoggedRecord> {
    let at = |hour: &str| t("2026-03-01").plus_seconds(hour.parse::<i64>().unwrap() * 3600);
    let one = |(place, line): (usize, &str)| {
        let (hours, quantity) = line.trim().split_once(' ').unwrap();
        let (from, until) = hours.split_once('-').unwrap_or((hours, hours));
        let mut one = record(&format!("{place:04}"), "2026-03-01", quantity);
        one.service_period = Interval::new(at(from), at(until)).unwrap();
        one
    };
    logged(story.split(',').enumerate().map(one))
}

fn check_hours(prices: Vec<Price>, reserved: &str, story: &str, expected: &str) {
    let company = reserving(prices, reserved.split(", ").map(reservation).collect());
    assert_eq!(told(&rated(company, &hours(story))), expected, "{reserved}: {story}");
}

#[test]
fn what_is_covered_costs_nothing_and_keeps_its_list_price() {
    let prices = || vec![price(per_unit("3"))];
    let covered = "0 covered 0: 1 = 0 by r 5..6, amortised 1, list 3";
    check_hours(prices(), "r 1 24", "05 1", covered);
    check_hours(prices(), "r 1 24", "05 4", &format!("{covered}; 0 usage 0: 3 = 9"));
    // Half of the hour's dollar falls to what was used, half is lost.
    let half = "0 covered 0: 0.5 = 0 by r 5..6, amortised 0.5, list 1.5";
    check_hours(prices(), "r 1 24", "05 0.5", half);
    // Hours that follow each other are one row; the rest of each is priced.
    let hours = "0 covered 0: 3 = 0 by r 5..8, amortised 3, list 9; 0 usage 0: 3 = 9";
    check_hours(prices(), "r 1 24", "05-08 6", hours);
    let gap = "0 covered 0: 0.5 = 0 by r 5..6, amortised 0.5, list 1.5; \
        1 usage 0: -1 = -3; 2 usage 0: 0 = 0";
    check_hours(prices(), "r 1 24", "05 0.5, 06 -1, 07 0", gap);
    // Beyond the term nothing is covered.
    check_hours(prices(), "r 1 24", "24 1", "0 usage 0: 1 = 3");
}

#[test]
fn the_larger_covers_first_and_a_record_may_be_covered_by_several() {
    let expected = "0 covered 0: 2 = 0 by b 5..6, amortised 2, list 6; \
        0 covered 0: 1 = 0 by a 5..6, amortised 1, list 3; 0 usage 0: 1 = 3";
    let prices = || vec![price(per_unit("3"))];
    let company = reserving(prices(), vec![reservation("a 1 24"), reservation("b 2 48")]);
    let rated = rated(company, &hours("05 4"));
    let mut rows = told(&rated).split("; ").map(str::to_owned).collect::<Vec<_>>();
    rows.sort();
    let mut expected: Vec<_> = expected.split("; ").map(str::to_owned).collect();
    expected.sort();
    assert_eq!(rows, expected);
}

#[test]
fn covered_usage_fills_no_tiers_and_no_included_quantity() {
    let tiers = || vec![price(graduated("0: 3, 2: 1"))];
    // Of 3 in each hour 2 are covered: the rest moves the counter by 1 each time.
    let expected = "0 covered 0: 2 = 0 by r 5..6, amortised 1, list 6; 0 usage 0: 1 = 3; \
        1 covered 0: 2 = 0 by r 6..7, amortised 1, list 6; 1 usage 0: 1 = 3; \
        2 covered 1: 2 = 0 by r 7..8, amortised 1, list 2; 2 usage 1: 1 = 1";
    check_hours(tiers(), "r 2 24", "05 3, 06 3, 07 3", expected);
    let included = with(per_unit("3"), |price| price.included = n("1"));
    let expected = "0 covered 0: 2 = 0 by r 5..6, amortised 1, list 6; \
        0 included 0: 1 = 0; 0 usage 0: 1 = 3";
    check_hours(vec![included], "r 2 24", "05 4", expected);
    let volume = || vec![price(volume("0: 3, 2: 1"))];
    let expected = "0 covered 0: 2 = 0 by r 5..6, amortised 1, list 6; 0 usage 0: 1 = 3";
    check_hours(volume(), "r 2 24", "05 3", expected);
    let packages = || vec![price(package("10", "5", Rounding::AwayFromZero))];
    let expected = "0 covered 0: 11 = 0 by r 5..6, amortised 1, list 10; 0 usage 0: 9 = 5";
    check_hours(packages(), "r 11 24", "05 20", expected);
}

#[test]
fn only_usage_that_is_added_up_and_priced_in_its_currency_is_covered() {
    let plain = "0 usage 0: 1 = 3";
    let one = |change: &dyn Fn(&mut Company), expected: &str| {
        let mut company = reserving(vec![price(per_unit("3"))], vec![reservation("r 1 24")]);
        change(&mut company);
        assert_eq!(told(&rated(company, &hours("05 1"))), expected);
    };
    one(&|_| {}, "0 covered 0: 1 = 0 by r 5..6, amortised 1, list 3");
    one(
        &|company| {
            company.meters.get_mut(&meter_id("m")).unwrap().aggregation = Aggregation::Max;
        },
        plain,
    );
    let change = |company: &mut Company, change: &dyn Fn(&mut Reservation)| {
        change(&mut company.reservations.get_mut(&account("a")).unwrap()[0].bought);
    };
    one(
        &|company| {
            change(company, &|one| one.price.currency = Currency::parse("EUR").unwrap());
        },
        plain,
    );
    one(&|company| change(company, &|one| one.meters = vec![meter_id("other")]), plain);
    let other = SubscriptionId::new("t").unwrap();
    one(
        &|company| {
            let scope = ReservationScope::Subscription(other.clone());
            change(company, &|one| one.scope = scope.clone());
        },
        plain,
    );
    // A record that waits takes nothing.
    let mut records = hours("05 1, 05 1");
    records[0].record.quantity = n("2000000000000000");
    let company = reserving(vec![price(per_unit("3"))], vec![reservation("r 1 24")]);
    let expected = "1 covered 0: 1 = 0 by r 5..6, amortised 1, list 3; \
        0 waits: out_of_range quantity";
    assert_eq!(told(&rated(company, &records)), expected);
    // Nor one that waits only once its rest is priced.
    let company = reserving(vec![price(per_unit("100000"))], vec![reservation("r 1 24")]);
    records[0].record.quantity = n("1000000");
    let expected = "1 covered 0: 1 = 0 by r 5..6, amortised 1, list 100000; \
        0 waits: out_of_range quantity";
    assert_eq!(told(&rated(company, &records)), expected);
}

#[test]
fn a_place_covers_what_stands_on_its_profile() {
    let place = |id: &str| -> Place { crate::fixtures::places::place(&format!("a/profile {id}")) };
    let check = |id: &str, expected: &str| {
        let mut bought = reservation("r 1 24");
        bought.scope = ReservationScope::Place(place(id));
        let mut company = reserving(vec![price(per_unit("3"))], vec![bought]);
        let of = company.subscriptions.values_mut().next().unwrap();
        of.placements[0].profile = Some("p1".to_owned());
        assert_eq!(told(&rated(company, &hours("05 1"))), expected);
    };
    check("p1", "0 covered 0: 1 = 0 by r 5..6, amortised 1, list 3");
    check("p2", "0 usage 0: 1 = 3");
}

#[test]
fn lost_hours_are_rows_without_cost_by_day_and_by_how_much_was_lost() {
    let mut bought = reservation("r 2 48");
    bought.term = span("2026-02-28", "2026-03-03");
    bought.price.major = n("72");
    let company = reserving(vec![price(per_unit("3"))], vec![bought]);
    let rated = rated(company, &hours("05 2, 06 1.5"));
    let lost = rated.rows.iter().filter(|row| row.kind == RowKind::Unused);
    let lost: Vec<String> = lost
        .map(|row| {
            assert_eq!((row.quantity, row.cost.major, row.price.clone()), (n("0"), n("0"), None));
            assert_eq!((row.subscription.as_str(), row.meter.as_str()), ("s", "m"));
            let Reserved { hours, amortised, unused, .. } = &**row.reserved.as_ref().unwrap();
            assert_eq!(row.service_period, *hours);
            let length = hours.micros() / MICROS_PER_HOUR;
            format!("{} {length} h: {unused} for {amortised}", hours.start())
        })
        .collect();
    // February's hours are February's.
    let expected = [
        "2026-03-01T00:00:00Z 5 h: 10 for 5",
        "2026-03-01T06:00:00Z 1 h: 0.5 for 0.25",
        "2026-03-01T07:00:00Z 17 h: 34 for 17",
        "2026-03-02T00:00:00Z 24 h: 48 for 24",
    ];
    assert_eq!(lost, expected);
}

fn any_reserved() -> impl Strategy<Value = Vec<Reservation>> {
    let one = (0..30_i64, 1..40_i64, 1..6_i64, 0..100_000_i64, 0..3_usize);
    prop::collection::vec(one, 0..5).prop_map(|all| {
        let one =
            |(place, (from, length, quantity, price, of)): (usize, (i64, i64, i64, i64, usize))| {
                let mut one = reservation(&format!("r{place} {quantity} {price}.01"));
                let start = t("2026-03-01").plus_seconds(from * 3600);
                one.term = Interval::new(start, start.plus_seconds(length * 3600)).unwrap();
                one.meters =
                    [&["m"][..], &["m", "o"], &["o"]][of].iter().map(|id| meter_id(id)).collect();
                one
            };
        all.into_iter().enumerate().map(one).collect()
    })
}

fn any_usage() -> impl Strategy<Value = Vec<UsageRecord>> {
    let one = (0..60_i64, 0..200_i64, -3..40_i64, any::<bool>());
    prop::collection::vec(one, 0..25).prop_map(|all| {
        let one = |(place, (hour, minutes, tenths, other)): (usize, (i64, i64, i64, bool))| {
            let mut one = record(&format!("{place:03}"), "2026-03-01", "0");
            let start = t("2026-03-01").plus_seconds(hour * 3600 + 600);
            one.service_period = Interval::new(start, start.plus_seconds(minutes * 60)).unwrap();
            one.quantity = Fixed18::from_atoms(i128::from(tenths) * 100_000_000_000_000_000);
            one.meter = meter_id(if other { "o" } else { "m" });
            one
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

fn of_two_meters(reservations: Vec<Reservation>) -> Company {
    let other = with(per_unit("0.7"), |price| price.meter = meter_id("o"));
    let mut company = reserving(vec![price(graduated("0: 3, 20: 2")), other], reservations);
    company.meters.extend([meter("o", Aggregation::Sum)]);
    company
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn records_keep_their_quantity_and_reservations_their_price(
        reservations in any_reserved(), used in any_usage(),
    ) {
        let records = logged(used);
        let rated = rated(of_two_meters(reservations.clone()), &records);
        prop_assert!(rated.failed.is_none() && rated.quarantine.is_empty());
        for one in &records {
            let rows = rated.rows.iter().filter(|row| row.position == Some(one.position));
            let whole = Fixed18::checked_sum(rows.map(|row| row.quantity)).unwrap();
            prop_assert_eq!(whole, one.record.quantity);
        }
        for one in &reservations {
            let own = rated.rows.iter().filter_map(|row| row.reserved.as_deref());
            let own = own.filter(|reserved| reserved.reservation == one.id);
            let amortised = Fixed18::checked_sum(own.map(|reserved| reserved.amortised)).unwrap();
            prop_assert_eq!(amortised, one.price.major);
        }
        let costs = rated.rows.iter().filter(|row| row.reserved.is_some());
        prop_assert!(costs.into_iter().all(|row| row.cost.major.is_zero()));
    }

    #[test]
    fn the_order_of_arrival_does_not_matter_to_what_is_covered(
        reservations in any_reserved(), used in any_usage(), turn in 0..25_usize,
    ) {
        let bytes = |used: &[UsageRecord]| -> Vec<Vec<u8>> {
            let rated = rated(of_two_meters(reservations.clone()), &logged(used.to_vec()));
            rated.rows.iter().map(encode_row).collect()
        };
        let expected = bytes(&used);
        let mut other = used;
        other.reverse();
        let turn = turn % other.len().max(1);
        other.rotate_left(turn);
        prop_assert_eq!(bytes(&other), expected);
    }
}
