//! What charges can be grouped and filtered by.

use domain::usage::Dimension;
use domain::{Error, Result};

/// One thing that charges can be grouped or filtered by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupBy {
    /// Day of use.
    Day,
    /// Billing period of use.
    Month,
    /// Who pays.
    BillingAccount,
    /// Against what it was recorded.
    Subscription,
    /// What was counted.
    Meter,
    /// Category of what was counted.
    MeterCategory,
    /// Unit of what was counted.
    Unit,
    /// Kind of charge.
    Category,
    /// What the rated row is.
    Kind,
    /// The reservation that covered it, or that was lost.
    Reservation,
    /// What was used.
    Resource,
    /// A typed dimension.
    Dimension(Dimension),
    /// A free tag.
    Tag(String),
}

impl GroupBy {
    /// Finds one by its name: a column, a dimension, or `tag:KEY`.
    pub fn parse(name: &str) -> Result<GroupBy> {
        let fixed = match name {
            "day" => Some(GroupBy::Day),
            "month" => Some(GroupBy::Month),
            "account" | "billing_account" => Some(GroupBy::BillingAccount),
            "subscription" => Some(GroupBy::Subscription),
            "meter" => Some(GroupBy::Meter),
            "meter_category" => Some(GroupBy::MeterCategory),
            "unit" => Some(GroupBy::Unit),
            "category" => Some(GroupBy::Category),
            "kind" => Some(GroupBy::Kind),
            "reservation" => Some(GroupBy::Reservation),
            "resource" => Some(GroupBy::Resource),
            _ => None,
        };
        let tag = || name.strip_prefix("tag:").map(|key| GroupBy::Tag(key.to_owned()));
        let dimension = || Dimension::parse(name).map(GroupBy::Dimension);
        fixed.or_else(dimension).or_else(tag).ok_or_else(|| {
            let dimensions = Dimension::ALL.map(Dimension::name).join(", ");
            let problem = format!(
                "`{name}` is none of day, month, account, subscription, meter, meter_category, \
                 unit, category, kind, reservation, resource, tag:KEY, or of the dimensions \
                 {dimensions}"
            );
            Error::invalid("group_by", problem)
        })
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            GroupBy::Day => "day".to_owned(),
            GroupBy::Month => "month".to_owned(),
            GroupBy::BillingAccount => "account".to_owned(),
            GroupBy::Subscription => "subscription".to_owned(),
            GroupBy::Meter => "meter".to_owned(),
            GroupBy::MeterCategory => "meter_category".to_owned(),
            GroupBy::Unit => "unit".to_owned(),
            GroupBy::Category => "category".to_owned(),
            GroupBy::Kind => "kind".to_owned(),
            GroupBy::Reservation => "reservation".to_owned(),
            GroupBy::Resource => "resource".to_owned(),
            GroupBy::Dimension(dimension) => dimension.name().to_owned(),
            GroupBy::Tag(key) => format!("tag:{key}"),
        }
    }

    /// The column it is read from; none for the month, which is the cell's.
    pub(crate) fn column(&self) -> Option<&'static str> {
        match self {
            GroupBy::Month => None,
            GroupBy::Day => Some("day"),
            GroupBy::BillingAccount => Some("account"),
            GroupBy::Subscription => Some("subscription"),
            GroupBy::Meter => Some("meter"),
            GroupBy::MeterCategory => Some("meter_category"),
            GroupBy::Unit => Some("measure"),
            GroupBy::Category => Some("category"),
            GroupBy::Kind => Some("kind"),
            GroupBy::Reservation => Some("reservation"),
            GroupBy::Resource => Some("resource"),
            GroupBy::Dimension(dimension) => Some(dimension.name()),
            GroupBy::Tag(_) => Some("tags"),
        }
    }
}

/// A test that charges must pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeFilter {
    /// Of what.
    pub on: GroupBy,
    /// One of these values.
    pub values: Vec<String>,
}
