//! `kill -9` at random moments while transfers are asked for, answered, taken back and carried out,
//! and when nobody answered in time: each ends once, in the same words as where nobody kills, and
//! neither side is charged anything else. A cut at every step is the matter of `transfer_crashes`.
//!
//! `RECKONER_KILLS` says how often, `RECKONER_SEED` at which moments.

use crate::azure_billing_transfers::{ACCOUNTS, PROVIDER, at, chosen, company, held, section};
use crate::books::{Books, on_each_store};
use crate::installation::{Installation, charges};
use crate::kills::Sender;
use crate::program::{self, Server, from_environment, now};
use crate::structure_changes::{place, who};
use calendar::{OffsetClock, WallClock};
use domain::ids::PlaceId;
use domain::places::Level;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use service::{Clocks, Config, Reckoner, TransferAsked};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

const V2019: &str = "api-version=2019-10-01-preview";
const V2020: &str = "api-version=2020-05-01";
/// The business clock is the machine's: nothing is closed, and much is asked.
const SETTINGS: [(&str, &str); 3] = [
    ("RECKONER_CLOSE__BY_SCHEDULE", "false"),
    ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "100000"),
    ("RECKONER_LIMITS__REQUEST_BURST", "100000"),
];
/// Who asks for what the other pays for.
const ASKS: &str = "ada";
const GIVES: &str = "dee";
/// What is given by a transfer: the third is not there.
const GIVEN: [&str; 4] = ["one", "two", "nothing", "three"];

/// What the program is killed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Initiate,
    Cancel,
    Decline,
    Accept,
    /// What was accepted moves, behind the answer.
    CarryOut,
    /// It is accepted when it is too late.
    Expire,
}

const DEEDS: [Deed; 6] =
    [Deed::Initiate, Deed::Cancel, Deed::Decline, Deed::Accept, Deed::CarryOut, Deed::Expire];

/// Deeds, each with its own mark.
type Marked = [(Deed, String)];

#[derive(Debug, Clone, Copy)]
enum Side {
    Asks,
    Gives,
}

/// What somebody asks for.
struct Question {
    side: Side,
    verb: Method,
    path: String,
    body: Option<Value>,
}

impl Question {
    fn get(side: Side, path: String) -> Question {
        Question { side, verb: Method::GET, path, body: None }
    }
}

impl Deed {
    /// What is asked for by it; the time at which a transfer was made stands for its name.
    fn question(self, mark: &str, time: &str) -> Question {
        let received = |tail: &str, body: Option<Value>| {
            let path = format!("{PROVIDER}/transfers/{time}/{tail}?{V2019}");
            Question { side: Side::Gives, verb: Method::POST, path, body }
        };
        match self {
            Deed::Initiate => {
                let recipient = json!({ "recipientEmailId": format!("{GIVES}@mail.test") });
                let path = format!("{}/initiateTransfer?{V2019}", at(mark));
                let body = Some(json!({ "properties": recipient }));
                Question { side: Side::Asks, verb: Method::POST, path, body }
            }
            Deed::Cancel => {
                let path = format!("{}/transfers/{time}?{V2019}", at(mark));
                Question { side: Side::Asks, verb: Method::DELETE, path, body: None }
            }
            Deed::Decline => received("declineTransfer", None),
            Deed::Accept | Deed::CarryOut | Deed::Expire => {
                let given = GIVEN.map(|id| format!("{id}-{mark}"));
                received("acceptTransfer", chosen(&given.each_ref().map(String::as_str)))
            }
        }
    }

    /// How it is answered.
    const fn status(self) -> u16 {
        match self {
            Deed::Expire => 409,
            Deed::Initiate | Deed::Cancel | Deed::Decline | Deed::Accept | Deed::CarryOut => 200,
        }
    }
}

/// An installation with a section for each transfer, and the secret of both sides.
struct Sides {
    installation: Installation,
    secret: String,
}

/// Of each transfer what can be given.
fn subscriptions(all: &Marked) -> impl Iterator<Item = String> {
    let there = GIVEN.into_iter().filter(|id| *id != "nothing");
    all.iter().flat_map(move |(_, mark)| there.clone().map(move |id| format!("{id}-{mark}")))
}

fn declared(hash: &str, all: &Marked) -> String {
    let [payer, profile, ..] = ACCOUNTS[0];
    let mut text = company();
    for name in [ASKS, GIVES] {
        let email = format!("email = \"{name}@mail.test\"");
        text = text.replace(&email, &format!("{email}\nsecret_hashes = [\"{hash}\"]"));
    }
    for (_, mark) in all {
        text += &section(payer, mark, profile, "2026-01-01T00:00:00Z", "active");
    }
    text.extend(subscriptions(all).map(|id| held(&id)));
    // What the payer uses before.
    text += &held("own").replace("giver-", "payer-");
    text.replace("2026-01-01", "2020-01-01")
}

