//! Transfers over HTTP: what each caller is answered in each state, that who receives one learns
//! nothing of who would pay, and that exactly what was chosen changes its payer, from an instant on
//! and once.

use crate::books::{Books, Schema, on_each_store};
use crate::histories::{self, within};
use crate::in_process::{self, declare};
use crate::long_running::{surface_for, version};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use calendar::{Instant, Interval, SetClock, SystemClock};
use domain::Error;
use domain::access::Caller;
use domain::ids::{BillingAccountId, PlaceId, PrincipalId, RecordId, SubscriptionId};
use domain::places::{Level, Place, PlaceKey};
use domain::transfers::{ProductKind, ProductTransferState, TransferState};
use domain::usage::{RecordKey, UsageRecord};
use futures::FutureExt;
use http_body_util::BodyExt;
use httpkit::{Authenticate, Shown};
use money::Fixed18;
use serde_json::{Value, json};
use service::{AuditFilter, ChargeQuery, GroupBy, Incoming, Reckoner, TransferAsked};
use std::collections::BTreeMap;
use tempfile::TempDir;
use tower::ServiceExt;

/// Ids and names of the payer have a word that is found wherever it is told.
const COMPANY: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[offer]]
id = "metered"
name = "Metered"
has_rate_card = true

[[meter]]
id = "hours"
name = "Hours"
category = "Machines"
unit = "Hours"

[[price_list]]
id = "card"
offer = "metered"
region = "US"
locales = ["en-US"]
currency = "USD"
prices = [{ meter = "hours", model = { per_unit = "2" } }]

[[source]]
name = "gate"
billing_accounts = ["payer-account", "giver-account"]
"#;

/// An account, its billing profile and section, and who owns it.
const ACCOUNTS: [[&str; 5]; 3] = [
    ["payer-account", "payer-profile", "payer-section", "Payer Harbour", "ada"],
    ["giver-account", "giver-profile", "giver-section", "Giver", "dee"],
    ["other-account", "other-profile", "other-section", "Other", "fay"],
];
/// A section of the payer's that is closed when something is on its way to it.
const PIER: &str = "payer-pier";
/// What nobody but the payer, and who sees its account, may learn.
const SECRETS: [&str; 2] = ["payer-", "Payer Harbour"];

/// Who asks: the initiator's owner and reader, the recipient, somebody without a role, the owner
/// of another account, nobody who is known.
const CALLERS: [&str; 6] = ["ada", "cy", "dee", "zoe", "fay", ""];

