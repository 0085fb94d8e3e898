//! Days that are asked for: `startDate` and `endDate`, and what `$filter` compares dates with.

use armkit::{Comparing, Comparison, Query};
use calendar::{Day, Instant};
use domain::{Error, Result};
use std::ops::Range;

const FROM: &str = "startDate";
const UNTIL: &str = "endDate";
const FILTER: &str = "$filter";

/// The days of `startDate` and `endDate`, of which both count; none where neither is there.
///
/// Errors: [`Error::Invalid`] naming the one that is missing, no date, or the wrong way round.
pub(crate) fn given(query: &Query) -> Result<Option<Range<Day>>> {
    if query.get(FROM)?.is_none() && query.get(UNTIL)?.is_none() {
        return Ok(None);
    }
    required(query).map(Some)
}

/// The same where they must be there.
///
/// Errors: as [`given`].
pub(crate) fn required(query: &Query) -> Result<Range<Day>> {
    let from = day(FROM, query.required(FROM)?)?;
    let until = day(UNTIL, query.required(UNTIL)?)?;
    both(from, until, UNTIL)
}

/// The days that comparisons of one date leave: `ge`, `gt` and `eq` say from when on, `le`, `lt`
/// and `eq` until when; none for the side that none says.
///
/// Errors: [`Error::Invalid`] for what is no date.
pub(crate) fn compared<'a>(
    comparisons: impl Iterator<Item = &'a Comparison>,
) -> Result<(Option<Day>, Option<Day>)> {
    let (mut first, mut last): (Option<Day>, Option<Day>) = (None, None);
    for Comparison { name: _, comparing, value } in comparisons {
        let day = day(FILTER, value)?;
        let (from, until) = match comparing {
            Comparing::Equal => (Some(day), Some(day)),
            Comparing::GreaterOrEqual => (Some(day), None),
            Comparing::Greater => (Some(day.next()), None),
            Comparing::LessOrEqual => (None, Some(day)),
            Comparing::Less => (None, Some(before(day))),
        };
        first = first.max(from);
        last = match (last, until) {
            (Some(last), Some(until)) => Some(last.min(until)),
            (last, until) => last.or(until),
        };
    }
    Ok((first, last))
}

/// Days of which the first and the last count.
///
/// Errors: [`Error::Invalid`] naming `field` where the last lies before the first.
pub(crate) fn both(first: Day, last: Day, field: &str) -> Result<Range<Day>> {
    if last < first {
        return Err(Error::invalid(field, format!("{last} lies before {first}")));
    }
    Ok(first..last.next())
}

/// The day of a date or a time.
fn day(field: &str, text: &str) -> Result<Day> {
    let problem = || format!("`{text}` is no date; write 2026-11-18");
    Instant::parse(text).map(Instant::day).map_err(|_| Error::invalid(field, problem()))
}

fn before(day: Day) -> Day {
    Day::from_number(day.number().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use armkit::comparisons;

    fn told(days: Result<Option<Range<Day>>>) -> String {
        match days {
            Ok(Some(days)) => format!("{} {}", days.start, days.end),
            Ok(None) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn days_are_asked_for_with_both_ends() {
        let check = |query: &str, expected: &str| {
            assert_eq!(told(given(&Query::parse(query))), expected, "{query}");
        };
        check("", "none");
        check("startDate=2026-09-01&endDate=2026-09-30", "2026-09-01 2026-10-01");
        check("startdate=2026-09-01T00:00:00Z&enddate=2026-09-01", "2026-09-01 2026-09-02");
        check(
            "startDate=2026-09-02&endDate=2026-09-01",
            "endDate: 2026-09-01 lies before 2026-09-02",
        );
        check("startDate=2026-09-02", "endDate: must be given");
        check(
            "startDate=soon&endDate=2026-09-01",
            "startDate: `soon` is no date; write 2026-11-18",
        );
    }

    #[test]
    fn comparisons_leave_days() {
        let check = |filter: &str, expected: (&str, &str)| {
            let all = comparisons(filter, 400).unwrap();
            let (first, last) = compared(all.iter()).unwrap();
            let told = [first, last].map(|day| day.map_or("-".to_owned(), |day| day.to_string()));
            assert_eq!((told[0].as_str(), told[1].as_str()), expected, "{filter}");
        };
        check("d ge 2026-09-01 and d le 2026-09-30", ("2026-09-01", "2026-09-30"));
        check("d gt 2026-09-01 and d lt '2026-09-30'", ("2026-09-02", "2026-09-29"));
        check("d eq 2026-09-01", ("2026-09-01", "2026-09-01"));
        check("d ge 2026-09-01 and d ge 2026-09-05", ("2026-09-05", "-"));
        check("d le 2026-09-20 and d le 2026-09-05", ("-", "2026-09-05"));
    }
}
