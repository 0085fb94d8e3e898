//! Signing in: tokens of the built-in issuer, and who a credential stands for.
//!
//! Which surface takes which credential is decided here alone. Every surface is asked through the
//! edge, [`Reckoner::caller`]: tokens and API keys. A surface whose contract has passwords and
//! sessions too asks [`Reckoner::caller_by_any`] in its stead; such a client is the principal that
//! its token would stand for. Enterprise keys are taken by the addresses of their enrollment only:
//! see [`Reckoner::enterprise_key_used`].

use crate::failures::{Failures, Tried};
use crate::{Reckoner, keys};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::access::{Action, Caller};
use domain::company::Client;
use domain::ids::{PrincipalId, TenantId};
use domain::{Error, Result, api_keys};
use identity::{AuthError, BuiltIn, Credential, ExternalIssuer, Issuer, LinkSigner, TokenRequest};
use identity::{Verifier, VerifierConfig};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, RwLock};
use store::Store;

/// Whom the built-in issuer's tokens may be for, besides our own address.
pub const AUDIENCES: [&str; 2] =
    ["https://management.azure.com", "https://management.core.windows.net"];

/// How our directory may be asked for by who does not know its id.
const OUR_TENANT: &str = "common";

/// Seconds that a token holds.
const TOKEN_LIFETIME_S: u32 = 3_600;

/// Seconds between two notes of a key's use.
const NOTED_EVERY_S: i64 = 60;

pub(crate) struct SignIn {
    issuer: Arc<Issuer>,
    links: LinkSigner,
    external: RwLock<Vec<ExternalIssuer>>,
    audiences: RwLock<Vec<String>>,
    verifier: RwLock<Option<(Option<TenantId>, Arc<Verifier>)>>,
    pub(crate) failures: Failures,
    /// When the use of each key was last noted.
    uses: Mutex<HashMap<String, Instant>>,
}

impl SignIn {
    /// Reads the installation's keys, making them at first use.
    pub(crate) fn open(store: &Store) -> Result<SignIn> {
        let kept = crate::stored("read the signing key");
        let pem = match store.secret("signing key").map_err(&kept)? {
            Some(pem) => pem,
            None => store.ensure_secret("signing key", &Issuer::new_secret()?).map_err(&kept)?,
        };
        Ok(SignIn {
            issuer: Arc::new(Issuer::from_secret(&pem)?),
            links: LinkSigner::new(crate::secret_32(store, "link key")?),
            external: RwLock::new(Vec::new()),
            audiences: RwLock::new(AUDIENCES.map(str::to_owned).to_vec()),
            verifier: RwLock::new(None),
            failures: Failures::default(),
            uses: Mutex::new(HashMap::new()),
        })
    }

    /// Who signs tokens and enterprise keys.
    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Whether a key's use is to be noted now; then it is taken as noted.
    pub(crate) fn is_use_to_be_noted(
        &self,
        key_id: &str,
        last_used_at: Option<Instant>,
        now: Instant,
    ) -> bool {
        let mut uses = self.uses.lock().unwrap_or_else(|p| p.into_inner());
        let newest = uses.get(key_id).copied().max(last_used_at);
        let is_due = newest.is_none_or(|newest| newest.plus_seconds(NOTED_EVERY_S) <= now);
        if is_due {
            uses.insert(key_id.to_owned(), now);
        }
        is_due
    }
}

/// What a client sends to get a token.
#[derive(Clone)]
pub struct TokenAsked {
    /// The directory, as in the path.
    pub tenant: String,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Whom the token is for: the scope without `/.default`, or the resource.
    pub audience: String,
    /// Our address as the client used it.
    pub base_url: String,
}

/// What a client sends to get a token for this installation, wherever it names no directory and
/// nobody whom the token is for.
#[derive(Clone)]
pub struct OwnTokenAsked {
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Our address as the client used it.
    pub base_url: String,
}

/// Which credentials are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Tokens and API keys.
    Usual,
    /// These, a client's id and secret, and sessions.
    All,
}

/// A token and how long it holds.
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// Seconds until it expires.
    pub expires_in_s: u32,
}

