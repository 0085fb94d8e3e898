//! A signed decimal with 18 places in 128 bits.

use crate::MoneyError;
use ethnum::{I256, U256};
use std::fmt;
use std::str::FromStr;

/// How a number that does not fit its scale is brought to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Rounding {
    /// Half away from zero: 0.5 → 1, -0.5 → -1. The default of prices and bookings.
    #[default]
    HalfAwayFromZero,
    /// Half to the even neighbour: 0.5 → 0, 1.5 → 2.
    HalfToEven,
    /// Toward zero: 0.9 → 0.
    TowardZero,
    /// Away from zero: 0.1 → 1.
    AwayFromZero,
}

impl Rounding {
    /// Every rule.
    pub const ALL: [Rounding; 4] = [
        Rounding::HalfAwayFromZero,
        Rounding::HalfToEven,
        Rounding::TowardZero,
        Rounding::AwayFromZero,
    ];

    /// How files and answers spell it: `half_away_from_zero`.
    pub fn name(self) -> &'static str {
        match self {
            Rounding::HalfAwayFromZero => "half_away_from_zero",
            Rounding::HalfToEven => "half_to_even",
            Rounding::TowardZero => "toward_zero",
            Rounding::AwayFromZero => "away_from_zero",
        }
    }
}

/// A decimal number with 18 places, held as a whole count of 10⁻¹⁸.
///
/// Units:  whatever the name of the value says; the type only keeps digits.
/// Range:  about ±1.7 × 10²⁰.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fixed18(i128);

const SCALE: i128 = 1_000_000_000_000_000_000;
const SCALE_UNSIGNED: u128 = SCALE.unsigned_abs();
const PLACES: u32 = 18;
/// Places of a product of two numbers.
const PRODUCT_PLACES: u32 = 2 * PLACES;

impl Fixed18 {
    /// Zero.
    pub const ZERO: Fixed18 = Fixed18(0);
    /// One.
    pub const ONE: Fixed18 = Fixed18(SCALE);
    /// The largest value.
    pub const MAX: Fixed18 = Fixed18(i128::MAX);
    /// The smallest value.
    pub const MIN: Fixed18 = Fixed18(i128::MIN);
    /// Digits after the point.
    pub const PLACES: u32 = PLACES;

    /// Makes a number from a whole count of 10⁻¹⁸.
    pub const fn from_atoms(atoms: i128) -> Fixed18 {
        Fixed18(atoms)
    }

    /// The number as a whole count of 10⁻¹⁸.
    pub const fn atoms(self) -> i128 {
        self.0
    }

    /// Makes a whole number.
    pub const fn from_int(whole: i64) -> Fixed18 {
        // 2^63 × 10^18 < 2^127, so this cannot overflow.
        Fixed18((whole as i128).saturating_mul(SCALE))
    }

    /// Reads a decimal, refusing digits other than zero beyond the 18th place.
    ///
    /// Accepts a sign, a point and an exponent: `-1.5`, `2.323760000E-9`, `+7`.
    /// Errors: [`MoneyError::NotANumber`], [`MoneyError::TooManyPlaces`], [`MoneyError::Overflow`].
    pub fn parse(text: &str) -> Result<Fixed18, MoneyError> {
        read(text, None)
    }

    /// Reads a decimal and rounds what lies beyond the 18th place.
    ///
    /// Errors: [`MoneyError::NotANumber`], [`MoneyError::Overflow`].
    pub fn parse_rounded(text: &str, rule: Rounding) -> Result<Fixed18, MoneyError> {
        read(text, Some(rule))
    }

