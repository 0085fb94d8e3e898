//! What reservations could cover and what they covered: by hour read, by day and instance told.
//!
//! An hour counts once it has passed. What is lost of it stands in rated usage, each hour by
//! itself; the rest of it was used. What a row covers in several days is spread over its hours as
//! these were used, which is exact unless several such rows shared the reservation.

use crate::cells::CellKey;
use crate::rated_rows::place_of;
use crate::structure::Look;
use crate::{Inner, Reckoner, codes, rated_rows};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Day, Instant, Interval, MICROS_PER_HOUR};
use domain::access::{Action, Caller, Scope};
use domain::catalog::Meter;
use domain::ids::{BillingAccountId, MeterId, ReservationId, SubscriptionId};
use domain::rated::{RatedRow, RowKind};
use domain::{Error, Result};
use engine::{Filter, Scan, Value};
use money::{Fixed18, MoneyError, Rounding, allocate};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Places of a percentage. Source: the samples of `enterprise-reporting.md` section 3.9.
const PERCENT_PLACES: u32 = 2;

/// Which reservations, and when.
#[derive(Debug, Clone)]
pub struct ReservationUsageAsked {
    /// Days, half-open.
    pub days: Range<Day>,
    /// Only one, by its id in any letter case.
    pub reservation: Option<ReservationId>,
}

/// A reservation on one day. Of its first day only the hours from its beginning on are there, of
/// today those that have passed.
///
/// Units: reserved and used, the meters' unit times hours that it is reserved for, so hours where
/// the meter counts hours; 2 of them reserved for a day are 48.
/// Source: `enterprise-reporting.md` section 3.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationDay {
    /// Which one; an order holds one reservation, and has its id.
    pub reservation: ReservationId,
    /// Who has it.
    pub billing_account: BillingAccountId,
    /// The first meter that it covers.
    pub meter: Option<MeterId>,
    /// What that meter counts, if it is declared.
    pub counted: Option<Meter>,
    /// The day.
    pub day: Day,
    /// What it covers in each hour.
    pub quantity: Fixed18,
    /// What it could cover.
    pub reserved: Fixed18,
    /// What it covered.
    pub used: Fixed18,
    /// How far it was used.
    pub utilization: Utilization,
    /// What it covered of each instance, in order; they add up to what it covered.
    pub instances: Vec<InstanceHours>,
}

/// What a reservation covered of an instance. What is not the caller's to know stands together
/// without a name, against the subscription that the reservation was bought for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceHours {
    /// Against what usage was recorded.
    pub subscription: SubscriptionId,
    /// What was used; may be empty.
    pub instance: String,
    /// How much of it was covered, as [`ReservationDay::used`].
    pub used: Fixed18,
}

/// How far a reservation was used, by its hours.
///
/// Units: hundredths, from 0 to 100, to two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utilization {
    /// In the hour in which it was used least.
    pub min: Fixed18,
    /// In all hours.
    pub avg: Fixed18,
    /// In the hour in which it was used most.
    pub max: Fixed18,
}

/// A reservation in one billing period. Units as [`ReservationDay`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationMonth {
    /// Which one.
    pub reservation: ReservationId,
    /// Who has it.
    pub billing_account: BillingAccountId,
    /// The first meter that it covers.
    pub meter: Option<MeterId>,
    /// What that meter counts, if it is declared.
    pub counted: Option<Meter>,
    /// When: of the asked days those that lie in it.
    pub period: BillingPeriod,
    /// What it could cover.
    pub reserved: Fixed18,
    /// What it covered.
    pub used: Fixed18,
    /// How far it was used.
    pub utilization: Utilization,
}

