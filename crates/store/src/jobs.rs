//! Jobs: what was accepted and is carried out behind its answer, once.

use crate::driver::statements;
use crate::facts;
use crate::value::{Row, values};
use crate::{Deed, NewFact, Note, Result, Store, StoreError};
use calendar::Instant;

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its id: 32 hexadecimal digits that nobody can guess.
    pub id: String,
    /// Which surface took it.
    pub surface: String,
    /// In which version of its contract.
    pub version: String,
    /// By which operation of it.
    pub operation: String,
    /// For which billing account.
    pub billing_account: String,
    /// Who asks: `principal NAME`, `machine`.
    pub asked_by: String,
    /// What stands for the request: the same thing asked by the same caller has the same.
    pub request_key: String,
    /// Id of the request that it came with.
    pub request_id: String,
    /// What exactly, as bytes.
    pub body: Vec<u8>,
    /// How far it is.
    pub state: JobState,
    /// Why it failed, as bytes; empty otherwise.
    pub outcome: Vec<u8>,
    /// When it was accepted: system time.
    pub created_at: Instant,
    /// When it ended: system time.
    pub ended_at: Option<Instant>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Not done yet.
    Running,
    /// Done.
    Succeeded,
    /// It cannot be done.
    Failed,
}

impl JobState {
    const fn name(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Succeeded => "succeeded",
            JobState::Failed => "failed",
        }
    }

    fn parse(name: &str) -> Result<JobState> {
        [JobState::Running, JobState::Succeeded, JobState::Failed]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| StoreError::damaged(format!("a job is `{name}`")))
    }
}

/// How a job ends: with what is appended, or why nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnd {
    /// Which job.
    pub id: String,
    /// Its state from now on.
    pub state: JobState,
    /// See [`JobRow::outcome`].
    pub outcome: Vec<u8>,
    /// The facts that carry it out.
    pub facts: Vec<NewFact>,
    /// What is done by them.
    pub deed: Deed,
}

statements! {
    ONE = "SELECT id, surface, version, operation, billing_account, asked_by, request_key,
            request_id, body, state, outcome, created_at, ended_at
        FROM jobs WHERE id = $1";
    SAME = "SELECT id, surface, version, operation, billing_account, asked_by, request_key,
            request_id, body, state, outcome, created_at, ended_at
        FROM jobs WHERE state = 'running' AND request_key = $1 AND number = (
            SELECT max(number) FROM jobs WHERE state = 'running' AND billing_account = $2)";
    RUNNING = "SELECT id, surface, version, operation, billing_account, asked_by, request_key,
            request_id, body, state, outcome, created_at, ended_at
        FROM jobs WHERE state = 'running' ORDER BY number LIMIT $1";
    EXPIRE = "DELETE FROM jobs WHERE state <> 'running' AND ended_at < $1";
    INSERT = "INSERT INTO jobs (id, surface, version, operation, billing_account, asked_by,
            request_key, request_id, body, state, outcome, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    END = "UPDATE jobs SET state = $1, outcome = $2, ended_at = $3
        WHERE id = $4 AND state = 'running'";
}

impl Store {
    /// Keeps a job; where the newest that runs for the account is of the same request, that is
    /// given back in its place: an older one would not be the last to change what both change.
    /// Jobs that ended before `expired` are forgotten.
    pub fn accept_job(&self, job: &JobRow, expired: Instant) -> Result<JobRow> {
        self.pool.write(|connection| {
            connection.execute(EXPIRE, values![expired])?;
            if let Some(same) =
                connection.row(SAME, values![job.request_key, job.billing_account], read)?
            {
                return Ok(same);
            }
            let JobRow { id, surface, version, operation, billing_account, asked_by, .. } = job;
            let JobRow { request_key, request_id, body, state, outcome, created_at, .. } = job;
            let values = values![
                id,
                surface,
                version,
                operation,
                billing_account,
                asked_by,
                request_key,
                request_id,
                body,
                state.name(),
                outcome,
                created_at
            ];
            connection.execute(INSERT, values)?;
            Ok(job.clone())
        })
    }

    /// The job of an id.
    pub fn job(&self, id: &str) -> Result<Option<JobRow>> {
        self.pool.read(|connection| connection.row(ONE, values![id], read))
    }

    /// Up to `limit` jobs that run, in the order in which they were accepted.
    pub fn running_jobs(&self, limit: u64) -> Result<Vec<JobRow>> {
        self.pool.read(|connection| connection.rows(RUNNING, values![limit], read))
    }

    /// Ends a job and appends its facts, both or neither; a job that has ended stays as it is, and
    /// nothing is appended. Answers whether it was ended by this.
    ///
    /// Errors: [`StoreError::Stale`] unless `behind` is the newest fact, where there are facts.
    pub fn end_job(&self, end: &JobEnd, behind: u64, note: &Note) -> Result<bool> {
        let JobEnd { id, state, outcome, facts, deed } = end;
        self.pool.write(|connection| {
            let values = values![state.name(), outcome, note.at, id];
            if connection.execute(END, values)? == 0 {
                return Ok(false);
            }
            if !facts.is_empty() {
                facts::append(connection, behind, facts, (note, deed))?;
            }
            Ok(true)
        })
    }
}

fn read(row: &mut Row) -> Result<JobRow> {
    Ok(JobRow {
        id: row.take()?,
        surface: row.take()?,
        version: row.take()?,
        operation: row.take()?,
        billing_account: row.take()?,
        asked_by: row.take()?,
        request_key: row.take()?,
        request_id: row.take()?,
        body: row.take()?,
        state: JobState::parse(&row.take::<String>()?)?,
        outcome: row.take()?,
        created_at: row.take()?,
        ended_at: row.take()?,
    })
}
