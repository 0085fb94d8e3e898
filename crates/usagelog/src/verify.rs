//! Reading everything once more and checking that it is as it was written.

use crate::error::{LogError, Result};
use crate::frame;
use crate::place::LogPlace;
use crate::read::{self, damaged};

const READ_BYTES: usize = 8 << 20;

/// What a verification found.
#[derive(Debug, Default)]
pub struct Report {
    /// One per shard, in order.
    pub shards: Vec<ShardReport>,
}

/// What a verification found in one shard.
#[derive(Debug, Default)]
pub struct ShardReport {
    /// The shard.
    pub shard: u16,
    /// Groups whose checksums hold.
    pub groups: u64,
    /// Entries in them.
    pub entries: u64,
    /// Conflicts among these.
    pub conflicts: u64,
    /// Bytes of them.
    pub size_bytes: u64,
    /// Entries in the index's runs, whose checksums hold.
    pub indexed: u64,
    /// The first damage; what stands behind it was not looked at.
    pub damage: Option<LogError>,
}

impl Report {
    /// Whether nothing is damaged.
    pub fn is_clean(&self) -> bool {
        self.shards.iter().all(|shard| shard.damage.is_none())
    }
}

/// Checks a shard up to `end`.
///
/// Errors: reading failed; damage is not an error but stands in the report.
pub(crate) fn shard(
    place: &dyn LogPlace,
    shard: u16,
    end: u64,
    hash_key: &[u8; 32],
    mut progress: impl FnMut(u64),
) -> Result<ShardReport> {
    let mut report = ShardReport { shard, ..ShardReport::default() };
    let mut epoch = 0;
    while report.entries < end {
        let from = report.entries;
        let read = read::each_group(place, shard, from, READ_BYTES, |chunk, at, header, body| {
            if header.epoch < epoch {
                return Err(damaged(chunk, at, "the epoch is older than the one before it"));
            }
            let mut problem = None;
            let shown = frame::each_entry(&header, body, |entry| {
                if crate::key_hash(hash_key, entry.key) != entry.key_hash {
                    problem = Some("an entry's hash is not that of its key");
                }
                if let Some(first) = entry.conflict_of {
                    report.conflicts += 1;
                    if first.sequence >= entry.position.sequence {
                        problem = Some("a conflict does not point back");
                    }
                }
            });
            if let Some(problem) = shown.err().or(problem) {
                return Err(damaged(chunk, at, problem));
            }
            epoch = header.epoch;
            report.groups += 1;
            report.entries = header.end();
            report.size_bytes += header.group_bytes() as u64;
            Ok(())
        });
        match read {
            Ok(()) if report.entries == from => {
                let problem = format!("it ends at sequence {from} and should reach {end}");
                report.damage = Some(LogError::damaged(format!("shard {shard}"), 0, &problem));
            }
            Ok(()) => {}
            Err(damage @ LogError::Damaged { .. }) => report.damage = Some(damage),
            Err(error) => return Err(error),
        }
        if report.damage.is_some() {
            break;
        }
        progress(report.entries);
    }
    Ok(report)
}
