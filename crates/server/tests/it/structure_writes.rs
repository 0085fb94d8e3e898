//! Changing structure and access over HTTP, in both versions: what is answered at once, what is
//! answered later, and what is refused by which code.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use crate::program::{self, Server};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::time::Duration;

const V2019: &str = "api-version=2019-10-01-preview";
const V2020: &str = "api-version=2020-05-01";
const ACCOUNT: &str = "/providers/Microsoft.Billing/billingAccounts/acme";
/// The vendor's ids of a billing account's owner, and of its reader.
const OWNER: &str = "50000000-aaaa-bbbb-cccc-100000000000";
const READER: &str = "50000000-aaaa-bbbb-cccc-100000000002";

/// A customer agreement with a profile, and a client that may only see the account.
const DECLARED: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[agreement]]
billing_account = "acme"
from = 2020-01-01T00:00:00Z
type = "customer agreement"
profile_creation = "allowed"

[[billing_profile]]
billing_account = "acme"
id = "ships"
from = 2020-01-01T00:00:00Z
name = "Ships"
currency = "USD"

[[client]]
id = "guest"
name = "Guest"
secret_hashes = ["{HASH}"]

[[role_assignment]]
principal = "guest"
role = "Billing Account Reader"
scope = { billing_account = "acme" }
"#;

/// Somebody who asks.
pub(crate) struct Asker<'a> {
    server: &'a Server,
    token: String,
}

/// What came back.
pub(crate) struct Told {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Value,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {}", self.body));
        value.to_str().expect("text")
    }

    /// `409 Conflict`, and what it is about.
    pub(crate) fn refusal(&self) -> String {
        let error = &self.body["error"];
        let code = error["code"].as_str().unwrap_or("-");
        match error["target"].as_str() {
            Some(target) => format!("{} {code} {target}", self.status),
            None => format!("{} {code}", self.status),
        }
    }
}

