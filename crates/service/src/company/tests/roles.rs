//! Roles where they are at home, as company files.

use super::books::books;
use super::*;
use domain::access::Role;
use std::collections::BTreeSet;

/// Scopes of the books, and the roles of billing accounts that are given there.
///
/// Source: `docs/company-files.md`; `docs/decisions`, 0009.
const HOMES: [(&str, &[&str]); 12] = [
    (
        "{ billing_account = 'mca' }",
        &["Billing Account Owner", "Billing Account Contributor", "Billing Account Reader"],
    ),
    (
        "{ place = { billing_account = 'mca', level = 'billing profile', id = 'main' } }",
        &[
            "Billing Profile Owner",
            "Billing Profile Contributor",
            "Billing Profile Reader",
            "Invoice Manager",
        ],
    ),
    (
        "{ place = { billing_account = 'mca', level = 'invoice section', id = 'web' } }",
        &[
            "Invoice Section Owner",
            "Invoice Section Contributor",
            "Invoice Section Reader",
            "Azure Subscription Creator",
        ],
    ),
    (
        "{ billing_account = 'ea' }",
        &["Enterprise Administrator", "Enterprise Administrator (read only)", "EA Purchaser"],
    ),
    (
        "{ place = { billing_account = 'ea', level = 'department', id = 'd1' } }",
        &["Department Administrator", "Department Administrator (read only)"],
    ),
    (
        "{ place = { billing_account = 'ea', level = 'enrollment account', id = 'n1' } }",
        &["Account Owner", "EA Subscription Creator"],
    ),
    ("{ billing_account = 'mpa' }", &["Global Administrator", "Admin Agent", "Partner Reader"]),
    ("{ place = { billing_account = 'mpa', level = 'customer', id = 'c1' } }", &[]),
    ("{ billing_account = 'mosp' }", &["Account Administrator"]),
    ("{ billing_account = 'msg' }", &["Finance Manager", "Account Manager"]),
    (
        "{ place = { billing_account = 'msg', level = 'messaging account', id = 'k1' } }",
        &["Finance Manager", "Account Manager", "Sub-account User"],
    ),
    ("{ billing_account = 'acme' }", &[]), // it has no agreement
];

/// Roles that are given anywhere.
const ANYWHERE: [&str; 8] = [
    "Owner",
    "Contributor",
    "Reader",
    "Billing Reader",
    "Administrator",
    "Billing Clerk",
    "Approver",
    "Auditor",
];

fn given(principal: &str, role: &str, scope: &str, more: &str) -> String {
    format!(
        "[[role_assignment]]\nprincipal = '{principal}'\nrole = '{role}'\nscope = {scope}\n{more}\n"
    )
}

#[test]
fn a_role_is_given_where_it_is_at_home() {
    let known = company_of(&books());
    for (scope, at_home) in HOMES {
        let text: String =
            Role::ALL.into_iter().map(|role| given("p", role.name(), scope, "")).collect();
        let found = read_dir(dir_of(&[("roles.toml", &text)]).path(), &known);
        let refused: BTreeSet<String> =
            found.err().into_iter().flatten().map(|problem| problem.key).collect();
        let expected = Role::ALL.into_iter().enumerate().filter(|(_, role)| {
            !at_home.contains(&role.name()) && !ANYWHERE.contains(&role.name())
        });
        let expected: BTreeSet<String> =
            expected.map(|(at, _)| format!("role_assignment[{at}].scope")).collect();
        assert_eq!(refused, expected, "{scope}");
    }
}

#[test]
fn a_program_holds_one_enterprise_role_of_four() {
    let known = company_of(&books());
    let at = "{ billing_account = 'ea' }";
    let check = |mail: &str, roles: &[&str], expected: &[&str]| {
        let client = format!("[[client]]\nid = 'p'\nname = 'p'\n{mail}\n");
        let roles = roles.iter().map(|role| given("p", role, at, ""));
        let text = client + &roles.collect::<String>();
        let found = read_dir(dir_of(&[("roles.toml", &text)]).path(), &known);
        let shown: Vec<String> = found.err().into_iter().flatten().map(|p| p.to_string()).collect();
        assert_eq!(shown, expected, "{mail} {text}");
    };
    let (administrator, reader, purchaser) =
        ("Enterprise Administrator", "Enterprise Administrator (read only)", "EA Purchaser");
    check("", &[reader], &[]);
    check("", &[purchaser], &[]);
    let cannot = "roles.toml:7: role_assignment[0].role: a program cannot be Enterprise \
                  Administrator";
    check("", &[administrator], &[cannot]);
    let one = "a program holds one role of enterprise agreements";
    let (first, second) = (
        format!("roles.toml:7: role_assignment[0].role: {one}"),
        format!("roles.toml:12: role_assignment[1].role: {one}"),
    );
    check("", &[reader, purchaser], &[&first, &second]);
    // Who has a mail address is a person.
    check("email = 'p@mill.example'", &[administrator, purchaser], &[]);
}

#[test]
fn an_enrollment_account_has_one_owner() {
    let known = company_of(&books());
    let at = "{ place = { billing_account = 'ea', level = 'enrollment account', id = 'n1' } }";
    let check = |first: &str, second: &str, expected: &[&str]| {
        let one = given("one", "Account Owner", at, first);
        let text = one + &given("two", "Account Owner", at, second);
        let found = read_dir(dir_of(&[("roles.toml", &text)]).path(), &known);
        let shown: Vec<String> =
            found.err().into_iter().flatten().map(|problem| problem.to_string()).collect();
        assert_eq!(shown, expected);
    };
    check("revoked = true", "", &[]);
    let both = "role: the enrollment account has an owner already";
    let (first, second) = (
        format!("roles.toml:3: role_assignment[0].{both}"),
        format!("roles.toml:8: role_assignment[1].{both}"),
    );
    check("", "", &[&first, &second]);
}