/// In each state, what each caller is answered: a refusal, or the state that is told then. In a
/// list `-` stands for one that does not have it.
const ANSWERS: &str = "
Pending             Get      | Pending             | 403 | 404 | 404 | 404 | 401
Pending             List     | Pending             | 403 | 404 | 404 | 404 | 401
Pending             Cancel   | Canceled            | 403 | 404 | 404 | 404 | 401
Pending             Received | 404 | 404 | Pending             | 404 | 404 | 401
Pending             Inbox    | -   | -   | Pending             | -   | -   | 401
Pending             Validate | 404 | 404 | Pending             | 404 | 404 | 401
Pending             Accept   | 404 | 404 | InProgress          | 404 | 404 | 401
Pending             Decline  | 404 | 404 | Declined            | 404 | 404 | 401
InProgress          Get      | InProgress          | 403 | 404 | 404 | 404 | 401
InProgress          List     | InProgress          | 403 | 404 | 404 | 404 | 401
InProgress          Cancel   | 409                 | 403 | 404 | 404 | 404 | 401
InProgress          Received | 404 | 404 | InProgress          | 404 | 404 | 401
InProgress          Inbox    | -   | -   | InProgress          | -   | -   | 401
InProgress          Validate | 404 | 404 | 409                 | 404 | 404 | 401
InProgress          Accept   | 404 | 404 | 409                 | 404 | 404 | 401
InProgress          Decline  | 404 | 404 | 409                 | 404 | 404 | 401
Completed           Get      | Completed           | 403 | 404 | 404 | 404 | 401
Completed           List     | Completed           | 403 | 404 | 404 | 404 | 401
Completed           Cancel   | 409                 | 403 | 404 | 404 | 404 | 401
Completed           Received | 404 | 404 | Completed           | 404 | 404 | 401
Completed           Inbox    | -   | -   | Completed           | -   | -   | 401
Completed           Validate | 404 | 404 | 409                 | 404 | 404 | 401
Completed           Accept   | 404 | 404 | 409                 | 404 | 404 | 401
Completed           Decline  | 404 | 404 | 409                 | 404 | 404 | 401
CompletedWithErrors Get      | CompletedWithErrors | 403 | 404 | 404 | 404 | 401
CompletedWithErrors List     | CompletedWithErrors | 403 | 404 | 404 | 404 | 401
CompletedWithErrors Cancel   | 409                 | 403 | 404 | 404 | 404 | 401
CompletedWithErrors Received | 404 | 404 | CompletedWithErrors | 404 | 404 | 401
CompletedWithErrors Inbox    | -   | -   | CompletedWithErrors | -   | -   | 401
CompletedWithErrors Validate | 404 | 404 | 409                 | 404 | 404 | 401
CompletedWithErrors Accept   | 404 | 404 | 409                 | 404 | 404 | 401
CompletedWithErrors Decline  | 404 | 404 | 409                 | 404 | 404 | 401
Failed              Get      | Failed              | 403 | 404 | 404 | 404 | 401
Failed              List     | Failed              | 403 | 404 | 404 | 404 | 401
Failed              Cancel   | 409                 | 403 | 404 | 404 | 404 | 401
Failed              Received | 404 | 404 | Failed              | 404 | 404 | 401
Failed              Inbox    | -   | -   | Failed              | -   | -   | 401
Failed              Validate | 404 | 404 | 409                 | 404 | 404 | 401
Failed              Accept   | 404 | 404 | 409                 | 404 | 404 | 401
Failed              Decline  | 404 | 404 | 409                 | 404 | 404 | 401
Canceled            Get      | Canceled            | 403 | 404 | 404 | 404 | 401
Canceled            List     | Canceled            | 403 | 404 | 404 | 404 | 401
Canceled            Cancel   | 409                 | 403 | 404 | 404 | 404 | 401
Canceled            Received | 404 | 404 | Canceled            | 404 | 404 | 401
Canceled            Inbox    | -   | -   | Canceled            | -   | -   | 401
Canceled            Validate | 404 | 404 | 409                 | 404 | 404 | 401
Canceled            Accept   | 404 | 404 | 409                 | 404 | 404 | 401
Canceled            Decline  | 404 | 404 | 409                 | 404 | 404 | 401
Declined            Get      | Declined            | 403 | 404 | 404 | 404 | 401
Declined            List     | Declined            | 403 | 404 | 404 | 404 | 401
Declined            Cancel   | 409                 | 403 | 404 | 404 | 404 | 401
Declined            Received | 404 | 404 | Declined            | 404 | 404 | 401
Declined            Inbox    | -   | -   | Declined            | -   | -   | 401
Declined            Validate | 404 | 404 | 409                 | 404 | 404 | 401
Declined            Accept   | 404 | 404 | 409                 | 404 | 404 | 401
Declined            Decline  | 404 | 404 | 409                 | 404 | 404 | 401
Expired             Get      | Canceled            | 403 | 404 | 404 | 404 | 401
Expired             List     | Canceled            | 403 | 404 | 404 | 404 | 401
Expired             Cancel   | 409                 | 403 | 404 | 404 | 404 | 401
Expired             Received | 404 | 404 | Canceled            | 404 | 404 | 401
Expired             Inbox    | -   | -   | Canceled            | -   | -   | 401
Expired             Validate | 404 | 404 | 409                 | 404 | 404 | 401
Expired             Accept   | 404 | 404 | 409                 | 404 | 404 | 401
Expired             Decline  | 404 | 404 | 409                 | 404 | 404 | 401
";

/// The code that a refusal has.
const CODES: [(&str, &str); 4] = [
    ("401", "AuthenticationFailed"),
    ("403", "AuthorizationFailed"),
    ("404", "NotFound"),
    ("409", "Conflict"),
];

/// How long nobody answers before a transfer has expired.
const PAST_ITS_TIME_S: i64 = 31 * 86_400;

