//! Usage queries: durable questions for added-up charges of messaging accounts.
//!
//! What may be asked, which period is really answered, how an answer's totals are rounded, and when
//! a result that a receiver does not take is sent again. Source: `infobip.md` sections 3 to 7; why
//! so: `docs/decisions/0022-usage-queries.md`.

mod callbacks;
mod columns;
mod span;
mod totals;

pub use callbacks::{CallbackSchedule, Receipt, receipt_of};
pub use columns::{UsageColumn, UsageKey, effective_columns, keys_of};
pub use span::{StartOfDay, UsageSpan, aligned_span, asked_span, months_of, span_of};
pub use totals::rounded_totals;

use calendar::{BillingPeriod, Day};
use std::collections::BTreeSet;
use std::ops::Range;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuestion {
    /// The days asked for, in the question's time zone.
    pub days: Range<Day>,
    /// What tells rows apart, with the defaults: see [`effective_columns`].
    pub columns: Vec<UsageColumn>,
    /// What is counted at all.
    pub filter: UsageFilter,
    /// Whether months that are not final are answered too.
    pub unfinalized: bool,
    /// What goes beyond the contract.
    pub options: UsageOptions,
}

/// What is counted: usage that each of the lists names; an empty list asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Keys of messaging accounts.
    pub accounts: BTreeSet<String>,
    /// Codes of categories.
    pub categories: BTreeSet<String>,
    /// Codes of subcategories.
    pub subcategories: BTreeSet<String>,
    /// Codes of countries.
    pub countries: BTreeSet<String>,
    /// Directions.
    pub directions: BTreeSet<String>,
    /// Types of traffic.
    pub traffic_types: BTreeSet<String>,
    /// Senders.
    pub senders: BTreeSet<String>,
    /// Types of senders.
    pub sender_types: BTreeSet<String>,
    /// References of campaigns.
    pub campaign_references: BTreeSet<String>,
    /// Ids of campaigns.
    pub campaigns: BTreeSet<String>,
    /// Ids of templates.
    pub templates: BTreeSet<String>,
    /// Pairs of application and entity, each met together.
    pub platforms: BTreeSet<(String, String)>,
}

/// What a question may ask beyond the contract. The default asks for nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageOptions {
    /// Name of the time zone whose days and months are meant, of the IANA's list; UTC if none.
    pub time_zone: Option<String>,
    /// As of when names of campaigns and templates stand in the place of their ids, if at all.
    pub resolve_names: Option<NamesAsOf>,
    /// What the result is made as, beside what the callback carries.
    pub format: UsageFormat,
    /// Whether months before the ones that are kept at hand may be asked for, and more at once.
    pub long_range: bool,
    /// Whether totals are told unrounded.
    pub exact_totals: bool,
}

/// What a result is made as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum UsageFormat {
    /// As the callback carries it.
    #[default]
    Json,
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl UsageFormat {
    /// All of them.
    pub const ALL: [UsageFormat; 3] = [UsageFormat::Json, UsageFormat::Csv, UsageFormat::Parquet];

    /// Its name in the books.
    pub const fn name(self) -> &'static str {
        match self {
            UsageFormat::Json => "json",
            UsageFormat::Csv => "csv",
            UsageFormat::Parquet => "parquet",
        }
    }

    /// Finds a format by [`UsageFormat::name`].
    pub fn parse(name: &str) -> Option<UsageFormat> {
        UsageFormat::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// As of when a name is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamesAsOf {
    /// As it was at the end of what is answered.
    Period,
    /// As it is when the answer is made.
    Today,
}

impl NamesAsOf {
    /// All of them.
    pub const ALL: [NamesAsOf; 2] = [NamesAsOf::Period, NamesAsOf::Today];

    /// Its name in the books.
    pub const fn name(self) -> &'static str {
        match self {
            NamesAsOf::Period => "period",
            NamesAsOf::Today => "today",
        }
    }

    /// Finds one by [`NamesAsOf::name`].
    pub fn parse(name: &str) -> Option<NamesAsOf> {
        NamesAsOf::ALL.into_iter().find(|names| names.name() == name)
    }
}

/// Something that is wrong with a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageFault {
    /// With which part of it.
    pub field: UsageField,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl UsageFault {
    /// Says what is wrong with a field.
    pub fn new(field: UsageField, problem: impl Into<String>) -> UsageFault {
        UsageFault { field, problem: problem.into() }
    }
}

/// A part of a question; each surface spells them in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the question's members")]
pub enum UsageField {
    Callback,
    Since,
    Until,
    Interval,
    Columns,
    Accounts,
    Categories,
    Subcategories,
    Countries,
    Directions,
    TrafficTypes,
    Senders,
    SenderTypes,
    CampaignReferences,
    Campaigns,
    Templates,
    Platforms,
    Unfinalized,
    TimeZone,
    ResolveNames,
    Format,
    LongRange,
    ExactTotals,
}

