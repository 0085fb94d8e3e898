//! Payments: money received settles invoices, and what is left over is open credit that later
//! invoices use, or that is paid out again.

use crate::bookings::{ATTEMPTS_MOST, balances_of, changed};
use crate::documents::{INVOICE, number_of};
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::BillingPeriod;
use domain::access::{Action, Caller, Scope};
use domain::encoding::books::{encode_entry, purpose_key};
use domain::ids::{BillingAccountId, DocumentId, PaymentId};
use domain::ledger::{Balances, Entry, LedgerAccount, Purpose};
use domain::numbering::DocumentNumber;
use domain::payments::{DocumentAmount, Payment, settle};
use domain::{Error, Result, posting};
use money::{Cost, Fixed18, Money};
use std::sync::Arc;
use store::{Booking, NewEntry};

/// Money that came in or is to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentAsked {
    /// Its id: the same payment told twice is one.
    pub id: PaymentId,
    /// Whose.
    pub billing_account: BillingAccountId,
    /// Major units of the account's currency, above zero; no finer than its minor unit.
    pub amount: Fixed18,
    /// What happens to it.
    pub way: Way,
}

/// Which way money went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It came in, for these invoices first; for all that is owed, oldest first, if none is named.
    In(Vec<DocumentNumber>),
    /// Open credit was paid out.
    Out,
}

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentBooked {
    /// The amount.
    pub amount: Money,
    /// What invoices got of it, and what made good for their write-offs.
    pub parts: Vec<DocumentAmount>,
    /// What became open credit.
    pub surplus: Money,
    /// Whether it was booked now; it stood in the ledger before if not.
    pub is_new: bool,
}

impl Reckoner {
    /// Books money that came in, or open credit that was paid out. The same payment again changes
    /// nothing.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for the account or an invoice of it;
    /// [`Error::Invalid`] for an amount that cannot be; [`Error::Conflict`] for another payment of
    /// the same id; [`Error::Overdrawn`] for more than there is open credit.
    #[boxed]
    pub async fn record_payment(
        &self,
        caller: &Caller,
        asked: &PaymentAsked,
        request_id: &str,
    ) -> Result<PaymentBooked> {
        let scope = Scope::Account(asked.billing_account.clone());
        self.demand(caller, Action::RecordPayments, &scope).await?;
        let declared = self.0.refresh_declared().await?;
        let missing = || Error::not_found("billing account", asked.billing_account.as_str());
        let account = declared.company.accounts.get(&asked.billing_account).ok_or_else(missing)?;
        let cost = Cost { major: asked.amount, currency: account.currency };
        let amount = cost.to_money().map_err(|e| Error::money("a payment", e))?;
        let amount = amount.filter(|amount| amount.minor() > 0).ok_or_else(|| {
            let places = account.currency.exponent();
            let problem = format!(
                "{} {} is no payment: it must be above 0, with at most {places} decimal places",
                asked.amount, account.currency
            );
            Error::invalid("amount", problem)
        })?;
        let payment = Payment { id: asked.id.clone(), at: self.now(), amount };
        let note = self.note(caller, &format!("payment {}", asked.id), request_id);
        for _ in 0..ATTEMPTS_MOST {
            // Before it is looked for: whoever books it after this changes the version.
            let ledger = self.0.ledger_of(&asked.billing_account).await?;
            if let Some(entry) = self.0.booked_payment(asked).await? {
                return told(&entry, amount, asked, false);
            }
            let before = balances_of(&ledger)?;
            let entry = match &asked.way {
                Way::In(first) => {
                    let of = &asked.billing_account;
                    let (owed, written_off) = self.0.owed(of, first, &before).await?;
                    let settled = settle(amount, &owed)?.recover(&written_off)?;
                    posting::payment(&payment, &settled)?
                }
                Way::Out => posting::refund(&payment)?,
            };
            let mut after = before.clone();
            after.post([&entry])?;
            let booking = Booking {
                billing_account: asked.billing_account.to_string(),
                version: ledger.version,
                period: BillingPeriod::of(payment.at).number(),
                entries: vec![NewEntry {
                    purpose: purpose_key(entry.purpose()),
                    body: encode_entry(&entry),
                }],
                balances: changed(&before, &after)?,
                documents: Vec::new(),
                delivered: Vec::new(),
                approval: None,
                closed: None,
            };
            if self.0.book(booking, &note).await?.is_some() {
                return told(&entry, amount, asked, true);
            }
        }
        let problem = format!("the ledger of {} keeps changing; try again", asked.billing_account);
        Err(Error::Unavailable { problem })
    }
}

