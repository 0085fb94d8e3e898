//! Conflicts: records with a known key and other content.

use crate::explain::Record;
use crate::wire::Place;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::BillingAccountId;
use domain::usage::RecordKey;
use httpkit::{Asking, Faults, JsonBody, Parameters, Refusal, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Conflict, Reckoner};

/// Lists the conflicts of a billing account, oldest first.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let account = account(&asked.billing_account)?;
    let conflicts = reckoner.conflicts(&caller, &account).await?;
    Ok(Json(Answer { conflicts: conflicts.into_iter().map(Item::from).collect() }))
}

/// Chooses which record of a conflict counts.
pub(crate) async fn settle(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(settled): JsonBody<Settled>,
) -> Result<StatusCode, Refusal> {
    let Settled { billing_account, first, chosen, reason } = settled;
    let account = account(&billing_account)?;
    let places = (first.into(), chosen.into());
    let request_id = request_id.to_string();
    reckoner.settle_conflict(&caller, &account, places, &reason, &request_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn account(id: &str) -> Result<BillingAccountId, Refusal> {
    let mut faults = Faults::default();
    let account = faults.read("billing_account", BillingAccountId::new(id));
    faults.end(account)
}

/// Whose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: String,
}

/// A choice.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settled {
    billing_account: String,
    first: Place,
    chosen: Place,
    reason: String,
}

/// Conflicts.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    conflicts: Vec<Item>,
}

/// One of them; until something is chosen the first record counts.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    first: Place,
    other: Place,
    other_acknowledged_at: String,
    billing_account: String,
    source: String,
    id: String,
    /// None if it cannot be read.
    other_record: Option<Record>,
    chosen: Option<Place>,
}

impl From<Conflict> for Item {
    fn from(conflict: Conflict) -> Item {
        let Conflict { first, other, key, acknowledged_at, record, chosen } = conflict;
        let RecordKey { billing_account, source, id } = key;
        Item {
            first: first.into(),
            other: other.into(),
            other_acknowledged_at: acknowledged_at.to_string(),
            billing_account: billing_account.to_string(),
            source: source.to_string(),
            id: id.to_string(),
            other_record: record.map(Record::from),
            chosen: chosen.map(Place::from),
        }
    }
}
