//! What an answer says when it is not the one that was asked for.

use crate::faults::Fault;
use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// Seconds after which a busy service may be asked again.
const BUSY_S: u64 = 5;

/// Why there is no answer. It has no shape yet: the surface's [`Render`] gives it one.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// A use case or a check refused.
    Fault(Arc<Error>),
    /// Members of what was sent are wrong: all of them that were found.
    Faults(Vec<Fault>),
    /// The thing is not what `If-Match` names.
    NotAsNamed {
        /// The tag it has; none if it has no tag at all.
        tag: Option<String>,
    },
    /// The thing is what `If-None-Match` names.
    AsNamed {
        /// The tag it has.
        tag: String,
    },
    /// Nothing is served at this path.
    NoRoute {
        /// The path as asked for.
        path: String,
    },
    /// Something is served at this path, but not with this verb.
    WrongMethod {
        /// The verb as asked with.
        verb: String,
    },
    /// The body is packed in a way that nobody here unpacks.
    UnknownPacking {
        /// The way, as `Content-Encoding` names it.
        packing: String,
    },
    /// The body, unpacked, is larger than this surface reads.
    BodyTooLarge {
        /// The limit in force.
        most_bytes: usize,
    },
    /// Path and query together are longer than this surface reads.
    UrlTooLong {
        /// The limit in force.
        most_bytes: usize,
    },
    /// The headers are larger, or more, than this surface reads.
    HeadersTooLarge {
        /// The limit in force, of names and values together.
        most_bytes: usize,
        /// The limit of their count.
        most: usize,
    },
}

/// How a surface shapes its refusals: its one `match` from kind to status and envelope.
pub type Render = fn(&Refusal) -> Response;

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Fault(Arc::new(error))
    }
}

/// Carries the refusal to the frame, which renders it.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Unrendered(self));
        response
    }
}

impl Refusal {
    /// The refusal that an answer carries, before the frame gives it its shape.
    pub fn of(response: &Response) -> Option<&Refusal> {
        response.extensions().get::<Unrendered>().map(|Unrendered(refusal)| refusal)
    }
}

/// Marks an answer that still waits for its shape.
#[derive(Clone)]
struct Unrendered(Refusal);

/// Gives a waiting refusal its shape, keeps the headers set so far (`Allow`) and leaves the
/// refusal behind for the log.
pub(crate) fn rendered(mut response: Response, render: Render) -> Response {
    let Some(Unrendered(refusal)) = response.extensions_mut().remove::<Unrendered>() else {
        return response;
    };
    let mut shaped = render(&refusal);
    for (name, value) in response.headers() {
        if !shaped.headers().contains_key(name) && name != http::header::CONTENT_LENGTH {
            shaped.headers_mut().append(name, value.clone());
        }
    }
    shaped.extensions_mut().insert(refusal);
    shaped
}

/// When to come back, where the refusal passes by itself.
///
/// Units: seconds.
pub fn retry_after_s(refusal: &Refusal) -> Option<u64> {
    match refusal {
        Refusal::Fault(error) => match **error {
            Error::TooMany { retry_after_s } | Error::TooManyKept { retry_after_s, .. } => {
                Some(retry_after_s)
            }
            Error::Unavailable { .. } => Some(BUSY_S),
            _ => None,
        },
        Refusal::Faults(_)
        | Refusal::NotAsNamed { .. }
        | Refusal::AsNamed { .. }
        | Refusal::NoRoute { .. }
        | Refusal::WrongMethod { .. }
        | Refusal::UnknownPacking { .. }
        | Refusal::BodyTooLarge { .. }
        | Refusal::UrlTooLong { .. }
        | Refusal::HeadersTooLarge { .. } => None,
    }
}

