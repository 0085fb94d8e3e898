//! Spools: snapshots that page tokens point into, until they expire.

use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Result, Store, StoreError};
use calendar::Instant;

/// A snapshot kept for its pages. Several may share their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Its id.
    pub id: String,
    /// Where its rows lie.
    pub path: String,
    /// How many rows it has.
    pub rows: u64,
    /// How much room they take, in bytes.
    pub size_bytes: u64,
    /// Hash of what was asked.
    pub params_hash: String,
    /// What everything stood at when it was asked; empty until all its rows are written.
    pub stood_at: String,
    /// Who asked.
    pub owner: String,
    /// From when on it may be deleted: system time.
    pub expires_at: Instant,
}

/// How much one owner may keep at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Spools.
    pub most: u64,
    /// Bytes of all of them, each counted in full.
    pub most_bytes: u64,
    /// The moment: system time. What expired by then does not count.
    pub now: Instant,
}

/// What became of a spool that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolKept {
    /// It is kept.
    Yes,
    /// Its owner keeps too many.
    TooMany {
        /// When the first of them expires.
        until: Instant,
    },
    /// Its owner keeps too many bytes.
    TooLarge {
        /// When the first of them expires.
        until: Instant,
    },
}

statements! {
    INSERT = "INSERT INTO spools (id, path, row_count, size_bytes, params_hash, stood_at, owner,
            expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    OWNED = "SELECT COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT),
            COALESCE(MIN(expires_at), 0)
        FROM spools WHERE owner = $1 AND expires_at > $2";
    GET = "SELECT id, path, row_count, size_bytes, params_hash, stood_at, owner, expires_at
        FROM spools WHERE id = $1";
    SAME = "SELECT id, path, row_count, size_bytes, params_hash, stood_at, owner, expires_at
        FROM spools WHERE params_hash = $1 AND stood_at = $2 AND expires_at > $3
        ORDER BY expires_at DESC, id";
    LIVING = "SELECT id, path, row_count, size_bytes, params_hash, stood_at, owner, expires_at
        FROM spools WHERE params_hash = $1 AND stood_at <> '' AND expires_at > $2
        ORDER BY id DESC";
    OTHERS_OWNED = "SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT),
            COALESCE(MIN(expires_at), 0)
        FROM spools WHERE owner = $1 AND expires_at > $2 AND id <> $3";
    GROWN = "UPDATE spools SET row_count = $1, size_bytes = $2, expires_at = $3 WHERE id = $4";
    KEPT = "UPDATE spools SET expires_at = $1 WHERE id = $2";
    WRITTEN = "UPDATE spools SET stood_at = $1 WHERE id = $2";
    EXPIRED = "SELECT id, path, row_count, size_bytes, params_hash, stood_at, owner, expires_at
        FROM spools WHERE expires_at <= $1 ORDER BY expires_at, id";
    FORGOTTEN = "SELECT id, path, row_count, size_bytes, params_hash, stood_at, owner, expires_at
        FROM spools WHERE expires_at <= $1 AND NOT EXISTS (
            SELECT 1 FROM callbacks
            WHERE callbacks.body_path = spools.path AND callbacks.state = 'pending')
        ORDER BY expires_at, id";
    DELETE = "DELETE FROM spools WHERE id = $1";
    OTHERS = "SELECT COUNT(*) FROM spools WHERE path = $1";
}

impl Store {
    /// Keeps a spool, unless its owner would then keep more than the limits allow.
    ///
    /// Errors: [`StoreError::Refused`] when its id is taken.
    pub fn insert_spool(&self, spool: &Spool, limits: SpoolLimits) -> Result<SpoolKept> {
        self.pool.write(|connection| insert(connection, spool, limits))
    }

    /// Keeps a spool that shares the files of another, if that one is still there.
    ///
    /// Errors: as [`Store::insert_spool`]; [`StoreError::Missing`] when the other is gone.
    pub fn share_spool(&self, of: &Spool, spool: &Spool, limits: SpoolLimits) -> Result<SpoolKept> {
        self.pool.write(|connection| {
            if connection.row(GET, values![of.id], read)?.is_none() {
                return Err(StoreError::Missing { what: "spool", key: of.id.clone() });
            }
            insert(connection, spool, limits)
        })
    }

