//! Twins of prices: versions of what a meter costs.

use super::parties::unless;
use super::text::Text;
use super::wrong::Wrong;
use calendar::{BillingPeriod, Instant};
use domain::catalog;
use domain::ids::MeterId;
use domain::usage::Dimension;
use money::{Fixed18, Rounding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One version of what a meter costs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    meter: Text<MeterId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lineage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effective_from: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "CounterChange::is_usual")]
    counter: CounterChange,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    conditions: BTreeMap<Text<Dimension>, String>,
    model: Model,
    #[serde(default, skip_serializing_if = "Base::is_usual")]
    base: Base,
    #[serde(default, skip_serializing_if = "Scope::is_usual")]
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    included: Option<Text<Fixed18>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum: Option<Text<Fixed18>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum: Option<Text<Fixed18>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_places: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rounding: Option<Text<Rounding>>,
}

/// How quantity becomes cost.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Model {
    PerUnit(Text<Fixed18>),
    Graduated(Vec<Tier>),
    Volume(Vec<Tier>),
    Package { size: Text<Fixed18>, price: Text<Fixed18>, rounding: Text<Rounding> },
    Percentage(Text<Fixed18>),
}

/// The quantity range a rate holds for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    from: Text<Fixed18>,
    price: Text<Fixed18>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flat: Option<Text<Fixed18>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spelled: Option<String>,
}

/// Whether a counter goes on across a change.
#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum CounterChange {
    #[default]
    Continues,
    Restarts,
}

/// Over what quantities are counted for tiers.
#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Base {
    Record,
    Day,
    #[default]
    BillingPeriod,
    CommitmentTerm {
        from: Text<BillingPeriod>,
        periods: u16,
    },
}

/// Who shares a counter.
#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Scope {
    #[default]
    Subscription,
    Account,
    Profile,
}

impl CounterChange {
    fn is_usual(&self) -> bool {
        *self == CounterChange::default()
    }
}

impl Base {
    fn is_usual(&self) -> bool {
        *self == Base::default()
    }
}

impl Scope {
    fn is_usual(&self) -> bool {
        *self == Scope::default()
    }
}

fn or_zero(number: Option<Text<Fixed18>>) -> Fixed18 {
    number.map_or(Fixed18::ZERO, |number| number.0)
}

impl TryFrom<Price> for catalog::Price {
    type Error = Wrong;

    fn try_from(twin: Price) -> Result<catalog::Price, Wrong> {
        let Price {
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
        } = twin;
        let cost_places = cost_places.unwrap_or(Fixed18::PLACES);
        if cost_places > Fixed18::PLACES {
            return Err(Wrong::new("cost_places", "must be at most 18"));
        }
        let conditions = conditions
            .into_iter()
            .map(|(dimension, value)| catalog::Condition { dimension: dimension.0, value })
            .collect();
        Ok(catalog::Price {
            lineage: lineage.unwrap_or_else(|| meter.0.as_str().to_owned()),
            meter: meter.0,
            effective_from: effective_from.map_or(Instant::MIN, |from| from.0),
            counter: match counter {
                CounterChange::Continues => catalog::CounterChange::Continues,
                CounterChange::Restarts => catalog::CounterChange::Restarts,
            },
            conditions,
            model: model.into(),
            base: base.into(),
            scope: scope.into(),
            included: or_zero(included),
            minimum: minimum.map(|minimum| minimum.0),
            maximum: maximum.map(|maximum| maximum.0),
            cost_places,
            rounding: rounding.map_or(Rounding::default(), |rounding| rounding.0),
        })
    }
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
        let conditions = conditions
            .into_iter()
            .map(|catalog::Condition { dimension, value }| (Text(dimension), value))
            .collect();
        Price {
            lineage: (lineage != meter.as_str()).then_some(lineage),
            meter: Text(meter),
            effective_from: unless(effective_from, Instant::MIN),
            counter: match counter {
                catalog::CounterChange::Continues => CounterChange::Continues,
                catalog::CounterChange::Restarts => CounterChange::Restarts,
            },
            conditions,
            model: model.into(),
            base: base.into(),
            scope: scope.into(),
            included: unless(included, Fixed18::ZERO),
            minimum: minimum.map(Text),
            maximum: maximum.map(Text),
            cost_places: (cost_places != Fixed18::PLACES).then_some(cost_places),
            rounding: unless(rounding, Rounding::default()),
        }
    }
}

