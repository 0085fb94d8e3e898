//! Sealed usage as columns: each record's own bytes, sorted by what is rated together.

use crate::cells::TailRecord;
use calendar::Instant;
use domain::usage::Position;
use domain::{Error, Result};
use engine::{Cell, Column, ColumnType, Rows, RowsBuilder, Schema};
use std::sync::Arc;
use usagelog::EntryKind;

/// The columns of a usage file.
pub(crate) fn schema() -> Result<Schema> {
    use ColumnType::{Bytes, Int32, Int64};
    Schema::new(&[
        Column::new("unit", Int64),
        Column::new("shard", Int32),
        Column::new("sequence", Int64),
        Column::new("epoch", Int32),
        Column::new("acknowledged", Int64),
        Column::new("kind", Int32),
        Column::nullable("conflict_of", Int64),
        Column::nullable("conflict_epoch", Int32),
        Column::new("payload", Bytes),
    ])
    .map_err(crate::engine_failed("name the columns of usage"))
}

/// The columns by which a usage file is sorted.
pub(crate) const SORT: [&str; 2] = ["unit", "sequence"];

/// Turns records into columns; `units` says what each is rated with.
pub(crate) fn to_columns(records: &[TailRecord], units: &[i64]) -> Result<Rows> {
    let failed = crate::engine_failed;
    let mut builder = RowsBuilder::new(schema()?, records.len());
    for (record, unit) in records.iter().zip(units) {
        let first = record.conflict_of;
        builder
            .push(&[
                Cell::Int64(*unit),
                Cell::Int32(i32::from(record.position.shard)),
                Cell::Int64(whole(record.position.sequence)?),
                Cell::Int32(epoch(record.position.epoch)?),
                Cell::Int64(record.acknowledged_at.micros()),
                Cell::Int32(i32::from(record.kind.0)),
                first.map(|p| whole(p.sequence)).transpose()?.map_or(Cell::Null, Cell::Int64),
                first.map(|p| epoch(p.epoch)).transpose()?.map_or(Cell::Null, Cell::Int32),
                Cell::Bytes(&record.payload),
            ])
            .map_err(failed("build a usage row"))?;
    }
    builder.finish().map_err(failed("build usage rows"))
}

/// Turns columns back into records with their units.
pub(crate) fn from_columns(rows: &Rows) -> Result<Vec<(i64, TailRecord)>> {
    let failed = crate::engine_failed;
    let int = |column| rows.i32(column).map_err(failed("read usage"));
    let long = |column| rows.i64(column).map_err(failed("read usage"));
    let (unit, sequence, acknowledged) = (long("unit")?, long("sequence")?, long("acknowledged")?);
    let (shard, epoch, kind) = (int("shard")?, int("epoch")?, int("kind")?);
    let (conflict_of, conflict_epoch) = (long("conflict_of")?, int("conflict_epoch")?);
    let payload = rows.bytes("payload").map_err(failed("read usage"))?;
    let null = || Error::internal("read usage", "a column is null");
    let mut records = Vec::with_capacity(rows.len());
    for at in 0..rows.len() {
        let shard = shard.get(at).ok_or_else(null)?;
        let first = conflict_of.get(at).zip(conflict_epoch.get(at));
        let record = TailRecord {
            position: position(
                shard,
                sequence.get(at).ok_or_else(null)?,
                epoch.get(at).ok_or_else(null)?,
            )?,
            acknowledged_at: Instant::from_micros(acknowledged.get(at).ok_or_else(null)?),
            kind: EntryKind(u8::try_from(kind.get(at).ok_or_else(null)?).map_err(bad)?),
            conflict_of: first.map(|(first, epoch)| position(shard, first, epoch)).transpose()?,
            payload: Arc::from(payload.get(at).ok_or_else(null)?),
        };
        records.push((unit.get(at).ok_or_else(null)?, record));
    }
    Ok(records)
}

fn position(shard: i32, sequence: i64, epoch: i32) -> Result<Position> {
    Ok(Position {
        shard: u16::try_from(shard).map_err(bad)?,
        sequence: u64::try_from(sequence).map_err(bad)?,
        epoch: u32::try_from(epoch).map_err(bad)?,
    })
}

fn whole(sequence: u64) -> Result<i64> {
    i64::try_from(sequence).map_err(bad)
}

fn epoch(epoch: u32) -> Result<i32> {
    i32::try_from(epoch).map_err(bad)
}

fn bad(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("keep usage", error)
}
