//! What was sent, member by member: whatever is wrong is kept as a fault of the member's path, and
//! the reading goes on.

use domain::Error;
use httpkit::Faults;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Larger bodies are not taken: as values they take many times their size. It holds a thousand
/// values in each list of a filter, at 80 bytes each.
pub(crate) const BODY_MOST_BYTES: usize = 1_024 * 1_024;

/// A member that may be there; `null` is as if it were not.
#[derive(Debug, Clone)]
pub(crate) struct Member<'a> {
    path: String,
    value: Option<&'a Value>,
    values_most: usize,
}

/// Keeps that a member is wrong.
pub(crate) fn wrong(faults: &mut Faults, path: &str, problem: impl Into<String>) {
    let _nothing: Option<()> = faults.read(path, Err(Error::invalid(path, problem)));
}

/// The whole of a body; nothing if it is no object of JSON.
pub(crate) fn whole(body: &[u8], faults: &mut Faults) -> Option<Value> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value.is_object() => Some(value),
        Ok(_) => {
            wrong(faults, "body", "must be an object");
            None
        }
        Err(error) => {
            wrong(faults, "body", format!("is not JSON: {error}"));
            None
        }
    }
}

impl<'a> Member<'a> {
    /// The root, whose path is empty; lists in it may have so many values.
    pub(crate) fn root(value: &'a Value, values_most: usize) -> Member<'a> {
        Member { path: String::new(), value: Some(value), values_most }
    }

    /// A member of this one; it is not there if this one is not, or is no object.
    pub(crate) fn member(&self, name: &str) -> Member<'a> {
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let value = self.value.and_then(|value| value.get(name)).filter(|value| !value.is_null());
        Member { path, value, values_most: self.values_most }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is there.
    pub(crate) fn is_given(&self) -> bool {
        self.value.is_some()
    }

    /// Whether it is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.value.is_some_and(Value::is_object)
    }

    /// Whether it is an array without items.
    pub(crate) fn is_empty_list(&self) -> bool {
        self.value.and_then(Value::as_array).is_some_and(Vec::is_empty)
    }

    /// Keeps the fault if it is not there.
    pub(crate) fn demand(&self, faults: &mut Faults) {
        if self.value.is_none() {
            wrong(faults, &self.path, "must be there");
        }
    }

    /// Keeps the fault if it is there and no object; its members are then not there.
    pub(crate) fn check_object(&self, faults: &mut Faults) {
        if self.is_given() && !self.is_object() {
            wrong(faults, &self.path, "must be an object");
        }
    }

    /// The names of its members; none if it is no object.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        let members = self.value.and_then(Value::as_object);
        members.into_iter().flat_map(|members| members.keys().map(String::as_str))
    }

    /// Its text, if it is there.
    pub(crate) fn text(&self, faults: &mut Faults) -> Option<&'a str> {
        let text = self.value?.as_str();
        if text.is_none() {
            wrong(faults, &self.path, "must be a string");
        }
        text
    }

    /// Whether it is true, if it is there.
    pub(crate) fn truth(&self, faults: &mut Faults) -> Option<bool> {
        let truth = self.value?.as_bool();
        if truth.is_none() {
            wrong(faults, &self.path, "must be true or false");
        }
        truth
    }

    /// Its 64-bit whole number as text, if it is there.
    pub(crate) fn whole_number(&self, faults: &mut Faults) -> Option<String> {
        let number = self.value?.as_i64();
        if number.is_none() {
            wrong(faults, &self.path, "must be a whole number of 64 bits");
        }
        number.map(|number| number.to_string())
    }

    /// Which of these it names, if it is there.
    pub(crate) fn one_of<T: Copy>(&self, known: &[(&str, T)], faults: &mut Faults) -> Option<T> {
        let text = self.text(faults)?;
        let found = known.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let problem = format!("`{}` is none of {}", short(text), names.join(", "));
            wrong(faults, &self.path, problem);
        }
        found.map(|(_, value)| *value)
    }

    /// What was read of each of its items, none of which may be there twice; those that are wrong
    /// are left out. Of a list with too many none is read.
    pub(crate) fn each<T: Ord + Clone>(
        &self,
        faults: &mut Faults,
        read: impl Fn(&Member<'a>, &mut Faults) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = self.value else { return Vec::new() };
        let Some(items) = value.as_array() else {
            wrong(faults, &self.path, "must be an array");
            return Vec::new();
        };
        if items.len() > self.values_most {
            let (length, most) = (items.len(), self.values_most);
            wrong(faults, &self.path, format!("has {length} values, and may have {most}"));
            return Vec::new();
        }
        let mut known: BTreeMap<T, usize> = BTreeMap::new();
        let mut all = Vec::new();
        for (place, value) in items.iter().enumerate() {
            let path = format!("{}[{place}]", self.path);
            let item = Member { path, value: Some(value), values_most: self.values_most };
            let Some(one) = read(&item, faults) else { continue };
            if let Some(first) = known.get(&one) {
                wrong(faults, &item.path, format!("is {}[{first}] once more", self.path));
                continue;
            }
            known.insert(one.clone(), place);
            all.push(one);
        }
        all
    }

    /// The texts of its items.
    pub(crate) fn texts(&self, faults: &mut Faults) -> BTreeSet<String> {
        let read = |item: &Member<'a>, faults: &mut Faults| item.text(faults).map(str::to_owned);
        self.each(faults, read).into_iter().collect()
    }
}

/// The beginning of what was sent, for words about it.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}