fn company() -> String {
    let mut text = COMPANY.to_owned();
    for [account, profile, section, name, owner] in ACCOUNTS {
        let below = format!("billing_account = \"{account}\"\nfrom = 2026-01-01T00:00:00Z\n");
        text += &format!(
            "[[billing_account]]\nid = \"{account}\"\nname = \"{name}\"\ncurrency = \"USD\"\n\
             region = \"US\"\n\n\
             [[agreement]]\n{below}type = \"customer agreement\"\n\n\
             [[billing_profile]]\n{below}id = \"{profile}\"\nname = \"{name} profile\"\n\
             currency = \"USD\"\n\n"
        );
        text += &self::section(account, section, profile, "2026-01-01T00:00:00Z", "active");
        text += &role(owner, "Billing Account Owner", account);
    }
    let [payer, profile, ..] = ACCOUNTS[0];
    text += &self::section(payer, PIER, profile, "2026-01-01T00:00:00Z", "active");
    text += &role("cy", "Billing Account Reader", payer);
    for name in ["ada", "cy", "dee", "zoe", "fay"] {
        text += &format!(
            "[[client]]\nid = \"{name}\"\nname = \"{name}\"\nemail = \"{name}@mail.test\"\n\n"
        );
    }
    text
}

fn section(account: &str, id: &str, profile: &str, from: &str, state: &str) -> String {
    format!(
        "[[invoice_section]]\nbilling_account = \"{account}\"\nid = \"{id}\"\nfrom = {from}\n\
         name = \"Payer Harbour {id}\"\nbilling_profile = \"{profile}\"\nstate = \"{state}\"\n\n"
    )
}

fn role(who: &str, role: &str, account: &str) -> String {
    format!(
        "[[role_assignment]]\nprincipal = \"{who}\"\nrole = \"{role}\"\n\
         scope = {{ billing_account = \"{account}\" }}\n\n"
    )
}

/// A subscription that the giver pays for.
fn held(id: &str) -> String {
    let [account, profile, section, ..] = ACCOUNTS[1];
    format!(
        "[[subscription]]\nid = \"{id}\"\nname = \"{id}\"\nplacements = [{{ billing_account = \
         \"{account}\", profile = \"{profile}\", offer = \"metered\" }}]\n\n\
         [[subscription.standings]]\nfrom = 2026-01-01T00:00:00Z\n\n\
         [subscription.standings.place]\nbilling_account = \"{account}\"\n\
         level = \"invoice section\"\nid = \"{section}\"\n\n"
    )
}

fn principal(name: &str) -> Caller {
    Caller::Principal(PrincipalId::new(name).expect("an id"))
}

fn account(id: &str) -> BillingAccountId {
    BillingAccountId::new(id).expect("an id")
}

fn moment(text: &str) -> Instant {
    Instant::parse(text).expect("a moment")
}

/// Whoever names itself is that; nobody else is known.
async fn named(shown: Shown) -> domain::Result<Caller> {
    let name = shown.header.as_deref().and_then(|header| header.strip_prefix("Bearer "));
    let unknown = || Error::Unauthenticated { problem: "no name".to_owned() };
    name.map(principal).ok_or_else(unknown)
}

/// What came back.
struct Told {
    status: u16,
    /// Names and values.
    headers: String,
    text: String,
    body: Value,
    address: String,
}

/// An installation with nothing going on behind its answers.
struct House {
    clock: SetClock,
    reckoner: Reckoner,
    router: Router,
    _directory: TempDir,
    _schema: Option<Schema>,
}

/// A transfer that was asked for.
#[derive(Clone)]
struct Made {
    section: &'static str,
    name: String,
    /// What stands for its name in lists.
    time: String,
}

impl House {
    async fn new(books: Books, subscriptions: &[&str]) -> House {
        let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
        let clock = SetClock::at(moment("2026-05-01"));
        let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
        let held: String = subscriptions.iter().map(|id| held(id)).collect();
        declare(&reckoner, &(company() + &held)).await;
        let router = surface_for(&reckoner, Authenticate::new(|shown| named(shown).boxed()));
        House { clock, reckoner, router, _directory: directory, _schema: schema }
    }

    fn pass(&self, seconds: i64) {
        self.clock.set(SystemClock::now(&self.clock).plus_seconds(seconds));
    }

    async fn ask(&self, who: &str, (verb, path): (Method, &str), body: Option<Value>) -> Told {
        let mut request = Request::builder().method(verb).uri(path).header("host", "bill.test");
        if !who.is_empty() {
            request = request.header("authorization", format!("Bearer {who}"));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).expect("a request");
        let answer = self.router.clone().oneshot(request).await.expect("it always answers");
        let status = answer.status().as_u16();
        let address = answer.headers().get("content-location");
        let address = address.map(|value| value.to_str().expect("text").to_owned());
        let headers = format!("{:?}", answer.headers());
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Told { status, headers, text, body, address: address.unwrap_or_default() }
    }

