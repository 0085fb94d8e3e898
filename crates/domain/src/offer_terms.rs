//! An offer's terms on the charges of one subscription and billing period: discount, then credit,
//! then recurring charge.
//!
//! Source: commerce, section 4, step 5.

use crate::catalog::OfferTerm;
use crate::credits::{Exclusions, Lot, LotKind};
use crate::ids::{LotId, MeterId};
use crate::usage::ChargeCategory;
use crate::{Error, Result};
use calendar::{BillingPeriod, Instant};
use money::{Cost, Currency, Fixed18, MoneyError, Rounding};
use std::collections::BTreeSet;

/// From which committed amount in major units, and the share that is taken off.
type Discounts<'a> = &'a [(Fixed18, Fixed18)];

/// The terms that hold in a billing period: of each kind the newest that held when it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TermsInForce<'a> {
    /// Discounts by committed amount, and the meters without one.
    pub commitment: Option<(Discounts<'a>, &'a [MeterId])>,
    /// Credit in major units, and the meters it cannot pay.
    pub credit: Option<(Fixed18, &'a [MeterId])>,
    /// Fixed charge in major units.
    pub recurring: Option<Fixed18>,
}

impl<'a> TermsInForce<'a> {
    /// Finds the terms of a billing period. A term that begins inside it holds from the next one.
    pub fn of(terms: &'a [OfferTerm], period: BillingPeriod) -> TermsInForce<'a> {
        let mut in_force = TermsInForce::default();
        let mut sorted: Vec<&OfferTerm> = terms.iter().collect();
        sorted.sort_by_key(|term| effective_from(term));
        for term in sorted.into_iter().filter(|term| effective_from(term) <= period.start()) {
            match term {
                OfferTerm::MonetaryCommitment { effective_from: _, discounts, excluded } => {
                    in_force.commitment = Some((discounts, excluded));
                }
                OfferTerm::MonetaryCredit { effective_from: _, credit, excluded } => {
                    in_force.credit = Some((*credit, excluded));
                }
                OfferTerm::RecurringCharge { effective_from: _, amount } => {
                    in_force.recurring = Some(*amount);
                }
            }
        }
        in_force
    }

    /// The discount that a committed amount gives, as a fraction; 0 below the first bound.
    fn discount(&self, committed: Fixed18) -> Fixed18 {
        let Some((discounts, _)) = self.commitment else { return Fixed18::ZERO };
        let reached = discounts.iter().filter(|(bound, _)| *bound <= committed);
        reached.max_by_key(|(bound, _)| *bound).map_or(Fixed18::ZERO, |(_, discount)| *discount)
    }

    /// The credit as a lot of the billing period: it pays what it does not exclude, before the
    /// recurring charge is added, and ends with the period.
    ///
    /// Errors: [`Error::Money`] when the credit cannot be booked.
    pub fn credit_lot(
        &self,
        id: LotId,
        period: BillingPeriod,
        currency: Currency,
    ) -> Result<Option<Lot>> {
        let Some((credit, excluded)) = self.credit else { return Ok(None) };
        let granted = Cost { major: credit, currency }.book(Rounding::default());
        Ok(Some(Lot {
            granted: granted.map_err(|source| Error::money(format!("credit {id}"), source))?,
            id,
            kind: LotKind::Credit,
            priority: 0,
            holds: period.interval(),
            excluded: Exclusions {
                meters: excluded.iter().cloned().collect(),
                categories: BTreeSet::from([ChargeCategory::Purchase]),
            },
        }))
    }
}

fn effective_from(term: &OfferTerm) -> Instant {
    match term {
        OfferTerm::MonetaryCommitment { effective_from, .. }
        | OfferTerm::MonetaryCredit { effective_from, .. }
        | OfferTerm::RecurringCharge { effective_from, .. } => *effective_from,
    }
}

/// What one meter cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterCost {
    /// The meter.
    pub meter: MeterId,
    /// Whose service it counts.
    pub provider: Provider,
    /// Major units, exact.
    pub cost: Fixed18,
}

/// Whose service a meter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The seller's own.
    Own,
    /// Somebody else's: it gets no offer discount.
    Third,
}

/// What the terms make of a subscription's charges, in major units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferApplied {
    /// One for each meter's cost, zero or below: adjustments, each rounded once to 18 places.
    pub discounts: Vec<Fixed18>,
    /// Credit that pays.
    pub credit_used: Fixed18,
    /// Credit that nothing was left for.
    pub credit_left: Fixed18,
    /// Added behind the credit, which cannot pay it.
    pub recurring: Fixed18,
    /// Costs + discounts − credit used + recurring charge, before tax.
    pub total: Fixed18,
}

/// Applies an offer's terms to what meters cost; `committed` in major units.
///
/// Errors: [`Error::Money`].
pub fn apply(
    terms: &TermsInForce<'_>,
    committed: Fixed18,
    costs: &[MeterCost],
) -> Result<OfferApplied> {
    try_apply(terms, committed, costs).map_err(|source| Error::money("terms of the offer", source))
}

fn try_apply(
    terms: &TermsInForce<'_>,
    committed: Fixed18,
    costs: &[MeterCost],
) -> std::result::Result<OfferApplied, MoneyError> {
    let discounts = discounts(terms, committed, costs)?;
    let excluded = terms.credit.map_or(&[][..], |(_, excluded)| excluded);
    let mut charged = Fixed18::ZERO;
    let mut creditable = Fixed18::ZERO;
    for (one, discount) in costs.iter().zip(&discounts) {
        let cost = one.cost.checked_add(*discount)?;
        charged = charged.checked_add(cost)?;
        if !excluded.contains(&one.meter) {
            creditable = creditable.checked_add(cost)?;
        }
    }
    let credit = terms.credit.map_or(Fixed18::ZERO, |(credit, _)| credit);
    let credit_used = credit.min(creditable).max(Fixed18::ZERO);
    let recurring = terms.recurring.unwrap_or(Fixed18::ZERO);
    Ok(OfferApplied {
        discounts,
        credit_used,
        credit_left: credit.checked_sub(credit_used)?,
        recurring,
        total: charged.checked_sub(credit_used)?.checked_add(recurring)?,
    })
}

fn discounts(
    terms: &TermsInForce<'_>,
    committed: Fixed18,
    costs: &[MeterCost],
) -> std::result::Result<Vec<Fixed18>, MoneyError> {
    let fraction = terms.discount(committed).checked_neg()?;
    let excluded = terms.commitment.map_or(&[][..], |(_, excluded)| excluded);
    let discount = |one: &MeterCost| match one.provider {
        Provider::Own if !excluded.contains(&one.meter) => {
            one.cost.checked_mul(fraction, Fixed18::PLACES, Rounding::default())
        }
        Provider::Own | Provider::Third => Ok(Fixed18::ZERO),
    };
    costs.iter().map(discount).collect()
}

#[cfg(test)]
mod tests;
