//! Credit and prepayment: which lot pays how much of which charge.
//!
//! One order, so that everybody comes to the same result: charges by (start of service, line
//! number), and for each charge the lots by (priority, soonest end, id). What is below zero is set
//! off before a lot pays, so that no credit is ever drawn for a charge that was taken back.
//!
//! Source: architecture, section 3, ledger; enterprise-reporting, section 3.2, balance summary.

use crate::ids::{LotId, MeterId};
use crate::usage::ChargeCategory;
use crate::{Error, Result};
use calendar::{Instant, Interval};
use money::{Currency, Money, MoneyError};
use std::collections::{BTreeMap, BTreeSet};

/// Money that charges draw down, as it was granted or bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Its id.
    pub id: LotId,
    /// Whether it was given or paid for.
    pub kind: LotKind,
    /// What it held at first.
    pub granted: Money,
    /// Lower numbers are drawn first.
    pub priority: u16,
    /// From when it may pay until when it ends, half-open.
    pub holds: Interval,
    /// What it cannot pay.
    pub excluded: Exclusions,
}

/// Whether a lot was given or paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LotKind {
    /// Given: it lowers what is charged.
    Credit,
    /// Paid in advance; it cannot cover charges that are billed separately.
    Prepayment,
}

impl LotKind {
    /// Its name in files and answers.
    pub const fn name(self) -> &'static str {
        match self {
            LotKind::Credit => "credit",
            LotKind::Prepayment => "prepayment",
        }
    }
}

/// Charges that something does not cover.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusions {
    /// By meter.
    pub meters: BTreeSet<MeterId>,
    /// By category.
    pub categories: BTreeSet<ChargeCategory>,
}

impl Exclusions {
    /// Whether the charge is among them.
    fn names(&self, charge: &DueCharge) -> bool {
        self.categories.contains(&charge.category)
            || charge.meter.as_ref().is_some_and(|meter| self.meters.contains(meter))
    }
}

/// A lot and what is left of it: its balance in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLot<'a> {
    /// The lot.
    pub lot: &'a Lot,
    /// Minor units.
    pub left: Money,
}

/// A booked charge that lots may pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueCharge {
    /// Number of its line on the invoice.
    pub line: u32,
    /// Start of its service period: a lot pays it if it holds then.
    pub at: Instant,
    /// What kind of charge.
    pub category: ChargeCategory,
    /// What was counted, if anything.
    pub meter: Option<MeterId>,
    /// Minor units; below zero for what is taken back.
    pub amount: Money,
    /// Whether lots may pay it at all.
    pub payable: Payable,
}

/// How a charge may be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payable {
    /// By lots, then in money.
    ByLots,
    /// In money only: it buys prepayment.
    InMoney,
}

/// In which sum a charge counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coverage {
    /// Every lot may pay it.
    Covered,
    /// Prepayment cannot cover it.
    Separate,
    /// Buys prepayment: no usage, and no lot pays it.
    Purchase,
    /// Apart from all sums; no lot pays it.
    Marketplace,
}

impl Coverage {
    /// Its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Coverage::Covered => "covered",
            Coverage::Separate => "billed_separately",
            Coverage::Purchase => "purchase",
            Coverage::Marketplace => "marketplace",
        }
    }

    fn of(charge: &DueCharge, separately: &Exclusions) -> Coverage {
        if charge.category == ChargeCategory::Marketplace {
            Coverage::Marketplace
        } else if charge.payable == Payable::InMoney {
            Coverage::Purchase
        } else if separately.names(charge) {
            Coverage::Separate
        } else {
            Coverage::Covered
        }
    }

    const fn allows(self, kind: LotKind) -> bool {
        match (self, kind) {
            (Coverage::Covered, LotKind::Credit | LotKind::Prepayment)
            | (Coverage::Separate, LotKind::Credit) => true,
            (Coverage::Separate, LotKind::Prepayment)
            | (Coverage::Purchase | Coverage::Marketplace, _) => false,
        }
    }
}

/// What one lot pays of one charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotPart {
    /// The lot.
    pub lot: LotId,
    /// Its kind.
    pub kind: LotKind,
    /// Minor units, above zero.
    pub amount: Money,
}

/// What became of one charge: amount = paid − set off + left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawnCharge {
    /// Number of its line on the invoice.
    pub line: u32,
    /// In which sum it counts.
    pub coverage: Coverage,
    /// The whole charge.
    pub amount: Money,
    /// What charges below zero took from it (negative), or what it took from others (positive).
    pub set_off: Money,
    /// What lots paid, in the order in which they were drawn.
    pub paid: Vec<LotPart>,
    /// What stays to be paid; below zero, what stays in the payer's favour.
    pub left: Money,
}

