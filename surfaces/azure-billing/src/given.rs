//! Bodies of changes: what is read of them, and what is declared and not taken, since clients send
//! back what they were shown. What is not declared is refused by its name.

use crate::Billing;
use crate::addresses;
use crate::same::moves;
use armkit::{ArmError, ErrorDetail};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use domain::Error;
use domain::addresses::{Draft, check_address};
use httpkit::{JsonBody, JsonList, Object, Refusal};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// The body, an object that is read strictly; a refusal names the member.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Billing> for Body<T> {
    type Rejection = ArmError;

    async fn from_request(request: Request, state: &Billing) -> Result<Body<T>, ArmError> {
        match JsonBody::<T>::from_request(request, state).await {
            Ok(JsonBody(value)) => Ok(Body(value)),
            Err(refusal) => Err(refused(refusal)),
        }
    }
}

/// The body, an array that is read strictly; a refusal names the item by its place: `[0]`.
#[derive(Debug)]
pub(crate) struct Items<T>(pub(crate) Vec<T>);

impl<T: DeserializeOwned> FromRequest<Billing> for Items<T> {
    type Rejection = ArmError;

    async fn from_request(request: Request, state: &Billing) -> Result<Items<T>, ArmError> {
        match JsonList::<T>::from_request(request, state).await {
            Ok(JsonList(items)) => Ok(Items(items)),
            Err(refusal) => Err(refused(refusal)),
        }
    }
}

fn refused(refusal: Refusal) -> ArmError {
    let mut target = None;
    if let Refusal::Fault(error) = &refusal
        && let Error::Invalid { field, problem: _ } = &**error
    {
        target = Some(field.clone());
    }
    let error = ArmError::from(refusal);
    match target {
        Some(target) => error.with_target(target),
        None => error,
    }
}

/// What a use case refuses of an operation's request, with the path of the member that the client
/// sent.
pub(crate) fn told(operation: &str, error: Error) -> ArmError {
    match error {
        Error::Invalid { field, problem } => wrong(sent(operation, &field), problem),
        Error::CannotMove { obstacle, .. } => {
            moves::refused(operation, obstacle, error.to_string())
        }
        error => missing_below(operation, error),
    }
}

/// What a billing account has not is one of its things there, and not where a request is made.
fn missing_below(operation: &str, error: Error) -> ArmError {
    match error {
        Error::NotFound { what: "subscription", key }
            if operation.starts_with("BillingSubscriptions_") =>
        {
            Error::not_found("billing subscription", key).into()
        }
        error => error.into(),
    }
}

/// A member that is wrong, by its path.
pub(crate) fn wrong(path: impl Into<String>, problem: impl Into<String>) -> ArmError {
    let path = path.into();
    ArmError::from(Error::invalid(path.clone(), problem)).with_target(path)
}

/// Where a client sent what a use case calls `field`: in the body, or in the address.
pub(crate) fn sent(operation: &str, field: &str) -> String {
    let is_role_added = operation.starts_with("BillingRoleAssignments_AddBy");
    let member = match field {
        "name in the address" if operation.starts_with("BillingProfiles_") => {
            return "billingProfileName".to_owned();
        }
        "name in the address" => return "invoiceSectionName".to_owned(),
        "instruction" => return "instructionName".to_owned(),
        "role" | "scope" if is_role_added => "billingRoleDefinitionId",
        "role" | "scope" => "roleDefinitionId",
        "principal" => "principalId",
        "email" => "userEmailAddress",
        "name" => "displayName",
        "order_number" => "poNumber",
        "starts" => "startDate",
        "ends" => "endDate",
        "cost_center" => "costCenter",
        "recipient_email" => "recipientEmailId",
        "reseller" => "resellerId",
        "products" => "productDetails",
        "tags" if operation.starts_with("InvoiceSections_") => "labels",
        same => same,
    };
    // The first version makes things by what they are, without `properties` around it.
    let is_made = matches!(operation, "BillingProfiles_Create" | "InvoiceSections_Create");
    if is_made || is_role_added { member.to_owned() } else { format!("properties.{member}") }
}

/// An address that may be right; `at` is the member that holds it.
pub(crate) fn checked(draft: Draft, at: &str) -> Result<Draft, ArmError> {
    let Err(wrong) = check_address(&draft) else { return Ok(draft) };
    let detail = |error: Error| {
        let message = addresses::problem(error);
        let member = message.split(':').next().unwrap_or_default();
        let target = Some(format!("{at}.{member}"));
        ErrorDetail { code: "BadRequest", message, target }
    };
    let details: Vec<ErrorDetail> = wrong.into_iter().map(detail).collect();
    let messages: Vec<&str> = details.iter().map(|detail| detail.message.as_str()).collect();
    let message = format!("{at}: {}", messages.join("; "));
    let error = ArmError::new(StatusCode::BAD_REQUEST, "BadRequest", message);
    let first = details.first().and_then(|detail| detail.target.clone());
    Err(error.with_target(first.unwrap_or_default()).with_details(details))
}

/// A member that is declared and not taken: anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Any;

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Any, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Any)
    }
}

fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// A resource as it is sent: its id, name and type are those of the address.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "P: Deserialize<'de>"))]
pub(crate) struct Whole<P> {
    id: Option<Any>,
    name: Option<Any>,
    #[serde(rename = "type")]
    kind: Option<Any>,
    #[serde(deserialize_with = "object")]
    pub(crate) properties: P,
}

/// Properties with nothing beside them.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "P: Deserialize<'de>"))]
pub(crate) struct Wrapped<P> {
    #[serde(deserialize_with = "object")]
    pub(crate) properties: P,
}

/// The members of a body that may each be left out, and those that are not taken.
macro_rules! given {
    (
        $(#[$about:meta])*
        $name:ident { $($member:ident: $type:ty,)* } not taken { $($other:ident,)* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Default, PartialEq, serde::Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
        pub(crate) struct $name {
            $(pub(crate) $member: Option<$type>,)*
            $($other: Option<$crate::given::Any>,)*
        }
    };
}
pub(crate) use given;
