//! `kill -9` at random moments while the books are written: what is done to them is there as a whole
//! or not at all, and once.
//!
//! `RECKONER_KILLS` says how often, `RECKONER_SEED` which moments.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use crate::kills::Sender;
use crate::program::{Server, from_environment, now};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

/// The business clock is the machine's: nothing is closed but by these tests.
const BY_HAND: [(&str, &str); 1] = [("RECKONER_CLOSE__BY_SCHEDULE", "false")];

/// What two payers use: subscription, hours, day.
const USED: [(&str, &str, &str); 5] = [
    ("shop", "7.7", "2025-03-01"),
    ("shop", "9.1", "2025-03-31"),
    ("store", "5", "2025-03-03"),
    ("shop", "1", "2025-04-02"),
    ("store", "3", "2025-04-03"),
];

/// What is done to the books of [`USED`], one after the other.
const LIFE: [&[&str]; 8] = [
    &["close", "2025-03"],
    &["pay", "acme", "9", "--id", "p1"],
    &["credit-note", "reck-1", "--line", "1=0.50", "--id", "n1", "--reason", "slow"],
    &["rebill", "reck-1", "--reason", "price"],
    &["void", "reck-2", "--reason", "mistake"],
    &["close", "2025-04"],
    &["refund", "acme", "1.50", "--id", "r1"],
    &["write-off", "reck-8", "--reason", "insolvent"],
];

/// Accounts that have used nothing: with them a close books more than once, as 64 accounts are
/// booked together. By their ids they stand between the two that have used something.
const IDLE: u64 = 150;

fn idle() -> String {
    let account = |nth: u64| {
        format!(
            "[[billing_account]]\nid = \"bulk-{nth:03}\"\nname = \"Bulk\"\ncurrency = \"USD\"\n\
             region = \"US\"\n"
        )
    };
    (0..IDLE).map(account).collect()
}

/// Two payers who have used something, and of whom nothing is booked yet.
async fn used(books: Books) -> Installation {
    let declared = [crate::closing::company(), idle()].concat();
    let installation = Installation::new(books, "USD", &declared);
    let own = ["key", "--principal", "sender", "--source", "gate"];
    let accounts = ["--billing-account", "acme", "--billing-account", "globex"];
    let key = installation.run(&[own.as_slice(), &accounts].concat()).trim().to_owned();
    let event = |(nth, (subscription, hours, day)): (usize, &(&str, &str, &str))| {
        let event = json!({
            "id": nth.to_string(),
            "source": "gate",
            "billing_account": if *subscription == "shop" { "acme" } else { "globex" },
            "subscription": subscription,
            "meter": "hours",
            "quantity": hours,
            "time": format!("{day}T10:00:00Z"),
        });
        event.to_string()
    };
    let body = USED.iter().enumerate().map(event).collect::<Vec<_>>().join("\n");
    let server = installation.serve(&BY_HAND);
    let url = format!("{}/intake/v1/events", server.told("http_url"));
    let sender = Sender { client: server.client.clone(), url, key };
    let verdicts = sender.send(body).await.expect("nobody kills it");
    assert_eq!(verdicts, ["accepted"; USED.len()]);
    server.stop();
    installation
}

/// Kills a command at a moment drawn from the time that it takes; tells whether it still ran.
async fn kill_command(
    installation: &Installation,
    (command, takes_ms): (&[&str], u64),
    rng: &mut ChaCha8Rng,
) -> bool {
    let mut child = installation.start(command, &[]);
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..=takes_ms))).await;
    let is_running = child.try_wait().expect("the process is ours").is_none();
    if is_running {
        child.kill().expect("the process is ours");
        child.wait().expect("the process is ours");
    }
    is_running
}

/// Kills a server that was asked to close; tells whether it had not answered yet.
async fn kill_closing_server(
    installation: &Installation,
    (period, takes_ms): (&str, u64),
    rng: &mut ChaCha8Rng,
) -> bool {
    let server = installation.serve(&BY_HAND);
    let token = installation.token(&server).await;
    let url = format!("{}/closes", server.told("admin.url"));
    let request = server.client.post(url).bearer_auth(token).json(&json!({ "period": period }));
    let asked = tokio::spawn(request.send());
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..=takes_ms))).await;
    let is_running = !asked.is_finished();
    server.kill();
    // An answer, or a connection that broke.
    let _ = asked.await.expect("no panic");
    is_running
}

