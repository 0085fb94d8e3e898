//! Billing periods of a subscription, and the invoices that have it.

use crate::Reckoner;
use crate::documents::{DocumentsAsked, EVERY};
use crate::structure::Look;
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope, may_at};
use domain::company::{Placement, Subscription};
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A billing period of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionPeriod {
    /// Which one.
    pub period: BillingPeriod,
    /// Its invoices that have a line of the subscription, of payers whose invoices the caller
    /// reads; in the order of their numbers.
    pub invoices: Vec<DocumentNumber>,
}

impl Reckoner {
    /// Lists the billing periods of a subscription up to the one that is open now, newest first:
    /// from when somebody first paid for it; where nobody says when that was, from its first
    /// invoice.
    ///
    /// Errors: [`Error::NotFound`] for a subscription that the caller may not see;
    /// [`Error::Forbidden`].
    #[boxed]
    pub async fn subscription_periods(
        &self,
        caller: &Caller,
        of: &SubscriptionId,
    ) -> Result<Vec<SubscriptionPeriod>> {
        let scope = Scope::Subscription(of.clone());
        let look = self.demand_in_sight(caller, Action::ReadSubscription, &scope)?;
        let missing = || Error::not_found("subscription", of.as_str());
        let subscription = look.company.subscriptions.get(of).ok_or_else(missing)?;
        let mut invoices = self.invoices_with(caller, &look, subscription).await?;
        let Some((first, last)) = paid(subscription, look.now) else { return Ok(Vec::new()) };
        let first = first.or_else(|| invoices.keys().next().copied()).unwrap_or(last);
        let mut periods = Vec::new();
        let mut period = last;
        while period >= first {
            let invoices = invoices.remove(&period).unwrap_or_default();
            periods.push(SubscriptionPeriod { period, invoices });
            period = period.previous();
        }
        Ok(periods)
    }

    /// The invoices that have a line of a subscription, by billing period.
    async fn invoices_with(
        &self,
        caller: &Caller,
        look: &Look,
        subscription: &Subscription,
    ) -> Result<BTreeMap<BillingPeriod, Vec<DocumentNumber>>> {
        let payers = subscription.placements.iter().map(|one| one.billing_account.clone());
        let payers: BTreeSet<BillingAccountId> = payers.collect();
        let mut found: BTreeMap<BillingPeriod, Vec<DocumentNumber>> = BTreeMap::new();
        for payer in payers {
            let scope = Scope::Account(payer.clone());
            if !may_at(&look.company, caller, Action::ReadInvoices, &scope, look.now) {
                continue;
            }
            let asked = DocumentsAsked { billing_account: Some(payer), period: None };
            for document in self.documents(caller, &asked, EVERY).await? {
                let mut lines = document.invoice.lines.iter();
                if lines.any(|line| line.key.subscription.as_ref() == Some(&subscription.id)) {
                    found.entry(document.invoice.period).or_default().push(document.number);
                }
            }
        }
        Ok(found)
    }
}

/// The billing periods in which somebody first and last paid for a subscription; without the first
/// where it was always paid for, and nothing where nobody has paid yet.
fn paid(
    subscription: &Subscription,
    now: Instant,
) -> Option<(Option<BillingPeriod>, BillingPeriod)> {
    let Placement { during: first, .. } = subscription.placements.first()?;
    let Placement { during: last, .. } = subscription.placements.last()?;
    if now < first.start() {
        return None;
    }
    let since = Some(first.start()).filter(|start| *start != Instant::MIN);
    let last = last.end().plus_micros(-1).min(now);
    Some((since.map(BillingPeriod::of), BillingPeriod::of(last)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use calendar::Interval;
    use domain::ids::OfferId;

    fn told(during: &[(&str, &str)], now: &str) -> String {
        let instant = |text: &str| match text {
            "always" => Instant::MIN,
            "never" => Instant::MAX,
            day => Instant::parse(day).unwrap(),
        };
        let placement = |(start, end): &(&str, &str)| Placement {
            during: Interval::new(instant(start), instant(end)).unwrap(),
            billing_account: BillingAccountId::new("north").unwrap(),
            profile: None,
            offer: OfferId::new("PAYG").unwrap(),
        };
        let subscription = Subscription {
            id: SubscriptionId::new("ferry").unwrap(),
            name: "Ferry".to_owned(),
            placements: during.iter().map(placement).collect(),
        };
        match paid(&subscription, instant(now)) {
            None => "-".to_owned(),
            Some((None, last)) => format!("to {last}"),
            Some((Some(first), last)) => format!("{first} to {last}"),
        }
    }

    #[test]
    fn a_subscription_has_the_billing_periods_in_which_it_is_paid_for() {
        let check = |during: &[(&str, &str)], now: &str, expected: &str| {
            assert_eq!(told(during, now), expected, "{during:?} {now}");
        };
        check(&[("always", "never")], "2026-06-05", "to 2026-06");
        check(&[("2026-03-15", "never")], "2026-06-05", "2026-03 to 2026-06");
        check(&[("2026-03-15", "2026-05-01")], "2026-06-05", "2026-03 to 2026-04");
        check(
            &[("2026-01-01", "2026-02-01"), ("2026-02-01", "never")],
            "2026-02-01",
            "2026-01 to 2026-02",
        );
        check(&[("2026-07-01", "never")], "2026-06-05", "-");
        check(&[], "2026-06-05", "-");
    }
}
