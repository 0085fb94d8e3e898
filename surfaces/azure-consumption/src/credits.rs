//! Credits: what is left of the credit of a billing profile.
//!
//! Credit is its account's and pays for all of its places, so each of them is told all of it, as
//! by the available balance of Microsoft.Billing.

use crate::amounts::{Amount, AmountWithExchangeRate, Reseller};
use crate::at::Version;
use crate::resource::Resource;
use crate::scopes::{PROFILE, Question, SCOPE};
use crate::{Consumption, PROVIDER};
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Error;
use domain::credit_summaries::CreditSummary;
use httpkit::Group;
use serde::Serialize;
use service::CreditTold;

/// The last segments of the address, which are the name too.
const BALANCE_SUMMARY: &str = "balanceSummary";

pub(crate) fn group(version: Version) -> Group<Consumption> {
    let scope = match version {
        Version::V2019 => SCOPE,
        Version::V2021 => PROFILE,
    };
    let tail = format!("{PROVIDER}/credits/{BALANCE_SUMMARY}");
    Group::new().get("Credits_Get", scope, &tail, get)
}

async fn get(
    State(consumption): State<Consumption>,
    question: Question,
) -> Result<Response, ArmError> {
    let Question { caller, at, spot } = question;
    let told = consumption.reckoner.credit(&caller, &spot.scope).await?;
    // Only the second version has an answer for who never had any.
    if told.lots.is_empty() && at.version == Version::V2021 {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(view(&spot.id, &told)?).into_response())
}

/// `CreditSummaryProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct CreditSummaryProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_currency: Option<String>,
    balance_summary: CreditBalanceSummary,
    pending_credit_adjustments: Amount,
    expired_credit: Amount,
    pending_eligible_charges: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller: Option<Reseller>,
}

/// `CreditBalanceSummary`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct CreditBalanceSummary {
    estimated_balance: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_balance_in_billing_currency: Option<AmountWithExchangeRate>,
    current_balance: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_balance_in_billing_currency: Option<AmountWithExchangeRate>,
}

/// Estimated = current + adjustments − expired − charges.
pub(crate) fn view(
    scope: &str,
    told: &CreditTold,
) -> Result<Resource<CreditSummaryProperties>, Error> {
    let CreditSummary { current, adjustments, expired, charges, estimated } = told.summary;
    let currency = told.currency.to_string();
    let properties = CreditSummaryProperties {
        credit_currency: Some(currency.clone()),
        billing_currency: Some(currency),
        balance_summary: CreditBalanceSummary {
            estimated_balance: Amount::of(estimated)?,
            estimated_balance_in_billing_currency: None,
            current_balance: Amount::of(current)?,
            current_balance_in_billing_currency: None,
        },
        pending_credit_adjustments: Amount::of(adjustments)?,
        expired_credit: Amount::of(expired)?,
        pending_eligible_charges: Amount::of(charges)?,
        reseller: None,
    };
    let resource = Resource::new(scope, "credits", BALANCE_SUMMARY, properties);
    let kind = format!("{}/{BALANCE_SUMMARY}", resource.kind);
    Ok(Resource { kind, ..resource })
}
