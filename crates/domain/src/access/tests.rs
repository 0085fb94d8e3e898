//! Who may do what where.

mod assignments;
mod matrix;
mod messaging;
mod moves;
mod second_person;
mod sight;

use super::*;
use crate::catalog::Aggregation;
use crate::company::RoleAssignment;
use crate::fixtures::{account, company as small_company, placement, span, subscription};
use calendar::{Instant, Interval};

fn principal(name: &str) -> PrincipalId {
    PrincipalId::new(name).unwrap()
}

fn place(text: &str) -> Scope {
    match text.split_once(' ') {
        Some(("account", id)) => Scope::Account(account(id)),
        Some(("subscription", id)) => Scope::Subscription(SubscriptionId::new(id).unwrap()),
        _ => Scope::Installation,
    }
}

/// Subscriptions `s` of account `a`, `f` of account `b`, `moved` from `a` to `b`.
fn company(roles: &[(&str, Role, &str)]) -> Company {
    let mut company = small_company(Aggregation::Sum, Vec::new());
    let moved = vec![
        placement("a", span("2026-01-01", "2026-02-01")),
        placement("b", span("2026-02-01", "2027-01-01")),
    ];
    let foreign = vec![placement("b", Interval::always())];
    company.subscriptions.extend([subscription("f", foreign), subscription("moved", moved)]);
    company.role_assignments = roles
        .iter()
        .map(|(who, role, at)| RoleAssignment {
            principal: principal(who),
            role: *role,
            scope: place(at),
            until: Instant::MAX,
        })
        .collect();
    company
}

fn told(company: &Company, caller: &Caller, action: Action, at: &str) -> String {
    told_at(company, "2026-10-01", caller, action, at)
}

fn told_at(company: &Company, now: &str, caller: &Caller, action: Action, at: &str) -> String {
    let now = Instant::parse(now).unwrap();
    demand_at(company, caller, action, &place(at), now)
        .map_or_else(|e| e.to_string(), |()| "yes".to_owned())
}

#[test]
fn the_table_of_decision_0007_is_this() {
    use Action::*;
    let of_0007 = &Action::ALL[..15];
    let check = |role: Role, allowed: &[Action]| {
        let actions = of_0007.iter().copied();
        let all: Vec<_> = actions.filter(|action| role.allows(*action)).collect();
        assert_eq!(all, allowed, "{}", role.name());
    };
    let reader = [ReadSubscription, ReadUsage, ReadRateCard];
    check(Role::Owner, &reader);
    check(Role::Contributor, &reader);
    check(Role::Reader, &reader);
    check(Role::BillingReader, &[ReadSubscription, ReadUsage]);
    check(Role::Administrator, of_0007);
    check(
        Role::BillingClerk,
        &[
            ReadSubscription,
            ReadUsage,
            ReadRateCard,
            ReadCharges,
            ExplainCharges,
            ReadCompany,
            SendUsage,
            ImportUsage,
            SettleUsage,
            ReadQuarantine,
        ],
    );
    check(Role::Approver, &[ReadCharges, ExplainCharges, ReadCompany, ReadQuarantine]);
    check(
        Role::Auditor,
        &[
            ReadSubscription,
            ReadUsage,
            ReadRateCard,
            ReadCharges,
            ExplainCharges,
            ReadCompany,
            ReadQuarantine,
            ReadAudit,
        ],
    );
}

#[test]
fn a_role_reaches_its_place_and_what_lies_below() {
    let check = |role_at: &str, asked: &str, expected: &str| {
        let company = company(&[("p", Role::Auditor, role_at)]);
        let caller = Caller::Principal(principal("p"));
        assert_eq!(
            told(&company, &caller, Action::ReadUsage, asked),
            expected,
            "{role_at} {asked}"
        );
    };
    check("everything", "subscription s", "yes");
    check("everything", "account b", "yes");
    check("everything", "everything", "yes");
    check("account a", "account a", "yes");
    check("account a", "subscription s", "yes");
    check("account a", "subscription moved", "yes"); // paid for it once
    check("account a", "subscription f", "subscription `f` does not exist");
    check("account a", "account b", "billing account `b` does not exist");
    check("account a", "everything", "usage:read is not allowed here");
    check("subscription s", "subscription s", "yes");
    check("subscription S", "subscription s", "yes");
    check("subscription s", "account a", "billing account `a` does not exist");
    check("subscription s", "subscription f", "subscription `f` does not exist");
}

