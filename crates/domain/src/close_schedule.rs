//! When billing periods are closed by themselves: on a day of the month after, at an hour.
//!
//! Source: architecture, section 3 (close).

use crate::{Error, Result};
use calendar::{BillingPeriod, Instant, MICROS_PER_DAY, MICROS_PER_HOUR};

/// The day and hour at which the month before is due to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseSchedule {
    day: u8,
    hour: u8,
}

impl CloseSchedule {
    /// The fifth at three: a source has four days to report what is late.
    pub const USUAL: CloseSchedule = CloseSchedule { day: 5, hour: 3 };

    /// A schedule.
    ///
    /// Units: day of the month, 1 to 28; hour of the day, 0 to 23, UTC. Errors:
    /// [`Error::Invalid`] for others.
    pub fn new(day: u8, hour: u8) -> Result<CloseSchedule> {
        if !(1..=28).contains(&day) {
            return Err(Error::invalid("close.day", "must be 1 to 28: every month has it"));
        }
        if hour > 23 {
            return Err(Error::invalid("close.hour", "must be 0 to 23"));
        }
        Ok(CloseSchedule { day, hour })
    }

    /// The day of the month.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// The hour of the day.
    pub const fn hour(self) -> u8 {
        self.hour
    }

    /// From when on a billing period is due to be closed.
    pub fn due_from(self, period: BillingPeriod) -> Instant {
        let days = i64::from(self.day).saturating_sub(1).saturating_mul(MICROS_PER_DAY);
        let hours = i64::from(self.hour).saturating_mul(MICROS_PER_HOUR);
        period.end().plus_micros(days.saturating_add(hours))
    }

    /// The newest billing period that is due at a moment.
    pub fn newest_due(self, now: Instant) -> BillingPeriod {
        let last = BillingPeriod::of(now).previous();
        if now < self.due_from(last) { last.previous() } else { last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_due_from_its_day_and_hour_in_the_month_after() {
        fn check(day: u8, hour: u8, now: &str, expected: &str) {
            let schedule = CloseSchedule::new(day, hour).unwrap();
            let newest = schedule.newest_due(Instant::parse(now).unwrap());
            assert_eq!(newest.to_string(), expected, "{day} {hour} {now}");
        }
        check(5, 3, "2026-06-05T02:59:59.999999Z", "2026-04");
        check(5, 3, "2026-06-05T03:00:00Z", "2026-05");
        check(5, 3, "2026-06-30T23:59:59Z", "2026-05");
        check(5, 3, "2026-07-01", "2026-05");
        check(1, 0, "2026-07-01", "2026-06");
        check(5, 3, "2027-01-05T02:00:00Z", "2026-11");
        check(5, 3, "2027-01-05T03:00:00Z", "2026-12");
        check(28, 23, "2026-03-28T22:59:59Z", "2026-01");
        check(28, 23, "2026-03-28T23:00:00Z", "2026-02");
    }

    #[test]
    fn a_day_that_some_month_lacks_is_refused() {
        for (day, hour) in [(0, 0), (29, 0), (31, 0), (5, 24)] {
            assert!(CloseSchedule::new(day, hour).is_err(), "{day} {hour}");
        }
        assert_eq!(CloseSchedule::new(5, 3).unwrap(), CloseSchedule::USUAL);
    }
}
