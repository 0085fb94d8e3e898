//! From quantity to cost: one record's step of its counter, cut into slices.
//!
//! A counter starts at 0 and moves by each record's quantity. On its axis lie, from below: the
//! included quantity, then the tiers. A step up is priced zone by zone, a step down takes the same
//! prices back, and below zero the lowest zone goes on. So slices depend on where a counter stands,
//! never on how it came there.

mod book;
mod check;

pub use book::{Buyer, Found, PriceBook};
pub(crate) use book::{counting_since, in_force};
pub use check::{Problem, check_price_list};

use crate::catalog::{PricingModel, Tier};
use crate::rated::RowKind;
use money::{Fixed18, MoneyError, Rounding, allocate};

/// A charge stays below this many major units, either side of zero, so that sums cannot overflow.
pub const COST_LIMIT: Fixed18 = Fixed18::from_int(10_000_000_000);

/// What a price says about one counter.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How quantity becomes cost.
    pub model: &'a PricingModel,
    /// The holder's included quantity.
    pub included: Fixed18,
    /// The holder's share of flat fees.
    pub share: &'a Share,
    /// Places that a slice's cost is rounded to.
    pub places: u32,
    /// How.
    pub rounding: Rounding,
}

/// One record's movement of its counter, in the meter's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The counter before the record.
    pub before: Fixed18,
    /// The record's contribution; may be negative.
    pub quantity: Fixed18,
    /// The counter at the end of the window; only volume prices ask.
    pub window_total: Fixed18,
}

/// A part of a record's quantity with one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// What the slice is.
    pub kind: RowKind,
    /// Number of the tier, from 0.
    pub tier: u16,
    /// The counter before the slice, in the meter's unit.
    pub before: Fixed18,
    /// In the meter's unit; 0 for flat fees.
    pub quantity: Fixed18,
    /// Major units per unit; none where cost is not quantity × price.
    pub unit_price: Option<Fixed18>,
    /// Major units.
    pub cost: Fixed18,
}

/// A holder's part of what a window has only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// One holder throughout.
    Whole,
    /// Several holders after each other.
    Part {
        /// Time that each held the window, in microseconds, first holder first.
        held: Vec<u128>,
        /// Which of them is meant.
        place: usize,
    },
}

impl Share {
    /// This holder's part of an amount, in steps of `places`: all holders' parts add up to it.
    ///
    /// Errors: [`MoneyError::NoWeights`] when nobody held any time, [`MoneyError::Overflow`].
    pub fn of(&self, amount: Fixed18, places: u32) -> Result<Fixed18, MoneyError> {
        let Share::Part { held, place } = self else { return Ok(amount) };
        let step = 10_i128.saturating_pow(Fixed18::PLACES.saturating_sub(places));
        let steps = amount.atoms().checked_div(step).ok_or(MoneyError::Overflow)?;
        let is_whole = steps.checked_mul(step) == Some(amount.atoms());
        let (steps, step) = if is_whole { (steps, step) } else { (amount.atoms(), 1) };
        let parts = allocate(steps, held)?;
        let part = parts.get(*place).copied().unwrap_or(0);
        Ok(Fixed18::from_atoms(part.checked_mul(step).ok_or(MoneyError::Overflow)?))
    }
}

/// Where on the counter's axis a quantity lies.
enum Zone {
    Included,
    Tier(usize),
}

/// How the quantity of one tier becomes cost.
#[derive(Clone, Copy)]
enum Rate {
    Unit(Fixed18),
    Package { size: Fixed18, price: Fixed18, rounding: Rounding },
    Percentage(Fixed18),
}

/// Cuts a step into slices, written to `out`; they add up to the step's quantity and cost.
///
/// A step of quantity 0 is one slice at the price of the place where the counter stands.
/// Errors: [`MoneyError::Overflow`] when a cost reaches [`COST_LIMIT`] or a bound its type's.
pub fn slices(terms: &Terms<'_>, step: Step, out: &mut Vec<Slice>) -> Result<(), MoneyError> {
    out.clear();
    match terms.model {
        PricingModel::PerUnit { .. }
        | PricingModel::Package { .. }
        | PricingModel::Percentage { .. } => {
            walk(terms, &[], step, out, |tier| rate_of(terms.model, tier))
        }
        PricingModel::Graduated { tiers } => {
            walk(terms, tiers, step, out, |tier| rate_of(terms.model, tier))?;
            flat_slices(terms, tiers, step, out)
        }
        PricingModel::Volume { tiers } => {
            let tier = volume_tier(terms, tiers, step.window_total)?;
            walk(terms, &[], step, out, |_| rate_of(terms.model, tier))?;
            for slice in out.iter_mut().filter(|slice| slice.kind == RowKind::Usage) {
                slice.tier = number(tier);
            }
            Ok(())
        }
    }
}

