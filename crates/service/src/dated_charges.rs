//! What a billing account is charged without any usage, each on its day: plans and reservations.

use calendar::{BillingPeriod, Day, Instant};
use domain::Result;
use domain::company::Company;
use domain::ids::{BillingAccountId, ReservationId, SubscriptionId};
use domain::places::PlaceKey;
use money::Cost;
use std::ops::Range;

/// A charge that no usage makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatedCharge {
    /// When it is charged.
    pub(crate) at: Instant,
    /// How much; below zero where money goes back.
    pub(crate) cost: Cost,
    /// For which subscription, if for one.
    pub(crate) subscription: Option<SubscriptionId>,
    /// Where in the account a plan stands, if below it.
    pub(crate) place: Option<PlaceKey>,
    /// For which reservation, if for one.
    pub(crate) reservation: Option<ReservationId>,
}

/// What an account is charged on some days, by what is declared.
///
/// Errors: [`domain::Error::Invalid`] for a plan or reservation that cannot be;
/// [`domain::Error::Money`].
pub(crate) fn dated_charges(
    company: &Company,
    account: &BillingAccountId,
    days: &Range<Day>,
) -> Result<Vec<DatedCharge>> {
    let mut all = planned(company, account, days)?;
    let held = company.reservations_of(account);
    for one in held {
        let charges = one.course(held)?.charges.into_iter();
        all.extend(charges.map(|charge| DatedCharge {
            at: charge.at,
            cost: charge.amount,
            subscription: Some(one.bought.billed_to.clone()),
            place: None,
            reservation: Some(charge.reservation),
        }));
    }
    all.retain(|charge| days.contains(&charge.at.day()) && !charge.cost.major.is_zero());
    Ok(all)
}

/// What plans charge in the billing periods that some days lie in.
fn planned(
    company: &Company,
    account: &BillingAccountId,
    days: &Range<Day>,
) -> Result<Vec<DatedCharge>> {
    let mut all = Vec::new();
    let mut period = BillingPeriod::of(days.start.start());
    while period.start().day() < days.end {
        for held in company.plans_of(account) {
            let charges = held.plan.charges(period)?.into_iter();
            all.extend(charges.map(|charge| DatedCharge {
                at: charge.charged_at,
                cost: charge.cost,
                subscription: held.subscription.clone(),
                place: held.place.clone(),
                reservation: None,
            }));
        }
        period = period.next();
    }
    Ok(all)
}
