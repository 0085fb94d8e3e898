//! From which address a request comes.

use crate::edge::Forwarded;
use axum::extract::Request;
use std::net::IpAddr;

/// Who sends: the server lays on every request the address at the other end of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The sender's address: behind a proxy the one that the proxy saw.
///
/// Proxies append to `X-Forwarded-For`, and clients may send one themselves: only the last address
/// of the last header is our proxy's own word.
pub(crate) fn read(request: &Request, forwarded: Forwarded) -> Option<Peer> {
    let told = match forwarded {
        Forwarded::Ignored => None,
        Forwarded::Trusted => request.headers().get_all("x-forwarded-for").iter().next_back(),
    };
    match told {
        None => request.extensions().get::<Peer>().copied(),
        Some(told) => {
            let last = told.to_str().ok()?.rsplit(',').next()?.trim();
            last.parse().ok().map(Peer)
        }
    }
}
