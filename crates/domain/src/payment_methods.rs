//! Payment methods: with what a billing account pays, over time.
//!
//! Of a card only the last four digits are kept. Credit is no payment method here: what is left of
//! it stands in the ledger.

use crate::company::Company;
use crate::ids::{BillingAccountId, PaymentMethodId, PlaceId};
use crate::{Error, Result};
use calendar::{BillingPeriod, Instant};

/// What holds of a payment method from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    /// How it pays.
    pub means: PaymentMeans,
    /// The billing profile that it pays for; none for the whole account.
    pub profile: Option<PlaceId>,
    /// Whether it is taken.
    pub standing: PaymentMethodStanding,
}

/// How somebody pays. Source: `microsoft-billing.md` section 8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentMeans {
    /// By card.
    Card(Card),
    /// By transfer, after the invoice came.
    Invoice,
    /// By check.
    Check,
}

/// What is kept of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Four digits.
    last_four: String,
    /// The last month in which it is good.
    pub expires: BillingPeriod,
}

/// Whether a payment method is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaymentMethodStanding {
    /// First: there is one for a profile, and one for the account.
    Default,
    /// If somebody chooses it.
    Attached,
    /// No more.
    Detached,
}

impl Card {
    /// Makes one.
    ///
    /// Errors: [`Error::Invalid`] for anything but four digits: a number in full is never kept.
    pub fn new(last_four: &str, expires: BillingPeriod) -> Result<Card> {
        if last_four.len() != 4 || !last_four.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(Error::invalid("last_four", "must be the last four digits, no more"));
        }
        Ok(Card { last_four: last_four.to_owned(), expires })
    }

    /// The last four digits.
    pub fn last_four(&self) -> &str {
        &self.last_four
    }
}

impl Company {
    /// The payment methods of a billing account at a moment, those detached too; in order of id.
    pub fn payment_methods_at(
        &self,
        account: &BillingAccountId,
        at: Instant,
    ) -> impl Iterator<Item = (&PaymentMethodId, &PaymentMethod)> {
        let known = self.payment_methods.get(account).into_iter().flatten();
        known.filter_map(move |(id, timeline)| Some((id, timeline.at(at)?)))
    }

    /// With what is paid at a moment: the default of the profile, else that of the account.
    pub fn default_payment_method_at(
        &self,
        account: &BillingAccountId,
        profile: Option<&PlaceId>,
        at: Instant,
    ) -> Option<(&PaymentMethodId, &PaymentMethod)> {
        let default = |profile: Option<&PlaceId>| {
            self.payment_methods_at(account, at).find(|(_, method)| {
                method.profile.as_ref() == profile
                    && method.standing == PaymentMethodStanding::Default
            })
        };
        default(profile).or_else(|| default(None))
    }

    /// Another default for the same profile or account, at any moment at which this one is it.
    pub fn rival_default(
        &self,
        account: &BillingAccountId,
        id: &PaymentMethodId,
    ) -> Option<(&PaymentMethodId, Instant)> {
        let known = self.payment_methods.get(account)?;
        let is_default = |method: &PaymentMethod| method.standing == PaymentMethodStanding::Default;
        let own = known.get(id)?.spans().filter(|(_, method)| is_default(method));
        let mut pairs = own.flat_map(|(during, method)| {
            let others = known.iter().filter(move |(other, _)| *other != id);
            others.flat_map(move |(other, timeline)| {
                let spans = timeline
                    .spans()
                    .filter(move |(_, twin)| is_default(twin) && twin.profile == method.profile);
                spans
                    .filter_map(move |(span, _)| Some((other, span.intersection(&during)?.start())))
            })
        });
        pairs.next()
    }
}

#[cfg(test)]
mod tests;
