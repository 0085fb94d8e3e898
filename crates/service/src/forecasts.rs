//! Forecasts: what a subscription cost, and is expected to cost if days go on as the last ones.

use crate::Reckoner;
use crate::spending::{SpendPlace, Spending};
use async_recursion::async_recursion as boxed;
use calendar::{BillingPeriod, Day};
use domain::access::{Action, Caller, Scope};
use domain::forecasts::{DAYS_MOST, Forecast, Trend};
use domain::ids::SubscriptionId;
use domain::spend_filters::SpendFilter;
use domain::{Error, Result};
use money::{Cost, Currency, Fixed18};
use std::ops::Range;

/// By what forecasts are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForecastGrain {
    /// Days.
    Day,
    /// Billing periods.
    Month,
}

/// What a day or month cost, or is expected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastRow {
    /// The day, or the first of the month.
    pub day: Day,
    /// What it cost, or the expected cost.
    pub cost: Cost,
    /// The range of what is expected; none for what is over. In 95 of 100 cases, by the method of
    /// decision 0021.
    pub range: Option<Range<Fixed18>>,
}

impl Reckoner {
    /// What a subscription cost who pays for it now, day by day or month by month: what is over,
    /// and what is expected of the day that runs and of those after it. Months are those that begin
    /// within the days. What is expected is left out where too few days are known.
    ///
    /// Errors: [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Conflict`] where usage was rated
    /// in a currency that no declared rate leads from to that of who pays; those of
    /// [`Reckoner::charges`].
    #[boxed]
    pub async fn forecasts(
        &self,
        caller: &Caller,
        subscription: &SubscriptionId,
        (days, grain): (Range<Day>, ForecastGrain),
    ) -> Result<Vec<ForecastRow>> {
        self.0.refresh_declared().await?;
        let scope = Scope::Subscription(subscription.clone());
        let look = self.demand_in_sight(caller, Action::ReadCharges, &scope)?;
        let today = look.now.day();
        let place = SpendPlace { scope, resource_group: None };
        let until = BillingPeriod::of(days.end.start()).end().day();
        let all = days.start.min(looked_back(today))..until.max(today.next());
        let spending = self.spending(&look, (&place, &SpendFilter::default()), all).await?;
        let mixed = || Error::Conflict {
            what: "subscription",
            key: subscription.to_string(),
            problem: "was rated in several currencies, and a rate between them is missing".into(),
        };
        let told = Told { spending: spending.ok_or_else(mixed)?, today };
        match grain {
            ForecastGrain::Day => told.days(days),
            ForecastGrain::Month => told.months(days),
        }
    }
}

/// The first day that a forecast looks back on.
pub(crate) fn looked_back(today: Day) -> Day {
    let back = i32::try_from(DAYS_MOST).unwrap_or(i32::MAX);
    Day::from_number(today.number().saturating_sub(back))
}

/// What some days are expected to come to on one of them; none where too few days are known.
///
/// Errors: [`Error::Money`].
pub(crate) fn whole(spending: &Spending, days: Range<Day>, today: Day) -> Result<Option<Forecast>> {
    let Some(trend) = Trend::of(&spending.before(today))? else { return Ok(None) };
    expected(spending, days, (today, &trend)).map(Some)
}

/// What days that run or are to come are expected to cost: usage by the trend, and what is charged
/// without it as it is known.
fn expected(
    spending: &Spending,
    days: Range<Day>,
    (today, trend): (Day, &Trend),
) -> Result<Forecast> {
    let usage = if days.start <= today {
        let over = spending.used(days.start..today)?;
        let ahead = days_between(today.next(), days.end);
        domain::forecasts::whole(over, spending.day(today), trend, ahead)?
    } else {
        trend.ahead(days_between(days.start, days.end))?
    };
    usage.plus(spending.charged(days)?)
}

fn days_between(from: Day, until: Day) -> u32 {
    u32::try_from(until.number().saturating_sub(from.number())).unwrap_or(0)
}

/// What is known on a day.
struct Told {
    spending: Spending,
    today: Day,
}

