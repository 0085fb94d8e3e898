//! The engine: writes files, answers questions about them, keeps other objects.

use async_recursion::async_recursion as boxed;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use bytes::Bytes;
use datafusion::config::ConfigOptions;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryConsumer, MemoryPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::decoded::{CHUNK_ROWS, Decoded, chunks};
use crate::durable;
use crate::error::{Error, Result};
use crate::facts::FileFacts;
use crate::files::objects_url;
use crate::plan;
use crate::query::{Answer, Order, Query, Scan};
use crate::rows::Rows;
use crate::schema::Schema;
use crate::table::{Table, batches_table};
use crate::write;

/// Where objects are kept.
#[derive(Clone, Debug)]
pub enum ObjectPlace {
    /// Files below a directory, written durably.
    Directory(PathBuf),
    /// Any object store; a put that returns is durable there.
    Store(Arc<dyn ObjectStore>),
}

/// Where questions that outgrow the memory may put their intermediate rows.
#[derive(Clone, Debug)]
pub struct Spill {
    /// The directory, emptied by the engine.
    pub directory: PathBuf,
    /// The most bytes there.
    pub bytes: u64,
}

/// How an engine runs.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where objects are kept.
    pub place: ObjectPlace,
    /// The most memory that all questions together may use for their work.
    pub memory_bytes: usize,
    /// How many parts of a question run at once.
    pub threads: usize,
    /// The most memory for decoded columns of files, on top of `memory_bytes`.
    pub cached_bytes: u64,
    /// Where large questions may go; without it they are refused.
    pub spill: Option<Spill>,
}

/// DataFusion over one place of objects; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) context: SessionContext,
    pub(crate) decoded: Decoded,
    pub(crate) threads: usize,
    memory_bytes: usize,
    store: Arc<dyn ObjectStore>,
    pub(crate) directory: Option<PathBuf>,
}

impl Engine {
    /// Opens an engine; reads nothing yet.
    ///
    /// Errors: [`Error::Object`] when the directory cannot be used, [`Error::Failed`] when the
    /// options cannot be met.
    pub fn open(options: EngineOptions) -> Result<Engine> {
        let EngineOptions { place, memory_bytes, threads, cached_bytes, spill } = options;
        let (store, directory): (Arc<dyn ObjectStore>, Option<PathBuf>) = match place {
            ObjectPlace::Store(store) => (store, None),
            ObjectPlace::Directory(directory) => {
                let name = directory.display().to_string();
                std::fs::create_dir_all(&directory)
                    .map_err(|error| Error::Object { path: name.clone(), source: error.into() })?;
                let store = LocalFileSystem::new_with_prefix(&directory)
                    .map_err(|error| Error::object(&name, error))?
                    // A folder goes with its last object.
                    .with_automatic_cleanup(true);
                (Arc::new(store), Some(directory))
            }
        };
        let threads = threads.max(1);
        let runtime = runtime(memory_bytes, spill)?;
        runtime.register_object_store(objects_url().as_ref(), store.clone());
        let context =
            SessionContext::new_with_config_rt(configuration(threads, memory_bytes), runtime);
        let decoded = Decoded::new(cached_bytes);
        let inner = Inner { context, decoded, threads, memory_bytes, store, directory };
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// Writes rows as one file, sorted by the columns named, least first and nulls last. The file
    /// is whole and durable when this returns. A path is written once; writing it again is only
    /// for repeating what a crash interrupted.
    ///
    /// Errors: [`Error::Path`]; [`Error::Column`] for an unknown column or no rows to take the
    /// schema from; [`Error::Failed`] for rows of different schemas; [`Error::Object`].
    #[boxed]
    pub async fn write(&self, path: &str, rows: Vec<Rows>, sort_by: &[&str]) -> Result<FileFacts> {
        check_path(path)?;
        let sort_by: Vec<String> = sort_by.iter().map(|name| (*name).to_owned()).collect();
        let (bytes, mut facts) = blocking(move || write::encode(&rows, &sort_by)).await?;
        facts.path = path.to_owned();
        self.put(path, Bytes::from(bytes)).await?;
        Ok(facts)
    }

    /// Writes an object of any kind: all of it or nothing, and durable when this returns.
    ///
    /// Errors: [`Error::Path`], [`Error::Object`].
    #[boxed]
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let location = check_path(path)?;
        self.forget(&location);
        match &self.inner.directory {
            None => {
                let put = self.inner.store.put(&location, bytes.into()).await;
                put.map(|_| ()).map_err(|error| Error::object(path, error))
            }
            Some(directory) => {
                let (directory, name) = (directory.clone(), path.to_owned());
                blocking(move || {
                    durable::put(&directory, &name, &bytes)
                        .map_err(|error| Error::Object { path: name, source: error.into() })
                })
                .await
            }
        }
    }

