//! The published examples of everything that is served: a body that is sent is read, and an answer
//! goes through the wire types of its version and comes out with everything that it had.
//!
//! Answers are written only, so their types read in tests alone: `Deserialize` is derived for the
//! very types that handlers answer with, and they have every member that an example has.

use crate::addresses::{Address2019, Address2020, Checked};
use crate::definitions::{Definitions, Example, answers, examples_of, referred};
use crate::described::BILLING;
use crate::downloads::DownloadUrl;
use crate::given::{Whole, Wrapped};
use crate::resource::Resource;
use crate::same::agreements::AgreementProperties;
use crate::same::available_balances::AvailableBalanceProperties;
use crate::same::instructions::{InstructionGiven, InstructionProperties};
use crate::same::invoices::InvoiceProperties;
use crate::same::permissions::Permissions;
use crate::same::policies::{CustomerPolicyGiven, PoliciesGiven, PolicyProperties};
use crate::same::products::ProductProperties;
use crate::same::subscriptions::BillingSubscriptionProperties;
use crate::same::transactions::TransactionProperties;
use crate::v2019::recipient_transfers::AcceptTransferProperties;
use crate::v2019::transfer_details::{Details, InitiateTransferProperties};
use crate::{V2019, V2020, served, v2019, v2020};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Examples that break their own description, and how.
const BROKEN: [(&str, &str, &str); 29] = [
    (V2019, "BillingAccountInvoicesList", "`PastDue` for `OverDue`"),
    (V2019, "BillingAccountsList", "the second account's address is null"),
    (V2019, "BillingAccountsListWithExpand", "the second account's address is null"),
    (V2019, "BillingSubscriptionInvoice", "30 February"),
    (V2019, "BillingSubscriptionInvoicesList", "30 February, `AzureServices` for `AzureService`"),
    (V2019, "Invoice", "`Receipt` for `TaxReceipt`"),
    (V2019, "InvoicesListByBillingProfile", "`Receipt` for `TaxReceipt`"),
    (V2019, "ListRecipientTransfers", "`ReservedInstance` for `AzureReservation`"),
    (V2019, "PaymentMethodsListByBillingAccount", "`CheckWire` for `ChequeWire`"),
    (V2019, "PaymentMethodsListByBillingProfile", "`CheckWire` for `ChequeWire`"),
    (V2019, "ReservationTransactionsListByBillingAccount", "`Cancel` is no type of transaction"),
    (V2019, "ReservationTransactionsListByBillingProfile", "`Cancel` is no type of transaction"),
    (V2019, "ReservationTransactionsListByCustomer", "`Cancel` is no type of transaction"),
    (V2019, "ReservationTransactionsListByInvoiceSection", "`Cancel` is no type of transaction"),
    (V2019, "TransactionsListByBillingProfile", "`Cancel` is no type of transaction"),
    (V2019, "TransactionsListByCustomer", "`Cancel` is no type of transaction"),
    (V2019, "TransactionsListByInvoice", "`Cancel` is no type of transaction"),
    (V2019, "TransactionsListByInvoiceSection", "`Cancel` is no type of transaction"),
    (V2020, "BillingAccountInvoicesList", "`PastDue` for `OverDue`"),
    (V2020, "BillingAccountInvoicesListWithRebillDetails", "rebill details without their map"),
    (V2020, "BillingAccountsList", "the second account's address is null"),
    (V2020, "BillingAccountsListWithExpand", "the second account's address is null"),
    (V2020, "BillingSubscriptionInvoice", "30 February"),
    (V2020, "BillingSubscriptionInvoicesList", "30 February, `AzureServices` for `AzureService`"),
    (V2020, "InvoiceWithRebillDetails", "rebill details without their map"),
    (V2020, "InvoicesListByBillingProfileWithRebillDetails", "rebill details without their map"),
    (V2020, "ReservationsListByBillingAccount", "members that are not known are null"),
    (V2020, "ReservationsListByBillingProfile", "members that are not known are null"),
    (V2020, "TransactionsListByInvoice", "`Cancel` is no type of transaction"),
];

