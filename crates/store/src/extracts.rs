//! Extracts: what each imported file covered. Facts: appended, never changed.

use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Note, Result, Store};
use calendar::Instant;

/// An extract to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExtract {
    /// From where.
    pub source: String,
    /// For whom.
    pub billing_account: String,
    /// Which time its days are: `usage` or `reported`.
    pub axis: String,
    /// First day it covers: days since 1970-01-01.
    pub from_day: i32,
    /// End of what it covers, exclusive.
    pub until_day: i32,
    /// Name of the file.
    pub file: String,
    /// Hash of the file.
    pub file_hash: String,
    /// How many rows it has.
    pub rows: u64,
    /// Hashes of its records' keys: 16 bytes each, sorted.
    pub members: Vec<u8>,
}

/// An extract as it stands in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractRow {
    /// Its id: 1, 2, 3, … without gaps; of two, the greater is the newer.
    pub id: u64,
    /// What it says.
    pub extract: NewExtract,
    /// When it was appended: system time.
    pub at: Instant,
    /// Who appended it.
    pub actor: String,
    /// Id of the request it came with.
    pub request_id: String,
}

statements! {
    NEXT = "SELECT COALESCE(MAX(id), 0) + 1 FROM extracts";
    INSERT = "INSERT INTO extracts (id, source, billing_account, axis, from_day, until_day, file,
            file_hash, row_count, members, recorded_at, actor, request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    AFTER = "SELECT id, source, billing_account, axis, from_day, until_day, file, file_hash,
            row_count, members, recorded_at, actor, request_id
        FROM extracts WHERE id > $1 ORDER BY id";
}

impl Store {
    /// Appends extracts, all or none, with their entry in the audit log; returns their ids.
    pub fn append_extracts(&self, extracts: &[NewExtract], note: &Note) -> Result<Vec<u64>> {
        self.pool.write(|connection| {
            let next: u64 = connection.one(NEXT, values![], Row::take)?;
            let mut ids = Vec::with_capacity(extracts.len());
            for (id, extract) in (next..).zip(extracts) {
                insert(connection, id, extract, note)?;
                let target = format!("extract {id} of {}", extract.source);
                note.audit(connection, "extract.append", target)?;
                ids.push(id);
            }
            Ok(ids)
        })
    }

    /// Every extract after the one with this id, in order.
    pub fn extracts_after(&self, id: u64) -> Result<Vec<ExtractRow>> {
        self.pool.read(|connection| connection.rows(AFTER, values![id], read))
    }
}

fn insert(
    connection: &mut dyn Connection,
    id: u64,
    extract: &NewExtract,
    note: &Note,
) -> Result<()> {
    let NewExtract {
        source,
        billing_account,
        axis,
        from_day,
        until_day,
        file,
        file_hash,
        rows,
        members,
    } = extract;
    let values = values![
        id,
        source,
        billing_account,
        axis,
        from_day,
        until_day,
        file,
        file_hash,
        rows,
        members,
        note.at,
        note.actor,
        note.request_id
    ];
    connection.execute(INSERT, values).map(drop)
}

fn read(row: &mut Row) -> Result<ExtractRow> {
    Ok(ExtractRow {
        id: row.take()?,
        extract: NewExtract {
            source: row.take()?,
            billing_account: row.take()?,
            axis: row.take()?,
            from_day: row.take()?,
            until_day: row.take()?,
            file: row.take()?,
            file_hash: row.take()?,
            rows: row.take()?,
            members: row.take()?,
        },
        at: row.take()?,
        actor: row.take()?,
        request_id: row.take()?,
    })
}
