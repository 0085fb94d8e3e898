//! Quarantine: records that cannot be rated yet.

use crate::wire::{Parameters, Place, listed};
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::ids::BillingAccountId;
use domain::usage::{QuarantineReason, Quarantined, RecordKey};
use httpkit::{Asking, JsonBody, Refusal, RequestId};
use serde::{Deserialize, Serialize};
use service::{Reckoner, Replayed, StillWaiting, WaitingAsked};

/// Lists records that wait, oldest first.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let Asked { billing_account, reason, limit } = asked;
    let limit = usize::try_from(listed(&reckoner, limit, 100)?).unwrap_or(usize::MAX);
    let asked = WaitingAsked::try_from(Waiting { billing_account, reason })?;
    let records = reckoner.quarantine(&caller, &asked, limit).await?;
    Ok(Json(Answer { records: records.into_iter().map(Item::from).collect() }))
}

/// Tries records that wait again, and tells what came of it.
pub(crate) async fn replay(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(waiting): JsonBody<Waiting>,
) -> Result<Json<Outcome>, Refusal> {
    let asked = WaitingAsked::try_from(waiting)?;
    let replayed = reckoner.replay_quarantine(&caller, &asked, &request_id.to_string()).await?;
    Ok(Json(Outcome::from(replayed)))
}

/// Whose, why, and how many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: Option<String>,
    reason: Option<String>,
    limit: Option<u64>,
}

/// Whose, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    billing_account: Option<String>,
    reason: Option<String>,
}

impl TryFrom<Waiting> for WaitingAsked {
    type Error = Error;

    fn try_from(Waiting { billing_account, reason }: Waiting) -> domain::Result<WaitingAsked> {
        Ok(WaitingAsked {
            billing_account: billing_account.as_deref().map(BillingAccountId::new).transpose()?,
            reason: reason.as_deref().map(crate::wire::reason).transpose()?,
        })
    }
}

/// What a replay came to.
#[derive(Serialize)]
pub(crate) struct Outcome {
    rated: u64,
    needless: u64,
    waiting: u64,
    reasons: Vec<Reason>,
}

/// Why some records wait on.
#[derive(Serialize)]
struct Reason {
    reason: &'static str,
    field: &'static str,
    records: u64,
}

impl From<Replayed> for Outcome {
    fn from(Replayed { rated, needless, waiting }: Replayed) -> Outcome {
        let reason = |StillWaiting { reason, field, records }| Reason {
            reason: QuarantineReason::name(reason),
            field,
            records,
        };
        let reasons: Vec<Reason> = waiting.into_iter().map(reason).collect();
        let waiting = reasons.iter().map(|reason| reason.records).sum();
        Outcome { rated, needless, waiting, reasons }
    }
}

/// Records that wait.
#[derive(Serialize)]
pub(crate) struct Answer {
    records: Vec<Item>,
}

/// One of them.
#[derive(Serialize)]
pub(crate) struct Item {
    billing_account: String,
    source: String,
    id: String,
    reason: &'static str,
    field: &'static str,
    position: Place,
}

impl From<Quarantined> for Item {
    fn from(Quarantined { position, key, reason, field }: Quarantined) -> Item {
        let RecordKey { billing_account, source, id } = key;
        Item {
            billing_account: billing_account.to_string(),
            source: source.to_string(),
            id: id.to_string(),
            reason: reason.name(),
            field,
            position: Place::from(position),
        }
    }
}
