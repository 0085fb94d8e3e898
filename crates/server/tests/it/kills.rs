//! `kill -9` at random moments while usage comes in: nothing acknowledged is lost, nothing counts
//! twice. What is done to the books is the matter of `killed_books`.
//!
//! `RECKONER_KILLS` says how often, `RECKONER_SEED` which moments.

use crate::books::{Books, on_each_store};
use crate::installation::{FILES, Installation, charges, shop, text};
use crate::program::{Server, from_environment, now};
use calendar::Day;
use money::{Fixed18, Rounding};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const GRADUATED: &str = r#"{ meter = "calls", model = { graduated = [
    { from = "0", price = "0.1" },
    { from = "1000", price = "0.05" },
    { from = "10000", price = "0.01" },
] } }"#;

/// The tiers declared above: from where, and the price.
const TIERS: [(i64, &str); 3] = [(0, "0.1"), (1_000, "0.05"), (10_000, "0.01")];

/// Makes sealing, writing and removing happen all the time.
const SETTINGS: [(&str, &str); 3] = [
    ("RECKONER_LIMITS__TAIL_RECORDS", "40"),
    ("RECKONER_LIMITS__OVERLAY_ROWS", "100"),
    ("RECKONER_LIMITS__PAGE_SECONDS", "1"),
];

const MAPPING: &str = r#"
[columns]
subscription = "subscription"
resource = "resource"
meter = "meter"
quantity = "quantity"
start = "start"
"#;

const IMPORTED_ROWS: u64 = 300;
/// 2024-01-01.
const FIRST_IMPORTED_DAY: i32 = 19_723;

/// What a batch is, by the resource that all its records name.
#[derive(Clone)]
struct Batch {
    month: String,
    records: u64,
    quantity: Fixed18,
    /// That we were told that all of it counts.
    is_acknowledged: bool,
    body: String,
}

/// What was sent and what was acknowledged: what must be found again.
#[derive(Default)]
struct Book(BTreeMap<String, Batch>);

impl Book {
    fn unfinished(&self) -> Vec<(String, String)> {
        let open = self.0.iter().filter(|(_, batch)| !batch.is_acknowledged);
        open.map(|(name, batch)| (name.clone(), batch.body.clone())).collect()
    }

    fn acknowledge(&mut self, name: &str) {
        self.0.get_mut(name).expect("a batch of ours").is_acknowledged = true;
    }

    /// Records that we were told count.
    fn acknowledged(&self) -> u64 {
        self.0.values().filter(|batch| batch.is_acknowledged).map(|batch| batch.records).sum()
    }

    /// Compares with what is charged; gives how many records of each unfinished batch count.
    fn check(&self, found: &BTreeMap<String, (u64, Fixed18)>) -> BTreeMap<String, u64> {
        let unknown = found.keys().find(|name| !self.0.contains_key(*name));
        assert_eq!(unknown, None, "charges of what was never sent");
        let mut partly = BTreeMap::new();
        for (name, batch) in &self.0 {
            let (records, quantity) = found.get(name).copied().unwrap_or((0, Fixed18::ZERO));
            if batch.is_acknowledged {
                let expected = (batch.records, batch.quantity);
                assert_eq!((records, quantity), expected, "acknowledged batch {name}");
            } else {
                assert!(records <= batch.records, "batch {name} counts {records} records");
                partly.insert(name.clone(), records);
            }
        }
        partly
    }
}

/// Sends batches to one start of the server.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) client: Client,
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Sender {
    /// The verdicts; none if the server went away before it answered.
    pub(crate) async fn send(&self, body: String) -> Option<Vec<String>> {
        let request = self.client.post(&self.url).bearer_auth(&self.key);
        let request = request.header("content-type", "application/x-ndjson").body(body);
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.ok()?).expect("JSON");
        assert_eq!(status, StatusCode::OK, "{answer}");
        let verdicts = answer["verdicts"].as_array().expect("verdicts").iter();
        Some(verdicts.map(|item| item["verdict"].as_str().expect("text").to_owned()).collect())
    }

    /// Sends one batch after the other, each acknowledgement written down before the next.
    async fn go_on(self, name: String, month: String, book: Arc<Mutex<Book>>, mut rng: ChaCha8Rng) {
        for nth in 0.. {
            let name = format!("{name}-{nth}");
            let batch = batch(&name, &month, rng.random_range(1..=60));
            let body = batch.body.clone();
            book.lock().expect("no panic").0.insert(name.clone(), batch);
            let Some(verdicts) = self.send(body).await else { return };
            assert!(verdicts.iter().all(|verdict| verdict == "accepted"), "{name}: {verdicts:?}");
            book.lock().expect("no panic").acknowledge(&name);
        }
    }
}

