//! Query parameters: names in any letter case, each at most once.

use crate::ArmError;
use axum::extract::FromRequestParts;
use domain::Error;
use http::StatusCode;
use http::request::Parts;
use std::convert::Infallible;
use url::form_urlencoded;

/// The decoded query of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string without its `?`; a plus is a blank.
    pub fn parse(text: &str) -> Query {
        Query(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The parameter's value; errors: [`Error::Invalid`] when it is given twice.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut found = self.0.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let first = found.next();
        if found.next().is_some() {
            return Err(Error::invalid(name, "must be given once"));
        }
        Ok(first.map(|(_, value)| value.as_str()))
    }

    /// The parameter's value; errors: [`Error::Invalid`] when it is missing, empty or given twice.
    pub fn required(&self, name: &str) -> Result<&str, Error> {
        self.get(name)?
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Error::invalid(name, "must be given"))
    }

    /// All parameters as they were spelled, in their order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query, Infallible> {
        Ok(Query::parse(parts.uri.query().unwrap_or_default()))
    }
}

/// Which of the supported versions is asked for.
///
/// Errors: 400 `MissingApiVersionParameter`, 400 `InvalidApiVersionParameter` naming what is
/// supported, 400 `BadRequest` when it is given twice.
pub fn api_version(query: &Query, supported: &[&'static str]) -> Result<&'static str, ArmError> {
    let list = supported.join(", ");
    let given = query.get("api-version")?.filter(|given| !given.is_empty()).ok_or_else(|| {
        let message = format!("the query parameter `api-version` is missing; supported: {list}");
        ArmError::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message)
    })?;
    let known = supported.iter().find(|version| version.eq_ignore_ascii_case(given));
    known.copied().ok_or_else(|| {
        let message = format!("api-version `{given}` is not supported here; supported: {list}");
        ArmError::new(StatusCode::BAD_REQUEST, "InvalidApiVersionParameter", message)
    })
}