    /// Reads a whole object.
    ///
    /// Errors: [`Error::Path`], [`Error::Missing`], [`Error::Object`].
    #[boxed]
    pub async fn get(&self, path: &str) -> Result<Bytes> {
        let location = check_path(path)?;
        let trouble = |error| Error::object(path, error);
        self.inner.store.get(&location).await.map_err(trouble)?.bytes().await.map_err(trouble)
    }

    /// Whether an object is there.
    ///
    /// Errors: [`Error::Path`], [`Error::Object`].
    #[boxed]
    pub async fn exists(&self, path: &str) -> Result<bool> {
        match self.inner.store.head(&check_path(path)?).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(Error::object(path, error)),
        }
    }

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// Errors: [`Error::Path`], [`Error::Object`].
    #[boxed]
    pub async fn delete(&self, path: &str) -> Result<()> {
        let location = check_path(path)?;
        self.forget(&location);
        match self.inner.store.delete(&location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::object(path, error)),
        }
    }

    /// Checks that a file is what was written, byte for byte.
    ///
    /// Errors: [`Error::Missing`], [`Error::Damaged`], [`Error::Object`].
    #[boxed]
    pub async fn check(&self, facts: &FileFacts) -> Result<()> {
        let bytes = self.get(&facts.path).await?;
        let damaged = |problem: String| Error::Damaged { path: facts.path.clone(), problem };
        if bytes.len() as u64 != facts.bytes {
            return Err(damaged(format!("{} bytes, not {}", bytes.len(), facts.bytes)));
        }
        let hash = blocking(move || Ok(write::hash(&bytes))).await?;
        if hash != facts.hash {
            return Err(damaged("its bytes have another hash".to_owned()));
        }
        Ok(())
    }

    /// Reads rows.
    ///
    /// Errors: [`Error::Column`] for a question that names what is not there; those of
    /// [`RowStream::next`].
    #[boxed]
    pub async fn scan(&self, scan: &Scan) -> Result<RowStream> {
        let schema = scan.schema.only(&scan.columns)?;
        let order = plan::order(&schema, &scan.order_by)?;
        let mut table =
            Table::of(self, &scan.schema, &scan.inputs, &scan.filters, &scan.columns).await?;
        let columns = scan.columns.iter().map(|name| plan::column(name));
        let mut frame = table.frame(self)?.select(columns.collect::<Vec<_>>()).map_err(planning)?;
        if !order.is_empty() {
            frame = frame.sort(order).map_err(planning)?;
        }
        frame = limited(frame, scan.limit)?;
        let files = table.files();
        let stream = self.run(frame, &files).await?;
        Ok(RowStream { engine: self.clone(), schema, stream, files })
    }

    /// Groups rows and measures the groups.
    ///
    /// Errors: [`Error::Column`] for a question that names what is not there or a name twice;
    /// [`Error::SumTooLarge`], [`Error::TooManyGroups`], [`Error::TooMuchMemory`];
    /// [`Error::Missing`], [`Error::Damaged`] and [`Error::Object`] for a file;
    /// [`Error::Failed`].
    #[boxed]
    pub async fn query(&self, query: &Query) -> Result<Answer> {
        let (groups, mut columns) = plan::groups(&query.schema, &query.group_by)?;
        let (measures, measured) = plan::measures(&query.schema, &query.measures)?;
        columns.extend(measured);
        let schema = Schema::new(&columns)?;
        plan::order(&schema, &query.order_by)?;
        let mut needed: Vec<&'static str> =
            query.group_by.iter().map(|group| group.column()).collect();
        needed.extend(query.measures.iter().filter_map(|measure| measure.column()));
        let mut table =
            Table::of(self, &query.schema, &query.inputs, &query.filters, &needed).await?;
        table.check_sums(&query.schema, &query.measures)?;
        let frame = table.frame(self)?.aggregate(groups, measures).map_err(planning)?;
        let files = table.files();
        let stream = self.run(frame, &files).await?;
        let batches = self.collect(stream, query.max_groups, &files).await?;
        let batches = self.ordered(&schema, query, batches).await?;
        let parts: Result<Vec<Rows>> =
            batches.into_iter().map(|batch| Rows::from_batch(&schema, batch)).collect();
        Ok(Answer { schema, parts: parts? })
    }

    /// Collects groups as long as they are not too many and fit the memory.
    async fn collect(
        &self,
        mut stream: SendableRecordBatchStream,
        max_groups: u64,
        files: &[Arc<FileFacts>],
    ) -> Result<Vec<RecordBatch>> {
        let pool = &self.inner.context.runtime_env().memory_pool;
        let held = MemoryConsumer::new("answer").register(pool);
        let mut groups: u64 = 0;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(self.explain(error, files).await),
            };
            groups = groups.saturating_add(batch.num_rows() as u64);
            if groups > max_groups {
                return Err(Error::TooManyGroups { limit: max_groups });
            }
            held.try_grow(sliced_bytes(&batch)).map_err(|error| self.refused(error))?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Orders groups and cuts them off. Ties are broken by the groups, so that the number of
    /// threads never changes an answer.
    async fn ordered(
        &self,
        schema: &Schema,
        query: &Query,
        batches: Vec<RecordBatch>,
    ) -> Result<Vec<RecordBatch>> {
        let mut order_by = query.order_by.clone();
        if order_by.is_empty() && query.limit.is_none() {
            return Ok(batches);
        }
        for group in &query.group_by {
            if !order_by.iter().any(|order| order.column == group.name()) {
                order_by.push(Order::up(group.name()));
            }
        }
        let mut owned = Vec::with_capacity(batches.len());
        for batch in batches {
            owned.push(Rows::from_batch(schema, batch)?.batch().clone());
        }
        let mut frame = batches_table(self, schema, chunks(schema, owned)?)?;
        if !order_by.is_empty() {
            frame = frame.sort(plan::order(schema, &order_by)?).map_err(planning)?;
        }
        let mut stream = self.run(limited(frame, query.limit)?, &[]).await?;
        let mut sorted = Vec::new();
        while let Some(batch) = stream.next().await {
            sorted.push(batch.map_err(|error| self.refused(error))?);
        }
        Ok(sorted)
    }

    pub(crate) async fn run(
        &self,
        frame: DataFrame,
        files: &[Arc<FileFacts>],
    ) -> Result<SendableRecordBatchStream> {
        match frame.execute_stream().await {
            Ok(stream) => Ok(stream),
            Err(error) => Err(self.explain(error, files).await),
        }
    }

    /// Finds the file behind a failure: DataFusion's own error seldom names it.
    pub(crate) async fn explain(&self, error: DataFusionError, files: &[Arc<FileFacts>]) -> Error {
        if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
            return self.refused(error);
        }
        for facts in files {
            if let Err(found) = self.check(facts).await {
                return found;
            }
        }
        Error::failed("answering", error)
    }

    fn refused(&self, error: DataFusionError) -> Error {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                Error::TooMuchMemory { limit_bytes: self.inner.memory_bytes, source: error.into() }
            }
            _ => Error::failed("answering", error),
        }
    }

    /// Forgets the Parquet metadata of a path that is about to change.
    pub(crate) fn forget(&self, location: &Path) {
        let environment = self.inner.context.runtime_env();
        environment.cache_manager.get_file_metadata_cache().remove(location);
    }
}

