//! Ledgers: what was booked of a payer, and what its ledger accounts hold.

use crate::bookings::balances_of;
use crate::closes::period_of;
use crate::{Inner, Reckoner};
use async_recursion::async_recursion as boxed;
use calendar::BillingPeriod;
use domain::Result;
use domain::access::{Action, Caller, Scope};
use domain::encoding::books::{decode_entry, purpose_key};
use domain::ids::BillingAccountId;
use domain::ledger::{Entry, LedgerAccount, Purpose};
use money::Money;
use std::sync::Arc;

/// Whose ledger, and of when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerAsked {
    /// Whose.
    pub billing_account: BillingAccountId,
    /// Only the entries that the close of one billing period seals.
    pub period: Option<BillingPeriod>,
}

/// A payer's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerTold {
    /// Entries with the billing period that seals each, newest first.
    pub entries: Vec<(BillingPeriod, Entry)>,
    /// What ledger accounts hold now, on their own sides, in minor units.
    pub balances: Vec<(LedgerAccount, Money)>,
}

impl Reckoner {
    /// The newest `limit` entries of a payer's ledger, and what it holds now.
    ///
    /// Errors: [`domain::Error::Forbidden`], [`domain::Error::NotFound`] for an account that the
    /// caller may not see.
    #[boxed]
    pub async fn ledger(
        &self,
        caller: &Caller,
        asked: &LedgerAsked,
        limit: u64,
    ) -> Result<LedgerTold> {
        let LedgerAsked { billing_account: id, period } = asked;
        self.demand(caller, Action::ReadLedger, &Scope::Account(id.clone())).await?;
        let (store, name) = (Arc::clone(&self.0.store), id.to_string());
        let number = period.map(BillingPeriod::number);
        let rows = crate::blocking(move || {
            store.entries(&name, number).map_err(crate::stored("read a ledger"))
        })
        .await?;
        let read = |row: &store::EntryRow| Ok((period_of(row.period)?, decode_entry(&row.body)?));
        let mut entries = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        let order = |(_, entry): &(BillingPeriod, Entry)| (entry.at(), entry.purpose().clone());
        entries.sort_by_key(|one| std::cmp::Reverse(order(one)));
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let held = balances_of(&self.0.ledger_of(id).await?)?;
        let balances = held.iter().map(|(account, held)| (account.clone(), held)).collect();
        Ok(LedgerTold { entries, balances })
    }
}

impl Inner {
    /// The entry of a purpose, if it was booked.
    pub(crate) async fn booked_entry(
        self: &Arc<Self>,
        id: &BillingAccountId,
        purpose: &Purpose,
    ) -> Result<Option<Entry>> {
        let (store, id, key) = (Arc::clone(&self.store), id.clone(), purpose_key(purpose));
        let body = crate::blocking(move || {
            store.entry(id.as_str(), &key).map_err(crate::stored("read a ledger"))
        })
        .await?;
        body.map(|body| decode_entry(&body)).transpose()
    }
}
