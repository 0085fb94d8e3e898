//! Units that have rows without any usage: minimums, and hours of reservations that are lost.

use crate::cells::{CellKey, CellState, Standing};
use crate::declared::Declared;
use crate::{Inner, codes, rated_rows};
use domain::Result;
use domain::rating::RatingUnit;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Inner {
    /// Units that are charged in the cell's period even without usage, and are not rated yet.
    pub(crate) async fn standing_units(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        key: CellKey,
        state: &CellState,
    ) -> Result<BTreeSet<i64>> {
        if key.period.start() > self.clocks.business.now() {
            return Ok(BTreeSet::new());
        }
        let cell = self.cells.cell(key);
        let find = || self.standing_charges(declared, key);
        let charged = cell.standing(declared.version(), find)?;
        if charged.is_empty() {
            return Ok(BTreeSet::new());
        }
        let wanted = charged.iter().flat_map(|(account, meter)| {
            [(codes::ACCOUNT, account.to_string()), (codes::METER, meter.to_string())]
        });
        self.codes.assign(wanted.collect()).await?;
        let mut units = BTreeSet::new();
        for (account, meter) in &*charged {
            let account = self.codes.code(codes::ACCOUNT, account.as_str())?;
            units.insert(rated_rows::unit(account, self.codes.code(codes::METER, meter.as_str())?));
        }
        if let Some(rated) = &state.rated {
            units.retain(|unit| !rated.units.contains(unit));
        }
        if let Some(overlay) = &state.overlay {
            units.retain(|unit| !overlay.units.contains(unit));
        }
        Ok(units)
    }

    /// Accounts and meters of a cell that cost something without any usage.
    fn standing_charges(&self, declared: &Declared, key: CellKey) -> Result<Standing> {
        let mut charged = BTreeSet::new();
        let accounts = declared.company.accounts.keys();
        for account in accounts.filter(|account| self.bucket_of(account) == key.bucket) {
            let rated = domain::rating::rate(&RatingUnit {
                book: &declared.book,
                billing_account: account,
                period: key.period,
                records: &[],
                reservations: &[],
                carried: &Default::default(),
            });
            charged.extend(rated.rows.into_iter().map(|row| (account.clone(), row.meter)));
            let reserved = declared.company.reservations_in(account, key.period.interval())?;
            let meters = reserved.iter().filter_map(|one| one.first_meter().cloned());
            charged.extend(meters.map(|meter| (account.clone(), meter)));
        }
        Ok(charged)
    }
}
