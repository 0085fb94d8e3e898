//! The life of an invoice after it is issued: notes, rebills, write-offs, payments, corrections by
//! policy, second persons.

use crate::books::{Books, on_each_store};
use crate::closing::{House, USAGE, account, found_changed, may, moment, month, paid, told};
use crate::in_process;
use crate::installation::Installation;
use domain::Error;
use domain::access::{Action, Caller, SecondPerson};
use domain::ids::PrincipalId;
use domain::ledger::Side;
use domain::numbering::DocumentNumber;
use money::Fixed18;
use serde_json::{Value, json};
use service::{
    CloseMode, CreditLine, CreditNoteAsked, Document, IssuedNote, LedgerAsked, LedgerTold,
    RequestDone, Way, Withdrawal,
};

/// Hours at a tenth each.
const CHEAPER: &str = r#"
[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "hours", model = { per_unit = "0.1" } }]
"#;

/// Terms of `acme` with a policy for what comes late.
fn policy(words: &str) -> String {
    format!(
        "[[billing_terms]]\nbilling_account = \"acme\"\nseller = \"reck\"\ncurrency = \"USD\"\n\
         approval = \"by_rule\"\n{words}\n"
    )
}

fn number(sequence: &str) -> DocumentNumber {
    DocumentNumber::parse(&format!("reck-{sequence}")).expect("a number")
}

fn withdrawal(sequence: &str, reason: &str) -> Withdrawal {
    Withdrawal { number: number(sequence), reason: reason.to_owned() }
}

fn credit(sequence: &str, id: &str, line: &str) -> CreditNoteAsked {
    let (line, amount) = line.split_once('=').expect("a line");
    let amount = Fixed18::parse(amount).expect("an amount");
    let lines = vec![CreditLine { line: line.parse().expect("a number"), amount }];
    CreditNoteAsked {
        id: id.to_owned(),
        number: number(sequence),
        lines,
        reason: "goodwill".into(),
    }
}

fn note_told(note: domain::Result<IssuedNote>) -> String {
    match note {
        Ok(IssuedNote { number, note, .. }) => {
            format!("{} {}", number.sequence, note.due().expect("a total"))
        }
        Err(error) => error.to_string(),
    }
}

async fn ledger(house: &House) -> LedgerTold {
    let asked = LedgerAsked { billing_account: account("acme"), period: None };
    house.reckoner.ledger(&Caller::Machine, &asked, 10_000).await.expect("a ledger")
}

/// Takes one step of a life, and tells what came of it.
pub(crate) async fn step(house: &House, text: &str) -> String {
    let machine = Caller::Machine;
    let words: Vec<&str> = text.split_whitespace().collect();
    let way = |numbers: &[&str]| Way::In(numbers.iter().map(|text| number(text)).collect());
    match words.as_slice() {
        ["close", period] => {
            let closing = house.close(month(period, CloseMode::Final)).await;
            told(&closing)[0].strip_prefix("acme ").expect("of acme").to_owned()
        }
        ["clock", time] => {
            house.clock.set(moment(time));
            String::new()
        }
        ["late", id, hours, day] => {
            house.send(&[&format!("{id} acme shop hours {hours} {day}")]).await;
            String::new()
        }
        ["cheaper"] => {
            in_process::declare(&house.reckoner, CHEAPER).await;
            String::new()
        }
        ["pay", id, amount, for_these @ ..] => paid(house, id, amount, way(for_these)).await,
        ["refund", id, amount] => paid(house, id, amount, Way::Out).await,
        ["credit", sequence, id, line] => {
            let asked = credit(sequence, id, line);
            note_told(house.reckoner.credit_note(&machine, &asked, "test").await)
        }
        ["void", sequence, reason] => {
            let asked = withdrawal(sequence, reason);
            note_told(house.reckoner.void_invoice(&machine, &asked, "test").await)
        }
        ["rebill", sequence] => {
            let asked = withdrawal(sequence, "the price was wrong");
            match house.reckoner.rebill(&machine, &asked, "test").await {
                Ok(rebilled) => {
                    let total = rebilled.invoice.invoice.totals().expect("totals").total;
                    let (void, new) = (rebilled.void.number, rebilled.invoice.number);
                    format!("{} {} {total}", void.sequence, new.sequence)
                }
                Err(error) => error.to_string(),
            }
        }
        ["write-off", sequence] => {
            let asked = withdrawal(sequence, "insolvent");
            match house.reckoner.write_off(&machine, &asked, "test").await {
                Ok(written_off) => format!("{} {}", written_off.amount, written_off.is_new),
                Err(error) => error.to_string(),
            }
        }
        ["show", sequence] => {
            let shown = house.reckoner.document(&machine, &number(sequence)).await;
            let Document { state, owed, written_off, creditable, .. } = shown.expect("an invoice");
            let left = creditable.get(&1).map(|left| format!(", {left} creditable"));
            let (state, left) = (state.name(), left.unwrap_or_default());
            format!("{state}, {owed} owed, {written_off} written off{left}")
        }
        ["holds", name] => {
            let balances = ledger(house).await.balances;
            let held = balances.iter().find(|(account, _)| account.to_string() == *name);
            held.map_or("nothing".to_owned(), |(_, held)| held.to_string())
        }
        other => panic!("{other:?}"),
    }
}

