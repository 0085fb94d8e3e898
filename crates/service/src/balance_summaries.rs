//! The balance of a billing period: what lots held, gained and paid, and what the charges came to.
//!
//! Of a closed period it is a fold of entries and documents. An open one is drafted behind those,
//! as its close would be.

use crate::balances::OpenDrafts;
use crate::bookings::{ATTEMPTS_MOST, balances_of};
use crate::books_check::{BooksChecked, KeptOf};
use crate::closes::period_of;
use crate::declared::Declared;
use crate::documents::INVOICE;
use crate::notes_check::Papers;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::balance_summaries::{BalanceBooks, PeriodBalance, lots_hold};
use domain::encoding::books::{decode_entry, decode_invoice, decode_note};
use domain::ids::{BillingAccountId, DocumentId};
use domain::invoice::Invoice;
use domain::ledger::Entry;
use domain::{Error, Result};
use money::Currency;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{DocumentRow, LedgerState};

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

/// A payer's books by billing period, and the invoices that notes amend.
struct Folded {
    books: BalanceBooks,
    invoices: BTreeMap<DocumentId, Invoice>,
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
        for _ in 0..ATTEMPTS_MOST {
            let ledger = self.0.ledger_of(account).await?;
            let told = self.0.balance_in(&declared, account, &ledger, period, at).await;
            // What was read in parts is of one moment if nothing was booked meanwhile.
            if self.0.ledger_of(account).await?.version == ledger.version {
                return told;
            }
        }
        let problem = format!("the ledger of {account} keeps changing; try again");
        Err(Error::Unavailable { problem })
    }
}

impl Inner {
    async fn balance_in(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        account: &BillingAccountId,
        ledger: &LedgerState,
        period: BillingPeriod,
        at: Instant,
    ) -> Result<BalanceOfPeriod> {
        let missing = || Error::not_found("billing account", account.as_str());
        let currency = declared.company.accounts.get(account).ok_or_else(missing)?.currency;
        let mut balances = balances_of(ledger)?;
        let mut folded = self.balance_folded(account, currency).await?;
        let closed = self.closed_numbers(account).await?;
        let is_final = closed.contains(&period.number());
        if !is_final {
            let granted = self.granted_in(account, declared.company.lots_of(account)).await?;
            let granted = granted.into_keys().collect();
            let open = self.open_periods(&closed, period, at);
            let before = (&balances, granted);
            let drafts = self.open_usage(declared, account, before, &open, at).await?;
            folded.add_drafts(&drafts)?;
            if let Some((_, last)) = drafts.last() {
                balances = last.balances.clone();
            }
        }
        let balance = folded.books.of(period, lots_hold(&balances, currency)?)?;
        if let Some(problem) = balance.problem()? {
            return Err(Error::internal(format!("balance of {account} in {period}"), problem));
        }
        Ok(BalanceOfPeriod { billing_account: account.clone(), at, currency, is_final, balance })
    }

    /// All that was booked of a payer, by billing period.
    async fn balance_folded(
        self: &Arc<Self>,
        account: &BillingAccountId,
        currency: Currency,
    ) -> Result<Folded> {
        let rows = self.rows_sent_to(account).await?;
        let (store, name) = (Arc::clone(&self.store), account.to_string());
        let entries = crate::blocking(move || {
            store.entries(&name, None).map_err(crate::stored("read a ledger"))
        })
        .await?;
        let (books, invoices) = (BalanceBooks::new(currency), BTreeMap::new());
        let mut folded = Folded { books, invoices };
        for row in rows.iter().filter(|row| row.kind == INVOICE) {
            let invoice = decode_invoice(&row.body)?;
            folded.books.add_invoice(period_of(row.period)?, &invoice)?;
            folded.invoices.insert(invoice.id.clone(), invoice);
        }
        for row in rows.iter().filter(|row| row.kind != INVOICE) {
            folded.add_note(period_of(row.period)?, &decode_note(&row.body)?)?;
        }
        for row in &entries {
            folded.books.add_entry(period_of(row.period)?, &decode_entry(&row.body)?)?;
        }
        Ok(folded)
    }

    /// Checks that each closed period of an account ends with what its lots hold by the ledger.
    ///
    /// `entries` are all of its ledger, with the billing period that seals each.
    pub(crate) fn check_balances(
        &self,
        account: &BillingAccountId,
        of: &KeptOf<'_>,
        (papers, entries): (&Papers, &[(i32, Entry)]),
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

impl Folded {
    fn add_note(&mut self, period: BillingPeriod, note: &domain::notes::Note) -> Result<()> {
        let invoice = self.invoices.get(&note.amends);
        let missing = || Error::not_found("invoice", note.amends.as_str());
        self.books.add_note(period, note, invoice.ok_or_else(missing)?)
    }

    /// Adds what open periods come to.
    fn add_drafts(&mut self, drafts: &OpenDrafts) -> Result<()> {
        for (period, billed) in drafts {
            for note in &billed.notes {
                self.add_note(*period, note)?;
            }
            for invoice in &billed.invoices {
                self.books.add_invoice(*period, invoice)?;
            }
            for entry in &billed.entries {
                self.books.add_entry(*period, entry)?;
            }
        }
        Ok(())
    }
}

/// What a payer's documents that can be read, and its entries, come to.
fn booked(
    rows: &[&DocumentRow],
    (papers, entries): (&Papers, &[(i32, Entry)]),
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