/// The members that answers of examples have and ours have not: they are `null` there, in those
/// that break their description.
const NULLS: [(&str, &str); 8] = [
    (V2019, "BillingAccountProperties.address"),
    (V2020, "BillingAccountProperties.soldTo"),
    (V2020, "RebillDetails.rebillDetails"),
    (V2020, "ReservationProperty.appliedScopes"),
    (V2020, "ReservationProperty.provisioningSubState"),
    (V2020, "ReservationProperty.renewSource"),
    (V2020, "ReservationProperty.skuDescription"),
    (V2020, "ReservationProperty.term"),
];

/// Version, operation and member on a line: what a change takes whatever it holds, and keeps
/// nothing of.
const NOT_TAKEN: &str = include_str!("../../../tests/azure-billing/not_taken.csv");

/// Reads a value as one of our types, and writes that.
type Again = fn(&'static Value) -> serde_json::Result<Value>;
/// Reads a body.
type Reads = fn(Value) -> serde_json::Result<()>;

fn again<T: Deserialize<'static> + Serialize>(value: &'static Value) -> serde_json::Result<Value> {
    serde_json::to_value(T::deserialize(value)?)
}

fn reads<T: DeserializeOwned>(body: Value) -> serde_json::Result<()> {
    serde_json::from_value::<T>(body).map(drop)
}

/// The types of answers by their definitions; of lists, those of their items.
const ANSWERS_2019: &[(&str, Again)] = &[
    ("Agreement", again::<Resource<AgreementProperties>>),
    ("AvailableBalance", again::<Resource<AvailableBalanceProperties>>),
    ("BillingAccount", again::<Resource<v2019::accounts::BillingAccountProperties>>),
    ("BillingPermissionsProperties", again::<Permissions>),
    ("BillingProfile", again::<Resource<v2019::profiles::BillingProfileProperties>>),
    ("BillingProperty", again::<Resource<v2019::property::BillingPropertyProperties>>),
    (
        "BillingRoleAssignment",
        again::<Resource<v2019::role_assignments::BillingRoleAssignmentProperties>>,
    ),
    (
        "BillingRoleDefinition",
        again::<Resource<v2019::role_definitions::BillingRoleDefinitionProperties>>,
    ),
    ("BillingSubscription", again::<Resource<BillingSubscriptionProperties>>),
    ("Customer", again::<Resource<v2019::customers::CustomerProperties>>),
    ("CustomerPolicy", again::<Resource<PolicyProperties>>),
    ("Department", again::<Resource<v2019::departments::DepartmentProperties>>),
    (
        "DetachPaymentMethodEligibilityResult",
        again::<v2019::profiles::DetachPaymentMethodEligibilityResult>,
    ),
    ("DownloadUrl", again::<DownloadUrl>),
    (
        "EnrollmentAccount",
        again::<Resource<v2019::enrollment_accounts::EnrollmentAccountProperties>>,
    ),
    ("Instruction", again::<Resource<InstructionProperties>>),
    ("Invoice", again::<Resource<InvoiceProperties<v2019::invoices::InvoiceRebillDetails>>>),
    ("InvoiceSection", again::<Resource<v2019::sections::InvoiceSectionProperties>>),
    (
        "InvoiceSectionWithCreateSubPermission",
        again::<v2019::sections::InvoiceSectionWithCreateSubPermission>,
    ),
    ("PaymentMethod", again::<Resource<v2019::payment_methods::PaymentMethodProperties>>),
    ("Policy", again::<Resource<PolicyProperties>>),
    ("Product", again::<Resource<ProductProperties>>),
    (
        "RecipientTransferDetails",
        again::<Details<v2019::transfer_details::RecipientTransferProperties>>,
    ),
    ("TransferDetails", again::<Details<v2019::transfer_details::TransferProperties>>),
    ("Transaction", again::<Resource<TransactionProperties>>),
    ("TransferBillingSubscriptionResult", again::<v2019::moves::TransferBillingSubscriptionResult>),
    ("UpdateAutoRenewOperation", again::<v2019::moves::UpdateAutoRenewOperation>),
    ("ValidateAddressResponse", again::<Checked<Address2019>>),
    ("ValidateProductTransferEligibilityResult", again::<v2019::moves::TransferEligibilityResult>),
    (
        "ValidateSubscriptionTransferEligibilityResult",
        again::<v2019::moves::TransferEligibilityResult>,
    ),
    (
        "ValidateTransferResponse",
        again::<Details<v2019::recipient_transfers::ValidateTransferResponseProperties>>,
    ),
];

