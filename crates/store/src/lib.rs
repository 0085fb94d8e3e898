//! Durable rows: everything small and transactional, in SQLite or PostgreSQL. All SQL is here.
//!
//! Calls block; asynchronous callers hand them to a thread that may.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod approvals;
mod audit;
mod backup;
mod budgets;
mod callback_log;
mod callbacks;
mod check;
mod checksum;
mod closes;
mod codes;
mod deliveries;
mod documents;
mod driver;
mod enterprise_keys;
mod error;
mod facts;
mod jobs;
mod kept_answers;
mod keys;
mod ledger;
mod log_place;
mod migrations;
mod objects;
mod pool;
mod postgresql;
mod requests;
mod sessions;
mod settings;
mod spools;
mod sqlite;
#[cfg(test)]
mod tests;
mod usage_exports;
mod usage_queries;
mod value;
mod watermarks;

pub use approvals::ApprovalRow;
pub use audit::{AuditEntry, AuditFilter, AuditRow, Note};
pub use budgets::{BudgetKept, BudgetRow, NoticeRow, NoticeState, NoticesKept};
pub use callback_log::CallbackFilter;
pub use callbacks::{
    CallbackAttemptRow, CallbackClaim, CallbackRow, CallbackState, CallbackTried, DisabledReceiver,
    NewCallback,
};
pub use check::CheckReport;
pub use closes::{AccountClose, CloseRow, CloseState, LinkRow};
pub use codes::Code;
pub use deliveries::{Delivery, DeliveryRow};
pub use documents::{DocumentFilter, DocumentHead, DocumentRow, NewDocument, Seen};
pub use enterprise_keys::{EnterpriseKeyRow, KeyOwner};
pub use error::{Cause, Result, StoreError};
pub use facts::{Deed, FactRow, NewFact};
pub use jobs::{JobEnd, JobRow, JobState};
pub use kept_answers::{KeptRequest, KeptState, Reserved};
pub use keys::KeyRow;
pub use ledger::{Balance, Booked, Booking, EntryRow, LedgerState, NewEntry};
pub use log_place::LogTable;
pub use objects::{NewObject, ObjectRow, Publication, RetiredObject, Sealing};
pub use requests::RequestRow;
pub use sessions::SessionRow;
pub use spools::{Spool, SpoolKept, SpoolLimits};
pub use usage_exports::{UsageExportKept, UsageExportLimits, UsageExportRow, UsageExportState};
pub use usage_queries::{
    UsageQueryEnd, UsageQueryFilter, UsageQueryKept, UsageQueryLimits, UsageQueryRow,
    UsageQueryState,
};
pub use watermarks::Watermark;

use driver::Statement;
use migrations::MIGRATIONS;
use pool::{Pool, connect};
use sqlite::Role;
use std::fmt;
use std::path::PathBuf;

/// Where the books are.
#[derive(Clone, PartialEq, Eq)]
pub enum StorePlace {
    /// A file; made if it is not there, its folder must be.
    Sqlite(PathBuf),
    /// `postgres://user:password@host,host/database?options=-csearch_path%3Dschema`.
    Postgres(String),
}

/// Shows no password.
impl fmt::Debug for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&pool::shown(self))
    }
}

/// Which kind of store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// One file, one node.
    Sqlite,
    /// Shared by several nodes.
    Postgres,
}

impl StorePlace {
    /// Which kind of store lies there.
    pub fn kind(&self) -> StoreKind {
        match self {
            StorePlace::Sqlite(_) => StoreKind::Sqlite,
            StorePlace::Postgres(_) => StoreKind::Postgres,
        }
    }
}

/// The books. Shared by reference between threads.
pub struct Store {
    pool: Pool,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(self.pool.place()).finish()
    }
}

/// How often opening is tried again while others open.
const OPENING_ATTEMPTS: u32 = 100;
/// Between two attempts.
const OPENING_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Connects to write. The first switch to write-ahead logging does not wait for others who open at
/// the same moment, so it is tried again.
fn connect_writer(place: &StorePlace) -> Result<pool::Open> {
    for _ in 0..OPENING_ATTEMPTS {
        match connect(place, Role::Writer) {
            Err(StoreError::Contended(_)) => std::thread::sleep(OPENING_PAUSE),
            done => return done,
        }
    }
    connect(place, Role::Writer)
}

impl Store {
    /// Opens the books: brings their schema up to date and prepares every statement.
    ///
    /// Errors: [`StoreError::Unavailable`]; [`StoreError::Newer`] and
    /// [`StoreError::ChangedMigration`], which leave the books untouched.
    pub fn open(place: &StorePlace) -> Result<Store> {
        look(place)?;
        let mut writer = connect_writer(place)?;
        migrations::migrate(&mut *writer, place.kind(), MIGRATIONS)?;
        statements(place.kind()).into_iter().try_for_each(|statement| writer.prepare(statement))?;
        Ok(Store { pool: Pool::new(place.clone(), writer) })
    }

    /// Which kind of store it is.
    pub fn kind(&self) -> StoreKind {
        self.pool.place().kind()
    }

    /// Whether the books answer.
    pub fn ping(&self) -> Result<()> {
        self.newest_fact().map(drop)
    }
}

/// Looks at a file without touching it: opening it for writing would move its journal along.
fn look(place: &StorePlace) -> Result<()> {
    let StorePlace::Sqlite(path) = place else { return Ok(()) };
    if !path.exists() {
        return Ok(());
    }
    let mut onlooker = connect(place, Role::Onlooker)?;
    match migrations::seen(&mut *onlooker) {
        Ok(seen) => migrations::check(&seen, StoreKind::Sqlite, MIGRATIONS),
        // Made, and never migrated: nothing to refuse.
        Err(StoreError::Sql(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Every statement that this kind of store runs.
fn statements(kind: StoreKind) -> Vec<Statement> {
    let log = match kind {
        StoreKind::Sqlite => &[][..],
        StoreKind::Postgres => log_place::ALL,
    };
    [
        approvals::ALL,
        audit::ALL,
        budgets::ALL,
        callback_log::ALL,
        callbacks::ALL,
        closes::ALL,
        codes::ALL,
        deliveries::ALL,
        documents::ALL,
        facts::ALL,
        jobs::ALL,
        kept_answers::ALL,
        enterprise_keys::ALL,
        keys::ALL,
        ledger::ALL,
        log,
        migrations::ALL,
        objects::ALL,
        requests::ALL,
        sessions::ALL,
        settings::ALL,
        spools::ALL,
        usage_exports::ALL,
        usage_queries::ALL,
        watermarks::ALL,
    ]
    .concat()
}
