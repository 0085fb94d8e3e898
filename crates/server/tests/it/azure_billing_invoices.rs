//! Invoices of Azure Billing beside those of the admin API, and their documents as files: what
//! links open, and what they do not.

use crate::azure_billing_calls::{Ask, FIRST, Operation, SECOND, Told, World, served, token_of};
use crate::books::{Books, Schema, on_each_store};
use crate::closing::{House, account, may, moment, month};
use crate::program::now;
use calendar::{Instant, Interval};
use domain::access::Caller;
use flate2::read::DeflateDecoder;
use httpkit::{Purpose, Sealer};
use reqwest::StatusCode;
use serde_json::{Value, json};
use service::{CloseMode, InvoicesOf};
use std::io::Read;
use std::path::Path;
use store::{Store, StorePlace};
use tempfile::TempDir;

const ACCOUNT_LIST: &str = "Invoices_ListByBillingAccount";
const PROFILE_LIST: &str = "Invoices_ListByBillingProfile";
const SUBSCRIPTION_LIST: &str = "Invoices_ListByBillingSubscription";
/// What the books seal their tokens with, here.
const SECRET: [u8; 32] = [9; 32];

fn operation(version: &str, id: &str) -> Operation {
    let mut all = served().into_iter();
    all.find(|one| one.version == version && one.id == id).expect("a served operation")
}

/// Lets the books have our secret from the start, so that tokens can be forged.
fn keep_secret(data: &Path, schema: Option<&Schema>) {
    std::fs::create_dir_all(data).expect("a directory");
    let place = match schema {
        Some(schema) => StorePlace::Postgres(schema.url.clone()),
        None => StorePlace::Sqlite(data.join("books.db")),
    };
    let keep = || {
        let store = Store::open(&place).expect("the books");
        store.ensure_secret("log hash key", &SECRET).expect("kept")
    };
    // The books wait for their store, which a thread that drives asynchronous work must not.
    let kept = std::thread::scope(|scope| scope.spawn(keep).join().expect("no panic"));
    assert_eq!(kept, SECRET);
}

/// A token for a document, as the program makes them.
fn forged(account: &str, (invoice, document): (&str, &str), until: Instant) -> String {
    let purpose = "reckoner azure-billing invoice documents, version 1";
    let secret = blake3::derive_key(purpose, &SECRET);
    let purpose = Purpose { operation: "azure-billing invoice documents", field: "downloadToken" };
    let ticket = json!({
        "account": account, "invoice": invoice, "document": document, "until_s": until.seconds(),
    });
    Sealer::new(secret, purpose).seal("", &ticket).expect("a token")
}

/// The demo, and what it is asked.
struct Invoices {
    world: World,
    // They go with the demo.
    _directory: TempDir,
    _schema: Option<Schema>,
}

impl Invoices {
    fn new(books: Books) -> Invoices {
        let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
        keep_secret(&directory.path().join("data"), schema.as_ref());
        let world = World::new(directory.path(), schema.as_ref());
        Invoices { world, _directory: directory, _schema: schema }
    }

    fn stop(self) {
        let Invoices { world, _directory, _schema } = self;
        world.server.stop();
    }

    fn told(&self, path: &str) -> String {
        self.world.server.told(path)
    }

    /// A question at an account of a kind.
    fn ask(&self, version: &str, id: &str, kind: &str) -> Ask {
        let operation = operation(version, id);
        let mut ask = Ask::of(&operation).by("owner");
        for (parameter, member) in [
            ("billingAccountName", "billing_account"),
            ("billingProfileName", "billing_profile"),
            ("billingSubscriptionName", "subscription"),
            ("subscriptionId", "subscription"),
        ] {
            if operation.path.contains(&format!("{{{parameter}}}")) {
                ask = ask.named(parameter, &self.told(&format!("accounts.{kind}.{member}")));
            }
        }
        ask
    }

    /// The question for a list of all days.
    fn list(&self, version: &str, id: &str, kind: &str) -> Ask {
        let (from, to) = (self.told("invoice_window.from"), self.told("invoice_window.to"));
        let ask = self.ask(version, id, kind).asking("periodStartDate", &from);
        ask.asking("periodEndDate", &to)
    }

