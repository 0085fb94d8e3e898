//! Moves of subscriptions and products within a billing account, asked of Azure Billing: each
//! reason that stands against one, who pays for what before and after, and that it is made once.

use crate::books::{Books, on_each_store};
use crate::closing::{House, account, may, moment, month};
use crate::in_process;
use crate::long_running::{Told, as_caller, ask, surface_for, version};
use axum::http::Method;
use calendar::Interval;
use domain::access::Caller;
use domain::ids::{PrincipalId, SubscriptionId};
use domain::usage::ChargeCategory;
use money::{Cost, Currency, Fixed18};
use serde_json::{Value, json};
use service::{AuditFilter, ChargeQuery, CloseMode, Incoming};

/// The prices of calls, and of hours by agreement with one profile.
const PRICES: &str = r#"
[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "calls", model = { per_unit = "0.25" } }]

[[offer]]
id = "agreed"
name = "By agreement"
has_rate_card = false

[[price_list]]
id = "agreed"
billing_account = "acme"
profile = "ships"
from = "2026-01"
currency = "USD"
prices = [{ meter = "hours", model = { per_unit = "1" } }]

[[agreement]]
billing_account = "acme"
from = 2026-01-01T00:00:00Z
type = "customer agreement"

[[agreement]]
billing_account = "globex"
from = 2027-01-01T00:00:00Z
type = "customer agreement"

[[plan]]
billing_account = "acme"
id = "pump"
name = "Pump"
place = { level = "billing profile", id = "ships" }
currency = "USD"
amounts = [{ from = "2026-07-01", amount = "9" }]
"#;

