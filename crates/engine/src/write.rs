//! Sorts rows and encodes them as one Parquet file.

use std::cmp::Ordering;

use arrow::array::{RecordBatch, UInt32Array, make_comparator};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::error::{Error, Result};
use crate::facts::FileFacts;
use crate::packing::packed;
use crate::rows::Rows;

/// Rows of one row group: the least that a filter can leave out by statistics.
const GROUP_ROWS: usize = 128 * 1024;

/// The order of files: least first, nulls last, as in [`crate::Turn::Up`].
const UP: SortOptions = SortOptions { descending: false, nulls_first: false };

/// Encodes rows, sorted by some of their columns; the facts lack only the path.
pub(crate) fn encode(rows: &[Rows], sort_by: &[String]) -> Result<(Vec<u8>, FileFacts)> {
    let first = rows.first().ok_or_else(|| Error::column("", "there are no rows to write"))?;
    let schema = first.schema();
    let keys: Result<Vec<usize>> = sort_by.iter().map(|name| schema.position(name)).collect();
    let keys = keys?;
    let mut facts = FileFacts { sorted_by: sort_by.to_vec(), ..FileFacts::default() };
    let failed = |error: ArrowError| Error::failed("sorting rows", error);
    let joined = Rows::concat(schema, rows)?;
    facts.observe(joined.batch());
    let order = order(joined.batch(), &keys).map_err(failed)?;
    let stored = packed(joined.batch()).map_err(failed)?;
    drop(joined);
    let failed = |error: parquet::errors::ParquetError| Error::failed("encoding rows", error);
    let mut bytes = Vec::new();
    let options = ArrowWriterOptions::new()
        .with_properties(properties(&stored.schema())?)
        .with_skip_arrow_metadata(true);
    let arrow = stored.schema();
    let mut writer =
        ArrowWriter::try_new_with_options(&mut bytes, arrow, options).map_err(failed)?;
    for from in (0..stored.num_rows()).step_by(GROUP_ROWS) {
        let length = GROUP_ROWS.min(stored.num_rows().saturating_sub(from));
        let piece = match &order {
            None => stored.slice(from, length),
            Some(order) => take_record_batch(&stored, &order.slice(from, length))
                .map_err(|error| Error::failed("sorting rows", error))?,
        };
        writer.write(&piece).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    facts.bytes = bytes.len() as u64;
    facts.hash = hash(&bytes);
    Ok((bytes, facts))
}

/// The hash that [`FileFacts`] hold.
pub(crate) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn properties(schema: &Schema) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(|error| Error::failed("choosing zstd", error))?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    for field in schema.fields().iter().filter(|field| *field.data_type() == DataType::Binary) {
        // Whole records: hardly two are alike, and nobody filters by them.
        let column = ColumnPath::from(field.name().as_str());
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_statistics_enabled(column, EnabledStatistics::None);
    }
    Ok(properties.build())
}

/// The rows in sorted order; nothing when they are already so.
fn order(
    batch: &RecordBatch,
    keys: &[usize],
) -> std::result::Result<Option<UInt32Array>, ArrowError> {
    if is_sorted(batch, keys)? {
        return Ok(None);
    }
    let columns: Vec<SortColumn> = keys
        .iter()
        .map(|key| SortColumn { values: batch.column(*key).clone(), options: Some(UP) })
        .collect();
    lexsort_to_indices(&columns, None).map(Some)
}

fn is_sorted(batch: &RecordBatch, keys: &[usize]) -> std::result::Result<bool, ArrowError> {
    let mut comparators = Vec::with_capacity(keys.len());
    for key in keys {
        let array = batch.column(*key);
        comparators.push(make_comparator(array, array, UP)?);
    }
    let in_order = |row: usize| {
        let orders = comparators.iter().map(|compare| compare(row.saturating_sub(1), row));
        orders.fold(Ordering::Equal, Ordering::then) != Ordering::Greater
    };
    Ok((1..batch.num_rows()).all(in_order))
}
