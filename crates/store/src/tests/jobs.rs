//! Jobs end once, together with their facts.

use super::{at, fact, note, on_both};
use crate::{Deed, JobEnd, JobRow, JobState, StoreError};
use calendar::Instant;

fn job(id: &str, key: &str) -> JobRow {
    JobRow {
        id: id.to_owned(),
        surface: "s".to_owned(),
        version: "1".to_owned(),
        operation: "o".to_owned(),
        billing_account: "acme".to_owned(),
        asked_by: "principal ada".to_owned(),
        request_key: key.to_owned(),
        request_id: "r".to_owned(),
        body: b"{}".to_vec(),
        state: JobState::Running,
        outcome: Vec::new(),
        created_at: at(0),
        ended_at: None,
    }
}

fn end(id: &str, state: JobState) -> JobEnd {
    let facts = match state {
        JobState::Succeeded => vec![fact("x")],
        JobState::Running | JobState::Failed => Vec::new(),
    };
    let deed = Deed { action: "test", target: "x".to_owned(), closes: None };
    JobEnd { id: id.to_owned(), state, outcome: Vec::new(), facts, deed }
}

#[test]
fn a_job_and_its_facts_are_ended_both_or_neither_and_once() {
    on_both(|fresh| {
        let store = fresh.open();
        let accept = |id: &str, key: &str| store.accept_job(&job(id, key), Instant::MIN).unwrap();
        assert_eq!(accept("a", "k").id, "a");
        assert_eq!(accept("b", "k").id, "a", "the same request while it runs");
        assert_eq!(accept("c", "l").id, "c");
        let running = || -> Vec<String> {
            store.running_jobs(10).unwrap().into_iter().map(|job| job.id).collect()
        };
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
        // What ended is forgotten in time; its request may come again.
        assert_eq!(store.accept_job(&job("d", "k"), Instant::MAX).unwrap().id, "d");
        assert_eq!((store.job("a").unwrap(), running()), (None, vec!["d".to_owned()]));
    });
}
