//! Where a log is kept: local files here, PostgreSQL in `store`.

use crate::error::Result;

/// One group as it goes to its place: whole, durable, or not at all.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// The shard.
    pub shard: u16,
    /// The epoch of the writer.
    pub epoch: u32,
    /// Sequence of its first entry.
    pub first_sequence: u64,
    /// How many entries it holds; at least one.
    pub count: u32,
    /// The group in its frame (see [`crate::frame`]).
    pub bytes: &'a [u8],
}

/// Whole groups, one after the other, as they were appended.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// File or table, for messages.
    pub place: String,
    /// Where in it the bytes begin.
    pub offset: u64,
    /// The groups; empty when there are none from the sequence asked for.
    pub bytes: Vec<u8>,
}

/// A shard that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The epoch given out, greater than every earlier one.
    pub epoch: u32,
    /// The sequence that the next entry will have.
    pub end: u64,
}

/// Keeps groups of bytes durably, per shard, in order.
pub trait LogPlace: Send + Sync + 'static {
    /// Fixes the number of shards when the log is new, and refuses another number later.
    ///
    /// Errors: [`crate::LogError::ShardCount`].
    fn begin(&self, shards: u16) -> Result<()>;

    /// Takes a shard: gives out the next epoch, durably, and cuts off what a crash left half done.
    ///
    /// Errors: [`crate::LogError::Damaged`] when something durable is not as it was written.
    fn take(&self, shard: u16) -> Result<Opened>;

    /// Appends one group durably.
    ///
    /// Answers `Ok` only if it is durable. An error that [`crate::LogError::is_passing`] promises
    /// that nothing was written; after any other the caller stops for good. A place whose commit
    /// can have an unknown outcome looks the group up before it answers.
    ///
    /// Errors: [`crate::LogError::StaleEpoch`] when a later epoch was given out.
    fn append(&self, group: Group<'_>) -> Result<()>;

    /// Reads whole durable groups: first the one that holds `from_sequence`, then as many as
    /// follow within about `most_bytes`. At least one if there is one.
    fn read(&self, shard: u16, from_sequence: u64, most_bytes: usize) -> Result<Chunk>;

    /// Notes that the shard is durable up to `end`, so that a shorter one is known as damaged.
    fn release(&self, shard: u16, end: u64) -> Result<()>;
}
