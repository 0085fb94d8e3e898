//! Which operation is asked at which scopes, and for billing accounts of which kinds of agreement.
//!
//! Source: the `scope` parameters of both descriptions.

use crate::scopes::Form;
use armkit::ArmError;
use axum::http::StatusCode;
use domain::Error;
use domain::agreements::AgreementType;

const EVERY: &[AgreementType] = &[
    AgreementType::Customer,
    AgreementType::Partner,
    AgreementType::Enterprise,
    AgreementType::OnlineServices,
];
const ENTERPRISE: &[AgreementType] = &[AgreementType::Enterprise];
/// Billing profiles lie below these.
const WITH_PROFILES: &[AgreementType] = &[AgreementType::Customer, AgreementType::Partner];

/// Nobody but the whole address says where these are asked.
const NO_FORM: &[Form] = &[];
/// What is used somewhere.
const USED: &[Form] = &[
    Form::Subscription,
    Form::ResourceGroup,
    Form::Account,
    Form::Profile,
    Form::Section,
    Form::Customer,
    Form::Department,
    Form::EnrollmentAccount,
    Form::ManagementGroup,
];
/// Budgets are kept for these.
const BUDGETED: &[Form] = USED;
const TAGGED: &[Form] = USED;
const MARKETPLACE: &[Form] = USED;
const CHARGED: &[Form] = &[
    Form::Account,
    Form::Profile,
    Form::Section,
    Form::Customer,
    Form::Department,
    Form::EnrollmentAccount,
];
const CREDITED: &[Form] = &[Form::Profile, Form::Customer];
const RESERVED: &[Form] = &[Form::Account, Form::Profile];
const RECOMMENDED: &[Form] =
    &[Form::Subscription, Form::ResourceGroup, Form::Account, Form::Profile];

/// Operations by the scopes and the kinds of agreement that they are served for.
const TABLE: &[(&[Form], &[AgreementType], &[&str])] = &[
    (
        NO_FORM,
        EVERY,
        &[
            "AggregatedCost_GetByManagementGroup",
            "AggregatedCost_GetForBillingPeriodByManagementGroup",
            "Events_ListByBillingAccount",
            "Forecasts_List",
            "Lots_ListByBillingAccount",
            "Operations_List",
            "PriceSheet_Get",
            "PriceSheet_GetByBillingPeriod",
            "ReservationTransactions_List",
            "ReservationsDetails_ListByReservationOrder",
            "ReservationsDetails_ListByReservationOrderAndReservation",
            "ReservationsSummaries_ListByReservationOrder",
            "ReservationsSummaries_ListByReservationOrderAndReservation",
        ],
    ),
    (
        NO_FORM,
        ENTERPRISE,
        &["Balances_GetByBillingAccount", "Balances_GetForBillingPeriodByBillingAccount"],
    ),
    (
        NO_FORM,
        WITH_PROFILES,
        &[
            "Events_ListByBillingProfile",
            "Lots_ListByBillingProfile",
            "ReservationTransactions_ListByBillingProfile",
        ],
    ),
    (BUDGETED, EVERY, &["Budgets_CreateOrUpdate", "Budgets_Delete", "Budgets_Get", "Budgets_List"]),
    (CHARGED, EVERY, &["Charges_List"]),
    (CREDITED, WITH_PROFILES, &["Credits_Get", "Events_List", "Lots_List"]),
    (MARKETPLACE, EVERY, &["Marketplaces_List"]),
    (
        RECOMMENDED,
        EVERY,
        &["ReservationRecommendationDetails_Get", "ReservationRecommendations_List"],
    ),
    (RESERVED, EVERY, &["ReservationsDetails_List", "ReservationsSummaries_List"]),
    (TAGGED, EVERY, &["Tags_Get"]),
    (USED, EVERY, &["UsageDetails_List"]),
];

type Row = (&'static [Form], &'static [AgreementType], &'static [&'static str]);

fn row(operation: &str) -> Result<&'static Row, Error> {
    let row = TABLE.iter().find(|(_, _, operations)| operations.contains(&operation));
    row.ok_or_else(|| Error::internal("find whom an operation is for", operation.to_owned()))
}

/// Refuses an operation that is not asked at such a scope. What names its whole address is.
///
/// Errors: 400 `BadRequest` naming the scope and those that it is asked at.
pub(crate) fn demand_form(operation: &str, form: Form) -> Result<(), ArmError> {
    let (forms, _, _) = row(operation)?;
    if forms.is_empty() || forms.contains(&form) {
        return Ok(());
    }
    let asked: Vec<&str> = forms.iter().map(|form| form.name()).collect();
    let message = format!(
        "this operation is not supported at the scope of a {}; it is for {}",
        form.name(),
        asked.join(", ")
    );
    Err(ArmError::new(StatusCode::BAD_REQUEST, "BadRequest", message))
}

/// Refuses an operation that is not for accounts of this kind. An account without an agreement has
/// what every kind has.
///
/// Errors: 400 `BadRequest` naming the account's kind and those that it is for.
pub(crate) fn demand(operation: &str, kind: Option<AgreementType>) -> Result<(), ArmError> {
    let (_, kinds, _) = row(operation)?;
    if kind.map_or(*kinds == EVERY, |kind| kinds.contains(&kind)) {
        return Ok(());
    }
    let served: Vec<&str> = kinds.iter().copied().map(agreement_type).collect();
    let message = format!(
        "this operation is not supported for a billing account with agreement type `{}`; it is for \
         {}",
        kind.map_or("none", agreement_type),
        served.join(", ")
    );
    Err(ArmError::new(StatusCode::BAD_REQUEST, "BadRequest", message))
}

/// The kind as the vendor spells it; messaging has no name there.
const fn agreement_type(kind: AgreementType) -> &'static str {
    match kind {
        AgreementType::Customer => "MicrosoftCustomerAgreement",
        AgreementType::Enterprise => "EnterpriseAgreement",
        AgreementType::Partner => "MicrosoftPartnerAgreement",
        AgreementType::OnlineServices => "MicrosoftOnlineServicesProgram",
        AgreementType::Messaging => "Messaging",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_row() {
        for (version, group) in crate::served() {
            for operation in group.operations() {
                assert!(row(operation.id).is_ok(), "{version:?} {}", operation.id);
            }
        }
    }

    #[test]
    fn an_operation_is_refused_at_scopes_and_agreements_that_it_is_not_for() {
        let check = |operation: &str, form: Form, kind: AgreementType, is_served: bool| {
            let served = demand_form(operation, form).and_then(|()| demand(operation, Some(kind)));
            assert_eq!(served.is_ok(), is_served, "{operation} {form:?} {kind:?}");
        };
        let (customer, enterprise) = (AgreementType::Customer, AgreementType::Enterprise);
        check("Budgets_List", Form::Subscription, customer, true);
        check("Charges_List", Form::Subscription, customer, false);
        check("Charges_List", Form::Department, enterprise, true);
        check("Credits_Get", Form::Profile, customer, true);
        check("Credits_Get", Form::Profile, enterprise, false);
        check("Balances_GetByBillingAccount", Form::Account, enterprise, true);
        check("Balances_GetByBillingAccount", Form::Account, customer, false);
        check("UsageDetails_List", Form::Subscription, AgreementType::Messaging, false);
        assert!(demand("Budgets_List", None).is_ok());
        assert!(demand("Credits_Get", None).is_err());
    }
}
