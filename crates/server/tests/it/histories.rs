//! One history, however it is lived through: SQLite or PostgreSQL, one thread or two, usage in any
//! order and batches, with restarts in between. Rows, invoices and the chain's head are the same.
//! What a crash leaves is the matter of `kills`.
//!
//! `RECKONER_HISTORIES` says how many, `RECKONER_SEED` which.

use crate::books::Books;
use crate::closing::PAYERS;
use crate::in_process;
use calendar::{BillingPeriod, Instant, Interval, SetClock};
use domain::access::Caller;
use domain::encoding::encode_row;
use domain::ids::{BillingAccountId, MeterId, PaymentId, RecordId, SubscriptionId};
use domain::numbering::DocumentNumber;
use domain::usage::UsageRecord;
use money::Fixed18;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use service::{
    CloseMode, ClosePeriod, DocumentsAsked, Drafts, Incoming, Issued, PaymentAsked, Reckoner, Way,
    Withdrawal,
};
use std::collections::BTreeSet;

/// What the payers use, with a plan and lots; the meters have tiers, a volume price and a minimum.
const USED: &str = r#"
[[offer]]
id = "metered"
name = "Metered"
has_rate_card = true

[[meter]]
id = "calls"
name = "Calls"
category = "Voice"
unit = "Calls"

[[meter]]
id = "users"
name = "Users"
category = "Voice"
unit = "Users"

[[lot]]
id = "welcome"
billing_account = "acme"
kind = "credit"
currency = "USD"
granted = "12.34"
from = 2026-05-10T00:00:00Z
until = 2026-06-20T00:00:00Z

[[lot]]
id = "prepaid"
billing_account = "globex"
kind = "prepayment"
currency = "USD"
granted = "55"
from = 2026-05-01T00:00:00Z
until = 2027-05-01T00:00:00Z

[[plan]]
billing_account = "acme"
id = "support"
name = "Support"
currency = "USD"
anchor_day = 31
cycle_months = 1
proration = "actual_days"
timing = "in_arrears"
amounts = [{ from = 2026-05-05, amount = "31" }]

[[subscription]]
id = "shop"
name = "Shop"
placements = [
    { until = 2026-06-11T00:00:00Z, billing_account = "acme", offer = "metered" },
    { from = 2026-06-11T00:00:00Z, billing_account = "globex", offer = "metered" },
]

[[subscription]]
id = "store"
name = "Store"
placements = [{ billing_account = "globex", offer = "metered" }]

[[source]]
name = "gate"
billing_accounts = ["acme", "globex"]
"#;

/// The card; the price of calls from June on is a history's own.
fn card(june: u64) -> String {
    format!(
        r#"
[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"

[[price_list.prices]]
meter = "hours"
model = {{ graduated = [{{ from = "0", price = "0.333" }}, {{ from = "100", price = "0.1234567" }}] }}

[[price_list.prices]]
meter = "calls"
model = {{ volume = [{{ from = "0", price = "0.011" }}, {{ from = "500", price = "0.007" }}] }}

[[price_list.prices]]
meter = "calls"
effective_from = 2026-06-01T00:00:00Z
model = {{ volume = [{{ from = "0", price = "0.0{june:03}" }}] }}

[[price_list.prices]]
meter = "users"
minimum = "3.5"
model = {{ per_unit = "0.25" }}
"#
    )
}

/// What happens in a month, before it is closed.
struct Month {
    period: BillingPeriod,
    /// Of the month, and late ones of those before.
    records: Vec<UsageRecord>,
    /// What calls cost from June on, in thousandths, once this month has begun.
    june: Option<u64>,
    /// What each account pays, in cents.
    paid: [u64; 2],
}

/// A history of May to July; the same from the same seed.
fn history(seed: u64) -> Vec<Month> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut id = 0_u64;
    let mut months = Vec::new();
    for (number, name) in ["2026-05", "2026-06", "2026-07"].into_iter().enumerate() {
        let period = BillingPeriod::parse(name).expect("a month");
        let mut records = Vec::new();
        for _ in 0..10 + draw.random_range(0..30) {
            // One in five is of a month that is closed by then.
            let back = if draw.random_range(0..5) == 0 {
                draw.random_range(0..number as u64 + 1)
            } else {
                0
            };
            let of = period.plus_months(-i32::try_from(back).expect("small")).expect("a month");
            id += 1;
            records.push(record(&mut draw, id, of));
        }
        let june = (draw.random_range(0..2) == 0).then(|| draw.random_range(0..40));
        months.push(Month {
            period,
            records,
            june,
            paid: [draw.random_range(0..3_000), draw.random_range(0..3_000)],
        });
    }
    months
}

