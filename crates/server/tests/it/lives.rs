//! A made-up life of some payers: who they are, what they use, what is declared and done to their
//! books, drawn from a seed; and doing it. How it is lived through is the matter of `histories` and
//! `writers`.

use crate::closing::PAYERS;
use crate::in_process;
use calendar::{BillingPeriod, Instant, Interval};
use domain::Kind;
use domain::access::Caller;
use domain::ids::{BillingAccountId, MeterId, PaymentId, PrincipalId, RecordId, SubscriptionId};
use domain::numbering::DocumentNumber;
use domain::usage::UsageRecord;
use money::Fixed18;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use service::{
    AmendmentAsked, Change, CloseMode, ClosePeriod, Closing, CreditLine, CreditNoteAsked, Drafts,
    Incoming, Outcome, PaymentAsked, Reckoner, Way, Withdrawal,
};
use std::collections::BTreeSet;

const HOURS: &str = r#"
[[meter]]
id = "hours"
name = "Hours"
category = "Machines"
unit = "Hours"
"#;

/// What the payers use, with a plan and lots; the meters have tiers over two months, a volume
/// price and a minimum.
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
base = {{ commitment_term = {{ from = "2026-05", periods = 2 }} }}
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
pub(crate) enum Step {
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
    pub(crate) before: Vec<Step>,
    /// After that.
    pub(crate) after: Vec<Step>,
}

pub(crate) const MONTHS: [&str; 3] = ["2026-05", "2026-06", "2026-07"];
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

pub(crate) fn is_drawn(draw: &mut ChaCha8Rng) -> bool {
    draw.random_range(0..2) == 0
}

/// What is declared when a month is over.
pub(crate) fn declared(draw: &mut ChaCha8Rng, month: usize) -> Vec<Step> {
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
pub(crate) fn amendment(
    draw: &mut ChaCha8Rng,
    known: &[UsageRecord],
    (id, change): (&str, Change),
) -> Step {
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

pub(crate) fn account(id: &str) -> BillingAccountId {
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

pub(crate) fn number(sequence: u64) -> DocumentNumber {
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
pub(crate) fn closed(closing: &Closing) -> String {
    let is_closed = |outcome: &Outcome| {
        matches!(outcome, Outcome::Closed { .. } | Outcome::ClosedBefore { .. })
    };
    let open = closing.accounts.iter().find(|one| !is_closed(&one.outcome));
    assert!(open.is_none(), "{} of {open:?}", closing.period);
    closing.head.unwrap_or_else(|| panic!("not sealed: {closing:?}")).to_string()
}

/// Takes a step; tells what came of a deed, done or refused.
pub(crate) async fn take(reckoner: &Reckoner, step: &Step) -> Option<String> {
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
pub(crate) async fn take_twice(reckoner: &Reckoner, step: &Step) -> Option<String> {
    let told = take(reckoner, step).await;
    assert_eq!(take(reckoner, step).await, told, "twice is once: {step:?}");
    told
}

pub(crate) async fn send(reckoner: &Reckoner, records: &[UsageRecord]) {
    let records = records.iter().map(|record| Incoming::Record(Box::new(record.clone())));
    reckoner.take_in(&Caller::Machine, records.collect()).await.expect("taken in");
}