/// The same of the second version.
const ANSWERS_2020: &[(&str, Again)] = &[
    ("Agreement", again::<Resource<AgreementProperties>>),
    ("AvailableBalance", again::<Resource<AvailableBalanceProperties>>),
    ("BillingAccount", again::<Resource<v2020::accounts::BillingAccountProperties>>),
    ("BillingPermissionsProperties", again::<Permissions>),
    ("BillingProfile", again::<Resource<v2020::profiles::BillingProfileProperties>>),
    ("BillingProperty", again::<Resource<v2020::property::BillingPropertyProperties>>),
    (
        "BillingRoleAssignment",
        again::<Resource<v2020::role_assignments::BillingRoleAssignmentProperties>>,
    ),
    (
        "BillingRoleDefinition",
        again::<Resource<v2020::role_definitions::BillingRoleDefinitionProperties>>,
    ),
    ("BillingSubscription", again::<Resource<BillingSubscriptionProperties>>),
    ("Customer", again::<Resource<v2020::customers::CustomerProperties>>),
    ("CustomerPolicy", again::<Resource<PolicyProperties>>),
    ("DownloadUrl", again::<DownloadUrl>),
    ("Instruction", again::<Resource<InstructionProperties>>),
    ("Invoice", again::<Resource<InvoiceProperties<v2020::invoices::Rebills>>>),
    ("InvoiceSection", again::<Resource<v2020::sections::InvoiceSectionProperties>>),
    (
        "InvoiceSectionWithCreateSubPermission",
        again::<v2020::sections::InvoiceSectionWithCreateSubPermission>,
    ),
    ("Policy", again::<Resource<PolicyProperties>>),
    ("Product", again::<Resource<ProductProperties>>),
    ("Reservation", again::<v2020::reservations::Reservation>),
    ("Transaction", again::<Resource<TransactionProperties>>),
    ("ValidateAddressResponse", again::<Checked<Address2020>>),
    ("ValidateProductTransferEligibilityResult", again::<v2020::moves::MoveEligibilityResult>),
    ("ValidateSubscriptionTransferEligibilityResult", again::<v2020::moves::MoveEligibilityResult>),
];

/// The types of bodies by their operations.
const SENT_2019: &[(&str, Reads)] = &[
    ("Address_Validate", reads::<Address2019>),
    ("BillingAccounts_Update", reads::<Whole<v2019::accounts::AccountGiven>>),
    ("BillingProfiles_Create", reads::<v2019::profiles::ProfileMade>),
    ("BillingProfiles_Update", reads::<Whole<v2019::profiles::ProfileGiven>>),
    (
        "BillingRoleAssignments_AddByBillingAccount",
        reads::<v2019::role_assignments::BillingRoleAssignmentPayload>,
    ),
    (
        "BillingRoleAssignments_AddByBillingProfile",
        reads::<v2019::role_assignments::BillingRoleAssignmentPayload>,
    ),
    (
        "BillingRoleAssignments_AddByInvoiceSection",
        reads::<v2019::role_assignments::BillingRoleAssignmentPayload>,
    ),
    ("BillingSubscriptions_Transfer", reads::<v2019::moves::TransferGiven>),
    ("BillingSubscriptions_ValidateTransfer", reads::<v2019::moves::TransferGiven>),
    ("EnrollmentAccountRoleAssignments_Put", reads::<Whole<v2019::role_assignments::RoleGiven>>),
    ("EnrollmentDepartmentRoleAssignments_Put", reads::<Whole<v2019::role_assignments::RoleGiven>>),
    ("Instructions_Put", reads::<Whole<InstructionGiven>>),
    ("InvoiceSections_Create", reads::<v2019::sections::SectionMade>),
    ("InvoiceSections_Update", reads::<Whole<v2019::sections::SectionGiven>>),
    ("PartnerTransfers_Initiate", reads::<Wrapped<InitiateTransferProperties>>),
    ("Invoices_DownloadMultipleBillingProfileInvoices", reads::<Vec<String>>),
    ("Invoices_DownloadMultipleBillingSubscriptionInvoices", reads::<Vec<String>>),
    ("Invoices_DownloadMultipleEAInvoices", reads::<Vec<String>>),
    ("Policies_Update", reads::<Whole<PoliciesGiven>>),
    ("Policies_UpdateCustomer", reads::<Whole<CustomerPolicyGiven>>),
    ("Products_Transfer", reads::<v2019::moves::TransferGiven>),
    ("Products_UpdateAutoRenewByInvoiceSection", reads::<v2019::moves::RenewalGiven>),
    ("Products_ValidateTransfer", reads::<v2019::moves::TransferGiven>),
    ("RecipientTransfers_Accept", reads::<Wrapped<AcceptTransferProperties>>),
    ("RecipientTransfers_Validate", reads::<Wrapped<AcceptTransferProperties>>),
    ("RoleAssignments_Put", reads::<Whole<v2019::role_assignments::RoleGiven>>),
    ("Transfers_Initiate", reads::<Wrapped<InitiateTransferProperties>>),
];