    /// Asks for what the giver holds, a second after whatever was before.
    async fn made(&self, section: &'static str) -> Made {
        self.pass(1);
        let path = format!("{}/initiateTransfer", at(section));
        let body = json!({ "properties": { "recipientEmailId": "Dee@mail.test" } });
        let told = self.ask("ada", (Method::POST, &path), Some(body)).await;
        assert_eq!(told.status, 200, "{}", told.text);
        let (_, name) = told.address.rsplit_once('/').expect("an address");
        let time = told.body["properties"]["creationTime"].as_str().expect("a time");
        Made { section, name: name.to_owned(), time: time.to_owned() }
    }

    async fn accepted(&self, made: &Made, products: &[&str]) -> Told {
        self.ask("dee", (Method::POST, &received(made, "/acceptTransfer")), chosen(products)).await
    }

    async fn carry_out(&self) {
        self.reckoner.carry_out_transfers().await.expect("carried out");
    }

    /// A transfer in each state that stays, in the order in which none disturbs another.
    async fn in_each_state(&self) -> BTreeMap<&'static str, Made> {
        let section = ACCOUNTS[0][2];
        let mut all = BTreeMap::from([("Expired", self.made(section).await)]);
        self.pass(PAST_ITS_TIME_S);
        let canceled = self.made(section).await;
        let told = self.ask("ada", (Method::DELETE, &own(&canceled)), None).await;
        assert_eq!(told.status, 200, "{}", told.text);
        let declined = self.made(section).await;
        let path = received(&declined, "/declineTransfer");
        assert_eq!(self.ask("dee", (Method::POST, &path), None).await.status, 200);
        let rows = [
            ("Completed", section, &["ferry"][..]),
            ("CompletedWithErrors", section, &["tug", "nothing-here"][..]),
            ("Failed", PIER, &["barge"][..]),
        ];
        for (state, section, products) in rows {
            let made = self.made(section).await;
            let told = self.accepted(&made, products).await;
            assert_eq!(told.status, 200, "{state}: {}", told.text);
            all.insert(state, made);
        }
        self.pass(1);
        let now = SystemClock::now(&self.clock).to_string();
        let [payer, profile, ..] = ACCOUNTS[0];
        declare(&self.reckoner, &self::section(payer, PIER, profile, &now, "inactive")).await;
        self.carry_out().await;
        let moving = self.made(section).await;
        assert_eq!(self.accepted(&moving, &["raft"]).await.status, 200);
        all.extend([("Canceled", canceled), ("Declined", declined), ("InProgress", moving)]);
        all
    }

    /// What a caller is answered: a refusal, or what is told of the transfer then.
    async fn answer(&self, who: &str, operation: &str, made: &Made) -> String {
        let list = |section: &str| format!("{}/transfers", at(section));
        let (verb, path, body) = match operation {
            "Get" => (Method::GET, own(made), None),
            "List" => (Method::GET, list(made.section), None),
            "Cancel" => (Method::DELETE, own(made), None),
            "Received" => (Method::GET, received(made, ""), None),
            "Inbox" => (Method::GET, format!("{PROVIDER}/transfers"), None),
            "Validate" => (Method::POST, received(made, "/validateTransfer"), chosen(&["skiff"])),
            "Accept" => (Method::POST, received(made, "/acceptTransfer"), chosen(&["skiff"])),
            "Decline" => (Method::POST, received(made, "/declineTransfer"), None),
            other => panic!("{other}"),
        };
        let told = self.ask(who, (verb, &path), body).await;
        if told.status != 200 {
            let status = told.status.to_string();
            let code = CODES.iter().find(|(of, _)| *of == status).map(|(_, code)| *code);
            assert_eq!(told.body["error"]["code"].as_str(), code, "{operation}: {}", told.text);
            return status;
        }
        let status =
            |item: &Value| item["properties"]["transferStatus"].as_str().map(str::to_owned);
        match operation {
            "List" | "Inbox" => {
                let mut items = told.body["value"].as_array().expect("a list").iter();
                let found = items.find(|item| item["properties"]["creationTime"] == made.time);
                found.and_then(status).unwrap_or_else(|| "-".to_owned())
            }
            // It tells of products, and changes nothing.
            "Validate" => {
                let told = self.ask(who, (Method::GET, &received(made, "")), None).await;
                status(&told.body).expect("a state")
            }
            _ => status(&told.body).expect("a state"),
        }
    }
}

