//! Exports of usage details: asked for by somebody, told to them only, forgotten after a while.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Result, Store, StoreError};
use calendar::Instant;

/// An export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageExportRow {
    /// Its id: 32 hexadecimal digits that nobody can guess.
    pub id: String,
    /// Who asks.
    pub asked_by: String,
    /// Id of the request that it came with.
    pub request_id: String,
    /// Of what, as bytes.
    pub body: Vec<u8>,
    /// How far it is.
    pub state: UsageExportState,
    /// What it is made of, as bytes; empty until it is done.
    pub outcome: Vec<u8>,
    /// When it was asked for: system time.
    pub requested_at: Instant,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageExportState {
    /// Nobody has begun it.
    Queued,
    /// It is being made.
    Running,
    /// It can be read.
    Completed,
    /// It cannot be made.
    Failed,
    /// There is nothing to export.
    Empty,
}

impl UsageExportState {
    const ALL: [UsageExportState; 5] = [
        UsageExportState::Queued,
        UsageExportState::Running,
        UsageExportState::Completed,
        UsageExportState::Failed,
        UsageExportState::Empty,
    ];

    const fn name(self) -> &'static str {
        match self {
            UsageExportState::Queued => "queued",
            UsageExportState::Running => "running",
            UsageExportState::Completed => "completed",
            UsageExportState::Failed => "failed",
            UsageExportState::Empty => "empty",
        }
    }

    fn parse(name: &str) -> Result<UsageExportState> {
        UsageExportState::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| StoreError::damaged(format!("an export is `{name}`")))
    }
}

/// What became of an export that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageExportKept {
    /// It is kept.
    Yes,
    /// Who asks has as many as may be.
    TooMany {
        /// When the oldest of them was asked for.
        oldest: Instant,
    },
}

statements! {
    EXPIRE = "DELETE FROM usage_exports WHERE requested_at < $1";
    COUNT = "SELECT count(*), COALESCE(MIN(requested_at), 0)
        FROM usage_exports WHERE asked_by = $1 AND requested_at > $2";
    INSERT = "INSERT INTO usage_exports
            (id, asked_by, request_id, body, state, outcome, requested_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    ONE = "SELECT id, asked_by, request_id, body, state, outcome, requested_at
        FROM usage_exports WHERE id = $1";
    DUE = "SELECT id, asked_by, request_id, body, state, outcome, requested_at
        FROM usage_exports WHERE state IN ('queued', 'running') AND requested_at > $1
        ORDER BY number LIMIT $2";
    BEGIN = "UPDATE usage_exports SET state = 'running' WHERE id = $1 AND state = 'queued'";
    END = "UPDATE usage_exports SET state = $1, outcome = $2
        WHERE id = $3 AND state IN ('queued', 'running')";
}

/// What one caller may have of exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageExportLimits {
    /// How many.
    pub most: u64,
    /// Those that were asked for since then count: system time.
    pub since: Instant,
    /// What was asked for before then is forgotten: system time.
    pub forgotten: Instant,
}

impl Store {
    /// Keeps an export, unless who asks has too many.
    pub fn insert_usage_export(
        &self,
        export: &UsageExportRow,
        limits: UsageExportLimits,
    ) -> Result<UsageExportKept> {
        self.pool.write(|connection| {
            let UsageExportRow { id, asked_by, request_id, body, state, outcome, requested_at } =
                export;
            let UsageExportLimits { most, since, forgotten } = limits;
            connection.execute(EXPIRE, values![forgotten])?;
            let count = |row: &mut Row| Ok((row.take::<u64>()?, row.take::<Instant>()?));
            let (kept, oldest) = connection.one(COUNT, values![asked_by, since], count)?;
            if kept >= most {
                return Ok(UsageExportKept::TooMany { oldest });
            }
            let values =
                values![id, asked_by, request_id, body, state.name(), outcome, requested_at];
            connection.execute(INSERT, values)?;
            Ok(UsageExportKept::Yes)
        })
    }

    /// The export of an id.
    pub fn usage_export(&self, id: &str) -> Result<Option<UsageExportRow>> {
        self.pool.read(|connection| connection.row(ONE, values![id], read))
    }

    /// Up to `limit` exports that are not done and were asked for after `since`, in their order.
    pub fn due_usage_exports(&self, since: Instant, limit: u64) -> Result<Vec<UsageExportRow>> {
        self.pool.read(|connection| connection.rows(DUE, values![since, limit], read))
    }

    /// Notes that an export is being made.
    pub fn begin_usage_export(&self, id: &str) -> Result<()> {
        self.pool.write(|connection| connection.execute(BEGIN, values![id]).map(drop))
    }

    /// Ends an export; one that has ended stays as it is.
    pub fn end_usage_export(
        &self,
        id: &str,
        state: UsageExportState,
        outcome: &[u8],
    ) -> Result<()> {
        let values = values![state.name(), outcome, id];
        self.pool.write(|connection| connection.execute(END, values).map(drop))
    }
}

fn read(row: &mut Row) -> Result<UsageExportRow> {
    Ok(UsageExportRow {
        id: row.take()?,
        asked_by: row.take()?,
        request_id: row.take()?,
        body: row.take()?,
        state: UsageExportState::parse(&row.take::<String>()?)?,
        outcome: row.take()?,
        requested_at: row.take()?,
    })
}
