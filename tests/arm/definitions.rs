//! For the tests of surfaces: the published descriptions and examples of a contract, and answers
//! held against them.
//!
//! Each surface that uses it names it by its path.

use calendar::Instant;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

/// A contract with published descriptions.
pub(crate) struct Contract {
    /// Its folder among the specifications.
    pub(crate) folder: &'static str,
    /// The file of each version's description.
    pub(crate) file: &'static str,
    /// Where the members that no answer has are listed, among the deviations.
    pub(crate) left_out: &'static str,
}

impl Contract {
    /// A published file of this contract: of `RECKONER_SPECS`, else beside the checkout.
    ///
    /// Where the folder is missing the test says so aloud; under `CI=true` that is a failure.
    pub(crate) fn published(&self, file: &str) -> Option<Value> {
        let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
        let folder = std::env::var_os("RECKONER_SPECS").map_or_else(beside, PathBuf::from);
        if !folder.is_dir() {
            writeln!(std::io::stderr(), "LEFT OUT: {file}: no folder {}", folder.display())
                .unwrap();
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no descriptions under CI");
            return None;
        }
        let text = std::fs::read_to_string(folder.join(self.folder).join(file)).unwrap();
        Some(serde_json::from_str(&text).unwrap())
    }

    fn description(&self, version: &str) -> Option<Value> {
        self.published(&format!("{version}/{}", self.file))
    }
}

/// The definitions of a published description, and which of their members were seen.
pub(crate) struct Definitions {
    contract: &'static Contract,
    version: &'static str,
    all: Map<String, Value>,
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Definitions {
    /// Those of a version.
    pub(crate) fn of(contract: &'static Contract, version: &'static str) -> Option<Definitions> {
        let whole = contract.description(version)?;
        let all = whole["definitions"].as_object().unwrap().clone();
        Some(Definitions { contract, version, all, seen: BTreeMap::new() })
    }

    /// Holds an answer against a definition: members, types, enums, what is required.
    pub(crate) fn check(&mut self, name: &str, answer: impl Serialize) {
        let answer = serde_json::to_value(answer).unwrap();
        let wrong = self.problems(name, &answer);
        assert_eq!(wrong, Vec::<String>::new(), "{name} of {}", self.version);
    }

    /// Where an answer is not as a definition says.
    pub(crate) fn problems(&mut self, name: &str, answer: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.definition(name, answer, name, &mut wrong);
        wrong
    }

    /// Holds what no answer filled against the table of members that the books do not know, of the
    /// definitions that were seen.
    pub(crate) fn check_left_out(&self) {
        let mut found = BTreeSet::new();
        for (name, seen) in &self.seen {
            let members = self.members(name);
            let left = members.keys().filter(|one| *one != "nextLink" && !seen.contains(*one));
            found.extend(left.map(|member| format!("{name}.{member}")));
        }
        assert_eq!(found, self.left_out(), "members of {} that no answer has", self.version);
    }

    /// The members that no answer has, as the table lists them: `Enrollment.channel`.
    fn left_out(&self) -> BTreeSet<String> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/deviations");
        let path = folder.join(self.contract.left_out);
        let text = std::fs::read_to_string(path).unwrap();
        let mut listed = BTreeSet::new();
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let is_seen = self.seen.contains_key(&cells[1].replace('`', ""));
            if is_seen && (cells[2] == "both" || cells[2].contains(self.version)) {
                let members = cells[3].split(',').map(|member| member.trim().replace('`', ""));
                listed.extend(
                    members.map(|member| format!("{}.{member}", cells[1].replace('`', ""))),
                );
            }
        }
        listed
    }

    /// Of what a list consists, by the name of its definition; none for what is no list.
    pub(crate) fn items(&self, name: &str) -> Option<&str> {
        referred(&self.all[name]["properties"]["value"]["items"])
    }

    /// The members of one value that another of the same schema lacks, and what changed on the way.
    pub(crate) fn lost(&self, schema: &Value, before: &Value, after: &Value) -> BTreeSet<String> {
        let named = referred(schema);
        let schema = named.map_or(schema, |name| &self.all[name]);
        let mut lost = BTreeSet::new();
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                let members = named.map_or_else(Map::new, |name| self.members(name));
                for (member, value) in before {
                    let below = members.get(member).unwrap_or(&schema["additionalProperties"]);
                    match after.get(member) {
                        Some(after) => lost.extend(self.lost(below, value, after)),
                        None => {
                            lost.insert(format!("{}.{member}", named.unwrap_or("-")));
                        }
                    }
                }
            }
            (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
                for (before, after) in before.iter().zip(after) {
                    lost.extend(self.lost(&schema["items"], before, after));
                }
            }
            _ if spelled(before) == spelled(after) => {}
            _ => {
                lost.insert(format!("{before} became {after}"));
            }
        }
        lost
    }

    /// The members of a definition, with those of what it is made of.
    pub(crate) fn members(&self, name: &str) -> Map<String, Value> {
        let definition = &self.all[name];
        let mut members = definition["properties"].as_object().cloned().unwrap_or_default();
        for part in definition["allOf"].as_array().into_iter().flatten() {
            members.extend(self.members(referred(part).unwrap()));
        }
        members
    }

    fn definition(&mut self, name: &str, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let definition = self.all[name].clone();
        let members = self.members(name);
        if members.is_empty() {
            return self.typed(&definition, value, at, wrong);
        }
        let Some(object) = value.as_object() else {
            return wrong.push(format!("{at}: no object"));
        };
        let required = definition["required"].as_array().into_iter().flatten();
        for member in required.filter_map(Value::as_str).filter(|one| !object.contains_key(*one)) {
            wrong.push(format!("{at}.{member}: is required"));
        }
        for (member, value) in object {
            let at = format!("{at}.{member}");
            self.seen.entry(name.to_owned()).or_default().insert(member.clone());
            match members.get(member) {
                Some(schema) => self.schema(schema, value, &at, wrong),
                None => wrong.push(format!("{at}: is not declared")),
            }
        }
    }

    fn schema(&mut self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        match referred(schema) {
            Some(name) => self.definition(name, value, at, wrong),
            None => self.typed(schema, value, at, wrong),
        }
    }

    fn typed(&mut self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        if let Some(items) = value.as_array() {
            for (number, item) in items.iter().enumerate() {
                self.schema(&schema["items"], item, &format!("{at}[{number}]"), wrong);
            }
        }
        if let Some(object) = value.as_object() {
            for (name, value) in object {
                let own = schema["properties"].get(name);
                let schema = own.unwrap_or(&schema["additionalProperties"]);
                self.schema(schema, value, &format!("{at}.{name}"), wrong);
            }
        }
        let is_right = match schema["type"].as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64() || value.is_i64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            // Some enums and objects have no type.
            _ => {
                schema.get("enum").is_some()
                    || (value.is_object() && !schema["properties"].is_null())
            }
        };
        let is_known = schema["enum"].as_array().is_none_or(|known| known.contains(value));
        let is_time = schema["format"] != "date-time"
            || value.as_str().is_some_and(|text| Instant::parse(text).is_ok());
        if !is_right || !is_known || !is_time {
            wrong.push(format!("{at}: {value} is not as {schema}"));
        }
    }
}

