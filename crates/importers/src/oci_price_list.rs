//! OCI's public price list.

use crate::error::{FieldError, FileError, ImportError, field_of};
use crate::prices::{Gatherer, Habit, ImportedPrices, Rate, Tax, meter, read_whole};
use crate::rate_card::digits;
use crate::usage::MeterHint;
use calendar::Instant;
use domain::catalog::TierScope;
use domain::ids::MeterId;
use money::{Currency, Fixed18};
use serde::Deserialize;
use serde_json::Value;
use std::io::Read;

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    part_number: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    metric_name: String,
    #[serde(default)]
    service_category: String,
    currency_code_localizations: Vec<Localization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Localization {
    currency_code: String,
    prices: Vec<Band>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Band {
    model: String,
    value: Value,
    range_min: Option<Value>,
}

/// Reads the pay-as-you-go prices of one currency; tiers may stand in any order.
///
/// A list has no dates: its prices hold since ever.
/// Errors: [`ImportError`] naming the product by its number, or when none has that currency.
pub fn read_price_list_oci(
    reader: impl Read,
    currency: Currency,
) -> Result<ImportedPrices, ImportError> {
    let bytes = read_whole(reader)?;
    let list: List = serde_json::from_slice(&bytes)
        .map_err(|error| FileError::shape(format!("is no OCI price list: {error}")))?;
    let mut gatherer = Gatherer::default();
    for (line, item) in (1..).zip(list.items) {
        let part = item.part_number.clone();
        add(&mut gatherer, line, item, currency).map_err(|error| error.at(line, &part))?;
    }
    let habit = Habit { scope: TierScope::Account, places: Fixed18::PLACES };
    let (meters, prices, rounded) = gatherer.finish(habit)?;
    if prices.is_empty() {
        return Err(FileError::shape(format!("has no pay-as-you-go price in {currency}")).into());
    }
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

fn add(
    gatherer: &mut Gatherer,
    line: u64,
    item: Item,
    currency: Currency,
) -> Result<(), FieldError> {
    let id = MeterId::new(&item.part_number).map_err(|error| field_of("partNumber", &error))?;
    let lineage = id.as_str().to_owned();
    let hint = MeterHint {
        id,
        name: item.display_name,
        category: item.service_category,
        subcategory: String::new(),
        region: String::new(),
        unit: item.metric_name,
    };
    let meter = meter(hint, Vec::new());
    let bands = item
        .currency_code_localizations
        .into_iter()
        .filter(|prices| prices.currency_code == currency.code())
        .flat_map(|prices| prices.prices)
        .filter(|band| band.model == "PAY_AS_YOU_GO");
    for band in bands {
        let from = match &band.range_min {
            Some(bound) => digits("rangeMin", bound)?,
            None => "0".to_owned(),
        };
        gatherer.add(Rate {
            line,
            meter: meter.clone(),
            lineage: lineage.clone(),
            effective_from: Instant::MIN,
            included: Fixed18::ZERO,
            from,
            price: digits("value", &band.value)?,
        })?;
    }
    Ok(())
}
