//! Sealed texts: what we hand out and take back unchanged, such as continuation tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Error, Result};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

const MAC_BYTES: usize = 32;
const TOKEN_MOST_BYTES: usize = 16 * 1024;

/// What the tokens are for: one made for another purpose does not open.
#[derive(Debug, Clone, Copy)]
pub struct Purpose {
    /// The operation that hands them out.
    pub operation: &'static str,
    /// The field or parameter in which they come back, for errors.
    pub field: &'static str,
}

/// Seals and opens tokens (HMAC-SHA256, base64url). They are signed, not hidden.
#[derive(Clone)]
pub struct Sealer {
    secret: Zeroizing<[u8; 32]>,
    purpose: Purpose,
}

impl Sealer {
    /// A sealer with a secret that the caller keeps.
    pub fn new(secret: [u8; 32], purpose: Purpose) -> Sealer {
        Sealer { secret: Zeroizing::new(secret), purpose }
    }

    /// The token of a payload that is good for one use, such as one list of one caller's; the token
    /// does not hold it. Errors: [`Error::Internal`] when it cannot be written as JSON.
    pub fn seal<T: Serialize>(&self, used_for: &str, payload: &T) -> Result<String> {
        let json = serde_json::to_vec(payload)
            .map_err(|cause| Error::internal("sealing a token", cause))?;
        let mut sealed = self.mac(used_for, &json).finalize().into_bytes().to_vec();
        sealed.extend_from_slice(&json);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The payload of a token of ours for the same use; errors: [`Error::Invalid`] for any other
    /// text.
    pub fn open<T: DeserializeOwned>(&self, used_for: &str, token: &str) -> Result<T> {
        self.unseal(used_for, token)
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| Error::invalid(self.purpose.field, "is not a token that was given here"))
    }

    fn unseal(&self, used_for: &str, token: &str) -> Option<Vec<u8>> {
        if token.len() > TOKEN_MOST_BYTES {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (mac, json) = sealed.split_at_checked(MAC_BYTES)?;
        self.mac(used_for, json).verify_slice(mac).ok()?;
        Some(json.to_vec())
    }

    fn mac(&self, used_for: &str, json: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.secret)
            .expect("HMAC takes keys of any length");
        mac.update(self.purpose.operation.as_bytes());
        mac.update(&[0]);
        // Its length first, so that no two uses give the same bytes.
        mac.update(&u64::try_from(used_for.len()).unwrap_or(u64::MAX).to_le_bytes());
        mac.update(used_for.as_bytes());
        mac.update(json);
        mac
    }
}

/// Shows the purpose only.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.purpose.operation)
    }
}
