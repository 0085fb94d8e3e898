//! Giving and taking roles of billing agreements, one at a time.

use crate::Reckoner;
use crate::account_roles::RoleTold;
use crate::changes::Decided;
use crate::company::Thing;
use crate::structure::{Look, is_same};
use crate::structure_changes::deed;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{
    Action, Caller, Holder, Role, Scope, check_handed_over, check_left, handed_over, may_at,
};
use domain::company::RoleAssignment;
use domain::ids::PrincipalId;
use domain::places::{Level, Place};
use domain::{Error, Result};
use std::sync::{Mutex, PoisonError};

/// A role that somebody shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAsked {
    /// Which role.
    pub role: Role,
    /// At which billing account or place.
    pub scope: Scope,
    /// Who.
    pub grantee: Grantee,
    /// What if it is given already.
    pub if_given: IfGiven,
}

/// Whom a role is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// A principal, by its id.
    Principal(PrincipalId),
    /// A client of ours that the caller may know of, by its mail address.
    Email(String),
}

/// What becomes of a role that is given already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfGiven {
    /// It is refused.
    Refused,
    /// It stays.
    Kept,
}

impl Reckoner {
    /// Gives a role at a billing account or place, for ever. That of an enrollment account's owner
    /// ends for whoever had it.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Invalid`] for a role that is
    /// none of the place's or cannot be held by a program, and for an address of nobody whom the
    /// caller may know of; [`Error::Conflict`] as [`check_handed_over`].
    #[boxed]
    pub async fn give_role(
        &self,
        caller: &Caller,
        asked: &RoleAsked,
        request_id: &str,
    ) -> Result<RoleTold> {
        let decide = |look: &Look| giving(look, caller, asked);
        self.change_role(caller, request_id, &decide).await
    }

    /// Takes a role that is given at the very billing account or place; tells what it was.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] for one that is not given there;
    /// [`Error::Conflict`] for the last owner, and for the last role that is given there.
    #[boxed]
    pub async fn take_role(
        &self,
        caller: &Caller,
        role: Role,
        principal: &PrincipalId,
        scope: &Scope,
        request_id: &str,
    ) -> Result<RoleTold> {
        let asked = (role, principal, scope);
        let decide = |look: &Look| -> Result<(Decided, RoleAssignment)> {
            look.demand(caller, role.given_with(), scope)?;
            let taken = given(look, asked)?;
            check_left(&look.company, taken)?;
            let deed = deed("role.take", told(taken));
            let things = vec![Thing::RoleAssignment(ended(taken))];
            Ok((Decided { things, deed }, taken.clone()))
        };
        self.change_role(caller, request_id, &decide).await
    }

    /// Makes the caller an owner of an invoice section, if it may give roles there by one that it
    /// holds above; one that is it already stays it.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`].
    #[boxed]
    pub async fn own_section(
        &self,
        caller: &Caller,
        section: &Place,
        request_id: &str,
    ) -> Result<()> {
        let scope = Scope::Place(section.clone());
        let Caller::Principal(principal) = caller else {
            return Err(Error::Forbidden { action: Action::ManageRoles.name() });
        };
        if section.key.level != Level::InvoiceSection {
            return Err(Error::not_found(Level::InvoiceSection.name(), section.key.id.as_str()));
        }
        let (role, grantee) = (Role::InvoiceSectionOwner, Grantee::Principal(principal.clone()));
        let asked = RoleAsked { role, scope, grantee, if_given: IfGiven::Kept };
        self.give_role(caller, &asked, request_id).await.map(drop)
    }

    /// As [`Reckoner::change`]; tells the role that was decided about in the end. A mail address
    /// may mean somebody else, or nobody, as soon as that is done.
    async fn change_role(
        &self,
        caller: &Caller,
        request_id: &str,
        decide: DecideRole<'_>,
    ) -> Result<RoleTold> {
        let about = Mutex::new(None);
        let attempt = |look: &Look| -> Result<Decided> {
            let (decided, role) = decide(look)?;
            *about.lock().unwrap_or_else(PoisonError::into_inner) = Some(role);
            Ok(decided)
        };
        let look = self.change(caller, request_id, &attempt).await?;
        let about = about.into_inner().unwrap_or_else(PoisonError::into_inner);
        about.map(|role| look.role(&role)).ok_or(Error::Overtaken)
    }
}

/// How a change of a role is decided, and which role that is.
type DecideRole<'a> = &'a (dyn Fn(&Look) -> Result<(Decided, RoleAssignment)> + Send + Sync);

