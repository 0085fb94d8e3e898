//! Callbacks of everybody, as an operator lists them.

use crate::callbacks::{CallbackRow, CallbackState, read};
use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Result, Store};

/// Which callbacks to list, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackFilter {
    /// Only those that are so far.
    pub state: Option<CallbackState>,
    /// Only those behind the one with this number; from the first on if 0.
    pub after: u64,
    /// At most so many.
    pub limit: u64,
}

statements! {
    LIST = "SELECT number, id, query_id, owner, billing_account, url, url_hash, receiver, body_path,
            body_bytes, body_hash, state, tries, due_at, claimed_until, claim, last_outcome,
            created_at, ended_at, released
        FROM callbacks WHERE (state = $1 OR $1 = '') AND number > $2 ORDER BY number LIMIT $3";
}

impl Store {
    /// Callbacks of everybody, each with its number, in the order in which they were made.
    pub fn callbacks(&self, filter: CallbackFilter) -> Result<Vec<(u64, CallbackRow)>> {
        let CallbackFilter { state, after, limit } = filter;
        let state = state.map_or("", CallbackState::name);
        self.pool.read(|connection| connection.rows(LIST, values![state, after, limit], numbered))
    }
}

fn numbered(row: &mut Row) -> Result<(u64, CallbackRow)> {
    Ok((row.take()?, read(row)?))
}
