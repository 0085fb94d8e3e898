//! Notes on issued invoices: credit notes, void notes, and invoices in the place of voided ones.

use crate::bookings::{ATTEMPTS_MOST, BY_TERMS, Issue, balances_of, booking, kept_rates};
use crate::documents::{Document, INVOICE, Issued, IssuedNote};
use crate::requests::{Agreed, Deed};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::billing_terms::Approval;
use domain::closes::{Payer, is_of_offer};
use domain::delivery::{Billed, Sent};
use domain::encoding::books::decode_invoice;
use domain::ids::{BillingAccountId, DocumentId, LotId};
use domain::invoice::Invoice;
use domain::invoice_state::Approver;
use domain::ledger::{Balances, Purpose};
use domain::notes::{self, Note, NoteKind, Wanted};
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use money::{Cost, Fixed18, Money};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::Seen;

/// A credit note to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditNoteAsked {
    /// Its id: the same note asked for twice is one.
    pub id: String,
    /// The invoice.
    pub number: DocumentNumber,
    /// What it takes back.
    pub lines: Vec<CreditLine>,
    /// Why; it stands on the note.
    pub reason: String,
}

/// What a credit note takes back of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditLine {
    /// Number of the invoice's line.
    pub line: u32,
    /// Before tax; major units of the invoice's currency, above zero, no finer than its minor unit.
    pub amount: Fixed18,
}

/// An invoice to withdraw, or what it is owed to give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// The invoice.
    pub number: DocumentNumber,
    /// Why.
    pub reason: String,
}

/// An invoice that was withdrawn, and the one in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebilled {
    /// What withdrew it.
    pub void: IssuedNote,
    /// What took its place.
    pub invoice: Document,
}

/// An invoice that something is to be done to.
pub(crate) struct Amended {
    pub(crate) billing_account: BillingAccountId,
    pub(crate) invoice: Invoice,
}

/// A payer's books at one version of the ledger.
struct PayerBooks {
    before: Balances,
    sent: Sent,
    /// Lots whose end is booked.
    ended: BTreeSet<LotId>,
    at: Instant,
}

impl Reckoner {
    /// Makes a credit note. The same again changes nothing.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] for the invoice or a line of it;
    /// [`Error::Invalid`] for amounts that cannot be; [`Error::Conflict`] when less is left to take
    /// back, for another note of the same id, and while it waits for a second person.
    #[boxed]
    pub async fn credit_note(
        &self,
        caller: &Caller,
        asked: &CreditNoteAsked,
        request_id: &str,
    ) -> Result<IssuedNote> {
        let CreditNoteAsked { id, number, lines, reason } = asked;
        let amended = self.amended(caller, Action::VoidInvoices, number, reason).await?;
        let Amended { billing_account: account, invoice } = &amended;
        let wanted = lines.iter().map(|line| wanted(line, invoice));
        let wanted = wanted.collect::<Result<Vec<_>>>()?;
        let id = DocumentId::new(&format!("{account}/credit/{}", given(id)?))?;
        let deed = Deed::CreditNote(account.clone(), asked.clone());
        let agreed = self.agreed(caller, deed, request_id).await?;
        let make = |books: &PayerBooks| {
            if let Some(known) = books.sent.notes.iter().find(|note| note.id == id) {
                let is_same =
                    known.amends == invoice.id && known.reason == *reason && taken(known) == wanted;
                return match is_same {
                    true => Ok(None),
                    false => Err(conflict("credit note", &id, "was issued already, and differs")),
                };
            }
            let note = notes::credit_note(id.clone(), invoice, &books.sent.notes, &wanted)?;
            let mut billed = Billed::on(&books.before);
            billed.take_back(note.because(reason), invoice, books.at)?;
            Ok(Some(billed))
        };
        let issue = Issue::by(&agreed.approver()?, self.now());
        let note = self.note(caller, &agreed.told(reason), request_id);
        self.0.book_on(account, &issue, &note, make).await?;
        self.0.issued_note(account, &id).await
    }

    /// Withdraws an invoice by a void note. The same again changes nothing.
    ///
    /// Errors: as [`Reckoner::credit_note`]; [`Error::Conflict`] for one that is void for another
    /// reason; [`Error::Overdrawn`] when what it left in the payer's favour is used up.
    #[boxed]
    pub async fn void_invoice(
        &self,
        caller: &Caller,
        asked: &Withdrawal,
        request_id: &str,
    ) -> Result<IssuedNote> {
        let Withdrawal { number, reason } = asked;
        let amended = self.amended(caller, Action::VoidInvoices, number, reason).await?;
        let Amended { billing_account: account, invoice } = &amended;
        let deed = Deed::Void(account.clone(), asked.clone());
        let agreed = self.agreed(caller, deed, request_id).await?;
        let id = void_id(account, number)?;
        let make = |books: &PayerBooks| {
            if let Some(void) = books.void_of(&invoice.id) {
                return match void.reason == *reason {
                    true => Ok(None),
                    false => {
                        let problem = format!("is void already: {}", void.reason);
                        Err(conflict("invoice", &invoice.id, &problem))
                    }
                };
            }
            books.void(id.clone(), invoice, reason).map(Some)
        };
        let issue = Issue::by(&agreed.approver()?, self.now());
        let note = self.note(caller, &agreed.told(reason), request_id);
        self.0.book_on(account, &issue, &note, make).await?;
        self.0.issued_note(account, &id).await
    }

