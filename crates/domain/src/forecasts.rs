//! Forecasts: what coming days cost if they go on as the last whole days went.
//!
//! The method, and why: `docs/decisions/0021-budgets-and-forecasts.md`. Each day is expected to
//! cost the mean of the last whole days. The range is that mean and what days usually differ from
//! it, so wide that 95 of 100 such sums lie within if days differ by chance alone.

use crate::{Error, Result};
use money::{Fixed18, MoneyError, Rounding};

/// Whole days that are looked back on at most: four weeks, so that each weekday counts the same.
pub const DAYS_MOST: usize = 28;
/// Whole days without which nothing is said.
pub const DAYS_LEAST: usize = 2;
/// How sure the range is, in percent.
pub const CONFIDENCE: u8 = 95;
/// Mean distances from the mean on either side of it, by which 95 of 100 lie within, as for normal
/// spread: 1.959964 × 1.253314.
const REACH: Fixed18 = Fixed18::from_atoms(2_456_450_000_000_000_000);
/// Atoms of a root's last digit: roots are taken to 12 places.
const ROOT_ATOMS: i128 = 1_000_000;
/// What such a root's square counts one as: 24 places.
const SQUARED: i128 = 1_000_000_000_000_000_000_000_000;

/// How some last days went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trend {
    days: u32,
    /// What a day cost on average.
    mean: Fixed18,
    /// How far days were from that on average.
    spread: Fixed18,
}

/// What days ahead are expected to cost together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// The expected cost.
    pub cost: Fixed18,
    /// The lower end of the range.
    pub lower: Fixed18,
    /// Its upper end.
    pub upper: Fixed18,
}

impl Trend {
    /// What the last of some whole days say, oldest first; none where they are too few. The means
    /// are rounded to 18 places, half away from zero.
    ///
    /// Errors: [`Error::Money`].
    pub fn of(daily: &[Fixed18]) -> Result<Option<Trend>> {
        let last = daily.get(daily.len().saturating_sub(DAYS_MOST)..).unwrap_or_default();
        let Ok(days) = u32::try_from(last.len()) else { return Ok(None) };
        if last.len() < DAYS_LEAST {
            return Ok(None);
        }
        let mean = mean(last.iter().copied(), days).map_err(failed)?;
        let distance = |day: &Fixed18| day.checked_sub(mean).and_then(Fixed18::checked_abs);
        let distances = last.iter().map(distance).collect::<std::result::Result<Vec<_>, _>>();
        let spread = mean_of(distances, days).map_err(failed)?;
        Ok(Some(Trend { days, mean, spread }))
    }

    /// What a day is expected to cost.
    pub fn daily(&self) -> Fixed18 {
        self.mean
    }

    /// What so many days ahead are expected to cost together. The range is rounded to 12 places
    /// and does not go below zero unless the expected cost does.
    ///
    /// Errors: [`Error::Money`].
    pub fn ahead(&self, days: u32) -> Result<Forecast> {
        self.ahead_exactly(days).map_err(failed)
    }

    fn ahead_exactly(&self, days: u32) -> std::result::Result<Forecast, MoneyError> {
        let rule = Rounding::HalfAwayFromZero;
        let many = Fixed18::from_int(i64::from(days));
        let cost = self.mean.mul_div(many, Fixed18::ONE, rule)?;
        let reach = self.spread.checked_mul(REACH, Fixed18::PLACES, rule)?;
        let reach = reach.checked_mul(self.widening(days)?, 12, rule)?;
        let (lower, upper) = (cost.checked_sub(reach)?, cost.checked_add(reach)?);
        let lower = if cost.is_negative() { lower } else { lower.max(Fixed18::ZERO) };
        Ok(Forecast { cost, lower, upper })
    }

    /// How much wider the range of so many days is than what days differ by: the root of
    /// k × (n + k) ÷ n for k days ahead and n days behind, as both vary. Rounded down to 12 places.
    fn widening(&self, days: u32) -> std::result::Result<Fixed18, MoneyError> {
        let (ahead, behind) = (i128::from(days), i128::from(self.days));
        let squared = ahead
            .checked_mul(behind.saturating_add(ahead))
            .and_then(|product| product.checked_mul(SQUARED))
            .ok_or(MoneyError::Overflow)?;
        let squared = squared.checked_div(behind).ok_or(MoneyError::DivisionByZero)?;
        let root = squared.checked_isqrt().ok_or(MoneyError::Overflow)?;
        root.checked_mul(ROOT_ATOMS).map(Fixed18::from_atoms).ok_or(MoneyError::Overflow)
    }
}

impl Forecast {
    /// The same with what is known to come besides.
    ///
    /// Errors: [`Error::Money`].
    pub fn plus(self, known: Fixed18) -> Result<Forecast> {
        let Forecast { cost, lower, upper } = self;
        let plus = |cost: Fixed18| cost.checked_add(known).map_err(failed);
        Ok(Forecast { cost: plus(cost)?, lower: plus(lower)?, upper: plus(upper)? })
    }
}

/// What a span of days is expected to cost in all: whole days that are over as they were, the day
/// that runs at what it cost so far or its mean, whichever is more, and days ahead at their mean.
///
/// Errors: [`Error::Money`].
pub fn whole(over: Fixed18, today: Fixed18, trend: &Trend, days_ahead: u32) -> Result<Forecast> {
    let ahead = trend.ahead(days_ahead)?;
    ahead.plus(over.checked_add(today.max(trend.daily())).map_err(failed)?)
}

fn mean_of(
    numbers: std::result::Result<Vec<Fixed18>, MoneyError>,
    count: u32,
) -> std::result::Result<Fixed18, MoneyError> {
    mean(numbers?.into_iter(), count)
}

fn mean(
    numbers: impl Iterator<Item = Fixed18>,
    count: u32,
) -> std::result::Result<Fixed18, MoneyError> {
    let weighted = numbers.map(|number| (number, 1));
    Fixed18::weighted_mean(weighted, u64::from(count), Rounding::HalfAwayFromZero)
}

fn failed(error: MoneyError) -> Error {
    Error::money("forecast", error)
}

#[cfg(test)]
mod tests;
