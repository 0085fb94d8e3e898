//! Usage queries: durable questions for the added-up charges of messaging accounts.
//!
//! What is asked is kept with who asks, and answered behind the answer: by one worker at a time,
//! which holds a lease and says how far it is; a program that dies leaves the query to the next.
//! What it comes to is spelled once by the surface that took it, kept until it expires, and owed to
//! the callback's receiver by the transaction that ends the query.

use crate::callbacks::CallbackTold;
use calendar::Instant;
use domain::usage_queries::{UsageFormat, UsageQuestion};
use store::UsageQueryState;

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
    /// At most so many; `limits.page_rows` if none, and never more.
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
