//! The shape of refusals: `{"error":{"code","message"}}`, and when to come back.
//!
//! Source: `enterprise-reporting.md` sections 1.2 and 1.4. Of the body only `error` is published;
//! what stands in it is ours.

use armkit::ArmError;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use httpkit::Refusal;

/// Seconds until a key may read again, on 429.
const RATE_LIMITED: HeaderName =
    HeaderName::from_static("x-ms-ratelimit-microsoft.consumption-retry-after");

/// What every key that does not open an enrollment is told, whatever is wrong with it.
const UNAUTHORIZED: &str =
    "the API key is missing, or does not open this enrollment: have a new one made if it has ended";

/// The shape of this surface's refusals, for its frame.
pub(crate) fn render(refusal: &Refusal) -> Response {
    let mut response = match refusal {
        Refusal::Fault(error) if error.kind() == Kind::Unauthenticated => {
            ArmError::new(StatusCode::UNAUTHORIZED, "Unauthorized", UNAUTHORIZED).into_response()
        }
        // What keeps an open period from being told passes; the contract has no other word for it.
        Refusal::Fault(error) if error.kind() == Kind::Conflict => {
            armkit::render(&Refusal::from(Error::Unavailable { problem: error.to_string() }))
        }
        _ => armkit::render(refusal),
    };
    if response.status() == StatusCode::TOO_MANY_REQUESTS
        && let Some(seconds) = httpkit::retry_after_s(refusal)
    {
        response.headers_mut().insert(RATE_LIMITED, HeaderValue::from(seconds));
    }
    response
}
