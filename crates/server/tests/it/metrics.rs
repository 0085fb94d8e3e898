//! What the program counts: verdicts, answers, durations, failures, and when keys were used.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop};
use crate::program::{Server, now};
use calendar::Instant;
use serde_json::{Value, json};

fn event(id: &str, meter: &str, quantity: &str) -> String {
    let event = json!({
        "id": id,
        "source": "gate",
        "subscription": "5b0d1e9a-0000-4000-8000-000000000001",
        "meter": meter,
        "resource": "r",
        "quantity": quantity,
        "time": "2026-03-05T10:00:00Z",
    });
    event.to_string()
}

async fn send(server: &Server, key: &str, records: &[String]) {
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key).body(records.join("\n"));
    let answer = request.header("content-type", "application/x-ndjson").send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
}

/// A line of the metrics: its value.
async fn value(server: &Server, name: &str) -> Option<String> {
    let answer = server.get("/metrics", None).send().await.expect("an answer");
    let text = answer.text().await.expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(str::to_owned)
}

async fn verdicts_answers_and_failures_are_counted(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let records = [event("a", "calls", "1"), event("a", "calls", "1"), event("a", "calls", "2")];
    send(&server, &key, &records).await;
    send(&server, &key, &[event("b", "nothing", "1"), "{}".to_owned()]).await;
    let token = installation.token(&server).await;
    let refused = server.get("/admin/v1/nothing", Some(&token)).send().await.expect("an answer");
    assert_eq!(refused.status(), 404);
    let listed = server.get("/admin/v1/quarantine", Some(&token)).send().await.expect("an answer");
    assert_eq!(listed.status(), 200);
    let table = [
        ("reckoner_records_total{verdict=\"accepted\"}", "1"),
        ("reckoner_records_total{verdict=\"duplicate\"}", "1"),
        ("reckoner_records_total{verdict=\"conflict\"}", "1"),
        ("reckoner_records_total{verdict=\"quarantined\"}", "1"),
        ("reckoner_records_total{verdict=\"rejected\"}", "1"),
        ("reckoner_quarantined_records", "1"),
        ("reckoner_answers_total{surface=\"intake\",status=\"2xx\"}", "2"),
        ("reckoner_answers_total{surface=\"admin\",status=\"2xx\"}", "1"),
        ("reckoner_answers_total{surface=\"admin\",status=\"4xx\"}", "1"),
        ("reckoner_answers_total{surface=\"arm-base\",status=\"2xx\"}", "1"),
        ("reckoner_answer_duration_seconds_count{surface=\"intake\"}", "2"),
        ("reckoner_answer_duration_seconds_bucket{le=\"+Inf\",surface=\"intake\"}", "2"),
        ("reckoner_housekeeping_failures_total", "0"),
    ];
    for (name, expected) in table {
        assert_eq!(value(&server, name).await.as_deref(), Some(expected), "{name}");
    }
    server.stop();
}

on_each_store!(verdicts_answers_and_failures_are_counted);

async fn the_use_of_a_key_is_noted_once_a_minute(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let (used, unused) = (installation.key("gate"), installation.key("gate"));
    assert_ne!(used, unused);
    let before = now();
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let uses = async || {
        let answer = server.get("/admin/v1/keys", Some(&token)).send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        let keys = answer["keys"].as_array().expect("keys");
        assert_eq!(keys.len(), 2);
        let used = keys.iter().filter_map(|key| key["last_used_at"].as_str());
        used.map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(uses().await, Vec::<String>::new());
    send(&server, &used, &[event("a", "calls", "1")]).await;
    let first: Vec<String> = uses().await;
    let [at] = first.as_slice() else { panic!("one key was used: {first:?}") };
    let at = Instant::parse(at).expect("a moment");
    assert!((before..=now()).contains(&at), "{at}");
    send(&server, &used, &[event("b", "calls", "1")]).await;
    assert_eq!(uses().await, first, "not within the same minute");
    server.stop();
}

on_each_store!(the_use_of_a_key_is_noted_once_a_minute);
