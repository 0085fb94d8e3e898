//! The index's background thread: writes full tables as runs and merges runs of like size.
//!
//! A merge goes on in small steps, so that a full table never waits for a large merge.

use super::build::{self, Merge};
use super::run::Run;
use super::{Full, Tables, WAITING_TABLES, read, write};
use crate::error::{LogError, Result};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// So many runs of like size become one.
const FAN_IN: usize = 4;
/// Slots that one step of a merge handles.
const STEP_SLOTS: usize = 16_384;
/// How long a full disk is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Says that one more table is full.
pub(super) struct Job;

struct Maintenance {
    dir: PathBuf,
    run_entries: usize,
    tables: Arc<RwLock<Tables>>,
    jobs: Receiver<Job>,
}

/// Starts the thread; it ends when the sender is dropped.
pub(super) fn start(
    dir: &Path,
    run_entries: usize,
    tables: Arc<RwLock<Tables>>,
) -> Result<(SyncSender<Job>, JoinHandle<()>)> {
    let (sender, jobs) = sync_channel(WAITING_TABLES);
    let maintenance = Maintenance { dir: dir.to_owned(), run_entries, tables, jobs };
    let builder = std::thread::Builder::new().name("usage-index".to_owned());
    let thread = builder.spawn(move || maintenance.run());
    let thread = thread.map_err(|e| LogError::io("starting the thread for", dir, e))?;
    Ok((sender, thread))
}

impl Maintenance {
    fn run(&self) {
        let mut merge: Option<Merge> = None;
        loop {
            let job = if merge.is_some() {
                self.jobs.try_recv()
            } else {
                self.jobs.recv().map_err(|_| TryRecvError::Disconnected)
            };
            match job {
                Err(TryRecvError::Disconnected) => return,
                Ok(Job) | Err(TryRecvError::Empty) => {}
            }
            while let Some(full) = self.oldest_full() {
                if !self.write_table(&full) {
                    return;
                }
            }
            merge = match self.merge_on(merge) {
                Ok(merge) => merge,
                Err(error) => {
                    // Lookups only get slower. The next full table tries again.
                    tracing::warn!(%error, "merging the de-duplication index failed");
                    None
                }
            };
        }
    }

    fn oldest_full(&self) -> Option<Arc<Full>> {
        read(&self.tables).full.first().cloned()
    }

    /// Writes a table, waiting for room on the disk; `false` when the thread must end.
    fn write_table(&self, full: &Arc<Full>) -> bool {
        loop {
            match build::from_table(&self.dir, full) {
                Ok(run) => {
                    let mut tables = write(&self.tables);
                    tables.full.retain(|waiting| !Arc::ptr_eq(waiting, full));
                    Arc::make_mut(&mut tables.runs).push(Arc::new(run));
                    tables.failure = None;
                    return true;
                }
                Err(error) => {
                    let passing = error.is_passing();
                    tracing::error!(%error, "writing a run of the de-duplication index failed");
                    write(&self.tables).failure = Some(Arc::new(error));
                    let ended = self.jobs.recv_timeout(RETRY_AFTER);
                    if !passing || matches!(ended, Err(RecvTimeoutError::Disconnected)) {
                        return false;
                    }
                }
            }
        }
    }

    fn merge_on(&self, merge: Option<Merge>) -> Result<Option<Merge>> {
        let Some(mut merge) = merge else {
            let inputs = due(&read(&self.tables).runs, self.run_entries);
            return inputs.map(|inputs| Merge::new(&self.dir, inputs)).transpose();
        };
        if merge.step(STEP_SLOTS)? {
            return Ok(Some(merge));
        }
        let merged = Arc::new(merge.finish()?);
        let replaced = {
            let mut tables = write(&self.tables);
            let within =
                |run: &Arc<Run>| run.span.from >= merged.span.from && run.span.to <= merged.span.to;
            let runs = Arc::make_mut(&mut tables.runs);
            let at = runs.iter().position(within).unwrap_or(runs.len());
            let (replaced, kept) = runs.drain(..).partition(within);
            *runs = kept;
            runs.insert(at, Arc::clone(&merged));
            let replaced: Vec<Arc<Run>> = replaced;
            replaced
        };
        replaced.iter().for_each(|run| run.delete());
        let inputs = due(&read(&self.tables).runs, self.run_entries);
        inputs.map(|inputs| Merge::new(&self.dir, inputs)).transpose()
    }
}

/// The newest neighbours of like size, when there are enough of them.
fn due(runs: &[Arc<Run>], run_entries: usize) -> Option<Vec<Arc<Run>>> {
    let tier = |run: &Arc<Run>| {
        let times = run.slots / (run_entries as u64).max(1);
        times.max(1).ilog(FAN_IN as u64)
    };
    let alike = |window: &&[Arc<Run>]| window.iter().all(|run| tier(run) == tier(&window[0]));
    runs.windows(FAN_IN).rev().find(alike).map(<[Arc<Run>]>::to_vec)
}
