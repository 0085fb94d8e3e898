//! Backups: copying an installation while a server may run on it, and putting a copy back.
//!
//! The books come first, then the log, which only grows, then the objects that the copied books
//! list: they are never written again, and stay for a while after they were replaced.

use crate::declared::{EXTRACT, ExtractBody};
use crate::{Config, blocking, private_directory, stored};
use calendar::{Instant, SystemClock};
use domain::access::Caller;
use domain::{Error, Result};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use store::{AuditEntry, Store, StorePlace};
use usagelog::FilePlace;

/// How often a backup begins anew because an object that it listed was removed meanwhile.
const TRIES: u32 = 5;
/// Facts read at once.
const FACTS_AT_ONCE: u64 = 10_000;

/// Copies the installation of a directory into an empty directory, whether or not a process runs on
/// it. What was acknowledged before the call is in the copy, and nothing half.
///
/// Errors: [`Error::Invalid`] for a directory that holds something, for one that is no
/// installation, and for books in PostgreSQL; [`Error::Internal`] when storage fails.
pub async fn backup(
    config: Config,
    clock: Arc<dyn SystemClock>,
    to: &Path,
    request_id: &str,
) -> Result<()> {
    let (to, request_id) = (to.to_owned(), request_id.to_owned());
    blocking(move || {
        copy_installation(&config, &to)?;
        let books = StorePlace::Sqlite(config.directory.join("books.db"));
        let store = Store::open(&books).map_err(stored("open the books"))?;
        let entry = AuditEntry {
            at: clock.now(),
            actor: Caller::Machine.actor(),
            action: "backup".to_owned(),
            target: "installation".to_owned(),
            reason: to.display().to_string(),
            request_id,
            outcome: "done".to_owned(),
        };
        store.append_audit(&entry).map_err(stored("write the audit log"))
    })
    .await
}

/// Puts a backup into an empty directory, from which it can be opened.
///
/// Errors: [`Error::Invalid`] for a directory that holds something or a backup that is none.
pub fn restore(from: &Path, to: &Path) -> Result<()> {
    if !from.join("books.db").is_file() {
        let problem = format!("{} is no backup: it has no books.db", from.display());
        return Err(Error::invalid("from", problem));
    }
    empty_directory(to)?;
    copy_tree(from, to)
}

fn copy_installation(config: &Config, to: &Path) -> Result<()> {
    let from = &config.directory;
    if config.postgres.is_some() {
        let problem = format!(
            "books and usage log are in PostgreSQL: dump its database first (pg_dump), then copy \
             `objects` and `tls` of {}; what the dump lists stays there for limits.page_seconds",
            from.display()
        );
        return Err(Error::invalid("store", problem));
    }
    if !from.join("books.db").is_file() {
        let problem = format!("{} is no installation: it has no books.db", from.display());
        return Err(Error::invalid("data", problem));
    }
    empty_directory(to)?;
    for _ in 0..TRIES {
        if copy_once(from, to)? == Copied::Whole {
            return Ok(());
        }
        tracing::info!("an object was replaced and removed meanwhile; the backup begins anew");
        remove_all(to)?;
    }
    let problem = "objects are removed faster than they can be copied; raise limits.page_seconds";
    Err(Error::Unavailable { problem: problem.to_owned() })
}

/// What became of one try.
#[derive(Debug, PartialEq, Eq)]
enum Copied {
    Whole,
    /// Something that the copied books list was gone.
    Gone,
}

fn copy_once(from: &Path, to: &Path) -> Result<Copied> {
    let books = to.join("books.db");
    Store::copy(&from.join("books.db"), &books).map_err(stored("copy the books"))?;
    let log = FilePlace::copy(&from.join("log"), &to.join("log"));
    log.map_err(|e| Error::internal("copy the usage log", e))?;
    let listed = listed(&books)?;
    let (objects, copies) = (from.join("objects"), to.join("objects"));
    make(&copies)?;
    for path in listed.files {
        if copy_file(&objects.join(&path), &copies.join(&path))? == Copied::Gone {
            return Ok(Copied::Gone);
        }
    }
    // A pinned answer that expired meanwhile is missed by nobody.
    for folder in listed.folders {
        copy_tree(&objects.join(&folder), &copies.join(&folder))?;
    }
    copy_tree(&from.join("tls"), &to.join("tls"))?;
    Ok(Copied::Whole)
}

/// What books refer to below the objects.
struct Listed {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

fn listed(books: &Path) -> Result<Listed> {
    let store = Store::open(&StorePlace::Sqlite(books.to_owned()));
    let store = store.map_err(stored("open the copy of the books"))?;
    let objects = store.objects().map_err(stored("read the objects' catalogue"))?;
    let mut files: BTreeSet<String> = objects.into_iter().map(|row| row.path).collect();
    files.insert(crate::sweeping::OWNER.to_owned());
    let mut read = 0;
    loop {
        let facts = store.facts_after(read, FACTS_AT_ONCE).map_err(stored("read the facts"))?;
        let Some(last) = facts.last() else { break };
        read = last.number;
        for fact in facts.iter().filter(|fact| fact.kind == EXTRACT) {
            let body: ExtractBody = crate::declared::parse(fact)?;
            files.insert(body.members_path);
        }
    }
    let spools = store.expired_spools(Instant::MAX).map_err(stored("read the pinned answers"))?;
    Ok(Listed { files, folders: spools.into_iter().map(|spool| spool.path).collect() })
}

/// A failure of a step with a file or directory.
fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let context = format!("{what} {}", path.display());
    move |error| Error::internal(context, error)
}

fn make(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(failed("make", path))
}

fn empty_directory(path: &Path) -> Result<()> {
    private_directory(path).map_err(failed("make", path))?;
    let mut entries = fs::read_dir(path).map_err(failed("read", path))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Error::invalid("to", format!("{} is not empty", path.display()))),
    }
}

/// Empties a directory of what an earlier try put there.
fn remove_all(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).map_err(failed("read", directory))? {
        let path = entry.map_err(failed("read", directory))?.path();
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(failed("remove", &path))?;
    }
    Ok(())
}

/// Copies a file durably, with its rights.
fn copy_file(source: &Path, target: &Path) -> Result<Copied> {
    if let Some(folder) = target.parent() {
        make(folder)?;
    }
    match fs::copy(source, target) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Copied::Gone),
        Err(error) => return Err(failed("copy", source)(error)),
    }
    let synced = File::open(target).and_then(|file| file.sync_all());
    synced.map_err(failed("sync", target))?;
    Ok(Copied::Whole)
}

/// Copies files and directories. What disappears meanwhile is left out.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read", from)(error)),
    };
    make(to)?;
    for entry in entries {
        let entry = entry.map_err(failed("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            copy_file(&source, &target)?;
        }
    }
    Ok(())
}
