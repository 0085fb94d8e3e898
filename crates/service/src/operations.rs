//! Keeping an installation: verification, the audit log, whether it is well.

use crate::books_check::BooksChecked;
use crate::cells::RatedFiles;
use crate::{Grain, Inner, Reckoner, roll_ups};
use async_recursion::async_recursion as boxed;
use domain::access::{Action, Caller, Scope};
use domain::chain::Digest;
use domain::{Error, Result};
use std::sync::Arc;
use store::{AuditFilter, AuditRow};

/// What verifying found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Entries of the usage log whose checksums hold.
    pub log_entries: u64,
    /// Facts whose hashes hold.
    pub facts: u64,
    /// Objects whose bytes are what was written.
    pub objects: u64,
    /// Ledger entries that are what was booked.
    pub entries: u64,
    /// Documents whose bytes are what was issued.
    pub documents: u64,
    /// Closes of accounts that come to the same when they are computed again.
    pub closes: u64,
    /// The head behind each link of the chain of closes, oldest first: whoever keeps one elsewhere
    /// finds it here, or somebody has sealed anew.
    pub heads: Vec<Digest>,
    /// What does not hold, by place.
    pub problems: Vec<String>,
    /// What is no fault: usage and facts that came too late for closed periods, and no invoice has
    /// corrected yet.
    pub notes: Vec<String>,
}

/// Is told what is being read, how much is done, and of how much.
type Progress = Box<dyn Fn(&str, u64, u64) + Send + Sync>;

impl Reckoner {
    /// Whether requests can be served: the books answer and the log takes usage.
    ///
    /// Errors: [`Error::Unavailable`] saying what does not.
    #[boxed]
    pub async fn ready(&self) -> Result<()> {
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || store.ping().map_err(crate::stored("ask the books"))).await?;
        match self.0.log.health() {
            usagelog::Health::Well => Ok(()),
            usagelog::Health::ReadOnly => {
                Err(Error::Unavailable { problem: "the disk is full; usage is refused".to_owned() })
            }
            usagelog::Health::Stopped(_) => {
                Err(Error::Unavailable { problem: "the usage log has stopped".to_owned() })
            }
        }
    }

    /// Demands the right to run operations, for those that the program itself has.
    ///
    /// Errors: [`Error::Forbidden`].
    #[boxed]
    pub async fn may_operate(&self, caller: &Caller) -> Result<()> {
        self.demand(caller, Action::RunOperations, &Scope::Installation).await
    }

    /// Notes that the business clock is moved forward, for programs that have one that can be.
    ///
    /// Units: seconds. Errors: [`Error::Forbidden`].
    #[boxed]
    pub async fn note_clock_move(
        &self,
        caller: &Caller,
        seconds: i64,
        request_id: &str,
    ) -> Result<()> {
        self.may_operate(caller).await?;
        let reason = format!("{seconds} s forward from {}", self.now());
        let note = self.note(caller, &reason, request_id);
        self.audit_note(note, "clock.move", "business clock").await
    }

    /// Whether the usage log has failed so that the process must end.
    pub fn must_end(&self) -> bool {
        matches!(self.0.log.health(), usagelog::Health::Stopped(_))
    }

    /// Figures for metrics: (name, value).
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        let entries = (0..self.0.config.shards).map(|shard| self.0.log.end(shard)).sum();
        vec![
            ("usage_log_entries", entries),
            ("tail_records", self.0.cells.tail_records()),
            ("index_memory_bytes", self.0.log.index_memory_bytes() as u64),
            ("company_version", self.0.declared().version()),
            ("quarantined_records", self.0.quarantined_records()),
        ]
    }

    /// Writes down that something was done to a target.
    pub(crate) async fn audit_note(
        &self,
        note: store::Note,
        action: &'static str,
        target: &str,
    ) -> Result<()> {
        let target = target.to_owned();
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            let store::Note { actor, reason, request_id, at } = note;
            let entry = store::AuditEntry {
                at,
                actor,
                action: action.to_owned(),
                target,
                reason,
                request_id,
                outcome: "done".to_owned(),
            };
            store.append_audit(&entry).map_err(crate::stored("write the audit log"))
        })
        .await
    }

    /// Reads everything that is kept and checks every checksum.
    ///
    /// `progress` is told (what is being read, done, in all).
    /// Errors: [`Error::Forbidden`], [`Error::Internal`] when something cannot be read at all.
    pub async fn verify(
        &self,
        caller: &Caller,
        progress: impl Fn(&str, u64, u64) + Send + Sync + 'static,
    ) -> Result<Checked> {
        self.verify_all(caller, Box::new(progress)).await
    }

    #[boxed]
    async fn verify_all(&self, caller: &Caller, progress: Progress) -> Result<Checked> {
        self.demand(caller, Action::RunOperations, &Scope::Installation).await?;
        let inner = Arc::clone(&self.0);
        let mut checked = crate::blocking(move || {
            let mut checked = Checked::default();
            let report =
                inner.log.verify(|shard, done, all| progress(&format!("log {shard}"), done, all));
            let report = report.map_err(|e| Error::internal("read the usage log", e))?;
            for shard in report.shards {
                checked.log_entries = checked.log_entries.saturating_add(shard.entries);
                checked.problems.extend(shard.damage.map(|damage| damage.to_string()));
            }
            let books = inner.store.check().map_err(crate::stored("check the books"))?;
            checked.facts = books.facts;
            checked.problems.extend(books.problems);
            Ok(checked)
        })
        .await?;
        for (key, cell) in self.0.cells.all() {
            let state = cell.state().clone();
            let rated = state.rated.iter().flat_map(|r| [&r.rows, &r.by_day, &r.by_month]);
            for facts in state.usage.iter().map(|file| &file.facts).chain(rated) {
                checked.objects = checked.objects.saturating_add(1);
                if let Err(error) = self.0.engine.check(facts).await {
                    checked.problems.push(format!("{} ({}): {error}", facts.path, key.period));
                }
            }
        }
        checked.problems.extend(self.0.readers_that_differ().await);
        let BooksChecked { entries, documents, closes, heads, problems, notes } =
            self.0.check_books().await?;
        (checked.entries, checked.documents, checked.closes) = (entries, documents, closes);
        checked.problems.extend(problems);
        (checked.heads, checked.notes) = (heads, notes);
        Ok(checked)
    }

    /// Reads the audit log, oldest first.
    ///
    /// Errors: [`Error::Forbidden`].
    #[boxed]
    pub async fn audit(
        &self,
        caller: &Caller,
        filter: AuditFilter,
        after: u64,
        limit: u64,
    ) -> Result<Vec<AuditRow>> {
        self.demand(caller, Action::ReadAudit, &Scope::Installation).await?;
        let store = Arc::clone(&self.0.store);
        crate::blocking(move || {
            store.audit(&filter, after, limit).map_err(crate::stored("read the audit log"))
        })
        .await
    }
}