impl Sides {
    async fn new(books: Books, all: &Marked) -> Sides {
        let told = program::run(&["secret"], &[]);
        let word = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.trim().to_owned()
        };
        let installation = Installation::new(books, "USD", &declared(&word("hash"), all));
        let sides = Sides { installation, secret: word("secret") };
        sides.ask_long_ago(all).await;
        sides.send(all).await;
        sides
    }

    /// Asks for what nobody answers in time.
    async fn ask_long_ago(&self, all: &Marked) {
        let past = now().plus_seconds(-31 * 86_400);
        let business = Arc::new(OffsetClock::starting_at(past, Arc::new(WallClock)));
        let mut config = Config::new(self.installation.data());
        config.postgres = self.installation.books_url().map(str::to_owned);
        let clocks = Clocks { business, system: Arc::new(WallClock) };
        let reckoner = Reckoner::open(config, clocks).await.expect("an installation");
        let [payer, profile, ..] = ACCOUNTS[0];
        let (caller, profile) = (who(ASKS), PlaceId::new(profile).expect("an id"));
        let recipient_email = format!("{GIVES}@mail.test");
        let asked = TransferAsked { recipient_email, reseller: None };
        for (_, mark) in all.iter().filter(|(deed, _)| *deed == Deed::Expire) {
            let place = place(payer, Level::InvoiceSection, mark);
            let told = reckoner.initiate_transfer(&caller, &place, &profile, &asked, "request");
            told.await.expect("asked");
        }
        reckoner.close().await.expect("closed");
    }

    /// Each subscription is used before it moves.
    async fn send(&self, all: &Marked) {
        let ([payer, ..], [giver, ..]) = (ACCOUNTS[0], ACCOUNTS[1]);
        let own = ["key", "--principal", "sender", "--source", "gate"];
        let accounts = ["--billing-account", payer, "--billing-account", giver];
        let key = self.installation.run(&[own.as_slice(), &accounts].concat()).trim().to_owned();
        let event = |account: &str, subscription: &str| {
            let event = json!({
                "id": subscription,
                "source": "gate",
                "billing_account": account,
                "subscription": subscription,
                "meter": "hours",
                "quantity": "1.5",
                "time": "2025-03-01T10:00:00Z",
            });
            event.to_string()
        };
        let mut events = vec![event(payer, "own")];
        events.extend(subscriptions(all).map(|id| event(giver, &id)));
        let server = self.installation.serve(&SETTINGS);
        let url = format!("{}/intake/v1/events", server.told("http_url"));
        let sender = Sender { client: server.client.clone(), url, key };
        let verdicts = sender.send(events.join("\n")).await.expect("nobody kills it");
        assert!(verdicts.iter().all(|verdict| verdict == "accepted"), "{verdicts:?}");
        server.stop();
    }

    async fn start(&self) -> Running {
        let server = self.installation.serve(&SETTINGS);
        let operator = self.installation.token(&server).await;
        let mut tokens = Vec::new();
        for name in [ASKS, GIVES] {
            let (known, audience) = ((name, self.secret.as_str()), "https://management.azure.com");
            let token = self.installation.token_of(&server, known, audience).await;
            tokens.push(token.expect("the client is known"));
        }
        let [asks, gives] = tokens.try_into().expect("two");
        Running { server, operator, asks, gives }
    }
}

/// What is left of a deed that must not depend on how it went, without its mark.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// The transfer, as who asked for it and who received it see it.
    told: [String; 2],
    /// What each side is answered of each subscription.
    held: Vec<[u16; 2]>,
    /// What the audit log says was done.
    done: Vec<String>,
    /// What each side is charged.
    charged: Vec<Value>,
}

/// A program, and tokens of its callers.
struct Running {
    server: Server,
    operator: String,
    asks: String,
    gives: String,
}

