//! Requests: what waits for a second person, or was approved by one.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};
use calendar::Instant;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Its id: the same thing asked by the same caller has the same.
    pub id: String,
    /// Name of the action that needs a second person.
    pub action: String,
    /// Of which billing account; empty for the installation.
    pub billing_account: String,
    /// Who asks: `principal NAME`, `key ID`, `machine`.
    pub asked_by: String,
    /// What exactly, as bytes.
    pub body: Vec<u8>,
    /// When it was asked: system time.
    pub asked_at: Instant,
    /// From when on it no longer holds, approved or not: system time.
    pub expires_at: Instant,
    /// The principal that approved it; empty until one has.
    pub approved_by: String,
    /// When that was: system time.
    pub approved_at: Option<Instant>,
}

statements! {
    ONE = "SELECT id, action, billing_account, asked_by, body, asked_at, expires_at, approved_by,
            approved_at
        FROM requests WHERE id = $1";
    LIST = "SELECT id, action, billing_account, asked_by, body, asked_at, expires_at, approved_by,
            approved_at
        FROM requests WHERE $1 = '' OR billing_account = $1
        ORDER BY asked_at DESC, id LIMIT $2";
    ASK = "INSERT INTO requests (id, action, billing_account, asked_by, body, asked_at, expires_at,
            approved_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, '')
        ON CONFLICT (id) DO UPDATE SET asked_at = excluded.asked_at,
            expires_at = excluded.expires_at, approved_by = '', approved_at = NULL";
    APPROVE = "UPDATE requests SET approved_by = $1, approved_at = $2
        WHERE id = $3 AND approved_by = '' AND expires_at > $2";
}

impl Store {
    /// Keeps a request, with its entry in the audit log. One that still holds stays as it is.
    pub fn ask(&self, request: &RequestRow, note: &Note) -> Result<RequestRow> {
        let RequestRow {
            id, action, billing_account, asked_by, body, asked_at, expires_at, ..
        } = request;
        self.pool.write(|connection| {
            let kept = connection.row(ONE, values![id], read)?;
            if let Some(kept) = kept.filter(|kept| kept.expires_at > *asked_at) {
                return Ok(kept);
            }
            let values = values![id, action, billing_account, asked_by, body, asked_at, expires_at];
            connection.execute(ASK, values)?;
            note.audit(connection, "request.ask", format!("request {id}: {action}"))?;
            Ok(request.clone())
        })
    }

    /// The request of an id.
    pub fn request(&self, id: &str) -> Result<Option<RequestRow>> {
        self.pool.read(|connection| connection.row(ONE, values![id], read))
    }

    /// Up to `limit` requests of an account, of all if it is empty, newest first.
    pub fn requests(&self, billing_account: &str, limit: u64) -> Result<Vec<RequestRow>> {
        self.pool.read(|connection| connection.rows(LIST, values![billing_account, limit], read))
    }

    /// Notes who approves a request at `note.at`, with its entry in the audit log.
    ///
    /// Errors: [`StoreError::Refused`] when it has expired, or somebody has approved it.
    pub fn approve(&self, id: &str, person: &str, note: &Note) -> Result<()> {
        self.pool.write(|connection| {
            if connection.execute(APPROVE, values![person, note.at, id])? == 0 {
                return Err(StoreError::refused("request", id, "does not wait any more"));
            }
            note.audit(connection, "request.approve", format!("request {id}"))
        })
    }
}

fn read(row: &mut Row) -> Result<RequestRow> {
    Ok(RequestRow {
        id: row.take()?,
        action: row.take()?,
        billing_account: row.take()?,
        asked_by: row.take()?,
        body: row.take()?,
        asked_at: row.take()?,
        expires_at: row.take()?,
        approved_by: row.take()?,
        approved_at: row.take()?,
    })
}
