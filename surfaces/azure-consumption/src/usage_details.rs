//! UsageDetails: what was used at a scope, day by day and resource by resource.

use crate::at::Version;
use crate::details_asked::{Metric, usage};
use crate::legacy_details::{LegacyUsageDetailProperties, Shown};
use crate::listing::items_most;
use crate::modern_details::ModernUsageDetailProperties;
use crate::price_sheets::billing_period_id;
use crate::resource::Resource;
use crate::scopes::{Question, SCOPE, Spot};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, List, ListAsked, expand};
use axum::Json;
use axum::extract::State;
use domain::agreements::AgreementType;
use httpkit::Group;
use serde::Serialize;
use service::DetailTold;
use std::collections::BTreeMap;

const METER_DETAILS: &str = "meterDetails";
const ADDITIONAL_INFO: &str = "additionalInfo";
/// What `az` calls the second.
const ADDITIONAL_PROPERTIES: &str = "additionalProperties";

pub(crate) fn group(_: Version) -> Group<Consumption> {
    let place = format!("{SCOPE}{PROVIDER}");
    Group::new().get("UsageDetails_List", &place, "/usageDetails", list)
}

async fn list(
    State(consumption): State<Consumption>,
    question: Question,
    asked: ListAsked,
) -> Result<Json<List<UsageDetail>>, ArmError> {
    let (reckoner, query) = (&consumption.reckoner, asked.query());
    let Question { caller, at, spot } = &question;
    let limits = (reckoner.now(), reckoner.limits().filter_bytes);
    let (details, most) = (usage(spot, query, limits)?, items_most(reckoner, query)?);
    let expanded = expand(query, &[METER_DETAILS, ADDITIONAL_INFO, ADDITIONAL_PROPERTIES])?;
    let shown = Shown {
        version: at.version,
        metric: Metric::of(query)?,
        meter_details: expanded.contains(&METER_DETAILS),
        additional_info: expanded.iter().any(|one| *one != METER_DETAILS),
    };
    let page = reckoner.details_page(caller, &details, asked.token()?, most).await?;
    let next_link = page.next.as_deref().map(|token| asked.next_link(token));
    let value = page.details.iter().map(|told| view(spot, &shown, told)).collect();
    Ok(Json(List { value, next_link }))
}

/// `LegacyUsageDetail` or `ModernUsageDetail`: what its `kind` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(crate) struct Detailed<P> {
    id: String,
    name: String,
    #[serde(rename = "type")]
    resource_type: String,
    kind: String,
    #[cfg_attr(test, serde(default))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    properties: P,
}

/// `UsageDetail`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum UsageDetail {
    /// Of enterprises and of who buys online.
    Legacy(Box<Detailed<LegacyUsageDetailProperties>>),
    /// Of customers and partners.
    Modern(Box<Detailed<ModernUsageDetailProperties>>),
}

/// Which kind of detail an agreement has.
const fn is_modern(kind: Option<AgreementType>) -> bool {
    match kind {
        Some(AgreementType::Customer | AgreementType::Partner) => true,
        Some(
            AgreementType::Enterprise | AgreementType::OnlineServices | AgreementType::Messaging,
        )
        | None => false,
    }
}

/// A detail at a scope. The ids of legacy ones name the billing period.
pub(crate) fn view(spot: &Spot, shown: &Shown, told: &DetailTold) -> UsageDetail {
    if is_modern(spot.account.kind) {
        let properties = ModernUsageDetailProperties::of(spot, shown, told);
        return UsageDetail::Modern(detailed("modern", &spot.id, told, properties));
    }
    let scope = billing_period_id(&spot.id, told.period);
    let properties = LegacyUsageDetailProperties::of(spot, shown, told);
    UsageDetail::Legacy(detailed("legacy", &scope, told, properties))
}