    async fn listed(&self, ask: &Ask) -> Vec<Value> {
        let told = self.world.send(ask).await;
        assert_eq!(told.status, 200, "{}", told.text);
        told.body["value"].as_array().expect("a list").clone()
    }

    async fn refused(&self, what: &str, ask: &Ask, expected: &str) -> Told {
        let told = self.world.send(ask).await;
        assert_eq!(told.line(), expected, "{what}: {}", told.text);
        told
    }

    /// An invoice or note as the admin API has it.
    async fn booked(&self, number: &str) -> Value {
        let url = format!("{}/invoices/{number}", self.told("admin.url"));
        let request = self.world.server.client.get(url);
        let request = request.bearer_auth(self.told("clients.operator.token"));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{number}");
        answer.json().await.expect("JSON")
    }

    /// Status, headers and bytes behind an address, asked by nobody.
    async fn fetched(&self, url: &str) -> (u16, String, String, Vec<u8>) {
        let answer = self.world.server.client.get(url).send().await.expect("an answer");
        let header = |name: &str| {
            let found = answer.headers().get(name);
            found.map_or("", |value| value.to_str().expect("text")).to_owned()
        };
        let (kind, said) = (header("content-type"), header("content-disposition"));
        let status = answer.status().as_u16();
        (status, kind, said, answer.bytes().await.expect("bytes").to_vec())
    }

