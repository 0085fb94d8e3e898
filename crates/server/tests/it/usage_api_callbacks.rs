//! Results on their way to receivers that fail, hang, redirect, trickle or lie: each is delivered
//! or given up with its reason, with the same bytes under the same id at each try, and a receiver
//! holds up nobody but itself.

use crate::books::{Books, on_each_store};
use crate::closing::moment;
use crate::installation::Installation;
use crate::program::{Server, Settings};
use crate::usage_api_asking::{Asking, QUERY, made_key, query, with_options, word};
use crate::usage_api_company::{SETTINGS, events, installation, months, send};
use crate::usage_api_receivers::{Called, Manner, Receiver};
use calendar::Instant;
use reqwest::Method;
use serde_json::{Value, json};

/// Three tries at once, of a second each.
const HASTY: [(&str, &str); 2] = [
    ("RECKONER_CALLBACKS__PAUSES_SECONDS", "[0, 0, 0]"),
    ("RECKONER_CALLBACKS__TIMEOUT_SECONDS", "1"),
];

/// A company with some usage, and the key of who asks for it.
struct House {
    installation: Installation,
    key: String,
}

impl House {
    async fn new(books: Books) -> House {
        House::with(books, 40).await
    }

    /// One with so many messages.
    async fn with(books: Books, messages: u64) -> House {
        let installation = installation(books);
        let gate = installation.key("gate");
        let server = installation.serve(&SETTINGS);
        send(&server, &gate, &events(3, messages)).await;
        let operator = installation.token(&server).await;
        let key = made_key(&server, &operator, &["charges:read"], &[]).await;
        server.stop();
        House { installation, key }
    }

    fn serve(&self, more: Settings<'_>) -> Server {
        self.installation.serve(&[SETTINGS.as_slice(), more].concat())
    }

    fn asking<'a>(&self, server: &'a Server) -> Asking<'a> {
        Asking::with_key(server, &self.key)
    }
}

/// A query of this month.
fn of_this_month(url: &str) -> Value {
    let [.., month] = months();
    let days = (month.start().day().to_string(), month.end().day().to_string());
    query(url, (&days.0, &days.1), &["CATEGORY_CODE", "COUNTRY_CODE"])
}

/// A name and the result that goes to it.
struct Sent<'a> {
    asking: &'a Asking<'a>,
    receiver: &'a Receiver,
    name: String,
    manners: Vec<Manner>,
    id: String,
}

impl<'a> Sent<'a> {
    async fn new(
        (asking, receiver): (&'a Asking<'a>, &'a Receiver),
        name: &str,
        manners: &[Manner],
    ) -> Sent<'a> {
        let id = asking.submit(&of_this_month(&receiver.url(name, manners))).await;
        let (name, manners) = (name.to_owned(), manners.to_vec());
        Sent { asking, receiver, name, manners, id }
    }

    fn calls(&self) -> Vec<Called> {
        self.receiver.calls(&self.name, &self.manners)
    }

    async fn wait(&self, count: usize) -> Vec<Called> {
        self.receiver.wait(&self.name, &self.manners, count).await
    }

    async fn attempts(&self) -> Value {
        let path = format!("{QUERY}/{}/attempts", self.id);
        let (status, told) = self.asking.ask(Method::GET, &path, None).await;
        assert_eq!(status, 200, "{}: {told}", self.name);
        told
    }

    /// Each call has the same id and the same bytes, which are the kept result, and is signed.
    async fn are_alike(&self, secret: &str) {
        let (_, result) = self.asking.result(&self.id).await;
        let calls = self.calls();
        let first = calls.first().unwrap_or_else(|| panic!("{}: no call", self.name));
        for call in &calls {
            let name = &self.name;
            assert_eq!(call.verb, "POST", "{name}");
            assert_eq!(call.header("content-type"), "application/json", "{name}");
            assert_eq!(call.header("webhook-id"), first.header("webhook-id"), "{name}");
            assert!(!call.headers.contains_key("authorization"), "{name}");
            if call.manner != Manner::Slams {
                assert_eq!(call.body, result, "{name}");
                call.check_signed(secret);
            }
        }
    }
}

