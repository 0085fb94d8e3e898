//! Opening an installation for a command: where it is, its clocks, its limits.

use anyhow::Context;
use calendar::{BusinessClock, SystemClock, WallClock};
use clap::Args;
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;
use service::{Clocks, Config, Reckoner};
use std::path::PathBuf;
use std::sync::Arc;

/// Where an installation is.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// Data directory.
    #[arg(long, env = "RECKONER_DATA_DIR", default_value = "reckoner-data")]
    pub(crate) data: PathBuf,
    /// Books in a shared PostgreSQL instead of SQLite in the data directory.
    #[arg(long, env = "RECKONER_STORE", value_name = "postgres://…")]
    pub(crate) store: Option<String>,
    /// Configuration file.
    #[arg(long, env = "RECKONER_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// The configuration file. Every key can be set as `RECKONER_LIMITS__KEY` too; unknown keys are
/// refused.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    buckets: Option<u16>,
    shards: Option<u16>,
    limits: Limits,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    batch_records: Option<u64>,
    record_bytes: Option<u64>,
    import_records: Option<u64>,
    tail_records: Option<u64>,
    overlay_rows: Option<u64>,
    group_columns: Option<u64>,
    answer_rows: Option<u64>,
    page_rows: Option<u64>,
    paged_rows: Option<u64>,
    page_seconds: Option<u64>,
    unlisted_seconds: Option<u64>,
    query_bytes: Option<u64>,
    cache_bytes: Option<u64>,
    requests_per_second: Option<u64>,
    request_burst: Option<u64>,
}

impl Place {
    /// The configuration of the place.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let mut figment = Figment::new();
        if let Some(path) = &self.config {
            figment = figment.merge(Toml::file_exact(path));
        }
        let keys = ["buckets", "shards", "limits"];
        let env = Env::prefixed("RECKONER_").split("__").filter(move |key| {
            let first = key.as_str().split('.').next().unwrap_or_default();
            keys.iter().any(|known| first.eq_ignore_ascii_case(known))
        });
        let file: File = figment.merge(env).extract().context("read the configuration")?;
        let mut config = Config::new(&self.data);
        config.postgres = self.store.clone();
        config.buckets = file.buckets.unwrap_or(config.buckets);
        config.shards = file.shards.unwrap_or(config.shards);
        file.limits.over(&mut config.limits);
        Ok(config)
    }

    /// Opens the installation on the machine's clock.
    pub(crate) async fn open(&self) -> anyhow::Result<Reckoner> {
        self.open_with(Arc::new(WallClock)).await
    }

    /// Opens the installation on a business clock.
    pub(crate) async fn open_with(
        &self,
        business: Arc<dyn BusinessClock>,
    ) -> anyhow::Result<Reckoner> {
        let system: Arc<dyn SystemClock> = Arc::new(WallClock);
        let clocks = Clocks { business, system };
        let opened = Reckoner::open(self.config()?, clocks).await;
        opened.with_context(|| format!("open {}", self.data.display()))
    }
}

impl Limits {
    fn over(self, limits: &mut service::Limits) {
        let Limits {
            batch_records,
            record_bytes,
            import_records,
            tail_records,
            overlay_rows,
            group_columns,
            answer_rows,
            page_rows,
            paged_rows,
            page_seconds,
            unlisted_seconds,
            query_bytes,
            cache_bytes,
            requests_per_second,
            request_burst,
        } = self;
        let set = |limit: &mut u64, given: Option<u64>| *limit = given.unwrap_or(*limit);
        set(&mut limits.batch_records, batch_records);
        set(&mut limits.record_bytes, record_bytes);
        set(&mut limits.import_records, import_records);
        set(&mut limits.tail_records, tail_records);
        set(&mut limits.overlay_rows, overlay_rows);
        set(&mut limits.group_columns, group_columns);
        set(&mut limits.answer_rows, answer_rows);
        set(&mut limits.page_rows, page_rows);
        set(&mut limits.paged_rows, paged_rows);
        set(&mut limits.page_seconds, page_seconds);
        set(&mut limits.unlisted_seconds, unlisted_seconds);
        set(&mut limits.query_bytes, query_bytes);
        set(&mut limits.cache_bytes, cache_bytes);
        set(&mut limits.requests_per_second, requests_per_second);
        set(&mut limits.request_burst, request_burst);
    }
}
