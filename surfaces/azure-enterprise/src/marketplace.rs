//! Marketplace charges: rows of data sets that are apart from all sums.
//!
//! Source: `enterprise-reporting.md` sections 2 and 3.6.

use crate::Enterprise;
use crate::asked::{self, MONTHS_MOST, TIMES};
use crate::reading::{Reading, Whole};
use crate::routes::{FIRST_THREE, Routes, Version};
use crate::spelled;
use armkit::Query;
use axum::extract::State;
use axum::response::Response;
use domain::Error;
use domain::credits::Coverage;
use httpkit::{ExactNumber, Refusal};
use money::Fixed18;
use serde::Serialize;
use service::{DetailFilter, DetailKind, DetailSpan, DetailTold, DetailsAsked};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) fn routes() -> Routes {
    const PERIOD: &str = "/billingperiods/{period}/marketplacecharges";
    const DAYS: &str = "/marketplacechargesbycustomdate";
    Routes::new()
        .get("MarketplaceCharges_List", FIRST_THREE, "/marketplacecharges", list)
        .get("MarketplaceCharges_ListByPeriod", FIRST_THREE, PERIOD, list)
        .get("MarketplaceCharges_ListByDays", FIRST_THREE, DAYS, list_by_days)
}

/// Lists the charges of a billing period.
async fn list(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
) -> Result<Response, Refusal> {
    let period = reading.period_or_current(&enterprise);
    let question = format!("period {period}");
    answer(&enterprise, &reading, DetailSpan::Period(period), &question).await
}

/// Lists the charges of some days.
async fn list_by_days(
    State(enterprise): State<Enterprise>,
    Whole(reading): Whole,
    query: Query,
) -> Result<Response, Refusal> {
    let days = asked::days(&query, TIMES, MONTHS_MOST)?;
    let days = days.start().day()..days.end().day();
    let question = format!("days {} {}", days.start, days.end);
    answer(&enterprise, &reading, DetailSpan::Days(days), &question).await
}

async fn answer(
    enterprise: &Enterprise,
    reading: &Reading,
    span: DetailSpan,
    question: &str,
) -> Result<Response, Refusal> {
    let filter = DetailFilter {
        asked: "marketplace".to_owned(),
        keeps: Arc::new(|detail: &DetailTold| detail.coverage == Coverage::Marketplace),
    };
    let scope = reading.scope.clone();
    let asked = DetailsAsked { scope, span, kinds: BTreeSet::new(), filter: Some(filter) };
    let mut details = enterprise.reckoner.details_stream(&reading.caller, &asked).await?;
    let (mut rows, most) = (Vec::new(), enterprise.reckoner.limits().answer_rows);
    while let Some(some) = details.next().await? {
        for detail in &some {
            let row = Row::of(reading.version, detail)?;
            rows.extend(row.filter(|row| row.is_told(reading.version)));
        }
        if rows.len() as u64 > most {
            let (limit, key) = ("marketplace charges of an answer", "limits.answer_rows");
            return Err(Error::TooMuch { limit, most, key }.into());
        }
    }
    spelled::array(reading, &["marketplacecharges", question], &rows)
}

/// One charge, or what one day's use of one resource was charged.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    subscription_guid: String,
    subscription_name: String,
    meter_id: String,
    usage_start_date: String,
    usage_end_date: String,
    offer_name: String,
    resource_group: String,
    instance_id: String,
    additional_info: String,
    tags: String,
    order_number: String,
    unit_of_measure: String,
    cost_center: String,
    account_id: i64,
    account_name: String,
    account_owner_id: String,
    department_id: i64,
    department_name: String,
    publisher_name: String,
    plan_name: String,
    consumed_quantity: ExactNumber<Fixed18>,
    resource_rate: ExactNumber<Fixed18>,
    extended_cost: ExactNumber<Fixed18>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_recurring_charge: Option<bool>,
    /// Whether it is a fee, whatever the version shows of it.
    #[serde(skip)]
    is_fee: bool,
}

impl Row {
    /// The row of a detail; none where its cost is not the caller's to know.
    fn of(version: Version, detail: &DetailTold) -> Result<Option<Row>, Error> {
        let Some(cost) = &detail.cost else { return Ok(None) };
        let rate = spelled::rate(cost, detail.quantity)?;
        let own = spelled::own_texts(detail)?;
        let meter = detail.meter.as_ref();
        let category = meter.map(|meter| meter.category.clone()).unwrap_or_default();
        let subscription = detail.subscription.clone();
        let (account, department) = (&detail.enrollment_account, &detail.department);
        let own_text =
            |name: &str, other: &str| own.get(name).map_or(other, String::as_str).to_owned();
        let is_recurring = own_text("isrecurringcharge", "").eq_ignore_ascii_case("true");
        let is_fee = is_recurring || !is_usage(detail.kind);
        Ok(Some(Row {
            id: detail.name.clone(),
            subscription_guid: subscription.as_ref().map(|of| of.id.clone()).unwrap_or_default(),
            subscription_name: subscription.map(|of| of.name).unwrap_or_default(),
            meter_id: meter.map_or_else(|| detail.item.clone(), |meter| meter.id.clone()),
            usage_start_date: format!("{}T00:00:00Z", detail.day),
            usage_end_date: format!("{}T23:59:59Z", detail.day),
            offer_name: own_text("offername", &category),
            resource_group: own_text("resourcegroup", spelled::resource_group(&detail.resource)),
            instance_id: detail.resource.clone(),
            additional_info: own_text("additionalinfo", ""),
            tags: serde_json::to_string(&detail.tags)
                .map_err(|e| Error::internal("write tags", e))?,
            order_number: own_text("ordernumber", &detail.item),
            unit_of_measure: own_text(
                "unitofmeasure",
                meter.map_or("", |meter| meter.unit.as_str()),
            ),
            cost_center: detail.cost_center.clone(),
            account_id: account.as_ref().map_or(0, |of| spelled::whole(&of.id)),
            account_name: account.as_ref().map(|of| of.name.clone()).unwrap_or_default(),
            account_owner_id: detail.owner_email.clone().unwrap_or_default(),
            department_id: department.as_ref().map_or(0, |of| spelled::whole(&of.id)),
            department_name: department.as_ref().map(|of| of.name.clone()).unwrap_or_default(),
            publisher_name: own_text("publishername", ""),
            plan_name: own_text("planname", &detail.description),
            consumed_quantity: ExactNumber(detail.quantity),
            resource_rate: ExactNumber(rate),
            extended_cost: ExactNumber(cost.billing.major),
            is_recurring_charge: (version >= Version::V3).then_some(is_fee),
            is_fee,
        }))
    }

    /// Whether a version has it: fees are in none before the third.
    fn is_told(&self, version: Version) -> bool {
        version >= Version::V3 || !self.is_fee
    }
}

/// Whether a detail is of what was used, or amends that.
const fn is_usage(kind: DetailKind) -> bool {
    match kind {
        DetailKind::Rated(_) | DetailKind::Correction | DetailKind::Note | DetailKind::Rounding => {
            true
        }
        DetailKind::Charge => false,
    }
}

#[cfg(test)]
mod tests;
