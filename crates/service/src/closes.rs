//! Closing a billing period: gates, then account by account documents and entries, then the seal.
//!
//! Each account is closed by one transaction, so that a crash leaves it open or closed; closing
//! again goes on where it stopped. An account that cannot be closed is parked with its reason and
//! the others go on; a parked account that is closed later has a link of its own in the chain.

use crate::close_progress::{Counting, RunningClose};
use crate::declared::Declared;
use crate::period_charges::PeriodCharges;
use crate::requests::{Agreed, Deed};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::chain::Digest;
use domain::ids::{BillingAccountId, DocumentId, PrincipalId, SourceName};
use domain::invoice_state::InvoiceState;
use domain::numbering::DocumentNumber;
use domain::usage::Quarantined;
use domain::{Error, Result};
use money::Money;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use store::{CloseRow, CloseState, Note};

/// Which billing period is to be closed, and how.
#[derive(Debug, Clone)]
pub struct ClosePeriod {
    /// The billing period.
    pub period: BillingPeriod,
    /// Whether anything is to change.
    pub mode: CloseMode,
    /// What becomes of drafts that wait for a person.
    pub drafts: Drafts,
    /// Accounts whose records in quarantine are left out: they are late usage once they are rated.
    pub left_out: BTreeSet<BillingAccountId>,
}

/// Whether closing changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseMode {
    /// It closes.
    Final,
    /// It shows what closing would do, of an open period too.
    DryRun,
}

/// What becomes of drafts that nobody has agreed to and no rule agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drafts {
    /// Their accounts stay open.
    Wait,
    /// Who closes agrees to them.
    GoOut,
}

/// What closing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The billing period.
    pub period: BillingPeriod,
    /// Why the period cannot be closed at all; only a dry run goes on then.
    pub gates: Vec<String>,
    /// Each account, in order of id.
    pub accounts: Vec<AccountClosing>,
    /// How many closed periods of accounts were computed again, because usage or facts of them have
    /// come since: no others are touched.
    pub computed_again: u64,
    /// The head of the chain once all accounts are closed or parked; none before, nor by a dry
    /// run.
    pub head: Option<Digest>,
}

/// What closing came to for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountClosing {
    /// Whose.
    pub billing_account: BillingAccountId,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of closing an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is closed.
    Closed {
        /// Its invoices.
        documents: Vec<Told>,
    },
    /// It was closed before; nothing has changed.
    ClosedBefore {
        /// Its invoices.
        documents: Vec<Told>,
    },
    /// It would be closed; a dry run says so.
    WouldClose {
        /// Its drafts.
        documents: Vec<Told>,
    },
    /// It stays open for now.
    Waits {
        /// For what.
        reason: String,
    },
    /// It is parked, or would be.
    Parked {
        /// Why.
        reason: String,
    },
}

/// A document, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub id: DocumentId,
    /// Its number; a draft has none.
    pub number: Option<DocumentNumber>,
    /// What it demands; below zero what a note takes back.
    pub total: Money,
    /// Of a draft, whether somebody has agreed to it: draft or approved. None once it is issued.
    pub state: Option<InvoiceState>,
}

/// One run of closing.
pub(crate) struct Run<'a> {
    pub(crate) asked: &'a ClosePeriod,
    pub(crate) declared: Arc<Declared>,
    /// When, by the business clock.
    pub(crate) at: Instant,
    /// Who agrees to drafts that wait for a person, if it is agreed.
    pub(crate) person: PrincipalId,
    pub(crate) note: Note,
    pub(crate) computed_again: AtomicU64,
    /// Earlier billing periods that are sealed, oldest first.
    sealed: BTreeSet<BillingPeriod>,
    /// What the accounts come to that were open when it began.
    charges: PeriodCharges,
}

