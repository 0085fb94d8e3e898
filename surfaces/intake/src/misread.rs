//! Which member of an event cannot be read, and why.

use domain::Error;
use serde_json::{Map, Value};

/// Why an object cannot be read: its first member that cannot be read by itself either, else what
/// it lacks or has twice. `whole` names the object.
pub(crate) fn wrong_member(
    json: &str,
    whole: &str,
    error: &serde_json::Error,
    read: impl Fn(&str) -> Option<serde_json::Error>,
) -> Error {
    let members: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let found = members.into_iter().find_map(|(name, value)| {
        let mut alone = Map::new();
        alone.insert("meter".to_owned(), Value::from(""));
        alone.insert("quantity".to_owned(), Value::from(0));
        alone.insert(name.clone(), value);
        let wrong = read(&Value::Object(alone).to_string())?;
        Some(Error::invalid(cut(&name, 64), problem_of(&wrong)))
    });
    found.unwrap_or_else(|| {
        let problem = problem_of(error);
        let names_member = problem.starts_with("missing field") || problem.starts_with("duplicate");
        let field = problem.split('`').nth(1).filter(|_| names_member).unwrap_or(whole);
        Error::invalid(field.to_owned(), problem)
    })
}

/// What is wrong, without the place in the JSON: it is not the sender's.
fn problem_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("unknown field") {
        return "is no member that is known".to_owned();
    }
    cut(text.split(" at line ").next().unwrap_or(&text), 300)
}

/// A text of the sender's, as far as it is repeated.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
