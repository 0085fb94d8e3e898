//! Lots: the credit that a billing profile or account was granted.
//!
//! What their closed balances add up to is what the ledger holds.

use crate::amounts::{Amount, AmountWithExchangeRate, Reseller, kind_of, source, time};
use crate::at::Version;
use crate::resource::Resource;
use crate::scopes::{ACCOUNT, PROFILE, Question, SCOPE};
use crate::{Consumption, PROVIDER};
use armkit::{ArmError, Comparing, Comparison, List, Query, conditions};
use axum::Json;
use axum::extract::State;
use domain::Error;
use domain::credits::LotKind;
use httpkit::Group;
use serde::Serialize;
use service::{LotState, LotTold};

/// The type below the provider.
const LOTS: &str = "lots";
const FILTER: &str = "$filter";

pub(crate) fn group(version: Version) -> Group<Consumption> {
    let tail = format!("{PROVIDER}/{LOTS}");
    let group = Group::new();
    match version {
        Version::V2019 => group.get("Lots_List", SCOPE, &tail, list),
        Version::V2021 => group.get("Lots_ListByBillingProfile", PROFILE, &tail, list).get(
            "Lots_ListByBillingAccount",
            ACCOUNT,
            &tail,
            list_filtered,
        ),
    }
}

async fn list(
    State(consumption): State<Consumption>,
    question: Question,
) -> Result<Json<List<Lot>>, ArmError> {
    consumption.lots(question, &LotsAsked::default()).await
}

async fn list_filtered(
    State(consumption): State<Consumption>,
    question: Question,
    query: Query,
) -> Result<Json<List<Lot>>, ArmError> {
    let asked = LotsAsked::of(&query, consumption.reckoner.limits().filter_bytes)?;
    consumption.lots(question, &asked).await
}

impl Consumption {
    async fn lots(
        &self,
        question: Question,
        asked: &LotsAsked,
    ) -> Result<Json<List<Lot>>, ArmError> {
        let Question { caller, at, spot } = question;
        let told = self.reckoner.credit(&caller, &spot.scope).await?;
        let meant = told.lots.iter().filter(|lot| asked.has(lot));
        let value = meant.map(|lot| view(at.version, &spot.id, lot)).collect::<Result<_, _>>()?;
        Ok(Json(List { value, next_link: None }))
    }
}

/// What a filter leaves; all if it names neither.
#[derive(Debug, Default, PartialEq, Eq)]
struct LotsAsked {
    /// Inner none: of a source that the books have no lots of.
    kind: Option<Option<LotKind>>,
    state: Option<LotState>,
    /// It names two things where there is one.
    is_empty: bool,
}

impl LotsAsked {
    fn of(query: &Query, most_bytes: u64) -> Result<LotsAsked, Error> {
        let mut asked = LotsAsked::default();
        for Comparison { name, comparing, value } in
            conditions(query, most_bytes, &["source", "status"])?
        {
            if comparing != Comparing::Equal {
                return Err(Error::invalid(FILTER, format!("`{name}` is compared with `eq` only")));
            }
            let unknown = || Error::invalid(FILTER, format!("`{value}` is no value of `{name}`"));
            if name.to_ascii_lowercase().ends_with("source") {
                let kind = kind_of(&value).ok_or_else(unknown)?;
                asked.is_empty |= asked.kind.is_some_and(|other| other != kind);
                asked.kind = Some(kind);
            } else {
                let state = state_of(&value).ok_or_else(unknown)?;
                asked.is_empty |= asked.state.is_some_and(|other| other != state);
                asked.state = Some(state);
            }
        }
        Ok(asked)
    }

    fn has(&self, lot: &LotTold) -> bool {
        !self.is_empty
            && self.kind.is_none_or(|kind| kind == Some(lot.kind))
            && self.state.is_none_or(|state| state == lot.state)
    }
}

const STATES: [LotState; 5] =
    [LotState::ToCome, LotState::Active, LotState::Used, LotState::Ended, LotState::TakenBack];

/// Source: `LotProperties.status`.
const fn status(state: LotState) -> &'static str {
    match state {
        LotState::ToCome => "Inactive",
        LotState::Active => "Active",
        LotState::Used => "Complete",
        LotState::Ended => "Expired",
        LotState::TakenBack => "Canceled",
    }
}

fn state_of(name: &str) -> Option<LotState> {
    STATES.into_iter().find(|state| status(*state).eq_ignore_ascii_case(name))
}

pub(crate) type Lot = Resource<LotProperties>;

/// `LotProperties`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default, serde::Deserialize), serde(default))]
pub(crate) struct LotProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_currency: Option<String>,
    original_amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_amount_in_billing_currency: Option<AmountWithExchangeRate>,
    closed_balance: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_balance_in_billing_currency: Option<AmountWithExchangeRate>,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    po_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller: Option<Reseller>,
    /// Of the second version, as what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    purchased_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

pub(crate) fn view(version: Version, scope: &str, lot: &LotTold) -> Result<Lot, Error> {
    let LotTold { id, kind, granted, holds, filled_at, booked, state, .. } = lot;
    let is_second = version == Version::V2021;
    let currency = granted.currency().to_string();
    let properties = LotProperties {
        credit_currency: Some(currency.clone()),
        billing_currency: Some(currency),
        original_amount: Amount::of(*granted)?,
        original_amount_in_billing_currency: None,
        closed_balance: Amount::of(*booked)?,
        closed_balance_in_billing_currency: None,
        source: source(*kind),
        start_date: time(holds.start()),
        expiration_date: time(holds.end()),
        po_number: None,
        reseller: None,
        purchased_date: filled_at.filter(|_| is_second).and_then(time),
        status: is_second.then(|| status(*state)),
    };
    Ok(Resource::new(scope, LOTS, id.as_str(), properties))
}

/// The id of a lot as a resource of its account.
pub(crate) fn id(account: &str, lot: &str) -> String {
    format!("{account}{PROVIDER}/{LOTS}/{lot}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_are_filtered_by_source_and_status() {
        let check = |filter: &str, expected: Result<LotsAsked, &str>| {
            let query = Query::parse(&format!("$filter={filter}"));
            let told = LotsAsked::of(&query, 400).map_err(|error| error.to_string());
            assert_eq!(told, expected.map_err(str::to_owned), "{filter}");
        };
        let of = |kind, state| LotsAsked { kind, state, is_empty: false };
        check("", Ok(LotsAsked::default()));
        check(
            "status eq 'active' AND source eq 'consumptioncommitment'",
            Ok(of(Some(None), Some(LotState::Active))),
        );
        let credit = Some(Some(LotKind::Credit));
        check("properties/source eq 'PromotionalCredit'", Ok(of(credit, None)));
        check("status eq 'Gone'", Err("$filter: `Gone` is no value of `status`"));
        check("status lt 'Active'", Err("$filter: `status` is compared with `eq` only"));
        let both = "status eq 'Active' and status eq 'Expired'";
        assert!(LotsAsked::of(&Query::parse(&format!("$filter={both}")), 400).unwrap().is_empty);
    }

    #[test]
    fn every_state_has_a_status_of_its_own() {
        for state in STATES {
            assert_eq!(state_of(status(state)), Some(state));
        }
    }
}
