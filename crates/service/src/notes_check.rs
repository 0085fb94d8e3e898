//! Whether notes, rebills and delivered corrections are what their invoices, facts and entries
//! come to.

use crate::Inner;
use crate::books_check::{BooksChecked, is_billed};
use crate::documents::INVOICE;
use domain::chain::Digest;
use domain::closes::Part;
use domain::correction::Correction;
use domain::delivery::Delivered;
use domain::encoding::books::decode_note;
use domain::ids::BillingAccountId;
use domain::invoice::Invoice;
use domain::ledger::{Entry, Purpose};
use domain::notes::{self, Note, NoteKind, Wanted};
use domain::posting::{self, Standing};
use domain::{Error, Result};
use money::{Cost, Fixed18, Money, Rounding};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{DocumentRow, Seen};

/// Documents that can be read, by id.
#[derive(Default)]
pub(crate) struct Papers {
    pub(crate) invoices: BTreeMap<String, Invoice>,
    pub(crate) notes: BTreeMap<String, Note>,
}

impl Papers {
    /// The entries that a document must have in the ledger; none of one that cannot be read.
    ///
    /// Errors: [`Error::Money`].
    pub(crate) fn entries_of(&self, row: &DocumentRow) -> Result<Vec<Entry>> {
        if let Some(invoice) = self.invoices.get(&row.id) {
            return posting::invoice(invoice, row.issued_at);
        }
        let note = self.notes.get(&row.id);
        let both = note.and_then(|note| Some((note, self.invoices.get(&row.amends)?)));
        let Some((note, invoice)) = both else { return Ok(Vec::new()) };
        // What it left in somebody's favour depends on what was paid by then: the chain has that.
        let standing = Standing { owed: note.total()?, written_off: Money::zero(note.currency) };
        posting::note(note, invoice, standing, row.issued_at)
    }

    /// Reads the notes: each must be just what its invoice, and the notes before it, allow.
    pub(crate) fn check_notes(&mut self, rows: &[DocumentRow], checked: &mut BooksChecked) {
        let mut rows: Vec<&DocumentRow> = rows.iter().filter(|row| row.kind != INVOICE).collect();
        rows.sort_by(|a, b| (&a.seller, a.sequence).cmp(&(&b.seller, b.sequence)));
        let mut earlier: BTreeMap<&str, Vec<Note>> = BTreeMap::new();
        for row in rows {
            let mut wrong =
                |problem: String| checked.problems.push(format!("document {}: {problem}", row.id));
            let note = match decode_note(&row.body) {
                Ok(note) => note,
                Err(error) => {
                    wrong(error.to_string());
                    continue;
                }
            };
            let invoice = self.invoices.get(&row.amends).filter(|_| is_of(&note, row));
            let Some(invoice) = invoice else {
                wrong("it stands in another's place".to_owned());
                continue;
            };
            let before = earlier.entry(row.amends.as_str()).or_default();
            match again(&note, invoice, before) {
                Ok(again) if again == note => {}
                Ok(_) => wrong("its amounts are not what its invoice comes to".to_owned()),
                Err(error) => wrong(error.to_string()),
            }
            before.push(note.clone());
            self.notes.insert(row.id.clone(), note);
        }
    }
}

/// Whether a note is the one of its row.
fn is_of(note: &Note, row: &DocumentRow) -> bool {
    note.id.as_str() == row.id
        && note.kind.name() == row.kind
        && note.amends.as_str() == row.amends
        && note.billing_account.as_str() == row.billing_account
        && note.seller.as_str() == row.seller
}

/// A note, made again from its invoice and the notes before it.
fn again(note: &Note, invoice: &Invoice, before: &[Note]) -> Result<Note> {
    let wanted = note.lines.iter().map(|line| Wanted { line: line.amends, net: line.net });
    let made = match note.kind {
        NoteKind::Void => notes::void_note(note.id.clone(), invoice, before),
        NoteKind::Credit => {
            notes::credit_note(note.id.clone(), invoice, before, &wanted.collect::<Vec<_>>())
        }
    };
    Ok(made?.because(&note.reason))
}

