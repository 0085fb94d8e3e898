//! Transactions: the lines of invoices one by one, and of the drafts of what is not billed yet.

use crate::at::{self, At};
use crate::same::transactions::{Onward, Transaction, asked, days, transaction};
use crate::{Billing, V2019};
use armkit::{ArmError, List, Query};
use axum::Json;
use axum::extract::{OriginalUri, State};
use httpkit::{Asking, BaseUrl, Group};
use service::InvoicesOf;

pub(crate) fn group() -> Group<Billing> {
    Group::new()
        .get("Transactions_ListByBillingAccount", at::ACCOUNT, "/transactions", list)
        .get("Transactions_ListByBillingProfile", at::PROFILE, "/transactions", whole)
        .get("Transactions_ListByCustomer", at::CUSTOMER, "/transactions", list)
        .get("Transactions_ListByInvoice", at::PROFILE, "/invoices/{invoiceName}/transactions", of)
        .get("Transactions_ListByInvoiceSection", at::SECTION, "/transactions", whole)
        .get("Transactions_Get", at::PROFILE, "/transactions/{transactionName}", get)
}

/// Lists those of a billing account or customer, in pages.
async fn list(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Json<List<Transaction>>, ArmError> {
    let (account, spot) = billing.scope(&caller, &at).await?;
    let onward = Onward { base, uri, query };
    let (asked, token) = (asked(&billing, &onward.query)?, onward.token()?);
    let page = billing.reckoner.invoice_lines(&caller, &spot.scope, &asked, token).await?;
    Ok(Json(onward.page((&account.id, V2019), &page)?))
}

/// Lists those of a billing profile or invoice section: their descriptions do not mark them
/// pageable.
async fn whole(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<List<Transaction>>, ArmError> {
    let (account, spot) = billing.scope(&caller, &at).await?;
    let asked = asked(&billing, &query)?;
    let lines = billing.reckoner.all_invoice_lines(&caller, &spot.scope, &asked).await?;
    let value = lines.iter().map(|told| transaction((&account.id, V2019), told));
    Ok(Json(List { value: value.collect::<Result<_, _>>()?, next_link: None }))
}

/// Lists those of an invoice, in pages.
async fn of(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Json<List<Transaction>>, ArmError> {
    let (account, profile) = billing.place(&caller, &at).await?;
    let (of, onward) = (InvoicesOf::Profile(profile.place), Onward { base, uri, query });
    let (invoice, token) = (at.name("invoiceName"), onward.token()?);
    let page = billing.reckoner.lines_of_invoice(&caller, &of, invoice, token).await?;
    Ok(Json(onward.page((&account.id, V2019), &page)?))
}

async fn get(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    query: Query,
) -> Result<Json<Transaction>, ArmError> {
    let (account, profile) = billing.place(&caller, &at).await?;
    let (name, days) = (at.name("transactionName"), days(&query)?);
    let told = billing.reckoner.invoice_line(&caller, &profile.place, name, &days).await?;
    Ok(Json(transaction((&account.id, V2019), &told)?))
}
