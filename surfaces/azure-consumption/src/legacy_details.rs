//! Usage details of enterprises and of who buys online, and what both kinds of details share.

use crate::at::Version;
use crate::details_asked::{Metric, charge_type, frequency, publisher_type};
use crate::resource::{
    Decimal, filled, members, part_number, resource_group, resource_name, resource_provider, uuid,
};
use crate::scopes::Spot;
use calendar::{BillingPeriod, MICROS_PER_DAY};
use domain::credits::Coverage;
use domain::rated::RowKind;
use domain::usage::Dimension;
use httpkit::ExactNumber;
use money::{Cost, Fixed18, Rounding};
use service::{DetailCost, DetailKind, DetailTold};

/// What of details is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) version: Version,
    pub(crate) metric: Metric,
    pub(crate) meter_details: bool,
    pub(crate) additional_info: bool,
}

members! {
    /// `LegacyUsageDetailProperties`; the last two are of `2021-10-01` alone.
    LegacyUsageDetailProperties {
        billing_account_id: String,
        billing_account_name: String,
        billing_period_start_date: String,
        billing_period_end_date: String,
        billing_profile_id: String,
        billing_profile_name: String,
        account_owner_id: String,
        account_name: String,
        subscription_id: String,
        subscription_name: String,
        date: String,
        product: String,
        part_number: String,
        meter_id: String,
        meter_details: MeterDetailsResponse,
        quantity: Decimal,
        effective_price: Decimal,
        cost: Decimal,
        unit_price: Decimal,
        billing_currency: String,
        resource_location: String,
        consumed_service: String,
        resource_id: String,
        resource_name: String,
        service_info1: String,
        service_info2: String,
        additional_info: String,
        invoice_section: String,
        cost_center: String,
        resource_group: String,
        reservation_id: String,
        reservation_name: String,
        product_order_id: String,
        product_order_name: String,
        offer_id: String,
        is_azure_credit_eligible: bool,
        term: String,
        publisher_name: String,
        publisher_type: String,
        plan_name: String,
        charge_type: String,
        frequency: String,
        pay_g_price: Decimal,
        pricing_model: String,
    }
}

members! {
    /// `MeterDetailsResponse`.
    MeterDetailsResponse {
        meter_name: String,
        meter_category: String,
        meter_sub_category: String,
        unit_of_measure: String,
        service_family: String,
    }
}

