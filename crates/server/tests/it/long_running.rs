//! A crash at every step of every operation that takes its time: it ends exactly once. The program
//! is cut off while it is asked, while it carries out and while it tells, behind each of its steps;
//! it is killed at a drawn moment; two programs carry out the same. What does not go well is the
//! matter of `job_crashes`.
//!
//! `RECKONER_KILLS` says how often it is killed, `RECKONER_SEED` at which moments.
//!
//! Which operations there are is published; which of them are served, and for which kinds of
//! billing accounts, stands in two lists that other tests hold.

use crate::books::{Books, on_each_store};
use crate::contracts::description;
use crate::histories::{Place, within};
use crate::in_process::{self, declare};
use crate::installation::Installation;
use crate::program::{Server, from_environment, now};
use axum::body::Body;
use axum::http::{Method, Request};
use axum::{Extension, Router};
use calendar::{Instant, SetClock};
use domain::Kind;
use domain::access::Caller;
use domain::ids::PrincipalId;
use futures::FutureExt;
use http_body_util::BodyExt;
use httpkit::{Authenticate, Edge, Forwarded, Gate, House, Scheme, Sizes};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use service::{AuditFilter, Config, Reckoner};
use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

const V2019: &str = "2019-10-01-preview";
const V2020: &str = "2020-05-01";

/// An account of each kind, and who may change them all.
const COMPANY: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[role_assignment]]
principal = "root"
role = "Administrator"
scope = "installation"

[[billing_account]]
id = "north"
name = "North"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "north"
from = 2020-01-01T00:00:00Z
type = "customer agreement"
profile_creation = "allowed"

[[billing_profile]]
billing_account = "north"
id = "ships"
from = 2020-01-01T00:00:00Z
name = "Ships"
currency = "USD"

[[invoice_section]]
billing_account = "north"
id = "freight"
from = 2020-01-01T00:00:00Z
name = "Freight"
billing_profile = "ships"

[[invoice_section]]
billing_account = "north"
id = "cargo"
from = 2020-01-01T00:00:00Z
name = "Cargo"
billing_profile = "ships"

[[offer]]
id = "FERRIES"
name = "Ferries"
has_rate_card = false

[[billing_account]]
id = "resale"
name = "Resale"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "resale"
from = 2020-01-01T00:00:00Z
type = "partner agreement"

[[billing_profile]]
billing_account = "resale"
id = "main"
from = 2020-01-01T00:00:00Z
name = "Main"
currency = "USD"

[[billing_account]]
id = "union"
name = "Union"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "union"
from = 2020-01-01T00:00:00Z
type = "enterprise agreement"

[agreement.enrollment]
start = 2020-01-01T00:00:00Z
end = 2099-01-01T00:00:00Z
currency = "USD"
country = "US"

[[billing_account]]
id = "home"
name = "Home"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "home"
from = 2020-01-01T00:00:00Z
type = "online services agreement"
"#;

/// Kinds of accounts as `kinds.csv` calls them: account, a profile that it has, one that is put. A
/// partner has one profile of a currency, which is put again.
const ACCOUNTS: [(&str, &str, &str, &str); 4] = [
    ("MicrosoftCustomerAgreement", "north", "ships", "made-*"),
    ("EnterpriseAgreement", "union", "", ""),
    ("MicrosoftPartnerAgreement", "resale", "main", "main"),
    ("MicrosoftOnlineServicesProgram", "home", "", ""),
];

/// Version, operation, verb, where below the account, what; `*` is each change's own.
type Asked = (&'static str, &'static str, Method, &'static str, &'static str);

