//! Connections to PostgreSQL that break, and writers that are in each other's way.

use super::{fact, note, on_postgres};
use crate::StoreError;
use crate::driver::{Connection, statements};
use crate::value::{Row, values};

statements! {
    INSERT = "INSERT INTO settings (name, setting) VALUES ($1, $2)";
    CHANGE = "UPDATE settings SET setting = $1 WHERE name = 'shared'";
    SHARED = "SELECT setting FROM settings WHERE name = 'shared'";
}

#[test]
fn a_connection_that_broke_between_calls_is_replaced() {
    on_postgres(|fresh| {
        let store = fresh.open();
        store.append_facts(0, &[fact("a")], &note("first")).unwrap();
        assert_eq!(store.newest_fact().unwrap(), 1);
        fresh.cut();
        assert_eq!(store.newest_fact().unwrap(), 1);
        assert_eq!(store.append_facts(1, &[fact("b")], &note("second")).unwrap(), 2);
    });
}

#[test]
fn work_whose_connection_breaks_half_way_is_begun_again() {
    on_postgres(|fresh| {
        let store = fresh.open();
        let mut attempts = 0;
        let done = store.pool.write(|connection| {
            attempts += 1;
            connection.execute(INSERT, values!["first", "1"])?;
            if attempts == 1 {
                fresh.cut();
            }
            connection.execute(INSERT, values!["second", "2"])
        });
        assert_eq!((done.unwrap(), attempts), (1, 2));
        assert_eq!(store.setting("first").unwrap().as_deref(), Some("1"));
        assert_eq!(store.setting("second").unwrap().as_deref(), Some("2"));
    });
}

#[test]
fn a_commit_whose_answer_is_lost_has_an_unknown_outcome() {
    on_postgres(|fresh| {
        let store = fresh.open();
        let mut attempts = 0;
        let done = store.pool.write(|connection| {
            attempts += 1;
            connection.execute(INSERT, values!["first", "1"])?;
            fresh.cut();
            Ok(())
        });
        assert!(matches!(done, Err(StoreError::OutcomeUnknown(_))), "{done:?}");
        assert_eq!(attempts, 1, "what may have happened is not done again");
        assert_eq!(store.setting("first").unwrap(), None, "here it had not");
    });
}

#[test]
fn writers_in_each_others_way_begin_again_a_bounded_number_of_times() {
    assert_eq!(ALL.len(), 3);
    for (disturbed, expected) in [(3_usize, Some(4)), (100, None)] {
        on_postgres(|fresh| {
            let (store, other) = (fresh.open(), fresh.open());
            store.set_setting("shared", "", &note("set up")).unwrap();
            let mut attempts = 0;
            let done = store.pool.write(|connection| {
                attempts += 1;
                let seen = shared(connection)?;
                if attempts <= disturbed {
                    // Somebody else changes what was just read.
                    other.set_setting("shared", &format!("{seen}x"), &note("race")).unwrap();
                }
                connection.execute(CHANGE, values![format!("{seen}y")]).map(drop)
            });
            match expected {
                Some(expected) => {
                    done.unwrap();
                    assert_eq!(attempts, expected);
                    assert_eq!(store.setting("shared").unwrap().as_deref(), Some("xxxy"));
                }
                None => {
                    assert!(matches!(done, Err(StoreError::Contended(_))), "{done:?}");
                    let shared = store.setting("shared").unwrap().unwrap();
                    assert!(!shared.contains('y'), "nothing was written: {shared}");
                }
            }
        });
    }
}

fn shared(connection: &mut dyn Connection) -> crate::Result<String> {
    connection.one(SHARED, values![], Row::take)
}