    /// Notes that a spool is to hold more rows and live as long as it says, before they are
    /// written, unless its owner would then keep more bytes than the limits allow.
    ///
    /// Errors: [`StoreError::Missing`] when it is gone.
    pub fn grow_spool(&self, spool: &Spool, limits: SpoolLimits) -> Result<SpoolKept> {
        let Spool { id, rows, size_bytes, owner, expires_at, .. } = spool;
        self.pool.write(|connection| {
            let (others_bytes, until): (u64, Instant) =
                connection.one(OTHERS_OWNED, values![owner, limits.now, id], |row| {
                    Ok((row.take()?, row.take()?))
                })?;
            if others_bytes.saturating_add(*size_bytes) > limits.most_bytes {
                let until = if others_bytes == 0 { spool.expires_at } else { until };
                return Ok(SpoolKept::TooLarge { until });
            }
            match connection.execute(GROWN, values![rows, size_bytes, expires_at, id])? {
                0 => Err(StoreError::Missing { what: "spool", key: id.clone() }),
                _ => Ok(SpoolKept::Yes),
            }
        })
    }

    /// Lets a spool live until another moment; one that is gone is passed over.
    pub fn keep_spool(&self, id: &str, until: Instant) -> Result<()> {
        self.pool.write(|connection| connection.execute(KEPT, values![until, id]).map(drop))
    }

    /// Spools of the same question, whatever everything stood at, that are written and live at
    /// `now`: the greatest id first.
    pub fn living_spools(&self, params_hash: &str, now: Instant) -> Result<Vec<Spool>> {
        self.pool.read(|connection| connection.rows(LIVING, values![params_hash, now], read))
    }

    /// Notes that all rows of a spool are written, and what everything stood at.
    pub fn spool_written(&self, id: &str, stood_at: &str) -> Result<()> {
        self.pool.write(|connection| connection.execute(WRITTEN, values![stood_at, id]).map(drop))
    }

    /// The spool with this id, expired or not.
    pub fn spool(&self, id: &str) -> Result<Option<Spool>> {
        self.pool.read(|connection| connection.row(GET, values![id], read))
    }

    /// Spools of the same question at the same state that live at `now`: the youngest first.
    pub fn same_spools(
        &self,
        params_hash: &str,
        stood_at: &str,
        now: Instant,
    ) -> Result<Vec<Spool>> {
        self.pool
            .read(|connection| connection.rows(SAME, values![params_hash, stood_at, now], read))
    }

    /// Spools that expired at `now` or before.
    pub fn expired_spools(&self, now: Instant) -> Result<Vec<Spool>> {
        self.pool.read(|connection| connection.rows(EXPIRED, values![now], read))
    }

    /// Spools that expired at `now` or before, but for what is still owed to somebody's address.
    pub fn spools_to_forget(&self, now: Instant) -> Result<Vec<Spool>> {
        self.pool.read(|connection| connection.rows(FORGOTTEN, values![now], read))
    }

    /// Forgets a spool, and says whether nothing else needs its files; an unknown one is passed
    /// over.
    pub fn delete_spool(&self, spool: &Spool) -> Result<bool> {
        self.pool.write(|connection| {
            connection.execute(DELETE, values![spool.id])?;
            let others: u64 = connection.one(OTHERS, values![spool.path], Row::take)?;
            Ok(others == 0)
        })
    }
}

fn insert(
    connection: &mut dyn Connection,
    spool: &Spool,
    limits: SpoolLimits,
) -> Result<SpoolKept> {
    let Spool { id, path, rows, size_bytes, params_hash, stood_at, owner, expires_at } = spool;
    let SpoolLimits { most, most_bytes, now } = limits;
    let (count, kept_bytes, until): (u64, u64, Instant) =
        connection
            .one(OWNED, values![owner, now], |row| Ok((row.take()?, row.take()?, row.take()?)))?;
    if count >= most {
        return Ok(SpoolKept::TooMany { until });
    }
    if kept_bytes.saturating_add(*size_bytes) > most_bytes {
        return Ok(SpoolKept::TooLarge { until });
    }
    let values = values![id, path, rows, size_bytes, params_hash, stood_at, owner, expires_at];
    match connection.execute(INSERT, values)? {
        0 => Err(StoreError::refused("spool", id, "is already there")),
        _ => Ok(SpoolKept::Yes),
    }
}

fn read(row: &mut Row) -> Result<Spool> {
    Ok(Spool {
        id: row.take()?,
        path: row.take()?,
        rows: row.take()?,
        size_bytes: row.take()?,
        params_hash: row.take()?,
        stood_at: row.take()?,
        owner: row.take()?,
        expires_at: row.take()?,
    })
}
