//! What Azure Billing refuses, operation by operation: exact status and code. What holds for every
//! operation stands in the code of each question; what differs for one, in [`EXCEPTIONS`].

use crate::azure_billing_calls::{
    Ask, BODY_MOST_BYTES, FIRST, HEADERS_MOST_BYTES, Operation, SECOND, Scenario, Told,
    URL_MOST_BYTES, World, group, scenarios, served,
};
use crate::azure_billing_conflicts::{CONFLICTS, HAMBURG, has_unprovoked};
use crate::books::{Books, on_each_store};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Roles beside those of the demo: of a reader of the accounts, of one who holds a role below them
/// only, so that it knows that they are there, and of somebody who alone owns places.
const ROLES: &str = r#"
[[role_assignment]]
principal = "<clients.contributor.client_id>"
role = "Billing Account Reader"
scope = { billing_account = "<accounts.mca.billing_account>" }

[[role_assignment]]
principal = "<clients.contributor.client_id>"
role = "Enterprise Administrator (read only)"
scope = { billing_account = "<accounts.ea.billing_account>" }

[[role_assignment]]
principal = "<clients.contributor.client_id>"
role = "Partner Reader"
scope = { billing_account = "<accounts.mpa.billing_account>" }

[[role_assignment]]
principal = "<clients.billing_reader.client_id>"
role = "Approver"
scope = { subscription = "<accounts.mca.subscription>" }

[[role_assignment]]
principal = "<clients.billing_reader.client_id>"
role = "Approver"
scope = { subscription = "<accounts.ea.subscription>" }

[[role_assignment]]
principal = "<clients.billing_reader.client_id>"
role = "Approver"
scope = { subscription = "<accounts.mpa.subscription>" }

[[role_assignment]]
principal = "<clients.billing_reader.client_id>"
role = "Approver"
scope = { product = "<accounts.mca.product>" }

[[role_assignment]]
principal = "<clients.billing_reader.client_id>"
role = "Approver"
scope = { product = "<accounts.mpa.product>" }

[[role_assignment]]
principal = "<clients.contributor.client_id>"
role = "Auditor"
scope = { billing_account = "<accounts.mosp.billing_account>" }

[[role_assignment]]
principal = "<clients.billing_reader.client_id>"
role = "Approver"
scope = { subscription = "<accounts.mosp.subscription>" }

[[role_assignment]]
principal = "dora"
role = "Billing Profile Owner"
[role_assignment.scope.place]
billing_account = "<accounts.mca.billing_account>"
level = "billing profile"
id = "<accounts.mca.billing_profile>"

[[role_assignment]]
principal = "dora"
role = "Invoice Section Owner"
[role_assignment.scope.place]
billing_account = "<accounts.mca.billing_account>"
level = "invoice section"
id = "<accounts.mca.other_invoice_section>"

[[role_assignment]]
principal = "dora"
role = "Department Administrator"
[role_assignment.scope.place]
billing_account = "<accounts.ea.billing_account>"
level = "department"
id = "<accounts.ea.department>"
"#;
/// The clients with these roles, and the one that has none.
const READER: &str = "contributor";
const PASSER_BY: &str = "billing_reader";
const NOBODY: &str = "nobody";

/// They read, though by POST.
const READING_BY_POST: [&str; 14] = [
    "Address_Validate",
    LISTED_BY_POST,
    "BillingSubscriptions_ValidateMove",
    "BillingSubscriptions_ValidateTransfer",
    "Invoices_DownloadBillingSubscriptionInvoice",
    "Invoices_DownloadInvoice",
    "Invoices_DownloadMultipleBillingProfileInvoices",
    "Invoices_DownloadMultipleBillingSubscriptionInvoices",
    "Invoices_DownloadMultipleEAInvoices",
    "PriceSheet_Download",
    "PriceSheet_DownloadByBillingProfile",
    "Products_ValidateMove",
    "Products_ValidateTransfer",
    "RecipientTransfers_Validate",
];
/// Where a link to a document is got, which needs no token.
const LINKED: [&str; 2] =
    ["Invoices_DownloadBillingSubscriptionInvoice", "Invoices_DownloadInvoice"];
