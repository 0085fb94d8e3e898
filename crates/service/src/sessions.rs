//! Sessions: opened with a client's id and secret, used instead of them, over when nobody uses them
//! any more.
//!
//! What else is taken beside tokens and API keys is said in [`crate::sign_in`].

use std::net::IpAddr;

/// What a client sends to open a session.
#[derive(Clone)]
pub struct SessionAsked {
    /// The client's id.
    pub username: String,
    /// Its secret.
    pub password: String,
    /// Whether the session holds from any address; else only from the one that opened it.
    pub from_anywhere: bool,
    /// From which address it is opened.
    pub from: Option<IpAddr>,
}

/// A session that was just opened. Its text is shown this once.
pub struct SessionMade {
    /// What the client sends: a UUID.
    pub token: String,
}

// Bodies follow; the signatures are:
//   impl Reckoner {
//     /// Opens a session. Errors: Unauthenticated (unknown client, wrong secret, no readable
//     /// address to bind it to); TooManyKept.
//     pub async fn create_session(&self, asked: &SessionAsked, request_id: &str)
//         -> Result<SessionMade>;
//     /// Ends the session that an `Authorization: IBSSO …` header carries; Unauthenticated for
//     /// any other credential and for one that does not hold.
//     pub async fn end_session(&self, header: Option<&str>, from: Option<IpAddr>,
//         request_id: &str) -> Result<()>;
//     /// As `caller`, and takes Basic and sessions too: only for the surface that serves them
//     /// (lay `Authenticate::new(… caller_by_any …)` over its routes, in place of the edge's).
//     pub async fn caller_by_any(&self, header: Option<&str>, from: Option<IpAddr>,
//         request_id: &str) -> Result<Caller>;
//     /// A token for a client's secret, for this installation itself; the directory and the
//     /// audience need not be named.
//     pub async fn issue_own_token(&self, asked: &OwnTokenAsked { client_id, client_secret,
//         base_url }, request_id: &str) -> Result<IssuedToken>;
//   }