/// How a receiver behaves, what becomes of the result, and after how many calls.
const FATES: [(&[Manner], &str, usize); 21] = [
    (&[Manner::Takes], "DELIVERED", 1),
    (&[Manner::Answers(201)], "DELIVERED", 1),
    (&[Manner::Answers(204)], "DELIVERED", 1),
    (&[Manner::Floods], "DELIVERED", 1),
    (&[Manner::Lies], "DELIVERED", 1),
    (&[Manner::Answers(500), Manner::Takes], "DELIVERED", 2),
    (&[Manner::Hangs, Manner::Mute, Manner::Takes], "DELIVERED", 3),
    (&[Manner::Slams, Manner::Answers(404), Manner::Answers(202)], "DELIVERED", 3),
    (&[Manner::Redirects, Manner::Takes], "DELIVERED", 2),
    (&[Manner::Answers(400)], "DEAD", 3),
    (&[Manner::Answers(401)], "DEAD", 3),
    (&[Manner::Answers(500)], "DEAD", 3),
    (&[Manner::Answers(304)], "DEAD", 3),
    (&[Manner::Redirects], "DEAD", 3),
    (&[Manner::Hangs], "DEAD", 3),
    (&[Manner::Slams], "DEAD", 3),
    (&[Manner::Mute], "DEAD", 3),
    (&[Manner::Trickles], "DEAD", 3),
    (&[Manner::Babbles], "DEAD", 3),
    (&[Manner::Answers(410)], "DEAD", 1),
    (&[Manner::Answers(500), Manner::Answers(410)], "DEAD", 2),
];

on_each_store!(each_result_is_delivered_or_given_up_with_its_reason);
async fn each_result_is_delivered_or_given_up_with_its_reason(books: Books) {
    let house = House::new(books).await;
    let server = house.serve(&HASTY);
    let asking = house.asking(&server);
    let secret = asking.secret().await;
    // Each has a receiver of its own: those that hang would hold the others up.
    let mut receivers = Vec::new();
    for _ in FATES {
        receivers.push(Receiver::new().await);
    }
    let mut all = Vec::new();
    for ((nth, (manners, ..)), receiver) in FATES.iter().enumerate().zip(&receivers) {
        all.push(Sent::new((&asking, receiver), &format!("fate-{nth}"), manners).await);
    }
    for (sent, (manners, fate, count)) in all.iter().zip(FATES) {
        let told = asking.settled(&sent.id).await;
        assert_eq!(word(&told, "/callback/status"), fate, "{manners:?}: {told}");
        assert_eq!(word(&told, "/status"), "SUCCESS", "{manners:?}: {told}");
        assert_eq!(told["callback"]["tries"], json!(count), "{manners:?}: {told}");
        let calls = sent.calls();
        assert_eq!(calls.len(), count, "{manners:?}: {told}");
        sent.are_alike(&secret).await;
        let log = sent.attempts().await;
        let attempts = log["attempts"].as_array().unwrap_or_else(|| panic!("{log}"));
        assert_eq!(attempts.len(), count, "{manners:?}: {log}");
        assert_eq!(log["callback"]["id"], calls[0].header("webhook-id"), "{manners:?}");
        for (nth, (attempt, call)) in attempts.iter().zip(&calls).enumerate() {
            assert_eq!(attempt["number"], json!(nth + 1), "{log}");
            assert!(attempt["outcome"].as_str().is_some_and(|why| !why.is_empty()), "{log}");
            let status = match call.manner {
                Manner::Answers(status) | Manner::Asks(status, _) => json!(status),
                Manner::Takes | Manner::Sips | Manner::Floods | Manner::Lies => json!(200),
                Manner::Redirects => json!(307),
                Manner::Hangs
                | Manner::Slams
                | Manner::Mute
                | Manner::Trickles
                | Manner::Babbles => Value::Null,
            };
            assert_eq!(attempt["httpStatus"], status, "{manners:?}: {log}");
        }
        assert!(!word(&log, "/callback/outcome").is_empty(), "{manners:?}: {log}");
        // What receivers say is nobody's to read.
        let text = log.to_string();
        assert!(!text.contains("said") && !text.contains("short"), "{text}");
    }
    for receiver in &receivers {
        let elsewhere = receiver.paths().into_iter().find(|path| path.contains("elsewhere"));
        assert_eq!(elsewhere, None, "a redirect was followed");
    }
    server.stop();
}

