//! Transfers over HTTP, as who asks for one sees them: a section that is moved, a partner for its
//! customer.

use crate::azure_billing_transfers::{
    ACCOUNTS, HELD, House, PROVIDER, at, chosen, own, section as declared_section,
};
use crate::books::{Books, on_each_store};
use crate::in_process::declare;
use axum::http::Method;
use calendar::SystemClock;
use domain::access::Caller;
use domain::ids::SubscriptionId;
use serde_json::json;

on_each_store!(a_section_keeps_what_it_asked_for_wherever_it_lies);
async fn a_section_keeps_what_it_asked_for_wherever_it_lies(books: Books) {
    let house = House::new(books, &[]).await;
    let [account, profile, section, ..] = ACCOUNTS[0];
    let made = house.made(section).await;
    house.pass(1);
    let now = SystemClock::now(&house.clock).to_string();
    let second = format!(
        "[[billing_profile]]\nbilling_account = \"{account}\"\nid = \"payer-second\"\n\
         from = 2026-01-01T00:00:00Z\nname = \"Second\"\ncurrency = \"USD\"\n\n"
    );
    let moved = declared_section(account, section, "payer-second", &now, "active");
    declare(&house.reckoner, &(second + &moved)).await;
    let there = |path: &str| path.replace(&format!("/{profile}/"), "/payer-second/");
    let told = house.ask("ada", (Method::GET, &own(&made)), None).await;
    assert_eq!(told.status, 404, "{}", told.text);
    let path = there(&own(&made));
    let told = house.ask("ada", (Method::GET, &path), None).await;
    assert_eq!((told.status, &told.address), (200, &path), "{}", told.text);
    let list = there(&format!("{}/transfers", at(section)));
    let listed = house.ask("ada", (Method::GET, &list), None).await;
    assert_eq!(listed.body["value"], json!([told.body]));
    let ids = &told.body["properties"];
    assert_eq!(ids["invoiceSectionId"], there(&at(section)));
    let above = format!("{PROVIDER}/billingAccounts/{account}/billingProfiles/payer-second");
    assert_eq!(ids["billingProfileId"], above);
    let told = house.ask("ada", (Method::DELETE, &path), None).await;
    assert_eq!(told.body["properties"]["transferStatus"], "Canceled", "{}", told.text);
    house.reckoner.close().await.expect("closed");
}

/// A partner with two billing profiles and a customer.
const PARTNER: &str = r#"
[[billing_account]]
id = "resale"
name = "Resale"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "resale"
from = 2026-01-01T00:00:00Z
type = "partner agreement"

[[billing_profile]]
billing_account = "resale"
id = "dollars"
from = 2026-01-01T00:00:00Z
name = "Dollars"
currency = "USD"

[[billing_profile]]
billing_account = "resale"
id = "euros"
from = 2026-01-01T00:00:00Z
name = "Euros"
currency = "EUR"

[[customer]]
billing_account = "resale"
id = "bakery"
from = 2026-01-01T00:00:00Z
name = "Bakery"
plans = ["metered"]
resellers = [{ id = "corner", name = "Corner Shop" }]

[[role_assignment]]
principal = "ada"
role = "Global Administrator"
scope = { billing_account = "resale" }
"#;

fn at_customer(profile: &str, customer: &str) -> String {
    format!("{PROVIDER}/billingAccounts/resale/billingProfiles/{profile}/customers/{customer}")
}

on_each_store!(a_partner_asks_for_a_customer_and_a_profile_that_lies_beside_it);
async fn a_partner_asks_for_a_customer_and_a_profile_that_lies_beside_it(books: Books) {
    let house = House::new(books, &HELD).await;
    declare(&house.reckoner, PARTNER).await;
    let initiate = async |place: String, reseller: &str| {
        let properties = json!({ "recipientEmailId": "dee@mail.test", "resellerId": reseller });
        let path = format!("{place}/initiateTransfer");
        house.ask("ada", (Method::POST, &path), Some(json!({ "properties": properties }))).await
    };
    let bakery = at_customer("dollars", "bakery");
    for (place, reseller, expected) in [
        (at_customer("nothing", "bakery"), "corner", "404 NotFound "),
        (at_customer("dollars", "nobody"), "corner", "404 NotFound "),
        (bakery.clone(), "stranger", "400 BadRequest properties.resellerId"),
    ] {
        let told = initiate(place, reseller).await;
        let own = |member: &str| told.body["error"][member].as_str().unwrap_or_default().to_owned();
        let line = format!("{} {} {}", told.status, own("code"), own("target"));
        assert_eq!(line, expected, "{}", told.text);
    }
    let made = initiate(bakery.clone(), "CORNER").await;
    assert_eq!(made.status, 200, "{}", made.text);
    let told = &made.body["properties"];
    assert_eq!(told["billingProfileId"], at_customer("dollars", "").replace("/customers/", ""));
    assert_eq!(told["invoiceSectionId"], bakery);
    let words = ["initiatorCustomerType", "resellerId", "resellerName", "initiatorEmailId"];
    let words = words.map(|member| told[member].as_str().unwrap_or_default());
    assert_eq!(words, ["Partner", "corner", "Corner Shop", "ada@mail.test"]);
    // What is asked for one billing profile is not there for another.
    let beside = made.address.replace("dollars", "euros");
    for (verb, address, expected) in [
        (Method::GET, &beside, 404),
        (Method::DELETE, &beside, 404),
        (Method::GET, &made.address, 200),
    ] {
        let told = house.ask("ada", (verb, address), None).await;
        assert_eq!(told.status, expected, "{address}: {}", told.text);
    }
    for (profile, expected) in [("dollars", 1), ("euros", 0)] {
        let path = format!("{}/transfers", at_customer(profile, "bakery"));
        let told = house.ask("ada", (Method::GET, &path), None).await;
        assert_eq!(told.body["value"].as_array().map(Vec::len), Some(expected), "{profile}");
    }
    let (_, name) = made.address.rsplit_once('/').expect("an address");
    let path = format!("{PROVIDER}/transfers/{name}/acceptTransfer");
    let told = house.ask("dee", (Method::POST, &path), chosen(&["skiff"])).await;
    assert_eq!(told.status, 200, "{}", told.text);
    house.carry_out().await;
    let told = house.ask("ada", (Method::GET, &made.address), None).await;
    assert_eq!(told.body["properties"]["transferStatus"], "Completed");
    let company = house.reckoner.company(&Caller::Machine).await.expect("the company");
    let skiff = &company.subscriptions[&SubscriptionId::new("skiff").expect("an id")];
    let placement = skiff.placement_at(SystemClock::now(&house.clock)).expect("a payer");
    let payer = (placement.billing_account.as_str(), placement.profile.as_deref());
    assert_eq!(payer, ("resale", Some("dollars")));
    house.reckoner.close().await.expect("closed");
}
