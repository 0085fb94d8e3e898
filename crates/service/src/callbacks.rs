//! Callbacks: results of usage queries on their way to receivers, until delivered or given up.
//!
//! A callback is owed from the transaction that ends its query. It is claimed, tried and tried
//! again with the same id and the same bytes until the receiver takes it or the schedule is over:
//! then it is a dead letter with its reason, until somebody asks for it again. A program that dies
//! between delivering and noting that delivers again, under the same id.

use calendar::Instant;
use store::CallbackState;

/// A callback, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackTold {
    /// Its id, the same with each try: what `webhook-id` says.
    pub id: String,
    /// Where it goes.
    pub url: String,
    /// How far it is.
    pub state: CallbackState,
    /// How often it was tried since it was last asked for.
    pub tries: u64,
    /// When it is tried next: system time; none where it is not.
    pub next_at: Option<Instant>,
    /// Why it is no longer tried, or what came of the last try.
    pub outcome: String,
    /// All tries, oldest first.
    pub attempts: Vec<AttemptTold>,
}

/// One try of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptTold {
    /// From 1.
    pub number: u64,
    /// When it began: system time.
    pub at: Instant,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The status that was answered; none where nothing was.
    pub status: Option<u16>,
    /// What came of it; never what the receiver said.
    pub outcome: String,
}
