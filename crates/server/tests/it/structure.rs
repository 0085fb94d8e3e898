//! Who sees which billing accounts and places, and how much of them: a role shows what lies below
//! it, and that there is something above.

use crate::books::{Books, on_each_store};
use crate::in_process::{ACCOUNT, SHOP, declare, open};
use calendar::{Instant, SetClock};
use domain::access::{Caller, Scope};
use domain::ids::{BillingAccountId, PlaceId, PrincipalId, SubscriptionId};
use domain::places::{Level, Place, PlaceKey};
use service::{Attached, PlaceTold, Reckoner};

/// A customer's account, an enterprise's and a partner's.
const ACCOUNTS: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[billing_account]]
id = "North"
name = "North"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "North"
from = 2026-01-01T00:00:00Z
type = "customer agreement"
profile_creation = "allowed"

[[billing_account]]
id = "union"
name = "Union"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "union"
from = 2026-01-01T00:00:00Z
type = "enterprise agreement"

[agreement.enrollment]
start = 2026-01-01T00:00:00Z
end = 2029-01-01T00:00:00Z
currency = "USD"
country = "US"

[[billing_account]]
id = "resale"
name = "Resale"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "resale"
from = 2026-01-01T00:00:00Z
type = "partner agreement"
"#;

const PLACES: &str = r#"
[[billing_profile]]
billing_account = "North"
id = "Ships"
from = 2026-01-01T00:00:00Z
name = "Ships"
currency = "USD"

[[billing_profile]]
billing_account = "North"
id = "harbours"
from = 2026-01-01T00:00:00Z
name = "Harbours"
currency = "USD"

[[invoice_section]]
billing_account = "North"
id = "freight"
from = 2026-01-01T00:00:00Z
name = "Freight"
billing_profile = "Ships"

[[invoice_section]]
billing_account = "North"
id = "freight"
from = 2026-07-01T00:00:00Z
name = "Freight"
billing_profile = "harbours"

[[invoice_section]]
billing_account = "North"
id = "ferries"
from = 2026-01-01T00:00:00Z
name = "Ferries"
billing_profile = "Ships"

[[department]]
billing_account = "union"
id = "research"
from = 2026-01-01T00:00:00Z
name = "Research"

[[enrollment_account]]
billing_account = "union"
id = "lab"
from = 2026-01-01T00:00:00Z
name = "Laboratory"
department = "research"

[[billing_profile]]
billing_account = "resale"
id = "dollars"
from = 2026-01-01T00:00:00Z
name = "Dollars"
currency = "USD"

[[customer]]
billing_account = "resale"
id = "bakery"
from = 2026-01-01T00:00:00Z
name = "Bakery"
plans = ["MS-AZR-0003P"]

[[customer]]
billing_account = "resale"
id = "butcher"
from = 2026-01-01T00:00:00Z
name = "Butcher"

[[subscription]]
id = "ferry"
name = "Ferry"
placements = [{ billing_account = "North", profile = "Ships", offer = "MS-AZR-0003P" }]

[[subscription.standings]]
from = 2026-01-01T00:00:00Z

[subscription.standings.place]
billing_account = "North"
level = "invoice section"
id = "ferries"

[[subscription]]
id = "oven"
name = "Oven"
placements = [{ billing_account = "resale", profile = "dollars", offer = "MS-AZR-0003P" }]

[[subscription.standings]]
from = 2026-01-01T00:00:00Z

[subscription.standings.place]
billing_account = "resale"
level = "customer"
id = "bakery"
"#;

/// Who, which role, where, and how it ends.
const ROLES: [(&str, &str, &str, &str); 10] = [
    ("auditor", "Auditor", "\"installation\"", ""),
    ("ada", "Billing Account Owner", "{ billing_account = \"North\" }", ""),
    ("bob", "Billing Profile Reader", "PLACE North/billing profile/Ships", ""),
    ("cy", "Azure Subscription Creator", "PLACE North/invoice section/freight", ""),
    ("dee", "Invoice Section Reader", "PLACE North/invoice section/ferries", "2026-06-15"),
    ("eve", "Account Owner", "PLACE union/enrollment account/lab", ""),
    ("fay", "Department Administrator", "PLACE union/department/research", ""),
    ("guy", "Reader", "{ subscription = \"ferry\" }", ""),
    ("hal", "Partner Reader", "{ billing_account = \"resale\" }", ""),
    ("ivy", "Billing Reader", "{ subscription = \"shop\" }", ""),
];

