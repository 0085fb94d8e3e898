//! Enterprise keys: two for each enrollment, department and enrollment account, each made, shown,
//! made anew and revoked alone.
//!
//! Source: enterprise-reporting, section 1.5.

use crate::Reckoner;
use crate::failures::Tried;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller, EnterpriseGrant, Scope};
use domain::api_keys::{AddressRange, KeyState, Term};
use domain::enterprise_keys::{EnterpriseKey, Slot, check_owner, check_use};
use domain::ids::{BillingAccountId, PlaceId, PrincipalId};
use domain::places::{Level, Place, PlaceKey};
use domain::{Error, Result};
use identity::{AuthError, Credential, EnterpriseClaims};
use std::net::IpAddr;
use std::sync::Arc;
use store::{EnterpriseKeyRow, KeyOwner};

/// What a new enterprise key shall be.
#[derive(Debug, Clone)]
pub struct EnterpriseKeyWanted {
    /// Whose: an enterprise agreement's billing account, one of its departments or enrollment
    /// accounts.
    pub owner: Scope,
    /// Which of the owner's two.
    pub slot: Slot,
    /// From where it may be used; from anywhere if empty.
    pub allowed_ranges: Vec<AddressRange>,
    /// From when on it holds; from now on if none. Whole seconds count.
    pub valid_from: Option<Instant>,
    /// Why it is made, for the audit log; may be empty.
    pub reason: String,
}

/// An enterprise key with its text.
#[derive(Clone)]
pub struct EnterpriseKeyShown {
    /// What is known of it.
    pub told: EnterpriseKeyTold,
    /// What its holder sends.
    pub text: String,
}

/// What is known of an enterprise key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseKeyTold {
    /// Its owner, slot, term and ranges.
    pub key: EnterpriseKey,
    /// Whether it holds now.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Instant,
    /// When it was last used, to a minute.
    pub last_used_at: Option<Instant>,
}

impl Reckoner {
    /// How long keys hold that are made from now on. Units: seconds.
    pub fn enterprise_key_lifetime_s(&self) -> i64 {
        self.0.config.keys.enterprise_s()
    }

    /// Makes a key in a slot that is empty, or whose key has ended.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] for an owner that is not there, or that
    /// the caller may not see; [`Error::Invalid`] for one that has no keys;
    /// [`Error::Conflict`] for a slot whose key holds.
    #[boxed]
    pub async fn make_enterprise_key(
        &self,
        caller: &Caller,
        wanted: EnterpriseKeyWanted,
        request_id: &str,
    ) -> Result<EnterpriseKeyShown> {
        self.demand(caller, Action::ManageEnterpriseKeys, &wanted.owner).await?;
        check_owner(&self.0.declared().company, &wanted.owner, self.now())?;
        let row = self.new_row(caller, &wanted)?;
        let note = self.note(caller, &wanted.reason, request_id);
        let (store, kept) = (Arc::clone(&self.0.store), row.clone());
        crate::blocking(move || {
            let kept = store.insert_enterprise_key(&kept, &note);
            kept.map_err(crate::stored("keep an enterprise key"))
        })
        .await?;
        self.shown(&row)
    }

    /// Makes a key anew: another takes its slot, and it ends at once. The owner's other key goes
    /// on. What it was bound to stays.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Conflict`] for one that was
    /// revoked, or is in its slot no longer.
    #[boxed]
    pub async fn remake_enterprise_key(
        &self,
        caller: &Caller,
        key_id: &str,
        reason: &str,
        request_id: &str,
    ) -> Result<EnterpriseKeyShown> {
        let old = self.managed(caller, key_id).await?;
        let key = read(&old)?;
        check_owner(&self.0.declared().company, &key.grant.scope, self.now())?;
        let wanted = EnterpriseKeyWanted {
            owner: key.grant.scope,
            slot: key.slot,
            allowed_ranges: key.allowed_ranges,
            valid_from: None,
            reason: reason.to_owned(),
        };
        let row = self.new_row(caller, &wanted)?;
        let note = self.note(caller, &wanted.reason, request_id);
        let (store, kept) = (Arc::clone(&self.0.store), row.clone());
        crate::blocking(move || {
            let kept = store.replace_enterprise_key(&old.key_id, &kept, &note);
            kept.map_err(crate::stored("keep an enterprise key"))
        })
        .await?;
        self.shown(&row)
    }

