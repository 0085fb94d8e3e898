//! API keys: made once, shown once, kept as hashes, bound to sources, accounts and rights.

use crate::Reckoner;
use domain::access::{Action, Caller, Scope};
use domain::ids::{BillingAccountId, PrincipalId, SourceName};
use domain::{Error, Result};
use identity::NewKey;
use std::sync::Arc;
use store::{KeyRow, Note};

/// What a new key shall allow.
#[derive(Debug, Clone)]
pub struct KeyWanted {
    /// Whose key it will be.
    pub principal: PrincipalId,
    /// What it allows.
    pub actions: Vec<Action>,
    /// The accounts it is bound to; at least one.
    pub billing_accounts: Vec<BillingAccountId>,
    /// The sources it may send as.
    pub sources: Vec<SourceName>,
    /// Seconds until it expires; never if none.
    pub lifetime_s: Option<i64>,
    /// Why it is made, for the audit log; may be empty.
    pub reason: String,
}

/// What a key allows, for the audit log: `usage:send for acme as gate, until 2027-01-01T…`.
fn told(key: &KeyRow) -> String {
    let mut told = format!("{} for {}", key.actions.join(", "), key.billing_accounts.join(", "));
    if !key.sources.is_empty() {
        told.push_str(&format!(" as {}", key.sources.join(", ")));
    }
    if let Some(until) = key.expires_at {
        told.push_str(&format!(", until {until}"));
    }
    told
}

/// A key that was just made. Its text is shown this once.
pub struct KeyMade {
    /// What the holder sends.
    pub text: String,
    /// Its public id.
    pub key_id: String,
}

impl Reckoner {
    /// Makes an API key.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::Invalid`] for a key without account or action, and
    /// for an account or source that is not declared.
    pub async fn make_key(
        &self,
        caller: &Caller,
        wanted: KeyWanted,
        request_id: &str,
    ) -> Result<KeyMade> {
        self.demand(caller, Action::ManageKeys, &Scope::Installation).await?;
        self.check_key(&wanted)?;
        let key = NewKey::from_random(crate::random_32());
        let now = self.system_now();
        let row = KeyRow {
            key_id: key.key_id.clone(),
            principal: wanted.principal.to_string(),
            hash: key.hash,
            actions: wanted.actions.iter().map(|action| action.name().to_owned()).collect(),
            billing_accounts: wanted.billing_accounts.iter().map(ToString::to_string).collect(),
            sources: wanted.sources.iter().map(ToString::to_string).collect(),
            created_at: now,
            expires_at: wanted.lifetime_s.map(|s| now.plus_seconds(s)),
            revoked_at: None,
            last_used_at: None,
        };
        let reason = match wanted.reason.trim() {
            "" => told(&row),
            reason => format!("{reason}; {}", told(&row)),
        };
        let note = self.note(caller, &reason, request_id);
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            store.insert_key(&row, &note).map_err(crate::stored("keep an API key"))
        })
        .await?;
        Ok(KeyMade { text: key.text.to_string(), key_id: key.key_id })
    }

    fn check_key(&self, wanted: &KeyWanted) -> Result<()> {
        if wanted.billing_accounts.is_empty() || wanted.actions.is_empty() {
            return Err(Error::invalid("key", "needs at least one billing account and one action"));
        }
        if wanted.lifetime_s.is_some_and(|lifetime_s| lifetime_s <= 0) {
            return Err(Error::invalid("lifetime_s", "must be above 0"));
        }
        let declared = self.0.declared();
        for account in &wanted.billing_accounts {
            if !declared.company.accounts.contains_key(account) {
                return Err(Error::invalid(
                    "billing_accounts",
                    format!("`{account}` is not declared"),
                ));
            }
        }
        for source in &wanted.sources {
            if !declared.company.sources.contains_key(source) {
                return Err(Error::invalid("sources", format!("`{source}` is not declared")));
            }
        }
        Ok(())
    }

    /// Revokes an API key at once.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn revoke_key(&self, caller: &Caller, key_id: &str, request_id: &str) -> Result<()> {
        self.demand(caller, Action::ManageKeys, &Scope::Installation).await?;
        let note = self.note(caller, "revoke the key", request_id);
        let (store, id) = (Arc::clone(&self.0.store), key_id.to_owned());
        crate::blocking(move || {
            store.revoke_key(&id, &note).map_err(crate::stored("revoke an API key"))
        })
        .await
    }

    /// Lists API keys, without their text.
    ///
    /// Errors: [`Error::Forbidden`].
    pub async fn keys(&self, caller: &Caller) -> Result<Vec<KeyRow>> {
        self.demand(caller, Action::ManageKeys, &Scope::Installation).await?;
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || store.keys().map_err(crate::stored("read the API keys"))).await
    }

    /// Who did something now, for the audit log.
    pub(crate) fn note(&self, caller: &Caller, reason: &str, request_id: &str) -> Note {
        Note {
            actor: caller.actor(),
            reason: reason.to_owned(),
            request_id: request_id.to_owned(),
            at: self.system_now(),
        }
    }
}
