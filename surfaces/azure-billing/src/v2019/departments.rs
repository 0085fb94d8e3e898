//! Departments of an enrollment.

use super::enrollment_accounts::{self, EnrollmentAccount};
use crate::Billing;
use crate::at::{self, At};
use crate::reading::Family;
use crate::resource::Resource;
use crate::same::enrollments::DepartmentFacts;
use armkit::{ArmError, List, Query, expand};
use axum::Json;
use axum::extract::State;
use domain::places::Level;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::PlaceTold;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Enterprise agreements.
        .get("Departments_ListByBillingAccountName", at::ACCOUNT, "/departments", list)
        .get("Departments_Get", at::DEPARTMENT, "", get)
}

const EXPAND: [&str; 1] = ["enrollmentAccounts"];
/// What `$filter` may name.
const FILTER: &str = "departmentName";

pub(crate) type Department = Resource<DepartmentProperties>;

async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Department>>, ArmError> {
    let with_accounts = expand(&query, &EXPAND)?.contains(&"enrollmentAccounts");
    let names = billing.names(&query, FILTER)?;
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let levels = [Level::Department, Level::EnrollmentAccount];
    let family = billing.family(&caller, &account.id, &levels).await?;
    let asked = family.of(Level::Department).filter(|told| names.hold(&told.name));
    let value = asked.map(|told| view(told, with_accounts.then_some(&family))).collect();
    Ok(Json(List { value, next_link: None }))
}

/// One by its id; what the contract declares as `$filter` here is read and changes nothing.
async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<Department>, ArmError> {
    let with_accounts = expand(&query, &EXPAND)?.contains(&"enrollmentAccounts");
    billing.names(&query, FILTER)?;
    let (account, told) = billing.place(&caller, &at).await?;
    let family = billing.family(&caller, &account.id, &[Level::EnrollmentAccount]).await?;
    Ok(Json(view(&told, with_accounts.then_some(&family))))
}

/// `DepartmentProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize))]
#[cfg_attr(test, serde(default, bound(deserialize = "'de: 'static")))]
pub(crate) struct DepartmentProperties {
    #[serde(flatten)]
    facts: DepartmentFacts,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_accounts: Option<Vec<EnrollmentAccount>>,
}

pub(crate) fn view(told: &PlaceTold, accounts: Option<&Family>) -> Department {
    let below = accounts.map(|family| {
        let own = family.below(Level::EnrollmentAccount, &told.place.key);
        own.map(|told| enrollment_accounts::view(told, None)).collect()
    });
    let properties = DepartmentProperties { facts: told.into(), enrollment_accounts: below };
    Resource::new(at::id(told), told.place.key.id.as_str(), "departments", properties)
}
