//! The usage API beside its published description: requests of it are taken, and whatever is
//! answered, or sent to a receiver, is as it is described and no member more.

use crate::books::{Books, Schema, on_each_store};
use crate::closing::moment;
use crate::contracts::{description, problems};
use crate::program::Server;
use crate::usage_api_asking::{
    Asking, MEASURES, QUERY, columns, query, rows, total, with_filter, with_options,
};
use crate::usage_api_receivers::{Manner, Receiver};
use calendar::{BillingPeriod, Instant};
use jsonschema::Validator;
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The published description, and what its definitions are.
struct Contract {
    description: Value,
    schemas: Value,
}

impl Contract {
    fn read(name: &str) -> Option<Contract> {
        let description = description(&format!("infobip/{name}"))?;
        let mut schemas = description["components"]["schemas"].clone();
        for (name, schema) in schemas.as_object_mut().expect("schemas") {
            if schema.get("properties").is_some() {
                schema["additionalProperties"] = json!(false);
            }
            // Two lists are described as being one of the values that they may have.
            if name.ends_with(".BillingUsageDataFilter") {
                for list in ["categories", "subCategories"] {
                    let list = schema["properties"][list].as_object_mut().expect("a list");
                    list.remove("enum");
                }
            }
            // Values of rows are described as objects, and are texts and numbers in each example.
            if name.ends_with(".AggregateDataResponse") {
                schema["properties"]["rows"]["items"]["items"] =
                    json!({ "type": ["string", "number"] });
            }
        }
        Some(Contract { description, schemas })
    }

    /// What something must be, by the end of its definition's name.
    fn validator(&self, name: &str) -> Validator {
        let mut names = self.schemas.as_object().expect("schemas").keys();
        let is_it = |known: &&String| known.rsplit('.').next() == Some(name);
        let known = names.find(is_it).unwrap_or_else(|| panic!("no {name}"));
        let schema = json!({
            "$ref": format!("#/components/schemas/{known}"),
            "components": { "schemas": self.schemas },
        });
        jsonschema::draft202012::new(&schema).expect("a schema")
    }

    fn check(&self, name: &str, value: &Value) {
        assert_eq!(problems(&self.validator(name), value), Vec::<String>::new(), "{value}");
    }

    /// The published examples below a pointer, with their names.
    fn examples(&self, pointer: &str) -> Vec<(String, Value)> {
        let examples = self.description.pointer(pointer).and_then(Value::as_object);
        let examples = examples.unwrap_or_else(|| panic!("no {pointer}")).iter();
        examples.map(|(name, example)| (name.clone(), example["value"].clone())).collect()
    }
}

const USAGE: &str = "billing-usage-openapi.json";
const REQUESTS: &str =
    "/paths/~1billing~11~1usage~1query/post/requestBody/content/application~1json/examples";
const RESULTS: &str = "/webhooks/receive-billing-usage-result/post/requestBody/content/\
    application~1json/examples";

/// Nothing here is about how much may be asked.
pub(crate) const UNLIMITED: [(&str, &str); 3] = [
    ("RECKONER_LIMITS__REQUEST_BURST", "100000"),
    ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "100000"),
    ("RECKONER_LIMITS__USAGE_QUERIES", "100000"),
];

/// The demo behind what has to live as long as it.
pub(crate) fn demo(books: Books) -> (TempDir, Option<Schema>, Server) {
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &UNLIMITED);
    (directory, schema, server)
}

#[test]
fn what_is_not_described_is_found() {
    let Some(contract) = Contract::read(USAGE) else { return };
    for (name, example) in contract.examples(REQUESTS) {
        let found = problems(&contract.validator("QueryBillingUsageRequest"), &example);
        assert_eq!(found, Vec::<String>::new(), "{name}");
    }
    let results = contract.examples(RESULTS);
    let validator = contract.validator("BillingUsageResult");
    for (name, example) in &results {
        assert_eq!(problems(&validator, example), Vec::<String>::new(), "{name}");
    }
    let (_, example) = &results[0];
    let check = |pointer: &str, value: Value| {
        let mut wrong = example.clone();
        *wrong.pointer_mut(pointer).expect("a member") = value;
        assert!(!problems(&validator, &wrong).is_empty(), "{wrong}");
    };
    check("/status", json!("DONE"));
    check("/response/columns/0/columnDataType", json!("TEXT"));
    check("/response/rows/0/0", json!(null));
    check("/metadata/billingPeriods/0", json!({ "month": "2026-03", "final": true }));
    check("/response/totalRows", json!("2"));
}

