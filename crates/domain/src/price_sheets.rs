//! Price sheets: what a buyer's usage of a meter costs, tier by tier.
//!
//! A sheet tells the prices that [`PriceBook::find`] finds, each for as long as it does. What is
//! used of a meter, tier by tier, times the prices of a sheet is what rating makes of it; flat
//! fees, minimums and maximums stand beside prices per unit, and in no sheet.

use crate::catalog::{Condition, Price, PriceList, PriceReach, PricingModel};
use crate::ids::MeterId;
use crate::pricing::{Buyer, PriceBook, in_force};
use calendar::{Instant, Interval};
use money::{Fixed18, MoneyError};
use std::collections::BTreeSet;

/// A price by which usage of an interval is rated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldPrice<'a> {
    /// The list it stands in.
    pub list: &'a PriceList,
    /// The price.
    pub price: &'a Price,
    /// When.
    pub during: Interval,
}

/// What a unit costs from a quantity of the window upwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SheetTier {
    /// Where it begins, in the meter's unit; what is included lies below the first tier.
    pub from: Fixed18,
    /// Major units of currency for each block.
    pub price: Fixed18,
    /// How many of the meter's unit a price is for: a package's, else one.
    pub block: Fixed18,
    /// What the quantity is.
    pub zone: SheetZone,
}

/// What the quantity of a tier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetZone {
    /// Free, before the first tier.
    Included,
    /// Paid.
    Tier,
}

/// The prices by which a buyer's usage of a meter is rated in an interval of one billing period; in
/// order of time, then as lists are chosen. Several hold at once where records choose by their
/// dimensions.
pub fn held_prices<'a>(
    book: &'a PriceBook,
    buyer: Buyer<'_>,
    meter: &MeterId,
    during: Interval,
) -> Vec<HeldPrice<'a>> {
    let starts = changes(book, buyer, meter, during);
    let ends = starts.iter().skip(1).copied().chain([during.end()]);
    let mut held: Vec<HeldPrice<'a>> = Vec::new();
    for (start, end) in starts.iter().copied().zip(ends) {
        let Ok(during) = Interval::new(start, end) else { continue };
        for (list, price) in reachable(book, buyer, meter, start) {
            let going_on = held.iter_mut().find(|known| {
                known.during.end() == start && known.list.id == list.id && known.price == price
            });
            match going_on {
                None => held.push(HeldPrice { list, price, during }),
                Some(known) => {
                    if let Ok(longer) = Interval::new(known.during.start(), end) {
                        known.during = longer;
                    }
                }
            }
        }
    }
    held
}

/// The tiers of a price, from 0 upwards: what is included, if anything is, then each tier.
///
/// Errors: [`MoneyError::Overflow`].
pub fn tiers(price: &Price) -> Result<Vec<SheetTier>, MoneyError> {
    let one = Fixed18::ONE;
    let paid = |from: Fixed18, cost: Fixed18, block: Fixed18| -> Result<SheetTier, MoneyError> {
        let from = price.included.checked_add(from)?;
        Ok(SheetTier { from, price: cost, block, zone: SheetZone::Tier })
    };
    let free = SheetTier {
        from: Fixed18::ZERO,
        price: Fixed18::ZERO,
        block: one,
        zone: SheetZone::Included,
    };
    let mut all = Vec::new();
    if price.included > Fixed18::ZERO {
        all.push(free);
    }
    match &price.model {
        PricingModel::PerUnit { price } => all.push(paid(Fixed18::ZERO, *price, one)?),
        PricingModel::Package { size, price, rounding: _ } => {
            all.push(paid(Fixed18::ZERO, *price, *size)?);
        }
        PricingModel::Percentage { percent } => {
            let part = one.percent(*percent, Fixed18::PLACES, price.rounding)?;
            all.push(paid(Fixed18::ZERO, part, one)?);
        }
        PricingModel::Graduated { tiers } | PricingModel::Volume { tiers } => {
            for tier in tiers {
                all.push(paid(tier.from, tier.price, one)?);
            }
        }
    }
    Ok(all)
}

/// What the offer's rate card asks for what a held price is for; none where the buyer's offer has
/// no card with the meter in that currency.
pub fn list_price<'a>(
    book: &'a PriceBook,
    buyer: Buyer<'_>,
    held: &HeldPrice<'_>,
) -> Option<&'a Price> {
    let at = held.during.start();
    let cards = book.lists_for(buyer, at).filter(|list| match list.reach {
        PriceReach::Offer { .. } => list.currency == held.list.currency,
        PriceReach::Account { .. } => false,
    });
    chosen(cards, held.price, at)
}

