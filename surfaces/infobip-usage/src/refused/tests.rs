use super::*;
use crate::published::{billing_usage, published};
use domain::access::Action;
use serde_json::Value;

const QUERY: &str = "/billing/1/usage/query";
const SESSION: &str = "/auth/1/session";

fn fault(field: &str, problem: &str) -> Fault {
    Fault { field: field.to_owned(), problem: problem.to_owned() }
}

fn unauthenticated() -> Refusal {
    Error::Unauthenticated { problem: "the key was revoked".to_owned() }.into()
}

fn forbidden() -> Refusal {
    Error::Forbidden { action: Action::ReadCharges.name() }.into()
}

fn too_many() -> Refusal {
    Error::TooMany { retry_after_s: 7 }.into()
}

fn internal() -> Refusal {
    Error::internal("read a page", "disk is gone").into()
}

fn accepting(text: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(text))])
}

fn body(path: &str, accept: &'static str, refusal: &Refusal) -> String {
    Spelling::of(path, &accepting(accept)).body(refusal).1
}

/// A refusal at an address, held against the published example of its status.
fn check(content: &Value, path: &str, refusal: &Refusal) {
    let written: Value = serde_json::from_str(&body(path, "application/json", refusal)).unwrap();
    assert_eq!(written, content["application/json"]["example"], "{refusal}");
    let written = body(path, "application/xml", refusal);
    assert_eq!(written, content["application/xml"]["example"].as_str().unwrap(), "{refusal}");
}

#[test]
fn refusals_of_queries_are_the_published_examples() {
    let Some(whole) = billing_usage() else { return };
    let check = |name: &str, refusal: Refusal| {
        check(&whole["components"]["responses"][name]["content"], QUERY, &refusal);
    };
    check("ApiError401", unauthenticated());
    check("ApiError403", forbidden());
    check("ApiError429", too_many());
    check("ApiError500", internal());
    let refused = &whole["paths"][QUERY]["post"]["responses"]["400"];
    let examples = crate::published::examples(refused);
    let [(_, example)] = examples.as_slice() else { panic!("one example") };
    let refusal = Refusal::Faults(vec![fault("property.path", "Violation message.")]);
    let written: Value = serde_json::from_str(&body(QUERY, "application/json", &refusal)).unwrap();
    assert_eq!(written, *example);
}

#[test]
fn refusals_of_everything_else_are_the_published_examples() {
    let Some(whole) = published("account-management-openapi.json") else { return };
    let responses = &whole["components"]["responses"];
    let check = |name: &str, path: &str, refusal: Refusal| {
        check(&responses[name]["content"], path, &refusal);
    };
    check("ApiException400", SESSION, Refusal::Faults(Vec::new()));
    check("ApiException401", SESSION, unauthenticated());
    check("ApiException403", "/settings/1/accounts", forbidden());
    check("ApiException404", "/settings/1/none", Refusal::NoRoute { path: "/x".to_owned() });
    check("ApiException429", SESSION, too_many());
    check("ApiException500", SESSION, internal());
    check("ApiError400", QUERY, Refusal::Faults(Vec::new()));
}

#[test]
fn published_refusals_are_read_and_written_alike() {
    let Some(whole) = billing_usage() else { return };
    for name in ["ApiError401", "ApiError403", "ApiError429", "ApiError500"] {
        let response = &whole["components"]["responses"][name];
        let example = &response["content"]["application/json"]["example"];
        let read: ApiError = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), *example, "{name}");
    }
}

#[test]
fn every_fault_is_a_violation() {
    let faults = vec![fault("callbackUrl", "must be there"), fault("request.a[0]", "is <x> & y")];
    let refusal = Refusal::Faults(faults);
    let written: Value = serde_json::from_str(&body(QUERY, "application/json", &refusal)).unwrap();
    let expected = serde_json::json!([
        { "property": "callbackUrl", "violation": "must be there" },
        { "property": "request.a[0]", "violation": "is <x> & y" },
    ]);
    assert_eq!(written["violations"], expected);
    let written = body(QUERY, "application/xml", &refusal);
    let expected = "  <violations>
    <violation>
      <property>callbackUrl</property>
      <violation>must be there</violation>
    </violation>
    <violation>
      <property>request.a[0]</property>
      <violation>is &lt;x&gt; &amp; y</violation>
    </violation>
  </violations>
";
    assert!(written.contains(expected), "{written}");
    let written: Value =
        serde_json::from_str(&body(SESSION, "application/json", &refusal)).unwrap();
    let exception = &written["requestError"]["serviceException"];
    assert_eq!(exception["validationErrors"]["callbackUrl"][0], "must be there");
}

