//! Upkeep of the installation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use httpkit::{Asking, Refusal, RequestId, Unhurried};
use schemars::JsonSchema;
use serde::Serialize;
use service::{Checked, Reckoner};

/// Seals all usage and writes all rated usage.
pub(crate) async fn seal(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    _: Unhurried,
) -> Result<StatusCode, Refusal> {
    reckoner.seal_now(&caller, &request_id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks every checksum of what is kept.
pub(crate) async fn verify(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    _: Unhurried,
) -> Result<Json<Found>, Refusal> {
    let checked = reckoner.verify(&caller, |_, _, _| {}).await?;
    Ok(Json(Found::from(checked)))
}

/// What verifying found.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Found {
    log_entries: u64,
    facts: u64,
    objects: u64,
    entries: u64,
    documents: u64,
    closes: u64,
    heads: Vec<String>,
    problems: Vec<String>,
    notes: Vec<String>,
}

impl From<Checked> for Found {
    fn from(checked: Checked) -> Found {
        let heads = checked.heads.iter().map(ToString::to_string).collect();
        let Checked { log_entries, facts, objects, entries, documents, closes, .. } = checked;
        let Checked { problems, notes, .. } = checked;
        Found { log_entries, facts, objects, entries, documents, closes, heads, problems, notes }
    }
}
