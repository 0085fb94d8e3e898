//! For which kinds of agreement an operation is served.
//!
//! The vendor's table speaks about groups. An operation whose place exists under one kind only is
//! served there; any other follows its group's row, as far as its place exists. Instructions and
//! reservations follow billing profiles; the enterprise role writes are the enterprise's. Received
//! transfers stand at no account and are for whom they were sent to. Invoices of enterprises are
//! shown in the version that has their downloads, which take links of these.
//!
//! Source: `operation-group-support.csv`, `microsoft-billing.md` section 1.

use crate::resource::agreement_type;
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
/// Billing profiles lie below these.
const WITH_PROFILES: &[AgreementType] = &[AgreementType::Customer, AgreementType::Partner];
/// Invoices of the whole account.
const WITH_INVOICES: &[AgreementType] =
    &[AgreementType::Customer, AgreementType::Partner, AgreementType::OnlineServices];
const CUSTOMER: &[AgreementType] = &[AgreementType::Customer];
const PARTNER: &[AgreementType] = &[AgreementType::Partner];
const ENTERPRISE: &[AgreementType] = &[AgreementType::Enterprise];
const ONLINE_SERVICES: &[AgreementType] = &[AgreementType::OnlineServices];

/// Operations by the kinds that they are served for. An id that stands at another place in
/// `2020-05-01` has a row of its own for that version: `ID@2020-05-01`.
const TABLE: &[(&[AgreementType], &[&str])] = &[
    (
        EVERY,
        &[
            "Address_Validate",
            "BillingAccounts_Get",
            "BillingAccounts_List",
            "BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission",
            "BillingAccounts_Update",
            "Invoices_GetBillingAccountInvoice",
            "Invoices_ListByBillingAccount",
            "Operations_List",
            "RecipientTransfers_Accept",
            "RecipientTransfers_Decline",
            "RecipientTransfers_Get",
            "RecipientTransfers_List",
            "RecipientTransfers_Validate",
        ],
    ),
    (
        WITH_PROFILES,
        &[
            "BillingProfiles_Create",
            "BillingProfiles_CreateOrUpdate",
            "BillingProfiles_Get",
            "BillingProfiles_GetEligibilityToDetachPaymentMethod",
            "BillingProfiles_ListByBillingAccount",
            "BillingProfiles_Update",
            "Instructions_Get",
            "Instructions_ListByBillingProfile",
            "Instructions_Put",
            "Invoices_DownloadMultipleBillingProfileInvoices",
            "Invoices_Get",
            "Invoices_ListByBillingProfile",
            "Policies_GetByBillingProfile",
            "Policies_Update",
            "PriceSheet_Download",
            "PriceSheet_DownloadByBillingProfile",
            "Products_Get@2020-05-01",
            "Products_ListByBillingAccount",
            "Products_ListByBillingProfile",
            "Products_Update",
            "Reservations_ListByBillingAccount",
            "Reservations_ListByBillingProfile",
            "Transactions_Get",
            "Transactions_ListByBillingAccount",
            "Transactions_ListByBillingProfile",
            "Transactions_ListByInvoice",
        ],
    ),
    (
        WITH_INVOICES,
        &[
            "Invoices_DownloadInvoice",
            "Invoices_DownloadMultipleBillingProfileInvoices@2020-05-01",
            "Invoices_Get@2020-05-01",
            "Invoices_GetById@2020-05-01",
            "Invoices_ListByBillingAccount@2020-05-01",
        ],
    ),
    (
        CUSTOMER,
        &[
            "Agreements_Get",
            "Agreements_ListByBillingAccount",
            "AvailableBalances_Get",
            "AvailableBalances_GetByBillingProfile",
            "BillingPermissions_ListByBillingAccount",
            "BillingPermissions_ListByBillingProfile",
            "BillingPermissions_ListByInvoiceSections",
            "BillingProperty_Get",
            "BillingProperty_Update",
            "BillingRoleAssignments_AddByBillingAccount",
            "BillingRoleAssignments_AddByBillingProfile",
            "BillingRoleAssignments_AddByInvoiceSection",
            "BillingRoleAssignments_DeleteByBillingAccount",
            "BillingRoleAssignments_DeleteByBillingProfile",
            "BillingRoleAssignments_DeleteByInvoiceSection",
            "BillingRoleAssignments_GetByBillingAccount",
            "BillingRoleAssignments_GetByBillingProfile",
            "BillingRoleAssignments_GetByInvoiceSection",
            "BillingRoleAssignments_ListByBillingAccount",
            "BillingRoleAssignments_ListByBillingProfile",
            "BillingRoleAssignments_ListByInvoiceSection",
            "BillingRoleDefinitions_GetByBillingAccount",
            "BillingRoleDefinitions_GetByBillingProfile",
            "BillingRoleDefinitions_GetByInvoiceSection",
            "BillingRoleDefinitions_ListByBillingAccount",
            "BillingRoleDefinitions_ListByBillingProfile",
            "BillingRoleDefinitions_ListByInvoiceSection",
            "BillingSubscriptions_Get",
            "BillingSubscriptions_ListByBillingAccount",
            "BillingSubscriptions_ListByBillingProfile",
            "BillingSubscriptions_ListByInvoiceSection",
            "BillingSubscriptions_Move",
            "BillingSubscriptions_Transfer",
            "BillingSubscriptions_Update",
            "BillingSubscriptions_ValidateMove",
            "BillingSubscriptions_ValidateTransfer",
            "InvoiceSections_Create",
            "InvoiceSections_CreateOrUpdate",
            "InvoiceSections_ElevateToBillingProfile",
            "InvoiceSections_Get",
            "InvoiceSections_ListByBillingProfile",
            "InvoiceSections_Update",
            "PaymentMethods_ListByBillingAccount",
            "PaymentMethods_ListByBillingProfile",
            "Products_Get",
            "Products_ListByInvoiceSection",
            "Products_Move",
            "Products_Transfer",
            "Products_UpdateAutoRenewByInvoiceSection",
            "Products_ValidateMove",
            "Products_ValidateTransfer",
            "Transactions_ListByInvoiceSection",
            "Transfers_Cancel",
            "Transfers_Get",
            "Transfers_Initiate",
            "Transfers_List",
        ],
    ),
    (
        PARTNER,
        &[
            "BillingPermissions_ListByCustomer",
            "BillingSubscriptions_GetByCustomer",
            "BillingSubscriptions_ListByCustomer",
            "Customers_Get",
            "Customers_ListByBillingAccount",
            "Customers_ListByBillingProfile",
            "PartnerTransfers_Cancel",
            "PartnerTransfers_Get",
            "PartnerTransfers_Initiate",
            "PartnerTransfers_List",
            "Policies_GetByCustomer",
            "Policies_UpdateCustomer",
            "Products_GetByCustomer",
            "Products_ListByCustomer",
            "Transactions_ListByCustomer",
        ],
    ),
    (
        ENTERPRISE,
        &[
            "BillingPermissions_ListByDepartment",
            "BillingPermissions_ListByEnrollmentAccount",
            "BillingRoleAssignments_DeleteByDepartment",
            "BillingRoleAssignments_DeleteByEnrollmentAccount",
            "BillingRoleAssignments_GetByDepartment",
            "BillingRoleAssignments_GetByEnrollmentAccount",
            "BillingRoleAssignments_ListByDepartment",
            "BillingRoleAssignments_ListByEnrollmentAccount",
            "BillingRoleDefinitions_GetByDepartment",
            "BillingRoleDefinitions_GetByEnrollmentAccount",
            "BillingRoleDefinitions_ListByDepartment",
            "BillingRoleDefinitions_ListByEnrollmentAccount",
            "Departments_Get",
            "Departments_ListByBillingAccountName",
            "EnrollmentAccountRoleAssignments_Put",
            "EnrollmentAccounts_GetByEnrollmentAccountId",
            "EnrollmentAccounts_ListByBillingAccountName",
            "EnrollmentDepartmentRoleAssignments_Put",
            "Invoices_DownloadMultipleEAInvoices",
            "RoleAssignments_Put",
        ],
    ),
    (
        ONLINE_SERVICES,
        &[
            "Invoices_DownloadBillingSubscriptionInvoice",
            "Invoices_DownloadMultipleBillingSubscriptionInvoices",
            "Invoices_GetById",
            "Invoices_GetBySubscriptionAndInvoiceId",
            "Invoices_ListByBillingSubscription",
        ],
    ),
];

