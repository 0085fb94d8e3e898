//! Answers as documents: text tables, CSV, JSON.

mod sheet;
mod write;

pub use sheet::{Column, ColumnKind, Sheet};
pub use write::{write_csv, write_json, write_json_lines, write_text};

#[cfg(test)]
mod tests;
