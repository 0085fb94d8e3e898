//! What several operations spell alike: parameters, days, filters, positions, limits.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use calendar::{BillingPeriod, Day, Instant};
use domain::usage::{Position, QuarantineReason};
use domain::{Error, Result};
use httpkit::Refusal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use service::{ChargeFilter, GroupBy, Reckoner};
use std::ops::Range;

/// The parameters behind the question mark.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> std::result::Result<Parameters<T>, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Parameters(parameters)),
            Err(error) => Err(Error::invalid("parameters", error.body_text()).into()),
        }
    }
}

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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    on: String,
    values: Vec<String>,
}

impl TryFrom<Filter> for ChargeFilter {
    type Error = Error;

    fn try_from(Filter { on, values }: Filter) -> Result<ChargeFilter> {
        let on = GroupBy::parse(&on).map_err(|error| match error {
            Error::Invalid { problem, field: _ } => Error::invalid("filters", problem),
            other => other,
        })?;
        Ok(ChargeFilter { on, values })
    }
}

pub(crate) fn filters(filters: Vec<Filter>) -> Result<Vec<ChargeFilter>> {
    filters.into_iter().map(ChargeFilter::try_from).collect()
}

/// Where a record stands in the usage log.
#[derive(Serialize, Deserialize)]
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