fn quantity(nth: u64) -> Fixed18 {
    Fixed18::parse(&format!("{}.{}", nth % 9 + 1, nth % 4)).expect("a number")
}

fn batch(name: &str, month: &str, records: u64) -> Batch {
    let line = |nth: u64| {
        let event = json!({
            "id": format!("{name}-{nth}"),
            "source": "gate",
            "subscription": "5b0d1e9a-0000-4000-8000-000000000001",
            "resource": name,
            "meter": "calls",
            "quantity": quantity(nth).to_string(),
            "time": format!("{month}-{:02}T{:02}:00:00Z", nth % 28 + 1, nth % 24),
        });
        event.to_string()
    };
    Batch {
        month: month.to_owned(),
        records,
        quantity: Fixed18::checked_sum((0..records).map(quantity)).expect("in range"),
        is_acknowledged: false,
        body: (0..records).map(line).collect::<Vec<_>>().join("\n"),
    }
}

/// A file of one day's usage, and the batch that it is.
fn import_file(installation: &Installation, nth: i32) -> (String, PathBuf, Batch) {
    let name = format!("import-{nth}");
    let day = Day::from_number(FIRST_IMPORTED_DAY + nth).to_string();
    let mut lines = vec!["subscription,resource,meter,quantity,start".to_owned()];
    lines.extend((0..IMPORTED_ROWS).map(|row| {
        let quantity = quantity(row);
        format!("5b0d1e9a-0000-4000-8000-000000000001,{name},calls,{quantity},{day}T00:00:00Z")
    }));
    let path = installation.file(&format!("{name}.csv"), &lines.join("\n"));
    let quantity = Fixed18::checked_sum((0..IMPORTED_ROWS).map(quantity)).expect("in range");
    let month = day.get(..7).expect("a date").to_owned();
    let batch = Batch {
        month,
        records: IMPORTED_ROWS,
        quantity,
        is_acknowledged: false,
        body: String::new(),
    };
    (name, path, batch)
}

/// Records and quantity by batch, as the server or the program shows them.
fn by_batch<'a>(
    rows: impl Iterator<Item = (&'a Value, &'a Value, &'a Value)>,
) -> BTreeMap<String, (u64, Fixed18)> {
    rows.map(|(name, records, quantity)| {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let quantity = Fixed18::parse(&text(quantity)).expect("a quantity");
        (text(name), (text(records).parse().expect("a count"), quantity))
    })
    .collect()
}

/// A test of kills under way.
struct Kills {
    installation: Installation,
    mapping: PathBuf,
    key: String,
    book: Arc<Mutex<Book>>,
    rng: ChaCha8Rng,
    /// The import that was killed and has not come to its end.
    unfinished_import: Option<(String, PathBuf)>,
    imports: i32,
    slowest_ms: i64,
    slowest_allowed_ms: u64,
    done: BTreeMap<&'static str, u64>,
}

impl Kills {
    fn new(installation: Installation, seed: u64) -> Kills {
        Kills {
            mapping: installation.file("mapping.toml", MAPPING),
            key: installation.key("gate"),
            installation,
            book: Arc::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            unfinished_import: None,
            imports: 0,
            slowest_ms: 0,
            slowest_allowed_ms: from_environment("RECKONER_RESTART_MS", u64::MAX),
            done: BTreeMap::new(),
        }
    }

