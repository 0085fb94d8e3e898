//! Where a cent of a line comes from.

use super::Line;
use crate::{Error, Result};
use money::{Cost, Fixed18, Money, MoneyError, Rounding};

impl Line {
    /// Which of the line's charges a minor unit lies in, counted from 1: the one with which their
    /// running sum, in the billing currency, first exceeds the units before it.
    ///
    /// `costs` are all charges of the line, in canonical order and in its pricing currency; gives
    /// a place among them. Errors: [`Error::Invalid`] for a unit that the line does not have;
    /// [`Error::Money`].
    pub fn charge_of_cent(&self, costs: &[Cost], cent: u64) -> Result<Option<usize>> {
        let most = self.booked.minor().unsigned_abs();
        if cent == 0 || u128::from(cent) > most {
            let problem = format!("line {} has cents 1 to {most}, not {cent}", self.number);
            return Err(Error::invalid("cent", problem));
        }
        let of = |source| Error::money(format!("cents of line {}", self.number), source);
        self.place_of(costs, cent).map_err(of)
    }

    /// Which of the line's own minor units, from 1, a unit of a share of it stands for: the share's
    /// units are spread evenly over the line's.
    ///
    /// Errors: [`Error::Money`].
    pub fn cent_of_share(&self, unit: u64, share: Money) -> Result<u64> {
        let of = || Error::money(format!("cents of line {}", self.number), MoneyError::Overflow);
        let (most, share) = (self.booked.minor().unsigned_abs(), share.minor().unsigned_abs());
        let spread = u128::from(unit).checked_mul(most).ok_or_else(of)?;
        // Rounded up: the last unit of the share is the line's last.
        let up = spread.checked_add(share.saturating_sub(1)).and_then(|sum| sum.checked_div(share));
        u64::try_from(up.ok_or_else(of)?.clamp(1, most.max(1))).map_err(|_| of())
    }

    fn place_of(
        &self,
        costs: &[Cost],
        cent: u64,
    ) -> std::result::Result<Option<usize>, MoneyError> {
        let (currency, is_negative) = (self.booked.currency(), self.booked.minor() < 0);
        let before = i128::from(cent).checked_sub(1).ok_or(MoneyError::Overflow)?;
        let before = Money::from_minor(before, currency).to_cost()?.major;
        let mut sum = Fixed18::ZERO;
        for (place, cost) in costs.iter().enumerate() {
            sum = sum.checked_add(cost.major)?;
            let billed = match &self.exchange {
                Some(rate) => sum.checked_mul(rate.rate, Fixed18::PLACES, Rounding::default())?,
                None => sum,
            };
            let size = if is_negative { billed.checked_neg()? } else { billed };
            if size > before {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// Which of some amounts of one currency a minor unit of their sum lies in, counted from 1, and
/// which unit of that amount it is; none if the sum does not have it.
pub(super) fn part_of_unit(
    amounts: &[Money],
    unit: u64,
) -> std::result::Result<Option<(usize, u64)>, MoneyError> {
    let add = |sum: i128, one: i128| sum.checked_add(one).ok_or(MoneyError::Overflow);
    let all = amounts.iter().try_fold(0, |sum, amount| add(sum, amount.minor()))?;
    if unit == 0 || u128::from(unit) > all.unsigned_abs() {
        return Ok(None);
    }
    let mut before = 0_i128;
    for (place, amount) in amounts.iter().enumerate() {
        let size = if all < 0 { amount.checked_neg()?.minor() } else { amount.minor() };
        let after = add(before, size)?;
        if after >= i128::from(unit) {
            let within = i128::from(unit).checked_sub(before).ok_or(MoneyError::Overflow)?;
            return u64::try_from(within)
                .map(|within| Some((place, within)))
                .map_err(|_| MoneyError::Overflow);
        }
        before = after;
    }
    Ok(None)
}