impl Reckoner {
    /// Gives a client a token for its secret.
    ///
    /// Errors: [`Error::NotFound`] for another directory, [`Error::Unauthenticated`] for an unknown
    /// client or a wrong secret alike, [`Error::Invalid`] for an audience that is not ours.
    #[boxed]
    pub async fn issue_token(&self, asked: &TokenAsked, request_id: &str) -> Result<IssuedToken> {
        match self.token_of(asked) {
            Ok(token) => Ok(token),
            Err(error) => {
                let tried = Tried::Client(asked.client_id.clone());
                Err(self.refused(tried, error, request_id).await)
            }
        }
    }

    /// Gives a client a token for its secret, of our directory and for the address that it used if
    /// tokens are for that; else for whom all tokens may be.
    ///
    /// Errors: [`Error::Unauthenticated`] for an unknown client or a wrong secret alike, and where
    /// no directory is declared.
    #[boxed]
    pub async fn issue_own_token(
        &self,
        asked: &OwnTokenAsked,
        request_id: &str,
    ) -> Result<IssuedToken> {
        let base_url = asked.base_url.trim_end_matches('/').to_owned();
        let is_known = self.audiences().contains(&base_url);
        let [usual, ..] = AUDIENCES;
        let asked = TokenAsked {
            tenant: OUR_TENANT.to_owned(),
            client_id: asked.client_id.clone(),
            client_secret: asked.client_secret.clone(),
            audience: if is_known { base_url } else { usual.to_owned() },
            base_url: asked.base_url.clone(),
        };
        let issued = self.issue_token(&asked, request_id).await;
        issued.map_err(|error| match error {
            Error::NotFound { .. } => no_tenant(),
            other => other,
        })
    }

    fn token_of(&self, asked: &TokenAsked) -> Result<IssuedToken> {
        self.tenant(&asked.tenant)?;
        self.proven_client(&asked.client_id, &asked.client_secret)?;
        self.sign_token(asked, TOKEN_LIFETIME_S)
    }

    /// The client of an id, if the secret is one of its own.
    ///
    /// Errors: [`Error::Unauthenticated`] for an unknown client or a wrong secret alike.
    pub(crate) fn proven_client(&self, id: &str, secret: &str) -> Result<PrincipalId> {
        let declared = self.0.declared();
        let id = PrincipalId::new(id).ok();
        let client = id.and_then(|id| declared.company.clients.get(&id));
        let hashes = client.map(secret_hashes).unwrap_or_default();
        let is_proven = identity::verify_secret(secret, &hashes);
        client.filter(|_| is_proven).map(|client| client.id.clone()).ok_or_else(|| {
            let problem = "the client is unknown or its secret is wrong".to_owned();
            Error::Unauthenticated { problem }
        })
    }

    /// Signs a token for a client without asking for its secret; for the machine only.
    ///
    /// Errors: [`Error::Forbidden`] for everybody else, [`Error::Internal`].
    pub fn mint_token(
        &self,
        caller: &Caller,
        asked: &TokenAsked,
        lifetime_s: u32,
    ) -> Result<IssuedToken> {
        match caller {
            Caller::Machine => self.sign_token(asked, lifetime_s),
            _ => Err(Error::Forbidden { action: Action::ManageKeys.name() }),
        }
    }

    fn sign_token(&self, asked: &TokenAsked, lifetime_s: u32) -> Result<IssuedToken> {
        let audience = asked.audience.trim_end_matches('/');
        if !self.audiences().iter().any(|known| known == audience) {
            let problem = format!("`{}` is not an audience of this service", asked.audience);
            return Err(Error::invalid("scope", problem));
        }
        let tenant = self.tenant(&asked.tenant)?;
        let request = TokenRequest {
            base_url: &asked.base_url,
            tenant: tenant.as_str(),
            client_id: &asked.client_id,
            audience: &asked.audience,
        };
        let token = self.0.sign_in.issuer.token(request, self.system_now(), lifetime_s)?;
        Ok(IssuedToken { token: token.text.to_string(), expires_in_s: token.expires_in_s })
    }

    /// Adds an address of ours as an audience of tokens.
    pub fn add_audience(&self, audience: &str) {
        let sign_in = &self.0.sign_in;
        let mut audiences = sign_in.audiences.write().unwrap_or_else(|p| p.into_inner());
        let audience = audience.trim_end_matches('/').to_owned();
        if !audiences.contains(&audience) {
            audiences.push(audience);
        }
        *sign_in.verifier.write().unwrap_or_else(|p| p.into_inner()) = None;
    }

