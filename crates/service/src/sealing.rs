//! Sealing usage and writing rated files: from memory to objects, through the books.
//!
//! A file counts only once its row stands in the books. A crash leaves the state before, and files
//! that nobody refers to; those are swept once they are old.

use crate::cells::{
    Cell, CellKey, ObjectFacts, Overlay, RATED, RATED_DAY, RATED_MONTH, RatedFiles, USAGE,
    UsageFile,
};
use crate::rating::View;
use crate::{Inner, Reckoner, rated_rows, roll_ups, usage_rows};
use async_recursion::async_recursion as boxed;
use domain::access::{Action, Caller, Scope};
use domain::{Error, Result};
use engine::{FileFacts, Rows};
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use store::{NewObject, Publication, RetiredObject, Sealing};
use tokio::task::JoinSet;
use tracing::Instrument;

/// A usage file that is written and not yet listed.
struct Written {
    key: CellKey,
    cell: Arc<Cell>,
    count: usize,
    facts: FileFacts,
    units: BTreeSet<i64>,
    first_sequence: u64,
    end_sequence: u64,
}

impl Reckoner {
    /// Seals all usage and writes all rated usage: what a graceful stop does.
    ///
    /// Errors: [`domain::Error::Internal`] when storage fails.
    #[boxed]
    pub async fn settle_all(&self) -> Result<()> {
        self.0.seal().await?;
        let mut waiting = self.0.cells.all().into_iter();
        let mut running = JoinSet::new();
        loop {
            // Cells do not touch each other: as many at once as there are threads.
            while running.len() < self.0.config.threads.max(1)
                && let Some((key, _)) = waiting.next()
            {
                let inner = Arc::clone(&self.0);
                let settle = async move {
                    inner.refresh(key).await?;
                    inner.write_rated(key).await
                };
                running.spawn(settle.in_current_span());
            }
            match running.join_next().await {
                None => return Ok(()),
                Some(Ok(settled)) => settled?,
                Some(Err(error)) => return Err(Error::internal("write rated usage", error)),
            }
        }
    }

    /// Seals all usage and writes all rated usage when somebody asks for it.
    ///
    /// Errors: [`domain::Error::Forbidden`], [`domain::Error::Internal`] when storage fails.
    #[boxed]
    pub async fn seal_now(&self, caller: &Caller, request_id: &str) -> Result<()> {
        self.demand(caller, Action::RunOperations, &Scope::Installation).await?;
        self.settle_all().await?;
        let note = self.note(caller, "seal all usage", request_id);
        self.audit_note(note, "usage.seal", "installation").await
    }

    /// One round of housekeeping: seals when the tail is long, writes rated usage when overlays
    /// are large, removes what nobody refers to any more and, now and then, what a crash left.
    ///
    /// Errors: [`domain::Error::Internal`] when storage fails.
    #[boxed]
    pub async fn keep_house(&self) -> Result<()> {
        self.0.refresh_declared().await?;
        if self.0.cells.tail_records() >= self.0.config.limits.tail_records {
            self.0.seal().await?;
        }
        for (key, cell) in self.0.cells.all() {
            if self.0.is_worth_writing(&cell) {
                self.0.write_rated(key).await?;
            }
        }
        self.0.remove_retired().await?;
        self.0.remove_expired_pages().await?;
        self.0.sweep().await
    }
}

impl Inner {
    /// Writes the tail of every cell as usage files, and lists them in one transaction.
    pub(crate) async fn seal(self: &Arc<Self>) -> Result<()> {
        let this = Arc::clone(self);
        to_the_end(async move { this.seal_tails().await }).await
    }

    async fn seal_tails(self: &Arc<Self>) -> Result<()> {
        let _one_at_a_time = self.sealing.lock().await;
        // Not what is durable: a record stands in its cell only once its batch was answered, and
        // what lies behind a sealed position is never read into a cell again.
        let shards = 0..self.config.shards.max(1);
        let ends: Vec<(u16, u64)> = shards.map(|shard| (shard, self.log.answered(shard))).collect();
        let mut written = Vec::new();
        for (key, cell) in self.cells.all() {
            if let Some(file) = self.write_usage(key, cell, &ends).await? {
                written.push(file);
            }
        }
        if written.is_empty() {
            return Ok(());
        }
        let add = written.iter().map(|file| self.usage_object(file)).collect::<Result<Vec<_>>>()?;
        let this = Arc::clone(self);
        let sealings = crate::blocking(move || this.sealings(&ends)).await?;
        self.publish(add, Vec::new(), sealings).await?;
        self.keep_watermarks().await?;
        for file in written {
            let mut state = file.cell.state();
            state.tail.drain(..file.count);
            state.usage.push(UsageFile {
                facts: Arc::new(file.facts),
                units: Arc::new(file.units),
                end_sequence: file.end_sequence,
            });
            self.cells.sealed(file.count as u64);
        }
        Ok(())
    }

