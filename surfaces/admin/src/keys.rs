//! API keys: made once, shown once, revoked at once.

use crate::wire;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Error;
use domain::access::Action;
use domain::api_keys::AddressRange;
use domain::ids::{BillingAccountId, PrincipalId, SourceName};
use domain::places::Place;
use httpkit::{Asking, Faults, JsonBody, Path, Refusal, RequestId, ShownOnce};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{KeyMade, KeyRow, KeyWanted, Reckoner};

/// Makes a key; the answer is the only place where it can be read.
pub(crate) async fn make(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<ShownOnce<(StatusCode, Json<Made>)>, Refusal> {
    let wanted = KeyWanted::try_from(wanted)?;
    let made = reckoner.make_key(&caller, wanted, &request_id.to_string()).await?;
    Ok(ShownOnce((StatusCode::CREATED, Json(Made::from(made)))))
}

/// Lists keys, without their text.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
) -> Result<Json<Answer>, Refusal> {
    let keys = reckoner.keys(&caller).await?;
    Ok(Json(Answer { keys: keys.into_iter().map(Item::from).collect() }))
}

/// Revokes a key.
pub(crate) async fn revoke(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    reckoner.revoke_key(&caller, &id, &request_id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a new key shall allow.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: Option<String>,
    principal: String,
    actions: Vec<String>,
    billing_accounts: Vec<String>,
    #[serde(default)]
    places: Vec<String>,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    allowed_ranges: Vec<String>,
    valid_from: Option<String>,
    lifetime_s: Option<i64>,
    #[serde(default)]
    reason: String,
}

impl TryFrom<Wanted> for KeyWanted {
    type Error = Refusal;

    fn try_from(wanted: Wanted) -> Result<KeyWanted, Refusal> {
        let Wanted {
            name,
            principal,
            actions,
            billing_accounts,
            places,
            sources,
            allowed_ranges,
            valid_from,
            lifetime_s,
            reason,
        } = wanted;
        let mut faults = Faults::default();
        let principal = faults.read("principal", PrincipalId::new(&principal));
        let actions = faults.read_each("actions", &actions, |name| action(name));
        let accounts =
            faults.read_each("billing_accounts", &billing_accounts, |id| BillingAccountId::new(id));
        let places = faults.read_each("places", &places, |text| Place::parse(text));
        let sources = faults.read_each("sources", &sources, |name| SourceName::new(name));
        let ranges =
            faults.read_each("allowed_ranges", &allowed_ranges, |range| AddressRange::parse(range));
        let valid_from =
            faults.read_if("valid_from", valid_from, |text| wire::instant("valid_from", &text));
        let wanted = || {
            Some(KeyWanted {
                name,
                principal: principal?,
                actions: actions?,
                billing_accounts: accounts?,
                places: places?,
                sources: sources?,
                allowed_ranges: ranges?,
                valid_from: valid_from?,
                lifetime_s,
                reason,
            })
        };
        faults.end(wanted())
    }
}

fn action(name: &str) -> domain::Result<Action> {
    Action::parse(name).ok_or_else(|| {
        let known: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        Error::invalid("actions", format!("`{name}` is none of {}", known.join(", ")))
    })
}

/// A key that was just made.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Made {
    key_id: String,
    key: String,
}

impl From<KeyMade> for Made {
    fn from(KeyMade { text, key_id }: KeyMade) -> Made {
        Made { key_id, key: text }
    }
}

/// Keys.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    keys: Vec<Item>,
}

/// One of them.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    key_id: String,
    name: String,
    principal: String,
    actions: Vec<String>,
    billing_accounts: Vec<String>,
    places: Vec<String>,
    sources: Vec<String>,
    allowed_ranges: Vec<String>,
    created_at: String,
    valid_from: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
}

impl From<KeyRow> for Item {
    fn from(row: KeyRow) -> Item {
        let KeyRow {
            key_id,
            name,
            principal,
            hash: _,
            actions,
            billing_accounts,
            places,
            sources,
            allowed_ranges,
            created_at,
            valid_from,
            expires_at,
            revoked_at,
            last_used_at,
        } = row;
        Item {
            key_id,
            name,
            principal,
            actions,
            billing_accounts,
            places,
            sources,
            allowed_ranges,
            created_at: created_at.to_string(),
            valid_from: valid_from.to_string(),
            expires_at: expires_at.map(|at| at.to_string()),
            revoked_at: revoked_at.map(|at| at.to_string()),
            last_used_at: last_used_at.map(|at| at.to_string()),
        }
    }
}
