//! The description of this surface, made from its table.

use axum::http::header::CONTENT_TYPE;
use httpkit::{Refusal, Written};
use serde_json::Value;
use std::sync::LazyLock;

/// Written once; the table never changes while the program runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let (_, described) = crate::table().into_parts();
    let document = httpkit::openapi("Reckoner admin", env!("CARGO_PKG_VERSION"), &described);
    format!("{document:#}\n")
});

/// The OpenAPI document, as text.
pub(crate) fn text() -> &'static str {
    &DOCUMENT
}

/// Gives the OpenAPI document to anybody.
pub(crate) async fn get() -> Result<Written<Value>, Refusal> {
    Ok(Written::new(([(CONTENT_TYPE, "application/json")], text())))
}