const PROVIDER: &str = "/providers/Microsoft.Billing";

fn at(section: &str) -> String {
    let [account, profile, ..] = ACCOUNTS[0];
    format!(
        "{PROVIDER}/billingAccounts/{account}/billingProfiles/{profile}/invoiceSections/{section}"
    )
}

fn own(made: &Made) -> String {
    format!("{}/transfers/{}", at(made.section), made.name)
}

fn received(made: &Made, tail: &str) -> String {
    format!("{PROVIDER}/transfers/{}{tail}", made.name)
}

fn chosen(subscriptions: &[&str]) -> Option<Value> {
    let product = |id: &&str| json!({ "productType": "AzureSubscription", "productId": id });
    let products: Vec<Value> = subscriptions.iter().map(product).collect();
    Some(json!({ "properties": { "productDetails": products } }))
}

const HELD: [&str; 5] = ["ferry", "tug", "barge", "raft", "skiff"];

on_each_store!(each_caller_is_answered_in_each_state_as_the_table_says);
async fn each_caller_is_answered_in_each_state_as_the_table_says(books: Books) {
    let house = House::new(books, &HELD).await;
    let states = house.in_each_state().await;
    let (mut wrong, mut rows) = (Vec::new(), 0);
    for line in ANSWERS.lines().filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (state, operation) = cells[0].split_once(' ').expect("a state and an operation");
        let operation = operation.trim();
        assert_eq!(cells.len(), CALLERS.len() + 1, "{line}");
        for (who, expected) in CALLERS.iter().zip(&cells[1..]) {
            let made = match states.get(state) {
                Some(made) => made.clone(),
                // Each answer may change it.
                None => house.made(ACCOUNTS[0][2]).await,
            };
            let told = house.answer(who, operation, &made).await;
            if told != *expected {
                wrong.push(format!("{state} {operation} by `{who}`: {told}, not {expected}"));
            }
        }
        rows += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rows, TransferState::ALL.len() * 8, "each state with each operation");
    house.reckoner.close().await.expect("closed");
}

on_each_store!(who_receives_a_transfer_learns_nothing_of_who_would_pay);
async fn who_receives_a_transfer_learns_nothing_of_who_would_pay(books: Books) {
    let house = House::new(books, &HELD).await;
    let mut states = house.in_each_state().await;
    states.insert("Pending", house.made(ACCOUNTS[0][2]).await);
    let check = |what: &str, told: &Told| {
        for secret in SECRETS {
            let is_told = told.text.contains(secret) || told.headers.contains(secret);
            assert!(!is_told, "{what} tells `{secret}`: {} {}", told.headers, told.text);
        }
    };
    check("the list", &house.ask("dee", (Method::GET, &received_list()), None).await);
    for (state, made) in &states {
        let answer = house.ask("dee", (Method::GET, &received(made, "")), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.address, received(made, ""));
        check(state, &answer);
        // The time stands for the name.
        let by_time = Made { name: made.time.clone(), ..made.clone() };
        let again = house.ask("dee", (Method::GET, &received(&by_time, "")), None).await;
        assert_eq!((again.address, again.text), (answer.address, answer.text));
        for tail in ["/validateTransfer", "/acceptTransfer", "/declineTransfer"] {
            let body = if tail == "/declineTransfer" { None } else { chosen(&["x", "barge"]) };
            let path = received(made, tail);
            check(state, &house.ask("dee", (Method::POST, &path), body).await);
        }
    }
    // Nor is it told which places there are.
    let told = house.ask("dee", (Method::GET, &own(&states["Pending"])), None).await;
    let other = own(&states["Pending"]).replace("payer-account", "nobody");
    let missing = house.ask("dee", (Method::GET, &other), None).await;
    assert_eq!((told.status, missing.status), (404, 404));
    assert_eq!(told.text.replace("payer-account", "nobody"), missing.text);
    house.reckoner.close().await.expect("closed");
}

fn received_list() -> String {
    format!("{PROVIDER}/transfers")
}

