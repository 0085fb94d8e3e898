//! Chance that always falls the same way for one seed.

use money::Fixed18;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws values from a seed.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// Begins a series; series of one seed and different names have nothing in common.
    pub(crate) fn new(seed: u64, series: u64) -> Draw {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(series);
        Draw(rng)
    }

    /// A whole number from `least` up to and with `most`.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        self.0.random_range(least..=most)
    }

    /// True so many times in a thousand.
    pub(crate) fn happens(&mut self, permille: i64) -> bool {
        self.between(1, 1_000) <= permille
    }

    /// One of several; `among` is not empty.
    pub(crate) fn one<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.0.random_range(0..among.len())]
    }

    /// A random identifier in the usual 8-4-4-4-12 digits.
    pub(crate) fn guid(&mut self) -> String {
        let bits: u128 = self.0.random();
        // Version 4, variant 1.
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
        let digits = format!("{bits:032x}");
        let (a, rest) = digits.split_at(8);
        let (b, rest) = rest.split_at(4);
        let (c, rest) = rest.split_at(4);
        let (d, e) = rest.split_at(4);
        format!("{a}-{b}-{c}-{d}-{e}")
    }

    /// A quantity around a base, 70 to 130 hundredths of it, to six places.
    pub(crate) fn around(&mut self, base_millionths: i64) -> Fixed18 {
        millionths(base_millionths.saturating_mul(self.between(700, 1_300)) / 1_000)
    }
}

/// A quantity in whole millionths.
pub(crate) fn millionths(count: i64) -> Fixed18 {
    const ATOMS: i128 = 1_000_000_000_000;
    Fixed18::from_atoms(i128::from(count) * ATOMS)
}
