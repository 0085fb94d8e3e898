//! AWS Cost and Usage Reports, with `lineItem/UsageAmount` or `line_item_usage_amount` columns.

use crate::error::FieldError;
use crate::row::{Naming, Row};
use crate::usage::{Assumed, Finality, ImportedRow, MeterHint};
use crate::values;
use domain::usage::{ChargeCategory, Dimension};
use std::borrow::Cow;

pub(crate) const NAMING: Naming = Naming::Folded;
pub(crate) const REQUIRED: &[&[&str]] = &[
    &["lineitemusageaccountid"],
    &["lineitemlineitemtype"],
    &["lineitemusagestartdate"],
    &["lineitemusageenddate"],
    &["lineitemunblendedcost"],
];

/// Marks that differ between reports of one charge: a line item id is made anew for each report
/// (AWS Data Exports user guide, "Identity details"), an invoice is named once there is one.
const MUTABLE: &[&str] = &["identitylineitemid", "billinvoiceid"];

/// Reads one row.
pub(crate) fn read(mut row: Row<'_>, assumed: &Assumed) -> Result<ImportedRow, FieldError> {
    row.forget(MUTABLE);
    let category = category(&mut row)?;
    let start = row.take_text(&["lineitemusagestartdate"]);
    let start = values::instant("lineItem/UsageStartDate", &start, ISO)?;
    let end = row.take_text(&["lineitemusageenddate"]);
    let end = values::instant("lineItem/UsageEndDate", &end, ISO)?;
    let currency = match row.take(&["lineitemcurrencycode", "pricingcurrency"]) {
        Some(code) => Some(values::currency(&code)?),
        None => assumed.currency,
    };
    let quantity = match row.take(&["lineitemusageamount"]) {
        Some(text) => values::exact("lineItem/UsageAmount", &text)?,
        None if category == ChargeCategory::Usage => {
            return Err(FieldError::new("lineItem/UsageAmount", "is missing"));
        }
        None => money::Fixed18::ZERO,
    };
    let stated_cost = values::cost(&row.take_text(&["lineitemunblendedcost"]), currency)?;
    let unit_price = row
        .take(&["lineitemunblendedrate"])
        .map(|text| values::exact("lineItem/UnblendedRate", &text))
        .transpose()?
        .map(|price| (price, stated_cost.currency));
    let location = row.take(&["productregioncode", "productregion"]);
    let imported = ImportedRow {
        line: 0,
        identity: String::new(),
        account_hint: row.take(&["billpayeraccountid"]).map(Cow::into_owned),
        subscription: values::subscription(&row.take_text(&["lineitemusageaccountid"]))?,
        subscription_name: row.take(&["lineitemusageaccountname"]).map(Cow::into_owned),
        resource: row.take_text(&["lineitemresourceid"]),
        meter: meter(&mut row, category)?,
        quantity,
        service_period: values::interval(start, end)?,
        reported_at: None,
        dimensions: location.map(|at| (Dimension::Location, at.into_owned())).into_iter().collect(),
        tags: row.take_tag_cells(),
        category,
        stated_cost: Some(stated_cost),
        unit_price,
        details: None,
        finality: Finality::Final,
    };
    Ok(ImportedRow { details: row.into_details(), ..imported })
}

const ISO: crate::mapped::Dates = crate::mapped::Dates::Iso;

/// A usage type may have several rates (free tier, then paid), so the rate's code is part of the
/// meter: one meter, one rate.
fn meter(row: &mut Row<'_>, category: ChargeCategory) -> Result<MeterHint, FieldError> {
    let usage_type = row.take_text(&["lineitemusagetype"]);
    let rate = row.take_text(&["pricingratecode", "pricingrateid"]);
    let product = row.take_text(&["lineitemproductcode"]);
    let name = row.take_text(&["lineitemlineitemdescription"]);
    let id = match (usage_type.as_str(), rate.as_str()) {
        ("", "") => None,
        (usage_type, "") => Some(usage_type.to_owned()),
        (usage_type, rate) => Some(format!("{usage_type}/{rate}")),
    };
    Ok(MeterHint {
        id: values::meter(id.as_deref(), category, &[&product, &name])?,
        name,
        category: row.take(&["productproductname"]).map_or(product, Cow::into_owned),
        subcategory: row.take_text(&["productproductfamily"]),
        region: row.take_text(&["productlocation"]),
        unit: row.take_text(&["pricingunit"]),
    })
}

/// AWS, CUR user guide, `lineItem/LineItemType`.
fn category(row: &mut Row<'_>) -> Result<ChargeCategory, FieldError> {
    let kind = row.take_text(&["lineitemlineitemtype"]);
    let entity = row.take_text(&["billbillingentity"]);
    match kind.as_str() {
        "Usage" | "DiscountedUsage" | "SavingsPlanCoveredUsage" if entity == "AWS Marketplace" => {
            Ok(ChargeCategory::Marketplace)
        }
        "Usage" | "DiscountedUsage" | "SavingsPlanCoveredUsage" => Ok(ChargeCategory::Usage),
        "Tax" => Ok(ChargeCategory::Tax),
        "Credit" => Ok(ChargeCategory::Credit),
        "Refund" => Ok(ChargeCategory::Refund),
        "Fee" | "RIFee" | "SavingsPlanRecurringFee" | "SavingsPlanUpfrontFee" => {
            Ok(ChargeCategory::Fee)
        }
        "SavingsPlanNegation"
        | "BundledDiscount"
        | "Discount"
        | "EdpDiscount"
        | "PrivateRateDiscount" => Ok(ChargeCategory::Adjustment),
        _ => Err(FieldError::new("lineItem/LineItemType", format!("`{kind}` is unknown"))),
    }
}
