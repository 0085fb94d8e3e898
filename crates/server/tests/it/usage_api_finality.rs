//! When a month is final, and what changes before it is and after: around the first and the fifth,
//! of an account that is parked, when usage comes late, when a discount reaches back, when a source
//! adjusts what it charged, and when meters are described anew.

use crate::books::{Books, on_each_store};
use crate::closing::{House, PAYERS, account, may, moment, told};
use crate::in_process;
use calendar::{BillingPeriod, Interval, SetClock};
use domain::access::Caller;
use domain::ids::{MeterId, PrincipalId, RecordId, SubscriptionId};
use domain::usage::ChargeCategory;
use domain::usage_queries::{
    UsageColumn, UsageFilter, UsageOptions, UsageQuestion, effective_columns,
};
use money::{Cost, Currency, Fixed18, Money};
use service::{Incoming, UsageAnswer, UsageQueryAsked, UsageShape};
use std::fmt::Write;

/// Two messaging accounts of `acme`, which `letters` and `parcels` stand at. A message costs less
/// beyond the tenth of a month, and then all of them do; nobody has a price for `odd`.
const MESSAGES: &str = r#"
[[agreement]]
billing_account = "acme"
from = 2020-01-01T00:00:00Z
type = "messaging agreement"

[[messaging_account]]
billing_account = "acme"
id = "north"
from = 2020-01-01T00:00:00Z
name = "North"

[[messaging_account]]
billing_account = "acme"
id = "south"
from = 2020-01-01T00:00:00Z
name = "South"

[[offer]]
id = "messages"
name = "Messages"
has_rate_card = false

[[meter]]
id = "sms"
name = "Messages"
category = "SMS"
unit = "message"

[[meter]]
id = "odd"
name = "Odd ones"
category = "RCS"
unit = "message"

[[price_list]]
id = "sheet"
billing_account = "acme"
from = "2020-01"
currency = "USD"
prices = [{ meter = "sms", scope = "account", model = { volume = [
    { from = "0", price = "0.1004" },
    { from = "10", price = "0.05" },
] } }]

[[subscription]]
id = "letters"
name = "Letters"
placements = [{ from = 2020-01-01T00:00:00Z, billing_account = "acme", offer = "messages" }]
standings = [{ from = 2020-01-01T00:00:00Z, place = { billing_account = "acme", level = "messaging account", id = "north" } }]

[[subscription]]
id = "parcels"
name = "Parcels"
placements = [{ from = 2020-01-01T00:00:00Z, billing_account = "acme", offer = "messages" }]
standings = [{ from = 2020-01-01T00:00:00Z, place = { billing_account = "acme", level = "messaging account", id = "south" } }]

[[subscription]]
id = "store"
name = "Store"
placements = [{ from = 2020-01-01T00:00:00Z, billing_account = "globex", offer = "messages" }]

[[source]]
name = "gate"
billing_accounts = ["acme", "globex"]

[[role_assignment]]
principal = "fina"
role = "Finance Manager"
scope = { billing_account = "acme" }
"#;

/// A price for `odd`, which [`MESSAGES`] lacks.
const ODD: &str = r#"
[[price_list]]
id = "odd"
offer = "odd"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "odd", model = { per_unit = "1" } }]

[[offer]]
id = "odd"
name = "Odd"
has_rate_card = true

[[subscription]]
id = "parcels"
name = "Parcels"
placements = [{ from = 2020-01-01T00:00:00Z, billing_account = "acme", offer = "odd" }]
standings = [{ from = 2020-01-01T00:00:00Z, place = { billing_account = "acme", level = "messaging account", id = "south" } }]
"#;

/// The meter of [`MESSAGES`] by other words.
const ANEW: &str = r#"
[[meter]]
id = "sms"
name = "Messages"
category = "Texts"
subcategory = "Plain"
unit = "segment"
"#;

