//! Usage details as CSV: a title, a blank line, columns and rows; made while it is read.
//!
//! Source: `enterprise-reporting.md` sections 2 and 3.4.

use crate::Enterprise;
use crate::asked::{self, CSV_MONTHS_MOST, TIMES};
use crate::fresh::Tag;
use crate::reading::Reading;
use crate::routes::{Routes, Version};
use crate::usage::{data_sets, ends, span_of_days, spelled};
use crate::usage_members::{COLUMNS, Member, Row, columns};
use armkit::Query;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use calendar::{BillingPeriod, Instant};
use csv::Terminator;
use domain::access::Caller;
use domain::ids::BillingAccountId;
use domain::{Error, Result};
use futures::stream;
use httpkit::{Refusal, Unhurried};
use service::{DetailPage, DetailSpan, DetailTold, DetailsAsked, Reckoner, plain_name};

/// The versions that have usage details as CSV.
pub(crate) const VERSIONS: &[Version] = &[Version::V2, Version::V3];
/// Says that the text is UTF-8, to programs that would guess.
const BYTE_ORDER_MARK: &str = "\u{feff}";

pub(crate) fn routes() -> Routes {
    Routes::new().get("UsageDetails_Download", VERSIONS, "/usagedetails/download", download)
}

/// Of a billing period, or of days of at most a month.
async fn download(
    State(enterprise): State<Enterprise>,
    reading: Reading,
    query: Query,
    _: Unhurried,
) -> std::result::Result<Response, Refusal> {
    let reckoner = &enterprise.reckoner;
    let span = span(&query, reckoner.now(), CSV_MONTHS_MOST)?;
    let data_sets = data_sets(&enterprise, &reading, &span).await?;
    let asked = DetailsAsked::total_usage(reading.scope.clone(), span);
    let walk = Walk { reckoner: reckoner.clone(), caller: reading.caller.clone(), asked };
    let file = File::begin(walk, reading.enrollment.clone(), None).await?;
    let shown = if file.shows_charges() { "charges" } else { "" };
    let named = spelled(&file.walk.asked.span);
    let data_sets: Vec<&str> = data_sets.iter().map(String::as_str).collect();
    let tag = Tag::new(&reading, &data_sets, &["download", named.as_str(), shown]);
    if let Some(unchanged) = tag.unchanged(&reading) {
        return Ok(unchanged);
    }
    Ok(tag.on(file))
}

/// What a query asks for: a billing period, days, or else the open billing period.
///
/// Errors: as [`asked::period_in`] and [`asked::days`]; [`Error::Invalid`] for both.
pub(crate) fn span(query: &Query, now: Instant, months_most: i32) -> Result<DetailSpan> {
    let has_days = query.get(TIMES.0)?.is_some() || query.get(TIMES.1)?.is_some();
    match asked::period_in(query, now)? {
        Some(_) if has_days => {
            let problem = format!("stands for itself, without {} and {}", TIMES.0, TIMES.1);
            Err(Error::invalid("billingPeriod", problem))
        }
        Some(period) => Ok(DetailSpan::Period(period)),
        None if has_days => asked::days(query, TIMES, months_most).map(span_of_days),
        None => Ok(DetailSpan::Period(BillingPeriod::of(now))),
    }
}

/// Who reads which details.
pub(crate) struct Walk {
    pub(crate) reckoner: Reckoner,
    pub(crate) caller: Caller,
    pub(crate) asked: DetailsAsked,
}

impl Walk {
    async fn page(&self, token: Option<&str>) -> Result<DetailPage> {
        let most = usize::try_from(self.reckoner.limits().page_rows.max(1)).unwrap_or(usize::MAX);
        self.reckoner.details_page(&self.caller, &self.asked, token, most).await
    }
}

/// A file that is made while it is read: one page of details is in memory at a time.
pub(crate) struct File {
    walk: Walk,
    enrollment: BillingAccountId,
    columns: Vec<&'static Member>,
    at: Stage,
}

/// How far a file is.
enum Stage {
    /// At its beginning, with the first details.
    Start(DetailPage),
    /// Where a token says.
    Rows(String),
    End,
}

impl File {
    /// Reads the first page, from the beginning or where a token says: what is refused is refused
    /// before anything is answered.
    ///
    /// Errors: as [`Reckoner::details_page`].
    pub(crate) async fn begin(
        walk: Walk,
        enrollment: BillingAccountId,
        token: Option<&str>,
    ) -> Result<File> {
        let at = Stage::Start(walk.page(token).await?);
        Ok(File { walk, enrollment, columns: columns(), at })
    }

