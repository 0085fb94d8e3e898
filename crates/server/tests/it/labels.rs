//! Names of dimension values change over time: each row has those of its own day or month.

use crate::books::{Books, on_each_store};
use crate::in_process;
use calendar::{Instant, Interval, SetClock};
use domain::access::Caller;
use domain::usage::{Dimension, UsageRecord};
use service::{ChargeQuery, GroupBy, Incoming, Reckoner};

const NAMED: &str = r#"
[[source]]
name = "gate"
billing_accounts = ["acme"]

[[name]]
dimension = "campaign"
value = "c-1"
name = "Spring"

[[name]]
dimension = "campaign"
value = "c-1"
from = "2026-04-15"
name = "Easter"

[[name]]
dimension = "campaign"
value = "c-1"
from = "2026-06-01"
name = "Summer"
"#;

fn time(text: &str) -> Instant {
    Instant::parse(text).expect("a time")
}

/// Asks for days by some columns; gives the key of the first and the name of the last.
async fn check(reckoner: &Reckoner, days: (&str, &str), group_by: &[&str], expected: &[&str]) {
    let query = ChargeQuery {
        billing_account: None,
        days: time(days.0).day()..time(days.1).day(),
        group_by: group_by.iter().map(|name| GroupBy::parse(name).expect(name)).collect(),
        filters: Vec::new(),
        top: None,
    };
    let table = reckoner.charges(&Caller::Machine, &query).await.expect("an answer");
    let text = |value: Option<&Option<String>>| value.cloned().flatten().expect("a value");
    let row = |row: &service::ChargeRow| {
        format!("{} {}", text(row.keys.first()), text(row.labels.last()))
    };
    let rows: Vec<String> = table.rows.iter().map(row).collect();
    assert_eq!(rows, expected, "{days:?} by {group_by:?}");
}

async fn a_row_has_the_names_of_its_own_day_or_month(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(time("2026-07-01"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let declared = [in_process::ACCOUNT, in_process::SHOP, NAMED].concat();
    in_process::declare(&reckoner, &declared).await;
    let used = ["2026-04-14", "2026-04-15", "2026-05-31", "2026-06-01"];
    let records = used.iter().map(|day| {
        Incoming::Record(Box::new(UsageRecord {
            service_period: Interval::at(time(day)),
            dimensions: [(Dimension::Campaign, "c-1".to_owned())].into(),
            ..in_process::record(day, "1")
        }))
    });
    reckoner.take_in(&Caller::Machine, records.collect()).await.expect("taken in");
    let year = ("2026-01-01", "2027-01-01");
    let days = ["2026-04-14 Spring", "2026-04-15 Easter", "2026-05-31 Easter", "2026-06-01 Summer"];
    check(&reckoner, year, &["day", "campaign"], &days).await;
    check(&reckoner, year, &["day", "month", "campaign"], &days).await;
    let months = ["2026-04 Spring", "2026-05 Easter", "2026-06 Summer"];
    check(&reckoner, year, &["month", "campaign"], &months).await;
    // A month counts as far as it is asked for.
    let late_april = ("2026-04-15", "2026-05-01");
    check(&reckoner, late_april, &["month", "campaign"], &["2026-04 Easter"]).await;
    // Without days and months: the last names within what is asked for.
    check(&reckoner, year, &["campaign"], &["c-1 Summer"]).await;
    check(&reckoner, ("2026-04-01", "2026-06-01"), &["campaign"], &["c-1 Easter"]).await;
    reckoner.close().await.expect("closed");
}

on_each_store!(a_row_has_the_names_of_its_own_day_or_month);
