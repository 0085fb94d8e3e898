//! Instructions: as both versions spell them.

use crate::Billing;
use crate::at;
use crate::same::instructions::{get, list, put};
use httpkit::Group;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Where there are billing profiles.
        .get("Instructions_ListByBillingProfile", at::PROFILE, "/instructions", list)
        .get("Instructions_Get", at::PROFILE, "/instructions/{instructionName}", get)
        .put("Instructions_Put", at::PROFILE, "/instructions/{instructionName}", put)
}
