//! A moment in UTC, to the microsecond.

use crate::CalendarError;
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use std::fmt;

const UNIX_EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in an hour.
pub const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
/// Microseconds in a UTC day.
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// A moment: microseconds since 1970-01-01T00:00:00Z, years 1 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

/// A UTC calendar day: days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Instant {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Instant = Instant(0);
    /// 0001-01-01T00:00:00Z: "always has been".
    pub const MIN: Instant = Instant(-62_135_596_800 * MICROS_PER_SECOND);
    /// 9999-12-31T00:00:00Z: "never ends".
    pub const MAX: Instant = Instant(253_402_214_400 * MICROS_PER_SECOND);

    /// Makes an instant; values beyond the years 1 to 9999 are brought to the nearest bound.
    pub fn from_micros(micros: i64) -> Instant {
        Instant(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Makes an instant of a UTC date and time of day.
    ///
    /// Errors: [`CalendarError::NotATime`] when there is no such date.
    pub fn from_civil(year: i16, month: i8, day: i8, hour: i8) -> Result<Instant, CalendarError> {
        DateTime::new(year, month, day, hour, 0, 0, 0)
            .map_err(|_| not_a_time(&format!("{year}-{month}-{day}T{hour}")))
            .map(in_utc)
    }

    /// Reads ISO 8601 with offset, `Z` or none (then UTC), with or without seconds; a date alone
    /// is its midnight. Blank or plus instead of `T`, and a blank instead of the offset's plus or
    /// before it, are read. What lies between microseconds goes to the earlier one.
    ///
    /// Source: spellings of Microsoft.Commerce callers and exports.
    /// Errors: [`CalendarError::NotATime`].
    pub fn parse(text: &str) -> Result<Instant, CalendarError> {
        let trimmed = text.trim();
        if let Ok(stamp) = trimmed.parse::<jiff::Timestamp>() {
            return Ok(Instant::from_nanos(stamp.as_nanosecond()));
        }
        let mended = with_plus_mended(trimmed);
        let trimmed = mended.as_deref().unwrap_or(trimmed);
        let (civil, offset_seconds) = split_offset(trimmed).ok_or_else(|| not_a_time(text))?;
        let civil = parse_civil(civil).ok_or_else(|| not_a_time(text))?;
        let local = in_utc(civil);
        Ok(Instant::from_micros(
            local.0.saturating_sub(offset_seconds.saturating_mul(MICROS_PER_SECOND)),
        ))
    }

    /// The UTC day.
    pub fn day(self) -> Day {
        Day(i32::try_from(self.0.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX))
    }

    /// The start of its UTC hour.
    pub fn start_of_hour(self) -> Instant {
        Instant(self.0.saturating_sub(self.0.rem_euclid(MICROS_PER_HOUR)))
    }

    /// The start of its UTC day.
    pub fn start_of_day(self) -> Instant {
        Instant(self.0.saturating_sub(self.0.rem_euclid(MICROS_PER_DAY)))
    }

    /// Whether it is a whole UTC hour.
    pub fn is_whole_hour(self) -> bool {
        self.0.rem_euclid(MICROS_PER_HOUR) == 0
    }

    /// Whether it is midnight UTC.
    pub fn is_midnight(self) -> bool {
        self.0.rem_euclid(MICROS_PER_DAY) == 0
    }

    /// Later by so many microseconds (earlier if negative), kept within range.
    pub fn plus_micros(self, micros: i64) -> Instant {
        Instant::from_micros(self.0.saturating_add(micros))
    }

    /// Later by so many seconds (earlier if negative), kept within range.
    pub fn plus_seconds(self, seconds: i64) -> Instant {
        self.plus_micros(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Microseconds from `earlier` to here.
    pub fn since(self, earlier: Instant) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC date and time of day.
    pub(crate) fn civil(self) -> DateTime {
        // Not by way of `jiff::Timestamp`, which ends a day before our last instant.
        UNIX_EPOCH.saturating_add(SignedDuration::from_micros(self.0))
    }

    fn from_nanos(nanos: i128) -> Instant {
        Instant::from_micros(i64::try_from(nanos.div_euclid(1_000)).unwrap_or(i64::MAX))
    }

    /// Hour of the UTC day, 0 to 23.
    pub fn hour(self) -> u8 {
        u8::try_from(self.0.rem_euclid(MICROS_PER_DAY) / MICROS_PER_HOUR).unwrap_or(0)
    }

    /// Written as Azure's usage answers print it: `2026-03-02T00:00:00+00:00`, whole seconds.
    pub fn to_offset_string(self) -> String {
        self.civil().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
    }

    /// Written with digits only: `20260302_0000` (date, hour, minute).
    pub fn to_compact_string(self) -> String {
        self.civil().strftime("%Y%m%d_%H%M").to_string()
    }
}

fn not_a_time(text: &str) -> CalendarError {
    CalendarError::NotATime { text: text.chars().take(64).collect() }
}

fn in_utc(civil: DateTime) -> Instant {
    Instant::from_nanos(civil.duration_since(UNIX_EPOCH).as_nanos())
}

/// `2015-03-01+00:00:00Z`: the plus stands for a blank, which an address cannot hold.
fn with_plus_mended(text: &str) -> Option<String> {
    let (date, time) = text.split_at_checked(10)?;
    Some(format!("{date}T{}", time.strip_prefix('+')?))
}

fn parse_civil(text: &str) -> Option<DateTime> {
    if let Ok(civil) = text.parse::<DateTime>() {
        return Some(civil);
    }
    text.parse::<Date>().ok().map(|date| date.to_datetime(jiff::civil::Time::midnight()))
}

/// Cuts `Z` or `±hh:mm` off the end; nothing there means UTC. `00:00Z` after a blank is an offset
/// whose plus was lost on the way.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let Some(time_at) = text.find(['T', 't', ' ']) else { return Some((text, 0)) };
    match text.rfind(['+', '-', ' ']).filter(|at| *at > time_at) {
        Some(at) => {
            let (civil, offset) = text.split_at(at);
            Some((civil.trim_end(), offset_seconds(offset)?))
        }
        None => Some((text, 0)),
    }
}

fn offset_seconds(text: &str) -> Option<i64> {
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = (digits[..2].parse::<i64>().ok()?, digits[2..].parse::<i64>().ok()?);
    let size = hours.saturating_mul(3_600).saturating_add(minutes.saturating_mul(60));
    let offset = if text.starts_with('-') { size.saturating_neg() } else { size };
    (hours < 24 && minutes < 60).then_some(offset)
}

impl Day {
    /// Makes a day from days since the epoch.
    pub const fn from_number(days: i32) -> Day {
        Day(days)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Its midnight.
    pub fn start(self) -> Instant {
        Instant::from_micros(i64::from(self.0).saturating_mul(MICROS_PER_DAY))
    }

    /// The day after.
    pub fn next(self) -> Day {
        Day(self.0.saturating_add(1))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.start().civil().date())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes RFC 3339 in UTC, with a fraction only where there is one.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.civil())
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