const OPERATIONS: [Asked; 10] = [
    (
        V2019,
        "BillingAccounts_Update",
        Method::PATCH,
        "",
        r#"{"properties":{"address":{"addressLine1":"Pier *","city":"Seattle","region":"WA",
            "postalCode":"98101","country":"US"}}}"#,
    ),
    (
        V2019,
        "BillingProfiles_Create",
        Method::PUT,
        "/billingProfiles/{put}",
        r#"{"displayName":"Name *","poNumber":"*"}"#,
    ),
    (
        V2019,
        "BillingProfiles_Update",
        Method::PATCH,
        "/billingProfiles/{profile}",
        r#"{"properties":{"displayName":"Name *","poNumber":"*"}}"#,
    ),
    (
        V2019,
        "InvoiceSections_Create",
        Method::PUT,
        "/billingProfiles/{profile}/invoiceSections/made-*",
        r#"{"displayName":"Name *"}"#,
    ),
    (
        V2019,
        "InvoiceSections_Update",
        Method::PATCH,
        "/billingProfiles/{profile}/invoiceSections/freight",
        r#"{"properties":{"displayName":"Name *"}}"#,
    ),
    (
        V2020,
        "BillingAccounts_Update",
        Method::PATCH,
        "",
        r#"{"properties":{"displayName":"Name *"}}"#,
    ),
    (
        V2020,
        "BillingProfiles_CreateOrUpdate",
        Method::PUT,
        "/billingProfiles/{put}",
        r#"{"properties":{"displayName":"Name *","tags":{"of":"*"}}}"#,
    ),
    (
        V2020,
        "InvoiceSections_CreateOrUpdate",
        Method::PUT,
        "/billingProfiles/{profile}/invoiceSections/made-*",
        r#"{"properties":{"displayName":"Name *","labels":{"of":"*"}}}"#,
    ),
    (
        V2019,
        "BillingSubscriptions_Transfer",
        Method::POST,
        "/billingProfiles/{profile}/invoiceSections/freight/billingSubscriptions/ferry-*/transfer",
        TO_CARGO,
    ),
    (
        V2020,
        "BillingSubscriptions_Move",
        Method::POST,
        "/billingSubscriptions/ferry-*/move",
        TO_CARGO,
    ),
];

/// From where each of these subscriptions stands at first: see [`ferry`].
const TO_CARGO: &str = concat!(
    r#"{"destinationInvoiceSectionId":"/providers/Microsoft.Billing/billingAccounts/north/"#,
    r#"billingProfiles/ships/invoiceSections/cargo"}"#
);

/// A subscription to be moved: one for each move, as it is moved once.
fn ferry(mark: &str) -> String {
    format!(
        r#"
[[subscription]]
id = "ferry-{mark}"
name = "Ferry"
placements = [{{ billing_account = "north", profile = "ships", offer = "FERRIES" }}]

[[subscription.standings]]
from = 2020-01-01T00:00:00Z

[subscription.standings.place]
billing_account = "north"
level = "invoice section"
id = "freight"
"#
    )
}

/// An operation for an account of a kind.
struct Change {
    version: &'static str,
    operation: &'static str,
    kind: &'static str,
    verb: Method,
    path: String,
    body: &'static str,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    retry_after: Option<String>,
    pub(crate) body: String,
}

/// Each operation for each kind of account that has it.
fn changes() -> Vec<Change> {
    let kinds = include_str!("../../../../tests/azure-billing/kinds.csv");
    let header: Vec<&str> = kinds.lines().next().expect("a header").split(',').collect();
    let mut all = Vec::new();
    for (version, operation, verb, place, body) in OPERATIONS {
        let row = kinds.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let mut row = row.filter(|cells| cells[0] == version && cells[1] == operation);
        let row = row.next().unwrap_or_else(|| panic!("{version} {operation}"));
        for (kind, account, profile, put) in ACCOUNTS {
            let column = header.iter().position(|name| *name == kind).expect("a kind");
            if row[column] != "served" {
                continue;
            }
            let below = place.replace("{profile}", profile).replace("{put}", put);
            let path = format!("/providers/Microsoft.Billing/billingAccounts/{account}{below}");
            let path = format!("{path}?api-version={version}");
            all.push(Change { version, operation, kind, verb: verb.clone(), path, body });
        }
    }
    all
}

/// They change nothing: files are made when their links are followed.
const DOWNLOADS: [&str; 2] = ["Invoices_Download", "PriceSheet_Download"];

#[test]
fn every_operation_that_takes_its_time_is_among_them() {
    let ours: BTreeSet<(&str, &str)> =
        OPERATIONS.iter().map(|(version, operation, ..)| (*version, *operation)).collect();
    let served: BTreeSet<(&str, &str)> =
        include_str!("../../../../surfaces/azure-billing/operations.txt")
            .lines()
            .filter_map(|line| Some((line.split(' ').next()?, line.rsplit(' ').next()?)))
            .collect();
    let is_change = |id: &&str| !DOWNLOADS.iter().any(|download| id.starts_with(download));
    for version in [V2019, V2020] {
        let name = format!("microsoft-billing/{version}/billing.json");
        let Some(description) = description(&name) else { return };
        let verbs = description["paths"].as_object().expect("paths").values();
        let operations = verbs.flat_map(|verbs| verbs.as_object().expect("verbs").values());
        let long = operations.filter(|one| one["x-ms-long-running-operation"] == true);
        let long: BTreeSet<&str> =
            long.map(|one| one["operationId"].as_str().expect("an id")).filter(is_change).collect();
        let expected: BTreeSet<&str> =
            long.into_iter().filter(|id| served.contains(&(version, *id))).collect();
        let found: BTreeSet<&str> =
            ours.iter().filter(|(of, _)| *of == version).map(|(_, id)| *id).collect();
        assert_eq!(found, expected, "{version}");
    }
    assert_eq!(changes().len(), 19, "each with each kind of account that has it");
}

