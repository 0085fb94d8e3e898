//! What may move by a transfer, and what holds then.

use super::*;
use crate::access::{Caller, Role};
use crate::agreements::{AgreementType, Permission};
use crate::company::{Company, Placement, RoleAssignment};
use crate::fixtures::places::{below, place, scope, world};
use crate::fixtures::{account, list, meter_id, n, placement, price, sheet, span, t, usd};
use crate::holdings::{BillingFrequency, Holding, HoldingState, check_holding};
use crate::ids::{OfferId, PaymentMethodId, ReservationId, SubscriptionId};
use crate::payment_methods::{Card, PaymentMeans, PaymentMethod, PaymentMethodStanding};
use crate::places::Detail;
use crate::pricing::PriceBook;
use crate::reservations::{HeldReservation, Reservation, ReservationScope};
use crate::timeline::Timeline;
use calendar::{BillingPeriod, Instant, Interval};
use money::{Cost, Fixed18};
use std::sync::Arc;

const NOW: &str = "2026-03-10T10:30:00Z";
const BOTH: [(ProductKind, &str); 2] =
    [(ProductKind::Subscription, "in-n1"), (ProductKind::Reservation, "r1")];

fn id(text: &str) -> SubscriptionId {
    SubscriptionId::new(text).unwrap()
}

/// Accounts of each kind, of which `mca` has a price sheet, and those who own them.
fn company() -> Company {
    let mut company = world();
    for (principal, role, at) in [
        ("bob", Role::EnrollmentAccountOwner, "ea/enrollment n1"),
        ("bob", Role::AccountAdministrator, "account mosp"),
        ("bob", Role::BillingAccountContributor, "account mca2"),
        ("eve", Role::EnterpriseReader, "account ea"),
        ("root", Role::Administrator, "everything"),
    ] {
        company.role_assignments.push(RoleAssignment {
            principal: PrincipalId::new(principal).unwrap(),
            role,
            scope: scope(at),
            until: Instant::MAX,
        });
    }
    let agreed = list("agreed", sheet("mca", None, "2026-01", None), vec![one_each()]);
    company.price_lists.insert(agreed.id.clone(), agreed);
    company
}

fn one_each() -> crate::catalog::Price {
    price(crate::fixtures::per_unit("1"))
}

/// `r1`: a year of one `m` an hour for a dollar each, bought for `in-n1`.
fn with_reservation(mut company: Company, covers: ReservationScope) -> Company {
    let bought = Reservation {
        id: ReservationId::new("r1").unwrap(),
        billed_to: id("in-n1"),
        term: span("2026-01-01", "2027-01-01"),
        scope: covers,
        meters: vec![meter_id("m")],
        conditions: Vec::new(),
        quantity: Fixed18::ONE,
        price: Cost { major: n("8760"), currency: usd() },
    };
    let held = HeldReservation { bought, refunds: Vec::new(), end: None };
    company.reservations.insert(account("ea"), vec![held]);
    company
}

fn judged(
    company: &Company,
    giver: &str,
    one: (ProductKind, &str),
    along: &[(ProductKind, &str)],
) -> Judged {
    judged_by(company, giver, (&asked(Pending, &[]), one), along)
}

/// The same, by a transfer.
fn judged_by(
    company: &Company,
    giver: &str,
    (transfer, one): (&Transfer, (ProductKind, &str)),
    along: &[(ProductKind, &str)],
) -> Judged {
    let book = PriceBook::new(Arc::new(company.clone()));
    let giver = Caller::Principal(PrincipalId::new(giver).unwrap());
    let along: Vec<_> = along.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect();
    let judge = Judge { company, book: &book, transfer, giver: &giver, now: t(NOW), along: &along };
    judge.judge(one, &ReservationId::new("r1-anew").unwrap())
}

