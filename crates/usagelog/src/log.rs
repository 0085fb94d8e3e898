//! The log as its callers see it.

use crate::entry::{Entry, Logged, Placed};
use crate::error::{LogError, Result};
use crate::files;
use crate::frame;
use crate::index::{Index, Slot};
use crate::options::LogOptions;
use crate::place::LogPlace;
use crate::read::{self, Entries, damaged};
use crate::verify::{self, Report};
use crate::writer::{self, Batch, Shard};
use calendar::Instant;
use domain::usage::Position;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;

/// How much of the log is read at once when the index is brought up to date.
const REPLAY_BYTES: usize = 8 << 20;

/// What becomes of a batch; called once, on the writer's thread or, when refused, on the caller's.
pub type Done = Box<dyn FnOnce(std::result::Result<Vec<Placed>, Arc<LogError>>) + Send>;

/// Whether the log takes usage at the moment.
#[derive(Debug, Clone)]
pub enum Health {
    /// It does.
    Well,
    /// The last append was refused for now, as when the disk is full; reading goes on.
    ReadOnly,
    /// It never will again; the process must end.
    Stopped(Arc<LogError>),
}

/// The append-only usage log with its de-duplication index.
pub struct UsageLog {
    options: LogOptions,
    place: Arc<dyn LogPlace>,
    shards: Vec<Owned>,
    _index_lock: File,
}

struct Owned {
    shard: Arc<Shard>,
    batches: Mutex<Option<Sender<Batch>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// The shard of a billing account, for a log of so many shards.
pub fn shard_of(billing_account: &str, shards: u16) -> u16 {
    let hash = blake3::hash(billing_account.as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&hash.as_bytes()[..8]);
    let shard = u64::from_be_bytes(head) % u64::from(shards.max(1));
    u16::try_from(shard).unwrap_or(0)
}

impl UsageLog {
    /// Takes every shard of the place, brings the index up to date and starts the writers.
    ///
    /// Errors: [`LogError::Damaged`], [`LogError::ShardCount`], [`LogError::WrongHashKey`].
    pub fn open(place: Arc<dyn LogPlace>, options: LogOptions) -> Result<UsageLog> {
        let index_lock = files::lock(&options.index_dir)?;
        place.begin(options.shards)?;
        let stopped = Arc::new(OnceLock::new());
        let mut shards = Vec::with_capacity(usize::from(options.shards));
        for number in 0..options.shards {
            shards.push(Owned::open(number, &place, &options, &stopped)?);
        }
        Ok(UsageLog { options, place, shards, _index_lock: index_lock })
    }

    /// The shard of a billing account.
    pub fn shard_of(&self, billing_account: &str) -> u16 {
        shard_of(billing_account, self.options.shards)
    }

    /// How many shards the log has.
    pub fn shards(&self) -> u16 {
        self.options.shards
    }

    /// The secret under which [`Entry::new`] hashes keys.
    pub fn hash_key(&self) -> &[u8; 32] {
        &self.options.hash_key
    }

    /// Appends a batch whole; `done` is told what became of each entry when all is durable.
    ///
    /// Errors, through `done`: [`LogError::Busy`], [`LogError::Full`], [`LogError::TooLarge`],
    /// [`LogError::Closed`]; after a failed write [`LogError::Stopped`].
    pub fn append(&self, shard: u16, entries: Vec<Entry>, acknowledged_at: Instant, done: Done) {
        let owned = match self.owned(shard) {
            Ok(owned) => owned,
            Err(error) => return done(Err(Arc::new(error))),
        };
        let size_bytes = match frame::check_sizes(&entries) {
            Ok(size_bytes) => size_bytes,
            Err(error) => return done(Err(Arc::new(error))),
        };
        let queued = &owned.shard.queued_bytes;
        let queued_bytes = queued.fetch_add(size_bytes, Ordering::AcqRel);
        let most_bytes = self.options.queue_bytes;
        // One batch may always wait, however large.
        if queued_bytes > 0 && queued_bytes.saturating_add(size_bytes) > most_bytes {
            queued.fetch_sub(size_bytes, Ordering::AcqRel);
            return done(Err(Arc::new(LogError::Busy { shard, queued_bytes, most_bytes })));
        }
        let batch = Batch { entries, acknowledged_at, size_bytes, done };
        let batches = owned.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match batches.as_ref() {
            Some(sender) => sender.send(batch).err().map(|refused| refused.0),
            None => Some(batch),
        };
        drop(batches);
        if let Some(batch) = refused {
            queued.fetch_sub(size_bytes, Ordering::AcqRel);
            (batch.done)(Err(Arc::new(LogError::Closed)));
        }
    }

