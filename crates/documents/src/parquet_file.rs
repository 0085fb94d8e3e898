//! Writing a sheet as a Parquet file.

use crate::{Column, ColumnKind, Sheet};
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use calendar::Instant;
use money::Fixed18;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::{self, Write};
use std::sync::Arc;

/// Digits of a decimal column, of which [`Fixed18::PLACES`] stand behind the point.
const DIGITS: u8 = 38;
/// Places of a decimal column.
const PLACES: i8 = 18;
/// Rows that are turned into columns at once.
const ROWS_AT_ONCE: usize = 8_192;

/// Rows of one row group: what a file that is written a few rows at a time holds in memory, packed.
const GROUP_ROWS: usize = 128 * 1024;

/// Writes a Parquet file: text as strings, days as dates, counts as 64-bit integers, numbers as
/// decimals of 38 digits with 18 places. A missing value is null.
///
/// Errors: [`io::ErrorKind::InvalidData`] for a cell that its column cannot hold exactly, with
/// column and row; whatever `out` fails with.
pub fn write_parquet(sheet: &Sheet, out: &mut (impl Write + Send)) -> io::Result<()> {
    let mut file = ParquetFile::begin(&sheet.columns, out)?;
    file.add(&sheet.rows)?;
    file.finish()
}

/// A Parquet file that is written a few rows at a time, from the front to the back.
pub struct ParquetFile<'a, W: Write + Send> {
    columns: &'a [Column],
    schema: Arc<Schema>,
    writer: ArrowWriter<W>,
    /// Rows that were added.
    rows: usize,
}

impl<'a, W: Write + Send> ParquetFile<'a, W> {
    /// Begins a file, as [`write_parquet`] writes it.
    ///
    /// Errors: whatever `out` fails with.
    pub fn begin(columns: &'a [Column], out: W) -> io::Result<ParquetFile<'a, W>> {
        let fields: Vec<Field> = columns.iter().map(field).collect();
        let schema = Arc::new(Schema::new(fields));
        let level = ZstdLevel::try_new(3).map_err(io::Error::other)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))
            .map_err(io::Error::other)?;
        Ok(ParquetFile { columns, schema, writer, rows: 0 })
    }

    /// Adds rows, one cell for each column.
    ///
    /// Errors: as [`write_parquet`]; rows are counted through the whole file.
    pub fn add(&mut self, rows: &[Vec<Option<String>>]) -> io::Result<()> {
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let first = self.rows.saturating_add(1);
            let arrays = self.columns.iter().enumerate().map(|(at, column)| {
                let cells = rows.iter().map(|row| row.get(at).and_then(Option::as_deref));
                array(column, cells, first)
            });
            let arrays = arrays.collect::<io::Result<Vec<_>>>()?;
            let batch =
                RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(io::Error::other)?;
            self.writer.write(&batch).map_err(io::Error::other)?;
            self.rows = self.rows.saturating_add(rows.len());
        }
        Ok(())
    }

    /// Writes the end of the file.
    ///
    /// Errors: whatever the place it goes to fails with.
    pub fn finish(self) -> io::Result<()> {
        self.writer.close().map(|_| ()).map_err(io::Error::other)
    }
}

fn field(column: &Column) -> Field {
    let kind = match column.kind {
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Date => DataType::Date32,
        ColumnKind::Count => DataType::Int64,
        ColumnKind::Number => DataType::Decimal128(DIGITS, PLACES),
    };
    Field::new(&column.name, kind, true)
}

/// Some cells of a column; `first` is the number of the first row, from 1.
fn array<'a>(
    column: &Column,
    cells: impl Iterator<Item = Option<&'a str>>,
    first: usize,
) -> io::Result<ArrayRef> {
    let cells = (first..).zip(cells).map(|(row, cell)| Cell { column, row, text: cell });
    Ok(match column.kind {
        ColumnKind::Text => Arc::new(cells.map(|cell| cell.text).collect::<StringArray>()),
        ColumnKind::Date => {
            let days: io::Result<Vec<_>> = cells.map(|cell| cell.read("a day", day)).collect();
            Arc::new(Date32Array::from(days?))
        }
        ColumnKind::Count => {
            let count = |text: &str| text.parse::<i64>().ok();
            let counts: io::Result<Vec<_>> =
                cells.map(|cell| cell.read("a 64-bit integer", count)).collect();
            Arc::new(Int64Array::from(counts?))
        }
        ColumnKind::Number => {
            let what = "a decimal of 38 digits with 18 places";
            let atoms: io::Result<Vec<_>> = cells.map(|cell| cell.read(what, decimal)).collect();
            let array = Decimal128Array::from(atoms?).with_precision_and_scale(DIGITS, PLACES);
            Arc::new(array.map_err(io::Error::other)?)
        }
    })
}

/// One cell, and where it stands.
struct Cell<'a> {
    column: &'a Column,
    row: usize,
    text: Option<&'a str>,
}

impl Cell<'_> {
    fn read<T>(&self, what: &str, read: impl Fn(&str) -> Option<T>) -> io::Result<Option<T>> {
        let Cell { column, row, text } = self;
        let Some(text) = text else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| {
            let problem = format!("column `{}`, row {row}: `{text}` is not {what}", column.name);
            io::Error::new(io::ErrorKind::InvalidData, problem)
        })
    }
}

/// Days since 1970-01-01.
fn day(text: &str) -> Option<i32> {
    let day = Instant::parse(text).ok()?.day();
    (day.to_string() == text).then(|| day.number())
}

/// Atoms (10⁻¹⁸) within 38 digits: the type of numbers goes a little beyond.
fn decimal(text: &str) -> Option<i128> {
    const MOST: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;
    let atoms = Fixed18::parse(text).ok()?.atoms();
    (-MOST..=MOST).contains(&atoms).then_some(atoms)
}
