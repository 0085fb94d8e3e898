//! A backup is taken while a server runs: what was acknowledged before it counts, once.

use crate::books::{Books, on_each_store};
use crate::installation::{FILES, FLAT, Installation, shop, text};
use crate::program::{self, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Makes sealing, writing and removing happen all the time.
const SETTINGS: [(&str, &str); 3] = [
    ("RECKONER_LIMITS__TAIL_RECORDS", "40"),
    ("RECKONER_LIMITS__OVERLAY_ROWS", "100"),
    ("RECKONER_LIMITS__PAGE_SECONDS", "1"),
];

const FILE: &str = "SubscriptionId,Date,MeterId,Quantity,CostInBillingCurrency,Currency,ChargeType\n\
    5b0d1e9a-0000-4000-8000-000000000001,2026-03-05,calls,2,0.2,USD,Usage\n";

const BATCH_RECORDS: u64 = 20;

fn batch(name: &str) -> String {
    let line = |nth: u64| {
        let event = json!({
            "id": format!("{name}-{nth}"),
            "source": "gate",
            "subscription": "5b0d1e9a-0000-4000-8000-000000000001",
            "resource": name,
            "meter": "calls",
            "quantity": "1",
            "time": format!("2026-0{}-{:02}T10:00:00Z", nth % 3 + 1, nth + 1),
        });
        event.to_string()
    };
    (0..BATCH_RECORDS).map(line).collect::<Vec<_>>().join("\n")
}

/// The verdicts of one batch.
async fn send(server: &Server, key: &str, body: String) -> Vec<String> {
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key).body(body);
    let answer = request.header("content-type", "application/x-ndjson").send().await;
    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    let verdicts = answer["verdicts"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
    verdicts.map(|item| item["verdict"].as_str().expect("text").to_owned()).collect()
}

/// Restores a backup, checks everything in it, and gives the records of each batch in it.
fn restored(backup: &Path, to: &Path) -> BTreeMap<String, u64> {
    let settings = [("RECKONER_DATA_DIR", text(to))];
    program::run(&["restore", text(backup)], &settings);
    let checked = program::run(&["verify"], &settings);
    assert!(checked.trim_end().ends_with("; 0 problems"), "{checked}");
    let question = ["query", "--from", "2010-01-01", "--until", "2030-01-01", "--output", "json"];
    let out = program::run(&[&question[..], &["--group-by", "resource"]].concat(), &settings);
    let rows: Vec<Value> = serde_json::from_str(&out).expect("JSON");
    let number = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let read = |row: &Value| {
        let name = row["resource"].as_str().unwrap_or_default().to_owned();
        (name, number(&row["records"]).parse().expect("a count"))
    };
    rows.iter().map(read).collect()
}

async fn a_backup_beside_a_busy_server_holds_what_was_acknowledged_before(books: Books) {
    let installation = Installation::new(books, "USD", &(shop(FLAT) + FILES));
    let file = installation.file("usage.csv", FILE);
    installation.import(&file, &["--source", "files", "--format", "azure-usage-details-csv"]);
    let key = installation.key("gate");
    let server = Arc::new(installation.serve(&SETTINGS));
    if matches!(books, Books::Postgres) {
        let said = installation.refused(&["backup", text(&installation.beside("copy"))]);
        assert!(said.contains("dump its database first (pg_dump), then copy `objects`"), "{said}");
        return;
    }
    let (acknowledged, done) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let sending = tokio::spawn({
        let (server, key) = (Arc::clone(&server), key.clone());
        let (acknowledged, done) = (Arc::clone(&acknowledged), Arc::clone(&done));
        async move {
            for nth in 0.. {
                let name = format!("b{nth}");
                let verdicts = send(&server, &key, batch(&name)).await;
                assert!(verdicts.iter().all(|verdict| verdict == "accepted"), "{verdicts:?}");
                acknowledged.lock().expect("no panic").push(name);
                if done.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
    });
    let mut copies = Vec::new();
    while copies.len() < 3 {
        let before = acknowledged.lock().expect("no panic").clone();
        if before.len() < 5 * (copies.len() + 1) {
            tokio::task::yield_now().await;
            continue;
        }
        let copy = installation.beside(&format!("copy-{}", copies.len()));
        installation.run(&["backup", text(&copy)]);
        copies.push((copy, before));
    }
    done.store(true, Ordering::SeqCst);
    sending.await.expect("no panic");
    for (nth, (copy, before)) in copies.iter().enumerate() {
        let data = installation.beside(&format!("restored-{nth}"));
        let counted = restored(copy, &data);
        for name in before {
            assert_eq!(counted.get(name), Some(&BATCH_RECORDS), "backup {nth}: {name}");
        }
        for (name, records) in counted.iter().filter(|(name, _)| name.starts_with('b')) {
            assert_eq!(*records, BATCH_RECORDS, "backup {nth}: {name} is there whole or not");
        }
        assert_eq!(counted.get(""), Some(&1), "backup {nth}: the imported row");
        let authority = |data: &Path| fs::read(data.join("tls/ca.pem")).expect("an authority");
        assert_eq!(authority(&data), authority(&installation.data()), "clients still trust it");
    }
    let server = Server::serve(&installation.beside("restored-2"), &[]);
    let again = send(&server, &key, batch(&copies[2].1[0])).await;
    assert!(again.iter().all(|verdict| verdict == "duplicate"), "{again:?}");
    server.stop();
}

on_each_store!(a_backup_beside_a_busy_server_holds_what_was_acknowledged_before);

#[test]
fn a_backup_overwrites_nothing_and_is_of_an_installation() {
    let installation = Installation::new(Books::Sqlite, "USD", &(shop(FLAT) + FILES));
    let copy = installation.beside("copy");
    installation.run(&["backup", text(&copy)]);
    let said = installation.refused(&["backup", text(&copy)]);
    assert!(said.contains("is not empty"), "{said}");
    let nothing = installation.beside("nothing");
    let other = installation.beside("other");
    let said = installation.refused(&["backup", "--data", text(&nothing), text(&other)]);
    assert!(said.contains("is no installation"), "{said}");
    assert!(!nothing.exists(), "a backup makes no installation");
}
