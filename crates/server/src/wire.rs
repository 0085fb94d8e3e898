//! Limits of the wire: how many connections and requests, and how long each may take.

use anyhow::bail;
use serde::Deserialize;
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
}

impl Default for Wire {
    fn default() -> Wire {
        Wire { connections: 512, idle_seconds: 30, grace_seconds: 30 }
    }
}

impl Wire {
    /// Refuses what cannot be.
    pub(crate) fn checked(self) -> anyhow::Result<Wire> {
        let Wire { connections, idle_seconds, grace_seconds: _ } = &self;
        if *connections == 0 || *idle_seconds == 0 {
            bail!("http: connections and idle_seconds must be at least 1");
        }
        Ok(self)
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}