/// May is used and closed; then come the steps, each with what it is told. In the end nothing is
/// wrong, debits are credits, and a restart changes nothing.
async fn life(books: Books, terms: &str, steps: &[(&str, &str)]) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, terms).await;
    house.send(&USAGE).await;
    assert_eq!(step(&house, "close 2026-05").await, "closed reck-00000001");
    for (text, expected) in steps {
        assert_eq!(step(&house, text).await, *expected, "{text}");
    }
    assert_eq!(house.verified().await, (vec![], vec![]));
    let (mut debits, mut credits) = (0, 0);
    for (_, entry) in &ledger(&house).await.entries {
        for posting in entry.postings() {
            match posting.side {
                Side::Debit => debits += posting.amount.minor(),
                Side::Credit => credits += posting.amount.minor(),
            }
        }
    }
    assert!(debits == credits && debits > 0, "{debits} and {credits}");
    let before = house.invoices().await;
    let house = house.reopened().await;
    assert_eq!(house.invoices().await, before);
    assert_eq!(house.verified().await, (vec![], vec![]), "after a restart");
}

async fn a_credit_note_lowers_what_is_owed_and_leaves_open_credit(books: Books) {
    let steps = [
        ("pay p1 2", "acme/2026-05 2.00 USD, 0.00 USD open, true"),
        ("credit 1 n1 1=1", "3 -1.19 USD"),
        ("credit 1 n1 1=1", "3 -1.19 USD"),
        ("credit 1 n1 1=2", "credit note `acme/credit/n1`: was issued already, and differs"),
        (
            "credit 2 n1 1=1",
            "line `1 of globex/2026-05`: has 0.00 USD left to take back, not 1.00 USD",
        ),
        (
            "credit 1 n2 1=3.18",
            "line `1 of acme/2026-05`: has 3.17 USD left to take back, not 3.18 USD",
        ),
        ("credit 1 n2 1=0.001", "line 1: 0.001 has more than 2 decimal places"),
        ("credit 1 n2 7=1", "line `7 of acme/2026-05` does not exist"),
        ("credit 3 n2 1=1", "invoice `reck-00000003` does not exist"),
        ("show 1", "due, 1.77 USD owed, 0.00 USD written off, 3.17 USD creditable"),
        ("pay p2 5", "acme/2026-05 1.77 USD, 3.23 USD open, true"),
        ("show 1", "paid, 0.00 USD owed, 0.00 USD written off, 3.17 USD creditable"),
        ("clock 2026-07-05", ""),
        ("close 2026-06", "closed reck-00000004"),
        ("show 4", "paid, 0.00 USD owed, 0.00 USD written off, 0.33 USD creditable"),
        ("holds open_credit", "2.84 USD"),
        ("refund r1 2.84", "0.00 USD open, true"),
        ("holds open_credit", "nothing"),
    ];
    life(books, "", &steps).await;
}

on_each_store!(a_credit_note_lowers_what_is_owed_and_leaves_open_credit);

