//! Tokens of other issuers, on a loopback server that counts how often it is asked.

use super::{issuers, now};
use crate::{ExternalIssuer, Issuer, TokenRequest, Verifier, VerifierConfig};
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const AUDIENCE: &str = "api://reckoner";

struct Directory {
    base_url: String,
    asked: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
    rolled: Arc<AtomicBool>,
}

/// Serves the first issuer's keys until `rolled`, then the second's.
async fn directory() -> Directory {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, away) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let rolled = Arc::new(AtomicBool::new(false));
    let document = Issuer::openid_configuration(&base_url, "t");
    let keys = {
        let (asked, away, rolled) = (Arc::clone(&asked), Arc::clone(&away), Arc::clone(&rolled));
        move || async move {
            asked.fetch_add(1, Ordering::SeqCst);
            if away.load(Ordering::SeqCst) {
                return Err(axum::http::StatusCode::BAD_GATEWAY);
            }
            Ok(Json(issuers()[usize::from(rolled.load(Ordering::SeqCst))].jwks()))
        }
    };
    let router = Router::new()
        .route("/t/v2.0/.well-known/openid-configuration", get(|| async { Json(document) }))
        .route("/t/discovery/v2.0/keys", get(keys));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Directory { base_url, asked, away, rolled }
}

fn config(base_url: &str) -> ExternalIssuer {
    ExternalIssuer {
        name: "corp".to_owned(),
        issuer: format!("{base_url}/t/v2.0"),
        audiences: vec![AUDIENCE.to_owned()],
        jwks_uri: None,
        principal_claim: "oid".to_owned(),
        authorities: None,
        ask_every_s: ExternalIssuer::ASK_EVERY_S,
    }
}

fn verifier(external: Vec<ExternalIssuer>) -> Result<Verifier, crate::AuthError> {
    // A second installation of the same provider is refused, and harmless.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Verifier::new(VerifierConfig { builtin: None, external })
}

fn token(issuer: &Issuer, base_url: &str) -> String {
    let request = TokenRequest { base_url, tenant: "t", client_id: "alice", audience: AUDIENCE };
    issuer.token(request, now(), 1_000_000).unwrap().text.to_string()
}

async fn outcome(verifier: &Verifier, token: &str, after_s: i64) -> String {
    match verifier.verify(token, now().plus_seconds(after_s)).await {
        Ok(principal) => principal.to_string(),
        Err(error) => format!("{error:?}").split(' ').next().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn keys_are_discovered_kept_and_renewed_with_measure() {
    let directory = directory().await;
    let [first, second] = issuers();
    let old = token(first, &directory.base_url);
    let new = token(second, &directory.base_url);
    let verifier = verifier(vec![config(&directory.base_url)]).unwrap();
    let table: [(&str, &str, i64, bool, bool, &str, usize); 9] = [
        ("discovered", &old, 0, false, false, "corp/alice", 1),
        ("kept", &old, 10, false, false, "corp/alice", 1),
        ("unknown key, asked a moment ago", &new, 20, false, true, "BadSignature", 1),
        ("unknown key, asked again", &new, 31, false, true, "corp/alice", 2),
        ("withdrawn key", &old, 62, false, true, "BadSignature", 3),
        ("old keys, issuer away", &new, 3_700, true, true, "corp/alice", 4),
        ("old keys, away, not asked at once", &new, 3_710, true, true, "corp/alice", 4),
        ("keys of yesterday, issuer away", &new, 90_000, true, true, "Unreachable", 5),
        ("back again", &new, 90_030, false, true, "corp/alice", 6),
    ];
    for (fact, token, after_s, away, rolled, expected, asked) in table {
        directory.away.store(away, Ordering::SeqCst);
        directory.rolled.store(rolled, Ordering::SeqCst);
        assert_eq!(outcome(&verifier, token, after_s).await, expected, "{fact}");
        assert_eq!(directory.asked.load(Ordering::SeqCst), asked, "{fact}: times asked");
    }
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_believed() {
    let directory = directory().await;
    let alias = directory.base_url.replace("127.0.0.1", "localhost");
    let verifier = verifier(vec![config(&alias)]).unwrap();
    let outcome = outcome(&verifier, &token(&issuers()[0], &alias), 0).await;
    assert_eq!(outcome, "Unreachable");
    assert_eq!(directory.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_discovery_document_cannot_point_where_it_likes() {
    let check = |issuer: &str, jwks_uri: &str, expected: Result<(), &str>| {
        let config = config(issuer);
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let all = crate::external::External::all(vec![config.clone()]).unwrap();
        let document = serde_json::json!({ "issuer": config.issuer, "jwks_uri": jwks_uri });
        let found = all[0].keys_of(&document).map(drop).map_err(|cause| cause.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{issuer}: {jwks_uri}");
    };
    let (public, here) = ("https://login.example", "http://127.0.0.1:1");
    check(public, "https://login.example/keys", Ok(()));
    check(public, "https://keys.example/", Ok(()));
    check(here, "http://127.0.0.1:2/keys", Ok(()));
    check(here, "https://keys.example/", Ok(()));
    check(public, "http://keys.example/", Err("`http://keys.example/` must be https"));
    check(here, "http://keys.example/", Err("`http://keys.example/` must be https"));
    check(public, "file:///etc/passwd", Err("`file:///etc/passwd` must be https"));
    check(public, "keys", Err("`keys` is not an address"));
    for inside in ["http://127.0.0.1:2/keys", "https://localhost/keys", "http://[::1]/keys"] {
        check(public, inside, Err("the discovery document points at this machine"));
    }
}

#[tokio::test]
async fn given_keys_need_no_discovery() {
    let directory = directory().await;
    let issuer = "https://issuer.invalid/t/v2.0".to_owned();
    let jwks_uri = Some(format!("{}/t/discovery/v2.0/keys", directory.base_url));
    let given = ExternalIssuer { issuer, jwks_uri, ..config("") };
    let verifier = verifier(vec![given]).unwrap();
    let token = token(&issuers()[0], "https://issuer.invalid");
    assert_eq!(outcome(&verifier, &token, 0).await, "corp/alice");
}

#[test]
fn an_issuer_that_cannot_be_trusted_is_refused_at_the_start() {
    let named =
        |name: &str, base_url: &str| ExternalIssuer { name: name.to_owned(), ..config(base_url) };
    let with_keys = |jwks_uri: &str| ExternalIssuer {
        jwks_uri: Some(jwks_uri.to_owned()),
        ..config("https://login.example")
    };
    let (mut hurried, mut bare) = (config("https://a"), config("https://a"));
    hurried.ask_every_s = 0;
    bare.authorities = Some(b"no certificate".to_vec());
    let table: [(&str, Vec<ExternalIssuer>, bool); 12] = [
        ("keys by https", vec![with_keys("https://keys.example/")], true),
        ("keys by http", vec![with_keys("http://keys.example/")], false),
        ("a name before the host", vec![config("https://me@login.example")], false),
        ("a part behind the path", vec![with_keys("https://keys.example/#1")], false),
        ("asked all the time", vec![hurried], false),
        ("no authority in its file", vec![bare], false),
        ("https", vec![config("https://login.example")], true),
        ("http on this machine", vec![config("http://127.0.0.1:1")], true),
        ("http elsewhere", vec![config("http://login.example")], false),
        ("no address", vec![config("login")], false),
        ("two of one name", vec![config("https://a"), config("https://b")], false),
        ("a name with a slash", vec![named("a/b", "https://a")], false),
    ];
    for (fact, external, taken) in table {
        assert_eq!(verifier(external).is_ok(), taken, "{fact}");
    }
}
