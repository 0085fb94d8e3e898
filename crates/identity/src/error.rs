//! Why a credential does not hold.

use domain::Error;

/// Why a credential does not hold. All but the last two mean: sign in again.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No credential was sent.
    #[error("no credential was sent")]
    Missing,
    /// What was sent is not a credential that we read.
    #[error("the credential is malformed")]
    Malformed,
    /// The signature, or the key that it names, is not the issuer's.
    #[error("the token's signature does not hold")]
    BadSignature,
    /// The token is for somebody else.
    #[error("the token is for another audience")]
    WrongAudience,
    /// Nobody configured this issuer.
    #[error("the token is of an unknown issuer")]
    WrongIssuer,
    /// The token or link is too old.
    #[error("the credential is expired")]
    Expired,
    /// The token is from the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The API key or link is not one of ours.
    #[error("the credential is unknown")]
    Unknown,
    /// An external issuer's keys cannot be had.
    #[error("keys of issuer `{issuer}` cannot be read")]
    Unreachable {
        /// The issuer's address.
        issuer: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The configuration names an issuer that cannot be used.
    #[error("issuer `{issuer}`: {problem}")]
    Config {
        /// The issuer's address.
        issuer: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Error {
        match error {
            AuthError::Missing
            | AuthError::Malformed
            | AuthError::BadSignature
            | AuthError::WrongAudience
            | AuthError::WrongIssuer
            | AuthError::Expired
            | AuthError::NotYetValid
            | AuthError::Unknown => Error::Unauthenticated { problem: error.to_string() },
            AuthError::Unreachable { .. } => Error::Unavailable {
                problem: "the token's issuer cannot be reached; try again later".to_owned(),
            },
            AuthError::Config { issuer, problem } => Error::invalid(issuer, problem),
        }
    }
}
