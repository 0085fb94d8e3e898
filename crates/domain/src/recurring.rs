//! Recurring charges: what a plan owes in a billing period.
//!
//! A plan's cycles begin on its anchor day, kept for ever and clamped to the month's end. Within a
//! cycle an amount is split at any day by the plan's proration: the part behind the day is its
//! largest-remainder share, the part before it is the rest. What is billed early therefore never
//! depends on what happens later, and all parts of a cycle add up to the whole.
//!
//! In advance, a cycle is charged when it begins; a change or an end inside it takes the rest back
//! and charges the new rest. In arrears, each part is charged when the cycle (or the plan) ends.
//! Both come to the same sum. Usage does not matter: a plan without usage is charged too.

use crate::pricing::Share;
use crate::{Error, Result};
use calendar::{BillingPeriod, Day, Instant, Interval};
use money::{Cost, Currency, Fixed18, MoneyError};

/// A charge that comes back every cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Of the amounts.
    pub currency: Currency,
    /// Day of the month on which cycles begin, 1 to 31; the month's last day where it has fewer.
    pub anchor_day: u8,
    /// Months in a cycle, above zero: 1, 3, 12.
    pub cycle_months: u8,
    /// How a part of a cycle is charged.
    pub proration: Proration,
    /// When a cycle is charged.
    pub timing: Timing,
    /// What a cycle costs from which day, in major units. Days rise; the plan starts on the first.
    pub amounts: Vec<(Day, Fixed18)>,
    /// The first day on which it is no longer held, if it ends.
    pub ends: Option<Day>,
}

/// How a part of a cycle is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proration {
    /// By days, of the days that the cycle really has.
    ActualDays,
    /// By days, of 30 for each month: a day is a thirtieth, and the month's last days take what is
    /// left.
    ThirtyDays,
    /// Not at all: a cycle that has begun is charged whole, at the amount with which it began, and
    /// nothing is given back.
    WholeCycle,
}

/// When a cycle is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timing {
    /// When it begins.
    InAdvance,
    /// When it ends.
    InArrears,
}

/// One charge of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecurringCharge {
    /// For when.
    pub service_period: Interval,
    /// Exact; below zero for what is taken back.
    pub cost: Cost,
    /// When it is charged: its billing period is the one that holds this moment.
    pub charged_at: Instant,
}

