//! Figures of enterprise reports: marketplace charges are the balance's, prices times what was used
//! are what it cost, charges for reservations are the books', and their hours add up.

use crate::books::{Books, Schema, on_each_store};
use crate::closing::{account, may, moment};
use crate::in_process;
use crate::installation::Installation;
use crate::program::{Server, now};
use calendar::{Day, Instant, Interval, MICROS_PER_DAY, SetClock};
use domain::access::{Action, Caller, Scope};
use domain::ids::{PlaceId, RecordId, ReservationId};
use domain::places::{Level, Place, PlaceKey};
use domain::reservations::ReservationEvent;
use domain::usage::UsageRecord;
use money::{Fixed18, Rounding};
use reqwest::Response;
use serde_json::{Value, json};
use service::{
    DocumentsAsked, Incoming, LookBack, Reckoner, RecommendationsAsked, ReservationDay,
    ReservationTransactionsAsked, ReservationUsageAsked, Sharing,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// An enterprise with two departments; the laboratory, where the shop stands, is of the first.
const ENTERPRISE: &str = r#"
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
cost_center = "77"

[[department]]
billing_account = "acme"
id = "d2"
name = "Second"

[[enrollment_account]]
billing_account = "acme"
id = "lab"
name = "Laboratory"
department = "d1"

[[offer]]
id = "metered"
name = "Metered"
has_rate_card = true

[[meter]]
id = "hours"
name = "Hours"
category = "Machines"
region = "eu"
unit = "Hours"

[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "hours", model = { per_unit = "2" } }]

[[subscription]]
id = "shop"
name = "Shop"
placements = [{ billing_account = "acme", offer = "metered" }]
standings = [{ place = { billing_account = "acme", level = "enrollment account", id = "lab" } }]

[[source]]
name = "gate"
billing_accounts = ["acme"]
"#;

/// An hour in each hour of a year, for a dollar an hour.
const RESERVED: &str = r#"
[[reservation]]
billing_account = "acme"
id = "machines"
billed_to = "shop"
meters = ["hours"]
quantity = "1"
currency = "USD"
price = "8760"
from = {FROM}
until = {UNTIL}
"#;

fn reserved(from: &str, until: &str) -> String {
    RESERVED.replace("{FROM}", from).replace("{UNTIL}", until)
}

/// Hours of a machine: id, machine, how many, from when until when.
fn record(text: &str) -> Incoming {
    let [id, machine, quantity, from, until] =
        text.split(' ').collect::<Vec<_>>().try_into().expect(text);
    let mut record = in_process::record(id, quantity);
    record.key.id = RecordId::new(id).expect("an id");
    let service_period = Interval::new(moment(from), moment(until)).expect("in order");
    Incoming::Record(Box::new(UsageRecord {
        resource: machine.to_owned(),
        service_period,
        ..record
    }))
}

async fn send(reckoner: &Reckoner, records: &[&str]) {
    let records = records.iter().map(|text| record(text)).collect();
    reckoner.take_in(&Caller::Machine, records).await.expect("taken in");
}

fn number(text: &str) -> Fixed18 {
    Fixed18::parse(text).expect("a number")
}

fn sum(numbers: impl IntoIterator<Item = Fixed18>) -> Fixed18 {
    Fixed18::checked_sum(numbers).expect("small")
}

fn days(from: &str, until: &str) -> Range<Day> {
    moment(from).day()..moment(until).day()
}

fn acme() -> Scope {
    Scope::Account(account("acme"))
}

fn department(id: &str) -> Scope {
    let key = PlaceKey { level: Level::Department, id: PlaceId::new(id).expect("an id") };
    Scope::Place(Place { billing_account: account("acme"), key })
}

