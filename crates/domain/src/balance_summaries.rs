//! Balance summaries: what a payer's lots did in each billing period, and what its charges came to.
//!
//! An entry and a document count in the billing period whose close seals them, whenever that close
//! runs; so each period begins with what the one before left, also where one is closed late.
//!
//! | what | counts as |
//! | --- | --- |
//! | what an invoice draws from lots | utilized |
//! | what it leaves to pay, before tax | service overage, billed separately, marketplace |
//! | what a note takes back of that | less of the same |
//! | what a note gives lots back | adjustment, also where it takes back usage |
//! | prepayment bought, on an invoice or without | purchase |
//! | credit granted; what lots still hold when they end | adjustment |
//!
//! What lots paid is read from documents, what they hold from the ledger: that the two agree is
//! [`PeriodBalance::problem`].
//!
//! Source: enterprise-reporting, section 3.2, balance summary.

use crate::credits::{BalanceSummary, Coverage, DrawTotals, LotKind};
use crate::ids::{DocumentId, LotId};
use crate::invoice::Invoice;
use crate::ledger::{Balances, Entry, LedgerAccount, Purpose};
use crate::notes::Note;
use crate::{Error, Result};
use calendar::{BillingPeriod, Instant};
use money::{Currency, Money};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What changed what a lot holds, charges apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotChange {
    /// When: the moment of its entry; of a grant the lot's beginning, of an expiry its end.
    pub at: Instant,
    /// The lot.
    pub lot: LotId,
    /// What it was.
    pub kind: LotChangeKind,
    /// The invoice or note that did it, if one did.
    pub document: Option<DocumentId>,
    /// Minor units; below zero for what the lot lost. Never zero.
    pub amount: Money,
}

impl LotChange {
    fn order(&self) -> impl Ord + '_ {
        (self.at, &self.lot, self.kind, &self.document)
    }
}

/// What changed what a lot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LotChangeKind {
    /// Prepayment was bought; below zero, a note took it back.
    Purchase,
    /// Credit was granted.
    Grant,
    /// A note gave back what the lot had paid.
    GivenBack,
    /// The lot ended.
    Expiry,
    /// The lot had ended when a note gave it something back.
    ExpiryAgain,
}

impl LotChangeKind {
    /// Its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            LotChangeKind::Purchase => "purchase",
            LotChangeKind::Grant => "grant",
            LotChangeKind::GivenBack => "given_back",
            LotChangeKind::Expiry => "expiry",
            LotChangeKind::ExpiryAgain => "expiry_again",
        }
    }
}

/// A payer's balance in one billing period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodBalance {
    /// For when.
    pub period: BillingPeriod,
    /// The sums.
    pub summary: BalanceSummary,
    /// Each purchase, by time; they add up to the summary's.
    pub purchases: Vec<LotChange>,
    /// Each adjustment, by time; they add up to the summary's.
    pub adjustments: Vec<LotChange>,
    /// What lots hold behind the period, by the ledger.
    pub held: Money,
}

impl PeriodBalance {
    /// What does not hold: the summary must end with what lots hold.
    ///
    /// Errors: [`Error::Money`].
    pub fn problem(&self) -> Result<Option<String>> {
        let (ending, held) = (self.summary.ending()?, self.held);
        let problem = || format!("it ends with {ending}, but lots hold {held}");
        Ok((ending != held).then(problem))
    }
}

/// What one payer's books say of lots and charges, by billing period.
#[derive(Debug, Clone)]
pub struct BalanceBooks {
    currency: Currency,
    months: BTreeMap<BillingPeriod, Month>,
}

/// What counts in one billing period.
#[derive(Debug, Clone)]
struct Month {
    totals: DrawTotals,
    /// What all entries changed what lots hold by.
    moved: Money,
    purchases: Vec<LotChange>,
    adjustments: Vec<LotChange>,
}

