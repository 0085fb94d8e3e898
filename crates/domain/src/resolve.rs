//! Which kept records count: conflicts settled, extracts superseded, amendments applied.
//!
//! Three questions, asked in this order of every kept record of one billing account and period:
//! 1. Is it the one that stands for its key? A conflict stands only when a settlement chose it.
//! 2. If it came with an extract: does the newest extract that covers its day still have it?
//! 3. Did an amendment take its place, or withdraw it?

use crate::ids::{RecordId, SourceName};
use crate::usage::{Act, LoggedRecord, Origin, Position, QuarantineReason, Quarantined, RecordKey};
use calendar::Day;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A record as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The record.
    pub logged: LoggedRecord,
    /// The log's hash of its key: what extracts know their rows by.
    pub key_hash: u128,
    /// The first record of the same key, if this one came with other content.
    pub conflict_of: Option<Position>,
}

/// A conflict settled by choosing one of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// The first record of the key.
    pub first: Position,
    /// The record that counts: the first itself, or one kept as its conflict.
    pub chosen: Position,
}

/// What one import said about a source and some days.
#[derive(Debug, Clone)]
pub struct ExtractView<'a> {
    /// Its number; a later extract has a greater one.
    pub id: u64,
    /// From where.
    pub source: &'a SourceName,
    /// What its days count by.
    pub axis: Axis,
    /// The days that it covers, half-open.
    pub days: Range<Day>,
    /// Key hashes of its rows, sorted.
    pub members: &'a [u128],
}

/// What the days of an extract count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// The day of use: where the service period starts.
    Usage,
    /// The day on which the source reported it.
    Reported,
}

/// What counts, and what waits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// Records to rate, in the order given.
    pub records: Vec<LoggedRecord>,
    /// Amendments without a target.
    pub quarantine: Vec<Quarantined>,
}

/// Finds the records that count among all that are kept of one billing account and period.
///
/// * A record that came with an extract counts if the newest extract (of its source) whose days
///   cover it has it as a member; rows of an import that was not committed count for nothing.
/// * An amendment names an earlier record of its source; the record behind a named amendment is
///   meant. It keeps subscription, meter and period, else it waits as `UnknownTarget`. The last
///   one by position wins; a withdrawal takes the record out until a later amendment.
/// * A record that an extract left out is not there any more: amending it waits, withdrawing it is
///   done already.
/// * Settlements are read in order: the last one for a conflict holds.
pub fn resolve(
    kept: Vec<Kept>,
    extracts: &[ExtractView<'_>],
    settlements: &[Settlement],
) -> Resolved {
    let chosen: HashMap<Position, Position> =
        settlements.iter().map(|settlement| (settlement.first, settlement.chosen)).collect();
    let mut extracts: Vec<&ExtractView<'_>> = extracts.iter().collect();
    extracts.sort_by_key(|extract| std::cmp::Reverse(extract.id));
    let standing: Vec<Kept> = kept.into_iter().filter(|one| stands(one, &chosen)).collect();
    let current: Vec<bool> = standing.iter().map(|one| is_current(one, &extracts)).collect();
    if standing.iter().all(|one| one.logged.record.act == Act::Use) {
        let records = standing.into_iter().zip(current).filter(|(_, current)| *current);
        let records = records.map(|(one, _)| one.logged).collect();
        return Resolved { records, quarantine: Vec::new() };
    }
    let plan = amend(&standing, &current);
    let mut resolved = Resolved::default();
    for ((place, one), current) in standing.into_iter().enumerate().zip(current) {
        if plan.unknown.contains(&place) {
            resolved.quarantine.push(Quarantined {
                position: one.logged.position,
                key: one.logged.record.key,
                reason: QuarantineReason::UnknownTarget,
                field: "target",
            });
        } else if current && !plan.out.contains(&place) {
            resolved.records.push(one.logged);
        }
    }
    resolved
}

fn stands(one: &Kept, chosen: &HashMap<Position, Position>) -> bool {
    let position = one.logged.position;
    match (one.conflict_of, chosen.get(&one.conflict_of.unwrap_or(position))) {
        (None, None) => true,
        (Some(_), None) => false,
        (_, Some(chosen)) => *chosen == position,
    }
}

fn is_current(one: &Kept, newest_first: &[&ExtractView<'_>]) -> bool {
    let record = &one.logged.record;
    if record.origin == Origin::Event {
        return true;
    }
    let day = |axis| match axis {
        Axis::Usage => record.service_period.start().day(),
        Axis::Reported => one.logged.reported_at().day(),
    };
    newest_first
        .iter()
        .filter(|extract| *extract.source == record.key.source)
        .find(|extract| extract.days.contains(&day(extract.axis)))
        .is_some_and(|extract| extract.members.binary_search(&one.key_hash).is_ok())
}

/// What amendments do, by place in the list.
struct Plan {
    /// Replaced, withdrawn, or a withdrawal itself.
    out: HashSet<usize>,
    /// Amendments whose target is not there.
    unknown: HashSet<usize>,
}

fn amend(standing: &[Kept], current: &[bool]) -> Plan {
    let mut by_name: HashMap<(&SourceName, &RecordId), usize> = HashMap::new();
    for (place, one) in standing.iter().enumerate() {
        let RecordKey { source, id, billing_account: _ } = &one.logged.record.key;
        by_name.insert((source, id), place);
    }
    let mut plan = Plan { out: HashSet::new(), unknown: HashSet::new() };
    let mut amended: HashMap<usize, Vec<usize>> = HashMap::new();
    for (place, one) in standing.iter().enumerate() {
        if one.logged.record.act == Act::Use {
            continue;
        }
        let withdraws = matches!(one.logged.record.act, Act::Withdraw(_));
        match root(standing, &by_name, place) {
            Some(root) if current[root] => amended.entry(root).or_default().push(place),
            Some(_) if withdraws => {
                plan.out.insert(place);
            }
            Some(_) | None => {
                plan.unknown.insert(place);
            }
        }
    }
    for (root, mut line) in amended {
        line.sort_by_key(|place| standing[*place].logged.position);
        let last = line.pop();
        plan.out.insert(root);
        plan.out.extend(line);
        let stands = |last: &usize| matches!(standing[*last].logged.record.act, Act::Amend(_));
        plan.out.extend(last.filter(|last| !stands(last)));
    }
    plan
}

/// The record behind an amendment, followed through amendments of amendments.
fn root(
    standing: &[Kept],
    by_name: &HashMap<(&SourceName, &RecordId), usize>,
    amendment: usize,
) -> Option<usize> {
    let first = &standing[amendment].logged.record;
    let mut place = amendment;
    // Amendments that name each other in a ring have no record behind them.
    for _ in 0..standing.len() {
        let record = &standing[place].logged.record;
        if !first.may_replace(record) {
            return None;
        }
        match &record.act {
            Act::Use => return Some(place),
            Act::Amend(to) | Act::Withdraw(to) => {
                place = *by_name.get(&(&record.key.source, &to.target))?;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
