use super::*;
use crate::access::{Action, Caller, may_at};
use crate::agreements::Permission;
use crate::fixtures::places::{scope, world_with};
use crate::fixtures::t;
use crate::ids::PrincipalId;

fn grant(at: &str) -> EnterpriseGrant {
    let principal = PrincipalId::new("p").unwrap();
    EnterpriseGrant { key_id: "k".to_owned(), principal, scope: scope(at) }
}

fn key(revoked_at: Option<&str>) -> EnterpriseKey {
    let term = Term {
        valid_from: t("2026-01-01"),
        expires_at: Some(t("2026-07-03")),
        revoked_at: revoked_at.map(t),
    };
    let (grant, allowed_ranges) = (grant("account ea"), Vec::new());
    EnterpriseKey { grant, slot: Slot::Primary, term, allowed_ranges }
}

#[test]
fn a_key_holds_for_its_term_and_its_enrollment() {
    let check = |revoked: Option<&str>, enrollment: &str, at: &str, expected: bool| {
        let found = check_use(&key(revoked), enrollment, None, t(at));
        assert_eq!(found.is_ok(), expected, "{revoked:?} {enrollment} {at}");
    };
    check(None, "ea", "2025-12-31", false);
    check(None, "ea", "2026-01-01", true);
    check(None, "ea", "2026-07-02", true);
    check(None, "ea", "2026-07-03", false);
    check(None, "ea2", "2026-05-01", false);
    check(None, "nowhere", "2026-05-01", false);
    check(None, "EA", "2026-05-01", false); // a text, kept as spelled
    check(Some("2026-05-01"), "ea", "2026-04-30", true);
    check(Some("2026-05-01"), "ea", "2026-05-01", false);
}

#[test]
fn a_key_is_used_from_its_ranges_only() {
    let ranges = vec![AddressRange::parse("10.0.0.0/8").unwrap()];
    let key = EnterpriseKey { allowed_ranges: ranges, ..key(None) };
    let check = |from: Option<&str>, expected: bool| {
        let from = from.map(|text| text.parse().unwrap());
        assert_eq!(check_use(&key, "ea", from, t("2026-05-01")).is_ok(), expected, "{from:?}");
    };
    check(Some("10.1.2.3"), true);
    check(Some("11.1.2.3"), false);
    check(None, false);
}

#[test]
fn enrollments_departments_and_their_accounts_have_keys() {
    let company = world_with(Permission::Allowed);
    let check = |owner: &str, expected: bool| {
        let found = check_owner(&company, &scope(owner), t("2026-05-01"));
        assert_eq!(found.is_ok(), expected, "{owner}: {found:?}");
    };
    check("account ea", true);
    check("ea/department d1", true);
    check("ea/enrollment n1", true);
    check("ea/department nowhere", false);
    check("account nowhere", false);
    check("account mca", false);
    check("mca/profile p1", false);
    check("subscription in-n1", false);
    check("everything", false);
}

/// What keys read, by whose they are: of its own part always what was used, costs by the policy of
/// its level, and nothing above or beside it.
#[test]
fn keys_read_what_is_their_owners() {
    use Action::{ReadBalance, ReadCharges, ReadPriceSheet, ReadUsage};
    let check = |policies: Permission, owner: &str, asked: &str, expected: &[Action]| {
        let company = world_with(policies);
        let caller = Caller::Enterprise(grant(owner));
        for action in [ReadUsage, ReadCharges, ReadBalance, ReadPriceSheet] {
            let found = may_at(&company, &caller, action, &scope(asked), t("2026-05-01"));
            let expected = expected.contains(&action);
            assert_eq!(found, expected, "{policies:?}: {owner} {} of {asked}", action.name());
        }
    };
    use Permission::{Allowed, NotAllowed};
    let all = [ReadUsage, ReadCharges, ReadBalance, ReadPriceSheet];
    for policies in [Allowed, NotAllowed] {
        check(policies, "account ea", "account ea", &all);
        check(policies, "account ea", "ea/department d1", &all);
        check(policies, "account ea", "account ea2", &[]);
        check(policies, "ea/department d1", "account ea", &[]);
        check(policies, "ea/department d1", "ea/department d2", &[]);
        check(policies, "ea/enrollment n1", "ea/department d1", &[]);
        check(policies, "ea/enrollment n1", "ea/enrollment n2", &[]);
    }
    check(Allowed, "ea/department d1", "ea/department d1", &[ReadUsage, ReadCharges]);
    check(NotAllowed, "ea/department d1", "ea/department d1", &[ReadUsage]);
    check(Allowed, "ea/department d1", "ea/enrollment n1", &[ReadUsage, ReadCharges]);
    check(Allowed, "ea/enrollment n1", "ea/enrollment n1", &[ReadUsage, ReadCharges]);
    check(NotAllowed, "ea/enrollment n1", "ea/enrollment n1", &[ReadUsage]);
    check(NotAllowed, "ea/enrollment n1", "subscription in-n1", &[ReadUsage]);
}

#[test]
fn keys_change_nothing() {
    let company = world_with(Permission::Allowed);
    let caller = Caller::Enterprise(grant("account ea"));
    let allowed = Action::ALL
        .into_iter()
        .filter(|action| may_at(&company, &caller, *action, &scope("account ea"), t("2026-05-01")));
    use Action::{
        ReadBalance, ReadCharges, ReadPlace, ReadPriceSheet, ReadSubscription, ReadUsage,
    };
    let read = [ReadSubscription, ReadUsage, ReadCharges, ReadPlace, ReadPriceSheet, ReadBalance];
    assert_eq!(allowed.collect::<Vec<_>>(), read);
}
