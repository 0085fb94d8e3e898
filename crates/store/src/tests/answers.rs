//! What the domain calls our failures.

use crate::StoreError;
use domain::error::Kind;

#[test]
fn failures_keep_their_kind_and_their_key() {
    check(stale(), Kind::Conflict, "company `x`: somebody else changed it first; read it again");
    let key = || "k1".to_owned();
    let refused =
        StoreError::Refused { what: "API key", key: key(), problem: "is already there".into() };
    check(refused, Kind::Conflict, "API key `k1`: is already there");
    let missing = StoreError::Missing { what: "API key", key: key() };
    check(missing, Kind::NotFound, "API key `k1` does not exist");
    let invalid = StoreError::Invalid { what: "text", problem: "holds a NUL".into() };
    check(invalid, Kind::Invalid, "text: holds a NUL");
    let full = StoreError::Full("disk".into());
    check(full, Kind::Unavailable, "no space left for the books; nothing was written");
    let busy = StoreError::Contended("lock".into());
    check(busy, Kind::Unavailable, "the books are busy; nothing was written");
    check(StoreError::OutcomeUnknown("cut".into()), Kind::Internal, "storage failed");
    check(StoreError::Io("disk".into()), Kind::Internal, "storage failed");

    fn check(error: StoreError, kind: Kind, text: &str) {
        let error = domain::Error::from(error);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
    }
}

#[test]
fn the_process_ends_only_when_what_is_durable_is_unknown() {
    assert!(StoreError::Io("disk".into()).is_fatal());
    assert!(StoreError::Damaged { what: "page 3".into() }.is_fatal());
    assert!(!StoreError::Full("disk".into()).is_fatal());
    assert!(!stale().is_fatal());
}

fn stale() -> StoreError {
    StoreError::Stale { what: "company", key: "x".to_owned(), expected: 1, found: 2 }
}
