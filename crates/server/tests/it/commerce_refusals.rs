//! What the Azure Commerce surface refuses: exact status and body, a request id on every answer.

use crate::books::{Books, Schema, on_each_store};
use crate::program::{Server, now};
use identity::{Issuer, TokenRequest};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use store::{Store, StorePlace};

/// Who asks, what for (`{…}` see [`Asker::fill`]), and the answer: status, code, message.
type Fact = (&'static str, &'static str, &'static str);

const SIGNING_IN: &[Fact] = &[
    ("", "{usage}{days}", "401 AuthenticationFailed not signed in: no credential was sent"),
    ("", "{card}{filter}", "401 AuthenticationFailed not signed in: no credential was sent"),
    ("bad", "{usage}{days}", "401 AuthenticationFailed not signed in: the credential is malformed"),
    (
        "forged",
        "{usage}{days}",
        "401 AuthenticationFailed not signed in: the token's signature does not hold",
    ),
    (
        "wrong audience",
        "{usage}{days}",
        "401 AuthenticationFailed not signed in: the token is for another audience",
    ),
    (
        "wrong tenant",
        "{usage}{days}",
        "401 AuthenticationFailed not signed in: the token is of an unknown issuer",
    ),
    (
        "expired",
        "{usage}{days}",
        "401 AuthenticationFailed not signed in: the credential is expired",
    ),
    (
        "expired",
        "{card}{filter}",
        "401 AuthenticationFailed not signed in: the credential is expired",
    ),
    ("reader", "{usage}{days}", "200"),
    ("reader", "{card}{filter}", "200"),
];

const ROLES: &[Fact] = &[
    // Foreign, missing and unseen look the same.
    ("nobody", "{usage}{days}", "404 SubscriptionNotFound subscription `{own}` does not exist"),
    ("nobody", "{card}{filter}", "404 SubscriptionNotFound subscription `{own}` does not exist"),
    (
        "owner",
        "{foreign usage}{days}",
        "404 SubscriptionNotFound subscription `{foreign}` does not exist",
    ),
    (
        "owner",
        "{foreign card}{filter}",
        "404 SubscriptionNotFound subscription `{foreign}` does not exist",
    ),
    (
        "owner",
        "{missing usage}{days}",
        "404 SubscriptionNotFound subscription `{missing}` does not exist",
    ),
    ("billing_reader", "{usage}{days}", "200"),
    (
        "billing_reader",
        "{card}{filter}",
        "403 AuthorizationFailed ratecard:read is not allowed here",
    ),
];

const TIMES: &[Fact] = &[
    ("reader", "{usage}{to}", "400 BadRequest reportedStartTime: must be given"),
    ("reader", "{usage}{from}", "400 BadRequest reportedEndTime: must be given"),
    ("reader", "{usage}", "400 BadRequest reportedStartTime: must be given"),
    ("reader", "{usage}&reportedStartTime={to}", "400 BadRequest reportedStartTime: must be given"),
    ("reader", "{usage}{from}{days}", "400 BadRequest reportedStartTime: must be given once"),
    (
        "reader",
        "{usage}{from}&reportedEndTime=soon",
        "400 BadRequest reportedEndTime: `soon` is not a time such as 2026-03-01T00:00:00Z",
    ),
    (
        "reader",
        "{usage}&reportedStartTime=2026-08-01T01:00:00Z{to}",
        "400 BadRequest reportedStartTime: must be midnight UTC for daily granularity",
    ),
    (
        "reader",
        "{usage}{from}&reportedEndTime=2026-08-02T00:00:00%2B02:00",
        "400 BadRequest reportedEndTime: must be midnight UTC for daily granularity",
    ),
    (
        "reader",
        "{usage}{from}&reportedEndTime=2026-08-02T00:30:00Z&aggregationGranularity=Hourly",
        "400 BadRequest reportedEndTime: must be a whole UTC hour for hourly granularity",
    ),
    (
        "reader",
        "{usage}&reportedStartTime=2026-08-02&reportedEndTime=2026-08-01",
        "400 BadRequest reportedEndTime: must lie after reportedStartTime",
    ),
    (
        "reader",
        "{usage}&reportedStartTime=2026-08-02&reportedEndTime=2026-08-02",
        "400 BadRequest reportedEndTime: must lie after reportedStartTime",
    ),
    (
        "reader",
        "{usage}{from}&reportedEndTime=2026-11-19",
        "400 BadRequest reportedEndTime: must not lie in the future",
    ),
    (
        "reader",
        "{usage}{from}&reportedEndTime=2026-11-18",
        "202 ProcessingNotCompleted usage up to 2026-11-18T00:00:00Z is still being processed; \
         try again later",
    ),
];

const WORDS: &[Fact] = &[
    (
        "reader",
        "{usage}{days}&aggregationGranularity=Weekly",
        "400 BadRequest aggregationGranularity: `Weekly` is neither Daily nor Hourly",
    ),
    (
        "reader",
        "{usage}{days}&showDetails=perhaps",
        "400 BadRequest showDetails: `perhaps` is neither true nor false",
    ),
    ("reader", "{usage}{days}&continuationToken=made-up", "400 BadRequest {not a token}"),
    (
        "reader",
        "{usage}{days}&continuationToken=0123456789abcdef0123456789abcdef.1",
        "400 BadRequest {not a token}",
    ),
    ("reader", "{usage}{days}&continuationToken=..%2F..%2Fbooks", "400 BadRequest {not a token}"),
    // Tokens are good for the same question of the same caller only.
    (
        "reader",
        "{usage}{days}&showDetails=false&continuationToken={token}",
        "400 BadRequest {not a token}",
    ),
    ("owner", "{usage}{days}&continuationToken={token}", "400 BadRequest {not a token}"),
    ("reader", "{usage}{days}&continuationToken={token}", "200"),
];

const FILTERS: &[Fact] = &[
    ("reader", "{card}", "400 BadRequest $filter: must be given"),
    ("reader", "{card}&$filter=", "400 BadRequest $filter: must be given"),
    ("reader", "{card}{filter}{filter}", "400 BadRequest $filter: must be given once"),
    (
        "reader",
        "{card}&$filter={currency} and {locale} and {region}",
        "400 BadRequest $filter: needs `OfferDurableId eq '…'`",
    ),
    (
        "reader",
        "{card}&$filter={offer} and {locale} and {region}",
        "400 BadRequest $filter: needs `Currency eq '…'`",
    ),
    (
        "reader",
        "{card}&$filter={offer} and {currency} and {region}",
        "400 BadRequest $filter: needs `Locale eq '…'`",
    ),
    (
        "reader",
        "{card}&$filter={offer} and {currency} and {locale}",
        "400 BadRequest $filter: needs `RegionInfo eq '…'`",
    ),
    (
        "reader",
        "{card}{filter} and {offer}",
        "400 BadRequest $filter: names `OfferDurableId` twice",
    ),
    ("reader", "{card}{filter} and {currency}", "400 BadRequest $filter: names `Currency` twice"),
    ("reader", "{card}{filter} and {locale}", "400 BadRequest $filter: names `Locale` twice"),
    ("reader", "{card}{filter} and {region}", "400 BadRequest $filter: names `RegionInfo` twice"),
    ("reader", "{card}{filter} and Region eq 'US'", "400 BadRequest $filter: knows no `Region`"),
    (
        "reader",
        "{card}&$filter=OfferDurableId ne 'MS-AZR-0003P'",
        "400 BadRequest $filter: at character 16: `eq` is expected",
    ),
    (
        "reader",
        "{card}&$filter=OfferDurableId gt 'MS-AZR-0003P'",
        "400 BadRequest $filter: at character 16: `eq` is expected",
    ),
    (
        "reader",
        "{card}&$filter={currency} or {locale}",
        "400 BadRequest $filter: at character 19: `and` is expected",
    ),
    (
        "reader",
        "{card}&$filter=not ({currency})",
        "400 BadRequest $filter: at character 5: `eq` is expected",
    ),
    (
        "reader",
        "{card}&$filter=Currency eq USD",
        "400 BadRequest $filter: at character 13: a value in single quotes is expected",
    ),
    (
        "reader",
        "{card}&$filter=Currency eq 'USD",
        "400 BadRequest $filter: at character 17: a closing quote is expected",
    ),
];

const COMBINATIONS: &[Fact] = &[
    (
        "reader",
        "{card}&$filter={offer} and Currency eq 'EUR' and {locale} and {region}",
        "400 BadRequest $filter: offer `MS-AZR-0003P` was never sold in EUR, en-US, US",
    ),
    (
        "reader",
        "{card}&$filter={offer} and Currency eq 'shells' and {locale} and {region}",
        "400 BadRequest $filter: offer `MS-AZR-0003P` was never sold in shells, en-US, US",
    ),
    (
        "reader",
        "{card}&$filter={offer} and {currency} and Locale eq 'xx-XX' and {region}",
        "400 BadRequest $filter: offer `MS-AZR-0003P` was never sold in USD, xx-XX, US",
    ),
    (
        "reader",
        "{card}&$filter={offer} and {currency} and {locale} and RegionInfo eq 'JP'",
        "400 BadRequest $filter: offer `MS-AZR-0003P` was never sold in USD, en-US, JP",
    ),
    (
        "reader",
        "{card}&$filter=OfferDurableId eq 'MS-AZR-9999P' and {currency} and {locale} and {region}",
        "400 BadRequest $filter: offer `MS-AZR-9999P` was never sold in USD, en-US, US",
    ),
    (
        "reader",
        "{card}&$filter=OfferDurableId eq 'MS-AZR-0017P' and {currency} and {locale} and {region}",
        "400 BadRequest OfferDurableId: offer `MS-AZR-0017P` has no rate card; its prices are on \
         its price sheet",
    ),
];

const VERSIONS: &[Fact] = &[
    (
        "reader",
        "{provider}/UsageAggregates?x=1{days}",
        "400 MissingApiVersionParameter the query parameter `api-version` is missing; supported: \
         2015-06-01-preview",
    ),
    (
        "reader",
        "{provider}/RateCard?api-version={filter}",
        "400 MissingApiVersionParameter the query parameter `api-version` is missing; supported: \
         2015-06-01-preview, 2016-08-31-preview",
    ),
    (
        "reader",
        "{provider}/UsageAggregates?api-version=2016-08-31-preview{days}",
        "400 InvalidApiVersionParameter api-version `2016-08-31-preview` is not supported here; \
         supported: 2015-06-01-preview",
    ),
    (
        "reader",
        "{provider}/RateCard?api-version=2019-10-01{filter}",
        "400 InvalidApiVersionParameter api-version `2019-10-01` is not supported here; \
         supported: 2015-06-01-preview, 2016-08-31-preview",
    ),
    (
        "reader",
        "{card}&api-version=2015-06-01-preview{filter}",
        "400 BadRequest api-version: must be given once",
    ),
];

/// By which verb, where, and the answer.
const VERBS: &[(Method, &str, &str)] = &[
    (Method::POST, "{usage}{days}", "405 MethodNotAllowed `POST` is not served at this path"),
    (Method::PUT, "{usage}{days}", "405 MethodNotAllowed `PUT` is not served at this path"),
    (Method::PATCH, "{card}{filter}", "405 MethodNotAllowed `PATCH` is not served at this path"),
    (Method::DELETE, "{card}{filter}", "405 MethodNotAllowed `DELETE` is not served at this path"),
    (
        Method::GET,
        "{provider}/Invoices?api-version=2015-06-01-preview",
        "404 NotFound nothing is served at `{provider}/Invoices`",
    ),
];

/// A subscription that nobody has.
const MISSING: &str = "00000000-0000-4000-8000-000000000000";

/// Asks a server as somebody, with the words of the tables filled in.
struct Asker {
    server: Server,
    issuer: Issuer,
    /// A continuation token of the reader's for `{usage}{days}`.
    token: String,
    ids: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Asker {
    async fn new(directory: &Path, schema: Option<&Schema>) -> Asker {
        let data = directory.join("data");
        let issuer = own_issuer(&data, schema);
        let server = Server::demo(&data, schema, &[]);
        let (token, ids, wrong) = (String::new(), BTreeSet::new(), Vec::new());
        let mut asker = Asker { server, issuer, token, ids, wrong };
        let page = asker.ask(Method::GET, "reader", "{usage}{days}").await;
        let page: Value = page.json().await.expect("JSON");
        let next = page["nextLink"].as_str().expect("more than one page");
        let (_, token) = next.split_once("continuationToken=").expect("a token");
        token.clone_into(&mut asker.token);
        asker
    }

    fn fill(&self, text: &str) -> String {
        let own = self.server.told("subscriptions.own");
        let foreign = self.server.told("subscriptions.foreign");
        let provider = |of: &str| format!("/subscriptions/{of}/providers/Microsoft.Commerce");
        let usage =
            |of: &str| format!("{}/UsageAggregates?api-version=2015-06-01-preview", provider(of));
        let card = |of: &str| format!("{}/RateCard?api-version=2015-06-01-preview", provider(of));
        let words = [
            ("{filter}", "&$filter={offer} and {currency} and {locale} and {region}".to_owned()),
            ("{days}", "{from}{to}".to_owned()),
            ("{from}", "&reportedStartTime=2026-08-01".to_owned()),
            ("{to}", "&reportedEndTime=2026-11-16".to_owned()),
            ("{usage}", usage(&own)),
            ("{card}", card(&own)),
            ("{foreign usage}", usage(&foreign)),
            ("{foreign card}", card(&foreign)),
            ("{missing usage}", usage(MISSING)),
            ("{provider}", provider(&own)),
            ("{own}", own),
            ("{foreign}", foreign),
            ("{missing}", MISSING.to_owned()),
            ("{offer}", "OfferDurableId eq 'MS-AZR-0003P'".to_owned()),
            ("{currency}", "Currency eq 'USD'".to_owned()),
            ("{locale}", "Locale eq 'en-US'".to_owned()),
            ("{region}", "RegionInfo eq 'US'".to_owned()),
            ("{token}", self.token.clone()),
            (
                "{not a token}",
                "continuationToken: is not a token that this service gave out, or is too old"
                    .to_owned(),
            ),
        ];
        words.iter().fold(text.to_owned(), |text, (word, with)| text.replace(word, with))
    }

    /// A token that the program gave out, or one that it never would.
    fn token(&self, who: &str) -> Option<String> {
        let audience = "https://management.azure.com";
        let tenant = self.server.told("tenant_id");
        let fresh = now();
        let stale = fresh.plus_seconds(-7_200);
        let other = Issuer::from_secret(&Issuer::new_secret().expect("a key")).expect("an issuer");
        let (issuer, tenant, audience, at) = match who {
            "" => return None,
            "bad" => return Some("not.a.token".to_owned()),
            "forged" => (&other, tenant.as_str(), audience, fresh),
            "wrong audience" => (&self.issuer, tenant.as_str(), "https://graph.example", fresh),
            "wrong tenant" => (&self.issuer, MISSING, audience, fresh),
            "expired" => (&self.issuer, tenant.as_str(), audience, stale),
            name => return Some(self.server.told(&format!("clients.{name}.token"))),
        };
        let client_id = self.server.told("clients.reader.client_id");
        let base_url = self.server.told("base_url");
        let request = TokenRequest { base_url: &base_url, tenant, client_id: &client_id, audience };
        Some(issuer.token(request, at, 3_600).expect("a token").text.to_string())
    }

    async fn ask(&self, verb: Method, who: &str, what: &str) -> Response {
        let url = format!("{}{}", self.server.told("base_url"), self.fill(what));
        let request = self.server.client.request(verb, url);
        let request = match self.token(who) {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.expect("an answer")
    }

    /// Asks, and keeps what is not as it must be.
    async fn check(&mut self, verb: Method, who: &str, what: &str, answer: &str) {
        let response = self.ask(verb.clone(), who, what).await;
        let status = response.status().as_u16();
        let has = |name: &str| response.headers().contains_key(name);
        let mut wrong = Vec::new();
        if has("www-authenticate") != (status == 401) || has("allow") != (status == 405) {
            wrong.push(format!("headers {:?}", response.headers()));
        }
        let id = request_id(&response);
        if !self.ids.insert(id.clone()) {
            wrong.push(format!("request id {id} is not new"));
        }
        let body = response.text().await.expect("a body");
        let expected = expected(&self.fill(answer));
        if expected.0 != status || expected.1.is_some_and(|expected| expected != body) {
            wrong.push(format!("{status} {}", body.chars().take(300).collect::<String>()));
        }
        let asked = format!("{verb} {what} as `{who}`");
        self.wrong.extend(wrong.into_iter().map(|wrong| format!("{asked}: {wrong}")));
    }
}

/// The status, and the body if it is a refusal: `status code message`.
fn expected(answer: &str) -> (u16, Option<String>) {
    let mut parts = answer.splitn(3, ' ');
    let status = parts.next().and_then(|status| status.parse().ok()).expect("a status");
    let body = parts.next().zip(parts.next()).map(|(code, message)| {
        json!({ "error": { "code": code, "message": message } }).to_string()
    });
    (status, body)
}

/// Makes the signing key before the program would, so that tokens can be signed that the program
/// never gives out.
pub(crate) fn own_issuer(data: &Path, schema: Option<&Schema>) -> Issuer {
    std::fs::create_dir_all(data).expect("a directory");
    let place = match schema {
        Some(schema) => StorePlace::Postgres(schema.url.clone()),
        None => StorePlace::Sqlite(data.join("books.db")),
    };
    let keep = || {
        let store = Store::open(&place).expect("the books");
        let secret = Issuer::new_secret().expect("a key");
        store.ensure_secret("signing key", &secret).expect("kept")
    };
    // The books wait for their store, which a thread that drives asynchronous work must not.
    let kept = std::thread::scope(|scope| scope.spawn(keep).join().expect("no panic"));
    Issuer::from_secret(&kept).expect("an issuer")
}

fn request_id(response: &Response) -> String {
    let id = response.headers().get("x-ms-request-id").expect("a request id on every answer");
    let id = id.to_str().expect("text").to_owned();
    assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
    id
}

on_each_store!(each_wrong_question_has_its_own_answer);
async fn each_wrong_question_has_its_own_answer(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let mut asker = Asker::new(directory.path(), schema.as_ref()).await;
    let tables = [SIGNING_IN, ROLES, TIMES, WORDS, FILTERS, COMBINATIONS, VERSIONS];
    for (who, what, answer) in tables.into_iter().flatten() {
        asker.check(Method::GET, who, what, answer).await;
    }
    for (verb, what, answer) in VERBS {
        asker.check(verb.clone(), "reader", what, answer).await;
    }
    // The path may be written in any letter case.
    let shouted = "/SUBSCRIPTIONS/{own}/PROVIDERS/MICROSOFT.COMMERCE/USAGEAGGREGATES?x=1{days}";
    let answer = "400 MissingApiVersionParameter the query parameter `api-version` is missing; \
                  supported: 2015-06-01-preview";
    asker.check(Method::GET, "reader", shouted, answer).await;
    assert!(asker.wrong.is_empty(), "{}", asker.wrong.join("\n"));
    asker.server.stop();
}

on_each_store!(who_asks_too_often_is_told_when_to_come_back);
async fn who_asks_too_often_is_told_when_to_come_back(books: Books) {
    let (directory, schema) = (tempfile::tempdir().expect("a directory"), books.schema());
    let settings =
        [("RECKONER_LIMITS__REQUEST_BURST", "3"), ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1")];
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &settings);
    let own = server.told("subscriptions.own");
    // Unaligned on purpose: refused questions count too, and cost no time.
    let path = format!(
        "/subscriptions/{own}/providers/Microsoft.Commerce/UsageAggregates\
         ?api-version=2015-06-01-preview&reportedStartTime=now"
    );
    let token = server.told("clients.reader.token");
    let mut answers = Vec::new();
    for _ in 0..12 {
        let answer = server.get(&path, Some(&token)).send().await.expect("an answer");
        request_id(&answer);
        let retry = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        answers.push((status, retry, answer.text().await.expect("a body")));
    }
    assert_eq!(answers[0].0, 400);
    let (_, retry, body) = answers.iter().find(|(status, ..)| *status == 429).expect("a 429");
    assert_eq!(retry.as_deref(), Some("1"));
    let message = "too many requests; try again in 1 s";
    let expected = json!({ "error": { "code": "TooManyRequests", "message": message } });
    assert_eq!(body, &expected.to_string());
    // Another caller is not held up by it.
    let other = server.told("clients.owner.token");
    let answer = server.get(&path, Some(&other)).send().await.expect("an answer");
    assert_eq!(answer.status(), 400);
    server.stop();
}