/// The kinds that an operation is served for; none for an operation that is not ours.
fn served(operation: &str) -> Option<&'static [AgreementType]> {
    let row = TABLE.iter().find(|(_, operations)| operations.contains(&operation));
    row.map(|(kinds, _)| *kinds)
}

/// Refuses an operation that is not for accounts of this kind. An account without an agreement has
/// what every kind has.
///
/// Errors: 400 `BadRequest` naming the account's kind and those that it is for.
pub(crate) fn demand(operation: &str, kind: Option<AgreementType>) -> Result<(), ArmError> {
    let kinds = served(operation)
        .ok_or_else(|| Error::internal("find whom an operation is for", operation.to_owned()))?;
    let is_served = match kind {
        Some(kind) => kinds.contains(&kind),
        None => kinds == EVERY,
    };
    if is_served {
        return Ok(());
    }
    let served: Vec<&str> = kinds.iter().copied().map(named).collect();
    let message = format!(
        "this operation is not supported for a billing account with agreement type `{}`; it is for \
         {}",
        kind.map_or("none", named),
        served.join(", ")
    );
    Err(ArmError::new(StatusCode::BAD_REQUEST, "BadRequest", message))
}

/// The kind as the contract spells it; messaging has no name there.
fn named(kind: AgreementType) -> &'static str {
    agreement_type(kind).unwrap_or("Messaging")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each operation of each version with its answer by kind, read off the contract.
    const ANSWERS: &str = include_str!("../../../tests/azure-billing/kinds.csv");

    #[test]
    fn every_operation_answers_each_kind_as_the_contract_says() {
        let mut lines = ANSWERS.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').skip(2).collect();
        for line in lines {
            let cells: Vec<&str> = line.split(',').collect();
            let [version, operation, answers @ ..] = cells.as_slice() else { panic!("{line}") };
            let own = format!("{operation}@{version}");
            let key = if served(&own).is_some() { own.as_str() } else { *operation };
            for (name, expected) in header.iter().zip(answers) {
                let kind = EVERY.iter().copied().find(|kind| named(*kind) == *name);
                assert!(kind.is_some(), "{name}");
                let answer = match demand(key, kind) {
                    Ok(()) => "served".to_owned(),
                    Err(error) => error.status().as_u16().to_string(),
                };
                assert_eq!(answer, *expected, "{version} {operation} {name}");
            }
        }
    }

    #[test]
    fn each_row_of_the_table_is_an_operation_of_the_contract() {
        for operation in TABLE.iter().flat_map(|(_, operations)| operations.iter().copied()) {
            let (id, version) = operation.split_once('@').unwrap_or((operation, ""));
            let is_known = ANSWERS
                .lines()
                .any(|line| line.starts_with(version) && line.split(',').nth(1) == Some(id));
            assert!(is_known, "{operation}");
        }
    }

    #[test]
    fn other_accounts_have_what_every_kind_has() {
        assert!(demand("BillingAccounts_Get", None).is_ok());
        assert!(demand("Agreements_Get", None).is_err());
        assert!(demand("BillingAccounts_Get", Some(AgreementType::Messaging)).is_err());
        assert!(demand("Nothing_Get", None).is_err());
    }
}
