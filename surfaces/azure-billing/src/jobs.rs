//! What became of changes that take their time: by the result's address (`Location`) and by the
//! status's (`Azure-AsyncOperation`), for who asked for them.
//!
//! Source: `microsoft-billing.md` section 4.

use crate::given::sent;
use crate::reading::{Asked, Family};
use crate::resource::time;
use crate::same::holdings::missing_below;
use crate::same::moves;
use crate::{Billing, PROVIDER, V2020, v2019, v2020};
use armkit::ArmError;
use axum::Json;
use axum::extract::State;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::access::Caller;
use domain::places::Level;
use httpkit::{Asking, BaseUrl, Group, Path};
use serde::Serialize;
use service::{FailureKind, HoldingId, JobFailure, JobStanding, JobTold};

/// What the books call the surface of these jobs.
pub(crate) const SURFACE: &str = "azure-billing";
/// Ids of the operations: they stand in no description, and are answered whatever version is
/// asked for.
pub(crate) const RESULT: &str = "OperationResults_Get";
pub(crate) const STATUS: &str = "OperationStatus_Get";

/// The one whose final state the vendor's clients read off its status.
const BY_STATUS: &str = "BillingAccounts_Update";
const STATUS_LINK: HeaderName = HeaderName::from_static("azure-asyncoperation");
/// After how many seconds it is worth asking again.
const AGAIN_S: u64 = 1;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        // Addresses that answers give.
        .get(RESULT, PROVIDER, "/operationResults/{operationId}", result)
        .get(STATUS, PROVIDER, "/operationStatus/{operationId}", status)
}

/// 202, and where to ask what became of it.
pub(crate) fn accepted(base: &BaseUrl, job: &JobTold) -> Response {
    let JobTold { id, version, .. } = job;
    let link = |collection: &str| {
        let link = format!("{base}{PROVIDER}/{collection}/{id}?api-version={version}");
        // Our address is one that a client has written into a header.
        HeaderValue::from_str(&link).unwrap_or_else(|_| HeaderValue::from_static(PROVIDER))
    };
    let mut response = StatusCode::ACCEPTED.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, link("operationResults"));
    headers.insert(RETRY_AFTER, HeaderValue::from(AGAIN_S));
    if job.operation == BY_STATUS {
        headers.insert(STATUS_LINK, link("operationStatus"));
    }
    response
}

/// The resource, as the version spells it in which the change was asked for.
async fn result(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Response, ArmError> {
    let job = billing.reckoner.job(&caller, SURFACE, &id).await?;
    match &job.standing {
        JobStanding::Running => Ok(accepted(&base, &job)),
        JobStanding::Failed(why) => Err(failed(&job.operation, why)),
        JobStanding::Succeeded => resource(&billing, &caller, &job).await,
    }
}

async fn resource(billing: &Billing, caller: &Caller, job: &JobTold) -> Result<Response, ArmError> {
    if let Some(holding) = &job.holding {
        return moved(billing, caller, job, holding).await;
    }
    let account = billing.reckoner.billing_account(caller, &job.billing_account).await?;
    let (is_second, day) = (job.version == V2020, billing.reckoner.invoice_day());
    let way: Vec<(Level, &str)> = job.target.iter().map(|(of, id)| (*of, id.as_str())).collect();
    let Some((level, _)) = way.last() else {
        let (asked, family) = (Asked { address: true, ..Asked::default() }, Family::default());
        return Ok(if is_second {
            Json(v2020::accounts::view(&account, &asked, &family, day)).into_response()
        } else {
            Json(v2019::accounts::view(&account, &asked, &family, day)).into_response()
        });
    };
    let told = billing.reckoner.place(caller, &account.id, &way).await?;
    Ok(match (*level == Level::BillingProfile, is_second) {
        (true, true) => Json(v2020::profiles::view(&told, account.kind, None, day)).into_response(),
        (true, false) => {
            Json(v2019::profiles::view(&told, account.kind, None, day)).into_response()
        }
        (false, true) => Json(v2020::sections::view(&told)).into_response(),
        (false, false) => Json(v2019::sections::view(&told)).into_response(),
    })
}

/// What was moved, where it stands now. Who may not see it there any more is told that it is
/// missing, as everybody else.
async fn moved(
    billing: &Billing,
    caller: &Caller,
    job: &JobTold,
    holding: &HoldingId,
) -> Result<Response, ArmError> {
    let (reckoner, account) = (&billing.reckoner, &job.billing_account);
    Ok(match (holding, job.version == V2020) {
        (HoldingId::Subscription(id), is_second) => {
            let told = reckoner.subscription_at(caller, account, None, id).await;
            let told = told.map_err(|error| missing_below(error, id))?;
            if is_second {
                Json(v2020::subscriptions::view(&told)).into_response()
            } else {
                Json(v2019::moves::transferred(told.id.as_str())).into_response()
            }
        }
        (HoldingId::Product(id), true) => {
            let told = reckoner.product_at(caller, account, None, id).await?;
            Json(v2020::products::view(&told)).into_response()
        }
        (HoldingId::Product(id), false) => {
            let told = reckoner.product_at(caller, account, None, id).await?;
            Json(v2019::products::view(&told)).into_response()
        }
    })
}

/// Always 200: how far it is, and why it failed.
async fn status(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    Path(id): Path<String>,
) -> Result<Response, ArmError> {
    let job = billing.reckoner.job(&caller, SURFACE, &id).await?;
    let (status, error) = match &job.standing {
        JobStanding::Running => ("InProgress", None),
        JobStanding::Succeeded => ("Succeeded", None),
        JobStanding::Failed(why) => ("Failed", Some(Told::of(&job.operation, why).1)),
    };
    let is_running = job.standing == JobStanding::Running;
    let told = OperationStatus {
        id: format!("{PROVIDER}/operationStatus/{}", job.id),
        name: job.id,
        status,
        start_time: time(job.created_at),
        end_time: job.ended_at.and_then(time),
        error,
    };
    let mut response = Json(told).into_response();
    if is_running {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(AGAIN_S));
    }
    Ok(response)
}

