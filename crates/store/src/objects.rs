//! The catalogue of objects: a file is visible only through its row.

use crate::checksum::{changed_rows, with_checksum};
use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Result, Store, StoreError};
use calendar::Instant;

/// An object to make visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewObject {
    /// Which table it is part of: `usage`, `rated`, …
    pub table: String,
    /// Its billing period as a number: 202603; 0 for none.
    pub period: i32,
    /// Its bucket.
    pub bucket: i32,
    /// Where it lies; never used twice.
    pub path: String,
    /// What the engine knows about it, as text.
    pub facts: String,
    /// First log sequence that it covers.
    pub first_sequence: u64,
    /// End of what it covers, exclusive.
    pub end_sequence: u64,
    /// Number of the newest company fact that went into it.
    pub company_version: u64,
}

/// A visible object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// Its id; never used twice.
    pub id: u64,
    /// Which table it is part of.
    pub table: String,
    /// Its billing period as a number: 202603; 0 for none.
    pub period: i32,
    /// Its bucket.
    pub bucket: i32,
    /// Where it lies.
    pub path: String,
    /// What the engine knows about it, as text.
    pub facts: String,
    /// First log sequence that it covers.
    pub first_sequence: u64,
    /// End of what it covers, exclusive.
    pub end_sequence: u64,
    /// Number of the newest company fact that went into it.
    pub company_version: u64,
    /// When it was published: system time.
    pub created_at: Instant,
}

/// An object that is no longer visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredObject {
    /// Its id.
    pub id: u64,
    /// Where it lies.
    pub path: String,
}

/// A shard's move from one sealed position to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealing {
    /// The shard.
    pub shard: u16,
    /// Up to where it was sealed, exclusive; 0 for never.
    pub from: u64,
    /// Up to where it is sealed now, exclusive.
    pub until: u64,
}

/// Everything that becomes visible at one moment, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Objects that become visible.
    pub add: Vec<NewObject>,
    /// Ids of visible objects that are superseded.
    pub retire: Vec<u64>,
    /// Shards whose log is sealed further than before.
    pub sealed: Vec<Sealing>,
    /// When: system time.
    pub at: Instant,
}

statements! {
    INSERT = "INSERT INTO objects (table_name, period, bucket, path, facts, first_sequence,
            end_sequence, company_version, created_at, checksum)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";
    RETIRE = "UPDATE objects SET retired_at = $1 WHERE id = $2 AND retired_at IS NULL";
    SEALED_AT = "SELECT sequence FROM sealed WHERE shard = $1";
    SEAL = "INSERT INTO sealed (shard, sequence) VALUES ($1, $2)
        ON CONFLICT (shard) DO UPDATE SET sequence = excluded.sequence";
    SEALED = "SELECT shard, sequence FROM sealed ORDER BY shard";
    LIVE = "SELECT id, table_name, period, bucket, path, facts, first_sequence, end_sequence,
            company_version, created_at
        FROM objects WHERE retired_at IS NULL ORDER BY id";
    PATHS = "SELECT path FROM objects";
    RETIRED = "SELECT id, path FROM objects WHERE retired_at < $1 ORDER BY id";
    FORGET = "DELETE FROM objects WHERE id = $1 AND retired_at IS NOT NULL";
    IS_LIVE = "SELECT id FROM objects WHERE id = $1";
    /// For [`crate::checksum`].
    ROWS = "SELECT path, table_name, period, bucket, path, facts, first_sequence, end_sequence,
            company_version, created_at, checksum
        FROM objects WHERE retired_at IS NULL ORDER BY id";
}

