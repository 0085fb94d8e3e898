//! Answering usage queries, while the server runs.
//!
//! A worker leases a query and renews the lease while it answers, which also says how far it is and
//! tells whether the query was cancelled. Whoever loses the lease ends nothing: the transaction
//! that ends a query, and owes its callback, is refused to them.

use crate::Reckoner;
use crate::account_closes::with_causes;
use crate::callbacks::{CallbackJudge, signer};
use crate::kept_questions::{KeptQuery, KeptSight};
use crate::usage_results::{KeptFor, KeptResult, Spelling, UsageShape};
use async_recursion::async_recursion as boxed;
use domain::access::UsageSight;
use domain::ids::BillingAccountId;
use domain::usage_queries::UsageFormat;
use domain::{Error, Kind, Result};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use store::{NewCallback, UsageQueryEnd, UsageQueryRow, UsageQueryState};
use tokio::sync::Notify;

/// How long a query is its worker's, in seconds: what a dead one held is taken up after that.
const LEASE_S: i64 = 15;
/// How often a worker says that it is still there.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// A query that was begun so often and never ended is given up.
const BEGUN_MOST: u64 = 100;
/// Seconds until a query is begun anew that could not be answered for want of something.
const PUT_OFF_S: i64 = 30;
/// How often a node forgets what is kept no longer: every minute.
const FORGET_EVERY_MICROS: i64 = 60 * calendar::MICROS_PER_SECOND;
/// Queries that are forgotten at once.
const FORGOTTEN_AT_ONCE: u64 = 1_000;

/// What a node knows of usage queries beside the books.
pub(crate) struct Queries {
    /// Told when one was asked.
    pub(crate) asked: Notify,
    /// Told when a callback is owed.
    pub(crate) owed: Notify,
    /// How the surfaces spell results.
    pub(crate) shapes: Mutex<BTreeMap<&'static str, UsageShape>>,
    /// How addresses are judged; none until it was told.
    pub(crate) judge: OnceLock<CallbackJudge>,
    /// What its leases are called.
    node: String,
    /// Whether what a dead process of this node held is free.
    is_taken_over: tokio::sync::Mutex<bool>,
    /// When it was last forgotten what is kept no longer: microseconds of system time.
    forgot_at: AtomicI64,
}

impl Default for Queries {
    fn default() -> Queries {
        Queries {
            asked: Notify::default(),
            owed: Notify::default(),
            shapes: Mutex::default(),
            judge: OnceLock::new(),
            node: uuid::Uuid::new_v4().simple().to_string(),
            is_taken_over: tokio::sync::Mutex::default(),
            forgot_at: AtomicI64::default(),
        }
    }
}

/// What the books keep of how a query ended.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    /// Rows of its result.
    pub(crate) rows: Option<u64>,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    /// What its result tells of; none without a result.
    pub(crate) sight: Option<KeptSight>,
    /// As its surface spells it.
    json: Option<KeptResult>,
    /// In the format that was asked for beside.
    file: Option<KeptResult>,
}

impl Outcome {
    /// How a query ended; of one that has not, nothing.
    pub(crate) fn of(row: &UsageQueryRow) -> Result<Outcome> {
        if row.outcome.is_empty() {
            return Ok(Outcome::default());
        }
        let damaged = |e| Error::internal("read how a usage query ended", e);
        serde_json::from_slice(&row.outcome).map_err(damaged)
    }

    /// What is kept for pick-up.
    pub(crate) fn pick_up(self, format: UsageFormat) -> Option<(UsageFormat, KeptResult)> {
        let kept = match format {
            UsageFormat::Json => self.json,
            UsageFormat::Csv | UsageFormat::Parquet => self.file,
        };
        kept.map(|kept| (format, kept))
    }

    fn kept(&self) -> impl Iterator<Item = &KeptResult> {
        self.json.iter().chain(&self.file)
    }
}

/// How a query is to end.
struct Finish {
    state: UsageQueryState,
    outcome: Outcome,
    callback: Option<NewCallback>,
}

/// How far an answer is.
#[derive(Default)]
struct Progress {
    done: AtomicU64,
    all: AtomicU64,
}

