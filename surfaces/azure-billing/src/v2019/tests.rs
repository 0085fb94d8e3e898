//! Views against the published description: no member that it lacks, no other type, and what no
//! view fills stands in `docs/deviations/azure-billing-members.md`.

use super::*;
use crate::definitions::Definitions;
use crate::described::{
    BILLING, account, all, billed_to, check_same, customer, given, key, place, places, shell, spot,
    usd,
};
use crate::described_holdings::{product, resold, subscription};
use crate::described_invoices::{manner, shown};
use crate::described_lines::check_transactions;
use crate::reading::{Asked, Family};
use crate::roles::described;
use domain::access::Role;
use domain::agreements::AgreementType;
use domain::ids::{PaymentMethodId, PlaceId, ResellerId, TransferId};
use domain::moves::Obstacle;
use domain::payment_methods::{Card, PaymentMeans, PaymentMethod, PaymentMethodStanding};
use domain::places::{Level, Place, Reseller};
use domain::transfers::{
    Finding, FindingLevel, Outcome, ProductKind, ProductTransferState, TransferProblem,
    TransferState,
};
use httpkit::BaseUrl;
use serde_json::{Value, json};
use service::{Attached, PaymentMethodTold, TransferTold, TransferredProduct, ValidatedProduct};

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
        let subscription = told("BillingSubscriptions_ValidateTransfer");
        known.check("ValidateSubscriptionTransferEligibilityResult", subscription);
        let product = told("Products_ValidateTransfer");
        known.check("ValidateProductTransferEligibilityResult", product);
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
    check_transfers(known);
}

const TRANSFER_STATES: [(TransferState, &str); 8] = [
    (TransferState::Pending, "Pending"),
    (TransferState::InProgress, "InProgress"),
    (TransferState::Completed, "Completed"),
    (TransferState::CompletedWithErrors, "CompletedWithErrors"),
    (TransferState::Failed, "Failed"),
    (TransferState::Canceled, "Canceled"),
    (TransferState::Declined, "Declined"),
    (TransferState::Expired, "Canceled"),
];

/// A transfer to a section of `north`, or to a customer of its, of which everything is told.
fn transfer(state: TransferState, level: Level) -> TransferTold {
    let at = |text: &str| calendar::Instant::parse(text).unwrap();
    let states = [
        ProductTransferState::NotStarted,
        ProductTransferState::InProgress,
        ProductTransferState::Completed,
        ProductTransferState::Failed,
    ];
    let product = |state: ProductTransferState| TransferredProduct {
        kind: ProductKind::Subscription,
        id: "ovens".to_owned(),
        state,
        error: (state == ProductTransferState::Failed).then(|| TransferProblem {
            code: "SubscriptionNotActive".to_owned(),
            message: "subscription `ovens` is not active".to_owned(),
        }),
    };
    let billing_account = account(AgreementType::Partner).id;
    TransferTold {
        id: TransferId::new("t-1").unwrap(),
        initiator: Place { billing_account, key: key(level, "freight") },
        profile: PlaceId::new("ships").unwrap(),
        initiator_email: Some("ada@north.example".to_owned()),
        recipient_email: "bo@south.example".to_owned(),
        reseller: Some(Reseller {
            id: ResellerId::new("4711").unwrap(),
            name: "Resale".to_owned(),
        }),
        kind: AgreementType::Partner,
        state,
        created_at: at("2026-06-01T08:00:00.000001Z"),
        expires_at: at("2026-06-15T08:00:00Z"),
        modified_at: at("2026-06-02T08:00:00Z"),
        canceled_by: Some("ada@north.example".to_owned()),
        products: states.map(product).into(),
    }
}

fn check_transfers(known: &mut Definitions) {
    for (state, word) in TRANSFER_STATES {
        let told = transfer(state, Level::InvoiceSection);
        known.check("TransferDetails", transfer_details::view(&told));
        known.check("RecipientTransferDetails", transfer_details::received(&told));
        let shown = serde_json::to_value(transfer_details::received(&told)).unwrap();
        assert_eq!(shown["properties"]["transferStatus"], word, "{state:?}");
    }
    for (outcome, level) in [
        (Outcome::Ready, FindingLevel::Warning),
        (Outcome::Warning, FindingLevel::Warning),
        (Outcome::Failed, FindingLevel::Error),
    ] {
        let finding = Finding { level, code: "Found", message: "something".to_owned() };
        let (kind, id) = (ProductKind::Reservation, "r-1".to_owned());
        let told = ValidatedProduct { kind, id, outcome, findings: vec![finding] };
        known.check("ValidateTransferResponse", recipient_transfers::result(&told));
    }
}

