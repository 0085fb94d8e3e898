//! What is wrong with a usage query is told member by member, all of it at once, and nothing is
//! kept of a query that was refused.

use crate::books::{Books, on_each_store};
use crate::closing::moment;
use crate::contracts::description;
use crate::program::Server;
use crate::usage_api_asking::{Asking, QUERY, made_key, query};
use crate::usage_api_company::installation;
use crate::usage_api_contract::demo;
use calendar::BillingPeriod;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where nobody listens: what is refused is never sent.
const URL: &str = "http://127.0.0.1:9/hook";

/// A query of the demo's current month, of which something is then put wrong.
struct Sound<'a> {
    asking: Asking<'a>,
    month: BillingPeriod,
}

impl Sound<'_> {
    fn of_demo(server: &Server) -> Sound<'_> {
        let month = BillingPeriod::of(moment(&server.told("now")));
        Sound { asking: Asking::of_demo(server), month }
    }

    fn query(&self) -> Value {
        let (since, until) = (self.month.start().day(), self.month.end().day());
        query(URL, (&since.to_string(), &until.to_string()), &["MONTH"])
    }

    /// The members that a query is refused for.
    async fn refused(&self, query: &Value) -> BTreeSet<String> {
        let (status, told) = self.asking.ask(Method::POST, QUERY, Some(query)).await;
        assert_eq!((status, &told["errorCode"]), (400, &json!("E400")), "{query}: {told}");
        assert_eq!(told["description"], "Request cannot be processed.", "{told}");
        assert_eq!(told["resources"], json!([]), "{told}");
        let violations = told["violations"].as_array().unwrap_or_else(|| panic!("{told}"));
        let property = |one: &Value| {
            assert!(one["violation"].as_str().is_some_and(|why| !why.is_empty()), "{told}");
            one["property"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
        };
        violations.iter().map(property).collect()
    }

    /// That a query with another value at a member is refused for these members and no others.
    async fn check(&self, at: &str, value: Value, expected: &[&str]) {
        let mut query = self.query();
        let (parent, member) = at.rsplit_once('.').map_or(("", at), |parts| parts);
        let mut place = &mut query;
        for name in parent.split('.').filter(|name| !name.is_empty()) {
            place = &mut place[name];
        }
        match value {
            Value::Null => {
                place.as_object_mut().expect("an object").remove(member);
            }
            value => place[member] = value,
        }
        let expected: BTreeSet<String> = expected.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(self.refused(&query).await, expected, "{at}: {query}");
    }
}

const DAYS: &str = "request.filterBy.dateInterval";
const SINCE: &str = "request.filterBy.dateInterval.sentSince";
const UNTIL: &str = "request.filterBy.dateInterval.sentUntil";
const COLUMNS: &str = "request.aggregateBy";
const OWN: &str = "request.options.reckoner";

on_each_store!(each_member_that_is_wrong_is_named);
async fn each_member_that_is_wrong_is_named(books: Books) {
    let (_directory, _schema, server) = demo(books);
    let sound = Sound::of_demo(&server);
    members_of_the_request(&sound).await;
    days(&sound).await;
    lists_of_the_filter(&sound).await;
    options_beyond_the_contract(&sound).await;
    addresses(&sound).await;
    sizes(&sound).await;
    // Of all these queries the one that was sound is there.
    let (status, told) = sound.asking.ask(Method::GET, QUERY, None).await;
    let queries = told["queries"].as_array().unwrap_or_else(|| panic!("{told}"));
    assert_eq!((status, queries.len()), (200, 1), "{told}");
    server.stop();
}

async fn members_of_the_request(sound: &Sound<'_>) {
    // A null is a member that is not there.
    sound.check("callbackUrl", Value::Null, &["callbackUrl"]).await;
    sound.check("callbackUrl", json!(7), &["callbackUrl"]).await;
    sound.check("callbackUrl", json!(""), &["callbackUrl"]).await;
    sound.check("request", Value::Null, &["request"]).await;
    sound.check("request", json!("all"), &["request"]).await;
    sound.check("request.filterBy", Value::Null, &["request.filterBy"]).await;
    sound.check("request.filterBy", json!([]), &["request.filterBy"]).await;
    sound.check(DAYS, Value::Null, &[DAYS]).await;
    sound.check(DAYS, json!("March"), &[DAYS]).await;
    sound.check(DAYS, json!({}), &[SINCE, UNTIL]).await;
    sound.check(COLUMNS, Value::Null, &[COLUMNS]).await;
    sound.check(COLUMNS, json!([]), &[COLUMNS]).await;
    sound.check(COLUMNS, json!("MONTH"), &[COLUMNS]).await;
    sound.check(COLUMNS, json!(["MONTH", "WEEK"]), &["request.aggregateBy[1]"]).await;
    sound.check(COLUMNS, json!(["month"]), &["request.aggregateBy[0]"]).await;
    sound.check(COLUMNS, json!([3]), &["request.aggregateBy[0]"]).await;
    sound.check(COLUMNS, json!(["DAY", "MONTH", "DAY"]), &["request.aggregateBy[2]"]).await;
    sound.check("request.options", json!(true), &["request.options"]).await;
    let unfinalized = "request.options.includeUnfinalizedData";
    sound.check(unfinalized, json!("yes"), &[unfinalized]).await;
    for body in ["", "{", "[]", "7", "{\"callbackUrl\": \"http"] {
        let request = sound.asking.request(Method::POST, QUERY);
        let request = request.header("content-type", "application/json").body(body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 400, "{body}");
        let told: Value = answer.json().await.expect("JSON");
        assert_eq!(told["violations"][0]["property"], "body", "{body}: {told}");
    }
    let all = sound.refused(&json!({})).await;
    assert_eq!(all, BTreeSet::from(["callbackUrl".to_owned(), "request".to_owned()]));
}

