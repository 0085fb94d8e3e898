//! What reservations cover, what is lost, and what both cost.

use super::*;
use crate::fixtures::places::place;
use crate::fixtures::{account, few, meter_id, n, span, t, usd};
use proptest::prelude::*;

fn subscription(id: &str) -> SubscriptionId {
    SubscriptionId::new(id).unwrap()
}

/// `r1 s 2`: id, scope and quantity; all day on 1 March, meter `m`, for 24 dollars.
fn reservation(text: &str) -> Reservation {
    let [id, scope, quantity] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let scope = match scope {
        "account" => ReservationScope::Account(account("mca")),
        "p1" => ReservationScope::Place(place("mca/profile p1")),
        "s1" => ReservationScope::Place(place("mca/section s1")),
        id => ReservationScope::Subscription(subscription(id)),
    };
    Reservation {
        id: ReservationId::new(id).unwrap(),
        billed_to: subscription("x"),
        term: day(),
        scope,
        meters: vec![meter_id("m")],
        conditions: Vec::new(),
        quantity: n(quantity),
        price: Cost { major: n("24"), currency: usd() },
    }
}

fn day() -> Interval {
    span("2026-03-01", "2026-03-02")
}

/// `1 x 3`: record 1 of subscription x in section s1 uses 3 in the hour from 05:00.
fn usage(text: &str) -> UsageHour {
    let [id, of, quantity] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    UsageHour {
        hour: t("2026-03-01T05:00:00"),
        source: SourceName::new("src").unwrap(),
        id: RecordId::new(id).unwrap(),
        billing_account: account("mca"),
        subscription: subscription(of),
        places: vec![place("mca/section s1"), place("mca/profile p1")],
        meter: meter_id("m"),
        dimensions: BTreeMap::new(),
        quantity: n(quantity),
    }
}

fn list<T>(text: &str, one: impl Fn(&str) -> T) -> Vec<T> {
    text.split(", ").filter(|text| !text.is_empty()).map(one).collect()
}

fn shown(coverage: &Coverage) -> String {
    let covered = coverage.covered.iter();
    let covered = covered.map(|one| format!("{} by {}: {}", one.id, one.reservation, one.quantity));
    covered.collect::<Vec<_>>().join(", ")
}

fn check(reservations: &str, used: &str, expected: &str) {
    let (reservations, used) = (list(reservations, reservation), list(used, usage));
    let coverage = cover(day(), &reservations, &used).unwrap();
    assert_eq!(shown(&coverage), expected);
}

#[test]
fn narrow_comes_before_wide_then_the_larger_then_by_id() {
    // the subscription's own first, then the section's, the profile's, the account's
    check("a account 1, b p1 1, c s1 1, d x 1", "1 x 3", "1 by b: 1, 1 by c: 1, 1 by d: 1");
    check("a account 1, d x 1", "1 x 1", "1 by d: 1");
    check("a account 1, c s1 1", "1 x 1", "1 by c: 1");
    check("a account 1, b p1 1", "1 x 1", "1 by b: 1");
    // the larger first, whatever its id
    check("a x 1, b x 2", "1 x 2", "1 by b: 2");
    check("a x 1, b x 2", "1 x 3", "1 by a: 1, 1 by b: 2");
    // then by id
    check("b x 1, a x 1", "1 x 1", "1 by a: 1");
}

#[test]
fn usage_is_covered_in_the_order_of_source_and_id_until_the_hour_is_full() {
    check("a account 2", "2 y 1, 1 x 1.5", "1 by a: 1.5, 2 by a: 0.5");
    check("a account 2", "1 x 0.25", "1 by a: 0.25");
    check("a x 1", "1 y 5", "");
    check("a x 1", "1 x 0, 2 x -1", "");
    check("", "1 x 1", "");
}

