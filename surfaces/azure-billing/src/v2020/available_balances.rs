//! AvailableBalances: as both versions spell them.

use crate::Billing;
use crate::at;
use crate::same::available_balances::get;
use httpkit::Group;

pub(crate) fn group() -> Group<Billing> {
    // Customer agreements.
    Group::new().get("AvailableBalances_Get", at::PROFILE, "/availableBalance/default", get)
}
