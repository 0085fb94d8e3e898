//! Bodies are JSON: one that says to be something else is not read.

use crate::ArmError;
use axum::Router;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

/// Refuses each body that says to be something else than JSON with 415 `UnsupportedMediaType`; one
/// that does not say what it is, is read as JSON.
pub fn json_bodies<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.layer(from_fn(check))
}

async fn check(request: Request, next: Next) -> Response {
    let given = request.headers().get(CONTENT_TYPE);
    let given = given.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    match given.filter(|given| !is_json(given)) {
        Some(given) if !request.body().is_end_stream() => {
            let message = format!("Content-Type `{given}` is not taken; send application/json");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            ArmError::new(status, "UnsupportedMediaType", message).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Source: RFC 6839, section 3.1: names that end so are JSON of some kind.
fn is_json(content_type: &str) -> bool {
    let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    name == "application/json" || name == "text/json" || name.ends_with("+json")
}
