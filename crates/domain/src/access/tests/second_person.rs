//! What one alone should not do.

use super::*;
use crate::fixtures::places::{scope, world};
use crate::fixtures::t;

fn company() -> Company {
    let mut company = world();
    let roles = [
        ("clerk", Role::BillingClerk),
        ("approver", Role::Approver),
        ("admin", Role::Administrator),
        ("other admin", Role::Administrator),
        ("auditor", Role::Auditor),
    ];
    company.role_assignments = roles
        .map(|(who, role)| RoleAssignment {
            principal: principal(who),
            role,
            scope: Scope::Installation,
            until: Instant::MAX,
        })
        .into();
    company
}

fn caller(name: &str) -> Caller {
    match name.split_once("key of ") {
        Some((_, who)) => Caller::Key(KeyGrant {
            key_id: "k".to_owned(),
            principal: principal(who),
            actions: Action::ALL.to_vec(),
            billing_accounts: [account("mca")].into(),
            places: [].into(),
            sources: Vec::new(),
        }),
        None if name == "machine" => Caller::Machine,
        None => Caller::Principal(principal(name)),
    }
}

fn told(rule: &SecondPerson, action: Action, by: &str, approved_by: Option<&str>) -> String {
    let (by, approved_by) = (caller(by), approved_by.map(caller));
    let at = scope("account mca");
    let request = Request {
        action,
        scope: &at,
        by: &by,
        approved_by: approved_by.as_ref(),
        at: t("2026-05-05"),
    };
    let told = demand_approved(&company(), rule, &request);
    told.map_or_else(|error| error.to_string(), |()| "yes".to_owned())
}

#[test]
fn a_second_person_is_another_one_who_may_approve() {
    let rule = SecondPerson::new(SecondPerson::CHOICE).unwrap();
    let close = Action::ClosePeriods;
    let check = |by: &str, approved_by: Option<&str>, expected: &str| {
        assert_eq!(told(&rule, close, by, approved_by), expected, "{by} {approved_by:?}");
    };
    let alone = "request `periods:close`: needs the approval of a second person";
    let oneself = "request `periods:close`: nobody approves what it asks for itself";
    let nobody = "request `periods:close`: a key, a link or the machine is no second person";
    check("clerk", Some("approver"), "yes");
    check("clerk", Some("admin"), "yes");
    check("admin", Some("other admin"), "yes");
    check("machine", Some("approver"), "yes");
    check("key of admin", Some("approver"), "yes");
    check("clerk", None, alone);
    check("machine", None, alone);
    check("admin", Some("admin"), oneself);
    check("key of admin", Some("admin"), oneself);
    check("clerk", Some("machine"), nobody);
    check("clerk", Some("key of approver"), nobody);
    check("clerk", Some("auditor"), "requests:approve is not allowed here");
    check("clerk", Some("stranger"), "billing account `mca` does not exist");
    check("auditor", Some("approver"), "periods:close is not allowed here");
    check("approver", Some("admin"), "periods:close is not allowed here");
}

#[test]
fn the_configuration_says_what_needs_one() {
    let check = |needed: &[Action], action: Action, expected: &str| {
        let rule = SecondPerson::new(needed.iter().copied()).unwrap();
        assert_eq!(told(&rule, action, "admin", None), expected, "{}", action.name());
    };
    for action in SecondPerson::CHOICE {
        check(&[], action, "yes");
        let waits = format!("request `{}`: needs the approval of a second person", action.name());
        check(&[action], action, &waits);
    }
    check(&[Action::VoidInvoices], Action::ClosePeriods, "yes");
    let wrong = SecondPerson::new([Action::ReadUsage]).unwrap_err().to_string();
    assert_eq!(wrong, "second_person: `usage:read` is never asked of a second person");
}
