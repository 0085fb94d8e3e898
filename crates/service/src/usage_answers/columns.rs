//! Columns of rated rows that an answer is made of, and of what the engine makes of them.

use super::Asking;
use super::groups::{DAY_MICROS, Dates, Piece, Read};
use crate::charge_groups::Key;
use crate::rated_rows::TEXTUAL;
use crate::{Inner, codes};
use calendar::{BillingPeriod, Day, Instant};
use domain::company::Company;
use domain::ids::MeterId;
use domain::usage::Dimension;
use domain::usage_queries::{UsageFilter, UsageKey};
use domain::{Error, Result};
use engine::{Group, Rows};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The column that a key is read from; none of what hangs on time or on the subscription.
pub(super) fn column_of(key: UsageKey) -> Option<&'static str> {
    match key {
        UsageKey::Day | UsageKey::Month | UsageKey::Account => None,
        UsageKey::Category => Some("meter_category"),
        UsageKey::Subcategory => Some("meter"),
        UsageKey::Dimension(dimension) => Some(dimension.name()),
    }
}

/// Whether rows must be told apart by day: also where months are not those of UTC.
fn is_dated(asking: &Asking) -> bool {
    let has = |key: UsageKey| asking.keys.contains(&key);
    has(UsageKey::Day) || (has(UsageKey::Month) && !asking.zone.is_utc())
}

/// The name of days that are not those of UTC, in the engine's answer.
const COUNTED_DAY: &str = "counted_day";

/// Columns of rated rows that tell groups apart, but for their days.
fn told_apart(asking: &Asking) -> Vec<&'static str> {
    let mut columns = vec!["currency", "measure", "unit_price", "tier", "price", "subscription"];
    columns.extend(asking.keys.iter().filter_map(|key| column_of(*key)));
    if !asking.question.filter.platforms.is_empty() {
        let platform = [Dimension::Application.name(), Dimension::Entity.name()];
        let is_key = |name: &str| asking.keys.iter().any(|key| column_of(*key) == Some(name));
        columns.extend(platform.into_iter().filter(|name| !is_key(name)));
    }
    columns
}

/// What is read of rows that are not added up.
pub(super) fn scanned(asking: &Asking, piece: &Piece) -> Vec<&'static str> {
    let mut columns = told_apart(asking);
    columns.extend(["quantity", "cost", "start"]);
    if is_dated(asking) && piece.dates == Dates::OfUse {
        columns.push("day");
    }
    columns
}

/// What the engine adds up by.
pub(super) fn engine_groups(asking: &Asking, piece: &Piece) -> Vec<Group> {
    let mut groups: Vec<Group> = told_apart(asking).into_iter().map(Group::Column).collect();
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
    /// Days of 24 hours from a moment on, of which this is the first; by when usage began.
    Begun(Instant, Day, Longs<'a>),
    Fixed(Day),
    /// Nobody asks.
    Any,
}

/// Columns of an engine's answer, looked up once.
pub(super) struct Columns<'a> {
    pub(super) currency: Ints<'a>,
    pub(super) measure: Ints<'a>,
    pub(super) unit_price: Decimals<'a>,
    pub(super) tier: Ints<'a>,
    pub(super) price: Ints<'a>,
    pub(super) subscription: Ints<'a>,
    pub(super) quantity: Decimals<'a>,
    pub(super) cost: Decimals<'a>,
    /// When usage began, of rows that are not added up.
    start: Option<Longs<'a>>,
    /// Application and entity, where pairs of them are asked for.
    platform: Option<(Ints<'a>, Ints<'a>)>,
    day: DayColumn<'a>,
    is_utc: bool,
    keys: Vec<KeyColumn<'a>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(
        asking: &Asking,
        piece: &Piece,
        (rows, read): (&'a Rows, Read),
    ) -> Result<Columns<'a>> {
        let failed = || crate::engine_failed("add usage up");
        let int = |name: &str| rows.i32(name).map_err(failed());
        let long = |name: &str| rows.i64(name).map_err(failed());
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
            Dates::From(since, first) => match read {
                Read::Stayed => DayColumn::Counted(first, long(COUNTED_DAY)?),
                Read::Moved => DayColumn::Begun(since, first, long("start")?),
            },
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
            start: match read {
                Read::Stayed => None,
                Read::Moved => Some(long("start")?),
            },
            platform,
            day,
            is_utc: asking.zone.is_utc(),
            keys: asking.keys.iter().map(key).collect::<Result<_>>()?,
        })
    }

    /// Whether application and entity are one of the pairs asked for, as they are: usage that has
    /// no such value is in no pair.
    pub(super) fn is_on_platform(
        &self,
        inner: &Inner,
        filter: &UsageFilter,
        row: usize,
    ) -> Result<bool> {
        let Some((application, entity)) = &self.platform else { return Ok(true) };
        let value = |dimension: Dimension, code: Option<i32>| {
            code.map(|code| inner.codes.value(dimension.name(), code)).transpose()
        };
        let application = value(Dimension::Application, application.get(row))?;
        let entity = value(Dimension::Entity, entity.get(row))?;
        Ok(is_one_of(&filter.platforms, application.as_deref().zip(entity.as_deref())))
    }

    /// When a row's usage began; none of rows that were added up.
    pub(super) fn started(&self, row: usize) -> Result<Option<Instant>> {
        let Some(starts) = &self.start else { return Ok(None) };
        Ok(Some(Instant::from_micros(there(starts.get(row), "start")?)))
    }

    /// What a row is told apart by.
    pub(super) fn keys(
        &self,
        inner: &Inner,
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
                    subcategory(inner, &piece.company, meter)?.map_or(Key::None, Key::Text)
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
            DayColumn::Begun(since, first, starts) => {
                let begun = Instant::from_micros(there(starts.get(row), "start")?);
                Ok(day_of_24_hours(*since, *first, begun))
            }
            DayColumn::Fixed(day) => Ok(*day),
            DayColumn::Any => Err(Error::internal("add usage up", "days were not asked for")),
        }
    }
}

