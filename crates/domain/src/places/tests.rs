//! What may lie below a billing account.

use super::*;
use crate::agreements::AgreementType::{Customer, Enterprise, Messaging, OnlineServices, Partner};
use crate::fixtures::places::{agreement, below, detail, key, place, world};
use crate::fixtures::{account, billing_account, span, t, usd};

fn eur() -> Currency {
    Currency::parse("EUR").unwrap()
}

fn faults(places: &AccountPlaces) -> Vec<String> {
    check_places(&billing_account("a"), places).iter().map(ToString::to_string).collect()
}

fn check(kind: AgreementType, story: &str, expected: &[&str]) {
    assert_eq!(faults(&below(kind, story)), expected, "{story}");
}

const YEAR: &str = "2026-01-01T00:00:00Z";

#[test]
fn each_agreement_has_its_own_levels() {
    let trees = [
        (Customer, "profile p, section s < profile p"),
        (Partner, "profile p, customer c"),
        (Enterprise, "department d, enrollment n < department d, enrollment m"),
        (OnlineServices, ""),
        (Messaging, "messaging k, messaging j < messaging k, messaging i < messaging j"),
    ];
    for (kind, story) in trees {
        check(kind, story, &[]);
    }
    let refused = [
        (Customer, "customer c, department d, enrollment n, messaging k"),
        (Partner, "department d, enrollment n, messaging k"),
        (Enterprise, "profile p, customer c, messaging k"),
        (OnlineServices, "profile p, customer c, department d, enrollment n, messaging k"),
        (Messaging, "profile p, customer c, department d, enrollment n"),
    ];
    for (kind, story) in refused {
        let found = faults(&below(kind, story));
        assert_eq!(found.len(), story.split(',').count(), "{kind}: {found:?}");
        let expected = found.iter().all(|fault| fault.contains(&format!("]: {kind}: has no ")));
        assert!(expected, "{found:?}");
    }
    check(
        Partner,
        "profile p, section s < profile p",
        &["places[invoice section/s]: partner agreement: has no invoice section"],
    );
}

#[test]
fn a_place_lies_below_one_of_its_kinds_of_parent() {
    let wrong = |place: &str, problem: &str| format!("places[{place}][{YEAR}].parent: {problem}");
    check(
        Customer,
        "profile p, profile q < profile p, section s, section t < section s",
        &[
            &wrong(
                "billing profile/q",
                "billing profile: lies below billing account, not below billing profile",
            ),
            &wrong(
                "invoice section/s",
                "invoice section: lies below billing profile, not below billing account",
            ),
            &wrong(
                "invoice section/t",
                "invoice section: lies below billing profile, not below invoice section",
            ),
        ],
    );
    check(
        Enterprise,
        "department d, department e < department d, enrollment n < department d, \
         enrollment m < enrollment n",
        &[
            &wrong("department/e", "department: lies below billing account, not below department"),
            &wrong(
                "enrollment account/m",
                "enrollment account: lies below billing account or department, \
                 not below enrollment account",
            ),
        ],
    );
}

#[test]
fn a_parent_is_there_when_its_child_is() {
    let orphan = |place: &str, from: &str, parent: &str| {
        format!("places[{place}][{from}].parent: {parent} does not exist at {from}")
    };
    check(
        Customer,
        "section s < profile nowhere",
        &[&orphan("invoice section/s", YEAR, "billing profile `nowhere`")],
    );
    check(
        Customer,
        "profile p from 2026-03-01, section s < profile p from 2026-02-01",
        &[&orphan("invoice section/s", "2026-02-01T00:00:00Z", "billing profile `p`")],
    );
    check(Customer, "profile p from 2026-03-01, section s < profile p from 2026-03-01", &[]);
}

#[test]
fn accounts_within_accounts_never_lead_back() {
    let wrong = |id: &str, at: &str| {
        format!("places[messaging account/{id}][{at}].parent: lies below itself at {at}")
    };
    check(Messaging, "messaging k < messaging k", &[&wrong("k", YEAR)]);
    check(
        Messaging,
        "messaging b < messaging d, messaging c < messaging b, messaging d < messaging c",
        &[&wrong("b", YEAR), &wrong("c", YEAR), &wrong("d", YEAR)],
    );
    // A loop that closes later: `b` moves below what lies below it.
    let march = "2026-03-01T00:00:00Z";
    check(
        Messaging,
        "messaging b, messaging c < messaging b, messaging d < messaging c, \
         messaging b < messaging d from 2026-03-01",
        &[&wrong("b", march)],
    );
    // What was parent and child may change places.
    check(
        Messaging,
        "messaging c, messaging b < messaging c, messaging b from 2026-03-01, \
         messaging c < messaging b from 2026-04-01",
        &[],
    );
}

