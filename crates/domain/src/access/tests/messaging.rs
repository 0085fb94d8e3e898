//! Messaging companies: what roles and keys reach in them, and what may be asked for.

use super::*;
use crate::fixtures::places::{key, place as at_place, scope, world};
use crate::fixtures::t;
use crate::ids::PlaceId;
use crate::places::{Detail, Generation};
use crate::timeline::Timeline;

const NOW: &str = "2026-05-01";

fn given(role: &str, at: &str) -> RoleAssignment {
    let role = Role::parse(role).unwrap_or_else(|| panic!("{role} is no role"));
    RoleAssignment { principal: principal("p"), role, scope: scope(at), until: Instant::MAX }
}

fn caller() -> Caller {
    Caller::Principal(principal("p"))
}

/// A key for some actions, billing accounts and places.
fn bound(actions: &[Action], accounts: &[&str], places: &[&str]) -> Caller {
    Caller::Key(KeyGrant {
        key_id: "k".to_owned(),
        principal: principal("p"),
        actions: actions.to_vec(),
        billing_accounts: accounts.iter().map(|id| account(id)).collect(),
        places: places.iter().map(|text| at_place(text)).collect(),
        sources: Vec::new(),
    })
}

/// Own, child, grandchild, a subscription of the child, parent, sibling, foreign, missing.
#[test]
fn a_role_at_a_company_reaches_all_of_it_and_a_sub_accounts_user_itself() {
    let asked = [
        "account msg",
        "msg/messaging k1",
        "msg/messaging k2",
        "msg/messaging k3",
        "subscription in-k2",
        "msg/messaging k9",
        "everything",
        "account msg2",
        "msg2/messaging j1",
        "subscription in-j1",
        "msg/messaging nowhere",
        "account nowhere",
    ];
    let check = |role: &str, at: &str, expected: &[&str]| {
        let mut company = world();
        company.role_assignments = vec![given(role, at)];
        let may =
            |asked: &&&str| may_at(&company, &caller(), Action::ReadCharges, &scope(asked), t(NOW));
        let found: Vec<&str> = asked.iter().filter(may).copied().collect();
        assert_eq!(found, expected, "{role} at {at}");
    };
    let whole = &asked[..6];
    check("Finance Manager", "account msg", whole);
    check("Account Manager", "account msg", whole);
    check("Finance Manager", "msg/messaging k1", &asked[1..5]);
    check("Account Manager", "msg/messaging k2", &asked[2..5]);
    check("Account Manager", "msg/messaging k3", &asked[3..4]);
    check("Sub-account User", "msg/messaging k1", &asked[1..2]);
    check("Sub-account User", "msg/messaging k2", &["msg/messaging k2", "subscription in-k2"]);
    check("Sub-account User", "msg/messaging nowhere", &[]);
}

#[test]
fn a_key_reaches_the_places_that_it_is_bound_to_and_nothing_beside_or_below_them() {
    let company = world();
    let read = [Action::ReadCharges];
    let check = |accounts: &[&str], places: &[&str], reached: &[&str], unseen: &[&str]| {
        let who = bound(&read, accounts, places);
        for (asked, expected) in
            reached.iter().map(|at| (at, true)).chain(unseen.iter().map(|at| (at, false)))
        {
            let view = View::new(&company, &who, t(NOW));
            let scope = scope(asked);
            let told = demand_at(&company, &who, Action::ReadCharges, &scope, t(NOW));
            assert_eq!(told.is_ok(), expected, "{places:?} {asked}");
            assert_eq!(view.may(Action::ReadCharges, &scope), expected, "{places:?} {asked}");
            assert!(!may_at(&company, &who, Action::ReadPlace, &scope, t(NOW)), "{asked}");
            let is_missing = told.err().is_some_and(|e| e.kind() == crate::Kind::NotFound);
            assert_eq!(is_missing, !expected && *asked != "everything", "{places:?} {asked}");
        }
    };
    check(
        &["msg"],
        &["msg/messaging k2"],
        &["msg/messaging k2", "subscription in-k2"],
        &[
            "msg/messaging k3", // below
            "msg/messaging k1", // above
            "account msg",
            "everything",
            "msg/messaging k9", // beside
            "subscription in-k1",
            "account msg2", // foreign
            "msg2/messaging j1",
            "subscription in-j1",
            "msg/messaging nowhere",
            "account nowhere",
        ],
    );
    check(
        &["msg"],
        &["msg/messaging k2", "msg/messaging k9"],
        &["msg/messaging k2", "msg/messaging k9"],
        &["msg/messaging k3", "account msg"],
    );
    // Other billing accounts stay whole.
    check(
        &["msg", "msg2"],
        &["msg/messaging k9"],
        &["msg/messaging k9", "account msg2", "msg2/messaging j1", "subscription in-j1"],
        &["account msg", "msg/messaging k1", "subscription in-k1"],
    );
    // A place counts in an account only that the key is bound to.
    check(
        &["msg2"],
        &["msg/messaging k9"],
        &["account msg2"],
        &["msg/messaging k9", "account msg"],
    );
    check(
        &["mca"],
        &["mca/profile p1"],
        &["mca/profile p1"],
        &["mca/section s1", "subscription in-s2", "account mca"],
    );
    check(&["msg"], &["msg/messaging nowhere"], &[], &["msg/messaging nowhere", "account msg"]);
}

