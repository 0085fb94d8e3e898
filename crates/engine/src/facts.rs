//! What is known of a written file without reading it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type};

use crate::error::{Error, Result};
use crate::rows::integers;

/// First line of the text form; a later form gets a later number.
const FORM: &str = "file-facts 1";

/// Facts of one written file, which its owner keeps: questions are planned from them alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// Where the file is.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub hash: String,
    /// The columns that its rows are sorted by.
    pub sorted_by: Vec<String>,
    /// Least and greatest value of each integer column that has a value.
    pub ranges: BTreeMap<String, (i64, i64)>,
    /// Greatest absolute value of each decimal column, in atoms.
    pub max_abs: BTreeMap<String, u128>,
    /// Sum of absolute values of each integer and decimal column: no sum over any part of the
    /// file can pass it.
    pub sum_abs: BTreeMap<String, u128>,
}

impl FileFacts {
    /// Writes the facts as text, one per line; [`FileFacts::parse`] reads it back.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |parts: &[&str]| {
            let _ = writeln!(text, "{}", parts.join(" "));
        };
        line(&[FORM]);
        line(&["path", &self.path]);
        line(&["rows", &self.rows.to_string()]);
        line(&["bytes", &self.bytes.to_string()]);
        line(&["hash", &self.hash]);
        for column in &self.sorted_by {
            line(&["sorted", column]);
        }
        for (column, (least, greatest)) in &self.ranges {
            line(&["range", column, &least.to_string(), &greatest.to_string()]);
        }
        for (column, atoms) in &self.max_abs {
            line(&["max_abs", column, &atoms.to_string()]);
        }
        for (column, atoms) in &self.sum_abs {
            line(&["sum_abs", column, &atoms.to_string()]);
        }
        text
    }

    /// Reads facts from their text.
    ///
    /// Errors: [`Error::Facts`] naming the line.
    pub fn parse(text: &str) -> Result<FileFacts> {
        let mut facts = FileFacts::default();
        for (index, line) in text.lines().enumerate() {
            let at = |problem: String| Error::Facts { line: index.saturating_add(1), problem };
            if index == 0 {
                if line != FORM {
                    return Err(at(format!("wants `{FORM}`")));
                }
                continue;
            }
            facts.read(line).map_err(at)?;
        }
        if facts.path.is_empty() || facts.hash.is_empty() {
            return Err(Error::Facts { line: 0, problem: "path or hash is missing".to_owned() });
        }
        Ok(facts)
    }

    fn read(&mut self, line: &str) -> std::result::Result<(), String> {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["path", path] => self.path = (*path).to_owned(),
            ["rows", rows] => self.rows = number(rows)?,
            ["bytes", bytes] => self.bytes = number(bytes)?,
            ["hash", hash] => self.hash = (*hash).to_owned(),
            ["sorted", column] => self.sorted_by.push((*column).to_owned()),
            ["range", column, least, greatest] => {
                let range = (number(least)?, number(greatest)?);
                self.ranges.insert((*column).to_owned(), range);
            }
            ["max_abs", column, atoms] => {
                self.max_abs.insert((*column).to_owned(), number(atoms)?);
            }
            ["sum_abs", column, atoms] => {
                self.sum_abs.insert((*column).to_owned(), number(atoms)?);
            }
            _ => return Err(format!("`{line}` is no fact")),
        }
        Ok(())
    }

    /// Adds what a batch of the file tells.
    pub(crate) fn observe(&mut self, batch: &RecordBatch) {
        self.rows = self.rows.saturating_add(batch.num_rows() as u64);
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = field.name();
            if let Some((least, greatest)) = integer_range(array.as_ref()) {
                let range = self.ranges.entry(name.clone()).or_insert((least, greatest));
                *range = (range.0.min(least), range.1.max(greatest));
            }
            let Some(Reach { greatest, sum }) = reach(array.as_ref()) else { continue };
            let total = self.sum_abs.entry(name.clone()).or_insert(0);
            *total = total.saturating_add(sum);
            if matches!(array.data_type(), DataType::Decimal128(..)) {
                let most = self.max_abs.entry(name.clone()).or_insert(0);
                *most = greatest.max(*most);
            }
        }
    }
}

/// Least and greatest value of an integer array; nothing for other types and for nulls alone.
pub(crate) fn integer_range(array: &dyn Array) -> Option<(i64, i64)> {
    integers(array)?.flatten().fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((least, greatest)) => Some((value.min(least), value.max(greatest))),
    })
}

/// How far the absolute values of an array go.
pub(crate) struct Reach {
    pub(crate) greatest: u128,
    pub(crate) sum: u128,
}

/// The reach of an integer or decimal array; the sum stops at the end of its type.
pub(crate) fn reach(array: &dyn Array) -> Option<Reach> {
    let none = Reach { greatest: 0, sum: 0 };
    let add = |reach: Reach, value: u128| Reach {
        greatest: reach.greatest.max(value),
        sum: reach.sum.saturating_add(value),
    };
    if let Some(values) = integers(array) {
        let values = values.flatten().map(|value| u128::from(value.unsigned_abs()));
        return Some(values.fold(none, add));
    }
    let values = array.as_primitive_opt::<Decimal128Type>()?.iter().flatten();
    Some(values.map(i128::unsigned_abs).fold(none, add))
}

fn number<T: FromStr>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number that fits here"))
}
