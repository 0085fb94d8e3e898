//! Every role × every action × {own, child, parent, sibling, foreign, missing}.
//!
//! What is expected is written here from the published tables and from decision 0009, row by row,
//! and knows nothing of how the evaluator keeps its table.

use super::*;
use crate::agreements::Permission;
use crate::fixtures::places::{scope, world_with};
use crate::fixtures::t;
use std::collections::{BTreeMap, BTreeSet};

const NOW: &str = "2026-05-01";

/// Short names of roles, as the published tables have them.
const CODES: [(&str, &str); 33] = [
    ("AO", "Billing Account Owner"),
    ("AC", "Billing Account Contributor"),
    ("AR", "Billing Account Reader"),
    ("PO", "Billing Profile Owner"),
    ("PC", "Billing Profile Contributor"),
    ("PR", "Billing Profile Reader"),
    ("IM", "Invoice Manager"),
    ("SO", "Invoice Section Owner"),
    ("SC", "Invoice Section Contributor"),
    ("SR", "Invoice Section Reader"),
    ("CR", "Azure Subscription Creator"),
    ("EA", "Enterprise Administrator"),
    ("ER", "Enterprise Administrator (read only)"),
    ("EP", "EA Purchaser"),
    ("DA", "Department Administrator"),
    ("DR", "Department Administrator (read only)"),
    ("OW", "Account Owner"),
    ("ES", "EA Subscription Creator"),
    ("GA", "Global Administrator"),
    ("AA", "Admin Agent"),
    ("RR", "Partner Reader"),
    ("OA", "Account Administrator"),
    ("FM", "Finance Manager"),
    ("AM", "Account Manager"),
    ("SU", "Sub-account User"),
    ("Owner", "Owner"),
    ("Contributor", "Contributor"),
    ("Reader", "Reader"),
    ("BillingReader", "Billing Reader"),
    ("Administrator", "Administrator"),
    ("Clerk", "Billing Clerk"),
    ("Approver", "Approver"),
    ("Auditor", "Auditor"),
];

/// Who may do what. A row: the task, its roles, its actions. After a role: `:own` at its place
/// only, `:created` for what it made, `:policy` if a policy shows charges.
///
/// Source: `microsoft-billing.md` section 5.3, row by row.
const CUSTOMER_AGREEMENT: &str = "
see role assignments of the scope | AO AC AR PO PC PR IM SO SC SR | roles:read
grant or remove roles at the scope | AO PO SO | roles:manage
see properties | AO AC AR PO PC PR IM SO SC SR | place:read
change properties | AO AC PO PC SO SC | place:manage
create billing profiles | AO AC | profiles:create
create invoice sections | AO AC PO PC | sections:create
see policies | AO AC AR PO PC PR IM | policies:read
change policies | AO AC PO PC | policies:manage
see and download invoices, tax documents | AO AC AR PO PC PR IM | invoices:read
see and download usage files | AO AC AR PO PC PR IM | charges:read
see and download price sheets | AO AC AR PO PC PR IM | pricesheet:read
pay by card | AO AC:own PO PC IM | invoices:pay
see payment methods, credit balance | AO AC AR PO PC PR IM | payment_methods:read balance:read
manage payment methods | AO AC PO PC | payment_methods:manage
see products, subscriptions | AO AC AR PO PC PR IM SO SC SR | products:read subscription:read
cancel products, switch auto-renewal | AO AC PO PC SO SC | products:manage
move products or subscriptions to another section | AO AC PO PC SO SC | holdings:move_section
move subscription to another billing profile | AO AC PO PC | holdings:move_profile
create subscriptions | AO AC PO PC IM:own SO SC CR | subscriptions:create
request ownership | AO AC PO PC SO SC | transfers:request
cancel subscription | IM:created CR:created | subscription:cancel
accept a transfer (section 11: owner or contributor) | AO AC PO PC SO SC | transfers:accept
0021: keep budgets | AO AC PO PC | budgets:manage
";

/// Source: `microsoft-billing.md` section 5.4, row by row; then what decision 0009 adds.
const ENTERPRISE_AGREEMENT: &str = "
see administrators | EA ER EP | roles:read
add or remove enterprise administrators | EA | roles:manage
create and change departments | EA | departments:manage
set department quotas | EA | quotas:manage
see department administrators | EA ER EP DA DR | roles:read
add or remove department administrators | EA DA | roles:manage
see accounts | EA ER EP DA DR | place:read
add accounts, change owner | EA DA | enrollment_accounts:manage
buy reservations | EA EP | reservations:buy
create subscriptions | OW ES | subscriptions:create
grant subscription creators (section 5.2) | OW | subscription_creators:manage
see prepayment balance, price sheet, quotas | EA ER EP | balance:read pricesheet:read quotas:read
see usage and cost | EA ER EP DA:policy DR:policy OW:policy | charges:read
accept a transfer (section 11) | OW | transfers:accept
0009: see invoices | EA ER EP | invoices:read
0009: see subscriptions of accounts one sees | EA ER EP DA DR OW | subscription:read
0009: see the account one owns | OW | place:read
0021: keep budgets | EA DA OW | budgets:manage
0009: keys of the place (enterprise-reporting section 1.5) | EA:own DA:own OW | enterprise_keys:manage
";

