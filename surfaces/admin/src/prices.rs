//! Meters and prices, in the words of company files.

use calendar::MICROS_PER_SECOND;
use domain::catalog::{
    self, Aggregation, Condition, CounterChange, PricingModel, TierBase, TierScope,
};
use domain::usage::Dimension;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was counted.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Meter {
    id: String,
    name: String,
    category: String,
    subcategory: String,
    region: String,
    unit: String,
    tags: Vec<String>,
    aggregation: Counting,
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
            names: _,
        } = meter;
        let (id, aggregation) = (id.to_string(), aggregation.into());
        Meter { id, name, category, subcategory, region, unit, tags, aggregation }
    }
}

/// How records become a billable quantity.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Counting {
    Sum,
    Count,
    Max,
    Latest,
    TimeWeightedAverage,
    Distinct { dimension: &'static str },
    Session { window_s: i64, key: Vec<&'static str> },
}

impl From<Aggregation> for Counting {
    fn from(aggregation: Aggregation) -> Counting {
        match aggregation {
            Aggregation::Sum => Counting::Sum,
            Aggregation::Count => Counting::Count,
            Aggregation::Max => Counting::Max,
            Aggregation::Latest => Counting::Latest,
            Aggregation::TimeWeightedAverage => Counting::TimeWeightedAverage,
            Aggregation::Distinct { dimension } => {
                Counting::Distinct { dimension: dimension.name() }
            }
            Aggregation::Session { window_micros, key } => Counting::Session {
                window_s: window_micros / MICROS_PER_SECOND,
                key: key.into_iter().map(Dimension::name).collect(),
            },
        }
    }
}

/// The version of a price that made a row.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Price {
    meter: String,
    lineage: String,
    effective_from: String,
    counter: &'static str,
    conditions: BTreeMap<&'static str, String>,
    model: Model,
    base: Base,
    scope: &'static str,
    included: String,
    minimum: Option<String>,
    maximum: Option<String>,
    cost_places: u32,
    rounding: &'static str,
}

impl From<catalog::Price> for Price {
    fn from(price: catalog::Price) -> Price {
        let catalog::Price {
            meter,
            lineage,
            effective_from,
            counter,
            conditions,
            model,
            base,
            scope,
            included,
            minimum,
            maximum,
            cost_places,
            rounding,
        } = price;
        let condition = |Condition { dimension, value }| (dimension.name(), value);
        Price {
            meter: meter.to_string(),
            lineage,
            effective_from: effective_from.to_string(),
            counter: match counter {
                CounterChange::Continues => "continues",
                CounterChange::Restarts => "restarts",
            },
            conditions: conditions.into_iter().map(condition).collect(),
            model: model.into(),
            base: base.into(),
            scope: match scope {
                TierScope::Subscription => "subscription",
                TierScope::Account => "account",
                TierScope::Profile => "profile",
            },
            included: included.to_string(),
            minimum: minimum.map(|least| least.to_string()),
            maximum: maximum.map(|most| most.to_string()),
            cost_places,
            rounding: rounding.name(),
        }
    }
}

/// How quantity becomes cost.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Model {
    PerUnit(String),
    Graduated(Vec<Tier>),
    Volume(Vec<Tier>),
    Package { size: String, price: String, rounding: &'static str },
    Percentage(String),
}

impl From<PricingModel> for Model {
    fn from(model: PricingModel) -> Model {
        let all = |tiers: Vec<catalog::Tier>| tiers.into_iter().map(Tier::from).collect();
        match model {
            PricingModel::PerUnit { price } => Model::PerUnit(price.to_string()),
            PricingModel::Graduated { tiers } => Model::Graduated(all(tiers)),
            PricingModel::Volume { tiers } => Model::Volume(all(tiers)),
            PricingModel::Package { size, price, rounding } => Model::Package {
                size: size.to_string(),
                price: price.to_string(),
                rounding: rounding.name(),
            },
            PricingModel::Percentage { percent } => Model::Percentage(percent.to_string()),
        }
    }
}

/// The quantity range a rate holds for.
#[derive(Serialize, JsonSchema)]
struct Tier {
    from: String,
    price: String,
    flat: String,
}

impl From<catalog::Tier> for Tier {
    fn from(catalog::Tier { from, price, flat, spelled: _ }: catalog::Tier) -> Tier {
        Tier { from: from.to_string(), price: price.to_string(), flat: flat.to_string() }
    }
}

/// Over what quantities are counted for tiers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Base {
    Record,
    Day,
    BillingPeriod,
    CommitmentTerm { from: String, periods: u16 },
}

impl From<TierBase> for Base {
    fn from(base: TierBase) -> Base {
        match base {
            TierBase::Record => Base::Record,
            TierBase::Day => Base::Day,
            TierBase::BillingPeriod => Base::BillingPeriod,
            TierBase::CommitmentTerm { from, periods } => {
                Base::CommitmentTerm { from: from.to_string(), periods }
            }
        }
    }
}
