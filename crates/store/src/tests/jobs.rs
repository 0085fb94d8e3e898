//! Jobs end once, together with their facts.

use super::{at, fact, note, on_both};
use crate::{AuditFilter, Deed, JobEnd, JobRow, JobState, Store, StoreError};
use calendar::Instant;

fn job(id: &str, key: &str) -> JobRow {
    JobRow {
        id: id.to_owned(),
        surface: "s".to_owned(),
        version: "1".to_owned(),
        operation: "o".to_owned(),
        billing_account: "acme".to_owned(),
        target: place(key),
        asked_by: "principal ada".to_owned(),
        request_key: key.to_owned(),
        request_id: "r".to_owned(),
        body: b"{}".to_vec(),
        state: JobState::Running,
        outcome: Vec::new(),
        tries: 0,
        created_at: at(0),
        ended_at: None,
    }
}

/// What stands for something below an account.
fn place(key: &str) -> String {
    format!("acme\nplace\n{key}")
}

fn end(id: &str, state: JobState) -> JobEnd {
    let facts = match state {
        JobState::Succeeded => vec![fact("x")],
        JobState::Running | JobState::Failed => Vec::new(),
    };
    let deed = Deed { action: "test", target: "x".to_owned(), closes: None };
    let told = "no change".to_owned();
    JobEnd { id: id.to_owned(), state, outcome: Vec::new(), facts, deed, told }
}

/// The ids of the jobs that are to be carried out at a moment.
fn due(store: &Store, seconds: i64) -> Vec<String> {
    store.due_jobs(at(seconds), 10).unwrap().into_iter().map(|job| job.id).collect()
}

#[test]
fn a_job_and_its_facts_are_ended_both_or_neither_and_once() {
    on_both(|fresh| {
        let store = fresh.open();
        let accept = |id: &str, key: &str| store.accept_job(&job(id, key), 9).unwrap().unwrap();
        assert_eq!(accept("a", "k").id, "a");
        assert_eq!(accept("b", "k").id, "a", "the same request while it runs");
        assert_eq!(accept("c", "l").id, "c");
        let running = || due(&store, 0);
        assert_eq!(running(), ["a", "c"]);
        let stale = store.end_job(&end("a", JobState::Succeeded), 7, &note("x"));
        assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
        assert_eq!((running().len(), store.newest_fact().unwrap()), (2, 0));
        assert!(store.end_job(&end("a", JobState::Succeeded), 0, &note("x")).unwrap());
        assert!(!store.end_job(&end("a", JobState::Succeeded), 1, &note("x")).unwrap());
        assert_eq!((running(), store.newest_fact().unwrap()), (vec!["c".to_owned()], 1));
        assert!(store.end_job(&end("c", JobState::Failed), 9, &note("x")).unwrap());
        assert_eq!(store.job("c").unwrap().unwrap().state, JobState::Failed);
        assert_eq!(store.job("d").unwrap(), None);
        // Each end has its one entry.
        let entries = store.audit(&AuditFilter::default(), 0, 9).unwrap();
        let told: Vec<&str> = entries.iter().map(|row| row.entry.outcome.as_str()).collect();
        assert_eq!(told, ["done", "no change"]);
        // What ended is forgotten in time; its request may come again.
        assert_eq!(accept("d", "k").id, "d");
        store.forget_jobs(Instant::MAX).unwrap();
        assert_eq!((store.job("a").unwrap(), running()), (None, vec!["d".to_owned()]));
    });
}

#[test]
fn what_was_tried_in_vain_waits_and_holds_up_only_what_changes_the_same() {
    on_both(|fresh| {
        let store = fresh.open();
        let accept = |id: &str, key: &str| store.accept_job(&job(id, key), 9).unwrap().unwrap();
        let first = accept("a", "k");
        let (other, last) = (accept("b", "l"), JobRow { target: place("k"), ..job("c", "m") });
        assert!(store.accept_job(&last, 9).unwrap().is_some());
        assert_eq!(due(&store, 0), ["a", "b", "c"]);
        store.postpone_job(&first, at(5)).unwrap();
        // Two that tried it at once count as one.
        store.postpone_job(&first, at(9)).unwrap();
        assert_eq!((due(&store, 0), due(&store, 4)), (vec!["b".to_owned()], vec!["b".to_owned()]));
        assert_eq!(due(&store, 5), ["a", "b", "c"]);
        assert_eq!(store.job("a").unwrap().unwrap().tries, 1);
        assert_eq!(other.tries, 0);
    });
}

#[test]
fn changes_of_one_account_wait_for_each_other_whoever_its_buyer_was() {
    on_both(|fresh| {
        let store = fresh.open();
        let accept = |id: &str, account: &str, target: &str| {
            let (billing_account, target) = (account.to_owned(), target.to_owned());
            store.accept_job(&JobRow { billing_account, target, ..job(id, id) }, 9).unwrap();
        };
        accept("a", "acme", "seller");
        accept("b", "acme", "buyer");
        accept("c", "globex", "seller");
        accept("d", "metro", "other");
        accept("e", "acme", &place("k"));
        let first = store.job("a").unwrap().unwrap();
        store.postpone_job(&first, at(5)).unwrap();
        assert_eq!(due(&store, 0), ["d", "e"]);
        assert_eq!(due(&store, 5), ["a", "b", "c", "d", "e"]);
    });
}

#[test]
fn one_caller_has_so_many_jobs_at_once() {
    on_both(|fresh| {
        let store = fresh.open();
        let accept = |job: &JobRow| store.accept_job(job, 2).unwrap().map(|kept| kept.id);
        assert_eq!(accept(&job("a", "k")).as_deref(), Some("a"));
        assert_eq!(accept(&job("b", "l")).as_deref(), Some("b"));
        assert_eq!(accept(&job("c", "m")), None);
        assert_eq!(accept(&job("c", "l")).as_deref(), Some("b"), "the same request is no more");
        assert_eq!(accept(&job("c", "k")).as_deref(), Some("a"), "the last for its own target");
        let of_another = JobRow { asked_by: "principal bob".to_owned(), ..job("c", "m") };
        assert_eq!(accept(&of_another).as_deref(), Some("c"));
        assert!(store.end_job(&end("a", JobState::Failed), 0, &note("x")).unwrap());
        assert_eq!(accept(&job("d", "n")).as_deref(), Some("d"));
    });
}
