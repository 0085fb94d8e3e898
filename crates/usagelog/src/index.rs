//! The de-duplication index: a cache over one shard's log that says where a key stands.
//!
//! New ids stand in a table in memory. A full table becomes an immutable sorted file, a *run*,
//! that covers a span of sequences; runs of like size are merged in the background. Every run has
//! a filter in memory, so a new id costs no read. What the runs do not cover is read from the log
//! when it is opened, so the whole directory may be deleted while the log is closed.

mod build;
mod filter;
mod maintain;
mod run;

use crate::error::{LogError, Result};
use hashbrown::HashTable;
use maintain::Job;
use run::Run;
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

/// How many full tables may wait to be written before appends wait for them.
const WAITING_TABLES: usize = 2;

/// One entry of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// Hash of the key; several slots of one key are conflicts.
    pub key_hash: u128,
    /// Where it stands.
    pub sequence: u64,
    /// The epoch in which it was written.
    pub epoch: u32,
    /// Hash of the content.
    pub content_hash: u128,
}

/// A table that is full: it covers the sequences `from..to`.
#[derive(Debug)]
pub(crate) struct Full {
    slots: Table,
    from: u64,
    to: u64,
    proof: u64,
}

type Table = HashTable<Slot>;

#[derive(Debug)]
struct Tables {
    active: Table,
    full: Vec<Arc<Full>>,
    runs: Arc<Vec<Arc<Run>>>,
    failure: Option<Arc<LogError>>,
}

/// The index of one shard.
#[derive(Debug)]
pub struct Index {
    tables: Arc<RwLock<Tables>>,
    run_entries: usize,
    covered: u64,
    active_from: u64,
    jobs: Option<SyncSender<Job>>,
    maintenance: Mutex<Option<JoinHandle<()>>>,
}

/// The half of a hash that finds a place in a table.
pub(crate) fn low(hash: u128) -> u64 {
    halves(hash)[1]
}

/// The half of a hash that finds a place in a run.
fn high(hash: u128) -> u64 {
    halves(hash)[0]
}

fn halves(hash: u128) -> [u64; 2] {
    let bytes = hash.to_be_bytes();
    let (halves, _) = bytes.as_chunks::<8>();
    [u64::from_be_bytes(halves[0]), u64::from_be_bytes(halves[1])]
}

impl Index {
    /// Opens the runs that `prove` knows as made from this log; others are deleted.
    ///
    /// `prove` answers with the proof of the group that ends at a sequence, if there is one.
    pub fn open(
        dir: &Path,
        run_entries: usize,
        prove: impl FnMut(u64) -> Result<Option<u64>>,
    ) -> Result<Index> {
        let runs = run::open_all(dir, prove)?;
        let covered = runs.last().map_or(0, |run| run.span.to);
        let tables = Arc::new(RwLock::new(Tables {
            active: Table::new(),
            full: Vec::new(),
            runs: Arc::new(runs),
            failure: None,
        }));
        let (jobs, maintenance) = maintain::start(dir, run_entries, Arc::clone(&tables))?;
        Ok(Index {
            tables,
            run_entries,
            covered,
            active_from: covered,
            jobs: Some(jobs),
            maintenance: Mutex::new(Some(maintenance)),
        })
    }

    /// The sequence up to which the runs covered the log when the index was opened.
    pub fn covered(&self) -> u64 {
        self.covered
    }

    /// Adds the entries of one durable group that ends at `to` and has this proof.
    ///
    /// Errors: an earlier failure to write a run.
    pub fn add(&mut self, slots: &[Slot], to: u64, proof: u64) -> Result<()> {
        let mut tables = write(&self.tables);
        for slot in slots {
            tables.active.insert_unique(low(slot.key_hash), *slot, |slot| low(slot.key_hash));
        }
        if tables.active.len() < self.run_entries {
            return Ok(());
        }
        let slots = std::mem::replace(&mut tables.active, Table::with_capacity(self.run_entries));
        tables.full.push(Arc::new(Full { slots, from: self.active_from, to, proof }));
        drop(tables);
        self.active_from = to;
        // Waits while too many tables wait; the thread leaves only when the index is closed.
        let jobs = self.jobs.as_ref().ok_or(LogError::Closed)?;
        jobs.send(Job).map_err(|_| LogError::Closed)
    }

    /// Why runs cannot be written at the moment, if so.
    pub fn failure(&self) -> Option<Arc<LogError>> {
        read(&self.tables).failure.clone()
    }

    /// Finds all slots of each key: calls `found` with the key's number and a slot.
    ///
    /// Errors: a run cannot be read or is damaged.
    pub fn find(&self, keys: &[u128], mut found: impl FnMut(usize, Slot)) -> Result<()> {
        let runs = {
            let tables = read(&self.tables);
            let in_memory = tables.full.iter().map(|full| &full.slots).chain([&tables.active]);
            for table in in_memory {
                for (number, key) in keys.iter().enumerate() {
                    let same = table.iter_hash(low(*key)).filter(|slot| slot.key_hash == *key);
                    same.for_each(|slot| found(number, *slot));
                }
            }
            Arc::clone(&tables.runs)
        };
        for run in runs.iter() {
            for (number, key) in keys.iter().enumerate() {
                if run.may_hold(*key) {
                    run.find(*key, |slot| found(number, slot))?;
                }
            }
        }
        Ok(())
    }

    /// Reads every run and checks its checksums; answers with the number of entries in runs.
    ///
    /// Errors: a run cannot be read or is damaged.
    pub fn verify(&self) -> Result<u64> {
        let runs = Arc::clone(&read(&self.tables).runs);
        let mut entries = 0;
        for run in runs.iter() {
            entries += run.verify()?;
        }
        Ok(entries)
    }

    /// Entries and bytes held in memory: the tables' slots and the runs' filters.
    pub fn memory_bytes(&self) -> usize {
        let tables = read(&self.tables);
        let slots: usize = tables.full.iter().map(|full| full.slots.allocation_size()).sum();
        let runs: usize = tables.runs.iter().map(|run| run.memory_bytes()).sum();
        tables.active.allocation_size() + slots + runs
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        read(&self.tables).runs.len()
    }
}

impl Drop for Index {
    /// Ends the background thread; what it was doing is done again after the next start.
    fn drop(&mut self) {
        drop(self.jobs.take());
        let mut maintenance = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = maintenance.take()
            && thread.join().is_err()
        {
            tracing::error!("the index's background thread has panicked");
        }
    }
}

fn read(tables: &RwLock<Tables>) -> std::sync::RwLockReadGuard<'_, Tables> {
    tables.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(tables: &RwLock<Tables>) -> std::sync::RwLockWriteGuard<'_, Tables> {
    tables.write().unwrap_or_else(PoisonError::into_inner)
}
