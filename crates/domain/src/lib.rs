//! The nouns and rules of billing. Pure: no I/O, no async, no serialisation, no clock.
//!
//! Read in this order: [`ids`], [`usage`], [`catalog`], [`company`], [`rated`], then the rules
//! ([`resolve`], [`aggregate`], [`pricing`], [`rating`], [`access`]).
//!
//! Where rated rows end the books begin: [`recurring`] and [`offer_terms`] make the other charges,
//! [`credits`], [`tax`] and [`invoice`] make a document of them, [`invoice_state`], [`notes`] and
//! [`payments`] are its life, [`ledger`] and [`posting`] keep the money, [`correction`] amends
//! what is closed, and [`chain`] seals it. [`closes`] puts them together for one payer and period,
//! [`delivery`] for what comes after an invoice was issued; [`balance_summaries`] folds it by
//! billing period, [`credit_summaries`] and [`lot_events`] tell what became of lots.
//!
//! What the books need to know of sellers and payers: [`billing_terms`].
//!
//! What lies below a billing account: [`places`], [`agreements`], [`holdings`], their [`moves`] in
//! it and [`transfers`] to another; what is noted of it and moves no money: [`payment_methods`],
//! [`accepted_agreements`], [`instructions`], [`tags`].
//!
//! What cost is held against, and what it is expected to come to: [`budgets`], [`forecasts`],
//! [`spend_filters`].
//!
//! Questions for added-up charges that are answered later: [`usage_queries`].

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod accepted_agreements;
pub mod access;
pub mod addresses;
pub mod aggregate;
pub mod agreements;
pub mod api_keys;
pub mod balance_summaries;
pub mod billing_terms;
pub mod budgets;
pub mod catalog;
pub mod chain;
pub mod close_schedule;
pub mod closes;
pub mod company;
pub mod correction;
pub mod credit_summaries;
pub mod credits;
pub mod delivery;
pub mod encoding;
pub mod enterprise_keys;
pub mod error;
pub mod forecasts;
pub mod holdings;
pub mod ids;
pub mod instructions;
pub mod invoice;
pub mod invoice_state;
pub mod ledger;
pub mod lot_events;
pub mod moves;
pub mod notes;
pub mod numbering;
pub mod offer_terms;
pub mod payment_methods;
pub mod payments;
pub mod places;
pub mod posting;
pub mod price_sheets;
pub mod pricing;
pub mod rated;
pub mod rating;
pub mod recurring;
pub mod reservations;
pub mod resolve;
pub mod spend_filters;
pub mod tags;
pub mod tax;
pub mod timeline;
pub mod transfers;
pub mod usage;
pub mod usage_queries;

pub use error::{Error, Kind, Result};

#[cfg(test)]
mod fixtures;
