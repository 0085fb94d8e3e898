//! Usage records: who, which meter, how much, when. They have no price.

use crate::ids::{BillingAccountId, MeterId, RecordId, SourceName, SubscriptionId};
use calendar::{BillingPeriod, Instant, Interval, MICROS_PER_SECOND};
use money::{Cost, Fixed18};
use std::collections::BTreeMap;

/// How far a source's clock may run ahead of ours: what is reported later than this after we take
/// it in cannot have been reported yet.
///
/// Units: microseconds.
pub const CLOCK_SKEW_MICROS: i64 = 5 * 60 * MICROS_PER_SECOND;

/// The most that one record may count, either side of zero, in the meter's unit: a hundred thousand
/// of the largest still add up, so that no single record takes a whole counter out of range.
pub const QUANTITY_LIMIT: Fixed18 = Fixed18::from_int(1_000_000_000_000_000);

/// What makes a record the same record, for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// For whom.
    pub billing_account: BillingAccountId,
    /// From where.
    pub source: SourceName,
    /// Its id there.
    pub id: RecordId,
}

/// One fact of usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// Its identity.
    pub key: RecordKey,
    /// What it does: states usage, or amends or withdraws an earlier record.
    pub act: Act,
    /// Against what it is recorded.
    pub subscription: SubscriptionId,
    /// The full id of the resource that was used; may be empty.
    pub resource: String,
    /// What was counted.
    pub meter: MeterId,
    /// How much, in the meter's unit; may be negative.
    pub quantity: Fixed18,
    /// When it was used; of no length for a single event.
    pub service_period: Interval,
    /// When the source says that it reported it; else our acknowledgement counts.
    pub reported_at: Option<Instant>,
    /// Values of the typed dimensions.
    pub dimensions: BTreeMap<Dimension, String>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
    /// What kind of charge it makes.
    pub category: ChargeCategory,
    /// Whether it may be charged at all.
    pub billable: Billable,
    /// The source's own cost, for rows that are passed through.
    pub stated_cost: Option<Cost>,
    /// The source's own details: one JSON object as text, kept as given.
    pub details: Option<String>,
    /// Whether it counts only as a member of the newest extract that covers it.
    pub origin: Origin,
}

impl UsageRecord {
    /// See [`LoggedRecord::fault`]; part of the rules that [`crate::rated::RULE_VERSION`] names.
    pub fn fault(&self, acknowledged_at: Instant) -> Option<(QuarantineReason, &'static str)> {
        if self.reported_at.is_some_and(|at| is_ahead(at, acknowledged_at)) {
            return Some((QuarantineReason::OutOfRange, "reported_at"));
        }
        if !is_countable(self.quantity) {
            return Some((QuarantineReason::OutOfRange, "quantity"));
        }
        None
    }

    /// Whether it may take another's place: only within subscription, meter and billing period.
    pub fn may_replace(&self, other: &UsageRecord) -> bool {
        let period = |record: &UsageRecord| BillingPeriod::of(record.service_period.start());
        self.subscription == other.subscription
            && self.meter == other.meter
            && period(self) == period(other)
    }
}

/// Whether a quantity is within [`QUANTITY_LIMIT`].
pub fn is_countable(quantity: Fixed18) -> bool {
    quantity.atoms().unsigned_abs() <= QUANTITY_LIMIT.atoms().unsigned_abs()
}

/// Whether a moment that a source speaks of in the past lies after now, by more than clocks differ.
pub fn is_ahead(told: Instant, now: Instant) -> bool {
    told > now.plus_micros(CLOCK_SKEW_MICROS)
}

/// What a record does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It states usage.
    Use,
    /// It takes the place of an earlier record of the same source and billing account.
    Amend(Amendment),
    /// It takes an earlier record out.
    Withdraw(Amendment),
}

/// Which record is meant, and who says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// The record amended: the same source and billing account.
    pub target: RecordId,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// How a record came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// As an event of its own.
    Event,
    /// As a row of an extract; a later extract of the same span may leave it out.
    Extract,
}

/// Whether a record may be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Billable {
    /// It may.
    Yes,
    /// It is kept and counted at intake, and never shown as a charge.
    No,
}

/// The typed dimensions of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Dimension {
    TrafficType,
    Direction,
    Sender,
    SenderType,
    Network,
    Country,
    Campaign,
    Reference,
    Template,
    Application,
    Entity,
    User,
    Location,
}

impl Dimension {
    /// All of them, in the order in which they are kept.
    pub const ALL: [Dimension; 13] = [
        Dimension::TrafficType,
        Dimension::Direction,
        Dimension::Sender,
        Dimension::SenderType,
        Dimension::Network,
        Dimension::Country,
        Dimension::Campaign,
        Dimension::Reference,
        Dimension::Template,
        Dimension::Application,
        Dimension::Entity,
        Dimension::User,
        Dimension::Location,
    ];

    /// Its name in files, answers and queries.
    pub const fn name(self) -> &'static str {
        match self {
            Dimension::TrafficType => "traffic_type",
            Dimension::Direction => "direction",
            Dimension::Sender => "sender",
            Dimension::SenderType => "sender_type",
            Dimension::Network => "network",
            Dimension::Country => "country",
            Dimension::Campaign => "campaign",
            Dimension::Reference => "reference",
            Dimension::Template => "template",
            Dimension::Application => "application",
            Dimension::Entity => "entity",
            Dimension::User => "user",
            Dimension::Location => "location",
        }
    }

    /// Finds a dimension by [`Dimension::name`].
    pub fn parse(name: &str) -> Option<Dimension> {
        Dimension::ALL.into_iter().find(|dimension| dimension.name() == name)
    }
}

