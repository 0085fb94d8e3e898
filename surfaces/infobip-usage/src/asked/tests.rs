use super::*;
use crate::published::{billing_usage, examples, published};
use crate::refused::Spelling;
use axum::http::header::{ACCEPT, HeaderMap, HeaderValue};
use domain::usage_queries::UsageWindow;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As `limits.usage_filter_values` is unless it is configured.
const VALUES_MOST: usize = 1_000;

/// A body with nothing wrong in it.
fn whole() -> Value {
    json!({
        "callbackUrl": "https://receiver.example/hook",
        "request": {
            "filterBy": {
                "dateInterval": { "sentSince": "2026-03-01", "sentUntil": "2026-04-01" },
            },
            "aggregateBy": ["MONTH"],
            "options": { "includeUnfinalizedData": true },
        },
    })
}

/// The same with another member at a path; without it for `null`.
fn with(path: &str, member: Value) -> Value {
    let mut body = whole();
    let (above, name) = path.rsplit_once('/').unwrap();
    let above = body.pointer_mut(above).unwrap().as_object_mut().unwrap();
    match member {
        Value::Null => above.remove(name),
        member => above.insert(name.to_owned(), member),
    };
    body
}

fn today() -> Day {
    Instant::parse("2026-04-06").unwrap().day()
}

/// Reads a body on the sixth of April.
fn taken(body: &str) -> Result<UsageQueryAsked, Vec<(String, String)>> {
    let window = UsageWindow::default();
    let check = |asked: &UsageQueryAsked| asked.question.faults(&window, today());
    read(body.as_bytes(), VALUES_MOST, &check).map_err(|refusal| match refusal {
        Refusal::Faults(faults) => {
            faults.into_iter().map(|fault| (fault.field, fault.problem)).collect()
        }
        other => panic!("{other}: {body}"),
    })
}

fn question(body: &Value) -> UsageQuestion {
    taken(&body.to_string()).unwrap_or_else(|faults| panic!("{faults:?}: {body}")).question
}

/// Which properties are violated, and how each violation begins.
fn check(body: &str, expected: &[(&str, &str)]) {
    let found = taken(body).err().unwrap_or_default();
    let mut both = found.iter().zip(expected);
    let are_alike = found.len() == expected.len() && both.all(|(found, one)| is_as(found, *one));
    assert!(are_alike, "{body}\n found {found:?}\n expected {expected:?}");
}

fn is_as((property, problem): &(String, String), (expected, begins): (&str, &str)) -> bool {
    property == expected && problem.starts_with(begins)
}

/// The violations with another member.
fn check_with(path: &str, member: Value, expected: &[(&str, &str)]) {
    check(&with(path, member).to_string(), expected);
}

const SINCE: &str = "request.filterBy.dateInterval.sentSince";
const UNTIL: &str = "request.filterBy.dateInterval.sentUntil";
const INTERVAL: &str = "request.filterBy.dateInterval";
const AGGREGATE: &str = "request.aggregateBy";

#[test]
fn what_is_no_object_of_json_is_one_violation() {
    check("", &[("body", "is not JSON: EOF")]);
    check("{", &[("body", "is not JSON: EOF")]);
    check("{} {}", &[("body", "is not JSON: trailing")]);
    check("[]", &[("body", "must be an object")]);
    check("null", &[("body", "must be an object")]);
    check(&"[".repeat(1_000), &[("body", "is not JSON: recursion limit")]);
}

/// How large the refusal of a body is, in its larger spelling, and how many violations it has.
fn refusal_of(body: &Value) -> (usize, usize) {
    let no_more = |_: &UsageQueryAsked| Vec::new();
    let refusal = read(body.to_string().as_bytes(), VALUES_MOST, &no_more).err().unwrap();
    let Refusal::Faults(faults) = &refusal else { panic!("{refusal}") };
    let size = |accept: &'static str| {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        Spelling::of(crate::QUERY, &headers).body(&refusal).1.len()
    };
    (size("application/json").max(size("application/xml")), faults.len())
}