/// Codes of what was found.
fn codes(judged: &Judged) -> Vec<&'static str> {
    let has_error = judged.findings.iter().any(|one| one.level == FindingLevel::Error);
    assert_eq!(judged.moved.is_none(), has_error);
    judged.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn only_who_owns_a_subscription_may_give_it() {
    let company = company();
    let check = |giver: &str, of: &str, expected: &[&str]| {
        let found = judged(&company, giver, (ProductKind::Subscription, of), &[]);
        assert_eq!(codes(&found), expected, "{giver} {of}");
    };
    check("bob", "in-n1", &[]);
    check("bob", "IN-N1", &[]);
    check("bob", "in-mosp", &[]);
    check("bob", "in-t1", &[]);
    // Others' are as if they were not there.
    check("bob", "in-n4", &["SubscriptionNotFound"]);
    check("bob", "in-mosp2", &["SubscriptionNotFound"]);
    check("bob", "nothing", &["SubscriptionNotFound"]);
    check("bob", "", &["SubscriptionNotFound"]);
    check("nobody", "in-n1", &["SubscriptionNotFound"]);
    // Seen, and not theirs.
    check("eve", "in-n1", &["NotIntendedRecipient"]);
    check("root", "in-n4", &[]);
    check("root", "in-s2", &["SameBillingAccount"]);
    check("root", "in-k1", &["ProductTypeNotSupported"]);
}

#[test]
fn what_is_declared_of_a_subscription_may_keep_it() {
    let check = |change: &dyn Fn(&mut Company), expected: &[&str]| {
        let mut company = company();
        change(&mut company);
        let found = judged(&company, "bob", (ProductKind::Subscription, "in-n1"), &[]);
        assert_eq!(codes(&found), expected);
    };
    let state = |state: HoldingState| {
        move |company: &mut Company| {
            let held = company.places.subscriptions.get_mut(&id("in-n1")).unwrap();
            held.state.put(t("2026-02-01"), state);
        }
    };
    check(&|_| {}, &[]);
    check(&state(HoldingState::Suspended), &["SubscriptionNotActive"]);
    check(&state(HoldingState::PastDue), &["SubscriptionNotActive"]);
    check(&state(HoldingState::Cancelled), &["SubscriptionNotActive"]);
    let placed = |during: Interval| {
        move |company: &mut Company| {
            let one = company.subscriptions.get_mut(&id("in-n1")).unwrap();
            one.placements.last_mut().unwrap().during = span("2026-01-01", "2026-05-01");
            one.placements.push(placement("ea2", during));
        }
    };
    check(&placed(span("2026-05-01", "2027-01-01")), &["MovePlanned"]);
    let elsewhere = |company: &mut Company| {
        let other = asked(InProgress, &[(ProductKind::Subscription, "In-N1")]);
        let other = Transfer { id: TransferId::new("t2").unwrap(), ..other };
        company.transfers.insert(other.id.clone(), other);
    };
    check(&elsewhere, &["TransferInProgress"]);
    // Errors come first.
    let reserved = |company: &mut Company| {
        *company =
            with_reservation(std::mem::take(company), ReservationScope::Account(account("ea")));
    };
    check(&reserved, &["ReservationStaysBehind"]);
    let both = |company: &mut Company| {
        reserved(company);
        state(HoldingState::Suspended)(company);
    };
    check(&both, &["SubscriptionNotActive", "ReservationStaysBehind"]);
}

#[test]
fn what_is_declared_of_the_destination_may_keep_all_away() {
    let check = |change: &dyn Fn(&mut Company), expected: &[&str]| {
        let mut company = company();
        change(&mut company);
        let found = judged(&company, "bob", (ProductKind::Subscription, "in-n1"), &[]);
        assert_eq!(codes(&found), expected);
    };
    let lies = |story: &'static str| {
        move |company: &mut Company| {
            let places = below(AgreementType::Customer, story);
            company.places.accounts.insert(account("mca"), places);
        }
    };
    check(&lies("profile p1 is past due, section s1 < profile p1"), &["DestinationPastDue"]);
    check(&lies("profile p1, section s1 < profile p1 is inactive"), &["DestinationNotActive"]);
    check(&lies("profile p1"), &["DestinationNotActive"]);
    check(&|company| company.price_lists.clear(), &["NotAvailableForDestinationMarket"]);
    let pays = |means: PaymentMeans, standing: PaymentMethodStanding| {
        move |company: &mut Company| {
            let method = PaymentMethod { means: means.clone(), profile: None, standing };
            let known = company.payment_methods.entry(account("mca")).or_default();
            let of = PaymentMethodId::new("one").unwrap();
            known.insert(of, Timeline::from(Instant::MIN, method));
        }
    };
    let card = |until: &str| {
        PaymentMeans::Card(Card::new("0042", BillingPeriod::parse(until).unwrap()).unwrap())
    };
    let missing = &["DestinationPaymentMethodMissing"];
    check(&pays(PaymentMeans::Invoice, PaymentMethodStanding::Default), &[]);
    check(&pays(PaymentMeans::Invoice, PaymentMethodStanding::Detached), missing);
    check(&pays(card("2026-03"), PaymentMethodStanding::Default), &[]);
    check(&pays(card("2026-02"), PaymentMethodStanding::Default), missing);
}

