//! Who is asking, as an argument of handlers.

use crate::Refusal;
use crate::edge::{RequestId, no_edge};
use axum::extract::FromRequestParts;
use domain::Error;
use domain::access::Caller;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use std::fmt;
use std::sync::Arc;

/// Finds out who is asking by the `Authorization` header; made once, by the server.
#[derive(Clone)]
pub struct Authenticate(Arc<Ask>);

type Ask =
    dyn Fn(Option<String>, RequestId) -> BoxFuture<'static, Result<Caller, Error>> + Send + Sync;

impl Authenticate {
    /// Wraps the finding out; it is called once per request whose handler wants to know, with the
    /// header and the request's id.
    pub fn new(
        ask: impl Fn(Option<String>, RequestId) -> BoxFuture<'static, Result<Caller, Error>>
        + Send
        + Sync
        + 'static,
    ) -> Authenticate {
        Authenticate(Arc::new(ask))
    }
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticate")
    }
}

/// Who is asking: refuses the request when nobody known is.
#[derive(Debug, Clone)]
pub struct Asking(pub Caller);

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asking, Refusal> {
        let Authenticate(ask) = parts.extensions.get::<Authenticate>().ok_or_else(no_edge)?.clone();
        let request_id = parts.extensions.get::<RequestId>().copied().ok_or_else(no_edge)?;
        let mut given = parts.headers.get_all(AUTHORIZATION).iter();
        let header = match (given.next(), given.next()) {
            (None, _) => None,
            (Some(one), None) => Some(one.to_str().map_err(|_| unreadable())?.to_owned()),
            (Some(_), Some(_)) => return Err(unreadable().into()),
        };
        Ok(Asking(ask(header, request_id).await?))
    }
}

fn unreadable() -> Error {
    Error::Unauthenticated { problem: "one readable Authorization header is needed".to_owned() }
}
