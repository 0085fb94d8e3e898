//! All that a payer was ever sent: what corrections and notes are made from.

use crate::Inner;
use crate::documents::{INVOICE, number_of};
use domain::delivery::{Delivered, Sent};
use domain::encoding::books::{
    decode_corrections, decode_invoice, decode_note, encode_corrections,
};
use domain::ids::{BillingAccountId, DocumentId};
use domain::{Error, Result};
use std::sync::Arc;
use store::{Delivery, DeliveryRow, DocumentRow};

impl Inner {
    /// All that a payer was sent until now.
    pub(crate) async fn sent_to(self: &Arc<Self>, id: &BillingAccountId) -> Result<Sent> {
        let rows = self.rows_sent_to(id).await?;
        let delivered = self.delivery_rows(id).await?;
        crate::blocking(move || sent(&rows, &delivered)).await
    }

    /// Corrections of a payer that no line of an invoice shows.
    pub(crate) async fn delivery_rows(
        self: &Arc<Self>,
        id: &BillingAccountId,
    ) -> Result<Vec<DeliveryRow>> {
        let (store, id) = (Arc::clone(&self.store), id.to_string());
        crate::blocking(move || {
            store.deliveries(&id).map_err(crate::stored("read the corrections"))
        })
        .await
    }
}

/// Documents and corrections of one payer as the domain knows them.
fn sent(rows: &[DocumentRow], delivered: &[DeliveryRow]) -> Result<Sent> {
    let mut sent = Sent::default();
    let mut notes = Vec::new();
    for row in rows {
        match row.kind.as_str() {
            INVOICE => sent.invoices.push(decode_invoice(&row.body)?),
            _ => notes.push((number_of(row)?, decode_note(&row.body)?)),
        }
    }
    notes.sort_by(|(a, _), (b, _)| a.cmp(b));
    sent.notes = notes.into_iter().map(|(_, note)| note).collect();
    sent.delivered = delivered.iter().map(read).collect::<Result<_>>()?;
    Ok(sent)
}

/// Delivered corrections as the domain knows them.
pub(crate) fn read(DeliveryRow { delivery, digest: _ }: &DeliveryRow) -> Result<Delivered> {
    let Delivery { document, number, note, body } = delivery;
    Ok(Delivered {
        document: DocumentId::new(document)?,
        number: *number,
        note: (!note.is_empty()).then(|| DocumentId::new(note)).transpose()?,
        corrections: decode_corrections(body)
            .map_err(|e| Error::internal(format!("read corrections {number} of {document}"), e))?,
    })
}

/// Delivered corrections as the books keep them.
pub(crate) fn kept(delivered: &Delivered) -> Delivery {
    let Delivered { document, number, note, corrections } = delivered;
    Delivery {
        document: document.to_string(),
        number: *number,
        note: note.as_ref().map(ToString::to_string).unwrap_or_default(),
        body: encode_corrections(corrections),
    }
}
