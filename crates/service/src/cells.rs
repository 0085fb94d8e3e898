//! Cells: the usage and rated usage of some billing accounts in one billing period.
//!
//! A cell is a bucket of accounts in a billing period. Its usage is the sealed files plus the tail
//! of the log that is not sealed yet; its rated usage is the written files plus an overlay of
//! units that have changed since. All of it but the log can be thrown away and made again.

use crate::Inner;
use crate::declared::Declared;
use crate::released::Released;
use calendar::{BillingPeriod, Day, Instant};
use domain::ids::{BillingAccountId, MeterId};
use domain::usage::{Position, Quarantined};
use domain::{Error, Result};
use engine::{FileFacts, Rows};
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

/// Which cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CellKey {
    pub(crate) period: BillingPeriod,
    pub(crate) bucket: u16,
}

/// A record of the log that is not sealed yet.
#[derive(Clone)]
pub(crate) struct TailRecord {
    pub(crate) position: Position,
    pub(crate) acknowledged_at: Instant,
    pub(crate) kind: usagelog::EntryKind,
    pub(crate) conflict_of: Option<Position>,
    pub(crate) payload: Arc<[u8]>,
}

/// A sealed file of usage.
#[derive(Clone)]
pub(crate) struct UsageFile {
    pub(crate) facts: Arc<FileFacts>,
    pub(crate) units: Arc<BTreeSet<i64>>,
    pub(crate) end_sequence: u64,
}

/// Written rated usage of a cell: rows, and their roll-ups by day and month.
#[derive(Clone)]
pub(crate) struct RatedFiles {
    pub(crate) ids: Vec<u64>,
    pub(crate) rows: Arc<FileFacts>,
    pub(crate) by_day: Arc<FileFacts>,
    pub(crate) by_month: Arc<FileFacts>,
    pub(crate) units: Arc<BTreeSet<i64>>,
    /// Usage before this sequence of the cell's shard is in it.
    pub(crate) end_sequence: u64,
    /// Facts up to this number were used.
    pub(crate) version: u64,
    pub(crate) quarantine: Arc<BTreeMap<i64, Vec<Quarantined>>>,
    /// How many records have left quarantine, since that was last told.
    pub(crate) released: Released,
}

/// Rated usage that is newer than the written files.
#[derive(Clone, Default)]
pub(crate) struct Overlay {
    /// Its units: rows of the written files for them do not count.
    pub(crate) units: Arc<HashSet<i64>>,
    pub(crate) rows: BTreeMap<i64, Rows>,
    pub(crate) quarantine: BTreeMap<i64, Vec<Quarantined>>,
    pub(crate) row_count: u64,
    pub(crate) end_sequence: u64,
    pub(crate) version: u64,
    /// How many records have left quarantine, beside those that the written files know of.
    pub(crate) released: Released,
}

/// What a cell holds at a moment.
#[derive(Clone, Default)]
pub(crate) struct CellState {
    pub(crate) usage: Vec<UsageFile>,
    pub(crate) rated: Option<RatedFiles>,
    pub(crate) tail: Vec<TailRecord>,
    pub(crate) overlay: Option<Arc<Overlay>>,
}

impl CellState {
    /// Whether there is neither usage nor anything that was rated: without usage something may be
    /// owed.
    pub(crate) fn is_unused(&self) -> bool {
        let has_usage = !self.usage.is_empty() || !self.tail.is_empty();
        !has_usage && self.rated.is_none() && self.overlay.is_none()
    }

    /// Sequences below this one have reached the cell.
    pub(crate) fn end_sequence(&self) -> u64 {
        let sealed = self.usage.iter().map(|file| file.end_sequence).max().unwrap_or(0);
        self.tail.last().map_or(sealed, |last| last.position.sequence.saturating_add(1)).max(sealed)
    }

