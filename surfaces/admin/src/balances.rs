//! Balances: what lots can still pay, and what they did in a billing period.

use crate::invoices::read_period;
use axum::Json;
use axum::extract::State;
use domain::Result;
use domain::balance_summaries::{LotChange, PeriodBalance};
use domain::ids::BillingAccountId;
use httpkit::{Asking, Faults, Parameters, Path, Refusal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use service::{AvailableBalance, BalanceOfPeriod, LotBalance, Reckoner};

/// What an account can still draw down.
pub(crate) async fn one(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Parameters(Asked { billing_account }): Parameters<Asked>,
) -> std::result::Result<Json<Answer>, Refusal> {
    let mut faults = Faults::default();
    let account = faults.read("billing_account", BillingAccountId::new(&billing_account));
    let account = faults.end(account)?;
    Ok(Json(Answer::from(reckoner.available_balance(&caller, &account).await?)))
}

/// What an account's lots did in a billing period, and what its charges came to.
pub(crate) async fn of_period(
    State(reckoner): State<Reckoner>,
    Asking(caller): Asking,
    Path(period): Path<String>,
    Parameters(Asked { billing_account }): Parameters<Asked>,
) -> std::result::Result<Json<OfPeriod>, Refusal> {
    let mut faults = Faults::default();
    let account = faults.read("billing_account", BillingAccountId::new(&billing_account));
    let period = faults.read("period", read_period(&period));
    let (account, period) = faults.end(account.zip(period))?;
    let balance = reckoner.balance_of_period(&caller, &account, period).await?;
    Ok(Json(OfPeriod::of(balance)?))
}

/// Whose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    billing_account: String,
}

/// What it can still draw down, in major units.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer {
    billing_account: String,
    at: String,
    currency: String,
    available: String,
    owed: String,
    open_periods: Vec<String>,
    lots: Vec<Lot>,
}

/// A lot.
#[derive(Serialize, JsonSchema)]
struct Lot {
    id: String,
    kind: &'static str,
    from: String,
    until: String,
    granted: String,
    booked: String,
    drawn: String,
    available: String,
}

impl From<AvailableBalance> for Answer {
    fn from(balance: AvailableBalance) -> Answer {
        let AvailableBalance { billing_account, at, currency, lots, .. } = balance;
        let AvailableBalance { available, open_periods, owed, .. } = balance;
        Answer {
            billing_account: billing_account.to_string(),
            at: at.to_string(),
            currency: currency.to_string(),
            available: available.digits(),
            owed: owed.digits(),
            open_periods: open_periods.iter().map(ToString::to_string).collect(),
            lots: lots.into_iter().map(Lot::from).collect(),
        }
    }
}

impl From<LotBalance> for Lot {
    fn from(balance: LotBalance) -> Lot {
        let LotBalance { id, kind, holds, granted, booked, drawn, available } = balance;
        Lot {
            id: id.to_string(),
            kind: kind.name(),
            from: holds.start().to_string(),
            until: holds.end().to_string(),
            granted: granted.digits(),
            booked: booked.digits(),
            drawn: drawn.digits(),
            available: available.digits(),
        }
    }
}

/// The balance of a billing period, in major units.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OfPeriod {
    billing_account: String,
    period: String,
    at: String,
    currency: String,
    is_final: bool,
    beginning: String,
    new_purchases: String,
    adjustments: String,
    utilized: String,
    ending: String,
    service_overage: String,
    billed_separately: String,
    total_overage: String,
    total_usage: String,
    marketplace: String,
    new_purchases_details: Vec<Change>,
    adjustment_details: Vec<Change>,
}

/// What changed what a lot holds.
#[derive(Serialize, JsonSchema)]
struct Change {
    name: &'static str,
    lot: String,
    document: Option<String>,
    at: String,
    amount: String,
}

impl OfPeriod {
    /// Errors: [`domain::Error::Money`].
    pub(crate) fn of(balance: BalanceOfPeriod) -> Result<OfPeriod> {
        let BalanceOfPeriod { billing_account, at, currency, is_final, balance } = balance;
        let PeriodBalance { period, summary, purchases, adjustments, held: _ } = balance;
        let totals = summary.totals;
        Ok(OfPeriod {
            billing_account: billing_account.to_string(),
            period: period.to_string(),
            at: at.to_string(),
            currency: currency.to_string(),
            is_final,
            beginning: summary.beginning.digits(),
            new_purchases: summary.new_purchases.digits(),
            adjustments: summary.adjustments.digits(),
            utilized: totals.utilized.digits(),
            ending: summary.ending()?.digits(),
            service_overage: totals.service_overage.digits(),
            billed_separately: totals.billed_separately.digits(),
            total_overage: totals.total_overage()?.digits(),
            total_usage: totals.total_usage()?.digits(),
            marketplace: totals.marketplace.digits(),
            new_purchases_details: purchases.into_iter().map(Change::from).collect(),
            adjustment_details: adjustments.into_iter().map(Change::from).collect(),
        })
    }
}

impl From<LotChange> for Change {
    fn from(change: LotChange) -> Change {
        let LotChange { at, lot, kind, document, amount } = change;
        Change {
            name: kind.name(),
            lot: lot.to_string(),
            document: document.map(|document| document.to_string()),
            at: at.to_string(),
            amount: amount.digits(),
        }
    }
}
