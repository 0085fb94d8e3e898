//! BillingPermissions: what the caller may do at a billing account or place.

use crate::Billing;
use crate::at::At;
use crate::listing::Listing;
use crate::roles;
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use domain::access::{Caller, Role};
use httpkit::Asking;
use serde::Serialize;

/// One entry for each role of the caller that reaches the place; none for whoever sees its shell.
pub(crate) async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<Permissions>>, ArmError> {
    let all = own(&listing.billing, &caller, &at).await?;
    // A role that is lost between pages moves no other.
    let number = |role: &Role| Role::ALL.iter().position(|known| known == role).unwrap_or_default();
    let page = listing.page(all, |(role, _)| format!("{:03}", number(role)))?;
    Ok(Json(page.map(|(_, permissions)| permissions)))
}

/// The same, where the description knows no pages.
pub(crate) async fn whole(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<Permissions>>, ArmError> {
    let all = own(&billing, &caller, &at).await?;
    let value = all.into_iter().map(|(_, permissions)| permissions).collect();
    Ok(Json(List { value, next_link: None }))
}

async fn own(
    billing: &Billing,
    caller: &Caller,
    at: &At,
) -> Result<Vec<(Role, Permissions)>, ArmError> {
    let (account, spot) = billing.scope(caller, at).await?;
    let own = billing.reckoner.own_roles(caller, &spot.scope).await?;
    let told = own.into_iter().filter_map(|role| {
        let actions = roles::actions(role, account.kind?);
        (!actions.is_empty()).then_some((role, Permissions { actions, not_actions: [] }))
    });
    Ok(told.collect())
}

/// `BillingPermissionsProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Permissions {
    pub(crate) actions: &'static [&'static str],
    /// No role takes anything away.
    pub(crate) not_actions: [&'static str; 0],
}
