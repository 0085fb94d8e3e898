//! Payments: which documents a payment settles, and what becomes open credit.

use crate::ids::{DocumentId, PaymentId};
use crate::{Error, Result};
use calendar::Instant;
use money::{Currency, Money};

/// Money received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id: the same payment told twice is one payment.
    pub id: PaymentId,
    /// When, by the business clock.
    pub at: Instant,
    /// Minor units, above zero.
    pub amount: Money,
}

/// What a document is owed, or gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentAmount {
    /// The document.
    pub document: DocumentId,
    /// Minor units.
    pub amount: Money,
}

/// How an amount goes to documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What each document gets, in order; none gets more than it is owed.
    pub parts: Vec<DocumentAmount>,
    /// What makes good for what was written off; none gets more than that.
    pub recovered: Vec<DocumentAmount>,
    /// What is left over: open credit.
    pub surplus: Money,
}

/// Gives an amount to documents in the order given; what nobody is owed is left over.
///
/// Errors: [`Error::Invalid`] for an amount that is not above zero; [`Error::Money`].
pub fn settle(amount: Money, owed: &[DocumentAmount]) -> Result<Settled> {
    if amount.minor() <= 0 {
        return Err(Error::invalid("amount", format!("{amount} is not above zero")));
    }
    let (parts, surplus) = share(amount, owed)?;
    Ok(Settled { parts, recovered: Vec::new(), surplus })
}

impl Settled {
    /// Lets what is left over make good for what was written off of documents, in the order given.
    ///
    /// Errors: [`Error::Money`].
    pub fn recover(self, written_off: &[DocumentAmount]) -> Result<Settled> {
        let (recovered, surplus) = share(self.surplus, written_off)?;
        Ok(Settled { recovered, surplus, ..self })
    }
}

/// What each gets of an amount, in order, and what is left of it.
fn share(amount: Money, among: &[DocumentAmount]) -> Result<(Vec<DocumentAmount>, Money)> {
    let currency: Currency = amount.currency();
    let mut left = amount;
    let mut parts = Vec::new();
    for DocumentAmount { document, amount: wanted } in among {
        let of = |source| Error::money(format!("settlement of {document}"), source);
        // Adding to nothing refuses another currency.
        let wanted = Money::zero(currency).checked_add(*wanted).map_err(of)?;
        let part = wanted.minor().min(left.minor());
        if part > 0 {
            let amount = Money::from_minor(part, currency);
            left = left.checked_sub(amount).map_err(of)?;
            parts.push(DocumentAmount { document: document.clone(), amount });
        }
    }
    Ok((parts, left))
}

#[cfg(test)]
mod tests;
