//! What we ask of a SQL driver; SQLite and PostgreSQL answer it.

use crate::value::{Row, Value};
use crate::{Result, StoreError};

/// A statement of ours. One text for both stores; placeholders `$1…` in order of first appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Statement(pub(crate) &'static str);

/// Names a module's statements and lists them, so that all are prepared when the store opens.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* const $name: $crate::driver::Statement = $crate::driver::Statement($sql);)*
        pub(crate) const ALL: &[$crate::driver::Statement] = &[$($name),*];
    };
}
pub(crate) use statements;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// One consistent view.
    Read,
    /// Serializable.
    Write,
    /// Alone with the schema.
    Migrate,
}

/// One connection.
pub(crate) trait Connection: Send {
    fn begin(&mut self, access: Access) -> Result<()>;
    /// Errors: [`StoreError::OutcomeUnknown`] when the answer did not arrive.
    fn commit(&mut self) -> Result<()>;
    /// Undoes what was begun; a connection that cannot is broken and says so at its next use.
    fn rollback(&mut self);
    /// Runs the statements of a migration.
    fn script(&mut self, sql: &str) -> Result<()>;
    fn prepare(&mut self, statement: Statement) -> Result<()>;
    /// Runs it and returns how many rows it touched.
    fn execute(&mut self, statement: Statement, values: &[Value]) -> Result<u64>;
    fn query(&mut self, statement: Statement, values: &[Value]) -> Result<Vec<Row>>;
    /// What the store itself finds wrong with its files.
    fn integrity(&mut self) -> Result<Vec<String>>;
}

impl dyn Connection + '_ {
    /// Runs `work` in one transaction: all of it, or nothing.
    pub(crate) fn transaction<T>(
        &mut self,
        access: Access,
        work: impl FnOnce(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        self.begin(access)?;
        let done = work(self).and_then(|value| self.commit().map(|()| value));
        if done.is_err() {
            self.rollback();
        }
        done
    }

    /// Reads every row that a query gives.
    pub(crate) fn rows<T>(
        &mut self,
        statement: Statement,
        values: &[Value],
        read: impl Fn(&mut Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.query(statement, values)?.iter_mut().map(read).collect()
    }

    /// Reads the first row, if there is one.
    pub(crate) fn row<T>(
        &mut self,
        statement: Statement,
        values: &[Value],
        read: impl Fn(&mut Row) -> Result<T>,
    ) -> Result<Option<T>> {
        self.query(statement, values)?.first_mut().map(read).transpose()
    }

    /// Reads the one row that there always is.
    pub(crate) fn one<T>(
        &mut self,
        statement: Statement,
        values: &[Value],
        read: impl Fn(&mut Row) -> Result<T>,
    ) -> Result<T> {
        self.row(statement, values, read)?
            .ok_or_else(|| StoreError::damaged("a query that always answers gave no row"))
    }
}
