//! PostgreSQL, for several nodes that share the books.

use crate::driver::{Access, Connection, Statement};
use crate::value::{Row, Value};
use crate::{Cause, Result, StoreError};
use postgres::config::{Config, TargetSessionAttrs};
use postgres::error::SqlState;
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// How long to wait for a server that does not answer.
const CONNECT: Duration = Duration::from_secs(5);
/// After how long a half-open connection counts as broken.
const HALF_OPEN: Duration = Duration::from_secs(10);
/// Every session: durable commits, unless the operator asked for more than that; nothing waits
/// for ever.
const SET_UP: &str = "
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') IN ('off', 'local');
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = '60s';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '60s';
    SET client_min_messages = 'warning'";
/// One schema change at a time, whichever node; the number has no meaning of its own.
const MIGRATE: &str = "
    BEGIN;
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = 0;
    SELECT pg_advisory_xact_lock(7215004920114)";

pub(crate) struct Postgres {
    client: Client,
    prepared: HashMap<Statement, postgres::Statement>,
}

/// A client that may be let go of anywhere: the library's own waits for its end, which it must not
/// on a thread that drives asynchronous work.
struct Client(Option<postgres::Client>);

const KEPT: &str = "a client is there until it is dropped";

impl Deref for Client {
    type Target = postgres::Client;

    fn deref(&self) -> &postgres::Client {
        self.0.as_ref().expect(KEPT)
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut postgres::Client {
        self.0.as_mut().expect(KEPT)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let client = self.0.take();
        // If the thread panics, the connection is gone all the same.
        let _ = std::thread::spawn(move || drop(client)).join();
    }
}

impl Postgres {
    pub(crate) fn open(url: &str) -> Result<Postgres> {
        let mut config = parse(url)?;
        let place = shown(&config);
        if config.get_application_name().is_none() {
            config.application_name("reckoner");
        }
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(HALF_OPEN)
            // A standby must not be taken for the books while the primary moves.
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        let unreachable = |error: postgres::Error| StoreError::Unavailable {
            place: place.clone(),
            source: Box::new(error),
        };
        let mut client = config.connect(postgres::NoTls).map_err(unreachable)?;
        client.batch_execute(SET_UP).map_err(unreachable)?;
        Ok(Postgres { client: Client(Some(client)), prepared: HashMap::new() })
    }

    fn prepared(&mut self, statement: Statement) -> Result<postgres::Statement> {
        if let Some(prepared) = self.prepared.get(&statement) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(statement.0).map_err(classify)?;
        self.prepared.insert(statement, prepared.clone());
        Ok(prepared)
    }
}

/// Where a URL points, without user and password.
pub(crate) fn place(url: &str) -> String {
    parse(url).map_or_else(|_| "an unreadable PostgreSQL url".to_owned(), |config| shown(&config))
}

fn parse(url: &str) -> Result<Config> {
    url.parse::<Config>().map_err(|error| StoreError::Unavailable {
        place: "the given PostgreSQL url".to_owned(),
        source: Box::new(error),
    })
}

fn shown(config: &Config) -> String {
    use postgres::config::Host;
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let hosts = hosts.collect::<Vec<_>>().join(",");
    format!("PostgreSQL {hosts}/{}", config.get_dbname().unwrap_or_default())
}

impl Connection for Postgres {
    fn begin(&mut self, access: Access) -> Result<()> {
        self.script(match access {
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Access::Write => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            Access::Migrate => MIGRATE,
        })
    }

    fn commit(&mut self) -> Result<()> {
        self.script("COMMIT").map_err(|error| match error {
            StoreError::Lost(source) => StoreError::OutcomeUnknown(source),
            known => known,
        })
    }

    fn rollback(&mut self) {
        if let Err(error) = self.client.batch_execute("ROLLBACK") {
            tracing::debug!(%error, "rollback failed");
        }
    }

    fn script(&mut self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).map_err(classify)
    }

    fn prepare(&mut self, statement: Statement) -> Result<()> {
        self.prepared(statement).map(drop)
    }

    fn execute(&mut self, statement: Statement, values: &[Value]) -> Result<u64> {
        let prepared = self.prepared(statement)?;
        self.client.execute(&prepared, &given(values)).map_err(classify)
    }

    fn query(&mut self, statement: Statement, values: &[Value]) -> Result<Vec<Row>> {
        let prepared = self.prepared(statement)?;
        let rows = self.client.query(&prepared, &given(values)).map_err(classify)?;
        rows.iter().map(own).collect()
    }

    fn integrity(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

fn given(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn own(row: &postgres::Row) -> Result<Row> {
    let values = (0..row.len()).map(|at| row.try_get::<_, Value>(at).map_err(classify));
    Ok(Row::new(values.collect::<Result<_>>()?))
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Cause> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => number.to_sql_checked(kind, out),
            Value::Text(text) => text.to_sql_checked(kind, out),
            Value::Bytes(bytes) => bytes.to_sql_checked(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> std::result::Result<Value, Cause> {
        match *kind {
            Type::TEXT => String::from_sql(kind, raw).map(Value::Text),
            Type::BYTEA => Vec::from_sql(kind, raw).map(Value::Bytes),
            _ => i64::from_sql(kind, raw).map(Value::Int),
        }
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Value, Cause> {
        Ok(Value::Null)
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(kind)
    }
}

fn classify(error: postgres::Error) -> StoreError {
    let Some(code) = error.code().cloned() else {
        let broken = error.is_closed() || is_io(&error);
        return if broken {
            StoreError::Lost(Box::new(error))
        } else {
            StoreError::Sql(Box::new(error))
        };
    };
    let text = error.to_string();
    let source: Cause = Box::new(error);
    match code {
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::QUERY_CANCELED
        | SqlState::TOO_MANY_CONNECTIONS => StoreError::Contended(source),
        // Read-only: a primary that has just become a standby.
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Lost(source),
        SqlState::DISK_FULL => StoreError::Full(source),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => StoreError::damaged(text),
        other if other.code().starts_with("23") => StoreError::Constraint(source),
        _ => StoreError::Sql(source),
    }
}

fn is_io(error: &postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
}
