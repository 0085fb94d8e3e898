//! Invoices of an account: which there are, then one by one, so that no list of them holds all of
//! their bodies. What drafts open periods holds them all the same where a closed period is to be
//! corrected: it asks for every rate that was kept and every line that was corrected: see `sent`.

use crate::Inner;
use crate::documents::INVOICE;
use crate::invoice_told::number_in;
use calendar::BillingPeriod;
use domain::Result;
use domain::closes::Part;
use domain::encoding::books::decode_invoice;
use domain::ids::{BillingAccountId, DocumentId};
use domain::invoice::Invoice;
use domain::notes::NoteKind;
use domain::numbering::DocumentNumber;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Inner {
    /// The numbers of an account's invoices that are asked for by the billing period that they are
    /// for and their part of it, by period and number: without those that a void note has
    /// withdrawn.
    pub(crate) async fn standing_invoices(
        self: &Arc<Self>,
        account: &BillingAccountId,
        is_asked: impl Fn(BillingPeriod, &Part) -> bool,
    ) -> Result<Vec<DocumentNumber>> {
        let heads = self.heads_of(account).await?;
        let withdrawn = heads.iter().filter(|head| head.kind == NoteKind::Void.name());
        let withdrawn: BTreeSet<&str> = withdrawn.map(|head| head.amends.as_str()).collect();
        let mut asked = BTreeSet::new();
        for head in heads.iter().filter(|head| head.kind == INVOICE) {
            let of = Part::of_id(&DocumentId::new(&head.id)?, account);
            let of = of.filter(|(period, part)| is_asked(*period, part));
            if let Some((period, _)) = of.filter(|_| !withdrawn.contains(head.id.as_str())) {
                asked.insert((period, number_in(head)?));
            }
        }
        Ok(asked.into_iter().map(|(_, number)| number).collect())
    }

    /// An account's invoice of a number; none if it has no such.
    pub(crate) async fn issued_invoice(
        self: &Arc<Self>,
        account: &BillingAccountId,
        number: &DocumentNumber,
    ) -> Result<Option<Invoice>> {
        let Some(row) = self.row_of(number).await? else { return Ok(None) };
        if row.kind != INVOICE || row.billing_account != account.as_str() {
            return Ok(None);
        }
        crate::blocking(move || decode_invoice(&row.body).map(Some)).await
    }
}
