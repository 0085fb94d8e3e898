//! Azure usage with cost: answers of Microsoft.Consumption, and cost exports as CSV.
//!
//! Both say the same under many names. One reader knows them all, letter case, blanks and the
//! German names in front of the bracket left aside.

use crate::error::FieldError;
use crate::row::{Naming, Row, fold};
use crate::usage::{Assumed, Finality, ImportedRow, MeterHint};
use crate::values;
use calendar::Interval;
use domain::ids::SubscriptionId;
use domain::usage::{ChargeCategory, Dimension};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How an export's columns are found.
pub(crate) const NAMING: Naming = Naming::Folded;

/// Columns without which a file is no export: one of each line.
pub(crate) const REQUIRED: &[&[&str]] = &[SUBSCRIPTION, DAY, COST];

const SUBSCRIPTION: &[&str] = &["subscriptionguid", "subscriptionid"];
const DAY: &[&str] = &["date", "usagedatetime", "usagestart"];
const COST: &[&str] = &["costinbillingcurrency", "pretaxcost", "cost"];
const QUANTITY: &[&str] = &["quantity", "usagequantity", "consumedquantity"];
const RESOURCE: &[&str] = &["resourceid", "instanceid", "instancename", "resourcename"];
const LOCATION: &[&str] = &["resourcelocation", "instancelocation", "location"];
const CURRENCY: &[&str] = &["billingcurrencycode", "billingcurrency", "currencycode", "currency"];

/// Marks that differ between extracts of one row: record ids are made anew and repeat, an
/// invoice is named once there is one.
const MUTABLE: &[&str] = &["id", "name", "type", "etag", "invoiceid", "invoice"];

/// Reads one element of an answer: its `properties` and their `meterDetails`, side by side.
pub(crate) fn read_element(element: Value, assumed: &Assumed) -> Result<ImportedRow, FieldError> {
    let Value::Object(mut record) = element else {
        return Err(FieldError::new("row", "is no object"));
    };
    let is_marketplace = record
        .get("id")
        .and_then(Value::as_str)
        .is_some_and(|id| id.contains("Microsoft.Consumption/marketplaces/"));
    let Some(Value::Object(mut properties)) = record.remove("properties") else {
        return Err(FieldError::new("properties", "is missing"));
    };
    let meter = match properties.remove("meterDetails") {
        Some(Value::Object(meter)) => meter,
        None | Some(Value::Null) => serde_json::Map::new(),
        Some(_) => return Err(FieldError::new("meterDetails", "is no object")),
    };
    let mut row = Row::of_members([record, properties, meter]);
    let origin = if is_marketplace { Origin::Marketplace } else { Origin::Own };
    convert(&mut row, origin, assumed).map(|imported| with_details(imported, row))
}

/// Reads one row of an export.
pub(crate) fn read(mut row: Row<'_>, assumed: &Assumed) -> Result<ImportedRow, FieldError> {
    convert(&mut row, Origin::Own, assumed).map(|imported| with_details(imported, row))
}

fn with_details(imported: ImportedRow, rest: Row<'_>) -> ImportedRow {
    ImportedRow { details: rest.into_details(), ..imported }
}

/// Whose charge a row is where it does not say so itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Own,
    Marketplace,
}

fn convert(
    row: &mut Row<'_>,
    origin: Origin,
    assumed: &Assumed,
) -> Result<ImportedRow, FieldError> {
    let subscription = subscription(row)?;
    row.forget(MUTABLE);
    let category = category(row, origin)?;
    let service_period = service_period(row)?;
    let currency = match row.take(CURRENCY) {
        Some(code) => Some(values::currency(&code)?),
        None => assumed.currency,
    };
    let stated_cost = row.take(COST).map(|text| values::cost(&text, currency)).transpose()?;
    let quantity = match row.take(QUANTITY) {
        Some(text) => values::exact("quantity", &text)?,
        None if stated_cost.is_some() && !states_quantity(row, category) => money::Fixed18::ZERO,
        None => return Err(FieldError::new("quantity", "is missing")),
    };
    let pricing = row.peek("pricingcurrency").map(|code| values::currency(&code)).transpose()?;
    let unit_price = match (row.take(&["effectiveprice", "resourcerate"]), pricing.or(currency)) {
        (Some(text), Some(currency)) => Some((values::rounded("unit_price", &text)?, currency)),
        _ => None,
    };
    let finality = match row.take(&["isestimated"]) {
        Some(text) if text.eq_ignore_ascii_case("true") => Finality::Provisional,
        _ => Finality::Final,
    };
    let location = row.take(LOCATION).map(|at| (Dimension::Location, at.into_owned()));
    Ok(ImportedRow {
        line: 0,
        identity: String::new(),
        account_hint: row.take(&["billingaccountid"]).map(Cow::into_owned),
        subscription,
        subscription_name: row.take(&["subscriptionname"]).map(Cow::into_owned),
        resource: row.take_text(RESOURCE),
        meter: meter(row, category)?,
        quantity,
        service_period,
        reported_at: None,
        dimensions: location.into_iter().collect(),
        tags: row.take(&["tags"]).map_or(Ok(BTreeMap::new()), |text| values::tags(&text))?,
        category,
        stated_cost,
        unit_price,
        details: None,
        finality,
    })
}

