//! Customers of a partner that have an Azure plan.

use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::resource::{AzurePlan, Resource};
use crate::same::enrollments::{Reseller, plans, resellers};
use armkit::{ArmError, List, Query, expand};
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
) -> Result<Json<List<Customer>>, ArmError> {
    let account = listing.billing.account(&caller, at.account(), at.operation).await?;
    let all = listing.billing.reckoner.customers(&caller, &account.id, None).await?;
    asked(&listing, &query, all)
}

async fn list_of_profile(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Customer>>, ArmError> {
    let (account, profile) = listing.billing.place(&caller, &at).await?;
    let id = Some(&profile.place.key.id);
    let all = listing.billing.reckoner.customers(&caller, &account.id, id).await?;
    asked(&listing, &query, all)
}

/// Those that `$filter` asks for.
fn asked(
    listing: &Listing,
    query: &Query,
    mut all: Vec<CustomerTold>,
) -> Result<Json<List<Customer>>, ArmError> {
    let names = listing.billing.names(query, FILTER)?;
    all.retain(|told| names.hold(&told.place.name));
    let page = listing.page(all, |told| told.place.place.key.id.to_string())?;
    Ok(Json(page.map(|told| view(&told, &[]))))
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
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled_azure_plans: Option<Vec<AzurePlan>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resellers: Option<Vec<Reseller>>,
}

pub(crate) fn view(told: &CustomerTold, asked: &[&str]) -> Customer {
    let properties = CustomerProperties {
        display_name: told.place.name.clone(),
        enabled_azure_plans: asked.contains(&"enabledAzurePlans").then(|| plans(told)),
        resellers: asked.contains(&"resellers").then(|| resellers(told)),
    };
    let id = at::id(&told.place);
    Resource::new(id, told.place.place.key.id.as_str(), "customers", properties)
}