/// The enterprise with a reservation since the tenth of May, at thirteen hours.
async fn enterprise(books: Books, directory: &Path) -> (Option<Schema>, Reckoner) {
    let (schema, clock) = (books.schema(), SetClock::at(moment("2026-06-05T12:30:00Z")));
    let reckoner = in_process::open(directory, schema.as_ref(), &clock, |_| {}).await;
    let bought = reserved("2026-05-10T13:00:00Z", "2027-05-10T13:00:00Z");
    in_process::declare(&reckoner, &[in_process::ACCOUNT, ENTERPRISE, &bought].concat()).await;
    (schema, reckoner)
}

async fn charges_for_reservations_are_the_books(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let (_schema, reckoner) = enterprise(books, directory.path()).await;
    let closing = reckoner.close_period(&Caller::Machine, &may(), "test").await;
    closing.expect("closed");
    let asked = DocumentsAsked::default();
    let documents = reckoner.documents(&Caller::Machine, &asked, 100).await.expect("invoices");
    let lines = documents.iter().flat_map(|document| &document.invoice.lines);
    let own = lines.filter(|line| line.key.item.starts_with("machines "));
    let booked = sum(own.map(|line| line.exact.major));

    let within =
        ReservationTransactionsAsked { days: days("2026-05-01", "2026-06-06"), reservation: None };
    let told = reckoner.reservation_transactions(&Caller::Machine, &acme(), &within).await;
    let told = told.expect("charges");
    let [one] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((one.amount.major, booked), (number("8760"), number("8760")));
    assert_eq!((one.event, one.at), (ReservationEvent::Purchase, moment("2026-05-10T13:00:00Z")));
    assert_eq!((one.term.whole_months(), one.region.as_deref()), (Some(12), Some("eu")));
    assert_eq!((&one.bought_by, &one.held_by), (&account("acme"), &account("acme")));
    let named = |place: &Option<service::Named>| place.as_ref().map(|one| one.name.clone());
    let bought = &one.purchaser;
    assert_eq!(named(&bought.enrollment_account).as_deref(), Some("Laboratory"));
    assert_eq!(named(&bought.department).as_deref(), Some("First"));
    assert_eq!((bought.subscription_name.as_str(), bought.cost_center.as_str()), ("Shop", "77"));

    // A place has what was bought there, days what happened on them, and an id is found alike.
    let check = async |scope: &Scope, days: Range<Day>, id: Option<&str>, expected: usize| {
        let reservation = id.map(|id| ReservationId::new(id).expect("an id"));
        let asked = ReservationTransactionsAsked { days, reservation };
        let told = reckoner.reservation_transactions(&Caller::Machine, scope, &asked).await;
        assert_eq!(told.expect("charges").len(), expected, "{scope:?} {id:?}");
    };
    let may = || days("2026-05-01", "2026-06-01");
    check(&department("d1"), may(), None, 1).await;
    check(&department("d2"), may(), None, 0).await;
    check(&Scope::Installation, may(), Some("MACHINES"), 1).await;
    check(&acme(), days("2026-05-11", "2026-06-01"), None, 0).await;
    let missing = ReservationTransactionsAsked {
        days: may(),
        reservation: Some(ReservationId::new("other").expect("an id")),
    };
    let link = |scope| Caller::Link { action: Action::ReadCharges, scope };
    let other = reckoner.reservation_transactions(&link(acme()), &acme(), &missing).await;
    assert_eq!(other.expect_err("nothing").to_string(), "reservation `other` does not exist");
    let foreign = link(department("d2"));
    let refused = reckoner.reservation_transactions(&foreign, &department("d1"), &within).await;
    assert_eq!(refused.expect_err("nothing").to_string(), "department `d1` does not exist");
    reckoner.close().await.expect("closed");
}

on_each_store!(charges_for_reservations_are_the_books);

/// `2026-05-10 11 6: vm1 6`.
fn shown(day: &ReservationDay) -> String {
    let own = day.instances.iter().map(|one| format!("{} {}", one.instance, one.used));
    let own = own.collect::<Vec<_>>().join(", ");
    format!("{} {} {}: {own}", day.day, day.reserved, day.used).trim_end().to_owned()
}

