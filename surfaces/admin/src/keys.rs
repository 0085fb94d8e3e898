//! API keys: made once, shown once, revoked at once.

use crate::wire;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::Action;
use domain::api_keys::AddressRange;
use domain::ids::{BillingAccountId, PrincipalId, SourceName};
use domain::{Error, Result};
use httpkit::{Asking, JsonBody, Path, Refusal, RequestId};
use serde::{Deserialize, Serialize};
use service::{KeyMade, KeyRow, KeyWanted, Reckoner};

/// Makes a key; the answer is the only place where it can be read.
pub(crate) async fn make(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(wanted): JsonBody<Wanted>,
) -> std::result::Result<(StatusCode, Json<Made>), Refusal> {
    let wanted = KeyWanted::try_from(wanted)?;
    let made = reckoner.make_key(&caller, wanted, &request_id.to_string()).await?;
    Ok((StatusCode::CREATED, Json(Made::from(made))))
}

/// Lists keys, without their text.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
) -> std::result::Result<Json<Answer>, Refusal> {
    let keys = reckoner.keys(&caller).await?;
    Ok(Json(Answer { keys: keys.into_iter().map(Item::from).collect() }))
}

/// Revokes a key.
pub(crate) async fn revoke(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(id): Path<String>,
) -> std::result::Result<StatusCode, Refusal> {
    reckoner.revoke_key(&caller, &id, &request_id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a new key shall allow.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: Option<String>,
    principal: String,
    actions: Vec<String>,
    billing_accounts: Vec<String>,
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
    type Error = Error;

    fn try_from(wanted: Wanted) -> Result<KeyWanted> {
        let Wanted {
            name,
            principal,
            actions,
            billing_accounts,
            sources,
            allowed_ranges,
            valid_from,
            lifetime_s,
            reason,
        } = wanted;
        let accounts = billing_accounts.iter().map(|id| BillingAccountId::new(id));
        let ranges = allowed_ranges.iter().map(|range| AddressRange::parse(range));
        Ok(KeyWanted {
            name,
            principal: PrincipalId::new(&principal)?,
            actions: actions.iter().map(|name| action(name)).collect::<Result<_>>()?,
            billing_accounts: accounts.collect::<Result<_>>()?,
            sources: sources.iter().map(|name| SourceName::new(name)).collect::<Result<_>>()?,
            allowed_ranges: ranges.collect::<Result<_>>()?,
            valid_from: valid_from
                .as_deref()
                .map(|text| wire::instant("valid_from", text))
                .transpose()?,
            lifetime_s,
            reason,
        })
    }
}

fn action(name: &str) -> Result<Action> {
    Action::parse(name).ok_or_else(|| {
        let known: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        Error::invalid("actions", format!("`{name}` is none of {}", known.join(", ")))
    })
}

/// A key that was just made.
#[derive(Serialize)]
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
#[derive(Serialize)]
pub(crate) struct Answer {
    keys: Vec<Item>,
}

/// One of them.
#[derive(Serialize)]
pub(crate) struct Item {
    key_id: String,
    name: String,
    principal: String,
    actions: Vec<String>,
    billing_accounts: Vec<String>,
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
