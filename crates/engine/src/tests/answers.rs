//! Answers, against a grouping so simple that it must be right.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::{House, Row, SCHEMA, read_back, rows_of};
use crate::{
    Answer, Column, ColumnType, Engine, Error, Filter, Group, Input, Keep, Measure, Order, Query,
    Scan, Schema, Value, Without,
};

fn question(inputs: Vec<Input>) -> Query {
    Query {
        schema: SCHEMA.clone(),
        inputs,
        filters: vec![],
        group_by: vec![Group::Column("account")],
        measures: vec![Measure::Sum("cost"), Measure::Count],
        order_by: vec![Order::up("account")],
        limit: None,
        max_groups: 1_000_000,
    }
}

/// Tables gain columns that may lack values: files of before lack them in every row.
#[tokio::test]
async fn a_file_without_a_newer_column_lacks_its_values() {
    for cached_bytes in [0, 256 << 20] {
        let house = House::with(2, cached_bytes, 256 << 20);
        let rows = [Row { account: 1, cost: Some(5), ..Row::default() }];
        let old = house.write("old", &rows).await;
        let mut columns = SCHEMA.columns().to_vec();
        columns.push(Column::nullable("colour", ColumnType::Int32));
        columns.push(Column::nullable("weight", ColumnType::Decimal));
        let schema = Schema::new(&columns).unwrap();
        let asked = Query {
            schema: schema.clone(),
            group_by: vec![Group::Column("colour")],
            measures: vec![Measure::Sum("cost"), Measure::Sum("weight")],
            order_by: vec![],
            ..question(vec![Input::file(Arc::clone(&old))])
        };
        let answer = house.engine.query(&asked).await.unwrap().into_rows().unwrap();
        assert_eq!(answer.i32("colour").unwrap().get(0), None);
        assert_eq!(answer.decimal("cost").unwrap().get(0), Some(5));
        assert_eq!(answer.decimal("weight").unwrap().get(0), None);
        let columns = schema.columns().iter().map(|column| column.name).collect();
        let inputs = vec![Input::file(old)];
        let filters = vec![];
        let scan = Scan { schema, inputs, filters, columns, order_by: vec![], limit: None };
        let rows = house.engine.scan(&scan).await.unwrap().collect().await.unwrap();
        assert_eq!((rows.len(), rows.i32("colour").unwrap().get(0)), (1, None));
        assert_eq!(rows.i32("account").unwrap().get(0), Some(1));
    }
}

fn memory(rows: &[Row]) -> Input {
    Input::Memory(rows_of(rows))
}

/// Groups of `account` with `cost` and `count`, in the answer's order.
fn groups(answer: Answer) -> Vec<(i32, Option<i128>, i64)> {
    let rows = answer.into_rows().unwrap();
    let (account, cost) = (rows.i32("account").unwrap(), rows.decimal("cost").unwrap());
    let count = rows.i64("count").unwrap();
    (0..rows.len())
        .map(|at| (account.get(at).unwrap(), cost.get(at), count.get(at).unwrap()))
        .collect()
}

fn row(account: i32, cost: i128) -> Row {
    Row { account, cost: Some(cost), ..Row::default() }
}

#[tokio::test]
async fn sums_reach_their_bound_and_are_refused_one_atom_beyond() {
    const END: i128 = 10_i128.pow(38);
    let house = House::new();
    let quantity = |quantity| Row { quantity, ..Row::default() };
    let unit = |unit| Row { unit, ..Row::default() };
    let check = async |rows: [Row; 2], column: &'static str, wanted: Option<i128>| {
        let facts = house.write("bound", &rows).await;
        for inputs in [
            vec![memory(&rows)],
            vec![Input::file(facts.clone())],
            vec![memory(&rows[..1]), memory(&rows[1..])],
        ] {
            let mut question = question(inputs);
            question.group_by.clear();
            question.order_by.clear();
            question.measures = vec![Measure::Sum(column)];
            let sum = house.engine.query(&question).await.map(|answer| {
                let rows = answer.into_rows().unwrap();
                match column {
                    "unit" => rows.i64(column).unwrap().get(0).map(i128::from),
                    _ => rows.decimal(column).unwrap().get(0),
                }
            });
            match (sum, wanted) {
                (Ok(sum), wanted) => assert_eq!(sum, wanted),
                (Err(Error::SumTooLarge { column: named, .. }), None) => assert_eq!(named, column),
                (Err(error), _) => panic!("{error:?}"),
            }
        }
    };
    check([quantity(END - 2), quantity(1)], "quantity", Some(END - 1)).await;
    check([quantity(END - 1), quantity(1)], "quantity", None).await;
    check([quantity(1 - END), quantity(-1)], "quantity", None).await;
    check([unit(i64::MAX - 1), unit(1)], "unit", Some(i128::from(i64::MAX))).await;
    check([unit(i64::MAX), unit(1)], "unit", None).await;
    let most = 10_i128.pow(28) - 1;
    check([row(0, most), row(0, most)], "cost", Some(2 * most)).await;
    check([row(0, -most), row(0, most)], "cost", Some(0)).await;
}