/// What a server answers, but for when things were done and the heads that follow from that.
async fn got(server: &Server, token: &str, path: &str) -> Value {
    let url = format!("{}{path}", server.told("admin.url"));
    let answer = server.client.get(url).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    without_times(answer.json().await.expect("JSON"))
}

/// Where the months stand, what documents there are, and the ledgers: enough to tell what a command
/// of [`LIFE`] has booked.
async fn standing(installation: &Installation) -> Vec<Value> {
    let server = installation.serve(&BY_HAND);
    let token = installation.token(&server).await;
    let mut all = Vec::new();
    for path in [
        "/closes/2025-03",
        "/closes/2025-04",
        "/invoices?limit=500",
        "/ledger?billing_account=acme&limit=500",
        "/ledger?billing_account=globex&limit=500",
    ] {
        all.push(got(&server, &token, path).await);
    }
    server.stop();
    all
}

/// When a kill fell, by what stands in the books then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fell {
    /// Nothing was booked.
    Before,
    /// Some accounts were closed and others open, or all were closed and the month not sealed.
    Between,
    /// All was booked.
    After,
    /// The command had come to its end, or nothing was left to do: no kill.
    TooLate,
}

impl Fell {
    /// By what stood before the command ran, what stands after the kill, and what is to stand.
    fn of(stood: &[Value], stands: &[Value], expected: &[Value]) -> Fell {
        if stands == expected {
            Fell::After
        } else if stands == stood {
            Fell::Before
        } else {
            Fell::Between
        }
    }
}

/// Of one account a close has booked everything or nothing.
fn is_whole_or_not_at_all(before: &[Value], stands: &[Value], after: &[Value]) {
    let ledgers = before.iter().zip(stands).zip(after).rev().take(2);
    for ((before, stands), after) in ledgers {
        assert!(stands == before || stands == after, "{stands}");
    }
    for month in &stands[..2] {
        assert_eq!(month["parked"], 0, "{month}");
    }
}

/// All that is in the books, but for when it was done: invoices and notes, whose numbers have no
/// gap, and ledgers.
async fn booked(installation: &Installation) -> Vec<Value> {
    let server = installation.serve(&BY_HAND);
    let token = installation.token(&server).await;
    let get = async |path: String| got(&server, &token, &path).await;
    let listed = get("/invoices?limit=500".to_owned()).await;
    let listed = listed["invoices"].as_array().expect("a list").iter();
    let mut numbers: Vec<&str> =
        listed.map(|one| one["number"].as_str().expect("a number")).collect();
    numbers.sort_unstable();
    let expected: Vec<String> = (1..=numbers.len()).map(|nth| format!("reck-{nth:08}")).collect();
    assert_eq!(numbers, expected, "no gap");
    let mut all = Vec::new();
    for number in numbers {
        all.push(get(format!("/invoices/{number}")).await);
    }
    for payer in ["acme", "globex"] {
        all.push(get(format!("/ledger?billing_account={payer}&limit=500")).await);
    }
    server.stop();
    all
}

