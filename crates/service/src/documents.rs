//! Documents: invoices and notes as they were issued, and where invoices stand.

use crate::bookings::balances_of;
use crate::closes::Told;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::chain::Digest;
use domain::encoding::books::{decode_invoice, decode_note};
use domain::ids::{BillingAccountId, LegalEntityId};
use domain::invoice::Invoice;
use domain::invoice_state::{InvoiceState, Step};
use domain::ledger::{Balances, LedgerAccount};
use domain::notes::{self, Note, NoteKind};
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use money::Money;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{DocumentFilter, DocumentRow};

/// More documents than one account can have.
pub(crate) const EVERY: u64 = 1_000_000_000;
/// The kind of documents that are invoices.
pub(crate) const INVOICE: &str = "invoice";

/// A document as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issued {
    /// An invoice.
    Invoice(Box<Document>),
    /// A note on an invoice.
    Note(Box<IssuedNote>),
}

/// An invoice as it was issued, and where it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its number.
    pub number: DocumentNumber,
    /// What was issued.
    pub invoice: Invoice,
    /// When: business time.
    pub issued_at: Instant,
    /// The first moment at which it is overdue: business time.
    pub due_until: Instant,
    /// Who agreed to it: `person NAME` or `rule NAME`.
    pub approved_by: String,
    /// Where it stands now.
    pub state: InvoiceState,
    /// What it is still owed, in minor units.
    pub owed: Money,
    /// What was written off of it and nobody has paid since, in minor units.
    pub written_off: Money,
    /// The notes on it, in the order of their numbers.
    pub notes: Vec<IssuedNote>,
    /// What a credit note can still take back of each line, before tax; nothing of a void invoice.
    pub creditable: BTreeMap<u32, Money>,
    /// The digest of its canonical bytes.
    pub digest: Digest,
}

/// A note as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedNote {
    /// Its number.
    pub number: DocumentNumber,
    /// What was issued.
    pub note: Note,
    /// The number of the invoice that it amends.
    pub amends: DocumentNumber,
    /// The billing period that it was issued in.
    pub period: BillingPeriod,
    /// When: business time.
    pub issued_at: Instant,
    /// Who agreed to it: `person NAME` or `rule NAME`.
    pub approved_by: String,
    /// The digest of its canonical bytes.
    pub digest: Digest,
}

/// Which documents.
#[derive(Debug, Clone, Default)]
pub struct DocumentsAsked {
    /// Only those of one billing account.
    pub billing_account: Option<BillingAccountId>,
    /// Only those that the close of one billing period seals: its invoices, and notes and rebills
    /// that were issued in it.
    pub period: Option<BillingPeriod>,
}

impl Reckoner {
    /// Lists up to `limit` invoices, by billing period and number.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for an account that the caller may not
    /// see.
    #[boxed]
    pub async fn documents(
        &self,
        caller: &Caller,
        asked: &DocumentsAsked,
        limit: u64,
    ) -> Result<Vec<Document>> {
        let all = self.issued_of(caller, asked, Some(INVOICE), limit).await?;
        let invoice = |one| match one {
            Issued::Invoice(document) => Some(*document),
            Issued::Note(_) => None,
        };
        Ok(all.into_iter().filter_map(invoice).collect())
    }

    /// Lists up to `limit` invoices and notes, by billing period and number.
    ///
    /// Errors: as [`Reckoner::documents`].
    #[boxed]
    pub async fn issued(
        &self,
        caller: &Caller,
        asked: &DocumentsAsked,
        limit: u64,
    ) -> Result<Vec<Issued>> {
        self.issued_of(caller, asked, None, limit).await
    }

