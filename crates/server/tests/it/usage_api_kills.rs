//! `kill -9` at random moments while usage is asked for, answered and delivered to receivers that
//! fail, hang, redirect, trickle or lie: every query that was taken is delivered or given up with
//! its reason, and at each try with the same bytes under the same id.
//!
//! `RECKONER_QUERIES` says how many are asked, `RECKONER_QUERY_KILLS` how often the program is
//! killed, `RECKONER_SEED` at which moments and how receivers behave.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use crate::program::{Server, from_environment};
use crate::usage_api_asking::{Asking, QUERY, made_key, query, word};
use crate::usage_api_company::{SETTINGS, events, installation, months, send};
use crate::usage_api_receivers::{Manner, Receiver};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::task::JoinSet;

/// Receivers that queries are spread over.
const RECEIVERS: usize = 12;
/// Who asks at once.
const ASKERS: usize = 4;
/// Results of one owner that are sent at once: half of all.
const AT_ONCE: usize = 48;

/// Tries of one result.
const TRIES: usize = 4;

/// Tries come at once, and each has little time; there are [`TRIES`].
const HURRIED: [(&str, &str); 7] = [
    ("RECKONER_CALLBACKS__PAUSES_SECONDS", "[0, 0, 0, 0]"),
    ("RECKONER_CALLBACKS__TIMEOUT_SECONDS", "1"),
    ("RECKONER_CALLBACKS__PER_RECEIVER", "8"),
    ("RECKONER_CALLBACKS__AT_ONCE", "96"),
    ("RECKONER_LIMITS__USAGE_QUERIES", "1000000"),
    ("RECKONER_LIMITS__USAGE_RESULTS", "1000000"),
    ("RECKONER_LIMITS__TAIL_RECORDS", "100"),
];

/// What receivers do, and how many of a hundred do it; the others take what comes.
const MANNERS: [(Manner, u32); 9] = [
    (Manner::Answers(500), 12),
    (Manner::Asks(503, 1), 4),
    (Manner::Answers(410), 2),
    (Manner::Mute, 6),
    (Manner::Slams, 6),
    (Manner::Redirects, 6),
    (Manner::Babbles, 6),
    (Manner::Hangs, 3),
    (Manner::Trickles, 3),
];

fn manner(rng: &mut ChaCha8Rng) -> Manner {
    let mut left: u32 = rng.random_range(0..100);
    for (manner, share) in MANNERS {
        match left.checked_sub(share) {
            None => return manner,
            Some(rest) => left = rest,
        }
    }
    match rng.random_range(0..20) {
        0 => Manner::Lies,
        1 => Manner::Answers(204),
        _ => Manner::Takes,
    }
}

/// A query: its number, who receives it, and how that goes.
#[derive(Debug, Clone)]
struct Plan {
    nth: u64,
    receiver: usize,
    manners: Vec<Manner>,
    columns: &'static [&'static str],
}

const COLUMNS: [&[&str]; 5] = [
    &["MONTH"],
    &["DAY", "ACCOUNT_KEY"],
    &["COUNTRY_CODE", "NETWORK_NAME", "SENDER"],
    &["CAMPAIGN_REFERENCE", "TEMPLATE_ID"],
    &["DAY", "APPLICATION_ID", "ENTITY_ID", "TRAFFIC_TYPE", "DIRECTION", "USER_NAME"],
];

impl Plan {
    fn new(nth: u64, rng: &mut ChaCha8Rng) -> Plan {
        let tries = rng.random_range(1..=4);
        Plan {
            nth,
            receiver: rng.random_range(0..RECEIVERS),
            manners: (0..tries).map(|_| manner(rng)).collect(),
            columns: COLUMNS[rng.random_range(0..COLUMNS.len())],
        }
    }

    fn name(&self) -> String {
        format!("q{:06}", self.nth)
    }
}

/// What was asked so far.
#[derive(Default)]
struct Book {
    planned: u64,
    /// Plans without an answer: the program was killed under them, and they are asked again.
    again: Vec<Plan>,
    taken: BTreeMap<String, Plan>,
}

/// A test of kills under way.
struct Kills {
    installation: Installation,
    key: String,
    receivers: Vec<Receiver>,
    book: Arc<Mutex<Book>>,
    rng: ChaCha8Rng,
    queries: u64,
}

