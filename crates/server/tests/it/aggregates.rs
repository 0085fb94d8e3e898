//! Usage aggregates of a few records: days and hours, with instances and without, by when usage was
//! reported.

use crate::books::{Books, Schema, on_each_store};
use crate::in_process;
use calendar::{Instant, Interval, SetClock};
use domain::access::Caller;
use domain::ids::SubscriptionId;
use domain::usage::{Dimension, UsageRecord};
use service::{Granularity, Incoming, Reckoner, UsageAggregate, UsageAsked, UsageDetail};
use std::path::Path;

const SOURCE: &str = "[[source]]\nname = \"gate\"\nbilling_accounts = [\"acme\"]\n";

/// One record: when it was used (from, until), when it was reported, of what, how much.
type Used = (&'static str, &'static str, &'static str, &'static str, &'static str);

const USED: &[Used] = &[
    ("2026-04-01T10:05:00Z", "2026-04-01T10:10:00Z", "2026-04-02T01:00:00Z", "web", "1"),
    ("2026-04-01T10:59:59Z", "2026-04-01T11:30:00Z", "2026-04-02T01:30:00Z", "web", "2.5"),
    ("2026-04-01T11:00:00Z", "2026-04-01T11:00:00Z", "2026-04-02T01:00:00Z", "web", "4"),
    ("2026-04-01T10:30:00Z", "2026-04-01T10:30:00Z", "2026-04-02T02:00:00Z", "db", "8"),
    // Used on the same day, reported days later.
    ("2026-04-01T10:45:00Z", "2026-04-01T10:45:00Z", "2026-04-05T00:00:00Z", "web", "16"),
    // Used later, reported with the rest.
    ("2026-04-02T00:00:00Z", "2026-04-02T00:00:00Z", "2026-04-02T02:59:59Z", "db", "32"),
    // Fills a day, and thus more than an hour: it stands by itself where instances are shown.
    ("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z", "2026-04-02T00:00:00Z", "web", "64"),
    ("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z", "2026-04-02T00:00:00Z", "web", "128"),
];

fn time(text: &str) -> Instant {
    Instant::parse(text).expect("a time")
}

fn record(nth: usize, (from, until, reported, resource, quantity): &Used) -> Incoming {
    Incoming::Record(Box::new(UsageRecord {
        resource: (*resource).to_owned(),
        service_period: Interval::new(time(from), time(until)).expect("an interval"),
        reported_at: Some(time(reported)),
        dimensions: [(Dimension::Location, format!("{resource}-land"))].into(),
        tags: [("of".to_owned(), (*resource).to_owned())].into(),
        ..in_process::record(&nth.to_string(), quantity)
    }))
}

/// A row as the tables below spell it: bucket, quantity, instance, newest report.
fn told(row: &UsageAggregate) -> String {
    let short = |at: Instant| at.to_string().replace("2026-04-", "").replace(":00:00Z", "");
    let (start, end) = (short(row.bucket.start()), short(row.bucket.end()));
    let instance = match (row.resource.as_str(), &row.location, row.tags.get("of")) {
        ("", None, None) => "all".to_owned(),
        (resource, Some(location), Some(tag)) => {
            assert_eq!((location.as_str(), tag.as_str()), (&*format!("{resource}-land"), resource));
            resource.to_owned()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(row.meter.as_str(), "hours");
    format!("{start}-{end} {} of {instance} by {}", row.quantity, short(row.reported_at))
}

/// Asks, and compares with the rows that there must be, in any order.
async fn check(
    reckoner: &Reckoner,
    (from, until): (&str, &str),
    (granularity, detail): (Granularity, UsageDetail),
    expected: &[&str],
) {
    let asked = UsageAsked {
        subscription: SubscriptionId::new("shop").expect("an id"),
        reported: Interval::new(time(from), time(until)).expect("an interval"),
        granularity,
        detail,
        token: None,
    };
    let page = reckoner.usage_aggregates(&Caller::Machine, &asked).await.expect("rows");
    assert_eq!(page.next, None);
    let mut rows: Vec<String> = page.rows.iter().map(told).collect();
    rows.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(rows, expected, "{asked:?}");
}

/// The shop with what was used there.
async fn with_records(directory: &Path, schema: Option<&Schema>) -> Reckoner {
    let clock = SetClock::at(time("2026-04-20"));
    let reckoner = in_process::open(directory, schema, &clock, |_| {}).await;
    let declared = [in_process::ACCOUNT, in_process::SHOP, SOURCE].concat();
    in_process::declare(&reckoner, &declared).await;
    let records = USED.iter().enumerate().map(|(nth, used)| record(nth, used)).collect();
    let taken = reckoner.take_in(&Caller::Machine, records).await.expect("taken in");
    assert_eq!(taken.len(), USED.len());
    reckoner
}

async fn usage_adds_up_by_bucket_and_instance_and_is_found_by_its_report(books: Books) {
    use Granularity::{Daily, Hourly};
    use UsageDetail::{Hidden, Shown};
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let reckoner = with_records(directory.path(), schema.as_ref()).await;
    let whole = ("2026-04-02", "2026-04-03");
    check(
        &reckoner,
        whole,
        (Daily, Shown),
        &[
            "01T00-02T00 7.5 of web by 02T01:30:00Z",
            "01T00-02T00 8 of db by 02T02",
            "02T00-03T00 32 of db by 02T02:59:59Z",
            "01T00-02T00 64 of web by 02T00",
            "01T00-02T00 128 of web by 02T00",
        ],
    )
    .await;
    check(
        &reckoner,
        whole,
        (Daily, Hidden),
        &["01T00-02T00 207.5 of all by 02T02", "02T00-03T00 32 of all by 02T02:59:59Z"],
    )
    .await;
    check(
        &reckoner,
        whole,
        (Hourly, Shown),
        &[
            "01T10-01T11 3.5 of web by 02T01:30:00Z",
            "01T11-01T12 4 of web by 02T01",
            "01T10-01T11 8 of db by 02T02",
            "02T00-02T01 32 of db by 02T02:59:59Z",
            "01T00-02T00 64 of web by 02T00",
            "01T00-02T00 128 of web by 02T00",
        ],
    )
    .await;
    check(
        &reckoner,
        whole,
        (Hourly, Hidden),
        &[
            "01T10-01T11 11.5 of all by 02T02",
            "01T11-01T12 4 of all by 02T01",
            "02T00-02T01 32 of all by 02T02:59:59Z",
            "01T00-02T00 192 of all by 02T00",
        ],
    )
    .await;
    // By its report, wherever its use lies; the end is exclusive.
    let hour = ("2026-04-02T01:00:00Z", "2026-04-02T02:00:00Z");
    check(
        &reckoner,
        hour,
        (Hourly, Hidden),
        &["01T10-01T11 3.5 of all by 02T01:30:00Z", "01T11-01T12 4 of all by 02T01"],
    )
    .await;
    let late = ("2026-04-05", "2026-04-06");
    check(&reckoner, late, (Daily, Shown), &["01T00-02T00 16 of web by 05T00"]).await;
    check(&reckoner, ("2026-04-01", "2026-04-02"), (Daily, Shown), &[]).await;
    reckoner.close().await.expect("closed");
}

on_each_store!(usage_adds_up_by_bucket_and_instance_and_is_found_by_its_report);