/// The surface in front of a reckoner, as one who may do everything meets it.
fn surface(reckoner: &Reckoner) -> Router {
    surface_for(reckoner, as_caller(root()))
}

/// Everybody is one caller.
pub(crate) fn as_caller(caller: Caller) -> Authenticate {
    Authenticate::new(move |_| {
        let caller = caller.clone();
        async move { Ok(caller) }.boxed()
    })
}

/// The surface in front of a reckoner.
pub(crate) fn surface_for(reckoner: &Reckoner, authenticate: Authenticate) -> Router {
    let many = NonZeroU32::new(1_000_000).expect("more than none");
    let house = House {
        gate: Gate::new(64),
        elapsed: Arc::new(|| Duration::ZERO),
        timeout: Duration::from_secs(60),
        long_timeout: Duration::from_secs(60),
        sizes: Sizes { body_most_bytes: 65_536, url_most_bytes: 4_096, headers_most_bytes: 4_096 },
        burst: many,
        per_second: many,
    };
    let surface = azure_billing::surface(reckoner, &house);
    let edge = Edge {
        render: armkit::render,
        authenticate,
        new_id: Arc::new(uuid::Uuid::new_v4),
        elapsed: Arc::new(|| Duration::ZERO),
        rewrites: surface.rewrites,
        observe: Arc::new(|_| {}),
        forwarded: Forwarded::Ignored,
    };
    edge.around(surface.router).layer(Extension(Scheme::Https))
}

fn root() -> Caller {
    Caller::Principal(PrincipalId::new("root").expect("an id"))
}

pub(crate) async fn ask(router: &Router, (verb, path): (Method, &str), body: String) -> Told {
    let request = Request::builder().method(verb).uri(path).header("host", "reckoner.test");
    let request = request.body(Body::from(body)).expect("a request");
    let response = router.clone().oneshot(request).await.expect("it always answers");
    let status = response.status().as_u16();
    let location = response.headers().get("location").map(|value| value.to_str().expect("text"));
    let location = location.map(path_of);
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.map(|value| value.to_str().expect("text").to_owned());
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    Told { status, location, retry_after, body }
}

async fn get(router: &Router, path: &str) -> Told {
    ask(router, (Method::GET, path), String::new()).await
}

/// What stands in an address behind the program's own: that changes when it starts again.
fn path_of(location: &str) -> String {
    let (_, path) = location.split_once("/providers/").expect("an address of ours");
    format!("/providers/{path}")
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.version, self.operation, self.kind)
    }
}

impl Change {
    fn path(&self, mark: &str) -> String {
        self.path.replace('*', mark)
    }

    /// Where what is changed is shown afterwards.
    fn thing(&self, mark: &str) -> String {
        let thing = self.path(mark).replace("/transfer?", "?").replace("/move?", "?");
        thing.replace("/freight/billingSubscriptions/", "/cargo/billingSubscriptions/")
    }

    /// What must be declared before it is asked for.
    fn needs(&self, mark: &str) -> Option<String> {
        self.path.contains("/billingSubscriptions/").then(|| ferry(mark))
    }

    /// Asks for it; tells where to ask what became of it.
    async fn ask(&self, router: &Router, mark: &str) -> String {
        let (path, body) = (self.path(mark), self.body.replace('*', mark));
        let told = ask(router, (self.verb.clone(), &path), body).await;
        assert_eq!(told.status, 202, "{self}: {}", told.body);
        told.location.expect("an address")
    }
}

/// The step in which a program is cut off, and behind how many polls of it.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Asking(u64),
    CarryingOut(u64),
    Telling(u64),
}

/// What is left of a change that must not depend on how it went, without its mark.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// How many facts there are more.
    facts: u64,
    /// What the audit log tells of it: action, outcome.
    entries: Vec<(String, String)>,
    /// What the result's address shows, and what the thing's own does.
    shown: [String; 2],
}

