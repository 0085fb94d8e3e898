//! Answers that are kept, so that a request that is sent again is answered and not done again.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Result, Store, StoreError};
use calendar::Instant;

/// A request that its caller may send again, by the caller's key for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRequest {
    /// Whose.
    pub actor: String,
    /// The caller's key.
    pub key: String,
    /// The digest of what was asked.
    pub request_hash: [u8; 32],
    /// The id of the request that came first.
    pub request_id: String,
    /// When it came: system time.
    pub begun_at: Instant,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptState {
    /// It was begun; nobody has said yet what came of it.
    Begun,
    /// It was done, and answered so.
    Answered(Vec<u8>),
    /// It was done; its answer was too large to be kept, or must not be.
    NotKept,
}

/// What is known of a request when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// Nothing was: its key is taken now.
    First,
    /// It came before.
    Before(KeptRequest, KeptState),
    /// Nothing is; its caller has as many keys as it may, the oldest since this moment.
    Full(Instant),
}

statements! {
    FIND = "SELECT actor, idempotency_key, request_hash, request_id, begun_at, state, answer
        FROM kept_answers WHERE actor = $1 AND idempotency_key = $2";
    EXPIRE = "DELETE FROM kept_answers WHERE begun_at < $1";
    COUNT = "SELECT COUNT(*), COALESCE(MIN(begun_at), 0) FROM kept_answers WHERE actor = $1";
    INSERT = "INSERT INTO kept_answers
            (actor, idempotency_key, request_hash, request_id, begun_at, state, answer)
        VALUES ($1, $2, $3, $4, $5, 'begun', $6)";
    ANSWER = "UPDATE kept_answers SET state = $1, answer = $2
        WHERE actor = $3 AND idempotency_key = $4";
    FORGET = "DELETE FROM kept_answers WHERE actor = $1 AND idempotency_key = $2";
}

impl Store {
    /// Takes a caller's key for a request, unless it is taken; forgets all that came before
    /// `expired`. One caller may have `most` of them.
    pub fn reserve_answer(
        &self,
        request: &KeptRequest,
        expired: Instant,
        most: u64,
    ) -> Result<Reserved> {
        self.pool.write(|connection| {
            let KeptRequest { actor, key, request_hash, request_id, begun_at } = request;
            connection.execute(EXPIRE, values![expired])?;
            if let Some((request, state)) = connection.row(FIND, values![actor, key], read)? {
                return Ok(Reserved::Before(request, state));
            }
            let count = |row: &mut Row| Ok((row.take::<u64>()?, row.take::<Instant>()?));
            let (kept, oldest) = connection.one(COUNT, values![actor], count)?;
            if kept >= most {
                return Ok(Reserved::Full(oldest));
            }
            let values = values![actor, key, request_hash, request_id, begun_at, Vec::<u8>::new()];
            connection.execute(INSERT, values)?;
            Ok(Reserved::First)
        })
    }

    /// Keeps what came of a request; without an answer only that it was done.
    pub fn keep_answer(&self, actor: &str, key: &str, answer: Option<&[u8]>) -> Result<()> {
        let state = if answer.is_some() { "answered" } else { "not_kept" };
        let answer = answer.unwrap_or_default();
        self.pool.write(|connection| {
            connection.execute(ANSWER, values![state, answer, actor, key]).map(drop)
        })
    }

    /// Forgets a request that did nothing: it may be sent again.
    pub fn forget_answer(&self, actor: &str, key: &str) -> Result<()> {
        self.pool.write(|connection| connection.execute(FORGET, values![actor, key]).map(drop))
    }
}

fn read(row: &mut Row) -> Result<(KeptRequest, KeptState)> {
    let request = KeptRequest {
        actor: row.take()?,
        key: row.take()?,
        request_hash: row.take()?,
        request_id: row.take()?,
        begun_at: row.take()?,
    };
    let state: String = row.take()?;
    let state = match state.as_str() {
        "begun" => KeptState::Begun,
        "answered" => KeptState::Answered(row.take()?),
        "not_kept" => KeptState::NotKept,
        other => return Err(StoreError::damaged(format!("a kept answer is `{other}`"))),
    };
    Ok((request, state))
}
