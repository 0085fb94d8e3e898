//! What goes into the log, what comes out, and what became of it.

use calendar::Instant;
use domain::usage::Position;
use std::sync::Arc;

/// What an entry's payload is. The log keeps the number and does not look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryKind(pub u8);

impl EntryKind {
    /// A usage record in its canonical encoding.
    pub const RECORD: EntryKind = EntryKind(0);
    /// Input with a usable key whose other fields could not be read; kept as it came.
    pub const UNREADABLE: EntryKind = EntryKind(1);
}

/// One entry to append. Its hashes are computed on the caller's thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Keyed 128-bit hash of the key.
    pub key_hash: u128,
    /// 128-bit hash of the content under its key.
    pub content_hash: u128,
    /// What the payload is.
    pub kind: EntryKind,
    /// The whole key; compared when equal hashes meet other content.
    pub key: Vec<u8>,
    /// The bytes to keep; shared with whoever else holds them.
    pub payload: Arc<[u8]>,
}

impl Entry {
    /// Makes an entry; `content` is what must be equal for a repeated key to be a duplicate.
    pub fn new(
        kind: EntryKind,
        key: Vec<u8>,
        content: &[u8],
        payload: impl Into<Arc<[u8]>>,
        hash_key: &[u8; 32],
    ) -> Entry {
        let key_hash = key_hash(hash_key, &key);
        let content_hash = content_hash(&key, content);
        Entry { key_hash, content_hash, kind, key, payload: payload.into() }
    }
}

/// Hash of a key under the installation's secret, so that nobody outside can make keys collide.
pub fn key_hash(hash_key: &[u8; 32], key: &[u8]) -> u128 {
    first_half(&blake3::keyed_hash(hash_key, key))
}

/// Hash of a content under its key, so that equal content hashes mean equal keys too.
pub fn content_hash(key: &[u8], content: &[u8]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes()).update(key).update(content);
    first_half(&hasher.finalize())
}

fn first_half(hash: &blake3::Hash) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_be_bytes(half)
}

/// What became of an entry. Said only when it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placed {
    /// Its key was new; it stands here.
    New(Position),
    /// The same key and content stand here already; nothing was written.
    Duplicate(Position),
    /// The key stands at `first` with other content; this one was kept apart at `kept`.
    Conflict {
        /// The first with this key; it counts.
        first: Position,
        /// This one; it does not count until it is settled.
        kept: Position,
    },
    /// The same conflict was kept here before; nothing was written.
    ConflictAgain(Position),
}

/// One entry as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Where it stands.
    pub position: Position,
    /// When its batch was acknowledged, by the caller's clock.
    pub acknowledged_at: Instant,
    /// What the payload is.
    pub kind: EntryKind,
    /// The first entry with its key, when it is a kept conflict.
    pub conflict_of: Option<Position>,
    /// Keyed 128-bit hash of the key.
    pub key_hash: u128,
    /// 128-bit hash of the content under its key.
    pub content_hash: u128,
    /// The whole key.
    pub key: Vec<u8>,
    /// The bytes kept.
    pub payload: Vec<u8>,
}
