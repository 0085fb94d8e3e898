//! Transfers as the three groups of them spell one: for who asked for it and for who is to answer.
//!
//! No answer has a member for a transfer's name. `Content-Location` tells it, and the time at which
//! a transfer was made stands for it in addresses, so that lists lead to what they list.

use crate::at::{account_id, tail};
use crate::given::given;
use crate::resource::{account_type, filled};
use axum::Json;
use axum::http::header::CONTENT_LOCATION;
use axum::http::{HeaderMap, HeaderValue};
use calendar::Instant;
use domain::transfers::{ProductKind, ProductTransferState, TransferProblem, TransferState};
use serde::Serialize;
use service::{TransferTold, TransferredProduct};

/// The parameter of a path that names a transfer.
pub(crate) const NAME: &str = "transferName";

/// What is told of a transfer: the contract puts nothing beside its properties.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Details<P> {
    properties: P,
}

impl<P> Details<P> {
    pub(crate) const fn new(properties: P) -> Details<P> {
        Details { properties }
    }
}

/// One transfer with its address.
pub(crate) type One<P> = (HeaderMap, Json<Details<P>>);

/// One transfer of a list that has this address.
pub(crate) fn one<P>(list: &str, told: &TransferTold, details: Details<P>) -> One<P> {
    let mut headers = HeaderMap::new();
    // Names of places may have what no header can hold.
    if let Ok(address) = HeaderValue::try_from(format!("{list}/{}", told.id)) {
        headers.insert(CONTENT_LOCATION, address);
    }
    (headers, Json(details))
}

/// The one of a list that was made at the time that stands for its name.
pub(crate) fn made_at(all: Vec<TransferTold>, name: &str) -> Option<TransferTold> {
    let made = Instant::parse(name).ok()?;
    let mut same = all.into_iter().filter(|told| told.created_at == made);
    let found = same.next()?;
    same.next().is_none().then_some(found)
}

given! {
    /// `InitiateTransferProperties`.
    InitiateTransferProperties {
        recipient_email_id: String,
        reseller_id: String,
    } not taken {}
}

/// `TransferProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize))]
#[cfg_attr(test, serde(default, bound(deserialize = "'de: 'static")))]
pub(crate) struct TransferProperties {
    billing_account_id: String,
    billing_profile_id: String,
    /// Of a partner, the customer.
    invoice_section_id: String,
    #[serde(flatten)]
    facts: TransferFacts,
}

/// `RecipientTransferProperties`: nothing of where the products will stand.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize))]
#[cfg_attr(test, serde(default, bound(deserialize = "'de: 'static")))]
pub(crate) struct RecipientTransferProperties {
    #[serde(skip_serializing_if = "is_empty")]
    #[cfg_attr(test, serde(deserialize_with = "crate::described::words"))]
    allowed_product_type: &'static [&'static str],
    #[serde(flatten)]
    facts: TransferFacts,
}

/// The members that both sides see.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct TransferFacts {
    creation_time: String,
    expiration_time: String,
    last_modified_time: String,
    transfer_status: &'static str,
    recipient_email_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    initiator_email_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initiator_customer_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canceled_by: Option<String>,
    /// Nothing before it is accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detailed_transfer_status: Vec<DetailedTransferStatus>,
}

/// `DetailedTransferStatus`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct DetailedTransferStatus {
    product_type: &'static str,
    product_id: String,
    transfer_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<TransferError>,
}

/// `Error`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct TransferError {
    error_code: String,
    error_message: String,
}

/// What may be given away.
///
/// Source: `EligibleProductType`.
const ALLOWED: &[&str] =
    &["StandardAzureSubscription", "DevTestAzureSubscription", "AzureReservation"];

fn is_empty(list: &&'static [&'static str]) -> bool {
    list.is_empty()
}

/// As who asked for it sees it.
pub(crate) fn view(told: &TransferTold) -> Details<TransferProperties> {
    let account = account_id(&told.initiator.billing_account);
    let profile = format!("{account}/billingProfiles/{}", told.profile);
    Details::new(TransferProperties {
        invoice_section_id: format!("{profile}{}", tail(Some(&told.initiator.key))),
        billing_profile_id: profile,
        billing_account_id: account,
        facts: facts(told),
    })
}

/// As who is to answer it sees it.
pub(crate) fn received(told: &TransferTold) -> Details<RecipientTransferProperties> {
    Details::new(RecipientTransferProperties { allowed_product_type: ALLOWED, facts: facts(told) })
}

fn facts(told: &TransferTold) -> TransferFacts {
    TransferFacts {
        creation_time: told.created_at.to_string(),
        expiration_time: told.expires_at.to_string(),
        last_modified_time: told.modified_at.to_string(),
        transfer_status: status(told.state),
        recipient_email_id: told.recipient_email.clone(),
        initiator_email_id: told.initiator_email.clone(),
        initiator_customer_type: account_type(told.kind),
        reseller_id: told.reseller.as_ref().map(|reseller| reseller.id.to_string()),
        reseller_name: told.reseller.as_ref().and_then(|reseller| filled(&reseller.name)),
        canceled_by: told.canceled_by.clone(),
        detailed_transfer_status: told.products.iter().map(detailed).collect(),
    }
}

fn detailed(product: &TransferredProduct) -> DetailedTransferStatus {
    let TransferredProduct { kind, id, state, error } = product;
    DetailedTransferStatus {
        product_type: product_type(*kind),
        product_id: id.clone(),
        transfer_status: product_status(*state),
        error_details: error.as_ref().map(TransferError::from),
    }
}

impl From<&TransferProblem> for TransferError {
    fn from(TransferProblem { code, message }: &TransferProblem) -> TransferError {
        TransferError { error_code: code.clone(), error_message: message.clone() }
    }
}

/// `ProductType`.
pub(crate) const fn product_type(kind: ProductKind) -> &'static str {
    match kind {
        ProductKind::Subscription => "AzureSubscription",
        ProductKind::Reservation => "AzureReservation",
    }
}

/// `TransferStatus`; it has no word for what nobody answered in time.
const fn status(state: TransferState) -> &'static str {
    match state {
        TransferState::Pending => "Pending",
        TransferState::InProgress => "InProgress",
        TransferState::Completed => "Completed",
        TransferState::CompletedWithErrors => "CompletedWithErrors",
        TransferState::Failed => "Failed",
        TransferState::Canceled | TransferState::Expired => "Canceled",
        TransferState::Declined => "Declined",
    }
}

/// `ProductTransferStatus`.
const fn product_status(state: ProductTransferState) -> &'static str {
    match state {
        ProductTransferState::NotStarted => "NotStarted",
        ProductTransferState::InProgress => "InProgress",
        ProductTransferState::Completed => "Completed",
        ProductTransferState::Failed => "Failed",
    }
}
