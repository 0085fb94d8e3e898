//! Answers of Azure Billing beside its published descriptions: each is strictly as its operation
//! says, on accounts of all kinds, and what no answer of the demo's world has stands with a reason
//! in `tests/azure-billing/never_filled.csv`.

use crate::contracts::{description, problems};
use crate::program::Server;
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";
const VERSIONS: [&str; 2] = ["2019-10-01-preview", "2020-05-01"];
/// Who sees everything, who sees what it owns, who sees shells.
const CALLERS: [&str; 3] = ["operator", "owner", "billing_reader"];
/// The demo is asked more in a second than its callers usually may.
const SETTINGS: [(&str, &str); 2] = [
    ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "100000"),
    ("RECKONER_LIMITS__REQUEST_BURST", "100000"),
];

/// Version, verb, path and id of each operation on a line.
const SERVED: &str = include_str!("../../../../surfaces/azure-billing/operations.txt");
/// Version, operation, member and reason on a line.
const NEVER_FILLED: &str = include_str!("../../../../tests/azure-billing/never_filled.csv");
/// What no answer has, by definitions.
const LEFT_OUT: &str = include_str!("../../../../docs/deviations/azure-billing-members.md");

/// Those of the POSTs that change nothing, with what is sent.
const READS_BY_POST: [(&str, &str); 4] = [
    ("BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission", ""),
    (
        "Address_Validate",
        r#"{"firstName": "Ida", "lastName": "Quay", "companyName": "Harbourlight Retail",
            "addressLine1": "410 Quay Street", "addressLine2": "Dock 2", "addressLine3": "Desk 3",
            "city": "Springfield", "region": "il", "country": "us", "postalCode": "62701"}"#,
    ),
    // The first version refuses members of the second.
    (
        "Address_Validate",
        r#"{"middleName": "M", "district": "Harbour", "email": "ida@harbourlight.example",
            "phoneNumber": "555", "addressLine1": "410 Quay Street", "city": "Springfield",
            "region": "IL", "country": "US", "postalCode": "62701"}"#,
    ),
    ("Address_Validate", r#"{"addressLine1": "410 Quay Street", "country": "US"}"#),
];

/// What `$expand` takes, by groups.
const EXPANDS: [(&str, &str); 7] = [
    (
        "BillingAccounts 2019-10-01-preview",
        "address,billingProfiles/invoiceSections,enrollmentDetails,departments,enrollmentAccounts",
    ),
    (
        "BillingAccounts 2020-05-01",
        "soldTo,billingProfiles/invoiceSections,enrollmentDetails,departments,enrollmentAccounts",
    ),
    ("BillingProfiles", "invoiceSections"),
    ("Customers", "enabledAzurePlans,resellers"),
    ("Departments", "enrollmentAccounts"),
    ("EnrollmentAccounts", "department"),
    ("Agreements", "participants"),
];

/// A version's description.
struct Contract {
    version: &'static str,
    /// Each with the members of what it is made of; members that it does not name are wrong.
    definitions: Map<String, Value>,
    operations: Vec<Operation>,
}

/// An operation that reads.
struct Operation {
    id: String,
    verb: Method,
    path: String,
    /// What `$expand` takes, if it is declared.
    expand: Option<&'static str>,
    /// Its answers by status.
    answers: Value,
}

impl Contract {
    fn of(version: &'static str) -> Option<Contract> {
        let described = description(&format!("microsoft-billing/{version}/billing.json"))?;
        let definitions = closed(&described);
        let mut operations = Vec::new();
        for line in SERVED.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [of, verb, path, id] = words.as_slice() else { panic!("{line}") };
            let reads = *verb == "GET" || READS_BY_POST.iter().any(|(known, _)| known == id);
            if *of == version && reads {
                operations.push(operation(&described, version, (*verb, *path, *id)));
            }
        }
        Some(Contract { version, definitions, operations })
    }

    /// What an answer must be, by the name of its definition.
    fn validator(&self, name: &str) -> Validator {
        let reference = format!("#/definitions/{name}");
        let schema = json!({ "$ref": reference, "definitions": self.definitions });
        jsonschema::draft4::new(&schema).expect("a schema")
    }

    /// The members of a schema that none of some values has: by their paths, those who declare
    /// them. What lies below a member that nobody has is not looked at.
    fn unfilled(
        &self,
        (schema, name): (&Value, &str),
        values: &[&Value],
        at: &str,
        found: &mut BTreeMap<String, String>,
    ) {
        let referred = referred(schema);
        let schema = referred.map_or(schema, |name| &self.definitions[name]);
        let name = referred.unwrap_or(name);
        if let Some(items) = schema.get("items") {
            let below: Vec<&Value> =
                values.iter().filter_map(|value| value.as_array()).flatten().collect();
            return self.unfilled((items, name), &below, &format!("{at}[]"), found);
        }
        for (member, schema) in schema["properties"].as_object().into_iter().flatten() {
            let own = values.iter().filter_map(|value| value.get(member));
            let own: Vec<&Value> = own.filter(|value| is_filled(value)).collect();
            let dot = if at.is_empty() { "" } else { "." };
            let (path, name) = (format!("{at}{dot}{member}"), format!("{name}.{member}"));
            if own.is_empty() {
                found.insert(path, name);
            } else {
                self.unfilled((schema, name.as_str()), &own, &path, found);
            }
        }
    }
}

