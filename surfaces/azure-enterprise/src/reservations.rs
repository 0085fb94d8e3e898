//! Reservations: what they were charged, what they covered, and what more of them would save.
//!
//! Source: `enterprise-reporting.md` sections 2 and 3.8 to 3.10.

use crate::Enterprise;
use crate::asked::{self, DATES, MONTHS_MOST};
use crate::reading::{Reading, Whole};
use crate::reservation_rows::{Charge, Daily, Detail, Monthly, Recommendation};
use crate::routes::{Routes, Version};
use crate::spelled;
use armkit::Query;
use axum::extract::State;
use axum::response::Response;
use calendar::{Day, Instant};
use domain::Error;
use httpkit::Refusal;
use service::{
    LookBack, RecommendationsAsked, ReservationTransactionsAsked, ReservationUsageAsked, Sharing,
};
use std::ops::Range;

/// The only version of most of these operations.
const SECOND: &[Version] = &[Version::V2];
/// Those of charges.
const LATER: &[Version] = &[Version::V2, Version::V3, Version::V4];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("ReservationCharges_List", LATER, "/reservationcharges", charges)
        .get("ReservationDetails_List", SECOND, "/reservationdetails", details)
        .get("ReservationSummaries_List", SECOND, "/reservationsummaries", summaries)
        .merge(recommendations())
}

/// Two operations, each by an older name too.
fn recommendations() -> Routes {
    const SHARED: &str = "/sharedreservationrecommendations";
    const AGGREGATE: &str = "/aggregatereservationrecommendations";
    const SINGLE: &str = "/singlereservationrecommendations";
    const OLDER: &str = "/reservationrecommendations";
    Routes::new()
        .get("ReservationRecommendations_ListShared", SECOND, SHARED, shared)
        .get("ReservationRecommendations_ListAggregate", SECOND, AGGREGATE, shared)
        .get("ReservationRecommendations_ListSingle", SECOND, SINGLE, single)
        .get("ReservationRecommendations_List", SECOND, OLDER, single)
}

/// Lists what was charged for reservations on some days.
async fn charges(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
    query: Query,
) -> Result<Response, Refusal> {
    let asked = ReservationTransactionsAsked { days: days(&query)?, reservation: None };
    let reckoner = &enterprise.reckoner;
    let told = reckoner.reservation_transactions(&reading.caller, &reading.scope, &asked).await?;
    let rows: Vec<Charge> = told.iter().map(|one| Charge::of(reading.version, one)).collect();
    spelled::array(&reading, &["reservationcharges"], &rows)
}

/// Lists what reservations covered of each instance on some days.
async fn details(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
    query: Query,
) -> Result<Response, Refusal> {
    let asked = ReservationUsageAsked { days: days(&query)?, reservation: None };
    let reckoner = &enterprise.reckoner;
    let told = reckoner.reservation_days(&reading.caller, &reading.scope, &asked).await?;
    let rows: Vec<Detail> = told.iter().flat_map(Detail::of).collect();
    spelled::array(&reading, &["reservationdetails"], &rows)
}

/// Lists how far reservations were used, by day or by month.
async fn summaries(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
    query: Query,
) -> Result<Response, Refusal> {
    let (reckoner, caller, scope) = (&enterprise.reckoner, &reading.caller, &reading.scope);
    let grain = query.required("grain")?;
    if grain.eq_ignore_ascii_case("daily") {
        let asked = ReservationUsageAsked { days: days(&query)?, reservation: None };
        let told = reckoner.reservation_days(caller, scope, &asked).await?;
        let rows: Vec<Daily> = told.iter().map(Daily::of).collect();
        return spelled::array(&reading, &["reservationsummaries daily"], &rows);
    }
    if !grain.eq_ignore_ascii_case("monthly") {
        return Err(Error::invalid("grain", "must be daily or monthly").into());
    }
    let (from, to) = DATES;
    let is_bound = query.get(from)?.is_some() || query.get(to)?.is_some();
    // No reservation is used before there is time.
    let all = || Instant::EPOCH.day()..reckoner.now().day().next();
    let days = if is_bound { days(&query)? } else { all() };
    let asked = ReservationUsageAsked { days, reservation: None };
    let told = reckoner.reservation_months(caller, scope, &asked).await?;
    let rows: Vec<Monthly> = told.iter().map(Monthly::of).collect();
    spelled::array(&reading, &["reservationsummaries monthly"], &rows)
}

/// Lists what reserving for all subscriptions together would have saved.
async fn shared(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
    query: Query,
) -> Result<Response, Refusal> {
    recommended(&enterprise, &reading, &query, Sharing::Shared).await
}

/// Lists what reserving for each subscription by itself would have saved.
async fn single(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
    query: Query,
) -> Result<Response, Refusal> {
    recommended(&enterprise, &reading, &query, Sharing::Single).await
}

async fn recommended(
    enterprise: &Enterprise,
    reading: &Reading,
    query: &Query,
    sharing: Sharing,
) -> Result<Response, Refusal> {
    let asked = RecommendationsAsked { look_back: look_back(query)?, sharing };
    let reckoner = &enterprise.reckoner;
    let told =
        reckoner.reservation_recommendations(&reading.caller, &reading.scope, &asked).await?;
    let rows: Vec<Recommendation> = told.iter().map(Recommendation::of).collect();
    spelled::array(reading, &["reservationrecommendations"], &rows)
}

fn days(query: &Query) -> Result<Range<Day>, Error> {
    let days = asked::days(query, DATES, MONTHS_MOST)?;
    Ok(days.start().day()..days.end().day())
}

fn look_back(query: &Query) -> Result<LookBack, Error> {
    match query.required("lookBackPeriod")? {
        "7" => Ok(LookBack::Last7Days),
        "30" => Ok(LookBack::Last30Days),
        "60" => Ok(LookBack::Last60Days),
        _ => Err(Error::invalid("lookBackPeriod", "must be 7, 30 or 60")),
    }
}
