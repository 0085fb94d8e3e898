//! Which file holds which sequences, and where in it to begin looking.

use crate::error::{LogError, Result};
use crate::frame::{Fields, HEADER_BYTES, Header};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of log between two marks.
const MARK_EVERY_BYTES: u64 = 256 << 10;
const MARKS_MAGIC: [u8; 8] = *b"RKUMARK1";

/// A group that is known to begin at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) sequence: u64,
    pub(super) offset: u64,
}

/// One file of a shard: sequences `first..end` in `length` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) path: PathBuf,
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) length: u64,
    pub(super) marks: Vec<Mark>,
}

impl Span {
    /// A file without groups.
    pub(super) fn empty(path: PathBuf, first: u64) -> Span {
        Span { path, first, end: first, length: 0, marks: Vec::new() }
    }

    /// Takes note of a group that stands at the end.
    pub(super) fn grow(&mut self, first_sequence: u64, end: u64, group_bytes: u64) {
        let far = |mark: &Mark| self.length - mark.offset >= MARK_EVERY_BYTES;
        if self.marks.last().is_none_or(far) {
            self.marks.push(Mark { sequence: first_sequence, offset: self.length });
        }
        self.end = end;
        self.length += group_bytes;
    }

    /// Damage in this file.
    pub(super) fn damaged(&self, offset: u64, problem: &str) -> LogError {
        LogError::damaged(self.path.display().to_string(), offset, problem)
    }

    /// The offset of the group that holds a sequence, with its header.
    pub(super) fn locate(&self, file: &File, sequence: u64) -> Result<(u64, Header)> {
        let after = self.marks.partition_point(|mark| mark.sequence <= sequence);
        let mut offset = after.checked_sub(1).map_or(0, |index| self.marks[index].offset);
        while offset < self.length {
            let header = self.header_at(file, offset)?;
            if header.end() > sequence {
                return Ok((offset, header));
            }
            offset += header.group_bytes() as u64;
        }
        Err(self.damaged(offset, &format!("no group holds sequence {sequence}")))
    }

    /// Reads the header at an offset.
    pub(super) fn header_at(&self, file: &File, offset: u64) -> Result<Header> {
        let mut bytes = [0; HEADER_BYTES];
        match file.read_exact_at(&mut bytes, offset) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged(offset, "the file is cut short"));
            }
            read => read.map_err(|e| LogError::io("reading", &self.path, e))?,
        }
        Header::decode(&bytes).map_err(|problem| self.damaged(offset, problem))
    }

    /// Keeps the marks of a full file beside it. They can be made again, so they are not synced.
    pub(super) fn save_marks(&self) -> Result<()> {
        let mut bytes = Vec::with_capacity(36 + self.marks.len() * 16);
        bytes.extend_from_slice(&MARKS_MAGIC);
        for number in [self.first, self.end, self.length] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for mark in &self.marks {
            bytes.extend_from_slice(&mark.sequence.to_le_bytes());
            bytes.extend_from_slice(&mark.offset.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let path = marks_path(&self.path);
        fs::write(&path, bytes).map_err(|e| LogError::io("writing", &path, e))
    }

    /// Reads the marks of a full file; `None` if they must be made again.
    pub(super) fn load_marks(path: &Path, first: u64) -> Option<Span> {
        let bytes = fs::read(marks_path(path)).ok()?;
        let (content, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let mut fields = Fields(content);
        if crc != crc32c::crc32c(content).to_le_bytes()
            || fields.array::<8>()? != MARKS_MAGIC
            || fields.u64()? != first
        {
            return None;
        }
        let (end, length) = (fields.u64()?, fields.u64()?);
        let mut marks = Vec::with_capacity(fields.0.len() / 16);
        while !fields.0.is_empty() {
            marks.push(Mark { sequence: fields.u64()?, offset: fields.u64()? });
        }
        Some(Span { path: path.to_owned(), first, end, length, marks })
    }
}

fn marks_path(log: &Path) -> PathBuf {
    log.with_extension("marks")
}
