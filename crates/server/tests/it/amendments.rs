//! Amending, withdrawing and settling: on the command line, over HTTP, and as events.

use crate::books::{Books, on_each_store};
use crate::described;
use crate::installation::{FLAT, Installation, charges, shop};
use crate::program::Server;
use reqwest::Method;
use serde_json::{Value, json};

/// An event with a quantity, and more members of its data.
fn event(id: &str, quantity: u32, more: &str) -> String {
    format!(
        r#"{{"source":"gate","id":"{id}","time":"2026-03-01T10:00:00Z","meter":"calls",
            "subscription":"5b0d1e9a-0000-4000-8000-000000000001","quantity":{quantity}{more}}}"#
    )
}

/// Sends an event; gives its verdict, and why it waits.
async fn send(server: &Server, key: &str, event: String) -> String {
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request =
        server.client.post(url).bearer_auth(key).header("content-type", "application/json");
    let answer = request.body(event).send().await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    let verdict = &answer["verdicts"][0];
    let told = verdict["verdict"].as_str().unwrap_or_else(|| panic!("{answer}"));
    verdict["reason"].as_str().map_or(told.to_owned(), |reason| format!("{told} {reason}"))
}

/// Asks the operator's API; gives status and body.
async fn ask(server: &Server, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}{path}", server.told("admin.url"));
    let request = server.client.request(Method::POST, url).bearer_auth(token).json(body);
    described::checked("POST", request.send().await.expect("an answer")).await
}

/// Amends or withdraws; gives the status, and the verdict or the refusal.
async fn done(server: &Server, token: &str, verb: &str, which: &str, more: &str) -> String {
    let (id, own) = which.split_once(" as").expect("two ids");
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    let asked = format!(
        r#"{{"billing_account":"acme","source":"gate","id":"{id}","as":"{}","reason":"wrong"{more}}}"#,
        own.trim()
    );
    let asked: Value = serde_json::from_str(&asked).expect("JSON");
    let (status, answer) = ask(server, token, &format!("/usage/{verb}"), &asked).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if status != 200 {
        let error = &answer["error"];
        return format!("{status} {} {}", text(&error["code"]), text(&error["message"]));
    }
    // The epoch of a place rises with each start, which is nothing to be held here.
    let place = &answer["position"];
    let place = format!("{}:{}", place["shard"], place["sequence"]);
    format!("{status} {} {} {place}", text(&answer["id"]), text(&answer["verdict"]))
}

async fn total(server: &Server, token: &str) -> String {
    let rows = charges(server, token, &["meter"]).await;
    rows[0]["quantity"].as_str().expect("a quantity").to_owned()
}