/// The books, as far as they were looked at.
#[derive(Debug, Clone, Copy)]
struct Seen {
    version: u64,
    entry: u64,
}

impl Seen {
    async fn now(reckoner: &Reckoner) -> Seen {
        let (version, entry) = (version(reckoner).await, 0);
        let mut seen = Seen { version, entry };
        seen.entries(reckoner).await;
        seen
    }

    /// The entries of the audit log that are new.
    async fn entries(&mut self, reckoner: &Reckoner) -> Vec<(String, String)> {
        let filter = AuditFilter::default();
        let rows = reckoner.audit(&Caller::Machine, filter, self.entry, 10_000).await;
        let rows = rows.expect("the log");
        self.entry = rows.last().map_or(self.entry, |row| row.number);
        rows.into_iter().map(|row| (row.entry.action, row.entry.outcome)).collect()
    }

    /// Declares what a change needs, and looks behind that.
    async fn declare(&mut self, reckoner: &Reckoner, (change, mark): (&Change, &str)) {
        if let Some(text) = change.needs(mark) {
            declare(reckoner, &text).await;
            self.version = version(reckoner).await;
            self.entries(reckoner).await;
        }
    }

    /// What a change has left since.
    async fn left(
        &mut self,
        (reckoner, router): (&Reckoner, &Router),
        change: &Change,
        (mark, location): (&str, &str),
    ) -> Left {
        let told = get(router, location).await;
        assert_eq!(told.status, 200, "{change}: {}", told.body);
        assert_eq!(get(router, location).await.body, told.body, "{change}");
        let status = get(router, &location.replace("operationResults", "operationStatus")).await;
        let status: Value = serde_json::from_str(&status.body).expect("JSON");
        assert_eq!(status["status"], "Succeeded", "{change}");
        let thing = get(router, &change.thing(mark)).await;
        assert_eq!(thing.status, 200, "{change}: {}", thing.body);
        let before = std::mem::replace(&mut self.version, version(reckoner).await);
        Left {
            facts: self.version - before,
            entries: self.entries(reckoner).await,
            shown: [told.body, thing.body].map(|body| body.replace(mark, "*")),
        }
    }
}

/// The number of the newest fact.
pub(crate) async fn version(reckoner: &Reckoner) -> u64 {
    reckoner.company(&Caller::Machine).await.expect("the company").version
}

/// Declares what a change needs.
fn prepare(place: &Place, (change, mark): (&Change, &str), seen: &mut Seen) {
    if change.needs(mark).is_some() {
        let mut before = *seen;
        *seen = place.process(async |reckoner: Reckoner| {
            before.declare(&reckoner, (change, mark)).await;
            reckoner.close().await.expect("closed");
            before
        });
    }
}

/// Lives through a change, with a program that is cut off and one after it. Answers whether the
/// first came to the end of its step after all.
fn live(
    place: &Place,
    (change, mark): (&Change, &str),
    cut: Option<Cut>,
    seen: &mut Seen,
) -> (bool, Left) {
    prepare(place, (change, mark), seen);
    let (location, is_whole) = match cut {
        None => (None, true),
        Some(cut) => place.process(async |reckoner: Reckoner| {
            let router = surface(&reckoner);
            if let Cut::Asking(polls) = cut {
                let location = within(polls, change.ask(&router, mark)).await;
                let is_whole = location.is_some();
                return (location, is_whole);
            }
            let location = change.ask(&router, mark).await;
            assert_eq!(get(&router, &location).await.status, 202, "{change}");
            if let Cut::CarryingOut(polls) = cut {
                let done = within(polls, reckoner.carry_out_jobs()).await;
                return (Some(location), done.transpose().expect("carried out").is_some());
            }
            reckoner.carry_out_jobs().await.expect("carried out");
            let polls = if let Cut::Telling(polls) = cut { polls } else { 0 };
            let told = within(polls, get(&router, &location)).await;
            (Some(location), told.is_some())
        }),
    };
    let left = place.process(async |reckoner: Reckoner| {
        let router = surface(&reckoner);
        // Whoever had no answer asks again.
        let location = match location {
            Some(location) => location,
            None => change.ask(&router, mark).await,
        };
        if matches!(cut, None | Some(Cut::Asking(_))) {
            assert_eq!(get(&router, &location).await.status, 202, "{change}");
        }
        reckoner.carry_out_jobs().await.expect("carried out");
        seen.left((&reckoner, &router), change, (mark, &location)).await
    });
    (is_whole, left)
}

