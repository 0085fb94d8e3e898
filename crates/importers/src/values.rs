//! From a cell's text to a value: numbers, times, tags, ids.

use crate::error::{FieldError, cut, field_of};
use crate::mapped::Dates;
use calendar::{Instant, Interval, MICROS_PER_DAY, MICROS_PER_SECOND};
use domain::ids::{MeterId, SubscriptionId};
use domain::usage::ChargeCategory;
use money::{Cost, Currency, Fixed18, Rounding};
use serde_json::Value;
use std::collections::BTreeMap;

/// A number that must be kept digit by digit.
pub(crate) fn exact(field: &str, text: &str) -> Result<Fixed18, FieldError> {
    Fixed18::parse(text.trim()).map_err(|error| FieldError::new(field, error.to_string()))
}

/// A number that is kept to 18 places.
pub(crate) fn rounded(field: &str, text: &str) -> Result<Fixed18, FieldError> {
    Fixed18::parse_rounded(text.trim(), Rounding::HalfAwayFromZero)
        .map_err(|error| FieldError::new(field, error.to_string()))
}

/// A currency by its code.
pub(crate) fn currency(text: &str) -> Result<Currency, FieldError> {
    Currency::parse(text.trim()).map_err(|error| FieldError::new("currency", error.to_string()))
}

/// A cost and its currency, which must be known.
pub(crate) fn cost(text: &str, currency: Option<Currency>) -> Result<Cost, FieldError> {
    let major = rounded("cost", text)?;
    let currency = currency.ok_or_else(|| {
        FieldError::new("currency", "is missing, and none is assumed for the file")
    })?;
    Ok(Cost { major, currency })
}

/// The subscription; of a path, its first name behind `subscriptions`.
pub(crate) fn subscription(text: &str) -> Result<SubscriptionId, FieldError> {
    let id = in_path(text).unwrap_or(text);
    SubscriptionId::new(id).map_err(|error| field_of("subscription", &error))
}

/// `x` of `/subscriptions/x/resourceGroups/…`, with or without the first slash.
pub(crate) fn in_path(path: &str) -> Option<&str> {
    let mut names = path.trim_start_matches('/').split('/');
    let is_path = names.next().is_some_and(|name| name.eq_ignore_ascii_case("subscriptions"));
    names.next().filter(|_| is_path)
}

/// The meter, or for a charge without one a meter made of its category and what it is for.
pub(crate) fn meter(
    id: Option<&str>,
    category: ChargeCategory,
    otherwise: &[&str],
) -> Result<MeterId, FieldError> {
    let made = || {
        let what = otherwise.iter().find(|text| !text.is_empty())?;
        Some(format!("{}/{}", category.name(), cut(what, 200)))
    };
    let text = id.map(str::to_owned).or_else(made).unwrap_or_default();
    MeterId::new(&text).map_err(|error| field_of("meter", &error))
}

/// A moment.
pub(crate) fn instant(field: &str, text: &str, dates: Dates) -> Result<Instant, FieldError> {
    let wrong = || FieldError::new(field, format!("`{}` is not a time", cut(text, 64)));
    match dates {
        Dates::Iso => {
            Instant::parse(text).map_err(|error| FieldError::new(field, error.to_string()))
        }
        Dates::MonthFirst => civil(text, [2, 0, 1]).ok_or_else(wrong),
        Dates::DayFirst => civil(text, [2, 1, 0]).ok_or_else(wrong),
        Dates::EpochSeconds => epoch(text, MICROS_PER_SECOND).ok_or_else(wrong),
        Dates::EpochMillis => epoch(text, 1_000).ok_or_else(wrong),
    }
}

/// Azure's exports write `9/2/2023` (month first) and `2023-09-02`.
pub(crate) fn azure_instant(field: &str, text: &str) -> Result<Instant, FieldError> {
    let dates = if text.contains('/') { Dates::MonthFirst } else { Dates::Iso };
    instant(field, text, dates)
}

/// A date of three numbers; `order` says where year, month and day stand.
fn civil(text: &str, order: [usize; 3]) -> Option<Instant> {
    let parts: Vec<&str> = text.trim().split(['/', '.', '-']).collect();
    let [year, month, day] = order.map(|place| parts.get(place).and_then(|part| number(part)));
    let short = parts.get(order[0]).is_some_and(|part| part.len() == 2);
    let year = if short { year?.checked_add(2_000)? } else { year? };
    if parts.len() != 3 {
        return None;
    }
    let (month, day) = (i8::try_from(month?).ok()?, i8::try_from(day?).ok()?);
    Instant::from_civil(year, month, day, 0).ok()
}

fn number(text: &str) -> Option<i16> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn epoch(text: &str, unit_micros: i64) -> Option<Instant> {
    let micros = text.trim().parse::<i64>().ok()?.checked_mul(unit_micros)?;
    let moment = Instant::from_micros(micros);
    (moment.micros() == micros).then_some(moment)
}

/// Start to end, end exclusive.
pub(crate) fn interval(start: Instant, end: Instant) -> Result<Interval, FieldError> {
    Interval::new(start, end).map_err(|error| FieldError::new("service_period", error.to_string()))
}

/// Start to an end that Azure writes as its last second, `23:59:59`.
pub(crate) fn inclusive(start: Instant, end: Instant) -> Result<Interval, FieldError> {
    let ends_with_59 = end.seconds().rem_euclid(60) == 59;
    let next = end.seconds().saturating_add(1).saturating_mul(MICROS_PER_SECOND);
    interval(start, if ends_with_59 { Instant::from_micros(next) } else { end })
}

/// The UTC day from here.
pub(crate) fn day_from(start: Instant) -> Result<Interval, FieldError> {
    interval(start, start.plus_micros(MICROS_PER_DAY))
}

/// Tags: a JSON object, with or without its braces.
pub(crate) fn tags(text: &str) -> Result<BTreeMap<String, String>, FieldError> {
    let trimmed = text.trim();
    let braced =
        if trimmed.starts_with('{') { trimmed.to_owned() } else { format!("{{{trimmed}}}") };
    let object: serde_json::Map<String, Value> = serde_json::from_str(&braced)
        .map_err(|_| FieldError::new("tags", format!("`{}` is no object", cut(text, 64))))?;
    Ok(object.into_iter().map(|(name, value)| (name, tag_text(value))).collect())
}

fn tag_text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => crate::row::canonical(other),
    }
}
