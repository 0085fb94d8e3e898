//! Sign-ins that failed, in the audit log: who tried as whom, and why it was refused.
//!
//! Anybody can fail to sign in as often as he likes, so the log takes a measured number a minute
//! and counts the others.

use crate::Reckoner;
use calendar::{Instant, MICROS_PER_SECOND};
use domain::ids::PrincipalId;
use domain::{Error, Result};
use identity::Credential;
use std::sync::{Arc, Mutex};
use store::AuditEntry;

/// Entries of a minute; further failures are told as a number by the next entry.
const ENTRIES_A_MINUTE: u32 = 120;
const MINUTE_MICROS: i64 = 60 * MICROS_PER_SECOND;

/// How many failures were written lately.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    minute: i64,
    entries: u32,
    /// Failures since the last entry that no entry tells of.
    untold: u64,
}

impl Failures {
    /// Whether this failure may be written, and how many before it were not.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let minute = now.micros().div_euclid(MINUTE_MICROS);
        if window.minute != minute {
            (window.minute, window.entries) = (minute, 0);
        }
        if window.entries >= ENTRIES_A_MINUTE {
            window.untold = window.untold.saturating_add(1);
            return None;
        }
        window.entries = window.entries.saturating_add(1);
        Some(std::mem::take(&mut window.untold))
    }
}

/// Who tried to sign in: as far as that is known, and nothing of it is proven.
#[derive(Debug, Clone)]
pub(crate) enum Tried {
    /// A client, by the id that it sent; empty where that cannot be read.
    Client(String),
    /// Whoever sent a bearer token or an API key.
    Bearer,
    /// Whoever sent a session's text.
    Session,
}

impl Tried {
    /// Who tried it with an `Authorization` header.
    pub(crate) fn with(header: Option<&str>) -> Tried {
        match Credential::from_header(header) {
            Ok(client @ Credential::Client(_)) => {
                Tried::Client(client.client().map(|client| client.id).unwrap_or_default())
            }
            Ok(Credential::Session(_)) => Tried::Session,
            Ok(Credential::Token(_) | Credential::Key(_)) | Err(_) => Tried::Bearer,
        }
    }
}

impl Reckoner {
    /// Writes a refused sign-in into the audit log, and gives the refusal back.
    pub(crate) async fn refused(&self, tried: Tried, error: Error, request_id: &str) -> Error {
        let Error::Unauthenticated { problem } = &error else { return error };
        match self.write_failure(tried, problem.clone(), request_id).await {
            Ok(()) => error,
            // Who may not come in must not come in unseen.
            Err(failed) => failed,
        }
    }

    async fn write_failure(&self, tried: Tried, problem: String, request_id: &str) -> Result<()> {
        let at = self.system_now();
        let Some(untold) = self.0.sign_in.failures.admit(at) else { return Ok(()) };
        let target = match tried {
            Tried::Client(id) => self.client_shown(&id),
            Tried::Bearer => "bearer credential".to_owned(),
            Tried::Session => "session".to_owned(),
        };
        let more = match untold {
            0 => String::new(),
            untold => format!(" (and {untold} more since the entry before)"),
        };
        let entry = AuditEntry {
            at,
            actor: "nobody".to_owned(),
            action: "sign_in".to_owned(),
            target,
            reason: format!("{problem}{more}"),
            request_id: request_id.to_owned(),
            outcome: "refused".to_owned(),
        };
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            store.append_audit(&entry).map_err(crate::stored("write the audit log"))
        })
        .await
    }
}

impl Reckoner {
    /// How a client is shown that somebody named. What is no client's id is whatever was sent: it
    /// may be a key or a password in the wrong place, and is not repeated.
    fn client_shown(&self, id: &str) -> String {
        let declared = self.0.declared();
        let client = PrincipalId::new(id).ok().and_then(|id| declared.company.clients.get(&id));
        let unknown = || "an unknown client".to_owned();
        client.map_or_else(unknown, |client| format!("client {}", client.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_failures_is_counted_and_not_written() {
        let failures = Failures::default();
        let at = |seconds| Instant::EPOCH.plus_seconds(seconds);
        let written = (0..ENTRIES_A_MINUTE).all(|_| failures.admit(at(0)) == Some(0));
        assert!(written, "the first of a minute are written");
        assert_eq!(failures.admit(at(1)), None);
        assert_eq!(failures.admit(at(59)), None);
        assert_eq!(failures.admit(at(60)), Some(2), "the next minute tells how many were not");
        assert_eq!(failures.admit(at(61)), Some(0));
    }
}