fn giving(look: &Look, caller: &Caller, asked: &RoleAsked) -> Result<(Decided, RoleAssignment)> {
    look.demand(caller, asked.role.given_with(), &asked.scope)?;
    let wanted = wanted(look, caller, asked)?;
    let mut known = look.company.role_assignments.iter();
    let stands = known.any(|one| one.is_same_grant(&wanted) && one.is_lasting());
    if stands && asked.if_given == IfGiven::Refused {
        let key = format!("{}/{}", wanted.principal, wanted.role.name());
        let problem = "is given there already".to_owned();
        return Err(Error::Conflict { what: "role", key, problem });
    }
    if !stands {
        check_handed_over(&look.company, &wanted, holder(look, &wanted.principal))?;
    }
    let before = handed_over(&look.company, &wanted, look.now);
    let deed = if before.is_empty() {
        deed("role.give", told(&wanted))
    } else {
        let names: Vec<String> = before.iter().map(|one| format!("`{}`", one.principal)).collect();
        deed("role.hand_over", format!("{}, before {}", told(&wanted), names.join(", ")))
    };
    let new = (!stands).then(|| wanted.clone());
    let roles = before.into_iter().map(ended).chain(new);
    Ok((Decided { things: roles.map(Thing::RoleAssignment).collect(), deed }, wanted))
}

/// A role once it was taken.
fn ended(role: &RoleAssignment) -> RoleAssignment {
    RoleAssignment { until: Instant::MIN, ..role.clone() }
}

/// The role as it would be given.
fn wanted(look: &Look, caller: &Caller, asked: &RoleAsked) -> Result<RoleAssignment> {
    let RoleAsked { role, scope, grantee, if_given: _ } = asked;
    let principal = match grantee {
        Grantee::Principal(principal) => principal.clone(),
        Grantee::Email(email) => by_email(look, caller, email)?,
    };
    Ok(RoleAssignment { principal, role: *role, scope: scope.clone(), until: Instant::MAX })
}

/// The one client that has a mail address, of those that the caller may know of: an address of
/// anybody else is refused as one that nobody has.
fn by_email(look: &Look, caller: &Caller, email: &str) -> Result<PrincipalId> {
    let has = |known: &Option<String>| known.as_deref().is_some_and(|known| is_same(known, email));
    let clients = look.company.clients.values().filter(|client| has(&client.email));
    let mut known = clients.filter(|client| may_know(look, caller, &client.id));
    match (known.next(), known.next()) {
        (Some(client), None) => Ok(client.id.clone()),
        (None, _) => {
            let problem = "nobody whom you may know of has this mail address; name the principal";
            Err(Error::invalid("email", problem))
        }
        (Some(_), Some(_)) => {
            Err(Error::invalid("email", "several have this mail address; name the principal"))
        }
    }
}

/// Whether a principal is the caller itself, or holds a role that the caller reads or may take.
fn may_know(look: &Look, caller: &Caller, principal: &PrincipalId) -> bool {
    let may = |action, scope: &Scope| may_at(&look.company, caller, action, scope, look.now);
    let shows = |given: &RoleAssignment| {
        may(Action::ReadRoles, &given.scope) || may(given.role.given_with(), &given.scope)
    };
    let all = look.company.role_assignments.iter();
    let mut held = all.filter(|one| one.principal == *principal && one.holds_at(look.now));
    let is_caller = matches!(caller, Caller::Principal(own) if own == principal);
    is_caller || may(Action::ReadRoles, &Scope::Installation) || held.any(shows)
}

/// A client without a mail address is a program; of principals elsewhere nothing is known.
fn holder(look: &Look, principal: &PrincipalId) -> Holder {
    match look.company.clients.get(principal) {
        Some(client) if client.email.is_none() => Holder::Program,
        Some(_) | None => Holder::Person,
    }
}

/// The role that is given now; ids of principals in any letter case.
fn given<'a>(look: &'a Look, asked: (Role, &PrincipalId, &Scope)) -> Result<&'a RoleAssignment> {
    let known = || look.company.role_assignments.iter().filter(|one| one.holds_at(look.now));
    let exact = known().find(|one| is_asked(one, asked) && one.principal == *asked.1);
    let found = exact.or_else(|| known().find(|one| is_asked(one, asked)));
    found.ok_or_else(|| missing(asked.0, asked.1))
}

fn is_asked(one: &RoleAssignment, (role, principal, scope): (Role, &PrincipalId, &Scope)) -> bool {
    one.role == role && one.scope == *scope && is_same(one.principal.as_str(), principal.as_str())
}

fn missing(role: Role, principal: &PrincipalId) -> Error {
    Error::not_found("role assignment", format!("{principal}/{}", role.name()))
}

fn told(given: &RoleAssignment) -> String {
    let RoleAssignment { principal, role, scope, until: _ } = given;
    let at = match scope {
        Scope::Installation => "the installation".to_owned(),
        Scope::Account(account) => format!("`{account}`"),
        Scope::Place(place) => format!("{} of `{}`", place.key, place.billing_account),
        Scope::Subscription(id) => format!("subscription `{id}`"),
        Scope::Product(id) => format!("product `{id}`"),
    };
    format!("{} of `{principal}` at {at}", role.name())
}
