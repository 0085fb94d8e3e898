//! Which usage a budget counts.
//!
//! Source: `BudgetFilter` of Microsoft.Consumption `2021-10-01`.

use crate::budgets::TEXT_MOST;
use crate::{Error, Result};
use std::collections::BTreeSet;

/// Comparisons of one filter.
pub const COMPARISONS_MOST: usize = 8;
/// Values of one comparison.
pub const VALUES_MOST: usize = 100;

/// What rated usage can be told apart by in a budget's filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the glossary's")]
pub enum SpendColumn {
    Subscription,
    ResourceGroup,
    Resource,
    Meter,
    MeterCategory,
    Location,
    Reservation,
    /// The tag of a key.
    Tag(String),
}

/// A test that usage passes if its value is one of some, in any letter case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendTest {
    /// Of what.
    pub on: SpendColumn,
    /// One of these.
    pub values: Vec<String>,
}

/// Which usage a budget counts, in the form in which it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpendFilter {
    /// Tests that stand alone: one of a column, one of a tag.
    pub alone: Vec<SpendTest>,
    /// Tests that stand in a list: none, or two and more.
    pub all: Vec<SpendTest>,
    /// A test that must not hold.
    pub not: Option<SpendTest>,
}

impl SpendTest {
    fn holds(&self, value: Option<&str>) -> bool {
        value.is_some_and(|value| self.values.iter().any(|one| one.eq_ignore_ascii_case(value)))
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |problem: String| Err(Error::invalid("filter.values", problem));
        if self.values.is_empty() || self.values.len() > VALUES_MOST {
            return wrong(format!("must be 1 to {VALUES_MOST} values"));
        }
        let is_long = |text: &String| text.chars().count() > TEXT_MOST;
        let key = match &self.on {
            SpendColumn::Tag(key) => Some(key),
            _ => None,
        };
        if self.values.iter().chain(key).any(is_long) {
            return wrong(format!("a value or key has more than {TEXT_MOST} characters"));
        }
        Ok(())
    }
}

impl SpendFilter {
    /// Every test, with whether it must hold.
    pub fn tests(&self) -> impl Iterator<Item = (&SpendTest, bool)> {
        let wanted = self.alone.iter().chain(&self.all).map(|test| (test, true));
        wanted.chain(self.not.iter().map(|test| (test, false)))
    }

    /// The columns that the tests look at, each once.
    pub fn columns(&self) -> BTreeSet<&SpendColumn> {
        self.tests().map(|(test, _)| &test.on).collect()
    }

    /// Whether usage with some values counts.
    pub fn counts<'a>(&self, value_of: impl Fn(&SpendColumn) -> Option<&'a str>) -> bool {
        self.tests().all(|(test, wanted)| test.holds(value_of(&test.on)) == wanted)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.tests().count() > COMPARISONS_MOST {
            let problem = format!("has more than {COMPARISONS_MOST} comparisons");
            return Err(Error::invalid("filter", problem));
        }
        if self.all.len() == 1 {
            return Err(Error::invalid("filter.and", "must be at least 2 comparisons"));
        }
        self.tests().try_for_each(|(test, _)| test.check())
    }
}
