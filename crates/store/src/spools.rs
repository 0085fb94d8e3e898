//! Spools: snapshots that page tokens point into, until they expire.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Result, Store, StoreError};
use calendar::Instant;

/// A snapshot kept for its pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Its id.
    pub id: String,
    /// Where its rows lie.
    pub path: String,
    /// How many rows it has.
    pub rows: u64,
    /// Hash of what was asked.
    pub params_hash: String,
    /// Who asked.
    pub owner: String,
    /// From when on it may be deleted: system time.
    pub expires_at: Instant,
}

statements! {
    INSERT = "INSERT INTO spools (id, path, row_count, params_hash, owner, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    GET = "SELECT id, path, row_count, params_hash, owner, expires_at FROM spools WHERE id = $1";
    EXPIRED = "SELECT id, path, row_count, params_hash, owner, expires_at FROM spools
        WHERE expires_at <= $1 ORDER BY expires_at, id";
    DELETE = "DELETE FROM spools WHERE id = $1";
}

impl Store {
    /// Keeps a spool.
    ///
    /// Errors: [`StoreError::Refused`] when its id is taken.
    pub fn insert_spool(&self, spool: &Spool) -> Result<()> {
        let Spool { id, path, rows, params_hash, owner, expires_at } = spool;
        self.pool.write(|connection| {
            let values = values![id, path, rows, params_hash, owner, expires_at];
            match connection.execute(INSERT, values)? {
                0 => Err(StoreError::refused("spool", id, "is already there")),
                _ => Ok(()),
            }
        })
    }

    /// The spool with this id, expired or not.
    pub fn spool(&self, id: &str) -> Result<Option<Spool>> {
        self.pool.read(|connection| connection.row(GET, values![id], read))
    }

    /// Spools that expired at `now` or before.
    pub fn expired_spools(&self, now: Instant) -> Result<Vec<Spool>> {
        self.pool.read(|connection| connection.rows(EXPIRED, values![now], read))
    }

    /// Forgets a spool; an unknown one is passed over.
    pub fn delete_spool(&self, id: &str) -> Result<()> {
        self.pool.write(|connection| connection.execute(DELETE, values![id]).map(drop))
    }
}

fn read(row: &mut Row) -> Result<Spool> {
    Ok(Spool {
        id: row.take()?,
        path: row.take()?,
        rows: row.take()?,
        params_hash: row.take()?,
        owner: row.take()?,
        expires_at: row.take()?,
    })
}
