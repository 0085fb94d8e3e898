//! Agreements: as both versions spell them.

use crate::Billing;
use crate::at;
use crate::same::agreements::{get, whole};
use httpkit::Group;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Customer agreements.
        .get("Agreements_ListByBillingAccount", at::ACCOUNT, "/agreements", whole)
        .get("Agreements_Get", at::ACCOUNT, "/agreements/{agreementName}", get)
}
