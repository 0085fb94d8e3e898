//! Reservations: what the groups that tell of them share. An order has one reservation, which has
//! its id, as in Microsoft.Billing.

use crate::at::{At, Version};
use crate::scopes::Question;
use crate::{Consumption, days, recommendation_details, recommendations};
use crate::{reservation_transactions, reservation_usage};
use armkit::{ArmError, Query, conditions};
use calendar::{BillingPeriod, Day, Instant, Interval};
use domain::access::{Caller, Scope};
use domain::ids::ReservationId;
use domain::{Error, Result};
use httpkit::Group;
use serde::Serialize;
use std::ops::Range;

/// An order.
pub(crate) const ORDER: &str =
    "/providers/Microsoft.Capacity/reservationorders/{reservationOrderId}";
/// A reservation of an order.
pub(crate) const RESERVATION: &str = concat!(
    "/providers/Microsoft.Capacity/reservationorders/{reservationOrderId}",
    "/reservations/{reservationId}"
);
const FILTER: &str = "$filter";
const ORDER_ID: &str = "reservationOrderId";
const RESERVATION_ID: &str = "reservationId";
/// How many months may be asked for. Source: `enterprise-reporting.md` section 3.
const MONTHS_MOST: i32 = 36;

pub(crate) fn group(version: Version) -> Group<Consumption> {
    reservation_usage::group()
        .merge(reservation_transactions::group())
        .merge(recommendations::group(version))
        .merge(recommendation_details::group())
}

/// Which reservations, and as whose.
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    pub(crate) scope: Scope,
    pub(crate) only: Option<ReservationId>,
    /// Below what answers stand; none where each stands below its own reservation.
    pub(crate) id: Option<String>,
}

impl Asked {
    /// Of an order that an address names, wherever it lies.
    ///
    /// Errors: 404 where the order has no such reservation.
    pub(crate) fn of_order(caller: Caller, at: &At) -> std::result::Result<Asked, ArmError> {
        let only = one_of(at.given(ORDER_ID), at.given(RESERVATION_ID))?;
        Ok(Asked { caller, scope: Scope::Installation, only, id: None })
    }

    /// Of a scope, all or only the one that the query names.
    ///
    /// Errors: as [`Asked::of_order`]; 400 for a reservation without its order.
    pub(crate) fn of_scope(
        question: Question,
        query: &Query,
    ) -> std::result::Result<Asked, ArmError> {
        let Question { caller, at: _, spot } = question;
        let only = one_of(query.get(ORDER_ID)?, query.get(RESERVATION_ID)?)?;
        Ok(Asked { caller, scope: spot.scope, only, id: Some(spot.id) })
    }

    /// Below what an answer about a reservation stands.
    pub(crate) fn scope_id(&self, reservation: &ReservationId) -> String {
        self.id.clone().unwrap_or_else(|| {
            format!(
                "/providers/Microsoft.Capacity/reservationorders/{reservation}/reservations/\
                 {reservation}"
            )
        })
    }
}

/// The reservation of an order.
///
/// Errors: [`Error::Invalid`] for a reservation without its order, [`Error::NotFound`] for one that
/// its order has not.
fn one_of(order: Option<&str>, reservation: Option<&str>) -> Result<Option<ReservationId>> {
    let (order, reservation) = match (order, reservation) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(Error::invalid(ORDER_ID, "must be given, too")),
        (Some(order), reservation) => (order, reservation.unwrap_or(order)),
    };
    let missing = || Error::not_found("reservation", reservation);
    if !order.eq_ignore_ascii_case(reservation) {
        return Err(missing());
    }
    ReservationId::new(order).map(Some).map_err(|_| missing())
}

