//! One row of a table or answer: cells by column, taken out one by one; the rest are details.

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Key of a cell that stands for one tag: this, then the tag as spelled.
const TAG: &str = "tag:";

/// How columns are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By letters and digits only, in any letter case; of `Maßeinheit (UnitOfMeasure)` by the
    /// English name in brackets.
    Folded,
    /// As the file spells them.
    AsSpelled,
}

/// A column's key and spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub key: String,
    pub spelled: String,
}

/// The columns of a table; a name that comes twice is numbered, so no cell hides another.
pub(crate) fn columns<'a>(names: impl Iterator<Item = &'a str>, naming: Naming) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for name in names {
        let mut column = column(name.trim(), naming);
        let twins = columns.iter().filter(|other| other.spelled == column.spelled).count();
        if twins > 0 {
            column.spelled.push_str(&format!(" #{}", twins.saturating_add(1)));
        }
        while columns.iter().any(|other| other.key == column.key) {
            column.key.push('#');
        }
        columns.push(column);
    }
    columns
}

fn column(name: &str, naming: Naming) -> Column {
    if naming == Naming::AsSpelled {
        return Column { key: name.to_owned(), spelled: name.to_owned() };
    }
    // AWS spells tags `resourceTags/user:team`, OCI `tags/team`.
    if let Some(tag) = name.strip_prefix("resourceTags/").or(name.strip_prefix("tags/")) {
        return Column { key: format!("{TAG}{tag}"), spelled: name.to_owned() };
    }
    let spelled = match (name.rfind('('), name.strip_suffix(')')) {
        (Some(open), Some(head)) if open > 0 => &head[open.saturating_add(1)..],
        _ => name,
    };
    Column { key: fold(spelled), spelled: spelled.to_owned() }
}

/// Letters and digits only, in lower case.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// One row.
pub(crate) struct Row<'a> {
    cells: BTreeMap<Cow<'a, str>, Cell<'a>>,
}

struct Cell<'a> {
    spelled: Cow<'a, str>,
    content: Content<'a>,
}

enum Content<'a> {
    Text(&'a str),
    Json(Value),
}

impl<'a> Row<'a> {
    /// A row of a table. Cells that the row leaves out at its end are empty.
    pub(crate) fn of_table(columns: &'a [Column], cells: impl Iterator<Item = &'a str>) -> Row<'a> {
        let cells = columns.iter().zip(cells.chain(std::iter::repeat(""))).map(|(column, text)| {
            let spelled = Cow::Borrowed(column.spelled.as_str());
            let content = Content::Text(text);
            (Cow::Borrowed(column.key.as_str()), Cell { spelled, content })
        });
        Row { cells: cells.collect() }
    }

    /// A row of an answer: the members of its objects, side by side.
    pub(crate) fn of_members(objects: impl IntoIterator<Item = Map<String, Value>>) -> Row<'a> {
        let members = objects.into_iter().flatten().map(|(name, value)| {
            (Cow::Owned(fold(&name)), Cell { spelled: name.into(), content: Content::Json(value) })
        });
        Row { cells: members.collect() }
    }

    /// Whether there is such a column, be its cell empty or not.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.cells.contains_key(*name))
    }

    /// Takes out the first of these cells that is not empty.
    pub(crate) fn take(&mut self, names: &[&str]) -> Option<Cow<'a, str>> {
        for name in names {
            if self.cells.get(*name).is_some_and(|cell| !cell.is_empty()) {
                return self.cells.remove(*name).map(|cell| cell.content.text());
            }
        }
        None
    }

    /// Looks at a cell and leaves it in.
    pub(crate) fn peek(&self, name: &str) -> Option<Cow<'_, str>> {
        let cell = self.cells.get(name).filter(|cell| !cell.is_empty())?;
        Some(cell.content.to_text())
    }

    /// Takes out a cell as text; nothing is the empty text.
    pub(crate) fn take_text(&mut self, names: &[&str]) -> String {
        self.take(names).map(Cow::into_owned).unwrap_or_default()
    }

    /// Leaves cells out of the row for good.
    pub(crate) fn forget(&mut self, names: &[&str]) {
        for name in names {
            self.cells.remove(*name);
        }
    }

    /// Takes out the cells that stand for one tag each.
    pub(crate) fn take_tag_cells(&mut self) -> BTreeMap<String, String> {
        let keys: Vec<Cow<'a, str>> =
            self.cells.keys().filter(|key| key.starts_with(TAG)).cloned().collect();
        let mut tags = BTreeMap::new();
        for key in keys {
            if let Some(text) = self.take(&[&key]) {
                tags.insert(key[TAG.len()..].to_owned(), text.into_owned());
            }
        }
        tags
    }

    /// What has not been taken, as one JSON object with sorted members; none if nothing is left.
    pub(crate) fn into_details(self) -> Option<String> {
        let members = self.cells.into_values().filter(|cell| !cell.is_empty());
        let object: Map<String, Value> =
            members.map(|cell| (cell.spelled.into_owned(), cell.content.json())).collect();
        if object.is_empty() { None } else { Some(canonical(Value::Object(object))) }
    }
}

impl Cell<'_> {
    fn is_empty(&self) -> bool {
        match &self.content {
            Content::Text(text) => is_nothing(text),
            Content::Json(Value::Null) => true,
            Content::Json(Value::String(text)) => is_nothing(text),
            Content::Json(_) => false,
        }
    }
}

/// The empty text and the text `NULL` both stand for nothing, even within one file.
fn is_nothing(text: &str) -> bool {
    matches!(text.trim(), "" | "NULL")
}

impl<'a> Content<'a> {
    fn text(self) -> Cow<'a, str> {
        match self {
            Content::Text(text) => Cow::Borrowed(text.trim()),
            Content::Json(Value::String(text)) => Cow::Owned(text),
            Content::Json(other) => Cow::Owned(canonical(other)),
        }
    }

    fn to_text(&self) -> Cow<'_, str> {
        match self {
            Content::Text(text) => Cow::Borrowed(text.trim()),
            Content::Json(Value::String(text)) => Cow::Borrowed(text),
            Content::Json(other) => Cow::Owned(other.to_string()),
        }
    }

    fn json(self) -> Value {
        match self {
            Content::Text(text) => Value::String(text.to_owned()),
            Content::Json(value) => value,
        }
    }
}

/// JSON without blanks, members sorted, numbers in their own digits.
pub(crate) fn canonical(mut value: Value) -> String {
    value.sort_all_objects();
    value.to_string()
}