on_each_store!(an_address_that_is_gone_is_not_called_again_until_it_is_asked_for);
async fn an_address_that_is_gone_is_not_called_again_until_it_is_asked_for(books: Books) {
    let house = House::new(books).await;
    let receiver = Receiver::new().await;
    let server = house.serve(&HASTY);
    let asking = house.asking(&server);
    let manners = [Manner::Answers(410), Manner::Takes];
    let first = Sent::new((&asking, &receiver), "gone", &manners).await;
    let told = asking.settled(&first.id).await;
    assert_eq!(word(&told, "/callback/status"), "DEAD", "{told}");
    // The next result to it is a dead letter at once, also after a restart.
    let second = Sent::new((&asking, &receiver), "gone", &manners).await;
    let told = asking.settled(&second.id).await;
    assert_eq!(word(&told, "/callback/status"), "DEAD", "{told}");
    assert!(!word(&told, "/callback/outcome").is_empty(), "{told}");
    server.stop();
    let server = house.serve(&HASTY);
    let asking = house.asking(&server);
    let third = Sent::new((&asking, &receiver), "gone", &manners).await;
    let told = asking.settled(&third.id).await;
    assert_eq!(word(&told, "/callback/status"), "DEAD", "{told}");
    assert_eq!(receiver.calls("gone", &manners).len(), 1);
    // Another address of the same receiver is not gone.
    let other = Sent::new((&asking, &receiver), "here", &[Manner::Takes]).await;
    let told = asking.settled(&other.id).await;
    assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{told}");
    // Whoever asks for a result again has mended the address.
    let path = format!("{QUERY}/{}/resend", third.id);
    assert_eq!(asking.ask(Method::POST, &path, None).await.0, 202);
    let told = asking.settled(&third.id).await;
    assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{told}");
    let fourth = Sent::new((&asking, &receiver), "gone", &manners).await;
    let told = asking.settled(&fourth.id).await;
    assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{told}");
    server.stop();
}

on_each_store!(what_is_being_tried_when_an_address_is_gone_is_not_tried_again);
async fn what_is_being_tried_when_an_address_is_gone_is_not_tried_again(books: Books) {
    let house = House::new(books).await;
    let receiver = Receiver::new().await;
    let server = house.serve(&[
        ("RECKONER_CALLBACKS__PAUSES_SECONDS", "[0, 0, 0]"),
        ("RECKONER_CALLBACKS__TIMEOUT_SECONDS", "6"),
    ]);
    let asking = house.asking(&server);
    let manners = [Manner::Hangs, Manner::Answers(410), Manner::Takes];
    let first = Sent::new((&asking, &receiver), "gone", &manners).await;
    first.wait(1).await;
    // While that one hangs, the next hears that the address wants no more.
    let second = Sent::new((&asking, &receiver), "gone", &manners).await;
    let told = asking.settled(&second.id).await;
    assert_eq!(word(&told, "/callback/status"), "DEAD", "{told}");
    let told = asking.settled(&first.id).await;
    assert_eq!(word(&told, "/callback/status"), "DEAD", "{told}");
    assert_eq!(told["callback"]["tries"], json!(1), "{told}");
    assert!(word(&told, "/callback/outcome").contains("410"), "{told}");
    assert_eq!(first.calls().len(), 2);
    server.stop();
}

