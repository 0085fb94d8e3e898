//! Under which names a server is reached: its certificate, its tokens, its links.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop};
use crate::program::{self, Server};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;

/// Whether a client that knows the server by a name, and trusts its authority, reaches it.
async fn reaches(server: &Server, name: &str) -> bool {
    let url = server.told("base_url");
    let (_, address) = url.split_once("://").expect("a URL");
    let address: SocketAddr = address.parse().expect("an address");
    let pem = fs::read(server.told("ca_file")).expect("an authority");
    let client = Client::builder()
        .tls_certs_only([Certificate::from_pem(&pem).expect("a certificate")])
        .resolve(name, address)
        .build()
        .expect("a client");
    let answer = client.get(format!("https://{name}:{}/livez", address.port())).send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

async fn the_certificate_names_what_is_configured(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let authority = || fs::read(installation.data().join("tls/ca.pem")).expect("an authority");
    let server = installation.serve(&[]);
    assert!(reaches(&server, "localhost").await);
    assert!(!reaches(&server, "bill.test").await);
    server.stop();
    let first = authority();
    let names = ("RECKONER_HTTP__NAMES", r#"["bill.test", "Other.Test"]"#);
    let server = installation.serve(&[names]);
    for name in ["localhost", "bill.test", "other.test"] {
        assert!(reaches(&server, name).await, "{name}");
    }
    server.stop();
    let second = authority();
    assert_ne!(first, second, "the certificate is made again");
    for settings in [&[names][..], &[]] {
        let server = installation.serve(settings);
        assert!(reaches(&server, "bill.test").await);
        server.stop();
        assert_eq!(authority(), second, "it names enough");
    }
}

on_each_store!(the_certificate_names_what_is_configured);

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_be_for_a_name() {
    let installation = Installation::new(Books::Sqlite, "USD", &shop(FLAT));
    let check = async |server: &Server, audience: &str| {
        installation.token_for(server, audience).await.is_some()
    };
    let server = installation.serve(&[]);
    assert!(!check(&server, "https://bill.test").await);
    server.stop();
    let server = installation.serve(&[("RECKONER_HTTP__NAMES", r#"["bill.test"]"#)]);
    assert!(check(&server, "https://bill.test").await);
    let port = server.told("base_url");
    let port = port.rsplit_once(':').expect("a port").1;
    assert!(check(&server, &format!("https://bill.test:{port}")).await);
    assert!(!check(&server, "https://other.test").await);
    server.stop();
}

#[test]
fn a_name_is_a_host() {
    let installation = Installation::new(Books::Sqlite, "USD", &shop(FLAT));
    for name in ["https://bill.test", "bill.test:443", "bill.test/a", ""] {
        let said = installation.refused(&["serve", "--listen", "127.0.0.1:0", "--name", name]);
        assert!(said.contains("is no name of a host"), "{name}: {said}");
    }
}

/// The link to the next page of usage, as a proxy on plain HTTP asks for it.
async fn next_link(server: &Server, token: &str) -> String {
    let path = "/subscriptions/5b0d1e9a-0000-4000-8000-000000000001/providers/Microsoft.Commerce\
        /UsageAggregates?api-version=2015-06-01-preview&reportedStartTime=2026-03-01T00:00:00Z\
        &reportedEndTime=2026-03-10T00:00:00Z";
    let request = server.client.get(format!("{}{path}", server.told("http_url")));
    let request = request.bearer_auth(token);
    let request = request.header("x-forwarded-proto", "https");
    let answer = request.header("x-forwarded-host", "bill.example").send().await;
    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    answer["nextLink"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_follow_a_proxy_that_is_trusted_and_nobody_else() {
    let installation = Installation::new(Books::Sqlite, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let settings = |forwarded: &'static str| {
        [("RECKONER_HTTP__FORWARDED", forwarded), ("RECKONER_LIMITS__PAGE_ROWS", "2")]
    };
    let server = installation.serve(&settings("ignored"));
    let event = |nth: u64| {
        let event = json!({
            "id": format!("e-{nth}"),
            "source": "gate",
            "subscription": "5b0d1e9a-0000-4000-8000-000000000001",
            "resource": format!("r-{nth}"),
            "meter": "calls",
            "quantity": "1",
            "start": "2026-03-03T00:00:00Z",
            "end": "2026-03-04T00:00:00Z",
            "reported_at": "2026-03-04T01:00:00Z",
        });
        event.to_string()
    };
    let body = (0..5).map(event).collect::<Vec<_>>().join("\n");
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key).body(body);
    let request = request.header("content-type", "application/x-ndjson");
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    let token = installation.token(&server).await;
    let link = next_link(&server, &token).await;
    let own = format!("{}/subscriptions/", server.told("http_url"));
    assert!(link.starts_with(&own), "{link}");
    server.stop();
    let server = installation.serve(&settings("trusted"));
    let token = installation.token(&server).await;
    let link = next_link(&server, &token).await;
    assert!(link.starts_with("https://bill.example/subscriptions/"), "{link}");
    server.stop();
    let said = program::refused(
        &["serve", "--listen", "127.0.0.1:0", "--data", &installation.data().to_string_lossy()],
        &[("RECKONER_HTTP__FORWARDED", "perhaps")],
    );
    assert!(said.contains("expected ``ignored` or `trusted``"), "{said}");
}
