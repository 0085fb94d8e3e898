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
        let problem = fault.inner().to_string();
        let path = match fault.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        let field = match named(&path, &problem) {
            field if field.is_empty() => "body".to_owned(),
            field => field,
        };
        Error::invalid(field, problem)
    })?;
    reader.end().map_err(|fault| Error::invalid("body", fault.to_string()))?;
    Ok(value)
}

/// The path of the member that is wrong: serde tells the path of what should have had it, and names
/// the member itself in its words only.
pub(crate) fn named(path: &str, problem: &str) -> String {
    let member = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|words| problem.strip_prefix(words))
        .and_then(|rest| rest.split_once('`'))
        .map(|(member, _)| member);
    match member {
        None => path.to_owned(),
        Some(member) if path.is_empty() => member.to_owned(),
        Some(member) if path == member || path.ends_with(&format!(".{member}")) => path.to_owned(),
        Some(member) => format!("{path}.{member}"),
    }
}
