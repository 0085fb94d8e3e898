//! Usage queries: durable questions for the added-up charges of messaging accounts.
//!
//! What is asked is kept with who asks, and answered behind the answer: by one worker at a time,
//! which holds a lease and says how far it is; a program that dies leaves the query to the next.
//! What it comes to is spelled once by the surface that took it, kept until it expires, and owed to
//! the callback's receiver by the transaction that ends the query.

use crate::callbacks::{CallbackTold, signer};
use crate::kept_questions::{KeptAddress, KeptCaller, KeptQuery};
use crate::time_zones::Zone;
use crate::usage_results::{UsageResultRead, UsageShape};
use crate::usage_runs::Outcome;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::{Instant, MICROS_PER_SECOND};
use domain::access::Caller;
use domain::usage_queries::{UsageFault, UsageField, UsageFormat, UsageQuestion, UsageWindow};
use domain::{Error, Result};
use std::sync::{Arc, PoisonError};
use store::{UsageQueryFilter, UsageQueryKept, UsageQueryLimits, UsageQueryRow, UsageQueryState};

/// Queries that are listed where nothing is said.
const LISTED: u64 = 100;
/// When it is worth asking again where too many queries have not ended.
const RETRY_AFTER_S: u64 = 5;
/// Errors call it so.
const WHAT: &str = "usage query";

/// A usage query that is asked for.
#[derive(Debug, Clone)]
pub struct UsageQueryAsked {
    /// Where the result is sent; it is only kept if none.
    pub callback_url: Option<String>,
    /// What is asked.
    pub question: UsageQuestion,
    /// The surface that takes it, and spells the result: see [`UsageShape`].
    pub surface: &'static str,
}

/// Which usage queries to list, youngest first; what is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct UsageQueriesAsked {
    /// Only those that are so far.
    pub state: Option<UsageQueryState>,
    /// At most so many; 100 if none, and never more than `limits.page_rows`.
    pub limit: Option<u64>,
    /// Only those that were asked for before the one with this id.
    pub before: Option<String>,
}

/// A usage query, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQueryTold {
    /// Its id: 32 upper-case hexadecimal digits that nobody can guess.
    pub id: String,
    /// How far it is.
    pub state: UsageQueryState,
    /// Steps that are done, and in all; both 0 until it is begun.
    pub progress: (u64, u64),
    /// When it was asked for: system time.
    pub created_at: Instant,
    /// When it ended: system time.
    pub ended_at: Option<Instant>,
    /// Until when its result can be read: system time; none without one.
    pub readable_until: Option<Instant>,
    /// Rows of the result.
    pub rows: Option<u64>,
    /// Why it failed.
    pub failure: Option<String>,
    /// What became of its callback; none where none was asked for, or it has not ended.
    pub callback: Option<CallbackTold>,
    /// In which format the result is kept for pick-up.
    pub format: UsageFormat,
}

impl Reckoner {
    /// Says how a surface spells results; once, when the surface is made.
    pub fn show_usage_with(&self, surface: &'static str, shape: UsageShape) {
        let mut shapes = self.0.queries.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.insert(surface, shape);
    }

    /// All that is wrong with a question now.
    pub fn usage_query_faults(&self, question: &UsageQuestion) -> Vec<UsageFault> {
        let limits = self.limits();
        let small = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
        let window = UsageWindow {
            months_kept: small(limits.usage_months),
            months_most: small(limits.usage_months),
            long_months_most: small(limits.usage_long_months),
            values_most: small(limits.usage_filter_values),
        };
        let (zone, unknown) = match Zone::named(question.options.time_zone.as_deref()) {
            Ok(zone) => (Some(zone), None),
            Err(Error::Invalid { problem, .. }) => (None, Some(problem)),
            Err(error) => (None, Some(error.to_string())),
        };
        let today = zone.map_or(self.now().day(), |zone| zone.day_of(self.now()));
        let mut faults = question.faults(&window, today);
        faults.extend(unknown.map(|problem| UsageFault::new(UsageField::TimeZone, problem)));
        faults
    }

