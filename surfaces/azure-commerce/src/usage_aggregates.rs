//! UsageAggregates: quantities of a subscription by the time at which they were reported.

use crate::{Commerce, subscription};
use armkit::{ArmError, List, Query, api_version, next_link};
use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use calendar::{Instant, Interval};
use domain::Error;
use domain::ids::SubscriptionId;
use httpkit::{Asking, BaseUrl, ExactNumber, Path};
use money::Fixed18;
use serde::Serialize;
use serde_json::{Map, Value, json};
use service::{Granularity, Reckoner, UsageAggregate, UsageAsked, UsageDetail};

/// Versions that this operation is served as.
const VERSIONS: [&str; 1] = ["2015-06-01-preview"];
const TOKEN: &str = "continuationToken";

/// Lists usage aggregates, a page at a time.
pub(crate) async fn list(
    State(commerce): State<Commerce>,
    Asking(caller): Asking,
    Path(given): Path<String>,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response, ArmError> {
    api_version(&query, &VERSIONS)?;
    let subscription = subscription(&given)?;
    let left = commerce.count_read(&caller, &subscription)?;
    let asked = asked(&commerce.reckoner, subscription, &query)?;
    let page = commerce.reckoner.usage_aggregates(&caller, &asked).await?;
    let value = page.rows.iter().map(|row| Item::of(&commerce.reckoner, &asked, row));
    let next = |token: String| next_link(&base, uri.path(), query.pairs(), (TOKEN, &token));
    let list =
        List { value: value.collect::<Result<Vec<_>, _>>()?, next_link: page.next.map(next) };
    Ok(([left], Json(list)).into_response())
}

/// Reads the question.
///
/// Source: the description's parameters; alignment by `commerce.md` section 2.1.
fn asked(
    reckoner: &Reckoner,
    subscription: SubscriptionId,
    query: &Query,
) -> Result<UsageAsked, Error> {
    let granularity = match query.get("aggregationGranularity")? {
        None => Granularity::Daily,
        Some(given) if given.eq_ignore_ascii_case("daily") => Granularity::Daily,
        Some(given) if given.eq_ignore_ascii_case("hourly") => Granularity::Hourly,
        Some(given) => {
            let problem = format!("`{given}` is neither Daily nor Hourly");
            return Err(Error::invalid("aggregationGranularity", problem));
        }
    };
    let detail = match query.get("showDetails")? {
        None => UsageDetail::Shown,
        Some(given) if given.eq_ignore_ascii_case("true") => UsageDetail::Shown,
        Some(given) if given.eq_ignore_ascii_case("false") => UsageDetail::Hidden,
        Some(given) => {
            return Err(Error::invalid(
                "showDetails",
                format!("`{given}` is neither true nor false"),
            ));
        }
    };
    let start = time(query, "reportedStartTime", granularity)?;
    let end = time(query, "reportedEndTime", granularity)?;
    if end <= start {
        return Err(Error::invalid("reportedEndTime", "must lie after reportedStartTime"));
    }
    if end > reckoner.now() {
        return Err(Error::invalid("reportedEndTime", "must not lie in the future"));
    }
    let reported =
        Interval::new(start, end).map_err(|e| Error::invalid("reportedEndTime", e.to_string()))?;
    let token = query.get(TOKEN)?.filter(|token| !token.is_empty()).map(str::to_owned);
    Ok(UsageAsked { subscription, reported, granularity, detail, token })
}

fn time(query: &Query, name: &'static str, granularity: Granularity) -> Result<Instant, Error> {
    let given = query.required(name)?;
    let time = Instant::parse(given).map_err(|e| Error::invalid(name, e.to_string()))?;
    match granularity {
        Granularity::Daily if !time.is_midnight() => {
            Err(Error::invalid(name, "must be midnight UTC for daily granularity"))
        }
        Granularity::Hourly if !time.is_whole_hour() => {
            Err(Error::invalid(name, "must be a whole UTC hour for hourly granularity"))
        }
        _ => Ok(time),
    }
}

/// One usage aggregate, as the contract spells it.
#[derive(Serialize)]
struct Item {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    properties: Sample,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    subscription_id: String,
    usage_start_time: String,
    usage_end_time: String,
    meter_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter_category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter_sub_category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter_region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    quantity: ExactNumber<Fixed18>,
    info_fields: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_data: Option<String>,
}

impl Item {
    fn of(reckoner: &Reckoner, asked: &UsageAsked, row: &UsageAggregate) -> Result<Item, Error> {
        let subscription = asked.subscription.as_str();
        let granule = match asked.granularity {
            Granularity::Daily => "Daily",
            Granularity::Hourly => "Hourly",
        };
        let reported = row.reported_at.to_compact_string();
        let name = format!("{granule}_{}_{reported}", short_hash(subscription, row));
        let provider = format!("/subscriptions/{subscription}/providers/Microsoft.Commerce");
        Ok(Item {
            id: format!("{provider}/UsageAggregates/{name}"),
            name,
            kind: "Microsoft.Commerce/UsageAggregate",
            properties: Sample::of(reckoner, asked, row)?,
        })
    }
}

impl Sample {
    fn of(reckoner: &Reckoner, asked: &UsageAsked, row: &UsageAggregate) -> Result<Sample, Error> {
        let own = Own::of(row)?;
        let meter = reckoner.meter(&row.meter);
        // The source's own names win: they change over the years, the id does not.
        let named = |own: Option<String>, ours: Option<&String>| {
            if own.is_some() || own_names(row) { own } else { ours.cloned() }
        };
        let shown = asked.detail == UsageDetail::Shown;
        Ok(Sample {
            subscription_id: asked.subscription.to_string(),
            usage_start_time: row.bucket.start().to_offset_string(),
            usage_end_time: row.bucket.end().to_offset_string(),
            meter_id: row.meter.to_string(),
            meter_name: named(own.meter_name, meter.as_ref().map(|m| &m.name)),
            meter_category: named(own.meter_category, meter.as_ref().map(|m| &m.category)),
            meter_sub_category: named(
                own.meter_sub_category,
                meter.as_ref().map(|m| &m.subcategory),
            ),
            meter_region: named(own.meter_region, meter.as_ref().map(|m| &m.region)),
            unit: named(own.unit, meter.as_ref().map(|m| &m.unit)),
            quantity: ExactNumber(row.quantity),
            info_fields: own.info_fields.unwrap_or_else(|| json!({})),
            instance_data: if own_names(row) {
                own.instance_data
            } else if shown && !row.resource.is_empty() {
                Some(instance_data(row, own.additional_info)?)
            } else {
                None
            },
        })
    }
}

/// What the source itself said of the row.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Own {
    meter_name: Option<String>,
    meter_category: Option<String>,
    meter_sub_category: Option<String>,
    meter_region: Option<String>,
    unit: Option<String>,
    info_fields: Option<Value>,
    instance_data: Option<String>,
    additional_info: Option<Value>,
}

