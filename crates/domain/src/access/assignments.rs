//! Giving and taking roles: what must hold before and after.

use super::{Home, Role, Scope};
use crate::company::{Company, RoleAssignment};
use crate::{Error, Result};
use calendar::Instant;

/// What kind of principal holds a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Somebody.
    Person,
    /// A service principal.
    Program,
}

/// Checks that a role can be given, whether it stands already or not. That the caller may give it
/// ([`Role::given_with`]) is asked before.
///
/// Errors: [`Error::Invalid`] when the role is not one of its place, and for one that a program
/// cannot hold; [`Error::NotFound`] for a place that is not there; [`Error::Conflict`] when the
/// enrollment account has another owner, or the program another role of an enterprise agreement.
/// Source: `microsoft-billing.md` sections 2 and 5.2.
pub fn check_given(company: &Company, given: &RoleAssignment, holder: Holder) -> Result<()> {
    check_handed_over(company, given, holder)?;
    if other_owners(company, given).any(|other| other.is_lasting()) {
        return Err(conflict(given, "the enrollment account has an owner already"));
    }
    Ok(())
}

/// The roles that end where another is given in their place: those of whoever owns an enrollment
/// account at a moment, for ever or not, as it has one owner at most.
pub fn handed_over<'a>(
    company: &'a Company,
    given: &RoleAssignment,
    at: Instant,
) -> Vec<&'a RoleAssignment> {
    other_owners(company, given).filter(|other| other.holds_at(at)).collect()
}

/// Roles of other owners of the enrollment account that somebody is to own.
fn other_owners<'a>(
    company: &'a Company,
    given: &RoleAssignment,
) -> impl Iterator<Item = &'a RoleAssignment> {
    let is_owner = given.role == Role::EnrollmentAccountOwner;
    company.role_assignments.iter().filter(move |one| {
        is_owner && one.role == given.role && one.scope == given.scope && !one.is_same_grant(given)
    })
}

/// Checks that a role can be given in the place of those that are [`handed_over`].
///
/// Errors: as [`check_given`], but for another owner.
pub fn check_handed_over(company: &Company, given: &RoleAssignment, holder: Holder) -> Result<()> {
    at_home(company, given)?;
    let RoleAssignment { principal, role, scope: _, until: _ } = given;
    let mut others = lasting(company).filter(|other| !other.is_same_grant(given));
    if holder == Holder::Program && role.is_of_enterprises() {
        if !role.suits_programs() {
            let problem = format!("a program cannot be {}", role.name());
            return Err(Error::invalid("role", problem));
        }
        if others.any(|other| other.principal == *principal && other.role.is_of_enterprises()) {
            return Err(conflict(given, "a program holds one role of enterprise agreements"));
        }
    }
    Ok(())
}

fn conflict(given: &RoleAssignment, problem: &str) -> Error {
    let RoleAssignment { principal, role, scope: _, until: _ } = given;
    let key = format!("{principal}/{}", role.name());
    Error::Conflict { what: "role", key, problem: problem.to_owned() }
}

/// Checks that a role can be taken.
///
/// Errors: [`Error::NotFound`] when it is not given; [`Error::Conflict`] for the last owner of a
/// place, and for the last role that is given at a billing account or a place below it.
/// Source: `microsoft-billing.md` section 5.2.
pub fn check_taken(company: &Company, taken: &RoleAssignment) -> Result<()> {
    let RoleAssignment { principal, role, scope: _, until: _ } = taken;
    if !lasting(company).any(|other| other.is_same_grant(taken)) {
        return Err(Error::not_found("role", format!("{principal}/{}", role.name())));
    }
    check_left(company, taken)
}

/// Checks that what is left at a place is enough without a role: whether it still stands or has
/// ended makes no difference.
///
/// Errors: [`Error::Conflict`] as [`check_taken`].
pub fn check_left(company: &Company, taken: &RoleAssignment) -> Result<()> {
    let RoleAssignment { principal: _, role, scope, until: _ } = taken;
    let here = lasting(company).filter(|other| other.scope == *scope);
    let others: Vec<Role> =
        here.filter(|other| !other.is_same_grant(taken)).map(|other| other.role).collect();
    if role.is_of_billing() && !others.iter().any(|other| other.is_of_billing()) {
        return Err(conflict(taken, "is the last one given there"));
    }
    if role.owns(scope) && !others.iter().any(|other| other.owns(scope)) {
        return Err(conflict(taken, "is the last owner there"));
    }
    Ok(())
}

/// Roles that do not end: one that ends, or was revoked, counts for nothing here.
fn lasting(company: &Company) -> impl Iterator<Item = &RoleAssignment> {
    company.role_assignments.iter().filter(|given| given.is_lasting())
}

/// Whether the place is one where the role belongs.
fn at_home(company: &Company, given: &RoleAssignment) -> Result<()> {
    let Home::Of(wanted, levels) = given.role.home() else { return Ok(()) };
    let (account, level) = match &given.scope {
        Scope::Account(account) => (Some(account), None),
        Scope::Place(place) => (Some(&place.billing_account), Some(place.key.level)),
        Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => (None, None),
    };
    let kind = account.and_then(|account| company.places.of(account)).map(|places| places.kind());
    if kind != Some(wanted) || !levels.contains(&level) {
        let level = levels.first().copied().flatten().map_or("billing account", |l| l.name());
        let problem = format!("{} is a role of: {level}, {wanted}", given.role.name());
        return Err(Error::invalid("scope", problem));
    }
    match &given.scope {
        Scope::Place(place) if company.places.timeline(place).is_none() => {
            Err(Error::not_found(place.key.level.name(), place.key.id.as_str()))
        }
        _ => Ok(()),
    }
}

impl Role {
    fn is_of_enterprises(self) -> bool {
        matches!(self.home(), Home::Of(crate::agreements::AgreementType::Enterprise, _))
    }

    fn suits_programs(self) -> bool {
        matches!(
            self,
            Role::EnterpriseReader
                | Role::EnterprisePurchaser
                | Role::DepartmentReader
                | Role::EnrollmentSubscriptionCreator
        )
    }
}