/// How an answer is told here: a line for each month, and one for each row's total and unit.
fn spelled(_: &str, answer: &UsageAnswer, write: &mut dyn FnMut(&str)) {
    for (month, is_final) in &answer.months {
        write(&format!("month {month} {}\n", if *is_final { "final" } else { "open" }));
    }
    let (start, end) = (answer.requested.start, answer.requested.end);
    write(&format!("from {start} until {end}\n"));
    for row in &answer.rows {
        let keys: Vec<&str> = row.keys.iter().map(|key| key.as_deref().unwrap_or("-")).collect();
        let price = row.unit_price.map_or_else(|| "-".to_owned(), |price| price.to_string());
        let (quantity, total, unit) = (row.quantity, row.total, &row.unit);
        write(&format!("row {}|{price}|{quantity}|{total}|{unit}\n", keys.join(" ")));
    }
}

fn failed(_: &str, why: &str) -> String {
    panic!("{why}")
}

/// What a question comes to.
#[derive(Debug)]
struct Answered {
    months: Vec<String>,
    span: String,
    /// Keys, price, quantity, total, unit.
    rows: Vec<Vec<String>>,
}

impl Answered {
    fn read(text: &str) -> Answered {
        let of = |kind: &str| -> Vec<String> {
            text.lines().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect()
        };
        let cells = |row: String| row.split('|').map(str::to_owned).collect();
        Answered {
            months: of("month "),
            span: of("from ").concat(),
            rows: of("row ").into_iter().map(cells).collect(),
        }
    }

    fn total(&self) -> Fixed18 {
        let totals = self.rows.iter().map(|row| Fixed18::parse(&row[3]).expect("a total"));
        Fixed18::checked_sum(totals).expect("small")
    }
}

fn question(first: &str, last: &str, unfinalized: bool) -> UsageQuestion {
    let month = |text: &str| BillingPeriod::parse(text).expect("a month");
    UsageQuestion {
        days: month(first).start().day()..month(last).end().day(),
        columns: effective_columns(&[UsageColumn::AccountKey]),
        filter: UsageFilter::default(),
        unfinalized,
        options: UsageOptions::default(),
    }
}

impl House {
    /// The company of this file on the fifth of June 2026; May is not closed.
    async fn of_messages(books: Books) -> House {
        let directory = tempfile::tempdir().expect("a directory");
        let (schema, clock) = (books.schema(), SetClock::at(moment("2026-06-05T12:00:00Z")));
        let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
        let house = House { directory, schema, clock, reckoner };
        let declared = [in_process::ACCOUNT, PAYERS, MESSAGES].concat();
        in_process::declare(&house.reckoner, &declared).await;
        house.reckoner.show_usage_with("test", UsageShape { success: spelled, failure: failed });
        house
    }

    /// Takes usage in: id, subscription, meter, quantity, moment; of an adjustment, what it costs.
    async fn used(&self, records: &[&str]) {
        let record = |text: &&str| {
            let words: Vec<&str> = text.split_whitespace().collect();
            let [id, subscription, meter, quantity, at, adjusts @ ..] = words.as_slice() else {
                panic!("{text}")
            };
            let mut record = in_process::record(id, quantity);
            record.key.id = RecordId::new(id).expect("an id");
            record.key.billing_account =
                account(if *subscription == "store" { "globex" } else { "acme" });
            record.subscription = SubscriptionId::new(subscription).expect("an id");
            record.meter = MeterId::new(meter).expect("an id");
            record.service_period = Interval::at(moment(at));
            if let [cost] = adjusts {
                let major = Fixed18::parse(cost).expect("a cost");
                let currency = Currency::parse("USD").expect("a currency");
                record.category = ChargeCategory::Adjustment;
                record.stated_cost = Some(Cost { major, currency });
            }
            Incoming::Record(Box::new(record))
        };
        let records = records.iter().map(record).collect();
        self.reckoner.take_in(&Caller::Machine, records).await.expect("taken in");
    }