    /// Keeps a usage query: it is durable, and will be answered.
    ///
    /// Errors: [`Error::Forbidden`] for who may ask for no messaging account's charges;
    /// [`Error::Invalid`] for a question with faults, and naming `callback_url` for an address that
    /// may not be called; [`Error::TooManyKept`] where the caller has too many.
    #[boxed]
    pub async fn submit_usage_query(
        &self,
        caller: &Caller,
        asked: &UsageQueryAsked,
        request_id: &str,
    ) -> Result<UsageQueryTold> {
        self.0.refresh_declared().await?;
        let sight = self.usage_sight(caller).await?;
        let asker = KeptCaller::of(caller)?;
        if let Some(fault) = self.usage_query_faults(&asked.question).into_iter().next() {
            return Err(Error::invalid("question", fault.problem));
        }
        let address = asked.callback_url.as_deref().map(|url| self.address(url)).transpose()?;
        let row = UsageQueryRow {
            number: 0,
            id: uuid::Uuid::new_v4().simple().to_string().to_ascii_uppercase(),
            owner: asker.owner(),
            billing_account: sight.billing_account.to_string(),
            request_id: request_id.to_owned(),
            body: KeptQuery::of(asker, asked, (address, signer(&sight))).body()?,
            state: UsageQueryState::Queued,
            progress_done: 0,
            progress_all: 0,
            outcome: Vec::new(),
            lease_owner: String::new(),
            lease_until: Instant::EPOCH,
            fencing: 0,
            begun: 0,
            created_at: self.system_now(),
            ended_at: None,
            expires_at: None,
        };
        let limits = UsageQueryLimits {
            most_open: self.limits().usage_queries,
            most_kept: self.limits().usage_results,
        };
        let (store, kept) = (Arc::clone(&self.0.store), row.clone());
        let kept = crate::blocking(move || {
            store.insert_usage_query(&kept, limits).map_err(crate::stored("keep a usage query"))
        });
        check_kept(kept.await?, limits, row.created_at)?;
        self.0.queries.asked.notify_one();
        told(&row, None)
    }

    /// A usage query with all tries of its callback, for who asked for it.
    ///
    /// Errors: [`Error::NotFound`], also for everybody else.
    #[boxed]
    pub async fn usage_query(&self, caller: &Caller, id: &str) -> Result<UsageQueryTold> {
        let row = self.own_usage_query(caller, id).await?;
        let callback = self.0.callback_told(&row.id).await?;
        told(&row, callback)
    }

