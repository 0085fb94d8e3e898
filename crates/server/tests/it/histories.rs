//! One history, however it is lived through: SQLite or PostgreSQL, one thread or two, usage in any
//! order and batches, with restarts in between, or with a crash at any step. Rows, invoices, what
//! each step was told and the chain's head are the same.
//! What a crash of the whole process leaves is the matter of `kills`, and what two writers do to
//! each other that of `writers`.
//!
//! `RECKONER_HISTORIES` says how many, `RECKONER_SEED` which.

use crate::books::{Books, Schema};
use crate::closing::PAYERS;
use crate::in_process;
use calendar::{BillingPeriod, Instant, Interval, SetClock};
use domain::Kind;
use domain::access::Caller;
use domain::encoding::encode_row;
use domain::ids::{
    BillingAccountId, LotId, MeterId, PaymentId, PrincipalId, RecordId, SubscriptionId,
};
use domain::ledger::{Balances, Entry, LedgerAccount, Side};
use domain::numbering::{DocumentNumber, check_gap_free};
use domain::usage::UsageRecord;
use money::Fixed18;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use service::{
    AmendmentAsked, Change, CloseMode, ClosePeriod, Closing, CreditLine, CreditNoteAsked,
    DocumentsAsked, Drafts, Incoming, Issued, LedgerAsked, Outcome, PaymentAsked, Reckoner, Way,
    Withdrawal,
};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tempfile::TempDir;

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
billing_accounts = ["acme", "globex", "metro", "north"]
"#;

/// A plan in another currency than its payer's, with the rates of two times.
const ABROAD: &str = r#"
[[exchange_rate]]
id = "may"
from = "EUR"
to = "USD"
rate = "1.0837"
source = "Central bank"
at = 2026-05-15T00:00:00Z

[[exchange_rate]]
id = "july"
from = "EUR"
to = "USD"
rate = "1.1251"
source = "Central bank"
at = 2026-07-02T00:00:00Z

[[plan]]
billing_account = "globex"
id = "licence"
name = "Licence"
currency = "EUR"
amounts = [{ from = 2026-05-01, amount = "9.99" }]
"#;

/// A payer whose subscription has an invoice of its own, on an offer with terms; `dora` agrees to
/// its drafts.
const METRO: &str = r#"
[[billing_account]]
id = "metro"
name = "Metro"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "metro"
type = "online services agreement"

[[billing_terms]]
billing_account = "metro"
seller = "reck"
currency = "USD"
approval = "by_person"
committed = "150"

[[role_assignment]]
principal = "dora"
role = "Approver"
scope = { billing_account = "metro" }

[[offer]]
id = "credited"
name = "With a monthly credit"
has_rate_card = true

[[price_list]]
id = "credited-card"
offer = "credited"
region = "US"
locales = ["en-US"]
currency = "USD"
terms = [
    { monetary_credit = { credit = "5", excluded = ["calls"] } },
    { monetary_commitment = { discounts = [{ from = "100", discount = "0.07" }] } },
    { recurring_charge = { amount = "2" } },
]

[[price_list.prices]]
meter = "hours"
model = { per_unit = "0.1234567" }

[[price_list.prices]]
meter = "calls"
model = { package = { size = "10", price = "0.45", rounding = "away_from_zero" } }

[[price_list.prices]]
meter = "users"
maximum = "9"
model = { per_unit = "0.05" }

[[subscription]]
id = "kiosk"
name = "Kiosk"
placements = [{ billing_account = "metro", offer = "credited" }]
"#;

/// A payer with two billing profiles, and invoice sections below them.
const NORTH: &str = r#"
[[billing_account]]
id = "north"
name = "North"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "north"
type = "customer agreement"

[[billing_profile]]
billing_account = "north"
id = "ships"
name = "Ships"
currency = "USD"

[[billing_profile]]
billing_account = "north"
id = "harbours"
name = "Harbours"
currency = "USD"

[[invoice_section]]
billing_account = "north"
id = "freight"
name = "Freight"
billing_profile = "ships"

[[invoice_section]]
billing_account = "north"
id = "yard"
name = "Yard"
billing_profile = "ships"

