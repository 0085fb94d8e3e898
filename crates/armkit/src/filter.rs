//! `$filter`: `name eq 'value' and name eq 'value'`, or with other comparisons too, or with `or`.

use crate::Query;
use domain::{Error, Result};
use std::cmp::Ordering;

const FIELD: &str = "$filter";

/// One condition of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The name as it was spelled.
    pub name: String,
    /// The value without its quotes.
    pub value: String,
}

/// How a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparing {
    /// `eq`
    Equal,
    /// `lt`
    Less,
    /// `gt`
    Greater,
    /// `le`
    LessOrEqual,
    /// `ge`
    GreaterOrEqual,
}

impl Comparing {
    /// Whether it holds of something that stands so to the value.
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Comparing::Equal => order == Ordering::Equal,
            Comparing::Less => order == Ordering::Less,
            Comparing::Greater => order == Ordering::Greater,
            Comparing::LessOrEqual => order != Ordering::Greater,
            Comparing::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

/// One comparison of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The name as it was spelled, such as `properties/kind`.
    pub name: String,
    /// How the two are compared.
    pub comparing: Comparing,
    /// The value without its quotes.
    pub value: String,
}

impl Comparison {
    /// The name of the property that is compared, without what it lies in.
    pub fn bare(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// Reads a decoded filter of at most so many bytes; a quote within a value is doubled, `eq` and
/// `and` in any letter case.
///
/// Errors: [`Error::Invalid`] naming the character at which something else was expected.
/// Source: the grammar of `commerce.md` section 3.1.
pub fn filter(text: &str, most_bytes: u64) -> Result<Vec<Condition>> {
    joined(text, most_bytes, |reader| {
        let name = reader.word("a name")?.to_owned();
        reader.keyword("eq")?;
        Ok(Condition { name, value: reader.quoted()? })
    })
}

/// Reads a filter as [`filter`] does, with `eq`, `lt`, `gt`, `le` and `ge`; a value of letters,
/// digits and `_ / . - :`, such as a date or a time, needs no quotes.
///
/// Source: `microsoft-billing.md` section 3.2.
pub fn comparisons(text: &str, most_bytes: u64) -> Result<Vec<Comparison>> {
    joined(text, most_bytes, |reader| {
        let name = reader.word("a name")?.to_owned();
        let comparing = reader.comparing()?;
        Ok(Comparison { name, comparing, value: reader.value()? })
    })
}

/// What `$filter` says, if anything.
///
/// Errors: [`Error::Invalid`] when it is given twice.
pub fn filter_of(query: &Query) -> Result<Option<&str>> {
    Ok(query.get(FIELD)?.filter(|text| !text.trim().is_empty()))
}

/// What `$filter` compares of some properties, as [`comparisons`] reads it; nothing where it is not
/// there.
///
/// Errors: [`Error::Invalid`], naming the first of other properties.
pub fn conditions(query: &Query, most_bytes: u64, properties: &[&str]) -> Result<Vec<Comparison>> {
    let Some(text) = filter_of(query)? else { return Ok(Vec::new()) };
    let asked = comparisons(text, most_bytes)?;
    let is_known = |one: &Comparison| {
        properties.iter().any(|property| one.bare().eq_ignore_ascii_case(property))
    };
    if let Some(Comparison { name, .. }) = asked.iter().find(|one| !is_known(one)) {
        let supported = properties.join(", ");
        let problem = format!("`{name}` cannot be filtered by; supported: {supported}");
        return Err(Error::invalid(FIELD, problem));
    }
    Ok(asked)
}

/// Reads a filter of `eq` with `and` and `or`, of which `and` binds closer: it holds where all
/// conditions of one of the alternatives do. Values are those of [`comparisons`].
///
/// Source: the reservations of Microsoft.Billing `2020-05-01`.
pub fn alternatives(text: &str, most_bytes: u64) -> Result<Vec<Vec<Condition>>> {
    check_length(text, most_bytes)?;
    let mut reader = Reader { text, at: 0 };
    let (mut all, mut own) = (Vec::new(), Vec::new());
    loop {
        let name = reader.word("a name")?.to_owned();
        reader.keyword("eq")?;
        own.push(Condition { name, value: reader.value()? });
        if reader.is_done() {
            all.push(own);
            return Ok(all);
        }
        if reader.is_or()? {
            all.push(std::mem::take(&mut own));
        }
    }
}

fn check_length(text: &str, most_bytes: u64) -> Result<()> {
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > most_bytes) {
        let problem = format!("is longer than {most_bytes} bytes (limits.filter_bytes)");
        return Err(Error::invalid(FIELD, problem));
    }
    Ok(())
}

/// Reads parts with `and` between them.
fn joined<T>(
    text: &str,
    most_bytes: u64,
    part: impl Fn(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    check_length(text, most_bytes)?;
    let mut reader = Reader { text, at: 0 };
    let mut parts = Vec::new();
    loop {
        parts.push(part(&mut reader)?);
        if reader.is_done() {
            return Ok(parts);
        }
        reader.keyword("and")?;
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn is_done(&mut self) -> bool {
        self.skip_blanks();
        self.rest().is_empty()
    }

    fn word(&mut self, expected: &str) -> Result<&'a str> {
        self.run(expected, |c| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-'))
    }

    fn run(&mut self, expected: &str, belongs: impl Fn(char) -> bool) -> Result<&'a str> {
        self.skip_blanks();
        let rest = self.rest();
        let length = rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.expected(expected));
        }
        self.at += length;
        Ok(&rest[..length])
    }

