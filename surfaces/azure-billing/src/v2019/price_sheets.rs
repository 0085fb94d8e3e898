//! PriceSheet: the prices of a billing profile, and those that an invoice was rated by, as a file.
//!
//! Source: `microsoft-billing.md` section 13.

use crate::at::{self, At};
use crate::downloads::{self, KIND, PRICE_SHEET};
use crate::invoices::american;
use crate::sheet_file::{Chunks, Format};
use crate::{Billing, V2019};
use armkit::{ArmError, Query};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use calendar::{BillingPeriod, Instant};
use domain::Error;
use domain::access::{Action, Caller, Scope};
use domain::ids::{BillingAccountId, PlaceId};
use domain::numbering::DocumentNumber;
use domain::places::{Level, Place, PlaceKey};
use futures::stream;
use httpkit::{Asking, BaseUrl, Group};
use service::{PriceSheetAsked, SheetPrices, plain_name};

const DOWNLOAD: &str = "/pricesheet/default/download";
const OF_INVOICE: &str = "/invoices/{invoiceName}/pricesheet/default/download";

/// What links to a sheet say of it, beside its account and profile.
const FORMAT: &str = "format";
const PERIOD: &str = "period";
const INVOICE: &str = "invoice";

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .post("PriceSheet_DownloadByBillingProfile", at::PROFILE, DOWNLOAD, of_profile)
        .post("PriceSheet_Download", at::PROFILE, OF_INVOICE, of_invoice)
}

