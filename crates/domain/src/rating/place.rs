//! Finding each record's price, counter and window.

use super::counter::{Counted, CounterKey, Counters, Stretch, Window};
use super::cover::Run;
use super::{Charge, RatingUnit, WindowCharge};
use crate::aggregate::Span;
use crate::catalog::{Aggregation, Meter, Price, PriceList, PricingModel, TierBase, TierScope};
use crate::company::{Costing, Placement, Subscription};
use crate::ids::{MeterId, SourceName, SubscriptionId};
use crate::pricing::{Found, Share, counting_since, in_force};
use crate::rated::{PriceReference, Reserved};
use crate::usage::{Billable, ChargeCategory, QuarantineReason, Quarantined, UsageRecord};
use crate::{Error, Result};
use calendar::{BillingPeriod, Instant, Interval};
use money::{Cost, Currency, Fixed18};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Why a record must wait, and which field says so.
pub(super) type Waits = (QuarantineReason, &'static str);

/// The state of rating one unit.
pub(super) struct Rater<'a> {
    pub unit: RatingUnit<'a>,
    period: Interval,
    routes: HashMap<(&'a SubscriptionId, &'a MeterId, &'a SourceName), Route<'a>>,
    seats_of: HashMap<SeatKey<'a>, usize>,
    pub seats: Vec<Seat<'a>>,
    prices_of: HashMap<*const Price, usize>,
    pub prices: Vec<Priced>,
    pub counters: BTreeMap<CounterKey, usize>,
    pub values: Vec<Counter>,
    pub windows: BTreeMap<CounterKey, WindowCost<'a>>,
    pub groups: BTreeMap<GroupKey<'a>, Group<'a>>,
    pub items: Vec<Item>,
    pub charges: Vec<Charge>,
    pub window_charges: Vec<WindowCharge>,
    /// What reservations cover of records, by record.
    pub covered: BTreeMap<usize, Vec<Run>>,
    /// Records that wait although they are covered.
    pub covered_in_vain: BTreeSet<usize>,
    pub reserved: Vec<Reserved>,
    pub quarantine: Vec<Quarantined>,
    pub left: Counters,
    pub without_row: u64,
}

/// What records of one subscription, meter and source have in common.
#[derive(Clone, Copy)]
struct Route<'a> {
    subscription: Option<&'a Subscription>,
    meter: Option<&'a Meter>,
    costing: Costing,
    /// Where the next records sit, until a moment. Records come in the order of time.
    memo: Option<(Instant, usize)>,
}

/// Where records sit that share a price, a placement and a window.
pub(super) struct Seat<'a> {
    pub price: usize,
    pub terms: &'a Price,
    pub share: Share,
    pub included: Fixed18,
    /// None where each record counts for itself.
    pub counter: Option<usize>,
    /// Where its cost is watched for a minimum, maximum or flat fee.
    pub window: Option<CounterKey>,
    pub aggregation: &'a Aggregation,
    group: GroupKey<'a>,
    span: Span,
}

#[derive(PartialEq, Eq, Hash)]
struct SeatKey<'a> {
    price: usize,
    subscription: &'a SubscriptionId,
    placed: Instant,
    window: Option<Window>,
}

/// A price in use.
pub(super) struct Priced {
    pub reference: PriceReference,
    pub currency: Currency,
}

/// A counter in motion.
#[derive(Clone, Copy)]
pub(super) struct Counter {
    pub carried: Fixed18,
    pub value: Fixed18,
    pub total: Fixed18,
}

/// A window whose cost is watched.
pub(super) struct WindowCost<'a> {
    pub list: &'a PriceList,
    /// The version that holds at the window's end.
    pub price: &'a Price,
    pub share: Share,
    pub subscription: &'a SubscriptionId,
    pub service_period: Interval,
    pub cost: Fixed18,
}

/// Subscription, meter, start of the payer's time, the whole window: a day and a month may begin
/// together.
pub(super) type GroupKey<'a> = (&'a SubscriptionId, &'a MeterId, Instant, Interval);

