//! Forecasts: what a subscription is likely to cost, of `2019-10-01` alone.

use crate::Consumption;
use crate::at::Version;
use crate::resource::{Decimal, Resource};
use crate::scopes::{Question, SUBSCRIPTION};
use armkit::{ArmError, Comparing, Comparison, List, Query, conditions};
use axum::Json;
use axum::extract::State;
use calendar::{BillingPeriod, Day, Instant};
use domain::Error;
use domain::access::Scope;
use domain::forecasts::CONFIDENCE;
use httpkit::{ExactNumber, Group};
use serde::Serialize;
use service::{ForecastGrain, ForecastRow};
use std::ops::Range;

const FIELD: &str = "$filter";
/// Days that may be asked for at once: a year.
const DAYS_MOST: i32 = 366;

pub(crate) fn group(version: Version) -> Group<Consumption> {
    match version {
        Version::V2019 => Group::new().get(
            "Forecasts_List",
            SUBSCRIPTION,
            "/providers/Microsoft.Consumption/forecasts",
            list,
        ),
        Version::V2021 => Group::new(),
    }
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    days: Range<Day>,
    grain: ForecastGrain,
    /// Only what is over, or only what is expected.
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Kind {
    Actual,
    Forecast,
}

/// Lists what the days of the month that is open cost and are expected to, or other days.
async fn list(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> Result<Json<List<Resource<Forecast>>>, ArmError> {
    let reckoner = &consumption.reckoner;
    let most_bytes = reckoner.limits().filter_bytes;
    let filters = conditions(&query, most_bytes, &["usageDate", "chargeType", "grain"])?;
    let asked = asked(&filters, reckoner.now())?;
    let Scope::Subscription(subscription) = &question.spot.scope else {
        return Err(Error::internal("forecast", "the scope is no subscription").into());
    };
    let span = (asked.days.clone(), asked.grain);
    let rows = reckoner.forecasts(&question.caller, subscription, span).await?;
    let rows = rows.into_iter().filter(|row| asked.kind.is_none_or(|kind| kind == kind_of(row)));
    let value = rows.map(|row| told(&question.spot.id, asked.grain, row)).collect();
    Ok(Json(List { value, next_link: None }))
}

/// Reads the filter.
///
/// Source: the description of its parameter. A year is told in months.
fn asked(filters: &[Comparison], now: Instant) -> Result<Asked, Error> {
    let month = BillingPeriod::of(now);
    let (mut from, mut until) = (None::<Day>, None::<Day>);
    let (mut grain, mut kind) = (ForecastGrain::Day, None);
    for filter in filters {
        let Comparison { comparing, value, .. } = filter;
        match filter.bare().to_ascii_lowercase().as_str() {
            "usagedate" => {
                let (after, before) = bounds(*comparing, day(value)?);
                from = from.max(after);
                until = match (until, before) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
            }
            "grain" => grain = grain_of(*comparing, value)?,
            _ => kind = Some(charge_type(*comparing, value)?),
        }
    }
    let from = from.unwrap_or(month.start().day());
    let usual = month.end().day();
    let of_start = BillingPeriod::of(from.start()).end().day();
    let until = until.unwrap_or(if usual > from { usual } else { of_start });
    let count = until.number().saturating_sub(from.number());
    if count > DAYS_MOST {
        let problem = format!("`usageDate` spans {count} days; ask for at most {DAYS_MOST}");
        return Err(Error::invalid(FIELD, problem));
    }
    Ok(Asked { days: from..until.max(from), grain, kind })
}

/// From which day on, and before which.
fn bounds(comparing: Comparing, day: Day) -> (Option<Day>, Option<Day>) {
    match comparing {
        Comparing::Equal => (Some(day), Some(day.next())),
        Comparing::Less => (None, Some(day)),
        Comparing::LessOrEqual => (None, Some(day.next())),
        Comparing::Greater => (Some(day.next()), None),
        Comparing::GreaterOrEqual => (Some(day), None),
    }
}

fn day(value: &str) -> Result<Day, Error> {
    let wrong = |_| Error::invalid(FIELD, format!("`{value}` is not a date"));
    Instant::parse(value).map(Instant::day).map_err(wrong)
}

fn grain_of(comparing: Comparing, value: &str) -> Result<ForecastGrain, Error> {
    equal(comparing, "grain")?;
    match value.to_ascii_lowercase().as_str() {
        "daily" => Ok(ForecastGrain::Day),
        "monthly" | "yearly" => Ok(ForecastGrain::Month),
        _ => {
            let problem = format!("`{value}` is none of Daily, Monthly, Yearly");
            Err(Error::invalid(FIELD, problem))
        }
    }
}

fn charge_type(comparing: Comparing, value: &str) -> Result<Kind, Error> {
    equal(comparing, "chargeType")?;
    match value.to_ascii_lowercase().as_str() {
        "actual" => Ok(Kind::Actual),
        "forecast" => Ok(Kind::Forecast),
        _ => Err(Error::invalid(FIELD, format!("`{value}` is neither Actual nor Forecast"))),
    }
}

fn equal(comparing: Comparing, name: &str) -> Result<(), Error> {
    if comparing == Comparing::Equal {
        return Ok(());
    }
    Err(Error::invalid(FIELD, format!("`{name}` can only be compared with `eq`")))
}

fn kind_of(row: &ForecastRow) -> Kind {
    if row.range.is_some() { Kind::Forecast } else { Kind::Actual }
}

fn told(scope: &str, grain: ForecastGrain, row: ForecastRow) -> Resource<Forecast> {
    let grain = match grain {
        ForecastGrain::Day => "Daily",
        ForecastGrain::Month => "Monthly",
    };
    let charge_type = kind_of(&row);
    let ForecastRow { day, cost, range } = row;
    let level = |bound: &'static str, value| Level {
        percentage: CONFIDENCE,
        bound,
        value: ExactNumber(value),
    };
    let levels = range.map(|Range { start, end }| vec![level("Upper", end), level("Lower", start)]);
    let properties = Forecast {
        usage_date: day.to_string(),
        grain,
        charge: ExactNumber(cost.major),
        currency: cost.currency.code().to_owned(),
        charge_type,
        confidence_levels: levels,
    };
    let name = format!("{}-{day}", grain.to_ascii_lowercase());
    Resource::new(scope, "forecasts", &name, properties)
}

/// `ForecastProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Forecast {
    usage_date: String,
    grain: &'static str,
    charge: Decimal,
    currency: String,
    charge_type: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence_levels: Option<Vec<Level>>,
}

