//! Limits on questions: what passes one is refused as such, with the key that changes it.

use crate::books::{Books, on_each_store};
use crate::in_process;
use calendar::{Day, Instant, SetClock};
use domain::Kind;
use domain::access::Caller;
use domain::usage::UsageRecord;
use service::{ChargeQuery, Config, GroupBy, Incoming};

const SOURCE: &str = "[[source]]\nname = \"gate\"\nbilling_accounts = [\"acme\"]\n";
const RECORDS: u64 = 4_000;

/// Each record is of a resource of its own, with a long name.
fn records() -> Vec<Incoming> {
    let record = |nth: u64| UsageRecord {
        resource: format!("{nth:0>250}"),
        ..in_process::record(&nth.to_string(), "1")
    };
    (0..RECORDS).map(|nth| Incoming::Record(Box::new(record(nth)))).collect()
}

fn day(text: &str) -> Day {
    Instant::parse(text).expect("a day").day()
}

/// What is said of the charges of each resource, under some limits.
async fn asked(books: Books, set: impl FnOnce(&mut Config)) -> String {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(Instant::parse("2026-05-05").expect("a time"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, set).await;
    let declared = [in_process::ACCOUNT, in_process::SHOP, SOURCE].concat();
    in_process::declare(&reckoner, &declared).await;
    reckoner.take_in(&Caller::Machine, records()).await.expect("taken in");
    let query = ChargeQuery {
        billing_account: None,
        days: day("2026-05-01")..day("2026-05-02"),
        group_by: vec![GroupBy::Resource],
        filters: Vec::new(),
        top: None,
    };
    let told = match reckoner.charges(&Caller::Machine, &query).await {
        Ok(table) => format!("{} rows", table.rows.len()),
        Err(error) => {
            assert_eq!(error.kind(), Kind::TooMuch, "{error}");
            error.to_string()
        }
    };
    // Closing would write what was taken in, for which the least memory of these is not enough.
    drop(reckoner);
    told
}

async fn a_question_beyond_a_limit_is_told_which(books: Books) {
    assert_eq!(asked(books, |config| config.limits.answer_rows = RECORDS).await, "4000 rows");
    let told = asked(books, |config| config.limits.answer_rows = RECORDS - 1).await;
    assert_eq!(told, "groups of an answer is at most 3999; set `limits.answer_rows` to change it");
    let told = asked(books, |config| config.limits.query_bytes = 300_000).await;
    assert_eq!(
        told,
        "bytes of memory of a query is at most 300000; set `limits.query_bytes` to change it"
    );
}

on_each_store!(a_question_beyond_a_limit_is_told_which);
