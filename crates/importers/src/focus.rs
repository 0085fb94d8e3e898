//! FOCUS exports (1.0 and later): rows whose cost is passed through.

use crate::error::FieldError;
use crate::row::{Naming, Row};
use crate::usage::{Assumed, Finality, ImportedRow, MeterHint};
use crate::values;
use domain::usage::{ChargeCategory, Dimension};
use std::borrow::Cow;
use std::collections::BTreeMap;

pub(crate) const NAMING: Naming = Naming::Folded;
pub(crate) const REQUIRED: &[&[&str]] =
    &[&["billedcost"], &["chargeperiodstart"], &["chargeperiodend"], &["chargecategory"]];

/// Reads one row. `BilledCost` is the cost; prices stay in the details, for they belong to the
/// pricing quantity, which some providers give in other blocks than the consumed one.
pub(crate) fn read(mut row: Row<'_>, assumed: &Assumed) -> Result<ImportedRow, FieldError> {
    row.forget(&["id", "invoiceid"]);
    let category = category(&row.take_text(&["chargecategory"]))?;
    let start = values::instant("ChargePeriodStart", &row.take_text(&["chargeperiodstart"]), ISO)?;
    let end = values::instant("ChargePeriodEnd", &row.take_text(&["chargeperiodend"]), ISO)?;
    let currency = match row.take(&["billingcurrency"]) {
        Some(code) => Some(values::currency(&code)?),
        None => assumed.currency,
    };
    let stated_cost = values::cost(&row.take_text(&["billedcost"]), currency)?;
    let account = row.take(&["billingaccountid"]).map(Cow::into_owned);
    let sub_account = row.take_text(&["subaccountid"]);
    let holder = match (sub_account.as_str(), &account) {
        ("", Some(account)) => account.as_str(),
        (sub_account, _) => sub_account,
    };
    let quantity = match row.take(&["consumedquantity", "pricingquantity"]) {
        Some(text) => values::exact("ConsumedQuantity", &text)?,
        None if category == ChargeCategory::Usage => {
            return Err(FieldError::new("ConsumedQuantity", "is missing"));
        }
        None => money::Fixed18::ZERO,
    };
    let location = row.take(&["regionid"]).map(|at| (Dimension::Location, at.into_owned()));
    let imported = ImportedRow {
        line: 0,
        identity: String::new(),
        subscription: values::subscription(holder)?,
        account_hint: account,
        subscription_name: row.take(&["subaccountname"]).map(Cow::into_owned),
        resource: row.take_text(&["resourceid"]),
        meter: meter(&mut row, category)?,
        quantity,
        service_period: values::interval(start, end)?,
        reported_at: None,
        dimensions: location.into_iter().collect(),
        tags: row.take(&["tags"]).map_or(Ok(BTreeMap::new()), |text| values::tags(&text))?,
        category,
        stated_cost: Some(stated_cost),
        unit_price: None,
        details: None,
        finality: Finality::Final,
    };
    Ok(ImportedRow { details: row.into_details(), ..imported })
}

const ISO: crate::mapped::Dates = crate::mapped::Dates::Iso;

fn meter(row: &mut Row<'_>, category: ChargeCategory) -> Result<MeterHint, FieldError> {
    let sku = row.take(&["skuid"]);
    let name = row.take_text(&["skumeter", "chargedescription"]);
    let service = row.take_text(&["servicename"]);
    Ok(MeterHint {
        id: values::meter(sku.as_deref(), category, &[&service, &name])?,
        name,
        category: service,
        subcategory: row.take_text(&["servicesubcategory"]),
        region: row.take_text(&["regionname"]),
        unit: row.take_text(&["consumedunit", "pricingunit"]),
    })
}

/// FOCUS 1.0, Charge Category: a closed list.
fn category(text: &str) -> Result<ChargeCategory, FieldError> {
    match text {
        "Usage" => Ok(ChargeCategory::Usage),
        "Purchase" => Ok(ChargeCategory::Purchase),
        "Tax" => Ok(ChargeCategory::Tax),
        "Credit" => Ok(ChargeCategory::Credit),
        "Adjustment" => Ok(ChargeCategory::Adjustment),
        _ => Err(FieldError::new("ChargeCategory", format!("`{text}` is none of FOCUS"))),
    }
}