#[test]
fn a_subscription_goes_on_where_it_was_asked_for_from_then_on() {
    let company = company();
    let found = judged(&company, "bob", (ProductKind::Subscription, "in-n1"), &[]);
    let Some(Moved::Subscription(moved)) = found.moved else { panic!("it moves") };
    let (subscription, held) = *moved;
    let shown = |one: &Placement| {
        let profile = one.profile.clone().unwrap_or_default();
        format!("{} {} {profile}", one.during.start(), one.billing_account)
    };
    let placed: Vec<String> = subscription.placements.iter().map(shown).collect();
    assert_eq!(placed, ["2026-01-01T00:00:00Z ea ", "2026-03-10T10:30:00Z mca p1"]);
    let ends: Vec<Instant> = subscription.placements.iter().map(|one| one.during.end()).collect();
    assert_eq!(ends, [t(NOW), Instant::MAX]);
    let stood = |at: &str| held.standings.at(t(at)).unwrap().place.clone();
    assert_eq!(stood("2026-03-10T10:29:59Z"), Some(place("ea/enrollment n1")));
    assert_eq!(stood(NOW), Some(place("mca/section s1")));
    let holding = Holding {
        billing_frequency: BillingFrequency::UsageBased,
        placements: &subscription.placements,
        held: &held,
    };
    assert!(check_holding(&company.places, &holding).is_empty());
}

#[test]
fn a_subscription_stays_on_its_offer_where_that_is_served() {
    let offer = |text: &str| OfferId::new(text).unwrap();
    let check = |served: &[&str], there: &str, expected: Option<&str>| {
        let mut company = company();
        company.price_lists.clear();
        for (number, of) in served.iter().enumerate() {
            let card = list(&format!("c{number}"), crate::fixtures::card(of), vec![one_each()]);
            company.price_lists.insert(card.id.clone(), card);
        }
        let other = company.subscriptions.get_mut(&id("in-s2")).unwrap();
        other.placements.last_mut().unwrap().offer = offer(there);
        let found = judged(&company, "bob", (ProductKind::Subscription, "in-n1"), &[]);
        let on = match &found.moved {
            Some(Moved::Subscription(moved)) => Some(moved.0.placements[1].offer.clone()),
            Some(Moved::Reservation(_)) | None => None,
        };
        assert_eq!(on, expected.map(offer), "{served:?} {there}");
    };
    check(&["O", "P"], "P", Some("O"));
    check(&["P"], "P", Some("P"));
    check(&["P"], "Q", None);
}

#[test]
fn a_customers_plan_comes_before_what_others_are_on() {
    let mut company = company();
    let plan = OfferId::new("PLAN").unwrap();
    let card = list("plan", crate::fixtures::card("PLAN"), vec![one_each()]);
    company.price_lists.insert(card.id.clone(), card);
    let customer = place("mpa/customer c1");
    let timeline = company.places.timeline(&customer).unwrap();
    let mut facts = timeline.newest().1.clone();
    let Detail::Customer(of) = &mut facts.detail else { panic!("a customer") };
    of.plans = vec![plan.clone()];
    let places = &mut company.places.accounts.get_mut(&account("mpa")).unwrap().places;
    places.insert(customer.key.clone(), Timeline::from(t("2026-01-01"), facts));
    let book = PriceBook::new(Arc::new(company.clone()));
    let giver = Caller::Principal(PrincipalId::new("bob").unwrap());
    let check = |reseller: &str, expected: &[&str]| {
        let transfer = Transfer {
            initiator: customer.clone(),
            profile: PlaceId::new("u1").unwrap(),
            reseller: Some(ResellerId::new(reseller).unwrap()),
            ..asked(Pending, &[])
        };
        let judge = Judge {
            company: &company,
            book: &book,
            transfer: &transfer,
            giver: &giver,
            now: t(NOW),
            along: &[],
        };
        let found =
            judge.judge((ProductKind::Subscription, "in-mosp"), &ReservationId::new("r").unwrap());
        assert_eq!(codes(&found), expected);
        if let Some(Moved::Subscription(moved)) = &found.moved {
            let placed = moved.0.placements.last().unwrap();
            assert_eq!((&placed.offer, placed.profile.as_deref()), (&plan, Some("u1")));
            let standing = moved.1.standings.at(t(NOW)).unwrap();
            assert_eq!(standing.reseller, transfer.reseller);
        }
    };
    check("r1", &[]);
    check("r2", &["ResellerNotFound"]);
}

