//! Twins of lots, and of what they cannot pay.

use super::parties::unless;
use super::text::Text;
use super::words::{amount, major};
use super::wrong::Wrong;
use calendar::{Instant, Interval};
use domain::credits::{self, LotKind};
use domain::ids::{BillingAccountId, LotId, MeterId};
use domain::usage::ChargeCategory;
use money::{Currency, Fixed18};
use serde::{Deserialize, Serialize};

/// Charges that something does not cover.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Exclusions {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    meters: Vec<Text<MeterId>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    categories: Vec<Text<ChargeCategory>>,
}

impl Exclusions {
    pub(super) fn is_empty(&self) -> bool {
        self.meters.is_empty() && self.categories.is_empty()
    }
}

impl From<Exclusions> for credits::Exclusions {
    fn from(Exclusions { meters, categories }: Exclusions) -> credits::Exclusions {
        credits::Exclusions {
            meters: meters.into_iter().map(|meter| meter.0).collect(),
            categories: categories.into_iter().map(|category| category.0).collect(),
        }
    }
}

impl From<credits::Exclusions> for Exclusions {
    fn from(credits::Exclusions { meters, categories }: credits::Exclusions) -> Exclusions {
        Exclusions {
            meters: meters.into_iter().map(Text).collect(),
            categories: categories.into_iter().map(Text).collect(),
        }
    }
}

/// A grant of credit, or a purchase of prepayment.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lot {
    billing_account: Text<BillingAccountId>,
    id: Text<LotId>,
    kind: Text<LotKind>,
    currency: Text<Currency>,
    granted: Text<Fixed18>,
    #[serde(default, skip_serializing_if = "is_zero")]
    priority: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Exclusions::is_empty")]
    excluded: Exclusions,
}

fn is_zero(number: &u16) -> bool {
    *number == 0
}

impl TryFrom<Lot> for (BillingAccountId, credits::Lot) {
    type Error = Wrong;

    fn try_from(twin: Lot) -> Result<Self, Wrong> {
        let Lot { billing_account, id, kind, currency, granted, priority, from, until, excluded } =
            twin;
        if granted.0 <= Fixed18::ZERO {
            return Err(Wrong::new("granted", "must be above zero"));
        }
        let lot = credits::Lot {
            id: id.0,
            kind: kind.0,
            granted: amount("granted", granted.0, currency.0)?,
            priority,
            holds: interval(from, until)?,
            excluded: excluded.into(),
        };
        Ok((billing_account.0, lot))
    }
}

/// From when (always if left out) until when (for ever if left out).
pub(super) fn interval(
    from: Option<Text<Instant>>,
    until: Option<Text<Instant>>,
) -> Result<Interval, Wrong> {
    let start = from.map_or(Instant::MIN, |from| from.0);
    let end = until.map_or(Instant::MAX, |until| until.0);
    if end <= start {
        return Err(Wrong::new("until", format!("must be after {start}, where it starts")));
    }
    Interval::new(start, end).map_err(|error| Wrong::new("until", error))
}

impl From<(BillingAccountId, credits::Lot)> for Lot {
    fn from((account, lot): (BillingAccountId, credits::Lot)) -> Lot {
        let credits::Lot { id, kind, granted, priority, holds, excluded } = lot;
        Lot {
            billing_account: Text(account),
            id: Text(id),
            kind: Text(kind),
            currency: Text(granted.currency()),
            granted: Text(major(granted)),
            priority,
            from: unless(holds.start(), Instant::MIN),
            until: unless(holds.end(), Instant::MAX),
            excluded: excluded.into(),
        }
    }
}
