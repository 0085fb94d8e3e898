//! Explanations: why one price and no other made a charge.

use crate::books::{Books, on_each_store};
use crate::in_process;
use calendar::{Instant, SetClock};
use domain::access::Caller;
use domain::ids::SubscriptionId;
use domain::usage::{Dimension, UsageRecord};
use service::Incoming;

const SHEETS: &str = r#"
[[source]]
name = "gate"
billing_accounts = ["acme"]

[[meter]]
id = "days"
name = "Days"
category = "Machines"
unit = "Days"

[[meter]]
id = "weeks"
name = "Weeks"
category = "Machines"
unit = "Weeks"

[[subscription]]
id = "lab"
name = "Lab"
placements = [{ billing_account = "acme", profile = "research", offer = "MS-AZR-0003P" }]

[[price_list]]
id = "agreed"
billing_account = "acme"
from = "2026-01"
currency = "USD"
prices = [
    { meter = "days", model = { per_unit = "2" } },
    { meter = "weeks", lineage = "plain", model = { per_unit = "4" } },
    { meter = "weeks", lineage = "de", conditions = { country = "DE" },
      model = { per_unit = "5" } },
    { meter = "weeks", lineage = "de/1", conditions = { country = "DE", network = "1" },
      model = { per_unit = "6" } },
]

[[price_list]]
id = "research"
billing_account = "acme"
profile = "research"
from = "2026-01"
currency = "USD"
prices = [{ meter = "days", model = { per_unit = "3" } }]
"#;

/// Subscription, meter, country and network, and what the explanation says.
const WHY: &[(&str, &str, &str, &[&str])] = &[
    (
        "shop",
        "hours",
        "",
        &[
            "list `card` (fact ",
            ") is the rate card of offer MS-AZR-0003P; no price sheet prices it; lineage",
            "it holds without conditions",
        ],
    ),
    (
        "shop",
        "days",
        "",
        &[
            "list `agreed` (fact ",
            "is the billing account's price sheet, which goes before the offer's rate card; no \
             sheet of the billing profile prices it",
        ],
    ),
    (
        "lab",
        "days",
        "",
        &[
            "list `research` (fact ",
            "is the price sheet of billing profile `research`, which goes before the billing \
             account's sheet and the offer's rate card",
        ],
    ),
    ("lab", "weeks", "FR 1", &["list `agreed`", "lineage `plain`", "it holds without conditions"]),
    (
        "lab",
        "weeks",
        "DE 2",
        &["lineage `de`:", "its condition (country DE) is the most that matches the record"],
    ),
    (
        "lab",
        "weeks",
        "DE 1",
        &[
            "lineage `de/1`:",
            "its 2 conditions (network 1, country DE) are the most that match the record",
        ],
    ),
];

async fn an_explanation_says_why_that_list_and_that_price_won(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(Instant::parse("2026-05-05").expect("a time"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let declared = [in_process::ACCOUNT, in_process::SHOP, SHEETS].concat();
    in_process::declare(&reckoner, &declared).await;
    for (nth, (subscription, meter, places, expected)) in WHY.iter().enumerate() {
        let dimensions = places.split_once(' ').map(|(country, network)| {
            [(Dimension::Country, country.to_owned()), (Dimension::Network, network.to_owned())]
        });
        let record = UsageRecord {
            subscription: SubscriptionId::new(subscription).expect("an id"),
            meter: domain::ids::MeterId::new(meter).expect("an id"),
            dimensions: dimensions.into_iter().flatten().collect(),
            ..in_process::record(&nth.to_string(), "1")
        };
        let key = record.key.clone();
        let incoming = vec![Incoming::Record(Box::new(record))];
        reckoner.take_in(&Caller::Machine, incoming).await.expect("taken in");
        let explained = reckoner.explain_record(&Caller::Machine, &key).await.expect("explained");
        let [row] = explained.rows.as_slice() else { panic!("{explained:?}") };
        for words in *expected {
            assert!(row.why.contains(words), "no `{words}` in\n{}", row.why);
        }
    }
    reckoner.close().await.expect("closed");
}

on_each_store!(an_explanation_says_why_that_list_and_that_price_won);
