//! Bodies against the published examples: each is read; what is shown may be sent back; what is not
//! declared is refused by its name.

use crate::described::published;
use crate::given::Whole;
use crate::same::instructions::InstructionGiven;
use crate::same::policies::{Allowed, CustomerPolicyGiven, Marketplace, PoliciesGiven};
use crate::{V2019, V2020, v2019, v2020};
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
    assert_eq!(account.properties.address.unwrap().draft().city, "Redmond");
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
    assert_eq!(profile.properties.bill_to.unwrap().draft().city, "Redmond");
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
        let read = serde_json::from_value::<Whole<v2020::sections::SectionGiven>>(body.clone());
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
}