fn roles() -> String {
    let told = ROLES.iter().map(|(who, role, at, until)| {
        let at = match at.strip_prefix("PLACE ").map(|place| place.split('/').collect::<Vec<_>>()) {
            Some(place) => format!(
                "{{ place = {{ billing_account = \"{}\", level = \"{}\", id = \"{}\" }} }}",
                place[0], place[1], place[2]
            ),
            None => (*at).to_owned(),
        };
        let until = if until.is_empty() { String::new() } else { format!("until = {until}\n") };
        format!(
            "[[role_assignment]]\nprincipal = \"{who}\"\nrole = \"{role}\"\nscope = {at}\n{until}\n"
        )
    });
    told.collect()
}

fn who(name: &str) -> Caller {
    Caller::Principal(PrincipalId::new(name).expect("an id"))
}

fn account(id: &str) -> BillingAccountId {
    BillingAccountId::new(id).expect("an id")
}

fn place(of: &str, level: Level, id: &str) -> Place {
    let key = PlaceKey { level, id: PlaceId::new(id).expect("an id") };
    Place { billing_account: account(of), key }
}

/// `freight`, and `(Ships)` for a shell.
fn told(place: &PlaceTold) -> String {
    let id = &place.place.key.id;
    if place.seen.is_some() { id.to_string() } else { format!("({id})") }
}

async fn accounts(reckoner: &Reckoner, name: &str) -> String {
    let all = reckoner.billing_accounts(&who(name)).await.expect("accounts");
    let told = all.iter().map(|one| match one.seen {
        Some(_) => one.id.to_string(),
        None => format!("({})", one.id),
    });
    told.collect::<Vec<_>>().join(" ")
}

async fn places(reckoner: &Reckoner, name: &str, of: &str, level: Level) -> String {
    let all = reckoner.places(&who(name), &account(of), level, None).await.expect("places");
    all.iter().map(told).collect::<Vec<_>>().join(" ")
}

struct House {
    _directory: tempfile::TempDir,
    _schema: Option<crate::books::Schema>,
    clock: SetClock,
    reckoner: Reckoner,
}

async fn house(books: Books) -> House {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let clock = SetClock::at(Instant::parse("2026-06-05").expect("a day"));
    let reckoner = open(directory.path(), schema.as_ref(), &clock, |_| {}).await;
    declare(&reckoner, &[ACCOUNT, SHOP, ACCOUNTS, PLACES, &roles()].concat()).await;
    House { _directory: directory, _schema: schema, clock, reckoner }
}

on_each_store!(accounts_are_listed_for_who_holds_a_role_at_them_or_below);
async fn accounts_are_listed_for_who_holds_a_role_at_them_or_below(books: Books) {
    let House { clock, reckoner, .. } = &house(books).await;
    let check = async |name: &str, expected: &str| {
        assert_eq!(accounts(reckoner, name).await, expected, "{name}");
    };
    check("auditor", "North acme resale union").await;
    check("ada", "North").await;
    check("bob", "(North)").await;
    check("cy", "(North)").await;
    check("dee", "(North)").await;
    check("eve", "(union)").await;
    check("fay", "(union)").await;
    check("guy", "(North)").await;
    check("hal", "resale").await;
    check("ivy", "(acme)").await;
    check("nobody", "").await;
    clock.set(Instant::parse("2026-06-15").expect("a day"));
    check("dee", "").await;
    let missing = |id: &str| format!("billing account `{id}` does not exist");
    let one = async |name: &str, id: &str| {
        let told = reckoner.billing_account(&who(name), &account(id)).await;
        told.map_or_else(|error| error.to_string(), |told| told.id.to_string())
    };
    assert_eq!(one("ada", "north").await, "North", "in any letter case");
    assert_eq!(one("bob", "North").await, "North");
    assert_eq!(one("ada", "union").await, missing("union"), "foreign");
    assert_eq!(one("ada", "nowhere").await, missing("nowhere"), "missing");
}

on_each_store!(places_are_listed_for_who_holds_a_role_at_them_above_or_below);
async fn places_are_listed_for_who_holds_a_role_at_them_above_or_below(books: Books) {
    use Level::{BillingProfile, Customer, Department, EnrollmentAccount, InvoiceSection};
    let House { clock, reckoner, .. } = &house(books).await;
    let check = async |name: &str, of: &str, level: Level, expected: &str| {
        assert_eq!(places(reckoner, name, of, level).await, expected, "{name} {level}");
    };
    check("ada", "North", BillingProfile, "Ships harbours").await;
    check("ada", "North", InvoiceSection, "ferries freight").await;
    check("bob", "North", BillingProfile, "Ships").await;
    check("bob", "North", InvoiceSection, "ferries freight").await;
    check("cy", "North", BillingProfile, "(Ships)").await;
    check("cy", "North", InvoiceSection, "(freight)").await;
    check("dee", "North", BillingProfile, "(Ships)").await;
    check("dee", "North", InvoiceSection, "ferries").await;
    check("guy", "North", BillingProfile, "(Ships)").await;
    check("guy", "North", InvoiceSection, "(ferries)").await;
    check("eve", "union", Department, "(research)").await;
    check("eve", "union", EnrollmentAccount, "lab").await;
    check("fay", "union", Department, "research").await;
    check("fay", "union", EnrollmentAccount, "lab").await;
    check("hal", "resale", Customer, "bakery butcher").await;
    check("nobody", "North", BillingProfile, "").await;
    // From July on freight is invoiced with the harbours.
    clock.set(Instant::parse("2026-07-01").expect("a day"));
    check("cy", "North", BillingProfile, "(harbours)").await;
}

