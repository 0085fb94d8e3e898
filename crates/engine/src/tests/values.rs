//! What columns hold, and what they refuse.

use proptest::prelude::*;

use super::{House, Row, SCHEMA, read_back, rows_of};
use crate::functions::month;
use crate::{
    Cell, Column, ColumnType, Error, FileFacts, Input, Rows, RowsBuilder, Scan, Schema, Values,
};

const DECIMAL_END: i128 = 10_i128.pow(28);
const QUANTITY_END: i128 = 10_i128.pow(38);

fn whole(facts: FileFacts) -> Scan {
    Scan {
        schema: SCHEMA.clone(),
        inputs: vec![Input::file(facts.into())],
        filters: vec![],
        columns: SCHEMA.columns().iter().map(|column| column.name).collect(),
        order_by: vec![],
        limit: None,
    }
}

#[tokio::test]
async fn values_of_every_type_survive_a_file() {
    let bound = |cost, quantity| Row { cost, quantity, ..Row::default() };
    let rows = [
        Row::default(),
        bound(Some(DECIMAL_END - 1), QUANTITY_END - 1),
        bound(Some(1 - DECIMAL_END), 1 - QUANTITY_END),
        bound(Some(1), -1),
        Row { account: i32::MIN, day: i32::MAX, unit: i64::MIN, ..Row::default() },
        Row { unit: i64::MAX, campaign: Some(0), ..Row::default() },
        Row { network: Some(String::new()), mark: Some(vec![]), ..Row::default() },
        Row { network: Some("Ünïcode \u{0}".into()), mark: Some(vec![0, 255]), ..Row::default() },
    ];
    let house = House::new();
    let facts = house.engine.write("all/of/them", vec![rows_of(&rows)], &[]).await.unwrap();
    let read = house.engine.scan(&whole(facts)).await.unwrap().collect().await.unwrap();
    assert_eq!(read_back(&read), rows);
}

#[test]
fn values_beyond_a_bound_are_refused() {
    let check = |column_type, cell, fits: bool| {
        let schema = Schema::new(&[Column::new("a", column_type)]).unwrap();
        let mut builder = RowsBuilder::new(schema, 1);
        let pushed = builder.push(&[cell]);
        assert_eq!(pushed.is_ok(), fits, "{column_type:?} {cell:?} {pushed:?}");
        assert_eq!(builder.len(), usize::from(fits));
    };
    check(ColumnType::Decimal, Cell::Decimal(DECIMAL_END - 1), true);
    check(ColumnType::Decimal, Cell::Decimal(DECIMAL_END), false);
    check(ColumnType::Decimal, Cell::Decimal(-DECIMAL_END), false);
    check(ColumnType::Quantity, Cell::Decimal(QUANTITY_END - 1), true);
    check(ColumnType::Quantity, Cell::Decimal(QUANTITY_END), false);
    check(ColumnType::Quantity, Cell::Decimal(i128::MIN), false);
    check(ColumnType::Int32, Cell::Int64(1), false);
    check(ColumnType::Text, Cell::Bytes(b"a"), false);
    check(ColumnType::Int64, Cell::Null, false);
}

#[test]
fn a_refused_row_leaves_the_builder_as_it_was() {
    let schema =
        Schema::new(&[Column::new("a", ColumnType::Int32), Column::new("b", ColumnType::Decimal)]);
    let mut builder = RowsBuilder::new(schema.unwrap(), 2);
    builder.push(&[Cell::Int32(1), Cell::Decimal(1)]).unwrap();
    let refused = builder.push(&[Cell::Int32(2), Cell::Decimal(DECIMAL_END)]).unwrap_err();
    let text =
        "column `b` cannot hold 10000000000000000000000000000 atoms: values stay below 10^10";
    assert_eq!(refused.to_string(), text);
    builder.push(&[Cell::Int32(3), Cell::Decimal(3)]).unwrap();
    assert_eq!(builder.finish().unwrap().i32("a").unwrap().values(), [1, 3]);
}