impl From<Model> for catalog::PricingModel {
    fn from(model: Model) -> catalog::PricingModel {
        let all = |tiers: Vec<Tier>| tiers.into_iter().map(catalog::Tier::from).collect();
        match model {
            Model::PerUnit(price) => catalog::PricingModel::PerUnit { price: price.0 },
            Model::Graduated(tiers) => catalog::PricingModel::Graduated { tiers: all(tiers) },
            Model::Volume(tiers) => catalog::PricingModel::Volume { tiers: all(tiers) },
            Model::Package { size, price, rounding } => catalog::PricingModel::Package {
                size: size.0,
                price: price.0,
                rounding: rounding.0,
            },
            Model::Percentage(percent) => catalog::PricingModel::Percentage { percent: percent.0 },
        }
    }
}

impl From<catalog::PricingModel> for Model {
    fn from(model: catalog::PricingModel) -> Model {
        let all = |tiers: Vec<catalog::Tier>| tiers.into_iter().map(Tier::from).collect();
        match model {
            catalog::PricingModel::PerUnit { price } => Model::PerUnit(Text(price)),
            catalog::PricingModel::Graduated { tiers } => Model::Graduated(all(tiers)),
            catalog::PricingModel::Volume { tiers } => Model::Volume(all(tiers)),
            catalog::PricingModel::Package { size, price, rounding } => {
                Model::Package { size: Text(size), price: Text(price), rounding: Text(rounding) }
            }
            catalog::PricingModel::Percentage { percent } => Model::Percentage(Text(percent)),
        }
    }
}

impl From<Tier> for catalog::Tier {
    fn from(Tier { from, price, flat, spelled }: Tier) -> catalog::Tier {
        catalog::Tier { from: from.0, price: price.0, flat: or_zero(flat), spelled }
    }
}

impl From<catalog::Tier> for Tier {
    fn from(catalog::Tier { from, price, flat, spelled }: catalog::Tier) -> Tier {
        Tier { from: Text(from), price: Text(price), flat: unless(flat, Fixed18::ZERO), spelled }
    }
}

impl From<Base> for catalog::TierBase {
    fn from(base: Base) -> catalog::TierBase {
        match base {
            Base::Record => catalog::TierBase::Record,
            Base::Day => catalog::TierBase::Day,
            Base::BillingPeriod => catalog::TierBase::BillingPeriod,
            Base::CommitmentTerm { from, periods } => {
                catalog::TierBase::CommitmentTerm { from: from.0, periods }
            }
        }
    }
}

impl From<catalog::TierBase> for Base {
    fn from(base: catalog::TierBase) -> Base {
        match base {
            catalog::TierBase::Record => Base::Record,
            catalog::TierBase::Day => Base::Day,
            catalog::TierBase::BillingPeriod => Base::BillingPeriod,
            catalog::TierBase::CommitmentTerm { from, periods } => {
                Base::CommitmentTerm { from: Text(from), periods }
            }
        }
    }
}

impl From<Scope> for catalog::TierScope {
    fn from(scope: Scope) -> catalog::TierScope {
        match scope {
            Scope::Subscription => catalog::TierScope::Subscription,
            Scope::Account => catalog::TierScope::Account,
            Scope::Profile => catalog::TierScope::Profile,
        }
    }
}

impl From<catalog::TierScope> for Scope {
    fn from(scope: catalog::TierScope) -> Scope {
        match scope {
            catalog::TierScope::Subscription => Scope::Subscription,
            catalog::TierScope::Account => Scope::Account,
            catalog::TierScope::Profile => Scope::Profile,
        }
    }
}

/// Brings the prices of one meter into the order that a price list keeps.
pub(super) fn sort_versions(versions: &mut [catalog::Price]) {
    versions.sort_by(|a, b| {
        (&a.lineage, a.effective_from, &a.conditions).cmp(&(
            &b.lineage,
            b.effective_from,
            &b.conditions,
        ))
    });
}