#[test]
fn a_refusal_is_small_whatever_is_refused() {
    let check = |path: &str, member: Value, violations: usize| {
        let body = with(path, member);
        let (bytes, found) = refusal_of(&body);
        assert_eq!(found, violations, "{path}");
        assert!(bytes < 131_072, "{path}: {bytes} bytes");
    };
    // As many as a body holds.
    check("/request/aggregateBy", json!(vec!["a"; 250_000]), 1);
    check("/request/filterBy/senders", json!(vec![1; 500_000]), 1);
    // As many as a list may have.
    check("/request/aggregateBy", json!(vec!["a"; 1_000]), 101);
    check("/request/aggregateBy", json!(vec!["<&>".repeat(500); 300]), 101);
    check("/request/filterBy/categories", json!(vec!["SMS"; 1_000]), 101);
    check("/request/filterBy/platforms", json!(vec![json!({}); 1_000]), 101);
    let unknown: BTreeMap<String, u8> = (0..50_000).map(|n| (format!("x{n}"), 1)).collect();
    check("/request/options/reckoner", json!(unknown), 101);
    check("/request/aggregateBy", json!(vec!["a"; 100]), 100);
}

#[test]
fn the_last_violation_says_that_there_are_more() {
    let body = with("/request/aggregateBy", json!(vec!["a"; 200])).to_string();
    let found = taken(&body).unwrap_err();
    let (property, violation) = found.last().unwrap();
    assert_eq!(property, "request.aggregateBy[100]");
    assert_eq!(violation, "and more: only 100 are told");
}

#[test]
fn each_missing_member_is_a_violation() {
    let missing = "must be there";
    check("{}", &[("request", missing), ("callbackUrl", missing)]);
    check_with("/callbackUrl", Value::Null, &[("callbackUrl", missing)]);
    check_with("/request", Value::Null, &[("request", missing)]);
    check_with("/request", json!("x"), &[("request", "must be an object")]);
    check_with("/request/filterBy", Value::Null, &[("request.filterBy", missing)]);
    check_with("/request/filterBy", json!([]), &[("request.filterBy", "must be an object")]);
    check_with("/request/filterBy", json!({}), &[(INTERVAL, missing)]);
    check_with("/request/filterBy/dateInterval", json!(1), &[(INTERVAL, "must be an object")]);
    check_with("/request/filterBy/dateInterval", json!({}), &[(SINCE, missing), (UNTIL, missing)]);
    check_with("/request/filterBy/dateInterval/sentUntil", Value::Null, &[(UNTIL, missing)]);
    check_with("/request/aggregateBy", Value::Null, &[(AGGREGATE, missing)]);
    check_with("/request/aggregateBy", json!([]), &[(AGGREGATE, "must name at least one")]);
    check_with("/request/options", json!(true), &[("request.options", "must be an object")]);
}

#[test]
fn a_null_is_as_if_it_were_not_there() {
    let mut body = whole();
    body["request"]["filterBy"]["categories"] = Value::Null;
    body["request"]["options"] = Value::Null;
    check(&body.to_string(), &[]);
    body["callbackUrl"] = Value::Null;
    check(&body.to_string(), &[("callbackUrl", "must be there")]);
}

#[test]
fn days_are_spelled_in_one_way_and_lie_in_the_calendar() {
    let check_day = |member: Value, begins: &str| {
        check_with("/request/filterBy/dateInterval/sentSince", member, &[(SINCE, begins)]);
    };
    check_day(json!("2026-3-1"), "`2026-3-1` is not a day");
    check_day(json!("2026-02-30"), "`2026-02-30` is not a day");
    check_day(json!("2026-03-01T00:00:00Z"), "`2026-03-01T00:00:00Z` is not a day");
    check_day(json!("01.03.2026"), "`01.03.2026` is not a day");
    check_day(json!(""), "`` is not a day");
    check_day(json!(20_260_301), "must be a string");
}

