//! Transfers over HTTP: what each caller is answered in each state.

use crate::books::{Books, Schema, on_each_store};
use crate::closing::moment;
use crate::in_process::{self, declare};
use crate::long_running::surface_for;
use crate::structure_changes::who;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use calendar::{SetClock, SystemClock};
use domain::Error;
use domain::access::Caller;
use domain::transfers::TransferState;
use futures::FutureExt;
use http_body_util::BodyExt;
use httpkit::{Authenticate, Shown};
use serde_json::{Value, json};
use service::Reckoner;
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
pub(crate) const ACCOUNTS: [[&str; 5]; 3] = [
    ["payer-account", "payer-profile", "payer-section", "Payer Harbour", "ada"],
    ["giver-account", "giver-profile", "giver-section", "Giver", "dee"],
    ["other-account", "other-profile", "other-section", "Other", "fay"],
];
/// A section of the payer's that is closed when something is on its way to it.
const PIER: &str = "payer-pier";

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

pub(crate) fn company() -> String {
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

pub(crate) fn section(account: &str, id: &str, profile: &str, from: &str, state: &str) -> String {
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
pub(crate) fn held(id: &str) -> String {
    let [account, profile, section, ..] = ACCOUNTS[1];
    format!(
        "[[subscription]]\nid = \"{id}\"\nname = \"{id}\"\nplacements = [{{ billing_account = \
         \"{account}\", profile = \"{profile}\", offer = \"metered\" }}]\n\n\
         [[subscription.standings]]\nfrom = 2026-01-01T00:00:00Z\n\n\
         [subscription.standings.place]\nbilling_account = \"{account}\"\n\
         level = \"invoice section\"\nid = \"{section}\"\n\n"
    )
}

/// Whoever names itself is that; nobody else is known.
async fn named(shown: Shown) -> domain::Result<Caller> {
    let name = shown.header.as_deref().and_then(|header| header.strip_prefix("Bearer "));
    let unknown = || Error::Unauthenticated { problem: "no name".to_owned() };
    name.map(who).ok_or_else(unknown)
}

/// What came back.
pub(crate) struct Told {
    pub(crate) status: u16,
    /// Names and values.
    pub(crate) headers: String,
    pub(crate) text: String,
    pub(crate) body: Value,
    pub(crate) address: String,
}

/// An installation with nothing going on behind its answers.
pub(crate) struct House {
    pub(crate) clock: SetClock,
    pub(crate) reckoner: Reckoner,
    router: Router,
    _directory: TempDir,
    _schema: Option<Schema>,
}

/// A transfer that was asked for.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) section: &'static str,
    pub(crate) name: String,
    /// What stands for its name in lists.
    pub(crate) time: String,
}

impl House {
    pub(crate) async fn new(books: Books, subscriptions: &[&str]) -> House {
        let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
        let clock = SetClock::at(moment("2026-05-01"));
        let reckoner = in_process::open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
        let held: String = subscriptions.iter().map(|id| held(id)).collect();
        declare(&reckoner, &(company() + &held)).await;
        let router = surface_for(&reckoner, Authenticate::new(|shown| named(shown).boxed()));
        House { clock, reckoner, router, _directory: directory, _schema: schema }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.set(SystemClock::now(&self.clock).plus_seconds(seconds));
    }

    pub(crate) async fn ask(
        &self,
        who: &str,
        (verb, path): (Method, &str),
        body: Option<Value>,
    ) -> Told {
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
    pub(crate) async fn made(&self, section: &'static str) -> Made {
        self.pass(1);
        let path = format!("{}/initiateTransfer", at(section));
        let body = json!({ "properties": { "recipientEmailId": "Dee@mail.test" } });
        let told = self.ask("ada", (Method::POST, &path), Some(body)).await;
        assert_eq!(told.status, 200, "{}", told.text);
        let (_, name) = told.address.rsplit_once('/').expect("an address");
        let time = told.body["properties"]["creationTime"].as_str().expect("a time");
        Made { section, name: name.to_owned(), time: time.to_owned() }
    }

    pub(crate) async fn accepted(&self, made: &Made, products: &[&str]) -> Told {
        self.ask("dee", (Method::POST, &received(made, "/acceptTransfer")), chosen(products)).await
    }

    pub(crate) async fn carry_out(&self) {
        self.reckoner.carry_out_transfers().await.expect("carried out");
    }

    /// A transfer in each state that stays, in the order in which none disturbs another.
    pub(crate) async fn in_each_state(&self) -> BTreeMap<&'static str, Made> {
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
    pub(crate) async fn answer(&self, who: &str, operation: &str, made: &Made) -> String {
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

pub(crate) const PROVIDER: &str = "/providers/Microsoft.Billing";

pub(crate) fn at(section: &str) -> String {
    let [account, profile, ..] = ACCOUNTS[0];
    format!(
        "{PROVIDER}/billingAccounts/{account}/billingProfiles/{profile}/invoiceSections/{section}"
    )
}

pub(crate) fn own(made: &Made) -> String {
    format!("{}/transfers/{}", at(made.section), made.name)
}

pub(crate) fn received(made: &Made, tail: &str) -> String {
    format!("{PROVIDER}/transfers/{}{tail}", made.name)
}

pub(crate) fn chosen(subscriptions: &[&str]) -> Option<Value> {
    let product = |id: &&str| json!({ "productType": "AzureSubscription", "productId": id });
    let products: Vec<Value> = subscriptions.iter().map(product).collect();
    Some(json!({ "properties": { "productDetails": products } }))
}

pub(crate) const HELD: [&str; 5] = ["ferry", "tug", "barge", "raft", "skiff"];

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
