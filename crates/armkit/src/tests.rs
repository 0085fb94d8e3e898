//! Facts about ARM's habits.

use crate::*;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::{Extension, Router};
use domain::Error;
use domain::access::Caller;
use domain::ids::PrincipalId;
use futures::FutureExt;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use httpkit::{
    Authenticate, BaseUrl, Edge, Fault, Forwarded, Frame, Gate, Group, Limiter, Operation, Path,
    Rate, Refusal, Sizes,
};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;
use uuid::Uuid;

fn operation(path: &str) -> Operation {
    Operation { path: path.to_owned(), verb: "GET", id: "X" }
}

#[test]
fn literals_match_in_any_letter_case_and_parameters_stay() {
    let table = LetterCase::new(&[
        operation("/subscriptions"),
        operation("/subscriptions/{subscriptionId}/providers/Microsoft.Commerce/UsageAggregates"),
        operation("/subscriptions/{subscriptionId}/providers/Microsoft.Commerce/RateCard"),
        operation("/providers/Microsoft.Billing/billingAccounts/{account}/customers/{customer}"),
        operation("/providers/Microsoft.Billing/billingAccounts/default/customers"),
    ])
    .unwrap();
    let check = |path: &str, expected: Option<&str>| {
        assert_eq!(table.canonical(path).as_deref(), expected, "{path}");
    };
    let usage = "/subscriptions/AbC/providers/Microsoft.Commerce/UsageAggregates";
    check("/Subscriptions/AbC/Providers/microsoft.commerce/usageaggregates", Some(usage));
    check("/SUBSCRIPTIONS/AbC/PROVIDERS/MICROSOFT.COMMERCE/USAGEAGGREGATES", Some(usage));
    check(usage, None);
    check("/SUBSCRIPTIONS", Some("/subscriptions"));
    let encoded = "/subscriptions/a%2Fb%20C/providers/Microsoft.Commerce/RateCard";
    check("/subscriptions/a%2Fb%20C/providers/microsoft.commerce/ratecard", Some(encoded));
    // A literal goes before a parameter, and gives way where it leads nowhere.
    let accounts = "/providers/Microsoft.Billing/billingAccounts";
    check(
        "/providers/microsoft.billing/BillingAccounts/DEFAULT/customers",
        Some(&format!("{accounts}/default/customers")),
    );
    check(
        "/providers/microsoft.billing/BillingAccounts/DEFAULT/Customers/C",
        Some(&format!("{accounts}/DEFAULT/customers/C")),
    );
    check("/Subscriptions/AbC/Providers/microsoft.other/usage", None);
    check("/Subscriptions/AbC", None);
    check("/", None);
    check(&"/x".repeat(1_000), None);
    let twice = [operation("/subscriptions"), operation("/Subscriptions/{id}")];
    assert!(LetterCase::new(&twice).is_err(), "one spelling");
}

