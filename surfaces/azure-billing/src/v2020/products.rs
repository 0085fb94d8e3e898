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
use domain::holdings::AutoRenew;
use httpkit::{Asking, Excerpt, Group};
use service::ProductTold;

/// Where they are listed, and one of them.
const ALL: &str = "/products";
const ONE: &str = "/products/{productName}";
/// The first version has an operation of this id elsewhere, which is not for partners.
const GOT: &str = "Products_Get@2020-05-01";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("Products_ListByBillingAccount", at::ACCOUNT, ALL, list)
        .get("Products_ListByBillingProfile", at::PROFILE, ALL, list)
        .get("Products_ListByInvoiceSection", at::SECTION, ALL, list)
        .get("Products_ListByCustomer", at::CUSTOMER, ALL, list)
        .get("Products_Get", at::ACCOUNT, ONE, get)
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

/// What was charged is no part of what changes of it are held to.
async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Excerpt<Product>, ArmError> {
    let told = holdings::product(&billing, &caller, &At { operation: GOT, ..at }).await?;
    let shown = view(&told);
    Ok(Excerpt { shown, whole: view(&ProductTold { last_charge: None, ..told }) })
}

pub(crate) fn view(told: &ProductTold) -> Product {
    let mut properties = ProductProperties::from(told);
    properties.auto_renew = Some(match told.auto_renew {
        AutoRenew::On => "On",
        AutoRenew::Off => "Off",
    });
    let (id, kind) = holdings::below_account(&told.held, "products", told.id.as_str());
    Resource::new(id, told.id.as_str(), &kind, properties)
}