    /// Takes tokens of other issuers too.
    ///
    /// Errors: [`Error::Invalid`] for an issuer that cannot be trusted: not https, named twice.
    pub fn trust_issuers(&self, external: Vec<ExternalIssuer>) -> Result<()> {
        Verifier::new(VerifierConfig { builtin: None, external: external.clone() })?;
        let sign_in = &self.0.sign_in;
        *sign_in.external.write().unwrap_or_else(|p| p.into_inner()) = external;
        *sign_in.verifier.write().unwrap_or_else(|p| p.into_inner()) = None;
        Ok(())
    }

    /// Fetches the keys of other issuers before any token asks for them; says of each that does not
    /// answer why. Its tokens are refused until it does.
    #[boxed]
    pub async fn prepare_issuers(&self) {
        // Without any issuer there is nothing to prepare.
        let Ok(verifier) = self.verifier() else { return };
        for failure in verifier.prepare(self.system_now()).await {
            tell_unreachable(&failure);
        }
    }

    fn audiences(&self) -> Vec<String> {
        self.0.sign_in.audiences.read().unwrap_or_else(|p| p.into_inner()).clone()
    }

    /// The directory that we sign for.
    ///
    /// Errors: [`Error::NotFound`] for any other name than its own, `common` and `organizations`.
    pub fn tenant(&self, asked: &str) -> Result<TenantId> {
        let ours = self.0.declared().company.tenant.clone();
        let ours = ours.ok_or_else(|| Error::not_found("tenant", asked))?;
        let known = asked.eq_ignore_ascii_case(ours.as_str());
        if known || [OUR_TENANT, "organizations"].contains(&asked) {
            Ok(ours)
        } else {
            Err(Error::not_found("tenant", asked))
        }
    }

    /// The keys with which our tokens are proven, as the contract of OpenID spells them.
    pub fn signing_keys(&self) -> serde_json::Value {
        self.0.sign_in.issuer.jwks()
    }

    /// What the built-in issuer says of itself at an address.
    ///
    /// Errors: [`Error::NotFound`] for another directory.
    pub fn openid_configuration(&self, base_url: &str, tenant: &str) -> Result<serde_json::Value> {
        Ok(Issuer::openid_configuration(base_url, self.tenant(tenant)?.as_str()))
    }

    /// Finds out who sent an `Authorization` header with a token or an API key, from which address.
    /// A credential that does not hold, or is not taken, is written into the audit log; to send
    /// none is no attempt.
    ///
    /// Errors: [`Error::Unauthenticated`], [`Error::Unavailable`] when the token's issuer does not
    /// answer.
    #[boxed]
    pub async fn caller(
        &self,
        header: Option<&str>,
        from: Option<IpAddr>,
        request_id: &str,
    ) -> Result<Caller> {
        match self.caller_of(header, from, Taken::Usual).await {
            Err(error) if header.is_some() => {
                Err(self.refused(Tried::with(header), error, request_id).await)
            }
            found => found,
        }
    }

    /// As [`Reckoner::caller`], and takes a client's id and secret, and sessions, too.
    ///
    /// Errors: as [`Reckoner::caller`].
    #[boxed]
    pub async fn caller_by_any(
        &self,
        header: Option<&str>,
        from: Option<IpAddr>,
        request_id: &str,
    ) -> Result<Caller> {
        match self.caller_of(header, from, Taken::All).await {
            Err(error) if header.is_some() => {
                Err(self.refused(Tried::with(header), error, request_id).await)
            }
            found => found,
        }
    }

    async fn caller_of(
        &self,
        header: Option<&str>,
        from: Option<IpAddr>,
        taken: Taken,
    ) -> Result<Caller> {
        match (Credential::from_header(header)?, taken) {
            (Credential::Token(token), Taken::Usual | Taken::All) => {
                let verifier = self.verifier()?;
                let principal = verifier.verify(token, self.system_now()).await;
                principal.map(Caller::Principal).map_err(|error| {
                    tell_unreachable(&error);
                    error.into()
                })
            }
            (key @ Credential::Key(_), Taken::Usual | Taken::All) => {
                self.key_caller(key, from).await
            }
            (client @ Credential::Client(_), Taken::All) => {
                let client = client.client()?;
                self.proven_client(&client.id, &client.secret).map(Caller::Principal)
            }
            (Credential::Session(text), Taken::All) => {
                self.session_caller(text, from).await.map(Caller::Principal)
            }
            (Credential::Client(_) | Credential::Session(_), Taken::Usual) => {
                let problem = "a token or an API key is needed here".to_owned();
                Err(Error::Unauthenticated { problem })
            }
        }
    }

