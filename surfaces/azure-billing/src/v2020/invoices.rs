//! Invoices: of an account, a billing profile or a subscription; and downloads of their documents.

use crate::at::{self, At, account_id};
use crate::given::Items;
use crate::invoice_files::{Downloading, Links, many, one};
use crate::invoices::{Whose, number};
use crate::listing::Listing;
use crate::resource::Resource;
use crate::same::invoices::{InvoiceProperties, Manner};
use crate::{Billing, V2020, kinds};
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::access::Caller;
use domain::notes::NoteKind;
use domain::{Error, Result as Told};
use httpkit::{Asking, BaseUrl, Group};
use serde::Serialize;
use service::{InvoiceTold, InvoicesOf, Replaced};
use std::collections::BTreeMap;

const LIST: &str = "/invoices";
const ONE: &str = "/invoices/{invoiceName}";
const DOWNLOAD_ONE: &str = "/invoices/{invoiceName}/download";
const DOWNLOAD: &str = "/downloadDocuments";

pub(crate) fn group() -> Group<Billing> {
    let (of_account, of_subscription) = (
        "Invoices_DownloadMultipleBillingProfileInvoices",
        "Invoices_DownloadMultipleBillingSubscriptionInvoices",
    );
    let by_subscription = "Invoices_GetBySubscriptionAndInvoiceId";
    let one_of_subscription = "Invoices_DownloadBillingSubscriptionInvoice";
    let subscription = at::DEFAULT_SUBSCRIPTION;
    Group::new()
        // All but enterprise agreements.
        .get("Invoices_ListByBillingAccount", at::ACCOUNT, LIST, list)
        .get("Invoices_Get", at::ACCOUNT, ONE, get)
        .get("Invoices_GetById", at::DEFAULT_ACCOUNT, ONE, get_by_id)
        .post("Invoices_DownloadInvoice", at::ACCOUNT, DOWNLOAD_ONE, download_one)
        .post(of_account, at::ACCOUNT, DOWNLOAD, download)
        // Customer and partner agreements.
        .get("Invoices_ListByBillingProfile", at::PROFILE, LIST, list_of_profile)
        // Online services agreements.
        .get("Invoices_ListByBillingSubscription", subscription, LIST, list_of_subscription)
        .get(by_subscription, subscription, ONE, get_of_subscription)
        .post(one_of_subscription, subscription, DOWNLOAD_ONE, download_one_of_subscription)
        .post(of_subscription, subscription, DOWNLOAD, download_of_subscription)
}

/// Rows among the kinds of agreement of what the first version has elsewhere.
const LISTED: &str = "Invoices_ListByBillingAccount@2020-05-01";
const GOT: &str = "Invoices_Get@2020-05-01";
const GOT_BY_ID: &str = "Invoices_GetById@2020-05-01";
const DOWNLOADED: &str = "Invoices_DownloadMultipleBillingProfileInvoices@2020-05-01";

type Invoice = Resource<InvoiceProperties<Rebills>>;

