//! What stands against changes of Azure Billing that are asked for rightly: 409, by whichever way.

use crate::azure_billing_calls::{FIRST, SECOND, Scenario, scenarios};

/// Operations whose 409 these questions cannot bring about, and what would.
const UNPROVOKED_CONFLICTS: &[(&str, &str)] = &[
    ("BillingProfiles_Update", "something else that is declared for later stands against it"),
    ("InvoiceSections_Update", "something else that is declared for later stands against it"),
    ("InvoiceSections_ElevateToBillingProfile", "others change the company all the time"),
    ("Policies_Update", "the billing profile is inactive"),
    ("Policies_UpdateCustomer", "the customer is inactive"),
    ("BillingProperty_Update", "others change the company all the time"),
    ("PartnerTransfers_Initiate", "the customer or the billing profile is inactive"),
    ("Transfers_Initiate", "the invoice section or its billing profile is inactive"),
    ("Transactions_Get", "what drafts need is missing, such as a tax rate"),
    ("Transactions_ListByBillingAccount", "what drafts need is missing, such as a tax rate"),
    ("Transactions_ListByBillingProfile", "what drafts need is missing, such as a tax rate"),
    ("Transactions_ListByCustomer", "what drafts need is missing, such as a tax rate"),
    ("Transactions_ListByInvoiceSection", "what drafts need is missing, such as a tax rate"),
    ("BillingSubscriptions_Move", MOVES),
    ("BillingSubscriptions_Transfer", MOVES),
    ("BillingSubscriptions_Update", "others change the company all the time"),
    ("Products_Move", MOVES),
    ("Products_Transfer", MOVES),
    ("Products_Update", "the product has no end, or is not in use any more"),
    ("Products_UpdateAutoRenewByInvoiceSection", "the same"),
];

const MOVES: &str = "each reason has its own word: see `azure_billing_moves`";

/// Version, operation, names and body (none: the scenario's own) of what stands against something
/// that is there.
pub(crate) type Against =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

/// In another country than the accounts are taxed in.
pub(crate) const HAMBURG: &str =
    r#"{"addressLine1": "Kontorhof 1", "city": "Hamburg", "postalCode": "20457", "country": "DE"}"#;

