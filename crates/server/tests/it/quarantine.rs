//! What waits in quarantine: why, since when it does not, and what a replay tells.

use crate::books::{Books, Schema, on_each_store};
use crate::described;
use crate::in_process::{self, declare};
use crate::installation::Installation;
use crate::program::Server;
use calendar::{Instant, SetClock};
use domain::access::Caller;
use domain::ids::{BillingAccountId, RecordId, SourceName};
use domain::usage::{QuarantineReason, RecordKey, UsageRecord, Verdict};
use reqwest::Method;
use serde_json::{Value, json};
use service::{
    AmendmentAsked, Change, Incoming, Reckoner, Replayed, StillWaiting, Unreadable, WaitingAsked,
};
use tempfile::TempDir;

const PARTIES: &str = r#"
[[billing_account]]
id = "acme"
name = "Acme"
currency = "USD"
region = "US"

[[billing_account]]
id = "globex"
name = "Globex"
currency = "USD"
region = "US"

[[offer]]
id = "metered"
name = "Metered"
has_rate_card = true

[[source]]
name = "gate"
billing_accounts = ["acme", "globex"]
"#;

const SUBSCRIPTION: &str = r#"
[[subscription]]
id = "5b0d1e9a-0000-4000-8000-000000000001"
name = "Shop"
placements = [{ billing_account = "acme", offer = "metered" }]
"#;

const METER: &str = r#"
[[meter]]
id = "calls"
name = "Calls"
category = "Voice"
unit = "Calls"
"#;

const PRICE: &str = r#"
[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "calls", model = { graduated = [{ from = "0", price = "0.1" }] } }]
"#;

/// An event of the source `gate` for `acme`.
fn event(id: &str, more: &str) -> String {
    format!(
        r#"{{"source":"gate","id":"{id}","time":"2026-03-01T10:00:00Z","billing_account":"acme",
            "subscription":"5b0d1e9a-0000-4000-8000-000000000001","meter":"calls","quantity":3{more}}}"#
    )
}

fn key(id: &str) -> RecordKey {
    RecordKey {
        billing_account: BillingAccountId::new("acme").expect("an id"),
        source: SourceName::new("gate").expect("a name"),
        id: RecordId::new(id).expect("an id"),
    }
}

fn record(id: &str) -> UsageRecord {
    intake::read_again(&key(id), &event(id, "")).expect("an event")
}

async fn take(reckoner: &Reckoner, incoming: Incoming) -> Verdict {
    let taken = reckoner.take_in(&Caller::Machine, vec![incoming]).await.expect("taken in");
    taken.into_iter().next().expect("a verdict").verdict
}

async fn replay(reckoner: &Reckoner) -> Replayed {
    let asked = WaitingAsked::default();
    reckoner.replay_quarantine(&Caller::Machine, &asked, "test").await.expect("replayed")
}

