//! What comes after an invoice was issued: notes, rebills, and corrections that reach the payer
//! otherwise than by a line of the next invoice.
//!
//! Corrections of a closed period are found by comparing it with all that stands: the lines of
//! invoices that are not void, and what [`Delivered`] says. A void invoice stands for nothing: what
//! it corrected is found again, and what it billed waits for a rebill.
//!
//! Source: `docs/decisions/0012-notes-and-requests.md`.

use crate::closes::{Charges, Part, Payer, left_of};
use crate::correction::{self, Correction, Delivery};
use crate::credits::{Lot, LotKind};
use crate::ids::{DocumentId, LotId};
use crate::invoice::{ExchangeRate, Invoice, LineKey};
use crate::ledger::{Balances, Entry, LedgerAccount};
use crate::notes::{self, Note, NoteKind};
use crate::payments::DocumentAmount;
use crate::posting::{self, Standing, lot_account};
use crate::{Error, Result};
use calendar::Instant;
use money::{Cost, Money};
use std::collections::{BTreeMap, BTreeSet};

/// Corrections of one invoice that no line of an invoice shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The amended invoice.
    pub document: DocumentId,
    /// From 1 for each invoice.
    pub number: u32,
    /// The credit note that took them back; none where they were too little to ask for.
    pub note: Option<DocumentId>,
    /// They themselves, exactly.
    pub corrections: Vec<Correction>,
}

/// All that a payer was ever sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Invoices, void ones too.
    pub invoices: Vec<Invoice>,
    /// Notes, in the order of their numbers.
    pub notes: Vec<Note>,
    /// Corrections that no line shows, in the order of invoice and number.
    pub delivered: Vec<Delivered>,
}

impl Sent {
    /// Whether a void note withdrew an invoice.
    pub fn is_void(&self, id: &DocumentId) -> bool {
        self.notes.iter().any(|note| note.kind == NoteKind::Void && note.amends == *id)
    }

    /// An invoice, and those that took its place one after the other; the last one stands.
    pub fn standing_for(&self, first: &DocumentId) -> Vec<&Invoice> {
        let mut chain: Vec<&Invoice> = Vec::new();
        let mut next = self.invoices.iter().find(|invoice| invoice.id == *first);
        // Each step goes to another invoice; more steps than invoices would be a ring.
        while let Some(invoice) = next.filter(|_| chain.len() < self.invoices.len()) {
            chain.push(invoice);
            next = self.invoices.iter().find(|next| next.replaces.as_ref() == Some(&invoice.id));
        }
        chain
    }

    /// The corrections of an invoice, and of those that took its place, that stand.
    pub fn corrections_of(&self, first: &DocumentId) -> Vec<Correction> {
        let chain = self.standing_for(first);
        let ids: BTreeSet<&DocumentId> =
            chain.iter().map(|invoice| &invoice.id).chain([first]).collect();
        let standing = self.invoices.iter().filter(|invoice| !self.is_void(&invoice.id));
        let lines = standing.flat_map(|invoice| &invoice.lines).filter_map(|line| {
            let amends = line.key.amends.clone()?;
            let key = LineKey { amends: None, ..line.key.clone() };
            Some(Correction { amends, key, cost: line.pricing })
        });
        // A void note takes back the rest of an invoice, and with it its credit notes.
        let counts = |one: &&Delivered| one.note.is_none() || !self.is_void(&one.document);
        let delivered =
            self.delivered.iter().filter(counts).flat_map(|one| one.corrections.clone());
        lines.chain(delivered).filter(|found| ids.contains(&found.amends.document)).collect()
    }
}

/// What corrections come to, by the policy of the payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliveries {
    /// Lines of the next invoice.
    pub next: Vec<(Part, Correction)>,
    /// Corrections that no line will show.
    pub delivered: Vec<Delivered>,
    /// Credit notes and entries.
    pub billed: Billed,
}