impl Reckoner {
    /// Lists the days of reservations of a billing account, of a place below it, of a subscription,
    /// or of the whole installation as far as the caller may know; in order of account,
    /// reservation, day. Includes all usage that was acknowledged before the call.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`] for a place, and for the one reservation
    /// that is asked for, that the caller may not know of; [`Error::Money`]; [`Error::TooMuch`].
    #[boxed]
    pub async fn reservation_days(
        &self,
        caller: &Caller,
        scope: &Scope,
        asked: &ReservationUsageAsked,
    ) -> Result<Vec<ReservationDay>> {
        let look = self.look();
        let told = look.holdings_of(caller, scope, asked)?;
        let mut all: BTreeMap<(BillingAccountId, ReservationId, Day), ReservationDay> =
            BTreeMap::new();
        let (mut rows, most) = (0_u64, self.limits().answer_rows);
        for period in self.0.periods_within(&asked.days) {
            let of_account = |a: &Holding, b: &Holding| a.billing_account == b.billing_account;
            for held in told.chunk_by(of_account) {
                for day in self.0.days_in(period, held).await? {
                    rows = rows.saturating_add((day.instances.len() as u64).max(1));
                    let id = (day.billing_account.clone(), day.reservation.clone(), day.day);
                    all.insert(id, day);
                }
                if rows > most {
                    let limit = "days and instances of reservations of an answer";
                    return Err(Error::TooMuch { limit, most, key: "limits.answer_rows" });
                }
            }
        }
        let mut all: Vec<ReservationDay> = all.into_values().collect();
        look.hide_others(caller, &told, &mut all)?;
        Ok(all)
    }

    /// The same by billing period, in order of account, reservation, period.
    ///
    /// Errors: as [`Reckoner::reservation_days`].
    #[boxed]
    pub async fn reservation_months(
        &self,
        caller: &Caller,
        scope: &Scope,
        asked: &ReservationUsageAsked,
    ) -> Result<Vec<ReservationMonth>> {
        let days = self.reservation_days(caller, scope, asked).await?;
        let is_same = |a: &ReservationDay, b: &ReservationDay| {
            let month = |day: Day| BillingPeriod::of(day.start());
            (&a.billing_account, &a.reservation, month(a.day))
                == (&b.billing_account, &b.reservation, month(b.day))
        };
        days.chunk_by(is_same).filter_map(|days| month_of(days).transpose()).collect()
    }
}

/// What several days of one reservation come to; none of no days.
fn month_of(days: &[ReservationDay]) -> Result<Option<ReservationMonth>> {
    let Some(first) = days.first() else { return Ok(None) };
    let failed = |source| Error::money(format!("reservation `{}`", first.reservation), source);
    let reserved = Fixed18::checked_sum(days.iter().map(|day| day.reserved)).map_err(failed)?;
    let used = Fixed18::checked_sum(days.iter().map(|day| day.used)).map_err(failed)?;
    let own = || days.iter().map(|day| day.utilization);
    let utilization = Utilization {
        min: own().map(|one| one.min).min().unwrap_or_default(),
        avg: percent(used, reserved).map_err(failed)?,
        max: own().map(|one| one.max).max().unwrap_or_default(),
    };
    Ok(Some(ReservationMonth {
        reservation: first.reservation.clone(),
        billing_account: first.billing_account.clone(),
        meter: first.meter.clone(),
        counted: first.counted.clone(),
        period: BillingPeriod::of(first.day.start()),
        reserved,
        used,
        utilization,
    }))
}

/// A reservation in the hours that are told of it.
struct Holding {
    billing_account: BillingAccountId,
    id: ReservationId,
    billed_to: SubscriptionId,
    meter: Option<MeterId>,
    counted: Option<Meter>,
    quantity: Fixed18,
    during: Interval,
}

