//! Times, intervals and billing periods.

use crate::{
    BillingPeriod, BusinessClock, Day, Instant, Interval, MICROS_PER_HOUR, OffsetClock, SetClock,
    SystemClock,
};
use proptest::prelude::*;
use std::sync::Arc;

fn t(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

#[test]
fn times_are_read_in_all_spellings_that_occur() {
    let check = |text: &str, expected: &str| {
        let read = Instant::parse(text).map_or("not a time".to_owned(), |t| t.to_string());
        assert_eq!(read, expected, "{text}");
    };
    check("2015-06-16T18:53:11+00:00", "2015-06-16T18:53:11Z");
    check("2015-06-16T18:53:11 00:00", "2015-06-16T18:53:11Z"); // a plus lost on the way
    check("2015-06-16T18:53:11 +00:00", "2015-06-16T18:53:11Z");
    check("2015-03-01 00:00:00Z", "2015-03-01T00:00:00Z");
    check("2015-03-01+00:00:00Z", "2015-03-01T00:00:00Z"); // a plus for the blank
    check("2015-03-01+18:30:00", "2015-03-01T18:30:00Z");
    check("2017-09-01T00:00:00Z", "2017-09-01T00:00:00Z");
    check("2017-09-01t00:00:00z", "2017-09-01T00:00:00Z");
    check("2015-04-27T17:00:00-07:00", "2015-04-28T00:00:00Z");
    check("2015-04-27T17:00:00-0700", "2015-04-28T00:00:00Z");
    check("2015-04-28T05:45:00+05:45", "2015-04-28T00:00:00Z");
    check("0001-01-01T00:00:00", "0001-01-01T00:00:00Z");
    check("2017-10-01T23:59:59.0000000Z", "2017-10-01T23:59:59Z");
    check("2026-03-01T00:00:00.123456Z", "2026-03-01T00:00:00.123456Z");
    check("2026-03-01T00:00:00.123456789Z", "2026-03-01T00:00:00.123456Z");
    check("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z");
    check("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z");
    check("9999-12-31T00:00:00Z", "9999-12-31T00:00:00Z");
    check("9999-12-31T23:59:59", "9999-12-31T00:00:00Z"); // our last instant
    check("2026-03-01T00:00Z", "2026-03-01T00:00:00Z");
    check("2026-03-01", "2026-03-01T00:00:00Z");
    check(" 2026-03-01T00:00:00Z ", "2026-03-01T00:00:00Z");
    check("2024-02-29", "2024-02-29T00:00:00Z");
    for text in [
        "",
        "Z",
        "9/2/2023",
        "2023-02-29",
        "2026-13-01",
        "2026-03-01T25:00:00Z",
        "202603",
        "2026-03-01T00:00:00+26:00",
        "2026-03-01T00:00:00+0",
        "yesterday",
        "2026-03-01TT00:00",
        "2026-03-01T00:00:00Zz Z",
        "10000-01-01T00:00:00Z",
        "–",
        "2026-03-01T00:00:00é",
    ] {
        check(text, "not a time");
    }
}

#[test]
fn times_are_written_as_surfaces_print_them() {
    let time = t("2026-03-02T07:00:00Z");
    assert_eq!(time.to_offset_string(), "2026-03-02T07:00:00+00:00");
    assert_eq!(time.to_compact_string(), "20260302_0700");
    assert_eq!(Instant::MIN.to_offset_string(), "0001-01-01T00:00:00+00:00");
    assert_eq!(Instant::MAX.to_string(), "9999-12-31T00:00:00Z");
}

#[test]
fn hours_and_days_start_where_utc_says_also_before_1970() {
    let check = |text: &str, hour: &str, day: &str| {
        let time = t(text);
        assert_eq!(time.start_of_hour(), t(hour), "{text}");
        assert_eq!(time.start_of_day(), t(day), "{text}");
        assert_eq!(time.day().start(), t(day), "{text}");
        assert_eq!(time.is_whole_hour(), time == t(hour), "{text}");
        assert_eq!(time.is_midnight(), time == t(day), "{text}");
    };
    check("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z");
    check("2026-03-01T23:59:59.999999Z", "2026-03-01T23:00:00Z", "2026-03-01T00:00:00Z");
    check("1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", "1969-12-31T00:00:00Z");
    check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
    assert_eq!(t("2026-03-01T05:59:59Z").hour(), 5);
    assert_eq!(Day::from_number(0).to_string(), "1970-01-01");
    assert_eq!(t("2024-02-28").day().next().to_string(), "2024-02-29");
}

#[test]
fn times_stay_within_the_years_1_to_9999() {
    assert_eq!(Instant::from_micros(i64::MAX), Instant::MAX);
    assert_eq!(Instant::from_micros(i64::MIN), Instant::MIN);
    assert_eq!(Instant::MAX.plus_seconds(i64::MAX), Instant::MAX);
    assert_eq!(Instant::MIN.plus_micros(-1), Instant::MIN);
    assert_eq!(Day::from_number(i32::MAX).start(), Instant::MAX);
}

#[test]
fn intervals_are_half_open() {
    let (march, april) = (t("2026-03-01"), t("2026-04-01"));
    let interval = Interval::new(march, april).unwrap();
    assert!(interval.contains(march));
    assert!(interval.contains(april.plus_micros(-1)));
    assert!(!interval.contains(april));
    assert!(!Interval::at(march).contains(march));
    assert!(Interval::new(april, march).is_err());
    let next = Interval::new(april, t("2026-05-01")).unwrap();
    assert!(!interval.overlaps(&next));
    assert_eq!(interval.intersection(&next), None);
    assert_eq!(interval.intersection(&Interval::always()), Some(interval));
}

#[test]
fn billing_periods_are_utc_months() {
    let check = |text: &str, start: &str, end: &str| {
        let period = BillingPeriod::parse(text).unwrap();
        assert_eq!((period.start(), period.end()), (t(start), t(end)), "{text}");
        assert_eq!(BillingPeriod::from_number(period.number()), Ok(period));
        assert_eq!(period.next().previous(), period);
        assert_eq!(BillingPeriod::of(period.start()), period);
        assert_eq!(BillingPeriod::of(period.end().plus_micros(-1)), period);
        assert_eq!(period.next().start(), period.end());
    };
    check("2026-03", "2026-03-01", "2026-04-01");
    check("202612", "2026-12-01", "2027-01-01");
    check("2024-02", "2024-02-01", "2024-03-01");
    check("0001-01", "0001-01-01", "0001-02-01");
    check("9998-12", "9998-12-01", "9999-01-01");
    for text in
        ["", "2026", "2026-13", "2026-00", "0000-01", "9999-01", "2026-3", "2026-03-01", "é2026"]
    {
        assert!(BillingPeriod::parse(text).is_err(), "{text}");
    }
}

#[test]
fn months_are_counted_across_years() {
    let period = |text: &str| BillingPeriod::parse(text).unwrap();
    let check = |from: &str, months: i32, to: &str| {
        assert_eq!(period(from).plus_months(months), Ok(period(to)));
        assert_eq!(period(to).months_since(period(from)), months);
    };
    check("2026-03", 0, "2026-03");
    check("2026-03", 10, "2027-01");
    check("2026-03", -3, "2025-12");
    check("2026-12", -36, "2023-12");
    assert!(period("0001-01").plus_months(-1).is_err());
    assert!(period("9998-12").plus_months(1).is_err());
    assert!(period("2026-01").plus_months(i32::MAX).is_err());
}

#[test]
fn intervals_of_whole_months_say_how_many() {
    let check = |from: &str, until: &str, expected: Option<i32>| {
        let interval = Interval::new(t(from), t(until)).unwrap();
        assert_eq!(interval.whole_months(), expected, "{interval:?}");
    };
    check("2026-05-10", "2027-05-10", Some(12));
    check("2026-05-10T03:00:00Z", "2029-05-10T03:00:00Z", Some(36));
    check("2026-05-01", "2026-05-01", None);
    check("2026-05-10", "2027-05-11", None);
}

#[test]
fn the_business_clock_runs_at_a_distance_and_only_forward() {
    let system = SetClock::at(t("2026-11-18"));
    let business = OffsetClock::starting_at(t("2030-01-01"), Arc::new(system.clone()));
    assert_eq!(business.now(), t("2030-01-01"));
    system.set(t("2026-11-19"));
    assert_eq!(business.now(), t("2030-01-02"));
    business.advance(MICROS_PER_HOUR);
    business.advance(-MICROS_PER_HOUR);
    assert_eq!(business.now(), t("2030-01-02T01:00:00Z"));
    assert_eq!(SystemClock::now(&system), t("2026-11-19"));
}

fn any_time() -> impl Strategy<Value = Instant> {
    (Instant::MIN.micros()..=Instant::MAX.micros()).prop_map(Instant::from_micros)
}

/// Few cases by default; `PROPTEST_CASES` asks for more.
fn few() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        config
    } else {
        ProptestConfig { cases: 64, ..config }
    }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn reading_gives_back_what_was_written(time in any_time()) {
        prop_assert_eq!(Instant::parse(&time.to_string()), Ok(time));
    }

    #[test]
    fn reading_never_panics(text in "[-+0-9T:Z ./]{0,32}|\\PC{0,16}") {
        let _ = Instant::parse(&text);
        let _ = BillingPeriod::parse(&text);
    }

    #[test]
    fn every_moment_lies_in_its_period_and_day(time in any_time()) {
        prop_assume!(time < BillingPeriod::new(9998, 12).unwrap().end());
        prop_assert!(BillingPeriod::of(time).interval().contains(time));
        prop_assert!(time.day().start() <= time && time < time.day().next().start());
    }
}
