//! What held from which instant on.

use crate::{Error, Result};
use calendar::{Instant, Interval};

/// Steps of one fact: each holds from its instant until the next one's.
///
/// There is at least one step, and their instants rise. Before the first nothing holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline<T> {
    first: (Instant, T),
    later: Vec<(Instant, T)>,
}

impl<T> Timeline<T> {
    /// One value from an instant on.
    pub fn from(instant: Instant, value: T) -> Timeline<T> {
        Timeline { first: (instant, value), later: Vec::new() }
    }

    /// Takes steps as they were declared; `field` is how an error names them.
    ///
    /// Errors: [`Error::Invalid`] when there are none, or an instant is not after the one before.
    pub fn new(field: &str, steps: impl IntoIterator<Item = (Instant, T)>) -> Result<Timeline<T>> {
        let mut steps = steps.into_iter();
        let first = steps.next().ok_or_else(|| Error::invalid(field, "must not be empty"))?;
        let mut timeline = Timeline { first, later: Vec::new() };
        for (from, value) in steps {
            timeline.push(field, from, value)?;
        }
        Ok(timeline)
    }

    /// Adds the newest step.
    ///
    /// Errors: [`Error::Invalid`] when its instant is not after the newest one.
    pub fn push(&mut self, field: &str, from: Instant, value: T) -> Result<()> {
        let (newest, _) = self.newest();
        if from <= newest {
            let problem = format!("{from} is not after {newest}, where the step before begins");
            return Err(Error::invalid(format!("{field}.from"), problem));
        }
        self.later.push((from, value));
        Ok(())
    }

    /// Puts a step where its instant belongs, in place of one of the same instant.
    pub fn put(&mut self, from: Instant, value: T) {
        if from < self.first.0 {
            let first = std::mem::replace(&mut self.first, (from, value));
            self.later.insert(0, first);
        } else if from == self.first.0 {
            self.first.1 = value;
        } else {
            match self.later.binary_search_by_key(&from, |(since, _)| *since) {
                Ok(at) => self.later[at].1 = value,
                Err(at) => self.later.insert(at, (from, value)),
            }
        }
    }

    /// What holds at a moment.
    pub fn at(&self, moment: Instant) -> Option<&T> {
        let steps = std::iter::once(&self.first).chain(&self.later);
        steps.take_while(|(from, _)| *from <= moment).last().map(|(_, value)| value)
    }

    /// When the next step after a moment begins; [`Instant::MAX`] where none does.
    pub fn next_after(&self, moment: Instant) -> Instant {
        let mut steps = std::iter::once(&self.first).chain(&self.later);
        steps.find(|(from, _)| *from > moment).map_or(Instant::MAX, |(from, _)| *from)
    }

    /// From when anything holds.
    pub fn begins(&self) -> Instant {
        self.first.0
    }

    /// The last step.
    pub fn newest(&self) -> (Instant, &T) {
        let (from, value) = self.later.last().unwrap_or(&self.first);
        (*from, value)
    }

    /// Each value with the half-open interval in which it holds, in order of time.
    pub fn spans(&self) -> impl Iterator<Item = (Interval, &T)> {
        let steps = std::iter::once(&self.first).chain(&self.later);
        let ends = self.later.iter().map(|(from, _)| *from).chain([Instant::MAX]);
        steps.zip(ends).map(|((from, value), end)| {
            let end = end.max(*from);
            (Interval::new(*from, end).expect("an end is no earlier than its start"), value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Timeline;
    use crate::fixtures::{span, t};

    fn steps(days: &[&'static str]) -> crate::Result<Timeline<&'static str>> {
        Timeline::new("names", days.iter().map(|day| (t(day), *day)))
    }

    #[test]
    fn the_newest_step_that_has_begun_holds() {
        let timeline = steps(&["2026-01-01", "2026-03-01"]).unwrap();
        let check = |moment: &str, expected: Option<&str>| {
            assert_eq!(timeline.at(t(moment)).copied(), expected, "{moment}");
        };
        check("2025-12-31T23:59:59.999999Z", None);
        check("2026-01-01", Some("2026-01-01"));
        check("2026-02-28T23:59:59.999999Z", Some("2026-01-01"));
        check("2026-03-01", Some("2026-03-01"));
        check("9999-01-01", Some("2026-03-01"));
        let next = |moment: &str| timeline.next_after(t(moment));
        assert_eq!(next("2025-12-31"), t("2026-01-01"));
        assert_eq!(next("2026-01-01"), t("2026-03-01"));
        assert_eq!(next("2026-03-01"), calendar::Instant::MAX);
        assert_eq!(timeline.begins(), t("2026-01-01"));
        assert_eq!(timeline.newest(), (t("2026-03-01"), &"2026-03-01"));
    }

    #[test]
    fn a_step_is_put_where_its_instant_belongs() {
        let check = |day: &'static str, expected: &[&str]| {
            let mut timeline = steps(&["2026-01-01", "2026-03-01"]).unwrap();
            timeline.put(t(day), "put");
            let found: Vec<&str> = timeline.spans().map(|(_, value)| *value).collect();
            assert_eq!(found, expected, "{day}");
        };
        check("2025-12-01", &["put", "2026-01-01", "2026-03-01"]);
        check("2026-01-01", &["put", "2026-03-01"]);
        check("2026-02-01", &["2026-01-01", "put", "2026-03-01"]);
        check("2026-03-01", &["2026-01-01", "put"]);
        check("2026-04-01", &["2026-01-01", "2026-03-01", "put"]);
    }

    #[test]
    fn spans_follow_each_other_without_gap() {
        let timeline = steps(&["2026-01-01", "2026-03-01"]).unwrap();
        let spans: Vec<_> = timeline.spans().map(|(during, _)| during).collect();
        let open = calendar::Interval::new(t("2026-03-01"), calendar::Instant::MAX).unwrap();
        assert_eq!(spans, [span("2026-01-01", "2026-03-01"), open]);
    }

    #[test]
    fn steps_rise_and_there_is_one() {
        let check = |days: &[&'static str], expected: &str| {
            assert_eq!(steps(days).unwrap_err().to_string(), expected);
        };
        check(&[], "names: must not be empty");
        let tail = "is not after 2026-03-01T00:00:00Z, where the step before begins";
        check(&["2026-03-01", "2026-03-01"], &format!("names.from: 2026-03-01T00:00:00Z {tail}"));
        check(
            &["2026-01-01", "2026-03-01", "2026-02-01"],
            &format!("names.from: 2026-02-01T00:00:00Z {tail}"),
        );
    }
}
