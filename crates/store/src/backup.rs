//! Copying the books while they are in use.

use crate::sqlite::{Role, Sqlite};
use crate::{Result, Store, StoreError, StorePlace};
use std::fs::File;
use std::path::{Path, PathBuf};

impl Store {
    /// Copies one consistent state of the books to a new file, durably, while writes go on.
    ///
    /// Errors: [`StoreError::Refused`] when the file is there already;
    /// [`StoreError::Unsupported`] on PostgreSQL, which has better means of its own.
    pub fn backup_to(&self, path: &Path) -> Result<()> {
        let StorePlace::Sqlite(books) = self.pool.place() else {
            return Err(StoreError::Unsupported(
                "books in PostgreSQL are backed up with pg_dump or pg_basebackup",
            ));
        };
        Store::copy(books, path)
    }

    /// Copies one consistent state of the SQLite books in a file to a new file, durably, while this
    /// or another process writes to them. The books are not changed, nor brought up to date.
    ///
    /// Errors: as [`Store::backup_to`].
    pub fn copy(books: &Path, path: &Path) -> Result<()> {
        if path.exists() {
            return Err(StoreError::refused("file", path.display(), "is already there"));
        }
        // Under another name until it is whole: a crash leaves no half backup to be trusted.
        let partial = beside(path);
        let copied = Sqlite::open(books, Role::Reader)
            .and_then(|reader| reader.copy_to(&partial))
            .and_then(|()| keep(&partial, path).map_err(|error| StoreError::Io(Box::new(error))));
        if copied.is_err()
            && let Err(error) = std::fs::remove_file(&partial)
        {
            tracing::debug!(%error, "nothing to remove of the failed backup");
        }
        copied
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Makes the copy durable under its name.
fn keep(partial: &Path, path: &Path) -> std::io::Result<()> {
    File::open(partial)?.sync_all()?;
    std::fs::rename(partial, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
