//! Answers of Azure Billing beside its published descriptions: every operation is asked, those that
//! read on accounts of all kinds; each answer is strictly as its operation says, and what none of
//! the demo's world has stands with a reason in `tests/azure-billing/never_filled.csv`.

use crate::azure_billing_calls::token_of;
use crate::contracts::{description, problems};
use crate::program::Server;
use jsonschema::Validator;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const FIRST: &str = "2019-10-01-preview";
const SECOND: &str = "2020-05-01";
/// Who sees everything, who sees what it owns, who sees shells, who is asked for transfers.
const CALLERS: [&str; 4] = ["operator", "owner", "billing_reader", "recipient"];
/// The demo is asked more in a second than its callers usually may; its lists are short, and yet
/// have further pages.
const SETTINGS: [(&str, &str); 4] = [
    ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "100000"),
    ("RECKONER_LIMITS__REQUEST_BURST", "100000"),
    ("RECKONER_LIMITS__PAGE_ROWS", "1"),
    ("RECKONER_LIMITS__PINNED_ANSWERS", "100000"),
];

/// Version, verb, path and id of each operation on a line.
const SERVED: &str = include_str!("../../../../surfaces/azure-billing/operations.txt");
/// Version, operation, member and reason on a line.
const NEVER_FILLED: &str = include_str!("../../../../tests/azure-billing/never_filled.csv");
/// What no answer has, by definitions.
const LEFT_OUT: &str = include_str!("../../../../docs/deviations/azure-billing-members.md");

/// Those of the POSTs that change nothing, with what is sent.
const READS_BY_POST: [(&str, &str); 5] = [
    ("BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission", ""),
    (
        "Address_Validate",
        r#"{"firstName": "Ida", "lastName": "Quay", "companyName": "Harbourlight Retail",
            "addressLine1": "410 Quay Street", "addressLine2": "Dock 2", "addressLine3": "Desk 3",
            "city": "Springfield", "region": "il", "country": "us", "postalCode": "62701"}"#,
    ),
    // The first version refuses members of the second.
    (
        "Address_Validate",
        r#"{"middleName": "M", "district": "Harbour", "email": "ida@harbourlight.example",
            "phoneNumber": "555", "addressLine1": "410 Quay Street", "city": "Springfield",
            "region": "IL", "country": "US", "postalCode": "62701"}"#,
    ),
    ("Address_Validate", r#"{"addressLine1": "410 Quay Street", "country": "US"}"#),
    (
        "RecipientTransfers_Validate",
        r#"{"properties": {"productDetails":
            [{"productType": "AzureSubscription", "productId": "nothing-here"}]}}"#,
    ),
];

/// What `$expand` takes, by groups.
const EXPANDS: [(&str, &str); 7] = [
    (
        "BillingAccounts 2019-10-01-preview",
        "address,billingProfiles/invoiceSections,enrollmentDetails,departments,enrollmentAccounts",
    ),
    (
        "BillingAccounts 2020-05-01",
        "soldTo,billingProfiles/invoiceSections,enrollmentDetails,departments,enrollmentAccounts",
    ),
    ("BillingProfiles", "invoiceSections"),
    ("Customers", "enabledAzurePlans,resellers"),
    ("Departments", "enrollmentAccounts"),
    ("EnrollmentAccounts", "department"),
    ("Agreements", "participants"),
];

/// Downloads of invoices: whose, and the list that has links to their documents.
const DOWNLOADS: &[(&str, &str, &str, &str)] = &[
    (
        FIRST,
        "Invoices_DownloadMultipleBillingProfileInvoices",
        "mca",
        "Invoices_ListByBillingProfile",
    ),
    (FIRST, "Invoices_DownloadMultipleEAInvoices", "ea", "Invoices_ListByBillingAccount"),
    (
        FIRST,
        "Invoices_DownloadMultipleBillingSubscriptionInvoices",
        "mosp",
        "Invoices_ListByBillingSubscription",
    ),
    (SECOND, "Invoices_DownloadInvoice", "mca", "Invoices_ListByBillingAccount"),
    (
        SECOND,
        "Invoices_DownloadMultipleBillingProfileInvoices",
        "mca",
        "Invoices_ListByBillingAccount",
    ),
    (
        SECOND,
        "Invoices_DownloadBillingSubscriptionInvoice",
        "mosp",
        "Invoices_ListByBillingSubscription",
    ),
    (
        SECOND,
        "Invoices_DownloadMultipleBillingSubscriptionInvoices",
        "mosp",
        "Invoices_ListByBillingSubscription",
    ),
];

