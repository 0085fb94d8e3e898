//! Closing a billing period: gates, then account by account documents and entries, then the seal.
//!
//! Each account is closed within one transaction, some of them together, so that a crash leaves it
//! open or closed; closing again goes on where it stopped. An account that cannot be closed is
//! parked with its reason and the others go on; a parked account that is closed later has a link of
//! its own in the chain.

use crate::close_progress::{Counting, RunningClose};
use crate::declared::Declared;
use crate::period_charges::PeriodCharges;
use crate::requests::{Agreed, Deed};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::chain::Digest;
use domain::ids::{BillingAccountId, DocumentId, PrincipalId};
use domain::invoice_state::InvoiceState;
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use money::Money;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use store::{CloseRow, CloseState, Note};

/// Accounts that are booked in one transaction: the disk is waited for once for all of them.
const TOGETHER: usize = 64;

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
    /// Their accounts stay open, but where a person has approved just these drafts.
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
    pub(crate) sealed: BTreeSet<BillingPeriod>,
    /// Accounts that wait, and for what.
    pub(crate) waits: BTreeMap<BillingAccountId, String>,
    /// Drafts that persons have agreed to.
    /// What the accounts come to that were open when it began, and did not wait.
    pub(crate) charges: PeriodCharges,
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
        let mut open = self.0.open_accounts(&declared, asked.period).await?;
        let waits = self.0.waits(&declared, &open, asked.period);
        open.retain(|id| !waits.contains_key(id));
        progress.added_up(declared.company.accounts.len().saturating_sub(open.len()) as u64);
        let charges = self.0.period_charges(&declared, (open, asked.period), |accounts| {
            progress.added_up(accounts);
        });
        let (charges, sealed) = (charges.await?, self.0.sealed_before(asked.period).await?);
        let run = Run { asked, declared, at, person, note, computed_again, sealed, waits, charges };
        let mut accounts = Vec::new();
        let ids: Vec<&BillingAccountId> = run.declared.company.accounts.keys().collect();
        for ids in ids.chunks(TOGETHER) {
            let outcomes = self.0.close_together(&run, ids).await?;
            for (id, outcome) in ids.iter().copied().zip(outcomes) {
                accounts.push(AccountClosing { billing_account: id.clone(), outcome });
                progress.booked();
            }
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
}

/// A billing period of the books.
pub(crate) fn period_of(number: i32) -> Result<BillingPeriod> {
    BillingPeriod::from_number(number).map_err(|e| Error::internal("read a period of the books", e))
}
