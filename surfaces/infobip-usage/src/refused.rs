//! The shapes of refusals. Where usage is asked for it is the contract's `ApiError`; sessions,
//! tokens and accounts are refused in the older `ApiException`. Both are JSON, or XML for whoever
//! would rather have that.
//!
//! Source: `billing-usage-openapi.json` responses; `account-management-openapi.json` responses.

use crate::sessions::OTHER_GRANT;
use crate::xml::Element;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use httpkit::{Fault, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where refusals are `ApiError`.
const BILLING: &str = "/billing/";
/// Where they also have the `error` of OAuth 2.
const TOKENS: &str = "/auth/1/oauth2/token";
/// What to do about a request that is wrong.
const REQUEST: &str = "Check the syntax, violations and adjust the request.";

/// What a kind of refusal is called: status, code and words of `ApiError`, id of `ApiException`.
struct Words {
    status: StatusCode,
    code: &'static str,
    description: &'static str,
    action: &'static str,
    message_id: &'static str,
}

/// A refusal of a usage query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ApiError {
    error_code: String,
    description: String,
    action: String,
    violations: Vec<Violation>,
    resources: Vec<Resource>,
}

/// A member that is wrong, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Violation {
    property: String,
    violation: String,
}

/// Where to read on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    name: String,
    url: String,
}

/// A refusal of everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ApiException {
    /// What OAuth 2 calls it; for tokens only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    request_error: RequestError,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestError {
    service_exception: ServiceException,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServiceException {
    message_id: String,
    text: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    validation_errors: BTreeMap<String, Vec<String>>,
}

/// How a refusal is to be spelled, as its request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spelling {
    envelope: Envelope,
    is_xml: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Envelope {
    Error,
    Exception,
    TokenException,
}

/// The status and headers of a refusal, for the frame; [`spell`] gives it its body.
pub(crate) fn render(refusal: &Refusal) -> Response {
    let words = words(refusal);
    let mut response = words.status.into_response();
    if let Some(seconds) = httpkit::retry_after_s(refusal) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if words.status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("App");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    response
}

/// Gives refusals their body, in the spelling that their request asks for; stands around the frame.
pub(crate) async fn spell(request: Request, next: Next) -> Response {
    let spelling = Spelling::of(request.uri().path(), request.headers());
    let mut response = next.run(request).await;
    let Some(refusal) = response.extensions().get::<Refusal>().cloned() else { return response };
    let (media, body) = spelling.body(&refusal);
    *response.body_mut() = Body::from(body);
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}

impl Spelling {
    /// What a request asks for.
    pub(crate) fn of(path: &str, headers: &HeaderMap) -> Spelling {
        let envelope = match path {
            TOKENS => Envelope::TokenException,
            path if path.starts_with(BILLING) => Envelope::Error,
            _ => Envelope::Exception,
        };
        Spelling { envelope, is_xml: wants_xml(headers) }
    }

    /// The body in this spelling, and its media type.
    pub(crate) fn body(self, refusal: &Refusal) -> (HeaderValue, String) {
        let text = match (self.envelope, self.is_xml) {
            (Envelope::Error, false) => json(&ApiError::of(refusal)),
            (Envelope::Error, true) => ApiError::of(refusal).xml().document(),
            (envelope, false) => json(&ApiException::of(refusal, envelope)),
            (envelope, true) => ApiException::of(refusal, envelope).xml().document(),
        };
        let media = if self.is_xml { "application/xml" } else { "application/json" };
        (HeaderValue::from_static(media), text)
    }
}

fn json(body: &impl Serialize) -> String {
    // Texts alone cannot fail to be written.
    serde_json::to_string(body).unwrap_or_default()
}

/// Whether XML is liked better than JSON; JSON where both are liked alike.
///
/// Source: RFC 9110, section 12.5.1: the closest range counts.
fn wants_xml(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<(String, u32)> = values.flat_map(|list| list.split(',')).map(range).collect();
    let weight = |names: &[&str]| {
        let known = |name: &&str| ranges.iter().find(|(range, _)| range == name);
        names.iter().find_map(known).map_or(0, |(_, weight)| *weight)
    };
    let as_json = weight(&["application/json", "application/*", "*/*"]);
    let as_xml = weight(&["application/xml", "text/xml", "application/*", "*/*"]);
    as_xml > as_json
}