async fn hours_of_reservations_add_up(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let (_schema, reckoner) = enterprise(books, directory.path()).await;
    let usage = [
        "1 vm1 6 2026-05-10T14:00:00Z 2026-05-10T20:00:00Z",
        "2 vm1 24 2026-05-11 2026-05-12",
        "3 vm2 24 2026-05-11 2026-05-12",
        "4 vm2 23 2026-05-12T01:00:00Z 2026-05-13",
        "5 vm1 36 2026-05-20 2026-05-23",
        "6 vm1 4 2026-06-05T10:00:00Z 2026-06-05T14:00:00Z",
    ];
    send(&reckoner, &usage).await;
    let asked = |from: &str, until: &str| ReservationUsageAsked {
        days: days(from, until),
        reservation: None,
    };
    let (all, machine) = (asked("2026-05-01", "2026-06-08"), Caller::Machine);
    let told = reckoner.reservation_days(&machine, &acme(), &all).await.expect("days");
    let first: Vec<String> = told.iter().take(3).map(shown).collect();
    let expected =
        ["2026-05-10 11 6: vm1 6", "2026-05-11 24 24: vm1 24", "2026-05-12 24 23: vm2 23"];
    assert_eq!(first, expected);
    let long: Vec<String> = told.iter().skip(10).take(3).map(shown).collect();
    let expected =
        ["2026-05-20 24 12: vm1 12", "2026-05-21 24 12: vm1 12", "2026-05-22 24 12: vm1 12"];
    assert_eq!(long, expected);
    // Of today the hours that have passed.
    assert_eq!(told.last().map(shown).as_deref(), Some("2026-06-05 12 2: vm1 2"));
    for day in &told {
        assert_eq!(sum(day.instances.iter().map(|one| one.used)), day.used, "{}", shown(day));
    }
    let twelfth = told[2].utilization;
    let percent = [twelfth.min, twelfth.avg, twelfth.max];
    assert_eq!(percent, [number("0"), number("95.83"), number("100")]);

    let months = reckoner.reservation_months(&machine, &acme(), &all).await.expect("months");
    let told_of = |number: i32| {
        let own = told
            .iter()
            .filter(move |day| calendar::BillingPeriod::of(day.day.start()).number() == number);
        let (reserved, used): (Vec<_>, Vec<_>) = own.map(|day| (day.reserved, day.used)).unzip();
        (number, sum(reserved), sum(used))
    };
    let shown: Vec<_> =
        months.iter().map(|one| (one.period.number(), one.reserved, one.used)).collect();
    assert_eq!(shown, [told_of(202_605), told_of(202_606)]);
    assert_eq!((shown[0].1, shown[1].1), (number("515"), number("108")));

    // Hours have no price: who reads usage alone sees them, of its own part.
    let link = Caller::Link { action: Action::ReadUsage, scope: department("d1") };
    let own = reckoner.reservation_days(&link, &department("d1"), &all).await.expect("days");
    assert_eq!(own, told);
    let none = reckoner.reservation_days(&machine, &department("d2"), &all).await;
    assert_eq!(none.expect("days"), []);
    assert!(reckoner.reservation_days(&link, &acme(), &all).await.is_err());
    reckoner.close().await.expect("closed");
}

on_each_store!(hours_of_reservations_add_up);

