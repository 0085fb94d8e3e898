//! The schema's history: numbered, checksummed, one transaction each.

use crate::driver::{Access, Connection, statements};
use crate::value::{Row, values};
use crate::{Result, StoreError, StoreKind};

/// One step of the schema. Once released, its text never changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    /// For both stores, with the dialect's words left open.
    pub(crate) common: &'static str,
    /// For PostgreSQL, after `common`.
    pub(crate) postgres_only: &'static str,
}

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "books",
        common: include_str!("migrations/0001_books.sql"),
        postgres_only: include_str!("migrations/0001_log.postgresql.sql"),
    },
    Migration {
        number: 2,
        name: "spools that are shared and counted",
        common: include_str!("migrations/0002_spools.sql"),
        postgres_only: "",
    },
    Migration {
        number: 3,
        name: "ledger, documents, closes",
        common: include_str!("migrations/0003_ledger.sql"),
        postgres_only: "",
    },
    Migration {
        number: 4,
        name: "keys that take turns and stay where they belong",
        common: include_str!("migrations/0004_keys.sql"),
        postgres_only: "",
    },
    Migration {
        number: 5,
        name: "notes, delivered corrections, requests",
        common: include_str!("migrations/0005_notes.sql"),
        postgres_only: "",
    },
    Migration {
        number: 6,
        name: "answers that are kept",
        common: include_str!("migrations/0006_kept_answers.sql"),
        postgres_only: "",
    },
    Migration {
        number: 7,
        name: "checksums of what is final",
        common: include_str!("migrations/0007_checksums.sql"),
        postgres_only: "",
    },
    Migration {
        number: 8,
        name: "approvals of drafts",
        common: include_str!("migrations/0008_approvals.sql"),
        postgres_only: "",
    },
    Migration {
        number: 9,
        name: "jobs",
        common: include_str!("migrations/0009_jobs.sql"),
        postgres_only: "",
    },
    Migration {
        number: 10,
        name: "jobs in turn",
        common: include_str!("migrations/0010_jobs_in_turn.sql"),
        postgres_only: "",
    },
    Migration {
        number: 11,
        name: "keys of enterprise agreements, exports of usage",
        common: include_str!("migrations/0011_enterprise_keys.sql"),
        postgres_only: "",
    },
    Migration {
        number: 12,
        name: "budgets",
        common: include_str!("migrations/0012_budgets.sql"),
        postgres_only: "",
    },
    Migration {
        number: 13,
        name: "usage queries, their callbacks, sessions, places of keys",
        common: include_str!("migrations/0013_usage_queries.sql"),
        postgres_only: "",
    },
];

const HISTORY: &str = r#"CREATE TABLE IF NOT EXISTS schema_migrations (
    number BIGINT PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    checksum TEXT COLLATE "C" NOT NULL
)"#;

statements! {
    SEEN = "SELECT number, checksum FROM schema_migrations ORDER BY number";
    NOTE = "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)";
}

impl Migration {
    /// Its text in a store's own words.
    pub(crate) fn text(&self, kind: StoreKind) -> String {
        match kind {
            StoreKind::Sqlite => self
                .common
                .replace("%bytes%", "BLOB")
                .replace("%rising%", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            StoreKind::Postgres => {
                let common = self
                    .common
                    .replace("%bytes%", "BYTEA")
                    .replace("%rising%", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
                format!("{common}\n{}", self.postgres_only)
            }
        }
    }

    fn checksum(&self, kind: StoreKind) -> String {
        blake3::hash(self.text(kind).as_bytes()).to_hex().to_string()
    }
}

/// Brings the schema to this program's; a process that dies half-way leaves whole steps behind.
///
/// Errors: [`StoreError::Newer`], [`StoreError::ChangedMigration`]; then nothing has changed.
pub(crate) fn migrate(
    connection: &mut dyn Connection,
    kind: StoreKind,
    migrations: &[Migration],
) -> Result<()> {
    loop {
        let more = connection.transaction(Access::Migrate, |connection| {
            connection.script(HISTORY)?;
            step(connection, kind, migrations)
        })?;
        if !more {
            return Ok(());
        }
    }
}

/// Takes the next step; answers whether there was one.
fn step(
    connection: &mut dyn Connection,
    kind: StoreKind,
    migrations: &[Migration],
) -> Result<bool> {
    let seen = seen(connection)?;
    check(&seen, kind, migrations)?;
    let Some(next) = migrations.get(seen.len()) else { return Ok(false) };
    connection.script(&next.text(kind))?;
    connection.execute(NOTE, values![next.number, next.name, next.checksum(kind)])?;
    tracing::info!(number = next.number, name = next.name, "schema migrated");
    Ok(true)
}

/// The migrations that the books have seen: number and checksum.
pub(crate) fn seen(connection: &mut dyn Connection) -> Result<Vec<(u64, String)>> {
    connection.rows(SEEN, values![], |row: &mut Row| Ok((row.take()?, row.take()?)))
}

/// Refuses books that this program does not know.
pub(crate) fn check(
    seen: &[(u64, String)],
    kind: StoreKind,
    migrations: &[Migration],
) -> Result<()> {
    let known = migrations.last().map_or(0, |last| last.number);
    if let Some((found, _)) = seen.last()
        && *found > known
    {
        return Err(StoreError::Newer { found: *found, known });
    }
    for ((number, checksum), migration) in seen.iter().zip(migrations) {
        if *number != migration.number || *checksum != migration.checksum(kind) {
            return Err(StoreError::ChangedMigration { number: *number });
        }
    }
    Ok(())
}
