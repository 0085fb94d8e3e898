//! Closing by schedule: what is due is closed without being told to.
//!
//! It is the same close as a person's, with the same gates; accounts that wait or are parked are
//! tried again. One runs at a time in a process, and two processes at once do no harm: an account
//! is closed by one transaction that counts only for the ledger's version it was computed from,
//! and a link of the chain only behind the one it was computed after.

use crate::closes::period_of;
use crate::{CloseMode, ClosePeriod, Closing, Drafts, Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope};
use domain::close_schedule::CloseSchedule;
use domain::{Error, Result};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// When closes run by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// When a billing period is due.
    pub rule: CloseSchedule,
    /// Seconds of business time after which what could not be closed is tried again.
    pub again_seconds: u64,
}

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule { rule: CloseSchedule::USUAL, again_seconds: 3_600 }
    }
}

/// What was due when it was last looked, and when that was: business time.
#[derive(Debug, Default)]
pub(crate) struct Looked(Mutex<Option<(BillingPeriod, Instant)>>);

impl Looked {
    /// Whether it is time to look; if so, this is the look.
    fn is_time(&self, due: BillingPeriod, now: Instant, again_seconds: u64) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let again_s = i64::try_from(again_seconds).unwrap_or(i64::MAX);
        let is_time =
            last.is_none_or(|(before, at)| before != due || now >= at.plus_seconds(again_s));
        if is_time {
            *last = Some((due, now));
        }
        is_time
    }
}

impl Reckoner {
    /// Closes what is due by the schedule, oldest first, up to the first billing period that
    /// cannot be sealed; does nothing where nothing is. To be called often.
    ///
    /// Errors: as [`Reckoner::close_period`]; it is tried again after the schedule's interval.
    #[boxed]
    pub async fn close_what_is_due(
        &self,
        caller: &Caller,
        request_id: &str,
    ) -> Result<Vec<Closing>> {
        self.demand(caller, Action::ClosePeriods, &Scope::Installation).await?;
        let Some(Schedule { rule, again_seconds }) = self.0.config.schedule else {
            return Ok(Vec::new());
        };
        let now = self.now();
        let due = rule.newest_due(now);
        if !self.0.looked.is_time(due, now, again_seconds) {
            return Ok(Vec::new());
        }
        let mut closings = Vec::new();
        for period in self.0.to_be_closed(due, now).await? {
            let (mode, drafts, left_out) = (CloseMode::Final, Drafts::Wait, BTreeSet::new());
            let asked = ClosePeriod { period, mode, drafts, left_out };
            let closing = self.close_period(caller, &asked, request_id).await?;
            let is_sealed = closing.head.is_some();
            closings.push(closing);
            if !is_sealed {
                break;
            }
        }
        Ok(closings)
    }
}

impl Inner {
    /// Billing periods with parked accounts, then those that follow the newest sealed one.
    ///
    /// Where nothing is sealed yet the schedule begins with what ended after it first looked:
    /// months that were imported later may lack files, so the first of them is closed by hand.
    async fn to_be_closed(
        self: &Arc<Self>,
        due: BillingPeriod,
        now: Instant,
    ) -> Result<Vec<BillingPeriod>> {
        let (parked, since) = self.parked_and_since(now).await?;
        let newest = self.newest_sealed().await?;
        let first = || self.first_used().unwrap_or(BillingPeriod::of(since));
        let mut next = newest.map_or_else(first, BillingPeriod::next);
        let mut periods = parked;
        if newest.is_some() || next.end() > since {
            while next <= due {
                periods.push(next);
                next = next.next();
            }
        }
        Ok(periods)
    }

    /// Sealed billing periods with parked accounts, and when the schedule first looked.
    async fn parked_and_since(
        self: &Arc<Self>,
        now: Instant,
    ) -> Result<(Vec<BillingPeriod>, Instant)> {
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            let stored = crate::stored("read the closes");
            let numbers = store.parked_periods().map_err(&stored)?;
            let kept = store.ensure_secret("closes by schedule since", &now.micros().to_le_bytes());
            let kept = kept.map_err(&stored)?;
            let since = <[u8; 8]>::try_from(kept.as_slice())
                .map_err(|e| Error::internal("read when the schedule began", e))?;
            let periods = numbers.into_iter().map(period_of).collect::<Result<_>>()?;
            Ok((periods, Instant::from_micros(i64::from_le_bytes(since))))
        })
        .await
    }
}
