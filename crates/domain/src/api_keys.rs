//! API keys: when one holds, from where it may be used, and how two take turns.
//!
//! A key's text is never here: `identity` keeps its hash. All instants are the system clock's.
//! Source: architecture section 5; `infobip.md` section 2 (allowed addresses, validity).

mod ranges;

pub use ranges::AddressRange;

use crate::access::KeyGrant;
use crate::{Error, Result};
use calendar::Instant;
use std::net::IpAddr;

/// Live keys of one principal and name, at most: the one in use, and the one that follows it.
pub const LIVE_MOST: usize = 2;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is for; keys of one principal and name take turns.
    pub name: String,
    /// Whose it is and what it allows.
    pub grant: KeyGrant,
    /// From when it holds.
    pub valid_from: Instant,
    /// Until when, exclusive; for ever if none.
    pub expires_at: Option<Instant>,
    /// Since when it is revoked.
    pub revoked_at: Option<Instant>,
    /// From where it may be used; from anywhere if empty.
    pub allowed_ranges: Vec<AddressRange>,
}

/// Whether a key holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyState {
    /// It will.
    NotYet,
    /// It does.
    Live,
    /// It did, until its end.
    Expired,
    /// It was revoked: for good.
    Revoked,
}

/// From when to when a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// From when it holds.
    pub valid_from: Instant,
    /// Until when, exclusive; for ever if none.
    pub expires_at: Option<Instant>,
    /// Since when it is revoked.
    pub revoked_at: Option<Instant>,
}

impl Term {
    /// Whether the key holds at a moment. One that was revoked is so whatever else is true.
    pub fn state_at(&self, at: Instant) -> KeyState {
        if self.revoked_at.is_some_and(|revoked| revoked <= at) {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|expires| expires <= at) {
            KeyState::Expired
        } else if at < self.valid_from {
            KeyState::NotYet
        } else {
            KeyState::Live
        }
    }
}

impl ApiKey {
    /// Whether it holds at a moment. A key that was revoked is so whatever else is true.
    pub fn state_at(&self, at: Instant) -> KeyState {
        let ApiKey { valid_from, expires_at, revoked_at, .. } = *self;
        Term { valid_from, expires_at, revoked_at }.state_at(at)
    }

    /// Whether it still counts as one of the two: it holds, or will.
    fn is_kept(&self, at: Instant) -> bool {
        matches!(self.state_at(at), KeyState::NotYet | KeyState::Live)
    }

    fn takes_turns_with(&self, other: &ApiKey) -> bool {
        self.grant.principal == other.grant.principal && self.name == other.name
    }
}

/// Checks that a key may be used now, from there. What it allows is asked after that. From nowhere
/// that can be told is from no range.
///
/// Errors: [`Error::Unauthenticated`] with the reason; it says nothing of the key but that.
pub fn check_use(key: &ApiKey, from: Option<IpAddr>, at: Instant) -> Result<()> {
    check_state(key.state_at(at), &key.allowed_ranges, from)
}

/// Checks that a key in this state may be used from there, as [`check_use`]; from anywhere where no
/// ranges are given.
///
/// Errors: as [`check_use`].
pub fn check_state(
    state: KeyState,
    allowed_ranges: &[AddressRange],
    from: Option<IpAddr>,
) -> Result<()> {
    let problem = match state {
        KeyState::NotYet => "the key does not hold yet",
        KeyState::Expired => "the key has expired",
        KeyState::Revoked => "the key is revoked",
        KeyState::Live => {
            let is_within = |from| allowed_ranges.iter().any(|range| range.contains(from));
            if allowed_ranges.is_empty() || from.is_some_and(is_within) {
                return Ok(());
            }
            "the key may not be used from this address"
        }
    };
    Err(Error::Unauthenticated { problem: problem.to_owned() })
}

/// Checks that a key can be made beside those there are.
///
/// Errors: [`Error::Invalid`] for an empty name, no actions, or an end that is not after the start
/// and after now; [`Error::Conflict`] for a key id that is taken, and for a third live key of one
/// principal and name.
pub fn check_new(keys: &[ApiKey], new: &ApiKey, at: Instant) -> Result<()> {
    if new.name.trim().is_empty() {
        return Err(Error::invalid("name", "must not be empty"));
    }
    if new.grant.actions.is_empty() {
        return Err(Error::invalid("actions", "must not be empty"));
    }
    if new.expires_at.is_some_and(|expires| expires <= new.valid_from.max(at)) {
        let problem = "must come after the start, and after now";
        return Err(Error::invalid("expires_at", problem));
    }
    let id = &new.grant.key_id;
    let conflict = |problem: String| Error::Conflict { what: "key", key: id.clone(), problem };
    if keys.iter().any(|key| key.grant.key_id == *id) {
        return Err(conflict("exists already".to_owned()));
    }
    let others = keys.iter().filter(|key| key.takes_turns_with(new) && key.is_kept(at));
    if others.count() >= LIVE_MOST {
        let name = &new.name;
        let problem = format!("`{name}` has {LIVE_MOST} live keys; revoke one before the next");
        return Err(conflict(problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