#[test]
fn a_transfer_is_told_with_its_places_to_who_asked_for_it_and_without_to_who_answers() {
    let north = "/providers/Microsoft.Billing/billingAccounts/north";
    let check = |level: Level, collection: &str| {
        let told = transfer(TransferState::Pending, level);
        let shown = serde_json::to_value(transfer_details::view(&told)).unwrap();
        let own = |member: &str| shown["properties"][member].clone();
        let ships = format!("{north}/billingProfiles/ships");
        assert_eq!(own("billingAccountId"), north);
        assert_eq!(own("billingProfileId"), ships);
        assert_eq!(own("invoiceSectionId"), format!("{ships}/{collection}/freight"));
        let received = serde_json::to_value(transfer_details::received(&told)).unwrap();
        for id in ["/north", "ships", "freight"] {
            assert!(!received.to_string().contains(id), "{id} is told: {received}");
        }
        let places = ["billingAccountId", "billingProfileId", "invoiceSectionId"];
        for (member, value) in shown["properties"].as_object().unwrap() {
            if !places.contains(&member.as_str()) {
                assert_eq!(received["properties"][member], *value, "{member}");
            }
        }
        assert_ne!(received["properties"]["allowedProductType"], Value::Null);
    };
    check(Level::InvoiceSection, "invoiceSections");
    check(Level::Customer, "customers");
}

#[test]
fn a_transfer_is_named_by_the_time_at_which_it_was_made_unless_another_was_made_then() {
    let one = || transfer(TransferState::Pending, Level::Customer);
    let later = || TransferTold { created_at: one().created_at.plus_seconds(1), ..one() };
    let check = |all: Vec<TransferTold>, name: &str, is_found: bool| {
        let found = transfer_details::made_at(all, name);
        assert_eq!(found.is_some(), is_found, "{name}");
        assert!(found.is_none_or(|told| told.created_at == one().created_at));
    };
    let made = one().created_at.to_string();
    check(vec![later(), one()], &made, true);
    check(vec![later(), one()], "2026-06-01T10:00:00.000001+02:00", true);
    check(vec![one(), one()], &made, false);
    check(vec![later()], &made, false);
    check(vec![one()], "2026-06-01T08:00:00Z", false);
    check(vec![one()], "t-1", false);
    check(vec![one()], " ", false);
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

#[test]
fn an_invoice_tells_its_rebills_to_enterprises_and_its_sums_to_others() {
    let base = BaseUrl("https://reckoner.example".to_owned());
    let of = |kind| {
        let (whose, told) = shown(kind);
        let view = invoices::view(&manner(&base, VERSION), &whose, &told).unwrap();
        serde_json::to_value(view).unwrap()
    };
    let check = |kind: AgreementType, member: &str, expected: serde_json::Value| {
        assert_eq!(of(kind)["properties"][member], expected, "{kind:?} {member}");
    };
    let (customer, enterprise) = (AgreementType::Customer, AgreementType::Enterprise);
    let above = "/providers/Microsoft.Billing/billingAccounts/north";
    let rebilled = json!({
        "rebillDocumentType": "Rebill",
        "rebilledInvoiceId": format!("{above}/invoices/reck-00000010"),
        "latestInvoiceId": format!("{above}/invoices/reck-00000012"),
    });
    check(enterprise, "rebillDetails", rebilled);
    check(customer, "rebillDetails", json!(null));
    check(customer, "isMonthlyInvoice", json!(false));
    check(enterprise, "isMonthlyInvoice", json!(null));
    check(customer, "totalAmount", json!({ "currency": "USD", "value": 0 }));
    check(enterprise, "totalAmount", json!(null));
    check(customer, "purchaseOrderNumber", json!("4711"));
    check(AgreementType::OnlineServices, "subscriptionId", json!("ferry"));
    check(customer, "status", json!("Void"));
    check(customer, "dueDate", json!("2026-10-19T00:00:00Z"));
    check(customer, "invoicePeriodEndDate", json!("2026-09-30T00:00:00Z"));
    let documents = of(enterprise)["properties"]["documents"].clone();
    let told = |document: &serde_json::Value| {
        let numbers = document["documentNumbers"].to_string();
        (document["kind"].as_str().unwrap().to_owned(), numbers)
    };
    let told: Vec<_> = documents.as_array().unwrap().iter().map(told).collect();
    let expected = [("Invoice", 7), ("CreditNote", 8), ("VoidNote", 9)];
    let expected = expected.map(|(kind, n)| (kind.to_owned(), format!("[\"reck-0000000{n}\"]")));
    assert_eq!(told, expected);
    let url = documents[1]["url"].as_str().unwrap();
    let of_invoice = "https://reckoner.example/providers/Microsoft.Billing/billingAccounts/north/\
                      invoices/reck-00000007/download?downloadToken=";
    assert!(url.starts_with(of_invoice), "{url}");
    assert!(url.ends_with("&useCache=True&api-version=2019-10-01-preview"), "{url}");
}
