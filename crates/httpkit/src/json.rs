//! JSON in: errors say which field.

use crate::{Refusal, WholeBody};
use axum::extract::{FromRequest, Request};
use domain::Error;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// The body, an object, read as JSON whatever its content type says.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<S: Sync + Send, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<JsonBody<T>, Refusal> {
        let WholeBody(bytes) = WholeBody::from_request(request, state).await?;
        Ok(JsonBody(parse(&bytes)?))
    }
}

/// The body, an array, read as JSON whatever its content type says.
#[derive(Debug)]
pub struct JsonList<T>(pub Vec<T>);

impl<S: Sync + Send, T: DeserializeOwned> FromRequest<S> for JsonList<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<JsonList<T>, Refusal> {
        let WholeBody(bytes) = WholeBody::from_request(request, state).await?;
        Ok(JsonList(read(&bytes)?))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    read(bytes).map(|Object(value)| value)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let reader = &mut serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut *reader).map_err(|fault| {
        let path = match fault.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        misread(&path, &problem_of(fault.inner()), "body")
    });
    let value = read?;
    reader.end().map_err(|fault| Error::invalid("body", fault.to_string()))?;
    Ok(value)
}

/// What is wrong; the place in the text only where it is no JSON.
fn problem_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(place.as_str()) {
        Some(problem) if error.is_data() => problem.to_owned(),
        _ => text,
    }
}

/// The refusal of what serde cannot read, by the member's name; `whole` names all that is read.
pub(crate) fn misread(path: &str, problem: &str, whole: &str) -> Error {
    let field = match named(path, problem) {
        field if field.is_empty() => whole.to_owned(),
        field => field,
    };
    let is_missing = problem.starts_with("missing field `");
    Error::invalid(field, if is_missing { "must be there" } else { problem })
}

/// The path of the member that is wrong: serde tells the path of what should have had it, and names
/// the member itself in its words only.
fn named(path: &str, problem: &str) -> String {
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

/// An object of JSON; serde would read a struct from an array too.
#[derive(Debug, PartialEq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_map(Members(PhantomData)).map(Object)
    }
}

/// Reads a struct from the members of an object.
struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}
