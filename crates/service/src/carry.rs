//! Counters that reach over several billing periods: what earlier periods of a term hand on.

use crate::cells::{CellKey, CellState};
use crate::declared::Declared;
use crate::rating::Read;
use crate::units::meter_code;
use crate::{Inner, codes};
use calendar::BillingPeriod;
use domain::Result;
use domain::catalog::{Price, TierBase};
use domain::ids::MeterId;
use domain::rating::Counters;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The first billing period of the term that a period lies in, if the price counts over terms.
fn first_of_term(price: &Price, period: BillingPeriod) -> Option<BillingPeriod> {
    let TierBase::CommitmentTerm { from, periods } = price.base else { return None };
    let since = period.months_since(from);
    let into = since.checked_rem(i32::from(periods.max(1))).filter(|_| since >= 0)?;
    period.plus_months(into.saturating_neg()).ok()
}

impl Inner {
    /// Meters with a price whose counter reaches back before the period, and how far.
    fn reaching_back(
        &self,
        declared: &Declared,
        period: BillingPeriod,
    ) -> BTreeMap<MeterId, BillingPeriod> {
        let mut reaching = BTreeMap::new();
        for list in declared.company.price_lists.values() {
            for (meter, prices) in &list.prices {
                let first = prices.iter().filter_map(|price| first_of_term(price, period)).min();
                if let Some(first) = first.filter(|first| *first < period) {
                    let known = reaching.entry(meter.clone()).or_insert(first);
                    *known = first.min(*known);
                }
            }
        }
        reaching
    }

    /// Earlier billing periods whose counters reach into one, oldest first.
    pub(crate) fn earlier_periods(
        &self,
        declared: &Declared,
        period: BillingPeriod,
    ) -> Vec<BillingPeriod> {
        let first = self.reaching_back(declared, period).into_values().min();
        let upwards = |from: &BillingPeriod| Some(from.next());
        let all = std::iter::successors(first, upwards);
        all.take_while(|earlier| *earlier < period).collect()
    }

    /// A cell as it is now, and before which sequence of its shard all usage is in it and in the
    /// earlier cells whose counters reach into it.
    ///
    /// Records of a shard come in order. None comes into the cell while it is looked at, and so
    /// none behind it into an earlier one: what is found there has nothing before it that is not
    /// in its place.
    pub(crate) fn state_until(&self, declared: &Declared, key: CellKey) -> (CellState, u64) {
        let earlier = self.earlier_periods(declared, key.period);
        let earlier: Vec<_> = earlier
            .into_iter()
            .map(|period| self.cells.cell(CellKey { period, bucket: key.bucket }))
            .collect();
        let cell = self.cells.cell(key);
        let held = cell.state();
        let ends = earlier.iter().map(|earlier| earlier.state().end_sequence());
        let end_sequence = ends.fold(held.end_sequence(), u64::max);
        (held.clone(), end_sequence)
    }

    /// Units of a state whose counters begin in an earlier period.
    pub(crate) fn units_reaching_back(
        &self,
        declared: &Declared,
        key: CellKey,
        units: impl Iterator<Item = i64>,
    ) -> BTreeSet<i64> {
        let reaching = self.reaching_back(declared, key.period);
        let codes: BTreeSet<i32> =
            reaching.keys().filter_map(|m| self.codes.find(codes::METER, m.as_str())).collect();
        units.filter(|unit| codes.contains(&meter_code(*unit))).collect()
    }

    /// What the earlier periods of their terms hand on to some units: of the usage before a
    /// sequence of their shard.
    pub(crate) async fn carried(
        self: &Arc<Self>,
        declared: &Arc<Declared>,
        (key, end_sequence): (CellKey, u64),
        units: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, Counters>> {
        let reaching = self.reaching_back(declared, key.period);
        let Some(mut period) = reaching.values().min().copied() else { return Ok(BTreeMap::new()) };
        let units = self.units_reaching_back(declared, key, units.iter().copied());
        let mut carried: BTreeMap<i64, Counters> = BTreeMap::new();
        while period < key.period && !units.is_empty() {
            let cell = self.cells.cell(CellKey { period, bucket: key.bucket });
            let state: CellState = cell.state().clone();
            let tail = self.read_records(&state.tail).await?;
            // What covers some of their usage depends on what they share it with.
            let units = self.with_coupled(declared, period, units.clone()).await?;
            let mut by_unit: BTreeMap<i64, Vec<Read>> =
                units.iter().map(|unit| (*unit, Vec::new())).collect();
            let sealed = self.sealed_records(&state, &units).await?;
            for read in sealed.into_iter().chain(tail).filter(|r| r.sequence() < end_sequence) {
                if let Some(records) = by_unit.get_mut(&read.unit()) {
                    records.push(read);
                }
            }
            let rated = self.rate_all(declared, period, by_unit, &carried)?;
            carried = rated.into_iter().map(|(unit, rated)| (unit, rated.counters)).collect();
            period = period.next();
        }
        Ok(carried)
    }

    /// Units that a state's files hold.
    pub(crate) fn known_units(state: &CellState) -> impl Iterator<Item = i64> + '_ {
        let sealed = state.usage.iter().flat_map(|file| file.units.iter().copied());
        sealed.chain(state.rated.iter().flat_map(|rated| rated.units.iter().copied()))
    }
}
