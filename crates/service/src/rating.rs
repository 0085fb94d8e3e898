//! Rating cells: what changed is rated again from its records, the rest stays.
//!
//! The unit of rating is a billing account and a meter in a billing period. A unit is rated again
//! when a record of it has arrived, or a fact that touches its account, since it was last rated.

use crate::cells::{CellKey, CellState, Overlay, RatedFiles, TailRecord, is_fresh};
use crate::declared::{Declared, Reach};
use crate::intake::UnreadableBody;
use crate::units::{account_of, meter_code};
use crate::{Grain, Inner, codes, rated_rows, usage_rows};
use domain::ids::BillingAccountId;
use domain::rated::RatedRow;
use domain::rating::Rated;
use domain::resolve::Kept;
use domain::usage::{LoggedRecord, Origin, Position, Quarantined};
use domain::{Result, encoding};
use engine::{Filter, Input, Keep, Rows, Scan, Schema, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use usagelog::EntryKind;

/// Rated usage of a cell at a moment: written files, minus the overlay's units, plus the overlay.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) rated: Option<RatedFiles>,
    pub(crate) overlay: Option<Arc<Overlay>>,
}

/// Records of a cell that are rated at a time, about.
const PORTION_RECORDS: u64 = 100_000;

/// Columns and what to read them from.
pub(crate) type Source = (Schema, Vec<Input>);

impl View {
    /// The written files of a grain, without the units that are newer in memory.
    pub(crate) fn written(&self, grain: Grain) -> Vec<Input> {
        let Some(rated) = &self.rated else { return Vec::new() };
        let facts = match grain {
            Grain::Rows => &rated.rows,
            Grain::Day => &rated.by_day,
            Grain::Month => &rated.by_month,
        };
        let hidden = self.overlay.as_ref().map(|overlay| Arc::clone(&overlay.units));
        let without = hidden
            .filter(|units| !units.is_empty())
            .map(|values| engine::Without { column: "unit", values });
        vec![Input::File { facts: Arc::clone(facts), without, keep: Keep::Decoded }]
    }

    /// What is newer than the written files: rated rows in memory.
    pub(crate) fn newer(&self) -> Vec<Input> {
        let rows = self.overlay.iter().flat_map(|overlay| overlay.rows.values());
        rows.map(|rows| Input::Memory(rows.clone())).collect()
    }

    /// Records that wait, by unit.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Quarantined> {
        let overlay = self.overlay.as_deref();
        let written = self.rated.iter().flat_map(|rated| rated.quarantine.iter());
        let kept =
            written.filter(move |(unit, _)| !overlay.is_some_and(|o| o.units.contains(unit)));
        let newer = overlay.into_iter().flat_map(|overlay| overlay.quarantine.iter());
        kept.chain(newer).flat_map(|(_, records)| records)
    }

    /// Usage before this sequence of the cell's shard is in it.
    pub(crate) fn end_sequence(&self) -> u64 {
        match (&self.overlay, &self.rated) {
            (Some(overlay), _) => overlay.end_sequence,
            (None, Some(rated)) => rated.end_sequence,
            (None, None) => 0,
        }
    }

    /// All rated rows.
    pub(crate) fn rows(&self) -> Vec<Input> {
        let mut inputs = self.written(Grain::Rows);
        inputs.extend(self.newer());
        inputs
    }
}

/// A record with the unit it is rated with, read from its bytes.
pub(crate) enum Read {
    Kept(i64, Box<Kept>),
    Unreadable(i64, Quarantined, Option<Position>),
}

impl Read {
    /// What it is rated with.
    pub(crate) fn unit(&self) -> i64 {
        match self {
            Read::Kept(unit, _) | Read::Unreadable(unit, ..) => *unit,
        }
    }

    /// Where in its shard it stands.
    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Read::Kept(_, kept) => kept.logged.position.sequence,
            Read::Unreadable(_, quarantined, _) => quarantined.position.sequence,
        }
    }
}