impl Own {
    fn of(row: &UsageAggregate) -> Result<Own, Error> {
        let Some(details) = &row.details else { return Ok(Own::default()) };
        serde_json::from_str(details).map_err(|e| Error::internal("read the details of usage", e))
    }
}

/// Whether the row came with names of its own, so that ours must not fill what it left out.
fn own_names(row: &UsageAggregate) -> bool {
    row.details.as_deref().is_some_and(|details| details.contains("\"meterName\""))
}

/// `instanceData`: a string that contains JSON.
fn instance_data(row: &UsageAggregate, additional: Option<Value>) -> Result<String, Error> {
    let tags: Map<String, Value> =
        row.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    let resources = json!({
        "resourceUri": row.resource,
        "location": row.location.clone().unwrap_or_default(),
        "tags": if tags.is_empty() { Value::Null } else { Value::Object(tags) },
        "additionalInfo": additional.unwrap_or(Value::Null),
        "partNumber": "",
        "orderNumber": "",
    });
    serde_json::to_string(&json!({ "Microsoft.Resources": resources }))
        .map_err(|e| Error::internal("write the details of usage", e))
}

/// Letters and digits that tell rows of one report apart, the same for the same row.
fn short_hash(subscription: &str, row: &UsageAggregate) -> String {
    // FNV-1a: names are labels here, not keys; the contract does not promise that they are unique.
    let start = row.bucket.start().micros().to_string();
    let details = row.details.as_deref().unwrap_or_default();
    let parts = [subscription, row.meter.as_str(), &start, &row.resource, details];
    let hash = parts
        .iter()
        .flat_map(|part| part.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{hash:016X}")
}