[[invoice_section]]
billing_account = "north"
id = "cranes"
name = "Cranes"
billing_profile = "harbours"

[[lot]]
billing_account = "north"
id = "north-welcome"
kind = "credit"
currency = "USD"
granted = "20"
from = 2026-05-01T00:00:00Z
until = 2026-07-16T00:00:00Z
excluded = { meters = ["calls"] }

[[subscription]]
id = "ferry"
name = "Ferry"
placements = [{ billing_account = "north", profile = "ships", offer = "metered" }]
standings = [{ place = { billing_account = "north", level = "invoice section", id = "freight" } }]

[[subscription]]
id = "crane"
name = "Crane"
placements = [{ billing_account = "north", profile = "harbours", offer = "metered" }]
standings = [{ place = { billing_account = "north", level = "invoice section", id = "cranes" } }]
"#;

/// The tug stands in the yard; from a day on, if one is given, with the cranes, whose profile pays
/// for it then.
fn tug(moved: Option<&str>) -> String {
    let place = |id| {
        format!(
            "place = {{ billing_account = \"north\", level = \"invoice section\", id = \"{id}\" }}"
        )
    };
    let (yard, cranes) = (place("yard"), place("cranes"));
    let payer = "billing_account = \"north\", offer = \"metered\"";
    let (placements, standings) = match moved {
        None => (format!("{{ {payer}, profile = \"ships\" }}"), format!("{{ {yard} }}")),
        Some(day) => (
            format!(
                "{{ until = {day}T00:00:00Z, {payer}, profile = \"ships\" }}, \
                 {{ from = {day}T00:00:00Z, {payer}, profile = \"harbours\" }}"
            ),
            format!("{{ {yard} }}, {{ from = {day}T00:00:00Z, {cranes} }}"),
        ),
    };
    format!(
        "[[subscription]]\nid = \"tug\"\nname = \"Tug\"\nplacements = [{placements}]\n\
         standings = [{standings}]\n"
    )
}

/// The terms of the north, with a policy for what comes late.
fn north_terms(policy: &str) -> String {
    format!(
        "[[billing_terms]]\nbilling_account = \"north\"\nseller = \"reck\"\n\
         currency = \"USD\"\napproval = \"by_rule\"\n{policy}\n"
    )
}

/// What is reserved from June on, and what became of it since.
fn reserved(since: &str) -> String {
    format!(
        r#"
[[reservation]]
billing_account = "globex"
id = "machines"
billed_to = "store"
meters = ["hours", "calls"]
quantity = "120.5"
currency = "USD"
price = "61"
from = 2026-06-01T00:00:00Z
until = 2026-08-01T00:00:00Z
{since}
"#
    )
}

/// Ways in which what is reserved is given back.
const GIVEN_BACK: [&str; 4] = [
    "refunds = [{ at = 2026-06-16T00:00:00Z, amount = \"7.5\" }]",
    "cancelled = { at = 2026-06-20T00:00:00Z }",
    "cancelled = { at = 2026-07-04T05:00:00Z, fee = \"3.21\" }",
    r#"exchanged_for = "more"
[[reservation]]
billing_account = "globex"
id = "more"
billed_to = "store"
scope = { subscription = "store" }
meters = ["hours"]
quantity = "200"
currency = "USD"
price = "50.01"
from = 2026-06-23T00:00:00Z
until = 2026-08-01T00:00:00Z"#,
];

/// Everybody who pays, and all that is declared before the first month.
pub(crate) fn company() -> String {
    let (tug, north_terms) = (tug(None), north_terms(""));
    let own = [in_process::ACCOUNT, HOURS, PAYERS, USED, ABROAD, METRO, NORTH];
    [own.concat(), card(9), tug, north_terms].concat()
}

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

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// Usage comes in.
    Use(Vec<UsageRecord>),
    /// All usage is sealed, and all rated usage written.
    Seal,
    /// Facts are declared.
    Declare(String),
    /// Something is done to the books.
    Do(Deed),
}

