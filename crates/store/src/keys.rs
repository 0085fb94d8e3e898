//! API keys: who may come in with what. Only hashes are kept.

use crate::driver::statements;
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};
use calendar::Instant;

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id: may be shown.
    pub key_id: String,
    /// What it is for; keys of one principal and name take turns.
    pub name: String,
    /// On whose behalf it acts.
    pub principal: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// Names of the actions it allows.
    pub actions: Vec<String>,
    /// Billing accounts it reaches.
    pub billing_accounts: Vec<String>,
    /// Places in some of these that it is bound to, each as text.
    pub places: Vec<String>,
    /// Sources it may send as.
    pub sources: Vec<String>,
    /// Ranges of network addresses from which it may be used; from anywhere if empty.
    pub allowed_ranges: Vec<String>,
    /// When it was made: system time.
    pub created_at: Instant,
    /// From when on it holds: system time.
    pub valid_from: Instant,
    /// From when on it no longer holds: system time.
    pub expires_at: Option<Instant>,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
    /// When it was last used.
    pub last_used_at: Option<Instant>,
}

statements! {
    INSERT = "INSERT INTO api_keys (key_id, name, principal, hash, actions, billing_accounts,
            places, sources, allowed_ranges, created_at, valid_from, expires_at, revoked_at,
            last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT DO NOTHING";
    BY_HASH = "SELECT key_id, name, principal, hash, actions, billing_accounts, places, sources,
            allowed_ranges, created_at, valid_from, expires_at, revoked_at, last_used_at
        FROM api_keys WHERE hash = $1";
    BY_ID = "SELECT key_id, name, principal, hash, actions, billing_accounts, places, sources,
            allowed_ranges, created_at, valid_from, expires_at, revoked_at, last_used_at
        FROM api_keys WHERE key_id = $1";
    LIST = "SELECT key_id, name, principal, hash, actions, billing_accounts, places, sources,
            allowed_ranges, created_at, valid_from, expires_at, revoked_at, last_used_at
        FROM api_keys ORDER BY created_at, key_id";
    REVOKE = "UPDATE api_keys SET revoked_at = $1 WHERE key_id = $2 AND revoked_at IS NULL";
    FIND = "SELECT key_id FROM api_keys WHERE key_id = $1";
    TOUCH = "UPDATE api_keys SET last_used_at = $1
        WHERE key_id = $2 AND (last_used_at IS NULL OR last_used_at < $1)";
}

impl Store {
    /// Keeps a new key, with its entry in the audit log.
    ///
    /// Errors: [`StoreError::Refused`] when its id or hash is taken.
    pub fn insert_key(&self, key: &KeyRow, note: &Note) -> Result<()> {
        let KeyRow {
            key_id,
            name,
            principal,
            hash,
            actions,
            billing_accounts,
            places,
            sources,
            allowed_ranges,
            created_at,
            valid_from,
            expires_at,
            revoked_at,
            last_used_at,
        } = key;
        let (actions, accounts) = (to_json(actions)?, to_json(billing_accounts)?);
        let (places, sources) = (to_json(places)?, to_json(sources)?);
        let ranges = to_json(allowed_ranges)?;
        self.pool.write(|connection| {
            let values = values![
                key_id,
                name,
                principal,
                hash,
                actions,
                accounts,
                places,
                sources,
                ranges,
                created_at,
                valid_from,
                expires_at,
                revoked_at,
                last_used_at
            ];
            if connection.execute(INSERT, values)? == 0 {
                return Err(StoreError::refused("API key", key_id, "is already there"));
            }
            note.audit(connection, "key.make", format!("API key {key_id} of {principal}"))
        })
    }

    /// The key with this hash, whether it still holds or not.
    pub fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<KeyRow>> {
        self.pool.read(|connection| connection.row(BY_HASH, values![hash], read))
    }

    /// The key with this public id, whether it still holds or not.
    pub fn key_by_id(&self, key_id: &str) -> Result<Option<KeyRow>> {
        self.pool.read(|connection| connection.row(BY_ID, values![key_id], read))
    }

    /// Every key, oldest first.
    pub fn keys(&self) -> Result<Vec<KeyRow>> {
        self.pool.read(|connection| connection.rows(LIST, values![], read))
    }

    /// Revokes a key from `note.at` on; twice changes nothing.
    ///
    /// Errors: [`StoreError::Missing`].
    pub fn revoke_key(&self, key_id: &str, note: &Note) -> Result<()> {
        self.pool.write(|connection| {
            if connection.execute(REVOKE, values![note.at, key_id])? > 0 {
                return note.audit(connection, "key.revoke", format!("API key {key_id}"));
            }
            match connection.row(FIND, values![key_id], Row::take::<String>)? {
                Some(_) => Ok(()),
                None => Err(StoreError::Missing { what: "API key", key: key_id.to_owned() }),
            }
        })
    }

    /// Notes when a key was used; never earlier than it says already.
    pub fn touch_key(&self, key_id: &str, at: Instant) -> Result<()> {
        self.pool.write(|connection| connection.execute(TOUCH, values![at, key_id]).map(drop))
    }
}

pub(crate) fn to_json(names: &[String]) -> Result<String> {
    serde_json::to_string(names).map_err(|error| StoreError::Sql(Box::new(error)))
}

pub(crate) fn from_json(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|_| StoreError::damaged("an API key's list is unreadable"))
}

fn read(row: &mut Row) -> Result<KeyRow> {
    Ok(KeyRow {
        key_id: row.take()?,
        name: row.take()?,
        principal: row.take()?,
        hash: row.take()?,
        actions: from_json(&row.take::<String>()?)?,
        billing_accounts: from_json(&row.take::<String>()?)?,
        places: from_json(&row.take::<String>()?)?,
        sources: from_json(&row.take::<String>()?)?,
        allowed_ranges: from_json(&row.take::<String>()?)?,
        created_at: row.take()?,
        valid_from: row.take()?,
        expires_at: row.take()?,
        revoked_at: row.take()?,
        last_used_at: row.take()?,
    })
}
