//! Usage details of customers and partners.

use crate::at::Version;
use crate::details_asked::{Metric, charge_type, frequency, publisher_type};
use crate::legacy_details::{Shown, billed, effective_price, last_day, pricing_model};
use crate::resource::{Decimal, filled, members, resource_group, resource_provider, uuid};
use crate::scopes::Spot;
use domain::credits::Coverage;
use domain::usage::Dimension;
use httpkit::ExactNumber;
use money::{Cost, Fixed18};
use service::{DetailCost, DetailTold};

/// The currency in which some costs are told beside.
const USD: &str = "USD";

members! {
    /// `ModernUsageDetailProperties`; the last six are of `2021-10-01` alone.
    ModernUsageDetailProperties {
        billing_account_id: String,
        billing_account_name: String,
        billing_period_start_date: String,
        billing_period_end_date: String,
        billing_profile_id: String,
        billing_profile_name: String,
        subscription_guid: String,
        subscription_name: String,
        date: String,
        product: String,
        meter_id: String,
        meter_name: String,
        meter_region: String,
        meter_category: String,
        meter_sub_category: String,
        service_family: String,
        quantity: Decimal,
        unit_of_measure: String,
        instance_name: String,
        #[serde(rename = "costInUSD")]
        cost_in_usd: Decimal,
        unit_price: Decimal,
        billing_currency_code: String,
        resource_location: String,
        consumed_service: String,
        service_info1: String,
        service_info2: String,
        additional_info: String,
        invoice_section_id: String,
        invoice_section_name: String,
        cost_center: String,
        resource_group: String,
        reservation_id: String,
        reservation_name: String,
        product_order_id: String,
        product_order_name: String,
        is_azure_credit_eligible: bool,
        term: String,
        publisher_name: String,
        publisher_type: String,
        charge_type: String,
        frequency: String,
        cost_in_billing_currency: Decimal,
        cost_in_pricing_currency: Decimal,
        exchange_rate: String,
        exchange_rate_date: String,
        invoice_id: String,
        previous_invoice_id: String,
        pricing_currency_code: String,
        product_identifier: String,
        resource_location_normalized: String,
        service_period_start_date: String,
        service_period_end_date: String,
        customer_tenant_id: String,
        customer_name: String,
        partner_tenant_id: String,
        partner_name: String,
        reseller_mpn_id: String,
        reseller_name: String,
        publisher_id: String,
        market_price: Decimal,
        exchange_rate_pricing_to_billing: Decimal,
        payg_cost_in_billing_currency: Decimal,
        #[serde(rename = "paygCostInUSD")]
        payg_cost_in_usd: Decimal,
        partner_earned_credit_rate: Decimal,
        partner_earned_credit_applied: String,
        pay_g_price: Decimal,
        benefit_id: String,
        benefit_name: String,
        provider: String,
        cost_allocation_rule_name: String,
        effective_price: Decimal,
        pricing_model: String,
    }
}

impl ModernUsageDetailProperties {
    /// Of a detail at a scope.
    pub(crate) fn of(spot: &Spot, shown: &Shown, told: &DetailTold) -> ModernUsageDetailProperties {
        let cost = told.cost.as_ref();
        let reservation = told.reservation.as_ref();
        let plain = ModernUsageDetailProperties {
            billing_account_id: Some(told.billing_account.to_string()),
            billing_account_name: Some(spot.account.name.clone()),
            billing_period_start_date: Some(told.period.start().to_string()),
            billing_period_end_date: Some(last_day(told.period)),
            billing_profile_id: told.profile.as_ref().map(|one| one.id.clone()),
            billing_profile_name: told.profile.as_ref().map(|one| one.name.clone()),
            subscription_guid: told.subscription.as_ref().map(|one| one.id.clone()),
            subscription_name: told.subscription.as_ref().map(|one| one.name.clone()),
            date: Some(told.day.start().to_string()),
            product: filled(&told.description),
            quantity: Some(ExactNumber(told.quantity)),
            instance_name: filled(&told.resource),
            resource_location: told.dimensions.get(&Dimension::Location).cloned(),
            consumed_service: resource_provider(&told.resource).map(str::to_owned),
            additional_info: told.details.clone(),
            invoice_section_id: told.section.as_ref().map(|one| one.id.clone()),
            invoice_section_name: told.section.as_ref().map(|one| one.name.clone()),
            cost_center: filled(&told.cost_center),
            resource_group: resource_group(&told.resource).map(str::to_owned),
            reservation_id: reservation.map(|one| one.id.clone()),
            reservation_name: reservation.map(|one| one.name.clone()),
            is_azure_credit_eligible: Some(told.coverage == Coverage::Covered),
            publisher_type: Some(publisher_type(told).to_owned()),
            charge_type: Some(charge_type(told).to_owned()),
            frequency: Some(frequency(told).to_owned()),
            invoice_id: told.invoice.as_ref().map(ToString::to_string),
            service_period_start_date: Some(told.service_period.start().to_string()),
            service_period_end_date: Some(told.service_period.end().to_string()),
            customer_name: told.customer.as_ref().map(|one| one.name.clone()),
            ..ModernUsageDetailProperties::default()
        };
        plain.ordered(told).metered(told).costing(shown, told, cost).newer(shown, told)
    }

