//! BillingSubscriptions, Products: moves to another invoice section of the same billing profile,
//! cost centres, and whether a product is renewed.

use super::{products, subscriptions};
use crate::Billing;
use crate::V2020;
use crate::at::{self, At};
use crate::given::{Body, Whole, given, told, wrong};
use crate::same::holdings;
use crate::same::moves::{self, EligibilityError, Switch};
use crate::writing::Writing;
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::moves::Obstacle;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::{HoldingId, HoldingMove, Reach, RenewalAsked, StructureChange};

/// Below a billing account.
const SUBSCRIPTION: &str = "/billingSubscriptions/{subscriptionId}";
const MOVE_SUBSCRIPTION: &str = "/billingSubscriptions/{subscriptionId}/move";
const CHECK_SUBSCRIPTION: &str = "/billingSubscriptions/{subscriptionId}/validateMoveEligibility";
const PRODUCT: &str = "/products/{productName}";
const MOVE_PRODUCT: &str = "/products/{productName}/move";
const CHECK_PRODUCT: &str = "/products/{productName}/validateMoveEligibility";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .post("BillingSubscriptions_Move", at::ACCOUNT, MOVE_SUBSCRIPTION, move_to)
        .post("BillingSubscriptions_ValidateMove", at::ACCOUNT, CHECK_SUBSCRIPTION, validate)
        .patch("BillingSubscriptions_Update", at::ACCOUNT, SUBSCRIPTION, update_subscription)
        .post("Products_Move", at::ACCOUNT, MOVE_PRODUCT, move_to)
        .post("Products_ValidateMove", at::ACCOUNT, CHECK_PRODUCT, validate)
        .patch("Products_Update", at::ACCOUNT, PRODUCT, update_product)
}

/// Moves it to another section of its profile.
async fn move_to(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<MoveGiven>,
) -> Result<Response, ArmError> {
    let asked = asked(&writing.at, given)?;
    let operation = (V2020, writing.at.operation);
    billing.accept(&writing, operation, StructureChange::Move(asked)).await
}

/// Tells what stands against that.
async fn validate(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    Body(given): Body<MoveGiven>,
) -> Result<Json<MoveEligibilityResult>, ArmError> {
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let asked = asked(&at, given)?;
    let obstacles = billing.reckoner.validate_move(&caller, &account.id, &asked).await;
    let obstacles = obstacles.map_err(|error| told(at.operation, error))?;
    Ok(Json(eligibility(at.operation, &obstacles)?))
}

fn asked(at: &At, given: MoveGiven) -> Result<HoldingMove, ArmError> {
    let id = given.destination_invoice_section_id;
    let id = id.ok_or_else(|| wrong(moves::SECTION, "must be there"))?;
    let section = Some(moves::section(&id)?);
    // Source: the description: the new section lies in the profile of the one before.
    let (source, profile, reach) = (None, None, Reach::Profile);
    Ok(HoldingMove { holding: holding(at), source, section, profile, reach })
}

fn holding(at: &At) -> HoldingId {
    match at.name("subscriptionId") {
        "" => HoldingId::Product(at.name("productName").to_owned()),
        id => HoldingId::Subscription(id.to_owned()),
    }
}

given! {
    /// `TransferBillingSubscriptionRequestProperties`, `TransferProductRequestProperties`.
    MoveGiven {
        destination_invoice_section_id: String,
    } not taken {}
}

/// `ValidateSubscriptionTransferEligibilityResult`, `ValidateProductTransferEligibilityResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct MoveEligibilityResult {
    is_move_eligible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<EligibilityError>,
}

pub(crate) fn eligibility(
    operation: &str,
    obstacles: &[Obstacle],
) -> Result<MoveEligibilityResult, ArmError> {
    let error_details = moves::eligibility_error(operation, obstacles)?;
    Ok(MoveEligibilityResult { is_move_eligible: obstacles.is_empty(), error_details })
}

/// Says whom the house books a subscription to; of all else nothing can be said here.
async fn update_subscription(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<SubscriptionGiven>>,
) -> Result<Json<subscriptions::Subscription>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let id = holdings::subscription(&billing, caller, (at, "subscriptionId")).await?.id;
    if let Some(cost_center) = given.properties.cost_center {
        let reckoner = writing.reckoner(&billing);
        let set = reckoner.set_cost_center(caller, &id, &cost_center, request_id);
        set.await.map_err(|error| told(at.operation, error))?;
    }
    let told = holdings::subscription(&billing, caller, (at, "subscriptionId")).await?;
    Ok(Json(subscriptions::view(&told)))
}

given! {
    /// `BillingSubscriptionProperties`, as they are sent.
    SubscriptionGiven {
        cost_center: String,
    } not taken {
        display_name, subscription_id, subscription_billing_status, last_month_charges,
        month_to_date_charges, billing_profile_id, billing_profile_display_name, customer_id,
        customer_display_name, invoice_section_id, invoice_section_display_name, reseller,
        sku_id, sku_description,
    }
}

/// Says whether a product is renewed at its end; of all else nothing can be said here.
async fn update_product(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Whole<ProductGiven>>,
) -> Result<Json<products::Product>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let known = holdings::product(&billing, caller, at).await?;
    if let Some(Switch(auto_renew)) = given.properties.auto_renew {
        let (account, product) = (known.held.account, known.id.to_string());
        let asked = RenewalAsked { account, place: None, product, auto_renew };
        let set = writing.reckoner(&billing).set_auto_renew(caller, &asked, request_id).await;
        set.map_err(|error| told(at.operation, error))?;
    }
    Ok(Json(products::view(&holdings::product(&billing, caller, at).await?)))
}

given! {
    /// `ProductProperties`, as they are sent.
    ProductGiven {
        auto_renew: Switch,
    } not taken {
        display_name, purchase_date, product_type_id, product_type, status, end_date,
        billing_frequency, last_charge, last_charge_date, quantity, sku_id, sku_description,
        tenant_id, availability_id, invoice_section_id, invoice_section_display_name,
        billing_profile_id, billing_profile_display_name, customer_id, customer_display_name,
        reseller,
    }
}