    /// Appends a batch and waits until it is durable.
    ///
    /// Errors: as [`UsageLog::append`].
    pub fn append_wait(
        &self,
        shard: u16,
        entries: Vec<Entry>,
        acknowledged_at: Instant,
    ) -> std::result::Result<Vec<Placed>, Arc<LogError>> {
        let (sender, answer) = mpsc::sync_channel(1);
        let done = Box::new(move |placed| {
            // The receiver below waits for exactly this.
            let _ = sender.send(placed);
        });
        self.append(shard, entries, acknowledged_at, done);
        answer.recv().unwrap_or_else(|_| Err(Arc::new(LogError::Closed)))
    }

    /// The sequence after the last durable entry of a shard.
    pub fn end(&self, shard: u16) -> u64 {
        let owned = self.shards.get(usize::from(shard));
        owned.map_or(0, |owned| owned.shard.end.load(Ordering::Acquire))
    }

    /// The sequence after the last entry whose batch was answered: its [`Done`] has run. An entry
    /// may be durable already while nobody was told of it yet.
    pub fn answered(&self, shard: u16) -> u64 {
        let owned = self.shards.get(usize::from(shard));
        owned.map_or(0, |owned| owned.shard.answered.load(Ordering::Acquire))
    }

    /// Reads a shard from a sequence on, up to what is durable when the reader gets there.
    pub fn read(&self, shard: u16, from_sequence: u64) -> Entries {
        Entries::new(Arc::clone(&self.place), shard, from_sequence)
    }

    /// Reads one entry; `None` if nothing stands at this position.
    ///
    /// Errors: [`LogError::Damaged`], [`LogError::NoShard`].
    pub fn get(&self, position: Position) -> Result<Option<Logged>> {
        self.owned(position.shard)?;
        let logged = read::get(&*self.place, position.shard, position.sequence)?;
        Ok(logged.filter(|logged| logged.position == position))
    }

    /// Finds the entry that counts for a key.
    ///
    /// Errors: as [`UsageLog::get`].
    pub fn find(&self, shard: u16, key_hash: u128, key: &[u8]) -> Result<Option<Position>> {
        let owned = self.owned(shard)?;
        let mut slots = Vec::new();
        let index = owned.shard.index.read().unwrap_or_else(PoisonError::into_inner);
        index.find(&[key_hash], |_, slot| slots.push(slot))?;
        drop(index);
        slots.sort_unstable_by_key(|slot| slot.sequence);
        for Slot { sequence, .. } in slots {
            let logged = read::get(&*self.place, shard, sequence)?;
            let logged = logged.filter(|found| found.conflict_of.is_none() && found.key == key);
            if let Some(logged) = logged {
                return Ok(Some(logged.position));
            }
        }
        Ok(None)
    }

    /// Whether usage is taken at the moment.
    pub fn health(&self) -> Health {
        for Owned { shard, .. } in &self.shards {
            if let Some(cause) = shard.stopped.get() {
                return Health::Stopped(Arc::clone(cause));
            }
        }
        let refused = |owned: &Owned| owned.shard.refused.load(Ordering::Acquire);
        if self.shards.iter().any(refused) { Health::ReadOnly } else { Health::Well }
    }

    /// What the index takes in memory.
    pub fn index_memory_bytes(&self) -> usize {
        let size = |owned: &Owned| {
            owned.shard.index.read().unwrap_or_else(PoisonError::into_inner).memory_bytes()
        };
        self.shards.iter().map(size).sum()
    }

    /// Reads everything once more; `progress` is told (shard, entries done, entries in all).
    ///
    /// Errors: reading failed. Damage is no error but stands in the report.
    pub fn verify(&self, mut progress: impl FnMut(u16, u64, u64)) -> Result<Report> {
        let mut report = Report::default();
        for Owned { shard, .. } in &self.shards {
            let (number, end) = (shard.number, shard.end.load(Ordering::Acquire));
            let hash_key = &self.options.hash_key;
            let mut found = verify::shard(&*self.place, number, end, hash_key, |done| {
                progress(number, done, end);
            })?;
            let index = shard.index.read().unwrap_or_else(PoisonError::into_inner);
            match index.verify() {
                Ok(indexed) => found.indexed = indexed,
                Err(damage @ LogError::Damaged { .. }) => {
                    found.damage = found.damage.or(Some(damage));
                }
                Err(error) => return Err(error),
            }
            report.shards.push(found);
        }
        Ok(report)
    }

