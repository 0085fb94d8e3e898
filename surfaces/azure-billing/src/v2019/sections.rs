//! InvoiceSections: named groups of charges on a profile's invoice.

use crate::at::{self, At};
use crate::given::{Body, Whole, given};
use crate::listing::Listing;
use crate::resource::{Resource, profile_status, section_state, status_reason};
use crate::writing::Writing;
use crate::{Billing, V2019};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::places::Level;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::{PlaceTold, Put, SectionChange, StructureChange};

/// Where subscriptions can be made.
const CREATE: &str = "/listInvoiceSectionsWithCreateSubscriptionPermission";
const BY_CREATE_PERMISSION: &str =
    "BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission";

const MAKE: &str = "InvoiceSections_Create";
const UPDATE: &str = "InvoiceSections_Update";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("InvoiceSections_ListByBillingProfile", at::PROFILE, "/invoiceSections", list)
        .get("InvoiceSections_Get", at::SECTION, "", get)
        .put(MAKE, at::SECTION, "", create)
        .patch(UPDATE, at::SECTION, "", update)
        .post("InvoiceSections_ElevateToBillingProfile", at::SECTION, "/elevate", elevate)
        .post(BY_CREATE_PERMISSION, at::ACCOUNT, CREATE, allowing)
}

/// Pages behind the first of what a POST lists: clients follow a next link with GET.
pub(crate) fn further() -> Group<Billing> {
    Group::new().get(BY_CREATE_PERMISSION, at::ACCOUNT, CREATE, allowing)
}

pub(crate) type Section = Resource<InvoiceSectionProperties>;

async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<Section>>, ArmError> {
    let (account, profile) = billing.place(&caller, &at).await?;
    let family = billing.family(&caller, &account.id, &[Level::InvoiceSection]).await?;
    let own = family.below(Level::InvoiceSection, &profile.place.key);
    Ok(Json(List { value: own.map(view).collect(), next_link: None }))
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
async fn create(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<SectionMade>,
) -> Result<Response, ArmError> {
    let change = changed(&writing, Put::Made, given.display_name);
    billing.accept(&writing, (V2019, MAKE), change).await
}

/// Changes it.
async fn update(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<SectionGiven>>,
) -> Result<Response, ArmError> {
    let change = changed(&writing, Put::Refused, given.properties.display_name);
    billing.accept(&writing, (V2019, UPDATE), change).await
}

fn changed(writing: &Writing, put: Put, name: Option<String>) -> StructureChange {
    let profile = writing.at.name("billingProfileName").to_owned();
    let id = writing.at.name("invoiceSectionName").to_owned();
    StructureChange::Section(SectionChange { profile, id, put, name, tags: None })
}

given! {
    /// `InvoiceSectionCreationRequest`.
    SectionMade {
        display_name: String,
    } not taken {}
}

given! {
    /// `InvoiceSectionProperties`, as they are sent.
    SectionGiven {
        display_name: String,
    } not taken {
        state, target_cloud,
    }
}

/// Makes the caller an owner of the section by what it holds above.
async fn elevate(State(billing): State<Billing>, writing: Writing) -> Result<StatusCode, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let (_, section) = billing.place(caller, at).await?;
    let owned = billing.reckoner.own_section(caller, &section.place, request_id);
    owned.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `InvoiceSectionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvoiceSectionProperties {
    display_name: String,
    state: &'static str,
}

pub(crate) fn view(told: &PlaceTold) -> Section {
    let properties = InvoiceSectionProperties {
        display_name: told.name.clone(),
        state: section_state(told.state),
    };
    let level = Some(Level::InvoiceSection);
    Resource::new(at::id(told), told.place.key.id.as_str(), at::kind(level), properties)
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
    billing_profile_id: String,
    billing_profile_display_name: String,
    billing_profile_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_status_reason_code: Option<&'static str>,
    billing_profile_spending_limit: &'static str,
}

pub(crate) fn creatable(
    section: &PlaceTold,
    profile: &PlaceTold,
) -> InvoiceSectionWithCreateSubPermission {
    InvoiceSectionWithCreateSubPermission {
        invoice_section_id: at::id(section),
        invoice_section_display_name: section.name.clone(),
        billing_profile_id: at::id(profile),
        billing_profile_display_name: profile.name.clone(),
        billing_profile_status: profile_status(profile.state),
        billing_profile_status_reason_code: status_reason(profile.state),
        billing_profile_spending_limit: "Off",
    }
}
