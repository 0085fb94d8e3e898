//! The audit log: each change has one entry, which names who, what, why and the request.

use crate::books::{Books, on_each_store};
use crate::installation::{Installation, text};
use crate::program::Server;
use crate::{described, in_process};
use serde_json::{Value, json};

const SOURCE: &str = r#"
[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

/// Who, what was done, to what and why; `*` stands for anything.
type Entry = (&'static str, &'static str, &'static str, &'static str);

const OPERATOR: &str = "9d1f0a00-0000-4000-8000-000000000001";

const ENTRIES: &[Entry] = &[
    (
        "machine",
        "company.apply",
        "tenant `tenant`, billing_account `acme`, offer `MS-AZR-0003P`, meter `hours`, \
         price_list `card`, subscription `shop`, source `gate`, client `{operator}`, \
         role_assignment `{operator}/Administrator/installation` (facts 1 to 9)",
        "apply",
    ),
    ("machine", "key.make", "API key * of sender", "usage:send for acme as gate, until *"),
    (
        "{operator}",
        "key.make",
        "API key * of gate 7",
        "the new gate; usage:send for acme as gate, until *",
    ),
    ("{operator}", "key.revoke", "API key *", "revoke the key"),
    ("sender (key *", "usage.report_until", "usage of acme/gate", "until 2026-03-05T00:00:00Z"),
    (
        "{operator}",
        "conflict.settle",
        "usage record acme/gate/e1: 0:1 counts (facts 10 to 10)",
        "the meter was read again",
    ),
    ("{operator}", "usage.seal", "installation", "seal all usage"),
    (
        "machine",
        "company.apply",
        "role_assignment `guest/Reader/subscription/shop` (facts 11 to 11)",
        "apply",
    ),
    (
        "machine",
        "usage.import",
        "usage of acme/gate, days 2026-03-01 to 2026-03-02 (facts 12 to 12)",
        "import usage.csv",
    ),
];

/// Whether a text is as expected: equal, or equal around one `*`.
fn is_as(expected: &str, found: &str) -> bool {
    let expected = expected.replace("{operator}", OPERATOR);
    match expected.split_once('*') {
        None => expected == found,
        Some((before, after)) => {
            let fits = found.len() >= before.len() + after.len();
            fits && found.starts_with(before) && found.ends_with(after)
        }
    }
}

/// An installation's operator, over HTTP.
struct Operator {
    server: Server,
    token: String,
}

impl Operator {
    async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.server.told("base_url"));
        let request = self.server.client.post(url).bearer_auth(token).json(body);
        let answer = request.send().await.expect("an answer");
        described::checked("POST", answer).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.server.get(path, Some(&self.token)).send().await.expect("an answer");
        described::checked("GET", answer).await.1
    }
}

fn event(quantity: &str) -> Value {
    json!({
        "id": "e1", "source": "gate", "subscription": "shop", "meter": "hours",
        "quantity": quantity, "start": "2026-03-01T10:00:00Z",
    })
}

async fn every_change_has_one_entry_that_names_it(books: Books) {
    let installation = Installation::new(books, "USD", &[in_process::SHOP, SOURCE].concat());
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let operator = Operator { server, token };
    let token = &operator.token;

    let wanted = json!({
        "principal": "gate 7", "actions": ["usage:send"], "billing_accounts": ["acme"],
        "sources": ["gate"], "lifetime_s": 1000, "reason": "the new gate",
    });
    let (status, made) = operator.post("/admin/v1/keys", token, &wanted).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/admin/v1/keys/{}/revoke", made["key_id"].as_str().expect("an id"));
    assert_eq!(operator.post(&path, token, &Value::Null).await.0, 204);
    let until = json!({ "until": "2026-03-05T00:00:00Z" });
    let path = "/intake/v1/sources/gate/reportedUntil";
    assert_eq!(operator.post(path, &key, &until).await.0, 204);
    for quantity in ["1", "2"] {
        assert_eq!(operator.post("/intake/v1/events", &key, &event(quantity)).await.0, 200);
    }
    let listed = operator.get("/admin/v1/conflicts?billing_account=acme").await;
    let conflict = &listed["conflicts"][0];
    let settled = json!({
        "billing_account": "acme", "first": conflict["first"], "chosen": conflict["other"],
        "reason": "the meter was read again",
    });
    let (status, told) = operator.post("/admin/v1/conflicts/settle", token, &settled).await;
    assert_eq!(status, 204, "{told} of {listed}");
    assert_eq!(operator.post("/admin/v1/operations/seal", token, &Value::Null).await.0, 204);
    // What is refused changes nothing, and leaves no entry here.
    let never = json!({ "until": "9999-12-31T00:00:00Z" });
    assert_eq!(operator.post(path, &key, &never).await.0, 400);
    assert_eq!(operator.post("/admin/v1/operations/seal", &key, &Value::Null).await.0, 403);
    let Operator { server, .. } = operator;
    server.stop();

    let guest = "[[role_assignment]]\nprincipal = \"guest\"\nrole = \"Reader\"\n";
    installation.declare("guest.toml", &format!("{guest}scope = {{ subscription = \"shop\" }}\n"));
    installation.apply();
    let mapping = installation.file(
        "mapping.toml",
        "[columns]\nsubscription = \"Who\"\nmeter = \"What\"\nquantity = \"Many\"\n\
         start = \"When\"\n[constants]\nunit = \"Hours\"\ncurrency = \"USD\"\n",
    );
    let rows = "Who,What,Many,When\nshop,hours,2,2026-03-01T10:00:00Z\n";
    let usage = installation.file("usage.csv", rows);
    installation.import(&usage, &["--source", "gate", "--mapping", text(&mapping)]);

    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    check(&Operator { server, token }, ENTRIES).await;
}

/// Compares the whole audit log with what is expected.
async fn check(operator: &Operator, expected: &[Entry]) {
    let log = operator.get("/admin/v1/audit?limit=1000").await;
    let entries = log["entries"].as_array().expect("entries");
    let word = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let mut wrong = Vec::new();
    for (entry, (actor, action, target, reason)) in entries.iter().zip(expected) {
        let named = [("actor", actor), ("action", action), ("target", target), ("reason", reason)];
        for (name, expected) in named {
            let found = word(entry, name);
            if !is_as(expected, &found) {
                wrong.push(format!("{name}: {found}, not {expected}"));
            }
        }
        if word(entry, "outcome") != "done"
            || uuid::Uuid::parse_str(&word(entry, "request_id")).is_err()
        {
            wrong.push(format!("outcome or request: {entry}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(entries.len(), expected.len(), "{log}");
}

on_each_store!(every_change_has_one_entry_that_names_it);

#[tokio::test(flavor = "multi_thread")]
async fn moving_the_business_clock_of_a_demo_has_an_entry() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::demo(&directory.path().join("data"), None, &[]);
    let token = server.told("clients.operator.token");
    let operator = Operator { server, token };
    let by = json!({ "seconds": 3600 });
    assert_eq!(operator.post("/admin/v1/demo/clock", &operator.token, &by).await.0, 204);
    let log = operator.get("/admin/v1/audit?action=clock.move").await;
    let entries = log["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 1, "{log}");
    let word = |name: &str| entries[0][name].as_str().expect(name);
    assert_eq!(word("target"), "business clock");
    assert!(word("reason").starts_with("3600 s forward from 2026-"), "{log}");
    assert_eq!(word("outcome"), "done");
    assert!(uuid::Uuid::parse_str(word("request_id")).is_ok(), "{log}");
    let Operator { server, .. } = operator;
    server.stop();
}
