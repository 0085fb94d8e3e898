//! Usage: amending and withdrawing single records.

use crate::wire::Place;
use axum::Json;
use axum::extract::State;
use domain::ids::{BillingAccountId, RecordId, SourceName};
use domain::usage::{RecordKey, Verdict};
use domain::{Error, Result};
use httpkit::{Asking, JsonBody, Refusal, RequestId};
use money::Fixed18;
use serde::{Deserialize, Serialize};
use service::{Amended, AmendmentAsked, Change, Reckoner, Taken};

/// Gives a record another quantity, by another record that names it.
pub(crate) async fn amend(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(asked): JsonBody<Amend>,
) -> std::result::Result<Json<Outcome>, Refusal> {
    let asked = AmendmentAsked::try_from(asked)?;
    Ok(Json(reckoner.amend(&caller, asked, &request_id.to_string()).await?.into()))
}

/// Takes a record out, by another record that names it.
pub(crate) async fn withdraw(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    JsonBody(asked): JsonBody<Withdraw>,
) -> std::result::Result<Json<Outcome>, Refusal> {
    let asked = AmendmentAsked::try_from(asked)?;
    Ok(Json(reckoner.amend(&caller, asked, &request_id.to_string()).await?.into()))
}

/// Which record, what shall be its quantity, why; `as` is the id of the amendment.
#[derive(Deserialize)]
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Withdraw {
    billing_account: String,
    source: String,
    id: String,
    reason: String,
    r#as: Option<String>,
}

impl TryFrom<Amend> for AmendmentAsked {
    type Error = Error;

    fn try_from(asked: Amend) -> Result<AmendmentAsked> {
        let Amend { billing_account, source, id, quantity, reason, r#as } = asked;
        let quantity =
            Fixed18::parse(&quantity).map_err(|e| Error::invalid("quantity", e.to_string()))?;
        Ok(AmendmentAsked {
            target: key(&billing_account, &source, &id)?,
            id: own_id(r#as)?,
            change: Change::Quantity(quantity),
            reason,
        })
    }
}

impl TryFrom<Withdraw> for AmendmentAsked {
    type Error = Error;

    fn try_from(asked: Withdraw) -> Result<AmendmentAsked> {
        let Withdraw { billing_account, source, id, reason, r#as } = asked;
        Ok(AmendmentAsked {
            target: key(&billing_account, &source, &id)?,
            id: own_id(r#as)?,
            change: Change::Withdraw,
            reason,
        })
    }
}

/// The id that the amendment itself shall have.
fn own_id(given: Option<String>) -> Result<Option<RecordId>> {
    let read = |text: &String| {
        RecordId::new(text).map_err(|error| match error {
            Error::Invalid { problem, field: _ } => Error::invalid("as", problem),
            other => other,
        })
    };
    given.as_ref().map(read).transpose()
}

fn key(billing_account: &str, source: &str, id: &str) -> Result<RecordKey> {
    Ok(RecordKey {
        billing_account: BillingAccountId::new(billing_account)?,
        source: SourceName::new(source)?,
        id: RecordId::new(id)?,
    })
}

/// The record that amends or withdraws, and what became of it.
#[derive(Serialize)]
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
