//! Usage details as JSON pages: of the open billing period, of one, of days.
//!
//! Source: `enterprise-reporting.md` sections 2 and 3.3.

use crate::Enterprise;
use crate::asked::{self, MONTHS_MOST, TIMES};
use crate::fresh::Tag;
use crate::reading::Reading;
use crate::routes::{FIRST_THREE, Routes, Version};
use crate::usage_members::{Row, Shown};
use armkit::{Query, next_link};
use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use calendar::{Day, Interval};
use domain::Result;
use httpkit::{BaseUrl, Refusal, Unhurried};
use serde::Serialize;
use service::{DetailSpan, DetailsAsked};

/// The parameter that says where a further page begins.
const TOKEN: &str = "$skiptoken";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("UsageDetails_List", FIRST_THREE, "/usagedetails", of_period)
        .get(
            "UsageDetails_ListByPeriod",
            FIRST_THREE,
            "/billingperiods/{period}/usagedetails",
            of_period,
        )
        .get("UsageDetails_ListByDays", FIRST_THREE, "/usagedetailsbycustomdate", of_days)
}

/// Of the billing period in the address, else of the open one.
async fn of_period(
    State(enterprise): State<Enterprise>,
    reading: Reading,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
    _: Unhurried,
) -> std::result::Result<Response, Refusal> {
    let span = DetailSpan::Period(reading.period_or_current(&enterprise));
    page(&enterprise, &reading, span, Address { base: &base, path: uri.path(), query: &query })
        .await
}

/// Of days, those of several billing periods among them.
async fn of_days(
    State(enterprise): State<Enterprise>,
    reading: Reading,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
    _: Unhurried,
) -> std::result::Result<Response, Refusal> {
    let span = span_of_days(asked::days(&query, TIMES, MONTHS_MOST)?);
    page(&enterprise, &reading, span, Address { base: &base, path: uri.path(), query: &query })
        .await
}

/// Where it was asked.
#[derive(Clone, Copy)]
struct Address<'a> {
    base: &'a BaseUrl,
    path: &'a str,
    query: &'a Query,
}

/// A page of usage details.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    id: &'a str,
    /// What the first version called the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    report_id: Option<&'a str>,
    data: Vec<Shown<'a>>,
    next_link: Option<String>,
}

async fn page(
    enterprise: &Enterprise,
    reading: &Reading,
    span: DetailSpan,
    at: Address<'_>,
) -> std::result::Result<Response, Refusal> {
    let reckoner = &enterprise.reckoner;
    let token = at.query.get(TOKEN)?.filter(|token| !token.is_empty());
    // Of all billing periods: further pages are those of the data sets that the first was read of.
    let mut data_sets = match token {
        None => data_sets(enterprise, reading, &span).await?,
        Some(_) => Vec::new(),
    };
    let named = spelled(&span);
    let asked = DetailsAsked::total_usage(reading.scope.clone(), span);
    let most = usize::try_from(reckoner.limits().page_rows.max(1)).unwrap_or(usize::MAX);
    let page = reckoner.details_page(&reading.caller, &asked, token, most).await?;
    if token.is_some() {
        data_sets.extend(page.data_sets.iter().map(|one| one.id.clone()));
    }
    let shown = if page.shows_charges { "charges" } else { "" };
    let question = ["usagedetails", named.as_str(), token.unwrap_or_default(), shown];
    let data_sets: Vec<&str> = data_sets.iter().map(String::as_str).collect();
    let tag = Tag::new(reading, &data_sets, &question);
    if let Some(unchanged) = tag.unchanged(reading) {
        return Ok(unchanged);
    }
    let (version, enrollment) = (reading.version, &reading.enrollment);
    let rows = page.details.iter().map(|told| Row::of(told, enrollment));
    let data = rows.map(|row| Ok(Shown { row: row?, version })).collect::<Result<Vec<_>>>()?;
    let link = |token: &String| next_link(at.base, at.path, at.query.pairs(), (TOKEN, token));
    let answer = Envelope {
        id: tag.text(),
        report_id: (version == Version::V1).then(|| tag.text()),
        data,
        next_link: page.next.as_ref().map(link),
    };
    Ok(tag.on(Json(answer)))
}

/// The ids of the data sets that details are read of, by billing period, as far as there are any.
pub(crate) async fn data_sets(
    enterprise: &Enterprise,
    reading: &Reading,
    span: &DetailSpan,
) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for period in span.periods(enterprise.reckoner.now()) {
        let found = enterprise.reckoner.data_set(&reading.caller, &reading.scope, period).await?;
        ids.extend(found.map(|found| found.id));
    }
    Ok(ids)
}

/// Whole days as a span.
pub(crate) fn span_of_days(days: Interval) -> DetailSpan {
    DetailSpan::Days(days.start().day()..days.end().day())
}

/// The first and the last day of a span.
pub(crate) fn ends(span: &DetailSpan) -> (Day, Day) {
    match span {
        DetailSpan::Period(period) => (period.start().day(), last_of(period.end().day())),
        DetailSpan::Days(days) => (days.start, last_of(days.end)),
    }
}

/// The day before the one behind the last.
fn last_of(end: Day) -> Day {
    Day::from_number(end.number().saturating_sub(1))
}

/// A span as files and tags name it: `202603`, `2026-03-01_2026-03-31`.
pub(crate) fn spelled(span: &DetailSpan) -> String {
    match span {
        DetailSpan::Period(period) => period.number().to_string(),
        DetailSpan::Days(_) => {
            let (first, last) = ends(span);
            format!("{first}_{last}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{disk, enrollment};
    use calendar::{BillingPeriod, Instant};

    fn days(first: &str, end: &str) -> DetailSpan {
        let day = |text: &str| Instant::parse(text).expect("a day").day();
        DetailSpan::Days(day(first)..day(end))
    }

    #[test]
    fn a_span_is_named_by_its_period_or_by_its_days() {
        let march = DetailSpan::Period(BillingPeriod::parse("202603").expect("one"));
        let check = |span: &DetailSpan, name: &str, both: &str| {
            let (first, last) = ends(span);
            assert_eq!((spelled(span).as_str(), format!("{first} {last}").as_str()), (name, both));
        };
        check(&march, "202603", "2026-03-01 2026-03-31");
        let some = days("2026-03-02", "2026-03-05");
        check(&some, "2026-03-02_2026-03-04", "2026-03-02 2026-03-04");
    }

    #[test]
    fn a_page_has_an_envelope_whose_id_the_first_version_calls_otherwise_too() {
        let (disk, enrollment) = (disk(), enrollment());
        let check = |version: Version, expected: &[&str]| {
            let row = Row::of(&disk, &enrollment).expect("a row");
            let report_id = (version == Version::V1).then_some("a");
            let data = vec![Shown { row, version }];
            let told = serde_json::to_value(Envelope { id: "a", report_id, data, next_link: None });
            let told = told.expect("JSON");
            let mut names: Vec<&String> = told.as_object().expect("an object").keys().collect();
            names.sort();
            assert_eq!(names, expected, "{}", version.name());
            assert!(told["nextLink"].is_null());
        };
        check(Version::V1, &["data", "id", "nextLink", "reportId"]);
        check(Version::V2, &["data", "id", "nextLink"]);
        check(Version::V3, &["data", "id", "nextLink"]);
    }
}
