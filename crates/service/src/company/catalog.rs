//! Twins of offers and meters.

use super::text::Text;
use super::wrong::Wrong;
use calendar::MICROS_PER_SECOND;
use domain::catalog;
use domain::ids::{MeterId, OfferId};
use domain::usage::Dimension;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A named bundle of terms.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Offer {
    id: Text<OfferId>,
    name: String,
    has_rate_card: bool,
}

impl From<Offer> for catalog::Offer {
    fn from(Offer { id, name, has_rate_card }: Offer) -> catalog::Offer {
        catalog::Offer { id: id.0, name, has_rate_card }
    }
}

impl From<catalog::Offer> for Offer {
    fn from(catalog::Offer { id, name, has_rate_card }: catalog::Offer) -> Offer {
        Offer { id: Text(id), name, has_rate_card }
    }
}

/// One thing that is counted.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meter {
    id: Text<MeterId>,
    name: String,
    category: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subcategory: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    region: String,
    unit: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Aggregation::is_sum")]
    aggregation: Aggregation,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    names: BTreeMap<String, MeterNames>,
}

/// A meter's names in one locale.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeterNames {
    name: String,
    category: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subcategory: String,
}

/// A word, or a table for the two that need more.
#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Aggregation {
    #[default]
    Sum,
    Count,
    Max,
    Latest,
    TimeWeightedAverage,
    Distinct {
        dimension: Text<Dimension>,
    },
    Session {
        /// Seconds.
        window_s: u32,
        #[serde(default)]
        key: Vec<Text<Dimension>>,
    },
}

impl Aggregation {
    fn is_sum(&self) -> bool {
        *self == Aggregation::Sum
    }
}

impl TryFrom<Meter> for catalog::Meter {
    type Error = Wrong;

    fn try_from(twin: Meter) -> Result<catalog::Meter, Wrong> {
        let Meter { id, name, category, subcategory, region, unit, tags, aggregation, names } =
            twin;
        if unit.is_empty() {
            return Err(Wrong::new("unit", "must not be empty"));
        }
        let aggregation = catalog::Aggregation::try_from(aggregation)
            .map_err(|wrong| wrong.below("aggregation"))?;
        let names = names.into_iter().map(|(locale, names)| (locale, names.into())).collect();
        let id = id.0;
        Ok(catalog::Meter {
            id,
            name,
            category,
            subcategory,
            region,
            unit,
            tags,
            aggregation,
            names,
        })
    }
}

impl From<catalog::Meter> for Meter {
    fn from(meter: catalog::Meter) -> Meter {
        let catalog::Meter {
            id,
            name,
            category,
            subcategory,
            region,
            unit,
            tags,
            aggregation,
            names,
        } = meter;
        let names = names.into_iter().map(|(locale, names)| (locale, names.into())).collect();
        Meter {
            id: Text(id),
            name,
            category,
            subcategory,
            region,
            unit,
            tags,
            aggregation: aggregation.into(),
            names,
        }
    }
}

impl From<MeterNames> for catalog::MeterNames {
    fn from(MeterNames { name, category, subcategory }: MeterNames) -> catalog::MeterNames {
        catalog::MeterNames { name, category, subcategory }
    }
}

impl From<catalog::MeterNames> for MeterNames {
    fn from(names: catalog::MeterNames) -> MeterNames {
        let catalog::MeterNames { name, category, subcategory } = names;
        MeterNames { name, category, subcategory }
    }
}

impl TryFrom<Aggregation> for catalog::Aggregation {
    type Error = Wrong;

    fn try_from(twin: Aggregation) -> Result<catalog::Aggregation, Wrong> {
        Ok(match twin {
            Aggregation::Sum => catalog::Aggregation::Sum,
            Aggregation::Count => catalog::Aggregation::Count,
            Aggregation::Max => catalog::Aggregation::Max,
            Aggregation::Latest => catalog::Aggregation::Latest,
            Aggregation::TimeWeightedAverage => catalog::Aggregation::TimeWeightedAverage,
            Aggregation::Distinct { dimension } => {
                catalog::Aggregation::Distinct { dimension: dimension.0 }
            }
            Aggregation::Session { window_s: 0, key: _ } => {
                return Err(Wrong::new("session.window_s", "must be at least 1"));
            }
            Aggregation::Session { window_s, key } => catalog::Aggregation::Session {
                window_micros: i64::from(window_s).saturating_mul(MICROS_PER_SECOND),
                key: key.into_iter().map(|dimension| dimension.0).collect(),
            },
        })
    }
}

/// The length of a session is kept in whole seconds.
impl From<catalog::Aggregation> for Aggregation {
    fn from(aggregation: catalog::Aggregation) -> Aggregation {
        match aggregation {
            catalog::Aggregation::Sum => Aggregation::Sum,
            catalog::Aggregation::Count => Aggregation::Count,
            catalog::Aggregation::Max => Aggregation::Max,
            catalog::Aggregation::Latest => Aggregation::Latest,
            catalog::Aggregation::TimeWeightedAverage => Aggregation::TimeWeightedAverage,
            catalog::Aggregation::Distinct { dimension } => {
                Aggregation::Distinct { dimension: Text(dimension) }
            }
            catalog::Aggregation::Session { window_micros, key } => Aggregation::Session {
                window_s: u32::try_from(window_micros / MICROS_PER_SECOND).unwrap_or(u32::MAX),
                key: key.into_iter().map(Text).collect(),
            },
        }
    }
}