    /// What an accepted download leads to.
    async fn downloaded(&self, accepted: &Told) -> (u16, String, String, Vec<u8>) {
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        assert!(!accepted.header("retry-after").is_empty());
        let token = self.told("clients.owner.token");
        let place = accepted.header("location").to_owned();
        let request = self.world.server.client.get(place).bearer_auth(token);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let told: Value = answer.json().await.expect("JSON");
        assert!(Instant::parse(told["expiryTime"].as_str().expect("a time")).is_ok(), "{told}");
        self.fetched(told["url"].as_str().expect("a link")).await
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

/// An amount as its digits: `16.50` and `16.5` are one.
fn digits(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn url_of(invoice: &Value, document: usize) -> String {
    text(&invoice["properties"]["documents"][document], "url").to_owned()
}

on_each_store!(an_invoice_says_what_the_books_say);
async fn an_invoice_says_what_the_books_say(books: Books) {
    let invoices = Invoices::new(books);
    for (version, list, kind) in [
        (FIRST, ACCOUNT_LIST, "mca"),
        (FIRST, ACCOUNT_LIST, "ea"),
        (FIRST, PROFILE_LIST, "mpa"),
        (FIRST, SUBSCRIPTION_LIST, "mosp"),
        (SECOND, ACCOUNT_LIST, "mca"),
        (SECOND, PROFILE_LIST, "mca"),
        (SECOND, ACCOUNT_LIST, "mpa"),
        (SECOND, SUBSCRIPTION_LIST, "mosp"),
    ] {
        let all = invoices.listed(&invoices.list(version, list, kind)).await;
        assert!(all.len() >= 3, "{version} {list} {kind}: {}", all.len());
        for invoice in &all {
            let booked = invoices.booked(text(invoice, "name")).await;
            check_amounts(invoice, &booked);
            check_rest(invoice, &booked);
        }
    }
    invoices.stop();
}

fn check_amounts(invoice: &Value, booked: &Value) {
    let (properties, totals) = (&invoice["properties"], &booked["totals"]);
    let same = |member: &str, expected: &Value| {
        let amount = &properties[member];
        assert_eq!(digits(&amount["value"]), digits(expected), "{member} of {invoice}");
        assert_eq!(amount["currency"], booked["currency"]);
    };
    same("amountDue", &booked["owed"]);
    if properties["totalAmount"].is_null() {
        return;
    }
    same("totalAmount", &totals["total"]);
    same("subTotal", &totals["subtotal"]);
    same("taxAmount", &totals["tax"]);
    same("azurePrepaymentApplied", &totals["prepayment"]);
    same("freeAzureCreditApplied", &totals["credit"]);
}

fn check_rest(invoice: &Value, booked: &Value) {
    let properties = &invoice["properties"];
    let status = match text(booked, "state") {
        "due" => "Due",
        "overdue" => "OverDue",
        "paid" => "Paid",
        "void" => "Void",
        other => panic!("{other}"),
    };
    assert_eq!(properties["status"], status);
    assert_eq!(properties["invoiceDate"], booked["issued_at"]);
    let kinds: Vec<&str> = properties["documents"]
        .as_array()
        .expect("documents")
        .iter()
        .map(|document| text(document, "kind"))
        .collect();
    let notes = booked["notes"]
        .as_array()
        .expect("notes")
        .iter()
        .map(|note| if text(note, "kind") == "void_note" { "VoidNote" } else { "CreditNote" });
    assert_eq!(kinds, std::iter::once("Invoice").chain(notes).collect::<Vec<_>>());
    let paid = properties["payments"].as_array().map_or(0, Vec::len);
    let total = digits(&booked["totals"]["total"]);
    if status == "Paid" && total != "0" && !total.starts_with('-') {
        assert!(paid > 0, "{invoice}");
    }
    if status == "Due" && digits(&booked["owed"]) == total {
        assert_eq!(paid, 0, "{invoice}");
    }
}

on_each_store!(invoices_are_listed_by_days_of_issue_and_by_who_reads_them);
async fn invoices_are_listed_by_days_of_issue_and_by_who_reads_them(books: Books) {
    let invoices = Invoices::new(books);
    let all = invoices.listed(&invoices.list(SECOND, ACCOUNT_LIST, "mca")).await;
    let names = |all: &[Value]| -> Vec<String> {
        all.iter().map(|one| text(one, "name").to_owned()).collect()
    };
    let issued = text(&all[0]["properties"], "invoiceDate")[..10].to_owned();
    let is_of_day = |one: &&Value| text(&one["properties"], "invoiceDate").starts_with(&issued);
    let of_day: Vec<Value> = all.iter().filter(is_of_day).cloned().collect();
    assert!(of_day.len() < all.len());
    let american = format!("{}-{}", &issued[5..], &issued[..4]);
    for day in [issued.as_str(), american.as_str()] {
        let ask = invoices.list(SECOND, ACCOUNT_LIST, "mca").asking("periodStartDate", day);
        let found = invoices.listed(&ask.asking("periodEndDate", day)).await;
        assert_eq!(names(&found), names(&of_day), "{day}");
    }
    // Who manages the invoices of one profile is told these, and none of another.
    manage_invoices(&invoices, "other_billing_profile", "").await;
    let own = invoices.list(SECOND, PROFILE_LIST, "mca");
    let other = invoices.told("accounts.mca.other_billing_profile");
    let own_names = names(&invoices.listed(&own).await);
    let ask = own.clone().named("billingProfileName", &other);
    let other_names = names(&invoices.listed(&ask).await);
    assert!(!other_names.is_empty() && !own_names.is_empty());
    let by_manager = invoices.list(SECOND, ACCOUNT_LIST, "mca").by("contributor");
    assert_eq!(names(&invoices.listed(&by_manager).await), other_names);
    assert_eq!(names(&invoices.listed(&ask.by("contributor")).await), other_names);
    let get = |name: &str| {
        invoices.ask(SECOND, "Invoices_Get", "mca").named("invoiceName", name).by("contributor")
    };
    assert_eq!(invoices.world.send(&get(&other_names[0])).await.status, 200);
    invoices.refused("of another profile", &get(&own_names[0]), "404 NotFound").await;
    let by_id = |name: &str, who| {
        let ask = Ask::of(&operation(SECOND, "Invoices_GetById")).named("invoiceName", name);
        ask.by(who)
    };
    let missing = by_id("RKC-99999999", "owner");
    let missing = invoices.refused("missing", &missing, "404 NotFound").await;
    for who in ["nobody", "contributor"] {
        let ask = by_id(&own_names[0], who);
        let foreign = invoices.refused("foreign", &ask, "404 NotFound").await;
        let told = foreign.text.replace(&own_names[0], "RKC-99999999");
        assert_eq!(told, missing.text, "{who}");
    }
    for (id, kind) in [(ACCOUNT_LIST, "mca"), (PROFILE_LIST, "mca")] {
        let ask = invoices.list(FIRST, id, kind).by("nobody");
        invoices.refused(id, &ask, "404 NotFound").await;
    }
    let ask = invoices.list(SECOND, SUBSCRIPTION_LIST, "mosp").by("nobody");
    invoices.refused("subscription", &ask, "404 SubscriptionNotFound").await;
    invoices.stop();
}

/// Makes the contributor an invoice manager of a profile, and the owner too, as somebody must stay
/// one; `more` is told of the contributor's role.
async fn manage_invoices(invoices: &Invoices, profile: &str, more: &str) {
    let role = |client: &str, more: &str| {
        format!(
            "[[role_assignment]]\nprincipal = \"{}\"\nrole = \"Invoice Manager\"\n{more}\
             [role_assignment.scope.place]\nbilling_account = \"{}\"\n\
             level = \"billing profile\"\nid = \"{}\"\n",
            invoices.told(&format!("clients.{client}.client_id")),
            invoices.told("accounts.mca.billing_account"),
            invoices.told(&format!("accounts.mca.{profile}")),
        )
    };
    let text = role("contributor", more) + &role("owner", "");
    let files = json!({ "files": [{ "name": "manager.toml", "text": text }] });
    let url = format!("{}/company/apply", invoices.told("admin.url"));
    let request = invoices.world.server.client.post(url).json(&files);
    let request = request.bearer_auth(invoices.told("clients.operator.token"));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.text().await.expect("text"));
}

on_each_store!(a_list_of_invoices_comes_whole_up_to_a_limit);
async fn a_list_of_invoices_comes_whole_up_to_a_limit(books: Books) {
    let house = House::with(books, |config| config.limits.answer_rows = 1).await;
    house.send(&["1 acme shop hours 3 2026-05-02", "2 acme shop hours 4 2026-06-02"]).await;
    house.close(may()).await;
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    house.close(month("2026-06", CloseMode::Final)).await;
    let (reckoner, of) = (&house.reckoner, InvoicesOf::Account(account("acme")));
    let numbers = reckoner.invoices_of(&Caller::Machine, &of, Interval::always()).await;
    let numbers = numbers.expect("numbers");
    assert_eq!(numbers.len(), 2);
    let one = reckoner.invoices_told(&Caller::Machine, &of, &numbers[1..]).await.expect("one");
    assert_eq!(one[0].document.number, numbers[1]);
    let both = reckoner.invoices_told(&Caller::Machine, &of, &numbers).await;
    let expected = "rows of an answer is at most 1; set `limits.answer_rows` to change it";
    assert_eq!(both.expect_err("too many").to_string(), expected);
}

on_each_store!(a_link_opens_one_document_without_a_token_until_it_expires);
async fn a_link_opens_one_document_without_a_token_until_it_expires(books: Books) {
    let invoices = Invoices::new(books);
    let all = invoices.listed(&invoices.list(SECOND, ACCOUNT_LIST, "mca")).await;
    let is_void = |one: &&Value| one["properties"]["status"] == "Void";
    let void = all.iter().find(is_void).expect("a void invoice");
    for (document, start) in [(0, "line,category,"), (1, "line,of_line,tax_category,")] {
        let (status, kind, said, bytes) = invoices.fetched(&url_of(void, document)).await;
        assert_eq!((status, kind.as_str()), (200, "text/csv; charset=utf-8"));
        assert!(said.starts_with("attachment; filename=\"RKC-"), "{said}");
        assert!(String::from_utf8(bytes).expect("text").starts_with(start));
    }
    let first = &all[0];
    let (name, url) = (text(first, "name"), url_of(first, 0));
    let booked = invoices.booked(name).await;
    let (_, _, said, bytes) = invoices.fetched(&url).await;
    assert_eq!(said, format!("attachment; filename=\"{name}.csv\""));
    let lines = String::from_utf8(bytes).expect("text").lines().count() - 1;
    assert_eq!(lines, booked["lines"].as_array().expect("lines").len());

    let token = token_of(&url).expect("a token").to_owned();
    let with = |token: &str| url.replace(token_of(&url).expect("a token"), token);
    let account = invoices.told("accounts.mca.billing_account");
    let forge = |until| with(&forged(&account, (name, name), until));
    assert_eq!(invoices.fetched(&forge(now().plus_seconds(60))).await.0, 200);
    assert_eq!(invoices.fetched(&forge(now().plus_seconds(-1))).await.0, 401);
    let last = if token.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{last}", &token[..token.len() - 1]);
    let changed_first =
        format!("{}{}", if token.starts_with('A') { "B" } else { "A" }, &token[1..]);
    for wrong in [changed.as_str(), changed_first.as_str(), "", "x"] {
        assert_eq!(invoices.fetched(&with(wrong)).await.0, 401, "{wrong}");
    }
    let elsewhere = url.replace(&format!("/{name}/"), &format!("/{}/", text(&all[1], "name")));
    assert_eq!(invoices.fetched(&elsewhere).await.0, 401);
    invoices.stop();
}

on_each_store!(a_download_is_for_who_still_reads_what_it_has);
async fn a_download_is_for_who_still_reads_what_it_has(books: Books) {
    let invoices = Invoices::new(books);
    manage_invoices(&invoices, "other_billing_profile", "").await;
    let profile = invoices.told("accounts.mca.other_billing_profile");
    let by_manager = |ask: Ask| ask.named("billingProfileName", &profile).by("contributor");
    let all = invoices.listed(&by_manager(invoices.list(FIRST, PROFILE_LIST, "mca"))).await;
    let download = "Invoices_DownloadMultipleBillingProfileInvoices";
    let ask = by_manager(invoices.ask(FIRST, download, "mca"));
    let ask = ask.sending(json!([url_of(&all[0], 0)]).to_string());
    let accepted = invoices.world.send(&ask).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let (place, token) = (accepted.header("location"), invoices.told("clients.contributor.token"));
    let status = async || {
        let request = invoices.world.server.client.get(place).bearer_auth(&token);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(status().await, 200);
    manage_invoices(&invoices, "other_billing_profile", "revoked = true\n").await;
    assert_eq!(status().await, 404);
    invoices.stop();
}

on_each_store!(several_documents_are_one_archive);
async fn several_documents_are_one_archive(books: Books) {
    let invoices = Invoices::new(books);
    for (version, list, download, kind) in [
        (FIRST, PROFILE_LIST, "Invoices_DownloadMultipleBillingProfileInvoices", "mca"),
        (FIRST, ACCOUNT_LIST, "Invoices_DownloadMultipleEAInvoices", "ea"),
        (SECOND, ACCOUNT_LIST, "Invoices_DownloadMultipleBillingProfileInvoices", "mca"),
        (SECOND, SUBSCRIPTION_LIST, "Invoices_DownloadMultipleBillingSubscriptionInvoices", "mosp"),
    ] {
        let mut all = invoices.listed(&invoices.list(version, list, kind)).await;
        // More links than these are more than a body may hold here.
        all.truncate(4);
        let mut urls: Vec<String> = all.iter().map(|one| url_of(one, 0)).collect();
        let mut names: Vec<String> =
            all.iter().map(|one| format!("{}.csv", text(one, "name"))).collect();
        // The same twice is one.
        urls.push(urls[0].clone());
        let ask = invoices.ask(version, download, kind).sending(json!(urls).to_string());
        let accepted = invoices.world.send(&ask).await;
        let (status, kind, said, bytes) = invoices.downloaded(&accepted).await;
        assert_eq!((status, kind.as_str()), (200, "application/zip"), "{download}");
        assert_eq!(said, "attachment; filename=\"invoices.zip\"");
        let found = members(&bytes);
        names.sort();
        assert_eq!(found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names);
        for (one, url) in all.iter().zip(&urls) {
            let name = format!("{}.csv", text(one, "name"));
            let (_, packed) = found.iter().find(|(known, _)| *known == name).expect("it");
            assert_eq!(*packed, invoices.fetched(url).await.3, "{name}");
        }
    }
    one_document_of_an_invoice(&invoices).await;
    links_that_are_not_given(&invoices).await;
    invoices.stop();
}

async fn one_document_of_an_invoice(invoices: &Invoices) {
    let all = invoices.listed(&invoices.list(SECOND, ACCOUNT_LIST, "mca")).await;
    let void = all.iter().find(|one| one["properties"]["status"] == "Void").expect("a void one");
    let url = url_of(void, 1);
    let token = token_of(&url).expect("a token");
    let ask = invoices.ask(SECOND, "Invoices_DownloadInvoice", "mca");
    let ask = ask.asking("downloadToken", token);
    let own = ask.clone().named("invoiceName", text(void, "name"));
    let (status, kind, _, bytes) = invoices.downloaded(&invoices.world.send(&own).await).await;
    assert_eq!((status, kind.as_str()), (200, "text/csv; charset=utf-8"));
    assert_eq!(bytes, invoices.fetched(&url).await.3);
    let other = all.iter().find(|one| one["name"] != void["name"]).expect("another");
    let other = ask.named("invoiceName", text(other, "name"));
    invoices.refused("of another invoice", &other, "400 BadRequest").await;
    invoices.refused("none", &own.without("downloadToken"), "400 BadRequest").await;
}

/// Links that no list of the place gives to who asks, each with what is told of it.
async fn links_that_are_not_given(invoices: &Invoices) {
    let profile = invoices.listed(&invoices.list(FIRST, PROFILE_LIST, "mca")).await;
    let own = url_of(&profile[0], 0);
    let of_others = invoices.listed(&invoices.list(FIRST, ACCOUNT_LIST, "mpa")).await;
    let foreign = url_of(&of_others[0], 0);
    let name = text(&profile[0], "name");
    let account = invoices.told("accounts.mca.billing_account");
    let expired = forged(&account, (name, name), now().plus_seconds(-1));
    let expired = own.replace(token_of(&own).expect("a token"), &expired);
    let download = "Invoices_DownloadMultipleBillingProfileInvoices";
    for (second, expected) in [
        (expired.as_str(), "400 BadRequest"),
        ("https://reckoner.example/?downloadToken=x", "400 BadRequest"),
        (own.split('?').next().expect("an address"), "400 BadRequest"),
        (foreign.as_str(), "404 NotFound"),
    ] {
        let body = json!([own, second]).to_string();
        let ask = invoices.ask(FIRST, download, "mca").sending(body);
        let told = invoices.refused(second, &ask, expected).await;
        assert_eq!(told.body["error"]["target"], "[1]", "{second}");
    }
    let ask = invoices.ask(FIRST, download, "mca").sending(json!(vec!["x"; 101]).to_string());
    let told = invoices.refused("too many", &ask, "400 BadRequest").await;
    assert!(told.text.contains("at most 100"), "{}", told.text);
}

/// Names and contents of an archive, as a reader finds them: from the end.
fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize, length: usize| {
        let bytes = archive[at..at + length].iter().rev();
        bytes.fold(0_usize, |sum, byte| sum * 256 + usize::from(*byte))
    };
    let end = archive.len() - 22;
    assert_eq!(archive[end..end + 4], *b"PK\x05\x06");
    let mut entry = number(end + 16, 4);
    let mut found = Vec::new();
    for _ in 0..number(end + 10, 2) {
        let (packed, name_length) = (number(entry + 20, 4), number(entry + 28, 2));
        let name = archive[entry + 46..entry + 46 + name_length].to_vec();
        let start = number(entry + 42, 4) + 30 + name_length;
        let mut bytes = Vec::new();
        let mut decoder = DeflateDecoder::new(&archive[start..start + packed]);
        decoder.read_to_end(&mut bytes).expect("its bytes");
        found.push((String::from_utf8(name).expect("text"), bytes));
        entry += 46 + name_length;
    }
    found
}
