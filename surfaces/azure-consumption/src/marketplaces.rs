//! Marketplaces: charges of third parties at a scope.

use crate::at::Version;
use crate::details_asked::marketplace;
use crate::legacy_details::rate;
use crate::listing::items_most;
use crate::price_sheets::billing_period_id;
use crate::resource::{Decimal, Resource, filled, members, resource_group, resource_name, uuid};
use crate::scopes::{Question, SCOPE, Spot};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, List, ListAsked};
use axum::Json;
use axum::extract::State;
use calendar::{MICROS_PER_DAY, MICROS_PER_SECOND};
use httpkit::{ExactNumber, Group};
use money::Fixed18;
use serde_json::{Map, Value};
use service::{DetailKind, DetailTold};

pub(crate) fn group(_: Version) -> Group<Consumption> {
    let place = format!("{SCOPE}{PROVIDER}");
    Group::new().get("Marketplaces_List", &place, "/marketplaces", list)
}

async fn list(
    State(consumption): State<Consumption>,
    question: Question,
    asked: ListAsked,
) -> Result<Json<List<Resource<MarketplaceProperties>>>, ArmError> {
    let (reckoner, query) = (&consumption.reckoner, asked.query());
    let Question { caller, at: _, spot } = &question;
    let limits = (reckoner.now(), reckoner.limits().filter_bytes);
    let (details, most) = (marketplace(spot, query, limits)?, items_most(reckoner, query)?);
    let page = reckoner.details_page(caller, &details, asked.token()?, most).await?;
    let next_link = page.next.as_deref().map(|token| asked.next_link(token));
    let is_final = |told: &DetailTold| {
        page.data_sets.iter().any(|set| set.period == told.period && set.is_final)
    };
    let value = page.details.iter().map(|told| view(spot, told, !is_final(told))).collect();
    Ok(Json(List { value, next_link }))
}

members! {
    /// `MarketplaceProperties`.
    MarketplaceProperties {
        billing_period_id: String,
        usage_start: String,
        usage_end: String,
        resource_rate: Decimal,
        offer_name: String,
        resource_group: String,
        additional_info: String,
        order_number: String,
        instance_name: String,
        instance_id: String,
        currency: String,
        consumed_quantity: Decimal,
        unit_of_measure: String,
        pretax_cost: Decimal,
        is_estimated: bool,
        meter_id: String,
        subscription_guid: String,
        subscription_name: String,
        account_name: String,
        department_name: String,
        consumed_service: String,
        cost_center: String,
        additional_properties: String,
        publisher_name: String,
        plan_name: String,
        is_recurring_charge: bool,
    }
}

pub(crate) fn view(
    spot: &Spot,
    told: &DetailTold,
    is_estimated: bool,
) -> Resource<MarketplaceProperties> {
    let (cost, meter) = (told.cost.as_ref(), told.meter.as_ref());
    let (subscription, own) = (told.subscription.as_ref(), Own::of(told));
    let category = meter.and_then(|meter| filled(&meter.category));
    let is_fee = own.says("isRecurringCharge") || told.kind == DetailKind::Charge;
    let last_second = MICROS_PER_DAY.saturating_sub(MICROS_PER_SECOND);
    let billing_period = billing_period_id(&spot.id, told.period);
    let currency = cost.map_or(spot.account.currency, |cost| cost.billing.currency);
    let properties = MarketplaceProperties {
        billing_period_id: Some(billing_period.clone()),
        usage_start: Some(told.day.start().to_string()),
        usage_end: Some(told.day.start().plus_micros(last_second).to_string()),
        // `az` wants one of each charge.
        resource_rate: cost.map(|cost| ExactNumber(rate(told, cost).unwrap_or(Fixed18::ZERO))),
        offer_name: own.text("offerName").or(category),
        resource_group: resource_group(&told.resource).map(str::to_owned),
        additional_info: own.text("additionalInfo"),
        order_number: own.text("orderNumber").or_else(|| filled(&told.item)),
        instance_name: resource_name(&told.resource).map(str::to_owned),
        instance_id: filled(&told.resource),
        currency: Some(currency.to_string()),
        consumed_quantity: Some(ExactNumber(told.quantity)),
        unit_of_measure: meter.and_then(|meter| filled(&meter.unit)),
        pretax_cost: cost.map(|cost| ExactNumber(cost.billing.major)),
        is_estimated: Some(is_estimated),
        meter_id: meter.and_then(|meter| uuid(&meter.id)),
        subscription_guid: subscription.and_then(|one| uuid(&one.id)),
        subscription_name: subscription.map(|one| one.name.clone()),
        account_name: told.enrollment_account.as_ref().map(|one| one.name.clone()),
        department_name: told.department.as_ref().map(|one| one.name.clone()),
        consumed_service: None,
        cost_center: filled(&told.cost_center),
        additional_properties: None,
        publisher_name: own.text("publisherName"),
        plan_name: own.text("planName").or_else(|| filled(&told.description)),
        is_recurring_charge: Some(is_fee),
    };
    let mut resource = Resource::new(&billing_period, "marketplaces", &told.name, properties);
    resource.tags = told.tags.clone();
    resource
}

/// What the source itself said of a charge, by names in any letter case.
struct Own(Map<String, Value>);

impl Own {
    fn of(told: &DetailTold) -> Own {
        let text = told.details.as_deref().unwrap_or("{}");
        Own(serde_json::from_str(text).unwrap_or_default())
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name).and_then(Value::as_str).and_then(filled)
    }

    fn says(&self, name: &str) -> bool {
        match self.value(name) {
            Some(Value::Bool(is_so)) => *is_so,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(_) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described::{detail, spot};
    use domain::agreements::AgreementType;

    #[test]
    fn a_charge_is_named_by_its_source_else_by_the_meter() {
        let check = |details: Option<&str>, member: &str, expected: &str| {
            let told = DetailTold { details: details.map(str::to_owned), ..detail() };
            let view = view(&spot(AgreementType::Enterprise), &told, false);
            let told = serde_json::to_value(view).unwrap();
            assert_eq!(told["properties"][member].to_string(), expected, "{details:?} {member}");
        };
        let own = Some("{\"OfferName\":\"Mail\",\"isrecurringcharge\":\"True\"}");
        check(own, "offerName", "\"Mail\"");
        check(own, "isRecurringCharge", "true");
        check(None, "offerName", "\"Storage\"");
        check(None, "planName", "\"P10 Disks\"");
        check(None, "isRecurringCharge", "false");
        check(None, "usageEnd", "\"2026-10-03T23:59:59Z\"");
        check(Some("no object"), "offerName", "\"Storage\"");
    }
}
