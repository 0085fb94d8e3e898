//! Answers of Microsoft.Commerce UsageAggregates (`2015-06-01-preview`).

use crate::error::{FieldError, cut, field_of};
use crate::row::canonical;
use crate::usage::{Finality, ImportedRow, MeterHint};
use crate::values;
use calendar::Instant;
use domain::ids::MeterId;
use domain::usage::{ChargeCategory, Dimension};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Reads one element of `value`.
///
/// `details` keeps every property that is not a field of its own exactly as the record has it
/// (labels, `infoFields`, `instanceData`; absent and `""` differ), so that it can be given back.
pub(crate) fn read(element: Value) -> Result<ImportedRow, FieldError> {
    let Value::Object(mut record) = element else {
        return Err(FieldError::new("row", "is no object"));
    };
    let reported_at = reported_day(&text(&record, "name")?)?;
    let Some(Value::Object(mut properties)) = record.remove("properties") else {
        return Err(FieldError::new("properties", "is missing"));
    };
    let start = values::instant("usageStartTime", &take(&mut properties, "usageStartTime")?, ISO)?;
    let end = values::instant("usageEndTime", &take(&mut properties, "usageEndTime")?, ISO)?;
    let subscription = values::subscription(&take(&mut properties, "subscriptionId")?)?;
    let id = MeterId::new(&take(&mut properties, "meterId")?)
        .map_err(|error| field_of("meterId", &error))?;
    let quantity = values::exact("quantity", &take(&mut properties, "quantity")?)?;
    let label =
        |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let meter = MeterHint {
        id,
        name: label("meterName"),
        category: label("meterCategory"),
        subcategory: label("meterSubCategory"),
        region: label("meterRegion"),
        unit: label("unit"),
    };
    let instance = Instance::read(&properties)?;
    let project = || properties.get("infoFields")?.get("project")?.as_str().map(str::to_owned);
    Ok(ImportedRow {
        line: 0,
        identity: String::new(),
        account_hint: None,
        subscription,
        subscription_name: None,
        resource: instance.resource.or_else(project).unwrap_or_default(),
        meter,
        quantity,
        service_period: values::interval(start, end)?,
        reported_at: Some(reported_at),
        dimensions: instance.location.map(|at| (Dimension::Location, at)).into_iter().collect(),
        tags: instance.tags,
        category: ChargeCategory::Usage,
        stated_cost: None,
        unit_price: None,
        details: Some(canonical(Value::Object(properties))),
        finality: Finality::Final,
    })
}

const ISO: crate::mapped::Dates = crate::mapped::Dates::Iso;

fn text(members: &Map<String, Value>, name: &str) -> Result<String, FieldError> {
    match members.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Null) | None => Err(FieldError::new(name, "is missing")),
        Some(_) => Err(FieldError::new(name, "is neither text nor number")),
    }
}

fn take(members: &mut Map<String, Value>, name: &str) -> Result<String, FieldError> {
    let text = text(members, name)?;
    members.remove(name);
    Ok(text)
}

/// The instant at the end of a record's name: `Daily_BRSDT_20150501_0000` was reported on
/// 2015-05-01, whatever day its usage is of.
fn reported_day(name: &str) -> Result<Instant, FieldError> {
    let wrong = || FieldError::new("name", format!("`{}` does not end in a time", cut(name, 64)));
    let mut parts = name.rsplitn(3, '_');
    let (time, date) = (parts.next().ok_or_else(wrong)?, parts.next().ok_or_else(wrong)?);
    let digits = time.len() == 4 && date.len() == 8 && name.is_ascii();
    if !digits || !time.bytes().chain(date.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let iso =
        format!("{}-{}-{}T{}:{}:00Z", &date[..4], &date[4..6], &date[6..], &time[..2], &time[2..]);
    Instant::parse(&iso).map_err(|_| wrong())
}

/// What `instanceData`, JSON within text, says of the resource.
#[derive(Default)]
struct Instance {
    resource: Option<String>,
    location: Option<String>,
    tags: BTreeMap<String, String>,
}

impl Instance {
    fn read(properties: &Map<String, Value>) -> Result<Instance, FieldError> {
        let text = match properties.get("instanceData") {
            None | Some(Value::Null) => return Ok(Instance::default()),
            Some(Value::String(text)) => text,
            Some(_) => return Err(FieldError::new("instanceData", "is no text")),
        };
        let data: Value = serde_json::from_str(text)
            .map_err(|_| FieldError::new("instanceData", "is not JSON"))?;
        let resources = data.get("Microsoft.Resources").unwrap_or(&Value::Null);
        let member = |name: &str| resources.get(name)?.as_str().map(str::to_owned);
        let tags = match resources.get("tags") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(object) => values::tags(&object.to_string())?,
        };
        Ok(Instance { resource: member("resourceUri"), location: member("location"), tags })
    }
}
