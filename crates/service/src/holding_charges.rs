//! What holdings cost who pays for them: a subscription in the open billing period and in the one
//! before, a product when it was charged last.

use crate::Reckoner;
use crate::group_by::{ChargeFilter, GroupBy};
use crate::holdings::{ProductTold, SubscriptionTold};
use crate::queries::{ChargeQuery, ChargeRow};
use crate::structure::Look;
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::Result;
use domain::access::{Action, Caller, Scope, View};
use domain::ids::{BillingAccountId, SubscriptionId};
use money::{Cost, Currency};
use std::collections::{BTreeMap, BTreeSet};

/// What a subscription cost the billing account that pays for it now, exactly as its rated usage
/// comes to; what others paid is not in it. None where usage was rated in several currencies, which
/// no one amount can tell; zero in the billing currency where nothing was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionCharges {
    /// From the start of the billing period that holds the business moment, up to and with its day.
    pub month_to_date: Option<Cost>,
    /// In the whole billing period before.
    pub last_month: Option<Cost>,
}

/// What was charged for a product last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastCharge {
    /// How much.
    pub cost: Cost,
    /// When.
    pub at: Instant,
}

/// Subscriptions whose charges are asked for at once.
const AT_ONCE: usize = 1_000;

impl Reckoner {
    /// The same subscriptions, each with what it cost the billing account, where the caller may
    /// read that. The days are those of what this is held to, the usage is what is known now.
    ///
    /// Errors: those of [`Reckoner::charges`].
    #[boxed]
    pub async fn charged(
        &self,
        caller: &Caller,
        account: &BillingAccountId,
        told: Vec<SubscriptionTold>,
    ) -> Result<Vec<SubscriptionTold>> {
        let (look, mut told) = (self.look(), told);
        let read = look.charges_read(caller, &told);
        let mut charges = Charged::new();
        for some in read.chunks(AT_ONCE) {
            charges.extend(self.charged_of(&look, account, some).await?);
        }
        let read: BTreeSet<SubscriptionId> = read.into_iter().collect();
        let open = BillingPeriod::of(look.now);
        for one in told.iter_mut().filter(|one| read.contains(&one.id)) {
            let usual = one.held.currency;
            let of = |period: BillingPeriod| {
                let own = charges.get(&(one.id.clone(), period));
                amount(own.map_or(&[], Vec::as_slice), usual)
            };
            let (month_to_date, last_month) = (of(open), of(open.previous()));
            one.charges = Some(SubscriptionCharges { month_to_date, last_month });
        }
        Ok(told)
    }

    /// What subscriptions cost an account in the open billing period and in the one before.
    async fn charged_of(
        &self,
        look: &Look,
        account: &BillingAccountId,
        ids: &[SubscriptionId],
    ) -> Result<Charged> {
        let from = BillingPeriod::of(look.now).previous().start();
        let ids = ids.iter().map(ToString::to_string).collect();
        let query = ChargeQuery {
            billing_account: Some(account.clone()),
            days: from.day()..look.now.day().next(),
            group_by: vec![GroupBy::Month, GroupBy::Subscription],
            filters: vec![ChargeFilter { on: GroupBy::Subscription, values: ids }],
            top: None,
        };
        // What each of them cost is for who may read it there, though not all of the account's.
        let table = self.charges(&Caller::Machine, &query).await?;
        let mut charged = Charged::new();
        for (key, cost) in table.rows.iter().filter_map(keyed) {
            charged.entry(key).or_default().push(cost);
        }
        Ok(charged)
    }
}

/// Costs, one in each currency, by subscription and billing period.
type Charged = BTreeMap<(SubscriptionId, BillingPeriod), Vec<Cost>>;

/// A row by month and subscription.
fn keyed(row: &ChargeRow) -> Option<((SubscriptionId, BillingPeriod), Cost)> {
    let [Some(month), Some(id)] = row.keys.as_slice() else { return None };
    Some(((SubscriptionId::new(id).ok()?, BillingPeriod::parse(month).ok()?), row.cost))
}

/// The one amount that costs come to: see [`SubscriptionCharges`].
fn amount(costs: &[Cost], usual: Currency) -> Option<Cost> {
    let mut charged = costs.iter().filter(|cost| !cost.major.is_zero());
    match (charged.next(), charged.next()) {
        (None, _) => Some(Cost::zero(usual)),
        (Some(one), None) => Some(*one),
        (Some(_), Some(_)) => None,
    }
}

impl Look {
    /// Those of subscriptions whose charges a caller may read.
    fn charges_read(&self, caller: &Caller, told: &[SubscriptionTold]) -> Vec<SubscriptionId> {
        let view = self.view(caller);
        let ids = told.iter().map(|one| &one.id);
        let read =
            ids.filter(|id| view.may(Action::ReadCharges, &Scope::Subscription((*id).clone())));
        read.cloned().collect()
    }

    /// The same product with what was charged for it last, where the caller may read that: by the
    /// plan of its payer that has its id.
    ///
    /// Errors: [`domain::Error::Money`].
    pub(crate) fn with_last_charge(
        &self,
        view: &View<'_>,
        told: ProductTold,
    ) -> Result<ProductTold> {
        if !view.may(Action::ReadCharges, &Scope::Product(told.id.clone())) {
            return Ok(told);
        }
        let mut plans = self.company.plans_of(&told.held.account).iter();
        let own = plans.find(|held| held.id.as_str() == told.id.as_str());
        let last = own.map(|held| held.plan.last_charge(self.now)).transpose()?.flatten();
        Ok(ProductTold { last_charge: last.map(|(cost, at)| LastCharge { cost, at }), ..told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::Fixed18;

    fn cost(text: &str) -> Cost {
        let (major, currency) = text.split_once(' ').unwrap();
        let currency = Currency::parse(currency).unwrap();
        Cost { major: Fixed18::parse(major).unwrap(), currency }
    }

    #[test]
    fn charges_in_one_currency_are_one_amount() {
        let check = |costs: &[&str], expected: Option<&str>| {
            let costs: Vec<Cost> = costs.iter().map(|one| cost(one)).collect();
            let usual = Currency::parse("EUR").unwrap();
            assert_eq!(amount(&costs, usual), expected.map(cost), "{costs:?}");
        };
        check(&[], Some("0 EUR"));
        check(&["0 USD"], Some("0 EUR"));
        check(&["1.000000000000000001 USD"], Some("1.000000000000000001 USD"));
        check(&["-2 USD", "0 EUR"], Some("-2 USD"));
        check(&["1 EUR", "1 USD"], None);
    }
}
