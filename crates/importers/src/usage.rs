//! What every usage file is read into.

use crate::mapped::Mapping;
use calendar::{Instant, Interval};
use domain::ids::{MeterId, SubscriptionId};
use domain::usage::{ChargeCategory, Dimension};
use money::{Cost, Currency, Fixed18};
use std::collections::BTreeMap;

/// A usage file's format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageFormat {
    /// An answer of Microsoft.Commerce `UsageAggregates`.
    AzureUsageAggregates,
    /// An answer of Microsoft.Consumption `usageDetails` or `marketplaces`.
    AzureUsageDetailsJson,
    /// An Azure cost export, in any of its header sets.
    AzureUsageDetailsCsv,
    /// A FOCUS export.
    Focus,
    /// An AWS Cost and Usage Report.
    AwsCur,
    /// An OCI cost report.
    OciCostReport,
    /// Any table, by a mapping file.
    Mapped(Box<Mapping>),
}

impl UsageFormat {
    /// Its name on the command line and in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            UsageFormat::AzureUsageAggregates => "azure-usage-aggregates",
            UsageFormat::AzureUsageDetailsJson => "azure-usage-details-json",
            UsageFormat::AzureUsageDetailsCsv => "azure-usage-details-csv",
            UsageFormat::Focus => "focus",
            UsageFormat::AwsCur => "aws-cur",
            UsageFormat::OciCostReport => "oci-cost-report",
            UsageFormat::Mapped(_) => "mapped",
        }
    }

    /// Finds a format by [`UsageFormat::name`]; `mapped` needs its mapping and is not found.
    pub fn parse(name: &str) -> Option<UsageFormat> {
        [
            UsageFormat::AzureUsageAggregates,
            UsageFormat::AzureUsageDetailsJson,
            UsageFormat::AzureUsageDetailsCsv,
            UsageFormat::Focus,
            UsageFormat::AwsCur,
            UsageFormat::OciCostReport,
        ]
        .into_iter()
        .find(|format| format.name() == name)
    }

    /// By which time the rows of an extract were selected.
    pub const fn axis(&self) -> Axis {
        match self {
            UsageFormat::AzureUsageAggregates => Axis::Reported,
            UsageFormat::AzureUsageDetailsJson
            | UsageFormat::AzureUsageDetailsCsv
            | UsageFormat::Focus
            | UsageFormat::AwsCur
            | UsageFormat::OciCostReport
            | UsageFormat::Mapped(_) => Axis::Usage,
        }
    }
}

/// By which time the rows of an extract were selected, so what span a later one supersedes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axis {
    /// By the time of use.
    Usage,
    /// By the time at which the vendor reported it.
    Reported,
}

/// What holds where a file does not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumed {
    /// Currency of costs and prices in a file without a currency column.
    pub currency: Option<Currency>,
}

/// One usage row, not yet bound to a billing account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// Line of a CSV file, row of a Parquet file, or element of a JSON answer; from 1.
    pub line: u64,
    /// Hash of everything below but `finality`, then `-` and the ordinal among equal rows.
    pub identity: String,
    /// The vendor's own name for who pays.
    pub account_hint: Option<String>,
    /// Against what it is recorded.
    pub subscription: SubscriptionId,
    /// That subscription's name.
    pub subscription_name: Option<String>,
    /// What was used; may be empty.
    pub resource: String,
    /// What was counted.
    pub meter: MeterHint,
    /// How much, in the meter's unit; 0 for a charge that states none.
    pub quantity: Fixed18,
    /// When it was used.
    pub service_period: Interval,
    /// When the vendor reported it, where the file says so.
    pub reported_at: Option<Instant>,
    /// Typed dimensions.
    pub dimensions: BTreeMap<Dimension, String>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
    /// What kind of charge.
    pub category: ChargeCategory,
    /// The file's own cost.
    pub stated_cost: Option<Cost>,
    /// The file's own price per unit of `quantity`, and its currency.
    pub unit_price: Option<(Fixed18, Currency)>,
    /// All else that the row carries: one JSON object with sorted members.
    pub details: Option<String>,
    /// Whether the vendor may still change the row. A mutable mark: not part of the identity.
    pub finality: Finality,
}

/// What a row says about its meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterHint {
    /// Its id.
    pub id: MeterId,
    /// Name within its category; may be empty.
    pub name: String,
    /// Service; may be empty.
    pub category: String,
    /// Finer kind; may be empty.
    pub subcategory: String,
    /// Region it is priced for; may be empty.
    pub region: String,
    /// What a quantity of one stands for; may be empty.
    pub unit: String,
}

/// Whether a row may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finality {
    /// The vendor marks it as estimated.
    Provisional,
    /// It is not so marked.
    Final,
}
