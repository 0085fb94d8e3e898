//! What a group looks like, byte for byte. All numbers are little-endian.
//!
//! ```text
//! group  = magic "RKUL" | version u16 | shard u16 | epoch u32 | count u32 | first sequence u64
//!          | body length u32 | crc32c of the body u32 | crc32c of all before u32 | body
//! body   = entry × count
//! entry  = kind u8 | flags u8 | key length u16 | payload length u32 | acknowledged, µs, i64
//!          | key hash u128 | content hash u128 | (flag 1: first's sequence u64, its epoch u32)
//!          | key | payload
//! ```

use crate::entry::{Entry, EntryKind, Logged};
use crate::error::{LogError, Result};
use calendar::Instant;
use domain::usage::Position;

/// Size of a group's header.
pub const HEADER_BYTES: usize = 36;
/// Longest key.
pub const KEY_MOST_BYTES: usize = u16::MAX as usize;
/// Longest payload.
pub const PAYLOAD_MOST_BYTES: usize = 16 << 20;
/// Longest body: a batch may not be larger.
pub const BODY_MOST_BYTES: usize = 256 << 20;

/// The first bytes of every group.
pub const MAGIC: [u8; 4] = *b"RKUL";
const VERSION: u16 = 1;
const ENTRY_FIXED_BYTES: usize = 48;
const FLAG_CONFLICT: u8 = 1;

/// A group's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The shard.
    pub shard: u16,
    /// The epoch of its writer.
    pub epoch: u32,
    /// How many entries.
    pub count: u32,
    /// Sequence of the first.
    pub first_sequence: u64,
    /// Length of the body.
    pub body_bytes: u32,
    /// Checksum of the body.
    pub body_crc: u32,
    /// Checksum of the header.
    pub header_crc: u32,
}

impl Header {
    /// Reads a header; says what does not hold if it is none.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Header, &'static str> {
        let mut fields =
            Fields(bytes.get(..HEADER_BYTES).ok_or("the group's header is cut short")?);
        let all = fields.0;
        if fields.array::<4>() != Some(MAGIC) {
            return Err("no group begins here");
        }
        let version = fields.u16().unwrap_or(0);
        let header = Header {
            shard: fields.u16().unwrap_or(0),
            epoch: fields.u32().unwrap_or(0),
            count: fields.u32().unwrap_or(0),
            first_sequence: fields.u64().unwrap_or(0),
            body_bytes: fields.u32().unwrap_or(0),
            body_crc: fields.u32().unwrap_or(0),
            header_crc: fields.u32().unwrap_or(0),
        };
        if crc32c::crc32c(&all[..HEADER_BYTES - 4]) != header.header_crc {
            return Err("the checksum of the group's header does not hold");
        }
        if version != VERSION {
            return Err("the group has a format version that this program does not know");
        }
        Ok(header)
    }

    /// Length of the whole group.
    pub fn group_bytes(&self) -> usize {
        HEADER_BYTES + self.body_bytes as usize
    }

    /// The sequence after its last entry.
    pub fn end(&self) -> u64 {
        self.first_sequence.saturating_add(u64::from(self.count))
    }

    /// Tells this group from any other that could stand at its sequences.
    pub fn proof(&self) -> u64 {
        u64::from(self.header_crc) << 32 | u64::from(self.body_crc)
    }
}

/// A group that is being put together.
#[derive(Debug)]
pub struct GroupBuilder {
    shard: u16,
    epoch: u32,
    first_sequence: u64,
    count: u32,
    bytes: Vec<u8>,
}

impl GroupBuilder {
    /// An empty group.
    pub fn new(shard: u16, epoch: u32, first_sequence: u64) -> GroupBuilder {
        GroupBuilder { shard, epoch, first_sequence, count: 0, bytes: vec![0; HEADER_BYTES] }
    }

    /// Begins the next group in the same memory.
    pub fn reset(&mut self, first_sequence: u64) {
        self.first_sequence = first_sequence;
        self.count = 0;
        self.bytes.clear();
        self.bytes.resize(HEADER_BYTES, 0);
    }

