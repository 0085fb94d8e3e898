//! The frame of the Azure Billing surface: versions, addresses, what is not served yet.

use crate::books::{Books, on_each_store};
use crate::installation::{FLAT, Installation, shop};
use reqwest::Method;
use serde_json::{Value, json};

const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";
const V2019: &str = "api-version=2019-10-01-preview";
const V2020: &str = "api-version=2020-05-01";

async fn a_version_is_chosen_and_what_it_lacks_says_so(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let base = server.told("base_url");
    let token = installation.token_for(&server, &base).await.expect("a token");
    let check = async |verb: Method, path: &str, expected: &str| {
        let request = server.client.request(verb.clone(), format!("{base}{path}"));
        let answer = request.bearer_auth(&token).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let reads = answer.headers().contains_key("x-ms-ratelimit-remaining-tenant-reads");
        let cached = answer.headers().get("cache-control").cloned();
        assert_eq!(cached.expect("a header"), "no-cache", "{verb} {path}");
        let body: Value = answer.json().await.expect("JSON");
        let code = body["error"]["code"].as_str().unwrap_or("-");
        assert_eq!(format!("{status} {code} {reads}"), expected, "{verb} {path}: {body}");
        body
    };
    let operations = "/providers/Microsoft.Billing/operations";
    check(Method::GET, operations, "400 MissingApiVersionParameter true").await;
    let unknown = format!("{operations}?api-version=1");
    check(Method::GET, &unknown, "400 InvalidApiVersionParameter true").await;
    let spelled = format!("/Providers/microsoft.billing/Operations?{V2019}");
    let told = check(Method::GET, &spelled, "200 - true").await;
    let names = told["value"].as_array().expect("a list");
    let name = "Microsoft.Billing/operations/read";
    assert!(names.iter().any(|one| one["name"] == name), "{names:?}");
    let told = check(Method::GET, &format!("{operations}?{V2020}"), "200 - true").await;
    assert_eq!(told["value"][0]["isDataAction"], false);
    check(Method::PUT, &format!("{operations}?{V2019}"), "405 MethodNotAllowed false").await;
    // Of the first version alone.
    let prices = format!("{ACCOUNTS}/a/billingProfiles/b/pricesheet/default/download");
    check(Method::POST, &format!("{prices}?{V2019}"), "404 NotFound false").await;
    check(Method::POST, &format!("{prices}?{V2020}"), "404 InvalidResourceType false").await;
    // Those that declare no version are served without one.
    let transfers = "/providers/Microsoft.Billing/transfers";
    check(Method::GET, transfers, "200 - true").await;
    check(Method::GET, &format!("{transfers}?{V2020}"), "404 InvalidResourceType true").await;
    let nobody = server.get(&format!("{operations}?{V2019}"), None).send().await;
    assert_eq!(nobody.expect("an answer").status(), 401);
    server.stop();
}

on_each_store!(a_version_is_chosen_and_what_it_lacks_says_so);

async fn an_address_is_checked_in_either_version(books: Books) {
    let installation = Installation::new(books, "USD", &shop(FLAT));
    let server = installation.serve(&[]);
    let base = server.told("base_url");
    let token = installation.token_for(&server, &base).await.expect("a token");
    let check = async |version: &str, body: Value, expected: &str| {
        let url = format!("{base}/providers/Microsoft.Billing/validateAddress?{version}");
        let request = server.client.post(url).bearer_auth(&token).json(&body);
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let told: Value = answer.json().await.expect("JSON");
        let shown = told["status"].as_str().or(told["error"]["message"].as_str());
        let shown = format!("{status} {}", shown.unwrap_or("-"));
        assert!(shown.starts_with(expected), "{version}: {told}");
    };
    let good = json!({"addressLine1": "1 Test Address", "city": "bellevue", "region": "wa",
        "postalCode": "98052", "country": "us"});
    let bad = json!({"addressLine1": "1 Test Address", "city": "bellevue", "region": "zz",
        "postalCode": "98052", "country": "us"});
    for version in [V2019, V2020] {
        check(version, good.clone(), "200 Valid").await;
        check(version, bad.clone(), "200 Invalid").await;
    }
    check(V2019, json!({}), "200 Invalid").await;
    check(V2020, json!({"country": "us"}), "400 addressLine1: must be there").await;
    check(V2020, json!([]), "400 body: invalid type: sequence, expected an object").await;
    server.stop();
}

on_each_store!(an_address_is_checked_in_either_version);