/// Source: decision 0009.
const PARTNER_AGREEMENT: &str = "
see | GA AA RR | place:read roles:read products:read subscription:read
see billing | GA AA RR | policies:read invoices:read pricesheet:read charges:read
see money | GA AA RR | payment_methods:read balance:read
give roles | GA | roles:manage
change | GA AA | place:manage profiles:create policies:manage invoices:pay payment_methods:manage
change holdings | GA AA | products:manage reservations:buy subscriptions:create subscription:cancel
move | GA AA | holdings:move_profile transfers:request transfers:accept
0021: keep budgets | GA AA | budgets:manage
";

/// Source: decision 0009.
const ONLINE_SERVICES_AGREEMENT: &str = "
see | OA | place:read roles:read products:read subscription:read
see billing | OA | policies:read invoices:read pricesheet:read charges:read
see money | OA | payment_methods:read balance:read
change | OA | place:manage roles:manage invoices:pay payment_methods:manage
change holdings | OA | products:manage reservations:buy subscriptions:create subscription:cancel
give away | OA | transfers:accept
0021: keep budgets | OA | budgets:manage
";

/// Source: decision 0009, after `infobip.md` sections 8 and 10.
const MESSAGING_AGREEMENT: &str = "
see | FM AM SU:own | place:read subscription:read charges:read
see billing | FM AM | products:read invoices:read pricesheet:read balance:read payment_methods:read
pay | FM | invoices:pay
manage | AM | place:manage roles:read roles:manage messaging_accounts:create
";

/// Source: `commerce.md` section 1 and `microsoft-billing.md` section 6 (view charges).
const SUBSCRIPTIONS: &str = "
usage | Owner Contributor Reader BillingReader | subscription:read usage:read
rate card | Owner Contributor Reader | ratecard:read
0021: keep budgets | Owner Contributor | budgets:manage
charges | Owner:policy Contributor:policy Reader:policy BillingReader:policy | charges:read
";

/// Source: decisions 0007 and 0009. The administrator may do everything.
const OPERATOR: &str = "
usage | Clerk Auditor | subscription:read usage:read ratecard:read
charges | Clerk Approver Auditor | charges:read charges:explain company:read quarantine:read
books | Clerk Approver Auditor | place:read policies:read invoices:read pricesheet:read
money | Clerk Approver Auditor | balance:read quotas:read ledger:read
people | Clerk Auditor | roles:read payment_methods:read products:read
records | Clerk | usage:send usage:import usage:settle
bookings | Clerk | credits:grant payments:record
close | Clerk | periods:close charges:write_off invoices:void
approve | Approver | requests:approve invoices:issue
audit | Auditor | audit:read
";

/// Where a role is given, and the five other places: own, child, parent, sibling, foreign, missing.
const PLACES: [(&str, [&str; 6]); 11] = [
    (
        "AO AC AR",
        [
            "account mca",
            "mca/profile p1",
            "everything",
            "account mca2",
            "mca2/profile q1",
            "account nowhere",
        ],
    ),
    (
        "PO PC PR IM",
        [
            "mca/profile p1",
            "mca/section s1",
            "account mca",
            "mca/profile p2",
            "mca2/profile q1",
            "mca/profile nowhere",
        ],
    ),
    (
        "SO SC SR CR",
        [
            "mca/section s1",
            "subscription in-s1",
            "mca/profile p1",
            "mca/section s2",
            "mca2/section t1",
            "mca/section nowhere",
        ],
    ),
    (
        "EA ER EP",
        [
            "account ea",
            "ea/department d1",
            "everything",
            "account ea2",
            "ea2/department f1",
            "account nowhere",
        ],
    ),
    (
        "DA DR",
        [
            "ea/department d1",
            "ea/enrollment n1",
            "account ea",
            "ea/department d2",
            "ea2/department f1",
            "ea/department nowhere",
        ],
    ),
    (
        "OW ES",
        [
            "ea/enrollment n1",
            "subscription in-n1",
            "ea/department d1",
            "ea/enrollment n2",
            "ea2/enrollment g1",
            "ea/enrollment nowhere",
        ],
    ),
    (
        "GA AA RR",
        [
            "account mpa",
            "mpa/customer c1",
            "everything",
            "account mpa2",
            "mpa2/customer b1",
            "account nowhere",
        ],
    ),
    (
        "OA",
        [
            "account mosp",
            "subscription in-mosp",
            "everything",
            "account mosp2",
            "subscription in-mosp2",
            "account nowhere",
        ],
    ),
    (
        "FM AM SU",
        [
            "msg/messaging k1",
            "msg/messaging k2",
            "account msg",
            "msg/messaging k9",
            "msg2/messaging j1",
            "msg/messaging nowhere",
        ],
    ),
    (
        "Owner Contributor Reader BillingReader",
        [
            "subscription in-s1",
            "product none-lies-below",
            "mca/section s1",
            "subscription in-s2",
            "subscription in-t1",
            "subscription nowhere",
        ],
    ),
    (
        "Administrator Clerk Approver Auditor",
        [
            "account mca",
            "subscription in-s1",
            "everything",
            "account mca2",
            "mca2/profile q1",
            "account nowhere",
        ],
    ),
];

