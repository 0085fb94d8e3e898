//! PaymentMethods that are taken, without their default.

use crate::Billing;
use crate::at::{self, At, account_id};
use crate::listing::Listing;
use crate::resource::Resource;
use armkit::{ArmError, List};
use axum::Json;
use calendar::BillingPeriod;
use domain::ids::BillingAccountId;
use domain::payment_methods::PaymentMeans;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::PaymentMethodTold;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("PaymentMethods_ListByBillingProfile", at::PROFILE, "/paymentMethods", list_of_profile)
        .get("PaymentMethods_ListByBillingAccount", at::ACCOUNT, "/paymentMethods", list)
}

type PaymentMethod = Resource<PaymentMethodProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<PaymentMethod>>, ArmError> {
    let account = listing.billing.account(&caller, at.account(), at.operation).await?;
    let all = listing.billing.reckoner.payment_methods(&caller, &account.id, None).await?;
    Ok(Json(listing.numbered(all)?.map(|told| view(&account.id, &told))))
}

async fn list_of_profile(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<PaymentMethod>>, ArmError> {
    let (account, profile) = listing.billing.place(&caller, &at).await?;
    let id = Some(&profile.place.key.id);
    let all = listing.billing.reckoner.payment_methods(&caller, &account.id, id).await?;
    Ok(Json(listing.numbered(all)?.map(|told| view(&account.id, &told))))
}

/// `PaymentMethodProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentMethodProperties {
    /// The contract has no word for a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method_type: Option<&'static str>,
    details: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
    currency: String,
}

pub(crate) fn view(account: &BillingAccountId, told: &PaymentMethodTold) -> PaymentMethod {
    let (kind, details, expiration) = match &told.method.means {
        PaymentMeans::Card(card) => {
            (None, format!("Card ending in {}", card.last_four()), Some(month(card.expires)))
        }
        PaymentMeans::Invoice => (Some("ChequeWire"), "Wire transfer".to_owned(), None),
        PaymentMeans::Check => (Some("ChequeWire"), "Check".to_owned(), None),
    };
    let properties = PaymentMethodProperties {
        payment_method_type: kind,
        details,
        expiration,
        currency: told.currency.to_string(),
    };
    let (above, kind) = match &told.method.profile {
        Some(profile) => (
            format!("{}/billingProfiles/{profile}", account_id(account)),
            "billingAccounts/billingProfiles/paymentMethods",
        ),
        None => (account_id(account), "billingAccounts/paymentMethods"),
    };
    Resource::new(format!("{above}/paymentMethods/{}", told.id), told.id.as_str(), kind, properties)
}

/// `4/2028`.
fn month(period: BillingPeriod) -> String {
    let text = period.to_string();
    let (year, month) = text.split_once('-').unwrap_or((&text, ""));
    format!("{}/{year}", month.trim_start_matches('0'))
}
