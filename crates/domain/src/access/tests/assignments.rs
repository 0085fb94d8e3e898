//! What must hold before a role is given, and before one is taken.

use super::*;
use crate::fixtures::places::{scope, world};

fn given(text: &str) -> RoleAssignment {
    let [who, role, at] = text.split(", ").collect::<Vec<_>>().try_into().unwrap();
    RoleAssignment {
        principal: principal(who),
        role: Role::parse(role).unwrap_or_else(|| panic!("{role} is no role")),
        scope: scope(at),
        until: Instant::MAX,
    }
}

fn holding(roles: &[&str]) -> Company {
    let mut company = world();
    company.role_assignments = roles.iter().map(|text| given(text)).collect();
    company
}

/// Whose roles end at a moment where another is given.
fn before<'a>(company: &'a Company, text: &str, at: &str) -> Vec<&'a str> {
    let ended = handed_over(company, &given(text), Instant::parse(at).unwrap());
    ended.into_iter().map(|one| one.principal.as_str()).collect()
}

fn said(told: Result<()>) -> String {
    told.map_or_else(|error| error.to_string(), |()| "yes".to_owned())
}

#[test]
fn a_role_is_given_where_it_belongs() {
    let company = holding(&[]);
    let check = |text: &str, expected: &str| {
        assert_eq!(said(check_given(&company, &given(text), Holder::Person)), expected, "{text}");
    };
    check("p, Billing Account Owner, account mca", "yes");
    check("p, Invoice Manager, mca/profile p1", "yes");
    check("p, Department Administrator, ea/department d1", "yes");
    check("p, Finance Manager, account msg", "yes");
    check("p, Finance Manager, msg/messaging k2", "yes");
    check("p, Auditor, account mca", "yes");
    check("p, Owner, subscription in-s1", "yes");
    let owner = "scope: Billing Account Owner is a role of: billing account, customer agreement";
    check("p, Billing Account Owner, account ea", owner);
    check("p, Billing Account Owner, mca/profile p1", owner);
    check("p, Billing Account Owner, account nowhere", owner);
    check("p, Billing Account Owner, everything", owner);
    check(
        "p, Account Owner, ea/department d1",
        "scope: Account Owner is a role of: enrollment account, enterprise agreement",
    );
    check("p, Invoice Manager, mca/profile nowhere", "billing profile `nowhere` does not exist");
}

#[test]
fn a_role_may_be_given_again_and_an_enrollment_account_has_one_owner() {
    let company =
        holding(&["p, Account Owner, ea/enrollment n1", "p, Invoice Manager, mca/profile p1"]);
    let check = |text: &str, expected: &str| {
        assert_eq!(said(check_given(&company, &given(text), Holder::Person)), expected, "{text}");
    };
    check("p, Invoice Manager, mca/profile p1", "yes");
    check("p, Account Owner, ea/enrollment n1", "yes");
    check("p, Invoice Manager, mca/profile p2", "yes");
    check("q, Invoice Manager, mca/profile p1", "yes");
    let second = "role `q/Account Owner`: the enrollment account has an owner already";
    check("q, Account Owner, ea/enrollment n1", second);
    check("q, Account Owner, ea/enrollment n2", "yes");
}

#[test]
fn an_enrollment_account_is_handed_over_by_its_owner() {
    let company = holding(&[
        "p, Account Owner, ea/enrollment n1",
        "q, EA Subscription Creator, ea/enrollment n1",
        "p, Invoice Manager, mca/profile p1",
        "r, Billing Account Owner, account mca",
    ]);
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(before(&company, text, "2026-10-01"), expected, "{text}");
    };
    check("q, Account Owner, ea/enrollment n1", &["p"]);
    check("p, Account Owner, ea/enrollment n1", &[]); // the same again
    check("q, Account Owner, ea/enrollment n2", &[]);
    check("p, EA Subscription Creator, ea/enrollment n1", &[]);
    check("q, Invoice Manager, mca/profile p1", &[]);
    check("q, Billing Account Owner, account mca", &[]);
    let told = |text: &str, holder| said(check_handed_over(&company, &given(text), holder));
    assert_eq!(told("q, Account Owner, ea/enrollment n1", Holder::Person), "yes");
    let says = "role: a program cannot be Account Owner";
    assert_eq!(told("q, Account Owner, ea/enrollment n1", Holder::Program), says);
}