/// The definitions, each with the members of what it is made of and closed to others.
fn closed(described: &Value) -> Map<String, Value> {
    let all = described["definitions"].as_object().expect("definitions");
    let close = |(name, definition): (&String, &Value)| {
        let mut definition = definition.clone();
        let mut members = Map::new();
        for part in definition["allOf"].as_array().into_iter().flatten() {
            let base = &all[referred(part).expect("a reference")];
            members.extend(base["properties"].as_object().expect("members").clone());
        }
        members.extend(definition["properties"].as_object().cloned().unwrap_or_default());
        for member in members.values_mut().filter(|member| member.get("properties").is_some()) {
            member["type"] = json!("object");
            member["additionalProperties"] = json!(false);
        }
        if !members.is_empty() {
            definition["type"] = json!("object");
            definition["properties"] = Value::Object(members);
            definition["additionalProperties"] = json!(false);
            definition.as_object_mut().expect("an object").remove("allOf");
        }
        (name.clone(), definition)
    };
    all.iter().map(close).collect()
}

fn operation(described: &Value, version: &str, (verb, path, id): (&str, &str, &str)) -> Operation {
    let paths = described["paths"].as_object().expect("paths");
    let mut all = paths.values().flat_map(|verbs| verbs.as_object().expect("verbs").values());
    let told = all.find(|told| told["operationId"] == id).unwrap_or_else(|| panic!("{id}"));
    let mut parameters = told["parameters"].as_array().into_iter().flatten();
    let group = id.split('_').next().expect("a group");
    let own = format!("{group} {version}");
    let expand = EXPANDS.iter().find(|(of, _)| *of == group || *of == own);
    let expand = expand.filter(|_| parameters.any(|one| one["name"] == "$expand"));
    Operation {
        id: id.to_owned(),
        verb: Method::from_bytes(verb.as_bytes()).expect("a verb"),
        path: path.to_owned(),
        expand: expand.map(|(_, names)| *names),
        answers: told["responses"].clone(),
    }
}

fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/definitions/")
}

/// Whether a value says anything.
fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// One caller on its way down from the lists of accounts and subscriptions.
struct Walk<'a> {
    server: &'a Server,
    version: &'static str,
    token: String,
    /// Names that were listed, by the list's address.
    listed: BTreeMap<String, Vec<String>>,
}

impl Walk<'_> {
    async fn ask(&self, verb: &Method, path: &str, query: &str, body: &str) -> (u16, Value) {
        let url = format!("{}{path}?api-version={query}", self.server.told("base_url"));
        let mut request = self.server.client.request(verb.clone(), url).bearer_auth(&self.token);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// The names that a list has; none where it is not for this kind of account or this caller.
    async fn names(&mut self, list: &str) -> Vec<String> {
        if let Some(known) = self.listed.get(list) {
            return known.clone();
        }
        let version = if list == "/subscriptions" { "2022-12-01" } else { self.version };
        let (_, answer) = self.ask(&Method::GET, list, version, "").await;
        let items = answer["value"].as_array().into_iter().flatten();
        let name = |item: &Value| {
            let name = item["subscriptionId"].as_str().or(item["name"].as_str());
            name.expect("a name").to_owned()
        };
        let names: Vec<String> = items.map(name).collect();
        self.listed.insert(list.to_owned(), names.clone());
        names
    }

    /// The addresses that a path stands for, its parameters filled with what is listed above.
    async fn addresses(&mut self, path: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        for segment in path.split('/').skip(1) {
            let mut longer = Vec::new();
            for above in found {
                let names = if segment.starts_with('{') {
                    self.names(&above).await
                } else {
                    vec![segment.to_owned()]
                };
                longer.extend(names.iter().map(|name| format!("{above}/{name}")));
            }
            found = longer;
        }
        found
    }
}

