//! What reserving would have saved: usage of the last days that no reservation covered, beside what
//! a reservation for it costs.
//!
//! The books know the price of a reservation where the billing account has bought one like it: that
//! is the one that its price sheet told. Without one there is nothing to compare with, and nothing
//! is recommended.

use crate::Reckoner;
use crate::cells::CellKey;
use crate::rated_rows::place_of;
use crate::reservation_transactions::region;
use crate::structure::Look;
use crate::{Inner, codes, rated_rows};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Day, Instant, Interval, MICROS_PER_DAY};
use domain::access::{Action, Caller, Scope};
use domain::catalog::{Condition, Meter};
use domain::ids::{BillingAccountId, MeterId, SubscriptionId};
use domain::rated::{RatedRow, RowKind};
use domain::reservations::{Reservation, by_hours};
use domain::usage::ChargeCategory;
use domain::{Error, Result};
use engine::{Filter, Scan, Value};
use money::{Cost, Fixed18, MoneyError, Rounding};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How far back usage is looked at: so many whole days before today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LookBack {
    Last7Days,
    Last30Days,
    Last60Days,
}

impl LookBack {
    /// How many days these are.
    pub const fn days(self) -> i64 {
        match self {
            LookBack::Last7Days => 7,
            LookBack::Last30Days => 30,
            LookBack::Last60Days => 60,
        }
    }
}

/// Whose usage a recommended reservation would cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sharing {
    /// That of all subscriptions asked for together.
    Shared,
    /// That of one of them: each has recommendations of its own.
    Single,
}

/// Which recommendations.
#[derive(Debug, Clone)]
pub struct RecommendationsAsked {
    /// By usage of which days.
    pub look_back: LookBack,
    /// Whose usage would be covered.
    pub sharing: Sharing,
}

/// What reserving would have saved in the days that are looked at.
///
/// Source: `enterprise-reporting.md` section 3.10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationRecommendation {
    /// Who would buy it.
    pub billing_account: BillingAccountId,
    /// Whose usage it would cover, if only one's.
    pub subscription: Option<SubscriptionId>,
    /// The days.
    pub look_back: LookBack,
    /// The meter that it would cover.
    pub meter: MeterId,
    /// What that counts, if it is declared.
    pub counted: Option<Meter>,
    /// Where usage must be for it to be covered, else where its meter is priced for; if anywhere.
    pub region: Option<String>,
    /// What usage must have for it to be covered.
    pub conditions: Vec<Condition>,
    /// The term of the reservation whose price this goes by.
    pub term: Interval,
    /// What the usage cost without it.
    pub cost_without: Cost,
    /// What it would have cost: the reservation for the days, and what it would not have covered.
    pub cost_with: Cost,
    /// What that saves: the difference, above 0.
    pub net_savings: Cost,
    /// How much to reserve in each hour, in the meter's unit; the whole number that saves most.
    pub quantity: Fixed18,
    /// The first of these days on which there was usage that it would have covered.
    pub first_used: Day,
}

impl Reckoner {
    /// Says what reserving would have saved a billing account, what stands at a place below it, or
    /// a subscription; in order of meter, term, subscription. Empty where nothing would have.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`] for a place that the caller may not know
    /// of; [`Error::Invalid`] for all of the installation; [`Error::Money`]; [`Error::TooMuch`].
    #[boxed]
    pub async fn reservation_recommendations(
        &self,
        caller: &Caller,
        scope: &Scope,
        asked: &RecommendationsAsked,
    ) -> Result<Vec<ReservationRecommendation>> {
        let look = self.demand_in_sight(caller, Action::ReadCharges, scope)?;
        let Some(account) = payer(&look, scope)? else { return Ok(Vec::new()) };
        let prices = known_prices(&look, caller, &account);
        let until = look.now.start_of_day();
        let back = asked.look_back.days().saturating_mul(MICROS_PER_DAY);
        let during = Interval::new(until.plus_micros(back.saturating_neg()), until)
            .map_err(|e| Error::internal("look back", e))?;
        let wanted = Wanted { account, prices, during, sharing: asked.sharing };
        if wanted.prices.is_empty() {
            return Ok(Vec::new());
        }
        let only = subscriptions(&look, scope, &wanted.account);
        let used = self.0.uncovered(&wanted, only.as_ref()).await?;
        let mut told = Vec::new();
        for ((number, subscription), hours) in used {
            let Some(price) = wanted.prices.get(number) else { continue };
            let best = best(price, wanted.during, &hours).map_err(|source| {
                Error::money(format!("recommendation for meter `{}`", price.meter), source)
            })?;
            told.extend(best.map(|best| {
                recommendation(&look, &wanted, (price, subscription), asked.look_back, best)
            }));
        }
        Ok(told)
    }
}

