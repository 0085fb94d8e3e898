//! The life of an invoice: draft, approved, due, overdue, paid, void.
//!
//! The steps are facts; the state is their fold. A draft is computed anew until it is issued, so
//! nothing that has a number ever changes.
//!
//! Source: microsoft-billing, section 7.

use crate::ids::PrincipalId;
use crate::{Error, Result};
use calendar::Instant;
use money::Money;
use std::fmt;

/// Where an invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvoiceState {
    /// Computed, and computed again when facts change. It has no number.
    Draft,
    /// Somebody, or a rule, has agreed to it. It has no number.
    Approved,
    /// Issued: it has a number, stands in the ledger, and money is owed until its due date.
    Due,
    /// Money is owed after its due date.
    OverDue,
    /// Nothing is owed.
    Paid,
    /// Withdrawn by a void note.
    Void,
}

/// What can happen to an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Somebody, or a rule, agrees.
    Approve,
    /// The agreement is taken back.
    TakeBack,
    /// It gets its number and is posted.
    Issue,
    /// Its due date passes with money owed.
    FallDue,
    /// Nothing is owed any more: paid, credited or written off.
    Settle,
    /// A void note withdraws it.
    Void,
}

/// Every step that is allowed: from, step, to. What is absent is refused.
pub const STEPS: [(InvoiceState, Step, InvoiceState); 9] = [
    (InvoiceState::Draft, Step::Approve, InvoiceState::Approved),
    (InvoiceState::Approved, Step::TakeBack, InvoiceState::Draft),
    (InvoiceState::Approved, Step::Issue, InvoiceState::Due),
    (InvoiceState::Due, Step::FallDue, InvoiceState::OverDue),
    (InvoiceState::Due, Step::Settle, InvoiceState::Paid),
    (InvoiceState::OverDue, Step::Settle, InvoiceState::Paid),
    (InvoiceState::Due, Step::Void, InvoiceState::Void),
    (InvoiceState::OverDue, Step::Void, InvoiceState::Void),
    (InvoiceState::Paid, Step::Void, InvoiceState::Void),
];

impl InvoiceState {
    /// All of them.
    pub const ALL: [InvoiceState; 6] = [
        InvoiceState::Draft,
        InvoiceState::Approved,
        InvoiceState::Due,
        InvoiceState::OverDue,
        InvoiceState::Paid,
        InvoiceState::Void,
    ];

    /// Its name in files, answers and queries.
    pub const fn name(self) -> &'static str {
        match self {
            InvoiceState::Draft => "draft",
            InvoiceState::Approved => "approved",
            InvoiceState::Due => "due",
            InvoiceState::OverDue => "overdue",
            InvoiceState::Paid => "paid",
            InvoiceState::Void => "void",
        }
    }

    /// The state after a step.
    ///
    /// `key` names the invoice. Errors: [`Error::Conflict`] for a step that [`STEPS`] lacks.
    pub fn after(self, step: Step, key: &str) -> Result<InvoiceState> {
        let row = STEPS.iter().find(|(from, by, _)| *from == self && *by == step);
        row.map(|(_, _, to)| *to).ok_or_else(|| Error::Conflict {
            what: "invoice",
            key: key.to_owned(),
            problem: format!("is {}; it cannot {}", self.name(), step.verb()),
        })
    }

    /// The step that time or money makes due now, if any.
    ///
    /// `due_until` is the first moment after the due date.
    pub fn pending(self, owed: Money, due_until: Instant, now: Instant) -> Option<Step> {
        let is_settled = owed.minor() <= 0;
        match self {
            InvoiceState::Due | InvoiceState::OverDue if is_settled => Some(Step::Settle),
            InvoiceState::Due if due_until <= now => Some(Step::FallDue),
            InvoiceState::Draft
            | InvoiceState::Approved
            | InvoiceState::Due
            | InvoiceState::OverDue
            | InvoiceState::Paid
            | InvoiceState::Void => None,
        }
    }
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 6] =
        [Step::Approve, Step::TakeBack, Step::Issue, Step::FallDue, Step::Settle, Step::Void];

    const fn verb(self) -> &'static str {
        match self {
            Step::Approve => "be approved",
            Step::TakeBack => "lose its approval",
            Step::Issue => "be issued",
            Step::FallDue => "fall due",
            Step::Settle => "be settled",
            Step::Void => "be voided",
        }
    }
}

/// Who agreed to a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// A person.
    Person(PrincipalId),
    /// A rule, by its name.
    Rule(String),
}

/// Writes `person NAME` or `rule NAME`.
impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Approver::Person(person) => write!(f, "person {person}"),
            Approver::Rule(rule) => write!(f, "rule {rule}"),
        }
    }
}

/// A rule that agrees to drafts by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Its name.
    pub name: String,
    /// Totals from zero up to this, in minor units of its currency.
    pub at_most: Money,
}

impl ApprovalRule {
    /// Who approves a draft of this total: the rule, or nobody yet.
    ///
    /// A total below zero (we owe) or in another currency waits for a person.
    pub fn approver(&self, total: Money) -> Option<Approver> {
        let within = 0 <= total.minor() && total.minor() <= self.at_most.minor();
        (total.currency() == self.at_most.currency() && within)
            .then(|| Approver::Rule(self.name.clone()))
    }
}

#[cfg(test)]
mod tests;