/// The name of the definition that a schema refers to.
pub(crate) fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/definitions/")
}

/// A number without the zeros at its end: `5000.0` is `5000`.
fn spelled(value: &Value) -> String {
    let text = value.to_string();
    match value {
        Value::Number(_) if text.contains('.') => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => text,
    }
}

/// An example and the operation that it is of, as the description tells it.
pub(crate) struct Example {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) operation: Value,
    pub(crate) told: Value,
}

/// The examples of some operations of a version.
pub(crate) fn examples_of(
    contract: &Contract,
    version: &str,
    ids: &BTreeSet<&str>,
) -> Option<Vec<Example>> {
    let described = contract.description(version)?;
    let mut all = Vec::new();
    for verbs in described["paths"].as_object().unwrap().values() {
        for operation in verbs.as_object().unwrap().values() {
            let Some(id) = operation["operationId"].as_str().filter(|id| ids.contains(id)) else {
                continue;
            };
            let operation = &resolved(&described, operation);
            let own = operation["x-ms-examples"].as_object().into_iter().flatten();
            for file in own.map(|(_, file)| file["$ref"].as_str().unwrap()) {
                let file = file.trim_start_matches("./");
                let told = contract.published(&format!("{version}/{file}")).unwrap();
                let name = file.trim_start_matches("examples/").trim_end_matches(".json");
                let (name, id, operation) = (name.to_owned(), id.to_owned(), operation.clone());
                all.push(Example { name, id, operation, told });
            }
        }
    }
    Some(all)
}

/// An operation with its parameters, also those that the description has once for all.
fn resolved(described: &Value, operation: &Value) -> Value {
    let mut operation = operation.clone();
    for one in operation["parameters"].as_array_mut().into_iter().flatten() {
        let name = one["$ref"].as_str().and_then(|of| of.strip_prefix("#/parameters/"));
        if let Some(name) = name {
            *one = described["parameters"][name].clone();
        }
    }
    operation
}

/// The answers of an example, by the names of their definitions.
pub(crate) fn answers(example: &Example) -> Vec<(&str, &Value)> {
    let mut answers = Vec::new();
    for (status, answer) in example.told["responses"].as_object().unwrap() {
        let schema = &example.operation["responses"][status]["schema"];
        match (schema["$ref"].as_str(), answer.get("body")) {
            (Some(name), Some(body)) => {
                answers.push((name.strip_prefix("#/definitions/").unwrap(), body));
            }
            (None, None) => {}
            _ => panic!("{} {status}: a body and a definition, or neither", example.name),
        }
    }
    answers
}