/// Of lists that need days: all of the demo's world.
const EVERY_DAY: &str = "&periodStartDate=2020-01-01&periodEndDate=2099-12-31";
const ACCOUNTS: &str = "/providers/Microsoft.Billing/billingAccounts";

/// What is sent to change something.
enum Sent {
    Nothing,
    /// In it `<…>` stands for what the demo's context has there.
    Body(&'static str),
    /// A role, to one of the demo's clients.
    Give(&'static str, &'static str),
    /// The same, as enterprise agreements have it.
    Put(&'static str, &'static str),
    /// Who loses which role.
    Take(&'static str, &'static str),
    /// A section, in the first profile of whose account.
    Move(&'static str, &'static str),
}

const ACCOUNT_CONTRIBUTOR: &str = "50000000-aaaa-bbbb-cccc-100000000001";
const ACCOUNT_READER: &str = "50000000-aaaa-bbbb-cccc-100000000002";
const PROFILE_CONTRIBUTOR: &str = "40000000-aaaa-bbbb-cccc-100000000001";
const PROFILE_READER: &str = "40000000-aaaa-bbbb-cccc-100000000002";
const SECTION_CONTRIBUTOR: &str = "30000000-aaaa-bbbb-cccc-100000000001";
const SECTION_READER: &str = "30000000-aaaa-bbbb-cccc-100000000002";
const ENROLLMENT_READER: &str = "24f8edb6-1668-4659-b5e2-40bb5f3a7d7e";
const DEPARTMENT_READER: &str = "db609904-a47f-4794-9be8-9bd86fbffd8a";
const ENROLLMENT_ACCOUNT_OWNER: &str = "c15c22c0-9faf-424c-9b7e-bd91c06a240b";
const SUBSCRIPTION_CREATOR: &str = "a0bcee42-bf30-4d1b-926a-48d21664ef71";
/// Asks for no change.
const SAME: Sent = Sent::Body(r#"{"properties": {}}"#);
const FLAT: Sent = Sent::Body("{}");
const INSTRUCTION: Sent = Sent::Body(
    r#"{"properties": {"amount": 1, "startDate": "2027-01-01T00:00:00Z",
        "endDate": "2027-02-01T00:00:00Z"}}"#,
);
const TO_SECTION: Sent =
    Sent::Body(r#"{"properties": {"recipientEmailId": "<clients.recipient.email>"}}"#);
const TO_CUSTOMER: Sent = Sent::Body(
    r#"{"properties": {"recipientEmailId": "<clients.recipient.email>",
        "resellerId": "<accounts.mpa.reseller>"}}"#,
);
const HOLDINGS: Sent = Sent::Body(
    r#"{"properties": {"productDetails": [
        {"productType": "AzureSubscription", "productId": "<accounts.recipient.subscription>"},
        {"productType": "AzureReservation", "productId": "<accounts.recipient.reservation>"}]}}"#,
);

