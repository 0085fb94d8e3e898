//! What no close has billed to an account yet: its open billing periods, and their drafts.

use crate::Inner;
use crate::account_closes::{is_of_the_account, with_causes};
use calendar::{BillingPeriod, Instant};
use domain::closes::Payer;
use domain::ids::BillingAccountId;
use domain::invoice::Invoice;
use domain::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{CloseRow, CloseState};

impl Inner {
    /// The billing periods of an account up to the one of a moment that are not closed for it,
    /// oldest first.
    pub(crate) async fn unbilled_periods(
        self: &Arc<Self>,
        account: &BillingAccountId,
        now: Instant,
    ) -> Result<Vec<BillingPeriod>> {
        let open = BillingPeriod::of(now);
        let closes = self.closes_of(account).await?;
        let is_closed = |row: &&CloseRow| matches!(row.state, CloseState::Closed { .. });
        let closed: BTreeSet<i32> = closes.iter().filter(is_closed).map(|row| row.period).collect();
        let sealed = self.sealed_before(open).await?;
        let known = self.first_used().into_iter().chain(sealed.first().copied());
        let first = known.min().map_or(open, |first| first.min(open));
        let all = std::iter::successors(Some(first), |period| Some(period.next()));
        let all = all.take_while(|period| *period <= open);
        Ok(all.filter(|period| !closed.contains(&period.number())).collect())
    }

    /// The invoices that closing a billing period of an account would issue now; none where it is
    /// charged nothing.
    ///
    /// Errors: [`Error::Conflict`] naming what keeps them from being drafted, such as a missing tax
    /// rate.
    pub(crate) async fn draft_invoices(
        self: &Arc<Self>,
        account: &BillingAccountId,
        period: BillingPeriod,
        at: Instant,
    ) -> Result<Vec<Invoice>> {
        self.drafted_invoices(account, period, at).await.map_err(|error| {
            if !is_of_the_account(&error) {
                return error;
            }
            let (key, problem) = (format!("{account}/{period}"), with_causes(&error));
            Error::Conflict { what: "drafts", key, problem }
        })
    }

    async fn drafted_invoices(
        self: &Arc<Self>,
        account: &BillingAccountId,
        period: BillingPeriod,
        at: Instant,
    ) -> Result<Vec<Invoice>> {
        let declared = self.refresh_declared().await?;
        let of = (vec![account.clone()], period);
        let mut all = self.period_charges(&declared, of, |_| ()).await?;
        let Some(charged) = all.remove(account).transpose()? else { return Ok(Vec::new()) };
        let payer = Payer::of(&declared.book, account, period)?;
        let drawn_up = self.drawn_up(&declared, &payer, &charged.charges, at).await?;
        Ok(drawn_up.billed.invoices)
    }
}
