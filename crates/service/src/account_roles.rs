//! Roles at billing accounts and places: which there are, who holds them, what the caller holds.

use crate::Reckoner;
use crate::structure::{Look, Owner};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::Result;
use domain::access::{Action, Caller, Role, Scope};
use domain::company::{Client, RoleAssignment};
use domain::ids::{PrincipalId, TenantId};

/// A role of a billing agreement that somebody holds at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleTold {
    /// Which role.
    pub role: Role,
    /// Who holds it.
    pub principal: PrincipalId,
    /// What is known of the holder, if it signs in here.
    pub holder: Option<Owner>,
    /// The directory of the holder, if it signs in here.
    pub tenant: Option<TenantId>,
    /// When it was given: system time; none of a look back if it was given anew since.
    pub given_at: Option<Instant>,
    /// Who gave it, if a principal did; none of a look back if it was given anew since.
    pub given_by: Option<PrincipalId>,
    /// What is known of who gave it, if it signs in here.
    pub giver: Option<Owner>,
    /// The directory of who gave it, if it signs in here.
    pub giver_tenant: Option<TenantId>,
}

impl Reckoner {
    /// The roles by which the caller may do what it may at a billing account or place, given there
    /// or above; in the order of [`Role::ALL`].
    ///
    /// Errors: none of its own; where the caller holds nothing, there are none.
    #[boxed]
    pub async fn own_roles(&self, caller: &Caller, scope: &Scope) -> Result<Vec<Role>> {
        Ok(self.look().roles(caller, scope).into_iter().collect())
    }

    /// Lists who holds a role of a billing agreement that is given at the very place, in the order
    /// in which roles were given; neither those above nor operators.
    ///
    /// Errors: [`domain::Error::Forbidden`], [`domain::Error::NotFound`].
    #[boxed]
    pub async fn roles_given(&self, caller: &Caller, scope: &Scope) -> Result<Vec<RoleTold>> {
        let look = self.demand_in_sight(caller, Action::ReadRoles, scope)?;
        let given = look.company.role_assignments.iter().filter(|given| {
            given.scope == *scope && given.role.is_of_billing() && given.holds_at(look.now)
        });
        Ok(given.map(|given| look.role(given)).collect())
    }
}

impl Look {
    /// What is told of a role that somebody holds.
    pub(crate) fn role(&self, given: &RoleAssignment) -> RoleTold {
        let client = self.company.clients.get(&given.principal);
        // What a look back shows was given before it.
        let giving = self.declared.giving(given).filter(|one| one.fact <= self.company.version);
        let given_by = giving.and_then(|giving| giving.by.clone());
        let giver = given_by.as_ref().and_then(|by| self.company.clients.get(by));
        let known =
            |client: &Client| Owner { name: client.name.clone(), email: client.email.clone() };
        RoleTold {
            role: given.role,
            principal: given.principal.clone(),
            holder: client.map(known),
            tenant: client.and(self.company.tenant.clone()),
            given_at: giving.map(|giving| giving.at),
            giver: giver.map(known),
            giver_tenant: giver.and(self.company.tenant.clone()),
            given_by,
        }
    }
}
