//! Charges by whatever one asks for: exact sums of rated rows, from the coarsest table that serves.

use crate::charge_groups::{Groups, Key, Sums, by_meter, collect, dearest, too_large};
use crate::codes::{self, CodeKind};
use crate::group_by::{ChargeFilter, GroupBy};
use crate::rated_rows::{CODED, at_place, place_of};
use crate::rating::{Source, View};
use crate::{Inner, Reckoner, rated_rows, roll_ups};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Day, Instant};
use domain::access::{Action, Caller, Scope};
use domain::ids::BillingAccountId;
use domain::rated::RowKind;
use domain::usage::ChargeCategory;
use domain::{Error, Result};
use engine::{Filter, Group, Input, Measure, Query, Value};
use money::{Cost, Currency, Fixed18};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What charges are asked for.
#[derive(Debug, Clone)]
pub struct ChargeQuery {
    /// Of one billing account; of all that the installation has if none.
    pub billing_account: Option<BillingAccountId>,
    /// Days of use, half-open.
    pub days: Range<Day>,
    /// By what they are added up; currency always tells them apart too.
    pub group_by: Vec<GroupBy>,
    /// Which of them count: all tests must hold.
    pub filters: Vec<ChargeFilter>,
    /// How many groups are wanted, dearest first; all, in the order of their keys, if none.
    pub top: Option<usize>,
}

/// Charges, added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeTable {
    /// Names of the keys.
    pub columns: Vec<String>,
    /// The groups.
    pub rows: Vec<ChargeRow>,
}

/// One group of charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeRow {
    /// Values of the keys; none where a row has no such value.
    pub keys: Vec<Option<String>>,
    /// Their names, where the values have some.
    pub labels: Vec<Option<String>>,
    /// How many records.
    pub records: i64,
    /// Unit of the quantity; none unless groups are told apart by meter or unit.
    pub unit: Option<String>,
    /// How much, in that unit.
    pub quantity: Option<Fixed18>,
    /// The exact cost.
    pub cost: Cost,
    /// The same with reservations spread over their hours, in place of their purchase.
    pub amortised: Cost,
}

/// Which table a question is answered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Rated rows.
    Rows,
    /// The roll-up by day.
    Day,
    /// The roll-up by month.
    Month,
}

/// What tells rows of an answer apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    keys: Vec<Option<String>>,
    currency: String,
    unit: Option<String>,
}

impl Reckoner {
    /// Adds charges up. Includes everything acknowledged before the call.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`] for days the wrong way
    /// round, [`Error::TooMuch`].
    #[boxed]
    pub async fn charges(&self, caller: &Caller, query: &ChargeQuery) -> Result<ChargeTable> {
        let scope = query.billing_account.clone().map_or(Scope::Installation, Scope::Account);
        self.demand(caller, Action::ReadCharges, &scope).await?;
        self.check_query(query)?;
        let grain = grain_of(query);
        let mut groups = Groups::new();
        for period in self.0.periods_within(&query.days) {
            self.0.add_period(query, grain, period, &mut groups).await?;
            let most = self.limits().answer_rows;
            if groups.len() as u64 > most {
                return Err(Error::TooMuch {
                    limit: "groups of an answer",
                    most,
                    key: "limits.answer_rows",
                });
            }
        }
        self.0.table(query, groups)
    }

    fn check_query(&self, query: &ChargeQuery) -> Result<()> {
        if query.days.end < query.days.start {
            return Err(Error::invalid("until", "lies before `from`"));
        }
        let most = self.limits().group_columns;
        if query.group_by.len() as u64 > most {
            return Err(Error::TooMuch {
                limit: "columns to group by",
                most,
                key: "limits.group_columns",
            });
        }
        let distinct: BTreeSet<_> = query.group_by.iter().collect();
        if distinct.len() != query.group_by.len() {
            return Err(Error::invalid("group_by", "names a column twice"));
        }
        Ok(())
    }
}

