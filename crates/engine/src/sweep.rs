//! Finding and removing files that have lain below the directory of objects for long: what of
//! them is needed, only the caller can tell.

use async_recursion::async_recursion as boxed;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use crate::durable;
use crate::engine::{Engine, blocking, check_path};
use crate::error::{Error, Result};

/// A file below the directory of objects that was written before some moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OldFile {
    /// Its path, as an object has one.
    pub path: String,
    /// Whether it is the temporary file of a write that never came to its end.
    pub is_staged: bool,
}

impl Engine {
    /// Lists the files that were written before a moment, temporary ones too; nothing where
    /// objects do not lie in a directory.
    ///
    /// Errors: [`Error::Object`].
    #[boxed]
    pub async fn old_files(&self, before: SystemTime) -> Result<Vec<OldFile>> {
        let Some(directory) = self.inner.directory.clone() else { return Ok(Vec::new()) };
        blocking(move || {
            let path = directory.display().to_string();
            old_files(&directory, before)
                .map_err(|error| Error::Object { path, source: error.into() })
        })
        .await
    }

    /// Removes a file of [`Engine::old_files`], unless it was written again since; says whether
    /// it did.
    ///
    /// Errors: [`Error::Object`].
    #[boxed]
    pub async fn remove_old(&self, file: OldFile, before: SystemTime) -> Result<bool> {
        let Some(directory) = self.inner.directory.clone() else { return Ok(false) };
        if let Ok(location) = check_path(&file.path) {
            self.forget(&location);
        }
        blocking(move || {
            remove_old(&directory, &file.path, before)
                .map_err(|error| Error::Object { path: file.path, source: error.into() })
        })
        .await
    }
}

/// The files below a root that were written before a moment, in the order of their paths. What
/// disappears meanwhile is left out.
fn old_files(root: &Path, before: SystemTime) -> io::Result<Vec<OldFile>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let Some(entries) = unless_gone(fs::read_dir(root.join(&folder)))? else { continue };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let Some(about) = unless_gone(entry.metadata())? else { continue };
            if about.is_dir() {
                folders.push(path);
            } else if about.modified()? < before
                && let (Some(path), Some(name)) = (path.to_str(), entry.file_name().to_str())
            {
                let is_staged = name.starts_with('.') && name.ends_with(durable::STAGED);
                found.push(OldFile { path: path.to_owned(), is_staged });
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Removes a file that is still older than a moment: one written again meanwhile stays. Says
/// whether it is gone by this.
fn remove_old(root: &Path, path: &str, before: SystemTime) -> io::Result<bool> {
    let path = root.join(path);
    match unless_gone(fs::metadata(&path))? {
        Some(about) if about.modified()? < before => {
            let is_removed = unless_gone(fs::remove_file(&path))?.is_some();
            if let Some(folder) = path.parent().filter(|folder| *folder != root) {
                // Only an empty folder goes; others stay as they are.
                let _ = fs::remove_dir(folder);
            }
            Ok(is_removed)
        }
        _ => Ok(false),
    }
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
