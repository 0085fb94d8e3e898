//! The audit log: who changed what, why, and what came of it.

use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Result, Store};
use calendar::Instant;

/// Who does something, and why; kept with what they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Id of the request it came with.
    pub request_id: String,
    /// When: system time.
    pub at: Instant,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When: system time.
    pub at: Instant,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// Why.
    pub reason: String,
    /// Id of the request it came with.
    pub request_id: String,
    /// What came of it.
    pub outcome: String,
}

/// An entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number: rising, with gaps.
    pub number: u64,
    /// What it says.
    pub entry: AuditEntry,
}

/// Which entries to list; what is left out does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only by this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only on this target.
    pub target: Option<String>,
    /// Only from this moment on.
    pub from: Option<Instant>,
    /// Only before this moment.
    pub until: Option<Instant>,
}

statements! {
    INSERT = "INSERT INTO audit (at, actor, action, target, reason, request_id, outcome)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LIST = "SELECT number, at, actor, action, target, reason, request_id, outcome FROM audit
        WHERE number > $1 AND at >= $2 AND at < $3 AND ($4 = '' OR actor = $4)
            AND ($5 = '' OR action = $5) AND ($6 = '' OR target = $6)
        ORDER BY number LIMIT $7";
}

impl Store {
    /// Appends one entry.
    pub fn append_audit(&self, entry: &AuditEntry) -> Result<()> {
        self.pool.write(|connection| append(connection, entry))
    }

    /// Lists up to `limit` entries after the one numbered `after`, oldest first.
    pub fn audit(&self, filter: &AuditFilter, after: u64, limit: u64) -> Result<Vec<AuditRow>> {
        let from = filter.from.unwrap_or(Instant::MIN).micros();
        let until = filter.until.map_or(i64::MAX, Instant::micros);
        let text = |wanted: &Option<String>| wanted.clone().unwrap_or_default();
        self.pool.read(|connection| {
            connection.rows(
                LIST,
                values![
                    after,
                    from,
                    until,
                    text(&filter.actor),
                    text(&filter.action),
                    text(&filter.target),
                    limit
                ],
                read,
            )
        })
    }
}

/// Appends one entry in the caller's transaction.
pub(crate) fn append(connection: &mut dyn Connection, entry: &AuditEntry) -> Result<()> {
    let AuditEntry { at, actor, action, target, reason, request_id, outcome } = entry;
    connection
        .execute(INSERT, values![at, actor, action, target, reason, request_id, outcome])
        .map(drop)
}

impl Note {
    /// Notes in the audit log that `action` was done to `target`.
    pub(crate) fn audit(
        &self,
        connection: &mut dyn Connection,
        action: &str,
        target: String,
    ) -> Result<()> {
        let Note { actor, reason, request_id, at } = self.clone();
        let (action, outcome) = (action.to_owned(), "done".to_owned());
        append(connection, &AuditEntry { at, actor, action, target, reason, request_id, outcome })
    }
}

fn read(row: &mut Row) -> Result<AuditRow> {
    Ok(AuditRow {
        number: row.take()?,
        entry: AuditEntry {
            at: row.take()?,
            actor: row.take()?,
            action: row.take()?,
            target: row.take()?,
            reason: row.take()?,
            request_id: row.take()?,
            outcome: row.take()?,
        },
    })
}