    /// Starts the server, checks what it has kept and ends what was cut off.
    async fn restart(&mut self) -> (Server, String) {
        let before = now();
        let server = self.installation.serve(&SETTINGS);
        let ready = server.get("/readyz", None).send().await.expect("an answer");
        assert_eq!(ready.status(), StatusCode::OK);
        let took_ms = now().since(before) / 1_000;
        self.slowest_ms = self.slowest_ms.max(took_ms);
        assert!(took_ms.unsigned_abs() <= self.slowest_allowed_ms, "a restart took {took_ms} ms");
        let token = self.installation.token(&server).await;
        let rows = charges(&server, &token, &["resource", "meter"]).await;
        let rows = rows.iter().map(|row| (&row["keys"][0], &row["records"], &row["quantity"]));
        let partly = self.book.lock().expect("no panic").check(&by_batch(rows));
        if let Some((name, _)) = &self.unfinished_import {
            let counted = partly[name];
            assert!([0, IMPORTED_ROWS].contains(&counted), "{name} counts {counted} rows");
            if counted > 0 {
                self.book.lock().expect("no panic").acknowledge(name);
                self.unfinished_import = None;
            }
        }
        self.send_again(&server, &partly).await;
        (server, token)
    }

    async fn send_again(&self, server: &Server, partly: &BTreeMap<String, u64>) {
        let unfinished = self.book.lock().expect("no panic").unfinished();
        for (name, body) in unfinished.into_iter().filter(|(_, body)| !body.is_empty()) {
            let verdicts = self.sender(server).send(body).await.expect("nobody kills it");
            let count = |wanted: &str| verdicts.iter().filter(|is| *is == wanted).count() as u64;
            let (new, known) = (count("accepted"), count("duplicate"));
            assert_eq!((known, new + known), (partly[&name], verdicts.len() as u64), "{name}");
            self.book.lock().expect("no panic").acknowledge(&name);
        }
    }

    fn sender(&self, server: &Server) -> Sender {
        let url = format!("{}/intake/v1/events", server.told("http_url"));
        Sender { client: server.client.clone(), url, key: self.key.clone() }
    }

    async fn wait(&mut self, most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..most_ms))).await;
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// Kills the server while usage comes in, is sealed, rated and asked for.
    async fn kill_busy(&mut self, nth: u64) {
        let (server, token) = self.restart().await;
        let month = format!("2025-{:02}", nth % 12 + 1);
        let mut busy = tokio::task::JoinSet::new();
        for sender in ["a", "b"] {
            let name = format!("{nth}-{sender}");
            let rng = ChaCha8Rng::seed_from_u64(self.rng.random());
            let book = Arc::clone(&self.book);
            busy.spawn(self.sender(&server).go_on(name, month.clone(), book, rng));
        }
        let (client, admin) = (server.client.clone(), server.told("admin.url"));
        busy.spawn(async move {
            let asked = json!({ "month": month, "group_by": ["day", "meter"] });
            loop {
                let question = client.post(format!("{admin}/charges/query")).json(&asked);
                let sealing = client.post(format!("{admin}/operations/seal"));
                for request in [question, sealing] {
                    let Ok(answer) = request.bearer_auth(&token).send().await else { return };
                    let status = answer.status();
                    // A body that breaks off is the kill's doing.
                    let body = answer.text().await.unwrap_or_default();
                    assert!(status.is_success(), "{status} {body}");
                }
            }
        });
        self.wait(400).await;
        server.kill();
        while let Some(ended) = busy.join_next().await {
            ended.expect("no task panics");
        }
        self.count("busy");
    }

    /// Kills the server while it starts.
    async fn kill_starting(&mut self) {
        self.restart().await.0.kill();
        let own = ["serve", "--listen", "127.0.0.1:0"];
        let mut child = self.installation.start(&own, &SETTINGS);
        self.wait(150).await;
        child.kill().expect("the process is ours");
        child.wait().expect("the process is ours");
        self.count("starting");
    }

    /// Kills an import; the next one of this kind goes on with the same file.
    async fn kill_importing(&mut self) {
        self.restart().await.0.kill();
        let (name, path) = match self.unfinished_import.take() {
            Some(unfinished) => unfinished,
            None => {
                let (name, path, batch) = import_file(&self.installation, self.imports);
                self.imports += 1;
                self.book.lock().expect("no panic").0.insert(name.clone(), batch);
                (name, path)
            }
        };
        let arguments = ["import", "--yes", text(&path)];
        let arguments = [arguments.as_slice(), &self.how_to_import()].concat();
        let mut child = self.installation.start(&arguments, &SETTINGS);
        self.wait(300).await;
        child.kill().expect("the process is ours");
        child.wait().expect("the process is ours");
        self.unfinished_import = Some((name, path));
        self.count("importing");
    }

    fn how_to_import(&self) -> [&str; 4] {
        ["--source", "files", "--mapping", text(&self.mapping)]
    }

    /// Ends everything in good order and compares to the last digit.
    async fn finish(&mut self) {
        self.restart().await.0.stop();
        if let Some((name, path)) = self.unfinished_import.take() {
            self.installation.import(&path, &self.how_to_import());
            self.book.lock().expect("no panic").acknowledge(&name);
        }
        let rows = self.installation.query("resource,meter");
        let rows = rows.iter().map(|row| (&row["resource"], &row["records"], &row["quantity"]));
        let book = self.book.lock().expect("no panic");
        assert_eq!(book.check(&by_batch(rows)), BTreeMap::new());
        let mut used: BTreeMap<&str, Fixed18> = BTreeMap::new();
        for batch in book.0.values() {
            let used = used.entry(&batch.month).or_insert(Fixed18::ZERO);
            *used = used.checked_add(batch.quantity).expect("in range");
        }
        let expected: BTreeMap<String, Fixed18> =
            used.into_iter().map(|(month, used)| (month.to_owned(), cost(used))).collect();
        let rows = self.installation.query("month");
        let charged = rows.iter().map(|row| {
            let cost = Fixed18::parse(row["cost"].as_str().expect("text")).expect("a number");
            (row["month"].as_str().expect("text").to_owned(), cost)
        });
        assert_eq!(charged.collect::<BTreeMap<_, _>>(), expected);
        let verified = self.installation.run(&["verify"]);
        assert!(verified.contains("; 0 problems"), "{verified}");
        assert_eq!(self.installation.quarantine(), "");
    }
}

