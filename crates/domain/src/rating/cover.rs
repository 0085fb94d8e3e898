//! What reservations cover of records, and what is lost of them.

use super::place::{Rater, What};
use super::{Charge, Of, WindowCharge};
use crate::catalog::Aggregation;
use crate::ids::{PlaceId, RecordId, ReservationId, SourceName};
use crate::places::{Level, Place, PlaceKey};
use crate::pricing::{Slice, Step, Terms, at_list_price};
use crate::rated::{Reserved, RowKind};
use crate::reservations::{
    Covered, Reservation, ReservationScope, ReservedHour, UsageHour, by_hours, cover,
};
use crate::usage::{ChargeCategory, UsageRecord};
use crate::{Error, Result};
use calendar::{Instant, Interval, MICROS_PER_HOUR};
use money::{Currency, Fixed18, MoneyError};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a reservation covers of a record in hours that follow each other.
pub(super) struct Run {
    reservation: ReservationId,
    hours: Interval,
    quantity: Fixed18,
    amortised: Fixed18,
}

impl Run {
    /// The covered quantity as a slice; its cost is that at list price.
    pub fn slice(&self, terms: &Terms<'_>, step: Step) -> std::result::Result<Slice, MoneyError> {
        at_list_price(terms, Step { quantity: self.quantity, ..step })
    }

    /// Errors: [`MoneyError::Overflow`].
    fn of(hours: &[&Covered]) -> std::result::Result<Option<Run>, MoneyError> {
        let (Some(first), Some(last)) = (hours.first(), hours.last()) else { return Ok(None) };
        Ok(Some(Run {
            reservation: first.reservation.clone(),
            hours: from_until(first.hour, last.hour),
            quantity: Fixed18::checked_sum(hours.iter().map(|one| one.quantity))?,
            amortised: Fixed18::checked_sum(hours.iter().map(|one| one.amortised))?,
        }))
    }
}

impl<'a> Rater<'a> {
    /// Takes what reservations cover out of what records contribute, but for the records of
    /// `uncovered`; says what is left of each hour.
    pub fn cover(&mut self, uncovered: &BTreeSet<usize>) -> Result<Vec<ReservedHour>> {
        let reservations = self.unit.reservations;
        if reservations.is_empty() {
            return Ok(Vec::new());
        }
        let mut usage = Vec::new();
        let mut items: HashMap<(&'a SourceName, &'a RecordId), usize> = HashMap::new();
        for (place, item) in self.items.iter().enumerate() {
            if uncovered.contains(&item.record) {
                continue;
            }
            let What::Seated { seat, contribution: Some(quantity) } = item.what else { continue };
            let record = &self.unit.records[item.record].record;
            let seat = &self.seats[seat];
            let currency = self.prices[seat.price].currency;
            if *seat.aggregation == Aggregation::Sum && is_reserved(reservations, record, currency)
            {
                items.insert((&record.key.source, &record.key.id), place);
                self.add_hours(record, quantity, &mut usage);
            }
        }
        let coverage = cover(self.unit.period.interval(), reservations, &usage)?;
        let mut by_record: BTreeMap<(usize, &ReservationId), Vec<&Covered>> = BTreeMap::new();
        for covered in &coverage.covered {
            if let Some(item) = items.get(&(&covered.source, &covered.id)) {
                by_record.entry((*item, &covered.reservation)).or_default().push(covered);
            }
        }
        for ((item, reservation), hours) in by_record {
            self.take(item, &hours).map_err(|source| of(reservation, source))?;
        }
        Ok(coverage.hours)
    }

    /// The hours of a record that lie in the billing period. One that is too long to be cut into
    /// hours has none.
    fn add_hours(&self, record: &UsageRecord, quantity: Fixed18, usage: &mut Vec<UsageHour>) {
        let period = self.unit.period.interval();
        let hours = by_hours(quantity, record.service_period).unwrap_or_default().into_iter();
        for (hour, quantity) in hours.filter(|(hour, _)| period.contains(*hour)) {
            usage.push(UsageHour {
                hour,
                source: record.key.source.clone(),
                id: record.key.id.clone(),
                billing_account: self.unit.billing_account.clone(),
                subscription: record.subscription.clone(),
                places: self.places(record, hour),
                meter: record.meter.clone(),
                dimensions: record.dimensions.clone(),
                quantity,
            });
        }
    }

    /// Where a record's subscription stood in an hour, and what that lay below; asked for only
    /// where a reservation is of a place.
    fn places(&self, record: &UsageRecord, hour: Instant) -> Vec<Place> {
        let is_of_place = |one: &Reservation| matches!(one.scope, ReservationScope::Place(_));
        if !self.unit.reservations.iter().any(is_of_place) {
            return Vec::new();
        }
        let (company, account) = (self.unit.book.company(), self.unit.billing_account);
        let place = |key: PlaceKey| Place { billing_account: account.clone(), key };
        let of_account = company.places.of(account);
        let held = company.places.subscriptions.get(&record.subscription);
        let standing = held.and_then(|held| held.standings.at(hour)?.place.as_ref());
        let standing = standing.filter(|place| place.billing_account == *account);
        let moment = Interval::new(hour, hour.plus_micros(1)).unwrap_or(Interval::at(hour));
        let mut places: Vec<Place> = of_account
            .zip(standing)
            .map(|(of_account, standing)| of_account.upwards(&standing.key, moment))
            .unwrap_or_default()
            .into_iter()
            .map(|(key, _)| place(key.clone()))
            .collect();
        // A subscription may be placed on a profile and stand nowhere.
        let subscription = company.subscriptions.get(&record.subscription);
        let placement = subscription.and_then(|one| one.placement_at(hour));
        let profile = placement.filter(|one| one.billing_account == *account);
        let profile = profile.and_then(|one| PlaceId::new(one.profile.as_deref()?).ok());
        places.extend(profile.map(|id| place(PlaceKey { level: Level::BillingProfile, id })));
        places
    }

