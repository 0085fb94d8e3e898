//! Entity tags: an answer to a GET has one, and a change may name the one that it was decided by.
//!
//! A tag is strong: the digest of the answer's bytes, which are canonical. Members stand in one
//! order and numbers in one spelling.

use crate::caller::{Asking, Authenticate};
use crate::frame::Patience;
use crate::{BaseUrl, Peer, Refusal, RequestId};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use domain::Error;
use http::header::{AUTHORIZATION, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::Mutex;
use tower::ServiceExt;

/// What a change needs to look at the thing that it would change.
#[derive(Clone)]
struct Things {
    routes: Router,
    place: Place,
    /// Held from the look at a thing to the end of its change.
    changing: Arc<Mutex<()>>,
}

/// Where the thing stands that a change is about.
#[derive(Clone, Copy)]
enum Place {
    /// Above the last part of the address: `/things/1/close`.
    Above,
    /// At the address itself, with its query: PUT, PATCH or DELETE of `/things/1`.
    Here,
}

/// Gives each answer to a GET its tag, answers `If-None-Match`, and holds changes to `If-Match`:
/// the tag of what stands above the last part of the address.
///
/// What has `If-Match` is done one after the other, so that of two changes that name the same tag
/// the second is refused.
pub fn conditional<S: Clone + Send + Sync + 'static>(routes: Router<S>, state: S) -> Router<S> {
    around(routes, state, Place::Above)
}

/// As [`conditional`], where a PUT, PATCH or DELETE is about what a GET of the same address shows.
pub fn conditional_here<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    state: S,
) -> Router<S> {
    around(routes, state, Place::Here)
}

fn around<S>(routes: Router<S>, state: S, place: Place) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let shown = routes.clone().with_state(state);
    let things = Things { routes: shown, place, changing: Arc::default() };
    routes.layer(from_fn_with_state(things, check))
}

async fn check(State(things): State<Things>, request: Request, next: Next) -> Response {
    if *request.method() == Method::GET {
        let asked = joined(request.headers(), IF_NONE_MATCH);
        let (tag, response) = tagged(next.run(request).await).await;
        return as_known(tag, asked, response);
    }
    let Some(wanted) = joined(request.headers(), IF_MATCH) else { return next.run(request).await };
    let Some(get) = question(&request, things.place) else {
        return Refusal::NotAsNamed { tag: None }.into_response();
    };
    let _one_at_a_time = things.changing.lock().await;
    match things.look(get).await {
        (Some(tag), _) if lists(&wanted, &tag, Strength::Strong) => next.run(request).await,
        (Some(tag), _) => Refusal::NotAsNamed { tag: Some(tag) }.into_response(),
        (None, refused) => refused,
    }
}

impl Things {
    /// The tag of a thing as its caller sees it; without one the answer is a refusal.
    async fn look(&self, get: Request) -> (Option<String>, Response) {
        match self.routes.clone().oneshot(get).await {
            Ok(answer) => tagged(answer).await,
            Err(never) => match never {},
        }
    }
}

/// The question for the thing that a request would change, by the same caller; none where it is
/// about no one thing.
fn question(request: &Request, place: Place) -> Option<Request> {
    let mut get = Request::new(Body::empty());
    *get.uri_mut() = match place {
        Place::Above => {
            let template = request.extensions().get::<MatchedPath>()?;
            resource_of(template.as_str())?;
            parent(request.uri().path())?.parse::<Uri>().ok()?
        }
        Place::Here => match *request.method() {
            Method::PUT | Method::PATCH | Method::DELETE => request.uri().clone(),
            _ => return None,
        },
    };
    for credential in request.headers().get_all(AUTHORIZATION) {
        get.headers_mut().append(AUTHORIZATION, credential.clone());
    }
    // What the edge and the frame found out about the request, without what the routing did.
    carry::<Authenticate>(request, &mut get);
    carry::<RequestId>(request, &mut get);
    carry::<Option<Peer>>(request, &mut get);
    carry::<Patience>(request, &mut get);
    carry::<Option<BaseUrl>>(request, &mut get);
    carry::<Asking>(request, &mut get);
    Some(get)
}

fn carry<T: Clone + Send + Sync + 'static>(from: &Request, to: &mut Request) {
    if let Some(found) = from.extensions().get::<T>() {
        to.extensions_mut().insert(found.clone());
    }
}

/// The address of the one thing that a path is about: what stands before its last part, if that is
/// one thing's.
pub(crate) fn resource_of(template: &str) -> Option<&str> {
    parent(template).filter(|parent| parent.ends_with('}'))
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}

/// An answer of 200 with its tag in its header; another stays as it is.
async fn tagged(response: Response) -> (Option<String>, Response) {
    if response.status() != StatusCode::OK {
        return (None, response);
    }
    let (mut parts, body) = response.into_parts();
    let bytes = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let failed = Refusal::from(Error::internal("write an answer", error));
            return (None, failed.into_response());
        }
    };
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{}\"", digest.get(..32).unwrap_or(&digest));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, value);
    }
    (Some(tag), Response::from_parts(parts, Body::from(bytes)))
}

/// Nothing, where the asker has just this already.
fn as_known(tag: Option<String>, asked: Option<String>, response: Response) -> Response {
    match (tag, asked) {
        (Some(tag), Some(asked)) if lists(&asked, &tag, Strength::Weak) => {
            (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response()
        }
        _ => response,
    }
}

/// How tags are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}

/// Whether a list of tags has one; `*` stands for any.
///
/// Source: RFC 9110, section 8.8.3.2.
fn lists(list: &str, tag: &str, strength: Strength) -> bool {
    list.split(',').map(str::trim).any(|one| {
        let is_weak = one.strip_prefix("W/").is_some_and(|one| one == tag);
        one == "*" || one == tag || (is_weak && strength == Strength::Weak)
    })
}

/// All values of a header as one list.
fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}
