//! `2019-10-01-preview`, group by group.

pub(crate) mod accounts;
pub(crate) mod agreements;
pub(crate) mod available_balances;
pub(crate) mod customers;
pub(crate) mod departments;
pub(crate) mod enrollment_accounts;
pub(crate) mod instructions;
pub(crate) mod invoices;
pub(crate) mod moves;
pub(crate) mod partner_transfers;
pub(crate) mod payment_methods;
pub(crate) mod permissions;
pub(crate) mod policies;
pub(crate) mod price_sheets;
pub(crate) mod products;
pub(crate) mod profiles;
pub(crate) mod property;
pub(crate) mod recipient_transfers;
pub(crate) mod role_assignments;
pub(crate) mod role_definitions;
pub(crate) mod sections;
pub(crate) mod subscriptions;
pub(crate) mod transactions;
pub(crate) mod transfer_details;
pub(crate) mod transfers;

use crate::Billing;
use httpkit::Group;

/// What this version serves.
pub(crate) fn group() -> Group<Billing> {
    accounts::group()
        .merge(agreements::group())
        .merge(available_balances::group())
        .merge(customers::group())
        .merge(departments::group())
        .merge(enrollment_accounts::group())
        .merge(instructions::group())
        .merge(invoices::group())
        .merge(moves::group())
        .merge(partner_transfers::group())
        .merge(payment_methods::group())
        .merge(permissions::group())
        .merge(policies::group())
        .merge(products::group())
        .merge(price_sheets::group())
        .merge(profiles::group())
        .merge(property::group())
        .merge(recipient_transfers::group())
        .merge(role_assignments::group())
        .merge(role_definitions::group())
        .merge(sections::group())
        .merge(subscriptions::group())
        .merge(transactions::group())
        .merge(transfers::group())
}

#[cfg(test)]
mod tests;