    /// Takes what a reservation covers of an item out of what it contributes.
    fn take(&mut self, item: usize, hours: &[&Covered]) -> std::result::Result<(), MoneyError> {
        let item = &mut self.items[item];
        let runs = hours.chunk_by(|a, b| a.hour.plus_micros(MICROS_PER_HOUR) == b.hour);
        for run in runs {
            let Some(run) = Run::of(run)? else { continue };
            if let What::Seated { contribution: Some(quantity), .. } = &mut item.what {
                *quantity = quantity.checked_sub(run.quantity)?;
            }
            self.covered.entry(item.record).or_default().push(run);
        }
        Ok(())
    }

    /// Charges what is covered of a record: nothing. Gives the number of its next slice.
    pub fn push_covered(&mut self, (record, price): (usize, usize), slices: &[Slice]) -> u16 {
        let Some(runs) = self.covered.remove(&record) else { return 0 };
        let currency = self.prices[price].currency;
        let mut number = 0_u16;
        for (run, slice) in runs.into_iter().zip(slices) {
            let Run { reservation, hours, quantity: _, amortised } = run;
            let (list_cost, unused) = (slice.cost, Fixed18::ZERO);
            let reserved = Reserved { reservation, hours, amortised, list_cost, unused };
            self.charges.push(Charge {
                of: Of::Record(record),
                number,
                slice: Slice { cost: Fixed18::ZERO, ..*slice },
                currency,
                price: Some(price),
                reserved: Some(self.reserved.len()),
            });
            self.reserved.push(reserved);
            number = number.saturating_add(1);
        }
        number
    }

    /// Records hours that covered less than they could: as long as they follow each other within
    /// a day and lose the same.
    pub fn record_lost(&mut self, mut hours: Vec<ReservedHour>) -> Result<()> {
        hours.sort_by(|a, b| (&a.reservation, a.hour).cmp(&(&b.reservation, b.hour)));
        let mut lost = Vec::with_capacity(hours.len());
        for hour in &hours {
            let unused = hour.unused().map_err(|source| of(&hour.reservation, source))?;
            if unused > Fixed18::ZERO {
                lost.push((hour, unused));
            }
        }
        let goes_on = |(a, lost): &(&ReservedHour, Fixed18),
                       (b, also): &(&ReservedHour, Fixed18)| {
            a.reservation == b.reservation
                && lost == also
                && a.hour.plus_micros(MICROS_PER_HOUR) == b.hour
                && a.hour.day() == b.hour.day()
        };
        for run in lost.chunk_by(goes_on) {
            if let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) {
                let id = &first.reservation;
                let hours = from_until(first.hour, last.hour);
                let sum = |parts: &mut dyn Iterator<Item = Fixed18>| {
                    Fixed18::checked_sum(parts).map_err(|source| of(id, source))
                };
                let reserved = Reserved {
                    reservation: id.clone(),
                    hours,
                    amortised: sum(&mut run.iter().map(|(hour, _)| hour.amortised_unused))?,
                    list_cost: Fixed18::ZERO,
                    unused: sum(&mut run.iter().map(|(_, unused)| *unused))?,
                };
                self.push_lost(reserved);
            }
        }
        Ok(())
    }

    fn push_lost(&mut self, reserved: Reserved) {
        let of_id = |one: &&Reservation| one.id == reserved.reservation;
        let Some(reservation) = self.unit.reservations.iter().find(of_id) else { return };
        let Some(meter) = reservation.first_meter() else { return };
        let slice = Slice {
            kind: RowKind::Unused,
            tier: 0,
            before: Fixed18::ZERO,
            quantity: Fixed18::ZERO,
            unit_price: None,
            cost: Fixed18::ZERO,
        };
        self.charges.push(Charge {
            of: Of::Window(self.window_charges.len()),
            number: 0,
            slice,
            currency: reservation.price.currency,
            price: None,
            reserved: Some(self.reserved.len()),
        });
        self.window_charges.push(WindowCharge {
            subscription: reservation.billed_to.clone(),
            meter: meter.clone(),
            service_period: reserved.hours,
        });
        self.reserved.push(reserved);
    }
}

/// Whether reservations may cover a record at all: usage of one of their meters, priced in their
/// currency.
fn is_reserved(reservations: &[Reservation], record: &UsageRecord, currency: Currency) -> bool {
    let mut of_meter = reservations.iter().filter(|one| one.meters.contains(&record.meter));
    let first = of_meter.next();
    record.category == ChargeCategory::Usage
        && first.is_some_and(|one| one.price.currency == currency)
        && of_meter.all(|one| one.price.currency == currency)
}

/// Hours from the first until the end of the last.
fn from_until(first: Instant, last: Instant) -> Interval {
    Interval::new(first, last.plus_micros(MICROS_PER_HOUR)).unwrap_or(Interval::at(first))
}

fn of(reservation: &ReservationId, source: MoneyError) -> Error {
    Error::money(format!("reservation `{reservation}`"), source)
}
