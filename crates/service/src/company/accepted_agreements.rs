//! The twin of accepted agreements.

use super::lots::interval;
use super::parties::unless;
use super::step::Step;
use super::text::Text;
use super::wrong::Wrong;
use calendar::Instant;
use domain::accepted_agreements::{self, AcceptanceMode, AgreementCategory, Answer};
use domain::ids::{AcceptedAgreementId, BillingAccountId};
use serde::{Deserialize, Serialize};

/// A text that was accepted for a billing account, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptedAgreement {
    billing_account: Text<BillingAccountId>,
    id: Text<AcceptedAgreementId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<Text<AgreementCategory>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<Text<AcceptanceMode>>,
    accepted_by: String,
    accepted_at: Text<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starts: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<Text<Instant>>,
    link: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    participants: Vec<Participant>,
}

/// Somebody who was asked to accept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Participant {
    email: String,
    answer: Text<Answer>,
    at: Text<Instant>,
}

impl TryFrom<AcceptedAgreement>
    for (BillingAccountId, Step<AcceptedAgreementId, accepted_agreements::AcceptedAgreement>)
{
    type Error = Wrong;

    fn try_from(twin: AcceptedAgreement) -> Result<Self, Wrong> {
        let AcceptedAgreement {
            billing_account,
            id,
            from,
            name,
            category,
            mode,
            accepted_by,
            accepted_at,
            starts,
            ends,
            link,
            participants,
        } = twin;
        for (key, text) in [("name", &name), ("accepted_by", &accepted_by), ("link", &link)] {
            if text.is_empty() {
                return Err(Wrong::new(key, "must not be empty"));
            }
        }
        let value = accepted_agreements::AcceptedAgreement {
            name,
            category: category.map_or(AgreementCategory::CustomerAgreement, |category| category.0),
            mode: mode.map_or(AcceptanceMode::Click, |mode| mode.0),
            accepted_by,
            during: interval(Some(starts.unwrap_or_else(|| accepted_at.clone())), ends)
                .map_err(|wrong| Wrong::new("ends", wrong.problem))?,
            accepted_at: accepted_at.0,
            link,
            participants: participants.into_iter().map(Participant::into).collect(),
        };
        let from = from.map_or(Instant::MIN, |from| from.0);
        Ok((billing_account.0, Step { of: id.0, from, value }))
    }
}

impl From<(BillingAccountId, Step<AcceptedAgreementId, accepted_agreements::AcceptedAgreement>)>
    for AcceptedAgreement
{
    fn from(
        (account, step): (
            BillingAccountId,
            Step<AcceptedAgreementId, accepted_agreements::AcceptedAgreement>,
        ),
    ) -> AcceptedAgreement {
        let Step { of, from, value } = step;
        let accepted_agreements::AcceptedAgreement {
            name,
            category,
            mode,
            accepted_by,
            accepted_at,
            during,
            link,
            participants,
        } = value;
        AcceptedAgreement {
            billing_account: Text(account),
            id: Text(of),
            from: unless(from, Instant::MIN),
            name,
            category: unless(category, AgreementCategory::CustomerAgreement),
            mode: unless(mode, AcceptanceMode::Click),
            accepted_by,
            accepted_at: Text(accepted_at),
            starts: unless(during.start(), accepted_at),
            ends: unless(during.end(), Instant::MAX),
            link,
            participants: participants.into_iter().map(Participant::from).collect(),
        }
    }
}

impl From<Participant> for accepted_agreements::Participant {
    fn from(Participant { email, answer, at }: Participant) -> accepted_agreements::Participant {
        accepted_agreements::Participant { email, answer: answer.0, at: at.0 }
    }
}

impl From<accepted_agreements::Participant> for Participant {
    fn from(participant: accepted_agreements::Participant) -> Participant {
        let accepted_agreements::Participant { email, answer, at } = participant;
        Participant { email, answer: Text(answer), at: Text(at) }
    }
}