/// What a quantity beside the counter would cost at the list price of the place where the counter
/// stands: beyond what is included, and without fees. Its cost is that of the slice.
///
/// Errors: [`MoneyError::Overflow`].
pub fn at_list_price(terms: &Terms<'_>, step: Step) -> Result<Slice, MoneyError> {
    let tier = match terms.model {
        PricingModel::Graduated { tiers } => {
            match zone_above(tiers, terms.included, step.before.max(terms.included))?.0 {
                Zone::Tier(tier) => tier,
                Zone::Included => 0,
            }
        }
        PricingModel::Volume { tiers } => volume_tier(terms, tiers, step.window_total)?,
        PricingModel::PerUnit { .. }
        | PricingModel::Package { .. }
        | PricingModel::Percentage { .. } => 0,
    };
    let apart = Terms { included: Fixed18::ZERO, ..*terms };
    let slice = priced(&apart, (tier, rate_of(terms.model, tier)), Fixed18::ZERO, step.quantity)?;
    Ok(Slice { kind: RowKind::Covered, before: step.before, ..slice })
}

/// The flat fee of the tier that a volume price's window total reaches, with the tier's number.
///
/// Nothing for other models, and nothing while nothing beyond the included quantity was used.
/// Errors: [`MoneyError::Overflow`].
pub fn volume_flat(terms: &Terms<'_>, window_total: Fixed18) -> Result<(u16, Fixed18), MoneyError> {
    let PricingModel::Volume { tiers } = terms.model else { return Ok((0, Fixed18::ZERO)) };
    if beyond_included(terms.included, window_total)? <= Fixed18::ZERO {
        return Ok((0, Fixed18::ZERO));
    }
    let tier = volume_tier(terms, tiers, window_total)?;
    let flat = tiers.get(tier).map_or(Fixed18::ZERO, |tier| tier.flat);
    Ok((number(tier), terms.share.of(flat, terms.places)?))
}

/// What brings a window's cost up to its minimum or down to its maximum, if anything must.
///
/// Errors: [`MoneyError::Overflow`].
pub fn limit(
    cost: Fixed18,
    Limits { minimum, maximum }: Limits,
) -> Result<Option<(RowKind, Fixed18)>, MoneyError> {
    let (kind, bound) = match (minimum, maximum) {
        (Some(least), _) if cost < least => (RowKind::Minimum, least),
        (_, Some(most)) if cost > most => (RowKind::Maximum, most),
        _ => return Ok(None),
    };
    Ok(Some((kind, in_range(bound.checked_sub(cost)?)?)))
}

/// Least and greatest cost of a window, in major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The least.
    pub minimum: Option<Fixed18>,
    /// The greatest.
    pub maximum: Option<Fixed18>,
}

/// Refuses what no charge can hold; errors: [`MoneyError::Overflow`].
pub fn in_range(cost: Fixed18) -> Result<Fixed18, MoneyError> {
    if cost.atoms().unsigned_abs() < COST_LIMIT.atoms().unsigned_abs() {
        Ok(cost)
    } else {
        Err(MoneyError::Overflow)
    }
}

fn walk(
    terms: &Terms<'_>,
    tiers: &[Tier],
    step: Step,
    out: &mut Vec<Slice>,
    rate: impl Fn(usize) -> Rate,
) -> Result<(), MoneyError> {
    let end = step.before.checked_add(step.quantity)?;
    let mut at = step.before;
    loop {
        let (zone, stop) = if step.quantity.is_negative() {
            let (zone, lower) = zone_below(tiers, terms.included, at)?;
            (zone, lower.map_or(end, |lower| lower.max(end)))
        } else {
            let (zone, upper) = zone_above(tiers, terms.included, at)?;
            (zone, upper.map_or(end, |upper| upper.min(end)))
        };
        let quantity = stop.checked_sub(at)?;
        out.push(match zone {
            Zone::Included => Slice {
                kind: RowKind::Included,
                tier: 0,
                before: at,
                quantity,
                unit_price: Some(Fixed18::ZERO),
                cost: Fixed18::ZERO,
            },
            Zone::Tier(tier) => priced(terms, (tier, rate(tier)), at, quantity)?,
        });
        at = stop;
        if at == end {
            return Ok(());
        }
    }
}

