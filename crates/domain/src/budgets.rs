//! Budgets: an amount for each window of time, and who is told when cost reaches a part of it.
//!
//! Source: `BudgetProperties` and `Notification` of Microsoft.Consumption `2021-10-01`; what they
//! leave open is decided in `docs/decisions/0021-budgets-and-forecasts.md`.

use crate::agreements::AgreementType;
use crate::spend_filters::SpendFilter;
use crate::{Error, Result};
use calendar::{BillingPeriod, Instant, Interval};
use money::{Fixed18, Rounding};
use std::collections::BTreeMap;

/// Notifications of one budget.
pub const NOTIFICATIONS_MOST: usize = 5;
/// Mail addresses, and groups, of one notification.
pub const CONTACTS_MOST: usize = 50;
/// Characters of a budget's name.
pub const NAME_MOST: usize = 63;
/// Characters of a notification's name, of an address, of a group and of a value.
pub(crate) const TEXT_MOST: usize = 512;
/// Months that a budget may begin ahead.
const AHEAD_MOST: i32 = 12;
/// Years that a budget holds for which no end is stated.
const USUAL_MONTHS: i32 = 120;
/// The first month of all budgets.
const FIRST: (i16, i8) = (2017, 6);

/// How long a window is, and by what it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeGrain {
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
    Year,
    /// A billing period.
    BillingMonth,
    /// Three billing periods, from the first of the budget on.
    BillingQuarter,
    /// Twelve billing periods, from the first of the budget on.
    BillingYear,
}

impl TimeGrain {
    /// All of them.
    pub const ALL: [TimeGrain; 6] = [
        TimeGrain::Month,
        TimeGrain::Quarter,
        TimeGrain::Year,
        TimeGrain::BillingMonth,
        TimeGrain::BillingQuarter,
        TimeGrain::BillingYear,
    ];

    /// Its name in the books.
    pub const fn name(self) -> &'static str {
        match self {
            TimeGrain::Month => "month",
            TimeGrain::Quarter => "quarter",
            TimeGrain::Year => "year",
            TimeGrain::BillingMonth => "billing month",
            TimeGrain::BillingQuarter => "billing quarter",
            TimeGrain::BillingYear => "billing year",
        }
    }

    /// Finds one by [`TimeGrain::name`].
    pub fn parse(name: &str) -> Option<TimeGrain> {
        TimeGrain::ALL.into_iter().find(|grain| grain.name() == name)
    }

    /// Whether it follows billing periods.
    pub const fn is_of_billing(self) -> bool {
        match self {
            TimeGrain::Month | TimeGrain::Quarter | TimeGrain::Year => false,
            TimeGrain::BillingMonth | TimeGrain::BillingQuarter | TimeGrain::BillingYear => true,
        }
    }

    const fn months(self) -> i32 {
        match self {
            TimeGrain::Month | TimeGrain::BillingMonth => 1,
            TimeGrain::Quarter | TimeGrain::BillingQuarter => 3,
            TimeGrain::Year | TimeGrain::BillingYear => 12,
        }
    }
}

/// How a cost is compared with a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// It is the threshold.
    Equal,
    /// It is beyond it.
    Greater,
    /// It is the threshold or beyond it.
    GreaterOrEqual,
}

impl Operator {
    /// All of them.
    pub const ALL: [Operator; 3] = [Operator::Equal, Operator::Greater, Operator::GreaterOrEqual];

    /// Its name in the books.
    pub const fn name(self) -> &'static str {
        match self {
            Operator::Equal => "equal",
            Operator::Greater => "greater",
            Operator::GreaterOrEqual => "greater or equal",
        }
    }

    /// Finds one by [`Operator::name`].
    pub fn parse(name: &str) -> Option<Operator> {
        Operator::ALL.into_iter().find(|operator| operator.name() == name)
    }

    /// Whether it holds of a cost and a threshold.
    pub fn holds(self, cost: Fixed18, threshold: Fixed18) -> bool {
        match self {
            Operator::Equal => cost == threshold,
            Operator::Greater => cost > threshold,
            Operator::GreaterOrEqual => cost >= threshold,
        }
    }
}

/// Which cost a threshold is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measured {
    /// What the window has cost so far.
    Actual,
    /// What the whole window is expected to cost.
    Forecast,
}

impl Measured {
    /// Its name in the books.
    pub const fn name(self) -> &'static str {
        match self {
            Measured::Actual => "actual",
            Measured::Forecast => "forecast",
        }
    }

    /// Finds one by [`Measured::name`].
    pub fn parse(name: &str) -> Option<Measured> {
        [Measured::Actual, Measured::Forecast].into_iter().find(|one| one.name() == name)
    }
}

/// Who is told, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Whether anybody is told at all.
    pub enabled: bool,
    /// How the cost is compared.
    pub operator: Operator,
    /// Percent of the budget's amount: 0 to 1000.
    pub threshold: Fixed18,
    /// Which cost.
    pub measured: Measured,
    /// Mail addresses.
    pub emails: Vec<String>,
    /// Roles at the subscription whose holders get a mail too.
    pub roles: Vec<ContactRole>,
    /// Resource ids of groups, which the operator knows the addresses of.
    pub groups: Vec<String>,
    /// Language that was asked for.
    pub locale: Option<String>,
}

