//! The nouns and rules of billing. Pure: no I/O, no async, no serialisation, no clock.
//!
//! Read in this order: [`ids`], [`usage`], [`catalog`], [`company`], [`rated`], then the rules
//! ([`resolve`], [`aggregate`], [`pricing`], [`rating`], [`access`]).

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod access;
pub mod aggregate;
pub mod catalog;
pub mod company;
pub mod encoding;
pub mod error;
pub mod ids;
pub mod pricing;
pub mod rated;
pub mod rating;
pub mod resolve;
pub mod usage;

pub use error::{Error, Kind, Result};

#[cfg(test)]
mod fixtures;