impl Told {
    fn days(&self, days: Range<Day>) -> Result<Vec<ForecastRow>> {
        let trend = Trend::of(&self.spending.before(self.today))?;
        let mut rows = Vec::new();
        let mut day = days.start;
        while day < days.end {
            if day < self.today {
                rows.push(self.over(day, self.spending.within(day..day.next())?));
            } else if let Some(trend) = &trend {
                let at = (self.today, trend);
                rows.push(self.expected(day, expected(&self.spending, day..day.next(), at)?));
            }
            day = day.next();
        }
        Ok(rows)
    }

    fn months(&self, days: Range<Day>) -> Result<Vec<ForecastRow>> {
        let trend = Trend::of(&self.spending.before(self.today))?;
        let first = BillingPeriod::of(days.start.start());
        let begins_within = first.start().day() >= days.start;
        let mut month = if begins_within { first } else { first.next() };
        let mut rows = Vec::new();
        while month.start().day() < days.end {
            let (start, end) = (month.start().day(), month.end().day());
            if end <= self.today {
                rows.push(self.over(start, self.spending.within(start..end)?));
            } else if let Some(trend) = &trend {
                let at = (self.today, trend);
                rows.push(self.expected(start, expected(&self.spending, start..end, at)?));
            }
            month = month.next();
        }
        Ok(rows)
    }

    fn over(&self, day: Day, cost: Fixed18) -> ForecastRow {
        ForecastRow { day, cost: of(cost, self.spending.currency), range: None }
    }

    fn expected(&self, day: Day, expected: Forecast) -> ForecastRow {
        let Forecast { cost, lower, upper } = expected;
        ForecastRow { day, cost: of(cost, self.spending.currency), range: Some(lower..upper) }
    }
}

fn of(major: Fixed18, currency: Currency) -> Cost {
    Cost { major, currency }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calendar::Instant;
    use std::collections::BTreeMap;

    fn day(text: &str) -> Day {
        Instant::parse(text).unwrap().day()
    }

    /// One dollar on each of some days of May.
    fn told(days: Range<u32>, today: &str) -> Told {
        let dollar = |number| (day(&format!("2026-05-{number:02}")), Fixed18::ONE);
        let days: BTreeMap<Day, Fixed18> = days.map(dollar).collect();
        let currency = Currency::parse("USD").unwrap();
        let spending = Spending { currency, usage: days, charged: BTreeMap::new() };
        Told { spending, today: day(today) }
    }

    fn lines(rows: Vec<ForecastRow>) -> Vec<String> {
        let line = |row: &ForecastRow| {
            let kind = if row.range.is_some() { "expected" } else { "over" };
            format!("{} {} {kind}", row.day, row.cost.major)
        };
        rows.iter().map(line).collect()
    }

    #[test]
    fn days_that_are_over_are_told_and_others_expected() {
        let rows = told(1..4, "2026-05-03").days(day("2026-05-01")..day("2026-05-06")).unwrap();
        let expected = [
            "2026-05-01 1 over",
            "2026-05-02 1 over",
            "2026-05-03 1 expected",
            "2026-05-04 1 expected",
            "2026-05-05 1 expected",
        ];
        assert_eq!(lines(rows), expected);
        let rows = told(2..3, "2026-05-03").days(day("2026-05-01")..day("2026-05-06")).unwrap();
        assert_eq!(lines(rows), ["2026-05-01 0 over", "2026-05-02 1 over"]);
    }

    #[test]
    fn a_month_that_runs_is_what_it_cost_and_what_is_expected_of_the_rest() {
        let all = told(1..11, "2026-05-11");
        let rows = all.months(day("2026-05-01")..day("2026-07-01")).unwrap();
        assert_eq!(lines(rows), ["2026-05-01 31 expected", "2026-06-01 30 expected"]);
        let mut planned = told(1..11, "2026-05-11");
        planned.spending.charged.insert(day("2026-06-01"), Fixed18::from_int(5));
        let rows = planned.months(day("2026-05-01")..day("2026-07-01")).unwrap();
        assert_eq!(lines(rows), ["2026-05-01 31 expected", "2026-06-01 35 expected"]);
        let later = told(1..32, "2026-06-01").months(day("2026-04-02")..day("2026-05-31")).unwrap();
        assert_eq!(lines(later), ["2026-05-01 31 over"]);
    }
}
