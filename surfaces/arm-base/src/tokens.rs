//! Tokens: the built-in issuer's discovery, keys and token endpoint (client credentials).

use crate::basic;
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use domain::Kind;
use httpkit::{BaseUrl, Path, Refusal, RequestId, WholeBody};
use serde_json::{Value, json};
use service::{Reckoner, TokenAsked};

/// What the issuer says of itself, on the address that the client used.
pub(crate) async fn configuration(
    State(reckoner): State<Reckoner>,
    Path(tenant): Path<String>,
    base: BaseUrl,
) -> Result<Json<Value>, ArmError> {
    Ok(Json(reckoner.openid_configuration(&base.to_string(), &tenant)?))
}

/// The keys with which tokens are proven.
pub(crate) async fn keys(
    State(reckoner): State<Reckoner>,
    Path(tenant): Path<String>,
) -> Result<Json<Value>, ArmError> {
    reckoner.tenant(&tenant)?;
    Ok(Json(reckoner.signing_keys()))
}

/// Gives a token for a client's secret. Members and parameters beyond these are ignored.
pub(crate) async fn issue(
    State(reckoner): State<Reckoner>,
    Path(tenant): Path<String>,
    base: BaseUrl,
    request_id: RequestId,
    headers: HeaderMap,
    body: Result<WholeBody, Refusal>,
) -> Response {
    let form = match form(&headers, body) {
        Ok(form) => form,
        Err(problem) => return refuse("invalid_request", &format!("AADSTS900144: {problem}")),
    };
    let form = armkit::Query::parse(&String::from_utf8_lossy(&form.0));
    let text = |name: &str| form.get(name).ok().flatten().unwrap_or_default().to_owned();
    let client = match basic::client(&headers, text("client_id"), text("client_secret")) {
        Ok(client) => client,
        Err(problem) => return refuse("invalid_request", &format!("AADSTS900144: {problem}")),
    };
    if text("grant_type") != "client_credentials" {
        return refuse("unsupported_grant_type", "AADSTS70003: only client_credentials is served");
    }
    let (scope, resource) = (text("scope"), text("resource"));
    let audience = match scope.split(' ').find(|part| part.ends_with("/.default")) {
        Some(part) => part.trim_end_matches(".default").trim_end_matches('/').to_owned(),
        None if !resource.is_empty() => resource,
        None => {
            return refuse("invalid_scope", "AADSTS70011: scope must be an audience and /.default");
        }
    };
    let by_header = client.by_header;
    let asked = TokenAsked {
        tenant,
        client_id: client.id,
        client_secret: client.secret,
        audience,
        base_url: base.to_string(),
    };
    match reckoner.issue_token(&asked, &request_id.to_string()).await {
        Ok(token) => answer(json!({
            "token_type": "Bearer",
            "expires_in": token.expires_in_s,
            "ext_expires_in": token.expires_in_s,
            "access_token": token.token,
        })),
        Err(error) => match error.kind() {
            Kind::Unauthenticated => {
                let text = "AADSTS7000215: the client is unknown or its secret is wrong";
                let body = json!({ "error": "invalid_client", "error_description": text });
                let mut response = (StatusCode::UNAUTHORIZED, Json(body)).into_response();
                if by_header {
                    // RFC 6749 section 5.2: with the scheme that the client used.
                    let basic = HeaderValue::from_static("Basic");
                    response.headers_mut().insert(WWW_AUTHENTICATE, basic);
                }
                response
            }
            Kind::NotFound => refuse("invalid_request", "AADSTS90002: there is no such tenant"),
            Kind::Invalid => refuse("invalid_scope", &format!("AADSTS70011: {error}")),
            _ => ArmError::from(error).into_response(),
        },
    }
}

/// The body, which has to be a form.
fn form(headers: &HeaderMap, body: Result<WholeBody, Refusal>) -> Result<WholeBody, String> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = given.split(';').next().unwrap_or("").trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err("the body must be application/x-www-form-urlencoded".to_owned());
    }
    body.map_err(|refusal| refusal.to_string())
}

fn answer(body: Value) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    let no_cache = HeaderValue::from_static("no-cache");
    ([(CACHE_CONTROL, no_store), (PRAGMA, no_cache)], Json(body)).into_response()
}

fn refuse(code: &str, description: &str) -> Response {
    let body = json!({ "error": code, "error_description": description });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
