//! Roles of enterprise agreements given over HTTP, and sections taken over by who gives roles above
//! them: who may, what is answered, and what is learnt by asking.

use crate::books::{Books, on_each_store};
use crate::structure_writes::{Asker, asking};
use reqwest::Method;
use serde_json::{Value, json};

const V2019: &str = "api-version=2019-10-01-preview";
const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";
/// The vendor's ids of roles.
const ADMINISTRATOR: &str = "9f1983cb-2574-400c-87e9-34cf8e2280db";
const READER: &str = "24f8edb6-1668-4659-b5e2-40bb5f3a7d7e";
const DEPARTMENT_ADMINISTRATOR: &str = "fb2cf67f-be5b-42e7-8025-4683c668f840";
const DEPARTMENT_READER: &str = "db609904-a47f-4794-9be8-9bd86fbffd8a";
const OWNER: &str = "c15c22c0-9faf-424c-9b7e-bd91c06a240b";
const CREATOR: &str = "a0bcee42-bf30-4d1b-926a-48d21664ef71";

/// An enterprise with a department and an enrollment account, and a customer's account.
pub(crate) const COMPANY: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[agreement]]
billing_account = "acme"
from = 2020-01-01T00:00:00Z
type = "customer agreement"

[[billing_profile]]
billing_account = "acme"
id = "ships"
from = 2020-01-01T00:00:00Z
name = "Ships"
currency = "USD"

[[invoice_section]]
billing_account = "acme"
id = "freight"
from = 2020-01-01T00:00:00Z
name = "Freight"
billing_profile = "ships"

[[billing_account]]
id = "union"
name = "Union"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "union"
from = 2020-01-01T00:00:00Z
type = "enterprise agreement"

[agreement.enrollment]
start = 2020-01-01T00:00:00Z
end = 2120-01-01T00:00:00Z
currency = "USD"
country = "US"

[[department]]
billing_account = "union"
id = "research"
from = 2020-01-01T00:00:00Z
name = "Research"

[[enrollment_account]]
billing_account = "union"
id = "lab"
from = 2020-01-01T00:00:00Z
name = "Laboratory"
department = "research"
"#;

/// Clients that ask, in this order behind the operator: name, role, where.
const ASKING: [(&str, &str, &str); 5] = [
    ("eve", "Enterprise Administrator", "billing_account = \"union\""),
    (
        "owl",
        "Account Owner",
        "place = { billing_account = \"union\", \
         level = \"enrollment account\", id = \"lab\" }",
    ),
    ("ada", "Billing Account Owner", "billing_account = \"acme\""),
    (
        "zoe",
        "Billing Profile Owner",
        "place = { billing_account = \"acme\", \
         level = \"billing profile\", id = \"ships\" }",
    ),
    (
        "cy",
        "Invoice Section Reader",
        "place = { billing_account = \"acme\", \
         level = \"invoice section\", id = \"freight\" }",
    ),
];

/// Clients that hold nothing: a person and a program.
const OTHERS: &str = r#"
[[client]]
id = "fay"
name = "Fay"
email = "fay@union.example"

[[client]]
id = "ben"
name = "Ben"
"#;

fn declared() -> String {
    let asking = ASKING.map(|(name, role, scope)| {
        format!(
            "[[client]]\nid = \"{name}\"\nname = \"{name}\"\nemail = \"{name}@house.example\"\n\
             secret_hashes = [\"{{HASH}}\"]\n\n[[role_assignment]]\nprincipal = \"{name}\"\n\
             role = \"{role}\"\nscope = {{ {scope} }}\n\n"
        )
    });
    [COMPANY, OTHERS, &asking.concat()].concat()
}

