//! Available balances: what lots can still pay.

use axum::Json;
use axum::extract::State;
use domain::ids::BillingAccountId;
use httpkit::{Asking, Faults, Parameters, Refusal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{AvailableBalance, LotBalance, Reckoner};

/// What an account can still draw down.
pub(crate) async fn one(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(Asked { billing_account }): Parameters<Asked>,
) -> std::result::Result<Json<Answer>, Refusal> {
    let mut faults = Faults::default();
    let account = faults.read("billing_account", BillingAccountId::new(&billing_account));
    let account = faults.end(account)?;
    Ok(Json(Answer::from(reckoner.available_balance(&caller, &account).await?)))
}

/// Whose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: String,
}

/// What it can still draw down, in major units.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    billing_account: String,
    at: String,
    currency: String,
    available: String,
    owed: String,
    open_periods: Vec<String>,
    lots: Vec<Lot>,
}

/// A lot.
#[derive(Serialize, JsonSchema)]
struct Lot {
    id: String,
    kind: &'static str,
    from: String,
    until: String,
    granted: String,
    booked: String,
    drawn: String,
    available: String,
}

impl From<AvailableBalance> for Answer {
    fn from(balance: AvailableBalance) -> Answer {
        let AvailableBalance { billing_account, at, currency, lots, .. } = balance;
        let AvailableBalance { available, open_periods, owed, .. } = balance;
        Answer {
            billing_account: billing_account.to_string(),
            at: at.to_string(),
            currency: currency.to_string(),
            available: available.digits(),
            owed: owed.digits(),
            open_periods: open_periods.iter().map(ToString::to_string).collect(),
            lots: lots.into_iter().map(Lot::from).collect(),
        }
    }
}

impl From<LotBalance> for Lot {
    fn from(balance: LotBalance) -> Lot {
        let LotBalance { id, kind, holds, granted, booked, drawn, available } = balance;
        Lot {
            id: id.to_string(),
            kind: kind.name(),
            from: holds.start().to_string(),
            until: holds.end().to_string(),
            granted: granted.digits(),
            booked: booked.digits(),
            drawn: drawn.digits(),
            available: available.digits(),
        }
    }
}
