//! Transactions: the lines of an invoice.

use super::CountedList;
use crate::at::{self, At};
use crate::same::transactions::{Onward, Transaction};
use crate::{Billing, V2020};
use armkit::{ArmError, Query};
use axum::Json;
use axum::extract::{OriginalUri, State};
use httpkit::{Asking, BaseUrl, Group};
use service::InvoicesOf;

pub(crate) fn group() -> Group<Billing> {
    Group::new().get(
        "Transactions_ListByInvoice",
        at::ACCOUNT,
        "/invoices/{invoiceName}/transactions",
        of,
    )
}

/// Lists those of an invoice, in pages.
async fn of(
    State(billing): State<Billing>,
    Asking(caller): Asking,
    at: At,
    base: BaseUrl,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Json<CountedList<Transaction>>, ArmError> {
    let account = billing.account(&caller, at.account(), at.operation).await?;
    let (of, onward) = (InvoicesOf::Account(account.id.clone()), Onward { base, uri, query });
    let (invoice, token) = (at.name("invoiceName"), onward.token()?);
    let page = billing.reckoner.lines_of_invoice(&caller, &of, invoice, token).await?;
    let total_count = usize::try_from(page.total).unwrap_or(usize::MAX);
    Ok(Json(CountedList { page: onward.page((&account.id, V2020), &page)?, total_count }))
}
