//! Pinned answers: how many one caller may have, what is shared, and that they go away.

use crate::books::{Books, on_each_store};
use crate::in_process;
use crate::installation::Installation;
use crate::program::Server;
use calendar::{Instant, Interval, MICROS_PER_DAY, SetClock};
use domain::access::Caller;
use domain::ids::{PrincipalId, SubscriptionId};
use domain::usage::UsageRecord;
use serde_json::{Value, json};
use service::{Granularity, Incoming, Reckoner, UsageAsked, UsageDetail};
use std::path::Path;

const SOURCE: &str = r#"
[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

/// Two principals who may read everything.
const READERS: &str = r#"
[[role_assignment]]
principal = "ada"
role = "Auditor"
scope = "installation"

[[role_assignment]]
principal = "eve"
role = "Auditor"
scope = "installation"
"#;

fn principal(name: &str) -> Caller {
    Caller::Principal(PrincipalId::new(name).expect("an id"))
}

/// Usage reported on one of the days from 2026-05-01 on, or a page of it.
fn asked(day: i64, token: Option<String>) -> UsageAsked {
    let first = Instant::parse("2026-05-01").expect("a time");
    let start = first.plus_micros(day * MICROS_PER_DAY);
    UsageAsked {
        subscription: SubscriptionId::new("shop").expect("an id"),
        reported: Interval::new(start, start.plus_micros(MICROS_PER_DAY)).expect("an interval"),
        granularity: Granularity::Daily,
        detail: UsageDetail::Shown,
        token,
    }
}

/// Folders of pinned answers, and the bytes in them.
pub(crate) fn on_disk(data: &Path) -> (usize, u64) {
    let Ok(folders) = std::fs::read_dir(data.join("objects/pages")) else { return (0, 0) };
    let (mut count, mut bytes) = (0, 0);
    for folder in folders.map(|folder| folder.expect("a folder").path()) {
        let files = std::fs::read_dir(folder).expect("files").map(|file| file.expect("a file"));
        let sizes: Vec<u64> = files.map(|file| file.metadata().expect("a file").len()).collect();
        count += usize::from(!sizes.is_empty());
        bytes += sizes.iter().sum::<u64>();
    }
    (count, bytes)
}

/// Sends four machines' usage, reported on each of some days.
async fn send(reckoner: &Reckoner, days: std::ops::Range<i64>, prefix: &str) {
    let mut records = Vec::new();
    for day in days {
        for machine in 0..4 {
            let id = format!("{prefix}-{day}-{machine}");
            records.push(Incoming::Record(Box::new(UsageRecord {
                resource: format!("machine-{prefix}-{machine}"),
                reported_at: Some(asked(day, None).reported.start()),
                ..in_process::record(&id, "24")
            })));
        }
    }
    reckoner.take_in(&Caller::Machine, records).await.expect("verdicts");
}

/// All rows of an answer, page by page; or why there is none.
async fn walk(reckoner: &Reckoner, who: &str, day: i64) -> Result<usize, String> {
    let (mut rows, mut token) = (0, None);
    loop {
        let asked = asked(day, token.take());
        let page = reckoner.usage_aggregates(&principal(who), &asked).await;
        let page = page.map_err(|error| error.to_string())?;
        rows += page.rows.len();
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok(rows),
        }
    }
}

async fn one_caller_fills_no_disk_and_the_same_answer_is_pinned_once(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(Instant::parse("2026-05-31T12:00:00Z").expect("a time"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |config| {
        let limits = &mut config.limits;
        (limits.page_rows, limits.pinned_answers, limits.page_seconds) = (2, 2, 1_000);
    })
    .await;
    let company = [in_process::ACCOUNT, in_process::SHOP, SOURCE, READERS].concat();
    in_process::declare(&reckoner, &company).await;
    send(&reckoner, 0..4, "a").await;
    let data = directory.path().join("data");
    let pinned = || on_disk(&data).0;

    for _ in 0..3 {
        assert_eq!(walk(&reckoner, "ada", 0).await, Ok(4));
        assert_eq!(pinned(), 1, "the same question of the same usage is pinned once");
    }
    assert_eq!(walk(&reckoner, "eve", 0).await, Ok(4));
    assert_eq!(pinned(), 1, "and its files are there for everybody who may ask");
    assert_eq!(walk(&reckoner, "ada", 1).await, Ok(4));
    let full = "pinned answers of one caller are at most 2; try again in 1001 s, when the first of \
        them is over, or set `limits.pinned_answers`";
    assert_eq!(walk(&reckoner, "ada", 2).await, Err(full.to_owned()));
    assert_eq!(pinned(), 2, "what is refused is not written");
    assert_eq!(walk(&reckoner, "ada", 1).await, Ok(4), "what is pinned can still be read");
    assert_eq!(walk(&reckoner, "eve", 2).await, Ok(4), "others have their own");

    send(&reckoner, 1..2, "b").await;
    let refused = walk(&reckoner, "ada", 1).await;
    assert_eq!(refused, Err(full.to_owned()), "other usage is another answer");

    clock.set(clock_after(1_001));
    assert_eq!(walk(&reckoner, "ada", 1).await, Ok(8), "what has expired no longer counts");
    reckoner.keep_house().await.expect("housekeeping");
    assert_eq!(pinned(), 1, "and is swept");
    assert_eq!(walk(&reckoner, "ada", 1).await, Ok(8));
    reckoner.close().await.expect("closed");
}

on_each_store!(one_caller_fills_no_disk_and_the_same_answer_is_pinned_once);

fn clock_after(seconds: i64) -> Instant {
    Instant::parse("2026-05-31T12:00:00Z").expect("a time").plus_seconds(seconds)
}

async fn files_that_are_shared_live_as_long_as_the_last_who_needs_them(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(clock_after(0));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |config| {
        (config.limits.page_rows, config.limits.page_seconds) = (2, 1_000);
    })
    .await;
    let company = [in_process::ACCOUNT, in_process::SHOP, SOURCE, READERS].concat();
    in_process::declare(&reckoner, &company).await;
    send(&reckoner, 0..1, "a").await;
    let data = directory.path().join("data");
    assert_eq!(walk(&reckoner, "ada", 0).await, Ok(4));
    clock.set(clock_after(800));
    let first = reckoner.usage_aggregates(&principal("eve"), &asked(0, None)).await;
    let token = first.expect("a page").next;
    clock.set(clock_after(1_500));
    reckoner.keep_house().await.expect("housekeeping");
    assert_eq!(on_disk(&data).0, 1, "eve's walk goes on");
    let second = reckoner.usage_aggregates(&principal("eve"), &asked(0, token.clone())).await;
    assert_eq!(second.expect("a page").rows.len(), 2);
    let foreign = reckoner.usage_aggregates(&principal("ada"), &asked(0, token)).await;
    assert!(foreign.is_err(), "a token is good for its own caller only");
    clock.set(clock_after(1_801));
    reckoner.keep_house().await.expect("housekeeping");
    assert_eq!(on_disk(&data).0, 0);
    reckoner.close().await.expect("closed");
}

