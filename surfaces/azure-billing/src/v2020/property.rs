//! BillingProperty: where a subscription is billed.

use crate::Billing;
use crate::at::{self, At, account_id};
use crate::given::{Body, Whole, given, told};
use crate::resource::{Resource, filled, profile_status, status_reason};
use crate::writing::Writing;
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::access::Caller;
use domain::ids::SubscriptionId;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::BilledTo;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Where a subscription stands.
        .get("BillingProperty_Get", at::SUBSCRIPTION, "/billingProperty/default", get)
        .patch("BillingProperty_Update", at::SUBSCRIPTION, "/billingProperty/default", update)
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Resource<BillingPropertyProperties>>, ArmError> {
    Ok(Json(view(&billed_to(&billing, &caller, &at).await?)))
}

/// Says whom the house books the subscription to; of all else nothing can be said here.
async fn update(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<PropertyGiven>>,
) -> Result<Json<Resource<BillingPropertyProperties>>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let billed = billed_to(&billing, caller, at).await?;
    if let Some(cost_center) = given.properties.cost_center {
        let of = &billed.subscription;
        let reckoner = writing.reckoner(&billing);
        let set = reckoner.set_cost_center(caller, of, &cost_center, request_id);
        set.await.map_err(|error| told(at.operation, error))?;
    }
    Ok(Json(view(&billed_to(&billing, caller, at).await?)))
}

async fn billed_to(billing: &Billing, caller: &Caller, at: &At) -> Result<BilledTo, ArmError> {
    let given = at.name("subscriptionId");
    let missing = |_| Error::not_found("subscription", given);
    let subscription = SubscriptionId::new(given).map_err(missing)?;
    let told = billing.reckoner.billed_to(caller, &subscription).await?;
    // What its account's agreement has no such thing for is refused.
    billing.account(caller, told.account.id.as_str(), at.operation).await?;
    Ok(told)
}

given! {
    /// `BillingPropertyProperties`, as they are sent.
    PropertyGiven {
        cost_center: String,
    } not taken {
        account_admin_notification_email_address, billing_tenant_id, billing_account_id,
        billing_account_display_name, billing_profile_id, billing_profile_display_name,
        billing_profile_status, billing_profile_status_reason_code,
        billing_profile_spending_limit, invoice_section_id, invoice_section_display_name,
        is_account_admin, product_id, product_name, sku_id, sku_description,
    }
}

/// `BillingPropertyProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BillingPropertyProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_admin_notification_email_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_tenant_id: Option<String>,
    billing_account_id: String,
    billing_account_display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_status_reason_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_spending_limit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_center: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_display_name: Option<String>,
    is_account_admin: bool,
    sku_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_description: Option<String>,
}

pub(crate) fn view(told: &BilledTo) -> Resource<BillingPropertyProperties> {
    let (profile, section) = (told.profile.as_ref(), told.section.as_ref());
    let administrator = told.administrator.as_ref();
    let properties = BillingPropertyProperties {
        account_admin_notification_email_address: administrator.and_then(|one| one.email.clone()),
        billing_tenant_id: told.tenant.as_ref().map(ToString::to_string),
        billing_account_id: account_id(&told.account.id),
        billing_account_display_name: told.account.name.clone(),
        billing_profile_id: profile.map(at::id),
        billing_profile_display_name: profile.map(|profile| profile.name.clone()),
        billing_profile_status: profile.map(|profile| profile_status(profile.state)),
        billing_profile_status_reason_code: profile.and_then(|one| status_reason(one.state)),
        billing_profile_spending_limit: profile.map(|_| "Off"),
        cost_center: filled(&told.cost_center),
        invoice_section_id: section.map(at::id),
        invoice_section_display_name: section.map(|section| section.name.clone()),
        is_account_admin: told.is_owner,
        sku_id: told.offer.id.to_string(),
        sku_description: told.offer.name.clone(),
    };
    let of = &told.subscription;
    let id = format!("/subscriptions/{of}/providers/Microsoft.Billing/billingProperty/default");
    Resource::new(id, "default", "billingProperty", properties)
}
