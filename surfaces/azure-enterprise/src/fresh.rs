//! Entity tags: they change with a refresh of what is told, and only then.
//!
//! Source: `enterprise-reporting.md` section 1.3.

use crate::reading::Reading;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use domain::access::Scope;

/// The tag of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Tag {
    /// Of the data sets that an answer tells of, by their ids, and of what was asked of them
    /// beside what the reading says: the operation, its range, whether costs are shown.
    pub(crate) fn new(reading: &Reading, data_sets: &[&str], question: &[&str]) -> Tag {
        let part = match &reading.scope {
            Scope::Place(place) => format!("{} {}", place.key.level.name(), place.key.id),
            _ => String::new(),
        };
        let own = [reading.version.name(), reading.enrollment.as_str(), part.as_str()];
        let mut hasher = blake3::Hasher::new();
        for text in own.iter().chain(question).chain(data_sets) {
            // No text has a line break in it: they are names, ids and digits.
            hasher.update(text.as_bytes());
            hasher.update(b"\n");
        }
        Tag(hasher.finalize().to_hex().chars().take(32).collect())
    }

    /// Its digits.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// 304 with nothing in it, where the asker has just this answer.
    pub(crate) fn unchanged(&self, reading: &Reading) -> Option<Response> {
        let is_known = reading.known.iter().any(|known| known == "*" || *known == self.0);
        is_known.then(|| self.on(StatusCode::NOT_MODIFIED))
    }

    /// An answer with its tag.
    pub(crate) fn on(&self, answer: impl IntoResponse) -> Response {
        ([(ETAG, format!("\"{}\"", self.0))], answer).into_response()
    }
}