/// What was used at no account is told by the id of the billing account.
#[test]
fn no_messaging_account_has_the_id_of_its_billing_account() {
    let problem = "places[messaging account/a].id: has the id of its billing account, \
                   which stands for what is used at no messaging account";
    check(Messaging, "messaging a, messaging b", &[problem]);
    check(Messaging, "messaging b, messaging c < messaging b", &[]);
    // Nothing is told by ids of other places.
    check(Customer, "profile a", &[]);
    check(Enterprise, "department a, enrollment a < department a", &[]);
}

#[test]
fn nothing_lies_there_before_the_agreement_and_its_kind_never_changes() {
    check(
        Customer,
        "profile p from 2025-12-31",
        &[&format!("places[billing profile/p].from: lies before {YEAR}")],
    );
    let mut places = below(Customer, "profile p");
    let steps = [(t("2026-01-01"), Customer), (t("2026-05-01"), Partner)];
    let steps = steps.map(|(from, kind)| (from, agreement(kind, Permission::Allowed)));
    places.agreement = Timeline::new("agreement", steps).unwrap();
    assert_eq!(
        faults(&places),
        ["agreement[2026-05-01T00:00:00Z]: was customer agreement before; \
          the kind of an agreement never changes"]
    );
}

/// Changes what a place has.
fn with(mut places: AccountPlaces, of: &str, change: impl Fn(&mut Detail)) -> AccountPlaces {
    let timeline = places.places.get_mut(&key(of)).unwrap();
    let steps = timeline.spans().map(|(during, facts)| {
        let mut facts = facts.clone();
        change(&mut facts.detail);
        (during.start(), facts)
    });
    *timeline = Timeline::new("places", steps.collect::<Vec<_>>()).unwrap();
    places
}

fn in_euro(detail: &mut Detail) {
    if let Detail::BillingProfile(profile) = detail {
        profile.currency = eur();
    }
}

#[test]
fn currencies_are_the_accounts_and_a_partners_profiles_differ_in_them() {
    let places = with(below(Customer, "profile p, profile q"), "profile q", in_euro);
    let field = format!("places[billing profile/q][{YEAR}].currency");
    assert_eq!(faults(&places), [format!("{field}: is EUR; must be USD")]);
    let places = with(below(Partner, "profile p, profile q"), "profile q", in_euro);
    assert_eq!(faults(&places), Vec::<String>::new());
    let second = format!("{field}: billing profile `p` has USD already");
    check(Partner, "profile p, profile q", &[&second]);
    let quota = |minor: i128, currency: Currency| {
        let quota = Some(Money::from_minor(minor, currency));
        let places = below(Enterprise, "department d");
        faults(&with(places, "department d", |detail| *detail = Detail::Department { quota }))
    };
    let field = format!("places[department/d][{YEAR}].quota");
    assert_eq!(quota(100, usd()), Vec::<String>::new());
    assert_eq!(quota(-1, usd()), [format!("{field}: is below zero")]);
    assert_eq!(quota(1, eur()), [format!("{field}: is EUR; must be USD")]);
}

#[test]
fn an_enrollment_is_in_its_accounts_currency_and_has_a_term() {
    let check = |change: &dyn Fn(&mut crate::agreements::Enrollment), expected: &[&str]| {
        let mut signed = agreement(Enterprise, Permission::Allowed);
        if let Agreement::Enterprise(enrollment) = &mut signed {
            change(enrollment);
        }
        let mut places = below(Enterprise, "");
        places.agreement = Timeline::from(t("2026-01-01"), signed);
        let expected: Vec<_> =
            expected.iter().map(|problem| format!("agreement[{YEAR}].{problem}")).collect();
        assert_eq!(faults(&places), expected);
    };
    check(&|_| {}, &[]);
    check(&|one| one.prepayment = Money::from_minor(0, usd()), &[]);
    check(&|one| one.prepayment = Money::from_minor(-1, usd()), &["prepayment: is below zero"]);
    check(
        &|one| one.prepayment = Money::from_minor(1, eur()),
        &["prepayment: is EUR; must be USD"],
    );
    check(
        &|one| one.currency = eur(),
        &["currency: is EUR; must be USD", "prepayment: is USD; must be EUR"],
    );
    check(&|one| one.term = span("2026-01-01", "2026-01-01"), &["term: ends when it begins"]);
}

