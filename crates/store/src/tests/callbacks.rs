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
    claim_few(store, seconds, most, (2, 100))
}

/// The same, with how many of one receiver and of one owner.
fn claim_few(
    store: &Store,
    seconds: i64,
    most: u64,
    (per_receiver_most, per_owner_most): (u64, u64),
) -> Vec<CallbackRow> {
    let (now, until) = (at(seconds), at(seconds + 20));
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

/// Whether a try counts.
fn is_noted(store: &Store, claimed: &CallbackRow, tried: &CallbackTried) -> bool {
    store.callback_tried(claimed, tried).unwrap().is_some()
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
        assert!(is_noted(&store, &first, &tried(2, 500, CallbackState::Pending)));
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
fn an_owner_whose_receivers_all_hang_leaves_room_for_others() {
    on_both(|fresh| {
        let store = fresh.open();
        let many: Vec<String> = (0..40).map(|number| format!("a{number}")).collect();
        let owed: Vec<(&str, &str)> = many.iter().map(|id| (id.as_str(), id.as_str())).collect();
        owe(&store, "ada", &owed);
        assert_eq!(ids(&claim_few(&store, 1, 6, (2, 3))), ["a0", "a1", "a2"], "three of her own");
        assert!(claim_few(&store, 2, 3, (2, 3)).is_empty());
        owe(&store, "bob", &[("b0", "b"), ("b1", "b"), ("b2", "other")]);
        assert_eq!(ids(&claim_few(&store, 3, 2, (2, 3))), ["b0", "b1"]);
        // One place is free: bob has two, ada three, then it is ada's turn.
        assert_eq!(ids(&claim_few(&store, 4, 1, (2, 3))), ["b2"]);
        let first = store.callback("a0").unwrap().unwrap();
        assert!(is_noted(&store, &first, &tried(5, 500, CallbackState::Pending)));
        assert_eq!(ids(&claim_few(&store, 6, 1, (2, 3))), ["a3"]);
        // Other claims are over: ada has one that is not, and was served last.
        assert_eq!(ids(&claim_few(&store, 25, 4, (2, 3))), ["b0", "b1", "a1", "b2"]);
    });
}

#[test]
fn owners_take_turns_at_a_receiver_with_one_place() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("a0", "r"), ("a1", "r"), ("a2", "r"), ("a3", "r")]);
        let check = |seconds: i64, expected: &str| {
            let taken = claim_few(&store, seconds, 9, (1, 100));
            assert_eq!(ids(&taken), [expected], "at {seconds}");
            let delivered = tried(seconds, 200, CallbackState::Delivered);
            assert!(is_noted(&store, &taken[0], &delivered));
        };
        check(1, "a0");
        owe(&store, "bob", &[("b0", "r"), ("b1", "r")]);
        check(2, "b0");
        check(3, "a1");
        check(4, "b1");
        check(5, "a2");
        check(6, "a3");
    });
}

#[test]
fn who_has_a_place_at_a_receiver_waits_for_who_has_none() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("a0", "r"), ("a1", "r"), ("a2", "r"), ("a3", "r")]);
        let held = claim(&store, 1, 9);
        assert_eq!(ids(&held), ["a0", "a1"]);
        owe(&store, "bob", &[("b0", "r")]);
        assert!(is_noted(&store, &held[0], &tried(2, 500, CallbackState::Pending)));
        assert_eq!(ids(&claim(&store, 3, 9)), ["b0"]);
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
        assert!(is_noted(&store, &first, &silent));
        let row = store.callback("c").unwrap().unwrap();
        assert_eq!((row.tries, row.due_at, row.last_outcome.as_str()), (1, at(61), "timed out"));
        assert_eq!(row.ended_at, None);
        assert!(claim(&store, 60, 9).is_empty());
        let second = claim(&store, 61, 9).pop().unwrap();
        // Who claimed it before notes nothing any more.
        assert!(!is_noted(&store, &first, &tried(9, 200, CallbackState::Delivered)));
        let delivered = tried(61, 204, CallbackState::Delivered);
        assert!(is_noted(&store, &second, &delivered));
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
        assert!(is_noted(&store, &taken[0], &tried(1, 410, CallbackState::Dead)));
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
        assert!(store.resend_callback("a5", false, &again).unwrap());
        assert_eq!(store.disabled_receiver("ada", hash).unwrap(), None);
        owe(&store, "ada", &[("a6", "gone")]);
        assert_eq!(state(&store, "a6"), pending);
        assert_eq!(ids(&claim(&store, 50, 9)), ["a4", "b1", "a6"], "owners take turns there too");
        assert_eq!(ids(&claim(&store, 51, 9)), Vec::<&str>::new());
        assert_eq!(state(&store, "a5"), pending);
    });
}