#[test]
fn foreign_and_missing_look_the_same_and_seen_but_refused_does_not() {
    let company = company(&[("p", Role::BillingReader, "subscription s")]);
    let check = |who: &str, action: Action, at: &str, expected: &str| {
        let caller = Caller::Principal(principal(who));
        assert_eq!(told(&company, &caller, action, at), expected);
    };
    check("p", Action::ReadUsage, "subscription s", "yes");
    check("p", Action::ReadRateCard, "subscription s", "ratecard:read is not allowed here");
    check("p", Action::ReadUsage, "subscription f", "subscription `f` does not exist");
    check("p", Action::ReadUsage, "subscription nowhere", "subscription `nowhere` does not exist");
    check("nobody", Action::ReadUsage, "subscription s", "subscription `s` does not exist");
}

#[test]
fn a_role_gives_its_rights_until_it_ends() {
    let check = |until: Instant, now: &str, expected: &str| {
        let mut company = company(&[("p", Role::Reader, "subscription s")]);
        company.role_assignments[0].until = until;
        let caller = Caller::Principal(principal("p"));
        let told = told_at(&company, now, &caller, Action::ReadUsage, "subscription s");
        assert_eq!(told, expected, "until {until}, asked at {now}");
    };
    let gone = "subscription `s` does not exist";
    let october = Instant::parse("2026-10-01").unwrap();
    check(october, "2026-09-30T23:59:59.999999Z", "yes");
    check(october, "2026-10-01", gone);
    check(october, "2030-01-01", gone);
    check(Instant::MAX, "2030-01-01", "yes");
    check(Instant::MIN, "1970-01-01", gone); // revoked: as if it had never been
}

#[test]
fn a_key_does_what_it_says_for_the_accounts_it_names() {
    let company = company(&[("p", Role::Administrator, "everything")]);
    let key = Caller::Key(KeyGrant {
        key_id: "k1".to_owned(),
        principal: principal("p"),
        actions: vec![Action::SendUsage],
        billing_accounts: [account("a")].into(),
        places: [].into(),
        sources: vec![],
    });
    let check = |action: Action, at: &str, expected: &str| {
        assert_eq!(told(&company, &key, action, at), expected);
    };
    check(Action::SendUsage, "account a", "yes");
    check(Action::SendUsage, "subscription s", "yes");
    check(Action::SendUsage, "account b", "billing account `b` does not exist");
    check(Action::SendUsage, "everything", "usage:send is not allowed here");
    check(Action::ReadUsage, "account a", "usage:read is not allowed here");
    assert_eq!(key.actor(), "p (key k1)");
}

#[test]
fn a_link_opens_one_right_at_one_place_and_the_machine_opens_all() {
    let company = company(&[]);
    let link = Caller::Link { action: Action::ReadRateCard, scope: place("subscription s") };
    for action in Action::ALL {
        for at in ["everything", "account a", "subscription s", "subscription f"] {
            let opened = action == Action::ReadRateCard && at == "subscription s";
            let may =
                |caller: &Caller| may_at(&company, caller, action, &place(at), Instant::EPOCH);
            assert_eq!(may(&link), opened);
            assert!(may(&Caller::Machine));
            assert!(!may(&Caller::Principal(principal("p"))));
        }
    }
}

#[test]
fn names_are_read_back() {
    for role in Role::ALL {
        assert_eq!(Role::parse(role.name()), Some(role));
    }
    for action in Action::ALL {
        assert_eq!(Action::parse(action.name()), Some(action));
    }
    assert_eq!(Role::parse("owner"), None);
}