#[test]
fn a_name_in_the_query_counts_once_in_any_letter_case() {
    let query = Query::parse("API-Version=1&reportedstartTime=2015-03-01+00%3a00%3a00Z&x=1&X=2&e=");
    let get = |name: &str| match query.get(name) {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string(),
    };
    assert_eq!(get("api-version"), r#"Some("1")"#);
    assert_eq!(get("reportedStartTime"), r#"Some("2015-03-01 00:00:00Z")"#);
    assert_eq!(get("x"), "x: must be given once");
    assert_eq!(get("y"), "None");
    assert_eq!(query.required("e").unwrap_err().to_string(), "e: must be given");
    assert_eq!(query.required("y").unwrap_err().to_string(), "y: must be given");
    assert_eq!(query.required("API-VERSION").unwrap(), "1");
}

#[test]
fn a_version_is_demanded_and_known() {
    let check = |query: &str, expected: &str| {
        let supported = ["2015-06-01-preview", "2016-08-31-preview"];
        let outcome = match api_version(&Query::parse(query), &supported) {
            Ok(version) => version.to_owned(),
            Err(error) => format!("{} {}", error.status().as_u16(), error.code()),
        };
        assert_eq!(outcome, expected, "{query}");
    };
    check("api-version=2015-06-01-preview", "2015-06-01-preview");
    check("Api-Version=2016-08-31-PREVIEW", "2016-08-31-preview");
    check("", "400 MissingApiVersionParameter");
    check("api-version=", "400 MissingApiVersionParameter");
    check("api-version=2016-05-01-preview", "400 InvalidApiVersionParameter");
    check("api-version=1&API-VERSION=2", "400 BadRequest");
}

#[test]
fn a_filter_is_a_list_of_equations() {
    let check = |text: &str, expected: &str| {
        let outcome = match filter(text, 4_096) {
            Ok(conditions) => conditions
                .iter()
                .map(|Condition { name, value }| format!("{name}={value};"))
                .collect::<String>(),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expected, "{text}");
    };
    check(
        "OfferDurableId eq 'MS-AZR-0003P' and Currency eq 'USD' and Locale eq 'en-US'",
        "OfferDurableId=MS-AZR-0003P;Currency=USD;Locale=en-US;",
    );
    check("  a EQ 'x'  AND  b eq''  ", "a=x;b=;");
    check("a eq 'O''Brien and ''so'''", "a=O'Brien and 'so';");
    check("a eq 'x' and a eq 'y'", "a=x;a=y;");
    check("properties/date eq 'é'", "properties/date=é;");
    check("", "$filter: at character 1: a name is expected");
    check("a", "$filter: at character 2: `eq` is expected");
    check("a ne 'x'", "$filter: at character 3: `eq` is expected");
    check("a eq x", "$filter: at character 6: a value in single quotes is expected");
    check("a eq 'é", "$filter: at character 8: a closing quote is expected");
    check("a eq 'x' or b eq 'y'", "$filter: at character 10: `and` is expected");
    check("a eq 'x' and", "$filter: at character 13: a name is expected");
    check("(a eq 'x')", "$filter: at character 1: a name is expected");
    assert!(filter("a eq 'b'", 8).is_ok());
    let error = filter("a eq 'b'", 7).unwrap_err().to_string();
    assert_eq!(error, "$filter: is longer than 7 bytes (limits.filter_bytes)");
}

#[test]
fn a_filter_may_have_alternatives() {
    let check = |text: &str, expected: &str| {
        let told = |all: Vec<Vec<Condition>>| {
            let one = |Condition { name, value }: &Condition| format!("{name}={value}");
            let own = |own: &Vec<Condition>| own.iter().map(one).collect::<Vec<_>>().join("&");
            all.iter().map(own).collect::<Vec<_>>().join("|")
        };
        let outcome = alternatives(text, 4_096).map_or_else(|e| e.to_string(), told);
        assert_eq!(outcome, expected, "{text}");
    };
    check("a eq 'x'", "a=x");
    check("a eq 'x' and b eq y or c EQ 'z z' OR d eq 1", "a=x&b=y|c=z z|d=1");
    check("a eq x or", "$filter: at character 10: a name is expected");
    check("a gt x", "$filter: at character 3: `eq` is expected");
    check("a eq x nor b eq y", "$filter: at character 8: `and` or `or` is expected");
    let error = alternatives("a eq 'b'", 7).unwrap_err().to_string();
    assert_eq!(error, "$filter: is longer than 7 bytes (limits.filter_bytes)");
}

#[test]
fn a_filter_may_compare() {
    let check = |text: &str, expected: &str| {
        let outcome = match comparisons(text, 4_096) {
            Ok(found) => found
                .iter()
                .map(|Comparison { name, comparing, value }| {
                    format!("{name} {comparing:?} {value};")
                })
                .collect::<String>(),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expected, "{text}");
    };
    check("properties/kind eq 'Reservation'", "properties/kind Equal Reservation;");
    check(
        "invoicePeriodStartDate le 2018-06-01 AND a GT 'b c'",
        "invoicePeriodStartDate LessOrEqual 2018-06-01;a Greater b c;",
    );
    check(
        "tags eq 'env:prod' and x lt 1 and y ge ''",
        "tags Equal env:prod;x Less 1;y GreaterOrEqual ;",
    );
    check("at ge 2026-10-01T00:00:00Z", "at GreaterOrEqual 2026-10-01T00:00:00Z;");
    let operators = "one of `eq`, `lt`, `gt`, `le`, `ge` is expected";
    check("a ne 'x'", &format!("$filter: at character 3: {operators}"));
    check("a", &format!("$filter: at character 2: {operators}"));
    check("a eq", "$filter: at character 5: a value is expected");
    check("a eq 'x' or b eq 'y'", "$filter: at character 10: `and` is expected");
    check("not a eq 'x'", &format!("$filter: at character 5: {operators}"));
}

#[test]
fn what_is_expanded_is_known() {
    let check = |query: &str, expected: &str| {
        let supported = ["address", "billingProfiles", "billingProfiles/invoiceSections"];
        let outcome = match expand(&Query::parse(query), &supported) {
            Ok(found) => found.join(";"),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expected, "{query}");
    };
    check("", "");
    check("$expand=", "");
    check("%24expand=address", "address");
    check("$expand=address,%20billingprofiles", "address;billingProfiles");
    check("$EXPAND=properties/address", "address");
    check("$expand=Properties/billingProfiles/invoiceSections", "billingProfiles/invoiceSections");
    check(
        "$expand=address,soldTo",
        "$expand: `soldTo` cannot be expanded; supported: address, billingProfiles, \
         billingProfiles/invoiceSections",
    );
}

#[test]
fn a_next_link_is_absolute_and_keeps_the_query() {
    let base = BaseUrl("https://host:8443".to_owned());
    let query =
        Query::parse("api-version=1&t=2015-03-01T00%3a00%3a00%2b00%3a00&ContinuationToken=a");
    let link = next_link(&base, "/s/a%20b/U", query.pairs(), ("continuationToken", "x+/="));
    assert_eq!(
        link,
        "https://host:8443/s/a%20b/U?api-version=1&t=2015-03-01T00%3A00%3A00%2B00%3A00\
         &continuationToken=x%2B%2F%3D"
    );
    let query = Query::parse("%24filter=a%20eq%20'b'");
    let link = next_link(&base, "/l", query.pairs(), ("$skiptoken", "x"));
    assert_eq!(link, "https://host:8443/l?$filter=a+eq+%27b%27&$skiptoken=x");
    let last = List { value: vec![1], next_link: None };
    assert_eq!(serde_json::to_string(&last).unwrap(), r#"{"value":[1]}"#);
}

#[test]
fn every_kind_has_its_status_and_code() {
    let check = |refusal: Refusal, expected: &str| {
        let error = ArmError::from(refusal);
        assert_eq!(format!("{} {}", error.status().as_u16(), error.code()), expected);
    };
    let fault = |error: Error| Refusal::from(error);
    let (what, key, problem) = ("invoice", "7".to_owned(), "is final".to_owned());
    check(fault(Error::not_found("invoice", "7")), "404 NotFound");
    check(fault(Error::not_found("subscription", "7")), "404 SubscriptionNotFound");
    check(fault(Error::invalid("x", "y")), "400 BadRequest");
    let problem_2 = problem.clone();
    check(fault(Error::Unauthenticated { problem: problem_2 }), "401 AuthenticationFailed");
    check(fault(Error::Forbidden { action: "usage:read" }), "403 AuthorizationFailed");
    check(fault(Error::Conflict { what, key, problem: problem.clone() }), "409 Conflict");
    check(fault(Error::TooMuch { limit: "x", most: 1, key: "k" }), "400 LimitExceeded");
    check(fault(Error::TooMany { retry_after_s: 1 }), "429 TooManyRequests");
    check(fault(Error::Unavailable { problem }), "503 ServiceUnavailable");
    check(fault(Error::internal("x", "y")), "500 InternalServerError");
    check(Refusal::NoRoute { path: "/".to_owned() }, "404 NotFound");
    check(Refusal::WrongMethod { verb: "PUT".to_owned() }, "405 MethodNotAllowed");
    check(Refusal::BodyTooLarge { most_bytes: 1 }, "413 RequestEntityTooLarge");
    let error = ArmError::new(StatusCode::BAD_REQUEST, "InvalidInput", "x");
    assert_eq!((error.status().as_u16(), error.code()), (400, "InvalidInput"));
}

/// A surface as an azure-* surface mounts itself.
fn surface() -> Router {
    let group: Group<()> = Group::new()
        .get("Things_Get", "/subscriptions/{id}", "/Things", async || "things")
        .get("Things_Secret", "/subscriptions/{id}", "/Secret", secret)
        .rest("");
    mounted(group)
}

fn mounted(group: Group<()>) -> Router {
    let table = LetterCase::new(group.operations()).unwrap();
    let (timeout, gate) = (Duration::from_secs(5), Gate::new(8));
    let sizes = Sizes { body_most_bytes: 1_024, url_most_bytes: 1_024, headers_most_bytes: 4_096 };
    let frame = Frame { render, timeout, long_timeout: timeout, sizes, gate };
    let edge = Edge {
        render,
        authenticate: Authenticate::new(|shown| {
            async move {
                match shown.header.as_deref() {
                    Some("Bearer alice") => Ok(Caller::Principal(PrincipalId::new("alice")?)),
                    _ => Err(Error::Unauthenticated { problem: "nobody".to_owned() }),
                }
            }
            .boxed()
        }),
        new_id: Arc::new(|| Uuid::from_u128(7)),
        elapsed: Arc::new(|| Duration::ZERO),
        rewrites: vec![table.into_rewrite()],
        forwarded: Forwarded::Ignored,
        observe: Arc::new(|_| {}),
    };
    let now = Arc::new(|| "2026-03-02T04:05:06.789Z".to_owned());
    edge.around(correlate(frame.around(group.into_router()), now))
}

async fn secret(_: httpkit::Asking) -> Result<&'static str, ArmError> {
    Err(Error::not_found("subscription", "x").into())
}

#[tokio::test]
async fn a_surface_answers_as_arm_does() {
    let own = "00000000-0000-0000-0000-000000000007";
    let check = async |request: http::request::Builder, expected: &str| {
        let response = surface().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let mut shown = response.status().as_u16().to_string();
        for name in [
            "allow",
            "www-authenticate",
            "x-ms-request-id",
            "x-ms-correlation-request-id",
            "x-ms-routing-request-id",
            "x-ms-client-request-id",
        ] {
            if let Some(value) = response.headers().get(name) {
                shown.push_str(&format!(" {name}={}", value.to_str().unwrap()));
            }
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let shown = format!("{shown} {}", String::from_utf8(body.to_vec()).unwrap());
        assert_eq!(shown, expected.replace("OWN", own));
    };
    let routing = "x-ms-routing-request-id=LOCAL:20260302T040506Z:OWN";
    let ids = format!("x-ms-request-id=OWN x-ms-correlation-request-id=OWN {routing}");
    check(Request::get("/Subscriptions/A/things?x=1"), &format!("200 {ids} things")).await;
    check(
        Request::get("/subscriptions/A/Things")
            .header("x-ms-correlation-request-id", "corr-1")
            .header("x-ms-client-request-id", "mine")
            .header("x-ms-return-client-request-id", "True"),
        &format!(
            "200 x-ms-request-id=OWN x-ms-correlation-request-id=corr-1 {routing} \
             x-ms-client-request-id=mine things"
        ),
    )
    .await;
    check(
        Request::get("/subscriptions/A/Things").header("x-ms-client-request-id", "not asked back"),
        &format!("200 {ids} things"),
    )
    .await;
    let wrong =
        r#"{"error":{"code":"MethodNotAllowed","message":"`PUT` is not served at this path"}}"#;
    check(Request::put("/SUBSCRIPTIONS/A/Things"), &format!("405 allow=GET,HEAD {ids} {wrong}"))
        .await;
    let unknown =
        r#"{"error":{"code":"NotFound","message":"nothing is served at `/subscriptions/A/No`"}}"#;
    check(Request::get("/subscriptions/A/No"), &format!("404 {ids} {unknown}")).await;
    let nobody = r#"{"error":{"code":"AuthenticationFailed","message":"not signed in: nobody"}}"#;
    check(
        Request::get("/subscriptions/A/SECRET"),
        &format!("401 www-authenticate=Bearer {ids} {nobody}"),
    )
    .await;
}

#[tokio::test]
async fn members_that_are_wrong_are_details() {
    let fault = |field: &str| Fault { field: field.to_owned(), problem: "is wrong".to_owned() };
    let check = async |error: ArmError, expected: &str| {
        let response = axum::response::IntoResponse::into_response(error);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(String::from_utf8(body.to_vec()).unwrap(), expected);
    };
    check(
        ArmError::from(Refusal::Faults(vec![fault("a.b"), fault("c")])),
        concat!(
            r#"{"error":{"code":"BadRequest","message":"a.b: is wrong; c: is wrong","target":"a.b","#,
            r#""details":[{"code":"BadRequest","message":"a.b: is wrong","target":"a.b"},"#,
            r#"{"code":"BadRequest","message":"c: is wrong","target":"c"}]}}"#
        ),
    )
    .await;
    let error = ArmError::new(StatusCode::CONFLICT, "Taken", "x").with_target("y");
    check(error, r#"{"error":{"code":"Taken","message":"x","target":"y"}}"#).await;
}

/// Two versions: `/things/{…}` differs in the names of its parameters, `/old` needs no version. A
/// third has one thing of theirs and one of its own.
fn two_versions() -> Group<()> {
    let first = Group::new()
        .get("Things_Get", "/things", "/{name}", async |Path(name): Path<String>| {
            format!("1 {name}")
        })
        .post("Things_Move", "/old", "", async || "old")
        .get("Results_Get", "/results", "", async || "result");
    let second = Group::new()
        .get("Things_Get", "/things", "/{id}", async |Path(id): Path<String>| format!("2 {id}"))
        .put("Things_Put", "/things", "/{id}", async || "put");
    let unasked = Unasked { implicit: &["Things_Move"], any: &["Results_Get"] };
    let beside = Group::new()
        .get(
            "Things_GetOnce",
            "/things",
            "/{name}",
            async |Extension(chosen): Extension<Chosen>| chosen.operation,
        )
        .get("Aliases_Get", "/aliases", "", async || "alias");
    let beside = vec![("2018-03-01-preview", beside)];
    versions(vec![("2019-10-01-preview", first), ("2020-05-01", second)], beside, unasked).unwrap()
}

#[tokio::test]
async fn a_version_is_chosen_by_the_query() {
    let app = mounted(two_versions());
    let check = async |verb: &str, uri: &str, expected: &str| {
        let request = Request::builder().method(verb).uri(uri).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let shown = format!("{status} {}", String::from_utf8(body.to_vec()).unwrap());
        assert!(shown.contains(expected), "{verb} {uri}: {shown}");
    };
    let (v1, v2) = ("api-version=2019-10-01-preview", "Api-Version=2020-05-01");
    check("GET", &format!("/things/a?{v1}"), "200 1 a").await;
    check("GET", &format!("/Things/a?{v2}"), "200 2 a").await;
    check("HEAD", &format!("/things/a?{v2}"), "200 ").await;
    check("PUT", &format!("/things/a?{v2}"), "200 put").await;
    check("PUT", &format!("/things/a?{v1}"), "404 {\"error\":{\"code\":\"InvalidResourceType\"")
        .await;
    check("PUT", &format!("/things/a?{v1}"), "part of 2020-05-01\"").await;
    check("DELETE", &format!("/things/a?{v1}"), "405 {\"error\":{\"code\":\"MethodNotAllowed\"")
        .await;
    check("GET", "/things/a", "400 {\"error\":{\"code\":\"MissingApiVersionParameter\"").await;
    // A version beside the contract is named where it has something.
    let v0 = "api-version=2018-03-01-preview";
    check("GET", &format!("/things/a?{v0}"), "200 Things_GetOnce").await;
    check("GET", &format!("/aliases?{v0}"), "200 alias").await;
    check("PUT", &format!("/things/a?{v0}"), "404 {\"error\":{\"code\":\"InvalidResourceType\"")
        .await;
    check("GET", &format!("/aliases?{v2}"), "it is part of 2018-03-01-preview\"").await;
    let supported = "supported: 2019-10-01-preview, 2020-05-01, 2018-03-01-preview\"";
    check("GET", "/things/a?api-version=1", supported).await;
    check("PUT", "/things/a?api-version=1", "supported: 2019-10-01-preview, 2020-05-01\"").await;
    check("GET", "/aliases?api-version=1", "supported: 2018-03-01-preview\"").await;
    check("POST", "/old", "200 old").await;
    check("POST", &format!("/old?{v1}"), "200 old").await;
    check("POST", &format!("/old?{v2}"), "404 ").await;
    check("POST", "/old?api-version=1", "400 ").await;
    check("GET", "/results", "200 result").await;
    check("GET", "/results?api-version=2018-05-31-preview", "200 result").await;
}

#[test]
fn a_version_has_one_verb_on_one_path_once() {
    let group =
        |id: &'static str, path: &'static str| Group::<()>::new().get(id, path, "", async || ());
    let twice = vec![("1", group("A_Get", "/x/{a}")), ("1", group("B_Get", "/x/{b}"))];
    let error = versions(twice, Vec::new(), Unasked::default()).unwrap_err().to_string();
    assert_eq!(error, "B_Get: stands where `A_Get` of 1 stands");
}

#[tokio::test]
async fn reads_and_writes_are_counted_apart() {
    let rate = Rate {
        burst: NonZeroU32::new(2).unwrap(),
        refill_every: Duration::from_secs(60),
        keys_most: 100,
    };
    let limiter = Arc::new(Limiter::new(rate, Arc::new(|| Duration::ZERO)));
    let group: Group<()> = Group::new()
        .get("Things_Get", "/things", "", async || "things")
        .post("Things_Do", "/things", "", async || "done")
        .get("Subscription_Get", "/subscriptions/{id}", "", async || "subscription");
    let knows: Knows = Arc::new(|_: &Caller, name: &str| name.eq_ignore_ascii_case("own"));
    let app = mounted(group.within(|routes| uncached(counted(routes, limiter, knows))));
    let check = async |verb: &str, uri: &str, expected: &str| {
        let request = Request::builder().method(verb).uri(uri);
        let request = request.header("authorization", "Bearer alice").body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let mut shown = response.status().as_u16().to_string();
        for name in ["tenant-reads", "tenant-writes", "subscription-reads"] {
            let header = response.headers().get(format!("x-ms-ratelimit-remaining-{name}"));
            if let Some(value) = header {
                shown.push_str(&format!(" {name}={}", value.to_str().unwrap()));
            }
        }
        for name in ["retry-after", "cache-control", "expires"] {
            if let Some(value) = response.headers().get(name) {
                shown.push_str(&format!(" {name}={}", value.to_str().unwrap()));
            }
        }
        assert_eq!(shown, expected, "{verb} {uri}");
    };
    let kept = "cache-control=no-cache expires=-1";
    check("GET", "/things", &format!("200 tenant-reads=1 {kept}")).await;
    check("GET", "/things", &format!("200 tenant-reads=0 {kept}")).await;
    check("GET", "/things", &format!("429 retry-after=60 {kept}")).await;
    check("POST", "/things", &format!("200 tenant-writes=1 {kept}")).await;
    check("GET", "/subscriptions/Own", &format!("200 subscription-reads=1 {kept}")).await;
    check("GET", "/subscriptions/own", &format!("200 subscription-reads=0 {kept}")).await;
    // Those that a caller may not know of have one counter, whatever their names.
    check("GET", "/subscriptions/a", &format!("200 subscription-reads=1 {kept}")).await;
    check("GET", "/subscriptions/b", &format!("200 subscription-reads=0 {kept}")).await;
    check("GET", "/subscriptions/c", &format!("429 retry-after=60 {kept}")).await;
    let nobody = Request::get("/things").body(Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(nobody).await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

/// Lists ten numbers as they stood at the first page, three a page; at 9 their pages are too old.
async fn numbers(asked: ListAsked) -> Result<String, ArmError> {
    let pages = Pages::new([7; 32], 3);
    let now_s = asked.query().get("now")?.map_or(0, |text| text.parse().unwrap());
    let shown = Shown { version: 10, at_micros: 0, until_s: 9 };
    let first = PageStart { shown, after: None };
    let start = pages.start(&asked, now_s)?.unwrap_or(first);
    let list = (0..start.shown.version).map(|n| (format!("{n:02}"), n)).collect();
    let page = pages.page(&asked, &start, list)?.map(|n| n * 10);
    Ok(serde_json::to_string(&page).unwrap())
}

#[tokio::test]
async fn a_list_is_walked_by_its_links() {
    let group: Group<()> = Group::new()
        .post("Numbers_List", "/numbers", "", numbers)
        .get("Numbers_List", "/numbers", "", numbers)
        .get("Others_List", "/others", "", numbers);
    let app = mounted(group);
    let ask = async |verb: &str, uri: &str| {
        let request = Request::builder().method(verb).uri(uri).header("host", "h:1");
        let request = request.header("authorization", "Bearer alice").body(Body::empty());
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    let (_, mut page) = ask("POST", "/numbers?a=1").await;
    let mut seen = vec![page["value"].clone()];
    let first = page["nextLink"].as_str().unwrap().to_owned();
    assert!(first.starts_with("http://h:1/numbers?a=1&$skiptoken="), "{first}");
    while let Some(link) = page["nextLink"].as_str() {
        let link = link.strip_prefix("http://h:1").unwrap().to_owned();
        page = ask("GET", &link).await.1;
        seen.push(page["value"].clone());
    }
    let expected = serde_json::json!([[0, 10, 20], [30, 40, 50], [60, 70, 80], [90]]);
    assert_eq!(serde_json::Value::from(seen), expected);
    let token = first.split_once("skiptoken=").unwrap().1;
    let check = async |uri: String, expected: &str| {
        let (status, body) = ask("GET", &uri).await;
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!(format!("{status} {message}"), format!("400 $skiptoken: {expected}"), "{uri}");
    };
    let foreign = "is not a token that was given here";
    check(format!("/others?a=1&$skiptoken={token}"), foreign).await;
    check(format!("/numbers?a=2&$skiptoken={token}"), foreign).await;
    check("/numbers?a=1&$skiptoken=x".to_owned(), foreign).await;
    let (_, page) = ask("GET", "/numbers?now=9").await;
    let link = page["nextLink"].as_str().unwrap().strip_prefix("http://h:1").unwrap().to_owned();
    check(link, "is too old; ask for the list anew").await;
}

#[tokio::test]
async fn a_list_is_followed_by_who_asked_for_it_alone() {
    let asked = |name: &str| {
        let mut parts = Request::get("/numbers").body(()).unwrap().into_parts().0;
        let principal = PrincipalId::new(name).unwrap();
        parts.extensions.insert(httpkit::Asking(Caller::Principal(principal)));
        parts.extensions.insert(Some(BaseUrl("http://h:1".to_owned())));
        parts
    };
    let list = async |name: &str, query: &str| {
        let mut parts = asked(name);
        parts.uri = format!("/numbers{query}").parse().unwrap();
        numbers(ListAsked::from_request_parts(&mut parts, &()).await.unwrap()).await
    };
    let page: serde_json::Value = serde_json::from_str(&list("alice", "").await.unwrap()).unwrap();
    let link = page["nextLink"].as_str().unwrap();
    let query = link.strip_prefix("http://h:1/numbers").unwrap();
    assert!(list("alice", query).await.is_ok());
    assert_eq!(list("bob", query).await.unwrap_err().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_body_that_says_to_be_no_json_is_not_read() {
    let group: Group<()> = Group::new().post("Things_Do", "/things", "", async || "done");
    let app = mounted(group.within(json_bodies));
    let check = async |kind: Option<&str>, body: &'static str, expected: u16| {
        let mut request = Request::post("/things");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{kind:?} `{body}`");
    };
    check(Some("application/json"), "{}", 200).await;
    check(Some("Application/JSON; charset=utf-8"), "{}", 200).await;
    check(Some("application/merge-patch+json"), "{}", 200).await;
    check(None, "{}", 200).await;
    check(Some("text/plain"), "", 200).await;
    check(Some("text/plain"), "{}", 415).await;
    check(Some("application/x-www-form-urlencoded"), "{}", 415).await;
    check(Some(""), "{}", 415).await;
}