/// The charges of one invoice after drawdown, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Of every amount.
    pub currency: Currency,
    /// One for each charge.
    pub charges: Vec<DrawnCharge>,
}

/// Lets lots pay charges of one currency.
///
/// `separately` names what prepayment cannot cover. The order of `charges` and `lots` does not
/// matter. Errors: [`Error::Money`] for another currency or a sum out of range.
pub fn draw(
    currency: Currency,
    charges: &[DueCharge],
    lots: &[OpenLot<'_>],
    separately: &Exclusions,
) -> Result<Drawn> {
    let of = |source| Error::money("drawdown of credit", source);
    let mut open: Vec<Open<'_>> = Vec::with_capacity(charges.len());
    for charge in charges {
        // Adding to nothing refuses another currency.
        let left = Money::zero(currency).checked_add(charge.amount).map_err(of)?;
        let coverage = Coverage::of(charge, separately);
        open.push(Open {
            charge,
            coverage,
            left,
            paid: Vec::new(),
            paid_sum: Money::zero(currency),
        });
    }
    let mut order: Vec<usize> = (0..open.len()).collect();
    order.sort_by_key(|place| (charges[*place].at, charges[*place].line));
    set_off(&mut open, &order, |one| one.likeness()).map_err(of)?;
    set_off(&mut open, &order, |one| one.coverage).map_err(of)?;
    pay(&mut open, &order, lots).map_err(of)?;
    let charges = open.into_iter().map(Open::drawn).collect::<std::result::Result<_, _>>();
    Ok(Drawn { currency, charges: charges.map_err(of)? })
}

/// A charge while lots are drawn.
struct Open<'a> {
    charge: &'a DueCharge,
    coverage: Coverage,
    left: Money,
    paid: Vec<LotPart>,
    paid_sum: Money,
}

impl Open<'_> {
    /// Whose charges are set off first: a discount lowers the charges of its own meter.
    fn likeness(&self) -> (Coverage, Option<MeterId>, Option<ChargeCategory>) {
        match &self.charge.meter {
            Some(meter) => (self.coverage, Some(meter.clone()), None),
            None => (self.coverage, None, Some(self.charge.category)),
        }
    }

    fn drawn(self) -> std::result::Result<DrawnCharge, MoneyError> {
        let Open { charge, coverage, left, paid, paid_sum } = self;
        let DueCharge { line, at: _, category: _, meter: _, amount, payable: _ } = charge;
        let set_off = left.checked_add(paid_sum)?.checked_sub(*amount)?;
        Ok(DrawnCharge { line: *line, coverage, amount: *amount, set_off, paid, left })
    }
}

