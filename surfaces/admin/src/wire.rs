//! What several operations spell alike: days, filters, positions, limits.

use calendar::{BillingPeriod, Day, Instant};
use domain::ids::{BillingAccountId, RecordId, SourceName};
use domain::usage::{Position, QuarantineReason, RecordKey};
use domain::{Error, Result};
use httpkit::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{ChargeFilter, GroupBy, Reckoner};
use std::ops::Range;

/// How many things a list may hold: as many as asked for, within the limit of answers.
pub(crate) fn listed(reckoner: &Reckoner, asked: Option<u64>, usual: u64) -> Result<u64> {
    let most = reckoner.limits().answer_rows;
    match asked.unwrap_or(usual.min(most)) {
        listed if listed <= most => Ok(listed),
        _ => Err(Error::TooMuch { limit: "rows of an answer", most, key: "limits.answer_rows" }),
    }
}

/// Days of use: a month, or from one day until before another; the month of `now` if neither.
#[derive(Default)]
pub(crate) struct Days {
    pub(crate) from: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) month: Option<String>,
}

impl Days {
    pub(crate) fn range(self, now: Instant) -> Result<Range<Day>> {
        let month = match self {
            Days { from: Some(from), until: Some(until), month: None } => {
                return Ok(day("from", &from)?..day("until", &until)?);
            }
            Days { from: None, until: None, month: Some(month) } => {
                BillingPeriod::parse(&month).map_err(|e| Error::invalid("month", e.to_string()))?
            }
            Days { from: None, until: None, month: None } => BillingPeriod::of(now),
            Days { month: Some(_), .. } => {
                return Err(Error::invalid("month", "cannot stand beside `from` and `until`"));
            }
            Days { from: None, .. } => {
                return Err(Error::invalid("from", "must stand with `until`"));
            }
            Days { until: None, .. } => {
                return Err(Error::invalid("until", "must stand with `from`"));
            }
        };
        Ok(month.start().day()..month.end().day())
    }
}

/// Reads `2026-03-01`, and no time of day.
fn day(field: &'static str, text: &str) -> Result<Day> {
    let day = Instant::parse(text).map(Instant::day).ok().filter(|day| day.to_string() == text);
    day.ok_or_else(|| Error::invalid(field, format!("`{text}` is not a day such as 2026-03-01")))
}

/// Reads a moment.
pub(crate) fn instant(field: &'static str, text: &str) -> Result<Instant> {
    Instant::parse(text).map_err(|e| Error::invalid(field, e.to_string()))
}

/// Reads why a record waits.
pub(crate) fn reason(name: &str) -> Result<QuarantineReason> {
    QuarantineReason::parse(name).ok_or_else(|| {
        let known = QuarantineReason::ALL.map(QuarantineReason::name).join(", ");
        Error::invalid("reason", format!("`{name}` is none of {known}"))
    })
}

/// A test that charges must pass.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    on: String,
    values: Vec<String>,
}

/// Reads filters; a fault is one of `filters[2].on`.
pub(crate) fn filters(faults: &mut Faults, filters: Vec<Filter>) -> Option<Vec<ChargeFilter>> {
    let read = filters.into_iter().enumerate().map(|(place, Filter { on, values })| {
        let on = faults.read(format!("filters[{place}].on"), GroupBy::parse(&on))?;
        Some(ChargeFilter { on, values })
    });
    read.collect::<Vec<_>>().into_iter().collect()
}

/// Reads days; a fault is of the member that it names.
pub(crate) fn days(faults: &mut Faults, days: Days, now: Instant) -> Option<Range<Day>> {
    let read = days.range(now);
    let field = match &read {
        Err(Error::Invalid { field, problem: _ }) => field.clone(),
        _ => String::new(),
    };
    faults.read(field, read)
}

/// Reads the key of a record: account, source, id.
pub(crate) fn key(
    faults: &mut Faults,
    (billing_account, source, id): (&str, &str, &str),
) -> Option<RecordKey> {
    let account = faults.read("billing_account", BillingAccountId::new(billing_account));
    let source = faults.read("source", SourceName::new(source));
    let id = faults.read("id", RecordId::new(id));
    Some(RecordKey { billing_account: account?, source: source?, id: id? })
}

/// Reads the billing account that may be left out.
pub(crate) fn account_if(
    faults: &mut Faults,
    given: Option<String>,
) -> Option<Option<BillingAccountId>> {
    faults.read_if("billing_account", given, |id| BillingAccountId::new(&id))
}

/// Where a record stands in the usage log.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    shard: u16,
    sequence: u64,
    epoch: u32,
}

impl From<Position> for Place {
    fn from(Position { shard, sequence, epoch }: Position) -> Place {
        Place { shard, sequence, epoch }
    }
}

impl From<Place> for Position {
    fn from(Place { shard, sequence, epoch }: Place) -> Position {
        Position { shard, sequence, epoch }
    }
}
