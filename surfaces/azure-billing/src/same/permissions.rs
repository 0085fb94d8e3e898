//! BillingPermissions: what the caller may do at a billing account or place.

use crate::Billing;
use crate::at::At;
use crate::roles;
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use httpkit::Asking;
use serde::Serialize;

/// One entry for each role of the caller that reaches the place; none for whoever sees its shell.
pub(crate) async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<Json<List<Permissions>>, ArmError> {
    let (account, spot) = billing.scope(&caller, &at).await?;
    let own = billing.reckoner.own_roles(&caller, &spot.scope).await?;
    let actions = own.into_iter().filter_map(|role| {
        let actions = roles::actions(role, account.kind?);
        (!actions.is_empty()).then_some(Permissions { actions, not_actions: [] })
    });
    Ok(Json(List { value: actions.collect(), next_link: None }))
}

/// `BillingPermissionsProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct Permissions {
    #[cfg_attr(test, serde(deserialize_with = "crate::described::words"))]
    pub(crate) actions: &'static [&'static str],
    /// No role takes anything away.
    pub(crate) not_actions: [&'static str; 0],
}