/// Answers that were got, and what was wrong with any.
#[derive(Default)]
struct Got {
    by_operation: BTreeMap<String, Vec<Value>>,
    wrong: Vec<String>,
}

/// Asks every operation wherever a caller may, once plainly and once with everything expanded.
async fn ask_all(contract: &Contract, walk: &mut Walk<'_>, got: &mut Got) {
    let mut validators: BTreeMap<String, Validator> = BTreeMap::new();
    for operation in &contract.operations {
        let own = READS_BY_POST.iter().filter(|(id, _)| *id == operation.id);
        let mut bodies: Vec<&str> = own.map(|(_, body)| *body).collect();
        if bodies.is_empty() {
            bodies.push("");
        }
        let mut queries = vec![contract.version.to_owned()];
        queries.extend(operation.expand.map(|all| format!("{}&$expand={all}", contract.version)));
        for address in walk.addresses(&operation.path).await {
            for (query, body) in queries.iter().flat_map(|q| bodies.iter().map(move |b| (q, b))) {
                let (status, answer) = walk.ask(&operation.verb, &address, query, body).await;
                let declared = operation.answers.get(status.to_string());
                let declared = match (declared, status) {
                    (Some(declared), _) => declared,
                    (None, 400..500) => &operation.answers["default"],
                    (None, _) => &Value::Null,
                };
                let Some(name) = referred(&declared["schema"]) else {
                    got.wrong.push(format!("{} {address} {status}: undeclared", operation.id));
                    continue;
                };
                let validator =
                    validators.entry(name.to_owned()).or_insert_with(|| contract.validator(name));
                let found = problems(validator, &answer);
                let told =
                    |one: String| format!("{} {address}?{query} {status} {one}", operation.id);
                got.wrong.extend(found.into_iter().map(told));
                if status == 200 {
                    got.by_operation.entry(operation.id.clone()).or_default().push(answer);
                }
            }
        }
    }
}

/// Gives roles where nobody in the demo's world holds one that the vendor has.
async fn give_roles(server: &Server) {
    let token = server.told("clients.owner.token");
    let owner = Walk { server, version: VERSIONS[0], token, listed: BTreeMap::new() };
    let told = |name: &str| server.told(&format!("accounts.{name}"));
    let who = |name: &str| server.told(&format!("clients.{name}.client_id"));
    let account = format!("{ACCOUNTS}/{}", told("mca.billing_account"));
    let profile = format!("{account}/billingProfiles/{}", told("mca.billing_profile"));
    let section = format!("{profile}/invoiceSections/{}", told("mca.invoice_section"));
    let readers = [
        (account, "50000000-aaaa-bbbb-cccc-100000000002"),
        (profile, "40000000-aaaa-bbbb-cccc-100000000002"),
        (section, "30000000-aaaa-bbbb-cccc-100000000002"),
    ];
    for (place, definition) in readers {
        let path = format!("{place}/createBillingRoleAssignment");
        let principal = who("contributor");
        let body = json!({ "principalId": principal, "billingRoleDefinitionId": definition });
        let given = owner.ask(&Method::POST, &path, owner.version, &body.to_string()).await;
        assert_eq!(given.0, 201, "{path}: {}", given.1);
    }
    let account = format!("{ACCOUNTS}/{}", told("ea.billing_account"));
    let department = format!("{account}/departments/{}", told("ea.department"));
    let below = format!("{account}/enrollmentAccounts/{}", told("ea.enrollment_account"));
    let roles = [
        (department, "db609904-a47f-4794-9be8-9bd86fbffd8a"),
        (below, "c15c22c0-9faf-424c-9b7e-bd91c06a240b"),
    ];
    for (place, definition) in roles {
        let path = format!("{place}/billingRoleAssignments/given");
        let properties = json!({ "principalId": who("owner"), "roleDefinitionId": definition });
        let body = json!({ "properties": properties });
        let given = owner.ask(&Method::PUT, &path, owner.version, &body.to_string()).await;
        assert_eq!(given.0, 200, "{path}: {}", given.1);
    }
}

