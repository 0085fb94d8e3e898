//! Reservations as billing accounts hold them: what happens to one, and what that costs.

use super::{
    Reservation, ReservationCharge, cancel, check_reservation, exchange, lower, purchase, refund,
};
use crate::company::Company;
use crate::ids::{BillingAccountId, MeterId, ReservationId};
use crate::{Error, Result};
use calendar::{Instant, Interval, MICROS_PER_DAY};
use money::{Cost, Fixed18};

/// A reservation that a billing account holds, and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldReservation {
    /// As it was bought.
    pub bought: Reservation,
    /// What is given back while it goes on: when, and how much in major units. In order of time.
    pub refunds: Vec<(Instant, Fixed18)>,
    /// How it ends before its term does, if it does.
    pub end: Option<End>,
}

/// How a reservation ends before its term does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is cancelled.
    Cancelled {
        /// From when on; a whole hour of its term.
        at: Instant,
        /// What that costs, in major units.
        fee: Fixed18,
    },
    /// It is given back for another one of the account, when that one begins.
    ExchangedFor(ReservationId),
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservationState {
    /// Its term has not begun.
    Pending,
    /// It covers usage.
    Active,
    /// It covers usage, and ends within [`HeldReservation::EXPIRING_DAYS`] days.
    Expiring,
    /// Its term is over.
    Expired,
    /// It was cancelled, or given back for another one.
    Cancelled,
}

/// What becomes of a reservation: what it covers and costs hour by hour, and what is charged.
///
/// The prices of its parts add up to its charges but for the fee of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Course {
    /// Its parts, one after the other: the price of an hour changes between them.
    pub parts: Vec<Reservation>,
    /// Its charges, in order.
    pub charges: Vec<ReservationCharge>,
}

impl HeldReservation {
    /// How many days before its end a reservation counts as expiring.
    pub const EXPIRING_DAYS: i64 = 30;

    /// When it ends: with its term, or before that by its end; `others` are the account's.
    pub fn ends_at(&self, others: &[HeldReservation]) -> Instant {
        let early = match &self.end {
            None => None,
            Some(End::Cancelled { at, fee: _ }) => Some(*at),
            Some(End::ExchangedFor(id)) => {
                self.other(id, others).ok().map(|other| other.term.start())
            }
        };
        early.map_or(self.bought.term.end(), |at| at.min(self.bought.term.end()))
    }

    /// How far it has come at a moment; `others` are the account's.
    pub fn state_at(&self, at: Instant, others: &[HeldReservation]) -> ReservationState {
        let (term, ends_at) = (self.bought.term, self.ends_at(others));
        let left_micros = ends_at.since(at);
        if left_micros <= 0 && ends_at < term.end() {
            ReservationState::Cancelled
        } else if left_micros <= 0 {
            ReservationState::Expired
        } else if at < term.start() {
            ReservationState::Pending
        } else if left_micros <= MICROS_PER_DAY.saturating_mul(HeldReservation::EXPIRING_DAYS) {
            ReservationState::Expiring
        } else {
            ReservationState::Active
        }
    }

    /// What becomes of it; `others` are the account's.
    ///
    /// Errors: [`Error::Invalid`] for a reservation that cannot be or an event that cannot happen
    /// to it, such as an exchange for one that is missing; [`Error::Money`].
    pub fn course(&self, others: &[HeldReservation]) -> Result<Course> {
        let HeldReservation { bought, refunds, end } = self;
        let mut course = Course { parts: Vec::new(), charges: vec![purchase(bought)?] };
        let mut rest = bought.clone();
        for (place, (at, amount)) in refunds.iter().enumerate() {
            let lowered = lower(&rest, *at, *amount);
            let (kept, left) = lowered.map_err(below(&format!("refunds[{place}].")))?;
            course.parts.extend(kept);
            course.charges.push(refund(&rest, *at, *amount)?);
            rest = left;
        }
        let ended = match end {
            None => {
                course.parts.push(rest);
                return Ok(course);
            }
            Some(End::Cancelled { at, fee }) => {
                let fee = Cost { major: *fee, currency: bought.price.currency };
                cancel(&rest, *at, fee).map_err(below("cancelled."))?
            }
            Some(End::ExchangedFor(id)) => {
                let other = self.other(id, others)?;
                exchange(&rest, other).map_err(below("exchanged_for."))?
            }
        };
        course.parts.extend(ended.kept);
        // The other's purchase is of its own course.
        let own = ended.charges.into_iter().filter(|charge| charge.reservation == bought.id);
        course.charges.extend(own);
        Ok(course)
    }

    fn other<'a>(
        &self,
        id: &ReservationId,
        others: &'a [HeldReservation],
    ) -> Result<&'a Reservation> {
        if *id == self.bought.id {
            return Err(Error::invalid("exchanged_for", "is the reservation itself"));
        }
        let other = others.iter().find(|other| other.bought.id == *id);
        let missing =
            || Error::invalid("exchanged_for", format!("reservation `{id}` does not exist"));
        let other = other.ok_or_else(missing)?;
        check_reservation(&other.bought)?;
        Ok(&other.bought)
    }
}

/// Names the event of a field that is wrong.
fn below(event: &str) -> impl FnOnce(Error) -> Error {
    move |error| match error {
        Error::Invalid { field, problem } => {
            Error::Invalid { field: format!("{event}{field}"), problem }
        }
        other => other,
    }
}

impl Company {
    /// What a billing account has reserved, in order of id.
    pub fn reservations_of(&self, account: &BillingAccountId) -> &[HeldReservation] {
        self.reservations.get(account).map_or(&[], Vec::as_slice)
    }

    /// Whether an account's reservations can cover usage of a meter in an interval: then all such
    /// meters of the account are rated together, for what one takes another cannot have.
    pub fn is_reserved(
        &self,
        account: &BillingAccountId,
        meter: &MeterId,
        during: Interval,
    ) -> bool {
        let bought = self.reservations_of(account).iter().map(|held| &held.bought);
        let mut bought = bought.filter(|one| one.term.overlaps(&during));
        bought.any(|one| one.meters.contains(meter))
    }

    /// The parts of an account's reservations that lie in an interval, whole.
    ///
    /// Errors: as [`HeldReservation::course`].
    pub fn reservations_in(
        &self,
        account: &BillingAccountId,
        during: Interval,
    ) -> Result<Vec<Reservation>> {
        let all = self.reservations_of(account);
        let mut parts = Vec::new();
        for held in all.iter().filter(|held| held.bought.term.overlaps(&during)) {
            parts.extend(held.course(all)?.parts);
        }
        parts.retain(|part| part.term.overlaps(&during));
        Ok(parts)
    }
}
