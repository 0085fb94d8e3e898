//! What handlers take from a request, refused in the surface's own shape.
//!
//! The extractors of axum answer in plain text where they refuse; these hand a [`Refusal`] on.

use crate::Refusal;
use crate::described::{Described, Takes};
use crate::json::misread;
use axum::extract::{FromRequestParts, Query};
use domain::Error;
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// The parameters of the path, decoded.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<S: Sync + Send, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Refusal> {
        let found = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(found) = found.map_err(|rejection| {
            let problem = rejection.body_text();
            match rejection.status() {
                status if status.is_client_error() => Error::invalid("path", problem),
                _ => Error::internal("read the path", problem),
            }
        })?;
        Ok(Path(found))
    }
}

/// The parameters behind the question mark.
#[derive(Debug, Clone)]
pub struct Parameters<T>(pub T);

/// What axum says before what is wrong.
const READING: &str = "Failed to deserialize query string: ";

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Parameters<T>, Refusal> {
        let error = match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => return Ok(Parameters(parameters)),
            Err(error) => error.body_text(),
        };
        let problem = error.strip_prefix(READING).unwrap_or(&error);
        let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let (field, problem) = match problem.split_once(": ") {
            Some((field, problem)) if is_name(field) => (field, problem),
            _ => ("", problem),
        };
        Err(misread(field, problem, "parameters").into())
    }
}

impl<T: JsonSchema> Takes for Parameters<T> {
    fn tell(described: &mut Described) {
        described.takes_parameters::<T>();
    }
}