impl Inner {
    /// Roll-ups that do not come to what the rated rows do that they were made of, and those that
    /// cannot be added up: whoever asks them is told something else than whoever asks the rows.
    async fn readers_that_differ(&self) -> Vec<String> {
        let mut differ = Vec::new();
        for (key, cell) in self.cells.all() {
            let Some(RatedFiles { rows, by_day, by_month, .. }) = cell.state().rated.clone() else {
                continue;
            };
            let expected = roll_ups::sums(&self.engine, Grain::Rows, &rows).await;
            for (grain, facts) in [(Grain::Day, by_day), (Grain::Month, by_month)] {
                let problem = match (&expected, roll_ups::sums(&self.engine, grain, &facts).await) {
                    (Ok(expected), Ok(found)) if *expected == found => continue,
                    (Ok(_), Ok(_)) => "it does not come to what its rated rows come to".to_owned(),
                    (Err(error), _) => format!("its rated rows cannot be added up: {error}"),
                    (Ok(_), Err(error)) => format!("it cannot be added up: {error}"),
                };
                differ.push(format!("{} ({}): {problem}", facts.path, key.period));
            }
        }
        differ
    }

    /// Records that wait in quarantine, as they were when their cells were last rated.
    fn quarantined_records(&self) -> u64 {
        let mut count: u64 = 0;
        for (_, cell) in self.cells.all() {
            let (rated, overlay) = {
                let state = cell.state();
                let rated = state.rated.as_ref().map(|rated| Arc::clone(&rated.quarantine));
                (rated, state.overlay.clone())
            };
            let base = rated.iter().flat_map(|units| units.iter());
            let kept =
                base.filter(|(unit, _)| !overlay.as_ref().is_some_and(|o| o.units.contains(unit)));
            let newer = overlay.iter().flat_map(|overlay| overlay.quarantine.iter());
            for (_, records) in kept.chain(newer) {
                count = count.saturating_add(records.len() as u64);
            }
        }
        count
    }
}
