//! Quarantine: records that cannot be rated yet.

use crate::wire::{self, Place, listed};
use axum::Json;
use axum::extract::State;
use domain::usage::{QuarantineReason, Quarantined, RecordKey};
use httpkit::{Asking, Faults, JsonBody, Parameters, Refusal, RequestId};
use schemars::JsonSchema;
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
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: Option<String>,
    reason: Option<String>,
    limit: Option<u64>,
}

/// Whose, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    billing_account: Option<String>,
    reason: Option<String>,
}

impl TryFrom<Waiting> for WaitingAsked {
    type Error = Refusal;

    fn try_from(Waiting { billing_account, reason }: Waiting) -> Result<WaitingAsked, Refusal> {
        let mut faults = Faults::default();
        let account = wire::account_if(&mut faults, billing_account);
        let reason = faults.read_if("reason", reason, |name| wire::reason(&name));
        let asked = || Some(WaitingAsked { billing_account: account?, reason: reason? });
        faults.end(asked())
    }
}

/// What a replay came to.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Outcome {
    rated: u64,
    needless: u64,
    waiting: u64,
    reasons: Vec<Reason>,
}

/// Why some records wait on.
#[derive(Serialize, JsonSchema)]
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
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    records: Vec<Item>,
}

/// One of them.
#[derive(Serialize, JsonSchema)]
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