/// Every operation that changes something or takes its time, in an order in which each may: of an
/// account at the demo's customer agreement, of what enterprises and partners have at theirs.
/// Roles that stay are read afterwards.
const WRITES: &[(&str, &str, Sent)] = &[
    (
        FIRST,
        "BillingRoleAssignments_AddByBillingAccount",
        Sent::Give("contributor", ACCOUNT_READER),
    ),
    (
        FIRST,
        "BillingRoleAssignments_AddByBillingProfile",
        Sent::Give("contributor", PROFILE_READER),
    ),
    (
        FIRST,
        "BillingRoleAssignments_AddByInvoiceSection",
        Sent::Give("contributor", SECTION_READER),
    ),
    (FIRST, "RoleAssignments_Put", Sent::Put("owner", ENROLLMENT_READER)),
    (FIRST, "EnrollmentDepartmentRoleAssignments_Put", Sent::Put("owner", DEPARTMENT_READER)),
    (FIRST, "EnrollmentAccountRoleAssignments_Put", Sent::Put("owner", ENROLLMENT_ACCOUNT_OWNER)),
    // Seconds, so that lists of roles and of what they permit have further pages.
    (FIRST, "BillingRoleAssignments_AddByBillingAccount", Sent::Give("owner", ACCOUNT_CONTRIBUTOR)),
    (FIRST, "BillingRoleAssignments_AddByBillingProfile", Sent::Give("owner", PROFILE_CONTRIBUTOR)),
    (FIRST, "BillingRoleAssignments_AddByInvoiceSection", Sent::Give("owner", SECTION_CONTRIBUTOR)),
    (FIRST, "EnrollmentDepartmentRoleAssignments_Put", Sent::Put("contributor", DEPARTMENT_READER)),
    (FIRST, "EnrollmentAccountRoleAssignments_Put", Sent::Put("reader", SUBSCRIPTION_CREATOR)),
    // These go again.
    (FIRST, "BillingRoleAssignments_AddByBillingAccount", Sent::Give("owner", ACCOUNT_READER)),
    (FIRST, "BillingRoleAssignments_AddByBillingProfile", Sent::Give("owner", PROFILE_READER)),
    (FIRST, "BillingRoleAssignments_AddByInvoiceSection", Sent::Give("owner", SECTION_READER)),
    (FIRST, "EnrollmentDepartmentRoleAssignments_Put", Sent::Put("recipient", DEPARTMENT_READER)),
    (FIRST, "EnrollmentAccountRoleAssignments_Put", Sent::Put("recipient", SUBSCRIPTION_CREATOR)),
    (FIRST, "BillingRoleAssignments_DeleteByBillingAccount", Sent::Take("owner", ACCOUNT_READER)),
    (FIRST, "BillingRoleAssignments_DeleteByBillingProfile", Sent::Take("owner", PROFILE_READER)),
    (FIRST, "BillingRoleAssignments_DeleteByInvoiceSection", Sent::Take("owner", SECTION_READER)),
    (
        FIRST,
        "BillingRoleAssignments_DeleteByDepartment",
        Sent::Take("recipient", DEPARTMENT_READER),
    ),
    (
        FIRST,
        "BillingRoleAssignments_DeleteByEnrollmentAccount",
        Sent::Take("recipient", SUBSCRIPTION_CREATOR),
    ),
    // The second version only takes roles.
    (FIRST, "BillingRoleAssignments_AddByBillingAccount", Sent::Give("owner", ACCOUNT_READER)),
    (FIRST, "BillingRoleAssignments_AddByBillingProfile", Sent::Give("owner", PROFILE_READER)),
    (FIRST, "BillingRoleAssignments_AddByInvoiceSection", Sent::Give("owner", SECTION_READER)),
    (FIRST, "BillingAccounts_Update", SAME),
    (FIRST, "BillingProfiles_Create", FLAT),
    (FIRST, "BillingProfiles_Update", SAME),
    (FIRST, "InvoiceSections_Create", FLAT),
    (FIRST, "InvoiceSections_Update", SAME),
    (FIRST, "InvoiceSections_ElevateToBillingProfile", Sent::Nothing),
    (FIRST, "Instructions_Put", INSTRUCTION),
    (FIRST, "Policies_Update", SAME),
    (FIRST, "Policies_UpdateCustomer", SAME),
    (FIRST, "Products_UpdateAutoRenewByInvoiceSection", Sent::Body(r#"{"autoRenew": "true"}"#)),
    (FIRST, "BillingSubscriptions_ValidateTransfer", Sent::Move("mca", "other_invoice_section")),
    (FIRST, "BillingSubscriptions_Transfer", Sent::Move("mca", "other_invoice_section")),
    (FIRST, "Products_ValidateTransfer", Sent::Move("mca", "other_invoice_section")),
    (FIRST, "Products_Transfer", Sent::Move("mca", "other_invoice_section")),
    // They stand there no more, and may not leave their account.
    (FIRST, "BillingSubscriptions_ValidateTransfer", Sent::Move("foreign", "invoice_section")),
    (FIRST, "Products_ValidateTransfer", Sent::Move("foreign", "invoice_section")),
    (FIRST, "Transfers_Initiate", TO_SECTION),
    (FIRST, "PartnerTransfers_Initiate", TO_CUSTOMER),
    (FIRST, "Transfers_Cancel", Sent::Nothing),
    (FIRST, "PartnerTransfers_Cancel", Sent::Nothing),
    (FIRST, "RecipientTransfers_Accept", HOLDINGS),
    (FIRST, "RecipientTransfers_Decline", Sent::Nothing),
    (FIRST, "PriceSheet_DownloadByBillingProfile", Sent::Nothing),
    (FIRST, "PriceSheet_Download", Sent::Nothing),
    (SECOND, "BillingRoleAssignments_DeleteByBillingAccount", Sent::Take("owner", ACCOUNT_READER)),
    (SECOND, "BillingRoleAssignments_DeleteByBillingProfile", Sent::Take("owner", PROFILE_READER)),
    (SECOND, "BillingRoleAssignments_DeleteByInvoiceSection", Sent::Take("owner", SECTION_READER)),
    (SECOND, "BillingAccounts_Update", SAME),
    (SECOND, "BillingProfiles_CreateOrUpdate", SAME),
    (SECOND, "InvoiceSections_CreateOrUpdate", SAME),
    (SECOND, "Instructions_Put", INSTRUCTION),
    (SECOND, "Policies_Update", SAME),
    (SECOND, "Policies_UpdateCustomer", SAME),
    (SECOND, "BillingProperty_Update", SAME),
    (SECOND, "BillingSubscriptions_Update", SAME),
    (SECOND, "BillingSubscriptions_Move", Sent::Move("mca", "invoice_section")),
    (SECOND, "BillingSubscriptions_ValidateMove", Sent::Move("mca", "other_invoice_section")),
    (SECOND, "BillingSubscriptions_ValidateMove", Sent::Move("foreign", "invoice_section")),
    (SECOND, "Products_Update", SAME),
    (SECOND, "Products_Move", Sent::Move("mca", "invoice_section")),
    (SECOND, "Products_ValidateMove", Sent::Move("mca", "other_invoice_section")),
    (SECOND, "Products_ValidateMove", Sent::Move("foreign", "invoice_section")),
];

/// A version's description.
struct Contract {
    version: &'static str,
    /// Each with the members of what it is made of; members that it does not name are wrong.
    definitions: Map<String, Value>,
    operations: Vec<Operation>,
}

/// An operation that is served.
struct Operation {
    id: String,
    verb: Method,
    path: String,
    /// What `$expand` takes, if it is declared.
    expand: Option<&'static str>,
    /// Its answers by status.
    answers: Value,
}

impl Contract {
    fn of(version: &'static str) -> Option<Contract> {
        let described = description(&format!("microsoft-billing/{version}/billing.json"))?;
        let definitions = closed(&described);
        let mut operations = Vec::new();
        for line in SERVED.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [of, verb, path, id] = words.as_slice() else { panic!("{line}") };
            if *of == version {
                operations.push(operation(&described, version, (*verb, *path, *id)));
            }
        }
        Some(Contract { version, definitions, operations })
    }

    /// What an answer must be, by the name of its definition.
    fn validator(&self, name: &str) -> Validator {
        let reference = format!("#/definitions/{name}");
        let schema = json!({ "$ref": reference, "definitions": self.definitions });
        jsonschema::draft4::new(&schema).expect("a schema")
    }

    /// The members of a schema that none of some values has: by their paths, those who declare
    /// them. What lies below a member that nobody has is not looked at.
    fn unfilled(
        &self,
        (schema, name): (&Value, &str),
        values: &[&Value],
        at: &str,
        found: &mut BTreeMap<String, String>,
    ) {
        let referred = referred(schema);
        let schema = referred.map_or(schema, |name| &self.definitions[name]);
        let name = referred.unwrap_or(name);
        if let Some(items) = schema.get("items") {
            let below: Vec<&Value> =
                values.iter().filter_map(|value| value.as_array()).flatten().collect();
            return self.unfilled((items, name), &below, &format!("{at}[]"), found);
        }
        for (member, schema) in schema["properties"].as_object().into_iter().flatten() {
            let own = values.iter().filter_map(|value| value.get(member));
            let own: Vec<&Value> = own.filter(|value| is_filled(value)).collect();
            let dot = if at.is_empty() { "" } else { "." };
            let (path, name) = (format!("{at}{dot}{member}"), format!("{name}.{member}"));
            if own.is_empty() {
                found.insert(path, name);
            } else {
                self.unfilled((schema, name.as_str()), &own, &path, found);
            }
        }
    }
}

/// The definitions, each with the members of what it is made of and closed to others.
fn closed(described: &Value) -> Map<String, Value> {
    let all = described["definitions"].as_object().expect("definitions");
    let close = |(name, definition): (&String, &Value)| {
        let mut definition = definition.clone();
        let mut members = Map::new();
        for part in definition["allOf"].as_array().into_iter().flatten() {
            let base = &all[referred(part).expect("a reference")];
            members.extend(base["properties"].as_object().expect("members").clone());
        }
        members.extend(definition["properties"].as_object().cloned().unwrap_or_default());
        for member in members.values_mut().filter(|member| member.get("properties").is_some()) {
            member["type"] = json!("object");
            member["additionalProperties"] = json!(false);
        }
        if !members.is_empty() {
            definition["type"] = json!("object");
            definition["properties"] = Value::Object(members);
            definition["additionalProperties"] = json!(false);
            definition.as_object_mut().expect("an object").remove("allOf");
        }
        (name.clone(), definition)
    };
    all.iter().map(close).collect()
}

fn operation(described: &Value, version: &str, (verb, path, id): (&str, &str, &str)) -> Operation {
    let paths = described["paths"].as_object().expect("paths");
    let mut all = paths.values().flat_map(|verbs| verbs.as_object().expect("verbs").values());
    let told = all.find(|told| told["operationId"] == id).unwrap_or_else(|| panic!("{id}"));
    let mut parameters = told["parameters"].as_array().into_iter().flatten();
    let group = id.split('_').next().expect("a group");
    let own = format!("{group} {version}");
    let expand = EXPANDS.iter().find(|(of, _)| *of == group || *of == own);
    let expand = expand.filter(|_| parameters.any(|one| one["name"] == "$expand"));
    Operation {
        id: id.to_owned(),
        verb: Method::from_bytes(verb.as_bytes()).expect("a verb"),
        path: path.to_owned(),
        expand: expand.map(|(_, names)| *names),
        answers: told["responses"].clone(),
    }
}

fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/definitions/")
}

