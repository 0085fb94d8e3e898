//! Enterprise keys: whose they are, in which of two slots, and when they hold.
//!
//! A key is a signed text that `identity` reads; what is kept of it is here. All instants are the
//! system clock's, but what lies where, which is asked at a business moment.
//! Source: enterprise-reporting, section 1.5.

use crate::access::{EnterpriseGrant, Scope};
use crate::agreements::AgreementType;
use crate::api_keys::{AddressRange, Term, check_state};
use crate::company::Company;
use crate::places::{Level, Place};
use crate::{Error, Result};
use calendar::Instant;
use std::net::IpAddr;

/// One of the two keys that an owner may have at once, so that one goes on while the other is made
/// anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// The first.
    Primary,
    /// The other.
    Secondary,
}

impl Slot {
    /// Both.
    pub const ALL: [Slot; 2] = [Slot::Primary, Slot::Secondary];

    /// Its name in answers and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Slot::Primary => "primary",
            Slot::Secondary => "secondary",
        }
    }

    /// Finds one by [`Slot::name`].
    pub fn parse(name: &str) -> Option<Slot> {
        Slot::ALL.into_iter().find(|slot| slot.name() == name)
    }
}

/// What is known of an enterprise key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseKey {
    /// Whose it is.
    pub grant: EnterpriseGrant,
    /// In which slot it stands, or stood.
    pub slot: Slot,
    /// When it holds; it always has an end.
    pub term: Term,
    /// From where it may be used; from anywhere if empty.
    pub allowed_ranges: Vec<AddressRange>,
}

/// Checks that a key may be used now, from there, for the enrollment of an address.
///
/// Errors: [`Error::Unauthenticated`] with the reason.
pub fn check_use(
    key: &EnterpriseKey,
    enrollment: &str,
    from: Option<IpAddr>,
    at: Instant,
) -> Result<()> {
    check_state(key.term.state_at(at), &key.allowed_ranges, from)?;
    if key.grant.billing_account().is_some_and(|account| account.as_str() == enrollment) {
        return Ok(());
    }
    let problem = "the key is of another enrollment".to_owned();
    Err(Error::Unauthenticated { problem })
}

/// Checks that an owner may have keys: a billing account with an enterprise agreement, or a
/// department or enrollment account that stands below it at a moment.
///
/// Errors: [`Error::NotFound`]; [`Error::Invalid`] for a place of another kind.
pub fn check_owner(company: &Company, owner: &Scope, at: Instant) -> Result<()> {
    let missing = |what: &'static str, id: &str| Error::not_found(what, id);
    let (account, place) = match owner {
        Scope::Account(account) => (account, None),
        Scope::Place(place) => (&place.billing_account, Some(place)),
        Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => {
            return Err(Error::invalid("billing_account", "must be given"));
        }
    };
    let places = company.places.of(account);
    let places = places.ok_or_else(|| missing("billing account", account.as_str()))?;
    if places.kind() != AgreementType::Enterprise {
        let problem = format!("`{account}` has no {}", AgreementType::Enterprise);
        return Err(Error::invalid("billing_account", problem));
    }
    match place {
        None => Ok(()),
        Some(Place { key, .. })
            if !matches!(key.level, Level::Department | Level::EnrollmentAccount) =>
        {
            Err(Error::invalid("billing_account", format!("a {} has no keys", key.level.name())))
        }
        Some(place) if company.places.facts_at(place, at).is_some() => Ok(()),
        Some(Place { key, .. }) => Err(missing(key.level.name(), key.id.as_str())),
    }
}

#[cfg(test)]
mod tests;