#[test]
fn what_is_being_tried_when_its_address_wants_no_more_is_not_tried_again() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("a1", "gone"), ("a2", "gone")]);
        let [first, second]: [CallbackRow; 2] = claim(&store, 1, 9).try_into().unwrap();
        assert!(is_noted(&store, &first, &tried(1, 410, CallbackState::Dead)));
        assert_eq!(state(&store, "a2"), CallbackState::Pending, "it is being tried");
        let noted = store.callback_tried(&second, &tried(2, 500, CallbackState::Pending)).unwrap();
        assert_eq!(noted, Some((CallbackState::Dead, "status 410".to_owned())));
        let row = store.callback("a2").unwrap().unwrap();
        assert_eq!((row.state, row.last_outcome.as_str()), (CallbackState::Dead, "status 410"));
        assert_eq!(row.ended_at, Some(at(3)));
        // What its own try came to is told as it was.
        assert_eq!(store.callback_attempts("a2").unwrap()[0].outcome, "status 500");
        assert!(claim(&store, 999, 9).is_empty());
    });
}

#[test]
fn what_is_being_tried_is_delivered_though_its_address_wants_no_more() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("a1", "gone"), ("a2", "gone")]);
        let [first, second]: [CallbackRow; 2] = claim(&store, 1, 9).try_into().unwrap();
        assert!(is_noted(&store, &first, &tried(1, 410, CallbackState::Dead)));
        assert!(is_noted(&store, &second, &tried(2, 200, CallbackState::Delivered)));
        assert_eq!(state(&store, "a2"), CallbackState::Delivered);
    });
}

#[test]
fn a_claimed_callback_is_given_up_without_a_try() {
    on_both(|fresh| {
        let store = fresh.open();
        owe(&store, "ada", &[("a", "r")]);
        let first = claim(&store, 1, 9).pop().unwrap();
        let second = claim(&store, 21, 9).pop().unwrap();
        let give_up = |row: &CallbackRow| store.give_up_callback(row, "unseen", at(22)).unwrap();
        assert!(!give_up(&first), "somebody else has it");
        assert!(give_up(&second) && !give_up(&second));
        let row = store.callback("a").unwrap().unwrap();
        assert_eq!((row.state, row.last_outcome.as_str()), (CallbackState::Dead, "unseen"));
        assert_eq!((row.tries, row.ended_at), (0, Some(at(22))));
        assert!(store.callback_attempts("a").unwrap().is_empty());
        let again = Note { at: at(30), ..note("again") };
        assert!(store.resend_callback("a", false, &again).unwrap());
        assert_eq!(ids(&claim(&store, 30, 9)), ["a"]);
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
            store.resend_callback("c", false, &note).unwrap()
        };
        assert!(!resend(2), "it is being tried");
        assert!(is_noted(&store, &first, &tried(2, 500, CallbackState::Pending)));
        assert!(resend(10), "it waits");
        let second = claim(&store, 10, 9).pop().unwrap();
        assert_eq!((second.tries, second.due_at), (0, at(10)));
        assert!(is_noted(&store, &second, &tried(10, 500, CallbackState::Dead)));
        assert!(resend(20), "it was given up");
        let third = claim(&store, 20, 9).pop().unwrap();
        assert_eq!((third.ended_at, third.tries), (None, 0));
        assert!(is_noted(&store, &third, &tried(20, 200, CallbackState::Delivered)));
        assert!(resend(30), "it was delivered");
        // Tries are numbered on, and the same bytes go to the same address.
        let fourth = claim(&store, 30, 9).pop().unwrap();
        assert!(is_noted(&store, &fourth, &tried(30, 200, CallbackState::Delivered)));
        let numbers = store.callback_attempts("c").unwrap().into_iter().map(|row| row.number);
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!((fourth.body_hash, fourth.url), (first.body_hash, first.url));
        let missing = store.resend_callback("nobody", false, &note("again"));
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
        assert!(!is_noted(&store, &taken, &tried(1, 200, CallbackState::Delivered)));
        assert_eq!(state(&store, "c"), CallbackState::Cancelled);
        assert_eq!(store.callback_attempts("c").unwrap().len(), 1);
        assert!(store.forget_usage_query("of c", at(1_000)).unwrap());
        assert!(store.callback_attempts("c").unwrap().is_empty());
    });
}