async fn days(sound: &Sound<'_>) {
    for text in ["", "2026-3-1", "01.03.2026", "2026-02-30", "2026-13-01", "2026-03-01T00:00:00Z"] {
        sound.check(SINCE, json!(text), &[SINCE]).await;
        sound.check(UNTIL, json!(text), &[UNTIL]).await;
    }
    sound.check(SINCE, json!(20_260_301), &[SINCE]).await;
    let day = |day: calendar::Day| json!(day.to_string());
    let (month, first) = (sound.month, sound.month.previous().previous());
    // The last day is exclusive.
    sound.check(UNTIL, day(month.start().day()), &[UNTIL]).await;
    sound.check(UNTIL, day(month.start().plus_micros(-1).day()), &[UNTIL]).await;
    // The current month and the two before it are there.
    sound.check(SINCE, day(first.start().plus_micros(-1).day()), &[DAYS, SINCE]).await;
    sound.check(UNTIL, day(month.end().day().next()), &[UNTIL]).await;
    let next = month.next();
    let days = json!({
        "sentSince": next.start().day().to_string(),
        "sentUntil": next.end().day().to_string(),
    });
    sound.check(DAYS, days, &[SINCE, UNTIL]).await;
    let whole = json!({
        "sentSince": first.start().day().to_string(),
        "sentUntil": month.end().day().to_string(),
    });
    let mut query = sound.query();
    query["request"]["filterBy"]["dateInterval"] = whole;
    sound.asking.submit(&query).await;
}

async fn lists_of_the_filter(sound: &Sound<'_>) {
    let lists = [
        "accountKeys",
        "categories",
        "subCategories",
        "countryCodes",
        "platforms",
        "directions",
        "trafficTypes",
        "senders",
        "senderTypes",
        "campaignReferenceIds",
        "campaignIds",
        "templateIds",
    ];
    for list in lists {
        let at = format!("request.filterBy.{list}");
        sound.check(&at, json!("one"), &[&at]).await;
        sound.check(&at, json!({ "0": "one" }), &[&at]).await;
        let (first, second) = (format!("{at}[0]"), format!("{at}[1]"));
        sound.check(&at, json!([true, [1]]), &[&first, &second]).await;
        let twice = match list {
            "categories" => json!(["SMS", "SMS"]),
            "subCategories" => json!(["VIBER_BM", "VIBER_BM"]),
            "directions" => json!(["INBOUND", "INBOUND"]),
            "campaignIds" => json!([5, 5]),
            "platforms" => {
                let pair = json!({ "applicationId": "a", "entityId": "e" });
                json!([pair, pair])
            }
            _ => json!(["a", "a"]),
        };
        sound.check(&at, twice, &[&second]).await;
    }
    let first = |list: &str| format!("request.filterBy.{list}[0]");
    let check = async |list: &str, value: Value| {
        let at = format!("request.filterBy.{list}");
        sound.check(&at, json!([value]), &[&first(list)]).await;
    };
    check("categories", json!("sms")).await;
    check("categories", json!("FAX")).await;
    check("subCategories", json!("VIBER")).await;
    check("directions", json!("SIDEWAYS")).await;
    check("campaignIds", json!("17")).await;
    check("campaignIds", json!(1.5)).await;
    let too_large: Value = serde_json::from_str("9223372036854775808").expect("a number");
    check("campaignIds", too_large).await;
    let half = json!([{ "applicationId": "a" }, { "entityId": "e" }, {}]);
    let of = |nth: u8, member: &str| format!("request.filterBy.platforms[{nth}].{member}");
    let missing =
        [of(0, "entityId"), of(1, "applicationId"), of(2, "applicationId"), of(2, "entityId")];
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    sound.check("request.filterBy.platforms", half, &missing).await;
    let many: Vec<String> = (0..1_001).map(|nth| nth.to_string()).collect();
    sound.check("request.filterBy.senders", json!(many), &["request.filterBy.senders"]).await;
}

