//! Backups, damaged files, full disks: SQLite's side.

use super::{Fresh, fact, note, on_both, on_postgres};
use crate::{Store, StoreError, StorePlace};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn a_backup_taken_under_writes_is_one_whole_state() {
    let fresh = Fresh::sqlite();
    let store = fresh.open();
    let folder = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut newest = 0;
            while !done.load(Ordering::SeqCst) {
                let facts = [fact("a"), fact("b"), fact("c")];
                newest = store.append_facts(newest, &facts, &note("write")).unwrap();
            }
        });
        for number in 0..10 {
            let path = folder.path().join(format!("backup-{number}.db"));
            let before = store.newest_fact().unwrap();
            store.backup_to(&path).unwrap();
            let after = store.newest_fact().unwrap();
            let copy = Store::open(&StorePlace::Sqlite(path)).unwrap();
            let report = copy.check().unwrap();
            assert_eq!(report.problems, Vec::<String>::new());
            assert!((before..=after).contains(&report.facts));
            assert_eq!(report.facts % 3, 0, "an append is there whole or not at all");
        }
        done.store(true, Ordering::SeqCst);
    });
    let left = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
    let partial = left.filter(|file| file.path().to_string_lossy().ends_with(".partial"));
    assert_eq!(partial.count(), 0);
}

#[test]
fn a_backup_overwrites_nothing() {
    let fresh = Fresh::sqlite();
    let store = fresh.open();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.db");
    std::fs::write(&path, "precious").unwrap();
    let refused = store.backup_to(&path);
    assert!(matches!(refused, Err(StoreError::Refused { what: "file", .. })), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    assert!(store.backup_to(&folder.path().join("no/such/folder")).is_err());
}

#[test]
fn postgresql_is_backed_up_by_its_own_means() {
    on_postgres(|fresh| {
        let refused = fresh.open().backup_to(std::path::Path::new("backup.db"));
        assert!(refused.unwrap_err().to_string().contains("pg_dump"));
    });
}

#[test]
fn a_damaged_file_is_found_or_its_facts_are_whole() {
    let fresh = Fresh::sqlite();
    let StorePlace::Sqlite(path) = &fresh.place else { unreachable!("made so") };
    let facts: Vec<_> = (0..200).map(|number| fact(&format!("key {number}"))).collect();
    let store = fresh.open();
    store.append_facts(0, &facts, &note("set up")).unwrap();
    let written = store.facts_after(0, 1_000).unwrap();
    drop(store);
    assert!(!path.with_extension("db-wal").exists(), "a closed store is one file");
    let whole = std::fs::read(path).unwrap();
    let (mut tried, mut found) = (0, 0);
    for start in (0..whole.len()).step_by(4096) {
        // A zeroed sector in the middle of each page that holds something there.
        let sector = start + 2048..start + 2560;
        if whole[sector.clone()].iter().all(|byte| *byte == 0) {
            continue;
        }
        let mut damaged = whole.clone();
        damaged[sector].fill(0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.db");
        std::fs::write(&path, &damaged).unwrap();
        tried += 1;
        let store = Store::open(&StorePlace::Sqlite(path));
        match store.and_then(|store| Ok((store.check()?, store.facts_after(0, 1_000)?))) {
            Ok((report, facts)) if report.problems.is_empty() => {
                assert_eq!(facts, written, "page at {start}");
            }
            Ok(_) | Err(_) => found += 1,
        }
    }
    assert!(found > 0 && found <= tried, "{found} of {tried}");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let fresh = Fresh::sqlite();
    let StorePlace::Sqlite(path) = &fresh.place else { unreachable!("made so") };
    let text = "not a database, and longer than its header would be\n".repeat(20);
    std::fs::write(path, &text).unwrap();
    let refused = Store::open(&fresh.place);
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}

#[test]
fn a_full_disk_refuses_the_write_and_keeps_what_was_there() {
    let fresh = Fresh::sqlite();
    let store = fresh.open();
    store.append_facts(0, &[fact("a")], &note("first")).unwrap();
    let most = |pages: u32| {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        store.pool.write(|connection| connection.script(&pragma)).unwrap();
    };
    most(1);
    let large = fact(&"x".repeat(1 << 20));
    let refused = store.append_facts(1, std::slice::from_ref(&large), &note("too large"));
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert_eq!(store.newest_fact().unwrap(), 1);
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    most(1_000_000);
    assert_eq!(store.append_facts(1, &[large], &note("again")).unwrap(), 2);
}

#[test]
fn a_place_shows_no_password() {
    let place = StorePlace::Postgres("postgres://ada:hunter2@db.example/books".to_owned());
    assert_eq!(format!("{place:?}"), "PostgreSQL db.example/books");
    let unreadable = StorePlace::Postgres("postgres://ada:hunter2@db:port/books".to_owned());
    assert!(!format!("{unreadable:?}").contains("hunter2"));
}

#[test]
fn books_that_cannot_be_reached_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let missing = StorePlace::Sqlite(folder.path().join("no/such/books.db"));
    let nobody = StorePlace::Postgres("postgres://ada:hunter2@127.0.0.1:1/books".to_owned());
    for (place, shown) in [(missing, "no/such/books.db"), (nobody, "PostgreSQL 127.0.0.1/books")] {
        let error = Store::open(&place).unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains(shown), "{error}");
    }
    on_both(|fresh| fresh.open().ping().unwrap());
}
