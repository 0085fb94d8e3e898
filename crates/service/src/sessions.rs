//! Sessions: opened with a client's id and secret, used instead of them, over when nobody uses them
//! any more.
//!
//! Who takes them is said in [`crate::sign_in`].

use crate::Reckoner;
use crate::failures::Tried;
use crate::sign_in::secret_hashes;
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::ids::PrincipalId;
use domain::{Error, Result};
use identity::{AuthError, Credential};
use std::net::IpAddr;
use std::sync::Arc;
use store::SessionRow;

/// Seconds after which a session is over, however much it is used.
const LONGEST_S: i64 = 86_400;

/// Seconds between two notes of a session's use, unless it would be over before.
const NOTED_EVERY_S: i64 = 60;

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

impl Reckoner {
    /// Opens a session. Where a client has as many as it may (`limits.sessions`), the one that was
    /// not used for longest is over.
    ///
    /// Errors: [`Error::Unauthenticated`] for an unknown client or a wrong secret alike, which is
    /// written into the audit log; [`Error::Invalid`] for `from_anywhere` where a session cannot be
    /// bound to an address.
    #[boxed]
    pub async fn create_session(
        &self,
        asked: &SessionAsked,
        request_id: &str,
    ) -> Result<SessionMade> {
        let principal = match self.proven_client(&asked.username, &asked.password) {
            Ok(principal) => principal,
            Err(error) => {
                let tried = Tried::Client(asked.username.clone());
                return Err(self.refused(tried, error, request_id).await);
            }
        };
        let bound_to = match (asked.from_anywhere, asked.from) {
            (true, _) => None,
            (false, Some(from)) => Some(from.to_canonical().to_string()),
            (false, None) => {
                let problem = "must be true where the caller's address cannot be told";
                return Err(Error::invalid("from_anywhere", problem));
            }
        };
        let token = uuid::Uuid::new_v4().to_string();
        let now = self.system_now();
        let row = SessionRow {
            token_hash: identity::hash_secret(&token),
            principal: principal.to_string(),
            bound_to,
            secret_hash: identity::hash_secret(&asked.password),
            created_at: now,
            used_at: now,
            expires_at: self.session_end(now, now),
        };
        let (store, most) = (Arc::clone(&self.0.store), self.0.config.limits.sessions.max(1));
        crate::blocking(move || {
            store.insert_session(&row, most).map_err(crate::stored("keep a session"))
        })
        .await?;
        Ok(SessionMade { token })
    }

    /// Ends the session that an `Authorization` header carries. One that does not hold is written
    /// into the audit log.
    ///
    /// Errors: [`Error::Unauthenticated`] for a session that does not hold there, and for every
    /// other credential.
    #[boxed]
    pub async fn end_session(
        &self,
        header: Option<&str>,
        from: Option<IpAddr>,
        request_id: &str,
    ) -> Result<()> {
        match self.end_session_of(header, from).await {
            Err(error) if header.is_some() => {
                Err(self.refused(Tried::with(header), error, request_id).await)
            }
            ended => ended,
        }
    }

    async fn end_session_of(&self, header: Option<&str>, from: Option<IpAddr>) -> Result<()> {
        let Credential::Session(text) = Credential::from_header(header)? else {
            let problem = "a session is needed to end it".to_owned();
            return Err(Error::Unauthenticated { problem });
        };
        let row = self.live_session(text, from).await?;
        let store = Arc::clone(&self.0.store);
        let was_there = crate::blocking(move || {
            store.end_session(&row.token_hash).map_err(crate::stored("end a session"))
        })
        .await?;
        if was_there { Ok(()) } else { Err(AuthError::Unknown.into()) }
    }

    /// Whose session it is, noting that it is used.
    ///
    /// Errors: [`Error::Unauthenticated`] for one that does not hold there.
    pub(crate) async fn session_caller(
        &self,
        text: &str,
        from: Option<IpAddr>,
    ) -> Result<PrincipalId> {
        let row = self.live_session(text, from).await?;
        let principal = PrincipalId::new(&row.principal)?;
        self.note_session_use(&row).await;
        Ok(principal)
    }

    /// A session that holds now, from there. It holds as long as the secret that opened it is
    /// declared, and ends with it.
    async fn live_session(&self, text: &str, from: Option<IpAddr>) -> Result<SessionRow> {
        let (store, hash) = (Arc::clone(&self.0.store), identity::hash_secret(text));
        let row =
            crate::blocking(move || store.session(&hash).map_err(crate::stored("read a session")))
                .await?;
        let row = row.ok_or(AuthError::Unknown)?;
        if row.expires_at <= self.system_now() {
            return Err(AuthError::Expired.into());
        }
        let from = from.map(|from| from.to_canonical().to_string());
        if row.bound_to.is_some() && row.bound_to != from {
            let problem = "the session may not be used from this address".to_owned();
            return Err(Error::Unauthenticated { problem });
        }
        let principal = PrincipalId::new(&row.principal)?;
        let declared = self.0.declared();
        let client = declared.company.clients.get(&principal);
        let hashes = client.map(secret_hashes).unwrap_or_default();
        if !hashes.contains(&row.secret_hash) {
            return Err(AuthError::Unknown.into());
        }
        Ok(row)
    }

    /// Notes that a session was used; at most once a minute. Signing in does not depend on it.
    async fn note_session_use(&self, row: &SessionRow) {
        let now = self.system_now();
        let every_s = NOTED_EVERY_S.min(self.0.config.keys.session_s().div_euclid(4));
        if now < row.used_at.plus_seconds(every_s) {
            return;
        }
        let (store, hash) = (Arc::clone(&self.0.store), row.token_hash);
        let end = self.session_end(row.created_at, now);
        let noted = crate::blocking(move || {
            store.touch_session(&hash, now, end).map_err(crate::stored("note a session's use"))
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, principal = %row.principal, "a session's use is not noted");
        }
    }

    /// When a session is over that was made and last used then.
    fn session_end(&self, created_at: Instant, used_at: Instant) -> Instant {
        let unused = used_at.plus_seconds(self.0.config.keys.session_s());
        unused.min(created_at.plus_seconds(LONGEST_S))
    }
}
