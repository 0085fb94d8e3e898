//! Billing periods of a subscription, and the invoices that have it.

use crate::Reckoner;
use crate::closes::period_of;
use crate::documents::{EVERY, INVOICE, number_of};
use crate::structure::Look;
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Instant};
use domain::access::{Action, Caller, Scope, may_at};
use domain::company::{Placement, Subscription};
use domain::encoding::books::decode_invoice;
use domain::ids::{BillingAccountId, SubscriptionId};
use domain::numbering::DocumentNumber;
use domain::{Error, Result};
use std::collections::BTreeSet;
use store::DocumentFilter;

/// A billing period of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionPeriod {
    /// Which one.
    pub period: BillingPeriod,
    /// The invoices that its close seals and that have a line of the subscription, of payers whose
    /// invoices the caller reads; in the order of their numbers.
    pub invoices: Vec<DocumentNumber>,
}

impl Reckoner {
    /// Lists the billing periods of a subscription up to the one that is open now, newest first:
    /// from when somebody first paid for it; where nobody says when that was, from the first
    /// invoice of who pays, as far as the caller reads those.
    ///
    /// Errors: [`Error::NotFound`] for a subscription that the caller may not see;
    /// [`Error::Forbidden`].
    #[boxed]
    pub async fn subscription_periods(
        &self,
        caller: &Caller,
        of: &SubscriptionId,
    ) -> Result<Vec<BillingPeriod>> {
        let (look, subscription) = self.subscription_in_sight(caller, of)?;
        let Some((first, last)) = paid(&subscription, look.now) else { return Ok(Vec::new()) };
        let first = match first {
            Some(first) => first,
            None => {
                let payers = payers(&look, caller, &subscription);
                self.first_invoiced(&payers).await?.map_or(last, |first| first.min(last))
            }
        };
        let back = std::iter::successors(Some(last), |period| Some(period.previous()));
        Ok(back.take_while(|period| *period >= first).collect())
    }

    /// The invoices of a subscription in some billing periods, in the order of these.
    ///
    /// Errors: as [`Reckoner::subscription_periods`].
    #[boxed]
    pub async fn invoices_of_periods(
        &self,
        caller: &Caller,
        of: &SubscriptionId,
        periods: &[BillingPeriod],
    ) -> Result<Vec<SubscriptionPeriod>> {
        let (look, subscription) = self.subscription_in_sight(caller, of)?;
        let payers = payers(&look, caller, &subscription);
        let mut told = Vec::with_capacity(periods.len());
        for period in periods {
            let mut invoices = Vec::new();
            for payer in &payers {
                let filter = invoices_of(payer, Some(*period));
                for row in self.0.document_rows(filter, EVERY).await? {
                    let mut lines = decode_invoice(&row.body)?.lines.into_iter();
                    if lines.any(|line| line.key.subscription.as_ref() == Some(of)) {
                        invoices.push(number_of(&row)?);
                    }
                }
            }
            invoices.sort();
            told.push(SubscriptionPeriod { period: *period, invoices });
        }
        Ok(told)
    }

    fn subscription_in_sight(
        &self,
        caller: &Caller,
        of: &SubscriptionId,
    ) -> Result<(Look, Subscription)> {
        let scope = Scope::Subscription(of.clone());
        let look = self.demand_in_sight(caller, Action::ReadSubscription, &scope)?;
        let subscription = look.company.subscriptions.get(of).cloned();
        let missing = || Error::not_found("subscription", of.as_str());
        Ok((look, subscription.ok_or_else(missing)?))
    }

    /// The billing period of the first invoice that one of some payers was sent.
    async fn first_invoiced(
        &self,
        payers: &BTreeSet<BillingAccountId>,
    ) -> Result<Option<BillingPeriod>> {
        let mut first: Option<BillingPeriod> = None;
        for payer in payers {
            for row in self.0.document_rows(invoices_of(payer, None), 1).await? {
                let period = period_of(row.period)?;
                first = Some(first.map_or(period, |before| before.min(period)));
            }
        }
        Ok(first)
    }
}

/// Who pays or paid for a subscription, of those whose invoices the caller reads.
fn payers(look: &Look, caller: &Caller, subscription: &Subscription) -> BTreeSet<BillingAccountId> {
    let all = subscription.placements.iter().map(|one| one.billing_account.clone());
    let may_read = |payer: &BillingAccountId| {
        let scope = Scope::Account(payer.clone());
        may_at(&look.company, caller, Action::ReadInvoices, &scope, look.now)
    };
    all.filter(may_read).collect()
}

fn invoices_of(payer: &BillingAccountId, period: Option<BillingPeriod>) -> DocumentFilter {
    DocumentFilter {
        billing_account: Some(payer.to_string()),
        period: period.map(BillingPeriod::number),
        kind: Some(INVOICE),
        issued: None,
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
