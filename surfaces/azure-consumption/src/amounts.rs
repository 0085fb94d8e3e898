//! Amounts with their currency, times, and words for lots, as several groups spell them.

use crate::resource::{Decimal, decimal};
use calendar::Instant;
use domain::Error;
use domain::credits::LotKind;
use httpkit::ExactNumber;
use money::{Cost, Money};
use serde::Serialize;

/// `Amount`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct Amount {
    currency: String,
    value: Decimal,
}

impl Amount {
    /// Money, digit by digit.
    ///
    /// Errors: [`Error::Money`].
    pub(crate) fn of(money: Money) -> Result<Amount, Error> {
        Ok(Amount { currency: money.currency().to_string(), value: decimal(money)? })
    }
}

/// What is exact and not booked.
impl From<Cost> for Amount {
    fn from(Cost { major, currency }: Cost) -> Amount {
        Amount { currency: currency.to_string(), value: ExactNumber(major) }
    }
}

/// `AmountWithExchangeRate`: no answer has one, as credit is in the billing currency.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct AmountWithExchangeRate {
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange_rate: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange_rate_month: Option<Decimal>,
}

/// `Reseller`: no answer has one, as lots are granted to an account and not through anybody.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct Reseller {
    reseller_id: String,
    reseller_description: String,
}

/// A time, if it is one: what holds always has no start, what holds for ever no end.
pub(crate) fn time(instant: Instant) -> Option<String> {
    (instant != Instant::MIN && instant != Instant::MAX).then(|| instant.to_string())
}

/// Where a lot comes from: given, or paid for.
///
/// Source: `LotProperties.source`.
pub(crate) const fn source(kind: LotKind) -> &'static str {
    match kind {
        LotKind::Credit => "PromotionalCredit",
        LotKind::Prepayment => "PurchasedCredit",
    }
}

/// Which lots come from a source that a filter names; outer none for what is no source, inner none
/// for one that the books have no lots of.
///
/// Source: `LotProperties.source`, and `AzurePrepayment` in the examples of events.
pub(crate) fn kind_of(name: &str) -> Option<Option<LotKind>> {
    match name.to_ascii_lowercase().as_str() {
        "promotionalcredit" => Some(Some(LotKind::Credit)),
        "purchasedcredit" | "azureprepayment" => Some(Some(LotKind::Prepayment)),
        "consumptioncommitment" => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_finds_lots_by_the_source_that_they_are_told_with() {
        for kind in [LotKind::Credit, LotKind::Prepayment] {
            assert_eq!(kind_of(source(kind)), Some(Some(kind)));
        }
        assert_eq!(kind_of("ConsumptionCommitment"), Some(None));
        assert_eq!(kind_of("gift"), None);
    }
}
