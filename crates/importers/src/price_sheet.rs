//! Answers of Microsoft.Consumption `pricesheets`: agreed prices of one billing period.

use crate::error::{FieldError, FileError, ImportError, field_of};
use crate::prices::{Gatherer, Habit, ImportedPrices, Rate, Tax, meter, read_whole};
use crate::rate_card::digits;
use crate::usage::MeterHint;
use crate::values;
use calendar::{BillingPeriod, Instant};
use domain::catalog::TierScope;
use domain::ids::MeterId;
use money::{Currency, Fixed18};
use serde::Deserialize;
use serde_json::Value;
use std::io::Read;

#[derive(Deserialize)]
struct Answer {
    properties: Sheet,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sheet {
    pricesheets: Vec<Line>,
    next_link: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    billing_period_id: String,
    meter_id: String,
    #[serde(default)]
    meter_name: String,
    meter_details: Option<Details>,
    #[serde(default)]
    unit_of_measure: String,
    included_quantity: Option<Value>,
    #[serde(default)]
    part_number: String,
    unit_price: Value,
    currency_code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(default)]
    meter_name: String,
    #[serde(default)]
    meter_category: String,
    #[serde(default)]
    meter_sub_category: String,
    #[serde(default)]
    meter_location: String,
}

/// Reads a price sheet. Of one meter several prices may stand side by side, told apart by part
/// number, which is part of the lineage.
///
/// Units:  a price is for one `unitOfMeasure` (`10 Hours`), which is the meter's unit.
/// Errors: [`ImportError`] naming the line of the sheet by its number, or two currencies.
pub fn read_price_sheet_azure_json(reader: impl Read) -> Result<ImportedPrices, ImportError> {
    let bytes = read_whole(reader)?;
    let answer: Answer = serde_json::from_slice(&bytes)
        .map_err(|error| FileError::shape(format!("is no price sheet: {error}")))?;
    let Sheet { pricesheets, next_link } = answer.properties;
    let mut gatherer = Gatherer::default();
    let mut currency = None;
    for (number, line) in (1..).zip(pricesheets) {
        let raw = format!("{} {}", line.meter_id, line.part_number);
        let added = one_currency(&mut currency, &line.currency_code)
            .and_then(|()| rate(number, line))
            .and_then(|rate| gatherer.add(rate));
        added.map_err(|error| error.at(number, &raw))?;
    }
    let currency = currency.ok_or_else(|| FileError::shape("the price sheet is empty"))?;
    let habit = Habit { scope: TierScope::Account, places: Fixed18::PLACES };
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
        next_link: next_link.filter(|link| !link.is_empty()),
    })
}

/// A list has one currency.
pub(crate) fn one_currency(known: &mut Option<Currency>, code: &str) -> Result<(), FieldError> {
    let given = values::currency(code)?;
    if known.is_some_and(|known| known != given) {
        return Err(FieldError::new("currency", format!("is {given}; the list's is another")));
    }
    *known = Some(given);
    Ok(())
}

fn rate(number: u64, line: Line) -> Result<Rate, FieldError> {
    let id = MeterId::new(&line.meter_id).map_err(|error| field_of("meterId", &error))?;
    let included = match &line.included_quantity {
        Some(value) => values::exact("includedQuantity", &digits("includedQuantity", value)?)?,
        None => Fixed18::ZERO,
    };
    let lineage = match line.part_number.as_str() {
        "" => id.as_str().to_owned(),
        part => format!("{id}/{part}"),
    };
    let details = line.meter_details.unwrap_or(Details {
        meter_name: line.meter_name,
        meter_category: String::new(),
        meter_sub_category: String::new(),
        meter_location: String::new(),
    });
    let hint = MeterHint {
        id,
        name: details.meter_name,
        category: details.meter_category,
        subcategory: details.meter_sub_category,
        region: details.meter_location,
        unit: line.unit_of_measure,
    };
    Ok(Rate {
        line: number,
        meter: meter(hint, Vec::new()),
        lineage,
        effective_from: period_start(&line.billing_period_id)?,
        included,
        from: "0".to_owned(),
        price: digits("unitPrice", &line.unit_price)?,
    })
}

/// The period at the end of `…/billingPeriods/20171001`, `…/201710` or `…/201710-1`.
fn period_start(id: &str) -> Result<Instant, FieldError> {
    let name = id.rsplit('/').next().unwrap_or_default();
    let month = name.get(..6).and_then(|month| BillingPeriod::parse(month).ok());
    let wrong = || FieldError::new("billingPeriodId", format!("`{name}` is no billing period"));
    month.map(BillingPeriod::start).ok_or_else(wrong)
}