#[test]
fn tokens_are_refused_with_the_words_of_their_own_standard_too() {
    let check = |refusal: &Refusal, expected: &str| {
        let text = body("/auth/1/oauth2/token", "application/json", refusal);
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(written["error"], expected, "{refusal}");
        assert!(written["requestError"]["serviceException"]["messageId"].is_string());
    };
    check(&unauthenticated(), "invalid_client");
    let of = |field: &str, problem: &str| Refusal::Faults(vec![fault(field, problem)]);
    check(&of("grant_type", OTHER_GRANT), "unsupported_grant_type");
    check(&of("grant_type", "must be there"), "invalid_request");
    check(&of("grant_type", "must be there once"), "invalid_request");
    check(&of("client_id", "must be there"), "invalid_request");
    let busy = Error::Unavailable { problem: "the service is busy".to_owned() };
    check(&busy.into(), "temporarily_unavailable");
    check(&too_many(), "temporarily_unavailable");
    check(&internal(), "server_error");
}

#[test]
fn refusals_have_their_status_and_headers() {
    let check = |refusal: Refusal, expected: u16, headers: &[(&str, &str)]| {
        let response = render(&refusal);
        assert_eq!(response.status().as_u16(), expected, "{refusal}");
        for (name, value) in headers {
            assert_eq!(response.headers()[*name], *value, "{refusal}");
        }
    };
    let at = |path: &str| path.to_owned();
    check(Refusal::Faults(Vec::new()), 400, &[]);
    check(Error::invalid("a", "b").into(), 400, &[]);
    check(unauthenticated(), 401, &[("www-authenticate", "App")]);
    check(forbidden(), 403, &[]);
    check(Error::not_found("usage query", "A").into(), 404, &[]);
    check(Refusal::NoRoute { path: at("/billing/1/x") }, 404, &[]);
    check(Refusal::WrongMethod { verb: at("PUT") }, 405, &[]);
    check(Refusal::BodyTooLarge { most_bytes: 1 }, 413, &[]);
    check(Refusal::UnknownPacking { packing: at("br") }, 415, &[]);
    check(too_many(), 429, &[("retry-after", "7")]);
    check(internal(), 500, &[]);
    let busy = Error::Unavailable { problem: "the service is busy".to_owned() };
    check(busy.into(), 503, &[("retry-after", "5")]);
}

#[test]
fn our_own_faults_are_not_told() {
    for accept in ["application/json", "application/xml"] {
        for path in [QUERY, SESSION] {
            assert!(!body(path, accept, &internal()).contains("disk"));
            assert!(!body(path, accept, &unauthenticated()).contains("revoked"));
        }
    }
}

#[test]
fn xml_is_for_whom_it_is_liked_better() {
    let check = |accept: &'static str, expected: bool| {
        assert_eq!(wants_xml(&accepting(accept)), expected, "{accept}");
    };
    check("application/json", false);
    check("application/xml", true);
    check("Application/XML", true);
    check("text/xml", true);
    check("*/*", false);
    check("application/*", false);
    check("application/xml, */*", false);
    check("application/xml, */*;q=0.9", true);
    check("application/json, application/xml", false);
    check("application/json;q=0.5, application/xml", true);
    check("application/json, application/xml;q=0.999", false);
    check("application/xml;q=0.9,application/json;q=0.1", true);
    check("application/xml;q=0, */*;q=0.1", false);
    check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true);
    check("text/html", false);
    check("application/xml;q=x", false);
    assert!(!wants_xml(&HeaderMap::new()));
}