#[test]
fn days_lie_in_order_and_within_what_is_kept() {
    let check_days = |since: &str, until: &str, expected: &[(&str, &str)]| {
        let days = json!({ "sentSince": since, "sentUntil": until });
        check_with("/request/filterBy/dateInterval", days, expected);
    };
    check_days("2026-02-01", "2026-05-01", &[]);
    check_days("2026-04-30", "2026-05-01", &[]);
    check_days("2026-03-01", "2026-03-01", &[(UNTIL, "`2026-03-01` is not after")]);
    check_days("2026-03-02", "2026-03-01", &[(UNTIL, "`2026-03-01` is not after")]);
    check_days("2026-01-31", "2026-03-01", &[(SINCE, "`2026-01-31` is before `2026-02-01`")]);
    check_days("2026-03-01", "2026-05-02", &[(UNTIL, "`2026-05-02` is after `2026-05-01`")]);
    let too_long = &[(SINCE, "`2026-01-01` is before"), (INTERVAL, "is longer than 3 months")];
    check_days("2026-01-01", "2026-05-01", too_long);
}

#[test]
fn each_unknown_or_repeated_column_is_a_violation() {
    let check_columns = |member: Value, expected: &[(&str, &str)]| {
        check_with("/request/aggregateBy", member, expected);
    };
    check_columns(json!("MONTH"), &[(AGGREGATE, "must be an array")]);
    check_columns(
        json!(["DAY", "YEAR", 1, "DAY", "day"]),
        &[
            ("request.aggregateBy[1]", "`YEAR` is none of DAY, MONTH, "),
            ("request.aggregateBy[2]", "must be a string"),
            ("request.aggregateBy[3]", "is request.aggregateBy[0] once more"),
            ("request.aggregateBy[4]", "`day` is none of DAY, MONTH, "),
        ],
    );
    let all: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    check_columns(json!(all), &[]);
}

#[test]
fn each_wrong_value_of_a_filter_is_a_violation() {
    let check_filter = |name: &str, member: Value, expected: &[(&str, &str)]| {
        let expected: Vec<(String, &str)> = expected
            .iter()
            .map(|(tail, begins)| (format!("request.filterBy.{name}{tail}"), *begins))
            .collect();
        let expected: Vec<(&str, &str)> =
            expected.iter().map(|(property, begins)| (property.as_str(), *begins)).collect();
        check_with(&format!("/request/filterBy/{name}"), member, &expected);
    };
    let (text, list) = ("must be a string", "must be an array");
    for name in [
        "accountKeys",
        "countryCodes",
        "trafficTypes",
        "senders",
        "senderTypes",
        "campaignReferenceIds",
        "templateIds",
    ] {
        check_filter(name, json!([]), &[]);
        check_filter(name, json!(["whatever", "else"]), &[]);
        check_filter(name, json!("whatever"), &[("", list)]);
        check_filter(name, json!({}), &[("", list)]);
        check_filter(name, json!([1, null]), &[("[0]", text), ("[1]", text)]);
        let again = format!("is request.filterBy.{name}[0] once more");
        check_filter(name, json!(["a", "b", "a"]), &[("[2]", again.as_str())]);
        let many: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
        check_filter(name, json!(many), &[("", "has 1001 values, and may have 1000")]);
    }
    check_filter("categories", json!("AI"), &[("", list)]);
    check_filter("categories", json!(["SMS", "sms"]), &[("[1]", "`sms` is none of SMS, ")]);
    check_filter("categories", json!(CATEGORIES), &[]);
    check_filter("subCategories", json!(["VIBER"]), &[("[0]", "`VIBER` is none of VIBER_BM, ")]);
    check_filter("directions", json!(["BOTH"]), &[("[0]", "`BOTH` is none of OUTBOUND, INBOUND")]);
    check_filter("directions", json!(["INBOUND", "OUTBOUND"]), &[]);
    let whole = "must be a whole number of 64 bits";
    check_filter("campaignIds", json!([12_354_646_546_i64, -1, i64::MAX]), &[]);
    check_filter("campaignIds", json!(["1", 2.5]), &[("[0]", whole), ("[1]", whole)]);
    check_filter("campaignIds", json!([9_223_372_036_854_775_808_u64]), &[("[0]", whole)]);
    check_filter("platforms", json!(["a"]), &[("[0]", "must be an object")]);
    let (no_application, no_entity) = ("[0].applicationId", "[0].entityId");
    let missing = "must be there";
    check_filter("platforms", json!([{}]), &[(no_application, missing), (no_entity, missing)]);
    check_filter("platforms", json!([{ "applicationId": "a" }]), &[(no_entity, missing)]);
    let pair = json!({ "applicationId": "a", "entityId": "b" });
    let again = "is request.filterBy.platforms[0] once more";
    check_filter("platforms", json!([pair, pair]), &[("[1]", again)]);
}