/// What stands against something, by which questions.
pub(crate) const CONFLICTS: &[Against] = &[
    // A role that is given already.
    (FIRST, "BillingRoleAssignments_AddByBillingAccount", &[], ""),
    (FIRST, "BillingRoleAssignments_AddByBillingProfile", &[], ""),
    (FIRST, "BillingRoleAssignments_AddByInvoiceSection", &[], ""),
    // A program holds one role of enterprise agreements.
    (FIRST, "RoleAssignments_Put", &[], PURCHASER),
    (FIRST, "EnrollmentDepartmentRoleAssignments_Put", &[], DEPARTMENT_READER),
    (FIRST, "EnrollmentAccountRoleAssignments_Put", &[], SUBSCRIPTION_CREATOR),
    // The last owner.
    (FIRST, "BillingRoleAssignments_DeleteByBillingAccount", OWNERS, ""),
    (SECOND, "BillingRoleAssignments_DeleteByBillingAccount", OWNERS, ""),
    (FIRST, "BillingRoleAssignments_DeleteByBillingProfile", PROFILE_OWNERS, ""),
    (SECOND, "BillingRoleAssignments_DeleteByBillingProfile", PROFILE_OWNERS, ""),
    (FIRST, "BillingRoleAssignments_DeleteByInvoiceSection", SECTION_OWNERS, ""),
    (SECOND, "BillingRoleAssignments_DeleteByInvoiceSection", SECTION_OWNERS, ""),
    (FIRST, "BillingRoleAssignments_DeleteByDepartment", DEPARTMENT_OWNERS, ""),
    (FIRST, "BillingRoleAssignments_DeleteByEnrollmentAccount", ACCOUNT_OWNERS, ""),
    // Taxed elsewhere.
    (FIRST, "BillingAccounts_Update", &[], r#"{"properties": {"address": HAMBURG}}"#),
    (SECOND, "BillingAccounts_Update", &[], r#"{"properties": {"soldTo": HAMBURG}}"#),
    // A partner has one profile in a currency.
    (FIRST, "BillingProfiles_Create", PARTNERS, ""),
    (SECOND, "BillingProfiles_CreateOrUpdate", PARTNERS, ""),
    // Below another profile already.
    (FIRST, "InvoiceSections_Create", ELSEWHERE, ""),
    (SECOND, "InvoiceSections_CreateOrUpdate", ELSEWHERE, ""),
    (FIRST, "Instructions_Put", ELSEWHERE, ""),
    (SECOND, "Instructions_Put", ELSEWHERE, ""),
    // Answered or withdrawn already.
    (FIRST, "PartnerTransfers_Cancel", &[], ""),
    (FIRST, "RecipientTransfers_Accept", &[], ""),
    (FIRST, "RecipientTransfers_Decline", &[], ""),
    (FIRST, "RecipientTransfers_Validate", DECLINED, ""),
    (FIRST, "Transfers_Cancel", &[], ""),
];
const OWNERS: &[(&str, &str)] = &[(
    "billingRoleAssignmentName",
    "50000000-aaaa-bbbb-cccc-100000000000_<clients.owner.client_id>",
)];
const PROFILE_OWNERS: &[(&str, &str)] =
    &[("billingRoleAssignmentName", "40000000-aaaa-bbbb-cccc-100000000000_dora")];
const SECTION_OWNERS: &[(&str, &str)] = &[
    ("invoiceSectionName", "<other_invoice_section>"),
    ("billingRoleAssignmentName", "30000000-aaaa-bbbb-cccc-100000000000_dora"),
];
const DEPARTMENT_OWNERS: &[(&str, &str)] =
    &[("billingRoleAssignmentName", "fb2cf67f-be5b-42e7-8025-4683c668f840_dora")];
const ACCOUNT_OWNERS: &[(&str, &str)] = &[(
    "billingRoleAssignmentName",
    "c15c22c0-9faf-424c-9b7e-bd91c06a240b_<clients.owner.client_id>",
)];
const PURCHASER: &str = r#"{"properties": {"principalId": "<clients.contributor.client_id>",
    "roleDefinitionId": "da6647fb-7651-49ee-be91-c43c4877f0c4"}}"#;
const DEPARTMENT_READER: &str = r#"{"properties": {"principalId": "<clients.contributor.client_id>",
    "roleDefinitionId": "db609904-a47f-4794-9be8-9bd86fbffd8a"}}"#;
const SUBSCRIPTION_CREATOR: &str = r#"{"properties":
    {"principalId": "<clients.contributor.client_id>",
    "roleDefinitionId": "a0bcee42-bf30-4d1b-926a-48d21664ef71"}}"#;
const PARTNERS: &[(&str, &str)] = &[("billingAccountName", "<accounts.mpa.billing_account>")];
const DECLINED: &[(&str, &str)] = &[("transferName", "<transfer_to_decline>")];
const ELSEWHERE: &[(&str, &str)] = &[("billingProfileName", "<other_billing_profile>")];

/// Whether no question brings about a 409 of its operation.
pub(crate) fn has_unprovoked(scenario: &Scenario) -> bool {
    UNPROVOKED_CONFLICTS.iter().any(|(id, _)| *id == scenario.operation)
}

#[test]
fn each_conflict_that_is_listed_is_asked_for_or_has_a_reason() {
    for scenario in scenarios() {
        let (version, operation) = (scenario.version.as_str(), scenario.operation.as_str());
        let mut known = CONFLICTS.iter();
        let is_asked = known.any(|(of, id, ..)| *of == version && *id == operation);
        let is_listed = scenario.statuses.contains(&409);
        let has_reason = has_unprovoked(&scenario);
        assert_eq!(is_listed, is_asked != has_reason, "{}", scenario.name());
    }
}
