//! Reservations: what they cover costs nothing, whatever meter it is of and in whatever order it
//! came; what they cost themselves is on the invoice.

use crate::books::{Books, on_each_store};
use crate::in_process;
use crate::installation::Installation;
use calendar::{BillingPeriod, Instant, Interval, SetClock};
use domain::access::Caller;
use domain::encoding::encode_row;
use domain::ids::{BillingAccountId, MeterId, RecordId};
use domain::usage::UsageRecord;
use serde_json::{Value, json};
use service::{ChargeQuery, CloseMode, ClosePeriod, Drafts, GroupBy, Incoming, Outcome, Reckoner};
use std::collections::BTreeSet;

/// A payer who uses hours of two meters.
const COMPANY: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
country = "US"

[[tax_rate]]
seller = "reck"
category = "standard"
rate = "0"

[[billing_terms]]
billing_account = "acme"
seller = "reck"
currency = "USD"
approval = "by_rule"

[[offer]]
id = "metered"
name = "Metered"
has_rate_card = true

[[meter]]
id = "hours"
name = "Hours"
category = "Machines"
unit = "Hours"

[[meter]]
id = "spot"
name = "Spot hours"
category = "Machines"
unit = "Hours"

[[meter]]
id = "calls"
name = "Calls"
category = "Voice"
unit = "Calls"

