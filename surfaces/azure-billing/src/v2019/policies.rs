//! Policies: as both versions spell them.

use crate::Billing;
use crate::at;
use crate::same::policies::{get, put, put_of_customer};
use httpkit::Group;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Where there are billing profiles.
        .get("Policies_GetByBillingProfile", at::PROFILE, "/policies/default", get)
        .put("Policies_Update", at::PROFILE, "/policies/default", put)
        .get("Policies_GetByCustomer", at::CUSTOMER, "/policies/default", get)
        .put("Policies_UpdateCustomer", at::CUSTOMER, "/policies/default", put_of_customer)
}