#[test]
fn whole_columns_follow_the_same_bounds_as_cells() {
    let schema =
        Schema::new(&[Column::new("a", ColumnType::Int64), Column::new("b", ColumnType::Decimal)])
            .unwrap();
    let check = |columns: Vec<Values>, wanted: &str| {
        let made = Rows::from_columns(schema.clone(), columns);
        let text = made.map_or_else(|error| error.to_string(), |rows| rows.len().to_string());
        assert!(text.starts_with(wanted), "{text}");
    };
    let atoms = |atoms| Values::Decimal(vec![0, atoms]);
    check(vec![Values::Int64(vec![1, 2]), atoms(DECIMAL_END - 1)], "2");
    check(vec![Values::Int64(vec![1, 2]), atoms(DECIMAL_END)], "column `b` cannot hold 1");
    check(vec![Values::Int64(vec![1]), atoms(1)], "column `b`: has another number of values");
    check(vec![Values::Int32(vec![1])], "column `a`: holds Int64");
    check(vec![Values::Int64(vec![1])], "column `b`: has no values");
}

#[test]
fn schemas_refuse_names_that_cannot_be_kept() {
    let check = |names: &[&'static str], fits: bool| {
        let columns: Vec<Column> =
            names.iter().map(|name| Column::new(name, ColumnType::Int32)).collect();
        assert_eq!(Schema::new(&columns).is_ok(), fits, "{names:?}");
    };
    check(&["a", "b_2"], true);
    check(&[], true);
    check(&["a", "a"], false);
    check(&["A"], false);
    check(&["a b"], false);
    check(&[""], false);
}

#[test]
fn views_name_the_column_that_is_of_another_type() {
    let rows = rows_of(&[Row::default()]);
    let text = rows.i32("unit").unwrap_err().to_string();
    assert_eq!(text, "column `unit`: holds Int64");
    assert!(matches!(rows.text("nothing"), Err(Error::Column { .. })));
    assert_eq!(rows.i64("unit").unwrap().get(1), None);
}

#[test]
fn slices_stop_at_the_last_row() {
    let rows = rows_of(&[Row::default(), Row { account: 1, ..Row::default() }]);
    assert_eq!(rows.slice(1, 9).i32("account").unwrap().values(), [1]);
    assert!(rows.slice(5, 9).is_empty());
}

#[tokio::test]
async fn facts_tell_ranges_and_reaches() {
    let house = House::new();
    let rows = [
        Row { account: -3, campaign: None, cost: Some(-5), quantity: 7, ..Row::default() },
        Row { account: 4, campaign: None, cost: Some(2), quantity: -9, ..Row::default() },
    ];
    let facts = house.write("f", &rows).await;
    assert_eq!(facts.rows, 2);
    assert_eq!(facts.sorted_by, ["account", "day"]);
    assert_eq!(facts.ranges["account"], (-3, 4));
    assert!(!facts.ranges.contains_key("campaign"));
    assert_eq!((facts.max_abs["cost"], facts.sum_abs["cost"]), (5, 7));
    assert_eq!((facts.max_abs["quantity"], facts.sum_abs["quantity"]), (9, 16));
    assert_eq!((facts.sum_abs["account"], facts.sum_abs["campaign"]), (7, 0));
    assert_eq!(FileFacts::parse(&facts.to_text()).unwrap(), *facts);
}

#[test]
fn facts_that_cannot_be_read_name_their_line() {
    let check = |text: &str, wanted: &str| {
        assert_eq!(FileFacts::parse(text).unwrap_err().to_string(), wanted);
    };
    check("", "file facts, line 0: path or hash is missing");
    check("file-facts 2", "file facts, line 1: wants `file-facts 1`");
    check("file-facts 1\nrows x", "file facts, line 2: `x` is no number that fits here");
    check("file-facts 1\nrows 1\nmood good", "file facts, line 3: `mood good` is no fact");
    check("file-facts 1\nrange a 1", "file facts, line 2: `range a 1` is no fact");
}

#[test]
fn months_follow_the_calendar() {
    let check = |day: i64, wanted: i32| assert_eq!(month(day), wanted, "day {day}");
    check(0, 0);
    check(30, 0);
    check(31, 1);
    check(-1, -1);
    check(-31, -1);
    check(-32, -2);
    check(20_512, 673); // 2026-02-28
    check(20_513, 674); // 2026-03-01
    check(19_782, 649); // 2024-02-29
    check(11_016, 361); // 2000-02-29
    check(11_017, 362); // 2000-03-01
    check(i64::MAX, month(36_000_000));
}

proptest! {
    #[test]
    fn months_only_ever_advance_by_one(day in -1_000_000_i64..1_000_000) {
        let step = month(day + 1) - month(day);
        prop_assert!(step == 0 || step == 1);
        prop_assert!(month(day + 31) > month(day) && month(day + 27) <= month(day) + 1);
    }
}
