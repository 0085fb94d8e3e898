//! BillingRoleDefinitions: the roles that can be given at a billing account or place.

use crate::Billing;
use crate::at::{self, At};
use crate::listing::Listing;
use crate::reading::Spot;
use crate::resource::Resource;
use crate::roles::{Described, described};
use crate::same::permissions::Permissions;
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::access::Role;
use httpkit::{Asking, Group};
use serde::Serialize;

const LIST: &str = "/billingRoleDefinitions";
const ONE: &str = "/billingRoleDefinitions/{billingRoleDefinitionName}";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("BillingRoleDefinitions_ListByBillingProfile", at::PROFILE, LIST, list)
        .get("BillingRoleDefinitions_GetByBillingProfile", at::PROFILE, ONE, get)
        .get("BillingRoleDefinitions_ListByInvoiceSection", at::SECTION, LIST, list)
        .get("BillingRoleDefinitions_GetByInvoiceSection", at::SECTION, ONE, get)
        .get("BillingRoleDefinitions_ListByBillingAccount", at::ACCOUNT, LIST, list)
        .get("BillingRoleDefinitions_GetByBillingAccount", at::ACCOUNT, ONE, get)
}

type RoleDefinition = Resource<BillingRoleDefinitionProperties>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<RoleDefinition>>, ArmError> {
    let (account, spot) = listing.billing.scope(&caller, &at).await?;
    let kind = account.kind.ok_or_else(|| Error::not_found("role", at.account()))?;
    let all = Role::given_at(kind, spot.level).into_iter().filter_map(described);
    Ok(Json(listing.numbered(all)?.map(|role| view(&spot, &role))))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<RoleDefinition>, ArmError> {
    let (account, spot) = billing.scope(&caller, &at).await?;
    let name = at.name("billingRoleDefinitionName");
    let missing = || Error::not_found("role", name);
    let kind = account.kind.ok_or_else(missing)?;
    let mut all = Role::given_at(kind, spot.level).into_iter().filter_map(described);
    let found = all.find(|role| role.id.eq_ignore_ascii_case(name));
    Ok(Json(view(&spot, &found.ok_or_else(missing)?)))
}

/// `BillingRoleDefinitionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BillingRoleDefinitionProperties {
    description: &'static str,
    permissions: [Permissions; 1],
    role_name: &'static str,
}

pub(crate) fn view(spot: &Spot, role: &Described) -> RoleDefinition {
    let permissions = Permissions { actions: role.actions, not_actions: [] };
    let properties = BillingRoleDefinitionProperties {
        description: role.description,
        permissions: [permissions],
        role_name: role.name,
    };
    let kind = format!("{}{LIST}", at::kind(spot.level));
    Resource::new(format!("{}{LIST}/{}", spot.id, role.id), role.id, &kind, properties)
}
