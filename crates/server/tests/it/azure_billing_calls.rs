//! Azure Billing as its scenarios have it (`tests/azure-billing/scenarios`): one call of each
//! operation on the demo's company, filled in with the demo's own ids and asked over HTTP.

use crate::books::Schema;
use crate::commerce_refusals::own_issuer;
use crate::program::{Server, now};
use identity::{Issuer, TokenRequest};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const FIRST: &str = "2019-10-01-preview";
pub(crate) const SECOND: &str = "2020-05-01";

/// The largest that [`World::new`] lets a request be: its body, its address, its headers.
pub(crate) const BODY_MOST_BYTES: usize = 4_096;
pub(crate) const URL_MOST_BYTES: usize = 2_048;
pub(crate) const HEADERS_MOST_BYTES: usize = 4_096;
/// Nobody here asks too often.
const SETTINGS: [(&str, &str); 5] = [
    ("RECKONER_LIMITS__REQUEST_BURST", "1000000"),
    ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1000000"),
    ("RECKONER_HTTP__BODY_BYTES", "4096"),
    ("RECKONER_HTTP__URL_BYTES", "2048"),
    ("RECKONER_HTTP__HEADER_BYTES", "4096"),
];

/// An operation of the contract, as the surface lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) version: &'static str,
    pub(crate) verb: Method,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
}

/// The operations that are served, of the two versions.
pub(crate) fn served() -> Vec<Operation> {
    listed(include_str!("../../../../surfaces/azure-billing/operations.txt"))
}

/// What clients still send in versions before these.
pub(crate) fn older_versions() -> Vec<Operation> {
    all(include_str!("../../../../surfaces/azure-billing/aliases.txt"))
}

fn listed(lines: &'static str) -> Vec<Operation> {
    let of_contract = |one: &Operation| [FIRST, SECOND].contains(&one.version);
    all(lines).into_iter().filter(of_contract).collect()
}

fn all(lines: &'static str) -> Vec<Operation> {
    let read = |line: &'static str| {
        let words: Vec<&str> = line.split(' ').collect();
        let &[version, verb, path, id] = words.as_slice() else { panic!("{line}") };
        let verb = Method::from_bytes(verb.as_bytes()).expect("a verb");
        Operation { version, verb, path, id }
    };
    lines.lines().map(read).collect()
}

/// The group of an operation, by its id.
pub(crate) fn group(id: &str) -> &str {
    id.split('_').next().expect("a first part")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scenario: Vec<Scenario>,
}

/// One right call of an operation. In names, queries and bodies `<…>` stands for what the demo's
/// context has there: in the scenario's account, or anywhere if it has a dot. `<first of …>` is the
/// name of the first thing that another operation lists; of an invoice `<document of …>` is the
/// address of its document, and `<token of …>` what opens that.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) version: String,
    pub(crate) operation: String,
    account: Option<String>,
    /// Which client of the demo asks; the owner if not said.
    #[serde(rename = "as")]
    by: Option<String>,
    #[serde(default)]
    names: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, String>,
    body: Option<String>,
    pub(crate) answers: u16,
    /// What the result of an accepted change answers when it has ended.
    ends: Option<u16>,
    /// Every status that the operation may ever answer.
    pub(crate) statuses: BTreeSet<u16>,
    #[serde(default)]
    before: Vec<Before>,
}

/// What must be done before, by an operation of the first version at the scenario's own place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    operation: String,
    body: String,
}

impl Scenario {
    /// How it is told apart.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.version, self.operation)
    }

    /// Its operation.
    pub(crate) fn of(&self) -> Operation {
        operation(&self.version, &self.operation)
    }
}

fn operation(version: &str, id: &str) -> Operation {
    let found = served().into_iter().find(|one| one.version == version && one.id == id);
    found.unwrap_or_else(|| panic!("{version} {id} is not served"))
}

/// All scenarios; each file has those of one group.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/azure-billing/scenarios");
    let entries = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).expect("a file of scenarios");
        let told: File =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for one in &told.scenario {
            let name = format!("{}.toml", group(&one.operation));
            assert!(file.ends_with(&name), "{} stands in {}", one.operation, file.display());
        }
        told.scenario
    };
    files.iter().flat_map(read).collect()
}

/// A request, ready to be made a wrong one.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) verb: Method,
    path: String,
    pub(crate) names: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    headers: BTreeMap<&'static str, String>,
    pub(crate) body: Option<String>,
    who: String,
}

impl Ask {
    /// By nobody, of nothing yet.
    pub(crate) fn of(operation: &Operation) -> Ask {
        let Operation { version, verb, path, id: _ } = operation;
        Ask {
            verb: verb.clone(),
            path: (*path).to_owned(),
            names: BTreeMap::new(),
            query: BTreeMap::from([("api-version".to_owned(), (*version).to_owned())]),
            headers: BTreeMap::new(),
            body: None,
            who: String::new(),
        }
    }