impl Plan {
    /// Checks what declared data must hold.
    ///
    /// Errors: [`Error::Invalid`] naming the field.
    pub fn check(&self) -> Result<()> {
        if !(1..=31).contains(&self.anchor_day) {
            return Err(Error::invalid(
                "anchor day",
                format!("{} is not 1 to 31", self.anchor_day),
            ));
        }
        if self.cycle_months == 0 {
            return Err(Error::invalid("cycle months", "must be above zero"));
        }
        let Some((first, _)) = self.amounts.first() else {
            return Err(Error::invalid("amounts", "name what a cycle costs"));
        };
        if !self.amounts.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(Error::invalid("amounts", "days must rise"));
        }
        match self.ends {
            Some(end) if end <= *first => {
                Err(Error::invalid("ends", format!("{end} is not after the start on {first}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What the plan charges in a billing period, by time.
    ///
    /// Errors: as [`Plan::check`]; [`Error::Money`].
    pub fn charges(&self, period: BillingPeriod) -> Result<Vec<RecurringCharge>> {
        self.check()?;
        let mut charges = Vec::new();
        // A charge in this period is of a cycle that begins in it or runs into it.
        let mut cycle = self.cycle_at(self.last_day_before(period.start()))?;
        while cycle.starts.start() < period.end() {
            let of = |source| Error::money(format!("cycle from {}", cycle.starts), source);
            charges.extend(self.cycle_charges(&cycle).map_err(of)?);
            cycle = self.cycle_from(cycle.number.checked_add(1))?;
        }
        let in_period = |charge: &RecurringCharge| BillingPeriod::of(charge.charged_at) == period;
        charges.retain(in_period);
        Ok(charges)
    }

    /// The newest of its charges up to a moment: what all that were made then come to, and when
    /// that was; none before the first.
    ///
    /// Errors: as [`Plan::charges`].
    pub fn last_charge(&self, until: Instant) -> Result<Option<(Cost, Instant)>> {
        // Nothing is charged after the month in which it ends.
        let ends = self.ends.map_or(until, |day| day.start().min(until));
        let mut period = BillingPeriod::of(ends);
        // Each cycle is charged when it begins, or when it ends.
        for _ in 0..=u16::from(self.cycle_months) {
            let charges = self.charges(period)?;
            let made = || charges.iter().filter(move |charge| charge.charged_at <= until);
            if let Some(at) = made().map(|charge| charge.charged_at).max() {
                let then = made().filter(|charge| charge.charged_at == at);
                let major = Fixed18::checked_sum(then.map(|charge| charge.cost.major));
                let major =
                    major.map_err(|source| Error::money(format!("plan at {at}"), source))?;
                return Ok(Some((Cost { major, currency: self.currency }, at)));
            }
            period = period.previous();
        }
        Ok(None)
    }

    /// The day before a period begins, but not before the plan does.
    fn last_day_before(&self, start: Instant) -> Day {
        let before = start.plus_micros(-1).day();
        self.amounts.first().map_or(before, |(first, _)| before.max(*first))
    }

    /// The cycle that holds a day.
    fn cycle_at(&self, day: Day) -> Result<Cycle> {
        let first = self.first_month();
        let months = BillingPeriod::of(day.start()).months_since(first);
        let guess = months.div_euclid(i32::from(self.cycle_months));
        let cycle = self.cycle_from(Some(guess))?;
        // Before the anchor day of its month, a day is still of the cycle before.
        if day < cycle.starts { self.cycle_from(guess.checked_sub(1)) } else { Ok(cycle) }
    }

    /// The month in which cycle 0 begins: the plan's first.
    fn first_month(&self) -> BillingPeriod {
        let first = self.amounts.first().map_or(Instant::MIN, |(day, _)| day.start());
        BillingPeriod::of(first)
    }

    fn cycle_from(&self, number: Option<i32>) -> Result<Cycle> {
        let out_of_range = || Error::invalid("cycle", "lies beyond the calendar");
        let number = number.ok_or_else(out_of_range)?;
        let starts = self.anchor_of(number).ok_or_else(out_of_range)?;
        let next = number.checked_add(1).and_then(|next| self.anchor_of(next));
        Ok(Cycle { number, starts, ends: next.ok_or_else(out_of_range)? })
    }

    /// The day on which a cycle begins.
    fn anchor_of(&self, number: i32) -> Option<Day> {
        let months = number.checked_mul(i32::from(self.cycle_months))?;
        self.anchor_in(self.first_month().plus_months(months).ok()?)
    }

    /// The anchor day in a month, clamped to its end.
    fn anchor_in(&self, month: BillingPeriod) -> Option<Day> {
        let first = month.start().day().number();
        let last = month.end().day().number().checked_sub(1)?;
        let wanted = first.checked_add(i32::from(self.anchor_day))?.checked_sub(1)?;
        Some(Day::from_number(wanted.min(last)))
    }

    /// The charges of one cycle, whatever billing period they fall into.
    fn cycle_charges(
        &self,
        cycle: &Cycle,
    ) -> std::result::Result<Vec<RecurringCharge>, MoneyError> {
        let pieces = self.pieces(cycle);
        let Some(last) = pieces.last() else { return Ok(Vec::new()) };
        // A whole cycle is charged at its last moment, so in the month that it ends with; an early
        // end when it happens, because nobody may have known of it before.
        let is_whole = last.until == cycle.ends;
        let at_end = last.until.start().plus_micros(if is_whole { -1 } else { 0 });
        let mut charges = Vec::new();
        for piece in &pieces {
            match self.timing {
                Timing::InArrears => {
                    let cost = self.rest(cycle, piece, piece.from)?;
                    let cost = cost.checked_sub(self.rest(cycle, piece, piece.until)?)?;
                    charges.push(self.charge(piece.from, piece.until, cost, at_end));
                }
                Timing::InAdvance => {
                    let cost = self.rest(cycle, piece, piece.from)?;
                    charges.push(self.charge(piece.from, cycle.ends, cost, piece.from.start()));
                    let back = self.rest(cycle, piece, piece.until)?.checked_neg()?;
                    if !back.is_zero() {
                        let at = piece.until.start();
                        charges.push(self.charge(piece.until, cycle.ends, back, at));
                    }
                }
            }
        }
        Ok(charges)
    }

    fn charge(&self, from: Day, until: Day, major: Fixed18, at: Instant) -> RecurringCharge {
        let (start, end) = (from.start(), until.start());
        RecurringCharge {
            service_period: Interval::new(start, end).unwrap_or(Interval::at(start)),
            cost: Cost { major, currency: self.currency },
            charged_at: at,
        }
    }

    /// The parts of a cycle with one amount each; empty where the plan is not held.
    fn pieces(&self, cycle: &Cycle) -> Vec<Piece> {
        let ends = self.ends.map_or(cycle.ends, |end| end.min(cycle.ends));
        let until = self.amounts.iter().skip(1).map(|(from, _)| *from).chain([cycle.ends]);
        let pieces = self.amounts.iter().zip(until).map(|((from, amount), until)| Piece {
            from: (*from).max(cycle.starts),
            until: until.min(ends),
            amount: *amount,
        });
        let held = pieces.filter(|piece| piece.from < piece.until);
        match self.proration {
            Proration::ActualDays | Proration::ThirtyDays => held.collect(),
            // The amount with which the cycle began holds to its end.
            Proration::WholeCycle => {
                held.take(1).map(|piece| Piece { until: cycle.ends, ..piece }).collect()
            }
        }
    }

    /// What a piece's amount comes to from a day to the end of the cycle.
    fn rest(
        &self,
        cycle: &Cycle,
        piece: &Piece,
        day: Day,
    ) -> std::result::Result<Fixed18, MoneyError> {
        let (before, after) = match self.proration {
            Proration::ActualDays => (days(cycle.starts, day), days(day, cycle.ends)),
            Proration::ThirtyDays => self.thirtieths(cycle, day),
            Proration::WholeCycle if day < cycle.ends => (0, 1),
            Proration::WholeCycle => (1, 0),
        };
        let held = vec![u128::from(before), u128::from(after)];
        Share::Part { held, place: 1 }.of(piece.amount, self.currency.exponent())
    }

    /// Thirtieths of months before and after a day of the cycle.
    fn thirtieths(&self, cycle: &Cycle, day: Day) -> (u32, u32) {
        let whole = u32::from(self.cycle_months).saturating_mul(30);
        if day >= cycle.ends {
            return (whole, 0);
        }
        // Whole months since the cycle began, each from anchor to anchor.
        let first = BillingPeriod::of(cycle.starts.start());
        let anchor = |months| self.anchor_in(first.plus_months(months).ok()?);
        let reached = (0..i32::from(self.cycle_months))
            .filter_map(|months| Some((months, anchor(months)?)))
            .take_while(|(_, anchor)| *anchor <= day);
        let (months, since) = reached.last().unwrap_or((0, cycle.starts));
        let before = u32::try_from(months).unwrap_or(0).saturating_mul(30);
        let before = before.saturating_add(days(since, day).min(30));
        (before, whole.saturating_sub(before))
    }
}

/// From one anchor to the next.
struct Cycle {
    number: i32,
    starts: Day,
    ends: Day,
}

/// A part of a cycle with one amount.
struct Piece {
    from: Day,
    until: Day,
    amount: Fixed18,
}

/// Days from one to another; 0 when they are the other way round.
fn days(from: Day, until: Day) -> u32 {
    u32::try_from(until.number().saturating_sub(from.number())).unwrap_or(0)
}

#[cfg(test)]
mod tests;
