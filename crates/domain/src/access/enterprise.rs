//! What a key of an enrollment allows: to read what its owner's readers read, and no more.

use super::{Action, Question, Role, Scope};
use crate::company::RoleAssignment;
use crate::ids::{BillingAccountId, PrincipalId};
use crate::places::{Level, Place};
use calendar::Instant;

/// What an enterprise key allows, by whose it is: an enterprise agreement's billing account, one of
/// its departments or one of its enrollment accounts.
///
/// Source: enterprise-reporting, section 1.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseGrant {
    /// The key's public id.
    pub key_id: String,
    /// Who had it made.
    pub principal: PrincipalId,
    /// Whose key it is: what it reads of.
    pub scope: Scope,
}

impl EnterpriseGrant {
    /// The enterprise agreement's billing account; none for what such keys are never made of.
    pub fn billing_account(&self) -> Option<&BillingAccountId> {
        match &self.scope {
            Scope::Account(account) => Some(account),
            Scope::Place(place) => Some(&place.billing_account),
            Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => None,
        }
    }

    /// Whose reading role the key has.
    fn role(&self) -> Option<Role> {
        match &self.scope {
            Scope::Account(_) => Some(Role::EnterpriseReader),
            Scope::Place(Place { key, .. }) => match key.level {
                Level::Department => Some(Role::DepartmentReader),
                Level::EnrollmentAccount => Some(Role::EnrollmentAccountOwner),
                Level::BillingProfile
                | Level::InvoiceSection
                | Level::Customer
                | Level::MessagingAccount => None,
            },
            Scope::Installation | Scope::Subscription(_) | Scope::Product(_) => None,
        }
    }
}

impl Question<'_> {
    /// Whether an enterprise key reads it. What was used it is told of its own part, whatever
    /// policies say of what that cost.
    pub(super) fn is_reported(&self, grant: &EnterpriseGrant) -> bool {
        match self.action {
            Action::ReadUsage => grant.role().is_some() && self.distance(&grant.scope).is_some(),
            Action::ReadPlace
            | Action::ReadSubscription
            | Action::ReadCharges
            | Action::ReadPriceSheet
            | Action::ReadBalance => grant.role().is_some_and(|role| {
                self.is_given(&RoleAssignment {
                    principal: grant.principal.clone(),
                    role,
                    scope: grant.scope.clone(),
                    until: Instant::MAX,
                })
            }),
            _ => false,
        }
    }
}
