//! InvoiceSections: named groups of charges on a profile's invoice.

use super::CountedList;
use crate::at::{self, At};
use crate::given::{Body, Whole, given};
use crate::listing::Listing;
use crate::resource::{Resource, profile_status, section_state, status_reason};
use crate::writing::Writing;
use crate::{Billing, V2020};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::places::Level;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::{PlaceTold, Put, SectionChange, StructureChange};
use std::collections::BTreeMap;

/// Where subscriptions can be made.
const CREATE: &str = "/listInvoiceSectionsWithCreateSubscriptionPermission";
const BY_CREATE_PERMISSION: &str =
    "BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission";

const PUT: &str = "InvoiceSections_CreateOrUpdate";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("InvoiceSections_ListByBillingProfile", at::PROFILE, "/invoiceSections", list)
        .get("InvoiceSections_Get", at::SECTION, "", get)
        .put(PUT, at::SECTION, "", put)
        .post(BY_CREATE_PERMISSION, at::ACCOUNT, CREATE, allowing)
}

/// Pages behind the first of what a POST lists: clients follow a next link with GET.
pub(crate) fn further() -> Group<Billing> {
    Group::new().get(BY_CREATE_PERMISSION, at::ACCOUNT, CREATE, allowing)
}

pub(crate) type Section = Resource<InvoiceSectionProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<CountedList<Section>>, ArmError> {
    let (account, profile) = listing.billing.place(&caller, &at).await?;
    let family = listing.billing.family(&caller, &account.id, &[Level::InvoiceSection]).await?;
    let own: Vec<_> = family.below(Level::InvoiceSection, &profile.place.key).collect();
    let total_count = own.len();
    let page = listing.page(own, |told| told.place.key.id.to_string())?.map(view);
    Ok(Json(CountedList { page, total_count }))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Section>, ArmError> {
    let (_, told) = billing.place(&caller, &at).await?;
    Ok(Json(view(&told)))
}

/// Makes it, or changes the one that is there.
async fn put(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<SectionGiven>>,
) -> Result<Response, ArmError> {
    let SectionGiven { display_name: name, labels: tags, .. } = given.properties;
    let profile = writing.at.name("billingProfileName").to_owned();
    let (id, put) = (writing.at.name("invoiceSectionName").to_owned(), Put::Made);
    let change = SectionChange { profile, id, put, name, tags };
    billing.accept(&writing, (V2020, PUT), StructureChange::Section(change)).await
}

given! {
    /// `InvoiceSectionProperties`, as they are sent.
    SectionGiven {
        display_name: String,
        labels: BTreeMap<String, String>,
    } not taken {
        state, system_id, target_cloud,
    }
}

/// `InvoiceSectionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvoiceSectionProperties {
    display_name: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    state: &'static str,
    system_id: String,
}

pub(crate) fn view(told: &PlaceTold) -> Section {
    let id = told.place.key.id.as_str();
    let properties = InvoiceSectionProperties {
        display_name: told.name.clone(),
        labels: told.seen.as_ref().map(|seen| seen.tags.clone()).unwrap_or_default(),
        state: section_state(told.state),
        system_id: id.to_owned(),
    };
    Resource::new(at::id(told), id, at::kind(Some(Level::InvoiceSection)), properties)
}

/// Lists the sections where the caller may make subscriptions.
async fn allowing(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<InvoiceSectionWithCreateSubPermission>>, ArmError> {
    let page = listing.creatable(&caller, &at).await?;
    Ok(Json(page.map(|(section, profile)| creatable(&section, &profile))))
}

/// `InvoiceSectionWithCreateSubPermission`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvoiceSectionWithCreateSubPermission {
    invoice_section_id: String,
    invoice_section_display_name: String,
    invoice_section_system_id: String,
    billing_profile_id: String,
    billing_profile_display_name: String,
    billing_profile_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_status_reason_code: Option<&'static str>,
    billing_profile_spending_limit: &'static str,
    billing_profile_system_id: String,
}

pub(crate) fn creatable(
    section: &PlaceTold,
    profile: &PlaceTold,
) -> InvoiceSectionWithCreateSubPermission {
    InvoiceSectionWithCreateSubPermission {
        invoice_section_id: at::id(section),
        invoice_section_display_name: section.name.clone(),
        invoice_section_system_id: section.place.key.id.to_string(),
        billing_profile_id: at::id(profile),
        billing_profile_display_name: profile.name.clone(),
        billing_profile_status: profile_status(profile.state),
        billing_profile_status_reason_code: status_reason(profile.state),
        billing_profile_spending_limit: "Off",
        billing_profile_system_id: profile.place.key.id.to_string(),
    }
}
