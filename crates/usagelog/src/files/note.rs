//! The shard's note: the epoch given out last, and a sequence that the shard surely reached.

use crate::error::{LogError, Result};
use crate::files::sync_dir;
use crate::frame::Fields;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

const BYTES: usize = 16;

/// What a shard knows of itself besides its groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// The epoch given out last; 0 before the first.
    pub(super) epoch: u32,
    /// Everything before this sequence was durable; a shorter shard is damaged.
    pub(super) end: u64,
}

impl Note {
    /// Reads the note; `None` if there is none yet.
    pub(super) fn read(path: &Path) -> Result<Option<Note>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(LogError::io("reading", path, e)),
        };
        let decoded = Note::decode(&bytes);
        let place = path.display().to_string();
        decoded.map(Some).ok_or_else(|| LogError::damaged(place, 0, "its checksum does not hold"))
    }

    /// Puts the note in the place of the one before, durably.
    pub(super) fn write(self, path: &Path) -> Result<()> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.end.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        replace(path, &bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Note> {
        let mut fields = Fields(bytes);
        let note = Note { epoch: fields.u32()?, end: fields.u64()? };
        let holds = fields.u32()? == crc32c::crc32c(&bytes[..BYTES - 4]) && fields.0.is_empty();
        holds.then_some(note)
    }
}

/// Writes a small file so that a crash leaves the old one or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|e| LogError::io("writing", &beside, e))?;
    fs::rename(&beside, path).map_err(|e| LogError::io("replacing", path, e))?;
    path.parent().map_or(Ok(()), sync_dir)
}
