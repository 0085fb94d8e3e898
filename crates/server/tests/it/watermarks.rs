//! Watermarks: how far a source has reported, and that nothing makes it look further than now.

use crate::books::{Books, Schema, on_each_store};
use crate::in_process;
use crate::installation::Installation;
use calendar::{Instant, Interval, MICROS_PER_DAY, SetClock};
use domain::access::Caller;
use domain::ids::{BillingAccountId, SourceName, SubscriptionId};
use domain::usage::{CLOCK_SKEW_MICROS, UsageRecord};
use serde_json::{Value, json};
use service::{Granularity, Incoming, Reckoner, UsageAsked, UsageDetail, WaitingAsked};
use std::path::Path;

/// A source whose silence is waited for: some hundred years.
const SOURCE: &str = r#"
[[source]]
name = "gate"
billing_accounts = ["acme"]
grace_s = 4000000000
"#;

fn now() -> Instant {
    Instant::parse("2026-05-05T12:00:00Z").expect("a time")
}

async fn open(directory: &Path, schema: Option<&Schema>) -> Reckoner {
    in_process::open(directory, schema, &SetClock::at(now()), |_| {}).await
}

/// What became of a record: its verdict, and what quarantine lists.
async fn sent(reckoner: &Reckoner, id: &str, reported_at: Option<Instant>) -> String {
    let record = UsageRecord { reported_at, ..in_process::record(id, "1") };
    let record = Incoming::Record(Box::new(record));
    let taken = reckoner.take_in(&Caller::Machine, vec![record]).await.expect("a verdict");
    let listed =
        reckoner.quarantine(&Caller::Machine, &WaitingAsked::default(), 100).await.expect("a list");
    let is_listed = listed.iter().any(|waits| waits.key.id.as_str() == id);
    format!("{:?} listed {is_listed}", taken[0].verdict)
}

/// Whether usage reported before a moment is taken to be complete.
async fn is_complete(reckoner: &Reckoner, until: Instant) -> bool {
    let asked = UsageAsked {
        subscription: SubscriptionId::new("shop").expect("an id"),
        reported: Interval::new(until.plus_micros(-MICROS_PER_DAY), until).expect("an interval"),
        granularity: Granularity::Daily,
        detail: UsageDetail::Hidden,
        token: None,
    };
    match reckoner.usage_aggregates(&Caller::Machine, &asked).await {
        Ok(_) => true,
        Err(domain::Error::NotReady { until: told }) => {
            assert_eq!(told, until);
            false
        }
        Err(other) => panic!("{other}"),
    }
}

async fn nothing_reported_in_the_future_moves_a_watermark(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let reckoner = open(directory.path(), schema.as_ref()).await;
    in_process::declare(&reckoner, &[in_process::ACCOUNT, in_process::SHOP, SOURCE].concat()).await;
    let start_of_day = now().start_of_day();
    let most = now().plus_micros(CLOCK_SKEW_MICROS);
    let beyond = most.plus_micros(1);
    let year_2099 = Instant::parse("2099-01-01").expect("a time");
    assert!(!is_complete(&reckoner, start_of_day).await, "nobody has reported");

    let waits = "Quarantined { reason: OutOfRange, field: \"reported_at\" } listed true";
    assert_eq!(sent(&reckoner, "far", Some(year_2099)).await, waits);
    assert_eq!(sent(&reckoner, "beyond", Some(beyond)).await, waits);
    assert!(!is_complete(&reckoner, start_of_day).await, "a report of the future is none");
    let source = SourceName::new("gate").expect("a name");
    let account = BillingAccountId::new("acme").expect("an id");
    let say = async |until: Instant| {
        let said =
            reckoner.report_until(&Caller::Machine, (&source, &account), until, "test").await;
        said.map_err(|error| error.to_string())
    };
    for future in [year_2099, beyond] {
        let refusal = say(future).await.expect_err("a moment that has not come");
        assert_eq!(refusal, format!("until: {future} is later than now, {}", now()));
    }
    assert!(!is_complete(&reckoner, start_of_day).await, "what was refused counts for nothing");

    assert_eq!(sent(&reckoner, "soon", Some(most)).await, "Accepted listed false");
    assert!(is_complete(&reckoner, now()).await, "clocks may differ a little");
    assert!(!is_complete(&reckoner, now().plus_micros(1)).await, "but nothing is known beyond now");
    assert_eq!(say(most).await, Ok(()));
    assert!(!is_complete(&reckoner, now().plus_micros(1)).await, "but nothing is known beyond now");

    reckoner.close().await.expect("closed");
    drop(reckoner);
    let reckoner = open(directory.path(), schema.as_ref()).await;
    assert!(is_complete(&reckoner, now()).await, "watermarks are kept");
    assert!(!is_complete(&reckoner, now().plus_micros(1)).await, "and read as they were");
    reckoner.close().await.expect("closed");
}

on_each_store!(nothing_reported_in_the_future_moves_a_watermark);

const USAGE: &str = "/subscriptions/shop/providers/Microsoft.Commerce/UsageAggregates\
    ?api-version=2015-06-01-preview&reportedStartTime=2026-03-01T00:00:00Z\
    &reportedEndTime=2026-03-02T00:00:00Z";

async fn a_source_that_speaks_of_the_future_is_refused_and_usage_stays_incomplete(books: Books) {
    let installation = Installation::new(books, "USD", &[in_process::SHOP, SOURCE].concat());
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let operator = installation.token(&server).await;
    let asked = async || {
        let answer = server.get(USAGE, Some(&operator)).send().await.expect("an answer");
        answer.status().as_u16()
    };
    let say = async |path: &str, body: Value| {
        let url = format!("{}/intake/v1/{path}", server.told("base_url"));
        let answer = server.client.post(url).bearer_auth(&key).json(&body).send().await;
        let answer = answer.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    assert_eq!(asked().await, 202);
    let event = json!({
        "id": "1", "source": "gate", "billing_account": "acme", "subscription": "shop",
        "meter": "hours", "quantity": "1", "start": "2026-03-01T00:00:00Z",
        "end": "2026-03-01T01:00:00Z", "reported_at": "2099-01-01T00:00:00Z",
    });
    let (status, told) = say("events", event).await;
    assert_eq!(status, 200, "{told}");
    assert!(told.contains("\"out_of_range\"") && told.contains("\"reported_at\""), "{told}");
    assert_eq!(asked().await, 202);
    let (status, told) =
        say("sources/gate/reportedUntil", json!({ "until": "9999-12-31T00:00:00Z" })).await;
    assert_eq!(status, 400, "{told}");
    assert!(told.contains("until: 9999-12-31T00:00:00Z is later than now"), "{told}");
    assert_eq!(asked().await, 202);
    let (status, told) =
        say("sources/gate/reportedUntil", json!({ "until": "2026-03-02T00:00:00Z" })).await;
    assert_eq!(status, 204, "{told}");
    assert_eq!(asked().await, 200);
    server.stop();
}

on_each_store!(a_source_that_speaks_of_the_future_is_refused_and_usage_stays_incomplete);
