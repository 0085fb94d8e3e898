//! Contributions, counters in motion, slices.

use super::place::{Group, Item, Rater, Seat, What};
use super::{Charge, Charged, Counters, Of};
use crate::aggregate::{Contribution, contributions};
use crate::catalog::PricingModel;
use crate::pricing::{Limits, Slice, Step, Terms, in_range, limit, slices};
use crate::rated::RowKind;
use crate::usage::{QuarantineReason, UsageRecord};
use crate::{Error, Result};
use money::{Cost, Fixed18, MoneyError};

const OUT_OF_RANGE: (QuarantineReason, &str) = (QuarantineReason::OutOfRange, "quantity");

impl<'a> Rater<'a> {
    /// Asks each whole window what its records contribute.
    pub fn aggregate(&mut self) -> Result<()> {
        for ((_, meter, _, _), group) in std::mem::take(&mut self.groups) {
            let Group { aggregation, span, items } = group;
            let record = |item: &usize| &self.unit.records[self.items[*item].record].record;
            let records: Vec<&UsageRecord> = items.iter().map(record).collect();
            let contributed = contributions(aggregation, span, &records)
                .map_err(|source| Error::money(format!("aggregate of meter `{meter}`"), source))?;
            for (item, one) in items.into_iter().zip(contributed) {
                let Item { record, what } = &mut self.items[item];
                match (one, what) {
                    (Contribution::Counted(quantity), What::Seated { contribution, .. }) => {
                        *contribution = Some(quantity);
                    }
                    (Contribution::Missing(dimension), _) => {
                        let record = *record;
                        self.wait(record, (QuarantineReason::Unreadable, dimension.name()));
                    }
                    (Contribution::Covered | Contribution::Counted(_), _) => {
                        self.without_row = self.without_row.saturating_add(1);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds up what volume prices go by before any of their records is priced.
    pub fn total_volumes(&mut self) -> Result<()> {
        for item in &self.items {
            let What::Seated { seat, contribution: Some(quantity) } = item.what else { continue };
            let Seat { terms, counter, .. } = &self.seats[seat];
            if let (PricingModel::Volume { .. }, Some(counter)) = (&terms.model, counter) {
                let total = &mut self.values[*counter].total;
                *total = moved(*total, quantity, terms.meter.as_str())?;
            }
        }
        Ok(())
    }

    /// Moves each counter record by record and cuts each movement into slices.
    pub fn cut(&mut self) -> Result<()> {
        let mut cuts = Vec::new();
        for item in std::mem::take(&mut self.items) {
            match item.what {
                What::Passed(cost) => self.pass(item.record, cost),
                What::Seated { seat, contribution: Some(quantity) } => {
                    self.cut_one(item.record, seat, quantity, &mut cuts)?;
                }
                What::Seated { contribution: None, .. } => {}
            }
        }
        Ok(())
    }

    fn pass(&mut self, record: usize, cost: Cost) {
        let Ok(major) = in_range(cost.major) else {
            return self.wait(record, (QuarantineReason::OutOfRange, "stated_cost"));
        };
        let slice = Slice {
            kind: RowKind::PassedThrough,
            tier: 0,
            before: Fixed18::ZERO,
            quantity: self.unit.records[record].record.quantity,
            unit_price: None,
            cost: major,
        };
        let (of, currency) = (Of::Record(record), cost.currency);
        let charge = Charge { of, number: 0, slice, currency, price: None, reserved: None };
        self.charges.push(charge);
    }

    fn cut_one(
        &mut self,
        record: usize,
        seat: usize,
        quantity: Fixed18,
        cuts: &mut Vec<Slice>,
    ) -> Result<()> {
        let Seat { price, terms: rule, counter, window, .. } = &self.seats[seat];
        let (before, window_total) = match counter {
            Some(counter) => (self.values[*counter].value, self.values[*counter].total),
            None => (Fixed18::ZERO, quantity),
        };
        let after = moved(before, quantity, rule.meter.as_str())?;
        let step = Step { before, quantity, window_total };
        let terms = self.seats[seat].terms();
        let runs = self.covered.get(&record).map_or(&[][..], Vec::as_slice);
        let covered: std::result::Result<Vec<Slice>, MoneyError> =
            runs.iter().map(|run| run.slice(&terms, step)).collect();
        let is_left = runs.is_empty() || !quantity.is_zero();
        cuts.clear();
        let mut cut = Ok(());
        if is_left {
            cut = slices(&terms, step, cuts);
            if cut.is_ok() && counter.is_none() {
                cut = bring_within(&terms, rule.limits(), window_total, cuts);
            }
        }
        let (Ok(covered), Ok(())) = (covered, cut) else {
            self.wait(record, OUT_OF_RANGE);
            return Ok(());
        };
        if let Some(window) = window {
            let watched = self.windows.get_mut(window);
            let cost = cuts.iter().map(|slice| slice.cost);
            let sum = |old: Fixed18| Fixed18::checked_sum(std::iter::once(old).chain(cost));
            if let Some(watched) = watched {
                let context = || format!("cost of meter `{}` in its window", rule.meter);
                watched.cost =
                    sum(watched.cost).map_err(|source| Error::money(context(), source))?;
            }
        }
        if let Some(counter) = counter {
            self.values[*counter].value = after;
        }
        let price = *price;
        let free = self.push_covered((record, price), &covered);
        let (of, currency) = (Of::Record(record), self.prices[price].currency);
        for (number, slice) in (free..).zip(cuts.drain(..)) {
            let price = Some(price);
            self.charges.push(Charge { of, number, slice, currency, price, reserved: None });
        }
        Ok(())
    }

    /// Hands over what was found.
    pub fn finish(mut self) -> Charged {
        let beyond = |key: &super::CounterKey| key.window.interval().end() > self.unit.period.end();
        let mut counters: Counters = self.unit.carried.clone();
        for (key, place) in self.counters {
            counters.insert(key, self.values[place].value);
        }
        counters.append(&mut self.left);
        counters.retain(|key, _| beyond(key));
        self.quarantine.sort_by_key(|waits| waits.position);
        Charged {
            charges: self.charges,
            prices: self.prices.into_iter().map(|price| price.reference).collect(),
            windows: self.window_charges,
            reserved: self.reserved,
            quarantine: self.quarantine,
            counters,
            without_row: self.without_row,
        }
    }
}

impl Seat<'_> {
    fn terms(&self) -> Terms<'_> {
        Terms {
            model: &self.terms.model,
            included: self.included,
            share: &self.share,
            places: self.terms.cost_places,
            rounding: self.terms.rounding,
        }
    }
}

fn moved(counter: Fixed18, quantity: Fixed18, meter: &str) -> Result<Fixed18> {
    let context = || format!("tier counter of meter `{meter}`");
    counter.checked_add(quantity).map_err(|source| Error::money(context(), source))
}

/// A record that is its own window: its flat fee, minimum and maximum stand with it.
fn bring_within(
    terms: &Terms<'_>,
    limits: Limits,
    total: Fixed18,
    cuts: &mut Vec<Slice>,
) -> std::result::Result<(), MoneyError> {
    let (tier, flat) = crate::pricing::volume_flat(terms, total)?;
    let extra = |kind, tier, cost| Slice {
        kind,
        tier,
        before: total,
        quantity: Fixed18::ZERO,
        unit_price: None,
        cost,
    };
    if !flat.is_zero() {
        cuts.push(extra(RowKind::Flat, tier, in_range(flat)?));
    }
    let cost = Fixed18::checked_sum(cuts.iter().map(|slice| slice.cost))?;
    cuts.extend(limit(cost, limits)?.map(|(kind, cost)| extra(kind, 0, cost)));
    Ok(())
}