/// Something done to the books. The same again changes nothing.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Close(BillingPeriod),
    Pay(PaymentAsked),
    Credit(CreditNoteAsked),
    Void(Withdrawal),
    Rebill(Withdrawal),
    WriteOff(Withdrawal),
    /// A record is amended or withdrawn.
    Amend(AmendmentAsked),
    /// A person agrees to the drafts of the one whose drafts wait for that.
    Approve(BillingPeriod),
    /// The same person takes that back.
    TakeBack(BillingPeriod),
}

/// What happens in a month.
pub(crate) struct Month {
    pub(crate) period: BillingPeriod,
    /// Of the month, and late ones of those before.
    pub(crate) records: Vec<UsageRecord>,
    /// Before it is closed, once it is over.
    before: Vec<Step>,
    /// After that.
    after: Vec<Step>,
}

const MONTHS: [&str; 3] = ["2026-05", "2026-06", "2026-07"];
pub(crate) const PAYING: [&str; 4] = ["acme", "globex", "metro", "north"];
/// Whose drafts wait for a person.
pub(crate) const BY_PERSON: &str = "metro";

/// A history of May to July; the same from the same seed.
pub(crate) fn history(seed: u64) -> Vec<Month> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut id = 0_u64;
    let mut months = Vec::new();
    let mut known: Vec<UsageRecord> = Vec::new();
    for (number, name) in MONTHS.into_iter().enumerate() {
        let period = BillingPeriod::parse(name).expect("a month");
        let mut records = Vec::new();
        for _ in 0..10 + draw.random_range(0..40) {
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
        known.extend(records.iter().cloned());
        let mut before = declared(&mut draw, number);
        let change = Change::Quantity(quantity(&mut draw));
        before.push(amendment(&mut draw, &known, (&format!("{name}-amended"), change)));
        for payer in PAYING {
            if is_drawn(&mut draw) {
                let id = format!("{payer}-{name}");
                before.push(Step::Do(Deed::Pay(payment(&mut draw, payer, &id))));
            }
        }
        // Nothing may change its drafts from here to the close.
        before.push(Step::Do(Deed::Approve(period)));
        let id = format!("{name}-withdrawn");
        let mut after = vec![amendment(&mut draw, &known, (&id, Change::Withdraw))];
        if number == 0 {
            // An invoice of May is withdrawn, and another is put in its place.
            after.push(Step::Do(Deed::Rebill(withdrawal(draw.random_range(1..=5)))));
        }
        for nth in 0..draw.random_range(0..5) {
            let (id, newest) = (format!("{name}-{nth}"), 6 * (number as u64 + 1));
            after.push(Step::Do(deed(&mut draw, &id, newest)));
        }
        months.push(Month { period, records, before, after });
    }
    months
}

fn is_drawn(draw: &mut ChaCha8Rng) -> bool {
    draw.random_range(0..2) == 0
}

/// What is declared when a month is over.
fn declared(draw: &mut ChaCha8Rng, month: usize) -> Vec<Step> {
    let mut texts = Vec::new();
    if is_drawn(draw) {
        texts.push(card(draw.random_range(0..40)));
    }
    if month == 0 && is_drawn(draw) {
        texts.push(north_terms("in_favour = \"credit_note\"\nnot_billed_up_to = \"0.50\""));
    }
    if month == 1 {
        texts.push(reserved(""));
    }
    if month > 0 && is_drawn(draw) {
        texts.push(reserved(GIVEN_BACK.choose(draw).expect("there are some")));
    }
    if month > 0 && is_drawn(draw) {
        texts.push(tug(Some(&format!("2026-06-{}", draw.random_range(10..29)))));
    }
    texts.into_iter().map(Step::Declare).collect()
}

/// One of the records that came in is amended or withdrawn, by another of an id.
fn amendment(draw: &mut ChaCha8Rng, known: &[UsageRecord], (id, change): (&str, Change)) -> Step {
    let target = known.choose(draw).expect("there are some").key.clone();
    let (id, reason) = (RecordId::new(id).expect("an id"), "the gauge was wrong".to_owned());
    Step::Do(Deed::Amend(AmendmentAsked { target, id: Some(id), change, reason }))
}

fn quantity(draw: &mut ChaCha8Rng) -> Fixed18 {
    let thousandths = draw.random_range(0..400_000);
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    Fixed18::parse(&text).expect("a quantity")
}

