//! Sessions and tokens: what a client's name and secret are changed for.
//!
//! Source: `account-management-openapi.json`, create-session, destroy-session, create-oauth2-token.

use crate::Usage;
use crate::members::{self, Member, wrong};
use crate::viewing::Signing;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, PRAGMA};
use axum::response::{IntoResponse, Response};
use domain::Error;
use httpkit::{BaseUrl, Faults, Refusal, RequestId, WholeBody};
use serde::{Deserialize, Serialize};
use service::{OwnTokenAsked, SessionAsked, SessionMade};
use url::form_urlencoded;

/// The one grant that is served.
const CLIENT_CREDENTIALS: &str = "client_credentials";
/// What is wrong with every other grant.
pub(crate) const OTHER_GRANT: &str = "only client_credentials is served";

/// A session that was opened; it is shown this once.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    token: String,
}

/// A token that was made; it is shown this once.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    access_token: String,
    expires_in: u32,
    token_type: String,
}

/// Opens a session for a client's name and secret.
pub(crate) async fn create(
    State(usage): State<Usage>,
    signing: Signing,
    request_id: RequestId,
    WholeBody(body): WholeBody,
) -> Result<Response, Refusal> {
    let asked = session(&body, &signing)?;
    let made = usage.reckoner.create_session(&asked, &request_id.to_string()).await;
    let SessionMade { token } = made.map_err(as_unsafe)?;
    Ok(not_kept(Json(Session { token })))
}

/// Ends the session that the request carries.
pub(crate) async fn destroy(
    State(usage): State<Usage>,
    Signing { from, header }: Signing,
    request_id: RequestId,
) -> Result<StatusCode, Refusal> {
    let request_id = request_id.to_string();
    usage.reckoner.end_session(header.as_deref(), from, &request_id).await?;
    Ok(StatusCode::OK)
}

/// Makes a token for a client's name and secret.
pub(crate) async fn token(
    State(usage): State<Usage>,
    _: Signing,
    base: BaseUrl,
    request_id: RequestId,
    WholeBody(body): WholeBody,
) -> Result<Response, Refusal> {
    let asked = own_token(&body, base)?;
    let issued = usage.reckoner.issue_own_token(&asked, &request_id.to_string()).await?;
    let token = Token {
        access_token: issued.token,
        expires_in: issued.expires_in_s,
        token_type: "Bearer".to_owned(),
    };
    Ok(not_kept(Json(token)))
}

/// Says of a session that cannot be bound what the contract calls that.
fn as_unsafe(error: Error) -> Error {
    match error {
        Error::Invalid { field, problem } if field == "from_anywhere" => {
            Error::invalid("unsafe", problem)
        }
        other => other,
    }
}

/// An answer that nobody on the way may keep.
pub(crate) fn not_kept(answer: impl IntoResponse) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    let no_cache = HeaderValue::from_static("no-cache");
    ([(CACHE_CONTROL, no_store), (PRAGMA, no_cache)], answer).into_response()
}

/// What a body asks to open.
///
/// Errors: [`Refusal::Faults`].
fn session(body: &[u8], signing: &Signing) -> Result<SessionAsked, Refusal> {
    let mut faults = Faults::default();
    let Some(whole) = members::whole(body, &mut faults) else { return faults.end(None) };
    // No list is read here.
    let root = Member::root(&whole, 0);
    let (username, password) = (root.member("username"), root.member("password"));
    username.demand(&mut faults);
    password.demand(&mut faults);
    let username = username.text(&mut faults).map(str::to_owned);
    let password = password.text(&mut faults).map(str::to_owned);
    let from_anywhere = root.member("unsafe").truth(&mut faults).unwrap_or(false);
    let from = signing.from;
    let asked =
        || Some(SessionAsked { username: username?, password: password?, from_anywhere, from });
    faults.end(asked())
}

/// What a form asks for. Fields beside these are ignored; one that is given twice is refused.
///
/// Errors: [`Refusal::Faults`]. Source: RFC 6749, section 4.4.2.
fn own_token(body: &[u8], BaseUrl(base_url): BaseUrl) -> Result<OwnTokenAsked, Refusal> {
    let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let mut faults = Faults::default();
    let field = |name: &str| {
        let mut given = fields.iter().filter(|(given, _)| given == name).map(|(_, text)| text);
        match (given.next(), given.next()) {
            (Some(text), None) if !text.is_empty() => Ok(text.clone()),
            (Some(_), Some(_)) => Err(Error::invalid(name, "must be there once")),
            _ => Err(Error::invalid(name, "must be there")),
        }
    };
    let client_id = faults.read("client_id", field("client_id"));
    let client_secret = faults.read("client_secret", field("client_secret"));
    let grant = faults.read("grant_type", field("grant_type"));
    if grant.is_some_and(|grant| grant != CLIENT_CREDENTIALS) {
        wrong(&mut faults, "grant_type", OTHER_GRANT);
    }
    let asked =
        || Some(OwnTokenAsked { client_id: client_id?, client_secret: client_secret?, base_url });
    faults.end(asked())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn told<T>(read: Result<T, Refusal>) -> String {
        match read {
            Ok(_) => "taken".to_owned(),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn a_session_is_asked_for_by_name_and_password() {
        let signing = Signing { from: None, header: None };
        let check = |body: &str, expected: &str| {
            assert_eq!(told(session(body.as_bytes(), &signing)), expected, "{body}");
        };
        check(r#"{"username":"u","password":"p"}"#, "taken");
        check(r#"{"username":"u","password":"p","unsafe":true}"#, "taken");
        check(r#"{"username":"u","password":"p","unsafe":null,"more":1}"#, "taken");
        check("{}", "username: must be there; password: must be there");
        check(
            r#"{"username":1,"password":"p","unsafe":"yes"}"#,
            "username: must be a string; unsafe: must be true or false",
        );
        check("[]", "body: must be an object");
    }

    #[test]
    fn a_session_is_bound_unless_it_is_asked_not_to_be() {
        let from: IpAddr = "192.0.2.7".parse().unwrap();
        let signing = Signing { from: Some(from), header: None };
        let check = |more: &str, expected: bool| {
            let body = format!(r#"{{"username":"u","password":"p"{more}}}"#);
            let asked = session(body.as_bytes(), &signing).ok().unwrap();
            assert_eq!((asked.from_anywhere, asked.from), (expected, Some(from)), "{body}");
        };
        check("", false);
        check(r#","unsafe":false"#, false);
        check(r#","unsafe":true"#, true);
    }

    #[test]
    fn a_token_is_asked_for_in_a_form() {
        let check = |form: &str, expected: &str| {
            let base = BaseUrl("https://reckoner.test".to_owned());
            assert_eq!(told(own_token(form.as_bytes(), base)), expected, "{form}");
        };
        let grant = "grant_type=client_credentials";
        check(&format!("client_id=c&client_secret=s%26&{grant}"), "taken");
        check(&format!("client_id=c&client_secret=s&{grant}&scope=x"), "taken");
        check(grant, "client_id: must be there; client_secret: must be there");
        let twice = "client_id: must be there once; client_secret: must be there";
        check(&format!("client_id=c&client_id=d&client_secret=&{grant}"), twice);
        check("client_id=c&client_secret=s", "grant_type: must be there");
        check(
            "client_id=c&client_secret=s&grant_type=authorization_code&code=1",
            "grant_type: only client_credentials is served",
        );
    }
}
