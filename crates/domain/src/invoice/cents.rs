//! Where a cent of a line comes from.

use super::Line;
use crate::{Error, Result};
use money::{Cost, Fixed18, MoneyError, Rounding};

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

    fn place_of(
        &self,
        costs: &[Cost],
        cent: u64,
    ) -> std::result::Result<Option<usize>, MoneyError> {
        let (currency, is_negative) = (self.booked.currency(), self.booked.minor() < 0);
        let before = i128::from(cent).checked_sub(1).ok_or(MoneyError::Overflow)?;
        let before = money::Money::from_minor(before, currency).to_cost()?.major;
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
