//! BillingSubscriptions: the subscriptions that a billing account pays for.

use super::CountedList;
use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::resource::{Resource, filled};
use crate::same::holdings;
use crate::same::subscriptions::BillingSubscriptionProperties;
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use httpkit::{Asking, Excerpt, Group};
use service::SubscriptionTold;

/// Where they are listed, and one of them.
const ALL: &str = "/billingSubscriptions";
const ONE: &str = "/billingSubscriptions/{subscriptionId}";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("BillingSubscriptions_ListByBillingAccount", at::ACCOUNT, ALL, list)
        .get("BillingSubscriptions_ListByBillingProfile", at::PROFILE, ALL, list)
        .get("BillingSubscriptions_ListByInvoiceSection", at::SECTION, ALL, list)
        .get("BillingSubscriptions_ListByCustomer", at::CUSTOMER, ALL, list)
        .get("BillingSubscriptions_Get", at::ACCOUNT, ONE, get)
}

pub(crate) type Subscription = Resource<BillingSubscriptionProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<CountedList<Subscription>>, ArmError> {
    let (page, total_count) = holdings::subscription_page(&listing, &caller, &at).await?;
    Ok(Json(CountedList { page: page.map(|told| view(&told)), total_count }))
}

/// What it cost is no part of what changes of it are held to: usage arrives all the time.
async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Excerpt<Subscription>, ArmError> {
    let told = holdings::subscription(&billing, &caller, (&at, "subscriptionId")).await?;
    let shown = view(&told);
    Ok(Excerpt { shown, whole: view(&SubscriptionTold { charges: None, ..told }) })
}

pub(crate) fn view(told: &SubscriptionTold) -> Subscription {
    let mut properties = BillingSubscriptionProperties::from(told);
    properties.cost_center = filled(&told.held.cost_center);
    let (id, kind) = holdings::below_account(&told.held, "billingSubscriptions", told.id.as_str());
    Resource::new(id, told.id.as_str(), &kind, properties)
}
