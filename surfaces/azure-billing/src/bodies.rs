//! Bodies against the published examples: each is read; what is shown may be sent back; what is not
//! declared is refused by its name.

use crate::described::published;
use crate::given::{Whole, Wrapped, sent};
use crate::same::instructions::InstructionGiven;
use crate::same::policies::{Allowed, CustomerPolicyGiven, Marketplace, PoliciesGiven};
use crate::v2019::recipient_transfers::AcceptTransferProperties;
use crate::{V2019, V2020, v2019, v2020};
use httpkit::Object;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The body of a published example.
fn example(version: &str, name: &str) -> Option<Value> {
    let whole = published(&format!("{version}/examples/{name}.json"))?;
    Some(whole["parameters"]["parameters"].clone())
}

fn read<T: DeserializeOwned>(version: &str, name: &str) -> Option<T> {
    let body = example(version, name)?;
    let told = body.to_string();
    Some(serde_json::from_value(body).unwrap_or_else(|error| panic!("{name}: {error}: {told}")))
}

#[test]
fn published_examples_of_the_first_version_are_read() {
    let Some(account) = read::<Whole<v2019::accounts::AccountGiven>>(V2019, "UpdateBillingAccount")
    else {
        return;
    };
    assert_eq!(account.properties.address.unwrap().0.draft().city, "Redmond");
    let made: v2019::profiles::ProfileMade = read(V2019, "CreateBillingProfile").unwrap();
    assert_eq!(made.po_number.as_deref(), Some("ABC12345"));
    let profile: Whole<v2019::profiles::ProfileGiven> =
        read(V2019, "UpdateBillingProfile").unwrap();
    assert_eq!(profile.properties.display_name.as_deref(), Some("BillingProfile11"));
    let made: v2019::sections::SectionMade = read(V2019, "CreateInvoiceSection").unwrap();
    assert_eq!(made.display_name.as_deref(), Some("invoiceSection1"));
    let section: Whole<v2019::sections::SectionGiven> =
        read(V2019, "UpdateInvoiceSection").unwrap();
    assert_eq!(section.properties.display_name.as_deref(), Some("invoiceSection1"));
    for place in ["BillingAccount", "BillingProfile", "InvoiceSection"] {
        let name = format!("AddRoleAssignmentTo{place}");
        let payload: v2019::role_assignments::BillingRoleAssignmentPayload =
            read(V2019, &name).unwrap();
        assert!(payload.principal_id.is_some(), "{name}");
    }
    for name in [
        "PutAdministratorRoleAssignment",
        "PutEnrollmentDepartmentAdministratorRoleAssignment",
        "PutEnrollmentAccountSubscriptionCreatorRoleAssignment",
    ] {
        let role: Whole<v2019::role_assignments::RoleGiven> = read(V2019, name).unwrap();
        assert!(role.properties.role_definition_id.is_some(), "{name}");
    }
}

#[test]
fn published_examples_of_the_second_version_are_read() {
    let Some(account) = read::<Whole<v2020::accounts::AccountGiven>>(V2020, "UpdateBillingAccount")
    else {
        return;
    };
    assert_eq!(account.properties.display_name.as_deref(), Some("Test Account"));
    let profile: Whole<v2020::profiles::ProfileGiven> = read(V2020, "PutBillingProfile").unwrap();
    assert_eq!(profile.properties.bill_to.unwrap().0.draft().city, "Redmond");
    let section: Whole<v2020::sections::SectionGiven> = read(V2020, "PutInvoiceSection").unwrap();
    assert_eq!(section.properties.labels.unwrap()["pcCode"], "A123456");
    let property: Whole<v2020::property::PropertyGiven> =
        read(V2020, "UpdateBillingProperty").unwrap();
    assert_eq!(property.properties.cost_center.as_deref(), Some("1010"));
}

#[test]
fn published_examples_of_both_versions_are_read() {
    for version in [V2019, V2020] {
        let Some(policy) = read::<Whole<PoliciesGiven>>(version, "UpdatePolicy") else { return };
        let bought = policy.properties.marketplace_purchases;
        assert_eq!(bought, Some(Marketplace::OnlyFreeAllowed));
        let policy: Whole<CustomerPolicyGiven> = read(version, "UpdateCustomerPolicy").unwrap();
        assert_eq!(policy.properties.view_charges, Some(Allowed::NotAllowed));
        let instruction: Whole<InstructionGiven> = read(version, "PutInstruction").unwrap();
        assert_eq!(instruction.properties.amount.0.to_string(), "5000");
    }
}

