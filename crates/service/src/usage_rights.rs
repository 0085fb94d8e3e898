//! Rights to results of usage queries: a result tells what its asker saw when it was made, and is
//! told only as long as the asker may see that.

use crate::kept_questions::{KeptCaller, KeptQuery};
use crate::usage_runs::Outcome;
use crate::{Reckoner, keys};
use async_recursion::async_recursion as boxed;
use domain::access::{Caller, UsageSight, usage_sight_of};
use domain::api_keys::KeyState;
use domain::ids::{BillingAccountId, PrincipalId};
use domain::{Error, Result};
use std::sync::Arc;
use store::CallbackRow;

impl Reckoner {
    /// Who asked, as they stand now.
    ///
    /// Errors: [`Error::Unauthenticated`] for a key that holds no longer.
    #[boxed]
    pub(crate) async fn usage_asker(&self, kept: &KeptCaller) -> Result<Caller> {
        let id = match kept {
            KeptCaller::Principal(id) => return Ok(Caller::Principal(PrincipalId::new(id)?)),
            KeptCaller::Key(id) => id.clone(),
        };
        let store = Arc::clone(&self.0.store);
        let row = crate::blocking(move || {
            store.key_by_id(&id).map_err(crate::stored("read the key of who asked"))
        });
        let key = row.await?.as_ref().map(keys::read).transpose()?;
        let live = key.filter(|key| key.state_at(self.system_now()) == KeyState::Live);
        let problem = "the key that asked holds no longer".to_owned();
        Ok(Caller::Key(live.ok_or(Error::Unauthenticated { problem })?.grant))
    }

    /// What a caller may ask for the charges of now, in one company.
    ///
    /// Errors: [`Error::Forbidden`].
    pub(crate) fn usage_sight_of(
        &self,
        caller: &Caller,
        billing_account: &BillingAccountId,
    ) -> Result<UsageSight> {
        usage_sight_of(&self.0.declared().company, caller, billing_account, self.now())
    }

    /// Whether a caller may see now what a query told; one that failed told nothing.
    pub(crate) fn may_see_result(&self, caller: &Caller, outcome: &Outcome) -> Result<bool> {
        let Some(told) = &outcome.sight else { return Ok(outcome.failure.is_some()) };
        let told = told.read()?;
        match self.usage_sight_of(caller, &told.billing_account) {
            Ok(sight) => Ok(sight.covers(&told)),
            Err(Error::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether who asked may see now what a callback carries, or an operator released it.
    #[boxed]
    pub(crate) async fn may_be_delivered(&self, callback: &CallbackRow) -> Result<bool> {
        if callback.released {
            return Ok(true);
        }
        let (store, id) = (Arc::clone(&self.0.store), callback.query_id.clone());
        let query = crate::blocking(move || {
            store.usage_query(&id).map_err(crate::stored("read a usage query"))
        });
        let Some(query) = query.await? else { return Ok(false) };
        let outcome = Outcome::of(&query)?;
        match self.usage_asker(&KeptQuery::read(&query.body)?.caller).await {
            Ok(asker) => self.may_see_result(&asker, &outcome),
            Err(Error::Unauthenticated { .. }) => Ok(outcome.sight.is_none()),
            Err(error) => Err(error),
        }
    }
}
