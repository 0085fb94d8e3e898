//! Billing periods of an account, and what there is to read of them.

use crate::Inner;
use crate::documents::INVOICE;
use crate::usage_details::PeriodTold;
use calendar::BillingPeriod;
use domain::closes::{Part, PartKind};
use domain::ids::{BillingAccountId, DocumentId};
use domain::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Inner {
    /// The billing periods of which there is anything of an account, newest first. Of one that
    /// cannot be drafted all is told to be there: asked for, it says what is wrong.
    pub(crate) async fn periods_of(
        self: &Arc<Self>,
        account: &BillingAccountId,
    ) -> Result<Vec<PeriodTold>> {
        let now = self.clocks.business.now();
        let (closed, newest) = (self.closed_numbers(account).await?, BillingPeriod::of(now));
        let mut told: BTreeMap<BillingPeriod, PeriodTold> = BTreeMap::new();
        for number in &closed {
            let period = crate::closes::period_of(*number)?;
            told.insert(period, PeriodTold { is_final: true, ..nothing(period) });
        }
        for head in self.heads_of(account).await?.iter().filter(|head| head.kind == INVOICE) {
            let of = Part::of_id(&DocumentId::new(&head.id)?, account);
            let Some((period, part)) = of else { continue };
            if let Some(told) = told.get_mut(&period) {
                match part.kind {
                    PartKind::Own => told.has_usage = true,
                    PartKind::Marketplace => told.has_marketplace = true,
                }
            }
        }
        // A close without invoices may have issued notes, or nothing at all.
        let unbilled = told.values().filter(|one| !one.has_usage && !one.has_marketplace);
        let mut looked_into: Vec<BillingPeriod> = unbilled.map(|one| one.period).collect();
        looked_into.extend(self.open_periods(&closed, newest, now));
        for period in looked_into {
            let known = told.remove(&period).unwrap_or(nothing(period));
            let found = match self.current_set(account, period).await {
                Ok(set) if set.is_empty() => continue,
                Ok(set) => PeriodTold {
                    has_usage: set.told.rows > set.marketplace,
                    has_marketplace: set.marketplace > 0,
                    ..known
                },
                Err(Error::Conflict { .. }) => {
                    PeriodTold { has_usage: true, has_marketplace: true, ..known }
                }
                Err(error) => return Err(error),
            };
            told.insert(period, found);
        }
        Ok(told.into_values().rev().collect())
    }
}

/// A billing period without details.
const fn nothing(period: BillingPeriod) -> PeriodTold {
    PeriodTold {
        period,
        is_final: false,
        has_usage: false,
        has_marketplace: false,
        has_balance: true,
        has_prices: true,
    }
}
