//! Usage details as CSV, made ready behind the answer: an export is submitted, polled, and read by
//! a link that needs no key, within an hour of its submission.
//!
//! Source: `enterprise-reporting.md` sections 2 and 3.5.

use crate::Enterprise;
use crate::asked::MONTHS_MOST;
use crate::reading::Reading;
use crate::routes::Routes;
use crate::spelled;
use crate::usage::ends;
use crate::usage_csv::{File, VERSIONS, Walk, span};
use armkit::{ArmError, Query};
use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use calendar::Instant;
use domain::{Error, Kind};
use httpkit::{BaseUrl, Path, Refusal, RequestId, Unhurried};
use serde::Serialize;
use service::{Reckoner, UsageExportFile, UsageExportStanding, UsageExportTold};
use std::collections::HashMap;

const SUBMIT: &str = "/usagedetails/submit";
const REPORTS: &str = "/usagedetails/reports";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .post("UsageDetails_Submit", VERSIONS, SUBMIT, submit)
        .get("UsageDetails_Report", VERSIONS, "/usagedetails/reports/{id}", report)
        .get("UsageDetails_File", VERSIONS, "/usagedetails/reports/{id}/file", file)
}

/// Keeps an export of a billing period, or of days.
async fn submit(
    State(enterprise): State<Enterprise>,
    reading: Reading,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
    request_id: RequestId,
) -> Result<Response, Refusal> {
    let reckoner = &enterprise.reckoner;
    let span = span(&query, reckoner.now(), MONTHS_MOST)?;
    let request_id = request_id.to_string();
    let told = reckoner.submit_usage_export(&reading.caller, span, &request_id).await?;
    // In whatever letter case it was asked.
    let end = uri.path().len().saturating_sub(SUBMIT.len());
    let above = uri.path().get(..end).unwrap_or_default();
    let at = format!("{base}{above}{REPORTS}/{}", told.id);
    let job = Job::of(reckoner, &reading, &told, at);
    Ok((StatusCode::ACCEPTED, Json(job)).into_response())
}

/// How far an export is.
async fn report(
    State(enterprise): State<Enterprise>,
    reading: Reading,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    Path(names): Path<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let reckoner = &enterprise.reckoner;
    let told = reckoner.usage_export(&reading.caller, id_of(&names)).await?;
    let job = Job::of(reckoner, &reading, &told, format!("{base}{}", uri.path()));
    Ok(Json(job).into_response())
}

/// The file, for whoever has a link that holds. Whatever key comes along is not looked at.
async fn file(
    State(enterprise): State<Enterprise>,
    Path(names): Path<HashMap<String, String>>,
    OriginalUri(uri): OriginalUri,
    _: Unhurried,
) -> Result<Response, Refusal> {
    let (reckoner, query) = (&enterprise.reckoner, uri.query().unwrap_or_default());
    let opened = match reckoner.usage_export_file(id_of(&names), query).await {
        Err(error) if error.kind() == Kind::Unauthenticated => return Ok(refused(&error)),
        opened => opened?,
    };
    let UsageExportFile { caller, billing_account, asked, token } = opened;
    let walk = Walk { reckoner: reckoner.clone(), caller, asked };
    Ok(File::begin(walk, billing_account, Some(&token)).await?.into_response())
}

/// A link that does not hold is refused as the stores of files refuse it: there is no key to blame.
fn refused(error: &Error) -> Response {
    let message = format!("the link does not hold ({error}); poll the report, or submit it anew");
    ArmError::new(StatusCode::FORBIDDEN, "AuthenticationFailed", message).into_response()
}

fn id_of(names: &HashMap<String, String>) -> &str {
    names.get("id").map_or("", String::as_str)
}

/// An export, as the contract spells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: String,
    enrollment_number: String,
    requested_on: String,
    status: u8,
    blob_path: String,
    report_url: String,
    start_date: String,
    end_date: String,
}

impl Job {
    /// `at` is where it is polled, which the file stands below.
    fn of(reckoner: &Reckoner, reading: &Reading, told: &UsageExportTold, at: String) -> Job {
        let (first, last) = ends(&told.span);
        let is_ready = told.standing == UsageExportStanding::Completed;
        let link = || format!("{at}/file?{}", reckoner.usage_export_link(told));
        Job {
            id: told.id.clone(),
            enrollment_number: reading.enrollment.to_string(),
            requested_on: in_ticks(told.requested_at),
            status: status(told.standing),
            blob_path: if is_ready { link() } else { String::new() },
            report_url: at,
            start_date: spelled::midnight(first),
            end_date: spelled::midnight(last),
        }
    }
}

/// 6, ready but to be polled on, is never told: what is ready can be read.
const fn status(standing: UsageExportStanding) -> u8 {
    match standing {
        UsageExportStanding::Queued => 1,
        UsageExportStanding::Running => 2,
        UsageExportStanding::Completed => 3,
        UsageExportStanding::Failed => 4,
        UsageExportStanding::Empty => 5,
        UsageExportStanding::TimedOut => 7,
    }
}

/// A moment with seven digits behind the second.
fn in_ticks(moment: Instant) -> String {
    let second = Instant::EPOCH.plus_seconds(moment.seconds());
    let (micros, text) = (moment.since(second), second.to_string());
    format!("{}.{micros:06}0Z", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_seven_digits_behind_the_second() {
        let check = |text: &str, expected: &str| {
            assert_eq!(in_ticks(Instant::parse(text).expect("a moment")), expected);
        };
        check("2026-04-02T06:56:29.129070Z", "2026-04-02T06:56:29.1290700Z");
        check("2026-04-02T06:56:29.000001Z", "2026-04-02T06:56:29.0000010Z");
        check("2026-04-02T06:56:29Z", "2026-04-02T06:56:29.0000000Z");
    }
}
