//! What is owed without usage: by whoever is placed under a price with a minimum, from the instant
//! that is stated, whatever others use and whoever looks.

use crate::books::{Books, on_each_store};
use crate::in_process::{ACCOUNT, SHOP, declare, open, record};
use calendar::{Day, Instant, Interval, SetClock};
use domain::access::Caller;
use domain::ids::BillingAccountId;
use domain::usage::UsageRecord;
use service::{ChargeQuery, ChargeRow, GroupBy, Incoming, Reckoner};
use std::ops::Range;

/// Two more subscriptions of another account: one since a day, one since always.
const IDLE: &str = r#"
[[billing_account]]
id = "idle"
name = "Idle"
currency = "USD"
region = "US"

[[offer]]
id = "SEATS"
name = "Seats"
has_rate_card = true

[[meter]]
id = "seat"
name = "Seat"
category = "Seats"
unit = "Seats"

[[price_list]]
id = "seats"
offer = "SEATS"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "seat", model = { per_unit = "1" }, minimum = "7" }]

[[subscription]]
id = "since-march"
name = "Since March"
placements = [
    { from = 2026-03-01T00:00:00Z, billing_account = "idle", offer = "SEATS" },
]

[[subscription]]
id = "since-always"
name = "Since always"
placements = [{ billing_account = "idle", offer = "SEATS" }]

[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

fn all_days() -> Range<Day> {
    let day = |text: &str| Instant::parse(text).expect("a day").day();
    day("2020-01-01")..day("2030-01-01")
}

/// Months, and what the idle account owes for them.
async fn owed(reckoner: &Reckoner) -> String {
    let query = ChargeQuery {
        billing_account: Some(BillingAccountId::new("idle").expect("an id")),
        days: all_days(),
        group_by: vec![GroupBy::Month],
        filters: Vec::new(),
        top: None,
    };
    let table = reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    let month = |row: &ChargeRow| row.keys[0].clone().expect("a month");
    let rows = table.rows.iter().map(|row| format!("{} {}", month(row), row.cost.major));
    rows.collect::<Vec<_>>().join(", ")
}

/// The same by the rows that `explain` walks through.
async fn explained(reckoner: &Reckoner) -> String {
    let idle = BillingAccountId::new("idle").expect("an id");
    let found = reckoner.explain_total(&Caller::Machine, &idle, all_days(), &[], 0).await;
    let totals = found.expect("an explanation").totals;
    totals.values().map(|total| total.major.to_string()).collect()
}

const THREE: &str = "2026-03 7, 2026-04 7, 2026-05 7";

on_each_store!(what_is_owed_without_usage_depends_on_nobody_elses);
async fn what_is_owed_without_usage_depends_on_nobody_elses(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let clock = SetClock::at(Instant::parse("2026-05-20").expect("a day"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &[ACCOUNT, SHOP, IDLE].concat()).await;
    let check = async |step: &str| {
        assert_eq!(owed(&reckoner).await, THREE, "{step}");
        assert_eq!(explained(&reckoner).await, "21", "{step}: explained");
        assert_eq!(owed(&reckoner).await, THREE, "{step}: after a look");
    };
    check("nobody has used anything").await;
    // What was declared since concerns everybody, and changes nothing of what is owed.
    declare(&reckoner, &IDLE.replace("name = \"Seat\"", "name = \"Chair\"")).await;
    check("something was declared anew").await;
    for (id, month) in [("1", "2026-05"), ("2", "2026-01"), ("3", "2020-01")] {
        let at = Instant::parse(&format!("{month}-01")).expect("a day");
        let record = UsageRecord { service_period: Interval::at(at), ..record(id, "1") };
        let records = vec![Incoming::Record(Box::new(record))];
        reckoner.take_in(&Caller::Machine, records).await.expect("a verdict");
        check(&format!("another used something in {month}")).await;
    }
    reckoner.settle_all().await.expect("written");
    check("all is written").await;
    reckoner.close().await.expect("closed");
}
