//! Other people's issuers: their discovery documents and keys, fetched rarely and kept.

use crate::AuthError;
use calendar::{Instant, MICROS_PER_SECOND};
use domain::ids::PrincipalId;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use url::{Host, Url};

/// Keys are asked for again after an hour, so that a withdrawn one stops to count.
const FRESH_S: i64 = 3_600;
/// While the issuer is away its last keys count for a day.
const STALE_S: i64 = 24 * 3_600;
const TIMEOUT: Duration = Duration::from_secs(5);
const DOCUMENT_MOST_BYTES: usize = 512 * 1024;
const KEYS_MOST: usize = 100;

/// An OpenID issuer whose tokens are taken (Entra ID, Keycloak, …).
#[derive(Debug, Clone)]
pub struct ExternalIssuer {
    /// Our name for it; stands before the principals of its tokens.
    pub name: String,
    /// Its address, exactly as in the `iss` claim.
    pub issuer: String,
    /// Whom its tokens may be for.
    pub audiences: Vec<String>,
    /// Where its keys are; without it, its discovery document is asked.
    pub jwks_uri: Option<String>,
    /// The claim that names the principal: `oid` for Entra ID, `sub` for most others.
    pub principal_claim: String,
    /// Certificates (PEM) of the only authorities that may vouch for its addresses; the machine's
    /// if none.
    pub authorities: Option<Vec<u8>>,
    /// Whatever key ids come in, it is not asked more often than once in so many seconds.
    pub ask_every_s: i64,
}

impl ExternalIssuer {
    /// Seconds between two questions, where nobody says otherwise.
    pub const ASK_EVERY_S: i64 = 30;
}

#[derive(Debug)]
pub(crate) struct External {
    config: ExternalIssuer,
    place: Place,
    client: reqwest::Client,
    keys: RwLock<Option<Arc<Keys>>>,
    /// Held while fetching, so that one fetch serves all who wait; when it was last tried.
    last_try: Mutex<Option<Instant>>,
}

struct Keys {
    by_id: HashMap<String, DecodingKey>,
    fetched_at: Instant,
}

