//! Usage details of Azure Consumption: page by page none is lost and none told twice, they add up to
//! the balance and to what was invoiced, and they are those of the enterprise surface.

use crate::books::{Books, on_each_store};
use crate::program::Server;
use money::Fixed18;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const VERSIONS: [&str; 3] = ["2019-10-01", "2021-10-01", "2023-05-01"];
const PERIODS: [&str; 4] = ["202608", "202609", "202610", "202611"];
/// Nobody here asks too often.
const UNLIMITED: [(&str, &str); 2] = [
    ("RECKONER_LIMITS__REQUEST_BURST", "1000000"),
    ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1000000"),
];
const CONSUMPTION: &str = "providers/Microsoft.Consumption";

async fn get(server: &Server, url: &str, token: &str) -> Value {
    let token = server.told(token);
    let answer = server.client.get(url).bearer_auth(token).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("text");
    assert_eq!(status, 200, "{url}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn url(server: &Server, path: &str) -> String {
    format!("{}{path}", server.told("base_url"))
}

/// The id of an account of the demo, as a resource.
fn account(server: &Server, of: &str) -> String {
    let id = server.told(&format!("accounts.{of}.billing_account"));
    format!("/providers/Microsoft.Billing/billingAccounts/{id}")
}

/// All items of a list, from its first page to the last.
async fn walked(server: &Server, first: &str) -> Vec<Value> {
    let (mut items, mut next) = (Vec::new(), Some(url(server, first)));
    while let Some(url) = next {
        let page = get(server, &url, "clients.owner.token").await;
        items.extend(page["value"].as_array().expect("a list").iter().cloned());
        next = page["nextLink"].as_str().map(str::to_owned);
    }
    items
}

fn number(value: &Value) -> Fixed18 {
    assert!(value.is_number(), "{value} is no number");
    Fixed18::parse(&value.to_string()).expect("a decimal")
}

fn sum(parts: impl IntoIterator<Item = Fixed18>) -> Fixed18 {
    Fixed18::checked_sum(parts).expect("a small sum")
}

/// How often each cost is there, zeros apart.
fn counted(costs: impl IntoIterator<Item = Fixed18>) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for cost in costs.into_iter().filter(|cost| !cost.is_zero()) {
        let times: &mut usize = counted.entry(cost.to_string()).or_default();
        *times += 1;
    }
    counted
}

on_each_store!(usage_details_add_up_wherever_they_are_told);
async fn usage_details_add_up_wherever_they_are_told(books: Books) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &UNLIMITED);
    for period in PERIODS {
        details_add_up_to_the_balance(&server, period).await;
    }
    pages_lose_nothing_and_tell_nothing_twice(&server).await;
    details_add_up_to_invoices(&server).await;
    parts_add_up_to_the_whole(&server).await;
    filters_and_days_leave_what_they_say(&server).await;
    reservations_are_spread_where_that_is_asked_for(&server).await;
    server.stop();
}

async fn details_add_up_to_the_balance(server: &Server, period: &str) {
    let of_period =
        format!("{}/providers/Microsoft.Billing/billingPeriods/{period}", account(server, "ea"));
    let mut told = Vec::new();
    for version in VERSIONS {
        let first = format!("{of_period}/{CONSUMPTION}/usageDetails?api-version={version}");
        let costs: Vec<Fixed18> = walked(server, &first)
            .await
            .iter()
            .map(|one| number(&one["properties"]["cost"]))
            .collect();
        told.push(costs);
    }
    assert!(told.iter().all(|one| counted(one.clone()) == counted(told[0].clone())), "{period}");
    let path = format!("{of_period}/{CONSUMPTION}/balances?api-version=2021-10-01");
    let balance = get(server, &url(server, &path), "clients.owner.token").await;
    let of = |member: &str| number(&balance["properties"][member]);
    assert_eq!(sum(told[0].iter().copied()), of("totalUsage"), "{period}: {balance}");
    // Where clients of this version still ask.
    let older = path.replace("/providers/Microsoft.Billing/billingPeriods/", "/billingPeriods/");
    let same = get(server, &url(server, &older), "clients.owner.token").await;
    assert_eq!(same, balance, "{older}");
    let first = format!("{of_period}/{CONSUMPTION}/marketplaces?api-version=2021-10-01");
    let charges = walked(server, &first).await;
    let charged = charges.iter().map(|one| number(&one["properties"]["pretaxCost"]));
    assert_eq!(sum(charged), of("azureMarketplaceServiceCharges"), "{period}");
    let enterprise = of_enterprise(server, period).await;
    assert_eq!(counted(told[0].iter().copied()), counted(enterprise), "{period}");
}

/// What the details of the enterprise surface cost.
async fn of_enterprise(server: &Server, period: &str) -> Vec<Fixed18> {
    let enrollment = server.told("enterprise.enrollment");
    let path = format!("/v3/enrollments/{enrollment}/billingPeriods/{period}/usagedetails");
    let (mut costs, mut next) = (Vec::new(), Some(url(server, &path)));
    while let Some(url) = next {
        let page = get(server, &url, "enterprise.api_key").await;
        costs.extend(
            page["data"].as_array().expect("a list").iter().map(|one| number(&one["cost"])),
        );
        next = page["nextLink"].as_str().filter(|link| !link.is_empty()).map(str::to_owned);
    }
    costs
}