fn without_times(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let times = ["at", "issued_at", "overdue_from", "since", "head"];
            let is_time = |name: &str| times.contains(&name);
            let rest = members.into_iter().filter(|(name, _)| !is_time(name));
            Value::Object(rest.map(|(name, value)| (name, without_times(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_times).collect()),
        other => other,
    }
}

/// Nothing in the books is wrong, and the head that closing again tells is that of the chain.
fn verified(installation: &Installation) {
    let told = installation.run(&["close", "2025-04", "--json"]);
    let closing: Value = serde_json::from_str(&told).expect("JSON");
    let head = closing["head"].as_str().unwrap_or_else(|| panic!("{closing}"));
    let told = installation.run(&["verify", "--head", head]);
    assert!(told.contains("; 0 problems"), "{told}");
}

/// What the life of [`LIFE`] comes to when nobody disturbs it.
struct Undisturbed {
    /// How long each command takes.
    took_ms: Vec<u64>,
    /// What stands before the first command, and after each.
    standing: Vec<Vec<Value>>,
    booked: Vec<Value>,
}

impl Undisturbed {
    async fn live(books: Books) -> Undisturbed {
        let installation = used(books).await;
        let (mut took_ms, mut stood) = (Vec::new(), vec![standing(&installation).await]);
        for command in LIFE {
            let before = now();
            installation.run(command);
            took_ms.push(now().since(before).unsigned_abs() / 1_000);
            stood.push(standing(&installation).await);
        }
        let booked = booked(&installation).await;
        verified(&installation);
        Undisturbed { took_ms, standing: stood, booked }
    }

    /// Kills the command of a place in [`LIFE`], closes more than once; tells when each kill fell.
    async fn kill(
        &self,
        installation: &Installation,
        place: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Fell> {
        let (command, takes_ms) = (LIFE[place], self.took_ms[place]);
        let (before, after) = (&self.standing[place], &self.standing[place + 1]);
        let (mut stood, mut fell) = (before.clone(), Vec::new());
        let is_close = command[0] == "close";
        let times = if is_close { 3 } else { 1 };
        while fell.len() < times && stood != *after {
            let is_running = match command {
                ["close", period] if rng.random_range(0..2) == 0 => {
                    kill_closing_server(installation, (*period, takes_ms / 2), rng).await
                }
                _ => kill_command(installation, (command, takes_ms), rng).await,
            };
            let stands = standing(installation).await;
            is_whole_or_not_at_all(before, &stands, after);
            let when = Fell::of(&stood, &stands, after);
            assert!(is_close || when != Fell::Between, "half of {command:?}: {stands:?}");
            fell.push(if is_running { when } else { Fell::TooLate });
            stood = stands;
        }
        fell
    }
}

/// Heads tell when documents were issued, by the machine's clock: those of two lives differ. That
/// they are the same on a clock that the test sets is the matter of `histories`.
async fn what_is_done_to_the_books_is_done_once_or_not_at_all(books: Books) {
    let kills = (from_environment("RECKONER_KILLS", 25) / 10).max(3);
    let mut rng = ChaCha8Rng::seed_from_u64(from_environment("RECKONER_SEED", 1));
    let undisturbed = Undisturbed::live(books).await;
    let mut fell: BTreeMap<Fell, u64> = BTreeMap::new();
    let count = |fell: &BTreeMap<Fell, u64>, all: &[Fell]| -> u64 {
        all.iter().filter_map(|when| fell.get(when)).sum()
    };
    let has_shown = |fell: &BTreeMap<Fell, u64>| {
        count(fell, &[Fell::Before]) > 0 && count(fell, &[Fell::Between, Fell::After]) > 0
    };
    // When a kill falls nobody can say before: some more lives, if it was always at the same time.
    let is_enough = |fell: &BTreeMap<Fell, u64>| {
        let killed = count(fell, &[Fell::Before, Fell::Between, Fell::After, Fell::TooLate]);
        killed >= kills + 60 || (killed >= kills && has_shown(fell))
    };
    while !is_enough(&fell) {
        let installation = used(books).await;
        for (place, command) in LIFE.into_iter().enumerate() {
            for when in undisturbed.kill(&installation, place, &mut rng).await {
                *fell.entry(when).or_default() += 1;
            }
            installation.run(command);
        }
        assert_eq!(booked(&installation).await, undisturbed.booked);
        verified(&installation);
    }
    let told = format!("{books:?}: kills while books were written, by when they fell: {fell:?}");
    writeln!(std::io::stderr(), "{told}").expect("it takes text");
    // Else the test has shown nothing.
    assert!(has_shown(&fell), "kills fell at one time only: {fell:?}");
}

on_each_store!(what_is_done_to_the_books_is_done_once_or_not_at_all);
