//! Who may do what where: one pure table, asked first by every use case.

use crate::company::Company;
use crate::ids::{BillingAccountId, PrincipalId, SourceName, SubscriptionId};
use crate::{Error, Result};
use std::collections::BTreeSet;

/// Who is asking, as `identity` found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A principal with a token of a directory; roles say what it may do.
    Principal(PrincipalId),
    /// Holder of an API key: may do what the key says, nothing else.
    Key(KeyGrant),
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
    /// Sources it may send as.
    pub sources: Vec<SourceName>,
}

impl Caller {
    /// Who stands in the audit log.
    pub fn actor(&self) -> String {
        match self {
            Caller::Principal(principal) => principal.to_string(),
            Caller::Key(grant) => format!("{} (key {})", grant.principal, grant.key_id),
            Caller::Link { action, scope: _ } => format!("link {}", action.name()),
            Caller::Machine => "machine".to_owned(),
        }
    }
}

/// A named set of actions.
///
/// Source: the first four are Azure's on subscriptions (`commerce.md` section 1); the operator's
/// four are our own (`docs/decisions`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the glossary's")]
pub enum Role {
    Owner,
    Contributor,
    Reader,
    BillingReader,
    Administrator,
    BillingClerk,
    Approver,
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 8] = [
        Role::Owner,
        Role::Contributor,
        Role::Reader,
        Role::BillingReader,
        Role::Administrator,
        Role::BillingClerk,
        Role::Approver,
        Role::Auditor,
    ];

    /// Its name in files and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Owner => "Owner",
            Role::Contributor => "Contributor",
            Role::Reader => "Reader",
            Role::BillingReader => "Billing Reader",
            Role::Administrator => "Administrator",
            Role::BillingClerk => "Billing Clerk",
            Role::Approver => "Approver",
            Role::Auditor => "Auditor",
        }
    }

    /// Finds a role by [`Role::name`].
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The table: what the role allows at its scope and below.
    pub fn allows(self, action: Action) -> bool {
        use Action::{
            ExplainCharges, ImportUsage, ReadAudit, ReadCharges, ReadCompany, ReadQuarantine,
            ReadRateCard, ReadSubscription, ReadUsage, SendUsage, SettleUsage,
        };
        match self {
            Role::Owner | Role::Contributor | Role::Reader => {
                matches!(action, ReadSubscription | ReadUsage | ReadRateCard)
            }
            Role::BillingReader => matches!(action, ReadSubscription | ReadUsage),
            Role::Administrator => true,
            Role::BillingClerk => matches!(
                action,
                ReadSubscription
                    | ReadUsage
                    | ReadRateCard
                    | ReadCharges
                    | ExplainCharges
                    | ReadCompany
                    | ReadQuarantine
                    | ImportUsage
                    | SettleUsage
                    | SendUsage
            ),
            Role::Approver => {
                matches!(action, ReadCharges | ExplainCharges | ReadCompany | ReadQuarantine)
            }
            Role::Auditor => matches!(
                action,
                ReadSubscription
                    | ReadUsage
                    | ReadRateCard
                    | ReadCharges
                    | ExplainCharges
                    | ReadCompany
                    | ReadQuarantine
                    | ReadAudit
            ),
        }
    }
}

