//! The usage log's place when several nodes share the books: one row per group, in PostgreSQL.
//!
//! A group is appended by one statement that also moves its shard's end, and only for the epoch
//! in force and exactly at that end. So an old owner is refused, no sequence is skipped, and
//! sending the same group again after a broken connection cannot append it twice.

use crate::driver::{Connection, statements};
use crate::pool::{connect, held};
use crate::sqlite::Role;
use crate::value::{Row, values};
use crate::{Result, Store, StoreError, StoreKind, StorePlace};
use std::io;
use std::sync::Mutex;
use std::time::Duration;
use usagelog::{Chunk, Group, Header, LogError, LogPlace, Opened};

/// How often an append whose outcome is unknown is looked after before the log gives up.
const ATTEMPTS_MOST: u32 = 20;
/// Pause between two of them: together longer than a failover may take.
const PAUSE: Duration = Duration::from_millis(500);
/// Groups whose sizes are looked at to fill one answer.
const SIZES_MOST: u64 = 1_000;
const TABLE: &str = "log_groups";

statements! {
    FIX_SHARDS = "INSERT INTO settings (name, setting) VALUES ('log.shards', $1)
        ON CONFLICT (name) DO NOTHING";
    SHARDS = "SELECT setting FROM settings WHERE name = 'log.shards'";
    TAKE = "INSERT INTO log_shards (shard, epoch, next_sequence) VALUES ($1, 1, 0)
        ON CONFLICT (shard) DO UPDATE SET epoch = log_shards.epoch + 1
        RETURNING epoch, next_sequence";
    END = "SELECT COALESCE(MAX(first_sequence + entries), 0) FROM log_groups
        WHERE shard = $1 AND first_sequence =
            (SELECT MAX(first_sequence) FROM log_groups WHERE shard = $1)";
    APPEND = "WITH owner AS (
            UPDATE log_shards SET next_sequence = $1
            WHERE shard = $2 AND epoch = $3 AND next_sequence = $4
            RETURNING shard, epoch)
        INSERT INTO log_groups (shard, first_sequence, epoch, entries, frame)
        SELECT shard, $4, epoch, CAST($5 AS BIGINT), CAST($6 AS BYTEA) FROM owner";
    FIND = "SELECT frame FROM log_groups WHERE shard = $1 AND first_sequence = $2";
    STATE = "SELECT epoch, next_sequence FROM log_shards WHERE shard = $1";
    SIZES = "SELECT first_sequence, CAST(octet_length(frame) AS BIGINT) FROM log_groups
        WHERE shard = $1 AND first_sequence + entries > $2 AND first_sequence >= COALESCE(
            (SELECT MAX(first_sequence) FROM log_groups
                WHERE shard = $1 AND first_sequence <= $2), 0)
        ORDER BY first_sequence LIMIT $3";
    FRAMES = "SELECT frame FROM log_groups
        WHERE shard = $1 AND first_sequence BETWEEN $2 AND $3 ORDER BY first_sequence";
    /// A group's header is its first 36 bytes.
    HEADERS = "SELECT shard, first_sequence, epoch, entries, substring(frame FROM 1 FOR 36)
        FROM log_groups ORDER BY shard, first_sequence";
}

/// The usage log's place in the books; connections of its own, so that usage waits for nothing.
pub struct LogTable {
    place: StorePlace,
    idle: Mutex<Vec<Box<dyn Connection>>>,
}

impl Store {
    /// The place where a shared usage log is kept.
    ///
    /// Errors: [`StoreError::Unsupported`] on SQLite, whose one node keeps its log in files.
    pub fn log_place(&self) -> Result<LogTable> {
        match self.kind() {
            StoreKind::Postgres => {
                Ok(LogTable { place: self.pool.place().clone(), idle: Mutex::default() })
            }
            StoreKind::Sqlite => {
                Err(StoreError::Unsupported("with books in SQLite the usage log lies in files"))
            }
        }
    }
}

impl LogTable {
    /// Runs `work` on a connection; a broken one takes all idle ones with it.
    fn on<T>(&self, work: impl FnOnce(&mut dyn Connection) -> Result<T>) -> Result<T> {
        let idle = held(&self.idle).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(&self.place, Role::Writer)?,
        };
        let done = work(&mut *connection);
        match &done {
            Err(StoreError::Lost(_)) => held(&self.idle).clear(),
            Ok(_) | Err(_) => held(&self.idle).push(connection),
        }
        done
    }
}

impl LogPlace for LogTable {
    fn begin(&self, shards: u16) -> usagelog::Result<()> {
        let stored: String = self
            .on(|connection| {
                connection.execute(FIX_SHARDS, values![shards.to_string()])?;
                connection.one(SHARDS, values![], Row::take)
            })
            .map_err(|error| to_log("fixing the number of shards", error))?;
        match stored.parse() {
            Ok(stored) if stored == shards => Ok(()),
            Ok(stored) => Err(LogError::ShardCount { asked: shards, stored }),
            Err(_) => Err(damaged(0, "its number of shards is unreadable")),
        }
    }

    fn take(&self, shard: u16) -> usagelog::Result<Opened> {
        let (opened, written) = self
            .on(|connection| {
                let opened = connection.one(TAKE, values![shard], |row| {
                    Ok(Opened { epoch: row.take()?, end: row.take()? })
                })?;
                let written: u64 = connection.one(END, values![shard], Row::take)?;
                Ok((opened, written))
            })
            .map_err(|error| to_log("taking a shard", error))?;
        // Both move in one statement; only a later owner can have written more meanwhile.
        if written < opened.end {
            let problem = format!("shard {shard} has groups up to {written}, not {}", opened.end);
            return Err(damaged(written, &problem));
        }
        Ok(opened)
    }

