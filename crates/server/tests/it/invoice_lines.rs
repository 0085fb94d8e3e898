//! Lines of invoices one by one: those of a draft are those that its close bills, corrections stand
//! with what is closed next, and who sees them is who reads charges there.

use crate::books::{Books, on_each_store};
use crate::closing::{House, account, in_sections, may, moment};
use crate::in_process;
use domain::access::{Caller, Scope};
use domain::ids::{BillingAccountId, PlaceId, PrincipalId};
use domain::invoice_state::InvoiceState;
use domain::places::{Level, Place, PlaceKey};
use domain::{Error, Result};
use money::{Fixed18, Money};
use service::{
    Document, DocumentsAsked, InvoiceLineKind, InvoiceLinePage, InvoiceLineTold, InvoiceLineType,
    InvoiceLinesAsked, InvoicesOf, Reckoner,
};
use std::collections::{BTreeMap, BTreeSet};

/// Who reads the account, its billing profile, and the invoice section of `ferry`.
const ROLES: &str = r#"
[[role_assignment]]
principal = "ann"
role = "Billing Account Reader"
scope = { billing_account = "acme" }

[[role_assignment]]
principal = "bob"
role = "Billing Profile Reader"
scope = { place = { billing_account = "acme", level = "billing profile", id = "main" } }

[[role_assignment]]
principal = "cat"
role = "Invoice Section Owner"
scope = { place = { billing_account = "acme", level = "invoice section", id = "east" } }
"#;

async fn house(books: Books) -> House {
    let house = House::new(books).await;
    let declared = in_sections(&[("ferry", "east")]) + ROLES;
    in_process::declare(&house.reckoner, &declared).await;
    let records = [
        "1 acme ferry hours 17 2026-05-02",
        "2 acme shop hours 5 2026-05-20",
        "3 acme ferry hours 4 2026-06-02",
    ];
    house.send(&records).await;
    house
}

fn all(from: &str, until: &str) -> InvoiceLinesAsked {
    InvoiceLinesAsked {
        days: moment(from).day()..moment(until).day(),
        kinds: InvoiceLineKind::ALL.into(),
        types: InvoiceLineType::ALL.into(),
    }
}

async fn lines(reckoner: &Reckoner, from: &str, until: &str) -> Vec<InvoiceLineTold> {
    let (scope, asked) = (Scope::Account(account("acme")), all(from, until));
    let told = reckoner.all_invoice_lines(&Caller::Machine, &scope, &asked).await;
    told.unwrap_or_else(|error| panic!("{error:?}"))
}

/// A line but for what only an invoice has.
fn but_for_its_invoice(line: &InvoiceLineTold) -> InvoiceLineTold {
    InvoiceLineTold { name: String::new(), invoice: None, tax: None, ..line.clone() }
}

/// The lines of every invoice and its rounding rows are what it charges, and an account is told the
/// lines of those that stand.
pub(crate) async fn are_the_invoices(reckoner: &Reckoner) {
    let asked = DocumentsAsked::default();
    let documents = reckoner.documents(&Caller::Machine, &asked, 1_000).await.expect("invoices");
    let mut standing: BTreeMap<BillingAccountId, BTreeSet<String>> = BTreeMap::new();
    for Document { number, invoice, state, .. } in &documents {
        let of = InvoicesOf::Account(invoice.billing_account.clone());
        let told = number.to_string();
        let page = reckoner.lines_of_invoice(&Caller::Machine, &of, &told, None).await;
        let InvoiceLinePage { lines, total, next } = page.expect("lines");
        assert_eq!((lines.len(), total, next), (invoice.lines.len(), lines.len() as u64, None));
        let totals = invoice.totals().expect("totals");
        let rounding = invoice.rounding_rows().expect("rounding rows");
        let exact = lines.iter().map(|line| line.exact.major);
        let exact = exact.chain(rounding.iter().map(|row| row.cost.major));
        let charges = totals.charges.to_cost().expect("a cost").major;
        assert_eq!(Fixed18::checked_sum(exact).expect("a sum"), charges, "{number}");
        let sum = |amounts: Vec<Money>| {
            Money::checked_sum(invoice.currency, amounts).expect("a sum").minor()
        };
        let lots = sum(vec![totals.credit, totals.prepayment]);
        assert_eq!(sum(lines.iter().map(|line| line.paid).collect()), lots, "{number}");
        let left = lines.iter().map(|line| line.left).collect();
        assert_eq!(sum(left), totals.subtotal.minor(), "{number}");
        let tax = lines.iter().filter_map(|line| line.tax).collect();
        assert_eq!(sum(tax), totals.tax.minor(), "{number}");
        if *state != InvoiceState::Void {
            let own = standing.entry(invoice.billing_account.clone()).or_default();
            own.extend(lines.into_iter().map(|line| line.name));
        }
    }
    for (account, names) in standing {
        let (scope, asked) = (Scope::Account(account), all("2000-01-01", "2100-01-01"));
        let told = reckoner.all_invoice_lines(&Caller::Machine, &scope, &asked).await;
        let told = told.expect("lines").into_iter().filter(|line| line.invoice.is_some());
        assert_eq!(told.map(|line| line.name).collect::<BTreeSet<_>>(), names, "{scope:?}");
    }
}