impl Inner {
    /// The entry of a payment that was booked before.
    async fn booked_payment(self: &Arc<Self>, asked: &PaymentAsked) -> Result<Option<Entry>> {
        self.booked_entry(&asked.billing_account, &purpose_of(asked)).await
    }

    /// What a payer's invoices are owed: the named ones, or all, oldest first. Of the named ones
    /// also what was written off.
    async fn owed(
        self: &Arc<Self>,
        id: &BillingAccountId,
        named: &[DocumentNumber],
        balances: &Balances,
    ) -> Result<(Vec<DocumentAmount>, Vec<DocumentAmount>)> {
        let rows = self.rows_sent_to(id).await?;
        let mut known = Vec::with_capacity(rows.len());
        for row in rows.iter().filter(|row| row.kind == INVOICE) {
            known.push((number_of(row)?, DocumentId::new(&row.id)?));
        }
        let meant: Vec<&DocumentId> = if named.is_empty() {
            known.iter().map(|(_, id)| id).collect()
        } else {
            let find = |number: &DocumentNumber| {
                let found = known.iter().find(|(of, _)| of == number).map(|(_, id)| id);
                found.ok_or_else(|| Error::not_found("document", number.to_string()))
            };
            named.iter().map(find).collect::<Result<_>>()?
        };
        let held = |id: &DocumentId, account: LedgerAccount| {
            let held = balances.iter().find(|(of, _)| **of == account);
            held.map(|(_, amount)| DocumentAmount { document: id.clone(), amount })
        };
        let owed = meant.iter().filter_map(|id| held(id, LedgerAccount::Receivable((*id).clone())));
        let owed = owed.collect();
        // Nobody is asked for what was written off: money is for it only if who pays says so.
        let meant = meant.iter().filter(|_| !named.is_empty());
        let written_off = meant.filter_map(|id| held(id, LedgerAccount::WriteOff((*id).clone())));
        Ok((owed, written_off.collect()))
    }
}

fn purpose_of(asked: &PaymentAsked) -> Purpose {
    let payment = asked.id.clone();
    match asked.way {
        Way::In(_) => Purpose::Payment { payment },
        Way::Out => Purpose::Refund { payment },
    }
}

/// What an entry says of a payment; another amount is another payment.
fn told(entry: &Entry, amount: Money, asked: &PaymentAsked, is_new: bool) -> Result<PaymentBooked> {
    let (mut parts, mut surplus) = (Vec::new(), Money::zero(amount.currency()));
    let mut whole = Money::zero(amount.currency());
    for posting in entry.postings() {
        match &posting.account {
            LedgerAccount::Payments => whole = posting.amount,
            LedgerAccount::Receivable(document) | LedgerAccount::WriteOff(document) => {
                let (document, amount) = (document.clone(), posting.amount);
                parts.push(DocumentAmount { document, amount });
            }
            LedgerAccount::OpenCredit if matches!(asked.way, Way::In(_)) => {
                surplus = posting.amount;
            }
            LedgerAccount::OpenCredit
            | LedgerAccount::Credit(_)
            | LedgerAccount::Prepayment(_)
            | LedgerAccount::Granted
            | LedgerAccount::Expired
            | LedgerAccount::Revenue(_)
            | LedgerAccount::TaxPayable(_)
            | LedgerAccount::NotBilled(_) => {}
        }
    }
    if whole != amount {
        let problem = format!("was booked already, as {whole}");
        return Err(Error::Conflict { what: "payment", key: asked.id.to_string(), problem });
    }
    Ok(PaymentBooked { amount, parts, surplus, is_new })
}
