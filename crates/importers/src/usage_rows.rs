//! A usage file as an iterator of rows.

use crate::elements::Elements;
use crate::error::{FieldError, FileError, ImportError};
use crate::identity::Ordinals;
use crate::parquet_table::ParquetTable;
use crate::row::{Column, Naming, Row};
use crate::table::Table;
use crate::usage::{Assumed, ImportedRow, UsageFormat};
use crate::{aws_cur, azure_details, focus, mapped, oci_cost, usage_aggregates};
use serde_json::Value;
use std::fs::File;
use std::io::{Empty, Read};

/// Reads a usage file row by row.
///
/// Errors: [`FileError`] when the file does not have the columns of its format.
pub fn read_usage<R: Read>(
    format: UsageFormat,
    assumed: Assumed,
    reader: R,
) -> Result<UsageRows<R>, FileError> {
    let records = match shape(&format) {
        Shape::Answer => Records::Answer(Elements::new(reader)),
        Shape::Table(naming, delimiter) => {
            let table = Table::open(reader, delimiter, naming)?;
            require(&format, table.columns())?;
            Records::Table(table)
        }
    };
    Ok(UsageRows { format, assumed, records, ordinals: Ordinals::default(), ended: Ended::No })
}

/// Reads a Parquet file whose columns are those of a table format.
///
/// Numbers of decimal and whole types keep their digits; a binary float is read as the shortest
/// decimal that stands for it.
/// Errors: [`FileError`] when it is not Parquet, or lacks the columns of its format.
pub fn read_usage_parquet(
    format: UsageFormat,
    assumed: Assumed,
    file: File,
) -> Result<UsageRows<Empty>, FileError> {
    let Shape::Table(naming, _) = shape(&format) else {
        return Err(FileError::shape(format!("{} is no table format", format.name())));
    };
    let table = ParquetTable::open(file, naming)?;
    require(&format, table.columns())?;
    let records = Records::Parquet(table);
    Ok(UsageRows { format, assumed, records, ordinals: Ordinals::default(), ended: Ended::No })
}

/// The rows of a usage file, in the file's order.
///
/// After an [`ImportError::File`] nothing follows, and what came before is not the whole extract.
pub struct UsageRows<R> {
    format: UsageFormat,
    assumed: Assumed,
    records: Records<R>,
    ordinals: Ordinals,
    ended: Ended,
}

enum Records<R> {
    Answer(Elements<R>),
    Table(Table<R>),
    Parquet(ParquetTable),
}

#[derive(PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}

impl<R> UsageRows<R> {
    /// The file's format.
    pub fn format(&self) -> &UsageFormat {
        &self.format
    }

    /// Counts equal rows on from an earlier file (page, part) of the same extract.
    pub fn continuing(self, ordinals: Ordinals) -> UsageRows<R> {
        UsageRows { ordinals, ..self }
    }

    /// The counts of equal rows so far, for the next file of the same extract.
    pub fn into_ordinals(self) -> Ordinals {
        self.ordinals
    }
}

impl<R: Read> UsageRows<R> {
    /// Where the next page of the answer is, once all rows are read: this file is then not the
    /// whole extract.
    pub fn next_link(&self) -> Option<&str> {
        match &self.records {
            Records::Answer(elements) => elements.next_link(),
            Records::Table(_) | Records::Parquet(_) => None,
        }
    }

    fn advance(&mut self) -> Result<Option<ImportedRow>, ImportError> {
        let UsageRows { format, assumed, records, .. } = self;
        let (line, read, raw) = match records {
            Records::Answer(elements) => {
                let Some((line, bytes)) = elements.next()? else { return Ok(None) };
                let raw = String::from_utf8_lossy(&bytes).into_owned();
                (line, read_element(format, assumed, &bytes), raw)
            }
            Records::Table(table) => {
                let Some(line) = table.advance()? else { return Ok(None) };
                let read = read_row(format, assumed, table.row());
                let raw = if read.is_err() { table.raw() } else { String::new() };
                (line, read, raw)
            }
            Records::Parquet(table) => {
                let Some(line) = table.advance()? else { return Ok(None) };
                let read = read_row(format, assumed, table.row());
                let raw = if read.is_err() { table.raw() } else { String::new() };
                (line, read, raw)
            }
        };
        let row = read.map_err(|error| error.at(line, &raw))?;
        let identity = self.ordinals.identify(&row);
        Ok(Some(ImportedRow { line, identity, ..row }))
    }
}

