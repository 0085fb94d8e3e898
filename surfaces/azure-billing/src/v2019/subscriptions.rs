//! BillingSubscriptions: the subscriptions that a billing account pays for.

use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::resource::{Amount, Resource};
use crate::same::enrollments::Reseller;
use crate::same::holdings::{self, Stands, subscription_status};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::SubscriptionTold;

/// Where they are listed, and one of them.
const ALL: &str = "/billingSubscriptions";
const ONE: &str = "/billingSubscriptions/{billingSubscriptionName}";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("BillingSubscriptions_ListByBillingAccount", at::ACCOUNT, ALL, list)
        .get("BillingSubscriptions_ListByBillingProfile", at::PROFILE, ALL, whole)
        .get("BillingSubscriptions_ListByInvoiceSection", at::SECTION, ALL, whole)
        .get("BillingSubscriptions_ListByCustomer", at::CUSTOMER, ALL, list)
        .get("BillingSubscriptions_Get", at::SECTION, ONE, get)
        .get("BillingSubscriptions_GetByCustomer", at::CUSTOMER, ONE, get)
}

pub(crate) type Subscription = Resource<BillingSubscriptionProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<Subscription>>, ArmError> {
    let (page, _) = holdings::subscription_page(&listing, &caller, &at).await?;
    Ok(Json(page.map(|told| view(&told))))
}

/// The same, where the description knows no pages.
async fn whole(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<Subscription>>, ArmError> {
    let (account, all) = holdings::subscriptions(&billing, &caller, &at).await?;
    let all = billing.reckoner.charged(&caller, &account, all).await?;
    Ok(Json(List { value: all.iter().map(view).collect(), next_link: None }))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Subscription>, ArmError> {
    let asked = (&at, "billingSubscriptionName");
    Ok(Json(view(&holdings::subscription(&billing, &caller, asked).await?)))
}

/// `BillingSubscriptionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct BillingSubscriptionProperties {
    display_name: String,
    subscription_id: String,
    subscription_billing_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_month_charges: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month_to_date_charges: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller: Option<Reseller>,
    sku_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_description: Option<String>,
}

pub(crate) fn view(told: &SubscriptionTold) -> Subscription {
    let Stands {
        billing_profile_id,
        billing_profile_display_name,
        customer_id,
        customer_display_name,
        invoice_section_id,
        invoice_section_display_name,
        reseller,
    } = Stands::from(&told.held);
    let charges = told.charges.as_ref();
    let properties = BillingSubscriptionProperties {
        display_name: told.name.clone(),
        subscription_id: told.id.to_string(),
        subscription_billing_status: subscription_status(told.held.state),
        last_month_charges: charges.and_then(|one| one.last_month).map(Amount::from),
        month_to_date_charges: charges.and_then(|one| one.month_to_date).map(Amount::from),
        billing_profile_id,
        billing_profile_display_name,
        customer_id,
        customer_display_name,
        invoice_section_id,
        invoice_section_display_name,
        reseller,
        sku_id: told.held.offer.id.to_string(),
        sku_description: told.held.offer.name.clone(),
    };
    let (id, kind) = holdings::below_place(&told.held, "billingSubscriptions", told.id.as_str());
    Resource::new(id, told.id.as_str(), &kind, properties)
}
