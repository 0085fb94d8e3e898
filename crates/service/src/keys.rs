//! API keys: made once, shown once, kept as hashes, bound to sources, accounts and rights.

use crate::Reckoner;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, KeyGrant, Scope};
use domain::api_keys::{AddressRange, ApiKey};
use domain::company::Company;
use domain::ids::{BillingAccountId, PrincipalId, SourceName};
use domain::places::Place;
use domain::{Error, Result, api_keys};
use identity::NewKey;
use std::sync::Arc;
use store::{KeyRow, Note};

/// What a new key shall allow.
#[derive(Debug, Clone)]
pub struct KeyWanted {
    /// What it is for: two of one principal and name may hold at once, so that one can take the
    /// other's place. Its own id if none is given.
    pub name: Option<String>,
    /// Whose key it will be.
    pub principal: PrincipalId,
    /// What it allows.
    pub actions: Vec<Action>,
    /// The accounts it is bound to; at least one.
    pub billing_accounts: Vec<BillingAccountId>,
    /// Places in some of these that it is bound to: of such an account it reaches no more.
    pub places: Vec<Place>,
    /// The sources it may send as.
    pub sources: Vec<SourceName>,
    /// From where it may be used; from anywhere if empty.
    pub allowed_ranges: Vec<AddressRange>,
    /// From when on it holds; from now on if none.
    pub valid_from: Option<Instant>,
    /// Seconds until it expires, from its start; what the configuration says if none.
    pub lifetime_s: Option<i64>,
    /// Why it is made, for the audit log; may be empty.
    pub reason: String,
}

/// What a key allows, for the audit log: `usage:send for acme as gate, until 2027-01-01T…`.
fn told(key: &KeyRow) -> String {
    let mut told = format!("{} for {}", key.actions.join(", "), key.billing_accounts.join(", "));
    if !key.places.is_empty() {
        told.push_str(&format!(", there only at {}", key.places.join(", ")));
    }
    if !key.sources.is_empty() {
        told.push_str(&format!(" as {}", key.sources.join(", ")));
    }
    if !key.allowed_ranges.is_empty() {
        told.push_str(&format!(", from {}", key.allowed_ranges.join(", ")));
    }
    if let Some(until) = key.expires_at {
        told.push_str(&format!(", until {until}"));
    }
    told
}

/// A new key as the books keep it.
fn row(wanted: &KeyWanted, key: &NewKey, now: Instant) -> KeyRow {
    let valid_from = wanted.valid_from.unwrap_or(now);
    KeyRow {
        key_id: key.key_id.clone(),
        name: wanted.name.clone().unwrap_or_else(|| key.key_id.clone()),
        principal: wanted.principal.to_string(),
        hash: key.hash,
        actions: wanted.actions.iter().map(|action| action.name().to_owned()).collect(),
        billing_accounts: wanted.billing_accounts.iter().map(ToString::to_string).collect(),
        places: wanted.places.iter().map(ToString::to_string).collect(),
        sources: wanted.sources.iter().map(ToString::to_string).collect(),
        allowed_ranges: wanted.allowed_ranges.iter().map(ToString::to_string).collect(),
        created_at: now,
        valid_from,
        expires_at: wanted.lifetime_s.map(|s| valid_from.plus_seconds(s)),
        revoked_at: None,
        last_used_at: None,
    }
}

/// A key as the domain knows it. Actions that this program no longer knows allow nothing.
pub(crate) fn read(row: &KeyRow) -> Result<ApiKey> {
    let accounts = row.billing_accounts.iter().map(|id| BillingAccountId::new(id));
    let ranges = row.allowed_ranges.iter().map(|range| AddressRange::parse(range));
    Ok(ApiKey {
        name: row.name.clone(),
        grant: KeyGrant {
            key_id: row.key_id.clone(),
            principal: PrincipalId::new(&row.principal)?,
            actions: row.actions.iter().filter_map(|name| Action::parse(name)).collect(),
            billing_accounts: accounts.collect::<Result<_>>()?,
            places: row.places.iter().map(|text| Place::parse(text)).collect::<Result<_>>()?,
            sources: row.sources.iter().map(|name| SourceName::new(name)).collect::<Result<_>>()?,
        },
        valid_from: row.valid_from,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        allowed_ranges: ranges.collect::<Result<_>>()?,
    })
}

/// What a key is bound to has to be there, a place in an account that it is bound to.
fn check_declared(company: &Company, wanted: &KeyWanted) -> Result<()> {
    let unknown =
        |field: &str, name: &str| Err(Error::invalid(field, format!("`{name}` is not declared")));
    for account in &wanted.billing_accounts {
        if !company.accounts.contains_key(account) {
            return unknown("billing_accounts", account.as_str());
        }
    }
    for place in &wanted.places {
        if company.places.timeline(place).is_none() {
            return unknown("places", &place.to_string());
        }
        if !wanted.billing_accounts.contains(&place.billing_account) {
            let problem = format!("the billing account of `{place}` must be given too");
            return Err(Error::invalid("places", problem));
        }
    }
    for source in &wanted.sources {
        if !company.sources.contains_key(source) {
            return unknown("sources", source.as_str());
        }
    }
    Ok(())
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
    /// Errors: [`Error::Forbidden`], [`Error::Invalid`] for a key without account or action, for an
    /// account, place or source that is not declared, and for a place in an account that the key is
    /// not bound to; [`Error::TooMuch`] for one that would hold
    /// too long; [`Error::Conflict`] for a third live key of one principal and name.
    #[boxed]
    pub async fn make_key(
        &self,
        caller: &Caller,
        wanted: KeyWanted,
        request_id: &str,
    ) -> Result<KeyMade> {
        self.demand(caller, Action::ManageKeys, &Scope::Installation).await?;
        self.check_key(&wanted)?;
        let lifetime_s = wanted.lifetime_s.unwrap_or_else(|| self.0.config.keys.usual_s());
        let wanted = KeyWanted { lifetime_s: Some(lifetime_s), ..wanted };
        let key = NewKey::from_random(crate::random_32());
        let now = self.system_now();
        let row = row(&wanted, &key, now);
        let _one_at_a_time = self.0.making_keys.lock().await;
        let kept = self.kept_keys().await?.iter().map(read).collect::<Result<Vec<_>>>()?;
        api_keys::check_new(&kept, &read(&row)?, now)?;
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
        let passed = wanted.lifetime_s.and_then(|asked_s| self.0.config.keys.passed_by(asked_s));
        if let Some(most) = passed {
            let (limit, key) = ("an API key's lifetime in days", "keys.lifetime_days_most");
            return Err(Error::TooMuch { limit, most: most.into(), key });
        }
        check_declared(&self.0.declared().company, wanted)
    }

    /// Revokes an API key at once.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
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
    #[boxed]
    pub async fn keys(&self, caller: &Caller) -> Result<Vec<KeyRow>> {
        self.demand(caller, Action::ManageKeys, &Scope::Installation).await?;
        self.kept_keys().await
    }

    pub(crate) async fn kept_keys(&self) -> Result<Vec<KeyRow>> {
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
