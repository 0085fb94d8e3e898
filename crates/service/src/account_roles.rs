//! Roles at billing accounts and places: which there are, who holds them, what the caller holds.

use crate::Reckoner;
use crate::structure::{Look, Owner};
use async_recursion::async_recursion as boxed;
use domain::Result;
use domain::access::{Action, Caller, Role, Scope};
use domain::company::RoleAssignment;
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
        RoleTold {
            role: given.role,
            principal: given.principal.clone(),
            holder: client
                .map(|client| Owner { name: client.name.clone(), email: client.email.clone() }),
            tenant: client.and(self.company.tenant.clone()),
        }
    }
}
