//! Accepted agreements: the texts that somebody agreed to for a billing account.
//!
//! What kind of contract an account has is another fact ([`crate::agreements`]); this is the paper.

use crate::company::Company;
use crate::ids::{AcceptedAgreementId, BillingAccountId};
use calendar::{Instant, Interval};

/// What holds of an accepted agreement from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedAgreement {
    /// Its name.
    pub name: String,
    /// Which text it is.
    pub category: AgreementCategory,
    /// How it was accepted.
    pub mode: AcceptanceMode,
    /// Who accepted it: a name or a mail address.
    pub accepted_by: String,
    /// When.
    pub accepted_at: Instant,
    /// When it holds.
    pub during: Interval,
    /// Where it can be read.
    pub link: String,
    /// Everybody who was asked, in the order in which they were.
    pub participants: Vec<Participant>,
}

/// Which text was accepted. Source: `microsoft-billing.md` section 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AgreementCategory {
    /// The customer agreement itself.
    CustomerAgreement,
    /// Terms by which an affiliate buys.
    AffiliatePurchaseTerms,
    /// Another one.
    Other,
}

/// How a text was accepted. Source: `microsoft-billing.md` section 14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AcceptanceMode {
    /// By a click.
    Click,
    /// By a signature while it was bought.
    SignedOnline,
    /// By a signature on paper.
    SignedOffline,
}

/// Somebody who was asked to accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Mail address.
    pub email: String,
    /// What came of it.
    pub answer: Answer,
    /// Since when.
    pub at: Instant,
}

/// What somebody who was asked said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Answer {
    Pending,
    Accepted,
    Declined,
}

impl Company {
    /// What was accepted for a billing account, as it stands at a moment; in order of id.
    pub fn accepted_agreements_at(
        &self,
        account: &BillingAccountId,
        at: Instant,
    ) -> impl Iterator<Item = (&AcceptedAgreementId, &AcceptedAgreement)> {
        let known = self.accepted_agreements.get(account).into_iter().flatten();
        known.filter_map(move |(id, timeline)| Some((id, timeline.at(at)?)))
    }
}
