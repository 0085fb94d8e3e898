//! From records to a billable quantity: what each record of a window contributes.
//!
//! Contributions add up to the window's aggregate, so pricing and explanation stay record by
//! record. A record that contributes nothing (a repeated value, a message inside a session, a
//! reading below the running maximum, a reading followed by another) is counted at intake and
//! leaves no rated row; a summed quantity of 0 is a contribution and leaves one.
//!
//! A window is the UTC day for prices counted by day, else the billing period: also sessions,
//! gauges and distinct values start afresh with it.

use crate::catalog::Aggregation;
use crate::usage::{Dimension, UsageRecord};
use calendar::{Instant, Interval};
use money::{Fixed18, MoneyError, Rounding};
use std::collections::{HashMap, HashSet};

/// What one record adds to its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contribution {
    /// This much, in the meter's unit.
    Counted(Fixed18),
    /// Nothing: other records of the window stand for it.
    Covered,
    /// It has no value of the dimension that is counted, and waits.
    Missing(Dimension),
}

/// A window as one payer holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The whole window.
    pub window: Interval,
    /// When the payer stops holding it: not after the window's end.
    pub held_until: Instant,
}

/// What each record contributes.
///
/// `records` are one subscription's of one meter, window and payer, ordered by service start,
/// source, id; contributions come in the same order.
/// Errors: [`MoneyError::Overflow`].
pub fn contributions(
    aggregation: &Aggregation,
    span: Span,
    records: &[&UsageRecord],
) -> Result<Vec<Contribution>, MoneyError> {
    let counted = |record: &&UsageRecord| Contribution::Counted(record.quantity);
    let one = Contribution::Counted(Fixed18::ONE);
    Ok(match aggregation {
        Aggregation::Sum => records.iter().map(counted).collect(),
        Aggregation::Count => records.iter().map(|_| one).collect(),
        Aggregation::Max => rises(records)?,
        Aggregation::Latest => {
            let last = last_of_resources(records);
            (0..records.len())
                .map(|place| match last.contains(&place) {
                    true => Contribution::Counted(records[place].quantity),
                    false => Contribution::Covered,
                })
                .collect()
        }
        Aggregation::TimeWeightedAverage => averages(span, records)?,
        Aggregation::Distinct { dimension } => {
            let mut seen = HashSet::new();
            let first = |record: &&UsageRecord| match record.dimensions.get(dimension) {
                None => Contribution::Missing(*dimension),
                Some(value) if seen.insert(value.clone()) => one,
                Some(_) => Contribution::Covered,
            };
            records.iter().map(first).collect()
        }
        Aggregation::Session { window_micros, key } => sessions(*window_micros, key, records),
    })
}

/// Each resource's first reading, then only what rises above the largest so far.
fn rises(records: &[&UsageRecord]) -> Result<Vec<Contribution>, MoneyError> {
    let mut most: HashMap<&str, Fixed18> = HashMap::new();
    let mut contributions = Vec::with_capacity(records.len());
    for record in records {
        let so_far = most.insert(&record.resource, record.quantity);
        contributions.push(match so_far {
            None => Contribution::Counted(record.quantity),
            Some(so_far) if record.quantity > so_far => {
                Contribution::Counted(record.quantity.checked_sub(so_far)?)
            }
            Some(so_far) => {
                most.insert(&record.resource, so_far);
                Contribution::Covered
            }
        });
    }
    Ok(contributions)
}

fn last_of_resources(records: &[&UsageRecord]) -> HashSet<usize> {
    let by_resource = records.iter().enumerate().map(|(place, record)| (&record.resource, place));
    by_resource.collect::<HashMap<_, _>>().into_values().collect()
}

/// A reading holds until the resource's next one, or until the payer stops; the time before the
/// first counts as zero. The last record of a resource stands for its average.
fn averages(span: Span, records: &[&UsageRecord]) -> Result<Vec<Contribution>, MoneyError> {
    let mut parts: HashMap<&str, Vec<(Fixed18, u64)>> = HashMap::new();
    let mut next_at: HashMap<&str, Instant> = HashMap::new();
    for record in records.iter().rev() {
        let at = record.service_period.start();
        let until = next_at.insert(&record.resource, at).unwrap_or(span.held_until);
        let held = u64::try_from(until.since(at)).unwrap_or(0);
        parts.entry(&record.resource).or_default().push((record.quantity, held));
    }
    let whole = u64::try_from(span.window.micros()).unwrap_or(0);
    let last = last_of_resources(records);
    let mut contributions = Vec::with_capacity(records.len());
    for (place, record) in records.iter().enumerate() {
        let is_last = last.contains(&place);
        let parts = if is_last { parts.remove(record.resource.as_str()) } else { None };
        contributions.push(match parts {
            Some(parts) => {
                let rule = Rounding::HalfAwayFromZero;
                Contribution::Counted(Fixed18::weighted_mean(parts, whole, rule)?)
            }
            None => Contribution::Covered,
        });
    }
    Ok(contributions)
}

/// The record that opens a session is one; those before its end are covered.
fn sessions(length: i64, key: &[Dimension], records: &[&UsageRecord]) -> Vec<Contribution> {
    let mut ends: HashMap<Vec<Option<&String>>, Instant> = HashMap::new();
    let mut contributions = Vec::with_capacity(records.len());
    for record in records {
        let at = record.service_period.start();
        let key = key.iter().map(|dimension| record.dimensions.get(dimension)).collect();
        let open = ends.get(&key).is_some_and(|end| at < *end);
        contributions.push(match open {
            true => Contribution::Covered,
            false => {
                ends.insert(key, at.plus_micros(length));
                Contribution::Counted(Fixed18::ONE)
            }
        });
    }
    contributions
}

#[cfg(test)]
mod tests;
