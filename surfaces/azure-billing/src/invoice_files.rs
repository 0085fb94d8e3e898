//! Documents of invoices as files: links to one that need no token until they expire, and downloads
//! of one or several behind a 202.
//!
//! Source: `microsoft-billing.md` section 7, document download.

use crate::at;
use crate::given::wrong;
use crate::{Billing, downloads};
use armkit::{ArmError, Query};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use calendar::Instant;
use domain::Error;
use domain::access::{Action, Caller, Scope};
use domain::ids::BillingAccountId;
use domain::numbering::DocumentNumber;
use httpkit::{BaseUrl, Group, Path, Purpose, Sealer};
use serde::{Deserialize, Serialize};
use service::{InvoicesOf, Reckoner};
use std::collections::{BTreeSet, HashMap};

/// The parameter of a link that opens it.
const TOKEN: &str = "downloadToken";
/// Links to one invoice's documents are the same within an hour, and hold for one more.
const KEPT_SECONDS: i64 = 7_200;
/// Most documents of one download.
const DOCUMENTS_MOST: usize = 100;

/// What tokens are sealed for.
const PURPOSE: Purpose = Purpose { operation: "azure-billing invoice documents", field: TOKEN };

const TAIL: &str = "/invoices/{invoiceName}/download";

/// What stands behind links: nobody is asked who it is.
pub(crate) fn open() -> Group<Billing> {
    Group::new()
        // Addresses that answers give.
        .get("Invoices_OpenOfAccount", at::ACCOUNT, TAIL, open_link)
        .get("Invoices_OpenOfBillingProfile", at::PROFILE, TAIL, open_link)
        .get("Invoices_OpenOfSubscription", at::DEFAULT_SUBSCRIPTION, TAIL, open_link)
}

/// What a link opens: a document of an invoice, until a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ticket {
    account: String,
    invoice: String,
    document: String,
    /// Seconds of real time since 1970.
    until_s: i64,
}

/// Makes the links of answers.
#[derive(Debug)]
pub(crate) struct Links<'a> {
    sealer: Sealer,
    until_s: i64,
    base: &'a BaseUrl,
    version: &'static str,
}

impl<'a> Links<'a> {
    pub(crate) fn new(reckoner: &Reckoner, base: &'a BaseUrl, version: &'static str) -> Links<'a> {
        let until_s = expiry_s(reckoner.system_now());
        Links::signed(secret(reckoner), until_s, base, version)
    }

    /// Links until a moment, in seconds of real time since 1970.
    pub(crate) fn signed(
        secret: [u8; 32],
        until_s: i64,
        base: &'a BaseUrl,
        version: &'static str,
    ) -> Links<'a> {
        Links { sealer: Sealer::new(secret, PURPOSE), until_s, base, version }
    }

    /// The address of a document; `above` is what the invoice's id begins with.
    pub(crate) fn to(
        &self,
        above: &str,
        account: &BillingAccountId,
        (invoice, document): (&DocumentNumber, &DocumentNumber),
    ) -> Result<String, Error> {
        let ticket = Ticket {
            account: account.to_string(),
            invoice: invoice.to_string(),
            document: document.to_string(),
            until_s: self.until_s,
        };
        let token = self.sealer.seal("", &ticket)?;
        let Links { base, version, .. } = self;
        Ok(format!(
            "{base}{above}/invoices/{invoice}/download?{TOKEN}={token}&useCache=True\
             &api-version={version}"
        ))
    }
}

fn expiry_s(now: Instant) -> i64 {
    now.start_of_hour().plus_seconds(KEPT_SECONDS).seconds()
}

fn secret(reckoner: &Reckoner) -> [u8; 32] {
    reckoner.sealing_secret("reckoner azure-billing invoice documents, version 1")
}

/// What a token opens that still holds; else what is wrong with it.
fn ticket(reckoner: &Reckoner, token: &str) -> Result<Ticket, &'static str> {
    let ticket = Sealer::new(secret(reckoner), PURPOSE).open::<Ticket>("", token);
    let ticket = ticket.map_err(|_| "is not a token that was given here")?;
    if ticket.until_s <= reckoner.system_now().seconds() {
        return Err("has expired; ask for the invoice anew");
    }
    Ok(ticket)
}

