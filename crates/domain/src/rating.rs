//! Rating: what the usage of one billing account and billing period costs.
//!
//! A pure function of records, prices and agreements. Records are taken in the order of service
//! start, source, id, whatever the order in which they came; each finds its price and its counter,
//! contributes what its meter's aggregation says, moves the counter and is cut into slices. What a
//! reservation covers of it neither moves the counter nor costs anything
//! (`docs/decisions/0013-reservations-in-rating.md`).
//!
//! [`charge`] gives charges that point at the unit's records, for callers that write columns;
//! [`rate`] gives whole canonical rows.

mod counter;
mod cover;
mod cut;
mod place;
mod windows;

pub use counter::{Counted, CounterKey, Counters, Holder, Window};

use crate::ids::{BillingAccountId, MeterId, SubscriptionId};
use crate::pricing::{PriceBook, Slice};
use crate::rated::{PriceReference, RatedRow, Reserved};
use crate::reservations::Reservation;
use crate::usage::{ChargeCategory, LoggedRecord, Quarantined};
use crate::{Error, Result};
use calendar::{BillingPeriod, Instant, Interval};
use money::{Cost, Currency};
use place::Rater;
use std::collections::{BTreeMap, BTreeSet};

/// What is rated at once.
#[derive(Debug, Clone, Copy)]
pub struct RatingUnit<'a> {
    /// Prices and agreements.
    pub book: &'a PriceBook,
    /// Who pays.
    pub billing_account: &'a BillingAccountId,
    /// When.
    pub period: BillingPeriod,
    /// All its records that count ([`crate::resolve::resolve`]), in any order.
    pub records: &'a [LoggedRecord],
    /// What may cover them, and is lost where it does not
    /// ([`crate::company::Company::reservations_in`]); records of all their meters must be here.
    pub reservations: &'a [Reservation],
    /// What [`Charged::counters`] said of the period before.
    pub carried: &'a Counters,
}

/// The charges of one unit, pointing at its records.
#[derive(Debug, Default)]
pub struct Charged {
    /// Charges of records in rating order, then charges of windows.
    pub charges: Vec<Charge>,
    /// Prices that charges point at.
    pub prices: Vec<PriceReference>,
    /// Windows that charges point at.
    pub windows: Vec<WindowCharge>,
    /// Hours of reservations that charges point at.
    pub reserved: Vec<Reserved>,
    /// Records that wait, by position.
    pub quarantine: Vec<Quarantined>,
    /// Counters of windows that reach beyond this period.
    pub counters: Counters,
    /// Records that leave no row: not billable, or covered by others of their window.
    pub without_row: u64,
}

/// One slice of a record's cost, or one charge of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// What it stands for.
    pub of: Of,
    /// Number of the slice within its record or window, from 0.
    pub number: u16,
    /// Kind, tier, quantity, price, cost.
    pub slice: Slice,
    /// Of the cost.
    pub currency: Currency,
    /// Place in [`Charged::prices`]; none for passed-through cost and lost hours.
    pub price: Option<usize>,
    /// Place in [`Charged::reserved`], of covered usage and of lost hours.
    pub reserved: Option<usize>,
}

/// What a charge stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A record, by its place in [`RatingUnit::records`].
    Record(usize),
    /// A window, or lost hours of a reservation, by their place in [`Charged::windows`].
    Window(usize),
}

/// Where the charges of a window stand, or lost hours of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowCharge {
    /// The holder's subscription; of an account or profile its first. That for which a reservation
    /// was bought.
    pub subscription: SubscriptionId,
    /// Whose price has the minimum, maximum or flat fee; the first of a reservation.
    pub meter: MeterId,
    /// The part of the window in this billing period and with this payer.
    pub service_period: Interval,
}

/// The rated rows of one unit.
#[derive(Debug, Default)]
pub struct Rated {
    /// Rows sorted by [`RatedRow::sort_key`].
    pub rows: Vec<RatedRow>,
    /// See [`Charged::quarantine`].
    pub quarantine: Vec<Quarantined>,
    /// See [`Charged::counters`].
    pub counters: Counters,
    /// See [`Charged::without_row`].
    pub without_row: u64,
    /// Why the account cannot be rated: then nothing else is here.
    pub failed: Option<Error>,
}

