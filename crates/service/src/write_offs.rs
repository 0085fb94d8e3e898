//! Write-offs: what an invoice is owed and nobody will be asked for.

use crate::Reckoner;
use crate::bookings::{ATTEMPTS_MOST, Issue, balances_of, booking};
use crate::notes::{Amended, Withdrawal};
use crate::requests::Deed;
use async_recursion::async_recursion as boxed;
use calendar::BillingPeriod;
use domain::access::{Action, Caller};
use domain::delivery::Billed;
use domain::ledger::{LedgerAccount, Purpose};
use domain::payments::DocumentAmount;
use domain::{Error, Result, posting};
use money::Money;

/// What was written off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenOff {
    /// How much.
    pub amount: Money,
    /// Whether it was booked now; it stood in the ledger before if not.
    pub is_new: bool,
}

impl Reckoner {
    /// Writes off all that an invoice is owed; then it is owed nothing. Once more changes nothing.
    ///
    /// Errors: [`Error::Forbidden`]; [`Error::NotFound`]; [`Error::Invalid`] without a reason;
    /// [`Error::Conflict`] for an invoice that is owed nothing, and while it waits for a second
    /// person.
    #[boxed]
    pub async fn write_off(
        &self,
        caller: &Caller,
        asked: &Withdrawal,
        request_id: &str,
    ) -> Result<WrittenOff> {
        let Withdrawal { number, reason } = asked;
        let amended = self.amended(caller, Action::WriteOffCharges, number, reason).await?;
        let Amended { billing_account: account, invoice } = amended;
        let deed = Deed::WriteOff(account.clone(), asked.clone());
        let agreed = self.agreed(caller, deed, request_id).await?;
        let issue = Issue::by(&agreed.approver()?, self.now());
        let note = self.note(caller, &agreed.told(reason), request_id);
        for _ in 0..ATTEMPTS_MOST {
            // Before it is looked for: whoever books it after this changes the version.
            let ledger = self.0.ledger_of(&account).await?;
            let purpose = Purpose::WriteOff { document: invoice.id.clone() };
            if let Some(entry) = self.0.booked_entry(&account, &purpose).await? {
                let amount = entry.postings().first().map(|posting| posting.amount);
                let amount = amount.unwrap_or(Money::zero(invoice.currency));
                return Ok(WrittenOff { amount, is_new: false });
            }
            let before = balances_of(&ledger)?;
            let receivable = LedgerAccount::Receivable(invoice.id.clone());
            let amount = before.of(&receivable, invoice.currency);
            if amount.minor() <= 0 {
                let (key, problem) = (number.to_string(), "is owed nothing".to_owned());
                return Err(Error::Conflict { what: "invoice", key, problem });
            }
            let mut billed = Billed::on(&before);
            let of = DocumentAmount { document: invoice.id.clone(), amount };
            billed.post(vec![posting::write_off(&of, issue.at())?])?;
            let place = (&account, BillingPeriod::of(issue.at()));
            let booking = booking(place, (&ledger, &before), &billed, &issue)?;
            if self.0.book(booking, &note).await?.is_some() {
                return Ok(WrittenOff { amount, is_new: true });
            }
        }
        let problem = format!("the ledger of {account} keeps changing; try again");
        Err(Error::Unavailable { problem })
    }
}
