//! Our own address, as the client used it: links in answers start with it.

use crate::edge::Forwarded;
use axum::extract::Request;
use http::header::HOST;
use http::uri::Authority;
use std::fmt;

/// Our address as the client used it, without a slash at the end: `https://host:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(pub String);

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the listener speaks; the server lays it on as an `axum::Extension` per listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// Loopback only.
    #[default]
    Http,
    /// Everywhere else.
    Https,
}

/// The address, or nothing where the request does not say a readable one.
pub(crate) fn read(request: &Request, forwarded: Forwarded) -> Option<BaseUrl> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    // A chain of proxies appends; the first stands nearest to the client.
    let first = |name: &str| header(name).and_then(|text| text.split(',').next()).map(str::trim);
    let proxy = |name: &str| match forwarded {
        Forwarded::Ignored => None,
        Forwarded::Trusted => first(name).filter(|text| !text.is_empty()),
    };
    let own = match request.extensions().get::<Scheme>().copied().unwrap_or_default() {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let scheme = match proxy("x-forwarded-proto") {
        Some(said) if said.eq_ignore_ascii_case("https") => "https",
        Some(said) if said.eq_ignore_ascii_case("http") => "http",
        Some(_) => return None,
        None => own,
    };
    let authority = request.uri().authority().map(Authority::as_str);
    let host = proxy("x-forwarded-host").or(authority).or_else(|| header(HOST.as_str()))?;
    let host: Authority = host.parse().ok()?;
    let readable = !host.as_str().contains('@') && !host.host().is_empty();
    readable.then(|| BaseUrl(format!("{scheme}://{host}")))
}
