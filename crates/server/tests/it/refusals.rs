//! What is wrong before a handler sees it: refused in the shape of its surface, with a request id.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use crate::program::Server;
use futures::stream;
use reqwest::{Body, Method, RequestBuilder};
use serde_json::Value;

const TENANT: &str = "6f0c2a4e-0000-4000-8000-000000000001";
/// The default of `http.body_bytes`, and one more.
const TOO_LARGE_BYTES: usize = 16 * 1_024 * 1_024 + 1;

/// A body whose length is not announced.
fn chunked(bytes: usize) -> Body {
    let chunk = 64 * 1_024;
    let sizes = (0..bytes.div_ceil(chunk)).map(move |nth| chunk.min(bytes - nth * chunk));
    Body::wrap_stream(stream::iter(sizes.map(|size| Ok::<_, std::io::Error>(vec![b'x'; size]))))
}

/// Status and code: `error.code` of our own shape and ARM's, `error` of OAuth's.
async fn outcome(request: RequestBuilder) -> String {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let id =
        answer.headers().get("x-ms-request-id").map(|id| id.to_str().expect("text").to_owned());
    let kind = answer.headers().get("content-type").expect("a type").to_str().expect("text");
    assert!(kind.starts_with("application/json"), "{status} {kind}");
    assert!(uuid::Uuid::parse_str(&id.expect("a request id")).is_ok());
    let body: Value = answer.json().await.expect("JSON");
    match (&body["error"], &body["error_description"]) {
        (Value::String(code), Value::String(_)) => format!("{status} oauth {code}"),
        (error, _) => {
            assert!(error["message"].is_string(), "{body}");
            format!("{status} {}", error["code"].as_str().expect("a code"))
        }
    }
}

async fn what_is_wrong_before_a_handler_is_refused_in_shape(books: Books) {
    let installation = Installation::new(books, "USD", "");
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let to = |verb: Method, path: &str| {
        let url = format!("{}{path}", server.told("base_url"));
        server.client.request(verb, url).bearer_auth(&token)
    };
    let get = |path: &str| to(Method::GET, path);
    let version = "api-version=2015-06-01-preview";
    let tokens = format!("/{TENANT}/oauth2/v2.0/token");
    let form = "application/x-www-form-urlencoded";
    let long = "x".repeat(40_000);
    let aggregates = "/subscriptions/%ff%fe/providers/Microsoft.Commerce/UsageAggregates";
    let table = [
        (get(&format!("{aggregates}?{version}")), "400 BadRequest"),
        (get("/subscriptions/%ff%fe?api-version=2022-12-01"), "400 BadRequest"),
        (get("/%ff/v2.0/.well-known/openid-configuration"), "400 BadRequest"),
        (to(Method::DELETE, "/admin/v1/keys/%ff"), "400 invalid"),
        (to(Method::POST, &tokens).json(&1), "400 oauth invalid_request"),
        (to(Method::POST, &tokens), "400 oauth invalid_request"),
        (
            to(Method::POST, &tokens).header("content-type", form).body(chunked(TOO_LARGE_BYTES)),
            "400 oauth invalid_request",
        ),
        (
            to(Method::POST, "/intake/v1/events").body(chunked(TOO_LARGE_BYTES)),
            "413 body_too_large",
        ),
        (
            to(Method::POST, "/admin/v1/charges/query").body(chunked(TOO_LARGE_BYTES)),
            "413 body_too_large",
        ),
        (get(&format!("/admin/v1/keys?x={long}")), "414 url_too_long"),
        (get(&format!("/subscriptions/{long}")), "414 RequestUriTooLong"),
        (get(&format!("/{long}")), "414 RequestUriTooLong"),
        (get("/admin/v1/keys").header("x-a", &long).header("x-b", &long), "431 headers_too_large"),
        (
            get("/subscriptions").header("x-a", &long).header("x-b", &long),
            "431 RequestHeadersTooLarge",
        ),
    ];
    for (request, expected) in table {
        let shown = format!("{request:.200?}");
        assert_eq!(outcome(request).await, expected, "{shown}");
    }
    server.stop();
}

on_each_store!(what_is_wrong_before_a_handler_is_refused_in_shape);

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_refuses_a_wrong_move_of_its_clock_in_shape() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::demo(&directory.path().join("data"), None, &[]);
    let token = server.told("clients.owner.token");
    let url = format!("{}/admin/v1/demo/clock", server.told("base_url"));
    let post = || server.client.post(&url).bearer_auth(&token);
    for body in ["", "1", r#"{"seconds":"x"}"#, r#"{"minutes":1}"#] {
        assert_eq!(outcome(post().body(body)).await, "400 invalid", "{body}");
    }
    server.stop();
}
