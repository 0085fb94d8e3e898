//! For the tests: the published descriptions, and things to be shown by them.

use crate::definitions::{Contract, Definitions};
use crate::reading::{Asked, Spot};
use crate::{at, same};
use calendar::{Instant, Interval};
use domain::accepted_agreements::{
    AcceptanceMode, AcceptedAgreement, AgreementCategory, Answer, Participant,
};
use domain::access::{Role, Scope};
use domain::addresses::{Address, Country};
use domain::agreements::{Agreement, AgreementType, Enrollment, EnrollmentPolicies, Permission};
use domain::ids::{
    AcceptedAgreementId, BillingAccountId, InstructionId, OfferId, PlaceId, PrincipalId,
    ResellerId, SubscriptionId, TenantId,
};
use domain::instructions::Instruction;
use domain::places::{
    BillingProfile, Customer, Detail, Level, MarketplacePurchases, Place, PlaceFacts, PlaceKey,
    PlaceState, Reseller,
};
use money::{Currency, Money};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use service::{
    AccountSeen, AccountTold, BilledTo, CustomerTold, OfferTold, Owner, PlaceSeen, PlaceTold,
    RoleTold,
};
use std::collections::BTreeMap;

/// The contract of this surface.
pub(crate) const BILLING: Contract = Contract {
    folder: "microsoft-billing",
    file: "billing.json",
    left_out: "azure-billing-members.md",
};

/// A published file of this contract, as [`Contract::published`].
pub(crate) fn published(file: &str) -> Option<Value> {
    BILLING.published(file)
}

/// Words of an answer, as our types hold them: for ever.
pub(crate) fn words<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<&'static [&'static str], D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    let all: Vec<&'static str> = all.into_iter().map(|word| &*word.leak()).collect();
    let kept: &'static [&'static str] = all.leak();
    Ok(kept)
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

pub(crate) fn during() -> Interval {
    Interval::new(at("2026-01-01"), at("2029-01-01")).unwrap()
}

pub(crate) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

fn address() -> Address {
    Address {
        first_name: "Ada".to_owned(),
        last_name: "North".to_owned(),
        company_name: "North Lines".to_owned(),
        lines: ["1 Pier".to_owned(), "Hall 2".to_owned(), "Desk 3".to_owned()],
        city: "Seattle".to_owned(),
        region: "WA".to_owned(),
        country: Country::parse("US").unwrap(),
        postal_code: "98101".to_owned(),
    }
}

/// A billing account that its reader sees in full.
pub(crate) fn account(kind: AgreementType) -> AccountTold {
    let agreement = match kind {
        AgreementType::Customer => Agreement::Customer { profile_creation: Permission::Allowed },
        AgreementType::Partner => Agreement::Partner,
        AgreementType::OnlineServices => Agreement::OnlineServices,
        AgreementType::Messaging => Agreement::Messaging,
        AgreementType::Enterprise => Agreement::Enterprise(Enrollment {
            term: during(),
            currency: usd(),
            country: Country::parse("US").unwrap(),
            prepayment: Money::zero(usd()),
            policies: EnrollmentPolicies {
                department_administrators_view_charges: Permission::Allowed,
                account_owners_view_charges: Permission::NotAllowed,
                marketplace_purchases: Permission::Allowed,
                reservation_purchases: Permission::Allowed,
            },
        }),
    };
    let (at, address) = (at("2026-06-01"), Some(address()));
    AccountTold {
        id: BillingAccountId::new("north").unwrap(),
        name: "North".to_owned(),
        currency: usd(),
        kind: Some(kind),
        seen: Some(Box::new(AccountSeen { agreement: Some(agreement), address, at })),
    }
}

/// A key: `ships` of a level.
pub(crate) fn key(level: Level, id: &str) -> PlaceKey {
    PlaceKey { level, id: PlaceId::new(id).unwrap() }
}

