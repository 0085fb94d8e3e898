//! Headers by which a client finds its request again.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use httpkit::RequestId;

const CORRELATION: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");
const CLIENT_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const RETURN_CLIENT_ID: HeaderName = HeaderName::from_static("x-ms-return-client-request-id");
const REMAINING_READS: HeaderName =
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-reads");
/// Longest id that is given back.
const ID_MOST_BYTES: usize = 128;

/// Puts the correlation id on every answer (the client's own, else the request id), and the
/// client's request id where the client asks for it. The request id itself is the edge's.
pub fn correlate<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(from_fn(answer))
}

/// The header that says how many reads are left.
pub fn remaining_reads(left: u32) -> (HeaderName, HeaderValue) {
    (REMAINING_READS, HeaderValue::from(left))
}

async fn answer(request: Request, next: Next) -> Response {
    let own = request.extensions().get::<RequestId>().map(ToString::to_string);
    let ids = ids(request.headers(), own.and_then(|id| HeaderValue::from_str(&id).ok()));
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
