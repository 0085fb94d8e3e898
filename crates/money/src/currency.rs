//! ISO 4217 currencies.

use crate::MoneyError;
use std::fmt;

/// A currency that money can be booked in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

impl Currency {
    /// Finds a currency by its alphabetic code, in any letter case.
    ///
    /// Errors: [`MoneyError::UnknownCurrency`], also for codes without minor units (`XAU`).
    pub fn parse(code: &str) -> Result<Currency, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency { code: code.chars().take(64).collect() };
        let upper = code.to_ascii_uppercase();
        let found = iso_currency::Currency::from_code(&upper).ok_or_else(unknown)?;
        let exponent = found.exponent().and_then(|e| u8::try_from(e).ok()).ok_or_else(unknown)?;
        let code = <[u8; 3]>::try_from(upper.as_bytes()).map_err(|_| unknown())?;
        Ok(Currency { code, exponent })
    }

    /// The alphabetic code, upper case.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("???")
    }

    /// Places of the minor unit: 2 for USD, 0 for JPY, 3 for BHD.
    pub fn exponent(self) -> u32 {
        u32::from(self.exponent)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
