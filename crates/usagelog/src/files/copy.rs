//! Copying a log while another process may append to it.

use super::note::{self, Note};
use super::recover::{self, length_of};
use super::{FilePlace, sync_dir};
use crate::error::{LogError, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How often a shard is copied again because a process took it meanwhile.
const TRIES: u32 = 5;

impl FilePlace {
    /// Copies the log of a directory to another, which is made, durably and without its lock. What
    /// was durable before the call is in the copy; a group that is being written is whole in it or
    /// not there. Opening the copy makes what is left out (marks, lock, index).
    ///
    /// Errors: [`LogError::Damaged`] when something durable is not as it was written,
    /// [`LogError::Unavailable`] when the log is opened again and again meanwhile.
    pub fn copy(from: &Path, to: &Path) -> Result<()> {
        make(to)?;
        let shards = from.join("shards");
        let text = fs::read(&shards).map_err(|e| LogError::io("reading", &shards, e))?;
        note::replace(&to.join("shards"), &text)?;
        let fail = |e| LogError::io("listing", from, e);
        for item in fs::read_dir(from).map_err(fail)? {
            let path = item.map_err(fail)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_prefix("shard-")?.parse::<u16>().ok());
            if let (Some(shard), Some(name)) = (number, name) {
                copy_shard(shard, &path, &to.join(name))?;
            }
        }
        sync_dir(to)
    }
}

fn copy_shard(shard: u16, from: &Path, to: &Path) -> Result<()> {
    for _ in 0..TRIES {
        // Read before the files: they reach at least as far as it says.
        let Some(note) = Note::read(&from.join("epoch"))? else { return Ok(()) };
        make(to)?;
        let end = copy_files(shard, from, to)?;
        if end < note.end {
            let place = from.display().to_string();
            let problem = format!("it ends at sequence {end} and once reached {}", note.end);
            return Err(LogError::damaged(place, 0, &problem));
        }
        // Groups of a later epoch than the note's would be given out again from the copy.
        let now = Note::read(&from.join("epoch"))?;
        if now.is_some_and(|now| now.epoch == note.epoch) {
            return Note { epoch: note.epoch, end }.write(&to.join("epoch"));
        }
        fs::remove_dir_all(to).map_err(|e| LogError::io("removing", to, e))?;
    }
    let what = format!("copying {}", from.display());
    let source = "the log was opened again and again meanwhile".into();
    Err(LogError::Unavailable { what, source })
}

/// Copies the files of a shard; gives the end of what was copied.
fn copy_files(shard: u16, from: &Path, to: &Path) -> Result<u64> {
    let mut files = recover::list(from)?;
    let Some((first, last)) = files.pop() else { return Ok(0) };
    for (_, path) in files {
        let bytes = fs::read(&path).map_err(|e| LogError::io("reading", &path, e))?;
        write(&target(&path, to), &bytes)?;
    }
    let bytes = fs::read(&last).map_err(|e| LogError::io("reading", &last, e))?;
    let target = target(&last, to);
    let (span, _torn) = recover::whole(&bytes, last, first, shard)?;
    write(&target, bytes.get(..length_of(&span)).unwrap_or_default())?;
    Ok(span.end)
}

fn target(path: &Path, to: &Path) -> PathBuf {
    path.file_name().map_or_else(|| to.to_owned(), |name| to.join(name))
}

fn make(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| LogError::io("making", dir, e))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|e| LogError::io("writing", path, e))
}
