//! Bookings: what closing an account writes into its books, in one transaction.

use crate::Inner;
use crate::account_usage::{AccountUsage, digest_of};
use crate::closes::{CloseMode, Drafts, Outcome, Run, Told, period_of};
use crate::declared::Declared;
use calendar::BillingPeriod;
use domain::chain::{Digest, entries_digest};
use domain::closes::{Billed, Part, Payer};
use domain::correction::Correction;
use domain::credits::Lot;
use domain::encoding::books::{decode_entry, encode_entry, encode_invoice, purpose_key};
use domain::ids::BillingAccountId;
use domain::invoice::{ExchangeRate, Invoice};
use domain::invoice_state::Approver;
use domain::ledger::{Balances, Entry, LedgerAccount, Purpose};
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use money::{Currency, Money, MoneyError};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{
    AccountClose, Balance, Booked, Booking, CloseState, LedgerState, NewDocument, NewEntry, Note,
    StoreError,
};

/// How often a booking is made anew because another writer changed the ledger meanwhile.
pub(crate) const ATTEMPTS_MOST: u32 = 10;
/// The name of the rule by which billing terms approve drafts.
const BY_TERMS: &str = "billing terms";

impl Inner {
    /// Turns an account's usage into documents and entries, and closes the account's period.
    pub(crate) async fn bill(
        self: &Arc<Self>,
        run: &Run<'_>,
        id: &BillingAccountId,
        usage: &AccountUsage,
    ) -> Result<Outcome> {
        let company = &run.declared.company;
        let payer = Payer::of(company, id, run.asked.period)?;
        let rows = self.rows_of(usage).await?;
        let mut charges = payer.charges(&rows, company.lots_of(id))?;
        let invoices = self.invoices_of(id).await?;
        for (part, late) in self.uncorrected(&run.declared, id, &invoices).await?.values().flatten()
        {
            let (key, cost) = late.charge();
            charges.add(part.clone(), key, cost)?;
        }
        let (kept, row_count) = (kept_rates(&invoices), rows.len() as u64);
        let rows_digest = digest_of(rows)?;
        for _ in 0..ATTEMPTS_MOST {
            let ledger = self.ledger_of(id).await?;
            let before = balances_of(&ledger)?;
            let granted = self.granted_in(id, company.lots_of(id)).await?;
            let grants = payer.lots_to_grant(|lot| granted.contains_key(&lot.id));
            let billed = payer.bill(&charges, &kept, &grants, &before, run.at)?;
            if run.asked.mode == CloseMode::DryRun {
                let documents = told(&billed.invoices, None)?;
                return Ok(Outcome::WouldClose { documents });
            }
            let Some(approver) = approver(run, &payer, &billed)? else {
                let reason = "approval: its drafts wait for a person".to_owned();
                return Ok(Outcome::Waits { reason });
            };
            let close = AccountClose {
                at: run.at,
                company_version: run.declared.version(),
                end_sequence: usage.end_sequence,
                row_count,
                rows_digest: *rows_digest.as_bytes(),
                entries_digest: *self.entries_digest(&payer, &billed).await?.as_bytes(),
            };
            self.must_be_unchanged(run)?;
            let booking = booking(&payer, &billed, (&ledger, &before), (&approver, close))?;
            if let Some(booked) = self.book(booking, &run.note).await? {
                let documents = told(&billed.invoices, Some(&booked))?;
                return Ok(Outcome::Closed { documents });
            }
            if let Some(closed_before) = self.closed_before(id, run.asked.period).await? {
                return Ok(closed_before);
            }
        }
        Err(Error::Unavailable { problem: format!("the ledger of {id} keeps changing; try again") })
    }

    /// Refuses to go on when something was declared since the run began: usage may have been rated
    /// by it. What is closed already stays so.
    fn must_be_unchanged(&self, run: &Run<'_>) -> Result<()> {
        if self.declared().version() == run.declared.version() {
            return Ok(());
        }
        let problem = "something was declared while the period was closed; close it again";
        Err(Error::Unavailable { problem: problem.to_owned() })
    }

