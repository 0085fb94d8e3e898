//! Views against the published description: no member that it lacks, no other type, and what no
//! view fills stands in `docs/deviations/azure-billing-members.md`.

use super::*;
use crate::definitions::Definitions;
use crate::described::{
    BILLING, account, all, billed_to, check_same, customer, given, key, place, places, shell, spot,
};
use crate::described_holdings::{product, reservation, resold, subscription};
use crate::described_invoices::{manner, shown};
use crate::described_lines::check_transactions;
use crate::reading::{Asked, Family};
use crate::roles::described;
use domain::access::Role;
use domain::agreements::AgreementType;
use domain::moves::Obstacle;
use domain::places::Level;
use httpkit::BaseUrl;

#[test]
fn views_are_as_the_description_says() {
    let Some(mut known) = Definitions::of(&BILLING, VERSION) else { return };
    let (family, day) = (Family::from(places()), Some(5));
    for kind in AgreementType::ALL {
        let account = account(kind);
        known.check("BillingAccount", accounts::view(&account, &all(), &family, day));
        let shell = service::AccountTold { seen: None, ..account };
        let nothing = Asked::default();
        known.check("BillingAccount", accounts::view(&shell, &nothing, &family, day));
    }
    let (profile, kind) = (place(Level::BillingProfile, "ships", None), AgreementType::Partner);
    known.check("BillingProfile", profiles::view(&profile, Some(kind), Some(&family), day));
    known.check("BillingProfile", profiles::view(&shell(profile.clone()), None, None, day));
    let ships = Some(key(Level::BillingProfile, "ships"));
    let section = place(Level::InvoiceSection, "freight", ships);
    known.check("InvoiceSection", sections::view(&section));
    known.check("InvoiceSection", sections::view(&shell(section.clone())));
    let creatable = sections::creatable(&section, &profile);
    known.check("InvoiceSectionWithCreateSubPermission", creatable);
    let asked = ["enabledAzurePlans", "resellers"];
    known.check("Customer", customers::view(&customer(), &asked));
    known.check("Customer", customers::view(&customer(), &[]));
    known.check("BillingProperty", property::view(&billed_to()));
    check_holdings(&mut known);
    check_roles(&mut known);
    check_same(&mut known);
    check_invoices(&mut known);
    check_transactions(&mut known, VERSION);
    check_own(&mut known, &family);
    check_moves(&mut known);
    known.check_left_out();
}

const VERSION: &str = "2020-05-01";

fn check_holdings(known: &mut Definitions) {
    for held in [subscription().held, resold()] {
        let told = service::SubscriptionTold { held: held.clone(), ..subscription() };
        known.check("BillingSubscription", subscriptions::view(&told));
        let unread = service::SubscriptionTold { charges: None, ..told };
        known.check("BillingSubscription", subscriptions::view(&unread));
        let told = service::ProductTold { held, ..product() };
        known.check("Product", products::view(&told));
        let unread = service::ProductTold { last_charge: None, ends_at: None, ..told };
        known.check("Product", products::view(&unread));
    }
}

fn check_roles(known: &mut Definitions) {
    for role in Role::ALL {
        let Some(told) = described(role) else { continue };
        known.check("BillingRoleDefinition", role_definitions::view(&spot(None), &told));
        for kind in [AgreementType::Customer, AgreementType::Enterprise] {
            let view = role_assignments::view(&spot(None), kind, &given(role));
            known.check("BillingRoleAssignment", view.unwrap());
        }
    }
}

fn check_invoices(known: &mut Definitions) {
    let base = BaseUrl("https://reckoner.example".to_owned());
    let manner = manner(&base, VERSION);
    for kind in AgreementType::ALL {
        let (whose, told) = shown(kind);
        known.check("Invoice", invoices::view(&manner, &whose, &told).unwrap());
    }
}

