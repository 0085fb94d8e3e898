//! Budgets: what may be spent at a scope, and who is told when it nearly is.

use crate::Consumption;
use crate::at::Version;
use crate::budgets_given::{
    BudgetGiven, DIMENSIONS, GRAINS, MEASURED, OPERATORS, refused, spelled, wrong,
};
use crate::resource::{Decimal, Resource};
use crate::scopes::{Question, SCOPE};
use armkit::{ArmError, List};
use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::budgets::{Budget, ContactRole, Notification};
use domain::spend_filters::{SpendColumn, SpendFilter, SpendTest};
use httpkit::{ExactNumber, Group, JsonBody, Object, RequestId};
use money::Cost;
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::{BudgetAsked, BudgetPut, BudgetTold, SpendPlace};
use std::collections::BTreeMap;

const BUDGETS: &str = "/providers/Microsoft.Consumption/budgets";

pub(crate) fn group(_: Version) -> Group<Consumption> {
    let one = "/providers/Microsoft.Consumption/budgets/{budgetName}";
    Group::new()
        .get("Budgets_List", SCOPE, BUDGETS, list)
        .get("Budgets_Get", SCOPE, one, get)
        .put("Budgets_CreateOrUpdate", SCOPE, one, put)
        .delete("Budgets_Delete", SCOPE, one, delete)
}

/// All of a scope: `limits.budgets` says how many there may be, so there is one page.
async fn list(
    State(consumption): State<Consumption>,
    question: Question,
) -> Result<Json<List<Resource<Properties>>>, ArmError> {
    let place = place(&question)?;
    let told = consumption.reckoner.budgets(&question.caller, &place).await?;
    let value = told.into_iter().map(|told| view(&question.spot.id, told)).collect();
    Ok(Json(List { value, next_link: None }))
}

async fn get(
    State(consumption): State<Consumption>,
    question: Question,
) -> Result<Json<Resource<Properties>>, ArmError> {
    let (place, name) = (place(&question)?, question.at.name("budgetName"));
    let told = consumption.reckoner.budget(&question.caller, &place, name).await?;
    Ok(Json(view(&question.spot.id, told)))
}

/// Makes or changes a budget: 201 for a new one.
async fn put(
    State(consumption): State<Consumption>,
    question: Question,
    request_id: RequestId,
    Body(given): Body<BudgetGiven>,
) -> Result<Response, ArmError> {
    let place = place(&question)?;
    let BudgetGiven { e_tag, properties: Object(properties), .. } = given;
    let asked = BudgetAsked {
        name: question.at.name("budgetName").to_owned(),
        budget: properties.budget(question.at.version)?,
        tag: e_tag.filter(|tag| !tag.is_empty()),
    };
    let request_id = request_id.to_string();
    let put = consumption.reckoner.put_budget(&question.caller, &place, &asked, &request_id);
    let (status, told) = match put.await.map_err(refused)? {
        BudgetPut::Made(told) => (StatusCode::CREATED, told),
        BudgetPut::Changed(told) => (StatusCode::OK, told),
    };
    Ok((status, Json(view(&question.spot.id, told))).into_response())
}

async fn delete(
    State(consumption): State<Consumption>,
    question: Question,
    request_id: RequestId,
) -> Result<StatusCode, ArmError> {
    let (place, name) = (place(&question)?, question.at.name("budgetName"));
    let (caller, request_id) = (&question.caller, request_id.to_string());
    consumption.reckoner.delete_budget(caller, &place, name, &request_id).await?;
    Ok(StatusCode::OK)
}

/// Where the budgets of a scope are kept.
///
/// Errors: 400 for a scope of one billing period: budgets have time grains of their own.
fn place(question: &Question) -> Result<SpendPlace, ArmError> {
    let spot = &question.spot;
    if spot.period.is_some() {
        return Err(wrong("billingPeriodName", "budgets are not kept for one billing period"));
    }
    Ok(SpendPlace { scope: spot.scope.clone(), resource_group: spot.resource_group.clone() })
}

/// A body that is read strictly.
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Consumption> for Body<T> {
    type Rejection = ArmError;

    async fn from_request(request: Request, state: &Consumption) -> Result<Body<T>, ArmError> {
        let JsonBody(value) = JsonBody::<T>::from_request(request, state).await?;
        Ok(Body(value))
    }
}

/// `BudgetProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    category: &'static str,
    amount: Decimal,
    time_grain: &'static str,
    time_period: Period,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Filter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_spend: Option<Spend>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    notifications: BTreeMap<String, Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast_spend: Option<Spend>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Period {
    start_date: String,
    end_date: String,
}