/// Who would buy for a place; none for a subscription that nobody pays for.
fn payer(look: &Look, scope: &Scope) -> Result<Option<BillingAccountId>> {
    match scope {
        Scope::Account(id) => Ok(Some(id.clone())),
        Scope::Place(place) => Ok(Some(place.billing_account.clone())),
        Scope::Subscription(id) => {
            let found = look.company.subscriptions.get(id);
            let paid = found.and_then(|one| one.placement_at(look.now));
            Ok(paid.map(|paid| paid.billing_account.clone()))
        }
        Scope::Installation | Scope::Product(_) => {
            Err(Error::invalid("scope", "must be a billing account, or what lies below one"))
        }
    }
}

/// The subscriptions whose usage counts, where not all of the account's do.
fn subscriptions(
    look: &Look,
    scope: &Scope,
    account: &BillingAccountId,
) -> Option<BTreeSet<SubscriptionId>> {
    match scope {
        Scope::Installation | Scope::Account(_) | Scope::Product(_) => None,
        Scope::Subscription(id) => Some(BTreeSet::from([id.clone()])),
        Scope::Place(_) => {
            let placed = look.declared.book.placed(account).iter();
            Some(placed.filter(|id| look.lies_at(scope, id, look.now)).cloned().collect())
        }
    }
}

/// What a reservation costs, as the account has bought one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KnownPrice {
    meter: MeterId,
    conditions: Vec<Condition>,
    term: Interval,
    region: Option<String>,
    /// For a quantity of one over the whole term.
    price: Cost,
}

/// The newest price of each kind of reservation that the account has bought, as far as the caller
/// may know it: for one meter, for a term of whole months, of what must hold for usage.
fn known_prices(look: &Look, caller: &Caller, account: &BillingAccountId) -> Vec<KnownPrice> {
    let view = look.view(caller);
    let reads = |scope: Scope| view.may(Action::ReadCharges, &scope);
    let reads_all = reads(Scope::Account(account.clone()));
    let held = look.company.reservations_of(account).iter().map(|held| &held.bought);
    let begun = held.filter(|bought| {
        let own = || reads(Scope::Subscription(bought.billed_to.clone()));
        bought.term.start() <= look.now && (reads_all || own())
    });
    let mut newest: BTreeMap<_, &Reservation> = BTreeMap::new();
    for bought in begun {
        let (Some(months), [meter]) = (bought.term.whole_months(), bought.meters.as_slice()) else {
            continue;
        };
        let known = newest.entry((meter, months, &bought.conditions)).or_insert(bought);
        if known.term.start() < bought.term.start() {
            *known = bought;
        }
    }
    let known = newest.into_iter().filter_map(|((meter, _, conditions), bought)| {
        let one = bought.price.major.mul_div(Fixed18::ONE, bought.quantity, Rounding::default());
        Some(KnownPrice {
            meter: meter.clone(),
            conditions: conditions.clone(),
            term: bought.term,
            region: region(bought, look.company.meters.get(meter)),
            price: Cost { major: one.ok()?, currency: bought.price.currency },
        })
    });
    known.collect()
}

/// What recommendations are made of.
struct Wanted {
    account: BillingAccountId,
    prices: Vec<KnownPrice>,
    during: Interval,
    sharing: Sharing,
}

impl Wanted {
    /// The prices of reservations that could have covered a row.
    fn of_row<'a>(&'a self, row: &'a RatedRow) -> impl Iterator<Item = usize> + 'a {
        let prices = self.prices.iter().enumerate();
        let fitting = prices.filter(move |(_, price)| {
            price.meter == row.meter
                && price.price.currency == row.cost.currency
                && price.conditions.iter().all(|Condition { dimension, value }| {
                    row.dimensions.get(dimension).is_some_and(|own| own == value)
                })
        });
        fitting.map(|(number, _)| number)
    }
}

/// Usage of hours that nothing covered: how much, and what it cost in major units.
type Hours = BTreeMap<Instant, (Fixed18, Fixed18)>;

/// By the number of a price, and by subscription where each has its own.
type Uncovered = BTreeMap<(usize, Option<SubscriptionId>), Hours>;

