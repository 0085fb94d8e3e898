//! How far a close has come: what is final, what is not and why, and how long it will take.

use crate::closes::period_of;
use crate::{CloseMode, Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::Result;
use domain::access::{Action, Caller, Scope};
use domain::chain::Digest;
use domain::ids::BillingAccountId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::{CloseRow, CloseState, LinkRow};

/// A close that runs at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningClose {
    /// The billing period.
    pub period: BillingPeriod,
    /// Whether it changes anything.
    pub mode: CloseMode,
    /// When it began: system time.
    pub started_at: Instant,
    /// Accounts that are done with; half of one that is added up and not booked yet.
    pub done: u64,
    /// Accounts in all.
    pub in_all: u64,
}

impl RunningClose {
    /// How long it will still take, if the rest goes as the accounts so far; none before the first.
    ///
    /// Units: seconds.
    pub fn remaining_s(&self, now: Instant) -> Option<u64> {
        let gone = now.since(self.started_at).max(0);
        let left = self.in_all.saturating_sub(self.done);
        let micros = i128::from(gone).checked_mul(i128::from(left))?;
        let micros = micros.checked_div(i128::from(self.done))?;
        u64::try_from(micros.checked_div(i128::from(calendar::MICROS_PER_SECOND))?).ok()
    }
}

/// The close that runs, if one does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<Option<RunningClose>>>);

/// A running close's hold on the progress: it ends with it, however it ends.
pub(crate) struct Counting {
    progress: Progress,
    /// An account is half done with once it is added up.
    halves: AtomicU64,
}

impl Progress {
    pub(crate) fn begin(&self, run: RunningClose) -> Counting {
        self.with(|running| *running = Some(run));
        Counting { progress: self.clone(), halves: AtomicU64::new(0) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Option<RunningClose>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Counting {
    /// So many more accounts are added up.
    pub(crate) fn added_up(&self, accounts: u64) {
        let halves = self.halves.fetch_add(accounts, Ordering::Relaxed).saturating_add(accounts);
        self.progress.with(|running| {
            if let Some(run) = running {
                run.done = halves >> 1;
            }
        });
    }

    /// One account more is booked.
    pub(crate) fn booked(&self) {
        self.added_up(1);
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.progress.with(|running| *running = None);
    }
}

/// Where a billing period stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseStanding {
    /// The billing period.
    pub period: BillingPeriod,
    /// Its link of the chain, once it is sealed.
    pub head: Option<Digest>,
    /// Each account that was closed or parked, and those declared that were neither, by id.
    pub accounts: BTreeMap<BillingAccountId, AccountStanding>,
    /// The close of it that runs at this moment.
    pub running: Option<RunningClose>,
}

/// Where an account stands in the close of a billing period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountStanding {
    /// Nothing has become final.
    Open,
    /// It could not be closed.
    Parked {
        /// Why.
        reason: String,
        /// Since when: business time.
        at: Instant,
    },
    /// It is final.
    Closed {
        /// Since when: business time.
        at: Instant,
        /// The number of the link that seals it; none until it is sealed.
        link: Option<u64>,
    },
}

/// A billing period that is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPeriod {
    /// The billing period.
    pub period: BillingPeriod,
    /// The number of its link.
    pub link: u64,
    /// The account that had been parked; none for the close of all others.
    pub billing_account: Option<String>,
    /// The head of the chain behind it.
    pub head: Digest,
    /// When: business time.
    pub sealed_at: Instant,
}

impl Reckoner {
    /// Where a billing period stands, and how far its close has come if it runs.
    ///
    /// Errors: [`domain::Error::Forbidden`].
    #[boxed]
    pub async fn close_standing(
        &self,
        caller: &Caller,
        period: BillingPeriod,
    ) -> Result<CloseStanding> {
        self.demand(caller, Action::ReadLedger, &Scope::Installation).await?;
        let (rows, links) = self.0.closes_and_links(period).await?;
        let declared = self.0.declared();
        let open = |id: &BillingAccountId| (id.clone(), AccountStanding::Open);
        let mut accounts: BTreeMap<_, _> = declared.company.accounts.keys().map(open).collect();
        for row in rows {
            let standing = match row.state {
                CloseState::Parked { reason, at } => AccountStanding::Parked { reason, at },
                CloseState::Closed { closed, link } => {
                    AccountStanding::Closed { at: closed.at, link }
                }
            };
            accounts.insert(BillingAccountId::new(&row.billing_account)?, standing);
        }
        let sealed =
            |link: &&LinkRow| link.period == period.number() && link.billing_account.is_none();
        let head = links.iter().find(sealed).map(|link| Digest::from_bytes(link.head));
        let running = self.0.progress.with(|run| run.filter(|run| run.period == period));
        Ok(CloseStanding { period, head, accounts, running })
    }

    /// Lists what is sealed, newest first.
    ///
    /// Errors: [`domain::Error::Forbidden`].
    #[boxed]
    pub async fn sealed_periods(&self, caller: &Caller, limit: u64) -> Result<Vec<SealedPeriod>> {
        self.demand(caller, Action::ReadLedger, &Scope::Installation).await?;
        let links = self.0.close_links().await?.into_iter().rev();
        let links = links.take(usize::try_from(limit).unwrap_or(usize::MAX));
        links
            .map(|link| {
                let LinkRow { number, period, billing_account, body: _, head, sealed_at } = link;
                let (period, head) = (period_of(period)?, Digest::from_bytes(head));
                Ok(SealedPeriod { period, link: number, billing_account, head, sealed_at })
            })
            .collect()
    }

    /// The close that runs at this moment.
    ///
    /// Errors: [`domain::Error::Forbidden`].
    #[boxed]
    pub async fn running_close(&self, caller: &Caller) -> Result<Option<RunningClose>> {
        self.demand(caller, Action::ReadLedger, &Scope::Installation).await?;
        Ok(self.0.progress.with(|run| *run))
    }
}

impl Inner {
    async fn closes_and_links(
        self: &Arc<Self>,
        period: BillingPeriod,
    ) -> Result<(Vec<CloseRow>, Vec<LinkRow>)> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            let stored = crate::stored("read the closes");
            let closes = store.closes(period.number()).map_err(&stored)?;
            Ok((closes, store.close_links().map_err(&stored)?))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_what_is_done() {
        fn check(done: u64, gone_s: i64, expected: Option<u64>) {
            let started_at = Instant::EPOCH;
            let period = BillingPeriod::of(started_at);
            let mode = CloseMode::Final;
            let run = RunningClose { period, mode, started_at, done, in_all: 100 };
            assert_eq!(run.remaining_s(started_at.plus_seconds(gone_s)), expected);
        }
        check(0, 10, None);
        check(10, 10, Some(90));
        check(99, 33, Some(0));
        check(100, 33, Some(0));
        check(10, -5, Some(0)); // the machine's clock was set back
    }
}
