//! Addresses that nothing is served at: refused in the shape of the surface they seem to mean.

use crate::books::Books;
use crate::installation::Installation;
use crate::program::Server;
use reqwest::{Method, Response};

/// The shape of our own surfaces.
const OURS: &str = "application/json";
/// The shape of ARM, and with it the correlation id.
const ARM: &str = "application/json; charset=utf-8";

/// Verb, path, status, shape, code.
const TABLE: &[(Method, &str, u16, &str, &str)] = &[
    (Method::GET, "/admin", 404, OURS, "not_found"),
    (Method::GET, "/admin/", 404, OURS, "not_found"),
    (Method::GET, "/admin/v1", 404, OURS, "not_found"),
    (Method::GET, "/admin/v1/nothing", 404, OURS, "not_found"),
    (Method::POST, "/admin/v1/keys/k/nothing", 404, OURS, "not_found"),
    (Method::DELETE, "/admin/v2/keys?x=1", 404, OURS, "not_found"),
    (Method::DELETE, "/admin/v1/keys", 405, OURS, "method_not_allowed"),
    (Method::GET, "/admin/v1/keys", 401, OURS, "unauthenticated"),
    (Method::GET, "/intake", 404, OURS, "not_found"),
    (Method::POST, "/intake/v1/nothing", 404, OURS, "not_found"),
    (Method::POST, "/intake/v1/sources/gate/nothing", 404, OURS, "not_found"),
    (Method::GET, "/intake/v1/events", 405, OURS, "method_not_allowed"),
    (Method::GET, "/", 404, ARM, "NotFound"),
    (Method::GET, "/nothing", 404, ARM, "NotFound"),
    (Method::GET, "/administration", 404, ARM, "NotFound"),
    (Method::PUT, "/subscriptions/s/nothing", 404, ARM, "NotFound"),
    (Method::GET, "/subscriptions/s/providers/Microsoft.Commerce/nothing", 404, ARM, "NotFound"),
    (Method::GET, "/SUBSCRIPTIONS/s/Providers/Microsoft.Billing/x", 404, ARM, "NotFound"),
    (Method::PUT, "/subscriptions", 405, ARM, "MethodNotAllowed"),
];

async fn ask(server: &Server, verb: &Method, path: &str) -> Response {
    let url = format!("{}{path}", server.told("base_url"));
    let request = server.client.request(verb.clone(), url);
    let request = request
        .header("x-ms-correlation-request-id", "corr-1")
        .header("x-ms-client-request-id", "mine")
        .header("x-ms-return-client-request-id", "true");
    request.send().await.expect("an answer")
}

/// Status, content type, code, whether there is a request id, and the ids given back.
async fn outcome(response: Response) -> String {
    let header = |name: &str| {
        let value = response.headers().get(name).map(|value| value.to_str().expect("text"));
        value.unwrap_or("none").to_owned()
    };
    let id = uuid::Uuid::parse_str(&header("x-ms-request-id"));
    let headers = [
        header("content-type"),
        id.map_or("no id", |_| "an id").to_owned(),
        header("x-ms-correlation-request-id"),
        header("x-ms-client-request-id"),
    ];
    let status = response.status().as_u16();
    let body: serde_json::Value = response.json().await.expect("JSON");
    let code = body["error"]["code"].as_str().unwrap_or("no code").to_owned();
    assert!(body["error"]["message"].is_string(), "{body}");
    format!("{status} {code}; {}", headers.join("; "))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_is_refused_in_the_shape_of_its_surface() {
    let installation = Installation::new(Books::Sqlite, "USD", "");
    let server = installation.serve(&[]);
    let mut wrong = Vec::new();
    for (verb, path, status, shape, code) in TABLE {
        let ids = if *shape == ARM { "corr-1; mine" } else { "none; none" };
        let expected = format!("{status} {code}; {shape}; an id; {ids}");
        let found = outcome(ask(&server, verb, path).await).await;
        if found != expected {
            wrong.push(format!("{verb} {path}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.stop();
}
