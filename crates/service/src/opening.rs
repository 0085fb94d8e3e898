//! Opening what an installation consists of, and putting what is not sealed back into memory.

use crate::{Config, Inner, cells, intake, rating, stored, watermarks};
use domain::{Error, Result};
use std::sync::Arc;
use store::Store;
use usagelog::{FilePlace, LogError, LogOptions, LogPlace, UsageLog};

/// Buckets and shards are what the directory was made with, whatever is configured today.
pub(crate) fn fixed_settings(store: &Store, config: Config) -> Result<Config> {
    let fixed = |name: &'static str, value: u16| -> Result<u16> {
        let kept =
            store.ensure_secret(name, &value.to_le_bytes()).map_err(stored("read the settings"))?;
        let bytes = <[u8; 2]>::try_from(kept.as_slice())
            .map_err(|e| Error::internal(format!("read setting `{name}`"), e))?;
        Ok(u16::from_le_bytes(bytes))
    };
    let (buckets, shards) = (fixed("buckets", config.buckets)?, fixed("shards", config.shards)?);
    Ok(Config { buckets, shards, ..config })
}

/// The files of the log, which no other process may hold.
pub(crate) fn open_files(config: &Config) -> Result<FilePlace> {
    let files = FilePlace::open(config.directory.join("log"), FilePlace::FILE_BYTES);
    files.map_err(|e| opening(config, e))
}

/// The log lies in files of one node, or in the shared PostgreSQL.
pub(crate) fn open_log(
    config: &Config,
    store: &Store,
    files: Option<FilePlace>,
    hash_key: [u8; 32],
) -> Result<UsageLog> {
    let place: Arc<dyn LogPlace> = match files {
        Some(files) => Arc::new(files),
        None => Arc::new(store.log_place().map_err(stored("open the usage log"))?),
    };
    let mut options = LogOptions::new(config.directory.join("index"), hash_key);
    options.shards = config.shards;
    UsageLog::open(place, options).map_err(|e| opening(config, e))
}

/// Why the log cannot be opened; nothing was appended.
fn opening(config: &Config, error: LogError) -> Error {
    match error {
        LogError::Locked { .. } => Error::Unavailable {
            problem: format!(
                "a server or another command runs on {}; stop it, or ask the server over HTTP, \
                 below /admin/v1 of its address",
                config.directory.display()
            ),
        },
        LogError::Unavailable { .. } => intake::log_error(&Arc::new(error)),
        other => Error::internal("open the usage log", other),
    }
}

impl Inner {
    /// Puts the records behind the sealed ones back into their cells.
    pub(crate) fn replay(&self) -> Result<()> {
        let sealed = self.store.sealed().map_err(stored("read the sealed positions"))?;
        for shard in 0..self.config.shards {
            let from =
                sealed.iter().find(|(of, _)| *of == shard).map_or(0, |(_, sequence)| *sequence);
            let failed = |e| Error::internal("read the usage log", e);
            for logged in self.log.read(shard, from) {
                let logged = logged.map_err(failed)?;
                let record = cells::TailRecord {
                    position: logged.position,
                    acknowledged_at: logged.acknowledged_at,
                    kind: logged.kind,
                    conflict_of: logged.conflict_of,
                    payload: Arc::from(logged.payload),
                };
                let (account, used_at) = rating::account_and_time(&record)?;
                self.watermarks.raise(watermarks::report_of(&record)?, record.acknowledged_at);
                self.cells.push(self.cell_key(&account, used_at), record);
            }
        }
        Ok(())
    }
}