on_each_store!(each_product_tells_what_came_of_it);
async fn each_product_tells_what_came_of_it(books: Books) {
    let house = House::new(books, &HELD).await;
    let states = house.in_each_state().await;
    let check = async |state: &str, expected: &[&str]| {
        let own = house.ask("ada", (Method::GET, &own(&states[state])), None).await;
        let received = house.ask("dee", (Method::GET, &received(&states[state], "")), None).await;
        for told in [own, received] {
            let detailed = &told.body["properties"]["detailedTransferStatus"];
            let row = |one: &Value| {
                let code = one["errorDetails"]["errorCode"].as_str().unwrap_or_default();
                let told = |member: &str| one[member].as_str().expect("text").to_owned();
                let row = format!("{} {} {code}", told("productId"), told("transferStatus"));
                row.trim_end().to_owned()
            };
            let rows = detailed.as_array().into_iter().flatten().map(row);
            assert_eq!(rows.collect::<Vec<_>>(), expected, "{state}");
        }
    };
    check("Completed", &["ferry Completed"]).await;
    check("CompletedWithErrors", &["tug Completed", "nothing-here Failed SubscriptionNotFound"])
        .await;
    check("Failed", &["barge Failed DestinationNotActive"]).await;
    check("InProgress", &["raft InProgress"]).await;
    for state in ["Canceled", "Declined", "Expired"] {
        check(state, &[]).await;
    }
    // Nothing of it can move: nothing is accepted.
    let made = house.made(ACCOUNTS[0][2]).await;
    let told = house.accepted(&made, &["nothing-here", "ferry"]).await;
    assert_eq!((told.status, told.body["error"]["code"].as_str()), (409, Some("Conflict")));
    assert_eq!(house.answer("dee", "Received", &made).await, "Pending");
    house.reckoner.close().await.expect("closed");
}

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
    let moved = self::section(account, section, "payer-second", &now, "active");
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

/// Hours of a subscription, used in an hour of May and reported for an account.
fn used(id: &str, (payer, subscription): (&str, &str), quantity: &str, start: &str) -> Incoming {
    let record = in_process::record(id, quantity);
    let start = moment(start);
    let during = Interval::new(start, start.plus_seconds(3_600)).expect("an hour");
    Incoming::Record(Box::new(UsageRecord {
        key: RecordKey {
            billing_account: account(payer),
            id: RecordId::new(id).expect("an id"),
            ..record.key.clone()
        },
        subscription: SubscriptionId::new(subscription).expect("an id"),
        service_period: during,
        ..record
    }))
}

/// What accounts are charged for each of their subscriptions: `account subscription cost`.
async fn charges(reckoner: &Reckoner) -> Vec<String> {
    let query = ChargeQuery {
        billing_account: None,
        days: moment("2026-05-01").day()..moment("2026-07-01").day(),
        group_by: vec![GroupBy::BillingAccount, GroupBy::Subscription],
        filters: Vec::new(),
        top: None,
    };
    let table = reckoner.charges(&Caller::Machine, &query).await.expect("charges");
    let row = |row: &service::ChargeRow| {
        let keys = row.keys.iter().map(|key| key.as_deref().unwrap_or("-"));
        format!("{} {}", keys.collect::<Vec<_>>().join(" "), row.cost.major)
    };
    table.rows.iter().map(row).collect()
}

fn total(charges: &[String]) -> Fixed18 {
    let cost = |row: &String| Fixed18::parse(row.rsplit(' ').next().expect("a cost"));
    let costs = charges.iter().map(|row| cost(row).expect("a number"));
    Fixed18::checked_sum(costs.collect::<Vec<_>>()).expect("a sum")
}

