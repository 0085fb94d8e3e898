//! Policies: what may be bought and seen in a billing profile, and by a customer's users.

use crate::Billing;
use crate::at::{At, id};
use crate::resource::{Resource, allowed};
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::places::{Detail, MarketplacePurchases};
use httpkit::Asking;
use serde::Serialize;

/// Of a billing profile or a customer, by the path.
pub(crate) async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Resource<PolicyProperties>>, ArmError> {
    let (_, place) = billing.place(&caller, &at).await?;
    let detail = billing.reckoner.policies(&caller, &place.place).await?;
    Ok(Json(policy(&id(&place), &detail)?))
}

/// `PolicyProperties`, and `CustomerPolicyProperties`: the last member alone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    marketplace_purchases: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_purchases: Option<&'static str>,
    view_charges: &'static str,
}

pub(crate) fn policy(place: &str, detail: &Detail) -> Result<Resource<PolicyProperties>, Error> {
    let (kind, properties) = match detail {
        Detail::BillingProfile(profile) => (
            "billingAccounts/billingProfiles/policies",
            PolicyProperties {
                marketplace_purchases: Some(marketplace(profile.marketplace_purchases)),
                reservation_purchases: Some(allowed(profile.reservation_purchases)),
                view_charges: allowed(profile.view_charges),
            },
        ),
        Detail::Customer(customer) => (
            "billingAccounts/customers/policies",
            PolicyProperties {
                marketplace_purchases: None,
                reservation_purchases: None,
                view_charges: allowed(customer.view_charges),
            },
        ),
        Detail::InvoiceSection
        | Detail::Department { .. }
        | Detail::EnrollmentAccount
        | Detail::MessagingAccount { .. } => return Err(Error::not_found("policy", "default")),
    };
    Ok(Resource::new(format!("{place}/policies/default"), "default", kind, properties))
}

const fn marketplace(purchases: MarketplacePurchases) -> &'static str {
    match purchases {
        MarketplacePurchases::All => "AllAllowed",
        MarketplacePurchases::OnlyFree => "OnlyFreeAllowed",
        MarketplacePurchases::None => "NotAllowed",
    }
}
