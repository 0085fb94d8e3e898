//! What handlers take from a request, refused in the surface's own shape.
//!
//! The extractors of axum answer in plain text where they refuse; these hand a [`Refusal`] on.

use crate::Refusal;
use axum::extract::FromRequestParts;
use domain::Error;
use http::request::Parts;
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
