//! Who is asking, as an argument of handlers.

use crate::Refusal;
use crate::edge::{RequestId, no_edge};
use crate::peer::Peer;
use axum::extract::FromRequestParts;
use domain::Error;
use domain::access::Caller;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// What a request shows of who sends it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The `Authorization` header.
    pub header: Option<String>,
    /// From which address; nothing where the request does not say a readable one.
    pub from: Option<IpAddr>,
    /// The request's id.
    pub request_id: RequestId,
}

/// Finds out who is asking by what the request shows; made once, by the server.
#[derive(Clone)]
pub struct Authenticate(Arc<Ask>);

type Ask = dyn Fn(Shown) -> BoxFuture<'static, Result<Caller, Error>> + Send + Sync;

impl Authenticate {
    /// Wraps the finding out; it is called once per request whose handler wants to know.
    pub fn new(
        ask: impl Fn(Shown) -> BoxFuture<'static, Result<Caller, Error>> + Send + Sync + 'static,
    ) -> Authenticate {
        Authenticate(Arc::new(ask))
    }
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticate")
    }
}

/// Who is asking: refuses the request when nobody known is. It is found out once for a request.
#[derive(Debug, Clone)]
pub struct Asking(pub Caller);

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asking, Refusal> {
        if let Some(known) = parts.extensions.get::<Asking>() {
            return Ok(known.clone());
        }
        let Authenticate(ask) = parts.extensions.get::<Authenticate>().ok_or_else(no_edge)?.clone();
        let request_id = parts.extensions.get::<RequestId>().copied().ok_or_else(no_edge)?;
        let mut given = parts.headers.get_all(AUTHORIZATION).iter();
        let header = match (given.next(), given.next()) {
            (None, _) => None,
            (Some(one), None) => Some(one.to_str().map_err(|_| unreadable())?.to_owned()),
            (Some(_), Some(_)) => return Err(unreadable().into()),
        };
        let from = parts.extensions.get::<Option<Peer>>().ok_or_else(no_edge)?.map(|peer| peer.0);
        let asking = Asking(ask(Shown { header, from, request_id }).await?);
        parts.extensions.insert(asking.clone());
        Ok(asking)
    }
}

fn unreadable() -> Error {
    Error::Unauthenticated { problem: "one readable Authorization header is needed".to_owned() }
}
