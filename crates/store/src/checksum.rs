//! Checksums of rows that are final: a row that is not what was written is found.

use crate::Result;
use crate::driver::{Connection, Statement};
use crate::value::{Row, Value};

/// BLAKE3 of a row's values, each with its kind and length, so that no two rows have the same
/// bytes.
pub(crate) fn checksum(values: &[Value]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("reckoner books, row, version 1");
    for value in values {
        let number;
        let (kind, bytes): (u8, &[u8]) = match value {
            Value::Null => (0, &[]),
            Value::Int(value) => {
                number = value.to_le_bytes();
                (1, &number)
            }
            Value::Text(text) => (2, text.as_bytes()),
            Value::Bytes(bytes) => (3, bytes),
        };
        hasher.update(&[kind]);
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    *hasher.finalize().as_bytes()
}

/// A row's values and, behind them, their checksum.
pub(crate) fn with_checksum(values: &[Value]) -> Vec<Value> {
    let mut all = values.to_vec();
    all.push(Value::Bytes(checksum(values).to_vec()));
    all
}

/// Says which rows are not what was written. A statement gives a row's name, the values that the
/// checksum covers, and the checksum; rows without one are older than checksums.
pub(crate) fn changed_rows(
    connection: &mut dyn Connection,
    what: &str,
    statement: Statement,
) -> Result<Vec<String>> {
    let problems = connection.rows(statement, &[], |row: &mut Row| {
        let name: String = row.take()?;
        let mut values = row.rest();
        let kept = values.pop();
        let is_whole = match kept {
            Some(Value::Bytes(kept)) => kept == checksum(&values),
            Some(Value::Null) => true,
            Some(Value::Int(_) | Value::Text(_)) | None => false,
        };
        Ok((!is_whole).then(|| format!("{what} {name}: it is not what was written")))
    })?;
    Ok(problems.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_rows_have_the_same_checksum() {
        let text = |text: &str| Value::Text(text.to_owned());
        let rows = [
            vec![],
            vec![Value::Null],
            vec![Value::Null, Value::Null],
            vec![Value::Int(0)],
            vec![text("")],
            vec![Value::Bytes(vec![])],
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![Value::Bytes(b"ab".to_vec()), text("c")],
            vec![Value::Int(i64::from_le_bytes(*b"01234567"))],
            vec![text("01234567")],
        ];
        let checksums: BTreeSet<_> = rows.iter().map(|row| checksum(row)).collect();
        assert_eq!(checksums.len(), rows.len());
    }
}