    /// Asks, carries it out, and reads the result.
    async fn answered(&self, question: UsageQuestion) -> Answered {
        let asked = UsageQueryAsked { callback_url: None, question, surface: "test" };
        let caller = Caller::Principal(PrincipalId::new("fina").expect("an id"));
        let told = self.reckoner.submit_usage_query(&caller, &asked, "test").await;
        let id = told.expect("taken").id;
        assert_eq!(self.reckoner.carry_out_usage_queries().await.expect("carried out"), 1);
        let mut result = self.reckoner.usage_result(&caller, &id).await.expect("a result");
        let mut text = Vec::new();
        while let Some(some) = result.next().await.expect("bytes") {
            text.extend_from_slice(&some);
        }
        Answered::read(std::str::from_utf8(&text).expect("UTF-8"))
    }

    /// A month, whether it is final, and what it costs.
    async fn month(&self, month: &str) -> String {
        let answered = self.answered(question(month, month, true)).await;
        let [state] = answered.months.as_slice() else { panic!("{answered:?}") };
        format!("{state} {}", answered.total())
    }

    /// Closes by schedule whatever is due at a moment; gives the months that it closed.
    async fn schedule(&self, at: &str) -> Vec<String> {
        self.clock.set(moment(at));
        let closings = self.reckoner.close_what_is_due(&Caller::Machine, "schedule").await;
        let closings = closings.unwrap_or_else(|error| panic!("{at}: {error:?}"));
        closings.iter().map(|one| format!("{}: {}", one.period, told(one).join(", "))).collect()
    }

    /// What invoices of a month come to, before tax.
    async fn invoiced(&self, month: &str) -> Fixed18 {
        let period = BillingPeriod::parse(month).expect("a month");
        let own = self.invoices().await.into_iter().map(|document| document.invoice);
        let own = own.filter(|one| one.period == period && one.billing_account == account("acme"));
        let major = |money: Money| money.to_cost().expect("small").major;
        let booked = own.flat_map(|invoice| invoice.lines).map(|line| major(line.booked));
        Fixed18::checked_sum(booked).expect("small")
    }
}

const USED: [&str; 4] = [
    "1 letters sms 4 2026-05-03T10:00:00Z",
    "2 parcels sms 3 2026-05-31T23:59:59Z",
    "3 letters sms 2 2026-06-01T00:00:00Z",
    "4 parcels sms 5 2026-06-30T23:59:59Z",
];

/// Hours around the first and the fifth, from the day before until the day after: from when, until
/// before when, the last month that is asked for, and what is told of May and the months since.
/// The fifth at three o'clock is when a month is closed; until then it is open, whatever the date.
const HOURS: [(&str, &str, &str, &str); 4] = [
    ("2026-06-30T00:00:00Z", "2026-07-01T00:00:00Z", "2026-06", "2026-05 final, 2026-06 open: 1.4"),
    (
        "2026-07-01T00:00:00Z",
        "2026-07-03T00:00:00Z",
        "2026-07",
        "2026-05 final, 2026-06 open, 2026-07 open: 1.4",
    ),
    (
        "2026-07-04T00:00:00Z",
        "2026-07-05T03:00:00Z",
        "2026-07",
        "2026-05 final, 2026-06 open, 2026-07 open: 1.4",
    ),
    (
        "2026-07-05T03:00:00Z",
        "2026-07-07T00:00:00Z",
        "2026-07",
        "2026-05 final, 2026-06 final, 2026-07 open: 1.4",
    ),
];

on_each_store!(a_month_is_final_when_the_close_has_sealed_it);
async fn a_month_is_final_when_the_close_has_sealed_it(books: Books) {
    let house = House::of_messages(books).await;
    house.used(&USED).await;
    assert_eq!(house.month("2026-05").await, "2026-05 open 0.7", "it is the fifth, and not closed");
    house.close(may()).await;
    let closes_at = moment("2026-07-05T03:00:00Z");
    let (mut hours, mut wrong) = (0, String::new());
    for (from, until, last, expected) in HOURS {
        let (mut at, until) = (moment(from), moment(until));
        while at < until {
            let closed = house.schedule(&at.to_string()).await;
            assert_eq!(closed.len(), usize::from(at == closes_at), "{at}: {closed:?}");
            let told = house.answered(question("2026-05", last, true)).await;
            let found = format!("{}: {}", told.months.join(", "), told.total());
            if found != expected {
                writeln!(wrong, "{at}: {found}, not {expected}").expect("a text");
            }
            at = at.plus_seconds(3_600);
            hours += 1;
        }
    }
    assert_eq!((wrong.as_str(), hours), ("", 24 + 48 + 27 + 45));
    for expected in ["2026-05 final 0.7", "2026-06 final 0.7", "2026-07 open 0"] {
        let month = expected.split(' ').next().expect("a month");
        assert_eq!(house.month(month).await, expected);
    }
}

