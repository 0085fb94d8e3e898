//! What a place costs day by day: what budgets are held against, and forecasts begin with.
//!
//! Decision 0021 says what counts, and where a subscription's day counts that moved.

use crate::Reckoner;
use crate::dated_charges::{DatedCharge, dated_charges};
use crate::group_by::{ChargeFilter, GroupBy};
use crate::queries::{ChargeQuery, ChargeRow};
use crate::structure::Look;
use calendar::{Day, Instant};
use domain::access::{Caller, Scope};
use domain::budgets::resource_group;
use domain::company::Company;
use domain::forecasts::DAYS_MOST;
use domain::ids::{BillingAccountId, ReservationId, SubscriptionId};
use domain::places::{Level, Place, PlaceKey};
use domain::spend_filters::{SpendColumn, SpendFilter};
use domain::usage::{ChargeCategory, Dimension};
use domain::{Error, Result};
use money::{Cost, Currency, Fixed18, MoneyError, Rounding};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// Where budgets are kept and costs are forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendPlace {
    /// The billing account, a place below it, or a subscription.
    pub scope: Scope,
    /// A resource group of the subscription, if it is one.
    pub resource_group: Option<String>,
}

/// What a place costs by day, in the currency of who pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spending {
    pub(crate) currency: Currency,
    /// What usage cost, up to now.
    pub(crate) usage: BTreeMap<Day, Fixed18>,
    /// What is charged without usage, also on days to come.
    pub(crate) charged: BTreeMap<Day, Fixed18>,
}

impl SpendPlace {
    /// Who pays there at a moment.
    ///
    /// Errors: [`Error::NotFound`] for a subscription that nobody pays for.
    pub(crate) fn payer(&self, company: &Company, at: Instant) -> Result<BillingAccountId> {
        match &self.scope {
            Scope::Account(account) => Ok(account.clone()),
            Scope::Place(place) => Ok(place.billing_account.clone()),
            Scope::Subscription(id) => {
                let subscription = company.subscriptions.get(id);
                let payer = subscription.and_then(|one| one.placement_at(at));
                payer
                    .map(|payer| payer.billing_account.clone())
                    .ok_or_else(|| Error::not_found("subscription", id.as_str()))
            }
            Scope::Installation | Scope::Product(_) => {
                Err(Error::invalid("scope", "costs are kept for accounts, places, subscriptions"))
            }
        }
    }

    /// The columns that usage is told apart by.
    fn group_by(&self, filter: &SpendFilter) -> Vec<GroupBy> {
        let mut all: BTreeSet<GroupBy> = filter.columns().into_iter().map(group_of).collect();
        if matches!(self.scope, Scope::Place(_)) {
            all.insert(GroupBy::Subscription);
        }
        if self.resource_group.is_some() {
            all.insert(GroupBy::Resource);
        }
        [GroupBy::Day].into_iter().chain(all).collect()
    }

    /// Whether a group of usage is in the resource group, if it is one.
    fn has_resource(&self, value_of: &dyn Fn(&SpendColumn) -> Option<String>) -> bool {
        self.resource_group.as_ref().is_none_or(|wanted| {
            let own = value_of(&SpendColumn::ResourceGroup);
            own.is_some_and(|own| own.eq_ignore_ascii_case(wanted))
        })
    }
}

impl Spending {
    /// What usage of some days cost together.
    ///
    /// Errors: [`Error::Money`].
    pub(crate) fn used(&self, days: Range<Day>) -> Result<Fixed18> {
        sum(&self.usage, days)
    }

    /// What is charged without usage on some days together.
    ///
    /// Errors: [`Error::Money`].
    pub(crate) fn charged(&self, days: Range<Day>) -> Result<Fixed18> {
        sum(&self.charged, days)
    }

    /// What some days cost together, as far as they are over or run.
    ///
    /// Errors: [`Error::Money`].
    pub(crate) fn within(&self, days: Range<Day>) -> Result<Fixed18> {
        let used = self.used(days.clone())?;
        used.checked_add(self.charged(days)?).map_err(failed)
    }