    /// What an account's closed billing periods are short of, or have too much: late usage, and
    /// facts that came after the close, that no invoice has corrected yet.
    pub(crate) async fn uncorrected(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        id: &BillingAccountId,
        invoices: &[Invoice],
    ) -> Result<BTreeMap<BillingPeriod, Vec<(Part, Correction)>>> {
        let mut all = BTreeMap::new();
        for row in self.closes_of(id).await? {
            let CloseState::Closed { closed, link: _ } = &row.state else { continue };
            let period = period_of(row.period)?;
            let usage = self.account_usage(id, period).await?;
            let is_same_usage = usage.end_sequence == closed.end_sequence;
            if is_same_usage && declared.version() == closed.company_version {
                continue;
            }
            let payer = Payer::of(&declared.company, id, period)?;
            let granted = self.granted_in(id, declared.company.lots_of(id)).await?;
            // Lines stay cut as they were: lots that came later cut nothing.
            let was_there = |lot: &&Lot| granted.get(&lot.id).is_some_and(|of| *of <= row.period);
            let lots = declared.company.lots_of(id).iter().filter(was_there).cloned();
            let charges = payer.charges(&self.rows_of(&usage).await?, &lots.collect::<Vec<_>>())?;
            let corrections = payer.corrections(invoices, &charges)?;
            if !corrections.is_empty() {
                all.insert(period, corrections);
            }
        }
        Ok(all)
    }

    /// The lots that were granted, with the billing period that their grant was booked in.
    async fn granted_in(
        self: &Arc<Self>,
        id: &BillingAccountId,
        lots: &[Lot],
    ) -> Result<BTreeMap<domain::ids::LotId, i32>> {
        if lots.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<_> = lots.iter().map(|lot| lot.id.clone()).collect();
        let key = |lot: &domain::ids::LotId| purpose_key(&Purpose::Grant { lot: lot.clone() });
        let purposes: Vec<Vec<u8>> = ids.iter().map(key).collect();
        let (store, id) = (Arc::clone(&self.store), id.clone());
        let periods = crate::blocking(move || {
            let booked = store.booked_in(id.as_str(), &purposes);
            booked.map_err(crate::stored("read a ledger"))
        })
        .await?;
        Ok(ids.into_iter().zip(periods).filter_map(|(lot, period)| Some((lot, period?))).collect())
    }

    /// The digest of all entries of a period: those of before, and those that are made now.
    async fn entries_digest(
        self: &Arc<Self>,
        payer: &Payer<'_>,
        billed: &Billed,
    ) -> Result<Digest> {
        let (store, id) = (Arc::clone(&self.store), payer.account.id.clone());
        let period = payer.period.number();
        let rows = crate::blocking(move || {
            store.entries(id.as_str(), Some(period)).map_err(crate::stored("read a ledger"))
        })
        .await?;
        let before = rows.iter().map(|row| decode_entry(&row.body));
        let mut entries: Vec<Entry> = before.collect::<Result<_>>()?;
        entries.extend(billed.entries.iter().cloned());
        entries.sort_by(|a, b| a.purpose().cmp(b.purpose()));
        entries_digest(&entries)
    }

    /// One payer's ledger.
    pub(crate) async fn ledger_of(self: &Arc<Self>, id: &BillingAccountId) -> Result<LedgerState> {
        let (store, id) = (Arc::clone(&self.store), id.clone());
        crate::blocking(move || store.ledger(id.as_str()).map_err(crate::stored("read a ledger")))
            .await
    }

    /// Books; gives nothing when another writer was faster.
    pub(crate) async fn book(
        self: &Arc<Self>,
        booking: Booking,
        note: &Note,
    ) -> Result<Option<Booked>> {
        let (store, note) = (Arc::clone(&self.store), note.clone());
        crate::blocking(move || match store.book(&booking, &note) {
            Ok(booked) => Ok(Some(booked)),
            Err(StoreError::Stale { .. }) => Ok(None),
            Err(error) => Err(crate::stored("book")(error)),
        })
        .await
    }
}

