//! Who may do what where: one pure table, asked first by every use case.
//!
//! A role is given at a place and holds at everything that lies below it; what is given above
//! cannot be taken away below. The table is [`Role::right`], the tree [`crate::places`].

mod actions;
mod assignments;
mod enterprise;
mod messaging;
mod reach;
mod rights;
mod roles;
mod second_person;
mod sight;

pub use actions::Action;
pub use assignments::{
    Holder, check_given, check_handed_over, check_left, check_taken, handed_over,
};
pub use enterprise::EnterpriseGrant;
pub use messaging::{UsageSight, usage_sight, usage_sight_of};
pub use rights::{Right, Viewers};
pub use roles::{Home, Role};
pub use second_person::{Request, SecondPerson, demand_approved};
pub use sight::{Sight, View, roles_reaching};

use crate::company::{Company, RoleAssignment};
use crate::ids::{BillingAccountId, PrincipalId, ProductId, SourceName, SubscriptionId};
use crate::places::Place;
use crate::{Error, Result};
use calendar::{Instant, Interval};
use reach::{Distance, charges_shown, created, distance};
use std::collections::BTreeSet;

/// Who is asking, as `identity` found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A principal with a token of a directory; roles say what it may do.
    Principal(PrincipalId),
    /// Holder of an API key: may do what the key says, nothing else.
    Key(KeyGrant),
    /// Holder of an enterprise key: reads what is its owner's.
    Enterprise(EnterpriseGrant),
    /// Holder of a signed link: one right.
    Link {
        /// The right.
        action: Action,
        /// Where it holds.
        scope: Scope,
    },
    /// The operator at the machine itself: the command line on an own data directory.
    Machine,
}

/// What an API key allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrant {
    /// The key's public id.
    pub key_id: String,
    /// Whose key it is.
    pub principal: PrincipalId,
    /// Actions it allows.
    pub actions: Vec<Action>,
    /// Billing accounts it is bound to.
    pub billing_accounts: BTreeSet<BillingAccountId>,
    /// Places it is bound to in some of these: of such a billing account it reaches these places
    /// and what stands directly there, nothing above, beside or below; all of the others.
    pub places: BTreeSet<Place>,
    /// Sources it may send as.
    pub sources: Vec<SourceName>,
}

impl KeyGrant {
    /// Whether the key is bound to places in a billing account, and so not to all of it.
    fn is_bound_within(&self, account: &BillingAccountId) -> bool {
        self.places.iter().any(|place| place.billing_account == *account)
    }
}

impl Caller {
    /// Who stands in the audit log.
    pub fn actor(&self) -> String {
        match self {
            Caller::Principal(principal) => principal.to_string(),
            Caller::Key(grant) => format!("{} (key {})", grant.principal, grant.key_id),
            Caller::Enterprise(grant) => format!("{} (key {})", grant.principal, grant.key_id),
            Caller::Link { action, scope: _ } => format!("link {}", action.name()),
            Caller::Machine => "machine".to_owned(),
        }
    }
}

/// Where a right is asked for, or given: the billing scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything.
    Installation,
    /// One billing account and what it pays for.
    Account(BillingAccountId),
    /// A place below a billing account, and what stands there.
    Place(Place),
    /// One subscription.
    Subscription(SubscriptionId),
    /// One product.
    Product(ProductId),
}

impl Scope {
    /// What is told to whoever may not know that it exists, as to everybody where it does not.
    ///
    /// Nobody is told that of the installation: there it is the right that is missing.
    pub fn missing(&self, action: Action) -> Error {
        match self {
            Scope::Installation => Error::Forbidden { action: action.name() },
            Scope::Account(id) => Error::not_found("billing account", id.as_str()),
            Scope::Place(place) => Error::not_found(place.key.level.name(), place.key.id.as_str()),
            Scope::Subscription(id) => Error::not_found("subscription", id.as_str()),
            Scope::Product(id) => Error::not_found("product", id.as_str()),
        }
    }
}

/// Whether the caller may do it there, whenever. Good for what looks back ([`Action::looks_back`]).
///
/// Without a moment nothing is inherited that may have moved, and no policy holds: rights that hang
/// on either, and roles that end, are only found by [`may_at`].
pub fn may(company: &Company, caller: &Caller, action: Action, scope: &Scope) -> bool {
    Question { company, action, scope, at: None, back: action.looks_back() }.is_allowed(caller)
}

/// Whether the caller may do it there at a moment.
pub fn may_at(
    company: &Company,
    caller: &Caller,
    action: Action,
    scope: &Scope,
    at: Instant,
) -> bool {
    let back = action.looks_back();
    Question { company, action, scope, at: Some(at), back }.is_allowed(caller)
}