    /// Revokes a key at once; the owner's other key goes on. Twice changes nothing.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn revoke_enterprise_key(
        &self,
        caller: &Caller,
        key_id: &str,
        request_id: &str,
    ) -> Result<()> {
        let row = self.managed(caller, key_id).await?;
        let note = self.note(caller, "revoke the key", request_id);
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            let revoked = store.revoke_enterprise_key(&row.key_id, &note);
            revoked.map_err(crate::stored("revoke an enterprise key"))
        })
        .await
    }

    /// Shows a key with its text, which is signed anew each time and always the same.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn show_enterprise_key(
        &self,
        caller: &Caller,
        key_id: &str,
    ) -> Result<EnterpriseKeyShown> {
        let row = self.managed(caller, key_id).await?;
        self.shown(&row)
    }

    /// Lists the keys that an owner has and had, oldest first, without their texts.
    ///
    /// Errors: as [`Reckoner::make_enterprise_key`], but for the slot.
    #[boxed]
    pub async fn enterprise_keys(
        &self,
        caller: &Caller,
        owner: &Scope,
    ) -> Result<Vec<EnterpriseKeyTold>> {
        self.demand(caller, Action::ManageEnterpriseKeys, owner).await?;
        check_owner(&self.0.declared().company, owner, self.now())?;
        let (store, owner) = (Arc::clone(&self.0.store), owner_row(owner)?);
        let rows = crate::blocking(move || {
            store.enterprise_keys(&owner).map_err(crate::stored("read the enterprise keys"))
        })
        .await?;
        rows.iter().map(|row| self.told(row)).collect()
    }

    /// Finds out whose key an `Authorization` header carries, for the enrollment of an address. A
    /// key that does not hold there is written into the audit log; to send none is no attempt.
    ///
    /// Errors: [`Error::Unauthenticated`], whatever is wrong, and whether the enrollment is there
    /// or not.
    #[boxed]
    pub async fn enterprise_key_used(
        &self,
        header: &str,
        from: Option<IpAddr>,
        enrollment: &str,
        request_id: &str,
    ) -> Result<EnterpriseGrant> {
        match self.grant_of(header, from, enrollment).await {
            Err(error) if !header.is_empty() => {
                Err(self.refused(Tried::Bearer, error, request_id).await)
            }
            found => found,
        }
    }

    async fn grant_of(
        &self,
        header: &str,
        from: Option<IpAddr>,
        enrollment: &str,
    ) -> Result<EnterpriseGrant> {
        let Credential::Token(text) = Credential::from_header(Some(header))? else {
            return Err(AuthError::Malformed.into());
        };
        let claims = self.0.sign_in.issuer().read_enterprise_key(text)?;
        let row = self.enterprise_row(&claims.key_id).await?.ok_or(AuthError::Unknown)?;
        let key = read(&row)?;
        // The row says all that the text does, and has the last word.
        if claims_of(&row) != claims {
            return Err(AuthError::Unknown.into());
        }
        let now = self.system_now();
        check_use(&key, enrollment, from, now)?;
        // What an owner was has no keys any more.
        check_owner(&self.0.declared().company, &key.grant.scope, self.now())
            .map_err(|_| AuthError::Unknown)?;
        self.note_enterprise_use(&row, now).await;
        Ok(key.grant)
    }

    /// Notes that a key was used; at most once a minute for each. Reading does not depend on it.
    async fn note_enterprise_use(&self, row: &EnterpriseKeyRow, now: Instant) {
        let EnterpriseKeyRow { key_id, last_used_at, .. } = row;
        if !self.0.sign_in.is_use_to_be_noted(key_id, *last_used_at, now) {
            return;
        }
        let (store, id) = (Arc::clone(&self.0.store), key_id.clone());
        let noted = crate::blocking(move || {
            let noted = store.touch_enterprise_key(&id, now);
            noted.map_err(crate::stored("note the use of an enterprise key"))
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, key = %key_id, "the use of a key is not noted");
        }
    }

    /// A key that the caller may manage; another is missing, as one that does not exist.
    async fn managed(&self, caller: &Caller, key_id: &str) -> Result<EnterpriseKeyRow> {
        let missing = || Error::not_found("enterprise key", key_id);
        let row = self.enterprise_row(key_id).await?.ok_or_else(missing)?;
        let owner = read(&row)?.grant.scope;
        let allowed = self.demand(caller, Action::ManageEnterpriseKeys, &owner).await;
        allowed.map_err(|error| match error {
            Error::NotFound { .. } => missing(),
            other => other,
        })?;
        Ok(row)
    }

    async fn enterprise_row(&self, key_id: &str) -> Result<Option<EnterpriseKeyRow>> {
        let (store, id) = (Arc::clone(&self.0.store), key_id.to_owned());
        crate::blocking(move || {
            store.enterprise_key(&id).map_err(crate::stored("read an enterprise key"))
        })
        .await
    }

    /// A new key as the books keep it.
    fn new_row(&self, caller: &Caller, wanted: &EnterpriseKeyWanted) -> Result<EnterpriseKeyRow> {
        let now = self.system_now();
        // A signed text says whole seconds.
        let start = wanted.valid_from.unwrap_or(now).seconds();
        let valid_from = Instant::EPOCH.plus_seconds(start);
        let expires_at = valid_from.plus_seconds(self.enterprise_key_lifetime_s());
        if expires_at <= now {
            return Err(Error::invalid("valid_from", "must lie later: the key would have ended"));
        }
        Ok(EnterpriseKeyRow {
            key_id: uuid::Uuid::new_v4().to_string(),
            owner: owner_row(&wanted.owner)?,
            slot: wanted.slot.name().to_owned(),
            principal: maker(caller)?,
            allowed_ranges: wanted.allowed_ranges.iter().map(ToString::to_string).collect(),
            created_at: now,
            valid_from,
            expires_at,
            revoked_at: None,
            last_used_at: None,
        })
    }

    fn told(&self, row: &EnterpriseKeyRow) -> Result<EnterpriseKeyTold> {
        let key = read(row)?;
        let state = key.term.state_at(self.system_now());
        let EnterpriseKeyRow { created_at, last_used_at, .. } = *row;
        Ok(EnterpriseKeyTold { key, state, created_at, last_used_at })
    }

    fn shown(&self, row: &EnterpriseKeyRow) -> Result<EnterpriseKeyShown> {
        let text = self.0.sign_in.issuer().enterprise_key(&claims_of(row))?;
        Ok(EnterpriseKeyShown { told: self.told(row)?, text: text.to_string() })
    }
}

