//! JSON in: errors say which field.

use crate::{Refusal, WholeBody};
use axum::extract::{FromRequest, Request};
use domain::Error;
use serde::de::DeserializeOwned;

/// The body, read as JSON whatever its content type says.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<S: Sync + Send, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<JsonBody<T>, Refusal> {
        let WholeBody(bytes) = WholeBody::from_request(request, state).await?;
        Ok(JsonBody(parse(&bytes)?))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let reader = &mut serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut *reader).map_err(|fault| {
        let field = match fault.path().to_string() {
            path if path == "." => "body".to_owned(),
            path => path,
        };
        Error::invalid(field, fault.inner().to_string())
    })?;
    reader.end().map_err(|fault| Error::invalid("body", fault.to_string()))?;
    Ok(value)
}
