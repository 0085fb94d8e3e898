//! The demo's company: each account that its context names is there, its closed months have
//! invoices in each state, and its books hold.

use crate::books::{Books, on_each_store};
use crate::program::Server;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that later surfaces look for in the context file.
const MEMBERS: [&str; 66] = [
    "accounts.mca.billing_account",
    "accounts.mca.billing_profile",
    "accounts.mca.other_billing_profile",
    "accounts.mca.invoice_section",
    "accounts.mca.other_invoice_section",
    "accounts.mca.subscription",
    "accounts.mca.product",
    "accounts.mca.transfer",
    "accounts.mca.transfer_to_cancel",
    "accounts.mca.invoice",
    "accounts.ea.billing_account",
    "accounts.ea.department",
    "accounts.ea.enrollment_account",
    "accounts.ea.subscription",
    "accounts.ea.invoice",
    "accounts.mpa.billing_account",
    "accounts.mpa.billing_profile",
    "accounts.mpa.customer",
    "accounts.mpa.reseller",
    "accounts.mpa.subscription",
    "accounts.mpa.product",
    "accounts.mpa.transfer",
    "accounts.mpa.transfer_to_cancel",
    "accounts.mpa.invoice",
    "accounts.mosp.billing_account",
    "accounts.mosp.subscription",
    "accounts.mosp.invoice",
    "accounts.foreign.billing_account",
    "accounts.recipient.billing_account",
    "accounts.recipient.subscription",
    "accounts.recipient.product",
    "accounts.recipient.reservation",
    "accounts.recipient.transfer",
    "accounts.recipient.transfer_to_accept",
    "accounts.recipient.transfer_to_decline",
    "clients.recipient.client_id",
    "clients.recipient.client_secret",
    "clients.recipient.token",
    "clients.recipient.email",
    "clients.owner.token",
    "enterprise.enrollment",
    "enterprise.api_key",
    "enterprise.department_key",
    "enterprise.account_owner_key",
    "enterprise.expired_key",
    "enterprise.revoked_key",
    "enterprise.foreign_enrollment",
    "invoice_window.from",
    "invoice_window.to",
    "periods.open",
    "periods.closed.0",
    "periods.closed.1",
    "periods.closed.2",
    "usage_api.base_url",
    "usage_api.api_key",
    "usage_api.api_key_without_scope",
    "usage_api.sub_account_api_key",
    "usage_api.basic.username",
    "usage_api.basic.password",
    "usage_api.oauth.client_id",
    "usage_api.oauth.client_secret",
    "usage_api.accounts.0.key",
    "usage_api.accounts.0.name",
    "usage_api.accounts.1.ownerKey",
    "usage_api.window.from",
    "usage_api.window.to",
];