impl Store {
    /// Publishes in one transaction; returns the ids of the objects added, in order.
    ///
    /// Errors: [`StoreError::Stale`] when a shard is sealed elsewhere than `from` says, or an
    /// object to retire is no longer visible; [`StoreError::Refused`] when a position would fall.
    pub fn publish(&self, publication: &Publication) -> Result<Vec<u64>> {
        let Publication { add, retire, sealed, at } = publication;
        self.pool.write(|connection| {
            for sealing in sealed {
                seal(connection, *sealing)?;
            }
            for id in retire {
                if connection.execute(RETIRE, values![at, id])? == 0 {
                    return Err(stale("object", id, 1, 0));
                }
            }
            add.iter().map(|object| insert(connection, object, *at)).collect()
        })
    }

    /// Every visible object, by id.
    pub fn objects(&self) -> Result<Vec<ObjectRow>> {
        self.pool.read(|connection| connection.rows(LIVE, values![], read))
    }

    /// Where objects lie, visible and retired ones.
    pub fn object_paths(&self) -> Result<Vec<String>> {
        self.pool.read(|connection| connection.rows(PATHS, values![], Row::take))
    }

    /// Up to where each shard's log is sealed, exclusive; a shard never sealed is left out.
    pub fn sealed(&self) -> Result<Vec<(u16, u64)>> {
        self.pool.read(|connection| {
            connection.rows(SEALED, values![], |row| Ok((row.take()?, row.take()?)))
        })
    }

    /// Objects that ceased to be visible before `moment`.
    pub fn retired_before(&self, moment: Instant) -> Result<Vec<RetiredObject>> {
        self.pool.read(|connection| {
            connection.rows(RETIRED, values![moment], |row| {
                Ok(RetiredObject { id: row.take()?, path: row.take()? })
            })
        })
    }

    /// Forgets retired objects, once their files are gone; unknown ids are passed over.
    ///
    /// Errors: [`StoreError::Refused`] for an object that is visible.
    pub fn forget_objects(&self, ids: &[u64]) -> Result<()> {
        self.pool.write(|connection| {
            for id in ids {
                let forgotten = connection.execute(FORGET, values![id])? > 0;
                if !forgotten && connection.row(IS_LIVE, values![id], Row::take::<u64>)?.is_some() {
                    return Err(StoreError::refused("object", id, "is still visible"));
                }
            }
            Ok(())
        })
    }
}

fn seal(connection: &mut dyn Connection, sealing: Sealing) -> Result<()> {
    let Sealing { shard, from, until } = sealing;
    let found = connection.row(SEALED_AT, values![shard], Row::take)?.unwrap_or(0);
    if found != from {
        return Err(stale("shard", &u64::from(shard), from, found));
    }
    if until < from {
        let problem = format!("is sealed up to {from}, which cannot fall to {until}");
        return Err(StoreError::refused("shard", shard, problem));
    }
    connection.execute(SEAL, values![shard, until]).map(drop)
}

fn stale(what: &'static str, key: &u64, expected: u64, found: u64) -> StoreError {
    StoreError::Stale { what, key: key.to_string(), expected, found }
}

fn insert(connection: &mut dyn Connection, object: &NewObject, at: Instant) -> Result<u64> {
    let NewObject {
        table,
        period,
        bucket,
        path,
        facts,
        first_sequence,
        end_sequence,
        company_version,
    } = object;
    let values = values![
        table,
        period,
        bucket,
        path,
        facts,
        first_sequence,
        end_sequence,
        company_version,
        at
    ];
    connection.one(INSERT, &with_checksum(values), Row::take)
}

/// Which rows of the catalogue are not what was written.
pub(crate) fn changed(connection: &mut dyn Connection) -> Result<Vec<String>> {
    changed_rows(connection, "object", ROWS)
}

fn read(row: &mut Row) -> Result<ObjectRow> {
    Ok(ObjectRow {
        id: row.take()?,
        table: row.take()?,
        period: row.take()?,
        bucket: row.take()?,
        path: row.take()?,
        facts: row.take()?,
        first_sequence: row.take()?,
        end_sequence: row.take()?,
        company_version: row.take()?,
        created_at: row.take()?,
    })
}
