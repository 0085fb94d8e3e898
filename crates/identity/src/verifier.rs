//! Proves bearer tokens: whose they are, for whom, and whether they hold now.

use crate::external::{External, ExternalIssuer};
use crate::{AuthError, Issuer};
use calendar::Instant;
use domain::ids::{PrincipalId, TenantId};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Longest token that is looked at.
pub(crate) const TOKEN_MOST_BYTES: usize = 16 * 1024;
/// How far another machine's clock may run ahead of ours.
const SKEW_S: i64 = 60;
/// Signatures with a public key only: a shared secret would let anyone who verifies also sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The built-in issuer, and the directory it signs for.
#[derive(Debug, Clone)]
pub struct BuiltIn {
    /// The issuer.
    pub issuer: Arc<Issuer>,
    /// Its directory.
    pub tenant: TenantId,
    /// Whom tokens may be for; a slash at the end makes no difference.
    pub audiences: Vec<String>,
}

/// Whose tokens are taken.
#[derive(Debug, Clone, Default)]
pub struct VerifierConfig {
    /// Ours, if it is switched on.
    pub builtin: Option<BuiltIn>,
    /// Others.
    pub external: Vec<ExternalIssuer>,
}

/// Proves bearer tokens.
#[derive(Debug)]
pub struct Verifier {
    builtin: Option<BuiltIn>,
    external: Vec<External>,
}

impl Verifier {
    /// A verifier. External issuers need the process's TLS provider to be installed before.
    ///
    /// Errors: [`AuthError::Config`] for an issuer that is not https, or named twice.
    pub fn new(config: VerifierConfig) -> Result<Verifier, AuthError> {
        let VerifierConfig { builtin, external } = config;
        Ok(Verifier { builtin, external: External::all(external)? })
    }

    /// Fetches the keys of external issuers before any token asks for them; gives why it could
    /// not, for each that did not answer.
    pub async fn prepare(&self, now: Instant) -> Vec<AuthError> {
        let mut failures = Vec::new();
        for external in &self.external {
            failures.extend(external.prepare(now).await.err());
        }
        failures
    }

    /// The principal of a token that holds at `now` (system clock).
    ///
    /// A built-in token's principal is its client id; an external one's is the issuer's name, a
    /// slash and the configured claim, so that no directory can speak for another.
    ///
    /// Errors: every [`AuthError`] but [`AuthError::Unknown`] and [`AuthError::Config`].
    pub async fn verify(&self, token: &str, now: Instant) -> Result<PrincipalId, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > TOKEN_MOST_BYTES {
            return Err(AuthError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Malformed)?;
        if header.crit.is_some() {
            return Err(AuthError::Malformed);
        }
        let unproven = Claims(
            jsonwebtoken::dangerous::insecure_decode_claims(token)
                .map_err(|_| AuthError::Malformed)?,
        );
        let issuer = unproven.text("iss").ok_or(AuthError::Malformed)?;
        let key_id = header.kid.as_deref();
        if let Some(external) = self.external.iter().find(|external| external.is(issuer)) {
            let key = external.key(key_id, now).await?;
            let claims = prove(token, &key, header.alg)?;
            claims.check(external.audiences(), now)?;
            return external.principal(claims.text(external.principal_claim()));
        }
        let builtin = self.builtin.as_ref().filter(|builtin| builtin.is(issuer));
        let builtin = builtin.ok_or(AuthError::WrongIssuer)?;
        let key = builtin.issuer.proving_key(key_id).ok_or(AuthError::BadSignature)?;
        let claims = prove(token, key, header.alg)?;
        claims.check(&builtin.audiences, now)?;
        PrincipalId::new(claims.text("appid").unwrap_or_default()).map_err(|_| AuthError::Malformed)
    }
}

impl BuiltIn {
    /// Whether the `iss` claim is of this directory. We may be reached under several addresses;
    /// the signing key, not the address, tells us from others.
    fn is(&self, issuer: &str) -> bool {
        issuer
            .strip_suffix("/v2.0")
            .and_then(|rest| rest.rsplit_once('/'))
            .is_some_and(|(_, tenant)| tenant.eq_ignore_ascii_case(self.tenant.as_str()))
    }
}

/// Proves the signature and nothing else: the library would read the machine's clock.
pub(crate) fn prove(token: &str, key: &DecodingKey, given: Algorithm) -> Result<Claims, AuthError> {
    if !ALGORITHMS.contains(&given) {
        return Err(AuthError::BadSignature);
    }
    let mut signature_only = Validation::new(given);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    match jsonwebtoken::decode(token, key, &signature_only) {
        Ok(proven) => Ok(Claims(proven.claims)),
        Err(cause) => Err(match cause.kind() {
            ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => AuthError::Malformed,
            _ => AuthError::BadSignature,
        }),
    }
}

/// What a proven token says.
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(crate) fn seconds(&self, name: &str) -> Result<Option<i64>, AuthError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or(AuthError::Malformed),
        }
    }

    fn check(&self, audiences: &[String], now: Instant) -> Result<(), AuthError> {
        if !self.is_for(audiences) {
            return Err(AuthError::WrongAudience);
        }
        if now.seconds() >= self.seconds("exp")?.ok_or(AuthError::Malformed)? {
            return Err(AuthError::Expired);
        }
        let from = self.seconds("nbf")?.unwrap_or(i64::MIN);
        if now.seconds().saturating_add(SKEW_S) < from {
            return Err(AuthError::NotYetValid);
        }
        Ok(())
    }

    fn is_for(&self, audiences: &[String]) -> bool {
        let ours = |given: &Value| {
            given.as_str().is_some_and(|given| audiences.iter().any(|our| same(our, given)))
        };
        match self.0.get("aud") {
            Some(Value::Array(many)) => many.iter().any(ours),
            Some(one) => ours(one),
            None => false,
        }
    }
}

/// Clients ask for `https://host` and `https://host/` alike.
fn same(left: &str, right: &str) -> bool {
    left.trim_end_matches('/') == right.trim_end_matches('/')
}
