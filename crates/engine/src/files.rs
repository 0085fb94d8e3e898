//! Written files as a DataFusion table: known by their facts, never listed.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::facts::FileFacts;
use crate::schema::Schema;

/// Bytes read from the end of a file to find its metadata in one go.
const FOOTER_BYTES: usize = 64 * 1024;

/// Files of one schema, read as one table.
#[derive(Debug)]
pub(crate) struct Files {
    schema: SchemaRef,
    files: Vec<Arc<FileFacts>>,
    parts: Parts,
}

/// How many parts of the files may be read at once.
#[derive(Debug)]
enum Parts {
    One,
    PerThread,
}

impl Files {
    pub(crate) fn new(schema: &Schema, files: Vec<Arc<FileFacts>>) -> Files {
        Files { schema: schema.arrow().clone(), files, parts: Parts::PerThread }
    }

    /// One file whose rows must come in its own order.
    pub(crate) fn in_order(schema: &Schema, file: Arc<FileFacts>) -> Files {
        Files { schema: schema.arrow().clone(), files: vec![file], parts: Parts::One }
    }
}

/// The URL under which the engine's objects are registered with DataFusion.
pub(crate) fn objects_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse("engine://objects").expect("the text is a URL without a path")
}

#[async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let environment = state.runtime_env();
        let reader = CachedParquetFileReaderFactory::new(
            environment.object_store(objects_url())?,
            environment.cache_manager.get_file_metadata_cache(),
        );
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_metadata_size_hint(FOOTER_BYTES)
            .with_parquet_file_reader_factory(Arc::new(reader));
        let files = self.files.iter().map(|file| PartitionedFile::new(&file.path, file.bytes));
        let files = FileGroup::new(files.collect());
        let groups = match self.parts {
            Parts::One => vec![files],
            Parts::PerThread => files.split_files(state.config().target_partitions()),
        };
        let config = FileScanConfigBuilder::new(objects_url(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_preserve_order(matches!(self.parts, Parts::One))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