impl Kills {
    async fn new(books: Books, queries: u64, seed: u64) -> Kills {
        let installation = installation(books);
        let gate = installation.key("gate");
        let server = installation.serve(&SETTINGS);
        send(&server, &gate, &events(seed, 300)).await;
        let operator = installation.token(&server).await;
        let key = made_key(&server, &operator, &["charges:read"], &[]).await;
        server.stop();
        let mut receivers = Vec::new();
        for _ in 0..RECEIVERS {
            receivers.push(Receiver::new().await);
        }
        let (book, rng) = (Arc::default(), ChaCha8Rng::seed_from_u64(seed));
        Kills { installation, key, receivers, book, rng, queries }
    }

    fn serve(&self) -> Server {
        self.installation.serve(&[SETTINGS.as_slice(), &HURRIED].concat())
    }

    /// The next query that is to be asked, while there are any before a number.
    fn next(&mut self, until: u64) -> Option<Plan> {
        let mut book = self.book.lock().expect("no panic");
        if let Some(plan) = book.again.pop() {
            return Some(plan);
        }
        if book.planned >= until {
            return None;
        }
        book.planned += 1;
        Some(Plan::new(book.planned, &mut self.rng))
    }

    /// Asks for some queries at once, up to a number; each that is taken is written down.
    fn ask(&mut self, server: &Server, until: u64) -> JoinSet<()> {
        let mut asking = JoinSet::new();
        let mut plans: Vec<Vec<Plan>> = (0..ASKERS).map(|_| Vec::new()).collect();
        let mut turn = 0;
        while let Some(plan) = self.next(until) {
            plans[turn].push(plan);
            turn = (turn + 1) % plans.len();
        }
        let [first, _, last] = months();
        let (since, until) = (first.start().day().to_string(), last.end().day().to_string());
        for plans in plans {
            let url = format!("{}{QUERY}", server.told("base_url"));
            let (client, credential) = (server.client.clone(), format!("App {}", self.key));
            let receivers = self.receivers.clone();
            let (book, since, until) = (Arc::clone(&self.book), since.clone(), until.clone());
            asking.spawn(async move {
                for plan in plans {
                    let address = receivers[plan.receiver].url(&plan.name(), &plan.manners);
                    let query = query(&address, (&since, &until), plan.columns);
                    let request = client.post(&url).header("authorization", &credential);
                    let id = taken(request.json(&query)).await;
                    let mut book = book.lock().expect("no panic");
                    match id {
                        Some(id) => drop(book.taken.insert(id, plan)),
                        None => book.again.push(plan),
                    }
                }
            });
        }
        asking
    }

    /// Whether the program has something to do that it was killed at.
    async fn is_behind(&self, server: &Server) -> bool {
        let asking = Asking::with_key(server, &self.key);
        let path = format!("{QUERY}?limit=100");
        let (status, told) = asking.ask(Method::GET, &path, None).await;
        assert_eq!(status, 200, "{told}");
        let all = told["queries"].as_array().unwrap_or_else(|| panic!("{told}"));
        all.iter().any(|one| {
            matches!(word(one, "/status"), "QUEUED" | "RUNNING")
                || word(one, "/callback/status") == "PENDING"
        })
    }

    /// Waits until nothing that was taken is owed any more; checks each, gives how many were
    /// delivered.
    async fn settle(&self, server: &Server) -> u64 {
        let asking = Asking::with_key(server, &self.key);
        let secret = asking.secret().await;
        let taken = self.book.lock().expect("no panic").taken.clone();
        let mut delivered = 0;
        for (id, plan) in &taken {
            let told = asking.settled(id).await;
            assert_eq!(word(&told, "/status"), "SUCCESS", "{plan:?}: {told}");
            let fate = word(&told, "/callback/status").to_owned();
            assert!(matches!(fate.as_str(), "DELIVERED" | "DEAD"), "{plan:?}: {told}");
            assert!(!word(&told, "/callback/outcome").is_empty(), "{plan:?}: {told}");
            delivered += u64::from(fate == "DELIVERED");
            if fate == "DEAD" {
                self.check_dead(plan, &told);
            }
            self.check(&asking, (id, plan), (&fate, &secret)).await;
        }
        delivered
    }

