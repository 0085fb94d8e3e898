//! The surfaces: one line each.

use httpkit::{House, Surface};
use service::Reckoner;

/// Every surface that this program serves.
pub(crate) fn all(reckoner: &Reckoner, house: &House) -> Vec<Surface> {
    vec![
        admin::surface(reckoner, house),
        arm_base::surface(reckoner, house),
        azure_billing::surface(reckoner, house),
        azure_commerce::surface(reckoner, house),
        azure_consumption::surface(reckoner, house),
        azure_enterprise::surface(reckoner, house),
        infobip_usage::surface(reckoner, house),
        intake::surface(reckoner, house),
    ]
}
