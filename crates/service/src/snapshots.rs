//! The company as it stood: what a list in pages goes by until its last page.
//!
//! Facts are only appended and have numbers, so whatever was read once can be read again: on any
//! node, and after a restart.

use crate::company::{Folding, Thing};
use crate::declared::{EXTRACT, SETTLEMENT};
use crate::structure::Look;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::Instant;
use domain::Result;
use domain::company::Company;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use store::Store;

/// Up to which fact, and at which moment, the company is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of the newest fact.
    pub version: u64,
    /// The business moment.
    pub at: Instant,
}

/// What an installation is held to.
#[derive(Clone)]
pub(crate) enum Hold {
    /// Nothing: what is newest counts.
    Newest,
    /// A snapshot, for reading.
    Snapshot(Arc<Held>),
    /// The version of what is declared that changes are made by.
    Version(u64),
}

/// What an installation is read by that is held to a snapshot.
pub(crate) struct Held {
    company: Arc<Company>,
    at: Instant,
    judged: Judged,
}

/// By what a caller's rights are judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// By the snapshot, which is of now.
    Then,
    /// By the snapshot, and by what holds today.
    Today,
}

impl Reckoner {
    /// The same installation, held to what is known now: whatever is asked of structure, access
    /// and papers, however often, is read as of one snapshot, which is told.
    pub fn held(&self) -> (Reckoner, Snapshot) {
        let Look { company, now: at, .. } = self.look();
        let snapshot = Snapshot { version: company.version, at };
        let held = Held { company, at, judged: Judged::Then };
        (Reckoner(Arc::clone(&self.0), Hold::Snapshot(Arc::new(held))), snapshot)
    }

    /// The same installation, held to an earlier snapshot. A caller sees what it saw then, so far
    /// as it may see it today. It is for reading: a change is decided by the newest facts, and
    /// here none are newer than the snapshot.
    ///
    /// Errors: [`domain::Error::Internal`] when storage fails.
    #[boxed]
    pub async fn held_to(&self, snapshot: Snapshot) -> Result<Reckoner> {
        let Snapshot { version, at } = snapshot;
        // What holds today is what the books say, and not what this node has read of them so far.
        self.0.refresh_declared().await?;
        let company = self.0.company_at(version).await?;
        let held = Held { company, at, judged: Judged::Today };
        Ok(Reckoner(Arc::clone(&self.0), Hold::Snapshot(Arc::new(held))))
    }

    /// Keeps what this is held to at hand, for further pages: for whoever hands out a link to one.
    pub fn keep_snapshot(&self) {
        if let Hold::Snapshot(held) = &self.1 {
            self.0.companies.keep(Arc::clone(&held.company));
        }
    }

    /// What is declared, and the business moment to read it at.
    pub(crate) fn look(&self) -> Look {
        let declared = self.0.declared();
        let today = (Arc::clone(&declared.company), self.now());
        match &self.1 {
            Hold::Newest | Hold::Version(_) => Look::new(declared, today, None),
            Hold::Snapshot(held) => {
                let Held { company, at, judged } = &**held;
                let judged = (*judged == Judged::Today).then_some(today);
                Look::new(declared, (Arc::clone(company), *at), judged)
            }
        }
    }
}

/// Most facts that are read at once.
const FACTS_AT_ONCE: u64 = 10_000;

/// Companies of before that lists still show: the ones used last.
#[derive(Default)]
pub(crate) struct Companies {
    known: Mutex<VecDeque<Arc<Company>>>,
    /// Held while one is folded: many pages may miss the same one at once.
    folding: Arc<tokio::sync::Mutex<()>>,
}

impl Companies {
    /// Each is a whole company in memory; the newest one is there anyway.
    const MOST: usize = 8;

    /// The one of a version.
    fn of(&self, version: u64) -> Option<Arc<Company>> {
        let found = self.up_to(version).filter(|one| one.version == version)?;
        self.keep(Arc::clone(&found));
        Some(found)
    }

    /// The newest one up to a version.
    fn up_to(&self, version: u64) -> Option<Arc<Company>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let older = known.iter().filter(|one| one.version <= version);
        older.max_by_key(|one| one.version).cloned()
    }

    fn keep(&self, company: Arc<Company>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|one| one.version != company.version);
        known.push_front(company);
        known.truncate(Companies::MOST);
    }
}

impl Inner {
    /// The company as it was declared up to a fact.
    async fn company_at(self: &Arc<Self>, version: u64) -> Result<Arc<Company>> {
        let newest = self.declared();
        if newest.version() == version {
            return Ok(Arc::clone(&newest.company));
        }
        if let Some(known) = self.companies.of(version) {
            return Ok(known);
        }
        let one_at_a_time = Arc::clone(&self.companies.folding).lock_owned().await;
        if let Some(known) = self.companies.of(version) {
            return Ok(known);
        }
        let behind = self.companies.up_to(version).unwrap_or_default();
        let this = Arc::clone(self);
        crate::blocking(move || {
            // Who waits may go: what was begun is ended once, and kept for who asks again.
            let _held = one_at_a_time;
            let company = folded(&this.store, behind, version)?;
            this.companies.keep(Arc::clone(&company));
            Ok(company)
        })
        .await
    }
}

/// A company with the facts that follow it, up to one.
fn folded(store: &Store, behind: Arc<Company>, version: u64) -> Result<Arc<Company>> {
    let mut folding = Folding::of(Arc::unwrap_or_clone(behind));
    while folding.company.version < version {
        let behind = folding.company.version;
        let most = version.saturating_sub(behind).min(FACTS_AT_ONCE);
        let rows = store.facts_after(behind, most).map_err(crate::stored("read the facts"))?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            // Those two are about usage.
            if row.kind != EXTRACT && row.kind != SETTLEMENT {
                let thing = Thing::read(&row.kind, &row.key, &row.body)?;
                folding.put(thing, row.number);
            }
            folding.company.version = row.number;
        }
    }
    Ok(Arc::new(folding.company))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company(version: u64) -> Arc<Company> {
        Arc::new(Company { version, ..Company::default() })
    }

    #[test]
    fn the_companies_used_last_are_kept_and_the_nearest_older_one_is_folded_on() {
        let companies = Companies::default();
        let check = |version: u64, expected: Option<u64>| {
            assert_eq!(companies.up_to(version).map(|one| one.version), expected, "{version}");
        };
        check(9, None);
        for version in [3, 5, 7, 3, 9, 11, 13, 15, 17, 19] {
            companies.keep(company(version));
        }
        check(2, None);
        check(4, Some(3));
        check(6, Some(3));
        check(10, Some(9));
        check(11, Some(11));
        // What is asked for is kept before what is not.
        assert!(companies.of(3).is_some() && companies.of(5).is_none());
        companies.keep(company(21));
        check(8, Some(3));
    }
}