impl Reckoner {
    /// Answers usage queries until there are none that nobody answers, owners in turn; says how
    /// many have ended. To be called when the program starts, and often, by as many workers as
    /// `limits.usage_queries_at_once` says.
    ///
    /// Errors: the first fault that is not the query's own; such a query has failed, unless the
    /// books could not be had. What something is wanting for waits for a while, and is begun anew.
    #[boxed]
    pub async fn carry_out_usage_queries(&self) -> Result<u64> {
        self.take_over().await?;
        let mut ended = 0_u64;
        loop {
            // There may always be work: what has expired must not wait for the end of it.
            self.forget_usage_queries().await?;
            let Some(row) = self.lease_usage_query().await? else { return Ok(ended) };
            let (has_ended, fault) = self.carry_out_usage_query(&row).await?;
            ended = ended.saturating_add(u64::from(has_ended));
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
    }

    /// Waits until a usage query was asked here.
    pub async fn usage_query_asked(&self) {
        self.0.queries.asked.notified().await;
    }

    /// Frees what a process held that died, where no other can have held it: only one runs on books
    /// of its own.
    async fn take_over(&self) -> Result<()> {
        let mut is_taken_over = self.0.queries.is_taken_over.lock().await;
        if *is_taken_over || self.0.config.postgres.is_some() {
            return Ok(());
        }
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            store.release_usage_queries().map_err(crate::stored("take usage queries over"))
        })
        .await?;
        *is_taken_over = true;
        Ok(())
    }

    async fn lease_usage_query(&self) -> Result<Option<UsageQueryRow>> {
        let (store, now) = (Arc::clone(&self.0.store), self.system_now());
        let node = self.0.queries.node.clone();
        let leased = crate::blocking(move || {
            let leased = store.lease_usage_queries(&node, now, now.plus_seconds(LEASE_S), 1);
            leased.map_err(crate::stored("look for usage queries"))
        });
        Ok(leased.await?.into_iter().next())
    }

    /// Answers a leased query; says whether it has ended, and what fault of ours it met.
    async fn carry_out_usage_query(&self, row: &UsageQueryRow) -> Result<(bool, Option<Error>)> {
        let progress = Arc::new(Progress::default());
        let answering = AssertUnwindSafe(self.answered(row, &progress)).catch_unwind();
        let answered = tokio::select! {
            answered = answering => answered,
            () = self.hold_lease(row, &progress) => return Ok((false, None)),
        };
        let answered = answered
            .unwrap_or_else(|_| Err(Error::internal("answer a usage query", "it panicked")));
        match self.concluded(row, answered).await {
            Err(error) if error.kind() == Kind::Unavailable => {
                self.put_off(row, &error).await?;
                Ok((false, None))
            }
            concluded => concluded,
        }
    }

    /// Ends a query as it was answered; says as [`Reckoner::carry_out_usage_query`] does.
    async fn concluded(
        &self,
        row: &UsageQueryRow,
        answered: Result<Finish>,
    ) -> Result<(bool, Option<Error>)> {
        let (finish, fault) = match answered {
            Ok(finish) => (finish, None),
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            Err(error) => {
                let (why, fault) = failure_of(row, error);
                (self.failed(row, why).await?, fault)
            }
        };
        Ok((self.end_usage_query(row, finish).await?, fault))
    }

    /// Gives a query back that cannot be answered now: an outage is not its fault, and does not
    /// count as if a program had died of it.
    async fn put_off(&self, row: &UsageQueryRow, error: &Error) -> Result<()> {
        tracing::info!(query = %row.id, %error, "a usage query waits");
        let (store, row) = (Arc::clone(&self.0.store), row.clone());
        let from = self.system_now().plus_seconds(PUT_OFF_S);
        crate::blocking(move || {
            let released = store.release_usage_query(&row, from);
            released.map_err(crate::stored("put a usage query off"))
        })
        .await
    }

    /// Answers a query, spells the result and keeps it.
    #[boxed]
    async fn answered(&self, row: &UsageQueryRow, progress: &Arc<Progress>) -> Result<Finish> {
        if row.begun > BEGUN_MOST {
            let problem = format!("was begun {BEGUN_MOST} times, and never ended; ask anew");
            let key = row.id.clone();
            return Err(Error::Conflict { what: "usage query", key, problem });
        }
        let kept = KeptQuery::read(&row.body)?;
        let (shape, question) = (self.shape_of(&kept.surface)?, kept.question()?);
        self.0.refresh_declared().await?;
        let sight = self.sight_of_asker(row, &kept).await?;
        let telling = Arc::clone(progress);
        let tell = move |done: u64, all: u64| {
            telling.done.store(done, Ordering::Relaxed);
            telling.all.store(all, Ordering::Relaxed);
        };
        let answer = Arc::new(self.0.answer_usage(&question, &sight, &tell).await?);
        let rows = u64::try_from(answer.rows.len()).unwrap_or(u64::MAX);
        let format = question.options.format;
        let of = KeptFor { owner: row.owner.clone(), secret: Some(signer(&sight)) };
        let file = self.0.keep_file(&of, (format, Arc::clone(&answer))).await?;
        let json = if kept.callback.is_some() || format == UsageFormat::Json {
            let id = row.id.clone();
            let spelling: Spelling = Box::new(move |write: &mut dyn FnMut(&str)| {
                (shape.success)(&id, &answer, write);
            });
            let json = self.0.keep_spelled(&of, spelling).await;
            if let (Err(_), Some(file)) = (&json, &file) {
                self.0.forget_result(file).await?;
            }
            Some(json?)
        } else {
            None
        };
        let sight = Some(KeptSight::of(&sight));
        let outcome = Outcome { rows: Some(rows), failure: None, sight, json, file };
        Ok(self.finish(&kept, UsageQueryState::Succeeded, outcome))
    }

    /// What who asked may see now of the company that was asked for.
    async fn sight_of_asker(&self, row: &UsageQueryRow, kept: &KeptQuery) -> Result<UsageSight> {
        let asker = self.usage_asker(&kept.caller).await?;
        self.usage_sight_of(&asker, &BillingAccountId::new(&row.billing_account)?)
    }

    /// What a query that failed ends with: its callback says why.
    async fn failed(&self, row: &UsageQueryRow, why: String) -> Result<Finish> {
        let mut outcome = Outcome { failure: Some(why.clone()), ..Outcome::default() };
        let Ok(kept) = KeptQuery::read(&row.body) else {
            // What another version kept and this one cannot read must not come again and again.
            return Ok(Finish { state: UsageQueryState::Failed, outcome, callback: None });
        };
        if kept.callback.is_some() {
            // It may have failed because too many bytes are kept for the owner.
            let owner = format!("failures, {}", row.owner);
            let of = KeptFor { owner, secret: Some(kept.secret.clone()) };
            let (shape, id) = (self.shape_of(&kept.surface)?, row.id.clone());
            let spelling: Spelling = Box::new(move |write: &mut dyn FnMut(&str)| {
                write(&(shape.failure)(&id, &why));
            });
            outcome.json = Some(self.0.keep_spelled(&of, spelling).await?);
        }
        Ok(self.finish(&kept, UsageQueryState::Failed, outcome))
    }

    fn finish(&self, kept: &KeptQuery, state: UsageQueryState, outcome: Outcome) -> Finish {
        let owed = kept.callback.as_ref().zip(outcome.json.as_ref());
        let callback = owed.map(|(address, result)| self.0.callback_to(address, result));
        Finish { state, outcome, callback }
    }

    /// Ends a query as it is to end; answers whether it was ended by this.
    async fn end_usage_query(&self, row: &UsageQueryRow, finish: Finish) -> Result<bool> {
        let Finish { state, outcome, callback } = finish;
        let (ended_at, is_owed) = (self.system_now(), callback.is_some());
        // Before it is owed: what is not ended after all is forgotten again.
        for kept in outcome.kept() {
            let until = self.0.results_kept_until(ended_at);
            self.0.prolong_result(&kept.path, until).await?;
        }
        let written = serde_json::to_vec(&outcome);
        let end = UsageQueryEnd {
            id: row.id.clone(),
            fencing: row.fencing,
            state,
            outcome: written.map_err(|e| Error::internal("write how a usage query ended", e))?,
            ended_at,
            expires_at: self.0.usage_query_expires_at(ended_at),
            callback,
        };
        let store = Arc::clone(&self.0.store);
        let has_ended = crate::blocking(move || {
            store.end_usage_query(&end).map_err(crate::stored("end a usage query"))
        })
        .await?;
        if !has_ended {
            for kept in outcome.kept() {
                self.0.forget_result(kept).await?;
            }
        } else if is_owed {
            self.0.queries.owed.notify_one();
        }
        Ok(has_ended)
    }

    /// Holds the lease, and returns when it is lost or the query was cancelled.
    async fn hold_lease(&self, row: &UsageQueryRow, progress: &Progress) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let renewed = UsageQueryRow {
                progress_done: progress.done.load(Ordering::Relaxed),
                progress_all: progress.all.load(Ordering::Relaxed),
                lease_until: self.system_now().plus_seconds(LEASE_S),
                ..row.clone()
            };
            let store = Arc::clone(&self.0.store);
            let held = crate::blocking(move || {
                store.renew_usage_query(&renewed).map_err(crate::stored("renew a lease"))
            });
            match held.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::info!(query = %row.id, %error, "a lease is not renewed"),
            }
        }
    }

    fn shape_of(&self, surface: &str) -> Result<UsageShape> {
        let shapes = self.0.queries.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.get(surface).copied().ok_or_else(|| Error::Unavailable {
            problem: format!("surface `{surface}` is not served here; its usage queries wait"),
        })
    }

    /// Forgets queries whose results have expired, now and then.
    async fn forget_usage_queries(&self) -> Result<()> {
        let (now, forgot_at) = (self.system_now(), &self.0.queries.forgot_at);
        let since = now.micros().saturating_sub(forgot_at.load(Ordering::Relaxed));
        if since < FORGET_EVERY_MICROS {
            return Ok(());
        }
        forgot_at.store(now.micros(), Ordering::Relaxed);
        let store = Arc::clone(&self.0.store);
        let expired = crate::blocking(move || {
            let expired = store.expired_usage_queries(now, FORGOTTEN_AT_ONCE);
            expired.map_err(crate::stored("look for usage queries that have expired"))
        });
        for row in expired.await? {
            let (store, id) = (Arc::clone(&self.0.store), row.id.clone());
            let is_forgotten = crate::blocking(move || {
                let forgotten = store.forget_usage_query(&id, now);
                forgotten.map_err(crate::stored("forget a usage query"))
            });
            // Its result may have been asked for again meanwhile: then it is owed.
            if !is_forgotten.await? {
                continue;
            }
            // What cannot be read any more expires by itself.
            for kept in Outcome::of(&row).unwrap_or_default().kept() {
                self.0.forget_result(kept).await?;
            }
        }
        Ok(())
    }
}