on_each_store!(the_lines_of_drafts_are_what_the_close_bills);
async fn the_lines_of_drafts_are_what_the_close_bills(books: Books) {
    let house = house(books).await;
    let before = lines(&house.reckoner, "2026-05-01", "2026-07-01").await;
    assert_eq!(before.len(), 3);
    assert!(before.iter().all(|line| line.invoice.is_none() && line.tax.is_none()), "{before:?}");
    house.close(may()).await;
    let after = lines(&house.reckoner, "2026-05-01", "2026-07-01").await;
    let bare = |lines: &[InvoiceLineTold]| -> Vec<InvoiceLineTold> {
        lines.iter().map(but_for_its_invoice).collect()
    };
    assert_eq!(bare(&after), bare(&before));
    let billed = after.iter().filter(|line| line.invoice.is_some()).count();
    assert_eq!(billed, 2, "May's");
    are_the_invoices(&house.reckoner).await;
    // What is not billed yet keeps its name while usage arrives.
    house.send(&["4 acme ferry hours 9 2026-06-03"]).await;
    let later = lines(&house.reckoner, "2026-06-01", "2026-07-01").await;
    let [later] = later.as_slice() else { panic!("{later:?}") };
    let [.., earlier] = before.as_slice() else { panic!("{before:?}") };
    assert_eq!(later.name, earlier.name);
    assert!(later.exact.major > earlier.exact.major, "{later:?}");
}

on_each_store!(corrections_stand_once_with_what_is_closed_next);
async fn corrections_stand_once_with_what_is_closed_next(books: Books) {
    let house = house(books).await;
    house.close(may()).await;
    house.send(&["5 acme ferry hours 6 2026-05-30"]).await;
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    let told = lines(&house.reckoner, "2026-06-01", "2026-08-01").await;
    let is_late = |line: &&InvoiceLineTold| line.service_period.start() < moment("2026-06-01");
    let late: Vec<&InvoiceLineTold> = told.iter().filter(is_late).collect();
    let [late] = late.as_slice() else { panic!("{told:?}") };
    assert_eq!(late.day.to_string(), "2026-06-01", "a day of the period that bills it");
    assert_eq!(late.invoice, None);
    assert_eq!(told.len(), 2, "{told:?}");
}