impl Payer<'_> {
    /// Decides how corrections reach the payer, and makes the notes and entries of it.
    ///
    /// Errors: [`Error::Overdrawn`]; [`Error::Money`]; [`Error::Invalid`] when a note's id would be
    /// too long.
    pub fn deliver(
        &self,
        found: impl IntoIterator<Item = (Part, Correction)>,
        sent: &Sent,
        before: &Balances,
        at: Instant,
    ) -> Result<Deliveries> {
        let mut by_document: BTreeMap<DocumentId, Vec<(Part, Correction)>> = BTreeMap::new();
        for one in found {
            by_document.entry(one.1.amends.document.clone()).or_default().push(one);
        }
        let (next, delivered, billed) = (Vec::new(), Vec::new(), Billed::on(before));
        let mut all = Deliveries { next, delivered, billed };
        for (document, found) in by_document {
            let invoice = sent.invoices.iter().find(|invoice| invoice.id == document);
            let invoice = invoice.cloned().unwrap_or_else(|| self.empty(document.clone()));
            let corrections: Vec<Correction> = found.iter().map(|(_, one)| one.clone()).collect();
            let (late, rounding) = (&self.terms.late, self.terms.rounding);
            let way = correction::deliver(late, &invoice, &corrections, &sent.notes, rounding)?;
            let number = sent.delivered.iter().filter(|one| one.document == document).count();
            let number = u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
            let note = match way {
                Delivery::Nothing => continue,
                Delivery::NextInvoice => {
                    all.next.extend(found);
                    continue;
                }
                Delivery::NotBilled(amount) => {
                    let of = DocumentAmount { document: document.clone(), amount };
                    all.billed.post(vec![posting::not_billed(&of, number, at)?])?;
                    None
                }
                Delivery::CreditNote(wanted) => {
                    let id = self.correction_note(&document)?;
                    let note = notes::credit_note(id.clone(), &invoice, &sent.notes, &wanted)?;
                    let reason = format!("late usage and corrected facts of {}", invoice.period);
                    all.billed.take_back(note.because(&reason), &invoice, at)?;
                    Some(id)
                }
            };
            all.delivered.push(Delivered { document, number, note, corrections });
        }
        Ok(all)
    }

    /// The id of the credit note that a close makes on an invoice: `acme/2026-04/corrects/2026-03`.
    fn correction_note(&self, document: &DocumentId) -> Result<DocumentId> {
        let (account, period) = (&self.account.id, self.period);
        let own = format!("{account}/");
        let tail = document.as_str().strip_prefix(&own).unwrap_or(document.as_str());
        DocumentId::new(&format!("{account}/{period}/corrects/{tail}"))
    }

    /// Makes the invoice that takes the place of a voided one: what its part of the period comes to
    /// now, less what other documents have charged for it.
    ///
    /// `sent` has the void note; `kept` are exchange rates that corrections keep. Errors:
    /// [`Error::Conflict`] unless the old one is void and the newest of its part, or when nothing
    /// is left to bill; [`Error::Invalid`] when the seller is another now; as [`Payer::bill`].
    pub fn rebill(
        &self,
        old: &Invoice,
        sent: &Sent,
        again: &Charges,
        kept: &[ExchangeRate],
        balances: &Balances,
    ) -> Result<Invoice> {
        let conflict = |problem: &str| {
            let (key, problem) = (old.id.to_string(), problem.to_owned());
            Error::Conflict { what: "invoice", key, problem }
        };
        let part = Part::of_document(&old.id, &self.account.id, self.period);
        let part = part.ok_or_else(|| conflict("is of no part of the period"))?;
        let first = part.document(&self.account.id, self.period)?;
        let chain = sent.standing_for(&first);
        if chain.last().is_none_or(|last| last.id != old.id) {
            return Err(conflict("has been replaced already"));
        }
        let mut sums = again.part(&part);
        for Correction { amends, key, cost } in sent.corrections_of(&first) {
            let back = cost.major.checked_neg();
            let major = back.map_err(|e| Error::money(format!("rebill of {}", old.id), e))?;
            sums.add(LineKey { amends: Some(amends), ..key }, Cost { major, ..cost })?;
        }
        if sums.iter().next().is_none() {
            return Err(conflict("comes to nothing now; void it instead"));
        }
        let id = part.rebill(&self.account.id, self.period, chain.len())?;
        let own = self.lot_of_offer(&part)?;
        let new = self.draft(&id, &sums, (own.as_ref(), kept), balances)?;
        notes::rebill(new, old, &sent.notes)
    }
}

