//! What an account's charges and corrections come to on its ledger as it is, before anybody agrees.

use crate::Inner;
use crate::bookings::{Uncorrected, balances_of, kept_rates};
use crate::declared::Declared;
use calendar::Instant;
use domain::Result;
use domain::closes::{Charges, Payer};
use domain::delivery::{Billed, Delivered, Deliveries};
use domain::ledger::Balances;
use std::sync::Arc;
use store::LedgerState;

/// Documents and entries, and the ledger that they were made on.
pub(crate) struct DrawnUp {
    pub(crate) ledger: LedgerState,
    /// What the ledger accounts held.
    pub(crate) before: Balances,
    /// Corrections that no line of these invoices shows.
    pub(crate) delivered: Vec<Delivered>,
    /// How many closed periods were computed again.
    pub(crate) computed_again: u64,
    pub(crate) billed: Billed,
}

impl Inner {
    /// Draws up a payer's documents of a billing period; `at` is when they would be issued.
    ///
    /// Errors: as [`Payer::deliver`] and [`Payer::bill`].
    pub(crate) async fn drawn_up(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        payer: &Payer<'_>,
        charges: &Charges,
        at: Instant,
    ) -> Result<DrawnUp> {
        let id = &payer.account.id;
        let ledger = self.ledger_of(id).await?;
        let before = balances_of(&ledger)?;
        let sent = self.sent_to(id).await?;
        let Uncorrected { periods, computed_again } = self.uncorrected(declared, id, &sent).await?;
        let late = periods.into_values().flatten();
        let Deliveries { next, delivered, billed: noted } =
            payer.deliver(late, &sent, &before, at)?;
        let mut charges = charges.clone();
        for (part, late) in next {
            let (key, cost) = late.charge();
            charges.add(part, key, cost)?;
        }
        let granted = self.granted_in(id, declared.company.lots_of(id)).await?;
        let grants = payer.lots_to_grant(|lot| granted.contains_key(&lot.id));
        let kept = kept_rates(&sent.invoices);
        let billed = payer.bill(&charges, &kept, &grants, &noted.balances, at)?;
        Ok(DrawnUp { ledger, before, delivered, computed_again, billed: noted.then(billed) })
    }
}
