//! ReservationTransactions: what buying, exchanging, cancelling and giving back reservations was
//! charged.

use crate::reservation_usage::sku;
use crate::reservations::{Tagged, asked_days, term};
use crate::resource::{Decimal, filled, uuid};
use crate::scopes::{ACCOUNT, PROFILE, Question, account_id, collection};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::State;
use calendar::{BillingPeriod, Instant};
use domain::Error;
use domain::places::Level;
use domain::reservations::ReservationEvent;
use httpkit::{ExactNumber, Group};
use serde::Serialize;
use service::{ReservationTransaction, ReservationTransactionsAsked};

const TRANSACTIONS: &str = "reservationTransactions";
/// By what a filter names days.
const EVENT_DATE: &str = "eventDate";
/// A reservation is charged when something happens to it, and not month by month.
const FREQUENCY: &str = "OneTime";

pub(crate) fn group() -> Group<Consumption> {
    let tail = format!("{PROVIDER}/{TRANSACTIONS}");
    let of_profile = "ReservationTransactions_ListByBillingProfile";
    Group::new().get("ReservationTransactions_List", ACCOUNT, &tail, list).get(
        of_profile,
        PROFILE,
        &tail,
        list_of_profile,
    )
}

async fn list(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> Result<Json<List<LegacyTransaction>>, ArmError> {
    let is_second = question.at.version == crate::at::Version::V2021;
    let scope = question.spot.id.clone();
    let told = consumption.transactions(question, &query).await?;
    let value = told.iter().map(|one| legacy(&scope, one, is_second)).collect();
    Ok(Json(List { value, next_link: None }))
}

async fn list_of_profile(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> Result<Json<List<ModernTransaction>>, ArmError> {
    let scope = question.spot.id.clone();
    let account = account_id(&question.spot.account.id);
    let told = consumption.transactions(question, &query).await?;
    let value = told.iter().map(|one| modern((&scope, &account), one)).collect();
    Ok(Json(List { value, next_link: None }))
}

impl Consumption {
    async fn transactions(
        &self,
        question: Question,
        query: &Query,
    ) -> Result<Vec<ReservationTransaction>, Error> {
        let Question { caller, spot, .. } = question;
        let all = || Instant::MIN.day()..Instant::MAX.day();
        let days = asked_days(query, EVENT_DATE, self.reckoner.limits().filter_bytes)?;
        let days = days.unwrap_or_else(all);
        let asked = ReservationTransactionsAsked { days, reservation: None };
        self.reckoner.reservation_transactions(&caller, &spot.scope, &asked).await
    }
}

pub(crate) type LegacyTransaction = Tagged<Vec<String>, LegacyReservationTransactionProperties>;
pub(crate) type ModernTransaction = Tagged<Vec<String>, ModernReservationTransactionProperties>;

/// `LegacyReservationTransactionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct LegacyReservationTransactionProperties {
    event_date: String,
    reservation_order_id: String,
    description: String,
    event_type: String,
    quantity: Decimal,
    amount: Decimal,
    currency: String,
    purchasing_enrollment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchasing_subscription_guid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchasing_subscription_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arm_sku_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_owner_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    department_name: Option<String>,
    cost_center: String,
    current_enrollment: String,
    billing_frequency: String,
    /// Of the second version.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_month: Option<i32>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_order_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monetary_commitment: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overage: Option<Decimal>,
}

/// `ModernReservationTransactionProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ModernReservationTransactionProperties {
    event_date: String,
    reservation_order_id: String,
    description: String,
    event_type: String,
    quantity: Decimal,
    amount: Decimal,
    currency: String,
    billing_frequency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    arm_sku_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_section_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchasing_subscription_guid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchasing_subscription_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_order_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_id: Option<String>,
}