/// How far an operation is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationStatus {
    id: String,
    name: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Told>,
}

/// Why it failed: the result and the status tell the same.
#[derive(Debug, Serialize)]
struct Told {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

impl Told {
    fn of(operation: &str, why: &JobFailure) -> (StatusCode, Told) {
        let JobFailure { kind, field, problem } = why;
        let (status, code) = spelled(operation, *kind);
        let target = field.as_deref().map(|field| sent(operation, field));
        let message = match &target {
            Some(target) => format!("{target}: {problem}"),
            None => problem.clone(),
        };
        let of_move = match kind {
            FailureKind::CannotMove(obstacle) => moves::target(*obstacle),
            FailureKind::Invalid
            | FailureKind::Forbidden
            | FailureKind::NotFound
            | FailureKind::Conflict
            | FailureKind::Internal => None,
        };
        let target = target.or_else(|| of_move.map(str::to_owned));
        (status, Told { code, message, target })
    }
}

fn failed(operation: &str, why: &JobFailure) -> ArmError {
    let (status, Told { code, message, target }) = Told::of(operation, why);
    let error = ArmError::new(status, code, message);
    match target {
        Some(target) => error.with_target(target),
        None => error,
    }
}

fn spelled(operation: &str, kind: FailureKind) -> (StatusCode, &'static str) {
    match kind {
        FailureKind::Invalid => (StatusCode::BAD_REQUEST, "BadRequest"),
        FailureKind::Forbidden => (StatusCode::FORBIDDEN, "AuthorizationFailed"),
        FailureKind::NotFound => (StatusCode::NOT_FOUND, "NotFound"),
        FailureKind::Conflict => (StatusCode::CONFLICT, "Conflict"),
        FailureKind::CannotMove(obstacle) => moves::spelled(operation, obstacle),
        FailureKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::moves::Obstacle;

    const OPERATION: &str = "InvoiceSections_CreateOrUpdate";

    #[test]
    fn a_result_and_a_status_tell_the_same_of_a_failure() {
        let check = |kind: FailureKind, field: Option<&str>, expected: (u16, &str)| {
            let (field, problem) = (field.map(str::to_owned), "is wrong".to_owned());
            let why = JobFailure { kind, field, problem };
            let (status, told) = Told::of(OPERATION, &why);
            let told = serde_json::to_string(&told).unwrap();
            assert_eq!((status.as_u16(), told.as_str()), expected);
            let error = failed(OPERATION, &why);
            assert_eq!((error.status(), error.code()), (status, spelled(OPERATION, kind).1));
        };
        let target = "properties.displayName";
        let message = format!(r#""message":"{target}: is wrong","target":"{target}""#);
        let invalid = format!(r#"{{"code":"BadRequest",{message}}}"#);
        check(FailureKind::Invalid, Some("name"), (400, invalid.as_str()));
        check(FailureKind::NotFound, None, (404, r#"{"code":"NotFound","message":"is wrong"}"#));
        let kept = FailureKind::CannotMove(Obstacle::NotActive);
        check(kept, None, (409, r#"{"code":"SubscriptionNotActive","message":"is wrong"}"#));
        let internal = r#"{"code":"InternalServerError","message":"is wrong"}"#;
        check(FailureKind::Internal, None, (500, internal));
    }
}