    /// The position that the next entry will have.
    pub fn next(&self) -> Position {
        let sequence = self.first_sequence + u64::from(self.count);
        Position { shard: self.shard, sequence, epoch: self.epoch }
    }

    /// How many entries it holds.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Size so far.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds an entry and says where in the group it begins.
    ///
    /// Errors: [`LogError::TooLarge`].
    pub fn push(
        &mut self,
        entry: &Entry,
        acknowledged_at: Instant,
        conflict_of: Option<Position>,
    ) -> Result<usize> {
        let key_bytes = u16::try_from(entry.key.len())
            .map_err(|_| too_large("a key", entry.key.len(), KEY_MOST_BYTES))?;
        let payload_bytes = u32::try_from(entry.payload.len())
            .map_err(|_| too_large("an entry", entry.payload.len(), PAYLOAD_MOST_BYTES))?;
        let at = self.bytes.len();
        let bytes = &mut self.bytes;
        bytes.push(entry.kind.0);
        bytes.push(if conflict_of.is_some() { FLAG_CONFLICT } else { 0 });
        bytes.extend_from_slice(&key_bytes.to_le_bytes());
        bytes.extend_from_slice(&payload_bytes.to_le_bytes());
        bytes.extend_from_slice(&acknowledged_at.micros().to_le_bytes());
        bytes.extend_from_slice(&entry.key_hash.to_le_bytes());
        bytes.extend_from_slice(&entry.content_hash.to_le_bytes());
        if let Some(first) = conflict_of {
            bytes.extend_from_slice(&first.sequence.to_le_bytes());
            bytes.extend_from_slice(&first.epoch.to_le_bytes());
        }
        bytes.extend_from_slice(&entry.key);
        bytes.extend_from_slice(&entry.payload);
        self.count += 1;
        Ok(at)
    }

    /// Reads an entry back that was added at `at`.
    pub fn entry_at(&self, at: usize, position: Position) -> Option<EntryRef<'_>> {
        decode_entry(&mut Fields(self.bytes.get(at..)?), position)
    }

    /// Writes the header; the group is then what goes to its place.
    ///
    /// Errors: [`LogError::TooLarge`].
    pub fn seal(&mut self) -> Result<(Header, &[u8])> {
        let body = &self.bytes[HEADER_BYTES..];
        let size_bytes = body.len();
        let body_bytes = u32::try_from(size_bytes)
            .map_err(|_| too_large("a group", size_bytes, BODY_MOST_BYTES))?;
        let body_crc = crc32c::crc32c(body);
        let mut head = Vec::with_capacity(HEADER_BYTES);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&self.shard.to_le_bytes());
        head.extend_from_slice(&self.epoch.to_le_bytes());
        head.extend_from_slice(&self.count.to_le_bytes());
        head.extend_from_slice(&self.first_sequence.to_le_bytes());
        head.extend_from_slice(&body_bytes.to_le_bytes());
        head.extend_from_slice(&body_crc.to_le_bytes());
        let header_crc = crc32c::crc32c(&head);
        head.extend_from_slice(&header_crc.to_le_bytes());
        self.bytes[..HEADER_BYTES].copy_from_slice(&head);
        let header = Header {
            shard: self.shard,
            epoch: self.epoch,
            count: self.count,
            first_sequence: self.first_sequence,
            body_bytes,
            body_crc,
            header_crc,
        };
        Ok((header, &self.bytes))
    }
}

/// How many bytes an entry takes in a group, a conflict's mark included.
pub(crate) fn entry_bytes(entry: &Entry) -> usize {
    ENTRY_FIXED_BYTES + 12 + entry.key.len() + entry.payload.len()
}

