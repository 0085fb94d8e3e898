//! What applying a declaration would change.

use super::{Declared, Thing};
use domain::Result;
use domain::chain::Digest;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use store::NewFact;

/// Newest body of each (kind, key).
pub type Bodies = BTreeMap<(String, String), Arc<str>>;

/// Most changed fields that are told of one thing, and things of one kind that are shown as text.
const MOST_SHOWN: usize = 20;

/// What applying would change, and the facts that change it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What changes, by kind, then key.
    pub changes: Vec<Change>,
    /// How many things are declared as they stand.
    pub unchanged: usize,
    /// How many things were declared before and are not in the files: they stay.
    pub elsewhere: usize,
    /// The facts to append: one for each change.
    pub facts: Vec<NewFact>,
    /// The digest of all that it would append and all that would yield: whoever was shown it can
    /// name it.
    pub id: Digest,
}

/// One thing that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its kind.
    pub kind: &'static str,
    /// Its key.
    pub key: String,
    /// How.
    pub what: What,
}

/// How a thing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was not there.
    Added,
    /// It was there, otherwise.
    Changed {
        /// The first fields that differ.
        fields: Vec<FieldChange>,
        /// How many more differ.
        more: usize,
    },
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Which: `placements[1].offer`.
    pub path: String,
    /// What stood there, as JSON; none if nothing did.
    pub old: Option<String>,
    /// What will stand there.
    pub new: Option<String>,
}

/// Compares a declaration with the newest facts. Nothing is taken away by leaving it out.
///
/// Errors: [`domain::Error::Internal`] when a fact's body is not of our making.
pub fn plan(current: &Bodies, declared: &Declared) -> Result<Plan> {
    let mut plan = Plan {
        changes: Vec::new(),
        unchanged: 0,
        elsewhere: 0,
        facts: Vec::new(),
        id: Digest::GENESIS,
    };
    let mut seen = Vec::new();
    let mut declared_keys = BTreeSet::new();
    for thing in &declared.things {
        let fact = thing.fact();
        let key = (fact.kind.clone(), fact.key.clone());
        let what = match current.get(&key) {
            None => What::Added,
            // An older program may have left out or spelled out what we do not.
            Some(body) if **body == *fact.body => {
                plan.unchanged = plan.unchanged.saturating_add(1);
                declared_keys.insert(key);
                continue;
            }
            Some(body) => {
                let before = Thing::read(&key.0, &key.1, body)?.body();
                if before == fact.body {
                    plan.unchanged = plan.unchanged.saturating_add(1);
                    declared_keys.insert(key);
                    continue;
                }
                changed(&before, &fact.body)
            }
        };
        let before = current.get(&key).map_or("", |body| body);
        for part in [fact.kind.as_str(), &fact.key, before, &fact.body] {
            seen.extend_from_slice(Digest::of(part.as_bytes()).as_bytes());
        }
        plan.changes.push(Change { kind: thing.kind(), key: fact.key.clone(), what });
        plan.facts.push(fact);
        declared_keys.insert(key);
    }
    plan.id = Digest::of(&seen);
    let declarable = |kind: &str| super::KINDS.contains(&kind);
    plan.elsewhere =
        current.keys().filter(|key| declarable(&key.0) && !declared_keys.contains(*key)).count();
    Ok(plan)
}

fn changed(before: &str, after: &str) -> What {
    let read = |body: &str| serde_json::from_str(body).unwrap_or(Value::Null);
    let mut fields = Vec::new();
    compare("", Some(&read(before)), Some(&read(after)), &mut fields);
    let more = fields.len().saturating_sub(MOST_SHOWN);
    fields.truncate(MOST_SHOWN);
    What::Changed { fields, more }
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, fields: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(old), Some(new)) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let path = super::wrong::join(path, key);
                compare(&path, old.get(key), new.get(key), fields);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let (old, new) = (labelled(old), labelled(new));
            let labels: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for label in labels {
                let path = format!("{path}[{label}]");
                compare(&path, old.get(label).copied(), new.get(label).copied(), fields);
            }
        }
        (old, new) => {
            let text = |value: Option<&Value>| value.map(Value::to_string);
            fields.push(FieldChange { path: path.to_owned(), old: text(old), new: text(new) });
        }
    }
}

/// The items of an array by what tells them apart, so that one more does not move the others.
fn labelled(items: &[Value]) -> BTreeMap<String, &Value> {
    let mut labelled = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let label = match item {
            Value::Object(fields) => label(fields),
            _ => String::new(),
        };
        let label = if label.is_empty() { format!("{at:04}") } else { label };
        let mut free = label.clone();
        let mut again = 2_usize..;
        while labelled.contains_key(&free)
            && let Some(again) = again.next()
        {
            free = format!("{label} ({again})");
        }
        labelled.insert(free, item);
    }
    labelled
}

fn label(fields: &Map<String, Value>) -> String {
    let keys = ["meter", "lineage", "effective_from", "conditions", "from"];
    let parts = keys.iter().filter_map(|key| fields.get(*key));
    let texts = parts.map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned));
    texts.collect::<Vec<_>>().join(" ")
}

impl Plan {
    /// The plan as JSON, for programs.
    pub fn to_json(&self) -> Value {
        let changes: Vec<Value> = self.changes.iter().map(Change::to_json).collect();
        json!({ "changes": changes, "unchanged": self.unchanged, "elsewhere": self.elsewhere })
    }
}

impl Change {
    fn to_json(&self) -> Value {
        match &self.what {
            What::Added => json!({ "kind": self.kind, "key": self.key, "what": "added" }),
            What::Changed { fields, more } => {
                let fields: Vec<Value> = fields
                    .iter()
                    .map(|field| json!({ "path": field.path, "old": field.old, "new": field.new }))
                    .collect();
                json!({
                    "kind": self.kind, "key": self.key, "what": "changed",
                    "fields": fields, "more_fields": more,
                })
            }
        }
    }
}

/// The plan for people: a line for each change, then what does not change.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in super::KINDS {
            let (added, changed): (Vec<&Change>, Vec<&Change>) = self
                .changes
                .iter()
                .filter(|change| change.kind == kind)
                .partition(|change| change.what == What::Added);
            for change in changed {
                write!(f, "{change}")?;
            }
            for change in added.iter().take(MOST_SHOWN) {
                write!(f, "{change}")?;
            }
            let hidden = added.len().saturating_sub(MOST_SHOWN);
            if hidden > 0 {
                writeln!(f, "+ {kind}: {hidden} more")?;
            }
        }
        writeln!(f, "{} to change, {} unchanged", self.changes.len(), self.unchanged)?;
        if self.elsewhere > 0 {
            writeln!(f, "{} declared earlier, not in these files: kept", self.elsewhere)?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Added => writeln!(f, "+ {} `{}`", self.kind, self.key),
            What::Changed { fields, more } => {
                writeln!(f, "~ {} `{}`", self.kind, self.key)?;
                for FieldChange { path, old, new } in fields {
                    let show = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".into());
                    writeln!(f, "    {path}: {} -> {}", show(old), show(new))?;
                }
                if *more > 0 {
                    writeln!(f, "    and {more} more fields")?;
                }
                Ok(())
            }
        }
    }
}
