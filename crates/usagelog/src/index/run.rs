//! A run: slots sorted by key hash in an immutable file, in pages that carry their own checksum.
//!
//! ```text
//! page   = slot × 93 (key hash u128 | sequence u64 | epoch u32 | content hash u128) | crc32c u32
//! tail   = filter | high half of each page's first key hash, u64 × pages
//! footer = magic "RKURUN01" | from u64 | to u64 | proof u64 | slots u64 | filter bytes u64
//!          | crc32c of tail and footer u32
//! ```

use super::filter::Filter;
use super::{Slot, high};
use crate::error::{LogError, Result};
use crate::frame::Fields;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const PAGE_BYTES: usize = 4096;
pub(super) const SLOT_BYTES: usize = 44;
pub(super) const PAGE_SLOTS: usize = (PAGE_BYTES - 4) / SLOT_BYTES;
const FOOTER_BYTES: usize = 52;
pub(super) const MAGIC: [u8; 8] = *b"RKURUN01";

/// The sequences that a run covers, and the proof of the group that ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunSpan {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) proof: u64,
}

/// An open run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) span: RunSpan,
    pub(super) slots: u64,
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) filter: Filter,
    pub(super) fences: Vec<u64>,
}

impl Run {
    /// Opens a run and reads its filter.
    ///
    /// Errors: [`LogError::Damaged`].
    pub(super) fn open(path: PathBuf) -> Result<Run> {
        let fail = |e| LogError::io("reading", &path, e);
        let file = File::open(&path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        let damaged = |offset| bad(&path, offset);
        let footer_at = length.checked_sub(FOOTER_BYTES as u64).ok_or_else(|| damaged(0))?;
        let mut footer = [0; FOOTER_BYTES];
        file.read_exact_at(&mut footer, footer_at).map_err(fail)?;
        let fields = Footer::decode(&footer).ok_or_else(|| damaged(footer_at))?;
        let pages = fields.slots.div_ceil(PAGE_SLOTS as u64);
        let tail_at = pages.saturating_mul(PAGE_BYTES as u64);
        let fence_bytes = pages.saturating_mul(8);
        let tail_bytes = fields.filter_bytes.saturating_add(fence_bytes);
        if tail_at.checked_add(tail_bytes) != Some(footer_at) {
            return Err(damaged(footer_at));
        }
        let mut tail = vec![0; usize::try_from(tail_bytes).map_err(|_| damaged(footer_at))?];
        file.read_exact_at(&mut tail, tail_at).map_err(fail)?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&tail), &footer[..FOOTER_BYTES - 4]);
        if crc != fields.crc {
            return Err(damaged(tail_at));
        }
        let filter_bytes = usize::try_from(fields.filter_bytes).map_err(|_| damaged(footer_at))?;
        let (filter, fences) = tail.split_at(filter_bytes);
        let filter = Filter::from_bytes(filter).ok_or_else(|| damaged(tail_at))?;
        let fences = fences.as_chunks::<8>().0.iter().map(|fence| u64::from_le_bytes(*fence));
        let fences = fences.collect();
        Ok(Run { span: fields.span, slots: fields.slots, path, file, filter, fences })
    }

    /// Whether the key may be in this run.
    pub(super) fn may_hold(&self, key: u128) -> bool {
        self.filter.may_hold(key)
    }

    /// Shows every slot of a key.
    pub(super) fn find(&self, key: u128, mut found: impl FnMut(Slot)) -> Result<()> {
        // Slots of one key may cross from one page to the next.
        let begin = self.fences.partition_point(|fence| *fence < high(key)).saturating_sub(1);
        let end = self.fences.partition_point(|fence| *fence <= high(key));
        for page in begin..end {
            self.page(page, |slot| {
                if slot.key_hash == key {
                    found(slot);
                }
            })?;
        }
        Ok(())
    }

    /// Shows every slot of a page.
    ///
    /// Errors: [`LogError::Damaged`].
    pub(super) fn page(&self, page: usize, mut see: impl FnMut(Slot)) -> Result<()> {
        let mut bytes = [0; PAGE_BYTES];
        let offset = page as u64 * PAGE_BYTES as u64;
        match self.file.read_exact_at(&mut bytes, offset) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged(offset));
            }
            read => read.map_err(|e| LogError::io("reading", &self.path, e))?,
        }
        let (slots, crc) = bytes.split_at(PAGE_BYTES - 4);
        if crc != crc32c::crc32c(slots).to_le_bytes() {
            return Err(self.damaged(offset));
        }
        let before = page as u64 * PAGE_SLOTS as u64;
        let here = (self.slots - before).min(PAGE_SLOTS as u64);
        let mut fields = Fields(slots);
        for _ in 0..here {
            see(decode(&mut fields).ok_or_else(|| self.damaged(offset))?);
        }
        Ok(())
    }

    /// Checks every page.
    pub(super) fn verify(&self) -> Result<u64> {
        let mut slots = 0;
        for page in 0..self.pages() {
            self.page(page, |_| slots += 1)?;
        }
        Ok(slots)
    }

    /// How many pages it has.
    pub(super) fn pages(&self) -> usize {
        self.fences.len()
    }

    /// What it takes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        self.filter.size_bytes() + self.fences.len() * 8
    }

    /// Damage: the file goes, so that the next start makes it again from the log.
    fn damaged(&self, offset: u64) -> LogError {
        self.delete();
        bad(&self.path, offset)
    }

    /// Deletes the file; whoever still reads it keeps its handle.
    pub(super) fn delete(&self) {
        delete(&self.path);
    }
}

