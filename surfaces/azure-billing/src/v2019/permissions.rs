//! BillingPermissions: as both versions spell them; this one has those of enterprise agreements.

use crate::Billing;
use crate::at;
use crate::same::permissions::{list, whole};
use httpkit::Group;

const TAIL: &str = "/billingPermissions";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("BillingPermissions_ListByBillingAccount", at::ACCOUNT, TAIL, list)
        .get("BillingPermissions_ListByBillingProfile", at::PROFILE, TAIL, whole)
        .get("BillingPermissions_ListByInvoiceSections", at::SECTION, TAIL, whole)
        .get("BillingPermissions_ListByCustomer", at::CUSTOMER, TAIL, whole)
        .get("BillingPermissions_ListByDepartment", at::DEPARTMENT, TAIL, list)
        .get("BillingPermissions_ListByEnrollmentAccount", at::ENROLLMENT_ACCOUNT, TAIL, list)
}