    /// Whether the number is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether the number is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Adds; errors: [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Fixed18) -> Result<Fixed18, MoneyError> {
        self.0.checked_add(other.0).map(Fixed18).ok_or(MoneyError::Overflow)
    }

    /// Subtracts; errors: [`MoneyError::Overflow`].
    pub fn checked_sub(self, other: Fixed18) -> Result<Fixed18, MoneyError> {
        self.0.checked_sub(other.0).map(Fixed18).ok_or(MoneyError::Overflow)
    }

    /// Changes the sign; errors: [`MoneyError::Overflow`] for the smallest value.
    pub fn checked_neg(self) -> Result<Fixed18, MoneyError> {
        self.0.checked_neg().map(Fixed18).ok_or(MoneyError::Overflow)
    }

    /// The distance from zero; errors: [`MoneyError::Overflow`] for the smallest value.
    pub fn checked_abs(self) -> Result<Fixed18, MoneyError> {
        self.0.checked_abs().map(Fixed18).ok_or(MoneyError::Overflow)
    }

    /// Multiplies through 256 bits and rounds once, to `places` (at most 18).
    ///
    /// Errors: [`MoneyError::Overflow`].
    pub fn checked_mul(
        self,
        other: Fixed18,
        places: u32,
        rule: Rounding,
    ) -> Result<Fixed18, MoneyError> {
        if let Some(product) = self.small_product(other, places, rule) {
            return Ok(product);
        }
        let product = wide_product(self.0, other.0)?;
        round_wide(product, PRODUCT_PLACES.saturating_sub(places.min(PLACES)), rule, places)
    }

    /// The product of two numbers whose atoms multiply within 128 bits: the common case.
    fn small_product(self, other: Fixed18, places: u32, rule: Rounding) -> Option<Fixed18> {
        let product = self.0.checked_mul(other.0)?;
        let drop = PRODUCT_PLACES.saturating_sub(places.min(PLACES));
        let divisor = 10_i128.checked_pow(drop)?;
        let rounded = div_round(product, divisor, rule).ok()?;
        rounded.checked_mul(unit(places)).map(Fixed18)
    }

    /// So many hundredths of the number, through 256 bits, rounded once to `places` (at most 18).
    ///
    /// Errors: [`MoneyError::Overflow`].
    pub fn percent(
        self,
        hundredths: Fixed18,
        places: u32,
        rule: Rounding,
    ) -> Result<Fixed18, MoneyError> {
        let product = wide_product(self.0, hundredths.0)?;
        // Two places more: hundredths.
        let drop = PRODUCT_PLACES.saturating_add(2).saturating_sub(places.min(PLACES));
        round_wide(product, drop, rule, places)
    }

    /// The mean of numbers weighted by whole numbers, exact until it is rounded once to 18 places.
    ///
    /// The weights need not add up to `whole`: what is missing counts as zero.
    /// Errors: [`MoneyError::DivisionByZero`], [`MoneyError::Overflow`].
    pub fn weighted_mean(
        parts: impl IntoIterator<Item = (Fixed18, u64)>,
        whole: u64,
        rule: Rounding,
    ) -> Result<Fixed18, MoneyError> {
        let mut sum = I256::ZERO;
        for (number, weight) in parts {
            let part = wide_product(number.0, i128::from(weight))?;
            sum = sum.checked_add(part).ok_or(MoneyError::Overflow)?;
        }
        narrow(div_round_wide(sum, I256::from(whole), rule)?)
    }

    /// `self × numerator ÷ denominator`, through 256 bits, rounded once to 18 places.
    ///
    /// Errors: [`MoneyError::DivisionByZero`], [`MoneyError::Overflow`].
    pub fn mul_div(
        self,
        numerator: Fixed18,
        denominator: Fixed18,
        rule: Rounding,
    ) -> Result<Fixed18, MoneyError> {
        let product = wide_product(self.0, numerator.0)?;
        narrow(div_round_wide(product, I256::from(denominator.0), rule)?)
    }

    /// Rounds to `places` after the point (at most 18).
    ///
    /// Errors: [`MoneyError::Overflow`] when rounding away from zero leaves the range.
    pub fn round(self, places: u32, rule: Rounding) -> Result<Fixed18, MoneyError> {
        if places >= PLACES {
            return Ok(self);
        }
        let unit = unit(places);
        div_round(self.0, unit, rule)?.checked_mul(unit).map(Fixed18).ok_or(MoneyError::Overflow)
    }

    /// Divides by a block size above zero and takes whole blocks, rounding as told.
    ///
    /// Errors: [`MoneyError::DivisionByZero`] also below zero, [`MoneyError::Overflow`].
    pub fn blocks(self, block: Fixed18, rule: Rounding) -> Result<Fixed18, MoneyError> {
        if block.0 <= 0 {
            return Err(MoneyError::DivisionByZero);
        }
        let blocks = div_round(self.0, block.0, rule)?;
        blocks.checked_mul(SCALE).map(Fixed18).ok_or(MoneyError::Overflow)
    }

    /// Adds many; errors: [`MoneyError::Overflow`].
    pub fn checked_sum(numbers: impl IntoIterator<Item = Fixed18>) -> Result<Fixed18, MoneyError> {
        numbers.into_iter().try_fold(Fixed18::ZERO, Fixed18::checked_add)
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

fn not_a_number(text: &str) -> MoneyError {
    MoneyError::NotANumber { text: cut(text) }
}

/// Reads `[sign] digits [. digits] [e [sign] digits]`; `rule` says what to do beyond 18 places.
fn read(text: &str, rule: Option<Rounding>) -> Result<Fixed18, MoneyError> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(text, exponent)?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first() {
        Some(b'-') => (true, &mantissa[1..]),
        Some(b'+') => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return Err(not_a_number(text));
    }
    // The point stands after `point` digits of `whole ++ fraction`.
    let point =
        i64::try_from(whole.len()).map_err(|_| MoneyError::Overflow)?.saturating_add(exponent);
    let kept = point.saturating_add(i64::from(PLACES));
    let mut atoms: u128 = 0;
    let mut tail = Tail::default();
    let mut taken: i64 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).map(|b| b.saturating_sub(b'0')) {
        if taken < kept {
            atoms = push_digit(atoms, digit)?;
        } else {
            tail.push(digit, taken == kept);
        }
        taken = taken.saturating_add(1);
    }
    if atoms != 0 {
        for _ in taken..kept {
            atoms = push_digit(atoms, 0)?;
        }
    }
    if !tail.is_zero() {
        let rule = rule.ok_or_else(|| MoneyError::TooManyPlaces { text: cut(text) })?;
        if tail.rounds_up(atoms, rule) {
            atoms = atoms.checked_add(1).ok_or(MoneyError::Overflow)?;
        }
    }
    let signed =
        if negative { 0_i128.checked_sub_unsigned(atoms) } else { i128::try_from(atoms).ok() };
    signed.map(Fixed18).ok_or(MoneyError::Overflow)
}