impl Inner {
    /// Brings a cell's rated usage up to now and says what to read.
    pub(crate) async fn refresh(self: &Arc<Self>, key: CellKey) -> Result<View> {
        let declared = self.declared();
        let cell = self.cells.cell(key);
        let _one_at_a_time = cell.busy.lock().await;
        let (state, end_sequence) = self.state_until(&declared, key);
        let standing = self.standing_units(&declared, key, &state).await?;
        if is_fresh(&state, &declared, end_sequence) && standing.is_empty() {
            return Ok(View { rated: state.rated, overlay: state.overlay });
        }
        if state.is_unused() && standing.is_empty() {
            return Ok(View { rated: None, overlay: None });
        }
        let until = (key, end_sequence);
        let overlay = Arc::new(self.overlay(until, &declared, &state, standing).await?);
        cell.state().overlay = Some(Arc::clone(&overlay));
        Ok(View { rated: state.rated, overlay: Some(overlay) })
    }

    /// Rates what has changed since the written files and the overlay before were made.
    async fn overlay(
        self: &Arc<Self>,
        (key, end_sequence): (CellKey, u64),
        declared: &Arc<Declared>,
        state: &CellState,
        standing: BTreeSet<i64>,
    ) -> Result<Overlay> {
        let (end, version) = last_rated(state);
        let tail = self.read_records(&state.tail).await?;
        let mut changed = standing;
        for (record, read) in state.tail.iter().zip(&tail) {
            if record.position.sequence >= end {
                changed.insert(read.unit());
            }
        }
        for file in state.usage.iter().filter(|file| file.end_sequence > end) {
            changed.extend(file.units.iter().copied());
        }
        changed.extend(self.touched_units(declared, state, &tail, version));
        let known = Inner::known_units(state).chain(tail.iter().map(Read::unit));
        changed.extend(self.units_reaching_back(declared, key, known));
        let changed = self.with_coupled(declared, key.period, changed).await?;
        let mut of_tail: BTreeMap<i64, Vec<Read>> = BTreeMap::new();
        for read in tail {
            of_tail.entry(read.unit()).or_default().push(read);
        }
        let mut overlay = state.overlay.as_deref().cloned().unwrap_or_default();
        for units in portions(state, changed, &self.reserving(declared)) {
            let tail = units.iter().filter_map(|unit| of_tail.remove(unit)).flatten().collect();
            let until = (key, end_sequence);
            let rated = self.rate_units(until, declared, state, tail, &units).await?;
            self.merge(declared, state, &mut overlay, units, rated).await?;
        }
        overlay.row_count = overlay.rows.values().map(|rows| rows.len() as u64).sum();
        overlay.end_sequence = end_sequence;
        overlay.version = declared.version();
        Ok(overlay)
    }

    /// Units whose account a fact after `version` touches.
    fn touched_units(
        &self,
        declared: &Declared,
        state: &CellState,
        tail: &[Read],
        version: u64,
    ) -> BTreeSet<i64> {
        let reach = declared.touched_since(version);
        let accounts: BTreeSet<i32> = match &reach {
            Reach::Nobody => return BTreeSet::new(),
            Reach::Everybody => BTreeSet::new(),
            Reach::Accounts(some) => {
                some.iter().filter_map(|a| self.codes.find(codes::ACCOUNT, a.as_str())).collect()
            }
        };
        let all = state.usage.iter().flat_map(|file| file.units.iter().copied());
        let written = state.rated.iter().flat_map(|rated| rated.units.iter().copied());
        let newer = state.overlay.iter().flat_map(|overlay| overlay.units.iter().copied());
        all.chain(written)
            .chain(newer)
            .chain(tail.iter().map(Read::unit))
            .filter(|unit| reach == Reach::Everybody || accounts.contains(&account_of(*unit)))
            .collect()
    }