fn record(draw: &mut ChaCha8Rng, id: u64, of: BillingPeriod) -> UsageRecord {
    let span = of.end().micros() - of.start().micros();
    let at = i64::try_from(draw.random_range(0..span.unsigned_abs())).expect("within a month");
    let at = of.start().plus_micros(at);
    let subscription = ["shop", "store"][usize::from(draw.random_range(0..2) == 1)];
    let moved = Instant::parse("2026-06-11").expect("a moment");
    let payer = if subscription == "store" || moved <= at { "globex" } else { "acme" };
    let meter =
        ["hours", "calls", "users"][usize::try_from(draw.random_range(0..3)).expect("small")];
    let thousandths = draw.random_range(0..400_000);
    let quantity = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    let mut record = in_process::record(&id.to_string(), &quantity);
    record.key.id = RecordId::new(&id.to_string()).expect("an id");
    record.key.billing_account = account(payer);
    record.subscription = SubscriptionId::new(subscription).expect("an id");
    record.meter = MeterId::new(meter).expect("an id");
    record.service_period = Interval::at(at);
    record.reported_at = Some(at);
    record
}

fn account(id: &str) -> BillingAccountId {
    BillingAccountId::new(id).expect("an id")
}

/// How a history is lived through.
#[derive(Debug, Clone, Copy)]
struct Manner {
    books: Books,
    threads: usize,
    /// Shuffles records, cuts batches and restarts, all by this.
    disorder: u64,
}

/// What is left of a history that must not depend on how it was lived through.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    rows: Vec<Vec<u8>>,
    /// Each as JSON, and as CSV.
    invoices: Vec<[String; 2]>,
    head: String,
}

async fn live(months: &[Month], way: Manner) -> Left {
    let directory = tempfile::tempdir().expect("a directory");
    let (schema, mut draw) = (way.books.schema(), ChaCha8Rng::seed_from_u64(way.disorder));
    let clock = SetClock::at(Instant::parse("2026-05-01").expect("a moment"));
    let open = || {
        in_process::open(directory.path(), schema.as_ref(), &clock, |config| {
            config.threads = way.threads;
        })
    };
    let mut reckoner = open().await;
    let first = [in_process::ACCOUNT, HOURS, PAYERS, USED, &card(9)].concat();
    in_process::declare(&reckoner, &first).await;
    let mut head = String::new();
    for month in months {
        let mut records = month.records.clone();
        if way.disorder > 0 {
            records.shuffle(&mut draw);
        }
        let size = if way.disorder > 0 { 1 + draw.random_range(0..9) } else { 1_000 };
        clock.set(month.period.end());
        for batch in records.chunks(usize::try_from(size).expect("small")) {
            send(&reckoner, batch).await;
            // What was taken in once is a duplicate.
            if way.disorder > 0 && draw.random_range(0..4) == 0 {
                send(&reckoner, batch).await;
            }
            if way.disorder > 0 && draw.random_range(0..6) == 0 {
                reckoner.close().await.expect("closed");
                drop(reckoner);
                reckoner = open().await;
            }
        }
        if let Some(june) = month.june {
            in_process::declare(&reckoner, &card(june)).await;
        }
        clock.set(month.period.end().plus_micros(4 * 86_400_000_000));
        pay(&reckoner, month).await;
        head = close(&reckoner, month.period).await;
        assert_eq!(close(&reckoner, month.period).await, head, "twice is once");
        // What it was computed from differs with the order of arrival; what it is does not.
        if month.period == months[0].period {
            rebill(&reckoner).await;
        }
        balances_are_chained(&reckoner, month.period).await;
    }
    let checked = reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
    assert_eq!(checked.problems, Vec::<String>::new(), "{way:?}");
    let left = left(&reckoner, months, head).await;
    reckoner.close().await.expect("closed");
    left
}

async fn send(reckoner: &Reckoner, records: &[UsageRecord]) {
    let records = records.iter().map(|record| Incoming::Record(Box::new(record.clone())));
    reckoner.take_in(&Caller::Machine, records.collect()).await.expect("taken in");
}

/// Pays what was drawn, once and told twice.
async fn pay(reckoner: &Reckoner, month: &Month) {
    for (id, cents) in ["acme", "globex"].into_iter().zip(month.paid) {
        let asked = PaymentAsked {
            id: PaymentId::new(&format!("{id}-{}", month.period)).expect("an id"),
            billing_account: account(id),
            amount: Fixed18::parse(&format!("{}.{:02}", cents / 100 + 1, cents % 100))
                .expect("an amount"),
            way: Way::In(Vec::new()),
        };
        let first = reckoner.record_payment(&Caller::Machine, &asked, "test").await.expect("paid");
        let again = reckoner.record_payment(&Caller::Machine, &asked, "test").await.expect("paid");
        assert_eq!((first.is_new, again.is_new), (true, false));
        assert_eq!((first.parts, first.surplus), (again.parts, again.surplus));
    }
}

/// Withdraws the first invoice, and puts another in its place.
async fn rebill(reckoner: &Reckoner) {
    let number = DocumentNumber::parse("reck-1").expect("a number");
    let asked = Withdrawal { number, reason: "the address was wrong".to_owned() };
    reckoner.rebill(&Caller::Machine, &asked, "test").await.expect("rebilled");
}

/// Each payer's months begin with what the one before ended with, up to the open one.
async fn balances_are_chained(reckoner: &Reckoner, closed: BillingPeriod) {
    for id in ["acme", "globex"] {
        let mut before = None;
        for period in [closed.previous(), closed, closed.next()] {
            let told = reckoner.balance_of_period(&Caller::Machine, &account(id), period).await;
            let summary = told.expect("a balance").balance.summary;
            let begins = summary.beginning;
            assert_eq!(begins, before.unwrap_or(begins), "{id} in {period}");
            before = Some(summary.ending().expect("a sum"));
        }
    }
}