    /// Nothing is given up early: each try of the schedule was made, or the receiver wants no more.
    fn check_dead(&self, plan: &Plan, told: &Value) {
        let outcome = word(told, "/callback/outcome");
        if outcome.contains("wants no more") {
            let calls = self.receivers[plan.receiver].calls(&plan.name(), &plan.manners);
            let is_gone = calls.iter().any(|call| call.manner == Manner::Answers(410));
            assert!(is_gone, "{plan:?}: nobody said so: {told}");
            return;
        }
        let given_up = format!("given up after {TRIES} tries");
        assert!(outcome.starts_with(&given_up), "{plan:?}: given up early: {told}");
        assert_eq!(told["callback"]["tries"], json!(TRIES), "{plan:?}: {told}");
    }

    /// What the receiver of a query has seen of it.
    async fn check(&self, asking: &Asking<'_>, (id, plan): (&str, &Plan), told: (&str, &str)) {
        let (fate, secret) = told;
        // A query whose answer was lost with the program was asked again, and may have come twice.
        let calls = self.receivers[plan.receiver].calls(&plan.name(), &plan.manners);
        let is_own = |body: &[u8]| -> bool {
            let body: Option<Value> = serde_json::from_slice(body).ok();
            body.is_some_and(|body| body["requestId"] == id)
        };
        let read = calls.iter().filter(|call| call.manner != Manner::Slams);
        let own: Vec<_> = read.filter(|call| is_own(&call.body)).collect();
        let (_, result) = asking.result(id).await;
        for call in &own {
            assert_eq!(call.header("webhook-id"), own[0].header("webhook-id"), "{plan:?}");
            assert!(call.body == result, "{plan:?}: other bytes");
            call.check_signed(secret);
        }
        let is_taken = own.iter().any(|call| call.manner.is_taken());
        if fate == "DELIVERED" {
            assert!(is_taken, "{plan:?}: delivered to nobody");
        }
    }
}

/// The id of a query that is taken; none where the program went away before it said so.
async fn taken(request: reqwest::RequestBuilder) -> Option<String> {
    let answer = request.send().await.ok()?;
    let status = answer.status();
    let told: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    assert_eq!(status.as_u16(), 201, "{told}");
    told["requestId"].as_str().map(str::to_owned)
}

on_each_store!(whatever_is_taken_is_delivered_or_given_up_whenever_the_program_is_killed);
async fn whatever_is_taken_is_delivered_or_given_up_whenever_the_program_is_killed(books: Books) {
    let queries = from_environment("RECKONER_QUERIES", 200);
    let kills = from_environment("RECKONER_QUERY_KILLS", 5);
    let seed = from_environment("RECKONER_SEED", 1);
    let mut test = Kills::new(books, queries, seed).await;
    let mut hit = 0;
    for nth in 0..kills {
        let server = test.serve();
        hit += u64::from(test.is_behind(&server).await);
        // Some lives are short and some long; those behind the last kill end everything.
        let mut asking = test.ask(&server, test.queries * (nth + 1) / (kills + 1));
        let most_ms = if nth % 4 == 0 { 100 } else { 1_500 };
        let moment = Duration::from_millis(test.rng.random_range(0..most_ms));
        tokio::time::sleep(moment).await;
        server.kill();
        while let Some(ended) = asking.join_next().await {
            ended.expect("no task panics");
        }
    }
    let server = test.serve();
    hit += u64::from(test.is_behind(&server).await);
    let mut asking = test.ask(&server, test.queries);
    while let Some(ended) = asking.join_next().await {
        ended.expect("no task panics");
    }
    let count = test.book.lock().expect("no panic").taken.len() as u64;
    assert_eq!(count, queries, "each was taken in the end");
    let delivered = test.settle(&server).await;
    // Else the test has shown nothing: kills must have hit work, and both fates have been met.
    assert!(hit >= kills / 2, "{hit} of {kills} kills hit work");
    assert!(delivered > queries / 4 && delivered < queries, "{delivered} of {queries}");
    let calls: usize = test.receivers.iter().map(Receiver::count).sum();
    let tries = usize::try_from(queries).expect("small") * TRIES;
    // At each kill tries are cut off that were not noted yet, and queries taken without an answer.
    let twice = usize::try_from(kills).expect("small") * (AT_ONCE + 4 * ASKERS);
    assert!(calls <= tries + twice, "{calls} calls of {queries} queries and {kills} kills");
    server.stop();
    let verified = test.installation.run(&["verify"]);
    assert!(verified.contains("; 0 problems"), "{verified}");
    let told =
        format!("{books:?}: {queries} queries, {kills} kills ({hit} at work) of seed {seed}");
    writeln!(std::io::stderr(), "{told}, {delivered} delivered in {calls} calls")
        .expect("it takes text");
}
