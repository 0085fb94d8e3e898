//! The nouns and rules of billing. Pure: no I/O, no async, no serialisation, no clock.
//!
//! Read in this order: [`ids`], [`usage`], [`catalog`], [`company`], [`rated`], then the rules
//! ([`resolve`], [`aggregate`], [`pricing`], [`rating`], [`access`]).
//!
//! What lies below a billing account: [`places`], [`agreements`], [`holdings`], [`moves`].

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod access;
pub mod addresses;
pub mod aggregate;
pub mod agreements;
pub mod api_keys;
pub mod catalog;
pub mod company;
pub mod encoding;
pub mod error;
pub mod holdings;
pub mod ids;
pub mod moves;
pub mod places;
pub mod pricing;
pub mod rated;
pub mod rating;
pub mod reservations;
pub mod resolve;
pub mod timeline;
pub mod usage;

pub use error::{Error, Kind, Result};

#[cfg(test)]
mod fixtures;
