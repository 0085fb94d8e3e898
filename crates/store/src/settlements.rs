//! Settlements: which of several contents of one key counts. Facts: appended, never changed.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Note, Result, Store};
use calendar::Instant;
use domain::usage::Position;

/// A settlement to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSettlement {
    /// For whom.
    pub billing_account: String,
    /// From where.
    pub source: String,
    /// The record's id there.
    pub record_id: String,
    /// Where the chosen content stands.
    pub chosen: Position,
}

/// A settlement as it stands in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementRow {
    /// Its id: 1, 2, 3, … without gaps; of two on one key, the greater holds.
    pub id: u64,
    /// What it says.
    pub settlement: NewSettlement,
    /// When it was appended: system time.
    pub at: Instant,
    /// Who settled.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Id of the request it came with.
    pub request_id: String,
}

statements! {
    NEXT = "SELECT COALESCE(MAX(id), 0) + 1 FROM settlements";
    INSERT = "INSERT INTO settlements (id, billing_account, source, record_id, shard, sequence,
            epoch, recorded_at, actor, reason, request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    AFTER = "SELECT id, billing_account, source, record_id, shard, sequence, epoch, recorded_at,
            actor, reason, request_id
        FROM settlements WHERE id > $1 ORDER BY id";
}

impl Store {
    /// Appends a settlement with its entry in the audit log; returns its id.
    pub fn append_settlement(&self, settlement: &NewSettlement, note: &Note) -> Result<u64> {
        let NewSettlement { billing_account, source, record_id, chosen } = settlement;
        let Position { shard, sequence, epoch } = chosen;
        self.pool.write(|connection| {
            let id: u64 = connection.one(NEXT, values![], Row::take)?;
            let values = values![
                id,
                billing_account,
                source,
                record_id,
                shard,
                sequence,
                epoch,
                note.at,
                note.actor,
                note.reason,
                note.request_id
            ];
            connection.execute(INSERT, values)?;
            let target = format!("record {record_id} of {source} for {billing_account}");
            note.audit(connection, "conflict.settle", target)?;
            Ok(id)
        })
    }

    /// Every settlement after the one with this id, in order.
    pub fn settlements_after(&self, id: u64) -> Result<Vec<SettlementRow>> {
        self.pool.read(|connection| connection.rows(AFTER, values![id], read))
    }
}

fn read(row: &mut Row) -> Result<SettlementRow> {
    Ok(SettlementRow {
        id: row.take()?,
        settlement: NewSettlement {
            billing_account: row.take()?,
            source: row.take()?,
            record_id: row.take()?,
            chosen: Position { shard: row.take()?, sequence: row.take()?, epoch: row.take()? },
        },
        at: row.take()?,
        actor: row.take()?,
        reason: row.take()?,
        request_id: row.take()?,
    })
}