/// A media range in lower case and its weight in thousandths.
fn range(text: &str) -> (String, u32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let given = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = given.map_or(1_000, |text| match text.split_once('.') {
        Some(("0", digits)) => format!("{digits:0<3.3}").parse().unwrap_or(0),
        Some(_) | None if text.starts_with('1') => 1_000,
        Some(_) | None => 0,
    });
    (name, weight)
}

impl ApiError {
    /// What a refusal says.
    pub(crate) fn of(refusal: &Refusal) -> ApiError {
        let words = words(refusal);
        let description = match words.description {
            "" => refusal.to_string(),
            known => known.to_owned(),
        };
        ApiError {
            error_code: words.code.to_owned(),
            description,
            action: words.action.to_owned(),
            violations: violations(refusal),
            resources: resources(words.status),
        }
    }

    /// The same as XML.
    pub(crate) fn xml(&self) -> Element {
        let ApiError { error_code, description, action, violations, resources } = self;
        let violation = |one: &Violation| {
            let Violation { property, violation } = one;
            let members =
                vec![Element::text("property", property), Element::text("violation", violation)];
            Element::of("violation", members)
        };
        let resource = |one: &Resource| {
            let Resource { name, url } = one;
            Element::of("resource", vec![Element::text("name", name), Element::text("url", url)])
        };
        let members = vec![
            Element::text("errorCode", error_code),
            Element::text("description", description),
            Element::text("action", action),
            Element::of("violations", violations.iter().map(violation).collect()),
            Element::of("resources", resources.iter().map(resource).collect()),
        ];
        Element::of("ApiError", members)
    }
}

impl ApiException {
    fn of(refusal: &Refusal, envelope: Envelope) -> ApiException {
        let words = words(refusal);
        let text = match words.message_id {
            "BAD_REQUEST" => "Bad request".to_owned(),
            "UNAUTHORIZED" => "Unauthorized".to_owned(),
            "FORBIDDEN" => "Forbidden".to_owned(),
            "NOT_FOUND" => "Not found".to_owned(),
            "TOO_MANY_REQUESTS" => "Too many requests".to_owned(),
            "GENERAL_ERROR" => "Something went wrong. Please contact support.".to_owned(),
            _ => refusal.to_string(),
        };
        let mut validation_errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Violation { property, violation } in violations(refusal) {
            validation_errors.entry(property).or_default().push(violation);
        }
        let message_id = words.message_id.to_owned();
        let service_exception = ServiceException { message_id, text, validation_errors };
        let error = match envelope {
            Envelope::TokenException => Some(oauth_error(refusal).to_owned()),
            Envelope::Error | Envelope::Exception => None,
        };
        ApiException { error, request_error: RequestError { service_exception } }
    }

    fn xml(&self) -> Element {
        let ApiException { error, request_error: RequestError { service_exception } } = self;
        let ServiceException { message_id, text, validation_errors } = service_exception;
        let mut members = vec![Element::text("messageId", message_id), Element::text("text", text)];
        if !validation_errors.is_empty() {
            let all = validation_errors.iter().flat_map(|(property, problems)| {
                problems.iter().map(move |problem| {
                    let members =
                        vec![Element::text("property", property), Element::text("text", problem)];
                    Element::of("validationError", members)
                })
            });
            members.push(Element::of("validationErrors", all.collect()));
        }
        let service_exception = Element::of("serviceException", members);
        let request_error = Element::of("requestError", vec![service_exception]);
        let error = error.iter().map(|error| Element::text("error", error));
        Element::of("ApiException", error.chain([request_error]).collect())
    }
}

/// The error code of a refused token.
///
/// Source: RFC 6749, section 5.2; for who should come later, section 4.1.2.1.
fn oauth_error(refusal: &Refusal) -> &'static str {
    let is_other_grant = |fault: &Violation| fault.violation == OTHER_GRANT;
    match words(refusal).status {
        StatusCode::UNAUTHORIZED => "invalid_client",
        StatusCode::BAD_REQUEST if violations(refusal).iter().any(is_other_grant) => {
            "unsupported_grant_type"
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            "temporarily_unavailable"
        }
        status if status.is_server_error() => "server_error",
        _ => "invalid_request",
    }
}

