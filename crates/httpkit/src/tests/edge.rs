//! Every answer, whatever went wrong.

use super::{ask, edge, frame, get, https, text};
use crate::{
    Asking, BaseUrl, Edge, Forwarded, Frame, Group, JsonBody, Path, Refusal, RequestId, Unhurried,
    WholeBody,
};
use axum::Router;
use axum::body::Body;
use domain::{Error, Kind};
use futures::StreamExt;
use http::Request;
use serde::Deserialize;
use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

#[derive(Deserialize)]
struct Input {
    a: Vec<u8>,
}

fn group() -> Group<()> {
    Group::new()
        .get("Things_List", "/things", "", async || "list")
        .post("Things_Add", "/things", "", async |JsonBody(input): JsonBody<Input>| {
            format!("{} items", input.a.len())
        })
        .put("Things_Send", "/things", "/raw", async |WholeBody(body): WholeBody| {
            body.len().to_string()
        })
        .get("Things_Who", "/things", "/who", async |Asking(caller): Asking| caller.actor())
        .get("Things_Where", "/things", "/where", async |base: BaseUrl| base.to_string())
        .get("Things_Id", "/things", "/id", async |id: RequestId| id.to_string())
        .get("Things_Fail", "/things", "/fail/{kind}", fail)
        .delete("Things_Panic", "/things", "/panic", panics)
        .get("Things_Wait", "/things", "/wait", std::future::pending::<&'static str>)
        .get("Things_Read", "/things", "/read/{seconds}", read_long)
        .get("Things_Warn", "/things", "/warn", warns)
        .get("Things_Name", "/things", "/name/{name}", async |Path(name): Path<String>| name)
        .rest("")
}

async fn read_long(Path(seconds): Path<u64>, _: Unhurried) -> &'static str {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    "read"
}

async fn fail(Path(kind): Path<String>) -> Result<(), Refusal> {
    Err(match kind.as_str() {
        "missing" => Error::not_found("thing", "x"),
        "forbidden" => Error::Forbidden { action: "things:read" },
        "busy" => Error::Unavailable { problem: "read-only for now".to_owned() },
        "often" => Error::TooMany { retry_after_s: 17 },
        "much" => Error::TooMuch { limit: "a page", most: 10, key: "limits.page" },
        _ => Error::internal("reading the thing", io::Error::other("secret-disk-name")),
    }
    .into())
}

async fn warns() -> &'static str {
    tracing::warn!("canary in the handler");
    "warned"
}

async fn panics() -> &'static str {
    panic!("secret-panic-text")
}

fn app() -> Router {
    https(edge().around(frame().around(group().into_router())))
}

/// `status body-or-message`, and the request id as a must.
async fn outcome(app: &Router, request: Request<Body>) -> String {
    let response = ask(app, request).await;
    let id = response.headers().get("x-ms-request-id").map(|id| id.to_str().unwrap().to_owned());
    assert_eq!(id.as_deref(), Some("00000000-0000-0000-0000-000000000007"));
    let status = response.status().as_u16();
    let mut shown = format!("{status}");
    for name in ["allow", "retry-after", "www-authenticate"] {
        if let Some(value) = response.headers().get(name) {
            shown.push_str(&format!(" {name}={}", value.to_str().unwrap()));
        }
    }
    format!("{shown} {}", text(response).await)
}

fn sent(verb: &str, uri: &str, body: &'static str) -> Request<Body> {
    let stream = futures::stream::iter(body.as_bytes().chunks(4).map(Ok::<_, io::Error>));
    Request::builder().method(verb).uri(uri).body(Body::from_stream(stream)).unwrap()
}

