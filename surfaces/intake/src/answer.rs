//! Verdicts, as they go over the wire.

use domain::usage::{Position, Verdict};
use serde::Serialize;
use service::{Taken, Unread};

/// Verdicts of a request, in the order of its records.
#[derive(Serialize)]
pub(crate) struct Answer {
    pub(crate) verdicts: Vec<Item>,
}

/// What became of one record.
#[derive(Serialize)]
pub(crate) struct Item {
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
}

impl From<Taken> for Item {
    fn from(Taken { verdict, position, unread }: Taken) -> Item {
        let position =
            position.map(|Position { shard, sequence, epoch: _ }| format!("{shard}:{sequence}"));
        let plain = |verdict| Item { verdict, reason: None, field: None, problem: None, position };
        match verdict {
            Verdict::Accepted => plain("accepted"),
            Verdict::Duplicate => plain("duplicate"),
            Verdict::Conflict => plain("conflict"),
            Verdict::Quarantined { reason, field } => {
                let (field, problem) = match unread {
                    Some(Unread { field, problem }) => (field, Some(problem)),
                    None => (field.to_owned(), None),
                };
                let (reason, field) = (Some(reason.name()), Some(field));
                Item { reason, field, problem, ..plain("quarantined") }
            }
            Verdict::Rejected { field, problem } => {
                Item { field: Some(field), problem: Some(problem), ..plain("rejected") }
            }
        }
    }
}
