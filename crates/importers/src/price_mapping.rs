//! Any price list as CSV or Parquet, by a mapping file.

use crate::error::{FieldError, FileError, ImportError, field_of};
use crate::mapped::Dates;
use crate::parquet_table::ParquetTable;
use crate::price_sheet::one_currency;
use crate::prices::{Gatherer, Habit, ImportedPrices, Rate, Tax, meter};
use crate::row::{Column, Naming, Row};
use crate::table::Table;
use crate::usage::MeterHint;
use crate::values;
use calendar::Instant;
use domain::catalog::TierScope;
use domain::ids::MeterId;
use money::{Currency, Fixed18};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Empty, Read};

/// A mapping file of a price list: TOML. One row is one rate; rows of one meter, part and
/// effective date are its tiers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceMapping {
    /// What separates the cells of a row.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// How dates are written.
    #[serde(default)]
    pub dates: Dates,
    /// Our field → the file's column.
    pub columns: BTreeMap<PriceField, String>,
    /// Our field → the value of every row whose column is missing or empty.
    #[serde(default)]
    pub constants: BTreeMap<PriceField, String>,
}

/// A field of a rate that a column or a constant can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of meters and prices")]
pub enum PriceField {
    Meter,
    Part,
    Name,
    Category,
    Subcategory,
    Region,
    Unit,
    Price,
    TierFrom,
    Included,
    EffectiveFrom,
    Currency,
}

const fn comma() -> char {
    ','
}

impl PriceMapping {
    /// Reads a mapping file.
    ///
    /// Errors: [`FileError::Shape`] naming line and key, or a field without which no price can
    /// be read.
    pub fn parse(toml: &str) -> Result<PriceMapping, FileError> {
        let mapping: PriceMapping =
            toml::from_str(toml).map_err(|error| FileError::shape(error.to_string()))?;
        for field in [PriceField::Meter, PriceField::Price] {
            if !mapping.columns.contains_key(&field) {
                let name = format!("{field:?}").to_lowercase();
                return Err(FileError::shape(format!("mapping: `{name}` has no column")));
            }
        }
        if !mapping.delimiter.is_ascii() {
            return Err(FileError::shape("mapping: delimiter is not one ASCII character"));
        }
        Ok(mapping)
    }

    fn get(&self, row: &mut Row<'_>, field: PriceField) -> Option<String> {
        let column = self.columns.get(&field);
        let cell = column.and_then(|column| row.take(&[column])).map(String::from);
        cell.or_else(|| self.constants.get(&field).cloned())
    }
}

/// Reads a price list. `currency` holds where neither column nor constant names one.
///
/// Errors: [`ImportError`] naming the line; a list is one fact, so one wrong row refuses it.
pub fn read_price_list_csv(
    reader: impl Read,
    mapping: &PriceMapping,
    currency: Option<Currency>,
) -> Result<ImportedPrices, ImportError> {
    let delimiter = u8::try_from(mapping.delimiter).unwrap_or(b',');
    read_rates(Rates::Csv(Table::open(reader, delimiter, Naming::AsSpelled)?), mapping, currency)
}

/// Reads a price list from Parquet, as [`read_price_list_csv`] does.
///
/// Errors: as there.
pub fn read_price_list_parquet(
    file: File,
    mapping: &PriceMapping,
    currency: Option<Currency>,
) -> Result<ImportedPrices, ImportError> {
    let table = ParquetTable::open(file, Naming::AsSpelled)?;
    read_rates(Rates::<Empty>::Parquet(table), mapping, currency)
}

/// A table of rates, one in a row.
enum Rates<R> {
    Csv(Table<R>),
    Parquet(ParquetTable),
}

impl<R: Read> Rates<R> {
    fn columns(&self) -> &[Column] {
        match self {
            Rates::Csv(table) => table.columns(),
            Rates::Parquet(table) => table.columns(),
        }
    }

    fn advance(&mut self) -> Result<Option<u64>, ImportError> {
        match self {
            Rates::Csv(table) => table.advance(),
            Rates::Parquet(table) => table.advance(),
        }
    }

    fn row(&self) -> Row<'_> {
        match self {
            Rates::Csv(table) => table.row(),
            Rates::Parquet(table) => table.row(),
        }
    }

    fn raw(&self) -> String {
        match self {
            Rates::Csv(table) => table.raw(),
            Rates::Parquet(table) => table.raw(),
        }
    }
}

fn read_rates<R: Read>(
    mut table: Rates<R>,
    mapping: &PriceMapping,
    currency: Option<Currency>,
) -> Result<ImportedPrices, ImportError> {
    for column in mapping.columns.values() {
        if !table.columns().iter().any(|known| known.key == *column) {
            return Err(FileError::shape(format!("no column `{column}`")).into());
        }
    }
    let mut gatherer = Gatherer::default();
    let mut known = currency;
    while let Some(line) = table.advance()? {
        let read = rate(line, table.row(), mapping, &mut known);
        let added = read.and_then(|rate| gatherer.add(rate));
        added.map_err(|error| error.at(line, &table.raw()))?;
    }
    let currency = known.ok_or_else(|| FileError::shape("the list names no currency; give it"))?;
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
        next_link: None,
    })
}

fn rate(
    line: u64,
    mut row: Row<'_>,
    mapping: &PriceMapping,
    currency: &mut Option<Currency>,
) -> Result<Rate, FieldError> {
    let mut get = |field: PriceField| mapping.get(&mut row, field);
    if let Some(code) = get(PriceField::Currency) {
        one_currency(currency, &code)?;
    }
    let meter_id = get(PriceField::Meter).unwrap_or_default();
    let id = MeterId::new(&meter_id).map_err(|error| field_of("meter", &error))?;
    let lineage = match get(PriceField::Part) {
        Some(part) => format!("{id}/{part}"),
        None => id.as_str().to_owned(),
    };
    let effective_from = match get(PriceField::EffectiveFrom) {
        Some(text) => values::instant("effective_from", &text, mapping.dates)?,
        None => Instant::MIN,
    };
    let included = match get(PriceField::Included) {
        Some(text) => values::exact("included", &text)?,
        None => Fixed18::ZERO,
    };
    let price = get(PriceField::Price).ok_or_else(|| FieldError::new("price", "is missing"))?;
    let from = get(PriceField::TierFrom).unwrap_or_else(|| "0".to_owned());
    let mut text = |field: PriceField| get(field).unwrap_or_default();
    let hint = MeterHint {
        id,
        name: text(PriceField::Name),
        category: text(PriceField::Category),
        subcategory: text(PriceField::Subcategory),
        region: text(PriceField::Region),
        unit: text(PriceField::Unit),
    };
    let meter = meter(hint, Vec::new());
    Ok(Rate { line, meter, lineage, effective_from, included, from, price })
}
