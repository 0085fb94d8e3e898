//! Answers beside the vendor's published description: no member that it lacks, no other type.

use crate::program::Server;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;

const COMMERCE: &str = "microsoft-commerce/2015-06-01-preview/commerce.json";

/// A published description: of `RECKONER_SPECS`, else beside the checkout.
///
/// Where the folder is missing the test says so aloud; under `CI=true` that is a failure.
pub(crate) fn description(name: &str) -> Option<Value> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let folder = std::env::var_os("RECKONER_SPECS").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        let text = std::fs::read(folder.join(name)).expect("the folder holds the description");
        return Some(serde_json::from_slice(&text).expect("JSON"));
    }
    writeln!(std::io::stderr(), "LEFT OUT: {name}: no folder {}", folder.display())
        .expect("standard error takes text");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "descriptions are missing under CI");
    None
}

/// What an answer must be, by the name of its definition; members that it does not name are wrong.
fn validator(description: &Value, name: &str) -> Validator {
    let mut definitions = description["definitions"].clone();
    for (name, definition) in definitions.as_object_mut().expect("definitions") {
        // The description refers to the base of an offer's terms; each kind has members of its own.
        let is_base = name == "OfferTermInfo" || definition.get("allOf").is_some();
        if definition.get("properties").is_some() && !is_base {
            definition["additionalProperties"] = json!(false);
        }
    }
    let schema = json!({ "$ref": format!("#/definitions/{name}"), "definitions": definitions });
    jsonschema::draft4::new(&schema).expect("a schema")
}

fn problems(validator: &Validator, answer: &Value) -> Vec<String> {
    let told = |error: jsonschema::ValidationError<'_>| {
        format!("{}: {error}", error.instance_path()).chars().take(300).collect()
    };
    validator.iter_errors(answer).map(told).collect()
}

async fn asked(server: &Server, url: &str) -> Value {
    let token = server.told("clients.reader.token");
    let answer = server.client.get(url).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
    answer.json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn commerce_answers_are_as_the_vendor_describes_them() {
    let Some(description) = description(COMMERCE) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::demo(&directory.path().join("data"), None, &[]);
    let own = format!(
        "{}/subscriptions/{}/providers/Microsoft.Commerce",
        server.told("base_url"),
        server.told("subscriptions.own")
    );
    let usage = validator(&description, "UsageAggregationListResult");
    for detail in ["aggregationGranularity=Daily", "aggregationGranularity=Hourly"] {
        let mut next = Some(format!(
            "{own}/UsageAggregates?api-version=2015-06-01-preview&{detail}\
             &reportedStartTime={}&reportedEndTime={}",
            server.told("usage_window.from"),
            server.told("usage_window.to")
        ));
        while let Some(url) = next {
            let page = asked(&server, &url).await;
            assert!(page["value"].as_array().is_some_and(|rows| !rows.is_empty()), "{url}");
            assert_eq!(problems(&usage, &page), Vec::<String>::new(), "{url}");
            next = page["nextLink"].as_str().map(str::to_owned);
        }
    }
    let part = |name: &str, key: &str| format!("{name} eq '{}'", server.told(key));
    let filter = [
        part("OfferDurableId", "offer.id"),
        part("Currency", "offer.currency"),
        part("Locale", "offer.locale"),
        part("RegionInfo", "offer.region"),
    ];
    let filter = filter.join(" and ");
    let card = format!("{own}/RateCard?api-version=2015-06-01-preview&$filter={filter}");
    let mut card = asked(&server, &card).await;
    let described = validator(&description, "ResourceRateCardInfo");
    assert_eq!(problems(&described, &card), Vec::<String>::new());
    // What the description does not know would have been found.
    card["Meters"][0]["Price"] = json!(1);
    card["IsTaxIncluded"] = json!("false");
    assert_eq!(problems(&described, &card).len(), 2);
    server.stop();
}
