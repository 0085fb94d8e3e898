//! Reservations: capacity bought for a term, which covers matching usage hour by hour.
//!
//! In each hour reservations are taken narrowest scope first, then the larger, then by id; each
//! covers matching usage in the order of source and id until its hour is full. What is covered
//! costs 0 and keeps its list price; what is left of the hour is recorded and lost.
//!
//! Actual cost stands where it was paid: on the purchase. Amortised cost is the purchase spread
//! over the hours of the term, and in each hour over what was covered and what was lost; by largest
//! remainder, so the parts add up to the price.
//!
//! Source: `enterprise-reporting.md` sections 3.8 and 3.9.

mod charges;
mod held;

pub use charges::{
    Ended, ReservationCharge, ReservationEvent, cancel, exchange, lower, purchase, refund,
};
pub use held::{Course, End, HeldReservation, ReservationState};

use crate::catalog::Condition;
use crate::ids::{BillingAccountId, MeterId, RecordId, ReservationId, SourceName, SubscriptionId};
use crate::places::{Level, Place};
use crate::pricing::in_range;
use crate::usage::{Dimension, is_countable};
use crate::{Error, Result};
use calendar::{Instant, Interval, MICROS_PER_HOUR};
use money::{Cost, Fixed18, MoneyError, allocate};
use std::collections::BTreeMap;

/// Hours that are spread at once, at most: ten years and their leap days.
const HOURS_MOST: usize = 87_672;

/// Capacity bought for a term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// The subscription that it was bought for: what it costs itself, and what is lost of it,
    /// stands there.
    pub billed_to: SubscriptionId,
    /// From when until when; whole hours.
    pub term: Interval,
    /// Whose usage it covers.
    pub scope: ReservationScope,
    /// Which meters.
    pub meters: Vec<MeterId>,
    /// It covers only usage with these values, such as a region.
    pub conditions: Vec<Condition>,
    /// What it covers in each hour, in the meters' unit; more than 0.
    pub quantity: Fixed18,
    /// The whole term's price, exact; not below zero.
    pub price: Cost,
}

impl Reservation {
    /// The meter at which what is lost is recorded: its first.
    pub fn first_meter(&self) -> Option<&MeterId> {
        self.meters.iter().min()
    }
}

/// Whose usage a reservation covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReservationScope {
    /// One subscription's.
    Subscription(SubscriptionId),
    /// That of a place and of everything below it.
    Place(Place),
    /// That of everything a billing account pays for.
    Account(BillingAccountId),
}

impl ReservationScope {
    /// How wide it is; the narrowest has the least.
    const fn width(&self) -> u8 {
        match self {
            ReservationScope::Subscription(_) => 0,
            ReservationScope::Place(place) => match place.key.level {
                Level::InvoiceSection
                | Level::Customer
                | Level::EnrollmentAccount
                | Level::MessagingAccount => 1,
                Level::BillingProfile | Level::Department => 2,
            },
            ReservationScope::Account(_) => 3,
        }
    }
}

/// The part of one usage record that falls into one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageHour {
    /// The start of the hour.
    pub hour: Instant,
    /// From where the record came.
    pub source: SourceName,
    /// The record.
    pub id: RecordId,
    /// Who paid in that hour.
    pub billing_account: BillingAccountId,
    /// Against what it was recorded.
    pub subscription: SubscriptionId,
    /// Where that stood in that hour, and what this lay below.
    pub places: Vec<Place>,
    /// What was counted.
    pub meter: MeterId,
    /// Values of the typed dimensions.
    pub dimensions: BTreeMap<Dimension, String>,
    /// How much, in the meter's unit; what is not above 0 is never covered.
    pub quantity: Fixed18,
}

/// What reservations cover in a window, and what is lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// In order of hour, reservation, source, id.
    pub covered: Vec<Covered>,
    /// Every hour of every reservation in the window, in order of hour, reservation.
    pub hours: Vec<ReservedHour>,
}

/// Usage that a reservation covers: it costs 0 and keeps its list price.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Covered {
    /// The start of the hour.
    pub hour: Instant,
    /// By what.
    pub reservation: ReservationId,
    /// From where the record came.
    pub source: SourceName,
    /// The record.
    pub id: RecordId,
    /// How much of it, in the meter's unit.
    pub quantity: Fixed18,
    /// Its part of the hour's amortised cost, in major units of the reservation's currency.
    pub amortised: Fixed18,
}

/// One hour of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReservedHour {
    /// The start of the hour.
    pub hour: Instant,
    /// Of which reservation.
    pub reservation: ReservationId,
    /// What it could cover, in the meters' unit.
    pub reserved: Fixed18,
    /// What it covered.
    pub used: Fixed18,
    /// The lost part of the hour's amortised cost, in major units.
    pub amortised_unused: Fixed18,
}

impl ReservedHour {
    /// What is lost, in the meters' unit. Errors: [`MoneyError::Overflow`].
    pub fn unused(&self) -> std::result::Result<Fixed18, MoneyError> {
        self.reserved.checked_sub(self.used)
    }
}

