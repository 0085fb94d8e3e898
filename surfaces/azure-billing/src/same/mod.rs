//! Resources that both versions spell alike: their handlers, views and conversions stand once.

pub(crate) mod agreements;
pub(crate) mod available_balances;
pub(crate) mod enrollments;
pub(crate) mod holdings;
pub(crate) mod instructions;
pub(crate) mod invoices;
pub(crate) mod moves;
pub(crate) mod permissions;
pub(crate) mod policies;
pub(crate) mod products;
pub(crate) mod subscriptions;
pub(crate) mod transactions;
