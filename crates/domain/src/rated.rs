//! Rated usage: usage with its rate and cost, slice by slice.

use crate::ids::{BillingAccountId, MeterId, PriceListId, ReservationId, SubscriptionId};
use crate::usage::{ChargeCategory, Dimension, Position};
use calendar::{Instant, Interval};
use money::{Cost, Fixed18};
use std::collections::BTreeMap;

/// Version of the rules by which rows are rated; it stands in every explanation.
///
/// What a record must hold to be rated at all ([`crate::usage::LoggedRecord::fault`]) is part of
/// them, with its bounds.
pub const RULE_VERSION: u16 = 1;

/// One slice of one record's cost, or one charge of a window.
///
/// The slices of a record add up to its quantity and its cost. Canonical rows are sorted by
/// [`RatedRow::sort_key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatedRow {
    /// The record it stands for; none for charges of a window: minimum, maximum, and the flat fee
    /// of a volume price. A graduated tier's flat fee stands with the record that enters it.
    pub position: Option<Position>,
    /// Number of the slice within its record or window, from 0.
    pub slice: u16,
    /// What the row is.
    pub kind: RowKind,
    /// Who pays.
    pub billing_account: BillingAccountId,
    /// Against what it was recorded.
    pub subscription: SubscriptionId,
    /// What was used; may be empty.
    pub resource: String,
    /// What was counted.
    pub meter: MeterId,
    /// What kind of charge.
    pub category: ChargeCategory,
    /// When it was used.
    pub service_period: Interval,
    /// When it was reported.
    pub reported_at: Instant,
    /// The slice's quantity in the meter's unit; 0 for charges of a window.
    pub quantity: Fixed18,
    /// Price per unit; none where cost is not quantity × price: packages, percentages, flat fees,
    /// minimums, maximums and passed-through cost.
    pub unit_price: Option<Fixed18>,
    /// Number of the tier, from 0.
    pub tier: u16,
    /// The slice's exact cost.
    pub cost: Cost,
    /// Which price made it; none for passed-through cost.
    pub price: Option<PriceReference>,
    /// The tier counter before this slice, in the meter's unit.
    pub counter_before: Fixed18,
    /// Values of the typed dimensions.
    pub dimensions: BTreeMap<Dimension, String>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
    /// The source's own details.
    pub details: Option<String>,
    /// What a reservation has to do with it: of covered usage and of hours that were lost.
    pub reserved: Option<Box<Reserved>>,
}

/// What a reservation has to do with a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reserved {
    /// Which one.
    pub reservation: ReservationId,
    /// Its hours that covered the row's usage, or were lost.
    pub hours: Interval,
    /// Their part of its price, in major units of the row's currency.
    pub amortised: Fixed18,
    /// What the covered quantity would cost at its list price, in major units; 0 of lost hours.
    pub list_cost: Fixed18,
    /// What was lost in these hours, in the meter's unit; 0 of covered usage.
    pub unused: Fixed18,
}

impl RatedRow {
    /// Its amortised cost in major units: its part of a reservation's price, else what it costs.
    pub fn amortised(&self) -> Fixed18 {
        self.reserved.as_ref().map_or(self.cost.major, |reserved| reserved.amortised)
    }

    /// What canonical rows are sorted by: all that is charged, nothing of how a record arrived.
    ///
    /// Rows that are equal in it have the same canonical bytes, so their order cannot be told.
    pub fn sort_key(&self) -> impl Ord + '_ {
        let RatedRow {
            position: _,
            slice,
            kind,
            billing_account,
            subscription,
            resource,
            meter,
            category,
            service_period,
            reported_at: _,
            quantity,
            unit_price,
            tier,
            cost,
            price,
            counter_before,
            dimensions,
            tags,
            details,
            reserved,
        } = self;
        (
            (service_period, billing_account, subscription, meter, resource, category, price),
            (counter_before, slice, kind, tier, quantity, unit_price, cost.major, cost.currency),
            (dimensions, tags, details, reserved),
        )
    }
}

/// What a rated row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// Quantity × price.
    Usage,
    /// Quantity inside the included quantity, at price 0.
    Included,
    /// Charged once on entering a tier.
    Flat,
    /// Brings a window up to its minimum.
    Minimum,
    /// Brings a window down to its maximum; negative.
    Maximum,
    /// The source's own cost.
    PassedThrough,
    /// Quantity that a reservation has paid for: it costs 0 and keeps its list price.
    Covered,
    /// Hours of a reservation that covered less than they could: no quantity, no cost, no record.
    Unused,
}

impl RowKind {
    /// All of them.
    pub const ALL: [RowKind; 8] = [
        RowKind::Usage,
        RowKind::Included,
        RowKind::Flat,
        RowKind::Minimum,
        RowKind::Maximum,
        RowKind::PassedThrough,
        RowKind::Covered,
        RowKind::Unused,
    ];

    /// Its name in files, answers and queries.
    pub const fn name(self) -> &'static str {
        match self {
            RowKind::Usage => "usage",
            RowKind::Included => "included",
            RowKind::Flat => "flat",
            RowKind::Minimum => "minimum",
            RowKind::Maximum => "maximum",
            RowKind::PassedThrough => "passed_through",
            RowKind::Covered => "covered",
            RowKind::Unused => "unused",
        }
    }

    /// Finds a kind by [`RowKind::name`].
    pub fn parse(name: &str) -> Option<RowKind> {
        RowKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Which version of which price made a cost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceReference {
    /// The price list.
    pub list: PriceListId,
    /// Its version.
    pub version: u64,
    /// The price's lineage in it.
    pub lineage: String,
    /// Since when that price holds.
    pub effective_from: Instant,
}