    /// The same by somebody else: a client of the demo, or as [`World::token`] has it.
    pub(crate) fn by(mut self, who: &str) -> Ask {
        who.clone_into(&mut self.who);
        self
    }

    /// The same of another thing.
    pub(crate) fn named(mut self, parameter: &str, name: &str) -> Ask {
        self.names.insert(parameter.to_owned(), name.to_owned());
        self
    }

    /// The same with another parameter behind the question mark.
    pub(crate) fn asking(mut self, parameter: &str, value: &str) -> Ask {
        self.query.insert(parameter.to_owned(), value.to_owned());
        self
    }

    /// The same without it.
    pub(crate) fn without(mut self, parameter: &str) -> Ask {
        self.query.remove(parameter);
        self
    }

    /// The same with another header.
    pub(crate) fn saying(mut self, header: &'static str, value: &str) -> Ask {
        self.headers.insert(header, value.to_owned());
        self
    }

    /// The same with a JSON body.
    pub(crate) fn sending(mut self, body: impl Into<String>) -> Ask {
        self.body = Some(body.into());
        self.saying("content-type", "application/json")
    }

    /// The same with another verb.
    pub(crate) fn with(mut self, verb: Method) -> Ask {
        self.verb = verb;
        self
    }
}

/// What came back.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Told {
    /// `404 NotFound`, or the status alone.
    pub(crate) fn line(&self) -> String {
        match self.body["error"]["code"].as_str() {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }

    /// A header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// Asks a server.
pub(crate) async fn send(server: &Server, token: Option<&str>, ask: &Ask) -> Told {
    let mut path = ask.path.clone();
    for (parameter, name) in &ask.names {
        path = path.replace(&format!("{{{parameter}}}"), name);
    }
    assert!(!path.contains('{'), "{path} has names");
    let query: Vec<String> =
        ask.query.iter().map(|(parameter, value)| format!("{parameter}={value}")).collect();
    let url = format!("{}{path}?{}", server.told("base_url"), query.join("&"));
    let mut request = server.client.request(ask.verb.clone(), url);
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    if let Some(body) = &ask.body {
        request = request.body(body.clone());
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    told(request).await
}

async fn told(request: reqwest::RequestBuilder) -> Told {
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.expect("text");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Told { status, headers, body, text }
}

/// Parameters of lists, and what of an account they are.
const LISTED: [(&str, &str); 4] = [
    ("billingAccountName", "billing_account"),
    ("billingProfileName", "billing_profile"),
    ("billingSubscriptionName", "subscription"),
    ("subscriptionId", "subscription"),
];

/// What a scenario takes of something that is listed.
fn told_of(what: &str, listed: &Value) -> String {
    let url = listed["properties"]["documents"][0]["url"].as_str();
    let told = match what {
        "first" => listed["name"].as_str(),
        "document" => url,
        "token" => url.and_then(token_of),
        what => panic!("{what}"),
    };
    told.unwrap_or_else(|| panic!("no {what} of {listed}")).to_owned()
}

/// What opens the document of an address.
pub(crate) fn token_of(url: &str) -> Option<&str> {
    url.split_once("downloadToken=")?.1.split('&').next()
}

/// The demo, whose tokens can be forged.
pub(crate) struct World {
    pub(crate) server: Server,
    issuer: Issuer,
}

impl World {
    /// Below a directory.
    pub(crate) fn new(directory: &Path, schema: Option<&Schema>) -> World {
        let data = directory.join("data");
        let issuer = own_issuer(&data, schema);
        World { server: Server::demo(&data, schema, &SETTINGS), issuer }
    }

    /// A token of a client of the demo, or one that the program never gives out.
    fn token(&self, who: &str) -> Option<String> {
        let fresh = now();
        let (audience, at) = match who {
            "" => return None,
            "wrong audience" => ("https://graph.example", fresh),
            "expired" => ("https://management.azure.com", fresh.plus_seconds(-7_200)),
            name => return Some(self.server.told(&format!("clients.{name}.token"))),
        };
        let (base_url, tenant) = (self.server.told("base_url"), self.server.told("tenant_id"));
        let client_id = self.server.told("clients.owner.client_id");
        let (base_url, tenant) = (base_url.as_str(), tenant.as_str());
        let request = TokenRequest { base_url, tenant, client_id: &client_id, audience };
        Some(self.issuer.token(request, at, 3_600).expect("a token").text.to_string())
    }

    /// Asks.
    pub(crate) async fn send(&self, ask: &Ask) -> Told {
        send(&self.server, self.token(&ask.who).as_deref(), ask).await
    }

    /// A scenario's question.
    pub(crate) async fn ask(&self, scenario: &Scenario) -> Ask {
        let mut ask = Ask::of(&scenario.of()).by(scenario.by.as_deref().unwrap_or("owner"));
        for (parameter, name) in &scenario.names {
            ask = ask.named(parameter, &self.filled(scenario, name).await);
        }
        for (parameter, value) in &scenario.query {
            ask = ask.asking(parameter, &self.filled(scenario, value).await);
        }
        match &scenario.body {
            Some(body) => ask.sending(self.filled(scenario, body).await),
            None => ask,
        }
    }

    /// A text with what stands for `<…>`.
    pub(crate) async fn filled(&self, scenario: &Scenario, text: &str) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('<') {
            let (symbol, after) = after.split_once('>').expect("its end");
            filled.push_str(before);
            let known = match (symbol.split_once(" of "), &scenario.account) {
                (Some((what, list)), Some(account)) => {
                    let first = self.first_of(scenario, account, list).await;
                    told_of(what, &first)
                }
                (None, Some(account)) if !symbol.contains('.') => {
                    self.server.told(&format!("accounts.{account}.{symbol}"))
                }
                _ => self.server.told(symbol),
            };
            filled.push_str(&known);
            rest = after;
        }
        filled + rest
    }

    /// The first thing of a list of an account's.
    async fn first_of(&self, scenario: &Scenario, account: &str, list: &str) -> Value {
        let list = operation(&scenario.version, list);
        let mut ask = Ask::of(&list).by("owner");
        for (parameter, member) in LISTED {
            if list.path.contains(&format!("{{{parameter}}}")) {
                let name = self.server.told(&format!("accounts.{account}.{member}"));
                ask = ask.named(parameter, &name);
            }
        }
        if ["Invoices", "Transactions"].contains(&group(list.id)) {
            for (parameter, member) in [("periodStartDate", "from"), ("periodEndDate", "to")] {
                ask = ask.asking(parameter, &self.server.told(&format!("invoice_window.{member}")));
            }
        }
        let told = self.send(&ask).await;
        assert!(told.body["value"][0].is_object(), "{}: {}", list.id, told.text);
        told.body["value"][0].clone()
    }

    /// The number of an invoice of one of the demo's accounts.
    pub(crate) async fn invoice_of(&self, account: &str) -> String {
        let id = self.server.told(&format!("accounts.{account}.billing_account"));
        let url = format!("{}/invoices?billing_account={id}", self.server.told("admin.url"));
        let token = self.server.told("clients.operator.token");
        let told = told(self.server.client.get(url).bearer_auth(token)).await;
        let number = told.body["invoices"][0]["number"].as_str();
        number.unwrap_or_else(|| panic!("{account}: {}", told.text)).to_owned()
    }

    /// Does what must be done before a scenario; it may be done already.
    pub(crate) async fn prepare(&self, scenario: &Scenario) {
        let own = self.ask(scenario).await;
        for Before { operation: id, body } in &scenario.before {
            let mut ask = Ask::of(&operation(FIRST, id)).by("owner");
            ask.names.clone_from(&own.names);
            let told = self.send(&ask.sending(self.filled(scenario, body).await)).await;
            assert!(matches!(told.status, 200 | 201 | 409), "{id}: {}", told.text);
        }
    }

    /// Runs a scenario; says what is not as it tells.
    pub(crate) async fn run(&self, scenario: &Scenario) -> Option<String> {
        self.prepare(scenario).await;
        let told = self.send(&self.ask(scenario).await).await;
        let name = scenario.name();
        if told.status != scenario.answers {
            return Some(format!("{name}: {} {}", told.status, told.text));
        }
        assert_eq!(told.status == 202, scenario.ends.is_some(), "{name}: what was accepted ends");
        let ends = scenario.ends?;
        let ended = self.ended(&told).await;
        (ended.status != ends).then(|| format!("{name} ends: {} {}", ended.status, ended.text))
    }

    /// The result of what was accepted: when its status says so, if it has one.
    pub(crate) async fn ended(&self, accepted: &Told) -> Told {
        let status = accepted.header("azure-asyncoperation");
        if !status.is_empty() {
            let told = self.polled(status, |told| told.body["status"] == "InProgress").await;
            assert_eq!(told.body["status"], "Succeeded", "{}", told.text);
        }
        self.polled(accepted.header("location"), |told| told.status == 202).await
    }

    async fn polled(&self, url: &str, is_running: impl Fn(&Told) -> bool) -> Told {
        let token = self.server.told("clients.owner.token");
        for _ in 0..400 {
            let told = told(self.server.client.get(url).bearer_auth(&token)).await;
            if !is_running(&told) {
                return told;
            }
            assert_eq!(told.header("retry-after"), "1");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{url} never ends");
    }
}