    /// What usage of a day cost.
    pub(crate) fn day(&self, day: Day) -> Fixed18 {
        self.usage.get(&day).copied().unwrap_or(Fixed18::ZERO)
    }

    /// What usage cost on the last days before one that a forecast looks back on, oldest first:
    /// from the first that cost anything on, each once.
    pub(crate) fn before(&self, day: Day) -> Vec<Fixed18> {
        let most = i32::try_from(DAYS_MOST).unwrap_or(i32::MAX);
        let earliest = day.number().saturating_sub(most);
        let first = self.usage.keys().next().map_or(day.number(), |first| first.number());
        (first.max(earliest)..day.number()).map(|n| self.day(Day::from_number(n))).collect()
    }
}

fn sum(costs: &BTreeMap<Day, Fixed18>, days: Range<Day>) -> Result<Fixed18> {
    if days.end <= days.start {
        return Ok(Fixed18::ZERO);
    }
    Fixed18::checked_sum(costs.range(days).map(|(_, cost)| *cost)).map_err(failed)
}

fn add(costs: &mut BTreeMap<Day, Fixed18>, day: Day, cost: Fixed18) -> Result<()> {
    let sum = costs.entry(day).or_default();
    *sum = sum.checked_add(cost).map_err(failed)?;
    Ok(())
}

fn failed(error: MoneyError) -> Error {
    Error::money("costs of a place", error)
}

impl Reckoner {
    /// What some days cost at a place: usage up to now, and what is charged without it; none where
    /// some of it is in a currency that no declared rate leads from to that of who pays.
    ///
    /// Errors: those of [`Reckoner::charges`]; [`Error::Money`].
    pub(crate) async fn spending(
        &self,
        look: &Look,
        (place, filter): (&SpendPlace, &SpendFilter),
        days: Range<Day>,
    ) -> Result<Option<Spending>> {
        let (company, payer) = (&*look.company, place.payer(&look.company, look.now)?);
        let missing = || Error::not_found("billing account", payer.as_str());
        let currency = company.accounts.get(&payer).ok_or_else(missing)?.currency;
        let query = ChargeQuery {
            billing_account: Some(payer.clone()),
            days: days.start..days.end.min(look.now.day().next()),
            group_by: place.group_by(filter),
            filters: filters(&place.scope),
            top: None,
        };
        // Who may ask for what a place costs may not see all of its account.
        let table = self.charges(&Caller::Machine, &query).await?;
        let mut spending = Spending { currency, usage: BTreeMap::new(), charged: BTreeMap::new() };
        let mut standing = Standing { company, place, known: HashMap::new() };
        for row in &table.rows {
            let Some(day) = standing.used(&query, row, filter) else { continue };
            let Some(cost) = in_currency(company, row.cost, currency, day)? else {
                return Ok(None);
            };
            add(&mut spending.usage, day, cost)?;
        }
        for charge in dated_charges(company, &payer, &days)? {
            let day = charge.at.day();
            if !standing.charged(&charge, filter) {
                continue;
            }
            let Some(cost) = in_currency(company, charge.cost, currency, day)? else {
                return Ok(None);
            };
            add(&mut spending.charged, day, cost)?;
        }
        Ok(Some(spending))
    }
}

/// What counts at a place; whether days of subscriptions do is looked up once each.
struct Standing<'a> {
    company: &'a Company,
    place: &'a SpendPlace,
    known: HashMap<(String, Day), bool>,
}