/// The same of the second version.
const SENT_2020: &[(&str, Reads)] = &[
    ("Address_Validate", reads::<Address2020>),
    ("BillingAccounts_Update", reads::<Whole<v2020::accounts::AccountGiven>>),
    ("BillingProfiles_CreateOrUpdate", reads::<Whole<v2020::profiles::ProfileGiven>>),
    ("BillingProperty_Update", reads::<Whole<v2020::property::PropertyGiven>>),
    ("BillingSubscriptions_Move", reads::<v2020::moves::MoveGiven>),
    ("BillingSubscriptions_Update", reads::<Whole<v2020::moves::SubscriptionGiven>>),
    ("BillingSubscriptions_ValidateMove", reads::<v2020::moves::MoveGiven>),
    ("Instructions_Put", reads::<Whole<InstructionGiven>>),
    ("InvoiceSections_CreateOrUpdate", reads::<Whole<v2020::sections::SectionGiven>>),
    ("Invoices_DownloadMultipleBillingProfileInvoices", reads::<Vec<String>>),
    ("Invoices_DownloadMultipleBillingSubscriptionInvoices", reads::<Vec<String>>),
    ("Policies_Update", reads::<Whole<PoliciesGiven>>),
    ("Policies_UpdateCustomer", reads::<Whole<CustomerPolicyGiven>>),
    ("Products_Move", reads::<v2020::moves::MoveGiven>),
    ("Products_Update", reads::<Whole<v2020::moves::ProductGiven>>),
    ("Products_ValidateMove", reads::<v2020::moves::MoveGiven>),
];

/// The examples of what is served of a version.
fn examples(version: &str) -> Option<Vec<Example>> {
    let (_, group) = served().into_iter().find(|(of, _)| *of == version).unwrap();
    examples_of(&BILLING, version, &group.operations().iter().map(|one| one.id).collect())
}

/// The members of a body that are read whatever they hold, by their paths, without those that
/// are read only: `body` is one that is read, `is_read` tells of another.
fn unread(
    known: &Definitions,
    schema: &Value,
    body: &Value,
    is_read: &dyn Fn(Value) -> bool,
) -> BTreeSet<String> {
    let members = referred(schema).map_or_else(Map::new, |name| known.members(name));
    let mut found = BTreeSet::new();
    for (member, schema) in members.iter().filter(|(_, schema)| schema["readOnly"] != true) {
        let is_read_with = |value: Value| {
            let mut body = body.clone();
            body[member.as_str()] = value;
            is_read(body)
        };
        let anything = [json!(true), json!(0), json!("x"), json!([]), json!({})];
        let own = &body[member.as_str()];
        if anything.into_iter().all(&is_read_with) {
            found.insert(member.clone());
        } else if own.is_object() {
            let below = unread(known, schema, own, &is_read_with);
            found.extend(below.iter().map(|below| format!("{member}.{below}")));
        }
    }
    found
}

