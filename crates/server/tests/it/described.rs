//! The admin API as its own OpenAPI document has it: answers of all tests are held to it.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use crate::program;
use jsonschema::Validator;
use reqwest::Response;
use serde_json::{Value, json};
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = program::run(&["openapi"], &[]);
    serde_json::from_str(&text).expect("JSON")
});

/// The document as the program prints it.
pub(crate) fn document() -> &'static Value {
    &DOCUMENT
}

/// One operation of the document.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) told: Value,
}

/// Every operation of the document.
pub(crate) fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, verbs) in document()["paths"].as_object().expect("paths") {
        for (verb, told) in verbs.as_object().expect("verbs") {
            let id = told["operationId"].as_str().expect("an id").to_owned();
            let (verb, path, told) = (verb.to_uppercase(), path.clone(), told.clone());
            all.push(Operation { id, verb, path, told });
        }
    }
    all
}

/// Whether an address is one of a path with parameters.
fn fits(template: &str, path: &str) -> bool {
    let (parts, asked): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    let alike = |(part, asked): (&&str, &&str)| part.starts_with('{') || part == asked;
    parts.len() == asked.len() && parts.iter().zip(&asked).all(alike)
}

/// Status and body of an answer of the admin API, which must be as it is described.
pub(crate) async fn checked(verb: &str, answer: Response) -> (u16, Value) {
    let (path, status) = (answer.url().path().to_owned(), answer.status().as_u16());
    let body = answer.text().await.expect("text");
    let body =
        if body.is_empty() { Value::Null } else { serde_json::from_str(&body).expect("JSON") };
    let served = operations().into_iter().find(|one| one.verb == verb && fits(&one.path, &path));
    // Other surfaces, and the demo's clock, are not described.
    if let Some(operation) = served {
        let found = problems(&operation, status, &body);
        assert_eq!(found, Vec::<String>::new(), "{verb} {path} {status}: {body:.500}");
    }
    (status, body)
}

/// Where an answer is not as its operation says; members that the document does not name are wrong.
fn problems(operation: &Operation, status: u16, body: &Value) -> Vec<String> {
    let answers = &operation.told["responses"];
    let answer = answers.get(status.to_string());
    let answer = match (answer, status) {
        (Some(answer), _) => answer,
        (None, 400..) => &answers["default"],
        (None, _) => return vec![format!("{}: {status} is not described", operation.id)],
    };
    let Some(schema) = answer["content"]["application/json"]["schema"]["$ref"].as_str() else {
        let is_empty = body.is_null();
        return if is_empty { vec![] } else { vec!["a body that is not described".to_owned()] };
    };
    let pointer = schema.strip_prefix('#').expect("a reference of the document");
    let mut schema = document().pointer(pointer).expect("a schema").clone();
    close(&mut schema);
    let validator: Validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let told = |error: jsonschema::ValidationError<'_>| {
        format!("{}: {error}", error.instance_path()).chars().take(300).collect()
    };
    validator.iter_errors(body).map(told).collect()
}

