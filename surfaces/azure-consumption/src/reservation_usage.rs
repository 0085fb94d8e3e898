//! ReservationsDetails, ReservationsSummaries: what reservations could cover and what they covered,
//! by day and instance, by day, by month.

use crate::at::At;
use crate::reservations::{Asked, ORDER, RESERVATION, Tagged, all_months, asked_days};
use crate::resource::{Decimal, filled};
use crate::scopes::{Question, SCOPE};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::State;
use calendar::{Day, Instant};
use domain::Error;
use domain::ids::{MeterId, ReservationId};
use httpkit::{Asking, ExactNumber, Group};
use serde::Serialize;
use service::{
    InstanceHours, ReservationDay, ReservationMonth, ReservationUsageAsked, Utilization,
};
use std::collections::BTreeMap;
use std::ops::Range;

const DETAILS: &str = "reservationDetails";
const SUMMARIES: &str = "reservationSummaries";
/// By what a filter names days.
const USAGE_DATE: &str = "usageDate";
/// Of what kind the thing is that is told of.
const KIND: &str = "Reservation";

pub(crate) fn group() -> Group<Consumption> {
    let (details, summaries) = (format!("{PROVIDER}/{DETAILS}"), format!("{PROVIDER}/{SUMMARIES}"));
    let order = "ReservationsDetails_ListByReservationOrder";
    let reservation = "ReservationsDetails_ListByReservationOrderAndReservation";
    let group = Group::new()
        .get("ReservationsDetails_List", SCOPE, &details, details_of_scope)
        .get(order, ORDER, &details, details_of_order)
        .get(reservation, RESERVATION, &details, details_of_order);
    let order = "ReservationsSummaries_ListByReservationOrder";
    let reservation = "ReservationsSummaries_ListByReservationOrderAndReservation";
    group
        .get("ReservationsSummaries_List", SCOPE, &summaries, summaries_of_scope)
        .get(order, ORDER, &summaries, summaries_of_order)
        .get(reservation, RESERVATION, &summaries, summaries_of_order)
}

async fn details_of_order(
    State(consumption): State<Consumption>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Detail>>, ArmError> {
    consumption.reservation_details(&Asked::of_order(caller, &at)?, &query).await
}

async fn details_of_scope(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> Result<Json<List<Detail>>, ArmError> {
    consumption.reservation_details(&Asked::of_scope(question, &query)?, &query).await
}

async fn summaries_of_order(
    State(consumption): State<Consumption>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Summary>>, ArmError> {
    consumption.reservation_summaries(&Asked::of_order(caller, &at)?, &query).await
}

async fn summaries_of_scope(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> Result<Json<List<Summary>>, ArmError> {
    consumption.reservation_summaries(&Asked::of_scope(question, &query)?, &query).await
}

impl Consumption {
    async fn reservation_details(
        &self,
        asked: &Asked,
        query: &Query,
    ) -> Result<Json<List<Detail>>, ArmError> {
        let days = self.usage_days(query)?.ok_or_else(no_days)?;
        let usage = ReservationUsageAsked { days, reservation: asked.only.clone() };
        let told = self.reckoner.reservation_days(&asked.caller, &asked.scope, &usage).await?;
        let of_day = |day: &ReservationDay| -> Vec<Detail> {
            let scope = asked.scope_id(&day.reservation);
            let numbered = (1_usize..).zip(&day.instances);
            numbered.map(|(number, one)| detail(&scope, day, (number, one))).collect()
        };
        Ok(Json(List { value: told.iter().flat_map(of_day).collect(), next_link: None }))
    }

    async fn reservation_summaries(
        &self,
        asked: &Asked,
        query: &Query,
    ) -> Result<Json<List<Summary>>, ArmError> {
        let grain = Grain::of(query)?;
        let days = match (self.usage_days(query)?, grain) {
            (Some(days), _) => days,
            (None, Grain::Daily) => return Err(no_days().into()),
            (None, Grain::Monthly) => all_months(self.reckoner.now())?,
        };
        let usage = ReservationUsageAsked { days, reservation: asked.only.clone() };
        let (reckoner, caller, scope) = (&self.reckoner, &asked.caller, &asked.scope);
        let value: Vec<Summary> = match grain {
            Grain::Daily => {
                let told = reckoner.reservation_days(caller, scope, &usage).await?;
                told.iter().map(|day| daily(&asked.scope_id(&day.reservation), day)).collect()
            }
            Grain::Monthly => {
                let told = reckoner.reservation_months(caller, scope, &usage).await?;
                let view =
                    |month: &ReservationMonth| monthly(&asked.scope_id(&month.reservation), month);
                told.iter().map(view).collect()
            }
        };
        Ok(Json(List { value, next_link: None }))
    }

    fn usage_days(&self, query: &Query) -> Result<Option<Range<Day>>, Error> {
        asked_days(query, USAGE_DATE, self.reckoner.limits().filter_bytes)
    }
}

fn no_days() -> Error {
    let problem = "must compare properties/usageDate with ge and le; or name startDate and endDate";
    Error::invalid("$filter", problem)
}

/// By what summaries are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grain {
    Daily,
    Monthly,
}

impl Grain {
    fn of(query: &Query) -> Result<Grain, Error> {
        match query.required("grain")?.to_ascii_lowercase().as_str() {
            "daily" => Ok(Grain::Daily),
            "monthly" => Ok(Grain::Monthly),
            other => Err(Error::invalid("grain", format!("`{other}` is none of daily, monthly"))),
        }
    }
}

pub(crate) type Detail = Tagged<BTreeMap<String, String>, ReservationDetailProperties>;
pub(crate) type Summary = Tagged<BTreeMap<String, String>, ReservationSummaryProperties>;

/// `ReservationDetailProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ReservationDetailProperties {
    reservation_order_id: String,
    reservation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_name: Option<String>,
    reserved_hours: Decimal,
    usage_date: String,
    used_hours: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    total_reserved_quantity: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_flexibility_ratio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_flexibility_group: Option<String>,
}

/// `ReservationSummaryProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ReservationSummaryProperties {
    reservation_order_id: String,
    reservation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    reserved_hours: Decimal,
    usage_date: String,
    used_hours: Decimal,
    min_utilization_percentage: Decimal,
    avg_utilization_percentage: Decimal,
    max_utilization_percentage: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    utilized_percentage: Option<Decimal>,
    /// Of days, as the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    purchased_quantity: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_reserved_quantity: Option<Decimal>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_quantity: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_quantity: Option<Decimal>,
}

/// What a reservation covered of an instance on a day; `number` is its place on that day, from 1.
pub(crate) fn detail(
    scope: &str,
    day: &ReservationDay,
    (number, one): (usize, &InstanceHours),
) -> Detail {
    let name = format!("{}_{number}", name(&day.reservation, &day.day.to_string()));
    let properties = ReservationDetailProperties {
        reservation_order_id: day.reservation.to_string(),
        reservation_id: day.reservation.to_string(),
        sku_name: sku(day.meter.as_ref()),
        reserved_hours: ExactNumber(day.reserved),
        usage_date: time(day.day.start()),
        used_hours: ExactNumber(one.used),
        instance_id: filled(&one.instance),
        total_reserved_quantity: ExactNumber(day.quantity),
        kind: Some(KIND.to_owned()),
        instance_flexibility_ratio: None,
        instance_flexibility_group: None,
    };
    Tagged::new(scope, DETAILS, name, properties)
}

/// A reservation on a day.
pub(crate) fn daily(scope: &str, day: &ReservationDay) -> Summary {
    let name = name(&day.reservation, &day.day.to_string());
    let properties = ReservationSummaryProperties {
        purchased_quantity: Some(ExactNumber(day.quantity)),
        total_reserved_quantity: Some(ExactNumber(day.quantity)),
        ..summary(Summarised {
            reservation: &day.reservation,
            meter: day.meter.as_ref(),
            at: day.day.start(),
            hours: (ExactNumber(day.reserved), ExactNumber(day.used)),
            utilization: day.utilization,
        })
    };
    Tagged::new(scope, SUMMARIES, name, properties)
}

/// A reservation in a month; its date is the first day of that.
pub(crate) fn monthly(scope: &str, month: &ReservationMonth) -> Summary {
    let name = name(&month.reservation, &month.period.to_string());
    let properties = summary(Summarised {
        reservation: &month.reservation,
        meter: month.meter.as_ref(),
        at: month.period.start(),
        hours: (ExactNumber(month.reserved), ExactNumber(month.used)),
        utilization: month.utilization,
    });
    Tagged::new(scope, SUMMARIES, name, properties)
}

/// What days and months have in common.
struct Summarised<'a> {
    reservation: &'a ReservationId,
    meter: Option<&'a MeterId>,
    at: Instant,
    /// Reserved, used.
    hours: (Decimal, Decimal),
    utilization: Utilization,
}