/// Answers a link. Whatever token of a caller comes along is not looked at.
async fn open_link(
    State(billing): State<Billing>,
    Path(names): Path<HashMap<String, String>>,
    query: Query,
) -> Result<Response, ArmError> {
    let refused = |problem: &str| Error::Unauthenticated {
        problem: format!("the link's `{TOKEN}` {problem}"),
    };
    let token = query.get(TOKEN)?.unwrap_or_default();
    let ticket = ticket(&billing.reckoner, token).map_err(refused)?;
    if names.get("invoiceName") != Some(&ticket.invoice) {
        return Err(refused("is of another invoice").into());
    }
    let reader = reader(&ticket.account)?;
    let document = DocumentNumber::parse(&ticket.document)?;
    let file = billing.reckoner.document_file(&reader, &document).await?;
    Ok(attachment("text/csv; charset=utf-8", &file.name, file.bytes))
}

/// Who a link makes of whoever has it.
fn reader(account: &str) -> Result<Caller, Error> {
    let scope = Scope::Account(BillingAccountId::new(account)?);
    Ok(Caller::Link { action: Action::ReadInvoices, scope })
}

fn attachment(kind: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let said = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    // Names of files are plain.
    let said = said.unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(kind)), (CONTENT_DISPOSITION, said)];
    (headers, bytes).into_response()
}

/// Who downloads, and where the answer is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Downloading<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) base: &'a BaseUrl,
    pub(crate) version: &'static str,
}

/// Accepts the download of the documents that some links lead to, in one archive.
pub(crate) async fn many(
    billing: &Billing,
    downloading: Downloading<'_>,
    of: &InvoicesOf,
    urls: &[String],
) -> Result<Response, ArmError> {
    let tickets = tickets(billing, downloading.caller, of, urls).await?;
    let documents: BTreeSet<String> = tickets.into_iter().map(|one| one.document).collect();
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    Ok(accepted(billing, downloading, of, (ARCHIVE, documents.as_slice())))
}

/// What links lead to that somebody reads of those whose invoices a path names.
async fn tickets(
    billing: &Billing,
    caller: &Caller,
    of: &InvoicesOf,
    urls: &[String],
) -> Result<Vec<Ticket>, ArmError> {
    // Who may read nothing here is told that, whatever it sends.
    billing.reckoner.reads_documents(caller, of, &[]).await?;
    if urls.is_empty() {
        return Err(wrong("body", "must name a document"));
    }
    if urls.len() > DOCUMENTS_MOST {
        let count = urls.len();
        let problem = format!("names {count} documents; one download has at most {DOCUMENTS_MOST}");
        return Err(wrong("body", problem));
    }
    let (mut tickets, mut numbers) = (Vec::new(), Vec::new());
    for (place, url) in urls.iter().enumerate() {
        let ticket = ticket(&billing.reckoner, &token_in(url));
        let ticket = ticket
            .map_err(|problem| wrong(format!("[{place}]"), format!("its `{TOKEN}` {problem}")))?;
        numbers.push(DocumentNumber::parse(&ticket.document)?);
        tickets.push(ticket);
    }
    let reads = billing.reckoner.reads_documents(caller, of, &numbers).await?;
    if let Some(place) = reads.iter().position(|reads| !reads) {
        let missing = Error::not_found("document", format!("[{place}]"));
        return Err(ArmError::from(missing).with_target(format!("[{place}]")));
    }
    Ok(tickets)
}

/// The token of an address; its path is not looked at.
fn token_in(url: &str) -> String {
    let (_, query) = url.split_once('?').unwrap_or_default();
    let query = Query::parse(query.split('#').next().unwrap_or_default());
    query.get(TOKEN).ok().flatten().unwrap_or_default().to_owned()
}