fn each_ends_once_wherever_the_program_is_cut_off(books: Books) {
    let place = Place::new(books, 1);
    let mut seen = place.process(async |reckoner: Reckoner| {
        declare(&reckoner, COMPANY).await;
        let seen = Seen::now(&reckoner).await;
        reckoner.close().await.expect("closed");
        seen
    });
    let mut nth = 0;
    let mut mark = || {
        nth += 1;
        format!("n{nth:05}")
    };
    let (changes, mut cut_off) = (changes(), [0; 3]);
    for change in &changes {
        let (_, expected) = live(&place, (change, &mark()), None, &mut seen);
        assert!(expected.facts > 0, "{change}");
        let outcomes: Vec<&str> = expected.entries.iter().map(|(_, told)| told.as_str()).collect();
        assert_eq!(outcomes, ["done"], "{change}");
        let steps = [Cut::Asking, Cut::CarryingOut, Cut::Telling];
        for (step, cut_off) in steps.into_iter().zip(&mut cut_off) {
            for polls in 1.. {
                let cut = step(polls);
                let (is_whole, left) = live(&place, (change, &mark()), Some(cut), &mut seen);
                assert_eq!(left, expected, "{change}, {cut:?}");
                if is_whole {
                    *cut_off += usize::from(polls > 1);
                    break;
                }
            }
        }
    }
    // Else the test has shown nothing. On a fast machine even the first poll often finds the answer
    // ready.
    assert!(cut_off.iter().all(|cut_off| *cut_off > 0), "cut off in each step: {cut_off:?}");
}

#[test]
fn each_ends_once_wherever_the_program_is_cut_off_on_sqlite() {
    each_ends_once_wherever_the_program_is_cut_off(Books::Sqlite);
}

#[test]
fn each_ends_once_wherever_the_program_is_cut_off_on_postgresql() {
    if Books::Postgres.can_be_had("each ends once wherever the program is cut off") {
        each_ends_once_wherever_the_program_is_cut_off(Books::Postgres);
    }
}

