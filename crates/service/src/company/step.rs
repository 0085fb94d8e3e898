//! One step of a timeline, as it is declared.

use calendar::Instant;
use domain::timeline::Timeline;
use std::collections::BTreeMap;

/// What holds of something from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<K, T> {
    /// Of what.
    pub of: K,
    /// From when; [`Instant::MIN`] for always.
    pub from: Instant,
    /// What holds.
    pub value: T,
}

impl<K: Ord, T> Step<K, T> {
    /// Puts the step where its instant belongs, in place of one of the same instant.
    pub(super) fn put(self, timelines: &mut BTreeMap<K, Timeline<T>>) {
        let Step { of, from, value } = self;
        match timelines.get_mut(&of) {
            Some(timeline) => timeline.put(from, value),
            None => {
                timelines.insert(of, Timeline::from(from, value));
            }
        }
    }
}