#[test]
fn what_was_shown_may_be_sent_back_and_what_is_not_declared_is_refused() {
    let check = |body: Value, expected: Result<(), &str>| {
        let read =
            serde_json::from_value::<Object<Whole<v2020::sections::SectionGiven>>>(body.clone());
        match (read, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{error}"),
            (read, _) => panic!("{body}: {read:?}"),
        }
    };
    let shown = json!({"displayName": "Freight", "state": "Active", "systemId": "freight",
        "labels": {"a": "b"}, "targetCloud": null});
    check(json!({"id": "/x", "name": "freight", "type": "t", "properties": shown}), Ok(()));
    check(json!({"properties": {}}), Ok(()));
    check(json!({}), Err("missing field `properties`"));
    check(json!({"properties": {"display": "x"}}), Err("unknown field `display`"));
    check(json!({"properties": {}, "tags": {}}), Err("unknown field `tags`"));
    check(json!({"properties": {"displayName": 1}}), Err("expected a string"));
    check(json!({"properties": {"labels": {"a": 1}}}), Err("expected a string"));
    // serde alone would take the members of an array in their order.
    check(json!([null, null, null, {}]), Err("expected an object"));
    check(json!({"properties": ["Freight"]}), Err("expected an object"));
    check(json!({"properties": null}), Err("expected an object"));
    check(json!({"properties": {"labels": []}}), Err("expected a map"));
}

#[test]
fn products_are_named_as_the_contract_says() {
    let check = |products: Value, expected: Result<(), &str>| {
        let body = json!({"properties": {"productDetails": products}});
        let read = serde_json::from_value::<Wrapped<AcceptTransferProperties>>(body);
        match (read, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{error}"),
            (read, _) => panic!("{products}: {read:?}"),
        }
    };
    let of = |kind: &str| json!([{"productType": kind, "productId": "ovens"}]);
    check(of("AzureSubscription"), Ok(()));
    check(of("AzureReservation"), Ok(()));
    check(of("ReservedInstance"), Err("must be AzureSubscription or AzureReservation"));
    check(json!([{"productType": "AzureSubscription", "id": 1}]), Err("unknown field `id`"));
    check(json!([["AzureSubscription", "ovens"]]), Err("expected an object"));
    check(json!({}), Err("expected a sequence"));
}

#[test]
fn an_address_is_an_object() {
    let check = |address: Value, is_read: bool| {
        let body = json!({"properties": {"billTo": address}});
        let read = serde_json::from_value::<Whole<v2020::profiles::ProfileGiven>>(body);
        assert_eq!(read.is_ok(), is_read, "{read:?}");
    };
    check(json!({"addressLine1": "1", "country": "US"}), true);
    check(json!(null), true);
    let all = [null(), null(), null(), null(), json!("1"), null(), null(), null()];
    let rest = [null(), null(), json!("US"), null(), null(), null()];
    check(Value::from([&all[..], &rest[..]].concat()), false);
}

fn null() -> Value {
    Value::Null
}

#[test]
fn what_is_wrong_is_named_as_the_client_sent_it() {
    let check = |operation: &str, field: &str, expected: &str| {
        assert_eq!(sent(operation, field), expected, "{operation} {field}");
    };
    // The first version makes things without `properties` around what they are.
    check("BillingProfiles_Create", "name", "displayName");
    check("BillingProfiles_Create", "order_number", "poNumber");
    check("InvoiceSections_Create", "name", "displayName");
    check("BillingProfiles_Update", "name", "properties.displayName");
    check("BillingProfiles_CreateOrUpdate", "order_number", "properties.poNumber");
    check("BillingProfiles_CreateOrUpdate", "tags", "properties.tags");
    check("InvoiceSections_CreateOrUpdate", "tags", "properties.labels");
    check("BillingProfiles_CreateOrUpdate", "name in the address", "billingProfileName");
    check("InvoiceSections_Create", "name in the address", "invoiceSectionName");
    check("Instructions_Put", "amount", "properties.amount");
    check("Instructions_Put", "ends", "properties.endDate");
    check("Instructions_Put", "instruction", "instructionName");
    check("BillingProperty_Update", "cost_center", "properties.costCenter");
    check("BillingRoleAssignments_AddByBillingAccount", "role", "billingRoleDefinitionId");
    check("BillingRoleAssignments_AddByInvoiceSection", "principal", "principalId");
    check("RoleAssignments_Put", "scope", "properties.roleDefinitionId");
    check("Transfers_Initiate", "recipient_email", "properties.recipientEmailId");
    check("PartnerTransfers_Initiate", "reseller", "properties.resellerId");
    check("RecipientTransfers_Accept", "products", "properties.productDetails");
    check("EnrollmentAccountRoleAssignments_Put", "email", "properties.userEmailAddress");
}