/// Whether a value says anything.
fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// One caller on its way down from the lists of accounts and subscriptions.
struct Walk<'a> {
    server: &'a Server,
    version: &'static str,
    token: String,
    /// Names that were listed, by the list's address.
    listed: BTreeMap<String, Vec<String>>,
}

impl Walk<'_> {
    async fn ask(&self, verb: &Method, path: &str, query: &str, body: &str) -> (u16, Value) {
        let is_dated = path.ends_with("/invoices") || path.contains("/transactions");
        let days = if is_dated { EVERY_DAY } else { "" };
        let url = format!("{}{path}?api-version={query}{days}", self.server.told("base_url"));
        let mut request = self.server.client.request(verb.clone(), url).bearer_auth(&self.token);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        told(request.send().await.expect("an answer")).await
    }

    /// An answer and, of a list, the pages behind it.
    async fn pages(&self, first: Value) -> Vec<Value> {
        let mut pages = vec![first];
        while let Some(link) = pages.last().and_then(|page| page["nextLink"].as_str()) {
            let request = self.server.client.get(link).bearer_auth(&self.token);
            let (status, page) = told(request.send().await.expect("an answer")).await;
            assert_eq!(status, 200, "{page}");
            pages.push(page);
        }
        pages
    }

    /// Status and answer of a change, at the end of what takes its time.
    async fn done(&self, verb: &Method, (path, more): (&str, &str), body: &str) -> (u16, Value) {
        let (base, version) = (self.server.told("base_url"), self.version);
        let url = format!("{base}{path}?api-version={version}{more}");
        let request = self.server.client.request(verb.clone(), url).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let mut answer = request.send().await.expect("an answer");
        while answer.status() == StatusCode::ACCEPTED {
            let place = answer.headers()["location"].to_str().expect("an address").to_owned();
            tokio::time::sleep(Duration::from_millis(50)).await;
            let request = self.server.client.get(place).bearer_auth(&self.token);
            answer = request.send().await.expect("an answer");
        }
        told(answer).await
    }

    /// The names that a list has; none where it is not for this kind of account or this caller.
    async fn names(&mut self, list: &str) -> Vec<String> {
        if let Some(known) = self.listed.get(list) {
            return known.clone();
        }
        let version = if list == "/subscriptions" { "2022-12-01" } else { self.version };
        let (_, answer) = self.ask(&Method::GET, list, version, "").await;
        let pages = self.pages(answer).await;
        let items = pages.iter().filter_map(|page| page["value"].as_array()).flatten();
        let name = |item: &Value| {
            // Transfers are told without a name: the time at which one was made stands for it.
            let made = item["properties"]["creationTime"].as_str();
            let name = item["subscriptionId"].as_str().or(item["name"].as_str()).or(made);
            name.expect("a name").to_owned()
        };
        let names: Vec<String> = items.map(name).collect();
        self.listed.insert(list.to_owned(), names.clone());
        names
    }

    /// The lists that name what may stand below an address.
    async fn lists(&mut self, above: &str) -> Vec<String> {
        if above.ends_with("/billingSubscriptions") {
            return vec!["/subscriptions".to_owned()];
        }
        if above == format!("{ACCOUNTS}/default/invoices") {
            let accounts = self.names(ACCOUNTS).await;
            return accounts.iter().map(|one| format!("{ACCOUNTS}/{one}/invoices")).collect();
        }
        vec![above.to_owned()]
    }

    /// The addresses that a path stands for, its parameters filled with what is listed above.
    async fn addresses(&mut self, path: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        for segment in path.split('/').skip(1) {
            let mut longer = Vec::new();
            for above in found {
                let mut names = Vec::new();
                if segment.starts_with('{') {
                    for list in self.lists(&above).await {
                        names.extend(self.names(&list).await);
                    }
                } else {
                    names.push(segment.to_owned());
                }
                longer.extend(names.iter().map(|name| format!("{above}/{name}")));
            }
            found = longer;
        }
        found
    }
}