#[test]
fn a_key_bound_to_a_place_knows_that_there_is_something_above() {
    let company = world();
    let who = bound(&[Action::ReadPlace], &["msg"], &["msg/messaging k2"]);
    let view = View::new(&company, &who, t(NOW));
    let check = |asked: &str, expected: Option<Sight>| {
        assert_eq!(view.sight(&scope(asked)), expected, "{asked}");
    };
    check("msg/messaging k2", Some(Sight::Full));
    check("msg/messaging k1", Some(Sight::Shell));
    check("account msg", Some(Sight::Shell));
    check("msg/messaging k3", None);
    check("msg/messaging k9", None);
    check("account msg2", None);
}

/// `msg whole: k1 k2`, or why nothing may be asked for.
fn sight(company: &Company, who: &Caller, at: &str) -> String {
    match usage_sight(company, who, t(at)) {
        Ok(UsageSight { billing_account, whole, places }) => {
            let whole = if whole { " whole" } else { "" };
            let places: Vec<&str> = places.iter().map(|id| id.as_str()).collect();
            format!("{billing_account}{whole}: {}", places.join(" "))
        }
        Err(error) => error.to_string(),
    }
}

const NOTHING: &str = "charges:read is not allowed here";

#[test]
fn what_may_be_asked_for_is_a_company_or_accounts_within_it() {
    let check = |roles: &[(&str, &str)], expected: &str| {
        let mut company = world();
        company.role_assignments = roles.iter().map(|(role, at)| given(role, at)).collect();
        assert_eq!(sight(&company, &caller(), NOW), expected, "{roles:?}");
    };
    check(&[("Finance Manager", "account msg")], "msg whole: k1 k2 k3 k9");
    check(&[("Account Manager", "account msg")], "msg whole: k1 k2 k3 k9");
    check(&[("Finance Manager", "msg/messaging k1")], "msg: k1 k2 k3");
    check(&[("Account Manager", "msg/messaging k2")], "msg: k2 k3");
    check(&[("Sub-account User", "msg/messaging k1")], "msg: k1");
    let two = [("Sub-account User", "msg/messaging k9"), ("Sub-account User", "msg/messaging k2")];
    check(&two, "msg: k2 k9");
    check(&[("Auditor", "everything")], "msg whole: k1 k2 k3 k9");
    check(&[("Finance Manager", "account msg2")], "msg2 whole: j1");
    // Of several companies the first.
    let both = [("Finance Manager", "account msg2"), ("Sub-account User", "msg/messaging k9")];
    check(&both, "msg: k9");
    check(&[], NOTHING);
    check(&[("Billing Account Owner", "account mca")], NOTHING);
    check(&[("Reader", "subscription in-k1")], NOTHING);
    check(&[("Sub-account User", "msg/messaging nowhere")], NOTHING);
}

