//! Limits of the wire: how many connections and requests, and how long each may take.

use anyhow::bail;
use serde::Deserialize;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// The part `http` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wire {
    /// Connections open at once, of each listener; further ones are closed at once.
    pub(crate) connections: usize,
    /// Seconds for which a connection is kept without a whole request's header, and without a
    /// byte of an answer being taken.
    pub(crate) idle_seconds: u64,
    /// Seconds for running requests when stopping.
    pub(crate) grace_seconds: u64,
    /// Requests worked on at once, of both listeners.
    pub(crate) requests_at_once: usize,
    /// Bytes of a body.
    pub(crate) body_bytes: usize,
    /// Seconds until an answer begins.
    pub(crate) answer_seconds: u64,
    /// The same for operations that read everything there is: verifying, sealing.
    pub(crate) long_answer_seconds: u64,
    /// Bytes of path and query together.
    pub(crate) url_bytes: usize,
    /// Bytes of headers, names and values together.
    pub(crate) header_bytes: usize,
    /// Hosts under which clients reach us.
    pub(crate) names: Vec<String>,
    /// Whether a proxy says how clients reach us.
    pub(crate) forwarded: Forwarded,
}

/// Whose word on our address counts.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Forwarded {
    /// Nobody's but the client's own.
    #[default]
    Ignored,
    /// Whoever connects is our proxy and sets `X-Forwarded-Proto` and `-Host` itself.
    Trusted,
}

impl From<Forwarded> for httpkit::Forwarded {
    fn from(forwarded: Forwarded) -> httpkit::Forwarded {
        match forwarded {
            Forwarded::Ignored => httpkit::Forwarded::Ignored,
            Forwarded::Trusted => httpkit::Forwarded::Trusted,
        }
    }
}

/// The largest sum of `url_bytes` and `header_bytes`: HTTP/1 itself reads a little more.
const HEAD_MOST_BYTES: usize = 256 * 1_024;
/// What HTTP/2 counts besides names and values: 32 bytes a header, and the pseudo-headers.
const BESIDE_BYTES: usize = 16 * 1_024;
/// The longest address that HTTP/1 itself reads, less a little for the host.
const URL_MOST_BYTES: usize = 60_000;

impl Default for Wire {
    fn default() -> Wire {
        Wire {
            connections: 512,
            idle_seconds: 30,
            grace_seconds: 30,
            requests_at_once: 512,
            body_bytes: 16 * 1_024 * 1_024,
            answer_seconds: 60,
            long_answer_seconds: 6 * 3_600,
            url_bytes: 32 * 1_024,
            header_bytes: 64 * 1_024,
            names: Vec::new(),
            forwarded: Forwarded::Ignored,
        }
    }
}

impl Wire {
    /// Refuses what cannot be.
    pub(crate) fn checked(self) -> anyhow::Result<Wire> {
        if self.connections == 0 || self.requests_at_once == 0 {
            bail!("http: connections and requests_at_once must be at least 1");
        }
        if self.idle_seconds == 0 || self.answer_seconds == 0 {
            bail!("http: idle_seconds and answer_seconds must be at least 1");
        }
        if self.url_bytes > URL_MOST_BYTES {
            bail!("http.url_bytes: must be at most {URL_MOST_BYTES}");
        }
        if self.url_bytes.saturating_add(self.header_bytes) > HEAD_MOST_BYTES {
            bail!("http: url_bytes and header_bytes together must be at most {HEAD_MOST_BYTES}");
        }
        for name in &self.names {
            check_name(name)?;
        }
        Ok(self)
    }

    /// Adds names that the command line gave.
    pub(crate) fn named(mut self, names: &[String]) -> anyhow::Result<Wire> {
        self.names.extend_from_slice(names);
        self.checked()
    }

    /// Our addresses under these names: at the port listened on, and at a proxy's.
    pub(crate) fn audiences(&self, port: u16) -> Vec<String> {
        let of = |name: &String| {
            let host = match name.parse::<Ipv6Addr>() {
                Ok(address) => format!("[{address}]"),
                Err(_) => name.clone(),
            };
            [format!("https://{host}"), format!("https://{host}:{port}")]
        };
        self.names.iter().flat_map(of).collect()
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    /// What HTTP/2 reads of a header list: more than the surfaces do, so that they refuse.
    pub(crate) fn header_list_bytes(&self) -> u32 {
        let own = self.url_bytes.saturating_add(self.header_bytes).saturating_mul(2);
        u32::try_from(own.saturating_add(BESIDE_BYTES)).unwrap_or(u32::MAX)
    }

    pub(crate) fn answer(&self) -> Duration {
        Duration::from_secs(self.answer_seconds)
    }

    pub(crate) fn long_answer(&self) -> Duration {
        Duration::from_secs(self.long_answer_seconds.max(self.answer_seconds))
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}

/// A name of a host or a literal address: no scheme, port or path.
fn check_name(name: &str) -> anyhow::Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let is_host = !name.is_empty() && name.chars().all(allowed);
    if !is_host && name.parse::<IpAddr>().is_err() {
        bail!("`{name}` is no name of a host: give it without scheme, port and path");
    }
    Ok(())
}
