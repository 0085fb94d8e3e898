//! Columns of an answer as the contract spells them: names, types, and what stands in their cells.
//!
//! Source: `billing-usage-openapi.json`, BillingUsageAggregate, ColumnDataType; `infobip.md`
//! sections 4 and 6.

use domain::usage_queries::UsageColumn;
use serde::{Deserialize, Serialize};
use service::AnswerColumn;

/// What stands where a value is not available, in a column of whatever type.
pub(crate) const NOT_AVAILABLE: &str = "N/A";

/// The measures behind the columns that were asked for, always in this order.
pub(crate) const MEASURES: [(&str, DataType); 5] = [
    ("UNIT_TYPE", DataType::String),
    ("UNIT_PRICE", DataType::Number),
    ("QUANTITY", DataType::Number),
    ("TOTAL_PER_UNIT", DataType::Number),
    ("CURRENCY", DataType::String),
];

/// The columns that may be asked for, in the contract's order.
pub(crate) const COLUMNS: [(&str, UsageColumn); 23] = [
    ("DAY", UsageColumn::Day),
    ("MONTH", UsageColumn::Month),
    ("APPLICATION_ID", UsageColumn::ApplicationId),
    ("ENTITY_ID", UsageColumn::EntityId),
    ("ACCOUNT_NAME", UsageColumn::AccountName),
    ("ACCOUNT_KEY", UsageColumn::AccountKey),
    ("CATEGORY_CODE", UsageColumn::CategoryCode),
    ("CATEGORY_NAME", UsageColumn::CategoryName),
    ("SUBCATEGORY_CODE", UsageColumn::SubcategoryCode),
    ("SUBCATEGORY_NAME", UsageColumn::SubcategoryName),
    ("USER_NAME", UsageColumn::UserName),
    ("DIRECTION", UsageColumn::Direction),
    ("TRAFFIC_TYPE", UsageColumn::TrafficType),
    ("SENDER", UsageColumn::Sender),
    ("SENDER_TYPE", UsageColumn::SenderType),
    ("NETWORK_NAME", UsageColumn::NetworkName),
    ("NORM_NET_CODE", UsageColumn::NetworkCode),
    ("COUNTRY_NAME", UsageColumn::CountryName),
    ("COUNTRY_CODE", UsageColumn::CountryCode),
    ("COUNTRY_PREFIX", UsageColumn::CountryPrefix),
    ("CAMPAIGN_ID", UsageColumn::CampaignId),
    ("CAMPAIGN_REFERENCE", UsageColumn::CampaignReference),
    ("TEMPLATE_ID", UsageColumn::TemplateId),
];

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DataType {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A decimal.
    Number,
    /// Neither of our columns is one.
    Boolean,
    /// `yyyy-MM-ddTHH:mm:ss`.
    DateTime,
}

/// What a column is called.
pub(crate) fn name(column: UsageColumn) -> &'static str {
    let mut known = COLUMNS.iter();
    known.find(|(_, one)| *one == column).map_or(NOT_AVAILABLE, |(name, _)| *name)
}

/// The type of a column: of ids that stand for names once these are told instead.
pub(crate) fn data_type(column: AnswerColumn) -> DataType {
    let AnswerColumn { column, is_resolved_name } = column;
    match column {
        UsageColumn::Day | UsageColumn::Month => DataType::DateTime,
        UsageColumn::CampaignId if is_resolved_name => DataType::String,
        UsageColumn::CampaignId => DataType::Integer,
        UsageColumn::ApplicationId
        | UsageColumn::EntityId
        | UsageColumn::AccountName
        | UsageColumn::AccountKey
        | UsageColumn::CategoryCode
        | UsageColumn::CategoryName
        | UsageColumn::SubcategoryCode
        | UsageColumn::SubcategoryName
        | UsageColumn::UserName
        | UsageColumn::Direction
        | UsageColumn::TrafficType
        | UsageColumn::Sender
        | UsageColumn::SenderType
        | UsageColumn::NetworkName
        | UsageColumn::NetworkCode
        | UsageColumn::CountryName
        | UsageColumn::CountryCode
        | UsageColumn::CountryPrefix
        | UsageColumn::CampaignReference
        | UsageColumn::TemplateId => DataType::String,
    }
}

/// The JSON of a value of such a column. An id that is no whole number of 64 bits is told as text.
pub(crate) fn cell(data_type: DataType, value: Option<&str>) -> String {
    let Some(value) = value else { return quoted(NOT_AVAILABLE) };
    match data_type {
        DataType::DateTime => quoted(&first_moment(value)),
        DataType::Integer => match value.parse::<i64>() {
            Ok(number) => number.to_string(),
            Err(_) => quoted(value),
        },
        DataType::String | DataType::Number | DataType::Boolean => quoted(value),
    }
}

/// The first moment of a day, `2026-03-01`, or of a month, `2026-03`.
fn first_moment(value: &str) -> String {
    let day = if value.len() == 7 { "-01" } else { "" };
    format!("{value}{day}T00:00:00")
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    // A text alone cannot fail to be written.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_column_has_one_name() {
        for column in UsageColumn::ALL {
            let found: Vec<_> = COLUMNS.iter().filter(|(_, one)| *one == column).collect();
            assert_eq!(found.len(), 1, "{column:?}");
            assert_ne!(name(column), NOT_AVAILABLE);
        }
        let names: BTreeSet<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), 23);
    }

    #[test]
    fn columns_have_the_types_of_their_values() {
        let check = |name: &str, is_resolved_name: bool, expected: &str| {
            let (_, column) = COLUMNS.iter().find(|(one, _)| *one == name).unwrap();
            let column = AnswerColumn { column: *column, is_resolved_name };
            assert_eq!(serde_json::to_value(data_type(column)).unwrap(), expected, "{name}");
        };
        check("DAY", false, "DATE_TIME");
        check("MONTH", false, "DATE_TIME");
        check("CAMPAIGN_ID", false, "INTEGER");
        check("CAMPAIGN_ID", true, "STRING");
        check("TEMPLATE_ID", false, "STRING");
        check("TEMPLATE_ID", true, "STRING");
        check("COUNTRY_PREFIX", false, "STRING");
        check("NORM_NET_CODE", false, "STRING");
        check("ACCOUNT_KEY", false, "STRING");
    }

    #[test]
    fn cells_are_written_by_the_type_of_their_column() {
        let check = |data_type: DataType, value: Option<&str>, expected: &str| {
            assert_eq!(cell(data_type, value), expected, "{value:?}");
        };
        check(DataType::String, Some("Account \"A\""), r#""Account \"A\"""#);
        check(DataType::String, Some(""), r#""""#);
        check(DataType::String, Some("44"), r#""44""#);
        check(DataType::String, None, r#""N/A""#);
        check(DataType::DateTime, Some("2026-03-01"), r#""2026-03-01T00:00:00""#);
        check(DataType::DateTime, Some("2026-03"), r#""2026-03-01T00:00:00""#);
        check(DataType::DateTime, None, r#""N/A""#);
        check(DataType::Integer, Some("12354646546"), "12354646546");
        check(DataType::Integer, Some("9223372036854775807"), "9223372036854775807");
        check(DataType::Integer, Some("9223372036854775808"), r#""9223372036854775808""#);
        check(DataType::Integer, Some("spring"), r#""spring""#);
        check(DataType::Integer, None, r#""N/A""#);
    }
}
