//! Changes that name in `If-Match` what they were decided by, or in `If-None-Match` what may not be
//! there: on every resource that shows itself, on whichever node it is changed.

use crate::books::{Books, on_each_store};
use crate::installation::Installation;
use crate::program::Server;
use reqwest::Method;
use serde_json::{Value, json};

const ACCOUNT: &str = "/providers/Microsoft.Billing/billingAccounts/north";
/// The vendor's id of a billing account's reader.
const READER: &str = "50000000-aaaa-bbbb-cccc-100000000002";

const COMPANY: &str = r#"
[[legal_entity]]
id = "reck"
name = "Reckoner Example"
trade = "sells"
country = "US"

[[billing_account]]
id = "north"
name = "North"
currency = "USD"
region = "US"

[[agreement]]
billing_account = "north"
from = 2020-01-01T00:00:00Z
type = "customer agreement"
profile_creation = "allowed"

[[billing_profile]]
billing_account = "north"
id = "ships"
from = 2020-01-01T00:00:00Z
name = "Ships"
currency = "USD"

[[invoice_section]]
billing_account = "north"
id = "freight"
from = 2020-01-01T00:00:00Z
name = "Freight"
billing_profile = "ships"

[[offer]]
id = "metered"
name = "Metered"
has_rate_card = true

[[subscription]]
id = "ferry"
name = "Ferry"
placements = [{ billing_account = "north", profile = "ships", offer = "metered" }]

[[subscription.standings]]
from = 2020-01-01T00:00:00Z

[subscription.standings.place]
billing_account = "north"
level = "invoice section"
id = "freight"

[[role_assignment]]
principal = "boss"
role = "Billing Account Owner"
scope = { billing_account = "north" }

[[role_assignment]]
principal = "guest"
role = "Billing Account Reader"
scope = { billing_account = "north" }
"#;

/// Somebody who may do everything, at a node.
struct Node<'a> {
    server: &'a Server,
    token: String,
}

/// What came back: status, tag, body.
type Told = (u16, String, Value);

