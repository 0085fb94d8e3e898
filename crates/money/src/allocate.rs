//! Largest-remainder allocation: parts that always add up to the whole.

use crate::fixed::unit;
use crate::{Fixed18, MoneyError, Rounding};
use ethnum::I256;

/// Splits a whole number of units by weights; the parts add up to `total` exactly.
///
/// Each part first gets its share cut toward zero; what is left goes, one unit each, to the
/// largest remainders, earlier parts first among equals.
///
/// Errors: [`MoneyError::NoWeights`] when weights are empty, negative or all zero.
pub fn allocate(total: i128, weights: &[u128]) -> Result<Vec<i128>, MoneyError> {
    let sum =
        weights.iter().try_fold(0_u128, |a, w| a.checked_add(*w)).ok_or(MoneyError::Overflow)?;
    if sum == 0 {
        return Err(MoneyError::NoWeights);
    }
    let whole = I256::from(total.unsigned_abs());
    let divisor = I256::from(sum);
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut left = whole;
    for (place, weight) in weights.iter().enumerate() {
        let share = whole.checked_mul(I256::from(*weight)).ok_or(MoneyError::Overflow)?;
        let part = share.checked_div(divisor).zip(share.checked_rem(divisor));
        let (part, remainder) = part.ok_or(MoneyError::DivisionByZero)?;
        left = left.checked_sub(part).ok_or(MoneyError::Overflow)?;
        parts.push(part);
        remainders.push((remainder, place));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, place) in remainders {
        if left == I256::ZERO {
            break;
        }
        // One of at most as many units as there are parts, each far below 256 bits.
        parts[place] = parts[place].saturating_add(I256::ONE);
        left = left.saturating_sub(I256::ONE);
    }
    parts.into_iter().map(|part| signed(part, total < 0)).collect()
}

fn signed(part: I256, negative: bool) -> Result<i128, MoneyError> {
    let part = if negative { part.checked_neg() } else { Some(part) };
    part.and_then(|part| i128::try_from(part).ok()).ok_or(MoneyError::Overflow)
}

/// Rounds amounts to `places` so that they add up to their rounded exact sum.
///
/// Errors: [`MoneyError::Overflow`].
pub fn allocate_amounts(
    amounts: &[Fixed18],
    places: u32,
    rule: Rounding,
) -> Result<Vec<Fixed18>, MoneyError> {
    let target = Fixed18::checked_sum(amounts.iter().copied())?.round(places, rule)?;
    let mut parts = Vec::with_capacity(amounts.len());
    let mut remainders = Vec::with_capacity(amounts.len());
    for (place, amount) in amounts.iter().enumerate() {
        let floor = floor(*amount, places)?;
        remainders.push((amount.checked_sub(floor)?, place));
        parts.push(floor);
    }
    let unit = Fixed18::from_atoms(unit(places));
    let mut left = target.checked_sub(Fixed18::checked_sum(parts.iter().copied())?)?;
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, place) in remainders {
        if left.is_zero() {
            break;
        }
        parts[place] = parts[place].checked_add(unit)?;
        left = left.checked_sub(unit)?;
    }
    Ok(parts)
}

fn floor(amount: Fixed18, places: u32) -> Result<Fixed18, MoneyError> {
    let rule = if amount.is_negative() { Rounding::AwayFromZero } else { Rounding::TowardZero };
    amount.round(places, rule)
}