on_each_store!(files_that_are_shared_live_as_long_as_the_last_who_needs_them);

const USAGE: &str = "/subscriptions/shop/providers/Microsoft.Commerce/UsageAggregates\
    ?api-version=2015-06-01-preview&reportedStartTime=2026-03-02&reportedEndTime=2026-03-03";

/// Status, code, message, and seconds after which to come back.
async fn answer(server: &Server, token: &str, more: &str) -> (u16, String, Option<u64>) {
    let answer = server.get(&format!("{USAGE}{more}"), Some(token)).send().await;
    let answer = answer.expect("an answer");
    let after = answer.headers().get("retry-after");
    let after = after.map(|text| text.to_str().expect("text").parse().expect("seconds"));
    let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"));
    let error = &body["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (status, format!("{} {}", text("code"), text("message")).trim().to_owned(), after)
}

async fn bytes_that_one_caller_pins_are_bounded_in_the_surfaces_shape(books: Books) {
    let installation = Installation::new(books, "USD", &[in_process::SHOP, SOURCE].concat());
    let key = installation.key("gate");
    let send = async |server: &Server| {
        let event = |machine: u64| {
            json!({
                "id": format!("e-{machine}"), "source": "gate", "subscription": "shop",
                "resource": format!("machine-{machine}"), "meter": "hours", "quantity": "24",
                "start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z",
                "reported_at": "2026-03-02T01:00:00Z",
            })
            .to_string()
        };
        let body = (0..20).map(event).collect::<Vec<_>>().join("\n");
        let url = format!("{}/intake/v1/events", server.told("base_url"));
        let request = server.client.post(url).bearer_auth(&key).body(body);
        let request = request.header("content-type", "application/x-ndjson");
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    };
    let serve = async |most_bytes: &str| {
        let settings =
            [("RECKONER_LIMITS__PAGE_ROWS", "5"), ("RECKONER_LIMITS__PINNED_BYTES", most_bytes)];
        let server = installation.serve(&settings);
        let token = installation.token(&server).await;
        (server, token)
    };
    let (server, token) = serve("100").await;
    send(&server).await;
    let refusal = "LimitExceeded bytes of an answer is at most 100; set `limits.pinned_bytes` to \
        change it";
    assert_eq!(answer(&server, &token, "").await, (400, refusal.to_owned(), None));
    assert_eq!(on_disk(&installation.data()), (0, 0));
    server.stop();

    let (server, token) = serve("1000000").await;
    assert_eq!(answer(&server, &token, "").await, (200, String::new(), None));
    let (count, bytes) = on_disk(&installation.data());
    assert!(count == 1 && bytes > 100, "{count} answers, {bytes} bytes");
    server.stop();

    // The pinned answer of before still counts; another question does not fit beside it.
    let most = (bytes + bytes / 2).to_string();
    let (server, token) = serve(&most).await;
    let (status, told, after) = answer(&server, &token, "&aggregationGranularity=Hourly").await;
    let expected =
        format!("TooManyRequests bytes of pinned answers of one caller are at most {most};");
    assert!(status == 429 && told.starts_with(&expected), "{status} {told}");
    assert!(told.ends_with("or set `limits.pinned_bytes`"), "{told}");
    let after = after.expect("when to come back");
    assert!((80_000..=86_401).contains(&after), "{after} s");
    assert_eq!(on_disk(&installation.data()), (1, bytes));
    server.stop();
}

on_each_store!(bytes_that_one_caller_pins_are_bounded_in_the_surfaces_shape);
