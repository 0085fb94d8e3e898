//! `2019-10-01-preview`: structure and access, and what accounts hold.

pub(crate) mod accounts;
pub(crate) mod agreements;
pub(crate) mod customers;
pub(crate) mod departments;
pub(crate) mod enrollment_accounts;
pub(crate) mod instructions;
pub(crate) mod moves;
pub(crate) mod payment_methods;
pub(crate) mod permissions;
pub(crate) mod policies;
pub(crate) mod products;
pub(crate) mod profiles;
pub(crate) mod property;
pub(crate) mod role_assignments;
pub(crate) mod role_definitions;
pub(crate) mod sections;
pub(crate) mod subscriptions;

use crate::Billing;
use httpkit::Group;

/// What this version has of structure and access, and of what accounts hold.
pub(crate) fn group() -> Group<Billing> {
    accounts::group()
        .merge(agreements::group())
        .merge(customers::group())
        .merge(departments::group())
        .merge(enrollment_accounts::group())
        .merge(instructions::group())
        .merge(moves::group())
        .merge(payment_methods::group())
        .merge(permissions::group())
        .merge(policies::group())
        .merge(products::group())
        .merge(profiles::group())
        .merge(property::group())
        .merge(role_assignments::group())
        .merge(role_definitions::group())
        .merge(sections::group())
        .merge(subscriptions::group())
}

#[cfg(test)]
mod tests;