async fn what_reserving_would_have_saved_is_recommended(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let (_schema, reckoner) = enterprise(books, directory.path()).await;
    let day = |number: i64| moment("2026-05-29").plus_micros(number * MICROS_PER_DAY);
    // Three machines in each hour of a week, of which one is covered.
    let usage = (0..7).map(|number| {
        let (from, until) = (day(number), day(number + 1));
        format!("{number} vm 72 {from} {until}")
    });
    let usage: Vec<String> = usage.collect();
    send(&reckoner, &usage.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let check = async |scope: &Scope, look_back: LookBack, sharing, expected: Option<[_; 4]>| {
        let asked = RecommendationsAsked { look_back, sharing };
        let told = reckoner.reservation_recommendations(&Caller::Machine, scope, &asked).await;
        let told = told.expect("recommendations");
        let shown = told.iter().map(|one| {
            let costs = [one.cost_without, one.cost_with, one.net_savings].map(|cost| cost.major);
            let [without, with, saved] = costs;
            assert_eq!(without.checked_sub(with).expect("small"), saved);
            assert_eq!(one.subscription.is_some(), sharing == Sharing::Single);
            assert_eq!(one.first_used, moment("2026-05-29").day());
            [one.quantity, without, with, saved]
        });
        let expected = expected.map(|texts| texts.map(number));
        assert_eq!(shown.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
    };
    let saved = Some(["2", "672", "336", "336"]);
    check(&acme(), LookBack::Last7Days, Sharing::Shared, saved).await;
    check(&acme(), LookBack::Last7Days, Sharing::Single, saved).await;
    check(&department("d1"), LookBack::Last7Days, Sharing::Shared, saved).await;
    // Nothing is used there, and in a month it would have cost more than it saved.
    check(&department("d2"), LookBack::Last7Days, Sharing::Shared, None).await;
    check(&acme(), LookBack::Last30Days, Sharing::Shared, None).await;
    check(&acme(), LookBack::Last60Days, Sharing::Single, None).await;
    reckoner.close().await.expect("closed");
}

on_each_store!(what_reserving_would_have_saved_is_recommended);

async fn get(server: &Server, key: &str, path: &str) -> Response {
    server.get(path, Some(key)).send().await.expect("an answer")
}

async fn json_of(server: &Server, key: &str, path: &str) -> Value {
    let answer = get(server, key, path).await;
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

async fn rows(server: &Server, key: &str, path: &str) -> Vec<Value> {
    json_of(server, key, path).await.as_array().unwrap_or_else(|| panic!("{path}")).clone()
}

fn decimal(value: &Value) -> Fixed18 {
    number(&value.to_string())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The members of rows and their types, by name.
fn members(row: &Value) -> BTreeSet<String> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let members = row.as_object().expect("an object").iter();
    members.map(|(name, value)| format!("{name} {}", kind(value))).collect()
}

/// That rows have just these members: some of all versions, and more.
fn check_members(what: &str, rows: &[Value], all: &str, more: &str) {
    assert!(!rows.is_empty(), "{what}: no rows");
    let words = all.split(", ").chain(more.split(", ")).filter(|word| !word.is_empty());
    let expected: BTreeSet<String> = words.map(str::to_owned).collect();
    for row in rows {
        assert_eq!(members(row), expected, "{what}");
    }
}

/// Source: `enterprise-reporting.md` section 3.6.
const MARKETPLACE: &str = "id string, subscriptionGuid string, subscriptionName string, \
    meterId string, usageStartDate string, usageEndDate string, offerName string, \
    planName string, publisherName string, resourceGroup string, instanceId string, \
    additionalInfo string, tags string, orderNumber string, unitOfMeasure string, \
    costCenter string, accountId number, accountName string, accountOwnerId string, \
    departmentId number, departmentName string, consumedQuantity number, resourceRate number, \
    extendedCost number";
/// Source: section 3.7.
const PRICE: &str = "id string, billingPeriodId string, meterName string, unitOfMeasure string, \
    includedQuantity number, partNumber string, unitPrice number, currencyCode string";
/// Source: section 3.8.
const CHARGE: &str = "purchasingEnrollment string, currentEnrollment string, armSkuName string, \
    term string, region string, PurchasingsubscriptionGuid string, \
    PurchasingsubscriptionName string, purchasingSubscriptionGuid string, \
    purchasingSubscriptionName string, eventDate string, reservationOrderId string, \
    reservationOrderName string, description string, eventType string, quantity number, \
    amount number, currency string";
const PURCHASER: &str =
    "accountName string, accountOwnerEmail string, departmentName string, costCenter string";
/// Source: section 3.9.
const USED: &str = "reservationOrderId string, reservationId string, usageDate string, \
    skuName string, instanceId string, totalReservedQuantity number, reservedHours number, \
    usedHours number";
const SUMMARY: &str = "reservationOrderId string, reservationId string, skuName string, \
    reservedHours number, usageDate string, usedHours number, minUtilizationPercentage number, \
    avgUtilizationPercentage number, maxUtilizationPercentage number";

/// Periods of the demo that have ended, and the open one.
fn periods(server: &Server) -> Vec<String> {
    let of = ["periods.closed.0", "periods.closed.1", "periods.closed.2", "periods.open"];
    of.map(|path| server.told(path)).into()
}

async fn the_demos_marketplace_charges_and_prices_are_those_of_its_books(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &[]);
    marketplace_charges_are_the_balances(&server).await;
    prices_times_what_was_used_are_what_it_cost(&server).await;
    what_did_not_change_is_not_told_again(&server).await;
    keys_of_a_part_read_no_charges(&server).await;
    server.stop();
}

on_each_store!(the_demos_marketplace_charges_and_prices_are_those_of_its_books);

async fn marketplace_charges_are_the_balances(server: &Server) {
    let (key, of) = (server.told("enterprise.api_key"), server.told("enterprise.enrollment"));
    let mut charged = Fixed18::ZERO;
    for period in periods(server) {
        for (version, more) in [("v1", ""), ("v2", ""), ("v3", "isRecurringCharge boolean")] {
            let at = format!("/{version}/enrollments/{of}/billingPeriods/{period}");
            let told = rows(server, &key, &format!("{at}/marketplacecharges")).await;
            check_members(&at, &told, MARKETPLACE, more);
            let costs = sum(told.iter().map(|row| decimal(&row["extendedCost"])));
            let balance = json_of(server, &key, &format!("{at}/balancesummary")).await;
            assert_eq!(costs, decimal(&balance["azureMarketplaceServiceCharges"]), "{at}");
            charged = sum([charged, costs]);
        }
        let first = Instant::parse(&format!("{}-{}-01", &period[..4], &period[4..]));
        let first = first.expect("a day");
        let last = calendar::BillingPeriod::of(first).end().plus_micros(-1).day();
        let days = format!(
            "/v3/enrollments/{of}/marketplacechargesbycustomdate?startTime={}&endTime={last}",
            first.day()
        );
        let by_days = rows(server, &key, &days).await;
        let at = format!("/v3/enrollments/{of}/billingPeriods/{period}/marketplacecharges");
        assert_eq!(by_days, rows(server, &key, &at).await, "{period}");
    }
    assert!(charged > Fixed18::ZERO);
    let current = rows(server, &key, &format!("/v3/enrollments/{of}/marketplacecharges")).await;
    let open = server.told("periods.open");
    let at = format!("/v3/enrollments/{of}/billingPeriods/{open}/marketplacecharges");
    assert_eq!(current, rows(server, &key, &at).await);
}

/// All usage details of a closed period.
async fn details(server: &Server, key: &str, of: &str, period: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let base = server.told("base_url");
    let mut next = Some(format!("/v3/enrollments/{of}/billingPeriods/{period}/usagedetails"));
    while let Some(path) = next {
        let page = json_of(server, key, &path).await;
        all.extend(page["data"].as_array().expect("details").iter().cloned());
        let link = page["nextLink"].as_str().filter(|link| !link.is_empty());
        next = link.map(|link| link.strip_prefix(&base).expect("below the base URL").to_owned());
    }
    all
}

async fn prices_times_what_was_used_are_what_it_cost(server: &Server) {
    let (key, of) = (server.told("enterprise.api_key"), server.told("enterprise.enrollment"));
    let period = server.told("periods.closed.2");
    let at = |version: &str| format!("/{version}/enrollments/{of}/billingperiods/{period}");
    let shown = [("v1", ""), ("v2", "meterId string"), ("v3", "meterId string, offerId string")];
    for (version, more) in shown {
        let sheet = rows(server, &key, &format!("{}/pricesheet", at(version))).await;
        check_members(version, &sheet, PRICE, more);
        assert!(sheet.iter().all(|row| text(row, "billingPeriodId") == period));
        let ids: BTreeSet<&str> = sheet.iter().map(|row| text(row, "id")).collect();
        assert_eq!(ids.len(), sheet.len(), "each price has an id of its own");
    }
    let mut prices: BTreeMap<(String, String), BTreeSet<Fixed18>> = BTreeMap::new();
    for row in rows(server, &key, &format!("{}/pricesheet", at("v3"))).await {
        let part = (text(&row, "meterId").to_owned(), text(&row, "partNumber").to_owned());
        prices.entry(part).or_default().insert(decimal(&row["unitPrice"]));
    }
    let mut priced = 0;
    for row in details(server, &key, &of, &period).await {
        let (cost, rate) = (decimal(&row["cost"]), decimal(&row["resourceRate"]));
        let part = (text(&row, "meterId").to_owned(), text(&row, "partNumber").to_owned());
        if part.1.is_empty() || cost.is_zero() {
            continue;
        }
        let known = prices.get(&part).unwrap_or_else(|| panic!("no price of {row}"));
        if !known.contains(&rate) {
            continue;
        }
        let quantity = decimal(&row["consumedQuantity"]);
        let product = quantity.checked_mul(rate, 18, Rounding::default()).expect("small");
        let off = product.checked_sub(cost).and_then(Fixed18::checked_abs).expect("small");
        // Each record's cost was rounded for itself.
        assert!(off < number("0.01"), "{row}");
        priced += 1;
    }
    assert!(priced > 20, "only {priced} priced rows");
}

async fn what_did_not_change_is_not_told_again(server: &Server) {
    let (key, of) = (server.told("enterprise.api_key"), server.told("enterprise.enrollment"));
    let period = server.told("periods.closed.0");
    for report in ["marketplacecharges", "pricesheet"] {
        let path = format!("/v3/enrollments/{of}/billingperiods/{period}/{report}");
        let first = get(server, &key, &path).await;
        let tag = first.headers()["etag"].clone();
        let again = server.get(&path, Some(&key)).header("If-None-Match", &tag).send().await;
        let again = again.expect("an answer");
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag), "{report}");
        assert_eq!(again.text().await.expect("text"), "", "{report}");
        let older = path.replace("/v3/", "/v1/");
        let other = server.get(&older, Some(&key)).header("If-None-Match", &tag).send().await;
        assert_eq!(other.expect("an answer").status(), 200, "{report}");
    }
}

