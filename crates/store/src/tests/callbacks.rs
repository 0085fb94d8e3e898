//! Callbacks are tried by one at a time, few of a receiver at once, until they end.

use super::usage_queries::{ask, end, lease};
use super::{at, note, on_both};
use crate::{
    CallbackAttemptRow, CallbackClaim, CallbackRow, CallbackState, CallbackTried, DisabledReceiver,
    NewCallback, Note, Store, StoreError, UsageQueryEnd,
};

/// Results owed by an owner: each an id and its receiver.
pub(super) fn owe(store: &Store, owner: &str, owed: &[(&str, &str)]) {
    let queries: Vec<String> = owed.iter().map(|(id, _)| format!("of {id}")).collect();
    ask(store, owner, &queries.iter().map(String::as_str).collect::<Vec<_>>());
    let leased = lease(store, 0, 100);
    assert_eq!(leased.len(), owed.len());
    for (query, (id, receiver)) in leased.iter().zip(owed) {
        let callback = NewCallback {
            id: (*id).to_owned(),
            url: format!("https://{receiver}/hook"),
            url_hash: format!("hash of {receiver}"),
            receiver: (*receiver).to_owned(),
            body_path: format!("results/{id}"),
            body_bytes: 2,
            body_hash: "b".to_owned(),
            due_at: at(1),
        };
        let end = UsageQueryEnd { callback: Some(callback), ..end(query, 1) };
        assert!(store.end_usage_query(&end).unwrap());
    }
}

/// Takes callbacks for twenty seconds, two of a receiver.
pub(super) fn claim(store: &Store, seconds: i64, most: u64) -> Vec<CallbackRow> {
    let (now, until) = (at(seconds), at(seconds + 20));
    let (per_receiver_most, per_owner_most) = (2, 100);
    let claim =
        CallbackClaim { now, until, bytes_per_s: 1_000, most, per_receiver_most, per_owner_most };
    store.claim_callbacks(claim).unwrap()
}

