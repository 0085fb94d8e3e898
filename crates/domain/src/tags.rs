//! Tags: what the house notes on places and holdings, for its own books. They change no charge.

use crate::access::Scope;
use crate::company::Company;
use crate::{Error, Result};
use calendar::Instant;
use std::collections::BTreeMap;

/// Most tags of one thing.
pub const TAGS_MOST: usize = 50;
/// Most characters of a tag's name.
const NAME_MOST: usize = 512;
/// Most characters of a tag's value.
const VALUE_MOST: usize = 256;

/// What is noted on a thing from an instant on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    values: BTreeMap<String, String>,
    cost_center: String,
}

impl Tags {
    /// Makes them.
    ///
    /// `cost_center` is whom the house books a subscription or product to; places have one of
    /// their own. Errors: [`Error::Invalid`] for too many tags, names that are empty and texts that
    /// are too long.
    pub fn new(values: BTreeMap<String, String>, cost_center: &str) -> Result<Tags> {
        if values.len() > TAGS_MOST {
            let problem = format!("are {}; at most {TAGS_MOST}", values.len());
            return Err(Error::invalid("tags", problem));
        }
        let is_wrong = |name: &str, value: &str| {
            name.is_empty()
                || name.chars().count() > NAME_MOST
                || value.chars().count() > VALUE_MOST
        };
        if let Some((name, _)) = values.iter().find(|(name, value)| is_wrong(name, value)) {
            let shown: String = name.chars().take(32).collect();
            let problem = format!(
                "`{shown}`: a name has 1 to {NAME_MOST} characters, a value at most {VALUE_MOST}"
            );
            return Err(Error::invalid("tags", problem));
        }
        if cost_center.chars().count() > VALUE_MOST {
            let problem = format!("has more than {VALUE_MOST} characters");
            return Err(Error::invalid("cost_center", problem));
        }
        Ok(Tags { values, cost_center: cost_center.to_owned() })
    }

    /// Values by name.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Whom the house books it to; may be empty.
    pub fn cost_center(&self) -> &str {
        &self.cost_center
    }
}

impl Company {
    /// What is noted on a thing at a moment.
    pub fn tags_at(&self, of: &Scope, at: Instant) -> Option<&Tags> {
        self.tags.get(of)?.at(at)
    }
}

#[cfg(test)]
mod tests;