/// Every member that was found wrong.
fn violations(refusal: &Refusal) -> Vec<Violation> {
    let one = |field: &String, problem: &String| Violation {
        property: field.clone(),
        violation: problem.clone(),
    };
    match refusal {
        Refusal::Faults(faults) => {
            faults.iter().map(|Fault { field, problem }| one(field, problem)).collect()
        }
        Refusal::Fault(error) => match &**error {
            Error::Invalid { field, problem } => vec![one(field, problem)],
            error if error.kind() == Kind::TooMuch => {
                vec![one(&"request".to_owned(), &error.to_string())]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Where to read on about a status.
///
/// Source: `billing-usage-openapi.json`, examples of ApiError401, ApiError403 and ApiError429.
fn resources(status: StatusCode) -> Vec<Resource> {
    let (name, page) = match status {
        StatusCode::UNAUTHORIZED => ("API Authentication", "api-authentication"),
        StatusCode::FORBIDDEN => ("API Scopes", "api-essentials/api-authorization#api-scopes"),
        StatusCode::TOO_MANY_REQUESTS => {
            ("Throttling handling errors", "integration-best-practices#throttling-handling-errors")
        }
        _ => return Vec::new(),
    };
    let url = format!("https://www.infobip.com/docs/essentials/{page}");
    vec![Resource { name: name.to_owned(), url }]
}

/// The one match from kind to status and words. A description that is empty is the refusal's own.
fn words(refusal: &Refusal) -> Words {
    // What the contract does not know is refused in our own words.
    let other = |status, code, message_id| Words {
        status,
        code,
        description: "",
        action: REQUEST,
        message_id,
    };
    match refusal {
        Refusal::Fault(error) => words_of(error.kind()),
        Refusal::Faults(_) => words_of(Kind::Invalid),
        Refusal::NoRoute { .. } => words_of(Kind::NotFound),
        Refusal::NotAsNamed { .. } | Refusal::AsNamed { .. } => {
            other(StatusCode::PRECONDITION_FAILED, "E412", "PRECONDITION_FAILED")
        }
        Refusal::WrongMethod { .. } => {
            other(StatusCode::METHOD_NOT_ALLOWED, "E405", "METHOD_NOT_ALLOWED")
        }
        Refusal::UnknownPacking { .. } => {
            other(StatusCode::UNSUPPORTED_MEDIA_TYPE, "E415", "UNSUPPORTED_MEDIA_TYPE")
        }
        Refusal::BodyTooLarge { .. } => {
            other(StatusCode::PAYLOAD_TOO_LARGE, "E413", "PAYLOAD_TOO_LARGE")
        }
        Refusal::UrlTooLong { .. } => other(StatusCode::URI_TOO_LONG, "E414", "URI_TOO_LONG"),
        Refusal::HeadersTooLarge { .. } => other(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "E431",
            "REQUEST_HEADER_FIELDS_TOO_LARGE",
        ),
    }
}

/// The same for what a use case refuses.
///
/// Source: `billing-usage-openapi.json`, examples of the responses.
fn words_of(kind: Kind) -> Words {
    let (status, code, message_id) = match kind {
        Kind::Invalid | Kind::TooMuch => (StatusCode::BAD_REQUEST, "E400", "BAD_REQUEST"),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "E401", "UNAUTHORIZED"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "E403", "FORBIDDEN"),
        Kind::NotFound => (StatusCode::NOT_FOUND, "E404", "NOT_FOUND"),
        Kind::Conflict => (StatusCode::CONFLICT, "E409", "CONFLICT"),
        Kind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "E429", "TOO_MANY_REQUESTS"),
        Kind::NotReady | Kind::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "E503", "SERVICE_UNAVAILABLE")
        }
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "E500", "GENERAL_ERROR"),
    };
    let (description, action) = match kind {
        Kind::Invalid | Kind::TooMuch => ("Request cannot be processed.", REQUEST),
        Kind::Unauthenticated => (
            "The request lacks valid authentication credentials for the requested resource.",
            "Check the resources and adjust authentication credentials.",
        ),
        Kind::Forbidden => (
            "Insufficient permissions to access the requested resource.",
            "Repeat the request with new or different credentials.",
        ),
        Kind::TooMany => (
            "Too many requests sent.",
            "Check request rate limit specified in the API endpoint documentation resource.",
        ),
        Kind::Internal => ("Something went wrong.", "Contact the support."),
        Kind::NotFound | Kind::Conflict => ("", "Check the address and adjust the request."),
        Kind::NotReady | Kind::Unavailable => ("", "Repeat the request later."),
    };
    Words { status, code, description, action, message_id }
}

#[cfg(test)]
mod tests;
