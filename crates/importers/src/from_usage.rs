//! A price list out of the unit prices that usage rows carry.

use crate::error::{FieldError, FileError, ImportError};
use crate::prices::{Gatherer, Habit, ImportedPrices, Rate, Tax, meter};
use crate::usage::{ImportedRow, MeterHint, UsageFormat};
use calendar::{BillingPeriod, Instant};
use domain::catalog::{Meter, TierScope};
use domain::ids::MeterId;
use domain::usage::ChargeCategory;
use money::{Currency, Fixed18};
use std::collections::{BTreeMap, BTreeSet};

/// Places to which a vendor rounds a row's cost.
///
/// Source: 506 OCI rows and 857 + 315 AWS rows are reproduced by it, half away from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PriceScale {
    /// Digits after the point.
    pub cost_places: u32,
}

impl PriceScale {
    /// The scale of a format's vendor.
    pub const fn of(format: &UsageFormat) -> PriceScale {
        match format {
            UsageFormat::AwsCur => PriceScale { cost_places: 10 },
            UsageFormat::AzureUsageAggregates
            | UsageFormat::AzureUsageDetailsJson
            | UsageFormat::AzureUsageDetailsCsv
            | UsageFormat::Focus
            | UsageFormat::OciCostReport
            | UsageFormat::Mapped(_) => PriceScale { cost_places: Fixed18::PLACES },
        }
    }
}

/// Gathers each meter's unit price from rows of usage; other charges have none.
///
/// A price holds from the start of the billing period of its first use; a change of price is a
/// version from its first use on.
/// Errors: [`ImportError`] when one meter has two prices at the same instant, or when rows carry
/// two currencies or no price at all.
pub fn prices_from_usage<'a>(
    rows: impl IntoIterator<Item = &'a ImportedRow>,
    scale: PriceScale,
) -> Result<ImportedPrices, ImportError> {
    let mut seen: BTreeMap<MeterId, (Meter, BTreeSet<(Instant, Fixed18)>)> = BTreeMap::new();
    let mut currency: Option<Currency> = None;
    for row in rows.into_iter().filter(|row| row.category == ChargeCategory::Usage) {
        let Some((price, of)) = row.unit_price else { continue };
        if currency.is_some_and(|known| known != of) {
            let error = FieldError::new("currency", format!("is {of}; the list's is another"));
            return Err(error.at(row.line, row.meter.id.as_str()).into());
        }
        currency = Some(of);
        let MeterHint { id, .. } = &row.meter;
        let fresh = || (meter(row.meter.clone(), Vec::new()), BTreeSet::new());
        let (_, prices) = seen.entry(id.clone()).or_insert_with(fresh);
        prices.insert((row.service_period.start(), price));
    }
    let currency = currency.ok_or_else(|| FileError::shape("no row carries a unit price"))?;
    let mut gatherer = Gatherer::default();
    for (meter, prices) in seen.into_values() {
        for (effective_from, price) in versions(&meter, prices)? {
            let rate = Rate {
                line: 0,
                lineage: meter.id.as_str().to_owned(),
                meter: meter.clone(),
                effective_from,
                included: Fixed18::ZERO,
                from: "0".to_owned(),
                price: price.to_string(),
            };
            gatherer.add(rate).map_err(|error| error.at(0, meter.id.as_str()))?;
        }
    }
    let habit = Habit { scope: TierScope::Account, places: scale.cost_places };
    let (meters, prices, rounded) = gatherer.finish(habit)?;
    Ok(ImportedPrices {
        meters,
        currency,
        locale: None,
        region: None,
        offer: None,
        prices,
        terms: Vec::new(),
        tax: Tax::Excluded,
        rounded,
        next_link: None,
    })
}

/// From when which price holds.
fn versions(
    meter: &Meter,
    prices: BTreeSet<(Instant, Fixed18)>,
) -> Result<Vec<(Instant, Fixed18)>, ImportError> {
    let mut versions: Vec<(Instant, Fixed18)> = Vec::new();
    let mut last: Option<(Instant, Fixed18)> = None;
    for (start, price) in prices {
        if last.is_some_and(|(at, other)| at == start && other != price) {
            let problem = format!("is {price} and another at {start}");
            return Err(FieldError::new("unit_price", problem).at(0, meter.id.as_str()).into());
        }
        match last {
            None => versions.push((BillingPeriod::of(start).start(), price)),
            Some((_, other)) if other != price => versions.push((start, price)),
            Some(_) => {}
        }
        last = Some((start, price));
    }
    Ok(versions)
}
