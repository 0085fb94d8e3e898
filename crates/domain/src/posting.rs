//! Which business event makes which ledger entries.
//!
//! | event | debit | credit |
//! | --- | --- | --- |
//! | line of an invoice | receivable | revenue of its category; the lot, if it buys prepayment |
//! | tax of an invoice | receivable | tax payable of its category |
//! | drawdown | the lot | receivable |
//! | invoice below zero | receivable | open credit |
//! | note | the invoice's accounts, other way round | |
//! | payment | payments | receivable of each document, its write-off if it is named, open credit |
//! | open credit applied | open credit | receivable |
//! | refund | open credit | payments |
//! | credit granted | granted | the lot |
//! | prepayment received without invoice | payments | the lot |
//! | lot ends, also after a note gave it something back | the lot | expired |
//! | write-off | write-off | receivable |
//! | late usage not billed | not billed | revenue of usage |
//!
//! All entries of a document are posted at once: bounds hold when the last one stands.

use crate::credits::{Lot, LotKind, LotPart};
use crate::ids::{DocumentId, LotId, TaxCategory};
use crate::invoice::{Invoice, Line};
use crate::ledger::{Between, Entry, LedgerAccount, Posting, Purpose};
use crate::notes::{Note, NoteKind};
use crate::payments::{DocumentAmount, Payment, Settled};
use crate::usage::ChargeCategory;
use crate::{Error, Result};
use calendar::Instant;
use money::{Currency, Money, MoneyError};
use std::collections::BTreeMap;

/// The ledger account of a lot.
pub fn lot_account(kind: LotKind, lot: &LotId) -> LedgerAccount {
    match kind {
        LotKind::Credit => LedgerAccount::Credit(lot.clone()),
        LotKind::Prepayment => LedgerAccount::Prepayment(lot.clone()),
    }
}

/// Entries of an issued invoice: lines, taxes, drawdown, and what it leaves in the payer's favour.
///
/// Errors: [`Error::Money`].
pub fn invoice(invoice: &Invoice, at: Instant) -> Result<Vec<Entry>> {
    let receivable = || LedgerAccount::Receivable(invoice.id.clone());
    let mut entries = Vec::with_capacity(invoice.lines.len());
    for line in &invoice.lines {
        let purpose = Purpose::Line { document: invoice.id.clone(), line: line.number };
        let between = Between { debit: receivable(), credit: line_account(line) };
        entries.push(Entry::transfer(purpose, at, between, line.booked)?);
    }
    for tax in &invoice.taxes {
        let purpose = Purpose::Tax { document: invoice.id.clone(), tax: tax.number };
        let credit = LedgerAccount::TaxPayable(tax.rule.category.clone());
        let between = Between { debit: receivable(), credit };
        entries.push(Entry::transfer(purpose, at, between, tax.tax)?);
    }
    let paid = invoice.lines.iter().flat_map(|line| &line.paid);
    for ((kind, lot), amount) in by_lot(invoice.currency, paid)? {
        let debit = lot_account(kind, &lot);
        let purpose = Purpose::Drawdown { document: invoice.id.clone(), lot };
        let between = Between { debit, credit: receivable() };
        entries.push(Entry::transfer(purpose, at, between, amount)?);
    }
    let below = least(invoice.totals()?.total, Money::zero(invoice.currency));
    entries.extend(surplus(&invoice.id, &invoice.id, below, at)?);
    Ok(entries)
}

/// What a line's amount is to us.
fn line_account(line: &Line) -> LedgerAccount {
    match &line.key.buys {
        Some(lot) => LedgerAccount::Prepayment(lot.clone()),
        None => LedgerAccount::Revenue(line.key.category),
    }
}

/// What lots paid in all.
fn by_lot<'a>(
    currency: Currency,
    parts: impl Iterator<Item = &'a LotPart>,
) -> Result<BTreeMap<(LotKind, LotId), Money>> {
    let mut sums: BTreeMap<(LotKind, LotId), Money> = BTreeMap::new();
    for LotPart { lot, kind, amount } in parts {
        let sum = sums.entry((*kind, lot.clone())).or_insert(Money::zero(currency));
        let of = |source| Error::money(format!("drawdown of lot {lot}"), source);
        *sum = sum.checked_add(*amount).map_err(of)?;
    }
    Ok(sums)
}

