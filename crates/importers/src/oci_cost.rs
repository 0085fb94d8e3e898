//! OCI cost reports.

use crate::error::FieldError;
use crate::row::{Naming, Row};
use crate::usage::{Assumed, Finality, ImportedRow, MeterHint};
use crate::values;
use domain::usage::{ChargeCategory, Dimension};
use std::borrow::Cow;

pub(crate) const NAMING: Naming = Naming::Folded;
pub(crate) const REQUIRED: &[&[&str]] = &[
    &["lineitemtenantid"],
    &["lineitemintervalusagestart"],
    &["lineitemintervalusageend"],
    &["usagebilledquantity"],
    &["costproductsku"],
];

/// Reads one row. The tenancy is the subscription and Oracle's subscription the payer, as in
/// Oracle's own FOCUS exports; corrections are rows of their own, with quantities below zero.
pub(crate) fn read(mut row: Row<'_>, assumed: &Assumed) -> Result<ImportedRow, FieldError> {
    let category = ChargeCategory::Usage;
    let start = row.take_text(&["lineitemintervalusagestart"]);
    let start = values::instant("lineItem/intervalUsageStart", &start, ISO)?;
    let end = row.take_text(&["lineitemintervalusageend"]);
    let end = values::instant("lineItem/intervalUsageEnd", &end, ISO)?;
    let currency = match row.take(&["costcurrencycode"]) {
        Some(code) => Some(values::currency(&code)?),
        None => assumed.currency,
    };
    let quantity = values::exact("usage/billedQuantity", &row.take_text(&["usagebilledquantity"]))?;
    let price = row
        .take(&["costunitprice"])
        .map(|text| values::exact("cost/unitPrice", &text))
        .transpose()?;
    let cost = row.take(&["costmycost"]).map(|text| values::cost(&text, currency)).transpose()?;
    let location = row.take(&["productregion"]).map(|at| (Dimension::Location, at.into_owned()));
    let sku = row.take(&["costproductsku"]);
    let name = row.take_text(&["productdescription"]);
    let imported = ImportedRow {
        line: 0,
        identity: String::new(),
        account_hint: row.take(&["costsubscriptionid"]).map(Cow::into_owned),
        subscription: values::subscription(&row.take_text(&["lineitemtenantid"]))?,
        subscription_name: None,
        resource: row.take_text(&["productresourceid"]),
        meter: MeterHint {
            id: values::meter(sku.as_deref(), category, &[&name])?,
            name,
            category: row.take_text(&["productservice"]),
            subcategory: String::new(),
            region: String::new(),
            unit: row.take_text(&["costskuunitdescription"]),
        },
        quantity,
        service_period: values::interval(start, end)?,
        reported_at: None,
        dimensions: location.into_iter().collect(),
        tags: row.take_tag_cells(),
        category,
        stated_cost: cost,
        unit_price: price.zip(currency),
        details: None,
        finality: Finality::Final,
    };
    Ok(ImportedRow { details: row.into_details(), ..imported })
}

const ISO: crate::mapped::Dates = crate::mapped::Dates::Iso;
