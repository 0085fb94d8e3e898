//! Rated usage is a function of the facts: not of their order, their batches or our limits.

use crate::books::{Books, Schema, on_each_store};
use crate::in_process;
use calendar::{BillingPeriod, SetClock};
use domain::access::Caller;
use domain::rated::RatedRow;
use domain::usage::{UsageRecord, Verdict};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use service::{ChargeQuery, Config, GroupBy, Incoming, Reckoner};
use std::path::Path;
use world::World;

/// One way in which the same records can come in.
struct Way {
    name: &'static str,
    /// Shuffles the records if it is not 0, and splits them at random.
    seed: u64,
    batch_most: usize,
    tail_records: u64,
    overlay_rows: u64,
    buckets: u16,
    /// In how many of a hundred pauses between batches something else happens.
    interruptions: u32,
    threads: usize,
    /// Whether everything is sent again in the end, in another order.
    again: bool,
}

const WAYS: [Way; 5] = [
    Way {
        name: "as the sources sent them",
        seed: 0,
        batch_most: 5_000,
        tail_records: 250_000,
        overlay_rows: 500_000,
        buckets: 4,
        interruptions: 0,
        threads: 2,
        again: false,
    },
    Way {
        name: "in small batches, sealed all the time",
        seed: 0,
        batch_most: 400,
        tail_records: 100,
        overlay_rows: 100,
        buckets: 4,
        interruptions: 0,
        threads: 1,
        again: true,
    },
    Way {
        name: "shuffled, all accounts in one bucket",
        seed: 1,
        batch_most: 10_000,
        tail_records: 250_000,
        overlay_rows: 500_000,
        buckets: 1,
        interruptions: 0,
        threads: 8,
        again: false,
    },
    Way {
        name: "shuffled, with questions, seals and restarts between",
        seed: 2,
        batch_most: 3_000,
        tail_records: 1_000,
        overlay_rows: 1_000,
        buckets: 3,
        interruptions: 60,
        threads: 3,
        again: true,
    },
    Way {
        name: "shuffled otherwise, many buckets",
        seed: 3,
        batch_most: 1_500,
        tail_records: 20_000,
        overlay_rows: 10,
        buckets: 16,
        interruptions: 20,
        threads: 1,
        again: false,
    },
];

/// What is asked in the end.
const QUESTIONS: [&[&str]; 4] = [
    &["month"],
    &["day", "account", "subscription", "meter", "resource", "kind", "category"],
    &["month", "campaign", "country", "network", "meter"],
    &["month", "tag:team", "location"],
];

async fn open(directory: &Path, schema: Option<&Schema>, way: &Way, world: &World) -> Reckoner {
    let set = |config: &mut Config| {
        config.buckets = way.buckets;
        config.threads = way.threads;
        config.limits.tail_records = way.tail_records;
        config.limits.overlay_rows = way.overlay_rows;
    };
    in_process::open(directory, schema, &SetClock::at(world.now), set).await
}

async fn asked(reckoner: &Reckoner, question: &[&str]) -> String {
    let period = |name: &str| BillingPeriod::parse(name).expect("a billing period");
    let query = ChargeQuery {
        billing_account: None,
        days: period("2026-01").start().day()..period("2026-12").end().day(),
        group_by: question.iter().map(|name| GroupBy::parse(name).expect(name)).collect(),
        filters: Vec::new(),
        top: None,
    };
    let table = reckoner.charges(&Caller::Machine, &query).await.expect("an answer");
    assert!(!table.rows.is_empty());
    let rows = table.rows.iter().map(|row| format!("{row:?}\n"));
    format!("{:?}\n{}", table.columns, rows.collect::<String>())
}

/// Everything that the rated rows of a month say, in canonical order, but for where their records
/// stand in the log: that depends on the order in which they came. One month of each account: every
/// row is explained, which takes time.
async fn canonical_rows(reckoner: &Reckoner) -> String {
    let period = |name: &str| BillingPeriod::parse(name).expect("a billing period");
    let days = period("2026-10").start().day()..period("2026-10").end().day();
    let company = reckoner.company(&Caller::Machine).await.expect("the company");
    let mut told = String::new();
    for account in company.accounts.keys() {
        let explained =
            reckoner.explain_total(&Caller::Machine, account, days.clone(), &[], usize::MAX).await;
        let mut rows: Vec<RatedRow> =
            explained.expect("rows").rows.into_iter().map(|explained| explained.row).collect();
        rows.sort_by(|left, right| left.sort_key().cmp(&right.sort_key()));
        for row in rows {
            told.push_str(&format!("{:?}\n", RatedRow { position: None, ..row }));
        }
    }
    assert!(told.lines().count() > 100, "{} rows", told.lines().count());
    told
}