fn push_digit(atoms: u128, digit: u8) -> Result<u128, MoneyError> {
    atoms.checked_mul(10).and_then(|a| a.checked_add(u128::from(digit))).ok_or(MoneyError::Overflow)
}

fn read_exponent(text: &str, exponent: &str) -> Result<i64, MoneyError> {
    let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_a_number(text));
    }
    // An exponent too long for the type can only push every digit out of range.
    Ok(exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') {
        i64::MIN / 4
    } else {
        i64::MAX / 4
    }))
}

/// What was cut off behind the last kept digit.
#[derive(Default)]
struct Tail {
    first: u8,
    rest: bool,
}

impl Tail {
    fn push(&mut self, digit: u8, is_first: bool) {
        if is_first {
            self.first = digit;
        } else if digit != 0 {
            self.rest = true;
        }
    }

    fn is_zero(&self) -> bool {
        self.first == 0 && !self.rest
    }

    fn rounds_up(&self, kept: u128, rule: Rounding) -> bool {
        match rule {
            Rounding::TowardZero => false,
            Rounding::AwayFromZero => true,
            Rounding::HalfAwayFromZero => self.first >= 5,
            Rounding::HalfToEven => {
                self.first > 5 || (self.first == 5 && (self.rest || !kept.is_multiple_of(2)))
            }
        }
    }
}

/// Atoms of one in the last of so many places (at most 18).
pub(crate) fn unit(places: u32) -> i128 {
    // At most 10^18, so this cannot saturate.
    10_i128.saturating_pow(PLACES.saturating_sub(places.min(PLACES)))
}