/// Brings a receivable that is left below zero to zero, by open credit; `by` is the document that
/// brought it there. Above zero it takes open credit back.
fn surplus(
    by: &DocumentId,
    invoice: &DocumentId,
    owed: Money,
    at: Instant,
) -> Result<Option<Entry>> {
    if owed.is_zero() {
        return Ok(None);
    }
    let of = |source| Error::money(format!("surplus of {by}"), source);
    let between = Between {
        debit: LedgerAccount::Receivable(invoice.clone()),
        credit: LedgerAccount::OpenCredit,
    };
    let purpose = Purpose::Surplus { document: by.clone() };
    Entry::transfer(purpose, at, between, owed.checked_neg().map_err(of)?).map(Some)
}

/// What an invoice is owed, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Amount due: the balance of its receivable.
    pub owed: Money,
    /// What was written off of it.
    pub written_off: Money,
}

/// Entries of an issued note, given how its invoice stood before.
///
/// What was written off and is now taken back was never paid, so it becomes no open credit.
/// Errors: [`Error::NotFound`] for a line that the invoice lacks; [`Error::Money`].
pub fn note(note: &Note, invoice: &Invoice, standing: Standing, at: Instant) -> Result<Vec<Entry>> {
    let receivable = || LedgerAccount::Receivable(invoice.id.clone());
    let of = |source: MoneyError| Error::money(format!("entries of note {}", note.id), source);
    let mut entries = Vec::with_capacity(note.lines.len());
    let mut taxes: BTreeMap<&TaxCategory, Money> = BTreeMap::new();
    for taken in &note.lines {
        let debit = line_account(invoice.line(taken.amends)?);
        let purpose = Purpose::Line { document: note.id.clone(), line: taken.number };
        let between = Between { debit, credit: receivable() };
        entries.push(Entry::transfer(purpose, at, between, taken.booked().map_err(of)?)?);
        let tax = taxes.entry(&taken.tax_category).or_insert(Money::zero(note.currency));
        *tax = tax.checked_add(taken.tax).map_err(of)?;
    }
    for (number, (category, tax)) in (1_u32..).zip(taxes) {
        let purpose = Purpose::Tax { document: note.id.clone(), tax: number };
        let debit = LedgerAccount::TaxPayable(category.clone());
        entries.push(Entry::transfer(purpose, at, Between { debit, credit: receivable() }, tax)?);
    }
    let returned = by_lot(note.currency, note.lines.iter().flat_map(|line| &line.lots))?;
    for ((kind, lot), amount) in returned {
        let between = Between { debit: receivable(), credit: lot_account(kind, &lot) };
        let purpose = Purpose::Drawdown { document: note.id.clone(), lot };
        entries.push(Entry::transfer(purpose, at, between, amount)?);
    }
    let owed = standing.owed.checked_sub(note.total()?).map_err(of)?;
    let unpaid = standing.written_off.minor().min(owed.checked_neg().map_err(of)?.minor()).max(0);
    let unpaid = Money::from_minor(unpaid, note.currency);
    if !unpaid.is_zero() {
        let credit = LedgerAccount::WriteOff(invoice.id.clone());
        let purpose = Purpose::WriteOff { document: note.id.clone() };
        entries.push(Entry::transfer(
            purpose,
            at,
            Between { debit: receivable(), credit },
            unpaid,
        )?);
    }
    let owed = owed.checked_add(unpaid).map_err(of)?;
    let owed = match note.kind {
        // A void invoice is owed nothing: what it had left in the payer's favour is taken back.
        NoteKind::Void => owed,
        NoteKind::Credit => least(owed, Money::zero(note.currency)),
    };
    entries.extend(surplus(&note.id, &invoice.id, owed, at)?);
    Ok(entries)
}

/// The lower of two amounts of one currency.
fn least(one: Money, other: Money) -> Money {
    if one.minor() <= other.minor() { one } else { other }
}