on_each_store!(who_owes_much_to_receivers_that_hang_holds_up_nobody_else);
async fn who_owes_much_to_receivers_that_hang_holds_up_nobody_else(books: Books) {
    let house = House::new(books).await;
    let server = house.serve(&[
        ("RECKONER_CALLBACKS__PAUSES_SECONDS", "[0, 0, 0]"),
        ("RECKONER_CALLBACKS__TIMEOUT_SECONDS", "120"),
        ("RECKONER_CALLBACKS__AT_ONCE", "4"),
    ]);
    let operator = house.installation.token(&server).await;
    let other = made_key(&server, &operator, &["charges:read"], &[]).await;
    let (asking, other) = (house.asking(&server), Asking::with_key(&server, &other));
    let mut receivers = Vec::new();
    for _ in 0..6 {
        receivers.push(Receiver::new().await);
    }
    let mut waiting = Vec::new();
    for receiver in &receivers {
        waiting.push(Sent::new((&asking, receiver), "slow", &[Manner::Hangs]).await);
    }
    for sent in &waiting {
        asking.ended(&sent.id).await;
    }
    let quick = Receiver::new().await;
    for nth in 0..4 {
        let name = format!("quick-{nth}");
        let sent = Sent::new((&other, &quick), &name, &[Manner::Takes]).await;
        let told = other.settled(&sent.id).await;
        assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{told}");
    }
    let tried: usize = receivers.iter().map(Receiver::count).sum();
    assert_eq!(tried, 2, "half of the places are one owner's");
    server.kill();
}

on_each_store!(a_receiver_that_is_busy_says_when_it_wants_to_be_called);
async fn a_receiver_that_is_busy_says_when_it_wants_to_be_called(books: Books) {
    let house = House::new(books).await;
    let receiver = Receiver::new().await;
    let server = house.serve(&HASTY);
    let asking = house.asking(&server);
    let between = |calls: &[Called]| calls[1].at.since(calls[0].at) / calendar::MICROS_PER_SECOND;
    for status in [429, 502, 503, 504] {
        let manners = [Manner::Asks(status, 2), Manner::Takes];
        let sent = Sent::new((&asking, &receiver), "busy", &manners).await;
        let calls = sent.wait(2).await;
        assert!(between(&calls) >= 1, "{status}: after {} s", between(&calls));
    }
    // Of others it is nothing that they can say.
    let manners = [Manner::Asks(500, 3_600), Manner::Takes];
    let sent = Sent::new((&asking, &receiver), "hasty", &manners).await;
    assert!(between(&sent.wait(2).await) < 3_600);
    // Nobody waits for longer than a day.
    let sent = Sent::new((&asking, &receiver), "never", &[Manner::Asks(503, 900_000_000)]).await;
    let called = sent.wait(1).await.remove(0);
    let is_noted = |told: &Value| told["callback"]["tries"] == 1;
    let told = asking.until(&sent.id, is_noted).await;
    let next = instant(word(&told, "/callback/nextAt"));
    let pause_s = next.since(called.at) / calendar::MICROS_PER_SECOND;
    assert!((86_000..=86_500).contains(&pause_s), "{pause_s} s: {told}");
    server.stop();
}

/// A moment as the contract spells it.
fn instant(text: &str) -> Instant {
    moment(&text.replace("+0000", "Z"))
}