/// Multiplies into 256 bits, where every product of two numbers of 128 bits fits.
fn wide_product(a: i128, b: i128) -> Result<I256, MoneyError> {
    I256::from(a).checked_mul(I256::from(b)).ok_or(MoneyError::Overflow)
}

/// Divides and rounds.
///
/// Errors: [`MoneyError::DivisionByZero`]; [`MoneyError::Overflow`] for the smallest value by -1.
pub(crate) fn div_round(value: i128, divisor: i128, rule: Rounding) -> Result<i128, MoneyError> {
    if divisor == 0 {
        return Err(MoneyError::DivisionByZero);
    }
    let parts = value.checked_div(divisor).zip(value.checked_rem(divisor));
    let (quotient, remainder) = parts.ok_or(MoneyError::Overflow)?;
    if remainder == 0 {
        return Ok(quotient);
    }
    // What leaves a remainder was divided by two or more: one more is within the range.
    let away = if (value < 0) == (divisor < 0) { 1 } else { -1 };
    let (twice, size) = (remainder.unsigned_abs().saturating_mul(2), divisor.unsigned_abs());
    let goes = goes_away(twice.cmp(&size), quotient % 2 != 0, rule);
    Ok(if goes { quotient.saturating_add(away) } else { quotient })
}

/// As [`div_round`], in 256 bits.
fn div_round_wide(value: I256, divisor: I256, rule: Rounding) -> Result<I256, MoneyError> {
    if divisor == I256::ZERO {
        return Err(MoneyError::DivisionByZero);
    }
    let parts = value.checked_div(divisor).zip(value.checked_rem(divisor));
    let (quotient, remainder) = parts.ok_or(MoneyError::Overflow)?;
    if remainder == I256::ZERO {
        return Ok(quotient);
    }
    let away = if (value < I256::ZERO) == (divisor < I256::ZERO) { 1 } else { -1 };
    let twice = remainder.unsigned_abs().saturating_mul(U256::new(2));
    let is_odd = quotient & I256::ONE == I256::ONE;
    let goes = goes_away(twice.cmp(&divisor.unsigned_abs()), is_odd, rule);
    Ok(if goes { quotient.saturating_add(I256::new(away)) } else { quotient })
}

fn goes_away(twice_remainder: std::cmp::Ordering, odd: bool, rule: Rounding) -> bool {
    use std::cmp::Ordering::{Equal, Greater};
    match rule {
        Rounding::TowardZero => false,
        Rounding::AwayFromZero => true,
        Rounding::HalfAwayFromZero => matches!(twice_remainder, Equal | Greater),
        Rounding::HalfToEven => twice_remainder == Greater || (twice_remainder == Equal && odd),
    }
}

/// Drops `drop` digits of a product of atoms, then brings it back to 18 places.
fn round_wide(
    product: I256,
    drop: u32,
    rule: Rounding,
    places: u32,
) -> Result<Fixed18, MoneyError> {
    let divisor = I256::new(10).checked_pow(drop).ok_or(MoneyError::Overflow)?;
    let rounded = div_round_wide(product, divisor, rule)?;
    narrow(rounded.checked_mul(I256::from(unit(places))).ok_or(MoneyError::Overflow)?)
}

fn narrow(wide: I256) -> Result<Fixed18, MoneyError> {
    i128::try_from(wide).map(Fixed18).map_err(|_| MoneyError::Overflow)
}

impl FromStr for Fixed18 {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Fixed18, MoneyError> {
        Fixed18::parse(text)
    }
}

/// Writes plain digits: no exponent, no trailing zeros behind the point.
impl fmt::Display for Fixed18 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let (whole, fraction) = (size / SCALE_UNSIGNED, size % SCALE_UNSIGNED);
        let mut text = whole.to_string();
        if fraction != 0 {
            let digits = format!("{fraction:018}");
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        f.pad_integral(self.0 >= 0, "", &text)
    }
}

impl fmt::Debug for Fixed18 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
