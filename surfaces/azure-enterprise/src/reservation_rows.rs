//! Rows of the reports of reservations.
//!
//! Source: `enterprise-reporting.md` sections 3.8 to 3.10. An order holds one reservation, and has
//! its id; what is reserved has the name of its meter.

use crate::routes::Version;
use crate::spelled::{Long, midnight, term};
use domain::catalog::{Condition, Meter};
use domain::ids::MeterId;
use domain::reservations::ReservationEvent;
use httpkit::ExactNumber;
use money::Fixed18;
use serde::Serialize;
use service::{
    LookBack, Named, ReservationDay, ReservationMonth, ReservationRecommendation,
    ReservationTransaction, Utilization,
};

/// One charge for a reservation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Charge {
    purchasing_enrollment: String,
    current_enrollment: String,
    arm_sku_name: String,
    term: String,
    region: String,
    // The documentation and the service's own description spell these two differently.
    #[serde(rename = "PurchasingsubscriptionGuid")]
    documented_guid: String,
    #[serde(rename = "PurchasingsubscriptionName")]
    documented_name: String,
    purchasing_subscription_guid: String,
    purchasing_subscription_name: String,
    #[serde(flatten)]
    purchaser: Option<Purchaser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_frequency: Option<&'static str>,
    event_date: String,
    reservation_order_id: String,
    reservation_order_name: String,
    description: String,
    event_type: &'static str,
    quantity: ExactNumber<Fixed18>,
    amount: ExactNumber<Fixed18>,
    currency: String,
}

/// Where the purchaser stood: not in the second version.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Purchaser {
    account_name: String,
    account_owner_email: String,
    department_name: String,
    cost_center: String,
}

impl Charge {
    pub(crate) fn of(version: Version, told: &ReservationTransaction) -> Charge {
        let (of, sku) = (&told.purchaser, sku(told.meter.as_ref()));
        let (guid, name) = (of.subscription.to_string(), of.subscription_name.clone());
        let owner = of.account_owner.as_ref();
        let purchaser = || Purchaser {
            account_name: name_of(of.enrollment_account.as_ref()),
            account_owner_email: owner.and_then(|one| one.email.clone()).unwrap_or_default(),
            department_name: name_of(of.department.as_ref()),
            cost_center: of.cost_center.clone(),
        };
        Charge {
            purchasing_enrollment: told.bought_by.to_string(),
            current_enrollment: told.held_by.to_string(),
            term: term(told.term),
            region: told.region.clone().unwrap_or_default(),
            documented_guid: guid.clone(),
            documented_name: name.clone(),
            purchasing_subscription_guid: guid,
            purchasing_subscription_name: name,
            purchaser: (version >= Version::V3).then(purchaser),
            // Reservations are paid at once.
            billing_frequency: (version >= Version::V4).then_some("OneTime"),
            event_date: told.at.to_string(),
            reservation_order_id: told.reservation.to_string(),
            reservation_order_name: told.reservation.to_string(),
            description: description(&sku, told),
            arm_sku_name: sku,
            event_type: event_type(told.event),
            quantity: ExactNumber(told.quantity),
            amount: ExactNumber(told.amount.major),
            currency: told.amount.currency.to_string(),
        }
    }
}

/// What was bought, where, for how long.
fn description(sku: &str, told: &ReservationTransaction) -> String {
    let during = told.term.whole_months().map(|months| match months.rem_euclid(12) {
        0 => format!("{} Year", months.div_euclid(12)),
        _ => format!("{months} Month"),
    });
    let parts = [Some(sku.to_owned()), told.region.clone(), during];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The vendor knows of no exchange: what it gives back is a refund.
const fn event_type(event: ReservationEvent) -> &'static str {
    match event {
        ReservationEvent::Purchase => "Purchase",
        ReservationEvent::Cancel => "Cancel",
        ReservationEvent::Refund | ReservationEvent::Exchange => "Refund",
    }
}

fn name_of(place: Option<&Named>) -> String {
    place.map(|place| place.name.clone()).unwrap_or_default()
}

fn sku(meter: Option<&MeterId>) -> String {
    meter.map(ToString::to_string).unwrap_or_default()
}

/// What a reservation covered of an instance on one day.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Detail {
    reservation_order_id: String,
    reservation_id: String,
    usage_date: String,
    sku_name: String,
    instance_id: String,
    total_reserved_quantity: Long,
    reserved_hours: Long,
    used_hours: Long,
}

