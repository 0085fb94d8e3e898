//! Codes: a small number for each value of a dimension. Once given it is never given again.

use crate::checksum::{changed_rows, with_checksum};
use crate::driver::{Connection, statements};
use crate::value::{Row, values};
use crate::{Result, Store};

/// A value and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Which dimension.
    pub kind: String,
    /// The number: 1, 2, 3, … within the kind.
    pub code: i32,
    /// The value.
    pub value: String,
}

statements! {
    ALL_CODES = "SELECT kind, code, value FROM codes ORDER BY kind, code";
    FIND = "SELECT code FROM codes WHERE kind = $1 AND value = $2";
    NEXT = "SELECT COALESCE(MAX(code), 0) + 1 FROM codes WHERE kind = $1";
    INSERT = "INSERT INTO codes (kind, code, value, checksum) VALUES ($1, $2, $3, $4)";
    /// For [`crate::checksum`].
    ROWS = "SELECT value, kind, code, value, checksum FROM codes ORDER BY kind, code";
}

impl Store {
    /// Every code, by kind and number.
    pub fn codes(&self) -> Result<Vec<Code>> {
        self.pool.read(|connection| connection.rows(ALL_CODES, values![], read))
    }

    /// The codes of (kind, value) pairs, in their order; unknown ones are given a number.
    pub fn assign_codes(&self, pairs: &[(String, String)]) -> Result<Vec<i32>> {
        self.pool.write(|connection| {
            pairs.iter().map(|(kind, value)| assign(connection, kind, value)).collect()
        })
    }
}

fn assign(connection: &mut dyn Connection, kind: &str, value: &str) -> Result<i32> {
    if let Some(code) = connection.row(FIND, values![kind, value], Row::take)? {
        return Ok(code);
    }
    let code: i32 = connection.one(NEXT, values![kind], Row::take)?;
    connection.execute(INSERT, &with_checksum(values![kind, code, value]))?;
    Ok(code)
}

/// Which codes are not what was written.
pub(crate) fn changed(connection: &mut dyn Connection) -> Result<Vec<String>> {
    changed_rows(connection, "code of", ROWS)
}

fn read(row: &mut Row) -> Result<Code> {
    Ok(Code { kind: row.take()?, code: row.take()?, value: row.take()? })
}
