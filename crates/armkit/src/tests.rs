//! Facts about ARM's habits.

use crate::*;
use axum::Router;
use axum::body::Body;
use domain::Error;
use futures::FutureExt;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use httpkit::{
    Authenticate, BaseUrl, Edge, Forwarded, Frame, Gate, Group, Operation, Refusal, Sizes,
};
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
    let table = LetterCase::new(group.operations()).unwrap();
    let (timeout, gate) = (Duration::from_secs(5), Gate::new(8));
    let sizes = Sizes { body_most_bytes: 1_024, url_most_bytes: 1_024, headers_most_bytes: 4_096 };
    let frame = Frame { render, timeout, long_timeout: timeout, sizes, gate };
    let edge = Edge {
        render,
        authenticate: Authenticate::new(|_| {
            async { Err(Error::Unauthenticated { problem: "nobody".to_owned() }) }.boxed()
        }),
        new_id: Arc::new(|| Uuid::from_u128(7)),
        elapsed: Arc::new(|| Duration::ZERO),
        rewrites: vec![table.into_rewrite()],
        forwarded: Forwarded::Ignored,
        observe: Arc::new(|_| {}),
    };
    edge.around(correlate(frame.around(group.into_router())))
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
    let ids = "x-ms-request-id=OWN x-ms-correlation-request-id=OWN";
    check(Request::get("/Subscriptions/A/things?x=1"), &format!("200 {ids} things")).await;
    check(
        Request::get("/subscriptions/A/Things")
            .header("x-ms-correlation-request-id", "corr-1")
            .header("x-ms-client-request-id", "mine")
            .header("x-ms-return-client-request-id", "True"),
        "200 x-ms-request-id=OWN x-ms-correlation-request-id=corr-1 \
         x-ms-client-request-id=mine things",
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