on_each_store!(a_receiver_that_hangs_holds_up_nobody_else);
async fn a_receiver_that_hangs_holds_up_nobody_else(books: Books) {
    let house = House::new(books).await;
    let (slow, quick) = (Receiver::new().await, Receiver::new().await);
    let server = house.serve(&[
        ("RECKONER_CALLBACKS__PAUSES_SECONDS", "[0, 0, 0]"),
        ("RECKONER_CALLBACKS__TIMEOUT_SECONDS", "120"),
        ("RECKONER_CALLBACKS__PER_RECEIVER", "2"),
        ("RECKONER_CALLBACKS__AT_ONCE", "8"),
    ]);
    let asking = house.asking(&server);
    let mut waiting = Vec::new();
    for nth in 0..12 {
        let name = format!("slow-{nth}");
        waiting.push(Sent::new((&asking, &slow), &name, &[Manner::Hangs]).await);
    }
    for sent in &waiting {
        asking.ended(&sent.id).await;
    }
    for nth in 0..12 {
        let name = format!("quick-{nth}");
        let sent = Sent::new((&asking, &quick), &name, &[Manner::Takes]).await;
        let told = asking.settled(&sent.id).await;
        assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{told}");
    }
    assert_eq!(slow.count(), 2, "so many go to one receiver at once");
    for sent in &waiting {
        let told = asking.told(&sent.id).await;
        assert_eq!(word(&told, "/callback/status"), "PENDING", "{told}");
    }
    server.kill();
}

/// Columns by which hardly two messages are alike.
const WIDE: [&str; 12] = [
    "DAY",
    "ACCOUNT_KEY",
    "USER_NAME",
    "SENDER",
    "COUNTRY_CODE",
    "NETWORK_NAME",
    "CAMPAIGN_REFERENCE",
    "TEMPLATE_ID",
    "APPLICATION_ID",
    "ENTITY_ID",
    "TRAFFIC_TYPE",
    "DIRECTION",
];

on_each_store!(a_large_result_is_delivered_to_who_reads_it_slowly);
async fn a_large_result_is_delivered_to_who_reads_it_slowly(books: Books) {
    let house = House::with(books, 12_000).await;
    let receiver = Receiver::narrow();
    let server = house.serve(&HASTY);
    let asking = house.asking(&server);
    let [first, .., last] = months();
    let days = (first.start().day().to_string(), last.end().day().to_string());
    let url = receiver.url("large", &[Manner::Sips]);
    let id = asking.submit(&query(&url, (&days.0, &days.1), &WIDE)).await;
    let (name, manners) = ("large".to_owned(), vec![Manner::Sips]);
    let sent = Sent { asking: &asking, receiver: &receiver, name, manners, id };
    let told = asking.settled(&sent.id).await;
    assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{told}");
    assert_eq!(told["callback"]["tries"], json!(1), "{told}");
    sent.are_alike(&asking.secret().await).await;
    // It is of several portions, and reading it took longer than a try of a small one may.
    let size_bytes = sent.calls()[0].body.len();
    assert!(size_bytes > 3 << 19, "{size_bytes} bytes");
    let log = sent.attempts().await;
    let took_ms = log["attempts"][0]["tookMs"].as_u64().unwrap_or_else(|| panic!("{log}"));
    assert!(took_ms >= 2_000, "{log}");
    server.stop();
}

on_each_store!(what_is_owed_is_delivered_after_a_restart);
async fn what_is_owed_is_delivered_after_a_restart(books: Books) {
    let house = House::new(books).await;
    let receiver = Receiver::new().await;
    let pauses = [("RECKONER_CALLBACKS__PAUSES_SECONDS", "[0, 5, 5]")];
    let manners = [Manner::Answers(500), Manner::Takes];
    let server = house.serve(&pauses);
    let asking = house.asking(&server);
    let secret = asking.secret().await;
    let sent = Sent::new((&asking, &receiver), "owed", &manners).await;
    sent.wait(1).await;
    asking.until(&sent.id, |told| told["callback"]["tries"] == 1).await;
    let id = sent.id.clone();
    server.stop();
    assert_eq!(receiver.calls("owed", &manners).len(), 1);
    let server = house.serve(&pauses);
    let asking = house.asking(&server);
    assert_eq!(asking.secret().await, secret, "it is kept");
    let told = asking.settled(&id).await;
    assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{told}");
    let (name, manners) = ("owed".to_owned(), manners.to_vec());
    let sent = Sent { asking: &asking, receiver: &receiver, name, manners, id };
    assert_eq!(sent.calls().len(), 2);
    sent.are_alike(&secret).await;
    server.stop();
}

