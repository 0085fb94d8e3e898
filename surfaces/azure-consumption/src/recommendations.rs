//! ReservationRecommendations: what reserving would have saved in the last days, as far as the
//! books know what a reservation costs.

use crate::amounts::Amount;
use crate::at::Version;
use crate::reservation_usage::sku;
use crate::reservations::term;
use crate::resource::{Decimal, uuid};
use crate::scopes::{Form, Question, SCOPE, Spot};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, Comparing, Comparison, List, Query, conditions};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::access::Caller;
use domain::{Error, Result};
use httpkit::{ExactNumber, Group};
use serde::Serialize;
use service::{LookBack, RecommendationsAsked, ReservationRecommendation, Sharing};

const RECOMMENDATIONS: &str = "reservationRecommendations";
const FILTER: &str = "$filter";
/// The resource type that is meant where none is named. The books know no types of resources, so
/// all that they recommend is of it.
///
/// Source: the descriptions, `$filter` of recommendations.
const DEFAULT_TYPE: &str = "VirtualMachines";

pub(crate) fn group(_: Version) -> Group<Consumption> {
    let tail = format!("{PROVIDER}/{RECOMMENDATIONS}");
    Group::new().get("ReservationRecommendations_List", SCOPE, &tail, list)
}

async fn list(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> std::result::Result<Response, ArmError> {
    let Question { caller, at, spot } = question;
    let asked = filtered(&query, consumption.reckoner.limits().filter_bytes)?;
    let told = match &asked {
        Some(asked) => consumption.recommended(&caller, &spot, asked).await?,
        None => Vec::new(),
    };
    if told.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(if spot.form == Form::Profile {
        let value: Vec<_> = told.iter().map(|one| modern(&spot.id, one, at.version)).collect();
        Json(List { value, next_link: None }).into_response()
    } else {
        let value: Vec<_> = told.iter().map(|one| legacy(&spot.id, one, at.version)).collect();
        Json(List { value, next_link: None }).into_response()
    })
}

impl Consumption {
    /// What reserving would have saved at a scope.
    ///
    /// Errors: 400 `BadRequest` for a resource group: usage is looked at by subscription.
    pub(crate) async fn recommended(
        &self,
        caller: &Caller,
        spot: &Spot,
        asked: &RecommendationsAsked,
    ) -> std::result::Result<Vec<ReservationRecommendation>, ArmError> {
        if spot.form == Form::ResourceGroup {
            let message = "recommendations are made for whole subscriptions; ask for the one that \
                           the resource group lies in";
            return Err(ArmError::new(StatusCode::BAD_REQUEST, "BadRequest", message));
        }
        Ok(self.reckoner.reservation_recommendations(caller, &spot.scope, asked).await?)
    }
}

/// What a filter asks for; none where nothing can be meant: another type of resources.
fn filtered(query: &Query, most_bytes: u64) -> Result<Option<RecommendationsAsked>> {
    let (mut sharing, mut look_back) = (Sharing::Single, LookBack::Last7Days);
    let mut is_known = true;
    for Comparison { name, comparing, value } in
        conditions(query, most_bytes, &["scope", "resourceType", "lookBackPeriod"])?
    {
        if comparing != Comparing::Equal {
            return Err(Error::invalid(FILTER, format!("`{name}` is compared with `eq` only")));
        }
        let name = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            "scope" => sharing = sharing_of(FILTER, &value)?,
            "lookbackperiod" => look_back = look_back_of(FILTER, &value)?,
            _ => is_known = value.eq_ignore_ascii_case(DEFAULT_TYPE),
        }
    }
    Ok(is_known.then_some(RecommendationsAsked { look_back, sharing }))
}

/// Errors: [`Error::Invalid`] naming what would be right.
pub(crate) fn sharing_of(field: &str, name: &str) -> Result<Sharing> {
    match name.to_ascii_lowercase().as_str() {
        "single" => Ok(Sharing::Single),
        "shared" => Ok(Sharing::Shared),
        _ => Err(Error::invalid(field, format!("`{name}` is none of Single, Shared"))),
    }
}

/// Errors: [`Error::Invalid`] naming what would be right.
pub(crate) fn look_back_of(field: &str, name: &str) -> Result<LookBack> {
    let all = [LookBack::Last7Days, LookBack::Last30Days, LookBack::Last60Days];
    let found = all.into_iter().find(|one| look_back(*one).eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let problem = format!("`{name}` is none of Last7Days, Last30Days, Last60Days");
        Error::invalid(field, problem)
    })
}

const fn look_back(of: LookBack) -> &'static str {
    match of {
        LookBack::Last7Days => "Last7Days",
        LookBack::Last30Days => "Last30Days",
        LookBack::Last60Days => "Last60Days",
    }
}

/// Whose usage it would cover, as the vendor spells it.
pub(crate) const fn scope_of(told: &ReservationRecommendation) -> &'static str {
    if told.subscription.is_some() { "Single" } else { "Shared" }
}

/// `ReservationRecommendation`: `LegacyReservationRecommendation`,
/// `ModernReservationRecommendation`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Recommendation<P> {
    id: String,
    name: String,
    #[serde(rename = "type")]
    resource_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    kind: &'static str,
    properties: P,
}

