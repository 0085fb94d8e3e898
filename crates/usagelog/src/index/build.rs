//! Writing a run: from a full table, or merged from older runs.

use super::filter::Filter;
use super::run::{self, MAGIC, PAGE_BYTES, PAGE_SLOTS, Run, RunSpan, SLOT_BYTES};
use super::{Full, Slot, high};
use crate::error::{LogError, Result};
use crate::files::sync_dir;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Written bytes are synced piece by piece, so that the log's own syncs never wait for many.
const SYNC_EVERY_BYTES: usize = 4 << 20;

/// A run that is being written.
pub(super) struct RunWriter {
    dir: PathBuf,
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    in_page: usize,
    slots: u64,
    fences: Vec<u64>,
    filter: Filter,
}

impl RunWriter {
    /// Begins a run of so many slots.
    pub(super) fn new(dir: &Path, name: &str, slots: u64) -> Result<RunWriter> {
        let path = dir.join(name);
        let mut options = OpenOptions::new();
        let made = options.read(true).write(true).create(true).truncate(true).open(&path);
        let file = made.map_err(|e| LogError::io("making", &path, e))?;
        Ok(RunWriter {
            dir: dir.to_owned(),
            path,
            file,
            buffer: Vec::with_capacity(SYNC_EVERY_BYTES + PAGE_BYTES),
            in_page: 0,
            slots: 0,
            fences: Vec::new(),
            filter: Filter::for_keys(slots),
        })
    }

    /// Adds the next slot; slots come in their order.
    pub(super) fn push(&mut self, slot: &Slot) -> Result<()> {
        if self.in_page == 0 {
            self.fences.push(high(slot.key_hash));
        }
        run::encode(slot, &mut self.buffer);
        self.filter.add(slot.key_hash);
        self.slots += 1;
        self.in_page += 1;
        if self.in_page == PAGE_SLOTS {
            self.end_page();
            if self.buffer.len() >= SYNC_EVERY_BYTES {
                self.write_out()?;
            }
        }
        Ok(())
    }

    fn end_page(&mut self) {
        let begin = self.buffer.len() - self.in_page * SLOT_BYTES;
        self.buffer.resize(begin + PAGE_BYTES - 4, 0);
        let crc = crc32c::crc32c(&self.buffer[begin..]);
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        self.in_page = 0;
    }

    fn write_out(&mut self) -> Result<()> {
        write_synced(&mut self.file, &self.path, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the run; it is then open.
    pub(super) fn finish(mut self, span: RunSpan) -> Result<Run> {
        if self.in_page > 0 {
            self.end_page();
        }
        self.write_out()?;
        let RunWriter { dir, path: unnamed, mut file, slots, fences, filter, .. } = self;
        let mut crc = 0;
        for piece in filter.pieces() {
            crc = crc32c::crc32c_append(crc, &piece);
            write_synced(&mut file, &unnamed, &piece)?;
        }
        let mut tail: Vec<u8> = fences.iter().flat_map(|fence| fence.to_le_bytes()).collect();
        tail.extend_from_slice(&MAGIC);
        for number in [span.from, span.to, span.proof, slots, filter.size_bytes() as u64] {
            tail.extend_from_slice(&number.to_le_bytes());
        }
        crc = crc32c::crc32c_append(crc, &tail);
        tail.extend_from_slice(&crc.to_le_bytes());
        write_synced(&mut file, &unnamed, &tail)?;
        let path = dir.join(format!("{:020}-{:020}.run", span.from, span.to));
        fs::rename(&unnamed, &path).map_err(|e| LogError::io("naming", &path, e))?;
        sync_dir(&dir)?;
        Ok(Run { span, slots, path, file, filter, fences })
    }
}

fn write_synced(file: &mut File, path: &Path, bytes: &[u8]) -> Result<()> {
    let written = file.write_all(bytes).and_then(|()| file.sync_data());
    written.map_err(|e| LogError::io("writing", path, e))
}

/// Writes a full table as a run.
pub(super) fn from_table(dir: &Path, full: &Full) -> Result<Run> {
    let mut slots: Vec<Slot> = full.slots.iter().copied().collect();
    slots.sort_unstable();
    let mut writer = RunWriter::new(dir, "table.new", slots.len() as u64)?;
    for slot in &slots {
        writer.push(slot)?;
    }
    writer.finish(RunSpan { from: full.from, to: full.to, proof: full.proof })
}

/// Several neighbouring runs that become one, step by step.
pub(super) struct Merge {
    inputs: Vec<Arc<Run>>,
    cursors: Vec<Cursor>,
    writer: RunWriter,
}

struct Cursor {
    page: usize,
    slots: std::vec::IntoIter<Slot>,
}

impl Merge {
    /// Begins to merge runs that cover the log one after the other.
    pub(super) fn new(dir: &Path, inputs: Vec<Arc<Run>>) -> Result<Merge> {
        let slots = inputs.iter().map(|run| run.slots).sum();
        let writer = RunWriter::new(dir, "merge.new", slots)?;
        let cursors = inputs.iter().map(|_| Cursor { page: 0, slots: Vec::new().into_iter() });
        let cursors = cursors.collect();
        Ok(Merge { inputs, cursors, writer })
    }

    /// Merges some more slots; `false` when nothing is left.
    pub(super) fn step(&mut self, slots: usize) -> Result<bool> {
        for _ in 0..slots {
            for (cursor, run) in self.cursors.iter_mut().zip(&self.inputs) {
                cursor.fill(run)?;
            }
            let heads = self.cursors.iter().enumerate();
            let heads =
                heads.filter_map(|(n, cursor)| Some((*cursor.slots.as_slice().first()?, n)));
            let Some((slot, least)) = heads.min() else { return Ok(false) };
            self.cursors[least].slots.next();
            self.writer.push(&slot)?;
        }
        Ok(true)
    }

    /// Ends the merged run and opens it.
    pub(super) fn finish(self) -> Result<Run> {
        let spans = self.inputs.first().zip(self.inputs.last());
        let (first, last) = spans.ok_or(LogError::Closed)?;
        let span = RunSpan { from: first.span.from, ..last.span };
        self.writer.finish(span)
    }
}

impl Cursor {
    fn fill(&mut self, run: &Run) -> Result<()> {
        if self.slots.as_slice().is_empty() && self.page < run.pages() {
            let mut slots = Vec::with_capacity(PAGE_SLOTS);
            run.page(self.page, |slot| slots.push(slot))?;
            self.slots = slots.into_iter();
            self.page += 1;
        }
        Ok(())
    }
}
