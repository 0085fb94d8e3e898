//! The published descriptions of Azure Billing: which operations are served, what an answer must be
//! strictly, and which members of it nobody filled.

use crate::contracts::{description, problems};
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(crate) const FIRST: &str = "2019-10-01-preview";
pub(crate) const SECOND: &str = "2020-05-01";
/// Version, verb, path and id of each operation on a line.
const SERVED: &str = include_str!("../../../../surfaces/azure-billing/operations.txt");

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
pub(crate) struct Contract {
    pub(crate) version: &'static str,
    /// Each with the members of what it is made of; members that it does not name are wrong.
    definitions: Map<String, Value>,
    pub(crate) operations: Vec<Operation>,
}

/// An operation that is served.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) verb: Method,
    pub(crate) path: String,
    /// What `$expand` takes, if it is declared.
    pub(crate) expand: Option<&'static str>,
    /// Its answers by status.
    pub(crate) answers: Value,
}

impl Contract {
    pub(crate) fn of(version: &'static str) -> Option<Contract> {
        let described = description(&format!("microsoft-billing/{version}/billing.json"))?;
        let definitions = closed(&described);
        let mut operations = Vec::new();
        for line in SERVED.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [of, verb, path, id] = words.as_slice() else { panic!("{line}") };
            if *of == version {
                operations.push(operation(&described, version, (*verb, *path, *id)));
            }
        }
        Some(Contract { version, definitions, operations })
    }

    /// What an answer must be, by the name of its definition.
    pub(crate) fn validator(&self, name: &str) -> Validator {
        let reference = format!("#/definitions/{name}");
        let schema = json!({ "$ref": reference, "definitions": self.definitions });
        jsonschema::draft4::new(&schema).expect("a schema")
    }

    /// The members of a schema that none of some values has: by their paths, those who declare
    /// them. What lies below a member that nobody has is not looked at.
    pub(crate) fn unfilled(
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

pub(crate) fn referred(schema: &Value) -> Option<&str> {
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

#[test]
fn what_is_not_described_is_found() {
    let Some(contract) = Contract::of(SECOND) else { return };
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
