//! AvailableBalances: the credit that a billing profile can still draw.

use crate::Billing;
use crate::at::{At, id};
use crate::resource::{Amount, Resource, amount};
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use domain::Error;
use httpkit::Asking;
use money::Money;
use serde::Serialize;

type AvailableBalance = Resource<AvailableBalanceProperties>;

pub(crate) async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<AvailableBalance>, ArmError> {
    let (_, profile) = billing.place(&caller, &at).await?;
    let left = billing.reckoner.available_credit(&caller, &profile.place).await?;
    Ok(Json(view(&id(&profile), left)?))
}

/// `AvailableBalanceProperties`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct AvailableBalanceProperties {
    amount: Amount,
}

pub(crate) fn view(profile: &str, left: Money) -> Result<AvailableBalance, Error> {
    let properties = AvailableBalanceProperties { amount: amount(left)? };
    let kind = "billingAccounts/billingProfiles/availableBalance";
    Ok(Resource::new(format!("{profile}/availableBalance/default"), "default", kind, properties))
}
