//! What an `Authorization` header carries.

use crate::keys::PREFIX;
use crate::{ApiKey, AuthError};
use std::fmt;

/// A credential as it was sent, not yet proven.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// A token of some issuer: see [`crate::Verifier::verify`].
    Token(&'a str),
    /// An API key: see [`Credential::api_key`].
    Key(&'a str),
}

impl<'a> Credential<'a> {
    /// Reads the header's value: `Bearer` with a token or an API key, `App` with an API key.
    ///
    /// Errors: [`AuthError::Missing`], [`AuthError::Malformed`].
    pub fn from_header(value: Option<&'a str>) -> Result<Credential<'a>, AuthError> {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        let (scheme, rest) =
            value.ok_or(AuthError::Missing)?.split_once(' ').ok_or(AuthError::Malformed)?;
        let rest = rest.trim_start();
        if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AuthError::Malformed);
        }
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        match (rest.starts_with(PREFIX), bearer, scheme.eq_ignore_ascii_case("app")) {
            (false, true, _) => Ok(Credential::Token(rest)),
            (true, true, _) | (_, _, true) => Ok(Credential::Key(rest)),
            (_, false, false) => Err(AuthError::Malformed),
        }
    }

    /// The API key, with its checksum proven; errors: [`AuthError::Malformed`].
    pub fn api_key(self) -> Result<ApiKey, AuthError> {
        match self {
            Credential::Key(text) => ApiKey::parse(text),
            Credential::Token(_) => Err(AuthError::Malformed),
        }
    }
}

/// Says which kind it is, and nothing of its text.
impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Token(_) => "Token(…)",
            Credential::Key(_) => "Key(…)",
        })
    }
}
