//! One account's part of a close: its gates, its draft, its booking; and what parks it.

use crate::Inner;
use crate::bookings::{ATTEMPTS_MOST, Drafted};
use crate::closes::{CloseMode, Outcome, Run};
use crate::declared::Declared;
use crate::period_charges::Waiting;
use calendar::BillingPeriod;
use domain::ids::{BillingAccountId, SourceName};
use domain::{Error, Result};
use futures::future::join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::CloseState;

impl Inner {
    /// Which of some accounts wait, and for what. Asked before their usage is added up: what a
    /// source reports meanwhile is not in it.
    pub(crate) fn waits(
        &self,
        declared: &Declared,
        accounts: &[BillingAccountId],
        period: BillingPeriod,
    ) -> BTreeMap<BillingAccountId, String> {
        let end = period.end();
        let waits = |id: &BillingAccountId| {
            let late = self.late_sources(&declared.company, id, end).map(SourceName::as_str);
            let late: Vec<&str> = late.collect();
            let reason = || {
                let late = late.join(", ");
                format!("sources complete: {late} can still report before {end}")
            };
            (!late.is_empty()).then(|| (id.clone(), reason()))
        };
        accounts.iter().filter_map(waits).collect()
    }

    /// Closes some accounts, in one transaction if nobody comes between; else one after the other.
    pub(crate) async fn close_together(
        self: &Arc<Self>,
        run: &Run<'_>,
        ids: &[&BillingAccountId],
    ) -> Result<Vec<Outcome>> {
        let drafts = ids.iter().map(|id| self.draft_account(run, id));
        let drafts = join_all(drafts).await.into_iter().collect::<Result<Vec<_>>>()?;
        let (mut told, mut ready) = (Vec::with_capacity(ids.len()), Vec::new());
        for drafted in drafts {
            match drafted {
                Drafted::Told(outcome) => told.push(Some(outcome)),
                Drafted::Would(drafts) => told.push(Some(drafts.outcome())),
                Drafted::Ready(draft) => {
                    told.push(None);
                    ready.push(*draft);
                }
            }
        }
        let mut booked = self.book_drafts(run, ready).await?.map(Vec::into_iter);
        let mut outcomes = Vec::with_capacity(ids.len());
        for (id, told) in ids.iter().zip(told) {
            outcomes.push(match told.or_else(|| booked.as_mut()?.next()) {
                Some(outcome) => outcome,
                None => self.close_account(run, id).await?,
            });
        }
        Ok(outcomes)
    }

    /// Closes an account, as often anew as another writer is faster; one that closed it included.
    async fn close_account(
        self: &Arc<Self>,
        run: &Run<'_>,
        id: &BillingAccountId,
    ) -> Result<Outcome> {
        for _ in 0..ATTEMPTS_MOST {
            if let Some(closed_before) = self.closed_before(id, run.asked.period).await? {
                return Ok(closed_before);
            }
            let ready = match self.draft_account(run, id).await? {
                Drafted::Told(outcome) => return Ok(outcome),
                Drafted::Would(drafts) => return Ok(drafts.outcome()),
                Drafted::Ready(ready) => *ready,
            };
            match self.book_drafts(run, vec![ready]).await {
                Ok(booked) => {
                    if let Some(outcome) = booked.and_then(|all| all.into_iter().next()) {
                        return Ok(outcome);
                    }
                }
                Err(error) if is_of_the_account(&error) => {
                    let reason = with_causes(&error);
                    self.park(run, id, reason.clone()).await?;
                    return Ok(Outcome::Parked { reason });
                }
                Err(error) => return Err(error),
            }
        }
        Err(keeps_changing(id))
    }

    /// What closing an account comes to; who cannot be closed is parked.
    pub(crate) async fn draft_account(
        self: &Arc<Self>,
        run: &Run<'_>,
        id: &BillingAccountId,
    ) -> Result<Drafted> {
        // What was open when the run began is looked at again by whoever books it.
        let was_open = run.charges.contains_key(id) || run.waits.contains_key(id);
        if !was_open && let Some(before) = self.closed_before(id, run.asked.period).await? {
            return Ok(Drafted::Told(before));
        }
        let drafted = match self.open_before(run, id).await? {
            Some(reason) => {
                let reason = format!("earlier periods: {reason}");
                Drafted::Told(Outcome::Parked { reason })
            }
            None => self.try_close_steadily(run, id).await?,
        };
        if let (CloseMode::Final, Drafted::Told(Outcome::Parked { reason })) =
            (run.asked.mode, &drafted)
        {
            // Usage may have been rated by what was declared meanwhile.
            self.must_be_unchanged(&run.declared)?;
            self.park(run, id, reason.clone()).await?;
        }
        Ok(drafted)
    }

    /// As [`Inner::try_close`], anew as long as other writers change the ledger meanwhile: what was
    /// read of it then need not fit together. What fails for the account's own sake parks it.
    async fn try_close_steadily(
        self: &Arc<Self>,
        run: &Run<'_>,
        id: &BillingAccountId,
    ) -> Result<Drafted> {
        let mut version = None;
        for _ in 0..ATTEMPTS_MOST {
            match self.try_close(run, id).await {
                Err(error) if is_of_the_account(&error) => {
                    let now = Some(self.ledger_of(id).await?.version);
                    if version == now {
                        let reason = with_causes(&error);
                        return Ok(Drafted::Told(Outcome::Parked { reason }));
                    }
                    version = now;
                }
                done => return done,
            }
        }
        Err(keeps_changing(id))
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
    async fn try_close(self: &Arc<Self>, run: &Run<'_>, id: &BillingAccountId) -> Result<Drafted> {
        if let Some(reason) = run.waits.get(id) {
            return Ok(Drafted::Told(Outcome::Waits { reason: reason.clone() }));
        }
        let charged = match run.charges.get(id) {
            Some(Ok(charged)) => charged,
            Some(Err(error)) if is_of_the_account(error) => {
                let reason = with_causes(error);
                return Ok(Drafted::Told(Outcome::Parked { reason }));
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
            let reason = quarantine_gate(&charged.waiting);
            return Ok(Drafted::Told(Outcome::Parked { reason }));
        }
        self.draft(run, id, charged).await
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

/// What is told when other writers are faster again and again.
pub(crate) fn keeps_changing(id: &BillingAccountId) -> Error {
    Error::Unavailable { problem: format!("the ledger of {id} keeps changing; try again") }
}

/// Why records that wait keep an account open.
fn quarantine_gate(waiting: &Waiting) -> String {
    let told: Vec<String> = waiting
        .iter()
        .map(|((reason, field), count)| format!("{count} wait: {reason} ({field})"))
        .collect();
    format!("quarantine empty: {}", told.join(", "))
}

/// Whether an error is one account's own, so that the others can go on.
pub(crate) fn is_of_the_account(error: &Error) -> bool {
    match error {
        Error::NotFound { .. }
        | Error::Invalid { .. }
        | Error::Conflict { .. }
        | Error::CannotMove { .. }
        | Error::Overtaken
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
pub(crate) fn with_causes(error: &Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        told.push_str(&format!(": {next}"));
        cause = next.source();
    }
    told
}
