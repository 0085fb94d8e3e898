//! The inputs of a question as one DataFusion table.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, not};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;

use crate::decoded::chunks;
use crate::engine::{Engine, planning};
use crate::error::{Error, Result};
use crate::facts::{FileFacts, reach};
use crate::files::Files;
use crate::functions::one_of;
use crate::plan;
use crate::prune::{may_pass, normal};
use crate::query::{Filter, Input, Keep, Measure, Without};
use crate::rows::Rows;
use crate::schema::Schema;

/// The inputs that may hold rows of the answer, reduced to the columns the question reads.
pub(crate) struct Table {
    schema: Schema,
    filters: Vec<Filter>,
    test: Option<Expr>,
    leaves: Vec<Leaf>,
    memory: Vec<Rows>,
    files: Vec<Arc<FileFacts>>,
}

/// Inputs that hide the same rows.
struct Leaf {
    without: Option<Without>,
    files: Vec<Arc<FileFacts>>,
    batches: Vec<RecordBatch>,
}

impl Table {
    /// Takes the inputs of a question that reads `columns` and its filters' own.
    pub(crate) async fn of(
        engine: &Engine,
        schema: &Schema,
        inputs: &[Input],
        filters: &[Filter],
        columns: &[&'static str],
    ) -> Result<Table> {
        let filters: Vec<Filter> = filters.iter().map(normal).collect();
        let mut test: Option<Expr> = None;
        for filter in &filters {
            let next = plan::filter(schema, filter)?;
            test = Some(match test {
                None => next,
                Some(test) => test.and(next),
            });
        }
        let schema = needed(schema, inputs, &filters, columns)?;
        let mut table = Table {
            schema,
            filters,
            test,
            leaves: Vec::new(),
            memory: Vec::new(),
            files: Vec::new(),
        };
        let mut fresh = Vec::new();
        for input in inputs {
            match input {
                Input::Memory(rows) => fresh.push(table.take_rows(rows)?),
                Input::File { facts, without, keep } => {
                    let range = |name: &str| facts.ranges.get(name).copied();
                    if facts.rows > 0 && table.filters.iter().all(|filter| may_pass(filter, &range))
                    {
                        let without = without.as_ref().filter(|without| hides(without, facts));
                        table.take_file(engine, facts, without, *keep).await?;
                    }
                }
            }
        }
        if !fresh.is_empty() {
            // All together: memory for a whole chunk is taken at once, and there may be thousands
            // of inputs with a few rows each.
            let chunks = chunks(&table.schema, fresh)?;
            table.leaf(None).batches.extend(chunks);
        }
        Ok(table)
    }

    fn take_rows(&mut self, rows: &Rows) -> Result<RecordBatch> {
        let batch = narrowed(&self.schema, rows)?;
        self.memory.push(Rows::from_batch(&self.schema, batch.clone())?);
        Ok(batch)
    }

    async fn take_file(
        &mut self,
        engine: &Engine,
        facts: &Arc<FileFacts>,
        without: Option<&Without>,
        keep: Keep,
    ) -> Result<()> {
        self.files.push(facts.clone());
        let decoded = match keep {
            Keep::Packed => None,
            Keep::Decoded => decode(engine, facts, &self.schema, &self.filters).await?,
        };
        let leaf = self.leaf(without);
        match decoded {
            Some(batches) => leaf.batches.extend(batches),
            None => leaf.files.push(facts.clone()),
        }
        Ok(())
    }

    /// The leaf of inputs that hide the same rows.
    fn leaf(&mut self, without: Option<&Without>) -> &mut Leaf {
        let same = |leaf: &Leaf| match (&leaf.without, without) {
            (None, None) => true,
            (Some(a), Some(b)) => a.column == b.column && Arc::ptr_eq(&a.values, &b.values),
            _ => false,
        };
        let position = self.leaves.iter().position(same).unwrap_or(self.leaves.len());
        if position == self.leaves.len() {
            let without = without.cloned();
            self.leaves.push(Leaf { without, files: Vec::new(), batches: Vec::new() });
        }
        &mut self.leaves[position]
    }

    /// Refuses sums that could pass what a sum can hold: DataFusion's would wrap in silence.
    pub(crate) fn check_sums(&self, schema: &Schema, measures: &[Measure]) -> Result<()> {
        for measure in measures {
            let Measure::Sum(column) = measure else { continue };
            let mut total: u128 = 0;
            for facts in &self.files {
                total = total.saturating_add(facts.sum_abs.get(*column).copied().unwrap_or(0));
            }
            let position = self.schema.position(column)?;
            for rows in &self.memory {
                let sum = reach(rows.batch().column(position)).map_or(0, |reach| reach.sum);
                total = total.saturating_add(sum);
            }
            if total > schema.column(column)?.column_type.sum_limit() {
                return Err(Error::SumTooLarge { column, reach: total });
            }
        }
        Ok(())
    }

    /// The rows that pass the filters.
    pub(crate) fn frame(&mut self, engine: &Engine) -> Result<DataFrame> {
        let mut frames = Vec::new();
        for leaf in std::mem::take(&mut self.leaves) {
            let mut parts = Vec::new();
            if !leaf.files.is_empty() {
                parts.push(read(engine, Arc::new(Files::new(&self.schema, leaf.files)))?);
            }
            if !leaf.batches.is_empty() {
                parts.push(batches_table(engine, &self.schema, leaf.batches)?);
            }
            for part in parts {
                frames.push(match &leaf.without {
                    None => part,
                    Some(Without { column, values }) => {
                        let hidden = one_of(plan::column(column), values.clone());
                        part.filter(not(hidden)).map_err(planning)?
                    }
                });
            }
        }
        let mut frames = frames.into_iter();
        let first = match frames.next() {
            Some(first) => first,
            None => batches_table(engine, &self.schema, Vec::new())?,
        };
        let all = frames.try_fold(first, DataFrame::union).map_err(planning)?;
        match self.test.take() {
            None => Ok(all),
            Some(test) => all.filter(test).map_err(planning),
        }
    }

    /// The files that may be read.
    pub(crate) fn files(&self) -> Vec<Arc<FileFacts>> {
        self.files.clone()
    }
}

/// The columns that a question reads, in the schema's order; at least one, so that rows count.
fn needed(
    schema: &Schema,
    inputs: &[Input],
    filters: &[Filter],
    columns: &[&'static str],
) -> Result<Schema> {
    let mut names = columns.to_vec();
    filters.iter().for_each(|filter| plan::filter_columns(filter, &mut names));
    for input in inputs {
        if let Input::File { without: Some(without), .. } = input {
            if !schema.column(without.column)?.column_type.is_integer() {
                return Err(Error::column(without.column, "has no integers to hide"));
            }
            names.push(without.column);
        }
    }
    for name in &names {
        schema.column(name)?;
    }
    let mut used: Vec<_> =
        schema.columns().iter().filter(|column| names.contains(&column.name)).copied().collect();
    if used.is_empty() {
        used.extend(schema.columns().first());
    }
    Schema::new(&used)
}

/// Whether a file can hold a hidden value at all.
fn hides(without: &Without, facts: &FileFacts) -> bool {
    match facts.ranges.get(without.column) {
        None => true,
        Some((least, greatest)) => {
            without.values.iter().any(|value| (least..=greatest).contains(&value))
        }
    }
}

/// The needed columns of rows in memory.
fn narrowed(schema: &Schema, rows: &Rows) -> Result<RecordBatch> {
    let mut positions = Vec::with_capacity(schema.columns().len());
    for column in schema.columns() {
        let position = rows.schema().position(column.name)?;
        if rows.schema().columns()[position].column_type != column.column_type {
            let problem = format!("holds {:?} in the question", column.column_type);
            return Err(Error::column(column.name, problem));
        }
        positions.push(position);
    }
    rows.batch().project(&positions).map_err(|error| Error::failed("reading rows in memory", error))
}

/// The chunks of a file, decoded now if they are not yet; nothing when they cannot stay.
async fn decode(
    engine: &Engine,
    facts: &Arc<FileFacts>,
    schema: &Schema,
    filters: &[Filter],
) -> Result<Option<Vec<RecordBatch>>> {
    let decoded = &engine.inner.decoded;
    if !decoded.has_room(facts, schema) {
        return Ok(None);
    }
    if let Some(batches) = decoded.read(facts, schema, filters)? {
        return Ok(Some(batches));
    }
    let _one_at_a_time = decoded.decoding.lock().await;
    let missing = schema.only(&decoded.missing(facts, schema))?;
    if !missing.columns().is_empty() {
        let failed = [facts.clone()];
        let mut stream = match in_order(engine, &missing, facts).await {
            Ok(stream) => stream,
            Err(error) => return Err(engine.explain(error, &failed).await),
        };
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            match batch {
                Ok(batch) => batches.push(batch),
                Err(error) => return Err(engine.explain(error, &failed).await),
            }
        }
        decoded.keep(facts, &missing, batches)?;
    }
    decoded.read(facts, schema, filters)
}

/// A file's rows in its own order, which the chunks of its columns share. The plan is run as it
/// stands, so that no optimizer splits the file.
async fn in_order(
    engine: &Engine,
    schema: &Schema,
    facts: &Arc<FileFacts>,
) -> datafusion::error::Result<SendableRecordBatchStream> {
    let context = &engine.inner.context;
    let files = Files::in_order(schema, facts.clone());
    let plan = files.scan(&context.state(), None, &[], None).await?;
    execute_stream(plan, context.task_ctx())
}

fn read(engine: &Engine, table: Arc<dyn TableProvider>) -> Result<DataFrame> {
    engine.inner.context.read_table(table).map_err(planning)
}

/// Batches as a table, dealt out to the threads.
pub(crate) fn batches_table(
    engine: &Engine,
    schema: &Schema,
    batches: Vec<RecordBatch>,
) -> Result<DataFrame> {
    let share = batches.len().div_ceil(engine.inner.threads).max(1);
    let mut parts: Vec<Vec<RecordBatch>> =
        batches.chunks(share).map(<[RecordBatch]>::to_vec).collect();
    if parts.is_empty() {
        parts.push(Vec::new());
    }
    let table = MemTable::try_new(schema.arrow().clone(), parts).map_err(planning)?;
    read(engine, Arc::new(table))
}
