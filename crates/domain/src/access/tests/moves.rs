//! Rights at a moment: places and policies change.

use super::*;
use crate::agreements::AgreementType;
use crate::agreements::Permission;
use crate::fixtures::places::below;
use crate::fixtures::places::{agreement, scope, world};
use crate::fixtures::t;
use crate::timeline::Timeline;
use proptest::prelude::*;

fn given(role: Role, at: &str) -> RoleAssignment {
    RoleAssignment { principal: principal("p"), role, scope: scope(at), until: Instant::MAX }
}

fn caller() -> Caller {
    Caller::Principal(principal("p"))
}

/// Enrollment account `n4` lies in department `d1` until June, then in `d2`.
#[test]
fn who_held_a_place_once_still_sees_it_and_who_holds_it_now_changes_it() {
    let mut company = world();
    let mut check = |at: &str, action: Action, moment: &str, expected: bool| {
        company.role_assignments = vec![given(Role::DepartmentAdministrator, at)];
        for asked in ["ea/enrollment n4", "subscription in-n4"] {
            let found = may_at(&company, &caller(), action, &scope(asked), t(moment));
            assert_eq!(found, expected, "{at} {} {asked} {moment}", action.name());
            let (who, asked) = (caller(), scope(asked));
            let seen = View::new(&company, &who, t(moment)).may_look_back(action, &asked);
            assert_eq!(seen, expected, "{at} {} {asked:?} {moment}", action.name());
        }
    };
    use Action::{ManageEnrollmentAccounts, ReadPlace};
    check("ea/department d1", ManageEnrollmentAccounts, "2026-05-31T23:59:59", true);
    check("ea/department d1", ManageEnrollmentAccounts, "2026-06-01", false);
    check("ea/department d1", ReadPlace, "2026-06-01", true);
    check("ea/department d2", ManageEnrollmentAccounts, "2026-05-31T23:59:59", false);
    check("ea/department d2", ManageEnrollmentAccounts, "2026-06-01", true);
}

#[test]
fn without_a_moment_nothing_is_inherited_that_may_move() {
    let mut company = world();
    let mut check = |role: Role, at: &str, action: Action, asked: &str, expected: bool| {
        company.role_assignments = vec![given(role, at)];
        let found = may(&company, &caller(), action, &scope(asked));
        assert_eq!(found, expected, "{at} {} {asked}", action.name());
    };
    use Role::{BillingProfileOwner, DepartmentAdministrator, EnterpriseAdministrator};
    let manage = Action::ManagePlace;
    check(BillingProfileOwner, "mca/profile p1", manage, "mca/profile p1", true);
    check(BillingProfileOwner, "mca/profile p1", manage, "mca/section s1", false);
    check(BillingProfileOwner, "mca/profile p1", Action::ReadPlace, "mca/section s1", true);
    let owners = Action::ManageEnrollmentAccounts;
    check(EnterpriseAdministrator, "account ea", owners, "ea/enrollment n4", true);
    check(DepartmentAdministrator, "ea/department d1", owners, "ea/enrollment n4", false);
    check(
        DepartmentAdministrator,
        "ea/department d1",
        Action::ReadCharges,
        "ea/department d1",
        false,
    );
}

#[test]
fn a_policy_holds_from_its_instant() {
    let mut company = world();
    let steps = [("2026-01-01", Permission::NotAllowed), ("2026-04-01", Permission::Allowed)];
    let steps =
        steps.map(|(from, policies)| (t(from), agreement(AgreementType::Enterprise, policies)));
    company.places.accounts.get_mut(&account("ea")).unwrap().agreement =
        Timeline::new("agreement", steps).unwrap();
    company.role_assignments = vec![given(Role::EnrollmentAccountOwner, "ea/enrollment n1")];
    let check = |moment: &str, expected: bool| {
        for asked in ["ea/enrollment n1", "subscription in-n1"] {
            let at = scope(asked);
            let found = may_at(&company, &caller(), Action::ReadCharges, &at, t(moment));
            assert_eq!(found, expected, "{asked} {moment}");
        }
    };
    check("2026-03-31T23:59:59.999999", false);
    check("2026-04-01", true);
}

#[test]
fn foreign_and_missing_places_are_told_apart_by_nothing() {
    let mut company = world();
    company.role_assignments = vec![given(Role::InvoiceSectionReader, "mca/section s1")];
    let check = |action: Action, asked: &str, expected: &str| {
        let told = demand_at(&company, &caller(), action, &scope(asked), t("2026-05-01"));
        assert_eq!(told.map_or_else(|e| e.to_string(), |()| "yes".to_owned()), expected);
    };
    use Action::{ReadCharges, ReadPlace};
    check(ReadPlace, "mca/section s1", "yes");
    check(ReadCharges, "mca/section s1", "charges:read is not allowed here");
    check(ReadPlace, "mca/section s2", "invoice section `s2` does not exist");
    check(ReadPlace, "mca/section nowhere", "invoice section `nowhere` does not exist");
    check(ReadPlace, "mca2/section s1", "invoice section `s1` does not exist");
    check(ReadPlace, "mca2/profile q1", "billing profile `q1` does not exist");
    check(ReadPlace, "product x", "product `x` does not exist");
    check(ReadPlace, "everything", "place:read is not allowed here");
}

