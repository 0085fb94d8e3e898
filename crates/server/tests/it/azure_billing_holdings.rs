//! What billing accounts hold, as Azure Billing shows it: subscriptions cost what their charges
//! come to, whoever may not read charges is told none, and what moved is listed where it stands
//! now, and its payers have their own invoices.

use crate::azure_billing_calls::{FIRST, SECOND};
use crate::books::{Books, on_each_store};
use crate::closing::{House, account, moment};
use crate::in_process;
use crate::program::Server;
use calendar::{BillingPeriod, Day, Instant};
use domain::access::Caller;
use domain::ids::{PrincipalId, SubscriptionId};
use money::Cost;
use serde_json::{Value, json};
use service::{ChargeFilter, ChargeQuery, GroupBy, SubscriptionTold};
use std::collections::BTreeMap;
use std::ops::Range;

const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";

async fn asked(server: &Server, who: &str, address: &str) -> Value {
    let token = server.told(&format!("clients.{who}.token"));
    let answer = server.get(address, Some(&token)).send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    assert_eq!(status, 200, "{who} {address}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn items(list: &Value) -> &[Value] {
    list["value"].as_array().expect("a list")
}

/// An account's charges of some days: costs above zero with their currencies, by subscription.
async fn charges(
    server: &Server,
    account: &str,
    days: Range<Day>,
) -> BTreeMap<String, Vec<String>> {
    let url = format!("{}/charges/query", server.told("admin.url"));
    let query = json!({
        "billing_account": account,
        "from": days.start.to_string(),
        "until": days.end.to_string(),
        "group_by": ["subscription"],
    });
    let token = server.told("clients.operator.token");
    let answer = server.client.post(url).bearer_auth(token).json(&query).send().await;
    let answer = answer.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    assert_eq!(status, 200, "{text}");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in told["rows"].as_array().expect("rows") {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let (cost, currency) = (text(&row["cost"]), text(&row["currency"]));
        if cost != "0" {
            let own = found.entry(text(&row["keys"][0])).or_default();
            own.push(format!("{cost} {currency}"));
        }
    }
    found
}

/// The one amount of the charges of a subscription; empty where there is none.
fn one_amount(charges: Option<&Vec<String>>) -> String {
    match charges.map_or(&[][..], Vec::as_slice) {
        [] => "0 USD".to_owned(),
        [one] => one.clone(),
        _ => String::new(),
    }
}

/// `12.5 USD`; empty where an item has no such amount.
fn shown(item: &Value, member: &str) -> String {
    let amount = &item["properties"][member];
    match amount["currency"].as_str() {
        Some(currency) => format!("{} {currency}", amount["value"]),
        None => String::new(),
    }
}

on_each_store!(the_demos_holdings_cost_what_they_were_charged_and_stand_where_they_stand_now);
async fn the_demos_holdings_cost_what_they_were_charged_and_stand_where_they_stand_now(
    books: Books,
) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &[]);
    subscriptions_cost_what_their_charges_come_to(&server).await;
    what_changed_its_section_is_listed_in_the_new_one_only(&server).await;
    states_are_counted_whatever_state_is_chosen(&server).await;
    who_may_not_read_charges_is_told_none(&server).await;
    server.stop();
}

async fn subscriptions_cost_what_their_charges_come_to(server: &Server) {
    let now = Instant::parse(&server.told("now")).expect("a time");
    let open = BillingPeriod::of(now);
    let mut charged = 0;
    for kind in ["mca", "mpa"] {
        let of = server.told(&format!("accounts.{kind}.billing_account"));
        let until = now.day().next();
        let this_month = charges(server, &of, open.start().day()..until).await;
        let before = open.previous().start().day()..open.start().day();
        let last_month = charges(server, &of, before).await;
        let below = if kind == "mpa" {
            format!("/customers/{}", server.told("accounts.mpa.customer"))
        } else {
            String::new()
        };
        for version in [FIRST, SECOND] {
            let list = format!("{ACCOUNTS}/{of}{below}/billingSubscriptions");
            let list = asked(server, "owner", &format!("{list}?api-version={version}")).await;
            assert!(!items(&list).is_empty(), "{version} {kind}");
            for item in items(&list) {
                let id = item["name"].as_str().expect("a name");
                let (now, then) = (one_amount(this_month.get(id)), one_amount(last_month.get(id)));
                assert_eq!(shown(item, "monthToDateCharges"), now, "{version} {id}");
                assert_eq!(shown(item, "lastMonthCharges"), then, "{version} {id}");
                charged += usize::from(!["", "0 USD"].contains(&then.as_str()));
            }
        }
    }
    assert!(charged > 5, "only {charged} subscriptions cost anything");
}

