//! Corrections: what late usage and corrected facts change in a closed period.
//!
//! A closed period never changes. What it should have been is computed from scratch; what differs
//! from what was billed (the invoice and all earlier corrections) becomes one charge for each
//! amended line, in the open period. So original + corrections = from scratch, exactly, and doing
//! it twice changes nothing.
//!
//! Source: architecture, section 2 (invariant 6) and section 4 (late usage).

use crate::invoice::{Invoice, Line, LineKey, LineReference, LineSums};
use crate::notes::{self, Note, Wanted};
use crate::{Error, Result};
use money::{Cost, Currency, Fixed18, Money, Rounding};
use std::collections::BTreeMap;

/// What one line of a closed period is short of, or has too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The amended line; the document as a whole where it had no such line.
    pub amends: LineReference,
    /// What the amended line is for.
    pub key: LineKey,
    /// From scratch − billed: exact, in the pricing currency, never zero.
    pub cost: Cost,
}

impl Correction {
    /// The charge of the open period. It keeps category, service period and exchange rate of what
    /// it amends, and points at it.
    pub fn charge(&self) -> (LineKey, Cost) {
        (LineKey { amends: Some(self.amends.clone()), ..self.key.clone() }, self.cost)
    }
}

/// Compares a closed period with what it should have been, in the order of lines.
///
/// `invoice` is the one that stands (after a rebill, the latest). `scratch` holds all charges of
/// the closed period, computed again and grouped into lines as they were at its close; `earlier`
/// holds all corrections of this invoice, whatever became of them.
/// Errors: [`Error::Money`].
pub fn corrections(
    invoice: &Invoice,
    earlier: &[Correction],
    scratch: &LineSums,
) -> Result<Vec<Correction>> {
    let mut differences: BTreeMap<(LineKey, Currency), Fixed18> = BTreeMap::new();
    let mut change = |key: LineKey, currency: Currency, by: Fixed18| {
        let sum = differences.entry((key, currency)).or_default();
        *sum = sum.checked_add(by).map_err(|source| fault(invoice, source))?;
        Ok::<(), Error>(())
    };
    let back = |cost: Cost| cost.major.checked_neg().map_err(|source| fault(invoice, source));
    for (key, cost) in scratch.iter() {
        change(key.clone(), cost.currency, cost.major)?;
    }
    for line in invoice.lines.iter().filter(|line| line.key.amends.is_none()) {
        change(line.key.clone(), line.pricing.currency, back(line.pricing)?)?;
    }
    for correction in earlier.iter().filter(|c| c.amends.document == invoice.id) {
        let key = LineKey { rate: None, ..correction.key.clone() };
        change(key, correction.cost.currency, back(correction.cost)?)?;
    }
    let differ = differences.into_iter().filter(|(_, major)| !major.is_zero());
    Ok(differ
        .map(|((key, currency), major)| {
            let amended = invoice.lines.iter().find(|line| is_of(line, &key, currency));
            let line = amended.map(|line| line.number);
            let rate = amended.and_then(|line| line.exchange.as_ref()).map(|rate| rate.id.clone());
            let amends = LineReference { document: invoice.id.clone(), line };
            Correction { amends, key: LineKey { rate, ..key }, cost: Cost { major, currency } }
        })
        .collect())
}

fn is_of(line: &Line, key: &LineKey, currency: Currency) -> bool {
    line.key == *key && line.pricing.currency == currency
}

fn fault(invoice: &Invoice, source: money::MoneyError) -> Error {
    Error::money(format!("correction of invoice {}", invoice.id), source)
}

/// How corrections reach a payer: data of the billing account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatePolicy {
    /// The way of what is in the payer's favour.
    pub in_favour: InFavour,
    /// Up to this sum, what the payer would owe is not billed; minor units, zero for never.
    pub not_billed_up_to: Money,
}

/// The way of corrections that are in the payer's favour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InFavour {
    /// Lines of the next invoice.
    NextInvoice,
    /// A credit note on the amended invoice, where all of it can be taken back there.
    CreditNote,
}

/// What becomes of the corrections of one invoice and run. They are kept whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing differs.
    Nothing,
    /// Each is a line of the next invoice.
    NextInvoice,
    /// A credit note takes this back.
    CreditNote(Vec<Wanted>),
    /// Too little to ask for; the sum stays visible in the ledger.
    NotBilled(Money),
}

/// Decides how the corrections of one invoice reach the payer; `notes` amend it already.
///
/// What we owe is never left out, however small. In another pricing currency than the invoice's
/// they are lines of the next invoice, where they are converted.
/// Errors: [`Error::Conflict`] when the invoice is void; [`Error::Money`].
pub fn deliver(
    policy: &LatePolicy,
    invoice: &Invoice,
    corrections: &[Correction],
    notes: &[Note],
    rounding: Rounding,
) -> Result<Delivery> {
    if corrections.is_empty() {
        return Ok(Delivery::Nothing);
    }
    if corrections.iter().any(|correction| correction.cost.currency != invoice.currency) {
        return Ok(Delivery::NextInvoice);
    }
    let costs = corrections.iter().map(|correction| correction.cost.major);
    let sum = Fixed18::checked_sum(costs).map_err(|source| fault(invoice, source))?;
    let sum = Cost { major: sum, currency: invoice.currency };
    let booked = sum.book(rounding).map_err(|source| fault(invoice, source))?;
    let is_small = booked.currency() == policy.not_billed_up_to.currency()
        && booked.minor() <= policy.not_billed_up_to.minor();
    if !sum.major.is_negative() && is_small && !policy.not_billed_up_to.is_zero() {
        return Ok(Delivery::NotBilled(booked));
    }
    match policy.in_favour {
        InFavour::NextInvoice => Ok(Delivery::NextInvoice),
        InFavour::CreditNote => {
            let creditable = notes::creditable(invoice, notes)?;
            let wanted = wanted(invoice, corrections, &creditable, rounding)?;
            Ok(wanted.map_or(Delivery::NextInvoice, Delivery::CreditNote))
        }
    }
}

/// What a credit note would take back; none when a correction asks for more money, or for none in
/// minor units, or amends no line, or a line that has less left to take back.
fn wanted(
    invoice: &Invoice,
    corrections: &[Correction],
    creditable: &BTreeMap<u32, Money>,
    rounding: Rounding,
) -> Result<Option<Vec<Wanted>>> {
    let mut all = Vec::with_capacity(corrections.len());
    for Correction { amends: LineReference { document: _, line }, key: _, cost } in corrections {
        let booked = cost.book(rounding).and_then(Money::checked_neg);
        let net = booked.map_err(|source| fault(invoice, source))?;
        let left = line.as_ref().and_then(|line| creditable.get(line));
        let fits = left.is_some_and(|left| 0 < net.minor() && net.minor() <= left.minor());
        match line {
            Some(line) if fits => all.push(Wanted { line: *line, net }),
            Some(_) | None => return Ok(None),
        }
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests;
