//! Any table, by a mapping file: which column is which field, and what holds for all rows.

use crate::error::{FieldError, FileError};
use crate::row::{Naming, Row};
use crate::usage::{Assumed, Finality, ImportedRow, MeterHint};
use crate::values;
use calendar::{Interval, MICROS_PER_DAY, MICROS_PER_HOUR};
use domain::usage::{ChargeCategory, Dimension};
use money::{Fixed18, Rounding};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a mapped table's columns are found.
pub(crate) const NAMING: Naming = Naming::AsSpelled;

/// A mapping file: TOML.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// What separates the cells of a CSV row.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// How dates are written.
    #[serde(default)]
    pub dates: Dates,
    /// What a row covers whose end has no column.
    #[serde(default)]
    pub grain: Grain,
    /// Our field → the file's column.
    pub columns: BTreeMap<Field, String>,
    /// Our field → the value of every row whose column is missing or empty.
    #[serde(default)]
    pub constants: BTreeMap<Field, String>,
    /// Our dimension (by its name) → the file's column.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
    /// Tag → the file's column; a column named `tags` above holds a whole object.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The file's word for a kind of charge → ours.
    #[serde(default)]
    pub categories: BTreeMap<String, String>,
    /// By what a quantity is multiplied to stand in the meter's unit: a decimal as text.
    #[serde(default)]
    pub quantity_scale: Option<String>,
    /// Columns that may change between extracts of the same row; they are left out.
    #[serde(default)]
    pub mutable: Vec<String>,
}

/// A field that a column or a constant can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of an imported row")]
pub enum Field {
    Account,
    Subscription,
    SubscriptionName,
    Resource,
    Meter,
    MeterName,
    MeterCategory,
    MeterSubcategory,
    MeterRegion,
    Unit,
    Quantity,
    Start,
    End,
    ReportedAt,
    Category,
    Cost,
    UnitPrice,
    Currency,
    Tags,
    Estimated,
}

/// How dates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dates {
    /// `2026-03-02`, `2026-03-02T10:00:00Z`, with or without offset.
    #[default]
    Iso,
    /// `3/2/2026`.
    MonthFirst,
    /// `2.3.2026`, `2/3/2026`.
    DayFirst,
    /// Whole seconds since 1970.
    EpochSeconds,
    /// Whole milliseconds since 1970.
    EpochMillis,
}

/// What a row covers whose end has no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// The moment itself.
    #[default]
    Moment,
    /// The hour from its start.
    Hour,
    /// The day from its start.
    Day,
}

const fn comma() -> char {
    ','
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// Errors: [`FileError::Shape`] naming line and key, an unknown dimension or category, a
    /// scale that is no number, or a field without which no row can be read.
    pub fn parse(toml: &str) -> Result<Mapping, FileError> {
        let mapping: Mapping =
            toml::from_str(toml).map_err(|error| FileError::shape(error.to_string()))?;
        mapping.check()?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), FileError> {
        for field in [Field::Subscription, Field::Meter, Field::Start] {
            if !self.columns.contains_key(&field) && !self.constants.contains_key(&field) {
                let name = format!("{field:?}").to_lowercase();
                return Err(FileError::shape(format!("mapping: `{name}` has no column")));
            }
        }
        for name in self.dimensions.keys() {
            Dimension::parse(name)
                .ok_or_else(|| FileError::shape(format!("mapping: no dimension `{name}`")))?;
        }
        for name in self.categories.values().chain(self.constants.get(&Field::Category)) {
            ChargeCategory::parse(name)
                .ok_or_else(|| FileError::shape(format!("mapping: no category `{name}`")))?;
        }
        if !self.delimiter.is_ascii() {
            return Err(FileError::shape("mapping: delimiter is not one ASCII character"));
        }
        self.scale().map(|_| ())
    }

    fn scale(&self) -> Result<Option<Fixed18>, FileError> {
        let Some(text) = &self.quantity_scale else { return Ok(None) };
        Fixed18::parse(text)
            .map(Some)
            .map_err(|error| FileError::shape(format!("mapping: quantity_scale: {error}")))
    }
}

/// The columns that the mapping names.
pub(crate) fn required(mapping: &Mapping) -> impl Iterator<Item = &str> {
    let Mapping { columns, dimensions, tags, .. } = mapping;
    columns.values().chain(dimensions.values()).chain(tags.values()).map(String::as_str)
}

