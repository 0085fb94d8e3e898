//! A client's id and secret in the `Authorization` header.
//!
//! Source: RFC 6749 section 2.3.1: both are form-encoded, then joined as RFC 7617 has it.

use armkit::Query;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Who asks for a token, and by which proof.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
    /// Whether the header said so, and not the form.
    pub(crate) by_header: bool,
}

/// The client of the header, else the form's id and secret, which are empty if it has none.
///
/// Errors: what is wrong with the header, or that both give a secret.
pub(crate) fn client(
    headers: &HeaderMap,
    form_id: String,
    form_secret: String,
) -> Result<Client, &'static str> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(Client { id: form_id, secret: form_secret, by_header: false });
    };
    let unreadable = "the Authorization header must be `Basic`, then base64 of id:secret";
    let (id, secret) = header.to_str().ok().and_then(read).ok_or(unreadable)?;
    if !form_secret.is_empty() {
        return Err("the client must be proven by the header or by the form, not by both");
    }
    if !form_id.is_empty() && form_id != id {
        return Err("the Authorization header and the form name different clients");
    }
    Ok(Client { id, secret, by_header: true })
}

fn read(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((decoded(id)?, decoded(secret)?))
}

/// Undoes form encoding; an ampersand that is not encoded stands for itself.
fn decoded(part: &str) -> Option<String> {
    let pair = format!("part={}", part.replace('&', "%26"));
    Query::parse(&pair).get("part").ok().flatten().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(header: Option<&str>, id: &str, secret: &str) -> String {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().expect("a header"));
        }
        match client(&headers, id.to_owned(), secret.to_owned()) {
            Ok(Client { id, secret, by_header }) => format!("{id}|{secret}|{by_header}"),
            Err(problem) => format!("! {problem}"),
        }
    }

    #[test]
    fn a_client_is_read_from_the_header_or_the_form() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let check = |text: &str, expected: &str| {
            assert_eq!(outcome(Some(&basic(text)), "", ""), expected, "{text}");
        };
        check("me:secret", "me|secret|true");
        check("me:se:cret", "me|se:cret|true");
        check("m%3Ae:s%25e%2Bc+r%C3%A9t", "m:e|s%e+c rét|true");
        check("me:a&b=c", "me|a&b=c|true");
        check("me:", "me||true");
        let unreadable = "! the Authorization header must be `Basic`, then base64 of id:secret";
        check("me", unreadable);
        assert_eq!(outcome(None, "me", "secret"), "me|secret|false");
        assert_eq!(outcome(None, "", ""), "||false");
        assert_eq!(outcome(Some("basic bWU6eA=="), "me", ""), "me|x|true");
        assert_eq!(outcome(Some("Bearer bWU6eA=="), "", ""), unreadable);
        assert_eq!(outcome(Some("Basic ==="), "", ""), unreadable);
        let both = "! the client must be proven by the header or by the form, not by both";
        assert_eq!(outcome(Some("Basic bWU6eA=="), "me", "x"), both);
        let other = "! the Authorization header and the form name different clients";
        assert_eq!(outcome(Some("Basic bWU6eA=="), "you", ""), other);
    }
}
