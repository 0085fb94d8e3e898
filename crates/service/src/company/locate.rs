//! Finds the line of a key in a company file.

use super::files::line_at;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The line of a path such as `offer[0].id` or `price_list[1].prices[meter=x].model`.
///
/// What is not there stands at the line of the innermost thing around it; 0 if there is none.
pub(super) fn line_of(text: &str, path: &str) -> usize {
    let Ok(table) = DeTable::parse(text) else { return 0 };
    let root = table.span();
    let root_value = DeValue::Table(table.into_inner());
    let mut value = &root_value;
    let mut found = root;
    for step in steps(path) {
        match next(value, step) {
            Some((inner, span)) => (value, found) = (inner, span),
            None => break,
        }
    }
    line_at(text, found.start)
}

/// `a.b[0].c` as `a`, `b`, `[0`, `c`.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(['.', ']']);
        if rest.is_empty() {
            return None;
        }
        let end = if rest.starts_with('[') { rest.find(']') } else { rest.find(['.', '[']) };
        let (step, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(step)
    })
}

fn next<'a>(value: &'a DeValue<'a>, step: &str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
    match (value, step.strip_prefix('[')) {
        (DeValue::Table(table), None) => {
            let (key, inner) = table.iter().find(|(key, _)| key.get_ref() == step)?;
            Some((inner.get_ref(), key.span()))
        }
        (DeValue::Array(items), Some(index)) => {
            let item = match index.split_once('=') {
                None => items.get(index.parse::<usize>().ok()?)?,
                Some((key, wanted)) => items.iter().find(|item| {
                    let text = item.get_ref().get(key).and_then(|text| text.get_ref().as_str());
                    text.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
                })?,
            };
            Some((item.get_ref(), item.span()))
        }
        _ => None,
    }
}
