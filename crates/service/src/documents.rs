//! Documents: invoices as they were issued, and where they stand.

use crate::bookings::balances_of;
use crate::closes::Told;
use crate::{Inner, Reckoner};
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::chain::Digest;
use domain::encoding::books::decode_invoice;
use domain::ids::{BillingAccountId, LegalEntityId};
use domain::invoice::Invoice;
use domain::invoice_state::InvoiceState;
use domain::ledger::{Balances, LedgerAccount};
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use money::Money;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{DocumentFilter, DocumentRow};

/// More documents than one account can have.
pub(crate) const EVERY: u64 = 1_000_000_000;

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
    /// The digest of its canonical bytes.
    pub digest: Digest,
}

/// Which documents.
#[derive(Debug, Clone, Default)]
pub struct DocumentsAsked {
    /// Only those of one billing account.
    pub billing_account: Option<BillingAccountId>,
    /// Only those of one billing period.
    pub period: Option<BillingPeriod>,
}

impl Reckoner {
    /// Lists up to `limit` invoices, by billing period and number.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for an account that the caller may not
    /// see.
    pub async fn documents(
        &self,
        caller: &Caller,
        asked: &DocumentsAsked,
        limit: u64,
    ) -> Result<Vec<Document>> {
        let account = asked.billing_account.clone();
        let scope = account.clone().map_or(Scope::Installation, Scope::Account);
        self.demand(caller, Action::ReadInvoices, &scope).await?;
        let filter = DocumentFilter {
            billing_account: account.map(|account| account.to_string()),
            period: asked.period.map(BillingPeriod::number),
        };
        let rows = self.0.document_rows(filter, limit).await?;
        let mut ledgers = BTreeMap::new();
        let mut documents = Vec::with_capacity(rows.len());
        for row in rows {
            documents.push(self.0.document(row, &mut ledgers).await?);
        }
        Ok(documents)
    }

    /// The invoice of a number.
    ///
    /// Errors: [`Error::NotFound`], also for one of an account that the caller may not see;
    /// [`Error::Forbidden`].
    pub async fn document(&self, caller: &Caller, number: &DocumentNumber) -> Result<Document> {
        let (store, asked) = (Arc::clone(&self.0.store), number.clone());
        let row = crate::blocking(move || {
            let found = store.document(asked.seller.as_str(), asked.sequence);
            found.map_err(crate::stored("read a document"))
        })
        .await?;
        let missing = || Error::not_found("document", number.to_string());
        let row = row.ok_or_else(missing)?;
        let scope = Scope::Account(BillingAccountId::new(&row.billing_account)?);
        // Foreign and missing look the same from outside.
        let allowed = self.demand(caller, Action::ReadInvoices, &scope).await;
        allowed.map_err(|error| match error {
            Error::NotFound { .. } => missing(),
            other => other,
        })?;
        self.0.document(row, &mut BTreeMap::new()).await
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

    /// Every invoice that a payer was sent, oldest first.
    pub(crate) async fn invoices_of(
        self: &Arc<Self>,
        id: &BillingAccountId,
    ) -> Result<Vec<Invoice>> {
        let filter =
            DocumentFilter { billing_account: Some(id.to_string()), ..DocumentFilter::default() };
        let rows = self.document_rows(filter, EVERY).await?;
        rows.iter().map(|row| decode_invoice(&row.body)).collect()
    }

    /// An account's documents of a billing period, in short.
    pub(crate) async fn told_of(
        self: &Arc<Self>,
        id: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<Vec<Told>> {
        let filter =
            DocumentFilter { billing_account: Some(id.to_string()), period: Some(period.number()) };
        let rows = self.document_rows(filter, EVERY).await?;
        let told = |row: &DocumentRow| {
            let invoice = decode_invoice(&row.body)?;
            let (id, total) = (invoice.id.clone(), invoice.totals()?.total);
            Ok(Told { id, number: Some(number_of(row)?), total })
        };
        rows.iter().map(told).collect()
    }

    /// Reads a document; `ledgers` are those that were read before.
    async fn document(
        self: &Arc<Self>,
        row: DocumentRow,
        ledgers: &mut BTreeMap<BillingAccountId, Balances>,
    ) -> Result<Document> {
        let invoice = decode_invoice(&row.body)?;
        let payer = &invoice.billing_account;
        if !ledgers.contains_key(payer) {
            let balances = balances_of(&self.ledger_of(payer).await?)?;
            ledgers.insert(payer.clone(), balances);
        }
        let receivable = LedgerAccount::Receivable(invoice.id.clone());
        let owed = ledgers.get(payer).map(|balances| balances.of(&receivable, invoice.currency));
        let owed = owed.unwrap_or(Money::zero(invoice.currency));
        Ok(Document {
            number: number_of(&row)?,
            state: state_of(&row, owed, self.clocks.business.now())?,
            issued_at: row.issued_at,
            due_until: row.due_until,
            approved_by: row.approved_by,
            owed,
            digest: Digest::from_bytes(row.digest),
            invoice,
        })
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