async fn what_was_paid_of_a_void_invoice_is_open_credit(books: Books) {
    let void = "invoice `acme/2026-05`: is void already: mistake";
    let steps = [
        ("pay p1 4.96", "acme/2026-05 4.96 USD, 0.00 USD open, true"),
        ("void 1 mistake", "3 -4.96 USD"),
        ("void 1 mistake", "3 -4.96 USD"),
        ("void 1 whim", void),
        ("credit 1 n1 1=1", "invoice `acme/2026-05`: is void by acme/void/reck-00000001"),
        ("write-off 1", "invoice `reck-00000001`: is owed nothing"),
        ("show 1", "void, 0.00 USD owed, 0.00 USD written off"),
        ("holds open_credit", "4.96 USD"),
        ("refund r1 5", "ledger account `open_credit` would be left with -0.04 USD"),
        ("refund r1 4.96", "0.00 USD open, true"),
        // It is not billed again by itself, nor is what comes late for it.
        ("late l1 5 2026-05-03", ""),
        ("clock 2026-07-05", ""),
        ("close 2026-06", "closed reck-00000004"),
        ("show 4", "due, 0.39 USD owed, 0.00 USD written off, 0.33 USD creditable"),
        ("rebill 1", "3 5 5.70 USD"),
        ("show 5", "due, 5.70 USD owed, 0.00 USD written off, 4.79 USD creditable"),
    ];
    life(books, "", &steps).await;
}

on_each_store!(what_was_paid_of_a_void_invoice_is_open_credit);

async fn a_rebill_asks_for_what_the_facts_come_to_now(books: Books) {
    let steps = [
        ("pay p1 4.96", "acme/2026-05 4.96 USD, 0.00 USD open, true"),
        ("cheaper", ""),
        ("rebill 1", "3 4 2.00 USD"),
        ("rebill 1", "3 4 2.00 USD"),
        ("show 1", "void, 0.00 USD owed, 0.00 USD written off"),
        ("show 4", "paid, 0.00 USD owed, 0.00 USD written off, 1.68 USD creditable"),
        ("holds open_credit", "2.96 USD"),
        // What comes late amends the invoice that stands, and that can be rebilled again.
        ("late l1 10 2026-05-03", ""),
        ("clock 2026-07-05", ""),
        ("close 2026-06", "closed reck-00000005"),
        ("show 5", "paid, 0.00 USD owed, 0.00 USD written off, 1.00 USD creditable"),
        ("holds open_credit", "1.65 USD"),
        ("rebill 4", "7 8 2.00 USD"),
        ("void 5 whim", "9 -1.31 USD"),
        ("clock 2026-08-05", ""),
        // With June's invoice its correction of May was withdrawn: July's has it.
        ("close 2026-07", "closed reck-00000010"),
        ("show 10", "paid, 0.00 USD owed, 0.00 USD written off, 1.00 USD creditable"),
        ("holds open_credit", "1.77 USD"),
    ];
    life(books, "", &steps).await;
}

on_each_store!(a_rebill_asks_for_what_the_facts_come_to_now);

async fn what_is_in_the_payers_favour_can_be_a_credit_note(books: Books) {
    let steps = [
        ("pay p1 4.96", "acme/2026-05 4.96 USD, 0.00 USD open, true"),
        ("cheaper", ""),
        ("clock 2026-07-05", ""),
        ("close 2026-06", "closed reck-00000003 reck-00000004"),
        ("show 1", "paid, 0.00 USD owed, 0.00 USD written off, 1.68 USD creditable"),
        ("show 4", "paid, 0.00 USD owed, 0.00 USD written off, 0.10 USD creditable"),
        ("holds open_credit", "2.84 USD"),
        // Twice is once: there is nothing to correct any more.
        ("close 2026-06", "closed before reck-00000003 reck-00000004"),
        ("clock 2026-08-05", ""),
        ("close 2026-07", "closed"),
        ("holds open_credit", "2.84 USD"),
        ("rebill 1", "6 7 2.00 USD"),
        ("holds open_credit", "2.84 USD"),
    ];
    life(books, &policy("in_favour = \"credit_note\""), &steps).await;
}

on_each_store!(what_is_in_the_payers_favour_can_be_a_credit_note);

async fn little_that_comes_late_is_not_billed(books: Books) {
    let steps = [
        ("late l1 2 2026-05-02", ""),
        ("clock 2026-07-05", ""),
        ("close 2026-06", "closed reck-00000003"),
        ("show 3", "due, 0.39 USD owed, 0.00 USD written off, 0.33 USD creditable"),
        ("holds not_billed:acme/2026-05", "0.25 USD"),
        ("late l2 2 2026-05-03", ""),
        ("clock 2026-08-05", ""),
        ("close 2026-07", "closed"),
        ("holds not_billed:acme/2026-05", "0.50 USD"),
        ("late l3 20 2026-05-03", ""),
        ("clock 2026-09-05", ""),
        ("close 2026-08", "closed reck-00000004"),
        ("show 4", "due, 2.94 USD owed, 0.00 USD written off, 2.47 USD creditable"),
        ("holds not_billed:acme/2026-05", "0.50 USD"),
    ];
    life(books, &policy("not_billed_up_to = \"0.50\""), &steps).await;
}

