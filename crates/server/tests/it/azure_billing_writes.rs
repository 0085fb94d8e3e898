//! Every operation of Azure Billing that changes something or takes its time, asked once on the
//! demo's world.

use crate::azure_billing_contract::{Contract, FIRST, Operation, SECOND, referred};
use crate::azure_billing_walk::{Got, Walk};
use crate::contracts::problems;
use crate::program::Server;
use serde_json::json;
use std::collections::BTreeMap;

/// What is sent to change something.
enum Sent {
    Nothing,
    /// In it `<…>` stands for what the demo's context has there.
    Body(&'static str),
    /// A role, to one of the demo's clients.
    Give(&'static str, &'static str),
    /// The same, as enterprise agreements have it.
    Put(&'static str, &'static str),
    /// Who loses which role.
    Take(&'static str, &'static str),
    /// A section, in the first profile of whose account.
    Move(&'static str, &'static str),
}

const ACCOUNT_CONTRIBUTOR: &str = "50000000-aaaa-bbbb-cccc-100000000001";
const ACCOUNT_READER: &str = "50000000-aaaa-bbbb-cccc-100000000002";
const PROFILE_CONTRIBUTOR: &str = "40000000-aaaa-bbbb-cccc-100000000001";
const PROFILE_READER: &str = "40000000-aaaa-bbbb-cccc-100000000002";
const SECTION_CONTRIBUTOR: &str = "30000000-aaaa-bbbb-cccc-100000000001";
const SECTION_READER: &str = "30000000-aaaa-bbbb-cccc-100000000002";
const ENROLLMENT_READER: &str = "24f8edb6-1668-4659-b5e2-40bb5f3a7d7e";
const DEPARTMENT_READER: &str = "db609904-a47f-4794-9be8-9bd86fbffd8a";
const ENROLLMENT_ACCOUNT_OWNER: &str = "c15c22c0-9faf-424c-9b7e-bd91c06a240b";
const SUBSCRIPTION_CREATOR: &str = "a0bcee42-bf30-4d1b-926a-48d21664ef71";
/// Asks for no change.
const SAME: Sent = Sent::Body(r#"{"properties": {}}"#);
const FLAT: Sent = Sent::Body("{}");
const INSTRUCTION: Sent = Sent::Body(
    r#"{"properties": {"amount": 1, "startDate": "2027-01-01T00:00:00Z",
        "endDate": "2027-02-01T00:00:00Z"}}"#,
);
const TO_SECTION: Sent =
    Sent::Body(r#"{"properties": {"recipientEmailId": "<clients.recipient.email>"}}"#);
const TO_CUSTOMER: Sent = Sent::Body(
    r#"{"properties": {"recipientEmailId": "<clients.recipient.email>",
        "resellerId": "<accounts.mpa.reseller>"}}"#,
);
const HOLDINGS: Sent = Sent::Body(
    r#"{"properties": {"productDetails": [
        {"productType": "AzureSubscription", "productId": "<accounts.recipient.subscription>"},
        {"productType": "AzureReservation", "productId": "<accounts.recipient.reservation>"}]}}"#,
);