#[test]
fn a_reservation_is_given_back_for_what_is_left_and_bought_anew_for_the_same() {
    let covers = ReservationScope::Subscription(id("in-n1"));
    let company = with_reservation(company(), covers.clone());
    let found = judged(&company, "bob", BOTH[1], &BOTH);
    assert_eq!(codes(&found), Vec::<&str>::new());
    let Some(Moved::Reservation(moved)) = found.moved else { panic!("it moves") };
    let Rebought { from, given_back, to, bought } = *moved;
    assert_eq!((from, to), (account("ea"), account("mca")));
    // From the next whole hour on: 68 days and 11 hours of 365 days have passed.
    assert_eq!(bought.bought.term, span("2026-03-10T11:00:00Z", "2027-01-01"));
    assert_eq!(bought.bought.price.major, n("7117"));
    assert_eq!(bought.bought.id.as_str(), "r1-anew");
    assert_eq!((bought.bought.billed_to.clone(), &bought.bought.scope), (id("in-n1"), &covers));
    let all = [given_back, bought];
    let charges = all.iter().flat_map(|held| held.course(&all).unwrap().charges);
    let charged = Fixed18::checked_sum(charges.map(|charge| charge.amount.major)).unwrap();
    assert_eq!(charged, n("8760"));
    let parts = all.iter().flat_map(|held| held.course(&all).unwrap().parts);
    let spread = Fixed18::checked_sum(parts.map(|part| part.price.major)).unwrap();
    assert_eq!(spread, n("8760"));
}

#[test]
fn a_reservation_without_its_subscription_covers_something_else() {
    let section = || ReservationScope::Place(place("mca/section s1"));
    let check = |covers: ReservationScope, along: &[(ProductKind, &str)], expected: &[&str]| {
        let company = with_reservation(company(), covers);
        let found = judged(&company, "bob", BOTH[1], along);
        assert_eq!(codes(&found), expected);
        match found.moved {
            Some(Moved::Reservation(moved)) => {
                (moved.bought.bought.billed_to, Some(moved.bought.bought.scope))
            }
            Some(Moved::Subscription(_)) | None => (id("none"), None),
        }
    };
    let own = || ReservationScope::Subscription(id("in-n1"));
    let whole = || ReservationScope::Account(account("ea"));
    let changes = "ReservationBenefitChanges";
    let stays = "ReservationSubscriptionStays";
    assert_eq!(check(own(), &BOTH, &[]), (id("in-n1"), Some(own())));
    assert_eq!(check(own(), &[], &[stays, changes]), (id("in-s1"), Some(section())));
    assert_eq!(check(whole(), &BOTH, &[changes]), (id("in-n1"), Some(section())));
}

