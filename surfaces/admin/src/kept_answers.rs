//! `Idempotency-Key`: a change that is sent again is answered as before, and not done again.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use httpkit::{Asking, Described, Effect, NotKept, Refusal, RequestId, WholeBody};
use service::{Begun, Reckoner, Repeatable, Turn};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;

/// The caller's key for a change.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How often it is looked whether the same request, sent before, is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What needs no second time: the paths of all changes, and who keeps the answers.
#[derive(Clone)]
struct Changes {
    reckoner: Reckoner,
    paths: Arc<BTreeSet<String>>,
}

/// Takes the keys of all operations that change something.
pub(crate) fn repeatable<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    reckoner: &Reckoner,
    described: &[Described],
) -> Router<S> {
    let changes = described.iter().filter(|one| one.effect == Effect::Changes);
    let paths = changes.map(|one| one.operation.path.clone()).collect();
    let changes = Changes { reckoner: reckoner.clone(), paths: Arc::new(paths) };
    routes.layer(from_fn_with_state(changes, answer))
}

async fn answer(State(changes): State<Changes>, request: Request, next: Next) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_change = template.is_some_and(|template| changes.paths.contains(template));
    if !is_change || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    once(changes.reckoner, request, next).await.unwrap_or_else(Refusal::into_response)
}

async fn once(reckoner: Reckoner, request: Request, next: Next) -> Result<Response, Refusal> {
    let (mut parts, body) = request.into_parts();
    let Asking(caller) = Asking::from_request_parts(&mut parts, &()).await?;
    let request_id = RequestId::from_request_parts(&mut parts, &()).await?.to_string();
    let whole = Request::from_parts(parts.clone(), body);
    let WholeBody(body) = WholeBody::from_request(whole, &()).await?;
    parts.headers.remove(CONTENT_ENCODING);
    parts.headers.remove(CONTENT_LENGTH);
    let mut keys = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = match (keys.next().and_then(|key| key.to_str().ok()), keys.next()) {
        (Some(key), None) => key.to_owned(),
        _ => return Err(Error::invalid("Idempotency-Key", "must be one readable text").into()),
    };
    let operation = format!("{} {}", parts.method, parts.uri);
    let asked = Repeatable { key: &key, operation: &operation, body: &body };
    let turn = loop {
        match reckoner.begin_repeatable(&caller, asked, &request_id).await? {
            Begun::First(turn) => break turn,
            Begun::Answered(answer) => return replayed(&answer),
            Begun::Running => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    let request = Request::from_parts(parts, Body::from(body));
    // On a task of its own: whoever asked may go away, and asks again for what came of it.
    let done = tokio::spawn(run(reckoner, turn, request, next).in_current_span()).await;
    done.map_err(|error| Error::internal("do what a request asks", error))?
}

/// Does it, and keeps what came of it.
async fn run(
    reckoner: Reckoner,
    turn: Turn,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let response = next.run(request).await;
    if let Some(refusal) = Refusal::of(&response) {
        if did_nothing(refusal) {
            reckoner.forget_request(turn).await?;
        }
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await;
    let body = body.map_err(|error| Error::internal("write an answer", error))?;
    let is_kept = parts.extensions.get::<NotKept>().is_none();
    let answer = is_kept.then(|| [&parts.status.as_u16().to_be_bytes()[..], &body].concat());
    reckoner.keep_answer(turn, answer).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Whether what was refused has changed nothing, so that it may be sent again under its key.
fn did_nothing(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Fault(error) => error.kind() != Kind::Internal,
        _ => true,
    }
}

/// An answer as it was kept: two bytes of status, then the body.
fn replayed(kept: &[u8]) -> Result<Response, Refusal> {
    let read = kept.split_first_chunk::<2>().and_then(|(status, body)| {
        let status = StatusCode::from_u16(u16::from_be_bytes(*status)).ok()?;
        Some((status, body.to_vec()))
    });
    let (status, body) =
        read.ok_or_else(|| Error::internal("read a kept answer", "it is damaged"))?;
    let has_body = !body.is_empty();
    let mut response = (status, body).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    if has_body {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
