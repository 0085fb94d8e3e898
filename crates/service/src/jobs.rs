//! Jobs: changes that are accepted at once and carried out behind the answer, exactly once.
//!
//! Whoever asks is refused at once for what cannot be; what is accepted is durable. A job is
//! decided again when it is carried out, and its facts are appended in the transaction that ends
//! it: a program that dies leaves it running or done. One that fails by no fault of its own is
//! tried again, later and later, and given up at last; meanwhile only those wait that change the
//! same.

use crate::Reckoner;
use crate::account_closes::with_causes;
use crate::changes::{ATTEMPTS, Decided};
use crate::holding_moves::HoldingId;
use crate::job_targets::{mark, target_key, turns};
use crate::structure::Look;
use crate::structure_changes::{Asker, StructureChange};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::Caller;
use domain::ids::{BillingAccountId, PrincipalId};
use domain::moves::{Bought, Obstacle};
use domain::places::Level;
use domain::{Error, Kind, Result};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::{Deed, JobEnd, JobRow, JobState};
use tokio::sync::Notify;

/// How long what ended is told: a week.
const TOLD_S: i64 = 7 * 86_400;
/// How often a node forgets what is told no longer: every hour.
const FORGET_EVERY_MICROS: i64 = 3_600 * calendar::MICROS_PER_SECOND;
/// Jobs that are read at once.
const JOBS_AT_ONCE: u64 = 100;
/// After so many tries in vain a job is given up: about two minutes after the first.
const TRIES_MOST: u64 = 8;
/// The longest pause between two tries.
const PAUSE_MOST_S: i64 = 60;
/// When it is worth asking again where too many jobs run.
const RETRY_AFTER_S: u64 = 1;

/// A change that is asked for.
#[derive(Debug, Clone)]
pub struct JobAsked {
    /// The surface that takes it.
    pub surface: &'static str,
    /// In which version of its contract.
    pub version: &'static str,
    /// By which operation of it.
    pub operation: &'static str,
    /// Of which billing account.
    pub billing_account: BillingAccountId,
    /// What.
    pub change: StructureChange,
    /// When it counts.
    pub condition: Condition,
}

/// When a change counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Whatever others do meanwhile.
    Always,
    /// If what it changes is still as it is now.
    Unchanged,
}

/// A job, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTold {
    /// Its id.
    pub id: String,
    /// In which version of the surface's contract it was asked for.
    pub version: String,
    /// By which operation.
    pub operation: String,
    /// Of which billing account.
    pub billing_account: BillingAccountId,
    /// The levels and ids on the way down to the place that it changes; none for the account
    /// itself, and for a move.
    pub target: Vec<(Level, String)>,
    /// What it moves, if it is a move.
    pub holding: Option<HoldingId>,
    /// How far it is.
    pub standing: JobStanding,
    /// When it was accepted: system time.
    pub created_at: Instant,
    /// When it ended: system time.
    pub ended_at: Option<Instant>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStanding {
    /// It is being carried out.
    Running,
    /// It is done.
    Succeeded,
    /// It cannot be done.
    Failed(JobFailure),
}

/// Why a job cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    /// Of which kind the reason is.
    pub kind: FailureKind,
    /// The field that is wrong, if one is.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
}

/// The kinds of reasons for which a job is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// See [`Error::Invalid`].
    Invalid,
    /// See [`Error::Forbidden`].
    Forbidden,
    /// See [`Error::NotFound`].
    NotFound,
    /// See [`Error::Conflict`].
    Conflict,
    /// See [`Error::CannotMove`].
    CannotMove(#[serde(with = "crate::obstacles")] Obstacle),
    /// It was tried often enough, and failed by no fault of its own.
    Internal,
}

/// What a node knows of jobs beside the books.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    /// Told when a job, or a transfer, was accepted.
    accepted: Notify,
    /// When it was last forgotten what is told no longer: microseconds of system time.
    forgot_at: AtomicI64,
}

/// What the books keep of a job.
#[derive(Serialize, Deserialize)]
struct Kept {
    change: StructureChange,
    /// What stood there when it was accepted, if that must not have changed.
    as_of: Option<String>,
}

