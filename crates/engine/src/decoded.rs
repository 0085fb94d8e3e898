//! Columns of files that stay decoded in memory, within a bound.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::BatchCoalescer;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::error::{Error, Result};
use crate::facts::{FileFacts, integer_range};
use crate::prune::may_pass;
use crate::query::Filter;
use crate::schema::{ColumnType, Schema};

/// Rows of one chunk: the least that a filter can leave out.
pub(crate) const CHUNK_ROWS: usize = 8 * 1024;

/// One column of one file, in chunks of [`CHUNK_ROWS`] rows.
struct Chunks {
    arrays: Vec<ArrayRef>,
    ranges: Vec<Option<(i64, i64)>>,
}

/// The cache, bounded by bytes; the least recently used column goes first.
pub(crate) struct Decoded {
    columns: Cache<(String, &'static str), Arc<Chunks>>,
    capacity_bytes: u64,
    /// One file is decoded at a time, so that two questions never decode the same one.
    pub(crate) decoding: tokio::sync::Mutex<()>,
}

impl Decoded {
    pub(crate) fn new(capacity_bytes: u64) -> Decoded {
        let weigh = |_: &(String, &'static str), chunks: &Arc<Chunks>| {
            let bytes: usize =
                chunks.arrays.iter().map(|array| array.get_array_memory_size()).sum();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let columns = Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(weigh)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Decoded { columns, capacity_bytes, decoding: tokio::sync::Mutex::new(()) }
    }

    /// Whether the columns of a file can stay at all.
    pub(crate) fn has_room(&self, facts: &FileFacts, schema: &Schema) -> bool {
        let width = |column_type: ColumnType| match column_type {
            ColumnType::Int32 => 4,
            ColumnType::Int64 => 8,
            ColumnType::Decimal | ColumnType::Quantity => 16,
            ColumnType::Text | ColumnType::Bytes => 32,
        };
        let row: u64 = schema.columns().iter().map(|column| width(column.column_type)).sum();
        facts.rows.saturating_mul(row) <= self.capacity_bytes
    }

    /// The columns of a file that are not here.
    pub(crate) fn missing(&self, facts: &FileFacts, schema: &Schema) -> Vec<&'static str> {
        let names = schema.columns().iter().map(|column| column.name);
        names.filter(|name| !self.columns.contains_key(&(facts.hash.clone(), *name))).collect()
    }

    /// Keeps columns of a file, decoded in the file's order.
    pub(crate) fn keep(
        &self,
        facts: &FileFacts,
        schema: &Schema,
        batches: Vec<RecordBatch>,
    ) -> Result<()> {
        let chunks = chunks(schema, batches)?;
        for (index, column) in schema.columns().iter().enumerate() {
            let arrays: Vec<ArrayRef> =
                chunks.iter().map(|chunk| chunk.column(index).clone()).collect();
            let ranges = arrays.iter().map(|array| integer_range(array.as_ref())).collect();
            let key = (facts.hash.clone(), column.name);
            self.columns.insert(key, Arc::new(Chunks { arrays, ranges }));
        }
        Ok(())
    }

    /// The chunks of a file that may pass the filters; nothing when a column is gone.
    pub(crate) fn read(
        &self,
        facts: &FileFacts,
        schema: &Schema,
        filters: &[Filter],
    ) -> Result<Option<Vec<RecordBatch>>> {
        let mut columns = HashMap::new();
        for column in schema.columns() {
            let Some(chunks) = self.columns.get(&(facts.hash.clone(), column.name)) else {
                return Ok(None);
            };
            columns.insert(column.name, chunks);
        }
        let count = columns.values().map(|chunks| chunks.arrays.len()).max().unwrap_or(0);
        let mut batches = Vec::with_capacity(count);
        for chunk in 0..count {
            let range = |name: &str| *columns.get(name)?.ranges.get(chunk)?;
            if !filters.iter().all(|filter| may_pass(filter, &range)) {
                continue;
            }
            let arrays: Vec<ArrayRef> = schema
                .columns()
                .iter()
                .filter_map(|column| columns.get(column.name)?.arrays.get(chunk).cloned())
                .collect();
            let rows = arrays.first().map_or(0, |array| array.len());
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let batch = RecordBatch::try_new_with_options(schema.arrow().clone(), arrays, &options)
                .map_err(|error| Error::failed("reading decoded columns", error))?;
            batches.push(batch);
        }
        Ok(Some(batches))
    }
}

/// Cuts batches into chunks of their own. Slices would do for reading, but whoever accounts for
/// memory counts the whole of a shared buffer for each of them.
pub(crate) fn chunks(schema: &Schema, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    let failed = |error| Error::failed("cutting rows into chunks", error);
    let mut coalescer = BatchCoalescer::new(schema.arrow().clone(), CHUNK_ROWS);
    for batch in batches {
        coalescer.push_batch(batch).map_err(failed)?;
    }
    coalescer.finish_buffered_batch().map_err(failed)?;
    Ok(std::iter::from_fn(|| coalescer.next_completed_batch()).collect())
}
