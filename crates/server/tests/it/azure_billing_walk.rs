//! A caller's way down from the lists of Azure Billing: every operation that reads is asked wherever
//! the caller may.

use crate::azure_billing_contract::{Contract, Operation, referred};
use crate::contracts::problems;
use crate::program::Server;
use jsonschema::Validator;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Those of the POSTs that change nothing, with what is sent.
const READS_BY_POST: [(&str, &str); 5] = [
    ("BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission", ""),
    (
        "Address_Validate",
        r#"{"firstName": "Ida", "lastName": "Quay", "companyName": "Harbourlight Retail",
            "addressLine1": "410 Quay Street", "addressLine2": "Dock 2", "addressLine3": "Desk 3",
            "city": "Springfield", "region": "il", "country": "us", "postalCode": "62701"}"#,
    ),
    // The first version refuses members of the second.
    (
        "Address_Validate",
        r#"{"middleName": "M", "district": "Harbour", "email": "ida@harbourlight.example",
            "phoneNumber": "555", "addressLine1": "410 Quay Street", "city": "Springfield",
            "region": "IL", "country": "US", "postalCode": "62701"}"#,
    ),
    ("Address_Validate", r#"{"addressLine1": "410 Quay Street", "country": "US"}"#),
    (
        "RecipientTransfers_Validate",
        r#"{"properties": {"productDetails":
            [{"productType": "AzureSubscription", "productId": "nothing-here"}]}}"#,
    ),
];

/// Of lists that need days: all of the demo's world.
const EVERY_DAY: &str = "&periodStartDate=2020-01-01&periodEndDate=2099-12-31";
const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";

/// One caller on its way down from the lists of accounts and subscriptions.
pub(crate) struct Walk<'a> {
    pub(crate) server: &'a Server,
    pub(crate) version: &'static str,
    pub(crate) token: String,
    /// Names that were listed, by the list's address.
    pub(crate) listed: BTreeMap<String, Vec<String>>,
}

impl Walk<'_> {
    pub(crate) async fn ask(
        &self,
        verb: &Method,
        path: &str,
        query: &str,
        body: &str,
    ) -> (u16, Value) {
        let is_dated = path.ends_with("/invoices") || path.contains("/transactions");
        let days = if is_dated { EVERY_DAY } else { "" };
        let url = format!("{}{path}?api-version={query}{days}", self.server.told("base_url"));
        let mut request = self.server.client.request(verb.clone(), url).bearer_auth(&self.token);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        told(request.send().await.expect("an answer")).await
    }

    /// An answer and, of a list, the pages behind it.
    async fn pages(&self, first: Value) -> Vec<Value> {
        let mut pages = vec![first];
        while let Some(link) = pages.last().and_then(|page| page["nextLink"].as_str()) {
            let request = self.server.client.get(link).bearer_auth(&self.token);
            let (status, page) = told(request.send().await.expect("an answer")).await;
            assert_eq!(status, 200, "{page}");
            pages.push(page);
        }
        pages
    }

    /// Status and answer of a change, at the end of what takes its time.
    pub(crate) async fn done(
        &self,
        verb: &Method,
        (path, more): (&str, &str),
        body: &str,
    ) -> (u16, Value) {
        let (base, version) = (self.server.told("base_url"), self.version);
        let url = format!("{base}{path}?api-version={version}{more}");
        let request = self.server.client.request(verb.clone(), url).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let mut answer = request.send().await.expect("an answer");
        while answer.status() == StatusCode::ACCEPTED {
            let place = answer.headers()["location"].to_str().expect("an address").to_owned();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let request = self.server.client.get(place).bearer_auth(&self.token);
            answer = request.send().await.expect("an answer");
        }
        told(answer).await
    }

    /// The names that a list has; none where it is not for this kind of account or this caller.
    async fn names(&mut self, list: &str) -> Vec<String> {
        if let Some(known) = self.listed.get(list) {
            return known.clone();
        }
        let version = if list == "/subscriptions" { "2022-12-01" } else { self.version };
        let (_, answer) = self.ask(&Method::GET, list, version, "").await;
        let pages = self.pages(answer).await;
        let items = pages.iter().filter_map(|page| page["value"].as_array()).flatten();
        let name = |item: &Value| {
            // Transfers are told without a name: the time at which one was made stands for it.
            let made = item["properties"]["creationTime"].as_str();
            let name = item["subscriptionId"].as_str().or(item["name"].as_str()).or(made);
            name.expect("a name").to_owned()
        };
        let names: Vec<String> = items.map(name).collect();
        self.listed.insert(list.to_owned(), names.clone());
        names
    }

    /// The lists that name what may stand below an address.
    async fn lists(&mut self, above: &str) -> Vec<String> {
        if above.ends_with("/billingSubscriptions") {
            return vec!["/subscriptions".to_owned()];
        }
        if above == format!("{ACCOUNTS}/default/invoices") {
            let accounts = self.names(ACCOUNTS).await;
            return accounts.iter().map(|one| format!("{ACCOUNTS}/{one}/invoices")).collect();
        }
        vec![above.to_owned()]
    }

    /// The addresses that a path stands for, its parameters filled with what is listed above.
    async fn addresses(&mut self, path: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        for segment in path.split('/').skip(1) {
            let mut longer = Vec::new();
            for above in found {
                let mut names = Vec::new();
                if segment.starts_with('{') {
                    for list in self.lists(&above).await {
                        names.extend(self.names(&list).await);
                    }
                } else {
                    names.push(segment.to_owned());
                }
                longer.extend(names.iter().map(|name| format!("{above}/{name}")));
            }
            found = longer;
        }
        found
    }
}