/// The list whose first page is got by POST.
const LISTED_BY_POST: &str = "BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission";

/// Reads that need more than to know that something is there: groups, or operations.
const NOT_FOR_PASSERS_BY: [&str; 18] = [
    "Agreements",
    "AvailableBalances",
    "BillingProfiles_GetEligibilityToDetachPaymentMethod",
    "BillingProperty",
    "BillingRoleAssignments",
    "BillingSubscriptions_Get",
    "BillingSubscriptions_GetByCustomer",
    "Instructions",
    "Invoices",
    "PartnerTransfers",
    "PaymentMethods",
    "Policies_GetByBillingProfile",
    "Policies_GetByCustomer",
    "PriceSheet",
    "Products_Get",
    "Products_GetByCustomer",
    "Transactions",
    "Transfers",
];

/// The last name of an address, where a PUT makes what is missing.
const MADE: [(&str, &str); 8] = [
    ("BillingProfiles_Create", "billingProfileName"),
    ("BillingProfiles_CreateOrUpdate", "billingProfileName"),
    ("InvoiceSections_Create", "invoiceSectionName"),
    ("InvoiceSections_CreateOrUpdate", "invoiceSectionName"),
    ("Instructions_Put", "instructionName"),
    ("RoleAssignments_Put", "billingRoleAssignmentName"),
    ("EnrollmentDepartmentRoleAssignments_Put", "billingRoleAssignmentName"),
    ("EnrollmentAccountRoleAssignments_Put", "billingRoleAssignmentName"),
];

/// Question, operation (of one version if that is named), answer: where one operation answers
/// otherwise than all others.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    // Those that declare no version.
    ("no version", "InvoiceSections_ElevateToBillingProfile", "204"),
    ("no version", "PartnerTransfers_Cancel", "409 Conflict"),
    ("no version", "PartnerTransfers_Get", "200"),
    ("no version", "PartnerTransfers_Initiate", "200"),
    ("no version", "PartnerTransfers_List", "200"),
    ("no version", "RecipientTransfers_Accept", "409 Conflict"),
    ("no version", "RecipientTransfers_Decline", "409 Conflict"),
    ("no version", "RecipientTransfers_Get", "200"),
    ("no version", "RecipientTransfers_List", "200"),
    ("no version", "RecipientTransfers_Validate", "200"),
    ("no version", "Transfers_Cancel", "409 Conflict"),
    ("no version", "Transfers_Get", "200"),
    ("no version", "Transfers_Initiate", "200"),
    ("no version", "Transfers_List", "200"),
    // Who may not ask for transfers sees none of those that others asked for.
    ("by a reader", "PartnerTransfers_Get", "403 AuthorizationFailed"),
    ("by a reader", "PartnerTransfers_List", "403 AuthorizationFailed"),
    ("by a reader", "Transfers_Get", "403 AuthorizationFailed"),
    ("by a reader", "Transfers_List", "403 AuthorizationFailed"),
    // What somebody else received is not there.
    ("by a reader", "RecipientTransfers_Accept", "404 NotFound"),
    ("by a reader", "RecipientTransfers_Decline", "404 NotFound"),
    ("by a reader", "RecipientTransfers_Get", "404 NotFound"),
    ("by a reader", "RecipientTransfers_Validate", "404 NotFound"),
    ("by a passer-by", "RecipientTransfers_Accept", "404 NotFound"),
    ("by a passer-by", "RecipientTransfers_Decline", "404 NotFound"),
    ("by a passer-by", "RecipientTransfers_Get", "404 NotFound"),
    ("by a passer-by", "RecipientTransfers_Validate", "404 NotFound"),
    ("no version", "BillingSubscriptions_Transfer", "202"),
    ("no version", "BillingSubscriptions_ValidateTransfer", "200"),
    ("no version", "Products_ValidateTransfer", "200"),
    // Who may only see moves nothing, and is told so in the words of moves.
    ("by a reader", "BillingSubscriptions_Move", "403 InsufficientPermissionOnSource"),
    ("by a reader", "BillingSubscriptions_Transfer", "403 InsufficientPermissionOnSource"),
    ("by a reader", "Products_Move", "403 InsufficientPermissionOnSource"),
    ("by a reader", "Products_Transfer", "403 InsufficientPermissionOnSource"),
    // The passer-by knows of the subscription and not of its section, and reads neither.
    (PASSING_BY, "BillingSubscriptions_Move", "403 InsufficientPermissionOnSource"),
    (PASSING_BY, "BillingSubscriptions_Transfer", "404 NotFound"),
    (PASSING_BY, "BillingSubscriptions_ValidateMove", "403 AuthorizationFailed"),
    (PASSING_BY, "BillingSubscriptions_ValidateTransfer", "403 AuthorizationFailed"),
    (PASSING_BY, "Products_ValidateMove", "403 AuthorizationFailed"),
    (PASSING_BY, "Products_ValidateTransfer", "403 AuthorizationFailed"),
    // Who holds roles at a whole enrollment is not shown, so that nothing has a tag.
    ("another tag", "RoleAssignments_Put", "400 BadRequest"),
    // Nothing that the passer-by knows of is paid there, or stands there any more: the question
    // without a version has moved it.
    (PASSING_BY, "2020-05-01 Reservations_ListByBillingProfile", "404 NotFound"),
    (PASSING_BY, "2019-10-01-preview InvoiceSections_Update", "404 NotFound"),
    // Its address names no account that a caller might know of.
    ("by a passer-by", "2020-05-01 Invoices_GetById", "404 NotFound"),
];

