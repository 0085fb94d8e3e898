//! Whether the books are what was written.

use crate::driver::Connection;
use crate::facts::{self, FactRow};
use crate::{
    Result, Store, StoreKind, closes, codes, deliveries, documents, ledger, log_place, objects,
};

/// Facts read at a time.
const PAGE: u64 = 1_000;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Facts read and found linked.
    pub facts: u64,
    /// What is wrong, one line each; empty when all is well.
    pub problems: Vec<String>,
}

impl Store {
    /// Checks the store's own files and our invariants: facts gapless, hashes and links right,
    /// rows that are final just as they were written, numbers where their series are.
    /// Sees one state; writes go on.
    pub fn check(&self) -> Result<CheckReport> {
        self.pool.snapshot(|connection| {
            let problems = connection.integrity()?;
            let mut report = CheckReport { facts: 0, problems };
            check_facts(connection, &mut report)?;
            let checks =
                [codes::changed, objects::changed, ledger::changed, documents::changed].into_iter();
            for check in checks.chain([deliveries::changed, closes::changed]) {
                report.problems.extend(check(connection)?);
            }
            report.problems.extend(documents::wrong_series(connection)?);
            if self.kind() == StoreKind::Postgres {
                report.problems.extend(log_place::changed(connection)?);
            }
            Ok(report)
        })
    }
}

fn check_facts(connection: &mut dyn Connection, report: &mut CheckReport) -> Result<()> {
    let mut newest = (0, [0; 32]);
    loop {
        let page = facts::after(connection, newest.0, PAGE)?;
        if page.is_empty() {
            return Ok(());
        }
        for row in page {
            report.problems.extend(problems_of(&row, newest.0, &newest.1));
            report.facts = report.facts.saturating_add(1);
            newest = (row.number, row.link);
        }
    }
}

fn problems_of(row: &FactRow, before: u64, link_before: &[u8; 32]) -> Vec<String> {
    let mut problems = Vec::new();
    let number = row.number;
    if number != before.saturating_add(1) {
        problems.push(format!("fact {number} follows fact {before}"));
    }
    if row.body_hash != *blake3::hash(row.body.as_bytes()).as_bytes() {
        problems.push(format!("fact {number}: its body is not what was written"));
    }
    if row.link != facts::link(link_before, row) {
        problems.push(format!("fact {number}: its link does not follow from fact {before}"));
    }
    problems
}
