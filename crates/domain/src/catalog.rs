//! What is sold: offers, meters, prices, rate cards and price sheets. Versions never change.

use crate::ids::{BillingAccountId, MeterId, OfferId, PriceListId};
use crate::usage::Dimension;
use calendar::{BillingPeriod, Instant};
use money::{Currency, Fixed18, Rounding};
use std::collections::BTreeMap;

/// One thing that is counted, with its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// Its id.
    pub id: MeterId,
    /// Name within its category.
    pub name: String,
    /// Service or channel.
    pub category: String,
    /// Finer kind; may be empty.
    pub subcategory: String,
    /// Region it is priced for; may be empty.
    pub region: String,
    /// What a quantity of one stands for.
    pub unit: String,
    /// Labels such as `Third Party`.
    pub tags: Vec<String>,
    /// How records become a billable quantity.
    pub aggregation: Aggregation,
    /// Names in other locales, by locale.
    pub names: BTreeMap<String, MeterNames>,
}

/// A meter's names in one locale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterNames {
    /// See [`Meter::name`].
    pub name: String,
    /// See [`Meter::category`].
    pub category: String,
    /// See [`Meter::subcategory`].
    pub subcategory: String,
}

/// How records of a meter become a billable quantity. A property of the meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aggregation {
    /// Quantities add up.
    Sum,
    /// Each record is one.
    Count,
    /// The largest quantity of the window, per subscription and resource.
    Max,
    /// The last quantity of the window, per subscription and resource.
    Latest,
    /// Quantity weighted by the time it held within the window, per subscription and resource.
    TimeWeightedAverage,
    /// Each value of the dimension counts once in the window, per subscription.
    Distinct {
        /// Whose values are counted.
        dimension: Dimension,
    },
    /// A first record opens a window per key; records inside are covered by it.
    Session {
        /// Length of a session in microseconds.
        window_micros: i64,
        /// What tells sessions apart, besides the subscription.
        key: Vec<Dimension>,
    },
}

/// One version of what a meter costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// What it prices.
    pub meter: MeterId,
    /// Its line of descent within the list: versions with one lineage follow each other.
    pub lineage: String,
    /// From when it holds, until the next version of its lineage.
    pub effective_from: Instant,
    /// Whether a counter goes on from the version before.
    pub counter: CounterChange,
    /// It holds only for records with these values.
    pub conditions: Vec<Condition>,
    /// How quantity becomes cost.
    pub model: PricingModel,
    /// Over what quantities are counted for tiers.
    pub base: TierBase,
    /// Who shares a counter.
    pub scope: TierScope,
    /// Free quantity of each window, before the first tier.
    pub included: Fixed18,
    /// Least cost of a window, in major units.
    pub minimum: Option<Fixed18>,
    /// Greatest cost of a window, in major units.
    pub maximum: Option<Fixed18>,
    /// Places that a slice's cost is rounded to.
    pub cost_places: u32,
    /// How.
    pub rounding: Rounding,
}

impl Price {
    /// Least and greatest cost of a window.
    pub fn limits(&self) -> crate::pricing::Limits {
        crate::pricing::Limits { minimum: self.minimum, maximum: self.maximum }
    }
}

/// Whether a tier counter goes on when a price changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CounterChange {
    /// It goes on from its value.
    Continues,
    /// It starts again at zero.
    Restarts,
}

/// A record must have this value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Condition {
    /// Which dimension.
    pub dimension: Dimension,
    /// Which value.
    pub value: String,
}

/// How quantity becomes cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PricingModel {
    /// Each unit costs the same.
    PerUnit {
        /// Major units of currency per unit.
        price: Fixed18,
    },
    /// Each unit costs what its own tier says.
    Graduated {
        /// Half-open tiers, from 0 upwards.
        tiers: Vec<Tier>,
    },
    /// All units cost what the tier of the total says: repriced at close, provisional meanwhile.
    Volume {
        /// Half-open tiers, from 0 upwards.
        tiers: Vec<Tier>,
    },
    /// Whole packages are charged.
    Package {
        /// Units in a package.
        size: Fixed18,
        /// Major units of currency per package.
        price: Fixed18,
        /// [`Rounding::AwayFromZero`] charges a begun package, [`Rounding::TowardZero`] gives it.
        rounding: Rounding,
    },
    /// The quantity is an amount of money, of which a part is charged.
    Percentage {
        /// Hundredths of the amount.
        percent: Fixed18,
    },
}

/// The quantity range a rate holds for: from here to the next tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Lower bound, inclusive.
    pub from: Fixed18,
    /// Major units of currency per unit.
    pub price: Fixed18,
    /// Charged once when the tier is entered.
    pub flat: Fixed18,
    /// The bound as the list spells it, where that is not its plain digits (`1024.0`).
    pub spelled: Option<String>,
}

/// Over what a counter counts before it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TierBase {
    /// Each record for itself.
    Record,
    /// A UTC day.
    Day,
    /// A billing period.
    BillingPeriod,
    /// Whole billing periods, counted from a first one.
    CommitmentTerm {
        /// The first billing period of the first term.
        from: BillingPeriod,
        /// Billing periods in a term.
        periods: u16,
    },
}

/// Who shares a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TierScope {
    /// Each subscription has its own; it starts again with a new payer.
    Subscription,
    /// All subscriptions of a billing account share one.
    Account,
    /// All subscriptions of a billing profile share one.
    Profile,
}

/// A published or agreed list of prices: one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceList {
    /// Its id: the same for all its versions.
    pub id: PriceListId,
    /// Number of the fact that brought it.
    pub version: u64,
    /// For whom.
    pub reach: PriceReach,
    /// Of every price in it.
    pub currency: Currency,
    /// Prices by meter; of one meter sorted by lineage, then effective instant.
    pub prices: BTreeMap<MeterId, Vec<Price>>,
    /// Terms of the offer, for rate cards.
    pub terms: Vec<OfferTerm>,
}

/// For whom a price list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceReach {
    /// Rate card: for every subscription of the offer, bought in the region.
    Offer {
        /// The offer.
        offer: OfferId,
        /// Two-letter country where it was bought.
        region: String,
        /// Locales it is sold in; the first is the list's own language.
        locales: Vec<String>,
    },
    /// Price sheet: agreed with one billing account, or one profile of it, for billing periods.
    Account {
        /// With whom.
        billing_account: BillingAccountId,
        /// With which profile only.
        profile: Option<String>,
        /// First period, inclusive.
        from: BillingPeriod,
        /// Last period, inclusive; open if none.
        until: Option<BillingPeriod>,
    },
}

/// One term of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferTerm {
    /// Credit of each billing period, not for the excluded meters.
    MonetaryCredit {
        /// From when.
        effective_from: Instant,
        /// Major units of the list's currency.
        credit: Fixed18,
        /// Meters it cannot pay.
        excluded: Vec<MeterId>,
    },
    /// Discount by committed amount, not for the excluded meters.
    MonetaryCommitment {
        /// From when.
        effective_from: Instant,
        /// Lower bound of the committed amount → discount as a fraction.
        discounts: Vec<(Fixed18, Fixed18)>,
        /// Meters without discount.
        excluded: Vec<MeterId>,
    },
    /// Fixed charge of each billing period.
    RecurringCharge {
        /// From when.
        effective_from: Instant,
        /// Major units of the list's currency.
        amount: Fixed18,
    },
}

/// A named bundle of terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its id, such as `MS-AZR-0003P`.
    pub id: OfferId,
    /// Its name.
    pub name: String,
    /// Whether it publishes a rate card; enterprise and partner offers do not.
    pub has_rate_card: bool,
}
