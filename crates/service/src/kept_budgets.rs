//! Budgets and notices as the books keep them: their words, and the way there and back.

use crate::budget_checks::{Recipient, ThresholdReached};
use crate::budgets::BudgetAsked;
use crate::spending::SpendPlace;
use calendar::{BillingPeriod, Instant};
use domain::access::Scope;
use domain::budgets::{Budget, ContactRole, Measured, Notification, Operator, TimeGrain};
use domain::ids::{BillingAccountId, PlaceId, SubscriptionId};
use domain::places::{Level, Place, PlaceKey};
use domain::spend_filters::{SpendColumn, SpendFilter, SpendTest};
use domain::{Error, Result};
use money::Fixed18;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
struct KeptBudget {
    name: String,
    place: KeptPlace,
    amount: String,
    grain: String,
    start: String,
    end_micros: i64,
    filter: KeptFilter,
    notifications: BTreeMap<String, KeptNotification>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptPlace {
    Account(String),
    Place { account: String, level: String, id: String },
    Subscription { id: String, resource_group: Option<String> },
}

#[derive(Serialize, Deserialize)]
struct KeptFilter {
    alone: Vec<KeptTest>,
    all: Vec<KeptTest>,
    not: Option<KeptTest>,
}

#[derive(Serialize, Deserialize)]
struct KeptTest {
    on: String,
    values: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptNotification {
    enabled: bool,
    operator: String,
    threshold: String,
    measured: String,
    emails: Vec<String>,
    roles: Vec<String>,
    groups: Vec<String>,
    locale: Option<String>,
}

/// What is told, and to whom.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptNotice {
    pub(crate) recipient: Recipient,
    pub(crate) told: ThresholdReached,
}

const TAG: &str = "tag:";

/// Columns by their names in the books.
static COLUMNS: [(&str, SpendColumn); 7] = [
    ("subscription", SpendColumn::Subscription),
    ("resource_group", SpendColumn::ResourceGroup),
    ("resource", SpendColumn::Resource),
    ("meter", SpendColumn::Meter),
    ("meter_category", SpendColumn::MeterCategory),
    ("location", SpendColumn::Location),
    ("reservation", SpendColumn::Reservation),
];

/// Writes a budget for the books.
///
/// Errors: [`Error::Internal`].
pub(crate) fn write(place: &SpendPlace, asked: &BudgetAsked) -> Result<Vec<u8>> {
    let BudgetAsked { name, budget, tag: _ } = asked;
    let Budget { amount, grain, start, end, filter, notifications } = budget;
    let kept = KeptBudget {
        name: name.clone(),
        place: kept_place(place)?,
        amount: amount.to_string(),
        grain: grain.name().to_owned(),
        start: start.to_string(),
        end_micros: end.micros(),
        filter: KeptFilter {
            alone: filter.alone.iter().map(kept_test).collect(),
            all: filter.all.iter().map(kept_test).collect(),
            not: filter.not.as_ref().map(kept_test),
        },
        notifications: notifications
            .iter()
            .map(|(name, one)| (name.clone(), kept_notification(one)))
            .collect(),
    };
    serde_json::to_vec(&kept).map_err(|e| Error::internal("write a budget", e))
}

/// Reads a budget of the books: its name, where it is kept, what it says.
///
/// Errors: [`Error::Internal`] for what another version wrote.
pub(crate) fn read(body: &[u8]) -> Result<(String, SpendPlace, Budget)> {
    let kept: KeptBudget =
        serde_json::from_slice(body).map_err(|e| Error::internal("read a budget", e))?;
    let KeptBudget { name, place, amount, grain, start, end_micros, filter, notifications } = kept;
    let KeptFilter { alone, all, not } = filter;
    let tests = |tests: Vec<KeptTest>| tests.into_iter().map(test).collect::<Result<Vec<_>>>();
    let notifications = notifications.into_iter().map(|(name, one)| Ok((name, notification(one)?)));
    let budget = Budget {
        amount: number(&amount)?,
        grain: TimeGrain::parse(&grain).ok_or_else(|| unknown(&grain))?,
        start: BillingPeriod::parse(&start).map_err(|e| Error::internal("read a budget", e))?,
        end: Instant::from_micros(end_micros),
        filter: SpendFilter {
            alone: tests(alone)?,
            all: tests(all)?,
            not: not.map(test).transpose()?,
        },
        notifications: notifications.collect::<Result<_>>()?,
    };
    Ok((name, place_of(place)?, budget))
}

/// What stands for a place in the books: another text for each.
///
/// Errors: [`Error::Invalid`] for what no budget is kept for.
pub(crate) fn place_key(place: &SpendPlace) -> Result<String> {
    let part = |text: &str| text.replace('%', "%25").replace('/', "%2F");
    Ok(match kept_place(place)? {
        KeptPlace::Account(id) => format!("account/{}", part(&id)),
        KeptPlace::Place { account, level, id } => {
            format!("account/{}/{level}/{}", part(&account), part(&id))
        }
        KeptPlace::Subscription { id, resource_group: None } => {
            format!("subscription/{}", part(&id))
        }
        // The books keep no such text, and nothing is called so.
        KeptPlace::Subscription { resource_group: Some(group), .. } if group.contains('\0') => {
            return Err(Error::not_found("resource group", group));
        }
        KeptPlace::Subscription { id, resource_group: Some(group) } => {
            format!("subscription/{}/resource group/{}", part(&id), part(&group.to_lowercase()))
        }
    })
}

fn kept_place(place: &SpendPlace) -> Result<KeptPlace> {
    Ok(match &place.scope {
        Scope::Account(id) => KeptPlace::Account(id.to_string()),
        Scope::Place(place) => KeptPlace::Place {
            account: place.billing_account.to_string(),
            level: place.key.level.name().to_owned(),
            id: place.key.id.to_string(),
        },
        Scope::Subscription(id) => KeptPlace::Subscription {
            id: id.to_string(),
            resource_group: place.resource_group.clone(),
        },
        Scope::Installation | Scope::Product(_) => {
            return Err(Error::invalid("scope", "no budgets are kept there"));
        }
    })
}

fn place_of(kept: KeptPlace) -> Result<SpendPlace> {
    let (scope, resource_group) = match kept {
        KeptPlace::Account(id) => (Scope::Account(BillingAccountId::new(&id)?), None),
        KeptPlace::Place { account, level, id } => {
            let level = Level::parse(&level).ok_or_else(|| unknown(&level))?;
            let key = PlaceKey { level, id: PlaceId::new(&id)? };
            let place = Place { billing_account: BillingAccountId::new(&account)?, key };
            (Scope::Place(place), None)
        }
        KeptPlace::Subscription { id, resource_group } => {
            (Scope::Subscription(SubscriptionId::new(&id)?), resource_group)
        }
    };
    Ok(SpendPlace { scope, resource_group })
}

fn kept_test(test: &SpendTest) -> KeptTest {
    let SpendTest { on, values } = test;
    let on = match on {
        SpendColumn::Tag(key) => format!("{TAG}{key}"),
        other => {
            let known = COLUMNS.iter().find(|(_, column)| column == other);
            known.map_or_else(String::new, |(name, _)| (*name).to_owned())
        }
    };
    KeptTest { on, values: values.clone() }
}

fn test(kept: KeptTest) -> Result<SpendTest> {
    let KeptTest { on, values } = kept;
    let on = match on.strip_prefix(TAG) {
        Some(key) => SpendColumn::Tag(key.to_owned()),
        None => {
            let known = COLUMNS.iter().find(|(name, _)| *name == on);
            known.map(|(_, column)| column.clone()).ok_or_else(|| unknown(&on))?
        }
    };
    Ok(SpendTest { on, values })
}

fn kept_notification(one: &Notification) -> KeptNotification {
    let Notification { enabled, operator, threshold, measured, emails, roles, groups, locale } =
        one;
    KeptNotification {
        enabled: *enabled,
        operator: operator.name().to_owned(),
        threshold: threshold.to_string(),
        measured: measured.name().to_owned(),
        emails: emails.clone(),
        roles: roles.iter().map(|role| role.name().to_owned()).collect(),
        groups: groups.clone(),
        locale: locale.clone(),
    }
}

fn notification(kept: KeptNotification) -> Result<Notification> {
    let KeptNotification { enabled, operator, threshold, measured, emails, roles, groups, locale } =
        kept;
    let role = |name: &String| ContactRole::parse(name).ok_or_else(|| unknown(name));
    Ok(Notification {
        enabled,
        operator: Operator::parse(&operator).ok_or_else(|| unknown(&operator))?,
        threshold: number(&threshold)?,
        measured: Measured::parse(&measured).ok_or_else(|| unknown(&measured))?,
        emails,
        roles: roles.iter().map(role).collect::<Result<_>>()?,
        groups,
        locale,
    })
}

fn number(text: &str) -> Result<Fixed18> {
    Fixed18::parse(text).map_err(|e| Error::internal("read a budget", e))
}

fn unknown(word: &str) -> Error {
    Error::internal("read a budget", format!("`{word}` is not known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_asked_for() {
        let test = |on: SpendColumn| SpendTest { on, values: vec!["a".to_owned()] };
        let columns = COLUMNS.iter().map(|(_, column)| test(column.clone()));
        let tag = test(SpendColumn::Tag("team".to_owned()));
        let notification = |measured: Measured, operator: Operator| Notification {
            enabled: true,
            operator,
            threshold: Fixed18::parse("80.5").unwrap(),
            measured,
            emails: vec!["a@b.example".to_owned()],
            roles: ContactRole::ALL.to_vec(),
            groups: vec!["/g".to_owned()],
            locale: Some("en-us".to_owned()),
        };
        for grain in TimeGrain::ALL {
            let budget = Budget {
                amount: Fixed18::parse("100.65").unwrap(),
                grain,
                start: BillingPeriod::parse("2026-05").unwrap(),
                end: Instant::parse("2027-05-01").unwrap(),
                filter: SpendFilter {
                    alone: vec![tag.clone()],
                    all: columns.clone().collect(),
                    not: Some(test(SpendColumn::Meter)),
                },
                notifications: BTreeMap::from([
                    ("a".to_owned(), notification(Measured::Actual, Operator::Equal)),
                    ("b".to_owned(), notification(Measured::Forecast, Operator::Greater)),
                    ("c".to_owned(), notification(Measured::Actual, Operator::GreaterOrEqual)),
                ]),
            };
            let asked = BudgetAsked { name: "May".to_owned(), budget, tag: None };
            let scope = Scope::Subscription(SubscriptionId::new("shop").unwrap());
            let place = SpendPlace { scope, resource_group: Some("Rg".to_owned()) };
            let told = read(&write(&place, &asked).unwrap()).unwrap();
            assert_eq!(told, (asked.name, place, asked.budget));
        }
    }

    #[test]
    fn each_place_has_a_key_of_its_own() {
        let place = |level: Level, account: &str, id: &str| {
            let billing_account = BillingAccountId::new(account).unwrap();
            let key = PlaceKey { level, id: PlaceId::new(id).unwrap() };
            let scope = Scope::Place(Place { billing_account, key });
            place_key(&SpendPlace { scope, resource_group: None }).unwrap()
        };
        let check = |one: String, other: String| assert_ne!(one, other);
        check(
            place(Level::Department, "a", "b/c"),
            place(Level::Department, "a/department/b", "c"),
        );
        check(place(Level::Department, "a", "b"), place(Level::EnrollmentAccount, "a", "b"));
        check(place(Level::Department, "a", "b/c"), place(Level::Department, "a", "b%2Fc"));
    }
}
