//! Budgets as they are sent.

use crate::at::Version;
use crate::resource::Decimal;
use armkit::ArmError;
use calendar::{BillingPeriod, Instant};
use domain::Error;
use domain::budgets::{Budget, ContactRole, Measured, Notification, Operator, TimeGrain};
use domain::spend_filters::{SpendColumn, SpendFilter, SpendTest};
use httpkit::Object;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// `Budget`, as it is sent. What the address says is not read; what is computed is not either.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BudgetGiven {
    #[serde(rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(rename = "name")]
    _name: Option<IgnoredAny>,
    #[serde(rename = "type")]
    _type: Option<IgnoredAny>,
    pub(crate) e_tag: Option<String>,
    pub(crate) properties: Object<PropertiesGiven>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PropertiesGiven {
    category: String,
    amount: Decimal,
    time_grain: String,
    time_period: Object<PeriodGiven>,
    filter: Option<Object<FilterGiven>>,
    filters: Option<Object<FiltersGiven>>,
    notifications: Option<BTreeMap<String, Object<NotificationGiven>>>,
    #[serde(rename = "currentSpend")]
    _current_spend: Option<IgnoredAny>,
    #[serde(rename = "forecastSpend")]
    _forecast_spend: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PeriodGiven {
    start_date: String,
    end_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FilterGiven {
    and: Option<Vec<Object<TestGiven>>>,
    not: Option<Object<TestGiven>>,
    dimensions: Option<Object<ComparisonGiven>>,
    tags: Option<Object<ComparisonGiven>>,
}

/// The filter of a version before these, which `az` 2.91.0 sends still.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FiltersGiven {
    resource_groups: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    meters: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TestGiven {
    dimensions: Option<Object<ComparisonGiven>>,
    tags: Option<Object<ComparisonGiven>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComparisonGiven {
    name: String,
    operator: String,
    values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NotificationGiven {
    enabled: bool,
    operator: String,
    threshold: Decimal,
    contact_emails: Vec<String>,
    contact_roles: Option<Vec<String>>,
    contact_groups: Option<Vec<String>>,
    threshold_type: Option<String>,
    locale: Option<String>,
}

/// Time grains as the contract spells them.
pub(crate) const GRAINS: [(&str, TimeGrain); 6] = [
    ("Monthly", TimeGrain::Month),
    ("Quarterly", TimeGrain::Quarter),
    ("Annually", TimeGrain::Year),
    ("BillingMonth", TimeGrain::BillingMonth),
    ("BillingQuarter", TimeGrain::BillingQuarter),
    ("BillingAnnual", TimeGrain::BillingYear),
];
pub(crate) const OPERATORS: [(&str, Operator); 3] = [
    ("EqualTo", Operator::Equal),
    ("GreaterThan", Operator::Greater),
    ("GreaterThanOrEqualTo", Operator::GreaterOrEqual),
];
pub(crate) const MEASURED: [(&str, Measured); 2] =
    [("Actual", Measured::Actual), ("Forecasted", Measured::Forecast)];
/// Dimensions that the books know, as budgets name them.
pub(crate) static DIMENSIONS: [(&str, SpendColumn); 7] = [
    ("ResourceId", SpendColumn::Resource),
    ("ResourceGroupName", SpendColumn::ResourceGroup),
    ("ResourceLocation", SpendColumn::Location),
    ("SubscriptionId", SpendColumn::Subscription),
    ("MeterId", SpendColumn::Meter),
    ("MeterCategory", SpendColumn::MeterCategory),
    ("ReservationId", SpendColumn::Reservation),
];
/// `CultureCode`.
const LOCALES: [&str; 21] = [
    "en-us", "ja-jp", "zh-cn", "de-de", "es-es", "fr-fr", "it-it", "ko-kr", "pt-br", "ru-ru",
    "zh-tw", "cs-cz", "pl-pl", "tr-tr", "da-dk", "en-gb", "hu-hu", "nb-no", "nl-nl", "pt-pt",
    "sv-se",
];

impl PropertiesGiven {
    /// What is asked for.
    ///
    /// Errors: 400 naming the member that is wrong.
    pub(crate) fn budget(self, version: Version) -> Result<Budget, ArmError> {
        if !self.category.eq_ignore_ascii_case("Cost") {
            return Err(wrong("properties.category", "must be Cost"));
        }
        let Object(PeriodGiven { start_date, end_date }) = self.time_period;
        let start = moment(&start_date, "properties.timePeriod.startDate")?;
        let month = BillingPeriod::of(start);
        if month.start() != start {
            let problem = "must be the first of a month, at midnight UTC";
            return Err(wrong("properties.timePeriod.startDate", problem));
        }
        let end = end_date.map(|end| moment(&end, "properties.timePeriod.endDate")).transpose()?;
        let notifications = self.notifications.unwrap_or_default().into_iter();
        let notifications = notifications.map(|(name, Object(given))| {
            let read = given.notification(&format!("properties.notifications.{name}"), version)?;
            Ok((name, read))
        });
        let filter = match (self.filter, self.filters) {
            (Some(Object(given)), None) => given.filter()?,
            (None, Some(Object(given))) if version == Version::V2021 => given.filter(),
            (None, None) => SpendFilter::default(),
            (_, Some(_)) => {
                let problem = "is of no version that is served; send `properties.filter`";
                return Err(wrong("properties.filters", problem));
            }
        };
        Ok(Budget {
            amount: self.amount.0,
            grain: chosen(&GRAINS, &self.time_grain, "properties.timeGrain")?,
            start: month,
            end: end.unwrap_or_else(|| Budget::usual_end(month)),
            filter,
            notifications: notifications.collect::<Result<_, ArmError>>()?,
        })
    }
}

impl FilterGiven {
    fn filter(self) -> Result<SpendFilter, ArmError> {
        let FilterGiven { and, not, dimensions, tags } = self;
        let alone = tests(dimensions, tags, "properties.filter")?;
        let and = and.unwrap_or_default().into_iter().enumerate();
        let one = |(number, Object(given)): (usize, Object<TestGiven>)| {
            given.test(&format!("properties.filter.and[{number}]"))
        };
        let all = and.map(one).collect::<Result<Vec<_>, _>>()?;
        let not = not.map(|Object(given)| given.test("properties.filter.not")).transpose()?;
        Ok(SpendFilter { alone, all, not })
    }
}

impl FiltersGiven {
    /// Lists that are empty ask for nothing.
    fn filter(self) -> SpendFilter {
        let FiltersGiven { resource_groups, resources, meters } = self;
        let lists = [
            (SpendColumn::ResourceGroup, resource_groups),
            (SpendColumn::Resource, resources),
            (SpendColumn::Meter, meters),
        ];
        let test = |(on, values): (SpendColumn, Option<Vec<String>>)| {
            let values = values.filter(|values| !values.is_empty())?;
            Some(SpendTest { on, values })
        };
        let tests: Vec<SpendTest> = lists.into_iter().filter_map(test).collect();
        match tests.len() {
            0 | 1 => SpendFilter { alone: tests, ..SpendFilter::default() },
            _ => SpendFilter { all: tests, ..SpendFilter::default() },
        }
    }
}

impl TestGiven {
    fn test(self, at: &str) -> Result<SpendTest, ArmError> {
        let mut read = tests(self.dimensions, self.tags, at)?.into_iter();
        match (read.next(), read.next()) {
            (Some(test), None) => Ok(test),
            _ => Err(wrong(at, "must have either `dimensions` or `tags`")),
        }
    }
}

/// The comparisons of a column and of a tag that stand side by side.
fn tests(
    dimensions: Option<Object<ComparisonGiven>>,
    tags: Option<Object<ComparisonGiven>>,
    at: &str,
) -> Result<Vec<SpendTest>, ArmError> {
    let dimension = dimensions.map(|Object(given)| {
        let at = format!("{at}.dimensions");
        let on = match known(&DIMENSIONS, &given.name) {
            Some(column) => column.clone(),
            None => {
                let names = DIMENSIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                let problem = format!("`{}` is not known to the books; known: {names}", given.name);
                return Err(wrong(format!("{at}.name"), problem));
            }
        };
        given.test(on, &at)
    });
    let tag = tags.map(|Object(given)| {
        let at = format!("{at}.tags");
        if given.name.is_empty() {
            return Err(wrong(format!("{at}.name"), "must be the key of a tag"));
        }
        let on = SpendColumn::Tag(given.name.clone());
        given.test(on, &at)
    });
    dimension.into_iter().chain(tag).collect()
}

impl ComparisonGiven {
    fn test(self, on: SpendColumn, at: &str) -> Result<SpendTest, ArmError> {
        if !self.operator.eq_ignore_ascii_case("In") {
            return Err(wrong(format!("{at}.operator"), "must be In"));
        }
        Ok(SpendTest { on, values: self.values })
    }
}

impl NotificationGiven {
    fn notification(self, at: &str, version: Version) -> Result<Notification, ArmError> {
        let measured = self.threshold_type.unwrap_or_else(|| "Actual".to_owned());
        let measured = chosen(&MEASURED, &measured, &format!("{at}.thresholdType"))?;
        if measured == Measured::Forecast && version == Version::V2019 {
            let problem = "must be Actual; Forecasted is of version 2021-10-01";
            return Err(wrong(format!("{at}.thresholdType"), problem));
        }
        let role = |name: String| {
            let problem = format!("`{name}` is none of Owner, Contributor, Reader");
            ContactRole::parse(&name).ok_or_else(|| wrong(format!("{at}.contactRoles"), problem))
        };
        let roles = self.contact_roles.unwrap_or_default().into_iter().map(role);
        let locale = self.locale.map(|given| {
            let known = LOCALES.iter().find(|one| one.eq_ignore_ascii_case(&given));
            let problem = || format!("`{given}` is none of {}", LOCALES.join(", "));
            let unknown = || wrong(format!("{at}.locale"), problem());
            known.map(|one| (*one).to_owned()).ok_or_else(unknown)
        });
        Ok(Notification {
            enabled: self.enabled,
            operator: chosen(&OPERATORS, &self.operator, &format!("{at}.operator"))?,
            threshold: self.threshold.0,
            measured,
            emails: self.contact_emails,
            roles: roles.collect::<Result<_, _>>()?,
            groups: self.contact_groups.unwrap_or_default(),
            locale: locale.transpose()?,
        })
    }
}

/// The value of a spelling, in any letter case.
fn known<'a, T>(table: &'a [(&'static str, T)], given: &str) -> Option<&'a T> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(given)).map(|(_, value)| value)
}

fn chosen<T: Copy>(table: &[(&'static str, T)], given: &str, at: &str) -> Result<T, ArmError> {
    known(table, given).copied().ok_or_else(|| {
        let names = table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        wrong(at, format!("`{given}` is none of {names}"))
    })
}

/// The spelling of a value.
pub(crate) fn spelled<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, one)| one == value).map_or("", |(name, _)| *name)
}

fn moment(text: &str, at: &str) -> Result<Instant, ArmError> {
    Instant::parse(text).map_err(|_| wrong(at, format!("`{text}` is not a date")))
}

/// A member that is wrong; the description has `code` and `message` of an error and no more.
pub(crate) fn wrong(path: impl Into<String>, problem: impl Into<String>) -> ArmError {
    Error::invalid(path, problem).into()
}

/// What the use case refuses, with the member that the client sent.
pub(crate) fn refused(error: Error) -> ArmError {
    let (field, problem) = match error {
        Error::Invalid { field, problem } => (field, problem),
        error => return error.into(),
    };
    let member = match field.as_str() {
        "budget_name" => return wrong("budgetName", problem),
        "time_grain" => "timeGrain".to_owned(),
        "start_date" => "timePeriod.startDate".to_owned(),
        "end_date" => "timePeriod.endDate".to_owned(),
        other => other
            .replace("contact_emails", "contactEmails")
            .replace("contact_groups", "contactGroups")
            .replace("contact_roles", "contactRoles"),
    };
    wrong(format!("properties.{member}"), problem)
}
