//! `$filter` with `eq` and `and`: `name eq 'value' and name eq 'value'`.

use domain::{Error, Result};

const FIELD: &str = "$filter";

/// One condition of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The name as it was spelled.
    pub name: String,
    /// The value without its quotes.
    pub value: String,
}

/// Reads a decoded filter of at most so many bytes; a quote within a value is doubled, `eq` and `and` in any letter case.
///
/// Errors: [`Error::Invalid`] naming the character at which something else was expected.
/// Source: the grammar of `commerce.md` section 3.1.
pub fn filter(text: &str, most_bytes: u64) -> Result<Vec<Condition>> {
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > most_bytes) {
        let problem = format!("is longer than {most_bytes} bytes (limits.filter_bytes)");
        return Err(Error::invalid(FIELD, problem));
    }
    let mut reader = Reader { text, at: 0 };
    let mut conditions = Vec::new();
    loop {
        let name = reader.word("a name")?.to_owned();
        reader.keyword("eq")?;
        let value = reader.quoted()?;
        conditions.push(Condition { name, value });
        if reader.is_done() {
            return Ok(conditions);
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
        self.skip_blanks();
        let belongs = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-');
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