impl Inner {
    /// Usage of an account that reservations of known prices could have covered.
    async fn uncovered(
        self: &Arc<Self>,
        wanted: &Wanted,
        only: Option<&BTreeSet<SubscriptionId>>,
    ) -> Result<Uncovered> {
        let mut used = Uncovered::new();
        let mut period = BillingPeriod::of(wanted.during.start());
        while period.start() < wanted.during.end() {
            let bucket = self.bucket_of(&wanted.account);
            let inputs = self.refresh(CellKey { period, bucket }).await?.rows();
            period = period.next();
            let Some(filters) = self.uncovered_only(wanted) else { continue };
            if inputs.is_empty() {
                continue;
            }
            let schema = rated_rows::schema()?;
            let columns = schema.columns().iter().map(|column| column.name).collect();
            let scan = Scan { schema, inputs, filters, columns, order_by: Vec::new(), limit: None };
            let failed = crate::engine_failed("read what no reservation covers");
            let mut stream = self.engine.scan(&scan).await.map_err(&failed)?;
            while let Some(rows) = stream.next().await.map_err(&failed)? {
                for row in rated_rows::from_columns(&self.codes, &rows)? {
                    if only.is_none_or(|only| only.contains(&row.subscription)) {
                        add(wanted, &row, &mut used)?;
                    }
                }
                let most = self.config.limits.answer_rows;
                if used.values().map(|hours| hours.len() as u64).sum::<u64>() > most {
                    let limit = "hours of usage that recommendations are made of";
                    return Err(Error::TooMuch { limit, most, key: "limits.answer_rows" });
                }
            }
        }
        Ok(used)
    }

    /// Rows of the account's usage that a price was asked for; none before it has any.
    fn uncovered_only(&self, wanted: &Wanted) -> Option<Vec<Filter>> {
        let is = |column, values: Vec<i32>| {
            let values = values.into_iter().map(|code| Value::Int(i64::from(code))).collect();
            Filter::In { column, values }
        };
        let meters = wanted.prices.iter().map(|price| &price.meter);
        let meters = meters.filter_map(|id| self.codes.find(codes::METER, id.as_str()));
        let usage = place_of(&ChargeCategory::ALL, &ChargeCategory::Usage);
        Some(vec![
            is("account", vec![self.codes.find(codes::ACCOUNT, wanted.account.as_str())?]),
            is("meter", meters.collect()),
            is("kind", vec![place_of(&RowKind::ALL, &RowKind::Usage)]),
            is("category", vec![usage]),
        ])
    }
}

