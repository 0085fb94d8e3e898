//! BillingSubscriptions: the subscriptions that a billing account pays for.

use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::resource::Resource;
use crate::same::holdings;
use crate::same::subscriptions::BillingSubscriptionProperties;
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use httpkit::{Asking, Group};
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

pub(crate) fn view(told: &SubscriptionTold) -> Subscription {
    let (id, kind) = holdings::below_place(&told.held, "billingSubscriptions", told.id.as_str());
    Resource::new(id, told.id.as_str(), &kind, BillingSubscriptionProperties::from(told))
}