/// Rows of a [`Scan`], as they are read.
pub struct RowStream {
    engine: Engine,
    schema: Schema,
    stream: SendableRecordBatchStream,
    files: Vec<Arc<FileFacts>>,
}

impl RowStream {
    /// The columns of the rows.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The next rows; nothing after the last.
    ///
    /// Errors: [`Error::TooMuchMemory`]; [`Error::Missing`], [`Error::Damaged`] and
    /// [`Error::Object`] for a file; [`Error::Failed`].
    #[boxed]
    pub async fn next(&mut self) -> Result<Option<Rows>> {
        match self.stream.next().await {
            None => Ok(None),
            Some(Ok(batch)) => Rows::from_batch(&self.schema, batch).map(Some),
            Some(Err(error)) => Err(self.engine.explain(error, &self.files).await),
        }
    }

    /// All remaining rows in one piece: for answers that the caller knows to be small.
    ///
    /// Errors: as [`RowStream::next`] and [`Rows::concat`].
    #[boxed]
    pub async fn collect(mut self) -> Result<Rows> {
        let mut parts = Vec::new();
        while let Some(rows) = self.next().await? {
            parts.push(rows);
        }
        Rows::concat(&self.schema, &parts)
    }
}

pub(crate) fn planning(error: DataFusionError) -> Error {
    Error::failed("planning", error)
}