    fn keyword(&mut self, keyword: &'static str) -> Result<()> {
        self.skip_blanks();
        let start = self.at;
        let expected = format!("`{keyword}`");
        if self.word(&expected)?.eq_ignore_ascii_case(keyword) {
            return Ok(());
        }
        self.at = start;
        Err(self.expected(&expected))
    }

    /// Reads `and` or `or`, and tells whether it is `or`.
    fn is_or(&mut self) -> Result<bool> {
        const EXPECTED: &str = "`and` or `or`";
        self.skip_blanks();
        let start = self.at;
        match self.word(EXPECTED)?.to_ascii_lowercase().as_str() {
            "and" => Ok(false),
            "or" => Ok(true),
            _ => {
                self.at = start;
                Err(self.expected(EXPECTED))
            }
        }
    }

    fn comparing(&mut self) -> Result<Comparing> {
        const EXPECTED: &str = "one of `eq`, `lt`, `gt`, `le`, `ge`";
        self.skip_blanks();
        let start = self.at;
        match self.word(EXPECTED)?.to_ascii_lowercase().as_str() {
            "eq" => Ok(Comparing::Equal),
            "lt" => Ok(Comparing::Less),
            "gt" => Ok(Comparing::Greater),
            "le" => Ok(Comparing::LessOrEqual),
            "ge" => Ok(Comparing::GreaterOrEqual),
            _ => {
                self.at = start;
                Err(self.expected(EXPECTED))
            }
        }
    }

    fn value(&mut self) -> Result<String> {
        self.skip_blanks();
        if self.rest().starts_with('\'') {
            return self.quoted();
        }
        let belongs = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ':');
        Ok(self.run("a value", belongs)?.to_owned())
    }

    fn quoted(&mut self) -> Result<String> {
        self.skip_blanks();
        let Some(mut rest) = self.rest().strip_prefix('\'') else {
            return Err(self.expected("a value in single quotes"));
        };
        let mut value = String::new();
        loop {
            let Some((part, after)) = rest.split_once('\'') else {
                self.at = self.text.len();
                return Err(self.expected("a closing quote"));
            };
            value.push_str(part);
            rest = after;
            match rest.strip_prefix('\'') {
                Some(after) => {
                    value.push('\'');
                    rest = after;
                }
                None => break,
            }
        }
        self.at = self.text.len() - rest.len();
        Ok(value)
    }

    fn expected(&self, what: &str) -> Error {
        let character = self.text.get(..self.at).unwrap_or_default().chars().count() + 1;
        Error::invalid(FIELD, format!("at character {character}: {what} is expected"))
    }
}