on_each_store!(what_was_chosen_changes_its_payer_from_an_instant_on_and_nothing_is_lost);
async fn what_was_chosen_changes_its_payer_from_an_instant_on_and_nothing_is_lost(books: Books) {
    let house = House::new(books, &HELD).await;
    house.clock.set(moment("2026-05-20T12:00:00Z"));
    let (giver, payer) = ("giver-account", "payer-account");
    let send = async |records: Vec<Incoming>| {
        house.reckoner.take_in(&Caller::Machine, records).await.expect("taken in");
    };
    let before = "2026-05-20T08:00:00Z";
    send(vec![
        used("1", (giver, "ferry"), "3", before),
        used("2", (giver, "tug"), "5", before),
        used("3", (giver, "raft"), "7", before),
    ])
    .await;
    let own = ["giver-account ferry 6", "giver-account raft 14", "giver-account tug 10"];
    assert_eq!(charges(&house.reckoner).await, own);
    let made = house.made(ACCOUNTS[0][2]).await;
    assert_eq!(house.accepted(&made, &["ferry", "tug"]).await.status, 200);
    house.carry_out().await;
    assert_eq!(charges(&house.reckoner).await, own, "a transfer changes no charge");
    house.clock.set(moment("2026-05-21T12:00:00Z"));
    let after = "2026-05-21T08:00:00Z";
    send(vec![
        used("4", (payer, "ferry"), "11", after),
        used("5", (payer, "tug"), "13", after),
        used("6", (giver, "raft"), "17", after),
        // Late, of the time of its first payer.
        used("7", (giver, "ferry"), "19", "2026-05-20T09:00:00Z"),
    ])
    .await;
    let expected = [
        "giver-account ferry 44",
        "giver-account raft 48",
        "giver-account tug 10",
        "payer-account ferry 22",
        "payer-account tug 26",
    ];
    let told = charges(&house.reckoner).await;
    assert_eq!(told, expected);
    // 75 hours at 2.
    assert_eq!(total(&told), Fixed18::parse("150").expect("a number"));
    // What either reports for the other's time waits, and is charged to nobody.
    send(vec![
        used("8", (giver, "ferry"), "1", after),
        used("9", (payer, "ferry"), "1", before),
        used("10", (payer, "raft"), "1", after),
    ])
    .await;
    assert_eq!(charges(&house.reckoner).await, expected);
    house.reckoner.close().await.expect("closed");
}

/// What a transfer leaves that must not depend on where the program was cut off.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    facts: u64,
    state: TransferState,
    products: Vec<(String, ProductTransferState)>,
    /// How often each subscription has changed its payer by now.
    moves: Vec<usize>,
    /// What the audit log tells of carrying it out.
    outcomes: Vec<(String, String)>,
}

/// One side asks and the other gives; the next time the other way round.
struct Sides {
    asks: [&'static str; 5],
    gives: &'static str,
}

impl Sides {
    fn of(nth: u64) -> Sides {
        let (asks, gives) = if nth.is_multiple_of(2) { (1, 0) } else { (0, 1) };
        Sides { asks: ACCOUNTS[asks], gives: ACCOUNTS[gives][4] }
    }

    fn place(&self) -> Place {
        let key = PlaceKey {
            level: Level::InvoiceSection,
            id: PlaceId::new(self.asks[2]).expect("an id"),
        };
        Place { billing_account: account(self.asks[0]), key }
    }

    /// Asks, and gives two that can move around one that cannot. Answers with the name.
    async fn accepted(&self, reckoner: &Reckoner, polls: Option<u64>) -> (String, bool) {
        let [_, profile, _, _, owner] = self.asks;
        let profile = PlaceId::new(profile).expect("an id");
        let recipient_email = format!("{}@mail.test", self.gives);
        let asked = TransferAsked { recipient_email, reseller: None };
        let (caller, place) = (principal(owner), self.place());
        let made = reckoner.initiate_transfer(&caller, &place, &profile, &asked, "ask");
        let name = made.await.expect("asked for").id.to_string();
        let accepting = self.accept(reckoner, &name);
        let is_whole = match polls {
            Some(polls) => within(polls, accepting).await.is_some(),
            None => {
                accepting.await;
                true
            }
        };
        (name, is_whole)
    }

    /// Accepts, unless that was done.
    async fn accept(&self, reckoner: &Reckoner, name: &str) {
        let products = ["ferry", "nothing-here", "tug"];
        let products = products.map(|id| (ProductKind::Subscription, id.to_owned()));
        let caller = principal(self.gives);
        let told = reckoner.received_transfer(&caller, name).await.expect("it is there");
        if told.state == TransferState::Pending {
            let accepted = reckoner.accept_transfer(&caller, name, &products, "accept").await;
            accepted.expect("accepted");
        }
    }

