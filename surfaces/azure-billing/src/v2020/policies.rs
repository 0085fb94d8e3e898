//! Policies: as both versions spell them.

use crate::Billing;
use crate::at;
use crate::same::policies::get;
use httpkit::Group;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Where there are billing profiles.
        .get("Policies_GetByBillingProfile", at::PROFILE, "/policies/default", get)
        .get("Policies_GetByCustomer", at::CUSTOMER, "/policies/default", get)
}
