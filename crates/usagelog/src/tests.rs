//! What the log promises, as rules.

mod copies;
mod deduplication;
mod failures;
mod index;
mod recovery;

use crate::{
    Entry, EntryKind, FilePlace, LogError, LogOptions, LogPlace, Logged, Placed, UsageLog, key_hash,
};
use calendar::Instant;
use domain::usage::Position;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const HASH_KEY: [u8; 32] = [42; 32];

/// A directory with a log in it.
struct Home {
    dir: TempDir,
    run_entries: usize,
    file_bytes: u64,
}

impl Home {
    fn new() -> Home {
        Home { dir: TempDir::new().unwrap(), run_entries: 100_000, file_bytes: 1 << 20 }
    }

    /// What a crash at this moment would leave.
    fn crashed(&self) -> Home {
        let image = Home { dir: TempDir::new().unwrap(), ..*self };
        copy(self.dir.path(), image.dir.path());
        image
    }

    fn options(&self) -> LogOptions {
        let mut options = LogOptions::new(self.dir.path().join("index"), HASH_KEY);
        options.shards = 1;
        options.run_entries = self.run_entries;
        options
    }

    fn place(&self) -> Result<FilePlace, LogError> {
        FilePlace::open(self.dir.path().join("log"), self.file_bytes)
    }

    fn try_open(&self) -> Result<UsageLog, LogError> {
        UsageLog::open(Arc::new(self.place()?), self.options())
    }

    fn open(&self) -> UsageLog {
        self.try_open().unwrap()
    }

    /// Files below the home whose name ends so, in order.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(self.dir.path(), &mut |path| {
            if path.to_string_lossy().ends_with(ending) {
                files.push(path.to_owned());
            }
        });
        files.sort();
        files
    }
}

fn walk(dir: &Path, see: &mut dyn FnMut(&Path)) {
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { walk(&path, see) } else { see(&path) }
    }
}

fn copy(from: &Path, to: &Path) {
    walk(from, &mut |path| {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    });
}

fn entry(key: &str, content: &str) -> Entry {
    let (key, payload) = (key.as_bytes().to_vec(), format!("{key}={content}").into_bytes());
    Entry::new(EntryKind::RECORD, key, content.as_bytes(), payload, &HASH_KEY)
}

/// Reads "k=v k=v" as a batch.
fn batch(text: &str) -> Vec<Entry> {
    let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(key, content)| entry(key, content)).collect()
}

fn append(log: &UsageLog, text: &str) -> String {
    say(&log.append_wait(0, batch(text), Instant::EPOCH).unwrap())
}

/// "new 0, dup 0, conflict 1 of 0, again 1".
fn say(placed: &[Placed]) -> String {
    let words: Vec<String> = placed.iter().map(word).collect();
    words.join(", ")
}

fn word(placed: &Placed) -> String {
    match placed {
        Placed::New(at) => format!("new {}", at.sequence),
        Placed::Duplicate(at) => format!("dup {}", at.sequence),
        Placed::Conflict { first, kept } => {
            format!("conflict {} of {}", kept.sequence, first.sequence)
        }
        Placed::ConflictAgain(at) => format!("again {}", at.sequence),
    }
}

fn payloads(log: &UsageLog) -> String {
    let entries: Vec<Logged> = log.read(0, 0).map(Result::unwrap).collect();
    let texts = entries.iter().map(|logged| String::from_utf8_lossy(&logged.payload).into_owned());
    texts.collect::<Vec<_>>().join(" ")
}

fn find(log: &UsageLog, key: &str) -> Option<u64> {
    let hash = key_hash(&HASH_KEY, key.as_bytes());
    log.find(0, hash, key.as_bytes()).unwrap().map(|position| position.sequence)
}

fn flip(path: &Path, offset: usize, mask: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= mask;
    fs::write(path, bytes).unwrap();
}

fn at(sequence: u64, epoch: u32) -> Position {
    Position { shard: 0, sequence, epoch }
}
