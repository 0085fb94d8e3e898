//! Invoices of an account without all of their bodies at once: which there are, then one by one.

use crate::Inner;
use crate::documents::INVOICE;
use calendar::BillingPeriod;
use domain::Result;
use domain::closes::{Part, Share};
use domain::encoding::books::decode_invoice;
use domain::ids::{BillingAccountId, DocumentId, LegalEntityId, PlaceId};
use domain::invoice::Invoice;
use domain::notes::NoteKind;
use domain::numbering::DocumentNumber;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{DocumentHead, DocumentRow};

impl Inner {
    /// The numbers of an account's invoices that are for a billing period or one after it, by
    /// period and number: without those that a void note has withdrawn.
    pub(crate) async fn standing_invoices(
        self: &Arc<Self>,
        account: &BillingAccountId,
        first: BillingPeriod,
        is_asked: impl Fn(BillingPeriod, &Share) -> bool,
    ) -> Result<Vec<DocumentNumber>> {
        let heads = self.document_heads(account, first.number()).await?;
        let withdrawn = heads.iter().filter(|head| head.kind == NoteKind::Void.name());
        let withdrawn: BTreeSet<&str> = withdrawn.map(|head| head.amends.as_str()).collect();
        let is_wanted = |head: &&DocumentHead| {
            let of = period_and_share(&head.id, account);
            head.kind == INVOICE
                && !withdrawn.contains(head.id.as_str())
                && of.is_some_and(|(period, share)| is_asked(period, &share))
        };
        heads.iter().filter(is_wanted).map(number_of).collect()
    }

    /// The billing profile that an account's invoice of a number is of, if it is of one; nothing
    /// where the account has no such invoice.
    pub(crate) async fn profile_of_invoice(
        self: &Arc<Self>,
        account: &BillingAccountId,
        number: &DocumentNumber,
    ) -> Result<Option<Option<PlaceId>>> {
        let heads = self.document_heads(account, i32::MIN).await?;
        let is_meant = |head: &&DocumentHead| {
            let is_number =
                head.seller == number.seller.as_str() && head.sequence == number.sequence;
            is_number && head.kind == INVOICE
        };
        Ok(heads.iter().find(is_meant).map(|head| {
            let (_, share) = period_and_share(&head.id, account)?;
            let Share::Profile(id) = share else { return None };
            PlaceId::new(&id).ok()
        }))
    }

    async fn document_heads(
        self: &Arc<Self>,
        account: &BillingAccountId,
        from: i32,
    ) -> Result<Vec<DocumentHead>> {
        let (store, account) = (Arc::clone(&self.store), account.clone());
        crate::blocking(move || {
            let heads = store.document_heads(account.as_str(), from);
            heads.map_err(crate::stored("read the documents"))
        })
        .await
    }

    /// An account's invoice of a number; none if it has no such.
    pub(crate) async fn issued_invoice(
        self: &Arc<Self>,
        account: &BillingAccountId,
        number: &DocumentNumber,
    ) -> Result<Option<Invoice>> {
        let (store, account, asked) = (Arc::clone(&self.store), account.clone(), number.clone());
        crate::blocking(move || {
            let found = store.document(asked.seller.as_str(), asked.sequence);
            let row = found.map_err(crate::stored("read a document"))?;
            let own =
                |row: &DocumentRow| row.kind == INVOICE && row.billing_account == account.as_str();
            row.filter(own).map(|row| decode_invoice(&row.body)).transpose()
        })
        .await
    }
}

/// The billing period that an invoice is for, and whose charges it has: a rebill is issued later.
fn period_and_share(id: &str, account: &BillingAccountId) -> Option<(BillingPeriod, Share)> {
    let tail = id.strip_prefix(account.as_str())?.strip_prefix('/')?;
    let (period, _) = tail.split_once('/').unwrap_or((tail, ""));
    let period = BillingPeriod::parse(period).ok()?;
    let part = Part::of_document(&DocumentId::new(id).ok()?, account, period)?;
    Some((period, part.share))
}

fn number_of(head: &DocumentHead) -> Result<DocumentNumber> {
    Ok(DocumentNumber { seller: LegalEntityId::new(&head.seller)?, sequence: head.sequence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_is_of_the_period_that_it_is_for() {
        let check = |id: &str, expected: &str| {
            let account = BillingAccountId::new("acme").unwrap();
            let told = match period_and_share(id, &account) {
                Some((period, share)) => format!("{period} {share:?}"),
                None => "-".to_owned(),
            };
            assert_eq!(told, expected, "{id}");
        };
        check("acme/2026-03", "2026-03 Account");
        check("acme/2026-03/profile/ships", "2026-03 Profile(\"ships\")");
        check("acme/2026-03/marketplace/profile/ships", "2026-03 Profile(\"ships\")");
        check("acme/2026-03/rebill/1/profile/ships", "2026-03 Profile(\"ships\")");
        check("acme/soon", "-");
        check("acme-west/2026-03", "-");
    }
}