impl Reckoner {
    /// Accepts a change: it is durable, and will be carried out. The same change of the same
    /// caller, while it runs, is the same job.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`],
    /// [`Error::Conflict`], [`Error::CannotMove`] for what could not be carried out now either;
    /// [`Error::Overtaken`]; [`Error::TooManyKept`] where too many run for the caller.
    #[boxed]
    pub async fn accept_job(
        &self,
        caller: &Caller,
        asked: JobAsked,
        request_id: &str,
    ) -> Result<JobTold> {
        let asked_by = asker_name(caller)?;
        self.0.refresh_declared().await?;
        let look = self.look();
        self.demand_current(&look)?;
        let JobAsked { surface, version, operation, billing_account: account, change, condition } =
            asked;
        let bought = self.bought_by(&look, (caller, &account), &change).await?;
        change.decide(Asker { look: &look, caller, account: &account, bought })?.facts(&look)?;
        let as_of = (condition == Condition::Unchanged).then(|| mark(&look, &account, &change));
        let target = target_key(&look, &account, &change);
        let body = serde_json::to_vec(&Kept { change, as_of });
        let body = body.map_err(|error| Error::internal("write a job", error))?;
        let parts = [surface, version, operation, account.as_str(), asked_by.as_str()].join("\n");
        let key = blake3::hash(&[parts.as_bytes(), b"\n", body.as_slice()].concat());
        let row = JobRow {
            id: uuid::Uuid::new_v4().simple().to_string(),
            surface: surface.to_owned(),
            version: version.to_owned(),
            operation: operation.to_owned(),
            billing_account: account.to_string(),
            target,
            asked_by,
            request_key: key.to_hex().to_string(),
            request_id: request_id.to_owned(),
            body,
            state: JobState::Running,
            outcome: Vec::new(),
            tries: 0,
            created_at: self.system_now(),
            ended_at: None,
        };
        let (store, most) = (Arc::clone(&self.0.store), self.limits().running_jobs);
        let kept = crate::blocking(move || {
            store.accept_job(&row, most).map_err(crate::stored("keep a job"))
        });
        let full = || Error::TooManyKept {
            limit: "running operations of one caller",
            most,
            key: "limits.running_jobs",
            retry_after_s: RETRY_AFTER_S,
        };
        let row = kept.await?.ok_or_else(full)?;
        self.0.jobs.wake();
        told(&row)
    }

    /// A job of a surface, for who asked for it.
    ///
    /// Errors: [`Error::NotFound`], also for everybody else.
    #[boxed]
    pub async fn job(&self, caller: &Caller, surface: &str, id: &str) -> Result<JobTold> {
        let missing = || Error::not_found("operation", id);
        let asked_by = asker_name(caller).map_err(|_| missing())?;
        // The store refuses such a text, as nothing there is called so.
        if id.contains('\0') {
            return Err(missing());
        }
        let (store, wanted) = (Arc::clone(&self.0.store), id.to_ascii_lowercase());
        let row = crate::blocking(move || store.job(&wanted).map_err(crate::stored("read a job")))
            .await?;
        let is_own = |row: &JobRow| row.surface == surface && row.asked_by == asked_by;
        let row = row.filter(is_own).ok_or_else(missing)?;
        if row.state == JobState::Succeeded {
            // Another node may have carried it out.
            self.0.refresh_declared().await?;
        }
        told(&row)
    }

    /// Carries out the jobs that run and wait for no later moment, in the order in which they were
    /// accepted; answers how many have ended. To be called when the program starts, and often.
    ///
    /// Errors: the first fault that is not the job's own; such a job is tried again, and given up
    /// after so many tries.
    #[boxed]
    pub async fn carry_out_jobs(&self) -> Result<u64> {
        let (store, now) = (Arc::clone(&self.0.store), self.system_now());
        let rows = crate::blocking(move || {
            store.due_jobs(now, JOBS_AT_ONCE).map_err(crate::stored("read the jobs"))
        })
        .await?;
        let (mut ended, mut faults, mut waiting) = (0_u64, Vec::new(), BTreeSet::new());
        for row in rows {
            // What changes the same is done in the order in which it came.
            let turns = turns(&row);
            if turns.iter().any(|turn| waiting.contains(turn)) {
                continue;
            }
            match self.carried_out(&row).await {
                Ok(true) => ended = ended.saturating_add(1),
                Ok(false) => waiting.extend(turns),
                Err(error) => {
                    let (is_ended, error) = self.tried_in_vain(&row, error).await;
                    ended = ended.saturating_add(u64::from(is_ended));
                    faults.push(error);
                    waiting.extend(turns);
                }
            }
        }
        if let Err(error) = self.forget_jobs().await {
            faults.push(error);
        }
        let mut faults = faults.into_iter();
        let Some(first) = faults.next() else { return Ok(ended) };
        for other in faults {
            // The first is the caller's to tell.
            tracing::error!(error = %with_causes(&other), "a job failed");
        }
        Err(first)
    }

