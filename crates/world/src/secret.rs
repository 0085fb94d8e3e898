//! Secrets of the demo's clients.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};

/// Letters of a secret: 64, so that each stands for six random bits.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Secrets from the caller's random bytes.
pub(crate) struct Secrets(ChaCha20Rng);

impl Secrets {
    pub(crate) fn new(entropy: [u8; 32]) -> Secrets {
        Secrets(ChaCha20Rng::from_seed(entropy))
    }

    /// The next secret: 258 random bits in 43 letters.
    pub(crate) fn next(&mut self) -> String {
        (0..43).map(|_| char::from(LETTERS[self.0.random_range(0..LETTERS.len())])).collect()
    }
}

/// What is kept of a secret: SHA-256 in hexadecimal digits.
pub(crate) fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
