//! Balances: what an enrollment's prepayment did in a billing period.
//!
//! Source: `enterprise-reporting.md` sections 3.2 and 5.

use crate::at::Version;
use crate::resource::{Decimal, Resource, decimal, members};
use crate::scopes::{ACCOUNT, PERIOD, Question, period_name};
use crate::{Consumption, PROVIDER};
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use calendar::BillingPeriod;
use domain::Error;
use domain::access::Action;
use domain::balance_summaries::{LotChange, LotChangeKind, PeriodBalance};
use domain::credits::BalanceSummary;
use httpkit::Group;
use serde::Serialize;
use service::BalanceOfPeriod;

/// There is no data before this billing period.
///
/// Source: the descriptions of the operations.
pub(crate) const FIRST_PERIOD: i32 = 201_405;

/// A billing period behind an account, as the first version has it.
const OLDER_PERIOD: &str = "/billingPeriods/{billingPeriodName}";

pub(crate) fn group(version: Version) -> Group<Consumption> {
    let period = match version {
        Version::V2019 => OLDER_PERIOD,
        Version::V2021 => PERIOD,
    };
    let now = format!("{ACCOUNT}{PROVIDER}");
    Group::new()
        // Of the open billing period, and of any.
        .get("Balances_GetByBillingAccount", &now, "/balances", get)
        .merge(of_period(period))
}

fn of_period(period: &str) -> Group<Consumption> {
    let place = format!("{ACCOUNT}{period}{PROVIDER}");
    Group::new().get("Balances_GetForBillingPeriodByBillingAccount", &place, "/balances", get)
}

/// What clients of the second version ask beside what its description has: they still send the
/// first one's address for the balance of a billing period.
///
/// Source: azure-mgmt-consumption 10.0.0, @azure/arm-consumption 9.2.0.
pub(crate) fn beside_the_second() -> Group<Consumption> {
    of_period(OLDER_PERIOD)
}

async fn get(
    State(consumption): State<Consumption>,
    question: Question,
) -> Result<Json<Resource<BalanceProperties>>, ArmError> {
    let Question { caller, spot, .. } = &question;
    let reckoner = &consumption.reckoner;
    let period = spot.period.unwrap_or_else(|| BillingPeriod::of(reckoner.now()));
    demand_data(period)?;
    let told = match reckoner.data_set(caller, &spot.scope, period).await? {
        Some(set) => set.balance.ok_or(Error::Forbidden { action: Action::ReadBalance.name() })?,
        // Nothing was used or booked, and yet there may be something left.
        None => reckoner.balance_of_period(caller, &spot.account.id, period).await?,
    };
    Ok(Json(view(&spot.id, &told)?))
}

/// Refuses a billing period of which there is no data.
///
/// Errors: [`Error::Invalid`].
pub(crate) fn demand_data(period: BillingPeriod) -> Result<(), Error> {
    if period.number() < FIRST_PERIOD {
        let problem = "there is no data before the billing period 201405";
        return Err(Error::invalid("billingPeriodName", problem));
    }
    Ok(())
}

members! {
    /// `BalanceProperties`.
    BalanceProperties {
        currency: String,
        beginning_balance: Decimal,
        ending_balance: Decimal,
        new_purchases: Decimal,
        adjustments: Decimal,
        utilized: Decimal,
        service_overage: Decimal,
        charges_billed_separately: Decimal,
        total_overage: Decimal,
        total_usage: Decimal,
        azure_marketplace_service_charges: Decimal,
        billing_frequency: String,
        price_hidden: bool,
        new_purchases_details: Vec<Detail>,
        adjustment_details: Vec<Detail>,
    }
}

/// A part of a sum.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Detail {
    name: String,
    value: Decimal,
}

/// The balance of a billing account by its id as a resource.
pub(crate) fn view(
    account: &str,
    told: &BalanceOfPeriod,
) -> Result<Resource<BalanceProperties>, Error> {
    let PeriodBalance { period, summary, purchases, adjustments, held: _ } = &told.balance;
    let BalanceSummary { beginning, new_purchases, adjustments: adjusted, totals } = summary;
    let details = |changes: &[LotChange]| changes.iter().map(detail).collect::<Result<Vec<_>, _>>();
    let properties = BalanceProperties {
        currency: Some(told.currency.to_string()),
        beginning_balance: Some(decimal(*beginning)?),
        ending_balance: Some(decimal(summary.ending()?)?),
        new_purchases: Some(decimal(*new_purchases)?),
        adjustments: Some(decimal(*adjusted)?),
        utilized: Some(decimal(totals.utilized)?),
        service_overage: Some(decimal(totals.service_overage)?),
        charges_billed_separately: Some(decimal(totals.billed_separately)?),
        total_overage: Some(decimal(totals.total_overage()?)?),
        total_usage: Some(decimal(totals.total_usage()?)?),
        azure_marketplace_service_charges: Some(decimal(totals.marketplace)?),
        // Billing periods are months.
        billing_frequency: Some("Month".to_owned()),
        // Who may read the balance sees prices.
        price_hidden: Some(false),
        new_purchases_details: Some(details(purchases)?),
        adjustment_details: Some(details(adjustments)?),
    };
    let name = period_name(*period);
    let scope = format!("{account}/providers/Microsoft.Billing/billingPeriods/{name}");
    Ok(Resource::new(&scope, "balances", &name, properties))
}

fn detail(
    LotChange { at: _, lot: _, kind, document: _, amount }: &LotChange,
) -> Result<Detail, Error> {
    let name = match kind {
        LotChangeKind::Purchase => "Prepayment",
        LotChangeKind::Grant => "Promo Credit",
        LotChangeKind::GivenBack => "Credit Note",
        LotChangeKind::Expiry | LotChangeKind::ExpiryAgain => "Expired Credit",
    };
    Ok(Detail { name: name.to_owned(), value: decimal(*amount)? })
}
