//! The groups of `2019-10-01-preview`: a file for each.

use crate::Billing;
use httpkit::Group;

/// What is served of this version, beside operations and addresses.
pub(crate) fn group() -> Group<Billing> {
    Group::new()
}