/// Refuses a batch that does not fit the format.
pub(crate) fn check_sizes(entries: &[Entry]) -> Result<usize> {
    let mut total = 0_usize;
    for entry in entries {
        if entry.key.len() > KEY_MOST_BYTES {
            return Err(too_large("a key", entry.key.len(), KEY_MOST_BYTES));
        }
        if entry.payload.len() > PAYLOAD_MOST_BYTES {
            return Err(too_large("an entry", entry.payload.len(), PAYLOAD_MOST_BYTES));
        }
        total = total.saturating_add(entry_bytes(entry));
    }
    if total > BODY_MOST_BYTES {
        return Err(too_large("a batch", total, BODY_MOST_BYTES));
    }
    Ok(total)
}

fn too_large(what: &'static str, size_bytes: usize, most_bytes: usize) -> LogError {
    LogError::TooLarge { what, size_bytes, most_bytes }
}

/// Reads the group at the start of `bytes` and checks it whole.
///
/// Errors: what does not hold.
pub fn check_group(bytes: &[u8]) -> std::result::Result<(Header, &[u8]), &'static str> {
    let header = Header::decode(bytes)?;
    let body = bytes.get(HEADER_BYTES..header.group_bytes()).ok_or("the group is cut short")?;
    if crc32c::crc32c(body) != header.body_crc {
        return Err("the checksum of the group's body does not hold");
    }
    Ok((header, body))
}

/// One entry, still in its group's bytes.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    /// Where it stands.
    pub position: Position,
    /// When its batch was acknowledged.
    pub acknowledged_at: Instant,
    /// What the payload is.
    pub kind: EntryKind,
    /// The first entry with its key, when it is a kept conflict.
    pub conflict_of: Option<Position>,
    /// Hash of its key.
    pub key_hash: u128,
    /// Hash of its content.
    pub content_hash: u128,
    /// The whole key.
    pub key: &'a [u8],
    /// The bytes kept.
    pub payload: &'a [u8],
}

impl EntryRef<'_> {
    /// The entry in memory of its own.
    pub fn to_logged(&self) -> Logged {
        let EntryRef { position, acknowledged_at, kind, conflict_of, .. } = *self;
        let EntryRef { key_hash, content_hash, key, payload, .. } = *self;
        Logged {
            position,
            acknowledged_at,
            kind,
            conflict_of,
            key_hash,
            content_hash,
            key: key.to_vec(),
            payload: payload.to_vec(),
        }
    }
}

/// Shows each entry of a checked body.
///
/// Errors: what does not hold.
pub fn each_entry<'a>(
    header: &Header,
    body: &'a [u8],
    mut see: impl FnMut(EntryRef<'a>),
) -> std::result::Result<(), &'static str> {
    let mut fields = Fields(body);
    for sequence in header.first_sequence..header.end() {
        let position = Position { shard: header.shard, sequence, epoch: header.epoch };
        see(decode_entry(&mut fields, position).ok_or("an entry is cut short")?);
    }
    if fields.0.is_empty() { Ok(()) } else { Err("the group is longer than its entries") }
}

fn decode_entry<'a>(fields: &mut Fields<'a>, position: Position) -> Option<EntryRef<'a>> {
    let kind = EntryKind(fields.u8()?);
    let flags = fields.u8()?;
    let key_bytes = usize::from(fields.u16()?);
    let payload_bytes = fields.u32()? as usize;
    let acknowledged_at = Instant::from_micros(i64::from_le_bytes(fields.array()?));
    let key_hash = u128::from_le_bytes(fields.array()?);
    let content_hash = u128::from_le_bytes(fields.array()?);
    let conflict_of = match flags {
        0 => None,
        FLAG_CONFLICT => {
            let (sequence, epoch) = (fields.u64()?, fields.u32()?);
            Some(Position { shard: position.shard, sequence, epoch })
        }
        _ => return None,
    };
    let key = fields.take(key_bytes)?;
    let payload = fields.take(payload_bytes)?;
    Some(EntryRef {
        position,
        acknowledged_at,
        kind,
        conflict_of,
        key_hash,
        content_hash,
        key,
        payload,
    })
}

/// Bytes that are read field by field.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(bytes)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
