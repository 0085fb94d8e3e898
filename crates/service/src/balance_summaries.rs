//! The balance of a billing period: what lots held, gained and paid, and what the charges came to.
//!
//! Of a closed period it is a fold of entries and documents. An open one is drafted behind those,
//! as its close would be.

use crate::account_closes::keeps_changing;
use crate::balances::Draft;
use crate::bookings::{ATTEMPTS_MOST, balances_of};
use crate::books_check::{BooksChecked, KeptOf};
use crate::closes::period_of;
use crate::declared::Declared;
use crate::documents::{EVERY, INVOICE, number_of};
use crate::invoice_told::number_in;
use crate::notes_check;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::balance_summaries::{BalanceBooks, PeriodBalance, lots_hold};
use domain::encoding::books::{decode_entry, decode_invoice, decode_note};
use domain::ids::{BillingAccountId, DocumentId};
use domain::invoice::Invoice;
use domain::ledger::Entry;
use domain::notes::Note;
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use money::Currency;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{DocumentFilter, DocumentRow, LedgerState};

/// What a billing account's lots did in a billing period, and what its charges came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceOfPeriod {
    /// Whose.
    pub billing_account: BillingAccountId,
    /// When it was asked: business time.
    pub at: Instant,
    /// Of every amount.
    pub currency: Currency,
    /// Whether the period is closed for the account; else it is current to the last record.
    pub is_final: bool,
    /// The sums, and what they are made of.
    pub balance: PeriodBalance,
}

/// What a payer's billing period came to: its balance, and the documents that are behind it.
pub(crate) struct PeriodBooks {
    pub(crate) told: BalanceOfPeriod,
    /// What its close issued, and what was issued while it went on; drafts have no number.
    pub(crate) invoices: Vec<(Option<DocumentNumber>, Invoice)>,
    pub(crate) notes: Vec<(Option<DocumentNumber>, Note)>,
    /// The invoices that the notes amend.
    pub(crate) amended: BTreeMap<DocumentId, Invoice>,
    /// The draft, of an open one; none where nothing is to be drafted.
    pub(crate) draft: Option<Draft>,
}

/// Documents of a billing period.
#[derive(Default)]
struct Papers {
    invoices: Vec<(Option<DocumentNumber>, Invoice)>,
    notes: Vec<(Option<DocumentNumber>, Note)>,
    amended: BTreeMap<DocumentId, Invoice>,
}

impl Reckoner {
    /// An account's balance of a billing period. It begins with what the period before ended with,
    /// whatever was closed when.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for an account that the caller may not
    /// see; [`Error::Invalid`] for a period that has not begun; what keeps an open period from
    /// being drafted; [`Error::Internal`] when documents and ledger do not agree.
    #[boxed]
    pub async fn balance_of_period(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<BalanceOfPeriod> {
        self.demand(caller, Action::ReadBalance, &Scope::Account(account.clone())).await?;
        let at = self.now();
        if at < period.start() {
            let newest = BillingPeriod::of(at);
            let problem = format!("{period} has not begun; ask for {newest} or earlier");
            return Err(Error::invalid("period", problem));
        }
        let declared = self.0.refresh_declared().await?;
        Ok(self.0.period_books(&declared, account, period, at).await?.told)
    }
}

impl Inner {
    /// What a billing period of an account came to, at one version of its ledger.
    ///
    /// Errors: as [`Reckoner::balance_of_period`]; [`Error::Unavailable`] while that changes.
    pub(crate) async fn period_books(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        account: &BillingAccountId,
        period: BillingPeriod,
        at: Instant,
    ) -> Result<PeriodBooks> {
        for _ in 0..ATTEMPTS_MOST {
            let ledger = self.ledger_of(account).await?;
            let read = self.books_in(declared, account, &ledger, (period, at)).await;
            // What was read in parts is of one moment if nothing was booked meanwhile.
            if self.ledger_of(account).await?.version == ledger.version {
                return read;
            }
        }
        Err(keeps_changing(account))
    }

    async fn books_in(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        account: &BillingAccountId,
        ledger: &LedgerState,
        (period, at): (BillingPeriod, Instant),
    ) -> Result<PeriodBooks> {
        let missing = || Error::not_found("billing account", account.as_str());
        let currency = declared.company.accounts.get(account).ok_or_else(missing)?.currency;
        let mut balances = balances_of(ledger)?;
        let mut books = self.entries_folded(account, currency).await?;
        let mut papers = self.papers_of(account, period).await?;
        let closed = self.closed_numbers(account).await?;
        let is_final = closed.contains(&period.number());
        let mut draft = None;
        if !is_final {
            let granted = self.granted_in(account, declared.company.lots_of(account)).await?;
            let granted = granted.into_keys().collect();
            let open = self.open_periods(&closed, period, at);
            let before = (&balances, granted);
            let drafts = self.open_usage(declared, account, before, &open, at).await?;
            for one in drafts {
                for entry in &one.billed.entries {
                    books.add_entry(one.period, entry)?;
                }
                balances = one.billed.balances.clone();
                draft = Some(one).filter(|one| one.period == period);
            }
        }
        if let Some(Draft { billed, .. }) = &draft {
            papers.invoices.extend(billed.invoices.iter().map(|one| (None, one.clone())));
            papers.notes.extend(billed.notes.iter().map(|one| (None, one.clone())));
        }
        self.find_amended(account, &mut papers).await?;
        papers.fold(&mut books, period)?;
        let balance = books.of(period, lots_hold(&balances, currency)?)?;
        if let Some(problem) = balance.problem()? {
            return Err(Error::internal(format!("balance of {account} in {period}"), problem));
        }
        let told =
            BalanceOfPeriod { billing_account: account.clone(), at, currency, is_final, balance };
        let Papers { invoices, notes, amended } = papers;
        Ok(PeriodBooks { told, invoices, notes, amended, draft })
    }

