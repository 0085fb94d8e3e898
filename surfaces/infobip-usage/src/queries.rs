//! Usage queries: the contract's one call, and ours around it: how far a query is, its result, the
//! tries of its callback.
//!
//! Source: `billing-usage-openapi.json`, query-billing-usage.

use crate::Usage;
use crate::asked;
use crate::sessions::not_kept;
use crate::told::{Attempt, Callback, Query, STATES};
use crate::viewing::Viewing;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::Error;
use domain::usage_queries::{UsageFault, UsageField, UsageFormat};
use httpkit::{Parameters, Path, Refusal, RequestId, Unhurried, WholeBody};
use serde::{Deserialize, Serialize};
use service::{Reckoner, UsageQueriesAsked, UsageQueryAsked, UsageQueryState};

/// The answer to a query: its callback will name it so.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Submitted {
    request_id: String,
}

/// Which queries to list, youngest first.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Listed {
    status: Option<String>,
    limit: Option<u64>,
    before: Option<String>,
}

/// A caller's queries; those before the last of them are asked for by its id.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queries {
    /// Of which data centre they tell: of this installation's alone.
    data_centre: String,
    queries: Vec<Query>,
}

/// The tries of a query's callback, oldest first.
#[derive(Debug, Serialize)]
pub(crate) struct Attempts {
    callback: Callback,
    attempts: Vec<Attempt>,
}

/// What callbacks to a company's receivers are signed with.
#[derive(Serialize)]
pub(crate) struct Secret {
    secret: String,
}

/// Takes a query; its result is sent when it is there.
pub(crate) async fn submit(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
    request_id: RequestId,
    WholeBody(body): WholeBody,
) -> Result<(StatusCode, Json<Submitted>), Refusal> {
    let reckoner = &usage.reckoner;
    let most = usize::try_from(reckoner.limits().usage_filter_values).unwrap_or(usize::MAX);
    let asked = asked::read(&body, most, &|asked: &UsageQueryAsked| faults(reckoner, asked))?;
    let told = reckoner.submit_usage_query(&caller, &asked, &request_id.to_string()).await;
    let told = told.map_err(as_spelled)?;
    Ok((StatusCode::CREATED, Json(Submitted { request_id: told.id })))
}

/// The caller's own queries with their callbacks.
pub(crate) async fn list(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
    Parameters(listed): Parameters<Listed>,
) -> Result<Json<Queries>, Refusal> {
    let all = usage.reckoner.usage_queries(&caller, &listed.asked()?).await?;
    let data_centre = usage.reckoner.data_centre().to_owned();
    Ok(Json(Queries { data_centre, queries: all.into_iter().map(Query::from).collect() }))
}

/// How far a query is.
pub(crate) async fn get(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
    Path(id): Path<String>,
) -> Result<Json<Query>, Refusal> {
    Ok(Json(usage.reckoner.usage_query(&caller, &id).await?.into()))
}

/// Ends a query that nobody needs any more, with what is owed of it.
pub(crate) async fn cancel(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
    request_id: RequestId,
    Path(id): Path<String>,
) -> Result<Json<Query>, Refusal> {
    let told = usage.reckoner.cancel_usage_query(&caller, &id, &request_id.to_string()).await?;
    Ok(Json(told.into()))
}

/// The result in the format that the query asked for, read while it is sent.
pub(crate) async fn result(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
    Path(id): Path<String>,
    _: Unhurried,
) -> Result<Response, Refusal> {
    let read = usage.reckoner.usage_result(&caller, &id).await?;
    let (media, ending) = match read.format {
        UsageFormat::Json => ("application/json", "json"),
        UsageFormat::Csv => ("text/csv; charset=utf-8", "csv"),
        UsageFormat::Parquet => ("application/vnd.apache.parquet", "parquet"),
    };
    let name = service::plain_name(&format!("usage-{id}.{ending}"));
    let headers = [
        (CONTENT_TYPE, media.to_owned()),
        (CONTENT_LENGTH, read.size_bytes.to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, Body::from_stream(read.into_stream())).into_response())
}

/// The tries of a query's callback.
pub(crate) async fn attempts(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
    Path(id): Path<String>,
) -> Result<Json<Attempts>, Refusal> {
    let told = usage.reckoner.usage_query(&caller, &id).await?;
    let callback = told.callback.ok_or_else(|| Error::not_found("callback of usage query", &id))?;
    let (callback, attempts) = Callback::of(callback);
    Ok(Json(Attempts { callback, attempts }))
}

/// Sends a result once more, from the first try on.
pub(crate) async fn resend(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
    request_id: RequestId,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Query>), Refusal> {
    let told = usage.reckoner.resend_usage_result(&caller, &id, &request_id.to_string()).await?;
    Ok((StatusCode::ACCEPTED, Json(told.into())))
}

/// What callbacks to the caller's company are signed with.
pub(crate) async fn secret(
    State(usage): State<Usage>,
    Viewing(caller): Viewing,
) -> Result<Response, Refusal> {
    let secret = usage.reckoner.callback_secret(&caller).await?;
    Ok(not_kept(Json(Secret { secret })))
}

/// What is wrong with a query that could be read: with where it goes, and with what it asks.
fn faults(reckoner: &Reckoner, asked: &UsageQueryAsked) -> Vec<UsageFault> {
    let UsageQueryAsked { callback_url, question, surface: _ } = asked;
    let callback = callback_url.as_deref().and_then(|url| reckoner.callback_fault(url));
    let callback = callback.map(|problem| UsageFault::new(UsageField::Callback, problem));
    callback.into_iter().chain(reckoner.usage_query_faults(question)).collect()
}

/// Says what the contract calls that which became wrong after it was read: a month ended.
fn as_spelled(error: Error) -> Error {
    match error {
        Error::Invalid { field, problem } => match field.as_str() {
            "callback_url" => Error::invalid("callbackUrl", problem),
            "question" => Error::invalid("request", problem),
            _ => Error::Invalid { field, problem },
        },
        other => other,
    }
}

impl Listed {
    /// Errors: [`Error::Invalid`] for a state that there is not.
    fn asked(self) -> Result<UsageQueriesAsked, Error> {
        let Listed { status, limit, before } = self;
        let state = status.map(|text| state(&text)).transpose()?;
        Ok(UsageQueriesAsked { state, limit, before })
    }
}

fn state(text: &str) -> Result<UsageQueryState, Error> {
    let found = STATES.iter().find(|(name, _)| *name == text);
    found.map(|(_, state)| *state).ok_or_else(|| {
        let names = STATES.map(|(name, _)| name).join(", ");
        Error::invalid("status", format!("is none of {names}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_listed_by_states_that_there_are() {
        let check = |text: &str, expected: Option<UsageQueryState>| {
            let listed = Listed { status: Some(text.to_owned()), ..Listed::default() };
            let found = listed.asked().ok().map(|asked| asked.state);
            assert_eq!(found, expected.map(Some), "{text}");
        };
        check("QUEUED", Some(UsageQueryState::Queued));
        check("SUCCESS", Some(UsageQueryState::Succeeded));
        check("CANCELLED", Some(UsageQueryState::Cancelled));
        check("success", None);
        check("", None);
    }

    #[test]
    fn the_published_answer_is_read_and_written_alike() {
        let published = r#"{"requestId":"B61D150B0F6596F68D88D253886432B5"}"#;
        let read: Submitted = serde_json::from_str(published).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), published);
    }
}