fn came_to(rated: u64, needless: u64, waiting: &[(QuarantineReason, &'static str)]) -> Replayed {
    let still = |(reason, field): &(QuarantineReason, &'static str)| StillWaiting {
        reason: *reason,
        field,
        records: 1,
    };
    Replayed { rated, needless, waiting: waiting.iter().map(still).collect() }
}

/// How many rows a record has, and why it has none.
async fn explained(
    reckoner: &Reckoner,
    id: &str,
) -> Result<(u64, Option<(QuarantineReason, &'static str)>), String> {
    let explanation = reckoner.explain_record(&Caller::Machine, &key(id)).await;
    let explanation = explanation.map_err(|error| error.to_string())?;
    Ok((explanation.row_count, explanation.waits.map(|waits| (waits.reason, waits.field))))
}

/// An installation that can be left and opened again, at noon of 2026-03-15.
struct Home {
    directory: TempDir,
    schema: Option<Schema>,
}

impl Home {
    fn new(books: Books) -> Home {
        Home { directory: tempfile::tempdir().expect("a directory"), schema: books.schema() }
    }

    async fn open(&self) -> Reckoner {
        let noon = SetClock::at(Instant::parse("2026-03-15T12:00:00Z").expect("a moment"));
        in_process::open(self.directory.path(), self.schema.as_ref(), &noon, |_| {}).await
    }

    /// Ends it in good order first.
    async fn reopen(&self, reckoner: Reckoner) -> Reckoner {
        reckoner.close().await.expect("closed");
        drop(reckoner);
        self.open().await
    }
}

/// A record waits for what is not declared; it is rated once that is declared, and told once.
async fn check(
    books: Books,
    (before, after): (&str, &str),
    waits: (QuarantineReason, &'static str),
    restart: bool,
) {
    let home = Home::new(books);
    let mut reckoner = home.open().await;
    declare(&reckoner, &[PARTIES, before].concat()).await;
    let (reason, field) = waits;
    let verdict = take(&reckoner, Incoming::Record(Box::new(record("e1")))).await;
    assert_eq!(verdict, Verdict::Quarantined { reason, field });
    assert_eq!(replay(&reckoner).await, came_to(0, 0, &[waits]));
    assert_eq!(explained(&reckoner, "e1").await, Ok((0, Some(waits))));
    if restart {
        reckoner = home.reopen(reckoner).await;
        assert_eq!(explained(&reckoner, "e1").await, Ok((0, Some(waits))));
    }
    declare(&reckoner, &[PARTIES, before, after].concat()).await;
    if restart {
        reckoner = home.reopen(reckoner).await;
    }
    assert_eq!(explained(&reckoner, "e1").await, Ok((1, None)));
    assert_eq!(replay(&reckoner).await, came_to(1, 0, &[]));
    if restart {
        reckoner = home.reopen(reckoner).await;
    }
    assert_eq!(replay(&reckoner).await, came_to(0, 0, &[]), "it is told once");
    reckoner.close().await.expect("closed");
}

on_each_store!(a_record_is_rated_once_what_it_lacked_is_declared);
async fn a_record_is_rated_once_what_it_lacked_is_declared(books: Books) {
    use QuarantineReason::{NoPrice, NoSubscription, UnknownMeter};
    for restart in [false, true] {
        let meter_and_price = [METER, PRICE].concat();
        check(books, (SUBSCRIPTION, &meter_and_price), (UnknownMeter, "meter"), restart).await;
        let (subscription_and_meter, none) = ([SUBSCRIPTION, METER].concat(), NoPrice);
        check(books, (&subscription_and_meter, PRICE), (none, "meter"), restart).await;
        let waits = (NoSubscription, "subscription");
        check(books, (&meter_and_price, SUBSCRIPTION), waits, restart).await;
    }
}

on_each_store!(what_was_withdrawn_meanwhile_has_nothing_to_rate);
async fn what_was_withdrawn_meanwhile_has_nothing_to_rate(books: Books) {
    let home = Home::new(books);
    let reckoner = home.open().await;
    declare(&reckoner, &[PARTIES, SUBSCRIPTION].concat()).await;
    for id in ["e1", "e2"] {
        take(&reckoner, Incoming::Record(Box::new(record(id)))).await;
    }
    let waits = (QuarantineReason::UnknownMeter, "meter");
    let both = StillWaiting { reason: waits.0, field: waits.1, records: 2 };
    assert_eq!(replay(&reckoner).await.waiting, [both]);
    let withdrawn = AmendmentAsked {
        target: key("e1"),
        id: None,
        change: Change::Withdraw,
        reason: "a test call".to_owned(),
    };
    reckoner.amend(&Caller::Machine, withdrawn, "test").await.expect("withdrawn");
    assert_eq!(replay(&reckoner).await, came_to(0, 1, &[waits]));
    declare(&reckoner, &[PARTIES, SUBSCRIPTION, METER, PRICE].concat()).await;
    assert_eq!(replay(&reckoner).await, came_to(1, 0, &[]));
}

/// A record that an earlier version could not read, kept as it came.
fn unreadable(id: &str, raw: String) -> Incoming {
    Incoming::Unreadable(Unreadable {
        key: key(id),
        used_at: Instant::parse("2026-04-02T00:00:00Z").expect("a moment"),
        reason: QuarantineReason::Unreadable,
        field: "dimensions".to_owned(),
        problem: "`network` is no dimension; use a tag".to_owned(),
        raw,
    })
}

on_each_store!(what_could_not_be_read_is_read_again_by_todays_rules);
async fn what_could_not_be_read_is_read_again_by_todays_rules(books: Books) {
    let home = Home::new(books);
    let reckoner = home.open().await;
    declare(&reckoner, &[PARTIES, SUBSCRIPTION].concat()).await;
    let readable_now = event("u1", r#","dimensions":{"network":"26201"}"#);
    take(&reckoner, unreadable("u1", readable_now)).await;
    take(&reckoner, unreadable("u2", event("u2", r#","colour":"red""#))).await;
    let waits = (QuarantineReason::Unreadable, "dimensions");
    let both = StillWaiting { reason: waits.0, field: waits.1, records: 2 };
    assert_eq!(replay(&reckoner).await.waiting, [both], "nobody said how to read");
    let why = "usage record `gate/u1`: waits in quarantine, because it cannot be read: dimensions: \
               `network` is no dimension; use a tag";
    assert_eq!(explained(&reckoner, "u1").await, Err(why.to_owned()));

    reckoner.read_again_with(intake::read_again);
    let lacks_meter = (QuarantineReason::UnknownMeter, "meter");
    assert_eq!(replay(&reckoner).await, came_to(0, 0, &[lacks_meter, waits]));
    assert_eq!(explained(&reckoner, "u1").await, Ok((0, Some(lacks_meter))));
    let account = BillingAccountId::new("acme").expect("an id");
    let conflicts = reckoner.conflicts(&Caller::Machine, &account).await.expect("conflicts");
    let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}") };
    assert_eq!(conflict.chosen, Some(conflict.other), "what was read stands for the key");

    declare(&reckoner, &[PARTIES, SUBSCRIPTION, METER, PRICE].concat()).await;
    assert_eq!(replay(&reckoner).await, came_to(1, 0, &[waits]));
    assert_eq!(explained(&reckoner, "u1").await, Ok((1, None)));
    take(&reckoner, unreadable("u3", event("u3", ""))).await;
    assert_eq!(replay(&reckoner).await, came_to(1, 0, &[waits]), "read and rated at once");
    let reckoner = home.reopen(reckoner).await;
    assert_eq!(explained(&reckoner, "u3").await, Ok((1, None)));
    assert_eq!(replay(&reckoner).await, came_to(0, 0, &[waits]));
}

on_each_store!(a_sender_can_mend_what_could_not_be_read_and_the_operator_chooses_it);
async fn a_sender_can_mend_what_could_not_be_read_and_the_operator_chooses_it(books: Books) {
    let home = Home::new(books);
    let reckoner = home.open().await;
    declare(&reckoner, &[PARTIES, SUBSCRIPTION, METER, PRICE].concat()).await;
    take(&reckoner, unreadable("u1", "{".to_owned())).await;
    // Twice unreadable, then as it should be: two conflicts of one key.
    assert_eq!(take(&reckoner, unreadable("u1", "[".to_owned())).await, Verdict::Conflict);
    let mended = Incoming::Record(Box::new(record("u1")));
    assert_eq!(take(&reckoner, mended).await, Verdict::Conflict);
    let account = BillingAccountId::new("acme").expect("an id");
    let conflicts = reckoner.conflicts(&Caller::Machine, &account).await.expect("conflicts");
    let readable: Vec<bool> = conflicts.iter().map(|one| one.record.is_some()).collect();
    assert_eq!(readable, [false, true]);
    let waits = (QuarantineReason::Unreadable, "dimensions");
    assert_eq!(replay(&reckoner).await, came_to(0, 0, &[waits]), "one record waits, the first");
    let choice = (conflicts[1].first, conflicts[1].other);
    reckoner
        .settle_conflict(&Caller::Machine, &account, choice, "sent anew", "test")
        .await
        .expect("settled");
    assert_eq!(replay(&reckoner).await.waiting, []);
    assert_eq!(explained(&reckoner, "u1").await, Ok((1, None)));
}

/// Asks the operator's API; gives status and body.
async fn ask(server: &Server, verb: Method, token: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", server.told("admin.url"));
    let request = server.client.request(verb.clone(), url).bearer_auth(token).json(&body);
    described::checked(verb.as_str(), request.send().await.expect("an answer")).await
}

/// An installation without any meter, with a record that waits for one, and a key that may settle
/// for `acme`, and one that may read what waits there.
async fn waiting(books: Books) -> (Installation, Server, String, String) {
    // The installation has its own `acme`.
    let (_, others) = PARTIES.split_at(PARTIES.rfind("[[billing_account]]").expect("globex"));
    let installation = Installation::new(books, "USD", &[others, SUBSCRIPTION].concat());
    assert_eq!(installation.run(&["quarantine", "--replay"]), "nothing waited, nothing waits\n");
    let sender = installation.key("gate");
    let key = |action: &str| {
        let own = ["key", "--principal", "clerk", "--billing-account", "acme"];
        installation.run(&[own.as_slice(), &["--action", action]].concat()).trim().to_owned()
    };
    let (reader, clerk) = (key("quarantine:read"), key("usage:settle"));
    let server = installation.serve(&[]);
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(&sender);
    let request = request.header("content-type", "application/json").body(event("e1", ""));
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    (installation, server, clerk, reader)
}

const NOTHING: &str = r#"200 {"needless":0,"rated":0,"reasons":[],"waiting":0}"#;
const ONE_WAITS: &str = r#"200 {"needless":0,"rated":0,"reasons":[{"field":"meter","reason":"unknown_meter","records":1}],"waiting":1}"#;
const ONE_RATED: &str = r#"200 {"needless":0,"rated":1,"reasons":[],"waiting":0}"#;

/// Who replays what, and the answer.
const REPLAYS: &[(&str, &str, &str)] = &[
    ("operator", "{}", ONE_WAITS),
    ("operator", r#"{"billing_account":"acme"}"#, ONE_WAITS),
    ("operator", r#"{"billing_account":"globex"}"#, NOTHING),
    ("operator", r#"{"reason":"unknown_meter"}"#, ONE_WAITS),
    ("operator", r#"{"reason":"no_price"}"#, NOTHING),
    ("clerk", r#"{"billing_account":"acme"}"#, ONE_WAITS),
    ("clerk", "{}", "403 forbidden: usage:settle is not allowed here"),
    (
        "clerk",
        r#"{"billing_account":"globex"}"#,
        "404 not_found: billing account `globex` does not exist",
    ),
    ("reader", r#"{"billing_account":"acme"}"#, "403 forbidden: usage:settle is not allowed here"),
    (
        "operator",
        r#"{"reason":"lazy"}"#,
        "400 invalid: reason: `lazy` is none of unknown_meter, no_price, no_subscription, \
         bad_quantity, unreadable, unknown_target, out_of_range",
    ),
];

/// Replays over HTTP; gives status and body, or what was refused.
async fn replayed(server: &Server, token: &str, asked: &str) -> String {
    let asked: Value = serde_json::from_str(asked).expect("JSON");
    let (status, body) = ask(server, Method::POST, token, "/quarantine/replay", asked).await;
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    match status {
        200 => format!("{status} {body}"),
        _ => format!("{status} {}: {}", text("code"), text("message")),
    }
}

on_each_store!(operators_list_and_replay_over_http);
async fn operators_list_and_replay_over_http(books: Books) {
    let (installation, server, clerk, reader) = waiting(books).await;
    let operator = installation.token(&server).await;
    for (who, asked, expected) in REPLAYS {
        let token = match *who {
            "clerk" => &clerk,
            "reader" => &reader,
            _ => &operator,
        };
        assert_eq!(replayed(&server, token, asked).await, *expected, "{who} {asked}");
    }
    for (reason, count) in [("unknown_meter", 1), ("no_price", 0)] {
        let list = format!("/quarantine?billing_account=acme&reason={reason}");
        let (status, list) = ask(&server, Method::GET, &reader, &list, Value::Null).await;
        assert_eq!((status, list["records"].as_array().map(Vec::len)), (200, Some(count)));
    }
    let record = "/explain/record?billing_account=acme&source=gate&id=e1";
    let (_, explained) = ask(&server, Method::GET, &operator, record, Value::Null).await;
    assert_eq!(explained["waits"], json!({ "reason": "unknown_meter", "field": "meter" }));
    server.stop();
    declare_meter(&installation);
    let server = installation.serve(&[]);
    let operator = installation.token(&server).await;
    for expected in [ONE_RATED, NOTHING] {
        assert_eq!(replayed(&server, &operator, "{}").await, expected);
    }
    server.stop();
}

fn declare_meter(installation: &Installation) {
    let file = installation.data().with_file_name("company").join("prices.toml");
    std::fs::write(file, [METER, PRICE].concat()).expect("a company file");
    installation.apply();
}

on_each_store!(operators_list_and_replay_on_the_command_line);
async fn operators_list_and_replay_on_the_command_line(books: Books) {
    let (installation, server, _, _) = waiting(books).await;
    server.stop();
    let replay = || installation.run(&["quarantine", "--replay"]);
    let waits =
        "0 rated now, 0 have nothing to rate any more, 1 wait\n  1 wait: unknown_meter (meter)\n";
    assert_eq!(replay(), waits);
    assert!(installation.quarantine().contains("acme/gate/e1: unknown_meter (meter)"));
    let explain = ["explain", "--billing-account", "acme", "--record", "gate/e1"];
    let told = installation.run(&explain);
    assert!(told.contains("it waits in quarantine: unknown_meter (meter)"), "{told}");
    declare_meter(&installation);
    assert_eq!(replay(), "1 rated now, 0 have nothing to rate any more, 0 wait\n");
    assert_eq!(replay(), "nothing waited, nothing waits\n");
    assert_eq!(installation.quarantine(), "");
    let json = installation.run(&["quarantine", "--replay", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json, json!({ "rated": 0, "needless": 0, "waiting": 0, "reasons": [] }));
}