on_each_store!(published_requests_are_taken_and_answered_as_described);
async fn published_requests_are_taken_and_answered_as_described(books: Books) {
    let Some(contract) = Contract::read(USAGE) else { return };
    let (_directory, _schema, server) = demo(books);
    let (asking, receiver) = (Asking::of_demo(&server), Receiver::new().await);
    let secret = asking.secret().await;
    let (since, until) = (server.told("usage_api.window.from"), server.told("usage_api.window.to"));
    // Columns of a published result, by those that its request asks for.
    let published: Vec<Value> =
        contract.examples(RESULTS).into_iter().map(|(_, result)| result).collect();
    for (nth, (name, mut request)) in contract.examples(REQUESTS).into_iter().enumerate() {
        let own = format!("example-{nth}");
        request["callbackUrl"] = json!(receiver.url(&own, &[Manner::Takes]));
        let days = json!({ "sentSince": since, "sentUntil": until });
        request["request"]["filterBy"]["dateInterval"] = days;
        let (status, told) = asking.ask(Method::POST, QUERY, Some(&request)).await;
        assert_eq!(status, 201, "{name}: {told}");
        contract.check("QueryAggregateDataResponse", &told);
        let called = receiver.wait(&own, &[Manner::Takes], 1).await.remove(0);
        let result: Value = serde_json::from_slice(&called.body).expect("JSON");
        contract.check("BillingUsageResult", &result);
        assert_eq!(result["requestId"], told["requestId"], "{name}");
        let like = published.iter().find(|like| {
            like["response"]["columns"].is_array() && columns(like) == columns(&result)
        });
        let like = like.unwrap_or_else(|| panic!("{name}: no result has {:?}", columns(&result)));
        assert_eq!(result["response"]["columns"], like["response"]["columns"], "{name}");
        assert_eq!(called.verb, "POST");
        assert_eq!(called.header("content-type"), "application/json");
        called.check_signed(&secret);
    }
    server.stop();
}

/// Each column with its type; those of the measures stand behind all of them.
/// Source: `infobip.md` sections 4 and 6.
const TYPES: [(&str, &str); 23] = [
    ("DAY", "DATE_TIME"),
    ("MONTH", "DATE_TIME"),
    ("APPLICATION_ID", "STRING"),
    ("ENTITY_ID", "STRING"),
    ("ACCOUNT_NAME", "STRING"),
    ("ACCOUNT_KEY", "STRING"),
    ("CATEGORY_CODE", "STRING"),
    ("CATEGORY_NAME", "STRING"),
    ("SUBCATEGORY_CODE", "STRING"),
    ("SUBCATEGORY_NAME", "STRING"),
    ("USER_NAME", "STRING"),
    ("DIRECTION", "STRING"),
    ("TRAFFIC_TYPE", "STRING"),
    ("SENDER", "STRING"),
    ("SENDER_TYPE", "STRING"),
    ("NETWORK_NAME", "STRING"),
    ("NORM_NET_CODE", "STRING"),
    ("COUNTRY_NAME", "STRING"),
    ("COUNTRY_CODE", "STRING"),
    ("COUNTRY_PREFIX", "STRING"),
    ("CAMPAIGN_ID", "INTEGER"),
    ("CAMPAIGN_REFERENCE", "STRING"),
    ("TEMPLATE_ID", "STRING"),
];

on_each_store!(each_column_of_the_demo_is_told_as_described);
async fn each_column_of_the_demo_is_told_as_described(books: Books) {
    let Some(contract) = Contract::read(USAGE) else { return };
    let (_directory, _schema, server) = demo(books);
    let (asking, receiver) = (Asking::of_demo(&server), Receiver::new().await);
    let (since, until) = (server.told("usage_api.window.from"), server.told("usage_api.window.to"));
    let ask = async |names: &[&str]| {
        let url = receiver.url("column", &[Manner::Takes]);
        let answer = asking.answer(&query(&url, (&since, &until), names)).await;
        contract.check("BillingUsageResult", &answer);
        answer
    };
    let whole = total(&ask(&["MONTH"]).await);
    for (name, kind) in TYPES {
        let answer = ask(&[name]).await;
        let columns = answer["response"]["columns"].as_array().expect("columns");
        let is_it = |one: &&Value| one["columnName"] == name;
        let told = columns.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {columns:?}"));
        assert_eq!(told["columnDataType"], kind, "{name}");
        let measures = &columns[columns.len() - MEASURES.len()..];
        for (measure, (name, kind)) in measures.iter().zip(MEASURES) {
            let expected = json!({ "columnName": name, "columnDataType": kind });
            assert_eq!(*measure, expected);
        }
        assert!(!rows(&answer).is_empty(), "{name}");
        // However a final month is told apart, it costs the same.
        assert_eq!(total(&answer), whole, "{name}");
        let at = columns.iter().position(|one| one["columnName"] == name).expect("a column");
        let is_told = rows(&answer).iter().any(|row| row[at] != "N/A");
        assert!(is_told, "{name}: nothing in the demo has one");
    }
    server.stop();
}