#[test]
fn a_key_asks_for_what_it_is_bound_to_if_it_reads_charges() {
    use Action::{ReadCharges, ReadPlace, SendUsage};
    let company = world();
    let check = |who: Caller, expected: &str| {
        assert_eq!(sight(&company, &who, NOW), expected, "{who:?}");
    };
    check(bound(&[ReadCharges], &["msg"], &[]), "msg whole: k1 k2 k3 k9");
    check(bound(&[ReadCharges], &["msg"], &["msg/messaging k2"]), "msg: k2");
    let several = ["msg/messaging k1", "msg/messaging k3"];
    check(bound(&[ReadCharges], &["msg"], &several), "msg: k1 k3");
    check(bound(&[ReadCharges], &["mca", "msg2"], &["mca/profile p1"]), "msg2 whole: j1");
    check(bound(&[SendUsage, ReadPlace], &["msg"], &[]), NOTHING);
    check(bound(&[ReadCharges], &["mca"], &[]), NOTHING);
    check(Caller::Machine, "msg whole: k1 k2 k3 k9");
}

#[test]
fn a_company_is_asked_for_by_whoever_sees_another_too() {
    let mut company = world();
    let both = [("Finance Manager", "account msg2"), ("Sub-account User", "msg/messaging k9")];
    company.role_assignments = both.iter().map(|(role, at)| given(role, at)).collect();
    let check = |id: &str, expected: Option<(bool, usize)>| {
        let sight = usage_sight_of(&company, &caller(), &account(id), t(NOW)).ok();
        assert_eq!(sight.map(|sight| (sight.whole, sight.places.len())), expected, "{id}");
    };
    check("msg", Some((false, 1)));
    check("msg2", Some((true, 1)));
    check("mca", None);
    check("nowhere", None);
}

#[test]
fn a_sight_covers_what_lies_within_it() {
    let sight = |id: &str, whole: bool, places: &[&str]| UsageSight {
        billing_account: account(id),
        whole,
        places: places.iter().map(|id| PlaceId::new(id).unwrap()).collect(),
    };
    let check = |now: (&str, bool, &[&str]), then: (&str, bool, &[&str]), expected: bool| {
        let covers = sight(now.0, now.1, now.2).covers(&sight(then.0, then.1, then.2));
        assert_eq!(covers, expected, "{now:?} {then:?}");
    };
    let whole: (&str, bool, &[&str]) = ("msg", true, &["k1", "k2"]);
    check(whole, whole, true);
    check(whole, ("msg", false, &["k1"]), true);
    // An account that was taken away from a company is still the company's.
    check(whole, ("msg", true, &["k1", "k3"]), true);
    check(("msg", false, &["k1", "k2"]), ("msg", false, &["k1"]), true);
    check(("msg", false, &["k1", "k2"]), ("msg", false, &["k1", "k3"]), false);
    check(("msg", false, &["k1", "k2"]), whole, false);
    check(("msg2", true, &["k1", "k2"]), whole, false);
}

#[test]
fn accounts_of_the_old_kind_are_not_asked_for() {
    let check = |legacy: &[&str], (role, at): (&str, &str), expected: &str| {
        let mut company = world();
        for id in legacy {
            let places = &mut company.places.accounts.get_mut(&account("msg")).unwrap().places;
            let timeline = places.get_mut(&key(id)).unwrap();
            let mut facts = timeline.at(t(NOW)).unwrap().clone();
            facts.detail = Detail::MessagingAccount { generation: Generation::Legacy };
            *timeline = Timeline::from(t("2026-01-01"), facts);
        }
        company.role_assignments = vec![given(role, at)];
        assert_eq!(sight(&company, &caller(), NOW), expected, "{legacy:?} {role} {at}");
    };
    let company = ("Finance Manager", "account msg");
    let one = &["messaging k2"];
    let all = &["messaging k1", "messaging k2", "messaging k3", "messaging k9"];
    check(one, company, "msg whole: k1 k3 k9");
    check(one, ("Finance Manager", "msg/messaging k1"), "msg: k1 k3");
    check(one, ("Finance Manager", "msg/messaging k2"), "msg: k3");
    check(one, ("Sub-account User", "msg/messaging k2"), NOTHING);
    check(all, company, NOTHING);
    check(all, ("Auditor", "everything"), "msg2 whole: j1");
}