/// Every operation that changes something or takes its time, in an order in which each may: of an
/// account at the demo's customer agreement, of what enterprises and partners have at theirs.
/// Roles that stay are read afterwards.
const WRITES: &[(&str, &str, Sent)] = &[
    (
        FIRST,
        "BillingRoleAssignments_AddByBillingAccount",
        Sent::Give("contributor", ACCOUNT_READER),
    ),
    (
        FIRST,
        "BillingRoleAssignments_AddByBillingProfile",
        Sent::Give("contributor", PROFILE_READER),
    ),
    (
        FIRST,
        "BillingRoleAssignments_AddByInvoiceSection",
        Sent::Give("contributor", SECTION_READER),
    ),
    (FIRST, "RoleAssignments_Put", Sent::Put("owner", ENROLLMENT_READER)),
    (FIRST, "EnrollmentDepartmentRoleAssignments_Put", Sent::Put("owner", DEPARTMENT_READER)),
    (FIRST, "EnrollmentAccountRoleAssignments_Put", Sent::Put("owner", ENROLLMENT_ACCOUNT_OWNER)),
    // Seconds, so that lists of roles and of what they permit have further pages.
    (FIRST, "BillingRoleAssignments_AddByBillingAccount", Sent::Give("owner", ACCOUNT_CONTRIBUTOR)),
    (FIRST, "BillingRoleAssignments_AddByBillingProfile", Sent::Give("owner", PROFILE_CONTRIBUTOR)),
    (FIRST, "BillingRoleAssignments_AddByInvoiceSection", Sent::Give("owner", SECTION_CONTRIBUTOR)),
    (FIRST, "EnrollmentDepartmentRoleAssignments_Put", Sent::Put("contributor", DEPARTMENT_READER)),
    (FIRST, "EnrollmentAccountRoleAssignments_Put", Sent::Put("reader", SUBSCRIPTION_CREATOR)),
    // These go again.
    (FIRST, "BillingRoleAssignments_AddByBillingAccount", Sent::Give("owner", ACCOUNT_READER)),
    (FIRST, "BillingRoleAssignments_AddByBillingProfile", Sent::Give("owner", PROFILE_READER)),
    (FIRST, "BillingRoleAssignments_AddByInvoiceSection", Sent::Give("owner", SECTION_READER)),
    (FIRST, "EnrollmentDepartmentRoleAssignments_Put", Sent::Put("recipient", DEPARTMENT_READER)),
    (FIRST, "EnrollmentAccountRoleAssignments_Put", Sent::Put("recipient", SUBSCRIPTION_CREATOR)),
    (FIRST, "BillingRoleAssignments_DeleteByBillingAccount", Sent::Take("owner", ACCOUNT_READER)),
    (FIRST, "BillingRoleAssignments_DeleteByBillingProfile", Sent::Take("owner", PROFILE_READER)),
    (FIRST, "BillingRoleAssignments_DeleteByInvoiceSection", Sent::Take("owner", SECTION_READER)),
    (
        FIRST,
        "BillingRoleAssignments_DeleteByDepartment",
        Sent::Take("recipient", DEPARTMENT_READER),
    ),
    (
        FIRST,
        "BillingRoleAssignments_DeleteByEnrollmentAccount",
        Sent::Take("recipient", SUBSCRIPTION_CREATOR),
    ),
    // The second version only takes roles.
    (FIRST, "BillingRoleAssignments_AddByBillingAccount", Sent::Give("owner", ACCOUNT_READER)),
    (FIRST, "BillingRoleAssignments_AddByBillingProfile", Sent::Give("owner", PROFILE_READER)),
    (FIRST, "BillingRoleAssignments_AddByInvoiceSection", Sent::Give("owner", SECTION_READER)),
    (FIRST, "BillingAccounts_Update", SAME),
    (FIRST, "BillingProfiles_Create", FLAT),
    (FIRST, "BillingProfiles_Update", SAME),
    (FIRST, "InvoiceSections_Create", FLAT),
    (FIRST, "InvoiceSections_Update", SAME),
    (FIRST, "InvoiceSections_ElevateToBillingProfile", Sent::Nothing),
    (FIRST, "Instructions_Put", INSTRUCTION),
    (FIRST, "Policies_Update", SAME),
    (FIRST, "Policies_UpdateCustomer", SAME),
    (FIRST, "Products_UpdateAutoRenewByInvoiceSection", Sent::Body(r#"{"autoRenew": "true"}"#)),
    (FIRST, "BillingSubscriptions_ValidateTransfer", Sent::Move("mca", "other_invoice_section")),
    (FIRST, "BillingSubscriptions_Transfer", Sent::Move("mca", "other_invoice_section")),
    (FIRST, "Products_ValidateTransfer", Sent::Move("mca", "other_invoice_section")),
    (FIRST, "Products_Transfer", Sent::Move("mca", "other_invoice_section")),
    // They stand there no more, and may not leave their account.
    (FIRST, "BillingSubscriptions_ValidateTransfer", Sent::Move("foreign", "invoice_section")),
    (FIRST, "Products_ValidateTransfer", Sent::Move("foreign", "invoice_section")),
    (FIRST, "Transfers_Initiate", TO_SECTION),
    (FIRST, "PartnerTransfers_Initiate", TO_CUSTOMER),
    (FIRST, "Transfers_Cancel", Sent::Nothing),
    (FIRST, "PartnerTransfers_Cancel", Sent::Nothing),
    (FIRST, "RecipientTransfers_Accept", HOLDINGS),
    (FIRST, "RecipientTransfers_Decline", Sent::Nothing),
    (FIRST, "PriceSheet_DownloadByBillingProfile", Sent::Nothing),
    (FIRST, "PriceSheet_Download", Sent::Nothing),
    (SECOND, "BillingRoleAssignments_DeleteByBillingAccount", Sent::Take("owner", ACCOUNT_READER)),
    (SECOND, "BillingRoleAssignments_DeleteByBillingProfile", Sent::Take("owner", PROFILE_READER)),
    (SECOND, "BillingRoleAssignments_DeleteByInvoiceSection", Sent::Take("owner", SECTION_READER)),
    (SECOND, "BillingAccounts_Update", SAME),
    (SECOND, "BillingProfiles_CreateOrUpdate", SAME),
    (SECOND, "InvoiceSections_CreateOrUpdate", SAME),
    (SECOND, "Instructions_Put", INSTRUCTION),
    (SECOND, "Policies_Update", SAME),
    (SECOND, "Policies_UpdateCustomer", SAME),
    (SECOND, "BillingProperty_Update", SAME),
    (SECOND, "BillingSubscriptions_Update", SAME),
    (SECOND, "BillingSubscriptions_Move", Sent::Move("mca", "invoice_section")),
    (SECOND, "BillingSubscriptions_ValidateMove", Sent::Move("mca", "other_invoice_section")),
    (SECOND, "BillingSubscriptions_ValidateMove", Sent::Move("foreign", "invoice_section")),
    (SECOND, "Products_Update", SAME),
    (SECOND, "Products_Move", Sent::Move("mca", "invoice_section")),
    (SECOND, "Products_ValidateMove", Sent::Move("mca", "other_invoice_section")),
    (SECOND, "Products_ValidateMove", Sent::Move("foreign", "invoice_section")),
];

/// Changes something at every operation that does, as its owner, or as who received a transfer.
pub(crate) async fn write_all(contract: &Contract, server: &Server, got: &mut Got) {
    let version = contract.version;
    for (_, id, sent) in WRITES.iter().filter(|(of, _, _)| *of == version) {
        let client = if id.starts_with("RecipientTransfers_") { "recipient" } else { "owner" };
        let token = server.told(&format!("clients.{client}.token"));
        let walk = Walk { server, version, token, listed: BTreeMap::new() };
        let operation = contract.operations.iter().find(|one| one.id == *id).expect(id);
        let who = |name: &str| server.told(&format!("clients.{name}.client_id"));
        let (name, body) = match sent {
            Sent::Nothing => (String::new(), String::new()),
            Sent::Body(body) => ("summer".to_owned(), filled(server, body)),
            Sent::Take(name, role) => (format!("{role}_{}", who(name)), String::new()),
            Sent::Give(name, role) => {
                let body = json!({ "principalId": who(name), "billingRoleDefinitionId": role });
                (String::new(), body.to_string())
            }
            Sent::Put(name, role) => {
                let properties = json!({ "principalId": who(name), "roleDefinitionId": role });
                ("given".to_owned(), json!({ "properties": properties }).to_string())
            }
            Sent::Move(of, section) => {
                let account = server.told(&format!("accounts.{of}.billing_account"));
                let profile = server.told("accounts.mca.billing_profile");
                let section = server.told(&format!("accounts.mca.{section}"));
                let below = format!("billingProfiles/{profile}/invoiceSections/{section}");
                let id = format!("/providers/Microsoft.Billing/billingAccounts/{account}/{below}");
                (String::new(), json!({ "destinationInvoiceSectionId": id }).to_string())
            }
        };
        let address = written(server, operation, &name);
        let (status, answer) = walk.done(&operation.verb, (address.as_str(), ""), &body).await;
        assert!(status < 300, "{id} {status} {answer}");
        let schema = &operation.answers[status.to_string()]["schema"];
        let found = match referred(schema) {
            Some(name) => problems(&contract.validator(name), &answer),
            None => (!answer.is_null()).then(|| "a body".to_owned()).into_iter().collect(),
        };
        got.wrong.extend(found.into_iter().map(|one| format!("{id} {status} {one}")));
        got.by_operation.entry(operation.id.clone()).or_default().push(answer);
    }
}

/// A text with what the demo's context has for each `<…>`.
fn filled(server: &Server, text: &str) -> String {
    let mut parts = text.split(['<', '>']);
    let mut filled = parts.next().expect("a beginning").to_owned();
    while let (Some(symbol), Some(after)) = (parts.next(), parts.next()) {
        filled.push_str(&server.told(symbol));
        filled.push_str(after);
    }
    filled
}

/// The address at which something is changed; `name` is that of what has no place of its own.
fn written(server: &Server, operation: &Operation, name: &str) -> String {
    let transfer = match operation.id.as_str() {
        "RecipientTransfers_Accept" => "accounts.recipient.transfer_to_accept",
        "RecipientTransfers_Decline" => "accounts.recipient.transfer_to_decline",
        "PartnerTransfers_Cancel" => "accounts.mpa.transfer_to_cancel",
        _ => "accounts.mca.transfer_to_cancel",
    };
    let path = &operation.path.replace("{transferName}", &server.told(transfer));
    let of_enterprises = ["{departmentName}", "{enrollmentAccountName}"];
    let kind = if path.contains("{customerName}") {
        "mpa"
    } else if operation.id == "RoleAssignments_Put"
        || of_enterprises.iter().any(|part| path.contains(part))
    {
        "ea"
    } else {
        "mca"
    };
    placed(server, kind, path, name)
}

/// A path at an account of a kind; `name` is that of what has no place of its own.
pub(crate) fn placed(server: &Server, kind: &str, path: &str, name: &str) -> String {
    let told = |member: &str| server.told(&format!("accounts.{kind}.{member}"));
    let segment = |segment: &str| match segment {
        "{billingAccountName}" => told("billing_account"),
        "{billingProfileName}" => told("billing_profile"),
        "{invoiceSectionName}" => told("invoice_section"),
        "{customerName}" => told("customer"),
        "{departmentName}" => told("department"),
        "{enrollmentAccountName}" => told("enrollment_account"),
        "{subscriptionId}" | "{billingSubscriptionName}" => told("subscription"),
        "{productName}" => told("product"),
        "{invoiceName}" if name.is_empty() => told("invoice"),
        "{instructionName}" | "{billingRoleAssignmentName}" | "{invoiceName}" => name.to_owned(),
        literal => literal.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}
