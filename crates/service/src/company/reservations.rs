//! Twins of reservations.

use super::text::Text;
use super::wrong::Wrong;
use calendar::{Instant, Interval};
use domain::catalog::Condition;
use domain::ids::{BillingAccountId, MeterId, PlaceId, ReservationId, SubscriptionId};
use domain::places::{Level, Place, PlaceKey};
use domain::reservations::{self, End, HeldReservation, ReservationScope};
use domain::usage::Dimension;
use money::{Cost, Currency, Fixed18};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A reservation that a billing account holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reservation {
    billing_account: Text<BillingAccountId>,
    id: Text<ReservationId>,
    billed_to: Text<SubscriptionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    meters: Vec<Text<MeterId>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    conditions: BTreeMap<Text<Dimension>, String>,
    quantity: Text<Fixed18>,
    currency: Text<Currency>,
    price: Text<Fixed18>,
    from: Text<Instant>,
    until: Text<Instant>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<Refund>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancelled: Option<Cancelled>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exchanged_for: Option<Text<ReservationId>>,
}

/// Whose usage it covers, if not that of the whole billing account.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Scope {
    Subscription(Text<SubscriptionId>),
    Place { level: Text<Level>, id: Text<PlaceId> },
}

/// What is given back while it goes on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refund {
    at: Text<Instant>,
    amount: Text<Fixed18>,
}

/// When it is cancelled, and what that costs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancelled {
    at: Text<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fee: Option<Text<Fixed18>>,
}

impl TryFrom<Reservation> for (BillingAccountId, HeldReservation) {
    type Error = Wrong;

    fn try_from(twin: Reservation) -> Result<Self, Wrong> {
        let Reservation {
            billing_account: Text(account),
            id,
            billed_to,
            scope,
            meters,
            conditions,
            quantity,
            currency,
            price,
            from,
            until,
            refunds,
            cancelled,
            exchanged_for,
        } = twin;
        let term = Interval::new(from.0, until.0)
            .map_err(|_| Wrong::new("until", format!("must be after {}", from.0)))?;
        let conditions = conditions.into_iter();
        let bought = reservations::Reservation {
            id: id.0,
            billed_to: billed_to.0,
            term,
            scope: scope_of(scope, &account),
            meters: meters.into_iter().map(|meter| meter.0).collect(),
            conditions: conditions
                .map(|(dimension, value)| Condition { dimension: dimension.0, value })
                .collect(),
            quantity: quantity.0,
            price: Cost { major: price.0, currency: currency.0 },
        };
        reservations::check_reservation(&bought).map_err(wrong)?;
        let refunds: Vec<_> =
            refunds.into_iter().map(|Refund { at, amount }| (at.0, amount.0)).collect();
        if !refunds.is_sorted_by_key(|(at, _)| *at) {
            return Err(Wrong::new("refunds", "must be in order of time"));
        }
        let end = match (cancelled, exchanged_for) {
            (None, None) => None,
            (Some(Cancelled { at, fee }), None) => {
                Some(End::Cancelled { at: at.0, fee: fee.map_or(Fixed18::ZERO, |fee| fee.0) })
            }
            (None, Some(other)) => Some(End::ExchangedFor(other.0)),
            (Some(_), Some(_)) => {
                return Err(Wrong::new("exchanged_for", "must not stand beside `cancelled`"));
            }
        };
        Ok((account, HeldReservation { bought, refunds, end }))
    }
}

fn scope_of(scope: Option<Scope>, account: &BillingAccountId) -> ReservationScope {
    match scope {
        None => ReservationScope::Account(account.clone()),
        Some(Scope::Subscription(id)) => ReservationScope::Subscription(id.0),
        Some(Scope::Place { level, id }) => {
            let key = PlaceKey { level: level.0, id: id.0 };
            ReservationScope::Place(Place { billing_account: account.clone(), key })
        }
    }
}

/// What the domain refuses, by the key in the file.
fn wrong(error: domain::Error) -> Wrong {
    match error {
        domain::Error::Invalid { field, problem } => {
            let key = field.rsplit('.').next().unwrap_or_default();
            Wrong::new(if key == "term" { "until" } else { key }, problem)
        }
        other => Wrong::new("", other),
    }
}

impl From<(BillingAccountId, HeldReservation)> for Reservation {
    fn from((account, held): (BillingAccountId, HeldReservation)) -> Reservation {
        let HeldReservation { bought, refunds, end } = held;
        let reservations::Reservation {
            id,
            billed_to,
            term,
            scope,
            meters,
            conditions,
            quantity,
            price: Cost { major, currency },
        } = bought;
        let scope = match scope {
            ReservationScope::Account(_) => None,
            ReservationScope::Subscription(id) => Some(Scope::Subscription(Text(id))),
            ReservationScope::Place(Place { billing_account: _, key: PlaceKey { level, id } }) => {
                Some(Scope::Place { level: Text(level), id: Text(id) })
            }
        };
        let (cancelled, exchanged_for) = match end {
            None => (None, None),
            Some(End::Cancelled { at, fee }) => {
                let fee = Some(fee).filter(|fee| !fee.is_zero()).map(Text);
                (Some(Cancelled { at: Text(at), fee }), None)
            }
            Some(End::ExchangedFor(other)) => (None, Some(Text(other))),
        };
        let conditions = conditions.into_iter();
        let refunds = refunds.into_iter();
        Reservation {
            billing_account: Text(account),
            id: Text(id),
            billed_to: Text(billed_to),
            scope,
            meters: meters.into_iter().map(Text).collect(),
            conditions: conditions
                .map(|Condition { dimension, value }| (Text(dimension), value))
                .collect(),
            quantity: Text(quantity),
            currency: Text(currency),
            price: Text(major),
            from: Text(term.start()),
            until: Text(term.end()),
            refunds: refunds
                .map(|(at, amount)| Refund { at: Text(at), amount: Text(amount) })
                .collect(),
            cancelled,
            exchanged_for,
        }
    }
}