fn cost(quantity: Fixed18) -> Fixed18 {
    let ends = TIERS.iter().skip(1).map(|(from, _)| Fixed18::from_int(*from)).chain([Fixed18::MAX]);
    let slices = TIERS.iter().zip(ends).filter_map(|((from, price), end)| {
        let part = quantity.min(end).checked_sub(Fixed18::from_int(*from)).expect("in range");
        let price = Fixed18::parse(price).expect("a price");
        (part > Fixed18::ZERO)
            .then(|| part.checked_mul(price, 18, Rounding::HalfAwayFromZero).expect("in range"))
    });
    Fixed18::checked_sum(slices).expect("in range")
}

async fn nothing_acknowledged_is_lost_and_nothing_counts_twice(books: Books) {
    let kills = from_environment("RECKONER_KILLS", 25);
    let seed = from_environment("RECKONER_SEED", 1);
    let mut test = Kills::new(Installation::new(books, "USD", &(shop(GRADUATED) + FILES)), seed);
    for nth in 0..kills {
        match test.rng.random_range(0..10) {
            0..6 => test.kill_busy(nth).await,
            6..9 => test.kill_importing().await,
            _ => test.kill_starting().await,
        }
    }
    test.finish().await;
    let records: u64 = test.book.lock().expect("no panic").0.values().map(|b| b.records).sum();
    // Else the test has shown nothing: kills must have hit work, and work must have been done.
    let done = |what: &str| test.done.get(what).copied().unwrap_or_default();
    let hit = done("busy") + done("importing");
    assert!(hit >= kills / 2, "{hit} of {kills} kills hit running work");
    let acknowledged = test.book.lock().expect("no panic").acknowledged();
    assert!(acknowledged >= kills, "{acknowledged} records were acknowledged in {kills} kills");
    let (ms, done) = (test.slowest_ms, &test.done);
    let told = format!("{books:?}: {kills} kills of seed {seed} ({done:?}), {records} records");
    writeln!(std::io::stderr(), "{told}, slowest restart {ms} ms").expect("it takes text");
}

on_each_store!(nothing_acknowledged_is_lost_and_nothing_counts_twice);
