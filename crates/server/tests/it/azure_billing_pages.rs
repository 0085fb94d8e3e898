//! Lists of the Azure Billing surface in pages: which come so, and that all pages show what the
//! first one saw, to whom may still see it.

use crate::books::{Books, on_each_store};
use crate::contracts::description;
use crate::installation::Installation;
use crate::program::{self, Server};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SERVED: &str = include_str!("../../../../surfaces/azure-billing/operations.txt");
const V2019: &str = "2019-10-01-preview";
const V2020: &str = "2020-05-01";
const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";

/// Lists whose description is marked `x-ms-pageable`; all others come whole.
const PAGED_2019: [&str; 23] = [
    "BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission",
    "BillingPermissions_ListByBillingAccount",
    "BillingPermissions_ListByDepartment",
    "BillingPermissions_ListByEnrollmentAccount",
    "BillingRoleAssignments_ListByBillingAccount",
    "BillingRoleAssignments_ListByDepartment",
    "BillingRoleAssignments_ListByEnrollmentAccount",
    "BillingRoleDefinitions_ListByBillingAccount",
    "BillingRoleDefinitions_ListByDepartment",
    "BillingRoleDefinitions_ListByEnrollmentAccount",
    "BillingSubscriptions_ListByBillingAccount",
    "BillingSubscriptions_ListByCustomer",
    "Customers_ListByBillingAccount",
    "Customers_ListByBillingProfile",
    "Instructions_ListByBillingProfile",
    "Invoices_ListByBillingSubscription",
    "Operations_List",
    "PartnerTransfers_List",
    "PaymentMethods_ListByBillingAccount",
    "PaymentMethods_ListByBillingProfile",
    "Products_ListByBillingAccount",
    "RecipientTransfers_List",
    "Transfers_List",
];
const PAGED_2020: [&str; 32] = [
    "Agreements_ListByBillingAccount",
    "BillingAccounts_List",
    "BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission",
    "BillingPermissions_ListByBillingAccount",
    "BillingPermissions_ListByBillingProfile",
    "BillingPermissions_ListByCustomer",
    "BillingPermissions_ListByInvoiceSections",
    "BillingProfiles_ListByBillingAccount",
    "BillingRoleAssignments_ListByBillingAccount",
    "BillingRoleAssignments_ListByBillingProfile",
    "BillingRoleAssignments_ListByInvoiceSection",
    "BillingRoleDefinitions_ListByBillingAccount",
    "BillingRoleDefinitions_ListByBillingProfile",
    "BillingRoleDefinitions_ListByInvoiceSection",
    "BillingSubscriptions_ListByBillingAccount",
    "BillingSubscriptions_ListByBillingProfile",
    "BillingSubscriptions_ListByCustomer",
    "BillingSubscriptions_ListByInvoiceSection",
    "Customers_ListByBillingAccount",
    "Customers_ListByBillingProfile",
    "Instructions_ListByBillingProfile",
    "InvoiceSections_ListByBillingProfile",
    "Invoices_ListByBillingAccount",
    "Invoices_ListByBillingProfile",
    "Invoices_ListByBillingSubscription",
    "Operations_List",
    "Products_ListByBillingAccount",
    "Products_ListByBillingProfile",
    "Products_ListByCustomer",
    "Products_ListByInvoiceSection",
    "Reservations_ListByBillingAccount",
    "Reservations_ListByBillingProfile",
];

/// Of lists that need days.
const EVERY_DAY: &str = "&periodStartDate=2020-01-01&periodEndDate=2099-12-31";

/// A client that sees three accounts, who else holds roles, and what they have of everything.
const DECLARED: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[offer]]
id = "metered"
name = "Metered"
has_rate_card = false

[[client]]
id = "guest"
name = "Guest"
secret_hashes = ["{HASH}"]

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
end = 2099-01-01T00:00:00Z
currency = "USD"
country = "US"

[[billing_account]]
id = "resale"
name = "Resale"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "resale"
from = 2020-01-01T00:00:00Z
type = "partner agreement"

[[billing_account]]
id = "solo"
name = "Solo"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "solo"
from = 2020-01-01T00:00:00Z
type = "online services agreement"

