//! The frame around a surface: its limits, and the shape of its refusals.

use crate::edge::no_edge;
use crate::refusal::rendered;
use crate::{Refusal, Render};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use domain::Error;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use http_body_util::Limited;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

/// How many requests are worked on at once; clones share one count.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// Lets in `most` at once and refuses the others at the door.
    pub fn new(most: usize) -> Gate {
        Gate(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }
}

/// The sizes of what is read of a request.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Largest body.
    pub body_most_bytes: usize,
    /// Longest path and query, together.
    pub url_most_bytes: usize,
    /// Largest headers, names and values together.
    pub headers_most_bytes: usize,
}

/// Headers of a request; HTTP/1 itself is read up to 100.
const HEADERS_MOST: usize = 64;

/// What holds for every operation of a surface.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The shape of its refusals.
    pub render: Render,
    /// Longest time until an answer begins; its handler is then dropped where it waits.
    pub timeout: Duration,
    /// The same for a handler that takes [`Unhurried`].
    pub long_timeout: Duration,
    /// What of a request is read.
    pub sizes: Sizes,
    /// The door, usually shared by all surfaces.
    pub gate: Gate,
}

impl Frame {
    /// Puts the frame around the routes; a wrong verb, a panic, a late answer, a body too large
    /// and a full house are then refused in the surface's shape.
    pub fn around<S: Clone + Send + Sync + 'static>(self, router: Router<S>) -> Router<S> {
        let Frame { render, timeout, long_timeout, sizes, gate } = self;
        router
            .method_not_allowed_fallback(wrong_method)
            .layer(DefaultBodyLimit::disable())
            .layer(from_fn_with_state(sizes.body_most_bytes, limit_body))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state((timeout, long_timeout), hurry))
            .layer(from_fn_with_state(gate, enter))
            .layer(from_fn_with_state(sizes, limit_head))
            .layer(from_fn(move |request: Request, next: Next| async move {
                rendered(next.run(request).await, render)
            }))
    }
}

async fn wrong_method(method: Method) -> Refusal {
    Refusal::WrongMethod { verb: method.to_string() }
}

async fn enter(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Ok(_place) = gate.0.try_acquire() else {
        let problem = "the service is busy; try again in a moment".to_owned();
        return Refusal::from(Error::Unavailable { problem }).into_response();
    };
    next.run(request).await
}

async fn hurry(
    State((timeout, long_timeout)): State<(Duration, Duration)>,
    mut request: Request,
    next: Next,
) -> Response {
    let patience = Patience::default();
    request.extensions_mut().insert(patience.clone());
    let mut answer = std::pin::pin!(next.run(request));
    if let Ok(response) = tokio::time::timeout(timeout, &mut answer).await {
        return response;
    }
    let mut waited = timeout;
    if patience.0.load(Ordering::Relaxed) {
        let more = long_timeout.saturating_sub(timeout);
        if let Ok(response) = tokio::time::timeout(more, &mut answer).await {
            return response;
        }
        waited = long_timeout;
    }
    let problem = format!("no answer within {} s; ask for less", waited.as_secs());
    Refusal::from(Error::Unavailable { problem }).into_response()
}

/// Whether the handler of a request may take long.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience(Arc<AtomicBool>);

/// An argument of handlers that read everything there is: their answer may begin late, within
/// [`Frame::long_timeout`]. It stands behind the arguments that refuse.
#[derive(Debug)]
pub struct Unhurried;

impl<S: Sync> FromRequestParts<S> for Unhurried {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Unhurried, Refusal> {
        let Patience(is_granted) = parts.extensions.get::<Patience>().ok_or_else(no_edge)?;
        is_granted.store(true, Ordering::Relaxed);
        Ok(Unhurried)
    }
}

/// Refuses what stands before the body.
async fn limit_head(State(sizes): State<Sizes>, request: Request, next: Next) -> Response {
    let Sizes { url_most_bytes, headers_most_bytes, body_most_bytes: _ } = sizes;
    let uri = request.uri();
    let query_bytes = uri.query().map_or(0, |query| query.len().saturating_add(1));
    if uri.path().len().saturating_add(query_bytes) > url_most_bytes {
        return Refusal::UrlTooLong { most_bytes: url_most_bytes }.into_response();
    }
    let headers = request.headers();
    let size_of = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if headers.len() > HEADERS_MOST
        || headers.iter().map(size_of).sum::<usize>() > headers_most_bytes
    {
        let (most_bytes, most) = (headers_most_bytes, HEADERS_MOST);
        return Refusal::HeadersTooLarge { most_bytes, most }.into_response();
    }
    next.run(request).await
}

/// Refuses by the announced length at once, and by what really comes while it is read.
async fn limit_body(State(most_bytes): State<usize>, mut request: Request, next: Next) -> Response {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if announced > u64::try_from(most_bytes).unwrap_or(u64::MAX) {
        return Refusal::BodyTooLarge { most_bytes }.into_response();
    }
    request.extensions_mut().insert(BodyLimit(most_bytes));
    next.run(request.map(|body| Body::new(Limited::new(body, most_bytes)))).await
}

/// The limit in force, for whoever reads the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub usize);

fn panicked(what: Box<dyn Any + Send>) -> Response {
    let text = what
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| what.downcast_ref::<&str>().copied())
        .unwrap_or("panic without text");
    Refusal::from(Error::internal("answering", text)).into_response()
}
