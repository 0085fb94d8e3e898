//! Instants, half-open intervals, billing periods and the two clocks. Everything is UTC.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod clock;
mod instant;
mod period;

pub use clock::{BusinessClock, OffsetClock, SetClock, SystemClock, WallClock};
pub use instant::{Day, Instant, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND};
pub use period::{BillingPeriod, Interval};

/// What can go wrong with a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The text is not a time that we read.
    #[error("`{text}` is not a time such as 2026-03-01T00:00:00Z")]
    NotATime {
        /// What was given, cut to 64 characters.
        text: String,
    },
    /// The text is not a billing period.
    #[error("`{text}` is not a billing period such as 2026-03")]
    NotAPeriod {
        /// What was given, cut to 64 characters.
        text: String,
    },
    /// The interval ends before it begins.
    #[error("interval ends at {end}, before it starts at {start}")]
    Reversed {
        /// Where it should begin.
        start: Instant,
        /// Where it should end.
        end: Instant,
    },
}

#[cfg(test)]
mod tests;
