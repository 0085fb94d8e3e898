//! Statements and migrations.

use super::{Fresh, on_both};
use crate::driver::{Access, Statement};
use crate::migrations::{MIGRATIONS, Migration, migrate, seen};
use crate::pool::connect;
use crate::sqlite::Role;
use crate::value::Row;
use crate::{Store, StoreError, StoreKind, StorePlace, statements};
use std::collections::BTreeMap;

const NEXT: Migration = Migration {
    number: MIGRATIONS[MIGRATIONS.len() - 1].number + 1,
    name: "a table more",
    common: "CREATE TABLE more (id BIGINT PRIMARY KEY); INSERT INTO more (id) VALUES (1)",
    postgres_only: "",
};

#[test]
fn every_statement_is_prepared_by_both_stores() {
    on_both(|fresh| {
        drop(fresh.open());
        let mut connection = connect(&fresh.place, Role::Reader).unwrap();
        for statement in statements(fresh.place.kind()) {
            connection
                .prepare(statement)
                .unwrap_or_else(|error| panic!("{statement:?}: {error:?}"));
        }
    });
}

#[test]
fn placeholders_are_numbered_in_order_of_first_appearance() {
    for statement in statements(StoreKind::Postgres) {
        let mut greatest = 0;
        for part in statement.0.split('$').skip(1) {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            let number: u32 = digits.parse().unwrap();
            assert!(number <= greatest + 1, "{statement:?}");
            greatest = greatest.max(number);
        }
    }
}

/// Everything in the books' schema, by name.
fn tables(fresh: &Fresh) -> Vec<String> {
    match &fresh.place {
        StorePlace::Sqlite(path) => {
            let connection = rusqlite::Connection::open(path).unwrap();
            let mut found =
                connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
            found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        }
        StorePlace::Postgres(url) => {
            let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
            let sql = "SELECT table_name::text FROM information_schema.tables
                WHERE table_schema = current_schema() ORDER BY 1";
            client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
        }
    }
}

fn bytes(fresh: &Fresh) -> BTreeMap<String, Vec<u8>> {
    let StorePlace::Sqlite(path) = &fresh.place else { return BTreeMap::new() };
    let folder = std::fs::read_dir(path.parent().unwrap()).unwrap().map(Result::unwrap);
    // The shared-memory file is scratch space: it is made anew at every start.
    let kept = folder.filter(|file| !file.path().to_string_lossy().ends_with("-shm"));
    kept.map(|file| (file.path().display().to_string(), std::fs::read(file.path()).unwrap()))
        .collect()
}

/// A step of the schema behind the newest that is known.
fn of_tomorrow() -> String {
    let next = MIGRATIONS.last().unwrap().number + 1;
    format!("INSERT INTO schema_migrations VALUES ({next}, 'of tomorrow', 'x')")
}

#[test]
fn books_of_a_newer_program_are_refused_and_left_alone() {
    on_both(|fresh| {
        drop(fresh.open());
        fresh.tamper(&of_tomorrow());
        let before = (tables(fresh), bytes(fresh));
        match Store::open(&fresh.place) {
            Err(StoreError::Newer { found, known }) => assert_eq!(found, known + 1),
            other => panic!("expected a refusal, got {other:?}"),
        }
        assert_eq!((tables(fresh), bytes(fresh)), before);
    });
}

#[test]
fn books_of_a_newer_program_keep_a_journal_that_a_crash_left() {
    let fresh = Fresh::sqlite();
    drop(fresh.open());
    // A connection that is still open leaves its journal beside the file, as a crash would.
    let mut crashed = connect(&fresh.place, Role::Writer).unwrap();
    crashed.script(&of_tomorrow()).unwrap();
    let before = bytes(&fresh);
    assert!(before.iter().any(|(name, bytes)| name.ends_with("-wal") && !bytes.is_empty()));
    assert!(matches!(Store::open(&fresh.place), Err(StoreError::Newer { .. })));
    assert_eq!(bytes(&fresh), before);
}

#[test]
fn a_migration_that_was_changed_is_refused() {
    on_both(|fresh| {
        drop(fresh.open());
        fresh.tamper("UPDATE schema_migrations SET checksum = 'other' WHERE number = 1");
        let before = (tables(fresh), bytes(fresh));
        let refused = Store::open(&fresh.place);
        assert!(matches!(refused, Err(StoreError::ChangedMigration { number: 1 })), "{refused:?}");
        assert_eq!((tables(fresh), bytes(fresh)), before);
    });
}

#[test]
fn a_migration_that_dies_half_way_is_begun_again() {
    on_both(|fresh| {
        let kind = fresh.place.kind();
        let list = |next: Migration| [MIGRATIONS, &[next]].concat();
        let dying =
            Migration { common: "CREATE TABLE more (id BIGINT); SELECT no_such_thing", ..NEXT };
        let mut connection = connect(&fresh.place, Role::Writer).unwrap();
        assert!(migrate(&mut *connection, kind, &list(dying)).is_err());
        assert_eq!(seen(&mut *connection).unwrap().len(), MIGRATIONS.len());
        assert!(!tables(fresh).contains(&"more".to_owned()));

        // Killed: the transaction is never ended, the connection is gone.
        connection.begin(Access::Migrate).unwrap();
        connection.script(&NEXT.text(kind)).unwrap();
        drop(connection);
        assert!(!tables(fresh).contains(&"more".to_owned()));

        let mut connection = connect(&fresh.place, Role::Writer).unwrap();
        for _ in 0..2 {
            migrate(&mut *connection, kind, &list(NEXT)).unwrap();
            assert_eq!(seen(&mut *connection).unwrap().len(), MIGRATIONS.len() + 1);
        }
        assert!(tables(fresh).contains(&"more".to_owned()));
    });
}

#[test]
fn released_migrations_are_numbered_from_one() {
    for (migration, number) in MIGRATIONS.iter().zip(1..) {
        assert_eq!(migration.number, number, "{}", migration.name);
    }
}

const SQLITE_DURABLE: Statement = Statement(
    "SELECT synchronous, journal_mode, foreign_keys
    FROM pragma_synchronous, pragma_journal_mode, pragma_foreign_keys",
);
const POSTGRES_DURABLE: Statement = Statement("SELECT current_setting('synchronous_commit')");

#[test]
fn a_commit_is_durable_when_it_returns() {
    on_both(|fresh| {
        let store = fresh.open();
        match store.kind() {
            StoreKind::Sqlite => {
                let read = |row: &mut Row| Ok((row.take()?, row.take()?, row.take()?));
                let found: (i64, String, i64) =
                    store.pool.write(|c| c.one(SQLITE_DURABLE, &[], read)).unwrap();
                assert_eq!(found, (2, "wal".to_owned(), 1), "2 is FULL");
            }
            StoreKind::Postgres => {
                let found: String =
                    store.pool.write(|c| c.one(POSTGRES_DURABLE, &[], Row::take)).unwrap();
                assert_eq!(found, "on");
            }
        }
    });
}