fn limited(frame: DataFrame, limit: Option<u64>) -> Result<DataFrame> {
    match limit {
        None => Ok(frame),
        Some(limit) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            frame.limit(0, Some(limit)).map_err(planning)
        }
    }
}

/// The bytes of a batch's own rows: batches of one answer often share their buffers.
fn sliced_bytes(batch: &RecordBatch) -> usize {
    let bytes = |array: &Arc<dyn Array>| array.to_data().get_slice_memory_size().unwrap_or(0);
    batch.columns().iter().map(bytes).sum()
}

fn runtime(memory_bytes: usize, spill: Option<Spill>) -> Result<Arc<RuntimeEnv>> {
    let (pool, disk): (Arc<dyn MemoryPool>, DiskManagerBuilder) = match spill {
        None => (
            Arc::new(GreedyMemoryPool::new(memory_bytes)),
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
        ),
        Some(Spill { directory, bytes }) => (
            Arc::new(FairSpillPool::new(memory_bytes)),
            DiskManagerBuilder::default()
                .with_mode(DiskManagerMode::Directories(vec![directory]))
                .with_max_temp_directory_size(bytes),
        ),
    };
    RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .with_disk_manager_builder(disk)
        .build_arc()
        .map_err(|error| Error::failed("opening the engine", error))
}

fn configuration(threads: usize, memory_bytes: usize) -> SessionConfig {
    let mut options = ConfigOptions::default();
    // Filters run while decoding, so that columns of rows which fail are never decoded.
    options.execution.parquet.pushdown_filters = true;
    // Our columns are Utf8 and Binary; views would only be cast back.
    options.execution.parquet.schema_force_view_types = false;
    options.execution.parquet.bloom_filter_on_read = false;
    options.execution.planning_concurrency = 1;
    // Each part of a sort sets this aside; together they must leave room for the rows.
    let reserved = memory_bytes.checked_div(threads.saturating_mul(8)).unwrap_or(0);
    let usual = options.execution.sort_spill_reservation_bytes;
    options.execution.sort_spill_reservation_bytes = usual.min(reserved);
    SessionConfig::from(options).with_target_partitions(threads).with_batch_size(CHUNK_ROWS)
}

/// Runs work that would hold up other tasks.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::failed("background work", error)),
    }
}

/// Lets through paths that mean the same in every store.
pub(crate) fn check_path(path: &str) -> Result<Path> {
    let refuse = |problem| Err(Error::Path { path: path.to_owned(), problem });
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._=-".contains(c);
    for part in path.split('/') {
        if part.is_empty() || part.starts_with('.') {
            return refuse("has an empty part or one that begins with a point");
        }
        if !part.chars().all(allowed) {
            return refuse("has other characters than letters, digits, `.`, `_`, `=` and `-`");
        }
    }
    Ok(Path::from(path))
}