/// Who agrees to the drafts; nobody yet if none.
fn approver(run: &Run<'_>, payer: &Payer<'_>, billed: &Billed) -> Result<Option<Approver>> {
    use domain::billing_terms::Approval;
    let by_rule = Approver::Rule(BY_TERMS.to_owned());
    match (payer.terms.approval, run.asked.drafts) {
        _ if billed.invoices.is_empty() => Ok(Some(by_rule)),
        (Approval::ByRule, _) => Ok(Some(by_rule)),
        (Approval::ByPerson, Drafts::Wait) => Ok(None),
        (Approval::ByPerson, Drafts::GoOut) => {
            let person = domain::ids::PrincipalId::new(&run.note.actor)?;
            Ok(Some(Approver::Person(person)))
        }
    }
}

fn booking(
    payer: &Payer<'_>,
    billed: &Billed,
    (ledger, before): (&LedgerState, &Balances),
    (approver, close): (&Approver, AccountClose),
) -> Result<Booking> {
    let Billed { invoices, entries, balances: after } = billed;
    let document = |invoice: &Invoice| NewDocument {
        id: invoice.id.to_string(),
        kind: "invoice".to_owned(),
        amends: String::new(),
        seller: invoice.seller.to_string(),
        issued_at: close.at,
        due_until: payer.due_until(close.at),
        approved_by: match approver {
            Approver::Person(person) => format!("person {person}"),
            Approver::Rule(rule) => format!("rule {rule}"),
        },
        body: encode_invoice(invoice),
    };
    let entry = |entry: &Entry| NewEntry {
        purpose: purpose_key(entry.purpose()),
        body: encode_entry(entry),
    };
    Ok(Booking {
        billing_account: payer.account.id.to_string(),
        version: ledger.version,
        period: payer.period.number(),
        entries: entries.iter().map(entry).collect(),
        balances: changed(before, after)?,
        documents: invoices.iter().map(document).collect(),
        closed: Some(close),
    })
}

/// What ledger accounts hold that have changed.
pub(crate) fn changed(before: &Balances, after: &Balances) -> Result<Vec<Balance>> {
    let accounts = before.iter().chain(after.iter());
    let accounts: std::collections::BTreeSet<(&LedgerAccount, Currency)> =
        accounts.map(|(account, held)| (account, held.currency())).collect();
    let differ = accounts.into_iter().filter(|(account, currency)| {
        before.of(account, *currency) != after.of(account, *currency)
    });
    let row = |(account, currency): (&LedgerAccount, Currency)| {
        let overflow = |_| Error::money(format!("balance of {account}"), MoneyError::Overflow);
        Ok(Balance {
            ledger_account: account.to_string(),
            currency: currency.to_string(),
            minor: i64::try_from(after.of(account, currency).minor()).map_err(overflow)?,
        })
    };
    differ.map(row).collect()
}

/// Balances as the domain knows them.
pub(crate) fn balances_of(ledger: &LedgerState) -> Result<Balances> {
    let held = ledger.balances.iter().map(|Balance { ledger_account, currency, minor }| {
        let currency = Currency::parse(currency).map_err(|e| Error::money("read a ledger", e))?;
        let held = Money::from_minor(i128::from(*minor), currency);
        Ok((LedgerAccount::parse(ledger_account)?, held))
    });
    Balances::held(held.collect::<Result<Vec<_>>>()?)
}

/// The exchange rates of lines, which their corrections keep: each id once.
fn kept_rates(invoices: &[Invoice]) -> Vec<ExchangeRate> {
    let lines = invoices.iter().flat_map(|invoice| &invoice.lines);
    let rates = lines.filter_map(|line| line.exchange.as_ref());
    let rates: BTreeMap<&str, &ExchangeRate> = rates.map(|rate| (rate.id.as_str(), rate)).collect();
    rates.into_values().cloned().collect()
}

/// Invoices in short, with their numbers if they were booked.
fn told(invoices: &[Invoice], booked: Option<&Booked>) -> Result<Vec<Told>> {
    let one = |(place, invoice): (usize, &Invoice)| {
        let sequence = booked.and_then(|booked| booked.sequences.get(place)).copied();
        let number =
            sequence.map(|sequence| DocumentNumber { seller: invoice.seller.clone(), sequence });
        Ok(Told { id: invoice.id.clone(), number, total: invoice.totals()?.total })
    };
    invoices.iter().enumerate().map(one).collect()
}
