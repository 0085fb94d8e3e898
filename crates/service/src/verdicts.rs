//! How many records were given which verdict since the start.

use crate::{Reckoner, Taken};
use domain::usage::Verdict;
use std::sync::atomic::{AtomicU64, Ordering};

/// The names of the verdicts, in the order of their counts.
const NAMES: [&str; 5] = ["accepted", "duplicate", "conflict", "quarantined", "rejected"];

/// Counts of verdicts.
#[derive(Debug, Default)]
pub(crate) struct Verdicts([AtomicU64; NAMES.len()]);

impl Verdicts {
    /// Counts what became of a batch.
    pub(crate) fn count(&self, taken: &[Taken]) {
        let Verdicts([accepted, duplicate, conflict, quarantined, rejected]) = self;
        for Taken { verdict, position: _, unread: _ } in taken {
            let count = match verdict {
                Verdict::Accepted => accepted,
                Verdict::Duplicate => duplicate,
                Verdict::Conflict => conflict,
                Verdict::Quarantined { .. } => quarantined,
                Verdict::Rejected { .. } => rejected,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Reckoner {
    /// Records taken in since the start, for metrics: (verdict, count).
    pub fn verdicts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.verdicts.0.iter().map(|count| count.load(Ordering::Relaxed));
        NAMES.into_iter().zip(counts).collect()
    }
}
