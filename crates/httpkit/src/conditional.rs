//! Entity tags: an answer to a GET has one, and a change may name the one that it was decided by.
//!
//! A tag is strong: the digest of the answer's bytes, which are canonical. Members stand in one
//! order and numbers in one spelling. Where an answer shows of a thing what was asked for, the
//! digest of all of it stands in front, and changes are held to that: `"{whole}-{shown}"`.

use crate::body::as_sent;
use crate::caller::{Asking, Authenticate};
use crate::frame::Patience;
use crate::{BaseUrl, Peer, Refusal, RequestId};
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use domain::{Error, Kind};
use futures::future::BoxFuture;
use futures::poll;
use http::header::{AUTHORIZATION, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tower::ServiceExt;

/// How long a thing is looked at anew because others were faster.
const ANEW_MOST: Duration = Duration::from_secs(5);

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

/// An answer to a GET that shows of a thing what was asked for. Changes of it are held to all of
/// it, whatever was shown.
#[derive(Debug)]
pub struct Excerpt<T> {
    /// What was asked for.
    pub shown: T,
    /// All that the thing says, without what has an address of its own.
    pub whole: T,
}

impl<T: Serialize> IntoResponse for Excerpt<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.whole) {
            Ok(whole) => (Extension(Whole(digest(&whole))), Json(self.shown)).into_response(),
            Err(error) => Refusal::from(Error::internal("write an answer", error)).into_response(),
        }
    }
}

/// The digest of all that a thing says.
#[derive(Clone)]
struct Whole(String);

/// What a change demands of the thing that it would change.
struct Demanded {
    /// `If-Match`: it has one of these tags.
    one_of: Option<String>,
    /// `If-None-Match`: it has none of these.
    none_of: Option<String>,
}

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

/// As [`conditional`], where a PUT, PATCH or DELETE is about what a GET of the same address shows,
/// or tells in its [`Excerpt`]; options like `$expand` make no difference. `If-None-Match` holds
/// them too: `*` where nothing may be there. Other verbs are held to nothing.
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
    let Some(demanded) = things.demanded(&request) else { return next.run(request).await };
    // Before anything is held: a client may be slow.
    match Sent::read(request).await {
        Ok(sent) => things.change(&sent, &demanded, next).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl Things {
    /// What a change is held to; none if to nothing.
    fn demanded(&self, change: &Request) -> Option<Demanded> {
        let one_of = joined(change.headers(), IF_MATCH);
        let none_of = match self.place {
            Place::Above(_) => None,
            Place::Here(_) => match *change.method() {
                Method::PUT | Method::PATCH | Method::DELETE => {
                    joined(change.headers(), IF_NONE_MATCH)
                }
                _ => return None,
            },
        };
        (one_of.is_some() || none_of.is_some()).then_some(Demanded { one_of, none_of })
    }

    async fn change(&self, sent: &Sent, demanded: &Demanded, next: Next) -> Response {
        let get = || match self.place {
            Place::Above(_) => sent.question(&sent.above()?),
            Place::Here(_) => sent.question(&sent.here()),
        };
        let newest = match &self.place {
            Place::Above(changing) => {
                let _one_at_a_time = changing.lock().await;
                return match self.refused(get(), demanded).await {
                    Some(refused) => refused,
                    None => next.run(sent.request()).await,
                };
            }
            Place::Here(newest) => newest,
        };
        let mut long_enough = pin!(tokio::time::sleep(ANEW_MOST));
        loop {
            let seen = match newest().await {
                Ok(seen) => LookedAt(seen),
                Err(error) => return Refusal::from(error).into_response(),
            };
            if let Some(refused) = self.refused(get(), demanded).await {
                return refused;
            }
            let mut request = sent.request();
            request.extensions_mut().insert(seen);
            let response = next.clone().run(request).await;
            if !is_overtaken(&response) || poll!(long_enough.as_mut()).is_ready() {
                return response;
            }
        }
    }

    /// Why a thing may not be changed; none if it is as demanded.
    async fn refused(&self, get: Option<Request>, demanded: &Demanded) -> Option<Response> {
        let Some(get) = get else {
            return Some(Refusal::NotAsNamed { tag: None }.into_response());
        };
        match self.look(get).await {
            (Some(tag), _) => demanded.refused(&tag).map(Refusal::into_response),
            (None, answer) if demanded.one_of.is_none() && is_missing(&answer) => None,
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

impl Demanded {
    /// Why a thing with a tag is not as demanded.
    fn refused(&self, tag: &str) -> Option<Refusal> {
        let is_wanted = |list: &str| lists(list, |one| of_whole(one) == of_whole(tag));
        let is_unwanted = |list: &str| lists(list, |one| of_whole(unmarked(one)) == of_whole(tag));
        if !self.one_of.as_deref().is_none_or(is_wanted) {
            return Some(Refusal::NotAsNamed { tag: Some(tag.to_owned()) });
        }
        let is_refused = self.none_of.as_deref().is_some_and(is_unwanted);
        is_refused.then(|| Refusal::AsNamed { tag: tag.to_owned() })
    }
}

fn is_overtaken(response: &Response) -> bool {
    fault_of(response).is_some_and(|error| matches!(error, Error::Overtaken))
}

fn is_missing(response: &Response) -> bool {
    fault_of(response).is_some_and(|error| error.kind() == Kind::NotFound)
}

/// What was refused, whether the refusal has its shape already or not.
fn fault_of(response: &Response) -> Option<&Error> {
    let shaped = || response.extensions().get::<Refusal>();
    match Refusal::of(response).or_else(shaped) {
        Some(Refusal::Fault(error)) => Some(error),
        _ => None,
    }
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
    let shown = digest(&bytes);
    let tag = match parts.extensions.remove::<Whole>() {
        Some(Whole(whole)) => format!("\"{whole}-{shown}\""),
        None => format!("\"{shown}\""),
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, value);
    }
    (Some(tag), Response::from_parts(parts, Body::from(bytes)))
}

/// 128 bits, in hexadecimal digits.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Nothing, where the asker has just this already.
fn as_known(tag: Option<String>, asked: Option<String>, response: Response) -> Response {
    match (tag, asked) {
        (Some(tag), Some(asked)) if lists(&asked, |one| unmarked(one) == tag) => {
            (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response()
        }
        _ => response,
    }
}

/// Whether a list of tags has the one that is meant; `*` stands for any.
fn lists(list: &str, is_meant: impl Fn(&str) -> bool) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || is_meant(one))
}

/// A tag without its mark of being weak, which only `If-None-Match` overlooks.
///
/// Source: RFC 9110, section 8.8.3.2.
fn unmarked(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// What of a tag is about all of the thing.
fn of_whole(tag: &str) -> &str {
    tag.split_once('-').map_or(tag, |(whole, _)| whole)
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
