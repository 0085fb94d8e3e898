//! Policies: what may be bought and seen in a billing profile, and by a customer's users.

use crate::Billing;
use crate::at::{At, id};
use crate::given::{Body, Whole, given};
use crate::resource::{Resource, allowed};
use crate::writing::Writing;
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::agreements::Permission;
use domain::places::{Detail, MarketplacePurchases};
use httpkit::Asking;
use serde::{Deserialize, Serialize};
use service::PoliciesAsked;

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

/// Sets those of a billing profile; what is left out stays.
pub(crate) async fn put(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<PoliciesGiven>>,
) -> Result<Json<Resource<PolicyProperties>>, ArmError> {
    let PoliciesGiven { marketplace_purchases, reservation_purchases, view_charges } =
        given.properties;
    let asked = PoliciesAsked {
        marketplace_purchases: marketplace_purchases.map(Marketplace::into),
        reservation_purchases: reservation_purchases.map(Allowed::into),
        view_charges: view_charges.map(Allowed::into),
    };
    set(&billing, &writing, asked).await
}

/// Sets that of a customer.
pub(crate) async fn put_of_customer(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<CustomerPolicyGiven>>,
) -> Result<Json<Resource<PolicyProperties>>, ArmError> {
    let view_charges = given.properties.view_charges.map(Allowed::into);
    set(&billing, &writing, PoliciesAsked { view_charges, ..PoliciesAsked::default() }).await
}

async fn set(
    billing: &Billing,
    writing: &Writing,
    asked: PoliciesAsked,
) -> Result<Json<Resource<PolicyProperties>>, ArmError> {
    let Writing { caller, at, request_id, .. } = writing;
    let (_, place) = billing.place(caller, at).await?;
    let reckoner = writing.reckoner(billing);
    let set = reckoner.set_policies(caller, &place.place, asked, request_id);
    let detail = set.await?;
    Ok(Json(policy(&id(&place), &detail)?))
}

given! {
    /// `PolicyProperties`, as they are sent.
    PoliciesGiven {
        marketplace_purchases: Marketplace,
        reservation_purchases: Allowed,
        view_charges: Allowed,
    } not taken {}
}

given! {
    /// `CustomerPolicyProperties`, as they are sent.
    CustomerPolicyGiven {
        view_charges: Allowed,
    } not taken {}
}

/// `marketplacePurchases`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[expect(clippy::enum_variant_names, reason = "the names are the contract's")]
pub(crate) enum Marketplace {
    AllAllowed,
    OnlyFreeAllowed,
    NotAllowed,
}

/// `reservationPurchases`, `viewCharges`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Allowed {
    Allowed,
    NotAllowed,
}

impl TryFrom<String> for Marketplace {
    type Error = String;

    fn try_from(text: String) -> Result<Marketplace, String> {
        match text.as_str() {
            "AllAllowed" => Ok(Marketplace::AllAllowed),
            "OnlyFreeAllowed" => Ok(Marketplace::OnlyFreeAllowed),
            "NotAllowed" => Ok(Marketplace::NotAllowed),
            _ => Err("must be AllAllowed, OnlyFreeAllowed or NotAllowed".to_owned()),
        }
    }
}

impl TryFrom<String> for Allowed {
    type Error = String;

    fn try_from(text: String) -> Result<Allowed, String> {
        match text.as_str() {
            "Allowed" => Ok(Allowed::Allowed),
            "NotAllowed" => Ok(Allowed::NotAllowed),
            _ => Err("must be Allowed or NotAllowed".to_owned()),
        }
    }
}

impl From<Marketplace> for MarketplacePurchases {
    fn from(purchases: Marketplace) -> MarketplacePurchases {
        match purchases {
            Marketplace::AllAllowed => MarketplacePurchases::All,
            Marketplace::OnlyFreeAllowed => MarketplacePurchases::OnlyFree,
            Marketplace::NotAllowed => MarketplacePurchases::None,
        }
    }
}

impl From<Allowed> for Permission {
    fn from(policy: Allowed) -> Permission {
        match policy {
            Allowed::Allowed => Permission::Allowed,
            Allowed::NotAllowed => Permission::NotAllowed,
        }
    }
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