async fn keys_of_a_part_read_no_charges(server: &Server) {
    let of = server.told("enterprise.enrollment");
    let range = "startDate=2026-08-01&endDate=2026-08-31";
    for key in ["enterprise.department_key", "enterprise.account_owner_key"] {
        let key = server.told(key);
        let check = async |path: &str, expected: u16| {
            let answer = get(server, &key, &format!("/v2/enrollments/{of}/{path}")).await;
            assert_eq!(answer.status().as_u16(), expected, "{path}");
        };
        check("marketplacecharges", 403).await;
        check("pricesheet", 403).await;
        check(&format!("reservationcharges?{range}"), 403).await;
        check("SharedReservationRecommendations?lookBackPeriod=7", 403).await;
        check("SingleReservationRecommendations?lookBackPeriod=7", 403).await;
        check(&format!("reservationdetails?{range}"), 403).await;
        check("reservationsummaries?grain=monthly", 403).await;
    }
}

async fn reservations_are_reported_in_each_version(books: Books) {
    // Three whole days ago, at thirteen hours.
    let begins = now().start_of_day().plus_micros(-3 * MICROS_PER_DAY).plus_seconds(13 * 3_600);
    let ends = begins.plus_micros(365 * MICROS_PER_DAY);
    let enterprise = ENTERPRISE.replace("2029-01-01", "2099-01-01");
    let bought = reserved(&begins.to_string(), &ends.to_string());
    let installation = Installation::new(books, "USD", &[enterprise, bought].concat());
    let server = installation.serve(&[]);
    let token = installation.token(&server).await;
    let url = format!("{}/enterprise-keys", server.told("admin.url"));
    let wanted = json!({ "billing_account": "acme", "slot": "primary" });
    let made = server.client.post(url).bearer_auth(token).json(&wanted).send().await;
    let made: Value = made.expect("an answer").json().await.expect("JSON");
    let key = text(&made, "key").to_owned();

    let range = format!("startDate={}&endDate={}", begins.day(), now().day());
    let charged = [("v2", ""), ("v3", PURCHASER)];
    for (version, more) in charged {
        let path = format!("/{version}/enrollments/acme/reservationcharges?{range}");
        check_members(version, &rows(&server, &key, &path).await, CHARGE, more);
    }
    let path = format!("/v4/enrollments/acme/reservationcharges?{range}");
    let last = rows(&server, &key, &path).await;
    check_members("v4", &last, CHARGE, &format!("{PURCHASER}, billingFrequency string"));
    assert_eq!(
        (text(&last[0], "eventType"), decimal(&last[0]["amount"])),
        ("Purchase", number("8760"))
    );
    assert_eq!(get(&server, &key, &path.replace("/v4/", "/v1/")).await.status(), 404);

    let used = format!("/v2/enrollments/acme/reservationdetails?{}", range.to_lowercase());
    let used = rows(&server, &key, &used).await;
    check_members("details", &used, USED, "");
    let hours: Vec<Fixed18> =
        used.iter().take(3).map(|row| decimal(&row["reservedHours"])).collect();
    assert_eq!(hours, ["11", "24", "24"].map(number));
    let daily = format!("/v2/enrollments/acme/reservationsummaries?grain=daily&{range}");
    let daily = rows(&server, &key, &daily).await;
    check_members("daily", &daily, SUMMARY, "");
    let monthly = "/v2/enrollments/acme/reservationsummaries?grain=monthly";
    let monthly = rows(&server, &key, monthly).await;
    check_members("monthly", &monthly, SUMMARY, "");
    let reserved = |rows: &[Value]| sum(rows.iter().map(|row| decimal(&row["reservedHours"])));
    assert!(reserved(&monthly) >= reserved(&daily), "the clock goes on");
    assert!(reserved(&daily) >= reserved(&used), "the clock goes on");

    let refused = [
        ("reservationsummaries?grain=hourly", "grain"),
        ("reservationsummaries", "grain"),
        ("reservationsummaries?grain=daily", "startDate"),
        ("reservationdetails?startDate=2026-08-02&endDate=2026-08-01", "endDate"),
        ("SharedReservationRecommendations", "lookBackPeriod"),
        ("ReservationRecommendations?lookBackPeriod=8", "lookBackPeriod"),
    ];
    for (path, field) in refused {
        let answer = get(&server, &key, &format!("/v2/enrollments/acme/{path}")).await;
        assert_eq!(answer.status(), 400, "{path}");
        let told: Value = answer.json().await.expect("JSON");
        assert!(text(&told["error"], "message").contains(field), "{told}");
    }
    for name in ["Shared", "Single", "Aggregate", ""] {
        let path =
            format!("/v2/enrollments/acme/{name}ReservationRecommendations?lookBackPeriod=30");
        assert_eq!(rows(&server, &key, &path).await, Vec::<Value>::new(), "{name}");
    }
    server.stop();
}

on_each_store!(reservations_are_reported_in_each_version);