impl Standing<'_> {
    /// The day of usage, if it counts.
    fn used(&mut self, query: &ChargeQuery, row: &ChargeRow, filter: &SpendFilter) -> Option<Day> {
        let value_of = |on: &SpendColumn| value_of(&query.group_by, row, on);
        let day = Instant::parse(row.keys.first()?.as_deref()?).ok()?.day();
        let owned = |on: &SpendColumn| value_of(on).map(str::to_owned);
        let of = self.place;
        if !filter.counts(value_of) || !of.has_resource(&owned) {
            return None;
        }
        let Scope::Place(place) = &of.scope else { return Some(day) };
        let subscription = value_of(&SpendColumn::Subscription)?;
        self.stands(place, subscription, day).then_some(day)
    }

    /// Whether a charge counts that no usage makes: it has no resource, meter or tag.
    fn charged(&mut self, charge: &DatedCharge, filter: &SpendFilter) -> bool {
        let subscription = charge.subscription.as_ref().map(SubscriptionId::as_str);
        let value_of = |on: &SpendColumn| match on {
            SpendColumn::Subscription => subscription,
            SpendColumn::Reservation => charge.reservation.as_ref().map(ReservationId::as_str),
            SpendColumn::ResourceGroup
            | SpendColumn::Resource
            | SpendColumn::Meter
            | SpendColumn::MeterCategory
            | SpendColumn::Location
            | SpendColumn::Tag(_) => None,
        };
        let of = self.place;
        if of.resource_group.is_some() || !filter.counts(value_of) {
            return false;
        }
        match &of.scope {
            Scope::Account(_) => true,
            Scope::Subscription(id) => charge.subscription.as_ref() == Some(id),
            Scope::Place(place) => match (subscription, &charge.place) {
                (Some(subscription), _) => self.stands(place, subscription, charge.at.day()),
                (None, Some(key)) => lies_at(self.company, place, key, end_of(charge.at.day())),
                (None, None) => false,
            },
            Scope::Installation | Scope::Product(_) => false,
        }
    }

    /// Whether a subscription's day counts at a place.
    fn stands(&mut self, place: &Place, subscription: &str, day: Day) -> bool {
        let company = self.company;
        let stands = || stands_at(company, place, subscription, end_of(day));
        *self.known.entry((subscription.to_owned(), day)).or_insert_with(stands)
    }
}

/// The last moment of a day.
fn end_of(day: Day) -> Instant {
    day.next().start().plus_micros(-1)
}

/// The value of a group, of what a filter looks at.
fn value_of<'a>(by: &[GroupBy], row: &'a ChargeRow, on: &SpendColumn) -> Option<&'a str> {
    let wanted = group_of(on);
    let column = by.iter().position(|one| *one == wanted)?;
    let value = row.keys.get(column)?.as_deref()?;
    match on {
        SpendColumn::ResourceGroup => resource_group(value),
        SpendColumn::Subscription
        | SpendColumn::Resource
        | SpendColumn::Meter
        | SpendColumn::MeterCategory
        | SpendColumn::Location
        | SpendColumn::Reservation
        | SpendColumn::Tag(_) => Some(value),
    }
}

fn group_of(column: &SpendColumn) -> GroupBy {
    match column {
        SpendColumn::Subscription => GroupBy::Subscription,
        SpendColumn::ResourceGroup | SpendColumn::Resource => GroupBy::Resource,
        SpendColumn::Meter => GroupBy::Meter,
        SpendColumn::MeterCategory => GroupBy::MeterCategory,
        SpendColumn::Location => GroupBy::Dimension(Dimension::Location),
        SpendColumn::Reservation => GroupBy::Reservation,
        SpendColumn::Tag(key) => GroupBy::Tag(key.clone()),
    }
}

/// Taxes and credits are no cost of what was used.
fn filters(scope: &Scope) -> Vec<ChargeFilter> {
    let counted = ChargeCategory::ALL.into_iter().filter(|category| match category {
        ChargeCategory::Tax | ChargeCategory::Credit => false,
        ChargeCategory::Usage
        | ChargeCategory::Purchase
        | ChargeCategory::Fee
        | ChargeCategory::Refund
        | ChargeCategory::Adjustment
        | ChargeCategory::Marketplace
        | ChargeCategory::Rounding => true,
    });
    let values = counted.map(|category| category.name().to_owned()).collect();
    let mut filters = vec![ChargeFilter { on: GroupBy::Category, values }];
    if let Scope::Subscription(id) = scope {
        let values = vec![id.to_string()];
        filters.push(ChargeFilter { on: GroupBy::Subscription, values });
    }
    filters
}

