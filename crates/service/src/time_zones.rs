//! Time zones, for questions that mean other days than those of UTC.
//!
//! The rules of all zones are built into the program, so that an answer does not hang on the files
//! of the machine.

use calendar::{Day, Instant, MICROS_PER_SECOND};
use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use domain::{Error, Result};

/// Seconds of a day without a change of the clock.
const DAY_SECONDS: i64 = 86_400;
/// Clocks change by whole quarters of an hour.
const QUARTER_SECONDS: i64 = 900;
/// The longest time that a clock was set forward by is a day: a zone that changed its date line.
const LONGEST_GAP_QUARTERS: i64 = 104;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zone(Tz);

impl Zone {
    /// Finds a zone by its name in the IANA's list; UTC if none is named.
    ///
    /// Errors: [`Error::Invalid`] naming `time_zone`.
    pub(crate) fn named(name: Option<&str>) -> Result<Zone> {
        let Some(name) = name else { return Ok(Zone(Tz::UTC)) };
        let unknown = || {
            let problem = format!(
                "`{name}` is no time zone of the IANA's list, such as `Europe/Berlin` or `UTC`"
            );
            Error::invalid("time_zone", problem)
        };
        name.parse().map(Zone).map_err(|_| unknown())
    }

    /// Whether its days are those of UTC.
    pub(crate) fn is_utc(self) -> bool {
        matches!(self.0, Tz::UTC | Tz::Etc__UTC)
    }

    /// When a day begins there: at midnight, or where the clock skips that, right after it.
    pub(crate) fn start_of(self, day: Day) -> Instant {
        let utc = day.start();
        if self.is_utc() {
            return utc;
        }
        let midnight = utc.seconds();
        let tried = (0..=LONGEST_GAP_QUARTERS).map(|quarter| {
            let local = midnight.saturating_add(quarter.saturating_mul(QUARTER_SECONDS));
            self.seconds_at(local)
        });
        let found = tried.flatten().next().unwrap_or(midnight);
        Instant::from_micros(found.saturating_mul(MICROS_PER_SECOND))
    }

    /// The day that it is there at a moment.
    pub(crate) fn day_of(self, moment: Instant) -> Day {
        if self.is_utc() {
            return moment.day();
        }
        let local = DateTime::<Utc>::from_timestamp(moment.seconds(), 0)
            .map(|utc| utc.with_timezone(&self.0).naive_local().and_utc().timestamp());
        let day = local.unwrap_or(moment.seconds()).div_euclid(DAY_SECONDS);
        i32::try_from(day).map_or(moment.day(), Day::from_number)
    }

    /// When clocks there show a time, the first time that they do; none if they skip it.
    ///
    /// Units: seconds since 1970 on the clock, and since then.
    fn seconds_at(self, local: i64) -> Option<i64> {
        let local = DateTime::<Utc>::from_timestamp(local, 0)?.naive_utc();
        Some(self.0.from_local_datetime(&local).earliest()?.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Instant::parse(text).unwrap().day()
    }

    #[test]
    fn a_day_begins_when_clocks_show_it_first() {
        let check = |name: &str, on: &str, expected: &str| {
            let zone = Zone::named(Some(name)).unwrap();
            let start = zone.start_of(day(on));
            assert_eq!(start, Instant::parse(expected).unwrap(), "{on} in {name}");
            assert_eq!(zone.day_of(start), day(on), "{on} in {name}");
            let before = Day::from_number(day(on).number() - 1);
            assert_eq!(zone.day_of(start.plus_micros(-1)), before, "{on} in {name}");
        };
        check("UTC", "2026-03-01", "2026-03-01T00:00:00Z");
        check("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z");
        check("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00Z"); // a day of 23 hours before it
        check("America/New_York", "2026-03-01", "2026-03-01T05:00:00Z");
        check("Asia/Kathmandu", "2026-03-01", "2026-02-28T18:15:00Z");
        // Clocks went from midnight to one: the day begins at one.
        check("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z");
    }

    #[test]
    fn a_day_that_a_zone_skipped_has_no_length() {
        let zone = Zone::named(Some("Pacific/Apia")).unwrap();
        let skipped = day("2011-12-30");
        assert_eq!(zone.start_of(skipped), zone.start_of(skipped.next()));
    }

    #[test]
    fn zones_are_those_of_the_list() {
        assert!(Zone::named(None).unwrap().is_utc());
        assert!(Zone::named(Some("UTC")).unwrap().is_utc());
        assert!(!Zone::named(Some("Europe/Berlin")).unwrap().is_utc());
        let error = Zone::named(Some("Mars/Olympus")).unwrap_err().to_string();
        assert!(error.starts_with("time_zone: `Mars/Olympus` is no time zone"), "{error}");
    }
}
