//! The rated usage of one account in one billing period: as it is now, and as a close saw it.

use crate::cells::CellKey;
use crate::declared::Declared;
use crate::rating::{Read, View, portions};
use crate::units::{account_of, meter_code};
use crate::{Inner, codes};
use calendar::BillingPeriod;
use domain::Result;
use domain::chain::{Digest, RowsHash};
use domain::ids::{BillingAccountId, MeterId};
use domain::invoice::LineKey;
use domain::rated::RatedRow;
use domain::rating::Rated;
use domain::usage::Quarantined;
use engine::{Filter, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rated usage of the cell that an account is in.
pub(crate) struct AccountUsage {
    view: View,
    /// Usage before this sequence of the account's shard is in it.
    pub(crate) end_sequence: u64,
    /// The code of the account; none before it has any usage.
    code: Option<i32>,
}

impl AccountUsage {
    /// The account's records that wait in quarantine.
    pub(crate) fn waiting(&self, account: &BillingAccountId) -> Vec<Quarantined> {
        let of = |waits: &&Quarantined| waits.key.billing_account == *account;
        self.view.waiting().filter(of).cloned().collect()
    }
}

/// The digest of rows in canonical order.
pub(crate) fn digest_of(rows: Vec<RatedRow>) -> Result<Digest> {
    let mut hash = RowsHash::default();
    rows.into_iter().try_for_each(|row| hash.add(row))?;
    Ok(hash.digest())
}

impl Inner {
    /// An account's usage, rated by what is declared now.
    pub(crate) async fn account_usage(
        self: &Arc<Self>,
        account: &BillingAccountId,
        period: BillingPeriod,
    ) -> Result<AccountUsage> {
        let key = CellKey { period, bucket: self.bucket_of(account) };
        let view = self.refresh(key).await?;
        let end_sequence = view.end_sequence();
        let code = self.codes.find(codes::ACCOUNT, account.as_str());
        Ok(AccountUsage { view, end_sequence, code })
    }

    /// The rated rows of an account's usage, in canonical order.
    pub(crate) async fn rows_of(&self, usage: &AccountUsage) -> Result<Vec<RatedRow>> {
        let Some(code) = usage.code else { return Ok(Vec::new()) };
        let values = vec![Value::Int(i64::from(code))];
        let filters = vec![Filter::In { column: "account", values }];
        self.rated_rows(usage.view.rows(), filters).await
    }

    /// Rows of an account's usage that may stand on a line: those of its meter and subscription, in
    /// canonical order.
    pub(crate) async fn rows_of_line(
        &self,
        usage: &AccountUsage,
        key: &LineKey,
    ) -> Result<Vec<RatedRow>> {
        let Some(account) = usage.code else { return Ok(Vec::new()) };
        let (Some(meter), Some(subscription)) = (&key.meter, &key.subscription) else {
            return Ok(Vec::new());
        };
        let meter = self.codes.find(codes::METER, meter.as_str());
        let subscription = self.codes.find(codes::SUBSCRIPTION, subscription.as_str());
        let (Some(meter), Some(subscription)) = (meter, subscription) else {
            return Ok(Vec::new());
        };
        let only = |column, code: i32| {
            let values = vec![Value::Int(i64::from(code))];
            Filter::In { column, values }
        };
        let filters = vec![
            only("account", account),
            only("meter", meter),
            only("subscription", subscription),
        ];
        self.rated_rows(usage.view.rows(), filters).await
    }

    /// Rates an account's usage again from its records: those before a sequence of its shard, by
    /// what was declared up to a fact. In canonical order. Where a meter is named, only its rows
    /// and those that are rated together with them.
    pub(crate) async fn rated_again(
        self: &Arc<Self>,
        (account, meter): (&BillingAccountId, Option<&MeterId>),
        period: BillingPeriod,
        seen: (u64, &Arc<Declared>),
    ) -> Result<Vec<RatedRow>> {
        let key = CellKey { period, bucket: self.bucket_of(account) };
        let accounts = BTreeSet::from([account.clone()]);
        let mut all = Vec::new();
        self.rate_again(key, (&accounts, meter), seen, |_, rows| {
            all = rows;
            Ok(())
        })
        .await?;
        Ok(all)
    }

    /// The rows of one meter of an account alone, as [`Inner::rated_again`] rates them, each once
    /// in memory. Their records, and those that are rated together with them, are in memory until
    /// they are rated.
    pub(crate) async fn meter_rated_again(
        self: &Arc<Self>,
        (account, meter): (&BillingAccountId, &MeterId),
        period: BillingPeriod,
        seen: (u64, &Arc<Declared>),
    ) -> Result<Vec<RatedRow>> {
        let key = CellKey { period, bucket: self.bucket_of(account) };
        let accounts = BTreeSet::from([account.clone()]);
        let wanted = meter.clone();
        let of_meter = move |rated: Vec<(i64, Rated)>| -> Vec<RatedRow> {
            // The rows of a unit are all of one meter.
            let is_wanted = |rows: &Vec<RatedRow>| rows.first().is_some_and(|r| r.meter == wanted);
            let mut rows = rated.into_iter().map(|(_, rated)| rated.rows);
            rows.find(is_wanted).unwrap_or_default()
        };
        let mut all = Vec::new();
        self.rate_units_again(
            key,
            (&accounts, Some(meter)),
            seen,
            of_meter,
            |rows: Vec<RatedRow>| {
                if !rows.is_empty() {
                    all = rows;
                }
                Ok(())
            },
        )
        .await?;
        Ok(all)
    }

    /// As [`Inner::rated_again`], of several accounts of a cell: `take` gets the rows of one after
    /// the other, and nothing of those without any.
    ///
    /// Errors: those of `take`.
    pub(crate) async fn rate_again(
        self: &Arc<Self>,
        key: CellKey,
        of: (&BTreeSet<BillingAccountId>, Option<&MeterId>),
        seen: (u64, &Arc<Declared>),
        mut take: impl FnMut(BillingAccountId, Vec<RatedRow>) -> Result<()>,
    ) -> Result<()> {
        type ByAccount = BTreeMap<BillingAccountId, Vec<RatedRow>>;
        let sorted = |rated: Vec<(i64, Rated)>| -> ByAccount {
            by_account(rated.into_iter().flat_map(|(_, rated)| rated.rows))
        };
        self.rate_units_again(key, of, seen, sorted, |accounts: ByAccount| {
            accounts.into_iter().try_for_each(|(id, rows)| take(id, rows))
        })
        .await
    }

    /// Rates units of some accounts of a cell again, those of an account together: `take` gets what
    /// is `made` of them, off the threads that answer.
    ///
    /// Errors: those of `take`.
    async fn rate_units_again<T: Send + 'static>(
        self: &Arc<Self>,
        key: CellKey,
        (accounts, meter): (&BTreeSet<BillingAccountId>, Option<&MeterId>),
        (end_sequence, declared): (u64, &Arc<Declared>),
        made: impl Fn(Vec<(i64, Rated)>) -> T + Clone + Send + 'static,
        mut take: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let code = |id: &BillingAccountId| self.codes.find(codes::ACCOUNT, id.as_str());
        let codes: BTreeSet<i32> = accounts.iter().filter_map(code).collect();
        let state = self.cells.cell(key).state().clone();
        let tail = self.read_records(&state.tail).await?;
        let mut units: BTreeSet<i64> = Inner::known_units(&state).collect();
        units.extend(tail.iter().map(Read::unit));
        units.extend(state.overlay.iter().flat_map(|overlay| overlay.units.iter().copied()));
        units.extend(self.standing_units(declared, key, &state).await?);
        units.retain(|unit| codes.contains(&account_of(*unit)));
        if let Some(meter) = meter {
            let meter = self.codes.find(codes::METER, meter.as_str());
            units.retain(|unit| Some(meter_code(*unit)) == meter);
            units = self.with_coupled(declared, key.period, units).await?;
        }
        let mut of_tail: BTreeMap<i64, Vec<Read>> = BTreeMap::new();
        for read in tail.into_iter().filter(|read| units.contains(&read.unit())) {
            of_tail.entry(read.unit()).or_default().push(read);
        }
        // An account's rows are wanted together, so none is cut.
        for units in portions(&state, units, &codes) {
            let mut by_unit: BTreeMap<i64, Vec<Read>> =
                units.iter().map(|unit| (*unit, Vec::new())).collect();
            let tail = units.iter().filter_map(|unit| of_tail.remove(unit)).flatten();
            let tail: Vec<Read> = tail.collect();
            let sealed = self.sealed_records(&state, &units).await?;
            for read in sealed.into_iter().chain(tail).filter(|r| r.sequence() < end_sequence) {
                if let Some(records) = by_unit.get_mut(&read.unit()) {
                    records.push(read);
                }
            }
            let carried = self.carried(declared, (key, end_sequence), &units).await?;
            let (this, declared, made) = (Arc::clone(self), Arc::clone(declared), made.clone());
            let rated = crate::blocking(move || {
                Ok(made(this.rate_all(&declared, key.period, by_unit, &carried)?))
            });
            take(rated.await?)?;
        }
        Ok(())
    }
}

/// Rows of each account, in canonical order.
pub(crate) fn by_account(
    rows: impl IntoIterator<Item = RatedRow>,
) -> BTreeMap<BillingAccountId, Vec<RatedRow>> {
    let mut all: BTreeMap<BillingAccountId, Vec<RatedRow>> = BTreeMap::new();
    for row in rows {
        match all.get_mut(&row.billing_account) {
            Some(rows) => rows.push(row),
            None => drop(all.insert(row.billing_account.clone(), vec![row])),
        }
    }
    for rows in all.values_mut() {
        rows.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    }
    all
}
