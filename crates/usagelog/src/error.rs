//! What can go wrong with the log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of the log's verbs.
pub type Result<T> = std::result::Result<T, LogError>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Reading or writing failed. After a failed append the process must end.
    #[error("{what} failed")]
    Io {
        /// What was being done, and to which file.
        what: String,
        /// The operating system's word.
        #[source]
        source: io::Error,
    },
    /// The disk or the quota is full. What was begun is rolled back; a later append may succeed.
    #[error("{what} failed: no space is left, usage is read-only until some is freed")]
    Full {
        /// What was being done, and to which file.
        what: String,
        /// The operating system's word.
        #[source]
        source: io::Error,
    },
    /// The place cannot be reached; nothing was written and a later append may succeed.
    #[error("{what} failed for now")]
    Unavailable {
        /// What was being done.
        what: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Bytes are not what was written.
    #[error("{place} is damaged at byte {offset}: {problem}")]
    Damaged {
        /// File or table.
        place: String,
        /// Byte offset within it.
        offset: u64,
        /// What does not hold.
        problem: String,
    },
    /// Another process has the log open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Another owner has taken the shard since.
    #[error("epoch {epoch} of shard {shard} is over; the shard is at epoch {current}")]
    StaleEpoch {
        /// The shard.
        shard: u16,
        /// The epoch that tried.
        epoch: u32,
        /// The epoch in force.
        current: u32,
    },
    /// More is waiting than may wait.
    #[error("{queued_bytes} bytes wait for shard {shard}; at most {most_bytes} may")]
    Busy {
        /// The shard.
        shard: u16,
        /// What waits.
        queued_bytes: usize,
        /// What may wait.
        most_bytes: usize,
    },
    /// A key, an entry or a batch is larger than the format holds.
    #[error("{what} of {size_bytes} bytes is too large; at most {most_bytes} are kept")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        size_bytes: usize,
        /// The limit.
        most_bytes: usize,
    },
    /// The log has no such shard.
    #[error("shard {shard} does not exist; the log has {shards}")]
    NoShard {
        /// The shard asked for.
        shard: u16,
        /// How many there are.
        shards: u16,
    },
    /// The number of shards is fixed when the log is made.
    #[error("the log was made with {stored} shards and cannot be opened with {asked}")]
    ShardCount {
        /// What was asked for.
        asked: u16,
        /// What the log was made with.
        stored: u16,
    },
    /// The entries were hashed under another secret; opening would accept duplicates.
    #[error("the hash key is not the one that shard {shard} was written with")]
    WrongHashKey {
        /// The shard.
        shard: u16,
    },
    /// An earlier failure ended writing; the process must end.
    #[error("the log has stopped after an earlier failure")]
    Stopped {
        /// That failure.
        #[source]
        cause: Arc<LogError>,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

impl LogError {
    /// Whether the process must end: nothing may be acknowledged any more.
    pub fn is_fatal(&self) -> bool {
        match self {
            LogError::Io { .. }
            | LogError::Damaged { .. }
            | LogError::StaleEpoch { .. }
            | LogError::Stopped { .. } => true,
            LogError::Full { .. }
            | LogError::Unavailable { .. }
            | LogError::Locked { .. }
            | LogError::Busy { .. }
            | LogError::TooLarge { .. }
            | LogError::NoShard { .. }
            | LogError::ShardCount { .. }
            | LogError::WrongHashKey { .. }
            | LogError::Closed => false,
        }
    }

    /// Whether the same append may succeed later, nothing having been written.
    pub fn is_passing(&self) -> bool {
        matches!(self, LogError::Full { .. } | LogError::Unavailable { .. } | LogError::Busy { .. })
    }

    /// An I/O failure on a file; a full disk is told apart.
    pub(crate) fn io(verb: &str, path: &Path, source: io::Error) -> LogError {
        let what = format!("{verb} {}", path.display());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                LogError::Full { what, source }
            }
            _ => LogError::Io { what, source },
        }
    }

    /// Damage in a file.
    pub(crate) fn damaged(place: impl Into<String>, offset: u64, problem: &str) -> LogError {
        LogError::Damaged { place: place.into(), offset, problem: problem.to_owned() }
    }
}
