//! Reading the log back.

use crate::entry::Logged;
use crate::error::{LogError, Result};
use crate::frame::{self, Header};
use crate::place::{Chunk, LogPlace};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// About how much is read at once.
const READ_BYTES: usize = 4 << 20;

/// The entries of a shard, in order; ends at what is durable when it gets there.
pub struct Entries {
    place: Arc<dyn LogPlace>,
    shard: u16,
    next: u64,
    ready: VecDeque<Logged>,
}

impl Entries {
    pub(crate) fn new(place: Arc<dyn LogPlace>, shard: u16, from_sequence: u64) -> Entries {
        Entries { place, shard, next: from_sequence, ready: VecDeque::new() }
    }

    fn fill(&mut self) -> Result<()> {
        let (from, ready) = (self.next, &mut self.ready);
        each_group(&*self.place, self.shard, from, READ_BYTES, |chunk, at, header, body| {
            let shown = frame::each_entry(&header, body, |entry| {
                if entry.position.sequence >= from {
                    ready.push_back(entry.to_logged());
                }
            });
            shown.map_err(|problem| damaged(chunk, at, problem))
        })
    }
}

impl Iterator for Entries {
    type Item = Result<Logged>;

    fn next(&mut self) -> Option<Result<Logged>> {
        if self.ready.is_empty()
            && let Err(error) = self.fill()
        {
            return Some(Err(error));
        }
        let logged = self.ready.pop_front()?;
        self.next = logged.position.sequence + 1;
        Some(Ok(logged))
    }
}

/// Reads one chunk from a sequence on, checks its groups and shows them; nothing at the end.
pub(crate) fn each_group(
    place: &dyn LogPlace,
    shard: u16,
    from_sequence: u64,
    most_bytes: usize,
    mut see: impl FnMut(&Chunk, usize, Header, &[u8]) -> Result<()>,
) -> Result<()> {
    let chunk = place.read(shard, from_sequence, most_bytes)?;
    let mut expected = None;
    let mut at = 0;
    while at < chunk.bytes.len() {
        let checked = frame::check_group(&chunk.bytes[at..]);
        let (header, body) = checked.map_err(|problem| damaged(&chunk, at, problem))?;
        let follows = match expected {
            None => header.first_sequence <= from_sequence && from_sequence < header.end(),
            Some(expected) => header.first_sequence == expected,
        };
        if !follows || header.shard != shard {
            return Err(damaged(&chunk, at, "the group does not follow the one before it"));
        }
        see(&chunk, at, header, body)?;
        expected = Some(header.end());
        at += header.group_bytes();
    }
    Ok(())
}

/// Reads one entry.
pub(crate) fn get(place: &dyn LogPlace, shard: u16, sequence: u64) -> Result<Option<Logged>> {
    let mut found = None;
    each_group(place, shard, sequence, 1, |chunk, at, header, body| {
        let shown = frame::each_entry(&header, body, |entry| {
            if entry.position.sequence == sequence {
                found = Some(entry.to_logged());
            }
        });
        shown.map_err(|problem| damaged(chunk, at, problem))
    })?;
    Ok(found)
}

/// The proof of the group that ends at a sequence.
pub(crate) fn proof(place: &dyn LogPlace, shard: u16, end: u64) -> Result<Option<u64>> {
    let mut proof = None;
    let Some(last) = end.checked_sub(1) else { return Ok(None) };
    each_group(place, shard, last, 1, |_, _, header, _| {
        if header.end() == end {
            proof = Some(header.proof());
        }
        Ok(())
    })?;
    Ok(proof)
}

pub(crate) fn damaged(chunk: &Chunk, at: usize, problem: &str) -> LogError {
    LogError::damaged(chunk.place.clone(), chunk.offset.saturating_add(at as u64), problem)
}

/// An earlier failure of the index, told once more.
pub(crate) fn again(failure: &Arc<LogError>) -> LogError {
    match &**failure {
        LogError::Full { what, source } => {
            LogError::Full { what: what.clone(), source: io::Error::from(source.kind()) }
        }
        _ => LogError::Stopped { cause: Arc::clone(failure) },
    }
}
