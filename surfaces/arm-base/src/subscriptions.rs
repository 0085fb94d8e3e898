//! Subscriptions: those on which the caller holds a role.

use armkit::{ArmError, List, Query, api_version};
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::company::Subscription;
use httpkit::{Asking, Path};
use serde::Serialize;
use service::Reckoner;

const VERSIONS: [&str; 5] = ["2022-12-01", "2021-01-01", "2020-01-01", "2019-11-01", "2016-06-01"];

/// Lists them; without any role the list is empty.
pub(crate) async fn list(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    query: Query,
) -> Result<Json<List<Item>>, ArmError> {
    api_version(&query, &VERSIONS)?;
    let tenant = reckoner.tenant("common")?.to_string();
    let all = reckoner.subscriptions(&caller).await?;
    let value = all.into_iter().map(|subscription| Item::of(&tenant, subscription)).collect();
    Ok(Json(List { value, next_link: None }))
}

/// Shows one.
pub(crate) async fn get(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Path(given): Path<String>,
    query: Query,
) -> Result<Json<Item>, ArmError> {
    api_version(&query, &VERSIONS)?;
    let tenant = reckoner.tenant("common")?.to_string();
    let all = reckoner.subscriptions(&caller).await?;
    let found = all.into_iter().find(|one| one.id.as_str().eq_ignore_ascii_case(&given));
    let found = found.ok_or_else(|| Error::not_found("subscription", given))?;
    Ok(Json(Item::of(&tenant, found)))
}

/// One subscription, as ARM spells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    id: String,
    subscription_id: String,
    tenant_id: String,
    display_name: String,
    state: &'static str,
    authorization_source: &'static str,
}

impl Item {
    fn of(tenant: &str, subscription: Subscription) -> Item {
        Item {
            id: format!("/subscriptions/{}", subscription.id),
            subscription_id: subscription.id.to_string(),
            tenant_id: tenant.to_owned(),
            display_name: subscription.name,
            state: "Enabled",
            authorization_source: "RoleBased",
        }
    }
}