#[test]
fn what_is_declared_of_a_reservation_may_keep_it() {
    let check = |giver: &str, of: &str, change: &dyn Fn(&mut Company), expected: &[&str]| {
        let mut company = with_reservation(company(), ReservationScope::Account(account("ea")));
        change(&mut company);
        let found = judged(&company, giver, (ProductKind::Reservation, of), &BOTH);
        let mut found = codes(&found);
        found.retain(|code| *code != "ReservationBenefitChanges");
        assert_eq!(found, expected, "{giver} {of}");
    };
    let none = |_: &mut Company| {};
    check("bob", "r1", &none, &[]);
    check("bob", "R1", &none, &[]);
    check("bob", "r2", &none, &["ReservationNotFound"]);
    check("nobody", "r1", &none, &["ReservationNotFound"]);
    check("eve", "r1", &none, &["NotIntendedRecipient"]);
    let held = |change: fn(&mut HeldReservation)| {
        move |company: &mut Company| {
            change(company.reservations.get_mut(&account("ea")).unwrap().first_mut().unwrap());
        }
    };
    check(
        "bob",
        "r1",
        &held(|held| held.bought.term = span("2026-01-01", "2026-03-10T11:00:00Z")),
        &["ReservationNotActive"],
    );
    check(
        "bob",
        "r1",
        &held(|held| held.refunds.push((t("2026-06-01"), n("1")))),
        &["MovePlanned"],
    );
    check(
        "bob",
        "r1",
        &held(|held| {
            held.bought.price.currency = money::Currency::parse("EUR").unwrap();
        }),
        &["CurrencyNotSupported"],
    );
    let forbids = |company: &mut Company| {
        let profile = place("mca/profile p1");
        let mut facts = company.places.timeline(&profile).unwrap().newest().1.clone();
        let Detail::BillingProfile(of) = &mut facts.detail else { panic!("a profile") };
        of.reservation_purchases = Permission::NotAllowed;
        let places = &mut company.places.accounts.get_mut(&account("mca")).unwrap().places;
        places.insert(profile.key, Timeline::from(t("2026-01-01"), facts));
    };
    check("bob", "r1", &forbids, &["ReservationsNotAllowed"]);
}

#[test]
fn a_reservation_may_follow_its_subscription() {
    let mut company = with_reservation(company(), ReservationScope::Subscription(id("in-n1")));
    let found = judged(&company, "bob", BOTH[0], &BOTH);
    let Some(Moved::Subscription(moved)) = found.moved else { panic!("it moves") };
    let (subscription, held) = *moved;
    company.places.subscriptions.insert(subscription.id.clone(), held);
    company.subscriptions.insert(subscription.id.clone(), subscription);
    // Who gave the subscription owns nothing of it any more, and may still give the reservation by
    // the same transfer; by another, whoever owns the account gives it.
    let named = |end: Option<ProductEnd>, id: &str| {
        let mut transfer = asked(InProgress, &[(ProductKind::Subscription, id), BOTH[1]]);
        transfer.products.first_mut().unwrap().end = end;
        transfer
    };
    let check = |giver: &str, transfer: &Transfer, expected: &[&str]| {
        let found = judged_by(&company, giver, (transfer, BOTH[1]), &BOTH);
        assert_eq!(codes(&found), expected, "{giver} {:?}", transfer.products);
    };
    check("bob", &named(Some(ProductEnd::Moved), "In-N1"), &[]);
    let not_owned = &["NotIntendedRecipient"];
    check("bob", &named(Some(refused()), "in-n1"), not_owned);
    check("bob", &named(Some(ProductEnd::Moved), "in-n2"), not_owned);
    check("bob", &asked(InProgress, &[BOTH[1]]), not_owned);
    check("root", &asked(InProgress, &[BOTH[1]]), &[]);
    let found = judged(&company, "bob", BOTH[0], &BOTH);
    assert_eq!(codes(&found), ["SubscriptionNotFound"]);
}

#[test]
fn a_reservation_is_billed_to_an_active_subscription_where_it_goes() {
    let check = |change: &dyn Fn(&mut Company), along: &[(ProductKind, &str)], expected: &str| {
        let covers = ReservationScope::Account(account("ea"));
        let mut company = with_reservation(company(), covers);
        change(&mut company);
        let found = judged(&company, "bob", BOTH[1], along);
        let billed_to = match found.moved {
            Some(Moved::Reservation(moved)) => moved.bought.bought.billed_to.to_string(),
            Some(Moved::Subscription(_)) | None => "none".to_owned(),
        };
        assert_eq!(billed_to, expected, "{:?}", found.findings);
    };
    let ended = |company: &mut Company| {
        let held = company.places.subscriptions.get_mut(&id("in-s1")).unwrap();
        held.state.put(t("2026-02-01"), HoldingState::Cancelled);
    };
    check(&|_| {}, &[BOTH[1]], "in-s1");
    check(&ended, &[BOTH[1]], "none");
    check(&ended, &[BOTH[1], (ProductKind::Subscription, "In-Mosp")], "in-mosp");
}