const PASSING_BY: &str = "by a passer-by";

/// Who asks too often: that has a test of its own.
const TOO_OFTEN: u16 = 429;

/// Members whose own members are the caller's to name.
const MAPS: [&str; 2] = ["tags", "labels"];

/// A scenario with its right question.
struct Case {
    scenario: Scenario,
    operation: Operation,
    ask: Ask,
}

impl Case {
    fn is_of_account(&self) -> bool {
        self.ask.names.contains_key("billingAccountName")
    }

    fn reads(&self) -> bool {
        self.operation.verb == Method::GET || READING_BY_POST.contains(&self.operation.id)
    }
}

/// Asks wrong questions, and keeps what is not answered as it must be.
struct Matrix {
    world: World,
    /// Statuses that were answered, by the scenario's name.
    seen: BTreeMap<String, BTreeSet<u16>>,
    wrong: Vec<String>,
}

impl Matrix {
    /// Asks, and holds the answer to what all operations answer, or this one.
    async fn check(&mut self, case: &Case, what: &str, ask: Ask, expected: &str) -> Told {
        let id = case.operation.id;
        let name = case.scenario.name();
        let is_own = |one: &str| one == id || one == name;
        let exception = EXCEPTIONS.iter().find(|(of, one, _)| *of == what && is_own(one));
        let expected = exception.map_or(expected, |(_, _, own)| *own);
        let told = self.world.send(&ask).await;
        if told.status == 202 {
            // What is asked next must not depend on how far it is.
            self.world.ended(&told).await;
        }
        if told.line() != expected {
            let (line, text) = (told.line(), &told.text);
            self.wrong.push(format!("{name}, {what}: {line}, not {expected}: {text:.300}"));
        }
        // Another verb is none of this operation's.
        if told.status != 405 {
            if !case.scenario.statuses.contains(&told.status) {
                self.wrong.push(format!("{name}, {what}: {} is not in its list", told.status));
            }
            self.seen.entry(name).or_default().insert(told.status);
        }
        told
    }

    /// As [`Matrix::check`] of a wrong body: the refusal names the member.
    async fn check_body(&mut self, case: &Case, what: &str, body: String, member: &str) {
        self.check_target(case, what, case.ask.clone().sending(body), member).await;
    }

