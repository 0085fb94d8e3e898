//! RecipientTransfers: what others ask the caller to hand over, and its answers.

use super::transfer_details::{
    Details, NAME, One, RecipientTransferProperties, made_at, one, product_type, received,
};
use super::transfers::{ALL, ONE};
use crate::at::At;
use crate::given::{Body, Wrapped, given, sent, told, wrong};
use crate::listing::Listing;
use crate::writing::Writing;
use crate::{Billing, PROVIDER};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::State;
use domain::access::Caller;
use domain::transfers::{Finding, FindingLevel, Outcome, ProductKind};
use domain::{Error, Kind};
use httpkit::{Asking, Group, Object};
use serde::{Deserialize, Serialize};
use service::{TransferTold, ValidatedProduct};

const ACCEPT: &str = "/transfers/{transferName}/acceptTransfer";
const VALIDATE: &str = "/transfers/{transferName}/validateTransfer";
const DECLINE: &str = "/transfers/{transferName}/declineTransfer";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .post("RecipientTransfers_Accept", PROVIDER, ACCEPT, accept)
        .post("RecipientTransfers_Validate", PROVIDER, VALIDATE, validate)
        .post("RecipientTransfers_Decline", PROVIDER, DECLINE, decline)
        .get("RecipientTransfers_Get", PROVIDER, ONE, get)
        .get("RecipientTransfers_List", PROVIDER, ALL, list)
}

async fn list(
    listing: Listing,
    Asking(caller): Asking,
) -> Result<Json<List<Details<RecipientTransferProperties>>>, ArmError> {
    let all = listing.billing.reckoner.received_transfers(&caller).await?;
    Ok(Json(listing.numbered(all)?.map(|told| received(&told))))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
) -> Result<One<RecipientTransferProperties>, ArmError> {
    Ok(show(&found(&billing, &caller, &at).await?))
}

/// The transfer that a path names, among those that the caller received.
async fn found(billing: &Billing, caller: &Caller, at: &At) -> Result<TransferTold, ArmError> {
    let name = at.name(NAME);
    match billing.reckoner.received_transfer(caller, name).await {
        Err(error) if error.kind() == Kind::NotFound => {
            let found = made_at(billing.reckoner.received_transfers(caller).await?, name);
            Ok(found.ok_or_else(|| Error::not_found("transfer", name))?)
        }
        answer => Ok(answer?),
    }
}

fn show(told: &TransferTold) -> One<RecipientTransferProperties> {
    one(&format!("{PROVIDER}{ALL}"), told, received(told))
}

/// Hands over what the body names; it is moved behind the answer.
async fn accept(
    State(billing): State<Billing>,
    writing: Writing,
    Body(given): Body<Wrapped<AcceptTransferProperties>>,
) -> Result<One<RecipientTransferProperties>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let products = products(at, given.properties)?;
    let found = found(&billing, caller, at).await?;
    let reckoner = writing.reckoner(&billing);
    let accepted = reckoner.accept_transfer(caller, found.id.as_str(), &products, request_id).await;
    Ok(show(&accepted.map_err(|error| told(at.operation, error))?))
}

/// Says of each product whether it can be handed over; changes nothing.
async fn validate(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    Body(given): Body<Wrapped<AcceptTransferProperties>>,
) -> Result<Json<List<Details<ValidateTransferResponseProperties>>>, ArmError> {
    let products = products(&at, given.properties)?;
    let found = found(&billing, &caller, &at).await?;
    let validated = billing.reckoner.validate_transfer(&caller, found.id.as_str(), &products).await;
    let validated = validated.map_err(|error| told(at.operation, error))?;
    Ok(Json(List { value: validated.iter().map(result).collect(), next_link: None }))
}

async fn decline(
    State(billing): State<Billing>,
    writing: Writing,
) -> Result<One<RecipientTransferProperties>, ArmError> {
    let Writing { caller, at, request_id, .. } = &writing;
    let found = found(&billing, caller, at).await?;
    let reckoner = writing.reckoner(&billing);
    let declined = reckoner.decline_transfer(caller, found.id.as_str(), request_id).await?;
    Ok(show(&declined))
}

given! {
    /// `AcceptTransferProperties`.
    AcceptTransferProperties {
        product_details: Vec<Object<ProductDetails>>,
    } not taken {}
}

given! {
    /// `ProductDetails`.
    ProductDetails {
        product_type: ProductType,
        product_id: String,
    } not taken {}
}

/// `ProductType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ProductType(ProductKind);

impl TryFrom<String> for ProductType {
    type Error = String;

    fn try_from(text: String) -> Result<ProductType, String> {
        let mut known = [ProductKind::Subscription, ProductKind::Reservation].into_iter();
        let found = known.find(|kind| product_type(*kind) == text).map(ProductType);
        found.ok_or_else(|| "must be AzureSubscription or AzureReservation".to_owned())
    }
}

/// The products of a body.
fn products(
    at: &At,
    given: AcceptTransferProperties,
) -> Result<Vec<(ProductKind, String)>, ArmError> {
    let path = sent(at.operation, "products");
    let mut products = Vec::new();
    for (nth, Object(details)) in given.product_details.into_iter().flatten().enumerate() {
        let ProductDetails { product_type, product_id } = details;
        let missing = |member: &str| wrong(format!("{path}[{nth}].{member}"), "must be there");
        let ProductType(kind) = product_type.ok_or_else(|| missing("productType"))?;
        products.push((kind, product_id.ok_or_else(|| missing("productId"))?));
    }
    Ok(products)
}

/// `ValidateTransferResponseProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ValidateTransferResponseProperties {
    product_id: String,
    status: &'static str,
    results: Vec<ValidationResultProperties>,
}

/// `ValidationResultProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct ValidationResultProperties {
    level: &'static str,
    code: &'static str,
    message: String,
}

pub(crate) fn result(told: &ValidatedProduct) -> Details<ValidateTransferResponseProperties> {
    let ValidatedProduct { kind: _, id, outcome, findings } = told;
    Details::new(ValidateTransferResponseProperties {
        product_id: id.clone(),
        status: match outcome {
            Outcome::Ready => "Ready",
            Outcome::Warning => "Warning",
            Outcome::Failed => "Failed",
        },
        results: findings.iter().map(ValidationResultProperties::from).collect(),
    })
}

impl From<&Finding> for ValidationResultProperties {
    fn from(Finding { level, code, message }: &Finding) -> ValidationResultProperties {
        let level = match level {
            FindingLevel::Error => "Error",
            FindingLevel::Warning => "Warning",
        };
        ValidationResultProperties { level, code, message: message.clone() }
    }
}
