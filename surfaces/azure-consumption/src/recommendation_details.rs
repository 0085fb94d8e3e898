//! ReservationRecommendationDetails: what one reservation would have saved, and by what that is
//! reckoned.

use crate::at::Version;
use crate::recommendations::{look_back_of, scope_of, sharing_of};
use crate::reservation_usage::sku;
use crate::reservations::term;
use crate::resource::Decimal;
use crate::scopes::{Question, SCOPE};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, Query};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::{Error, Result};
use httpkit::{ExactNumber, Group};
use serde::Serialize;
use service::{RecommendationsAsked, ReservationRecommendation};

const DETAILS: &str = "reservationRecommendationDetails";
/// What savings are reckoned by.
const SAVINGS_TYPE: &str = "instance";
/// For one subscription.
const SINGLE: &str = "Single";

pub(crate) fn group() -> Group<Consumption> {
    let tail = format!("{PROVIDER}/{DETAILS}");
    Group::new().get("ReservationRecommendationDetails_Get", SCOPE, &tail, get)
}

async fn get(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> std::result::Result<Response, ArmError> {
    let Question { caller, at, spot } = question;
    let asked = DetailsAsked::of(&query, at.version)?;
    let told = consumption.recommended(&caller, &spot, &asked.asked).await?;
    Ok(match told.iter().find(|one| asked.means(one)) {
        Some(found) => Json(view(&spot.id, found)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Which recommendation.
struct DetailsAsked {
    asked: RecommendationsAsked,
    region: String,
    term: String,
    product: String,
}

impl DetailsAsked {
    /// `2021-10-01` does not declare the scope of what is recommended: one subscription is meant
    /// there, as in lists, where it is not said.
    fn of(query: &Query, version: Version) -> Result<DetailsAsked> {
        let said = match version {
            Version::V2019 => query.required("scope")?,
            Version::V2021 => query.get("scope")?.filter(|said| !said.is_empty()).unwrap_or(SINGLE),
        };
        let sharing = sharing_of("scope", said)?;
        let look_back = look_back_of("lookBackPeriod", query.required("lookBackPeriod")?)?;
        let term = query.required("term")?.to_ascii_uppercase();
        if !["P1Y", "P3Y"].contains(&term.as_str()) {
            return Err(Error::invalid("term", format!("`{term}` is none of P1Y, P3Y")));
        }
        Ok(DetailsAsked {
            asked: RecommendationsAsked { look_back, sharing },
            region: query.required("region")?.to_owned(),
            term,
            product: query.required("product")?.to_owned(),
        })
    }

    fn means(&self, told: &ReservationRecommendation) -> bool {
        let region = told.region.as_ref();
        told.meter.as_str().eq_ignore_ascii_case(&self.product)
            && region.is_some_and(|region| region.eq_ignore_ascii_case(&self.region))
            && term(told.term).is_some_and(|term| term == self.term)
    }
}

/// `ReservationRecommendationDetailsModel`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct RecommendationDetails {
    id: String,
    name: String,
    #[serde(rename = "type")]
    resource_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    properties: DetailsProperties,
}

/// `ReservationRecommendationDetailsProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct DetailsProperties {
    currency: String,
    resource: ResourceProperties,
    savings: SavingsProperties,
    scope: String,
    usage: UsageProperties,
    // A member of the examples that the books do not know: no answer has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_group: Option<String>,
}

/// `ReservationRecommendationDetailsResourceProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct ResourceProperties {
    applied_scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    // Members of the examples that the books do not know: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_demand_rate: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_rate: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_type: Option<String>,
}

/// `ReservationRecommendationDetailsSavingsProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct SavingsProperties {
    calculated_savings: Vec<CalculatedSavings>,
    look_back_period: i64,
    recommended_quantity: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_order_term: Option<String>,
    savings_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_of_measure: Option<String>,
}

/// `ReservationRecommendationDetailsCalculatedSavingsProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct CalculatedSavings {
    on_demand_cost: Decimal,
    quantity: Decimal,
    total_reservation_cost: Decimal,
    savings: Decimal,
    // Members of the examples that the books do not tell apart: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    overage_cost: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_cost: Option<Decimal>,
}

/// `ReservationRecommendationDetailsUsageProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
struct UsageProperties {
    first_consumption_date: String,
    // Members of the examples that recommendations are not told with: no answer has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_consumption_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    look_back_unit_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_data: Option<Vec<Decimal>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_grain: Option<String>,
}

pub(crate) fn view(scope: &str, told: &ReservationRecommendation) -> RecommendationDetails {
    let savings = CalculatedSavings {
        on_demand_cost: ExactNumber(told.cost_without.major),
        quantity: ExactNumber(told.quantity),
        total_reservation_cost: ExactNumber(told.cost_with.major),
        savings: ExactNumber(told.net_savings.major),
        overage_cost: None,
        reservation_cost: None,
    };
    let properties = DetailsProperties {
        currency: told.cost_without.currency.to_string(),
        resource: ResourceProperties {
            applied_scopes: told.subscription.iter().map(ToString::to_string).collect(),
            product: sku(Some(&told.meter)),
            region: told.region.clone(),
            on_demand_rate: None,
            reservation_rate: None,
            resource_type: None,
        },
        savings: SavingsProperties {
            calculated_savings: vec![savings],
            look_back_period: told.look_back.days(),
            recommended_quantity: ExactNumber(told.quantity),
            reservation_order_term: term(told.term),
            savings_type: SAVINGS_TYPE.to_owned(),
            unit_of_measure: told.counted.as_ref().map(|meter| meter.unit.clone()),
        },
        scope: scope_of(told).to_owned(),
        usage: UsageProperties {
            first_consumption_date: told.first_used.start().to_string(),
            last_consumption_date: None,
            look_back_unit_type: None,
            usage_data: None,
            usage_grain: None,
        },
        resource_group: None,
    };
    RecommendationDetails {
        id: format!("{scope}{PROVIDER}/{DETAILS}"),
        name: DETAILS.to_owned(),
        resource_type: format!("Microsoft.Consumption/{DETAILS}"),
        location: told.region.clone(),
        sku: sku(Some(&told.meter)),
        properties,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_must_be_named() {
        let check = |query: &str, expected: &str| {
            let told = DetailsAsked::of(&Query::parse(query), Version::V2019);
            let told = told.map(|asked| asked.product);
            let told = told.unwrap_or_else(|error| error.to_string());
            assert_eq!(told, expected, "{query}");
        };
        let all = "scope=Single&region=westus&term=P3Y&lookBackPeriod=Last30Days&product=vm";
        check(all, "vm");
        check(&all.replace("&region=westus", ""), "region: must be given");
        check(&all.replace("P3Y", "P2Y"), "term: `P2Y` is none of P1Y, P3Y");
        check(&all.replace("Single", "One"), "scope: `One` is none of Single, Shared");
        let unsaid = all.replace("scope=Single&", "");
        check(&unsaid, "scope: must be given");
        assert!(DetailsAsked::of(&Query::parse(&unsaid), Version::V2021).is_ok());
    }
}