/// Covers the usage of a window. The order of what is given does not matter.
///
/// Errors: [`Error::Invalid`] for a window or reservation that [`check_reservation`] refuses;
/// [`Error::Conflict`] for two of one id; [`Error::Money`] when a quantity or cost leaves its
/// range.
pub fn cover(
    window: Interval,
    reservations: &[Reservation],
    usage: &[UsageHour],
) -> Result<Coverage> {
    let mut open = Open::new(usage);
    let mut coverage = Coverage::default();
    let mut by_hour = BTreeMap::<Instant, Vec<(&Reservation, Fixed18)>>::new();
    for reservation in in_order(reservations)? {
        let hours = amortised(reservation)?.into_iter();
        for (hour, cost) in hours.filter(|(hour, _)| window.contains(*hour)) {
            by_hour.entry(hour).or_default().push((reservation, cost));
        }
    }
    for (hour, reserved) in by_hour {
        for (reservation, cost) in reserved {
            let taken = open.take(hour, reservation);
            taken
                .and_then(|taken| record(hour, (reservation, cost), &taken, &mut coverage))
                .map_err(|source| {
                    Error::money(format!("reservation `{}`, {hour}", reservation.id), source)
                })?;
        }
    }
    coverage.covered.sort();
    coverage.hours.sort();
    Ok(coverage)
}

/// Usage of an hour that nothing has covered yet.
struct Open<'a> {
    by_hour: BTreeMap<(Instant, MeterId), Vec<Taken<'a>>>,
}

/// What a reservation took from one piece of usage.
type Taken<'a> = (&'a UsageHour, Fixed18);

impl<'a> Open<'a> {
    fn new(usage: &'a [UsageHour]) -> Open<'a> {
        let mut by_hour = BTreeMap::<_, Vec<Taken<'a>>>::new();
        for one in usage.iter().filter(|one| one.quantity > Fixed18::ZERO) {
            by_hour.entry((one.hour, one.meter.clone())).or_default().push((one, one.quantity));
        }
        for open in by_hour.values_mut() {
            open.sort_by_key(|(one, _)| (&one.source, &one.id, &one.subscription, one.quantity));
        }
        Open { by_hour }
    }

    /// Takes matching usage until the reservation's hour is full.
    fn take(
        &mut self,
        hour: Instant,
        reservation: &Reservation,
    ) -> std::result::Result<Vec<Taken<'a>>, MoneyError> {
        let mut left = reservation.quantity;
        let mut taken = Vec::new();
        let mut meters: Vec<&MeterId> = reservation.meters.iter().collect();
        meters.sort();
        for meter in meters {
            let Some(open) = self.by_hour.get_mut(&(hour, meter.clone())) else { continue };
            for (one, rest) in open.iter_mut().filter(|(one, _)| matches(reservation, one)) {
                if left.is_zero() {
                    return Ok(taken);
                }
                let part = left.min(*rest);
                if part > Fixed18::ZERO {
                    *rest = rest.checked_sub(part)?;
                    left = left.checked_sub(part)?;
                    taken.push((*one, part));
                }
            }
        }
        Ok(taken)
    }
}

fn matches(reservation: &Reservation, usage: &UsageHour) -> bool {
    let is_in_scope = match &reservation.scope {
        ReservationScope::Subscription(id) => *id == usage.subscription,
        ReservationScope::Place(place) => usage.places.contains(place),
        ReservationScope::Account(id) => *id == usage.billing_account,
    };
    is_in_scope
        && reservation.conditions.iter().all(|Condition { dimension, value }| {
            usage.dimensions.get(dimension).is_some_and(|found| found == value)
        })
}