    /// Records of a unit that waited when it was last rated.
    pub(crate) fn waiting_in(&self, unit: i64) -> &[Quarantined] {
        let overlay = self.overlay.as_ref().filter(|overlay| overlay.units.contains(&unit));
        let waiting = match (overlay, &self.rated) {
            (Some(overlay), _) => overlay.quarantine.get(&unit),
            (None, Some(rated)) => rated.quarantine.get(&unit),
            (None, None) => None,
        };
        waiting.map_or(&[], Vec::as_slice)
    }
}

/// Accounts and meters of a cell that cost something without any usage.
pub(crate) type Standing = BTreeSet<(BillingAccountId, MeterId)>;

/// Accounts, by their codes, of the records from each sequence up to one.
#[derive(Default)]
struct Late {
    until: u64,
    since: BTreeMap<u64, Arc<BTreeSet<i32>>>,
}

/// Which accounts' rows come out as their close saw them: by the newest fact that touches the
/// account and usage before a sequence of the shard.
type CameOut = BTreeMap<BillingAccountId, ((u64, u64), bool)>;

/// One cell.
#[derive(Default)]
pub(crate) struct Cell {
    state: Mutex<CellState>,
    /// What was found by the facts up to a number.
    standing: Mutex<Option<(u64, Arc<Standing>)>>,
    /// Accounts of what came after closes: found once for each.
    late: Mutex<Late>,
    /// Accounts whose rows are, or are not, those of their close, by what the rows are made of.
    came_out: Mutex<CameOut>,
    /// Held while the cell is rated or written, so that it is done once.
    pub(crate) busy: tokio::sync::Mutex<()>,
}

impl Cell {
    /// The cell's state, for a short look or change.
    pub(crate) fn state(&self) -> MutexGuard<'_, CellState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The accounts of the records between two sequences, if they were looked for since the last
    /// one came.
    pub(crate) fn late(&self, (since, until): (u64, u64)) -> Option<Arc<BTreeSet<i32>>> {
        let kept = self.late.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.since.get(&since).filter(|_| kept.until == until).map(Arc::clone)
    }

    /// Keeps what [`Cell::late`] gives.
    pub(crate) fn keep_late(&self, (since, until): (u64, u64), accounts: Arc<BTreeSet<i32>>) {
        let mut kept = self.late.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if kept.until != until {
            *kept = Late { until, since: BTreeMap::new() };
        }
        kept.since.insert(since, accounts);
    }

    /// Whether an account's rows are those of its close, if that was looked for: of the facts and
    /// the usage that `state` names, see [`CameOut`].
    pub(crate) fn comes_out_the_same(
        &self,
        state: (u64, u64),
        account: &BillingAccountId,
    ) -> Option<bool> {
        let kept = self.came_out.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.get(account).filter(|(of, _)| *of == state).map(|(_, is_same)| *is_same)
    }

    /// Keeps what [`Cell::comes_out_the_same`] gives.
    pub(crate) fn keep_coming_out(
        &self,
        state: (u64, u64),
        account: &BillingAccountId,
        is_same: bool,
    ) {
        let mut kept = self.came_out.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.insert(account.clone(), (state, is_same));
    }

    /// What costs something without usage by the facts up to `version`; found once for each.
    ///
    /// Errors: those of `find`.
    pub(crate) fn standing(
        &self,
        version: u64,
        find: impl FnOnce() -> Result<Standing>,
    ) -> Result<Arc<Standing>> {
        let mut kept = self.standing.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((of, standing)) = &*kept
            && *of == version
        {
            return Ok(Arc::clone(standing));
        }
        let standing = Arc::new(find()?);
        *kept = Some((version, Arc::clone(&standing)));
        Ok(standing)
    }
}

/// All cells of the installation.
#[derive(Default)]
pub(crate) struct Cells {
    cells: Mutex<HashMap<CellKey, Arc<Cell>>>,
    tail_records: std::sync::atomic::AtomicU64,
}

