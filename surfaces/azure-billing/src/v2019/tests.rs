//! Views against the published description: no member that it lacks, no other type, and what no
//! view fills stands in `docs/deviations/azure-billing-members.md`.

use super::*;
use crate::at;
use crate::described::{
    Definitions, account, billed_to, customer, during, key, place, places, shell, usd,
};
use crate::reading::{Asked, Family, Spot};
use crate::roles::described;
use crate::same;
use domain::accepted_agreements::{
    AcceptanceMode, AcceptedAgreement, AgreementCategory, Answer, Participant,
};
use domain::access::{Role, Scope};
use domain::agreements::AgreementType;
use domain::ids::{
    AcceptedAgreementId, InstructionId, PaymentMethodId, PlaceId, PrincipalId, TenantId,
};
use domain::instructions::Instruction;
use domain::payment_methods::{Card, PaymentMeans, PaymentMethod, PaymentMethodStanding};
use domain::places::Level;
use money::Money;
use serde_json::json;
use service::{Attached, Owner, PaymentMethodTold, RoleTold};

fn all() -> Asked {
    Asked {
        address: true,
        profiles: true,
        sections: true,
        enrollment: true,
        departments: true,
        enrollment_accounts: true,
    }
}

fn spot(level: Option<Level>) -> Spot {
    let account = account(AgreementType::Customer).id;
    let id = at::account_id(&account);
    Spot { id, level, scope: Scope::Account(account) }
}

fn given(role: Role) -> RoleTold {
    let email = Some("ada@north.example".to_owned());
    RoleTold {
        role,
        principal: PrincipalId::new("ada").unwrap(),
        holder: Some(Owner { name: "Ada".to_owned(), email }),
        tenant: Some(TenantId::new("t").unwrap()),
    }
}

fn accepted() -> AcceptedAgreement {
    AcceptedAgreement {
        name: "General terms".to_owned(),
        category: AgreementCategory::CustomerAgreement,
        mode: AcceptanceMode::Click,
        accepted_by: "ada@north.example".to_owned(),
        accepted_at: during().start(),
        during: during(),
        link: "https://reckoner.example/terms".to_owned(),
        participants: vec![Participant {
            email: "ada@north.example".to_owned(),
            answer: Answer::Accepted,
            at: during().start(),
        }],
    }
}

/// What both versions spell alike.
fn check_same(known: &mut Definitions) {
    let id = AcceptedAgreementId::new("terms").unwrap();
    let of = account(AgreementType::Customer).id;
    known.check("Agreement", same::agreements::agreement(&of, &id, &accepted(), true));
    let instruction = Instruction {
        profile: PlaceId::new("ships").unwrap(),
        amount: Money::from_minor(250_050, usd()),
        during: during(),
        created_at: during().start(),
    };
    let id = InstructionId::new("summer").unwrap();
    known.check("Instruction", same::instructions::instruction("/p", &id, &instruction).unwrap());
    let detail = |level| place(level, "x", None).seen.unwrap().facts.detail;
    let of_profile = same::policies::policy("/p", &detail(Level::BillingProfile)).unwrap();
    known.check("Policy", of_profile);
    let of_customer = same::policies::policy("/c", &detail(Level::Customer)).unwrap();
    known.check("CustomerPolicy", of_customer);
}

#[test]
fn views_are_as_the_description_says() {
    let Some(mut known) = Definitions::of(VERSION) else { return };
    let (family, day) = (Family(places()), Some(5));
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
    check_roles(&mut known);
    check_same(&mut known);
    check_own(&mut known, &family);
    known.check_left_out();
}

const VERSION: &str = "2019-10-01-preview";

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