    async fn issued_of(
        &self,
        caller: &Caller,
        asked: &DocumentsAsked,
        kind: Option<&'static str>,
        limit: u64,
    ) -> Result<Vec<Issued>> {
        let account = asked.billing_account.clone();
        let scope = account.clone().map_or(Scope::Installation, Scope::Account);
        self.demand(caller, Action::ReadInvoices, &scope).await?;
        let filter = DocumentFilter {
            billing_account: account.map(|account| account.to_string()),
            period: asked.period.map(BillingPeriod::number),
            kind,
            issued: None,
        };
        let rows = self.0.document_rows(filter, limit).await?;
        let mut files = BTreeMap::new();
        let mut documents = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = BillingAccountId::new(&row.billing_account)?;
            if !files.contains_key(&id) {
                files.insert(id.clone(), self.0.file_of(&id).await?);
            }
            documents.extend(files.get(&id).map(|file| self.0.shown(row, file)).transpose()?);
        }
        Ok(documents)
    }

    /// The invoice of a number.
    ///
    /// Errors: [`Error::NotFound`], also for a note, and for one of an account that the caller may
    /// not see; [`Error::Forbidden`].
    #[boxed]
    pub async fn document(&self, caller: &Caller, number: &DocumentNumber) -> Result<Document> {
        match self.issued_one(caller, number).await? {
            Issued::Invoice(document) => Ok(*document),
            Issued::Note(_) => Err(Error::not_found("invoice", number.to_string())),
        }
    }

    /// The invoice or note of a number.
    ///
    /// Errors: [`Error::NotFound`], also for one of an account that the caller may not see;
    /// [`Error::Forbidden`].
    #[boxed]
    pub async fn issued_one(&self, caller: &Caller, number: &DocumentNumber) -> Result<Issued> {
        let row = self.document_row(caller, Action::ReadInvoices, number).await?;
        let file = self.0.file_of(&BillingAccountId::new(&row.billing_account)?).await?;
        self.0.shown(&row, &file)
    }

    /// The document of a number, for who may do something with it.
    ///
    /// Errors: as [`Reckoner::issued_one`].
    pub(crate) async fn document_row(
        &self,
        caller: &Caller,
        action: Action,
        number: &DocumentNumber,
    ) -> Result<DocumentRow> {
        let row = self.0.row_of(number).await?;
        let missing = || Error::not_found("document", number.to_string());
        let row = row.ok_or_else(missing)?;
        let scope = Scope::Account(BillingAccountId::new(&row.billing_account)?);
        // Foreign and missing look the same from outside.
        let allowed = self.demand(caller, action, &scope).await;
        allowed.map_err(|error| match error {
            Error::NotFound { .. } => missing(),
            other => other,
        })?;
        Ok(row)
    }
}

/// Everything that shows how some of a payer's invoices stand.
pub(crate) struct File {
    /// Their numbers, by id.
    numbers: BTreeMap<String, DocumentNumber>,
    /// The notes on them, by the invoice's id.
    notes: BTreeMap<String, Vec<DocumentRow>>,
    /// What the payer's ledger holds.
    balances: Balances,
}

impl File {
    /// Of invoices and the notes on them.
    pub(crate) fn of(
        invoices: &[DocumentRow],
        notes: Vec<DocumentRow>,
        balances: Balances,
    ) -> Result<File> {
        let numbers = invoices.iter().map(|row| Ok((row.id.clone(), number_of(row)?)));
        let numbers = numbers.collect::<Result<BTreeMap<_, _>>>()?;
        let mut by_invoice: BTreeMap<String, Vec<DocumentRow>> = BTreeMap::new();
        for note in notes {
            by_invoice.entry(note.amends.clone()).or_default().push(note);
        }
        Ok(File { numbers, notes: by_invoice, balances })
    }

    /// The notes on an invoice, in the order of their numbers.
    fn notes_on(&self, id: &str) -> Result<Vec<IssuedNote>> {
        let rows = self.notes.get(id).into_iter().flatten();
        let mut notes = rows.map(|row| self.note(row)).collect::<Result<Vec<_>>>()?;
        notes.sort_by(|a, b| a.number.cmp(&b.number));
        Ok(notes)
    }

    fn note(&self, row: &DocumentRow) -> Result<IssuedNote> {
        let amends = self.numbers.get(&row.amends).cloned();
        Ok(IssuedNote {
            number: number_of(row)?,
            note: decode_note(&row.body)?,
            amends: amends.ok_or_else(|| Error::not_found("document", row.amends.clone()))?,
            period: crate::closes::period_of(row.period)?,
            issued_at: row.issued_at,
            approved_by: row.approved_by.clone(),
            digest: Digest::from_bytes(row.digest),
        })
    }