/// Reads one row.
pub(crate) fn read(
    mut row: Row<'_>,
    mapping: &Mapping,
    assumed: &Assumed,
) -> Result<ImportedRow, FieldError> {
    for column in &mapping.mutable {
        row.forget(&[column]);
    }
    let mut cells = Cells { row: &mut row, mapping };
    let category = cells.category()?;
    let currency = match cells.get(Field::Currency) {
        Some(code) => Some(values::currency(&code)?),
        None => assumed.currency,
    };
    let stated_cost =
        cells.get(Field::Cost).map(|text| values::cost(&text, currency)).transpose()?;
    let unit_price = cells
        .get(Field::UnitPrice)
        .map(|text| values::exact("unit_price", &text))
        .transpose()?
        .zip(currency);
    let imported = ImportedRow {
        line: 0,
        identity: String::new(),
        account_hint: cells.get(Field::Account),
        subscription: values::subscription(&cells.text(Field::Subscription))?,
        subscription_name: cells.get(Field::SubscriptionName),
        resource: cells.text(Field::Resource),
        meter: MeterHint {
            id: values::meter(cells.get(Field::Meter).as_deref(), category, &[])?,
            name: cells.text(Field::MeterName),
            category: cells.text(Field::MeterCategory),
            subcategory: cells.text(Field::MeterSubcategory),
            region: cells.text(Field::MeterRegion),
            unit: cells.text(Field::Unit),
        },
        quantity: cells.quantity(category)?,
        service_period: cells.service_period()?,
        reported_at: cells
            .get(Field::ReportedAt)
            .map(|text| values::instant("reported_at", &text, mapping.dates))
            .transpose()?,
        dimensions: cells.dimensions(),
        tags: cells.tags()?,
        category,
        stated_cost,
        unit_price,
        details: None,
        finality: cells.finality(),
    };
    Ok(ImportedRow { details: row.into_details(), ..imported })
}

/// A row's cells by our field.
struct Cells<'r, 'a> {
    row: &'r mut Row<'a>,
    mapping: &'r Mapping,
}

impl Cells<'_, '_> {
    fn get(&mut self, field: Field) -> Option<String> {
        let column = self.mapping.columns.get(&field);
        let cell = column.and_then(|column| self.row.take(&[column])).map(String::from);
        cell.or_else(|| self.mapping.constants.get(&field).cloned())
    }

    fn text(&mut self, field: Field) -> String {
        self.get(field).unwrap_or_default()
    }

    fn category(&mut self) -> Result<ChargeCategory, FieldError> {
        let Some(word) = self.get(Field::Category) else { return Ok(ChargeCategory::Usage) };
        let ours = self.mapping.categories.get(&word).map_or(word.as_str(), String::as_str);
        ChargeCategory::parse(ours)
            .ok_or_else(|| FieldError::new("category", format!("`{word}` is unknown")))
    }

    fn quantity(&mut self, category: ChargeCategory) -> Result<Fixed18, FieldError> {
        let Some(text) = self.get(Field::Quantity) else {
            return match category {
                ChargeCategory::Usage => Err(FieldError::new("quantity", "is missing")),
                _ => Ok(Fixed18::ZERO),
            };
        };
        let quantity = values::exact("quantity", &text)?;
        let scale = self.mapping.scale().map_err(|e| FieldError::new("quantity", e.to_string()))?;
        let Some(scale) = scale else { return Ok(quantity) };
        let scaled = quantity.checked_mul(scale, Fixed18::PLACES, Rounding::HalfAwayFromZero);
        scaled.map_err(|error| FieldError::new("quantity", error.to_string()))
    }

    fn service_period(&mut self) -> Result<Interval, FieldError> {
        let dates = self.mapping.dates;
        let start = values::instant("start", &self.text(Field::Start), dates)?;
        let end = match self.get(Field::End) {
            Some(end) => values::instant("end", &end, dates)?,
            None => match self.mapping.grain {
                Grain::Moment => start,
                Grain::Hour => start.plus_micros(MICROS_PER_HOUR),
                Grain::Day => start.plus_micros(MICROS_PER_DAY),
            },
        };
        values::interval(start, end)
    }

    fn dimensions(&mut self) -> BTreeMap<Dimension, String> {
        let mapping = self.mapping;
        let named = mapping.dimensions.iter().filter_map(|(name, column)| {
            Some((Dimension::parse(name)?, self.row.take(&[column])?.into_owned()))
        });
        named.collect()
    }

    fn tags(&mut self) -> Result<BTreeMap<String, String>, FieldError> {
        let mut tags = match self.get(Field::Tags) {
            Some(object) => values::tags(&object)?,
            None => BTreeMap::new(),
        };
        for (tag, column) in &self.mapping.tags {
            if let Some(value) = self.row.take(&[column]) {
                tags.insert(tag.clone(), value.into_owned());
            }
        }
        Ok(tags)
    }

    fn finality(&mut self) -> Finality {
        match self.get(Field::Estimated) {
            Some(text) if text.eq_ignore_ascii_case("true") => Finality::Provisional,
            _ => Finality::Final,
        }
    }
}
