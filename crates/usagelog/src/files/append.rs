//! One shard's files while they are written and read.

use super::layout::Span;
use super::note::Note;
use super::{recover, sync_dir};
use crate::error::{LogError, Result};
use crate::frame::Header;
use crate::place::{Chunk, Group, Opened};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

/// A shard that this process has taken.
#[derive(Debug)]
pub(super) struct ShardFiles {
    shard: u16,
    dir: PathBuf,
    epoch: u32,
    end_when_taken: u64,
    file_bytes: u64,
    /// The handle of the last file; `None` after a failure, when nothing may be written any more.
    writer: Mutex<Option<File>>,
    /// What is durable. Never empty; the last span is the file being written.
    spans: RwLock<Vec<Span>>,
}

impl ShardFiles {
    /// Takes a shard: recovers its files, then gives out the next epoch.
    pub(super) fn take(shard: u16, dir: PathBuf, file_bytes: u64) -> Result<ShardFiles> {
        let note_path = dir.join("epoch");
        let note = Note::read(&note_path)?;
        let mut spans = recover::spans(&dir, shard)?;
        let note = match note {
            Some(note) => note,
            None if spans.iter().all(|span| span.length == 0) => Note::default(),
            None => {
                let place = note_path.display().to_string();
                return Err(LogError::damaged(
                    place,
                    0,
                    "it is missing and the shard is not empty",
                ));
            }
        };
        let end = spans.last().map_or(0, |span| span.end);
        if end < note.end {
            let place = dir.display().to_string();
            let problem = format!("it ends at sequence {end} and once reached {}", note.end);
            return Err(LogError::damaged(place, 0, &problem));
        }
        let epoch = note.epoch.saturating_add(1);
        Note { epoch, end }.write(&note_path)?;
        if spans.is_empty() {
            spans.push(Span::empty(log_path(&dir, 0), 0));
        }
        let path = &spans[spans.len() - 1].path;
        let writer = Mutex::new(Some(open_for_append(path)?));
        sync_dir(&dir)?;
        let spans = RwLock::new(spans);
        Ok(ShardFiles { shard, dir, epoch, end_when_taken: end, file_bytes, writer, spans })
    }

    /// What was taken.
    pub(super) fn opened(&self) -> Opened {
        Opened { epoch: self.epoch, end: self.end_when_taken }
    }

    /// Appends a group durably.
    pub(super) fn append(&self, group: Group<'_>) -> Result<()> {
        if group.epoch != self.epoch {
            let current = self.epoch;
            return Err(LogError::StaleEpoch { shard: self.shard, epoch: group.epoch, current });
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut span = self.last_span();
        if group.first_sequence != span.end {
            let problem = format!("sequence {} was to follow {}", group.first_sequence, span.end);
            return Err(span.damaged(span.length, &problem));
        }
        if span.length >= self.file_bytes {
            span = self.begin_next_file(&mut writer)?;
        }
        // Taken out and put back only on success: a failure that is not rolled back ends writing.
        let file = writer.take().ok_or(LogError::Closed)?;
        if let Err(e) = file.write_all_at(group.bytes, span.length) {
            let error = LogError::io("appending to", &span.path, e);
            if matches!(error, LogError::Full { .. }) && file.set_len(span.length).is_ok() {
                *writer = Some(file);
                return Err(error);
            }
            return Err(fatal(error));
        }
        file.sync_data().map_err(|e| fatal(LogError::io("syncing", &span.path, e)))?;
        *writer = Some(file);
        let end = group.first_sequence + u64::from(group.count);
        let mut spans = self.spans.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = spans.last_mut() {
            last.grow(group.first_sequence, end, group.bytes.len() as u64);
        }
        Ok(())
    }

    /// The last span without its marks.
    fn last_span(&self) -> Span {
        let spans = self.spans.read().unwrap_or_else(PoisonError::into_inner);
        let last = &spans[spans.len() - 1];
        Span { path: last.path.clone(), marks: Vec::new(), ..*last }
    }

    fn begin_next_file(&self, writer: &mut Option<File>) -> Result<Span> {
        let mut spans = self.spans.write().unwrap_or_else(PoisonError::into_inner);
        let last = &spans[spans.len() - 1];
        if let Err(error) = last.save_marks() {
            tracing::debug!(%error, "marks not kept");
        }
        let next = Span::empty(log_path(&self.dir, last.end), last.end);
        let file = open_for_append(&next.path)?;
        sync_dir(&self.dir).map_err(fatal)?;
        if writer.is_some() {
            *writer = Some(file);
        }
        spans.push(next.clone());
        Ok(next)
    }

    /// Reads whole durable groups.
    pub(super) fn read(&self, from_sequence: u64, most_bytes: usize) -> Result<Chunk> {
        let Some(span) = self.span_of(from_sequence) else { return Ok(Chunk::default()) };
        let file = File::open(&span.path).map_err(|e| LogError::io("opening", &span.path, e))?;
        let (offset, first) = span.locate(&file, from_sequence)?;
        let left = usize::try_from(span.length - offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; most_bytes.max(first.group_bytes()).min(left)];
        match file.read_exact_at(&mut bytes, offset) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(span.damaged(offset, "the file is cut short"));
            }
            read => read.map_err(|e| LogError::io("reading", &span.path, e))?,
        }
        let mut whole = 0;
        while let Ok(header) = Header::decode(&bytes[whole..]) {
            let end = whole + header.group_bytes();
            if end > bytes.len() {
                break;
            }
            whole = end;
        }
        bytes.truncate(whole);
        if bytes.is_empty() {
            return Err(span.damaged(offset, "the group is cut short"));
        }
        Ok(Chunk { place: span.path.display().to_string(), offset, bytes })
    }

    /// The file that holds a sequence, with the mark before it; `None` from the end on.
    fn span_of(&self, sequence: u64) -> Option<Span> {
        let spans = self.spans.read().unwrap_or_else(PoisonError::into_inner);
        let index = spans.partition_point(|span| span.end <= sequence);
        let span = spans.get(index).filter(|span| span.first <= sequence)?;
        let after = span.marks.partition_point(|mark| mark.sequence <= sequence);
        let marks = span.marks[after.saturating_sub(1)..after].to_vec();
        Some(Span { path: span.path.clone(), marks, ..*span })
    }

    /// Notes how far the shard surely reaches, and ends writing.
    pub(super) fn release(&self, end: u64) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.take().is_none() {
            return Ok(());
        }
        Note { epoch: self.epoch, end }.write(&self.dir.join("epoch"))
    }
}

fn log_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.log"))
}

fn open_for_append(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).open(path);
    opened.map_err(|e| LogError::io("opening", path, e))
}

/// A failure after which nobody knows what is on the disk: even "full" is then no passing matter.
fn fatal(error: LogError) -> LogError {
    match error {
        LogError::Full { what, source } => LogError::Io { what, source },
        other => other,
    }
}