on_each_store!(whoever_asks_for_nothing_known_has_an_empty_answer);
async fn whoever_asks_for_nothing_known_has_an_empty_answer(books: Books) {
    let Some(contract) = Contract::read(USAGE) else { return };
    let (_directory, _schema, server) = demo(books);
    let (asking, receiver) = (Asking::of_demo(&server), Receiver::new().await);
    let (since, until) = (server.told("usage_api.window.from"), server.told("usage_api.window.to"));
    let url = receiver.url("empty", &[Manner::Takes]);
    let whole = query(&url, (&since, &until), &["CATEGORY_NAME", "COUNTRY_NAME", "ACCOUNT_KEY"]);
    let check = async |query: Value| {
        let answer = asking.answer(&query).await;
        contract.check("BillingUsageResult", &answer);
        assert_eq!(answer["response"]["totalRows"], 0, "{query}: {answer}");
        let names = ["CATEGORY_NAME", "COUNTRY_NAME", "ACCOUNT_KEY"];
        let names: Vec<&str> =
            names.into_iter().chain(MEASURES.iter().map(|(name, _)| *name)).collect();
        assert_eq!(columns(&answer), names);
        // The month is told of though nothing of it is.
        let month = json!([{ "month": &since[..7], "volumeFinalized": true }]);
        assert_eq!(answer["metadata"]["billingPeriods"], month);
    };
    check(with_filter(whole.clone(), "accountKeys", json!(["no such key"]))).await;
    check(with_filter(whole.clone(), "countryCodes", json!(["de"]))).await;
    check(with_filter(whole.clone(), "senders", json!([""]))).await;
    // An empty member stands for nothing else.
    let pairs = json!([{ "applicationId": "", "entityId": "" }]);
    check(with_filter(whole.clone(), "platforms", pairs)).await;
    check(with_filter(whole, "campaignIds", json!([i64::MAX, i64::MIN]))).await;
    server.stop();
}

on_each_store!(refusals_are_the_published_ones_in_json_and_xml);
async fn refusals_are_the_published_ones_in_json_and_xml(books: Books) {
    let Some(contract) = Contract::read(USAGE) else { return };
    let (schema, directory) = (books.schema(), tempfile::tempdir().expect("a directory"));
    let settings =
        [("RECKONER_LIMITS__REQUEST_BURST", "6"), ("RECKONER_LIMITS__REQUESTS_PER_SECOND", "1")];
    let server = Server::demo(&directory.path().join("data"), schema.as_ref(), &settings);
    let asking = Asking::of_demo(&server);
    let nobody = Asking { credential: String::new(), ..asking.clone() };
    let without = Asking::with_key(&server, &server.told("usage_api.api_key_without_scope"));
    let example = |status: u16, media: &str| {
        let pointer = format!("/components/responses/ApiError{status}/content/{media}/example");
        let found = contract.description.pointer(&pointer);
        found.unwrap_or_else(|| panic!("no {pointer}")).clone()
    };
    let check = async |asking: &Asking<'_>, status: u16| {
        for _ in 0..200 {
            let request = asking.request(Method::POST, QUERY).json(&json!({}));
            let answer = request.send().await.expect("an answer");
            if answer.status().as_u16() != status {
                continue;
            }
            if status == 429 {
                let wait = answer.headers()["retry-after"].to_str().expect("text");
                assert!(wait.parse::<u64>().expect("seconds") >= 1, "{wait}");
            }
            let told: Value = answer.json().await.expect("JSON");
            contract.check("ApiError", &told);
            assert_eq!(told, example(status, "application~1json"));
            return;
        }
        panic!("{status} is never answered");
    };
    check(&nobody, 401).await;
    check(&without, 403).await;
    check(&asking, 429).await;
    let request = nobody.request(Method::POST, QUERY).header(ACCEPT, "application/xml");
    let answer = request.json(&json!({})).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 401);
    assert_eq!(answer.headers()["content-type"], "application/xml");
    let told = answer.text().await.expect("text");
    assert_eq!(told, example(401, "application~1xml").as_str().expect("text"));
    server.stop();
}

