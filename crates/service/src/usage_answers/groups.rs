//! Groups of an answer, added up by the engine: by codes, for a piece of time at a time.
//!
//! Rows are one group where all of this is the same: the question's keys, the unit, the price of a
//! unit, the tier and the currency; of tiers above the first the price's lineage too, for the
//! number of a tier says nothing without it. Second names tell nothing apart.

use super::Asking;
use super::accounts::Stood;
use crate::charge_groups::{Key, too_large};
use crate::rated_rows::{TEXTUAL, place_of, price_of};
use crate::{Inner, codes, rated_rows};
use calendar::{BillingPeriod, Day, Instant, MICROS_PER_HOUR};
use domain::company::Company;
use domain::ids::MeterId;
use domain::rated::RowKind;
use domain::usage::Dimension;
use domain::usage_queries::{UsageFilter, UsageKey};
use domain::{Error, Result};
use engine::{Filter, Group, Input, Measure, Query, Rows, Value};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

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
    /// Whether both sides of a difference are added up, each with as many groups as an answer.
    is_difference: bool,
    /// Lineages of prices, by code.
    lineages: HashMap<i32, Arc<str>>,
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
/// no subscription moves, nor clocks change.
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
    /// Errors: [`Error::TooMuch`]; those of reading.
    pub(super) async fn add_usage(
        &self,
        asking: &Asking<'_>,
        piece: &Piece,
        inputs: Vec<Input>,
        sign: Sign,
        adding: &mut Adding,
    ) -> Result<()> {
        if inputs.is_empty() {
            return Ok(());
        }
        let Some(filters) = self.filters_of(asking, piece)? else { return Ok(()) };
        let most = self.config.limits.answer_rows;
        let query = Query {
            schema: rated_rows::schema()?,
            inputs,
            filters,
            group_by: engine_groups(asking, piece),
            measures: vec![Measure::Sum("quantity"), Measure::Sum("cost")],
            order_by: Vec::new(),
            limit: None,
            max_groups: most,
        };
        let failed = crate::engine_failed("add usage up");
        let answer = self.engine.query(&query).await.map_err(failed)?;
        for rows in &answer.parts {
            self.collect_usage(asking, piece, (rows, sign), adding)?;
        }
        adding.must_fit(most)
    }

    fn collect_usage(
        &self,
        asking: &Asking<'_>,
        piece: &Piece,
        (rows, sign): (&Rows, Sign),
        adding: &mut Adding,
    ) -> Result<()> {
        let columns = Columns::of(asking, piece, rows)?;
        for row in 0..rows.len() {
            if !columns.is_on_platform(self, &asking.question.filter, row)? {
                continue;
            }
            let subscription = there(columns.subscription.get(row), "subscription")?;
            let account = piece.stood.account_of(self, subscription)?;
            if !asking.allowed.contains(&*account) {
                adding.left_out |= !asking.seen.contains(&*account);
                continue;
            }
            let tier = there(columns.tier.get(row), "tier")?;
            let group = AnswerGroup {
                keys: columns.keys((self, asking), (piece, &account), row)?,
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
            let sums = adding.groups.entry(group).or_default();
            sums.add(sign, (quantity.unwrap_or_default(), cost.unwrap_or_default()))?;
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

    /// Filters for the engine; none if one can let nothing through.
    fn filters_of(&self, asking: &Asking<'_>, piece: &Piece) -> Result<Option<Vec<Filter>>> {
        let filter = &asking.question.filter;
        let kinds = CHARGED.iter().map(|kind| place_of(&RowKind::ALL, kind)).collect();
        let mut filters = vec![one_of("kind", kinds)];
        let account = self.codes.find(codes::ACCOUNT, asking.sight.billing_account.as_str());
        let mut wanted = vec![("account", account.into_iter().collect::<Vec<i32>>())];
        if let Some(begun) = &piece.begun {
            let (from, until) = (begun.start.micros(), begun.end.micros());
            filters.push(Filter::Between { column: "start", from, until });
        }
        if asking.is_narrow() {
            wanted.push(("subscription", piece.stood.subscriptions_at(self, &asking.allowed)));
        }
        if !filter.categories.is_empty() {
            let kind = codes::METER_CATEGORY;
            wanted.push(("meter_category", self.found(kind, &filter.categories)));
        }
        if !filter.subcategories.is_empty() {
            wanted.push(("meter", self.meters_within(asking, &filter.subcategories)));
        }
        for (dimension, values) in coded(filter) {
            if !values.is_empty() {
                wanted.push((dimension.name(), self.found(dimension.name(), values)));
            }
        }
        if wanted.iter().any(|(_, codes)| codes.is_empty()) {
            return Ok(None);
        }
        filters.extend(wanted.into_iter().map(|(column, codes)| one_of(column, codes)));
        let textual = [
            (Dimension::Sender, &filter.senders),
            (Dimension::Reference, &filter.campaign_references),
        ];
        for (dimension, texts) in textual {
            if !texts.is_empty() {
                let values = texts.iter().cloned().map(Value::Text).collect();
                filters.push(Filter::In { column: dimension.name(), values });
            }
        }
        Ok(Some(filters))
    }

    fn found(&self, kind: codes::CodeKind, values: &BTreeSet<String>) -> Vec<i32> {
        values.iter().filter_map(|value| self.codes.find(kind, value)).collect()
    }

    /// The subcategory of a meter by its code; none if it has none.
    fn subcategory(&self, asking: &Asking<'_>, meter: i32) -> Result<Option<String>> {
        let id = MeterId::new(&self.codes.value(codes::METER, meter)?)?;
        let subcategory = asking.company.meters.get(&id).map(|meter| meter.subcategory.clone());
        Ok(subcategory.filter(|subcategory| !subcategory.is_empty()))
    }

    /// The codes of the meters of some subcategories.
    fn meters_within(&self, asking: &Asking<'_>, wanted: &BTreeSet<String>) -> Vec<i32> {
        let meters = asking.company.meters.values();
        let within = meters.filter(|meter| wanted.contains(&meter.subcategory));
        within.filter_map(|meter| self.codes.find(codes::METER, meter.id.as_str())).collect()
    }
}

impl Adding {
    /// For what was there before, taken away, and what is there now.
    pub(super) fn of_difference() -> Adding {
        Adding { is_difference: true, ..Adding::default() }
    }

    /// Takes in what was added up apart; what cancels out there is none of ours.
    ///
    /// Errors: [`Error::TooMuch`] where that makes more groups than an answer may have.
    pub(super) fn take_in(&mut self, apart: Adding, most: u64) -> Result<()> {
        let Adding { groups, left_out, is_difference: _, lineages } = apart;
        self.left_out |= left_out;
        self.lineages.extend(lineages);
        for (group, sums) in groups.into_iter().filter(|(_, sums)| !sums.is_nothing()) {
            let own = self.groups.entry(group).or_default();
            own.add(Sign::Plus, (sums.quantity, sums.cost))?;
        }
        self.must_fit(most)
    }

    fn must_fit(&self, most: u64) -> Result<()> {
        let sides = if self.is_difference { 2 } else { 1 };
        if self.groups.len() as u64 > most.saturating_mul(sides) {
            let (limit, key) = ("groups of an answer", "limits.answer_rows");
            return Err(Error::TooMuch { limit, most, key });
        }
        Ok(())
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

/// Lists of a filter whose values have codes.
fn coded(filter: &UsageFilter) -> [(Dimension, &BTreeSet<String>); 6] {
    [
        (Dimension::Country, &filter.countries),
        (Dimension::Direction, &filter.directions),
        (Dimension::TrafficType, &filter.traffic_types),
        (Dimension::SenderType, &filter.sender_types),
        (Dimension::Campaign, &filter.campaigns),
        (Dimension::Template, &filter.templates),
    ]
}

fn one_of(column: &'static str, codes: Vec<i32>) -> Filter {
    let values = codes.into_iter().map(|code| Value::Int(i64::from(code))).collect();
    Filter::In { column, values }
}

/// The column that a key is read from; none of what hangs on time or on the subscription.
fn column_of(key: UsageKey) -> Option<&'static str> {
    match key {
        UsageKey::Day | UsageKey::Month | UsageKey::Account => None,
        UsageKey::Category => Some("meter_category"),
        UsageKey::Subcategory => Some("meter"),
        UsageKey::Dimension(dimension) => Some(dimension.name()),
    }
}

/// Whether rows must be told apart by day: also where months are not those of UTC.
fn is_dated(asking: &Asking<'_>) -> bool {
    let has = |key: UsageKey| asking.keys.contains(&key);
    has(UsageKey::Day) || (has(UsageKey::Month) && !asking.zone.is_utc())
}

/// The name of days that are not those of UTC, in the engine's answer.
const COUNTED_DAY: &str = "counted_day";

fn engine_groups(asking: &Asking<'_>, piece: &Piece) -> Vec<Group> {
    let mut columns = vec!["currency", "measure", "unit_price", "tier", "price", "subscription"];
    columns.extend(asking.keys.iter().filter_map(|key| column_of(*key)));
    if !asking.question.filter.platforms.is_empty() {
        let platform = [Dimension::Application.name(), Dimension::Entity.name()];
        let is_key = |name: &str| asking.keys.iter().any(|key| column_of(*key) == Some(name));
        columns.extend(platform.into_iter().filter(|name| !is_key(name)));
    }
    let mut groups: Vec<Group> = columns.into_iter().map(Group::Column).collect();
    if is_dated(asking) {
        match piece.dates {
            Dates::OfUse => groups.push(Group::Column("day")),
            Dates::From(since, _) => groups.push(Group::DividedFrom {
                column: "start",
                from: since.micros(),
                by: DAY_MICROS,
                name: COUNTED_DAY,
            }),
            Dates::On(_) => {}
        }
    }
    groups
}

type Ints<'a> = engine::View<'a, engine::Int32s>;
type Longs<'a> = engine::View<'a, engine::Int64s>;
type Decimals<'a> = engine::View<'a, engine::Decimals>;
type Texts<'a> = engine::View<'a, engine::Texts>;

/// Where a key's values come from.
enum KeyColumn<'a> {
    Day,
    Month,
    Account,
    Subcategory(Ints<'a>),
    Codes(Ints<'a>),
    Texts(Texts<'a>),
}

/// On which days the rows of an engine's answer stand.
enum DayColumn<'a> {
    Days(Ints<'a>),
    Counted(Day, Longs<'a>),
    Fixed(Day),
    /// Nobody asks.
    Any,
}

/// Columns of an engine's answer, looked up once.
struct Columns<'a> {
    currency: Ints<'a>,
    measure: Ints<'a>,
    unit_price: Decimals<'a>,
    tier: Ints<'a>,
    price: Ints<'a>,
    subscription: Ints<'a>,
    quantity: Decimals<'a>,
    cost: Decimals<'a>,
    /// Application and entity, where pairs of them are asked for.
    platform: Option<(Ints<'a>, Ints<'a>)>,
    day: DayColumn<'a>,
    is_utc: bool,
    keys: Vec<KeyColumn<'a>>,
}

impl<'a> Columns<'a> {
    fn of(asking: &Asking<'_>, piece: &Piece, rows: &'a Rows) -> Result<Columns<'a>> {
        let failed = || crate::engine_failed("add usage up");
        let int = |name: &str| rows.i32(name).map_err(failed());
        let decimal = |name: &str| rows.decimal(name).map_err(failed());
        let key = |key: &UsageKey| -> Result<KeyColumn<'a>> {
            Ok(match key {
                UsageKey::Day => KeyColumn::Day,
                UsageKey::Month => KeyColumn::Month,
                UsageKey::Account => KeyColumn::Account,
                UsageKey::Category => KeyColumn::Codes(int("meter_category")?),
                UsageKey::Subcategory => KeyColumn::Subcategory(int("meter")?),
                UsageKey::Dimension(dimension) if TEXTUAL.contains(dimension) => {
                    KeyColumn::Texts(rows.text(dimension.name()).map_err(failed())?)
                }
                UsageKey::Dimension(dimension) => KeyColumn::Codes(int(dimension.name())?),
            })
        };
        let platform = match asking.question.filter.platforms.is_empty() {
            true => None,
            false => Some((int(Dimension::Application.name())?, int(Dimension::Entity.name())?)),
        };
        let day = match piece.dates {
            _ if !is_dated(asking) => DayColumn::Any,
            Dates::OfUse => DayColumn::Days(int("day")?),
            Dates::From(_, first) => {
                DayColumn::Counted(first, rows.i64(COUNTED_DAY).map_err(failed())?)
            }
            Dates::On(day) => DayColumn::Fixed(day),
        };
        Ok(Columns {
            currency: int("currency")?,
            measure: int("measure")?,
            unit_price: decimal("unit_price")?,
            tier: int("tier")?,
            price: int("price")?,
            subscription: int("subscription")?,
            quantity: decimal("quantity")?,
            cost: decimal("cost")?,
            platform,
            day,
            is_utc: asking.zone.is_utc(),
            keys: asking.keys.iter().map(key).collect::<Result<_>>()?,
        })
    }

    /// Whether application and entity are one of the pairs asked for. What a pair leaves empty may
    /// be anything.
    fn is_on_platform(&self, inner: &Inner, filter: &UsageFilter, row: usize) -> Result<bool> {
        let Some((application, entity)) = &self.platform else { return Ok(true) };
        let value = |dimension: Dimension, code: Option<i32>| {
            code.map(|code| inner.codes.value(dimension.name(), code)).transpose()
        };
        let application = value(Dimension::Application, application.get(row))?;
        let entity = value(Dimension::Entity, entity.get(row))?;
        let fits = |wanted: &str, found: &Option<Arc<str>>| {
            wanted.is_empty() || found.as_deref() == Some(wanted)
        };
        let mut platforms = filter.platforms.iter();
        Ok(platforms.any(|(wanted, with)| fits(wanted, &application) && fits(with, &entity)))
    }

    fn keys(
        &self,
        (inner, asking): (&Inner, &Asking<'_>),
        (piece, account): (&Piece, &Arc<str>),
        row: usize,
    ) -> Result<Vec<Key>> {
        let number = |code: Option<i32>| code.map_or(Key::None, |code| Key::Number(code.into()));
        let key = |column: &KeyColumn<'_>| -> Result<Key> {
            Ok(match column {
                KeyColumn::Day => Key::Number(self.day(row)?.number().into()),
                KeyColumn::Month if self.is_utc => Key::Number(piece.month.number().into()),
                KeyColumn::Month => {
                    let month = BillingPeriod::of(self.day(row)?.start());
                    Key::Number(month.number().into())
                }
                KeyColumn::Account => Key::Text(account.to_string()),
                KeyColumn::Subcategory(meters) => {
                    let meter = there(meters.get(row), "meter")?;
                    inner.subcategory(asking, meter)?.map_or(Key::None, Key::Text)
                }
                KeyColumn::Codes(codes) => number(codes.get(row)),
                KeyColumn::Texts(texts) => {
                    texts.get(row).map_or(Key::None, |text| Key::Text(text.to_owned()))
                }
            })
        };
        self.keys.iter().map(key).collect()
    }

    fn day(&self, row: usize) -> Result<Day> {
        match &self.day {
            DayColumn::Days(days) => there(days.get(row), "day").map(Day::from_number),
            DayColumn::Counted(first, days) => {
                let into = i32::try_from(there(days.get(row), "start")?).unwrap_or(i32::MAX);
                Ok(Day::from_number(first.number().saturating_add(into)))
            }
            DayColumn::Fixed(day) => Ok(*day),
            DayColumn::Any => Err(Error::internal("add usage up", "days were not asked for")),
        }
    }
}

fn there<T>(value: Option<T>, column: &'static str) -> Result<T> {
    value.ok_or_else(|| Error::internal("add usage up", format!("{column} is null")))
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
        let group = |measure: i32| AnswerGroup {
            keys: Vec::new(),
            measure,
            currency: 1,
            unit_price: None,
            tier: 0,
            lineage: None,
        };
        // Sides of a difference by group; how many are left, where there may be two.
        let check = |before: &[i32], after: &[i32], expected: Option<usize>| {
            let mut apart = Adding::of_difference();
            for (side, sign) in [(before, Sign::Minus), (after, Sign::Plus)] {
                for measure in side {
                    let sums = apart.groups.entry(group(*measure)).or_default();
                    sums.add(sign, (1, 1)).unwrap();
                }
            }
            let mut all = Adding::default();
            let taken = apart.must_fit(2).and_then(|()| all.take_in(apart, 2));
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

    #[test]
    fn every_key_is_a_column_of_rated_rows_or_hangs_on_time_or_place() {
        let schema = rated_rows::schema().unwrap();
        for key in Dimension::ALL.map(UsageKey::Dimension) {
            let column = column_of(key).unwrap();
            assert!(schema.column(column).is_ok(), "{column}");
        }
        for key in [UsageKey::Category, UsageKey::Subcategory] {
            assert!(schema.column(column_of(key).unwrap()).is_ok(), "{key:?}");
        }
        for key in [UsageKey::Day, UsageKey::Month, UsageKey::Account] {
            assert_eq!(column_of(key), None);
        }
    }
}