#[test]
fn only_matching_usage_is_covered() {
    let one = |change: &dyn Fn(&mut Reservation, &mut UsageHour)| {
        let (mut reservation, mut used) = (reservation("a account 1"), usage("1 x 1"));
        reservation.conditions =
            vec![Condition { dimension: Dimension::Location, value: "here".to_owned() }];
        used.dimensions.insert(Dimension::Location, "here".to_owned());
        change(&mut reservation, &mut used);
        cover(day(), &[reservation], &[used]).unwrap().covered.len()
    };
    assert_eq!(one(&|_, _| {}), 1);
    assert_eq!(one(&|_, used| used.meter = meter_id("other")), 0);
    assert_eq!(one(&|_, used| used.billing_account = account("mca2")), 0);
    assert_eq!(one(&|_, used| used.dimensions.clear()), 0);
    assert_eq!(
        one(&|_, used| drop(used.dimensions.insert(Dimension::Location, "there".to_owned()))),
        0
    );
    assert_eq!(one(&|_, used| used.hour = t("2026-03-02")), 0);
    assert_eq!(one(&|_, used| used.hour = t("2026-03-01T23:00:00")), 1);
    let section = ReservationScope::Place(place("mca/section s2"));
    assert_eq!(one(&|reservation, _| reservation.scope = section.clone()), 0);
}

#[test]
fn unused_hours_are_recorded_and_lost() {
    let mut bought_at_one = reservation("a account 1");
    bought_at_one.term = span("2026-03-01T13:00:00", "2026-03-03");
    let mut used = usage("1 x 0.75");
    used.hour = t("2026-03-01T13:00:00");
    let coverage = cover(day(), &[bought_at_one], &[used]).unwrap();
    // Bought at 13:00: 11 reserved hours on that day.
    assert_eq!(coverage.hours.len(), 11);
    let lost: Vec<_> = coverage.hours.iter().map(|hour| hour.unused().unwrap()).collect();
    assert_eq!(lost[0], n("0.25"));
    assert_eq!(lost[1..], vec![n("1"); 10]);
}

#[test]
fn an_hours_cost_goes_to_what_it_covered_and_what_was_lost() {
    let coverage =
        cover(day(), &[reservation("a account 3")], &list("1 x 1, 2 y 1", usage)).unwrap();
    let covered: Vec<_> = coverage.covered.iter().map(|one| one.amortised).collect();
    // One dollar for the hour, in three equal parts: the first takes the remainder.
    assert_eq!(covered, [n("0.333333333333333334"), n("0.333333333333333333")]);
    assert_eq!(coverage.hours[5].amortised_unused, n("0.333333333333333333"));
    assert_eq!(coverage.hours[0].amortised_unused, n("1"));
}

#[test]
fn a_records_quantity_is_split_by_time_over_the_hours_it_touches() {
    let check = |quantity: &str, from: &str, until: &str, expected: &[(&str, &str)]| {
        let found = by_hours(n(quantity), span(from, until)).unwrap();
        let expected: Vec<_> = expected.iter().map(|(at, part)| (t(at), n(part))).collect();
        assert_eq!(found, expected, "{quantity}");
    };
    let (five, six) = ("2026-03-01T05:00:00", "2026-03-01T06:00:00");
    check("3", five, six, &[(five, "3")]);
    check("3", "2026-03-01T05:30:00", "2026-03-01T07:00:00", &[(five, "1"), (six, "2")]);
    check("-3", "2026-03-01T05:30:00", "2026-03-01T07:00:00", &[(five, "-1"), (six, "-2")]);
    check("7", "2026-03-01T05:59:00", "2026-03-01T05:59:00", &[(five, "7")]);
    assert_eq!(by_hours(n("24"), day()).unwrap().len(), 24);
    let long = by_hours(n("1"), span("2000-01-01", "2026-01-01")).unwrap_err().to_string();
    assert_eq!(long, "service_period: is longer than 87672 hours");
}