/// Role code and action → how it was marked in the tables.
fn expected() -> BTreeMap<(&'static str, Action), &'static str> {
    let mut cells = BTreeMap::new();
    let tables = [
        CUSTOMER_AGREEMENT,
        ENTERPRISE_AGREEMENT,
        PARTNER_AGREEMENT,
        ONLINE_SERVICES_AGREEMENT,
        MESSAGING_AGREEMENT,
        SUBSCRIPTIONS,
        OPERATOR,
    ];
    for row in tables.iter().flat_map(|table| table.lines()).filter(|row| !row.is_empty()) {
        let [_, roles, actions] = row.split('|').collect::<Vec<_>>().try_into().unwrap();
        for role in roles.split_whitespace() {
            let (code, mark) = role.split_once(':').unwrap_or((role, "yes"));
            assert!(CODES.iter().any(|(known, _)| *known == code), "{row}: {code}");
            for action in actions.split_whitespace() {
                let action = Action::parse(action).unwrap_or_else(|| panic!("{row}: {action}"));
                cells.insert((code, action), mark);
            }
        }
    }
    cells.extend(Action::ALL.map(|action| (("Administrator", action), "yes")));
    cells
}

#[test]
fn every_role_has_a_code_and_places_and_every_action_a_row() {
    let named: BTreeSet<_> = CODES.iter().map(|(_, name)| *name).collect();
    assert_eq!(named, Role::ALL.iter().map(|role| role.name()).collect());
    let placed: Vec<_> = PLACES.iter().flat_map(|(codes, _)| codes.split_whitespace()).collect();
    assert_eq!(placed.len(), CODES.len());
    assert_eq!(
        placed.iter().collect::<BTreeSet<_>>(),
        CODES.iter().map(|(code, _)| code).collect()
    );
    let others: BTreeSet<_> =
        expected().keys().filter(|(code, _)| *code != "Administrator").map(|(_, a)| *a).collect();
    let missing: Vec<_> = Action::ALL.into_iter().filter(|one| !others.contains(one)).collect();
    // What the administrator alone may do.
    use Action::{ManageCompany, ManageKeys, RepriceUsage, RunOperations};
    assert_eq!(missing, [ManageCompany, ManageKeys, RunOperations, RepriceUsage]);
}

/// What the tables say for a place; the child of a section, an enrollment account or a MOSP account
/// is a subscription, which the holder of the role has made.
fn is_expected(mark: Option<&&str>, place: usize, asked: &str, policies: Permission) -> bool {
    let is_below = place < 2;
    match mark.copied() {
        None => false,
        Some("yes") => is_below,
        Some("own") => place == 0,
        Some("policy") => is_below && policies.is_allowed(),
        Some("created") => is_below && asked.starts_with("subscription"),
        Some(other) => panic!("{other} is no mark"),
    }
}

fn check(policies: Permission) {
    let cells = expected();
    let mut company = world_with(policies);
    let caller = Caller::Principal(principal("p"));
    for held in company.places.subscriptions.values_mut() {
        held.created_by = Some(principal("p"));
    }
    for (codes, places) in PLACES {
        let [own, ..] = places;
        for code in codes.split_whitespace() {
            let (_, name) = CODES.iter().find(|(known, _)| *known == code).unwrap();
            let role = Role::parse(name).unwrap();
            let given = RoleAssignment {
                principal: principal("p"),
                role,
                scope: scope(own),
                until: Instant::MAX,
            };
            company.role_assignments = vec![given];
            for action in Action::ALL {
                for (place, asked) in places.into_iter().enumerate() {
                    let mark = cells.get(&(code, action));
                    // Nothing lies below a subscription.
                    let is_there = asked != "product none-lies-below";
                    let expected = is_there && is_expected(mark, place, asked, policies);
                    let at = scope(asked);
                    let found = may_at(&company, &caller, action, &at, t(NOW));
                    assert_eq!(found, expected, "{name}, {} at {asked}", action.name());
                    let told = demand_at(&company, &caller, action, &at, t(NOW));
                    let kind = told.err().map(|error| error.kind());
                    // Sibling, foreign and missing look alike: none is there.
                    let unseen = (place > 2 && !expected).then_some(crate::Kind::NotFound);
                    assert!(place <= 2 || kind == unseen, "{name}, {} {asked}", action.name());
                }
            }
        }
    }
}

#[test]
fn roles_allow_what_the_tables_say_where_policies_show_charges() {
    check(Permission::Allowed);
}

#[test]
fn roles_allow_what_the_tables_say_where_policies_hide_charges() {
    check(Permission::NotAllowed);
}

#[test]
fn a_role_at_the_installation_reaches_everything() {
    let cells = expected();
    let mut company = world_with(Permission::NotAllowed);
    let caller = Caller::Principal(principal("p"));
    for code in ["Administrator", "Clerk", "Approver", "Auditor"] {
        let (_, name) = CODES.iter().find(|(known, _)| *known == code).unwrap();
        let role = Role::parse(name).unwrap();
        let everything = Scope::Installation;
        company.role_assignments = vec![RoleAssignment {
            principal: principal("p"),
            role,
            scope: everything,
            until: Instant::MAX,
        }];
        for action in Action::ALL {
            for asked in ["everything", "account ea", "msg/messaging k3", "subscription in-b1"] {
                let found = may_at(&company, &caller, action, &scope(asked), t(NOW));
                assert_eq!(found, cells.contains_key(&(code, action)), "{name} {asked}");
            }
        }
    }
}

#[test]
fn only_what_the_role_made_can_it_cancel() {
    let mut company = world_with(Permission::NotAllowed);
    let made = SubscriptionId::new("in-s1").unwrap();
    company.places.subscriptions.get_mut(&made).unwrap().created_by = Some(principal("p"));
    let mut check = |who: &str, role: Role, at: &str, asked: &str, expected: bool| {
        company.role_assignments = vec![RoleAssignment {
            principal: principal(who),
            role,
            scope: scope(at),
            until: Instant::MAX,
        }];
        let caller = Caller::Principal(principal(who));
        let action = Action::CancelSubscription;
        let found = may_at(&company, &caller, action, &scope(asked), t(NOW));
        assert_eq!(found, expected, "{who} {} {asked}", role.name());
    };
    check("p", Role::InvoiceManager, "mca/profile p1", "subscription in-s1", true);
    check("p", Role::InvoiceManager, "mca/profile p1", "subscription in-s2", false);
    check("q", Role::InvoiceManager, "mca/profile p1", "subscription in-s1", false);
    check("p", Role::InvoiceManager, "mca/profile p2", "subscription in-s1", false);
    check("p", Role::SectionSubscriptionCreator, "mca/section s1", "subscription in-s1", true);
    check("q", Role::SectionSubscriptionCreator, "mca/section s1", "subscription in-s1", false);
}

#[test]
fn what_is_given_for_one_place_holds_for_what_stands_there_only() {
    let mut company = world_with(Permission::NotAllowed);
    let mut check = |role: Role, action: Action, (at, asked): (&str, &str), expected: bool| {
        company.role_assignments = vec![RoleAssignment {
            principal: principal("p"),
            role,
            scope: scope(at),
            until: Instant::MAX,
        }];
        let caller = Caller::Principal(principal("p"));
        let found = may_at(&company, &caller, action, &scope(asked), t(NOW));
        assert_eq!(found, expected, "{} {asked}", role.name());
    };
    use Action::ReadCharges;
    use Role::{FinanceManager, SubAccountUser};
    check(SubAccountUser, ReadCharges, ("msg/messaging k1", "subscription in-k1"), true);
    check(SubAccountUser, ReadCharges, ("msg/messaging k1", "subscription in-k2"), false);
    check(FinanceManager, ReadCharges, ("msg/messaging k1", "subscription in-k2"), true);
    check(FinanceManager, ReadCharges, ("msg/messaging k1", "msg/messaging k3"), true);
    check(FinanceManager, ReadCharges, ("account msg", "subscription in-k2"), true);
    check(FinanceManager, ReadCharges, ("account msg", "subscription in-j1"), false);
}