/// `BudgetFilter` and `BudgetFilterProperties`.
#[derive(Debug, Serialize, Default)]
struct Filter {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    and: Vec<Filter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not: Option<Box<Filter>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Comparison>,
}

#[derive(Debug, Serialize)]
struct Comparison {
    name: String,
    operator: &'static str,
    values: Vec<String>,
}

/// `CurrentSpend` and `ForecastSpend`.
#[derive(Debug, Serialize)]
struct Spend {
    amount: Decimal,
    unit: String,
}

/// `Notification`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    enabled: bool,
    operator: &'static str,
    threshold: Decimal,
    contact_emails: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contact_roles: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contact_groups: Vec<String>,
    threshold_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
}

/// `Budget`; `scope` is the id of where it is kept.
fn view(scope: &str, told: BudgetTold) -> Resource<Properties> {
    let BudgetTold { name, tag, budget, current, forecast } = told;
    let properties = Properties::of(budget, current, forecast);
    Resource { e_tag: Some(tag), ..Resource::new(scope, "budgets", &name, properties) }
}

impl Properties {
    fn of(budget: Budget, current: Option<Cost>, forecast: Option<Cost>) -> Properties {
        // Source: the description: the forecast is told where something is held against it.
        let forecast = forecast.filter(|_| budget.has_forecast());
        let Budget { amount, grain, start, end, filter, notifications } = budget;
        Properties {
            category: "Cost",
            amount: ExactNumber(amount),
            time_grain: spelled(&GRAINS, &grain),
            time_period: Period {
                start_date: start.start().to_string(),
                end_date: end.to_string(),
            },
            filter: Filter::of(filter),
            current_spend: current.map(Spend::of),
            notifications: notifications
                .into_iter()
                .map(|(name, one)| (name, Told::of(one)))
                .collect(),
            forecast_spend: forecast.map(Spend::of),
        }
    }
}

impl Filter {
    fn of(filter: SpendFilter) -> Option<Filter> {
        let SpendFilter { alone, all, not } = filter;
        if alone.is_empty() && all.is_empty() && not.is_none() {
            return None;
        }
        let mut told = Filter {
            and: all.into_iter().map(|test| Filter::default().with(test)).collect(),
            not: not.map(|test| Box::new(Filter::default().with(test))),
            ..Filter::default()
        };
        for test in alone {
            told = told.with(test);
        }
        Some(told)
    }

    fn with(self, test: SpendTest) -> Filter {
        let SpendTest { on, values } = test;
        let told = |name: String| Comparison { name, operator: "In", values };
        match on {
            SpendColumn::Tag(key) => Filter { tags: Some(told(key)), ..self },
            column => {
                let name = spelled(&DIMENSIONS, &column).to_owned();
                Filter { dimensions: Some(told(name)), ..self }
            }
        }
    }
}

impl Spend {
    fn of(Cost { major, currency }: Cost) -> Spend {
        Spend { amount: ExactNumber(major), unit: currency.code().to_owned() }
    }
}