    /// An invoice as it stands now.
    pub(crate) fn invoice(&self, row: &DocumentRow, now: Instant) -> Result<Document> {
        let invoice = decode_invoice(&row.body)?;
        let held = |account| self.balances.of(&account, invoice.currency);
        let owed = held(LedgerAccount::Receivable(invoice.id.clone()));
        let written_off = held(LedgerAccount::WriteOff(invoice.id.clone()));
        let notes = self.notes_on(&row.id)?;
        let is_void = notes.iter().any(|issued| issued.note.kind == NoteKind::Void);
        let earlier: Vec<Note> = notes.iter().map(|issued| issued.note.clone()).collect();
        let creditable =
            if is_void { BTreeMap::new() } else { notes::creditable(&invoice, &earlier)? };
        let state = state_of(row, owed, now)?;
        Ok(Document {
            number: number_of(row)?,
            state: if is_void { state.after(Step::Void, &row.id)? } else { state },
            issued_at: row.issued_at,
            due_until: row.due_until,
            approved_by: row.approved_by.clone(),
            owed,
            written_off,
            notes,
            creditable,
            digest: Digest::from_bytes(row.digest),
            invoice,
        })
    }
}

impl Inner {
    pub(crate) async fn document_rows(
        self: &Arc<Self>,
        filter: DocumentFilter,
        limit: u64,
    ) -> Result<Vec<DocumentRow>> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            store.documents(&filter, limit).map_err(crate::stored("read the documents"))
        })
        .await
    }

    /// Every document that a payer was sent.
    pub(crate) async fn rows_sent_to(
        self: &Arc<Self>,
        id: &BillingAccountId,
    ) -> Result<Vec<DocumentRow>> {
        let billing_account = Some(id.to_string());
        self.document_rows(DocumentFilter { billing_account, ..Default::default() }, EVERY).await
    }

    /// An account's documents that the close of a billing period issued, in short.
    pub(crate) async fn told_of(
        self: &Arc<Self>,
        id: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<Vec<Told>> {
        let billing_account = Some(id.to_string());
        let filter =
            DocumentFilter { billing_account, period: Some(period.number()), ..Default::default() };
        let rows = self.document_rows(filter, EVERY).await?;
        // What is issued while a period goes on is no work of its close.
        let of_close = rows.iter().filter(|row| period.end() <= row.issued_at);
        let told = |row: &DocumentRow| {
            let (id, total) = match row.kind.as_str() {
                INVOICE => {
                    let invoice = decode_invoice(&row.body)?;
                    (invoice.id.clone(), invoice.totals()?.total)
                }
                _ => {
                    let note = decode_note(&row.body)?;
                    (note.id.clone(), note.due()?)
                }
            };
            Ok(Told { id, number: Some(number_of(row)?), total, state: None })
        };
        of_close.map(told).collect()
    }

    async fn file_of(self: &Arc<Self>, id: &BillingAccountId) -> Result<File> {
        let rows = self.rows_sent_to(id).await?;
        self.file_with(id, rows).await
    }

    async fn file_with(
        self: &Arc<Self>,
        id: &BillingAccountId,
        rows: Vec<DocumentRow>,
    ) -> Result<File> {
        let (invoices, notes) = rows.into_iter().partition::<Vec<_>, _>(|row| row.kind == INVOICE);
        File::of(&invoices, notes, balances_of(&self.ledger_of(id).await?)?)
    }

    /// The first of a payer's documents that is meant.
    pub(crate) async fn issued_by_id(
        self: &Arc<Self>,
        account: &BillingAccountId,
        is_meant: impl Fn(&DocumentRow) -> bool,
    ) -> Result<Option<Issued>> {
        let rows = self.rows_sent_to(account).await?;
        let Some(row) = rows.iter().find(|row| is_meant(row)).cloned() else { return Ok(None) };
        let file = self.file_with(account, rows).await?;
        self.shown(&row, &file).map(Some)
    }

    fn shown(&self, row: &DocumentRow, file: &File) -> Result<Issued> {
        match row.kind.as_str() {
            INVOICE => {
                let document = file.invoice(row, self.clocks.business.now())?;
                Ok(Issued::Invoice(Box::new(document)))
            }
            _ => Ok(Issued::Note(Box::new(file.note(row)?))),
        }
    }
}

/// The steps that time and money have made due, one after the other.
fn state_of(row: &DocumentRow, owed: Money, now: Instant) -> Result<InvoiceState> {
    let mut state = InvoiceState::Due;
    while let Some(step) = state.pending(owed, row.due_until, now) {
        state = state.after(step, &row.id)?;
    }
    Ok(state)
}

/// A document's number.
pub(crate) fn number_of(row: &DocumentRow) -> Result<DocumentNumber> {
    Ok(DocumentNumber { seller: LegalEntityId::new(&row.seller)?, sequence: row.sequence })
}
