//! Explaining a figure of an invoice or note: from its total, a tax, what a lot paid or a section
//! to the lines that add up to it, and from a cent of it to one line's rows.

use crate::documents::{Document, Issued, IssuedNote};
use crate::explain_lines::{ExplainedLine, LineAsked};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use domain::access::{Action, Caller, Scope};
use domain::credits::LotKind;
use domain::encoding::books::decode_entry;
use domain::ids::{BillingAccountId, DocumentId, LotId};
use domain::invoice::{Addends, Figure, Led};
use domain::ledger::{Entry, Posting, Purpose};
use domain::numbering::DocumentNumber;
use domain::posting::lot_account;
use domain::tax::DocumentTax;
use domain::{Error, Result};
use money::{Currency, Money, MoneyError};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::DocumentRow;

/// Which figure of which document, and how much of what is behind it.
#[derive(Debug, Clone)]
pub struct FigureAsked {
    /// The invoice or note.
    pub document: DocumentNumber,
    /// Which number on it.
    pub figure: Figure,
    /// Also the line that this minor unit of it lies in, from 1, and of that only the rated row.
    pub cent: Option<u64>,
    /// How many rated rows to explain in full.
    pub rows_shown: usize,
}

/// How a figure came about.
#[derive(Debug, Clone)]
pub struct ExplainedFigure {
    /// The invoice or note.
    pub document: Issued,
    /// The lines that add up to it.
    pub addends: Addends,
    /// What the lot held when it paid an invoice; none for other figures, and for a rebill, which
    /// may have drawn what it was given back.
    pub held: Option<LotHeld>,
    /// The invoice's line that the figure leads to: of a line of a note the one that it takes
    /// back, of a cent the one that it lies in.
    pub line: Option<Box<ExplainedLine>>,
}

impl ExplainedFigure {
    /// The tax that an invoice's figure is.
    pub fn tax(&self) -> Option<&DocumentTax> {
        let figure = &self.addends.figure;
        let (Issued::Invoice(document), Figure::Tax(category)) = (&self.document, figure) else {
            return None;
        };
        document.invoice.taxes.iter().find(|tax| tax.rule.category == *category)
    }
}

/// What a lot held around an invoice that it paid, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotHeld {
    /// Before.
    pub before: Money,
    /// After.
    pub after: Money,
}

impl Issued {
    /// Whose it is.
    fn billing_account(&self) -> &BillingAccountId {
        match self {
            Issued::Invoice(document) => &document.invoice.billing_account,
            Issued::Note(issued) => &issued.note.billing_account,
        }
    }
}

impl Reckoner {
    /// Explains a figure of an invoice or note.
    ///
    /// Errors: [`Error::NotFound`] for a document that the caller may not see, or a figure that it
    /// does not have; [`Error::Forbidden`]; [`Error::Invalid`] for a figure that notes do not have,
    /// or a cent that the figure lacks; [`Error::Internal`] when parts do not add up.
    #[boxed]
    pub async fn explain_figure(
        &self,
        caller: &Caller,
        asked: &FigureAsked,
    ) -> Result<ExplainedFigure> {
        let document = self.issued_one(caller, &asked.document).await?;
        let scope = Scope::Account(document.billing_account().clone());
        self.demand(caller, Action::ExplainCharges, &scope).await?;
        let (addends, held, line) = match &document {
            Issued::Invoice(invoice) => {
                let addends = invoice.invoice.addends(&asked.figure)?;
                let held = self.0.held(invoice, &addends).await?;
                let line = of_invoice(invoice, &addends, asked)?;
                (addends, held, line)
            }
            Issued::Note(note) => {
                let addends = note.note.addends(&asked.figure)?;
                let line = match addends.leads_to(asked.cent)? {
                    Some(led) => Some(self.of_note(caller, note, (led, asked)).await?),
                    None => None,
                };
                (addends, None, line)
            }
        };
        let line = match line {
            Some(line) => Some(Box::new(self.explain_line(caller, &line).await?)),
            None => None,
        };
        Ok(ExplainedFigure { document, addends, held, line })
    }

    /// The line that a note's figure leads to: that of its invoice.
    async fn of_note(
        &self,
        caller: &Caller,
        note: &IssuedNote,
        (led, asked): (Led, &FigureAsked),
    ) -> Result<LineAsked> {
        let invoice = self.document(caller, &note.amends).await?;
        let line = led.amends.unwrap_or(led.line);
        line_asked(&invoice, (line, led.unit), asked)
    }
}

/// The line that an invoice's figure leads to. Cents of a line are those that were booked.
fn of_invoice(
    document: &Document,
    addends: &Addends,
    asked: &FigureAsked,
) -> Result<Option<LineAsked>> {
    if let Figure::Line(line) = asked.figure {
        let (document, rows_shown) = (document.number.clone(), asked.rows_shown);
        return Ok(Some(LineAsked { document, line, cent: asked.cent, rows_shown }));
    }
    let led = addends.leads_to(asked.cent)?;
    led.map(|led| line_asked(document, (led.line, led.unit), asked)).transpose()
}

