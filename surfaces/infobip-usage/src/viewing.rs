//! Who asks: arguments of handlers that refuse whoever may not.

use crate::Usage;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use domain::access::Caller;
use httpkit::{Asking, LimitKey, Peer, Refusal};
use std::net::IpAddr;

/// A caller who may ask for the usage of some account; whoever may not is refused before anything
/// else of a request is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Viewing(pub(crate) Caller);

/// Somebody who is about to sign in or out.
#[derive(Clone)]
pub(crate) struct Signing {
    /// From which address, if the request says a readable one.
    pub(crate) from: Option<IpAddr>,
    /// The `Authorization` header, if there is one that can be read.
    pub(crate) header: Option<String>,
}

impl FromRequestParts<Usage> for Viewing {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, usage: &Usage) -> Result<Viewing, Refusal> {
        let Asking(caller) = Asking::from_request_parts(parts, usage).await?;
        let key = LimitKey { principal: caller.actor(), scope: String::new() };
        usage.limiter.check(&key)?;
        usage.reckoner.messaging_accounts(&caller).await?;
        Ok(Viewing(caller))
    }
}

impl FromRequestParts<Usage> for Signing {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, usage: &Usage) -> Result<Signing, Refusal> {
        let from = parts.extensions.get::<Option<Peer>>().copied().flatten().map(|peer| peer.0);
        let principal = from.map(|from| from.to_string()).unwrap_or_default();
        usage.limiter.check(&LimitKey { principal, scope: "signing in".to_owned() })?;
        let mut given = parts.headers.get_all(AUTHORIZATION).iter();
        let header = match (given.next(), given.next()) {
            (Some(one), None) => one.to_str().ok().map(str::to_owned),
            _ => None,
        };
        Ok(Signing { from, header })
    }
}
