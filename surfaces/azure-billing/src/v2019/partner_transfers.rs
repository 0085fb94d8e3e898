//! PartnerTransfers: what a partner asks a customer's people to hand over to it.

use super::transfers::{ALL, INITIATE, ONE, cancel, get, initiate, list};
use crate::{Billing, at};
use httpkit::Group;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .post("PartnerTransfers_Initiate", at::PROFILE_CUSTOMER, INITIATE, initiate)
        .get("PartnerTransfers_Get", at::PROFILE_CUSTOMER, ONE, get)
        .delete("PartnerTransfers_Cancel", at::PROFILE_CUSTOMER, ONE, cancel)
        .get("PartnerTransfers_List", at::PROFILE_CUSTOMER, ALL, list)
}