/// A record of one of the payers, in a month.
pub(crate) fn record(draw: &mut ChaCha8Rng, id: u64, of: BillingPeriod) -> UsageRecord {
    /// Each with who pays for it, but for the shop, which moves.
    const USING: [(&str, &str); 6] = [
        ("shop", "acme"),
        ("store", "globex"),
        ("kiosk", "metro"),
        ("ferry", "north"),
        ("tug", "north"),
        ("crane", "north"),
    ];
    let span = of.end().micros() - of.start().micros();
    let at = i64::try_from(draw.random_range(0..span.unsigned_abs())).expect("within a month");
    let at = of.start().plus_micros(at);
    let (subscription, payer) = *USING.choose(draw).expect("there are some");
    let moved = Instant::parse("2026-06-11").expect("a moment");
    let payer = if subscription == "shop" && moved <= at { "globex" } else { payer };
    let meter = ["hours", "calls", "users"].choose(draw).copied().expect("there are some");
    let mut record = in_process::record(&id.to_string(), "0");
    record.quantity = quantity(draw);
    record.key.billing_account = account(payer);
    record.subscription = SubscriptionId::new(subscription).expect("an id");
    record.meter = MeterId::new(meter).expect("an id");
    record.service_period = Interval::at(at);
    record.reported_at = Some(at);
    record
}

/// Who agrees to the drafts of [`BY_PERSON`].
fn dora() -> Caller {
    Caller::Principal(PrincipalId::new("dora").expect("an id"))
}

fn account(id: &str) -> BillingAccountId {
    BillingAccountId::new(id).expect("an id")
}

fn cents(cents: u64) -> Fixed18 {
    Fixed18::parse(&format!("{}.{:02}", cents / 100, cents % 100)).expect("an amount")
}

pub(crate) fn payment(draw: &mut ChaCha8Rng, payer: &str, id: &str) -> PaymentAsked {
    PaymentAsked {
        id: PaymentId::new(id).expect("an id"),
        billing_account: account(payer),
        amount: cents(draw.random_range(1..3_000)),
        way: Way::In(Vec::new()),
    }
}

fn number(sequence: u64) -> DocumentNumber {
    DocumentNumber::parse(&format!("reck-{sequence}")).expect("a number")
}

fn withdrawal(sequence: u64) -> Withdrawal {
    Withdrawal { number: number(sequence), reason: "the address was wrong".to_owned() }
}

/// How many kinds of [`deed`] there are.
pub(crate) const DEEDS: u32 = 5;

/// Something done to one of the documents up to a number, which may refuse it, or a refund.
pub(crate) fn deed(draw: &mut ChaCha8Rng, id: &str, newest: u64) -> Deed {
    let kind = draw.random_range(0..DEEDS);
    deed_of(draw, kind, id, newest)
}

/// The same, of one kind.
pub(crate) fn deed_of(draw: &mut ChaCha8Rng, kind: u32, id: &str, newest: u64) -> Deed {
    let sequence = draw.random_range(1..=newest);
    match kind {
        0 => {
            let line = CreditLine {
                line: draw.random_range(1..4),
                amount: cents(draw.random_range(1..90)),
            };
            Deed::Credit(CreditNoteAsked {
                id: id.to_owned(),
                number: number(sequence),
                lines: vec![line],
                reason: "goodwill".to_owned(),
            })
        }
        1 => Deed::Void(withdrawal(sequence)),
        2 => Deed::Rebill(withdrawal(sequence)),
        3 => Deed::WriteOff(withdrawal(sequence)),
        _ => {
            let payer = PAYING.choose(draw).copied().expect("there are some");
            Deed::Pay(PaymentAsked { way: Way::Out, ..payment(draw, payer, id) })
        }
    }
}

pub(crate) fn close_asked(period: BillingPeriod) -> ClosePeriod {
    let (mode, drafts) = (CloseMode::Final, Drafts::Wait);
    ClosePeriod { period, mode, drafts, left_out: BTreeSet::new() }
}

