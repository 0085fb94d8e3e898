//! Azure Consumption as its scenarios have it (`tests/azure-consumption/scenarios`): one right call
//! or more of each operation on the demo's company, and what is refused of each.

use crate::azure_billing_calls::{Ask, Operation, Told, World};
use crate::books::{Books, on_each_store};
use reqwest::Method;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SERVED: &str = include_str!("../../../../surfaces/azure-consumption/operations.txt");
const OLD: &str = "2019-10-01";
const NEW: &str = "2021-10-01";
/// What `az` sends.
const NEWEST: &str = "2023-05-01";
/// Stands for any scope in the addresses of operations.
const SCOPE: &str = "/{scope}";
/// Served to whoever is signed in.
const FOR_ANYBODY: &str = "Operations_List";
/// What a scenario's address may name of an account.
const NAMED: [&str; 7] = [
    "billing_account",
    "billing_profile",
    "customer",
    "department",
    "enrollment_account",
    "reservation",
    "subscription",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// All statuses that an operation may answer, whatever it is asked.
    statuses: BTreeMap<String, BTreeSet<u16>>,
    scenario: Vec<Scenario>,
}

/// A right call of an operation. In addresses and queries `<…>` stands for what the demo's context
/// has there: in the scenario's account, or anywhere if it has a dot or there is no account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    operation: String,
    versions: Vec<String>,
    account: Option<String>,
    /// Which client of the demo asks; the owner if not said.
    #[serde(rename = "as")]
    by: Option<String>,
    path: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    body: Option<String>,
    /// The statuses that it may answer.
    answers: Vec<u16>,
}

/// Version, verb, address and id of what is served.
fn served() -> Vec<(&'static str, Method, &'static str, &'static str)> {
    let read = |line: &'static str| {
        let words: Vec<&str> = line.split(' ').collect();
        let &[version, verb, path, id] = words.as_slice() else { panic!("{line}") };
        (version, Method::from_bytes(verb.as_bytes()).expect("a verb"), path, id)
    };
    SERVED.lines().map(read).collect()
}

/// All scenarios; each file has those of one group.
fn scenarios() -> Vec<Scenario> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/azure-consumption/scenarios");
    let entries = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).expect("a file of scenarios");
        let told: File =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for one in &told.scenario {
            let group = one.operation.split('_').next().expect("a first part");
            assert!(file.ends_with(format!("{group}.toml")), "{} in {}", group, file.display());
            let may = told.statuses.get(&one.operation).expect("the statuses of an operation");
            let is_listed = one.answers.iter().all(|status| may.contains(status));
            assert!(is_listed, "{} answers {:?}, not {may:?}", one.operation, one.answers);
        }
        told.scenario
    };
    files.iter().flat_map(read).collect()
}

/// Whether an address is one of an operation's, whatever its scope and names.
fn stands_at(path: &str, template: &str) -> bool {
    let (of_scope, tail) = match template.strip_prefix(SCOPE) {
        Some(tail) => (true, tail),
        None => (false, template),
    };
    let path: Vec<&str> = path.split('/').skip(1).collect();
    let tail: Vec<&str> = tail.split('/').skip(1).collect();
    let is_long_enough = if of_scope { path.len() > tail.len() } else { path.len() == tail.len() };
    let same = |(own, of): (&&str, &&str)| of.starts_with('{') || own == of;
    is_long_enough && path.iter().rev().zip(tail.iter().rev()).all(same)
}

#[test]
fn each_operation_has_a_scenario_at_an_address_of_its_own() {
    let served = served();
    let mut told = BTreeSet::new();
    for Scenario { operation, versions, path, .. } in scenarios() {
        for version in versions {
            let own = served.iter().find(|(of, _, _, id)| *of == version && *id == operation);
            let (of, _, template, id) = own.unwrap_or_else(|| panic!("{version} {operation}"));
            assert!(stands_at(&path, template), "{version} {operation}: {path}");
            told.insert((*of, *id));
        }
    }
    let all: BTreeSet<_> = served.iter().map(|(version, _, _, id)| (*version, *id)).collect();
    assert_eq!(told, all, "with a scenario, and served");
}

