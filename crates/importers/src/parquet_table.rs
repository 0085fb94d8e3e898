//! Rows of a Parquet file, as text like those of a CSV file.

use crate::error::{FileError, ImportError, cut};
use crate::row::{Column, Naming, Row, canonical, columns};
use arrow::array::{Array, ArrayRef, AsArray, MapArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};
use std::fs::File;

/// A Parquet file, batch by batch.
pub(crate) struct ParquetTable {
    batches: ParquetRecordBatchReader,
    columns: Vec<Column>,
    texts: Vec<ArrayRef>,
    length: usize,
    place: usize,
    line: u64,
}

impl ParquetTable {
    pub(crate) fn open(file: File, naming: Naming) -> Result<ParquetTable, FileError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(broken)?;
        let schema = builder.schema().clone();
        for field in schema.fields() {
            check_type(field)?;
        }
        let columns = columns(schema.fields().iter().map(|field| field.name().as_str()), naming);
        let batches = builder.with_batch_size(1_024).build().map_err(broken)?;
        Ok(ParquetTable { batches, columns, texts: Vec::new(), length: 0, place: 0, line: 0 })
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Goes to the next row and tells its number from 1; none at the end.
    pub(crate) fn advance(&mut self) -> Result<Option<u64>, ImportError> {
        self.place = self.place.saturating_add(1);
        while self.place >= self.length {
            let Some(batch) = self.batches.next() else { return Ok(None) };
            let batch = batch.map_err(broken)?;
            self.texts = texts(&batch).map_err(broken)?;
            (self.length, self.place) = (batch.num_rows(), 0);
        }
        self.line = self.line.saturating_add(1);
        Ok(Some(self.line))
    }

    pub(crate) fn row(&self) -> Row<'_> {
        Row::of_table(&self.columns, self.cells())
    }

    pub(crate) fn raw(&self) -> String {
        cut(&self.cells().collect::<Vec<_>>().join(","), 1_000)
    }

    fn cells(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|column| {
            let column = column.as_string::<i32>();
            if column.is_null(self.place) { "" } else { column.value(self.place) }
        })
    }
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> FileError {
    FileError::Parquet(Box::new(error))
}

/// Lists and structures have no place in a row of texts; a map of texts is an object of tags.
fn check_type(field: &Field) -> Result<(), FileError> {
    let is_readable = match field.data_type() {
        DataType::Map(..) => true,
        other => !other.is_nested(),
    };
    if is_readable {
        return Ok(());
    }
    let problem = format!("column `{}` is nested: {}", field.name(), field.data_type());
    Err(FileError::shape(problem))
}

fn texts(batch: &RecordBatch) -> Result<Vec<ArrayRef>, arrow::error::ArrowError> {
    batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Map(..) => objects(column.as_map()),
            // With a zone the values count from 1970 in UTC; only their display is in the zone.
            DataType::Timestamp(unit, Some(_)) => {
                let counts = cast(column, &DataType::Int64)?;
                cast(&cast(&counts, &DataType::Timestamp(*unit, None))?, &DataType::Utf8)
            }
            _ => cast(column, &DataType::Utf8),
        })
        .collect()
}

/// Maps as JSON objects.
fn objects(maps: &MapArray) -> Result<ArrayRef, arrow::error::ArrowError> {
    let object = |place: usize| {
        if maps.is_null(place) {
            return Ok(None);
        }
        let entries = maps.value(place);
        let keys = cast(entries.column(0), &DataType::Utf8)?;
        let values = cast(entries.column(1), &DataType::Utf8)?;
        let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
        let members = keys.iter().zip(values.iter()).filter_map(|(key, value)| {
            Some((
                key?.to_owned(),
                value.map_or(Value::Null, |text| Value::String(text.to_owned())),
            ))
        });
        Ok(Some(canonical(Value::Object(members.collect::<Map<String, Value>>()))))
    };
    let texts: Result<Vec<Option<String>>, arrow::error::ArrowError> =
        (0..maps.len()).map(object).collect();
    Ok(std::sync::Arc::new(arrow::array::StringArray::from(texts?)))
}
