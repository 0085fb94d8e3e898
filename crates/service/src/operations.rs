//! Keeping an installation: backup, verification, the audit log, whether it is well.

use crate::Reckoner;
use domain::access::{Action, Caller, Scope};
use domain::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{AuditFilter, AuditRow};

/// What verifying found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Entries of the usage log whose checksums hold.
    pub log_entries: u64,
    /// Facts whose hashes hold.
    pub facts: u64,
    /// Objects whose bytes are what was written.
    pub objects: u64,
    /// What does not hold, by place.
    pub problems: Vec<String>,
}

impl Reckoner {
    /// Whether requests can be served: the books answer and the log takes usage.
    ///
    /// Errors: [`Error::Unavailable`] saying what does not.
    pub async fn ready(&self) -> Result<()> {
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || store.ping().map_err(crate::stored("ask the books"))).await?;
        match self.0.log.health() {
            usagelog::Health::Well => Ok(()),
            usagelog::Health::ReadOnly => {
                Err(Error::Unavailable { problem: "the disk is full; usage is refused".to_owned() })
            }
            usagelog::Health::Stopped(_) => {
                Err(Error::Unavailable { problem: "the usage log has stopped".to_owned() })
            }
        }
    }

    /// Demands the right to run operations, for those that the program itself has.
    ///
    /// Errors: [`Error::Forbidden`].
    pub async fn may_operate(&self, caller: &Caller) -> Result<()> {
        self.demand(caller, Action::RunOperations, &Scope::Installation).await
    }

    /// Whether the usage log has failed so that the process must end.
    pub fn must_end(&self) -> bool {
        matches!(self.0.log.health(), usagelog::Health::Stopped(_))
    }

    /// Figures for metrics: (name, value).
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        let entries = (0..self.0.config.shards).map(|shard| self.0.log.end(shard)).sum();
        vec![
            ("usage_log_entries", entries),
            ("tail_records", self.0.cells.tail_records()),
            ("index_memory_bytes", self.0.log.index_memory_bytes() as u64),
            ("company_version", self.0.declared().version()),
        ]
    }

    /// Copies the installation into an empty directory while it goes on. The copy is of one
    /// moment: what was acknowledged before the call is in it.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::Invalid`] for a directory that holds something,
    /// [`Error::Unavailable`] for books that are backed up by other means.
    pub async fn backup(&self, caller: &Caller, to: &Path, request_id: &str) -> Result<()> {
        self.demand(caller, Action::RunOperations, &Scope::Installation).await?;
        let from = self.0.config.directory.clone();
        empty_directory(to)?;
        // Books first: they refer to objects that are there, and to a log that only grows.
        let (store, books) = (Arc::clone(&self.0.store), to.join("books.db"));
        crate::blocking(move || store.backup_to(&books).map_err(crate::stored("copy the books")))
            .await?;
        let to_dir = to.to_owned();
        crate::blocking(move || {
            copy_tree(&from.join("objects"), &to_dir.join("objects"))?;
            copy_tree(&from.join("log"), &to_dir.join("log"))
        })
        .await?;
        let note = self.note(caller, &to.display().to_string(), request_id);
        self.audit_note(note, "backup", "installation").await
    }

    /// Writes down that something was done to a target.
    pub(crate) async fn audit_note(
        &self,
        note: store::Note,
        action: &'static str,
        target: &str,
    ) -> Result<()> {
        let target = target.to_owned();
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            let store::Note { actor, reason, request_id, at } = note;
            let entry = store::AuditEntry {
                at,
                actor,
                action: action.to_owned(),
                target,
                reason,
                request_id,
                outcome: "done".to_owned(),
            };
            store.append_audit(&entry).map_err(crate::stored("write the audit log"))
        })
        .await
    }

    /// Reads everything that is kept and checks every checksum.
    ///
    /// `progress` is told (what is being read, done, in all).
    /// Errors: [`Error::Forbidden`], [`Error::Internal`] when something cannot be read at all.
    pub async fn verify(
        &self,
        caller: &Caller,
        progress: impl Fn(&str, u64, u64) + Send + Sync + 'static,
    ) -> Result<Checked> {
        self.demand(caller, Action::RunOperations, &Scope::Installation).await?;
        let inner = Arc::clone(&self.0);
        let mut checked = crate::blocking(move || {
            let mut checked = Checked::default();
            let report =
                inner.log.verify(|shard, done, all| progress(&format!("log {shard}"), done, all));
            let report = report.map_err(|e| Error::internal("read the usage log", e))?;
            for shard in report.shards {
                checked.log_entries = checked.log_entries.saturating_add(shard.entries);
                checked.problems.extend(shard.damage.map(|damage| damage.to_string()));
            }
            let books = inner.store.check().map_err(crate::stored("check the books"))?;
            checked.facts = books.facts;
            checked.problems.extend(books.problems);
            Ok(checked)
        })
        .await?;
        for (key, cell) in self.0.cells.all() {
            let state = cell.state().clone();
            let rated = state.rated.iter().flat_map(|r| [&r.rows, &r.by_day, &r.by_month]);
            for facts in state.usage.iter().map(|file| &file.facts).chain(rated) {
                checked.objects = checked.objects.saturating_add(1);
                if let Err(error) = self.0.engine.check(facts).await {
                    checked.problems.push(format!("{} ({}): {error}", facts.path, key.period));
                }
            }
        }
        Ok(checked)
    }

    /// Reads the audit log, oldest first.
    ///
    /// Errors: [`Error::Forbidden`].
    pub async fn audit(
        &self,
        caller: &Caller,
        filter: AuditFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<AuditRow>> {
        self.demand(caller, Action::ReadAudit, &Scope::Installation).await?;
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            store.audit(&filter, after, limit).map_err(crate::stored("read the audit log"))
        })
        .await
    }
}

/// Puts a backup into an empty directory, from which it can be opened.
///
/// Errors: [`Error::Invalid`] for a directory that holds something or a backup that is none.
pub fn restore(from: &Path, to: &Path) -> Result<()> {
    if !from.join("books.db").is_file() {
        return Err(Error::invalid(
            "from",
            format!("{} is no backup: it has no books.db", from.display()),
        ));
    }
    empty_directory(to)?;
    copy_tree(from, to)
}

fn empty_directory(path: &Path) -> Result<()> {
    let failed = |e| Error::internal(format!("make {}", path.display()), e);
    std::fs::create_dir_all(path).map_err(failed)?;
    let mut entries = std::fs::read_dir(path).map_err(failed)?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Error::invalid("to", format!("{} is not empty", path.display()))),
    }
}

/// Copies files and directories. What disappears meanwhile had been superseded and is left out.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let failed = |path: &Path| {
        let path: PathBuf = path.to_owned();
        move |e| Error::internal(format!("copy {}", path.display()), e)
    };
    let entries = match std::fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(from)(error)),
    };
    std::fs::create_dir_all(to).map_err(failed(to))?;
    for entry in entries {
        let entry = entry.map_err(failed(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else if source.file_name().is_some_and(|name| name != "lock") {
            match std::fs::copy(&source, &target) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&source)(error)),
            }
        }
    }
    Ok(())
}