    /// The order that a detail is of: a reservation's, of the same id; else the offer.
    fn ordered(self, told: &DetailTold) -> ModernUsageDetailProperties {
        let order = told.reservation.as_ref().or(told.offer.as_ref());
        ModernUsageDetailProperties {
            product_order_id: order.map(|one| one.id.clone()),
            product_order_name: order.map(|one| one.name.clone()),
            ..self
        }
    }

    fn metered(self, told: &DetailTold) -> ModernUsageDetailProperties {
        let Some(meter) = &told.meter else { return self };
        ModernUsageDetailProperties {
            meter_id: uuid(&meter.id),
            meter_name: filled(&told.description),
            meter_region: filled(&told.meter_region),
            meter_category: filled(&meter.category),
            meter_sub_category: filled(&meter.subcategory),
            unit_of_measure: filled(&meter.unit),
            ..self
        }
    }

    fn costing(
        self,
        shown: &Shown,
        told: &DetailTold,
        cost: Option<&DetailCost>,
    ) -> ModernUsageDetailProperties {
        let Some(cost) = cost else { return self };
        let own = billed(shown.metric, cost);
        // Spread costs are known in the billing currency only.
        let pricing = match shown.metric {
            Metric::Actual | Metric::Usage => Some(cost.pricing),
            Metric::Amortised => cost.exchange.is_none().then_some(own),
        };
        let is_new = shown.version == Version::V2021;
        let effective = effective_price(shown, told, cost);
        ModernUsageDetailProperties {
            cost_in_usd: [Some(own), pricing].into_iter().flatten().find_map(in_usd),
            unit_price: cost.unit_price.map(ExactNumber),
            billing_currency_code: Some(own.currency.to_string()),
            cost_in_billing_currency: Some(ExactNumber(own.major)),
            cost_in_pricing_currency: pricing.map(|cost| ExactNumber(cost.major)),
            exchange_rate: Some(cost.exchange.map_or("1".to_owned(), |rate| rate.to_string())),
            pricing_currency_code: Some(cost.pricing.currency.to_string()),
            exchange_rate_pricing_to_billing: Some(ExactNumber(
                cost.exchange.unwrap_or(Fixed18::ONE),
            )),
            payg_cost_in_billing_currency: cost.list.map(|list| ExactNumber(list.major)),
            payg_cost_in_usd: cost.list.and_then(in_usd),
            effective_price: effective.filter(|_| is_new),
            ..self
        }
    }

    /// What `2021-10-01` alone has.
    fn newer(self, shown: &Shown, told: &DetailTold) -> ModernUsageDetailProperties {
        if shown.version == Version::V2019 {
            return self;
        }
        let reservation = told.reservation.as_ref();
        ModernUsageDetailProperties {
            benefit_id: reservation.map(|one| one.id.clone()),
            benefit_name: reservation.map(|one| one.name.clone()),
            pricing_model: Some(pricing_model(told).to_owned()),
            ..self
        }
    }
}

/// A cost in dollars, if it is in dollars.
fn in_usd(cost: Cost) -> Option<Decimal> {
    (cost.currency.to_string() == USD).then_some(ExactNumber(cost.major))
}
