//! The twin of payment methods.

use super::parties::unless;
use super::step::Step;
use super::text::Text;
use super::wrong::Wrong;
use calendar::{BillingPeriod, Instant};
use domain::ids::{BillingAccountId, PaymentMethodId, PlaceId};
use domain::payment_methods::{self, Card, PaymentMeans, PaymentMethodStanding};
use serde::{Deserialize, Serialize};

/// With what a billing account pays, from an instant on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentMethod {
    billing_account: Text<BillingAccountId>,
    id: Text<PaymentMethodId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    billing_profile: Option<Text<PlaceId>>,
    means: Means,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_four: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Text<BillingPeriod>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standing: Option<Text<PaymentMethodStanding>>,
}

/// How somebody pays.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Means {
    Card,
    Invoice,
    Check,
}

impl TryFrom<PaymentMethod>
    for (BillingAccountId, Step<PaymentMethodId, payment_methods::PaymentMethod>)
{
    type Error = Wrong;

    fn try_from(twin: PaymentMethod) -> Result<Self, Wrong> {
        let PaymentMethod {
            billing_account,
            id,
            from,
            billing_profile,
            means,
            last_four,
            expires,
            standing,
        } = twin;
        let no_card = |key: &str| Wrong::new(key, "is a card's alone");
        let missing = |key: &str| Wrong::new(key, "must be there, for a card");
        let means = match (means, last_four, expires) {
            (Means::Card, None, _) => return Err(missing("last_four")),
            (Means::Card, _, None) => return Err(missing("expires")),
            (Means::Card, Some(digits), Some(expires)) => {
                PaymentMeans::Card(Card::new(&digits, expires.0).map_err(Wrong::of)?)
            }
            (Means::Invoice | Means::Check, Some(_), _) => return Err(no_card("last_four")),
            (Means::Invoice | Means::Check, _, Some(_)) => return Err(no_card("expires")),
            (Means::Invoice, None, None) => PaymentMeans::Invoice,
            (Means::Check, None, None) => PaymentMeans::Check,
        };
        let standing = standing.map_or(PaymentMethodStanding::Attached, |standing| standing.0);
        let profile = billing_profile.map(|profile| profile.0);
        let value = payment_methods::PaymentMethod { means, profile, standing };
        let from = from.map_or(Instant::MIN, |from| from.0);
        Ok((billing_account.0, Step { of: id.0, from, value }))
    }
}

impl From<(BillingAccountId, Step<PaymentMethodId, payment_methods::PaymentMethod>)>
    for PaymentMethod
{
    fn from(
        (account, step): (BillingAccountId, Step<PaymentMethodId, payment_methods::PaymentMethod>),
    ) -> PaymentMethod {
        let Step { of, from, value } = step;
        let payment_methods::PaymentMethod { means, profile, standing } = value;
        let (means, card) = match means {
            PaymentMeans::Card(card) => (Means::Card, Some(card)),
            PaymentMeans::Invoice => (Means::Invoice, None),
            PaymentMeans::Check => (Means::Check, None),
        };
        PaymentMethod {
            billing_account: Text(account),
            id: Text(of),
            from: unless(from, Instant::MIN),
            billing_profile: profile.map(Text),
            means,
            last_four: card.as_ref().map(|card| card.last_four().to_owned()),
            expires: card.map(|card| Text(card.expires)),
            standing: unless(standing, PaymentMethodStanding::Attached),
        }
    }
}