impl Detail {
    /// A row for each instance; one without any of a day on which nothing was covered.
    pub(crate) fn of(told: &ReservationDay) -> Vec<Detail> {
        let row = |instance: &str, used: Fixed18| Detail {
            reservation_order_id: told.reservation.to_string(),
            reservation_id: told.reservation.to_string(),
            usage_date: midnight(told.day),
            sku_name: sku(told.meter.as_ref()),
            instance_id: instance.to_owned(),
            total_reserved_quantity: Long(told.quantity),
            reserved_hours: Long(told.reserved),
            used_hours: Long(used),
        };
        if told.instances.is_empty() {
            return vec![row("", Fixed18::ZERO)];
        }
        told.instances.iter().map(|one| row(&one.instance, one.used)).collect()
    }
}

/// How far a reservation was used.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    reservation_order_id: String,
    reservation_id: String,
    sku_name: String,
    reserved_hours: ExactNumber<Fixed18>,
    usage_date: String,
    used_hours: ExactNumber<Fixed18>,
    min_utilization_percentage: ExactNumber<Fixed18>,
    avg_utilization_percentage: ExactNumber<Fixed18>,
    max_utilization_percentage: ExactNumber<Fixed18>,
}

/// That of a day.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Daily(Summary);

/// That of a month, which is told by its first day.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Monthly(Summary);

impl Daily {
    pub(crate) fn of(told: &ReservationDay) -> Daily {
        let Utilization { min, avg, max } = told.utilization;
        Daily(Summary {
            reservation_order_id: told.reservation.to_string(),
            reservation_id: told.reservation.to_string(),
            sku_name: sku(told.meter.as_ref()),
            reserved_hours: ExactNumber(told.reserved),
            usage_date: midnight(told.day),
            used_hours: ExactNumber(told.used),
            min_utilization_percentage: ExactNumber(min),
            avg_utilization_percentage: ExactNumber(avg),
            max_utilization_percentage: ExactNumber(max),
        })
    }
}

impl Monthly {
    pub(crate) fn of(told: &ReservationMonth) -> Monthly {
        let Utilization { min, avg, max } = told.utilization;
        Monthly(Summary {
            reservation_order_id: told.reservation.to_string(),
            reservation_id: told.reservation.to_string(),
            sku_name: sku(told.meter.as_ref()),
            reserved_hours: ExactNumber(told.reserved),
            usage_date: midnight(told.period.start().day()),
            used_hours: ExactNumber(told.used),
            min_utilization_percentage: ExactNumber(min),
            avg_utilization_percentage: ExactNumber(avg),
            max_utilization_percentage: ExactNumber(max),
        })
    }
}

/// What a reservation would have saved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recommendation {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<String>,
    look_back_period: &'static str,
    meter_id: String,
    sku_name: String,
    term: String,
    region: String,
    #[serde(rename = "costWithNoRI")]
    cost_without: ExactNumber<Fixed18>,
    recommended_quantity: ExactNumber<Fixed18>,
    #[serde(rename = "totalCostWithRI")]
    cost_with: ExactNumber<Fixed18>,
    net_savings: ExactNumber<Fixed18>,
    first_usage_date: String,
    resource_type: String,
    instance_flexibility_ratio: ExactNumber<Fixed18>,
    instance_flexibility_group: String,
    normalized_size: String,
    recommended_quantity_normalized: ExactNumber<Fixed18>,
    sku_properties: Vec<SkuProperty>,
}

/// What usage must have to be covered.
#[derive(Debug, Serialize)]
struct SkuProperty {
    name: &'static str,
    value: String,
}

impl Recommendation {
    pub(crate) fn of(told: &ReservationRecommendation) -> Recommendation {
        let category = |meter: &Meter| meter.category.clone();
        let property =
            |one: &Condition| SkuProperty { name: one.dimension.name(), value: one.value.clone() };
        Recommendation {
            subscription_id: told.subscription.as_ref().map(ToString::to_string),
            look_back_period: look_back(told.look_back),
            meter_id: told.meter.to_string(),
            sku_name: told.meter.to_string(),
            term: term(told.term),
            region: told.region.clone().unwrap_or_default(),
            cost_without: ExactNumber(told.cost_without.major),
            recommended_quantity: ExactNumber(told.quantity),
            cost_with: ExactNumber(told.cost_with.major),
            net_savings: ExactNumber(told.net_savings.major),
            first_usage_date: midnight(told.first_used),
            resource_type: told.counted.as_ref().map(category).unwrap_or_default(),
            // A meter is of one size, and of no family.
            instance_flexibility_ratio: ExactNumber(Fixed18::ONE),
            instance_flexibility_group: String::new(),
            normalized_size: told.meter.to_string(),
            recommended_quantity_normalized: ExactNumber(told.quantity),
            sku_properties: told.conditions.iter().map(property).collect(),
        }
    }
}

const fn look_back(days: LookBack) -> &'static str {
    match days {
        LookBack::Last7Days => "Last7Days",
        LookBack::Last30Days => "Last30Days",
        LookBack::Last60Days => "Last60Days",
    }
}

#[cfg(test)]
mod tests;