/// The sandbox moved from the shop's section to the one of the data, and changed its offer.
async fn what_changed_its_section_is_listed_in_the_new_one_only(server: &Server) {
    let told = |member: &str| server.told(&format!("accounts.mca.{member}"));
    let profile = format!(
        "{ACCOUNTS}/{}/billingProfiles/{}",
        told("billing_account"),
        told("billing_profile")
    );
    for version in [FIRST, SECOND] {
        let mut names = BTreeMap::new();
        for section in ["invoice_section", "other_invoice_section"] {
            let section = told(section);
            let list = format!("{profile}/invoiceSections/{section}/billingSubscriptions");
            let list = asked(server, "owner", &format!("{list}?api-version={version}")).await;
            for item in items(&list) {
                let name = item["properties"]["displayName"].as_str().expect("a name");
                let before = names.insert(name.to_owned(), section.clone());
                assert_eq!(before, None, "{name} is listed twice");
                let id = item["properties"]["invoiceSectionId"].as_str().expect("an id");
                assert!(id.ends_with(&section), "{name}: {id}");
            }
        }
        assert_eq!(names.get("Sandbox"), Some(&told("invoice_section")), "{names:?}");
        assert_eq!(names.get("Web shop"), Some(&told("other_invoice_section")), "{names:?}");
    }
}

async fn states_are_counted_whatever_state_is_chosen(server: &Server) {
    let of = server.told("accounts.mca.billing_account");
    let list = format!("{ACCOUNTS}/{of}/reservations?api-version={SECOND}");
    for (state, expected) in [("Succeeded", 1), ("Expired", 0)] {
        let told = asked(server, "owner", &format!("{list}&selectedState={state}")).await;
        assert_eq!(items(&told).len(), expected, "{told}");
        assert_eq!(told["summary"]["succeededCount"], 1, "{told}");
    }
}

/// A reader of one subscription sees what it cost as long as the billing profile's policy says so.
async fn who_may_not_read_charges_is_told_none(server: &Server) {
    let told = |member: &str| server.told(&format!("accounts.mca.{member}"));
    let (of, own) = (told("billing_account"), server.told("subscriptions.own"));
    let list = format!("{ACCOUNTS}/{of}/billingSubscriptions?api-version={SECOND}");
    let one = format!("{ACCOUNTS}/{of}/billingSubscriptions/{own}?api-version={SECOND}");
    let read = asked(server, "owner", &one).await;
    assert_eq!(asked(server, "reader", &one).await, read);
    let policy = format!(
        "{ACCOUNTS}/{of}/billingProfiles/{}/policies/default?api-version={SECOND}",
        told("billing_profile")
    );
    let url = format!("{}{policy}", server.told("base_url"));
    let request = server.client.put(url).bearer_auth(server.told("clients.owner.token"));
    let hidden = json!({ "properties": { "viewCharges": "NotAllowed" } });
    let answer = request.json(&hidden).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let all = asked(server, "reader", &list).await;
    let names: Vec<&str> =
        items(&all).iter().map(|item| item["name"].as_str().expect("a name")).collect();
    assert_eq!((names, &all["totalCount"]), (vec![own.as_str()], &json!(1)));
    let unread = asked(server, "reader", &one).await;
    for member in ["monthToDateCharges", "lastMonthCharges"] {
        assert_ne!(shown(&read, member), "", "{read}");
        assert_eq!(shown(&unread, member), "", "{unread}");
        assert_eq!(shown(&items(&all)[0], member), "", "{all}");
    }
    let token = server.told("clients.nobody.token");
    let answer = server.get(&list, Some(&token)).send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
}

/// A subscription that changes its payer, with a reader of each account.
const MOVED: &str = r#"
[[subscription]]
id = "ferry"
name = "Ferry"
placements = [
    { until = 2026-05-11T00:00:00Z, billing_account = "acme", offer = "metered" },
    { from = 2026-05-11T00:00:00Z, billing_account = "globex", offer = "metered" },
]