[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [
    { meter = "hours", model = { per_unit = "0.5" } },
    { meter = "spot", model = { per_unit = "0.2" } },
    { meter = "calls", model = { per_unit = "0.01" } },
]

[[subscription]]
id = "shop"
name = "Shop"
placements = [{ billing_account = "acme", offer = "metered" }]

[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

/// Two hours in each hour of May and June 2026, for a dollar an hour.
const RESERVED: &str = r#"
[[reservation]]
billing_account = "acme"
id = "machines"
billed_to = "shop"
meters = ["spot", "hours"]
quantity = "2"
currency = "USD"
price = "1464"
from = 2026-05-01T00:00:00Z
until = 2026-07-01T00:00:00Z
"#;

fn moment(text: &str) -> Instant {
    Instant::parse(text).expect("a moment")
}

/// `1 hours 3 0`: id, meter, quantity, and the hour of 1 May in which it was used.
fn record(text: &str) -> Incoming {
    let [id, meter, quantity, hour] = text.split(' ').collect::<Vec<_>>().try_into().expect(text);
    let start = moment("2026-05-01").plus_seconds(hour.parse::<i64>().expect("an hour") * 3600);
    let mut record = in_process::record(id, quantity);
    record.key.id = RecordId::new(id).expect("an id");
    record.meter = MeterId::new(meter).expect("an id");
    let service_period = Interval::new(start, start.plus_seconds(3600)).expect("an hour");
    Incoming::Record(Box::new(UsageRecord { service_period, ..record }))
}

async fn send(reckoner: &Reckoner, records: &[&str]) {
    let records = records.iter().map(|text| record(text)).collect();
    reckoner.take_in(&Caller::Machine, records).await.expect("taken in");
}

/// May's charges: keys, cost and amortised cost.
async fn charges(reckoner: &Reckoner, group_by: &[&str]) -> Vec<String> {
    let query = ChargeQuery {
        billing_account: Some(BillingAccountId::new("acme").expect("an id")),
        days: moment("2026-05-01").day()..moment("2026-06-01").day(),
        group_by: group_by.iter().map(|name| GroupBy::parse(name).expect("a name")).collect(),
        filters: Vec::new(),
        top: None,
    };
    let table = reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    let row = |row: &service::ChargeRow| {
        let keys = row.keys.iter().map(|key| key.as_deref().unwrap_or("-"));
        let keys = keys.collect::<Vec<_>>().join(" ");
        format!("{keys}: {}, amortised {}", row.cost.major, row.amortised.major)
    };
    table.rows.iter().map(row).collect()
}

async fn what_one_meter_takes_of_a_reservation_another_cannot_have(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:00:00Z"));
    let open = || in_process::open(directory.path(), schema.as_ref(), &clock, |_| {});
    let reckoner = open().await;
    in_process::declare(&reckoner, &[in_process::ACCOUNT, COMPANY, RESERVED].concat()).await;
    let told = ["reservation", "meter", "kind"];
    // Nothing is used: all of May is lost, at the reservation's first meter.
    let lost = |hours: &str| format!("machines hours unused: 0, amortised {hours}");
    assert_eq!(charges(&reckoner, &told).await, [lost("744")]);

    send(&reckoner, &["2 spot 1 0", "3 calls 5 0"]).await;
    let calls = "- calls usage: 0.05, amortised 0.05";
    let half = "machines spot covered: 0, amortised 0.5";
    assert_eq!(charges(&reckoner, &told).await, [calls, &lost("743.5"), half]);
    // Hours come before spot hours, and there is room for two: so the spot hour is rated again
    // although none of its meter came.
    reckoner.seal_now(&Caller::Machine, "test").await.expect("sealed");
    send(&reckoner, &["1 hours 3 0"]).await;
    let expected = [
        calls,
        "- hours usage: 0.5, amortised 0.5",
        "- spot usage: 0.2, amortised 0.2",
        "machines hours covered: 0, amortised 1",
        &lost("743"),
    ];
    assert_eq!(charges(&reckoner, &told).await, expected);
    // From the roll-ups too, and from files that were read again.
    reckoner.seal_now(&Caller::Machine, "test").await.expect("sealed");
    assert_eq!(charges(&reckoner, &told).await, expected);
    assert_eq!(charges(&reckoner, &["month"]).await, ["2026-05: 0.75, amortised 744.75"]);
    let days = charges(&reckoner, &["day", "reservation"]).await;
    assert_eq!(days[0], "2026-05-01 -: 0.75, amortised 0.75");
    assert_eq!(days[1], "2026-05-01 machines: 0, amortised 24");
    reckoner.close().await.expect("closed");
    drop(reckoner);
    let reckoner = open().await;
    assert_eq!(charges(&reckoner, &told).await, expected);

    let mut key = in_process::record("1", "3").key;
    key.id = RecordId::new("1").expect("an id");
    let explained = reckoner.explain_record(&Caller::Machine, &key).await.expect("explained");
    let why: Vec<&str> = explained.rows.iter().map(|row| row.why.as_str()).collect();
    let covered = "reservation `machines` covers 2 in its hours from 2026-05-01T00:00:00Z until \
        2026-05-01T01:00:00Z; their part of its price is 1 USD; at list price it would cost 1 USD: \
        list `card`";
    assert!(why[0].starts_with(covered), "{why:?}");
    assert!(why[1].starts_with("list `card`"), "{why:?}");
    reckoner.close().await.expect("closed");
}

on_each_store!(what_one_meter_takes_of_a_reservation_another_cannot_have);

/// Two departments; the laboratory, where the shop stands, is of the first.
const ENROLLED: &str = r#"
[[agreement]]
billing_account = "acme"
type = "enterprise agreement"

[agreement.enrollment]
start = 2026-01-01T00:00:00Z
end = 2029-01-01T00:00:00Z
currency = "USD"
country = "US"

[[department]]
billing_account = "acme"
id = "d1"
name = "First"

[[department]]
billing_account = "acme"
id = "d2"
name = "Second"

[[enrollment_account]]
billing_account = "acme"
id = "lab"
name = "Laboratory"
department = "d1"

[[subscription]]
id = "shop"
name = "Shop"
placements = [{ billing_account = "acme", offer = "metered" }]
standings = [{ place = { billing_account = "acme", level = "enrollment account", id = "lab" } }]
"#;

async fn a_place_that_moves_takes_its_usage_out_of_a_reservation(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:00:00Z"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let start = COMPANY.find("[[subscription]]").expect("a subscription");
    let end = COMPANY.find("[[source]]").expect("a source");
    let of_place = "scope = { place = { level = \"department\", id = \"d1\" } }\n";
    let company =
        [in_process::ACCOUNT, &COMPANY[..start], &COMPANY[end..], ENROLLED, RESERVED, of_place];
    in_process::declare(&reckoner, &company.concat()).await;
    send(&reckoner, &["1 hours 1 0", "2 hours 1 400"]).await;
    let told = ["reservation", "kind"];
    let expected = ["machines covered: 0, amortised 1", "machines unused: 0, amortised 743"];
    assert_eq!(charges(&reckoner, &told).await, expected);
    // From the sixteenth on it is of the other department: of hour 400 nothing is covered.
    let moved = "[[enrollment_account]]\nbilling_account = \"acme\"\nid = \"lab\"\n\
        name = \"Laboratory\"\ndepartment = \"d2\"\nfrom = 2026-05-16T00:00:00Z\n";
    in_process::declare(&reckoner, moved).await;
    let expected = [
        "- usage: 0.5, amortised 0.5",
        "machines covered: 0, amortised 0.5",
        "machines unused: 0, amortised 743.5",
    ];
    assert_eq!(charges(&reckoner, &told).await, expected);
    reckoner.close().await.expect("closed");
}

on_each_store!(a_place_that_moves_takes_its_usage_out_of_a_reservation);

fn may(mode: CloseMode) -> ClosePeriod {
    let period = BillingPeriod::parse("2026-05").expect("a period");
    ClosePeriod { period, mode, drafts: Drafts::Wait, left_out: BTreeSet::new() }
}

async fn a_reservation_is_bought_given_back_and_closed(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:00:00Z"));
    let open = || in_process::open(directory.path(), schema.as_ref(), &clock, |_| {});
    let reckoner = open().await;
    in_process::declare(&reckoner, &[in_process::ACCOUNT, COMPANY, RESERVED].concat()).await;
    send(&reckoner, &["1 hours 3 0", "2 hours 1 383", "3 hours 1 384"]).await;
    let covered = "machines covered: 0, amortised 2";
    let before = charges(&reckoner, &["reservation", "kind"]).await;
    assert_eq!(
        before,
        ["- usage: 0.5, amortised 0.5", covered, "machines unused: 0, amortised 742"]
    );

    // Given back after sixteen days: what is used from then on is paid for.
    let cancelled = "cancelled = { at = 2026-05-17T00:00:00Z, fee = \"10\" }\n";
    in_process::declare(&reckoner, &[RESERVED, cancelled].concat()).await;
    let after = charges(&reckoner, &["reservation", "kind"]).await;
    let expected = [
        "- usage: 1, amortised 1",
        "machines covered: 0, amortised 1.5",
        "machines unused: 0, amortised 382.5",
    ];
    assert_eq!(after, expected);

    let closing = reckoner.close_period(&Caller::Machine, &may(CloseMode::Final), "test").await;
    let closing = closing.expect("closed");
    let outcome = &closing.accounts[0].outcome;
    assert!(matches!(outcome, Outcome::Closed { .. }), "{outcome:?}");
    let invoices = reckoner.documents(&Caller::Machine, &Default::default(), 9).await;
    let invoices = invoices.expect("the invoices");
    let lines = invoices[0].invoice.lines.iter().map(|line| {
        let key = &line.key;
        let what = key.meter.as_ref().map_or(key.item.as_str(), |meter| meter.as_str());
        format!("{} {what} {}", key.category.name(), line.pricing.major)
    });
    let expected = [
        "usage hours 1",
        "purchase machines cancel 10",
        "purchase machines purchase 1464",
        "refund machines refund -1080",
    ];
    let lines: BTreeSet<String> = lines.collect();
    assert_eq!(lines, expected.map(str::to_owned).into());
    assert_eq!(invoices[0].owed.to_string(), "395.00 USD");
    let checked = reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
    assert_eq!((checked.problems, checked.notes), (vec![], vec![]));
    reckoner.close().await.expect("closed");
    drop(reckoner);

    // Usage that comes too late for the close takes what was left: a correction waits.
    let reckoner = open().await;
    send(&reckoner, &["0 hours 2 0"]).await;
    let checked = reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
    assert_eq!(checked.problems, [""; 0]);
    let notes = ["acme in 2026-05: 1 corrections wait for the next close"];
    assert_eq!(checked.notes, notes);
    reckoner.close().await.expect("closed");
}

on_each_store!(a_reservation_is_bought_given_back_and_closed);

const USAGE: [&str; 7] = [
    "1 hours 3 0",
    "2 spot 1.5 0",
    "3 hours 0.5 1",
    "4 spot 0.25 1",
    "5 spot 4 700",
    "6 calls 1 700",
    "7 hours 1 701",
];

/// Canonical rows of May, as bytes: in which order what came does not matter, nor what was sealed.
async fn rows(books: Books, order: &[&str], seals: bool, declares_last: bool) -> Vec<Vec<u8>> {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let clock = SetClock::at(moment("2026-06-05T12:00:00Z"));
    let threads = if seals { 1 } else { 3 };
    let set = |config: &mut service::Config| config.threads = threads;
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, set).await;
    let mut first = [in_process::ACCOUNT, COMPANY].concat();
    if !declares_last {
        first.push_str(RESERVED);
    }
    in_process::declare(&reckoner, &first).await;
    for one in order {
        send(&reckoner, &[one]).await;
        if seals {
            reckoner.seal_now(&Caller::Machine, "test").await.expect("sealed");
        }
    }
    if declares_last {
        charges(&reckoner, &["month"]).await;
        in_process::declare(&reckoner, RESERVED).await;
    }
    let account = BillingAccountId::new("acme").expect("an id");
    let days = moment("2026-05-01").day()..moment("2026-06-01").day();
    let explained = reckoner.explain_total(&Caller::Machine, &account, days, &[], 1_000).await;
    let explained = explained.expect("explained").rows;
    let mut rows: Vec<_> = explained.into_iter().map(|explained| explained.row).collect();
    rows.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    reckoner.close().await.expect("closed");
    rows.iter().map(encode_row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_the_same_in_whatever_order_usage_came() {
    let expected = rows(Books::Sqlite, &USAGE, false, false).await;
    assert!(expected.len() > 30 + USAGE.len(), "{}", expected.len());
    let mut other = USAGE;
    other.reverse();
    assert_eq!(rows(Books::Sqlite, &other, true, false).await, expected);
    other.rotate_left(3);
    assert_eq!(rows(Books::Sqlite, &other, true, true).await, expected);
    if Books::Postgres.can_be_had("rows_are_the_same_in_whatever_order_usage_came") {
        assert_eq!(rows(Books::Postgres, &other, false, true).await, expected);
    }
}

async fn the_program_takes_and_tells_reservations(books: Books) {
    let october = RESERVED.replace("2026-05-01", "2026-10-01").replace("2026-07-01", "2026-11-01");
    let company = [COMPANY, &october.replace("1464", "744")].concat();
    let installation = Installation::new(books, "USD", &company);
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let event = json!({
        "id": "1", "source": "gate", "subscription": "shop", "meter": "hours", "quantity": "3",
        "start": "2026-10-02T10:00:00Z", "end": "2026-10-02T11:00:00Z",
    });
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let sent = server.client.post(url).bearer_auth(key).json(&event).send().await;
    assert_eq!(sent.expect("an answer").status().as_u16(), 200);
    let token = installation.token(&server).await;
    let asked = json!({ "month": "2026-10", "group_by": ["reservation", "kind"] });
    let url = format!("{}/charges/query", server.told("admin.url"));
    let told = server.client.post(url).bearer_auth(&token).json(&asked).send().await;
    let told: Value = told.expect("an answer").json().await.expect("JSON");
    let amounts = ["cost", "amortised"].map(|name| told["rows"][1][name].clone());
    assert_eq!(amounts, [json!("0"), json!("1")], "{told}");
    server.stop();

    let own = ["--period", "2026-10", "--json"];
    let query = ["query", "--group-by", "reservation,kind", "--where", "reservation=machines"];
    let told = installation.run(&[query.as_slice(), &own].concat());
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let row = |row: &Value| ["kind", "cost", "amortised"].map(|name| row[name].clone());
    assert_eq!(row(&told[0]), ["covered", "0", "1"].map(Value::from), "{told}");
    assert_eq!(row(&told[1]), ["unused", "0", "743"].map(Value::from), "{told}");
    let explain = ["explain", "--billing-account", "acme", "--record", "gate/1"];
    let told = installation.run(&explain);
    assert!(told.contains("reservation `machines` covers 2 in its hours from"), "{told}");
    let told = installation.run(&["explain", "--billing-account", "acme", "--period", "2026-10"]);
    assert!(told.contains("reservation `machines` lost 48 in its hours"), "{told}");
    installation.run(&["close", "2026-10"]);
    let invoice = installation.run(&["invoice", "reck-1"]);
    assert!(invoice.contains("machines purchase"), "{invoice}");
    assert!(installation.run(&["verify"]).contains("0 problems"));
}

on_each_store!(the_program_takes_and_tells_reservations);