    /// Withdraws an invoice and puts another in its place, computed from the facts of now, in one
    /// transaction; one that is void gets only that. The same again changes nothing.
    ///
    /// Errors: as [`Reckoner::void_invoice`]; [`Error::Forbidden`] for who may not let invoices go
    /// out where a person has to; [`Error::Conflict`] when nothing is left to bill, or an earlier
    /// one of its part stands.
    #[boxed]
    pub async fn rebill(
        &self,
        caller: &Caller,
        asked: &Withdrawal,
        request_id: &str,
    ) -> Result<Rebilled> {
        let Withdrawal { number, reason } = asked;
        let amended = self.amended(caller, Action::VoidInvoices, number, reason).await?;
        let Amended { billing_account: account, invoice: old } = &amended;
        let declared = self.0.refresh_declared().await?;
        let usage = self.0.account_usage(account, old.period).await?;
        let rows = self.0.rows_of(&usage).await?;
        let (payer, again) = self.0.charged_again(&declared, (account, old.period), &rows).await?;
        if payer.terms.approval == Approval::ByPerson {
            let scope = Scope::Account(account.clone());
            self.demand(caller, Action::IssueInvoices, &scope).await?;
        }
        let deed = Deed::Rebill(account.clone(), asked.clone());
        let agreed = self.agreed(caller, deed, request_id).await?;
        let id = void_id(account, number)?;
        let make = |books: &PayerBooks| {
            if books.replaced(&old.id).is_some() {
                return Ok(None);
            }
            let mut billed = match books.void_of(&old.id) {
                Some(_) => Billed::on(&books.before),
                None => books.void_for_rebill(id.clone(), old, reason)?,
            };
            let mut sent = books.sent.clone();
            sent.notes.extend(billed.notes.iter().cloned());
            let kept = kept_rates(&sent.invoices);
            let new = payer.rebill(old, &sent, &again, &kept, &billed.balances)?;
            billed.issue(new, books.at)?;
            for note in billed.notes.clone() {
                billed.end_again(&note, |lot| books.ended.contains(lot), books.at)?;
            }
            self.0.must_be_unchanged(&declared)?;
            Ok(Some(billed))
        };
        let seen = Seen { company_version: declared.version(), end_sequence: usage.end_sequence };
        let issue = rebill_issue(&payer, &agreed, self.now())?.seen(seen);
        let note = self.note(caller, &agreed.told(reason), request_id);
        self.0.book_on(account, &issue, &note, make).await?;
        self.0.rebilled(account, &old.id).await
    }

    /// The invoice of a number, for who may do something to it.
    ///
    /// Errors: [`Error::NotFound`], also for a note; [`Error::Forbidden`]; [`Error::Invalid`]
    /// without a reason.
    pub(crate) async fn amended(
        &self,
        caller: &Caller,
        action: Action,
        number: &DocumentNumber,
        reason: &str,
    ) -> Result<Amended> {
        let row = self.document_row(caller, action, number).await?;
        if row.kind != INVOICE {
            return Err(Error::not_found("invoice", number.to_string()));
        }
        if reason.trim().is_empty() {
            return Err(Error::invalid("reason", "must not be empty"));
        }
        let billing_account = BillingAccountId::new(&row.billing_account)?;
        Ok(Amended { billing_account, invoice: decode_invoice(&row.body)? })
    }
}

impl PayerBooks {
    fn void_of(&self, id: &DocumentId) -> Option<&Note> {
        let notes = &self.sent.notes;
        notes.iter().find(|note| note.kind == NoteKind::Void && note.amends == *id)
    }

    fn replaced(&self, id: &DocumentId) -> Option<&Invoice> {
        self.sent.invoices.iter().find(|invoice| invoice.replaces.as_ref() == Some(id))
    }

    /// A void note; what lots get back that have ended ends with it.
    fn void(&self, id: DocumentId, invoice: &Invoice, reason: &str) -> Result<Billed> {
        let mut billed = self.void_for_rebill(id, invoice, reason)?;
        for note in billed.notes.clone() {
            billed.end_again(&note, |lot| self.ended.contains(lot), self.at)?;
        }
        Ok(billed)
    }

    /// A void note; what lots get back can pay the invoice that takes the place of this one.
    fn void_for_rebill(&self, id: DocumentId, invoice: &Invoice, reason: &str) -> Result<Billed> {
        let note = notes::void_note(id, invoice, &self.sent.notes)?.because(reason);
        let mut billed = Billed::on(&self.before);
        billed.take_back(note, invoice, self.at)?;
        Ok(billed)
    }
}

