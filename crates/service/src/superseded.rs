//! What a new extract would take out: rows of earlier ones that count on its days and that it has
//! not.

use crate::cells::CellKey;
use crate::declared::Declared;
use crate::imports::{ImportOptions, day_of};
use crate::rating::Read;
use crate::units::account_of;
use crate::{Inner, codes};
use calendar::{BillingPeriod, Day};
use domain::ids::BillingAccountId;
use domain::resolve::{Axis, Kept, resolve};
use domain::usage::{LoggedRecord, Origin};
use domain::{Result, encoding};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// A new extract of an account, before it counts.
pub(crate) struct NewExtract<'a> {
    /// Whose.
    pub(crate) account: &'a BillingAccountId,
    /// What it is told besides its rows.
    pub(crate) options: &'a ImportOptions,
    /// The days that it covers.
    pub(crate) days: &'a Range<Day>,
    /// Key hashes of its rows, sorted.
    pub(crate) members: &'a [u128],
}

impl Inner {
    /// How many records count now that would not count beside the new extract.
    pub(crate) async fn left_out(
        self: &Arc<Self>,
        declared: &Declared,
        new: &NewExtract<'_>,
    ) -> Result<u64> {
        let overlaps = declared.extracts_of(new.account).iter().any(|earlier| {
            earlier.source == new.options.source
                && earlier.days.start < new.days.end
                && new.days.start < earlier.days.end
        });
        let code = self.codes.find(codes::ACCOUNT, new.account.as_str());
        let Some(code) = code.filter(|_| overlaps) else { return Ok(0) };
        let mut left_out = 0_u64;
        let periods = self.cells.used_periods().into_iter();
        for period in periods.filter(|period| may_hold(*period, new)) {
            let counts = self.counting(declared, new.account, (period, code)).await?;
            let gone = counts.iter().filter(|logged| self.is_left_out(logged, new)).count();
            left_out = left_out.saturating_add(gone as u64);
        }
        Ok(left_out)
    }

    /// The records of an account that count in a billing period.
    async fn counting(
        self: &Arc<Self>,
        declared: &Declared,
        account: &BillingAccountId,
        (period, code): (BillingPeriod, i32),
    ) -> Result<Vec<LoggedRecord>> {
        let key = CellKey { period, bucket: self.bucket_of(account) };
        let state = self.cells.cell(key).state().clone();
        let tail = self.read_records(&state.tail).await?;
        let mut units: BTreeSet<i64> = Inner::known_units(&state).collect();
        units.retain(|unit| account_of(*unit) == code);
        let sealed = self.sealed_records(&state, &units).await?;
        let kept = |read: Read| match read {
            Read::Kept(unit, kept) if account_of(unit) == code => Some(*kept),
            Read::Kept(..) | Read::Unreadable(..) => None,
        };
        let kept: Vec<Kept> = sealed.into_iter().chain(tail).filter_map(kept).collect();
        let extracts: Vec<_> = declared.extracts_of(account).iter().map(|e| e.view()).collect();
        Ok(resolve(kept, &extracts, declared.settlements_of(account)).records)
    }

    fn is_left_out(&self, logged: &LoggedRecord, new: &NewExtract<'_>) -> bool {
        let record = &logged.record;
        let hash = || usagelog::key_hash(&self.hash_key, &encoding::key_bytes(&record.key));
        record.origin == Origin::Extract
            && record.key.source == new.options.source
            && new.days.contains(&day_of(new.options.axis, record))
            && new.members.binary_search(&hash()).is_err()
    }
}

/// Whether records of a billing period can lie on the days of an extract.
fn may_hold(period: BillingPeriod, new: &NewExtract<'_>) -> bool {
    match new.options.axis {
        Axis::Usage => period.start().day() < new.days.end && new.days.start < period.end().day(),
        // What is reported late was used in any period before.
        Axis::Reported => period.start().day() < new.days.end,
    }
}