/// How far back and how much may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageWindow {
    /// Months that can be asked for: the current one and those before it.
    pub months_kept: u32,
    /// Months that may be asked for at once.
    pub months_most: u32,
    /// The same for a long range, which may begin anywhere.
    pub long_months_most: u32,
    /// Values that one list of the filter may have.
    pub values_most: u32,
}

/// As the contract says it: the current and two earlier months, three at once.
impl Default for UsageWindow {
    fn default() -> UsageWindow {
        UsageWindow { months_kept: 3, months_most: 3, long_months_most: 120, values_most: 1_000 }
    }
}

impl UsageQuestion {
    /// All that is wrong with the question; `today` is the day that it is in its time zone.
    ///
    /// Source: `infobip.md` section 3.
    pub fn faults(&self, window: &UsageWindow, today: Day) -> Vec<UsageFault> {
        let mut faults = self.faults_of_days(window, today);
        if self.columns.is_empty() {
            faults.push(UsageFault::new(UsageField::Columns, "names at least one column"));
        }
        let most = usize::try_from(window.values_most).unwrap_or(usize::MAX);
        let long = self.filter.lengths().into_iter().filter(|(_, length)| *length > most);
        faults.extend(long.map(|(field, length)| {
            UsageFault::new(field, format!("has {length} values, and may have {most}"))
        }));
        faults
    }

    fn faults_of_days(&self, window: &UsageWindow, today: Day) -> Vec<UsageFault> {
        let Range { start, end } = self.days;
        let mut faults = Vec::new();
        if end <= start {
            let problem = format!("`{end}` is not after `{start}`, and the end is exclusive");
            faults.push(UsageFault::new(UsageField::Until, problem));
        }
        let current = month_of(today);
        let behind = current.end().day();
        let first = first_kept(current, window.months_kept);
        if start >= behind {
            let problem = format!("`{start}` is after the current month {current}");
            faults.push(UsageFault::new(UsageField::Since, problem));
        } else if !self.options.long_range && start < first {
            let problem = format!("`{start}` is before `{first}`, and what is older is not kept");
            faults.push(UsageFault::new(UsageField::Since, problem));
        }
        if end > behind {
            let problem = format!("`{end}` is after `{behind}`, the end of the current month");
            faults.push(UsageFault::new(UsageField::Until, problem));
        }
        let long = self.options.long_range;
        let most = if long { window.long_months_most } else { window.months_most };
        if end > months_later(start, most) {
            let problem = format!("is longer than {most} months");
            faults.push(UsageFault::new(UsageField::Interval, problem));
        }
        faults
    }
}

impl UsageFilter {
    /// How many values each list has.
    fn lengths(&self) -> [(UsageField, usize); 12] {
        [
            (UsageField::Accounts, self.accounts.len()),
            (UsageField::Categories, self.categories.len()),
            (UsageField::Subcategories, self.subcategories.len()),
            (UsageField::Countries, self.countries.len()),
            (UsageField::Directions, self.directions.len()),
            (UsageField::TrafficTypes, self.traffic_types.len()),
            (UsageField::Senders, self.senders.len()),
            (UsageField::SenderTypes, self.sender_types.len()),
            (UsageField::CampaignReferences, self.campaign_references.len()),
            (UsageField::Campaigns, self.campaigns.len()),
            (UsageField::Templates, self.templates.len()),
            (UsageField::Platforms, self.platforms.len()),
        ]
    }

    /// Whether it lets all usage through.
    pub fn is_empty(&self) -> bool {
        self.lengths().iter().all(|(_, length)| *length == 0)
    }
}

/// The calendar month of a day.
fn month_of(day: Day) -> BillingPeriod {
    BillingPeriod::of(day.start())
}

/// The first day that can be asked for.
fn first_kept(current: BillingPeriod, months_kept: u32) -> Day {
    let earlier = i32::try_from(months_kept).unwrap_or(i32::MAX).saturating_sub(1).max(0);
    let first = current.plus_months(earlier.saturating_neg());
    first.map_or(Day::from_number(i32::MIN), |first| first.start().day())
}

/// The same day of a later month, or its last day where it is shorter.
fn months_later(day: Day, months: u32) -> Day {
    let month = month_of(day);
    let months = i32::try_from(months).unwrap_or(i32::MAX);
    let Ok(later) = month.plus_months(months) else { return Day::from_number(i32::MAX) };
    let into = day.number().saturating_sub(month.start().day().number());
    let same = later.start().day().number().saturating_add(into);
    let last = later.end().day().number().saturating_sub(1);
    Day::from_number(same.min(last))
}

#[cfg(test)]
mod tests;