#[test]
fn a_role_at_a_place_that_is_not_there_allows_nothing() {
    let mut company = world();
    company.role_assignments = vec![given(Role::InvoiceSectionReader, "mca/section nowhere")];
    let asked = scope("mca/section nowhere");
    assert!(!may_at(&company, &caller(), Action::ReadPlace, &asked, t("2026-05-01")));
}

#[test]
fn links_and_keys_reach_places() {
    let company = world();
    let link = Caller::Link { action: Action::ReadInvoices, scope: scope("mca/profile p1") };
    let key = Caller::Key(KeyGrant {
        key_id: "k".to_owned(),
        principal: principal("p"),
        actions: vec![Action::ReadInvoices],
        billing_accounts: [account("mca")].into(),
        places: [].into(),
        sources: Vec::new(),
    });
    let check = |asked: &str, expected: [bool; 2]| {
        let at = scope(asked);
        let found = [&link, &key].map(|who| may(&company, who, Action::ReadInvoices, &at));
        assert_eq!(found, expected, "{asked}");
        for who in [&link, &key] {
            assert!(!may(&company, who, Action::PayInvoices, &at), "{asked}");
        }
    };
    check("mca/profile p1", [true, true]);
    check("mca/section s1", [true, true]);
    check("mca/profile p2", [false, true]);
    check("account mca", [false, true]);
    check("mca2/profile q1", [false, false]);
    check("mca/profile nowhere", [false, false]);
}

/// Accounts within accounts: parents of 0 to 5, first and after a move on some day of February.
/// A parent has a lower number, so nothing leads back.
fn any_tree() -> impl Strategy<Value = Vec<(usize, usize, u32)>> {
    prop::collection::vec((0..6_usize, 0..6_usize, 1..28_u32), 6)
}

/// The parent of an account on a day, or none.
fn parent(tree: &[(usize, usize, u32)], child: usize, day: u32) -> Option<usize> {
    let (first, then, from) = tree[child];
    let parent = if day < from { first } else { then };
    (parent < child).then_some(parent)
}

/// By walking up, one account at a time.
fn is_below(tree: &[(usize, usize, u32)], below: usize, above: usize, day: u32) -> bool {
    below == above || parent(tree, below, day).is_some_and(|one| is_below(tree, one, above, day))
}

proptest! {
    #![proptest_config(crate::fixtures::few())]

    #[test]
    fn rights_follow_the_tree_of_the_day_and_sight_that_of_any_day(
        tree in any_tree(), above in 0..6_usize, asked in 0..6_usize, day in 1..28_u32,
    ) {
        let line = |child: usize, day: u32| {
            let parent = parent(&tree, child, day);
            let below = parent.map_or(String::new(), |parent| format!(" < messaging k{parent}"));
            format!("messaging k{child}{below}")
        };
        let first = (0..6).map(|child| line(child, 0));
        let then = (0..6).map(|child| {
            let from = tree[child].2;
            format!("{} from 2026-02-{from:02}", line(child, from))
        });
        let story = first.chain(then).collect::<Vec<_>>().join(", ");
        let mut company = world();
        let places = below(AgreementType::Messaging, &story);
        let faults = crate::places::check_places(&company.accounts[&account("msg")], &places);
        prop_assert_eq!(faults, []);
        company.places.accounts.insert(account("msg"), places);
        let at = format!("msg/messaging k{above}");
        company.role_assignments = vec![given(Role::AccountManager, &at)];
        let asked_at = scope(&format!("msg/messaging k{asked}"));
        let moment = t(&format!("2026-02-{day:02}"));
        let may = |action| may_at(&company, &caller(), action, &asked_at, moment);
        prop_assert_eq!(may(Action::ManagePlace), is_below(&tree, asked, above, day));
        let ever = (0..28).any(|day| is_below(&tree, asked, above, day));
        prop_assert_eq!(may(Action::ReadPlace), ever);
        // What is asked for is what lies there that day.
        let seen = usage_sight(&company, &caller(), moment).unwrap();
        let expected = (0..6).filter(|child| is_below(&tree, *child, above, day));
        let expected: Vec<String> = expected.map(|child| format!("k{child}")).collect();
        let found: Vec<&str> = seen.places.iter().map(|id| id.as_str()).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(!seen.whole);
    }
}
