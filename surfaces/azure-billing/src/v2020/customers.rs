//! Customers of a partner that have an Azure plan.

use super::CountedList;
use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::resource::{AzurePlan, Resource};
use crate::same::enrollments::{Reseller, plans, resellers};
use armkit::{ArmError, Query, expand};
use axum::Json;
use axum::extract::State;
use domain::Error;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::CustomerTold;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("Customers_ListByBillingProfile", at::PROFILE, "/customers", list_of_profile)
        .get("Customers_ListByBillingAccount", at::ACCOUNT, "/customers", list)
        .get("Customers_Get", at::CUSTOMER, "", get)
}

const EXPAND: [&str; 2] = ["enabledAzurePlans", "resellers"];
/// What `$filter` may name.
const FILTER: &str = "displayName";

type Customer = Resource<CustomerProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<CountedList<Customer>>, ArmError> {
    let account = listing.billing.account(&caller, at.account(), at.operation).await?;
    let all = listing.billing.reckoner.customers(&caller, &account.id, None).await?;
    asked(&listing, &query, all)
}

async fn list_of_profile(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<CountedList<Customer>>, ArmError> {
    let (account, profile) = listing.billing.place(&caller, &at).await?;
    let id = Some(&profile.place.key.id);
    let all = listing.billing.reckoner.customers(&caller, &account.id, id).await?;
    asked(&listing, &query, all)
}

/// Those that `$filter` and `$search` ask for.
fn asked(
    listing: &Listing,
    query: &Query,
    mut all: Vec<CustomerTold>,
) -> Result<Json<CountedList<Customer>>, ArmError> {
    let names = listing.billing.names(query, FILTER)?;
    let part = query.get("$search")?.unwrap_or_default().to_lowercase();
    all.retain(|told| {
        let name = &told.place.name;
        names.hold(name) && name.to_lowercase().contains(&part)
    });
    let total_count = all.len();
    let page = listing.page(all, |told| told.place.place.key.id.to_string())?;
    Ok(Json(CountedList { page: page.map(|told| view(&told, &[])), total_count }))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<Customer>, ArmError> {
    let asked: Vec<&str> = expand(&query, &EXPAND)?.into_iter().collect();
    let (account, place) = billing.place(&caller, &at).await?;
    let all = billing.reckoner.customers(&caller, &account.id, None).await?;
    let found = all.iter().find(|told| told.place.place == place.place);
    let missing = || Error::not_found("customer", at.name("customerName"));
    Ok(Json(view(found.ok_or_else(missing)?, &asked)))
}

/// `CustomerProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomerProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled_azure_plans: Option<Vec<AzurePlan>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resellers: Option<Vec<Reseller>>,
}

pub(crate) fn view(told: &CustomerTold, asked: &[&str]) -> Customer {
    let profile = told.profile.as_ref();
    let properties = CustomerProperties {
        billing_profile_id: profile.map(at::id),
        billing_profile_display_name: profile.map(|profile| profile.name.clone()),
        display_name: told.place.name.clone(),
        enabled_azure_plans: asked.contains(&"enabledAzurePlans").then(|| plans(told)),
        resellers: asked.contains(&"resellers").then(|| resellers(told)),
    };
    let key = &told.place.place.key;
    Resource::new(at::id(&told.place), key.id.as_str(), at::kind(Some(key.level)), properties)
}