async fn close(reckoner: &Reckoner, period: BillingPeriod) -> String {
    let asked = ClosePeriod {
        period,
        mode: CloseMode::Final,
        drafts: Drafts::Wait,
        left_out: BTreeSet::new(),
    };
    let closing = reckoner.close_period(&Caller::Machine, &asked, "test").await;
    let closing = closing.unwrap_or_else(|error| panic!("{error:?}"));
    closing.head.unwrap_or_else(|| panic!("not sealed: {closing:?}")).to_string()
}

async fn left(reckoner: &Reckoner, months: &[Month], head: String) -> Left {
    let mut rows = Vec::new();
    for id in ["acme", "globex"] {
        let days = months[0].period.start().day()..months[months.len() - 1].period.end().day();
        let all = reckoner
            .explain_total(&Caller::Machine, &account(id), days, &[], usize::MAX)
            .await
            .expect("explained");
        rows.extend(all.rows.iter().map(|explained| encode_row(&explained.row)));
    }
    let asked = DocumentsAsked::default();
    let documents = reckoner.issued(&Caller::Machine, &asked, 100).await.expect("documents");
    let written = documents.iter().map(|one| [admin::invoice_json(one).expect("JSON"), csv(one)]);
    Left { rows, invoices: written.collect(), head }
}

fn csv(issued: &Issued) -> String {
    let sheet = match issued {
        Issued::Invoice(document) => documents::invoice_lines(&document.invoice).expect("lines"),
        Issued::Note(note) => documents::note_lines(&note.note),
    };
    let mut bytes = Vec::new();
    documents::write_csv(&sheet, &mut bytes).expect("CSV");
    String::from_utf8(bytes).expect("text")
}

const HOURS: &str = r#"
[[meter]]
id = "hours"
name = "Hours"
category = "Machines"
unit = "Hours"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_history_comes_to_the_same_however_it_is_lived_through() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
    };
    let first = number("RECKONER_SEED", 1);
    for seed in first..first + number("RECKONER_HISTORIES", 3) {
        let months = history(seed);
        let one = Manner { books: Books::Sqlite, threads: 1, disorder: 0 };
        let expected = live(&months, one).await;
        assert!(!expected.invoices.is_empty() && !expected.rows.is_empty(), "seed {seed}");
        let two = Manner { threads: 2, disorder: seed, ..one };
        assert_eq!(live(&months, two).await, expected, "seed {seed}, {two:?}");
        if Books::Postgres.can_be_had("a history comes to the same however it is lived through") {
            let third = Manner { books: Books::Postgres, disorder: seed + 1, ..two };
            assert_eq!(live(&months, third).await, expected, "seed {seed}, {third:?}");
        }
    }
}

/// Ten writers want more than there is: the bound holds, whoever comes first.
async fn refunds_at_once_pay_out_no_more_than_there_is(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let clock = SetClock::at(Instant::parse("2026-06-05").expect("a moment"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let company = [in_process::ACCOUNT, HOURS, PAYERS, USED, &card(9)].concat();
    in_process::declare(&reckoner, &company).await;
    let asked = |id: &str, amount: &str, way: Way| PaymentAsked {
        id: PaymentId::new(id).expect("an id"),
        billing_account: account("acme"),
        amount: Fixed18::parse(amount).expect("an amount"),
        way,
    };
    let paid = asked("in", "50", Way::In(Vec::new()));
    reckoner.record_payment(&Caller::Machine, &paid, "test").await.expect("paid");
    let refunds = (0..10).map(|nth| asked(&format!("out-{nth}"), "7", Way::Out));
    let tasks: Vec<_> = refunds
        .map(|refund| {
            let reckoner = reckoner.clone();
            tokio::spawn(
                async move { reckoner.record_payment(&Caller::Machine, &refund, "test").await },
            )
        })
        .collect();
    let (mut paid_out, mut refused) = (0, 0);
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(_) => paid_out += 1,
            // Either the bound, or too many others at once: it may be tried again.
            Err(domain::Error::Overdrawn { .. } | domain::Error::Unavailable { .. }) => {
                refused += 1
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(paid_out + refused, 10);
    assert!(paid_out <= 7, "{paid_out} × 7 of 50");
    let rest = asked("rest", &format!("{}", 50 - 7 * paid_out), Way::Out);
    reckoner.record_payment(&Caller::Machine, &rest, "test").await.expect("what is left");
    let more = asked("more", "0.01", Way::Out);
    let refusal = reckoner.record_payment(&Caller::Machine, &more, "test").await;
    assert!(matches!(refusal, Err(domain::Error::Overdrawn { .. })), "{refusal:?}");
    let checked = reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
    assert_eq!(checked.problems, Vec::<String>::new());
    reckoner.close().await.expect("closed");
}

crate::books::on_each_store!(refunds_at_once_pay_out_no_more_than_there_is);