on_each_store!(two_programs_carry_out_the_same_once);
async fn two_programs_carry_out_the_same_once(books: Books) {
    let (schema, clock) =
        (books.schema(), SetClock::at(Instant::parse("2026-05-01").expect("a moment")));
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let open =
        |at: usize| in_process::open(directories[at].path(), schema.as_ref(), &clock, |_| {});
    let one = open(0).await;
    declare(&one, COMPANY).await;
    let other = match books {
        Books::Sqlite => one.clone(),
        Books::Postgres => open(1).await,
    };
    let (router, mut seen) = (surface(&one), Seen::now(&one).await);
    for (nth, change) in changes().iter().cycle().take(51).enumerate() {
        let mark = format!("n{nth:05}");
        seen.declare(&one, (change, &mark)).await;
        let location = change.ask(&router, &mark).await;
        let at_once = [one.clone(), other.clone()]
            .map(|program| tokio::spawn(async move { program.carry_out_jobs().await }));
        for program in at_once {
            if let Err(error) = program.await.expect("no panic") {
                assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
            }
        }
        one.carry_out_jobs().await.expect("carried out");
        let left = seen.left((&one, &router), change, (&mark, &location)).await;
        let outcomes: Vec<&str> = left.entries.iter().map(|(_, told)| told.as_str()).collect();
        assert_eq!(outcomes, ["done"], "{change}");
        // The other tells the same.
        let told = get(&surface(&other), &location).await;
        assert_eq!((told.status, told.body.replace(&mark, "*")), (200, left.shown[0].clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_many_is_told_when_to_come_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = SetClock::at(Instant::parse("2026-05-01").expect("a moment"));
    let none = |set: &mut Config| set.limits.running_jobs = 0;
    let reckoner = in_process::open(directory.path(), None, &clock, none).await;
    declare(&reckoner, COMPANY).await;
    let router = surface(&reckoner);
    declare(&reckoner, &ferry("x")).await;
    for change in changes() {
        let (path, body) = (change.path("x"), change.body.replace('*', "x"));
        let told = ask(&router, (change.verb.clone(), &path), body).await;
        assert_eq!((told.status, told.retry_after.as_deref()), (429, Some("1")), "{change}");
        let body: Value = serde_json::from_str(&told.body).expect("JSON");
        assert_eq!(body["error"]["code"], "TooManyRequests", "{change}");
    }
}

/// A program, and who may do everything there.
struct Running {
    server: Server,
    token: String,
}

impl Running {
    async fn start(installation: &Installation) -> Running {
        let server = installation.serve(&[("RECKONER_CLOSE__BY_SCHEDULE", "false")]);
        let token = installation.token(&server).await;
        Running { server, token }
    }

    fn request(&self, (verb, path): (Method, &str), body: String) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.server.told("base_url"));
        self.server.client.request(verb, url).bearer_auth(&self.token).body(body)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.request((Method::GET, path), String::new()).send().await;
        let answer = answer.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// How many entries of the audit log tell that such a thing was changed.
    async fn changed(&self) -> usize {
        let is_change = |entry: &&Value| {
            let action = entry["action"].as_str().unwrap_or_default();
            let nouns = ["billing_account.", "billing_profile.", "invoice_section.", "holding."];
            nouns.iter().any(|noun| action.starts_with(noun)) && entry["outcome"] == "done"
        };
        let (mut changed, mut after) = (0, Some(0));
        while let Some(number) = after {
            let path = format!("/admin/v1/audit?limit=1000&after={number}");
            let (_, log) = self.get(&path).await;
            let log: Value = serde_json::from_str(&log).expect("JSON");
            let entries = log["entries"].as_array().unwrap_or_else(|| panic!("{log}")).iter();
            changed += entries.filter(is_change).count();
            after = log["next"].as_u64();
        }
        changed
    }

    fn asked(&self, change: &Change, mark: &str) -> reqwest::RequestBuilder {
        let (path, body) = (change.path(mark), change.body.replace('*', mark));
        self.request((change.verb.clone(), &path), body)
    }

    /// What became of a change, once it has ended.
    async fn ended(&self, location: &str) -> (u16, String) {
        let mut told = self.get(location).await;
        for _ in 0..500 {
            if told.0 != 202 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            told = self.get(location).await;
        }
        told
    }

    /// How long a change takes that nobody cuts off, in microseconds.
    async fn whole_micros(&self, change: &Change) -> u64 {
        let before = now();
        let answer = self.asked(change, "whole").send().await;
        let told = self.ended(&answered(answer).expect("an answer")).await;
        assert_eq!(told.0, 200, "{change}: {}", told.1);
        now().since(before).unsigned_abs()
    }
}

/// Where a result is, if the answer came.
fn answered(answer: reqwest::Result<reqwest::Response>) -> Option<String> {
    let answer = answer.ok()?;
    assert_eq!(answer.status().as_u16(), 202);
    let location = answer.headers().get("location").expect("an address");
    Some(path_of(location.to_str().expect("text")))
}

on_each_store!(each_ends_once_whenever_the_program_is_killed);
async fn each_ends_once_whenever_the_program_is_killed(books: Books) {
    let kills = from_environment("RECKONER_KILLS", 25);
    let seed = from_environment("RECKONER_SEED", 1);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let ferries: String = (0..kills).map(|nth| ferry(&format!("n{nth:05}"))).collect();
    let installation = Installation::new(books, "USD", &[COMPANY, &ferries].concat());
    let (changes, mut unanswered) = (changes(), 0);
    let mut running = Running::start(&installation).await;
    let whole_micros = running.whole_micros(&changes[0]).await;
    for (nth, change) in (0..kills).zip(changes.iter().cycle()) {
        let mark = format!("n{nth:05}");
        let before = running.changed().await;
        let asked = tokio::spawn(running.asked(change, &mark).send());
        let moment = Duration::from_micros(rng.random_range(0..=whole_micros));
        tokio::time::sleep(moment).await;
        running.server.kill();
        let location = answered(asked.await.expect("no panic"));
        running = Running::start(&installation).await;
        let location = match location {
            Some(location) => location,
            None => {
                unanswered += 1;
                let again = running.asked(change, &mark).send().await.expect("an answer");
                if again.status() == 409 {
                    // The program went on by itself, and what has moved does not move again.
                    assert_eq!(change.verb, Method::POST, "{change}");
                    assert_eq!(running.changed().await, before + 1, "{change}");
                    continue;
                }
                answered(Ok(again)).expect("an answer")
            }
        };
        let told = running.ended(&location).await;
        assert_eq!(told.0, 200, "{change}: {}", told.1);
        assert!(told.1.contains(&mark), "{change}: {}", told.1);
        assert_eq!(running.changed().await, before + 1, "{change}");
    }
    running.server.stop();
    let told = format!("{books:?}: {kills} kills of seed {seed}, {unanswered} before an answer");
    writeln!(std::io::stderr(), "{told}").expect("it takes text");
}
