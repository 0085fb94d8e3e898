//! Quarantine: which records cannot be rated yet. Derived; replaced as a whole per account and
//! period, together with the rated usage that it belongs to.

use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Result, Store};

/// A record that cannot be rated yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuarantineRow {
    /// For whom.
    pub billing_account: String,
    /// Its billing period as a number: 202603; 0 when it cannot be told.
    pub period: i32,
    /// Its shard in the usage log.
    pub shard: u16,
    /// Its sequence there.
    pub sequence: u64,
    /// From where.
    pub source: String,
    /// Its id there.
    pub record_id: String,
    /// Why.
    pub reason: String,
    /// Which field.
    pub field: String,
}

/// The whole quarantine of an account and period, as it is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineChange {
    /// For whom.
    pub billing_account: String,
    /// Its billing period as a number.
    pub period: i32,
    /// What waits; all of this account and period.
    pub rows: Vec<QuarantineRow>,
}

statements! {
    CLEAR = "DELETE FROM quarantine WHERE billing_account = $1 AND period = $2";
    INSERT = "INSERT INTO quarantine (billing_account, period, shard, sequence, source, record_id,
            reason, field)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    LIST = "SELECT billing_account, period, shard, sequence, source, record_id, reason, field
        FROM quarantine WHERE (billing_account, period, shard, sequence) > ($1, $2, $3, $4)
        ORDER BY billing_account, period, shard, sequence LIMIT $5";
    LIST_OF = "SELECT billing_account, period, shard, sequence, source, record_id, reason, field
        FROM quarantine
        WHERE billing_account = $1 AND (period, shard, sequence) > ($2, $3, $4)
        ORDER BY period, shard, sequence LIMIT $5";
}

impl Store {
    /// Lists up to `limit` rows of one account or of all, after the last row of the page before.
    pub fn quarantine(
        &self,
        billing_account: Option<&str>,
        limit: u64,
        after: Option<&QuarantineRow>,
    ) -> Result<Vec<QuarantineRow>> {
        let (last_account, period, shard, sequence) = after.map_or(("", -1, -1, -1), |row| {
            let sequence = i64::try_from(row.sequence).unwrap_or(i64::MAX);
            (row.billing_account.as_str(), i64::from(row.period), i64::from(row.shard), sequence)
        });
        let (statement, account) = match billing_account {
            Some(account) => (LIST_OF, account),
            None => (LIST, last_account),
        };
        self.pool.read(|connection| {
            connection.rows(statement, values![account, period, shard, sequence, limit], read)
        })
    }
}

/// Replaces in the caller's transaction.
pub(crate) fn replace(connection: &mut dyn Connection, change: &QuarantineChange) -> Result<()> {
    let QuarantineChange { billing_account, period, rows } = change;
    connection.execute(CLEAR, values![billing_account, period])?;
    for row in rows {
        let QuarantineRow {
            billing_account,
            period,
            shard,
            sequence,
            source,
            record_id,
            reason,
            field,
        } = row;
        let values =
            values![billing_account, period, shard, sequence, source, record_id, reason, field];
        connection.execute(INSERT, values)?;
    }
    Ok(())
}

fn read(row: &mut Row) -> Result<QuarantineRow> {
    Ok(QuarantineRow {
        billing_account: row.take()?,
        period: row.take()?,
        shard: row.take()?,
        sequence: row.take()?,
        source: row.take()?,
        record_id: row.take()?,
        reason: row.take()?,
        field: row.take()?,
    })
}
