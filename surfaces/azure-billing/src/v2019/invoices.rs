//! Invoices: of an account, a billing profile or a subscription; and downloads of their documents.

use crate::at::{self, At, account_id, profile_id};
use crate::given::Items;
use crate::invoice_files::{Downloading, Links, many};
use crate::invoices::Whose;
use crate::listing::Listing;
use crate::resource::Resource;
use crate::same::invoices::{InvoiceProperties, Manner};
use crate::{Billing, V2019};
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::access::Caller;
use domain::agreements::AgreementType;
use domain::{Error, Result as Told};
use httpkit::{Asking, BaseUrl, Group};
use serde::Serialize;
use service::{InvoiceTold, InvoicesOf};

const LIST: &str = "/invoices";
const ONE: &str = "/invoices/{invoiceName}";
const DOWNLOAD: &str = "/downloadDocuments";

pub(crate) fn group() -> Group<Billing> {
    let of_subscription = "Invoices_DownloadMultipleBillingSubscriptionInvoices";
    Group::new()
        // Whatever the kind of agreement.
        .get("Invoices_ListByBillingAccount", at::ACCOUNT, LIST, list)
        .get("Invoices_GetBillingAccountInvoice", at::ACCOUNT, ONE, get)
        // Customer and partner agreements.
        .get("Invoices_ListByBillingProfile", at::PROFILE, LIST, list_of_profile)
        .get("Invoices_Get", at::PROFILE, ONE, get_of_profile)
        .post(
            "Invoices_DownloadMultipleBillingProfileInvoices",
            at::PROFILE,
            DOWNLOAD,
            download_of_profile,
        )
        // Enterprise agreements.
        .post("Invoices_DownloadMultipleEAInvoices", at::ACCOUNT, DOWNLOAD, download)
        // Online services agreements.
        .get("Invoices_ListByBillingSubscription", at::BILLING_SUBSCRIPTION, LIST, page)
        .get("Invoices_GetById", at::BILLING_SUBSCRIPTION, ONE, get_of_subscription)
        .post(of_subscription, at::DEFAULT_SUBSCRIPTION, DOWNLOAD, download_of_subscription)
}

type Invoice = Resource<InvoiceProperties<InvoiceRebillDetails>>;

async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Json<List<Invoice>>, ArmError> {
    let whose = billing.invoices_of_account(&caller, &at, at.operation).await?;
    let all = billing.issued(&caller, &whose, &query).await?;
    Ok(Json(whole(&manner(&billing, &whose, &base), &whose, &all)?))
}

async fn list_of_profile(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Json<List<Invoice>>, ArmError> {
    let whose = billing.invoices_of_profile(&caller, &at).await?;
    let all = billing.issued(&caller, &whose, &query).await?;
    Ok(Json(whole(&manner(&billing, &whose, &base), &whose, &all)?))
}

fn whole(manner: &Manner<'_>, whose: &Whose, all: &[InvoiceTold]) -> Told<List<Invoice>> {
    let value = all.iter().map(|told| view(manner, whose, told)).collect::<Told<_>>()?;
    Ok(List { value, next_link: None })
}

/// The one list of invoices that comes in pages.
async fn page(
    listing: Listing,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    query: Query,
) -> Result<Json<List<Invoice>>, ArmError> {
    let billing = &listing.billing;
    let whose = billing.invoices_of_billing_subscription(&caller, &at).await?;
    let page = listing.issued(&caller, &whose, &query).await?;
    let all = whole(&manner(billing, &whose, &base), &whose, &page.value)?;
    Ok(Json(List { next_link: page.next_link, ..all }))
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
    let whose = billing.invoices_of_account(&caller, &at, at.operation).await?;
    shown(&billing, (&caller, &base), &whose, &at).await
}

async fn get_of_profile(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
) -> Result<Json<Invoice>, ArmError> {
    let whose = billing.invoices_of_profile(&caller, &at).await?;
    shown(&billing, (&caller, &base), &whose, &at).await
}

async fn get_of_subscription(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
) -> Result<Json<Invoice>, ArmError> {
    let whose = billing.invoices_of_billing_subscription(&caller, &at).await?;
    shown(&billing, (&caller, &base), &whose, &at).await
}

async fn download(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    Items(urls): Items<String>,
) -> Result<Response, ArmError> {
    let whose = billing.invoices_of_account(&caller, &at, at.operation).await?;
    let downloading = Downloading { caller: &caller, base: &base, version: V2019 };
    many(&billing, downloading, &whose.of, &urls).await
}

async fn download_of_profile(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    Items(urls): Items<String>,
) -> Result<Response, ArmError> {
    let whose = billing.invoices_of_profile(&caller, &at).await?;
    let downloading = Downloading { caller: &caller, base: &base, version: V2019 };
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
    let downloading = Downloading { caller: &caller, base: &base, version: V2019 };
    many(&billing, downloading, &whose.of, &urls).await
}

/// `InvoiceRebillDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct InvoiceRebillDetails {
    rebill_document_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebilled_invoice_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_invoice_id: Option<String>,
}

fn manner<'a>(billing: &Billing, whose: &Whose, base: &'a BaseUrl) -> Manner<'a> {
    let (above, linked_above, kind) = match &whose.of {
        InvoicesOf::Account(payer) => {
            (account_id(payer), account_id(payer), "billingAccounts/invoices")
        }
        InvoicesOf::Profile(profile) => {
            (profile_id(profile), profile_id(profile), "billingAccounts/billingProfiles/invoices")
        }
        // Whose documents are downloaded under the account `default`.
        InvoicesOf::Subscription { payer, subscription } => (
            format!("{}/billingSubscriptions/{subscription}", account_id(payer)),
            format!("{}/billingSubscriptions/{subscription}", at::DEFAULT_ACCOUNT),
            "billingAccounts/billingSubscriptions/invoices",
        ),
    };
    let links = Links::new(&billing.reckoner, base, V2019);
    Manner { above, linked_above, kind, links, source: None, tells_numbers: true }
}

pub(crate) fn view(
    manner: &Manner<'_>,
    whose: &Whose,
    told: &InvoiceTold,
) -> Result<Invoice, Error> {
    let mut shown = manner.invoice(whose, told)?;
    // The vendor has it for invoices of enterprise agreements.
    if whose.kind == Some(AgreementType::Enterprise) {
        shown.properties.rebill_details = rebilled(manner, told);
    }
    Ok(shown)
}

/// What an invoice is among those that were issued for the same charges.
fn rebilled(manner: &Manner<'_>, told: &InvoiceTold) -> Option<InvoiceRebillDetails> {
    let (next, latest) = match &told.replaced_by {
        Some((next, latest)) => (Some(next), Some(latest)),
        None if told.replaces.is_empty() => (None, None),
        None => (None, Some(&told.document.number)),
    };
    latest.map(|latest| InvoiceRebillDetails {
        rebill_document_type: if told.replaces.is_empty() { "Original" } else { "Rebill" },
        rebilled_invoice_id: next.map(|next| manner.id(next)),
        latest_invoice_id: Some(manner.id(latest)),
    })
}
