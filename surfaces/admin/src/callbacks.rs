//! Callbacks: usage results on their way to receivers, those of everybody.

use crate::wire::listed;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Error;
use httpkit::{Asking, Faults, Parameters, Path, Refusal, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{CallbackFilter, CallbackLogged, CallbackState, Reckoner};

/// Lists callbacks, oldest first; `next` of the answer is `after` of the next question.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let Asked { state, after, limit } = asked;
    let mut faults = Faults::default();
    let state = faults.read_if("state", state, |name| known(&name));
    let state = faults.end(state)?;
    let limit = listed(&reckoner, limit, 100)?;
    let filter = CallbackFilter { state, after, limit };
    let callbacks = reckoner.callbacks_of_installation(&caller, filter).await?;
    let is_full = u64::try_from(callbacks.len()).is_ok_and(|found| found == limit);
    let next = callbacks.last().filter(|_| is_full).map(|last| last.number);
    Ok(Json(Answer { callbacks: callbacks.into_iter().map(Item::from).collect(), next }))
}

/// Has a result sent again, from the first try on.
pub(crate) async fn resend(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    reckoner.resend_callback(&caller, &id, &request_id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How far, and how many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    state: Option<String>,
    #[serde(default)]
    after: u64,
    limit: Option<u64>,
}

/// Reads how far callbacks are.
fn known(name: &str) -> domain::Result<CallbackState> {
    let found = CallbackState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| {
        let names = CallbackState::ALL.map(CallbackState::name).join(", ");
        Error::invalid("state", format!("`{name}` is none of {names}"))
    })
}

/// Callbacks, and after which number to go on, if there may be more.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    callbacks: Vec<Item>,
    next: Option<u64>,
}

/// One of them.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    number: u64,
    id: String,
    query_id: String,
    owner: String,
    billing_account: String,
    receiver: String,
    state: &'static str,
    tries: u64,
    next_at: Option<String>,
    outcome: String,
    created_at: String,
    ended_at: Option<String>,
}

impl From<CallbackLogged> for Item {
    fn from(logged: CallbackLogged) -> Item {
        let CallbackLogged {
            number,
            id,
            query_id,
            owner,
            billing_account,
            receiver,
            state,
            tries,
            next_at,
            outcome,
            created_at,
            ended_at,
        } = logged;
        Item {
            number,
            id,
            query_id,
            owner,
            billing_account,
            receiver,
            state: state.name(),
            tries,
            next_at: next_at.map(|at| at.to_string()),
            outcome,
            created_at: created_at.to_string(),
            ended_at: ended_at.map(|at| at.to_string()),
        }
    }
}