    /// All that a payer's ledger says of lots, by billing period.
    async fn entries_folded(
        self: &Arc<Self>,
        account: &BillingAccountId,
        currency: Currency,
    ) -> Result<BalanceBooks> {
        let (store, name) = (Arc::clone(&self.store), account.to_string());
        crate::blocking(move || {
            let mut books = BalanceBooks::new(currency);
            for row in store.entries(&name, None).map_err(crate::stored("read a ledger"))? {
                books.add_entry(period_of(row.period)?, &decode_entry(&row.body)?)?;
            }
            Ok(books)
        })
        .await
    }

    /// The documents that a payer was issued in a billing period, or by its close.
    async fn papers_of(
        self: &Arc<Self>,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<Papers> {
        let billing_account = Some(account.to_string());
        let period = Some(period.number());
        let filter = DocumentFilter { billing_account, period, ..Default::default() };
        let rows = self.document_rows(filter, EVERY).await?;
        crate::blocking(move || {
            let mut papers = Papers::default();
            for row in &rows {
                let number = Some(number_of(row)?);
                match row.kind.as_str() {
                    INVOICE => papers.invoices.push((number, decode_invoice(&row.body)?)),
                    _ => papers.notes.push((number, decode_note(&row.body)?)),
                }
            }
            Ok(papers)
        })
        .await
    }

    /// Reads the invoices that notes amend, one by one.
    async fn find_amended(
        self: &Arc<Self>,
        account: &BillingAccountId,
        papers: &mut Papers,
    ) -> Result<()> {
        if papers.notes.is_empty() {
            return Ok(());
        }
        let heads = self.heads_of(account).await?;
        for (_, note) in &papers.notes {
            if papers.amended.contains_key(&note.amends) {
                continue;
            }
            let missing = || Error::not_found("invoice", note.amends.as_str());
            let head = heads.iter().find(|head| head.id == note.amends.as_str());
            let number = number_in(head.ok_or_else(missing)?)?;
            let invoice = self.issued_invoice(account, &number).await?.ok_or_else(missing)?;
            papers.amended.insert(note.amends.clone(), invoice);
        }
        Ok(())
    }

    /// Checks that each closed period of an account ends with what its lots hold by the ledger.
    ///
    /// `entries` are all of its ledger, with the billing period that seals each.
    pub(crate) fn check_balances(
        &self,
        account: &BillingAccountId,
        of: &KeptOf<'_>,
        (papers, entries): (&notes_check::Papers, &[(i32, Entry)]),
        checked: &mut BooksChecked,
    ) {
        let declared = self.declared();
        let known = declared.company.accounts.get(account);
        let Some(currency) = known.map(|account| account.currency) else {
            let problem = format!("ledger of {account}: there is no such billing account");
            checked.problems.push(problem);
            return;
        };
        let books = match booked(&of.documents, (papers, entries), currency) {
            Ok(books) => books,
            Err(error) => {
                checked.problems.push(format!("balance of {account}: {error}"));
                return;
            }
        };
        for number in &of.closed {
            let problem = period_of(*number).and_then(|period| {
                let problem = books.of(period, books.held()?)?.problem()?;
                Ok(problem.map(|problem| format!("balance of {account} in {period}: {problem}")))
            });
            let untold = |error| Some(format!("balance of {account}: {error}"));
            checked.problems.extend(problem.unwrap_or_else(untold));
        }
    }
}

impl Papers {
    /// Adds what a billing period's documents come to.
    fn fold(&self, books: &mut BalanceBooks, period: BillingPeriod) -> Result<()> {
        for (_, invoice) in &self.invoices {
            books.add_invoice(period, invoice)?;
        }
        for (_, note) in &self.notes {
            let missing = || Error::not_found("invoice", note.amends.as_str());
            books.add_note(period, note, self.amended.get(&note.amends).ok_or_else(missing)?)?;
        }
        Ok(())
    }
}

/// What a payer's documents that can be read, and its entries, come to.
fn booked(
    rows: &[&DocumentRow],
    (papers, entries): (&notes_check::Papers, &[(i32, Entry)]),
    currency: Currency,
) -> Result<BalanceBooks> {
    let mut books = BalanceBooks::new(currency);
    for row in rows {
        let period = period_of(row.period)?;
        if let Some(invoice) = papers.invoices.get(&row.id) {
            books.add_invoice(period, invoice)?;
        }
        let amended = papers.invoices.get(&row.amends);
        if let (Some(note), Some(invoice)) = (papers.notes.get(&row.id), amended) {
            books.add_note(period, note, invoice)?;
        }
    }
    for (number, entry) in entries {
        books.add_entry(period_of(*number)?, entry)?;
    }
    Ok(books)
}