impl Reckoner {
    /// Closes a billing period: every account that can be closed is, and once all are closed or
    /// parked the period is sealed. Closing again changes nothing that is closed.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::Conflict`] for a period that is not over, or does
    /// not follow the newest that is sealed, or that waits for a second person;
    /// [`Error::Internal`] when storage fails.
    #[boxed]
    pub async fn close_period(
        &self,
        caller: &Caller,
        asked: &ClosePeriod,
        request_id: &str,
    ) -> Result<Closing> {
        self.demand(caller, Action::ClosePeriods, &Scope::Installation).await?;
        if asked.drafts == Drafts::GoOut {
            self.demand(caller, Action::IssueInvoices, &Scope::Installation).await?;
        }
        let _one_at_a_time = self.0.closing.lock().await;
        let declared = self.0.refresh_declared().await?;
        let gates = self.0.period_gates(asked.period).await?;
        if let (CloseMode::Final, Some(gate)) = (asked.mode, gates.first()) {
            let key = asked.period.to_string();
            return Err(Error::Conflict { what: "period", key, problem: gate.clone() });
        }
        let agreed = match asked.mode {
            CloseMode::Final => self.agreed(caller, Deed::Close(asked.clone()), request_id).await?,
            CloseMode::DryRun => Agreed::alone(caller),
        };
        let note = self.note(caller, &agreed.told(&format!("close {}", asked.period)), request_id);
        let (at, person, computed_again) = (self.now(), agreed.person()?, AtomicU64::new(0));
        let progress = self.0.begin_progress(asked, &declared, self.system_now());
        let open = self.0.open_accounts(&declared, asked.period).await?;
        progress.added_up(declared.company.accounts.len().saturating_sub(open.len()) as u64);
        let charges = self.0.period_charges(&declared, (open, asked.period), |accounts| {
            progress.added_up(accounts);
        });
        let (charges, sealed) = (charges.await?, self.0.sealed_before(asked.period).await?);
        let run = Run { asked, declared, at, person, note, computed_again, sealed, charges };
        let mut accounts = Vec::new();
        for id in run.declared.company.accounts.keys() {
            let outcome = self.0.close_account(&run, id).await?;
            accounts.push(AccountClosing { billing_account: id.clone(), outcome });
            progress.booked();
        }
        let waits = |one: &AccountClosing| matches!(one.outcome, Outcome::Waits { .. });
        let head = match asked.mode {
            CloseMode::Final if !accounts.iter().any(waits) => Some(self.0.seal_close(&run).await?),
            CloseMode::Final | CloseMode::DryRun => None,
        };
        let computed_again = run.computed_again.into_inner();
        Ok(Closing { period: asked.period, gates, accounts, computed_again, head })
    }
}

impl Inner {
    /// Why a billing period cannot be closed at all.
    async fn period_gates(self: &Arc<Self>, period: BillingPeriod) -> Result<Vec<String>> {
        let mut gates = Vec::new();
        let now = self.clocks.business.now();
        if now < period.end() {
            gates.push(format!("period over: it ends at {}, now it is {now}", period.end()));
        }
        let newest = self.newest_sealed().await?;
        let next = newest.map(BillingPeriod::next).or_else(|| self.first_used());
        if let Some(next) = next.filter(|next| *next < period) {
            gates.push(format!("earlier periods: close {next} first"));
        }
        Ok(gates)
    }

    fn begin_progress(&self, of: &ClosePeriod, declared: &Declared, at: Instant) -> Counting {
        let in_all = declared.company.accounts.len() as u64;
        let ClosePeriod { period, mode, .. } = *of;
        self.progress.begin(RunningClose { period, mode, started_at: at, done: 0, in_all })
    }

    /// Accounts that are not closed yet, in order of id.
    async fn open_accounts(
        self: &Arc<Self>,
        declared: &Declared,
        period: BillingPeriod,
    ) -> Result<Vec<BillingAccountId>> {
        let store = Arc::clone(&self.store);
        let closes = crate::blocking(move || {
            store.closes(period.number()).map_err(crate::stored("read the closes"))
        })
        .await?;
        let is_closed = |row: &&CloseRow| matches!(row.state, CloseState::Closed { .. });
        let closed: BTreeSet<&str> =
            closes.iter().filter(is_closed).map(|row| row.billing_account.as_str()).collect();
        let accounts = declared.company.accounts.keys();
        Ok(accounts.filter(|id| !closed.contains(id.as_str())).cloned().collect())
    }

    /// The oldest billing period with usage.
    pub(crate) fn first_used(&self) -> Option<BillingPeriod> {
        let cells = self.cells.all().into_iter();
        let mut used = cells.filter(|(_, cell)| {
            let state = cell.state();
            !state.usage.is_empty() || !state.tail.is_empty()
        });
        used.next().map(|(key, _)| key.period)
    }

    async fn close_account(
        self: &Arc<Self>,
        run: &Run<'_>,
        id: &BillingAccountId,
    ) -> Result<Outcome> {
        let period = run.asked.period;
        if let Some(closed_before) = self.closed_before(id, period).await? {
            return Ok(closed_before);
        }
        let outcome = match self.open_before(run, id).await? {
            Some(reason) => Outcome::Parked { reason: format!("earlier periods: {reason}") },
            None => match self.try_close(run, id).await {
                Ok(outcome) => outcome,
                Err(error) if is_of_the_account(&error) => {
                    Outcome::Parked { reason: with_causes(&error) }
                }
                Err(error) => return Err(error),
            },
        };
        if let (CloseMode::Final, Outcome::Parked { reason }) = (run.asked.mode, &outcome) {
            self.park(run, id, reason.clone()).await?;
        }
        Ok(outcome)
    }