impl Inner {
    /// Books what is made of a payer's books as they are now, anew when another writer was faster;
    /// what stands there already is made into nothing.
    async fn book_on(
        self: &Arc<Self>,
        id: &BillingAccountId,
        issue: &Issue,
        note: &store::Note,
        make: impl Fn(&PayerBooks) -> Result<Option<Billed>>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS_MOST {
            let ledger = self.ledger_of(id).await?;
            let before = balances_of(&ledger)?;
            let sent = self.sent_to(id).await?;
            let ended = self.ended_lots(id, &sent).await?;
            let books = PayerBooks { before, sent, ended, at: issue.at() };
            let Some(billed) = make(&books)? else { return Ok(()) };
            let place = (id, BillingPeriod::of(books.at));
            let booking = booking(place, (&ledger, &books.before), &billed, issue)?;
            if self.book(booking, note).await?.is_some() {
                return Ok(());
            }
        }
        Err(Error::Unavailable { problem: format!("the ledger of {id} keeps changing; try again") })
    }

    /// The lots that paid invoices of a payer and whose end is booked.
    async fn ended_lots(
        self: &Arc<Self>,
        id: &BillingAccountId,
        sent: &Sent,
    ) -> Result<BTreeSet<LotId>> {
        let lines = sent.invoices.iter().flat_map(|invoice| &invoice.lines);
        let lots: BTreeSet<LotId> =
            lines.flat_map(|line| &line.paid).map(|part| part.lot.clone()).collect();
        // What an offer grants ends with its billing period, whatever is left of it.
        let (of_offers, others): (Vec<LotId>, Vec<LotId>) = lots.into_iter().partition(is_of_offer);
        let ended = self.lots_booked(id, others, |lot| Purpose::Expiry { lot }).await?;
        Ok(ended.into_keys().chain(of_offers).collect())
    }

    async fn issued_note(
        self: &Arc<Self>,
        account: &BillingAccountId,
        id: &DocumentId,
    ) -> Result<IssuedNote> {
        match self.issued_by_id(account, |row| row.id == id.as_str()).await? {
            Some(Issued::Note(note)) => Ok(*note),
            Some(Issued::Invoice(_)) | None => Err(Error::not_found("note", id.as_str())),
        }
    }

    /// What withdrew an invoice, and what took its place.
    async fn rebilled(
        self: &Arc<Self>,
        account: &BillingAccountId,
        old: &DocumentId,
    ) -> Result<Rebilled> {
        let missing = || Error::not_found("rebill", old.as_str());
        let sent = self.sent_to(account).await?;
        let new = sent.invoices.iter().find(|invoice| invoice.replaces.as_ref() == Some(old));
        let new = new.ok_or_else(missing)?.id.clone();
        let void = |note: &&Note| note.kind == NoteKind::Void && note.amends == *old;
        let void = sent.notes.iter().find(void).ok_or_else(missing)?.id.clone();
        let invoice = self.issued_by_id(account, |row| row.id == new.as_str()).await?;
        match invoice {
            Some(Issued::Invoice(invoice)) => {
                Ok(Rebilled { void: self.issued_note(account, &void).await?, invoice: *invoice })
            }
            Some(Issued::Note(_)) | None => Err(missing()),
        }
    }
}

/// Who agrees to a rebill: the rule of the billing terms, or who asks.
fn rebill_issue(payer: &Payer<'_>, agreed: &Agreed, at: Instant) -> Result<Issue> {
    let approver = match (payer.terms.approval, agreed.has_second()) {
        (Approval::ByRule, false) => Approver::Rule(BY_TERMS.to_owned()),
        (Approval::ByRule | Approval::ByPerson, _) => agreed.approver()?,
    };
    Ok(Issue::by(&approver, at).due(payer.due_until(at)))
}

/// The id of an invoice's void note, of which there is one.
fn void_id(account: &BillingAccountId, number: &DocumentNumber) -> Result<DocumentId> {
    DocumentId::new(&format!("{account}/void/{number}"))
}

/// The id that a caller gives.
fn given(id: &str) -> Result<&str> {
    if id.trim().is_empty() { Err(Error::invalid("id", "must not be empty")) } else { Ok(id) }
}

fn wanted(CreditLine { line, amount }: &CreditLine, invoice: &Invoice) -> Result<Wanted> {
    let cost = Cost { major: *amount, currency: invoice.currency };
    let net = cost.to_money().map_err(|e| Error::money(format!("credit for line {line}"), e))?;
    let places = invoice.currency.exponent();
    let net: Money = net.ok_or_else(|| {
        let problem = format!("{amount} has more than {places} decimal places");
        Error::invalid(format!("line {line}"), problem)
    })?;
    Ok(Wanted { line: *line, net })
}

/// What a note takes back, as it was asked for.
fn taken(note: &Note) -> Vec<Wanted> {
    note.lines.iter().map(|line| Wanted { line: line.amends, net: line.net }).collect()
}

fn conflict(what: &'static str, id: &DocumentId, problem: &str) -> Error {
    Error::Conflict { what, key: id.to_string(), problem: problem.to_owned() }
}
