//! InvoiceSections: named groups of charges on a profile's invoice.

use super::CountedList;
use crate::Billing;
use crate::at::{self, At};
use crate::resource::{Resource, profile_status, section_state, status_reason};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use domain::access::Action;
use domain::places::Level;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::PlaceTold;
use std::collections::BTreeMap;

/// Where subscriptions can be made.
const CREATE: &str = "/listInvoiceSectionsWithCreateSubscriptionPermission";
const BY_CREATE_PERMISSION: &str =
    "BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("InvoiceSections_ListByBillingProfile", at::PROFILE, "/invoiceSections", list)
        .get("InvoiceSections_Get", at::SECTION, "", get)
        .post(BY_CREATE_PERMISSION, at::ACCOUNT, CREATE, allowing)
}

pub(crate) type Section = Resource<InvoiceSectionProperties>;

async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<CountedList<Section>>, ArmError> {
    let (account, profile) = billing.place(&caller, &at).await?;
    let family = billing.family(&caller, &account.id, &[Level::InvoiceSection]).await?;
    let own = family.below(Level::InvoiceSection, &profile.place.key);
    Ok(Json(own.map(view).collect::<Vec<_>>().into()))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<Section>, ArmError> {
    let (_, told) = billing.place(&caller, &at).await?;
    Ok(Json(view(&told)))
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
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<InvoiceSectionWithCreateSubPermission>>, ArmError> {
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let (level, action) = (Level::InvoiceSection, Action::CreateSubscriptions);
    let all = billing.reckoner.places_allowing(&caller, &account.id, level, action).await?;
    let profiles = billing.family(&caller, &account.id, &[Level::BillingProfile]).await?;
    let view =
        |section: &PlaceTold| Some(creatable(section, profiles.find(section.parent.as_ref()?)?));
    Ok(Json(List { value: all.iter().filter_map(view).collect(), next_link: None }))
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