/// Status and body of an answer.
async fn told(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("text");
    let body =
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
    (status, body)
}

/// Answers that were got, and what was wrong with any.
#[derive(Default)]
struct Got {
    by_operation: BTreeMap<String, Vec<Value>>,
    wrong: Vec<String>,
}

/// Asks every operation that reads wherever a caller may, once plainly and once with everything
/// expanded.
async fn ask_all(contract: &Contract, walk: &mut Walk<'_>, got: &mut Got) {
    let mut validators: BTreeMap<String, Validator> = BTreeMap::new();
    let reads = |one: &&Operation| {
        one.verb == Method::GET || READS_BY_POST.iter().any(|(id, _)| *id == one.id)
    };
    for operation in contract.operations.iter().filter(reads) {
        let own = READS_BY_POST.iter().filter(|(id, _)| *id == operation.id);
        let mut bodies: Vec<&str> = own.map(|(_, body)| *body).collect();
        if bodies.is_empty() {
            bodies.push("");
        }
        let mut queries = vec![contract.version.to_owned()];
        queries.extend(operation.expand.map(|all| format!("{}&$expand={all}", contract.version)));
        for address in walk.addresses(&operation.path).await {
            for (query, body) in queries.iter().flat_map(|q| bodies.iter().map(move |b| (q, b))) {
                let (status, answer) = walk.ask(&operation.verb, &address, query, body).await;
                let declared = operation.answers.get(status.to_string());
                let declared = match (declared, status) {
                    (Some(declared), _) => declared,
                    (None, 400..500) => &operation.answers["default"],
                    (None, _) => &Value::Null,
                };
                let Some(name) = referred(&declared["schema"]) else {
                    got.wrong.push(format!("{} {address} {status}: undeclared", operation.id));
                    continue;
                };
                let validator =
                    &*validators.entry(name.to_owned()).or_insert_with(|| contract.validator(name));
                let pages = walk.pages(answer).await;
                let found = pages.iter().flat_map(|page| problems(validator, page));
                let told =
                    |one: String| format!("{} {address}?{query} {status} {one}", operation.id);
                got.wrong.extend(found.map(told));
                if status == 200 {
                    got.by_operation.entry(operation.id.clone()).or_default().extend(pages);
                }
            }
        }
    }
}