    fn shows_charges(&self) -> bool {
        matches!(&self.at, Stage::Start(page) if page.shows_charges)
    }

    /// The next bytes; nothing after the last.
    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let (mut bytes, page) = match std::mem::replace(&mut self.at, Stage::End) {
            Stage::End => return Ok(None),
            Stage::Start(page) => (head(&self.walk.asked.span)?, page),
            Stage::Rows(token) => (Vec::new(), self.walk.page(Some(&token)).await?),
        };
        write_rows(&page.details, (&self.enrollment, &self.columns), &mut bytes)?;
        self.at = page.next.map_or(Stage::End, Stage::Rows);
        Ok(Some(bytes))
    }
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        let (enrollment, named) = (self.enrollment.as_str(), spelled(&self.walk.asked.span));
        let name = plain_name(&format!("usage-{enrollment}-{named}.csv"));
        let headers = [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        ];
        let chunks = stream::try_unfold(self, |mut file| async move {
            Ok::<_, Error>(file.next().await?.map(|bytes| (bytes, file)))
        });
        (headers, Body::from_stream(chunks)).into_response()
    }
}

/// The title that says of when it is, which is no header; a blank line; the columns' names.
fn head(span: &DetailSpan) -> Result<Vec<u8>> {
    let title = match span {
        DetailSpan::Period(period) => {
            format!("Usage details of billing period {}", period.number())
        }
        DetailSpan::Days(_) => {
            let (first, last) = ends(span);
            format!("Usage details from {first} to {last}")
        }
    };
    let mut bytes = format!("{BYTE_ORDER_MARK}{title}\r\n\r\n").into_bytes();
    write(&mut bytes, |writer| writer.write_record(COLUMNS))?;
    Ok(bytes)
}

fn write_rows(
    details: &[DetailTold],
    (enrollment, columns): (&BillingAccountId, &[&'static Member]),
    bytes: &mut Vec<u8>,
) -> Result<()> {
    let rows = details.iter().map(|told| Ok(Row::of(told, enrollment)?.in_csv(columns)));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    write(bytes, |writer| rows.iter().try_for_each(|row| writer.write_record(row)))
}

fn write(
    bytes: &mut Vec<u8>,
    records: impl FnOnce(&mut csv::Writer<&mut Vec<u8>>) -> csv::Result<()>,
) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(Terminator::CRLF).from_writer(bytes);
    let failed = |e: csv::Error| Error::internal("write usage details", e);
    records(&mut writer).map_err(failed)?;
    writer.flush().map_err(|e| Error::internal("write usage details", e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{disk, enrollment};

    fn now() -> Instant {
        Instant::parse("2026-03-15").expect("a day")
    }

    #[test]
    fn a_file_has_a_title_a_blank_line_and_forty_columns() {
        let march = DetailSpan::Period(BillingPeriod::of(now()));
        let mut bytes = head(&march).expect("a head");
        let told = [disk(), disk()];
        write_rows(&told, (&enrollment(), &columns()), &mut bytes).expect("rows");
        let text = String::from_utf8(bytes).expect("text");
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "\u{feff}Usage details of billing period 202603");
        assert_eq!(lines[1], "");
        assert_eq!(lines[2], COLUMNS.join(","));
        assert_eq!(lines[3], lines[4]);
        assert!(lines[3].starts_with("0,Platform,owner@example.org,"), "{}", lines[3]);
        assert_eq!(lines[5..], [""], "each line ends, and nothing follows");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn a_query_asks_for_a_period_or_for_days() {
        let check = |query: &str, months: i32, expected: &str| {
            let told = match span(&Query::parse(query), now(), months) {
                Ok(span) => spelled(&span),
                Err(error) => error.to_string(),
            };
            assert!(told.starts_with(expected), "{query}: {told}");
        };
        check("", 1, "202603");
        check("billingPeriod=202601", 1, "202601");
        check("billingperiod=202601&startTime=", 1, "billingPeriod: stands for itself");
        check("billingPeriod=202604", 1, "billing period `202604` does not exist");
        check("startTime=2026-01-01&endTime=2026-01-31", 1, "2026-01-01_2026-01-31");
        check("startTime=2026-01-01&endTime=2026-02-01", 1, "endTime: must lie within 1 months");
        check("startTime=2026-01-01&endTime=2026-02-01", 36, "2026-01-01_2026-02-01");
        check("startTime=2026-01-01", 36, "endTime: must be given");
    }
}