/// Adds a row by its hours. What is not above 0 is never covered.
fn add(wanted: &Wanted, row: &RatedRow, used: &mut Uncovered) -> Result<()> {
    if row.quantity <= Fixed18::ZERO {
        return Ok(());
    }
    let failed = |source| Error::money(format!("usage of meter `{}`", row.meter), source);
    // What is too long to be cut into hours is never covered either.
    let quantities = by_hours(row.quantity, row.service_period).unwrap_or_default();
    let costs = by_hours(row.cost.major, row.service_period).unwrap_or_default();
    let subscription = match wanted.sharing {
        Sharing::Shared => None,
        Sharing::Single => Some(row.subscription.clone()),
    };
    for number in wanted.of_row(row) {
        let own = used.entry((number, subscription.clone())).or_default();
        for ((hour, quantity), (_, cost)) in quantities.iter().zip(&costs) {
            if wanted.during.contains(*hour) {
                let (sum, costs) = own.entry(*hour).or_default();
                *sum = sum.checked_add(*quantity).map_err(failed)?;
                *costs = costs.checked_add(*cost).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// The quantity that saves most, and what it saves.
#[derive(Debug, PartialEq, Eq)]
struct Best {
    quantity: Fixed18,
    without: Fixed18,
    with: Fixed18,
    savings: Fixed18,
    first: Day,
}

/// Finds the whole quantity that would have saved most; none if none would have saved anything.
///
/// Each further unit saves less than the one before, for it covers fewer hours: so the best lies
/// where one more would cost more than it covers.
fn best(
    price: &KnownPrice,
    during: Interval,
    hours: &Hours,
) -> std::result::Result<Option<Best>, MoneyError> {
    let Some(first) = hours.keys().next().map(|hour| hour.day()) else { return Ok(None) };
    let whole = |interval: Interval| Fixed18::from_int(interval.micros());
    // For the days that are looked at, of one unit.
    let each = price.price.major.mul_div(whole(during), whole(price.term), Rounding::default())?;
    let most = hours.values().map(|(quantity, _)| *quantity).max().unwrap_or_default();
    let (mut low, mut high) = (Fixed18::ZERO, most.round(0, Rounding::AwayFromZero)?);
    // The greatest quantity whose last unit saves something: it lies from `low` to `high`.
    while low < high {
        let middle = halfway(low, high)?;
        let saved = covered(hours, middle)?.checked_sub(covered(hours, before(middle)?)?)?;
        (low, high) = if saved > each { (middle, high) } else { (low, before(middle)?) };
    }
    let without = Fixed18::checked_sum(hours.values().map(|(_, cost)| *cost))?;
    let paid = each.checked_mul(low, Fixed18::PLACES, Rounding::default())?;
    let with = without.checked_sub(covered(hours, low)?)?.checked_add(paid)?;
    let savings = without.checked_sub(with)?;
    let best = Best { quantity: low, without, with, savings, first };
    Ok((savings > Fixed18::ZERO).then_some(best))
}

/// The whole number in the middle of two, rounded up.
fn halfway(low: Fixed18, high: Fixed18) -> std::result::Result<Fixed18, MoneyError> {
    let two = Fixed18::from_int(2);
    low.checked_add(high)?
        .mul_div(Fixed18::ONE, two, Rounding::default())?
        .round(0, Rounding::AwayFromZero)
}

fn before(quantity: Fixed18) -> std::result::Result<Fixed18, MoneyError> {
    quantity.checked_sub(Fixed18::ONE)
}

/// What the covered part of usage cost, were so much reserved in each hour; an hour's usage all
/// costs alike.
fn covered(hours: &Hours, reserved: Fixed18) -> std::result::Result<Fixed18, MoneyError> {
    let cost = |(quantity, cost): &(Fixed18, Fixed18)| {
        cost.mul_div(reserved.min(*quantity), *quantity, Rounding::default())
    };
    hours.values().map(cost).try_fold(Fixed18::ZERO, |sum, cost| sum.checked_add(cost?))
}

fn recommendation(
    look: &Look,
    wanted: &Wanted,
    (price, subscription): (&KnownPrice, Option<SubscriptionId>),
    look_back: LookBack,
    best: Best,
) -> ReservationRecommendation {
    let Best { quantity, without, with, savings, first } = best;
    let cost = |major: Fixed18| Cost { major, currency: price.price.currency };
    ReservationRecommendation {
        billing_account: wanted.account.clone(),
        subscription,
        look_back,
        meter: price.meter.clone(),
        counted: look.company.meters.get(&price.meter).cloned(),
        region: price.region.clone(),
        conditions: price.conditions.clone(),
        term: price.term,
        cost_without: cost(without),
        cost_with: cost(with),
        net_savings: cost(savings),
        quantity,
        first_used: first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_usage::hours;
    use money::Currency;

    fn number(text: &str) -> Fixed18 {
        Fixed18::parse(text).unwrap()
    }

    /// Usage of hours that follow each other, `2@1` for 2 that cost 1 each; and what is best where
    /// one for ten hours costs something.
    fn check(used: &str, price: &str, expected: Option<(&str, &str, &str)>) {
        let start = Instant::parse("2026-05-01").unwrap();
        let during = Interval::new(start, start.plus_seconds(36_000)).unwrap();
        let of = |text: &str| {
            let (quantity, each) = text.split_once('@').unwrap();
            let (quantity, each) = (number(quantity), number(each));
            (quantity, quantity.checked_mul(each, 18, Rounding::default()).unwrap())
        };
        let all: Hours = hours(during).zip(used.split(' ').map(of)).collect();
        let usd = Currency::parse("USD").unwrap();
        let price = KnownPrice {
            meter: MeterId::new("hours").unwrap(),
            conditions: Vec::new(),
            term: during,
            region: None,
            price: Cost { major: number(price), currency: usd },
        };
        let found = best(&price, during, &all).unwrap();
        let expected = expected
            .map(|(quantity, with, savings)| (number(quantity), number(with), number(savings)));
        let told = found.map(|one| (one.quantity, one.with, one.savings));
        assert_eq!(told, expected, "{used} at {price:?}");
    }

    #[test]
    fn so_much_is_recommended_as_saves_most() {
        let always = ["2@1"; 10].join(" ");
        check(&always, "6", Some(("2", "12", "8")));
        // What costs as much saves nothing.
        check(&always, "10", None);
        check(&always, "11", None);
        // The third unit is used in too few hours.
        let more = ["3@1 3@1", &["2@1"; 8].join(" ")].join(" ");
        check(&more, "6", Some(("2", "14", "8")));
        check(&more, "1", Some(("3", "3", "19")));
        // Parts of a unit are worth what they cover.
        check(&["1.5@1"; 10].join(" "), "4", Some(("2", "8", "7")));
        check(&["1.5@1"; 10].join(" "), "6", Some(("1", "11", "4")));
        check("5@1", "6", None);
    }
}
