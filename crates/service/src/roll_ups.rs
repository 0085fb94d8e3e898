//! Roll-ups: rated rows added up by day and by month, for questions that need no more.
//!
//! A roll-up has the columns of rated rows that it keeps, under the same names, so that one
//! question can be put to either.

use crate::Grain;
use crate::rated_rows::CODED;
use domain::Result;
use engine::{Column, ColumnType, Engine, FileFacts, Group, Input, Measure, Query, Rows, Schema};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The columns by which a roll-up is sorted.
pub(crate) const SORT: [&str; 2] = ["account", "meter"];

/// Columns that both roll-ups keep.
const KEPT: [&str; 10] = [
    "unit",
    "account",
    "subscription",
    "meter",
    "meter_category",
    "measure",
    "currency",
    "category",
    "kind",
    "reservation",
];

/// Columns that are added up.
///
/// `amortised` is that of reservations: what all else costs is amortised as it is.
pub(crate) const MEASURES: [&str; 4] = ["records", "quantity", "cost", "amortised"];

/// Columns of the roll-up by day, besides the measures.
pub(crate) fn day_columns() -> Vec<&'static str> {
    let mut columns = KEPT.to_vec();
    columns.push("day");
    columns.extend(CODED.map(domain::usage::Dimension::name));
    columns
}

/// Columns of the roll-up by month, besides the measures. Its `day` is the first of the month.
pub(crate) fn month_columns() -> Vec<&'static str> {
    KEPT.to_vec()
}

/// The columns of a roll-up file.
pub(crate) fn schema(grain: Grain) -> Result<Schema> {
    let kept = if grain == Grain::Month { month_columns() } else { day_columns() };
    let rated = crate::rated_rows::schema()?;
    let mut columns: Vec<Column> =
        rated.columns().iter().filter(|column| kept.contains(&column.name)).copied().collect();
    columns.sort_by_key(|column| kept.iter().position(|name| *name == column.name));
    columns.push(Column::nullable("records", ColumnType::Int64));
    columns.push(Column::nullable("quantity", ColumnType::Quantity));
    columns.push(Column::nullable("cost", ColumnType::Quantity));
    columns.push(Column::nullable("amortised", ColumnType::Quantity));
    Schema::new(&columns).map_err(crate::engine_failed("name the columns of a roll-up"))
}

/// What a file of a grain comes to, by account, meter and currency.
///
/// Units: records; atoms of quantity and cost. Errors: those of reading it.
pub(crate) async fn sums(
    engine: &Engine,
    grain: Grain,
    facts: &Arc<FileFacts>,
) -> Result<BTreeMap<[i32; 3], (i64, i128, i128)>> {
    let keys = ["account", "meter", "currency"];
    let query = Query {
        inputs: vec![Input::file(Arc::clone(facts))],
        schema: match grain {
            Grain::Rows => crate::rated_rows::schema()?,
            Grain::Day | Grain::Month => schema(grain)?,
        },
        filters: Vec::new(),
        group_by: keys.into_iter().map(Group::Column).collect(),
        measures: ["records", "quantity", "cost"].into_iter().map(Measure::Sum).collect(),
        order_by: Vec::new(),
        limit: None,
        max_groups: u64::MAX,
    };
    let failed = crate::engine_failed("add up a roll-up");
    let rows = engine.query(&query).await.map_err(&failed)?.into_rows().map_err(&failed)?;
    let [account, meter, currency] = keys.map(|key| rows.i32(key));
    let (account, meter) = (account.map_err(&failed)?, meter.map_err(&failed)?);
    let currency = currency.map_err(&failed)?;
    let records = rows.i64("records").map_err(&failed)?;
    let quantity = rows.decimal("quantity").map_err(&failed)?;
    let cost = rows.decimal("cost").map_err(&failed)?;
    let sum = |at| {
        let key = [account.get(at)?, meter.get(at)?, currency.get(at)?];
        Some((key, (records.get(at)?, quantity.get(at)?, cost.get(at)?)))
    };
    Ok((0..rows.len()).filter_map(sum).collect())
}

/// Adds rows up by day and coded dimension.
pub(crate) async fn by_day(engine: &Engine, rows: &Rows) -> Result<Rows> {
    roll_up(engine, rows, day_columns()).await
}

/// Adds the rows of one billing period up.
pub(crate) async fn by_month(engine: &Engine, rows: &Rows) -> Result<Rows> {
    roll_up(engine, rows, month_columns()).await
}

async fn roll_up(engine: &Engine, rows: &Rows, columns: Vec<&'static str>) -> Result<Rows> {
    let query = Query {
        inputs: vec![Input::Memory(rows.clone())],
        schema: crate::rated_rows::schema()?,
        filters: Vec::new(),
        group_by: columns.into_iter().map(Group::Column).collect(),
        measures: MEASURES.iter().map(|column| Measure::Sum(column)).collect(),
        order_by: Vec::new(),
        limit: None,
        max_groups: u64::MAX,
    };
    let failed = crate::engine_failed("roll rated rows up");
    engine.query(&query).await.map_err(&failed)?.into_rows().map_err(&failed)
}
