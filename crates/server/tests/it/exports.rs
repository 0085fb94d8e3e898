//! Answers of `query` in every form: the same values, to the last digit.

use crate::books::Books;
use crate::installation::{FILES, Installation, shop, text};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use calendar::Day;
use money::Fixed18;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};
use std::fs::File;
use std::path::Path;
use std::process::Command;

const PRICES: &str = r#"
    { meter = "calls", model = { graduated = [{ from = "0", price = "0.1" }] } },
    { meter = "bytes", model = { graduated = [{ from = "0", price = "0.000000123456789" }] } },
"#;

const BYTES: &str = r#"
[[meter]]
id = "bytes"
name = "Bytes"
category = "Data"
unit = "1 GB"
"#;

const MAPPING: &str = r#"
[columns]
subscription = "subscription"
resource = "resource"
meter = "meter"
quantity = "quantity"
start = "start"
"#;

/// Meter, quantity, day; a resource that is not ASCII.
const USAGE: [(&str, &str, &str); 5] = [
    ("calls", "3", "2026-03-01"),
    ("calls", "-1.5", "2026-03-02"),
    ("bytes", "0.000000001", "2026-03-02"),
    ("bytes", "123456789.123456789", "2026-04-30"),
    ("calls", "98765432109", "2026-05-01"),
];

const QUESTIONS: [&str; 4] =
    ["month", "day,meter", "day,account,subscription,meter,resource,kind", "month,network"];

fn installation() -> Installation {
    let installation = Installation::new(Books::Sqlite, "USD", &(shop(PRICES) + BYTES + FILES));
    let mut csv = "subscription,resource,meter,quantity,start\n".to_owned();
    for (meter, quantity, day) in USAGE {
        csv += &format!("5b0d1e9a-0000-4000-8000-000000000001,größe,{meter},{quantity},{day}\n");
    }
    let mapping = installation.file("mapping.toml", MAPPING);
    let usage = installation.file("usage.csv", &csv);
    installation.import(&usage, &["--source", "files", "--mapping", text(&mapping)]);
    installation
}

/// The type that a column of `query` has in Parquet.
fn type_of(column: &str) -> DataType {
    match column {
        "day" => DataType::Date32,
        "records" => DataType::Int64,
        "quantity" | "cost" | "amortised" => DataType::Decimal128(38, 18),
        _ => DataType::Utf8,
    }
}

/// A value as JSON spells it.
fn told(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    Value::String(match column.data_type() {
        DataType::Date32 => {
            Day::from_number(column.as_primitive::<Date32Type>().value(row)).to_string()
        }
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Decimal128(38, 18) => {
            Fixed18::from_atoms(column.as_primitive::<Decimal128Type>().value(row)).to_string()
        }
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        other => panic!("no column is {other}"),
    })
}

/// The rows of a Parquet file; each column has the type that its name says.
fn rows_of(path: &Path) -> Vec<Value> {
    let file = File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let mut rows = Vec::new();
    for batch in reader.build().expect("a reader") {
        let batch = batch.expect("rows");
        let schema = batch.schema();
        for field in schema.fields() {
            assert_eq!(*field.data_type(), type_of(field.name()), "{}", field.name());
        }
        for row in 0..batch.num_rows() {
            let cells = schema.fields().iter().zip(batch.columns());
            let cells = cells.map(|(field, column)| (field.name().clone(), told(column, row)));
            rows.push(Value::Object(cells.collect::<Map<String, Value>>()));
        }
    }
    rows
}

#[test]
fn parquet_says_what_json_says() {
    let installation = installation();
    for question in QUESTIONS {
        let expected = installation.query(question);
        assert!(!expected.is_empty(), "{question}");
        let path = installation.data().with_file_name("answer.parquet");
        let asked = ["query", "--from", "2010-01-01", "--until", "2030-01-01"];
        let how = ["--group-by", question, "--output", "parquet", "--file", text(&path)];
        let out = installation.run(&[asked.as_slice(), &how].concat());
        assert_eq!(out, "", "standard output is for answers without a file");
        assert_eq!(rows_of(&path), expected, "{question}");
    }
    // Costs of the finest question, by hand: quantity × price.
    let rows = installation.query("day,meter");
    let costs: Vec<&str> = rows.iter().filter_map(|row| row["cost"].as_str()).collect();
    let expected = ["0.3", "0.000000000000000123", "-0.15", "15.24157876543209975", "9876543210.9"];
    assert_eq!(costs, expected);
}

#[test]
fn a_file_holds_what_standard_output_would() {
    let installation = installation();
    let path = installation.file("answer", "what was here before");
    for output in ["table", "csv", "json"] {
        let asked = ["query", "--period", "2026-03", "--group-by", "day", "--output", output];
        let out = installation.run(&asked);
        installation.run(&[asked.as_slice(), &["--file", text(&path)]].concat());
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), out, "{output}");
        assert!(out.contains("2026-03-02"), "{output}: {out}");
    }
}

/// `script` (bsdutils, part of every Debian) gives the program a terminal.
#[test]
fn parquet_is_not_written_to_a_terminal() {
    let installation = Installation::new(Books::Sqlite, "USD", "");
    let program = env!("CARGO_BIN_EXE_reckoner");
    let data = installation.data();
    let line = format!("'{program}' query --data '{}' --output parquet", text(&data));
    let mut script = Command::new("script");
    let output = script.args(["-qec", &line, "/dev/null"]).output().expect("script is there");
    assert_eq!(output.status.code(), Some(1));
    let expected = "reckoner: Parquet is not for a terminal: name a file with --file PATH, or send \
                    standard output to one";
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected);
}