    /// As [`Matrix::check`] of what is refused for a member, or a name in the address.
    async fn check_target(&mut self, case: &Case, what: &str, ask: Ask, member: &str) {
        let told = self.check(case, what, ask, "400 BadRequest").await;
        if told.status == 400 && told.body["error"]["target"] != member {
            let name = case.scenario.name();
            self.wrong.push(format!("{name}, {what}: not of `{member}`: {:.300}", told.text));
        }
    }

    async fn signing_in(&mut self, case: &Case) {
        for who in ["", "wrong audience", "expired"] {
            let what = format!("signed in by `{who}`");
            let ask = case.ask.clone().by(who);
            let told = self.check(case, &what, ask, "401 AuthenticationFailed").await;
            if told.header("www-authenticate") != "Bearer" {
                self.wrong.push(format!("{}, {what}: no challenge", case.scenario.name()));
            }
        }
    }

    async fn versions(&mut self, case: &Case) {
        let ask = case.ask.clone().without("api-version");
        self.check(case, "no version", ask, "400 MissingApiVersionParameter").await;
        let ask = case.ask.clone().asking("api-version", "2001-01-01");
        self.check(case, "no such version", ask, "400 InvalidApiVersionParameter").await;
        let other = if case.operation.version == FIRST { SECOND } else { FIRST };
        if !has(other, &case.operation) {
            let ask = case.ask.clone().asking("api-version", other);
            let expected = "404 InvalidResourceType";
            let told = self.check(case, "a version without it", ask, expected).await;
            if !told.text.contains(case.operation.version) {
                self.wrong.push(format!("{}: not named: {}", case.scenario.name(), told.text));
            }
        }
    }

    async fn verbs(&mut self, case: &Case) {
        let own = verbs(case.operation.path);
        let all = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let Some(other) = all.into_iter().find(|verb| !own.contains(verb.as_str())) else {
            return;
        };
        let ask = case.ask.clone().with(other);
        let told = self.check(case, "another verb", ask, "405 MethodNotAllowed").await;
        let allowed: BTreeSet<&str> = told.header("allow").split(',').map(str::trim).collect();
        if allowed != own {
            self.wrong.push(format!("{}: Allow: {allowed:?}", case.scenario.name()));
        }
    }

    /// What is foreign is missing, in the same words; without a role all is foreign.
    async fn foreign(&mut self, case: &Case) {
        let (parameter, foreign, expected) = if case.is_of_account() {
            ("billingAccountName", "accounts.foreign.billing_account", "404 NotFound")
        } else if case.ask.names.contains_key("subscriptionId") {
            ("subscriptionId", "subscriptions.foreign", "404 SubscriptionNotFound")
        } else {
            return;
        };
        let foreign = self.world.server.told(foreign);
        let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
        let missing: String = foreign.chars().map(digits).collect();
        let mut answers = Vec::new();
        for name in [foreign, missing] {
            let ask = case.ask.clone().named(parameter, &name);
            let told = self.check(case, "of a foreign account", ask, expected).await;
            answers.push(but_for(&name, &told));
        }
        if answers[0] != answers[1] {
            self.wrong.push(format!("{} tells apart: {answers:?}", case.scenario.name()));
        }
        let ask = case.ask.clone().by(NOBODY);
        self.check(case, "without a role", ask, expected).await;
    }

    /// Who may only see changes nothing, and sees what it may.
    async fn readers(&mut self, case: &Case) {
        let (answers, refused) = (case.scenario.answers.to_string(), "403 AuthorizationFailed");
        let (answers, id) = (answers.as_str(), case.operation.id);
        let is_hidden = NOT_FOR_PASSERS_BY.contains(&group(id)) || NOT_FOR_PASSERS_BY.contains(&id);
        let of_reader = if case.reads() { answers } else { refused };
        let of_passer_by = if case.reads() && !is_hidden { answers } else { refused };
        self.check(case, "by a reader", case.ask.clone().by(READER), of_reader).await;
        self.check(case, PASSING_BY, case.ask.clone().by(PASSER_BY), of_passer_by).await;
    }