/// What is never filled, with its reason.
fn listed(version: &str) -> BTreeMap<(String, String), String> {
    let mut listed = BTreeMap::new();
    for line in NEVER_FILLED.lines().skip(1) {
        let cells: Vec<&str> = line.splitn(4, ',').collect();
        let [of, operation, member, reason] = cells.as_slice() else { panic!("{line}") };
        if *of == version {
            let reason = reason.trim_matches('"').to_owned();
            assert!(reason.len() > 10, "{line}: a reason");
            let before = listed.insert(((*operation).to_owned(), (*member).to_owned()), reason);
            assert_eq!(before, None, "{line} stands twice");
        }
    }
    listed
}

/// Why no answer has a member, by definition and member.
fn left_out(version: &str) -> BTreeMap<String, String> {
    let mut left_out = BTreeMap::new();
    for line in LEFT_OUT.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells[2] == "both" || cells[2].contains(version) {
            for member in cells[3].split(',').map(|member| member.trim().replace('`', "")) {
                let name = format!("{}.{member}", cells[1].replace('`', ""));
                left_out.insert(name, cells[4].to_owned());
            }
        }
    }
    left_out
}

/// Holds what was got against the list: what is filled must leave it, what is not needs a reason,
/// and the reason is that of the definition where no answer at all has the member.
fn check_filled(contract: &Contract, got: &Got) {
    let (listed, left_out) = (listed(contract.version), left_out(contract.version));
    let (mut found, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut declared = BTreeSet::new();
    for operation in &contract.operations {
        let Some(answers) = got.by_operation.get(&operation.id) else {
            wrong.push(format!("{} was never answered", operation.id));
            continue;
        };
        let mut unfilled = BTreeMap::new();
        let schema = &operation.answers["200"]["schema"];
        let answers: Vec<&Value> = answers.iter().collect();
        contract.unfilled((schema, ""), &answers, "", &mut unfilled);
        for (member, name) in unfilled {
            let key = (operation.id.clone(), member);
            match (listed.get(&key), left_out.get(&name)) {
                (None, _) => wrong.push(format!("{key:?} is never filled: a reason is missing")),
                (Some(given), Some(why)) if given != why => {
                    wrong.push(format!("{key:?}: `{given}`, but of {name}: `{why}`"));
                }
                (Some(_), _) => {}
            }
            found.insert(key);
            declared.insert(name);
        }
    }
    let filled = listed.keys().filter(|key| !found.contains(*key));
    wrong.extend(filled.map(|key| format!("{key:?} is filled, and must leave the list")));
    let filled = left_out.keys().filter(|name| !declared.contains(*name));
    wrong.extend(filled.map(|name| format!("{name} is filled, and must leave the table")));
    assert!(wrong.is_empty(), "{}:\n{}", contract.version, wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_strictly_as_described_and_what_is_never_filled_has_a_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::demo(&directory.path().join("data"), None, &SETTINGS);
    give_roles(&server).await;
    for version in VERSIONS {
        let Some(contract) = Contract::of(version) else { return };
        let mut got = Got::default();
        for caller in CALLERS {
            let token = server.told(&format!("clients.{caller}.token"));
            let listed = BTreeMap::new();
            let mut walk = Walk { server: &server, version, token, listed };
            ask_all(&contract, &mut walk, &mut got).await;
        }
        assert!(got.wrong.is_empty(), "{version}:\n{}", got.wrong.join("\n"));
        check_filled(&contract, &got);
    }
    server.stop();
}

#[test]
fn what_is_not_described_is_found() {
    let Some(contract) = Contract::of(VERSIONS[1]) else { return };
    let validator = contract.validator("InvoiceSection");
    let check = |properties: Value, expected: usize| {
        let section = json!({ "id": "/s", "name": "s", "type": "t", "properties": properties });
        assert_eq!(problems(&validator, &section).len(), expected, "{section}");
    };
    check(json!({ "displayName": "Freight", "state": "Active", "labels": { "a": "b" } }), 0);
    check(json!({ "displayName": 1 }), 1);
    check(json!({ "state": "Lost" }), 1);
    check(json!({ "labels": { "a": 1 } }), 1);
    check(json!({ "cost": "1" }), 1);
    check(Value::Null, 1);
    let validator = contract.validator("Instruction");
    let check = |start: &str, expected: usize| {
        let properties = json!({ "amount": 1, "startDate": start, "endDate": start });
        assert_eq!(problems(&validator, &json!({ "properties": properties })).len(), expected);
    };
    check("2026-01-01T00:00:00Z", 0);
    check("2026-02-30T00:00:00Z", 2);
    check("soon", 2);
}