/// The subcategory of a meter by its code, as it was where the usage comes from; none if it has
/// none.
fn subcategory(inner: &Inner, company: &Company, meter: i32) -> Result<Option<String>> {
    let id = MeterId::new(&inner.codes.value(codes::METER, meter)?)?;
    let subcategory = company.meters.get(&id).map(|meter| meter.subcategory.clone());
    Ok(subcategory.filter(|subcategory| !subcategory.is_empty()))
}

/// On which of some days of 24 hours, of which the first begins at `since`, a moment lies.
fn day_of_24_hours(since: Instant, first: Day, moment: Instant) -> Day {
    let into = moment.since(since).checked_div_euclid(DAY_MICROS).unwrap_or_default();
    Day::from_number(first.number().saturating_add(i32::try_from(into).unwrap_or(i32::MAX)))
}

/// Whether application and entity, where usage has both, are a pair that is asked for.
fn is_one_of(platforms: &BTreeSet<(String, String)>, found: Option<(&str, &str)>) -> bool {
    let is_it = |(application, entity): (&str, &str)| {
        platforms.iter().any(|(wanted, with)| wanted == application && with == entity)
    };
    found.is_some_and(is_it)
}

/// A value that every row has.
pub(super) fn there<T>(value: Option<T>, column: &'static str) -> Result<T> {
    value.ok_or_else(|| Error::internal("add usage up", format!("{column} is null")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rated_rows;

    #[test]
    fn pairs_of_application_and_entity_are_compared_as_they_are() {
        let check = |asked: &[(&str, &str)], found: Option<(&str, &str)>, expected: bool| {
            let pair = |(application, entity): &(&str, &str)| {
                ((*application).to_owned(), (*entity).to_owned())
            };
            let platforms = asked.iter().map(pair).collect();
            assert_eq!(is_one_of(&platforms, found), expected, "{found:?} of {asked:?}");
        };
        let both = Some(("shop", "west"));
        check(&[("shop", "west")], both, true);
        check(&[("shop", "east"), ("shop", "west")], both, true);
        check(&[("shop", "east"), ("desk", "west")], both, false);
        // Nothing stands for anything.
        check(&[("", "west"), ("shop", ""), ("", "")], both, false);
        check(&[("", "")], None, false);
        check(&[("shop", "")], Some(("shop", "")), true);
        check(&[("Shop", "west")], both, false);
    }

    #[test]
    fn days_of_24_hours_are_counted_from_the_first() {
        let t = |text: &str| Instant::parse(text).unwrap();
        let check = |moment: &str, expected: &str| {
            let first = t("2026-03-01").day();
            let day = day_of_24_hours(t("2026-02-28T23:00:00Z"), first, t(moment));
            assert_eq!(day.to_string(), expected, "{moment}");
        };
        check("2026-02-28T23:00:00Z", "2026-03-01");
        check("2026-03-01T22:59:59Z", "2026-03-01");
        check("2026-03-01T23:00:00Z", "2026-03-02");
        check("2026-03-07T12:00:00Z", "2026-03-07");
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
