//! AggregatedCost: what a management group cost with all that lies below it. The books have no such
//! groups, so whichever is named is missing.

use crate::at::{At, Version};
use crate::scopes::{MANAGEMENT_GROUP, PERIOD};
use crate::{Consumption, PROVIDER};
use armkit::ArmError;
use domain::Error;
use httpkit::{Asking, Group};

pub(crate) fn group(version: Version) -> Group<Consumption> {
    let of_period = match version {
        // The first version leaves `providers` out here.
        Version::V2019 => format!("{PERIOD}/Microsoft.Consumption"),
        Version::V2021 => format!("{PERIOD}{PROVIDER}"),
    };
    let by_group = format!("{PROVIDER}/aggregatedcost");
    Group::new()
        .get("AggregatedCost_GetByManagementGroup", MANAGEMENT_GROUP, &by_group, missing)
        .get(
            "AggregatedCost_GetForBillingPeriodByManagementGroup",
            MANAGEMENT_GROUP,
            &format!("{of_period}/aggregatedCost"),
            missing,
        )
}

async fn missing(Asking(_): Asking, at: At) -> ArmError {
    Error::not_found("management group", at.name("managementGroupId")).into()
}
