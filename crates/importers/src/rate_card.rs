//! Answers of Microsoft.Commerce RateCard.

use crate::error::{FieldError, FileError, ImportError, field_of};
use crate::prices::{Gatherer, Habit, ImportedPrices, Rate, Tax, meter, read_whole};
use crate::usage::MeterHint;
use crate::values;
use calendar::Instant;
use domain::catalog::{OfferTerm, TierScope};
use domain::ids::{MeterId, OfferId};
use money::{Currency, Fixed18};
use serde::Deserialize;
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use std::io::Read;

/// For what a rate card holds; the answer itself does not say all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPlace {
    /// Its offer.
    pub offer: OfferId,
    /// Two-letter country where it was bought.
    pub region: String,
    /// Its currency; must be given if the card does not name it.
    pub currency: Option<Currency>,
    /// Its language; must be given if the card does not name it.
    pub locale: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Card {
    #[serde(default)]
    offer_terms: Vec<Term>,
    meters: Vec<CardMeter>,
    currency: Option<String>,
    locale: Option<String>,
    #[serde(default)]
    is_tax_included: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CardMeter {
    meter_id: String,
    #[serde(default)]
    meter_name: String,
    #[serde(default)]
    meter_category: String,
    #[serde(default)]
    meter_sub_category: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    meter_tags: Vec<String>,
    #[serde(default)]
    meter_region: String,
    meter_rates: BTreeMap<String, Value>,
    effective_date: String,
    included_quantity: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Term {
    name: String,
    effective_date: String,
    credit: Option<Value>,
    recurring_charge: Option<Value>,
    tiered_discount: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    excluded_meter_ids: Vec<String>,
}

/// Reads a rate card. A meter that comes twice with different dates has two versions.
///
/// Errors: [`ImportError`] naming the meter by its number; a card is one fact, so one wrong
/// meter refuses it.
pub fn read_rate_card_azure(
    reader: impl Read,
    place: CardPlace,
) -> Result<ImportedPrices, ImportError> {
    let bytes = read_whole(reader)?;
    let card: Card = serde_json::from_slice(&bytes)
        .map_err(|error| FileError::shape(format!("is no rate card: {error}")))?;
    let CardPlace { offer, region, currency, locale } = place;
    let stated = card.currency.as_deref().map(values::currency).transpose();
    let currency = agreed("currency", currency, stated.map_err(|e| e.at(0, ""))?)?;
    let locale = agreed("locale", locale, card.locale)?;
    let mut gatherer = Gatherer::default();
    for (line, meter) in (1..).zip(card.meters) {
        let id = meter.meter_id.clone();
        add(&mut gatherer, line, meter).map_err(|error| error.at(line, &id))?;
    }
    let terms: Result<Vec<OfferTerm>, ImportError> = (1..)
        .zip(card.offer_terms)
        .map(|(line, given)| {
            let name = given.name.clone();
            Ok(term(given).map_err(|error| error.at(line, &name))?)
        })
        .collect();
    let habit = Habit { scope: TierScope::Subscription, places: Fixed18::PLACES };
    let (meters, prices, rounded) = gatherer.finish(habit)?;
    Ok(ImportedPrices {
        meters,
        currency,
        locale: Some(locale),
        region: Some(region),
        offer: Some(offer),
        prices,
        terms: terms?,
        tax: if card.is_tax_included { Tax::Included } else { Tax::Excluded },
        rounded,
        next_link: None,
    })
}

/// What is given and what the card states must not differ.
fn agreed<T: PartialEq + std::fmt::Debug>(
    what: &str,
    given: Option<T>,
    stated: Option<T>,
) -> Result<T, FileError> {
    match (given, stated) {
        (Some(given), Some(stated)) if given != stated => Err(FileError::shape(format!(
            "{what} is {stated:?} by the card and {given:?} by the command"
        ))),
        (given, stated) => stated
            .or(given)
            .ok_or_else(|| FileError::shape(format!("the card names no {what}; give it"))),
    }
}

fn add(gatherer: &mut Gatherer, line: u64, given: CardMeter) -> Result<(), FieldError> {
    let id = MeterId::new(&given.meter_id).map_err(|error| field_of("MeterId", &error))?;
    let effective_from = values::instant("EffectiveDate", &given.effective_date, ISO)?;
    let included = match &given.included_quantity {
        Some(quantity) => {
            values::exact("IncludedQuantity", &digits("IncludedQuantity", quantity)?)?
        }
        None => Fixed18::ZERO,
    };
    if given.meter_rates.is_empty() {
        return Err(FieldError::new("MeterRates", "is empty"));
    }
    let lineage = id.as_str().to_owned();
    let hint = MeterHint {
        id,
        name: given.meter_name,
        category: given.meter_category,
        subcategory: given.meter_sub_category,
        region: given.meter_region,
        unit: given.unit,
    };
    let meter = meter(hint, given.meter_tags);
    for (from, price) in given.meter_rates {
        let (meter, lineage) = (meter.clone(), lineage.clone());
        let price = digits("MeterRates", &price)?;
        gatherer.add(Rate { line, meter, lineage, effective_from, included, from, price })?;
    }
    Ok(())
}

const ISO: crate::mapped::Dates = crate::mapped::Dates::Iso;

/// A number's own digits, be it written as a number or as text.
pub(crate) fn digits(field: &str, value: &Value) -> Result<String, FieldError> {
    match value {
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(text.clone()),
        _ => Err(FieldError::new(field, "is neither number nor text")),
    }
}

fn term(given: Term) -> Result<OfferTerm, FieldError> {
    let effective_from: Instant = values::instant("EffectiveDate", &given.effective_date, ISO)?;
    let excluded: Result<Vec<MeterId>, FieldError> = given
        .excluded_meter_ids
        .iter()
        .map(|id| MeterId::new(id).map_err(|error| field_of("ExcludedMeterIds", &error)))
        .collect();
    let excluded = excluded?;
    let amount = |field: &str, value: Option<Value>| {
        let value = value.unwrap_or(Value::Number(Number::from(0)));
        values::exact(field, &digits(field, &value)?)
    };
    match given.name.as_str() {
        "Monetary Credit" => {
            let credit = amount("Credit", given.credit)?;
            Ok(OfferTerm::MonetaryCredit { effective_from, credit, excluded })
        }
        "Monetary Commitment" => {
            let discounts: Result<Vec<(Fixed18, Fixed18)>, FieldError> = given
                .tiered_discount
                .unwrap_or_default()
                .into_iter()
                .map(|(from, value)| {
                    let from = values::exact("TieredDiscount", &from)?;
                    Ok((from, values::exact("TieredDiscount", &digits("TieredDiscount", &value)?)?))
                })
                .collect();
            let mut discounts = discounts?;
            discounts.sort();
            Ok(OfferTerm::MonetaryCommitment { effective_from, discounts, excluded })
        }
        "Recurring Charge" => {
            let amount = amount("RecurringCharge", given.recurring_charge)?;
            Ok(OfferTerm::RecurringCharge { effective_from, amount })
        }
        other => Err(FieldError::new("Name", format!("offer term `{other}` is unknown"))),
    }
}
