//! Configuration: each key is documented, and a limit that is lowered refuses.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop};
use crate::program::Server;
use reqwest::Response;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

/// The fields of a struct in a source file, one in a line.
fn fields(file: &str, name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).expect("a file of ours");
    let body = text.split_once(&format!("struct {name} {{\n")).expect("the struct").1;
    let body = body.split_once("\n}").expect("its end").0;
    let field = |line: &str| {
        let line = line.trim().trim_start_matches("pub(crate) ");
        let (name, _) = line.split_once(": ").filter(|_| !line.starts_with("//"))?;
        Some(name.to_owned())
    };
    body.lines().filter_map(field).collect()
}

#[test]
fn each_key_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let document = std::fs::read_to_string(path).expect("the document");
    let limits = fields("src/install.rs", "Limits");
    let wire = fields("src/wire.rs", "Wire");
    assert!(limits.contains(&"record_bytes".to_owned()) && wire.contains(&"body_bytes".to_owned()));
    let limits = limits.into_iter();
    let mut keys: Vec<String> =
        limits.chain(wire.iter().map(|key| format!("http.{key}"))).collect();
    keys.extend(fields("src/install.rs", "Close").iter().map(|key| format!("close.{key}")));
    keys.extend(fields("src/install.rs", "Keys").iter().map(|key| format!("keys.{key}")));
    keys.extend(fields("src/install.rs", "Reports").iter().map(|key| format!("reports.{key}")));
    keys.retain(|key| !document.contains(&format!("| `{key}` | ")));
    assert_eq!(keys, Vec::<String>::new(), "not in docs/configuration.md");
}

fn event(id: &str, resource: &str) -> String {
    let event = json!({
        "id": id,
        "source": "gate",
        "subscription": "5b0d1e9a-0000-4000-8000-000000000001",
        "resource": resource,
        "meter": "calls",
        "quantity": "1",
        "time": "2026-03-05T10:00:00Z",
    });
    event.to_string()
}

async fn send(server: &Server, key: &str, kind: &str, body: String) -> Response {
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key).body(body);
    request.header("content-type", kind).send().await.expect("an answer")
}

async fn a_record_larger_than_the_limit_is_rejected_and_the_others_are_taken(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let server = installation.serve(&[("RECKONER_LIMITS__RECORD_BYTES", "400")]);
    let body = [event("a", "r"), event("b", &"x".repeat(300)), event("c", "r")].join("\n");
    let answer = send(&server, &key, "application/x-ndjson", body.clone()).await;
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.expect("JSON");
    let verdicts = answer["verdicts"].as_array().expect("verdicts");
    let words: Vec<&str> = verdicts.iter().filter_map(|item| item["verdict"].as_str()).collect();
    assert_eq!(words, ["accepted", "rejected", "accepted"]);
    assert_eq!(verdicts[1]["field"], "record");
    let problem = verdicts[1]["problem"].as_str().expect("text");
    assert!(problem.ends_with("at most 400 are taken (limits.record_bytes)"), "{problem}");
    let unreadable = json!({ "id": "d", "source": "gate", "note": "x".repeat(400) }).to_string();
    let answer = send(&server, &key, "application/x-ndjson", unreadable).await;
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["verdicts"][0]["verdict"], "rejected", "{answer}");
    server.stop();
    let server = installation.serve(&[]);
    let answer = send(&server, &key, "application/x-ndjson", body).await;
    let answer: Value = answer.json().await.expect("JSON");
    let words: Vec<_> =
        (0..3).filter_map(|nth| answer["verdicts"][nth]["verdict"].as_str()).collect();
    assert_eq!(words, ["duplicate", "accepted", "duplicate"], "nothing of it was kept");
    server.stop();
}

on_each_store!(a_record_larger_than_the_limit_is_rejected_and_the_others_are_taken);