[[subscription]]
id = "lamp"
name = "Lamp"
placements = [{ billing_account = "solo", offer = "metered" }]

[[billing_profile]]
billing_account = "resale"
id = "dollars"
from = 2020-01-01T00:00:00Z
name = "Dollars"
currency = "USD"
"#;

/// `[[KIND]]` tables: lines of `key = value`, each table with an id of its own.
fn tables(kind: &str, ids: &[&str], lines: &str) -> String {
    let table = |id: &&str| format!("[[{kind}]]\nid = \"{id}\"\nname = \"{id}\"\n{lines}\n");
    ids.iter().map(table).collect()
}

fn role(who: &str, role: &str, scope: &str) -> String {
    format!("[[role_assignment]]\nprincipal = \"{who}\"\nrole = \"{role}\"\nscope = {scope}\n\n")
}

fn at_place(account: &str, level: &str, id: &str) -> String {
    format!(
        "{{ place = {{ billing_account = \"{account}\", level = \"{level}\", id = \"{id}\" }} }}"
    )
}

/// Customer agreements of `acme`, `north` and `west`.
fn customer_agreements() -> String {
    let (operator, from) = ("9d1f0a00-0000-4000-8000-000000000001", "2020-01-01T00:00:00Z");
    let others =
        tables("billing_account", &["north", "west"], "currency = \"USD\"\nregion = \"US\"");
    let all = ["acme", "north", "west"].map(|id| {
        let at = format!("{{ billing_account = \"{id}\" }}");
        let agreement = format!(
            "[[agreement]]\nbilling_account = \"{id}\"\nfrom = {from}\n\
             type = \"customer agreement\"\nprofile_creation = \"allowed\"\n\n"
        );
        let reader = role("guest", "Billing Account Reader", &at);
        [agreement, role(operator, "Billing Account Owner", &at), reader].concat()
    });
    let acme = "{ billing_account = \"acme\" }";
    let more = ["Billing Account Contributor", "Billing Account Reader"];
    let more = more.map(|name| role(operator, name, acme)).concat();
    [others, all.concat(), more].concat()
}

fn places() -> String {
    let since = |account: &str, more: &str| {
        format!("billing_account = \"{account}\"\nfrom = 2020-01-01T00:00:00Z\n{more}")
    };
    [
        tables(
            "billing_profile",
            &["piers", "rails", "ships"],
            &since("acme", "currency = \"USD\""),
        ),
        tables(
            "invoice_section",
            &["barges", "ferries", "freight"],
            &since("acme", "billing_profile = \"ships\""),
        ),
        tables("department", &["research", "sales", "works"], &since("union", "")),
        tables(
            "enrollment_account",
            &["lab", "plant", "shed"],
            &since("union", "department = \"research\""),
        ),
        tables(
            "customer",
            &["bakery", "butcher", "grocer"],
            &since("resale", "plans = [\"metered\"]"),
        ),
        role("ann", "Billing Profile Owner", &at_place("acme", "billing profile", "ships")),
        role("bob", "Billing Profile Reader", &at_place("acme", "billing profile", "ships")),
        role("ann", "Invoice Section Owner", &at_place("acme", "invoice section", "freight")),
        role("bob", "Invoice Section Reader", &at_place("acme", "invoice section", "freight")),
        role("ann", "Department Administrator", &at_place("union", "department", "research")),
        role("bob", "Department Administrator", &at_place("union", "department", "research")),
        role("ann", "Account Owner", &at_place("union", "enrollment account", "lab")),
        role("bob", "EA Subscription Creator", &at_place("union", "enrollment account", "lab")),
    ]
    .concat()
}

