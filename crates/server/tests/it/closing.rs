//! Closing: usage becomes invoices and ledger entries, once, and what is closed stays.

use crate::books::{Books, Schema, on_each_store};
use crate::installation::Installation;
use crate::{described, in_process};
use calendar::{BillingPeriod, Instant, SetClock};
use domain::Error;
use domain::access::Caller;
use domain::ids::{BillingAccountId, MeterId, PaymentId, RecordId};
use domain::invoice_state::InvoiceState;
use domain::numbering::{DocumentNumber, check_gap_free};
use domain::usage::UsageRecord;
use money::{Cost, Fixed18};
use serde_json::{Value, json};
use service::{
    ChargeQuery, CloseMode, ClosePeriod, Closing, Config, Document, DocumentsAsked, Drafts,
    Incoming, Outcome, PaymentAsked, PaymentBooked, Reckoner, Way,
};
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

/// Two payers of one seller, taxed at 19 %.
pub(crate) const PAYERS: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[tax_rate]]
seller = "reck"
category = "standard"
rate = "0.19"

[[billing_account]]
id = "globex"
name = "Globex"
currency = "USD"
region = "US"

[[billing_terms]]
billing_account = "acme"
seller = "reck"
currency = "USD"
approval = "by_rule"

[[billing_terms]]
billing_account = "globex"
seller = "reck"
currency = "USD"
approval = "by_rule"
"#;

/// Hours and calls, at prices below a cent.
const METERED: &str = r#"
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

[[price_list.prices]]
meter = "hours"
model = { graduated = [{ from = "0", price = "0.333" }, { from = "10", price = "0.1234567" }] }

[[subscription]]
id = "shop"
name = "Shop"
placements = [{ billing_account = "acme", offer = "metered" }]

[[subscription]]
id = "store"
name = "Store"
placements = [{ billing_account = "globex", offer = "metered" }]

[[source]]
name = "gate"
billing_accounts = ["acme", "globex"]
"#;

/// [`PAYERS`], and what they use.
pub(crate) fn company() -> String {
    [PAYERS, METERED].concat()
}

/// A customer agreement of `acme` with the billing profile `main`, and subscriptions that stand in
/// invoice sections of it: `mill`, in `east`.
pub(crate) fn in_sections(all: &[(&str, &str)]) -> String {
    let begins = "from = 2026-01-01T00:00:00Z";
    let mut text = format!(
        "[[agreement]]\nbilling_account = \"acme\"\n{begins}\ntype = \"customer agreement\"\n\n\
         [[billing_profile]]\nbilling_account = \"acme\"\nid = \"main\"\n{begins}\n\
         name = \"Main\"\ncurrency = \"USD\"\n\n"
    );
    for (subscription, section) in all {
        text += &format!(
            "[[invoice_section]]\nbilling_account = \"acme\"\nid = \"{section}\"\n{begins}\n\
             name = \"{section}\"\nbilling_profile = \"main\"\n\n\
             [[subscription]]\nid = \"{subscription}\"\nname = \"{subscription}\"\n\
             placements = [{{ {begins}, billing_account = \"acme\", profile = \"main\", \
             offer = \"metered\" }}]\n\
             standings = [{{ {begins}, place = {{ billing_account = \"acme\", \
             level = \"invoice section\", id = \"{section}\" }} }}]\n\n"
        );
    }
    text
}

/// A price for calls, which [`company`] lacks.
pub(crate) const CALLS: &str = r#"
[[price_list]]
id = "calls"
billing_account = "globex"
from = "2026-01"
currency = "USD"
prices = [{ meter = "calls", model = { per_unit = "0.011" } }]
"#;

/// An installation on a clock that stands where the test sets it.
pub(crate) struct House {
    pub(crate) directory: TempDir,
    pub(crate) schema: Option<Schema>,
    pub(crate) clock: SetClock,
    pub(crate) reckoner: Reckoner,
}

impl House {
    pub(crate) async fn new(books: Books) -> House {
        House::with(books, |_| {}).await
    }

