//! EnrollmentAccounts: what departments, or the enrollment itself, have below them.

use super::departments::{self, Department};
use crate::Billing;
use crate::at::{self, At};
use crate::reading::Family;
use crate::resource::{Resource, enrollment_status, filled, time};
use armkit::{ArmError, List, Query, expand};
use axum::Json;
use axum::extract::State;
use domain::places::Level;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::PlaceTold;

const TAIL: &str = "/enrollmentAccounts";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Enterprise agreements.
        .get("EnrollmentAccounts_ListByBillingAccountName", at::ACCOUNT, TAIL, list)
        .get("EnrollmentAccounts_GetByEnrollmentAccountId", at::ENROLLMENT_ACCOUNT, "", get)
}

const EXPAND: [&str; 1] = ["department"];
/// What `$filter` may name.
const FILTER: &str = "accountName";

pub(crate) type EnrollmentAccount = Resource<EnrollmentAccountProperties>;

async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<EnrollmentAccount>>, ArmError> {
    let with_department = expand(&query, &EXPAND)?.contains(&"department");
    let names = billing.names(&query, FILTER)?;
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let levels = [Level::Department, Level::EnrollmentAccount];
    let family = billing.family(&caller, &account.id, &levels).await?;
    let asked = family.of(Level::EnrollmentAccount).filter(|told| names.hold(&told.name));
    let value = asked.map(|told| view(told, with_department.then_some(&family))).collect();
    Ok(Json(List { value, next_link: None }))
}

/// One by its id; what the contract declares as `$filter` here is read and changes nothing.
async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<EnrollmentAccount>, ArmError> {
    let with_department = expand(&query, &EXPAND)?.contains(&"department");
    billing.names(&query, FILTER)?;
    let (account, told) = billing.place(&caller, &at).await?;
    let family = billing.family(&caller, &account.id, &[Level::Department]).await?;
    Ok(Json(view(&told, with_department.then_some(&family))))
}

/// `EnrollmentAccountProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct EnrollmentAccountProperties {
    account_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_center: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_owner: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department: Option<Box<Department>>,
}

pub(crate) fn view(told: &PlaceTold, departments: Option<&Family>) -> EnrollmentAccount {
    let seen = told.seen.as_deref();
    let owner = seen.and_then(|seen| seen.owner.as_ref());
    let parent = told.parent.as_ref().zip(departments);
    let department = parent.and_then(|(key, family)| family.find(key));
    let properties = EnrollmentAccountProperties {
        account_name: told.name.clone(),
        cost_center: seen.and_then(|seen| filled(&seen.facts.cost_center)),
        account_owner: owner.map(|owner| owner.email.as_ref().unwrap_or(&owner.name).clone()),
        status: enrollment_status(told.state),
        start_date: seen.and_then(|seen| time(seen.since)),
        end_date: seen.and_then(|seen| time(seen.until?)),
        department: department.map(|told| Box::new(departments::view(told, None))),
    };
    Resource::new(at::id(told), told.place.key.id.as_str(), "enrollmentAccounts", properties)
}
