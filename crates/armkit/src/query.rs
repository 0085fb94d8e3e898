//! Query parameters: names in any letter case, each at most once.

use crate::ArmError;
use axum::extract::FromRequestParts;
use domain::Error;
use http::StatusCode;
use http::request::Parts;
use std::convert::Infallible;
use url::form_urlencoded;

/// The parameter that says which version of a contract is asked for.
pub(crate) const API_VERSION: &str = "api-version";
const EXPAND: &str = "$expand";
/// May stand before what is expanded.
const PROPERTIES: &str = "properties/";

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
    asked_version(query, supported, supported)
}

/// As [`api_version`], where a refusal names only some of the known versions.
pub(crate) fn asked_version(
    query: &Query,
    known: &[&'static str],
    named: &[&'static str],
) -> Result<&'static str, ArmError> {
    let list = named.join(", ");
    let given = query.get(API_VERSION)?.filter(|given| !given.is_empty()).ok_or_else(|| {
        let message = format!("the query parameter `api-version` is missing; supported: {list}");
        ArmError::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message)
    })?;
    let found = known.iter().find(|version| version.eq_ignore_ascii_case(given));
    found.copied().ok_or_else(|| {
        let message = format!("api-version `{given}` is not supported here; supported: {list}");
        ArmError::new(StatusCode::BAD_REQUEST, "InvalidApiVersionParameter", message)
    })
}

/// What of `$expand` is asked for, in the spelling of `supported`: names with commas between, with
/// blanks around them and `properties/` before them or not, in any letter case.
///
/// Errors: [`Error::Invalid`] naming what is supported.
/// Source: `microsoft-billing.md` section 3.1.
pub fn expand(query: &Query, supported: &[&'static str]) -> Result<Vec<&'static str>, Error> {
    let given = query.get(EXPAND)?.unwrap_or_default();
    let names = given.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let bare = match name.split_at_checked(PROPERTIES.len()) {
                Some((start, rest)) if start.eq_ignore_ascii_case(PROPERTIES) => rest,
                _ => name,
            };
            let known = supported.iter().find(|known| known.eq_ignore_ascii_case(bare));
            known.copied().ok_or_else(|| {
                let list = supported.join(", ");
                Error::invalid(EXPAND, format!("`{name}` cannot be expanded; supported: {list}"))
            })
        })
        .collect()
}
