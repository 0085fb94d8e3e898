//! Transactions of Azure Billing: with its rounding rows they are an invoice, all lists of them
//! agree, and none is lost or told twice in pages while usage arrives.
//!
//! `RECKONER_TRANSACTIONS` says how many are read so.

use crate::books::{Books, on_each_store};
use crate::contracts::description;
use crate::installation::Installation;
use crate::program::{Server, from_environment};
use money::Fixed18;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const FIRST: &str = "2019-10-01-preview";
const SECOND: &str = "2020-05-01";
const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";
/// Items of a page of the demo's.
const PAGE: usize = 7;

/// Somebody who asks.
struct Asker<'a> {
    server: &'a Server,
    token: String,
}

impl Asker<'_> {
    async fn answer(&self, address: &str) -> (u16, Value) {
        let request = if address.starts_with("http") {
            self.server.client.get(address)
        } else {
            self.server.get(address, None)
        };
        let answer = request.bearer_auth(&self.token).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }

    async fn get(&self, address: &str) -> Value {
        let (status, told) = self.answer(address).await;
        assert_eq!(status, 200, "{address}: {told}");
        told
    }

    /// A page and all behind it.
    async fn pages(&self, address: &str) -> Vec<Value> {
        let mut pages = vec![self.get(address).await];
        loop {
            let link = pages.last().and_then(|page| page["nextLink"].as_str());
            let Some(link) = link.map(str::to_owned) else { return pages };
            pages.push(self.get(&link).await);
        }
    }

    /// The items of a list.
    async fn list(&self, address: &str) -> Vec<Value> {
        let pages = self.pages(address).await;
        pages.iter().flat_map(|page| page["value"].as_array().expect("a list").clone()).collect()
    }

    /// The names of what a list of places has.
    async fn names(&self, address: &str) -> Vec<String> {
        self.list(address).await.iter().map(name).collect()
    }
}

fn name(item: &Value) -> String {
    item["name"].as_str().expect("a name").to_owned()
}

/// A number or the text of one.
fn decimal(value: &Value) -> Fixed18 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Fixed18::parse(&text).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn sum<'a>(values: impl IntoIterator<Item = &'a Value>) -> Fixed18 {
    Fixed18::checked_sum(values.into_iter().map(decimal)).expect("a sum")
}

/// An amount of a transaction, which is in the currency of its invoice.
fn amount<'a>(transaction: &'a Value, member: &str) -> &'a Value {
    let properties = &transaction["properties"];
    assert_eq!(properties[member]["currency"], properties["billingCurrency"], "{transaction}");
    &properties[member]["value"]
}

/// By their names, each of which is there once.
fn by_name(transactions: Vec<Value>) -> BTreeMap<String, Value> {
    let count = transactions.len();
    let named: BTreeMap<String, Value> =
        transactions.into_iter().map(|one| (name(&one), one)).collect();
    assert_eq!(named.len(), count, "each is told once");
    named
}

/// Holds the transactions of an invoice against that, line by line and in sum.
fn check_invoice(whole: &Value, transactions: &[Value]) {
    let number = whole["number"].as_str().expect("a number");
    let lines = whole["lines"].as_array().expect("lines");
    assert_eq!(lines.len(), transactions.len(), "{number}");
    for (line, one) in lines.iter().zip(transactions) {
        assert_eq!(name(one), format!("{number}-{}", line["number"]));
        let of_line = [("transactionAmount", "exact"), ("subTotal", "left"), ("tax", "tax")];
        for (member, own) in of_line {
            assert_eq!(decimal(amount(one, member)), decimal(&line[own]), "{one} {line}");
        }
        let paid = line["paid"].as_array().expect("parts").iter().map(|part| &part["amount"]);
        assert_eq!(decimal(amount(one, "azureCreditApplied")), sum(paid), "{one} {line}");
        assert_eq!(one["properties"]["invoice"], number);
    }
    let of = |member: &str| sum(transactions.iter().map(|one| amount(one, member)));
    let rounding = sum(lines.iter().map(|line| &line["rounding"]));
    let totals = &whole["totals"];
    let charges = of("transactionAmount").checked_add(rounding).expect("a sum");
    assert_eq!(charges, decimal(&totals["charges"]), "{number}");
    let lots = sum([&totals["credit"], &totals["prepayment"]]);
    assert_eq!(of("azureCreditApplied"), lots, "{number}");
    assert_eq!(of("subTotal"), decimal(&totals["subtotal"]), "{number}");
    assert_eq!(of("tax"), decimal(&totals["tax"]), "{number}");
}

