//! What a caller may know of: where it may look, and what lies above where it holds a role.

use super::reach::{distance, holding};
use super::{Action, Caller, Question, Role, Scope};
use crate::company::{Company, Placement, RoleAssignment};
use crate::ids::{BillingAccountId, PlaceId};
use crate::places::{Level, Place, PlaceKey};
use calendar::{Instant, Interval};
use std::collections::{BTreeMap, BTreeSet};

/// How much of a billing account or place somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sight {
    /// What it is.
    Full,
    /// That it is there: a role is held at it or below it that does not read it.
    Shell,
}

/// What one caller sees at a moment.
#[derive(Debug)]
pub struct View<'a> {
    company: &'a Company,
    caller: &'a Caller,
    at: Instant,
    /// The roles that a principal holds now, by where they are given.
    own: BTreeMap<&'a Scope, Vec<&'a RoleAssignment>>,
    /// Where the caller holds something now, and all that lies above.
    held: BTreeSet<Scope>,
    /// Another view without which nothing is seen.
    within: Option<Box<View<'a>>>,
}

impl<'a> View<'a> {
    /// Looks once where the caller holds anything.
    pub fn new(company: &'a Company, caller: &'a Caller, at: Instant) -> View<'a> {
        let own = own(company, caller, at);
        let given = held(caller, &own);
        let held = given.iter().flat_map(|scope| upwards(company, scope, at)).collect();
        View { company, caller, at, own, held, within: None }
    }

    /// The same where another view sees it too: each thing as the one shows it that shows less.
    #[must_use]
    pub fn within(self, other: View<'a>) -> View<'a> {
        View { within: Some(Box::new(other)), ..self }
    }

    /// How much the caller sees of a place; none if it may not know that it is there. What was
    /// never declared is not looked for.
    pub fn sight(&self, scope: &Scope) -> Option<Sight> {
        let is_known = || self.is_everywhere() || self.held.contains(scope);
        let own = if self.allows(Action::ReadPlace, scope, false) {
            Sight::Full
        } else {
            is_known().then_some(Sight::Shell)?
        };
        // The greater one shows less.
        match &self.within {
            Some(other) => Some(own.max(other.sight(scope)?)),
            None => Some(own),
        }
    }

    /// Whether the caller may do it to what lies there at the moment, whatever lay there before:
    /// asked for answers that tell what is, and not what was.
    pub fn may(&self, action: Action, scope: &Scope) -> bool {
        let elsewhere = self.within.as_ref().is_none_or(|other| other.may(action, scope));
        elsewhere && self.allows(action, scope, false)
    }

    /// As [`super::may_at`]: what looks back reaches what lay there before, too.
    pub fn may_look_back(&self, action: Action, scope: &Scope) -> bool {
        let elsewhere = self.within.as_ref().is_none_or(|other| other.may_look_back(action, scope));
        elsewhere && self.allows(action, scope, action.looks_back())
    }

    fn allows(&self, action: Action, scope: &Scope, back: bool) -> bool {
        let (company, at) = (self.company, Some(self.at));
        let question = Question { company, action, scope, at, back };
        match self.caller {
            Caller::Principal(_) => {
                self.reaching(scope, back).into_iter().any(|given| question.is_given(given))
            }
            Caller::Machine | Caller::Link { .. } | Caller::Key(_) | Caller::Enterprise(_) => {
                question.is_allowed(self.caller)
            }
        }
    }

    /// The roles of a principal that may reach a place: no other lies there or above.
    fn reaching(&self, scope: &Scope, back: bool) -> Vec<&'a RoleAssignment> {
        let mut places = match scope {
            Scope::Installation | Scope::Account(_) => Vec::new(),
            Scope::Place(place) if !back => {
                let mut found = above(self.company, place, self.at);
                found.push(Scope::Account(place.billing_account.clone()));
                found
            }
            // It may stand anywhere, or have lain anywhere.
            Scope::Place(_) | Scope::Subscription(_) | Scope::Product(_) => {
                return self.own.values().flatten().copied().collect();
            }
        };
        places.extend([scope.clone(), Scope::Installation]);
        places.iter().filter_map(|scope| self.own.get(scope)).flatten().copied().collect()
    }

    /// The billing accounts that the caller may know of, in order of id: those at which, or below
    /// which, it holds a role.
    pub fn accounts(&self) -> Vec<(BillingAccountId, Sight)> {
        let held = self.held.iter().filter_map(|scope| match scope {
            Scope::Account(id) => Some(id),
            Scope::Installation | Scope::Place(_) | Scope::Subscription(_) | Scope::Product(_) => {
                None
            }
        });
        let ids: Vec<&BillingAccountId> = if self.is_everywhere() {
            self.company.accounts.keys().collect()
        } else {
            held.filter(|id| self.company.accounts.contains_key(*id)).collect()
        };
        let seen =
            |id: &BillingAccountId| Some((id.clone(), self.sight(&Scope::Account(id.clone()))?));
        ids.into_iter().filter_map(seen).collect()
    }

    fn is_everywhere(&self) -> bool {
        self.held.contains(&Scope::Installation)
    }
}