impl Month {
    const fn empty(currency: Currency) -> Month {
        let zero = Money::zero(currency);
        let totals = DrawTotals {
            utilized: zero,
            service_overage: zero,
            billed_separately: zero,
            marketplace: zero,
        };
        Month { totals, moved: zero, purchases: Vec::new(), adjustments: Vec::new() }
    }
}

impl BalanceBooks {
    /// Books without anything in them; every amount is of one currency.
    pub const fn new(currency: Currency) -> BalanceBooks {
        BalanceBooks { currency, months: BTreeMap::new() }
    }

    fn month(&mut self, period: BillingPeriod) -> &mut Month {
        let currency = self.currency;
        self.months.entry(period).or_insert_with(|| Month::empty(currency))
    }

    /// Adds an entry of the ledger.
    ///
    /// Errors: [`Error::Invalid`] for one that must not touch a lot, and does; [`Error::Money`].
    pub fn add_entry(&mut self, period: BillingPeriod, entry: &Entry) -> Result<()> {
        let of = |source| Error::money(format!("balance of {period}"), source);
        for posting in entry.postings() {
            let Some((kind, lot)) = lot_of(&posting.account) else { continue };
            let amount = posting.signed().map_err(of)?;
            let month = self.month(period);
            month.moved = month.moved.checked_add(amount).map_err(of)?;
            if amount.is_zero() {
                continue;
            }
            let Some((what, document)) = change(entry.purpose(), kind, amount)? else { continue };
            let (at, lot) = (entry.at(), lot.clone());
            let change = LotChange { at, lot, kind: what, document, amount };
            match what {
                LotChangeKind::Purchase => month.purchases.push(change),
                LotChangeKind::Grant
                | LotChangeKind::GivenBack
                | LotChangeKind::Expiry
                | LotChangeKind::ExpiryAgain => month.adjustments.push(change),
            }
        }
        Ok(())
    }

    /// Adds an invoice, issued or drafted; `period` is the one whose close seals it: of a rebill
    /// the one it was issued in.
    ///
    /// Errors: [`Error::Money`].
    pub fn add_invoice(&mut self, period: BillingPeriod, invoice: &Invoice) -> Result<()> {
        let of = |source| Error::money(format!("balance of {period}"), source);
        let drawn = invoice.drawn().totals()?;
        let totals = &mut self.month(period).totals;
        let sums = [
            (&mut totals.utilized, drawn.utilized),
            (&mut totals.service_overage, drawn.service_overage),
            (&mut totals.billed_separately, drawn.billed_separately),
            (&mut totals.marketplace, drawn.marketplace),
        ];
        for (sum, amount) in sums {
            *sum = sum.checked_add(amount).map_err(of)?;
        }
        Ok(())
    }

    /// Adds a note on an invoice; `period` is the one that it was issued in. What it gives lots
    /// back is in its entries.
    ///
    /// Errors: [`Error::NotFound`] for a line that the invoice lacks; [`Error::Money`].
    pub fn add_note(
        &mut self,
        period: BillingPeriod,
        note: &Note,
        invoice: &Invoice,
    ) -> Result<()> {
        let of = |source| Error::money(format!("balance of {period}"), source);
        let totals = &mut self.month(period).totals;
        for line in &note.lines {
            let sum = match invoice.line(line.amends)?.coverage {
                Coverage::Covered => &mut totals.service_overage,
                Coverage::Separate => &mut totals.billed_separately,
                Coverage::Marketplace => &mut totals.marketplace,
                // Prepayment that is taken back is a purchase below zero, by its entry.
                Coverage::Purchase => continue,
            };
            *sum = sum.checked_sub(line.net).map_err(of)?;
        }
        Ok(())
    }

    /// What all entries together leave in lots.
    ///
    /// Errors: [`Error::Money`].
    pub fn held(&self) -> Result<Money> {
        let sum = Money::checked_sum(self.currency, self.months.values().map(|month| month.moved));
        sum.map_err(|source| Error::money("what lots hold", source))
    }

