//! BillingProfiles: how a billing account is invoiced.

use super::Expanded;
use super::sections::{self, Section};
use crate::addresses::Address2020;
use crate::at::{self, At};
use crate::given::{Body, Whole, checked, given};
use crate::listing::Listing;
use crate::reading::{Family, profile};
use crate::resource::{AzurePlan, Resource, filled, profile_status, relationship, status_reason};
use crate::writing::Writing;
use crate::{Billing, V2020};
use armkit::{ArmError, List, Query, expand};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::agreements::AgreementType;
use domain::places::Level;
use httpkit::{Asking, Excerpt, Group, Object};
use serde::Serialize;
use service::{PlaceTold, ProfileChange, Put, StructureChange};
use std::collections::BTreeMap;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("BillingProfiles_ListByBillingAccount", at::ACCOUNT, "/billingProfiles", list)
        .get("BillingProfiles_Get", at::PROFILE, "", get)
        .put(PUT, at::PROFILE, "", put)
}

const PUT: &str = "BillingProfiles_CreateOrUpdate";

const EXPAND: [&str; 1] = ["invoiceSections"];

pub(crate) type Profile = Resource<BillingProfileProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Profile>>, ArmError> {
    let with_sections = expand(&query, &EXPAND)?.contains(&"invoiceSections");
    let billing = &listing.billing;
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let levels = [Level::BillingProfile, Level::InvoiceSection];
    let family = billing.family(&caller, &account.id, &levels).await?;
    let (sections, day) = (with_sections.then_some(&family), billing.reckoner.invoice_day());
    let page = listing.page(family.of(Level::BillingProfile), |told| told.place.key.id.to_string());
    Ok(Json(page?.map(|told| view(told, account.kind, sections, day))))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Excerpt<Profile>, ArmError> {
    let with_sections = expand(&query, &EXPAND)?.contains(&"invoiceSections");
    let (account, told) = billing.place(&caller, &at).await?;
    let family = billing.family(&caller, &account.id, &[Level::InvoiceSection]).await?;
    let (sections, day) = (with_sections.then_some(&family), billing.reckoner.invoice_day());
    let form = |sections| view(&told, account.kind, sections, day);
    Ok(Excerpt { shown: form(sections), whole: form(None) })
}

/// Makes it, or changes the one that is there.
async fn put(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<ProfileGiven>>,
) -> Result<Response, ArmError> {
    let ProfileGiven { display_name: name, po_number: order_number, bill_to, tags, .. } =
        given.properties;
    let (id, put) = (writing.at.name("billingProfileName").to_owned(), Put::Made);
    let address =
        bill_to.map(|Object(one)| checked(one.draft(), "properties.billTo")).transpose()?;
    let change = ProfileChange { id, put, name, address, order_number, tags };
    billing.accept(&writing, (V2020, PUT), StructureChange::Profile(change)).await
}

given! {
    /// `BillingProfileProperties`, as they are sent.
    ProfileGiven {
        display_name: String,
        po_number: String,
        bill_to: Object<Address2020>,
        tags: BTreeMap<String, String>,
    } not taken {
        billing_relationship_type, indirect_relationship_info, invoice_email_opt_in,
        invoice_day, currency, enabled_azure_plans, invoice_sections, has_read_access,
        system_id, status, status_reason_code, spending_limit, target_clouds,
    }
}

/// `BillingProfileProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct BillingProfileProperties {
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    po_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_relationship_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bill_to: Option<Address2020>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_day: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_email_opt_in: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_sections: Option<Expanded<Section>>,
    has_read_access: bool,
    system_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason_code: Option<&'static str>,
    spending_limit: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled_azure_plans: Option<Vec<AzurePlan>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    indirect_relationship_info: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_clouds: Option<Vec<String>>,
}

pub(crate) fn view(
    told: &PlaceTold,
    kind: Option<AgreementType>,
    sections: Option<&Family>,
    invoice_day: Option<u8>,
) -> Profile {
    let seen = told.seen.as_deref().and_then(profile);
    let below = sections.map(|family| {
        let own = family.below(Level::InvoiceSection, &told.place.key);
        own.map(sections::view).collect()
    });
    let id = told.place.key.id.as_str();
    let properties = BillingProfileProperties {
        display_name: told.name.clone(),
        po_number: seen.and_then(|seen| filled(&seen.order_number)),
        billing_relationship_type: relationship(kind),
        bill_to: seen.and_then(|seen| seen.address.clone()).map(Address2020::of),
        invoice_day: invoice_day.filter(|_| seen.is_some()),
        // Nobody is sent invoices by mail.
        invoice_email_opt_in: seen.map(|_| false),
        currency: seen.map(|seen| seen.currency.to_string()),
        invoice_sections: below,
        has_read_access: seen.is_some(),
        system_id: id.to_owned(),
        status: profile_status(told.state),
        status_reason_code: status_reason(told.state),
        spending_limit: "Off",
        tags: told.seen.as_ref().map(|seen| seen.tags.clone()).unwrap_or_default(),
        enabled_azure_plans: None,
        indirect_relationship_info: None,
        target_clouds: None,
    };
    Resource::new(at::id(told), id, at::kind(Some(Level::BillingProfile)), properties)
}
