//! Notes: documents that amend an issued invoice. The invoice itself never changes.
//!
//! A credit note takes back part of chosen lines; a void note takes back all that is left of all
//! lines and gives lots back what they paid. A rebill is a void note and a new invoice in place of
//! the old. Tax comes from the invoice's own allocation, so that credit notes which together take
//! back a line take back its tax to the cent.

use crate::credits::LotPart;
use crate::ids::{BillingAccountId, DocumentId, LegalEntityId, TaxCategory};
use crate::invoice::{Invoice, Line};
use crate::{Error, Result};
use money::{Currency, Money, MoneyError, allocate};
use std::collections::BTreeMap;

/// A document that amends an invoice. Amounts, in minor units, are what it takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its id; its number comes when it is issued.
    pub id: DocumentId,
    /// What it does.
    pub kind: NoteKind,
    /// Who pays.
    pub billing_account: BillingAccountId,
    /// Who sells.
    pub seller: LegalEntityId,
    /// The invoice.
    pub amends: DocumentId,
    /// Why it was made; empty until it is said.
    pub reason: String,
    /// The invoice's.
    pub currency: Currency,
    /// Lines, numbered from 1.
    pub lines: Vec<NoteLine>,
}

/// What a note does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// Takes back part of an invoice.
    Credit,
    /// Withdraws an invoice.
    Void,
}

impl NoteKind {
    /// Its name in answers and in the books.
    pub const fn name(self) -> &'static str {
        match self {
            NoteKind::Credit => "credit_note",
            NoteKind::Void => "void_note",
        }
    }
}

/// What a note takes back of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteLine {
    /// From 1.
    pub number: u32,
    /// Number of the invoice's line.
    pub amends: u32,
    /// Of what the line left to pay, before tax; of the line's sign.
    pub net: Money,
    /// Of the line's tax.
    pub tax: Money,
    /// How that tax is called in the ledger.
    pub tax_category: TaxCategory,
    /// What lots get back.
    pub lots: Vec<LotPart>,
    /// The line's set-off, which ends with the line; set-offs of a void note add up to nothing.
    pub set_off: Money,
}

impl NoteLine {
    /// What it takes back of the line's booked amount: net + lots − set off.
    ///
    /// Errors: [`MoneyError`].
    pub fn booked(&self) -> std::result::Result<Money, MoneyError> {
        let lots = self.lots.iter().map(|part| part.amount);
        let lots = Money::checked_sum(self.net.currency(), lots)?;
        self.net.checked_add(lots)?.checked_sub(self.set_off)
    }
}

/// A wish to take back part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Number of the invoice's line.
    pub line: u32,
    /// Before tax, above zero.
    pub net: Money,
}

impl Note {
    /// A note on an invoice.
    fn on(invoice: &Invoice, id: DocumentId, kind: NoteKind, lines: Vec<NoteLine>) -> Note {
        let Invoice { id: amends, billing_account, seller, currency, .. } = invoice.clone();
        Note { id, kind, billing_account, seller, amends, reason: String::new(), currency, lines }
    }

    /// Says why it was made.
    pub fn because(self, reason: &str) -> Note {
        Note { reason: reason.to_owned(), ..self }
    }

    /// What it takes back in all, tax included and lots apart.
    ///
    /// Errors: [`Error::Money`].
    pub fn total(&self) -> Result<Money> {
        let amounts = self.lines.iter().flat_map(|line| [line.net, line.tax]);
        let sum = Money::checked_sum(self.currency, amounts);
        sum.map_err(|source| self.fault(source))
    }

    /// What it asks of the payer: its total, which is taken back, so below zero.
    ///
    /// Errors: [`Error::Money`].
    pub fn due(&self) -> Result<Money> {
        self.total()?.checked_neg().map_err(|source| self.fault(source))
    }

    fn fault(&self, source: MoneyError) -> Error {
        Error::money(format!("total of note {}", self.id), source)
    }
}

/// Makes a credit note. `earlier` holds the notes that amend the invoice already.
///
/// Errors: [`Error::Conflict`] when a line has less left to take back, or the invoice is void;
/// [`Error::NotFound`] for a line that the invoice lacks; [`Error::Invalid`] for amounts that are
/// not above zero, or nothing at all; [`Error::Money`].
pub fn credit_note(
    id: DocumentId,
    invoice: &Invoice,
    earlier: &[Note],
    wanted: &[Wanted],
) -> Result<Note> {
    if wanted.is_empty() {
        return Err(Error::invalid("lines", "name at least one line to take back"));
    }
    let mut taken = taken(invoice, earlier)?;
    let mut lines = Vec::with_capacity(wanted.len());
    for (number, wanted) in (1..).zip(wanted) {
        let line = invoice.line(wanted.line)?;
        let of = |source| Error::money(format!("credit for line {}", line.number), source);
        let before = taken.get(&line.number).copied();
        let before = before.unwrap_or(Money::zero(invoice.currency));
        let after = before.checked_add(wanted.net).map_err(of)?;
        if wanted.net.minor() <= 0 {
            let problem = format!("{} is not above zero", wanted.net);
            return Err(Error::invalid(format!("line {}", line.number), problem));
        }
        if line.left.minor() < after.minor() {
            let left = line.left.checked_sub(before).map_err(of)?;
            let problem = format!("has {left} left to take back, not {}", wanted.net);
            let key = format!("{} of {}", line.number, invoice.id);
            return Err(Error::Conflict { what: "line", key, problem });
        }
        let tax = tax_between(line, before, after).map_err(of)?;
        let tax_category = line.key.tax.clone();
        let (amends, net) = (line.number, wanted.net);
        let (lots, set_off) = (Vec::new(), Money::zero(invoice.currency));
        lines.push(NoteLine { number, amends, net, tax, tax_category, lots, set_off });
        taken.insert(line.number, after);
    }
    Ok(Note::on(invoice, id, NoteKind::Credit, lines))
}

