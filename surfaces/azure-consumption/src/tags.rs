//! Tags: those that stand at what was used at a scope, in the open billing period and the one
//! before.

use crate::at::Version;
use crate::details_asked::whole;
use crate::resource::{Resource, members};
use crate::scopes::{Question, SCOPE};
use crate::{Consumption, PROVIDER};
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use calendar::BillingPeriod;
use domain::Error;
use httpkit::Group;
use service::DetailTold;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn group(_: Version) -> Group<Consumption> {
    Group::new().get("Tags_Get", &format!("{SCOPE}{PROVIDER}"), "/tags", get)
}

async fn get(
    State(consumption): State<Consumption>,
    question: Question,
) -> Result<Response, ArmError> {
    let reckoner = &consumption.reckoner;
    let Question { caller, at: _, spot } = &question;
    let open = BillingPeriod::of(reckoner.now());
    let days = open.previous().start().day()..open.end().day();
    let mut found = Found::at_most(reckoner.limits().answer_rows);
    let mut details = reckoner.details_stream(caller, &whole(spot, days)).await?;
    while let Some(some) = details.next().await? {
        found.add(&some)?;
    }
    if found.tags.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(view(&spot.id, found.tags)).into_response())
}

/// Values by their keys.
type Tags = BTreeMap<String, BTreeSet<String>>;

/// What was found, and how much of it.
struct Found {
    tags: Tags,
    values: u64,
    most: u64,
}

impl Found {
    const fn at_most(most: u64) -> Found {
        Found { tags: BTreeMap::new(), values: 0, most }
    }

    /// Errors: [`Error::TooMuch`] for more values than an answer may have.
    fn add(&mut self, details: &[DetailTold]) -> Result<(), Error> {
        for (key, value) in details.iter().flat_map(|told| &told.tags) {
            if self.tags.get(key).is_some_and(|values| values.contains(value)) {
                continue;
            }
            self.values = self.values.saturating_add(1);
            if self.values > self.most {
                let key = "limits.answer_rows";
                return Err(Error::TooMuch { limit: "tags of an answer", most: self.most, key });
            }
            self.tags.entry(key.clone()).or_default().insert(value.clone());
        }
        Ok(())
    }
}

members! {
    /// `TagProperties`.
    TagProperties {
        tags: Vec<Tag>,
        next_link: String,
        previous_link: String,
    }
}

members! {
    /// `Tag`.
    Tag {
        key: String,
        value: Vec<String>,
    }
}

pub(crate) fn view(scope: &str, tags: Tags) -> Resource<TagProperties> {
    let tag = |(key, values): (String, BTreeSet<String>)| Tag {
        key: Some(key),
        value: Some(values.into_iter().collect()),
    };
    let tags = Some(tags.into_iter().map(tag).collect());
    // They come whole.
    let properties = TagProperties { tags, next_link: None, previous_link: None };
    Resource::new(scope, "tags", "tags", properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described::detail;

    #[test]
    fn each_value_of_a_tag_is_told_once_and_not_too_many() {
        let told = |key: &str, value: &str| DetailTold {
            tags: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            ..detail()
        };
        let all = [told("env", "prod"), told("env", "test"), told("env", "prod"), told("a", "b")];
        let mut found = Found::at_most(3);
        found.add(&all).unwrap();
        let shown = serde_json::to_value(view("/subscriptions/s", found.tags)).unwrap();
        let expected = serde_json::json!([
            { "key": "a", "value": ["b"] },
            { "key": "env", "value": ["prod", "test"] },
        ]);
        assert_eq!(shown["properties"]["tags"], expected);
        assert!(Found::at_most(2).add(&all).is_err());
    }
}
