//! Puts whole objects into a directory so that they survive a crash.
//!
//! `object_store` writes to a temporary file and renames it, but never syncs; objects that the
//! books point at must be on the disk before the books say so.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a folder is made again that somebody removes because it is empty.
const TRIES: usize = 8;

/// Tells concurrent writers of this process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Writes an object below a root: all of it or nothing, and on the disk when it returns.
pub(crate) fn put(root: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
    let target = root.join(path);
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let staged = Staged(folder.join(format!(".{name}.{number}{STAGED}")));
    let mut file = create(root, folder, &staged.0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&staged.0, &target)?;
    sync_folder(folder)
}

/// The end of a temporary file's name; its start is a dot.
pub(crate) const STAGED: &str = ".tmp";

/// A temporary file that goes away, by its renaming or when writing it fails.
struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        // What stays behind is invisible, and old after a while.
        let _ = fs::remove_file(&self.0);
    }
}

/// Creates a file and its folders; one that is emptied and removed meanwhile is made again.
fn create(root: &Path, folder: &Path, path: &Path) -> io::Result<File> {
    let once = || make_folder(root, folder).and_then(|()| File::create(path));
    let is_gone = |file: &io::Result<File>| {
        file.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let mut file = once();
    for _ in 0..TRIES {
        if is_gone(&file) {
            file = once();
        }
    }
    file
}

/// Creates missing folders from the root down, each named durably in its parent.
fn make_folder(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|_| folder != root) {
        make_folder(root, parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    folder.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
