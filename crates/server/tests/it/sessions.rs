//! Sessions and passwords: who may come in with them, from where, and for how long.

use crate::books::{Books, on_each_store};
use crate::in_process::{self, ACCOUNT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use calendar::{Instant, SetClock};
use domain::access::Caller;
use service::{AuditFilter, Reckoner, SessionAsked};
use std::net::IpAddr;

const START: &str = "2026-06-05T08:00:00Z";
const HERE: &str = "192.0.2.7";

/// An installation with one client.
struct House {
    reckoner: Reckoner,
    clock: SetClock,
    secret: String,
    hash: String,
    _directory: tempfile::TempDir,
    _schema: Option<crate::books::Schema>,
}

impl House {
    async fn new(books: Books, most: u64) -> House {
        let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
        let clock = SetClock::at(Instant::parse(START).expect("a moment"));
        let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |config| {
            config.limits.sessions = most;
        })
        .await;
        let (secret, hash) = service::new_secret();
        in_process::declare(&reckoner, &with_client(&[&hash])).await;
        House { reckoner, clock, secret, hash, _directory: directory, _schema: schema }
    }

    /// So many minutes after the start.
    fn at(&self, minutes: i64) {
        self.clock.set(Instant::parse(START).expect("a moment").plus_seconds(minutes * 60));
    }

    /// Opens a session from an address, or none that can be told; its header.
    async fn open(&self, from: &str, from_anywhere: bool) -> String {
        let asked = SessionAsked {
            username: "ada".to_owned(),
            password: self.secret.clone(),
            from_anywhere,
            from: address(from),
        };
        let made = self.reckoner.create_session(&asked, "test").await.expect("a session");
        format!("IBSSO {}", made.token)
    }

    /// Who a header stands for at an address, or why it stands for nobody.
    async fn told(&self, header: &str, from: &str) -> String {
        match self.reckoner.caller_by_any(Some(header), address(from), "test").await {
            Ok(caller) => caller.actor(),
            Err(error) => error.to_string(),
        }
    }

    async fn ended(&self, header: &str, from: &str) -> String {
        match self.reckoner.end_session(Some(header), address(from), "test").await {
            Ok(()) => "ended".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

/// What is declared: a client with secrets.
fn with_client(hashes: &[&str]) -> String {
    let client = "[[client]]\nid = \"ada\"\nname = \"Ada\"\nsecret_hashes";
    format!("{ACCOUNT}{client} = {hashes:?}\n")
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

const UNKNOWN: &str = "not signed in: the credential is unknown";
const EXPIRED: &str = "not signed in: the credential is expired";
const ELSEWHERE: &str = "not signed in: the session may not be used from this address";
const WRONG: &str = "not signed in: the client is unknown or its secret is wrong";
const USUAL: &str = "not signed in: a token or an API key is needed here";

async fn a_session_holds_where_it_was_opened_unless_it_may_be_used_anywhere(books: Books) {
    let house = House::new(books, 10).await;
    let bound = house.open(HERE, false).await;
    let free = house.open(HERE, true).await;
    let unseen = house.open("", true).await;
    let check = async |header: &str, from: &str, expected: &str| {
        assert_eq!(house.told(header, from).await, expected, "from {from}");
    };
    check(&bound, HERE, "ada").await;
    check(&bound, "::ffff:192.0.2.7", "ada").await;
    check(&bound, "192.0.2.8", ELSEWHERE).await;
    check(&bound, "", ELSEWHERE).await;
    for from in [HERE, "192.0.2.8", "2001:db8::1", ""] {
        check(&free, from, "ada").await;
        check(&unseen, from, "ada").await;
    }
    check("IBSSO 2f1d6b52-0000-4000-8000-000000000001", HERE, UNKNOWN).await;
    check("IBSSO x", HERE, UNKNOWN).await;
    let nowhere = SessionAsked {
        username: "ada".to_owned(),
        password: house.secret.clone(),
        from_anywhere: false,
        from: None,
    };
    let told = house.reckoner.create_session(&nowhere, "test").await.map(drop).expect_err("none");
    let expected = "from_anywhere: must be true where the caller's address cannot be told";
    assert_eq!(told.to_string(), expected);
}

on_each_store!(a_session_holds_where_it_was_opened_unless_it_may_be_used_anywhere);

async fn a_session_is_over_an_hour_after_its_last_use_and_a_day_after_it_was_opened(books: Books) {
    let house = House::new(books, 10).await;
    let (used, idle) = (house.open(HERE, false).await, house.open(HERE, false).await);
    let mut minutes = 0;
    while minutes < 24 * 60 {
        house.at(minutes);
        assert_eq!(house.told(&used, HERE).await, "ada", "after {minutes} minutes");
        minutes += 45;
    }
    house.at(24 * 60);
    assert_eq!(house.told(&used, HERE).await, EXPIRED, "after a day");
    assert_eq!(house.told(&idle, HERE).await, EXPIRED, "nobody used it");
    let next = house.open(HERE, false).await;
    assert_eq!(house.told(&used, HERE).await, UNKNOWN, "what is over is forgotten");
    house.at(24 * 60 + 59);
    assert_eq!(house.told(&next, HERE).await, "ada");
    house.at(24 * 60 + 59 + 60);
    assert_eq!(house.told(&next, HERE).await, EXPIRED);
}

on_each_store!(a_session_is_over_an_hour_after_its_last_use_and_a_day_after_it_was_opened);

async fn a_session_that_was_ended_is_over_and_a_further_one_takes_the_oldest_place(books: Books) {
    let house = House::new(books, 2).await;
    let first = house.open(HERE, false).await;
    house.at(2);
    let second = house.open(HERE, false).await;
    house.at(4);
    assert_eq!(house.told(&first, HERE).await, "ada", "now it was used last");
    house.at(6);
    let third = house.open(HERE, false).await;
    assert_eq!(house.told(&second, HERE).await, UNKNOWN, "two are open");
    assert_eq!(house.told(&first, HERE).await, "ada");
    assert_eq!(house.ended(&first, "192.0.2.8").await, ELSEWHERE);
    assert_eq!(house.ended(&first, HERE).await, "ended");
    assert_eq!(house.ended(&first, HERE).await, UNKNOWN);
    assert_eq!(house.told(&first, HERE).await, UNKNOWN);
    assert_eq!(house.told(&third, HERE).await, "ada", "it is another");
    let told = house.ended("Bearer x", HERE).await;
    assert_eq!(told, "not signed in: a session is needed to end it");
}

on_each_store!(a_session_that_was_ended_is_over_and_a_further_one_takes_the_oldest_place);

async fn a_session_ends_with_the_secret_that_opened_it(books: Books) {
    let mut house = House::new(books, 10).await;
    let old = house.open(HERE, false).await;
    let (secret, hash) = service::new_secret();
    in_process::declare(&house.reckoner, &with_client(&[&house.hash, &hash])).await;
    house.secret = secret;
    let new = house.open(HERE, false).await;
    assert_eq!(house.told(&old, HERE).await, "ada", "both secrets are declared");
    assert_eq!(house.told(&new, HERE).await, "ada");
    in_process::declare(&house.reckoner, &with_client(&[&hash])).await;
    assert_eq!(house.told(&old, HERE).await, UNKNOWN, "its secret was taken away");
    assert_eq!(house.ended(&old, HERE).await, UNKNOWN);
    assert_eq!(house.told(&new, HERE).await, "ada");
    let third = service::new_secret().1;
    in_process::declare(&house.reckoner, &with_client(&[&third])).await;
    assert_eq!(house.told(&new, HERE).await, UNKNOWN);
}

on_each_store!(a_session_ends_with_the_secret_that_opened_it);

async fn what_is_sent_in_the_place_of_a_name_is_not_written(books: Books) {
    let house = House::new(books, 10).await;
    let key = "rk_live_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567";
    let header = format!("Basic {}", STANDARD.encode(format!("{key}:")));
    assert_eq!(house.told(&header, HERE).await, WRONG);
    for username in [key, house.secret.as_str(), "", "eve\u{7}"] {
        let asked = SessionAsked {
            username: username.to_owned(),
            password: "x".to_owned(),
            from_anywhere: true,
            from: None,
        };
        let told = house.reckoner.create_session(&asked, "test").await.map(drop);
        assert_eq!(told.expect_err("refused").to_string(), WRONG);
    }
    let entries = house.reckoner.audit(&Caller::Machine, AuditFilter::default(), 0, 100).await;
    let mut told = 0;
    for row in entries.expect("entries") {
        let text = format!("{:?}", row.entry);
        assert!(!text.contains(key) && !text.contains(&house.secret), "{text}");
        told += usize::from(row.entry.target == "an unknown client");
    }
    assert_eq!(told, 5);
}

on_each_store!(what_is_sent_in_the_place_of_a_name_is_not_written);

async fn passwords_and_sessions_are_taken_where_they_are_asked_for_and_failures_are_written(
    books: Books,
) {
    let house = House::new(books, 10).await;
    let session = house.open(HERE, false).await;
    let basic = |user: &str, password: &str| {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    };
    let right = basic("ada", &house.secret);
    assert_eq!(house.told(&right, HERE).await, "ada");
    assert_eq!(house.told(&basic("ada", "x"), HERE).await, WRONG);
    assert_eq!(house.told(&basic("eve", &house.secret), HERE).await, WRONG);
    for header in [&right, &session] {
        let told = house.reckoner.caller(Some(header.as_str()), address(HERE), "test").await;
        assert_eq!(told.expect_err("refused").to_string(), USUAL);
    }
    let wrong = SessionAsked {
        username: "ada".to_owned(),
        password: "x".to_owned(),
        from_anywhere: true,
        from: None,
    };
    let told = house.reckoner.create_session(&wrong, "test").await.map(drop);
    assert_eq!(told.expect_err("refused").to_string(), WRONG);
    let filter = AuditFilter { action: Some("sign_in".to_owned()), ..AuditFilter::default() };
    let entries = house.reckoner.audit(&Caller::Machine, filter, 0, 100).await.expect("entries");
    let told: Vec<String> = entries
        .into_iter()
        .map(|row| format!("{}: {}, {}", row.entry.target, row.entry.reason, row.entry.outcome))
        .collect();
    let wrong = WRONG.trim_start_matches("not signed in: ");
    let usual = USUAL.trim_start_matches("not signed in: ");
    let expected = [
        format!("client ada: {wrong}, refused"),
        format!("an unknown client: {wrong}, refused"),
        format!("client ada: {usual}, refused"),
        format!("session: {usual}, refused"),
        format!("client ada: {wrong}, refused"),
    ];
    assert_eq!(told, expected);
}

on_each_store!(passwords_and_sessions_are_taken_where_they_are_asked_for_and_failures_are_written);