/// The prices of a billing period: of the open one, unless others are asked for.
async fn of_profile(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Response, ArmError> {
    let (account, profile) = billing.place(&caller, &at).await?;
    let prices = SheetPrices::Of(period(&query, billing.reckoner.now())?);
    let profile = Some(profile.place.key.id);
    let asked = PriceSheetAsked { billing_account: account.id, profile, prices };
    accepted(&billing, &caller, (&base, &query), &asked).await
}

/// The prices by which an invoice was rated: its billing period is the invoice's.
async fn of_invoice(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Response, ArmError> {
    let (account, profile) = billing.place(&caller, &at).await?;
    let name = at.name("invoiceName");
    let number = DocumentNumber::parse(name).map_err(|_| Error::not_found("invoice", name))?;
    period(&query, billing.reckoner.now())?;
    let (profile, prices) = (Some(profile.place.key.id), SheetPrices::Applied(number));
    let asked = PriceSheetAsked { billing_account: account.id, profile, prices };
    accepted(&billing, &caller, (&base, &query), &asked).await
}

/// 202 for a sheet that is there for the caller.
async fn accepted(
    billing: &Billing,
    caller: &Caller,
    (base, query): (&BaseUrl, &Query),
    asked: &PriceSheetAsked,
) -> Result<Response, ArmError> {
    let format = Format::parse(query.get(FORMAT)?.unwrap_or_default())?;
    billing.reckoner.price_sheet(caller, asked).await?;
    let PriceSheetAsked { billing_account, profile, prices } = asked;
    let (of, named) = match prices {
        SheetPrices::Of(period) => (PERIOD, period.to_string()),
        SheetPrices::Applied(number) => (INVOICE, number.to_string()),
    };
    let profile = profile.as_ref().map_or("", PlaceId::as_str);
    let file = [
        (KIND, PRICE_SHEET),
        ("account", billing_account.as_str()),
        ("profile", profile),
        (FORMAT, format.name()),
        (of, named.as_str()),
    ];
    Ok(downloads::accepted(billing, caller, base, V2019, &file))
}

/// The sheet of a link that holds, as long as the profile is there.
pub(crate) async fn file(
    billing: &Billing,
    params: &[(String, String)],
) -> Result<Response, ArmError> {
    let Linked { place, asked, of } = linked(params)?;
    let caller = Caller::Link { action: Action::ReadPriceSheet, scope: Scope::Place(place) };
    let sheet = billing.reckoner.price_sheet(&caller, &asked).await?;
    let format = Format::parse(downloads::param(params, FORMAT))?;
    let said = attachment(&of, format);
    let headers = [(CONTENT_TYPE, format.media_type().to_owned()), (CONTENT_DISPOSITION, said)];
    let body = Body::from_stream(stream::iter(Chunks::new(sheet, format)));
    Ok((headers, body).into_response())
}

/// Whether somebody may have the sheet of a link now.
///
/// Errors: [`Error::Forbidden`], [`Error::NotFound`] for who may not.
pub(crate) async fn demand(
    billing: &Billing,
    caller: &Caller,
    params: &[(String, String)],
) -> Result<(), Error> {
    billing.reckoner.price_sheet(caller, &linked(params)?.asked).await.map(|_| ())
}

/// The sheet that a link leads to.
struct Linked {
    place: Place,
    asked: PriceSheetAsked,
    /// The billing period or the invoice, as the link names it.
    of: String,
}

fn linked(params: &[(String, String)]) -> Result<Linked, Error> {
    let param = |name: &str| downloads::param(params, name);
    let billing_account = BillingAccountId::new(param("account"))?;
    let profile = PlaceId::new(param("profile"))?;
    let (prices, of) = match param(INVOICE) {
        "" => {
            let wrong = |_| Error::invalid(PERIOD, "is no billing period");
            let period = BillingPeriod::parse(param(PERIOD)).map_err(wrong)?;
            (SheetPrices::Of(period), period.to_string())
        }
        number => (SheetPrices::Applied(DocumentNumber::parse(number)?), number.to_owned()),
    };
    let key = PlaceKey { level: Level::BillingProfile, id: profile.clone() };
    let place = Place { billing_account: billing_account.clone(), key };
    Ok(Linked {
        place,
        asked: PriceSheetAsked { billing_account, profile: Some(profile), prices },
        of,
    })
}

/// What a header says of the sheet of a billing period or an invoice.
fn attachment(of: &str, format: Format) -> String {
    format!("attachment; filename=\"pricesheet-{}.{}\"", plain_name(of), format.name())
}

/// The billing period of `startDate` and `endDate`, else the open one.
///
/// Errors: [`Error::Invalid`] for what is no date, and for dates of two billing periods.
fn period(query: &Query, now: Instant) -> Result<BillingPeriod, Error> {
    let dates = (date(query, "startDate")?, date(query, "endDate")?);
    let (first, last) = match dates {
        (None, None) => (now, now),
        (Some(date), None) | (None, Some(date)) => (date, date),
        (Some(first), Some(last)) => (first, last),
    };
    let period = BillingPeriod::of(first);
    if last < first || period != BillingPeriod::of(last) {
        let problem = "must be in the billing period of `startDate`, and not before that: a price \
                       sheet is of one billing period";
        return Err(Error::invalid("endDate", problem));
    }
    Ok(period)
}

/// A date as the contract's descriptions spell it, `12-31-2026`, or as its examples do.
fn date(query: &Query, name: &'static str) -> Result<Option<Instant>, Error> {
    let Some(text) = query.get(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let day = american(text);
    let wrong = |_| Error::invalid(name, format!("`{text}` is not a date"));
    Instant::parse(day.as_deref().unwrap_or(text)).map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_sheet_stands_in_a_header() {
        let check = |of: &str, expected: &str| {
            let said = attachment(of, Format::Csv);
            assert_eq!(said, format!("attachment; filename=\"pricesheet-{expected}.csv\""));
        };
        check("2026-11", "2026-11");
        check("Kühn \"EU\"\r\n-00000001", "K_hn__EU___-00000001");
    }

    #[test]
    fn a_sheet_is_of_one_billing_period() {
        let check = |query: &str, expected: &str| {
            let now = Instant::parse("2026-11-20").unwrap();
            let told = match period(&Query::parse(query), now) {
                Ok(period) => period.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(told.starts_with(expected), "{query}: {told}");
        };
        check("", "2026-11");
        check("startDate=", "2026-11");
        check("startDate=2026-09-01", "2026-09");
        check("enddate=2026-09-30", "2026-09");
        check("startDate=2026-09-01&endDate=2026-09-30", "2026-09");
        check("startDate=09-01-2026&endDate=09-30-2026", "2026-09");
        check("startDate=2026-09-01T00:00:00Z", "2026-09");
        check("startDate=2026-09-01&endDate=2026-10-01", "endDate: must be in the billing period");
        check("startDate=2026-09-02&endDate=2026-09-01", "endDate: must be in the billing period");
        check("startDate=soon", "startDate: `soon` is not a date");
        check("startDate=2026-09-01&startDate=2026-09-01", "startDate: must be given once");
    }
}