/// What kind of charge a row makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the glossary's")]
pub enum ChargeCategory {
    Usage,
    Purchase,
    Tax,
    Credit,
    Fee,
    Refund,
    Adjustment,
    Marketplace,
    Rounding,
}

impl ChargeCategory {
    /// All of them.
    pub const ALL: [ChargeCategory; 9] = [
        ChargeCategory::Usage,
        ChargeCategory::Purchase,
        ChargeCategory::Tax,
        ChargeCategory::Credit,
        ChargeCategory::Fee,
        ChargeCategory::Refund,
        ChargeCategory::Adjustment,
        ChargeCategory::Marketplace,
        ChargeCategory::Rounding,
    ];

    /// Its name in files, answers and queries.
    pub const fn name(self) -> &'static str {
        match self {
            ChargeCategory::Usage => "usage",
            ChargeCategory::Purchase => "purchase",
            ChargeCategory::Tax => "tax",
            ChargeCategory::Credit => "credit",
            ChargeCategory::Fee => "fee",
            ChargeCategory::Refund => "refund",
            ChargeCategory::Adjustment => "adjustment",
            ChargeCategory::Marketplace => "marketplace",
            ChargeCategory::Rounding => "rounding",
        }
    }

    /// Finds a category by [`ChargeCategory::name`].
    pub fn parse(name: &str) -> Option<ChargeCategory> {
        ChargeCategory::ALL.into_iter().find(|category| category.name() == name)
    }
}

/// Where a record stands in the usage log: its shard, the shard owner's epoch, its number there.
///
/// Ordered by shard, then sequence; sequences of one shard rise without gaps from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The shard.
    pub shard: u16,
    /// The number of the record in its shard.
    pub sequence: u64,
    /// Epoch of the shard's owner when it was written.
    pub epoch: u32,
}

/// A record that the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRecord {
    /// Where it stands.
    pub position: Position,
    /// When we acknowledged it: business time at the append.
    pub acknowledged_at: Instant,
    /// The record.
    pub record: UsageRecord,
}

impl LoggedRecord {
    /// Reported time: the source's own, else our acknowledgement.
    pub fn reported_at(&self) -> Instant {
        self.record.reported_at.unwrap_or(self.acknowledged_at)
    }

    /// Why no price and no agreement can make it a charge, whatever is declared, and which field
    /// says so.
    pub fn fault(&self) -> Option<(QuarantineReason, &'static str)> {
        self.record.fault(self.acknowledged_at)
    }
}

/// What became of a record at intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Durable, and counted once.
    Accepted,
    /// The same key with the same content was there before; nothing changed.
    Duplicate,
    /// The same key with other content was there before: kept, not counted, to be settled.
    Conflict,
    /// Durable, and not rated until the facts allow it.
    Quarantined {
        /// Why.
        reason: QuarantineReason,
        /// Which field of the record.
        field: &'static str,
    },
    /// Nothing durable: without a usable key it cannot be kept.
    Rejected {
        /// Which field.
        field: String,
        /// What is wrong.
        problem: String,
    },
}

/// Why a record cannot be rated yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuarantineReason {
    /// The catalog has no such meter.
    UnknownMeter,
    /// No price holds for it at the instant of usage.
    NoPrice,
    /// The billing account holds no such subscription at the instant of usage.
    NoSubscription,
    /// The quantity is no exact number that we hold.
    BadQuantity,
    /// Some other field cannot be read.
    Unreadable,
    /// It amends a record that is not there, or of another subscription, meter or period.
    UnknownTarget,
    /// A field, or its cost, leaves the range of what can be charged.
    OutOfRange,
}

impl QuarantineReason {
    /// All of them.
    pub const ALL: [QuarantineReason; 7] = [
        QuarantineReason::UnknownMeter,
        QuarantineReason::NoPrice,
        QuarantineReason::NoSubscription,
        QuarantineReason::BadQuantity,
        QuarantineReason::Unreadable,
        QuarantineReason::UnknownTarget,
        QuarantineReason::OutOfRange,
    ];

    /// Finds a reason by [`QuarantineReason::name`].
    pub fn parse(name: &str) -> Option<QuarantineReason> {
        QuarantineReason::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Its name in files, answers and queries.
    pub const fn name(self) -> &'static str {
        match self {
            QuarantineReason::UnknownMeter => "unknown_meter",
            QuarantineReason::NoPrice => "no_price",
            QuarantineReason::NoSubscription => "no_subscription",
            QuarantineReason::BadQuantity => "bad_quantity",
            QuarantineReason::Unreadable => "unreadable",
            QuarantineReason::UnknownTarget => "unknown_target",
            QuarantineReason::OutOfRange => "out_of_range",
        }
    }
}

/// A record that cannot be rated yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it stands.
    pub position: Position,
    /// Its identity.
    pub key: RecordKey,
    /// Why.
    pub reason: QuarantineReason,
    /// Which field.
    pub field: &'static str,
}
