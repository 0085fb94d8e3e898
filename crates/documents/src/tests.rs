//! Sheets, and what they look like when written.

use crate::{
    Column, ParquetFile, Sheet, write_csv, write_json, write_json_lines, write_parquet, write_text,
};
use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Row = [Option<&'static str>; 2];

fn check(write: fn(&Sheet, &mut Vec<u8>) -> io::Result<()>, rows: &[Row], expected: &str) {
    let cells = |row: &Row| row.iter().map(|cell| cell.map(str::to_owned)).collect();
    let columns = vec![Column::text("name"), Column::number("cost")];
    let mut out = Vec::new();
    write(&Sheet { columns, rows: rows.iter().map(cells).collect() }, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn csv_quotes_what_would_break_a_line_or_cell() {
    check(write_csv, &[], "name,cost\r\n");
    check(write_csv, &[[Some("a,b"), Some("1")]], "name,cost\r\n\"a,b\",1\r\n");
    check(write_csv, &[[Some("a\"b"), Some("1")]], "name,cost\r\n\"a\"\"b\",1\r\n");
    check(write_csv, &[[Some("a\r\nb"), Some("1")]], "name,cost\r\n\"a\r\nb\",1\r\n");
    check(write_csv, &[[Some("Größe"), None], [None, None]], "name,cost\r\nGröße,\r\n,\r\n");
}

#[test]
fn csv_holds_no_formula_and_keeps_negative_numbers() {
    check(write_csv, &[[Some("=1+1"), Some("-1.5")]], "name,cost\r\n'=1+1,-1.5\r\n");
    check(write_csv, &[[Some("+1"), Some("+1")]], "name,cost\r\n'+1,+1\r\n");
    check(write_csv, &[[Some("-1"), None]], "name,cost\r\n'-1,\r\n");
    check(write_csv, &[[Some("@SUM(A1)"), None]], "name,cost\r\n'@SUM(A1),\r\n");
    check(write_csv, &[[Some("\t=1"), None]], "name,cost\r\n'\t=1,\r\n");
    check(write_csv, &[[Some("\r=1"), None]], "name,cost\r\n\"'\r=1\",\r\n");
    check(write_csv, &[[Some("a=1"), None]], "name,cost\r\na=1,\r\n");
}

#[test]
fn json_numbers_keep_their_digits_as_text() {
    let least = "0.000000000000000001";
    check(write_json, &[], "[\n]\n");
    check(
        write_json,
        &[[Some("a"), Some(least)], [None, Some("-1")]],
        "[\n  {\"name\":\"a\",\"cost\":\"0.000000000000000001\"},\
         \n  {\"name\":null,\"cost\":\"-1\"}\n]\n",
    );
}

#[test]
fn json_lines_are_one_object_each() {
    check(write_json_lines, &[], "");
    check(
        write_json_lines,
        &[[Some("a\nb\"c"), Some("1.50")], [Some("d"), None]],
        "{\"name\":\"a\\nb\\\"c\",\"cost\":\"1.50\"}\n{\"name\":\"d\",\"cost\":null}\n",
    );
}

#[test]
fn text_is_aligned_and_shows_what_is_missing() {
    check(write_text, &[], "name  cost\n");
    check(write_text, &[[Some("a"), Some("10")]], "name  cost\na       10\n");
    check(
        write_text,
        &[[Some("Größe"), Some("1")], [None, Some("1234.5")], [Some("b"), None]],
        "name     cost\nGröße       1\n-      1234.5\nb           -\n",
    );
}

#[test]
fn text_holds_nothing_that_a_terminal_obeys() {
    check(write_text, &[[Some("\u{1b}[2J"), Some("1")]], "name       cost\n\\u{1b}[2J     1\n");
    check(write_text, &[[Some("a\nb"), Some("1")]], "name  cost\na\\nb     1\n");
}

/// Writes one row under a column of each kind; gives types and values as they are read back.
fn kept(cells: [Option<&str>; 4]) -> Result<String, String> {
    let columns =
        vec![Column::text("t"), Column::date("d"), Column::count("c"), Column::number("n")];
    let row = cells.map(|cell| cell.map(str::to_owned)).to_vec();
    let sheet = Sheet { columns, rows: vec![row] };
    let batch = read_back(&sheet).map_err(|error| error.to_string())?;
    let cells = batch.columns().iter().map(|column| {
        let value = array_value_to_string(column, 0).unwrap();
        format!("{} {value}", column.data_type())
    });
    Ok(cells.collect::<Vec<_>>().join(", "))
}

fn read_back(sheet: &Sheet) -> io::Result<RecordBatch> {
    let (reader, schema) = reader(sheet)?;
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    Ok(arrow::compute::concat_batches(&schema, &batches).unwrap())
}

fn reader(sheet: &Sheet) -> io::Result<(ParquetRecordBatchReader, arrow::datatypes::SchemaRef)> {
    let mut bytes = Vec::new();
    write_parquet(sheet, &mut bytes)?;
    Ok(opened(&bytes))
}

fn opened(bytes: &[u8]) -> (ParquetRecordBatchReader, arrow::datatypes::SchemaRef) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sheet.parquet");
    File::create(&path).unwrap().write_all(bytes).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    (builder.build().unwrap(), schema)
}

#[test]
fn parquet_keeps_every_digit_or_refuses() {
    let check = |cells: [&str; 4], expected: Result<&str, &str>| {
        let kept = kept(cells.map(|cell| (cell != "-").then_some(cell)));
        assert_eq!(kept.as_deref().map_err(String::as_str), expected, "{cells:?}");
    };
    check(
        ["a", "2026-03-01", "7", "0.000000000000000001"],
        Ok("Utf8 a, Date32 2026-03-01, Int64 7, Decimal128(38, 18) 0.000000000000000001"),
    );
    check(
        ["", "1969-12-31", "-9223372036854775808", "-99999999999999999999.999999999999999999"],
        Ok("Utf8 , Date32 1969-12-31, Int64 -9223372036854775808, \
            Decimal128(38, 18) -99999999999999999999.999999999999999999"),
    );
    check(["-", "-", "-", "-"], Ok("Utf8 , Date32 , Int64 , Decimal128(38, 18) "));
    // One more than 38 digits can hold, though our own numbers can.
    check(
        ["-", "-", "-", "100000000000000000000"],
        Err("column `n`, row 1: `100000000000000000000` is not a decimal of 38 digits with 18 \
             places"),
    );
    check(
        ["-", "-", "-", "0.0000000000000000001"],
        Err("column `n`, row 1: `0.0000000000000000001` is not a decimal of 38 digits with 18 \
             places"),
    );
    check(
        ["-", "-", "9223372036854775808", "-"],
        Err("column `c`, row 1: `9223372036854775808` is not a 64-bit integer"),
    );
    check(["-", "2026-03", "-", "-"], Err("column `d`, row 1: `2026-03` is not a day"));
    check(
        ["-", "2026-03-01T10:00:00Z", "-", "-"],
        Err("column `d`, row 1: `2026-03-01T10:00:00Z` is not a day"),
    );
}

#[test]
fn parquet_holds_no_rows_and_many() {
    let columns = vec![Column::count("at")];
    for count in [0, 1, 8_192, 20_000] {
        let rows = (0..count).map(|at| vec![Some(at.to_string())]).collect();
        let batch = read_back(&Sheet { columns: columns.clone(), rows }).unwrap();
        assert_eq!(batch.num_rows(), count);
        let in_order = (0..count)
            .all(|at| array_value_to_string(batch.column(0), at).unwrap() == at.to_string());
        assert!(in_order, "{count} rows");
    }
    // The row of a fault is counted through all parts of a file.
    let mut rows: Vec<_> = (0..9_000).map(|at| vec![Some(at.to_string())]).collect();
    rows[8_999] = vec![Some("many".to_owned())];
    let error = read_back(&Sheet { columns, rows }).unwrap_err();
    assert_eq!(error.to_string(), "column `at`, row 9000: `many` is not a 64-bit integer");
}

#[test]
fn a_file_that_is_written_a_few_rows_at_a_time_is_the_same() {
    let columns = vec![Column::count("at"), Column::text("name")];
    let said = |at: usize| (!at.is_multiple_of(3)).then(|| format!("row {at}"));
    let row = |at: usize| vec![Some(at.to_string()), said(at)];
    let sheet = Sheet { columns, rows: (0..20_000).map(row).collect() };
    let mut parts: Vec<u8> = Vec::new();
    let mut file = ParquetFile::begin(&sheet.columns, &mut parts).unwrap();
    for rows in sheet.rows.chunks(700) {
        file.add(rows).unwrap();
    }
    file.finish().unwrap();
    let (reader, schema) = opened(&parts);
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let read = arrow::compute::concat_batches(&schema, &batches).unwrap();
    assert_eq!(read, read_back(&sheet).unwrap());
}

/// Counts the bytes that it is given.
struct Counts(Arc<AtomicUsize>);

impl Write for Counts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn rows_are_given_away_before_the_file_ends() {
    let (columns, given) = (vec![Column::count("at")], Arc::new(AtomicUsize::new(0)));
    let mut file = ParquetFile::begin(&columns, Counts(Arc::clone(&given))).unwrap();
    let rows: Vec<_> =
        (0..140_000).map(|at| vec![Some((at * 7_919 % 140_009).to_string())]).collect();
    file.add(&rows).unwrap();
    let before = given.load(Ordering::Relaxed);
    file.finish().unwrap();
    assert!(before > given.load(Ordering::Relaxed) / 2, "only {before} bytes before the end");
}