    /// With another configuration.
    pub(crate) async fn with(books: Books, set: impl FnOnce(&mut Config)) -> House {
        let directory = tempfile::tempdir().expect("a directory");
        let (schema, clock) = (books.schema(), SetClock::at(moment("2026-06-05T12:00:00Z")));
        let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, set).await;
        in_process::declare(&reckoner, &[in_process::ACCOUNT, &company()].concat()).await;
        House { directory, schema, clock, reckoner }
    }

    /// Ends it in good order and opens it again.
    pub(crate) async fn reopened(self) -> House {
        let House { directory, schema, clock, reckoner } = self;
        reckoner.close().await.expect("closed");
        drop(reckoner);
        let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
        House { directory, schema, clock, reckoner }
    }

    /// Takes records in: id, account, subscription, meter, quantity, day.
    pub(crate) async fn send(&self, records: &[&str]) {
        let records = records.iter().map(|text| Incoming::Record(Box::new(record(text))));
        let taken = self.reckoner.take_in(&Caller::Machine, records.collect()).await;
        taken.expect("taken in");
    }

    pub(crate) async fn close(&self, asked: ClosePeriod) -> Closing {
        let closing = self.reckoner.close_period(&Caller::Machine, &asked, "test").await;
        closing.unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) async fn invoices(&self) -> Vec<Document> {
        let asked = DocumentsAsked::default();
        self.reckoner.documents(&Caller::Machine, &asked, 100).await.expect("the invoices")
    }

    /// What verifying finds wrong, and what it notes.
    pub(crate) async fn verified(&self) -> (Vec<String>, Vec<String>) {
        let checked = self.reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
        (checked.problems, checked.notes)
    }

    /// The exact sum of May's charges of an account, as `query` tells it.
    async fn queried(&self, id: &str) -> Cost {
        let (from, until) = (moment("2026-05-01").day(), moment("2026-06-01").day());
        let query = ChargeQuery {
            billing_account: Some(account(id)),
            days: from..until,
            group_by: Vec::new(),
            filters: Vec::new(),
            top: None,
        };
        let table = self.reckoner.charges(&Caller::Machine, &query).await.expect("charges");
        table.rows[0].cost
    }
}

pub(crate) fn moment(text: &str) -> Instant {
    Instant::parse(text).expect("a moment")
}

pub(crate) fn account(id: &str) -> BillingAccountId {
    BillingAccountId::new(id).expect("an id")
}

fn record(text: &str) -> UsageRecord {
    let mut words = text.split_whitespace();
    let mut next = || words.next().expect("a word");
    let (id, payer, subscription, meter) = (next(), next(), next(), next());
    let mut record = in_process::record(id, next());
    record.key.billing_account = account(payer);
    record.key.id = RecordId::new(id).expect("an id");
    record.subscription = domain::ids::SubscriptionId::new(subscription).expect("an id");
    record.meter = MeterId::new(meter).expect("an id");
    record.service_period = calendar::Interval::at(moment(next()));
    record
}

pub(crate) fn month(period: &str, mode: CloseMode) -> ClosePeriod {
    ClosePeriod {
        period: BillingPeriod::parse(period).expect("a period"),
        mode,
        drafts: Drafts::Wait,
        left_out: BTreeSet::new(),
    }
}

pub(crate) fn may() -> ClosePeriod {
    month("2026-05", CloseMode::Final)
}

/// Each account with what came of it: `acme closed reck-00000001`.
pub(crate) fn told(closing: &Closing) -> Vec<String> {
    let one = |one: &service::AccountClosing| {
        let (word, documents, reason) = match &one.outcome {
            Outcome::Closed { documents } => ("closed", documents.as_slice(), ""),
            Outcome::ClosedBefore { documents } => ("closed before", documents.as_slice(), ""),
            Outcome::WouldClose { documents } => ("would close", documents.as_slice(), ""),
            Outcome::Waits { reason } => ("waits", &[][..], reason.as_str()),
            Outcome::Parked { reason } => ("parked", &[][..], reason.as_str()),
        };
        let names = documents.iter().map(|document| {
            document.number.as_ref().map_or_else(|| document.id.to_string(), ToString::to_string)
        });
        let names = names.collect::<Vec<_>>().join(" ");
        format!("{} {word} {names}{reason}", one.billing_account).trim_end().to_owned()
    };
    closing.accounts.iter().map(one).collect()
}

