//! Usage queries are answered by one at a time, and end once.

use super::{Fresh, at, note, on_both};
use crate::{
    CallbackState, NewCallback, Spool, SpoolKept, SpoolLimits, Store, UsageQueryEnd,
    UsageQueryFilter, UsageQueryKept, UsageQueryLimits, UsageQueryRow, UsageQueryState,
};
use calendar::Instant;

const MANY: UsageQueryLimits = UsageQueryLimits { most_open: 100, most_kept: 100 };
/// When what has ended may be forgotten.
const EXPIRY: i64 = 1_000;

fn query(id: &str, owner: &str) -> UsageQueryRow {
    UsageQueryRow {
        number: 0,
        id: id.to_owned(),
        owner: owner.to_owned(),
        billing_account: "messenger".to_owned(),
        request_id: "r".to_owned(),
        body: b"{}".to_vec(),
        state: UsageQueryState::Queued,
        progress_done: 0,
        progress_all: 0,
        outcome: Vec::new(),
        lease_owner: String::new(),
        lease_until: Instant::EPOCH,
        fencing: 0,
        begun: 0,
        created_at: at(0),
        ended_at: None,
        expires_at: None,
    }
}

/// Keeps queries of an owner.
pub(super) fn ask(store: &Store, owner: &str, ids: &[&str]) {
    for id in ids {
        let kept = store.insert_usage_query(&query(id, owner), MANY).unwrap();
        assert_eq!(kept, UsageQueryKept::Yes, "{id}");
    }
}

/// Leases up to so many for ten seconds.
pub(super) fn lease(store: &Store, seconds: i64, limit: u64) -> Vec<UsageQueryRow> {
    store.lease_usage_queries("node", at(seconds), at(seconds + 10), limit).unwrap()
}

pub(super) fn end(leased: &UsageQueryRow, seconds: i64) -> UsageQueryEnd {
    UsageQueryEnd {
        id: leased.id.clone(),
        fencing: leased.fencing,
        state: UsageQueryState::Succeeded,
        outcome: b"made of".to_vec(),
        ended_at: at(seconds),
        expires_at: at(EXPIRY),
        callback: None,
    }
}

fn callback(id: &str) -> NewCallback {
    NewCallback {
        id: id.to_owned(),
        url: "https://client.example/hook".to_owned(),
        url_hash: "h".to_owned(),
        receiver: "client.example:443".to_owned(),
        body_path: "results/1".to_owned(),
        body_bytes: 2,
        body_hash: "b".to_owned(),
        due_at: at(5),
    }
}