#[test]
fn a_place_has_the_detail_of_its_level() {
    for level in Level::ALL {
        assert_eq!(detail(level).level(), level);
    }
    let places = with(below(Customer, "profile p"), "profile p", |detail| {
        *detail = Detail::InvoiceSection;
    });
    let field = format!("places[billing profile/p][{YEAR}].detail");
    assert_eq!(faults(&places), [format!("{field}: belongs to the level invoice section")]);
}

#[test]
fn faults_are_errors_that_name_their_field() {
    let places = below(Customer, "profile p from 2025-12-31");
    let fault = check_places(&billing_account("a"), &places).remove(0);
    let error = crate::Error::from(fault);
    assert_eq!(error.kind(), crate::Kind::Invalid);
    assert_eq!(error.to_string(), format!("places[billing profile/p].from: lies before {YEAR}"));
}

#[test]
fn the_worlds_of_the_tests_have_no_faults() {
    let company = world();
    for (id, places) in &company.places.accounts {
        assert_eq!(check_places(&company.accounts[id], places), [], "{id}");
    }
}

#[test]
fn children_and_enclosing_places_are_those_of_the_moment() {
    let company = world();
    let ea = company.places.of(&account("ea")).unwrap();
    let children = |of: Option<&str>, at: &str| {
        let of = of.map(key);
        let children = ea.children_at(of.as_ref(), t(at));
        children.map(|(key, _)| key.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(children(None, "2026-05-01"), "d1 d2 n3");
    assert_eq!(children(Some("department d1"), "2026-05-31"), "n1 n4");
    assert_eq!(children(Some("department d1"), "2026-06-01"), "n1");
    assert_eq!(children(Some("department d2"), "2026-06-01"), "n2 n4");
    assert_eq!(children(Some("department d2"), "2025-12-31"), "");
    let department = |at: &str| {
        let found = ea.enclosing(&key("enrollment n4"), Level::Department, t(at));
        found.map(|key| key.id.to_string())
    };
    assert_eq!(department("2025-12-31"), None);
    assert_eq!(department("2026-05-31").as_deref(), Some("d1"));
    assert_eq!(department("2026-06-01").as_deref(), Some("d2"));
    let upwards = ea.upwards(&key("enrollment n4"), Interval::always());
    let upwards: Vec<_> = upwards.iter().map(|(key, during)| (key.id.as_str(), *during)).collect();
    let first = span("2026-01-01", "2026-06-01");
    let then = Interval::new(t("2026-06-01"), calendar::Instant::MAX).unwrap();
    let mut sorted = upwards.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [("d1", first), ("d2", then), ("n4", first), ("n4", then)]);
    let facts = company.places.facts_at(&place("ea/enrollment n1"), t("2026-02-01")).unwrap();
    assert_eq!(facts.parent, Some(key("department d1")));
}

#[test]
fn only_a_customer_agreement_that_says_so_and_a_partner_make_profiles() {
    let check = |agreement: Agreement, expected: Permission| {
        assert_eq!(agreement.profile_creation(), expected, "{agreement:?}");
    };
    let (yes, no) = (Permission::Allowed, Permission::NotAllowed);
    check(Agreement::Customer { profile_creation: yes }, yes);
    check(Agreement::Customer { profile_creation: no }, no);
    check(Agreement::Partner, yes);
    check(agreement(Enterprise, yes), no);
    check(Agreement::OnlineServices, no);
    check(Agreement::Messaging, no);
}

#[test]
fn names_of_levels_and_agreements_are_read_back() {
    for level in Level::ALL {
        assert_eq!(Level::parse(level.name()), Some(level));
    }
    for kind in AgreementType::ALL {
        assert_eq!(AgreementType::parse(kind.name()), Some(kind));
    }
}

#[test]
fn a_place_is_read_back_from_what_it_is_written_as() {
    let check = |text: &str, account: &str, key: &str| {
        let read = Place::parse(text).unwrap();
        assert_eq!(read, place(&format!("{account}/{key}")), "{text}");
        assert_eq!(Place::parse(&read.to_string()).unwrap(), read, "{text}");
    };
    check("msg/messaging account/k1", "msg", "messaging k1");
    check("msg/messaging-account/k1", "msg", "messaging k1");
    check("a b/department/d 1", "a b", "department d 1");
    check("mca/billing profile/p/1", "mca", "profile p/1");
    let refused = |text: &str, expected: &str| {
        let told = Place::parse(text).unwrap_err().to_string();
        assert!(told.contains(expected), "{text}: {told}");
    };
    refused("msg", "`msg` must be a billing account, a level and an id with `/` between them");
    refused("msg/k1", "one of billing profile, invoice section, customer, department");
    refused("msg/account/k1", "`msg/account/k1` must be");
    refused("/department/d1", "billing account: must not be empty");
    refused("ea/department/", "place: must not be empty");
}
