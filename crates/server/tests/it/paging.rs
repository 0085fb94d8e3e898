//! Pages of one answer while writes go on.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop};
use crate::program::Server;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const SUBSCRIPTION: &str = "5b0d1e9a-0000-4000-8000-000000000001";
const ROWS: u64 = 10_000;

/// A day's use of one machine.
fn event(machine: u64) -> String {
    let event = json!({
        "id": format!("e-{machine}"),
        "source": "gate",
        "subscription": SUBSCRIPTION,
        "resource": format!("machine-{machine}"),
        "meter": "calls",
        "quantity": "24",
        "start": "2026-03-01T00:00:00Z",
        "end": "2026-03-02T00:00:00Z",
        "reported_at": "2026-03-02T01:00:00Z",
    });
    event.to_string()
}

async fn send(server: &Server, key: &str, machines: std::ops::Range<u64>) {
    let count = machines.end - machines.start;
    let body = machines.map(event).collect::<Vec<_>>().join("\n");
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key);
    let request = request.header("content-type", "application/x-ndjson").body(body);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let verdicts = answer["verdicts"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(verdicts.len() as u64, count);
    assert!(verdicts.iter().all(|verdict| verdict["verdict"] == "accepted"), "{answer}");
}

/// Reads the answer to its end; gives the machines of its rows and the number of its pages.
async fn walk(server: &Server, token: &str) -> (Vec<String>, u64) {
    let first = format!(
        "{}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Commerce/UsageAggregates\
         ?api-version=2015-06-01-preview&reportedStartTime=2026-03-02&reportedEndTime=2026-03-03",
        server.told("base_url")
    );
    let (mut machines, mut pages, mut next) = (Vec::new(), 0, Some(first));
    while let Some(url) = next {
        let answer = server.client.get(url).bearer_auth(token).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let page: Value = answer.json().await.expect("JSON");
        let rows = page["value"].as_array().expect("rows");
        assert!(rows.len() <= 500, "{} rows on a page", rows.len());
        machines.extend(rows.iter().map(machine));
        pages += 1;
        next = page["nextLink"].as_str().map(str::to_owned);
    }
    (machines, pages)
}

fn machine(row: &Value) -> String {
    let instance = row["properties"]["instanceData"].as_str().expect("instance data");
    let instance: Value = serde_json::from_str(instance).expect("JSON in text");
    instance["Microsoft.Resources"]["resourceUri"].as_str().expect("a resource").to_owned()
}

on_each_store!(no_row_is_lost_or_read_twice_while_writes_go_on);
async fn no_row_is_lost_or_read_twice_while_writes_go_on(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let settings = [("RECKONER_LIMITS__PAGE_ROWS", "500"), ("RECKONER_LIMITS__TAIL_RECORDS", "40")];
    let server = installation.serve(&settings);
    let token = installation.token(&server).await;
    for half in [0..ROWS / 2, ROWS / 2..ROWS] {
        send(&server, &key, half).await;
    }
    let (walked, sent) = (AtomicBool::new(false), AtomicU64::new(ROWS));
    let writing = async {
        while !walked.load(Ordering::Relaxed) {
            let from = sent.load(Ordering::Relaxed);
            send(&server, &key, from..from + 25).await;
            sent.store(from + 25, Ordering::Relaxed);
        }
    };
    let walking = async {
        let walk = walk(&server, &token).await;
        walked.store(true, Ordering::Relaxed);
        walk
    };
    let ((machines, pages), ()) = tokio::join!(walking, writing);
    let distinct: BTreeSet<&String> = machines.iter().collect();
    assert_eq!(distinct.len(), machines.len(), "a row was read twice");
    let missing = (0..ROWS).find(|at| !distinct.contains(&format!("machine-{at}")));
    assert_eq!(missing, None, "a row was lost");
    // What came while the first page was made may be in the answer; nothing later is.
    let late = machines.len() as u64 - ROWS;
    let written = sent.load(Ordering::Relaxed) - ROWS;
    assert!(late < written, "{late} of {written} rows that were written meanwhile");
    assert!(pages >= ROWS / 500, "{pages} pages");
    let (again, _) = walk(&server, &token).await;
    assert_eq!(again.len() as u64, ROWS + written, "a new walk reads what was written");
    server.stop();
}