[[role_assignment]]
principal = "ann"
role = "Auditor"
scope = { billing_account = "acme" }

[[role_assignment]]
principal = "ben"
role = "Auditor"
scope = { billing_account = "globex" }
"#;

/// What an account holds as its auditor sees it.
async fn held(house: &House, who: &str, of: &str) -> Vec<SubscriptionTold> {
    let (who, of) = (Caller::Principal(PrincipalId::new(who).expect("an id")), account(of));
    let all = house.reckoner.subscriptions_at(&who, &of, None).await.expect("a list");
    house.reckoner.charged(&who, &of, all).await.expect("charges")
}

fn ids(all: &[SubscriptionTold]) -> String {
    all.iter().map(|told| told.id.as_str()).collect::<Vec<_>>().join(" ")
}

/// What the ferry cost an account in some days, as the charges query tells it.
async fn queried(house: &House, of: &str, (from, until): (&str, &str)) -> Option<Cost> {
    let query = ChargeQuery {
        billing_account: Some(account(of)),
        days: moment(from).day()..moment(until).day(),
        group_by: Vec::new(),
        filters: vec![ChargeFilter { on: GroupBy::Subscription, values: vec!["ferry".to_owned()] }],
        top: None,
    };
    let table = house.reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    table.rows.first().map(|row| row.cost)
}

on_each_store!(what_moved_to_another_payer_is_told_there_only_at_what_that_one_paid);
async fn what_moved_to_another_payer_is_told_there_only_at_what_that_one_paid(books: Books) {
    let house = House::new(books).await;
    in_process::declare(&house.reckoner, MOVED).await;
    let records = [
        "1 acme ferry hours 6 2026-05-02",
        "2 globex ferry hours 8 2026-05-20",
        "3 globex ferry hours 4 2026-06-02",
    ];
    house.send(&records).await;
    assert_eq!(ids(&held(&house, "ann", "acme").await), "shop");
    let all = held(&house, "ben", "globex").await;
    assert_eq!(ids(&all), "ferry store");
    let ferry = all[0].charges.expect("charges");
    let (may, june) = (("2026-05-01", "2026-06-01"), ("2026-06-01", "2026-06-06"));
    assert_eq!(ferry.last_month, queried(&house, "globex", may).await);
    assert_eq!(ferry.month_to_date, queried(&house, "globex", june).await);
    // Both paid for May, each its own part.
    let both = [queried(&house, "acme", may).await, ferry.last_month];
    assert!(both.iter().all(|part| part.is_some_and(|cost| !cost.major.is_zero())), "{both:?}");
    // Nobody sees what the other one has, nor is told that it is there.
    assert_eq!(ids(&held(&house, "ann", "globex").await), "");
    let ann = Caller::Principal(PrincipalId::new("ann").expect("an id"));
    for (of, id) in [("acme", "ferry"), ("globex", "ferry"), ("acme", "nowhere")] {
        let told = house.reckoner.subscription_at(&ann, &account(of), None, id).await;
        let expected = format!("subscription `{id}` does not exist");
        assert_eq!(told.expect_err("nothing").to_string(), expected, "{of}");
    }
    let own = house.reckoner.subscription_at(&ann, &account("acme"), None, "SHOP").await;
    assert_eq!(own.expect("its own").id.as_str(), "shop");
}

on_each_store!(each_payer_of_a_subscription_is_told_of_its_own_invoices);
async fn each_payer_of_a_subscription_is_told_of_its_own_invoices(books: Books) {
    let house = House::new(books).await;
    let both = ["acme", "globex"].map(|of| {
        format!(
            "[[role_assignment]]\nprincipal = \"cy\"\nrole = \"Auditor\"\n\
             scope = {{ billing_account = \"{of}\" }}\n\n"
        )
    });
    in_process::declare(&house.reckoner, &[MOVED, &both.concat()].concat()).await;
    let ferry = SubscriptionId::new("ferry").expect("an id");
    for (who, expected) in [
        ("ann", "acme"),
        ("ben", "globex"),
        ("cy", "globex"),
        ("eve", "subscription `ferry` does not exist"),
    ] {
        let caller = Caller::Principal(PrincipalId::new(who).expect("an id"));
        let told = match house.reckoner.payer_of(&caller, &ferry).await {
            Ok(payer) => payer.id.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(told, expected, "{who}");
    }
}
