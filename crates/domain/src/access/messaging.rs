//! Whose messaging usage a caller may ask for: a company's, or that of some accounts in it.

use super::{Action, Caller, Scope, View};
use crate::agreements::AgreementType;
use crate::company::Company;
use crate::ids::{BillingAccountId, PlaceId};
use crate::places::{AccountPlaces, Detail, Generation, Place};
use crate::{Error, Result};
use calendar::Instant;
use std::collections::BTreeSet;

/// What of one messaging company a caller may read the charges of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSight {
    /// The company.
    pub billing_account: BillingAccountId,
    /// Whether the company itself is seen: what was used at the billing account and at no account
    /// within it. Accounts are seen only if they are named below.
    pub whole: bool,
    /// The accounts within it that are seen, inactive ones too; none that is of the old kind.
    pub places: BTreeSet<PlaceId>,
}

impl UsageSight {
    /// Whether whoever has this sight may see all that was seen with another.
    pub fn covers(&self, other: &UsageSight) -> bool {
        let UsageSight { billing_account, whole, places } = other;
        let is_within = self.whole || (!whole && places.is_subset(&self.places));
        self.billing_account == *billing_account && is_within
    }
}

/// What a caller may ask for at a moment, as the accounts lie then. Of several companies it is the
/// first by id of which anything is seen.
///
/// Errors: [`Error::Forbidden`] for a caller who may read the charges of none, or only of accounts
/// of the old kind, which have no such questions. Source: `infobip.md` sections 1, 2 and 8.
pub fn usage_sight(company: &Company, caller: &Caller, at: Instant) -> Result<UsageSight> {
    let view = View::new(company, caller, at);
    let mut accounts = company.places.accounts.iter();
    let found = accounts.find_map(|(id, known)| sight_of(&view, id, known, at));
    found.ok_or(Error::Forbidden { action: Action::ReadCharges.name() })
}

/// The same of one company, whichever others the caller sees.
///
/// Errors: as [`usage_sight`].
pub fn usage_sight_of(
    company: &Company,
    caller: &Caller,
    id: &BillingAccountId,
    at: Instant,
) -> Result<UsageSight> {
    let view = View::new(company, caller, at);
    let known = company.places.accounts.get(id);
    let found = known.and_then(|known| sight_of(&view, id, known, at));
    found.ok_or(Error::Forbidden { action: Action::ReadCharges.name() })
}

fn sight_of(
    view: &View<'_>,
    id: &BillingAccountId,
    known: &AccountPlaces,
    at: Instant,
) -> Option<UsageSight> {
    match known.kind() {
        AgreementType::Messaging => {}
        AgreementType::Customer
        | AgreementType::Partner
        | AgreementType::Enterprise
        | AgreementType::OnlineServices => return None,
    }
    let whole = view.may(Action::ReadCharges, &Scope::Account(id.clone()));
    let mut places = BTreeSet::new();
    let mut has_legacy = false;
    for (key, facts) in &known.places {
        let Some(Detail::MessagingAccount { generation }) = facts.at(at).map(|now| &now.detail)
        else {
            continue;
        };
        let place = Place { billing_account: id.clone(), key: key.clone() };
        if !view.may(Action::ReadCharges, &Scope::Place(place)) {
            continue;
        }
        match generation {
            Generation::Current => {
                places.insert(key.id.clone());
            }
            Generation::Legacy => has_legacy = true,
        }
    }
    // A company all of whose accounts are of the old kind is of the old kind itself.
    let is_seen = !places.is_empty() || (whole && !has_legacy);
    is_seen.then(|| UsageSight { billing_account: id.clone(), whole, places })
}