    /// The caller's usage queries, youngest first; their callbacks are told without their tries.
    ///
    /// Errors: [`Error::Invalid`] naming `before` for what is no query of the caller's.
    #[boxed]
    pub async fn usage_queries(
        &self,
        caller: &Caller,
        asked: &UsageQueriesAsked,
    ) -> Result<Vec<UsageQueryTold>> {
        let owner = KeptCaller::of(caller)?.owner();
        let before = match &asked.before {
            None => None,
            Some(id) => {
                let unknown = |_| Error::invalid("before", "is no usage query of the caller's");
                Some(self.own_usage_query(caller, id).await.map_err(unknown)?.number)
            }
        };
        let most = self.limits().page_rows.max(1);
        let limit = asked.limit.unwrap_or(LISTED).clamp(1, most);
        let filter = UsageQueryFilter { state: asked.state, before, limit };
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            let stored = crate::stored;
            let rows = store.usage_queries_of(&owner, filter);
            let rows = rows.map_err(stored("read the usage queries"))?;
            let one = |row: &UsageQueryRow| {
                let callback = store.callback_of(&row.id).map_err(stored("read a callback"))?;
                told(row, callback.map(|callback| CallbackTold::of(callback, Vec::new())))
            };
            rows.iter().map(one).collect()
        })
        .await
    }

    /// Ends a usage query that has not ended, or the delivery of one that has; what is delivered
    /// or given up stays so.
    ///
    /// Errors: [`Error::NotFound`].
    #[boxed]
    pub async fn cancel_usage_query(
        &self,
        caller: &Caller,
        id: &str,
        request_id: &str,
    ) -> Result<UsageQueryTold> {
        let row = self.own_usage_query(caller, id).await?;
        let (store, cancelled, now) =
            (Arc::clone(&self.0.store), row.id.clone(), self.system_now());
        let expires_at = self.0.usage_query_expires_at(now);
        let is_cancelled = crate::blocking(move || {
            let cancelled = store.cancel_usage_query(&cancelled, now, expires_at);
            cancelled.map_err(crate::stored("cancel a usage query"))
        });
        if is_cancelled.await? {
            tracing::info!(query = %row.id, request_id, "a usage query is cancelled");
        }
        self.usage_query(caller, id).await
    }

    /// The result of a usage query that has succeeded, for who asked for it.
    ///
    /// Errors: [`Error::NotFound`] for a query of somebody else, a result that has expired, or one
    /// that tells more than the caller may see now; [`Error::Conflict`] for a query that has no
    /// result.
    #[boxed]
    pub async fn usage_result(&self, caller: &Caller, id: &str) -> Result<UsageResultRead> {
        self.0.refresh_declared().await?;
        let row = self.own_usage_query(caller, id).await?;
        let conflict = |problem: String| Error::Conflict { what: WHAT, key: id.into(), problem };
        let outcome = Outcome::of(&row)?;
        let (format, kept) = match row.state {
            UsageQueryState::Succeeded => {
                if !self.may_see_result(caller, &outcome)? {
                    return Err(Error::not_found("usage result", id));
                }
                outcome.pick_up(KeptQuery::read(&row.body)?.format()?).ok_or_else(|| {
                    Error::internal("read a usage result", format!("query {} has none", row.id))
                })?
            }
            UsageQueryState::Failed => {
                let why = outcome.failure.unwrap_or_default();
                return Err(conflict(format!("failed, and has no result: {why}")));
            }
            UsageQueryState::Cancelled => {
                return Err(conflict("was cancelled, and has no result".to_owned()));
            }
            UsageQueryState::Queued | UsageQueryState::Running => {
                return Err(conflict("is still being answered; ask again".to_owned()));
            }
        };
        let missing = || Error::not_found("usage result", id);
        let is_over = row.expires_at.is_some_and(|until| until <= self.system_now());
        let head = if is_over { None } else { self.0.result_head(&kept.path).await? };
        let head = head.ok_or_else(missing)?;
        Ok(UsageResultRead::new(Arc::clone(&self.0), kept.path, (format, head)))
    }

    /// Has a result sent again, as often as a new one, also to an address that wanted no more.
    ///
    /// Errors: [`Error::NotFound`] for a query of somebody else, a result that has expired, or one
    /// that tells more than the caller may see now; [`Error::Conflict`] where nothing is owed, or
    /// it is being sent.
    #[boxed]
    pub async fn resend_usage_result(
        &self,
        caller: &Caller,
        id: &str,
        request_id: &str,
    ) -> Result<UsageQueryTold> {
        self.0.refresh_declared().await?;
        let row = self.own_usage_query(caller, id).await?;
        let conflict = |problem: &str| {
            let (key, problem) = (id.to_owned(), problem.to_owned());
            Error::Conflict { what: WHAT, key, problem }
        };
        let callback = self.0.callback_row_of(&row.id).await?.ok_or_else(|| {
            conflict("has nothing to send: it has not ended, or named no address")
        })?;
        if !self.may_see_result(caller, &Outcome::of(&row)?)? {
            return Err(Error::not_found("usage result", id));
        }
        let note = self.note(caller, "send a result again", request_id);
        if !self.send_again(callback, false, note).await? {
            return Err(conflict("its result is being sent right now; ask again in a minute"));
        }
        self.usage_query(caller, id).await
    }

    /// The secret by which callbacks with the caller's results are signed: `whsec_` and base64.
    ///
    /// Whoever sees the whole company gets that of the company; others get that of the accounts
    /// that they see, so that nobody can sign as the company, nor as an account of others.
    /// Errors: [`Error::Forbidden`].
    #[boxed]
    pub async fn callback_secret(&self, caller: &Caller) -> Result<String> {
        self.0.refresh_declared().await?;
        // Who can ask for nothing has nothing to verify.
        KeptCaller::of(caller)?;
        let sight = self.usage_sight(caller).await?;
        let secret = self.0.callback_secret(signer(&sight)).await?;
        Ok(crate::callbacks::secret_text(&secret))
    }

    /// A query of the caller's own.
    async fn own_usage_query(&self, caller: &Caller, id: &str) -> Result<UsageQueryRow> {
        let missing = || Error::not_found(WHAT, id);
        let owner = KeptCaller::of(caller).map_err(|_| missing())?.owner();
        // The store refuses such a text, as nothing there is called so.
        if id.contains('\0') {
            return Err(missing());
        }
        let (store, wanted) = (Arc::clone(&self.0.store), id.to_ascii_uppercase());
        let row = crate::blocking(move || {
            store.usage_query(&wanted).map_err(crate::stored("read a usage query"))
        });
        row.await?.filter(|row| row.owner == owner).ok_or_else(missing)
    }

    fn address(&self, url: &str) -> Result<KeptAddress> {
        match self.judged_callback(url) {
            Ok(address) => Ok(KeptAddress { url: address.url, receiver: address.receiver }),
            Err(problem) => Err(Error::invalid("callback_url", problem)),
        }
    }
}

