//! BillingProperty: where a subscription is billed.

use crate::Billing;
use crate::at::{self, At, account_id};
use crate::resource::{Resource, filled, profile_status, status_reason};
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::ids::SubscriptionId;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::BilledTo;

pub(crate) fn group() -> Group<Billing> {
    Group::new().get("BillingProperty_Get", at::SUBSCRIPTION, "/billingProperty/default", get)
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Resource<BillingPropertyProperties>>, ArmError> {
    let given = at.name("subscriptionId");
    let missing = |_| Error::not_found("subscription", given);
    let subscription = SubscriptionId::new(given).map_err(missing)?;
    let told = billing.reckoner.billed_to(&caller, &subscription).await?;
    // What its account's agreement has no such thing for is refused.
    billing.account(&caller, told.account.id.as_str(), at.operation).await?;
    Ok(Json(view(&told)))
}

/// `BillingPropertyProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct BillingPropertyProperties {
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
    sku_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_description: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_name: Option<String>,
}

pub(crate) fn view(told: &BilledTo) -> Resource<BillingPropertyProperties> {
    let (profile, section) = (told.profile.as_ref(), told.section.as_ref());
    let properties = BillingPropertyProperties {
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
        sku_id: told.offer.id.to_string(),
        sku_description: told.offer.name.clone(),
        product_id: None,
        product_name: None,
    };
    let of = &told.subscription;
    let id = format!("/subscriptions/{of}/providers/Microsoft.Billing/billingProperty/default");
    Resource::new(id, "default", "billingProperty", properties)
}
