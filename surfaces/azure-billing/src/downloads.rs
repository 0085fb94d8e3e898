//! Files that are fetched: 202, then a link to the file that needs no token until it expires.
//!
//! Nothing is kept for either: the result's address is sealed for who asked, the link is signed.
//!
//! Source: `microsoft-billing.md` sections 4, 7 and 13.

use crate::v2019::price_sheets;
use crate::{Billing, PROVIDER, invoice_files};
use armkit::ArmError;
use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use calendar::Instant;
use domain::Error;
use domain::access::Caller;
use httpkit::{Asking, BaseUrl, Group, Path, Purpose, Sealer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The address that gives the link: it stands in no description, and is answered whatever version
/// is asked for.
pub(crate) const RESULT: &str = "DownloadResults_Get";
/// The file itself.
const FILE: &str = "Downloads_Get";

/// The parameter that says what a file is.
pub(crate) const KIND: &str = "kind";
/// Documents of invoices.
const INVOICES: &str = "invoices";
/// A price sheet.
pub(crate) const PRICE_SHEET: &str = "pricesheet";

const ENTITY_ID: HeaderName = HeaderName::from_static("odata-entityid");
/// After how many seconds it is worth asking for the link.
const AGAIN_S: u64 = 1;
/// How long the link can be asked for.
const HELD_SECONDS: i64 = 3_600;
/// How long a link holds.
const LINK_SECONDS: i64 = 3_600;
/// What the address of a link is sealed for.
const PURPOSE: Purpose = Purpose { operation: "azure-billing downloads", field: "operationId" };

/// Where a link to a file is given, to who asked for the file.
pub(crate) fn group() -> Group<Billing> {
    Group::new().get(RESULT, PROVIDER, "/downloadResults/{operationId}", result)
}

/// The files: whoever has a link that holds may have them.
pub(crate) fn open() -> Group<Billing> {
    Group::new().get(FILE, PROVIDER, "/downloads/{fileName}", file)
}

/// 202 whose `Location` answers 200 with a link to a file; its parameters say what the file is, its
/// [`KIND`] among them.
pub(crate) fn accepted(
    billing: &Billing,
    caller: &Caller,
    base: &BaseUrl,
    version: &'static str,
    file: &[(&str, &str)],
) -> Response {
    let until_s = billing.reckoner.system_now().plus_seconds(HELD_SECONDS).seconds();
    let asked = Asked::new(file, until_s);
    let id = match sealer(billing).seal(&caller.actor(), &asked) {
        Ok(id) => id,
        Err(error) => return ArmError::from(error).into_response(),
    };
    // Our address is one that a client has written into a header.
    let header = |text: &str| {
        HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(PROVIDER))
    };
    let mut response = StatusCode::ACCEPTED.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(&location(base, version, &id)));
    headers.insert(RETRY_AFTER, HeaderValue::from(AGAIN_S));
    if file.contains(&(KIND, PRICE_SHEET)) {
        headers.insert(ENTITY_ID, header(&id));
    }
    response
}

/// The value of a link's parameter; empty where there is none.
pub(crate) fn param<'a>(params: &'a [(String, String)], name: &str) -> &'a str {
    let found = params.iter().find(|(given, _)| given == name);
    found.map_or("", |(_, value)| value.as_str())
}

/// The file that is asked for, as its result's address holds it.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    until_s: i64,
    /// Values by their parameter's name, which stands once for all of them: with the numbers of 100
    /// invoices the address must fit into 4 KB.
    file: BTreeMap<String, Vec<String>>,
}

impl Asked {
    fn new(file: &[(&str, &str)], until_s: i64) -> Asked {
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in file {
            by_name.entry((*name).to_owned()).or_default().push((*value).to_owned());
        }
        Asked { until_s, file: by_name }
    }

    fn params(&self) -> Vec<(&str, &str)> {
        self.file
            .iter()
            .flat_map(|(name, values)| {
                values.iter().map(move |value| (name.as_str(), value.as_str()))
            })
            .collect()
    }
}

