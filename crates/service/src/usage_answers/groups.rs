//! Groups of an answer, added up by the engine: by codes, for a piece of time at a time.
//!
//! Rows are one group where all of this is the same: the question's keys, the unit, the price of a
//! unit, the tier and the currency; of tiers above the first the price's lineage too, for the
//! number of a tier says nothing without it. Second names tell nothing apart.

use super::Asking;
use super::accounts::Stood;
use super::columns::{Columns, engine_groups, scanned, there};
use crate::charge_groups::{Key, too_large};
use crate::pages::{ANSWER_ROWS, too_long};
use crate::rated_rows::price_of;
use crate::{Inner, Limits, codes, rated_rows};
use calendar::{BillingPeriod, Day, Instant, MICROS_PER_HOUR};
use domain::Result;
use domain::company::Company;
use domain::rated::RowKind;
use engine::{Filter, Input, Measure, Query, Rows, Scan};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

/// What limits the bytes of groups, and of rows.
const QUERY_BYTES: &str = "limits.query_bytes";

/// What rated rows are told of: included quantity, what a reservation covered and what it lost are
/// charged nothing.
pub(super) const CHARGED: [RowKind; 5] =
    [RowKind::Usage, RowKind::Flat, RowKind::Minimum, RowKind::Maximum, RowKind::PassedThrough];

/// A day without a change of the clock, in microseconds.
pub(super) const DAY_MICROS: i64 = 24 * MICROS_PER_HOUR;

/// What is the same in all rows of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AnswerGroup {
    /// One for each key of the question, in their order.
    pub(super) keys: Vec<Key>,
    /// The code of the unit.
    pub(super) measure: i32,
    /// The code of the currency.
    pub(super) currency: i32,
    /// Atoms for a unit; none where the cost is no quantity × price.
    pub(super) unit_price: Option<i128>,
    pub(super) tier: i32,
    /// Of tiers above the first.
    lineage: Option<Arc<str>>,
}

/// What a group comes to, in atoms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AnswerSums {
    pub(super) quantity: i128,
    pub(super) cost: i128,
}

/// Whether rows are added, or taken away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// Groups as they are added up.
#[derive(Default)]
pub(super) struct Adding {
    pub(super) groups: HashMap<AnswerGroup, AnswerSums>,
    /// Whether rows were left out that the question asks for and the caller may not see.
    pub(super) left_out: bool,
    /// Whether both sides of a difference are added up, each with as much as an answer may have.
    is_difference: bool,
    /// About how many bytes of memory the groups take.
    size_bytes: u64,
    /// Lineages of prices, by code.
    lineages: HashMap<i32, Arc<str>>,
}

/// The most that an answer may hold in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    groups: u64,
    size_bytes: u64,
}

/// Which usage is read: rows of what moved are told one by one, for each stands where its
/// subscription stood then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Of subscriptions that stayed where they were, added up by the engine.
    Stayed,
    /// Of subscriptions that moved meanwhile, row by row.
    Moved,
}

/// On which day rows stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dates {
    /// The UTC day of use.
    OfUse,
    /// Days of 24 hours from a moment on, of which this is the first.
    From(Instant, Day),
    /// This one, whenever they were used.
    On(Day),
}

/// Usage that is added up in one go: of a billing period, begun in a part of it during which
/// no clocks change.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The billing period that it counts in.
    pub(super) month: BillingPeriod,
    /// When the usage began; at any time of the period if none.
    pub(super) begun: Option<Range<Instant>>,
    pub(super) dates: Dates,
    /// Where subscriptions stood.
    pub(super) stood: Arc<Stood>,
    /// By which the usage is coded and its meters are described: that of where it comes from.
    pub(super) company: Arc<Company>,
}

impl Inner {
    /// Adds rated rows to groups, or takes them away.
    ///
    /// Errors: [`domain::Error::TooMuch`]; those of reading.
    pub(super) async fn add_usage(
        self: &Arc<Self>,
        asking: &Arc<Asking>,
        piece: &Piece,
        inputs: Vec<Input>,
        sign: Sign,
        adding: &mut Adding,
    ) -> Result<()> {
        if inputs.is_empty() {
            return Ok(());
        }
        if let Some(filters) = self.filters_of(asking, piece, Read::Stayed)? {
            let of = (inputs.clone(), filters);
            self.add_stayed((asking, piece), of, sign, adding).await?;
        }
        match self.filters_of(asking, piece, Read::Moved)? {
            Some(filters) => self.add_moved((asking, piece), (inputs, filters), sign, adding).await,
            None => Ok(()),
        }
    }

