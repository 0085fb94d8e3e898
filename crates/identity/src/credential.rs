//! What an `Authorization` header carries.

use crate::keys::PREFIX;
use crate::{ApiKey, AuthError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use zeroize::Zeroizing;

/// A credential as it was sent, not yet proven.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// A token of some issuer: see [`crate::Verifier::verify`].
    Token(&'a str),
    /// An API key: see [`Credential::api_key`].
    Key(&'a str),
    /// A client's id and secret: see [`Credential::client`].
    Client(&'a str),
    /// The text of a session that was opened before: the books know it by its hash.
    Session(&'a str),
}

/// A client's id and secret as they were sent.
pub struct ClientSecret {
    /// The id.
    pub id: String,
    /// The secret: see [`crate::verify_secret`].
    pub secret: Zeroizing<String>,
}

impl<'a> Credential<'a> {
    /// Reads the header's value: `Bearer` with a token or an API key, `App` with an API key,
    /// `Basic` with a client's id and secret, `IBSSO` with a session.
    ///
    /// Errors: [`AuthError::Missing`], [`AuthError::Malformed`]. Source: RFC 6750 and 7617;
    /// `infobip.md` section 2.
    pub fn from_header(value: Option<&'a str>) -> Result<Credential<'a>, AuthError> {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        let (scheme, rest) =
            value.ok_or(AuthError::Missing)?.split_once(' ').ok_or(AuthError::Malformed)?;
        let rest = rest.trim_start();
        if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AuthError::Malformed);
        }
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" if rest.starts_with(PREFIX) => Ok(Credential::Key(rest)),
            "bearer" => Ok(Credential::Token(rest)),
            "app" => Ok(Credential::Key(rest)),
            "basic" => Ok(Credential::Client(rest)),
            "ibsso" => Ok(Credential::Session(rest)),
            _ => Err(AuthError::Malformed),
        }
    }

    /// The API key, with its checksum proven; errors: [`AuthError::Malformed`].
    pub fn api_key(self) -> Result<ApiKey, AuthError> {
        match self {
            Credential::Key(text) => ApiKey::parse(text),
            Credential::Token(_) | Credential::Client(_) | Credential::Session(_) => {
                Err(AuthError::Malformed)
            }
        }
    }

    /// The client's id and secret, which the first colon parts; errors: [`AuthError::Malformed`].
    pub fn client(self) -> Result<ClientSecret, AuthError> {
        let Credential::Client(text) = self else { return Err(AuthError::Malformed) };
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| AuthError::Malformed)?);
        let text = std::str::from_utf8(&bytes).map_err(|_| AuthError::Malformed)?;
        let (id, secret) = text.split_once(':').ok_or(AuthError::Malformed)?;
        Ok(ClientSecret { id: id.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
    }
}

/// Says which kind it is, and nothing of its text.
impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Token(_) => "Token(…)",
            Credential::Key(_) => "Key(…)",
            Credential::Client(_) => "Client(…)",
            Credential::Session(_) => "Session(…)",
        })
    }
}

/// Shows the id only.
impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientSecret({})", self.id)
    }
}