impl Inner {
    async fn add_period(
        self: &Arc<Self>,
        query: &ChargeQuery,
        grain: Grain,
        period: BillingPeriod,
        groups: &mut Groups,
    ) -> Result<()> {
        let accounts: Vec<_> = query.billing_account.iter().cloned().collect();
        let mut views: Vec<View> = Vec::new();
        for key in self.keys_of(period, &accounts) {
            views.push(self.refresh(key).await?);
        }
        let Some(filters) = self.filters(query, grain)? else { return Ok(()) };
        let written: Vec<Input> = views.iter().flat_map(|view| view.written(grain)).collect();
        let schema =
            if grain == Grain::Rows { rated_rows::schema()? } else { roll_ups::schema(grain)? };
        self.add_groups(query, period, (schema, written), &filters, groups).await?;
        let newer: Vec<Input> = views.iter().flat_map(View::newer).collect();
        self.add_groups(query, period, (rated_rows::schema()?, newer), &filters, groups).await
    }

    async fn add_groups(
        &self,
        query: &ChargeQuery,
        period: BillingPeriod,
        (schema, inputs): Source,
        filters: &[Filter],
        groups: &mut Groups,
    ) -> Result<()> {
        if inputs.is_empty() {
            return Ok(());
        }
        let columns = engine_columns(query);
        let asked = Query {
            schema,
            inputs,
            filters: filters.to_vec(),
            group_by: columns.iter().map(|column| Group::Column(column)).collect(),
            measures: roll_ups::MEASURES.iter().map(|column| Measure::Sum(column)).collect(),
            order_by: Vec::new(),
            limit: None,
            max_groups: self.config.limits.answer_rows,
        };
        let answer =
            self.engine.query(&asked).await.map_err(crate::engine_failed("add charges up"))?;
        for rows in &answer.parts {
            collect(query, period, &columns, rows, groups)?;
        }
        Ok(())
    }

    /// Filters for the engine; none if a filter can match nothing.
    fn filters(&self, query: &ChargeQuery, grain: Grain) -> Result<Option<Vec<Filter>>> {
        let mut filters = Vec::new();
        if let Some(account) = &query.billing_account {
            let Some(code) = self.codes.find(codes::ACCOUNT, account.as_str()) else {
                return Ok(None);
            };
            filters.push(one_of("account", vec![code]));
        }
        if grain != Grain::Month {
            filters.push(Filter::Between {
                column: "day",
                from: i64::from(query.days.start.number()),
                until: i64::from(query.days.end.number()),
            });
        }
        for filter in &query.filters {
            match self.filter(filter)? {
                Some(Some(filter)) => filters.push(filter),
                Some(None) => {}
                None => return Ok(None),
            }
        }
        Ok(Some(filters))
    }

    /// One filter for the engine. Outer none: nothing can match. Inner none: it is not the engine's
    /// business.
    fn filter(&self, filter: &ChargeFilter) -> Result<Option<Option<Filter>>> {
        let codes = |kind: CodeKind, column| {
            let found: Vec<i32> =
                filter.values.iter().filter_map(|value| self.codes.find(kind, value)).collect();
            (!found.is_empty()).then(|| Some(one_of(column, found)))
        };
        let places = |column, find: &dyn Fn(&str) -> i32| {
            let found: Vec<i32> =
                filter.values.iter().map(|value| find(value)).filter(|place| *place >= 0).collect();
            (!found.is_empty()).then(|| Some(one_of(column, found)))
        };
        let folded = || ChargeFilter {
            on: filter.on.clone(),
            values: filter.values.iter().map(|value| value.to_lowercase()).collect(),
        };
        Ok(match &filter.on {
            GroupBy::BillingAccount => codes(codes::ACCOUNT, "account"),
            GroupBy::Subscription | GroupBy::Meter => {
                let (kind, column) = match filter.on {
                    GroupBy::Meter => (codes::METER, "meter"),
                    _ => (codes::SUBSCRIPTION, "subscription"),
                };
                let found: Vec<i32> =
                    folded().values.iter().filter_map(|v| self.codes.find(kind, v)).collect();
                (!found.is_empty()).then(|| Some(one_of(column, found)))
            }
            GroupBy::MeterCategory => codes(codes::METER_CATEGORY, "meter_category"),
            GroupBy::Unit => codes(codes::MEASURE, "measure"),
            GroupBy::Reservation => codes(codes::RESERVATION, "reservation"),
            GroupBy::Category => places("category", &|name| {
                ChargeCategory::parse(name).map_or(-1, |c| place_of(&ChargeCategory::ALL, &c))
            }),
            GroupBy::Kind => places("kind", &|name| {
                RowKind::parse(name).map_or(-1, |kind| place_of(&RowKind::ALL, &kind))
            }),
            GroupBy::Dimension(dimension) if CODED.contains(dimension) => {
                codes(dimension.name(), dimension.name())
            }
            GroupBy::Dimension(dimension) => {
                Some(Some(one_of_texts(dimension.name(), &filter.values)))
            }
            GroupBy::Resource => Some(Some(one_of_texts("resource", &filter.values))),
            // Tags are one text to the engine; they are told apart after it has added up.
            GroupBy::Tag(_) => Some(None),
            GroupBy::Day | GroupBy::Month => {
                return Err(Error::invalid("filter", "days are chosen by `from` and `until`"));
            }
        })
    }