/// What was asked for what a held price is for when the agreement was signed, or when the meter was
/// first priced if that was later; none where the books do not know either.
///
/// Source: `microsoft-billing.md` section 13.
pub fn base_price<'a>(
    (book, signed): (&'a PriceBook, Option<Instant>),
    buyer: Buyer<'_>,
    held: &HeldPrice<'_>,
) -> Option<&'a Price> {
    let at = first_priced((book, signed?), buyer, held).filter(|at| *at > Instant::MIN)?;
    let lists = book.lists_for(buyer, at).filter(|list| list.currency == held.list.currency);
    chosen(lists, held.price, at)
}

/// What a price with some tiers asks where another has a tier; none for another package.
pub fn price_at(tiers: &[SheetTier], tier: &SheetTier) -> Option<Fixed18> {
    let begun = tiers.partition_point(|own| own.from <= tier.from);
    let own = tiers.get(begun.checked_sub(1)?)?;
    (own.block == tier.block).then_some(own.price)
}

/// The first instant, from another one on, at which the meter has a price for the buyer, in any
/// list that holds for it then: an agreed list may have followed another.
fn first_priced(
    (book, since): (&PriceBook, Instant),
    buyer: Buyer<'_>,
    held: &HeldPrice<'_>,
) -> Option<Instant> {
    let lists = book.lists_ever(buyer).into_iter();
    let lists = lists.filter(|(list, _)| list.currency == held.list.currency);
    let priced = lists.filter_map(|(list, during)| {
        let begun = prices_of(list, &held.price.meter).iter().map(|price| price.effective_from);
        let from = begun.min()?.max(during.start()).max(since);
        (from < during.end()).then_some(from)
    });
    priced.min()
}

/// The instants of an interval from which on other prices may hold, its start first.
fn changes(
    book: &PriceBook,
    buyer: Buyer<'_>,
    meter: &MeterId,
    during: Interval,
) -> BTreeSet<Instant> {
    let account = book.company().accounts.get(buyer.billing_account);
    let spans = account.into_iter().flat_map(|account| account.known.spans());
    let moved = spans.map(|(span, _)| span.start());
    let inside = |at: &Instant| during.contains(*at);
    let mut found: BTreeSet<Instant> = moved.filter(inside).collect();
    found.insert(during.start());
    let lists = found.iter().flat_map(|at| book.lists_for(buyer, *at));
    let prices = lists.flat_map(|list| prices_of(list, meter));
    let begun: Vec<Instant> = prices.map(|price| price.effective_from).filter(inside).collect();
    found.extend(begun);
    found
}

/// The prices that records of a moment can be rated by. A later list is asked for what no price of
/// an earlier one takes.
fn reachable<'a>(
    book: &'a PriceBook,
    buyer: Buyer<'_>,
    meter: &MeterId,
    at: Instant,
) -> Vec<(&'a PriceList, &'a Price)> {
    let mut found: Vec<(&PriceList, &Price)> = Vec::new();
    for list in book.lists_for(buyer, at) {
        let earlier = found.clone();
        let is_taken = |price: &&Price| {
            earlier.iter().any(|(_, known)| is_met(&known.conditions, &price.conditions))
        };
        let own = in_force(prices_of(list, meter), at).filter(|price| !is_taken(price));
        found.extend(own.map(|price| (list, price)));
    }
    found
}

/// What the first list that has any price for them asks of records that a price is for.
fn chosen<'a>(
    mut lists: impl Iterator<Item = &'a PriceList>,
    wanted: &Price,
    at: Instant,
) -> Option<&'a Price> {
    lists.find_map(|list| {
        let held = in_force(prices_of(list, &wanted.meter), at);
        let met = held.filter(|price| is_met(&price.conditions, &wanted.conditions));
        met.reduce(
            |best, next| {
                if next.conditions.len() > best.conditions.len() { next } else { best }
            },
        )
    })
}

fn prices_of<'a>(list: &'a PriceList, meter: &MeterId) -> &'a [Price] {
    list.prices.get(meter).map_or(&[], Vec::as_slice)
}

/// Whether records with some values meet conditions.
fn is_met(conditions: &[Condition], values: &[Condition]) -> bool {
    conditions.iter().all(|condition| values.contains(condition))
}

#[cfg(test)]
mod tests;