/// Answers for a pay-as-you-go subscription name it only in paths: of the resource, of the record.
fn subscription(row: &mut Row<'_>) -> Result<SubscriptionId, FieldError> {
    let given = row.take_text(SUBSCRIPTION);
    let mut paths =
        ["resourceid", "instanceid", "id"].into_iter().filter_map(|name| row.peek(name));
    let mut named = || paths.find_map(|path| values::in_path(&path).map(str::to_owned));
    let id = if given.is_empty() { named().unwrap_or_default() } else { given };
    values::subscription(&id)
}

/// Usage must say how much, if the file has a column for it; other charges need not.
fn states_quantity(row: &Row<'_>, category: ChargeCategory) -> bool {
    category == ChargeCategory::Usage && row.has(QUANTITY)
}

fn meter(row: &mut Row<'_>, category: ChargeCategory) -> Result<MeterHint, FieldError> {
    let id = row.take(&["meterid"]);
    let region = row.take_text(&["meterregion", "meterlocation"]);
    let unit = row.take_text(&["unitofmeasure", "unit"]);
    let name = row.take_text(&["metername", "product", "productname", "offername", "planname"]);
    let service = row.take_text(&["metercategory"]);
    let subcategory = row.take_text(&["metersubcategory"]);
    let order = if id.is_none() && name.is_empty() && service.is_empty() {
        row.take_text(&["ordernumber", "productorderid"])
    } else {
        String::new()
    };
    let id = values::meter(id.as_deref(), category, &[&name, &service, &order])?;
    Ok(MeterHint { id, name, category: service, subcategory, region, unit })
}

/// The day of `date`, else from `usageStart` to `usageEnd`, whose last second is inclusive.
fn service_period(row: &mut Row<'_>) -> Result<Interval, FieldError> {
    if let Some(day) = row.take(&["date", "usagedatetime"]) {
        return values::day_from(values::azure_instant("date", &day)?.start_of_day());
    }
    let start = values::azure_instant("usageStart", &row.take_text(&["usagestart"]))?;
    match row.take(&["usageend"]) {
        Some(end) => values::inclusive(start, values::azure_instant("usageEnd", &end)?),
        None => values::day_from(start),
    }
}

/// Azure's `ChargeType` and `PublisherType`.
fn category(row: &mut Row<'_>, origin: Origin) -> Result<ChargeCategory, FieldError> {
    let publisher = row.take_text(&["publishertype"]);
    let charge = row.take_text(&["chargetype"]);
    let is_marketplace =
        origin == Origin::Marketplace || publisher.eq_ignore_ascii_case("marketplace");
    match fold(&charge).as_str() {
        "" | "usage" if is_marketplace => Ok(ChargeCategory::Marketplace),
        "" | "usage" => Ok(ChargeCategory::Usage),
        "purchase" if is_marketplace => Ok(ChargeCategory::Marketplace),
        "purchase" => Ok(ChargeCategory::Purchase),
        "refund" => Ok(ChargeCategory::Refund),
        "tax" => Ok(ChargeCategory::Tax),
        "credit" => Ok(ChargeCategory::Credit),
        "fee" => Ok(ChargeCategory::Fee),
        "adjustment" | "roundingadjustment" => Ok(ChargeCategory::Adjustment),
        "unusedreservation" | "unusedsavingsplan" => Ok(ChargeCategory::Usage),
        _ => Err(FieldError::new("category", format!("charge type `{charge}` is unknown"))),
    }
}