/// Accepts the download of one document of an invoice.
pub(crate) async fn one(
    billing: &Billing,
    downloading: Downloading<'_>,
    of: &InvoicesOf,
    (invoice, query): (&DocumentNumber, &Query),
) -> Result<Response, ArmError> {
    let told = billing.reckoner.invoice_of(downloading.caller, of, invoice).await?;
    let token = query.required(TOKEN).map_err(|e| ArmError::from(e).with_target(TOKEN))?;
    let ticket = ticket(&billing.reckoner, token).map_err(|problem| wrong(TOKEN, problem))?;
    if ticket.invoice != told.document.number.to_string() {
        return Err(wrong(TOKEN, "is of another invoice"));
    }
    let documents: [&str; 1] = [&ticket.document];
    Ok(accepted(billing, downloading, of, (SINGLE, documents.as_slice())))
}

/// Parameters of the file behind a download.
const ACCOUNT: &str = "account";
const FORM: &str = "form";
const DOCUMENT: &str = "document";
/// Its forms: several documents in an archive, or one as it is.
const ARCHIVE: &str = "zip";
const SINGLE: &str = "csv";

fn accepted(
    billing: &Billing,
    downloading: Downloading<'_>,
    of: &InvoicesOf,
    (form, documents): (&str, &[&str]),
) -> Response {
    let Downloading { caller, base, version } = downloading;
    let account = of.payer().as_str();
    let mut file = vec![("kind", "invoices"), (ACCOUNT, account), (FORM, form)];
    file.extend(documents.iter().map(|document| (DOCUMENT, *document)));
    downloads::accepted(billing, caller, base, version, &file)
}

/// The file that [`many`] or [`one`] was asked for, by the parameters of its link.
pub(crate) async fn file(
    billing: &Billing,
    params: &[(String, String)],
) -> Result<Response, ArmError> {
    let of = |name: &'static str| {
        params.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    };
    let reader = reader(of(ACCOUNT).next().unwrap_or_default())?;
    let documents: Result<Vec<DocumentNumber>, Error> =
        of(DOCUMENT).map(DocumentNumber::parse).collect();
    let documents = documents?;
    match (of(FORM).next(), documents.as_slice()) {
        (Some(SINGLE), [document]) => {
            let file = billing.reckoner.document_file(&reader, document).await?;
            Ok(attachment("text/csv; charset=utf-8", &file.name, file.bytes))
        }
        (_, documents) => {
            let bytes = billing.reckoner.document_archive(&reader, documents).await?;
            Ok(attachment("application/zip", "invoices.zip", bytes))
        }
    }
}

/// Whether somebody reads the documents of a link now.
///
/// Errors: [`Error::Forbidden`], [`Error::NotFound`] for who does not.
pub(crate) async fn demand(
    billing: &Billing,
    caller: &Caller,
    params: &[(String, String)],
) -> Result<(), Error> {
    let of = InvoicesOf::Account(BillingAccountId::new(downloads::param(params, ACCOUNT))?);
    let numbers = params.iter().filter(|(name, _)| name == DOCUMENT);
    let numbers = numbers.map(|(_, value)| DocumentNumber::parse(value));
    let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
    let reads = billing.reckoner.reads_documents(caller, &of, &numbers).await?;
    match numbers.iter().zip(reads).find(|(_, reads)| !reads) {
        Some((number, _)) => Err(Error::not_found("document", number.to_string())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_known_by_its_token_alone() {
        let check = |url: &str, expected: &str| assert_eq!(token_in(url), expected, "{url}");
        check("https://h/invoices/R-1/download?downloadToken=abc&useCache=True", "abc");
        check("https://h/x?useCache=True&DownloadToken=a%2Db#top", "a-b");
        // The vendor's own examples lack a slash there.
        check("https://h/billingAccounts/abillingProfiles/b?downloadToken=abc", "abc");
        check("https://h/invoices/R-1/download", "");
        check("https://h/x?downloadToken=a&downloadToken=b", "");
        check("abc", "");
    }

    #[test]
    fn links_are_the_same_within_an_hour_and_hold_for_one_more() {
        let check = |now: &str, expected: &str| {
            let [now, expected] = [now, expected].map(|text| Instant::parse(text).unwrap());
            assert_eq!(expiry_s(now), expected.seconds());
        };
        check("2026-11-18T09:00:00Z", "2026-11-18T11:00:00Z");
        check("2026-11-18T09:59:59Z", "2026-11-18T11:00:00Z");
        check("2026-11-18T10:00:00Z", "2026-11-18T12:00:00Z");
    }
}
