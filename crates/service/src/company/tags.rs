//! The twin of tags.

use super::parties::{Scope, unless};
use super::step::Step;
use super::text::Text;
use super::wrong::Wrong;
use calendar::Instant;
use domain::{access, tags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the house notes on a thing, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tags {
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    cost_center: String,
}

impl TryFrom<Tags> for Step<access::Scope, tags::Tags> {
    type Error = Wrong;

    fn try_from(Tags { scope, from, tags, cost_center }: Tags) -> Result<Self, Wrong> {
        let of = access::Scope::from(scope);
        match of {
            access::Scope::Installation => {
                return Err(Wrong::new("scope", "the installation has no tags"));
            }
            access::Scope::Account(_) | access::Scope::Place(_) if !cost_center.is_empty() => {
                let problem = "is that of subscriptions and products; a place says its own";
                return Err(Wrong::new("cost_center", problem));
            }
            access::Scope::Account(_)
            | access::Scope::Place(_)
            | access::Scope::Subscription(_)
            | access::Scope::Product(_) => {}
        }
        let value = tags::Tags::new(tags, &cost_center).map_err(Wrong::of)?;
        Ok(Step { of, from: from.map_or(Instant::MIN, |from| from.0), value })
    }
}

impl From<Step<access::Scope, tags::Tags>> for Tags {
    fn from(Step { of, from, value }: Step<access::Scope, tags::Tags>) -> Tags {
        Tags {
            scope: of.into(),
            from: unless(from, Instant::MIN),
            tags: value.values().clone(),
            cost_center: value.cost_center().to_owned(),
        }
    }
}