    /// Reads the records of some units, sealed and not, and rates each unit.
    async fn rate_units(
        self: &Arc<Self>,
        (key, end_sequence): (CellKey, u64),
        declared: &Arc<Declared>,
        state: &CellState,
        tail: Vec<Read>,
        units: &BTreeSet<i64>,
    ) -> Result<Vec<(i64, Rated)>> {
        let mut by_unit: BTreeMap<i64, Vec<Read>> =
            units.iter().map(|u| (*u, Vec::new())).collect();
        let sealed = self.sealed_records(state, units).await?;
        for read in sealed.into_iter().chain(tail) {
            if let Some(records) = by_unit.get_mut(&read.unit()) {
                records.push(read);
            }
        }
        let carried = self.carried(declared, (key, end_sequence), units).await?;
        let (this, declared) = (Arc::clone(self), Arc::clone(declared));
        crate::blocking(move || this.rate_all(&declared, key.period, by_unit, &carried)).await
    }

    /// Puts newly rated units over an overlay.
    async fn merge(
        self: &Arc<Self>,
        declared: &Declared,
        state: &CellState,
        overlay: &mut Overlay,
        changed: BTreeSet<i64>,
        rated: Vec<(i64, Rated)>,
    ) -> Result<()> {
        // Who sends or reads an unreadable record again counts it there.
        for (unit, rated) in rated.iter().filter(|(unit, _)| meter_code(*unit) != 0) {
            overlay.released.count(state.waiting_in(*unit), rated);
        }
        let of_units: Vec<_> = rated.iter().map(|(_, rated)| rated.rows.as_slice()).collect();
        let columns = rated_rows::to_columns(&self.codes, &declared.company, &of_units).await?;
        for unit in &changed {
            overlay.rows.remove(unit);
            overlay.quarantine.remove(unit);
        }
        for ((unit, rated), columns) in rated.into_iter().zip(columns) {
            if !rated.rows.is_empty() {
                overlay.rows.insert(unit, columns);
            }
            if !rated.quarantine.is_empty() {
                overlay.quarantine.insert(unit, rated.quarantine);
            }
        }
        Arc::make_mut(&mut overlay.units).extend(changed);
        Ok(())
    }

    /// Reads the sealed records of some units.
    pub(crate) async fn sealed_records(
        self: &Arc<Self>,
        state: &CellState,
        units: &BTreeSet<i64>,
    ) -> Result<Vec<Read>> {
        let inputs: Vec<Input> = state
            .usage
            .iter()
            .filter(|file| file.units.iter().any(|unit| units.contains(unit)))
            .map(|file| Input::file(Arc::clone(&file.facts)))
            .collect();
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let values = units.iter().copied().map(Value::Int).collect();
        let filters = vec![Filter::In { column: "unit", values }];
        let rows = self.scan_all(usage_rows::schema()?, inputs, filters).await?;
        let hash_key = self.hash_key;
        crate::blocking(move || {
            let mut read = Vec::with_capacity(rows.len());
            for (unit, record) in usage_rows::from_columns(&rows)? {
                read.push(read_record(&hash_key, unit, &record)?);
            }
            Ok(read)
        })
        .await
    }

    /// Reads records of the tail and finds their units.
    pub(crate) async fn read_records(self: &Arc<Self>, tail: &[TailRecord]) -> Result<Vec<Read>> {
        let (units, _) = self.units_of(tail).await?;
        let (tail, hash_key) = (tail.to_vec(), self.hash_key);
        crate::blocking(move || {
            let read = |(record, unit)| read_record(&hash_key, unit, record);
            tail.iter().zip(units).map(read).collect()
        })
        .await
    }

    /// All rated rows of a view, as the domain knows them, in canonical order.
    pub(crate) async fn rated_rows(
        &self,
        inputs: Vec<Input>,
        filters: Vec<Filter>,
    ) -> Result<Vec<RatedRow>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.scan_all(rated_rows::schema()?, inputs, filters).await?;
        let mut rows = rated_rows::from_columns(&self.codes, &rows)?;
        rows.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        Ok(rows)
    }
}