    /// Waits until a job, or a transfer, was accepted here.
    pub async fn job_accepted(&self) {
        self.0.jobs.accepted.notified().await;
    }

    /// As [`Reckoner::carry_out_job`]; what panics has failed, and stops nobody else.
    async fn carried_out(&self, row: &JobRow) -> Result<bool> {
        let done = AssertUnwindSafe(self.carry_out_job(row)).catch_unwind().await;
        done.unwrap_or_else(|_| Err(Error::internal("carry out a job", "it panicked")))
    }

    /// Carries out one job; answers whether it has ended.
    async fn carry_out_job(&self, row: &JobRow) -> Result<bool> {
        let (caller, account) = (asker(row)?, BillingAccountId::new(&row.billing_account)?);
        for _ in 0..ATTEMPTS {
            self.0.refresh_declared().await?;
            let look = self.look();
            // What another version kept and this one cannot read must not hold the others up.
            let unread = |_| Error::invalid("operation", "cannot be read any more; ask anew");
            let kept = kept(row).map_err(unread);
            let bought = match &kept {
                Ok(kept) => self.bought_by(&look, (&caller, &account), &kept.change).await?,
                Err(_) => Bought::Nothing,
            };
            let by = Asker { look: &look, caller: &caller, account: &account, bought };
            let decided = kept.and_then(|kept| kept.decide(by));
            let end = decided.and_then(|decided| succeeded(&row.id, decided, &look));
            let end = end.or_else(|error| failed(row, error))?;
            let note = self.note(&caller, "asked for", &row.request_id);
            if self.0.ended(look.company.version, end, note).await? {
                self.0.refresh_declared().await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sees to a job that failed by no fault of its own: it is tried again later, or given up.
    /// Answers whether it has ended, and what is to be told of it.
    async fn tried_in_vain(&self, row: &JobRow, error: Error) -> (bool, Error) {
        if error.kind() == Kind::Unavailable {
            // The books cannot be had: that is no try.
            return (false, error);
        }
        let tries = row.tries.saturating_add(1);
        let (seen_to, is_ended) = if tries < TRIES_MOST {
            (self.postpone_job(row).await, false)
        } else {
            (self.give_up_job(row).await, true)
        };
        let JobRow { id, operation, billing_account, request_id, .. } = row;
        let which = format!(
            "try {tries} of {TRIES_MOST} of job {id} ({operation} of `{billing_account}`, request \
             {request_id})"
        );
        match seen_to {
            Ok(()) => (is_ended, Error::internal(which, error)),
            Err(worse) => (false, Error::internal(which, worse)),
        }
    }

    /// Each pause is twice the one before, up to a minute.
    async fn postpone_job(&self, row: &JobRow) -> Result<()> {
        let doubled =
            u32::try_from(row.tries).map_or(i64::MAX, |tries| 2_i64.saturating_pow(tries));
        let due_at = self.system_now().plus_seconds(doubled.min(PAUSE_MOST_S));
        let (store, row) = (Arc::clone(&self.0.store), row.clone());
        crate::blocking(move || {
            store.postpone_job(&row, due_at).map_err(crate::stored("postpone a job"))
        })
        .await
    }

    async fn give_up_job(&self, row: &JobRow) -> Result<()> {
        let problem = format!(
            "was given up after {TRIES_MOST} tries that failed on our side; the log has it under \
             request id {}; ask anew",
            row.request_id
        );
        let end = given_up(row, JobFailure { kind: FailureKind::Internal, field: None, problem })?;
        // Whose job cannot be read is still to be ended.
        let caller = asker(row).unwrap_or(Caller::Machine);
        let note = self.note(&caller, "asked for", &row.request_id);
        self.0.ended(0, end, note).await.map(drop)
    }

    /// Forgets what is told no longer, now and then.
    async fn forget_jobs(&self) -> Result<()> {
        let (now, forgot_at) = (self.system_now(), &self.0.jobs.forgot_at);
        let since = now.micros().saturating_sub(forgot_at.load(Ordering::Relaxed));
        if since < FORGET_EVERY_MICROS {
            return Ok(());
        }
        forgot_at.store(now.micros(), Ordering::Relaxed);
        let (store, before) =
            (Arc::clone(&self.0.store), now.plus_seconds(TOLD_S.saturating_neg()));
        crate::blocking(move || {
            store.forget_jobs(before).map_err(crate::stored("forget jobs that have ended"))
        })
        .await
    }
}

impl Runner {
    /// Has what was accepted carried out.
    pub(crate) fn wake(&self) {
        self.accepted.notify_one();
    }
}

impl Kept {
    fn decide(&self, asker: Asker<'_>) -> Result<Decided> {
        let now = || mark(asker.look, asker.account, &self.change);
        if self.as_of.as_ref().is_some_and(|before| *before != now()) {
            let problem = "somebody else changed it first; read it again".to_owned();
            let key = asker.account.to_string();
            return Err(Error::Conflict { what: "billing account", key, problem });
        }
        self.change.decide(asker)
    }
}

fn succeeded(id: &str, decided: Decided, look: &Look) -> Result<JobEnd> {
    let (id, deed) = (id.to_owned(), decided.deed.clone());
    let facts = decided.facts(look)?;
    let told = "done: it holds already".to_owned();
    Ok(JobEnd { id, state: JobState::Succeeded, outcome: Vec::new(), facts, deed, told })
}

/// Errors: the given one where it is not the job's own fault.
fn failed(row: &JobRow, error: Error) -> Result<JobEnd> {
    let kind = match error.kind() {
        Kind::Invalid => FailureKind::Invalid,
        Kind::Forbidden | Kind::Unauthenticated => FailureKind::Forbidden,
        Kind::NotFound => FailureKind::NotFound,
        Kind::Conflict | Kind::TooMuch => FailureKind::Conflict,
        Kind::NotReady | Kind::TooMany | Kind::Unavailable | Kind::Internal => return Err(error),
    };
    let failure = match error {
        Error::CannotMove { obstacle, .. } => {
            let (kind, problem) = (FailureKind::CannotMove(obstacle), error.to_string());
            JobFailure { kind, field: None, problem }
        }
        Error::Invalid { field, problem } => JobFailure { kind, field: Some(field), problem },
        other => JobFailure { kind, field: None, problem: other.to_string() },
    };
    given_up(row, failure)
}

fn given_up(row: &JobRow, failure: JobFailure) -> Result<JobEnd> {
    let outcome = serde_json::to_vec(&failure);
    let outcome = outcome.map_err(|error| Error::internal("write how a job ended", error))?;
    let JobRow { id, operation, billing_account, .. } = row;
    let target = format!("{operation} of `{billing_account}`");
    let JobFailure { kind: _, field, problem } = failure;
    let told = match field {
        Some(field) => format!("failed: {field}: {problem}"),
        None => format!("failed: {problem}"),
    };
    let (id, deed) = (id.clone(), Deed { action: "job.fail", target, closes: None });
    Ok(JobEnd { id, state: JobState::Failed, outcome, facts: Vec::new(), deed, told })
}

/// How the books name who asks; keys and links ask for no jobs.
fn asker_name(caller: &Caller) -> Result<String> {
    match caller {
        Caller::Principal(principal) => Ok(format!("principal {principal}")),
        Caller::Machine => Ok("machine".to_owned()),
        Caller::Key(_) | Caller::Enterprise(_) => Err(Error::Forbidden { action: "place:manage" }),
        Caller::Link { action, scope: _ } => Err(Error::Forbidden { action: action.name() }),
    }
}

fn asker(row: &JobRow) -> Result<Caller> {
    match row.asked_by.strip_prefix("principal ") {
        Some(principal) => Ok(Caller::Principal(PrincipalId::new(principal)?)),
        None if row.asked_by == "machine" => Ok(Caller::Machine),
        None => Err(Error::internal("read a job", format!("`{}` asks nothing", row.asked_by))),
    }
}

fn kept(row: &JobRow) -> Result<Kept> {
    serde_json::from_slice(&row.body).map_err(|error| Error::internal("read a job", error))
}

fn told(row: &JobRow) -> Result<JobTold> {
    let standing = match row.state {
        JobState::Running => JobStanding::Running,
        JobState::Succeeded => JobStanding::Succeeded,
        JobState::Failed => {
            let failure = serde_json::from_slice(&row.outcome);
            let damaged = |error| Error::internal("read how a job ended", error);
            JobStanding::Failed(failure.map_err(damaged)?)
        }
    };
    let (target, holding) = match kept(row) {
        Ok(kept) => (kept.change.target(), kept.change.holding().cloned()),
        // Of one that is not done nothing is shown.
        Err(_) if standing != JobStanding::Succeeded => (Vec::new(), None),
        Err(error) => return Err(error),
    };
    Ok(JobTold {
        id: row.id.clone(),
        version: row.version.clone(),
        operation: row.operation.clone(),
        billing_account: BillingAccountId::new(&row.billing_account)?,
        target,
        holding,
        standing,
        created_at: row.created_at,
        ended_at: row.ended_at,
    })
}