/// Does something to the books, and tells what came of it: the same words when it is done again.
pub(crate) async fn done(reckoner: &Reckoner, deed: &Deed) -> domain::Result<String> {
    let machine = &Caller::Machine;
    match deed {
        Deed::Close(period) => {
            let closing = reckoner.close_period(machine, &close_asked(*period), "test").await;
            closing.map(|closing| closed(&closing))
        }
        Deed::Pay(asked) => {
            let booked = reckoner.record_payment(machine, asked, "test").await?;
            Ok(format!("{:?} and {} open", booked.parts, booked.surplus))
        }
        Deed::Credit(asked) => {
            let note = reckoner.credit_note(machine, asked, "test").await?;
            Ok(format!("{} {}", note.number, note.note.due()?))
        }
        Deed::Void(asked) => {
            let note = reckoner.void_invoice(machine, asked, "test").await?;
            Ok(format!("{} {}", note.number, note.note.due()?))
        }
        Deed::Rebill(asked) => {
            let rebilled = reckoner.rebill(machine, asked, "test").await?;
            let total = rebilled.invoice.invoice.totals()?.total;
            Ok(format!("{} {} {total}", rebilled.void.number, rebilled.invoice.number))
        }
        Deed::WriteOff(asked) => {
            let written_off = reckoner.write_off(machine, asked, "test").await?;
            Ok(format!("{} written off", written_off.amount))
        }
        Deed::Amend(asked) => {
            let amended = reckoner.amend(machine, asked.clone(), "test").await?;
            Ok(format!("{} in the place of {}", amended.id, asked.target.id))
        }
        Deed::Approve(period) => {
            let id = account(BY_PERSON);
            let drafts = reckoner.approve_drafts(&dora(), &id, *period, None, "test").await?;
            Ok(format!("{} by {:?}", drafts.content, drafts.approver))
        }
        Deed::TakeBack(period) => {
            let id = account(BY_PERSON);
            reckoner.take_back_approval(&dora(), &id, *period, "test").await?;
            Ok("taken back".to_owned())
        }
    }
}

/// The head of the chain; nobody was left behind.
fn closed(closing: &Closing) -> String {
    let is_closed = |outcome: &Outcome| {
        matches!(outcome, Outcome::Closed { .. } | Outcome::ClosedBefore { .. })
    };
    let open = closing.accounts.iter().find(|one| !is_closed(&one.outcome));
    assert!(open.is_none(), "{} of {open:?}", closing.period);
    closing.head.unwrap_or_else(|| panic!("not sealed: {closing:?}")).to_string()
}

/// Takes a step; tells what came of a deed, done or refused.
async fn take(reckoner: &Reckoner, step: &Step) -> Option<String> {
    match step {
        Step::Use(records) => send(reckoner, records).await,
        Step::Seal => reckoner.seal_now(&Caller::Machine, "test").await.expect("sealed"),
        Step::Declare(text) => in_process::declare(reckoner, text).await,
        Step::Do(deed) => {
            return Some(done(reckoner, deed).await.unwrap_or_else(|error| {
                let is_refused = matches!(error.kind(), Kind::NotFound | Kind::Conflict);
                let is_sure = matches!(deed, Deed::Close(_) | Deed::Amend(_) | Deed::Approve(_));
                assert!(is_refused && !is_sure, "{deed:?}: {error:?}");
                error.to_string()
            }));
        }
    }
    None
}

/// Takes a step, and once more: twice is once.
async fn take_twice(reckoner: &Reckoner, step: &Step) -> Option<String> {
    let told = take(reckoner, step).await;
    assert_eq!(take(reckoner, step).await, told, "twice is once: {step:?}");
    told
}

pub(crate) async fn send(reckoner: &Reckoner, records: &[UsageRecord]) {
    let records = records.iter().map(|record| Incoming::Record(Box::new(record.clone())));
    reckoner.take_in(&Caller::Machine, records.collect()).await.expect("taken in");
}

/// How a history is lived through.
#[derive(Debug, Clone, Copy)]
struct Manner {
    books: Books,
    threads: usize,
    /// Shuffles records, cuts batches, restarts and crashes, all by this.
    disorder: u64,
    ends: Ends,
}

