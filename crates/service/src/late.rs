//! What has changed since a close: only whose usage or facts have is computed again.

use crate::cells::{CellKey, CellState};
use crate::closes::period_of;
use crate::declared::Declared;
use crate::units::account_of;
use crate::{Inner, codes, usage_rows};
use calendar::BillingPeriod;
use domain::Result;
use domain::ids::BillingAccountId;
use engine::{Filter, Input, Scan};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{AccountClose, CloseState};

/// A closed billing period of an account.
pub(crate) struct ClosedPeriod {
    pub(crate) period: BillingPeriod,
    pub(crate) close: AccountClose,
    /// Whether it may come out otherwise now than its close saw it.
    pub(crate) has_changed: bool,
}

impl Inner {
    /// The closed billing periods of an account, oldest first.
    pub(crate) async fn closed_periods(
        self: &Arc<Self>,
        declared: &Declared,
        account: &BillingAccountId,
    ) -> Result<Vec<ClosedPeriod>> {
        let mut all = Vec::new();
        // Counters may reach beyond a period: what changed in one may change the later ones.
        let mut has_changed = false;
        for row in self.closes_of(account).await? {
            let CloseState::Closed { closed: close, link: _ } = row.state else { continue };
            let period = period_of(row.period)?;
            has_changed =
                has_changed || self.has_changed(declared, (account, period), &close).await?;
            all.push(ClosedPeriod { period, close, has_changed });
        }
        Ok(all)
    }

    /// Whether records of an account, or facts about it, have come since a close of its period.
    async fn has_changed(
        self: &Arc<Self>,
        declared: &Declared,
        (account, period): (&BillingAccountId, BillingPeriod),
        close: &AccountClose,
    ) -> Result<bool> {
        if declared.has_touched(close.company_version, account) {
            return Ok(true);
        }
        let Some(code) = self.codes.find(codes::ACCOUNT, account.as_str()) else {
            return Ok(false);
        };
        let (since, bucket) = (close.end_sequence, self.bucket_of(account));
        let earlier = self.earlier_periods(declared, period);
        for period in std::iter::once(period).chain(earlier) {
            if self.late_in(CellKey { period, bucket }, since).await?.contains(&code) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The accounts of a cell's records from a sequence of its shard on; found once for each close.
    async fn late_in(self: &Arc<Self>, key: CellKey, since: u64) -> Result<Arc<BTreeSet<i32>>> {
        let cell = self.cells.cell(key);
        let state = cell.state().clone();
        let since = (since, state.end_sequence());
        if since.0 >= since.1 {
            return Ok(Arc::default());
        }
        if let Some(late) = cell.late(since) {
            return Ok(late);
        }
        let late = Arc::new(self.accounts_since(&state, since.0).await?);
        cell.keep_late(since, Arc::clone(&late));
        Ok(late)
    }

    /// The accounts of a cell's records from a sequence of its shard on.
    async fn accounts_since(
        self: &Arc<Self>,
        state: &CellState,
        since: u64,
    ) -> Result<BTreeSet<i32>> {
        let newer = state.tail.iter().filter(|record| record.position.sequence >= since).cloned();
        let (_, mut units) = self.units_of(&newer.collect::<Vec<_>>()).await?;
        let files = state.usage.iter().filter(|file| file.end_sequence > since);
        let inputs: Vec<Input> = files.map(|file| Input::file(Arc::clone(&file.facts))).collect();
        if !inputs.is_empty() {
            let from = i64::try_from(since).unwrap_or(i64::MAX);
            let filters = vec![Filter::Between { column: "sequence", from, until: i64::MAX }];
            let (schema, columns) = (usage_rows::schema()?, vec!["unit"]);
            let scan = Scan { schema, inputs, filters, columns, order_by: Vec::new(), limit: None };
            let failed = crate::engine_failed("read usage");
            let rows = self.engine.scan(&scan).await.map_err(&failed)?.collect().await;
            let rows = rows.map_err(&failed)?;
            units.extend(rows.i64("unit").map_err(&failed)?.iter().flatten());
        }
        Ok(units.into_iter().map(account_of).collect())
    }
}