fn location(base: &BaseUrl, version: &str, id: &str) -> String {
    format!("{base}{PROVIDER}/downloadResults/{id}?api-version={version}")
}

fn sealer(billing: &Billing) -> Sealer {
    let secret = billing.reckoner.sealing_secret("reckoner azure-billing downloads, version 1");
    Sealer::new(secret, PURPOSE)
}

/// What links to the files of a name are signed for.
fn signed_for(name: &str) -> String {
    format!("azure-billing/downloads/{name}")
}

/// A file, for whoever has the link.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, Deserialize), serde(default))]
pub(crate) struct DownloadUrl {
    url: String,
    expiry_time: String,
}

/// The link, anew each time; what somebody else asked for is as missing as what nobody did, and so
/// is what who asked may no longer have.
async fn result(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    base: BaseUrl,
    Path(id): Path<String>,
) -> Result<Json<DownloadUrl>, ArmError> {
    let now = billing.reckoner.system_now();
    let asked = sealer(&billing).open::<Asked>(&caller.actor(), &id).ok();
    let asked = asked
        .filter(|asked| now.seconds() < asked.until_s)
        .ok_or_else(|| Error::not_found("download", id.as_str()))?;
    let params = asked.params();
    let given: Vec<(String, String)> =
        params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let kind = param(&given, KIND);
    let demanded = match kind {
        INVOICES => invoice_files::demand(&billing, &caller, &given).await,
        PRICE_SHEET => price_sheets::demand(&billing, &caller, &given).await,
        _ => Err(Error::not_found("download", id.as_str())),
    };
    demanded.map_err(|error| match error {
        Error::Forbidden { .. } | Error::NotFound { .. } => Error::not_found("download", id),
        error => error,
    })?;
    // Links hold for whole seconds.
    let started = Instant::from_micros(0).plus_seconds(now.seconds());
    let signed = billing.reckoner.sign_link(&signed_for(kind), &params, LINK_SECONDS);
    Ok(Json(DownloadUrl {
        url: format!("{base}{PROVIDER}/downloads/{kind}?{signed}"),
        expiry_time: started.plus_seconds(LINK_SECONDS).to_string(),
    }))
}

/// What a signed link leads to. Whatever token comes along is not looked at.
async fn file(
    State(billing): State<Billing>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ArmError> {
    let query = uri.query().unwrap_or_default();
    let params = billing.reckoner.open_link(&signed_for(&name), query)?;
    match param(&params, KIND) {
        INVOICES => invoice_files::file(&billing, &params).await,
        PRICE_SHEET => price_sheets::file(&billing, &params).await,
        _ => Err(Error::not_found("download", name).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    #[test]
    fn an_address_with_a_hundred_invoices_is_below_4_kb() {
        let numbers: Vec<String> = (0..100).map(|n| format!("INV-2026-{n:012}")).collect();
        let mut file = vec![(KIND, INVOICES), ("account", "5b0d1e9a-0000-4000-8000-000000000001")];
        file.extend(numbers.iter().map(|number| ("invoice", number.as_str())));
        let asked = Asked::new(&file, 1_800_000_000);
        let id = Sealer::new(SECRET, PURPOSE).seal("somebody", &asked).unwrap();
        let base = BaseUrl("https://reckoner.example:8443".to_owned());
        let length = location(&base, crate::V2019, &id).len();
        assert!(length < 4_096, "{length}");
    }

    #[test]
    fn a_sealed_file_is_that_of_who_asked() {
        let sealer = Sealer::new(SECRET, PURPOSE);
        let file = [(KIND, INVOICES), ("invoice", "2"), ("invoice", "1")];
        let id = sealer.seal("somebody", &Asked::new(&file, 5)).unwrap();
        let opened: Asked = sealer.open("somebody", &id).unwrap();
        assert_eq!(opened.until_s, 5);
        assert_eq!(opened.params(), [("invoice", "2"), ("invoice", "1"), (KIND, INVOICES)]);
        assert!(sealer.open::<Asked>("somebody else", &id).is_err());
    }
}