/// The names of the transactions of each standing invoice, by account.
type Invoiced = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Each invoice of a billing profile is its transactions and rounding rows, in both versions.
async fn check_invoices(operator: &Asker<'_>) -> Invoiced {
    let listed = operator.get("/admin/v1/invoices").await;
    let mut invoiced = Invoiced::new();
    for short in listed["invoices"].as_array().expect("invoices") {
        let text = |member: &str| short[member].as_str().unwrap_or_default();
        let Some((_, profile)) = text("id").split_once("/profile/") else { continue };
        if text("kind") != "invoice" {
            continue;
        }
        let (number, account) = (text("number"), text("billing_account"));
        let whole = operator.get(&format!("/admin/v1/invoices/{number}")).await;
        let of = format!("invoices/{number}/transactions?api-version");
        let path = format!("{ACCOUNTS}/{account}/billingProfiles/{profile}/{of}={FIRST}");
        let first = operator.list(&path).await;
        check_invoice(&whole, &first);
        let path = format!("{ACCOUNTS}/{account}/{of}={SECOND}");
        let pages = operator.pages(&path).await;
        assert!(pages.iter().all(|page| page["totalCount"] == first.len()), "{number}");
        let second = operator.list(&path).await;
        check_invoice(&whole, &second);
        let own = invoiced.entry(account.to_owned()).or_default();
        if text("state") != "void" {
            own.insert(number.to_owned(), first.iter().map(name).collect());
        }
    }
    invoiced
}

/// Those of some transactions that a place's list must have.
fn those(
    all: &BTreeMap<String, Value>,
    is_own: impl Fn(&Value) -> bool,
) -> BTreeMap<&String, &Value> {
    all.iter().filter(|(_, one)| is_own(&one["properties"])).collect()
}

/// Lists at places below an account have their part of what the account's has.
async fn check_places(operator: &Asker<'_>, account: &str, all: &BTreeMap<String, Value>) {
    let days = days(operator.server);
    let (path, version) = (format!("{ACCOUNTS}/{account}"), format!("api-version={FIRST}"));
    let check = async |place: &str, member: &str| {
        let found = operator.list(&format!("{place}/transactions?{version}&{days}")).await;
        let (_, tail) = place.rsplit_once(account).expect("below the account");
        // A section may have moved since: it is known by itself.
        let tail = tail.rsplit_once('/').map_or(tail, |(above, _)| {
            if above.ends_with("/invoiceSections") { &tail[above.len()..] } else { tail }
        });
        let is_own = |one: &Value| one[member].as_str().is_some_and(|id| id.ends_with(tail));
        let found = by_name(found);
        assert_eq!(found.iter().collect::<BTreeMap<_, _>>(), those(all, is_own), "{place}");
        found.len()
    };
    let mut of_profiles = 0;
    for profile in operator.names(&format!("{path}/billingProfiles?{version}")).await {
        let profile = format!("{path}/billingProfiles/{profile}");
        of_profiles += check(&profile, "billingProfileId").await;
        let (status, sections) =
            operator.answer(&format!("{profile}/invoiceSections?{version}")).await;
        // A partner's profiles have none.
        let sections = if status == 200 { sections["value"].as_array().cloned() } else { None };
        for section in sections.unwrap_or_default() {
            let section = format!("{profile}/invoiceSections/{}", name(&section));
            check(&section, "invoiceSectionId").await;
        }
    }
    assert_eq!(of_profiles, those(all, |one| one["billingProfileId"].is_string()).len());
    let (status, customers) = operator.answer(&format!("{path}/customers?{version}")).await;
    if status == 200 {
        let customers = customers["value"].as_array().expect("customers");
        let mut of_customers = 0;
        for customer in customers {
            let customer = format!("{path}/customers/{}", name(customer));
            of_customers += check(&customer, "customerId").await;
        }
        assert!(of_customers > 0, "{customers:?}");
    }
}

