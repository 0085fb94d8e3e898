//! What enterprise keys say, and which are believed.

use super::{issuers, now};
use crate::{AuthError, EnterpriseClaims, TokenRequest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

fn claims(department: &str, account: &str) -> EnterpriseClaims {
    EnterpriseClaims {
        key_id: "7d2f1a30-0000-4000-8000-000000000001".to_owned(),
        enrollment: "555001".to_owned(),
        department: department.to_owned(),
        account: account.to_owned(),
        not_before: now(),
        expires: now().plus_seconds(183 * 86_400),
    }
}

/// A part of a text: 0 its header, 1 its claims.
fn part(text: &str, number: usize) -> Value {
    let part = text.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The text with one member changed and its signature left as it was.
fn forged(text: &str, number: usize, member: &str, value: Value) -> String {
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    let mut json = part(text, number);
    json[member] = value;
    parts[number] = URL_SAFE_NO_PAD.encode(json.to_string());
    parts.join(".")
}

#[test]
fn a_key_has_the_documented_claims() {
    let check = |department: &str, account: &str, view: &str| {
        let text = issuers()[0].enterprise_key(&claims(department, account)).unwrap();
        let expected = json!({
            "EnrollmentNumber": "555001",
            "Id": "7d2f1a30-0000-4000-8000-000000000001",
            "ReportView": view,
            "PartnerId": "",
            "DepartmentId": department,
            "AccountId": account,
            "iss": "ea.microsoftazure.com",
            "aud": "client.ea.microsoftazure.com",
            "nbf": now().seconds(),
            "exp": now().seconds() + 15_811_200,
        });
        assert_eq!(part(&text, 1), expected);
        let header = part(&text, 0);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("JWT"), &json!("RS256")));
        assert!(header["x5t"].is_string(), "{header}");
        let read = issuers()[0].read_enterprise_key(&text).unwrap();
        assert_eq!(read, claims(department, account));
    };
    check("", "", "System");
    check("17", "", "Department");
    check("", "23", "Account");
}

#[test]
fn the_same_claims_give_the_same_text() {
    let sign = || issuers()[0].enterprise_key(&claims("17", "")).unwrap().to_string();
    assert_eq!(sign(), sign());
}

#[test]
fn only_a_text_that_was_signed_here_as_such_a_key_is_believed() {
    let [ours, other] = issuers();
    let good = ours.enterprise_key(&claims("", "")).unwrap().to_string();
    let base_url = "https://127.0.0.1:8443";
    let request = TokenRequest { base_url, tenant: "t", client_id: "c", audience: base_url };
    let shared_secret = {
        let key = EncodingKey::from_secret(b"whatever");
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &part(&good, 1), &key).unwrap()
    };
    let check = |text: &str, expected: &str| {
        let found = ours.read_enterprise_key(text);
        let found = found.map_or_else(|error| format!("{error:?}"), |claims| claims.enrollment);
        assert_eq!(found, expected, "{text}");
    };
    check(&good, "555001");
    check("", &format!("{:?}", AuthError::Missing));
    check("not-a-key", "Malformed");
    check(good.rsplit_once('.').unwrap().0, "Malformed");
    check(&"a".repeat(20_000), "Malformed");
    check(&other.enterprise_key(&claims("", "")).unwrap(), "BadSignature");
    check(&forged(&good, 1, "EnrollmentNumber", json!("1")), "BadSignature");
    check(&forged(&good, 0, "alg", json!("PS256")), "BadSignature");
    check(&shared_secret, "BadSignature");
    check(&ours.token(request, now(), 60).unwrap().text, "WrongIssuer");
}