fn ids(rows: &[UsageQueryRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

#[test]
fn what_one_owner_asks_is_bounded() {
    on_both(|fresh| {
        let store = fresh.open();
        let limits = UsageQueryLimits { most_open: 2, most_kept: 3 };
        let keep =
            |id: &str, owner: &str| store.insert_usage_query(&query(id, owner), limits).unwrap();
        assert_eq!(keep("a", "ada"), UsageQueryKept::Yes);
        assert_eq!(keep("b", "ada"), UsageQueryKept::Yes);
        assert_eq!(keep("c", "ada"), UsageQueryKept::TooManyOpen);
        assert_eq!(keep("d", "bob"), UsageQueryKept::Yes);
        assert!(store.cancel_usage_query("a", at(1), at(7)).unwrap());
        assert_eq!(keep("c", "ada"), UsageQueryKept::Yes);
        assert!(store.cancel_usage_query("b", at(1), at(9)).unwrap());
        let until = Some(at(7));
        assert_eq!(keep("e", "ada"), UsageQueryKept::TooManyKept { until });
        assert_eq!(keep("e", "bob"), UsageQueryKept::Yes);
        assert!(store.forget_usage_query("a", at(7)).unwrap());
        assert_eq!(keep("e2", "ada"), UsageQueryKept::Yes);
    });
}

#[test]
fn a_query_is_answered_by_one_until_its_lease_is_over() {
    on_both(|fresh| {
        let store = fresh.open();
        ask(&store, "ada", &["a", "b"]);
        assert!(ids(&lease(&store, 0, 0)).is_empty());
        let first = lease(&store, 0, 1).pop().unwrap();
        let expected = UsageQueryRow {
            number: first.number,
            state: UsageQueryState::Running,
            lease_owner: "node".to_owned(),
            lease_until: at(10),
            fencing: 1,
            begun: 1,
            ..query("a", "ada")
        };
        assert_eq!((&first, first.number > 0), (&expected, true));
        assert_eq!(ids(&lease(&store, 1, 9)), ["b"]);
        assert!(ids(&lease(&store, 9, 9)).is_empty());
        // Kept, with what is done of it.
        let renewed = UsageQueryRow {
            lease_until: at(30),
            progress_done: 1,
            progress_all: 3,
            ..first.clone()
        };
        assert!(store.renew_usage_query(&renewed).unwrap());
        assert_eq!(store.usage_query("a").unwrap(), Some(renewed.clone()));
        assert_eq!(ids(&lease(&store, 11, 9)), ["b"]);
        // Left alone: somebody else takes it, and who had it changes nothing any more.
        let second = lease(&store, 30, 1).pop().unwrap();
        assert_eq!((second.id.as_str(), second.fencing), ("a", 2));
        assert!(!store.renew_usage_query(&renewed).unwrap());
        assert!(!store.end_usage_query(&end(&first, 31)).unwrap());
        store.release_usage_query(&first, at(31)).unwrap();
        assert_eq!(store.usage_query("a").unwrap(), Some(second.clone()));
        assert_eq!(second.begun, 2, "who left it alone may have died of it");
        // Given back, it is there for others from then on, as if it had not been begun.
        store.release_usage_query(&second, at(35)).unwrap();
        let waiting = store.usage_query("a").unwrap().unwrap();
        assert_eq!((waiting.state, waiting.begun), (UsageQueryState::Queued, 1));
        assert_eq!(ids(&lease(&store, 34, 9)), ["b"]);
        let third = lease(&store, 35, 1).pop().unwrap();
        assert_eq!((third.id.as_str(), third.fencing, third.begun), ("a", 3, 2));
        assert!(!store.renew_usage_query(&second).unwrap());
    });
}

#[test]
fn owners_take_turns() {
    on_both(|fresh| {
        let store = fresh.open();
        ask(&store, "ada", &["a1", "a2", "a3"]);
        ask(&store, "bob", &["b1", "b2"]);
        ask(&store, "cy", &["c1"]);
        assert_eq!(ids(&lease(&store, 0, 4)), ["a1", "b1", "c1", "a2"]);
        // Who has fewer that are being answered comes first.
        assert_eq!(ids(&lease(&store, 0, 4)), ["b2", "a3"]);
    });
}

#[test]
fn owners_take_turns_on_one_free_worker() {
    on_both(|fresh| {
        let store = fresh.open();
        ask(&store, "ada", &["a1", "a2", "a3", "a4", "a5"]);
        let check = |seconds: i64, expected: &str| {
            let leased = lease(&store, seconds, 1);
            assert_eq!(ids(&leased), [expected], "at {seconds}");
            assert!(store.end_usage_query(&end(&leased[0], seconds)).unwrap());
        };
        check(0, "a1");
        check(1, "a2");
        // Who comes later has not been served for longest, however many waited before.
        ask(&store, "bob", &["b1", "b2"]);
        ask(&store, "cy", &["c1"]);
        check(2, "b1");
        check(3, "c1");
        check(4, "a3");
        check(5, "b2");
        check(6, "a4");
        ask(&store, "cy", &["c2"]);
        check(7, "c2");
        check(8, "a5");
    });
}

#[test]
fn who_has_workers_waits_for_who_has_none() {
    on_both(|fresh| {
        let store = fresh.open();
        ask(&store, "ada", &["a1", "a2", "a3", "a4"]);
        let held = lease(&store, 0, 3);
        assert_eq!(ids(&held), ["a1", "a2", "a3"]);
        ask(&store, "bob", &["b1", "b2", "b3"]);
        assert!(store.end_usage_query(&end(&held[0], 1)).unwrap());
        assert_eq!(ids(&lease(&store, 1, 1)), ["b1"], "ada has two");
        assert_eq!(ids(&lease(&store, 2, 1)), ["b2"], "bob has one of them");
        // Two each: bob was served last.
        assert_eq!(ids(&lease(&store, 3, 1)), ["a4"]);
        // What a dead worker held is nobody's.
        assert_eq!(ids(&lease(&store, 10, 1)), ["a2"]);
    });
}

#[test]
fn a_query_ends_once_and_with_what_it_owes() {
    on_both(|fresh| {
        let store = fresh.open();
        ask(&store, "ada", &["a", "b"]);
        let [one, two]: [UsageQueryRow; 2] = lease(&store, 0, 2).try_into().unwrap();
        let owing = UsageQueryEnd { callback: Some(callback("c")), ..end(&one, 4) };
        assert!(store.end_usage_query(&owing).unwrap());
        let again = UsageQueryEnd { callback: Some(callback("d")), ..owing.clone() };
        assert!(!store.end_usage_query(&again).unwrap());
        assert_eq!(store.callback("d").unwrap(), None);
        let kept = store.callback_of("a").unwrap().unwrap();
        assert_eq!(store.callback("c").unwrap(), Some(kept.clone()));
        assert_eq!((kept.owner.as_str(), kept.state), ("ada", CallbackState::Pending));
        assert_eq!((kept.billing_account.as_str(), kept.due_at), ("messenger", at(5)));
        let row = store.usage_query("a").unwrap().unwrap();
        assert_eq!((row.state, row.outcome), (UsageQueryState::Succeeded, b"made of".to_vec()));
        assert_eq!((row.ended_at, row.expires_at), (Some(at(4)), Some(at(EXPIRY))));
        assert_eq!(row.lease_owner, "");
        // Without an address nothing is owed.
        let failed = UsageQueryEnd { state: UsageQueryState::Failed, ..end(&two, 4) };
        assert!(store.end_usage_query(&failed).unwrap());
        assert_eq!(store.callback_of("b").unwrap(), None);
        assert_eq!(store.usage_query("b").unwrap().unwrap().state, UsageQueryState::Failed);
        assert!(lease(&store, 900, 9).is_empty());
    });
}

#[test]
fn nothing_of_an_end_is_kept_where_a_part_of_it_cannot_be() {
    on_both(|fresh| {
        let store = fresh.open();
        ask(&store, "ada", &["a", "b"]);
        let [one, two]: [UsageQueryRow; 2] = lease(&store, 0, 2).try_into().unwrap();
        let owing =
            |of: &UsageQueryRow| UsageQueryEnd { callback: Some(callback("c")), ..end(of, 4) };
        assert!(store.end_usage_query(&owing(&one)).unwrap());
        // The same id twice: the second query does not end either.
        assert!(store.end_usage_query(&owing(&two)).is_err());
        let row = store.usage_query("b").unwrap().unwrap();
        assert_eq!((row.state, row.ended_at), (UsageQueryState::Running, None));
        assert_eq!(store.callback("c").unwrap().unwrap().query_id, "a");
    });
}

#[test]
fn a_cancelled_query_is_not_answered_and_owes_nothing() {
    on_both(|fresh| {
        let store = fresh.open();
        ask(&store, "ada", &["a", "b", "c"]);
        let leased = lease(&store, 0, 2);
        let cancel = |id: &str| store.cancel_usage_query(id, at(3), at(EXPIRY)).unwrap();
        assert!(cancel("a") && cancel("c"));
        assert!(!cancel("a") && !cancel("nobody"));
        assert!(!store.renew_usage_query(&leased[0]).unwrap());
        let owing = UsageQueryEnd { callback: Some(callback("x")), ..end(&leased[0], 4) };
        assert!(!store.end_usage_query(&owing).unwrap());
        assert_eq!(store.callback_of("a").unwrap(), None);
        let row = store.usage_query("a").unwrap().unwrap();
        assert_eq!((row.state, row.ended_at), (UsageQueryState::Cancelled, Some(at(3))));
        assert!(lease(&store, 5, 9).is_empty());
        // Of one that has ended, what is still owed is cancelled.
        let owing = UsageQueryEnd { callback: Some(callback("y")), ..end(&leased[1], 4) };
        assert!(store.end_usage_query(&owing).unwrap());
        assert!(cancel("b") && !cancel("b"));
        assert_eq!(store.usage_query("b").unwrap().unwrap().state, UsageQueryState::Succeeded);
        let callback = store.callback("y").unwrap().unwrap();
        assert_eq!((callback.state, callback.ended_at), (CallbackState::Cancelled, Some(at(3))));
    });
}

#[test]
fn an_owner_sees_its_own_queries_youngest_first_page_by_page() {
    on_both(|fresh| {
        let store = fresh.open();
        ask(&store, "ada", &["a", "b", "c", "d"]);
        ask(&store, "bob", &["e"]);
        assert!(store.cancel_usage_query("b", at(1), at(9)).unwrap());
        let page = |state: Option<UsageQueryState>, before: Option<u64>, limit: u64| {
            let filter = UsageQueryFilter { state, before, limit };
            store.usage_queries_of("ada", filter).unwrap()
        };
        assert_eq!(ids(&page(None, None, 9)), ["d", "c", "b", "a"]);
        let first = page(None, None, 2);
        assert_eq!(ids(&page(None, Some(first[1].number), 9)), ["b", "a"]);
        assert_eq!(ids(&page(Some(UsageQueryState::Cancelled), None, 9)), ["b"]);
        assert_eq!(ids(&page(Some(UsageQueryState::Queued), None, 2)), ["d", "c"]);
        assert!(page(Some(UsageQueryState::Failed), None, 9).is_empty());
    });
}

/// Three queries that have ended; the first owes something.
fn ended(fresh: &Fresh) -> Store {
    let store = fresh.open();
    ask(&store, "ada", &["a", "b", "c"]);
    for (leased, expiry) in lease(&store, 0, 3).iter().zip([20, 10, 30]) {
        let callback = (leased.id == "a").then(|| callback("x"));
        let ended = UsageQueryEnd { expires_at: at(expiry), callback, ..end(leased, 4) };
        assert!(store.end_usage_query(&ended).unwrap());
    }
    store
}

#[test]
fn what_has_expired_is_forgotten_once_it_owes_nothing() {
    on_both(|fresh| {
        let store = ended(fresh);
        let expired = |seconds: i64, limit: u64| {
            let rows = store.expired_usage_queries(at(seconds), limit).unwrap();
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert!(expired(9, 9).is_empty());
        assert_eq!(expired(10, 9), ["b"]);
        assert_eq!(expired(99, 9), ["b", "c"]);
        assert_eq!(expired(99, 1), ["b"]);
        assert!(store.cancel_usage_query("a", at(5), at(99)).unwrap());
        assert_eq!(expired(99, 9), ["b", "a", "c"]);
        assert!(store.forget_usage_query("a", at(99)).unwrap());
        assert!(!store.forget_usage_query("nobody", at(99)).unwrap());
        assert_eq!((store.usage_query("a").unwrap(), store.callback("x").unwrap()), (None, None));
        assert_eq!(expired(99, 9), ["b", "c"]);
    });
}

#[test]
fn what_is_asked_for_again_is_not_forgotten_by_who_saw_it_expire() {
    on_both(|fresh| {
        let store = ended(fresh);
        let forget = |id: &str, seconds: i64| store.forget_usage_query(id, at(seconds)).unwrap();
        assert!(!forget("b", 9), "it has not expired");
        assert!(!forget("a", 99), "it is owed");
        assert!(store.cancel_usage_query("a", at(5), at(99)).unwrap());
        // Between the list of what has expired and the forgetting it is asked for again.
        assert_eq!(store.expired_usage_queries(at(20), 9).unwrap().len(), 2);
        assert!(store.resend_callback("x", false, &note("again")).unwrap());
        assert!(!forget("a", 99));
        assert_eq!(store.callback("x").unwrap().unwrap().state, CallbackState::Pending);
        assert!(store.usage_query("a").unwrap().is_some());
        assert!(forget("b", 10) && !forget("b", 10));
    });
}

#[test]
fn bytes_that_are_owed_are_not_forgotten_however_old() {
    on_both(|fresh| {
        let store = ended(fresh);
        let limits = SpoolLimits { most: 9, most_bytes: 99, now: at(0) };
        for path in ["results/1", "results/2"] {
            let spool = Spool {
                id: path.to_owned(),
                path: path.to_owned(),
                rows: 1,
                size_bytes: 2,
                params_hash: "h".to_owned(),
                stood_at: "kept".to_owned(),
                owner: "ada".to_owned(),
                expires_at: at(50),
            };
            assert_eq!(store.insert_spool(&spool, limits).unwrap(), SpoolKept::Yes);
        }
        let forgotten = |seconds: i64| {
            let spools = store.spools_to_forget(at(seconds)).unwrap();
            spools.into_iter().map(|spool| spool.id).collect::<Vec<_>>()
        };
        assert!(forgotten(49).is_empty());
        assert_eq!(forgotten(9_999), ["results/2"]);
        assert!(store.cancel_usage_query("a", at(60), at(99)).unwrap());
        assert_eq!(forgotten(50), ["results/1", "results/2"]);
    });
}