#[test]
fn each_wrong_option_is_a_violation() {
    let unfinalized = "request.options.includeUnfinalizedData";
    check_with(
        "/request/options/includeUnfinalizedData",
        json!("yes"),
        &[(unfinalized, "must be true or false")],
    );
    let check_own = |own: Value, expected: &[(&str, &str)]| {
        check_with("/request/options/reckoner", own, expected);
    };
    check_own(json!({}), &[]);
    check_own(json!([]), &[("request.options.reckoner", "must be an object")]);
    check_own(
        json!({
            "exactTotals": 1, "format": "xlsx", "longRange": "no", "resolveNames": "now",
            "timeZone": 1, "timezone": "UTC",
        }),
        &[
            ("request.options.reckoner.timezone", "is none of timeZone, "),
            ("request.options.reckoner.timeZone", "must be a string"),
            ("request.options.reckoner.resolveNames", "`now` is none of period, today"),
            ("request.options.reckoner.format", "`xlsx` is none of json, csv, parquet"),
            ("request.options.reckoner.longRange", "must be true or false"),
            ("request.options.reckoner.exactTotals", "must be true or false"),
        ],
    );
}

#[test]
fn a_callback_may_be_left_out_where_the_result_can_be_picked_up() {
    let mut body = with("/callbackUrl", Value::Null);
    check(&body.to_string(), &[("callbackUrl", "must be there")]);
    body["request"]["options"]["reckoner"] = json!({});
    check(&body.to_string(), &[]);
    let wrong = |member: Value, begins: &str| {
        check_with("/callbackUrl", member, &[("callbackUrl", begins)]);
    };
    wrong(json!(""), "must not be empty");
    wrong(json!(" "), "must not be empty");
    wrong(json!(["https://receiver.example"]), "must be a string");
}

#[test]
fn all_faults_are_found_at_once() {
    let body = json!({
        "callbackUrl": 1,
        "request": {
            "filterBy": {
                "dateInterval": { "sentSince": "soon", "sentUntil": "2026-04-01" },
                "categories": ["FAX"],
            },
            "aggregateBy": [],
            "options": { "includeUnfinalizedData": 0 },
        },
    });
    check(
        &body.to_string(),
        &[
            ("callbackUrl", "must be a string"),
            (SINCE, "`soon` is not a day"),
            ("request.filterBy.categories[0]", "`FAX` is none of"),
            (AGGREGATE, "must name at least one"),
            ("request.options.includeUnfinalizedData", "must be true or false"),
        ],
    );
}