on_each_store!(what_is_not_final_is_left_out_on_demand);
async fn what_is_not_final_is_left_out_on_demand(books: Books) {
    let house = House::of_messages(books).await;
    house.used(&USED).await;
    let check = async |first: &str, last: &str, months: &[&str], span: &str, total: &str| {
        let answered = house.answered(question(first, last, false)).await;
        assert_eq!(answered.months, months, "{first} to {last}");
        assert_eq!(answered.span, span, "{first} to {last}");
        assert_eq!(answered.total().to_string(), total, "{first} to {last}");
    };
    let nothing = "2026-04-01T00:00:00Z until 2026-04-01T00:00:00Z";
    check("2026-04", "2026-06", &[], nothing, "0").await;
    house.close(may()).await;
    // April was never closed: nothing is known to be final of it.
    let only_may = "2026-05-01T00:00:00Z until 2026-06-01T00:00:00Z";
    check("2026-05", "2026-06", &["2026-05 final"], only_may, "0.7").await;
    let nothing = "2026-06-01T00:00:00Z until 2026-06-01T00:00:00Z";
    check("2026-06", "2026-06", &[], nothing, "0").await;
    house.schedule("2026-07-05T03:00:00Z").await;
    let both = "2026-05-01T00:00:00Z until 2026-07-01T00:00:00Z";
    check("2026-05", "2026-07", &["2026-05 final", "2026-06 final"], both, "1.4").await;
}

on_each_store!(a_parked_account_is_not_final_and_parks_nobody_else);
async fn a_parked_account_is_not_final_and_parks_nobody_else(books: Books) {
    let house = House::of_messages(books).await;
    house.used(&USED).await;
    house.close(may()).await;
    house.used(&["5 parcels odd 2 2026-06-20T00:00:00Z"]).await;
    let closed = house.schedule("2026-07-05T03:00:00Z").await;
    assert!(closed[0].contains("acme parked quarantine empty"), "{closed:?}");
    // The chain goes on without the account; what the account is told does not.
    assert_eq!(house.month("2026-06").await, "2026-06 open 0.7");
    let left_out = house.answered(question("2026-06", "2026-06", false)).await;
    assert!(left_out.months.is_empty() && left_out.rows.is_empty(), "{left_out:?}");
    in_process::declare(&house.reckoner, ODD).await;
    assert_eq!(house.month("2026-06").await, "2026-06 open 2.7");
    let closed = house.schedule("2026-07-05T04:00:00Z").await;
    assert!(closed[0].contains("acme closed"), "{closed:?}");
    assert_eq!(house.month("2026-06").await, "2026-06 final 2.7");
    // Another payer's parking is none of ours.
    house.used(&["6 store odd 1 2026-07-02T00:00:00Z"]).await;
    house.used(&["7 letters sms 1 2026-07-02T00:00:00Z"]).await;
    let closed = house.schedule("2026-08-05T03:00:00Z").await;
    assert!(closed[0].contains("globex parked"), "{closed:?}");
    assert_eq!(house.month("2026-07").await, "2026-07 final 0.1");
}