impl Told {
    fn of(one: Notification) -> Told {
        let Notification { enabled, operator, threshold, measured, emails, roles, groups, locale } =
            one;
        Told {
            enabled,
            operator: spelled(&OPERATORS, &operator),
            threshold: ExactNumber(threshold),
            contact_emails: emails,
            contact_roles: roles.into_iter().map(ContactRole::name).collect(),
            contact_groups: groups,
            threshold_type: spelled(&MEASURED, &measured),
            locale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::{Definitions, answers, examples_of};
    use crate::described::{CONSUMPTION, usd};
    use money::Fixed18;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    fn whole() -> Value {
        json!({
            "category": "Cost",
            "amount": 100.65,
            "timeGrain": "Monthly",
            "timePeriod": {"startDate": "2026-05-01T00:00:00Z", "endDate": "2027-05-31T00:00:00Z"},
            "filter": {
                "and": [
                    {"dimensions": {"name": "ResourceId", "operator": "In", "values": ["/a"]}},
                    {"tags": {"name": "team", "operator": "In", "values": ["x", "y"]}},
                ],
                "not": {"dimensions": {"name": "MeterId", "operator": "In", "values": ["m"]}},
            },
            "notifications": {"high": {
                "enabled": true,
                "operator": "GreaterThan",
                "threshold": 80,
                "contactEmails": ["a@b.example"],
                "thresholdType": "Forecasted",
                "locale": "en-us",
            }},
        })
    }

    fn read(properties: Value, version: Version) -> Result<Budget, String> {
        let body = json!({"eTag": "\"x\"", "properties": properties});
        let given = serde_json::from_value::<Object<BudgetGiven>>(body);
        let Object(given) = given.map_err(|error| error.to_string())?;
        given.properties.0.budget(version).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn what_is_sent_is_told_again() {
        let budget = read(whole(), Version::V2021).unwrap();
        let told = serde_json::to_value(Properties::of(budget, None, None)).unwrap();
        assert_eq!(told, whole());
    }

    #[test]
    fn filters_of_older_clients_are_read_as_the_filter() {
        let check = |filters: Value, expected: Value| {
            let mut sent = whole();
            sent.as_object_mut().unwrap().remove("filter");
            sent["filters"] = filters;
            let budget = read(sent.clone(), Version::V2021).unwrap();
            let told = serde_json::to_value(Properties::of(budget, None, None)).unwrap();
            assert_eq!(told["filter"], expected);
            assert!(read(sent, Version::V2019).unwrap_err().contains("properties.filters"));
        };
        let of = |name: &str, value: &str| json!({"dimensions": {"name": name, "operator": "In", "values": [value]}});
        check(json!({}), Value::Null);
        check(json!({"meters": ["m"], "resources": null}), of("MeterId", "m"));
        check(
            json!({"meters": ["m"], "resourceGroups": ["fleet"]}),
            json!({"and": [of("ResourceGroupName", "fleet"), of("MeterId", "m")]}),
        );
    }

    /// What an answer tells of a budget, as the use case would.
    fn told(body: &Value, version: Version) -> BudgetTold {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let spend = |value: &Value| {
            let major = Fixed18::parse(&value.get("amount")?.to_string()).unwrap();
            Some(Cost { major, currency: usd() })
        };
        let properties = &body["properties"];
        BudgetTold {
            name: text(&body["name"]),
            tag: text(&body["eTag"]),
            budget: read(properties.clone(), version).unwrap(),
            current: spend(&properties["currentSpend"]),
            forecast: spend(&properties["forecastSpend"]),
        }
    }

    #[test]
    fn published_budgets_come_out_as_they_went_in() {
        // Examples of lists have a notification that is none.
        let ids = BTreeSet::from(["Budgets_CreateOrUpdate", "Budgets_Get"]);
        for version in Version::ALL {
            let Some(mut known) = Definitions::of(&CONSUMPTION, version.name()) else { return };
            for example in &examples_of(&CONSUMPTION, version.name(), &ids).unwrap() {
                for (name, body) in answers(example) {
                    let (scope, _) = body["id"].as_str().unwrap().split_once(BUDGETS).unwrap();
                    let written = view(scope, told(body, version));
                    let written = serde_json::to_value(written).unwrap();
                    let schema = json!({ "$ref": format!("#/definitions/{name}") });
                    let lost = known.lost(&schema, body, &written);
                    assert_eq!(lost, BTreeSet::new(), "{version:?} {}", example.name);
                    known.check(name, written);
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_member() {
        let check = |pointer: &str, value: Value, expected: &str| {
            let mut sent = whole();
            *sent.pointer_mut(pointer).unwrap() = value;
            let told = read(sent, Version::V2021).unwrap_err();
            assert!(told.contains(expected), "{pointer}: {told}");
        };
        check("/category", json!("Usage"), "properties.category");
        check("/timeGrain", json!("Weekly"), "properties.timeGrain");
        check("/timePeriod/startDate", json!("2026-05-02"), "properties.timePeriod.startDate");
        check("/timePeriod/endDate", json!("soon"), "properties.timePeriod.endDate");
        let dimension = "/filter/and/0/dimensions";
        check(&format!("{dimension}/name"), json!("Publisher"), "and[0].dimensions.name");
        check(&format!("{dimension}/operator"), json!("NotIn"), "and[0].dimensions.operator");
        check("/filter/not", json!({}), "properties.filter.not");
        let high = "/notifications/high";
        check(&format!("{high}/operator"), json!("LessThan"), "notifications.high.operator");
        check(&format!("{high}/thresholdType"), json!("x"), "notifications.high.thresholdType");
        check(&format!("{high}/locale"), json!("xx"), "notifications.high.locale");
        check(high, json!({"enabled": true}), "missing field");
    }

    #[test]
    fn the_older_version_has_no_forecasts() {
        let told = read(whole(), Version::V2019).unwrap_err();
        assert!(told.contains("notifications.high.thresholdType"), "{told}");
    }
}
