//! What a window costs beyond its records: volume fee, minimum, maximum; also without usage.

use super::counter::{Counted, CounterKey, Stretch, Window};
use super::place::{Rater, WindowCost, versions};
use super::{Charge, Of, WindowCharge};
use crate::catalog::{Price, PriceList, TierBase};
use crate::company::Placement;
use crate::ids::MeterId;
use crate::pricing::{
    Limits, Slice, Terms, counting_since, in_force, in_range, limit, volume_flat,
};
use crate::rated::RowKind;
use crate::{Error, Result};
use calendar::Instant;
use money::{Fixed18, MoneyError};

impl<'a> Rater<'a> {
    /// Watches every window whose minimum must be paid whether or not something was used.
    ///
    /// Which ones is read from agreements, not from usage: the prices that usage in the placement
    /// would find, of lists that hold at the period's last moment.
    pub fn hold_windows_without_usage(&mut self) -> Result<()> {
        let (book, period) = (self.unit.book, self.unit.period);
        let last = period.end().plus_micros(-1);
        for id in book.placed(self.unit.billing_account) {
            let Some(subscription) = book.company().subscriptions.get(id) else { continue };
            for stretch in Stretch::all(subscription) {
                let placements = stretch.placements.iter();
                let mine = placements.filter(|p| p.billing_account == *self.unit.billing_account);
                let mut begun = mine.filter(|p| p.during.start() < period.end());
                let Some(placement) = begun.next_back() else { continue };
                let lists: Vec<&'a PriceList> = book.lists(placement, last).collect();
                for (place, list) in lists.iter().enumerate() {
                    for meter in book.with_minimum(&list.id) {
                        if !is_shadowed(&lists[..place], meter, last) {
                            self.hold_meter(list, meter, &stretch, placement)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn hold_meter(
        &mut self,
        list: &'a PriceList,
        meter: &MeterId,
        stretch: &Stretch<'a>,
        placement: &Placement,
    ) -> Result<()> {
        let prices = list.prices.get(meter).map_or(&[][..], Vec::as_slice);
        let last = self.unit.period.end().plus_micros(-1);
        // Since always is since nobody knows when: then only usage makes a window.
        let is_since = |price: &&Price| stretch.since().max(price.effective_from) > Instant::MIN;
        for price in in_force(prices, last).filter(is_since) {
            for window in self.windows_of(price, last)? {
                if stretch.held(window.interval()) > 0 {
                    self.watch((list, price), window, stretch, placement);
                }
            }
        }
        Ok(())
    }

    fn windows_of(&self, price: &Price, last: Instant) -> Result<Vec<Window>> {
        let period = self.unit.period.interval();
        if price.base == TierBase::Day {
            let days = period.start().day().number()..period.end().day().number();
            return Ok(days.map(|day| Window::Day(calendar::Day::from_number(day))).collect());
        }
        let window = Window::of(price.base, last).map_err(|problem| {
            Error::invalid(format!("base of {}", price.lineage), problem.to_string())
        })?;
        Ok(window.filter(|window| window.interval().end() == period.end()).into_iter().collect())
    }

    /// Charges what watched windows cost beyond their records.
    pub fn close_windows(&mut self) -> Result<()> {
        for (key, window) in std::mem::take(&mut self.windows) {
            let context = |source| {
                let WindowCost { price, list, .. } = &window;
                Error::money(format!("window of meter `{}` in `{}`", price.meter, list.id), source)
            };
            let (total, slices) = self.beyond_records(&key, &window).map_err(context)?;
            self.left.insert(key, total);
            if slices.is_empty() {
                continue;
            }
            let WindowCost { list, price, subscription, service_period, share: _, cost: _ } =
                window;
            let of = Of::Window(self.window_charges.len());
            self.window_charges.push(WindowCharge {
                subscription: subscription.clone(),
                meter: price.meter.clone(),
                service_period,
            });
            let (currency, price) = (list.currency, Some(self.price(list, price)));
            let numbered = (0_u16..).zip(slices);
            let charge =
                |(number, slice)| Charge { of, number, slice, currency, price, reserved: None };
            self.charges.extend(numbered.map(charge));
        }
        Ok(())
    }

    /// The window's cost with its own charges, and those charges.
    fn beyond_records(
        &self,
        key: &CounterKey,
        window: &WindowCost<'a>,
    ) -> std::result::Result<(Fixed18, Vec<Slice>), MoneyError> {
        let WindowCost { list, price, share, cost, .. } = window;
        let places = price.cost_places;
        let included = share.of(price.included, Fixed18::PLACES)?;
        let (model, rounding) = (&price.model, price.rounding);
        let terms = Terms { model, included, share, places, rounding };
        let since = counting_since(versions(list, price), price);
        let counted = CounterKey { counted: Counted::Quantity { since }, ..key.clone() };
        let moved = self.counters.get(&counted).map(|place| self.values[*place]);
        let (carried, value) = moved.map_or_else(Default::default, |c| (c.carried, c.value));
        let slice = |kind, tier, cost| {
            let (before, quantity, unit_price) = (value, Fixed18::ZERO, None);
            Slice { kind, tier, before, quantity, unit_price, cost }
        };
        let mut slices = Vec::new();
        let (tier, flat) = volume_flat(&terms, value)?;
        let flat = in_range(flat.checked_sub(volume_flat(&terms, carried)?.1)?)?;
        if !flat.is_zero() {
            slices.push(slice(RowKind::Flat, tier, flat));
        }
        let mut total = cost.checked_add(flat)?;
        let ends_here = key.window.interval().end() <= self.unit.period.end();
        let bound = |limit: Option<Fixed18>| limit.map(|limit| share.of(limit, places)).transpose();
        let minimum = if ends_here { bound(price.minimum)? } else { None };
        let limits = Limits { minimum, maximum: bound(price.maximum)? };
        if let Some((kind, cost)) = limit(total, limits)? {
            slices.push(slice(kind, 0, cost));
            total = total.checked_add(cost)?;
        }
        Ok((total, slices))
    }
}

/// Whether usage would find its price in an earlier list already.
fn is_shadowed(earlier: &[&PriceList], meter: &MeterId, at: Instant) -> bool {
    let holds = |prices: &Vec<Price>| in_force(prices, at).any(|price| price.conditions.is_empty());
    earlier.iter().any(|list| list.prices.get(meter).is_some_and(holds))
}