    async fn add_stayed(
        self: &Arc<Self>,
        (asking, piece): (&Arc<Asking>, &Piece),
        (inputs, filters): (Vec<Input>, Vec<Filter>),
        sign: Sign,
        adding: &mut Adding,
    ) -> Result<()> {
        let query = Query {
            schema: rated_rows::schema()?,
            inputs,
            filters,
            group_by: engine_groups(asking, piece),
            measures: vec![Measure::Sum("quantity"), Measure::Sum("cost")],
            order_by: Vec::new(),
            limit: None,
            max_groups: self.config.limits.answer_rows,
        };
        let failed = crate::engine_failed("add usage up");
        let answer = self.engine.query(&query).await.map_err(failed)?;
        for rows in answer.parts {
            self.collect_usage((asking, piece), (rows, Read::Stayed), sign, adding).await?;
        }
        Ok(())
    }

    /// Reads rows once, however often their subscriptions moved.
    async fn add_moved(
        self: &Arc<Self>,
        (asking, piece): (&Arc<Asking>, &Piece),
        (inputs, filters): (Vec<Input>, Vec<Filter>),
        sign: Sign,
        adding: &mut Adding,
    ) -> Result<()> {
        let scan = Scan {
            schema: rated_rows::schema()?,
            inputs,
            filters,
            columns: scanned(asking, piece),
            order_by: Vec::new(),
            limit: None,
        };
        let failed = || crate::engine_failed("add usage up");
        let mut stream = self.engine.scan(&scan).await.map_err(failed())?;
        while let Some(rows) = stream.next().await.map_err(failed())? {
            self.collect_usage((asking, piece), (rows, Read::Moved), sign, adding).await?;
        }
        Ok(())
    }

    /// Adds an engine's rows to groups, beside the runtime's threads; groups are lost if it fails.
    async fn collect_usage(
        self: &Arc<Self>,
        (asking, piece): (&Arc<Asking>, &Piece),
        (rows, read): (Rows, Read),
        sign: Sign,
        adding: &mut Adding,
    ) -> Result<()> {
        let (inner, asking, piece) = (Arc::clone(self), Arc::clone(asking), piece.clone());
        let mut taken = std::mem::take(adding);
        *adding = crate::blocking(move || {
            inner.collect_rows((&asking, &piece), (&rows, read), sign, &mut taken)?;
            Ok(taken)
        })
        .await?;
        Ok(())
    }

    fn collect_rows(
        &self,
        (asking, piece): (&Asking, &Piece),
        (rows, read): (&Rows, Read),
        sign: Sign,
        adding: &mut Adding,
    ) -> Result<()> {
        let most = Most::of(&self.config.limits);
        let columns = Columns::of(asking, piece, (rows, read))?;
        for row in 0..rows.len() {
            if !columns.is_on_platform(self, &asking.question.filter, row)? {
                continue;
            }
            let subscription = there(columns.subscription.get(row), "subscription")?;
            let account = piece.stood.account_of(self, subscription, columns.started(row)?)?;
            if !asking.allowed.contains(&*account) {
                adding.left_out |= !asking.seen.contains(&*account);
                continue;
            }
            let tier = there(columns.tier.get(row), "tier")?;
            let group = AnswerGroup {
                keys: columns.keys(self, (piece, &account), row)?,
                measure: there(columns.measure.get(row), "measure")?,
                currency: there(columns.currency.get(row), "currency")?,
                unit_price: columns.unit_price.get(row),
                tier,
                lineage: match columns.price.get(row) {
                    Some(price) if tier > 0 => Some(self.lineage(price, adding)?),
                    Some(_) | None => None,
                },
            };
            let (quantity, cost) = (columns.quantity.get(row), columns.cost.get(row));
            let amounts = (quantity.unwrap_or_default(), cost.unwrap_or_default());
            adding.add(group, (sign, amounts), most)?;
        }
        Ok(())
    }