on_each_store!(little_that_comes_late_is_not_billed);

async fn what_is_written_off_is_owed_no_more_and_can_be_made_good(books: Books) {
    let steps = [
        ("pay p1 1", "acme/2026-05 1.00 USD, 0.00 USD open, true"),
        ("write-off 1", "3.96 USD true"),
        ("write-off 1", "3.96 USD false"),
        ("show 1", "paid, 0.00 USD owed, 3.96 USD written off, 4.17 USD creditable"),
        // Money that names no invoice is not for what nobody is asked for.
        ("pay p2 2", "2.00 USD open, true"),
        ("pay p3 1 1", "acme/2026-05 1.00 USD, 0.00 USD open, true"),
        ("show 1", "paid, 0.00 USD owed, 2.96 USD written off, 4.17 USD creditable"),
        ("credit 1 n1 1=4.17", "3 -4.96 USD"),
        ("show 1", "paid, 0.00 USD owed, 0.00 USD written off, 0.00 USD creditable"),
        // What was paid is given back, what was written off is not.
        ("holds open_credit", "4.00 USD"),
        ("holds write_off:acme/2026-05", "nothing"),
        ("void 1 mistake", "4 0.00 USD"),
    ];
    life(books, "", &steps).await;
}

on_each_store!(what_is_written_off_is_owed_no_more_and_can_be_made_good);

async fn a_rebill_that_is_cut_off_is_there_as_a_whole_or_not_at_all(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    for delay_ms in [0, 1, 2, 4, 8, 16] {
        let reckoner = house.reckoner.clone();
        let rebill = async move {
            reckoner.rebill(&Caller::Machine, &withdrawal("1", "the price was wrong"), "cut").await
        };
        let running = tokio::spawn(rebill);
        tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
        running.abort();
        let _ = running.await;
    }
    let house = house.reopened().await;
    assert_eq!(step(&house, "rebill 1").await, "3 4 4.96 USD");
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(a_rebill_that_is_cut_off_is_there_as_a_whole_or_not_at_all);

async fn a_changed_note_is_found(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    step(&house, "credit 1 n1 1=1").await;
    let says = "document acme/credit/n1: its bytes are not what was issued";
    found_changed(house, "goodwill", "documents", says).await;

    let house = House::new(books).await;
    in_process::declare(&house.reckoner, &policy("not_billed_up_to = \"0.50\"")).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    for text in ["late l1 2 2026-05-02", "clock 2026-07-05", "close 2026-06"] {
        step(&house, text).await;
    }
    let says = "corrections 1 of acme/2026-05: its bytes are not what was delivered";
    found_changed(house, "shop\u{1}\u{5}hours", "delivered_corrections", says).await;
}

on_each_store!(a_changed_note_is_found);

/// What a caller is told who does everything to an invoice and an account.
async fn refusals(house: &House, caller: &Caller, sequence: &str, id: &str) -> Vec<String> {
    let reckoner = &house.reckoner;
    let asked = withdrawal(sequence, "whim");
    let payment = |way| service::PaymentAsked {
        id: domain::ids::PaymentId::new("p").expect("an id"),
        billing_account: account(id),
        amount: Fixed18::parse("1").expect("a number"),
        way,
    };
    let ledger = LedgerAsked { billing_account: account(id), period: None };
    let (payment, refund) = (payment(Way::In(Vec::new())), payment(Way::Out));
    let told = [
        reckoner.credit_note(caller, &credit(sequence, "n", "1=1"), "test").await.err(),
        reckoner.void_invoice(caller, &asked, "test").await.err(),
        reckoner.rebill(caller, &asked, "test").await.err(),
        reckoner.write_off(caller, &asked, "test").await.err(),
        reckoner.record_payment(caller, &payment, "test").await.err(),
        reckoner.record_payment(caller, &refund, "test").await.err(),
        reckoner.ledger(caller, &ledger, 9).await.err(),
        reckoner.requests(caller, Some(account(id)), 9).await.err(),
    ];
    told.into_iter().map(|error| error.expect("a refusal").to_string()).collect()
}

pub(crate) fn principal(name: &str) -> Caller {
    Caller::Principal(PrincipalId::new(name).expect("an id"))
}

/// The role of a principal, at the installation.
pub(crate) fn role(principal: &str, role: &str) -> String {
    format!(
        "[[role_assignment]]\nprincipal = \"{principal}\"\nrole = \"{role}\"\nscope = \"installation\"\n"
    )
}

async fn foreign_and_missing_invoices_look_alike(books: Books) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, &role("auditor", "Auditor")).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    let nobody = refusals(&house, &principal("nobody"), "1", "acme").await;
    let missing = refusals(&house, &principal("nobody"), "9", "none").await;
    let alike = |told: Vec<String>| {
        told.into_iter()
            .map(|text| text.replace("none", "acme").replace("09", "01"))
            .collect::<Vec<_>>()
    };
    assert_eq!(nobody, alike(missing));
    assert!(nobody.iter().all(|told| told.ends_with("does not exist")), "{nobody:?}");
    // Who sees the account is told what is missing.
    let auditor = principal("auditor");
    let void = Action::VoidInvoices.name();
    let told = house.reckoner.void_invoice(&auditor, &withdrawal("1", "whim"), "test").await;
    assert_eq!(told.expect_err("refused").to_string(), format!("{void} is not allowed here"));
    let asked = LedgerAsked { billing_account: account("acme"), period: None };
    assert!(house.reckoner.ledger(&auditor, &asked, 9).await.is_ok());
    // Nothing is done without a reason.
    let told = house.reckoner.void_invoice(&Caller::Machine, &withdrawal("1", " "), "test").await;
    assert_eq!(told.expect_err("refused").to_string(), "reason: must not be empty");
    assert_eq!(house.invoices().await.len(), 2);
}

