//! A blocked Bloom filter: one cache line per question, 12 bits per key.
//!
//! Source: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007).

use super::{high, low};

const WORDS: usize = 8;
const BITS_PER_KEY: u64 = 12;
const PROBES: u32 = 7;
const PIECE_BLOCKS: usize = (4 << 20) / (WORDS * 8);

/// Says of a key "surely not here" or "perhaps".
#[derive(Debug)]
pub(super) struct Filter {
    blocks: Vec<[u64; WORDS]>,
}

impl Filter {
    /// An empty filter for so many keys.
    pub(super) fn for_keys(keys: u64) -> Filter {
        let blocks = keys.saturating_mul(BITS_PER_KEY).div_ceil(512).max(1);
        Filter { blocks: vec![[0; WORDS]; usize::try_from(blocks).unwrap_or(usize::MAX)] }
    }

    /// Adds a key.
    pub(super) fn add(&mut self, key: u128) {
        let block = self.block(key);
        for (word, mask) in probes(key) {
            self.blocks[block][word] |= mask;
        }
    }

    /// Whether the key may have been added.
    pub(super) fn may_hold(&self, key: u128) -> bool {
        let block = &self.blocks[self.block(key)];
        probes(key).all(|(word, mask)| block[word] & mask != 0)
    }

    /// Blocks stand in the order of the keys' high halves, as do the entries of a run, so that a
    /// sorted run fills its filter from the front to the end.
    #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of blocks")]
    fn block(&self, key: u128) -> usize {
        ((u128::from(high(key)) * self.blocks.len() as u128) >> 64) as usize
    }

    /// Its bytes piece by piece, for the run's file.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        let bytes = |blocks: &[[u64; WORDS]]| {
            blocks.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
        };
        self.blocks.chunks(PIECE_BLOCKS).map(bytes)
    }

    /// Reads a filter back; `None` if the bytes are not whole blocks.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Filter> {
        let (blocks, rest) = bytes.as_chunks::<{ WORDS * 8 }>();
        let words = |block: &[u8; WORDS * 8]| {
            let (words, _) = block.as_chunks::<8>();
            std::array::from_fn(|at| u64::from_le_bytes(words[at]))
        };
        let whole = rest.is_empty() && !blocks.is_empty();
        whole.then(|| Filter { blocks: blocks.iter().map(words).collect() })
    }

    /// Its size in memory.
    pub(super) fn size_bytes(&self) -> usize {
        self.blocks.len() * WORDS * 8
    }
}

/// Seven places in the block, nine bits each, from the key's low half.
fn probes(key: u128) -> impl Iterator<Item = (usize, u64)> {
    let bits = low(key);
    (0..PROBES).map(move |probe| {
        let place = (bits >> (9 * probe)) & 511;
        ((place >> 6) as usize, 1_u64 << (place & 63))
    })
}
