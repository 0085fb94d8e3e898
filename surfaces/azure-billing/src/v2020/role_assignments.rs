//! BillingRoleAssignments: who holds a role that is given at the very billing account or place.

use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::reading::Spot;
use crate::resource::Resource;
use crate::roles::described;
use crate::writing::{Held, Writing};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::access::Caller;
use domain::agreements::AgreementType;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::RoleTold;

const LIST: &str = "/billingRoleAssignments";
const ONE: &str = "/billingRoleAssignments/{billingRoleAssignmentName}";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("BillingRoleAssignments_ListByBillingProfile", at::PROFILE, LIST, list)
        .get("BillingRoleAssignments_GetByBillingProfile", at::PROFILE, ONE, get)
        .delete("BillingRoleAssignments_DeleteByBillingProfile", at::PROFILE, ONE, remove)
        .get("BillingRoleAssignments_ListByInvoiceSection", at::SECTION, LIST, list)
        .get("BillingRoleAssignments_GetByInvoiceSection", at::SECTION, ONE, get)
        .delete("BillingRoleAssignments_DeleteByInvoiceSection", at::SECTION, ONE, remove)
        .get("BillingRoleAssignments_ListByBillingAccount", at::ACCOUNT, LIST, list)
        .get("BillingRoleAssignments_GetByBillingAccount", at::ACCOUNT, ONE, get)
        .delete("BillingRoleAssignments_DeleteByBillingAccount", at::ACCOUNT, ONE, remove)
}

type RoleAssignment = Resource<BillingRoleAssignmentProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<RoleAssignment>>, ArmError> {
    Ok(Json(listing.numbered(given(&listing.billing, &caller, &at).await?)?))
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

/// Takes a role; answers with what it was.
async fn remove(
    State(billing): State<Billing>,
    writing: Writing,
) -> Result<Json<RoleAssignment>, ArmError> {
    let Held { spot, kind, told } = billing.take(&writing).await?;
    let unknown = || Error::internal("show a role assignment", told.role.name());
    Ok(Json(view(&spot, kind, &told).ok_or_else(unknown)?))
}

/// `BillingRoleAssignmentProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BillingRoleAssignmentProperties {
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
        principal_id: told.principal.to_string(),
        principal_tenant_id: told.tenant.as_ref().map(ToString::to_string),
        role_definition_id: format!("{}/billingRoleDefinitions/{role}", spot.id),
        scope: spot.id.clone(),
        user_authentication_type: email.is_some().then_some("Organization"),
        user_email_address: email,
    };
    let kind = format!("{}{LIST}", at::kind(spot.level));
    Some(Resource::new(format!("{}{LIST}/{name}", spot.id), &name, &kind, properties))
}