    /// The same at an account of the kind that has no places.
    async fn readers_of_online_services(&mut self, case: &Case) {
        if !["BillingAccounts_Get", "BillingAccounts_Update"].contains(&case.operation.id) {
            return;
        }
        let account = self.world.server.told("accounts.mosp.billing_account");
        let ask = case.ask.clone().named("billingAccountName", &account);
        let (scenario, operation) = (case.scenario.clone(), case.operation.clone());
        self.readers(&Case { scenario, operation, ask }).await;
    }

    /// Names under which a PUT makes nothing; a role has its own, whatever the address says.
    async fn new_names(&mut self, case: &Case, parameter: &str) {
        let long = "x".repeat(300);
        for name in ["%00", "%20", long.as_str()] {
            let ask = case.ask.clone().named(parameter, name);
            let what = format!("a new {parameter} `{name:.10}`");
            if parameter == "billingRoleAssignmentName" {
                let answers = case.scenario.answers.to_string();
                self.check(case, &what, ask, &answers).await;
            } else if (parameter, name) != ("instructionName", "%20") {
                self.check_target(case, &what, ask, parameter).await;
            }
        }
    }

    /// Names below the account that nobody has, that are none at all, and that lie elsewhere.
    async fn names(&mut self, case: &Case) {
        let names: Vec<String> = case.ask.names.keys().cloned().collect();
        for parameter in names.iter().map(String::as_str) {
            let is_top = ["billingAccountName", "subscriptionId"].contains(&parameter);
            if is_top {
                continue;
            }
            if MADE.contains(&(case.operation.id, parameter)) {
                self.new_names(case, parameter).await;
                continue;
            }
            let long = "x".repeat(300);
            for name in ["nothing-here", long.as_str(), "%20", "%00"] {
                let what = format!("no such {parameter}");
                self.check(case, &what, case.ask.clone().named(parameter, name), "404 NotFound")
                    .await;
            }
            if parameter == "billingRoleAssignmentName" {
                let own = &case.ask.names[parameter];
                let (role, _) = own.split_once('_').expect("role and principal");
                let ask = case.ask.clone().named(parameter, &format!("{role}_stranger"));
                self.check(case, "a role that is not given", ask, "404 NotFound").await;
            }
            if parameter == "invoiceSectionName" {
                let other = self.world.server.told("accounts.mca.other_billing_profile");
                let ask = case.ask.clone().named("billingProfileName", &other);
                self.check(case, "below another profile", ask, "404 NotFound").await;
            }
        }
    }

    /// Tags that the caller knows, or does not. A POST is about no one thing.
    async fn tags(&mut self, case: &Case) {
        if case.operation.verb == Method::GET {
            let answers = case.scenario.answers.to_string();
            let told = self.check(case, "rightly", case.ask.clone(), &answers).await;
            let ask = case.ask.clone().saying("if-none-match", told.header("etag"));
            self.check(case, "the same tag", ask, "304").await;
        } else if case.operation.verb != Method::POST {
            let ask = case.ask.clone().saying("if-match", "\"another\"");
            self.check(case, "another tag", ask, "412 PreconditionFailed").await;
        }
    }

    async fn sizes(&mut self, case: &Case) {
        let ask = case.ask.clone().asking("x", &"x".repeat(URL_MOST_BYTES));
        self.check(case, "too long", ask, "414 RequestUriTooLong").await;
        let ask = case.ask.clone().saying("x-x", &"x".repeat(HEADERS_MOST_BYTES));
        self.check(case, "too much of a head", ask, "431 RequestHeadersTooLarge").await;
    }

    async fn parameters(&mut self, case: &Case) {
        for parameter in case.scenario.query.keys() {
            let ask = case.ask.clone().asking(parameter, "nothing");
            self.check(case, parameter, ask, "400 BadRequest").await;
        }
    }

