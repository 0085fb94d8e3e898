//! How far a usage query and its callback are. All of this is ours: the contract knows nothing of
//! a query between its answer and its callback.

use crate::results::moment;
use serde::Serialize;
use service::{AttemptTold, CallbackState, CallbackTold, UsageQueryState, UsageQueryTold};

/// A query, as it stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Query {
    request_id: String,
    status: &'static str,
    progress: Progress,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// Until when its result can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    readable_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_message: Option<String>,
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<Callback>,
}

/// Steps of a query; both 0 until it is begun.
#[derive(Debug, Serialize)]
struct Progress {
    done: u64,
    all: u64,
}

/// A result on its way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Callback {
    id: String,
    url: String,
    status: &'static str,
    tries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    /// What came of the last try, or why there is none any more.
    outcome: String,
}

/// A try of a callback.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    number: u64,
    at: String,
    took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    outcome: String,
}

/// The states of queries, as they are told and asked for. One that ended is called what its
/// callback calls it.
pub(crate) const STATES: [(&str, UsageQueryState); 5] = [
    ("QUEUED", UsageQueryState::Queued),
    ("RUNNING", UsageQueryState::Running),
    ("SUCCESS", UsageQueryState::Succeeded),
    ("FAILED", UsageQueryState::Failed),
    ("CANCELLED", UsageQueryState::Cancelled),
];

const fn status(state: UsageQueryState) -> &'static str {
    match state {
        UsageQueryState::Queued => "QUEUED",
        UsageQueryState::Running => "RUNNING",
        UsageQueryState::Succeeded => "SUCCESS",
        UsageQueryState::Failed => "FAILED",
        UsageQueryState::Cancelled => "CANCELLED",
    }
}

const fn callback_status(state: CallbackState) -> &'static str {
    match state {
        CallbackState::Pending => "PENDING",
        CallbackState::Delivered => "DELIVERED",
        CallbackState::Dead => "DEAD",
        CallbackState::Cancelled => "CANCELLED",
    }
}

impl From<UsageQueryTold> for Query {
    fn from(told: UsageQueryTold) -> Query {
        let UsageQueryTold {
            id,
            state,
            progress: (done, all),
            created_at,
            ended_at,
            readable_until,
            rows,
            failure,
            callback,
            format,
        } = told;
        Query {
            request_id: id,
            status: status(state),
            progress: Progress { done, all },
            created_at: moment(created_at),
            ended_at: ended_at.map(moment),
            readable_until: readable_until.map(moment),
            total_rows: rows,
            failure_message: failure,
            format: format.name(),
            callback: callback.map(|told| Callback::of(told).0),
        }
    }
}

impl Callback {
    /// A callback, and its tries.
    pub(crate) fn of(told: CallbackTold) -> (Callback, Vec<Attempt>) {
        let CallbackTold { id, url, state, tries, next_at, outcome, attempts } = told;
        let status = callback_status(state);
        let callback = Callback { id, url, status, tries, next_at: next_at.map(moment), outcome };
        (callback, attempts.into_iter().map(Attempt::from).collect())
    }
}

impl From<AttemptTold> for Attempt {
    fn from(told: AttemptTold) -> Attempt {
        let AttemptTold { number, at, took_ms, status, outcome } = told;
        Attempt { number, at: moment(at), took_ms, http_status: status, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calendar::Instant;
    use domain::usage_queries::UsageFormat;
    use serde_json::json;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    #[test]
    fn every_state_can_be_asked_for_as_it_is_told() {
        for (name, state) in STATES {
            assert_eq!(status(state), name);
        }
    }

    #[test]
    fn a_query_is_told_with_its_callback() {
        let attempt = AttemptTold {
            number: 1,
            at: at("2026-04-06T08:00:01.25Z"),
            took_ms: 12,
            status: Some(503),
            outcome: "the receiver is busy".to_owned(),
        };
        let callback = CallbackTold {
            id: "c1".to_owned(),
            url: "https://receiver.example/hook".to_owned(),
            state: CallbackState::Pending,
            tries: 1,
            next_at: Some(at("2026-04-06T08:00:06Z")),
            outcome: "the receiver is busy".to_owned(),
            attempts: vec![attempt],
        };
        let told = UsageQueryTold {
            id: "B61D150B0F6596F68D88D253886432B5".to_owned(),
            state: UsageQueryState::Succeeded,
            progress: (3, 3),
            created_at: at("2026-04-06T08:00:00Z"),
            ended_at: Some(at("2026-04-06T08:00:01Z")),
            readable_until: Some(at("2026-04-13T08:00:01Z")),
            rows: Some(2),
            failure: None,
            callback: Some(callback.clone()),
            format: UsageFormat::Csv,
        };
        let written = serde_json::to_value(Query::from(told)).unwrap();
        let expected = json!({
            "requestId": "B61D150B0F6596F68D88D253886432B5",
            "status": "SUCCESS",
            "progress": { "done": 3, "all": 3 },
            "createdAt": "2026-04-06T08:00:00.000+0000",
            "endedAt": "2026-04-06T08:00:01.000+0000",
            "readableUntil": "2026-04-13T08:00:01.000+0000",
            "totalRows": 2,
            "format": "csv",
            "callback": {
                "id": "c1",
                "url": "https://receiver.example/hook",
                "status": "PENDING",
                "tries": 1,
                "nextAt": "2026-04-06T08:00:06.000+0000",
                "outcome": "the receiver is busy",
            },
        });
        assert_eq!(written, expected);
        let (_, attempts) = Callback::of(callback);
        let expected = json!([{
            "number": 1,
            "at": "2026-04-06T08:00:01.250+0000",
            "tookMs": 12,
            "httpStatus": 503,
            "outcome": "the receiver is busy",
        }]);
        assert_eq!(serde_json::to_value(attempts).unwrap(), expected);
    }

    #[test]
    fn what_is_not_known_yet_is_not_told() {
        let told = UsageQueryTold {
            id: "A".to_owned(),
            state: UsageQueryState::Queued,
            progress: (0, 0),
            created_at: at("2026-04-06T08:00:00Z"),
            ended_at: None,
            readable_until: None,
            rows: None,
            failure: None,
            callback: None,
            format: UsageFormat::Json,
        };
        let expected = json!({
            "requestId": "A",
            "status": "QUEUED",
            "progress": { "done": 0, "all": 0 },
            "createdAt": "2026-04-06T08:00:00.000+0000",
            "format": "json",
        });
        assert_eq!(serde_json::to_value(Query::from(told)).unwrap(), expected);
    }
}
