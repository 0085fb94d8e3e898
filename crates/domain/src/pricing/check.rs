//! What a price list must hold before it may rate anything.

use super::COST_LIMIT;
use crate::catalog::{CounterChange, Price, PriceList, PricingModel, Tier, TierBase};
use crate::ids::MeterId;
use crate::usage::{QUANTITY_LIMIT, is_countable};
use calendar::Instant;
use money::{Fixed18, Rounding};
use std::fmt;

/// Tiers of one price, at most.
const TIERS_MOST: usize = 1_000;

/// Why a price list is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Of which meter's price.
    pub meter: MeterId,
    /// Of which lineage.
    pub lineage: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "price of meter `{}`, lineage `{}`: {}", self.meter, self.lineage, self.problem)
    }
}

/// Finds everything in a price list that would leave a record's price open to doubt.
///
/// Refused are ties (two prices that could hold together with equally many conditions), tiers with
/// gaps or overlaps (empty, not from 0, not rising), versions that overlap, numbers out of range.
pub fn check_price_list(list: &PriceList) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for (meter, prices) in &list.prices {
        for (place, price) in prices.iter().enumerate() {
            let mut report = |problem: String| {
                let (meter, lineage) = (meter.clone(), price.lineage.clone());
                problems.push(Problem { meter, lineage, problem });
            };
            if price.meter != *meter {
                report(format!("stands under another meter than its own `{}`", price.meter));
            }
            price_alone(price, &mut report);
            model(&price.model, &mut report);
            if let Some(next) = prices.get(place.saturating_add(1)) {
                neighbours(price, next, &mut report);
            }
            for other in prices.iter().skip(place.saturating_add(1)) {
                tie(prices, price, other, &mut report);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn price_alone(price: &Price, report: &mut impl FnMut(String)) {
    let Price { minimum, maximum, included, cost_places, conditions, base, .. } = price;
    if *cost_places > Fixed18::PLACES {
        report(format!("cost places are {cost_places}; at most {}", Fixed18::PLACES));
    }
    if included.is_negative() {
        report(format!("included quantity {included} is below 0"));
    }
    quantity("included quantity", *included, report);
    for (name, bound) in [("minimum", minimum), ("maximum", maximum)] {
        if bound.is_some_and(Fixed18::is_negative) {
            report(format!("{name} is below 0"));
        }
        bound.iter().for_each(|bound| amount(name, *bound, report));
    }
    if let (Some(least), Some(most)) = (minimum, maximum)
        && least > most
    {
        report(format!("minimum {least} is above maximum {most}"));
    }
    let mut dimensions: Vec<_> = conditions.iter().map(|condition| condition.dimension).collect();
    dimensions.sort_unstable();
    if dimensions.windows(2).any(|pair| pair[0] == pair[1]) {
        report("two conditions name one dimension".to_owned());
    }
    if matches!(base, TierBase::CommitmentTerm { periods: 0, .. }) {
        report("commitment term has no billing periods".to_owned());
    }
}

fn model(model: &PricingModel, report: &mut impl FnMut(String)) {
    match model {
        PricingModel::PerUnit { price } => amount("price", *price, report),
        PricingModel::Graduated { tiers: list } | PricingModel::Volume { tiers: list } => {
            tiers(list, report);
        }
        PricingModel::Package { size, price, rounding } => {
            if *size <= Fixed18::ZERO {
                report(format!("package size {size} is not above 0"));
            }
            quantity("package size", *size, report);
            if !matches!(rounding, Rounding::AwayFromZero | Rounding::TowardZero) {
                report("packages round away from zero or toward zero".to_owned());
            }
            amount("package price", *price, report);
        }
        PricingModel::Percentage { percent } => amount("percentage", *percent, report),
    }
}

fn tiers(tiers: &[Tier], report: &mut impl FnMut(String)) {
    match tiers.first() {
        None => report("has no tiers".to_owned()),
        Some(first) if !first.from.is_zero() => {
            report(format!("first tier starts at {}, not at 0", first.from));
        }
        Some(_) => {}
    }
    if tiers.len() > TIERS_MOST {
        report(format!("has {} tiers; at most {TIERS_MOST}", tiers.len()));
    }
    for pair in tiers.windows(2) {
        let (here, next) = (pair[0].from, pair[1].from);
        if next == here {
            report(format!("two tiers start at {here}"));
        } else if next < here {
            report(format!("tier from {next} stands behind tier from {here}"));
        }
    }
    for tier in tiers {
        quantity("tier bound", tier.from, report);
        amount("tier price", tier.price, report);
        amount("flat fee", tier.flat, report);
    }
}

fn amount(name: &str, amount: Fixed18, report: &mut impl FnMut(String)) {
    if super::in_range(amount).is_err() {
        report(format!("{name} {amount} is not within {COST_LIMIT}"));
    }
}

fn quantity(name: &str, quantity: Fixed18, report: &mut impl FnMut(String)) {
    if !is_countable(quantity) {
        report(format!("{name} {quantity} is not within {QUANTITY_LIMIT}"));
    }
}

fn neighbours(price: &Price, next: &Price, report: &mut impl FnMut(String)) {
    let place = |price: &Price| (price.lineage.clone(), price.effective_from);
    if place(next) < place(price) {
        report("stands before a version that is older or of an earlier lineage".to_owned());
    }
    if next.lineage != price.lineage {
        return;
    }
    if next.effective_from == price.effective_from {
        report(format!("two versions hold from {}", price.effective_from));
    }
    let counted = |price: &Price| (price.base, price.scope);
    if next.counter == CounterChange::Continues && counted(next) != counted(price) {
        let from = next.effective_from;
        report(format!("version from {from} continues a counter of another base or scope"));
    }
}

/// Two lineages with equally many conditions, none against another, in force at one time.
fn tie(prices: &[Price], one: &Price, other: &Price, report: &mut impl FnMut(String)) {
    if one.lineage == other.lineage || one.conditions.len() != other.conditions.len() {
        return;
    }
    let apart = one.conditions.iter().any(|here| {
        let against = |there: &&crate::catalog::Condition| {
            there.dimension == here.dimension && there.value != here.value
        };
        other.conditions.iter().any(|there| against(&there))
    });
    let together = one.effective_from.max(other.effective_from);
    let ends = |price: &Price| {
        let later = prices.iter().filter(|next| next.lineage == price.lineage);
        later.map(|next| next.effective_from).filter(|from| *from > price.effective_from).min()
    };
    let over = |price: &Price| ends(price).unwrap_or(Instant::MAX) <= together;
    if !apart && !over(one) && !over(other) {
        report(format!("ties with lineage `{}` from {together}", other.lineage));
    }
}
