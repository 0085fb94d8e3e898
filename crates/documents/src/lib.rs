//! Answers as documents: text tables, CSV, JSON, Parquet; several in one archive.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod archive;
mod invoices;
mod parquet_file;
mod sheet;
mod write;

pub use archive::Archive;
pub use invoices::{invoice_lines, note_lines};
pub use parquet_file::{ParquetFile, write_parquet};
pub use sheet::{Column, ColumnKind, Sheet};
pub use write::{guarded, write_csv, write_json, write_json_lines, write_text};

#[cfg(test)]
mod tests;