fn papers() -> String {
    let check = |id: &str| {
        format!(
            "[[payment_method]]\nbilling_account = \"acme\"\nid = \"{id}\"\n\
             from = 2020-01-01T00:00:00Z\nbilling_profile = \"ships\"\nmeans = \"check\"\n\n"
        )
    };
    let terms = |id: &str| {
        format!(
            "[[accepted_agreement]]\nbilling_account = \"acme\"\nid = \"{id}\"\n\
             name = \"{id}\"\naccepted_by = \"ada@north.example\"\n\
             accepted_at = 2020-01-01T00:00:00Z\n\
             link = \"https://reckoner.example/{id}\"\n\n"
        )
    };
    let instruction = |id: &str| {
        format!(
            "[[instruction]]\nbilling_account = \"acme\"\nid = \"{id}\"\n\
             billing_profile = \"ships\"\ncurrency = \"USD\"\namount = \"10\"\n\
             starts = 2026-06-01T00:00:00Z\nends = 2026-09-01T00:00:00Z\n\
             created_at = 2020-01-02T00:00:00Z\n\n"
        )
    };
    let sold = |id: &str, to: &str| {
        format!(
            "[[subscription]]\nid = \"{id}\"\nname = \"{id}\"\n\
             placements = [{{ billing_account = \"resale\", profile = \"dollars\", \
             offer = \"metered\" }}]\n\n\
             [[subscription.standings]]\nfrom = 2020-01-01T00:00:00Z\n\n\
             [subscription.standings.place]\nbilling_account = \"resale\"\n\
             level = \"customer\"\nid = \"{to}\"\n\n"
        )
    };
    [
        ["cheques", "drafts", "notes"].map(check).concat(),
        ["general", "special"].map(terms).concat(),
        ["spring", "summer", "winter"].map(instruction).concat(),
        [("oven", "bakery"), ("saw", "butcher"), ("till", "grocer")]
            .map(|(id, to)| sold(id, to))
            .concat(),
    ]
    .concat()
}

/// What stands in the section `freight`, and is held by the customer `bakery`.
fn holdings() -> String {
    let section = "{ billing_account = \"acme\", level = \"invoice section\", id = \"freight\" }";
    let customer = "{ billing_account = \"resale\", level = \"customer\", id = \"bakery\" }";
    let stands = |account: &str, profile: &str, place: &str| {
        format!(
            "placements = [{{ billing_account = \"{account}\", profile = \"{profile}\", \
             offer = \"metered\" }}]\n\
             standings = [{{ from = 2020-01-01T00:00:00Z, place = {place} }}]\n"
        )
    };
    let (freight, bakery) =
        (stands("acme", "ships", section), stands("resale", "dollars", customer));
    let product = |id: &str, stands: &str| {
        format!(
            "[[product]]\nid = \"{id}\"\nbilling_frequency = \"monthly\"\n\
             facts = [{{ name = \"{id}\" }}]\n{stands}\n"
        )
    };
    let reservation = |id: &str| {
        format!(
            "[[reservation]]\nbilling_account = \"acme\"\nid = \"{id}\"\n\
             billed_to = \"crane\"\nmeters = [\"lifts\"]\nquantity = \"1\"\n\
             currency = \"USD\"\nprice = \"10\"\nfrom = \"2026-01-01\"\n\
             until = \"2029-01-01\"\n\n"
        )
    };
    let meter = "[[meter]]\nid = \"lifts\"\nname = \"Lifts\"\ncategory = \"Cranes\"\n\
                 unit = \"Lifts\"\n\n";
    [
        meter.to_owned(),
        tables("subscription", &["barrow", "crane", "lorry"], &freight),
        tables("subscription", &["mixer", "scales"], &bakery),
        ["chart", "licence", "pilot"].map(|id| product(id, &freight)).concat(),
        ["flour", "yeast"].map(|id| product(id, &bakery)).concat(),
        ["derrick", "winch"].map(reservation).concat(),
    ]
    .concat()
}

/// An installation, and the secret of its guest.
struct House {
    installation: Installation,
    guest: String,
}

impl House {
    fn new(books: Books) -> House {
        let secret = program::run(&["secret"], &[]);
        let word = |name: &str| {
            let line = secret.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.trim().to_owned()
        };
        let declared = DECLARED.replace("{HASH}", &word("hash"));
        let declared = [declared, customer_agreements(), places(), papers(), holdings()].concat();
        let installation = Installation::new(books, "USD", &declared);
        House { installation, guest: word("secret") }
    }

