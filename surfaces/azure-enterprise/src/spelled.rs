//! How reports spell what the books know in other words.

use crate::fresh::Tag;
use crate::reading::Reading;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use calendar::{Day, Interval};
use domain::Error;
use httpkit::{ExactNumber, Refusal};
use money::{Fixed18, Rounding};
use serde::{Serialize, Serializer};
use serde_json::Value;
use service::{DetailCost, DetailTold};
use std::collections::BTreeMap;
use std::fmt;

/// An array with the tag of what is in it, or that it is what the asker has.
///
/// `question` is what was asked beside what the reading says.
pub(crate) fn array<T: Serialize>(
    reading: &Reading,
    question: &[&str],
    rows: &[T],
) -> Result<Response, Refusal> {
    let body = serde_json::to_vec(rows).map_err(|e| Error::internal("write a report", e))?;
    let content = blake3::hash(&body).to_hex();
    let tag = Tag::new(reading, &[content.as_str()], question);
    if let Some(unchanged) = tag.unchanged(reading) {
        return Ok(unchanged);
    }
    Ok(tag.on(([(CONTENT_TYPE, "application/json; charset=utf-8")], body)))
}

/// The part number of a tier of a price, in price sheets and usage alike: the price's lineage, with
/// the tier's number if it is not the first. What is included has the first one's.
pub(crate) fn part_number(lineage: &str, tier: u16) -> String {
    if tier == 0 { lineage.to_owned() } else { format!("{lineage}/{tier}") }
}

/// The resource group in the path of a resource; empty where there is none.
pub(crate) fn resource_group(resource: &str) -> &str {
    let mut segments = resource.split('/');
    let found = segments.find(|segment| segment.eq_ignore_ascii_case("resourceGroups"));
    found.and_then(|_| segments.next()).unwrap_or_default()
}

/// An id that is a number; 0 for any other.
pub(crate) fn whole(id: &str) -> i64 {
    id.parse().unwrap_or(0)
}

/// What a unit costs in the billing currency: the price, else the cost by the quantity, 0 of none.
///
/// Errors: [`Error::Money`].
pub(crate) fn rate(cost: &DetailCost, quantity: Fixed18) -> Result<Fixed18, Error> {
    let rule = Rounding::default();
    let rate = match (cost.unit_price, cost.exchange) {
        (Some(price), None) => Ok(price),
        (Some(price), Some(exchange)) => price.checked_mul(exchange, Fixed18::PLACES, rule),
        (None, _) if quantity.is_zero() => Ok(Fixed18::ZERO),
        // Of next to nothing one unit may come to more than can be told.
        (None, _) => {
            let each = cost.billing.major.mul_div(Fixed18::ONE, quantity, rule);
            Ok(each.unwrap_or(Fixed18::ZERO))
        }
    };
    rate.map_err(|source| Error::money("price of a unit", source))
}

/// Each text of the source's details by its name in lower case; what is no text as JSON, and
/// nothing of what is empty.
///
/// Errors: [`Error::Internal`] for details that cannot be read.
pub(crate) fn own_texts(told: &DetailTold) -> Result<BTreeMap<String, String>, Error> {
    let Some(details) = &told.details else { return Ok(BTreeMap::new()) };
    let read: BTreeMap<String, Value> = serde_json::from_str(details)
        .map_err(|e| Error::internal("read the details of usage", e))?;
    let as_text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let texts = read.into_iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        as_text(value).filter(|text| !text.is_empty()).map(|text| (name, text))
    });
    Ok(texts.collect())
}

/// A day as its first moment, without a zone.
pub(crate) fn midnight(day: Day) -> String {
    format!("{day}T00:00:00")
}

/// In years, else in months: `P1Y`; empty for a term that is neither.
pub(crate) fn term(term: Interval) -> String {
    let Some(months) = term.whole_months() else { return String::new() };
    match months.rem_euclid(12) {
        0 => format!("P{}Y", months.div_euclid(12)),
        _ => format!("P{months}M"),
    }
}

/// A number with 15 digits behind its point, or all that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Long(pub(crate) Fixed18);

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
        write!(f, "{whole}.{part:0<15}")
    }
}

impl Serialize for Long {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ExactNumber(self).serialize(serializer)
    }
}

/// The members of an object and their types, by name.
#[cfg(test)]
pub(crate) fn members(row: &impl Serialize) -> String {
    let Ok(Value::Object(members)) = serde_json::to_value(row) else { return String::new() };
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let mut all: Vec<String> =
        members.iter().map(|(name, value)| format!("{name} {}", kind(value))).collect();
    all.sort_unstable();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use calendar::Instant;

    #[test]
    fn each_tier_has_a_part_number() {
        assert_eq!(part_number("hours", 0), "hours");
        assert_eq!(part_number("hours", 2), "hours/2");
    }

    #[test]
    fn resource_groups_stand_in_paths() {
        let check = |resource: &str, expected: &str| {
            assert_eq!(resource_group(resource), expected, "{resource}");
        };
        check("/subscriptions/s/resourceGroups/rg1/providers/p/t/n", "rg1");
        check("/subscriptions/s/resourcegroups/Rg", "Rg");
        check("/subscriptions/s/resourceGroups", "");
        check("machine-1", "");
        check("", "");
    }

    #[test]
    fn long_numbers_keep_all_digits() {
        let check = |text: &str, expected: &str| {
            let number = Fixed18::parse(text).expect("a number");
            assert_eq!(serde_json::to_string(&Long(number)).expect("written"), expected);
        };
        check("24", "24.000000000000000");
        check("0", "0.000000000000000");
        check("-1.5", "-1.500000000000000");
        check("0.123456789012345678", "0.123456789012345678");
    }

    #[test]
    fn terms_are_told_in_whole_years_or_months() {
        let check = |from: &str, until: &str, expected: &str| {
            let [from, until] = [from, until].map(|text| Instant::parse(text).expect("a time"));
            let during = Interval::new(from, until).expect("in order");
            assert_eq!(term(during), expected, "{during:?}");
        };
        check("2026-05-10", "2029-05-10", "P3Y");
        check("2026-05-01", "2026-11-01", "P6M");
        check("2026-05-01", "2027-11-01", "P18M");
        check("2026-05-01", "2026-05-02", "");
    }
}
