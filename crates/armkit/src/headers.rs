//! Headers by which a client finds its request again, what it may still ask, and what it may keep.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use domain::access::Caller;
use http::header::{CACHE_CONTROL, EXPIRES, PRAGMA};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use httpkit::{Asking, LimitKey, Limiter, Refusal, RequestId};
use std::sync::Arc;

const CORRELATION: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");
const ROUTING: HeaderName = HeaderName::from_static("x-ms-routing-request-id");
const CLIENT_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const RETURN_CLIENT_ID: HeaderName = HeaderName::from_static("x-ms-return-client-request-id");
const REMAINING_READS: HeaderName =
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-reads");
const REMAINING_WRITES: HeaderName =
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-writes");
const REMAINING_TENANT_READS: HeaderName =
    HeaderName::from_static("x-ms-ratelimit-remaining-tenant-reads");
const REMAINING_TENANT_WRITES: HeaderName =
    HeaderName::from_static("x-ms-ratelimit-remaining-tenant-writes");
/// Longest id that is given back.
const ID_MOST_BYTES: usize = 128;
/// The region that all requests are routed to.
const REGION: &str = "LOCAL";

/// Tells the real time, as RFC 3339 in UTC.
pub type Now = Arc<dyn Fn() -> String + Send + Sync>;

/// Puts the correlation id on every answer (the client's own, else the request id), where and when
/// the request was taken, and the client's request id where the client asks for it. The request id
/// itself is the edge's.
///
/// Source: `microsoft-billing.md` section 3.6.
pub fn correlate<S: Clone + Send + Sync + 'static>(router: Router<S>, now: Now) -> Router<S> {
    router.layer(from_fn_with_state(now, answer))
}

/// The header that says how many reads are left.
pub fn remaining_reads(left: u32) -> (HeaderName, HeaderValue) {
    (REMAINING_READS, HeaderValue::from(left))
}

/// Whether a caller may know of a subscription, by its name as it stands in an address.
pub type Knows = Arc<dyn Fn(&Caller, &str) -> bool + Send + Sync>;

/// Finds out who asks, counts each caller's reads and writes, says on the answer how many are left,
/// and refuses beyond with 429 and `Retry-After`: of the subscription whose address it is, else of
/// the tenant. Subscriptions that a caller may not know of count together, whether they are there
/// or not: names that somebody makes up take no room. What is not served at all is not counted.
///
/// Source: `microsoft-billing.md` section 3.6.
pub fn counted<S>(router: Router<S>, limiter: Arc<Limiter>, knows: Knows) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router.layer(from_fn_with_state(Counting { limiter, knows }, count))
}

#[derive(Clone)]
struct Counting {
    limiter: Arc<Limiter>,
    knows: Knows,
}

async fn count(
    State(Counting { limiter, knows }): State<Counting>,
    Asking(caller): Asking,
    request: Request,
    next: Next,
) -> Response {
    let known = |subscription: &str| knows(&caller, subscription);
    let (name, scope) = counter(request.method(), request.uri().path(), known);
    match limiter.check(&LimitKey { principal: caller.actor(), scope }) {
        Ok(left) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(name, HeaderValue::from(left));
            response
        }
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// What counts a request: the header that tells it, and the scope of the limit.
fn counter(method: &Method, path: &str, known: impl Fn(&str) -> bool) -> (HeaderName, String) {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let mut segments = path.split('/').skip(1);
    let first = segments.next().unwrap_or_default();
    let subscription = segments.next().filter(|_| first.eq_ignore_ascii_case("subscriptions"));
    let name = match (subscription.is_some(), reads) {
        (true, true) => REMAINING_READS,
        (true, false) => REMAINING_WRITES,
        (false, true) => REMAINING_TENANT_READS,
        (false, false) => REMAINING_TENANT_WRITES,
    };
    let scope = match subscription {
        Some(name) if known(name) => name.to_lowercase(),
        // No segment of a path is a question mark.
        Some(_) => "?".to_owned(),
        None => String::new(),
    };
    let kind = if reads { "reads" } else { "writes" };
    (name, format!("{kind} {scope}"))
}

/// Says on every answer that nobody may keep it.
pub fn uncached<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(map_response(forbid_keeping))
}

async fn forbid_keeping(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("-1"));
    response
}

async fn answer(State(now): State<Now>, request: Request, next: Next) -> Response {
    let own = request.extensions().get::<RequestId>().map(ToString::to_string);
    let routing = own.as_ref().map(|id| format!("{REGION}:{}:{id}", compact(&now())));
    let readable = |text: Option<String>| text.and_then(|text| HeaderValue::from_str(&text).ok());
    let mut ids = ids(request.headers(), readable(own));
    ids.extend(readable(routing).map(|routing| (ROUTING, routing)));
    let mut response = next.run(request).await;
    for (name, value) in ids {
        response.headers_mut().insert(name, value);
    }
    response
}

fn ids(headers: &HeaderMap, own: Option<HeaderValue>) -> Vec<(HeaderName, HeaderValue)> {
    let correlation = given_id(headers, &CORRELATION).or(own).map(|id| (CORRELATION, id));
    let wanted = headers.get(RETURN_CLIENT_ID);
    let wanted = wanted.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    let client = given_id(headers, &CLIENT_ID).filter(|_| wanted).map(|id| (CLIENT_ID, id));
    correlation.into_iter().chain(client).collect()
}

/// `20260302T040506Z` of RFC 3339 in UTC, without its fraction.
fn compact(moment: &str) -> String {
    let whole = moment.split(['.', 'Z']).next().unwrap_or_default();
    let digits = whole.chars().filter(|one| !matches!(one, '-' | ':'));
    digits.chain(['Z']).collect()
}

/// An id as the client sent it, if it is short and readable.
fn given_id(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let value = headers.get(name)?;
    let readable = value.to_str().is_ok_and(|text| {
        !text.is_empty()
            && text.len() <= ID_MOST_BYTES
            && text.bytes().all(|b| b.is_ascii_graphic())
    });
    readable.then(|| value.clone())
}
