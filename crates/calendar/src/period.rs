//! Half-open intervals and billing periods.

use crate::{CalendarError, Instant};
use std::fmt;

/// From `start`, inclusive, to `end`, exclusive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval {
    start: Instant,
    end: Instant,
}

impl Interval {
    /// Makes an interval; errors: [`CalendarError::Reversed`]. Start and end may be equal.
    pub fn new(start: Instant, end: Instant) -> Result<Interval, CalendarError> {
        if end < start {
            Err(CalendarError::Reversed { start, end })
        } else {
            Ok(Interval { start, end })
        }
    }

    /// The moment itself: an interval of no length.
    pub const fn at(moment: Instant) -> Interval {
        Interval { start: moment, end: moment }
    }

    /// All time.
    pub const fn always() -> Interval {
        Interval { start: Instant::MIN, end: Instant::MAX }
    }

    /// Where it begins, inclusive.
    pub const fn start(&self) -> Instant {
        self.start
    }

    /// Where it ends, exclusive.
    pub const fn end(&self) -> Instant {
        self.end
    }

    /// Whether `moment` lies inside.
    pub fn contains(&self, moment: Instant) -> bool {
        self.start <= moment && moment < self.end
    }

    /// Whether the two share a moment.
    pub fn overlaps(&self, other: &Interval) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// What both cover, if anything.
    pub fn intersection(&self, other: &Interval) -> Option<Interval> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Interval { start, end })
    }

    /// Length in microseconds.
    pub fn micros(&self) -> i64 {
        self.end.since(self.start)
    }

    /// How many months it is long, where it begins and ends at the same moment of two months; none
    /// for any other length.
    pub fn whole_months(&self) -> Option<i32> {
        let [(first, since), (last, until)] = [self.start, self.end].map(|at| {
            let month = BillingPeriod::of(at);
            (month, at.since(month.start()))
        });
        let months = last.months_since(first);
        (since == until && months > 0).then_some(months)
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

/// The half-open UTC calendar month that one invoice covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BillingPeriod {
    year: i16,
    month: i8,
}

impl BillingPeriod {
    /// Makes a period.
    ///
    /// Errors: [`CalendarError::NotAPeriod`] outside the years 1 to 9998 and the months 1 to 12.
    pub fn new(year: i16, month: i8) -> Result<BillingPeriod, CalendarError> {
        if (1..=9998).contains(&year) && (1..=12).contains(&month) {
            Ok(BillingPeriod { year, month })
        } else {
            Err(not_a_period(&format!("{year}-{month}")))
        }
    }

    /// The period that holds a moment; the last period for moments behind it.
    pub fn of(moment: Instant) -> BillingPeriod {
        let date = moment.civil().date();
        if date.year() > 9998 {
            return BillingPeriod { year: 9998, month: 12 };
        }
        BillingPeriod { year: date.year(), month: date.month() }
    }

    /// Reads `2026-03` or `202603`; errors: [`CalendarError::NotAPeriod`].
    pub fn parse(text: &str) -> Result<BillingPeriod, CalendarError> {
        let digits = text.replace('-', "");
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(not_a_period(text));
        }
        match (digits[..4].parse(), digits[4..].parse()) {
            (Ok(year), Ok(month)) => BillingPeriod::new(year, month),
            _ => Err(not_a_period(text)),
        }
    }

    /// Year × 100 + month: 202603.
    pub fn number(self) -> i32 {
        i32::from(self.year).saturating_mul(100).saturating_add(i32::from(self.month))
    }

    /// The period of a [`BillingPeriod::number`]; errors: [`CalendarError::NotAPeriod`].
    pub fn from_number(number: i32) -> Result<BillingPeriod, CalendarError> {
        match (i16::try_from(number / 100), i8::try_from(number % 100)) {
            (Ok(year), Ok(month)) => BillingPeriod::new(year, month),
            _ => Err(not_a_period(&number.to_string())),
        }
    }

    /// Its first moment.
    pub fn start(self) -> Instant {
        Instant::from_civil(self.year, self.month, 1, 0).unwrap_or(Instant::MIN)
    }

    /// The first moment after it.
    pub fn end(self) -> Instant {
        self.next().start()
    }

    /// Start to end.
    pub fn interval(self) -> Interval {
        Interval { start: self.start(), end: self.end() }
    }

    /// The period after.
    pub fn next(self) -> BillingPeriod {
        match self.month {
            12 => BillingPeriod { year: self.year.saturating_add(1), month: 1 },
            month => BillingPeriod { year: self.year, month: month.saturating_add(1) },
        }
    }

    /// The period so many months later (earlier if negative).
    ///
    /// Errors: [`CalendarError::NotAPeriod`] outside the years 1 to 9998.
    pub fn plus_months(self, months: i32) -> Result<BillingPeriod, CalendarError> {
        let count = self.month_count().saturating_add(months);
        let (year, month) = (count.div_euclid(12), count.rem_euclid(12).saturating_add(1));
        match (i16::try_from(year), i8::try_from(month)) {
            (Ok(year), Ok(month)) => BillingPeriod::new(year, month),
            _ => Err(not_a_period(&format!("{self} and {months} months"))),
        }
    }

    /// Months from `earlier` to here.
    pub fn months_since(self, earlier: BillingPeriod) -> i32 {
        self.month_count().saturating_sub(earlier.month_count())
    }

    fn month_count(self) -> i32 {
        let months = i32::from(self.month).saturating_sub(1);
        i32::from(self.year).saturating_mul(12).saturating_add(months)
    }

    /// The period before.
    pub fn previous(self) -> BillingPeriod {
        match self.month {
            1 => BillingPeriod { year: self.year.saturating_sub(1), month: 12 },
            month => BillingPeriod { year: self.year, month: month.saturating_sub(1) },
        }
    }
}

fn not_a_period(text: &str) -> CalendarError {
    CalendarError::NotAPeriod { text: text.chars().take(64).collect() }
}

impl fmt::Display for BillingPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl fmt::Debug for BillingPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
