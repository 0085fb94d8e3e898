//! Callbacks of everybody, for who operates the installation: which were given up, and sending a
//! result again when nobody who could ask for that is there any more.

use crate::Reckoner;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, Scope};
use domain::{Error, Result};
use std::sync::Arc;
use store::{CallbackFilter, CallbackRow, CallbackState, Note};

/// Errors call it so.
const WHAT: &str = "callback";

/// A callback as an operator is told of it: without its address, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackLogged {
    /// Where it stands among all callbacks, from 1.
    pub number: u64,
    /// Its id: what `webhook-id` says.
    pub id: String,
    /// Id of its usage query.
    pub query_id: String,
    /// Who asked: `key …` or `principal …`.
    pub owner: String,
    /// Of which billing account.
    pub billing_account: String,
    /// Host and port that it goes to.
    pub receiver: String,
    /// How far it is.
    pub state: CallbackState,
    /// How often it was tried since it was last asked for.
    pub tries: u64,
    /// When it is tried next: system time; none where it is not.
    pub next_at: Option<Instant>,
    /// What came of the last try; empty before.
    pub outcome: String,
    /// When its usage query ended: system time.
    pub created_at: Instant,
    /// When it was delivered, given up or cancelled: system time.
    pub ended_at: Option<Instant>,
}

impl Reckoner {
    /// Lists the callbacks of everybody, oldest first.
    ///
    /// Errors: [`Error::Forbidden`].
    #[boxed]
    pub async fn callbacks_of_installation(
        &self,
        caller: &Caller,
        filter: CallbackFilter,
    ) -> Result<Vec<CallbackLogged>> {
        self.demand(caller, Action::RunOperations, &Scope::Installation).await?;
        let store = Arc::clone(&self.0.store);
        let rows = crate::blocking(move || {
            store.callbacks(filter).map_err(crate::stored("read the callbacks"))
        });
        Ok(rows.await?.into_iter().map(logged).collect())
    }

    /// Has anybody's result sent again, as [`Reckoner::resend_usage_result`] does for who asked.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] for no such callback, or a result that has
    /// expired; [`Error::Conflict`] while it is being sent.
    #[boxed]
    pub async fn resend_callback(&self, caller: &Caller, id: &str, request_id: &str) -> Result<()> {
        self.demand(caller, Action::RunOperations, &Scope::Installation).await?;
        // The store refuses such a text, as nothing there is called so.
        if id.contains('\0') {
            return Err(Error::not_found(WHAT, id));
        }
        let (store, wanted) = (Arc::clone(&self.0.store), id.to_owned());
        let row = crate::blocking(move || {
            store.callback(&wanted).map_err(crate::stored("read a callback"))
        });
        let row = row.await?.ok_or_else(|| Error::not_found(WHAT, id))?;
        let note = self.note(caller, "send a result of somebody again", request_id);
        if self.send_again(row, true, note).await? {
            return Ok(());
        }
        let problem = "is being sent right now; ask again in a minute".to_owned();
        Err(Error::Conflict { what: WHAT, key: id.to_owned(), problem })
    }

    /// Has a callback tried anew; answers whether it will be: not while it is being tried. What an
    /// operator released goes out whatever who asked may still see.
    ///
    /// Errors: [`Error::NotFound`] for a result that has expired.
    #[boxed]
    pub(crate) async fn send_again(
        &self,
        callback: CallbackRow,
        released: bool,
        note: Note,
    ) -> Result<bool> {
        if self.0.result_head(&callback.body_path).await?.is_none() {
            return Err(Error::not_found("usage result", callback.query_id));
        }
        let until = self.0.results_kept_until(self.system_now());
        self.0.prolong_result(&callback.body_path, until).await?;
        let store = Arc::clone(&self.0.store);
        let is_due = crate::blocking(move || {
            let resent = store.resend_callback(&callback.id, released, &note);
            resent.map_err(crate::stored("send a result again"))
        });
        let is_due = is_due.await?;
        if is_due {
            self.0.queries.owed.notify_one();
        }
        Ok(is_due)
    }
}

fn logged((number, row): (u64, CallbackRow)) -> CallbackLogged {
    let next_at = (row.state == CallbackState::Pending).then_some(row.due_at);
    CallbackLogged {
        number,
        id: row.id,
        query_id: row.query_id,
        owner: row.owner,
        billing_account: row.billing_account,
        receiver: row.receiver,
        state: row.state,
        tries: row.tries,
        next_at,
        outcome: row.last_outcome,
        created_at: row.created_at,
        ended_at: row.ended_at,
    }
}