fn ids(rows: &[CallbackRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

/// A try of a second that came to a state.
fn tried(seconds: i64, status: u16, state: CallbackState) -> CallbackTried {
    CallbackTried {
        at: at(seconds),
        took_ms: 1_000,
        status: Some(status),
        outcome: format!("status {status}"),
        state,
        due_at: at(seconds + 60),
        disables: status == 410,
    }
}

fn state(store: &Store, id: &str) -> CallbackState {
    store.callback(id).unwrap().unwrap().state
}

#[test]
fn a_slow_receiver_holds_up_nobody_else() {
    on_both(|fresh| {
        let store = fresh.open();
        assert_eq!(store.next_callback_at().unwrap(), None);
        let slow: Vec<String> = (0..9).map(|number| format!("slow{number}")).collect();
        let mut owed: Vec<(&str, &str)> = slow.iter().map(|id| (id.as_str(), "slow")).collect();
        owed.extend([("x", "quick"), ("y", "other")]);
        owe(&store, "ada", &owed);
        assert!(claim(&store, 0, 9).is_empty(), "nothing is due yet");
        assert_eq!(store.next_callback_at().unwrap(), Some(at(1)));
        assert!(claim(&store, 1, 0).is_empty());
        assert_eq!(ids(&claim(&store, 1, 9)), ["slow0", "slow1", "x", "y"]);
        assert!(claim(&store, 2, 9).is_empty(), "two of the slow one are being tried");
        // One of them comes back, and one takes its place; the other's claim is over later.
        let first = store.callback("slow0").unwrap().unwrap();
        assert!(store.callback_tried(&first, &tried(2, 500, CallbackState::Pending)).unwrap());
        assert_eq!(ids(&claim(&store, 3, 9)), ["slow2"]);
        assert_eq!(ids(&claim(&store, 21, 9)), ["slow1", "x", "y"]);
    });
}

#[test]
fn owners_take_turns_however_many_receivers_one_has() {
    on_both(|fresh| {
        let store = fresh.open();
        let many: Vec<String> = (0..6).map(|number| format!("a{number}")).collect();
        let owed: Vec<(&str, &str)> = many.iter().map(|id| (id.as_str(), id.as_str())).collect();
        owe(&store, "ada", &owed);
        owe(&store, "bob", &[("b0", "b"), ("b1", "b")]);
        assert_eq!(ids(&claim(&store, 1, 4)), ["a0", "b0", "a1", "b1"]);
    });
}

#[test]
fn a_callback_is_tried_until_it_is_delivered_and_each_try_is_told() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("c", "r")]);
        let first = claim(&store, 1, 9).pop().unwrap();
        assert_eq!((first.claim, first.tries, first.claimed_until), (1, 0, at(21)));
        assert_eq!(first.body_path, "results/c");
        let silent = CallbackTried {
            status: None,
            outcome: "timed out".to_owned(),
            ..tried(1, 0, CallbackState::Pending)
        };
        assert!(store.callback_tried(&first, &silent).unwrap());
        let row = store.callback("c").unwrap().unwrap();
        assert_eq!((row.tries, row.due_at, row.last_outcome.as_str()), (1, at(61), "timed out"));
        assert_eq!(row.ended_at, None);
        assert!(claim(&store, 60, 9).is_empty());
        let second = claim(&store, 61, 9).pop().unwrap();
        // Who claimed it before notes nothing any more.
        assert!(!store.callback_tried(&first, &tried(9, 200, CallbackState::Delivered)).unwrap());
        let delivered = tried(61, 204, CallbackState::Delivered);
        assert!(store.callback_tried(&second, &delivered).unwrap());
        let row = store.callback("c").unwrap().unwrap();
        assert_eq!((row.state, row.tries), (CallbackState::Delivered, 2));
        assert_eq!(row.ended_at, Some(at(62)));
        assert!(claim(&store, 999, 9).is_empty());
        assert_eq!(store.next_callback_at().unwrap(), None);
        let attempt = |number, seconds, status, outcome: &str| CallbackAttemptRow {
            number,
            at: at(seconds),
            took_ms: 1_000,
            status,
            outcome: outcome.to_owned(),
        };
        let expected = [attempt(1, 1, None, "timed out"), attempt(2, 61, Some(204), "status 204")];
        assert_eq!(store.callback_attempts("c").unwrap(), expected);
    });
}

#[test]
fn a_claim_whose_holder_died_is_taken_by_the_next() {
    on_both(|fresh| {
        let first = {
            let store = fresh.open();
            owe(&store, "ada", &[("c", "r")]);
            claim(&store, 1, 9).pop().unwrap()
        };
        let store = fresh.open();
        assert!(claim(&store, 20, 9).is_empty());
        assert_eq!(store.next_callback_at().unwrap(), Some(at(21)));
        let second = claim(&store, 21, 9).pop().unwrap();
        let expected = CallbackRow { claim: 2, claimed_until: at(41), ..first };
        assert_eq!(second, expected);
    });
}

#[test]
fn a_result_is_taken_for_as_long_as_its_bytes_may_need() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("c", "r")]);
        // Two bytes at one a second.
        let (now, until) = (at(1), at(21));
        let (per_receiver_most, per_owner_most) = (2, 100);
        let claim = CallbackClaim {
            now,
            until,
            bytes_per_s: 1,
            most: 9,
            per_receiver_most,
            per_owner_most,
        };
        let claimed = store.claim_callbacks(claim).unwrap();
        assert_eq!(claimed[0].claimed_until, at(23));
    });
}

