//! Entity tags: an answer to a GET has one, and a change may name the one that it was decided by.
//!
//! A tag is strong: the digest of the answer's bytes, which are canonical. Members stand in one
//! order and numbers in one spelling.

use crate::body::as_sent;
use crate::caller::{Asking, Authenticate};
use crate::frame::Patience;
use crate::{BaseUrl, Peer, Refusal, RequestId};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::Error;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::Mutex;
use tower::ServiceExt;

/// How often a thing is looked at anew because others were faster.
const LOOKS_MOST: u32 = 8;

/// What a change needs to look at the thing that it would change.
#[derive(Clone)]
struct Things {
    routes: Router,
    place: Place,
}

/// Where the thing stands that a change is about, and what keeps it as it was looked at.
#[derive(Clone)]
enum Place {
    /// Above the last part of the address: `/things/1/close`. Held from the look at a thing to the
    /// end of its change.
    Above(Arc<Mutex<()>>),
    /// At the address itself: PUT, PATCH or DELETE of `/things/1`. Tells the newest version of what
    /// such changes change.
    Here(Arc<Newest>),
}

type Newest = dyn Fn() -> BoxFuture<'static, Result<u64, Error>> + Send + Sync;

/// The version by which a thing is as the change of it names it. A handler changes it at that
/// version or refuses with [`Error::Overtaken`]; then it is looked at anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedAt(pub u64);

/// A request whose body was read.
struct Sent {
    head: Parts,
    body: Bytes,
}

/// Gives each answer to a GET its tag, answers `If-None-Match`, and holds changes to `If-Match`:
/// the tag of what stands above the last part of the address.
///
/// What has `If-Match` is done one after the other, so that of two changes that name the same tag
/// the second is refused.
pub fn conditional<S: Clone + Send + Sync + 'static>(routes: Router<S>, state: S) -> Router<S> {
    around(routes, state, Place::Above(Arc::default()))
}

/// As [`conditional`], where a PUT, PATCH or DELETE is about what a GET of the same address shows
/// without options (`$expand`); other verbs are held to nothing.
///
/// `newest` tells the newest version of what they change. Handlers find in [`LookedAt`] the one by
/// which the tag was right, so that the change is held to it on all nodes; none waits for another.
pub fn conditional_here<S: Clone + Send + Sync + 'static>(
    routes: Router<S>,
    state: S,
    newest: impl Fn() -> BoxFuture<'static, Result<u64, Error>> + Send + Sync + 'static,
) -> Router<S> {
    around(routes, state, Place::Here(Arc::new(newest)))
}

fn around<S>(routes: Router<S>, state: S, place: Place) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let shown = routes.clone().with_state(state);
    routes.layer(from_fn_with_state(Things { routes: shown, place }, check))
}

async fn check(State(things): State<Things>, request: Request, next: Next) -> Response {
    if *request.method() == Method::GET {
        let asked = joined(request.headers(), IF_NONE_MATCH);
        let (tag, response) = tagged(next.run(request).await).await;
        return as_known(tag, asked, response);
    }
    let Some(wanted) = joined(request.headers(), IF_MATCH) else { return next.run(request).await };
    let is_change = matches!(*request.method(), Method::PUT | Method::PATCH | Method::DELETE);
    if matches!(things.place, Place::Here(_)) && !is_change {
        return next.run(request).await;
    }
    // Before anything is held: a client may be slow.
    match Sent::read(request).await {
        Ok(sent) => things.change(&sent, &wanted, next).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl Things {
    async fn change(&self, sent: &Sent, wanted: &str, next: Next) -> Response {
        let get = || match self.place {
            Place::Above(_) => sent.question(&sent.above()?),
            Place::Here(_) => sent.question(&sent.here()),
        };
        let newest = match &self.place {
            Place::Above(changing) => {
                let _one_at_a_time = changing.lock().await;
                return match self.refused(get(), wanted).await {
                    Some(refused) => refused,
                    None => next.run(sent.request()).await,
                };
            }
            Place::Here(newest) => newest,
        };
        for _ in 0..LOOKS_MOST {
            let seen = match newest().await {
                Ok(seen) => LookedAt(seen),
                Err(error) => return Refusal::from(error).into_response(),
            };
            if let Some(refused) = self.refused(get(), wanted).await {
                return refused;
            }
            let mut request = sent.request();
            request.extensions_mut().insert(seen);
            let response = next.clone().run(request).await;
            if !is_overtaken(&response) {
                return response;
            }
        }
        Refusal::from(Error::Overtaken).into_response()
    }

    /// Why a thing may not be changed; none if it has one of the tags that are wanted.
    async fn refused(&self, get: Option<Request>, wanted: &str) -> Option<Response> {
        let Some(get) = get else {
            return Some(Refusal::NotAsNamed { tag: None }.into_response());
        };
        match self.look(get).await {
            (Some(tag), _) if lists(wanted, &tag, Strength::Strong) => None,
            (Some(tag), _) => Some(Refusal::NotAsNamed { tag: Some(tag) }.into_response()),
            (None, refused) => Some(refused),
        }
    }

    /// The tag of a thing as its caller sees it; without one the answer is a refusal.
    async fn look(&self, get: Request) -> (Option<String>, Response) {
        match self.routes.clone().oneshot(get).await {
            Ok(answer) => tagged(answer).await,
            Err(never) => match never {},
        }
    }
}

fn is_overtaken(response: &Response) -> bool {
    let shaped = || response.extensions().get::<Refusal>();
    let refusal = Refusal::of(response).or_else(shaped);
    matches!(refusal, Some(Refusal::Fault(error)) if matches!(**error, Error::Overtaken))
}

impl Sent {
    async fn read(request: Request) -> Result<Sent, Refusal> {
        let (head, body) = request.into_parts();
        let body = as_sent(Request::from_parts(head.clone(), body)).await?;
        Ok(Sent { head, body })
    }

    /// The request as it came.
    fn request(&self) -> Request {
        Request::from_parts(self.head.clone(), Body::from(self.body.clone()))
    }

    /// The address of the one thing above the last part of this one; none where there is none.
    fn above(&self) -> Option<String> {
        resource_of(self.head.extensions.get::<MatchedPath>()?.as_str())?;
        parent(self.head.uri.path()).map(str::to_owned)
    }

    /// This address, without what is said of the form of an answer.
    fn here(&self) -> String {
        let path = self.head.uri.path();
        let is_option = |one: &&str| one.starts_with('$') || one.starts_with("%24");
        let query = self.head.uri.query().unwrap_or_default().split('&');
        let query: Vec<&str> = query.filter(|one| !is_option(one)).collect();
        format!("{path}?{}", query.join("&"))
    }

    /// The question for the thing at an address, by the same caller.
    fn question(&self, address: &str) -> Option<Request> {
        let mut get = Request::new(Body::empty());
        *get.uri_mut() = address.parse::<Uri>().ok()?;
        for credential in self.head.headers.get_all(AUTHORIZATION) {
            get.headers_mut().append(AUTHORIZATION, credential.clone());
        }
        // What the edge and the frame found out about the request, without what the routing did.
        carry::<Authenticate>(&self.head, &mut get);
        carry::<RequestId>(&self.head, &mut get);
        carry::<Option<Peer>>(&self.head, &mut get);
        carry::<Patience>(&self.head, &mut get);
        carry::<Option<BaseUrl>>(&self.head, &mut get);
        carry::<Asking>(&self.head, &mut get);
        Some(get)
    }
}

fn carry<T: Clone + Send + Sync + 'static>(from: &Parts, to: &mut Request) {
    if let Some(found) = from.extensions.get::<T>() {
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