/// Changes something at every operation that does, as its owner, or as who received a transfer.
async fn write_all(contract: &Contract, server: &Server, got: &mut Got) {
    let version = contract.version;
    for (_, id, sent) in WRITES.iter().filter(|(of, _, _)| *of == version) {
        let client = if id.starts_with("RecipientTransfers_") { "recipient" } else { "owner" };
        let token = server.told(&format!("clients.{client}.token"));
        let walk = Walk { server, version, token, listed: BTreeMap::new() };
        let operation = contract.operations.iter().find(|one| one.id == *id).expect(id);
        let who = |name: &str| server.told(&format!("clients.{name}.client_id"));
        let (name, body) = match sent {
            Sent::Nothing => (String::new(), String::new()),
            Sent::Body(body) => ("summer".to_owned(), filled(server, body)),
            Sent::Take(name, role) => (format!("{role}_{}", who(name)), String::new()),
            Sent::Give(name, role) => {
                let body = json!({ "principalId": who(name), "billingRoleDefinitionId": role });
                (String::new(), body.to_string())
            }
            Sent::Put(name, role) => {
                let properties = json!({ "principalId": who(name), "roleDefinitionId": role });
                ("given".to_owned(), json!({ "properties": properties }).to_string())
            }
            Sent::Move(of, section) => {
                let account = server.told(&format!("accounts.{of}.billing_account"));
                let profile = server.told("accounts.mca.billing_profile");
                let section = server.told(&format!("accounts.mca.{section}"));
                let below = format!("billingProfiles/{profile}/invoiceSections/{section}");
                let id = format!("/providers/Microsoft.Billing/billingAccounts/{account}/{below}");
                (String::new(), json!({ "destinationInvoiceSectionId": id }).to_string())
            }
        };
        let address = written(server, operation, &name);
        let (status, answer) = walk.done(&operation.verb, (address.as_str(), ""), &body).await;
        assert!(status < 300, "{id} {status} {answer}");
        let schema = &operation.answers[status.to_string()]["schema"];
        let found = match referred(schema) {
            Some(name) => problems(&contract.validator(name), &answer),
            None => (!answer.is_null()).then(|| "a body".to_owned()).into_iter().collect(),
        };
        got.wrong.extend(found.into_iter().map(|one| format!("{id} {status} {one}")));
        got.by_operation.entry(operation.id.clone()).or_default().push(answer);
    }
}

