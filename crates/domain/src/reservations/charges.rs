//! What buying, exchanging and giving back a reservation costs.

use super::{Reservation, amortised, check_reservation};
use crate::ids::ReservationId;
use crate::{Error, Result};
use calendar::{Instant, Interval};
use money::{Cost, Fixed18};

/// One charge for a reservation itself; it stands on the actual cost of its instant.
///
/// Source: `enterprise-reporting.md` section 3.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationCharge {
    /// For which one.
    pub reservation: ReservationId,
    /// For what.
    pub event: ReservationEvent,
    /// When.
    pub at: Instant,
    /// What it covers in each hour.
    pub quantity: Fixed18,
    /// Exact; below zero where money goes back.
    pub amount: Cost,
}

/// What a reservation is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReservationEvent {
    /// It was bought.
    Purchase,
    /// It was given back for another one: what was left of it goes back.
    Exchange,
    /// It was cancelled: what that costs.
    Cancel,
    /// What was left of it goes back, because it was cancelled; or a part of that while it goes on.
    Refund,
}

impl ReservationEvent {
    /// Its name on invoices and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            ReservationEvent::Purchase => "purchase",
            ReservationEvent::Exchange => "exchange",
            ReservationEvent::Cancel => "cancel",
            ReservationEvent::Refund => "refund",
        }
    }
}

/// A reservation that ends early, with the charges for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What remains: the hours until then, at what they cost; none if it had not begun.
    pub kept: Option<Reservation>,
    /// In order.
    pub charges: Vec<ReservationCharge>,
}

/// The charge for buying a reservation, at the start of its term. Errors: [`check_reservation`].
pub fn purchase(reservation: &Reservation) -> Result<ReservationCharge> {
    check_reservation(reservation)?;
    let (at, amount) = (reservation.term.start(), reservation.price.major);
    Ok(charge(reservation, (ReservationEvent::Purchase, at), amount))
}

/// Ends a reservation at a whole hour: what has not been amortised goes back, less a fee.
///
/// Errors: as [`amortised`]; [`Error::Invalid`] for a moment that is no whole hour of the term, and
/// for a fee below zero or above what goes back, or in another currency.
pub fn cancel(reservation: &Reservation, at: Instant, fee: Cost) -> Result<Ended> {
    let (kept, back) = ended(reservation, at)?;
    if fee.currency != reservation.price.currency {
        let problem = format!("is {}; must be {}", fee.currency, reservation.price.currency);
        return Err(Error::invalid("fee", problem));
    }
    if fee.major.is_negative() || fee.major > back {
        return Err(Error::invalid("fee", format!("must lie between 0 and {back}")));
    }
    let mut charges = Vec::new();
    if !fee.major.is_zero() {
        charges.push(charge(reservation, (ReservationEvent::Cancel, at), fee.major));
    }
    charges.push(refund(reservation, at, back)?);
    Ok(Ended { kept, charges })
}

/// Ends a reservation for another one that begins then: what was left goes back, the new price is
/// charged.
///
/// Errors: as [`cancel`] and [`purchase`]; [`Error::Invalid`] when the other begins at another
/// moment, or is in another currency.
pub fn exchange(reservation: &Reservation, other: &Reservation) -> Result<Ended> {
    let at = other.term.start();
    if other.price.currency != reservation.price.currency {
        let problem =
            format!("is {}; must be {}", other.price.currency, reservation.price.currency);
        return Err(Error::invalid("price", problem));
    }
    let (kept, back) = ended(reservation, at)?;
    let negative = negated(reservation, back)?;
    let given_back = charge(reservation, (ReservationEvent::Exchange, at), negative);
    Ok(Ended { kept, charges: vec![given_back, purchase(other)?] })
}

/// The charge that gives money back, as an amount above zero. Errors: [`Error::Money`].
pub fn refund(reservation: &Reservation, at: Instant, back: Fixed18) -> Result<ReservationCharge> {
    let negative = negated(reservation, back)?;
    Ok(charge(reservation, (ReservationEvent::Refund, at), negative))
}

/// Gives money back at a whole hour of a reservation that goes on: the hours before keep their
/// cost, those from then on share what is left of the price.
///
/// Gives both parts; none for the first where no hour has passed. Errors: as [`amortised`];
/// [`Error::Invalid`] for a moment that is no whole hour of the term, and for an amount that is not
/// above zero, or above what is left.
pub fn lower(
    reservation: &Reservation,
    at: Instant,
    by: Fixed18,
) -> Result<(Option<Reservation>, Reservation)> {
    let (kept, back) = ended(reservation, at)?;
    if by <= Fixed18::ZERO || by > back {
        return Err(Error::invalid("amount", format!("must be above 0, and at most {back}")));
    }
    let out_of_range = |source| Error::money(format!("reservation `{}`", reservation.id), source);
    let major = back.checked_sub(by).map_err(out_of_range)?;
    let price = Cost { major, currency: reservation.price.currency };
    let term = Interval::new(at, reservation.term.end())
        .map_err(|problem| Error::invalid("at", problem.to_string()))?;
    Ok((kept, Reservation { term, price, ..reservation.clone() }))
}

/// What remains of a reservation that ends at a moment, and what of its price is left.
fn ended(reservation: &Reservation, at: Instant) -> Result<(Option<Reservation>, Fixed18)> {
    let term = reservation.term;
    if !at.is_whole_hour() || at < term.start() || at >= term.end() {
        let problem = format!("{at} is no whole hour of {term:?}");
        return Err(Error::invalid("at", problem));
    }
    let parts = amortised(reservation)?;
    let spent = parts.iter().filter(|(hour, _)| *hour < at).map(|(_, cost)| *cost);
    let out_of_range = |source| Error::money(format!("reservation `{}`", reservation.id), source);
    let spent = Fixed18::checked_sum(spent).map_err(out_of_range)?;
    let back = reservation.price.major.checked_sub(spent).map_err(out_of_range)?;
    let kept = Interval::new(term.start(), at).ok().filter(|kept| kept.start() < kept.end());
    let price = Cost { major: spent, currency: reservation.price.currency };
    Ok((kept.map(|term| Reservation { term, price, ..reservation.clone() }), back))
}

fn negated(reservation: &Reservation, amount: Fixed18) -> Result<Fixed18> {
    amount
        .checked_neg()
        .map_err(|source| Error::money(format!("reservation `{}`", reservation.id), source))
}

fn charge(
    reservation: &Reservation,
    (event, at): (ReservationEvent, Instant),
    major: Fixed18,
) -> ReservationCharge {
    ReservationCharge {
        reservation: reservation.id.clone(),
        event,
        at,
        quantity: reservation.quantity,
        amount: Cost { major, currency: reservation.price.currency },
    }
}