/// Makes a void note: it takes back whatever earlier credit notes left.
///
/// Errors: [`Error::Conflict`] when the invoice is void already; [`Error::Money`].
pub fn void_note(id: DocumentId, invoice: &Invoice, earlier: &[Note]) -> Result<Note> {
    let taken = taken(invoice, earlier)?;
    let mut lines = Vec::with_capacity(invoice.lines.len());
    for (number, line) in (1..).zip(&invoice.lines) {
        let of = |source| Error::money(format!("reversal of line {}", line.number), source);
        let before = taken.get(&line.number).copied();
        let before = before.unwrap_or(Money::zero(invoice.currency));
        lines.push(NoteLine {
            number,
            amends: line.number,
            net: line.left.checked_sub(before).map_err(of)?,
            tax: tax_between(line, before, line.left).map_err(of)?,
            tax_category: line.key.tax.clone(),
            lots: line.paid.clone(),
            set_off: line.set_off,
        });
    }
    Ok(Note::on(invoice, id, NoteKind::Void, lines))
}

/// What each line has left to take back, before tax, after the notes that amend the invoice.
///
/// Errors: [`Error::Conflict`] when the invoice is void; [`Error::Money`].
pub fn creditable(invoice: &Invoice, earlier: &[Note]) -> Result<BTreeMap<u32, Money>> {
    let taken = taken(invoice, earlier)?;
    let left = |line: &Line| {
        let before = taken.get(&line.number).copied().unwrap_or(Money::zero(invoice.currency));
        let left = line.left.checked_sub(before);
        let left = left.map_err(|source| Error::money(format!("line {}", line.number), source))?;
        Ok((line.number, left))
    };
    invoice.lines.iter().map(left).collect()
}

/// What earlier notes took back of each line, before tax.
fn taken(invoice: &Invoice, earlier: &[Note]) -> Result<BTreeMap<u32, Money>> {
    let of_invoice = || earlier.iter().filter(|note| note.amends == invoice.id);
    if let Some(void) = of_invoice().find(|note| note.kind == NoteKind::Void) {
        let problem = format!("is void by {}", void.id);
        return Err(Error::Conflict { what: "invoice", key: invoice.id.to_string(), problem });
    }
    let mut taken = BTreeMap::new();
    for line in of_invoice().flat_map(|note| &note.lines) {
        let sum: &mut Money = taken.entry(line.amends).or_insert(Money::zero(invoice.currency));
        let of = |source| Error::money(format!("notes on line {}", line.amends), source);
        *sum = sum.checked_add(line.net).map_err(of)?;
    }
    Ok(taken)
}

/// The tax on the part of a line between two amounts taken back.
fn tax_between(line: &Line, before: Money, after: Money) -> std::result::Result<Money, MoneyError> {
    tax_up_to(line, after)?.checked_sub(tax_up_to(line, before)?)
}

/// The tax on the first `net` of a line: its share of the line's tax, by largest remainder.
fn tax_up_to(line: &Line, net: Money) -> std::result::Result<Money, MoneyError> {
    if line.left == net {
        return Ok(line.tax);
    }
    let rest = line.left.checked_sub(net)?;
    let weights = [net.minor().unsigned_abs(), rest.minor().unsigned_abs()];
    let parts = allocate(line.tax.minor(), &weights)?;
    Ok(Money::from_minor(parts.first().copied().unwrap_or(0), line.tax.currency()))
}

/// Lets a new invoice stand in the place of a voided one.
///
/// Errors: [`Error::Conflict`] unless the old one is void; [`Error::Invalid`] when payer, seller,
/// period or currency differ, or the new invoice is the old one.
pub fn rebill(new: Invoice, old: &Invoice, notes: &[Note]) -> Result<Invoice> {
    let is_void = notes.iter().any(|note| note.kind == NoteKind::Void && note.amends == old.id);
    if !is_void {
        let problem = "is not void; withdraw it before another takes its place".to_owned();
        return Err(Error::Conflict { what: "invoice", key: old.id.to_string(), problem });
    }
    let place = |invoice: &Invoice| {
        (invoice.billing_account.clone(), invoice.seller.clone(), invoice.period, invoice.currency)
    };
    if new.id == old.id || place(&new) != place(old) {
        let problem = format!("{} cannot take the place of {}", new.id, old.id);
        return Err(Error::invalid("rebill", problem));
    }
    Ok(Invoice { replaces: Some(old.id.clone()), ..new })
}

#[cfg(test)]
mod tests;
