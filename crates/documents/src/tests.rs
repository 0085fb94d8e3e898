//! Sheets, and what they look like when written.

use crate::{Column, Sheet, write_csv, write_json, write_json_lines, write_text};
use std::io;

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