/// What is told of a query that failed, and our own fault, if it is one.
fn failure_of(row: &UsageQueryRow, error: Error) -> (String, Option<Error>) {
    let UsageQueryRow { id, request_id, .. } = row;
    if error.kind() == Kind::Internal {
        let why = format!(
            "it failed on our side; the log has it under request id {request_id}; ask anew"
        );
        let fault = Error::internal(format!("usage query {id} of request {request_id}"), error);
        return (why, Some(fault));
    }
    let causes = with_causes(&error);
    tracing::info!(query = %id, %request_id, error = %causes, "a usage query cannot be answered");
    (error.to_string(), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calendar::Instant;

    fn row(outcome: Vec<u8>) -> UsageQueryRow {
        UsageQueryRow {
            number: 1,
            id: "Q".to_owned(),
            owner: "key k".to_owned(),
            billing_account: "100".to_owned(),
            request_id: "r".to_owned(),
            body: Vec::new(),
            state: UsageQueryState::Running,
            progress_done: 0,
            progress_all: 0,
            outcome,
            lease_owner: String::new(),
            lease_until: Instant::EPOCH,
            fencing: 1,
            begun: 1,
            created_at: Instant::EPOCH,
            ended_at: None,
            expires_at: None,
        }
    }

    #[test]
    fn why_a_query_failed_is_told_but_for_what_is_our_fault() {
        let check = |error: Error, expected: &str, is_fault: bool| {
            let (why, fault) = failure_of(&row(Vec::new()), error);
            assert_eq!((why.as_str(), fault.is_some()), (expected, is_fault));
        };
        let too_many =
            Error::TooMuch { limit: "groups of an answer", most: 9, key: "limits.answer_rows" };
        let said = "groups of an answer is at most 9; set `limits.answer_rows` to change it";
        check(too_many, said, false);
        let said = "it failed on our side; the log has it under request id r; ask anew";
        check(Error::internal("read /secret/place", "disk"), said, true);
    }

    #[test]
    fn each_format_is_picked_up_as_what_it_was_kept_as() {
        let kept = |id: &str| KeptResult {
            id: id.to_owned(),
            path: format!("pages/{id}"),
            size_bytes: 2,
            hash: "h".to_owned(),
        };
        let written = || {
            let outcome = Outcome {
                rows: Some(1),
                failure: None,
                sight: None,
                json: Some(kept("j")),
                file: Some(kept("f")),
            };
            Outcome::of(&row(serde_json::to_vec(&outcome).unwrap())).unwrap()
        };
        let check = |format: UsageFormat, expected: &str| {
            let (_, picked) = written().pick_up(format).unwrap();
            assert_eq!(picked.id, expected, "{format:?}");
        };
        check(UsageFormat::Json, "j");
        check(UsageFormat::Csv, "f");
        check(UsageFormat::Parquet, "f");
        assert_eq!(written().kept().count(), 2);
        assert!(Outcome::of(&row(Vec::new())).unwrap().pick_up(UsageFormat::Json).is_none());
    }
}