/// Refuses members that the schema does not name.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            // The variants of an enum that is flattened into others are no members of their own.
            let variants = members.get("oneOf").filter(|_| members.contains_key("properties"));
            let variants = variants.cloned();
            let word =
                if variants.is_some() { "unevaluatedProperties" } else { "additionalProperties" };
            if members.contains_key("properties") && !members.contains_key(word) {
                members.insert(word.to_owned(), json!(false));
            }
            members.values_mut().for_each(close);
            if let Some(mut variants) = variants {
                for variant in variants.as_array_mut().into_iter().flatten() {
                    variant.as_object_mut().into_iter().for_each(|variant| {
                        let parts = variant.values_mut().filter_map(Value::as_object_mut);
                        parts.for_each(|named| named.values_mut().for_each(close));
                    });
                }
                members.insert("oneOf".to_owned(), variants);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn what_is_not_described_is_found() {
    let operation = operations().into_iter().find(|one| one.id == "Keys_Revoke").expect("it");
    let check = |status: u16, body: Value, expected: usize| {
        assert_eq!(problems(&operation, status, &body).len(), expected, "{status} {body}");
    };
    let refusal = json!({ "error": { "code": "not_found", "message": "no" } });
    check(204, Value::Null, 0);
    check(204, json!({}), 1);
    check(200, Value::Null, 1);
    check(404, refusal, 0);
    check(404, json!({ "error": { "code": "not_found", "message": 1 } }), 1);
    check(404, json!({ "error": { "code": "not_found", "message": "no", "more": 1 } }), 1);
}

#[test]
fn the_document_is_a_sound_one() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut ids = std::collections::BTreeSet::new();
    for Operation { id, verb, path, told } in operations() {
        assert!(ids.insert(id.clone()), "{id} stands twice");
        let parameters = told["parameters"].as_array().expect("parameters");
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let is_it = |one: &&Value| one["in"] == "path" && one["name"] == part;
            let found = parameters.iter().find(is_it).unwrap_or_else(|| panic!("{id}: {part}"));
            assert_eq!(found["required"], true, "{id}: {part}");
        }
        let names = |place: &str| -> Vec<&str> {
            let of = parameters.iter().filter(|one| one["in"] == place);
            of.map(|one| one["name"].as_str().expect("a name")).collect()
        };
        assert_eq!(verb == "GET", names("header").contains(&"If-None-Match"), "{id}");
        assert!(told["responses"]["default"].is_object(), "{id}");
    }
    let mut references = Vec::new();
    referred(document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("of this document");
        assert!(document.pointer(pointer).is_some(), "{reference} is not there");
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        jsonschema::draft202012::new(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn referred(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| referred(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| referred(value, found)),
        _ => {}
    }
}

async fn the_document_is_served_to_anybody_and_every_path_answers(books: Books) {
    let installation = Installation::new(books, "USD", "");
    let server = installation.serve(&[]);
    let answer = server.get("/admin/v1/openapi.json", None).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(&answer.json::<Value>().await.expect("JSON"), document());
    for Operation { id, verb, path, told } in operations() {
        let is_open = told["security"] == json!([]);
        let verb = reqwest::Method::from_bytes(verb.as_bytes()).expect("a verb");
        let url = format!("{}{}", server.told("base_url"), path.replace(['{', '}'], ""));
        let answer = server.client.request(verb, url).send().await.expect("an answer");
        // Who is not signed in is told so before anything else.
        assert_eq!(answer.status().as_u16(), if is_open { 200 } else { 401 }, "{id}");
    }
    server.stop();
}

on_each_store!(the_document_is_served_to_anybody_and_every_path_answers);

/// The rows of a table of a document whose first column has names.
pub(crate) fn rows(document: &str, heading: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let text = std::fs::read_to_string(path).expect("a document of ours");
    let table = text.split_once(heading).expect("the table").1;
    let lines = table.lines().skip_while(|line| !line.starts_with("| "));
    let lines = lines.take_while(|line| line.starts_with('|')).skip(2);
    let words = |cell: &str| -> Vec<String> {
        cell.split(',').map(|word| word.trim().trim_matches('`').to_owned()).collect()
    };
    let cells = lines.map(|line| line.split('|').skip(1).map(words).collect::<Vec<_>>());
    cells.map(|cells| (cells[0].clone(), cells[1].clone())).collect()
}

#[test]
fn every_operation_is_documented_and_has_a_command() {
    let mut ids: Vec<String> = operations().into_iter().map(|one| one.id).collect();
    ids.sort();
    let mut named: Vec<String> =
        rows("docs/admin.md", "## Operations").into_iter().flat_map(|(ids, _)| ids).collect();
    named.sort();
    assert_eq!(named, ids, "the table of operations in docs/admin.md");
    let commands = rows("docs/admin.md", "## Commands");
    let mut served: Vec<String> = commands.iter().flat_map(|(ids, _)| ids.clone()).collect();
    served.sort();
    assert_eq!(served, ids, "the table of commands in docs/admin.md");
    for command in commands.iter().flat_map(|(_, commands)| commands) {
        let name = command.split_whitespace().next().expect("a command");
        let help = program::run(&[name, "--help"], &[]);
        // These have nothing to say, or say it in JSON anyway.
        let is_silent = matches!(name, "revoke" | "seal" | "openapi");
        let has_json = help.contains("--json") || help.contains("--output");
        assert_ne!(has_json, is_silent, "{name}: {help}");
    }
}
