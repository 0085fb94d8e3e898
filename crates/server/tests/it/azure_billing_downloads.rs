//! Every operation of Azure Billing that downloads invoices, asked once on the demo's world.

use crate::azure_billing_calls::token_of;
use crate::azure_billing_contract::{Contract, FIRST, SECOND, referred};
use crate::azure_billing_walk::{Got, Walk};
use crate::azure_billing_writes::placed;
use crate::contracts::problems;
use crate::program::Server;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeMap;

/// Downloads of invoices: whose, and the list that has links to their documents.
const DOWNLOADS: &[(&str, &str, &str, &str)] = &[
    (
        FIRST,
        "Invoices_DownloadMultipleBillingProfileInvoices",
        "mca",
        "Invoices_ListByBillingProfile",
    ),
    (FIRST, "Invoices_DownloadMultipleEAInvoices", "ea", "Invoices_ListByBillingAccount"),
    (
        FIRST,
        "Invoices_DownloadMultipleBillingSubscriptionInvoices",
        "mosp",
        "Invoices_ListByBillingSubscription",
    ),
    (SECOND, "Invoices_DownloadInvoice", "mca", "Invoices_ListByBillingAccount"),
    (
        SECOND,
        "Invoices_DownloadMultipleBillingProfileInvoices",
        "mca",
        "Invoices_ListByBillingAccount",
    ),
    (
        SECOND,
        "Invoices_DownloadBillingSubscriptionInvoice",
        "mosp",
        "Invoices_ListByBillingSubscription",
    ),
    (
        SECOND,
        "Invoices_DownloadMultipleBillingSubscriptionInvoices",
        "mosp",
        "Invoices_ListByBillingSubscription",
    ),
];

/// Downloads invoices by every operation that does, as their owner.
pub(crate) async fn download_all(contract: &Contract, server: &Server, got: &mut Got) {
    let (version, token) = (contract.version, server.told("clients.owner.token"));
    let owner = Walk { server, version, token, listed: BTreeMap::new() };
    let find = |id: &str| contract.operations.iter().find(|one| one.id == id).expect(id);
    for (_, id, kind, list) in DOWNLOADS.iter().filter(|(of, ..)| *of == version) {
        let (operation, list) = (find(id), placed(server, kind, &find(list).path, ""));
        let (_, listed) = owner.ask(&Method::GET, &list, version, "").await;
        let invoice = &listed["value"][0];
        let url = invoice["properties"]["documents"][0]["url"].as_str().expect("a link");
        let name = invoice["name"].as_str().expect("a name");
        let address = placed(server, kind, &operation.path, name);
        let (more, body) = if operation.path.ends_with("/download") {
            let token = token_of(url).expect("a token");
            (format!("&downloadToken={token}"), String::new())
        } else {
            (String::new(), json!([url]).to_string())
        };
        let (status, answer) =
            owner.done(&operation.verb, (address.as_str(), more.as_str()), &body).await;
        assert_eq!(status, 200, "{id} {answer}");
        let name = referred(&operation.answers["200"]["schema"]).expect("a definition");
        let found = problems(&contract.validator(name), &answer);
        got.wrong.extend(found.into_iter().map(|one| format!("{id} {status} {one}")));
        got.by_operation.entry(operation.id.clone()).or_default().push(answer);
    }
}
