//! Events: one request, many records.

use crate::answer::{Answer, Item};
use crate::cloud_events::{Attributes, Event, Fields};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use calendar::Instant;
use domain::access::Caller;
use domain::ids::SourceName;
use domain::{Error, Result};
use httpkit::{Asking, Path, Refusal, RequestId, WholeBody};
use serde::Deserialize;
use serde_json::value::RawValue;
use service::{Incoming, Reckoner};

/// Takes records in. Answers when everything accepted is durable: 200, one verdict a record.
pub(crate) async fn take(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    headers: HeaderMap,
    WholeBody(body): WholeBody,
) -> std::result::Result<Response, Refusal> {
    let records = split(&headers, &body)?;
    let now = reckoner.now();
    let read = |record: &Record<'_>| incoming(&reckoner, &caller, record, now);
    let incoming = records.iter().map(read).collect();
    let taken = reckoner.take_in_with(&caller, incoming, &request_id.to_string()).await?;
    let answer = Answer { verdicts: taken.into_iter().map(Item::from).collect() };
    Ok((StatusCode::OK, Json(answer)).into_response())
}

/// What a source says of itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportedUntil {
    billing_account: Option<String>,
    until: String,
}

/// Takes a source's word that it has reported everything before a moment.
pub(crate) async fn report_until(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    request_id: RequestId,
    Path(source): Path<String>,
    httpkit::JsonBody(body): httpkit::JsonBody<ReportedUntil>,
) -> std::result::Result<StatusCode, Refusal> {
    let source = SourceName::new(&source)?;
    let until = Instant::parse(&body.until).map_err(|e| Error::invalid("until", e.to_string()))?;
    let account = reckoner.account_of(&caller, &source, body.billing_account.as_deref())?;
    reckoner.report_until(&caller, (&source, &account), until, &request_id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One record's JSON, with attributes that came in headers.
struct Record<'a> {
    json: &'a str,
    attributes: Option<Attributes>,
}

/// Cuts a request into records by its content type.
fn split<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Vec<Record<'a>>> {
    let content_type =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid("body", "is not UTF-8"))?;
    let plain = |json| Record { json, attributes: None };
    match media.as_str() {
        "application/cloudevents-batch+json" => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| {
                Error::invalid("body", format!("is not a JSON array of events: {e}"))
            })?;
            Ok(items.into_iter().map(|item| plain(item.get())).collect())
        }
        "application/cloudevents+json" => Ok(vec![plain(whole(text)?)]),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            Ok(text.lines().filter(|line| !line.trim().is_empty()).map(plain).collect())
        }
        "application/json" => match Attributes::from_headers(headers)? {
            Some(attributes) => Ok(vec![Record { json: text, attributes: Some(attributes) }]),
            None => Ok(vec![plain(whole(text)?)]),
        },
        other => {
            let problem = format!(
                "`{other}` is not taken; send application/cloudevents+json, \
                 application/cloudevents-batch+json, application/x-ndjson, or application/json \
                 with ce- headers"
            );
            Err(Error::invalid("Content-Type", problem))
        }
    }
}

/// The text, if it is JSON: a lone event that is none has no key and is a wrong request.
fn whole(text: &str) -> Result<&str> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Error::invalid("body", format!("is not JSON: {error}"))),
    }
}

/// Reads one record; what cannot be read is told apart by whether it has a key.
fn incoming(reckoner: &Reckoner, caller: &Caller, record: &Record<'_>, now: Instant) -> Incoming {
    if let Some(problem) = reckoner.limits().record_problem(record.json.len()) {
        return Incoming::Keyless { field: "record".to_owned(), problem };
    }
    if record.attributes.is_none()
        && let Some(fields) = Fields::read(record.json)
        && let Ok(record) = fields.record(reckoner, caller)
    {
        return Incoming::Record(Box::new(record));
    }
    let raw = || match &record.attributes {
        Some(attributes) => attributes.structured(record.json),
        None => record.json.to_owned(),
    };
    match Event::read(record.json, record.attributes.clone()) {
        Ok(event) => event.incoming(reckoner, caller, raw, now),
        Err(unreadable) => unreadable.incoming(reckoner, caller, raw, now),
    }
}