impl Asker<'_> {
    async fn ask(&self, verb: Method, path: &str, body: Option<Value>, tag: Option<&str>) -> Told {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.server.told("base_url"))
        };
        let mut request = self.server.client.request(verb, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("text");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Told { status, headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Told {
        self.ask(Method::GET, path, None, None).await
    }

    pub(crate) async fn send(&self, verb: Method, path: &str, body: Value) -> Told {
        self.ask(verb, path, Some(body), None).await
    }

    /// What the address of a result answers in the end.
    async fn ended(&self, location: &str) -> Told {
        for _ in 0..100 {
            let told = self.get(location).await;
            if told.status != 202 {
                return told;
            }
            assert_eq!(told.header("retry-after"), "1");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{location} never ends");
    }
}

/// Serves what is declared to the operator, who comes first, and to some of its clients; `{HASH}`
/// stands for the secret that they share.
pub(crate) async fn asking(
    books: Books,
    (declared, clients): (&str, &[&str]),
    rule: impl AsyncFnOnce(&[Asker<'_>]),
) {
    let secret = program::run(&["secret"], &[]);
    let word = |name: &str| {
        let line = secret.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().to_owned()
    };
    let declared = declared.replace("{HASH}", &word("hash"));
    let installation = Installation::new(books, "USD", &declared);
    let server = installation.serve(&[]);
    let base = server.told("base_url");
    let token = installation.token_for(&server, &base).await.expect("a token");
    let mut askers = vec![Asker { server: &server, token }];
    for client in clients {
        let token = installation.token_of(&server, (client, &word("secret")), &base).await;
        askers.push(Asker { server: &server, token: token.expect("a token") });
    }
    rule(&askers).await;
    drop(askers);
    server.stop();
}

async fn with_askers(books: Books, rule: impl AsyncFnOnce(&Asker<'_>, &Asker<'_>)) {
    asking(books, (DECLARED, &["guest"]), async |askers: &[Asker<'_>]| {
        rule(&askers[0], &askers[1]).await;
    })
    .await;
}

on_each_store!(what_takes_its_time_is_accepted_and_told_to_who_asked);
async fn what_takes_its_time_is_accepted_and_told_to_who_asked(books: Books) {
    with_askers(books, async |operator: &Asker<'_>, guest: &Asker<'_>| {
        let piers = format!("{ACCOUNT}/billingProfiles/piers");
        let address = json!({"addressLine1": "1 Pier", "city": "Seattle", "region": "wa",
            "postalCode": "98101", "country": "us"});
        let body = json!({"properties": {"displayName": "Piers", "billTo": address,
            "tags": {"fleet": "baltic"}, "invoiceEmailOptIn": true, "status": "Active"}});
        let told = operator.send(Method::PUT, &format!("{piers}?{V2020}"), body).await;
        assert_eq!((told.status, told.header("retry-after")), (202, "1"));
        assert!(!told.headers.contains_key("azure-asyncoperation"));
        let location = told.header("location").to_owned();
        assert!(location.starts_with("http"), "{location}");
        assert_eq!(guest.get(&location).await.refusal(), "404 NotFound");
        let made = operator.ended(&location).await;
        assert_eq!(made.status, 200, "{}", made.body);
        assert_eq!(made.body["name"], "piers");
        let properties = &made.body["properties"];
        assert_eq!(properties["displayName"], "Piers");
        assert_eq!(properties["billTo"]["region"], "WA");
        assert_eq!(properties["tags"]["fleet"], "baltic");
        assert_eq!(properties["currency"], "USD");
        // Any version, or none.
        let bare = location.split('?').next().expect("an address");
        for query in ["", "?api-version=2018-07-31"] {
            assert_eq!(operator.get(&format!("{bare}{query}")).await.body, made.body);
        }
        // What was read may be sent back, and changes nothing.
        let shown = operator.get(&format!("{piers}?{V2020}")).await;
        let again =
            operator.send(Method::PUT, &format!("{piers}?{V2020}"), shown.body.clone()).await;
        assert_eq!(operator.ended(again.header("location")).await.body, shown.body);
        // The first version, in its own shape.
        let section = format!("{piers}/invoiceSections/freight?{V2019}");
        let told = operator.send(Method::PUT, &section, json!({"displayName": "Freight"})).await;
        let made = operator.ended(told.header("location")).await;
        assert_eq!(made.body["properties"], json!({"displayName": "Freight", "state": "Active"}));
    })
    .await;
}

on_each_store!(an_account_is_updated_and_its_status_tells_when);
async fn an_account_is_updated_and_its_status_tells_when(books: Books) {
    with_askers(books, async |operator: &Asker<'_>, guest: &Asker<'_>| {
        let address = json!({"addressLine1": "2 Pier", "city": "Seattle", "region": "WA",
            "postalCode": "98101", "country": "US"});
        let body = json!({"properties": {"displayName": "Acme Lines", "soldTo": address}});
        let url = format!("{ACCOUNT}?{V2020}");
        let told = operator.send(Method::PATCH, &url, body.clone()).await;
        assert_eq!(told.status, 202, "{}", told.body);
        let status = told.header("azure-asyncoperation").to_owned();
        assert_eq!(guest.get(&status).await.refusal(), "404 NotFound");
        let mut told = operator.get(&status).await;
        while told.body["status"] == "InProgress" {
            tokio::time::sleep(Duration::from_millis(50)).await;
            told = operator.get(&status).await;
        }
        assert_eq!((told.status, told.body["status"].as_str()), (200, Some("Succeeded")));
        let account = operator.get(&format!("{url}&$expand=soldTo")).await;
        assert_eq!(account.body["properties"]["displayName"], "Acme Lines");
        assert_eq!(account.body["properties"]["soldTo"]["addressLine1"], "2 Pier");
        let refused = guest.send(Method::PATCH, &url, body).await;
        assert_eq!(refused.refusal(), "403 AuthorizationFailed");
    })
    .await;
}

on_each_store!(roles_are_given_and_taken_as_the_vendor_spells_them);
async fn roles_are_given_and_taken_as_the_vendor_spells_them(books: Books) {
    with_askers(books, async |operator: &Asker<'_>, guest: &Asker<'_>| {
        let add = format!("{ACCOUNT}/createBillingRoleAssignment?{V2019}");
        let role = |id: &str, to: &str| {
            json!({"principalId": to,
                "billingRoleDefinitionId": format!("{ACCOUNT}/billingRoleDefinitions/{id}")})
        };
        let told = guest.send(Method::POST, &add, role(OWNER, "ann")).await;
        assert_eq!(told.refusal(), "403 AuthorizationFailed");
        let told = operator.send(Method::POST, &add, role(OWNER, "ann")).await;
        assert_eq!(
            (told.status, &told.body["value"][0]["name"]),
            (201, &json!(format!("{OWNER}_ann")))
        );
        let told = operator.send(Method::POST, &add, role(OWNER, "ann")).await;
        assert_eq!(told.refusal(), "409 Conflict");
        let unknown = "40000000-aaaa-bbbb-cccc-100000000000";
        let told = operator.send(Method::POST, &add, role(unknown, "ann")).await;
        assert_eq!(told.refusal(), "400 BadRequest billingRoleDefinitionId");
        let told = operator.send(Method::POST, &add, json!({"principalId": "ann"})).await;
        assert_eq!(told.refusal(), "400 BadRequest billingRoleDefinitionId");
        let remove = async |id: &str, of: &str| {
            let path = format!("{ACCOUNT}/billingRoleAssignments/{id}_{of}?{V2020}");
            operator.ask(Method::DELETE, &path, None, None).await
        };
        assert_eq!(remove(OWNER, "ann").await.refusal(), "409 Conflict", "the last owner");
        let taken = remove(READER, "guest").await;
        assert_eq!(
            (taken.status, &taken.body["properties"]["principalId"]),
            (200, &json!("guest"))
        );
        assert_eq!(remove(READER, "guest").await.refusal(), "404 NotFound");
        // Without a role the account is not there.
        let told = guest.send(Method::POST, &add, role(READER, "guest")).await;
        assert_eq!(told.refusal(), "404 NotFound");
        let put = format!("{ACCOUNT}/billingRoleAssignments/x?{V2019}");
        let told = operator.send(Method::PUT, &put, json!({"properties": {}})).await;
        assert_eq!(told.refusal(), "400 BadRequest", "enterprise agreements only");
    })
    .await;
}

on_each_store!(what_is_sent_is_read_strictly_and_may_name_what_it_was_decided_by);
async fn what_is_sent_is_read_strictly_and_may_name_what_it_was_decided_by(books: Books) {
    with_askers(books, async |operator: &Asker<'_>, _: &Asker<'_>| {
        let ships = format!("{ACCOUNT}/billingProfiles/ships");
        let put = async |path: &str, body: Value, expected: &str| {
            let told = operator.send(Method::PUT, path, body.clone()).await;
            assert_eq!(told.refusal(), expected, "{path} {body}: {}", told.body);
        };
        let profile = format!("{ships}?{V2020}");
        let undeclared = json!({"properties": {"colour": "red"}});
        put(&profile, undeclared, "400 BadRequest properties.colour").await;
        put(&profile, json!({}), "400 BadRequest properties").await;
        let wrong = json!({"properties": {"displayName": 1}});
        put(&profile, wrong, "400 BadRequest properties.displayName").await;
        let address = json!({"addressLine1": "", "city": "Seattle", "region": "WA",
            "postalCode": "98101", "country": "US"});
        let wrong = json!({"properties": {"billTo": address}});
        put(&profile, wrong, "400 BadRequest properties.billTo.addressLine1").await;
        let empty = json!({"properties": {"displayName": ""}});
        put(&profile, empty, "400 BadRequest properties.displayName").await;
        let flat = format!("{ships}?{V2019}");
        put(&flat, json!({"displayName": ""}), "400 BadRequest displayName").await;
        // An array is no object, although it has members in an order.
        put(&flat, json!(["Ships"]), "400 BadRequest body").await;
        put(&profile, json!({"properties": ["Ships"]}), "400 BadRequest properties").await;
        let wrong = json!({"properties": {"billTo": ["1"]}});
        put(&profile, wrong, "400 BadRequest properties.billTo").await;
        let labels = json!({"properties": {"displayName": "Cargo", "labels": {"": "x"}}});
        let section = format!("{ships}/invoiceSections/cargo?{V2020}");
        put(&section, labels, "400 BadRequest properties.labels").await;
        let policies = format!("{ships}/policies/default?{V2020}");
        let wrong = json!({"properties": {"viewCharges": "Perhaps"}});
        put(&policies, wrong, "400 BadRequest properties.viewCharges").await;
        let instruction = format!("{ships}/instructions/summer?{V2019}");
        let wrong = json!({"properties": {"amount": 1, "startDate": "2026-07-01",
            "endDate": "soon"}});
        put(&instruction, wrong, "400 BadRequest properties.endDate").await;
        let wrong = json!({"properties": {"amount": -1, "startDate": "2026-07-01",
            "endDate": "2026-08-01"}});
        put(&instruction, wrong, "400 BadRequest properties.amount").await;
        let right = json!({"properties": {"amount": 10.5, "startDate": "2026-07-01T00:00:00Z",
            "endDate": "2026-08-01T00:00:00Z"}});
        let told = operator.send(Method::PUT, &instruction, right).await;
        assert_eq!(told.body["properties"]["amount"].to_string(), "10.5");
        // A change may name what it was decided by.
        let tag = operator.get(&policies).await.header("etag").to_owned();
        let body = json!({"properties": {"viewCharges": "Allowed"}});
        let ask = async |tag: &str| {
            operator.ask(Method::PUT, &policies, Some(body.clone()), Some(tag)).await
        };
        let told = ask(&tag).await;
        assert_eq!(
            (told.status, told.body["properties"]["viewCharges"].as_str()),
            (200, Some("Allowed"))
        );
        assert_eq!(ask(&tag).await.refusal(), "412 PreconditionFailed");
    })
    .await;
}