/// How a process ends within a history.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// In good order.
    InOrder,
    /// Without any order after every step, and within some.
    Cut,
}

/// What is left of a history that must not depend on how it was lived through.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// What each deed came to; of a close, the chain's head.
    told: Vec<String>,
    rows: Vec<Vec<u8>>,
    /// Each as JSON, and as CSV.
    invoices: Vec<[String; 2]>,
    /// What verifying notes.
    notes: Vec<String>,
}

/// Where a history is lived.
struct Place {
    directory: TempDir,
    schema: Option<Schema>,
    clock: SetClock,
    threads: usize,
}

impl Place {
    fn new(way: Manner) -> Place {
        Place {
            directory: tempfile::tempdir().expect("a directory"),
            schema: way.books.schema(),
            clock: SetClock::at(Instant::parse("2026-05-01").expect("a moment")),
            threads: way.threads,
        }
    }

    async fn open(&self) -> Reckoner {
        let threads = self.threads;
        for _ in 0..10_000 {
            let set = |config: &mut service::Config| config.threads = threads;
            let (directory, schema) = (self.directory.path(), self.schema.as_ref());
            match in_process::try_open(directory, schema, &self.clock, set).await {
                // The writer of the one before still gives its last answer.
                Err(domain::Error::Unavailable { .. }) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                opened => return opened.expect("an installation"),
            }
        }
        panic!("the one before does not end");
    }

    /// Runs work as a process does: at its end nothing of it runs any more, tasks are gone where
    /// they stood, and blocking work has ended or never begins.
    fn process<T>(&self, work: impl AsyncFnOnce(Reckoner) -> T) -> T {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async { work(self.open().await).await })
    }

    /// Takes the steps one after the other, with restarts.
    fn live_in_order(
        &self,
        steps: &[(Instant, Step)],
        restarts: Option<ChaCha8Rng>,
    ) -> Vec<String> {
        let mut restarts = restarts;
        self.process(async |reckoner: Reckoner| {
            let (mut reckoner, mut told) = (reckoner, Vec::new());
            for (at, step) in steps {
                self.clock.set(*at);
                told.extend(take_twice(&reckoner, step).await);
                if matches!(step, Step::Do(Deed::Close(_))) {
                    balances_are_chained(&reckoner, *at).await;
                }
                if restarts.as_mut().is_some_and(|draw| draw.random_range(0..8) == 0) {
                    reckoner.close().await.expect("closed");
                    drop(reckoner);
                    reckoner = self.open().await;
                }
            }
            reckoner.close().await.expect("closed");
            told
        })
    }

    /// Takes each step in a process of its own that never ends in good order; about half of them
    /// are begun in one before, which is cut off at a moment that is drawn.
    fn live_through_crashes(&self, steps: &[(Instant, Step)], mut draw: ChaCha8Rng) -> Vec<String> {
        let (mut told, mut cut) = (Vec::new(), 0);
        for (at, step) in steps {
            self.clock.set(*at);
            if is_drawn(&mut draw) {
                let magnitude = draw.random_range(0..8_u32);
                let polls = draw.random_range(1..=1_u64 << magnitude);
                let ended = self.process(async |reckoner: Reckoner| {
                    within(polls, take(&reckoner, step)).await.is_some()
                });
                cut += u32::from(!ended);
            }
            told.extend(self.process(async |reckoner: Reckoner| {
                ledgers_add_up(&reckoner).await;
                if matches!(step, Step::Do(_)) {
                    balances_are_chained(&reckoner, *at).await;
                }
                take_twice(&reckoner, step).await
            }));
        }
        // Else the test has shown nothing.
        assert!(cut > 0, "no step was cut off");
        told
    }
}

