//! The audit log: every change and every refused sign-in, with who, what, why and the request's id.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop, text};
use crate::program::Server;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const OPERATOR: &str = "9d1f0a00-0000-4000-8000-000000000001";

fn event(id: &str, quantity: &str, more: &str) -> String {
    format!(
        r#"{{"source":"gate","id":"{id}","time":"2026-03-01T10:00:00Z","meter":"calls",
            "subscription":"5b0d1e9a-0000-4000-8000-000000000001","quantity":{quantity}{more}}}"#
    )
}

/// Actor, action, target, reason, outcome; ids of keys are not told.
fn shown(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().expect(name).to_owned();
    let target = match text("target").strip_prefix("API key ") {
        Some(rest) => match rest.split_once(" of ") {
            Some((_, holder)) => format!("API key of {holder}"),
            None => "API key".to_owned(),
        },
        None => text("target"),
    };
    let actor = text("actor");
    let actor =
        actor.split_once(" (key ").map_or(actor.clone(), |(holder, _)| format!("{holder}'s key"));
    format!("{actor} | {} | {target} | {} | {}", text("action"), text("reason"), text("outcome"))
}

/// What is asked (see [`Asker::request`]), the status, and the entry that it makes; none for what
/// changes nothing. `…` stands for anything.
type Fact = (&'static str, u16, &'static str);

const FACTS: &[Fact] = &[
    // Usage is no change of the operator's: it stands in the usage log, not here.
    ("send e1 1", 200, ""),
    ("send e1 5", 200, ""),
    ("send e2 1", 200, ""),
    (
        "send a1 2 amends e1",
        200,
        "sender's key | usage.amend | usage of acme/gate | e1 (meter: drift) | done",
    ),
    ("send a1 2 amends e1", 200, ""),
    (
        "send w1 1 withdraws e2",
        200,
        "sender's key | usage.withdraw | usage of acme/gate | e2 (meter: drift) | done",
    ),
    (
        "settle",
        204,
        "{operator} | conflict.settle | usage record acme/gate/e1: 0:2 counts (facts 11 to 11) | \
         asked them | done",
    ),
    (
        "withdraw e1",
        200,
        "{operator} | usage.withdraw | usage of acme/gate | e1 ({operator}: no such call) | done",
    ),
    ("withdraw e9", 404, ""),
    ("replay", 200, "{operator} | quarantine.replay | installation | replay | done"),
    (
        "make a key",
        201,
        "{operator} | key.make | API key of p | usage:send for acme, until … | done",
    ),
    ("revoke a key", 204, "{operator} | key.revoke | API key | revoke the key | done"),
    (
        "sign in as {operator}",
        401,
        "nobody | sign_in | client {operator} | the client is unknown or its secret is wrong | \
         refused",
    ),
    (
        "sign in as mallory%0A1",
        401,
        "nobody | sign_in | an unknown client | the client is unknown or its secret is wrong | \
         refused",
    ),
    (
        "ask with not.a.token",
        401,
        "nobody | sign_in | bearer credential | the credential is malformed | refused",
    ),
    ("ask with rk_live_none", 401, "nobody | sign_in | bearer credential | … | refused"),
    (
        "ask as {operator} by password",
        401,
        "nobody | sign_in | client {operator} | a token or an API key is needed here | refused",
    ),
    (
        "ask by session",
        401,
        "nobody | sign_in | session | a token or an API key is needed here | refused",
    ),
    ("ask with nothing", 401, ""),
    ("ask with the sender's key", 403, ""),
];

/// A running server, and who asks it.
struct Asker {
    server: Server,
    operator: String,
    /// The operator's own secret.
    secret: String,
    sender: String,
}

