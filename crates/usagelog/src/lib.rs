//! The append-only usage log: the only truth about usage, its shards and its de-duplication index.
//!
//! Read in this order: [`entry`], [`place`], [`log`], then [`frame`] (what a group looks like),
//! [`files`] (the place on a local disk) and [`index`] (the cache that finds duplicates).

pub mod entry;
pub mod error;
pub mod files;
pub mod frame;
pub mod index;
pub mod log;
pub mod options;
pub mod place;
mod read;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use entry::{Entry, EntryKind, Logged, Placed, content_hash, key_hash};
pub use error::{LogError, Result};
pub use files::FilePlace;
pub use frame::Header;
pub use log::{Done, Health, UsageLog, shard_of};
pub use options::LogOptions;
pub use place::{Chunk, Group, LogPlace, Opened};
pub use read::Entries;
pub use verify::{Report, ShardReport};
