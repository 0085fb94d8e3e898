//! The log's limits.

use std::path::PathBuf;
use std::time::Duration;

/// How a log is opened. Sizes are in bytes.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// How many shards; fixed when the log is made.
    pub shards: u16,
    /// Where the de-duplication index is kept; may be deleted while the log is closed.
    pub index_dir: PathBuf,
    /// The secret under which keys are hashed; fixed when the log is made.
    pub hash_key: [u8; 32],
    /// A group is closed at this size, though a batch is never cut.
    pub group_bytes: usize,
    /// How long a group waits for more batches once it has one; usually not at all.
    pub group_wait: Duration,
    /// How much may wait for a shard's writer before callers are told that it is busy.
    pub queue_bytes: usize,
    /// How many entries of a shard the index keeps in memory before it writes a run.
    pub run_entries: usize,
}

impl LogOptions {
    /// The limits for a small machine.
    pub fn new(index_dir: impl Into<PathBuf>, hash_key: [u8; 32]) -> LogOptions {
        LogOptions {
            shards: 4,
            index_dir: index_dir.into(),
            hash_key,
            group_bytes: 1 << 20,
            group_wait: Duration::ZERO,
            queue_bytes: 64 << 20,
            run_entries: 400_000,
        }
    }
}