    /// Turns groups into rows: codes into values and names, in a stable order.
    fn table(&self, query: &ChargeQuery, groups: Groups) -> Result<ChargeTable> {
        let groups = match query.top {
            Some(top) => dearest(groups, top),
            None => groups,
        };
        let mut merged: BTreeMap<Identity, Sums> = BTreeMap::new();
        for (keys, sums) in groups {
            let into = merged.entry(self.values_of(query, keys)?).or_default();
            into.records = into.records.checked_add(sums.records).ok_or_else(too_large)?;
            into.quantity = into.quantity.checked_add(sums.quantity).ok_or_else(too_large)?;
            into.cost = into.cost.checked_add(sums.cost).ok_or_else(too_large)?;
            let amortised = into.amortised.checked_add(sums.amortised);
            into.amortised = amortised.ok_or_else(too_large)?;
        }
        let declared = self.declared();
        let mut rows = Vec::with_capacity(merged.len());
        for (Identity { keys, currency, unit }, sums) in merged {
            let currency =
                Currency::parse(&currency).map_err(|e| Error::money("add charges up", e))?;
            let at = named_at(query, &keys);
            let labels = keys.iter().zip(&query.group_by).map(|(value, by)| {
                value.as_deref().and_then(|value| label(&declared.company, by, value, at))
            });
            let amortised = sums.cost.checked_add(sums.amortised).ok_or_else(too_large)?;
            let cost = |atoms| Cost { major: Fixed18::from_atoms(atoms), currency };
            rows.push(ChargeRow {
                labels: labels.collect(),
                keys,
                records: sums.records,
                quantity: unit.is_some().then(|| Fixed18::from_atoms(sums.quantity)),
                unit,
                cost: cost(sums.cost),
                amortised: cost(amortised),
            });
        }
        if let Some(top) = query.top {
            rows.sort_by(|a, b| b.cost.major.cmp(&a.cost.major).then_with(|| a.keys.cmp(&b.keys)));
            rows.truncate(top);
        }
        Ok(ChargeTable { columns: query.group_by.iter().map(GroupBy::name).collect(), rows })
    }

    /// Currency, unit and key values of a group.
    fn values_of(&self, query: &ChargeQuery, keys: Vec<Key>) -> Result<Identity> {
        let mut keys = keys.into_iter();
        let mut coded = |kind: CodeKind| -> Result<Option<String>> {
            match keys.next() {
                Some(Key::Number(code)) => {
                    let code =
                        i32::try_from(code).map_err(|e| Error::internal("read a code", e))?;
                    Ok(Some(self.codes.value(kind, code)?.to_string()))
                }
                _ => Ok(None),
            }
        };
        let currency = coded(codes::CURRENCY)?.unwrap_or_default();
        let unit = coded(codes::MEASURE)?.filter(|_| by_meter(query));
        let values = query.group_by.iter().zip(keys).map(|(by, key)| self.value_of(by, key));
        Ok(Identity { keys: values.collect::<Result<_>>()?, currency, unit })
    }