on_each_store!(lines_are_for_who_reads_charges_and_invoices);
async fn lines_are_for_who_reads_charges_and_invoices(books: Books) {
    let house = house(books).await;
    house.close(may()).await;
    let place = |level, id: &str| {
        let key = PlaceKey { level, id: PlaceId::new(id).expect("an id") };
        Place { billing_account: account("acme"), key }
    };
    let main = place(Level::BillingProfile, "main");
    let east = place(Level::InvoiceSection, "east");
    let spelled = |told: Result<usize>| match told {
        Ok(count) => count.to_string(),
        Err(Error::Forbidden { .. }) => "forbidden".to_owned(),
        Err(Error::NotFound { .. }) => "missing".to_owned(),
        Err(error) => panic!("{error:?}"),
    };
    let who = |name: &str| Caller::Principal(PrincipalId::new(name).expect("an id"));
    let asked = all("2026-05-01", "2026-07-01");
    let check = async |name: &str, scope: Scope, expected: &str| {
        let told = house.reckoner.invoice_lines(&who(name), &scope, &asked, None).await;
        assert_eq!(spelled(told.map(|page| page.lines.len())), expected, "{name} {scope:?}");
        let told = house.reckoner.all_invoice_lines(&who(name), &scope, &asked).await;
        assert_eq!(spelled(told.map(|lines| lines.len())), expected, "{name} {scope:?}");
    };
    for (name, of_account, of_profile, of_section) in [
        ("ann", "3", "2", "2"),
        ("bob", "forbidden", "2", "2"),
        ("cat", "forbidden", "forbidden", "forbidden"),
        ("dan", "missing", "missing", "missing"),
    ] {
        check(name, Scope::Account(account("acme")), of_account).await;
        check(name, Scope::Place(main.clone()), of_profile).await;
        check(name, Scope::Place(east.clone()), of_section).await;
    }
    let invoices = house.invoices().await;
    let number = |is_meant: &dyn Fn(&str) -> bool| {
        let found = invoices.iter().find(|one| is_meant(one.invoice.id.as_str()));
        found.expect("an invoice").number.to_string()
    };
    let (of_profile, of_account) =
        (number(&|id| id.ends_with("/profile/main")), number(&|id| id == "acme/2026-05"));
    let check = async |name: &str, of: InvoicesOf, number: &str, expected: &str| {
        let told = house.reckoner.lines_of_invoice(&who(name), &of, number, None).await;
        assert_eq!(spelled(told.map(|page| page.lines.len())), expected, "{name} {of:?} {number}");
    };
    let (whole, own) = (InvoicesOf::Account(account("acme")), InvoicesOf::Profile(main.clone()));
    for (name, told, others, unknown) in [
        ("ann", "1", "1", "missing"),
        ("bob", "1", "missing", "missing"),
        ("cat", "forbidden", "forbidden", "forbidden"),
        ("dan", "missing", "missing", "missing"),
    ] {
        check(name, whole.clone(), &of_profile, told).await;
        check(name, whole.clone(), &of_account, others).await;
        check(name, whole.clone(), "reck-00000099", unknown).await;
        check(name, own.clone(), &of_profile, told).await;
    }
    check("ann", own, &of_account, "missing").await;
    // One line, by its name, on its days.
    let days = asked.days.clone();
    let line = format!("{of_profile}-1");
    let check = async |name: &str, line: &str, expected: &str| {
        let told = house.reckoner.invoice_line(&who(name), &main, line, &days).await;
        assert_eq!(spelled(told.map(|_| 1)), expected, "{name} {line}");
    };
    check("bob", &line, "1").await;
    check("cat", &line, "forbidden").await;
    check("bob", &format!("{of_profile}-2"), "missing").await;
    check("bob", &format!("{of_account}-1"), "missing").await;
    check("bob", "draft-00000000000000000000000000000000", "missing").await;
}

/// A partner whose subscription changes its customer in the middle of May.
const RESOLD: &str = r#"
[[agreement]]
billing_account = "globex"
from = 2026-01-01T00:00:00Z
type = "partner agreement"

[[billing_profile]]
billing_account = "globex"
id = "dollars"
from = 2026-01-01T00:00:00Z
name = "Dollars"
currency = "USD"

[[customer]]
billing_account = "globex"
id = "bakery"
from = 2026-01-01T00:00:00Z
name = "Bakery"

[[customer]]
billing_account = "globex"
id = "butcher"
from = 2026-01-01T00:00:00Z
name = "Butcher"

[[subscription]]
id = "oven"
name = "Oven"
placements = [{ from = 2026-01-01T00:00:00Z, billing_account = "globex", profile = "dollars",
                offer = "metered" }]
standings = [{ from = 2026-01-01T00:00:00Z,
               place = { billing_account = "globex", level = "customer", id = "bakery" } },
             { from = 2026-05-16T00:00:00Z,
               place = { billing_account = "globex", level = "customer", id = "butcher" } }]
"#;

on_each_store!(what_changes_its_customer_is_told_whole_under_the_last);
async fn what_changes_its_customer_is_told_whole_under_the_last(books: Books) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, RESOLD).await;
    house.send(&["1 globex oven hours 3 2026-05-02", "2 globex oven hours 4 2026-05-20"]).await;
    let check = async |id: &str, expected: &[&str]| {
        let key = PlaceKey { level: Level::Customer, id: PlaceId::new(id).expect("an id") };
        let scope = Scope::Place(Place { billing_account: account("globex"), key });
        let asked = all("2026-05-01", "2026-06-01");
        let told = house.reckoner.all_invoice_lines(&Caller::Machine, &scope, &asked).await;
        let told = told.expect("lines");
        let costs: Vec<String> = told.iter().map(|line| line.exact.major.to_string()).collect();
        assert_eq!(costs, expected, "{id}");
    };
    check("bakery", &[]).await;
    check("butcher", &["2.331"]).await;
    house.close(may()).await;
    let invoices = house.invoices().await;
    let is_meant = |one: &Document| one.invoice.id.as_str() == "globex/2026-05/profile/dollars";
    assert!(invoices.iter().any(is_meant), "{invoices:?}");
    check("bakery", &[]).await;
    check("butcher", &["2.331"]).await;
}