async fn interrupt(
    reckoner: Reckoner,
    chance: u32,
    reopen: impl AsyncFn() -> Reckoner,
) -> Reckoner {
    match chance {
        0 => {
            asked(&reckoner, QUESTIONS[1]).await;
            reckoner
        }
        1 => {
            reckoner.seal_now(&Caller::Machine, "test").await.expect("sealed");
            reckoner.keep_house().await.expect("kept");
            reckoner
        }
        _ => {
            reckoner.close().await.expect("closed");
            drop(reckoner);
            reopen().await
        }
    }
}

/// Takes the world's usage in one way, and gives the answers.
async fn answers(books: Books, way: &Way, world: &World) -> Vec<String> {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let reopen = async || open(directory.path(), schema.as_ref(), way, world).await;
    let mut reckoner = reopen().await;
    let caller = Caller::Machine;
    let plan = reckoner.plan(&caller, &world.declared).await.expect("a plan");
    reckoner.apply(&caller, &world.declared, &plan, "test").await.expect("applied");
    let mut rng = ChaCha8Rng::seed_from_u64(way.seed);
    let mut records: Vec<UsageRecord> = world.events().collect();
    if way.seed > 0 {
        records.shuffle(&mut rng);
    }
    while !records.is_empty() {
        let size = rng.random_range(1..=way.batch_most).min(records.len());
        let batch = records.drain(..size).map(|record| Incoming::Record(Box::new(record)));
        reckoner.take_in(&caller, batch.collect()).await.expect("taken in");
        if rng.random_range(0..100) < way.interruptions {
            let chance = rng.random_range(0..3);
            reckoner = interrupt(reckoner, chance, &reopen).await;
        }
    }
    if way.again {
        let mut records: Vec<UsageRecord> = world.events().collect();
        records.shuffle(&mut rng);
        for batch in records.chunks(way.batch_most) {
            let batch = batch.iter().map(|record| Incoming::Record(Box::new(record.clone())));
            let taken = reckoner.take_in(&caller, batch.collect()).await.expect("taken in");
            assert!(taken.iter().all(|taken| taken.verdict == Verdict::Duplicate), "{}", way.name);
        }
    }
    let mut answers = Vec::new();
    for question in QUESTIONS {
        answers.push(asked(&reckoner, question).await);
    }
    answers.push(canonical_rows(&reckoner).await);
    // Written files must say what memory said.
    reckoner.close().await.expect("closed");
    drop(reckoner);
    let reckoner = reopen().await;
    for (question, before) in QUESTIONS.iter().zip(&answers) {
        assert!(asked(&reckoner, question).await == *before, "{}: {question:?}", way.name);
    }
    reckoner.close().await.expect("closed");
    answers
}

/// The first line in which two answers differ.
fn difference(left: &str, right: &str) -> Option<String> {
    let mut lines = left.lines().zip(right.lines());
    let differing = lines.find(|(left, right)| left != right);
    let told = |(left, right)| format!("{left}\n{right}");
    (left != right).then(|| differing.map_or_else(|| "one is longer".to_owned(), told))
}

on_each_store!(rated_rows_and_charges_do_not_depend_on_order_batches_threads_or_limits);
async fn rated_rows_and_charges_do_not_depend_on_order_batches_threads_or_limits(books: Books) {
    let world = World::demo(7, [7; 32]);
    let [first, others @ ..] = &WAYS;
    let expected = answers(books, first, &world).await;
    for way in others {
        let found = answers(books, way, &world).await;
        let what = QUESTIONS.iter().copied().chain([&["canonical", "rows"][..]]);
        for ((question, expected), found) in what.zip(&expected).zip(&found) {
            assert_eq!(difference(expected, found), None, "{}: {question:?}", way.name);
        }
    }
}
