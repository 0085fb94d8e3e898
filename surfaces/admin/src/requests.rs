//! Requests: what waits for a second person.

use crate::wire::{self, listed};
use axum::Json;
use axum::extract::State;
use domain::Error;
use httpkit::{Asking, Faults, Parameters, Path, Refusal, RequestId, Unhurried};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::{Reckoner, RequestDone, RequestTold};

/// Lists requests, newest first.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let Asked { billing_account, limit } = asked;
    let mut faults = Faults::default();
    let account = wire::account_if(&mut faults, billing_account);
    let account = faults.end(account)?;
    let limit = listed(&reckoner, limit, 100)?;
    let requests = reckoner.requests(&caller, account, limit).await?;
    let requests = requests.into_iter().map(Item::try_from).collect::<Result<_, _>>()?;
    Ok(Json(Answer { requests }))
}

/// Approves a request, and carries it out.
pub(crate) async fn approve(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    _: Unhurried,
    Path(id): Path<String>,
) -> Result<Json<Done>, Refusal> {
    let done = reckoner.approve_request(&caller, &id, &request_id.to_string()).await?;
    let RequestDone { request, outcome } = done;
    Ok(Json(Done { request: Item::try_from(request)?, outcome }))
}

/// Whose requests, and how many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: Option<String>,
    limit: Option<u64>,
}

/// Requests.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    requests: Vec<Item>,
}

/// A request that was carried out.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Done {
    #[serde(flatten)]
    request: Item,
    outcome: String,
}

/// A request.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    id: String,
    action: String,
    billing_account: Option<String>,
    asked_by: String,
    what: Value,
    asked_at: String,
    expires_at: String,
    approved_by: Option<String>,
}

impl TryFrom<RequestTold> for Item {
    type Error = Error;

    fn try_from(told: RequestTold) -> Result<Item, Error> {
        let RequestTold { id, action, billing_account, asked_by, what, .. } = told;
        let RequestTold { asked_at, expires_at, approved_by, .. } = told;
        let what = serde_json::from_str(&what);
        Ok(Item {
            id,
            action,
            billing_account,
            asked_by,
            what: what.map_err(|e| Error::internal("read a request", e))?,
            asked_at: asked_at.to_string(),
            expires_at: expires_at.to_string(),
            approved_by,
        })
    }
}