#[test]
fn an_import_with_a_record_larger_than_the_limit_counts_nothing() {
    let installation = Installation::new(Books::Sqlite, "USD", &shop(FLAT));
    let rows = format!(
        "SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,Currency,ChargeType,ResourceId\n\
         5b0d1e9a-0000-4000-8000-000000000001,2026-03-05,calls,2,0.2,USD,Usage,small\n\
         5b0d1e9a-0000-4000-8000-000000000001,2026-03-05,calls,2,0.2,USD,Usage,{}\n",
        "x".repeat(900)
    );
    let file = installation.file("usage.csv", &rows);
    let config = installation.file("small.toml", "[limits]\nrecord_bytes = 900\n");
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let (file, config) = (text(&file), text(&config));
    let format = ["--source", "gate", "--format", "azure-usage-details-csv"];
    let import = [&["import", "--yes", &file][..], &format].concat();
    let said = installation.refused(&[&import[..], &["--config", &config]].concat());
    assert!(said.contains("at most 900 are taken (limits.record_bytes)"), "{said}");
    assert_eq!(installation.query("meter"), Vec::<Value>::new());
    installation.run(&import);
    assert_eq!(installation.query("meter").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_limit_of_the_wire_refuses() {
    let installation = Installation::new(Books::Sqlite, "USD", &shop(FLAT));
    let settings = [
        ("RECKONER_HTTP__BODY_BYTES", "500"),
        ("RECKONER_HTTP__URL_BYTES", "300"),
        ("RECKONER_HTTP__HEADER_BYTES", "2000"),
        ("RECKONER_LIMITS__FILTER_BYTES", "10"),
    ];
    let key = installation.key("gate");
    let server = installation.serve(&settings);
    let token = installation.token(&server).await;
    let large = send(&server, &key, "application/json", "x".repeat(501)).await;
    assert_eq!(large.status(), 413);
    let get = |path: &str| server.get(path, Some(&token));
    let status = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    assert_eq!(status(get("/admin/v1/keys")).await.0, 200);
    assert_eq!(status(get(&format!("/admin/v1/keys?{}", "x".repeat(300)))).await.0, 414);
    let headers = get("/admin/v1/keys").header("x-a", "x".repeat(2_000));
    assert_eq!(status(headers).await.0, 431);
    let card = "/subscriptions/5b0d1e9a-0000-4000-8000-000000000001/providers/Microsoft.Commerce\
        /RateCard?api-version=2015-06-01-preview&$filter=Currency%20eq%20%27USD%27";
    let (code, said) = status(get(card)).await;
    assert!(code == 400 && said.contains("longer than 10 bytes (limits.filter_bytes)"), "{said}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_number_of_requests_and_time_for_an_answer_refuse() {
    let installation = Installation::new(Books::Sqlite, "USD", &shop(FLAT));
    let settings =
        [("RECKONER_HTTP__REQUESTS_AT_ONCE", "1"), ("RECKONER_HTTP__ANSWER_SECONDS", "2")];
    let key = installation.key("gate");
    let server = installation.serve(&settings);
    let url = server.told("http_url");
    let (_, address) = url.split_once("://").expect("a URL");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let head = "POST /intake/v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n";
    write!(stream, "{head}Authorization: Bearer {key}\r\n\r\n").expect("a connection");
    let asked = async || {
        let answer = server.get("/admin/v1/keys", None).send().await.expect("an answer");
        answer.status().as_u16()
    };
    let mut tries = 0;
    while asked().await != 503 {
        tries += 1;
        assert!(tries < 10_000, "a second request is refused");
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 503", "its body did not come in time");
    assert_eq!(asked().await, 401, "the place is given back");
    server.stop();
}

#[test]
fn limits_that_cannot_be_are_refused() {
    let installation = Installation::new(Books::Sqlite, "USD", &shop(FLAT));
    let check = |text: &str, expected: &str| {
        let config = installation.file("wrong.toml", text);
        let config = config.to_str().expect("a plain path");
        let said = installation.refused(&["serve", "--listen", "127.0.0.1:0", "--config", config]);
        assert!(said.contains(expected), "{text}: {said}");
    };
    check("[http]\nconnections = 0\n", "must be at least 1");
    check("[http]\nidle_seconds = 0\n", "must be at least 1");
    check("[http]\nurl_bytes = 60001\n", "http.url_bytes: must be at most 60000");
    check("[http]\nheader_bytes = 300000\n", "together must be at most");
    check("[http]\nbody_byte = 1\n", "body_byte");
    check("[keys]\nlifetime_days = 0\n", "keys.lifetime_days_most: must be at least 1");
    check("[keys]\nsession_minutes = 0\n", "keys.lifetime_days_most: must be at least 1");
    check("[keys]\nsession_minutes = 1441\n", "keys.session_minutes: must be at most 1440");
    check("second_person = [\"usage:read\"]\n", "`usage:read` is never asked of a second person");
    check("second_person = [\"repricing\"]\n", "second_person: `repricing` is no action");
}
