//! Jobs: what was accepted and is carried out behind its answer, once.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{AuditEntry, Deed, NewFact, Note, Result, Store, StoreError, audit, facts};
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
    /// What stands for the thing that it changes: such jobs are done in the order of their coming.
    pub target: String,
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
    /// How often it was tried in vain.
    pub tries: u64,
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
    /// What came of it, as the audit log tells it where there are no facts.
    pub told: String,
}

statements! {
    ONE = "SELECT id, surface, version, operation, billing_account, target, asked_by, request_key,
            request_id, body, state, outcome, tries, created_at, ended_at
        FROM jobs WHERE id = $1";
    SAME = "SELECT id, surface, version, operation, billing_account, target, asked_by, request_key,
            request_id, body, state, outcome, tries, created_at, ended_at
        FROM jobs WHERE state = 'running' AND request_key = $1 AND number = (
            SELECT max(number) FROM jobs WHERE state = 'running' AND target = $2)";
    DUE = "SELECT id, surface, version, operation, billing_account, target, asked_by, request_key,
            request_id, body, state, outcome, tries, created_at, ended_at
        FROM jobs WHERE state = 'running' AND due_at <= $1 AND NOT EXISTS (
            SELECT 1 FROM jobs AS older WHERE older.state = 'running'
                AND older.number < jobs.number AND older.due_at > $1
                AND (older.target = jobs.target
                    OR (older.billing_account = jobs.billing_account
                        AND older.target NOT LIKE '%\n%' AND jobs.target NOT LIKE '%\n%')))
        ORDER BY number LIMIT $2";
    COUNT = "SELECT count(*) FROM jobs WHERE state = 'running' AND asked_by = $1";
    INSERT = "INSERT INTO jobs (id, surface, version, operation, billing_account, target, asked_by,
            request_key, request_id, body, state, outcome, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    POSTPONE = "UPDATE jobs SET tries = tries + 1, due_at = $1
        WHERE id = $2 AND tries = $3 AND state = 'running'";
    EXPIRE = "DELETE FROM jobs WHERE ended_at < $1";
    END = "UPDATE jobs SET state = $1, outcome = $2, ended_at = $3
        WHERE id = $4 AND state = 'running'";
}

impl Store {
    /// Keeps a job; where the newest that runs for its target is of the same request, that is given
    /// back in its place: an older one would not be the last to change what both change. None where
    /// `most` jobs run for who asks.
    pub fn accept_job(&self, job: &JobRow, most: u64) -> Result<Option<JobRow>> {
        self.pool.write(|connection| {
            if let Some(same) = connection.row(SAME, values![job.request_key, job.target], read)? {
                return Ok(Some(same));
            }
            let running = |row: &mut Row| row.take::<u64>();
            if connection.one(COUNT, values![job.asked_by], running)? >= most {
                return Ok(None);
            }
            let JobRow { id, surface, version, operation, billing_account, target, .. } = job;
            let JobRow { asked_by, request_key, request_id, body, state, outcome, .. } = job;
            let values = values![
                id,
                surface,
                version,
                operation,
                billing_account,
                target,
                asked_by,
                request_key,
                request_id,
                body,
                state.name(),
                outcome,
                job.created_at
            ];
            connection.execute(INSERT, values)?;
            Ok(Some(job.clone()))
        })
    }

    /// The job of an id.
    pub fn job(&self, id: &str) -> Result<Option<JobRow>> {
        self.pool.read(|connection| connection.row(ONE, values![id], read))
    }

    /// Up to `limit` jobs that run and wait for no later moment than `now`, nor behind one that
    /// changes the same and does, in the order in which they were accepted.
    pub fn due_jobs(&self, now: Instant, limit: u64) -> Result<Vec<JobRow>> {
        self.pool.read(|connection| connection.rows(DUE, values![now, limit], read))
    }

    /// Notes that a job was tried in vain, and when it is to be tried again; not where somebody
    /// else noted that.
    pub fn postpone_job(&self, job: &JobRow, due_at: Instant) -> Result<()> {
        let values = values![due_at, job.id, job.tries];
        self.pool.write(|connection| connection.execute(POSTPONE, values).map(drop))
    }

    /// Forgets the jobs that ended before a moment.
    pub fn forget_jobs(&self, before: Instant) -> Result<()> {
        self.pool.write(|connection| connection.execute(EXPIRE, values![before]).map(drop))
    }

    /// Ends a job, appends its facts and notes in the audit log what came of it, all or nothing; a
    /// job that has ended stays as it is. Answers whether it was ended by this.
    ///
    /// Errors: [`StoreError::Stale`] unless `behind` is the newest fact, where there are facts.
    pub fn end_job(&self, end: &JobEnd, behind: u64, note: &Note) -> Result<bool> {
        let JobEnd { id, state, outcome, facts, deed, told } = end;
        self.pool.write(|connection| {
            let values = values![state.name(), outcome, note.at, id];
            if connection.execute(END, values)? == 0 {
                return Ok(false);
            }
            if facts.is_empty() {
                let Note { actor, reason, request_id, at } = note.clone();
                let (action, target) = (deed.action.to_owned(), deed.target.clone());
                let outcome = told.clone();
                let entry = AuditEntry { at, actor, action, target, reason, request_id, outcome };
                audit::append(connection, &entry)?;
            } else {
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
        target: row.take()?,
        asked_by: row.take()?,
        request_key: row.take()?,
        request_id: row.take()?,
        body: row.take()?,
        state: JobState::parse(&row.take::<String>()?)?,
        outcome: row.take()?,
        tries: row.take()?,
        created_at: row.take()?,
        ended_at: row.take()?,
    })
}