/// What is done to which record, as which, with what else, the answer, and the total after it.
type Done = (&'static str, &'static str, &'static str, &'static str, &'static str);

const DONE: &[Done] = &[
    ("amend", "e1 as a1", r#""quantity":"4.5""#, "200 a1 accepted 0:3", "24.5"),
    ("amend", "e1 as a1", r#""quantity":"4.5""#, "200 a1 duplicate 0:3", "24.5"),
    ("amend", "e1 as a2", r#""quantity":"9""#, "200 a2 accepted 0:4", "29"),
    (
        "amend",
        "e1 as a2",
        r#""quantity":"1""#,
        "409 conflict usage record `a2`: another record has this id already",
        "29",
    ),
    ("withdraw", "e2 as w1", "", "200 w1 accepted 0:6", "19"),
    (
        "amend",
        "e9 as a9",
        r#""quantity":"1""#,
        "404 not_found usage record `gate/e9` does not exist",
        "19",
    ),
    (
        "amend",
        "e3 as a3",
        r#""quantity":"many""#,
        "400 invalid quantity: `many` is not a decimal number",
        "19",
    ),
    ("withdraw", "e3 as", "", "400 invalid as: must not be empty", "19"),
];

on_each_store!(records_are_amended_and_withdrawn_over_http);
async fn records_are_amended_and_withdrawn_over_http(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    for id in ["e1", "e2", "e3"] {
        assert_eq!(send(&server, &key, event(id, 10, "")).await, "accepted");
    }
    for (verb, which, more, expected, after) in DONE {
        let found = done(&server, &token, verb, which, more).await;
        assert_eq!(found, *expected, "{verb} {which} {more}");
        assert_eq!(total(&server, &token).await, *after, "{verb} {which} {more}");
    }
    // Who may only send may not do it as the operator does, but as the source itself.
    let refused = "403 forbidden usage:settle is not allowed here";
    assert_eq!(done(&server, &key, "withdraw", "e3 as w3", "").await, refused);
    let act = |name: &str| format!(r#","{name}":{{"id":"e3","actor":"gate","reason":"a test"}}"#);
    assert_eq!(send(&server, &key, event("a3", 2, &act("amends"))).await, "accepted");
    assert_eq!(total(&server, &token).await, "11");
    assert_eq!(send(&server, &key, event("w3", 2, &act("withdraws"))).await, "accepted");
    assert_eq!(total(&server, &token).await, "9");
    server.stop();
}

const WAITS: &str = "quarantined unknown_target";

/// Which record an event amends or withdraws, when it was used, and its verdict.
const AIMED: &[(&str, &str, &str)] = &[
    ("e1", "2026-03-31T23:00:00Z", "accepted"),
    ("e1", "2026-04-01T00:00:00Z", WAITS),
    ("later", "2026-03-01T00:00:00Z", WAITS),
    ("itself", "2026-03-01T00:00:00Z", WAITS),
];

on_each_store!(the_sender_of_an_amendment_hears_at_once_that_its_target_is_not_there);
async fn the_sender_of_an_amendment_hears_at_once_that_its_target_is_not_there(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    assert_eq!(send(&server, &key, event("e1", 10, "")).await, "accepted");
    for verb in ["amends", "withdraws"] {
        for (place, (target, time, expected)) in AIMED.iter().enumerate() {
            let id = if *target == "itself" { *target } else { &format!("{verb}{place}") };
            let event = json!({
                "source": "gate", "id": id, "time": time, "meter": "calls", "quantity": 3,
                "subscription": "5b0d1e9a-0000-4000-8000-000000000001",
                verb: { "id": target, "actor": "gate", "reason": "a test" },
            });
            let verdict = send(&server, &key, event.to_string()).await;
            let is_again = *target == "itself" && verb == "withdraws";
            let expected = if is_again { "conflict" } else { expected };
            assert_eq!(verdict, expected, "{verb} {target} {time}");
        }
    }
    // What was waited for counts, by the last that named it: withdrawn. So is e1.
    assert_eq!(send(&server, &key, event("later", 10, "")).await, "accepted");
    assert_eq!(charges(&server, &token, &["meter"]).await, Vec::<Value>::new());
    server.stop();
}

on_each_store!(nothing_is_amended_without_a_reason);
async fn nothing_is_amended_without_a_reason(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let asked = |reason: Value| {
        let mut asked = json!({ "billing_account": "acme", "source": "gate", "id": "e1" });
        if !reason.is_null() {
            asked["reason"] = reason;
        }
        asked
    };
    let (status, answer) = ask(&server, &token, "/usage/withdraw", &asked(" ".into())).await;
    assert_eq!((status, answer["error"]["message"].as_str()), (400, Some("reason: must say why")));
    let (status, answer) = ask(&server, &token, "/usage/withdraw", &asked(Value::Null)).await;
    let message = answer["error"]["message"].as_str();
    assert_eq!((status, message), (400, Some("reason: must be there")));
    server.stop();
}

on_each_store!(the_command_line_amends_withdraws_and_settles);
async fn the_command_line_amends_withdraws_and_settles(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    for (id, quantity, verdict) in [
        ("e1", 10, "accepted"),
        ("e2", 10, "accepted"),
        ("e3", 10, "accepted"),
        ("e3", 7, "conflict"),
        ("e3", 8, "conflict"),
    ] {
        assert_eq!(send(&server, &key, event(id, quantity, "")).await, verdict);
    }
    server.stop();
    let total = || {
        let rows = installation.query("meter");
        rows[0]["quantity"].as_str().expect("a quantity").to_owned()
    };
    let acme = ["--billing-account", "acme"];
    let run = |arguments: &[&str]| installation.run(&[arguments, &acme].concat());
    assert_eq!(total(), "30");
    let amend = ["amend", "gate/e1", "--quantity", "-2.5", "--reason", "wrong", "--as", "a1"];
    for _ in 0..2 {
        assert_eq!(run(&amend), "a1\n");
        assert_eq!(total(), "17.5");
    }
    run(&["withdraw", "gate/e2", "--reason", "a test call"]);
    assert_eq!(total(), "7.5");
    let list = "gate/e3: first at 0:2, other at 0:3 with quantity 7; the first counts\n\
                gate/e3: first at 0:2, other at 0:4 with quantity 8; the first counts\n";
    assert_eq!(run(&["conflicts"]), list);
    for (choose, expected) in [("0:4", "5.5"), ("0:3", "4.5"), ("first", "7.5")] {
        run(&["conflicts", "--settle", "gate/e3", "--choose", choose, "--reason", "asked them"]);
        assert_eq!(total(), expected, "{choose}");
    }
    let json: Value = serde_json::from_str(&run(&["conflicts", "--json"])).expect("JSON");
    assert_eq!(json[1]["other_record"]["quantity"], "8");
    assert_eq!(json[1]["chosen"]["sequence"], 2);
}