    /// The moves of the shards' sealed positions.
    fn sealings(&self, ends: &[(u16, u64)]) -> Result<Vec<Sealing>> {
        let sealed = self.store.sealed().map_err(crate::stored("read the sealed positions"))?;
        let before = |shard| sealed.iter().find(|(of, _)| *of == shard).map_or(0, |(_, at)| *at);
        let moves = ends.iter().map(|(shard, until)| Sealing {
            shard: *shard,
            from: before(*shard),
            until: *until,
        });
        Ok(moves.filter(|sealing| sealing.until > sealing.from).collect())
    }

    async fn write_usage(
        self: &Arc<Self>,
        key: CellKey,
        cell: Arc<Cell>,
        ends: &[(u16, u64)],
    ) -> Result<Option<Written>> {
        let end =
            ends.iter().find(|(shard, _)| *shard == self.shard_of(key.bucket)).map_or(0, |e| e.1);
        let records: Vec<_> = {
            let state = cell.state();
            state.tail.iter().take_while(|r| r.position.sequence < end).cloned().collect()
        };
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(None) };
        let (first_sequence, end_sequence) =
            (first.position.sequence, last.position.sequence.saturating_add(1));
        let (units, distinct) = self.units_of(&records).await?;
        let count = records.len();
        let rows = crate::blocking(move || usage_rows::to_columns(&records, &units)).await?;
        let path = self.new_path(USAGE, key);
        let facts = self.write_file(&path, rows, &usage_rows::SORT).await?;
        Ok(Some(Written { key, cell, count, facts, units: distinct, first_sequence, end_sequence }))
    }

    fn usage_object(&self, file: &Written) -> Result<NewObject> {
        let facts = ObjectFacts {
            file: file.facts.to_text(),
            units: file.units.clone(),
            earlier: IgnoredAny,
            quarantine: Vec::new(),
            released: Vec::new(),
        };
        object(USAGE, file.key, &file.facts, &facts, (file.first_sequence, file.end_sequence), 0)
    }

    /// Whether an overlay has grown to a good part of what is written, or to the limit.
    fn is_worth_writing(&self, cell: &Cell) -> bool {
        let state = cell.state();
        let Some(overlay) = &state.overlay else { return false };
        let written = state.rated.as_ref().map_or(0, |rated| rated.rows.rows);
        let share = (written / 4).max(10_000);
        overlay.row_count >= share.min(self.config.limits.overlay_rows)
    }

    /// Writes a cell's rated usage anew, with its roll-ups, in place of the files before.
    pub(crate) async fn write_rated(self: &Arc<Self>, key: CellKey) -> Result<()> {
        let this = Arc::clone(self);
        to_the_end(async move { this.write_rated_cell(key).await }).await
    }

    async fn write_rated_cell(self: &Arc<Self>, key: CellKey) -> Result<()> {
        let cell = self.cells.cell(key);
        let _one_at_a_time = cell.busy.lock().await;
        let (rated, overlay) = {
            let state = cell.state();
            (state.rated.clone(), state.overlay.clone())
        };
        let Some(overlay) = overlay else { return Ok(()) };
        if rated.is_none() && overlay.rows.is_empty() && overlay.quarantine.is_empty() {
            return Ok(());
        }
        let view = View { rated: rated.clone(), overlay: Some(Arc::clone(&overlay)) };
        let files = self.write_rated_files(key, &view, &overlay).await?;
        let retire = rated.map(|rated| rated.ids).unwrap_or_default();
        let files = self.list_rated_files(key, files, retire).await?;
        let mut state = cell.state();
        state.rated = Some(files);
        // Records that came meanwhile are newer than the files, not than the overlay: none is lost.
        state.overlay = None;
        Ok(())
    }

    async fn write_rated_files(
        self: &Arc<Self>,
        key: CellKey,
        view: &View,
        overlay: &Overlay,
    ) -> Result<RatedFiles> {
        let inputs = view.rows();
        let rows = self.scan_all(rated_rows::schema()?, inputs, Vec::new()).await?;
        let by_day = roll_ups::by_day(&self.engine, &rows).await?;
        let by_month = roll_ups::by_month(&self.engine, &rows).await?;
        let rows = self.write_file(&self.new_path(RATED, key), rows, &rated_rows::SORT).await?;
        let by_day =
            self.write_file(&self.new_path(RATED_DAY, key), by_day, &roll_ups::SORT).await?;
        let by_month =
            self.write_file(&self.new_path(RATED_MONTH, key), by_month, &roll_ups::SORT).await?;
        let base = view.rated.as_ref();
        let mut units = base.map(|rated| BTreeSet::clone(&rated.units)).unwrap_or_default();
        let mut quarantine = base.map(|r| (*r.quarantine).clone()).unwrap_or_default();
        quarantine.retain(|unit, _| !overlay.units.contains(unit));
        quarantine.extend(overlay.quarantine.clone());
        units.extend(overlay.units.iter().copied());
        let mut released = base.map(|rated| rated.released.clone()).unwrap_or_default();
        released.add(&overlay.released);
        Ok(RatedFiles {
            ids: Vec::new(),
            rows: Arc::new(rows),
            by_day: Arc::new(by_day),
            by_month: Arc::new(by_month),
            units: Arc::new(units),
            end_sequence: overlay.end_sequence,
            version: overlay.version,
            quarantine: Arc::new(quarantine),
            released,
        })
    }

    async fn list_rated_files(
        self: &Arc<Self>,
        key: CellKey,
        files: RatedFiles,
        retire: Vec<u64>,
    ) -> Result<RatedFiles> {
        let of = |table, facts: &FileFacts, (units, quarantine, released)| {
            let (file, earlier) = (facts.to_text(), IgnoredAny);
            let object_facts = ObjectFacts { file, units, earlier, quarantine, released };
            object(table, key, facts, &object_facts, (0, files.end_sequence), files.version)
        };
        let quarantine = crate::quarantine::twins(&files.quarantine);
        let beside = (BTreeSet::clone(&files.units), quarantine, files.released.twins());
        let add = vec![
            of(RATED, &files.rows, beside)?,
            of(RATED_DAY, &files.by_day, Default::default())?,
            of(RATED_MONTH, &files.by_month, Default::default())?,
        ];
        let ids = self.publish(add, retire, Vec::new()).await?;
        Ok(RatedFiles { ids, ..files })
    }

    async fn write_file(&self, path: &str, rows: Rows, sort: &[&str]) -> Result<FileFacts> {
        let written = self.engine.write(path, vec![rows], sort).await;
        written.map_err(crate::engine_failed("write an object"))
    }

    async fn publish(
        self: &Arc<Self>,
        add: Vec<NewObject>,
        retire: Vec<u64>,
        sealed: Vec<Sealing>,
    ) -> Result<Vec<u64>> {
        let publication = Publication { add, retire, sealed, at: self.clocks.system.now() };
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            store.publish(&publication).map_err(crate::stored("list objects in the books"))
        })
        .await
    }

    fn new_path(&self, table: &str, key: CellKey) -> String {
        format!(
            "{table}/{}/{:04}/{}.parquet",
            key.period,
            key.bucket,
            uuid::Uuid::new_v4().simple()
        )
    }

    /// Deletes files that were superseded longer ago than a page token lives.
    async fn remove_retired(self: &Arc<Self>) -> Result<()> {
        let kept_s = i64::try_from(self.config.limits.page_seconds).unwrap_or(i64::MAX);
        let before = self.clocks.system.now().plus_seconds(kept_s.saturating_neg());
        let store = Arc::clone(&self.store);
        let retired = crate::blocking(move || {
            store.retired_before(before).map_err(crate::stored("read retired objects"))
        })
        .await?;
        if retired.is_empty() {
            return Ok(());
        }
        for RetiredObject { path, .. } in &retired {
            self.engine.delete(path).await.map_err(crate::engine_failed("delete an object"))?;
        }
        let store = Arc::clone(&self.store);
        crate::blocking(move || {
            let ids: Vec<u64> = retired.iter().map(|object| object.id).collect();
            store.forget_objects(&ids).map_err(crate::stored("forget retired objects"))
        })
        .await
    }
}

/// Runs a change to its end, also when whoever waits for it goes away (a request that took too
/// long): what the books list and what memory holds must not be left apart.
async fn to_the_end(work: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
    match tokio::spawn(work.instrument(tracing::Span::current())).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal("write usage", error)),
    }
}

fn object(
    table: &str,
    key: CellKey,
    file: &FileFacts,
    facts: &ObjectFacts,
    (first_sequence, end_sequence): (u64, u64),
    company_version: u64,
) -> Result<NewObject> {
    let facts = serde_json::to_string(facts)
        .map_err(|e| Error::internal("write the facts of an object", e))?;
    Ok(NewObject {
        table: table.to_owned(),
        period: key.period.number(),
        bucket: i32::from(key.bucket),
        path: file.path.clone(),
        facts,
        first_sequence,
        end_sequence,
        company_version,
    })
}