/// A text with what the demo's context has for each `<…>`.
fn filled(server: &Server, text: &str) -> String {
    let mut parts = text.split(['<', '>']);
    let mut filled = parts.next().expect("a beginning").to_owned();
    while let (Some(symbol), Some(after)) = (parts.next(), parts.next()) {
        filled.push_str(&server.told(symbol));
        filled.push_str(after);
    }
    filled
}

/// Downloads invoices by every operation that does, as their owner.
async fn download_all(contract: &Contract, server: &Server, got: &mut Got) {
    let (version, token) = (contract.version, server.told("clients.owner.token"));
    let owner = Walk { server, version, token, listed: BTreeMap::new() };
    let find = |id: &str| contract.operations.iter().find(|one| one.id == id).expect(id);
    for (_, id, kind, list) in DOWNLOADS.iter().filter(|(of, ..)| *of == version) {
        let (operation, list) = (find(id), placed(server, kind, &find(list).path, ""));
        let (_, listed) = owner.ask(&Method::GET, &list, version, "").await;
        let invoice = &listed["value"][0];
        let url = invoice["properties"]["documents"][0]["url"].as_str().expect("a link");
        let name = invoice["name"].as_str().expect("a name");
        let address = placed(server, kind, &operation.path, name);
        let (more, body) = if operation.path.ends_with("/download") {
            let token = token_of(url).expect("a token");
            (format!("&downloadToken={token}"), String::new())
        } else {
            (String::new(), json!([url]).to_string())
        };
        let (status, answer) =
            owner.done(&operation.verb, (address.as_str(), more.as_str()), &body).await;
        assert_eq!(status, 200, "{id} {answer}");
        let name = referred(&operation.answers["200"]["schema"]).expect("a definition");
        let found = problems(&contract.validator(name), &answer);
        got.wrong.extend(found.into_iter().map(|one| format!("{id} {status} {one}")));
        got.by_operation.entry(operation.id.clone()).or_default().push(answer);
    }
}

/// The address at which something is changed; `name` is that of what has no place of its own.
fn written(server: &Server, operation: &Operation, name: &str) -> String {
    let transfer = match operation.id.as_str() {
        "RecipientTransfers_Accept" => "accounts.recipient.transfer_to_accept",
        "RecipientTransfers_Decline" => "accounts.recipient.transfer_to_decline",
        "PartnerTransfers_Cancel" => "accounts.mpa.transfer_to_cancel",
        _ => "accounts.mca.transfer_to_cancel",
    };
    let path = &operation.path.replace("{transferName}", &server.told(transfer));
    let of_enterprises = ["{departmentName}", "{enrollmentAccountName}"];
    let kind = if path.contains("{customerName}") {
        "mpa"
    } else if operation.id == "RoleAssignments_Put"
        || of_enterprises.iter().any(|part| path.contains(part))
    {
        "ea"
    } else {
        "mca"
    };
    placed(server, kind, path, name)
}