/// Whether the caller holds any right at all on the place, so that it may know that it exists.
pub fn may_see(company: &Company, caller: &Caller, scope: &Scope) -> bool {
    Action::ALL.into_iter().any(|action| may(company, caller, action, scope))
}

/// Demands a right, whenever; see [`may`]. Whoever may not even see the place is told the same as
/// if it were missing.
///
/// Errors: [`Error::Forbidden`], [`Error::NotFound`].
pub fn demand(company: &Company, caller: &Caller, action: Action, scope: &Scope) -> Result<()> {
    Question { company, action, scope, at: None, back: action.looks_back() }.demand(caller)
}

/// Demands a right at a moment: what every use case asks that changes something.
///
/// Errors: as [`demand`].
pub fn demand_at(
    company: &Company,
    caller: &Caller,
    action: Action,
    scope: &Scope,
    at: Instant,
) -> Result<()> {
    let back = action.looks_back();
    Question { company, action, scope, at: Some(at), back }.demand(caller)
}

/// May this be done there, then?
#[derive(Clone, Copy)]
struct Question<'a> {
    company: &'a Company,
    action: Action,
    scope: &'a Scope,
    at: Option<Instant>,
    /// Whether what lay there at any time counts.
    back: bool,
}

impl Question<'_> {
    fn is_allowed(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Machine => true,
            Caller::Link { action, scope } => {
                *action == self.action && self.distance(scope).is_some()
            }
            Caller::Key(grant) => grant.actions.contains(&self.action) && self.key_reaches(grant),
            Caller::Enterprise(grant) => self.is_reported(grant),
            Caller::Principal(principal) => self
                .company
                .role_assignments
                .iter()
                .filter(|given| given.principal == *principal)
                .any(|given| self.is_given(given)),
        }
    }

    fn demand(&self, caller: &Caller) -> Result<()> {
        if self.is_allowed(caller) {
            return Ok(());
        }
        let mut actions = Action::ALL.into_iter();
        let other = |action: Action| Question { action, back: action.looks_back(), ..*self };
        if actions.any(|action| other(action).is_allowed(caller)) {
            return Err(Error::Forbidden { action: self.action.name() });
        }
        Err(self.scope.missing(self.action))
    }

    fn is_given(&self, given: &RoleAssignment) -> bool {
        if !self.at.map_or(given.is_lasting(), |at| given.holds_at(at)) {
            return false;
        }
        let right = given.role.right(self.action);
        if right == Right::None {
            return false;
        }
        let Some(distance) = self.distance(&given.scope) else { return false };
        match right {
            Right::None => false,
            Right::Below => true,
            Right::Here => distance <= Distance::StandsThere,
            Right::IfCreated => created(self.company, self.scope, &given.principal),
            Right::IfChargesShown(viewers) => {
                self.at.is_some_and(|at| charges_shown(self.company, viewers, &given.scope, at))
            }
        }
    }

    fn key_reaches(&self, grant: &KeyGrant) -> bool {
        match self.scope {
            // A key may be bound to thousands of accounts, and a batch may name as many.
            Scope::Account(asked) => {
                grant.billing_accounts.contains(asked) && !grant.is_bound_within(asked)
            }
            Scope::Place(place) => {
                let account = &place.billing_account;
                grant.billing_accounts.contains(account)
                    && (grant.places.contains(place) || !grant.is_bound_within(account))
                    && self.distance(&Scope::Account(account.clone())).is_some()
            }
            Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => {
                let whole = grant.billing_accounts.iter().cloned();
                let mut whole = whole.filter(|account| !grant.is_bound_within(account));
                let mut places = grant.places.iter().cloned();
                whole.any(|account| self.distance(&Scope::Account(account)).is_some())
                    || places.any(|place| self.stands_at(place, grant))
            }
        }
    }

    /// Whether what is asked for stands directly at a place that a key is bound to.
    fn stands_at(&self, place: Place, grant: &KeyGrant) -> bool {
        grant.billing_accounts.contains(&place.billing_account)
            && self
                .distance(&Scope::Place(place))
                .is_some_and(|distance| distance <= Distance::StandsThere)
    }

    fn distance(&self, given: &Scope) -> Option<Distance> {
        let during = if self.back {
            Some(Interval::always())
        } else {
            self.at.and_then(|at| Interval::new(at, at.plus_micros(1)).ok())
        };
        distance(self.company, given, self.scope, during)
    }
}

#[cfg(test)]
mod tests;
