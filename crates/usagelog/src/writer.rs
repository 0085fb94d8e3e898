//! One shard's writer: decides, appends a group, adds it to the index, answers.

use crate::entry::{Entry, Placed};
use crate::error::{LogError, Result};
use crate::frame::GroupBuilder;
use crate::index::{Index, Slot, low};
use crate::log::Done;
use crate::options::LogOptions;
use crate::place::{Group, LogPlace};
use crate::read;
use calendar::Instant;
use domain::usage::Position;
use hashbrown::HashTable;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A batch that waits for its group.
pub(crate) struct Batch {
    pub(crate) entries: Vec<Entry>,
    pub(crate) acknowledged_at: Instant,
    pub(crate) size_bytes: usize,
    pub(crate) done: Done,
}

/// What a shard's writer shares with its callers.
pub(crate) struct Shard {
    pub(crate) number: u16,
    pub(crate) epoch: u32,
    pub(crate) place: Arc<dyn LogPlace>,
    pub(crate) index: RwLock<Index>,
    pub(crate) end: AtomicU64,
    /// The sequence after the last entry whose batch was answered.
    pub(crate) answered: AtomicU64,
    pub(crate) queued_bytes: AtomicUsize,
    pub(crate) refused: AtomicBool,
    /// The failure that ended writing, one for the whole log.
    pub(crate) stopped: Arc<OnceLock<Arc<LogError>>>,
}

/// Where an entry of the group being built stands in it.
#[derive(Clone, Copy)]
struct Pending {
    slot: Slot,
    at: usize,
}

struct Writer<'a> {
    shard: &'a Shard,
    group: GroupBuilder,
    pending: HashTable<Pending>,
    slots: Vec<Slot>,
    keys: Vec<u128>,
    known: Vec<(usize, Slot)>,
}

/// Writes until every sender is gone.
pub(crate) fn run(shard: &Shard, batches: &Receiver<Batch>, options: &LogOptions) {
    let mut writer = Writer {
        shard,
        group: GroupBuilder::new(shard.number, shard.epoch, shard.end.load(Ordering::Acquire)),
        pending: HashTable::new(),
        slots: Vec::new(),
        keys: Vec::new(),
        known: Vec::new(),
    };
    while let Ok(first) = batches.recv() {
        let mut size_bytes = first.size_bytes;
        let mut group = vec![first];
        while size_bytes < options.group_bytes {
            let more = if options.group_wait.is_zero() {
                batches.try_recv().ok()
            } else {
                batches.recv_timeout(options.group_wait).ok()
            };
            let Some(more) = more else { break };
            size_bytes += more.size_bytes;
            group.push(more);
        }
        writer.answer(group);
        shard.queued_bytes.fetch_sub(size_bytes, Ordering::AcqRel);
    }
}