#[tokio::test]
async fn every_answer_has_a_shape_and_an_id() {
    let app = app();
    let check = async |request: Request<Body>, expected: &str| {
        let shown = format!("{} {}", request.method(), request.uri());
        assert_eq!(outcome(&app, request).await, expected, "{shown}");
    };
    let refused = |code: &str, message: &str| {
        format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#)
    };
    let own = "something failed on our side; the log has it under this request id";
    check(get("/things"), "200 list").await;
    check(get("/things/id"), "200 00000000-0000-0000-0000-000000000007").await;
    check(get("/no"), &format!("404 {}", refused("not_found", "nothing is served at `/no`"))).await;
    let wrong = refused("method_not_allowed", "`TRACE` is not served at this path");
    check(sent("TRACE", "/things", ""), &format!("405 allow=GET,HEAD,POST {wrong}")).await;
    check(sent("DELETE", "/things/panic", ""), &format!("500 {}", refused("internal", own))).await;
    let missing = refused("not_found", "thing `x` does not exist");
    check(get("/things/fail/missing"), &format!("404 {missing}")).await;
    let forbidden = refused("forbidden", "things:read is not allowed here");
    check(get("/things/fail/forbidden"), &format!("403 {forbidden}")).await;
    let busy = refused("unavailable", "read-only for now");
    check(get("/things/fail/busy"), &format!("503 retry-after=5 {busy}")).await;
    let often = refused("too_many", "too many requests; try again in 17 s");
    check(get("/things/fail/often"), &format!("429 retry-after=17 {often}")).await;
    let much = refused("too_much", "a page is at most 10; set `limits.page` to change it");
    check(get("/things/fail/much"), &format!("400 {much}")).await;
    check(get("/things/fail/disk"), &format!("500 {}", refused("internal", own))).await;
}

#[tokio::test]
async fn an_answer_waits_for_the_body_that_nobody_reads() {
    let app = app();
    let check = async |uri: &str, (name, value): (&str, &str), expected: usize| {
        let left = Arc::new(Mutex::new(9));
        let chunks = Arc::clone(&left);
        let body = futures::stream::iter(0..9).map(move |_| {
            *chunks.lock().unwrap() -= 1;
            Ok::<_, io::Error>("1234")
        });
        let body = Body::from_stream(body);
        let request = Request::post(uri).header(name, value).body(body).unwrap();
        let shown = outcome(&app, request).await;
        assert_eq!(*left.lock().unwrap(), expected, "{uri} {name}: {value}: {shown}");
    };
    check("/no", ("transfer-encoding", "chunked"), 0).await;
    check("/no", ("content-length", "36"), 0).await;
    // Over the limit of the frame, by its announced length and by what comes.
    check("/things", ("content-length", "36"), 0).await;
    check("/things", ("transfer-encoding", "chunked"), 0).await;
    check("/no", ("content-length", "3000000"), 9).await;
    check("/no", ("expect", "100-continue"), 9).await;
}

