//! What `$expand` shows of an enterprise agreement: this version has no operations of its places.

use crate::at;
use crate::resource::{Resource, enrollment_status, filled, time};
use crate::same::enrollments::{DepartmentFacts, EnrollmentFacts};
use calendar::Instant;
use domain::agreements::{Enrollment, EnrollmentPolicies};
use domain::places::Level;
use serde::Serialize;
use service::PlaceTold;

pub(crate) type Department = Resource<DepartmentFacts>;
pub(crate) type EnrollmentAccount = Resource<EnrollmentAccountProperties>;

pub(crate) fn department(told: &PlaceTold) -> Department {
    let kind = at::kind(Some(Level::Department));
    Resource::new(at::id(told), told.place.key.id.as_str(), kind, told.into())
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
    #[serde(skip_serializing_if = "Option::is_none")]
    account_owner_email: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
}

pub(crate) fn account(told: &PlaceTold) -> EnrollmentAccount {
    let seen = told.seen.as_deref();
    let owner = seen.and_then(|seen| seen.owner.as_ref());
    let properties = EnrollmentAccountProperties {
        account_name: told.name.clone(),
        cost_center: seen.and_then(|seen| filled(&seen.facts.cost_center)),
        account_owner: owner.map(|owner| owner.name.clone()),
        account_owner_email: owner.and_then(|owner| owner.email.clone()),
        status: enrollment_status(told.state),
        start_date: seen.and_then(|seen| time(seen.since)),
        end_date: seen.and_then(|seen| time(seen.until?)),
    };
    let kind = at::kind(Some(Level::EnrollmentAccount));
    Resource::new(at::id(told), told.place.key.id.as_str(), kind, properties)
}

/// `Enrollment`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize))]
#[cfg_attr(test, serde(default, bound(deserialize = "'de: 'static")))]
pub(crate) struct EnrollmentDetails {
    #[serde(flatten)]
    facts: EnrollmentFacts,
    policies: Policies,
}

/// `EnrollmentPolicies`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct Policies {
    account_owner_view_charges: bool,
    department_admin_view_charges: bool,
    marketplace_enabled: bool,
    reserved_instances_enabled: bool,
}

pub(crate) fn details(enrollment: &Enrollment, at: Instant) -> EnrollmentDetails {
    let EnrollmentPolicies {
        department_administrators_view_charges,
        account_owners_view_charges,
        marketplace_purchases,
        reservation_purchases,
    } = enrollment.policies;
    let policies = Policies {
        account_owner_view_charges: account_owners_view_charges.is_allowed(),
        department_admin_view_charges: department_administrators_view_charges.is_allowed(),
        marketplace_enabled: marketplace_purchases.is_allowed(),
        reserved_instances_enabled: reservation_purchases.is_allowed(),
    };
    EnrollmentDetails { facts: EnrollmentFacts::new(enrollment, at), policies }
}