    async fn bodies(&mut self, case: &Case) {
        let Some(text) = &case.ask.body else { return };
        let with = |body: &str| case.ask.clone().sending(body);
        for wrong in ["{", "{\"a\":}", "nothing", ""] {
            self.check(case, "malformed", with(wrong), "400 BadRequest").await;
        }
        for wrong in ["[]", "1", "\"x\"", "null", "true"] {
            self.check_body(case, "no object", wrong.to_owned(), "body").await;
        }
        let large = format!("{text}{}", " ".repeat(BODY_MOST_BYTES));
        self.check(case, "too large", with(&large), "413 RequestEntityTooLarge").await;
        let expected = "415 UnsupportedMediaType";
        for kind in ["text/plain", "application/x-www-form-urlencoded"] {
            let ask = case.ask.clone().saying("content-type", kind);
            self.check(case, "no JSON", ask, expected).await;
        }
        let ask = case.ask.clone().saying("content-encoding", "br");
        self.check(case, "packed in a way that is unknown", ask, expected).await;
        let body: Value = serde_json::from_str(text).expect("JSON");
        if let Value::Array(items) = &body {
            return self.items(case, items).await;
        }
        let mut wrong = Vec::new();
        spoil(&body, &mut Vec::new(), &mut wrong);
        assert!(!wrong.is_empty(), "{}", case.scenario.name());
        for (path, with) in wrong {
            let mut body = body.clone();
            let (last, above) = path.split_last().expect("a member");
            let mut place = &mut body;
            for member in above {
                place = &mut place[member.as_str()];
            }
            place[last.as_str()] = with.clone();
            let member = path.join(".");
            let what = format!("{member} is {with}");
            self.check_body(case, &what, body.to_string(), &member).await;
        }
    }

    /// What an item of a list cannot be, and more of them than there may be.
    async fn items(&mut self, case: &Case, items: &[Value]) {
        let unknown = "https://reckoner.example/invoices/x/download?downloadToken=x";
        for with in [json!(1), json!([]), json!(null), json!("nothing"), json!(unknown)] {
            let (what, body) = (format!("the second is {with}"), json!([items[0], with]));
            self.check_body(case, &what, body.to_string(), "[1]").await;
        }
        self.check_body(case, "too many", json!(vec!["x"; 101]).to_string(), "body").await;
    }

    async fn conflicts(&mut self, case: &Case) {
        let Scenario { version, operation, .. } = &case.scenario;
        let own = CONFLICTS.iter().filter(|(of, id, ..)| of == version && id == operation);
        for (_, _, names, body) in own {
            let mut ask = case.ask.clone();
            for (parameter, name) in *names {
                ask = ask.named(parameter, &self.world.filled(&case.scenario, name).await);
            }
            if !body.is_empty() {
                let body = body.replace("HAMBURG", HAMBURG);
                ask = ask.sending(self.world.filled(&case.scenario, &body).await);
            }
            self.check(case, "against what is there", ask, "409 Conflict").await;
        }
    }
}

/// Each member of a body with what it cannot be, and a member that nobody declares in each object.
fn spoil(value: &Value, path: &mut Vec<String>, wrong: &mut Vec<(Vec<String>, Value)>) {
    let is_map = path.last().is_some_and(|member| MAPS.contains(&member.as_str()));
    if let Value::Object(members) = value
        && !is_map
    {
        wrong.push(([path.as_slice(), &["noSuchMember".to_owned()]].concat(), json!(1)));
        for (member, value) in members {
            path.push(member.clone());
            spoil(value, path, wrong);
            path.pop();
        }
    }
    if path.is_empty() {
        return;
    }
    let others = match value {
        Value::Object(_) => [json!([]), json!("x")],
        Value::Number(_) => [json!(true), json!({})],
        _ => [json!(1), json!([])],
    };
    wrong.extend(others.into_iter().map(|other| (path.clone(), other)));
    if let Value::Object(members) = value
        && is_map
    {
        for member in members.keys() {
            wrong.push(([path.as_slice(), std::slice::from_ref(member)].concat(), json!(1)));
        }
    }
}

