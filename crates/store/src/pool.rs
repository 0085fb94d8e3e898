//! One connection that writes, and a few that read.

use crate::driver::{Access, Connection};
use crate::postgresql::{self, Postgres};
use crate::sqlite::{Role, Sqlite};
use crate::{Result, StoreError, StorePlace};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Readers at one time; more callers wait their turn.
const READERS_MOST: usize = 8;
/// How often a write is begun again when other writers were in the way.
const ATTEMPTS_MOST: u32 = 10;
/// Longest pause between two attempts.
const PAUSE_MOST_MS: u64 = 100;

pub(crate) type Open = Box<dyn Connection>;

/// The connections of one store.
pub(crate) struct Pool {
    place: StorePlace,
    // Dropped before the writer: SQLite folds its journal into the file only when the last
    // connection to close may write.
    readers: Mutex<Readers>,
    /// None while its last connection is known as broken.
    writer: Mutex<Option<Open>>,
    reader_came_back: Condvar,
    /// An I/O error was seen: what is durable is unknown, so nothing is written any more.
    ended: AtomicBool,
}

#[derive(Default)]
struct Readers {
    idle: Vec<Open>,
    lent: usize,
}

impl Pool {
    pub(crate) fn new(place: StorePlace, writer: Open) -> Pool {
        Pool {
            place,
            writer: Mutex::new(Some(writer)),
            readers: Mutex::default(),
            reader_came_back: Condvar::new(),
            ended: AtomicBool::new(false),
        }
    }

    pub(crate) fn place(&self) -> &StorePlace {
        &self.place
    }

    /// Runs `work` in one serializable transaction, again from the start while others are in the
    /// way, a bounded number of times.
    pub(crate) fn write<T>(
        &self,
        mut work: impl FnMut(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        let mut writer = held(&self.writer);
        for attempt in 1.. {
            let done = self.attempt(&mut writer, &mut work);
            match done {
                Err(error) if error.may_pass() && self.may_retry(attempt, &error) => {
                    tracing::debug!(%error, attempt, "write begun again");
                    std::thread::sleep(pause(attempt));
                }
                done => return done,
            }
        }
        Err(StoreError::Contended("no attempt was made".into()))
    }

    fn may_retry(&self, attempt: u32, error: &StoreError) -> bool {
        // With one writer a constraint says what it means. With several, a unique key may only
        // say that another node was faster: the next attempt sees its row and decides by it.
        let decided = matches!(error, StoreError::Constraint(_))
            && matches!(self.place, StorePlace::Sqlite(_));
        attempt < ATTEMPTS_MOST && !decided
    }

    fn attempt<T>(
        &self,
        writer: &mut Option<Open>,
        work: impl FnOnce(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        if self.ended.load(Ordering::SeqCst) {
            return Err(StoreError::Io("an earlier write failed".into()));
        }
        let mut connection = match writer.take() {
            Some(connection) => connection,
            None => connect(&self.place, Role::Writer)?,
        };
        let done = connection.transaction(Access::Write, work);
        match &done {
            Err(StoreError::Lost(_) | StoreError::OutcomeUnknown(_)) => {}
            Err(StoreError::Io(_)) => self.ended.store(true, Ordering::SeqCst),
            Ok(_) | Err(_) => *writer = Some(connection),
        }
        done
    }

    /// Runs `work` on a reader; once more on a new connection if the old one was broken.
    pub(crate) fn read<T>(
        &self,
        mut work: impl FnMut(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        let mut lent = self.lend();
        match lent.run(&mut work) {
            Err(StoreError::Lost(error)) => {
                tracing::debug!(%error, "readers replaced");
                held(&self.readers).idle.clear();
                lent.run(&mut work)
            }
            done => done,
        }
    }

    /// Runs `work` on a reader that sees one state throughout.
    pub(crate) fn snapshot<T>(
        &self,
        mut work: impl FnMut(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        self.read(|connection| connection.transaction(Access::Read, &mut work))
    }

    fn lend(&self) -> Lent<'_> {
        let mut readers = held(&self.readers);
        while readers.lent >= READERS_MOST {
            readers = self.reader_came_back.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
        readers.lent = readers.lent.saturating_add(1);
        Lent { pool: self, connection: readers.idle.pop() }
    }
}

/// A reader's place in the pool; given back when dropped.
struct Lent<'a> {
    pool: &'a Pool,
    connection: Option<Open>,
}

impl Lent<'_> {
    fn run<T>(&mut self, work: impl FnOnce(&mut dyn Connection) -> Result<T>) -> Result<T> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.pool.place, Role::Reader)?,
        };
        let done = work(&mut *connection);
        if !matches!(done, Err(StoreError::Lost(_))) {
            self.connection = Some(connection);
        }
        done
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut readers = held(&self.pool.readers);
        readers.lent = readers.lent.saturating_sub(1);
        readers.idle.extend(self.connection.take());
        self.pool.reader_came_back.notify_one();
    }
}

/// Opens one connection.
pub(crate) fn connect(place: &StorePlace, role: Role) -> Result<Open> {
    match place {
        StorePlace::Sqlite(path) => Ok(Box::new(Sqlite::open(path, role)?)),
        StorePlace::Postgres(url) => Ok(Box::new(Postgres::open(url)?)),
    }
}

/// What a lock holds; a panic elsewhere does not make connections worse, they check themselves.
pub(crate) fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pause(attempt: u32) -> Duration {
    Duration::from_millis(1_u64.checked_shl(attempt).unwrap_or(PAUSE_MOST_MS).min(PAUSE_MOST_MS))
}

/// Where the books are, without secrets.
pub(crate) fn shown(place: &StorePlace) -> String {
    match place {
        StorePlace::Sqlite(path) => path.display().to_string(),
        StorePlace::Postgres(url) => postgresql::place(url),
    }
}