on_each_store!(what_comes_late_is_told_where_it_is_billed);
async fn what_comes_late_is_told_where_it_is_billed(books: Books) {
    let house = House::of_messages(books).await;
    house.used(&USED).await;
    house.close(may()).await;
    let before = house.answered(question("2026-05", "2026-05", true)).await;
    house.used(&["late letters sms 1 2026-05-20T00:00:00Z"]).await;
    house.used(&["later parcels sms 3 2026-05-21T00:00:00Z"]).await;
    let after = house.answered(question("2026-05", "2026-05", true)).await;
    assert_eq!(after.rows, before.rows, "what is final stays as it was billed");
    assert_eq!(house.month("2026-05").await, "2026-05 final 0.7");
    // What May is short of, or had too much, is told where it will be billed.
    assert_eq!(house.month("2026-06").await, "2026-06 open 0.55");
    house.schedule("2026-07-05T03:00:00Z").await;
    assert_eq!(house.month("2026-05").await, "2026-05 final 0.7");
    assert_eq!(house.invoiced("2026-05").await.to_string(), "0.7");
    // June bills that 11 messages reached the second tier of May: 11 x 0.05 - 7 x 0.1004.
    let june = house.answered(question("2026-06", "2026-06", true)).await;
    assert_eq!(june.months, ["2026-06 final"]);
    assert_eq!(june.total(), house.invoiced("2026-06").await, "as it was billed: {june:?}");
    let both = house.answered(question("2026-05", "2026-06", true)).await;
    assert_eq!(both.months, ["2026-05 final", "2026-06 final"]);
    let (first, second) = (house.invoiced("2026-05").await, house.invoiced("2026-06").await);
    assert_eq!(both.total(), first.checked_add(second).expect("small"), "{both:?}");
    // Restarted, it tells the same.
    let house = house.reopened().await;
    house.reckoner.show_usage_with("test", UsageShape { success: spelled, failure: failed });
    let again = house.answered(question("2026-05", "2026-06", true)).await;
    assert_eq!(again.rows, both.rows);
}

/// What arrives in June one after the other, and what June costs then.
const DISCOUNTED: [(&str, &str); 4] = [
    ("a letters sms 9 2026-06-03T00:00:00Z", "2026-06 open 0.9"),
    // Eleven: each at half the price, those of before too.
    ("b parcels sms 2 2026-06-04T00:00:00Z", "2026-06 open 0.55"),
    ("c parcels sms 1 2026-06-05T00:00:00Z", "2026-06 open 0.6"),
    ("d letters sms 1 2026-06-05T01:00:00Z", "2026-06 open 0.65"),
];

on_each_store!(a_discount_reaches_back_until_its_month_is_final);
async fn a_discount_reaches_back_until_its_month_is_final(books: Books) {
    let house = House::of_messages(books).await;
    house.close(may()).await;
    for (used, expected) in DISCOUNTED {
        house.used(&[used]).await;
        assert_eq!(house.month("2026-06").await, expected, "{used}");
    }
    house.schedule("2026-07-05T03:00:00Z").await;
    assert_eq!(house.month("2026-06").await, "2026-06 final 0.65");
    house.used(&["e letters sms 5 2026-06-10T00:00:00Z"]).await;
    house.used(&["f letters sms 1 2026-07-01T00:00:00Z"]).await;
    assert_eq!(house.month("2026-06").await, "2026-06 final 0.65", "it is sealed");
    house.schedule("2026-08-05T03:00:00Z").await;
    assert_eq!(house.month("2026-06").await, "2026-06 final 0.65");
    // 5 x 0.05 of June, which July bills, and one message of July.
    assert_eq!(house.month("2026-07").await, "2026-07 final 0.35");
    assert_eq!(house.invoiced("2026-07").await.to_string(), "0.35");
}

on_each_store!(totals_of_a_whole_final_month_are_its_invoices);
/// Lines of an invoice are booked one by one; the answer's totals follow them, not its own sum.
async fn totals_of_a_whole_final_month_are_its_invoices(books: Books) {
    let house = House::of_messages(books).await;
    // 1 x 0.1004 + 3 x 0.1004 = 0.4016 is 0.40 in all; booked apart 0.10 + 0.30.
    house.used(&["1 letters sms 1 2026-05-03T00:00:00Z"]).await;
    house.used(&["2 parcels sms 3 2026-05-04T00:00:00Z"]).await;
    house.close(may()).await;
    let told = house.answered(question("2026-05", "2026-05", true)).await;
    assert_eq!(told.total(), house.invoiced("2026-05").await, "{told:?}");
    let [north, south] = told.rows.as_slice() else { panic!("{told:?}") };
    assert_eq!((north[1].as_str(), north[2].as_str(), north[3].as_str()), ("0.1004", "1", "0.1"));
    assert_eq!((south[1].as_str(), south[2].as_str(), south[3].as_str()), ("0.1004", "3", "0.3"));
}