impl Asker {
    async fn request(&self, what: &str) -> RequestBuilder {
        let words: Vec<&str> = what.split(' ').collect();
        match words.as_slice() {
            ["send", id, quantity] => self.send(event(id, quantity, "")),
            ["send", id, quantity, verb, target] => {
                let more =
                    format!(r#","{verb}":{{"id":"{target}","actor":"meter","reason":"drift"}}"#);
                self.send(event(id, quantity, &more))
            }
            ["settle"] => {
                let listed = self.listed("/conflicts?billing_account=acme").await;
                let conflict = &listed["conflicts"][0];
                let (first, chosen) = (&conflict["first"], &conflict["other"]);
                let settled = json!({ "billing_account": "acme", "first": first,
                    "chosen": chosen, "reason": "asked them" });
                self.operate("/conflicts/settle", settled)
            }
            ["withdraw", id] => {
                let named = json!({ "billing_account": "acme", "source": "gate", "id": id,
                    "reason": "no such call" });
                self.operate("/usage/withdraw", named)
            }
            ["replay"] => self.operate("/quarantine/replay", json!({})),
            ["make", ..] => {
                let wanted = json!({ "principal": "p", "actions": ["usage:send"],
                    "billing_accounts": ["acme"] });
                self.operate("/keys", wanted)
            }
            ["revoke", ..] => {
                let listed = self.listed("/keys").await;
                let keys = listed["keys"].as_array().expect("keys");
                let key = keys.iter().find(|key| key["principal"] == "p").expect("a key");
                let id = key["key_id"].as_str().expect("an id");
                self.operate(&format!("/keys/{id}/revoke"), json!({}))
            }
            ["sign", "in", "as", client] => self.sign_in(client),
            ["ask", "with", "nothing"] => self.server.client.get(self.url("/keys")),
            ["ask", "with", "the", ..] => {
                self.server.client.get(self.url("/keys")).bearer_auth(&self.sender)
            }
            ["ask", "as", client, "by", "password"] => {
                let given = self.server.client.get(self.url("/keys"));
                given.basic_auth(client, Some(&self.secret))
            }
            ["ask", "by", "session"] => {
                let given = self.server.client.get(self.url("/keys"));
                given.header("authorization", "IBSSO 2f1d6b52-0000-4000-8000-000000000001")
            }
            ["ask", "with", credential] => {
                self.server.client.get(self.url("/keys")).bearer_auth(credential)
            }
            _ => panic!("nobody knows how to {what}"),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.told("admin.url"))
    }

    fn operate(&self, path: &str, body: Value) -> RequestBuilder {
        self.server.client.post(self.url(path)).bearer_auth(&self.operator).json(&body)
    }

    fn send(&self, event: String) -> RequestBuilder {
        let url = format!("{}/intake/v1/events", self.server.told("base_url"));
        let request = self.server.client.post(url).bearer_auth(&self.sender);
        request.header("content-type", "application/json").body(event)
    }

    fn sign_in(&self, client: &str) -> RequestBuilder {
        let tenant = self.server.told("tenant_id");
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.server.told("base_url"));
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret=wrong\
             &scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
        );
        let kind = "application/x-www-form-urlencoded";
        self.server.client.post(url).header("content-type", kind).body(form)
    }

    async fn listed(&self, path: &str) -> Value {
        let request = self.server.client.get(self.url(path)).bearer_auth(&self.operator);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    /// All entries of the audit log, oldest first.
    async fn entries(&self) -> Vec<Value> {
        let listed = self.listed("/audit").await;
        listed["entries"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
    }
}

/// Imports a file, makes a sender's key and, of books in SQLite, a backup (PostgreSQL has its own);
/// gives the key and where the backup is.
fn prepare(installation: &Installation, books: Books) -> (String, Option<String>) {
    let csv = "subscription,meter,quantity,start\n\
               5b0d1e9a-0000-4000-8000-000000000001,calls,3,2026-02-01\n";
    let columns = ["subscription", "meter", "quantity", "start"];
    let mapping: String = columns.iter().map(|name| format!("{name} = \"{name}\"\n")).collect();
    let mapping = installation.file("mapping.toml", &format!("[columns]\n{mapping}"));
    let usage = installation.file("usage.csv", csv);
    installation.import(&usage, &["--source", "gate", "--mapping", text(&mapping)]);
    let key = installation.key("gate");
    if matches!(books, Books::Postgres) {
        return (key, None);
    }
    let backup = installation.data().with_file_name("backup");
    installation.run(&["backup", text(&backup)]);
    (key, Some(text(&backup).to_owned()))
}

/// An entry without the instant at which a key ends.
fn without_end(told: String) -> String {
    match told.split_once(", until ").and_then(|(head, end)| Some((head, end.split_once(" | ")?))) {
        Some((head, (_, tail))) => format!("{head}, until … | {tail}"),
        None => told,
    }
}

/// What commands leave behind, each with an id of its own.
fn check_commands(entries: &[Value], backup: Option<String>) {
    let told: Vec<String> = entries.iter().map(shown).map(without_end).collect();
    let mut expected = vec![
        format!(
            "machine | company.apply | tenant `tenant`, billing_account `acme`, offer `METERED`, \
             meter `calls`, price_list `card`, subscription \
             `5b0d1e9a-0000-4000-8000-000000000001`, source `gate`, client `{OPERATOR}`, \
             role_assignment `{OPERATOR}/Administrator/installation` (facts 1 to 9) | apply | done"
        ),
        "machine | usage.import | usage of acme/gate, days 2026-02-01 to 2026-02-02 \
         (facts 10 to 10) | import usage.csv | done"
            .to_owned(),
        "machine | key.make | API key of sender | usage:send for acme as gate, until … | done"
            .to_owned(),
    ];
    expected.extend(backup.map(|to| format!("machine | backup | installation | {to} | done")));
    assert_eq!(told, expected);
    let ids = entries.iter().filter_map(|entry| entry["request_id"].as_str());
    let ids: BTreeSet<&str> = ids.filter(|id| uuid::Uuid::parse_str(id).is_ok()).collect();
    assert_eq!(ids.len(), entries.len());
}

on_each_store!(every_change_and_every_refused_sign_in_is_there);
async fn every_change_and_every_refused_sign_in_is_there(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let (sender, backup) = prepare(&installation, books);
    let server = installation.serve(&[]);
    let operator = installation.token(&server).await;
    let secret = installation.operator().1.to_owned();
    let asker = Asker { server, operator, secret, sender };
    let mut before = asker.entries().await;
    check_commands(&before, backup);
    for (what, status, expected) in FACTS {
        let what = what.replace("{operator}", OPERATOR);
        let answer = asker.request(&what).await.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), *status, "{what}");
        let id = answer.headers()["x-ms-request-id"].to_str().expect("text").to_owned();
        let after = asker.entries().await;
        let new = after.get(before.len()..).expect("nothing is taken out");
        assert_eq!(after[..before.len()], before, "{what}: nothing is changed");
        let told: Vec<String> = new.iter().map(shown).collect();
        let expected = expected.replace("{operator}", OPERATOR);
        let matches = match (told.as_slice(), expected.split_once('…')) {
            ([], None) => expected.is_empty(),
            ([one], None) => *one == expected,
            ([one], Some((head, tail))) => one.starts_with(head) && one.ends_with(tail),
            _ => false,
        };
        assert!(matches, "{what}: {told:?}\nexpected {expected}");
        assert!(new.iter().all(|entry| entry["request_id"] == id.as_str()), "{what}: {new:?}");
        before = after;
    }
    asker.server.stop();
}
