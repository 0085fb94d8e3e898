//! BillingProfiles: how a billing account is invoiced.

use super::sections::{self, Section};
use crate::addresses::Address2019;
use crate::at::{self, At};
use crate::given::{Body, Whole, checked, given};
use crate::reading::{Family, profile};
use crate::resource::{AzurePlan, Resource, filled, profile_status, relationship, status_reason};
use crate::writing::Writing;
use crate::{Billing, V2019};
use armkit::{ArmError, List, Query, expand};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::agreements::AgreementType;
use domain::places::Level;
use httpkit::{Asking, Excerpt, Group, Object};
use serde::Serialize;
use service::{Attached, PlaceTold, ProfileChange, Put, StructureChange};
use std::collections::BTreeMap;

const DETACH: &str = "/validateDetachPaymentMethodEligibility";
const CREATE: &str = "BillingProfiles_Create";
const UPDATE: &str = "BillingProfiles_Update";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("BillingProfiles_ListByBillingAccount", at::ACCOUNT, "/billingProfiles", list)
        .get("BillingProfiles_Get", at::PROFILE, "", get)
        .put(CREATE, at::PROFILE, "", create)
        .patch(UPDATE, at::PROFILE, "", update)
        .get("BillingProfiles_GetEligibilityToDetachPaymentMethod", at::PROFILE, DETACH, eligible)
}

const EXPAND: [&str; 1] = ["invoiceSections"];

pub(crate) type Profile = Resource<BillingProfileProperties>;

async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Profile>>, ArmError> {
    let with_sections = expand(&query, &EXPAND)?.contains(&"invoiceSections");
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let levels = [Level::BillingProfile, Level::InvoiceSection];
    let family = billing.family(&caller, &account.id, &levels).await?;
    let (sections, day) = (with_sections.then_some(&family), billing.reckoner.invoice_day());
    let all = family.of(Level::BillingProfile);
    let value = all.map(|told| view(told, account.kind, sections, day)).collect();
    Ok(Json(List { value, next_link: None }))
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
async fn create(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<ProfileMade>,
) -> Result<Response, ArmError> {
    let ProfileMade { display_name: name, po_number: order_number, address, .. } = given;
    let (id, put, tags) = (writing.at.name("billingProfileName").to_owned(), Put::Made, None);
    let address = address.map(|Object(one)| checked(one.draft(), "address")).transpose()?;
    let change = ProfileChange { id, put, name, address, order_number, tags };
    billing.accept(&writing, (V2019, CREATE), StructureChange::Profile(change)).await
}

/// Changes it.
async fn update(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<ProfileGiven>>,
) -> Result<Response, ArmError> {
    let ProfileGiven { display_name: name, po_number: order_number, address, .. } =
        given.properties;
    let (id, put, tags) = (writing.at.name("billingProfileName").to_owned(), Put::Refused, None);
    let address =
        address.map(|Object(one)| checked(one.draft(), "properties.address")).transpose()?;
    let change = ProfileChange { id, put, name, address, order_number, tags };
    billing.accept(&writing, (V2019, UPDATE), StructureChange::Profile(change)).await
}

given! {
    /// `BillingProfileCreationRequest`.
    ProfileMade {
        display_name: String,
        po_number: String,
        address: Object<Address2019>,
    } not taken {
        invoice_email_opt_in, enabled_azure_plans,
    }
}

given! {
    /// `BillingProfileProperties`, as they are sent.
    ProfileGiven {
        display_name: String,
        po_number: String,
        address: Object<Address2019>,
    } not taken {
        billing_relationship_type, invoice_email_opt_in, invoice_day, currency,
        enabled_azure_plans, indirect_relationship_info, invoice_sections, status,
        status_reason_code, spending_limit, target_clouds,
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
    address: Option<Address2019>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_relationship_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_day: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_email_opt_in: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_sections: Option<Vec<Section>>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_reason_code: Option<&'static str>,
    spending_limit: &'static str,
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
    let properties = BillingProfileProperties {
        display_name: told.name.clone(),
        po_number: seen.and_then(|seen| filled(&seen.order_number)),
        address: seen.and_then(|seen| seen.address.clone()).map(Address2019::of),
        billing_relationship_type: relationship(kind),
        invoice_day: invoice_day.filter(|_| seen.is_some()),
        // Nobody is sent invoices by mail.
        invoice_email_opt_in: seen.map(|_| false),
        currency: seen.map(|seen| seen.currency.to_string()),
        invoice_sections: below,
        status: profile_status(told.state),
        status_reason_code: status_reason(told.state),
        spending_limit: "Off",
        enabled_azure_plans: None,
        indirect_relationship_info: None,
        target_clouds: None,
    };
    let level = Some(Level::BillingProfile);
    Resource::new(at::id(told), told.place.key.id.as_str(), at::kind(level), properties)
}

/// Whether the profile's payment method may go, and else why not.
async fn eligible(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<DetachPaymentMethodEligibilityResult>, ArmError> {
    let (_, told) = billing.place(&caller, &at).await?;
    let attached = billing.reckoner.attached_to(&caller, &told.place).await?;
    Ok(Json(eligibility(attached)))
}

/// `DetachPaymentMethodEligibilityResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize))]
#[cfg_attr(test, serde(default, bound(deserialize = "'de: 'static")))]
pub(crate) struct DetachPaymentMethodEligibilityResult {
    is_eligible: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error_details: Vec<DetachPaymentMethodErrorDetails>,
}

/// `DetachPaymentMethodErrorDetails`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct DetachPaymentMethodErrorDetails {
    code: &'static str,
    message: &'static str,
}

pub(crate) fn eligibility(
    attached: impl IntoIterator<Item = Attached>,
) -> DetachPaymentMethodEligibilityResult {
    let error_details: Vec<_> = attached.into_iter().map(reason).collect();
    DetachPaymentMethodEligibilityResult { is_eligible: error_details.is_empty(), error_details }
}

const fn reason(attached: Attached) -> DetachPaymentMethodErrorDetails {
    let (code, message) = match attached {
        Attached::Subscriptions => {
            ("AzureSubscriptions", "Subscriptions are billed to this billing profile.")
        }
        Attached::RecurringCharges => {
            ("RecurringCharges", "Recurring charges are billed to this billing profile.")
        }
        Attached::Reservations => {
            ("ReservedInstances", "Reservations are billed to this billing profile.")
        }
        Attached::Outstanding => {
            ("OutstandingCharges", "Invoices of this billing profile are not paid.")
        }
        Attached::Pending => {
            ("PendingCharges", "Charges to this billing profile are not invoiced yet.")
        }
    };
    DetachPaymentMethodErrorDetails { code, message }
}
