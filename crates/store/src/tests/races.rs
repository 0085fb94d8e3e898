//! Several writers at once: two stores on one place, several threads on each.

use super::callbacks::{claim, owe};
use super::ledgers::{booking, document};
use super::{Fresh, at, fact, note, on_both};
use crate::{Balance, Booking, DocumentFilter, Publication, Sealing, Store, StoreError, Watermark};
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

const THREADS: usize = 4;
const ROUNDS: usize = 15;

/// Runs `act` on every thread at once; gives what each returned. Every other thread has the
/// second store.
fn at_once<T: Send>(fresh: &Fresh, act: impl Fn(&Store, usize) -> T + Sync) -> Vec<T> {
    let stores = [fresh.open(), fresh.open()];
    let start = Barrier::new(THREADS);
    let (stores, start, act) = (&stores, &start, &act);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                scope.spawn(move || {
                    start.wait();
                    act(&stores[number % 2], number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn facts_of_many_writers_have_no_gaps_and_none_is_lost() {
    on_both(|fresh| {
        let stale = at_once(fresh, |store, number| {
            let mut stale = 0;
            for round in 0..ROUNDS {
                let fact = fact(&format!("{number}-{round}"));
                while let Err(error) = {
                    let newest = store.newest_fact().unwrap();
                    store.append_facts(newest, std::slice::from_ref(&fact), &note("race"))
                } {
                    assert!(matches!(error, StoreError::Stale { .. }), "{error:?}");
                    stale += 1;
                }
            }
            stale
        });
        let store = fresh.open();
        let facts = store.facts_after(0, 1_000).unwrap();
        let keys: BTreeSet<_> = facts.iter().map(|fact| fact.key.clone()).collect();
        assert_eq!((facts.len(), keys.len()), (THREADS * ROUNDS, THREADS * ROUNDS), "{stale:?}");
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    });
}

#[test]
fn all_writers_get_the_same_codes() {
    on_both(|fresh| {
        let codes = at_once(fresh, |store, number| {
            let mut pairs: Vec<_> =
                (0..40).map(|value| ("country".to_owned(), format!("c{value}"))).collect();
            pairs.rotate_left(number * 10);
            let mut codes: Vec<_> =
                pairs.iter().cloned().zip(store.assign_codes(&pairs).unwrap()).collect();
            codes.sort();
            codes
        });
        assert!(codes.iter().all(|each| *each == codes[0]));
        let given: BTreeSet<_> = codes[0].iter().map(|(_, code)| *code).collect();
        assert_eq!(given, (1..=40).collect());
    });
}

#[test]
fn all_nodes_get_the_same_secret() {
    on_both(|fresh| {
        let secrets = at_once(fresh, |store, number| {
            store.ensure_secret("signing", format!("candidate {number}").as_bytes()).unwrap()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]), "{secrets:?}");
    });
}

#[test]
fn no_callback_is_claimed_twice_and_of_a_receiver_no_more_than_may_be() {
    on_both(|fresh| {
        let own: Vec<String> = (0..10).map(|number| format!("own{number}")).collect();
        let shared: Vec<String> = (0..10).map(|number| format!("shared{number}")).collect();
        let mut owed: Vec<(&str, &str)> = own.iter().map(|id| (id.as_str(), id.as_str())).collect();
        owed.extend(shared.iter().map(|id| (id.as_str(), "shared")));
        owe(&fresh.open(), "ada", &owed);
        let claimed = at_once(fresh, |store, _| {
            let mut claimed = Vec::new();
            loop {
                let rows = claim(store, 1, 3);
                if rows.is_empty() {
                    return claimed;
                }
                claimed.extend(rows.into_iter().map(|row| row.id));
            }
        });
        let mut claimed = claimed.concat();
        claimed.sort();
        let expected = own.iter().chain(&shared[..2]).cloned().collect::<Vec<_>>();
        assert_eq!(claimed, expected);
    });
}

#[test]
fn of_two_owners_of_a_shard_one_seals() {
    on_both(|fresh| {
        let outcomes = at_once(fresh, |store, number| {
            let until = 100 + u64::try_from(number).unwrap();
            let sealed = vec![Sealing { shard: 3, from: 0, until }];
            store.publish(&Publication { add: vec![], retire: vec![], sealed, at: at(0) })
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(error, StoreError::Stale { what: "shard", .. }), "{error:?}");
        }
    });
}

#[test]
fn of_the_watermarks_of_many_writers_the_latest_stays() {
    on_both(|fresh| {
        at_once(fresh, |store, number| {
            for round in 0..ROUNDS {
                let reported_until = at(i64::try_from(number * ROUNDS + round).unwrap());
                let mark = Watermark {
                    source: "azure".to_owned(),
                    billing_account: "acme".to_owned(),
                    reported_until,
                };
                store.raise_watermarks(&[mark]).unwrap();
            }
        });
        let store = fresh.open();
        let last = at(i64::try_from(THREADS * ROUNDS - 1).unwrap());
        assert_eq!(store.watermarks().unwrap()[0].reported_until, last);
    });
}

#[test]
fn of_many_writers_none_spends_what_another_has_spent() {
    on_both(|fresh| {
        let purse = |minor| Balance {
            ledger_account: "open_credit".to_owned(),
            currency: "EUR".to_owned(),
            minor,
        };
        let filled = Booking { balances: vec![purse(20)], ..booking("acme", 0, "filled") };
        fresh.open().book(&filled, &note("")).unwrap();
        // Each writer takes 3 as often as there is enough left by what it has read.
        let taken = at_once(fresh, |store, number| {
            let mut taken = 0;
            loop {
                let ledger = store.ledger("acme").unwrap();
                let left = ledger.balances[0].minor - 3;
                if left < 0 {
                    return taken;
                }
                let take = booking("acme", ledger.version, &format!("{number}-{taken}"));
                let take = Booking { balances: vec![purse(left)], ..take };
                match store.book(&take, &note("race")) {
                    Ok(booked) => taken += i64::from(booked.is_new),
                    Err(StoreError::Stale { .. } | StoreError::Contended(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        });
        assert_eq!(taken.iter().sum::<i64>(), 6, "{taken:?}");
        assert_eq!(fresh.open().ledger("acme").unwrap().balances, [purse(2)]);
    });
}

#[test]
fn documents_of_many_writers_are_numbered_without_gaps() {
    on_both(|fresh| {
        at_once(fresh, |store, number| {
            for round in 0..ROUNDS {
                let name = format!("{number}-{round}");
                let issue = Booking { documents: vec![document(&name)], ..booking(&name, 0, "") };
                while let Err(error) = store.book(&issue, &note("race")) {
                    assert!(matches!(error, StoreError::Contended(_)), "{error:?}");
                }
            }
        });
        let store = fresh.open();
        let documents = store.documents(&DocumentFilter::default(), 1_000).unwrap();
        let numbers: Vec<_> = documents.iter().map(|document| document.sequence).collect();
        let all = u64::try_from(THREADS * ROUNDS).unwrap();
        assert_eq!(numbers, (1..=all).collect::<Vec<_>>());
        assert_eq!(store.number_series().unwrap(), [("us".to_owned(), all)]);
    });
}

#[test]
fn more_readers_than_connections_wait_their_turn() {
    on_both(|fresh| {
        let store = fresh.open();
        store.append_facts(0, &[fact("a")], &note("set up")).unwrap();
        thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| assert_eq!(store.newest_fact().unwrap(), 1));
            }
        });
    });
}

#[test]
fn stores_opened_at_once_migrate_once() {
    on_both(|fresh| {
        let opened = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    opened.wait();
                    fresh.open().ping().unwrap();
                });
            }
        });
    });
}