/// A role at a subscription whose holders can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of `access::Role`")]
pub enum ContactRole {
    Owner,
    Contributor,
    Reader,
}

impl ContactRole {
    /// All of them.
    pub const ALL: [ContactRole; 3] =
        [ContactRole::Owner, ContactRole::Contributor, ContactRole::Reader];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            ContactRole::Owner => "Owner",
            ContactRole::Contributor => "Contributor",
            ContactRole::Reader => "Reader",
        }
    }

    /// Finds one by its name, in any letter case.
    pub fn parse(name: &str) -> Option<ContactRole> {
        ContactRole::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(name))
    }

    /// The role whose holders are told.
    pub const fn role(self) -> crate::access::Role {
        match self {
            ContactRole::Owner => crate::access::Role::Owner,
            ContactRole::Contributor => crate::access::Role::Contributor,
            ContactRole::Reader => crate::access::Role::Reader,
        }
    }
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What each window may cost, in the currency of where it is kept.
    pub amount: Fixed18,
    /// How long a window is.
    pub grain: TimeGrain,
    /// Its first month.
    pub start: BillingPeriod,
    /// When it ends.
    pub end: Instant,
    /// Which usage counts.
    pub filter: SpendFilter,
    /// Who is told, by the name of the notification.
    pub notifications: BTreeMap<String, Notification>,
}

/// Where and when a budget is declared.
#[derive(Debug, Clone, Copy)]
pub struct Declaring<'a> {
    /// The business moment.
    pub now: Instant,
    /// Whether it is kept at a subscription or a part of one: there alone groups and roles can be
    /// told.
    pub is_at_subscription: bool,
    /// The agreement of who pays there.
    pub agreement: Option<AgreementType>,
    /// What it takes the place of.
    pub before: Option<&'a Budget>,
}

impl Budget {
    /// When a budget ends for which nothing is said: ten years after it begins.
    pub fn usual_end(start: BillingPeriod) -> Instant {
        start.plus_months(USUAL_MONTHS).map_or(Instant::MAX, BillingPeriod::start)
    }

    /// The window that a moment lies in; none before it begins and after it ends.
    ///
    /// Calendar quarters and years are those of the calendar, so that the first window of a budget
    /// may be shorter; billing quarters and years are counted from its first month.
    pub fn window_at(&self, moment: Instant) -> Option<Interval> {
        let all = Interval::new(self.start.start(), self.end).ok()?;
        if !all.contains(moment) {
            return None;
        }
        let first = self.first_of_window(BillingPeriod::of(moment))?;
        let next = first.plus_months(self.grain.months()).ok()?;
        Interval::new(first.start(), next.start()).ok()?.intersection(&all)
    }

    /// The first month of the whole window that a month lies in.
    fn first_of_window(&self, month: BillingPeriod) -> Option<BillingPeriod> {
        let origin = if self.grain.is_of_billing() {
            self.start
        } else {
            BillingPeriod::new(FIRST.0, 1).ok()?
        };
        let into = month.months_since(origin).checked_rem_euclid(self.grain.months())?;
        month.plus_months(into.checked_neg()?).ok()
    }

    /// The cost from which a notification's threshold is reached: rounded to 18 places, half away
    /// from zero.
    ///
    /// Errors: [`Error::Money`].
    pub fn bound(&self, notification: &Notification) -> Result<Fixed18> {
        let threshold = notification.threshold;
        let bound = self.amount.percent(threshold, Fixed18::PLACES, Rounding::HalfAwayFromZero);
        bound.map_err(|e| Error::money("threshold of a budget", e))
    }

    /// The notifications that a window's cost gives rise to, with their names.
    ///
    /// Errors: [`Error::Money`].
    pub fn reached(
        &self,
        actual: Fixed18,
        forecast: Option<Fixed18>,
    ) -> Result<Vec<(&str, &Notification)>> {
        let mut reached = Vec::new();
        for (name, notification) in &self.notifications {
            let cost = match notification.measured {
                Measured::Actual => Some(actual),
                Measured::Forecast => forecast,
            };
            let bound = self.bound(notification)?;
            let holds = cost.is_some_and(|cost| notification.operator.holds(cost, bound));
            if notification.enabled && holds {
                reached.push((name.as_str(), notification));
            }
        }
        Ok(reached)
    }

    /// Whether any threshold is held against the forecast.
    pub fn has_forecast(&self) -> bool {
        self.notifications.values().any(|one| one.measured == Measured::Forecast)
    }

    /// Checks that it can be declared.
    ///
    /// Errors: [`Error::Invalid`] naming the field.
    pub fn check(&self, at: &Declaring<'_>) -> Result<()> {
        if self.amount <= Fixed18::ZERO {
            return Err(Error::invalid("amount", "must be above 0"));
        }
        self.check_grain(at)?;
        self.check_time(at)?;
        self.filter.check()?;
        if self.notifications.len() > NOTIFICATIONS_MOST {
            let problem = format!("are at most {NOTIFICATIONS_MOST}");
            return Err(Error::invalid("notifications", problem));
        }
        self.notifications.iter().try_for_each(|(name, one)| {
            if name.is_empty() || name.chars().count() > TEXT_MOST {
                let problem = format!("a name must be 1 to {TEXT_MOST} characters");
                return Err(Error::invalid("notifications", problem));
            }
            one.check(name, at)
        })
    }

