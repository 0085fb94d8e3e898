//! Balance summaries: what prepayment there was, what was bought, granted and used of it, and what
//! went beyond. Of an open period as of its last refresh.
//!
//! Source: `enterprise-reporting.md` section 3.2.

use crate::Enterprise;
use crate::fresh::Tag;
use crate::reading::{Reading, Whole};
use crate::routes::{FIRST_THREE, Routes};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::balance_summaries::{LotChange, LotChangeKind, PeriodBalance};
use domain::{Error, Result};
use httpkit::{ExactNumber, Refusal};
use money::Money;
use serde::Serialize;
use service::BalanceOfPeriod;

pub(crate) fn routes() -> Routes {
    let of_period = "/billingperiods/{period}/balancesummary";
    Routes::new().get("BalanceSummary_Get", FIRST_THREE, "/balancesummary", get).get(
        "BalanceSummary_GetByPeriod",
        FIRST_THREE,
        of_period,
        get,
    )
}

/// Tells the balance of a billing period, or of the current one.
async fn get(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
) -> std::result::Result<Response, Refusal> {
    let period = reading.period_or_current(&enterprise);
    let number = period.number().to_string();
    let missing = || Error::not_found("balance summary", number.as_str());
    let found = enterprise.reckoner.data_set(&reading.caller, &reading.scope, period).await?;
    let found = found.ok_or_else(missing)?;
    let balance = found.balance.ok_or_else(missing)?;
    let tag = Tag::new(&reading, &[&found.id], &["balancesummary", &number]);
    if let Some(same) = tag.unchanged(&reading) {
        return Ok(same);
    }
    Ok(tag.on(Json(Summary::of(&reading, balance)?)))
}

/// An amount in major units, with all its digits.
type Amount = ExactNumber<String>;

/// A balance summary, as the contract spells it: alike in all versions.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    id: String,
    /// A number here, a text everywhere else.
    billing_period_id: i32,
    currency_code: String,
    beginning_balance: Amount,
    ending_balance: Amount,
    new_purchases: Amount,
    adjustments: Amount,
    utilized: Amount,
    service_overage: Amount,
    charges_billed_separately: Amount,
    total_overage: Amount,
    total_usage: Amount,
    azure_marketplace_service_charges: Amount,
    new_purchases_details: Vec<Detail>,
    adjustment_details: Vec<Detail>,
}

/// A part of purchases or adjustments.
#[derive(Serialize)]
struct Detail {
    name: &'static str,
    value: Amount,
}

impl Summary {
    /// Errors: [`Error::Money`].
    fn of(reading: &Reading, balance: BalanceOfPeriod) -> Result<Summary> {
        let BalanceOfPeriod { billing_account: _, at: _, currency, is_final: _, balance } = balance;
        let PeriodBalance { period, summary, purchases, adjustments, held: _ } = balance;
        let (totals, number) = (summary.totals, period.number());
        let enrollment = &reading.enrollment;
        Ok(Summary {
            id: format!("enrollments/{enrollment}/billingperiods/{number}/balancesummaries"),
            billing_period_id: number,
            currency_code: currency.to_string(),
            beginning_balance: amount(summary.beginning),
            ending_balance: amount(summary.ending()?),
            new_purchases: amount(summary.new_purchases),
            adjustments: amount(summary.adjustments),
            utilized: amount(totals.utilized),
            service_overage: amount(totals.service_overage),
            charges_billed_separately: amount(totals.billed_separately),
            total_overage: amount(totals.total_overage()?),
            total_usage: amount(totals.total_usage()?),
            azure_marketplace_service_charges: amount(totals.marketplace),
            new_purchases_details: purchases.iter().map(Detail::of).collect(),
            adjustment_details: adjustments.iter().map(Detail::of).collect(),
        })
    }
}

impl Detail {
    fn of(change: &LotChange) -> Detail {
        let name = match change.kind {
            LotChangeKind::Purchase => "Prepayment",
            LotChangeKind::Grant => "Promo Credit",
            LotChangeKind::GivenBack => "Credit Note",
            LotChangeKind::Expiry | LotChangeKind::ExpiryAgain => "Expired Credit",
        };
        Detail { name, value: amount(change.amount) }
    }
}

fn amount(money: Money) -> Amount {
    ExactNumber(money.digits())
}
