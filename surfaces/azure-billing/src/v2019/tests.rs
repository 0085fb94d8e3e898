//! Views against the published description: no member that it lacks, no other type, and what no
//! view fills stands in `docs/deviations/azure-billing-members.md`.

use super::*;
use crate::described::{
    Definitions, account, all, billed_to, check_same, customer, given, key, place, places, shell,
    spot, usd,
};
use crate::described_holdings::{product, resold, subscription};
use crate::reading::{Asked, Family};
use crate::roles::described;
use domain::access::Role;
use domain::agreements::AgreementType;
use domain::ids::{PaymentMethodId, PlaceId};
use domain::moves::Obstacle;
use domain::payment_methods::{Card, PaymentMeans, PaymentMethod, PaymentMethodStanding};
use domain::places::Level;
use serde_json::json;
use service::{Attached, PaymentMethodTold};

#[test]
fn views_are_as_the_description_says() {
    let Some(mut known) = Definitions::of(VERSION) else { return };
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
    check_own(&mut known, &family);
    check_moves(&mut known);
    known.check_left_out();
}

const VERSION: &str = "2019-10-01-preview";

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
        for kind in [AgreementType::Customer, AgreementType::Enterprise] {
            let view = role_definitions::view(&spot(None), kind, &told);
            known.check("BillingRoleDefinition", view);
            let view = role_assignments::view(&spot(None), kind, &given(role));
            known.check("BillingRoleAssignment", view.unwrap());
        }
    }
}

fn check_moves(known: &mut Definitions) {
    // What only subscriptions have, and what only products have.
    let of_subscriptions = [
        Obstacle::AccountInactive,
        Obstacle::SourceSectionInactive,
        Obstacle::SourceProfilePastDue,
        Obstacle::NoProfile,
        Obstacle::NoSection,
        Obstacle::Unclear,
        Obstacle::ProfileInactive,
        Obstacle::SectionInactive,
        Obstacle::MarketplaceClosed,
    ];
    let of_products = [Obstacle::PaidOnce, Obstacle::PlanStays];
    for obstacle in Obstacle::ALL {
        let all = [obstacle, Obstacle::NoPrice];
        if !of_products.contains(&obstacle) {
            let told = moves::eligibility("BillingSubscriptions_ValidateTransfer", &all);
            known.check("ValidateSubscriptionTransferEligibilityResult", told);
        }
        if !of_subscriptions.contains(&obstacle) {
            let told = moves::eligibility("Products_ValidateTransfer", &all);
            known.check("ValidateProductTransferEligibilityResult", told);
        }
    }
    known.check("TransferBillingSubscriptionResult", moves::transferred("s"));
    let ends_at = "2027-01-01T00:00:00Z".to_owned();
    known.check("UpdateAutoRenewOperation", moves::renewal(Some(ends_at)));
}

/// What only this version has.
fn check_own(known: &mut Definitions, family: &Family) {
    let department = place(Level::Department, "research", None);
    known.check("Department", departments::view(&department, Some(family)));
    known.check("Department", departments::view(&shell(department), None));
    let parent = Some(key(Level::Department, "research"));
    let lab = place(Level::EnrollmentAccount, "lab", parent);
    known.check("EnrollmentAccount", enrollment_accounts::view(&lab, Some(family)));
    known.check("EnrollmentAccount", enrollment_accounts::view(&shell(lab), None));
    let of = account(AgreementType::Customer).id;
    for means in [PaymentMeans::Invoice, PaymentMeans::Check, card()] {
        let (standing, profile) = (PaymentMethodStanding::Default, None);
        let method = PaymentMethod { means, profile, standing };
        let id = PaymentMethodId::new("card").unwrap();
        let told = PaymentMethodTold { id, method, currency: usd() };
        known.check("PaymentMethod", payment_methods::view(&of, &told));
    }
    let every = [
        Attached::Subscriptions,
        Attached::RecurringCharges,
        Attached::Reservations,
        Attached::Outstanding,
        Attached::Pending,
    ];
    known.check("DetachPaymentMethodEligibilityResult", profiles::eligibility(every));
    let free = profiles::eligibility([]);
    known.check("DetachPaymentMethodEligibilityResult", free);
}

fn card() -> PaymentMeans {
    let expires = calendar::BillingPeriod::parse("2028-05").unwrap();
    PaymentMeans::Card(Card::new("0042", expires).unwrap())
}

#[test]
fn a_card_is_spelled_with_its_last_digits_and_month() {
    let method = PaymentMethod {
        means: card(),
        profile: Some(PlaceId::new("ships").unwrap()),
        standing: PaymentMethodStanding::Default,
    };
    let id = PaymentMethodId::new("card").unwrap();
    let told = PaymentMethodTold { id, method, currency: usd() };
    let view = payment_methods::view(&account(AgreementType::Customer).id, &told);
    let told = serde_json::to_value(view).unwrap();
    let profile = "/providers/Microsoft.Billing/billingAccounts/north/billingProfiles/ships";
    assert_eq!(told["id"], format!("{profile}/paymentMethods/card"));
    assert_eq!(told["type"], "Microsoft.Billing/billingAccounts/billingProfiles/paymentMethods");
    let (details, expiration) = ("Card ending in 0042", "5/2028");
    let expected = json!({ "details": details, "expiration": expiration, "currency": "USD" });
    assert_eq!(told["properties"], expected);
}

#[test]
fn a_holding_is_named_below_the_place_where_it_stands() {
    let check = |view: serde_json::Value, id: &str, kind: &str| {
        let account = "/providers/Microsoft.Billing/billingAccounts/north";
        assert_eq!(view["id"], format!("{account}/{id}"));
        assert_eq!(view["type"], format!("Microsoft.Billing/billingAccounts/{kind}"));
    };
    let product = |held| service::ProductTold { held, ..product() };
    let view = |told| serde_json::to_value(products::view(&told)).unwrap();
    let section = "billingProfiles/ships/invoiceSections/freight/products/support";
    let kind = "billingProfiles/invoiceSections/products";
    check(view(product(subscription().held)), section, kind);
    check(view(product(resold())), "customers/bakery/products/support", "customers/products");
}
