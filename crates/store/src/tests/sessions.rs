//! Sessions hold while they are used, and few of each principal.

use super::{at, on_both};
use crate::{SessionRow, Store};

/// A session that is made and used at the same moment, and would hold for an hour.
fn session(token: u8, principal: &str, made: i64) -> SessionRow {
    SessionRow {
        token_hash: [token; 32],
        principal: principal.to_owned(),
        bound_to: token.is_multiple_of(2).then(|| "127.0.0.1".to_owned()),
        secret_hash: [token.wrapping_add(100); 32],
        created_at: at(made),
        used_at: at(made),
        expires_at: at(made + 3_600),
    }
}

/// Which of some tokens are there.
fn kept(store: &Store, tokens: std::ops::Range<u8>) -> Vec<u8> {
    tokens.filter(|token| store.session(&[*token; 32]).unwrap().is_some()).collect()
}

#[test]
fn a_session_is_found_by_its_tokens_hash_until_it_is_ended() {
    on_both(|fresh| {
        let store = fresh.open();
        for row in [session(1, "ada", 0), session(2, "ada", 1)] {
            store.insert_session(&row, 5).unwrap();
            assert_eq!(store.session(&row.token_hash).unwrap(), Some(row));
        }
        assert_eq!(store.session(&[3; 32]).unwrap(), None);
        assert!(store.end_session(&[1; 32]).unwrap());
        assert!(!store.end_session(&[1; 32]).unwrap());
        assert_eq!(kept(&store, 0..5), [2]);
    });
}

#[test]
fn a_session_that_is_used_holds_longer_and_one_that_is_over_stays_so() {
    on_both(|fresh| {
        let store = fresh.open();
        store.insert_session(&session(1, "ada", 0), 5).unwrap();
        let check = |used: i64, expected: [i64; 2]| {
            store.touch_session(&[1; 32], at(used), at(used + 3_600)).unwrap();
            let row = store.session(&[1; 32]).unwrap().unwrap();
            assert_eq!([row.used_at, row.expires_at], expected.map(at), "{used}");
        };
        check(600, [600, 4_200]);
        check(300, [600, 4_200]); // told late
        check(4_199, [4_199, 7_799]);
        check(7_799, [4_199, 7_799]); // over
        check(9_000, [4_199, 7_799]);
        // What is over is forgotten when anybody signs in.
        store.insert_session(&session(2, "bob", 7_799), 5).unwrap();
        assert_eq!(kept(&store, 0..5), [2]);
    });
}

#[test]
fn a_principal_keeps_the_sessions_that_it_used_last() {
    on_both(|fresh| {
        let store = fresh.open();
        store.insert_session(&session(9, "bob", 0), 2).unwrap();
        store.insert_session(&session(1, "ada", 1), 2).unwrap();
        store.insert_session(&session(2, "ada", 2), 2).unwrap();
        store.touch_session(&[1; 32], at(3), at(3_603)).unwrap();
        store.insert_session(&session(3, "ada", 4), 2).unwrap();
        assert_eq!(kept(&store, 0..10), [1, 3, 9]);
        store.insert_session(&session(4, "ada", 5), 1).unwrap();
        assert_eq!(kept(&store, 0..10), [4, 9]);
    });
}