#[test]
fn an_enrollment_account_is_handed_over_by_owners_that_would_end_too() {
    let (none, october) = (Instant::MIN, Instant::parse("2026-10-01").unwrap());
    let check = |ends: [Instant; 2], at: &str, expected: &[&str]| {
        let [p, q] = ["p", "q"].map(|who| format!("{who}, Account Owner, ea/enrollment n1"));
        let mut company = holding(&[p.as_str(), q.as_str()]);
        for (one, until) in company.role_assignments.iter_mut().zip(ends) {
            one.until = until;
        }
        let text = "r, Account Owner, ea/enrollment n1";
        assert_eq!(before(&company, text, at), expected, "{ends:?} {at}");
        // The same again is not handed over, whenever it ends.
        let others: Vec<_> = expected.iter().filter(|who| **who != "p").copied().collect();
        assert_eq!(before(&company, &p, at), others, "{ends:?} {at}");
    };
    check([october, october], "2026-09-30T23:59:59.999999Z", &["p", "q"]);
    check([october, october], "2026-10-01", &[]);
    check([october, Instant::MAX], "2026-09-01", &["p", "q"]);
    check([october, Instant::MAX], "2026-10-01", &["q"]);
    check([Instant::MAX, none], "2026-10-01", &["p"]);
    check([none, none], "2026-10-01", &[]);
}

#[test]
fn a_program_holds_one_enterprise_role_of_four() {
    let company = holding(&["busy, EA Purchaser, account ea"]);
    let check = |text: &str, expected: &str| {
        assert_eq!(said(check_given(&company, &given(text), Holder::Program)), expected, "{text}");
    };
    check("new, Enterprise Administrator (read only), account ea", "yes");
    check("new, EA Purchaser, account ea", "yes");
    check("new, Department Administrator (read only), ea/department d1", "yes");
    check("new, EA Subscription Creator, ea/enrollment n1", "yes");
    check(
        "new, Enterprise Administrator, account ea",
        "role: a program cannot be Enterprise Administrator",
    );
    check(
        "new, Department Administrator, ea/department d1",
        "role: a program cannot be Department Administrator",
    );
    check("new, Account Owner, ea/enrollment n1", "role: a program cannot be Account Owner");
    check(
        "busy, EA Subscription Creator, ea/enrollment n1",
        "role `busy/EA Subscription Creator`: a program holds one role of enterprise agreements",
    );
    check("busy, EA Purchaser, account ea", "yes"); // the same again
    check("busy, Billing Account Owner, account mca", "yes");
}

#[test]
fn who_gives_a_role_is_said_by_the_role() {
    let check = |role: Role, expected: Action| {
        assert_eq!(role.given_with(), expected, "{}", role.name());
    };
    check(Role::BillingProfileReader, Action::ManageRoles);
    check(Role::SectionSubscriptionCreator, Action::ManageRoles);
    check(Role::EnterpriseReader, Action::ManageRoles);
    check(Role::DepartmentReader, Action::ManageRoles);
    check(Role::EnrollmentAccountOwner, Action::ManageEnrollmentAccounts);
    check(Role::EnrollmentSubscriptionCreator, Action::ManageSubscriptionCreators);
    check(Role::SubAccountUser, Action::ManageRoles);
    check(Role::Auditor, Action::ManageCompany);
    check(Role::Owner, Action::ManageCompany);
}

#[test]
fn the_last_owner_of_a_place_stays() {
    let check = |roles: &[&str], taken: &str, expected: &str| {
        let company = holding(roles);
        assert_eq!(said(check_taken(&company, &given(taken))), expected, "{roles:?} - {taken}");
    };
    let (one, two) =
        ("p, Billing Account Owner, account mca", "q, Billing Account Owner, account mca");
    let reader = "q, Billing Account Reader, account mca";
    check(&[one, two], one, "yes");
    check(&[one, reader], reader, "yes");
    check(&[one, reader], one, "role `p/Billing Account Owner`: is the last owner there");
    check(&[one], one, "role `p/Billing Account Owner`: is the last one given there");
    check(&[one], two, "role `q/Billing Account Owner` does not exist");
    // An owner above is another place's, an operator's role no owner of the account.
    let below = "p, Billing Profile Owner, mca/profile p1";
    let manager = "q, Invoice Manager, mca/profile p1";
    check(&[one, below, manager], below, "role `p/Billing Profile Owner`: is the last owner there");
    let guest = "o, Administrator, account mca";
    check(&[one, guest], one, "role `p/Billing Account Owner`: is the last one given there");
    check(&[one, guest], guest, "yes");
    // A place without an owner of its own keeps its last role.
    check(&[manager], manager, "role `q/Invoice Manager`: is the last one given there");
    // Enterprise, installation, subscription.
    let owner = "p, Account Owner, ea/enrollment n1";
    let creator = "q, EA Subscription Creator, ea/enrollment n1";
    check(&[owner, creator], owner, "role `p/Account Owner`: is the last owner there");
    let operator = "o, Administrator, everything";
    let auditor = "a, Auditor, everything";
    check(&[operator, auditor], operator, "role `o/Administrator`: is the last owner there");
    check(&[operator, auditor], auditor, "yes");
    let azure = "p, Owner, subscription in-s1";
    check(&[azure], azure, "role `p/Owner`: is the last owner there");
    check(&[azure, "q, Owner, subscription in-s1"], azure, "yes");
}
