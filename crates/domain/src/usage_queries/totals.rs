//! Totals of an answer's rows, rounded so that they add up.

use crate::{Error, Result};
use money::{Cost, Currency, Fixed18, Money, MoneyError, Rounding, allocate};
use std::collections::{BTreeMap, BTreeSet};

type Exactly<T> = std::result::Result<T, MoneyError>;

/// Rounds rows' exact totals to their currencies so that those of one currency add up to its
/// target, or, without one, to their rounded exact sum: by the largest remainder, the earlier row
/// first among equals. What a target has beyond that goes to the rows by their size.
///
/// Units:  in, exact major units; out, minor units, one for each row, in its place.
/// Errors: [`Error::Money`], also for a target of another currency than its key.
/// Source: `infobip.md` section 6; why so: decision 0022.
pub fn rounded_totals(exact: &[Cost], targets: &BTreeMap<Currency, Money>) -> Result<Vec<Money>> {
    let mut by_currency: BTreeMap<Currency, Vec<(usize, Cost)>> = BTreeMap::new();
    for (place, cost) in exact.iter().enumerate() {
        by_currency.entry(cost.currency).or_default().push((place, *cost));
    }
    let mut totals = Vec::with_capacity(exact.len());
    for (currency, rows) in by_currency {
        let target = targets.get(&currency).copied();
        let failed = |error| Error::money(format!("totals of usage in {currency}"), error);
        totals.extend(rounded(&rows, currency, target).map_err(failed)?);
    }
    totals.sort_by_key(|(place, _)| *place);
    Ok(totals.into_iter().map(|(_, total)| total).collect())
}

fn rounded(
    rows: &[(usize, Cost)],
    currency: Currency,
    target: Option<Money>,
) -> Exactly<Vec<(usize, Money)>> {
    let target = match target {
        Some(target) => target,
        None => sum(rows, currency)?.book(Rounding::HalfAwayFromZero)?,
    };
    let floors = rows.iter().map(|(_, cost)| floor(*cost)).collect::<Exactly<Vec<Money>>>()?;
    let base = Money::checked_sum(currency, floors.iter().copied())?;
    let left = target.checked_sub(base)?.minor();
    let order = by_remainder(rows, &floors)?;
    let raised = left.clamp(0, i128::try_from(order.len()).unwrap_or(i128::MAX));
    let count = usize::try_from(raised).unwrap_or(usize::MAX);
    let higher: BTreeSet<usize> = order.into_iter().take(count).collect();
    let shares = shares(rows, left.saturating_sub(raised))?;
    rows.iter()
        .zip(floors)
        .zip(shares)
        .map(|(((place, _), floor), share)| {
            let unit = i128::from(higher.contains(place));
            let more = Money::from_minor(share.saturating_add(unit), currency);
            Ok((*place, floor.checked_add(more)?))
        })
        .collect()
}

fn sum(rows: &[(usize, Cost)], currency: Currency) -> Exactly<Cost> {
    rows.iter().try_fold(Cost::zero(currency), |sum, (_, cost)| sum.checked_add(*cost))
}

/// The next whole amount below a cost, or the cost itself.
fn floor(cost: Cost) -> Exactly<Money> {
    let is_negative = cost.major.is_negative();
    cost.book(if is_negative { Rounding::AwayFromZero } else { Rounding::TowardZero })
}

/// The places of the rows that are above their floor: the largest remainder first.
fn by_remainder(rows: &[(usize, Cost)], floors: &[Money]) -> Exactly<Vec<usize>> {
    let mut order = Vec::with_capacity(rows.len());
    for ((place, cost), floor) in rows.iter().zip(floors) {
        let remainder = cost.checked_sub(floor.to_cost()?)?.major;
        if !remainder.is_zero() {
            order.push((remainder, *place));
        }
    }
    let largest = |(remainder, place): &(Fixed18, usize)| (std::cmp::Reverse(*remainder), *place);
    order.sort_by_key(largest);
    Ok(order.into_iter().map(|(_, place)| place).collect())
}

/// What each row takes of that by which the target lies beyond the rows' own rounding.
fn shares(rows: &[(usize, Cost)], beyond: i128) -> Exactly<Vec<i128>> {
    if beyond == 0 {
        return Ok(vec![0; rows.len()]);
    }
    let sizes: Vec<u128> = rows.iter().map(|(_, cost)| cost.major.atoms().unsigned_abs()).collect();
    let all_are_zero = sizes.iter().all(|size| *size == 0);
    allocate(beyond, &if all_are_zero { vec![1; rows.len()] } else { sizes })
}
