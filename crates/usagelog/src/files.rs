//! The log in local files: a directory per shard, files named by their first sequence.
//!
//! ```text
//! DIR/lock           held while a process writes
//! DIR/shards         how many shards the log was made with
//! DIR/shard-0000/    epoch          the epoch given out last, and how far the shard surely reached
//!                    <first>.log    groups, one after the other
//!                    <first>.marks  where groups stand in a full file; made again if missing
//! ```

mod append;
mod copy;
mod layout;
mod note;
mod recover;

use crate::error::{LogError, Result};
use crate::place::{Chunk, Group, LogPlace, Opened};
use append::ShardFiles;
use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Keeps a log in a directory of its own.
#[derive(Debug)]
pub struct FilePlace {
    dir: PathBuf,
    file_bytes: u64,
    shards: RwLock<HashMap<u16, Arc<ShardFiles>>>,
    _lock: File,
}

impl FilePlace {
    /// Size at which a file is followed by the next, unless told otherwise.
    pub const FILE_BYTES: u64 = 64 << 20;

    /// Opens or makes the directory and keeps every other process out of it.
    ///
    /// Errors: [`LogError::Locked`].
    pub fn open(dir: impl Into<PathBuf>, file_bytes: u64) -> Result<FilePlace> {
        let dir = dir.into();
        let lock = lock(&dir)?;
        Ok(FilePlace { dir, file_bytes, shards: RwLock::default(), _lock: lock })
    }

    fn shard(&self, shard: u16) -> Result<Arc<ShardFiles>> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        shards.get(&shard).cloned().ok_or(LogError::Closed)
    }

    fn shard_dir(&self, shard: u16) -> PathBuf {
        self.dir.join(format!("shard-{shard:04}"))
    }
}

impl LogPlace for FilePlace {
    fn begin(&self, shards: u16) -> Result<()> {
        let path = self.dir.join("shards");
        if !path.exists() {
            note::replace(&path, format!("{shards}\n").as_bytes())?;
        }
        let text = fs::read_to_string(&path).map_err(|e| LogError::io("reading", &path, e))?;
        let stored = text.trim().parse::<u16>();
        let place = path.display().to_string();
        let stored = stored.map_err(|_| LogError::damaged(place, 0, "no number of shards"))?;
        if stored == shards { Ok(()) } else { Err(LogError::ShardCount { asked: shards, stored }) }
    }

    fn take(&self, shard: u16) -> Result<Opened> {
        let dir = self.shard_dir(shard);
        fs::create_dir_all(&dir).map_err(|e| LogError::io("making", &dir, e))?;
        sync_dir(&self.dir)?;
        let files = ShardFiles::take(shard, dir, self.file_bytes)?;
        let opened = files.opened();
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        shards.insert(shard, Arc::new(files));
        Ok(opened)
    }

    fn append(&self, group: Group<'_>) -> Result<()> {
        self.shard(group.shard)?.append(group)
    }

    fn read(&self, shard: u16, from_sequence: u64, most_bytes: usize) -> Result<Chunk> {
        self.shard(shard)?.read(from_sequence, most_bytes)
    }

    fn release(&self, shard: u16, end: u64) -> Result<()> {
        self.shard(shard)?.release(end)
    }
}

/// Makes a directory and keeps every other process out of it while the handle lives.
///
/// Errors: [`LogError::Locked`].
pub(crate) fn lock(dir: &Path) -> Result<File> {
    fs::create_dir_all(dir).map_err(|e| LogError::io("making", dir, e))?;
    let path = dir.join("lock");
    let lock = File::create(&path).map_err(|e| LogError::io("making", &path, e))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked { path }),
        Err(TryLockError::Error(e)) => Err(LogError::io("locking", &path, e)),
    }
}

/// Makes what a directory lists durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    let handle = File::open(dir).map_err(|e| LogError::io("opening", dir, e))?;
    handle.sync_all().map_err(|e| LogError::io("syncing", dir, e))
}