#[test]
fn an_address_that_wants_no_more_gets_no_more_of_that_owner_until_it_is_asked_for() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("a1", "gone"), ("a2", "gone"), ("a3", "gone"), ("a4", "here")]);
        owe(&store, "bob", &[("b1", "gone")]);
        let hash = "hash of gone";
        assert_eq!(store.disabled_receiver("ada", hash).unwrap(), None);
        let taken = claim(&store, 1, 2);
        assert_eq!(ids(&taken), ["a1", "b1"]);
        assert!(store.callback_tried(&taken[0], &tried(1, 410, CallbackState::Dead)).unwrap());
        let expected = DisabledReceiver { disabled_at: at(2), why: "status 410".to_owned() };
        assert_eq!(store.disabled_receiver("ada", hash).unwrap(), Some(expected));
        assert_eq!(store.disabled_receiver("bob", hash).unwrap(), None);
        // What waited for it is given up with the reason; others and other addresses go on.
        let states = ["a1", "a2", "a3", "a4", "b1"].map(|id| state(&store, id));
        let (dead, pending) = (CallbackState::Dead, CallbackState::Pending);
        assert_eq!(states, [dead, dead, dead, pending, pending]);
        let waiting = store.callback("a2").unwrap().unwrap();
        assert_eq!((waiting.last_outcome.as_str(), waiting.ended_at), ("status 410", Some(at(2))));
        assert!(store.callback_attempts("a2").unwrap().is_empty());
        // What comes later is a dead letter from the start.
        owe(&store, "ada", &[("a5", "gone")]);
        let later = store.callback("a5").unwrap().unwrap();
        assert_eq!((later.state, later.last_outcome.as_str()), (dead, "status 410"));
        assert_eq!(later.ended_at, Some(at(1)));
        // Asked for again, it is tried, and so is what comes then.
        let again = Note { at: at(50), ..note("it is back") };
        assert!(store.resend_callback("a5", &again).unwrap());
        assert_eq!(store.disabled_receiver("ada", hash).unwrap(), None);
        owe(&store, "ada", &[("a6", "gone")]);
        assert_eq!(state(&store, "a6"), pending);
        assert_eq!(ids(&claim(&store, 50, 9)), ["a4", "b1", "a6"], "owners take turns there too");
        assert_eq!(ids(&claim(&store, 51, 9)), Vec::<&str>::new());
        assert_eq!(state(&store, "a5"), pending);
    });
}

#[test]
fn a_callback_is_sent_again_as_often_as_a_new_one_but_not_while_it_is_being_tried() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("c", "r")]);
        let first = claim(&store, 1, 9).pop().unwrap();
        let resend = |seconds: i64| {
            let note = Note { at: at(seconds), ..note("again") };
            store.resend_callback("c", &note).unwrap()
        };
        assert!(!resend(2), "it is being tried");
        assert!(store.callback_tried(&first, &tried(2, 500, CallbackState::Pending)).unwrap());
        assert!(resend(10), "it waits");
        let second = claim(&store, 10, 9).pop().unwrap();
        assert_eq!((second.tries, second.due_at), (0, at(10)));
        assert!(store.callback_tried(&second, &tried(10, 500, CallbackState::Dead)).unwrap());
        assert!(resend(20), "it was given up");
        let third = claim(&store, 20, 9).pop().unwrap();
        assert_eq!((third.ended_at, third.tries), (None, 0));
        assert!(store.callback_tried(&third, &tried(20, 200, CallbackState::Delivered)).unwrap());
        assert!(resend(30), "it was delivered");
        // Tries are numbered on, and the same bytes go to the same address.
        let fourth = claim(&store, 30, 9).pop().unwrap();
        assert!(store.callback_tried(&fourth, &tried(30, 200, CallbackState::Delivered)).unwrap());
        let numbers = store.callback_attempts("c").unwrap().into_iter().map(|row| row.number);
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!((fourth.body_hash, fourth.url), (first.body_hash, first.url));
        let missing = store.resend_callback("nobody", &note("again"));
        assert!(matches!(missing, Err(StoreError::Missing { .. })), "{missing:?}");
    });
}

#[test]
fn a_try_of_what_was_cancelled_meanwhile_is_told_and_changes_nothing() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("c", "r")]);
        let taken = claim(&store, 1, 9).pop().unwrap();
        assert!(store.cancel_usage_query("of c", at(2), at(999)).unwrap());
        assert!(!store.callback_tried(&taken, &tried(1, 200, CallbackState::Delivered)).unwrap());
        assert_eq!(state(&store, "c"), CallbackState::Cancelled);
        assert_eq!(store.callback_attempts("c").unwrap().len(), 1);
        store.forget_usage_query("of c").unwrap();
        assert!(store.callback_attempts("c").unwrap().is_empty());
    });
}