on_each_store!(what_a_source_adjusts_is_told_where_it_is_billed);
async fn what_a_source_adjusts_is_told_where_it_is_billed(books: Books) {
    let house = House::of_messages(books).await;
    house.used(&USED).await;
    // Booked by line -0.10 and 0.00, and not -0.11 in all.
    house.used(&["a letters sms 0 2026-05-10T00:00:00Z -0.104"]).await;
    house.used(&["b parcels sms 0 2026-05-11T00:00:00Z -0.004"]).await;
    house.close(may()).await;
    assert_eq!(house.invoiced("2026-05").await.to_string(), "0.6");
    assert_eq!(house.month("2026-05").await, "2026-05 final 0.6");
    let before = house.answered(question("2026-05", "2026-05", true)).await;
    house.used(&["c letters sms 0 2026-05-20T00:00:00Z -0.2"]).await;
    assert_eq!(house.month("2026-06").await, "2026-06 open 0.5", "what its close will bill");
    house.schedule("2026-07-05T03:00:00Z").await;
    let after = house.answered(question("2026-05", "2026-05", true)).await;
    assert_eq!(after.rows, before.rows, "what is final stays as it was billed");
    assert_eq!(house.invoiced("2026-06").await.to_string(), "0.5");
    assert_eq!(house.month("2026-06").await, "2026-06 final 0.5");
    let june = house.answered(question("2026-06", "2026-06", true)).await;
    let adjusted: Vec<_> = june.rows.iter().filter(|row| row[3] == "-0.2").collect();
    assert_eq!(adjusted.len(), 1, "as a row of its own: {june:?}");
    assert_eq!(house.month("2026-07").await, "2026-07 open 0", "it is told once");
}

on_each_store!(a_final_month_is_told_as_its_meters_were_described);
async fn a_final_month_is_told_as_its_meters_were_described(books: Books) {
    let house = House::of_messages(books).await;
    house.used(&USED).await;
    house.close(may()).await;
    let described = |first: &str, last: &str| UsageQuestion {
        columns: vec![UsageColumn::CategoryCode, UsageColumn::SubcategoryCode],
        ..question(first, last, true)
    };
    let before = house.answered(described("2026-05", "2026-05")).await;
    let [row] = before.rows.as_slice() else { panic!("{before:?}") };
    assert_eq!((row[0].as_str(), row[4].as_str()), ("SMS -", "message"));
    in_process::declare(&house.reckoner, ANEW).await;
    let check = async |month: &str, expected: &[[&str; 4]]| {
        let told = house.answered(described(month, month)).await;
        let cells = |row: &Vec<String>| [0, 2, 3, 4].map(|at| row[at].clone());
        let rows: Vec<[String; 4]> = told.rows.iter().map(cells).collect();
        assert_eq!(rows, expected, "{month}");
    };
    check("2026-05", &[["SMS -", "7", "0.7", "message"]]).await;
    check("2026-06", &[["Texts Plain", "7", "0.7", "segment"]]).await;
    // Late usage of May is told by the words that May was told by, alone: the rest cancels out.
    house.used(&["late letters sms 1 2026-05-20T00:00:00Z"]).await;
    check("2026-05", &[["SMS -", "7", "0.7", "message"]]).await;
    let june = [["SMS -", "1", "0.1", "message"], ["Texts Plain", "7", "0.7", "segment"]];
    check("2026-06", &june).await;
    house.schedule("2026-07-05T03:00:00Z").await;
    check("2026-05", &[["SMS -", "7", "0.7", "message"]]).await;
    check("2026-06", &june).await;
}
