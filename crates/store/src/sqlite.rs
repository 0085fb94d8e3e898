//! SQLite, bundled: one file, one writer, a few readers.

use crate::driver::{Access, Connection, Statement};
use crate::value::{Row, Value};
use crate::{Cause, Result, StoreError};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long a writer waits for another process before it gives up.
const BUSY: Duration = Duration::from_secs(10);
/// Prepared statements kept per connection: more than there are.
const STATEMENTS_KEPT: usize = 256;

pub(crate) struct Sqlite(rusqlite::Connection);

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
    /// Looks at a file that may be a newer program's, and leaves every byte as it is.
    Onlooker,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, role: Role) -> Result<Sqlite> {
        let access = match role {
            Role::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Role::Reader | Role::Onlooker => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let opened =
            rusqlite::Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .and_then(|connection| {
                    set_up(&connection, role)?;
                    Ok(connection)
                });
        opened.map(Sqlite).map_err(|error| match classify(error) {
            StoreError::Sql(source) => {
                StoreError::Unavailable { place: path.display().to_string(), source }
            }
            known => known,
        })
    }

    /// Copies one consistent state into a new file, without holding up the writer.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<()> {
        let mut copy = rusqlite::Connection::open(path).map_err(classify)?;
        let backup = rusqlite::backup::Backup::new(&self.0, &mut copy).map_err(classify)?;
        // All pages in one step: one read transaction, which no writer can make start over.
        match backup.step(-1).map_err(classify)? {
            rusqlite::backup::StepResult::Done => Ok(()),
            other => Err(StoreError::Contended(format!("backup stopped: {other:?}").into())),
        }
    }
}

fn set_up(connection: &rusqlite::Connection, role: Role) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.create_collation("C", |left, right| left.as_bytes().cmp(right.as_bytes()))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON;")?;
    match role {
        Role::Writer => {
            // FULL: a commit is durable when it returns.
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                PRAGMA journal_size_limit = 67108864;",
            )
        }
        Role::Reader | Role::Onlooker => Ok(()),
    }
}

impl Connection for Sqlite {
    fn begin(&mut self, access: Access) -> Result<()> {
        self.script(match access {
            Access::Read => "BEGIN",
            Access::Write | Access::Migrate => "BEGIN IMMEDIATE",
        })
    }

    fn commit(&mut self) -> Result<()> {
        self.script("COMMIT")
    }

    fn rollback(&mut self) {
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            tracing::debug!(%error, "rollback failed");
        }
    }

    fn script(&mut self, sql: &str) -> Result<()> {
        self.0.execute_batch(sql).map_err(classify)
    }

    fn prepare(&mut self, statement: Statement) -> Result<()> {
        self.0.prepare_cached(statement.0).map(drop).map_err(classify)
    }

    fn execute(&mut self, statement: Statement, values: &[Value]) -> Result<u64> {
        let mut prepared = self.0.prepare_cached(statement.0).map_err(classify)?;
        let touched = prepared.execute(rusqlite::params_from_iter(values)).map_err(classify)?;
        Ok(u64::try_from(touched).unwrap_or(u64::MAX))
    }

    fn query(&mut self, statement: Statement, values: &[Value]) -> Result<Vec<Row>> {
        let mut prepared = self.0.prepare_cached(statement.0).map_err(classify)?;
        let columns = prepared.column_count();
        let mut rows = prepared.query(rusqlite::params_from_iter(values)).map_err(classify)?;
        let mut read = Vec::new();
        while let Some(row) = rows.next().map_err(classify)? {
            let values = (0..columns).map(|at| own(row.get_ref(at).map_err(classify)?));
            read.push(Row::new(values.collect::<Result<_>>()?));
        }
        Ok(read)
    }

    fn integrity(&mut self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        let mut checked = self.0.prepare("PRAGMA integrity_check").map_err(classify)?;
        let lines = checked.query_map([], |row| row.get::<_, String>(0)).map_err(classify)?;
        for line in lines {
            let line = line.map_err(classify)?;
            if line != "ok" {
                problems.push(line);
            }
        }
        let mut checked = self.0.prepare("PRAGMA foreign_key_check").map_err(classify)?;
        let tables = checked.query_map([], |row| row.get::<_, String>(0)).map_err(classify)?;
        for table in tables {
            let table = table.map_err(classify)?;
            problems.push(format!("table {table}: a row points at nothing"));
        }
        Ok(problems)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn own(value: ValueRef<'_>) -> Result<Value> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(number) => Ok(Value::Int(number)),
        ValueRef::Text(text) => String::from_utf8(text.to_vec())
            .map(Value::Text)
            .map_err(|_| StoreError::damaged("a text is not UTF-8")),
        ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
        ValueRef::Real(_) => Err(StoreError::damaged("a column holds a floating-point number")),
    }
}

pub(crate) fn classify(error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let text = error.to_string();
    let source: Cause = Box::new(error);
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Contended(source),
        Some(ErrorCode::DiskFull) => StoreError::Full(source),
        Some(ErrorCode::SystemIoFailure) => StoreError::Io(source),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::damaged(text),
        Some(ErrorCode::ConstraintViolation) => StoreError::Constraint(source),
        _ => StoreError::Sql(source),
    }
}
