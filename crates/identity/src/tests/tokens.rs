//! What the built-in issuer signs, and what is taken.

use super::{issuers, now};
use crate::{AuthError, BuiltIn, Issuer, TokenRequest, Verifier, VerifierConfig};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::TenantId;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::Arc;

const TENANT: &str = "0f0f-tenant";
const AUDIENCE: &str = "https://management.azure.com/";

fn verifier() -> Verifier {
    let tenant = TenantId::new(TENANT).unwrap();
    let issuer = Arc::clone(&issuers()[0]);
    let builtin = BuiltIn { issuer, tenant, audiences: vec![AUDIENCE.to_owned()] };
    Verifier::new(VerifierConfig { builtin: Some(builtin), external: vec![] }).unwrap()
}

fn request() -> TokenRequest<'static> {
    let base_url = "https://127.0.0.1:8443";
    TokenRequest { base_url, tenant: TENANT, client_id: "client-1", audience: AUDIENCE }
}

fn signed(issuer: &Issuer, request: TokenRequest<'_>) -> String {
    issuer.token(request, now(), 3_600).unwrap().text.to_string()
}

/// The token with one claim or header member changed and its signature left as it was.
fn forged(token: &str, part: usize, member: &str, value: Value) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut json: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[part]).unwrap()).unwrap();
    json[member] = value;
    parts[part] = URL_SAFE_NO_PAD.encode(json.to_string());
    parts.join(".")
}

/// Verifies at `after_s` seconds from now; says the principal or the kind of error.
async fn outcome(token: &str, after_s: i64) -> String {
    match verifier().verify(token, now().plus_seconds(after_s)).await {
        Ok(principal) => principal.to_string(),
        Err(error) => format!("{error:?}"),
    }
}

#[tokio::test]
async fn each_fault_of_a_token_is_told_apart() {
    let [ours, other] = issuers();
    let good = signed(ours, request());
    let shared_secret = {
        let key = EncodingKey::from_secret(b"whatever");
        let kid = jsonwebtoken::decode_header(&good).unwrap().kid;
        let header = Header { kid, ..Header::new(Algorithm::HS256) };
        let iss = format!("https://127.0.0.1:8443/{TENANT}/v2.0");
        jsonwebtoken::encode(&header, &json!({"iss": iss, "aud": AUDIENCE}), &key).unwrap()
    };
    let cut = good.rsplit_once('.').unwrap().0.to_owned();
    let table: Vec<(&str, String, i64, &str)> = vec![
        ("holds", good.clone(), 0, "client-1"),
        ("holds to its last second", good.clone(), 3_599, "client-1"),
        (
            "slash at the end of the audience",
            signed(ours, TokenRequest { audience: AUDIENCE.trim_end_matches('/'), ..request() }),
            0,
            "client-1",
        ),
        (
            "another address of ours",
            signed(ours, TokenRequest { base_url: "http://localhost", ..request() }),
            0,
            "client-1",
        ),
        ("missing", String::new(), 0, "Missing"),
        ("no token at all", "abc".to_owned(), 0, "Malformed"),
        ("signature cut off", cut.clone(), 0, "Malformed"),
        ("empty signature", format!("{cut}."), 0, "BadSignature"),
        ("too long", "a".repeat(20_000), 0, "Malformed"),
        ("unknown critical member", forged(&good, 0, "crit", json!(["b64"])), 0, "Malformed"),
        ("claim changed", forged(&good, 1, "appid", json!("root")), 0, "BadSignature"),
        ("lifetime changed", forged(&good, 1, "exp", json!(99_999_999_999_i64)), 0, "BadSignature"),
        ("algorithm none", forged(&good, 0, "alg", json!("none")), 0, "Malformed"),
        ("algorithm with shared secret", shared_secret, 0, "BadSignature"),
        ("key of somebody else", signed(other, request()), 0, "BadSignature"),
        (
            "other audience",
            signed(ours, TokenRequest { audience: "https://graph", ..request() }),
            0,
            "WrongAudience",
        ),
        (
            "other directory",
            signed(ours, TokenRequest { tenant: "other", ..request() }),
            0,
            "WrongIssuer",
        ),
        ("other issuer", forged(&good, 1, "iss", json!("https://evil")), 0, "WrongIssuer"),
        ("issuer missing", forged(&good, 1, "iss", json!(7)), 0, "Malformed"),
        ("expired", good.clone(), 3_600, "Expired"),
        ("within the skew", good.clone(), -60, "client-1"),
        ("not yet valid", good.clone(), -61, "NotYetValid"),
    ];
    for (fact, token, after_s, expected) in table {
        assert_eq!(outcome(&token, after_s).await, expected, "{fact}");
    }
}