    /// The balance of a billing period; `held` is what lots hold now, behind all entries.
    ///
    /// Errors: [`Error::Money`].
    pub fn of(&self, period: BillingPeriod, held: Money) -> Result<PeriodBalance> {
        let fault = |source| Error::money(format!("balance of {period}"), source);
        let (currency, zero) = (self.currency, Money::zero(self.currency));
        let (mut month, mut beginning, mut later) = (Month::empty(currency), zero, zero);
        for (of, found) in &self.months {
            match of.cmp(&period) {
                Ordering::Less => beginning = beginning.checked_add(found.moved).map_err(fault)?,
                Ordering::Equal => month = found.clone(),
                Ordering::Greater => later = later.checked_add(found.moved).map_err(fault)?,
            }
        }
        let Month { totals, moved: _, mut purchases, mut adjustments } = month;
        purchases.sort_by(|a, b| a.order().cmp(&b.order()));
        adjustments.sort_by(|a, b| a.order().cmp(&b.order()));
        let sum = |changes: &[LotChange]| {
            let amounts = changes.iter().map(|one| one.amount);
            Money::checked_sum(currency, amounts).map_err(fault)
        };
        let (new_purchases, adjusted) = (sum(&purchases)?, sum(&adjustments)?);
        let summary = BalanceSummary { beginning, new_purchases, adjustments: adjusted, totals };
        let held = held.checked_sub(later).map_err(fault)?;
        Ok(PeriodBalance { period, summary, purchases, adjustments, held })
    }
}

/// What lots hold in all.
///
/// Errors: [`Error::Money`], also for a lot of another currency.
pub fn lots_hold(balances: &Balances, currency: Currency) -> Result<Money> {
    let lots = balances.iter().filter(|(account, _)| lot_of(account).is_some());
    let sum = Money::checked_sum(currency, lots.map(|(_, held)| held));
    sum.map_err(|source| Error::money("what lots hold", source))
}

/// The lot whose ledger account it is.
pub(crate) fn lot_of(account: &LedgerAccount) -> Option<(LotKind, &LotId)> {
    match account {
        LedgerAccount::Credit(lot) => Some((LotKind::Credit, lot)),
        LedgerAccount::Prepayment(lot) => Some((LotKind::Prepayment, lot)),
        LedgerAccount::Receivable(_)
        | LedgerAccount::OpenCredit
        | LedgerAccount::Granted
        | LedgerAccount::Expired
        | LedgerAccount::Revenue(_)
        | LedgerAccount::TaxPayable(_)
        | LedgerAccount::Payments
        | LedgerAccount::WriteOff(_)
        | LedgerAccount::NotBilled(_) => None,
    }
}

/// What an entry that moves a lot is, and the document that did it; nothing for what an invoice
/// draws.
pub(crate) fn change(
    purpose: &Purpose,
    kind: LotKind,
    amount: Money,
) -> Result<Option<(LotChangeKind, Option<DocumentId>)>> {
    Ok(match purpose {
        Purpose::Grant { lot: _ } => match kind {
            LotKind::Credit => Some((LotChangeKind::Grant, None)),
            LotKind::Prepayment => Some((LotChangeKind::Purchase, None)),
        },
        Purpose::Line { document, line: _ } => {
            Some((LotChangeKind::Purchase, Some(document.clone())))
        }
        Purpose::Drawdown { document, lot: _ } => {
            let given_back = || (LotChangeKind::GivenBack, Some(document.clone()));
            (!amount.is_negative()).then(given_back)
        }
        Purpose::Expiry { lot: _ } => Some((LotChangeKind::Expiry, None)),
        Purpose::ExpiryAgain { note, lot: _ } => {
            Some((LotChangeKind::ExpiryAgain, Some(note.clone())))
        }
        Purpose::Tax { .. }
        | Purpose::Surplus { .. }
        | Purpose::OpenCreditApplied { .. }
        | Purpose::Payment { .. }
        | Purpose::Refund { .. }
        | Purpose::WriteOff { .. }
        | Purpose::NotBilled { .. } => {
            return Err(Error::invalid("ledger", format!("{purpose} must not touch a lot")));
        }
    })
}

#[cfg(test)]
mod tests;
