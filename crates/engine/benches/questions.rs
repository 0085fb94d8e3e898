//! Times the questions that `performance.md` sets goals for, over synthetic rows.
//!
//! `cargo bench -p engine -- 20000000` prints one line per question: milliseconds from packed
//! files, from decoded columns, and the groups found. Best of three hot runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{
    Column, ColumnType, Engine, EngineOptions, FileFacts, Filter, Group, Input, Keep, Measure,
    ObjectPlace, Order, Query, Rows, Schema, Value, Values,
};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const ACCOUNTS: u64 = 2_000;
const MONTHS: u64 = 3;

fn main() -> Fallible<()> {
    let given = std::env::args().find_map(|argument| argument.parse::<u64>().ok());
    let rows = given.unwrap_or(1_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(measure(rows))
}

async fn measure(rows: u64) -> Fallible<()> {
    let folder = tempfile::tempdir()?;
    let engine = Engine::open(EngineOptions {
        place: ObjectPlace::Directory(folder.path().into()),
        memory_bytes: 4 << 30,
        threads: 2,
        cached_bytes: 4 << 30,
        spill: None,
    })?;
    let schema = schema()?;
    let mut files = Vec::new();
    for month in 0..MONTHS {
        let made = make(&schema, month, rows / MONTHS)?;
        let started = now();
        let path = format!("month={month}");
        let facts = engine.write(&path, vec![made], &["account", "day"]).await?;
        let spent = now().duration_since(started);
        let (count, bytes) = (facts.rows, facts.bytes);
        println!("{path}: {count} rows, {bytes} bytes, written in {} ms", spent.as_millis());
        files.push(Arc::new(facts));
    }
    println!("{:<36} {:>8} {:>8} {:>10}", "question", "packed", "decoded", "groups");
    for (name, question) in questions(&schema) {
        let (packed, groups) = best(&engine, &question, &files, Keep::Packed).await?;
        let (decoded, _) = best(&engine, &question, &files, Keep::Decoded).await?;
        println!("{name:<36} {:>8} {:>8} {groups:>10}", packed.as_millis(), decoded.as_millis());
    }
    Ok(())
}

async fn best(
    engine: &Engine,
    question: &Query,
    files: &[Arc<FileFacts>],
    keep: Keep,
) -> Fallible<(Duration, usize)> {
    let input = |facts: &Arc<FileFacts>| Input::File { facts: facts.clone(), without: None, keep };
    let question = Query { inputs: files.iter().map(input).collect(), ..question.clone() };
    let mut best = Duration::MAX;
    let mut groups = engine.query(&question).await?.len();
    for _ in 0..3 {
        let started = now();
        groups = engine.query(&question).await?.len();
        best = best.min(now().duration_since(started));
    }
    Ok((best, groups))
}

fn questions(schema: &Schema) -> Vec<(&'static str, Query)> {
    let query = |group_by: Vec<Group>| Query {
        schema: schema.clone(),
        inputs: vec![],
        filters: vec![],
        group_by,
        measures: vec![Measure::Sum("cost")],
        order_by: vec![],
        limit: None,
        max_groups: 100_000_000,
    };
    let column = Group::Column;
    let month = Group::MonthOfDay { column: "day", name: "month" };
    let some = (0..20).map(|n| Value::Int(n * 97)).collect();
    let some = Filter::In { column: "account", values: some };
    let few = query(vec![column("day"), column("category"), column("country")]);
    let top = query(vec![column("campaign")]);
    vec![
        ("total", query(vec![])),
        ("Q1 month x account", query(vec![month, column("account")])),
        ("Q2 day x category x country, 1 %", Query { filters: vec![some], ..few }),
        ("Q3 top campaigns", Query { order_by: vec![Order::down("cost")], limit: Some(20), ..top }),
    ]
}

fn schema() -> engine::Result<Schema> {
    Schema::new(&[
        Column::new("account", ColumnType::Int32),
        Column::new("day", ColumnType::Int32),
        Column::new("category", ColumnType::Int32),
        Column::new("country", ColumnType::Int32),
        Column::new("campaign", ColumnType::Int32),
        Column::new("unit", ColumnType::Int64),
        Column::new("quantity", ColumnType::Quantity),
        Column::new("cost", ColumnType::Decimal),
    ])
}

/// Rows of one month: a few large accounts, each with its own few countries and categories.
fn make(schema: &Schema, month: u64, rows: u64) -> Fallible<Rows> {
    let mut columns: [Vec<i32>; 5] = Default::default();
    let (mut units, mut quantities, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ month;
    for _ in 0..rows {
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let account = next(ACCOUNTS) * next(ACCOUNTS) / ACCOUNTS;
        let values = [
            account,
            20_454 + month * 30 + next(30),
            (account + next(2)) % 9,
            (account * 7 + next(3)) % 180,
            account * 10 + next(10),
        ];
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(i32::try_from(value)?);
        }
        let quantity = 1 + next(400);
        units.push(i64::try_from(account * 100 + next(100))?);
        quantities.push(i128::from(quantity) * 10_i128.pow(18));
        costs.push(i128::from(quantity * (40 + next(60))) * 10_i128.pow(14));
    }
    let mut values: Vec<Values> = columns.into_iter().map(Values::Int32).collect();
    values.push(Values::Int64(units));
    values.push(Values::Decimal(quantities));
    values.push(Values::Decimal(costs));
    Ok(Rows::from_columns(schema.clone(), values)?)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures durations")]
fn now() -> Instant {
    Instant::now()
}