pub(crate) const USAGE: [&str; 4] = [
    "1 acme shop hours 7.7 2026-05-01",
    "2 acme shop hours 9.1 2026-05-31T23:59:59Z",
    "3 globex store hours 0.01 2026-05-03",
    "4 acme shop hours 1 2026-06-01",
];

async fn invoices_add_up_to_what_was_used(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    let closing = house.close(may()).await;
    assert_eq!(told(&closing), ["acme closed reck-00000001", "globex closed reck-00000002"]);
    assert!(closing.head.is_some());
    let invoices = house.invoices().await;
    for invoice in invoices.iter().map(|document| &document.invoice) {
        let mut sum = Cost::zero(invoice.currency);
        for line in &invoice.lines {
            sum = sum.checked_add(line.booked.to_cost().expect("small")).expect("small");
        }
        for row in invoice.rounding_rows().expect("rows") {
            sum = sum.checked_sub(row.cost).expect("small");
        }
        let queried = house.queried(invoice.billing_account.as_str()).await;
        assert_eq!(sum, queried, "invoice - rounding rows = rated rows");
    }
    // 10 × 0.333 + 6.8 × 0.1234567 = 4.16950556; with 19 % tax.
    let owed = invoices.iter().map(|document| document.owed.to_string()).collect::<Vec<_>>();
    assert_eq!(owed, ["4.96 USD", "0.00 USD"]);
    let numbers: Vec<DocumentNumber> = invoices.into_iter().map(|one| one.number).collect();
    check_gap_free(&numbers).expect("no gap");
    assert_eq!(house.verified().await, (vec![], vec![]));
    let house = house.reopened().await;
    assert_eq!(house.verified().await, (vec![], vec![]), "after a restart");
}

on_each_store!(invoices_add_up_to_what_was_used);

async fn closing_twice_changes_nothing(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    let first = house.close(may()).await;
    let before = house.invoices().await;
    let house = house.reopened().await;
    let again = house.close(may()).await;
    let expected = ["acme closed before reck-00000001", "globex closed before reck-00000002"];
    assert_eq!(told(&again), expected);
    assert_eq!(again.head, first.head);
    assert_eq!(house.invoices().await, before);
}

on_each_store!(closing_twice_changes_nothing);

async fn a_dry_run_changes_nothing(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    let dry = house.close(month("2026-05", CloseMode::DryRun)).await;
    assert_eq!(told(&dry), ["acme would close acme/2026-05", "globex would close globex/2026-05"]);
    assert_eq!((dry.head, dry.gates), (None, vec![]));
    assert_eq!(house.invoices().await, []);
    // An open period can be looked at, and not closed.
    let open = house.close(month("2026-06", CloseMode::DryRun)).await;
    assert_eq!(told(&open), ["acme would close acme/2026-06", "globex would close"]);
    assert_eq!(open.gates.len(), 2, "{:?}", open.gates);
    let june = month("2026-06", CloseMode::Final);
    let refused = house.reckoner.close_period(&Caller::Machine, &june, "test").await;
    let refused = refused.expect_err("it is not over").to_string();
    assert!(refused.contains("period over: it ends at 2026-07-01"), "{refused}");
    let closing = house.close(may()).await;
    assert_eq!(told(&closing), ["acme closed reck-00000001", "globex closed reck-00000002"]);
}

on_each_store!(a_dry_run_changes_nothing);