impl Look {
    /// Reservations in their hours that have passed and lie in the asked days, by account.
    ///
    /// Hours have no price: who reads usage alone sees them too.
    fn holdings_of(
        &self,
        caller: &Caller,
        scope: &Scope,
        asked: &ReservationUsageAsked,
    ) -> Result<Vec<Holding>> {
        let view = self.view(caller);
        let rights = [Action::ReadCharges, Action::ReadUsage];
        let asked_for = (scope, asked.reservation.as_ref());
        let found = self.reservations_of_scope(&view, &rights, asked_for)?;
        let until = asked.days.end.start().min(self.now.start_of_hour());
        let days = Interval::new(asked.days.start.start(), until).ok();
        let told = found.into_iter().filter_map(|(account, held)| {
            let (bought, others) = (&held.bought, self.company.reservations_of(account));
            let lasts = Interval::new(bought.term.start(), held.ends_at(others)).ok()?;
            let meter = bought.first_meter();
            Some(Holding {
                billing_account: account.clone(),
                id: bought.id.clone(),
                billed_to: bought.billed_to.clone(),
                meter: meter.cloned(),
                counted: meter.and_then(|id| self.company.meters.get(id)).cloned(),
                quantity: bought.quantity,
                during: lasts.intersection(&days?)?,
            })
        });
        Ok(told.collect())
    }

    /// Takes the names off what reservations covered elsewhere than where the caller may read.
    fn hide_others(
        &self,
        caller: &Caller,
        told: &[Holding],
        days: &mut [ReservationDay],
    ) -> Result<()> {
        let of = |one: &Holding| (one.billing_account.clone(), one.id.clone());
        let own: BTreeMap<_, _> = told.iter().map(|one| (of(one), &one.billed_to)).collect();
        let (view, mut known) = (self.view(caller), BTreeMap::<SubscriptionId, bool>::new());
        let mut sees = |of: &SubscriptionId| {
            *known.entry(of.clone()).or_insert_with(|| {
                let scope = Scope::Subscription(of.clone());
                let rights = [Action::ReadCharges, Action::ReadUsage];
                rights.into_iter().any(|action| view.may_look_back(action, &scope))
            })
        };
        for day in days {
            let key = (day.billing_account.clone(), day.reservation.clone());
            if let Some(of) = own.get(&key) {
                hide_others(day, of, &mut sees).map_err(|source| {
                    Error::money(format!("reservation `{}`", day.reservation), source)
                })?;
            }
        }
        Ok(())
    }
}

/// Puts instances of others together, without their names.
fn hide_others(
    day: &mut ReservationDay,
    billed_to: &SubscriptionId,
    mut sees: impl FnMut(&SubscriptionId) -> bool,
) -> std::result::Result<(), MoneyError> {
    let all = std::mem::take(&mut day.instances).into_iter();
    let (mut told, others): (Vec<_>, Vec<_>) = all.partition(|one| sees(&one.subscription));
    if !others.is_empty() {
        let used = Fixed18::checked_sum(others.iter().map(|one| one.used))?;
        let subscription = billed_to.clone();
        told.push(InstanceHours { subscription, instance: String::new(), used });
    }
    day.instances = told;
    Ok(())
}

impl Inner {
    /// The days of an account's reservations that lie in a billing period.
    async fn days_in(
        self: &Arc<Self>,
        period: BillingPeriod,
        held: &[Holding],
    ) -> Result<Vec<ReservationDay>> {
        let within = |one: &Holding| one.during.intersection(&period.interval());
        let mut taken: BTreeMap<&ReservationId, Taken> = BTreeMap::new();
        for one in held {
            if let Some(during) = within(one) {
                taken.insert(&one.id, Taken::new(during));
            }
        }
        if let Some(first) = held.first().filter(|_| !taken.is_empty()) {
            self.add_taken((period, &first.billing_account), &mut taken).await?;
        }
        let mut days = Vec::new();
        for one in held {
            let Some(taken) = taken.remove(&one.id) else { continue };
            let failed = |source| Error::money(format!("reservation `{}`", one.id), source);
            days.extend(taken.days(one).map_err(failed)?);
        }
        Ok(days)
    }