/// A text with what stands for `<…>`.
fn filled(world: &World, account: Option<&str>, text: &str) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('<') {
        let (symbol, after) = after.split_once('>').expect("its end");
        filled.push_str(before);
        filled.push_str(&match account {
            Some(account) if !symbol.contains('.') => {
                world.server.told(&format!("accounts.{account}.{symbol}"))
            }
            _ => world.server.told(symbol),
        });
        rest = after;
    }
    filled + rest
}

/// A scenario's question in a version, at an address.
fn asked_at(world: &World, scenario: &Scenario, version: &'static str, path: &str) -> Ask {
    let of = if version == NEWEST { NEW } else { version };
    let served =
        served().into_iter().find(|(own, _, _, id)| *own == of && *id == scenario.operation);
    let (_, verb, _, id) = served.expect("what is served");
    let operation = Operation { version, verb, path: path.to_owned().leak(), id };
    let mut ask = Ask::of(&operation).by(scenario.by.as_deref().unwrap_or("owner"));
    for (parameter, value) in &scenario.query {
        ask = ask.asking(parameter, &filled(world, scenario.account.as_deref(), value));
    }
    match &scenario.body {
        Some(body) => ask.sending(body.clone()),
        None => ask,
    }
}

fn asked(world: &World, scenario: &Scenario, version: &'static str) -> Ask {
    let path = filled(world, scenario.account.as_deref(), &scenario.path);
    asked_at(world, scenario, version, &path)
}

fn versions(scenario: &Scenario) -> impl Iterator<Item = &'static str> {
    [OLD, NEW].into_iter().filter(move |of| scenario.versions.iter().any(|version| version == of))
}