async fn list(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Json<List<Invoice>>, ArmError> {
    let whose = listing.billing.invoices_of_account(&caller, &at, LISTED).await?;
    page(&listing, (&caller, &base), &whose, &query).await
}

async fn list_of_profile(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Json<List<Invoice>>, ArmError> {
    let whose = listing.billing.invoices_of_profile(&caller, &at).await?;
    page(&listing, (&caller, &base), &whose, &query).await
}

async fn list_of_subscription(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Json<List<Invoice>>, ArmError> {
    let whose = listing.billing.invoices_of_subscription(&caller, &at).await?;
    page(&listing, (&caller, &base), &whose, &query).await
}

async fn page(
    listing: &Listing,
    (caller, base): (&Caller, &BaseUrl),
    whose: &Whose,
    query: &Query,
) -> Result<Json<List<Invoice>>, ArmError> {
    let page = listing.issued(caller, whose, query).await?;
    let manner = manner(&listing.billing, whose, base);
    let value = page.value.iter().map(|told| view(&manner, whose, told));
    Ok(Json(List { value: value.collect::<Told<_>>()?, next_link: page.next_link }))
}

/// The one of them that a path names.
async fn shown(
    billing: &Billing,
    (caller, base): (&Caller, &BaseUrl),
    whose: &Whose,
    at: &At,
) -> Result<Json<Invoice>, ArmError> {
    let told = billing.invoice(caller, whose, at).await?;
    Ok(Json(view(&manner(billing, whose, base), whose, &told)?))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
) -> Result<Json<Invoice>, ArmError> {
    let whose = billing.invoices_of_account(&caller, &at, GOT).await?;
    shown(&billing, (&caller, &base), &whose, &at).await
}

/// Of whatever account; it is shown as that account's.
async fn get_by_id(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
) -> Result<Json<Invoice>, ArmError> {
    let told = billing.reckoner.invoice_by_number(&caller, &number(&at)?).await?;
    let payer = &told.document.invoice.billing_account;
    let account = billing.reckoner.billing_account(&caller, payer).await?;
    kinds::demand(GOT_BY_ID, account.kind)?;
    let whose = Whose { of: InvoicesOf::Account(account.id), kind: account.kind };
    Ok(Json(view(&manner(&billing, &whose, &base), &whose, &told)?))
}

async fn get_of_subscription(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
) -> Result<Json<Invoice>, ArmError> {
    let whose = billing.invoices_of_subscription(&caller, &at).await?;
    shown(&billing, (&caller, &base), &whose, &at).await
}

async fn download_one(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Response, ArmError> {
    let whose = billing.invoices_of_account(&caller, &at, at.operation).await?;
    let downloading = Downloading { caller: &caller, base: &base, version: V2020 };
    one(&billing, downloading, &whose.of, (&number(&at)?, &query)).await
}

async fn download_one_of_subscription(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Response, ArmError> {
    let whose = billing.invoices_of_subscription(&caller, &at).await?;
    let downloading = Downloading { caller: &caller, base: &base, version: V2020 };
    one(&billing, downloading, &whose.of, (&number(&at)?, &query)).await
}

async fn download(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    Items(urls): Items<String>,
) -> Result<Response, ArmError> {
    let whose = billing.invoices_of_account(&caller, &at, DOWNLOADED).await?;
    let downloading = Downloading { caller: &caller, base: &base, version: V2020 };
    many(&billing, downloading, &whose.of, &urls).await
}

async fn download_of_subscription(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    Items(urls): Items<String>,
) -> Result<Response, ArmError> {
    let whose = billing.invoices_of_subscription(&caller, &at).await?;
    let downloading = Downloading { caller: &caller, base: &base, version: V2020 };
    many(&billing, downloading, &whose.of, &urls).await
}

/// Rebill details by the number of the voided invoice.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(untagged)]
pub(crate) enum Rebills {
    /// As the contract declares them.
    ByNumber(BTreeMap<String, RebillDetails>),
    /// As its examples have them.
    #[cfg(test)]
    Bare(Box<RebillDetails>),
}

#[cfg(test)]
impl Default for Rebills {
    fn default() -> Rebills {
        Rebills::ByNumber(BTreeMap::new())
    }
}

/// `RebillDetails`: a voided invoice, what voided it, and the one before.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(deny_unknown_fields, default))]
pub(crate) struct RebillDetails {
    /// Its number: notes have no address, they are documents of their invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_note_document_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_document_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebill_details: Option<Rebills>,
}

/// This version shows invoices of profiles as their account's.
fn manner<'a>(billing: &Billing, whose: &Whose, base: &'a BaseUrl) -> Manner<'a> {
    let (above, kind) = match &whose.of {
        InvoicesOf::Account(_) | InvoicesOf::Profile(_) => {
            (account_id(whose.of.payer()), "billingAccounts/invoices")
        }
        InvoicesOf::Subscription { payer: _, subscription } => (
            format!("{}/billingSubscriptions/{subscription}", at::DEFAULT_ACCOUNT),
            "billingAccounts/billingSubscriptions/invoices",
        ),
    };
    let links = Links::new(&billing.reckoner, base, V2020);
    // The contract has one word for Brazil and one for all others.
    let source = Some("DRS");
    Manner { linked_above: above.clone(), above, kind, links, source, tells_numbers: false }
}

pub(crate) fn view(
    manner: &Manner<'_>,
    whose: &Whose,
    told: &InvoiceTold,
) -> Result<Invoice, Error> {
    let mut shown = manner.invoice(whose, told)?;
    shown.properties.document_type = Some("Invoice");
    shown.properties.rebill_details = rebills(manner, told);
    let is_void = told.document.notes.iter().any(|issued| issued.note.kind == NoteKind::Void);
    let next = told.replaced_by.as_ref().filter(|_| is_void);
    shown.properties.billed_document_id = next.map(|(_, latest)| manner.id(latest));
    Ok(shown)
}

/// The voided invoices in whose place one stands: the last one first, each with the one before.
fn rebills(manner: &Manner<'_>, told: &InvoiceTold) -> Option<Rebills> {
    let mut before: Option<Rebills> = None;
    for Replaced { invoice, void } in &told.replaces {
        let details = RebillDetails {
            credit_note_document_id: void.as_ref().map(ToString::to_string),
            invoice_document_id: Some(manner.id(invoice)),
            rebill_details: before.take(),
        };
        before = Some(Rebills::ByNumber(BTreeMap::from([(invoice.to_string(), details)])));
    }
    before
}