    /// Reads what was covered by an account's reservations, and what was lost of them.
    async fn add_taken(
        self: &Arc<Self>,
        (period, account): (BillingPeriod, &BillingAccountId),
        taken: &mut BTreeMap<&ReservationId, Taken>,
    ) -> Result<()> {
        let view = self.refresh(CellKey { period, bucket: self.bucket_of(account) }).await?;
        let is = |column, codes: Vec<i32>| {
            let values = codes.into_iter().map(|code| Value::Int(i64::from(code))).collect();
            Filter::In { column, values }
        };
        let own = taken.keys().filter_map(|id| self.codes.find(codes::RESERVATION, id.as_str()));
        let (own, inputs): (Vec<i32>, _) = (own.collect(), view.rows());
        let Some(account) = self.codes.find(codes::ACCOUNT, account.as_str()) else {
            return Ok(());
        };
        if own.is_empty() || inputs.is_empty() {
            return Ok(());
        }
        let kinds = [RowKind::Covered, RowKind::Unused].map(|kind| place_of(&RowKind::ALL, &kind));
        let filters =
            vec![is("account", vec![account]), is("kind", kinds.to_vec()), is("reservation", own)];
        let schema = rated_rows::schema()?;
        let columns = schema.columns().iter().map(|column| column.name).collect();
        let scan = Scan { schema, inputs, filters, columns, order_by: Vec::new(), limit: None };
        let failed = crate::engine_failed("read what reservations cover");
        let mut stream = self.engine.scan(&scan).await.map_err(&failed)?;
        while let Some(rows) = stream.next().await.map_err(&failed)? {
            for row in rated_rows::from_columns(&self.codes, &rows)? {
                let Some(id) = row.reserved.as_ref().map(|one| one.reservation.clone()) else {
                    continue;
                };
                if let Some(own) = taken.get_mut(&id) {
                    let failed = |source| Error::money(format!("reservation `{id}`"), source);
                    own.add(row).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}

/// An instance: against what it is recorded, and what it is.
type Instance = (SubscriptionId, String);

/// What was taken of a reservation in some hours.
struct Taken {
    /// The hours that are told.
    during: Interval,
    /// What was lost of each.
    unused: BTreeMap<Instant, Fixed18>,
    /// Hours in which anything was covered.
    touched: BTreeSet<Instant>,
    /// What was covered within a day.
    of_days: BTreeMap<(Day, Instance), Fixed18>,
    /// What was covered in other hours: of several days, or not all of them told.
    others: BTreeMap<(Instance, Interval), Fixed18>,
}

impl Taken {
    fn new(during: Interval) -> Taken {
        Taken {
            during,
            unused: BTreeMap::new(),
            touched: BTreeSet::new(),
            of_days: BTreeMap::new(),
            others: BTreeMap::new(),
        }
    }

    /// Adds a row that the reservation covers, or of hours that were lost.
    fn add(&mut self, row: RatedRow) -> std::result::Result<(), MoneyError> {
        let Some(reserved) = row.reserved else { return Ok(()) };
        let all = reserved.hours;
        if row.kind == RowKind::Unused {
            // All hours of such a row lose the same.
            let count = Fixed18::from_int(hours(all).map(|_| 1_i64).sum());
            let each = reserved.unused.mul_div(Fixed18::ONE, count, Rounding::default())?;
            self.unused.extend(hours(all).map(|hour| (hour, each)));
            return Ok(());
        }
        self.touched.extend(hours(all));
        let instance = (row.subscription, row.resource);
        let (day, last) = (all.start().day(), all.end().plus_micros(-1).day());
        let is_told = self.during.start() <= all.start() && all.end() <= self.during.end();
        let sum = if day == last && is_told {
            self.of_days.entry((day, instance)).or_default()
        } else {
            self.others.entry((instance, all)).or_default()
        };
        *sum = sum.checked_add(row.quantity)?;
        Ok(())
    }

    /// What was used of an hour.
    fn used(&self, hour: Instant, quantity: Fixed18) -> std::result::Result<Fixed18, MoneyError> {
        if !self.touched.contains(&hour) {
            return Ok(Fixed18::ZERO);
        }
        quantity.checked_sub(self.unused.get(&hour).copied().unwrap_or_default())
    }

    /// The days, in order.
    fn days(mut self, of: &Holding) -> std::result::Result<Vec<ReservationDay>, MoneyError> {
        self.spread(of.quantity)?;
        let mut days: BTreeMap<Day, Vec<Fixed18>> = BTreeMap::new();
        for hour in hours(self.during) {
            days.entry(hour.day()).or_default().push(self.used(hour, of.quantity)?);
        }
        let mut instances: BTreeMap<Day, Vec<InstanceHours>> = BTreeMap::new();
        for ((day, (subscription, instance)), used) in self.of_days {
            let one = InstanceHours { subscription, instance, used };
            instances.entry(day).or_default().push(one);
        }
        let told = |(day, used): (Day, Vec<Fixed18>)| {
            day_of(of, (day, &used), instances.remove(&day).unwrap_or_default())
        };
        days.into_iter().map(told).collect()
    }

    /// Spreads what was covered in other hours over those that are told.
    fn spread(&mut self, quantity: Fixed18) -> std::result::Result<(), MoneyError> {
        for ((instance, all), covered) in std::mem::take(&mut self.others) {
            let weight = |hour| self.used(hour, quantity).map(|used| used.atoms().unsigned_abs());
            let weights = hours(all).map(weight).collect::<std::result::Result<Vec<_>, _>>()?;
            let parts = allocate(covered.atoms(), &weights)?;
            for (hour, part) in hours(all).zip(parts) {
                if self.during.contains(hour) && part != 0 {
                    let sum = self.of_days.entry((hour.day(), instance.clone())).or_default();
                    *sum = sum.checked_add(Fixed18::from_atoms(part))?;
                }
            }
        }
        Ok(())
    }
}

/// A day by what was used in each of its hours.
fn day_of(
    of: &Holding,
    (day, hours): (Day, &[Fixed18]),
    instances: Vec<InstanceHours>,
) -> std::result::Result<ReservationDay, MoneyError> {
    let Holding { billing_account, id, billed_to: _, meter, counted, quantity, during: _ } = of;
    let reserved = Fixed18::checked_sum(hours.iter().map(|_| *quantity))?;
    let used = Fixed18::checked_sum(hours.iter().copied())?;
    let hourly = |used: Option<&Fixed18>| percent(used.copied().unwrap_or_default(), *quantity);
    let utilization = Utilization {
        min: hourly(hours.iter().min())?,
        avg: percent(used, reserved)?,
        max: hourly(hours.iter().max())?,
    };
    Ok(ReservationDay {
        reservation: id.clone(),
        billing_account: billing_account.clone(),
        meter: meter.clone(),
        counted: counted.clone(),
        day,
        quantity: *quantity,
        reserved,
        used,
        utilization,
        instances,
    })
}

/// So many hundredths of the whole; none of nothing.
fn percent(part: Fixed18, whole: Fixed18) -> std::result::Result<Fixed18, MoneyError> {
    if whole.is_zero() {
        return Ok(Fixed18::ZERO);
    }
    let share = part.mul_div(Fixed18::from_int(100), whole, Rounding::default())?;
    share.round(PERCENT_PLACES, Rounding::default())
}

/// The whole hours of an interval, by their start.
pub(crate) fn hours(during: Interval) -> impl Iterator<Item = Instant> {
    let next = |hour: &Instant| Some(hour.plus_micros(MICROS_PER_HOUR)).filter(|at| at > hour);
    std::iter::successors(Some(during.start()), next).take_while(move |hour| *hour < during.end())
}

#[cfg(test)]
mod tests;