#[tokio::test]
async fn bodies_are_read_to_their_limit_and_named_by_field() {
    let app = app();
    let check = async |request: Request<Body>, expected: &str| {
        let shown = outcome(&app, request).await;
        assert!(shown.contains(expected), "{shown} has not {expected}");
    };
    check(sent("POST", "/things", r#"{"a":[1,2,3]}"#), "200 3 items").await;
    check(sent("POST", "/things", r#"{"a":[1,999]}"#), r#""message":"a[1]: invalid value"#).await;
    check(sent("POST", "/things", r#"{"b":1}"#), r#""message":"a: must be there""#).await;
    // serde alone would take the members of an array in their order.
    let says = r#""message":"body: invalid type: sequence, expected an object""#;
    check(sent("POST", "/things", "[[1,2,3]]"), says).await;
    check(sent("POST", "/things", "null"), "body: invalid type: null, expected an object").await;
    check(sent("POST", "/things", r#"{"a":[]} x"#), "body: trailing characters").await;
    check(sent("POST", "/things", ""), "400 ").await;
    let large = r#"413 {"error":{"code":"body_too_large","message":"the body is larger than 16"#;
    check(sent("POST", "/things", r#"{"a":[1,2,3,4,5,6]}"#), large).await;
    check(sent("PUT", "/things/raw", "0123456789abcdef"), "200 16").await;
    check(sent("PUT", "/things/raw", "0123456789abcdefg"), large).await;
    let announced = Request::put("/things/raw").header("content-length", "17");
    check(announced.body(Body::from("12345678901234567")).unwrap(), large).await;
}

#[tokio::test]
async fn paths_and_heads_are_refused_in_shape() {
    let app = app();
    let check = async |request: Request<Body>, expected: &str| {
        let shown = outcome(&app, request).await;
        assert!(shown.starts_with(expected), "{shown} does not begin with {expected}");
    };
    check(get("/things/name/a%20b"), "200 a b").await;
    let wrong = r#"400 {"error":{"code":"invalid","message":"path: "#;
    check(get("/things/name/%ff%fe"), wrong).await;
    let (fits, long) = ("x".repeat(51), "x".repeat(52));
    check(get(&format!("/things/name/{fits}")), &format!("200 {fits}")).await;
    let too_long =
        r#"414 {"error":{"code":"url_too_long","message":"path and query are longer than 64"#;
    check(get(&format!("/things/name/{long}")), too_long).await;
    check(get(&format!("/things?{long}{long}")), too_long).await;
    check(get(&format!("/no/{long}{long}")), too_long).await;
    let with = |name: &'static str, value: String, times: usize| {
        let mut request = get("/things");
        for _ in 0..times {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    };
    check(with("x-a", "b".repeat(200), 1), "200 list").await;
    let too_large =
        r#"431 {"error":{"code":"headers_too_large","message":"the headers are more than 256"#;
    check(with("x-a", "b".repeat(256), 1), too_large).await;
    check(with("a", String::new(), 64), too_large).await;
}

#[tokio::test]
async fn only_the_known_may_ask() {
    let app = app();
    let with = |header: &str| {
        let mut request = get("/things/who");
        request.headers_mut().insert("authorization", header.parse().unwrap());
        request
    };
    let mut twice = with("Bearer alice");
    twice.headers_mut().append("authorization", "Bearer alice".parse().unwrap());
    assert_eq!(outcome(&app, with("Bearer alice")).await, "200 alice");
    for request in [with("Bearer bob"), get("/things/who"), twice] {
        let shown = outcome(&app, request).await;
        assert!(shown.starts_with("401 www-authenticate=Bearer "), "{shown}");
    }
}

#[tokio::test]
async fn our_address_is_the_one_the_client_used() {
    let near = app();
    let trusting = Edge { forwarded: Forwarded::Trusted, ..edge() };
    let behind = https(trusting.around(frame().around(group().into_router())));
    let plain_http = edge().around(frame().around(group().into_router()));
    let check = async |app: &Router, headers: &[(&'static str, &str)], expected: &str| {
        let mut request = Request::get("/things/where").body(Body::empty()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let shown = outcome(app, request).await;
        assert!(shown.starts_with(expected), "{headers:?}: {shown}");
    };
    let proxied = [
        ("host", "10.0.0.1"),
        ("x-forwarded-host", "bill.example, inner"),
        ("x-forwarded-proto", "https"),
    ];
    check(&near, &[("host", "a.test:8443")], "200 https://a.test:8443").await;
    check(&near, &[("host", "[::1]:8443")], "200 https://[::1]:8443").await;
    check(&plain_http, &[("host", "127.0.0.1:80")], "200 http://127.0.0.1:80").await;
    check(&near, &proxied, "200 https://10.0.0.1").await;
    check(&behind, &proxied, "200 https://bill.example").await;
    check(&behind, &[("host", "a"), ("x-forwarded-proto", "http")], "200 http://a").await;
    check(&behind, &[("host", "a"), ("x-forwarded-proto", "ftp")], "400 ").await;
    check(&near, &[("host", "user@a.test")], "400 ").await;
    check(&near, &[("host", "a b")], "400 ").await;
    check(&near, &[], "400 ").await;
}

#[tokio::test]
async fn each_answer_is_told_with_its_surface() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let observe: crate::Observe = Arc::new(move |answered: crate::Answered| {
        let status = answered.status.as_u16();
        kept.lock().unwrap().push(format!("{} {status}", answered.surface));
    });
    let own = Group::new().get("Own_Get", "/own", "", async || "own").rest("/own");
    let own = crate::Surface::new("own", own, (), frame()).router;
    let others: Router = frame().around(group().into_router());
    let app = https(Edge { observe, ..edge() }.around(own.merge(others)));
    for path in ["/own", "/own/no", "/things", "/things/fail/disk"] {
        outcome(&app, get(path)).await;
    }
    assert_eq!(*seen.lock().unwrap(), ["own 200", "own 404", "none 200", "none 500"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_refused() {
    let app = app();
    let shown = outcome(&app, get("/things/wait")).await;
    assert!(shown.starts_with("503 retry-after=5 ") && shown.contains("within 60 s"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_reads_everything_has_more_time_and_not_for_ever() {
    let app = app();
    assert_eq!(outcome(&app, get("/things/read/3599")).await, "200 read");
    let shown = outcome(&app, get("/things/read/3601")).await;
    assert!(shown.starts_with("503 retry-after=5 ") && shown.contains("within 3600 s"), "{shown}");
}

#[tokio::test]
async fn an_unknown_address_is_refused_by_the_surface_below_whose_root_it_is() {
    let shout: crate::Render = |refusal| {
        let status = http::StatusCode::NOT_FOUND;
        axum::response::IntoResponse::into_response((status, format!("LOUD {refusal}")))
    };
    let own = Group::new().get("Own_Get", "/own", "/all/{thing}", async || "part").rest("/own");
    let own: Router = Frame { render: shout, ..frame() }.around(own.into_router());
    let others: Router = frame().around(group().into_router());
    let app = https(edge().around(own.merge(others)));
    let check = async |path: &str, expected: &str| {
        let shown = outcome(&app, get(path)).await;
        assert!(shown.starts_with(expected), "{path}: {shown}");
    };
    check("/own/all/a", "200 part").await;
    check("/own", "404 LOUD nothing is served at `/own`").await;
    check("/own/", "404 LOUD nothing").await;
    check("/own/a", "404 LOUD nothing").await;
    check("/own/all/a/of", "404 LOUD nothing").await;
    check("/ownership", "404 {\"error\":").await;
    check("/things/no", "404 {\"error\":").await;
    check("/", "404 {\"error\":").await;
}

#[tokio::test(start_paused = true)]
async fn a_full_house_refuses_at_the_door() {
    let app = app();
    let waiting = || outcome(&app, get("/things/wait"));
    let third = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        outcome(&app, get("/things")).await
    };
    let (_, _, third) = tokio::join!(waiting(), waiting(), third);
    assert!(third.contains("the service is busy"), "{third}");
    assert_eq!(outcome(&app, get("/things")).await, "200 list", "places are given back");
}

#[tokio::test]
async fn an_address_is_rewritten_before_its_route_is_found() {
    let rewrites: Vec<crate::Rewrite> =
        vec![Arc::new(|uri| (uri.path() == "/THINGS").then(|| "/things".parse().unwrap()))];
    let app = Edge { rewrites, ..edge() }.around(frame().around(group().into_router()));
    assert_eq!(outcome(&app, get("/THINGS")).await, "200 list");
}

#[tokio::test]
async fn a_surface_without_its_edge_fails_closed() {
    let bare: Router = Frame::around(frame(), group().into_router());
    let response = ask(&bare, get("/things/who")).await;
    assert_eq!(response.status().as_u16(), 500);
    assert_eq!(Error::internal("x", "y").kind(), Kind::Internal);
}

thread_local! {
    /// What this test's thread has logged: each test runs on a thread of its own.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to log. One subscriber for all: whether a place in the code is of interest to anybody is
/// kept for all threads, so subscribers of single threads would hide each other's lines.
fn log() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(|| Log)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
    LOGGED.take();
}

fn logged() -> String {
    String::from_utf8(LOGGED.take()).unwrap()
}

#[tokio::test]
async fn a_warning_below_the_edge_shows_the_request_id() {
    log();
    assert_eq!(outcome(&app(), get("/things/warn")).await, "200 warned");
    let text = logged();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("WARN")).collect();
    let [line] = lines.as_slice() else { panic!("{text}") };
    assert!(line.contains("canary in the handler"), "{line}");
    assert!(line.contains("00000000-0000-0000-0000-000000000007"), "{line}");
}

#[tokio::test]
async fn the_log_has_the_cause_and_no_secret() {
    log();
    let app = app();
    outcome(&app, get("/things/fail/disk?signature=canary-query")).await;
    let mut request = get("/things/who?token=canary-query");
    request.headers_mut().insert("authorization", "Bearer canary-token".parse().unwrap());
    outcome(&app, request).await;
    outcome(&app, sent("POST", "/things", "canary-body")).await;
    let text = logged();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.contains(r#""target":"access""#)).count(), 3);
    let failed = lines.iter().find(|line| line.contains("ERROR")).unwrap();
    assert!(failed.contains("reading the thing failed: secret-disk-name"), "{failed}");
    assert!(lines.iter().all(|line| line.contains("00000000-0000-0000-0000-000000000007")));
    assert!(!text.contains("canary"), "{text}");
}