fn bad(path: &Path, offset: u64) -> LogError {
    let problem = "the run of the de-duplication index does not hold; it is deleted and made again";
    LogError::damaged(path.display().to_string(), offset, problem)
}

/// Deletes a file of the index; it is a cache, and what is left over is cleared at the next start.
pub(super) fn delete(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(%error, file = %path.display(), "not deleted");
    }
}

pub(super) fn encode(slot: &Slot, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&slot.key_hash.to_le_bytes());
    bytes.extend_from_slice(&slot.sequence.to_le_bytes());
    bytes.extend_from_slice(&slot.epoch.to_le_bytes());
    bytes.extend_from_slice(&slot.content_hash.to_le_bytes());
}

fn decode(fields: &mut Fields<'_>) -> Option<Slot> {
    Some(Slot {
        key_hash: u128::from_le_bytes(fields.array()?),
        sequence: fields.u64()?,
        epoch: fields.u32()?,
        content_hash: u128::from_le_bytes(fields.array()?),
    })
}

struct Footer {
    span: RunSpan,
    slots: u64,
    filter_bytes: u64,
    crc: u32,
}

impl Footer {
    fn decode(bytes: &[u8]) -> Option<Footer> {
        let mut fields = Fields(bytes);
        if fields.array::<8>()? != MAGIC {
            return None;
        }
        let span = RunSpan { from: fields.u64()?, to: fields.u64()?, proof: fields.u64()? };
        Some(Footer { span, slots: fields.u64()?, filter_bytes: fields.u64()?, crc: fields.u32()? })
    }
}

/// Opens the runs that cover the log from its start without a gap and deletes all other files.
pub(super) fn open_all(
    dir: &Path,
    mut prove: impl FnMut(u64) -> Result<Option<u64>>,
) -> Result<Vec<Arc<Run>>> {
    fs::create_dir_all(dir).map_err(|e| LogError::io("making", dir, e))?;
    let fail = |e| LogError::io("listing", dir, e);
    let mut runs = Vec::new();
    for item in fs::read_dir(dir).map_err(fail)? {
        let path = item.map_err(fail)?.path();
        let whole = path.extension().is_some_and(|extension| extension == "run");
        match Run::open(path.clone()) {
            Ok(run) if whole => runs.push(run),
            _ => delete(&path),
        }
    }
    // The widest first, so that a merged run goes before the runs that it was made of.
    runs.sort_by_key(|run| (run.span.from, std::cmp::Reverse(run.span.to)));
    let mut covered = 0;
    let mut chain = Vec::new();
    for run in runs {
        let follows = run.span.from == covered;
        if follows && prove(run.span.to)? == Some(run.span.proof) {
            covered = run.span.to;
            chain.push(Arc::new(run));
        } else {
            run.delete();
        }
    }
    Ok(chain)
}