impl Cells {
    /// The cell of a key; made empty where there was none.
    pub(crate) fn cell(&self, key: CellKey) -> Arc<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Arc::clone(cells.entry(key).or_default())
    }

    /// All cells that there are, sorted.
    pub(crate) fn all(&self) -> Vec<(CellKey, Arc<Cell>)> {
        let cells = self.cells.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut all: Vec<_> = cells.iter().map(|(key, cell)| (*key, Arc::clone(cell))).collect();
        all.sort_by_key(|(key, _)| *key);
        all
    }

    /// Billing periods with usage; a cell that was only looked at has none.
    pub(crate) fn used_periods(&self) -> BTreeSet<BillingPeriod> {
        let used = |(_, cell): &(CellKey, Arc<Cell>)| {
            let state = cell.state();
            !state.usage.is_empty() || !state.tail.is_empty()
        };
        self.all().into_iter().filter(used).map(|(key, _)| key.period).collect()
    }

    /// Takes in a record that has become durable. Records of one shard come in order.
    pub(crate) fn push(&self, key: CellKey, record: TailRecord) {
        self.cell(key).state().tail.push(record);
        self.tail_records.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// How many records wait to be sealed.
    pub(crate) fn tail_records(&self) -> u64 {
        self.tail_records.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Records have been sealed.
    pub(crate) fn sealed(&self, count: u64) {
        self.tail_records.fetch_sub(count, std::sync::atomic::Ordering::Relaxed);
    }
}

/// What stands beside a usage or rated file in the books.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectFacts {
    /// The engine's own facts of the file.
    pub(crate) file: String,
    /// Units whose rows the file holds.
    pub(crate) units: BTreeSet<i64>,
    /// Version 0.1.0 wrote it; the sequence beside the file says it now.
    #[expect(dead_code, reason = "files of version 0.1.0 have it")]
    #[serde(default, skip_serializing)]
    pub(crate) earlier: IgnoredAny,
    /// Records of a rated file's units that could not be rated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) quarantine: Vec<crate::quarantine::QuarantinedTwin>,
    /// How many records of a rated file's units have left quarantine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) released: Vec<crate::released::ReleasedTwin>,
}

impl Inner {
    /// The bucket of a billing account.
    pub(crate) fn bucket_of(&self, account: &BillingAccountId) -> u16 {
        let hash = blake3::hash(account.as_str().as_bytes());
        let [a, b, ..] = *hash.as_bytes();
        u16::from_le_bytes([a, b]).checked_rem(self.config.buckets).unwrap_or(0)
    }

    /// The shard of the log that a bucket's records go to.
    pub(crate) fn shard_of(&self, bucket: u16) -> u16 {
        bucket.checked_rem(self.config.shards).unwrap_or(0)
    }

    /// The cell of an account's usage at a moment.
    pub(crate) fn cell_key(&self, account: &BillingAccountId, used_at: Instant) -> CellKey {
        CellKey { period: BillingPeriod::of(used_at), bucket: self.bucket_of(account) }
    }

    /// The keys of all cells of a period that some accounts can be in; all buckets if none named.
    pub(crate) fn keys_of(
        &self,
        period: BillingPeriod,
        accounts: &[BillingAccountId],
    ) -> Vec<CellKey> {
        let buckets: BTreeSet<u16> = if accounts.is_empty() {
            (0..self.config.buckets.max(1)).collect()
        } else {
            accounts.iter().map(|account| self.bucket_of(account)).collect()
        };
        buckets.into_iter().map(|bucket| CellKey { period, bucket }).collect()
    }

    /// Billing periods that some days touch and that can hold charges: from the oldest usage, or
    /// what is owed without any, to the newest, or to now.
    pub(crate) fn periods_within(&self, days: &Range<Day>) -> Vec<BillingPeriod> {
        let now = BillingPeriod::of(self.clocks.business.now());
        let used = self.cells.used_periods();
        let standing = self.declared().book.standing_since().map(BillingPeriod::of);
        let oldest = used.iter().copied().chain(standing).fold(now, BillingPeriod::min);
        let newest = used.iter().copied().fold(now, BillingPeriod::max);
        let mut period = BillingPeriod::of(days.start.start()).max(oldest);
        let mut periods = Vec::new();
        while period <= newest && period.start() < days.end.start() {
            periods.push(period);
            period = period.next();
        }
        periods
    }