#[test]
fn a_wrong_reservation_is_refused_by_field() {
    let check = |change: &dyn Fn(&mut Reservation), expected: &str| {
        let mut wrong = reservation("a account 1");
        change(&mut wrong);
        let told = cover(day(), &[wrong], &[]).map(drop).map_err(|error| error.to_string());
        let expected = format!("reservation[a].{expected}");
        assert_eq!(told, Err(expected));
    };
    let whole = "term: must begin and end on a whole hour";
    check(&|one| one.term = span("2026-03-01T00:30:00", "2026-03-02"), whole);
    check(&|one| one.term = span("2026-03-01", "2026-03-01T01:00:00.000001"), whole);
    check(&|one| one.term = span("2026-03-01", "2026-03-01"), "term: ends when it begins");
    let long = "term: is longer than 87672 hours";
    check(&|one| one.term = span("2026-03-01", "2046-03-01"), long);
    check(&|one| one.meters.clear(), "meters: must not be empty");
    check(&|one| one.quantity = n("0"), "quantity: must be above 0");
    check(&|one| one.quantity = n("-1"), "quantity: must be above 0");
    check(&|one| one.price.major = n("-1"), "price: must not be below 0");
    let twice = list("a x 1, a y 1", reservation);
    let told = cover(day(), &twice, &[]).unwrap_err().to_string();
    assert_eq!(told, "reservation `a`: is there twice");
}