    /// Serves pages of so many items.
    fn serve(&self, items: &str) -> Server {
        self.installation.serve(&[
            ("RECKONER_LIMITS__PAGE_ROWS", items),
            ("RECKONER_LIMITS__REQUEST_BURST", "100000"),
            ("RECKONER_HTTP__FORWARDED", "trusted"),
        ])
    }

    async fn operator<'a>(&self, server: &'a Server) -> Asker<'a> {
        Asker { server, token: self.installation.token(server).await }
    }

    async fn guest<'a>(&self, server: &'a Server) -> Asker<'a> {
        let known = ("guest", self.guest.as_str());
        let token = self.installation.token_of(server, known, &server.told("base_url")).await;
        Asker { server, token: token.expect("a token") }
    }
}

/// Somebody who asks.
struct Asker<'a> {
    server: &'a Server,
    token: String,
}

impl Asker<'_> {
    async fn send(&self, verb: Method, address: &str, body: Option<Value>) -> (u16, Value) {
        let url = if address.starts_with("http") {
            address.to_owned()
        } else {
            format!("{}{address}", self.server.told("base_url"))
        };
        let mut request = self.server.client.request(verb, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").cloned();
        let body = serde_json::from_str(&answer.text().await.expect("text")).unwrap_or(Value::Null);
        let Some(location) = location else { return (status, body) };
        // What takes its time is waited for.
        for _ in 0..100 {
            let told = self.get(location.to_str().expect("text")).await;
            if told.0 != 202 {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{address} never ends");
    }

    async fn get(&self, address: &str) -> (u16, Value) {
        let request = if address.starts_with("http") {
            self.server.client.get(address)
        } else {
            self.server.get(address, None)
        };
        let answer = request.bearer_auth(&self.token).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("text");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The pages of a list, which begins with a verb and is followed with GET.
    async fn pages(&self, verb: Method, address: &str) -> Vec<Value> {
        let (status, first) = self.send(verb, address, None).await;
        assert_eq!(status, 200, "{address}: {first}");
        self.behind(first).await
    }

    /// A page and all behind it.
    async fn behind(&self, first: Value) -> Vec<Value> {
        let mut pages = vec![first];
        while let Some(link) = next(pages.last().expect("a page")) {
            assert!(pages.len() < 1_000, "{link} leads nowhere");
            let (status, page) = self.get(&link).await;
            assert_eq!(status, 200, "{link}: {page}");
            pages.push(page);
        }
        pages
    }
}

fn next(page: &Value) -> Option<String> {
    page["nextLink"].as_str().map(str::to_owned)
}

fn items(pages: &[Value]) -> Vec<Value> {
    pages.iter().flat_map(|page| page["value"].as_array().expect("a list").clone()).collect()
}

fn names(pages: &[Value]) -> String {
    let all = items(pages);
    all.iter().map(|one| one["name"].as_str().expect("a name")).collect::<Vec<_>>().join(" ")
}

/// A served list: its version, verb, operation and an address of its.
struct Served {
    version: &'static str,
    verb: Method,
    operation: &'static str,
    address: String,
}

impl Served {
    fn is_paged(&self) -> bool {
        if self.version == V2019 {
            PAGED_2019.contains(&self.operation)
        } else {
            PAGED_2020.contains(&self.operation)
        }
    }
}

fn served() -> Vec<Served> {
    let mut found = Vec::new();
    for line in SERVED.lines() {
        let words: Vec<&'static str> = line.split(' ').collect();
        let (version, verb, path, operation) = (words[0], words[1], words[2], words[3]);
        // Those of charges pin their answers otherwise: they have tests of their own.
        if !operation.contains("_List") || operation.starts_with("Transactions_") {
            continue;
        }
        let (account, profile) = if path.contains("/customers") {
            ("resale", "dollars")
        } else if path.contains("/departments") || path.contains("/enrollmentAccounts") {
            ("union", "none")
        } else if path.contains("/billingSubscriptions/") {
            ("solo", "none")
        } else {
            ("acme", "ships")
        };
        let path = path
            .replace("{billingAccountName}", account)
            .replace("{billingProfileName}", profile)
            .replace("{invoiceSectionName}", "freight")
            .replace("{customerName}", "bakery")
            .replace("{departmentName}", "research")
            .replace("{enrollmentAccountName}", "lab")
            .replace("{billingSubscriptionName}", "lamp")
            .replace("{subscriptionId}", "lamp");
        let verb = verb.parse().expect("a verb");
        let days = if path.ends_with("/invoices") { EVERY_DAY } else { "" };
        let address = format!("{path}?api-version={version}{days}");
        found.push(Served { version, verb, operation, address });
    }
    found
}

/// Asks at a section and at a customer for what others hold; nobody can declare that.
async fn ask_for_transfers(operator: &Asker<'_>) {
    for place in [
        "acme/billingProfiles/ships/invoiceSections/freight",
        "resale/billingProfiles/dollars/customers/bakery",
    ] {
        let address = format!("{ACCOUNTS}/{place}/initiateTransfer?api-version={V2019}");
        for name in ["ann", "bob", "cy"] {
            let properties = json!({ "recipientEmailId": format!("{name}@south.example") });
            let body = json!({ "properties": properties });
            let (status, told) = operator.send(Method::POST, &address, Some(body)).await;
            assert_eq!(status, 200, "{address}: {told}");
        }
    }
}

on_each_store!(what_the_contract_marks_pageable_comes_in_pages_and_all_else_whole);
async fn what_the_contract_marks_pageable_comes_in_pages_and_all_else_whole(books: Books) {
    let (house, lists) = (House::new(books), served());
    let server = house.serve("1000");
    let operator = house.operator(&server).await;
    ask_for_transfers(&operator).await;
    let mut whole = Vec::new();
    for list in &lists {
        let pages = operator.pages(list.verb.clone(), &list.address).await;
        assert_eq!(pages.len(), 1, "{}", list.address);
        whole.push(items(&pages));
    }
    server.stop();
    for size in [1, 2] {
        let server = house.serve(&size.to_string());
        let operator = house.operator(&server).await;
        let mut several = 0;
        for (list, whole) in lists.iter().zip(&whole) {
            let pages = operator.pages(list.verb.clone(), &list.address).await;
            let (version, operation) = (list.version, list.operation);
            assert_eq!(items(&pages), *whole, "{version} {operation} by {size}");
            let expected = if list.is_paged() { whole.len().div_ceil(size).max(1) } else { 1 };
            assert_eq!(pages.len(), expected, "{version} {operation} by {size}");
            several += usize::from(pages.len() > 1);
            for page in pages.iter().filter(|page| !page["totalCount"].is_null()) {
                assert_eq!(page["totalCount"], whole.len(), "{version} {operation}");
            }
        }
        assert!(several > 20, "only {several} lists have more than {size} items");
        server.stop();
    }
}

#[test]
fn what_is_paged_is_what_the_contract_marks_pageable() {
    for (version, paged) in [(V2019, &PAGED_2019[..]), (V2020, &PAGED_2020[..])] {
        let name = format!("microsoft-billing/{version}/billing.json");
        let Some(description) = description(&name) else { return };
        let paths = description["paths"].as_object().expect("paths").values();
        let operations = paths.flat_map(|path| path.as_object().expect("verbs").values());
        let marked: BTreeSet<&str> = operations
            .filter(|operation| operation.get("x-ms-pageable").is_some())
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();
        let lists = served();
        let ours = lists.iter().filter(|list| list.version == version).map(|list| list.operation);
        let expected: BTreeSet<&str> = ours.filter(|one| marked.contains(one)).collect();
        assert_eq!(paged.iter().copied().collect::<BTreeSet<_>>(), expected, "{version}");
    }
}

on_each_store!(a_list_is_narrowed_before_it_is_cut);
async fn a_list_is_narrowed_before_it_is_cut(books: Books) {
    let house = House::new(books);
    let server = house.serve("1");
    let operator = house.operator(&server).await;
    let check = async |query: &str, expected: &str| {
        let address = format!("{ACCOUNTS}/resale/customers?{query}");
        let pages = operator.pages(Method::GET, &address).await;
        assert_eq!(names(&pages), expected, "{query}");
        assert!(pages.iter().all(|page| page["value"].as_array().is_some_and(|v| v.len() < 2)));
    };
    let filter = "$filter=displayName%20lt%20'c'";
    check(&format!("api-version={V2019}&{filter}"), "bakery butcher").await;
    check(&format!("api-version={V2020}&{filter}"), "bakery butcher").await;
    check(&format!("api-version={V2020}&$search=ER"), "bakery butcher grocer").await;
    check(&format!("api-version={V2020}&$search=cher"), "butcher").await;
    check(&format!("api-version={V2020}&$search=nobody"), "").await;
    server.stop();
}

on_each_store!(later_pages_show_what_the_first_one_saw);
async fn later_pages_show_what_the_first_one_saw(books: Books) {
    let house = House::new(books);
    let server = house.serve("1");
    let operator = house.operator(&server).await;
    let ships = format!("{ACCOUNTS}/acme/billingProfiles/ships");
    let instructions = format!("{ships}/instructions?api-version={V2020}");
    let sections = format!("{ships}/invoiceSections?api-version={V2020}");
    let roles = format!("{ships}/billingRoleAssignments?api-version={V2020}");
    let mut before = Vec::new();
    let mut first = Vec::new();
    for list in [&instructions, &sections, &roles] {
        before.push(items(&operator.pages(Method::GET, list).await));
        first.push(operator.get(list).await.1);
    }
    // One of each is made, and one that was there is changed or gone.
    let put = async |verb: Method, address: String, body: Value| {
        let (status, told) = operator.send(verb, &address, Some(body)).await;
        assert!(status < 300, "{address}: {told}");
    };
    for (name, amount) in [("summer", 11), ("zenith", 12)] {
        let dates = ("2026-06-01T00:00:00Z", "2026-09-01T00:00:00Z");
        let properties = json!({"amount": amount, "startDate": dates.0, "endDate": dates.1});
        let address = format!("{ships}/instructions/{name}?api-version={V2020}");
        put(Method::PUT, address, json!({"properties": properties})).await;
    }
    for (name, told) in [("ferries", "Ferry lines"), ("zeppelins", "Zeppelins")] {
        let address = format!("{ships}/invoiceSections/{name}?api-version={V2020}");
        put(Method::PUT, address, json!({"properties": {"displayName": told}})).await;
    }
    let reader = "40000000-aaaa-bbbb-cccc-100000000002";
    let bob = format!("{ships}/billingRoleAssignments/{reader}_bob?api-version={V2020}");
    let (status, told) = operator.send(Method::DELETE, &bob, None).await;
    assert_eq!(status, 200, "{told}");
    for ((list, first), before) in [&instructions, &sections, &roles].iter().zip(first).zip(before)
    {
        let pages = operator.behind(first).await;
        assert_eq!(items(&pages), before, "{list}");
        assert_ne!(items(&operator.pages(Method::GET, list).await), before, "{list}");
    }
    server.stop();
}

on_each_store!(a_right_is_asked_for_again_at_every_page);
async fn a_right_is_asked_for_again_at_every_page(books: Books) {
    let house = House::new(books);
    let server = house.serve("1");
    let (operator, guest) = (house.operator(&server).await, house.guest(&server).await);
    let accounts = format!("{ACCOUNTS}?api-version={V2020}");
    assert_eq!(names(&guest.pages(Method::GET, &accounts).await), "acme north west");
    let profiles = format!("{ACCOUNTS}/acme/billingProfiles?api-version={V2020}");
    let (first_account, first_profile) =
        (guest.get(&accounts).await.1, guest.get(&profiles).await.1);
    let take = async |account: &str| {
        let reader = "50000000-aaaa-bbbb-cccc-100000000002";
        let address = format!(
            "{ACCOUNTS}/{account}/billingRoleAssignments/{reader}_guest?api-version={V2020}"
        );
        let (status, told) = operator.send(Method::DELETE, &address, None).await;
        assert_eq!(status, 200, "{told}");
    };
    take("north").await;
    assert_eq!(names(&guest.behind(first_account).await), "acme west");
    take("acme").await;
    let (status, told) = guest.get(&next(&first_profile).expect("a link")).await;
    assert_eq!((status, told["error"]["code"].as_str()), (404, Some("NotFound")));
    // As without a role from the start.
    assert_eq!(guest.get(&profiles).await.1["error"], told["error"]);
    server.stop();
}

on_each_store!(a_token_is_good_for_the_list_and_the_caller_that_it_was_given_to);
async fn a_token_is_good_for_the_list_and_the_caller_that_it_was_given_to(books: Books) {
    let house = House::new(books);
    let server = house.serve("1");
    let (operator, guest) = (house.operator(&server).await, house.guest(&server).await);
    let profiles = format!("{ACCOUNTS}/acme/billingProfiles?api-version={V2020}");
    let link = next(&operator.get(&profiles).await.1).expect("a link");
    let token = link.rsplit_once('=').expect("a token").1.to_owned();
    assert_eq!(operator.get(&link).await.0, 200);
    let check = async |who: &Asker<'_>, address: String| {
        let (status, told) = who.get(&address).await;
        let message = told["error"]["message"].as_str().unwrap_or("-").to_owned();
        assert_eq!(status, 400, "{address}: {told}");
        assert!(message.starts_with("$skiptoken: "), "{address}: {message}");
    };
    check(&guest, link.clone()).await;
    check(&operator, format!("{link}x")).await;
    check(&operator, format!("{profiles}&$skiptoken=x")).await;
    check(&operator, format!("{profiles}&$skiptoken={token}&$skiptoken={token}")).await;
    check(&operator, format!("{profiles}&$expand=invoiceSections&$skiptoken={token}")).await;
    let other = format!("{ACCOUNTS}?api-version={V2020}&$skiptoken={token}");
    check(&operator, other).await;
    let other = format!("{ACCOUNTS}/resale/customers?api-version={V2019}&$skiptoken={token}");
    check(&operator, other).await;
    server.stop();
}

on_each_store!(a_link_is_good_after_a_restart_and_shows_what_was);
async fn a_link_is_good_after_a_restart_and_shows_what_was(books: Books) {
    let house = House::new(books);
    let profiles = format!("{ACCOUNTS}/acme/billingProfiles?api-version={V2020}");
    let server = house.serve("1");
    let operator = house.operator(&server).await;
    let before = items(&operator.pages(Method::GET, &profiles).await);
    let link = next(&operator.get(&profiles).await.1).expect("a link");
    let below = link.strip_prefix(&server.told("base_url")).expect("its address").to_owned();
    server.stop();
    let quay = "[[billing_profile]]\nbilling_account = \"acme\"\nid = \"quays\"\n\
        from = 2020-01-01T00:00:00Z\nname = \"Quays\"\ncurrency = \"USD\"\n";
    house.installation.declare("quays.toml", quay);
    house.installation.apply();
    let server = house.serve("1");
    let operator = house.operator(&server).await;
    let (status, second) = operator.get(&below).await;
    assert_eq!(status, 200, "{second}");
    assert_eq!(items(&operator.behind(second).await), before[1..]);
    let now = names(&operator.pages(Method::GET, &profiles).await);
    assert_eq!(now, "piers quays rails ships");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_on_the_address_that_the_client_used() {
    let house = House::new(Books::Sqlite);
    let server = house.serve("1");
    let token = house.installation.token(&server).await;
    let query = format!("api-version={V2020}&$expand=soldTo");
    let check = async |base: &str, headers: &[(&str, &str)], expected: &str| {
        let mut request = server.client.get(format!("{base}{ACCOUNTS}?{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.bearer_auth(&token).send().await.expect("an answer");
        let page: Value = answer.json().await.expect("JSON");
        let link = next(&page).unwrap_or_else(|| panic!("{page}"));
        let start = format!("{expected}{ACCOUNTS}?api-version={V2020}&$expand=soldTo&");
        assert!(link.starts_with(&start), "{link}");
    };
    let (https, http) = (server.told("base_url"), server.told("http_url"));
    check(&https, &[], &https).await;
    check(&http, &[], &http).await;
    check(&http, &[("host", "bill.test:81")], "http://bill.test:81").await;
    let proxy = [("x-forwarded-proto", "https"), ("x-forwarded-host", "bill.example")];
    check(&http, &proxy, "https://bill.example").await;
    server.stop();
}
