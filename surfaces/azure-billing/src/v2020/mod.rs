//! `2020-05-01`, group by group.

pub(crate) mod accounts;
pub(crate) mod agreements;
pub(crate) mod available_balances;
pub(crate) mod customers;
pub(crate) mod enrollments;
pub(crate) mod instructions;
pub(crate) mod invoices;
pub(crate) mod moves;
pub(crate) mod permissions;
pub(crate) mod policies;
pub(crate) mod products;
pub(crate) mod profiles;
pub(crate) mod property;
pub(crate) mod reservations;
pub(crate) mod role_assignments;
pub(crate) mod role_definitions;
pub(crate) mod sections;
pub(crate) mod subscriptions;
pub(crate) mod transactions;

use crate::Billing;
use armkit::List;
use httpkit::Group;
use serde::Serialize;

/// What this version serves.
pub(crate) fn group() -> Group<Billing> {
    accounts::group()
        .merge(agreements::group())
        .merge(available_balances::group())
        .merge(customers::group())
        .merge(instructions::group())
        .merge(invoices::group())
        .merge(moves::group())
        .merge(permissions::group())
        .merge(policies::group())
        .merge(products::group())
        .merge(profiles::group())
        .merge(property::group())
        .merge(reservations::group())
        .merge(role_assignments::group())
        .merge(role_definitions::group())
        .merge(sections::group())
        .merge(subscriptions::group())
        .merge(transactions::group())
}

/// A page of a list that says how long it is as a whole.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CountedList<T> {
    #[serde(flatten)]
    pub(crate) page: List<T>,
    pub(crate) total_count: usize,
}

/// What `$expand` put into a resource: always all of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Expanded<T> {
    has_more_results: bool,
    value: Vec<T>,
}

impl<T> FromIterator<T> for Expanded<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Expanded<T> {
        Expanded { has_more_results: false, value: items.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests;
