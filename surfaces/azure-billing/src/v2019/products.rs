//! Products: what a billing account has bought and holds.

use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::resource::Resource;
use crate::same::holdings;
use crate::same::products::ProductProperties;
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::State;
use httpkit::{Asking, Group};
use service::ProductTold;

/// Where they are listed, and one of them.
const ALL: &str = "/products";
const ONE: &str = "/products/{productName}";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("Products_ListByBillingAccount", at::ACCOUNT, ALL, list)
        .get("Products_ListByInvoiceSection", at::SECTION, ALL, whole)
        .get("Products_ListByCustomer", at::CUSTOMER, ALL, whole)
        .get("Products_Get", at::SECTION, ONE, get)
        .get("Products_GetByCustomer", at::CUSTOMER, ONE, get)
}

pub(crate) type Product = Resource<ProductProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Product>>, ArmError> {
    let page = holdings::product_page(&listing, &caller, (&at, &query)).await?;
    Ok(Json(page.map(|told| view(&told))))
}

/// The same, where the description knows no pages.
async fn whole(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Product>>, ArmError> {
    let all = holdings::products(&billing, &caller, (&at, &query)).await?;
    Ok(Json(List { value: all.iter().map(view).collect(), next_link: None }))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Product>, ArmError> {
    Ok(Json(view(&holdings::product(&billing, &caller, &at).await?)))
}

pub(crate) fn view(told: &ProductTold) -> Product {
    let (id, kind) = holdings::below_place(&told.held, "products", told.id.as_str());
    Resource::new(id, told.id.as_str(), &kind, ProductProperties::from(told))
}