/// The entry of a payment that was given to documents by [`crate::payments::settle`].
///
/// Errors: [`Error::Unbalanced`] when parts and surplus are not the payment; [`Error::Money`].
pub fn payment(payment: &Payment, settled: &Settled) -> Result<Entry> {
    let of = |source| Error::money(format!("payment {}", payment.id), source);
    let mut postings = vec![Posting::debit(LedgerAccount::Payments, payment.amount).map_err(of)?];
    for part in &settled.parts {
        let receivable = LedgerAccount::Receivable(part.document.clone());
        postings.push(Posting::credit(receivable, part.amount).map_err(of)?);
    }
    for part in &settled.recovered {
        let written_off = LedgerAccount::WriteOff(part.document.clone());
        postings.push(Posting::credit(written_off, part.amount).map_err(of)?);
    }
    if !settled.surplus.is_zero() {
        let surplus = Posting::credit(LedgerAccount::OpenCredit, settled.surplus);
        postings.push(surplus.map_err(of)?);
    }
    Entry::new(Purpose::Payment { payment: payment.id.clone() }, payment.at, postings)
}

/// The entry of open credit that pays an invoice, for the `number`th time.
///
/// Errors: [`Error::Money`].
pub fn open_credit(to: &DocumentAmount, number: u32, at: Instant) -> Result<Entry> {
    let purpose = Purpose::OpenCreditApplied { document: to.document.clone(), number };
    let between = Between {
        debit: LedgerAccount::OpenCredit,
        credit: LedgerAccount::Receivable(to.document.clone()),
    };
    Entry::transfer(purpose, at, between, to.amount)
}

/// The entry of open credit that is paid out. The ledger refuses more than there is.
///
/// Errors: [`Error::Money`].
pub fn refund(refund: &Payment) -> Result<Entry> {
    let between = Between { debit: LedgerAccount::OpenCredit, credit: LedgerAccount::Payments };
    let purpose = Purpose::Refund { payment: refund.id.clone() };
    Entry::transfer(purpose, refund.at, between, refund.amount)
}

/// The entry that fills a lot without an invoice: credit granted, or prepayment received.
///
/// Errors: [`Error::Money`].
pub fn grant(lot: &Lot, at: Instant) -> Result<Entry> {
    let debit = match lot.kind {
        LotKind::Credit => LedgerAccount::Granted,
        LotKind::Prepayment => LedgerAccount::Payments,
    };
    let between = Between { debit, credit: lot_account(lot.kind, &lot.id) };
    Entry::transfer(Purpose::Grant { lot: lot.id.clone() }, at, between, lot.granted)
}

/// The entry of what a lot still held when it ended.
///
/// Errors: [`Error::Money`].
pub fn expiry(lot: &Lot, left: Money) -> Result<Entry> {
    let debit = lot_account(lot.kind, &lot.id);
    let between = Between { debit, credit: LedgerAccount::Expired };
    let purpose = Purpose::Expiry { lot: lot.id.clone() };
    Entry::transfer(purpose, lot.holds.end(), between, left)
}

/// The entry of what a lot got back by a note, after it had ended, and still holds.
///
/// Errors: [`Error::Money`].
pub fn expiry_again(
    note: &DocumentId,
    (kind, lot): (LotKind, &LotId),
    left: Money,
    at: Instant,
) -> Result<Entry> {
    let between = Between { debit: lot_account(kind, lot), credit: LedgerAccount::Expired };
    let purpose = Purpose::ExpiryAgain { note: note.clone(), lot: lot.clone() };
    Entry::transfer(purpose, at, between, left)
}

/// The entry of what an invoice is owed and nobody will be asked for.
///
/// Errors: [`Error::Money`].
pub fn write_off(of: &DocumentAmount, at: Instant) -> Result<Entry> {
    let between = Between {
        debit: LedgerAccount::WriteOff(of.document.clone()),
        credit: LedgerAccount::Receivable(of.document.clone()),
    };
    let purpose = Purpose::WriteOff { document: of.document.clone() };
    Entry::transfer(purpose, at, between, of.amount)
}

/// The entry of late usage that is not billed, for the `number`th time on this invoice.
///
/// Errors: [`Error::Money`].
pub fn not_billed(of: &DocumentAmount, number: u32, at: Instant) -> Result<Entry> {
    let between = Between {
        debit: LedgerAccount::NotBilled(of.document.clone()),
        credit: LedgerAccount::Revenue(ChargeCategory::Usage),
    };
    let purpose = Purpose::NotBilled { document: of.document.clone(), number };
    Entry::transfer(purpose, at, between, of.amount)
}

#[cfg(test)]
mod tests;