impl Writer<'_> {
    fn answer(&mut self, batches: Vec<Batch>) {
        match self.write(&batches) {
            Ok(mut placed) => {
                self.shard.refused.store(false, Ordering::Release);
                for batch in batches {
                    let rest = placed.split_off(batch.entries.len());
                    (batch.done)(Ok(std::mem::replace(&mut placed, rest)));
                }
                self.shard
                    .answered
                    .store(self.shard.end.load(Ordering::Acquire), Ordering::Release);
            }
            Err(error) => {
                let error = Arc::new(error);
                self.shard.refused.store(true, Ordering::Release);
                if !error.is_passing() && self.shard.stopped.set(Arc::clone(&error)).is_ok() {
                    tracing::error!(shard = self.shard.number, %error, "the usage log stops");
                }
                for batch in batches {
                    (batch.done)(Err(Arc::clone(&error)));
                }
            }
        }
    }

    /// Writes what is new of the batches; they are durable when it returns.
    fn write(&mut self, batches: &[Batch]) -> Result<Vec<Placed>> {
        self.shard.check()?;
        self.look_up(batches)?;
        self.group.reset(self.shard.end.load(Ordering::Acquire));
        self.pending.clear();
        self.slots.clear();
        let mut placed = Vec::with_capacity(self.keys.len());
        let mut known = std::mem::take(&mut self.known).into_iter().peekable();
        for batch in batches {
            for entry in &batch.entries {
                let mut same = Vec::new();
                while let Some((_, slot)) = known.next_if(|(number, _)| *number == placed.len()) {
                    same.push(slot);
                }
                placed.push(self.place(entry, batch.acknowledged_at, same)?);
            }
        }
        self.append()?;
        Ok(placed)
    }

    /// Asks the index for all keys at once.
    fn look_up(&mut self, batches: &[Batch]) -> Result<()> {
        let index = self.shard.index.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = index.failure() {
            return Err(read::again(&failure));
        }
        self.keys.clear();
        self.keys.extend(batches.iter().flat_map(|b| &b.entries).map(|entry| entry.key_hash));
        let known = &mut self.known;
        known.clear();
        index.find(&self.keys, |number, slot| known.push((number, slot)))?;
        known.sort_unstable_by_key(|(number, slot)| (*number, slot.sequence));
        Ok(())
    }

    /// Decides on one entry and adds it to the group unless it is there already.
    fn place(&mut self, entry: &Entry, at: Instant, mut same: Vec<Slot>) -> Result<Placed> {
        let pending = self.pending.iter_hash(low(entry.key_hash)).map(|pending| pending.slot);
        same.extend(pending.filter(|slot| slot.key_hash == entry.key_hash));
        if same.is_empty() {
            return self.push(entry, at, None).map(Placed::New);
        }
        same.sort_unstable_by_key(|slot| slot.sequence);
        if let Some(slot) = same.iter().find(|slot| slot.content_hash == entry.content_hash) {
            let position = self.position(slot);
            let conflict = slot.sequence != same[0].sequence
                && self.inspect(slot, |_, conflict_of| conflict_of.is_some())?;
            return Ok(if conflict {
                Placed::ConflictAgain(position)
            } else {
                Placed::Duplicate(position)
            });
        }
        for slot in &same {
            let is_first = |key: &[u8], conflict_of: Option<Position>| {
                conflict_of.is_none() && key == entry.key
            };
            if self.inspect(slot, is_first)? {
                let first = self.position(slot);
                let kept = self.push(entry, at, Some(first))?;
                return Ok(Placed::Conflict { first, kept });
            }
        }
        // Equal hashes of different keys: never seen, and still counted rightly.
        self.push(entry, at, None).map(Placed::New)
    }

    fn push(&mut self, entry: &Entry, at: Instant, first: Option<Position>) -> Result<Position> {
        let position = self.group.next();
        let begin = self.group.push(entry, at, first)?;
        let slot = Slot {
            key_hash: entry.key_hash,
            sequence: position.sequence,
            epoch: position.epoch,
            content_hash: entry.content_hash,
        };
        self.slots.push(slot);
        let pending = Pending { slot, at: begin };
        let rehash = |pending: &Pending| low(pending.slot.key_hash);
        self.pending.insert_unique(low(slot.key_hash), pending, rehash);
        Ok(position)
    }

    fn position(&self, slot: &Slot) -> Position {
        Position { shard: self.shard.number, sequence: slot.sequence, epoch: slot.epoch }
    }

    /// Asks a question about the key of an entry and what it conflicts with.
    fn inspect(
        &self,
        slot: &Slot,
        question: impl FnOnce(&[u8], Option<Position>) -> bool,
    ) -> Result<bool> {
        let position = self.position(slot);
        let same = |pending: &Pending| pending.slot.sequence == slot.sequence;
        if let Some(pending) = self.pending.find(low(slot.key_hash), same) {
            let entry = self.group.entry_at(pending.at, position);
            return Ok(entry.is_some_and(|entry| question(entry.key, entry.conflict_of)));
        }
        let logged = read::get(&*self.shard.place, self.shard.number, slot.sequence)?;
        Ok(logged.is_some_and(|logged| question(&logged.key, logged.conflict_of)))
    }

    fn append(&mut self) -> Result<()> {
        if self.group.count() == 0 {
            return Ok(());
        }
        let first_sequence = self.group.next().sequence - u64::from(self.group.count());
        let (header, bytes) = self.group.seal()?;
        let Shard { number: shard, epoch, .. } = *self.shard;
        let count = header.count;
        self.shard.place.append(Group { shard, epoch, first_sequence, count, bytes })?;
        let mut index = self.shard.index.write().unwrap_or_else(PoisonError::into_inner);
        index.add(&self.slots, header.end(), header.proof())?;
        self.shard.end.store(header.end(), Ordering::Release);
        Ok(())
    }
}

impl Shard {
    /// Refuses everything after the failure that ended writing.
    pub(crate) fn check(&self) -> Result<()> {
        match self.stopped.get() {
            None => Ok(()),
            Some(cause) => Err(LogError::Stopped { cause: Arc::clone(cause) }),
        }
    }
}
