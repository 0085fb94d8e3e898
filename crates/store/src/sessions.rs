//! Sessions: who is signed in with name and password. What is sent is kept as its hash only.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Result, Store};
use calendar::Instant;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// Who is signed in.
    pub principal: String,
    /// The network address that it may be used from; from anywhere if none.
    pub bound_to: Option<String>,
    /// SHA-256 of the secret that opened it: without that it holds no longer.
    pub secret_hash: [u8; 32],
    /// When it was made: system time.
    pub created_at: Instant,
    /// When it was last used: system time.
    pub used_at: Instant,
    /// From when on it no longer holds, unless it is used before: system time.
    pub expires_at: Instant,
}

statements! {
    INSERT = "INSERT INTO sessions
            (token_hash, principal, bound_to, secret_hash, created_at, used_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    BY_HASH = "SELECT token_hash, principal, bound_to, secret_hash, created_at, used_at, expires_at
        FROM sessions WHERE token_hash = $1";
    OLDER = "SELECT token_hash FROM sessions WHERE principal = $1
        ORDER BY used_at DESC, created_at DESC, token_hash LIMIT $2 OFFSET $3";
    TOUCH = "UPDATE sessions SET used_at = $1, expires_at = $2
        WHERE token_hash = $3 AND used_at < $1 AND expires_at > $1";
    DELETE = "DELETE FROM sessions WHERE token_hash = $1";
    EXPIRE = "DELETE FROM sessions WHERE expires_at <= $1";
}

/// Sessions that one is taken out for at most, when one more is made.
const OUT_MOST: u64 = 1_000;

impl Store {
    /// Keeps a session, and forgets those that no longer hold when it is made; `most` of a
    /// principal are kept, those that were used last.
    pub fn insert_session(&self, session: &SessionRow, most: u64) -> Result<()> {
        let SessionRow { token_hash, principal, bound_to, secret_hash, .. } = session;
        let SessionRow { created_at, used_at, expires_at, .. } = session;
        self.pool.write(|connection| {
            connection.execute(EXPIRE, values![created_at])?;
            let others = most.saturating_sub(1);
            let older = connection.rows(
                OLDER,
                values![principal, OUT_MOST, others],
                Row::take::<[u8; 32]>,
            )?;
            for hash in older {
                connection.execute(DELETE, values![hash])?;
            }
            let values = values![
                token_hash,
                principal,
                bound_to,
                secret_hash,
                created_at,
                used_at,
                expires_at
            ];
            connection.execute(INSERT, values).map(drop)
        })
    }

    /// The session whose token has this hash, whether it still holds or not.
    pub fn session(&self, token_hash: &[u8; 32]) -> Result<Option<SessionRow>> {
        self.pool.read(|connection| connection.row(BY_HASH, values![token_hash], read))
    }

    /// Notes that a session was used and from when on it no longer holds; not where it was used
    /// later, nor one that no longer held.
    pub fn touch_session(
        &self,
        token_hash: &[u8; 32],
        at: Instant,
        expires_at: Instant,
    ) -> Result<()> {
        let values = values![at, expires_at, token_hash];
        self.pool.write(|connection| connection.execute(TOUCH, values).map(drop))
    }

    /// Ends a session; answers whether it was there.
    pub fn end_session(&self, token_hash: &[u8; 32]) -> Result<bool> {
        self.pool.write(|connection| Ok(connection.execute(DELETE, values![token_hash])? > 0))
    }
}

fn read(row: &mut Row) -> Result<SessionRow> {
    Ok(SessionRow {
        token_hash: row.take()?,
        principal: row.take()?,
        bound_to: row.take()?,
        secret_hash: row.take()?,
        created_at: row.take()?,
        used_at: row.take()?,
        expires_at: row.take()?,
    })
}