impl Inner {
    /// Computes the invoices again that took the place of voided ones.
    pub(crate) async fn check_rebills(
        self: &Arc<Self>,
        rows: &[DocumentRow],
        papers: &Papers,
        checked: &mut BooksChecked,
    ) -> Result<()> {
        for row in rows {
            let Some(invoice) = papers.invoices.get(&row.id) else { continue };
            let Some(replaced) = &invoice.replaces else { continue };
            let void = |note: &Note| note.kind == NoteKind::Void && note.amends == *replaced;
            let problem = if !papers.notes.values().any(void) {
                Some(format!("{replaced}, in whose place it stands, is not void"))
            } else {
                match self.is_rebilled(invoice, row.seen).await {
                    Ok(true) => None,
                    Ok(false) => {
                        Some("its lines are not what rated rows and plans come to".to_owned())
                    }
                    Err(error @ (Error::Internal { .. } | Error::Unavailable { .. })) => {
                        return Err(error);
                    }
                    Err(error) => Some(error.to_string()),
                }
            };
            let place = |problem| format!("document {}: {problem}", row.id);
            checked.problems.extend(problem.map(place));
        }
        Ok(())
    }

    /// Whether a rebill's lines are what usage and facts came to that it saw.
    async fn is_rebilled(self: &Arc<Self>, invoice: &Invoice, seen: Option<Seen>) -> Result<bool> {
        let (account, period) = (&invoice.billing_account, invoice.period);
        let part = Part::of_document(&invoice.id, account, period);
        let (Some(Seen { company_version, end_sequence }), Some(part)) = (seen, part) else {
            return Ok(false);
        };
        let declared = self.declared_at(company_version).await?;
        let rows = self.rated_again((account, None), period, (end_sequence, &declared)).await?;
        let (_, charges) = self.charged_again(&declared, (account, period), &rows).await?;
        Ok(is_billed(Some(invoice), &charges.part(&part)))
    }

    /// Checks corrections that no line shows against the notes and entries that stand for them.
    pub(crate) async fn check_deliveries(
        self: &Arc<Self>,
        id: &BillingAccountId,
        (papers, entries): (&Papers, &[(i32, Entry)]),
        checked: &mut BooksChecked,
    ) -> Result<()> {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let mut not_billed = 0_usize;
        for row in self.delivery_rows(id).await? {
            let (document, number) = (row.delivery.document.clone(), row.delivery.number);
            let place = format!("corrections {number} of {document}");
            if Digest::of(&row.delivery.body) != Digest::from_bytes(row.digest) {
                checked.problems.push(format!("{place}: its bytes are not what was delivered"));
                continue;
            }
            let count = counts.entry(document).or_default();
            *count = count.saturating_add(1);
            let is_whole = match crate::sent::read(&row) {
                Ok(delivered) => {
                    not_billed = not_billed.saturating_add(usize::from(delivered.note.is_none()));
                    number == *count && stands(&delivered, papers, entries)
                }
                Err(_) => false,
            };
            if !is_whole {
                let problem = "they are not what was credited or left unbilled";
                checked.problems.push(format!("{place}: {problem}"));
            }
        }
        let is_left = |entry: &Entry| matches!(entry.purpose(), Purpose::NotBilled { .. });
        if entries.iter().filter(|(_, entry)| is_left(entry)).count() != not_billed {
            let problem = "what is not billed has no corrections";
            checked.problems.push(format!("ledger of {id}: {problem}"));
        }
        Ok(())
    }
}

/// Whether delivered corrections come to the note or the entry that stands for them.
fn stands(delivered: &Delivered, papers: &Papers, entries: &[(i32, Entry)]) -> bool {
    let Delivered { document, number, note, corrections } = delivered;
    if corrections.iter().any(|one| one.amends.document != *document) {
        return false;
    }
    match note {
        None => {
            let purpose = Purpose::NotBilled { document: document.clone(), number: *number };
            let entry = entries.iter().find(|(_, entry)| *entry.purpose() == purpose);
            let posting = entry.and_then(|(_, entry)| entry.postings().first());
            let sum = Fixed18::checked_sum(corrections.iter().map(|one| one.cost.major));
            match (posting, sum) {
                (Some(posting), Ok(major)) => {
                    is_booked(Cost { major, currency: posting.amount.currency() }, posting.amount)
                }
                _ => false,
            }
        }
        Some(id) => papers.notes.get(id.as_str()).is_some_and(|note| {
            let is_line = |(correction, line): (&Correction, &notes::NoteLine)| {
                let back = line.net.checked_neg();
                correction.amends.line == Some(line.amends)
                    && back.is_ok_and(|back| is_booked(correction.cost, back))
            };
            note.amends == *document
                && note.lines.len() == corrections.len()
                && corrections.iter().zip(&note.lines).all(is_line)
        }),
    }
}

/// Whether an amount is what booking makes of an exact one, by whatever rounding.
fn is_booked(exact: Cost, booked: Money) -> bool {
    Rounding::ALL
        .into_iter()
        .any(|rounding| exact.book(rounding).is_ok_and(|money| money == booked))
}