fn priced(
    terms: &Terms<'_>,
    (tier, rate): (usize, Rate),
    before: Fixed18,
    quantity: Fixed18,
) -> Result<Slice, MoneyError> {
    let (unit_price, cost) = match rate {
        Rate::Unit(price) => {
            (Some(price), quantity.checked_mul(price, terms.places, terms.rounding)?)
        }
        Rate::Package { size, price, rounding } => {
            let after = beyond_included(terms.included, before.checked_add(quantity)?)?;
            let packages = after
                .blocks(size, rounding)?
                .checked_sub(beyond_included(terms.included, before)?.blocks(size, rounding)?)?;
            (None, packages.checked_mul(price, terms.places, terms.rounding)?)
        }
        Rate::Percentage(percent) => {
            (None, quantity.percent(percent, terms.places, terms.rounding)?)
        }
    };
    let (kind, tier, cost) = (RowKind::Usage, number(tier), in_range(cost)?);
    Ok(Slice { kind, tier, before, quantity, unit_price, cost })
}

/// A tier is entered by the first quantity above its bound; a step back out takes the fee back.
fn flat_slices(
    terms: &Terms<'_>,
    tiers: &[Tier],
    step: Step,
    out: &mut Vec<Slice>,
) -> Result<(), MoneyError> {
    let end = step.before.checked_add(step.quantity)?;
    for (place, tier) in tiers.iter().enumerate().filter(|(_, tier)| !tier.flat.is_zero()) {
        let bound = terms.included.checked_add(tier.from)?;
        let fee = match (step.before > bound, end > bound) {
            (false, true) => terms.share.of(tier.flat, terms.places)?,
            (true, false) => terms.share.of(tier.flat, terms.places)?.checked_neg()?,
            (true, true) | (false, false) => continue,
        };
        out.push(Slice {
            kind: RowKind::Flat,
            tier: number(place),
            before: end,
            quantity: Fixed18::ZERO,
            unit_price: None,
            cost: in_range(fee)?,
        });
    }
    Ok(())
}

/// The zone that holds the quantity just above `at`, and where it ends.
fn zone_above(
    tiers: &[Tier],
    included: Fixed18,
    at: Fixed18,
) -> Result<(Zone, Option<Fixed18>), MoneyError> {
    if included > Fixed18::ZERO && at < included {
        return Ok((Zone::Included, Some(included)));
    }
    let mut tier = 0;
    for (place, next) in tiers.iter().enumerate().skip(1) {
        let bound = included.checked_add(next.from)?;
        if at < bound {
            return Ok((Zone::Tier(tier), Some(bound)));
        }
        tier = place;
    }
    Ok((Zone::Tier(tier), None))
}

/// The zone that holds the quantity just below `at`, and where it begins.
fn zone_below(
    tiers: &[Tier],
    included: Fixed18,
    at: Fixed18,
) -> Result<(Zone, Option<Fixed18>), MoneyError> {
    let has_included = included > Fixed18::ZERO;
    if has_included && at <= included {
        return Ok((Zone::Included, None));
    }
    for (place, tier) in tiers.iter().enumerate().skip(1).rev() {
        let bound = included.checked_add(tier.from)?;
        if bound < at {
            return Ok((Zone::Tier(place), Some(bound)));
        }
    }
    Ok((Zone::Tier(0), has_included.then_some(included)))
}

/// What of a counter lies beyond the included quantity; without one, all of it, also below zero.
fn beyond_included(included: Fixed18, counter: Fixed18) -> Result<Fixed18, MoneyError> {
    let beyond = counter.checked_sub(included)?;
    Ok(if included > Fixed18::ZERO { beyond.max(Fixed18::ZERO) } else { beyond })
}

fn volume_tier(terms: &Terms<'_>, tiers: &[Tier], total: Fixed18) -> Result<usize, MoneyError> {
    let beyond = beyond_included(terms.included, total)?;
    Ok(tiers.iter().rposition(|tier| tier.from <= beyond).unwrap_or(0))
}

fn rate_of(model: &PricingModel, tier: usize) -> Rate {
    match model {
        PricingModel::PerUnit { price } => Rate::Unit(*price),
        PricingModel::Graduated { tiers } | PricingModel::Volume { tiers } => {
            Rate::Unit(price_of(tiers, tier))
        }
        PricingModel::Package { size, price, rounding } => {
            Rate::Package { size: *size, price: *price, rounding: *rounding }
        }
        PricingModel::Percentage { percent } => Rate::Percentage(*percent),
    }
}

fn price_of(tiers: &[Tier], tier: usize) -> Fixed18 {
    tiers.get(tier).map_or(Fixed18::ZERO, |tier| tier.price)
}

/// A price list holds far fewer tiers than the type.
fn number(tier: usize) -> u16 {
    u16::try_from(tier).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
