//! Requests that may be sent again: done once, and answered alike each time.
//!
//! A caller's key is taken before anything is done. If the program ends in between, nobody knows
//! whether it was done, so it is not done again under that key: the refusal names the first
//! request, by which the audit log is searched.

use crate::Reckoner;
use async_recursion::async_recursion as boxed;
use domain::access::Caller;
use domain::{Error, Result};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use store::{KeptRequest, KeptState, Reserved};

/// The longest key that a caller may choose, in characters.
pub const KEY_MOST: usize = 255;

/// A request that its caller may send again.
#[derive(Debug, Clone, Copy)]
pub struct Repeatable<'a> {
    /// The caller's key for it: its `Idempotency-Key`.
    pub key: &'a str,
    /// Which operation, on what.
    pub operation: &'a str,
    /// What was sent.
    pub body: &'a [u8],
}

/// What is known of a request.
#[derive(Debug)]
pub enum Begun {
    /// It is the first: whoever asked goes on, and says what came of it.
    First(Turn),
    /// It was done, and answered so.
    Answered(Vec<u8>),
    /// It is being done at this moment.
    Running,
}

/// The keys under which something is being done by this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running(Arc<Mutex<BTreeSet<(String, String)>>>);

/// The turn of one request. However it ends, the key no longer counts as running.
#[derive(Debug)]
pub struct Turn {
    actor: String,
    key: String,
    running: Running,
}

impl Running {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeSet<(String, String)>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let taken = (std::mem::take(&mut self.actor), std::mem::take(&mut self.key));
        self.running.with(|running| running.remove(&taken));
    }
}

impl Reckoner {
    /// Begins a request, or tells what came of it when it came before. What it may do is decided
    /// by the use case that does it.
    ///
    /// Errors: [`Error::Invalid`] for a key that is none, [`Error::Conflict`] for one that stands
    /// for another request, or for one that was interrupted or whose answer is not kept;
    /// [`Error::TooManyKept`].
    pub async fn begin_repeatable(
        &self,
        caller: &Caller,
        asked: Repeatable<'_>,
        request_id: &str,
    ) -> Result<Begun> {
        let Repeatable { key, operation, body } = asked;
        check_key(key)?;
        let actor = caller.actor();
        let taken = (actor.clone(), key.to_owned());
        let running = self.0.running.clone();
        if !running.with(|running| running.insert(taken.clone())) {
            return Ok(Begun::Running);
        }
        let turn = Turn { actor: taken.0, key: taken.1, running };
        let mut hasher = blake3::Hasher::new();
        hasher.update(operation.as_bytes()).update(&[0]).update(body);
        let request = KeptRequest {
            actor,
            key: key.to_owned(),
            request_hash: *hasher.finalize().as_bytes(),
            request_id: request_id.to_owned(),
            begun_at: self.system_now(),
        };
        let (hash, now) = (request.request_hash, request.begun_at);
        match self.reserve(request).await? {
            Reserved::First => Ok(Begun::First(turn)),
            Reserved::Before(first, state) => came_before(&first, state, hash),
            Reserved::Full(oldest) => {
                let limits = self.limits();
                let kept_s = i64::try_from(limits.kept_answer_seconds).unwrap_or(i64::MAX);
                let left_s = oldest.plus_seconds(kept_s).since(now) / calendar::MICROS_PER_SECOND;
                Err(Error::TooManyKept {
                    limit: "idempotency keys of one caller",
                    most: limits.kept_answers,
                    key: "limits.kept_answers",
                    retry_after_s: u64::try_from(left_s).unwrap_or(0).saturating_add(1),
                })
            }
        }
    }

    /// Keeps the answer of a request that was done; without one, only that it was done.
    ///
    /// Errors: [`Error::Internal`] when storage fails.
    #[boxed]
    pub async fn keep_answer(&self, turn: Turn, answer: Option<Vec<u8>>) -> Result<()> {
        let most = usize::try_from(self.limits().kept_answer_bytes).unwrap_or(usize::MAX);
        let answer = answer.filter(|answer| answer.len() <= most);
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            let kept = store.keep_answer(&turn.actor, &turn.key, answer.as_deref());
            kept.map_err(crate::stored("keep an answer"))
        })
        .await
    }

    /// Gives the key of a request back that did nothing.
    ///
    /// Errors: [`Error::Internal`] when storage fails.
    #[boxed]
    pub async fn forget_request(&self, turn: Turn) -> Result<()> {
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            let forgotten = store.forget_answer(&turn.actor, &turn.key);
            forgotten.map_err(crate::stored("forget a request"))
        })
        .await
    }

    async fn reserve(&self, request: KeptRequest) -> Result<Reserved> {
        let limits = self.limits();
        let kept_s = i64::try_from(limits.kept_answer_seconds).unwrap_or(i64::MAX);
        let expired = request.begun_at.plus_seconds(kept_s.saturating_neg());
        let (store, most) = (Arc::clone(&self.0.store), limits.kept_answers);
        crate::blocking(move || {
            let reserved = store.reserve_answer(&request, expired, most);
            reserved.map_err(crate::stored("keep an answer"))
        })
        .await
    }
}

fn came_before(first: &KeptRequest, state: KeptState, hash: [u8; 32]) -> Result<Begun> {
    let stands_against = |problem: String| {
        Err(Error::Conflict { what: "Idempotency-Key", key: first.key.clone(), problem })
    };
    if first.request_hash != hash {
        return stands_against("stands for another request; take a new key".to_owned());
    }
    match state {
        KeptState::Answered(answer) => Ok(Begun::Answered(answer)),
        KeptState::NotKept => stands_against(format!(
            "was done by request {}; its answer is not kept",
            first.request_id
        )),
        KeptState::Begun => stands_against(format!(
            "request {} was interrupted; the audit log tells whether it was done; then take a new \
             key",
            first.request_id
        )),
    }
}

fn check_key(key: &str) -> Result<()> {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || key.len() > KEY_MOST || !is_plain {
        let problem = format!("must be 1 to {KEY_MOST} ASCII characters without spaces");
        return Err(Error::invalid("Idempotency-Key", problem));
    }
    Ok(())
}