async fn pages_lose_nothing_and_tell_nothing_twice(server: &Server) {
    let whole =
        format!("{}/{CONSUMPTION}/usageDetails?api-version=2021-10-01", account(server, "ea"));
    let all = walked(server, &whole).await;
    let paged = walked(server, &format!("{whole}&$top=37")).await;
    let names = |of: &[Value]| -> Vec<String> {
        of.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert!(all.len() > 37, "{} details", all.len());
    assert_eq!(names(&all), names(&paged));
    assert_eq!(names(&all).into_iter().collect::<BTreeSet<_>>().len(), all.len(), "one name each");
}

/// Of a customer agreement, in a closed billing period.
async fn details_add_up_to_invoices(server: &Server) {
    let filter = "$filter=usageStart ge '2026-09-01' and usageEnd le '2026-09-30'";
    let path = format!(
        "{}/{CONSUMPTION}/usageDetails?api-version=2021-10-01&{filter}",
        account(server, "mca")
    );
    let details = walked(server, &path).await;
    // Notes are documents of their own.
    let invoiced = details.iter().filter(|one| one["properties"]["chargeType"] != "Refund");
    let told = sum(invoiced.map(|one| number(&one["properties"]["costInBillingCurrency"])));
    let (id, operator) = (server.told("accounts.mca.billing_account"), "clients.operator.token");
    let admin = server.told("admin.url");
    let list = get(server, &format!("{admin}/invoices?billing_account={id}"), operator).await;
    let mut charged = Vec::new();
    for one in list["invoices"].as_array().expect("invoices") {
        let number_of = one["number"].as_str().expect("a number");
        let invoice = get(server, &format!("{admin}/invoices/{number_of}"), operator).await;
        if invoice["period"] == "2026-09" && invoice["replaces"].is_null() {
            let charges = invoice["totals"]["charges"].as_str().expect("an amount");
            charged.push(Fixed18::parse(charges).expect("a decimal"));
        }
    }
    assert!(!charged.is_empty());
    assert_eq!(told, sum(charged), "details and invoices of September");
}

/// What departments have, and what stands in none, is what the enrollment has.
async fn parts_add_up_to_the_whole(server: &Server) {
    let enrollment = account(server, "ea");
    let department = server.told("accounts.ea.department");
    let holder = server.told("accounts.ea.enrollment_account");
    let costs = async |scope: &str| {
        let first = format!("{scope}/{CONSUMPTION}/usageDetails?api-version=2021-10-01");
        let details = walked(server, &first).await;
        details.iter().map(|one| number(&one["properties"]["cost"])).collect::<Vec<_>>()
    };
    let whole = counted(costs(&enrollment).await);
    let of_department = counted(costs(&format!("{enrollment}/departments/{department}")).await);
    let alone =
        counted(costs(&format!("/providers/Microsoft.Billing/departments/{department}")).await);
    assert_eq!(of_department, alone, "with its account and without");
    let of_holder = counted(costs(&format!("{enrollment}/enrollmentAccounts/{holder}")).await);
    let is_within = |part: &BTreeMap<String, usize>, whole: &BTreeMap<String, usize>| {
        part.iter().all(|(cost, times)| whole.get(cost).is_some_and(|most| times <= most))
    };
    assert!(is_within(&of_department, &whole), "a department's are its enrollment's");
    assert!(is_within(&of_holder, &of_department), "an account's are its department's");
    assert!(!of_holder.is_empty());
}

async fn filters_and_days_leave_what_they_say(server: &Server) {
    let scope = account(server, "ea");
    let list = async |asked: &str| {
        let path = format!("{scope}/{CONSUMPTION}/usageDetails?api-version=2021-10-01&{asked}");
        walked(server, &path).await
    };
    let days = "usageStart ge '2026-10-03' and usageEnd le '2026-10-05'";
    let some = list(&format!("$filter={days}")).await;
    assert!(!some.is_empty());
    for one in &some {
        let date = one["properties"]["date"].as_str().expect("a date");
        assert!(("2026-10-03".."2026-10-06").contains(&&date[..10]), "{date}");
    }
    let used = list(&format!("$filter={days} and chargeType eq 'usage'")).await;
    assert!(used.iter().all(|one| one["properties"]["chargeType"] == "Usage"));
    let none = list(&format!("$filter={days} and resourceGroup eq 'no such group'")).await;
    assert!(none.is_empty(), "{none:?}");
    let plain = &some[0]["properties"];
    assert!(plain.get("meterDetails").is_none(), "{plain}");
    let told = list(&format!("$filter={days}&$expand=properties/meterDetails")).await;
    let metered = told.iter().find(|one| one["properties"].get("meterId").is_some());
    let metered = metered.expect("usage of a meter");
    assert!(metered["properties"]["meterDetails"].is_object(), "{metered}");
}

/// Purchases are there in actual costs, and nobody's in amortised ones.
async fn reservations_are_spread_where_that_is_asked_for(server: &Server) {
    for kind in ["ea", "mca", "mpa"] {
        let scope = account(server, kind);
        let list = async |metric: &str| {
            let path = format!(
                "{scope}/{CONSUMPTION}/usageDetails?api-version=2021-10-01&metric={metric}"
            );
            walked(server, &path).await
        };
        let spread = list("amortizedcost").await;
        let is_bought = |one: &Value| {
            one["properties"]["chargeType"] == "Purchase"
                && one["properties"].get("reservationId").is_some()
        };
        assert!(!spread.iter().any(is_bought), "{kind}");
        let used = list("usage").await;
        assert!(used.iter().all(|one| one["properties"]["chargeType"] == "Usage"), "{kind}");
    }
}