#[derive(Debug, Serialize)]
struct Level {
    percentage: u8,
    bound: &'static str,
    value: Decimal,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::Definitions;
    use crate::described::{CONSUMPTION, usd};
    use armkit::comparisons;
    use money::{Cost, Fixed18};

    fn read(filter: &str) -> Result<Asked, String> {
        let filters = comparisons(filter, 1_000).map_err(|error| error.to_string())?;
        let now = Instant::parse("2026-05-10T12:00:00Z").unwrap();
        asked(&filters, now).map_err(|error| error.to_string())
    }

    #[test]
    fn days_and_grain_are_those_of_the_filter() {
        let check = |filter: &str, from: &str, until: &str, grain: ForecastGrain| {
            let Asked { days, grain: own, .. } = read(filter).unwrap();
            let told = (days.start.to_string(), days.end.to_string(), own);
            assert_eq!(told, (from.to_owned(), until.to_owned(), grain), "{filter}");
        };
        let (daily, monthly) = (ForecastGrain::Day, ForecastGrain::Month);
        let both = "properties/usagedate ge '2018-04-01' AND properties/usagedate le '2018-04-02'";
        check(both, "2018-04-01", "2018-04-03", daily);
        check("properties/Grain eq 'Monthly'", "2026-05-01", "2026-06-01", monthly);
        check("properties/grain eq 'Yearly'", "2026-05-01", "2026-06-01", monthly);
        check("properties/usageDate gt '2026-05-05'", "2026-05-06", "2026-06-01", daily);
        check("properties/usageDate ge '2026-07-05'", "2026-07-05", "2026-08-01", daily);
        check("properties/usageDate eq '2026-05-05'", "2026-05-05", "2026-05-06", daily);
        check("properties/chargeType eq 'Actual'", "2026-05-01", "2026-06-01", daily);
    }

    #[test]
    fn an_answer_is_as_its_description_says() {
        let Some(mut known) = Definitions::of(&CONSUMPTION, Version::V2019.name()) else { return };
        let cost = Cost { major: Fixed18::parse("1.5").unwrap(), currency: usd() };
        let day = Instant::parse("2026-05-10").unwrap().day();
        for range in [None, Some(Fixed18::ZERO..Fixed18::ONE)] {
            for grain in [ForecastGrain::Day, ForecastGrain::Month] {
                let row = ForecastRow { day, cost, range: range.clone() };
                known.check("Forecast", told("/subscriptions/s", grain, row));
            }
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused() {
        let check = |filter: &str, expected: &str| {
            let told = read(filter).unwrap_err();
            assert!(told.contains(expected), "{filter}: {told}");
        };
        check("properties/grain eq 'Hourly'", "none of Daily");
        check("properties/grain gt 'Daily'", "`eq`");
        check("properties/chargeType eq 'Refund'", "neither Actual nor Forecast");
        check("properties/usageDate ge 'soon'", "not a date");
        let long = "properties/usageDate ge '2026-01-01' and properties/usageDate lt '2027-02-01'";
        check(long, "at most 366");
    }
}