/// The days of `startDate` and `endDate`, or those that a filter leaves of one property; none where
/// neither is there.
///
/// Errors: [`Error::Invalid`] for both of them, for one end only, for too many months.
pub(crate) fn asked_days(
    query: &Query,
    property: &str,
    most_bytes: u64,
) -> Result<Option<Range<Day>>> {
    let given = days::given(query)?;
    let filter = conditions(query, most_bytes, &[property])?;
    if given.is_some() && !filter.is_empty() {
        return Err(Error::invalid(FILTER, "stands beside `startDate`; name one of them"));
    }
    let asked = match (given, days::compared(filter.iter())?) {
        (Some(days), _) => days,
        (None, (None, None)) => return Ok(None),
        (None, (Some(first), Some(last))) => days::both(first, last, FILTER)?,
        (None, _) => {
            let problem = format!("`{property}` must be compared with ge and with le");
            return Err(Error::invalid(FILTER, problem));
        }
    };
    let first = BillingPeriod::of(asked.start.start());
    let last = BillingPeriod::of(asked.end.start().plus_micros(-1));
    if last.months_since(first) >= MONTHS_MOST {
        let problem = format!("asks for more than {MONTHS_MOST} months");
        return Err(Error::invalid("endDate", problem));
    }
    Ok(Some(asked))
}

/// As many months as may be asked for, up to a moment.
///
/// Errors: [`Error::Internal`] for a moment before all times.
pub(crate) fn all_months(now: Instant) -> Result<Range<Day>> {
    let back = MONTHS_MOST.saturating_sub(1).saturating_neg();
    let first = BillingPeriod::of(now).plus_months(back);
    let first = first.map_err(|e| Error::internal("look back", e))?;
    Ok(first.start().day()..now.day().next())
}

/// In years, else in months: `P1Y`; nothing for a term that is neither.
pub(crate) fn term(term: Interval) -> Option<String> {
    let months = term.whole_months()?;
    Some(match months % 12 {
        0 => format!("P{}Y", months / 12),
        _ => format!("P{months}M"),
    })
}

/// A resource that examples show with tags; ours have none.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Tagged<T, P> {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<T>,
    properties: P,
}

impl<T, P> Tagged<T, P> {
    pub(crate) fn new(scope: &str, kind: &str, name: String, properties: P) -> Tagged<T, P> {
        Tagged {
            id: format!("{scope}{}/{kind}/{name}", crate::PROVIDER),
            name,
            kind: format!("Microsoft.Consumption/{kind}"),
            tags: None,
            properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_the_reservation_of_its_id() {
        let check = |order: Option<&str>, reservation: Option<&str>, expected: &str| {
            let told = match one_of(order, reservation) {
                Ok(found) => found.map_or("all".to_owned(), |id| id.to_string()),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected, "{order:?} {reservation:?}");
        };
        check(None, None, "all");
        check(Some("r1"), None, "r1");
        check(Some("r1"), Some("R1"), "r1");
        check(Some("r1"), Some("r2"), "reservation `r2` does not exist");
        check(None, Some("r1"), "reservationOrderId: must be given, too");
    }

    #[test]
    fn days_come_from_dates_or_a_filter() {
        let check = |query: &str, expected: &str| {
            let told = match asked_days(&Query::parse(query), "usageDate", 400) {
                Ok(Some(days)) => format!("{} {}", days.start, days.end),
                Ok(None) => "none".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected, "{query}");
        };
        check("", "none");
        check("startDate=2026-09-01&endDate=2026-09-30", "2026-09-01 2026-10-01");
        let filter = "$filter=properties/usageDate ge 2026-09-01 AND properties/usageDate le";
        check(&format!("{filter} 2026-09-05"), "2026-09-01 2026-09-06");
        check(
            "$filter=properties/UsageDate ge 2026-09-01",
            "$filter: `usageDate` must be compared with ge and with le",
        );
        check(
            &format!("{filter} 2026-09-05&startDate=2026-09-01&endDate=2026-09-30"),
            "$filter: stands beside `startDate`; name one of them",
        );
        check("startDate=2020-01-01&endDate=2026-01-01", "endDate: asks for more than 36 months");
    }

    #[test]
    fn all_months_are_as_many_as_may_be_asked_for() {
        let days = all_months(Instant::parse("2026-11-18T09:00:00Z").unwrap()).unwrap();
        assert_eq!(format!("{} {}", days.start, days.end), "2023-12-01 2026-11-19");
    }
}