/// One thing that can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// See that a subscription exists.
    ReadSubscription,
    /// Read usage of a subscription.
    ReadUsage,
    /// Read an offer's rate card.
    ReadRateCard,
    /// Query rated usage.
    ReadCharges,
    /// Walk a charge back to its records.
    ExplainCharges,
    /// Read what was declared.
    ReadCompany,
    /// Declare: apply files, prices, accounts.
    ManageCompany,
    /// Send usage records.
    SendUsage,
    /// Import files of usage.
    ImportUsage,
    /// Amend, withdraw, settle conflicts, replay quarantine; a source amends its own records by
    /// sending.
    SettleUsage,
    /// List what waits in quarantine, and conflicts.
    ReadQuarantine,
    /// Make and revoke API keys.
    ManageKeys,
    /// Back up, verify, seal, move the demo's clock.
    RunOperations,
    /// Read the audit log.
    ReadAudit,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 14] = [
        Action::ReadSubscription,
        Action::ReadUsage,
        Action::ReadRateCard,
        Action::ReadCharges,
        Action::ExplainCharges,
        Action::ReadCompany,
        Action::ManageCompany,
        Action::SendUsage,
        Action::ImportUsage,
        Action::SettleUsage,
        Action::ReadQuarantine,
        Action::ManageKeys,
        Action::RunOperations,
        Action::ReadAudit,
    ];

    /// Its name in keys, errors and the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Action::ReadSubscription => "subscription:read",
            Action::ReadUsage => "usage:read",
            Action::ReadRateCard => "ratecard:read",
            Action::ReadCharges => "charges:read",
            Action::ExplainCharges => "charges:explain",
            Action::ReadCompany => "company:read",
            Action::ManageCompany => "company:manage",
            Action::SendUsage => "usage:send",
            Action::ImportUsage => "usage:import",
            Action::SettleUsage => "usage:settle",
            Action::ReadQuarantine => "quarantine:read",
            Action::ManageKeys => "keys:manage",
            Action::RunOperations => "operations:run",
            Action::ReadAudit => "audit:read",
        }
    }

    /// Finds an action by [`Action::name`].
    pub fn parse(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// Where a right is asked for, or given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything.
    Installation,
    /// One billing account and what it pays for.
    Account(BillingAccountId),
    /// One subscription.
    Subscription(SubscriptionId),
}

/// Whether the caller may do it there.
pub fn may(company: &Company, caller: &Caller, action: Action, scope: &Scope) -> bool {
    match caller {
        Caller::Machine => true,
        Caller::Link { action: given, scope: place } => {
            *given == action && covers(company, place, scope)
        }
        Caller::Key(grant) => grant.actions.contains(&action) && key_reaches(company, grant, scope),
        Caller::Principal(principal) => company
            .role_assignments
            .iter()
            .filter(|given| given.principal == *principal && given.role.allows(action))
            .any(|given| covers(company, &given.scope, scope)),
    }
}

/// Whether the caller holds any right at all on the place, so that it may know that it exists.
pub fn may_see(company: &Company, caller: &Caller, scope: &Scope) -> bool {
    Action::ALL.into_iter().any(|action| may(company, caller, action, scope))
}

/// Demands a right. Whoever may not even see the place is told the same as if it were missing.
///
/// Errors: [`Error::Forbidden`], [`Error::NotFound`].
pub fn demand(company: &Company, caller: &Caller, action: Action, scope: &Scope) -> Result<()> {
    if may(company, caller, action, scope) {
        return Ok(());
    }
    let missing = match scope {
        Scope::Installation => return Err(Error::Forbidden { action: action.name() }),
        Scope::Account(account) => Error::not_found("billing account", account.as_str()),
        Scope::Subscription(subscription) => {
            Error::not_found("subscription", subscription.as_str())
        }
    };
    Err(if may_see(company, caller, scope) {
        Error::Forbidden { action: action.name() }
    } else {
        missing
    })
}

fn key_reaches(company: &Company, grant: &KeyGrant, scope: &Scope) -> bool {
    match scope {
        // A key may be bound to thousands of accounts, and a batch may name as many.
        Scope::Account(asked) => grant.billing_accounts.contains(asked),
        Scope::Installation | Scope::Subscription(_) => grant
            .billing_accounts
            .iter()
            .any(|account| covers(company, &Scope::Account(account.clone()), scope)),
    }
}

fn covers(company: &Company, given: &Scope, asked: &Scope) -> bool {
    match (given, asked) {
        (Scope::Installation, _) => true,
        (Scope::Account(given), Scope::Account(asked)) => given == asked,
        (Scope::Subscription(given), Scope::Subscription(asked)) => given == asked,
        (Scope::Account(account), Scope::Subscription(subscription)) => {
            company.subscriptions.get(subscription).is_some_and(|subscription| {
                subscription
                    .placements
                    .iter()
                    .any(|placement| placement.billing_account == *account)
            })
        }
        (Scope::Account(_) | Scope::Subscription(_), Scope::Installation)
        | (Scope::Subscription(_), Scope::Account(_)) => false,
    }
}

#[cfg(test)]
mod tests;
