//! Products: what a billing account has bought and holds.

use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::resource::{Amount, Resource, time};
use crate::same::enrollments::Reseller;
use crate::same::holdings::{self, Stands, billing_frequency, product_status};
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::State;
use domain::holdings::AutoRenew;
use httpkit::{Asking, ExactNumber, Excerpt, Group};
use money::Fixed18;
use serde::Serialize;
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

/// `ProductProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ProductProperties {
    auto_renew: &'static str,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchase_date: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    billing_frequency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_charge: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_charge_date: Option<String>,
    sku_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller: Option<Reseller>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<ExactNumber<Fixed18>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability_id: Option<String>,
}

pub(crate) fn view(told: &ProductTold) -> Product {
    let Stands {
        billing_profile_id,
        billing_profile_display_name,
        customer_id,
        customer_display_name,
        invoice_section_id,
        invoice_section_display_name,
        reseller,
    } = Stands::from(&told.held);
    let properties = ProductProperties {
        auto_renew: match told.auto_renew {
            AutoRenew::On => "On",
            AutoRenew::Off => "Off",
        },
        display_name: told.name.clone(),
        purchase_date: time(told.held.since),
        status: product_status(told.held.state),
        end_date: told.ends_at.and_then(time),
        billing_frequency: billing_frequency(told.billing_frequency),
        last_charge: told.last_charge.map(|last| Amount::from(last.cost)),
        last_charge_date: told.last_charge.and_then(|last| time(last.at)),
        sku_id: told.held.offer.id.to_string(),
        sku_description: told.held.offer.name.clone(),
        tenant_id: told.tenant.as_ref().map(ToString::to_string),
        invoice_section_id,
        invoice_section_display_name,
        billing_profile_id,
        billing_profile_display_name,
        customer_id,
        customer_display_name,
        reseller,
        product_type_id: None,
        product_type: None,
        quantity: None,
        availability_id: None,
    };
    let (id, kind) = holdings::below_account(&told.held, "products", told.id.as_str());
    Resource::new(id, told.id.as_str(), &kind, properties)
}
