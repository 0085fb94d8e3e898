//! What the accounts of a billing period come to, cell by cell: a file of rated rows is read a few
//! times in all, and not once for each account.

use crate::account_closes::{is_of_the_account, with_causes};
use crate::account_usage::by_account;
use crate::cells::CellKey;
use crate::declared::Declared;
use crate::rating::View;
use crate::{Inner, codes, rated_rows};
use calendar::{BillingPeriod, Day};
use domain::chain::{Digest, RowsHash};
use domain::closes::{Charges, Payer};
use domain::credits;
use domain::ids::BillingAccountId;
use domain::rated::RatedRow;
use domain::usage::Quarantined;
use domain::{Error, Result};
use engine::{Filter, Input, Keep, Scan, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Rated rows of a cell that are in memory at once, about: only a day of one account can have more.
const PORTION_ROWS: u64 = 50_000;
/// Rows are looked for by account for up to so many; a close asks for all of a cell.
const FEW_ACCOUNTS: usize = 100;

/// What an account's usage of a billing period comes to.
pub(crate) struct AccountCharges {
    /// Records that wait in quarantine.
    pub(crate) waiting: Waiting,
    /// Usage before this sequence of the account's shard is in it.
    pub(crate) end_sequence: u64,
    pub(crate) charges: Charges,
    pub(crate) row_count: u64,
    /// Of the rows in canonical order.
    pub(crate) rows_digest: Digest,
    /// What the rows were read from.
    pub(crate) usage: View,
}

/// How many records wait in quarantine, by reason and field.
pub(crate) type Waiting = BTreeMap<(&'static str, String), u64>;

/// By account; an error is the account's own, so that the others can go on.
pub(crate) type PeriodCharges = BTreeMap<BillingAccountId, Result<AccountCharges>>;

/// Rated rows of some accounts of a cell that are read together.
#[derive(Debug, PartialEq, Eq)]
struct Portion {
    /// Codes of accounts.
    accounts: Vec<i32>,
    /// Only of these days of the only account, by their numbers; of all days if none.
    days: Option<Range<i32>>,
}

/// One account's rows, added up as they come.
#[derive(Default)]
struct Adding {
    charges: Charges,
    hash: RowsHash,
    row_count: u64,
}

impl Inner {
    /// Adds up the rated rows of accounts, and what they are charged without usage; `done` is told
    /// of how many more accounts it is done.
    ///
    /// Errors: those of storage.
    pub(crate) async fn period_charges(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        (accounts, period): (Vec<BillingAccountId>, BillingPeriod),
        done: impl Fn(u64),
    ) -> Result<PeriodCharges> {
        let mut by_bucket: BTreeMap<u16, Vec<BillingAccountId>> = BTreeMap::new();
        for id in accounts {
            by_bucket.entry(self.bucket_of(&id)).or_default().push(id);
        }
        let (mut cells, mut running) = (by_bucket.into_iter(), JoinSet::new());
        let mut all = PeriodCharges::new();
        loop {
            // Cells do not touch each other: as many at once as there are threads.
            while running.len() < self.config.threads.max(1)
                && let Some((bucket, accounts)) = cells.next()
            {
                let (inner, declared) = (Arc::clone(self), Arc::clone(declared));
                let key = CellKey { period, bucket };
                running.spawn(async move {
                    let cell = inner.cell_charges(declared, key, accounts.clone()).await;
                    (accounts, cell)
                });
            }
            match running.join_next().await {
                None => return Ok(all),
                Some(Ok((_, Ok(cell)))) => {
                    done(cell.len() as u64);
                    all.extend(cell);
                }
                // What keeps a cell from being added up parks its accounts, and no others.
                Some(Ok((accounts, Err(error)))) if is_of_the_account(&error) => {
                    done(accounts.len() as u64);
                    let failed = || Err(Error::invalid("usage", with_causes(&error)));
                    all.extend(accounts.into_iter().map(|id| (id, failed())));
                }
                Some(Ok((_, Err(error)))) => return Err(error),
                Some(Err(error)) => return Err(Error::internal("add up rated usage", error)),
            }
        }
    }

    async fn cell_charges(
        self: Arc<Self>,
        declared: Arc<Declared>,
        key: CellKey,
        accounts: Vec<BillingAccountId>,
    ) -> Result<PeriodCharges> {
        let view = self.refresh(key).await?;
        let code = |id: &BillingAccountId| self.codes.find(codes::ACCOUNT, id.as_str());
        let codes: BTreeSet<i32> = accounts.iter().filter_map(code).collect();
        let mut sums: BTreeMap<BillingAccountId, Result<Adding>> =
            accounts.into_iter().map(|id| (id, Ok(Adding::default()))).collect();
        let counts = self.row_counts(&view, &codes).await?;
        for portion in portions(&counts, PORTION_ROWS) {
            let rows = self.portion_rows(&view, &portion).await?;
            let (this, declared) = (Arc::clone(&self), Arc::clone(&declared));
            sums = crate::blocking(move || {
                for (id, rows) in by_account(rated_rows::from_columns(&this.codes, &rows)?) {
                    if let Some(sum) = sums.get_mut(&id)
                        && let Ok(adding) = sum
                        && let Err(error) = add_up(&declared, (&id, key.period), adding, rows)
                    {
                        *sum = Err(error);
                    }
                }
                Ok(sums)
            })
            .await?;
        }
        let mut waiting = waiting(&view);
        let mut counted: BTreeMap<i32, u64> = BTreeMap::new();
        for ((account, _), count) in counts {
            let sum = counted.entry(account).or_default();
            *sum = sum.saturating_add(count);
        }
        let finish = |(id, sum): (BillingAccountId, Result<Adding>)| {
            let waiting = waiting.remove(&id).unwrap_or_default();
            let charged = sum.and_then(|sum| {
                let Adding { mut charges, hash, row_count } = sum;
                let counted = code(&id).and_then(|code| counted.get(&code)).copied();
                if counted.unwrap_or(0) != row_count {
                    return Err(Error::internal("add up rated usage", "rows were left out"));
                }
                let payer = Payer::of(&declared.book, &id, key.period)?;
                payer.add_charges_without_usage(&mut charges)?;
                let (end_sequence, rows_digest) = (view.end_sequence(), hash.digest());
                let usage = view.clone();
                Ok(AccountCharges { waiting, end_sequence, charges, row_count, rows_digest, usage })
            });
            (id, charged)
        };
        Ok(sums.into_iter().map(finish).collect())
    }

    /// How many rated rows there are of each day of some accounts: accounts by code, days by
    /// number.
    async fn row_counts(
        &self,
        view: &View,
        codes: &BTreeSet<i32>,
    ) -> Result<BTreeMap<(i32, i32), u64>> {
        let mut counts = BTreeMap::new();
        let inputs = packed(view);
        if inputs.is_empty() || codes.is_empty() {
            return Ok(counts);
        }
        let (schema, columns) = (rated_rows::schema()?, vec!["account", "day"]);
        let (filters, order_by) = (few_accounts(codes), Vec::new());
        let scan = Scan { schema, inputs, filters, columns, order_by, limit: None };
        let failed = crate::engine_failed("count rated rows");
        let mut stream = self.engine.scan(&scan).await.map_err(&failed)?;
        while let Some(rows) = stream.next().await.map_err(&failed)? {
            let accounts = rows.i32("account").map_err(&failed)?;
            let days = rows.i32("day").map_err(&failed)?;
            let of_rows = accounts.values().iter().copied().zip(days.values().iter().copied());
            for of in of_rows.filter(|(account, _)| codes.contains(account)) {
                let count: &mut u64 = counts.entry(of).or_default();
                *count = count.saturating_add(1);
            }
        }
        Ok(counts)
    }

    async fn portion_rows(&self, view: &View, portion: &Portion) -> Result<engine::Rows> {
        let mut filters = vec![of_accounts(portion.accounts.iter().copied())];
        if let Some(days) = &portion.days {
            let start = |day: i32| Day::from_number(day).start().micros();
            let (from, until) = (start(days.start), start(days.end));
            filters.push(Filter::Between { column: "start", from, until });
        }
        self.scan_all(rated_rows::schema()?, packed(view), filters).await
    }
}

fn of_accounts(codes: impl Iterator<Item = i32>) -> Filter {
    let values = codes.map(|code| Value::Int(i64::from(code))).collect();
    Filter::In { column: "account", values }
}

/// Parts of files in which none of a few accounts has rows are not read.
fn few_accounts(codes: &BTreeSet<i32>) -> Vec<Filter> {
    match codes.len() <= FEW_ACCOUNTS {
        true => vec![of_accounts(codes.iter().copied())],
        false => Vec::new(),
    }
}

/// All rated rows of a view, without keeping them decoded: a close reads them once.
pub(crate) fn packed(view: &View) -> Vec<Input> {
    let pack = |input| match input {
        Input::File { facts, without, .. } => Input::File { facts, without, keep: Keep::Packed },
        memory @ Input::Memory(_) => memory,
    };
    view.rows().into_iter().map(pack).collect()
}

/// Each account's records that wait.
fn waiting(view: &View) -> BTreeMap<BillingAccountId, Waiting> {
    let mut all: BTreeMap<BillingAccountId, Waiting> = BTreeMap::new();
    for Quarantined { key, reason, field, .. } in view.waiting() {
        let counts = all.entry(key.billing_account.clone()).or_default();
        let count = counts.entry((reason.name(), field.to_string())).or_default();
        *count = count.saturating_add(1);
    }
    all
}

/// Adds an account's rows of a portion, in canonical order.
fn add_up(
    declared: &Declared,
    (id, period): (&BillingAccountId, BillingPeriod),
    adding: &mut Adding,
    rows: Vec<RatedRow>,
) -> Result<()> {
    let payer = Payer::of(&declared.book, id, period)?;
    let spans = credits::cuts(period.interval(), declared.company.lots_of(id));
    for row in rows {
        payer.add_row(&mut adding.charges, &row, &spans)?;
        adding.row_count = adding.row_count.saturating_add(1);
        adding.hash.add(row)?;
    }
    Ok(())
}

/// Cuts accounts, in the order of their codes, which is that of files, into portions of about
/// `most` rows. An account with more is cut by days: rows are hashed in the order of time.
fn portions(counts: &BTreeMap<(i32, i32), u64>, most: u64) -> Vec<Portion> {
    let mut accounts: BTreeMap<i32, BTreeMap<i32, u64>> = BTreeMap::new();
    for ((account, day), count) in counts {
        accounts.entry(*account).or_default().insert(*day, *count);
    }
    let mut portions: Vec<Portion> = Vec::new();
    let mut left = 0_u64;
    for (account, days) in accounts {
        let rows = days.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        if rows > most {
            portions.extend(days_of(account, &days, most));
            left = 0;
            continue;
        }
        match portions.last_mut().filter(|_| rows <= left) {
            Some(portion) => portion.accounts.push(account),
            None => {
                portions.push(Portion { accounts: vec![account], days: None });
                left = most;
            }
        }
        left = left.saturating_sub(rows);
    }
    portions
}

/// Cuts the days of a large account into portions, in order.
fn days_of(account: i32, days: &BTreeMap<i32, u64>, most: u64) -> Vec<Portion> {
    let mut ranges: Vec<Range<i32>> = Vec::new();
    let mut left = 0_u64;
    for (day, rows) in days {
        let end = day.saturating_add(1);
        match ranges.last_mut().filter(|_| *rows <= left) {
            Some(range) => range.end = end,
            None => {
                ranges.push(*day..end);
                left = most;
            }
        }
        left = left.saturating_sub(*rows);
    }
    let portion = |days| Portion { accounts: vec![account], days: Some(days) };
    ranges.into_iter().map(portion).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_few_accounts_are_looked_for_by_account() {
        let filters = |count: i32| few_accounts(&(0..count).collect());
        let values = [Value::Int(0), Value::Int(1)].to_vec();
        assert_eq!(filters(2), [Filter::In { column: "account", values }]);
        assert_eq!(filters(100).len(), 1);
        assert_eq!(filters(101), []);
    }

    #[test]
    fn portions_hold_whole_accounts_and_large_accounts_are_cut_by_days() {
        fn check(counts: &[((i32, i32), u64)], expected: &[(&[i32], Option<Range<i32>>)]) {
            let counts = counts.iter().copied().collect();
            let expected: Vec<Portion> = expected
                .iter()
                .map(|(accounts, days)| Portion { accounts: accounts.to_vec(), days: days.clone() })
                .collect();
            assert_eq!(portions(&counts, 10), expected);
        }
        check(&[], &[]);
        check(&[((1, 0), 10)], &[(&[1], None)]);
        check(&[((1, 0), 4), ((1, 1), 1), ((2, 0), 5)], &[(&[1, 2], None)]);
        check(&[((1, 0), 4), ((2, 0), 7), ((3, 0), 3)], &[(&[1], None), (&[2, 3], None)]);
        let large = [((1, 0), 1), ((2, 3), 6), ((2, 4), 4), ((2, 9), 1), ((3, 0), 1)];
        check(&large, &[(&[1], None), (&[2], Some(3..5)), (&[2], Some(9..10)), (&[3], None)]);
        // A day is the least that is read.
        check(&[((1, 5), 99), ((1, 6), 1)], &[(&[1], Some(5..6)), (&[1], Some(6..7))]);
    }
}