    /// Puts the sealed and written files that the books list into their cells.
    pub(crate) fn load_cells(&self) -> Result<()> {
        let mut rated: BTreeMap<(CellKey, u64, u64), Vec<(store::ObjectRow, ObjectFacts)>> =
            BTreeMap::new();
        for row in self.store.objects().map_err(crate::stored("read the objects' catalogue"))? {
            let key = CellKey {
                period: BillingPeriod::from_number(row.period).map_err(bad_row)?,
                bucket: u16::try_from(row.bucket).map_err(bad_row)?,
            };
            let facts: ObjectFacts = serde_json::from_str(&row.facts).map_err(bad_row)?;
            if row.table == USAGE {
                let file = UsageFile {
                    facts: Arc::new(file_facts(&facts.file)?),
                    units: Arc::new(facts.units),
                    end_sequence: row.end_sequence,
                };
                self.cells.cell(key).state().usage.push(file);
            } else {
                let version = row.company_version;
                rated.entry((key, row.end_sequence, version)).or_default().push((row, facts));
            }
        }
        for ((key, end_sequence, version), objects) in rated {
            self.cells.cell(key).state().rated = Some(rated_files(end_sequence, version, objects)?);
        }
        Ok(())
    }
}

/// Table name of sealed usage.
pub(crate) const USAGE: &str = "usage";
/// Table name of rated rows.
pub(crate) const RATED: &str = "rated";
/// Table name of the roll-up by day.
pub(crate) const RATED_DAY: &str = "rated_day";
/// Table name of the roll-up by month.
pub(crate) const RATED_MONTH: &str = "rated_month";

fn rated_files(
    end_sequence: u64,
    version: u64,
    objects: Vec<(store::ObjectRow, ObjectFacts)>,
) -> Result<RatedFiles> {
    let mut ids = Vec::new();
    let (mut rows, mut by_day, mut by_month) = (None, None, None);
    let (mut units, mut quarantine) = (BTreeSet::new(), BTreeMap::new());
    let mut released = Released::default();
    for (row, facts) in objects {
        ids.push(row.id);
        let file = Arc::new(file_facts(&facts.file)?);
        match row.table.as_str() {
            RATED => {
                rows = Some(file);
                units = facts.units;
                quarantine = crate::quarantine::by_unit(facts.quarantine)?;
                released = Released::of(facts.released)?;
            }
            RATED_DAY => by_day = Some(file),
            RATED_MONTH => by_month = Some(file),
            other => {
                return Err(Error::internal(
                    "read the objects' catalogue",
                    format!("no table `{other}`"),
                ));
            }
        }
    }
    let missing =
        || Error::internal("read the objects' catalogue", "a rated file misses its roll-ups");
    Ok(RatedFiles {
        ids,
        rows: rows.ok_or_else(missing)?,
        by_day: by_day.ok_or_else(missing)?,
        by_month: by_month.ok_or_else(missing)?,
        units: Arc::new(units),
        end_sequence,
        version,
        quarantine: Arc::new(quarantine),
        released,
    })
}

fn file_facts(text: &str) -> Result<FileFacts> {
    FileFacts::parse(text).map_err(crate::engine_failed("read the objects' catalogue"))
}

fn bad_row(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("read the objects' catalogue", error)
}

/// Whether the written files and overlay of a state have the usage before a sequence of its shard,
/// and are as new as the declared facts.
pub(crate) fn is_fresh(state: &CellState, declared: &Declared, end_sequence: u64) -> bool {
    let (end, version) = match (&state.overlay, &state.rated) {
        (Some(overlay), _) => (overlay.end_sequence, overlay.version),
        (None, Some(rated)) => (rated.end_sequence, rated.version),
        (None, None) => return false,
    };
    end >= end_sequence
        && (version >= declared.version()
            || declared.touched_since(version) == crate::declared::Reach::Nobody)
}