    fn verifier(&self) -> Result<Arc<Verifier>> {
        let sign_in = &self.0.sign_in;
        let tenant = self.0.declared().company.tenant.clone();
        let external = sign_in.external.read().unwrap_or_else(|p| p.into_inner()).clone();
        if tenant.is_none() && external.is_empty() {
            return Err(no_tenant());
        }
        let mut kept = sign_in.verifier.write().unwrap_or_else(|p| p.into_inner());
        if let Some((of, verifier)) = &*kept
            && *of == tenant
        {
            return Ok(Arc::clone(verifier));
        }
        let builtin = tenant.clone().map(|tenant| BuiltIn {
            issuer: Arc::clone(&sign_in.issuer),
            tenant,
            audiences: self.audiences(),
        });
        let verifier = Arc::new(Verifier::new(VerifierConfig { builtin, external })?);
        *kept = Some((tenant, Arc::clone(&verifier)));
        Ok(verifier)
    }

    async fn key_caller(&self, credential: Credential<'_>, from: Option<IpAddr>) -> Result<Caller> {
        let key = credential.api_key()?;
        let (store, hash) = (Arc::clone(&self.0.store), *key.hash());
        let row = crate::blocking(move || {
            store.key_by_hash(&hash).map_err(crate::stored("read an API key"))
        })
        .await?;
        let row = row.ok_or(AuthError::Unknown)?;
        let now = self.system_now();
        if !key.matches(&row.hash) {
            return Err(AuthError::Unknown.into());
        }
        let known = keys::read(&row)?;
        api_keys::check_use(&known, from, now)?;
        self.note_use(&row, now).await;
        Ok(Caller::Key(known.grant))
    }

    /// Notes that a key was used; at most once a minute for each. Signing in does not depend on it.
    async fn note_use(&self, row: &store::KeyRow, now: Instant) {
        if !self.0.sign_in.is_use_to_be_noted(&row.key_id, row.last_used_at, now) {
            return;
        }
        let (store, key_id) = (Arc::clone(&self.0.store), row.key_id.clone());
        let noted = crate::blocking(move || {
            store.touch_key(&key_id, now).map_err(crate::stored("note the use of an API key"))
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, key = %row.key_id, "the use of a key is not noted");
        }
    }

    /// The query string of a link that opens an operation for a while without a token.
    pub fn sign_link(&self, operation: &str, params: &[(&str, &str)], seconds: i64) -> String {
        self.0.sign_in.links.sign(operation, params, self.system_now().plus_seconds(seconds))
    }

    /// The parameters of a link that still holds.
    ///
    /// Errors: [`Error::Unauthenticated`].
    pub fn open_link(&self, operation: &str, query: &str) -> Result<Vec<(String, String)>> {
        Ok(self.0.sign_in.links.verify(operation, query, self.system_now())?)
    }
}

/// The hashes of a client's secrets, as they are declared.
pub(crate) fn secret_hashes(client: &Client) -> Vec<[u8; 32]> {
    let hash = |text: &String| -> Option<[u8; 32]> { hex::decode(text).ok()?.try_into().ok() };
    client.secret_hashes.iter().filter_map(hash).collect()
}

fn no_tenant() -> Error {
    Error::Unauthenticated { problem: "no tenant is declared yet".to_owned() }
}

/// Logs why an issuer's keys cannot be had: the caller is told less.
fn tell_unreachable(error: &AuthError) {
    if let AuthError::Unreachable { issuer, source } = error {
        let mut cause = source.to_string();
        let mut deeper = source.source();
        while let Some(error) = deeper {
            cause = format!("{cause}: {error}");
            deeper = error.source();
        }
        tracing::warn!(%issuer, %cause, "an issuer's keys cannot be read; its tokens are refused");
    }
}

/// A new client secret and its hash, in hexadecimal digits.
pub fn new_secret() -> (String, String) {
    let secret = identity::new_secret(crate::random_32());
    let hash = hex::encode(identity::hash_secret(&secret));
    (secret.to_string(), hash)
}

/// 32 bytes that nobody can guess.
pub fn entropy() -> [u8; 32] {
    crate::random_32()
}