fn summary(of: Summarised<'_>) -> ReservationSummaryProperties {
    let Summarised { reservation, meter, at, hours, utilization } = of;
    let (reserved_hours, used_hours) = hours;
    let Utilization { min, avg, max } = utilization;
    ReservationSummaryProperties {
        reservation_order_id: reservation.to_string(),
        reservation_id: reservation.to_string(),
        sku_name: sku(meter),
        kind: Some(KIND.to_owned()),
        reserved_hours,
        usage_date: time(at),
        used_hours,
        min_utilization_percentage: ExactNumber(min),
        avg_utilization_percentage: ExactNumber(avg),
        max_utilization_percentage: ExactNumber(max),
        utilized_percentage: Some(ExactNumber(avg)),
        purchased_quantity: None,
        total_reserved_quantity: None,
        remaining_quantity: None,
        used_quantity: None,
    }
}

/// What is reserved, as Microsoft.Billing tells it of a reservation: its first meter.
pub(crate) fn sku(meter: Option<&MeterId>) -> Option<String> {
    meter.map(ToString::to_string)
}

fn time(at: Instant) -> String {
    at.to_string()
}

/// `ORDER_RESERVATION_20171129`, of a month without its days.
fn name(reservation: &ReservationId, when: &str) -> String {
    format!("{reservation}_{reservation}_{}", when.replace('-', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_told_by_day_or_month() {
        let check = |query: &str, expected: Result<Grain, &str>| {
            let told = Grain::of(&Query::parse(query)).map_err(|error| error.to_string());
            assert_eq!(told, expected.map_err(str::to_owned), "{query}");
        };
        check("grain=daily", Ok(Grain::Daily));
        check("GRAIN=Monthly", Ok(Grain::Monthly));
        check("grain=yearly", Err("grain: `yearly` is none of daily, monthly"));
        check("", Err("grain: must be given"));
    }

    #[test]
    fn names_tell_order_reservation_and_time() {
        let id = ReservationId::new("r1").unwrap();
        assert_eq!(name(&id, "2026-11-29"), "r1_r1_20261129");
        assert_eq!(name(&id, "2026-11"), "r1_r1_202611");
    }
}