/// The roles of a caller that reach a place at a moment, each once; the machine is an
/// administrator, and a key or link holds none.
pub fn roles_reaching(
    company: &Company,
    caller: &Caller,
    scope: &Scope,
    at: Instant,
) -> BTreeSet<Role> {
    match caller {
        Caller::Machine => BTreeSet::from([Role::Administrator]),
        Caller::Key(_) | Caller::Enterprise(_) | Caller::Link { .. } => BTreeSet::new(),
        Caller::Principal(principal) => {
            let own = company.role_assignments.iter().filter(|given| {
                given.principal == *principal
                    && given.holds_at(at)
                    && distance(company, &given.scope, scope, moment(at)).is_some()
            });
            own.map(|given| given.role).collect()
        }
    }
}

fn moment(at: Instant) -> Option<Interval> {
    Interval::new(at, at.plus_micros(1)).ok()
}

/// The roles that a principal holds at a moment, by where they are given.
fn own<'a>(
    company: &'a Company,
    caller: &Caller,
    at: Instant,
) -> BTreeMap<&'a Scope, Vec<&'a RoleAssignment>> {
    let mut own: BTreeMap<&Scope, Vec<&RoleAssignment>> = BTreeMap::new();
    if let Caller::Principal(principal) = caller {
        let all = company.role_assignments.iter();
        for given in all.filter(|given| given.principal == *principal && given.holds_at(at)) {
            own.entry(&given.scope).or_default().push(given);
        }
    }
    own
}

/// Where a caller holds anything.
fn held(caller: &Caller, own: &BTreeMap<&Scope, Vec<&RoleAssignment>>) -> Vec<Scope> {
    match caller {
        Caller::Machine => vec![Scope::Installation],
        Caller::Link { action, scope } => {
            if *action == Action::ReadPlace {
                vec![scope.clone()]
            } else {
                Vec::new()
            }
        }
        Caller::Key(grant) => {
            let accounts = grant.billing_accounts.iter().cloned().map(Scope::Account);
            accounts.chain(grant.places.iter().cloned().map(Scope::Place)).collect()
        }
        Caller::Enterprise(grant) => vec![grant.scope.clone()],
        Caller::Principal(_) => own.keys().copied().cloned().collect(),
    }
}

/// A place, and what it lies below at a moment; nothing for one that is not there.
fn upwards(company: &Company, scope: &Scope, at: Instant) -> Vec<Scope> {
    match scope {
        Scope::Installation | Scope::Account(_) => vec![scope.clone()],
        Scope::Place(place) => above(company, place, at),
        Scope::Subscription(_) | Scope::Product(_) => {
            let Some((placements, held)) = holding(company, scope) else { return Vec::new() };
            let now = placements.iter().filter(|one| one.during.contains(at));
            let mut found: Vec<Scope> = now.flat_map(payers).collect();
            let standing = held.and_then(|held| held.standings.at(at));
            let place = standing.and_then(|standing| standing.place.as_ref());
            found.extend(place.into_iter().flat_map(|place| above(company, place, at)));
            found
        }
    }
}

/// The account and the profile that pay.
fn payers(placement: &Placement) -> Vec<Scope> {
    let account = placement.billing_account.clone();
    let id = placement.profile.as_deref().and_then(|id| PlaceId::new(id).ok());
    let profile = id.map(|id| {
        let key = PlaceKey { level: Level::BillingProfile, id };
        Scope::Place(Place { billing_account: account.clone(), key })
    });
    profile.into_iter().chain([Scope::Account(account.clone())]).collect()
}

fn above(company: &Company, place: &Place, at: Instant) -> Vec<Scope> {
    let Some((known, moment)) = company.places.of(&place.billing_account).zip(moment(at)) else {
        return Vec::new();
    };
    let found = known.upwards(&place.key, moment);
    if found.is_empty() {
        return Vec::new();
    }
    let places = found.into_iter().map(|(key, _)| {
        Scope::Place(Place { billing_account: place.billing_account.clone(), key: key.clone() })
    });
    places.chain([Scope::Account(place.billing_account.clone())]).collect()
}