impl Running {
    fn request(&self, question: &Question) -> RequestBuilder {
        let token = match question.side {
            Side::Asks => &self.asks,
            Side::Gives => &self.gives,
        };
        let url = format!("{}{}", self.server.told("base_url"), question.path);
        let request = self.server.client.request(question.verb.clone(), url).bearer_auth(token);
        match &question.body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    async fn told(&self, question: &Question) -> (u16, Value) {
        let answer = self.request(question).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// The transfer to a section, as who asked for it sees it; none while there is none.
    async fn asked(&self, mark: &str) -> Option<Value> {
        let path = format!("{}/transfers?{V2019}", at(mark));
        let (status, list) = self.told(&Question::get(Side::Asks, path)).await;
        assert_eq!(status, 200, "{list}");
        let all = list["value"].as_array().expect("a list");
        assert!(all.len() <= 1, "asked for twice: {list}");
        all.first().cloned()
    }

    /// Asks for a deed.
    async fn ask(&self, deed: Deed, mark: &str) {
        let time = self.asked(mark).await.map_or_else(String::new, |told| time_of(&told));
        let (status, told) = self.told(&deed.question(mark, &time)).await;
        assert_eq!(status, deed.status(), "{deed:?}: {told}");
    }

    /// Brings a transfer to where a deed begins.
    async fn prepare(&self, deed: Deed, mark: &str) {
        if !matches!(deed, Deed::Initiate | Deed::Expire) {
            self.ask(Deed::Initiate, mark).await;
        }
    }

    /// Waits until nothing of a transfer moves any more.
    async fn ended(&self, mark: &str) -> Value {
        let mut told = self.asked(mark).await.expect("a transfer");
        for _ in 0..2_000 {
            if state_of(&told) != "InProgress" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            told = self.asked(mark).await.expect("a transfer");
        }
        told
    }

    /// The number of the newest entry of the audit log, and what was done to transfers behind
    /// another.
    async fn done(&self, behind: u64) -> (u64, Vec<String>) {
        let (mut newest, mut done, mut after) = (behind, Vec::new(), Some(behind));
        while let Some(number) = after {
            let path = format!("/admin/v1/audit?limit=1000&after={number}");
            let answer = self.server.get(&path, Some(&self.operator)).send().await;
            let log: Value = answer.expect("an answer").json().await.expect("JSON");
            for entry in log["entries"].as_array().unwrap_or_else(|| panic!("{log}")) {
                newest = entry["number"].as_u64().expect("a number");
                let action = entry["action"].as_str().expect("an action");
                if action.starts_with("transfer.") && entry["outcome"] == "done" {
                    done.push(action.to_owned());
                }
            }
            after = log["next"].as_u64();
        }
        (newest, done)
    }

    /// What is left of a deed, once it has ended.
    async fn left(&self, mark: &str, behind: u64) -> Left {
        let asked = self.ended(mark).await;
        let path = format!("{PROVIDER}/transfers/{}?{V2019}", time_of(&asked));
        let (status, received) = self.told(&Question::get(Side::Gives, path)).await;
        assert_eq!(status, 200, "{received}");
        let mut held = Vec::new();
        for id in GIVEN {
            let mut of_sides = Vec::new();
            for (side, [account, ..]) in [(Side::Asks, ACCOUNTS[0]), (Side::Gives, ACCOUNTS[1])] {
                let path = format!(
                    "{PROVIDER}/billingAccounts/{account}/billingSubscriptions/{id}-{mark}?{V2020}"
                );
                of_sides.push(self.told(&Question::get(side, path)).await.0);
            }
            held.push(of_sides.try_into().expect("two"));
        }
        let told = [&asked, &received].map(|told| but_for_times(told, mark));
        let (_, done) = self.done(behind).await;
        let charged = charges(&self.server, &self.operator, &["billing_account"]).await;
        Left { told, held, done, charged }
    }

    /// Goes on behind a kill: whoever had no answer looks what is there, and asks again where
    /// nothing was done.
    async fn go_on(&self, (deed, mark): (Deed, &str), is_answered: bool) {
        let told = self.asked(mark).await;
        let is_undone = match deed {
            Deed::Initiate => told.is_none(),
            Deed::Cancel | Deed::Decline | Deed::Accept | Deed::CarryOut => {
                told.as_ref().is_some_and(|told| state_of(told) == "Pending")
            }
            // It changes nothing.
            Deed::Expire => !is_answered,
        };
        assert!(!is_undone || !is_answered, "{deed:?} was answered, and is lost: {told:?}");
        if is_undone {
            self.ask(deed, mark).await;
        }
    }

    /// Asks for a deed and kills the program at a moment of it; tells whether it was answered.
    async fn killed_at(self, (deed, mark): (Deed, &str), moment: Duration) -> bool {
        let time = self.asked(mark).await.map_or_else(String::new, |told| time_of(&told));
        let asked = self.request(&deed.question(mark, &time)).send();
        let answer = if deed == Deed::CarryOut {
            let answer = asked.await;
            tokio::time::sleep(moment).await;
            self.server.kill();
            answer
        } else {
            let asked = tokio::spawn(asked);
            tokio::time::sleep(moment).await;
            self.server.kill();
            asked.await.expect("no panic")
        };
        let status = answer.ok().map(|answer| answer.status().as_u16());
        assert!(status.is_none_or(|status| status == deed.status()), "{deed:?}: {status:?}");
        status.is_some()
    }

    /// What a deed comes to that nobody disturbs, and how long it takes, in microseconds.
    async fn undisturbed(&self, deed: Deed, mark: &str) -> (Left, u64) {
        let (behind, _) = self.done(0).await;
        self.prepare(deed, mark).await;
        let mut begins = now();
        self.ask(deed, mark).await;
        if deed == Deed::CarryOut {
            begins = now();
            self.ended(mark).await;
        }
        let took_micros = now().since(begins).unsigned_abs();
        (self.left(mark, behind).await, took_micros)
    }
}

fn state_of(told: &Value) -> &str {
    told["properties"]["transferStatus"].as_str().expect("a state")
}

fn time_of(told: &Value) -> String {
    told["properties"]["creationTime"].as_str().expect("a time").to_owned()
}

/// What is told of a transfer, but for its mark and its times.
fn but_for_times(told: &Value, mark: &str) -> String {
    let mut told = told.clone();
    let properties = told["properties"].as_object_mut().expect("properties");
    properties.retain(|name, _| !name.ends_with("Time"));
    told.to_string().replace(mark, "*")
}

/// What each deed comes to by itself is what its name says.
fn is_as_named(deed: Deed, left: &Left) {
    let (state, more): (&str, &[&str]) = match deed {
        Deed::Initiate => ("Pending", &[]),
        Deed::Cancel => ("Canceled", &["transfer.cancel"]),
        Deed::Decline => ("Declined", &["transfer.decline"]),
        Deed::Accept | Deed::CarryOut => (
            "CompletedWithErrors",
            &[
                "transfer.accept",
                "transfer.move",
                "transfer.move",
                "transfer.refuse",
                "transfer.move",
            ],
        ),
        Deed::Expire => ("Canceled", &[]),
    };
    let state = format!("\"transferStatus\":\"{state}\"");
    assert!(left.told.iter().all(|told| told.contains(&state)), "{deed:?}: {left:?}");
    let first: &[&str] = if deed == Deed::Expire { &[] } else { &["transfer.initiate"] };
    assert_eq!(left.done, [first, more].concat(), "{deed:?}");
    let (moved, stays, missing) = ([200_u16, 404], [404, 200], [404, 404]);
    let of = if matches!(deed, Deed::Accept | Deed::CarryOut) { moved } else { stays };
    assert_eq!(left.held, [of, of, missing, of], "{deed:?}");
}

on_each_store!(each_transfer_ends_once_whenever_the_program_is_killed);
async fn each_transfer_ends_once_whenever_the_program_is_killed(books: Books) {
    let kills = from_environment("RECKONER_KILLS", 25);
    let seed = from_environment("RECKONER_SEED", 1);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let whole = DEEDS.into_iter().zip((0..).map(|nth: u64| format!("w{nth:05}")));
    let killed = (0..kills).zip(DEEDS.into_iter().cycle());
    let killed = killed.map(|(nth, deed)| (deed, format!("k{nth:05}")));
    let (whole, killed): (Vec<_>, Vec<_>) = (whole.collect(), killed.collect());
    let sides = Sides::new(books, &[whole.as_slice(), &killed].concat()).await;
    let mut running = sides.start().await;
    let before = charges(&running.server, &running.operator, &["billing_account"]).await;
    let mut undisturbed = Vec::new();
    for (deed, mark) in &whole {
        let (left, took_micros) = running.undisturbed(*deed, mark).await;
        is_as_named(*deed, &left);
        assert_eq!(left.charged, before, "{deed:?} changes no charge");
        undisturbed.push((left, took_micros));
    }
    let (mut unanswered, (mut behind, _)) = (0, running.done(0).await);
    for ((deed, mark), (expected, took_micros)) in killed.iter().zip(undisturbed.iter().cycle()) {
        (behind, _) = running.done(behind).await;
        running.prepare(*deed, mark).await;
        let moment = Duration::from_micros(rng.random_range(0..=*took_micros));
        let is_answered = running.killed_at((*deed, mark), moment).await;
        unanswered += u32::from(!is_answered);
        running = sides.start().await;
        running.go_on((*deed, mark), is_answered).await;
        assert_eq!(running.left(mark, behind).await, *expected, "{deed:?} {mark}");
    }
    running.server.stop();
    let told = format!("{books:?}: {kills} kills of seed {seed}, {unanswered} before an answer");
    writeln!(std::io::stderr(), "{told}").expect("it takes text");
}