impl Inner {
    /// All columns of all rows that pass the filters, in one piece.
    pub(crate) async fn scan_all(
        &self,
        schema: Schema,
        inputs: Vec<Input>,
        filters: Vec<Filter>,
    ) -> Result<Rows> {
        let columns = schema.columns().iter().map(|column| column.name).collect();
        let scan = Scan { schema, inputs, filters, columns, order_by: Vec::new(), limit: None };
        let failed = crate::engine_failed("read an object");
        self.engine.scan(&scan).await.map_err(&failed)?.collect().await.map_err(&failed)
    }
}

/// Cuts units into portions that are rated one after the other, so that the records of a large
/// cell are not in memory all at once. Usage files are sorted by unit, and so are portions. The
/// units of some accounts stay together: of those with reservations when they are rated.
pub(crate) fn portions(
    state: &CellState,
    units: BTreeSet<i64>,
    together: &BTreeSet<i32>,
) -> Vec<BTreeSet<i64>> {
    let records: u64 = state.usage.iter().map(|file| file.facts.rows).sum();
    let wanted = usize::try_from(records / PORTION_RECORDS).unwrap_or(usize::MAX);
    let most = units.len().div_ceil(wanted.max(1)).max(1);
    let mut portions: Vec<BTreeSet<i64>> = Vec::new();
    for unit in units {
        let account = account_of(unit);
        let joins = portions.last_mut().filter(|portion| {
            let same = portion.last().is_some_and(|last| account_of(*last) == account);
            portion.len() < most || (same && together.contains(&account))
        });
        match joins {
            Some(portion) => {
                portion.insert(unit);
            }
            None => portions.push(BTreeSet::from([unit])),
        }
    }
    portions
}

fn last_rated(state: &CellState) -> (u64, u64) {
    match (&state.overlay, &state.rated) {
        (Some(overlay), _) => (overlay.end_sequence, overlay.version),
        (None, Some(rated)) => (rated.end_sequence, rated.version),
        (None, None) => (0, 0),
    }
}

/// Whose record it is, and when it was used: what decides its cell.
pub(crate) fn account_and_time(
    record: &TailRecord,
) -> Result<(BillingAccountId, calendar::Instant)> {
    if record.kind == EntryKind::UNREADABLE {
        let body = UnreadableBody::read(&record.payload)?;
        let used_at = calendar::Instant::from_micros(body.used_at_micros);
        return Ok((BillingAccountId::new(&body.billing_account)?, used_at));
    }
    let record = encoding::decode(&record.payload)?;
    Ok((record.key.billing_account, record.service_period.start()))
}

fn read_record(hash_key: &[u8; 32], unit: i64, record: &TailRecord) -> Result<Read> {
    if record.kind == EntryKind::UNREADABLE {
        return Ok(Read::Unreadable(unit, unreadable(record)?, record.conflict_of));
    }
    let logged = LoggedRecord {
        position: record.position,
        acknowledged_at: record.acknowledged_at,
        record: encoding::decode(&record.payload)?,
    };
    let key_hash = match logged.record.origin {
        Origin::Event => 0,
        Origin::Extract => usagelog::key_hash(hash_key, &encoding::key_bytes(&logged.record.key)),
    };
    Ok(Read::Kept(unit, Box::new(Kept { logged, key_hash, conflict_of: record.conflict_of })))
}

fn unreadable(record: &TailRecord) -> Result<Quarantined> {
    let body = UnreadableBody::read(&record.payload)?;
    Ok(Quarantined {
        position: record.position,
        key: body.key()?,
        reason: crate::quarantine::reason(&body.reason)?,
        field: crate::quarantine::field(&body.field),
    })
}
