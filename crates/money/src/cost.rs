//! Exact costs and booked money.

use crate::fixed::{div_round, unit};
use crate::{Currency, Fixed18, MoneyError, Rounding};
use std::fmt;
use std::num::NonZeroU128;

/// An exact cost in major units with 18 places; sums of it are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cost {
    /// Major units (dollars, yen, dinars).
    pub major: Fixed18,
    /// Of what.
    pub currency: Currency,
}

/// A booked amount: whole minor units (cents, yen, fils) of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i128,
    currency: Currency,
}

impl Cost {
    /// Nothing, in a currency.
    pub const fn zero(currency: Currency) -> Cost {
        Cost { major: Fixed18::ZERO, currency }
    }

    /// Adds; errors: [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Cost) -> Result<Cost, MoneyError> {
        same_currency(self.currency, other.currency)?;
        Ok(Cost { major: self.major.checked_add(other.major)?, currency: self.currency })
    }

    /// Subtracts; errors: [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn checked_sub(self, other: Cost) -> Result<Cost, MoneyError> {
        same_currency(self.currency, other.currency)?;
        Ok(Cost { major: self.major.checked_sub(other.major)?, currency: self.currency })
    }

    /// The same amount as money; none where it is finer than the minor unit.
    ///
    /// Errors: [`MoneyError::Overflow`].
    pub fn to_money(self) -> Result<Option<Money>, MoneyError> {
        let money = self.book(Rounding::TowardZero)?;
        Ok((money.to_cost()? == self).then_some(money))
    }

    /// Books a cost: the one place where billing rounds.
    ///
    /// Units:  in, exact major units (USD 4.005); out, minor units (401 cents).
    /// Errors: [`MoneyError::Overflow`] beyond what a booked amount can hold.
    /// Source: Infobip's published callback bills 450 × 0.0089 as 4.01, half away from zero.
    pub fn book(self, rule: Rounding) -> Result<Money, MoneyError> {
        let exponent = self.currency.exponent();
        let minor = div_round(self.major.atoms(), unit(exponent), rule)?;
        Ok(Money { minor, currency: self.currency })
    }
}

impl Money {
    /// Makes an amount of whole minor units.
    pub const fn from_minor(minor: i128, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// Nothing, in a currency.
    pub const fn zero(currency: Currency) -> Money {
        Money { minor: 0, currency }
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// Whole minor units.
    pub const fn minor(self) -> i128 {
        self.minor
    }

    /// Of what.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Adds; errors: [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        same_currency(self.currency, other.currency)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Money { minor, currency: self.currency })
    }

    /// Subtracts; errors: [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn checked_sub(self, other: Money) -> Result<Money, MoneyError> {
        same_currency(self.currency, other.currency)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Money { minor, currency: self.currency })
    }

    /// Changes the sign; errors: [`MoneyError::Overflow`] for the smallest amount.
    pub fn checked_neg(self) -> Result<Money, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Money { minor, currency: self.currency })
    }

    /// Adds many of one currency; errors: as [`Money::checked_add`].
    pub fn checked_sum(
        currency: Currency,
        amounts: impl IntoIterator<Item = Money>,
    ) -> Result<Money, MoneyError> {
        amounts.into_iter().try_fold(Money::zero(currency), Money::checked_add)
    }

    /// Its digits in major units, without the currency: `-0.05`.
    pub fn digits(self) -> String {
        let sign = if self.minor < 0 { "-" } else { "" };
        let size = self.minor.unsigned_abs();
        let unit = 10_u128.saturating_pow(self.currency.exponent());
        let unit = NonZeroU128::new(unit).unwrap_or(NonZeroU128::MIN);
        let (whole, fraction) = (size / unit, size % unit);
        match usize::try_from(self.currency.exponent()) {
            Ok(0) | Err(_) => format!("{sign}{whole}"),
            Ok(places) => format!("{sign}{whole}.{fraction:0places$}"),
        }
    }

    /// The amount as an exact cost again; errors: [`MoneyError::Overflow`].
    pub fn to_cost(self) -> Result<Cost, MoneyError> {
        let unit = unit(self.currency.exponent());
        let atoms = unit.checked_mul(self.minor).ok_or(MoneyError::Overflow)?;
        Ok(Cost { major: Fixed18::from_atoms(atoms), currency: self.currency })
    }
}

fn same_currency(left: Currency, right: Currency) -> Result<(), MoneyError> {
    if left == right { Ok(()) } else { Err(MoneyError::CurrencyMismatch { left, right }) }
}

/// Writes the digits of the currency's exponent: `4.01 USD`, `12 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.digits(), self.currency)
    }
}