async fn with_askers(books: Books, rule: impl AsyncFnOnce(&[Asker<'_>])) {
    let names = ASKING.map(|(name, _, _)| name);
    asking(books, (&declared(), &names), rule).await;
}

/// Gives a role where a path says; `to` is a principal, or a mail address.
async fn put(by: &Asker<'_>, at: &str, role: &str, to: &str) -> (String, Value) {
    let member = if to.contains('@') { "userEmailAddress" } else { "principalId" };
    let definition = format!("{ACCOUNTS}/{at}/billingRoleDefinitions/{role}");
    let body = json!({"properties": {member: to, "roleDefinitionId": definition}});
    let path = format!("{ACCOUNTS}/{at}/billingRoleAssignments/new?{V2019}");
    let told = by.send(Method::PUT, &path, body).await;
    match told.status {
        200 => (format!("200 {}", told.body["name"].as_str().unwrap_or("-")), told.body),
        _ => (told.refusal(), told.body),
    }
}

on_each_store!(roles_of_an_enterprise_are_given_by_who_may);
async fn roles_of_an_enterprise_are_given_by_who_may(books: Books) {
    with_askers(books, async |askers: &[Asker<'_>]| {
        let [operator, eve, owl, ada, ..] = askers else { panic!("too few") };
        let check = async |by: &Asker<'_>, at: &str, role: &str, to: &str, expected: &str| {
            let (told, body) = put(by, at, role, to).await;
            let expected = expected.replace("{ROLE}", role).replace("{TO}", to);
            assert_eq!(told, expected, "{at} {role} {to}: {body}");
        };
        let given = "200 {ROLE}_{TO}";
        let wrong = "400 BadRequest properties.roleDefinitionId";
        let (union, research) = ("union", "union/departments/research");
        let lab = "union/enrollmentAccounts/lab";
        for by in [eve, operator, eve] {
            check(by, union, READER, "fay", given).await;
        }
        check(owl, union, READER, "fay", "403 AuthorizationFailed").await;
        check(ada, union, READER, "fay", "404 NotFound").await;
        check(eve, "nowhere", READER, "fay", "404 NotFound").await;
        check(eve, union, OWNER, "fay", wrong).await;
        check(eve, union, ADMINISTRATOR, "ben", wrong).await;
        check(ada, "acme", READER, "fay", "400 BadRequest").await;
        check(eve, research, DEPARTMENT_ADMINISTRATOR, "fay", given).await;
        check(eve, research, DEPARTMENT_ADMINISTRATOR, "ben", wrong).await;
        check(eve, research, DEPARTMENT_READER, "ben", given).await;
        check(eve, research, READER, "fay", wrong).await;
        check(owl, research, DEPARTMENT_READER, "fay", "403 AuthorizationFailed").await;
        check(ada, research, DEPARTMENT_READER, "fay", "404 NotFound").await;
        // Who owns an enrollment account says who makes subscriptions there.
        check(owl, lab, CREATOR, "fay", given).await;
        check(eve, lab, CREATOR, "fay", "403 AuthorizationFailed").await;
        check(owl, lab, OWNER, "fay", "403 AuthorizationFailed").await;
        check(ada, lab, CREATOR, "fay", "404 NotFound").await;
        let (_, body) = put(eve, union, READER, "fay").await;
        assert_eq!(body["properties"]["userEmailAddress"], "fay@union.example");
        assert_eq!(body["properties"]["scope"], format!("{ACCOUNTS}/union"));
        let path = format!("{ACCOUNTS}/union/billingRoleAssignments/new?{V2019}");
        let empty = async |properties: Value, expected: &str| {
            let told = eve.send(Method::PUT, &path, json!({"properties": properties})).await;
            assert_eq!(told.refusal(), expected, "{}", told.body);
        };
        empty(json!({"principalId": "fay"}), wrong).await;
        let definition = json!({"roleDefinitionId": READER});
        empty(definition, "400 BadRequest properties.principalId").await;
        let nobody = json!({"roleDefinitionId": READER, "principalId": ""});
        empty(nobody, "400 BadRequest properties.principalId").await;
    })
    .await;
}

on_each_store!(a_mail_address_tells_nothing_of_strangers);
async fn a_mail_address_tells_nothing_of_strangers(books: Books) {
    with_askers(books, async |askers: &[Asker<'_>]| {
        let [operator, eve, ..] = askers else { panic!("too few") };
        let refused = "400 BadRequest properties.userEmailAddress";
        let unknown = put(eve, "union", READER, "nobody@nowhere.example").await;
        assert_eq!(unknown.0, refused);
        // Somebody of another account, and somebody without any role.
        for stranger in ["ada@house.example", "fay@union.example"] {
            let told = put(eve, "union", READER, stranger).await;
            assert_eq!(told, unknown, "{stranger}");
        }
        // Who holds a role that one reads is known, and everybody is to the operator.
        let given = |to: &str| format!("200 {READER}_{to}");
        assert_eq!(put(eve, "union", READER, "Owl@house.example").await.0, given("owl"));
        assert_eq!(put(operator, "union", READER, "fay@union.example").await.0, given("fay"));
        assert_eq!(put(eve, "union", READER, "fay@union.example").await.0, given("fay"));
    })
    .await;
}

on_each_store!(one_put_changes_the_owner_of_an_enrollment_account);
async fn one_put_changes_the_owner_of_an_enrollment_account(books: Books) {
    with_askers(books, async |askers: &[Asker<'_>]| {
        let [_, eve, owl, ..] = askers else { panic!("too few") };
        let lab = format!("{ACCOUNTS}/union/enrollmentAccounts/lab");
        let owners = async || {
            let told = eve.get(&format!("{lab}/billingRoleAssignments?{V2019}")).await;
            let all = told.body["value"].as_array().cloned().unwrap_or_default();
            let names = all.iter().filter_map(|one| one["name"].as_str()?.strip_prefix(OWNER));
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(owners().await, ["_owl"]);
        assert_eq!(owl.get(&format!("{lab}?{V2019}")).await.status, 200);
        let (told, _) = put(eve, "union/enrollmentAccounts/lab", OWNER, "fay").await;
        assert_eq!(told, format!("200 {OWNER}_fay"));
        assert_eq!(owners().await, ["_fay"]);
        assert_eq!(owl.get(&format!("{lab}?{V2019}")).await.refusal(), "404 NotFound");
        let told = eve.get(&format!("{lab}?{V2019}")).await;
        assert_eq!(told.body["properties"]["accountOwner"], "fay@union.example");
    })
    .await;
}

on_each_store!(a_section_is_taken_over_by_who_gives_roles_above_it);
async fn a_section_is_taken_over_by_who_gives_roles_above_it(books: Books) {
    with_askers(books, async |askers: &[Asker<'_>]| {
        let [operator, eve, _, _, zoe, cy] = askers else { panic!("too few") };
        let freight = format!("{ACCOUNTS}/acme/billingProfiles/ships/invoiceSections/freight");
        let elevate = async |by: &Asker<'_>, path: &str, expected: &str| {
            let told = by.send(Method::POST, path, Value::Null).await;
            assert_eq!(told.refusal(), expected, "{path}: {}", told.body);
        };
        let path = format!("{freight}/elevate");
        elevate(cy, &path, "403 AuthorizationFailed").await;
        elevate(eve, &path, "404 NotFound").await;
        let missing = path.replace("freight", "nowhere");
        elevate(zoe, &missing, "404 NotFound").await;
        let other = format!("{path}?api-version=2020-05-01");
        elevate(zoe, &other, "404 InvalidResourceType").await;
        elevate(zoe, &path, "204 -").await;
        elevate(zoe, &format!("{path}?{V2019}"), "204 -").await;
        let told = operator.get(&format!("{freight}/billingRoleAssignments?{V2019}")).await;
        let given = told.body["value"].as_array().expect("a list").iter();
        let holders: Vec<_> = given.map(|one| one["properties"]["principalId"].clone()).collect();
        assert_eq!(holders, ["cy", "zoe"]);
    })
    .await;
}