/// Billing profiles and what else is said of them.
const PROFILES: [(&str, &str); 6] = [
    ("ships", ""),
    ("docks", ""),
    ("wide", ""),
    ("debts", r#"state = "past_due""#),
    ("closed", r#"state = "inactive""#),
    ("strict", r#"marketplace_purchases = "none""#),
];

/// Invoice sections, their profiles and what else is said of them.
const SECTIONS: [(&str, &str, &str); 9] = [
    ("freight", "ships", ""),
    ("cargo", "ships", ""),
    ("old", "ships", r#"state = "inactive""#),
    ("piers", "docks", ""),
    ("east", "wide", ""),
    ("west", "wide", ""),
    ("debt", "debts", ""),
    ("shut", "closed", ""),
    ("market", "strict", ""),
];

/// Subscriptions: where they stand, on which offer, in which state.
const SUBSCRIPTIONS: [(&str, &str, &str, &str, &str); 6] = [
    ("ferry", "ships", "freight", "metered", "active"),
    ("tug", "ships", "freight", "metered", "suspended"),
    ("buyer", "ships", "freight", "metered", "active"),
    ("special", "ships", "freight", "agreed", "active"),
    ("debtor", "debts", "debt", "metered", "active"),
    ("barge", "ships", "old", "metered", "active"),
];

/// Products of the section `freight`: how they are billed, in which state, until when.
const PRODUCTS: [(&str, &str, &str, &str); 5] = [
    ("crane", "one_time", "active", "2027-01-01"),
    ("pump", "monthly", "active", "2027-01-01"),
    ("rope", "usage_based", "active", "2027-01-01"),
    ("chain", "monthly", "cancelled", "2027-01-01"),
    ("buoy", "monthly", "active", ""),
];

/// Who, which role, where.
const ROLES: [(&str, &str, &str); 8] = [
    ("ada", "Billing Account Owner", ""),
    ("cy", "Invoice Section Reader", "invoice section/freight"),
    ("sam", "Invoice Section Contributor", "invoice section/freight"),
    ("dora", "Invoice Section Contributor", "invoice section/freight"),
    ("dora", "Invoice Section Reader", "invoice section/cargo"),
    ("sec", "Invoice Section Contributor", "invoice section/freight"),
    ("sec", "Invoice Section Contributor", "invoice section/cargo"),
    ("sec", "Invoice Section Contributor", "invoice section/piers"),
];

pub(crate) fn company() -> String {
    let mut text = PRICES.to_owned();
    for (id, more) in PROFILES {
        text += &format!(
            "[[billing_profile]]\nbilling_account = \"acme\"\nid = \"{id}\"\nname = \"{id}\"\n\
             from = 2026-01-01T00:00:00Z\ncurrency = \"USD\"\n{more}\n\n"
        );
    }
    for (id, profile, more) in SECTIONS {
        text += &format!(
            "[[invoice_section]]\nbilling_account = \"acme\"\nid = \"{id}\"\nname = \"{id}\"\n\
             from = 2026-01-01T00:00:00Z\nbilling_profile = \"{profile}\"\n{more}\n\n"
        );
    }
    for (id, profile, section, offer, state) in SUBSCRIPTIONS {
        text += &format!("[[subscription]]\nid = \"{id}\"\nname = \"{id}\"\n");
        text += &standing(profile, section, offer, state);
    }
    for (id, frequency, state, ends_at) in PRODUCTS {
        let ends_at = match ends_at {
            "" => String::new(),
            day => format!(", ends_at = {day}T00:00:00Z"),
        };
        text += &format!(
            "[[product]]\nid = \"{id}\"\nbilling_frequency = \"{frequency}\"\n\
             facts = [{{ name = \"{id}\"{ends_at} }}]\n"
        );
        text += &standing("ships", "freight", "metered", state);
    }
    for (who, role, at) in ROLES {
        let scope = match at.split_once('/') {
            None => "{ billing_account = \"acme\" }".to_owned(),
            Some((level, id)) => format!(
                "{{ place = {{ billing_account = \"acme\", level = \"{level}\", id = \"{id}\" }} }}"
            ),
        };
        text += &format!(
            "[[role_assignment]]\nprincipal = \"{who}\"\nrole = \"{role}\"\nscope = {scope}\n\n"
        );
    }
    text + "[[role_assignment]]\nprincipal = \"root\"\nrole = \"Administrator\"\n\
            scope = \"installation\"\n"
}

fn standing(profile: &str, section: &str, offer: &str, state: &str) -> String {
    format!(
        "placements = [{{ from = 2026-01-01T00:00:00Z, billing_account = \"acme\", \
         profile = \"{profile}\", offer = \"{offer}\" }}]\n\
         standings = [{{ from = 2026-01-01T00:00:00Z, place = {{ billing_account = \"acme\", \
         level = \"invoice section\", id = \"{section}\" }} }}]\n\
         states = [{{ state = \"{state}\" }}]\n\n"
    )
}

pub(crate) async fn house(books: Books) -> House {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, &company()).await;
    house
}

const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";

/// A destination: `acme docks piers`, or a profile alone.
fn to(words: &str) -> Value {
    let words: Vec<&str> = words.split(' ').collect();
    match words.as_slice() {
        [account, profile] => {
            let profile = format!("{ACCOUNTS}/{account}/billingProfiles/{profile}");
            json!({ "destinationBillingProfileId": profile })
        }
        [account, profile, section] => {
            let profile = format!("{ACCOUNTS}/{account}/billingProfiles/{profile}");
            json!({ "destinationInvoiceSectionId": format!("{profile}/invoiceSections/{section}") })
        }
        other => panic!("{other:?}"),
    }
}

/// Asks as somebody.
async fn asked(house: &House, who: &str, question: (Method, &str), body: &Value) -> Told {
    let caller = Caller::Principal(PrincipalId::new(who).expect("an id"));
    let router = surface_for(&house.reckoner, as_caller(caller));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    ask(&router, question, body).await
}

/// The same of what stands behind the address of billing accounts.
async fn post(house: &House, who: &str, at: &str, body: &Value) -> Told {
    asked(house, who, (Method::POST, &format!("{ACCOUNTS}/{at}")), body).await
}

fn body(told: &Told) -> Value {
    serde_json::from_str(&told.body).unwrap_or(Value::Null)
}

/// Where a thing stands and which one, in the first version: `freight product rope`.
fn first(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let [section, kind, id] = words.as_slice() else { panic!("{words:?}") };
    let (_, profile, _) = SECTIONS.iter().find(|(of, ..)| of == section).expect("a section");
    format!("acme/billingProfiles/{profile}/invoiceSections/{section}/{kind}s/{id}")
}

/// Why a thing may not be moved, in the first version: what validating tells, a transfer is refused
/// with.
async fn check(house: &House, who: &str, (of, destination): (&str, &str), expected: &str) {
    let (at, version) = (first(of), "api-version=2019-10-01-preview");
    let at = at.replace("/subscriptions/", "/billingSubscriptions/");
    let told =
        post(house, who, &format!("{at}/validateTransferEligibility?{version}"), &to(destination))
            .await;
    let what = format!("{who} {of} to {destination}");
    assert_eq!(told.status, 200, "{what}: {}", told.body);
    let told = body(&told);
    let code = told["errorDetails"]["code"].as_str().unwrap_or("eligible");
    assert_eq!(code, expected, "{what}: {told}");
    assert_eq!(told["isTransferEligible"], expected == "eligible", "{what}");
    if expected == "eligible" {
        return;
    }
    let told = post(house, who, &format!("{at}/transfer?{version}"), &to(destination)).await;
    assert_eq!(body(&told)["error"]["code"], expected, "{what}: {}", told.body);
    let is_expected = match expected {
        "InsufficientPermissionOnSource" | "InsufficientPermissionOnDestination" => {
            told.status == 403
        }
        "CrossBillingAccountNotAllowed"
        | "DestinationBillingProfileNotFound"
        | "DestinationInvoiceSectionNotFound"
        | "InvalidDestination" => told.status == 400,
        _ => told.status == 409,
    };
    assert!(is_expected, "{what}: {}", told.status);
}

/// A marketplace charge of a subscription, at its own cost.
pub(crate) async fn buy(house: &House, subscription: &str) {
    let mut record = in_process::record("bought", "1");
    record.subscription = SubscriptionId::new(subscription).expect("an id");
    record.category = ChargeCategory::Marketplace;
    let major = Fixed18::parse("3").expect("a number");
    record.stated_cost = Some(Cost { major, currency: Currency::parse("USD").expect("a code") });
    record.service_period = Interval::at(moment("2026-05-03"));
    let record = vec![Incoming::Record(Box::new(record))];
    house.reckoner.take_in(&Caller::Machine, record).await.expect("taken in");
}

const FERRY: &str = "freight subscription ferry";

/// Who wants to move what where, and what stands against it first.
const REASONS: &[(&str, &str, &str, &str)] = &[
    ("ada", FERRY, "acme docks piers", "eligible"),
    ("ada", FERRY, "ACME Docks Piers", "eligible"),
    // The only section of a profile, the one where it stands, and one of several.
    ("ada", FERRY, "acme docks", "eligible"),
    ("ada", FERRY, "acme ships", "eligible"),
    ("ada", FERRY, "acme wide", "InvalidDestination"),
    ("ada", FERRY, "globex docks piers", "CrossBillingAccountNotAllowed"),
    ("ada", FERRY, "acme closed shut", "DestinationBillingProfileInactive"),
    ("ada", FERRY, "acme nowhere piers", "DestinationBillingProfileNotFound"),
    ("ada", FERRY, "acme debts debt", "DestinationBillingProfilePastDue"),
    ("ada", FERRY, "acme ships old", "DestinationInvoiceSectionInactive"),
    ("ada", FERRY, "acme docks nothing", "DestinationInvoiceSectionNotFound"),
    ("ada", FERRY, "acme docks cargo", "DestinationInvoiceSectionNotFound"),
    ("cy", FERRY, "acme ships freight", "InsufficientPermissionOnSource"),
    ("dora", FERRY, "acme ships cargo", "InsufficientPermissionOnDestination"),
    // What one may not know of is missing.
    ("sam", FERRY, "acme ships cargo", "DestinationInvoiceSectionNotFound"),
    ("sec", FERRY, "acme ships cargo", "eligible"),
    // Who works in sections moves nothing to another profile.
    ("sec", FERRY, "acme docks piers", "InsufficientPermissionOnSource"),
    ("ada", "cargo subscription ferry", "acme docks piers", "InvalidSource"),
    ("ada", "freight subscription tug", "acme ships cargo", "SubscriptionNotActive"),
    ("ada", "freight subscription buyer", "acme docks piers", "eligible"),
    (
        "ada",
        "freight subscription buyer",
        "acme strict market",
        "MarketplaceNotEnabledOnDestination",
    ),
    ("ada", FERRY, "acme strict market", "eligible"),
    ("ada", "freight subscription special", "acme docks piers", "NotAvailableForDestinationMarket"),
    ("ada", "debt subscription debtor", "acme ships cargo", "SourceBillingProfilePastDue"),
    ("ada", "old subscription barge", "acme ships cargo", "SourceInvoiceSectionInactive"),
    (
        "ada",
        "freight product crane",
        "acme ships cargo",
        "OneTimePurchaseProductTransferNotAllowed",
    ),
    ("ada", "freight product pump", "acme ships cargo", "eligible"),
    ("ada", "freight product pump", "acme docks piers", "ProductTypeNotSupported"),
    ("ada", "freight product rope", "acme docks piers", "eligible"),
    ("ada", "freight product chain", "acme ships cargo", "ProductNotActive"),
];

on_each_store!(each_reason_against_a_move_is_told_and_refuses_it);
async fn each_reason_against_a_move_is_told_and_refuses_it(books: Books) {
    let house = house(books).await;
    buy(&house, "buyer").await;
    let before = version(&house.reckoner).await;
    for &(who, of, destination, expected) in REASONS {
        check(&house, who, (of, destination), expected).await;
    }
    // The second version moves within a billing profile, and needs no place where it stands.
    let second = async |who: &str, at: &str, destination: &str, expected: &str| {
        let at = format!("{at}/validateMoveEligibility?api-version=2020-05-01");
        let told = body(&post(&house, who, &at, &to(destination)).await);
        let code = told["errorDetails"]["code"].as_str().unwrap_or("eligible");
        assert_eq!(code, expected, "{who} {at}: {told}");
        assert_eq!(told["isMoveEligible"], expected == "eligible", "{at}");
    };
    second("ada", "acme/billingSubscriptions/ferry", "acme ships cargo", "eligible").await;
    second("ada", "acme/billingSubscriptions/ferry", "acme docks piers", "InvalidDestination")
        .await;
    second("ada", "acme/products/ROPE", "acme ships cargo", "eligible").await;
    let store = "globex/billingSubscriptions/store";
    second("root", store, "globex docks piers", "BillingAccountInactive").await;
    // It is known who pays for it, and not where it stands.
    second("root", "acme/billingSubscriptions/shop", "acme ships cargo", "InvalidSource").await;
    assert_eq!(version(&house.reckoner).await, before, "nothing was changed");
}

on_each_store!(a_destination_that_is_none_is_refused_by_its_member);
async fn a_destination_that_is_none_is_refused_by_its_member(books: Books) {
    let house = house(books).await;
    let at =
        first("freight subscription ferry").replace("/subscriptions/", "/billingSubscriptions/");
    let check = async |at: &str, sent: Value, member: &str| {
        let told = post(&house, "ada", at, &sent).await;
        assert_eq!(told.status, 400, "{sent}: {}", told.body);
        assert_eq!(body(&told)["error"]["target"], member, "{sent}");
    };
    let (section, profile) = ("destinationInvoiceSectionId", "destinationBillingProfileId");
    for tail in ["validateTransferEligibility", "transfer"] {
        let at = format!("{at}/{tail}?api-version=2019-10-01-preview");
        check(&at, json!({}), section).await;
        check(&at, json!({ section: "cargo" }), section).await;
        check(&at, json!({ section: "/providers/Microsoft.Billing/x" }), section).await;
        check(&at, json!({ profile: "docks" }), profile).await;
        check(&at, json!({ section: 1 }), section).await;
        check(&at, json!({ "destination": "x" }), "destination").await;
    }
    let at = "acme/billingSubscriptions/ferry/move?api-version=2020-05-01";
    check(at, json!({}), section).await;
    check(at, json!({ profile: "docks" }), profile).await;
}

/// What an invoice of June bills of a subscription, before tax.
async fn billed(house: &House, profile: &str, of: &str) -> i128 {
    let id = format!("acme/2026-06/profile/{profile}");
    let of = SubscriptionId::new(of).expect("an id");
    let invoices = house.invoices().await;
    let own = invoices.iter().filter(|one| one.invoice.id.as_str() == id);
    let lines = own.flat_map(|one| &one.invoice.lines);
    lines.filter(|line| line.key.subscription.as_ref() == Some(&of)).map(|l| l.booked.minor()).sum()
}

/// The exact sum of June's charges.
async fn charged(house: &House) -> String {
    let query = ChargeQuery {
        billing_account: Some(account("acme")),
        days: moment("2026-06-01").day()..moment("2026-07-01").day(),
        group_by: Vec::new(),
        filters: Vec::new(),
        top: None,
    };
    let table = house.reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    table.rows[0].cost.major.to_string()
}

on_each_store!(a_move_is_made_once_and_changes_no_total);
async fn a_move_is_made_once_and_changes_no_total(books: Books) {
    let house = house(books).await;
    house.send(&["1 acme ferry calls 100 2026-06-02"]).await;
    assert_eq!(charged(&house).await, "25");
    let (at, version_2019) =
        (first("freight subscription ferry"), "api-version=2019-10-01-preview");
    let at = at.replace("/subscriptions/", "/billingSubscriptions/");
    let transfer = format!("{at}/transfer?{version_2019}");
    let before = version(&house.reckoner).await;
    let accepted = post(&house, "ada", &transfer, &to("acme docks piers")).await;
    let again = post(&house, "ada", &transfer, &to("acme docks piers")).await;
    assert_eq!((accepted.status, again.status), (202, 202), "{}", accepted.body);
    assert_eq!(accepted.location, again.location, "the same operation");
    // It ends in good order between both, and is gone on with.
    let house = house.reopened().await;
    assert_eq!(version(&house.reckoner).await, before, "as it was");
    assert_eq!(house.reckoner.carry_out_jobs().await.expect("carried out"), 1);
    assert_eq!(version(&house.reckoner).await, before + 1);
    let location = accepted.location.expect("an address");
    let told = asked(&house, "ada", (Method::GET, &location), &Value::Null).await;
    assert_eq!(body(&told), json!({ "properties": { "billingSubscriptionName": "ferry" } }));
    // Where it stood it stands no more; where it stands it may be moved to, and nothing changes.
    let told = post(&house, "ada", &transfer, &to("acme docks piers")).await;
    assert_eq!(body(&told)["error"]["code"], "InvalidSource");
    let there = transfer.replace("ships/invoiceSections/freight", "docks/invoiceSections/piers");
    assert_eq!(post(&house, "ada", &there, &to("acme docks piers")).await.status, 202);
    assert_eq!(house.reckoner.carry_out_jobs().await.expect("carried out"), 1);
    assert_eq!(version(&house.reckoner).await, before + 1);
    // Nothing that was used before has changed, neither what was known of it nor what comes late.
    assert_eq!(charged(&house).await, "25");
    house.clock.set(moment("2026-06-20T12:00:00Z"));
    house.send(&["2 acme ferry calls 60 2026-06-10", "3 acme ferry calls 40 2026-06-03"]).await;
    assert_eq!(charged(&house).await, "50");
    house.clock.set(moment("2026-07-05T12:00:00Z"));
    house.close(may()).await;
    house.close(month("2026-06", CloseMode::Final)).await;
    let (left, entered) =
        (billed(&house, "ships", "ferry").await, billed(&house, "docks", "ferry").await);
    assert_eq!((left, entered), (3_500, 1_500), "who paid before, and who pays since");
    let filter = AuditFilter { action: Some("holding.move".to_owned()), ..AuditFilter::default() };
    let rows = house.reckoner.audit(&Caller::Machine, filter, 0, 10).await.expect("the log");
    assert_eq!(rows.first().map(|row| row.entry.actor.as_str()), Some("ada"));
    let (problems, _) = house.verified().await;
    assert_eq!(problems, Vec::<String>::new());
}

on_each_store!(a_move_that_cannot_be_made_any_more_ends_with_its_reason);
async fn a_move_that_cannot_be_made_any_more_ends_with_its_reason(books: Books) {
    let house = house(books).await;
    let at = first("freight product rope");
    let transfer = format!("{at}/transfer?api-version=2019-10-01-preview");
    let accepted = post(&house, "ada", &transfer, &to("acme docks piers")).await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let closed = r#"
[[billing_profile]]
billing_account = "acme"
id = "docks"
name = "docks"
from = 2026-06-01T00:00:00Z
currency = "USD"
state = "past_due"
"#;
    in_process::declare(&house.reckoner, closed).await;
    let before = version(&house.reckoner).await;
    assert_eq!(house.reckoner.carry_out_jobs().await.expect("carried out"), 1);
    assert_eq!(version(&house.reckoner).await, before);
    let location = accepted.location.expect("an address");
    for (collection, status) in [("operationResults", 409), ("operationStatus", 200)] {
        let location = location.replace("operationResults", collection);
        let told = asked(&house, "ada", (Method::GET, &location), &Value::Null).await;
        assert_eq!(told.status, status, "{}", told.body);
        assert_eq!(body(&told)["error"]["code"], "DestinationBillingProfilePastDue");
    }
}

on_each_store!(a_product_is_renewed_or_ends_as_its_manager_says);
async fn a_product_is_renewed_or_ends_as_its_manager_says(books: Books) {
    let house = house(books).await;
    let renew = async |who: &str, of: &str, to: &str| {
        let at = format!("{}/updateAutoRenew?api-version=2019-10-01-preview", first(of));
        let told = post(&house, who, &at, &json!({ "autoRenew": to })).await;
        let body = body(&told);
        let text = body["properties"]["endDate"].as_str().or(body["error"]["code"].as_str());
        format!("{} {}", told.status, text.unwrap_or_default())
    };
    let ends = "200 2027-01-01T00:00:00Z";
    let before = version(&house.reckoner).await;
    assert_eq!(renew("ada", "freight product rope", "true").await, ends);
    assert_eq!(renew("ada", "freight product rope", "true").await, ends);
    assert_eq!(version(&house.reckoner).await, before + 1, "it holds already");
    assert_eq!(renew("sam", "freight product rope", "false").await, ends);
    assert_eq!(version(&house.reckoner).await, before + 2);
    assert_eq!(renew("ada", "freight product rope", "yes").await, "400 BadRequest");
    assert_eq!(renew("cy", "freight product rope", "true").await, "403 AuthorizationFailed");
    assert_eq!(renew("ada", "cargo product rope", "true").await, "404 NotFound");
    assert_eq!(renew("ada", "freight product buoy", "true").await, "409 Conflict");
    assert_eq!(renew("ada", "freight product chain", "true").await, "409 Conflict");
}
