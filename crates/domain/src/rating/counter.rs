//! Who counts together, and over what.

use crate::catalog::{TierBase, TierScope};
use crate::company::{Placement, Subscription};
use crate::ids::{BillingAccountId, MeterId, PriceListId, SubscriptionId};
use crate::pricing::Share;
use calendar::{BillingPeriod, CalendarError, Day, Instant, Interval, MICROS_PER_DAY};
use money::Fixed18;
use std::collections::BTreeMap;

/// Counters of windows that reach beyond a billing period, and what they stand at.
pub type Counters = BTreeMap<CounterKey, Fixed18>;

/// What makes a counter the same counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// Who counts together.
    pub holder: Holder,
    /// By which price list.
    pub list: PriceListId,
    /// What.
    pub meter: MeterId,
    /// By which of its prices.
    pub lineage: String,
    /// Over what.
    pub window: Window,
    /// Quantity or cost.
    pub counted: Counted,
}

/// Holder of a tier scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// One subscription while one payer holds it without another in between.
    Subscription {
        /// Which.
        subscription: SubscriptionId,
        /// Who pays.
        payer: BillingAccountId,
        /// Since when this payer has it.
        since: Instant,
    },
    /// All subscriptions of a billing account.
    Account(BillingAccountId),
    /// All subscriptions of a billing profile.
    Profile {
        /// Whose profile.
        billing_account: BillingAccountId,
        /// Which; none for an account's only one.
        profile: Option<String>,
    },
}

/// What a counter counts over before it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// A UTC day.
    Day(Day),
    /// So many billing periods.
    Periods {
        /// The first.
        first: BillingPeriod,
        /// How many.
        count: u16,
    },
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// Quantity, for tiers; starts again at a price version that restarts.
    Quantity {
        /// From when the oldest version holds that the counter goes on from.
        since: Instant,
    },
    /// Cost, for minimum and maximum: over the whole window.
    Cost,
}

impl Window {
    /// The window of a base that holds a moment; none where each record is for itself.
    pub(crate) fn of(base: TierBase, at: Instant) -> Result<Option<Window>, CalendarError> {
        let period = BillingPeriod::of(at);
        Ok(match base {
            TierBase::Record => None,
            TierBase::Day => Some(Window::Day(at.day())),
            TierBase::BillingPeriod => Some(Window::Periods { first: period, count: 1 }),
            TierBase::CommitmentTerm { from, periods } => {
                let into = period.months_since(from);
                let into = into.checked_rem_euclid(i32::from(periods.max(1))).unwrap_or(0);
                let first = period.plus_months(into.saturating_neg())?;
                Some(Window::Periods { first, count: periods.max(1) })
            }
        })
    }

    /// From when until when.
    pub fn interval(&self) -> Interval {
        let (start, end) = match self {
            Window::Day(day) => (day.start(), day.start().plus_micros(MICROS_PER_DAY)),
            Window::Periods { first, count } => {
                let last = first.plus_months(i32::from(*count).saturating_sub(1)).unwrap_or(*first);
                (first.start(), last.end())
            }
        };
        Interval::new(start, end).unwrap_or(Interval::at(start))
    }
}

/// A subscription's time with one payer, without another in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch<'a> {
    /// All its stretches with all payers, as placements.
    pub subscription: &'a Subscription,
    /// The placements of this one.
    pub placements: &'a [Placement],
}

impl<'a> Stretch<'a> {
    /// All stretches, first payer first.
    pub fn all(subscription: &'a Subscription) -> impl Iterator<Item = Stretch<'a>> {
        let same = |a: &Placement, b: &Placement| a.billing_account == b.billing_account;
        let chunks = subscription.placements.chunk_by(same);
        chunks.map(move |placements| Stretch { subscription, placements })
    }

    /// The stretch that a placement belongs to.
    pub fn of(subscription: &'a Subscription, at: Instant) -> Option<Stretch<'a>> {
        let holds =
            |stretch: &Stretch<'_>| stretch.placements.iter().any(|p| p.during.contains(at));
        Stretch::all(subscription).find(holds)
    }

    /// Since when this payer has it.
    pub fn since(&self) -> Instant {
        self.placements.first().map_or(Instant::MIN, |placement| placement.during.start())
    }

    /// When this payer stops having it.
    pub fn until(&self) -> Instant {
        self.placements.last().map_or(Instant::MAX, |placement| placement.during.end())
    }

    /// Microseconds of a window that this payer holds.
    pub fn held(&self, window: Interval) -> u128 {
        let parts = self.placements.iter().filter_map(|p| p.during.intersection(&window));
        parts.map(|part| u128::from(part.micros().unsigned_abs())).sum()
    }

    /// Who counts together under a scope.
    pub fn holder(&self, scope: TierScope, placement: &Placement) -> Holder {
        let billing_account = placement.billing_account.clone();
        match scope {
            TierScope::Subscription => Holder::Subscription {
                subscription: self.subscription.id.clone(),
                payer: billing_account,
                since: self.since(),
            },
            TierScope::Account => Holder::Account(billing_account),
            TierScope::Profile => {
                Holder::Profile { billing_account, profile: placement.profile.clone() }
            }
        }
    }

    /// The holder's share of what the window has once: by time, where a subscription that counts
    /// for itself changed its payer.
    pub fn share(&self, scope: TierScope, window: Option<Window>) -> Share {
        let (TierScope::Subscription, Some(window)) = (scope, window) else { return Share::Whole };
        let window = window.interval();
        let mut held = Vec::new();
        let mut place = 0;
        for stretch in Stretch::all(self.subscription) {
            if stretch.since() == self.since() {
                place = held.len();
            }
            held.push(stretch.held(window));
        }
        let holders = held.iter().filter(|held| **held > 0).count();
        if holders > 1 { Share::Part { held, place } } else { Share::Whole }
    }
}