on_each_store!(what_was_delivered_is_sent_again_on_demand);
async fn what_was_delivered_is_sent_again_on_demand(books: Books) {
    let house = House::new(books).await;
    let receiver = Receiver::new().await;
    let server = house.serve(&HASTY);
    let asking = house.asking(&server);
    let secret = asking.secret().await;
    for (name, manners, before) in [
        ("delivered", vec![Manner::Takes], 1),
        ("dead", vec![Manner::Answers(500), Manner::Mute, Manner::Slams, Manner::Takes], 3),
    ] {
        let sent = Sent::new((&asking, &receiver), name, &manners).await;
        asking.settled(&sent.id).await;
        assert_eq!(sent.calls().len(), before, "{name}");
        let path = format!("{QUERY}/{}/resend", sent.id);
        let (status, told) = asking.ask(Method::POST, &path, None).await;
        assert_eq!(status, 202, "{name}: {told}");
        sent.wait(before + 1).await;
        let told = asking.settled(&sent.id).await;
        assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{name}: {told}");
        sent.are_alike(&secret).await;
        let log = sent.attempts().await;
        let attempts = log["attempts"].as_array().unwrap_or_else(|| panic!("{log}"));
        assert_eq!(attempts.len(), before + 1, "the first ones are not forgotten: {log}");
    }
    server.stop();
}

on_each_store!(a_query_that_is_cancelled_is_owed_to_nobody);
async fn a_query_that_is_cancelled_is_owed_to_nobody(books: Books) {
    let house = House::new(books).await;
    let receiver = Receiver::new().await;
    let server = house.serve(&[("RECKONER_CALLBACKS__PAUSES_SECONDS", "[0, 3, 3]")]);
    let asking = house.asking(&server);
    let manners = [Manner::Answers(500), Manner::Takes];
    let sent = Sent::new((&asking, &receiver), "cancelled", &manners).await;
    sent.wait(1).await;
    let path = format!("{QUERY}/{}", sent.id);
    let (status, told) = asking.ask(Method::DELETE, &path, None).await;
    assert_eq!((status, word(&told, "/callback/status")), (200, "CANCELLED"), "{told}");
    // By the third try of the next result, the second of this one would long have been due.
    let patient = [Manner::Answers(500), Manner::Mute, Manner::Takes];
    let other = Sent::new((&asking, &receiver), "other", &patient).await;
    let told = asking.settled(&other.id).await;
    assert_eq!(word(&told, "/callback/status"), "DELIVERED", "{told}");
    assert_eq!(sent.calls().len(), 1);
    server.stop();
}

on_each_store!(a_query_that_fails_says_why_and_nothing_else);
async fn a_query_that_fails_says_why_and_nothing_else(books: Books) {
    let house = House::new(books).await;
    let receiver = Receiver::new().await;
    let server = house.serve(&[("RECKONER_LIMITS__ANSWER_ROWS", "2")]);
    let asking = house.asking(&server);
    let url = receiver.url("failed", &[Manner::Takes]);
    let id = asking.submit(&with_options(of_this_month(&url), json!({}))).await;
    let told = asking.settled(&id).await;
    assert_eq!(word(&told, "/status"), "FAILED", "{told}");
    let why = word(&told, "/failureMessage");
    assert!(why.contains("limits.answer_rows"), "{told}");
    let called = receiver.wait("failed", &[Manner::Takes], 1).await.remove(0);
    let body: Value = serde_json::from_slice(&called.body).expect("JSON");
    let expected = json!({ "requestId": id, "status": "FAILED", "failureMessage": why });
    assert_eq!(body, expected);
    called.check_signed(&asking.secret().await);
    let (status, _) = asking.ask(Method::GET, &format!("{QUERY}/{id}/result"), None).await;
    assert!(matches!(status, 404 | 409), "{status}: there is no result");
    server.stop();
}