/// Whether a subscription stood at a place, or below it, at a moment.
fn stands_at(company: &Company, place: &Place, subscription: &str, at: Instant) -> bool {
    let Ok(id) = SubscriptionId::new(subscription) else { return false };
    let placement = company.subscriptions.get(&id).and_then(|one| one.placement_at(at));
    let pays = placement.is_some_and(|payer| {
        payer.billing_account == place.billing_account
            && place.key.level == Level::BillingProfile
            && payer.profile.as_deref() == Some(place.key.id.as_str())
    });
    let held = company.places.subscriptions.get(&id);
    let standing = held.and_then(|held| held.standings.at(at)?.place.as_ref());
    let lies = standing.filter(|standing| standing.billing_account == place.billing_account);
    let lies = lies.is_some_and(|standing| lies_at(company, place, &standing.key, at));
    pays || lies
}

/// Whether a place of the same account is one, or lies below it, at a moment.
fn lies_at(company: &Company, place: &Place, key: &PlaceKey, at: Instant) -> bool {
    let places = company.places.of(&place.billing_account);
    let above = places.and_then(|all| all.enclosing(key, place.key.level, at));
    *key == place.key || above == Some(&place.key)
}

/// A cost of a day in another currency, by the newest rate of that day: rounded to 18 places, half
/// away from zero. None where there is no rate.
fn in_currency(company: &Company, cost: Cost, to: Currency, day: Day) -> Result<Option<Fixed18>> {
    if cost.currency == to || cost.major.is_zero() {
        return Ok(Some(cost.major));
    }
    let Some(rate) = company.exchange_rate_at(cost.currency, to, end_of(day)) else {
        return Ok(None);
    };
    let (places, rule) = (Fixed18::PLACES, Rounding::HalfAwayFromZero);
    let converted = cost.major.checked_mul(rate.rate, places, rule);
    converted.map(Some).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spending(days: &[(&str, &str)]) -> Spending {
        let day = |text: &str| Instant::parse(text).unwrap().day();
        let cost = |text: &str| Fixed18::parse(text).unwrap();
        let days = days.iter().map(|(at, paid)| (day(at), cost(paid))).collect();
        let currency = Currency::parse("USD").unwrap();
        Spending { currency, usage: days, charged: BTreeMap::new() }
    }

    #[test]
    fn days_before_one_begin_with_the_first_that_cost_anything() {
        let day = |text: &str| Instant::parse(text).unwrap().day();
        let check = |days: &[(&str, &str)], at: &str, expected: &[&str]| {
            let told: Vec<String> =
                spending(days).before(day(at)).iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "{days:?} {at}");
        };
        check(&[], "2026-05-04", &[]);
        check(&[("2026-05-04", "1")], "2026-05-04", &[]);
        check(&[("2026-05-01", "1"), ("2026-05-03", "2")], "2026-05-04", &["1", "0", "2"]);
        let early = spending(&[("2026-01-01", "1")]);
        assert_eq!(early.before(day("2026-05-04")).len(), DAYS_MOST);
    }

    #[test]
    fn a_span_costs_what_its_days_do() {
        let day = |text: &str| Instant::parse(text).unwrap().day();
        let mut all = spending(&[("2026-05-01", "1"), ("2026-05-02", "2"), ("2026-05-03", "3")]);
        all.charged.insert(day("2026-05-03"), Fixed18::ONE);
        let check = |from: &str, until: &str, expected: &str| {
            let told = all.within(day(from)..day(until)).unwrap().to_string();
            assert_eq!(told, expected, "{from} {until}");
        };
        check("2026-05-01", "2026-05-03", "3");
        check("2026-05-02", "2026-06-01", "6");
        check("2026-05-02", "2026-05-02", "0");
        check("2026-05-03", "2026-05-01", "0");
    }
}
