//! API keys and client secrets: made from randomness, kept as hashes, compared in constant time.

use crate::AuthError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

/// SHA-256 of a generated secret: what the books keep. High entropy needs no slow hash.
pub type Hash = [u8; 32];

pub(crate) const PREFIX: &str = "rk_live_";
const SECRET_HEX: usize = 64;
const CHECKSUM_HEX: usize = 8;
const KEY_ID_HEX: usize = 16;

/// An API key that was just made; the only moment at which its text exists here.
pub struct NewKey {
    /// The key as its holder sends it: `rk_live_`, 64 digits, 8 digits of checksum.
    pub text: Zeroizing<String>,
    /// Its public id, for lists and the audit log.
    pub key_id: String,
    /// What to keep.
    pub hash: Hash,
}

impl NewKey {
    /// Makes a key from 32 random bytes.
    pub fn from_random(mut random: [u8; 32]) -> NewKey {
        let secret = Zeroizing::new(hex::encode(random));
        random.zeroize();
        let text = Zeroizing::new(format!("{PREFIX}{}{}", *secret, checksum(&secret)));
        let key = ApiKey::of(&text);
        NewKey { text, key_id: key.key_id, hash: key.hash }
    }
}

/// Shows the public id only.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKey({})", self.key_id)
    }
}

/// An API key as presented: its checksum holds, whether it is known is the books' business.
#[derive(Clone)]
pub struct ApiKey {
    key_id: String,
    hash: Hash,
}

impl ApiKey {
    /// Reads a key's text; a typing error shows in the checksum, before any look-up.
    ///
    /// Errors: [`AuthError::Malformed`].
    pub fn parse(text: &str) -> Result<ApiKey, AuthError> {
        let digits = text.strip_prefix(PREFIX).ok_or(AuthError::Malformed)?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != SECRET_HEX + CHECKSUM_HEX || !digits.bytes().all(is_hex) {
            return Err(AuthError::Malformed);
        }
        let (secret, sum) = digits.split_at(SECRET_HEX);
        if checksum(secret) != sum {
            return Err(AuthError::Malformed);
        }
        Ok(ApiKey::of(text))
    }

    fn of(text: &str) -> ApiKey {
        let hash = hash_secret(text);
        ApiKey { key_id: hex::encode(&hash[..KEY_ID_HEX / 2]), hash }
    }

    /// The public id to look the key up by.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What to look it up by.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// Whether it is the key that was kept, in constant time.
    pub fn matches(&self, kept: &Hash) -> bool {
        self.hash.ct_eq(kept).into()
    }
}

/// Shows the public id only.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.key_id)
    }
}

/// Makes a client secret from 32 random bytes; keep its [`hash_secret`].
pub fn new_secret(mut random: [u8; 32]) -> Zeroizing<String> {
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random));
    random.zeroize();
    text
}

/// What to keep of a generated secret.
pub fn hash_secret(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// Whether `given` is one of the secrets kept; takes as long whichever it is, or none.
pub fn verify_secret(given: &str, kept: &[Hash]) -> bool {
    let given = hash_secret(given);
    kept.iter().fold(Choice::from(0), |found, hash| found | given.ct_eq(hash)).into()
}

fn checksum(secret: &str) -> String {
    let sum = Sha256::digest(format!("{PREFIX}{secret}").as_bytes());
    hex::encode(&sum[..CHECKSUM_HEX / 2])
}