/// Who has a key made. A key or link of another kind makes none.
fn maker(caller: &Caller) -> Result<String> {
    match caller {
        Caller::Principal(principal) => Ok(principal.to_string()),
        Caller::Key(grant) => Ok(grant.principal.to_string()),
        Caller::Machine => Ok("machine".to_owned()),
        Caller::Enterprise(_) | Caller::Link { .. } => {
            Err(Error::Forbidden { action: Action::ManageEnterpriseKeys.name() })
        }
    }
}

/// How the books name an owner.
fn owner_row(owner: &Scope) -> Result<KeyOwner> {
    let of = |account: &BillingAccountId, level: &str, place: &str| KeyOwner {
        billing_account: account.to_string(),
        level: level.to_owned(),
        place: place.to_owned(),
    };
    match owner {
        Scope::Account(account) => Ok(of(account, "", "")),
        Scope::Place(Place { billing_account, key }) => {
            Ok(of(billing_account, key.level.name(), key.id.as_str()))
        }
        Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => {
            Err(Error::invalid("billing_account", "must be given"))
        }
    }
}

/// What a key's text says.
fn claims_of(row: &EnterpriseKeyRow) -> EnterpriseClaims {
    let KeyOwner { billing_account, level, place } = &row.owner;
    let named = |of: Level| if level == of.name() { place.clone() } else { String::new() };
    EnterpriseClaims {
        key_id: row.key_id.clone(),
        enrollment: billing_account.clone(),
        department: named(Level::Department),
        account: named(Level::EnrollmentAccount),
        not_before: row.valid_from,
        expires: row.expires_at,
    }
}

/// A key as the domain knows it.
fn read(row: &EnterpriseKeyRow) -> Result<EnterpriseKey> {
    let damaged =
        || Error::internal("read an enterprise key", format!("{} is damaged", row.key_id));
    let KeyOwner { billing_account, level, place } = &row.owner;
    let billing_account = BillingAccountId::new(billing_account)?;
    let scope = if level.is_empty() {
        Scope::Account(billing_account)
    } else {
        let level = Level::parse(level).ok_or_else(damaged)?;
        let key = PlaceKey { level, id: PlaceId::new(place)? };
        Scope::Place(Place { billing_account, key })
    };
    let ranges = row.allowed_ranges.iter().map(|range| AddressRange::parse(range));
    Ok(EnterpriseKey {
        grant: EnterpriseGrant {
            key_id: row.key_id.clone(),
            principal: PrincipalId::new(&row.principal)?,
            scope,
        },
        slot: Slot::parse(&row.slot).ok_or_else(damaged)?,
        term: Term {
            valid_from: row.valid_from,
            expires_at: Some(row.expires_at),
            revoked_at: row.revoked_at,
        },
        allowed_ranges: ranges.collect::<Result<_>>()?,
    })
}
