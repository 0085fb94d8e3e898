//! The audit log.

use crate::wire::{self, listed};
use axum::Json;
use axum::extract::State;
use httpkit::{Asking, Faults, Parameters, Refusal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{AuditEntry, AuditFilter, AuditRow, Reckoner};

/// Lists entries, oldest first; `next` of the answer is `after` of the next question.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Refusal> {
    let (after, limit) = (asked.after, listed(&reckoner, asked.limit, 1_000)?);
    let filter = AuditFilter::try_from(asked)?;
    let rows = reckoner.audit(&caller, filter, after, limit).await?;
    let next = rows.last().filter(|_| rows.len() as u64 == limit).map(|row| row.number);
    Ok(Json(Answer { entries: rows.into_iter().map(Item::from).collect(), next }))
}

/// Which entries.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    actor: Option<String>,
    action: Option<String>,
    target: Option<String>,
    from: Option<String>,
    until: Option<String>,
    #[serde(default)]
    after: u64,
    limit: Option<u64>,
}

impl TryFrom<Asked> for AuditFilter {
    type Error = Refusal;

    fn try_from(asked: Asked) -> Result<AuditFilter, Refusal> {
        let Asked { actor, action, target, from, until, after: _, limit: _ } = asked;
        let mut faults = Faults::default();
        let from = faults.read_if("from", from, |text| wire::instant("from", &text));
        let until = faults.read_if("until", until, |text| wire::instant("until", &text));
        let filter = || Some(AuditFilter { actor, action, target, from: from?, until: until? });
        faults.end(filter())
    }
}

/// Entries, and after which number to go on, if there may be more.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    entries: Vec<Item>,
    next: Option<u64>,
}

/// One entry.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    number: u64,
    at: String,
    actor: String,
    action: String,
    target: String,
    reason: String,
    request_id: String,
    outcome: String,
}

impl From<AuditRow> for Item {
    fn from(AuditRow { number, entry }: AuditRow) -> Item {
        let AuditEntry { at, actor, action, target, reason, request_id, outcome } = entry;
        Item { number, at: at.to_string(), actor, action, target, reason, request_id, outcome }
    }
}
