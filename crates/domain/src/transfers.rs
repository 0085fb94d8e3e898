//! Transfers: holdings that move to another billing account, because both sides agreed to it.
//!
//! Who will pay asks, by mail address; who pays now answers, and says which holdings. Each answer,
//! and each holding that has moved, is a fact. That nobody answered in time is none: it is read off
//! the clock.
//!
//! Source: `microsoft-billing.md` section 11; `docs/decisions/0019-transfers.md`.

mod moving;
mod reserved;

pub use moving::{Judge, Judged, Moved};
pub use reserved::Rebought;

use crate::ids::{PlaceId, PrincipalId, ResellerId, TransferId};
use crate::places::Place;
use crate::{Error, Result};
use calendar::Instant;

/// How long a transfer waits for its answer. No contract states it: `microsoft-billing.md`
/// section 11 has a sample of 26 days.
pub const ANSWERED_WITHIN_S: i64 = 30 * 86_400;

/// What somebody asks for who will pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// Where holdings shall stand: an invoice section, or a partner's customer.
    pub initiator: Place,
    /// The billing profile that will pay. A section that moves below another takes that one.
    pub profile: PlaceId,
    /// Who sells what a partner's customer takes over.
    pub reseller: Option<ResellerId>,
    /// Who asked; none for the machine itself.
    pub asked_by: Option<PrincipalId>,
    /// The mail address of who asked, as it was then.
    pub asked_by_email: Option<String>,
    /// The mail address of who is asked: whoever signs in with it may answer.
    pub recipient_email: String,
    /// When it was asked.
    pub created_at: Instant,
    /// From when on nobody can answer any more.
    pub expires_at: Instant,
    /// When it changed last.
    pub modified_at: Instant,
    /// How far it is, but for time: see [`Transfer::state_at`].
    pub state: TransferState,
    /// The mail address of who took it back, if one was known then.
    pub canceled_by: Option<String>,
    /// Who accepted it, once somebody did.
    pub accepted: Option<Acceptance>,
    /// What was chosen when it was accepted, in the order in which it was named.
    pub products: Vec<TransferProduct>,
}

/// That a transfer was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// By whom: what moves is what that principal may give.
    pub by: PrincipalId,
    /// With which request: what is done behind its answer is noted under it.
    pub request_id: String,
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferState {
    /// Nobody has answered.
    Pending,
    /// Accepted; what was chosen moves.
    InProgress,
    /// All of it has moved.
    Completed,
    /// Some of it has moved, some cannot.
    CompletedWithErrors,
    /// None of it can move.
    Failed,
    /// Taken back before it was answered.
    Canceled,
    /// Refused by who was asked.
    Declined,
    /// Not answered in time.
    Expired,
}

/// What can happen to a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Who is asked says yes.
    Accept,
    /// Somebody where it was asked takes it back.
    Cancel,
    /// Who is asked says no.
    Decline,
    /// Its time passes.
    Expire,
    /// The last holding has moved, as all before.
    Complete,
    /// The last holding has ended; some moved, some did not.
    CompleteInPart,
    /// The last holding has ended; none moved.
    Fail,
}

/// Every step that is allowed: from, step, to. What is absent is refused.
pub const STEPS: [(TransferState, Step, TransferState); 7] = [
    (TransferState::Pending, Step::Accept, TransferState::InProgress),
    (TransferState::Pending, Step::Cancel, TransferState::Canceled),
    (TransferState::Pending, Step::Decline, TransferState::Declined),
    (TransferState::Pending, Step::Expire, TransferState::Expired),
    (TransferState::InProgress, Step::Complete, TransferState::Completed),
    (TransferState::InProgress, Step::CompleteInPart, TransferState::CompletedWithErrors),
    (TransferState::InProgress, Step::Fail, TransferState::Failed),
];

/// What may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProductKind {
    /// A subscription.
    Subscription,
    /// A reservation.
    Reservation,
}

impl ProductKind {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            ProductKind::Subscription => "subscription",
            ProductKind::Reservation => "reservation",
        }
    }
}

/// One holding of an accepted transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferProduct {
    /// Of which kind.
    pub kind: ProductKind,
    /// Its id, as it was named.
    pub id: String,
    /// What came of it; none while it waits for its turn.
    pub end: Option<ProductEnd>,
}

/// What came of a holding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProductEnd {
    /// It has moved.
    Moved,
    /// It stays where it was.
    Refused(TransferProblem),
}

/// Why a holding stays where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferProblem {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
}

/// Where a holding of a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProductTransferState {
    /// Others are before it.
    NotStarted,
    /// It is its turn.
    InProgress,
    /// It has moved.
    Completed,
    /// It stays where it was.
    Failed,
}

/// What is to be said of a holding before it moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub level: FindingLevel,
    /// For programs.
    pub code: &'static str,
    /// For people on either side: it names nothing of the other's.
    pub message: String,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingLevel {
    /// It cannot move.
    Error,
    /// It can move, and something is lost by it.
    Warning,
}

/// Whether a holding can move: what its findings come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It can.
    Ready,
    /// It can, and something is lost by it.
    Warning,
    /// It cannot.
    Failed,
}

impl Outcome {
    /// What some findings come to: the gravest counts.
    pub fn of(findings: &[Finding]) -> Outcome {
        let gravest = findings.iter().map(|finding| finding.level).min();
        match gravest {
            None => Outcome::Ready,
            Some(FindingLevel::Warning) => Outcome::Warning,
            Some(FindingLevel::Error) => Outcome::Failed,
        }
    }
}

