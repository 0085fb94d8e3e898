//! Keys of enterprise agreements: whose they are and when they hold. Their texts are signed, and
//! kept nowhere.

use crate::driver::{Connection, statements};
use crate::keys::{from_json, to_json};
use crate::value::{Row, values};
use crate::{Note, Result, Store, StoreError};
use calendar::Instant;

/// An enterprise key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseKeyRow {
    /// Its id: may be shown.
    pub key_id: String,
    /// Whose it is.
    pub owner: KeyOwner,
    /// In which slot of its owner it stands, or stood.
    pub slot: String,
    /// Who had it made.
    pub principal: String,
    /// Ranges of network addresses from which it may be used; from anywhere if empty.
    pub allowed_ranges: Vec<String>,
    /// When it was made: system time.
    pub created_at: Instant,
    /// From when on it holds: system time.
    pub valid_from: Instant,
    /// From when on it no longer holds: system time.
    pub expires_at: Instant,
    /// When it was revoked, or another took its slot.
    pub revoked_at: Option<Instant>,
    /// When it was last used.
    pub last_used_at: Option<Instant>,
}

/// Whose an enterprise key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOwner {
    /// The billing account.
    pub billing_account: String,
    /// Name of the level of a place in it; empty for the account itself.
    pub level: String,
    /// The place of that level; empty for the account itself.
    pub place: String,
}

statements! {
    INSERT = "INSERT INTO enterprise_keys (key_id, billing_account, level, place, slot, principal,
            allowed_ranges, created_at, valid_from, expires_at, revoked_at, last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
    ONE = "SELECT key_id, billing_account, level, place, slot, principal, allowed_ranges,
            created_at, valid_from, expires_at, revoked_at, last_used_at
        FROM enterprise_keys WHERE key_id = $1";
    OF_OWNER = "SELECT key_id, billing_account, level, place, slot, principal, allowed_ranges,
            created_at, valid_from, expires_at, revoked_at, last_used_at
        FROM enterprise_keys WHERE billing_account = $1 AND level = $2 AND place = $3
        ORDER BY created_at, key_id";
    EMPTY = "UPDATE enterprise_keys SET revoked_at = $1
        WHERE billing_account = $2 AND level = $3 AND place = $4 AND slot = $5
            AND revoked_at IS NULL AND expires_at <= $1";
    REVOKE = "UPDATE enterprise_keys SET revoked_at = $1
        WHERE key_id = $2 AND revoked_at IS NULL";
    TOUCH = "UPDATE enterprise_keys SET last_used_at = $1
        WHERE key_id = $2 AND (last_used_at IS NULL OR last_used_at < $1)";
}

impl Store {
    /// Keeps a new key in a slot that is empty, or whose key has expired, with its entry in the
    /// audit log.
    ///
    /// Errors: [`StoreError::Refused`] when the slot has a key that holds, or will.
    pub fn insert_enterprise_key(&self, key: &EnterpriseKeyRow, note: &Note) -> Result<()> {
        self.pool.write(|connection| {
            insert(connection, key, note)?;
            note.audit(connection, "enterprise_key.make", told(key))
        })
    }

    /// Keeps a new key in the place of another of the same slot, which ends at once.
    ///
    /// Errors: [`StoreError::Refused`] when the other was revoked or replaced meanwhile.
    pub fn replace_enterprise_key(
        &self,
        old_id: &str,
        key: &EnterpriseKeyRow,
        note: &Note,
    ) -> Result<()> {
        self.pool.write(|connection| {
            if connection.execute(REVOKE, values![note.at, old_id])? == 0 {
                return Err(StoreError::refused("enterprise key", old_id, "is revoked"));
            }
            insert(connection, key, note)?;
            let told = format!("{}, in place of {old_id}", told(key));
            note.audit(connection, "enterprise_key.replace", told)
        })
    }

    /// The key with this id, whether it still holds or not.
    pub fn enterprise_key(&self, key_id: &str) -> Result<Option<EnterpriseKeyRow>> {
        self.pool.read(|connection| connection.row(ONE, values![key_id], read))
    }

    /// Every key that an owner ever had, oldest first.
    pub fn enterprise_keys(&self, owner: &KeyOwner) -> Result<Vec<EnterpriseKeyRow>> {
        let KeyOwner { billing_account, level, place } = owner;
        self.pool.read(|connection| {
            connection.rows(OF_OWNER, values![billing_account, level, place], read)
        })
    }

    /// Revokes a key from `note.at` on; twice changes nothing.
    ///
    /// Errors: [`StoreError::Missing`].
    pub fn revoke_enterprise_key(&self, key_id: &str, note: &Note) -> Result<()> {
        self.pool.write(|connection| {
            if connection.execute(REVOKE, values![note.at, key_id])? > 0 {
                let target = format!("enterprise key {key_id}");
                return note.audit(connection, "enterprise_key.revoke", target);
            }
            match connection.row(ONE, values![key_id], read)? {
                Some(_) => Ok(()),
                None => Err(StoreError::Missing { what: "enterprise key", key: key_id.to_owned() }),
            }
        })
    }

    /// Notes when a key was used; never earlier than it says already.
    pub fn touch_enterprise_key(&self, key_id: &str, at: Instant) -> Result<()> {
        self.pool.write(|connection| connection.execute(TOUCH, values![at, key_id]).map(drop))
    }
}

/// Keeps a row in a slot whose key has ended, if it had one.
fn insert(connection: &mut dyn Connection, key: &EnterpriseKeyRow, note: &Note) -> Result<()> {
    let EnterpriseKeyRow { key_id, owner, slot, principal, allowed_ranges, .. } = key;
    let EnterpriseKeyRow { created_at, valid_from, expires_at, revoked_at, last_used_at, .. } = key;
    let KeyOwner { billing_account, level, place } = owner;
    let ranges = to_json(allowed_ranges)?;
    connection.execute(EMPTY, values![note.at, billing_account, level, place, slot])?;
    let values = values![
        key_id,
        billing_account,
        level,
        place,
        slot,
        principal,
        ranges,
        created_at,
        valid_from,
        expires_at,
        revoked_at,
        last_used_at
    ];
    if connection.execute(INSERT, values)? == 0 {
        return Err(StoreError::refused("enterprise key", slot, "is taken by a key that holds"));
    }
    Ok(())
}

/// A key and whose it is, for the audit log.
fn told(key: &EnterpriseKeyRow) -> String {
    let EnterpriseKeyRow { key_id, owner, slot, .. } = key;
    let KeyOwner { billing_account, level, place } = owner;
    let of = match level.as_str() {
        "" => billing_account.clone(),
        level => format!("{level} {place} of {billing_account}"),
    };
    format!("enterprise key {key_id}, {slot} of {of}")
}

fn read(row: &mut Row) -> Result<EnterpriseKeyRow> {
    Ok(EnterpriseKeyRow {
        key_id: row.take()?,
        owner: KeyOwner { billing_account: row.take()?, level: row.take()?, place: row.take()? },
        slot: row.take()?,
        principal: row.take()?,
        allowed_ranges: from_json(&row.take::<String>()?)?,
        created_at: row.take()?,
        valid_from: row.take()?,
        expires_at: row.take()?,
        revoked_at: row.take()?,
        last_used_at: row.take()?,
    })
}