fn line_asked(
    document: &Document,
    (number, unit): (u32, Option<(u64, Money)>),
    asked: &FigureAsked,
) -> Result<LineAsked> {
    let line = document.invoice.line(number)?;
    let cent = unit.map(|(unit, share)| line.cent_of_share(unit, share)).transpose()?;
    let (document, rows_shown) = (document.number.clone(), asked.rows_shown);
    Ok(LineAsked { document, line: number, cent, rows_shown })
}

impl Inner {
    /// What a lot held before and after it paid an invoice, which must be what was booked.
    async fn held(
        self: &Arc<Self>,
        document: &Document,
        addends: &Addends,
    ) -> Result<Option<LotHeld>> {
        let Figure::Lot(lot) = &addends.figure else { return Ok(None) };
        let invoice = &document.invoice;
        let of = |source| Error::money(format!("lot {lot}"), source);
        let parts = || invoice.lines.iter().flat_map(|line| &line.paid);
        let Some(kind) = parts().find(|part| part.lot == *lot).map(|part| part.kind) else {
            return Ok(None);
        };
        let purpose = Purpose::Drawdown { document: invoice.id.clone(), lot: lot.clone() };
        let booked = self.booked_entry(&invoice.billing_account, &purpose).await?;
        let booked = booked.iter().flat_map(Entry::postings);
        let booked = held_by((kind, lot), booked, invoice.currency).map_err(of)?;
        let paid = addends.amount.to_money().map_err(of)?.unwrap_or(Money::zero(invoice.currency));
        if booked.checked_add(paid).map_err(of)? != Money::zero(invoice.currency) {
            let problem = format!("the ledger draws {booked}, lines say {paid}");
            return Err(Error::internal(format!("explain lot {lot} of {}", invoice.id), problem));
        }
        if invoice.replaces.is_some() {
            return Ok(None);
        }
        let before = self.entries_before(invoice.id.as_str(), &invoice.billing_account).await?;
        let postings = before.iter().flat_map(Entry::postings);
        let before = held_by((kind, lot), postings, invoice.currency).map_err(of)?;
        let after = before.checked_sub(paid).map_err(of)?;
        Ok(Some(LotHeld { before, after }))
    }

    /// The entries of a payer's lots that were booked before an invoice's. A lot whose end was
    /// booked before pays nothing, so ends are not among them.
    async fn entries_before(
        self: &Arc<Self>,
        invoice: &str,
        account: &BillingAccountId,
    ) -> Result<Vec<Entry>> {
        let rows = self.rows_sent_to(account).await?;
        let rows: BTreeMap<&str, &DocumentRow> =
            rows.iter().map(|row| (row.id.as_str(), row)).collect();
        let own = rows.get(invoice).copied();
        let is_earlier = |id: &DocumentId| {
            let earlier = |own| rows.get(id.as_str()).is_none_or(|row| is_before(row, own));
            own.is_some_and(earlier)
        };
        let (store, name) = (Arc::clone(&self.store), account.to_string());
        let entries = crate::blocking(move || {
            store.entries(&name, None).map_err(crate::stored("read a ledger"))
        })
        .await?;
        let mut before = Vec::new();
        for row in entries {
            let entry = decode_entry(&row.body)?;
            let counts = match entry.purpose() {
                Purpose::Grant { .. } => true,
                Purpose::Line { document, .. } | Purpose::Drawdown { document, .. } => {
                    is_earlier(document)
                }
                Purpose::ExpiryAgain { note, .. } => is_earlier(note),
                Purpose::Expiry { .. }
                | Purpose::Tax { .. }
                | Purpose::Surplus { .. }
                | Purpose::OpenCreditApplied { .. }
                | Purpose::Payment { .. }
                | Purpose::Refund { .. }
                | Purpose::WriteOff { .. }
                | Purpose::NotBilled { .. } => false,
            };
            if counts {
                before.push(entry);
            }
        }
        Ok(before)
    }
}

/// Whether a document was booked before another of its payer: a series counts up, between two
/// series time tells.
fn is_before(one: &DocumentRow, other: &DocumentRow) -> bool {
    if one.seller == other.seller {
        return one.sequence < other.sequence;
    }
    one.issued_at < other.issued_at
}

/// What postings leave in a lot.
fn held_by<'a>(
    (kind, lot): (LotKind, &LotId),
    postings: impl Iterator<Item = &'a Posting>,
    currency: Currency,
) -> std::result::Result<Money, MoneyError> {
    let account = lot_account(kind, lot);
    let mut of_lot = postings.filter(|posting| posting.account == account);
    of_lot.try_fold(Money::zero(currency), |held, Posting { account, side, amount }| {
        let grows = *side == account.side();
        if grows { held.checked_add(*amount) } else { held.checked_sub(*amount) }
    })
}
