//! Signed links: one right, for one operation with these parameters, until a moment.

use crate::AuthError;
use calendar::Instant;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use url::form_urlencoded;
use zeroize::Zeroizing;

const EXPIRES: &str = "expires";
const SIGNATURE: &str = "signature";

/// Signs and verifies links (HMAC-SHA256).
pub struct LinkSigner(Zeroizing<[u8; 32]>);

impl LinkSigner {
    /// A signer with a secret that the caller keeps.
    pub fn new(secret: [u8; 32]) -> LinkSigner {
        LinkSigner(Zeroizing::new(secret))
    }

    /// The query string that opens `operation` with `params` until `expires_at`, without `?`.
    pub fn sign(&self, operation: &str, params: &[(&str, &str)], expires_at: Instant) -> String {
        let expires = expires_at.seconds().to_string();
        let mut pairs: Vec<(&str, &str)> = params.to_vec();
        pairs.push((EXPIRES, &expires));
        let signature = hex::encode(self.mac(operation, &pairs).finalize().into_bytes());
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&pairs)
            .append_pair(SIGNATURE, &signature)
            .finish()
    }

    /// The parameters of a link that holds: every one of them was signed, in any order.
    ///
    /// Errors: [`AuthError::Missing`] without a signature, [`AuthError::Malformed`],
    /// [`AuthError::BadSignature`], [`AuthError::Expired`].
    pub fn verify(
        &self,
        operation: &str,
        query: &str,
        now: Instant,
    ) -> Result<Vec<(String, String)>, AuthError> {
        let mut pairs: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let at = pairs.iter().position(|(name, _)| name == SIGNATURE).ok_or(AuthError::Missing)?;
        let signature = hex::decode(pairs.remove(at).1).map_err(|_| AuthError::Malformed)?;
        let borrowed: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.mac(operation, &borrowed)
            .verify_slice(&signature)
            .map_err(|_| AuthError::BadSignature)?;
        let at = pairs.iter().rposition(|(name, _)| name == EXPIRES).ok_or(AuthError::Malformed)?;
        let expires: i64 = pairs.remove(at).1.parse().map_err(|_| AuthError::Malformed)?;
        if now.seconds() >= expires {
            return Err(AuthError::Expired);
        }
        Ok(pairs)
    }

    /// Every text goes in behind its length, so that no two links have one reading.
    fn mac(&self, operation: &str, pairs: &[(&str, &str)]) -> Hmac<Sha256> {
        let mut sorted = pairs.to_vec();
        sorted.sort_unstable();
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.0)
            .expect("HMAC takes keys of any length");
        let texts = sorted.iter().flat_map(|(name, value)| [*name, *value]);
        for text in std::iter::once(operation).chain(texts) {
            let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
            mac.update(&length.to_be_bytes());
            mac.update(text.as_bytes());
        }
        mac
    }
}

/// Shows nothing.
impl fmt::Debug for LinkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSigner(…)")
    }
}