fn detailed<P>(kind: &str, scope: &str, told: &DetailTold, properties: P) -> Box<Detailed<P>> {
    let resource = Resource::new(scope, "usageDetails", &told.name, properties);
    let Resource { id, name, kind: resource_type, e_tag: _, tags: _, properties } = resource;
    let (kind, tags) = (kind.to_owned(), told.tags.clone());
    Box::new(Detailed { id, name, resource_type, kind, tags, properties })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described::{detail, shown, spot};
    use domain::rated::RowKind;
    use serde_json::{Value, json};
    use service::DetailKind;

    fn told(kind: AgreementType, version: Version, metric: Metric, told: &DetailTold) -> Value {
        let shown = Shown { version, metric, ..shown() };
        serde_json::to_value(view(&spot(kind), &shown, told)).unwrap()
    }

    #[test]
    fn a_detail_is_of_the_kind_of_its_agreement() {
        let check = |kind: AgreementType, expected: &str, id: &str| {
            let told = told(kind, Version::V2021, Metric::Actual, &detail());
            assert_eq!(told["kind"], expected, "{kind:?}");
            assert_eq!(told["id"], id, "{kind:?}");
            assert_eq!(told["tags"], json!({ "env": "prod" }));
        };
        let account = "/providers/Microsoft.Billing/billingAccounts/north";
        let name = "providers/Microsoft.Consumption/usageDetails/d-1";
        let of_period = "providers/Microsoft.Billing/billingPeriods/202610";
        check(AgreementType::Customer, "modern", &format!("{account}/{name}"));
        check(AgreementType::Partner, "modern", &format!("{account}/{name}"));
        check(AgreementType::Enterprise, "legacy", &format!("{account}/{of_period}/{name}"));
        check(AgreementType::OnlineServices, "legacy", &format!("{account}/{of_period}/{name}"));
    }

    #[test]
    fn costs_are_those_of_the_metric() {
        let check = |metric: Metric, legacy: &str, modern: &str| {
            let enterprise = AgreementType::Enterprise;
            let told = |kind| told(kind, Version::V2021, metric, &detail());
            assert_eq!(told(enterprise)["properties"]["cost"].to_string(), legacy);
            let modern_cost = &told(AgreementType::Customer)["properties"]["costInBillingCurrency"];
            assert_eq!(modern_cost.to_string(), modern);
        };
        check(Metric::Actual, "4.2", "4.2");
        check(Metric::Usage, "4.2", "4.2");
        check(Metric::Amortised, "4.3", "4.3");
    }

    #[test]
    fn who_may_not_see_charges_sees_no_cost_and_no_price() {
        let hidden = DetailTold { cost: None, ..detail() };
        for kind in [AgreementType::Enterprise, AgreementType::Customer] {
            let told = told(kind, Version::V2021, Metric::Actual, &hidden);
            let members = told["properties"].as_object().unwrap().keys();
            let priced: Vec<&String> = members
                .filter(|name| {
                    let name = name.to_lowercase();
                    name.contains("price") || (name.contains("cost") && name != "costcenter")
                })
                .collect();
            assert!(priced.is_empty(), "{priced:?}");
        }
    }

    #[test]
    fn a_version_shows_its_own_members() {
        let of = |kind, version| {
            let told = told(kind, version, Metric::Actual, &detail());
            told["properties"].as_object().unwrap().clone()
        };
        for (kind, newer) in [
            (AgreementType::Enterprise, vec!["pricingModel"]),
            (
                AgreementType::Customer,
                vec!["benefitId", "benefitName", "effectivePrice", "pricingModel"],
            ),
        ] {
            let (old, new) = (of(kind, Version::V2019), of(kind, Version::V2021));
            let own: Vec<&String> = new.keys().filter(|name| !old.contains_key(*name)).collect();
            assert_eq!(own, newer, "{kind:?}");
        }
    }

    #[test]
    fn a_detail_says_what_it_is_charged_for() {
        let check = |kind: DetailKind, charge_type: &str, frequency: &str| {
            let of_kind = DetailTold { kind, ..detail() };
            let told = told(AgreementType::Enterprise, Version::V2021, Metric::Actual, &of_kind);
            assert_eq!(told["properties"]["chargeType"], charge_type, "{kind:?}");
            assert_eq!(told["properties"]["frequency"], frequency, "{kind:?}");
        };
        check(DetailKind::Rated(RowKind::Usage), "Usage", "UsageBased");
        check(DetailKind::Rated(RowKind::Unused), "UnusedReservation", "UsageBased");
        check(DetailKind::Note, "Refund", "OneTime");
        check(DetailKind::Rounding, "RoundingAdjustment", "OneTime");
        check(DetailKind::Correction, "Adjustment", "OneTime");
    }

    #[test]
    fn meters_and_further_details_are_told_where_they_are_asked_for() {
        let check = |meter_details: bool, additional_info: bool| {
            let shown = Shown { meter_details, additional_info, ..shown() };
            let view = view(&spot(AgreementType::Enterprise), &shown, &detail());
            let told = serde_json::to_value(view).unwrap();
            let has = |member: &str| told["properties"].get(member).is_some();
            assert_eq!(
                (has("meterDetails"), has("additionalInfo")),
                (meter_details, additional_info)
            );
        };
        check(false, false);
        check(true, false);
        check(false, true);
        check(true, true);
    }
}