/// Sets charges below zero off against others of their group, both in order.
fn set_off<K: Ord>(
    open: &mut [Open<'_>],
    order: &[usize],
    group: impl Fn(&Open<'_>) -> K,
) -> std::result::Result<(), MoneyError> {
    let mut groups: BTreeMap<K, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for place in order.iter().copied().filter(|place| !open[*place].left.is_zero()) {
        let (below, above) = groups.entry(group(&open[place])).or_default();
        if open[place].left.is_negative() { below.push(place) } else { above.push(place) }
    }
    for (below, above) in groups.into_values() {
        let mut above = above.into_iter().peekable();
        for taker in below {
            while let Some(giver) = above.peek().copied() {
                let taken = least(open[taker].left.checked_neg()?, open[giver].left);
                open[taker].left = open[taker].left.checked_add(taken)?;
                open[giver].left = open[giver].left.checked_sub(taken)?;
                if !open[giver].left.is_zero() {
                    break;
                }
                above.next();
            }
        }
    }
    Ok(())
}

/// The lower of two amounts of one currency.
fn least(one: Money, other: Money) -> Money {
    if one.minor() <= other.minor() { one } else { other }
}

/// Draws lots for each charge in order.
fn pay(
    open: &mut [Open<'_>],
    order: &[usize],
    lots: &[OpenLot<'_>],
) -> std::result::Result<(), MoneyError> {
    let mut lots = lots.to_vec();
    lots.sort_by(|a, b| draw_key(a.lot).cmp(&draw_key(b.lot)));
    for place in order {
        let charge = &mut open[*place];
        for from in &mut lots {
            let due = charge.left.minor() > 0 && from.left.minor() > 0;
            if !due || !may_pay(from.lot, charge) {
                continue;
            }
            let amount = least(charge.left, from.left);
            charge.left = charge.left.checked_sub(amount)?;
            charge.paid_sum = charge.paid_sum.checked_add(amount)?;
            from.left = from.left.checked_sub(amount)?;
            let Lot { id, kind, .. } = from.lot;
            charge.paid.push(LotPart { lot: id.clone(), kind: *kind, amount });
        }
    }
    Ok(())
}

/// The order in which lots are drawn.
fn draw_key(lot: &Lot) -> impl Ord + '_ {
    (lot.priority, lot.holds.end(), &lot.id)
}

fn may_pay(lot: &Lot, open: &Open<'_>) -> bool {
    open.coverage.allows(lot.kind)
        && lot.holds.contains(open.charge.at)
        && !lot.excluded.names(open.charge)
}

impl Drawn {
    /// What each lot paid in all.
    ///
    /// Errors: [`Error::Money`].
    pub fn by_lot(&self) -> Result<BTreeMap<(LotKind, LotId), Money>> {
        let mut sums: BTreeMap<(LotKind, LotId), Money> = BTreeMap::new();
        for LotPart { lot, kind, amount } in self.charges.iter().flat_map(|charge| &charge.paid) {
            let sum = sums.entry((*kind, lot.clone())).or_insert(Money::zero(self.currency));
            let of = |source| Error::money(format!("drawdown of lot {lot}"), source);
            *sum = sum.checked_add(*amount).map_err(of)?;
        }
        Ok(sums)
    }

    /// What lots paid, and what each kind of charge left.
    ///
    /// Errors: [`Error::Money`].
    pub fn totals(&self) -> Result<DrawTotals> {
        let of = |source| Error::money("totals of a drawdown", source);
        let left = |coverage| {
            let charges = self.charges.iter().filter(move |charge| charge.coverage == coverage);
            Money::checked_sum(self.currency, charges.map(|charge| charge.left)).map_err(of)
        };
        let paid = self.charges.iter().flat_map(|charge| &charge.paid).map(|part| part.amount);
        Ok(DrawTotals {
            utilized: Money::checked_sum(self.currency, paid).map_err(of)?,
            service_overage: left(Coverage::Covered)?,
            billed_separately: left(Coverage::Separate)?,
            marketplace: left(Coverage::Marketplace)?,
        })
    }
}

/// What the charges of a billing period came to, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawTotals {
    /// Paid by lots.
    pub utilized: Money,
    /// Beyond what lots could pay.
    pub service_overage: Money,
    /// What prepayment cannot cover.
    pub billed_separately: Money,
    /// Apart from all sums.
    pub marketplace: Money,
}

impl DrawTotals {
    /// Service overage + billed separately; errors: [`Error::Money`].
    pub fn total_overage(&self) -> Result<Money> {
        let of = |source| Error::money("total overage", source);
        self.service_overage.checked_add(self.billed_separately).map_err(of)
    }

    /// Utilized + total overage; errors: [`Error::Money`].
    pub fn total_usage(&self) -> Result<Money> {
        let of = |source| Error::money("total usage", source);
        self.utilized.checked_add(self.total_overage()?).map_err(of)
    }
}

/// What a payer's lots did in a billing period. The identities of the enterprise balance summary
/// hold because what they define is computed, not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceSummary {
    /// What lots held when the period began.
    pub beginning: Money,
    /// Prepayment bought.
    pub new_purchases: Money,
    /// Credit granted, less what lots held when they ended.
    pub adjustments: Money,
    /// What the charges came to.
    pub totals: DrawTotals,
}

impl BalanceSummary {
    /// Beginning + purchases + adjustments − utilized; errors: [`Error::Money`].
    pub fn ending(&self) -> Result<Money> {
        let BalanceSummary { beginning, new_purchases, adjustments, totals } = self;
        let sum = beginning.checked_add(*new_purchases).and_then(|s| s.checked_add(*adjustments));
        let ending = sum.and_then(|sum| sum.checked_sub(totals.utilized));
        ending.map_err(|source| Error::money("ending balance", source))
    }
}

/// Cuts an interval where lots begin or end inside it.
///
/// Charges are grouped into lines within these parts, so that a lot holds for all of a line or for
/// none of it.
pub fn cuts(whole: Interval, lots: &[Lot]) -> Vec<Interval> {
    let bounds = lots.iter().flat_map(|lot| [lot.holds.start(), lot.holds.end()]);
    let inside: BTreeSet<Instant> =
        bounds.filter(|bound| whole.start() < *bound && *bound < whole.end()).collect();
    let mut parts = Vec::with_capacity(inside.len().saturating_add(1));
    let mut start = whole.start();
    for end in inside.into_iter().chain([whole.end()]) {
        // Bounds rise, so no part is reversed.
        parts.extend(Interval::new(start, end));
        start = end;
    }
    parts
}

#[cfg(test)]
mod tests;