/// What work comes to within so many polls; none if it is cut off behind the last of them.
async fn within<T>(polls: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    let poll = std::future::poll_fn(|context| {
        left = left.saturating_sub(1);
        match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    poll.await
}

/// What every ledger holds is the sum of its entries, and no bound is broken.
pub(crate) async fn ledgers_add_up(reckoner: &Reckoner) {
    let company = reckoner.company(&Caller::Machine).await.expect("the company");
    for id in company.accounts.keys() {
        let asked = LedgerAsked { billing_account: id.clone(), period: None };
        let told = reckoner.ledger(&Caller::Machine, &asked, u64::MAX).await.expect("a ledger");
        let mut sums = Balances::default();
        sums.post(told.entries.iter().map(|(_, entry)| entry)).expect("within bounds");
        assert_eq!(Balances::held(told.balances).expect("each once"), sums, "{id}");
    }
}

/// Each payer's months begin with what the one before ended with, up to the open one, and a closed
/// one ends with what the entries of the ledger up to it leave in lots; so does each lot. Gives how
/// many months of payers are closed.
async fn balances_are_chained(reckoner: &Reckoner, at: Instant) -> usize {
    let mut closed = 0;
    let first = BillingPeriod::parse(MONTHS[0]).expect("a month");
    for id in PAYING.map(account) {
        let asked = LedgerAsked { billing_account: id.clone(), period: None };
        let told = reckoner.ledger(&Caller::Machine, &asked, u64::MAX).await.expect("a ledger");
        let mut before = None;
        let months = std::iter::successors(Some(first), |month| Some(month.next()));
        for period in months.take_while(|month| *month <= BillingPeriod::of(at)) {
            let balance = reckoner.balance_of_period(&Caller::Machine, &id, period).await;
            let balance = balance.unwrap_or_else(|error| panic!("{id} in {period}: {error:?}"));
            let summary = balance.balance.summary;
            let begins = summary.beginning;
            assert_eq!(begins, before.unwrap_or(begins), "{id} in {period}");
            let ends = summary.ending().expect("a sum");
            before = Some(ends);
            if balance.is_final {
                let until = told.entries.iter().filter(|(of, _)| *of <= period);
                let held = in_lots(until.map(|(_, entry)| entry)).into_values().sum::<i128>();
                assert_eq!(ends.minor(), held, "{id} in {period}");
                closed += 1;
            }
        }
        let available = reckoner.available_balance(&Caller::Machine, &id).await.expect("a balance");
        let held = in_lots(told.entries.iter().map(|(_, entry)| entry));
        for lot in available.lots.iter().filter(|lot| held.contains_key(&lot.id)) {
            assert_eq!(lot.booked.minor(), held[&lot.id], "{} of {id}", lot.id);
        }
    }
    closed
}

/// What entries leave in each lot that they touch, in minor units.
fn in_lots<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<LotId, i128> {
    let mut held = BTreeMap::new();
    for posting in entries.flat_map(Entry::postings) {
        if let LedgerAccount::Credit(lot) | LedgerAccount::Prepayment(lot) = &posting.account {
            let minor = posting.amount.minor();
            let gained = if posting.side == Side::Credit { minor } else { -minor };
            *held.entry(lot.clone()).or_insert(0) += gained;
        }
    }
    held
}

/// How long after its end a month is closed.
const CLOSED_AFTER_MICROS: i64 = 4 * 86_400_000_000;

/// The steps of a history, in the order in which they are taken.
fn steps(months: &[Month], way: Manner, draw: &mut ChaCha8Rng) -> Vec<(Instant, Step)> {
    let is_shuffled = way.disorder > 0;
    let first = Instant::parse("2026-05-01").expect("a moment");
    let mut steps = vec![(first, Step::Declare(company()))];
    for month in months {
        let mut records = month.records.clone();
        if is_shuffled {
            records.shuffle(draw);
        }
        let size = if is_shuffled { draw.random_range(1..15_usize) } else { 1_000 };
        let end = month.period.end();
        for batch in records.chunks(size) {
            steps.push((end, Step::Use(batch.to_vec())));
            if is_shuffled && draw.random_range(0..4) == 0 {
                steps.push((end, Step::Seal));
            }
        }
        let at = end.plus_micros(CLOSED_AFTER_MICROS);
        let close = [Step::Do(Deed::Close(month.period))];
        let rest = month.before.iter().chain(&close).chain(&month.after);
        steps.extend(rest.map(|step| (at, step.clone())));
    }
    steps
}

fn live(months: &[Month], way: Manner) -> Left {
    let (place, mut draw) = (Place::new(way), ChaCha8Rng::seed_from_u64(way.disorder));
    let steps = steps(months, way, &mut draw);
    let told = match way.ends {
        Ends::InOrder => place.live_in_order(&steps, (way.disorder > 0).then_some(draw)),
        Ends::Cut => place.live_through_crashes(&steps, draw),
    };
    place.process(async |reckoner: Reckoner| {
        ledgers_add_up(&reckoner).await;
        let now = months[months.len() - 1].period.end().plus_micros(CLOSED_AFTER_MICROS);
        let closed = balances_are_chained(&reckoner, now).await;
        assert_eq!(closed, months.len() * PAYING.len(), "{way:?}: all are closed but the open one");
        let checked = reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
        assert_eq!(checked.problems, Vec::<String>::new(), "{way:?}");
        let left = left(&reckoner, months, (told, checked.notes)).await;
        reckoner.close().await.expect("closed");
        left
    })
}

async fn left(
    reckoner: &Reckoner,
    months: &[Month],
    (told, notes): (Vec<String>, Vec<String>),
) -> Left {
    let mut rows = Vec::new();
    for id in PAYING {
        let days = months[0].period.start().day()..months[months.len() - 1].period.end().day();
        let all = reckoner
            .explain_total(&Caller::Machine, &account(id), days, &[], usize::MAX)
            .await
            .expect("explained");
        let mut own: Vec<_> = all.rows.into_iter().map(|explained| explained.row).collect();
        own.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        rows.extend(own.iter().map(encode_row));
    }
    let documents = issued(reckoner).await;
    let written = documents.iter().map(|one| [admin::invoice_json(one).expect("JSON"), csv(one)]);
    Left { told, rows, invoices: written.collect(), notes }
}

/// All invoices and notes, whose numbers have no gap.
pub(crate) async fn issued(reckoner: &Reckoner) -> Vec<Issued> {
    let asked = DocumentsAsked::default();
    let documents = reckoner.issued(&Caller::Machine, &asked, 1_000).await.expect("documents");
    let number = |one: &Issued| match one {
        Issued::Invoice(document) => document.number.clone(),
        Issued::Note(note) => note.number.clone(),
    };
    check_gap_free(&documents.iter().map(number).collect::<Vec<_>>()).expect("no gap");
    documents
}

fn csv(issued: &Issued) -> String {
    let sheet = match issued {
        Issued::Invoice(document) => documents::invoice_lines(&document.invoice).expect("lines"),
        Issued::Note(note) => documents::note_lines(&note.note).expect("lines"),
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

/// A number that the environment tells, or the usual one.
pub(crate) fn wanted(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn a_history_comes_to_the_same_however_it_is_lived_through() {
    let rule = "a history comes to the same however it is lived through";
    let (first, is_shared) = (wanted("RECKONER_SEED", 1), Books::Postgres.can_be_had(rule));
    for seed in first..first + wanted("RECKONER_HISTORIES", 3) {
        let months = history(seed);
        let one = Manner { books: Books::Sqlite, threads: 1, disorder: 0, ends: Ends::InOrder };
        let expected = live(&months, one);
        assert!(!expected.invoices.is_empty() && !expected.rows.is_empty(), "seed {seed}");
        let two = Manner { threads: 2, disorder: seed, ..one };
        let mut others = vec![two];
        if is_shared {
            others.push(Manner { books: Books::Postgres, disorder: seed + 1, ..two });
        }
        // Crashes take their time: on one store or the other, by the seed.
        let is_on_shared = is_shared && seed % 2 == 0;
        let books = if is_on_shared { Books::Postgres } else { Books::Sqlite };
        others.push(Manner { books, disorder: seed + 2, ends: Ends::Cut, ..two });
        for other in others {
            assert_eq!(live(&months, other), expected, "seed {seed}, {other:?}");
        }
    }
}

/// Ten writers want more than there is: the bound holds, whoever comes first.
async fn refunds_at_once_pay_out_no_more_than_there_is(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let clock = SetClock::at(Instant::parse("2026-06-05").expect("a moment"));
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    in_process::declare(&reckoner, &company()).await;
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