fn charged(charges: &[ReservationCharge]) -> String {
    let one = |charge: &ReservationCharge| format!("{:?} {}", charge.event, charge.amount.major);
    charges.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn buying_exchanging_and_cancelling_are_charges() {
    let bought = reservation("a account 1");
    assert_eq!(charged(&[purchase(&bought).unwrap()]), "Purchase 24");
    let fee = |major: &str| Cost { major: n(major), currency: usd() };
    let noon = t("2026-03-01T12:00:00");
    let told = |at: Instant, cost: Cost| match cancel(&bought, at, cost) {
        Ok(ended) => {
            let until = ended.kept.map_or("never".to_owned(), |kept| kept.term.end().to_string());
            format!("{}; until {until}", charged(&ended.charges))
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(told(noon, fee("0")), "Refund -12; until 2026-03-01T12:00:00Z");
    assert_eq!(told(noon, fee("2")), "Cancel 2, Refund -12; until 2026-03-01T12:00:00Z");
    assert_eq!(told(t("2026-03-01"), fee("0")), "Refund -24; until never");
    assert_eq!(told(noon, fee("12.01")), "fee: must lie between 0 and 12");
    assert_eq!(told(noon, fee("-1")), "fee: must lie between 0 and 12");
    let euro = Cost { currency: money::Currency::parse("EUR").unwrap(), ..fee("1") };
    assert_eq!(told(noon, euro), "fee: is EUR; must be USD");
    let term = "no whole hour of [2026-03-01T00:00:00Z, 2026-03-02T00:00:00Z)";
    for at in ["2026-03-01T12:30:00", "2026-02-28T23:00:00", "2026-03-02"] {
        assert_eq!(told(t(at), fee("0")), format!("at: {} is {term}", t(at)));
    }
    let mut other = reservation("b account 2");
    other.term = span("2026-03-01T12:00:00", "2026-03-05");
    let ended = exchange(&bought, &other).unwrap();
    assert_eq!(charged(&ended.charges), "Exchange -12, Purchase 24");
    assert_eq!(ended.kept.unwrap().price, fee("12"));
}

/// What becomes of reservation `a` (24 dollars for 1 March): its parts and charges.
fn course(change: impl Fn(&mut HeldReservation)) -> String {
    let mut other = reservation("b account 2");
    other.term = span("2026-03-01T18:00:00", "2026-03-05");
    let hold = |bought| HeldReservation { bought, refunds: Vec::new(), end: None };
    let mut held = hold(reservation("a account 1"));
    change(&mut held);
    match held.course(&[held.clone(), hold(other)]) {
        Ok(Course { parts, charges }) => {
            let hours = |part: &Reservation| part.term.micros() / MICROS_PER_HOUR;
            let part = |part: &Reservation| format!("{} h for {}, ", hours(part), part.price.major);
            format!("{}{}", parts.iter().map(part).collect::<String>(), charged(&charges))
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_reservation_comes_from_pending_to_expired_or_is_cancelled() {
    use ReservationState::*;
    let hold = |text: &str, term: Interval| {
        let bought = Reservation { term, ..reservation(text) };
        HeldReservation { bought, refunds: Vec::new(), end: None }
    };
    let year = || hold("a account 1", span("2026-03-01", "2027-03-01"));
    let other = hold("b account 2", span("2026-09-01", "2027-09-01"));
    let check = |held: &HeldReservation, at: &str, expected: ReservationState| {
        assert_eq!(held.state_at(t(at), std::slice::from_ref(&other)), expected, "{at}");
    };
    for (at, expected) in [
        ("2026-02-28", Pending),
        ("2026-03-01", Active),
        ("2027-01-29", Active),
        ("2027-01-30", Expiring),
        ("2027-02-28", Expiring),
        ("2027-03-01", Expired),
    ] {
        check(&year(), at, expected);
    }
    let cancelled = End::Cancelled { at: t("2026-06-01"), fee: n("0") };
    let exchanged = End::ExchangedFor(ReservationId::new("b").unwrap());
    for (end, before, from) in
        [(cancelled, "2026-04-01", "2026-06-01"), (exchanged, "2026-07-01", "2026-09-01")]
    {
        let held = HeldReservation { end: Some(end), ..year() };
        check(&held, before, Active);
        check(&held, from, Cancelled);
        check(&held, "2028-01-01", Cancelled);
    }
}

#[test]
fn a_course_is_what_a_reservation_covers_and_costs() {
    let (six, noon) = (t("2026-03-01T06:00:00"), t("2026-03-01T12:00:00"));
    assert_eq!(course(|_| {}), "24 h for 24, Purchase 24");
    let cancelled = End::Cancelled { at: noon, fee: n("2") };
    let at_noon = |held: &mut HeldReservation| held.end = Some(cancelled.clone());
    assert_eq!(course(at_noon), "12 h for 12, Purchase 24, Cancel 2, Refund -12");
    let exchanged = |held: &mut HeldReservation| {
        held.end = Some(End::ExchangedFor(ReservationId::new("b").unwrap()));
    };
    assert_eq!(course(exchanged), "18 h for 18, Purchase 24, Exchange -6");
    // What is given back on the way is spread over the hours from then on.
    let refunds = vec![(six, n("9")), (noon, n("1"))];
    let lowered = |held: &mut HeldReservation| held.refunds = refunds.clone();
    let parts = "6 h for 6, 6 h for 3, 12 h for 5, ";
    assert_eq!(course(lowered), format!("{parts}Purchase 24, Refund -9, Refund -1"));
    let both = |held: &mut HeldReservation| {
        held.refunds = vec![(six, n("9"))];
        at_noon(held);
    };
    assert_eq!(course(both), "6 h for 6, 6 h for 3, Purchase 24, Refund -9, Cancel 2, Refund -6");
    let too_much = |held: &mut HeldReservation| held.refunds = vec![(six, n("18.01"))];
    assert_eq!(course(too_much), "refunds[0].amount: must be above 0, and at most 18");
    let nothing = |held: &mut HeldReservation| held.refunds = vec![(six, n("0"))];
    assert_eq!(course(nothing), "refunds[0].amount: must be above 0, and at most 18");
    let to = |id: &'static str| {
        move |held: &mut HeldReservation| {
            held.end = Some(End::ExchangedFor(ReservationId::new(id).unwrap()));
        }
    };
    assert_eq!(course(to("a")), "exchanged_for: is the reservation itself");
    assert_eq!(course(to("c")), "exchanged_for: reservation `c` does not exist");
}

fn any_reservation() -> impl Strategy<Value = Reservation> {
    let scopes = prop::sample::select(vec!["account", "p1", "s1", "x", "y"]);
    let (from, length) = (0..20_i64, 1..10_i64);
    (0..1000_u32, scopes, 1..50_i64, (from, length), 0..1_000_000_i64).prop_map(
        |(id, scope, quantity, (from, length), price)| {
            let start = day().start().plus_seconds(from * 3600);
            let mut one = reservation(&format!("r{id} {scope} {quantity}"));
            one.term = Interval::new(start, start.plus_seconds(length * 3600)).unwrap();
            one.price.major = Fixed18::from_atoms(i128::from(price));
            one
        },
    )
}

fn any_usage() -> impl Strategy<Value = UsageHour> {
    let of = prop::sample::select(vec!["x", "y", "z"]);
    (0..1000_u32, of, -5..40_i64, 0..24_i64).prop_map(|(id, of, quantity, hour)| {
        let mut one = usage(&format!("{id} {of} {quantity}"));
        one.hour = day().start().plus_seconds(hour * 3600);
        one
    })
}

fn sum(parts: impl IntoIterator<Item = Fixed18>) -> Fixed18 {
    Fixed18::checked_sum(parts).unwrap()
}

/// Reservations and records with ids of their own.
fn all() -> impl Strategy<Value = (Vec<Reservation>, Vec<UsageHour>)> {
    let reservations = prop::collection::vec(any_reservation(), 0..6).prop_map(|mut all| {
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.dedup_by(|a, b| a.id == b.id);
        all
    });
    let records = prop::collection::vec(any_usage(), 0..30).prop_map(|mut all| {
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.dedup_by(|a, b| a.id == b.id);
        all
    });
    (reservations, records)
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn nothing_is_covered_twice_and_no_hour_holds_more_than_it_has((reservations, used) in all()) {
        let coverage = cover(day(), &reservations, &used).unwrap();
        for one in &used {
            let by = coverage.covered.iter().filter(|covered| covered.id == one.id);
            let covered = sum(by.map(|covered| covered.quantity));
            // covered + uncovered = usage, and neither is below zero
            prop_assert!(covered <= one.quantity.max(Fixed18::ZERO));
            prop_assert!(covered >= Fixed18::ZERO);
        }
        for hour in &coverage.hours {
            let by = coverage.covered.iter();
            let of = (hour.hour, &hour.reservation);
            let by = by.filter(|one| (one.hour, &one.reservation) == of);
            prop_assert_eq!(sum(by.map(|one| one.quantity)), hour.used);
            prop_assert!(hour.used <= hour.reserved);
        }
        let hours: Vec<_> = coverage.hours.iter().map(|one| (one.hour, &one.reservation)).collect();
        prop_assert!(hours.is_sorted_by(|a, b| a < b), "an hour of a reservation stands once");
    }

    /// Where capacity is left in an hour, nothing that it matches is left uncovered.
    #[test]
    fn no_capacity_is_lost_while_matching_usage_waits((reservations, used) in all()) {
        let coverage = cover(day(), &reservations, &used).unwrap();
        for hour in coverage.hours.iter().filter(|hour| hour.used < hour.reserved) {
            let of = reservations.iter().find(|one| one.id == hour.reservation).unwrap();
            for one in used.iter().filter(|one| one.hour == hour.hour && matches(of, one)) {
                let by = coverage.covered.iter().filter(|covered| covered.id == one.id);
                let covered = sum(by.map(|covered| covered.quantity));
                prop_assert!(covered == one.quantity || one.quantity <= Fixed18::ZERO);
            }
        }
    }

    #[test]
    fn amortised_parts_add_up_to_the_price((reservations, used) in all()) {
        // A window that holds every term.
        let coverage = cover(span("2026-03-01", "2026-03-04"), &reservations, &used).unwrap();
        for one in &reservations {
            let covered = coverage.covered.iter().filter(|part| part.reservation == one.id);
            let lost = coverage.hours.iter().filter(|part| part.reservation == one.id);
            let parts = covered.map(|part| part.amortised);
            let parts = parts.chain(lost.map(|part| part.amortised_unused));
            prop_assert_eq!(sum(parts), one.price.major);
            let hours = amortised(one).unwrap();
            prop_assert_eq!(sum(hours.into_iter().map(|(_, part)| part)), one.price.major);
        }
    }

    #[test]
    fn the_order_of_what_is_given_does_not_matter(
        (reservations, used) in all(), turn in 0..30_usize,
    ) {
        let expected = cover(day(), &reservations, &used).unwrap();
        let (mut reservations, mut used) = (reservations, used);
        reservations.reverse();
        let turn = turn % used.len().max(1);
        used.rotate_left(turn);
        prop_assert_eq!(cover(day(), &reservations, &used).unwrap(), expected);
    }

    /// Windows that follow each other cover the same as one.
    #[test]
    fn the_split_into_windows_does_not_matter((reservations, used) in all(), at in 1..24_i64) {
        let whole = cover(day(), &reservations, &used).unwrap();
        let cut = day().start().plus_seconds(at * 3600);
        let windows = [(day().start(), cut), (cut, day().end())];
        let mut parts = Coverage::default();
        for (start, end) in windows {
            let window = Interval::new(start, end).unwrap();
            let part = cover(window, &reservations, &used).unwrap();
            parts.covered.extend(part.covered);
            parts.hours.extend(part.hours);
        }
        prop_assert_eq!(parts, whole);
    }

    /// What was charged is what was amortised, and hours that have passed keep their cost.
    #[test]
    fn cancelling_gives_back_what_is_left_and_changes_no_passed_hour(
        one in any_reservation(), after in 0..10_i64,
    ) {
        let hours = one.term.micros() / MICROS_PER_HOUR;
        let at = one.term.start().plus_seconds((after % hours) * 3600);
        let ended = cancel(&one, at, Cost::zero(usd())).unwrap();
        let charges = ended.charges.iter().map(|charge| charge.amount.major);
        let paid = sum(charges.chain([purchase(&one).unwrap().amount.major]));
        let kept = ended.kept.map_or(Vec::new(), |kept| amortised(&kept).unwrap());
        prop_assert_eq!(sum(kept.iter().map(|(_, part)| *part)), paid);
        prop_assert_eq!(&kept[..], &amortised(&one).unwrap()[..kept.len()]);
    }

    /// Whatever happens to it: the prices of its parts are its charges, but for a fee.
    #[test]
    fn a_courses_parts_cost_what_was_charged(
        bought in any_reservation(),
        (first, second) in (0..10_i64, 0..10_i64),
        (share, fee) in (1..9_i128, 0..5_i128),
        ends in any::<bool>(),
    ) {
        let hours = bought.term.micros() / MICROS_PER_HOUR;
        let at = |hour: i64| bought.term.start().plus_seconds(hour * 3600);
        let (first, second) = (first % hours, second % hours);
        let amount = Fixed18::from_atoms(bought.price.major.atoms() * share / 10);
        let fee = Fixed18::from_atoms(fee);
        let end = ends.then(|| End::Cancelled { at: at(first.max(second)), fee });
        let refunds = vec![(at(first.min(second)), amount)];
        let held = HeldReservation { bought, refunds, end };
        // Refused where less is left than is given back.
        let Ok(Course { parts, charges }) = held.course(&[]) else { return Ok(()) };
        let own = charges.iter().filter(|charge| charge.event != ReservationEvent::Cancel);
        let charged = sum(own.map(|charge| charge.amount.major));
        prop_assert_eq!(sum(parts.iter().map(|part| part.price.major)), charged);
        prop_assert!(parts.windows(2).all(|pair| pair[0].term.end() == pair[1].term.start()));
        let coverage = cover(span("2026-03-01", "2026-03-04"), &parts, &[]).unwrap();
        let lost = coverage.hours.iter().map(|hour| hour.amortised_unused);
        prop_assert_eq!(sum(lost), charged);
    }
}