/// A path at an account of a kind; `name` is that of what has no place of its own.
fn placed(server: &Server, kind: &str, path: &str, name: &str) -> String {
    let told = |member: &str| server.told(&format!("accounts.{kind}.{member}"));
    let segment = |segment: &str| match segment {
        "{billingAccountName}" => told("billing_account"),
        "{billingProfileName}" => told("billing_profile"),
        "{invoiceSectionName}" => told("invoice_section"),
        "{customerName}" => told("customer"),
        "{departmentName}" => told("department"),
        "{enrollmentAccountName}" => told("enrollment_account"),
        "{subscriptionId}" | "{billingSubscriptionName}" => told("subscription"),
        "{productName}" => told("product"),
        "{invoiceName}" if name.is_empty() => told("invoice"),
        "{instructionName}" | "{billingRoleAssignmentName}" | "{invoiceName}" => name.to_owned(),
        literal => literal.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// What is never filled, with its reason.
fn listed(version: &str) -> BTreeMap<(String, String), String> {
    let mut listed = BTreeMap::new();
    for line in NEVER_FILLED.lines().skip(1) {
        let cells: Vec<&str> = line.splitn(4, ',').collect();
        let [of, operation, member, reason] = cells.as_slice() else { panic!("{line}") };
        if *of == version {
            let reason = reason.trim_matches('"').to_owned();
            assert!(reason.len() > 10, "{line}: a reason");
            let before = listed.insert(((*operation).to_owned(), (*member).to_owned()), reason);
            assert_eq!(before, None, "{line} stands twice");
        }
    }
    listed
}

/// Why no answer has a member, by definition and member.
fn left_out(version: &str) -> BTreeMap<String, String> {
    let mut left_out = BTreeMap::new();
    for line in LEFT_OUT.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells[2] == "both" || cells[2].contains(version) {
            for member in cells[3].split(',').map(|member| member.trim().replace('`', "")) {
                let name = format!("{}.{member}", cells[1].replace('`', ""));
                left_out.insert(name, cells[4].to_owned());
            }
        }
    }
    left_out
}

/// Holds what was got against the list: what is filled must leave it, what is not needs a reason,
/// and the reason is that of the definition where no answer at all has the member.
fn check_filled(contract: &Contract, got: &Got) {
    let (listed, left_out) = (listed(contract.version), left_out(contract.version));
    let (mut found, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut declared = BTreeSet::new();
    for operation in &contract.operations {
        let Some(answers) = got.by_operation.get(&operation.id) else {
            wrong.push(format!("{} was never answered", operation.id));
            continue;
        };
        let mut unfilled = BTreeMap::new();
        let told = operation.answers.get("200").or(operation.answers.get("201"));
        let schema = told.map_or(&Value::Null, |told| &told["schema"]);
        let answers: Vec<&Value> = answers.iter().collect();
        contract.unfilled((schema, ""), &answers, "", &mut unfilled);
        for (member, name) in unfilled {
            let key = (operation.id.clone(), member);
            match (listed.get(&key), left_out.get(&name)) {
                (None, _) => wrong.push(format!("{key:?} is never filled: a reason is missing")),
                (Some(given), Some(why)) if given != why => {
                    wrong.push(format!("{key:?}: `{given}`, but of {name}: `{why}`"));
                }
                (Some(_), _) => {}
            }
            found.insert(key);
            declared.insert(name);
        }
    }
    let filled = listed.keys().filter(|key| !found.contains(*key));
    wrong.extend(filled.map(|key| format!("{key:?} is filled, and must leave the list")));
    let filled = left_out.keys().filter(|name| !declared.contains(*name));
    wrong.extend(filled.map(|name| format!("{name} is filled, and must leave the table")));
    assert!(wrong.is_empty(), "{}:\n{}", contract.version, wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_strictly_as_described_and_what_is_never_filled_has_a_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::demo(&directory.path().join("data"), None, &SETTINGS);
    for version in [FIRST, SECOND] {
        let Some(contract) = Contract::of(version) else { return };
        let mut got = Got::default();
        write_all(&contract, &server, &mut got).await;
        download_all(&contract, &server, &mut got).await;
        for caller in CALLERS {
            let token = server.told(&format!("clients.{caller}.token"));
            let listed = BTreeMap::new();
            let mut walk = Walk { server: &server, version, token, listed };
            ask_all(&contract, &mut walk, &mut got).await;
        }
        assert!(got.wrong.is_empty(), "{version}:\n{}", got.wrong.join("\n"));
        check_filled(&contract, &got);
    }
    server.stop();
}

#[test]
fn what_is_not_described_is_found() {
    let Some(contract) = Contract::of(SECOND) else { return };
    let validator = contract.validator("InvoiceSection");
    let check = |properties: Value, expected: usize| {
        let section = json!({ "id": "/s", "name": "s", "type": "t", "properties": properties });
        assert_eq!(problems(&validator, &section).len(), expected, "{section}");
    };
    check(json!({ "displayName": "Freight", "state": "Active", "labels": { "a": "b" } }), 0);
    check(json!({ "displayName": 1 }), 1);
    check(json!({ "state": "Lost" }), 1);
    check(json!({ "labels": { "a": 1 } }), 1);
    check(json!({ "cost": "1" }), 1);
    check(Value::Null, 1);
    let validator = contract.validator("Instruction");
    let check = |start: &str, expected: usize| {
        let properties = json!({ "amount": 1, "startDate": start, "endDate": start });
        assert_eq!(problems(&validator, &json!({ "properties": properties })).len(), expected);
    };
    check("2026-01-01T00:00:00Z", 0);
    check("2026-02-30T00:00:00Z", 2);
    check("soon", 2);
}
