//! BillingSubscriptions, Products: transfers to another invoice section or billing profile of the
//! same billing account, and whether a product is renewed.

use crate::Billing;
use crate::V2019;
use crate::at::{self, At};
use crate::given::{Body, given, told, wrong};
use crate::resource::time;
use crate::same::moves::{self, EligibilityError, Flag};
use crate::writing::Writing;
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::access::Caller;
use domain::moves::Obstacle;
use httpkit::{Asking, Group};
use serde::Serialize;
use service::{HoldingId, HoldingMove, Reach, RenewalAsked, StructureChange};

/// Below an invoice section.
const MOVE_SUBSCRIPTION: &str = "/billingSubscriptions/{billingSubscriptionName}/transfer";
const CHECK_SUBSCRIPTION: &str =
    "/billingSubscriptions/{billingSubscriptionName}/validateTransferEligibility";
const MOVE_PRODUCT: &str = "/products/{productName}/transfer";
const CHECK_PRODUCT: &str = "/products/{productName}/validateTransferEligibility";
const RENEW_PRODUCT: &str = "/products/{productName}/updateAutoRenew";

const RENEW: &str = "Products_UpdateAutoRenewByInvoiceSection";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .post("BillingSubscriptions_Transfer", at::SECTION, MOVE_SUBSCRIPTION, transfer)
        .post("BillingSubscriptions_ValidateTransfer", at::SECTION, CHECK_SUBSCRIPTION, validate)
        .post("Products_Transfer", at::SECTION, MOVE_PRODUCT, transfer)
        .post("Products_ValidateTransfer", at::SECTION, CHECK_PRODUCT, validate)
        .post(RENEW, at::SECTION, RENEW_PRODUCT, renew)
}

/// Moves it, and its payer with it where the profile is another.
async fn transfer(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<TransferGiven>,
) -> Result<Response, ArmError> {
    let asked = asked(&billing, &writing.caller, &writing.at, given).await?;
    let operation = (V2019, writing.at.operation);
    billing.accept(&writing, operation, StructureChange::Move(asked)).await
}

/// Tells what stands against that.
async fn validate(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    Body(given): Body<TransferGiven>,
) -> Result<Json<TransferEligibilityResult>, ArmError> {
    let asked = asked(&billing, &caller, &at, given).await?;
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let obstacles = billing.reckoner.validate_move(&caller, &account.id, &asked).await;
    let obstacles = obstacles.map_err(|error| told(at.operation, error))?;
    Ok(Json(eligibility(at.operation, &obstacles)?))
}

/// The move that is asked for, away from the section that the path names.
async fn asked(
    billing: &Billing,
    caller: &Caller,
    at: &At,
    given: TransferGiven,
) -> Result<HoldingMove, ArmError> {
    let (_, source) = billing.place(caller, at).await?;
    let TransferGiven { destination_invoice_section_id, destination_billing_profile_id } = given;
    let section = destination_invoice_section_id.as_deref().map(moves::section).transpose()?;
    let profile = destination_billing_profile_id.as_deref().map(moves::profile).transpose()?;
    if section.is_none() && profile.is_none() {
        let problem = format!("must be there, or {}", moves::PROFILE);
        return Err(wrong(moves::SECTION, problem));
    }
    let source = Some(source.place.key.id.to_string());
    Ok(HoldingMove { holding: holding(at), source, section, profile, reach: Reach::Account })
}

fn holding(at: &At) -> HoldingId {
    match at.name("billingSubscriptionName") {
        "" => HoldingId::Product(at.name("productName").to_owned()),
        name => HoldingId::Subscription(name.to_owned()),
    }
}

given! {
    /// `TransferBillingSubscriptionRequestProperties`, `TransferProductRequestProperties`.
    TransferGiven {
        destination_invoice_section_id: String,
        destination_billing_profile_id: String,
    } not taken {}
}

/// `TransferBillingSubscriptionResult`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct TransferBillingSubscriptionResult {
    properties: TransferBillingSubscriptionResultProperties,
}

/// `TransferBillingSubscriptionResultProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct TransferBillingSubscriptionResultProperties {
    billing_subscription_name: String,
}

/// What is told of a subscription that was moved: the name that it has where it stands now.
pub(crate) fn transferred(name: &str) -> TransferBillingSubscriptionResult {
    let billing_subscription_name = name.to_owned();
    let properties = TransferBillingSubscriptionResultProperties { billing_subscription_name };
    TransferBillingSubscriptionResult { properties }
}

/// `ValidateSubscriptionTransferEligibilityResult`, `ValidateProductTransferEligibilityResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct TransferEligibilityResult {
    is_transfer_eligible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<EligibilityError>,
}

pub(crate) fn eligibility(
    operation: &str,
    obstacles: &[Obstacle],
) -> Result<TransferEligibilityResult, ArmError> {
    let error_details = moves::eligibility_error(operation, obstacles)?;
    Ok(TransferEligibilityResult { is_transfer_eligible: obstacles.is_empty(), error_details })
}

/// Says whether a product is renewed at its end.
async fn renew(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<RenewalGiven>,
) -> Result<Json<UpdateAutoRenewOperation>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let (account, section) = billing.place(caller, at).await?;
    let Flag(auto_renew) = given.auto_renew.ok_or_else(|| wrong("autoRenew", "must be there"))?;
    let (product, place) = (at.name("productName").to_owned(), Some(section.place));
    let asked = RenewalAsked { account: account.id, place, product, auto_renew };
    let reckoner = writing.reckoner(&billing);
    let ends_at = reckoner.set_auto_renew(caller, &asked, request_id).await;
    let end_date = time(ends_at.map_err(|error| told(at.operation, error))?);
    Ok(Json(renewal(end_date)))
}

given! {
    /// `UpdateAutoRenewRequest`.
    RenewalGiven {
        auto_renew: Flag,
    } not taken {}
}

/// `UpdateAutoRenewOperation`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct UpdateAutoRenewOperation {
    properties: UpdateAutoRenewOperationProperties,
}

/// `UpdateAutoRenewOperationProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct UpdateAutoRenewOperationProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
}

pub(crate) fn renewal(end_date: Option<String>) -> UpdateAutoRenewOperation {
    UpdateAutoRenewOperation { properties: UpdateAutoRenewOperationProperties { end_date } }
}