/// Records that are aggregated together.
pub(super) struct Group<'a> {
    pub aggregation: &'a Aggregation,
    pub span: Span,
    pub items: Vec<usize>,
}

/// A record on its way.
pub(super) struct Item {
    pub record: usize,
    pub what: What,
}

pub(super) enum What {
    /// Its own cost is the charge.
    Passed(Cost),
    /// It contributes so much, or nothing, at a seat.
    Seated { seat: usize, contribution: Option<Fixed18> },
}

impl<'a> Rater<'a> {
    pub fn new(unit: RatingUnit<'a>) -> Rater<'a> {
        Rater {
            unit,
            period: unit.period.interval(),
            routes: HashMap::new(),
            seats_of: HashMap::new(),
            seats: Vec::new(),
            prices_of: HashMap::new(),
            prices: Vec::new(),
            counters: BTreeMap::new(),
            values: Vec::new(),
            windows: BTreeMap::new(),
            groups: BTreeMap::new(),
            items: Vec::with_capacity(unit.records.len()),
            charges: Vec::with_capacity(unit.records.len()),
            window_charges: Vec::new(),
            covered: BTreeMap::new(),
            covered_in_vain: BTreeSet::new(),
            reserved: Vec::new(),
            quarantine: Vec::new(),
            left: Counters::new(),
            without_row: 0,
        }
    }

    /// Finds where a record belongs, or why it waits.
    pub fn place(&mut self, record: usize) -> Result<()> {
        let one = &self.unit.records[record].record;
        let start = one.service_period.start();
        let in_period = self.period.contains(start) || BillingPeriod::of(start) == self.unit.period;
        if one.key.billing_account != *self.unit.billing_account || !in_period {
            let unit = format!("{} {}", self.unit.billing_account, self.unit.period);
            return Err(Error::invalid("record", format!("`{}` is not of {unit}", one.key.id)));
        }
        if one.billable == Billable::No {
            self.without_row = self.without_row.saturating_add(1);
            return Ok(());
        }
        if let Some(waits) = self.unit.records[record].fault() {
            self.wait(record, waits);
            return Ok(());
        }
        match self.what(one)? {
            Ok(what) => self.seat_item(record, what),
            Err(waits) => self.wait(record, waits),
        }
        Ok(())
    }

    /// Puts a record in quarantine.
    pub fn wait(&mut self, record: usize, (reason, field): Waits) {
        if self.covered.contains_key(&record) {
            self.covered_in_vain.insert(record);
        }
        let logged = &self.unit.records[record];
        let (position, key) = (logged.position, logged.record.key.clone());
        self.quarantine.push(Quarantined { position, key, reason, field });
    }

    fn seat_item(&mut self, record: usize, what: What) {
        if let What::Seated { seat, contribution: None } = what {
            let Seat { aggregation, group, span, .. } = &self.seats[seat];
            let new = || Group { aggregation, span: *span, items: Vec::new() };
            self.groups.entry(*group).or_insert_with(new).items.push(self.items.len());
        }
        self.items.push(Item { record, what });
    }

    fn what(&mut self, record: &'a UsageRecord) -> Result<std::result::Result<What, Waits>> {
        let key = (&record.subscription, &record.meter, &record.key.source);
        let route = match self.routes.get(&key) {
            Some(route) => *route,
            None => self.route(record),
        };
        let at = record.service_period.start();
        let passes = route.costing == Costing::PassedThrough || passes_through(record.category);
        if let (Some((until, seat)), false) = (route.memo, passes)
            && at < until
        {
            return Ok(Ok(self.contribute(record, seat)));
        }
        let placement = route.subscription.and_then(|subscription| {
            let placement = subscription.placement_at(at)?;
            (placement.billing_account == *self.unit.billing_account)
                .then_some((subscription, placement))
        });
        let Some((subscription, placement)) = placement else {
            return Ok(Err((QuarantineReason::NoSubscription, "subscription")));
        };
        if passes {
            let waits = (QuarantineReason::NoPrice, "stated_cost");
            return Ok(record.stated_cost.map(What::Passed).ok_or(waits));
        }
        let Some(meter) = route.meter else {
            return Ok(Err((QuarantineReason::UnknownMeter, "meter")));
        };
        let found = match self.unit.book.find(record, placement) {
            Ok(found) => found,
            Err(reason) => return Ok(Err((reason, "meter"))),
        };
        let (seat, window_end) = self.seat(found, (subscription, placement), meter, at)?;
        if let Some(until) = found.until {
            let until = window_end.map_or(until, |end| until.min(end));
            self.routes.insert(key, Route { memo: Some((until, seat)), ..route });
        }
        Ok(Ok(self.contribute(record, seat)))
    }

    fn route(&mut self, record: &'a UsageRecord) -> Route<'a> {
        let company = self.unit.book.company();
        let source = company.sources.get(&record.key.source);
        let route = Route {
            subscription: company.subscriptions.get(&record.subscription),
            meter: company.meters.get(&record.meter),
            costing: source.map_or(Costing::Rated, |source| source.costing),
            memo: None,
        };
        self.routes.insert((&record.subscription, &record.meter, &record.key.source), route);
        route
    }

    /// What is known of the contribution before the window is whole.
    fn contribute(&self, record: &UsageRecord, seat: usize) -> What {
        let contribution = match self.seats[seat].aggregation {
            Aggregation::Sum => Some(record.quantity),
            Aggregation::Count => Some(Fixed18::ONE),
            Aggregation::Max
            | Aggregation::Latest
            | Aggregation::TimeWeightedAverage
            | Aggregation::Distinct { .. }
            | Aggregation::Session { .. } => None,
        };
        What::Seated { seat, contribution }
    }

    /// The seat for a price, placement and window, and when the window ends.
    fn seat(
        &mut self,
        Found { list, price, until: _ }: Found<'a>,
        (subscription, placement): (&'a Subscription, &'a Placement),
        meter: &'a Meter,
        at: Instant,
    ) -> Result<(usize, Option<Instant>)> {
        let window = window_of(price, at)?;
        let end = window.map(|window| window.interval().end());
        let number = self.price(list, price);
        let placed = placement.during.start();
        let key = SeatKey { price: number, subscription: &subscription.id, placed, window };
        if let Some(seat) = self.seats_of.get(&key) {
            return Ok((*seat, end));
        }
        let stretch = Stretch::of(subscription, at).ok_or_else(|| {
            Error::not_found("placement of subscription", subscription.id.as_str())
        })?;
        let share = stretch.share(price.scope, window);
        let included = share.of(price.included, Fixed18::PLACES).map_err(|source| {
            Error::money(format!("included quantity of {}", price.meter), source)
        })?;
        let counter = window.map(|window| self.counter(list, price, window, (&stretch, placement)));
        let window_key = match window {
            Some(window) => self.watch((list, price), window, &stretch, placement),
            None => None,
        };
        let whole = match price.base {
            TierBase::Day => Window::Day(at.day()).interval(),
            TierBase::Record | TierBase::BillingPeriod | TierBase::CommitmentTerm { .. } => {
                self.unit.period.interval()
            }
        };
        let held_until = stretch.until().min(whole.end());
        let seat = self.seats.len();
        self.seats.push(Seat {
            price: number,
            terms: price,
            share,
            included,
            counter,
            window: window_key,
            aggregation: &meter.aggregation,
            group: (&subscription.id, &meter.id, stretch.since(), whole),
            span: Span { window: whole, held_until },
        });
        self.seats_of.insert(key, seat);
        Ok((seat, end))
    }

    /// The number of a price in use.
    pub fn price(&mut self, list: &'a PriceList, price: &'a Price) -> usize {
        *self.prices_of.entry(std::ptr::from_ref(price)).or_insert_with(|| {
            let reference = PriceReference {
                list: list.id.clone(),
                version: list.version,
                lineage: price.lineage.clone(),
                effective_from: price.effective_from,
            };
            let number = self.prices.len();
            self.prices.push(Priced { reference, currency: list.currency });
            number
        })
    }

    fn counter(
        &mut self,
        list: &PriceList,
        price: &Price,
        window: Window,
        (stretch, placement): (&Stretch<'_>, &Placement),
    ) -> usize {
        let since = counting_since(versions(list, price), price);
        let key = CounterKey {
            holder: stretch.holder(price.scope, placement),
            list: list.id.clone(),
            meter: price.meter.clone(),
            lineage: price.lineage.clone(),
            window,
            counted: Counted::Quantity { since },
        };
        let carried = self.unit.carried.get(&key).copied().unwrap_or_default();
        *self.counters.entry(key).or_insert_with(|| {
            let number = self.values.len();
            self.values.push(Counter { carried, value: carried, total: carried });
            number
        })
    }

    /// Watches the cost of a window if its price at the end has a minimum, maximum or volume fee.
    pub fn watch(
        &mut self,
        (list, price): (&'a PriceList, &'a Price),
        window: Window,
        stretch: &Stretch<'a>,
        placement: &Placement,
    ) -> Option<CounterKey> {
        let whole = window.interval();
        let last = whole.end().plus_micros(-1);
        let same = |one: &&Price| one.lineage == price.lineage;
        let price = in_force(versions(list, price), last).find(same)?;
        if !is_watched(price) {
            return None;
        }
        let key = CounterKey {
            holder: stretch.holder(price.scope, placement),
            list: list.id.clone(),
            meter: price.meter.clone(),
            lineage: price.lineage.clone(),
            window,
            counted: Counted::Cost,
        };
        let here = whole.intersection(&self.unit.period.interval()).unwrap_or(whole);
        let held = Interval::new(stretch.since(), stretch.until()).unwrap_or(here);
        let service_period = match price.scope {
            TierScope::Subscription => here.intersection(&held).unwrap_or(here),
            TierScope::Account | TierScope::Profile => here,
        };
        let cost = self.unit.carried.get(&key).copied().unwrap_or_default();
        let subscription = &stretch.subscription.id;
        let share = stretch.share(price.scope, Some(window));
        let new = WindowCost { list, price, share, subscription, service_period, cost };
        let watched = self.windows.entry(key.clone()).or_insert(new);
        watched.subscription = watched.subscription.min(subscription);
        Some(key)
    }
}

fn window_of(price: &Price, at: Instant) -> Result<Option<Window>> {
    Window::of(price.base, at).map_err(|problem| {
        Error::invalid(format!("base of {}", price.lineage), problem.to_string())
    })
}

/// All versions of all lineages of a price's meter.
pub(super) fn versions<'a>(list: &'a PriceList, price: &Price) -> &'a [Price] {
    list.prices.get(&price.meter).map_or(&[], Vec::as_slice)
}

fn is_watched(price: &Price) -> bool {
    let has_flat = match &price.model {
        PricingModel::Volume { tiers } => tiers.iter().any(|tier| !tier.flat.is_zero()),
        PricingModel::PerUnit { .. }
        | PricingModel::Graduated { .. }
        | PricingModel::Package { .. }
        | PricingModel::Percentage { .. } => false,
    };
    has_flat || price.minimum.is_some() || price.maximum.is_some()
}

/// Categories that carry their own cost, whoever sends them; usage and purchases are rated.
fn passes_through(category: ChargeCategory) -> bool {
    match category {
        ChargeCategory::Usage | ChargeCategory::Purchase => false,
        ChargeCategory::Tax
        | ChargeCategory::Credit
        | ChargeCategory::Fee
        | ChargeCategory::Refund
        | ChargeCategory::Adjustment
        | ChargeCategory::Marketplace
        | ChargeCategory::Rounding => true,
    }
}
