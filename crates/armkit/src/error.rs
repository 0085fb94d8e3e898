//! The error body `{"error":{"code","message"}}`, with `target` and `details` where there are any,
//! and the one match that chooses it.

use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use httpkit::{Fault, Refusal};
use serde::Serialize;

/// An error as ARM spells it.
///
/// Source: `commerce.md` section 1: the flat body of the description is wrapped in practice.
#[derive(Debug, Clone)]
pub struct ArmError {
    status: StatusCode,
    code: &'static str,
    message: String,
    about: Option<Box<About>>,
    refusal: Option<Refusal>,
}

/// What an error is about; few have it.
#[derive(Debug, Clone, Default, Serialize)]
struct About {
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<ErrorDetail>,
}

/// A part of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorDetail {
    /// Its code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The member that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl ArmError {
    /// An error that is ARM's own and none of the domain's.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError { status, code, message: message.into(), about: None, refusal: None }
    }

    /// The same, saying what it is about: a member of the body, a parameter.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<String>) -> ArmError {
        self.about.get_or_insert_default().target = Some(target.into());
        self
    }

    /// The same with its parts.
    #[must_use]
    pub fn with_details(mut self, details: Vec<ErrorDetail>) -> ArmError {
        self.about.get_or_insert_default().details = details;
        self
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
            Refusal::NotAsNamed { .. } | Refusal::AsNamed { .. } => {
                (StatusCode::PRECONDITION_FAILED, "PreconditionFailed")
            }
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
        let (message, about) = (refusal.to_string(), about(&refusal));
        ArmError { status, code, message, about, refusal: Some(refusal) }
    }
}

/// The members that are wrong, where they were all looked at: the first is the target.
fn about(refusal: &Refusal) -> Option<Box<About>> {
    let Refusal::Faults(faults) = refusal else { return None };
    let detail = |fault: &Fault| ErrorDetail {
        code: "BadRequest",
        message: fault.to_string(),
        target: Some(fault.field.clone()),
    };
    let target = faults.first().map(|first| first.field.clone());
    Some(Box::new(About { target, details: faults.iter().map(detail).collect() }))
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

#[derive(Serialize)]
struct Body {
    error: Told,
}

#[derive(Serialize)]
struct Told {
    code: &'static str,
    message: String,
    #[serde(flatten)]
    about: Option<Box<About>>,
}

impl IntoResponse for ArmError {
    fn into_response(self) -> Response {
        let ArmError { status, code, message, about, refusal } = self;
        let error = Told { code, message, about };
        // Texts alone cannot fail to be written.
        let body = serde_json::to_string(&Body { error }).unwrap_or_default();
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
