//! Columns in, columns out: DataFusion and Parquet behind a few verbs.
//!
//! The engine knows columns, files and sums. It knows nothing of billing, and nobody above it
//! knows DataFusion, Arrow or Parquet: rows go in through [`RowsBuilder`] and come out through the
//! typed views of [`Rows`].

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod decoded;
mod durable;
mod engine;
mod error;
mod facts;
mod files;
mod functions;
mod packing;
mod plan;
mod prune;
mod query;
mod rows;
mod schema;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod write;

pub use engine::{Engine, EngineOptions, ObjectPlace, RowStream, Spill};
pub use error::{Error, Result};
pub use facts::FileFacts;
pub use object_store;
pub use query::{
    Answer, Filter, Group, Hidden, Input, Keep, Measure, Order, Query, Scan, Turn, Without,
};
pub use rows::{Cell, Decimals, Int32s, Int64s, Rows, RowsBuilder, Texts, Value, Values, View};
pub use schema::{Column, ColumnType, Nulls, Schema};
pub use sweep::OldFile;