#[test]
fn an_answer_of_every_example_comes_out_of_our_types_as_it_went_in() {
    let mut broken = Vec::new();
    for (version, types) in [(V2019, ANSWERS_2019), (V2020, ANSWERS_2020)] {
        let Some(mut known) = Definitions::of(&BILLING, version) else { return };
        let (mut lost, mut used) = (BTreeSet::new(), BTreeSet::new());
        for example in &examples(version).unwrap() {
            for (name, body) in answers(example) {
                let wrong = known.problems(name, body);
                let is_listed = broken.contains(&(version, example.name.clone()));
                if !wrong.is_empty() && !is_listed {
                    broken.push((version, example.name.clone()));
                }
                let own = known.items(name);
                let values: Vec<&Value> = match own {
                    Some(_) => body["value"].as_array().unwrap().iter().collect(),
                    None => vec![body],
                };
                let name = own.unwrap_or(name);
                let (of, again) = types.iter().find(|(of, _)| *of == name).expect(name);
                used.insert(*of);
                for value in values {
                    let value: &'static Value = Box::leak(Box::new(value.clone()));
                    let written = again(value)
                        .unwrap_or_else(|error| panic!("{version} {}: {error}", example.name));
                    let schema = json!({ "$ref": format!("#/definitions/{name}") });
                    lost.extend(known.lost(&schema, value, &written));
                }
            }
        }
        let nulls = NULLS.iter().filter(|(of, _)| *of == version);
        let nulls: BTreeSet<String> = nulls.map(|(_, member)| (*member).to_owned()).collect();
        assert_eq!(lost, nulls, "{version}: lost on the way");
        let unused: Vec<&str> =
            types.iter().map(|(of, _)| *of).filter(|of| !used.contains(of)).collect();
        assert!(unused.is_empty(), "{version}: no example has {unused:?}");
    }
    broken.sort();
    let listed: Vec<(&str, String)> =
        BROKEN.iter().map(|(version, name, _)| (*version, (*name).to_owned())).collect();
    assert_eq!(broken, listed, "examples that break their own description");
}

#[test]
fn a_body_of_every_example_is_read() {
    for (version, types) in [(V2019, SENT_2019), (V2020, SENT_2020)] {
        let Some(examples) = examples(version) else { return };
        let mut sent = BTreeSet::new();
        for Example { name, id, operation, told } in examples {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            let Some(body) = parameters.find(|one| one["in"] == "body") else { continue };
            let Some(body) = told["parameters"].get(body["name"].as_str().unwrap()) else {
                panic!("{version} {name}: no body");
            };
            let reads = types.iter().find(|(of, _)| *of == id);
            let (of, reads) = reads.unwrap_or_else(|| panic!("{version} {id}: no type"));
            reads(body.clone()).unwrap_or_else(|error| panic!("{version} {name}: {error}"));
            sent.insert(*of);
        }
        let known: BTreeSet<&str> = types.iter().map(|(of, _)| *of).collect();
        assert_eq!(sent, known, "{version}: operations with a body");
    }
}

#[test]
fn what_is_taken_whatever_it_holds_is_read_only_or_listed() {
    for (version, types) in [(V2019, SENT_2019), (V2020, SENT_2020)] {
        let Some(known) = Definitions::of(&BILLING, version) else { return };
        let mut found = BTreeSet::new();
        for Example { name: _, id, operation, told } in examples(version).unwrap() {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            let Some(declared) = parameters.find(|one| one["in"] == "body") else { continue };
            let body = &told["parameters"][declared["name"].as_str().unwrap()];
            let (_, reads) = types.iter().find(|(of, _)| *of == id).expect("a type");
            let unread = unread(&known, &declared["schema"], body, &|body| reads(body).is_ok());
            found.extend(unread.into_iter().map(|member| format!("{version},{id},{member}")));
        }
        let listed = NOT_TAKEN.lines().filter(|line| line.starts_with(version));
        let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
        assert_eq!(found, listed, "tests/azure-billing/not_taken.csv");
    }
}
