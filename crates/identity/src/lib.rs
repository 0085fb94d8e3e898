//! Who is asking: issuers, tokens, keys, secrets and signed links. Knows nobody's rights.
//!
//! Read in this order: [`Credential`], [`Issuer`], [`Verifier`], [`ApiKey`],
//! [`EnterpriseClaims`], [`LinkSigner`].

mod credential;
mod enterprise_keys;
mod error;
mod external;
mod issuer;
mod keys;
mod links;
mod verifier;

#[cfg(test)]
mod tests;

pub use credential::{ClientSecret, Credential};
pub use enterprise_keys::EnterpriseClaims;
pub use error::AuthError;
pub use external::ExternalIssuer;
pub use issuer::{Issuer, Token, TokenRequest};
pub use keys::{ApiKey, Hash, NewKey, hash_secret, new_secret, verify_secret};
pub use links::LinkSigner;
pub use verifier::{BuiltIn, Verifier, VerifierConfig};
