//! Bookings: what closing an account writes into its books, in one transaction.

use crate::Inner;
use crate::approvals::{AccountDrafts, Approved};
use crate::closes::{CloseMode, Drafts, Outcome, Run, Told};
use crate::declared::Declared;
use crate::documents::INVOICE;
use crate::late::ClosedPeriod;
use crate::period_charges::AccountCharges;
use calendar::{BillingPeriod, Instant};
use domain::billing_terms::Approval;
use domain::chain::{Digest, drafts_digest, entries_digest};
use domain::closes::{Charges, Part, Payer};
use domain::correction::Correction;
use domain::credits::Lot;
use domain::delivery::{Billed, Deliveries, Sent};
use domain::encoding::books::{
    decode_entry, encode_entry, encode_invoice, encode_note, purpose_key,
};
use domain::ids::{BillingAccountId, LotId};
use domain::invoice::{ExchangeRate, Invoice};
use domain::invoice_state::{Approver, InvoiceState};
use domain::ledger::{Balances, Entry, LedgerAccount, Purpose};
use domain::numbering::DocumentNumber;
use domain::rated::RatedRow;
use domain::{Error, Result};
use money::{Currency, Money, MoneyError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::{
    AccountClose, Balance, Booked, Booking, LedgerState, NewDocument, NewEntry, Note, Seen,
    StoreError,
};

/// How often a booking is made anew because another writer changed the ledger meanwhile.
pub(crate) const ATTEMPTS_MOST: u32 = 10;

/// What closed periods are short of, or have too much.
#[derive(Default)]
pub(crate) struct Uncorrected {
    /// By billing period; those with nothing to correct are not here.
    pub(crate) periods: BTreeMap<BillingPeriod, Vec<(Part, Correction)>>,
    /// How many closed periods were computed again to find out.
    pub(crate) computed_again: u64,
}

/// How far an account's close has come before it is booked.
pub(crate) enum Drafted {
    /// There is nothing to book.
    Told(Outcome),
    /// What would be booked: it is a dry run.
    Would(Box<AccountDrafts>),
    /// What is to be booked.
    Ready(Box<Ready>),
}

/// What an account's close comes to, before it is booked.
pub(crate) struct Ready {
    booking: Booking,
    billed: Billed,
    computed_again: u64,
}

/// The name of the rule by which billing terms approve drafts.
pub(crate) const BY_TERMS: &str = "billing terms";

impl Inner {
    /// Turns an account's charges into documents and entries that close its period.
    pub(crate) async fn draft(
        self: &Arc<Self>,
        run: &Run<'_>,
        id: &BillingAccountId,
        charged: &AccountCharges,
    ) -> Result<Drafted> {
        let company = &run.declared.company;
        let payer = Payer::of(&run.declared.book, id, run.asked.period)?;
        let ledger = self.ledger_of(id).await?;
        let before = balances_of(&ledger)?;
        let sent = self.sent_to(id).await?;
        let Uncorrected { periods, computed_again } =
            self.uncorrected(&run.declared, id, &sent).await?;
        let late = periods.into_values().flatten();
        let Deliveries { next, delivered, billed: noted } =
            payer.deliver(late, &sent, &before, run.at)?;
        let mut charges = charged.charges.clone();
        for (part, late) in next {
            let (key, cost) = late.charge();
            charges.add(part, key, cost)?;
        }
        let granted = self.granted_in(id, company.lots_of(id)).await?;
        let grants = payer.lots_to_grant(|lot| granted.contains_key(&lot.id));
        let kept = kept_rates(&sent.invoices);
        let billed = payer.bill(&charges, &kept, &grants, &noted.balances, run.at)?;
        let billed = noted.then(billed);
        let approved = self.approved_of(run, &payer).await?;
        let approval = approval(run, (&payer, approved.as_ref()), &billed);
        if run.asked.mode == CloseMode::DryRun {
            let drafts = account_drafts(&payer, charged, &billed, approval)?;
            return Ok(Drafted::Would(Box::new(drafts)));
        }
        let approver = match approval {
            Ok(approver) => approver,
            Err(reason) => return Ok(Drafted::Told(Outcome::Waits { reason })),
        };
        let close = AccountClose {
            at: run.at,
            company_version: run.declared.version(),
            end_sequence: charged.end_sequence,
            row_count: charged.row_count,
            rows_digest: *charged.rows_digest.as_bytes(),
            entries_digest: *self.entries_digest(&payer, &billed).await?.as_bytes(),
        };
        self.must_be_unchanged(&run.declared)?;
        let issue = Issue::by(&approver, run.at).due(payer.due_until(run.at));
        let booking = Booking {
            closed: Some(close),
            delivered: delivered.iter().map(crate::sent::kept).collect(),
            approval: approved.map(|approved| approved.row),
            ..booking((id, run.asked.period), (&ledger, &before), &billed, &issue)?
        };
        Ok(Drafted::Ready(Box::new(Ready { booking, billed, computed_again })))
    }

    /// Books drafts of accounts in one transaction; gives nothing when another writer was faster
    /// with one of them, or one of several is refused.
    pub(crate) async fn book_drafts(
        self: &Arc<Self>,
        run: &Run<'_>,
        drafts: Vec<Ready>,
    ) -> Result<Option<Vec<Outcome>>> {
        if drafts.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let apart = |Ready { booking, billed, computed_again }| (booking, (billed, computed_again));
        let (bookings, rest): (Vec<Booking>, Vec<(Billed, u64)>) =
            drafts.into_iter().map(apart).unzip();
        let (store, note) = (Arc::clone(&self.store), run.note.clone());
        let booked = crate::blocking(move || match store.book_all(&bookings, &note) {
            Ok(booked) => Ok(Some(booked)),
            Err(StoreError::Stale { .. }) => Ok(None),
            // Whose booking it is shows when each is tried by itself.
            Err(StoreError::Refused { .. }) if bookings.len() > 1 => Ok(None),
            Err(error) => Err(crate::stored("book")(error)),
        });
        let Some(booked) = booked.await? else { return Ok(None) };
        let outcome = |((billed, computed_again), booked): (&(Billed, u64), &Booked)| {
            run.computed_again.fetch_add(*computed_again, Ordering::Relaxed);
            let documents = told(billed, Standing::Issued(booked))?;
            Ok(Outcome::Closed { documents })
        };
        rest.iter().zip(&booked).map(outcome).collect::<Result<_>>().map(Some)
    }

    /// Refuses to go on when something was declared since work began: usage may have been rated by
    /// it. What is booked already stays so.
    pub(crate) fn must_be_unchanged(&self, declared: &Declared) -> Result<()> {
        if self.declared().version() == declared.version() {
            return Ok(());
        }
        let problem = "something was declared meanwhile; try again";
        Err(Error::Unavailable { problem: problem.to_owned() })
    }

    /// What an account's closed billing periods are short of, or have too much: late usage, and
    /// facts that came after the close, that no invoice has corrected yet.
    pub(crate) async fn uncorrected(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        id: &BillingAccountId,
        sent: &Sent,
    ) -> Result<Uncorrected> {
        let mut all = Uncorrected::default();
        let closed = self.closed_periods(declared, id).await?.into_iter();
        for ClosedPeriod { period, .. } in closed.filter(|closed| closed.has_changed) {
            all.computed_again = all.computed_again.saturating_add(1);
            let usage = self.account_usage(id, period).await?;
            let rows = self.rows_of(&usage).await?;
            let (payer, charges) = self.charged_again(declared, (id, period), &rows).await?;
            let corrections = payer.corrections(sent, &charges)?;
            if !corrections.is_empty() {
                all.periods.insert(period, corrections);
            }
        }
        Ok(all)
    }

    /// What a closed period comes to from rated rows, by lines that are cut as they were: lots that
    /// came later cut nothing.
    pub(crate) async fn charged_again<'a>(
        self: &Arc<Self>,
        declared: &'a Declared,
        (id, period): (&BillingAccountId, BillingPeriod),
        rows: &[RatedRow],
    ) -> Result<(Payer<'a>, Charges)> {
        let payer = Payer::of(&declared.book, id, period)?;
        let charges = payer.charges(rows, &self.lots_that_cut(declared, (id, period)).await?)?;
        Ok((payer, charges))
    }

    /// The lots that the lines of a closed period were cut by: those that were granted by then.
    pub(crate) async fn lots_that_cut(
        self: &Arc<Self>,
        declared: &Declared,
        (id, period): (&BillingAccountId, BillingPeriod),
    ) -> Result<Vec<Lot>> {
        let lots = declared.company.lots_of(id);
        let granted = self.granted_in(id, lots).await?;
        let was_there = |lot: &&Lot| granted.get(&lot.id).is_some_and(|of| *of <= period.number());
        Ok(lots.iter().filter(was_there).cloned().collect())
    }

    /// The lots that were granted, with the billing period that their grant was booked in.
    pub(crate) async fn granted_in(
        self: &Arc<Self>,
        id: &BillingAccountId,
        lots: &[Lot],
    ) -> Result<BTreeMap<LotId, i32>> {
        let ids = lots.iter().map(|lot| lot.id.clone()).collect();
        self.lots_booked(id, ids, |lot| Purpose::Grant { lot }).await
    }

    /// Lots of which something was booked, with the billing period that it was booked in.
    pub(crate) async fn lots_booked(
        self: &Arc<Self>,
        id: &BillingAccountId,
        lots: Vec<LotId>,
        what: impl Fn(LotId) -> Purpose,
    ) -> Result<BTreeMap<LotId, i32>> {
        if lots.is_empty() {
            return Ok(BTreeMap::new());
        }
        let purposes: Vec<Vec<u8>> =
            lots.iter().map(|lot| purpose_key(&what(lot.clone()))).collect();
        let (store, id) = (Arc::clone(&self.store), id.clone());
        let periods = crate::blocking(move || {
            let booked = store.booked_in(id.as_str(), &purposes);
            booked.map_err(crate::stored("read a ledger"))
        })
        .await?;
        Ok(lots.into_iter().zip(periods).filter_map(|(lot, period)| Some((lot, period?))).collect())
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

/// Who agrees to drafts; else what they wait for.
type AgreedBy = std::result::Result<Approver, String>;

fn approval(
    run: &Run<'_>,
    (payer, approved): (&Payer<'_>, Option<&Approved>),
    billed: &Billed,
) -> AgreedBy {
    let by_rule = Approver::Rule(BY_TERMS.to_owned());
    match (payer.terms.approval, run.asked.drafts) {
        _ if billed.invoices.is_empty() && billed.notes.is_empty() => Ok(by_rule),
        (Approval::ByRule, _) => Ok(by_rule),
        (Approval::ByPerson, Drafts::GoOut) => Ok(Approver::Person(run.person.clone())),
        (Approval::ByPerson, Drafts::Wait) => match approved {
            None => Err("approval: its drafts wait for a person".to_owned()),
            Some(Approved { by, row }) if row.content == *content_of(billed).as_bytes() => {
                Ok(Approver::Person(by.clone()))
            }
            Some(Approved { by, row: _ }) => Err(format!(
                "approval: the drafts have changed since {by} approved them; approve them again"
            )),
        },
    }
}

fn content_of(billed: &Billed) -> Digest {
    drafts_digest(&billed.notes, &billed.invoices)
}

/// What a payer's drafts come to.
fn account_drafts(
    payer: &Payer<'_>,
    charged: &AccountCharges,
    billed: &Billed,
    approval: AgreedBy,
) -> Result<AccountDrafts> {
    let state = if approval.is_ok() { InvoiceState::Approved } else { InvoiceState::Draft };
    let (approver, reason) = match approval {
        Ok(approver) => (Some(approver), None),
        Err(reason) => (None, Some(reason)),
    };
    let waiting = charged.waiting.values();
    Ok(AccountDrafts {
        billing_account: payer.account.id.clone(),
        period: payer.period,
        documents: told(billed, Standing::Draft(state))?,
        content: content_of(billed),
        approver,
        reason,
        in_quarantine: waiting.fold(0_u64, |sum, count| sum.saturating_add(*count)),
    })
}

/// How documents are issued.
pub(crate) struct Issue {
    at: Instant,
    due_until: Instant,
    approved_by: String,
    seen: Option<Seen>,
}

impl Issue {
    /// Documents that somebody, or a rule, has agreed to.
    pub(crate) fn by(approver: &Approver, at: Instant) -> Issue {
        Issue { at, due_until: at, approved_by: approver.to_string(), seen: None }
    }

    /// When: business time.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Invoices that are overdue from a moment on.
    pub(crate) fn due(self, due_until: Instant) -> Issue {
        Issue { due_until, ..self }
    }

    /// Invoices that were computed from facts and usage which no close tells.
    pub(crate) fn seen(self, seen: Seen) -> Issue {
        Issue { seen: Some(seen), ..self }
    }

    fn invoice(&self, invoice: &Invoice) -> NewDocument {
        NewDocument {
            id: invoice.id.to_string(),
            kind: INVOICE.to_owned(),
            amends: String::new(),
            seller: invoice.seller.to_string(),
            issued_at: self.at,
            due_until: self.due_until,
            approved_by: self.approved_by.clone(),
            body: encode_invoice(invoice),
            seen: self.seen,
        }
    }

    /// A note is due at once: it asks for nothing.
    fn note(&self, note: &domain::notes::Note) -> NewDocument {
        NewDocument {
            id: note.id.to_string(),
            kind: note.kind.name().to_owned(),
            amends: note.amends.to_string(),
            seller: note.seller.to_string(),
            issued_at: self.at,
            due_until: self.at,
            approved_by: self.approved_by.clone(),
            body: encode_note(note),
            seen: None,
        }
    }
}

/// A booking of documents, notes before invoices, and entries.
pub(crate) fn booking(
    (id, period): (&BillingAccountId, BillingPeriod),
    (ledger, before): (&LedgerState, &Balances),
    billed: &Billed,
    issue: &Issue,
) -> Result<Booking> {
    let Billed { notes, invoices, entries, balances: after } = billed;
    let entry = |entry: &Entry| NewEntry {
        purpose: purpose_key(entry.purpose()),
        body: encode_entry(entry),
    };
    let invoices = invoices.iter().map(|invoice| issue.invoice(invoice));
    Ok(Booking {
        billing_account: id.to_string(),
        version: ledger.version,
        period: period.number(),
        entries: entries.iter().map(entry).collect(),
        balances: changed(before, after)?,
        documents: notes.iter().map(|note| issue.note(note)).chain(invoices).collect(),
        delivered: Vec::new(),
        approval: None,
        closed: None,
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
pub(crate) fn kept_rates(invoices: &[Invoice]) -> Vec<ExchangeRate> {
    let lines = invoices.iter().flat_map(|invoice| &invoice.lines);
    let rates = lines.filter_map(|line| line.exchange.as_ref());
    let rates: BTreeMap<&str, &ExchangeRate> = rates.map(|rate| (rate.id.as_str(), rate)).collect();
    rates.into_values().cloned().collect()
}

/// How far documents have come.
enum Standing<'a> {
    /// They have no number.
    Draft(InvoiceState),
    /// They were booked.
    Issued(&'a Booked),
}

/// Documents in short, in the order of a booking.
fn told(billed: &Billed, standing: Standing<'_>) -> Result<Vec<Told>> {
    let mut all = Vec::new();
    for note in &billed.notes {
        all.push((note.id.clone(), note.seller.clone(), note.due()?));
    }
    for invoice in &billed.invoices {
        all.push((invoice.id.clone(), invoice.seller.clone(), invoice.totals()?.total));
    }
    let told = all.into_iter().enumerate().map(|(place, (id, seller, total))| match standing {
        Standing::Draft(state) => Told { id, number: None, total, state: Some(state) },
        Standing::Issued(booked) => {
            let sequence = booked.sequences.get(place).copied();
            let number = sequence.map(|sequence| DocumentNumber { seller, sequence });
            Told { id, number, total, state: None }
        }
    });
    Ok(told.collect())
}
