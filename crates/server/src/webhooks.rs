//! Standard Webhooks: the secrets that callbacks are signed with, and the signatures.

use anyhow::bail;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How secrets begin.
const SECRET: &str = "whsec_";
/// The fewest bytes of a secret.
const SECRET_BYTES: usize = 24;

/// The bytes of a secret: `whsec_` and base64.
///
/// Errors: for one that is something else, or short; they hold nothing of it.
pub(crate) fn secret_of(text: &str) -> anyhow::Result<Vec<u8>> {
    let encoded = text.strip_prefix(SECRET).unwrap_or(text);
    // What it says would hold part of the secret.
    let Ok(secret) = BASE64_STANDARD.decode(encoded) else {
        bail!("its secret is not `{SECRET}` and base64")
    };
    if secret.len() < SECRET_BYTES {
        bail!("its secret has fewer than {SECRET_BYTES} bytes");
    }
    Ok(secret)
}

/// Signs a body that comes in pieces.
///
/// Source: Standard Webhooks 1.0.0, "Signature scheme": `v1` of id, timestamp and body.
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    /// Begins the signature of a try: the callback's id, and when it is tried in seconds.
    pub(crate) fn new(secret: &[u8], id: &str, at_s: i64) -> Signer {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret)
            .expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{at_s}.").as_bytes());
        Signer(mac)
    }

    /// Adds a piece of the body.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// What `webhook-signature` says.
    pub(crate) fn finish(self) -> String {
        format!("v1,{}", BASE64_STANDARD.encode(self.0.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_those_of_standard_webhooks() {
        let check = |text: &str, expected: bool| {
            assert_eq!(secret_of(text).is_ok(), expected, "{text}");
        };
        check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true);
        check("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true);
        check("whsec_c2hvcnQ=", false);
        check("whsec_!", false);
    }

    #[test]
    fn signatures_are_those_that_standard_webhooks_publishes() {
        let secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let check = |pieces: &[&str]| {
            let mut signer = Signer::new(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
            pieces.iter().for_each(|piece| signer.add(piece.as_bytes()));
            assert_eq!(signer.finish(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        };
        check(&[r#"{"test": 2432232314}"#]);
        check(&[r#"{"test": "#, "2432232314", "}"]);
    }
}