#[test]
fn what_is_wrong_with_a_question_is_found_whatever_cannot_be_read() {
    let many: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    let mut body = with("/request/filterBy/dateInterval/sentSince", json!("soon"));
    body["request"]["filterBy"]["senders"] = json!(many);
    let senders = "request.filterBy.senders";
    check(&body.to_string(), &[(SINCE, "`soon` is not a day"), (senders, "has 1001 values")]);
}

#[test]
fn members_that_the_contract_lacks_are_ignored_outside_our_own_options() {
    let mut body = whole();
    body["more"] = json!(1);
    body["request"]["filterBy"]["more"] = json!(["x"]);
    body["request"]["options"]["more"] = json!({});
    assert_eq!(question(&body), question(&whole()));
}

#[test]
fn a_filter_asks_for_what_its_lists_name() {
    let mut body = whole();
    body["request"]["filterBy"] = json!({
        "dateInterval": { "sentSince": "2026-03-01", "sentUntil": "2026-04-01" },
        "accountKeys": ["a"],
        "categories": ["SMS"],
        "subCategories": ["VIBER_BM"],
        "countryCodes": ["US"],
        "platforms": [{ "applicationId": "app", "entityId": "one" }],
        "directions": ["INBOUND"],
        "trafficTypes": ["A2P"],
        "senders": ["12345"],
        "senderTypes": ["DOMAIN"],
        "campaignReferenceIds": ["summer"],
        "campaignIds": [12_354_646_546_i64],
        "templateIds": ["5"],
    });
    let set = |text: &str| BTreeSet::from([text.to_owned()]);
    let expected = UsageFilter {
        accounts: set("a"),
        categories: set("SMS"),
        subcategories: set("VIBER_BM"),
        countries: set("US"),
        directions: set("INBOUND"),
        traffic_types: set("A2P"),
        senders: set("12345"),
        sender_types: set("DOMAIN"),
        campaign_references: set("summer"),
        campaigns: set("12354646546"),
        templates: set("5"),
        platforms: BTreeSet::from([("app".to_owned(), "one".to_owned())]),
    };
    assert_eq!(question(&body).filter, expected);
}

#[test]
fn columns_keep_their_order_behind_the_defaults() {
    let check = |asked: Value, expected: &str| {
        let columns = question(&with("/request/aggregateBy", asked)).columns;
        let names: Vec<&str> = columns.into_iter().map(crate::columns::name).collect();
        assert_eq!(names.join(" "), expected);
    };
    check(json!(["MONTH"]), "ACCOUNT_NAME CATEGORY_CODE MONTH");
    check(json!(["COUNTRY_NAME", "DAY"]), "ACCOUNT_NAME CATEGORY_CODE COUNTRY_NAME DAY");
    check(json!(["DAY", "CATEGORY_NAME"]), "ACCOUNT_NAME DAY CATEGORY_NAME");
    check(json!(["DAY", "ACCOUNT_KEY"]), "CATEGORY_CODE DAY ACCOUNT_KEY");
    check(json!(["CATEGORY_CODE", "ACCOUNT_NAME"]), "CATEGORY_CODE ACCOUNT_NAME");
}

#[test]
fn options_are_as_the_contract_says_unless_ours_are_asked_for() {
    let plain = question(&with("/request/options", Value::Null));
    assert!(plain.unfinalized);
    assert_eq!(plain.options, UsageOptions::default());
    let without = with("/request/options/includeUnfinalizedData", json!(false));
    assert!(!question(&without).unfinalized);
    let own = with(
        "/request/options/reckoner",
        json!({
            "timeZone": "Europe/Zagreb", "resolveNames": "period", "format": "parquet",
            "longRange": true, "exactTotals": true,
        }),
    );
    let expected = UsageOptions {
        time_zone: Some("Europe/Zagreb".to_owned()),
        resolve_names: Some(NamesAsOf::Period),
        format: UsageFormat::Parquet,
        long_range: true,
        exact_totals: true,
    };
    assert_eq!(question(&own).options, expected);
}

