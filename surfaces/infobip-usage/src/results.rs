//! What a callback carries: an answer in the contract's words, or why there is none.
//!
//! Source: `billing-usage-openapi.json`, BillingUsageResult; `infobip.md` section 6.

use crate::columns::{MEASURES, NOT_AVAILABLE, cell, data_type, name, quoted};
use calendar::{Instant, MICROS_PER_SECOND};
use serde::{Deserialize, Serialize};
use service::{AnswerRow, UsageAnswer, UsageShape};
use std::ops::Range;

/// How results of this surface are spelled.
pub(crate) fn shape() -> UsageShape {
    UsageShape { success, failure }
}

/// From when, inclusive, to when, exclusive.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Period {
    sent_since: String,
    sent_until: String,
}

/// What failed, and why; nothing else is told.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Failure {
    request_id: String,
    status: String,
    failure_message: String,
}

/// A column of an answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Column {
    column_name: String,
    column_data_type: crate::columns::DataType,
}

/// A calendar month that an answer covers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Month {
    month: String,
    volume_finalized: bool,
}

impl From<&Range<Instant>> for Period {
    fn from(span: &Range<Instant>) -> Period {
        Period { sent_since: moment(span.start), sent_until: moment(span.end) }
    }
}

/// A moment as the contract's samples spell it: `2026-03-01T00:00:00.000+0000`.
pub(crate) fn moment(moment: Instant) -> String {
    let text = moment.to_offset_string();
    let second = text.get(..19).unwrap_or_default();
    let millis = moment.micros().rem_euclid(MICROS_PER_SECOND).div_euclid(1_000);
    format!("{second}.{millis:03}+0000")
}

/// Writes the result of a query that succeeded, row by row.
fn success(id: &str, answer: &UsageAnswer, write: &mut dyn FnMut(&str)) {
    let UsageAnswer { columns, rows, requested, asked, months, exact: _ } = answer;
    let dimensions = columns.iter().map(|column| (name(column.column), data_type(*column)));
    let all: Vec<Column> = dimensions
        .chain(MEASURES)
        .map(|(name, data_type)| Column {
            column_name: name.to_owned(),
            column_data_type: data_type,
        })
        .collect();
    let period = json(&Period::from(requested));
    write(&format!(
        "{{\"requestId\":{},\"status\":\"SUCCESS\",\"response\":{{\"requestedPeriod\":{period},\
         \"totalRows\":{},\"columns\":{},\"rows\":[",
        quoted(id),
        rows.len(),
        json(&all),
    ));
    let types: Vec<_> = columns.iter().map(|column| data_type(*column)).collect();
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            write(",");
        }
        let dimensions = types.iter().zip(&row.keys);
        let mut cells: Vec<String> =
            dimensions.map(|(data_type, key)| cell(*data_type, key.as_deref())).collect();
        cells.extend(measures(row));
        write(&format!("[{}]", cells.join(",")));
    }
    let months = months
        .iter()
        .map(|(month, is_final)| Month { month: month.to_string(), volume_finalized: *is_final });
    let months: Vec<Month> = months.collect();
    write(&format!(
        "]}},\"metadata\":{{\"clientRequestedPeriod\":{},\"billingPeriods\":{}}}}}",
        json(&Period::from(asked)),
        json(&months),
    ));
}

/// The JSON of a row's measures, with all digits that they have.
fn measures(row: &AnswerRow) -> [String; 5] {
    let AnswerRow { keys: _, unit, unit_price, quantity, total, currency } = row;
    [
        quoted(unit),
        unit_price.map_or_else(|| quoted(NOT_AVAILABLE), |price| price.to_string()),
        quantity.to_string(),
        total.to_string(),
        quoted(currency.code()),
    ]
}

/// The result of a query that failed.
fn failure(id: &str, why: &str) -> String {
    json(&Failure {
        request_id: id.to_owned(),
        status: "FAILED".to_owned(),
        failure_message: why.to_owned(),
    })
}

fn json(value: &impl Serialize) -> String {
    // Texts, truths and names alone cannot fail to be written.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