impl Inner {
    /// Until when a query that ends now is kept: system time.
    pub(crate) fn usage_query_expires_at(&self, now: Instant) -> Instant {
        let kept_s = i64::try_from(self.config.limits.usage_result_seconds).unwrap_or(i64::MAX);
        now.plus_seconds(kept_s)
    }
}

fn check_kept(kept: UsageQueryKept, limits: UsageQueryLimits, now: Instant) -> Result<()> {
    match kept {
        UsageQueryKept::Yes => Ok(()),
        UsageQueryKept::TooManyOpen => Err(Error::TooManyKept {
            limit: "usage queries of one caller that have not ended",
            most: limits.most_open,
            key: "limits.usage_queries",
            retry_after_s: RETRY_AFTER_S,
        }),
        UsageQueryKept::TooManyKept { until } => {
            let wait_micros = until.map_or(0, |until| until.since(now));
            let wait_s = wait_micros.checked_div(MICROS_PER_SECOND).unwrap_or(0);
            Err(Error::TooManyKept {
                limit: "usage queries of one caller that are kept with their results",
                most: limits.most_kept,
                key: "limits.usage_results",
                retry_after_s: u64::try_from(wait_s).unwrap_or(0).saturating_add(1),
            })
        }
    }
}

fn told(row: &UsageQueryRow, callback: Option<CallbackTold>) -> Result<UsageQueryTold> {
    let outcome = Outcome::of(row)?;
    let has_result = row.state == UsageQueryState::Succeeded;
    let steps = row.progress_all.max(1);
    let progress = if has_result { (steps, steps) } else { (row.progress_done, row.progress_all) };
    Ok(UsageQueryTold {
        id: row.id.clone(),
        state: row.state,
        progress,
        created_at: row.created_at,
        ended_at: row.ended_at,
        readable_until: row.expires_at.filter(|_| has_result),
        rows: outcome.rows,
        failure: outcome.failure,
        callback,
        format: KeptQuery::read(&row.body)?.format()?,
    })
}
