//! Who may know of which billing accounts and places, and how much of them.

use super::*;
use crate::company::BillingAccount;
use crate::fixtures::places::{scope, world};
use crate::fixtures::t;

fn given(role: Role, at: &str, until: Instant) -> RoleAssignment {
    RoleAssignment { principal: principal("p"), role, scope: scope(at), until }
}

fn caller() -> Caller {
    Caller::Principal(principal("p"))
}

/// `mca full, mpa shell`.
fn accounts(company: &Company, caller: &Caller, at: &str) -> String {
    let seen = View::new(company, caller, t(at)).accounts();
    let told = seen.iter().map(|(id, sight)| match sight {
        Sight::Full => format!("{id} full"),
        Sight::Shell => format!("{id} shell"),
    });
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn accounts_are_known_to_who_holds_a_role_at_them_or_below() {
    let check = |role: Role, at: &str, expected: &str| {
        let mut company = world();
        company.role_assignments = vec![given(role, at, Instant::MAX)];
        assert_eq!(accounts(&company, &caller(), "2026-07-01"), expected, "{at}");
    };
    check(Role::BillingAccountReader, "account mca", "mca full");
    check(Role::BillingProfileReader, "mca/profile p1", "mca shell");
    check(Role::SectionSubscriptionCreator, "mca/section s1", "mca shell");
    check(Role::EnrollmentAccountOwner, "ea/enrollment n1", "ea shell");
    check(Role::Reader, "subscription in-s1", "mca shell");
    check(Role::Reader, "subscription in-mosp", "mosp shell");
    check(Role::Reader, "subscription nowhere", "");
    check(Role::BillingProfileReader, "mca/profile nowhere", "");
    let all: Vec<String> = world().accounts.keys().map(|id| format!("{id} full")).collect();
    check(Role::Auditor, "everything", &all.join(", "));
}

#[test]
fn without_a_role_that_holds_nothing_is_known() {
    let mut company = world();
    let until = t("2026-07-01");
    company.role_assignments = vec![given(Role::BillingAccountReader, "account mca", until)];
    let check = |who: &Caller, at: &str, expected: &str| {
        assert_eq!(accounts(&company, who, at), expected, "{at}");
    };
    check(&caller(), "2026-06-30", "mca full");
    check(&caller(), "2026-07-01", "");
    check(&Caller::Principal(principal("nobody")), "2026-06-30", "");
}

#[test]
fn a_role_shows_what_lies_below_it_and_that_there_is_something_above() {
    let check = |role: Role, at: &str, asked: &str, expected: Option<Sight>| {
        let mut company = world();
        company.role_assignments = vec![given(role, at, Instant::MAX)];
        let who = caller();
        let found = View::new(&company, &who, t("2026-07-01")).sight(&scope(asked));
        assert_eq!(found, expected, "{at}, asked {asked}");
    };
    use Role::{BillingAccountReader, DepartmentReader, InvoiceSectionReader, Reader};
    let creator = Role::SectionSubscriptionCreator;
    check(BillingAccountReader, "account mca", "mca/section s3", Some(Sight::Full));
    check(BillingAccountReader, "account mca", "mca2/section t1", None);
    check(InvoiceSectionReader, "mca/section s1", "mca/section s1", Some(Sight::Full));
    check(InvoiceSectionReader, "mca/section s1", "mca/profile p1", Some(Sight::Shell));
    check(InvoiceSectionReader, "mca/section s1", "mca/section s2", None);
    check(InvoiceSectionReader, "mca/section s1", "mca/profile p2", None);
    check(creator, "mca/section s1", "mca/section s1", Some(Sight::Shell));
    check(creator, "mca/section s1", "mca/profile p1", Some(Sight::Shell));
    check(Reader, "subscription in-s1", "mca/section s1", Some(Sight::Shell));
    check(Reader, "subscription in-s1", "mca/profile p1", Some(Sight::Shell));
    check(Reader, "subscription in-s1", "mca/section s2", None);
    // It moved from d1 to d2 in June: what is told of it is told where it is.
    check(DepartmentReader, "ea/department d1", "ea/enrollment n4", None);
    check(DepartmentReader, "ea/department d2", "ea/enrollment n4", Some(Sight::Full));
    let owner = Role::EnrollmentAccountOwner;
    check(owner, "ea/enrollment n4", "ea/department d1", None);
    check(owner, "ea/enrollment n4", "ea/department d2", Some(Sight::Shell));
}

/// With a look through all roles for each account it would take minutes.
#[test]
fn ten_thousand_roles_are_looked_up_once_for_ten_thousand_accounts() {
    let mut company = world();
    let one = company.accounts.values().next().unwrap().clone();
    company.role_assignments.clear();
    for number in 0..10_000 {
        let at = format!("account a{number:05}");
        let role = given(Role::BillingAccountReader, &at, Instant::MAX);
        let Scope::Account(id) = role.scope.clone() else { panic!("{at}") };
        company.role_assignments.push(role);
        company.accounts.insert(id.clone(), BillingAccount { id, ..one.clone() });
    }
    let who = caller();
    assert_eq!(View::new(&company, &who, t("2026-07-01")).accounts().len(), 10_000);
}

#[test]
fn a_view_within_another_shows_what_both_show() {
    let holding = |role: Role, at: &str| {
        let mut company = world();
        company.role_assignments = vec![given(role, at, Instant::MAX)];
        company
    };
    let (then, today) = (
        holding(Role::BillingAccountReader, "account mca"),
        holding(Role::InvoiceSectionReader, "mca/section s1"),
    );
    let (who, at) = (caller(), t("2026-07-01"));
    for (one, other) in [(&then, &today), (&today, &then)] {
        let view = View::new(one, &who, at).within(View::new(other, &who, at));
        let check = |asked: &str, expected: Option<Sight>| {
            assert_eq!(view.sight(&scope(asked)), expected, "{asked}");
            let may = view.may(Action::ReadRoles, &scope(asked));
            assert_eq!(may, expected == Some(Sight::Full), "{asked}");
        };
        check("mca/section s1", Some(Sight::Full));
        check("mca/profile p1", Some(Sight::Shell));
        check("account mca", Some(Sight::Shell));
        check("mca/section s2", None);
        check("account mca2", None);
        let known: Vec<_> =
            view.accounts().into_iter().map(|(id, sight)| (id.to_string(), sight)).collect();
        assert_eq!(known, [("mca".to_owned(), Sight::Shell)]);
    }
}

#[test]
fn the_roles_that_reach_a_place_are_those_given_there_and_above() {
    let mut company = world();
    company.role_assignments = vec![
        given(Role::BillingAccountReader, "account mca", Instant::MAX),
        given(Role::InvoiceManager, "mca/profile p1", Instant::MAX),
        given(Role::InvoiceSectionOwner, "mca/section s1", t("2026-03-01")),
    ];
    let check = |asked: &str, at: &str, expected: &[Role]| {
        let found = roles_reaching(&company, &caller(), &scope(asked), t(at));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{asked} {at}");
    };
    use Role::{BillingAccountReader, InvoiceManager, InvoiceSectionOwner};
    check("account mca", "2026-02-01", &[BillingAccountReader]);
    check("mca/profile p1", "2026-02-01", &[BillingAccountReader, InvoiceManager]);
    check(
        "mca/section s1",
        "2026-02-01",
        &[BillingAccountReader, InvoiceManager, InvoiceSectionOwner],
    );
    check("mca/section s1", "2026-03-01", &[BillingAccountReader, InvoiceManager]);
    check("account mca2", "2026-02-01", &[]);
}

#[test]
fn roles_are_given_at_their_own_kind_of_place() {
    use crate::agreements::AgreementType::{Customer, Enterprise, Messaging, Partner};
    use crate::places::Level;
    let check = |kind, level, expected: &[&str]| {
        let found: Vec<&str> = Role::given_at(kind, level).into_iter().map(Role::name).collect();
        assert_eq!(found, expected);
    };
    check(
        Customer,
        Some(Level::BillingProfile),
        &[
            "Billing Profile Owner",
            "Billing Profile Contributor",
            "Billing Profile Reader",
            "Invoice Manager",
        ],
    );
    check(
        Enterprise,
        Some(Level::EnrollmentAccount),
        &["Account Owner", "EA Subscription Creator"],
    );
    check(Partner, None, &["Global Administrator", "Admin Agent", "Partner Reader"]);
    check(Partner, Some(Level::Customer), &[]);
    check(Messaging, None, &["Finance Manager", "Account Manager"]);
}