fn check_moves(known: &mut Definitions) {
    for obstacle in Obstacle::ALL {
        // Both lists have the second: what has no word of its own stands behind it.
        let told =
            |operation| moves::eligibility(operation, &[obstacle, Obstacle::NoPrice]).unwrap();
        let subscription = told("BillingSubscriptions_ValidateMove");
        known.check("ValidateSubscriptionTransferEligibilityResult", subscription);
        let product = told("Products_ValidateMove");
        known.check("ValidateProductTransferEligibilityResult", product);
    }
}

/// What only this version has.
fn check_own(known: &mut Definitions, _: &Family) {
    let page = List { value: vec![customers::view(&customer(), &[])], next_link: None };
    known.check("CustomerListResult", CountedList { page, total_count: 1 });
    let ships = Some(key(Level::BillingProfile, "ships"));
    let section = sections::view(&place(Level::InvoiceSection, "freight", ships));
    let page = List { value: vec![section], next_link: None };
    known.check("InvoiceSectionListResult", CountedList { page, total_count: 1 });
    let page = List { value: vec![subscriptions::view(&subscription())], next_link: None };
    known.check("BillingSubscriptionsListResult", CountedList { page, total_count: 1 });
    check_reservations(known);
}

fn check_reservations(known: &mut Definitions) {
    use domain::reservations::ReservationState::*;
    use service::{ReservationTold, ReservedFor};
    let shell = Box::new(shell(place(Level::BillingProfile, "ships", None)));
    let of_scopes = [ReservedFor::Account, ReservedFor::Place(Some(shell))];
    let of_scopes = of_scopes.map(|covers| ReservationTold { covers, ..reservation("a") });
    let of_states = [Pending, Active, Expiring, Expired, Cancelled];
    let of_states = of_states.map(|state| ReservationTold { state, ..reservation("b") });
    let value: Vec<_> = of_scopes.iter().chain(&of_states).map(reservations::view).collect();
    let summary = value.iter().collect();
    let page = List { value, next_link: None };
    known.check("ReservationsListResult", reservations::Reservations { page, summary });
}

#[test]
fn what_a_subscription_cost_is_exact() {
    let told = serde_json::to_string(&subscriptions::view(&subscription())).unwrap();
    let expected = r#""monthToDateCharges":{"currency":"USD","value":600.000001}"#;
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_shell_says_that_it_is_one() {
    let check = |told: service::PlaceTold, expected: bool| {
        let view = profiles::view(&told, Some(AgreementType::Customer), None, Some(5));
        let properties = &serde_json::to_value(view).unwrap()["properties"];
        assert_eq!(properties["hasReadAccess"], expected);
        for member in ["billTo", "currency", "poNumber", "tags", "invoiceDay", "invoiceEmailOptIn"]
        {
            assert_eq!(properties.get(member).is_some(), expected, "{member}");
        }
    };
    let profile = place(Level::BillingProfile, "ships", None);
    check(profile.clone(), true);
    check(shell(profile), false);
}

#[test]
fn an_invoice_tells_what_it_stands_in_the_place_of_and_what_stands_in_its_own() {
    let base = BaseUrl("https://reckoner.example".to_owned());
    let (whose, told) = shown(AgreementType::Customer);
    let view = invoices::view(&manner(&base, VERSION), &whose, &told).unwrap();
    let properties = serde_json::to_value(view).unwrap()["properties"].clone();
    let above = "/providers/Microsoft.Billing/billingAccounts/north/invoices";
    assert_eq!(properties["billedDocumentId"], format!("{above}/reck-00000012"));
    let first = serde_json::json!({
        "creditNoteDocumentId": "reck-00000002",
        "invoiceDocumentId": format!("{above}/reck-00000001"),
    });
    let second = serde_json::json!({
        "creditNoteDocumentId": "reck-00000004",
        "invoiceDocumentId": format!("{above}/reck-00000003"),
        "rebillDetails": { "reck-00000001": first },
    });
    let expected = serde_json::json!({ "reck-00000003": second });
    assert_eq!(properties["rebillDetails"], expected);
    assert_eq!(properties["documents"][2]["kind"], "VoidNote");
    assert_eq!(properties["documents"][2]["source"], "DRS");
}