impl<R: Read> Iterator for UsageRows<R> {
    type Item = Result<ImportedRow, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended == Ended::Yes {
            return None;
        }
        let next = self.advance().transpose();
        if matches!(next, None | Some(Err(ImportError::File(_)))) {
            self.ended = Ended::Yes;
        }
        next
    }
}

/// How a format's files are built.
enum Shape {
    Answer,
    Table(Naming, u8),
}

fn shape(format: &UsageFormat) -> Shape {
    match format {
        UsageFormat::AzureUsageAggregates | UsageFormat::AzureUsageDetailsJson => Shape::Answer,
        UsageFormat::AzureUsageDetailsCsv => Shape::Table(azure_details::NAMING, b','),
        UsageFormat::Focus => Shape::Table(focus::NAMING, b','),
        UsageFormat::AwsCur => Shape::Table(aws_cur::NAMING, b','),
        UsageFormat::OciCostReport => Shape::Table(oci_cost::NAMING, b','),
        UsageFormat::Mapped(mapping) => {
            let delimiter = u8::try_from(mapping.delimiter).unwrap_or(b',');
            Shape::Table(mapped::NAMING, delimiter)
        }
    }
}

fn require(format: &UsageFormat, columns: &[Column]) -> Result<(), FileError> {
    let missing = |name: &str| FileError::shape(format!("{}: no column `{name}`", format.name()));
    let has = |name: &str| columns.iter().any(|column| column.key == name);
    let required = match format {
        UsageFormat::AzureUsageAggregates | UsageFormat::AzureUsageDetailsJson => return Ok(()),
        UsageFormat::AzureUsageDetailsCsv => azure_details::REQUIRED,
        UsageFormat::Focus => focus::REQUIRED,
        UsageFormat::AwsCur => aws_cur::REQUIRED,
        UsageFormat::OciCostReport => oci_cost::REQUIRED,
        UsageFormat::Mapped(mapping) => {
            return match mapped::required(mapping).find(|name| !has(name)) {
                Some(name) => Err(missing(name)),
                None => Ok(()),
            };
        }
    };
    match required.iter().find(|names| !names.iter().any(|name| has(name))) {
        Some(names) => Err(missing(&names.join("` or `"))),
        None => Ok(()),
    }
}

fn read_element(
    format: &UsageFormat,
    assumed: &Assumed,
    bytes: &[u8],
) -> Result<ImportedRow, FieldError> {
    let element: Value = serde_json::from_slice(bytes)
        .map_err(|error| FieldError::new("row", format!("is not JSON: {error}")))?;
    match format {
        UsageFormat::AzureUsageAggregates => usage_aggregates::read(element),
        _ => azure_details::read_element(element, assumed),
    }
}

fn read_row(
    format: &UsageFormat,
    assumed: &Assumed,
    row: Row<'_>,
) -> Result<ImportedRow, FieldError> {
    match format {
        UsageFormat::Focus => focus::read(row, assumed),
        UsageFormat::AwsCur => aws_cur::read(row, assumed),
        UsageFormat::OciCostReport => oci_cost::read(row, assumed),
        UsageFormat::Mapped(mapping) => mapped::read(row, mapping, assumed),
        UsageFormat::AzureUsageAggregates
        | UsageFormat::AzureUsageDetailsJson
        | UsageFormat::AzureUsageDetailsCsv => azure_details::read(row, assumed),
    }
}