/// What may be said about it outside: our own faults keep their cause to the log.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Fault(error) if error.kind() == Kind::Internal => {
                f.write_str("something failed on our side; the log has it under this request id")
            }
            Refusal::Fault(error) => error.fmt(f),
            Refusal::Faults(faults) => {
                let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
                f.write_str(&told.join("; "))
            }
            Refusal::NotAsNamed { tag: Some(tag) } => {
                write!(f, "If-Match: it has changed and is {tag} now; read it again")
            }
            Refusal::NotAsNamed { tag: None } => f.write_str("If-Match: this has no ETag"),
            Refusal::AsNamed { tag } => write!(f, "If-None-Match: this is there, as {tag}"),
            Refusal::NoRoute { path } => write!(f, "nothing is served at `{path}`"),
            Refusal::WrongMethod { verb } => write!(f, "`{verb}` is not served at this path"),
            Refusal::UnknownPacking { packing } => {
                write!(f, "Content-Encoding `{packing}` is not taken; send gzip, or none")
            }
            Refusal::BodyTooLarge { most_bytes } => {
                write!(f, "the body is larger than {most_bytes} bytes")
            }
            Refusal::UrlTooLong { most_bytes } => {
                write!(f, "path and query are longer than {most_bytes} bytes")
            }
            Refusal::HeadersTooLarge { most_bytes, most } => {
                write!(f, "the headers are more than {most_bytes} bytes or more than {most}")
            }
        }
    }
}

/// The body of a refusal of our own surfaces.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Told {
    error: ToldError,
}

/// Why there is no answer.
#[derive(Serialize, JsonSchema)]
struct ToldError {
    code: &'static str,
    message: String,
    /// The path of the first member that is wrong: `lines[2].amount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Every member that was found wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Violation>,
}

/// A member that is wrong.
#[derive(Serialize, JsonSchema)]
struct Violation {
    field: String,
    problem: String,
}

impl Told {
    fn new(code: &'static str, refusal: &Refusal) -> Told {
        let one = |field: &String, problem: &String| Violation {
            field: field.clone(),
            problem: problem.clone(),
        };
        let violations: Vec<Violation> = match refusal {
            Refusal::Faults(faults) => {
                faults.iter().map(|Fault { field, problem }| one(field, problem)).collect()
            }
            Refusal::Fault(error) => match &**error {
                Error::Invalid { field, problem } => vec![one(field, problem)],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let field = violations.first().map(|first| first.field.clone());
        Told { error: ToldError { code, message: refusal.to_string(), field, violations } }
    }
}

/// The shape of our own surfaces: `{"error":{"code","message"}}`, with `field` and `violations`
/// where members are wrong.
pub fn plain(refusal: &Refusal) -> Response {
    let (status, code) = match refusal {
        Refusal::Fault(error) => match error.kind() {
            Kind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Kind::Invalid => (StatusCode::BAD_REQUEST, "invalid"),
            Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Kind::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Kind::Conflict => (StatusCode::CONFLICT, "conflict"),
            Kind::TooMuch => (StatusCode::BAD_REQUEST, "too_much"),
            Kind::NotReady => (StatusCode::ACCEPTED, "not_ready"),
            Kind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        },
        Refusal::Faults(_) => (StatusCode::BAD_REQUEST, "invalid"),
        Refusal::NotAsNamed { .. } | Refusal::AsNamed { .. } => {
            (StatusCode::PRECONDITION_FAILED, "changed")
        }
        Refusal::NoRoute { .. } => (StatusCode::NOT_FOUND, "not_found"),
        Refusal::WrongMethod { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        Refusal::UnknownPacking { .. } => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding")
        }
        Refusal::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        Refusal::UrlTooLong { .. } => (StatusCode::URI_TOO_LONG, "url_too_long"),
        Refusal::HeadersTooLarge { .. } => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")
        }
    };
    let json = HeaderValue::from_static("application/json");
    // Texts alone cannot fail to be written.
    let body = serde_json::to_string(&Told::new(code, refusal)).unwrap_or_default();
    let mut response = (status, [(CONTENT_TYPE, json)], body).into_response();
    if let Some(seconds) = retry_after_s(refusal) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(http::header::WWW_AUTHENTICATE, bearer);
    }
    response
}