impl Node<'_> {
    async fn ask(&self, verb: Method, path: &str, body: Option<&Value>, tag: &str) -> Told {
        let condition = (!tag.is_empty()).then_some(("if-match", tag));
        self.send(verb, path, body, condition).await
    }

    /// Puts what may not be there.
    async fn make(&self, path: &str, body: &Value) -> u16 {
        self.send(Method::PUT, path, Some(body), Some(("if-none-match", "*"))).await.0
    }

    async fn send(
        &self,
        verb: Method,
        path: &str,
        body: Option<&Value>,
        condition: Option<(&str, &str)>,
    ) -> Told {
        let url = format!("{}{path}", self.server.told("base_url"));
        let mut request = self.server.client.request(verb, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some((name, tag)) = condition {
            request = request.header(name, tag);
        }
        let answer = request.send().await.expect("an answer");
        let tag = answer.headers().get("etag").map(|tag| tag.to_str().expect("text").to_owned());
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("text");
        (status, tag.unwrap_or_default(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn tag(&self, path: &str) -> String {
        let (status, tag, body) = self.ask(Method::GET, path, None, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        tag
    }

    /// Waits until a thing is another than the one of a tag.
    async fn changed(&self, path: &str, from: &str) {
        for _ in 0..200 {
            if self.tag(path).await != from {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("{path} stays as it is");
    }
}

/// Two nodes on the same books in PostgreSQL; in SQLite both are one.
async fn with_nodes(books: Books, rule: impl AsyncFnOnce(&Node<'_>, &Node<'_>)) {
    let installation = Installation::new(books, "USD", COMPANY);
    let by_hand = ("RECKONER_CLOSE__BY_SCHEDULE", "false");
    let one = installation.serve(&[by_hand]);
    let directory = tempfile::tempdir().expect("a directory");
    let another = installation.books_url().map(|url| {
        Server::serve(&directory.path().join("data"), &[("RECKONER_STORE", url), by_hand])
    });
    let other = another.as_ref().unwrap_or(&one);
    let first = Node { server: &one, token: installation.token(&one).await };
    let second = Node { server: other, token: installation.token(other).await };
    rule(&first, &second).await;
    drop((first, second));
    if let Some(another) = another {
        another.stop();
    }
    one.stop();
}

fn named(name: &str) -> Value {
    json!({"properties": {"displayName": name}})
}

const V2019: &str = "api-version=2019-10-01-preview";
const V2020: &str = "api-version=2020-05-01";

/// Where, by which verb, one change, another one, and what is answered.
type Case = (String, Method, Option<[Value; 2]>, u16);

fn aside(amount: u32) -> Value {
    json!({"properties": {"amount": amount, "startDate": "2026-07-01T00:00:00Z",
        "endDate": "2026-08-01T00:00:00Z"}})
}

fn instruction() -> String {
    format!("{ACCOUNT}/billingProfiles/ships/instructions/summer?{V2020}")
}

fn cases() -> [Case; 9] {
    let profile = format!("{ACCOUNT}/billingProfiles/ships");
    let section = format!("{profile}/invoiceSections/freight");
    let property = "/subscriptions/ferry/providers/Microsoft.Billing/billingProperty/default";
    let policy = |says: &str| json!({"properties": {"viewCharges": says}});
    let center = |name: &str| json!({"properties": {"costCenter": name}});
    let two_names = |one: &str, other: &str| Some([named(one), named(other)]);
    let policies = Some([policy("Allowed"), policy("NotAllowed")]);
    let centers = Some([center("1010"), center("2020")]);
    let (patch, put) = (Method::PATCH, Method::PUT);
    [
        (format!("{ACCOUNT}?{V2020}"), patch.clone(), two_names("Norden", "Nord"), 202),
        (format!("{profile}?{V2019}"), patch.clone(), two_names("Ferries", "Fleet"), 202),
        (format!("{profile}?{V2020}"), put.clone(), two_names("Barges", "Boats"), 202),
        (format!("{section}?{V2019}"), patch.clone(), two_names("Cargo", "Goods"), 202),
        (format!("{section}?{V2020}"), put.clone(), two_names("Crates", "Boxes"), 202),
        (format!("{profile}/policies/default?{V2019}"), put.clone(), policies, 200),
        (instruction(), put, Some([aside(2), aside(3)]), 200),
        (format!("{property}?{V2020}"), patch, centers, 200),
        (
            format!("{ACCOUNT}/billingRoleAssignments/{READER}_guest?{V2019}"),
            Method::DELETE,
            None,
            200,
        ),
    ]
}

on_each_store!(whatever_shows_itself_is_changed_only_as_it_is_named);
async fn whatever_shows_itself_is_changed_only_as_it_is_named(books: Books) {
    with_nodes(books, async |one: &Node<'_>, other: &Node<'_>| {
        let (status, _, told) = one.ask(Method::PUT, &instruction(), Some(&aside(1)), "").await;
        assert_eq!(status, 200, "{told}");
        for (path, verb, bodies, expected) in cases() {
            let tag = other.tag(&path).await;
            let first = bodies.as_ref().map(|[first, _]| first);
            let second = bodies.as_ref().map(|[_, second]| second);
            let (status, _, told) = one.ask(verb.clone(), &path, first, "\"other\"").await;
            let code = told["error"]["code"].as_str().unwrap_or_default();
            assert_eq!((status, code), (412, "PreconditionFailed"), "{verb} {path}: {told}");
            let (status, _, told) = one.ask(verb.clone(), &path, first, &tag).await;
            assert_eq!(status, expected, "{verb} {path}: {told}");
            if verb == Method::DELETE {
                let (status, ..) = other.ask(verb.clone(), &path, second, &tag).await;
                assert_eq!(status, 404, "{path}");
                continue;
            }
            one.changed(&path, &tag).await;
            // Whether the other node has looked since or not.
            let (status, ..) = other.ask(verb.clone(), &path, second, &tag).await;
            assert_eq!(status, 412, "{verb} {path}");
            let before = one.tag(&path).await;
            let (status, ..) = other.ask(verb, &path, second, "*").await;
            assert_eq!(status, expected, "{path}");
            one.changed(&path, &before).await;
            other.changed(&path, &before).await;
        }
        // What is no change of one thing is held to nothing.
        let add = format!("{ACCOUNT}/createBillingRoleAssignment?{V2019}");
        let body = json!({"principalId": "ann",
            "billingRoleDefinitionId": format!("{ACCOUNT}/billingRoleDefinitions/{READER}")});
        let (status, _, told) = one.ask(Method::POST, &add, Some(&body), "\"other\"").await;
        assert_eq!(status, 201, "{told}");
    })
    .await;
}

on_each_store!(an_accounts_address_is_held_to_tags_that_were_read_with_and_without_it);
async fn an_accounts_address_is_held_to_tags_that_were_read_with_and_without_it(books: Books) {
    with_nodes(books, async |one: &Node<'_>, other: &Node<'_>| {
        let mut pier = 0;
        for (version, member) in [("2019-10-01-preview", "address"), ("2020-05-01", "soldTo")] {
            let path = format!("{ACCOUNT}?api-version={version}");
            let expanded = format!("{path}&$expand={member}");
            let with_more = format!("{expanded},billingProfiles");
            let mut next = || {
                pier += 1;
                json!({"properties": {(member): {"addressLine1": format!("{pier} Pier"),
                    "city": "Seattle", "region": "WA", "postalCode": "98101", "country": "US"}}})
            };
            for form in [&path, &expanded, &with_more] {
                let tag = other.tag(form).await;
                let (status, _, told) = one.ask(Method::PATCH, &path, Some(&next()), "").await;
                assert_eq!(status, 202, "{form}: {told}");
                one.changed(form, &tag).await;
                let own = next();
                let (status, _, told) = other.ask(Method::PATCH, &path, Some(&own), &tag).await;
                assert_eq!(status, 412, "{form}: {told}");
                let tag = other.tag(form).await;
                let (status, _, told) = other.ask(Method::PATCH, &path, Some(&own), &tag).await;
                assert_eq!(status, 202, "{form}: {told}");
                other.changed(form, &tag).await;
                let (_, _, told) = other.ask(Method::GET, &expanded, None, "").await;
                assert_eq!(told["properties"][member], own["properties"][member], "{form}");
            }
        }
    })
    .await;
}

on_each_store!(what_may_not_be_there_is_made_once);
async fn what_may_not_be_there_is_made_once(books: Books) {
    with_nodes(books, async |one: &Node<'_>, other: &Node<'_>| {
        let profile = format!("{ACCOUNT}/billingProfiles/ships");
        let there = format!("{profile}/invoiceSections/freight?{V2020}");
        assert_eq!(one.make(&there, &named("Crates")).await, 412);
        let new = format!("{profile}/invoiceSections/quay?{V2020}");
        assert_eq!(one.make(&new, &named("Quay")).await, 202);
        for _ in 0..200 {
            if one.ask(Method::GET, &new, None, "").await.0 == 200 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert_eq!(other.make(&new, &named("Quays")).await, 412);
        let aside = |amount: u32| {
            json!({"properties": {"amount": amount, "startDate": "2026-07-01T00:00:00Z",
                "endDate": "2026-08-01T00:00:00Z"}})
        };
        for round in 0..10 {
            let path = format!("{profile}/instructions/round-{round}?{V2020}");
            let (first, second) = (aside(1), aside(2));
            let told = tokio::join!(one.make(&path, &first), other.make(&path, &second));
            let mut statuses = [told.0, told.1];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 412], "round {round}");
        }
    })
    .await;
}

on_each_store!(of_changes_at_once_by_one_tag_one_is_made);
async fn of_changes_at_once_by_one_tag_one_is_made(books: Books) {
    with_nodes(books, async |one: &Node<'_>, other: &Node<'_>| {
        let property = "/subscriptions/ferry/providers/Microsoft.Billing/billingProperty/default";
        let path = format!("{property}?api-version=2020-05-01");
        for round in 0..10 {
            // So that this node knows the newest.
            let body = json!({"properties": {"costCenter": format!("{round}")}});
            assert_eq!(one.ask(Method::PATCH, &path, Some(&body), "").await.0, 200);
            let tag = one.tag(&path).await;
            let ask = async |node: &Node<'_>, name: &str| {
                let body = json!({"properties": {"costCenter": format!("{round}-{name}")}});
                node.ask(Method::PATCH, &path, Some(&body), &tag).await.0
            };
            let told = tokio::join!(ask(one, "a"), ask(other, "b"), ask(one, "c"), ask(other, "d"));
            let mut statuses = [told.0, told.1, told.2, told.3];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 412, 412, 412], "round {round}");
        }
    })
    .await;
}
