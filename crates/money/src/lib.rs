//! Exact numbers: quantities, prices and costs with 18 places, and booked money.
//!
//! Nothing here is a binary float, and every operation that can leave its range says so.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod allocate;
mod cost;
mod currency;
mod fixed;

pub use allocate::{allocate, allocate_amounts};
pub use cost::{Cost, Money};
pub use currency::Currency;
pub use fixed::{Fixed18, Rounding};

/// What can go wrong with an exact number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a decimal number.
    #[error("`{text}` is not a decimal number")]
    NotANumber {
        /// What was given, cut to 64 characters.
        text: String,
    },
    /// The number has digits beyond the 18th place.
    #[error("`{text}` has more than 18 places")]
    TooManyPlaces {
        /// What was given, cut to 64 characters.
        text: String,
    },
    /// The number leaves the range of its type.
    #[error("number out of range")]
    Overflow,
    /// A division by zero was asked for.
    #[error("division by zero")]
    DivisionByZero,
    /// The code is not an ISO 4217 currency with minor units.
    #[error("`{code}` is not a currency")]
    UnknownCurrency {
        /// What was given, cut to 64 characters.
        code: String,
    },
    /// Two amounts of different currencies met.
    #[error("{left} and {right} cannot be added")]
    CurrencyMismatch {
        /// Currency on the left.
        left: Currency,
        /// Currency on the right.
        right: Currency,
    },
    /// A largest-remainder split has nothing to go by.
    #[error("weights to split by are empty, negative or all zero")]
    NoWeights,
}

#[cfg(test)]
mod tests;