#[tokio::test]
async fn newer_rows_replace_a_units_older_ones() {
    let house = House::with(2, 1 << 20, 256 << 20);
    let of = |unit: i64, cost| Row { account: 1, unit, cost: Some(cost), ..Row::default() };
    let old: Vec<Row> = (0..1_000).map(|n| of(n % 10, 1)).collect();
    let new: Vec<Row> = (0..50).map(|n| of(3 + n % 2, 7)).collect();
    let facts = house.write("old", &old).await;
    let values = Arc::new(HashSet::from([3, 4, 99]));
    let mut scratch: Vec<Row> = old.into_iter().filter(|row| !values.contains(&row.unit)).collect();
    scratch.extend(new.iter().cloned());
    let wanted = groups(house.engine.query(&question(vec![memory(&scratch)])).await.unwrap());
    assert_eq!(wanted, [(1, Some(800 + 350), 850)]);
    for keep in [Keep::Packed, Keep::Decoded, Keep::Decoded] {
        let without = Some(Without { column: "unit", values: values.clone() });
        let file = Input::File { facts: facts.clone(), without, keep };
        let overlay = question(vec![file, memory(&new)]);
        assert_eq!(groups(house.engine.query(&overlay).await.unwrap()), wanted, "{keep:?}");
    }
}

#[tokio::test]
async fn an_ordered_answer_breaks_ties_by_its_groups() {
    let rows: Vec<Row> = (0..100).map(|n| row(n % 10, i128::from(n % 2))).collect();
    for threads in [1, 3, 8] {
        let house = House::with(threads, 0, 256 << 20);
        let facts = house.write("ties", &rows).await;
        let mut question = question(vec![Input::file(facts), memory(&rows)]);
        question.order_by = vec![Order::down("cost")];
        question.limit = Some(7);
        let answer = groups(house.engine.query(&question).await.unwrap());
        let accounts: Vec<i32> = answer.iter().map(|(account, _, _)| *account).collect();
        assert_eq!(accounts, [1, 3, 5, 7, 9, 0, 2]);
        question.order_by.clear();
        let answer = groups(house.engine.query(&question).await.unwrap());
        let accounts: Vec<i32> = answer.iter().map(|(account, _, _)| *account).collect();
        assert_eq!(accounts, [0, 1, 2, 3, 4, 5, 6], "a limit alone takes the first groups");
    }
}

#[tokio::test]
async fn a_question_of_nothing_has_one_group_or_none() {
    let engine = House::new().engine;
    let mut none = question(vec![]);
    assert!(engine.query(&none).await.unwrap().is_empty());
    none.group_by.clear();
    none.order_by.clear();
    let answer = engine.query(&none).await.unwrap().into_rows().unwrap();
    assert_eq!(answer.i64("count").unwrap().values(), [0]);
    assert_eq!(answer.decimal("cost").unwrap().get(0), None);
}