async fn asked(server: &Server, path: &str) -> Value {
    let token = server.told("clients.operator.token");
    let answer = server.get(path, Some(&token)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.expect("JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

async fn the_demo_has_closed_months_and_its_books_hold(books: Books) {
    let directory = tempfile::tempdir().expect("a directory");
    let schema = books.schema();
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &[]);
    for member in MEMBERS {
        assert!(!server.told(member).is_empty(), "{member}");
    }
    let periods = ["periods.closed.0", "periods.closed.1", "periods.closed.2", "periods.open"];
    assert_eq!(periods.map(|path| server.told(path)), ["202608", "202609", "202610", "202611"]);
    let window = (server.told("invoice_window.from"), server.told("invoice_window.to"));
    assert_eq!(window, ("2026-08-01".to_owned(), "2026-11-18".to_owned()));

    let window = (server.told("usage_api.window.from"), server.told("usage_api.window.to"));
    assert_eq!(window, ("2026-10-01".to_owned(), "2026-11-01".to_owned()));

    let listed = asked(&server, "/admin/v1/invoices").await;
    let invoices = listed["invoices"].as_array().expect("invoices");
    the_customer_has_invoices_in_each_state(&server, invoices);
    the_enterprise_runs_out_of_prepayment(&server, invoices).await;
    every_line_explains_itself(&server, invoices).await;

    let url = format!("{}/admin/v1/operations/verify", server.told("base_url"));
    let token = server.told("clients.operator.token");
    let answer = server.client.post(url).bearer_auth(token).send().await.expect("an answer");
    let checked: Value = answer.json().await.expect("JSON");
    assert_eq!(checked["problems"], Value::Array(Vec::new()), "{checked}");
    assert_eq!(checked["documents"].as_u64(), Some(invoices.len() as u64));
    server.stop();
}

on_each_store!(the_demo_has_closed_months_and_its_books_hold);

fn the_customer_has_invoices_in_each_state(server: &Server, invoices: &[Value]) {
    let accounts: BTreeSet<&str> =
        invoices.iter().map(|invoice| text(invoice, "billing_account")).collect();
    assert_eq!(accounts.len(), 7, "all accounts are invoiced");
    let of = server.told("accounts.mca.billing_account");
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    let own = invoices.iter().filter(|one| text(one, "billing_account") == of);
    for invoice in own.filter(|one| text(one, "kind") == "invoice") {
        *states.entry(text(invoice, "state")).or_default() += 1;
    }
    // August is paid, and the marketplace charges of September; October is not due yet.
    let expected = BTreeMap::from([("paid", 4), ("overdue", 1), ("void", 1), ("due", 3)]);
    assert_eq!(states, expected);
}

async fn the_enterprise_runs_out_of_prepayment(server: &Server, invoices: &[Value]) {
    let of = server.told("accounts.ea.billing_account");
    let mut paid = Vec::new();
    for period in ["2026-08", "2026-09", "2026-10"] {
        let id = format!("{of}/{period}");
        let found = invoices.iter().find(|one| text(one, "id") == id).expect("an invoice");
        let one = asked(server, &format!("/admin/v1/invoices/{}", text(found, "number"))).await;
        let lines = one["lines"].as_array().expect("lines");
        let is_covered = |line: &&Value| text(line, "coverage") == "covered";
        let overage = lines.iter().filter(is_covered).any(|line| text(line, "left") != "0.00");
        let separately = lines.iter().any(|line| text(line, "coverage") == "billed_separately");
        paid.push((text(&one["totals"], "prepayment") != "0.00", overage, separately));
    }
    // In September the lot ends within the charges.
    assert_eq!(paid, [(true, false, true), (true, true, true), (false, true, true)]);
}

/// Rated rows behind a line add up to it exactly, and a cent of it lies in one of them.
async fn every_line_explains_itself(server: &Server, invoices: &[Value]) {
    let mut of_usage = 0;
    for invoice in invoices.iter().filter(|one| text(one, "kind") == "invoice") {
        let number = text(invoice, "number");
        let whole = asked(server, &format!("/admin/v1/invoices/{number}")).await;
        for line in whole["lines"].as_array().expect("lines") {
            let place = format!("/admin/v1/explain/line?invoice={number}&line={}", line["number"]);
            let told = asked(server, &format!("{place}&rows=1")).await;
            assert_eq!(told["line"]["pricing"], line["pricing"], "{told}");
            let Some(usage) = told.get("usage") else {
                assert!(told["declared"].is_string() || told["correction"].is_object(), "{told}");
                continue;
            };
            of_usage += 1;
            assert_eq!(usage["totals"][0]["cost"], line["pricing"], "{told}");
            let cents = text(line, "booked").replace(['.', '-'], "").parse::<u64>().expect("cents");
            if cents > 0 {
                let one = asked(server, &format!("{place}&cent={}", cents.div_ceil(2))).await;
                assert_eq!(one["usage"]["row_count"], 1, "{one}");
            }
        }
    }
    assert!(of_usage > 20, "{of_usage} lines of usage");
}