/// Writes one hour down: its cost is split by quantity, the lost part last.
fn record(
    hour: Instant,
    (reservation, cost): (&Reservation, Fixed18),
    taken: &[Taken<'_>],
    coverage: &mut Coverage,
) -> std::result::Result<(), MoneyError> {
    let used = Fixed18::checked_sum(taken.iter().map(|(_, part)| *part))?;
    let unused = reservation.quantity.checked_sub(used)?;
    let parts = taken.iter().map(|(_, part)| *part).chain([unused]);
    let weights: Vec<u128> = parts.map(|part| part.atoms().unsigned_abs()).collect();
    let mut costs = allocate(cost.atoms(), &weights)?.into_iter().map(Fixed18::from_atoms);
    for ((one, quantity), amortised) in taken.iter().zip(costs.by_ref()) {
        coverage.covered.push(Covered {
            hour,
            reservation: reservation.id.clone(),
            source: one.source.clone(),
            id: one.id.clone(),
            quantity: *quantity,
            amortised,
        });
    }
    coverage.hours.push(ReservedHour {
        hour,
        reservation: reservation.id.clone(),
        reserved: reservation.quantity,
        used,
        amortised_unused: costs.next().unwrap_or(Fixed18::ZERO),
    });
    Ok(())
}

/// Reservations in the order in which they cover: narrowest scope, then the larger, then by id.
fn in_order(reservations: &[Reservation]) -> Result<Vec<&Reservation>> {
    let mut ordered: Vec<&Reservation> = reservations.iter().collect();
    ordered.sort_by(|a, b| (&a.id, a.term.start()).cmp(&(&b.id, b.term.start())));
    for pair in ordered.windows(2) {
        if let [a, b] = pair
            && a.id == b.id
            && a.term.overlaps(&b.term)
        {
            let (what, key) = ("reservation", a.id.to_string());
            return Err(Error::Conflict { what, key, problem: "is there twice".to_owned() });
        }
    }
    // A stable sort: equals stay in order of id.
    ordered.sort_by(|a, b| {
        a.scope.width().cmp(&b.scope.width()).then_with(|| b.quantity.cmp(&a.quantity))
    });
    Ok(ordered)
}

/// Checks what a reservation must hold before it can cover anything.
///
/// Errors: [`Error::Invalid`] naming the field: a term that is empty, longer than ten years or not
/// of whole hours; no meters; a quantity that is not above 0, or that no record can have; a price
/// below 0, or that no charge can have.
pub fn check_reservation(reservation: &Reservation) -> Result<()> {
    let Reservation { id, billed_to: _, term, scope: _, meters, conditions: _, quantity, price } =
        reservation;
    let field = |name: &str| format!("reservation[{id}].{name}");
    if !term.start().is_whole_hour() || !term.end().is_whole_hour() {
        return Err(Error::invalid(field("term"), "must begin and end on a whole hour"));
    }
    if term.start() == term.end() {
        return Err(Error::invalid(field("term"), "ends when it begins"));
    }
    if hours(*term).nth(HOURS_MOST).is_some() {
        let problem = format!("is longer than {HOURS_MOST} hours");
        return Err(Error::invalid(field("term"), problem));
    }
    if meters.is_empty() {
        return Err(Error::invalid(field("meters"), "must not be empty"));
    }
    if *quantity <= Fixed18::ZERO {
        return Err(Error::invalid(field("quantity"), "must be above 0"));
    }
    if !is_countable(*quantity) {
        return Err(Error::invalid(field("quantity"), "is more than a record can have"));
    }
    if price.major.is_negative() {
        return Err(Error::invalid(field("price"), "must not be below 0"));
    }
    in_range(price.major)
        .map_err(|_| Error::invalid(field("price"), "is more than a charge can have"))?;
    Ok(())
}

/// Spreads a reservation's price over the hours of its term; the parts add up to it exactly.
///
/// Units: major units of the price's currency, by start of the hour; rising.
/// Errors: as [`check_reservation`], and [`Error::Money`].
pub fn amortised(reservation: &Reservation) -> Result<Vec<(Instant, Fixed18)>> {
    check_reservation(reservation)?;
    spread(reservation.price.major, reservation.term)
        .map_err(|source| Error::money(format!("reservation `{}`", reservation.id), source))
}

/// Splits the quantity of a record over the hours of its service period, by time; the parts add up
/// to it exactly. A record of one moment lies in its hour.
///
/// Errors: [`Error::Invalid`] for a period of more than ten years; [`Error::Money`].
pub fn by_hours(quantity: Fixed18, period: Interval) -> Result<Vec<(Instant, Fixed18)>> {
    if period.start() == period.end() {
        return Ok(vec![(period.start().start_of_hour(), quantity)]);
    }
    if hours(period).nth(HOURS_MOST).is_some() {
        let problem = format!("is longer than {HOURS_MOST} hours");
        return Err(Error::invalid("service_period", problem));
    }
    spread(quantity, period)
        .map_err(|source| Error::money(format!("{quantity} of {period:?}"), source))
}

fn spread(
    whole: Fixed18,
    during: Interval,
) -> std::result::Result<Vec<(Instant, Fixed18)>, MoneyError> {
    let (starts, weights): (Vec<Instant>, Vec<u128>) =
        hours(during).map(|(hour, part)| (hour, u128::from(part.micros().unsigned_abs()))).unzip();
    let parts = allocate(whole.atoms(), &weights)?.into_iter().map(Fixed18::from_atoms);
    Ok(starts.into_iter().zip(parts).collect())
}

/// The hours that an interval touches: the start of each, with the part that lies in it.
fn hours(during: Interval) -> impl Iterator<Item = (Instant, Interval)> {
    let first = during.start().start_of_hour();
    let next = |hour: &Instant| Some(hour.plus_micros(MICROS_PER_HOUR)).filter(|at| at > hour);
    std::iter::successors(Some(first), next)
        .take_while(move |hour| *hour < during.end())
        .filter_map(move |hour| {
            let whole = Interval::new(hour, hour.plus_micros(MICROS_PER_HOUR)).ok()?;
            Some((hour, whole.intersection(&during)?))
        })
}

#[cfg(test)]
mod tests;