    fn append(&self, group: Group<'_>) -> usagelog::Result<()> {
        let mut unknown = None;
        for _ in 0..ATTEMPTS_MOST {
            match self.on(|connection| append_once(connection, group)) {
                Ok(outcome) => return outcome,
                Err(StoreError::Lost(error)) => unknown = Some(error),
                Err(StoreError::Unavailable { .. } | StoreError::Contended(_))
                    if unknown.is_some() => {}
                // A broken connection may have left the group behind: only the table can tell.
                Err(error) if unknown.is_some() => return Err(stop(error)),
                Err(error) => return Err(to_log("appending usage", error)),
            }
            tracing::warn!(shard = group.shard, "outcome of an append unknown; looking it up");
            std::thread::sleep(PAUSE);
        }
        Err(stop(unknown.unwrap_or_else(|| "no attempt was made".into())))
    }

    fn read(&self, shard: u16, from_sequence: u64, most_bytes: usize) -> usagelog::Result<Chunk> {
        self.on(|connection| read(connection, shard, from_sequence, most_bytes))
            .map_err(|error| to_log("reading usage", error))
    }

    /// The end moves with every append, so there is nothing left to note.
    fn release(&self, _shard: u16, _end: u64) -> usagelog::Result<()> {
        Ok(())
    }
}

fn append_once(connection: &mut dyn Connection, group: Group<'_>) -> Result<usagelog::Result<()>> {
    let Group { shard, epoch, first_sequence, count, bytes } = group;
    let end = first_sequence.saturating_add(u64::from(count));
    let values = values![end, shard, epoch, first_sequence, count, bytes];
    if connection.execute(APPEND, values)? > 0 {
        return Ok(Ok(()));
    }
    let kept: Option<Vec<u8>> = connection.row(FIND, values![shard, first_sequence], Row::take)?;
    if kept.is_some_and(|kept| kept == bytes) {
        return Ok(Ok(()));
    }
    let state = connection.row(STATE, values![shard], |row| Ok((row.take()?, row.take()?)))?;
    let (current, next): (u32, u64) = state.unwrap_or((0, 0));
    if current != epoch {
        return Ok(Err(LogError::StaleEpoch { shard, epoch, current }));
    }
    let problem = format!("shard {shard} ends at {next}, not where its owner appends");
    Ok(Err(damaged(first_sequence, &problem)))
}

fn read(
    connection: &mut dyn Connection,
    shard: u16,
    from_sequence: u64,
    most_bytes: usize,
) -> Result<Chunk> {
    let sizes = connection.rows(SIZES, values![shard, from_sequence, SIZES_MOST], |row| {
        Ok((row.take::<u64>()?, row.take::<u64>()?))
    })?;
    let most = u64::try_from(most_bytes).unwrap_or(u64::MAX);
    let mut total = 0_u64;
    let within = sizes.iter().take_while(|(_, size)| {
        let fits = total == 0 || total.saturating_add(*size) <= most;
        total = total.saturating_add(*size);
        fits
    });
    let Some(last) = within.map(|(sequence, _)| *sequence).last() else {
        return Ok(Chunk { place: TABLE.to_owned(), offset: from_sequence, bytes: Vec::new() });
    };
    let first = sizes.first().map_or(last, |(sequence, _)| *sequence);
    let frames: Vec<Vec<u8>> = connection.rows(FRAMES, values![shard, first, last], Row::take)?;
    Ok(Chunk { place: TABLE.to_owned(), offset: first, bytes: frames.concat() })
}

/// Which groups do not stand where they say themselves; their bodies are the log's to check.
pub(crate) fn changed(connection: &mut dyn Connection) -> Result<Vec<String>> {
    let problems = connection.rows(HEADERS, values![], |row| {
        let (shard, first, epoch): (u16, u64, u32) = (row.take()?, row.take()?, row.take()?);
        let (entries, header): (u32, Vec<u8>) = (row.take()?, row.take()?);
        let is_so = Header::decode(&header).is_ok_and(|header| {
            (header.shard, header.first_sequence, header.epoch, header.count)
                == (shard, first, epoch, entries)
        });
        let problem = "it does not stand where it says itself";
        Ok((!is_so).then(|| format!("usage log, shard {shard}, group at {first}: {problem}")))
    })?;
    Ok(problems.into_iter().flatten().collect())
}

fn damaged(sequence: u64, problem: &str) -> LogError {
    LogError::Damaged { place: TABLE.to_owned(), offset: sequence, problem: problem.to_owned() }
}

/// Nobody can say what is durable: the log must stop.
fn stop(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LogError {
    LogError::Io {
        what: "appending usage to a database that broke away".to_owned(),
        source: io::Error::other(error),
    }
}

/// The log's word for a failure that left nothing behind.
fn to_log(what: &str, error: StoreError) -> LogError {
    let what = what.to_owned();
    match error {
        StoreError::Full(source) => {
            LogError::Full { what, source: io::Error::new(io::ErrorKind::StorageFull, source) }
        }
        StoreError::Damaged { what: problem } => damaged(0, &problem),
        error if error.is_fatal() => LogError::Io { what, source: io::Error::other(error) },
        error => LogError::Unavailable { what, source: Box::new(error) },
    }
}