/// The days of everything that the demo has.
fn days(server: &Server) -> String {
    let end = |end: &str| server.told(&format!("invoice_window.{end}"));
    format!("periodStartDate={}&periodEndDate={}", end("from"), end("to"))
}

on_each_store!(transactions_and_rounding_rows_are_the_invoices_and_all_lists_agree);
async fn transactions_and_rounding_rows_are_the_invoices_and_all_lists_agree(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let settings = [
        ("RECKONER_LIMITS__PAGE_ROWS", PAGE.to_string()),
        ("RECKONER_LIMITS__REQUEST_BURST", "1000000".to_owned()),
        ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1000000".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &settings);
    let operator = Asker { server: &server, token: server.told("clients.operator.token") };
    let invoiced = check_invoices(&operator).await;
    let days = days(&server);
    for account in ["mca", "mpa", "recipient", "foreign"] {
        let account = server.told(&format!("accounts.{account}.billing_account"));
        let list = format!("{ACCOUNTS}/{account}/transactions?api-version={FIRST}");
        let pages = operator.pages(&format!("{list}&{days}")).await;
        let sizes: Vec<usize> =
            pages.iter().map(|page| page["value"].as_array().expect("a list").len()).collect();
        let (last, full) = sizes.split_last().expect("a page");
        assert!(full.iter().all(|size| *size == PAGE) && (1..=PAGE).contains(last), "{sizes:?}");
        let all = by_name(operator.list(&format!("{list}&{days}")).await);
        let mut by_invoice: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, one) in &all {
            let invoice = one["properties"]["invoice"].as_str().expect("an invoice").to_owned();
            by_invoice.entry(invoice).or_default().insert(name.clone());
        }
        let pending = by_invoice.remove("pending").expect("the open month");
        assert_eq!(by_invoice, invoiced[&account], "{account}");
        for name in &pending {
            let properties = &all[name]["properties"];
            assert!(properties["date"].as_str().expect("a date").starts_with("2026-11-"));
            assert!(properties.get("tax").is_none(), "{properties}");
        }
        check_places(&operator, &account, &all).await;
        for one in [all.first_key_value(), all.last_key_value()] {
            let (_, one) = one.expect("a transaction");
            let id = one["id"].as_str().expect("an id");
            let address = format!("{id}?api-version={FIRST}");
            assert_eq!(operator.get(&format!("{address}&{days}")).await, *one);
            let before = "periodStartDate=01-01-2020&periodEndDate=12-31-2020";
            assert_eq!(operator.answer(&format!("{address}&{before}")).await.0, 404, "{id}");
        }
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_narrowed_by_days_kinds_and_types_before_they_are_cut() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = [("RECKONER_LIMITS__PAGE_ROWS", "3")];
    let server = Server::demo(&directory.path().join("data"), None, &settings);
    let operator = Asker { server: &server, token: server.told("clients.operator.token") };
    let account = server.told("accounts.recipient.billing_account");
    let list = format!("{ACCOUNTS}/{account}/transactions?api-version={FIRST}");
    let all = operator.list(&format!("{list}&{}", days(&server))).await;
    let check = async |query: &str, is_own: &dyn Fn(&Value) -> bool| {
        let found = operator.list(&format!("{list}&{query}")).await;
        let expected: Vec<Value> =
            all.iter().filter(|one| is_own(&one["properties"])).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{query} chooses some");
        assert_eq!(found, expected, "{query}");
    };
    let on = |month: &'static str| {
        move |one: &Value| one["date"].as_str().is_some_and(|date| date.starts_with(month))
    };
    check("periodStartDate=2026-09-01&periodEndDate=2026-09-30", &on("2026-09-")).await;
    check("periodStartDate=09-01-2026&periodenddate=09-30-2026", &on("2026-09-")).await;
    check("periodStartDate=2026-08-01&periodEndDate=2026-10-31", &|one| {
        one["invoice"] != "pending"
    })
    .await;
    let whole = days(&server);
    let filtered = |filter: &str| format!("{whole}&$filter={}", filter.replace(' ', "%20"));
    let reserved: &dyn Fn(&Value) -> bool = &|one| one["kind"] == "reservation";
    check(&filtered("properties/kind eq 'Reservation'"), reserved).await;
    check(&filtered("kind eq reservation and properties/kind ge 'a'"), reserved).await;
    check(&filtered("properties/kind eq 'all'"), &|one| one["kind"] == "all").await;
    let used = filtered("properties/transactionType eq 'usage charge'");
    check(&used, &|one| one["transactionType"] == "Usage Charge").await;
    let refused = async |query: &str, of: &str| {
        let (status, told) = operator.answer(&format!("{list}&{query}")).await;
        let message = told["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(status, 400, "{query}: {told}");
        assert!(message.starts_with(&format!("{of}: ")), "{query}: {message}");
    };
    refused("periodEndDate=2026-10-31", "periodStartDate").await;
    refused("periodStartDate=2026-10-31", "periodEndDate").await;
    refused("periodStartDate=2026-10-31&periodEndDate=2026-10-01", "periodEndDate").await;
    refused("periodStartDate=31-10-2026&periodEndDate=2026-10-01", "periodStartDate").await;
    refused(&filtered("properties/date eq '2026-10-01'"), "$filter").await;
    refused(&filtered("properties/kind ne 'all'"), "$filter").await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_the_list_and_the_caller_that_it_was_given_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = [("RECKONER_LIMITS__PAGE_ROWS", "3")];
    let server = Server::demo(&directory.path().join("data"), None, &settings);
    let asker =
        |who: &str| Asker { server: &server, token: server.told(&format!("clients.{who}.token")) };
    let (operator, owner) = (asker("operator"), asker("owner"));
    let account = server.told("accounts.mca.billing_account");
    let path = format!("{ACCOUNTS}/{account}/transactions");
    let list = format!("{path}?api-version={FIRST}&{}", days(&server));
    let link = operator.get(&list).await["nextLink"].as_str().expect("a link").to_owned();
    let start = format!("{}{list}&$skiptoken=", server.told("base_url"));
    assert!(link.starts_with(&start), "{link}");
    operator.get(&link).await;
    let check = async |who: &Asker<'_>, address: &str| {
        let (status, told) = who.answer(address).await;
        let message = told["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.starts_with("$skiptoken: "), "{address}: {told}");
    };
    check(&owner, &link).await;
    check(&operator, &format!("{link}x")).await;
    check(&operator, &format!("{list}&$skiptoken=x")).await;
    check(&operator, &link.replace("2026-08-01", "2026-08-02")).await;
    check(&operator, &format!("{link}&$filter=kind%20eq%20'all'")).await;
    let other = server.told("accounts.recipient.billing_account");
    check(&operator, &link.replace(&account, &other)).await;
    server.stop();
}

#[test]
fn what_is_paged_is_what_the_contract_marks_pageable() {
    let paged = [
        (FIRST, "Transactions_Get", false),
        (FIRST, "Transactions_ListByBillingAccount", true),
        (FIRST, "Transactions_ListByBillingProfile", false),
        (FIRST, "Transactions_ListByCustomer", true),
        (FIRST, "Transactions_ListByInvoice", true),
        (FIRST, "Transactions_ListByInvoiceSection", false),
        (SECOND, "Transactions_ListByInvoice", true),
    ];
    for version in [FIRST, SECOND] {
        let name = format!("microsoft-billing/{version}/billing.json");
        let Some(description) = description(&name) else { return };
        let paths = description["paths"].as_object().expect("paths").values();
        let operations = paths.flat_map(|path| path.as_object().expect("verbs").values());
        let marked = operations.filter_map(|one| {
            let id = one["operationId"].as_str().filter(|id| id.starts_with("Transactions_"))?;
            Some((id, one.get("x-ms-pageable").is_some()))
        });
        let marked: BTreeMap<&str, bool> = marked.collect();
        let ours = paged.iter().filter(|(of, ..)| *of == version);
        let ours: BTreeMap<&str, bool> = ours.map(|(_, id, paged)| (*id, *paged)).collect();
        assert_eq!(ours, marked, "{version}");
    }
}

/// Meters that each subscription of the shop uses.
const METERS: u64 = 100;
/// Subscriptions that begin to use them while others are read.
const LATER: u64 = 10;
/// How many transactions a page of the shop's has.
const SHOP_PAGE: u64 = 500;

const SHOP: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[tax_rate]]
seller = "reck"
category = "standard"
rate = "0.19"