on_each_store!(foreign_and_missing_invoices_look_alike);

/// The id in `request `…`: …`, and what stands behind it.
pub(crate) fn request_of(error: Error) -> (String, String) {
    match error {
        Error::Conflict { what: "request", key, problem } => (key, problem),
        other => panic!("{other:?}"),
    }
}

async fn what_needs_a_second_person_waits_for_one(books: Books) {
    let needed = [Action::VoidInvoices, Action::WriteOffCharges, Action::ClosePeriods];
    let house = House::with(books, |config| {
        config.second_person = SecondPerson::new(needed).expect("actions that can need one");
    })
    .await;
    let roles =
        [role("clerk", "Billing Clerk"), role("boss", "Approver"), role("admin", "Administrator")];
    in_process::declare(&house.reckoner, &roles.concat()).await;
    house.send(&USAGE).await;
    let (clerk, boss, admin) = (principal("clerk"), principal("boss"), principal("admin"));
    let reckoner = &house.reckoner;
    let approve = async |caller: &Caller, id: &str| match reckoner
        .approve_request(caller, id, "test")
        .await
    {
        Ok(RequestDone { outcome, .. }) => outcome,
        Err(error) => error.to_string(),
    };
    let closing = reckoner.close_period(&clerk, &may(), "test").await;
    let (close, problem) = request_of(closing.expect_err("it waits"));
    let waits = "needs the approval of a second person; it waits until 2026-06-12T12:00:00Z";
    assert_eq!(problem, waits);
    assert_eq!(house.invoices().await, [], "nothing is done before");
    let again = reckoner.close_period(&clerk, &may(), "test").await.expect_err("it waits");
    assert_eq!(request_of(again).0, close, "asked twice is asked once");
    let missing = format!("request `{close}` does not exist");
    assert_eq!(approve(&clerk, &close).await, missing, "who may not approve is not told");
    assert_eq!(approve(&principal("nobody"), &close).await, missing);
    let machine = approve(&Caller::Machine, &close).await;
    assert!(machine.contains("the machine is no second person"), "{machine}");
    let done = "2026-05: 2 accounts, of which 0 wait and 0 are parked";
    assert_eq!(approve(&boss, &close).await, done);
    assert_eq!(approve(&boss, &close).await, done, "again changes nothing");
    assert_eq!(approve(&admin, &close).await, format!("request `{close}`: was approved by boss"));

    let asked = credit("1", "c-1", "1=0.01");
    let credited = reckoner.credit_note(&admin, &asked, "test").await.expect_err("it waits");
    let (credited, _) = request_of(credited);
    assert_eq!(approve(&boss, &credited).await, "reck-00000003 on reck-00000001");

    let asked = withdrawal("1", "mistake");
    let void = reckoner.void_invoice(&admin, &asked, "test").await.expect_err("it waits");
    let (void, _) = request_of(void);
    let own = approve(&admin, &void).await;
    assert!(own.contains("nobody approves what it asks for itself"), "{own}");
    assert_eq!(approve(&boss, &void).await, "reck-00000004 on reck-00000001");
    let invoice = house.invoices().await.remove(0);
    assert_eq!(invoice.notes[0].approved_by, "person boss");
    assert_eq!(invoice.state.name(), "void");

    let asked = withdrawal("2", "insolvent");
    let late = reckoner.write_off(&clerk, &asked, "test").await.expect_err("it waits");
    let (late, _) = request_of(late);
    house.clock.set(moment("2026-06-13T12:00:00Z"));
    let expired = format!("request `{late}`: has expired at 2026-06-12T12:00:00Z; ask again");
    assert_eq!(approve(&boss, &late).await, expired);
    let listed = reckoner.requests(&boss, None, 9).await.expect("requests");
    let approved: Vec<Option<&str>> =
        listed.iter().map(|request| request.approved_by.as_deref()).collect();
    assert_eq!(approved.iter().filter(|by| **by == Some("boss")).count(), 3, "{listed:?}");
    assert_eq!(approved.len(), 4);
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(what_needs_a_second_person_waits_for_one);

async fn drafts_show_whether_somebody_has_agreed(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    let states = async || {
        let dry = house.close(month("2026-05", CloseMode::DryRun)).await;
        let told = dry.accounts.iter().map(|one| match &one.outcome {
            service::Outcome::WouldClose { documents } => {
                documents[0].state.expect("a draft").name()
            }
            other => panic!("{other:?}"),
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(states().await, ["approved", "approved"]);
    let terms = policy("").replace("by_rule", "by_person");
    in_process::declare(&house.reckoner, &terms).await;
    assert_eq!(states().await, ["draft", "approved"]);
}

on_each_store!(drafts_show_whether_somebody_has_agreed);

/// Calls the admin API.
async fn call(
    server: &crate::program::Server,
    token: &str,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let url = format!("{}{path}", server.told("admin.url"));
    let request = match &body {
        Value::Null => server.client.get(url),
        body => server.client.post(url).json(body),
    };
    let answer = request.bearer_auth(token).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// Amends the one invoice that there is: by a credit note, payments, and a rebill in the end.
async fn amended_over_http(server: &crate::program::Server, token: &str) {
    let asked = json!({ "id": "n1", "lines": [{ "line": 1, "amount": "0.50" }], "reason": "slow" });
    let path = "/invoices/reck-1/credit-notes";
    let (status, note) = call(server, token, path, asked.clone()).await;
    let shown = (&note["number"], &note["kind"], &note["total"], &note["amends"]);
    let expected =
        (&json!("reck-00000002"), &json!("credit_note"), &json!("-0.60"), &json!("reck-00000001"));
    assert_eq!((status, shown), (200, expected), "{note}");
    assert_eq!(call(server, token, path, asked).await, (200, note), "twice is once");
    let other = json!({ "id": "n1", "lines": [{ "line": 1, "amount": "0.10" }], "reason": "slow" });
    assert_eq!(call(server, token, path, other).await.0, 409);

    let asked = json!({ "id": "p1", "billing_account": "acme", "amount": "1" });
    let (_, booked) = call(server, token, "/payments", asked).await;
    assert_eq!(
        (&booked["parts"][0]["amount"], &booked["open_credit"]),
        (&json!("0.59"), &json!("0.41"))
    );
    let asked = json!({ "id": "r1", "billing_account": "acme", "amount": "0.41" });
    assert_eq!(call(server, token, "/refunds", asked).await.0, 200);
    let asked = json!({ "reason": "insolvent" });
    let (status, _) = call(server, token, "/invoices/reck-1/write-off", asked).await;
    assert_eq!(status, 409, "it is owed nothing");
    let (_, told) = call(server, token, "/ledger?billing_account=acme", Value::Null).await;
    assert_eq!(told["entries"][0]["purpose"], "refund r1", "{told}");
    let held = json!({ "account": "payments", "amount": "0.59", "currency": "USD" });
    assert!(told["balances"].as_array().expect("a list").contains(&held), "{told}");
    let asked = json!({ "reason": "wrong" });
    let (_, rebilled) = call(server, token, "/invoices/reck-1/rebill", asked).await;
    assert_eq!(rebilled["invoice"]["replaces"], "acme/2026-10", "{rebilled}");
    let (_, listed) = call(server, token, "/invoices", Value::Null).await;
    let kinds = listed["invoices"].as_array().expect("a list").iter();
    let kinds: Vec<&str> = kinds.map(|one| one["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["invoice", "credit_note", "void_note", "invoice"]);
    assert_eq!(
        call(server, token, "/requests", Value::Null).await,
        (200, json!({ "requests": [] }))
    );
    assert_eq!(call(server, token, "/requests/none/approve", json!({})).await.0, 404);
}

async fn the_program_amends_invoices(books: Books) {
    let installation = Installation::new(books, "USD", &crate::closing::company());
    let key = installation.key("gate");
    let server = installation.serve(&[]);
    let event = json!({
        "id": "1", "source": "gate", "subscription": "shop", "meter": "hours",
        "quantity": "3", "start": "2026-10-02T10:00:00Z",
    });
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let sent = server.client.post(url).bearer_auth(key).json(&event).send().await;
    assert_eq!(sent.expect("an answer").status().as_u16(), 200);
    let token = installation.token(&server).await;
    let close = json!({ "period": "2026-10" });
    let (status, closing) = call(&server, &token, "/closes", close).await;
    let draft = &closing["accounts"][0]["invoices"][0];
    assert_eq!((status, &draft["state"]), (200, &json!("issued")), "{closing}");

    amended_over_http(&server, &token).await;
    server.stop();

    let shown = installation.run(&["invoice", "reck-1"]);
    assert!(shown.contains("void\n") && shown.contains("credit note reck-00000002"), "{shown}");
    let shown = installation.run(&["invoice", "reck-3"]);
    assert!(shown.contains("void note reck-00000003 of reck to acme on reck-00000001"), "{shown}");
    assert!(
        installation.run(&["invoice", "reck-2", "--csv"]).contains("1,1,standard,0.50,0.10,USD")
    );
    assert!(installation.run(&["invoices"]).contains("void_note"));
    let credit = ["credit-note", "reck-4", "--line", "1=0.2", "--id", "n2", "--reason", "slow"];
    let made = installation.run(&credit);
    assert_eq!(made, "reck-00000005: credit note on reck-00000004  -0.24 USD\n");
    let written_off = installation.run(&["write-off", "reck-4", "--reason", "insolvent"]);
    assert!(
        written_off.contains("of reck-4 written off")
            || written_off.contains("of reck-00000004 written off"),
        "{written_off}"
    );
    let void = installation.run(&["void", "reck-4", "--reason", "wrong"]);
    assert!(void.starts_with("reck-00000006: void note on reck-00000004"), "{void}");
    let again = installation.run(&["rebill", "reck-4", "--reason", "wrong"]);
    assert!(again.contains("reck-00000007 in the place of reck-00000004"), "{again}");
    assert!(installation.run(&["ledger", "acme"]).contains("write_off"), "all is in the ledger");
    assert_eq!(installation.run(&["requests"]), "");
    let verified = installation.run(&["verify"]);
    assert!(verified.contains("7 documents, 2 closes checked; 0 problems"), "{verified}");
}

on_each_store!(the_program_amends_invoices);

async fn credit_notes_at_once_take_back_no_more_than_there_is(books: Books) {
    let house = House::new(books).await;
    house.send(&USAGE).await;
    house.close(may()).await;
    let notes = (0..8).map(|at| {
        let (reckoner, asked) = (house.reckoner.clone(), credit("1", &format!("n{at}"), "1=1"));
        tokio::spawn(async move { reckoner.credit_note(&Caller::Machine, &asked, "test").await })
    });
    let mut made = 0;
    for note in notes.collect::<Vec<_>>() {
        match note.await.expect("no panic") {
            Ok(_) => made += 1,
            Err(Error::Conflict { what: "line", .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(made, 4, "of the 4.17 that there are");
    let invoice = house.invoices().await.remove(0);
    assert_eq!(invoice.notes.len(), made);
    assert_eq!(house.verified().await, (vec![], vec![]));
}

on_each_store!(credit_notes_at_once_take_back_no_more_than_there_is);