/// Shows how many there are.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({} at {})", self.by_id.len(), self.fetched_at)
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl External {
    pub(crate) fn all(configs: Vec<ExternalIssuer>) -> Result<Vec<External>, AuthError> {
        if configs.is_empty() {
            return Ok(Vec::new());
        }
        let mut all: Vec<External> = Vec::with_capacity(configs.len());
        for config in configs {
            let taken = |other: &External| {
                other.config.issuer == config.issuer || other.config.name == config.name
            };
            if all.iter().any(taken) {
                return Err(config_error(&config.issuer, "its address or name is given twice"));
            }
            if config.name.is_empty() || config.name.contains('/') {
                return Err(config_error(&config.issuer, "its name must be a word without `/`"));
            }
            if config.ask_every_s < 1 {
                return Err(config_error(&config.issuer, "it must be asked every 1 s at most"));
            }
            let wrong = |problem: String| config_error(&config.issuer, problem);
            let place = Place::of(&config.issuer).map_err(wrong)?;
            if let Some(keys) = &config.jwks_uri {
                Place::of(keys).map_err(wrong)?;
            }
            let client = client(&config)?;
            let (keys, last_try) = (RwLock::new(None), Mutex::new(None));
            all.push(External { config, place, client, keys, last_try });
        }
        Ok(all)
    }

    pub(crate) fn is(&self, issuer: &str) -> bool {
        self.config.issuer == issuer
    }

    pub(crate) fn audiences(&self) -> &[String] {
        &self.config.audiences
    }

    pub(crate) fn principal_claim(&self) -> &str {
        &self.config.principal_claim
    }

    pub(crate) fn principal(&self, claim: Option<&str>) -> Result<PrincipalId, AuthError> {
        let claim = claim.filter(|claim| !claim.is_empty()).ok_or(AuthError::Malformed)?;
        PrincipalId::new(&format!("{}/{claim}", self.config.name)).map_err(|_| AuthError::Malformed)
    }

    /// The key a token names; fetches when it is unknown or the keys are old, but not often.
    pub(crate) async fn key(
        &self,
        key_id: Option<&str>,
        now: Instant,
    ) -> Result<DecodingKey, AuthError> {
        let known = self.known();
        if let Some(key) = find(known.as_deref(), key_id, now, FRESH_S) {
            return Ok(key);
        }
        let mut last_try = self.last_try.lock().await;
        // Whoever held the lock before may have fetched what we need.
        if let Some(key) = find(self.known().as_deref(), key_id, now, FRESH_S) {
            return Ok(key);
        }
        let failure = if last_try.is_some_and(|tried| age_s(tried, now) < self.config.ask_every_s) {
            None
        } else {
            *last_try = Some(now);
            self.refresh(now).await.err()
        };
        let known = self.known();
        match (find(known.as_deref(), key_id, now, STALE_S), known, failure) {
            (Some(key), _, _) => Ok(key),
            (None, Some(_), None) => Err(AuthError::BadSignature),
            (None, _, Some(source)) => Err(self.unreachable(source)),
            (None, None, None) => Err(self.unreachable("tried a moment ago".into())),
        }
    }

    /// Fetches the keys before any token asks for them.
    pub(crate) async fn prepare(&self, now: Instant) -> Result<(), AuthError> {
        let mut last_try = self.last_try.lock().await;
        *last_try = Some(now);
        self.refresh(now).await.map_err(|source| self.unreachable(source))
    }

    fn known(&self) -> Option<Arc<Keys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn unreachable(&self, source: Cause) -> AuthError {
        AuthError::Unreachable { issuer: self.config.issuer.clone(), source }
    }

    async fn refresh(&self, now: Instant) -> Result<(), Cause> {
        let jwks_uri = match &self.config.jwks_uri {
            Some(given) => Place::of(given)?,
            None => self.discover().await?,
        };
        let document = self.fetch(jwks_uri.url).await?;
        let listed =
            document.get("keys").and_then(Value::as_array).ok_or("no `keys` in the set")?;
        let by_id = listed.iter().take(KEYS_MOST).filter_map(signing_key).collect();
        let keys = Arc::new(Keys { by_id, fetched_at: now });
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
        Ok(())
    }

    /// Where the discovery document says that the keys are.
    ///
    /// Source: OpenID Connect Discovery 1.0, section 4.
    async fn discover(&self) -> Result<Place, Cause> {
        let issuer = self.config.issuer.trim_end_matches('/');
        let document = Place::of(&format!("{issuer}/.well-known/openid-configuration"))?;
        let document = self.fetch(document.url).await?;
        self.keys_of(&document)
    }

    /// Where a discovery document says that the keys are: nowhere that we would not ask.
    pub(crate) fn keys_of(&self, document: &Value) -> Result<Place, Cause> {
        if document.get("issuer").and_then(Value::as_str) != Some(&self.config.issuer) {
            return Err("the discovery document names another issuer".into());
        }
        let found = document.get("jwks_uri").and_then(Value::as_str);
        let found = Place::of(found.ok_or("no `jwks_uri` in the discovery document")?)?;
        if found.is_here && !self.place.is_here {
            return Err("the discovery document points at this machine".into());
        }
        Ok(found)
    }

    async fn fetch(&self, from: Url) -> Result<Value, Cause> {
        let mut answer = self.client.get(from).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len().saturating_add(chunk.len()) > DOCUMENT_MOST_BYTES {
                return Err("the document is too long".into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

/// A key of the set that signs and that we can read; others are passed over.
fn signing_key(listed: &Value) -> Option<(String, DecodingKey)> {
    let jwk: Jwk = serde_json::from_value(listed.clone()).ok()?;
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some((jwk.common.key_id?, key))
}

fn find(
    keys: Option<&Keys>,
    key_id: Option<&str>,
    now: Instant,
    at_most_s: i64,
) -> Option<DecodingKey> {
    let keys = keys.filter(|keys| age_s(keys.fetched_at, now) < at_most_s)?;
    keys.by_id.get(key_id?).cloned()
}

/// Seconds since then; a clock that was set back makes everything old.
fn age_s(then: Instant, now: Instant) -> i64 {
    match now.since(then) {
        micros if micros < 0 => i64::MAX,
        micros => micros / MICROS_PER_SECOND,
    }
}

/// A client that follows no redirects, asks no proxy and waits for nobody.
fn client(config: &ExternalIssuer) -> Result<reqwest::Client, AuthError> {
    let failed = |cause: reqwest::Error| config_error(&config.issuer, cause.to_string());
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT);
    if let Some(pem) = &config.authorities {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(failed)?;
        if certificates.is_empty() {
            return Err(config_error(&config.issuer, "its authority's file holds no certificate"));
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(failed)
}

/// An address to fetch documents from: https, or http on this machine.
#[derive(Debug)]
pub(crate) struct Place {
    url: Url,
    is_here: bool,
}

impl Place {
    fn of(text: &str) -> Result<Place, String> {
        let url = Url::parse(text).map_err(|_| format!("`{text}` is not an address"))?;
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
            Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
            None => false,
        };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(format!("`{text}` must be an address alone"));
        }
        match url.scheme() {
            "https" => Ok(Place { url, is_here }),
            "http" if is_here => Ok(Place { url, is_here }),
            _ => Err(format!("`{text}` must be https")),
        }
    }
}

fn config_error(issuer: &str, problem: impl Into<String>) -> AuthError {
    AuthError::Config { issuer: issuer.to_owned(), problem: problem.into() }
}
