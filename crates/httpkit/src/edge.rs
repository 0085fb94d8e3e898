//! The edge of the program: what holds for every request, whoever serves it.

use crate::base_url::{self, BaseUrl};
use crate::caller::Authenticate;
use crate::refusal::rendered;
use crate::unread::Unread;
use crate::{Refusal, Render, peer};
use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use domain::Kind;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tracing::{Instrument, debug, error, error_span, info};
use uuid::Uuid;

/// The header that carries the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// Time gone since any fixed moment; never goes back.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Another spelling of an address, found before its route is looked up.
pub type Rewrite = Arc<dyn Fn(&Uri) -> Option<Uri> + Send + Sync>;

/// What was answered, for metrics.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// The surface that answered; `none` for what no surface serves.
    pub surface: &'static str,
    /// The status.
    pub status: StatusCode,
    /// From the request's head to the answer's.
    pub duration: Duration,
}

/// Looks at answers; must be quick.
pub type Observe = Arc<dyn Fn(Answered) + Send + Sync>;

/// Marks an answer with the surface that it is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answers(pub(crate) &'static str);

/// The id of one request: on its answer, its log lines and its audit rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub Uuid);

/// What the program puts around all its surfaces.
#[derive(Clone)]
pub struct Edge {
    /// The shape of refusals that no surface gave one.
    pub render: Render,
    /// Who is asking; called when a handler wants to know.
    pub authenticate: Authenticate,
    /// Where ids come from.
    pub new_id: Arc<dyn Fn() -> Uuid + Send + Sync>,
    /// What the durations in the log are measured with.
    pub elapsed: Elapsed,
    /// Spellings to try; the first that knows the address wins.
    pub rewrites: Vec<Rewrite>,
    /// Told of each answer, for metrics.
    pub observe: Observe,
    /// Whether `X-Forwarded-Proto` and `-Host` say how clients reach us, and `-For` who they are:
    /// only behind a proxy that sets them itself.
    pub forwarded: Forwarded,
}

/// Whether a proxy's word on our address counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Forwarded {
    /// Nobody's.
    #[default]
    Ignored,
    /// Whoever connects is our proxy.
    Trusted,
}

impl Edge {
    /// Puts the edge around the surfaces: a request id on every answer and on whatever is logged
    /// while it is made, and one log line per request.
    pub fn around(self, surfaces: Router) -> Router {
        // A layer of a router runs after its route is found, so rewriting needs a router around.
        Router::new().fallback_service(surfaces).layer(from_fn(move |request, next| {
            let edge = self.clone();
            async move { edge.serve(request, next).await }
        }))
    }

    async fn serve(self, mut request: Request, next: Next) -> Response {
        let started = (self.elapsed)();
        let id = RequestId((self.new_id)());
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let base_url = base_url::read(&request, self.forwarded);
        let peer = peer::read(&request, self.forwarded);
        let uri = self.rewrites.iter().find_map(|rewrite| rewrite(request.uri()));
        if let Some(uri) = uri {
            *request.uri_mut() = uri;
        }
        let extensions = request.extensions_mut();
        extensions.insert(id);
        extensions.insert(self.authenticate.clone());
        extensions.insert(base_url);
        extensions.insert(peer);
        let unread = Unread::of(&mut request);
        // Of the highest level: whatever is logged below it carries the id, whatever the filter.
        let span = error_span!("request", request_id = %id);
        let mut response = rendered(next.run(request).instrument(span).await, self.render);
        if let Some(unread) = unread {
            unread.read().await;
        }
        if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
            response.headers_mut().entry(REQUEST_ID).or_insert(value);
        }
        let duration = (self.elapsed)().saturating_sub(started);
        let surface = response.extensions().get::<Answers>().map_or("none", |answers| answers.0);
        (self.observe)(Answered { surface, status: response.status(), duration });
        log(Line { id, method, path, duration }, &mut response);
        response
    }
}

struct Line {
    id: RequestId,
    method: Method,
    path: String,
    duration: Duration,
}

/// Logs the request without its query, and why it was refused: our faults as errors.
fn log(line: Line, response: &mut Response) {
    let Line { id, method, path, duration } = line;
    let status = response.status().as_u16();
    match response.extensions_mut().remove::<Refusal>() {
        Some(Refusal::Fault(cause)) if cause.kind() == Kind::Internal => {
            error!(request_id = %id, %method, path, status, cause = %Chain(&*cause), "failed");
        }
        Some(refusal) => {
            debug!(request_id = %id, %method, path, status, cause = %refusal, "refused");
        }
        None => {}
    }
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    info!(target: "access", request_id = %id, %method, path, status, duration_ms, "answered");
}

/// An error with all its causes in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<RequestId, Refusal> {
        parts.extensions.get::<RequestId>().copied().ok_or_else(no_edge)
    }
}

impl<S: Sync> FromRequestParts<S> for BaseUrl {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<BaseUrl, Refusal> {
        let found = parts.extensions.get::<Option<BaseUrl>>().ok_or_else(no_edge)?;
        let missing = || domain::Error::invalid("Host", "must say how this service was reached");
        Ok(found.clone().ok_or_else(missing)?)
    }
}

/// A surface was mounted without its edge: our own fault.
pub(crate) fn no_edge() -> Refusal {
    domain::Error::internal("reading what the edge found out", "no edge around this surface").into()
}
