//! Billing periods: which there is data of, newest first, and where each data set is.
//!
//! Source: `enterprise-reporting.md` section 3.1.

use crate::Enterprise;
use crate::fresh::Tag;
use crate::reading::Reading;
use crate::routes::{FIRST_THREE, Routes};
use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use domain::access::Scope;
use httpkit::Refusal;
use serde::Serialize;
use service::PeriodTold;

pub(crate) fn routes() -> Routes {
    Routes::new().get("BillingPeriods_List", FIRST_THREE, "/billingperiods", list)
}

/// Lists the billing periods that there is data of.
async fn list(
    State(enterprise): State<Enterprise>,
    reading: Reading,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Refusal> {
    let reckoner = &enterprise.reckoner;
    let told = reckoner.periods_with_data(&reading.caller, &reading.scope).await?;
    let period = |told| Period::of(&reading, uri.path(), told);
    let periods: Vec<Period> = told.iter().map(period).collect();
    // The list itself is no data set: it is as new as what it says.
    let says = serde_json::to_string(&periods)
        .map_err(|e| domain::Error::internal("write billing periods", e))?;
    let tag = Tag::new(&reading, &[&says], &["billingperiods"]);
    Ok(tag.unchanged(&reading).unwrap_or_else(|| tag.on(Json(periods))))
}

/// A billing period, as the contract spells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Period {
    billing_period_id: String,
    billing_start: String,
    billing_end: String,
    balance_summary: Option<String>,
    usage_details: Option<String>,
    marketplace_charges: Option<String>,
    price_sheet: Option<String>,
}

impl Period {
    /// What a key of a part of the enrollment may not read is not pointed at. `listed` is the
    /// path of the list, which reports stand below.
    fn of(reading: &Reading, listed: &str, told: &PeriodTold) -> Period {
        let PeriodTold { period, is_final: _, has_usage, .. } = *told;
        let PeriodTold { has_marketplace, has_balance, has_prices, .. } = *told;
        let is_whole = matches!(reading.scope, Scope::Account(_));
        let number = period.number();
        let at =
            |is_there: bool, report: &str| is_there.then(|| format!("{listed}/{number}/{report}"));
        Period {
            billing_period_id: number.to_string(),
            billing_start: period.start().to_string(),
            billing_end: period.end().plus_seconds(-1).to_string(),
            balance_summary: at(is_whole && has_balance, "balancesummary"),
            usage_details: at(has_usage, "usagedetails"),
            marketplace_charges: at(is_whole && has_marketplace, "marketplacecharges"),
            price_sheet: at(is_whole && has_prices, "pricesheet"),
        }
    }
}