async fn options_beyond_the_contract(sound: &Sound<'_>) {
    sound.check(OWN, json!(1), &[OWN]).await;
    let check = async |member: &str, value: Value| {
        let at = format!("{OWN}.{member}");
        sound.check(OWN, json!({ member: value }), &[&at]).await;
    };
    check("colour", json!("red")).await;
    check("timeZone", json!("Mars/Base")).await;
    check("timeZone", json!("+02:00")).await;
    check("timeZone", json!(2)).await;
    check("resolveNames", json!("yesterday")).await;
    check("resolveNames", json!(true)).await;
    check("format", json!("xml")).await;
    check("longRange", json!("yes")).await;
    check("exactTotals", json!(1)).await;
}

async fn addresses(sound: &Sound<'_>) {
    let long = format!("https://receiver.example/{}", "a".repeat(2_048));
    for address in [
        "soon",
        "//receiver.example/hook",
        "ftp://receiver.example/hook",
        "file:///etc/passwd",
        "https://",
        "https://user:word@receiver.example/hook",
        "https://user@receiver.example/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/hook",
        "https://[::ffff:10.0.0.1]/hook",
        // What a browser reads as 10.0.0.1.
        "https://0x0a000001/hook",
        "https://167772161/hook",
        "https://012.0.0.1/hook",
        "https://10.1/hook",
        long.as_str(),
    ] {
        sound.check("callbackUrl", json!(address), &["callbackUrl"]).await;
    }
}

/// However much is wrong with a body, its refusal is small; a large one is not taken at all.
async fn sizes(sound: &Sound<'_>) {
    let check = async |body: String, expected: u16, code: &str| {
        let body_bytes = body.len();
        let request = sound.asking.request(Method::POST, QUERY);
        let request = request.header("content-type", "application/json").body(body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), expected, "{body_bytes} bytes");
        let told = answer.bytes().await.expect("bytes");
        assert!(told.len() < 131_072, "{} bytes refuse {body_bytes}", told.len());
        let told: Value = serde_json::from_slice(&told).expect("JSON");
        assert_eq!(told["errorCode"], code, "{told}");
    };
    let mut query = sound.query();
    for many in [250_000, 1_000] {
        query["request"]["aggregateBy"] = json!(vec!["a"; many]);
        check(query.to_string(), 400, "E400").await;
    }
    query["request"]["aggregateBy"] = json!(["MONTH"]);
    query["request"]["options"]["reckoner"] = json!({ "timeZone": "a".repeat(1_000_000) });
    check(query.to_string(), 400, "E400").await;
    check(" ".repeat(1_024 * 1_024), 400, "E400").await;
    check(" ".repeat(1_024 * 1_024 + 1), 413, "E413").await;
}

on_each_store!(without_leave_no_result_goes_to_this_machine);
async fn without_leave_no_result_goes_to_this_machine(books: Books) {
    let installation = installation(books);
    let server = installation.serve(&[("RECKONER_CLOSE__BY_SCHEDULE", "false")]);
    let operator = installation.token(&server).await;
    let key = made_key(&server, &operator, &["charges:read"], &[]).await;
    let asking = Asking::with_key(&server, &key);
    let sound = Sound { asking, month: BillingPeriod::of(crate::program::now()) };
    for address in [
        "http://receiver.example/hook",
        "http://127.0.0.1:9/hook",
        "https://localhost/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://0.0.0.0/hook",
        "https://2130706433/hook",
        "https://127.1/hook",
    ] {
        sound.check("callbackUrl", json!(address), &["callbackUrl"]).await;
    }
    server.stop();
}

on_each_store!(the_published_collection_is_refused_as_it_stands);
async fn the_published_collection_is_refused_as_it_stands(books: Books) {
    let Some(collection) = description("infobip/billing-usage.postman_collection.json") else {
        return;
    };
    let mut bodies = Vec::new();
    requests(&collection, &mut bodies);
    assert!(!bodies.is_empty(), "the collection has requests");
    let (_directory, _schema, server) = demo(books);
    let sound = Sound::of_demo(&server);
    for body in bodies {
        let query: Value = serde_json::from_str(&body).expect("JSON");
        let refused = sound.refused(&query).await;
        for member in ["callbackUrl", SINCE, UNTIL] {
            assert!(refused.contains(member), "{member}: {refused:?}");
        }
    }
    server.stop();
}

/// The bodies of a collection's requests, however deep they lie.
fn requests(item: &Value, bodies: &mut Vec<String>) {
    let raw = item.pointer("/request/body/raw").and_then(Value::as_str);
    bodies.extend(raw.map(str::to_owned));
    for below in item["item"].as_array().into_iter().flatten() {
        requests(below, bodies);
    }
}