    /// Which earlier billing period of an account is sealed without it and has charges, and why.
    async fn open_before(
        self: &Arc<Self>,
        run: &Run<'_>,
        id: &BillingAccountId,
    ) -> Result<Option<String>> {
        if run.sealed.is_empty() {
            return Ok(None);
        }
        let closes = self.closes_of(id).await?;
        for earlier in run.sealed.iter().copied() {
            let of = closes.iter().find(|row| row.period == earlier.number());
            match of.map(|row| &row.state) {
                Some(CloseState::Closed { .. }) => {}
                Some(CloseState::Parked { .. }) => return Ok(Some(format!("{earlier} is parked"))),
                None => {
                    let usage = self.account_usage(id, earlier).await?;
                    let is_used = !usage.waiting(id).is_empty();
                    if is_used || !self.rows_of(&usage).await?.is_empty() {
                        let reason = format!("{earlier} was sealed before it; close that again");
                        return Ok(Some(reason));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The gates of an account, then its charges, documents and entries.
    async fn try_close(self: &Arc<Self>, run: &Run<'_>, id: &BillingAccountId) -> Result<Outcome> {
        let (period, company) = (run.asked.period, &run.declared.company);
        let late = self.late_sources(company, id, period.end()).map(SourceName::as_str);
        let late: Vec<&str> = late.collect();
        if !late.is_empty() {
            let (late, end) = (late.join(", "), period.end());
            let reason = format!("sources complete: {late} can still report before {end}");
            return Ok(Outcome::Waits { reason });
        }
        let charged = match run.charges.get(id) {
            Some(Ok(charged)) => charged,
            Some(Err(error)) if is_of_the_account(error) => {
                return Ok(Outcome::Parked { reason: with_causes(error) });
            }
            Some(Err(error)) => {
                return Err(Error::internal("add up rated usage", with_causes(error)));
            }
            None => {
                let problem = format!("{id} was opened again meanwhile; try again");
                return Err(Error::Unavailable { problem });
            }
        };
        if !charged.waiting.is_empty() && !run.asked.left_out.contains(id) {
            return Ok(Outcome::Parked { reason: quarantine_gate(&charged.waiting) });
        }
        self.bill(run, id, charged).await
    }

    /// What came of an account that is closed.
    pub(crate) async fn closed_before(
        self: &Arc<Self>,
        id: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<Option<Outcome>> {
        let (store, name) = (Arc::clone(&self.store), id.to_string());
        let row = crate::blocking(move || {
            store.close_of(period.number(), &name).map_err(crate::stored("read the closes"))
        })
        .await?;
        match row.map(|row| row.state) {
            Some(CloseState::Closed { .. }) => {
                let documents = self.told_of(id, period).await?;
                Ok(Some(Outcome::ClosedBefore { documents }))
            }
            Some(CloseState::Parked { .. }) | None => Ok(None),
        }
    }

    pub(crate) async fn closes_of(
        self: &Arc<Self>,
        id: &BillingAccountId,
    ) -> Result<Vec<store::CloseRow>> {
        let (store, id) = (Arc::clone(&self.store), id.clone());
        crate::blocking(move || {
            store.closes_of(id.as_str()).map_err(crate::stored("read the closes"))
        })
        .await
    }

    async fn park(
        self: &Arc<Self>,
        run: &Run<'_>,
        id: &BillingAccountId,
        reason: String,
    ) -> Result<()> {
        let (store, id, note) = (Arc::clone(&self.store), id.clone(), run.note.clone());
        let (period, at) = (run.asked.period.number(), run.at);
        crate::blocking(move || {
            let parked = store.park(period, id.as_str(), (&reason, at), &note);
            parked.map_err(crate::stored("park an account"))
        })
        .await
    }
}

/// A billing period of the books.
pub(crate) fn period_of(number: i32) -> Result<BillingPeriod> {
    BillingPeriod::from_number(number).map_err(|e| Error::internal("read a period of the books", e))
}

/// Why records that wait keep an account open.
fn quarantine_gate(waiting: &[Quarantined]) -> String {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for Quarantined { reason, field, .. } in waiting {
        let count = counts.entry((reason.name(), field)).or_default();
        *count = count.saturating_add(1);
    }
    let told: Vec<String> = counts
        .into_iter()
        .map(|((reason, field), count)| format!("{count} wait: {reason} ({field})"))
        .collect();
    format!("quarantine empty: {}", told.join(", "))
}

/// Whether an error is one account's own, so that the others can go on.
fn is_of_the_account(error: &Error) -> bool {
    match error {
        Error::NotFound { .. }
        | Error::Invalid { .. }
        | Error::Conflict { .. }
        | Error::PeriodClosed { .. }
        | Error::TooMuch { .. }
        | Error::Unbalanced { .. }
        | Error::Overdrawn { .. }
        | Error::Money { .. } => true,
        Error::Unauthenticated { .. }
        | Error::Forbidden { .. }
        | Error::NotReady { .. }
        | Error::TooMany { .. }
        | Error::TooManyKept { .. }
        | Error::Unavailable { .. }
        | Error::Internal { .. } => false,
    }
}

/// An error and what caused it, as one line.
fn with_causes(error: &Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        told.push_str(&format!(": {next}"));
        cause = next.source();
    }
    told
}