/// A place of `north` that its reader sees in full.
pub(crate) fn place(level: Level, id: &str, parent: Option<PlaceKey>) -> PlaceTold {
    let detail = match level {
        Level::BillingProfile => Detail::BillingProfile(Box::new(BillingProfile {
            currency: usd(),
            address: Some(address()),
            order_number: "4711".to_owned(),
            marketplace_purchases: MarketplacePurchases::OnlyFree,
            reservation_purchases: Permission::Allowed,
            view_charges: Permission::NotAllowed,
        })),
        Level::InvoiceSection => Detail::InvoiceSection,
        Level::Customer => Detail::Customer(Customer {
            plans: Vec::new(),
            resellers: Vec::new(),
            view_charges: Permission::Allowed,
        }),
        Level::Department => Detail::Department { quota: None },
        Level::EnrollmentAccount | Level::MessagingAccount => Detail::EnrollmentAccount,
    };
    let (name, state) = (id.to_owned(), PlaceState::PastDue);
    let cost_center = "42".to_owned();
    let facts = PlaceFacts { name, parent: parent.clone(), state, cost_center, detail };
    let owner = Owner { name: "Ada".to_owned(), email: Some("ada@north.example".to_owned()) };
    let seen = PlaceSeen {
        facts,
        since: at("2026-01-01"),
        until: Some(at("2029-01-01")),
        tags: BTreeMap::from([("fleet".to_owned(), "baltic".to_owned())]),
        owner: Some(owner),
    };
    let place = Place { billing_account: account(AgreementType::Customer).id, key: key(level, id) };
    PlaceTold { place, name: id.to_owned(), parent, state, seen: Some(Box::new(seen)) }
}

/// The same as somebody sees it who only holds a role below.
pub(crate) fn shell(told: PlaceTold) -> PlaceTold {
    PlaceTold { seen: None, ..told }
}

/// A profile with a section, a department with an enrollment account.
pub(crate) fn places() -> Vec<PlaceTold> {
    let (profile, department) = (Level::BillingProfile, Level::Department);
    vec![
        place(profile, "ships", None),
        place(Level::InvoiceSection, "freight", Some(key(profile, "ships"))),
        place(department, "research", None),
        place(Level::EnrollmentAccount, "lab", Some(key(department, "research"))),
    ]
}

pub(crate) fn offer() -> OfferTold {
    OfferTold { id: OfferId::new("PAYG").unwrap(), name: Some("Pay as you go".to_owned()) }
}

pub(crate) fn reseller() -> Reseller {
    Reseller { id: ResellerId::new("corner").unwrap(), name: "Corner Shop".to_owned() }
}

pub(crate) fn customer() -> CustomerTold {
    CustomerTold {
        place: place(Level::Customer, "bakery", None),
        profile: Some(place(Level::BillingProfile, "ships", None)),
        plans: vec![offer()],
        resellers: vec![reseller()],
    }
}

pub(crate) fn billed_to() -> BilledTo {
    let ships = key(Level::BillingProfile, "ships");
    BilledTo {
        subscription: SubscriptionId::new("s").unwrap(),
        tenant: Some(domain::ids::TenantId::new("t").unwrap()),
        account: account(AgreementType::Customer),
        profile: Some(place(Level::BillingProfile, "ships", None)),
        section: Some(place(Level::InvoiceSection, "freight", Some(ships))),
        offer: offer(),
        cost_center: "42".to_owned(),
        is_owner: true,
        administrator: Some(Owner {
            name: "Ada".to_owned(),
            email: Some("ada@north.example".to_owned()),
        }),
    }
}

pub(crate) fn all() -> Asked {
    Asked {
        address: true,
        profiles: true,
        sections: true,
        enrollment: true,
        departments: true,
        enrollment_accounts: true,
    }
}

pub(crate) fn spot(level: Option<Level>) -> Spot {
    let account = account(AgreementType::Customer).id;
    let id = at::account_id(&account);
    Spot { id, level, scope: Scope::Account(account) }
}

pub(crate) fn given(role: Role) -> RoleTold {
    let email = Some("ada@north.example".to_owned());
    let (holder, tenant) = (Owner { name: "Ada".to_owned(), email }, TenantId::new("t").unwrap());
    RoleTold {
        role,
        principal: PrincipalId::new("ada").unwrap(),
        holder: Some(holder.clone()),
        tenant: Some(tenant.clone()),
        given_at: Some(at("2026-06-01")),
        given_by: Some(PrincipalId::new("ada").unwrap()),
        giver: Some(holder),
        giver_tenant: Some(tenant),
    }
}

pub(crate) fn accepted() -> AcceptedAgreement {
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
pub(crate) fn check_same(known: &mut Definitions) {
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
    let left = Money::from_minor(50_000, usd());
    known.check("AvailableBalance", same::available_balances::view("/p", left).unwrap());
}