on_each_store!(each_scenario_of_consumption_answers_as_it_says_and_refuses_what_it_must);
async fn each_scenario_of_consumption_answers_as_it_says_and_refuses_what_it_must(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let world = World::new(directory.path(), schema.as_ref());
    let mut wrong = Vec::new();
    for scenario in &scenarios() {
        for version in versions(scenario) {
            wrong.extend(answered(&world, scenario, version).await);
            wrong.extend(refused(&world, scenario, version).await);
        }
    }
    for (path, expected) in REFUSED {
        let told = get(&world, path).await;
        if !told.line().starts_with(expected) {
            wrong.push(format!("{path}: {} {}, not {expected}", told.line(), told.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.server.stop();
}

async fn answered(world: &World, scenario: &Scenario, version: &'static str) -> Option<String> {
    let ask = asked(world, scenario, version);
    let told = world.send(&ask).await;
    let name = format!("{version} {} {}", scenario.operation, scenario.path);
    if !scenario.answers.contains(&told.status) {
        return Some(format!("{name}: {} {}", told.status, told.text));
    }
    if version == NEW && ask.verb == Method::GET {
        // The newest version has the same shapes.
        let newest = world.send(&asked(world, scenario, NEWEST)).await;
        let of = |told: &Told| (told.status, told.body["value"].clone(), told.body["name"].clone());
        if of(&newest) != of(&told) {
            return Some(format!("{name}: {} and, as {NEWEST}, {}", told.text, newest.text));
        }
    }
    None
}

async fn refused(world: &World, scenario: &Scenario, version: &'static str) -> Vec<String> {
    let ask = asked(world, scenario, version);
    let unsigned = "401 AuthenticationFailed";
    let questions = [
        ("nobody asks", ask.clone().by(""), unsigned),
        ("for another audience", ask.clone().by("wrong audience"), unsigned),
        ("too late", ask.clone().by("expired"), unsigned),
        ("no version", ask.clone().without("api-version"), "400 MissingApiVersionParameter"),
        (
            "unknown version",
            ask.clone().asking("api-version", "2020-01-01"),
            "400 InvalidApiVersionParameter",
        ),
        ("another verb", ask.clone().with(Method::PATCH), "405 MethodNotAllowed"),
    ];
    let mut wrong = Vec::new();
    for (question, ask, expected) in questions {
        let told = world.send(&ask).await;
        if told.line() != expected {
            let name = format!("{version} {} {}", scenario.operation, scenario.path);
            wrong.push(format!("{name}, {question}: {} {}", told.line(), told.text));
        }
    }
    wrong.extend(foreign(world, scenario, version).await);
    wrong
}

/// What is foreign is missing, as what does not exist, in the same words.
async fn foreign(world: &World, scenario: &Scenario, version: &'static str) -> Option<String> {
    if scenario.operation == FOR_ANYBODY {
        return None;
    }
    let own = world.send(&asked(world, scenario, version).by("nobody")).await;
    let account = scenario.account.as_deref()?;
    let first = NAMED
        .iter()
        .filter_map(|name| Some((scenario.path.find(&format!("<{name}>"))?, *name)))
        .min()
        .map(|(_, name)| name)?;
    let name = filled(world, Some(account), &format!("<{first}>"));
    let missing = "00000000-0000-4000-8000-0000000000ff";
    let path = filled(world, Some(account), &scenario.path).replace(&name, missing);
    let none = world.send(&asked_at(world, scenario, version, &path)).await;
    let same = none.text.replace(missing, &name);
    let is_same = own.status == 404 && none.status == 404 && own.text == same;
    (!is_same).then(|| {
        let name = format!("{version} {} {}", scenario.operation, scenario.path);
        format!("{name}: foreign {} {}, missing {} {}", own.status, own.text, none.status, same)
    })
}

/// Wrong questions of the owner's in [`NEW`], and how their answers begin; `&` stands before what is
/// asked beside the version.
const REFUSED: [(&str, &str); 22] = [
    ("/subscriptions/<mca.subscription>/providers/Microsoft.Consumption/charges", BAD),
    ("<mca.account>/providers/Microsoft.Consumption/balances", BAD),
    ("<ea.account>/providers/Microsoft.Consumption/credits/balanceSummary", "404"),
    ("/subscriptions/x/y/z/providers/Microsoft.Consumption/usageDetails", "404"),
    (
        "/providers/Microsoft.Management/managementGroups/x/providers/Microsoft.Consumption/tags",
        "404 NotFound",
    ),
    ("<ea.account>/departments/x/providers/Microsoft.Consumption/usageDetails", "404 NotFound"),
    ("<ea.account>/providers/Microsoft.Billing/billingPeriods/202613<usage>", BAD),
    ("<ea.account>/providers/Microsoft.Billing/billingPeriods/soon<usage>", BAD),
    ("<ea.account>/providers/Microsoft.Billing/billingPeriods/201404<usage>", BAD),
    ("<ea.account>/providers/Microsoft.Billing/billingPeriods/209901<usage>", "404 NotFound"),
    ("<ea.account><usage>&metric=profit", BAD),
    ("<ea.account><usage>&$expand=everything", BAD),
    ("<ea.account><usage>&$top=0", BAD),
    ("<ea.account><usage>&$top=1001", BAD),
    ("<ea.account><usage>&$skiptoken=abc", BAD),
    ("<ea.account><usage>&$filter=cost gt '3'", BAD),
    ("<ea.account><usage>&$filter=chargeType ne 'Usage'", BAD),
    ("<ea.account><usage>&$filter=tags eq 'env'", BAD),
    ("<ea.account><usage>&$filter=usageStart ge 'soon'", BAD),
    ("<ea.account><usage>&$filter=usageStart ge '2014-04-30'", BAD),
    ("<ea.account><usage>&$filter=usageStart ge '2020-01-01'", BAD),
    (
        "/subscriptions/<mca.subscription>/providers/Microsoft.Consumption/forecasts",
        "404 InvalidResourceType",
    ),
];
const BAD: &str = "400 BadRequest";

async fn get(world: &World, asked: &str) -> Told {
    let account = |of: &str| {
        let id = world.server.told(&format!("accounts.{of}.billing_account"));
        format!("/providers/Microsoft.Billing/billingAccounts/{id}")
    };
    let asked = asked
        .replace("<usage>", "/providers/Microsoft.Consumption/usageDetails")
        .replace("<ea.account>", &account("ea"))
        .replace("<mca.account>", &account("mca"))
        .replace("<mca.subscription>", &world.server.told("accounts.mca.subscription"));
    let (path, query) = asked.split_once('&').unwrap_or((asked.as_str(), ""));
    let path: &'static str = path.to_owned().leak();
    let operation = Operation { version: NEW, verb: Method::GET, path, id: "UsageDetails_List" };
    let mut ask = Ask::of(&operation).by("owner");
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (parameter, value) = pair.split_once('=').expect("a value");
        ask = ask.asking(parameter, value);
    }
    world.send(&ask).await
}