    /// Writes what waits, ends the writers and notes how far each shard reaches.
    ///
    /// Errors: the note could not be written; everything acknowledged is durable all the same.
    pub fn close(&self) -> Result<()> {
        for owned in &self.shards {
            owned.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        for owned in &self.shards {
            let writer = owned.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(writer) = writer else { continue };
            // Whoever was answered last may have held the log last: no writer waits for itself.
            if writer.thread().id() == std::thread::current().id() {
                continue;
            }
            if writer.join().is_err() {
                tracing::error!(shard = owned.shard.number, "the writer's thread has panicked");
            }
            self.place.release(owned.shard.number, self.end(owned.shard.number))?;
        }
        Ok(())
    }

    fn owned(&self, shard: u16) -> Result<&Owned> {
        let none = LogError::NoShard { shard, shards: self.options.shards };
        self.shards.get(usize::from(shard)).ok_or(none)
    }
}

impl Drop for UsageLog {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "closing the usage log");
        }
    }
}

impl Owned {
    fn open(
        number: u16,
        place: &Arc<dyn LogPlace>,
        options: &LogOptions,
        stopped: &Arc<OnceLock<Arc<LogError>>>,
    ) -> Result<Owned> {
        let opened = place.take(number)?;
        check_hash_key(&**place, number, &options.hash_key)?;
        let dir = options.index_dir.join(format!("shard-{number:04}"));
        let index = open_index(&dir, &**place, number, opened.end, options.run_entries)?;
        let shard = Arc::new(Shard {
            number,
            epoch: opened.epoch,
            place: Arc::clone(place),
            index: RwLock::new(index),
            end: AtomicU64::new(opened.end),
            answered: AtomicU64::new(opened.end),
            queued_bytes: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            stopped: Arc::clone(stopped),
        });
        let (sender, batches) = mpsc::channel();
        let builder = std::thread::Builder::new().name(format!("usage-log-{number}"));
        let (own, limits) = (Arc::clone(&shard), options.clone());
        let writer = builder.spawn(move || writer::run(&own, &batches, &limits));
        let writer = writer.map_err(|e| LogError::io("starting the writer for", &dir, e))?;
        Ok(Owned { shard, batches: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)) })
    }
}

/// The first entry tells whether the secret is still the one that the log was begun with.
fn check_hash_key(place: &dyn LogPlace, shard: u16, hash_key: &[u8; 32]) -> Result<()> {
    match read::get(place, shard, 0)? {
        Some(first) if crate::key_hash(hash_key, &first.key) != first.key_hash => {
            Err(LogError::WrongHashKey { shard })
        }
        _ => Ok(()),
    }
}

/// Opens the runs and adds what the log holds behind them.
fn open_index(
    dir: &Path,
    place: &dyn LogPlace,
    shard: u16,
    end: u64,
    run_entries: usize,
) -> Result<Index> {
    let mut index = Index::open(dir, run_entries, |at| read::proof(place, shard, at))?;
    let mut next = index.covered();
    let mut slots = Vec::new();
    while next < end {
        let from = next;
        read::each_group(place, shard, from, REPLAY_BYTES, |chunk, at, header, body| {
            slots.clear();
            let shown = frame::each_entry(&header, body, |entry| {
                slots.push(Slot {
                    key_hash: entry.key_hash,
                    sequence: entry.position.sequence,
                    epoch: entry.position.epoch,
                    content_hash: entry.content_hash,
                });
            });
            shown.map_err(|problem| damaged(chunk, at, problem))?;
            next = header.end();
            index.add(&slots, next, header.proof())?;
            index.failure().map_or(Ok(()), |failure| Err(read::again(&failure)))
        })?;
        if next == from {
            let problem = format!("it ends at sequence {from} and should reach {end}");
            return Err(LogError::damaged(format!("shard {shard}"), 0, &problem));
        }
    }
    Ok(index)
}
