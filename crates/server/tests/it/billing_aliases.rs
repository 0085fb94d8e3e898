//! What clients still send in versions before those of the Azure Billing contract.

use crate::billing_roles::COMPANY;
use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, shop};
use crate::structure_writes::{Asker, asking};
use serde_json::Value;

const MARCH: &str = "api-version=2018-03-01-preview";
const NOVEMBER: &str = "api-version=2018-11-01-preview";
const V2020: &str = "api-version=2020-05-01";
const PROVIDER: &str = "/providers/Microsoft.Billing";
/// The subscription of the shop.
const SHOP: &str = "/subscriptions/5b0d1e9a-0000-4000-8000-000000000001";

/// Who owns the enrollment account.
const OWL: &str = r#"
[[client]]
id = "owl"
name = "Owl"
email = "owl@union.example"
secret_hashes = ["{HASH}"]

[[role_assignment]]
principal = "owl"
role = "Account Owner"
scope = { place = { billing_account = "union", level = "enrollment account", id = "lab" } }
"#;

async fn with_askers(books: Books, rule: impl AsyncFnOnce(&[Asker<'_>])) {
    asking(books, (&(shop(FLAT) + COMPANY + OWL), &["owl"]), rule).await;
}

fn names(body: &Value) -> Vec<&str> {
    let all = body["value"].as_array().expect("a list").iter();
    all.map(|one| one["name"].as_str().expect("a name")).collect()
}

on_each_store!(billing_periods_of_a_subscription_are_told);
async fn billing_periods_of_a_subscription_are_told(books: Books) {
    with_askers(books, async |askers: &[Asker<'_>]| {
        let [operator, owl] = askers else { panic!("too few") };
        let periods = format!("{SHOP}{PROVIDER}/billingPeriods");
        let told = operator.get(&format!("{periods}?{MARCH}")).await;
        // It was always paid for, and nothing is invoiced: only the open one is known.
        let [period] = told.body["value"].as_array().expect("a list").as_slice() else {
            panic!("{}", told.body)
        };
        let name = period["name"].as_str().expect("a name");
        assert!(name.ends_with("-1"), "{name}");
        assert_eq!(period["id"], format!("{periods}/{name}"));
        assert_eq!(period["properties"]["invoiceIds"], serde_json::json!([]));
        let one = operator.get(&format!("{periods}/{name}?{MARCH}")).await;
        assert_eq!(one.body, *period);
        let check = async |by: &Asker<'_>, path: &str, expected: &str| {
            let told = by.get(path).await;
            assert_eq!(told.refusal(), expected, "{path}: {}", told.body);
        };
        check(operator, &format!("{periods}/201811-1?{MARCH}"), "404 NotFound").await;
        check(operator, &format!("{periods}/{name}-1?{MARCH}"), "404 NotFound").await;
        check(operator, &format!("{periods}?{MARCH}&$top=0"), "400 BadRequest").await;
        check(operator, &format!("{periods}?{MARCH}&$skiptoken=x"), "400 BadRequest").await;
        check(operator, &format!("{periods}?{V2020}"), "404 InvalidResourceType").await;
        check(operator, &periods, "400 MissingApiVersionParameter").await;
        let unknown = operator.get(&format!("{periods}?api-version=1")).await;
        assert_eq!(unknown.refusal(), "400 InvalidApiVersionParameter");
        let message = unknown.body["error"]["message"].as_str().expect("a message");
        assert!(message.ends_with("supported: 2018-03-01-preview"), "{message}");
        check(owl, &format!("{periods}?{MARCH}"), "404 SubscriptionNotFound").await;
        let missing = format!("/subscriptions/nowhere{PROVIDER}/billingPeriods?{MARCH}");
        check(owl, &missing, "404 SubscriptionNotFound").await;
        let old = format!("{periods}?{MARCH}&$filter=billingPeriodEndDate lt 2000-01-01");
        assert_eq!(operator.get(&old).await.body["value"], serde_json::json!([]));
    })
    .await;
}

on_each_store!(enrollment_accounts_and_sections_are_told_without_what_lies_between);
async fn enrollment_accounts_and_sections_are_told_without_what_lies_between(books: Books) {
    with_askers(books, async |askers: &[Asker<'_>]| {
        let [operator, owl] = askers else { panic!("too few") };
        let accounts = format!("{PROVIDER}/enrollmentAccounts");
        for by in [operator, owl] {
            let told = by.get(&format!("{accounts}?{MARCH}")).await;
            assert_eq!(names(&told.body), ["lab"], "{}", told.body);
            let one = by.get(&format!("{accounts}/LAB?{MARCH}")).await;
            assert_eq!(one.body["id"], format!("{accounts}/lab"));
            assert_eq!(one.body["properties"]["principalName"], "owl@union.example");
            let none = by.get(&format!("{accounts}/nowhere?{MARCH}")).await;
            assert_eq!(none.refusal(), "404 NotFound");
        }
        let of = |account: &str| format!("{PROVIDER}/billingAccounts/{account}/invoiceSections");
        let sections = of("acme");
        let told = operator.get(&format!("{sections}?{NOVEMBER}&$expand=billingProfiles")).await;
        assert_eq!(names(&told.body), ["freight"], "{}", told.body);
        let one = operator.get(&format!("{sections}/freight?{NOVEMBER}")).await;
        assert_eq!(one.body, told.body["value"][0]);
        let published = format!("{PROVIDER}/billingAccounts/acme/billingProfiles/ships");
        let published = format!("{published}/invoiceSections/freight");
        assert_eq!(one.body["id"], published);
        let same = operator.get(&format!("{published}?api-version=2019-10-01-preview")).await;
        assert_eq!(one.body, same.body);
        let check = async |by: &Asker<'_>, path: &str, expected: &str| {
            let told = by.get(path).await;
            assert_eq!(told.refusal(), expected, "{path}: {}", told.body);
        };
        check(operator, &format!("{sections}/nowhere?{NOVEMBER}"), "404 NotFound").await;
        check(operator, &format!("{sections}?{NOVEMBER}&$expand=x"), "400 BadRequest").await;
        check(operator, &format!("{sections}?{V2020}"), "404 InvalidResourceType").await;
        check(operator, &format!("{sections}?{MARCH}"), "404 InvalidResourceType").await;
        check(operator, &format!("{}?{NOVEMBER}", of("union")), "400 BadRequest").await;
        check(owl, &format!("{sections}?{NOVEMBER}"), "404 NotFound").await;
        // Of the contract's own addresses the older versions have nothing.
        let contract = format!("{PROVIDER}/billingAccounts?{MARCH}");
        check(operator, &contract, "404 InvalidResourceType").await;
        let unknown = operator.get(&format!("{PROVIDER}/billingAccounts?api-version=1")).await;
        let message = unknown.body["error"]["message"].as_str().expect("a message");
        assert!(message.ends_with("supported: 2019-10-01-preview, 2020-05-01"), "{message}");
    })
    .await;
}
