//! BillingRoleAssignments: who holds a role that is given at the very billing account or place.

use super::role_definitions::of_place;
use crate::Billing;
use crate::at::{self, At};
use crate::given::{Body, Whole, given};
use crate::listing::Listing;
use crate::reading::Spot;
use crate::resource::Resource;
use crate::roles::described;
use crate::writing::{Held, Wanted, Writing};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Error;
use domain::access::Caller;
use domain::agreements::AgreementType;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::{IfGiven, RoleTold};

const LIST: &str = "/billingRoleAssignments";
const ADD: &str = "/createBillingRoleAssignment";
const ONE: &str = "/billingRoleAssignments/{billingRoleAssignmentName}";

const DELETE_BY_ENROLLMENT_ACCOUNT: &str = "BillingRoleAssignments_DeleteByEnrollmentAccount";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("BillingRoleAssignments_ListByBillingProfile", at::PROFILE, LIST, whole)
        .get("BillingRoleAssignments_GetByBillingProfile", at::PROFILE, ONE, get)
        .delete("BillingRoleAssignments_DeleteByBillingProfile", at::PROFILE, ONE, remove)
        .post("BillingRoleAssignments_AddByBillingProfile", at::PROFILE, ADD, add)
        .get("BillingRoleAssignments_ListByInvoiceSection", at::SECTION, LIST, whole)
        .get("BillingRoleAssignments_GetByInvoiceSection", at::SECTION, ONE, get)
        .delete("BillingRoleAssignments_DeleteByInvoiceSection", at::SECTION, ONE, remove)
        .post("BillingRoleAssignments_AddByInvoiceSection", at::SECTION, ADD, add)
        .get("BillingRoleAssignments_ListByBillingAccount", at::ACCOUNT, LIST, list)
        .get("BillingRoleAssignments_GetByBillingAccount", at::ACCOUNT, ONE, get)
        .delete("BillingRoleAssignments_DeleteByBillingAccount", at::ACCOUNT, ONE, remove)
        .post("BillingRoleAssignments_AddByBillingAccount", at::ACCOUNT, ADD, add)
        .get("BillingRoleAssignments_ListByDepartment", at::DEPARTMENT, LIST, list)
        .get("BillingRoleAssignments_GetByDepartment", at::DEPARTMENT, ONE, get)
        .delete("BillingRoleAssignments_DeleteByDepartment", at::DEPARTMENT, ONE, remove)
        .get("BillingRoleAssignments_ListByEnrollmentAccount", at::ENROLLMENT_ACCOUNT, LIST, list)
        .get("BillingRoleAssignments_GetByEnrollmentAccount", at::ENROLLMENT_ACCOUNT, ONE, get)
        .delete(DELETE_BY_ENROLLMENT_ACCOUNT, at::ENROLLMENT_ACCOUNT, ONE, remove)
        // Enterprise agreements only.
        .put("RoleAssignments_Put", at::ACCOUNT, ONE, put)
        .put("EnrollmentDepartmentRoleAssignments_Put", at::DEPARTMENT, ONE, put)
        .put("EnrollmentAccountRoleAssignments_Put", at::ENROLLMENT_ACCOUNT, ONE, put)
}

type RoleAssignment = Resource<BillingRoleAssignmentProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<RoleAssignment>>, ArmError> {
    Ok(Json(listing.numbered(given(&listing.billing, &caller, &at).await?)?))
}

/// The same, where the description knows no pages.
async fn whole(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<RoleAssignment>>, ArmError> {
    Ok(Json(List { value: given(&billing, &caller, &at).await?, next_link: None }))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<RoleAssignment>, ArmError> {
    let name = at.name("billingRoleAssignmentName");
    let all = given(&billing, &caller, &at).await?;
    let found = all.into_iter().find(|one| one.name.eq_ignore_ascii_case(name));
    Ok(Json(found.ok_or_else(|| Error::not_found("role assignment", name))?))
}

async fn given(
    billing: &Billing,
    caller: &Caller,
    at: &At,
) -> Result<Vec<RoleAssignment>, ArmError> {
    let (account, spot) = billing.scope(caller, at).await?;
    let all = billing.reckoner.roles_given(caller, &spot.scope).await?;
    let views = all.iter().filter_map(|told| view(&spot, account.kind?, told));
    Ok(views.collect())
}

/// Gives a role; the vendor answers with a list of one.
async fn add(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<BillingRoleAssignmentPayload>,
) -> Result<(StatusCode, Json<List<RoleAssignment>>), ArmError> {
    let BillingRoleAssignmentPayload {
        principal_id: principal,
        billing_role_definition_id: definition,
    } = given;
    let (email, if_given) = (None, IfGiven::Refused);
    let held = billing.give(&writing, Wanted { definition, principal, email, if_given }).await?;
    let value = vec![shown(&held)?];
    Ok((StatusCode::CREATED, Json(List { value, next_link: None })))
}

/// Gives a role of an enterprise agreement; one that is given stays.
async fn put(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<RoleGiven>>,
) -> Result<Json<RoleAssignment>, ArmError> {
    let RoleGiven {
        principal_id: principal,
        role_definition_id: definition,
        user_email_address: email,
        ..
    } = given.properties;
    let if_given = IfGiven::Kept;
    let held = billing.give(&writing, Wanted { definition, principal, email, if_given }).await?;
    Ok(Json(shown(&held)?))
}

/// Takes a role; answers with what it was.
async fn remove(
    State(billing): State<Billing>,
    writing: Writing,
) -> Result<Json<RoleAssignment>, ArmError> {
    Ok(Json(shown(&billing.take(&writing).await?)?))
}

fn shown(held: &Held) -> Result<RoleAssignment, Error> {
    let Held { spot, kind, told } = held;
    let unknown = || Error::internal("show a role assignment", told.role.name());
    view(spot, *kind, told).ok_or_else(unknown)
}

given! {
    /// `BillingRoleAssignmentPayload`.
    BillingRoleAssignmentPayload {
        principal_id: String,
        billing_role_definition_id: String,
    } not taken {}
}

given! {
    /// `BillingRoleAssignmentProperties`, as they are sent.
    RoleGiven {
        principal_id: String,
        role_definition_id: String,
        user_email_address: String,
    } not taken {
        created_on, created_by_principal_tenant_id, created_by_principal_id,
        created_by_user_email_address, name, principal_tenant_id, scope,
        user_authentication_type,
    }
}

/// `BillingRoleAssignmentProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BillingRoleAssignmentProperties {
    name: String,
    principal_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_tenant_id: Option<String>,
    role_definition_id: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_email_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_authentication_type: Option<&'static str>,
}

pub(crate) fn view(spot: &Spot, kind: AgreementType, told: &RoleTold) -> Option<RoleAssignment> {
    let role = described(told.role)?.id;
    let name = format!("{role}_{}", told.principal);
    let email = told.holder.as_ref().and_then(|holder| holder.email.clone());
    // Only enterprise agreements have members for people.
    let email = email.filter(|_| kind == AgreementType::Enterprise);
    let properties = BillingRoleAssignmentProperties {
        name: name.clone(),
        principal_id: told.principal.to_string(),
        principal_tenant_id: told.tenant.as_ref().map(ToString::to_string),
        role_definition_id: format!("{}/billingRoleDefinitions/{role}", spot.id),
        scope: spot.id.clone(),
        user_authentication_type: email.is_some().then_some("Organization"),
        user_email_address: email,
    };
    let kind = of_place(spot, kind, "billingRoleAssignments");
    Some(Resource::new(format!("{}{LIST}/{name}", spot.id), &name, &kind, properties))
}
