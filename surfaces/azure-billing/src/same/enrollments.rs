//! Departments and the details of an enrollment: what both versions spell alike of enterprise
//! agreements.

use crate::resource::{AzurePlan, enrollment_status, filled};
use calendar::Instant;
use domain::agreements::{Agreement, Enrollment};
use serde::Serialize;
use service::{CustomerTold, PlaceTold};

/// The members of `DepartmentProperties` but for what lies below.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct DepartmentFacts {
    department_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_center: Option<String>,
    status: &'static str,
}

impl From<&PlaceTold> for DepartmentFacts {
    fn from(told: &PlaceTold) -> DepartmentFacts {
        DepartmentFacts {
            department_name: told.name.clone(),
            cost_center: told.seen.as_ref().and_then(|seen| filled(&seen.facts.cost_center)),
            status: enrollment_status(told.state),
        }
    }
}

/// `Enrollment` but for its policies.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct EnrollmentFacts {
    start_date: String,
    end_date: String,
    currency: String,
    country_code: String,
    status: &'static str,
    billing_cycle: &'static str,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
}

impl EnrollmentFacts {
    /// As it stands at a moment.
    pub(crate) fn new(enrollment: &Enrollment, at: Instant) -> EnrollmentFacts {
        EnrollmentFacts {
            start_date: enrollment.term.start().to_string(),
            end_date: enrollment.term.end().to_string(),
            currency: enrollment.currency.to_string(),
            country_code: enrollment.country.to_string(),
            status: if enrollment.term.contains(at) { "Active" } else { "Expired" },
            billing_cycle: "Monthly",
            channel: None,
            language: None,
        }
    }
}

/// The enrollment of an enterprise agreement.
pub(crate) const fn enrollment(agreement: &Agreement) -> Option<&Enrollment> {
    match agreement {
        Agreement::Enterprise(enrollment) => Some(enrollment),
        Agreement::Customer { .. }
        | Agreement::Partner
        | Agreement::OnlineServices
        | Agreement::Messaging => None,
    }
}

/// `Reseller`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct Reseller {
    reseller_id: String,
    description: String,
}

impl From<&domain::places::Reseller> for Reseller {
    fn from(domain::places::Reseller { id, name }: &domain::places::Reseller) -> Reseller {
        Reseller { reseller_id: id.to_string(), description: name.clone() }
    }
}

/// The resellers of a customer.
pub(crate) fn resellers(told: &CustomerTold) -> Vec<Reseller> {
    told.resellers.iter().map(Reseller::from).collect()
}

/// The plans of a customer.
pub(crate) fn plans(told: &CustomerTold) -> Vec<AzurePlan> {
    told.plans.iter().map(AzurePlan::from).collect()
}
