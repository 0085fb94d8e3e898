//! Usage: amending and withdrawing single records.

use crate::wire::{self, Place};
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::ids::RecordId;
use domain::usage::Verdict;
use httpkit::{Asking, Faults, JsonBody, Refusal, RequestId};
use money::Fixed18;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{Amended, AmendmentAsked, Change, Reckoner, Taken};

/// Gives a record another quantity, by another record that names it.
pub(crate) async fn amend(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(asked): JsonBody<Amend>,
) -> Result<Json<Outcome>, Refusal> {
    let asked = AmendmentAsked::try_from(asked)?;
    Ok(Json(reckoner.amend(&caller, asked, &request_id.to_string()).await?.into()))
}

/// Takes a record out, by another record that names it.
pub(crate) async fn withdraw(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(asked): JsonBody<Withdraw>,
) -> Result<Json<Outcome>, Refusal> {
    let asked = AmendmentAsked::try_from(asked)?;
    Ok(Json(reckoner.amend(&caller, asked, &request_id.to_string()).await?.into()))
}

/// Which record, what shall be its quantity, why; `as` is the id of the amendment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Amend {
    billing_account: String,
    source: String,
    id: String,
    quantity: String,
    reason: String,
    r#as: Option<String>,
}

/// Which record, and why; `as` is the id of the withdrawal.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Withdraw {
    billing_account: String,
    source: String,
    id: String,
    reason: String,
    r#as: Option<String>,
}

impl TryFrom<Amend> for AmendmentAsked {
    type Error = Refusal;

    fn try_from(asked: Amend) -> Result<AmendmentAsked, Refusal> {
        let Amend { billing_account, source, id, quantity, reason, r#as } = asked;
        let mut faults = Faults::default();
        let target = wire::key(&mut faults, (&billing_account, &source, &id));
        let quantity = Fixed18::parse(&quantity).map_err(|e| Error::invalid("", e.to_string()));
        let change = faults.read("quantity", quantity).map(Change::Quantity);
        let id = faults.read_if("as", r#as, |id| RecordId::new(&id));
        let asked = || Some(AmendmentAsked { target: target?, id: id?, change: change?, reason });
        faults.end(asked())
    }
}

impl TryFrom<Withdraw> for AmendmentAsked {
    type Error = Refusal;

    fn try_from(asked: Withdraw) -> Result<AmendmentAsked, Refusal> {
        let Withdraw { billing_account, source, id, reason, r#as } = asked;
        let mut faults = Faults::default();
        let target = wire::key(&mut faults, (&billing_account, &source, &id));
        let id = faults.read_if("as", r#as, |id| RecordId::new(&id));
        let change = Change::Withdraw;
        let asked = || Some(AmendmentAsked { target: target?, id: id?, change, reason });
        faults.end(asked())
    }
}

/// The record that amends or withdraws, and what became of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Outcome {
    id: String,
    verdict: &'static str,
    position: Option<Place>,
}

impl From<Amended> for Outcome {
    fn from(Amended { id, taken: Taken { verdict, position, unread: _ } }: Amended) -> Outcome {
        let verdict = match verdict {
            Verdict::Accepted => "accepted",
            Verdict::Duplicate => "duplicate",
            Verdict::Conflict => "conflict",
            Verdict::Quarantined { .. } => "quarantined",
            Verdict::Rejected { .. } => "rejected",
        };
        Outcome { id: id.to_string(), verdict, position: position.map(Place::from) }
    }
}