    /// The lineage of a price by its code.
    fn lineage(&self, code: i32, adding: &mut Adding) -> Result<Arc<str>> {
        match adding.lineages.entry(code) {
            Entry::Occupied(known) => Ok(Arc::clone(known.get())),
            Entry::Vacant(free) => {
                let price = price_of(&self.codes.value(codes::PRICE, code)?)?;
                Ok(Arc::clone(free.insert(Arc::from(price.lineage))))
            }
        }
    }
}

impl Adding {
    /// For what was there before, taken away, and what is there now.
    pub(super) fn of_difference() -> Adding {
        Adding { is_difference: true, ..Adding::default() }
    }

    /// Takes in what was added up apart; what cancels out there is none of ours.
    ///
    /// Errors: [`domain::Error::TooMuch`] where that makes more than an answer may have.
    pub(super) fn take_in(&mut self, apart: Adding, limits: &Limits) -> Result<()> {
        let Adding { groups, left_out, is_difference: _, size_bytes: _, lineages } = apart;
        self.left_out |= left_out;
        self.lineages.extend(lineages);
        for (group, sums) in groups.into_iter().filter(|(_, sums)| !sums.is_nothing()) {
            self.add(group, (Sign::Plus, (sums.quantity, sums.cost)), Most::of(limits))?;
        }
        Ok(())
    }

    /// Adds amounts to a group, or takes them away.
    ///
    /// Errors: [`domain::Error::TooMuch`] for one group too many, or one byte.
    fn add(
        &mut self,
        group: AnswerGroup,
        (sign, amounts): (Sign, (i128, i128)),
        most: Most,
    ) -> Result<()> {
        let sides = if self.is_difference { 2 } else { 1 };
        let count = u64::try_from(self.groups.len()).unwrap_or(u64::MAX).saturating_add(1);
        match self.groups.entry(group) {
            Entry::Occupied(mut known) => known.get_mut().add(sign, amounts),
            Entry::Vacant(free) => {
                let size_bytes = self.size_bytes.saturating_add(free.key().size_bytes());
                most.check_groups(count.div_ceil(sides))?;
                most.check_bytes(size_bytes.div_ceil(sides))?;
                self.size_bytes = size_bytes;
                free.insert(AnswerSums::default()).add(sign, amounts)
            }
        }
    }
}

impl Most {
    pub(super) fn of(limits: &Limits) -> Most {
        Most { groups: limits.answer_rows, size_bytes: limits.query_bytes }
    }

    fn check_groups(self, count: u64) -> Result<()> {
        too_long("groups of an answer", count, (self.groups, ANSWER_ROWS))
    }

    /// Refuses more bytes than may be held.
    pub(super) fn check_bytes(self, size_bytes: u64) -> Result<()> {
        too_long("bytes of memory of a query", size_bytes, (self.size_bytes, QUERY_BYTES))
    }
}

impl AnswerGroup {
    /// About how many bytes of memory it takes, with its sums. Lineages are shared.
    fn size_bytes(&self) -> u64 {
        let text = |key: &Key| match key {
            Key::Text(text) => text.len(),
            Key::None | Key::Number(_) => 0,
        };
        let each = size_of::<Key>();
        let keys = self
            .keys
            .iter()
            .fold(0_usize, |sum, key| sum.saturating_add(each).saturating_add(text(key)));
        let own = size_of::<(AnswerGroup, AnswerSums)>();
        u64::try_from(own.saturating_add(keys)).unwrap_or(u64::MAX)
    }
}

impl AnswerSums {
    fn add(&mut self, sign: Sign, (quantity, cost): (i128, i128)) -> Result<()> {
        let add = |sum: i128, more: i128| match sign {
            Sign::Plus => sum.checked_add(more).ok_or_else(too_large),
            Sign::Minus => sum.checked_sub(more).ok_or_else(too_large),
        };
        *self = AnswerSums { quantity: add(self.quantity, quantity)?, cost: add(self.cost, cost)? };
        Ok(())
    }