#[tokio::test]
async fn an_issuer_lives_on_in_its_secret() {
    let secret = Issuer::new_secret().unwrap();
    let (before, after) =
        (Issuer::from_secret(&secret).unwrap(), Issuer::from_secret(&secret).unwrap());
    assert_eq!(before.jwks(), after.jwks());
    let tenant = TenantId::new(TENANT).unwrap();
    let audiences = vec![AUDIENCE.to_owned()];
    let builtin = BuiltIn { issuer: Arc::new(after), tenant, audiences };
    let verifier = Verifier::new(VerifierConfig { builtin: Some(builtin), external: vec![] });
    let token = signed(&before, request());
    assert_eq!(verifier.unwrap().verify(&token, now()).await.unwrap().as_str(), "client-1");
    assert!(Issuer::from_secret(b"-----BEGIN PRIVATE KEY-----").is_err());
}

#[test]
fn the_openid_document_names_what_clients_need() {
    let document = Issuer::openid_configuration("https://host:1", "t");
    for (member, expected) in [
        ("issuer", "https://host:1/t/v2.0"),
        ("authorization_endpoint", "https://host:1/t/oauth2/v2.0/authorize"),
        ("token_endpoint", "https://host:1/t/oauth2/v2.0/token"),
        ("jwks_uri", "https://host:1/t/discovery/v2.0/keys"),
    ] {
        assert_eq!(document[member], expected, "{member}");
    }
}

#[test]
fn a_token_carries_azures_claims() {
    let text = signed(&issuers()[0], request());
    let claims: Value = jsonwebtoken::dangerous::insecure_decode_claims(&text).unwrap();
    let at = now().seconds();
    let expected = json!({
        "aud": AUDIENCE, "iss": format!("https://127.0.0.1:8443/{TENANT}/v2.0"),
        "sub": "client-1", "oid": "client-1", "appid": "client-1", "azp": "client-1",
        "tid": TENANT, "idtyp": "app", "iat": at, "nbf": at, "exp": at + 3_600, "ver": "2.0",
    });
    assert_eq!(claims, expected);
    let key = &issuers()[0].jwks()["keys"][0];
    assert_eq!(
        (&key["kty"], &key["alg"], &key["use"]),
        (&json!("RSA"), &json!("RS256"), &json!("sig"))
    );
    assert!(key.get("d").is_none() && key["kid"].is_string(), "public members only");
}

#[test]
fn debug_shows_no_secret() {
    let secret = Issuer::new_secret().unwrap();
    let issuer = Issuer::from_secret(&secret).unwrap();
    let token = issuer.token(request(), now(), 60).unwrap();
    let shown = format!("{issuer:?} {token:?} {:?}", verifier());
    let pem = String::from_utf8(secret.to_vec()).unwrap();
    for line in pem.lines().filter(|line| line.len() > 32) {
        assert!(!shown.contains(line));
    }
    assert!(!shown.contains(token.text.as_str()));
}

#[test]
fn a_fault_of_the_caller_is_not_ours() {
    let kind = |error: AuthError| domain::Error::from(error).kind();
    let away = AuthError::Unreachable { issuer: "x".to_owned(), source: "away".into() };
    assert_eq!(kind(AuthError::Expired), domain::Kind::Unauthenticated);
    assert_eq!(kind(away), domain::Kind::Unavailable);
}