[[agreement]]
billing_account = "acme"
from = 2020-01-01T00:00:00Z
type = "customer agreement"

[[billing_profile]]
billing_account = "acme"
id = "main"
from = 2020-01-01T00:00:00Z
name = "Main"
currency = "USD"

[[offer]]
id = "metered"
name = "Metered"
has_rate_card = true

[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

/// A shop of so many subscriptions.
fn shop(subscriptions: u64) -> String {
    let meter = |id: u64| {
        format!(
            "[[meter]]\nid = \"m{id}\"\nname = \"M{id}\"\ncategory = \"Calls\"\nunit = \"Calls\"\n"
        )
    };
    let price = |id: u64| format!("{{ meter = \"m{id}\", model = {{ per_unit = \"0.0123\" }} }}");
    let prices: Vec<String> = (0..METERS).map(price).collect();
    let card = format!(
        "[[price_list]]\nid = \"card\"\noffer = \"metered\"\nregion = \"US\"\n\
         locales = [\"en-US\"]\ncurrency = \"USD\"\nprices = [{}]\n",
        prices.join(", ")
    );
    let placed = "{ from = 2020-01-01T00:00:00Z, billing_account = \"acme\", profile = \"main\", \
                  offer = \"metered\" }";
    let subscription = |id: u64| {
        format!("[[subscription]]\nid = \"s{id}\"\nname = \"S{id}\"\nplacements = [{placed}]\n")
    };
    let meters: String = (0..METERS).map(meter).collect();
    let subscriptions: String = (0..subscriptions).map(subscription).collect();
    [SHOP, &meters, &card, &subscriptions].concat()
}

/// What one meter counted for one subscription: each number another record.
fn event(number: u64, pairs: u64) -> String {
    let pair = number % pairs;
    let event = json!({
        "id": format!("e-{number}"),
        "source": "gate",
        "subscription": format!("s{}", pair / METERS),
        "resource": "line",
        "meter": format!("m{}", pair % METERS),
        "quantity": "7",
        "start": "2026-03-01T00:00:00Z",
        "end": "2026-03-02T00:00:00Z",
    });
    event.to_string()
}

async fn send(server: &Server, key: &str, numbers: std::ops::Range<u64>, pairs: u64) {
    let count = numbers.end - numbers.start;
    let body = numbers.map(|number| event(number, pairs)).collect::<Vec<_>>().join("\n");
    let url = format!("{}/intake/v1/events", server.told("base_url"));
    let request = server.client.post(url).bearer_auth(key);
    let request = request.header("content-type", "application/x-ndjson").body(body);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let verdicts = answer["verdicts"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(verdicts.len() as u64, count);
    assert!(verdicts.iter().all(|verdict| verdict["verdict"] == "accepted"), "{answer}");
}

/// Subscription and meter of a transaction.
fn pair(transaction: &Value) -> (String, String) {
    let text = |member: &str| transaction["properties"][member].as_str().expect(member).to_owned();
    (text("subscriptionId"), text("productTypeId"))
}

/// A walk over all pages.
struct Walk {
    pages: u64,
    names: BTreeSet<String>,
    pairs: BTreeSet<(String, String)>,
    /// The most memory that the server held when the first page was there, in bytes.
    most_bytes: u64,
}

/// Memory that a row of an answer may cost, generously: its text is below 1 KiB, and while it is
/// made its rated row, its charge, its draft's line and what is told of that stand beside it.
const ROW_MOST_BYTES: u64 = 8 << 10;
/// Memory for all else that may happen meanwhile.
const FIXED_MOST_BYTES: u64 = 64 << 20;

async fn walk(asker: &Asker<'_>, first: &str) -> Walk {
    let mut page = asker.get(first).await;
    let most_bytes = asker.server.most_memory_bytes();
    let mut walk = Walk { pages: 0, names: BTreeSet::new(), pairs: BTreeSet::new(), most_bytes };
    loop {
        walk.pages += 1;
        let transactions = page["value"].as_array().expect("a list");
        assert!(transactions.len() as u64 <= SHOP_PAGE, "{}", transactions.len());
        for one in transactions {
            assert!(walk.names.insert(name(one)), "{one} was told twice");
            assert!(walk.pairs.insert(pair(one)), "{one} was told twice by another name");
        }
        let Some(link) = page["nextLink"].as_str().map(str::to_owned) else { return walk };
        page = asker.get(&link).await;
    }
}

on_each_store!(no_transaction_is_lost_or_told_twice_while_usage_arrives);
async fn no_transaction_is_lost_or_told_twice_while_usage_arrives(books: Books) {
    let count = from_environment("RECKONER_TRANSACTIONS", 2_000).next_multiple_of(METERS);
    let subscriptions = count / METERS + LATER;
    let pairs = subscriptions * METERS;
    let installation = Installation::new(books, "USD", &shop(subscriptions));
    let key = installation.key("gate");
    let page = SHOP_PAGE.to_string();
    let server = installation.serve(&[
        ("RECKONER_LIMITS__PAGE_ROWS", page.as_str()),
        ("RECKONER_LIMITS__TAIL_RECORDS", "400"),
        ("RECKONER_LIMITS__REQUEST_BURST", "1000000"),
        ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1000000"),
    ]);
    let asker = Asker { server: &server, token: installation.token(&server).await };
    for from in (0..count).step_by(5_000) {
        send(&server, &key, from..(from + 5_000).min(count), pairs).await;
    }
    let days = "periodStartDate=2026-03-01&periodEndDate=2026-03-31";
    let list = format!("{ACCOUNTS}/acme/transactions?api-version={FIRST}&{days}");
    let (walked, sent) = (AtomicBool::new(false), AtomicU64::new(count));
    let writing = async {
        while !walked.load(Ordering::Relaxed) {
            let from = sent.load(Ordering::Relaxed);
            send(&server, &key, from..from + 25, pairs).await;
            sent.store(from + 25, Ordering::Relaxed);
        }
    };
    let before = server.most_memory_bytes();
    let walking = async {
        let walk = walk(&asker, &list).await;
        walked.store(true, Ordering::Relaxed);
        walk
    };
    let (told, ()) = tokio::join!(walking, writing);
    let missing = (0..count).find(|at| {
        let pair = (format!("s{}", at / METERS), format!("m{}", at % METERS));
        !told.pairs.contains(&pair)
    });
    assert_eq!(missing, None, "a transaction was lost");
    assert_eq!(told.pages, (told.names.len() as u64).div_ceil(SHOP_PAGE));
    if count >= 100_000 {
        // The first page makes the whole answer, and with it the drafts that it is read from.
        let (rows, grown) = (told.names.len() as u64, told.most_bytes - before);
        assert!(grown < FIXED_MOST_BYTES + rows * ROW_MOST_BYTES, "{grown} bytes, {rows} rows");
        // That does not grow in memory while others are read.
        let grown = server.most_memory_bytes() - told.most_bytes;
        assert!(grown < FIXED_MOST_BYTES, "{grown} bytes for {} pages", told.pages);
    }
    // What came meanwhile is in a new answer, by the same names.
    let again = walk(&asker, &list).await;
    let known = sent.load(Ordering::Relaxed).min(pairs);
    assert_eq!(again.names.len() as u64, known, "all that was sent");
    assert!(told.names.is_subset(&again.names), "names stay as they are");
    server.stop();
}