    async fn left(&self, reckoner: &Reckoner, name: &str, seen: &Seen) -> Left {
        let caller = principal(self.asks[4]);
        let told = reckoner.transfer_of(&caller, &self.place(), name).await.expect("it is there");
        let products = told.products.into_iter().map(|one| (one.id, one.state)).collect();
        let now = Seen::now(reckoner).await;
        let moves = now.moves.iter().zip(&seen.moves).map(|(now, before)| now - before);
        let filter = AuditFilter::default();
        let entries = reckoner.audit(&Caller::Machine, filter, seen.entry, 10_000).await;
        let outcomes = entries.expect("the log").into_iter();
        Left {
            facts: now.facts - seen.facts,
            state: told.state,
            products,
            moves: moves.collect(),
            outcomes: outcomes.map(|row| (row.entry.action, row.entry.outcome)).collect(),
        }
    }
}

/// The books before a transfer.
struct Seen {
    facts: u64,
    entry: u64,
    /// How many placements each subscription has.
    moves: Vec<usize>,
}

impl Seen {
    async fn now(reckoner: &Reckoner) -> Seen {
        let company = reckoner.company(&Caller::Machine).await.expect("the company");
        let placements = |id: &str| {
            let id = SubscriptionId::new(id).expect("an id");
            company.subscriptions[&id].placements.len()
        };
        let rows = reckoner.audit(&Caller::Machine, AuditFilter::default(), 0, 100_000).await;
        Seen {
            facts: version(reckoner).await,
            entry: rows.expect("the log").last().map_or(0, |row| row.number),
            moves: ["ferry", "tug"].map(placements).into(),
        }
    }
}

/// In which step the program is cut off, behind how many polls.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Accepting(u64),
    CarryingOut(u64),
}

/// Lives through a transfer with a program that may be cut off and one after it. Answers whether
/// the first came to the end of its step after all.
fn live(place: &histories::Place, nth: u64, cut: Option<Cut>) -> (bool, Left) {
    let sides = Sides::of(nth);
    // Each transfer has moments of its own.
    place.pass(7_200);
    let (seen, name, is_whole) = place.process(async |reckoner: Reckoner| {
        let seen = Seen::now(&reckoner).await;
        let polls = match cut {
            Some(Cut::Accepting(polls)) => Some(polls),
            Some(Cut::CarryingOut(_)) | None => None,
        };
        let (name, mut is_whole) = sides.accepted(&reckoner, polls).await;
        if let Some(Cut::CarryingOut(polls)) = cut {
            is_whole = within(polls, reckoner.carry_out_transfers()).await.is_some();
        }
        (seen, name, is_whole)
    });
    let left = place.process(async |reckoner: Reckoner| {
        sides.accept(&reckoner, &name).await;
        reckoner.carry_out_transfers().await.expect("carried out");
        reckoner.carry_out_transfers().await.expect("nothing is left to do");
        sides.left(&reckoner, &name, &seen).await
    });
    (is_whole, left)
}

fn a_transfer_ends_once_wherever_the_program_is_cut_off(books: Books) {
    let place = histories::Place::new(books, 1);
    place.process(async |reckoner: Reckoner| {
        declare(&reckoner, &[company(), held("ferry"), held("tug")].concat()).await;
        reckoner.close().await.expect("closed");
    });
    let mut nth = 1;
    let (_, expected) = live(&place, nth, None);
    let ended = |id: &str, state| (id.to_owned(), state);
    assert_eq!(expected.state, TransferState::CompletedWithErrors);
    assert_eq!(
        expected.products,
        [
            ended("ferry", ProductTransferState::Completed),
            ended("nothing-here", ProductTransferState::Failed),
            ended("tug", ProductTransferState::Completed),
        ]
    );
    assert_eq!(expected.moves, [1, 1], "each changes its payer once");
    for step in [Cut::Accepting, Cut::CarryingOut] {
        for polls in 1.. {
            nth += 1;
            let (is_whole, left) = live(&place, nth, Some(step(polls)));
            assert_eq!(left, expected, "{:?}", step(polls));
            if is_whole {
                // Else the test has shown nothing.
                assert!(polls > 1, "{:?} was never cut off", step(polls));
                break;
            }
        }
    }
}

#[test]
fn a_transfer_ends_once_wherever_the_program_is_cut_off_on_sqlite() {
    a_transfer_ends_once_wherever_the_program_is_cut_off(Books::Sqlite);
}

#[test]
fn a_transfer_ends_once_wherever_the_program_is_cut_off_on_postgresql() {
    if Books::Postgres.can_be_had("a transfer ends once") {
        a_transfer_ends_once_wherever_the_program_is_cut_off(Books::Postgres);
    }
}
