//! Quarantine: records that cannot be rated yet.

use crate::wire::{Parameters, Place, listed};
use axum::Json;
use axum::extract::State;
use domain::ids::BillingAccountId;
use domain::usage::{Quarantined, RecordKey};
use httpkit::{Asking, Refusal};
use serde::{Deserialize, Serialize};
use service::Reckoner;

/// Lists records that wait, oldest first.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let account = asked.billing_account.as_deref().map(BillingAccountId::new).transpose()?;
    let limit = listed(&reckoner, asked.limit, 100)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let records = reckoner.quarantine(&caller, account.as_ref(), limit).await?;
    Ok(Json(Answer { records: records.into_iter().map(Item::from).collect() }))
}

/// Whose, and how many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: Option<String>,
    limit: Option<u64>,
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