/// What closing makes of a payer's charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// Notes, in the order in which they were made.
    pub notes: Vec<Note>,
    /// Invoices, in the order of their parts; none where nothing was charged.
    pub invoices: Vec<Invoice>,
    /// Entries, in the order in which they were made.
    pub entries: Vec<Entry>,
    /// What ledger accounts hold afterwards.
    pub balances: Balances,
}

impl Billed {
    /// Nothing yet, on a ledger that holds this.
    pub fn on(before: &Balances) -> Billed {
        let (notes, invoices, entries) = (Vec::new(), Vec::new(), Vec::new());
        Billed { notes, invoices, entries, balances: before.clone() }
    }

    /// Issues an invoice; open credit pays what it can of it.
    ///
    /// Errors: [`Error::Overdrawn`]; [`Error::Money`].
    pub fn issue(&mut self, invoice: Invoice, at: Instant) -> Result<()> {
        self.post(posting::invoice(&invoice, at)?)?;
        self.apply_open_credit(&invoice, at)?;
        self.invoices.push(invoice);
        Ok(())
    }

    /// Books entries, all or none.
    ///
    /// Errors: [`Error::Overdrawn`]; [`Error::Money`].
    pub fn post(&mut self, entries: Vec<Entry>) -> Result<()> {
        self.balances.post(&entries)?;
        self.entries.extend(entries);
        Ok(())
    }

    /// Takes away what lots that end still hold.
    ///
    /// Errors: [`Error::Money`].
    pub fn end<'a>(&mut self, lots: impl IntoIterator<Item = &'a Lot>) -> Result<()> {
        for lot in lots {
            let left = left_of(lot, &self.balances);
            if left.minor() > 0 {
                self.post(vec![posting::expiry(lot, left)?])?;
            }
        }
        Ok(())
    }

    /// Lets open credit pay what an invoice is owed.
    fn apply_open_credit(&mut self, invoice: &Invoice, at: Instant) -> Result<()> {
        let currency = invoice.currency;
        let owed = self.balances.of(&LedgerAccount::Receivable(invoice.id.clone()), currency);
        let open = self.balances.of(&LedgerAccount::OpenCredit, currency);
        let amount = Money::from_minor(owed.minor().min(open.minor()), currency);
        if amount.minor() <= 0 {
            return Ok(());
        }
        let to = DocumentAmount { document: invoice.id.clone(), amount };
        self.post(vec![posting::open_credit(&to, 1, at)?])
    }

    /// Issues a note on an invoice.
    ///
    /// Errors: [`Error::Overdrawn`]; [`Error::Money`].
    pub fn take_back(&mut self, note: Note, invoice: &Invoice, at: Instant) -> Result<()> {
        let held = |account| self.balances.of(&account, invoice.currency);
        let standing = Standing {
            owed: held(LedgerAccount::Receivable(invoice.id.clone())),
            written_off: held(LedgerAccount::WriteOff(invoice.id.clone())),
        };
        self.post(posting::note(&note, invoice, standing, at)?)?;
        self.notes.push(note);
        Ok(())
    }

    /// Ends lots again that got something back by a note after they had ended.
    ///
    /// Errors: [`Error::Money`].
    pub fn end_again(
        &mut self,
        note: &Note,
        is_ended: impl Fn(&LotId) -> bool,
        at: Instant,
    ) -> Result<()> {
        let parts = note.lines.iter().flat_map(|line| &line.lots);
        let lots: BTreeSet<(LotKind, &LotId)> = parts.map(|part| (part.kind, &part.lot)).collect();
        for (kind, lot) in lots.into_iter().filter(|(_, lot)| is_ended(lot)) {
            let left: Money = self.balances.of(&lot_account(kind, lot), note.currency);
            if left.minor() > 0 {
                self.post(vec![posting::expiry_again(&note.id, (kind, lot), left, at)?])?;
            }
        }
        Ok(())
    }

    /// Puts what came after behind what was before.
    pub fn then(self, after: Billed) -> Billed {
        Billed {
            notes: [self.notes, after.notes].concat(),
            invoices: [self.invoices, after.invoices].concat(),
            entries: [self.entries, after.entries].concat(),
            balances: after.balances,
        }
    }
}