    fn value_of(&self, by: &GroupBy, key: Key) -> Result<Option<String>> {
        let number = match key {
            Key::None => return Ok(None),
            Key::Text(text) => return Ok(Some(text)),
            Key::Number(number) => {
                i32::try_from(number).map_err(|e| Error::internal("read a code", e))?
            }
        };
        let coded = |kind| self.codes.value(kind, number).map(|value| Some(value.to_string()));
        match by {
            GroupBy::Day => Ok(Some(Day::from_number(number).to_string())),
            GroupBy::Month => BillingPeriod::from_number(number)
                .map(|period| Some(period.to_string()))
                .map_err(|e| Error::internal("read a period", e)),
            GroupBy::BillingAccount => coded(codes::ACCOUNT),
            GroupBy::Subscription => coded(codes::SUBSCRIPTION),
            GroupBy::Meter => coded(codes::METER),
            GroupBy::MeterCategory => coded(codes::METER_CATEGORY),
            GroupBy::Unit => coded(codes::MEASURE),
            GroupBy::Reservation => coded(codes::RESERVATION),
            GroupBy::Category => {
                Ok(Some(at_place(&ChargeCategory::ALL, number)?.name().to_owned()))
            }
            GroupBy::Kind => Ok(Some(at_place(&RowKind::ALL, number)?.name().to_owned())),
            GroupBy::Dimension(dimension) => coded(dimension.name()),
            GroupBy::Resource | GroupBy::Tag(_) => Ok(Some(number.to_string())),
        }
    }
}

fn one_of(column: &'static str, codes: Vec<i32>) -> Filter {
    Filter::In {
        column,
        values: codes.into_iter().map(|code| Value::Int(i64::from(code))).collect(),
    }
}

fn one_of_texts(column: &'static str, values: &[String]) -> Filter {
    Filter::In { column, values: values.iter().cloned().map(Value::Text).collect() }
}

/// When the names of a row hold: at the start of its day, else of its month as far as it is asked
/// for, else at the last moment of all days.
fn named_at(query: &ChargeQuery, keys: &[Option<String>]) -> Instant {
    let key = |of: &GroupBy| {
        let place = query.group_by.iter().position(|by| by == of)?;
        keys.get(place)?.as_deref()
    };
    let day = key(&GroupBy::Day).and_then(|day| Instant::parse(day).ok());
    let month = || BillingPeriod::parse(key(&GroupBy::Month)?).ok().map(|month| month.start());
    match day.or_else(month) {
        Some(start) => start.max(query.days.start.start()),
        None => query.days.end.start().plus_micros(-1),
    }
}

/// The name of a key's value, where it has one.
fn label(
    company: &domain::company::Company,
    by: &GroupBy,
    value: &str,
    at: Instant,
) -> Option<String> {
    let named = |dimension: &str| {
        let name = company.name_of(dimension, value, at);
        (name != value).then(|| name.to_owned())
    };
    match by {
        GroupBy::BillingAccount => {
            let id = BillingAccountId::new(value).ok()?;
            company.accounts.get(&id)?.name_at(at).map(str::to_owned)
        }
        GroupBy::Subscription => {
            let id = domain::ids::SubscriptionId::new(value).ok()?;
            company.subscriptions.get(&id).map(|subscription| subscription.name.clone())
        }
        GroupBy::Meter => {
            let id = domain::ids::MeterId::new(value).ok()?;
            company.meters.get(&id).map(|meter| meter.name.clone())
        }
        GroupBy::MeterCategory => named("meter_category"),
        GroupBy::Dimension(dimension) => named(dimension.name()),
        _ => None,
    }
}

/// The columns that the engine groups by: currency and unit first, then the keys', then tags that
/// are filtered by.
fn engine_columns(query: &ChargeQuery) -> Vec<&'static str> {
    let mut columns = vec!["currency"];
    let needed =
        query.group_by.iter().filter_map(GroupBy::column).chain(
            query.filters.iter().filter(|f| matches!(f.on, GroupBy::Tag(_))).map(|_| "tags"),
        );
    if by_meter(query) {
        columns.push("measure");
    }
    for column in needed {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

/// The coarsest table that holds all that a question needs.
fn grain_of(query: &ChargeQuery) -> Grain {
    let filtered = query.filters.iter().filter_map(|filter| filter.on.column());
    let columns: Vec<_> = engine_columns(query).into_iter().chain(filtered).collect();
    let holds = |kept: Vec<&str>| columns.iter().all(|column| kept.contains(column));
    let (first, last) = (query.days.start.start(), query.days.end.start());
    let whole_months =
        BillingPeriod::of(first).start() == first && BillingPeriod::of(last).start() == last;
    if whole_months && holds(roll_ups::month_columns()) {
        Grain::Month
    } else if holds(roll_ups::day_columns()) {
        Grain::Day
    } else {
        Grain::Rows
    }
}