/// Status and body of an answer.
async fn told(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("text");
    let body =
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
    (status, body)
}

/// Answers that were got, and what was wrong with any.
#[derive(Default)]
pub(crate) struct Got {
    pub(crate) by_operation: BTreeMap<String, Vec<Value>>,
    pub(crate) wrong: Vec<String>,
}

/// Asks every operation that reads wherever a caller may, once plainly and once with everything
/// expanded.
pub(crate) async fn ask_all(contract: &Contract, walk: &mut Walk<'_>, got: &mut Got) {
    let mut validators: BTreeMap<String, Validator> = BTreeMap::new();
    let reads = |one: &&Operation| {
        one.verb == Method::GET || READS_BY_POST.iter().any(|(id, _)| *id == one.id)
    };
    for operation in contract.operations.iter().filter(reads) {
        let own = READS_BY_POST.iter().filter(|(id, _)| *id == operation.id);
        let mut bodies: Vec<&str> = own.map(|(_, body)| *body).collect();
        if bodies.is_empty() {
            bodies.push("");
        }
        let mut queries = vec![contract.version.to_owned()];
        queries.extend(operation.expand.map(|all| format!("{}&$expand={all}", contract.version)));
        for address in walk.addresses(&operation.path).await {
            for (query, body) in queries.iter().flat_map(|q| bodies.iter().map(move |b| (q, b))) {
                let (status, answer) = walk.ask(&operation.verb, &address, query, body).await;
                let declared = operation.answers.get(status.to_string());
                let declared = match (declared, status) {
                    (Some(declared), _) => declared,
                    (None, 400..500) => &operation.answers["default"],
                    (None, _) => &Value::Null,
                };
                let Some(name) = referred(&declared["schema"]) else {
                    got.wrong.push(format!("{} {address} {status}: undeclared", operation.id));
                    continue;
                };
                let validator =
                    &*validators.entry(name.to_owned()).or_insert_with(|| contract.validator(name));
                let pages = walk.pages(answer).await;
                let found = pages.iter().flat_map(|page| problems(validator, page));
                let told =
                    |one: String| format!("{} {address}?{query} {status} {one}", operation.id);
                got.wrong.extend(found.map(told));
                if status == 200 {
                    got.by_operation.entry(operation.id.clone()).or_default().extend(pages);
                }
            }
        }
    }
}