impl<P> Recommendation<P> {
    fn new(
        scope: &str,
        told: &ReservationRecommendation,
        kind: &'static str,
        properties: P,
    ) -> Recommendation<P> {
        let of = [
            Some(told.meter.to_string()),
            term(told.term),
            told.region.clone(),
            told.subscription.as_ref().map(ToString::to_string),
        ];
        let name = of.into_iter().flatten().collect::<Vec<_>>().join("_");
        Recommendation {
            id: format!("{scope}{PROVIDER}/{RECOMMENDATIONS}/{name}"),
            name,
            resource_type: format!("Microsoft.Consumption/{RECOMMENDATIONS}"),
            location: told.region.clone(),
            sku: sku(Some(&told.meter)),
            kind,
            properties,
        }
    }
}

/// `LegacySingleScopeReservationRecommendationProperties`,
/// `LegacySharedScopeReservationRecommendationProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct LegacyRecommendationProperties {
    look_back_period: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<String>,
    cost_with_no_reserved_instances: Decimal,
    recommended_quantity: Decimal,
    total_cost_with_reserved_instances: Decimal,
    net_savings: Decimal,
    first_usage_date: String,
    scope: String,
    /// Of the second version.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<String>,
    #[serde(flatten)]
    flexibility: Flexibility,
}

/// `ModernReservationRecommendationProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct ModernRecommendationProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    look_back_period: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<String>,
    cost_with_no_reserved_instances: Amount,
    recommended_quantity: Decimal,
    total_cost_with_reserved_instances: Amount,
    net_savings: Amount,
    first_usage_date: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_name: Option<String>,
    /// Of the first version.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<String>,
    #[serde(flatten)]
    flexibility: Flexibility,
}

/// How sizes stand in for one another: the books know no sizes, so no answer has any of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(serde::Deserialize), serde(default))]
pub(crate) struct Flexibility {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_flexibility_ratio: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_flexibility_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalized_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recommended_quantity_normalized: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_properties: Option<Vec<SkuProperty>>,
}

/// `SkuProperty`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
struct SkuProperty {
    name: String,
    value: String,
}

/// As subscriptions and billing accounts tell it.
pub(crate) fn legacy(
    scope: &str,
    told: &ReservationRecommendation,
    version: Version,
) -> Recommendation<LegacyRecommendationProperties> {
    let subscription = told.subscription.as_ref().filter(|_| version == Version::V2021);
    let properties = LegacyRecommendationProperties {
        look_back_period: look_back(told.look_back).to_owned(),
        meter_id: uuid(told.meter.as_str()),
        term: term(told.term),
        cost_with_no_reserved_instances: ExactNumber(told.cost_without.major),
        recommended_quantity: ExactNumber(told.quantity),
        total_cost_with_reserved_instances: ExactNumber(told.cost_with.major),
        net_savings: ExactNumber(told.net_savings.major),
        first_usage_date: told.first_used.start().to_string(),
        scope: scope_of(told).to_owned(),
        subscription_id: subscription.and_then(|id| uuid(id.as_str())),
        resource_type: None,
        flexibility: Flexibility::default(),
    };
    Recommendation::new(scope, told, "legacy", properties)
}

/// As billing profiles tell it.
pub(crate) fn modern(
    scope: &str,
    told: &ReservationRecommendation,
    version: Version,
) -> Recommendation<ModernRecommendationProperties> {
    let subscription = told.subscription.as_ref().map(ToString::to_string);
    let properties = ModernRecommendationProperties {
        location: told.region.clone(),
        look_back_period: told.look_back.days(),
        meter_id: uuid(told.meter.as_str()),
        term: term(told.term),
        cost_with_no_reserved_instances: Amount::from(told.cost_without),
        recommended_quantity: ExactNumber(told.quantity),
        total_cost_with_reserved_instances: Amount::from(told.cost_with),
        net_savings: Amount::from(told.net_savings),
        first_usage_date: told.first_used.start().to_string(),
        scope: scope_of(told).to_owned(),
        sku_name: sku(Some(&told.meter)),
        subscription_id: subscription.filter(|_| version == Version::V2019),
        resource_type: None,
        flexibility: Flexibility::default(),
    };
    Recommendation::new(scope, told, "modern", properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recommendations_are_filtered_by_scope_and_days() {
        let check = |filter: &str, expected: &str| {
            let query = Query::parse(&format!("$filter={filter}"));
            let told = match filtered(&query, 400) {
                Ok(Some(asked)) => format!("{:?} {:?}", asked.sharing, asked.look_back),
                Ok(None) => "nothing".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected, "{filter}");
        };
        check("", "Single Last7Days");
        check(
            "properties/scope eq 'Shared' AND properties/lookBackPeriod eq 'Last60Days'",
            "Shared Last60Days",
        );
        check("properties/resourceType eq 'VirtualMachines'", "Single Last7Days");
        check("properties/resourceType eq 'RedisCache'", "nothing");
        check("properties/scope eq 'Both'", "$filter: `Both` is none of Single, Shared");
        check(
            "properties/lookBackPeriod eq 'Last1Day'",
            "$filter: `Last1Day` is none of Last7Days, Last30Days, Last60Days",
        );
    }
}