on_each_store!(a_place_is_found_on_its_own_way_down_alone);
async fn a_place_is_found_on_its_own_way_down_alone(books: Books) {
    use Level::{BillingProfile, EnrollmentAccount, InvoiceSection};
    let House { reckoner, .. } = &house(books).await;
    let check = async |name: &str, of: &str, way: &[(Level, &str)], expected: &str| {
        let found = reckoner.place(&who(name), &account(of), way).await;
        let found = found.map_or_else(|error| error.to_string(), |one| told(&one));
        assert_eq!(found, expected, "{name}");
    };
    let freight = [(BillingProfile, "ships"), (InvoiceSection, "FREIGHT")];
    check("ada", "North", &freight, "freight").await;
    check("cy", "North", &freight, "(freight)").await;
    check("dee", "North", &freight, "invoice section `FREIGHT` does not exist").await;
    check("guy", "union", &freight, "billing profile `ships` does not exist").await;
    let wrong = [(BillingProfile, "harbours"), (InvoiceSection, "freight")];
    check("ada", "North", &wrong, "invoice section `freight` does not exist").await;
    check("eve", "union", &[(EnrollmentAccount, "lab")], "lab").await;
}

on_each_store!(roles_papers_and_bills_are_for_who_may_see_them);
async fn roles_papers_and_bills_are_for_who_may_see_them(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let ships = place("North", Level::BillingProfile, "Ships");
    let scope = Scope::Place(ships.clone());
    let given = async |name: &str| {
        let all = reckoner.roles_given(&who(name), &scope).await;
        all.map_or_else(
            |error| error.to_string(),
            |all| all.iter().map(|one| format!("{} {}", one.principal, one.role.name())).collect(),
        )
    };
    assert_eq!(given("ada").await, "bob Billing Profile Reader");
    assert_eq!(given("bob").await, "bob Billing Profile Reader");
    assert_eq!(given("cy").await, "roles:read is not allowed here", "of a shell");
    assert_eq!(given("eve").await, "billing profile `Ships` does not exist");
    let all = reckoner.roles_given(&who("ada"), &scope).await.expect("roles");
    // Company files at the machine gave it.
    assert!(all[0].given_at.is_some() && all[0].given_by.is_none(), "{all:?}");
    let attached = reckoner.attached_to(&who("bob"), &ships).await.expect("what keeps it");
    assert_eq!(attached.into_iter().collect::<Vec<_>>(), [Attached::Subscriptions]);
    let ferry = SubscriptionId::new("ferry").expect("an id");
    let billed = reckoner.billed_to(&who("guy"), &ferry).await.expect("where it is billed");
    assert_eq!(billed.account.id.as_str(), "North");
    assert_eq!(billed.profile.as_ref().map(told), Some("(Ships)".to_owned()));
    assert_eq!(billed.section.as_ref().map(told), Some("(ferries)".to_owned()));
    assert!(!billed.is_owner);
    let refused = reckoner.billed_to(&who("eve"), &ferry).await.expect_err("not to be seen");
    assert_eq!(refused.to_string(), "subscription `ferry` does not exist");
}

on_each_store!(customers_with_a_plan_are_listed_by_who_pays_for_them);
async fn customers_with_a_plan_are_listed_by_who_pays_for_them(books: Books) {
    let House { reckoner, .. } = &house(books).await;
    let resale = account("resale");
    let check = async |profile: Option<&str>, expected: &[&str]| {
        let profile = profile.map(|id| PlaceId::new(id).expect("an id"));
        let all = reckoner.customers(&who("hal"), &resale, profile.as_ref()).await;
        let all = all.expect("customers");
        let told: Vec<String> = all.iter().map(|one| told(&one.place)).collect();
        assert_eq!(told, expected);
        for one in &all {
            assert_eq!(one.profile.as_ref().map(|one| one.name.as_str()), Some("Dollars"));
        }
    };
    check(None, &["bakery"]).await;
    check(Some("dollars"), &["bakery"]).await;
    check(Some("euros"), &[]).await;
}