impl LegacyUsageDetailProperties {
    /// Of a detail at a scope.
    pub(crate) fn of(spot: &Spot, shown: &Shown, told: &DetailTold) -> LegacyUsageDetailProperties {
        let is_new = shown.version == Version::V2021;
        let cost = told.cost.as_ref();
        let billed = cost.map(|cost| billed(shown.metric, cost));
        // Where there are no profiles, the account is billed itself.
        let account = (told.billing_account.to_string(), spot.account.name.clone());
        let profile = told.profile.as_ref().map(|one| (one.id.clone(), one.name.clone()));
        let (profile_id, profile_name) = profile.unwrap_or_else(|| account.clone());
        let section = told.section.as_ref().or(told.department.as_ref());
        let reservation = told.reservation.as_ref();
        LegacyUsageDetailProperties {
            billing_account_id: Some(account.0),
            billing_account_name: Some(account.1),
            billing_period_start_date: Some(told.period.start().to_string()),
            billing_period_end_date: Some(last_day(told.period)),
            billing_profile_id: Some(profile_id),
            billing_profile_name: Some(profile_name),
            account_owner_id: told.owner_email.clone(),
            account_name: told.enrollment_account.as_ref().map(|one| one.name.clone()),
            subscription_id: told.subscription.as_ref().map(|one| one.id.clone()),
            subscription_name: told.subscription.as_ref().map(|one| one.name.clone()),
            date: Some(told.day.start().to_string()),
            product: filled(&told.description),
            part_number: told.price.as_ref().map(|price| part_number(price, told.tier)),
            meter_id: told.meter.as_ref().and_then(|meter| uuid(&meter.id)),
            meter_details: meter_details(told).filter(|_| shown.meter_details),
            quantity: Some(ExactNumber(told.quantity)),
            effective_price: cost.and_then(|cost| effective_price(shown, told, cost)),
            cost: billed.map(|cost| ExactNumber(cost.major)),
            unit_price: cost.and_then(|cost| cost.unit_price).map(ExactNumber),
            billing_currency: Some(
                billed.map_or(spot.account.currency, |c| c.currency).to_string(),
            ),
            resource_location: told.dimensions.get(&Dimension::Location).cloned(),
            consumed_service: resource_provider(&told.resource).map(str::to_owned),
            resource_id: filled(&told.resource),
            resource_name: resource_name(&told.resource).map(str::to_owned),
            service_info1: None,
            service_info2: None,
            additional_info: told.details.clone().filter(|_| shown.additional_info),
            invoice_section: section.map(|one| one.name.clone()),
            cost_center: filled(&told.cost_center),
            resource_group: resource_group(&told.resource).map(str::to_owned),
            reservation_id: reservation.map(|one| one.id.clone()),
            reservation_name: reservation.map(|one| one.name.clone()),
            // An order has one reservation, of the same id.
            product_order_id: reservation.map(|one| one.id.clone()),
            product_order_name: reservation.map(|one| one.name.clone()),
            offer_id: told.offer.as_ref().map(|one| one.id.clone()),
            is_azure_credit_eligible: Some(told.coverage == Coverage::Covered),
            term: None,
            publisher_name: None,
            publisher_type: Some(publisher_type(told).to_owned()),
            plan_name: None,
            charge_type: Some(charge_type(told).to_owned()),
            frequency: Some(frequency(told).to_owned()),
            pay_g_price: None,
            pricing_model: is_new.then(|| pricing_model(told).to_owned()),
        }
    }
}

fn meter_details(told: &DetailTold) -> Option<MeterDetailsResponse> {
    told.meter.as_ref().map(|meter| MeterDetailsResponse {
        meter_name: filled(&told.description),
        meter_category: filled(&meter.category),
        meter_sub_category: filled(&meter.subcategory),
        unit_of_measure: filled(&meter.unit),
        service_family: None,
    })
}

/// What is billed of a detail, by what is asked for.
pub(crate) const fn billed(metric: Metric, cost: &DetailCost) -> Cost {
    match metric {
        Metric::Actual | Metric::Usage => cost.billing,
        Metric::Amortised => cost.amortised,
    }
}

/// What a unit came to in the billing currency: nothing, where a reservation had paid; else the
/// price, or the cost by the quantity. Untold where reservations are spread.
pub(crate) fn effective_price(
    shown: &Shown,
    told: &DetailTold,
    cost: &DetailCost,
) -> Option<Decimal> {
    let is_reserved = told.kind == DetailKind::Rated(RowKind::Covered);
    match (is_reserved, shown.metric) {
        (true, Metric::Amortised) => None,
        (true, Metric::Actual | Metric::Usage) => Some(ExactNumber(Fixed18::ZERO)),
        (false, _) => rate(told, cost).map(ExactNumber),
    }
}

/// What a unit costs in the billing currency: the price, else the cost by the quantity; none where
/// nothing is counted.
pub(crate) fn rate(told: &DetailTold, cost: &DetailCost) -> Option<Fixed18> {
    let price = cost.unit_price.filter(|_| cost.exchange.is_none());
    let billed = cost.billing.major;
    price.or_else(|| billed.mul_div(Fixed18::ONE, told.quantity, Rounding::default()).ok())
}

/// How a detail is priced.
pub(crate) fn pricing_model(told: &DetailTold) -> &'static str {
    if told.reservation.is_some() { "Reservation" } else { "On Demand" }
}

/// The last day of a billing period, as the contract's examples spell it.
pub(crate) fn last_day(period: BillingPeriod) -> String {
    period.end().plus_micros(MICROS_PER_DAY.saturating_neg()).to_string()
}
