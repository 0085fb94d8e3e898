//! The error body `{"error":{"code","message"}}`, and the one match that chooses it.

use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use httpkit::Refusal;
use serde_json::json;

/// An error as ARM spells it.
///
/// Source: `commerce.md` section 1: the flat body of the description is wrapped in practice.
#[derive(Debug, Clone)]
pub struct ArmError {
    status: StatusCode,
    code: &'static str,
    message: String,
    refusal: Option<Refusal>,
}

impl ArmError {
    /// An error that is ARM's own and none of the domain's.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError { status, code, message: message.into(), refusal: None }
    }

    /// The status it answers with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code in its body.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl From<Error> for ArmError {
    fn from(error: Error) -> ArmError {
        ArmError::from(Refusal::from(error))
    }
}

impl From<Refusal> for ArmError {
    fn from(refusal: Refusal) -> ArmError {
        let (status, code) = match &refusal {
            Refusal::Fault(error) => spelled(error),
            Refusal::Faults(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
            Refusal::NotAsNamed { .. } => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
            Refusal::NoRoute { .. } => (StatusCode::NOT_FOUND, "NotFound"),
            Refusal::WrongMethod { .. } => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Refusal::UnknownPacking { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType")
            }
            Refusal::BodyTooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge")
            }
            Refusal::UrlTooLong { .. } => (StatusCode::URI_TOO_LONG, "RequestUriTooLong"),
            Refusal::HeadersTooLarge { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "RequestHeadersTooLarge")
            }
        };
        ArmError { status, code, message: refusal.to_string(), refusal: Some(refusal) }
    }
}

fn spelled(error: &Error) -> (StatusCode, &'static str) {
    match error.kind() {
        Kind::NotFound => match error {
            Error::NotFound { what: "subscription", .. } => {
                (StatusCode::NOT_FOUND, "SubscriptionNotFound")
            }
            _ => (StatusCode::NOT_FOUND, "NotFound"),
        },
        Kind::Invalid => (StatusCode::BAD_REQUEST, "BadRequest"),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "AuthenticationFailed"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "AuthorizationFailed"),
        Kind::Conflict => (StatusCode::CONFLICT, "Conflict"),
        Kind::TooMuch => (StatusCode::BAD_REQUEST, "LimitExceeded"),
        Kind::NotReady => (StatusCode::ACCEPTED, "ProcessingNotCompleted"),
        Kind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
    }
}

/// The shape of an ARM surface's refusals, for its [`httpkit::Frame`].
pub fn render(refusal: &Refusal) -> Response {
    ArmError::from(refusal.clone()).into_response()
}

impl IntoResponse for ArmError {
    fn into_response(self) -> Response {
        let ArmError { status, code, message, refusal } = self;
        let body = json!({ "error": { "code": code, "message": message } }).to_string();
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let mut response = (status, [(CONTENT_TYPE, json)], body).into_response();
        if let Some(seconds) = refusal.as_ref().and_then(httpkit::retry_after_s) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        }
        if let Some(refusal) = refusal {
            // The edge logs what it finds here.
            response.extensions_mut().insert(refusal);
        }
        response
    }
}
