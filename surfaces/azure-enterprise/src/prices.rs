//! Price sheets: the prices that rate the usage of a billing period.
//!
//! Source: `enterprise-reporting.md` sections 2 and 3.7.

use crate::Enterprise;
use crate::reading::Whole;
use crate::routes::{FIRST_THREE, Routes, Version};
use crate::spelled;
use axum::extract::State;
use axum::response::Response;
use calendar::BillingPeriod;
use domain::Error;
use domain::catalog::Condition;
use domain::ids::BillingAccountId;
use httpkit::{ExactNumber, Refusal};
use money::Fixed18;
use serde::Serialize;
use service::{PriceRow, PriceSheetAsked, SheetPrices};

pub(crate) fn routes() -> Routes {
    const PERIOD: &str = "/billingperiods/{period}/pricesheet";
    Routes::new().get("PriceSheet_List", FIRST_THREE, "/pricesheet", list).get(
        "PriceSheet_ListByPeriod",
        FIRST_THREE,
        PERIOD,
        list,
    )
}

/// Lists the prices of a billing period. What is included stands beside each of its tiers, and what
/// reservations cost in the reports of these: no member of a row could tell their term.
async fn list(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
) -> Result<Response, Refusal> {
    let period = reading.period_or_current(&enterprise);
    let asked = PriceSheetAsked {
        billing_account: reading.enrollment.clone(),
        profile: None,
        prices: SheetPrices::Of(period),
    };
    let sheet = enterprise.reckoner.price_sheet(&reading.caller, &asked).await?;
    let (mut rows, most) = (Vec::new(), enterprise.reckoner.limits().answer_rows);
    for row in sheet {
        let row = row?;
        let (Some(lineage), Some(tier)) = (row.lineage.as_deref(), row.number) else { continue };
        let part_number = spelled::part_number(lineage, tier);
        if rows.len() as u64 >= most {
            let (limit, key) = ("prices of an answer", "limits.answer_rows");
            return Err(Error::TooMuch { limit, most, key }.into());
        }
        let of = (reading.version, &reading.enrollment);
        rows.push(Row::of(of, period, (part_number, row)));
    }
    spelled::array(&reading, &["pricesheet"], &rows)
}

/// What a meter costs in one tier.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    offer_id: Option<String>,
    id: String,
    billing_period_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter_id: Option<String>,
    meter_name: String,
    unit_of_measure: String,
    included_quantity: ExactNumber<Fixed18>,
    part_number: String,
    unit_price: ExactNumber<Fixed18>,
    currency_code: String,
}

impl Row {
    fn of(
        (version, enrollment): (Version, &BillingAccountId),
        period: BillingPeriod,
        (part_number, row): (String, PriceRow),
    ) -> Row {
        let PriceRow {
            meter,
            offer,
            conditions,
            tier,
            included,
            list_price: _,
            base_price: _,
            currency,
            during,
            term: _,
            lineage: _,
            number: _,
        } = row;
        let offer = offer.map(|id| id.to_string()).unwrap_or_default();
        let product = product(&[&part_number, &offer, &during.start().to_string()], &conditions);
        let number = period.number();
        let of_period = format!("enrollments/{enrollment}/billingperiods/{number}");
        let is_bundle = tier.block != Fixed18::ONE;
        let unit_of_measure =
            if is_bundle { format!("{} {}", tier.block, meter.unit) } else { meter.unit };
        Row {
            offer_id: (version >= Version::V3).then_some(offer),
            id: format!("{of_period}/products/{product}/pricesheets"),
            billing_period_id: number.to_string(),
            meter_id: (version >= Version::V2).then(|| meter.id.to_string()),
            meter_name: named(meter.name, &conditions),
            unit_of_measure,
            included_quantity: ExactNumber(included),
            part_number,
            unit_price: ExactNumber(tier.price),
            currency_code: currency.to_string(),
        }
    }
}

/// A meter's name, with the values that usage must have for the price.
fn named(name: String, conditions: &[Condition]) -> String {
    let all = spelled_out(conditions);
    if all.is_empty() { name } else { format!("{name} ({all})") }
}

fn spelled_out(conditions: &[Condition]) -> String {
    let spelled = |one: &Condition| format!("{} {}", one.dimension.name(), one.value);
    conditions.iter().map(spelled).collect::<Vec<_>>().join(", ")
}

/// A number that tells a price from all others, as long as it holds.
fn product(of: &[&str], conditions: &[Condition]) -> u64 {
    let hash = blake3::hash(format!("{}\n{}", of.join("\n"), spelled_out(conditions)).as_bytes());
    let [a, b, c, d, e, f, ..] = *hash.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

#[cfg(test)]
mod tests;