impl Finding {
    /// What keeps a holding where it is.
    pub fn error(code: &'static str, message: impl Into<String>) -> Finding {
        Finding { level: FindingLevel::Error, code, message: message.into() }
    }

    /// What is lost by a move.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Finding {
        Finding { level: FindingLevel::Warning, code, message: message.into() }
    }
}

impl From<Finding> for TransferProblem {
    fn from(Finding { level: _, code, message }: Finding) -> TransferProblem {
        TransferProblem { code: code.to_owned(), message }
    }
}

impl TransferState {
    /// All of them.
    pub const ALL: [TransferState; 8] = [
        TransferState::Pending,
        TransferState::InProgress,
        TransferState::Completed,
        TransferState::CompletedWithErrors,
        TransferState::Failed,
        TransferState::Canceled,
        TransferState::Declined,
        TransferState::Expired,
    ];

    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            TransferState::Pending => "pending",
            TransferState::InProgress => "in progress",
            TransferState::Completed => "completed",
            TransferState::CompletedWithErrors => "completed with errors",
            TransferState::Failed => "failed",
            TransferState::Canceled => "canceled",
            TransferState::Declined => "declined",
            TransferState::Expired => "expired",
        }
    }

    /// The state after a step.
    ///
    /// `key` names the transfer. Errors: [`Error::Conflict`] for a step that [`STEPS`] lacks.
    pub fn after(self, step: Step, key: &str) -> Result<TransferState> {
        let row = STEPS.iter().find(|(from, by, _)| *from == self && *by == step);
        row.map(|(_, _, to)| *to).ok_or_else(|| Error::Conflict {
            what: "transfer",
            key: key.to_owned(),
            problem: format!("is {}; it cannot {}", self.name(), step.verb()),
        })
    }
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 7] = [
        Step::Accept,
        Step::Cancel,
        Step::Decline,
        Step::Expire,
        Step::Complete,
        Step::CompleteInPart,
        Step::Fail,
    ];

    const fn verb(self) -> &'static str {
        match self {
            Step::Accept => "be accepted",
            Step::Cancel => "be canceled",
            Step::Decline => "be declined",
            Step::Expire => "expire",
            Step::Complete => "be completed",
            Step::CompleteInPart => "be completed in part",
            Step::Fail => "fail",
        }
    }
}

impl Transfer {
    /// How far it is at a moment: one that waits for its answer expires by itself.
    pub fn state_at(&self, moment: Instant) -> TransferState {
        match self.state {
            TransferState::Pending if self.expires_at <= moment => TransferState::Expired,
            state => state,
        }
    }

    /// When it changed last, as of a moment.
    pub fn modified_at(&self, moment: Instant) -> Instant {
        match self.state_at(moment) {
            TransferState::Expired => self.expires_at,
            TransferState::Pending
            | TransferState::InProgress
            | TransferState::Completed
            | TransferState::CompletedWithErrors
            | TransferState::Failed
            | TransferState::Canceled
            | TransferState::Declined => self.modified_at,
        }
    }

    /// The transfer after a step.
    ///
    /// Errors: [`Error::Conflict`] for a step that [`STEPS`] lacks.
    pub fn after(&self, step: Step, now: Instant) -> Result<Transfer> {
        let state = self.state_at(now).after(step, self.id.as_str())?;
        Ok(Transfer { state, modified_at: now, ..self.clone() })
    }

    /// The number of the holding whose turn it is: subscriptions come before reservations, which
    /// are billed to them. None where nothing moves any more.
    pub fn turn(&self) -> Option<usize> {
        if self.state != TransferState::InProgress {
            return None;
        }
        let open = self.products.iter().enumerate().filter(|(_, one)| one.end.is_none());
        open.min_by_key(|(number, one)| (one.kind, *number)).map(|(number, _)| number)
    }

    /// Where the holding of a number stands.
    pub fn product_state(&self, number: usize) -> ProductTransferState {
        match self.products.get(number).and_then(|one| one.end.as_ref()) {
            Some(ProductEnd::Moved) => ProductTransferState::Completed,
            Some(ProductEnd::Refused(_)) => ProductTransferState::Failed,
            None if self.turn() == Some(number) => ProductTransferState::InProgress,
            None => ProductTransferState::NotStarted,
        }
    }

    /// The transfer once the holding of a number has ended; the last one ends the transfer.
    ///
    /// Errors: [`Error::Conflict`] where it is not the turn of that one.
    pub fn with_end(&self, number: usize, end: ProductEnd, now: Instant) -> Result<Transfer> {
        let mut after = self.clone();
        let is_its_turn = self.turn() == Some(number);
        let Some(product) = after.products.get_mut(number).filter(|_| is_its_turn) else {
            let problem = format!("it is not the turn of product {number}");
            return Err(Error::Conflict { what: "transfer", key: self.id.to_string(), problem });
        };
        product.end = Some(end);
        after.modified_at = now;
        if after.turn().is_some() {
            return Ok(after);
        }
        let moved = after.products.iter().filter(|one| one.end == Some(ProductEnd::Moved)).count();
        let step = match (moved, after.products.len().saturating_sub(moved)) {
            (_, 0) => Step::Complete,
            (0, _) => Step::Fail,
            (_, _) => Step::CompleteInPart,
        };
        after.after(step, now)
    }
}

/// The order in which findings are told: errors first, each as they were found.
fn gravest_first(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| finding.level);
    findings
}

#[cfg(test)]
mod tests;