async fn what_cannot_be_rated_parks_its_account_alone(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.send(&["5 globex store calls 3 2026-05-04"]).await;
    let closing = house.close(may()).await;
    let parked = "globex parked quarantine empty: 1 wait: no_price (meter)";
    assert_eq!(told(&closing), ["acme closed reck-00000001", parked]);
    assert!(closing.head.is_some(), "the period is sealed without it");
    assert_eq!(told(&house.close(may()).await)[1], parked);

    // It stays parked in later periods, until what was missing is declared.
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    let june = house.close(month("2026-06", CloseMode::Final)).await;
    let expected =
        ["acme closed reck-00000002", "globex parked earlier periods: 2026-05 is parked"];
    assert_eq!(told(&june), expected);
    in_process::declare(&house.reckoner, CALLS).await;
    let later = house.close(may()).await;
    let expected = ["acme closed before reck-00000001", "globex closed reck-00000003"];
    assert_eq!(told(&later), expected);
    assert_ne!(later.head, june.head, "it has a link of its own");
    let june = house.close(month("2026-06", CloseMode::Final)).await;
    assert_eq!(told(&june), ["acme closed before reck-00000002", "globex closed"]);
    assert_eq!(house.verified().await, (vec![], vec![]));
    let house = house.reopened().await;
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(what_cannot_be_rated_parks_its_account_alone);

async fn what_waits_can_be_left_out(books: Books) {
    let house = House::new(books).await;
    house.send(&["5 globex store calls 3 2026-05-04"]).await;
    let closing = house.close(ClosePeriod { left_out: [account("globex")].into(), ..may() }).await;
    assert_eq!(told(&closing), ["acme closed", "globex closed"]);
    assert_eq!(house.invoices().await, []);
}

on_each_store!(what_waits_can_be_left_out);

async fn late_usage_is_a_line_of_the_next_invoice(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    let before = house.invoices().await;
    house.send(&["late acme shop hours 2 2026-05-02"]).await;
    let house = house.reopened().await;
    assert_eq!(told(&house.close(may()).await)[0], "acme closed before reck-00000001");
    assert_eq!(house.invoices().await, before, "what is closed stays");
    let (problems, notes) = house.verified().await;
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(notes, ["acme in 2026-05: 1 corrections wait for the next close"]);

    house.clock.set(moment("2026-07-05T12:00:00Z"));
    let june = house.close(month("2026-06", CloseMode::Final)).await;
    assert_eq!(told(&june), ["acme closed reck-00000003", "globex closed"]);
    let invoices = house.invoices().await;
    let lines = &invoices[2].invoice.lines;
    let amended = lines.iter().find_map(|line| Some((line.key.amends.as_ref()?, line)));
    let (amends, line) = amended.expect("a correction");
    assert_eq!((amends.document.as_str(), amends.line), ("acme/2026-05", Some(1)));
    // Two hours more in the second tier.
    assert_eq!(line.pricing.major, Fixed18::parse("0.2469134").expect("a number"));
    assert_eq!(house.verified().await, (vec![], vec![]), "nothing is left to correct");
}

on_each_store!(late_usage_is_a_line_of_the_next_invoice);

async fn drafts_wait_for_a_person_unless_a_rule_agrees(books: Books) {
    let house = House::new(books).await;
    let terms = "[[billing_terms]]\nbilling_account = \"acme\"\nseller = \"reck\"\n\
                 currency = \"USD\"\napproval = \"by_person\"\n";
    in_process::declare(&house.reckoner, terms).await;
    house.send(&USAGE).await;
    let waits = house.close(may()).await;
    let expected =
        ["acme waits approval: its drafts wait for a person", "globex closed reck-00000001"];
    assert_eq!(
        (told(&waits).as_slice(), waits.head),
        (expected.map(String::from).as_slice(), None)
    );
    let closing = house.close(ClosePeriod { drafts: Drafts::GoOut, ..may() }).await;
    assert_eq!(told(&closing)[0], "acme closed reck-00000002");
    assert!(closing.head.is_some());
    assert_eq!(house.invoices().await[1].approved_by, "person machine");
}

on_each_store!(drafts_wait_for_a_person_unless_a_rule_agrees);

async fn only_who_may_closes_and_reads(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    let nobody = Caller::Principal(domain::ids::PrincipalId::new("nobody").expect("an id"));
    let refused = house.reckoner.close_period(&nobody, &may(), "test").await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    house.close(may()).await;
    let all = house.reckoner.documents(&nobody, &DocumentsAsked::default(), 9).await;
    assert!(matches!(all, Err(Error::Forbidden { .. })), "{all:?}");
    let number = |text| DocumentNumber::parse(text).expect("a number");
    for (text, key) in [("reck-1", "reck-00000001"), ("reck-9", "reck-00000009")] {
        let one = house.reckoner.document(&nobody, &number(text)).await;
        assert!(matches!(&one, Err(Error::NotFound { key: k, .. }) if k == key), "{one:?}");
    }
}

on_each_store!(only_who_may_closes_and_reads);

/// So many payers more, and that the source may send for them.
fn payers(count: usize) -> String {
    let ids: Vec<String> = (0..count).map(|number| format!("\"p{number}\"")).collect();
    let source = format!(
        "[[source]]\nname = \"gate\"\nbilling_accounts = [\"acme\", \"globex\", {}]\n",
        ids.join(", ")
    );
    (0..count).map(payer).collect::<String>() + &source
}

async fn who_is_declared_after_a_close_is_closed_behind_it(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    in_process::declare(&house.reckoner, &payers(2)).await;
    house.send(&["6 p0 s0 hours 3 2026-05-02"]).await;
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    let june = house.close(month("2026-06", CloseMode::Final)).await;
    let behind =
        "p0 parked earlier periods: 2026-05 was sealed before it; close that again".to_owned();
    assert_eq!(told(&june)[2..], [behind, "p1 closed".to_owned()]);
    let again = house.close(may()).await;
    assert_eq!(told(&again)[2..], ["p0 closed reck-00000004", "p1 closed"]);
    let june = house.close(month("2026-06", CloseMode::Final)).await;
    assert_eq!(told(&june)[2], "p0 closed");
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(who_is_declared_after_a_close_is_closed_behind_it);

/// A payer more, with a subscription of its own.
fn payer(number: usize) -> String {
    format!(
        "[[billing_account]]\nid = \"p{number}\"\nname = \"P\"\ncurrency = \"USD\"\nregion = \"US\"\n\
         [[billing_terms]]\nbilling_account = \"p{number}\"\nseller = \"reck\"\ncurrency = \"USD\"\n\
         approval = \"by_rule\"\n\
         [[subscription]]\nid = \"s{number}\"\nname = \"S\"\n\
         placements = [{{ billing_account = \"p{number}\", offer = \"metered\" }}]\n"
    )
}

async fn a_close_that_is_cut_off_goes_on_where_it_stopped(books: Books) {
    const PAYERS: usize = 12;
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, &payers(PAYERS)).await;
    let usage: Vec<String> =
        (0..PAYERS).map(|at| format!("{at} p{at} s{at} hours 3 2026-05-02")).collect();
    house.send(&usage.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for delay_ms in [0, 1, 3, 6, 12, 25] {
        let reckoner = house.reckoner.clone();
        let closing = async move { reckoner.close_period(&Caller::Machine, &may(), "cut").await };
        let running = tokio::spawn(closing);
        tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
        running.abort();
        // Cut off, or done before.
        let _ = running.await;
    }
    let house = house.reopened().await;
    assert!(house.close(may()).await.head.is_some());
    let invoices = house.invoices().await;
    assert_eq!(invoices.len(), PAYERS);
    let numbers: Vec<DocumentNumber> = invoices.into_iter().map(|one| one.number).collect();
    check_gap_free(&numbers).expect("no gap");
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(a_close_that_is_cut_off_goes_on_where_it_stopped);

/// What a payment came to: each invoice's part, the open credit, whether it is new.
pub(crate) async fn paid(house: &House, id: &str, amount: &str, way: Way) -> String {
    let asked = PaymentAsked {
        id: PaymentId::new(id).expect("an id"),
        billing_account: account("acme"),
        amount: Fixed18::parse(amount).expect("a number"),
        way,
    };
    match house.reckoner.record_payment(&Caller::Machine, &asked, "test").await {
        Err(error) => error.to_string(),
        Ok(PaymentBooked { amount: _, parts, surplus, is_new }) => {
            let parts = parts.iter().map(|part| format!("{} {}, ", part.document, part.amount));
            format!("{}{surplus} open, {is_new}", parts.collect::<String>())
        }
    }
}

async fn payments_settle_invoices_and_leave_open_credit(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    let all = || Way::In(Vec::new());
    let first = "acme/2026-05 1.00 USD, 0.00 USD open, ";
    assert_eq!(paid(&house, "p1", "1", all()).await, format!("{first}true"));
    assert_eq!(paid(&house, "p1", "1", all()).await, format!("{first}false"), "told twice");
    let other = "payment `p1`: was booked already, as 1.00 USD";
    assert_eq!(paid(&house, "p1", "2", all()).await, other);
    let fine = "amount: 0.001 USD is no payment: it must be above 0, with at most 2 decimal places";
    assert_eq!(paid(&house, "p2", "0.001", all()).await, fine);
    let foreign = Way::In(vec![DocumentNumber::parse("reck-2").expect("a number")]);
    let missing = "document `reck-00000002` does not exist";
    assert_eq!(paid(&house, "p2", "1", foreign).await, missing, "it is another payer's");
    assert_eq!(house.invoices().await[0].state, InvoiceState::Due);
    let own = Way::In(vec![DocumentNumber::parse("reck-1").expect("a number")]);
    let second = "acme/2026-05 3.96 USD, 1.04 USD open, true";
    assert_eq!(paid(&house, "p2", "5", own).await, second);
    let invoice = house.invoices().await.remove(0);
    assert_eq!((invoice.state, invoice.owed.minor()), (InvoiceState::Paid, 0));
    let refund = paid(&house, "r1", "1.05", Way::Out).await;
    assert_eq!(refund, "ledger account `open_credit` would be left with -0.01 USD");
    assert_eq!(paid(&house, "r1", "0.94", Way::Out).await, "0.00 USD open, true");

    // What is left over pays the next invoice: 0.33 and tax of 0.06.
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    house.close(month("2026-06", CloseMode::Final)).await;
    let june = house.invoices().await.remove(2);
    assert_eq!((june.owed.to_string(), june.state), ("0.29 USD".to_owned(), InvoiceState::Due));
    house.clock.set(moment("2026-08-05T00:00:00Z"));
    assert_eq!(house.invoices().await[2].state, InvoiceState::OverDue);
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(payments_settle_invoices_and_leave_open_credit);

/// Changes one byte of what a table keeps after May is closed.
async fn changed_byte(books: Books, words: &str, table: &str, says: &str) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    found_changed(house, words, table, says).await;
}

/// Changes one byte of what a table keeps, which verifying must find; in SQLite by its place in the
/// file.
pub(crate) async fn found_changed(house: House, words: &str, table: &str, says: &str) {
    house.reckoner.close().await.expect("closed");
    let House { directory, schema, clock, reckoner } = house;
    drop(reckoner);
    match &schema {
        None => flip(&directory.path().join("data/books.db"), words.as_bytes()),
        Some(schema) => {
            // In hexadecimal digits: the words hold bytes that are no text.
            let words: String = words.bytes().map(|byte| format!("{byte:02x}")).collect();
            let place = format!("position('\\x{words}'::bytea IN body)");
            let set = format!("body = overlay(body PLACING '!'::bytea FROM {place})");
            schema.tell(&format!("BEGIN; UPDATE {table} SET {set} WHERE {place} > 0; COMMIT"));
        }
    }
    let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    let checked = reckoner.verify(&Caller::Machine, |_, _, _| {}).await.expect("verified");
    let problems = checked.problems.join("\n");
    assert!(problems.contains(says), "{table}: {problems}");
}

/// Puts another byte where some words stand first in a file.
fn flip(path: &Path, words: &[u8]) {
    let mut bytes = std::fs::read(path).expect("the books");
    let places = bytes.windows(words.len()).enumerate().filter(|(_, window)| *window == words);
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    assert!(!places.is_empty(), "the words stand in the file");
    for place in places {
        bytes[place] = b'!';
    }
    std::fs::write(path, bytes).expect("the books");
}

async fn a_changed_byte_is_found(books: Books) {
    // The line of globex, and an entry of it.
    let document = "document globex/2026-05: its bytes are not what was issued";
    changed_byte(books, "store\u{1}\u{5}hours", "documents", document).await;
    let entry = "ledger of globex: ";
    changed_byte(books, "\u{d}revenue:usage", "ledger_entries", entry).await;
}

on_each_store!(a_changed_byte_is_found);

async fn the_program_closes_and_shows_invoices(books: Books) {
    let installation = Installation::new(books, "USD", &company());
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let event = json!({
        "id": "1", "source": "gate", "subscription": "shop", "meter": "hours",
        "quantity": "3", "start": "2026-10-02T10:00:00Z",
    });
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let sent = server.client.post(url).bearer_auth(key).json(&event).send().await;
    assert_eq!(sent.expect("an answer").status().as_u16(), 200);
    // A server that runs closes too; here it only shows.
    let token = installation.token(&server).await;
    let asked = json!({ "period": "2026-10", "dry_run": true });
    let url = format!("{}/closes", server.told("admin.url"));
    let dry = server.client.post(url).bearer_auth(&token).json(&asked).send().await;
    let (_, dry) = described::checked("POST", dry.expect("an answer")).await;
    assert_eq!(dry["accounts"][0]["invoices"][0]["total"], "1.19", "{dry}");
    server.stop();

    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&installation.run(arguments)).expect("JSON")
    };
    let dry = json(&["close", "2026-10", "--dry-run", "--json"]);
    assert_eq!(dry["accounts"][0]["outcome"], "would_close", "{dry}");
    let closing = json(&["close", "2026-10", "--json"]);
    assert_eq!(closing["accounts"][0]["invoices"][0]["number"], "reck-00000001", "{closing}");
    assert_eq!(closing["accounts"][1]["outcome"], "closed", "{closing}");
    assert_eq!(json(&["close", "2026-10", "--json"])["head"], closing["head"]);
    let invoices = json(&["invoices", "--json"]);
    assert_eq!((&invoices[0]["state"], &invoices[0]["owed"]), (&json!("due"), &json!("1.19")));
    let invoice = json(&["invoice", "reck-1", "--json"]);
    let line = &invoice["lines"][0];
    let amounts = ["exact", "rounding", "booked", "tax"].map(|name| line[name].clone());
    assert_eq!(amounts.as_slice(), ["0.999", "0.001", "1.00", "0.19"], "{invoice}");
    let csv = installation.run(&["invoice", "reck-1", "--csv"]);
    assert!(csv.contains("0.999,0.001,1.00,0.00,1.00,0.19,USD"), "{csv}");
    assert!(installation.run(&["invoice", "reck-1"]).contains("total       1.19 USD"));
    assert!(installation.run(&["invoices"]).contains("reck-00000001"));
    let refused = installation.refused(&["invoice", "reck-2"]);
    assert!(refused.contains("document `reck-00000002` does not exist"), "{refused}");
    assert!(installation.refused(&["close", "2026-12"]).contains("period over"));
    let verified = installation.run(&["verify"]);
    assert!(verified.contains("1 documents, 2 closes checked; 0 problems"), "{verified}");
}

on_each_store!(the_program_closes_and_shows_invoices);