    /// Whether nothing was used and nothing charged: what was taken away again, or never counted.
    pub(super) fn is_nothing(&self) -> bool {
        self.quantity == 0 && self.cost == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_taken_away_again_is_nothing() {
        let check = |steps: &[(Sign, i128, i128)], expected: (i128, i128)| {
            let mut sums = AnswerSums::default();
            for (sign, quantity, cost) in steps {
                sums.add(*sign, (*quantity, *cost)).unwrap();
            }
            assert_eq!((sums.quantity, sums.cost), expected, "{steps:?}");
            assert_eq!(sums.is_nothing(), expected == (0, 0), "{steps:?}");
        };
        check(&[], (0, 0));
        check(&[(Sign::Plus, 5, 7), (Sign::Minus, 5, 7)], (0, 0));
        check(&[(Sign::Minus, 5, 7)], (-5, -7));
        // What costs nothing was used all the same, and a fee is charged for nothing used.
        check(&[(Sign::Plus, 5, 0)], (5, 0));
        check(&[(Sign::Plus, 0, 7)], (0, 7));
    }

    #[test]
    fn sums_that_leave_their_range_are_refused() {
        let mut sums = AnswerSums::default();
        sums.add(Sign::Plus, (i128::MAX, 0)).unwrap();
        assert!(sums.add(Sign::Plus, (1, 0)).is_err());
        assert_eq!(sums, AnswerSums { quantity: i128::MAX, cost: 0 });
    }

    #[test]
    fn groups_that_cancel_out_do_not_count() {
        let group = |measure: i32| AnswerGroup { measure, ..group(Vec::new()) };
        let limits = Limits { answer_rows: 2, ..Limits::default() };
        let taken = |sides: [(&[i32], Sign); 2], all: &mut Adding| -> Result<()> {
            let mut apart = Adding::of_difference();
            for (side, sign) in sides {
                for measure in side {
                    apart.add(group(*measure), (sign, (1, 1)), Most::of(&limits))?;
                }
            }
            all.take_in(apart, &limits)
        };
        // Sides of a difference by group; how many are left, where there may be two.
        let check = |before: &[i32], after: &[i32], expected: Option<usize>| {
            let mut all = Adding::default();
            let taken = taken([(before, Sign::Minus), (after, Sign::Plus)], &mut all);
            let left = taken.is_ok().then_some(all.groups.len());
            assert_eq!(left, expected, "{before:?} {after:?}");
        };
        check(&[], &[], Some(0));
        check(&[1, 2], &[1, 2], Some(0));
        check(&[1, 2], &[2, 3], Some(2));
        check(&[1], &[1, 2, 3], Some(2));
        check(&[1, 2], &[3], None);
        check(&[1, 2], &[1, 2, 3, 4, 5], None);
    }

    #[test]
    fn what_is_charged_nothing_is_not_told() {
        let left_out: Vec<RowKind> =
            RowKind::ALL.into_iter().filter(|kind| !CHARGED.contains(kind)).collect();
        assert_eq!(left_out, [RowKind::Included, RowKind::Covered, RowKind::Unused]);
    }

    fn group(keys: Vec<Key>) -> AnswerGroup {
        AnswerGroup { keys, measure: 0, currency: 0, unit_price: None, tier: 0, lineage: None }
    }

    #[test]
    fn groups_are_limited_in_number_and_in_bytes() {
        let long = |letter: &str| group(vec![Key::Text(letter.repeat(10_000)), Key::None]);
        let most = Most { groups: 3, size_bytes: 30_000 };
        let check = |groups: Vec<AnswerGroup>, expected: Option<&str>| {
            let mut adding = Adding::default();
            let mut groups = groups.into_iter();
            let told = groups.try_for_each(|one| adding.add(one, (Sign::Plus, (1, 1)), most));
            assert_eq!(told.err().map(|e| e.to_string()).as_deref(), expected);
        };
        let few = |count: i64| (0..count).map(|n| group(vec![Key::Number(n)])).collect();
        check(few(3), None);
        let told = "groups of an answer is at most 3; set `limits.answer_rows` to change it";
        check(few(4), Some(told));
        check(vec![long("a"), long("b")], None);
        // The same group again takes nothing.
        check(vec![long("a"), long("b"), long("a"), long("b")], None);
        let told = "bytes of memory of a query is at most 30000; set `limits.query_bytes` to \
                    change it";
        check(vec![long("a"), long("b"), long("c")], Some(told));
    }
}