/// In the shape of enterprise agreements.
pub(crate) fn legacy(
    scope: &str,
    told: &ReservationTransaction,
    is_second: bool,
) -> LegacyTransaction {
    let purchaser = &told.purchaser;
    let name = |named: &Option<service::Named>| named.as_ref().map(|one| one.name.clone());
    let owner = purchaser.account_owner.as_ref();
    let properties = LegacyReservationTransactionProperties {
        event_date: told.at.to_string(),
        reservation_order_id: told.reservation.to_string(),
        description: description(told),
        event_type: event_type(told.event).to_owned(),
        quantity: ExactNumber(told.quantity),
        amount: ExactNumber(told.amount.major),
        currency: told.amount.currency.to_string(),
        purchasing_enrollment: told.bought_by.to_string(),
        purchasing_subscription_guid: uuid(purchaser.subscription.as_str()),
        purchasing_subscription_name: filled(&purchaser.subscription_name),
        arm_sku_name: sku(told.meter.as_ref()),
        term: term(told.term),
        region: told.region.clone(),
        account_name: name(&purchaser.enrollment_account),
        account_owner_email: owner.and_then(|owner| owner.email.clone()),
        department_name: name(&purchaser.department),
        cost_center: purchaser.cost_center.clone(),
        current_enrollment: told.held_by.to_string(),
        billing_frequency: FREQUENCY.to_owned(),
        billing_month: is_second.then(|| billing_month(told.at)),
        reservation_order_name: None,
        monetary_commitment: None,
        overage: None,
    };
    Tagged::new(scope, TRANSACTIONS, name_of(told), properties)
}

/// In the shape of billing profiles.
pub(crate) fn modern(
    (scope, account): (&str, &str),
    told: &ReservationTransaction,
) -> ModernTransaction {
    let purchaser = &told.purchaser;
    let name = |named: &Option<service::Named>| named.as_ref().map(|one| one.name.clone());
    let below = |above: &str, level: Level, named: &Option<service::Named>| {
        named.as_ref().map(|one| format!("{above}/{}/{}", collection(level), one.id))
    };
    let profile = below(account, Level::BillingProfile, &purchaser.profile);
    let above = profile.clone().unwrap_or_else(|| account.to_owned());
    let properties = ModernReservationTransactionProperties {
        event_date: told.at.to_string(),
        reservation_order_id: told.reservation.to_string(),
        description: description(told),
        event_type: event_type(told.event).to_owned(),
        quantity: ExactNumber(told.quantity),
        amount: ExactNumber(told.amount.major),
        currency: told.amount.currency.to_string(),
        billing_frequency: FREQUENCY.to_owned(),
        arm_sku_name: sku(told.meter.as_ref()),
        billing_profile_id: profile,
        billing_profile_name: name(&purchaser.profile),
        invoice_section_id: below(&above, Level::InvoiceSection, &purchaser.section),
        invoice_section_name: name(&purchaser.section),
        purchasing_subscription_guid: uuid(purchaser.subscription.as_str()),
        purchasing_subscription_name: filled(&purchaser.subscription_name),
        region: told.region.clone(),
        term: term(told.term),
        reservation_order_name: None,
        invoice: None,
        invoice_id: None,
    };
    Tagged::new(scope, TRANSACTIONS, name_of(told), properties)
}

/// One of its own: nothing happens to a reservation in the same way twice at a moment.
fn name_of(told: &ReservationTransaction) -> String {
    let moment = told.at.to_string().replace(['-', ':', '.'], "");
    format!("{}_{}_{moment}", told.reservation, told.event.name())
}

/// Source: the examples: `Purchase`, `Refund`, `Cancel`.
const fn event_type(event: ReservationEvent) -> &'static str {
    match event {
        ReservationEvent::Purchase => "Purchase",
        ReservationEvent::Exchange => "Exchange",
        ReservationEvent::Cancel => "Cancel",
        ReservationEvent::Refund => "Refund",
    }
}

/// What is reserved, where, and for how long.
fn description(told: &ReservationTransaction) -> String {
    let meter = told.counted.as_ref().map(|meter| meter.name.clone());
    let meter = meter.or_else(|| sku(told.meter.as_ref()));
    let parts = [meter, told.region.clone(), term(told.term)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The first day of a month, as a number: 20190901.
fn billing_month(at: Instant) -> i32 {
    BillingPeriod::of(at).number().saturating_mul(100).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_of_bills_are_their_first_days() {
        assert_eq!(billing_month(Instant::parse("2019-09-09T19:19:04Z").unwrap()), 20_190_901);
    }
}
