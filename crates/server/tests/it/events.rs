//! Usage as CloudEvents through the real server: each mode, each verdict, each refusal.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop};
use crate::program::Server;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::io::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Another account, a meter without a price, a source of both accounts.
const MORE: &str = r#"
[[billing_account]]
id = "globex"
name = "Globex"
currency = "USD"
region = "US"

[[meter]]
id = "free"
name = "Without a price"
category = "Voice"
unit = "Calls"

[[source]]
name = "door"
billing_accounts = ["acme", "globex"]
"#;

/// How it is sent, what, and what becomes of each record. A record is `id meter quantity`, with
/// another subscription behind `@` and more members of its data behind the quantity.
type Sent = (&'static str, &'static str, &'static str);

/// In the order in which they are sent: what came before decides.
const SENT: &[Sent] = &[
    ("structured", "s1 calls 1", "accepted 0:0"),
    ("structured", "s1 calls 1", "duplicate 0:0"),
    ("structured", "s1 calls 1.000", "duplicate 0:0"),
    ("structured", "s1 calls 3", "conflict 0:1"),
    ("structured", "s1 calls 3", "conflict 0:1"),
    ("structured", "s1 calls 4", "conflict 0:2"),
    ("binary", "h1 calls 1", "accepted 0:3"),
    ("binary", "h1 calls 1", "duplicate 0:3"),
    ("structured", "h1 calls 1", "duplicate 0:3"),
    ("binary", "h1 calls 2", "conflict 0:4"),
    ("binary", "h2 unknown 1", "quarantined unknown_meter meter 0:5"),
    ("binary", "h3 calls {", "quarantined unreadable data EOF while parsing an object 0:6"),
    ("binary", "h3 calls {", "duplicate 0:6"),
    (
        "batch",
        "b1 calls 1; b1 calls 1; b1 calls 2; b2 unknown 1; b3 free 1; b4 calls \"many\"; \
         b5 calls@nobody 1; b6 calls 1 \"colour\":\"red\"; b7 calls \"-0.000000000000000001\"",
        "accepted 0:7; duplicate 0:7; conflict 0:8; quarantined unknown_meter meter 0:9; \
         quarantined no_price meter 0:10; quarantined bad_quantity quantity `many` is not a decimal number 0:11; \
         quarantined no_subscription subscription 0:12; \
         quarantined unreadable colour is no member that is known 0:13; accepted 0:14",
    ),
    ("batch", "", ""),
    ("lines", "n1 calls 7; b1 calls 7; n1 calls 7", "accepted 0:15; conflict 0:16; duplicate 0:15"),
    ("structured", "5€ calls 1", "accepted 0:17"),
    ("binary", "5€ calls 1", "duplicate 0:17"),
    (
        "batch",
        "w1 calls 1 \"start\":\"soon\"; w2 calls 1 \"reported_at\":\"later\"; \
         w3 calls 1 \"amends\":{\"id\":\"\",\"actor\":\"a\",\"reason\":\"r\"}; \
         w4 calls 1 \"resource\":5; w5 calls 1 \"withdraws\":7; \
         w6 calls 1 \"dimensions\":{\"colour\":\"red\"}",
        "quarantined unreadable start `soon` is not a time such as 2026-03-01T00:00:00Z 0:18; \
         quarantined unreadable reported_at `later` is not a time such as 2026-03-01T00:00:00Z \
         0:19; quarantined unreadable amends id: must not be empty 0:20; \
         quarantined unreadable resource invalid type: integer `5`, expected a string 0:21; \
         quarantined unreadable withdraws invalid type: integer `7`, expected struct Amends 0:22; \
         quarantined unreadable dimensions `colour` is no dimension; use a tag 0:23",
    ),
];

/// Data of an event: see [`Sent`].
fn data(meter: &str, quantity: &str, more: &str) -> String {
    let shop = "5b0d1e9a-0000-4000-8000-000000000001";
    let (meter, subscription) = meter.split_once('@').unwrap_or((meter, shop));
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    format!(r#"{{"subscription":"{subscription}","meter":"{meter}","quantity":{quantity}{more}}}"#)
}

/// An event of the source `gate`: see [`Sent`]. Gives its id and its data too.
fn event(record: &str) -> (String, String, String) {
    let mut words = record.split_whitespace();
    let mut word = || words.next().unwrap_or_default();
    let (id, data) = (word().to_owned(), data(word(), word(), word()));
    let whole = format!(r#"{{"specversion":"1.0","type":"usage","source":"gate","id":"{id}","#,)
        + &format!(r#""time":"2026-03-01T10:00:00Z","data":{data}}}"#);
    (whole, id, data)
}

fn structured(record: &str) -> String {
    event(record).0
}

/// Headers and body of some records, sent in a mode.
fn request(how: &str, records: &str) -> (HeaderMap, String) {
    let records: Vec<&str> = records.split(';').filter(|one| !one.trim().is_empty()).collect();
    let wholes: Vec<String> = records.iter().copied().map(structured).collect();
    match how {
        "structured" => (headers(&[("content-type", STRUCTURED)]), wholes.concat()),
        "batch" => (headers(&[("content-type", BATCH)]), format!("[{}]", wholes.join(","))),
        "lines" => (headers(&[("content-type", LINES)]), wholes.join("\n\n")),
        "binary" => {
            let (_, id, data) = event(records[0]);
            let id = id.replace('€', "%E2%82%AC");
            let attributes = [
                ("content-type", "application/json"),
                ("ce-specversion", "1.0"),
                ("ce-type", "usage"),
                ("ce-source", "gate"),
                ("ce-id", id.as_str()),
                ("ce-time", "2026-03-01T10:00:00Z"),
            ];
            (headers(&attributes), data)
        }
        other => panic!("no mode `{other}`"),
    }
}

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const LINES: &str = "application/x-ndjson";

fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.append(*name, value.parse().expect("a header"));
    }
    headers
}

async fn send(
    server: &Server,
    key: &str,
    headers: HeaderMap,
    body: impl Into<Vec<u8>>,
) -> (u16, Value) {
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let mut request = server.client.post(url).headers(headers).body(body.into());
    if !key.is_empty() {
        request = request.bearer_auth(key);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let id = answer.headers().get("x-ms-request-id").expect("a request id").to_str().expect("text");
    assert!(uuid::Uuid::parse_str(id).is_ok(), "{id}");
    assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401);
    (status, answer.json().await.expect("JSON"))
}

/// Verdicts as [`SENT`] spells them; each has these members and no others.
fn verdicts(answer: &Value) -> String {
    const MEMBERS: [&str; 5] = ["verdict", "reason", "field", "problem", "position"];
    let shown = |item: &Value| {
        let item = item.as_object().expect("an object");
        let known = MEMBERS.iter().filter_map(|name| item.get(*name));
        let words: Vec<&str> = known.map(|value| value.as_str().expect("text")).collect();
        assert_eq!(words.len(), item.len(), "{item:?}");
        words.join(" ")
    };
    let items = answer["verdicts"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1), "{answer}");
    items.iter().map(shown).collect::<Vec<_>>().join("; ")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

on_each_store!(each_record_has_its_verdict_in_order_in_every_mode);
async fn each_record_has_its_verdict_in_order_in_every_mode(books: Books) {
    let installation = Installation::new(books, "USD", &(shop(FLAT) + MORE));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    for (how, records, expected) in SENT {
        let (headers, body) = request(how, records);
        let (status, answer) = send(&server, &key, headers, body).await;
        assert_eq!((status, verdicts(&answer).as_str()), (200, *expected), "{how} {records}");
    }
    server.stop();
}

on_each_store!(members_beside_each_other_are_an_event_too);
async fn members_beside_each_other_are_an_event_too(books: Books) {
    let installation = Installation::new(books, "USD", &(shop(FLAT) + MORE));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let flat = |id: &str| {
        let members = format!(r#"{{"source":"gate","id":"{id}","time":"2026-03-01T10:00:00Z","#);
        data("calls", "1", "").replacen('{', &members, 1)
    };
    let json = headers(&[("content-type", "application/json")]);
    let lines = headers(&[("content-type", LINES)]);
    let (_, answer) = send(&server, &key, json, flat("e1")).await;
    assert_eq!(verdicts(&answer), "accepted 0:0");
    let (_, answer) = send(&server, &key, lines, [flat("e2"), flat("e1")].join("\n")).await;
    assert_eq!(verdicts(&answer), "accepted 0:1; duplicate 0:0");
    let (headers, body) = request("structured", "e1 calls 1");
    let (_, answer) = send(&server, &key, headers, body).await;
    assert_eq!(verdicts(&answer), "duplicate 0:0", "the same usage, however it is spelled");
    server.stop();
}

on_each_store!(what_has_no_key_is_rejected_and_spoils_nothing);
async fn what_has_no_key_is_rejected_and_spoils_nothing(books: Books) {
    let installation = Installation::new(books, "USD", &(shop(FLAT) + MORE));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let whole = structured("e1 calls 1");
    let records = [
        whole.replace(r#""id":"e1","#, ""),
        whole.replace(r#""source":"gate","#, ""),
        "7".to_owned(),
        whole.clone(),
    ];
    let body = format!("[{}]", records.join(","));
    let (status, answer) = send(&server, &key, headers(&[("content-type", BATCH)]), body).await;
    let expected = "rejected id is required; rejected source is required; \
                    rejected event must be a JSON object; accepted 0:0";
    assert_eq!((status, verdicts(&answer).as_str()), (200, expected));
    server.stop();
}

/// Whose key, how it is packed, what is sent, and the answer; `…` stands for what another library
/// says of the fault.
type Refused = (&'static str, &'static str, &'static str, &'static str);

const REFUSED: &[Refused] = &[
    ("", "", "good", "401 unauthenticated not signed in: no credential was sent"),
    ("rk_live_none", "", "good", "401 unauthenticated not signed in: …"),
    ("{door}", "", "good", "403 forbidden usage:send is not allowed here"),
    ("{reader}", "", "good", "403 forbidden usage:send is not allowed here"),
    ("{globex}", "", "door's", "404 not_found billing account `acme` does not exist"),
    ("{gate}", "", "{", "400 invalid body: is not JSON: …"),
    ("{gate}", "", "two", "400 invalid body: is not JSON: …"),
    ("{gate}", "", "[good", "400 invalid body: is not a JSON array of events: …"),
    ("{gate}", "", "no array", "400 invalid body: is not a JSON array of events: …"),
    ("{gate}", "", "no text", "400 invalid body: is not UTF-8"),
    ("{gate}", "", "plain", "400 invalid Content-Type: `text/plain` is not taken; …"),
    ("{gate}", "gzip", "bomb", "413 body_too_large the body is larger than 16777216 bytes"),
    (
        "{gate}",
        "gzip, gzip",
        "bomb",
        "415 unsupported_encoding Content-Encoding `gzip, gzip` is not taken; send gzip, or none",
    ),
    (
        "{gate}",
        "br",
        "good",
        "415 unsupported_encoding Content-Encoding `br` is not taken; send gzip, or none",
    ),
    (
        "{gate}",
        "gzip|identity",
        "good",
        "415 unsupported_encoding Content-Encoding `gzip, identity` is not taken; send gzip, or none",
    ),
    ("{gate}", "gzip", "good", "400 invalid body: is not the gzip that Content-Encoding says"),
    ("{gate}", "gzip", "half", "400 invalid body: is not the gzip that Content-Encoding says"),
];

/// Content type and body of what [`REFUSED`] names.
fn wrong(what: &str) -> (&'static str, Vec<u8>) {
    let good = structured("e1 calls 1");
    let for_acme = |source: &str| {
        let named = good.replace(r#""data":{"#, r#""data":{"billing_account":"acme","#);
        named.replace(r#""source":"gate""#, &format!(r#""source":"{source}""#))
    };
    let long = vec![b' '; 16 * 1024 * 1024 + 1];
    match what {
        "good" => (STRUCTURED, for_acme("gate").into()),
        "door's" => (STRUCTURED, for_acme("door").into()),
        "{" => (STRUCTURED, b"{".to_vec()),
        "two" => (STRUCTURED, [good.clone(), good].concat().into()),
        "[good" => (BATCH, format!("[{good}").into()),
        "no array" => (BATCH, good.into()),
        "no text" => (STRUCTURED, vec![0xff, 0xfe]),
        "plain" => ("text/plain", good.into()),
        "bomb" => (STRUCTURED, gzip(&long)),
        "half" => (STRUCTURED, gzip(good.as_bytes())[..40].to_vec()),
        other => panic!("nothing is `{other}`"),
    }
}

on_each_store!(whole_requests_are_refused_in_the_shape_of_intake);
async fn whole_requests_are_refused_in_the_shape_of_intake(books: Books) {
    let installation = Installation::new(books, "USD", &(shop(FLAT) + MORE));
    let key = |account: &str, source: &str, action: &str| {
        let own = ["key", "--principal", "sender", "--billing-account", account];
        let more = ["--source", source, "--action", action];
        installation.run(&[own.as_slice(), &more].concat()).trim().to_owned()
    };
    let keys = [
        ("{gate}", key("acme", "gate", "usage:send")),
        ("{door}", key("acme", "door", "usage:send")),
        ("{globex}", key("globex", "door", "usage:send")),
        ("{reader}", key("acme", "gate", "quarantine:read")),
    ];
    let server = installation.serve(&[]);
    for (who, packing, what, expected) in REFUSED {
        let key = keys.iter().find(|(name, _)| name == who).map_or(*who, |(_, key)| key);
        let (kind, body) = wrong(what);
        let mut given = vec![("content-type", kind)];
        let packings = packing.split('|').filter(|packing| !packing.is_empty());
        given.extend(packings.map(|packing| ("content-encoding", packing)));
        let (status, answer) = send(&server, key, headers(&given), body).await;
        let text = |name: &str| answer["error"][name].as_str().unwrap_or_default().to_owned();
        let found = format!("{status} {} {}", text("code"), text("message"));
        let matches = match expected.strip_suffix('…') {
            Some(head) => found.starts_with(head),
            None => found == *expected,
        };
        assert!(matches, "{who} {packing} {what}: {found}\nexpected {expected}");
    }
    // None of it was kept.
    let (headers, body) = request("structured", "e1 calls 1");
    let (status, answer) = send(&server, &keys[0].1, headers, body).await;
    assert_eq!((status, verdicts(&answer).as_str()), (200, "accepted 0:0"));
    server.stop();
}

/// Spoken by hand: a client that goes on sending may meet the closed connection before the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_too_long_is_refused_before_it_comes() {
    let installation = Installation::new(Books::Sqlite, "USD", &(shop(FLAT) + MORE));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let url = server.told("http_url");
    let host = url.strip_prefix("http://").expect("an address");
    let length = 16 * 1024 * 1024 + 1;
    let head = format!(
        "POST /intake/v1/events HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
         content-type: {STRUCTURED}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(host).await.expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let body = "{\"error\":{\"code\":\"body_too_large\",\
                \"message\":\"the body is larger than 16777216 bytes\"}}";
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with(body), "{answer}");
    server.stop();
}

on_each_store!(packed_events_are_taken_like_plain_ones);
async fn packed_events_are_taken_like_plain_ones(books: Books) {
    let installation = Installation::new(books, "USD", &(shop(FLAT) + MORE));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let lines = |range: std::ops::Range<u32>| -> String {
        range.map(|id| structured(&format!("{id} calls 1")) + "\n").collect()
    };
    let (first, second) = (lines(0..4_000), lines(4_000..8_000));
    let packed = gzip(first.as_bytes());
    assert!(packed.len() * 10 < first.len());
    // Two members behind each other are one body too.
    let members = [packed.clone(), gzip(second.as_bytes())].concat();
    for (how, body, accepted, duplicate) in
        [("gzip", packed, 4_000, 0), ("X-GZIP", members, 4_000, 4_000)]
    {
        let headers = headers(&[("content-type", LINES), ("content-encoding", how)]);
        let (status, answer) = send(&server, &key, headers, body).await;
        assert_eq!(status, 200, "{answer}");
        let counted = |name: &str| {
            let items = answer["verdicts"].as_array().expect("verdicts");
            items.iter().filter(|item| item["verdict"] == name).count()
        };
        assert_eq!((counted("accepted"), counted("duplicate")), (accepted, duplicate), "{how}");
    }
    server.stop();
}
