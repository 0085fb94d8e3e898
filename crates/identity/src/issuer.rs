//! The built-in issuer: signs tokens for clients of a lone installation.

use calendar::Instant;
use domain::{Error, Result};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde_json::{Value, json};
use std::fmt;
use zeroize::Zeroizing;

/// Signs tokens (RS256) and publishes the key that proves them.
pub struct Issuer {
    signing: EncodingKey,
    proving: DecodingKey,
    key_id: String,
    published: Jwk,
}

/// For whom a token is asked.
#[derive(Debug, Clone, Copy)]
pub struct TokenRequest<'a> {
    /// Our address as the client used it, without a slash at the end.
    pub base_url: &'a str,
    /// The directory.
    pub tenant: &'a str,
    /// The client: becomes the principal.
    pub client_id: &'a str,
    /// Whom the token is for.
    pub audience: &'a str,
}

/// A signed token.
pub struct Token {
    /// The token as it goes over the wire.
    pub text: Zeroizing<String>,
    /// Seconds until it expires.
    pub expires_in_s: u32,
}

/// Shows how long it holds, and nothing of its text.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(… {} s)", self.expires_in_s)
    }
}

impl Issuer {
    /// Makes a new signing key (RSA, 2048 bits), as text for [`Issuer::from_secret`].
    ///
    /// Errors: [`Error::Internal`] when the machine has no randomness.
    pub fn new_secret() -> Result<Zeroizing<Vec<u8>>> {
        let pair =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
                .map_err(|cause| Error::internal("making a signing key", cause))?;
        Ok(Zeroizing::new(pair.serialize_pem().into_bytes()))
    }

    /// An issuer with the key that [`Issuer::new_secret`] made and the caller kept.
    ///
    /// Errors: [`Error::Internal`] when the bytes are no such key.
    pub fn from_secret(secret: &[u8]) -> Result<Issuer> {
        let broken = |cause| Error::internal("reading the signing key", cause);
        let signing = EncodingKey::from_rsa_pem(secret).map_err(broken)?;
        let mut published = Jwk::from_encoding_key(&signing, Algorithm::RS256).map_err(broken)?;
        let key_id = published.thumbprint(ThumbprintHash::SHA256).map_err(broken)?;
        published.common.key_id = Some(key_id.clone());
        published.common.public_key_use = Some(PublicKeyUse::Signature);
        let proving = DecodingKey::from_jwk(&published).map_err(broken)?;
        Ok(Issuer { signing, proving, key_id, published })
    }

    /// The OpenID document of a directory.
    ///
    /// Source: `clients.md`: clients need issuer, authorization_endpoint, token_endpoint, jwks_uri.
    pub fn openid_configuration(base_url: &str, tenant: &str) -> Value {
        json!({
            "issuer": issuer_url(base_url, tenant),
            "authorization_endpoint": format!("{base_url}/{tenant}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{base_url}/{tenant}/oauth2/v2.0/token"),
            "jwks_uri": format!("{base_url}/{tenant}/discovery/v2.0/keys"),
            "response_types_supported": ["token"],
            "response_modes_supported": ["form_post"],
            "subject_types_supported": ["public"],
            "grant_types_supported": ["client_credentials"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "scopes_supported": ["openid"],
            "claims_supported": ["aud", "iss", "sub", "tid", "oid", "iat", "nbf", "exp"],
        })
    }

    /// The public keys, as `jwks_uri` answers them.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.published] })
    }

    /// Signs a token that holds from `now` on.
    ///
    /// Units:  `now`, the system clock's; `lifetime_s`, seconds.
    /// Errors: [`Error::Internal`] when signing fails.
    pub fn token(&self, request: TokenRequest<'_>, now: Instant, lifetime_s: u32) -> Result<Token> {
        let TokenRequest { base_url, tenant, client_id, audience } = request;
        let issued_at = now.seconds();
        let claims = json!({
            "aud": audience,
            "iss": issuer_url(base_url, tenant),
            "sub": client_id,
            "oid": client_id,
            "appid": client_id,
            "azp": client_id,
            "tid": tenant,
            "idtyp": "app",
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at.saturating_add(i64::from(lifetime_s)),
            "ver": "2.0",
        });
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::RS256) };
        let text = jsonwebtoken::encode(&header, &claims, &self.signing)
            .map_err(|cause| Error::internal("signing a token", cause))?;
        Ok(Token { text: Zeroizing::new(text), expires_in_s: lifetime_s })
    }

    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(crate) fn signing(&self) -> &EncodingKey {
        &self.signing
    }

    pub(crate) fn proving(&self) -> &DecodingKey {
        &self.proving
    }

    pub(crate) fn proving_key(&self, key_id: Option<&str>) -> Option<&DecodingKey> {
        (key_id == Some(&self.key_id)).then_some(&self.proving)
    }
}

/// Shows the key's public id only.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.key_id)
    }
}

fn issuer_url(base_url: &str, tenant: &str) -> String {
    format!("{base_url}/{tenant}/v2.0")
}