#[test]
fn a_long_range_may_be_asked_for() {
    let mut body = whole();
    body["request"]["filterBy"]["dateInterval"]["sentSince"] = json!("2025-01-01");
    check(&body.to_string(), &[(SINCE, "`2025-01-01` is before"), (INTERVAL, "is longer")]);
    body["request"]["options"]["reckoner"] = json!({ "longRange": true });
    check(&body.to_string(), &[]);
}

#[test]
fn published_requests_are_taken() {
    let Some(whole) = billing_usage() else { return };
    let body = &whole["paths"]["/billing/1/usage/query"]["post"]["requestBody"];
    let mut seen = 0;
    for (title, example) in examples(body) {
        seen += 1;
        let asked = taken(&example.to_string()).unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!(asked.callback_url.as_deref(), example["callbackUrl"].as_str(), "{title}");
        let filter = &asked.question.filter;
        let has = |name: &str| example["request"]["filterBy"][name].as_array().map_or(0, Vec::len);
        assert_eq!(filter.categories.len(), has("categories"), "{title}");
        assert_eq!(filter.platforms.len(), has("platforms"), "{title}");
        assert_eq!(filter.directions.len(), has("directions"), "{title}");
        assert_eq!(filter.campaign_references.len(), has("campaignReferenceIds"), "{title}");
    }
    assert_eq!(seen, 2);
}

#[test]
fn the_lists_of_the_contract_are_known_whole() {
    let Some(whole) = billing_usage() else { return };
    let schemas = whole["components"]["schemas"].as_object().unwrap();
    let of = |title: &str| schemas.values().find(|schema| schema["title"] == title).unwrap();
    let filter = &of("BillingUsageDataFilter")["properties"];
    assert_eq!(filter["categories"]["items"]["enum"], json!(CATEGORIES));
    assert_eq!(filter["subCategories"]["items"]["enum"], json!(SUBCATEGORIES));
    assert_eq!(of("Direction")["enum"], json!(DIRECTIONS));
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    assert_eq!(of("BillingUsageAggregate")["enum"], json!(names));
}

#[test]
fn the_published_collection_is_refused_as_it_stands() {
    let Some(whole) = published("billing-usage.postman_collection.json") else { return };
    let body = whole.pointer("/item/0/item/0/item/0/item/0/item/0/request/body/raw").unwrap();
    let whole = "must be a whole number";
    let expected = [
        (SINCE, "`<date>` is not a day"),
        (UNTIL, "`<date>` is not a day"),
        ("request.filterBy.accountKeys[1]", "is request.filterBy.accountKeys[0] once more"),
        ("request.filterBy.categories", "must be an array"),
        ("request.filterBy.subCategories", "must be an array"),
        ("request.filterBy.countryCodes[1]", "is request.filterBy.countryCodes[0] once more"),
        ("request.filterBy.trafficTypes[1]", "is request.filterBy.trafficTypes[0] once more"),
        ("request.filterBy.senders[1]", "is request.filterBy.senders[0] once more"),
        ("request.filterBy.senderTypes[1]", "is request.filterBy.senderTypes[0] once more"),
        ("request.filterBy.campaignReferenceIds[1]", "is request.filterBy.campaignReferenceIds"),
        ("request.filterBy.templateIds[1]", "is request.filterBy.templateIds[0] once more"),
        ("request.filterBy.platforms[1]", "is request.filterBy.platforms[0] once more"),
        ("request.filterBy.campaignIds[0]", whole),
        ("request.filterBy.campaignIds[1]", whole),
    ];
    let mut found: Vec<String> = taken(body.as_str().unwrap())
        .err()
        .unwrap()
        .into_iter()
        .map(|(property, _)| property)
        .collect();
    let mut properties: Vec<&str> = expected.iter().map(|(property, _)| *property).collect();
    found.sort_unstable();
    properties.sort_unstable();
    assert_eq!(found, properties);
}
