//! Billing periods and days of an address, with the vendor's bounds.
//!
//! Source: `enterprise-reporting.md` section 1.

use armkit::Query;
use calendar::{BillingPeriod, Instant, Interval};
use domain::{Error, Result};

/// Months that a range of days may have, but for the CSV that is answered at once.
pub(crate) const MONTHS_MOST: i32 = 36;
/// The same for the CSV that is answered at once.
pub(crate) const CSV_MONTHS_MOST: i32 = 1;
/// Parameters of days in most operations: from, to.
pub(crate) const TIMES: (&str, &str) = ("startTime", "endTime");
/// The same in those of reservations.
pub(crate) const DATES: (&str, &str) = ("startDate", "endDate");
/// There is no data before this period.
const FIRST: i32 = 201_405;

/// A billing period as six digits, `yyyyMM`, of which there may be data now.
///
/// Errors: [`Error::Invalid`]; [`Error::NotFound`] for one that has not begun.
pub(crate) fn period(field: &str, text: &str, now: Instant) -> Result<BillingPeriod> {
    let wrong = || Error::invalid(field, format!("`{}` is not six digits, yyyyMM", short(text)));
    if text.len() != 6 {
        return Err(wrong());
    }
    let period = BillingPeriod::parse(text).map_err(|_| wrong())?;
    if period.number() < FIRST {
        return Err(Error::invalid(field, format!("there is no data before {FIRST}")));
    }
    if period > BillingPeriod::of(now) {
        return Err(Error::not_found("billing period", text));
    }
    Ok(period)
}

/// The period of the query parameter `billingPeriod`, as [`period`]; none if it is not given.
///
/// Errors: as [`period`].
pub(crate) fn period_in(query: &Query, now: Instant) -> Result<Option<BillingPeriod>> {
    let given = query.get("billingPeriod")?.filter(|text| !text.is_empty());
    given.map(|text| period("billingPeriod", text, now)).transpose()
}

/// The days from one parameter to the other, both of them included, as a half-open interval.
///
/// Errors: [`Error::Invalid`] for what is no `yyyy-MM-dd`, ends before it begins, begins before
/// there was data, or is longer than so many months.
pub(crate) fn days(
    query: &Query,
    (from, to): (&'static str, &'static str),
    months_most: i32,
) -> Result<Interval> {
    let first = day(from, query.required(from)?)?;
    let last = day(to, query.required(to)?)?;
    if BillingPeriod::of(first).number() < FIRST {
        return Err(Error::invalid(from, "there is no data before 2014-05-01"));
    }
    if last < first {
        return Err(Error::invalid(to, format!("must not lie before {from}")));
    }
    let end = last.plus_micros(calendar::MICROS_PER_DAY);
    if end > months_later(first, months_most)? {
        let problem = format!("must lie within {months_most} months of {from}");
        return Err(Error::invalid(to, problem));
    }
    Interval::new(first, end).map_err(|e| Error::invalid(to, e.to_string()))
}

fn day(field: &str, text: &str) -> Result<Instant> {
    let wrong = || Error::invalid(field, format!("`{}` is not a day, yyyy-MM-dd", short(text)));
    let is_day = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !is_day {
        return Err(wrong());
    }
    Instant::parse(text).map_err(|_| wrong())
}

/// The same day of the month so many months later; where that month is shorter, its end.
fn months_later(day: Instant, months: i32) -> Result<Instant> {
    let period = BillingPeriod::of(day);
    let later = period.plus_months(months);
    let later = later.map_err(|e| Error::invalid("days", e.to_string()))?;
    let into = day.since(period.start());
    Ok(later.start().plus_micros(into).min(later.end()))
}

fn short(text: &str) -> String {
    text.chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Instant {
        Instant::parse("2026-03-15").expect("a day")
    }

    #[test]
    fn periods_are_six_digits_since_there_is_data() {
        let check = |text: &str, expected: Option<i32>| {
            let read = period("billingPeriod", text, now()).ok().map(BillingPeriod::number);
            assert_eq!(read, expected, "{text}");
        };
        check("202603", Some(202_603));
        check("201405", Some(201_405));
        check("201404", None);
        check("202604", None); // has not begun
        check("2026-03", None);
        check("202613", None);
        check("20263", None);
        check("２02603", None);
        check("", None);
    }

    #[test]
    fn days_include_their_last_one_and_have_bounds() {
        let check = |months: i32, query: &str, expected: Option<&str>| {
            let read = days(&Query::parse(query), TIMES, months).ok();
            let told = read.map(|days| format!("{} {}", days.start().day(), days.end().day()));
            assert_eq!(told.as_deref(), expected, "{query}");
        };
        let whole = "startTime=2026-01-01&endTime=2026-01-31";
        check(1, whole, Some("2026-01-01 2026-02-01"));
        check(1, "STARTTIME=2026-01-01&endtime=2026-01-01", Some("2026-01-01 2026-01-02"));
        check(1, "startTime=2026-01-01&endTime=2026-02-01", None);
        check(1, "startTime=2026-01-31&endTime=2026-02-28", Some("2026-01-31 2026-03-01"));
        check(1, "startTime=2026-01-31&endTime=2026-03-01", None);
        check(36, "startTime=2023-01-01&endTime=2025-12-31", Some("2023-01-01 2026-01-01"));
        check(36, "startTime=2023-01-01&endTime=2026-01-01", None);
        check(36, "startTime=2014-04-30&endTime=2014-05-02", None);
        check(36, "startTime=2014-05-01&endTime=2014-05-01", Some("2014-05-01 2014-05-02"));
        check(36, "startTime=2026-01-02&endTime=2026-01-01", None);
        check(36, "startTime=2026-01-01", None);
        check(36, "startTime=2026-01-01&startTime=2026-01-01&endTime=2026-01-02", None);
        check(36, "startTime=01.01.2026&endTime=2026-01-02", None);
        check(36, "startTime=2026-02-30&endTime=2026-03-02", None);
    }
}