/// Rates a unit into canonical rows.
pub fn rate(unit: &RatingUnit<'_>) -> Rated {
    let charged = match charge(unit) {
        Ok(charged) => charged,
        Err(failed) => return Rated { failed: Some(failed), ..Rated::default() },
    };
    let mut rows: Vec<RatedRow> =
        charged.charges.iter().map(|charge| charged.row(unit, charge)).collect();
    rows.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    let Charged { quarantine, counters, without_row, .. } = charged;
    Rated { rows, quarantine, counters, without_row, failed: None }
}

/// Rates a unit into charges that point at its records.
///
/// A record whose own cost is out of range waits in quarantine and moves no counter.
/// Errors: [`Error::Money`] when a counter or a window's cost leaves its range;
/// [`Error::Invalid`] for a record of another account or period.
pub fn charge(unit: &RatingUnit<'_>) -> Result<Charged> {
    let records = unit.records.iter();
    let starts = records.map(|logged| logged.record.service_period.start());
    // Starts stand beside the places: sorting by them alone leaves records where they are.
    let mut order: Vec<(Instant, usize)> = starts.zip(0..).collect();
    order.sort_by(|(start, a), (other, b)| {
        let key = |place: &usize| &unit.records[*place].record.key;
        let by_key = || (&key(a).source, &key(a).id).cmp(&(&key(b).source, &key(b).id));
        start.cmp(other).then_with(by_key)
    });
    // A record that waits takes nothing of a reservation: where one was covered and turns out to
    // wait, all is rated again without it.
    let mut uncovered = BTreeSet::new();
    loop {
        let mut rater = Rater::new(*unit);
        for (_, record) in &order {
            rater.place(*record)?;
        }
        rater.aggregate()?;
        let lost = rater.cover(&uncovered)?;
        rater.total_volumes()?;
        rater.cut()?;
        if rater.covered_in_vain.is_empty() {
            rater.hold_windows_without_usage()?;
            rater.close_windows()?;
            rater.record_lost(lost)?;
            return Ok(rater.finish());
        }
        uncovered.append(&mut rater.covered_in_vain);
    }
}

impl Charged {
    /// The whole row of a charge.
    pub fn row(&self, unit: &RatingUnit<'_>, charge: &Charge) -> RatedRow {
        let Slice { kind, tier, before, quantity, unit_price, cost } = charge.slice;
        let (subscription, meter, service_period) = match charge.of {
            Of::Record(place) => {
                let record = &unit.records[place].record;
                (&record.subscription, &record.meter, record.service_period)
            }
            Of::Window(place) => {
                let WindowCharge { subscription, meter, service_period } = &self.windows[place];
                (subscription, meter, *service_period)
            }
        };
        let of_window = RatedRow {
            position: None,
            slice: charge.number,
            kind,
            billing_account: unit.billing_account.clone(),
            subscription: subscription.clone(),
            resource: String::new(),
            meter: meter.clone(),
            category: ChargeCategory::Usage,
            service_period,
            reported_at: service_period.end(),
            quantity,
            unit_price,
            tier,
            cost: Cost { major: cost, currency: charge.currency },
            price: charge.price.map(|price| self.prices[price].clone()),
            counter_before: before,
            dimensions: BTreeMap::new(),
            tags: BTreeMap::new(),
            details: None,
            reserved: charge.reserved.map(|place| Box::new(self.reserved[place].clone())),
        };
        let Of::Record(place) = charge.of else { return of_window };
        let logged = &unit.records[place];
        RatedRow {
            position: Some(logged.position),
            resource: logged.record.resource.clone(),
            category: logged.record.category,
            reported_at: logged.reported_at(),
            dimensions: logged.record.dimensions.clone(),
            tags: logged.record.tags.clone(),
            details: logged.record.details.clone(),
            ..of_window
        }
    }
}

#[cfg(test)]
mod tests;
