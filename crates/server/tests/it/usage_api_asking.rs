//! Asking the usage API over HTTP: who asks, what is asked, and what became of it.

use crate::program::Server;
use money::Fixed18;
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

/// Where usage is asked for.
pub(crate) const QUERY: &str = "/billing/1/usage/query";

/// The measures, which stand behind the columns of every answer, with their types.
/// Source: `infobip.md` section 6.
pub(crate) const MEASURES: [(&str, &str); 5] = [
    ("UNIT_TYPE", "STRING"),
    ("UNIT_PRICE", "NUMBER"),
    ("QUANTITY", "NUMBER"),
    ("TOTAL_PER_UNIT", "NUMBER"),
    ("CURRENCY", "STRING"),
];

/// The word for what is not there.
pub(crate) const MISSING: &str = "N/A";

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Asking<'a> {
    pub(crate) server: &'a Server,
    /// What stands in `Authorization`; nothing stands there if it is empty.
    pub(crate) credential: String,
}

impl<'a> Asking<'a> {
    /// With an API key.
    pub(crate) fn with_key(server: &'a Server, key: &str) -> Asking<'a> {
        Asking { server, credential: format!("App {key}") }
    }

    /// With the key of the demo's company.
    pub(crate) fn of_demo(server: &'a Server) -> Asking<'a> {
        Asking::with_key(server, &server.told("usage_api.api_key"))
    }

    pub(crate) fn request(&self, verb: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.server.told("base_url"));
        let request = self.server.client.request(verb, url);
        match self.credential.as_str() {
            "" => request,
            credential => request.header(AUTHORIZATION, credential),
        }
    }

    /// Status and body of an answer; null for a body that is no JSON.
    pub(crate) async fn ask(&self, verb: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = self.request(verb, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("bytes");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Asks for a query that is taken; its id.
    pub(crate) async fn submit(&self, query: &Value) -> String {
        let (status, told) = self.ask(Method::POST, QUERY, Some(query)).await;
        assert_eq!(status, 201, "{query}: {told}");
        let id = told["requestId"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
        let is_digit = |one: char| one.is_ascii_digit() || ('A'..='F').contains(&one);
        assert!(id.len() == 32 && id.chars().all(is_digit), "{id} is not 32 upper-case digits");
        id
    }

    /// A query as it stands.
    pub(crate) async fn told(&self, id: &str) -> Value {
        let (status, told) = self.ask(Method::GET, &format!("{QUERY}/{id}"), None).await;
        assert_eq!(status, 200, "{id}: {told}");
        assert_eq!(told["requestId"], id, "{told}");
        told
    }

    /// Waits until a query has ended.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        self.until(id, |told| !matches!(word(told, "/status"), "QUEUED" | "RUNNING")).await
    }

    /// Waits until nothing is owed to a query's receiver any more.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        let is_over = |told: &Value| {
            !matches!(word(told, "/status"), "QUEUED" | "RUNNING")
                && !matches!(word(told, "/callback/status"), "PENDING" | "")
        };
        self.until(id, is_over).await
    }

    pub(crate) async fn until(&self, id: &str, is_over: impl Fn(&Value) -> bool) -> Value {
        let mut told = Value::Null;
        for _ in 0..6_000 {
            told = self.told(id).await;
            if is_over(&told) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{id} does not come to its end: {told}");
    }

    /// The kept bytes of a query that succeeded, and their type.
    pub(crate) async fn result(&self, id: &str) -> (String, Vec<u8>) {
        let request = self.request(Method::GET, &format!("{QUERY}/{id}/result"));
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let media = answer.headers().get("content-type").cloned().expect("a type");
        let body = answer.bytes().await.expect("bytes").to_vec();
        assert_eq!(status, 200, "{id}: {}", String::from_utf8_lossy(&body));
        (media.to_str().expect("text").to_owned(), body)
    }

    /// Asks, waits, and reads what it comes to.
    pub(crate) async fn answer(&self, query: &Value) -> Value {
        let id = self.submit(query).await;
        let told = self.ended(&id).await;
        assert_eq!(word(&told, "/status"), "SUCCESS", "{query}: {told}");
        let (media, body) = self.result(&id).await;
        assert!(media.starts_with("application/json"), "{media}");
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&answer["requestId"], &answer["status"]), (&json!(id), &json!("SUCCESS")));
        answer
    }

    /// The secret that callbacks are signed with.
    pub(crate) async fn secret(&self) -> String {
        let path = "/billing/1/usage/callback-secret";
        let (status, told) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{told}");
        let secret = told["secret"].as_str().unwrap_or_else(|| panic!("{told}"));
        assert!(secret.starts_with("whsec_"), "it begins as such secrets do");
        secret.to_owned()
    }
}

/// A member that is text; empty where there is none.
pub(crate) fn word<'a>(told: &'a Value, pointer: &str) -> &'a str {
    told.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A query of some days, the last one exclusive.
pub(crate) fn query(url: &str, (since, until): (&str, &str), columns: &[&str]) -> Value {
    json!({
        "callbackUrl": url,
        "request": {
            "filterBy": { "dateInterval": { "sentSince": since, "sentUntil": until } },
            "aggregateBy": columns,
            "options": { "includeUnfinalizedData": true },
        },
    })
}

/// The same, with something asked beyond the contract.
pub(crate) fn with_options(mut query: Value, options: Value) -> Value {
    query["request"]["options"]["reckoner"] = options;
    query
}

/// The same, with a filter.
pub(crate) fn with_filter(mut query: Value, name: &str, values: Value) -> Value {
    query["request"]["filterBy"][name] = values;
    query
}

/// The names of an answer's columns.
pub(crate) fn columns(answer: &Value) -> Vec<&str> {
    let columns = answer["response"]["columns"].as_array().unwrap_or_else(|| panic!("{answer}"));
    columns.iter().map(|one| one["columnName"].as_str().expect("a name")).collect()
}

/// The rows of an answer, of which there are as many as it says.
pub(crate) fn rows(answer: &Value) -> &[Value] {
    let rows = answer["response"]["rows"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(answer["response"]["totalRows"], json!(rows.len()), "{answer}");
    rows
}

/// A number as exactly as it stands there.
pub(crate) fn number(value: &Value) -> Fixed18 {
    assert!(value.is_number(), "{value} is no number");
    Fixed18::parse(&value.to_string()).unwrap_or_else(|_| panic!("{value} is no decimal"))
}

/// The sum of an answer's totals.
pub(crate) fn total(answer: &Value) -> Fixed18 {
    let at = columns(answer).iter().position(|name| *name == "TOTAL_PER_UNIT").expect("totals");
    Fixed18::checked_sum(rows(answer).iter().map(|row| number(&row[at]))).expect("a sum")
}

/// A key of an installation with rights and places of its account `acme`.
pub(crate) async fn made_key(
    server: &Server,
    operator: &str,
    actions: &[&str],
    places: &[&str],
) -> String {
    let places: Vec<String> =
        places.iter().map(|id| format!("acme/messaging-account/{id}")).collect();
    let wanted = json!({
        "principal": "reports", "actions": actions, "billing_accounts": ["acme"],
        "places": places,
    });
    let url = format!("{}/keys", server.told("admin.url"));
    let answer = server.client.post(url).bearer_auth(operator).json(&wanted).send().await;
    let told: Value = answer.expect("an answer").json().await.expect("JSON");
    told["key"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}