on_each_store!(what_is_beyond_the_contract_has_to_be_asked_for);
async fn what_is_beyond_the_contract_has_to_be_asked_for(books: Books) {
    let (_directory, _schema, server) = demo(books);
    let asking = Asking::of_demo(&server);
    let (since, until) = (server.told("usage_api.window.from"), server.told("usage_api.window.to"));
    let mut plain = query("", (&since, &until), &["MONTH"]);
    plain.as_object_mut().expect("an object").remove("callbackUrl");
    let (status, told) = asking.ask(Method::POST, QUERY, Some(&plain)).await;
    assert_eq!((status, &told["violations"][0]["property"]), (400, &json!("callbackUrl")));
    // Whoever picks the result up needs no receiver.
    let own = with_options(plain.clone(), json!({}));
    let answer = asking.answer(&own).await;
    assert!(!rows(&answer).is_empty());
    // Long ago nothing was used, but it may be asked for.
    let long = with_filter(
        plain,
        "dateInterval",
        json!({ "sentSince": "2025-01-01", "sentUntil": until }),
    );
    let refused = with_options(long.clone(), json!({ "exactTotals": true }));
    assert_eq!(asking.ask(Method::POST, QUERY, Some(&refused)).await.0, 400);
    let answer = asking.answer(&with_options(long, json!({ "longRange": true }))).await;
    let months = answer["metadata"]["billingPeriods"].as_array().expect("months");
    assert!(months.len() > 12 && months[0]["month"] == "2025-01", "{months:?}");
    server.stop();
}

on_each_store!(open_months_are_flagged_and_left_out_on_demand);
async fn open_months_are_flagged_and_left_out_on_demand(books: Books) {
    let (_directory, _schema, server) = demo(books);
    let (asking, receiver) = (Asking::of_demo(&server), Receiver::new().await);
    let open = BillingPeriod::of(moment(&server.told("now")));
    let closed = [open.previous().previous(), open.previous()];
    let ask = async |first: BillingPeriod, unfinalized: bool| {
        let url = receiver.url("months", &[Manner::Takes]);
        let days = (first.start().day().to_string(), open.end().day().to_string());
        let mut query = query(&url, (&days.0, &days.1), &["MONTH"]);
        query["request"]["options"]["includeUnfinalizedData"] = json!(unfinalized);
        asking.answer(&query).await
    };
    let period = |since: BillingPeriod, until: Instant| {
        let moment = |at: Instant| format!("{}T00:00:00.000+0000", at.day());
        json!({ "sentSince": moment(since.start()), "sentUntil": moment(until) })
    };
    let month = |period: BillingPeriod, is_final: bool| {
        json!({
            "month": period.to_string(),
            "volumeFinalized": is_final,
        })
    };
    let finals = closed.map(|period| month(period, true));
    let whole = ask(closed[0], true).await;
    let all = [finals.as_slice(), &[month(open, false)]].concat();
    assert_eq!(whole["metadata"]["billingPeriods"], json!(all));
    assert_eq!(whole["response"]["requestedPeriod"], period(closed[0], open.end()));
    let sealed = ask(closed[0], false).await;
    assert_eq!(sealed["metadata"]["billingPeriods"], json!(finals));
    assert_eq!(sealed["response"]["requestedPeriod"], period(closed[0], open.start()));
    assert_eq!(sealed["metadata"]["clientRequestedPeriod"], period(closed[0], open.end()));
    assert!(total(&sealed) < total(&whole), "the open month costs something");
    // Nothing is left: an answer all the same, of no time at all.
    let nothing = ask(open, false).await;
    assert_eq!(nothing["status"], "SUCCESS");
    assert_eq!(nothing["response"]["totalRows"], 0);
    assert_eq!(nothing["response"]["requestedPeriod"], period(open, open.start()));
    assert_eq!(nothing["metadata"]["clientRequestedPeriod"], period(open, open.end()));
    assert_eq!(nothing["metadata"]["billingPeriods"], json!([]));
    server.stop();
}
