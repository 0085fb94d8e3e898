//! A second person for what one alone should not do.

use super::{Action, Caller, Scope, demand_at};
use crate::company::Company;
use crate::ids::PrincipalId;
use crate::{Error, Result};
use calendar::Instant;
use std::collections::BTreeSet;

/// Which actions need a second person. A part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecondPerson {
    needed: BTreeSet<Action>,
}

impl SecondPerson {
    /// The actions that can need one.
    pub const CHOICE: [Action; 4] =
        [Action::ClosePeriods, Action::WriteOffCharges, Action::VoidInvoices, Action::RepriceUsage];

    /// Takes the configured actions.
    ///
    /// Errors: [`Error::Invalid`] for an action that is not in [`SecondPerson::CHOICE`].
    pub fn new(actions: impl IntoIterator<Item = Action>) -> Result<SecondPerson> {
        let needed: BTreeSet<Action> = actions.into_iter().collect();
        match needed.iter().find(|action| !SecondPerson::CHOICE.contains(action)) {
            None => Ok(SecondPerson { needed }),
            Some(other) => {
                let problem = format!("`{}` is never asked of a second person", other.name());
                Err(Error::invalid("second_person", problem))
            }
        }
    }

    /// Whether the action needs one.
    pub fn is_needed(&self, action: Action) -> bool {
        self.needed.contains(&action)
    }
}

/// What is to be done, by whom, with whose approval.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What.
    pub action: Action,
    /// Where.
    pub scope: &'a Scope,
    /// Who asks for it.
    pub by: &'a Caller,
    /// Who approves; none where nobody has yet.
    pub approved_by: Option<&'a Caller>,
    /// When.
    pub at: Instant,
}

/// Demands the right to do it and, where one is needed, a second person's approval.
///
/// The second person is signed in itself (no key, link or machine can stand for it), may approve
/// there, and is not who asks, nor the holder of the key that asks.
/// Errors: [`Error::Forbidden`], [`Error::NotFound`] for who asks; the same for who approves;
/// [`Error::Conflict`] when nobody has approved, or not another person.
pub fn demand_approved(
    company: &Company,
    rule: &SecondPerson,
    request: &Request<'_>,
) -> Result<()> {
    let Request { action, scope, by, approved_by, at } = *request;
    demand_at(company, by, action, scope, at)?;
    if !rule.is_needed(action) {
        return Ok(());
    }
    let waits = |problem: &str| Error::Conflict {
        what: "request",
        key: action.name().to_owned(),
        problem: problem.to_owned(),
    };
    let approver = approved_by.ok_or_else(|| waits("needs the approval of a second person"))?;
    let Caller::Principal(person) = approver else {
        return Err(waits("a key, a link or the machine is no second person"));
    };
    demand_at(company, approver, Action::ApproveRequests, scope, at)?;
    if principal(by) == Some(person) {
        return Err(waits("nobody approves what it asks for itself"));
    }
    Ok(())
}

/// Who stands behind a caller.
fn principal(caller: &Caller) -> Option<&PrincipalId> {
    match caller {
        Caller::Principal(principal) => Some(principal),
        Caller::Key(grant) => Some(&grant.principal),
        Caller::Enterprise(grant) => Some(&grant.principal),
        Caller::Link { .. } | Caller::Machine => None,
    }
}
