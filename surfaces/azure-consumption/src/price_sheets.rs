//! PriceSheet: the prices that hold for who pays for a subscription.
//!
//! Source: `enterprise-reporting.md` section 3.7.

use crate::at::Version;
use crate::balances::demand_data;
use crate::listing::Listing;
use crate::resource::{Decimal, Resource, filled, members, part_number, uuid};
use crate::scopes::{PERIOD, Question, SUBSCRIPTION, period_name};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, List, expand};
use axum::Json;
use calendar::BillingPeriod;
use domain::Error;
use httpkit::{ExactNumber, Group};
use money::Fixed18;
use service::{PriceRow, PriceSheetAsked, SheetPrices};

const METER_DETAILS: &str = "meterDetails";
/// What may stand before it, beside `properties/`.
const IN_SHEETS: &str = "pricesheets/meterDetails";

pub(crate) fn group(_: Version) -> Group<Consumption> {
    let (now, of_period) =
        (format!("{SUBSCRIPTION}{PROVIDER}"), format!("{SUBSCRIPTION}{PERIOD}{PROVIDER}"));
    Group::new()
        // Of the open billing period, and of any.
        .get("PriceSheet_Get", &now, "/pricesheets/default", get)
        .get("PriceSheet_GetByBillingPeriod", &of_period, "/pricesheets/default", get)
}

async fn get(
    question: Question,
    listing: Listing,
) -> Result<Json<Resource<PriceSheetModel>>, ArmError> {
    let Question { caller, spot, .. } = question;
    let reckoner = &listing.consumption.reckoner;
    let period = spot.period.unwrap_or_else(|| BillingPeriod::of(reckoner.now()));
    demand_data(period)?;
    if period > BillingPeriod::of(reckoner.now()) {
        return Err(Error::not_found("billing period", period_name(period)).into());
    }
    let with_meters = !expand(listing.asked.query(), &[METER_DETAILS, IN_SHEETS])?.is_empty();
    let (billing_account, profile) = (spot.account.id, spot.profile);
    let asked = PriceSheetAsked { billing_account, profile, prices: SheetPrices::Of(period) };
    let rows = reckoner.price_sheet(&caller, &asked).await?;
    let billing_period = billing_period_id(&spot.id, period);
    // What is included is told with each paid price, reservations in their own reports.
    let is_paid = |row: &PriceRow| row.number.is_some();
    let paid = rows.filter(|row| row.as_ref().map_or_else(|_| true, is_paid));
    let rows = paid.collect::<Result<Vec<PriceRow>, Error>>()?;
    let page = listing.numbered(rows)?.map(|row| view(&row, &billing_period, with_meters));
    let List { value, next_link } = page;
    let properties = PriceSheetModel { pricesheets: Some(value), next_link, download: None };
    Ok(Json(Resource::new(&billing_period, "pricesheets", "default", properties)))
}

/// The id of a billing period of a scope.
pub(crate) fn billing_period_id(scope: &str, period: BillingPeriod) -> String {
    format!("{scope}/providers/Microsoft.Billing/billingPeriods/{}", period_name(period))
}

members! {
    /// `PriceSheetModel`.
    PriceSheetModel {
        pricesheets: Vec<PriceSheetProperties>,
        next_link: String,
        download: MeterDetails,
    }
}

members! {
    /// `PriceSheetProperties`.
    PriceSheetProperties {
        billing_period_id: String,
        meter_id: String,
        meter_details: MeterDetails,
        unit_of_measure: String,
        included_quantity: Decimal,
        part_number: String,
        unit_price: Decimal,
        currency_code: String,
        offer_id: String,
    }
}

members! {
    /// `MeterDetails`.
    MeterDetails {
        meter_name: String,
        meter_category: String,
        meter_sub_category: String,
        unit: String,
        meter_location: String,
        total_included_quantity: Decimal,
        pretax_standard_rate: Decimal,
        service_name: String,
        service_tier: String,
    }
}

pub(crate) fn view(
    row: &PriceRow,
    billing_period: &str,
    with_meters: bool,
) -> PriceSheetProperties {
    let (meter, tier, lineage) = (&row.meter, &row.tier, row.lineage.as_deref());
    // A package is priced as a whole.
    let unit = if tier.block == Fixed18::ONE {
        meter.unit.clone()
    } else {
        format!("{} {}", tier.block, meter.unit)
    };
    PriceSheetProperties {
        billing_period_id: Some(billing_period.to_owned()),
        meter_id: uuid(meter.id.as_str()),
        meter_details: with_meters.then(|| meter_details(row)),
        unit_of_measure: Some(unit),
        included_quantity: Some(ExactNumber(row.included)),
        part_number: lineage.zip(row.number).map(|(of, tier)| part_number(of, tier)),
        unit_price: Some(ExactNumber(tier.price)),
        currency_code: Some(row.currency.to_string()),
        offer_id: row.offer.as_ref().map(ToString::to_string),
    }
}

fn meter_details(row: &PriceRow) -> MeterDetails {
    let meter = &row.meter;
    MeterDetails {
        meter_name: Some(meter.name.clone()),
        meter_category: Some(meter.category.clone()),
        meter_sub_category: filled(&meter.subcategory),
        unit: Some(meter.unit.clone()),
        meter_location: filled(&meter.region),
        total_included_quantity: Some(ExactNumber(row.included)),
        pretax_standard_rate: row.list_price.map(ExactNumber),
        service_name: Some(meter.category.clone()),
        service_tier: None,
    }
}