    fn check_grain(&self, at: &Declaring<'_>) -> Result<()> {
        let suits = match at.agreement {
            None | Some(AgreementType::OnlineServices | AgreementType::Customer) => true,
            Some(AgreementType::Enterprise | AgreementType::Partner | AgreementType::Messaging) => {
                !self.grain.is_of_billing()
            }
        };
        if suits {
            return Ok(());
        }
        Err(Error::invalid(
            "time_grain",
            "billing periods are for customers without a partner or \
             an enrollment; ask for a month, quarter or year",
        ))
    }

    /// The published rules of the first and last date.
    fn check_time(&self, at: &Declaring<'_>) -> Result<()> {
        let wrong = |problem: &str| Err(Error::invalid("start_date", problem));
        if self.end <= self.start.start() {
            return Err(Error::invalid("end_date", "must lie behind the start"));
        }
        if at.before.is_some_and(|before| before.start == self.start) {
            return Ok(());
        }
        let this = BillingPeriod::of(at.now);
        if BillingPeriod::new(FIRST.0, FIRST.1).is_ok_and(|first| self.start < first) {
            return wrong("must be 2017-06-01 or later");
        }
        if self.start.months_since(this) > AHEAD_MOST {
            return wrong("must be at most twelve months ahead");
        }
        // What is counted from the start is open for so many months; the calendar's is what it is.
        let oldest = if self.grain.is_of_billing() {
            this.plus_months(1_i32.saturating_sub(self.grain.months())).ok()
        } else {
            self.first_of_window(this)
        };
        if oldest.is_some_and(|oldest| self.start < oldest) {
            return wrong("must lie in the time grain that is open now, or later");
        }
        Ok(())
    }
}

impl Notification {
    fn check(&self, name: &str, at: &Declaring<'_>) -> Result<()> {
        let wrong = |field: &str, problem: &str| {
            Err(Error::invalid(format!("notifications.{name}.{field}"), problem))
        };
        if self.threshold.is_negative() || self.threshold > Fixed18::from_int(1_000) {
            return wrong("threshold", "must be 0 to 1000, in percent");
        }
        if self.emails.len() > CONTACTS_MOST {
            return wrong("contact_emails", "are at most 50");
        }
        if let Some(email) = self.emails.iter().find(|email| !is_address(email)) {
            return wrong("contact_emails", &format!("`{email}` is not a mail address"));
        }
        if self.groups.len() > CONTACTS_MOST {
            return wrong("contact_groups", "are at most 50");
        }
        if !at.is_at_subscription && !self.groups.is_empty() {
            return wrong(
                "contact_groups",
                "can be told at subscriptions and resource groups only",
            );
        }
        if let Some(group) = self.groups.iter().find(|group| !is_group(group)) {
            return wrong("contact_groups", &format!("`{group}` is not a group's resource id"));
        }
        if !at.is_at_subscription && !self.roles.is_empty() {
            return wrong("contact_roles", "can be told at subscriptions and resource groups only");
        }
        if self.emails.is_empty() && self.groups.is_empty() {
            let problem = if at.is_at_subscription {
                "at least one mail address or group must be told"
            } else {
                "at least one mail address must be told"
            };
            return wrong("contact_emails", problem);
        }
        Ok(())
    }
}

/// Checks the name of a budget.
///
/// Errors: [`Error::Invalid`].
pub fn check_name(name: &str) -> Result<()> {
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > NAME_MOST || !name.chars().all(belongs) {
        let problem = format!("must be 1 to {NAME_MOST} letters, digits, `_` and `-`");
        return Err(Error::invalid("budget_name", problem));
    }
    Ok(())
}

/// Whether it can be a mail address: something on both sides of one `@`, and nothing that would end
/// a header.
fn is_address(text: &str) -> bool {
    let sides = text.split_once('@');
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | ',' | ';' | '"');
    text.len() <= 254
        && text.chars().all(is_plain)
        && sides
            .is_some_and(|(who, host)| !who.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// Whether it is the full resource id of an action group.
fn is_group(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let is = |part: &str, word: &str| part.eq_ignore_ascii_case(word);
    text.chars().count() <= TEXT_MOST
        && match parts.as_slice() {
            ["", a, subscription, b, group, c, provider, kind, name] => {
                is(a, "subscriptions")
                    && is(b, "resourceGroups")
                    && is(c, "providers")
                    && is(provider, "microsoft.insights")
                    && is(kind, "actionGroups")
                    && ![subscription, group, name].iter().any(|part| part.is_empty())
            }
            _ => false,
        }
}

/// The resource group that a resource's id names.
pub fn resource_group(resource: &str) -> Option<&str> {
    let mut parts = resource.split('/');
    parts.find(|part| part.eq_ignore_ascii_case("resourceGroups"))?;
    parts.next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