#[tokio::test]
async fn too_many_groups_are_refused() {
    let house = House::new();
    let rows: Vec<Row> = (0..1_000).map(|n| row(n, 1)).collect();
    let mut question = question(vec![memory(&rows)]);
    question.max_groups = 999;
    let refused = house.engine.query(&question).await.unwrap_err();
    assert_eq!(refused.to_string(), "the answer has more than 999 groups");
    question.max_groups = 1_000;
    assert_eq!(house.engine.query(&question).await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_question_beyond_the_memory_is_refused_or_spilled() {
    let rows: Vec<Row> = (0..500_000).map(|n| row(n, 1)).collect();
    let mut wide = question(vec![memory(&rows)]);
    wide.group_by = vec![Group::Column("account"), Group::Column("network")];
    let refused = House::with(2, 0, 1 << 20).engine.query(&wide).await.unwrap_err();
    assert!(matches!(refused, Error::TooMuchMemory { .. }), "{refused:?}");
    let scan = Scan {
        schema: SCHEMA.clone(),
        inputs: vec![memory(&rows)],
        filters: vec![],
        columns: vec!["account", "quantity"],
        order_by: vec![Order::down("account")],
        limit: None,
    };
    let house = House::spilling(8 << 20);
    let mut stream = house.engine.scan(&scan).await.unwrap();
    let mut seen = 0;
    while let Some(rows) = stream.next().await.unwrap() {
        seen += rows.len();
    }
    assert_eq!(seen, 500_000);
}

#[tokio::test]
async fn questions_that_cannot_be_meant_are_refused() {
    let engine = House::new().engine;
    let check = async |change: fn(&mut Query), wanted: &str| {
        let mut question = question(vec![memory(&[row(1, 1)])]);
        change(&mut question);
        let error = engine.query(&question).await.unwrap_err();
        assert_eq!(error.to_string(), wanted);
    };
    check(
        |query| query.group_by = vec![Group::Column("nothing")],
        "column `nothing`: is not in the schema",
    )
    .await;
    check(
        |query| query.group_by.push(Group::Column("account")),
        "column `account`: is named twice",
    )
    .await;
    check(
        |query| query.measures = vec![Measure::Sum("network")],
        "column `network`: cannot be summed",
    )
    .await;
    check(|query| query.order_by = vec![Order::up("unit")], "column `unit`: is not in the schema")
        .await;
    check(
        |query| {
            let values = vec![Value::Int(1)];
            query.filters = vec![Filter::In { column: "network", values }];
        },
        "column `network`: holds Text, not Int(1)",
    )
    .await;
    check(
        |query| query.filters = vec![Filter::Between { column: "cost", from: 0, until: 1 }],
        "column `cost`: has no integers to lie between",
    )
    .await;
    check(
        |query| query.group_by[0] = Group::Divided { column: "account", by: 0, name: "account" },
        "column `account`: cannot be divided by 0",
    )
    .await;
}

#[tokio::test]
async fn filters_of_values_find_rows_of_every_type() {
    let house = House::new();
    let rows = [
        Row { account: 1, network: Some("a".into()), cost: Some(5), ..Row::default() },
        Row { account: 2, mark: Some(vec![1, 2]), quantity: 9, ..Row::default() },
        Row { account: 3, campaign: Some(1 << 40), ..Row::default() },
    ];
    let facts = house.write("typed", &rows).await;
    let check = async |filter: Filter, wanted: &[i32]| {
        for input in [Input::file(facts.clone()), memory(&rows)] {
            let scan = Scan {
                schema: SCHEMA.clone(),
                inputs: vec![input],
                filters: vec![filter.clone()],
                columns: vec!["account"],
                order_by: vec![Order::up("account")],
                limit: None,
            };
            let read = house.engine.scan(&scan).await.unwrap().collect().await.unwrap();
            assert_eq!(read.i32("account").unwrap().values(), wanted, "{filter:?}");
        }
    };
    let is = |column, value| Filter::In { column, values: vec![value] };
    check(is("network", Value::Text("a".into())), &[1]).await;
    check(is("mark", Value::Bytes(vec![1, 2])), &[2]).await;
    check(is("cost", Value::Decimal(5)), &[1]).await;
    check(is("quantity", Value::Decimal(9)), &[2]).await;
    check(is("campaign", Value::Int(1 << 40)), &[3]).await;
    check(is("account", Value::Int(1 << 40)), &[]).await;
    check(Filter::Between { column: "account", from: i64::MIN, until: i64::MAX }, &[1, 2, 3]).await;
    check(Filter::Between { column: "account", from: 2, until: 2 }, &[]).await;
    check(Filter::Not(Box::new(is("network", Value::Text("a".into())))), &[2, 3]).await;
    check(Filter::Not(Box::new(Filter::IsNull("campaign"))), &[3]).await;
    check(Filter::Any(vec![]), &[]).await;
}

#[tokio::test]
async fn a_scan_is_ordered_and_cut_as_asked() {
    let house = House::new();
    let rows: Vec<Row> =
        (0..300).map(|n| Row { account: n % 3, unit: i64::from(n), ..Row::default() }).collect();
    let facts = house.write("scan", &rows[..200]).await;
    let scan = Scan {
        schema: SCHEMA.clone(),
        inputs: vec![Input::file(facts), memory(&rows[200..])],
        filters: vec![Filter::Between { column: "unit", from: 100, until: 290 }],
        columns: SCHEMA.columns().iter().map(|column| column.name).collect(),
        order_by: vec![Order::down("account"), Order::up("unit")],
        limit: Some(80),
    };
    let read = house.engine.scan(&scan).await.unwrap().collect().await.unwrap();
    let mut wanted: Vec<Row> =
        rows.into_iter().filter(|row| (100..290).contains(&row.unit)).collect();
    wanted.sort_by_key(|row| (-row.account, row.unit));
    wanted.truncate(80);
    assert_eq!(read_back(&read), wanted);
}

#[tokio::test]
async fn a_column_that_older_files_lack_is_null_there() {
    let house = House::new();
    let older = SCHEMA.only(&["account", "unit", "quantity"]).unwrap();
    let mut builder = crate::RowsBuilder::new(older, 1);
    builder.push(&[crate::Cell::Int32(5), crate::Cell::Int64(6), crate::Cell::Decimal(7)]).unwrap();
    let rows = vec![builder.finish().unwrap()];
    let facts = Arc::new(house.engine.write("older", rows, &[]).await.unwrap());
    let question = question(vec![Input::file(facts), memory(&[row(5, 2)])]);
    assert_eq!(groups(house.engine.query(&question).await.unwrap()), [(5, Some(2), 2)]);
}

/// One random question over one random set of rows, split at random.
#[derive(Clone, Debug)]
struct Case {
    rows: Vec<Row>,
    /// Where each row goes: 0 is memory, others are files.
    places: Vec<usize>,
    filters: Vec<Filter>,
    groups: Vec<usize>,
    hidden: HashSet<i64>,
}

fn any_row() -> impl Strategy<Value = Row> {
    let atoms = -(10_i128.pow(28) - 1)..10_i128.pow(28);
    let ints = (0..6_i32, -40..80_i32, 0..8_i64, proptest::option::of(0..4_i64));
    let others = (proptest::option::of("[ab]"), proptest::option::of(atoms.clone()), atoms);
    (ints, others).prop_map(|((account, day, unit, campaign), (network, cost, quantity))| Row {
        account,
        day,
        unit,
        campaign,
        network,
        mark: None,
        cost,
        quantity,
    })
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let integers = prop_oneof![Just("account"), Just("day"), Just("unit"), Just("campaign")];
    let leaf = prop_oneof![
        (integers.clone(), proptest::collection::vec(-3..9_i64, 0..4)).prop_map(
            |(column, values)| {
                Filter::In { column, values: values.into_iter().map(Value::Int).collect() }
            }
        ),
        (integers.clone(), proptest::collection::hash_set(-60..90_i64, 33..60)).prop_map(
            |(column, values)| {
                Filter::In { column, values: values.into_iter().map(Value::Int).collect() }
            }
        ),
        (integers, -50..90_i64, 0..60_i64).prop_map(|(column, from, width)| Filter::Between {
            column,
            from,
            until: from + width
        }),
        Just(Filter::IsNull("campaign")),
        Just(Filter::In { column: "network", values: vec![Value::Text("a".into())] }),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|filter| Filter::Not(Box::new(filter))),
            proptest::collection::vec(inner, 0..3).prop_map(Filter::Any),
        ]
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    let rows = proptest::collection::vec((any_row(), 0..4_usize), 0..60);
    let filters = proptest::collection::vec(any_filter(), 0..3);
    let groups = proptest::sample::subsequence(vec![0_usize, 1, 2, 3, 4, 5], 0..4);
    let hidden = proptest::collection::hash_set(0..10_i64, 0..3);
    (rows, filters, groups, hidden).prop_map(|(rows, filters, groups, hidden)| {
        let (rows, places) = rows.into_iter().unzip();
        Case { rows, places, filters, groups, hidden }
    })
}

fn integer(row: &Row, column: &str) -> Option<i64> {
    match column {
        "account" => Some(row.account.into()),
        "day" => Some(row.day.into()),
        "unit" => Some(row.unit),
        _ => row.campaign,
    }
}

fn passes(row: &Row, filter: &Filter) -> bool {
    match filter {
        Filter::In { column: "network", values } => {
            row.network.as_ref().is_some_and(|text| values.contains(&Value::Text(text.clone())))
        }
        Filter::In { column, values } => {
            integer(row, column).is_some_and(|value| values.contains(&Value::Int(value)))
        }
        Filter::Between { column, from, until } => {
            integer(row, column).is_some_and(|value| (*from..*until).contains(&value))
        }
        Filter::IsNull(column) => integer(row, column).is_none(),
        Filter::Not(inner) => !passes(row, inner),
        Filter::Any(filters) => filters.iter().any(|filter| passes(row, filter)),
    }
}

const GROUPS: [Group; 6] = [
    Group::Column("account"),
    Group::Column("network"),
    Group::Divided { column: "day", by: 7, name: "week" },
    Group::MonthOfDay { column: "day", name: "month" },
    Group::Column("campaign"),
    Group::DividedFrom { column: "day", from: -3, by: 7, name: "own_week" },
];

type Key = Vec<Option<String>>;
type Measured = (i64, Option<i128>, i128, Option<i64>, Option<i32>);

fn key(row: &Row, groups: &[usize]) -> Key {
    let part = |group: &usize| match group {
        0 => Some(row.account.to_string()),
        1 => row.network.clone(),
        2 => Some(row.day.div_euclid(7).to_string()),
        3 => Some(crate::functions::month(row.day.into()).to_string()),
        4 => row.campaign.map(|campaign| campaign.to_string()),
        _ => Some((row.day + 3).div_euclid(7).to_string()),
    };
    groups.iter().map(part).collect()
}

fn by_hand(case: &Case) -> BTreeMap<Key, Measured> {
    let mut groups: BTreeMap<Key, Measured> = BTreeMap::new();
    for (row, place) in case.rows.iter().zip(&case.places) {
        let shown = *place == 0 || !case.hidden.contains(&row.unit);
        if !shown || !case.filters.iter().all(|filter| passes(row, filter)) {
            continue;
        }
        let group = groups.entry(key(row, &case.groups)).or_insert((0, None, 0, None, None));
        group.0 += 1;
        if let Some(cost) = row.cost {
            group.1 = Some(group.1.unwrap_or(0) + cost);
        }
        group.2 += row.quantity;
        group.3 = group.3.max(row.campaign);
        group.4 = Some(group.4.map_or(row.day, |day| day.min(row.day)));
    }
    groups
}

async fn by_engine(
    engine: &Engine,
    case: &Case,
    inputs: Vec<Input>,
) -> Result<BTreeMap<Key, Measured>, Error> {
    let answer = engine
        .query(&Query {
            schema: SCHEMA.clone(),
            inputs,
            filters: case.filters.clone(),
            group_by: case.groups.iter().map(|group| GROUPS[*group]).collect(),
            measures: vec![
                Measure::Count,
                Measure::Sum("cost"),
                Measure::Sum("quantity"),
                Measure::Max { column: "campaign", name: "last_campaign" },
                Measure::Min { column: "day", name: "first_day" },
            ],
            order_by: vec![],
            limit: None,
            max_groups: 10_000,
        })
        .await?;
    let rows = answer.into_rows()?;
    let mut groups = BTreeMap::new();
    for at in 0..rows.len() {
        let mut key = Key::new();
        for group in &case.groups {
            key.push(match group {
                0 => rows.i32("account")?.get(at).map(|value| value.to_string()),
                1 => rows.text("network")?.get(at).map(str::to_owned),
                2 => rows.i64("week")?.get(at).map(|value| value.to_string()),
                3 => rows.i32("month")?.get(at).map(|value| value.to_string()),
                4 => rows.i64("campaign")?.get(at).map(|value| value.to_string()),
                _ => rows.i64("own_week")?.get(at).map(|value| value.to_string()),
            });
        }
        let count = rows.i64("count")?.get(at).unwrap();
        if count == 0 {
            continue; // one group of everything, even of no rows
        }
        let measured = (
            count,
            rows.decimal("cost")?.get(at),
            rows.decimal("quantity")?.get(at).unwrap(),
            rows.i64("last_campaign")?.get(at),
            rows.i32("first_day")?.get(at),
        );
        assert!(groups.insert(key, measured).is_none(), "a group comes once");
    }
    Ok(groups)
}

async fn check_case(case: &Case, threads: usize, keep: Keep) {
    let house = House::with(threads, 1 << 20, 64 << 20);
    let values = Arc::new(case.hidden.clone());
    let mut inputs = Vec::new();
    for place in 0..4 {
        let here = case.rows.iter().zip(&case.places).filter(|(_, at)| **at == place);
        let rows: Vec<Row> = here.map(|(row, _)| row.clone()).collect();
        if place == 0 {
            inputs.push(memory(&rows));
            continue;
        }
        let facts = house.write(&format!("f/{place}"), &rows).await;
        let without = Some(Without { column: "unit", values: values.clone() });
        inputs.push(Input::File { facts, without, keep });
    }
    let wanted = by_hand(case);
    for _ in 0..2 {
        let answer = by_engine(&house.engine, case, inputs.clone()).await.unwrap();
        assert_eq!(answer, wanted, "{threads} threads, {keep:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Pruning, the cache, the split into files and memory, and threads never change an answer.
    #[test]
    fn every_way_to_an_answer_gives_the_same(case in any_case()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
        runtime.unwrap().block_on(async {
            check_case(&case, 1, Keep::Packed).await;
            check_case(&case, 3, Keep::Packed).await;
            check_case(&case, 2, Keep::Decoded).await;
        });
    }
}