/// An answer without its ids and counts, and without the name that was asked for.
fn but_for(name: &str, told: &Told) -> (u16, String, BTreeMap<String, String>) {
    let is_its_own = |header: &str| {
        header.ends_with("request-id") || header == "date" || header.contains("ratelimit")
    };
    let headers = told.headers.iter().filter(|(header, _)| !is_its_own(header.as_str()));
    let headers = headers.map(|(header, value)| {
        (header.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    (told.status, told.text.replace(name, "…"), headers.collect())
}

/// A path without the names of its parameters.
fn place(path: &str) -> String {
    let segments = path.split('/');
    let unnamed = segments.map(|part| if part.starts_with('{') { "{}" } else { part });
    unnamed.collect::<Vec<_>>().join("/")
}

/// All verbs of a path, in every version; what is got is headed too, and so are further pages of
/// what is listed by POST, and what is linked to where it is downloaded.
fn verbs(path: &str) -> BTreeSet<&'static str> {
    let own = served().into_iter().filter(|one| place(one.path) == place(path));
    let own = own.flat_map(|one| match one.verb {
        Method::GET => vec!["GET", "HEAD"],
        Method::PUT => vec!["PUT"],
        Method::PATCH => vec!["PATCH"],
        Method::POST if one.id == LISTED_BY_POST || LINKED.contains(&one.id) => {
            vec!["POST", "GET", "HEAD"]
        }
        Method::POST => vec!["POST"],
        Method::DELETE => vec!["DELETE"],
        verb => panic!("{verb}"),
    });
    own.collect()
}

/// Whether a version has this verb on this path.
fn has(version: &str, operation: &Operation) -> bool {
    served().iter().any(|one| {
        let is_same = place(one.path) == place(operation.path);
        one.version == version && one.verb == operation.verb && is_same
    })
}

/// Declares the roles beside those of the demo.
async fn declare(world: &World, scenario: &Scenario) {
    let text = world.filled(scenario, ROLES).await;
    let files = json!({ "files": [{ "name": "roles.toml", "text": text }] });
    let url = format!("{}/company/apply", world.server.told("admin.url"));
    let token = world.server.told("clients.operator.token");
    let request = world.server.client.post(url).bearer_auth(token).json(&files);
    let answer = request.send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    assert_eq!(status, 200, "{text}");
}

on_each_store!(each_wrong_question_of_each_operation_has_its_own_answer);
async fn each_wrong_question_of_each_operation_has_its_own_answer(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let world = World::new(directory.path(), schema.as_ref());
    let scenarios = scenarios();
    declare(&world, &scenarios[0]).await;
    let (seen, mut wrong) = (BTreeMap::new(), Vec::new());
    // What PUTs make is there from here on.
    for scenario in &scenarios {
        wrong.extend(world.run(scenario).await);
    }
    let mut matrix = Matrix { world, seen, wrong };
    for scenario in &scenarios {
        matrix.world.prepare(scenario).await;
        let ask = matrix.world.ask(scenario).await;
        let case = Case { scenario: scenario.clone(), operation: scenario.of(), ask };
        matrix.seen.entry(scenario.name()).or_default().insert(scenario.answers);
        matrix.signing_in(&case).await;
        matrix.versions(&case).await;
        matrix.verbs(&case).await;
        matrix.foreign(&case).await;
        matrix.readers(&case).await;
        matrix.readers_of_online_services(&case).await;
        matrix.names(&case).await;
        matrix.tags(&case).await;
        matrix.sizes(&case).await;
        matrix.parameters(&case).await;
        matrix.bodies(&case).await;
        matrix.conflicts(&case).await;
    }
    let Matrix { world, seen, mut wrong } = matrix;
    for scenario in &scenarios {
        let listed = scenario.statuses.iter().copied();
        let is_unprovoked = has_unprovoked(scenario);
        let provoked = listed.filter(|status| match *status {
            409 => !is_unprovoked,
            status => status != TOO_OFTEN,
        });
        let never: Vec<u16> =
            provoked.filter(|status| !seen[&scenario.name()].contains(status)).collect();
        if !never.is_empty() {
            wrong.push(format!("{}: lists {never:?}, which it never answers", scenario.name()));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    world.server.stop();
}
